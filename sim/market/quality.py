"""Whether the days of a market are fit to trade on: gaps, crossed, locked and stale quotes, put-call parity, time zones.

All is measured in the regular hours of the session (09:30 to 16:00 New York for stocks, indices and equity futures,
early closes taken from the calendar), because that is where the strategies trade; a Globex night may be thin. A day is
judged underlying by underlying and the worst decides. A day that is not fit says why, in words that begin with the
underlying. It reads any ``Market``, one day at a time; of a synthetic one, which obeys one formula, it takes a sample:
the nearest series and their strikes around the money. It repairs nothing and drops nothing: leaving out a day is the
user's decision, by the dates of the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any, Final

import numpy as np

from sim.calendar import Session, Venue, load_calendar, ny
from sim.market.parity import Block, Implied, find_shift, implied, median_error, read_block, standing, underlying_of
from sim.model.instrument import Kind, Series
from sim.model.market import BLANK, MINUTE_NS, NEVER, Floats, Ints
from sim.ports import Market, MarketDay
from sim.quotes import LIMITS, Freshness


@dataclass(frozen=True, slots=True)
class Limits:
    """What a fit day may show. The reasons stand with the numbers; the real days are LEAN's GOOG, SPXW and ES samples."""

    edge_minutes: int = 15
    """Rows must begin and end, and the underlying begin, within this of the regular session's open and close. Late
    openings of single stocks take a few minutes; an hour is a zone, a missing half day an early close that was not one."""
    gap_minutes: int = 15
    """Longest stretch inside the session without a row in the whole chain. Real chains show none at all; a quarter of an
    hour is the longest market-wide halt of a level 1 or 2 breaker."""
    still_minutes: int = 30
    """Longest time for which the underlying's price may stand still. Real: SPX 1, GOOG 2, ES 5 minutes."""
    crossed_pct: float = 2.0
    """Of the two-sided quotes. The worst real set, SPXW on its day of expiry, has 1.1 % (48 of 4,218): twice that. Sides
    that were swapped show tens of per cent. A crossed quote is never traded on, so a few do no harm."""
    series_crossed_pct: float = 10.0
    """The same for one series alone, so that one swapped expiry cannot hide among many: SPXW's worst is below 4 %."""
    locked_pct: float = 10.0
    """SPXW on its day of expiry has 5.7 % (242 of 4,218), nearly all deep in the money near the close: twice that."""
    stale_pct: float = 50.0
    """Of all contract-minutes. Real days show up to 4 %; beyond one half the gate refuses more than it allows."""
    coverage_pct: float = 50.0
    """Share of minutes with a live call and put of one strike near the money in the best series: without them nothing can
    be sold there, and parity cannot be checked. Real days: 99 to 100 %."""
    near_pct: float = 2.5
    """How far from the underlying a strike is near the money, in per cent: its width is still small there."""
    parity_pct: float = 0.1
    """Parity may be off by this, in per cent of the underlying: one strike step of SPX. Real: SPXW 0.007, ES 0.008,
    GOOG 0.03. Where quotes are wider, half the widths of call and put count instead: they do not say more."""
    parity_ceiling_pct: float = 0.5
    """But never by more than this, however wide the quotes."""
    carry_pct: float = 6.0
    """Added for interest and dividends, in per cent a year of the life of the series (not on futures)."""
    shift_factor: float = 2.0
    """A shift of the underlying must divide the misfit by this to be named. Real days as they are: every other hour is at
    least twice as bad as the right one; shifted by an hour, the right one is 5 (GOOG) to 50 (SPX) times better."""
    shift_minutes: int = 30
    """Minutes a shift must have in common with the session to be tried."""
    run_sessions: int = 10
    """Two sessions of one underlying no further apart than this belong to one run; what lies between is missing."""
    sampled_series: int = 3
    sampled_strikes: int = 24
    """Of a synthetic market: so many of the nearest series, so many strikes of each."""


DEFAULT: Final = Limits()


@dataclass(frozen=True, slots=True)
class DayCheck:
    """One session of a market. Shares in per cent, None where there was nothing to measure.

    ``crossed_pct`` and ``locked_pct``: of the contract-minutes with both sides, carried forward, of which one spoke in
    that very minute and the other is not older than the gate allows. (An older one may have been withdrawn: in a sparse
    source nobody can tell, and that is no crossed market.) ``stale_pct``: of the contract-minutes after a contract's
    first quote, those in which the gate would refuse a side for its age. ``parity_error``: median |K + C - P - F| near
    the money, in points, of the shortest series that can be measured. Of several underlyings the worst stands.
    """

    date: date
    fit: bool
    reasons: tuple[str, ...]
    rows: int
    crossed_pct: float | None
    locked_pct: float | None
    stale_pct: float | None
    parity_error: float | None

    def record(self) -> dict[str, Any]:
        """As JSON; no NaN."""
        return {
            "date": self.date.isoformat(),
            "fit": self.fit,
            "reasons": list(self.reasons),
            "rows": self.rows,
            "crossed_pct": _rounded(self.crossed_pct),
            "locked_pct": _rounded(self.locked_pct),
            "stale_pct": _rounded(self.stale_pct),
            "parity_error": _rounded(self.parity_error),
        }

    def line(self) -> str:
        """As a person reads it."""
        verdict = "fit    " if self.fit else "NOT FIT"
        error = "-" if self.parity_error is None else f"{self.parity_error:.2f}"
        shares = f"crossed {_pct(self.crossed_pct)}  locked {_pct(self.locked_pct)}  stale {_pct(self.stale_pct)}"
        why = f"  {'; '.join(self.reasons)}" if self.reasons else ""
        return f"{self.date}  {verdict}  {self.rows:>9,} rows  {shares}  parity {error:>5}{why}"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _pct(value: float | None) -> str:
    return "     - " if value is None else f"{value:5.2f} %"


@dataclass(frozen=True, slots=True)
class _Verdict:
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


def check_market(market: Market, limits: Limits = DEFAULT) -> list[DayCheck]:
    """Every session of every underlying with options, by date, and the sessions that are missing inside a run."""
    found: dict[date, list[_Verdict]] = {}
    quoted = {p.underlying: Venue(p.venue) for p in market.products()}
    for underlying in market.underlyings():
        if underlying not in quoted:
            continue
        sessions = market.sessions(underlying)
        for session in sessions:
            verdict = _check_day(market, market.day(underlying, session), limits)
            found.setdefault(session, []).append(verdict)
        for session in _missing(sessions, quoted[underlying], limits.run_sessions):
            found.setdefault(session, []).append(_Verdict(underlying, ("missing session",)))
    return [_merged(session, found[session]) for session in sorted(found)]


def _missing(sessions: Sequence[date], venue: Venue, reach: int) -> Iterator[date]:
    for before, after in pairwise(sessions):
        between = load_calendar().sessions(venue, before, after)
        if len(between) - 1 <= reach:
            yield from between[1:-1]


def _merged(session: date, verdicts: Sequence[_Verdict]) -> DayCheck:
    reasons = tuple(f"{v.underlying}: {reason}" for v in verdicts for reason in v.reasons)
    return DayCheck(
        session,
        not reasons,
        reasons,
        sum(v.rows for v in verdicts),
        max((v.crossed_pct for v in verdicts if v.crossed_pct is not None), default=None),
        max((v.locked_pct for v in verdicts if v.locked_pct is not None), default=None),
        max((v.stale_pct for v in verdicts if v.stale_pct is not None), default=None),
        max(verdicts, key=lambda v: (v.parity_error is not None, v.strain)).parity_error,
    )


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


def _check_day(market: Market, day: MarketDay, limits: Limits) -> _Verdict:
    # An AM series no longer trades on the day on which it settles.
    trading = [s for s in day.series() if not (s.product.exercise.morning and s.expiration == day.session)]
    if market.synthetic:
        trading = trading[: limits.sampled_series]
    if not trading:
        return _Verdict(day.underlying, ("no option that trades",), day.rows)
    hours = _regular(day, load_calendar().session(Venue(trading[0].product.venue), day.session))
    if hours.stop <= hours.start:
        return _Verdict(day.underlying, ("no minute of the regular hours",), day.rows)
    reasons = [*_row_reasons(_chain_age(day, trading, hours), hours, limits)]
    if reasons == [_NO_ROW]:
        return _Verdict(day.underlying, (_NO_ROW,), day.rows)
    last = day.path.last
    reasons += _underlying_reasons(last[hours.columns], hours, limits)

    freshness = LIMITS[market.nature]
    counts, parity = _Counts(), _ParityCheck(day, hours, freshness, limits)
    middle = last[hours.columns][np.isfinite(last[hours.columns])]
    near = float(np.median(middle)) if market.synthetic and len(middle) else None
    for series in trading:
        block = read_block(day, series, hours.columns, near, limits.sampled_strikes)
        if block is None:
            continue
        two_sided, crossed = counts.add(block, freshness)
        share = _share(crossed, two_sided)
        if share is not None and two_sided >= limits.shift_minutes and share > limits.series_crossed_pct:
            reasons.append(f"{_named(series)}: {share:.1f} % of its quotes are crossed (limit {limits.series_crossed_pct:g} %)")
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
    return _Verdict(day.underlying, tuple(reasons), day.rows, crossed_pct, locked_pct, stale_pct, error, strain)


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
    still = standing(last)
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
        spot = self._spot(block.series)[self._hours.columns]
        found = implied(block, spot, self._freshness, self._limits.near_pct / 100.0)
        if self._best is None or found.coverage > self._best.coverage:
            self._best = found
        if 100.0 * found.coverage >= self._limits.coverage_pct:
            self._chosen[future] = found

    def judge(self, reasons: list[str]) -> tuple[float | None, float]:
        """The worst error in points with its share of what is allowed; adds to ``reasons``."""
        checked = list(self._chosen.values())
        if not any(np.isfinite(spot[self._hours.columns]).any() for spot in self._spots.values()):
            return None, 0.0
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
        shift = find_shift(
            found, spot, self._hours.columns,
            factor=limits.shift_factor, points=limits.shift_minutes, still=limits.edge_minutes,
        )  # fmt: skip
        if shift is not None:
            name = found.series.future or "underlying"
            reasons.append(
                f"{name} looks shifted by {shift.minutes:+d} minutes against its options (parity then holds to "
                f"{shift.after:.2f} points, not {shift.before:.2f}): wrong time zone?"
            )
