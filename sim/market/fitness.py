"""Whether one underlying's session is fit to trade on, measured against limits that say why they are what they are.

All is measured in the regular hours of the session (09:30 to 16:00 New York for stocks, indices and equity futures,
early closes taken from the calendar), because that is where the strategies trade; a Globex night may be thin. What a
quote may be is asked of ``sim.quotes``: the engine trades on the same quotes that are counted as live here. It repairs
nothing and drops nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from sim.calendar import Session, Venue, load_calendar, ny
from sim.market.cache import ages
from sim.market.parity import Block, Implied, find_shift, implied, median_error, read_block, underlying_of
from sim.model.instrument import Kind, Series
from sim.model.market import BLANK, MINUTE_NS, NEVER, Floats, Ints, Nature
from sim.ports import Market, MarketDay
from sim.quotes import LIMITS, Freshness


@dataclass(frozen=True, slots=True)
class Limits:
    """What a fit day may show, each with its reason. "Real" are LEAN's samples of GOOG, SPXW and ES options."""

    edge_minutes: int = 15
    """Rows must begin and end, and the underlying begin, within this of the regular session's open and close. A stock
    may open some minutes late; an hour is a wrong zone, three hours an early close that the file did not know."""
    gap_minutes: int = 20
    """Longest stretch inside the session without a row in the whole chain. Real: none. A circuit breaker halts
    everything for 15 minutes and the days of March 2020 are wanted, so there is room for it and for the reopening."""
    still_minutes: int = 30
    """Longest time for which the underlying's price may stand still. Real: SPX 1, GOOG 2, ES 5 minutes."""
    crossed_pct: float = 2.0
    """Of the two-sided quotes. The worst real set, SPXW on its day of expiry, has 1.1 % of its rows (48 of 4,218):
    twice that. Swapped sides show nearly all. A crossed quote is never traded on, so a few do no harm."""
    series_crossed_pct: float = 10.0
    """The same for one series alone, so that one swapped expiry cannot hide among many. Real: below 4 %."""
    locked_pct: float = 10.0
    """SPXW on its day of expiry has 5.7 % of its rows (242 of 4,218), mostly worthless strikes at 0.05: twice that."""
    refused_pct: float = 2.0
    """Of the rows of an import: a negative price, one between two ticks, a second one for the same contract and moment
    that says something else. Such a source means other things by its columns than its mapping does. Real: none."""
    stale_pct: float = 50.0
    """Of all contract-minutes. Real days show up to 4 %; beyond one half the gate refuses more than it allows."""
    coverage_pct: float = 50.0
    """Share of minutes with a live call and put of one strike near the money in the best series: without them nothing
    can be sold there, and parity cannot be checked. Real: 99 to 100 %."""
    near_pct: float = 2.5
    """How far from the underlying a strike is near the money, in per cent: its width is still small there."""
    parity_pct: float = 0.1
    """Parity may be off by this, in per cent of the underlying: one strike step of SPX. Real: SPXW 0.007, ES 0.008,
    GOOG 0.03. Where quotes are wider, half the widths of call and put count instead: they do not say more."""
    parity_ceiling_pct: float = 0.5
    """But never by more than this, however wide the quotes."""
    carry_pct: float = 6.0
    """Added for interest and dividends, in per cent a year of the life of the series (not on futures)."""
    shift_factor: float = 3.0
    """A shift must explain the movement of the options so many times better to be named. Real: the right hour leaves a
    fifth of it unexplained (GOOG on a quiet half day) to a sixtieth (SPX); a wrong one 38 % at best (ES in a trend)."""
    enough: int = 30
    """Minutes that a shift must have in common with the session, quotes that a series must have, to conclude from."""
    run_sessions: int = 10
    """Two sessions of one underlying no further apart than this belong to one run; what lies between is missing."""
    sampled_series: int = 3
    sampled_strikes: int = 24
    """Of a market that a model prices: so many of the nearest series, so many strikes of each."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One underlying on one session. ``strain`` is the parity error as a share of what is allowed."""

    underlying: str
    reasons: tuple[str, ...]
    rows: int = 0
    crossed_pct: float | None = None
    locked_pct: float | None = None
    stale_pct: float | None = None
    parity_error: float | None = None
    strain: float = 0.0


@dataclass(frozen=True, slots=True)
class _Regular:
    """The regular hours on the grid of a day: what is new in column ``start`` came in their first minute."""

    open_ns: int
    start: int
    stop: int

    @property
    def columns(self) -> slice:
        return slice(self.start, self.stop)

    def clock(self, i: int) -> str:
        """New York time of the i-th of these columns."""
        return f"{ny(self.open_ns + (self.start + i) * MINUTE_NS):%H:%M}"


@dataclass(slots=True)
class _Counts:
    """Contract-minutes, added up series by series."""

    two_sided: int = 0
    crossed: int = 0
    locked: int = 0
    quoted: int = 0
    stale: int = 0

    def add(self, block: Block, freshness: Freshness) -> tuple[int, int]:
        """Counts a series; its own two-sided and crossed contract-minutes."""
        p = block.path
        newest, oldest = np.minimum(p.bid_age, p.ask_age), np.maximum(p.bid_age, p.ask_age)
        both = (p.bid != BLANK) & (p.ask != BLANK) & (newest == 0) & (oldest <= freshness.side)
        two_sided, crossed = int(both.sum()), int((both & (p.bid > p.ask)).sum())
        self.two_sided += two_sided
        self.crossed += crossed
        self.locked += int((both & (p.bid == p.ask)).sum())
        stale = np.zeros(both.shape, np.bool_)
        for age in (p.bid_age, p.ask_age):
            stale |= (age < NEVER) & (age > freshness.side)
        quoted = newest < NEVER
        if block.chain_age is not None:
            stale |= quoted & (block.chain_age > freshness.chain)
        self.quoted += int(quoted.sum())
        self.stale += int(stale.sum())
        return two_sided, crossed


def check_day(market: Market, day: MarketDay, limits: Limits) -> Verdict:
    """Measures and judges one underlying on one session. No reasons: it is fit."""
    # An AM series no longer trades on the day on which it settles.
    trading = [s for s in day.series() if not (s.product.exercise.morning and s.expiration == day.session)]
    sampled = _priced_by_a_model(market)
    if sampled:
        trading = trading[: limits.sampled_series]
    if not trading:
        return Verdict(day.underlying, ("no option that trades",), day.rows)
    hours = _regular(day, load_calendar().session(Venue(trading[0].product.venue), day.session))
    if hours.stop <= hours.start:
        return Verdict(day.underlying, ("no minute of the regular hours",), day.rows)
    reasons = [*_row_reasons(_chain_age(day, trading, hours), hours, limits)]
    if reasons == [_NO_ROW]:
        return Verdict(day.underlying, (_NO_ROW,), day.rows)
    last = day.path.last
    reasons += _underlying_reasons(last[hours.columns], hours, limits)

    freshness = LIMITS[market.nature]
    counts, parity = _Counts(), _ParityCheck(day, hours, freshness, limits)
    middle = last[hours.columns][np.isfinite(last[hours.columns])]
    near = float(np.median(middle)) if sampled and len(middle) else None
    for series in trading:
        block = read_block(day, series, hours.columns, near, limits.sampled_strikes)
        if block is None:
            continue
        two_sided, crossed = counts.add(block, freshness)
        share = _share(crossed, two_sided)
        if share is not None and two_sided >= limits.enough and share > limits.series_crossed_pct:
            limit = limits.series_crossed_pct
            reasons.append(f"{_named(series)}: {share:.1f} % of its quotes are crossed (limit {limit:g} %)")
        parity.take(block)
    crossed_pct, locked_pct = _share(counts.crossed, counts.two_sided), _share(counts.locked, counts.two_sided)
    stale_pct = _share(counts.stale, counts.quoted)
    for what, value, limit in (
        ("crossed", crossed_pct, limits.crossed_pct),
        ("locked", locked_pct, limits.locked_pct),
        ("stale", stale_pct, limits.stale_pct),
    ):
        if value is not None and value > limit:
            reasons.append(f"{value:.1f} % of the quotes are {what} (limit {limit:g} %)")
    error, strain = parity.judge(reasons)
    return Verdict(day.underlying, tuple(reasons), day.rows, crossed_pct, locked_pct, stale_pct, error, strain)


def _priced_by_a_model(market: Market) -> bool:
    """A sample tells of the whole. What was recorded from such a market is synthetic too, but may lack anything."""
    return market.synthetic and market.nature is Nature.DENSE


def _regular(day: MarketDay, session: Session) -> _Regular:
    start = (session.rth_open_ns - day.open_ns) // MINUTE_NS + 1
    stop = (session.rth_close_ns - day.open_ns) // MINUTE_NS + 1
    return _Regular(day.open_ns, start, min(stop, day.minutes))


_NO_ROW: Final = "no row in the regular hours"


def _chain_age(day: MarketDay, trading: Sequence[Series], hours: _Regular) -> Ints:
    """Minutes since any of the series had a row, by column of the regular hours."""
    out = np.full(hours.stop - hours.start, NEVER, np.int64)
    for series in trading:
        age = day.chain_age(series)
        out = np.minimum(out, 0 if age is None else age[hours.columns])
    return out


def _row_reasons(chain_age: Ints, hours: _Regular, limits: Limits) -> Iterator[str]:
    spoke = np.flatnonzero(chain_age == 0)
    if not len(spoke):
        yield _NO_ROW
        return
    first, last = int(spoke[0]), int(spoke[-1])
    if first > limits.edge_minutes:
        yield f"the first row is of {hours.clock(first)}, {first} minutes after the open"
    inside = chain_age[first : last + 1]
    longest = int(inside.max())
    if longest > limits.gap_minutes:
        yield f"no row for {longest} minutes until {hours.clock(first + int(inside.argmax()) + 1)}"
    early = len(chain_age) - 1 - last
    if early > limits.edge_minutes:
        yield f"the last row is of {hours.clock(last)}, {early} minutes before the close"


def _underlying_reasons(last: Floats, hours: _Regular, limits: Limits) -> Iterator[str]:
    known = np.isfinite(last)
    if not known.any():
        yield "no underlying prices"
        return
    first = int(known.argmax())
    if first > limits.edge_minutes:
        yield f"underlying prices begin at {hours.clock(first)}, {first} minutes after the open"
    still = ages(np.append(True, last[1:] != last[:-1]))
    longest = int(still.max())
    if longest > limits.still_minutes:
        yield f"the underlying stands still for {longest} minutes until {hours.clock(int(still.argmax()))}"


def _share(part: int, whole: int) -> float | None:
    return 100.0 * part / whole if whole else None


def _named(series: Series) -> str:
    return f"{series.product.root} {series.expiration}"


class _ParityCheck:
    """Keeps, of each underlying (one index or stock, or every future), the shortest series that covers the session."""

    __slots__ = ("_best", "_chosen", "_day", "_freshness", "_hours", "_limits", "_spots")

    def __init__(self, day: MarketDay, hours: _Regular, freshness: Freshness, limits: Limits) -> None:
        self._day, self._hours, self._freshness, self._limits = day, hours, freshness, limits
        self._spots: dict[str, Floats] = {}
        self._chosen: dict[str, Implied] = {}
        self._best: Implied | None = None

    def take(self, block: Block) -> None:
        """Series come in order of expiration."""
        future = block.series.future
        if future in self._chosen:
            return
        self._spot(block.series)
        found = implied(block, self._freshness, self._limits.near_pct / 100.0)
        if self._best is None or found.coverage > self._best.coverage:
            self._best = found
        if 100.0 * found.coverage >= self._limits.coverage_pct:
            self._chosen[future] = found

    def judge(self, reasons: list[str]) -> tuple[float | None, float]:
        """The worst error in points with its share of what is allowed; adds to ``reasons``."""
        checked = list(self._chosen.values())
        for future, spot in self._spots.items():
            if future and not np.isfinite(spot[self._hours.columns]).any():
                reasons.append(f"no prices of the future {future}")
        if not checked and self._best is not None:
            covered = 100.0 * self._best.coverage
            reasons.append(
                f"a call and a put of one strike near the money are live in {covered:.0f} % of the minutes "
                f"(wanted {self._limits.coverage_pct:g} %)"
            )
            checked = [self._best]
        worst: tuple[float | None, float] = (None, 0.0)
        for found in checked:
            spot = self._spot(found.series)
            error = median_error(found, spot[self._hours.columns])
            if error is None:
                continue
            allowed = self._allowed(found, spot[self._hours.columns])
            if error > allowed:
                reasons.append(
                    f"put-call parity of {_named(found.series)} is off by {error:.2f} points (limit {allowed:.2f})"
                )
            if worst[0] is None or error / allowed > worst[1]:
                worst = error, error / allowed
            self._zone(found, spot, reasons)
        return worst

    def _spot(self, series: Series) -> Floats:
        if series.future not in self._spots:
            self._spots[series.future] = underlying_of(self._day, series)
        return self._spots[series.future]

    def _allowed(self, found: Implied, spot: Floats) -> float:
        limits, level = self._limits, float(np.nanmedian(spot))
        width = float(np.nanmedian(found.half_width))
        basis = min(max(limits.parity_pct / 100.0 * level, width), limits.parity_ceiling_pct / 100.0 * level)
        if found.series.product.kind is Kind.FUTURE:
            return basis
        years = (found.series.expiration - self._day.session).days / 365.0
        return basis + limits.carry_pct / 100.0 * years * level

    def _zone(self, found: Implied, spot: Floats, reasons: list[str]) -> None:
        limits = self._limits
        shift = find_shift(found, spot, self._hours.columns, factor=limits.shift_factor, points=limits.enough)
        if shift is not None:
            name = found.series.future or "underlying"
            was = "" if shift.before is None else f", as it stands to {shift.before:.2f}"
            reasons.append(
                f"{name} looks shifted by {shift.minutes:+d} minutes against its options (it then follows them to "
                f"{shift.after:.2f} points{was}): wrong time zone?"
            )
