"""The synthetic market: options on ES and what is traded beside it over a window of dates, from a seed. A ``Market``.

VIX's daily prints are history; everything else is drawn (``docs/synthetic-market.md``). The state is made on first
use and, with a ``cache_root``, kept there as memory-mapped arrays; quotes are made when somebody asks and kept
nowhere. ES and VIX are made first; the others (``assets``) only when one of them is asked for. It refuses dates without
VIX, and any underlying it does not have.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Final

import numpy as np

from sim.calendar import Venue
from sim.market.synthetic import build as building
from sim.market.synthetic.assets import ASSETS, FACTORS_VERSION
from sim.market.synthetic.bars import BARS, FUTURE_TICKS, daily_bars
from sim.market.synthetic.day import DaySource, SyntheticDay
from sim.market.synthetic.index_day import vix_day
from sim.market.synthetic.listing import BANDS, ROOTS, Catalogue, catalogue, front_expiration, future_end, product
from sim.market.synthetic.loaded import Loaded, settlements
from sim.market.synthetic.others import Others
from sim.market.synthetic.others import products as other_products
from sim.market.synthetic.parameters import DEFAULT_SEED, HISTORY_SESSIONS, MODEL_VERSION, NAMED, Parameters
from sim.market.synthetic.surface import Term, check
from sim.market.synthetic.timeline import Timeline
from sim.market.synthetic.weather import Weather
from sim.market.synthetic.widths import ES as QUOTING
from sim.model.errors import DataError
from sim.model.instrument import Product, Series
from sim.model.market import DailyBar, Floats, Nature
from sim.ports import MarketDay

KEPT_DAYS: Final = 4
UNDERLYINGS: Final = ("ES", "SPX", "VIX", *(symbol for symbol in ASSETS if symbol != "SPX"))


class SyntheticMarket:
    """Dense quotes of options from ``start`` to ``end``. The same arguments give the same quotes, to the tick.

    ``cache_root`` is the folder under which built states are kept; None builds in memory. A name of ``NAMED`` stands
    for its own window (see ``named_market``); any other name labels a window of one's own. ``weather`` bends its paths.
    Errors: ``DataError``.
    """

    __slots__ = (
        "_cache_root", "_days", "_end", "_loaded", "_name", "_others", "_products", "_seed", "_start",
        "_weather", "fingerprint", "parameters",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        start: date,
        end: date,
        seed: int = DEFAULT_SEED,
        cache_root: Path | None = None,
        parameters: Parameters | None = None,
        weather: Weather | None = None,
    ) -> None:
        given = NAMED.get(name)
        if given is not None and (start, end) != (given.start, given.end):
            raise DataError(
                f"market {name} is {given.start} to {given.end}, not {start} to {end}; give another window another name"
            )
        self.parameters = parameters or (given.parameters if given else Parameters())
        check(self.parameters)
        self._name, self._start, self._end, self._seed = name, start, end, seed
        self._cache_root, self._weather = cache_root, weather
        self._loaded: Loaded | None = None
        self._others: Others | None = None
        self._products: tuple[Product, ...] = ()
        self._days: OrderedDict[tuple[str, date], MarketDay] = OrderedDict()
        self.fingerprint = self._hash()

    @property
    def name(self) -> str:
        return self._name

    @property
    def seed(self) -> int:
        return self._seed

    @property
    def weather(self) -> Weather | None:
        """What bends its paths."""
        return self._weather

    @property
    def synthetic(self) -> bool:
        return True

    @property
    def nature(self) -> Nature:
        return Nature.DENSE

    @property
    def source(self) -> str:
        made = f"synthetic model {MODEL_VERSION}, seed {self._seed}"
        if self._weather is not None:
            return f"{made}, weather {self._weather.name}{': ' if self._weather.said else ''}{self._weather.said}"
        return f"{made}, on daily VIX history"

    @property
    def folder(self) -> Path | None:
        """Where the state is kept, None in memory."""
        if self._cache_root is None:
            return None
        return self._cache_root / "synthetic" / f"{self._name}-v{MODEL_VERSION}-{self._seed}-{self.fingerprint[:12]}"

    def underlyings(self) -> tuple[str, ...]:
        return UNDERLYINGS

    def products(self) -> tuple[Product, ...]:
        if not self._products:
            self._products = (*(product(root) for root in ROOTS), *other_products())
        return self._products

    def sessions(self, underlying: str, start: date | None = None, end: date | None = None) -> tuple[date, ...]:
        self._known(underlying)
        dates = self._load().dates
        a = 0 if start is None else bisect_left(dates, start)
        b = len(dates) if end is None else bisect_right(dates, end)
        return dates[a:b]

    def day(self, underlying: str, session: date) -> MarketDay:
        self._known(underlying)
        found = self._days.get((underlying, session))
        if found is None:
            found = self._days[underlying, session] = self._day(underlying, session)
            # Two sessions of each underlying that is used, and no fewer than four of one.
            most = max(KEPT_DAYS, 2 * len({name for name, _ in self._days}))
            while len(self._days) > most:
                self._days.popitem(last=False)
        return found

    def _day(self, underlying: str, session: date) -> MarketDay:
        if underlying == "ES":
            return self.es_day(session)
        if underlying == "VIX":
            loaded = self._load()
            vix = loaded.state.minutes[1, loaded.columns(session)]
            return vix_day(
                loaded.timeline.calendar.session(Venue.CBOE_INDEX, session), loaded.timeline.session(session), vix
            )
        return self.other_day(underlying, session)

    def other_day(self, underlying: str, session: date) -> SyntheticDay:
        """A fresh day of an underlying of ``ASSETS``."""
        return self._beside().day(underlying, session)

    def es_day(self, session: date) -> SyntheticDay:
        """A fresh day of ES, with what the model alone knows (prices before widths, the width state)."""
        loaded = self._load()
        columns = loaded.columns(session)
        spot, vix, short, long, front, eta, width, volume = (row[columns] for row in loaded.state.minutes)
        timeline = loaded.timeline
        return SyntheticDay(
            DaySource(
                underlying="ES",
                session=timeline.session(session),
                clock=timeline.clock(session),
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
                bands=BANDS,
                quoting=QUOTING,
                front=future_end(timeline.calendar, front_expiration(timeline.calendar, session)),
                ticks=FUTURE_TICKS,
                weather=self._weather,
            )
        )

    def history(self, underlying: str, before: date, days: int) -> tuple[DailyBar, ...]:
        """Daily bars strictly before ``before``, oldest first: of the front future or, of others, the regular session.

        A future's bar opens at 18:00 the evening before and closes at 16:00, whatever it is on; high and low are those
        of all its minutes, ``vix`` is history. Bars from before a roll are carried to the future that is front on
        ``before``, so that no roll looks like a move. ``day`` is the date's ordinal.
        """
        self._known(underlying)
        loaded = self._load()
        last = bisect_left(loaded.timeline.dates, before) - loaded.first
        last = max(0, min(last, len(loaded.state.bars)))
        first = max(0, last - max(0, days))
        if underlying in ASSETS:
            return self._beside().history(underlying, before, slice(first, last))
        dates = loaded.timeline.dates[loaded.first + first : loaded.first + last]
        bars = loaded.state.bars[first:last]
        return daily_bars(underlying, dates, bars, before, loaded.timeline, self.parameters)

    def settlement(self, series: Series) -> float | None:
        """The price of the series' underlying at the settlement instant, of SPX in the morning a special opening
        quotation; None outside the market's window."""
        loaded = self._load()
        if series.expiration not in loaded.dates or series.product.underlying not in UNDERLYINGS:
            return None
        day = self.day(series.product.underlying, series.expiration)
        return self._beside().settlement(day, series) if isinstance(day, SyntheticDay) else None

    def _settlements(self, series: Series, session: date) -> tuple[Floats, Floats]:
        loaded = self._load()
        closes = loaded.state.bars[:, BARS.index("i_close")]
        return settlements(loaded, loaded.listed.item(series), session, closes, self.parameters.carry)

    def _beside(self) -> Others:
        if self._others is None:
            self._others = Others(
                self._load(), self.parameters, self._seed, self.folder, self.fingerprint, self._weather
            )
        return self._others

    def _known(self, underlying: str) -> None:
        if underlying not in UNDERLYINGS:
            raise DataError(f"{self._name} has no {underlying}; it has {', '.join(UNDERLYINGS)}")

    def _hash(self) -> str:
        digest = hashlib.sha256()
        digest.update(
            f"{MODEL_VERSION}|{self._name}|{self._start}|{self._end}|{self._seed}|{self.parameters!r}".encode()
        )
        if FACTORS_VERSION > 1:  # the first one came with a model that had its fingerprints already
            digest.update(f"|others {FACTORS_VERSION}".encode())
        if self._weather is not None:
            digest.update(f"|{self._weather!r}".encode())
        for package, path in (("sim.market", "data/vix_daily.csv"), ("sim.calendar_data", "sessions.txt")):
            digest.update(files(package).joinpath(path).read_bytes())
        return digest.hexdigest()

    def _load(self) -> Loaded:
        if self._loaded is None:
            timeline = building.timeline_of(self._start, self._end)
            a, b = bisect_left(timeline.dates, self._start), bisect_right(timeline.dates, self._end)
            first = a - HISTORY_SESSIONS
            state = self._state(timeline, b - a)
            closes = [timeline.session(d).rth_close_ns for d in timeline.dates[first:b]]
            listed = Catalogue.of(catalogue(timeline.calendar, self._start, self._end))
            self._loaded = Loaded(
                self._name, state, timeline, first, timeline.dates[a:b], np.array(closes, np.int64), listed
            )
        return self._loaded

    def _state(self, timeline: Timeline, sessions: int) -> building.Built:
        folder = self.folder
        if folder is not None and folder.is_dir():
            return building.load(folder, sessions)
        built = building.build(timeline, self._start, self._end, self._seed, self.parameters, self._weather)
        if folder is None:
            return built
        building.store({"minutes": built.minutes, "offset": built.offset, "bars": built.bars}, folder)
        return building.load(folder, sessions)


def named_market(name: str, *, seed: int = DEFAULT_SEED, cache_root: Path | None = None) -> SyntheticMarket:
    """A market of ``NAMED``; DataError where there is none of that name."""
    window = NAMED.get(name)
    if window is None:
        raise DataError(f"no synthetic market {name!r}; wanted one of {', '.join(NAMED)}, or a window with dates")
    return SyntheticMarket(name, window.start, window.end, seed, cache_root)
