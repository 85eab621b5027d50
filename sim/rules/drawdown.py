"""The drawdown ladder: an account that loses trades smaller, then not at all, then closes and rests.

The drawdown is taken from the highest net liquidation at a session's end, or now. A stop does not last for ever, else
an account that has closed everything could never recover: after its rest the ladder counts from a new start, and size
stays reduced until the drawdown from the highest point of all is small again. The worst step has no way back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from sim.model.book import Account
from sim.model.errors import ConfigError
from sim.model.given import COUNT, SHARE, amount, number, optional, section, whole
from sim.model.order import OrderRequest, Pass
from sim.model.past import Past
from sim.rules.gate import BpAfter, Refusal
from sim.view import View

CALM: Final = ""
YELLOW: Final = "YELLOW"
ORANGE: Final = "ORANGE"
RED: Final = "RED"
TERMINAL: Final = "CATASTROPHIC_LOSS"


@dataclass(frozen=True, slots=True)
class Stand:
    """Where an account stands on the ladder: ``label``, the ``drawdown`` from ``peak`` as a share, and since which
    session it has been stopped (None: it is not)."""

    label: str
    drawdown: Decimal
    peak: Decimal
    since: date | None


@dataclass(frozen=True, slots=True)
class _Walk:
    """A walk over session ends: ``top`` the highest of all, ``peak`` the highest since the last new start."""

    top: Decimal
    peak: Decimal
    last: Decimal
    label: str = CALM
    since: date | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Ladder:
    """Shares of the peak at which the steps begin, each included; ``size`` the factor of YELLOW.

    Equal to itself only: where an account stands on it is asked several times at one moment, and worked out once.
    ``rests``: calendar days that ORANGE and RED last at most (None: until the drawdown is smaller again).
    """

    yellow: Decimal
    orange: Decimal
    red: Decimal
    terminal: Decimal
    size: float
    rests: tuple[tuple[str, int | None], ...]

    @staticmethod
    def of(config: Mapping[str, Any]) -> Ladder:
        where, names = "rules.drawdown", ("yellow", "orange", "red", "terminal")
        row = section(where, config, (*names, "size", "rest_days"), ("enabled",))
        steps = [amount(f"{where}.{name}", row[name], SHARE) for name in names]
        if not steps[0] <= steps[1] <= steps[2] <= steps[3]:
            raise ConfigError(
                f"rules.drawdown: {', '.join(names)} are {', '.join(map(str, steps))}: wanted rising shares"
            )
        days = section(f"{where}.rest_days", row["rest_days"], (ORANGE, RED))
        rests = tuple((s, optional(whole, f"{where}.rest_days.{s}", days[s], COUNT)) for s in (ORANGE, RED))
        size = number(f"{where}.size", row["size"], SHARE)
        return Ladder(steps[0], steps[1], steps[2], steps[3], size, rests)

    def label(self, drawdown: Decimal) -> str:
        """The step of a drawdown, whatever came before."""
        steps = ((self.terminal, TERMINAL), (self.red, RED), (self.orange, ORANGE), (self.yellow, YELLOW))
        return next((name for least, name in steps if drawdown >= least), CALM)

    def stand(self, account: Account, session: date) -> Stand:
        """Where the account stands now, in the session of that date."""
        return _stand(self, account.past, account.nlv, session)

    def factor(self, request: OrderRequest | Pass, view: View) -> float:
        """The size factor of new orders."""
        return self.size if self.stand(view.account, view.session).label == YELLOW else 1.0

    def describe(self) -> str:
        return f"from {self.yellow:.0%} drawdown size x {self.size:g}"


def _drop(now: Decimal, peak: Decimal) -> Decimal:
    return 1 - now / peak if peak > 0 else Decimal(1)


@lru_cache(maxsize=4)
def _stand(ladder: Ladder, past: Past | None, now: Decimal, session: date) -> Stand:
    walk = _step(ladder, _Walk(now, now, now) if past is None else _walked(ladder, past), session, now)
    fall, whole = _drop(now, walk.peak), _drop(now, walk.top)
    if walk.label:
        return Stand(walk.label, whole if walk.label == TERMINAL else fall, walk.peak, walk.since)
    return Stand(ladder.label(max(fall, min(whole, ladder.yellow))), whole, walk.top, None)


def _walked(ladder: Ladder, past: Past) -> _Walk:
    """The walk over all session ends, from where the last one stopped. Most ends change nothing and are passed by."""
    done, found = past.kept.get(ladder, (0, None))
    walk = found if isinstance(found, _Walk) else _Walk(past.start, past.start, past.start)
    if done == len(past.ends):
        return walk
    line = _line(ladder, walk)
    for end in past.ends[done:]:
        if walk.label == CALM and line < end.nlv <= walk.peak:
            continue
        walk = _step(ladder, walk, end.session, end.nlv)
        line = _line(ladder, walk)
    past.kept[ladder] = len(past.ends), walk
    return walk


def _line(ladder: Ladder, walk: _Walk) -> Decimal:
    """Net liquidation above which an account that is not stopped stays so."""
    return max(walk.peak * (1 - ladder.orange), walk.top * (1 - ladder.terminal))


def _step(ladder: Ladder, walk: _Walk, day: date, now: Decimal) -> _Walk:
    if walk.label == TERMINAL:
        return walk
    top = max(walk.top, now)
    if _drop(now, top) >= ladder.terminal:
        return replace(walk, top=top, last=now, label=TERMINAL, since=day)
    label, since, peak = walk.label, walk.since, walk.peak
    rest = dict(ladder.rests).get(label)
    if since is not None and rest is not None and day >= since + timedelta(days=rest):
        label, since, peak = CALM, None, walk.last
    peak = max(peak, now)
    found = ladder.label(_drop(now, peak))
    if found in (RED, TERMINAL) and label != RED:
        label, since = RED, day
    elif found == ORANGE and label == CALM:
        label, since = ORANGE, day
    elif found not in (ORANGE, RED, TERMINAL) and (label == ORANGE or rest is None):
        label, since = CALM, None
    return _Walk(top, peak, now, label, since)


@dataclass(frozen=True, slots=True)
class DrawdownStop:
    """Nothing is opened from ORANGE on."""

    ladder: Ladder
    code: str = "drawdown"
    needs_legs: bool = False

    def check(self, request: OrderRequest | Pass, view: View, _: BpAfter) -> Refusal | None:
        stand = self.ladder.stand(view.account, view.session)
        if stand.label in (CALM, YELLOW):
            return None
        name = stand.label if stand.label == TERMINAL else f"Drawdown {stand.label}"
        return Refusal(name, f"{stand.drawdown:.1%} below {stand.peak:,.0f}, stopped since {stand.since}")

    def describe(self) -> str:
        a = self.ladder
        rests = ", ".join(f"{name} {'until recovered' if n is None else f'{n} days'}" for name, n in a.rests)
        return (
            f"drawdown: size x {a.size:g} from {a.yellow:.0%}, nothing new from {a.orange:.0%}, all closed from "
            f"{a.red:.0%}, the end at {a.terminal:.0%} (stops last: {rests})"
        )
