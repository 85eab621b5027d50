"""How large a trade may be: Kelly and its fraction, expectancy, whole contracts; and the health score of a position.

Pure arithmetic, every number given by the caller. Nothing is ever rounded up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import inf
from typing import Any

from sim.model.errors import ConfigError
from sim.model.given import COUNT, number, section, whole
from sim.model.past import Result


@dataclass(frozen=True, slots=True)
class Record:
    """Closed trades in short: share that won, average win and average loss (both positive), all in one currency."""

    trades: int
    wins: float
    avg_win: float
    avg_loss: float

    @staticmethod
    def of(results: Iterable[Result]) -> Record:
        """A trade that came to nothing counts as a loss of nothing."""
        nets = [float(r.net) for r in results]
        won, lost = [n for n in nets if n > 0], [-n for n in nets if n <= 0]
        return Record(
            len(nets),
            len(won) / len(nets) if nets else 0.0,
            sum(won) / len(won) if won else 0.0,
            sum(lost) / len(lost) if lost else 0.0,
        )

    @property
    def expectancy(self) -> float:
        """What a trade brings on average."""
        return expectancy(self.wins, self.avg_win, self.avg_loss)

    @property
    def kelly(self) -> float:
        return kelly(self.wins, self.avg_win, self.avg_loss)


def expectancy(wins: float, avg_win: float, avg_loss: float) -> float:
    """``wins`` share of trades that win, ``avg_loss`` positive: what a trade brings on average."""
    return wins * avg_win - (1 - wins) * avg_loss


def kelly(wins: float, avg_win: float, avg_loss: float) -> float:
    """Kelly's share of capital, (W x avg win - L x avg loss) / avg win.

    Negative where the trade loses on average, minus infinity where nothing is ever won.
    """
    return expectancy(wins, avg_win, avg_loss) / avg_win if avg_win > 0 else -inf


def risk_fraction(share: float, part: float, cap: float) -> float:
    """The share of the account to risk: ``part`` of Kelly's ``share``, from 0 to ``cap``."""
    return min(max(part * share, 0.0), cap)


def contracts(risk: Decimal, loss_each: Decimal, *limits: int) -> int:
    """Whole contracts whose loss stays within ``risk``, within every limit; 0 where there is none. A contract that
    cannot lose is held by the limits alone."""
    if risk <= 0:
        return 0
    by_risk = [int(risk // loss_each)] if loss_each > 0 else []
    return max(min([*by_risk, *limits], default=0), 0)


@dataclass(frozen=True, slots=True)
class HealthWeights:
    """Points that each trouble costs, of a hundred in all."""

    late: float
    at_stop: float
    group: float
    buying_power: float
    late_below: int
    """Days to expiration below which a position is late."""

    @staticmethod
    def of(config: Mapping[str, Any]) -> HealthWeights:
        names = ("late", "at_stop", "group", "buying_power")
        row = section("rules.health", config, (*names, "late_below"))
        points = [number(f"rules.health.{name}", row[name], COUNT) for name in names]
        late_below = whole("rules.health.late_below", row["late_below"], COUNT)
        if sum(points) > 100:
            raise ConfigError(f"rules.health is {dict(config)}: wanted points from 0 on, a hundred together at most")
        return HealthWeights(points[0], points[1], points[2], points[3], late_below)


def health(
    weights: HealthWeights,
    *,
    dte: int,
    at_stop: bool,
    group_used: float,
    group_limit: float,
    bp_used: float,
    bp_max: float,
) -> float:
    """100 for a position without troubles. A limit of nothing that is used counts in full."""
    return (
        100.0
        - weights.late * (dte < weights.late_below)
        - weights.at_stop * at_stop
        - weights.group * _used(group_used, group_limit)
        - weights.buying_power * _used(bp_used, bp_max)
    )


def _used(used: float, limit: float) -> float:
    if limit <= 0:
        return 1.0 if used > 0 else 0.0
    return min(used / limit, 1.0)
