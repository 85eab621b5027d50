"""All that may reach the core of a live session, in the order in which it did: what is journalled, and replayed.

Instants are UTC nanoseconds. Nothing here is worked out: what a feed, a clock, a broker or a person said.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sim.model.event import Event
from sim.model.fill import Fill
from sim.model.instrument import OptionContract, Series
from sim.model.market import DailyBar
from sim.model.order import Order


@dataclass(frozen=True, slots=True)
class ListedSeries:
    """The contracts of one series: strikes of its calls and of its puts, in ten-thousandths, ascending."""

    series: Series
    calls: tuple[int, ...]
    puts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """What an underlying lists on a trade date."""

    ts: int
    underlying: str
    session: date
    series: tuple[ListedSeries, ...]


@dataclass(frozen=True, slots=True)
class History:
    """Daily bars of an underlying before a trade date, oldest first."""

    ts: int
    underlying: str
    bars: tuple[DailyBar, ...]


@dataclass(frozen=True, slots=True)
class Fx:
    """Dollars per unit of account currency, and the date that the rate is of."""

    ts: int
    rate: Decimal
    dated: date
    source: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A trade date begins."""

    ts: int
    session: date


@dataclass(frozen=True, slots=True)
class Minute:
    """What an earlier minute of the trade date ended with: points, volume of the session. NaN where it is not known."""

    at: int
    last: float
    volume: float


@dataclass(frozen=True, slots=True)
class Earlier:
    """Minutes of an underlying, or of VIX where ``underlying`` is VIX, that were before this program listened."""

    ts: int
    underlying: str
    minutes: tuple[Minute, ...]


@dataclass(frozen=True, slots=True)
class Spot:
    """An underlying, points; ``volume`` of the session. NaN where it is not known."""

    underlying: str
    last: float
    bid: float
    ask: float
    volume: float


@dataclass(frozen=True, slots=True)
class Sides:
    """A contract's market in ticks; ``BLANK`` where nobody quotes a side."""

    contract: OptionContract
    bid: int
    ask: int


@dataclass(frozen=True, slots=True)
class Prices:
    """What has changed since the last of these. ``futures``: last prices by month (``ESU4``), points."""

    ts: int
    spots: tuple[Spot, ...] = ()
    futures: tuple[tuple[str, float], ...] = ()
    vix: float | None = None
    quotes: tuple[Sides, ...] = ()


@dataclass(frozen=True, slots=True)
class Silent:
    """Nothing was heard of the market since ``since``: no quote from before may be traded on until it is heard anew."""

    ts: int
    since: int


@dataclass(frozen=True, slots=True)
class Tick:
    """Look at what is held, and where ``wake`` ask who wanted to be called."""

    ts: int
    wake: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """An event of the model: of the broker, of the guard, of a person."""

    event: Event

    @property
    def ts(self) -> int:
        return self.event.ts


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What a person has closed beside the session, as he typed it: the order that would have done it, and its fill."""

    ts: int
    order: Order
    fill: Fill


@dataclass(frozen=True, slots=True)
class Closed:
    """The trade date ends."""

    ts: int
    session: date


@dataclass(frozen=True, slots=True)
class Holiday:
    """A weekday without a session, told at the instant at which somebody would have woken."""

    ts: int
    day: date
    name: str


@dataclass(frozen=True, slots=True)
class Missed:
    """A wake that came to nothing, and why."""

    ts: int
    strategy: str
    why: str


Input = (
    Listing | History | Fx | Opened | Earlier | Prices | Silent | Tick | Told | Elsewhere | Closed | Holiday | Missed
)
