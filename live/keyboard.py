"""What a person types into a running session by hand: fills, what he closed elsewhere, quotes, what the account holds,
the manual line.

Each is one answer in words; what does not fit is a ``UsageError`` or ``DataError`` of one line, and nothing changed.
Quotes are taken while the session stands in manual mode or nothing is heard of the market, and count as heard when they
were typed. Positions and the line are compared with the books and never put into them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from math import nan
from typing import Final

from adapters.tastytrade.orders.fills import Fee
from live.byhand import ByHand
from live.core import Core
from live.inputs import Elsewhere, Input, Prices, Sides, Spot, Tick
from live.manual import contract_label, find_contract, in_words, read_fill, read_quote, ticks_of
from live.typed import STRATEGIES, PositionSeen, read, read_line, read_positions, shown
from sim import closes
from sim.calendar import date_ny
from sim.ledger import OpenTrade
from sim.market.futures import front_month
from sim.market.products import future_symbol, is_future_root
from sim.model.errors import UsageError, similar
from sim.model.event import OrderFilled
from sim.model.exits import Condition, Side
from sim.model.fill import Fill
from sim.model.instrument import OptionContract
from sim.model.order import Order
from sim.rules.gate import closing

WORDS: Final = ("show", "fill", "closed", "quote", "positions", "line", "cancel")
MOST: Final = 60
"""Words of one command."""
SURE: Final = "sure"
CLOSED_FORM: Final = "wanted TRADE PRICE [credit|debit] [QUANTITY], or TRADE 5400P=3.10 5350P=1.85 [QUANTITY]"
BESIDE: Final = Condition("closed elsewhere by a person", Side.CLOCK, 0, cross=True)
FAR_TICKS: Final = 20
"""So far from the mid a typed price may always be; beyond it up to half of the mid."""
_HELD: Final = re.compile(r"[+-][1-9]\d{0,5}", re.ASCII)
_NOT_SURE: Final = f"nothing is booked; where it is so, say it again with `{SURE}` behind it"
_PART: Final = Decimal("0.01")
"""Of the account: what the typed value may be off."""


@dataclass(slots=True)
class Keyboard:
    """``fee`` as the broker's fills are charged, None where it is not known. ``put`` gives the session an input;
    ``late`` tells whether nothing is heard of the market, ``heard`` what was typed (``vix``, ``quotes``) and when."""

    core: Core
    hand: ByHand
    now: Callable[[], int]
    put: Callable[[Input], None]
    late: Callable[[], bool]
    heard: Callable[[str, int], None]
    fee: Fee | None
    agrees: Callable[[Collection[OptionContract]], bool] = lambda _: False
    """Whether the broker holds as much of these as the books, as far as anybody has read."""
    differences: list[str] = field(default_factory=list)
    """What was typed of the account against the books, as of the last time."""

    def type(self, what: str, words: Sequence[str]) -> str:
        """Carries out one command: its word, and what was typed behind it."""
        if len(words) > MOST:
            raise UsageError(f"{len(words)} words are too many, at most {MOST}")
        match what:
            case "show":
                return "\n\n".join(self.hand.shown()) or "no order is by hand"
            case "fill":
                return self.fill(words)
            case "closed":
                return self.closed(words)
            case "quote":
                return self.quote(words)
            case "positions":
                return self.positions(words)
            case "line":
                return self.line(words)
            case "cancel":
                return self.cancel(words)
        raise UsageError(f"manual has no word {shown(what)}{similar(what, WORDS)}: wanted {', '.join(WORDS)}")

    # -- orders -------------------------------------------------------------------------------------------------------

    def fill(self, words: Sequence[str]) -> str:
        hand, now, charged = self.hand, self.now(), self._charged()
        words, sure = _sure(words)
        self._elsewhere(words)
        done = {name: hand.done.get(name, 0) for name in hand.orders}
        fill = read_fill(words, hand.orders, now, self.core.column, charged, done=done, sides=hand.sides)
        if not sure and (apart := off_the_market(fill)):
            raise UsageError(f"{apart}: {_NOT_SURE}")
        order = hand.orders[fill.order_id]
        left = order.request.quantity - done[order.id] - fill.quantity
        hand.filled(OrderFilled(now, fill, left))
        return f"booked: {order.id} filled, {_came_to(fill, left)}"

    def closed(self, words: Sequence[str]) -> str:
        """What of a trade was closed elsewhere, without an order of this session: units of all its legs."""
        now, charged = self.now(), self._charged()
        words, sure = _sure(words)
        book = self._trade(words)
        order = self._would_close(book, now)
        if 0 < sum("=" in word for word in words) < len(order.request.legs):
            raise UsageError(f"of {order.id} one leg alone cannot be booked so: close the rest too, and price each leg")
        fill = read_fill(words, {order.id: order}, now, self.core.column, charged, sides=self.hand.sides)
        if not sure:
            if apart := off_the_market(fill):
                raise UsageError(f"{apart}: {_NOT_SURE}")
            if self.agrees([leg.contract for leg in fill.legs]):
                raise UsageError(
                    f"the broker holds as much of {order.id} as the books, as it was read last: {_NOT_SURE}"
                )
        # Of one trade there may be several: no two have the same number of fills before them.
        name = f"{order.id}-closed-{len(self.core.session.fills) + 1}"
        request = replace(order.request, quantity=fill.quantity)
        left = order.request.quantity - fill.quantity
        self.put(Elsewhere(now, Order.of(closing(request), name, now), replace(fill, order_id=name)))
        return f"booked: {order.id} closed elsewhere, {_came_to(fill, left)}"

    def _charged(self) -> Fee:
        """What a fill costs; UsageError where none can be booked now."""
        if self.fee is None:
            raise UsageError("no fees are known here: a fill cannot be booked")
        if self.core.day is None:
            raise UsageError("no trade date is open: a fill is booked while one is")
        return self.fee

    def _trade(self, words: Sequence[str]) -> OpenTrade:
        """The open trade that is named first."""
        if len(words) < 2:
            raise UsageError(CLOSED_FORM)
        held = self.core.session.engine.desk.ledger.open
        if words[0] not in held:
            known = ", ".join(held) or "none is"
            raise UsageError(f"trade {shown(words[0])} is not open{similar(words[0], held)}: {known}")
        mine = [o.id for o in self.hand.orders.values() if o.request.trade_id == words[0]]
        if mine:
            raise UsageError(
                f"{mine[0]} is by hand and closes it: tomking manual fill {mine[0]} PRICE, or cancel it first"
            )
        return held[words[0]]

    def _would_close(self, book: OpenTrade, now: int) -> Order:
        """An order for all that is left of a trade, which goes by the trade's own name."""
        request = closes.request(self.core.session.engine.desk, book.trade.id, BESIDE)
        if request is None:
            raise UsageError(f"of {book.trade.id} less than a unit of each leg is left: it cannot be booked so")
        return Order.of(closing(request), book.trade.id, now)

    def cancel(self, words: Sequence[str]) -> str:
        if len(words) != 1:
            raise UsageError("wanted the order that was taken back: tomking manual cancel ORDER")
        self._elsewhere(words)
        if words[0] not in self.hand.orders:
            known = ", ".join(self.hand.orders) or "none is"
            raise UsageError(f"order {shown(words[0])} is not by hand{similar(words[0], self.hand.orders)}: {known}")
        self.hand.back(words[0])
        return f"{words[0]} counts as cancelled; what filled of it before is booked"

    def _elsewhere(self, words: Sequence[str]) -> None:
        """Of an order at the broker nobody but the broker tells."""
        if words and words[0] not in self.hand.orders and any(o.id == words[0] for o in self.hand.inner.snapshot()):
            raise UsageError(
                f"order {words[0]} was sent to the broker: what became of it is read there when it answers again"
            )

    # -- quotes -------------------------------------------------------------------------------------------------------

    def quote(self, words: Sequence[str]) -> str:
        name, bid, ask = self._price(words)
        day, now = self.core.day, self.now()
        if day is None:
            raise UsageError("no trade date is open: quotes are taken while one is")
        if not self.hand.on() and not self.late():
            raise UsageError("the market is heard: a typed quote is taken in manual mode, or when the feed is silent")
        mid = float(bid + ask) / 2
        contract = None
        if name == "VIX":
            prices = Prices(now, vix=mid)
        elif name in self._underlyings():
            month = front_month(name, day) if is_future_root(name) else None
            futures = () if month is None else ((future_symbol(name, month.year, month.month), mid),)
            prices = Prices(now, (Spot(name, mid, float(bid), float(ask), nan),), futures)
        else:
            contract = self._contract(name)
            sides = Sides(contract, ticks_of(bid, contract.product), ticks_of(ask, contract.product))
            prices = Prices(now, quotes=(sides,))
        self.heard("vix" if name == "VIX" else "quotes", now)
        self.put(prices)
        # What it means for the exits is asked at once.
        self.put(Tick(now))
        said = f"{bid}" if bid == ask else f"{bid} {ask}"
        return f"{name if contract is None else contract_label(contract)} {said}, as of now"

    def _price(self, words: Sequence[str]) -> tuple[str, Decimal, Decimal]:
        """``ES 5412.25``, or a line as a search answers it: ``ES is currently trading at $5,412.25``."""
        text = " ".join(words)
        if " trading at " not in text:
            return read_quote(words)
        symbol, seen = read(text)
        if not symbol or seen.last is None:
            raise UsageError(f"{shown(text)} names no symbol: put one before it, like ES")
        return read_quote((symbol, str(seen.last)))

    def _underlyings(self) -> list[str]:
        return sorted({day.underlying for day in self.core.market.days().values()})

    def _contract(self, name: str) -> OptionContract:
        desk = self.core.session.engine.desk
        near = dict.fromkeys(c for c, n in desk.held().items() if n)
        near |= dict.fromkeys(leg.contract for o in desk.orders.values() for leg in o.request.legs)
        try:
            return find_contract(name, near)
        except UsageError:
            if not re.search(r"\d{6}[CP]", name):
                known = ", ".join([*self._underlyings(), "VIX"])
                raise UsageError(f"{shown(name)} is not looked at here: wanted {known}, or an option") from None
        listed = [
            contract
            for day in self.core.market.days().values()
            for series in day.series()
            if f"{series.expiration:%y%m%d}" in name
            for contract in day.contracts(series)
        ]
        return find_contract(name, listed)

    # -- what the account holds ---------------------------------------------------------------------------------------

    def positions(self, words: Sequence[str]) -> str:
        """``-1 240802P5400 +1 240802P5350``, or as in the manual line; ``none``."""
        if not words:
            raise UsageError('wanted positions: -1 240802P5400 +1 240802P5350, "ES LT112 (85 DTE, 6420, +5%)", or none')
        pairs = list(zip(words[::2], words[1::2], strict=False))
        if len(words) % 2 == 0 and all(_HELD.fullmatch(n) for n, _ in pairs):
            self.differences = self._contracts(pairs)
        else:
            self.differences = self._plays(read_positions(" ".join(words)))
        return self._compared()

    def line(self, words: Sequence[str]) -> str:
        """The manual line against the books."""
        text, now = " ".join(words), self.now()
        typed = read_line(text, self.core.day or date_ny(now))
        found = self._plays(typed.positions)
        desk = self.core.session.engine.desk
        if typed.currency and typed.currency != desk.ledger.currency:
            found.append(f"value: typed in {typed.currency}, the books are in {desk.ledger.currency}")
        elif self.core.day is not None:
            k = self.core.column(now)
            nlv, used, vix = desk.nlv(k), desk.account(k).bp_used, desk.last_vix()
            if abs(typed.nlv - nlv) > _PART * abs(nlv):
                found.append(f"value: typed {typed.nlv:,.0f}, ours {nlv:,.0f}")
            if typed.bp is not None and used is not None and nlv and abs(typed.bp - 100 * used / nlv) > 2:
                found.append(f"buying power: typed {typed.bp:f} %, ours {100 * used / nlv:.1f} %")
            if typed.vix is not None and vix == vix and abs(float(typed.vix) - vix) > 0.5:
                found.append(f"VIX: typed {typed.vix}, ours {vix:.2f}; tomking manual quote VIX {typed.vix}")
        age = (now - typed.ts) / 1e9
        if abs(age) > 300:
            found.append(f"date and time: it is of {abs(age) / 60:,.0f} minutes {'ago' if age > 0 else 'from now'}")
        self.differences = found
        return self._compared()

    def _compared(self) -> str:
        return "; ".join(self.differences) or "the books agree"

    def _contracts(self, pairs: Sequence[tuple[str, str]]) -> list[str]:
        ours = {c: n for c, n in self.core.session.engine.desk.held().items() if n}
        typed: dict[OptionContract, int] = {}
        out = []
        for number, name in pairs:
            try:
                contract = find_contract(name, ours)
            except UsageError:
                out.append(f"{shown(name)}: typed {int(number):+d}, ours +0")
                continue
            typed[contract] = typed.get(contract, 0) + int(number)
        for contract, n in ours.items():
            if typed.get(contract, 0) != n:
                out.append(f"{contract_label(contract)}: typed {typed.get(contract, 0):+d}, ours {n:+d}")
        return out

    def _plays(self, seen: Sequence[PositionSeen]) -> list[str]:
        """By play and underlying, as many as there are."""
        typed = Counter((each.strategy, each.underlying) for each in seen)
        ours = Counter(
            (_play(b.trade.strategy), b.trade.underlying) for b in self.core.session.engine.desk.ledger.open.values()
        )
        return [
            f"{underlying} {play}: typed {typed[play, underlying]}, ours {ours[play, underlying]}"
            for play, underlying in sorted(typed.keys() | ours.keys())
            if typed[play, underlying] != ours[play, underlying]
        ]


def _sure(words: Sequence[str]) -> tuple[Sequence[str], bool]:
    """The words without the last one where that says that he is sure, and whether it does."""
    said = bool(words) and words[-1].lower() == SURE
    return (words[:-1] if said else words), said


def _came_to(fill: Fill, left: int) -> str:
    price = in_words(Decimal(fill.net) * fill.legs[0].contract.product.increment)
    rest = f"; {left} are left" if left else ""
    return f"{fill.quantity} at {price}, fees {sum(leg.fee for leg in fill.legs):.2f}{rest}"


def off_the_market(fill: Fill) -> str:
    """What is odd about a typed price: it is far from the mid of now. Nothing where it is near, or no mid is known."""
    mids = [leg.mid2 for leg in fill.legs]
    if any(mid is None for mid in mids):
        return ""
    mid2 = -sum(leg.quantity // fill.quantity * (mid or 0) for leg, mid in zip(fill.legs, mids, strict=True))
    if abs(2 * fill.net - mid2) <= max(2 * FAR_TICKS, abs(mid2) // 2):
        return ""
    unit = fill.legs[0].contract.product.increment
    return f"{in_words(fill.net * unit)} is far from the market's {in_words(mid2 * unit / 2)}"


def _play(name: str) -> str:
    """What a person calls a strategy: the longest of the known plays that its name begins with."""
    fits = [play for play in STRATEGIES.values() if name.startswith(play)]
    return max(fits, key=len, default=name)
