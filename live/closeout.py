"""Closes what an account holds when no session runs: each group of an expiration as one order of up to four legs, at
limits that walk from the mid to the natural price. What works on those contracts is cancelled first: a target that a
session has left there would close them as well.

It knows contracts and no trades, so that it closes everything it is given. What it means to send is written down
first. Refuses to do: send an order at market, or without quotes of every leg; name a contract that is not an option.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from math import gcd
from typing import Final

from adapters.tastytrade.dealings import OPEN
from adapters.tastytrade.errors import NotFound, Unprocessable
from adapters.tastytrade.orders.bodies import OrderShapeError
from adapters.tastytrade.orders.shapes import WireOrder, read_order, squeezed
from adapters.tastytrade.symbols import wire_symbol
from adapters.tastytrade.wiring import Connected
from live.flatten import closer
from live.reconcile import holdings
from sim.model.errors import BrokerError
from sim.model.event import Event, OrderCancelled, OrderExpired, OrderFilled, OrderRejected
from sim.model.instrument import OptionContract
from sim.model.order import MAX_LEGS, Action, Intent, Leg, Order, OrderRequest
from sim.rules.gate import closing

CLEARINGS: Final = 30
"""Looks at the orders, a second apart."""


def groups(held: Mapping[OptionContract, int]) -> list[dict[OptionContract, int]]:
    """What is closed together: one product and expiration, puts and calls apart where they are more than four, and
    what is short before what is long."""
    out: list[dict[OptionContract, int]] = []
    ordered = sorted((c for c, n in held.items() if n), key=lambda c: (c.product.root, c.expiration, c.row_key))
    for _, alike in groupby(ordered, key=lambda c: (c.product.root, c.expiration)):
        one = list(alike)
        parts = [one] if len(one) <= MAX_LEGS else [[c for c in one if c.is_call is call] for call in (False, True)]
        for part in parts:
            shorts_first = sorted(part, key=lambda c: held[c] > 0)
            chunks = range(0, len(shorts_first), MAX_LEGS)
            out += [{c: held[c] for c in shorts_first[i : i + MAX_LEGS]} for i in chunks]
    return out


def request_of(held: Mapping[OptionContract, int], limit: int | None) -> OrderRequest:
    """The order that closes a group."""
    units = gcd(*held.values())
    legs = tuple(
        Leg(c, abs(n) // units, Action.BUY_TO_CLOSE if n < 0 else Action.SELL_TO_CLOSE) for c, n in held.items()
    )
    return OrderRequest("account", legs, units, limit, Intent.CLOSE, "flatten", trade_id="account", cross=True)


@dataclass(slots=True)
class _Group:
    """``left`` of what was held; ``order`` works, or takes the place of ``before``; ``natural`` when it was priced."""

    left: dict[OptionContract, int]
    order: Order | None = None
    before: Order | None = None
    natural: int = 0
    sent_ns: int = 0
    tries: int = 0


@dataclass(slots=True)
class Closeout:
    """``live`` is started. ``key`` makes ids unique; ``keep`` writes a line down before anything goes out. ``seconds``
    an order may work unfilled; ``patience`` in which all must be closed."""

    live: Connected
    key: str
    now: Callable[[], int]
    pause: Callable[[float], Awaitable[None]]
    keep: Callable[[str], None]
    say: Callable[[str], None]
    seconds: float = 10.0
    patience: float = 300.0
    _groups: list[_Group] = field(default_factory=list)
    _sent: int = 0

    async def working(self, held: Mapping[OptionContract, int]) -> tuple[list[WireOrder], list[WireOrder]]:
        """Orders of the account, whoever's, that work on what is held, and others that would open options. BrokerError
        where they cannot be read."""
        names = {squeezed(wire_symbol(contract)) for contract in held}
        found, opening = list[WireOrder](), list[WireOrder]()
        for raw in await self.live.rest.orders.listed(self.live.broker.account, OPEN):
            if not isinstance(raw, Mapping):
                raise OrderShapeError("the list of orders has one that cannot be read: nothing is closed")
            order = read_order(raw)
            if any(leg.key in names for leg in order.legs):
                found.append(order)
            elif any(leg.option and leg.action.endswith("Open") for leg in order.legs):
                opening.append(order)
        return found, opening

    async def clear(self, held: Mapping[OptionContract, int]) -> None:
        """Cancels both. BrokerError where the first work on after half a minute: then nothing is closed."""
        rest, account = self.live.rest, self.live.broker.account
        for n in range(CLEARINGS):
            works, opening = await self.working(held)
            if not works and (n or not opening):
                break
            both = [*works, *opening]
            for name in dict.fromkeys(order.complex_id or order.id for order in both if n % 10 == 0):
                whole = any(order.complex_id == name for order in both)
                self.keep(f"cancel {'complex order' if whole else 'order'} {name}")
                with suppress(Unprocessable, NotFound):  # over meanwhile, or on its way: the next reading says which
                    await (rest.complex_orders if whole else rest.orders).cancel(account, name)
            await self.pause(1.0)
        if works:
            raise BrokerError(
                f"{len(works)} orders that work on what is held could not be cancelled: nothing was closed"
            )
        for order in opening:
            self.say(f"order {order.complex_id or order.id}, which would open more, is not cancelled yet: look at it")

    async def run(self, held: Mapping[OptionContract, int]) -> dict[OptionContract, int]:
        """Closes it; what is left where it could not. BrokerError where what works on it cannot be cancelled."""
        await self.clear(held)
        held = {c: n for c, n in holdings(await self.live.truth()).options.items() if c in held}
        self._groups = [_Group(each) for each in groups(held)]
        self.live.quotes.watch(list(held))
        until = self.now() + int(self.patience * 1e9)
        reading = asyncio.ensure_future(self._read())
        try:
            while any(self._open(each) for each in self._groups) and self.now() < until:
                for group in self._groups:
                    if self._open(group):
                        self._turn(group)
                await self.pause(0.5)
                if reading.done():
                    reading.result()
            for group in self._groups:
                if group.order is not None:
                    self.live.cancel(group.order.id)
                    self.say(f"{group.order.id} has not filled: it is being cancelled")
            await self.pause(2.0)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        return {c: n for group in self._groups for c, n in group.left.items() if n}

    @staticmethod
    def _open(group: _Group) -> bool:
        return any(group.left.values()) and group.tries < 3

    def _turn(self, group: _Group) -> None:
        market = self._market(group.left)
        if market is None:
            return
        natural, mid = market
        if group.order is None:
            self._send(group, max(mid, natural), natural)
        elif self.now() - group.sent_ns >= self.seconds * 1e9:
            limit = group.order.request.limit
            if limit is None and natural >= group.natural:
                return
            self._send(group, None if limit is None else closer(limit, natural), natural)

    def _send(self, group: _Group, limit: int | None, natural: int) -> None:
        self._sent += 1
        request = request_of(group.left, limit)
        order = Order.of(closing(request), f"{self.key}-flatten-{self._sent:03d}", self.now())
        at = "the natural price" if limit is None else f"{limit * request.legs[0].contract.product.increment}"
        self.keep(f"{order.id}: close {request.quantity} x {request.describe()} at {at}")
        self.say(f"{order.id}: close {request.quantity} x {request.describe()} at {at}")
        if group.order is None:
            self.live.submit(order)
        else:
            self.live.replace(group.order.id, order)
        group.order, group.before, group.natural, group.sent_ns = order, group.order, natural, self.now()

    def _market(self, held: Mapping[OptionContract, int]) -> tuple[int, int] | None:
        """Natural price and mid of one unit, net ticks, credit positive; None where a side is missing."""
        units, natural, mid2 = gcd(*held.values()), 0, 0
        for contract, n in held.items():
            seen = self.live.quotes.quote(contract)
            if seen is None or seen.ask is None or (seen.bid is None and n < 0):
                return None
            step = contract.product.increment
            bid, ask = int((seen.bid or 0) / step), -int(-seen.ask / step)
            natural += n // units * (bid if n > 0 else ask)
            mid2 += n // units * (bid + ask)
        return natural, -(-mid2 // 2)

    async def _read(self) -> None:
        while True:
            for event in await self.live.events():
                self._hear(event)

    def _hear(self, event: Event) -> None:
        name = event.fill.order_id if isinstance(event, OrderFilled) else str(getattr(event, "order_id", ""))
        group = next((g for g in self._groups if g.order is not None and g.order.id == name), None)
        match event:
            case OrderFilled(_, fill, left):
                self.keep(f"{name} filled {fill.quantity}, {left} left")
                owner = group or self._holder(fill.legs[0].contract)
                for leg in fill.legs:
                    owner.left[leg.contract] += leg.quantity
                if group is not None and not left:
                    group.order = group.before = None
            case OrderCancelled() | OrderExpired() | OrderRejected() if group is not None:
                self.keep(f"{name} ended: {getattr(event, 'reason', type(event).__name__)}")
                if isinstance(event, OrderRejected):
                    group.tries += 1
                    self.say(f"{name} was refused: {event.reason}")
                # Where its replacement was refused the one before works on.
                working = {order.id for order in self.live.snapshot()}
                before, group.before = group.before, None
                group.order = before if before is not None and before.id in working else None
            case _:
                pass

    def _holder(self, contract: OptionContract) -> _Group:
        return next(group for group in self._groups if contract in group.left)


def described(held: Mapping[OptionContract, int]) -> Sequence[str]:
    """What would be sent, one line an order."""
    return [f"{r.quantity} x {r.describe()}" for r in (request_of(each, None) for each in groups(held))]
