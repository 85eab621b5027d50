"""The exits of a configuration, in the trader's words, as the values that the engine watches."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from sim.calendar import parse_time
from sim.model.errors import ConfigError
from sim.model.exits import CloseAt, CrossAfter, Exit, ProfitTarget, Review, StopLoss

_KEYS = {"profit", "stop", "at", "date", "final", "review", "walk"}


def exits_of(config: Mapping[str, Any]) -> tuple[Exit, ...]:
    """From ``{profit: 0.5, stop: 2.0, review: {at, profit, stop}, at: "15:00", final: "15:30",
    date: 2024-08-05}``; null leaves one out.

    ``profit`` share of the credit earned; ``stop`` loss in multiples of the credit; ``at`` closes, not
    before the trade date ``date``; ``final`` crosses the spread; a closing order waits ``walk`` minutes before it
    crosses too.
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
        final, on = config.get("final"), config.get("date")
        if final is not None and parse_time(final) < parse_time(at):
            raise ConfigError(f"strategy.exits.final is {final!r}, before exits.at {at!r}: the last exit comes last")
        out.append(
            CloseAt(parse_time(at), None if final is None else parse_time(final), None if on is None else _date(on))
        )
    elif config.get("final") is not None or config.get("date") is not None:
        raise ConfigError(
            "strategy.exits.final or exits.date is set without exits.at: set at as well, or leave both null"
        )
    if (walk := config.get("walk")) is not None:
        if isinstance(walk, bool) or not isinstance(walk, int) or walk < 1:
            raise ConfigError(f"strategy.exits.walk is {walk!r}: wanted whole minutes above 0, or null")
        out.append(CrossAfter(walk))
    return tuple(out)


def _date(value: Any) -> date:
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ConfigError(f"strategy.exits.date is {value!r}: wanted a date like 2024-08-05") from None


def _number(name: str, value: Any, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low < value <= high:
        raise ConfigError(
            f"strategy.exits.{name} is {value!r}: wanted a number above {low:g}, at most {high:g}, or null"
        )
    return float(value)
