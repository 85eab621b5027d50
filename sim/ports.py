"""The three things the house is built around, as Protocols: a market, a broker, a strategy.

The store and the synthetic market are both a ``Market``; the historical replay, the sandbox and production are all a
``Broker``; a ``Strategy`` cannot tell which of them it runs on.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, time
from typing import TYPE_CHECKING, Protocol

from sim.model.instrument import OptionContract, Product, Series
from sim.model.market import Board, Chain, DailyBar, Floats, Ints, Nature, QuotePath, UnderlyingPath

if TYPE_CHECKING:
    from sim.model.event import Event
    from sim.model.order import Order, OrderRequest, Pass
    from sim.view import View


class MarketDay(Protocol):
    """One underlying on one session. Column ``k`` of everything is known at ``open_ns + k * MINUTE_NS``."""

    @property
    def underlying(self) -> str: ...
    @property
    def session(self) -> date:
        """The trade date (a Sunday evening on Globex belongs to Monday)."""

    @property
    def open_ns(self) -> int:
        """The instant of column 0, UTC nanoseconds."""

    @property
    def minutes(self) -> int:
        """How many columns there are; the last one is the close of the session."""

    @property
    def rows(self) -> int:
        """Quote rows that the day offers. Of a store: archived rows. Of a model: contracts times minutes of the series
        asked for so far."""

    @property
    def path(self) -> UnderlyingPath: ...
    @property
    def vix(self) -> Floats:
        """VIX as known by minute (a market without intraday VIX gives NaN)."""

    def series(self) -> tuple[Series, ...]:
        """The series listed this session, by expiration, then root."""

    def board(self, series: Series) -> Board: ...
    def quotes(self, contract: OptionContract) -> QuotePath | None:
        """The contract's quotes over the session; None where the session does not list it."""

    def chain(self, series: Series, k: int) -> Chain:
        """The whole series in column k; equal, number for number, to the paths of its contracts at k."""

    def chain_age(self, series: Series) -> Ints | None:
        """Minutes since any contract of the series had a row, int64 by column; None where it always just had one."""

    def forward(self, series: Series, k: int) -> float:
        """The price of the series' own underlying in column k: the future for an option on a future, else the spot."""

    def forwards(self, series: Series) -> Floats:
        """``forward`` of every column, float64[minutes], NaN where it is not known."""


class Market(Protocol):
    """Quotes of days, from a store or made by a model."""

    @property
    def name(self) -> str: ...
    @property
    def synthetic(self) -> bool: ...
    @property
    def nature(self) -> Nature: ...
    @property
    def fingerprint(self) -> str:
        """A hash of the data (of its sources, or of model version and seed): equal where every quote is equal."""

    @property
    def source(self) -> str:
        """What a report says of the data: the vendor's name, or the model's."""

    def underlyings(self) -> tuple[str, ...]: ...
    def products(self) -> tuple[Product, ...]: ...
    def sessions(self, underlying: str, start: date | None = None, end: date | None = None) -> tuple[date, ...]: ...
    def day(self, underlying: str, session: date) -> MarketDay:
        """DataError where the market has no such session."""

    def history(self, underlying: str, before: date, days: int) -> tuple[DailyBar, ...]:
        """At most ``days`` daily bars strictly before ``before``, oldest first."""

    def settlement(self, series: Series) -> float | None:
        """The one price on which the series settles, in points; None where the market cannot tell."""


class Broker(Protocol):
    """Where orders go. Answers come back as events, never as return values."""

    def submit(self, order: Order) -> None: ...
    def cancel(self, order_id: str) -> None: ...
    def replace(self, order_id: str, order: Order) -> None: ...
    def snapshot(self) -> Sequence[Order]:
        """The working orders, oldest first."""


class LiveBroker(Broker, Protocol):
    """A broker over a network. ``submit``, ``cancel`` and ``replace`` return at once and never send anything twice;
    what came of them, and all else that happens to the account, comes as events."""

    async def start(self) -> None:
        """Connects and learns the account's truth: working orders, positions, balances. BrokerError where it cannot."""

    async def events(self) -> Sequence[Event]:
        """What has happened since the last call, oldest first; waits until there is something."""

    async def aclose(self) -> None:
        """Leaves. Working orders stay as they are."""


class Replayed(Broker, Protocol):
    """A broker over history: it is told how far time has moved, and what it did comes back."""

    def advance(self, k: int) -> Sequence[Event]:
        """Everything that happened up to and in column k: fills, expiries of orders, settlements."""


class Strategy(Protocol):
    """A play. Sees the model, the view and the pricing; never a broker, a venue, the engine or a clock."""

    @property
    def name(self) -> str: ...
    @property
    def underlyings(self) -> tuple[str, ...]: ...
    def wakes(self, day: date) -> tuple[time, ...]:
        """New York times of the date at which the strategy wants to be asked; empty where it sleeps that day. Asked for
        every weekday, open or not: a wake on a holiday is kept as a refusal."""

    def describe(self) -> str:
        """The trade in one sentence, as a trader would say it."""

    def decide(self, view: View) -> Sequence[OrderRequest | Pass]:
        """What it wants now. Called at its wake times at least; at any other moment it must answer nothing new."""
