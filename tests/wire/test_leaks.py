"""Nothing that was ever written holds a secret: a session over real sockets, every logger at its most talkative."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.emulator.emulator import Emulator
from adapters.emulator.faults import Aim, Fault, Kind
from adapters.emulator.serve import Server
from adapters.tastytrade.credentials import Credentials
from adapters.tastytrade.sandbox import Sandbox
from adapters.tastytrade.sender import Conduct
from adapters.tastytrade.symbols import contract_of
from adapters.tastytrade.wiring import Connected, Wiring
from sim.clock import stopwatch
from sim.model.event import Event, OrderAccepted, OrderCancelled, OrderFilled, OrderInDoubt, OrderRejected
from sim.model.instrument import OptionContract
from sim.model.order import Action, Intent, Leg, Order, OrderRequest, Status
from tests.wire.emulated import ACCOUNT, emulator, sample, served
from tests.wire.exchange_rig import fees

QUICK = Conduct(dry_run=True, reads=(0.05, 0.05), busy=1.0, step=0.05, audit=0.1)


def put() -> OptionContract:
    products = {product.root: product for product in sample().products()}
    return contract_of("SPY   240719P00540000", lambda root: products[root])


def order(name: str, limit: int) -> Order:
    leg = Leg(put(), 1, Action.BUY_TO_OPEN)
    return Order(name, OrderRequest("mine", (leg,), 1, -limit, Intent.OPEN, "entry"), Status.NEW, 0)


async def until(found: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not found():
            await asyncio.sleep(0.02)


async def talk(live: Connected, made: Emulator, events: list[Event], said: list[str]) -> None:
    """Fills, a cancel, quotes, a refusal, an answer that never comes, broken streams."""

    def over(kind: type[Event], name: str) -> Callable[[], bool]:
        return lambda: any(isinstance(e, kind) and name in str(e) for e in events)

    live.quotes.watch([put()])
    await until(lambda: live.quotes.quote(put()) is not None)
    live.submit(order("fills", 2_000))
    await until(over(OrderFilled, "fills"))
    live.submit(order("rests", 1))
    await until(over(OrderAccepted, "rests"))
    live.cancel("rests")
    await until(over(OrderCancelled, "rests"))
    made.faults.add(Fault(Kind.CUT, "POST", f"/accounts/{ACCOUNT}/orders", Aim(1, 1)))
    live.submit(order("cut", 1))
    await until(over(OrderAccepted, "cut"))
    made.faults.add(Fault(Kind.HTML, "POST", "*/dry-run", Aim(1, 9)))
    live.submit(order("refused", 1))
    await until(over(OrderRejected, "refused"))
    made.doors.expire()
    made.streams.restart("account")
    await until(lambda: any("connecting again" in line for line in said))
    await until(lambda: not live.broker.stale)


def test_no_secret_and_no_account_is_in_anything_that_was_written(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.DEBUG)
    made = emulator(hands=stopwatch, sleep=asyncio.sleep)
    said, events, secrets = list[str](), list[Event](), list[str]()
    keys = Credentials(made.doors.client_secret, made.doors.refresh_token)

    async def use(server: Server) -> None:
        wiring = Wiring(fees(), credentials=lambda _: keys, say=said.append)
        chosen = Sandbox(account=ACCOUNT, rest=server.rest, account_streamer=server.account_streamer)
        async with chosen.connect(wiring, QUICK) as live:
            secrets.append((await live.rest.accounts.quote_token()).token)
            secrets.extend(live._auth.secrets())

            async def read() -> None:
                while True:
                    events.extend(await live.events())

            reader = asyncio.create_task(read())
            try:
                await talk(live, made, events, said)
            finally:
                reader.cancel()
            secrets.extend(live._auth.secrets())

    served(made, use)
    out = capfd.readouterr()
    files = [each.read_text("utf-8", "replace") for each in tmp_path.rglob("*") if each.is_file()]
    reasons = [event.reason for event in events if isinstance(event, OrderRejected | OrderInDoubt)]
    written = "\n".join([caplog.text, *said, *reasons, *files, out.out, out.err])
    assert "httpcore" in caplog.text, "somebody writes at this level, or an empty log would prove nothing"
    secrets += [made.doors.client_secret, made.doors.refresh_token, ACCOUNT, "Bearer "]
    assert len(set(secrets)) >= 6, "two access tokens, a quote token, both credentials, the account"
    for secret in secrets:
        assert secret not in written
        assert secret[:12] not in written or secret in (ACCOUNT, "Bearer ")
