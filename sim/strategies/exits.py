"""The exits of a configuration, in the trader's words, as the values that the engine watches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sim.calendar import parse_time
from sim.model.errors import ConfigError
from sim.model.exits import CloseAt, Exit, ProfitTarget, Review, StopLoss

_KEYS = {"profit", "stop", "at", "final", "review"}


def exits_of(config: Mapping[str, Any]) -> tuple[Exit, ...]:
    """From ``{profit: 0.5, stop: 2.0, review: {at, profit, stop}, at: "15:00", final: "15:30"}``; null leaves one out.

    ``profit`` share of the credit earned; ``stop`` loss in multiples of the credit; ``at`` closes, ``final`` crosses.
    """
    unknown = set(config) - _KEYS
    if unknown:
        raise ConfigError(f"strategy.exits has no {sorted(unknown)[0]!r}: it takes {', '.join(sorted(_KEYS))}")
    out: list[Exit] = []
    if (profit := config.get("profit")) is not None:
        out.append(ProfitTarget(_number("profit", profit, 0.0, 1.0)))
    if (stop := config.get("stop")) is not None:
        out.append(StopLoss(_number("stop", stop, 0.0, 100.0)))
    if (review := config.get("review")) is not None:
        share = _number("review.profit", review["profit"], 0.0, 1.0)
        out.append(Review(parse_time(review["at"]), share, _number("review.stop", review["stop"], 0.0, 100.0)))
    if (at := config.get("at")) is not None:
        final = config.get("final")
        out.append(CloseAt(parse_time(at), None if final is None else parse_time(final)))
    elif config.get("final") is not None:
        raise ConfigError("strategy.exits.final is set without exits.at: set both, or neither")
    return tuple(out)


def _number(name: str, value: Any, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low < value <= high:
        raise ConfigError(
            f"strategy.exits.{name} is {value!r}: wanted a number above {low:g}, at most {high:g}, or null"
        )
    return float(value)
