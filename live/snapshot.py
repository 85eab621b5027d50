"""The session at one moment, as every screen, page, command and alert shows it: one picture, made in one place.

Money in account currency unless it says otherwise; instants UTC nanoseconds; ages in seconds; shares as fractions. What
is not known is None, never a zero.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LegShown:
    """``quantity`` signed, long positive. ``sigmas``: standard deviations between the underlying and a short strike,
    out of the money positive; None for a long leg or where it is not known. ``dte`` calendar days."""

    label: str
    symbol: str
    quantity: int
    dte: int
    sigmas: float | None = None


@dataclass(frozen=True, slots=True)
class TradeShown:
    """An open trade. ``credit`` and ``mark`` in points of one unit; ``profit`` after fees. ``exits`` in a trader's
    words; ``resting``: those that the broker holds, ``here``: those that live in this process only."""

    id: str
    strategy: str
    structure: str
    underlying: str
    quantity: int
    legs: tuple[LegShown, ...]
    opened_ns: int
    credit: float
    mark: float | None
    profit: float
    exits: tuple[str, ...]
    resting: tuple[str, ...] = ()
    here: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GreeksShown:
    """Of one underlying, amounts of account currency: ``delta`` earns a hundredth of it on a move of 1 %; ``gamma``
    what that delta gains from 1 %; ``theta`` a calendar day; ``vega`` a volatility point."""

    underlying: str
    delta: float
    gamma: float
    theta: float
    vega: float


@dataclass(frozen=True, slots=True)
class GroupShown:
    """A correlation group: strategy units held or working, and its limit."""

    name: str
    held: int
    limit: int
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OrderShown:
    """``limit`` in points of one unit, credit positive; None where the market's price is taken."""

    id: str
    strategy: str
    what: str
    quantity: int
    limit: float | None
    state: str
    since_ns: int
    reason: str


@dataclass(frozen=True, slots=True)
class DecisionShown:
    """``kind``: submit, cancel, refuse, alert."""

    ts: int
    kind: str
    strategy: str
    text: str


@dataclass(frozen=True, slots=True)
class AgeShown:
    """How old something is, and how old it may be, in seconds. ``age`` None: it was never heard. ``needed``: somebody
    goes by it now; nothing else is late."""

    name: str
    age: float | None
    limit: float
    needed: bool = True

    @property
    def late(self) -> bool:
        return self.needed and (self.age is None or self.age > self.limit)


@dataclass(frozen=True, slots=True)
class CauseShown:
    """One reason why the guard stands where it does."""

    name: str
    standing: str
    since_ns: int
    text: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything at ``ts``. ``notice``: what must be said of the quotes (``SYNTHETIC``, ``DELAYED 15 MIN``)."""

    ts: int
    session: str
    name: str
    adapter: str
    account: str
    """The last digits only."""
    market: str
    notice: str
    synthetic: bool
    currency: str
    standing: str
    causes: tuple[CauseShown, ...]
    nlv: float | None
    cash: float
    day_profit: float | None
    """Of the trade date; between two of them ``nlv`` and this are of the end of the last one, ``as_of``."""
    bp_used: float | None
    bp_cap: float | None
    """The regime's cap as an amount."""
    regime: str
    vix: float | None
    phase: str
    health: float | None
    fx: float
    fx_date: str
    as_of: str = ""
    """The trade date at whose end the account stood so; empty while one is open, or none has been yet."""
    trades: tuple[TradeShown, ...] = ()
    greeks: tuple[GreeksShown, ...] = ()
    groups: tuple[GroupShown, ...] = ()
    orders: tuple[OrderShown, ...] = ()
    decisions: tuple[DecisionShown, ...] = ()
    """The newest first."""
    ages: tuple[AgeShown, ...] = ()
    profits: tuple[tuple[str, float], ...] = ()
    """By strategy, since the run began, after fees."""
    differences: tuple[str, ...] = ()
    """Ours against the broker's, in words; empty where they agree."""
    unguarded: tuple[str, ...] = ()
    """Trades whose stops only live here while the feed is silent, and for how long."""
    next_wake: str = ""
    manual: tuple[str, ...] = ()
    """Orders to type into another platform."""
    recommendations: tuple[str, ...] = ()
