"""The emulator's streams under load: many clients over loopback, the market moving a minute a second.

    python tests/bench/emulator.py [--clients 100] [--symbols 50] [--seconds 20] [--requests 50] [--event Quote]

The server is a process of its own with nothing but the sockets and one small GET; the clients are another. An update
is late by what passes between the moment at which its minute became known and its arrival; clients ask for one update a
second, so that up to a second of it is their own. Exit 1 where an update was missed or the server fell behind.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from datetime import time as clock
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[2]))

from adapters.emulator.streams.account_server import AccountServer, Bus
from adapters.emulator.streams.dxlink_server import DXLinkServer
from adapters.emulator.streams.feed import Feed
from adapters.emulator.streams.sockets import attend
from adapters.tastytrade.transport import dial
from sim.calendar import at_ny
from sim.market.synthetic import SyntheticMarket, named_market
from sim.model.instrument import OptionContract, Right
from sim.model.market import MINUTE_NS
from sim.ports import MarketDay
from tests.bench.bars import Bar, table
from tests.bench.processes import ROOT

FOLDER: Final = ROOT / ".bench"
SESSION: Final = date(2024, 8, 2)
SPEED: Final = 60
WARM: Final = 3.0
"""Seconds that are not counted: the chains of the day are laid out once."""
POOL: Final = 5_000
LATE: Final = 0.5
"""An update may come so many seconds after its client's own second."""


class FastWorld:
    """``es_sample`` from 10:00 New York on, a minute a second."""

    def __init__(self) -> None:
        self.market: SyntheticMarket = named_market("es_sample", cache_root=FOLDER)
        self.start, self.began = at_ny(SESSION, clock(10, 0)), time.perf_counter()
        self.names: dict[str, OptionContract] = {}
        for underlying in ("SPX", "SPY", "ES"):
            self._list(underlying, POOL // 3 + 1)

    def _list(self, underlying: str, most: int) -> None:
        day = self.day(underlying)
        series = day.series()[:8]
        for one in series:
            board = day.board(one)
            spot = day.path.last[self.column(underlying)] * 10_000
            near = sorted(range(len(board.strike_e4)), key=lambda i: abs(board.strike_e4[i] - spot))
            for i in near[: most // len(series)]:
                right = Right.PUT if board.is_put[i] else Right.CALL
                contract = OptionContract(one, int(board.strike_e4[i]), right)
                self.names[f".{one.product.root}{one.expiration:%y%m%d}{right.value}{contract.strike:f}"] = contract

    def now(self) -> int:
        return self.start + int((time.perf_counter() - self.began) * SPEED * 1e9)

    def day(self, underlying: str) -> MarketDay:
        return self.market.day(underlying, SESSION)

    def column(self, underlying: str) -> int:
        return (self.now() - self.day(underlying).open_ns) // MINUTE_NS

    def contract(self, streamer_symbol: str) -> OptionContract | None:
        return self.names.get(streamer_symbol)

    def underlying(self, streamer_symbol: str) -> str | None:
        return streamer_symbol if streamer_symbol in self.market.underlyings() else None


def serve() -> None:
    """Serves until it is stopped. Says its port, its market's beginning and its symbols on the first line."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route, WebSocketRoute
    from starlette.websockets import WebSocket

    world = FastWorld()
    dxlink = DXLinkServer(
        Feed(world, world.market), {"bench": "user"}.get, now=time.perf_counter, sleep=asyncio.sleep
    )  # fmt: skip
    account = AccountServer(Bus(lambda: 0), {"bench": {"5WT00001"}}.get, now=time.perf_counter, sleep=asyncio.sleep)

    async def usage(request: Request) -> JSONResponse:
        return JSONResponse({"data": {"cpu": time.process_time(), "clients": dxlink.connections}})

    async def on_dxlink(websocket: WebSocket) -> None:
        await attend(websocket, dxlink.serve)

    async def on_account(websocket: WebSocket) -> None:
        await attend(websocket, account.serve)

    routes = [Route("/usage", usage), WebSocketRoute("/realtime", on_dxlink), WebSocketRoute("/", on_account)]
    config = uvicorn.Config(
        Starlette(routes=routes), host="127.0.0.1", port=0, log_level="critical", ws="websockets-sansio",
        ws_per_message_deflate=False,
    )  # fmt: skip
    server = uvicorn.Server(config)

    async def main() -> None:
        task = asyncio.ensure_future(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        names = list(world.names)
        print(json.dumps({"port": port, "began": world.began, "start": world.start, "names": names}), flush=True)
        await task

    asyncio.run(main())


@dataclass(slots=True)
class Counts:
    """What one client saw: the lateness of each update in seconds, the minutes it saw, rows and characters."""

    late: list[float] = field(default_factory=list)
    minutes: set[int] = field(default_factory=set)
    rows: int = 0
    size: int = 0


async def watch(port: int, symbols: Sequence[str], event: str, began: float, start: int, until: float) -> Counts:
    """One streaming client."""
    counts = Counts()
    moment = "bidTime" if event == "Quote" else "time"
    async with dial(f"ws://127.0.0.1:{port}/realtime") as end:
        for message in (
            {"type": "SETUP", "channel": 0, "version": "0.1", "keepaliveTimeout": 60, "acceptKeepaliveTimeout": 60},
            {"type": "AUTH", "channel": 0, "token": "bench"},
            {"type": "CHANNEL_REQUEST", "channel": 1, "service": "FEED", "parameters": {"contract": "AUTO"}},
            {
                "type": "FEED_SETUP", "channel": 1, "acceptAggregationPeriod": 1, "acceptDataFormat": "COMPACT",
                "acceptEventFields": {event: [moment, "eventSymbol", "bidPrice", "askPrice", "delta", "volatility"]},
            },
            {"type": "FEED_SUBSCRIPTION", "channel": 1, "add": [{"type": event, "symbol": s} for s in symbols]},
        ):  # fmt: skip
            await end.send(json.dumps(message))
        while time.perf_counter() < until:
            text = await end.receive()
            now = time.perf_counter()
            if '"FEED_DATA"' not in text or now < began:
                continue
            flat = json.loads(text)["data"][1]
            minute = (max(flat[0::6]) * 1_000_000 - start) // MINUTE_NS
            counts.late.append(now - (began + minute * 60 / SPEED))
            counts.minutes.add(minute)
            counts.rows += len(flat) // 6
            counts.size += len(text)
    return counts


async def ask(port: int, rate: float, until: float) -> list[float]:
    """A GET every ``1 / rate`` seconds on a connection that stays open; the seconds each took from when it was due."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    took, due = [], time.perf_counter()
    while due < until:
        await asyncio.sleep(max(due - time.perf_counter(), 0))
        writer.write(b"GET /usage HTTP/1.1\r\nhost: bench\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        size = next(
            int(line.split(b":")[1]) for line in head.lower().splitlines() if line.startswith(b"content-length")
        )
        await reader.readexactly(size)
        took.append(time.perf_counter() - due)
        due += 1 / rate
    writer.close()
    return took


async def load(said: dict[str, Any], asked: argparse.Namespace) -> tuple[list[Counts], list[float]]:
    now = time.perf_counter()
    until, names = now + WARM + asked.seconds, said["names"]

    def portion(i: int) -> list[str]:
        return [names[(i * asked.symbols + j) % len(names)] for j in range(asked.symbols)]

    # Minutes are counted from the market's beginning, and those of the first seconds left out.
    clients = [
        watch(said["port"], portion(i), asked.event, said["began"], said["start"], until) for i in range(asked.clients)
    ]
    async with asyncio.TaskGroup() as group:
        watching = [group.create_task(one) for one in clients]
        asking = group.create_task(ask(said["port"], asked.requests, until))
    return [task.result() for task in watching], asking.result()


def usage(port: int) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/usage") as answer:
        return float(json.load(answer)["data"]["cpu"])


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="The emulator's streams under load.")
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--symbols", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--requests", type=float, default=50.0, help="GETs a second")
    parser.add_argument("--event", choices=("Quote", "Greeks"), default="Quote")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args(argv)
    if asked.serve:
        serve()
        return 0
    command = [sys.executable, str(Path(__file__)), "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            said = json.loads(server.stdout.readline())
            before, at = usage(said["port"]), time.perf_counter()
            counts, took = asyncio.run(load(said, asked))
            busy = (usage(said["port"]) - before) / (time.perf_counter() - at)
        finally:
            server.terminate()
    return report(asked, counts, took, busy, (at - said["began"]) * SPEED / 60)


def report(asked: argparse.Namespace, counts: list[Counts], took: list[float], busy: float, first: float) -> int:
    """``first``: the market's minute at which the clients came."""
    wanted = range(int(first + WARM) + 1, int(first + WARM + asked.seconds) - 1)
    missed = sum(minute not in c.minutes for c in counts for minute in wanted)
    late = sorted(x for c in counts for x in c.late[int(WARM) + 1 :])
    own = sorted(x - 1.0 for x in late)
    ticks = quantiles(late, n=100)
    gets = quantiles(took, n=100)
    rate = sum(c.rows for c in counts) / (WARM + asked.seconds)
    bars = [
        Bar("missed", "updates missed", missed / (len(wanted) * len(counts)), 0.0, f"{missed}",
            f"{len(counts)} clients x {len(wanted)} minutes"),
        Bar("late", "latest update, behind its client's own second, to 0.5 s", own[-1] / LATE, 1.0,
            f"age at arrival p50 {ticks[49]:.3f} p99 {ticks[98]:.3f} max {late[-1]:.3f} s", "aggregation 1 s"),
        Bar("gets", "GET p99 to 0.25 s", gets[98] / 0.25, 1.0,
            f"p50 {gets[49] * 1e3:.1f} p99 {gets[98] * 1e3:.1f} max {max(took) * 1e3:.1f} ms", f"{len(took)} GETs"),
        Bar("cpu", "the server's share of a core", busy, 1.0, f"{rate:,.0f} rows/s", f"{asked.event}"),
    ]  # fmt: skip
    print(table(bars))
    return 0 if all(bar.met for bar in bars) else 1


if __name__ == "__main__":
    sys.exit(main())
