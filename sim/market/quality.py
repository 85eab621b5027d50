"""``data check``: every session of a market, fit to trade on or not, and why not.

A day is judged underlying by underlying (``sim.market.fitness`` has the limits) and the worst decides; reasons begin
with the underlying. It reads any ``Market`` one day at a time; of one that a model prices by one formula, a sample:
the nearest series, their strikes around the money. Leaving out a day is the user's decision, by the dates of a run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any, Final

from sim.calendar import Venue, load_calendar
from sim.market.fitness import Limits, Verdict, check_day
from sim.market.manifest import Source
from sim.model.errors import DataError
from sim.ports import Market

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


def check_market(market: Market, limits: Limits = DEFAULT, *, only: str | None = None) -> list[DayCheck]:
    """Every session of every underlying with options (or of ``only`` that one), by date, and the sessions that are
    missing inside a run. DataError where the market has no options on it."""
    found: dict[date, list[Verdict]] = {}
    quoted = {p.underlying: Venue(p.venue) for p in market.products()}
    if only is not None and only not in quoted:
        raise DataError(f"market {market.name!r} has no options on {only!r}: it has {', '.join(sorted(quoted))}")
    for underlying in market.underlyings():
        if underlying not in quoted or only not in (None, underlying):
            continue
        sessions = market.sessions(underlying)
        for session in sessions:
            verdict = check_day(market, market.day(underlying, session), limits)
            found.setdefault(session, []).append(verdict)
        for session in _missing(sessions, quoted[underlying], limits.run_sessions):
            found.setdefault(session, []).append(Verdict(underlying, ("missing session",)))
    return [_merged(session, found[session]) for session in sorted(found)]


REFUSED: Final = ("negative", "off_tick", "conflicting")
"""Why an import drops a row that ought to have been a quote. Rows dropped for other reasons are not wrong."""


def check_import(sources: Sequence[Source], limits: Limits = DEFAULT) -> str | None:
    """What speaks against a whole import, None where nothing does: too many of its rows were no quotes."""
    read = sum(s.rows_in for s in sources)
    counts = {reason: sum(s.dropped.get(reason, 0) for s in sources) for reason in REFUSED}
    share = 100.0 * sum(counts.values()) / max(read, 1)
    if share <= limits.refused_pct:
        return None
    why = ", ".join(f"{reason} {count:,}" for reason, count in counts.items() if count)
    return f"the import refused {share:.1f} % of {read:,} rows ({why}), more than {limits.refused_pct:g} %"


def _missing(sessions: Sequence[date], venue: Venue, reach: int) -> Iterator[date]:
    for before, after in pairwise(sessions):
        between = load_calendar().sessions(venue, before, after)
        if len(between) - 1 <= reach:
            yield from between[1:-1]


def _merged(session: date, verdicts: Sequence[Verdict]) -> DayCheck:
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
