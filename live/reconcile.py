"""Ours against theirs: positions contract by contract, working orders, cash; and what has become of a position.

``theirs`` is the broker's word. A difference is counted from when it was first seen; one that is seen again after its
grace stands. A contract that has just filled, or whose expiration has not been booked yet, has none. An order that
works explains what its own fill would, and no more than is left of it: such a difference has a longer grace, for the
orders are read again meanwhile. **A target that rests explains nothing**: it works for as long as its trade lives, and
would hide whatever becomes of that. Refuses to do: correct anything. Pure: time and both sides come from outside.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Final

from adapters.tastytrade.account_book import Book
from adapters.tastytrade.symbols import SymbolError, contract_of
from sim.model.instrument import OptionContract
from sim.model.order import Order

EXPLAINED: Final = 4
"""So many times its grace a difference may last that the fill of a working order would explain."""
Span = tuple[int, int]
"""The least and the most, signed contracts."""


class Change(StrEnum):
    """What has happened to a position between two looks."""

    NEW = "NEW"
    QUANTITY_CHANGE = "QUANTITY_CHANGE"
    CLOSED = "CLOSED"


@dataclass(frozen=True, slots=True)
class Changed:
    """``before`` and ``now`` are signed contracts, long positive."""

    kind: Change
    symbol: str
    before: Decimal
    now: Decimal

    def __str__(self) -> str:
        return f"{self.kind} {self.symbol}: {self.before:+f} -> {self.now:+f}"


def changes(before: Mapping[str, Decimal], now: Mapping[str, Decimal]) -> list[Changed]:
    """What is different between two readings of the account, by symbol."""
    out = []
    for symbol in sorted({*before, *now}):
        was, is_ = before.get(symbol, Decimal(0)), now.get(symbol, Decimal(0))
        if was == is_:
            continue
        kind = Change.NEW if not was else Change.CLOSED if not is_ else Change.QUANTITY_CHANGE
        out.append(Changed(kind, symbol, was, is_))
    return out


@dataclass(frozen=True, slots=True)
class Holdings:
    """The account's options by contract, and whatever else it holds by symbol."""

    options: Mapping[OptionContract, int]
    others: Mapping[str, Decimal]


def holdings(book: Book) -> Holdings:
    """What a book holds; a symbol that cannot be named here is one of the others."""
    options: dict[OptionContract, int] = {}
    others: dict[str, Decimal] = {}
    for symbol, quantity in book.positions.items():
        try:
            contract = contract_of(symbol)
        except SymbolError:
            others[symbol] = quantity
            continue
        options[contract] = options.get(contract, 0) + int(quantity)
    return Holdings({c: n for c, n in options.items() if n}, others)


def outstanding(orders: Iterable[Order]) -> dict[OptionContract, Span]:
    """What may yet come of orders that work, by contract. Of one that rests nothing is counted."""
    out: dict[OptionContract, Span] = {}
    for order in orders:
        if order.request.resting:
            continue
        for leg in order.request.legs:
            low, high = out.get(leg.contract, (0, 0))
            n = leg.signed * order.request.quantity
            out[leg.contract] = low + min(n, 0), high + max(n, 0)
    return out


@dataclass(frozen=True, slots=True)
class Difference:
    """``what`` names it for good; ``text`` says it. ``since``: when it was first seen, ``last``: when it was seen last,
    UTC ns. ``explained``: a working order's fill would make it. ``fewer``: the broker holds less than the books."""

    what: str
    text: str
    since: int
    last: int = 0
    explained: bool = False
    fewer: bool = False


@dataclass(slots=True)
class Reconciler:
    """``grace``: nanoseconds in which a difference may explain itself. ``foreign``: symbols that the account held when
    the session began, ``known``: orders that worked in it then; both are none of its business, nor that they end: a
    person's own positions may become fewer."""

    grace: int
    foreign: dict[str, Decimal] = field(default_factory=dict)
    known: frozenset[str] = frozenset()
    accepted: dict[str, str] = field(default_factory=dict)
    """Differences that a person has looked at and resumed in spite of, by what they are of, in the words of then."""
    lasting: list[str] = field(default_factory=list)
    """Those of them that there still are: nobody is alarmed, and they are shown for as long as they last."""
    _seen: dict[str, Difference] = field(default_factory=dict)
    _there: frozenset[str] = frozenset()
    """What differed in the last comparison, or could not be told."""

    def compare(
        self,
        now: int,
        ours: Mapping[OptionContract, int],
        theirs: Holdings,
        *,
        moving: Iterable[OptionContract] = (),
        working: Mapping[OptionContract, Span] | None = None,
        today: date | None = None,
        strangers: Sequence[str] = (),
        missing: Sequence[str] = (),
        cash: Decimal | None = None,
    ) -> list[Difference]:
        """Every difference but those that are explained and still may be. ``moving``: contracts that have just filled,
        or ended; ``working``: what may come of working orders (``outstanding``); ``strangers``: ids of working orders
        that are not ours; ``missing``: ids of orders of ours that are not at the broker; ``cash``: theirs less ours,
        None where it was not asked."""
        under_way, spans = set(moving), working or {}
        found: dict[str, str] = {}
        explained, fewer = set[str](), set[str]()
        net = self.net(theirs)
        for contract in sorted({*ours, *net}, key=lambda c: c.symbol):
            mine, yours = ours.get(contract, 0), net.get(contract, 0)
            if mine == yours or contract in under_way or (today is not None and contract.expiration < today):
                continue
            if not mine and _fewer(theirs.options.get(contract, 0), yours):
                continue
            found[contract.symbol] = f"{contract.symbol}: ours {mine:+d}, the broker's {yours:+d}"
            low, high = spans.get(contract, (0, 0))
            if low <= yours - mine <= high:
                explained.add(contract.symbol)
            if _fewer(yours, yours - mine):
                fewer.add(contract.symbol)
        for symbol, quantity in theirs.others.items():
            before = self.foreign.get(symbol, Decimal(0))
            if quantity != before and not _fewer(quantity, quantity - before):
                found[symbol] = f"{symbol}: the broker holds {quantity:+f}, which is none of ours"
        for order_id in strangers:
            if order_id not in self.known:
                found[f"order {order_id}"] = f"order {order_id} works at the broker and is none of ours"
        for order_id in missing:
            found[f"order {order_id}"] = f"order {order_id} of ours works in the books and is not at the broker"
        if cash:
            found["cash"] = f"cash: the broker has {cash:+,.2f} dollars more than our books"
        self._there = frozenset({*found, *(contract.symbol for contract in under_way)})
        self.lasting = [text for what, text in found.items() if self.accepted.get(what) == text]
        found = {what: text for what, text in found.items() if self.accepted.get(what) != text}
        self._see(now, found, explained, fewer, asked=cash is not None)
        return [each for each in self._seen.values() if not each.explained or self._stands(each, now)]

    def _see(self, now: int, found: Mapping[str, str], explained: set[str], fewer: set[str], *, asked: bool) -> None:
        """What was explained in between begins anew. Cash that was not asked about stays as it was seen."""
        before, self._seen = self._seen, {}
        for what, text in found.items():
            since = before[what].since if what in before else now
            self._seen[what] = Difference(what, text, since, now, what in explained, what in fewer)
        if not asked and "cash" in before and self.accepted.get("cash") != before["cash"].text:
            self._seen["cash"] = before["cash"]

    def expire(self, *, cash: bool) -> bool:
        """After a comparison with the whole account: what was accepted and is there no more is accepted no more, for it
        would hide the next of its kind. ``cash``: whether that was asked about. Whether anything has changed."""
        gone = [what for what in self.accepted if what not in self._there and (cash or what != "cash")]
        for what in gone:
            del self.accepted[what]
        return bool(gone)

    def anew(self, now: int) -> bool:
        """Whether anything differs since now, explained or not."""
        return any(each.since == now for each in self._seen.values())

    def standing(self, now: int) -> list[Difference]:
        """Those that have outlived their grace."""
        return [each for each in self._seen.values() if self._stands(each, now)]

    def _stands(self, each: Difference, now: int) -> bool:
        return min(each.last, now) - each.since >= self.grace * (EXPLAINED if each.explained else 1)

    def net(self, theirs: Holdings) -> dict[OptionContract, int]:
        """The account's options less what it held before."""
        if not self.foreign:
            return dict(theirs.options)
        foreign = holdings(Book(self.foreign, None, None, None, 0)).options
        return {c: theirs.options.get(c, 0) - foreign.get(c, 0) for c in {*theirs.options, *foreign}}


def _fewer(now: int | Decimal, more: int | Decimal) -> bool:
    """Whether of what was held before some or all is gone: ``now`` is held, ``more`` signed than then."""
    before = now - more
    return min(before, 0) <= now <= max(before, 0)


@dataclass(frozen=True, slots=True)
class AtRisk:
    """A short option that may be assigned today. ``inside``: points in the money, negative out of it; NaN unknown."""

    contract: OptionContract
    quantity: int
    dte: int
    inside: float

    def __str__(self) -> str:
        where = (
            "at an unknown distance" if self.inside != self.inside
            else f"{abs(self.inside):g} points {'in' if self.inside >= 0 else 'out of'} the money"
        )  # fmt: skip
        return f"assignment risk: {self.quantity:+d} {self.contract.label} of {self.contract.underlying}, {where}"


def assignment_risks(
    ours: Mapping[OptionContract, int], today: date, forward: Mapping[OptionContract, float]
) -> list[AtRisk]:
    """Every short option with less than one day to its expiration. The seed looked for a type of change that never was
    (rulebook 10, row 65)."""
    out = []
    for contract, quantity in sorted(ours.items(), key=lambda item: item[0].symbol):
        dte = (contract.expiration - today).days
        if quantity >= 0 or dte >= 1:
            continue
        price, strike = forward.get(contract, float("nan")), float(contract.strike)
        out.append(AtRisk(contract, quantity, dte, price - strike if contract.is_call else strike - price))
    return out
