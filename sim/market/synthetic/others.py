"""The underlyings beside ES, made when one of them is asked for: days, daily bars and settlements.

A run on ES alone pays nothing for them. What several share is drawn once (``factors``) and kept beside ES's state, a
folder a factor. A morning settlement of SPX is a special opening quotation: the index at 09:30 and a little more, as
the opening prints of five hundred stocks are not the index of one moment.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np

from sim.calendar import Calendar
from sim.market.products import fund_option
from sim.market.synthetic import build as building
from sim.market.synthetic import factors, listing_others
from sim.market.synthetic.assets import ASSETS, FACTORS, INDEX, LEVELS, USUAL_LEVELS, Asset, Scheme
from sim.market.synthetic.bars import BARS, daily_bars
from sim.market.synthetic.day import DaySource, SyntheticDay
from sim.market.synthetic.factors import FACTOR_BARS, Drawn
from sim.market.synthetic.listing import (
    MES_ROOTS,
    Catalogue,
    Listed,
    catalogue,
    front_expiration,
    future_end,
    micro,
    product,
)
from sim.market.synthetic.loaded import Loaded, settlements
from sim.market.synthetic.noise import key, normals
from sim.market.synthetic.parameters import Parameters
from sim.market.synthetic.surface import MONTH, Term, scaled, term_of_volatility
from sim.market.synthetic.timeline import YEAR_NS, column_at
from sim.market.synthetic.weather import Weather
from sim.model.errors import DataError
from sim.model.instrument import Exercise, Product, Series
from sim.model.market import MINUTE_NS, DailyBar, Floats, Ints

FRONT: Final = 0.2
"""Extra variance of the nearest day of the factors that are not on stocks, as a share of the month's average."""
OPENING: Final = 6e-4
"""Standard deviation of the special opening quotation over the index at 09:30, where VIX stands at 16."""
RTH_VOLUME: Final = 0.83
"""Share of a day's contracts that are traded while stocks are."""


def products() -> tuple[Product, ...]:
    """The option products of every underlying but ES."""
    found: list[Product] = []
    for symbol, asset in ASSETS.items():
        match asset.scheme:
            case Scheme.MICRO:
                found += [product(root) for root in MES_ROOTS]
            case Scheme.INDEX:
                found += [product("SPX"), product("SPXW")]
            case Scheme.FUND:
                found.append(fund_option(symbol))
            case Scheme.FUTURE:
                found += [product(root) for root in listing_others.roots_of(symbol)]
    return tuple(found)


class Others:
    """Days of ``ASSETS`` for one market. ``folder`` is that of ES's state, None in memory."""

    __slots__ = ("_drawn", "_fingerprint", "_folder", "_levels", "_listed", "_loaded", "_parameters", "_paths", "_seed",
                 "_weather")  # fmt: skip

    def __init__(
        self,
        loaded: Loaded,
        parameters: Parameters,
        seed: int,
        folder: Path | None,
        fingerprint: str,
        weather: Weather | None = None,
    ) -> None:
        self._weather = weather
        self._loaded, self._parameters, self._seed = loaded, parameters, seed
        self._folder, self._fingerprint = folder, fingerprint
        self._levels = LEVELS.get(loaded.name, USUAL_LEVELS)
        self._drawn: dict[str, Drawn] = {}
        self._listed: dict[str, Catalogue] = {}
        self._paths: list[Floats] = []

    def day(self, symbol: str, session: date) -> SyntheticDay:
        """A fresh day of one underlying, cut to its own hours from the minutes of Globex."""
        asset, loaded = ASSETS[symbol], self._loaded
        timeline = loaded.timeline
        hours, globex = timeline.calendar.session(asset.venue, session), timeline.session(session)
        own = slice(column_at(globex, hours.open_ns), column_at(globex, hours.close_ns) + 1)
        minutes = loaded.columns(session)
        if own.stop > minutes.stop - minutes.start:
            raise DataError(
                f"{symbol} {session}: E-minis closed earlier than its venue then; wanted a day from 2013 on"
            )
        index, vix, short, long, front, eta, width, volume = (row[minutes][own] for row in loaded.state.minutes)
        p, term = self._surface(asset, session, Term(short, long, front), own)
        spot = self._spot(asset, index if asset.factor == INDEX else self.drawn(asset.factor).spot[minutes][own])
        if asset.scheme is Scheme.INDEX:  # after the cash close it stands still
            bell = column_at(hours, hours.rth_close_ns)
            spot[bell + 1 :] = spot[bell]
        return SyntheticDay(
            DaySource(
                underlying=symbol,
                session=hours,
                clock=timeline.clock(session)[own],
                spot=spot,
                vix=vix,
                term=term,
                eta=eta if asset.factor == INDEX else eta * FACTORS[asset.factor].skew,
                width=width,
                volume=self._volume(symbol, session, volume),
                timeline=timeline,
                parameters=p,
                seed=self._seed,
                listed=self.listed(symbol),
                settlements=lambda series, day: self._settlements(symbol, series, day),
                bands=asset.bands,
                quoting=asset.quoting,
                front=self._front(symbol, session),
                ticks=asset.ticks,
                weather=self._weather,
            )
        )

    def settlement(self, day: SyntheticDay, series: Series) -> float | None:
        """The price on which a series of ``day`` settles; None where the day does not list it."""
        if series not in day.series():
            return None
        hours, calendar = day.source.session, self._loaded.timeline.calendar
        if series.product.exercise is Exercise.AM_CASH:
            at = column_at(hours, hours.rth_open_ns)
            draw = normals(key(self._seed, "opening", day.session.toordinal()), 1)[0]
            return round(float(day.path.last[at] * np.exp(OPENING * draw * day.vix[at] / 16.0)), 2)
        end = calendar.settlement_instant(hours.venue, series.expiration, morning=series.product.exercise.morning)
        return day.forward(series, (end - day.open_ns) // MINUTE_NS)

    def history(self, symbol: str, before: date, rows: slice) -> tuple[DailyBar, ...]:
        """Daily bars of ``rows``, counted from the first of the history, as ``SyntheticMarket.history`` gives them."""
        asset, loaded = ASSETS[symbol], self._loaded
        dates = loaded.timeline.dates[loaded.first + rows.start : loaded.first + rows.stop]
        es = loaded.state.bars[rows]
        if asset.scheme in (Scheme.MICRO, Scheme.INDEX):
            name = INDEX if asset.scheme is Scheme.MICRO else symbol
            bars = daily_bars(name, dates, es, before, loaded.timeline, self._parameters)
            if asset.scheme is Scheme.INDEX:
                return bars
            return tuple(replace(bar, volume=float(np.floor(bar.volume * asset.volume))) for bar in bars)
        prices, iv = self._bar_prices(asset, rows)
        share = RTH_VOLUME if asset.scheme is Scheme.FUND else 1.0
        volume = np.floor(es[:, BARS.index("volume")] * asset.volume * share)
        if asset.scheme is Scheme.FUTURE:
            carry = FACTORS[asset.factor].carry(self._parameters.rate)
            end = self._front(symbol, before if before in loaded.dates else _session(loaded, before))
            for column, at in enumerate(self._bar_times(asset, rows)):
                prices[:, column] *= np.exp(carry * ((end - at) / YEAR_NS))
            # Carry within the day moves an extreme by less than a tick.
            prices[:, 1] = np.maximum(prices[:, 1], np.maximum(prices[:, 0], prices[:, 3]))
            prices[:, 2] = np.minimum(prices[:, 2], np.minimum(prices[:, 0], prices[:, 3]))
        prices = np.round(prices * asset.ticks) / asset.ticks
        vix = es[:, BARS.index("vix")]
        numbers = np.column_stack((prices, volume, vix, iv)).tolist()
        return tuple(
            DailyBar(day.toordinal(), first, high, low, last, v, x, i)
            for day, (first, high, low, last, v, x, i) in zip(dates, numbers, strict=True)
        )

    def drawn(self, factor: str) -> Drawn:
        """The state of a factor: in memory, from its folder, or made now."""
        found = self._drawn.get(factor)
        if found is None:
            found = self._drawn[factor] = self._load(factor)
        return found

    def listed(self, symbol: str) -> Catalogue:
        """Everything an underlying lists in the window."""
        found = self._listed.get(symbol)
        if found is None:
            calendar, dates = self._loaded.timeline.calendar, self._loaded.dates
            found = self._listed[symbol] = Catalogue.of(_catalogue(calendar, symbol, dates[0], dates[-1]))
        return found

    def _load(self, factor: str) -> Drawn:
        loaded, level = self._loaded, self._levels[factor]
        columns, sessions = int(loaded.state.offset[-1]), len(loaded.state.bars)
        folder = None
        if self._folder is not None:
            name = f"{self._folder.name}-{factor}-{factors.digest(factor, self._fingerprint, level)}"
            folder = self._folder.with_name(name)
            if folder.is_dir():
                return factors.load(folder, columns, sessions)
        timeline, p = loaded.timeline, self._parameters
        days = [timeline.session(d) for d in timeline.dates[loaded.first : loaded.first + sessions]]
        if not self._paths:  # all factors begin with the same
            self._paths = building.index_paths(timeline, days, self._seed, p, self._weather)
        made = factors.draw(factor, timeline, days, loaded.state, self._paths, level, self._seed, p)
        if folder is None:
            return made
        building.store({"spot": made.spot, "bars": made.bars}, folder)
        return factors.load(folder, columns, sessions)

    def _surface(self, asset: Asset, session: date, es: Term, own: slice) -> tuple[Parameters, Term]:
        """Parameters of the surface and its term structure by column, from those of ES."""
        p = self._parameters
        if asset.factor == INDEX:
            return p, es
        factor, bars = FACTORS[asset.factor], self.drawn(asset.factor).bars
        row, column = self._loaded.row(session), FACTOR_BARS.index("own")
        elapsed = self._loaded.timeline.elapsed(self._loaded.timeline.session(session))
        before, after = bars[row - 1, column], bars[row, column]
        month = np.sqrt(es.theta(np.array(MONTH), p) * (252.0 / MONTH))
        level = factors.volatility(factor, before + (after - before) * elapsed[own] / elapsed[-1], month)
        surface = replace(p, rho=factor.rho, dividend=p.rate - factor.carry(p.rate))
        if factor.to_vix == 1.0:
            return surface, scaled(es, level / month * asset.power)
        surface = replace(surface, front=FRONT)
        return surface, scaled(term_of_volatility(level, factor.volatility, surface), asset.power)

    def _spot(self, asset: Asset, path: Floats) -> Floats:
        """The asset's own spot from its factor's; a fund's to the cent."""
        if asset.factor != INDEX and asset.power != 1.0:
            path = self._levels[asset.factor] ** (1.0 - asset.power) * path**asset.power
        spot = asset.share * path
        return np.round(spot * asset.ticks) / asset.ticks if asset.scheme is Scheme.FUND else np.array(spot)

    def _volume(self, symbol: str, session: date, es: Floats) -> Floats:
        ratio = ASSETS[symbol].volume
        if not ratio:
            return np.full(len(es), np.nan)
        draw = normals(key(self._seed, "volume", symbol, session.toordinal()), 1)[0]
        return np.asarray(np.floor(ratio * np.exp(0.2 * draw) * (es - es[0])))

    def _front(self, symbol: str, session: date) -> int:
        calendar = self._loaded.timeline.calendar
        match ASSETS[symbol].scheme:
            case Scheme.MICRO:
                return future_end(calendar, front_expiration(calendar, session))
            case Scheme.FUTURE:
                return listing_others.front_end(calendar, symbol, session)
            case _:
                return 0

    def _settlements(self, symbol: str, series: Series, session: date) -> tuple[Floats, Floats]:
        asset, loaded = ASSETS[symbol], self._loaded
        closes = self._bar_prices(asset, slice(0, len(loaded.state.bars)))[0][:, 3]
        p = self._parameters
        carry = p.carry if asset.factor == INDEX else FACTORS[asset.factor].carry(p.rate)
        return settlements(loaded, self.listed(symbol).item(series), session, closes, carry)

    def _bar_prices(self, asset: Asset, rows: slice) -> tuple[Floats, Floats]:
        """Spot of an asset at open, high, low and close of the sessions of ``rows``, float64 [rows, 4], and iv30."""
        if asset.factor == INDEX:
            bars, names = self._loaded.state.bars[rows], ("i_open", "i_high", "i_low", "i_close")
            four = bars[:, [BARS.index(name) for name in names]]
            iv = bars[:, BARS.index("iv30")]
        else:
            bars = self.drawn(asset.factor).bars[rows]
            regular = asset.scheme is Scheme.FUND
            names = ("r_open", "r_high", "r_low", "close") if regular else ("open", "high", "low", "close")
            four = bars[:, [FACTOR_BARS.index(name) for name in names]]
            iv = bars[:, FACTOR_BARS.index("iv30")] * asset.power
        return self._spot(asset, four), np.asarray(iv)

    def _bar_times(self, asset: Asset, rows: slice) -> tuple[Ints, Ints, Ints, Ints]:
        """The instants of open, high, low and close of those sessions, UTC nanoseconds."""
        loaded = self._loaded
        bars = self.drawn(asset.factor).bars[rows]
        dates = loaded.timeline.dates[loaded.first + rows.start : loaded.first + rows.stop]
        opens = np.array([loaded.timeline.session(day).open_ns for day in dates], np.int64)
        high, low = (
            opens + bars[:, FACTOR_BARS.index(name)].astype(np.int64) * MINUTE_NS for name in ("high_at", "low_at")
        )
        return opens, high, low, loaded.close_ns[rows]


def _catalogue(calendar: Calendar, symbol: str, start: date, end: date) -> tuple[Listed, ...]:
    match ASSETS[symbol].scheme:
        case Scheme.MICRO:
            return micro(catalogue(calendar, start, end))
        case Scheme.INDEX:
            return listing_others.of_spx(calendar, start, end)
        case Scheme.FUND:
            return listing_others.of_fund(calendar, symbol, start, end)
        case Scheme.FUTURE:
            return listing_others.of_future(calendar, symbol, start, end)


def _session(loaded: Loaded, day: date) -> date:
    """``day`` where it is a session, else the next one."""
    calendar = loaded.timeline.calendar
    return day if calendar.is_session(day) else calendar.next_session(day)
