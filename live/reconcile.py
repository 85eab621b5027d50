"""Ours against theirs: positions contract by contract, working orders, cash; and what has become of a position.

``theirs`` is the broker's word. A difference is explained where something of ours is under way for the contract (an
order that works or has just filled, an expiration that has not been booked yet); what is not is counted from when it
was first seen, and after a grace it stands. Refuses to do: correct anything. Pure: time and both sides come from
outside.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

from adapters.tastytrade.account_book import Book
from adapters.tastytrade.symbols import SymbolError, contract_of
from sim.model.instrument import OptionContract


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


@dataclass(frozen=True, slots=True)
class Difference:
    """``what`` names it for good; ``text`` says it. ``since``: when it was first seen, UTC ns."""

    what: str
    text: str
    since: int


@dataclass(slots=True)
class Reconciler:
    """``grace``: nanoseconds in which a difference may explain itself. ``foreign``: symbols that the account held when
    the session began and that are none of its business."""

    grace: int
    foreign: dict[str, Decimal] = field(default_factory=dict)
    accepted: dict[str, str] = field(default_factory=dict)
    """Differences that a person has looked at and resumed in spite of, by what they are of, in the words of then."""
    _seen: dict[str, Difference] = field(default_factory=dict)

    def compare(
        self,
        now: int,
        ours: Mapping[OptionContract, int],
        theirs: Holdings,
        *,
        moving: Iterable[OptionContract] = (),
        today: date | None = None,
        strangers: Sequence[str] = (),
        cash: Decimal | None = None,
    ) -> list[Difference]:
        """Every difference, explained or not. ``moving``: contracts that something is under way for; ``strangers``:
        ids of working orders that are not ours; ``cash``: theirs less ours, None where it was not asked."""
        under_way = set(moving)
        found: dict[str, str] = {}
        foreign = self._foreign()
        for contract in sorted({*ours, *theirs.options}, key=lambda c: c.symbol):
            mine = ours.get(contract, 0)
            yours = theirs.options.get(contract, 0) - foreign.get(contract, 0)
            if mine == yours or contract in under_way or (today is not None and contract.expiration < today):
                continue
            found[contract.symbol] = f"{contract.symbol}: ours {mine:+d}, the broker's {yours:+d}"
        for symbol, quantity in theirs.others.items():
            if quantity != self.foreign.get(symbol, Decimal(0)):
                found[symbol] = f"{symbol}: the broker holds {quantity:+f}, which is none of ours"
        for order_id in strangers:
            found[f"order {order_id}"] = f"order {order_id} works at the broker and is none of ours"
        if cash:
            found["cash"] = f"cash: the broker has {cash:+,.2f} dollars more than our books"
        found = {what: text for what, text in found.items() if self.accepted.get(what) != text}
        # What was explained in between begins anew.
        self._seen = {what: self._seen.get(what, Difference(what, text, now)) for what, text in found.items()}
        return [Difference(what, found[what], seen.since) for what, seen in self._seen.items()]

    def standing(self, now: int) -> list[Difference]:
        """Those that have outlived their grace."""
        return [each for each in self._seen.values() if now - each.since >= self.grace]

    def _foreign(self) -> dict[OptionContract, int]:
        return dict(holdings(Book(self.foreign, None, None, None, 0)).options)


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
