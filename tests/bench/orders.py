"""From a decision to the order on the wire: the broker over loopback, dry run off, median and tail.

    python tests/bench/orders.py [--orders 200]

The emulator is a process of its own on a port of this machine; it notes when its exchange is handed each order. Two
figures an order, from the call of ``submit``: until the request is handed to the network, and until the exchange on the
other side has it, parsed and routed. Both processes read the same clock. Exit 1 where the median of the second is
5 ms or more. Orders go out 16 a second: the broker's limit is 20.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.bars import Bar, median, table
from tests.bench.processes import ROOT, BenchError

TARGET_MS: Final = 5.0
PAUSE_S: Final = 0.0625
WARM: Final = 10
"""Orders that are not counted: the first ones make connections."""


async def serve() -> None:
    """The emulator, until its input ends; then one line with the arrivals."""
    from adapters.emulator.assembly import emulated
    from adapters.emulator.serve import Server
    from tests.contract.market import TEN, market
    from tests.margins import load
    from tests.wire.exchange_rig import fees

    made = emulated(market(), fees=fees(), margin=load(), start_ns=TEN)
    arrived: dict[str, float] = {}
    place = made.exchange.place

    def noted(account: str, body: Any) -> Any:
        arrived[body["external-identifier"]] = time.perf_counter()
        return place(account, body)

    made.exchange.place = noted  # type: ignore[method-assign]
    server = Server(made)

    def ready() -> None:
        told = {"rest": server.rest, "stream": server.account_streamer, "secret": made.doors.client_secret,
                "token": made.doors.refresh_token}  # fmt: skip
        print(json.dumps(told), flush=True)

    running = asyncio.create_task(server.run(ready=ready))
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.stop()
    await running
    print(json.dumps(arrived), flush=True)


async def send(told: dict[str, str], orders: int) -> tuple[dict[str, float], dict[str, float]]:
    """When each order was submitted, and seconds until it was handed to the network."""
    from adapters.tastytrade.credentials import Credentials
    from adapters.tastytrade.sandbox import Sandbox
    from adapters.tastytrade.wiring import Wiring
    from tests.contract.market import market, order
    from tests.wire.exchange_rig import fees

    handed: dict[str, float] = {}
    began: dict[str, float] = {}
    wiring = Wiring(
        fees=fees(), market=market(), credentials=lambda _: Credentials(told["secret"], told["token"]),
        timed=handed.__setitem__,
    )  # fmt: skip
    sandbox = Sandbox(quotes="market", dry_run=False, rest=told["rest"], account_streamer=told["stream"])
    # The market's quotes are of another day: an order goes out at its own limit.
    async with sandbox.connect(wiring, replace(sandbox.conduct, blind=True)) as live:
        for i in range(orders + WARM):
            made = order(f"o{i}", limit=500)
            began[made.id] = time.perf_counter()
            live.submit(made)
            await asyncio.sleep(PAUSE_S)
    return began, handed


def measured(orders: int) -> tuple[list[float], list[float]]:
    """Milliseconds by order: to the network, and to the exchange."""
    child = subprocess.Popen(
        [sys.executable, __file__, "--serve"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None, "its output is a pipe"
    try:
        line = child.stdout.readline()
        if not line:
            raise BenchError("the emulator did not start")
        began, handed = asyncio.run(send(json.loads(line), orders))
        out, _ = child.communicate(timeout=20)
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
    arrived = json.loads(out.splitlines()[-1])
    counted = [f"o{i}" for i in range(WARM, orders + WARM)]
    if lost := [each for each in counted if each not in arrived]:
        raise BenchError(f"{len(lost)} of {orders} orders did not arrive")
    return [1000 * handed[each] for each in counted], [1000 * (arrived[each] - began[each]) for each in counted]


def bars(orders: int) -> list[Bar]:
    """One row: ratio is the median in milliseconds to the bar of 5."""
    handed, arrived = measured(orders)
    tail = quantiles(arrived, n=100)
    return [
        Bar(
            "order_wire", "decision to order on the wire, of 5 ms", median(arrived) / TARGET_MS, 1.0,
            f"median {median(arrived):.2f} ms, 90 % {tail[89]:.2f}, 99 % {tail[98]:.2f}, worst {max(arrived):.2f}",
            f"{orders} orders over loopback; handed to the network after {median(handed):.2f} ms",
            samples={"arrived_ms": arrived, "handed_ms": handed},
        )
    ]  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="From a decision to the order on the wire, over loopback.")
    parser.add_argument("--orders", type=int, default=200)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args(argv)
    if asked.serve:
        asyncio.run(serve())
        return 0
    try:
        found = bars(asked.orders)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    print(table(found))
    return 0 if all(bar.met for bar in found) else 1


if __name__ == "__main__":
    sys.exit(main())
