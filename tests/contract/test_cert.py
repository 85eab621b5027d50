"""The contract in TastyTrade's own sandbox, for a user with keys: `make contract-cert`. It leaves nothing behind there.

Orders are of one contract and rest far from the market, so that they hold on any day and at any hour; what needs a fill
is left to the emulator. Nothing is fixed about the account but that the grant sees it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from adapters.tastytrade.sandbox import Sandbox
from adapters.tastytrade.symbols import contract_of
from adapters.tastytrade.wiring import Connected, Wiring
from sim.clock import WallClock
from sim.model.event import Event
from sim.model.instrument import OptionContract
from sim.model.order import Action, Approved, Intent, Leg, Order, OrderError, OrderRequest, TimeInForce
from tests.contract.rig import ids, kinds, reason
from tests.wire.exchange_rig import fees

PATIENCE_S = 60.0
FAR = 20_000
"""Ticks that nobody pays for an option far out of the money."""


@dataclass
class Cert:
    """A broker in the sandbox, one contract to trade, and what has happened."""

    live: Connected
    contract: OptionContract
    stem: str
    events: list[Event] = field(default_factory=list)

    def order(self, name: str, limit: int = FAR, action: Action = Action.SELL_TO_OPEN) -> Order:
        intent = Intent.OPEN if action.opening else Intent.CLOSE
        legs = (Leg(self.contract, 1, action),)
        request = OrderRequest("contract", legs, 1, limit, intent, "contract", TimeInForce.GTC)
        return Order.of(Approved(request), f"{self.stem}-{name}", 0)

    async def until(self, held: Callable[[], bool]) -> None:
        """Reads events until something holds."""
        async with asyncio.timeout(PATIENCE_S):
            while not held():
                self.events += await self.live.events()

    def told(self, order: Order) -> str:
        return " ".join(kinds(self.events, order.id))


async def put_of(live: Connected) -> OptionContract:
    """The lowest put of SPY that the sandbox lists a month or more ahead."""
    chains = await live.rest.instruments.nested_chain("SPY")
    found = [
        strike.put
        for chain in chains
        if chain.root_symbol == "SPY"
        for expiration in chain.expirations
        if (expiration.days_to_expiration or 0) >= 30
        for strike in expiration.strikes[:1]
    ]
    assert found, "the sandbox lists no SPY options a month ahead"
    return contract_of(found[0])


def in_the_sandbox(scenario: Callable[[Cert], Awaitable[None]]) -> None:
    async def main() -> None:
        sandbox = Sandbox(accept_delayed=True, dry_run=False)
        async with sandbox.connect(Wiring(fees())) as live:
            cert = Cert(live, await put_of(live), f"tomking{WallClock().now():x}")
            try:
                await scenario(cert)
            finally:
                for each in live.snapshot():
                    live.cancel(each.id)
                await cert.until(lambda: not live.snapshot())

    asyncio.run(main())


pytestmark = [pytest.mark.cert, pytest.mark.usefixtures("cert_credentials")]


def test_an_order_rests_is_listed_and_is_cancelled() -> None:
    async def scenario(c: Cert) -> None:
        made = c.order("a")
        c.live.submit(made)
        with pytest.raises(OrderError, match="submitted twice"):
            c.live.submit(made)
        await c.until(lambda: "accepted" in c.told(made))
        assert ids(c.live.snapshot()) == [made.id]
        c.live.cancel(made.id)
        await c.until(lambda: not c.live.snapshot())
        assert c.told(made) == "accepted cancelled"
        c.live.cancel(made.id)
        c.live.cancel("never seen")

    in_the_sandbox(scenario)


def test_one_order_takes_the_place_of_another() -> None:
    async def scenario(c: Cert) -> None:
        first, second = c.order("a"), c.order("b", FAR - 100)
        c.live.submit(first)
        await c.until(lambda: "accepted" in c.told(first))
        c.live.replace(first.id, second)
        await c.until(lambda: "cancelled" in c.told(first) and bool(c.told(second)))
        assert c.told(second).startswith("accepted")

    in_the_sandbox(scenario)


def test_a_close_of_what_is_not_held_never_opens() -> None:
    async def scenario(c: Cert) -> None:
        made = c.order("a", -1, Action.BUY_TO_CLOSE)
        c.live.submit(made)
        await c.until(lambda: "rejected" in c.told(made))
        assert reason(c.events, made.id)
        assert (await c.live.truth()).held(c.contract.symbol) == 0

    in_the_sandbox(scenario)


def test_its_quotes_are_late_and_say_so() -> None:
    async def scenario(c: Cert) -> None:
        assert c.live.notice in ("", "DELAYED 15 MIN")
        assert c.live.book.cash is not None

    in_the_sandbox(scenario)
