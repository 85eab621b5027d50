"""What was traded and what it came to: cash, open trades, closed trades. Every amount is conserved, and checked.

Flows are in product currency and turn into account currency on the day they happen, at the rate dated before that day:
cash in account currency = starting cash + all converted flows, always. A trade's profit is the sum of its own flows.
Nothing here marks a position: prices come from outside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Final

from sim.model.book import Holding, Trade
from sim.model.errors import TomkingError
from sim.model.fill import Fill, Outcome, SettledLeg, Settlement
from sim.model.instrument import OptionContract
from sim.model.order import Intent, Order, OrderRequest
from sim.model.quick import quick

ZERO: Final = Decimal(0)
TOLERANCE: Final = Decimal("0.000001")
"""What 28 digits of division may leave over in a run of any length."""


class LedgerError(TomkingError):
    """The books do not balance, or a fill belongs to nothing. A fault of this program: stop and look."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Rate:
    """Product currency per unit of account currency, and the date it is of (None where both are the same)."""

    fx: Decimal
    dated: date | None


RateOf = Callable[[date], Rate]


@quick
@dataclass(frozen=True, slots=True)
class ClosedTrade:
    """One row of ``trades.parquet``. Money in account currency; credit and debit in points of one unit."""

    trade: Trade
    closed_ns: int
    exit_reason: str
    debit: Decimal
    gross: Decimal
    fees: Decimal
    slippage: Decimal
    mae: Decimal
    mfe: Decimal
    mae_ns: int
    mfe_ns: int
    regime: str
    assumed_zero: int
    premium: Decimal
    """Account currency received at the opening (negative: paid)."""

    @property
    def net(self) -> Decimal:
        return self.gross - self.fees


@dataclass(slots=True)
class OpenTrade:
    """A trade while it lives: what is left of each leg and what has flowed so far, in account currency."""

    trade: Trade
    regime: str
    left: dict[OptionContract, int]
    opened_k: int
    """Column of the fill in the day it was opened."""
    mark2: int
    """Twice the last trusted cost of buying a unit back, in ticks; the entry price until a quote is trusted."""
    gross: Decimal = ZERO
    premium: Decimal = ZERO
    fees: Decimal = ZERO
    slippage: Decimal = ZERO
    debit_ticks: int = 0
    paid2: int = 0
    """Twice what ending parts of it has cost so far, by orders and settlements, in ticks of one unit."""
    assumed_zero: int = 0
    mae: Decimal = ZERO
    mfe: Decimal = ZERO
    mae_ns: int = 0
    mfe_ns: int = 0
    last_reason: str = ""
    outcomes: set[str] = field(default_factory=set)

    def pay(self, ticks2: int) -> None:
        """A part has ended at this cost. What is left is marked without it, until it is marked anew."""
        self.paid2 += ticks2
        self.mark2 -= ticks2

    @property
    def remaining(self) -> Trade:
        """The trade with the legs that are left of it."""
        if all(self.left.values()):
            return self.trade
        return replace(self.trade, legs=tuple(leg for leg in self.trade.legs if self.left[leg.contract]))


class Ledger:
    """The book. Apply fills and settlements; read cash, open and closed trades."""

    __slots__ = (
        "_checked",
        "_moved",
        "_parts",
        "_settled_net",
        "cash",
        "closed",
        "currency",
        "open",
        "rate_of",
        "start_cash",
    )

    def __init__(self, currency: str, cash: Decimal, rate_of: RateOf) -> None:
        self.currency = currency
        self.start_cash = cash
        self.cash = cash
        self.rate_of = rate_of
        self.open: dict[str, OpenTrade] = {}
        self.closed: list[ClosedTrade] = []
        self._moved = ZERO
        self._settled_net = ZERO
        self._checked = 0
        self._parts: dict[str, int] = {}

    def _begin(self, book: OpenTrade) -> None:
        """Oldest first; trades of one instant by their names, in whatever order their fills were told."""
        trade, last = book.trade, next(reversed(self.open.values()), None)
        self.open[trade.id] = book
        if last is not None and (last.trade.opened_ns, last.trade.id) > (trade.opened_ns, trade.id):
            ordered = sorted(self.open.items(), key=lambda item: (item[1].trade.opened_ns, item[0]))
            self.open.clear()
            self.open.update(ordered)

    def apply_fill(self, fill: Fill, order: Order, session: date, trade_id: str, regime: str) -> OpenTrade:
        """Books every leg of the fill and returns the trade it went to: it opens one or reduces the one that
        ``trade_id`` names.

        Parts of one opening order are one trade where its average prices are whole ticks, else each is a trade of its
        own, ``trade_id/2`` and so on. A part that closes fewer units than the trade has takes those out of it as such a
        trade, which ends there; the trade goes on with the others.
        """
        request = order.request
        if request.intent is Intent.OPEN:
            book = self._opened(fill, request, session, trade_id, regime)
        else:
            found = self.open.get(trade_id)
            if found is None:
                raise LedgerError(f"fill of order {order.id} closes trade {trade_id!r}, which is not open")
            book = self._split(found, fill.quantity) if _some_units(found, fill) else found
            book.debit_ticks -= fill.net
            book.pay(-2 * fill.net)
            book.last_reason = _reason(request, fill)
            for leg in fill.legs:
                held = book.left[leg.contract]
                left = held + leg.quantity
                if left * held < 0 or abs(left) > abs(held):
                    raise LedgerError(
                        f"fill of order {order.id} closes more {leg.contract.label} than trade {trade_id} holds"
                    )
                book.left[leg.contract] = left
        self._flow(fill, book, session)
        if request.intent is Intent.OPEN:
            book.premium = book.gross
        return book

    def _opened(self, fill: Fill, request: OrderRequest, session: date, trade_id: str, regime: str) -> OpenTrade:
        """The trade that an opening fill begins, or the one that an earlier part of the same order began."""
        if trade_id in self._parts:
            first = self.open.get(trade_id)
            whole = None if first is None else _together(first, fill)
            if first is not None and whole is not None:
                if first.mark2 == 2 * first.trade.credit:
                    first.mark2 = 2 * whole.credit
                first.trade, first.left = whole, {h.contract: h.quantity for h in whole.legs}
                return first
            trade_id = self._part_of(trade_id)
        self._parts.setdefault(trade_id, 1)
        legs = tuple(Holding(leg.contract, leg.quantity, leg.price) for leg in fill.legs)
        trade = Trade(
            trade_id, request.strategy, request.structure, request.underlying, legs, fill.quantity, fill.net,
            fill.ts, session, request.exits,
        )  # fmt: skip
        book = OpenTrade(trade, regime, {h.contract: h.quantity for h in legs}, fill.k, 2 * fill.net)
        book.mae_ns = book.mfe_ns = fill.ts
        self._begin(book)
        return book

    def _part_of(self, trade_id: str) -> str:
        """The next name of a part: a part's own parts are numbered with those of the whole."""
        first = trade_id.partition("/")[0]
        self._parts[first] = number = self._parts[first] + 1
        return f"{first}/{number}"

    def _split(self, book: OpenTrade, units: int) -> OpenTrade:
        """Takes ``units`` out of an open trade as a trade of their own. What has flowed is shared out to the last
        digit: the rest keeps what the part does not get."""
        trade = book.trade
        share = Decimal(units) / trade.quantity
        part = replace(
            book,
            trade=_resized(trade, units, self._part_of(trade.id)),
            left={contract: n * units // trade.quantity for contract, n in book.left.items()},
            assumed_zero=0,
            outcomes=set(book.outcomes),
            **{name: getattr(book, name) * share for name in _SHARED},
        )
        book.trade = _resized(trade, trade.quantity - units, trade.id)
        book.left = {contract: n - part.left[contract] for contract, n in book.left.items()}
        for name in _SHARED:
            setattr(book, name, getattr(book, name) - getattr(part, name))
        self._begin(part)
        return part

    def _flow(self, fill: Fill, book: OpenTrade, session: date) -> None:
        fx = self.rate_of(session).fx
        # Whole ticks: all legs of an order have one tick value.
        value = fill.legs[0].contract.product.tick_value
        paid = slip2 = 0
        fees = ZERO
        for leg in fill.legs:
            paid += leg.quantity * leg.price
            fees += leg.fee
            if leg.mid2 is not None:
                slip2 += leg.quantity * (2 * leg.price - leg.mid2)
            if leg.assumed_zero:
                book.assumed_zero += 1
        self._move(book, -paid * value / fx, fees / fx)
        book.slippage += slip2 * value / 2 / fx

    def _move(self, book: OpenTrade, gross: Decimal, fees: Decimal) -> None:
        net = gross - fees
        book.gross += gross
        book.fees += fees
        self.cash += net
        self._moved += net

    def ending(self, settlement: Settlement) -> list[tuple[SettledLeg, OpenTrade, int, Decimal]]:
        """Which contracts of which trades a settlement ends, signed, and what that is charged; nothing is booked. A
        fee of so many contracts is charged once, of all that are held once a trade."""
        out: list[tuple[SettledLeg, OpenTrade, int, Decimal]] = []
        gone: dict[tuple[str, OptionContract], int] = {}
        for leg in settlement.legs:
            most, fee = leg.quantity, leg.fee
            for book in self.open.values():
                key = (book.trade.id, leg.contract)
                held = book.left.get(leg.contract, 0) - gone.get(key, 0)
                if not held or most == 0 or (settlement.early and held > 0):
                    continue
                if most is not None:
                    held = max(held, -most) if held < 0 else min(held, most)
                    most -= abs(held)
                gone[key] = gone.get(key, 0) + held
                out.append((leg, book, held, ZERO if leg.outcome(held) is Outcome.EXPIRED else fee))
                if most is not None:
                    fee = ZERO
        return out

    def apply_settlement(self, settlement: Settlement, session: date) -> None:
        """Pays out every leg of the series at its one price. An early end of some contracts of a trade is one of as
        many of its units, which go on as a trade of their own without that leg."""
        fx = self.rate_of(session).fx
        for leg, whole, ended, fee in self.ending(settlement):
            outcome = leg.outcome(ended)
            parts = self._units_of(whole, leg.contract, ended) if settlement.early else [(whole, ended)]
            for book, held in parts:
                self._move(book, leg.unit_cash * held / fx, fee / fx)
                fee = ZERO
                paid_out = leg.unit_cash * held / leg.contract.product.tick_value / book.trade.quantity
                book.pay(-round(2 * paid_out))
                book.left[leg.contract] -= held
                book.outcomes.add(outcome.value)

    def _units_of(self, book: OpenTrade, contract: OptionContract, ended: int) -> list[tuple[OpenTrade, int]]:
        """The units of a trade that ``ended`` contracts (signed) belong to, as trades, and how many of each: whole
        units, and one more for what is left over."""
        units = book.trade.quantity
        if any(n % units for n in book.left.values()):
            return [(book, ended)]
        each = abs(book.left[contract]) // units
        full, rest = divmod(abs(ended), each)
        sign = -1 if ended < 0 else 1
        out = []
        for count, n in ((full, full * each), (min(rest, 1), rest)):
            if count:
                out.append((book if count == book.trade.quantity else self._split(book, count), sign * n))
        return out

    def close_if_flat(self, trade_id: str, ts: int) -> ClosedTrade | None:
        """Moves the trade to the closed ones when nothing of it is left."""
        book = self.open.get(trade_id)
        if book is None or any(book.left.values()):
            return None
        del self.open[trade_id]
        increment = book.trade.legs[0].contract.product.increment
        # A part that was closed before the rest expired is half of the answer.
        ends = [book.last_reason] if book.last_reason else []
        reason = "+".join([*ends, *sorted(book.outcomes)])
        net = book.gross - book.fees
        closed = ClosedTrade(
            book.trade, ts, reason, book.debit_ticks * increment, book.gross, book.fees, book.slippage,
            min(book.mae, net), max(book.mfe, net), book.mae_ns if book.mae <= net else ts,
            book.mfe_ns if book.mfe >= net else ts, book.regime, book.assumed_zero, book.premium,
        )  # fmt: skip
        self.closed.append(closed)
        return closed

    def check(self) -> None:
        """Conservation: cash is the start plus every flow, and the flows are those of the trades. LedgerError if not.

        Trades that closed before the last check were summed then, so that a long run is not summed again every day.
        """
        self._settled_net += sum((t.net for t in self.closed[self._checked :]), ZERO)
        self._checked = len(self.closed)
        flows = self._settled_net + sum((b.gross - b.fees for b in self.open.values()), ZERO)
        drift = max(abs(self.cash - self.start_cash - self._moved), abs(flows - self._moved))
        if drift > TOLERANCE:
            raise LedgerError(
                f"the books do not balance by {drift}: cash {self.cash}, flows {self._moved}, trades {flows}"
            )


_SHARED: Final = ("gross", "premium", "fees", "slippage", "mae", "mfe")
"""Money of an open trade, which its units share."""


def _resized(trade: Trade, units: int, name: str) -> Trade:
    """The same trade with so many units."""
    legs = tuple(replace(leg, quantity=leg.quantity // trade.quantity * units) for leg in trade.legs)
    return replace(trade, id=name, legs=legs, quantity=units)


def _some_units(book: OpenTrade, fill: Fill) -> bool:
    """Whether the fill closes some of the trade's units and leaves others as they are."""
    units, held = fill.quantity, book.trade.quantity
    return (
        units < held
        and all(n * units % held == 0 for n in book.left.values())
        and all(abs(leg.quantity) * held == abs(book.left.get(leg.contract, 0)) * units for leg in fill.legs)
    )


def _reason(request: OrderRequest, fill: Fill) -> str:
    """Why an order has closed: a stop beside a target it is where the target's own limit was not reached."""
    stop, limit = request.stop, request.limit
    return request.reason if stop is None or limit is None or fill.net >= limit else stop.reason


def _together(book: OpenTrade, fill: Fill) -> Trade | None:
    """The trade with one more part of the order that opened it, at average prices. None where those are no whole ticks,
    or where something of the trade has ended already."""
    trade, units = book.trade, book.trade.quantity + fill.quantity
    if any(book.left[leg.contract] != leg.quantity for leg in trade.legs):
        return None
    legs = []
    for held, more in zip(trade.legs, fill.legs, strict=True):
        quantity = held.quantity + more.quantity
        price, over = divmod(held.price * held.quantity + more.price * more.quantity, quantity)
        if over:
            return None
        legs.append(Holding(held.contract, quantity, price))
    credit = -sum(leg.price * leg.quantity for leg in legs) // units
    return replace(trade, legs=tuple(legs), quantity=units, credit=credit)
