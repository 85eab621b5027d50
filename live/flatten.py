"""Closing at limits that walk to the market: a spread is never sent at market, and never left behind by one that moves.

A flatten begins at the mid. What has not filled after a while gives up half of the way that is left to the natural
price of now (sold at bids, bought at asks), then the rest of it; from there on it follows the natural price where that
moves away. Every step is an event of the session, and so is on disk before it goes out. The same is done for any other
close that crosses the spread, which begins at the natural price. While nobody hears the market nothing is made of what
it was: an order that works stays where it is, which is said.

Refuses to do: walk an order that opens, one that rests as a profit target, or one that nobody knows to work; and to
give away more than the natural price, whose cushion is the broker's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from live.core import Core
from sim.desk import Desk
from sim.ledger import OpenTrade
from sim.model.event import Event, Reprice, Standing
from sim.model.instrument import OptionContract
from sim.model.order import Intent, Order, Status
from sim.quotes import SpreadNow, spread_at

SECOND_NS: Final = 1_000_000_000
FLATTEN: Final = "flatten"
"""The reason of orders that a person's word has made."""


def quoted(
    core: Core, signed: Iterable[tuple[OptionContract, int]], now: int, *, closing: bool = True
) -> SpreadNow | None:
    """What a spread is quoted at now; ``signed`` contracts of one unit, bought positive. None where no day is open or a
    contract is not listed."""
    pairs, desk = list(signed), core.session.engine.desk
    if core.day is None or desk.book is None or not pairs:
        return None
    if core.dirty:
        core.market.roll(now)
        core.refresh()
    own = desk.day.days.get(pairs[0][0].underlying)
    k = -1 if own is None else min(core.column(now) - own.offset, own.day.minutes - 1)
    sides = None if k < 0 else desk.day.sides([contract for contract, _ in pairs], k)
    return None if sides is None else spread_at([n for _, n in pairs], sides, closing=closing)


def to_close(book: OpenTrade) -> list[tuple[OptionContract, int]]:
    """What closes one unit of what is left of a trade, bought positive."""
    return [(contract, -n // book.trade.quantity) for contract, n in book.left.items() if n]


def begins(core: Core, now: int) -> tuple[tuple[str, int], ...]:
    """The limits at which the orders of a flatten begin, by trade: the mid, on our side of a tick. A trade without a
    market is not named."""
    found = []
    for trade_id, book in core.session.engine.desk.ledger.open.items():
        market = quoted(core, to_close(book), now)
        if market is not None and market.marked and market.tradable:
            found.append((trade_id, max(-(-market.mid2 // 2), market.natural)))
    return tuple(found)


def closer(limit: int, natural: int) -> int | None:
    """The next limit on the way to the natural price, both net ticks, credit positive; None: the natural price."""
    half = (limit - natural) // 2
    return natural + half if half > 0 else None


def unsaid(line: str) -> None:
    """Nobody reads lines."""


@dataclass(slots=True)
class Walker:
    """``post`` hands an event to the runner. ``away`` tells whether a person places the orders at present. ``seconds``
    of the market that an order may work unfilled. ``say`` gets a line for a person."""

    core: Core
    post: Callable[[Event], None]
    away: Callable[[], bool]
    seconds: float = 10.0
    say: Callable[[str], None] = unsaid
    _blind: set[str] = field(default_factory=set)
    """Trades of which it was said that they have no market."""
    _sent_at: dict[str, int | None] = field(default_factory=dict)
    """The natural price when an order without a limit was first seen here."""
    _moved: dict[str, int] = field(default_factory=dict)
    """By trade: when its order was last given another limit."""

    def look(self, now: int) -> None:
        """Called again and again."""
        desk, standing = self.core.session.engine.desk, self.core.session.engine.standing
        crossing = [o for o in desk.orders.values() if _crosses(o)]
        if not crossing or self.core.day is None:
            self._sent_at.clear()
            self._moved.clear()
            self._blind.clear()
            return
        if self.away():
            return
        for order in crossing:
            if standing is Standing.HALTED and order.request.reason != FLATTEN:
                continue
            self._one(order, desk, now)

    def _one(self, order: Order, desk: Desk, now: int) -> None:
        request = order.request
        market = quoted(self.core, ((leg.contract, leg.signed) for leg in request.legs), now)
        natural = market.natural if market is not None and market.tradable else None
        if request.limit is None:
            self._sent_at.setdefault(order.id, natural)
        since = max(order.created_ns, self._moved.get(request.trade_id, 0))
        if order.status is not Status.LIVE or now - since < self.seconds * SECOND_NS:
            return
        if natural is None:
            self._unseen(order)
            return
        self._blind.discard(request.trade_id)
        if any(o.request.trade_id == request.trade_id and o.status is Status.NEW for o in desk.orders.values()):
            # Another is on its way to take its place.
            return
        if request.limit is None:
            before = self._sent_at[order.id]
            if before is not None and natural >= before:
                return
            limit, why = None, "the market has moved: at its natural price of now"
            self._sent_at[order.id] = natural
        else:
            limit = closer(request.limit, natural)
            why = "not filled: at the natural price" if limit is None else "not filled: half of the way that was left"
        self._moved[request.trade_id] = now
        self.post(Reprice(now, order.id, limit, why))

    def _unseen(self, order: Order) -> None:
        trade = order.request.trade_id
        if trade not in self._blind:
            self._blind.add(trade)
            self.say(f"{order.id}: no fresh market of {trade}: it stays where it is, and walks when it is quoted anew")


def _crosses(order: Order) -> bool:
    request = order.request
    return request.intent is Intent.CLOSE and request.cross and not request.resting
