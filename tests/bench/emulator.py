"""``tomking emulator`` under load, over loopback: many clients of market data, REST calls and orders at once.

    python tests/bench/emulator.py [--clients 100] [--symbols 50] [--seconds 10] [--requests 50] [--event Quote]

The emulator is the command itself, a process of its own with nothing added, at a minute of the market a second; clients
are another process. Every option has a new quote once a second; clients ask for updates a little oftener, so that none
is left out for the next. An update's age is what has passed between the moment at which its minute became known and its
arrival: most of it is the client's own period. A REST call is timed from when it was due. Exit 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import chain, cycle
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING, Any, Final

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.bars import Bar, table
from tests.bench.processes import ROOT, BenchError, Command, once

if TYPE_CHECKING:
    import httpx

    from adapters.tastytrade.transport import Transport

FOLDER: Final = ROOT / ".bench"
MINUTE_NS: Final = 60_000_000_000
SPEED: Final = 60
PERIOD: Final = 0.8
"""Seconds between two updates, as clients ask for them; a minute of the market is one."""
WARM: Final = 2.0
"""Seconds that are not counted: connections open, and the chains of the day are laid out once."""
SERIES: Final = 8
"""Expirations of each underlying whose options are subscribed to."""
POOL: Final = 1_000
"""Options of each underlying that are subscribed to, the nearest to the money."""
SLOW: Final = 0.5
"""Seconds that the slowest REST call but one of a hundred may take."""
ACCOUNT: Final = "5WT00001"
A: Final = f"/accounts/{ACCOUNT}"
ORDER: Final = {
    "order-type": "Limit", "time-in-force": "Day", "price": "1.00", "price-effect": "Debit",
    "legs": [{"instrument-type": "Equity", "symbol": "SPY", "action": "Buy to Open", "quantity": 1}],
}  # fmt: skip


@dataclass(slots=True)
class Counts:
    """What one client saw: seconds of age of each frame, the minutes it saw, rows."""

    ages: list[float] = field(default_factory=list)
    minutes: set[int] = field(default_factory=set)
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Site:
    """A running emulator: what it said, how to come in, and which moment of ours its clock's ``start`` was."""

    said: dict[str, Any]
    token: str
    began: float
    start: int
    process: int

    def age(self, minute_ns: int, now: float) -> float:
        return now - self.began - (minute_ns - self.start) / 1e9 / SPEED

    def cpu(self) -> float:
        """Processor seconds of the emulator so far; NaN where the system does not tell."""
        try:
            fields = Path(f"/proc/{self.process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        except OSError:
            return float("nan")
        return (int(fields[11]) + int(fields[12])) / float(os.sysconf("SC_CLK_TCK"))


@asynccontextmanager
async def running() -> AsyncIterator[tuple[Site, httpx.AsyncClient]]:
    """The command from its start to its end, with a client that has come in."""
    import httpx

    words = ("adapter.port=0", f"adapter.speed={SPEED}", "adapter.start='2024-08-02 10:00'")
    command = [sys.executable, "-m", "conf.main", "emulator", *words]
    home = FOLDER / "home" / "emulator"
    home.mkdir(parents=True, exist_ok=True)
    env = {**os.environ, "TOMKING_HOME": str(home)}
    with subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            first = await asyncio.to_thread(server.stdout.readline)
            if not first:
                raise BenchError(f"tomking emulator: {server.communicate()[1]}")
            said = json.loads(first)
            async with httpx.AsyncClient(base_url=said["rest"], timeout=30) as client:
                body = {key: said[key] for key in ("client_secret", "refresh_token")}
                grant = await client.post("/oauth/token", json={"grant_type": "refresh_token", **body})
                token = str(grant.json()["access_token"])
                client.headers["Authorization"] = f"Bearer {token}"
                began, start = await _clock(client)
                yield Site(said, token, began, start, server.pid), client
        finally:
            server.terminate()


async def _clock(client: httpx.AsyncClient) -> tuple[float, int]:
    """A moment of ours and the emulator's instant at it, from the quickest of some answers."""
    found = []
    for _ in range(10):
        before = time.perf_counter()
        now = (await client.get("/emulator/clock")).json()["data"]["now-ns"]
        took = time.perf_counter() - before
        found.append((took, before + took / 2, int(now)))
    _, began, start = min(found)
    return began, start


async def symbols(client: httpx.AsyncClient) -> tuple[list[str], list[str]]:
    """Options around the money: their streamer symbols, and trade symbols of some of SPY."""
    quoted = (
        await client.get("/market-data/by-type", params={"index": "SPX", "equity": "SPY", "future": "/ESU4"})
    ).json()
    money = {row["symbol"]: float(row["mark"]) for row in quoted["data"]["items"]}
    streamed: list[str] = []
    traded: list[str] = []
    for path, name in (
        ("/option-chains/SPX", "SPX"),
        ("/option-chains/SPY", "SPY"),
        ("/futures-option-chains/ES", "/ESU4"),
    ):
        data = (await client.get(f"{path}/nested")).json()["data"]
        items = data["option-chains"] if "option-chains" in data else data["items"]
        near = [row for item in items for e in item["expirations"][:SERIES] for row in e["strikes"]]
        near.sort(key=lambda row: abs(float(row["strike-price"]) - money[name]))
        for row in near[: POOL // 2]:
            streamed += [row["call-streamer-symbol"], row["put-streamer-symbol"]]
            traded += [row["put"]] if name == "SPY" else []
    return streamed, traded


async def watch(site: Site, token: str, names: Sequence[str], event: str, until: float) -> Counts:
    """One client of market data."""
    from adapters.tastytrade.transport import dial

    counts, moment = Counts(), "bidTime" if event == "Quote" else "time"
    wanted = [moment, "eventSymbol", "bidPrice", "askPrice", "delta", "volatility"]
    async with dial(site.said["dxlink"]) as end:
        for message in (
            {"type": "SETUP", "channel": 0, "version": "0.1", "keepaliveTimeout": 60, "acceptKeepaliveTimeout": 60},
            {"type": "AUTH", "channel": 0, "token": token},
            {"type": "CHANNEL_REQUEST", "channel": 1, "service": "FEED", "parameters": {"contract": "AUTO"}},
            {
                "type": "FEED_SETUP", "channel": 1, "acceptAggregationPeriod": PERIOD, "acceptDataFormat": "COMPACT",
                "acceptEventFields": {event: wanted},
            },
            {"type": "FEED_SUBSCRIPTION", "channel": 1, "add": [{"type": event, "symbol": s} for s in names]},
        ):  # fmt: skip
            await end.send(json.dumps(message))
        while time.perf_counter() < until:
            text = await end.receive()
            now = time.perf_counter()
            if '"FEED_DATA"' not in text or now < site.began + WARM:
                continue
            flat = json.loads(text)["data"][1]
            at = max(flat[0 :: len(wanted)]) * 1_000_000
            counts.ages.append(site.age(at, now))
            counts.minutes.add(at // MINUTE_NS)
            counts.rows += len(flat) // len(wanted)
    return counts


async def attend(site: Site, seen: set[int]) -> None:
    """The client of the account stream: the numbers of the orders it is told of."""
    from adapters.tastytrade.transport import Closed, dial

    async with dial(site.said["account_streamer"]) as end:
        connect = {"action": "connect", "value": [ACCOUNT], "auth-token": f"Bearer {site.token}"}
        await end.send(json.dumps(connect))
        try:
            await _orders(end, seen)
        except Closed:
            return


async def _orders(end: Transport, seen: set[int]) -> None:
    while True:
        told = json.loads(await end.receive())
        if told.get("type") == "Order":
            seen.add(told["data"]["id"])


def calls(traded: Sequence[str]) -> Iterator[tuple[str, str, Any]]:
    """Method, path and body of one REST call after another, as a client mixes them: every fifth is an order."""
    quotes = [f"/market-data/by-type?equity-option={','.join(traded[i : i + 20])}" for i in range(0, 200, 20)]
    pages = [f"{A}/balances", f"{A}/positions?include-marks=true", f"{A}/orders/live", "/api-quote-tokens"]
    others = ["/instruments/futures?product-code[]=ES", "/option-chains/SPY/nested", "/market-metrics?symbols=SPY"]
    asked = chain.from_iterable((*[q] * 2, p, o) for q, p, o in zip(cycle(quotes), cycle(pages), cycle(others)))
    for n, path in enumerate(asked):
        if n % 4 == 0:
            yield "POST", f"{A}/orders" if n % 8 else f"{A}/orders/dry-run", ORDER
        yield "GET", path, None


async def ask(
    client: httpx.AsyncClient, traded: Sequence[str], rate: float, until: float
) -> tuple[list[float], set[int]]:
    """A call every ``1 / rate`` seconds whether or not the ones before are answered: the seconds each took from when it
    was due, and the numbers of the orders placed."""
    took: list[float] = []
    placed: set[int] = set()

    async def one(due: float, method: str, path: str, body: Any) -> None:
        answer = await client.request(method, path, json=body)
        took.append(time.perf_counter() - due)
        if answer.status_code not in (200, 201):
            raise BenchError(f"{method} {path.partition('?')[0]}: {answer.status_code} {answer.text[:200]}")
        if method == "POST" and path.endswith("orders"):
            placed.add(answer.json()["data"]["order"]["id"])

    due = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for method, path, body in calls(traded):
            if due >= until:
                break
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            group.create_task(one(due, method, path, body))
            due += 1 / rate
    return took, placed


@dataclass(frozen=True, slots=True)
class Load:
    """How much, and for how long."""

    clients: int = 100
    symbols: int = 50
    seconds: float = 10.0
    requests: float = 50.0
    event: str = "Quote"


async def measure(load: Load) -> list[Bar]:
    async with running() as (site, client):
        names, traded = await symbols(client)
        token = (await client.get("/api-quote-tokens")).json()["data"]["token"]
        site = Site(site.said, site.token, *await _clock(client), site.process)
        until = site.began + WARM + load.seconds
        seen: set[int] = set()
        listening = asyncio.create_task(attend(site, seen))
        portions = [
            [names[(i * load.symbols + j) % len(names)] for j in range(load.symbols)] for i in range(load.clients)
        ]
        async with asyncio.TaskGroup() as group:
            watching = [group.create_task(watch(site, token, p, load.event, until)) for p in portions]
            await asyncio.sleep(WARM)
            before, at = site.cpu(), time.perf_counter()
            asking = group.create_task(ask(client, traded, load.requests, until))
        busy = (site.cpu() - before) / (time.perf_counter() - at)
        took, placed = asking.result()
        await asyncio.sleep(0.3)
        listening.cancel()
        counts = [task.result() for task in watching]
    first = (site.start + int(WARM * SPEED * 1e9)) // MINUTE_NS
    wanted = range(first + 2, first + int(load.seconds) - 1)
    return bars(load, counts, wanted, took, len(placed - seen), busy)


def bars(
    load: Load, counts: Sequence[Counts], wanted: range, took: Sequence[float], untold: int, busy: float
) -> list[Bar]:
    """``wanted``: the minutes that every client must have seen; ``untold``: orders the account stream did not tell of;
    ``busy``: the emulator's share of a core."""
    missed = sum(minute not in c.minutes for c in counts for minute in wanted)
    ages = quantiles([age for c in counts for age in c.ages], n=100)
    gets = quantiles(took, n=100)
    rate = sum(c.rows for c in counts) / load.seconds
    return [
        Bar(
            "emulator_missed", "emulator: updates and orders not told", missed + untold, 0.0,
            f"{missed} updates, {untold} orders", f"{len(counts)} clients x {len(wanted)} s x {load.symbols} symbols",
        ),
        Bar(
            "emulator_late", "emulator: age of an update at arrival, p99 to 1 s", ages[98], 1.0,
            f"p50 {ages[49]:.2f} s, p99 {ages[98]:.2f} s", f"aggregated over {PERIOD} s", samples={"age_s": ages},
        ),
        Bar(
            "emulator_rest", f"emulator: REST p99 to {SLOW} s", gets[98] / SLOW, 1.0,
            f"p50 {gets[49] * 1e3:,.1f} ms, p99 {gets[98] * 1e3:,.1f} ms",
            f"{len(took)} calls, {load.requests:.0f} a second", samples={"rest_s": gets},
        ),
        Bar(
            "emulator_cpu", "emulator: share of a core", busy, None if busy != busy else 1.0, f"{rate:,.0f} rows/s",
            f"{load.event}, a minute a second", samples={"busy": [busy]},
        ),
    ]  # fmt: skip


def loaded(seconds: float) -> list[Bar]:
    """The rows, measured in a process of their own: what it imports must not count as memory of those started later."""
    argv = (sys.executable, __file__, "--seconds", str(seconds), "--json")
    rows = json.loads(once(Command("the emulator's clients", argv)).out.splitlines()[-1])
    for row in rows:
        row["ratio"] = float("nan") if row["ratio"] is None else row["ratio"]
        del row["verdict"]
    return [Bar(**row) for row in rows]


def bench(load: Load) -> list[Bar]:
    """BenchError where the emulator or a client of it did not do its work."""
    import httpx

    from adapters.tastytrade.transport import Closed

    try:
        return asyncio.run(measure(load))
    except* (httpx.HTTPError, Closed, BenchError) as errors:
        raise BenchError(f"the emulator's clients: {errors.exceptions[0]!r}") from None


def main(argv: Sequence[str] | None = None) -> int:
    usual = Load()
    parser = argparse.ArgumentParser(description="The emulator under load.")
    parser.add_argument("--clients", type=int, default=usual.clients)
    parser.add_argument("--symbols", type=int, default=usual.symbols)
    parser.add_argument("--seconds", type=float, default=usual.seconds)
    parser.add_argument("--requests", type=float, default=usual.requests, help="REST calls a second")
    parser.add_argument("--event", choices=("Quote", "Greeks"), default=usual.event)
    parser.add_argument(
        "--json", action="store_true", help="the rows as one line, and exit 0 whether or not they are met"
    )
    asked = parser.parse_args(argv)
    try:
        found = bench(Load(asked.clients, asked.symbols, asked.seconds, asked.requests, asked.event))
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    if asked.json:
        print(json.dumps([bar.record() for bar in found]))
        return 0
    print(table(found))
    return 0 if all(bar.met for bar in found) else 1


if __name__ == "__main__":
    sys.exit(main())
