"""One minute of a run that is over: it is played again up to there, and somebody looks.

``explain --at`` and ``scenario book RUN`` are made of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, time
from typing import Any, TypeVar

from adapters.replay.drivers import run
from conf.compose import home
from conf.run import Parts, assemble
from sim.model.errors import UsageError
from sim.model.order import OrderRequest, Pass
from sim.view import View

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Onlooker:
    """A strategy that wants nothing: whenever strategies are asked, ``look`` is shown the market."""

    underlyings: tuple[str, ...]
    look: Callable[[View], None]
    name: str = "onlooker"

    def wakes(self, day: date) -> tuple[time, ...]:
        return ()

    def describe(self) -> str:
        return "looks on"

    def decide(self, view: View) -> Sequence[OrderRequest | Pass]:
        self.look(view)
        return ()


def at_minute(config: Mapping[str, Any], day: date, at: time, look: Callable[[Parts, View], T]) -> T:
    """What ``look`` makes of a run at that New York minute of the session. UsageError where the run has no such minute;
    ConfigError and DataError as a backtest."""
    parts = assemble(config, home())
    if not parts.start <= day <= parts.end:
        raise UsageError(f"--date {day} lies outside this run, which reaches from {parts.start} to {parts.end}")
    seen: list[T] = []

    def see(view: View) -> None:
        if view.session == day and view.clock.replace(second=0, microsecond=0) == at:
            seen.append(look(parts, view))

    onlooker, engine = Onlooker(parts.strategies[-1].underlyings[:1], see), parts.session.engine
    engine.strategies = (*engine.strategies, onlooker)
    engine.settings = replace(engine.settings, every_minute=True)
    run(parts.session, parts.broker, parts.market, (*parts.strategies, onlooker), parts.start, day, jump=False)
    if not seen:
        raise UsageError(f"no minute {at:%H:%M} New York in the session of {day}")
    return seen[-1]
