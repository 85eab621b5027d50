"""The synthetic market: E-mini S&P 500 options over a window of dates, from a seed. A ``Market`` like the store.

VIX's daily prints are history; everything else is drawn (``docs/synthetic-market.md``). The state is made on first
use and, with a ``cache_root``, kept there as memory-mapped arrays; quotes are made when somebody asks and kept
nowhere. It has ES with its options, and SPX and VIX without any. It refuses dates without VIX, and knows no
other future.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Final

import numpy as np

from sim.calendar import Venue
from sim.market.synthetic import build as building
from sim.market.synthetic.bars import BARS, daily_bars
from sim.market.synthetic.day import DaySource, SyntheticDay
from sim.market.synthetic.index_day import IndexDay, index_day
from sim.market.synthetic.listing import (
    FINE_DAYS,
    ROOTS,
    Listed,
    catalogue,
    front_expiration,
    future_expiration,
    product,
)
from sim.market.synthetic.parameters import (
    DEFAULT_SEED,
    HISTORY_SESSIONS,
    MODEL_VERSION,
    NAMED,
    Parameters,
)
from sim.market.synthetic.surface import Term, check
from sim.market.synthetic.timeline import VENUE, YEAR_NS, Timeline
from sim.model.errors import DataError
from sim.model.instrument import Product, Series
from sim.model.market import MINUTE_NS, DailyBar, Floats, Ints, Nature
from sim.ports import MarketDay

KEPT_DAYS: Final = 4
UNDERLYINGS: Final = ("ES", "SPX", "VIX")


@dataclass(frozen=True, slots=True)
class _Loaded:
    """The market once it is there: its state, its clock, and what is listed."""

    state: building.Built
    timeline: Timeline
    first: int
    """Row of the timeline of the first session of the history."""
    listed: tuple[Listed, ...]
    dates: tuple[date, ...]
    """Sessions of the window."""
    closes: Floats
    """The index at each cash close, from the first session of the history on."""
    close_ns: Ints
    days: OrderedDict[tuple[str, date], MarketDay]


class SyntheticMarket:
    """Dense quotes of ES options from ``start`` to ``end``. The same arguments give the same quotes, to the tick.

    ``cache_root`` is the folder under which built states are kept; None builds in memory. A name of ``NAMED`` stands
    for its own window (see ``named_market``); any other name labels a window of one's own. Errors: ``DataError``.
    """

    __slots__ = ("_cache_root", "_end", "_loaded", "_name", "_seed", "_start", "fingerprint", "parameters")

    def __init__(
        self,
        name: str,
        start: date,
        end: date,
        seed: int = DEFAULT_SEED,
        cache_root: Path | None = None,
        parameters: Parameters | None = None,
    ) -> None:
        given = NAMED.get(name)
        if given is not None and (start, end) != (given.start, given.end):
            raise DataError(
                f"market {name} is {given.start} to {given.end}, not {start} to {end}; give another window another name"
            )
        self.parameters = parameters or (given.parameters if given else Parameters())
        check(self.parameters)
        self._name, self._start, self._end, self._seed = name, start, end, seed
        self._cache_root = cache_root
        self._loaded: _Loaded | None = None
        self.fingerprint = self._hash()

    @property
    def name(self) -> str:
        return self._name

    @property
    def seed(self) -> int:
        return self._seed

    @property
    def synthetic(self) -> bool:
        return True

    @property
    def nature(self) -> Nature:
        return Nature.DENSE

    @property
    def source(self) -> str:
        return f"synthetic model {MODEL_VERSION}, seed {self._seed}, on daily VIX history"

    @property
    def folder(self) -> Path | None:
        """Where the state is kept, None in memory."""
        if self._cache_root is None:
            return None
        return self._cache_root / "synthetic" / f"{self._name}-v{MODEL_VERSION}-{self._seed}-{self.fingerprint[:12]}"

    def underlyings(self) -> tuple[str, ...]:
        return UNDERLYINGS

    def products(self) -> tuple[Product, ...]:
        return tuple(product(root) for root in ROOTS)

    def sessions(self, underlying: str, start: date | None = None, end: date | None = None) -> tuple[date, ...]:
        self._known(underlying)
        dates = self._load().dates
        a = 0 if start is None else bisect_left(dates, start)
        b = len(dates) if end is None else bisect_right(dates, end)
        return dates[a:b]

    def day(self, underlying: str, session: date) -> MarketDay:
        self._known(underlying)
        loaded = self._load()
        found = loaded.days.get((underlying, session))
        if found is None:
            found = self.es_day(session) if underlying == "ES" else self._index_day(loaded, underlying, session)
            loaded.days[underlying, session] = found
            while len(loaded.days) > KEPT_DAYS:
                loaded.days.popitem(last=False)
        return found

    def es_day(self, session: date) -> SyntheticDay:
        """A fresh day of ES, with what the model alone knows (prices before widths, the width state)."""
        loaded = self._load()
        spot, vix, short, long, front, eta, width, volume = self._columns(loaded, session)
        timeline = loaded.timeline
        return SyntheticDay(
            DaySource(
                session=timeline.session(session),
                spot=spot,
                vix=vix,
                term=Term(short, long, front),
                eta=eta,
                width=width,
                volume=volume,
                timeline=timeline,
                parameters=self.parameters,
                seed=self._seed,
                listed=loaded.listed,
                settlements=self._settlements,
                front=front_expiration(timeline.calendar, session),
            )
        )

    def history(self, underlying: str, before: date, days: int) -> tuple[DailyBar, ...]:
        """Daily bars strictly before ``before``, oldest first: of the front future (ES) or the regular session.

        A future's bar opens at 18:00 the evening before and closes at the settlement of 16:00; high and low are those
        of all its minutes, ``vix`` is history. Bars from before a roll are carried to the future that is front on
        ``before``, so that no roll looks like a move. ``day`` is the date's ordinal.
        """
        self._known(underlying)
        loaded = self._load()
        last = bisect_left(loaded.timeline.dates, before) - loaded.first
        last = max(0, min(last, len(loaded.state.bars)))
        first = max(0, last - max(0, days))
        dates = loaded.timeline.dates[loaded.first + first : loaded.first + last]
        bars = loaded.state.bars[first:last]
        return daily_bars(underlying, dates, bars, before, loaded.timeline, self.parameters)

    def settlement(self, series: Series) -> float | None:
        """The future's price at the settlement instant; None where that is outside the market's window."""
        loaded = self._load()
        if series.expiration not in loaded.dates:
            return None
        day = self.day("ES", series.expiration)
        if series not in day.series():
            return None
        end = loaded.timeline.calendar.settlement_instant(
            VENUE, series.expiration, morning=series.product.exercise.morning
        )
        return day.forward(series, (end - day.open_ns) // MINUTE_NS)

    def _index_day(self, loaded: _Loaded, underlying: str, session: date) -> IndexDay:
        columns = self._columns(loaded, session)
        hours = loaded.timeline.calendar.session(Venue.CBOE_INDEX, session)
        return index_day(underlying, hours, loaded.timeline.session(session), columns[0], columns[1])

    def _columns(self, loaded: _Loaded, session: date) -> tuple[Floats, ...]:
        i = bisect_left(loaded.dates, session)
        if i == len(loaded.dates) or loaded.dates[i] != session:
            raise DataError(
                f"{self._name} has no session on {session}; it has {len(loaded.dates)} from {loaded.dates[0]} to "
                f"{loaded.dates[-1]}"
            )
        a, b = int(loaded.state.offset[i]), int(loaded.state.offset[i + 1])
        return tuple(row[a:b] for row in loaded.state.minutes)

    def _settlements(self, series: Series, session: date) -> tuple[Floats, Floats]:
        loaded = self._load()
        calendar = loaded.timeline.calendar
        dates = loaded.timeline.dates
        today = bisect_left(dates, session) - loaded.first
        item = next(x for x in loaded.listed if x.series == series)
        # The strikes of a session come from the settlement before it.
        since = bisect_left(dates, item.since) - loaded.first if item.since > dates[loaded.first] else 0
        near = bisect_left(dates, series.expiration - timedelta(days=FINE_DAYS)) - loaded.first
        last = future_expiration(calendar, series.product, series.expiration)
        end = calendar.settlement_instant(VENUE, last, morning=True)
        first = max(0, min(since, today) - 1)
        years = (end - loaded.close_ns[first:today]) / YEAR_NS
        prices = loaded.closes[first:today] * np.exp(self.parameters.carry * years)
        return prices, prices[max(0, near - 1 - first) :] if near <= today else prices[:0]

    def _known(self, underlying: str) -> None:
        if underlying not in UNDERLYINGS:
            raise DataError(f"{self._name} has no {underlying}; it has {', '.join(UNDERLYINGS)}")

    def _hash(self) -> str:
        digest = hashlib.sha256()
        digest.update(
            f"{MODEL_VERSION}|{self._name}|{self._start}|{self._end}|{self._seed}|{self.parameters!r}".encode()
        )
        for package, path in (("sim.market", "data/vix_daily.csv"), ("sim.calendar_data", "sessions.txt")):
            digest.update(files(package).joinpath(path).read_bytes())
        return digest.hexdigest()

    def _load(self) -> _Loaded:
        if self._loaded is None:
            timeline = building.timeline_of(self._start, self._end)
            a, b = bisect_left(timeline.dates, self._start), bisect_right(timeline.dates, self._end)
            first = a - HISTORY_SESSIONS
            state = self._state(timeline, b - a)
            days = [timeline.session(d) for d in timeline.dates[first:b]]
            self._loaded = _Loaded(
                state=state,
                timeline=timeline,
                first=first,
                listed=catalogue(timeline.calendar, self._start, self._end),
                dates=timeline.dates[a:b],
                closes=state.bars[:, BARS.index("i_close")],
                close_ns=np.array([d.rth_close_ns for d in days], np.int64),
                days=OrderedDict(),
            )
        return self._loaded

    def _state(self, timeline: Timeline, sessions: int) -> building.Built:
        folder = self.folder
        if folder is not None and folder.is_dir():
            return building.load(folder, sessions)
        built = building.build(timeline, self._start, self._end, self._seed, self.parameters)
        if folder is None:
            return built
        building.store(built, folder)
        return building.load(folder, sessions)


def named_market(name: str, *, seed: int = DEFAULT_SEED, cache_root: Path | None = None) -> SyntheticMarket:
    """A market of ``NAMED``; DataError where there is none of that name."""
    window = NAMED.get(name)
    if window is None:
        raise DataError(f"no synthetic market {name!r}; wanted one of {', '.join(NAMED)}, or a window with dates")
    return SyntheticMarket(name, window.start, window.end, seed, cache_root)
