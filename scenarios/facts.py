"""What came of a scenario, as plain records: what was wanted and what became of it, trades, and the account at moments.

Instants are UTC nanoseconds, money in account currency, shares of net liquidation as fractions.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time

from sim.calendar import ny


@dataclass(frozen=True, slots=True)
class Wish:
    """What a strategy wanted, with the market it saw. ``rule`` and ``reason`` are empty where it was approved.

    ``quantity`` contracts or units after sizing, ``wanted`` before. ``strikes`` reads ``ATM-60/ATM-30``: by strike,
    from the money rounded to five points. ``label`` and ``cap``: the VIX regime then, and the share of net
    liquidation that its cap and the other caps allowed; ``bp_after`` what the order would have brought it to (NaN where
    that was not asked). ``given``: it was part of the book that the scenario begins with.
    """

    ts: int
    session: date
    strategy: str
    underlying: str
    structure: str
    approved: bool
    rule: str
    reason: str
    detail: str
    quantity: int
    wanted: int
    legs: str
    strikes: str
    spot: float
    move_pct: float
    vix: float
    label: str
    regime_cap: float
    cap: float
    bp_after: float
    given: bool


@dataclass(frozen=True, slots=True)
class Closed:
    """A trade that is over, or what is left open (``closed_ns`` None, ``net`` at its last mark). ``exit`` why."""

    id: str
    strategy: str
    structure: str
    underlying: str
    opened_ns: int
    closed_ns: int | None
    quantity: int
    credit: float
    net: float
    exit: str


@dataclass(frozen=True, slots=True)
class Told:
    """A fill, a settlement, an alert, or a refusal without a gate (``refused``): when, and in words."""

    ts: int
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Moment:
    """The account and the market at one moment. ``nlv`` at last trusted marks, ``natural`` if everything were bought
    back now at what the market asks (NaN where a side is missing), ``bp_used`` of buying power (NaN: unknown)."""

    ts: int
    name: str
    spot: float
    vix: float
    nlv: float
    natural: float
    bp_used: float
    open_trades: int
    label: str


@dataclass(frozen=True, slots=True)
class Night:
    """A session's end: net liquidation then, at the session's worst minute, and the most buying power used."""

    session: date
    nlv: float
    low: float
    bp_used: float
    vix: float


@dataclass(frozen=True, slots=True)
class Facts:
    """All of one play. ``path`` is (UTC ns, the underlying, VIX) every so often, for the picture; ``frozen`` and
    ``gone`` the spans (UTC ns) in which nothing new was quoted, or a side was missing or quoted wide."""

    start_nlv: float
    currency: str
    wishes: tuple[Wish, ...]
    trades: tuple[Closed, ...]
    told: tuple[Told, ...]
    moments: tuple[Moment, ...]
    nights: tuple[Night, ...]
    lesson: str
    violations: tuple[str, ...]
    ladder: str
    path: tuple[tuple[int, float, float], ...]
    frozen: tuple[tuple[int, int], ...]
    gone: tuple[tuple[int, int], ...]
    source: str

    @property
    def wanted(self) -> tuple[Wish, ...]:
        """What the strategies wanted, without the book that was given."""
        return tuple(wish for wish in self.wishes if not wish.given)

    @property
    def worst(self) -> float:
        """The largest share of the account that was lost from its beginning, at any minute."""
        low = min((night.low for night in self.nights), default=self.start_nlv)
        return max(1.0 - low / self.start_nlv, 0.0)


def clock(ts: int) -> time:
    """New York's time of an instant, to the minute."""
    return ny(ts).time().replace(second=0, microsecond=0, tzinfo=None)
