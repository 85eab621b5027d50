"""The rig of TastyTrade's own sandbox: what it says of it, which account it takes, and how it leaves it.

The cases that run there are in ``test_every_broker`` and ``test_on_the_wire``: `make contract-cert` runs them with the
user's keys, and the suite runs them at an emulator on loopback.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from adapters.emulator.emulator import Emulator
from adapters.emulator.exchange.exchange import Exchange
from adapters.emulator.streams.stream_faults import FaultKind, StreamFault
from adapters.tastytrade.sandbox import DELAYED, Sandbox
from adapters.tastytrade.sites import SANDBOX
from sim.model.errors import BrokerError
from tests.contract.cert import ACCOUNT, Cert, at, emulator, real, rehearsal
from tests.contract.market import P90, P95, P100, buy, sell
from tests.contract.rig import CERT, REHEARSED, kinds_of_broker, played


def exchange(made: Emulator) -> Exchange:
    assert isinstance(made.exchange, Exchange)
    return made.exchange


@kinds_of_broker(REHEARSED, CERT)
def test_its_quotes_are_late_and_say_so(name: str) -> None:
    async def scenario(c: Cert) -> None:
        assert c.live.notice == DELAYED or (name == CERT and not c.live.notice)
        assert c.book.cash is not None

    played(name, scenario)


def test_it_goes_to_the_sandbox_and_an_account_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ACCOUNT, raising=False)
    assert real().account is None
    monkeypatch.setenv(ACCOUNT, " 5WT00007 ")
    assert real().account == "5WT00007"
    assert Sandbox(**real().at).site == SANDBOX


def test_one_of_several_accounts_has_to_be_named() -> None:
    async def main() -> None:
        async with rehearsal() as place, at(Cert("several", replace(place, account=None))):
            raise AssertionError("it started")

    with pytest.raises(BrokerError, match="sees 2 open accounts") as error:
        asyncio.run(main())
    assert any(ACCOUNT in note for note in error.value.__notes__)


@pytest.mark.parametrize("fails", [False, True])
def test_it_leaves_an_account_as_it_found_it(fails: bool) -> None:
    made = emulator()

    async def main() -> None:
        async with rehearsal(made) as place, at(Cert("leaving", place)) as c:
            spread = c.ground.order("a", sell(P100), buy(P95), limit=c.ground.spread, quantity=2)
            rests = c.ground.order("b", limit=c.ground.rests)
            for each in (spread, rests):
                c.live.submit(each)
            await c.until(spread, "accepted filled")
            await c.until(rests, "accepted")
            await c.holds({P100: -2, P95: 2})
            assert len(exchange(made).positions("5WT00002")) == 2
            assert not fails, "as a case would"

    if fails:
        with pytest.raises(AssertionError, match="as a case would"):
            asyncio.run(main())
    else:
        asyncio.run(main())
    assert not exchange(made).positions("5WT00002")
    statuses = {order["status"] for order in exchange(made).list("5WT00002", {}).items}
    assert statuses == {"Filled", "Cancelled"}


def test_where_no_quotes_come_it_trades_what_needs_none() -> None:
    made = emulator()
    made.stream_faults["dxlink"].add(StreamFault(FaultKind.SILENT))

    async def main() -> None:
        async with rehearsal(made) as place, at(Cert("silent", replace(place, patience=0.6))) as c:
            assert (c.ground.puts, c.ground.trades) == ((P100, P95, P90), 1)
            a = c.ground.order("a", limit=c.ground.rests)
            c.live.submit(a)
            await c.until(a, "accepted")

    asyncio.run(main())
