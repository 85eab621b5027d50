"""A strategy that fails in the middle of a session, and a session that goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time
from typing import Final

from conf.living import living
from live.contained import FAULT, Contained
from live.market import About
from sim.model.order import OrderRequest, Pass
from sim.view import View
from tests.live.seated import Seat, configuration, seated

WHY: Final = "ZeroDivisionError: by zero"


@dataclass(frozen=True, slots=True)
class Broken:
    name: str = "broken"
    underlyings: tuple[str, ...] = ("SPY",)

    def wakes(self, day: date) -> tuple[time, ...]:
        return (time(10, 15),)

    def describe(self) -> str:
        return "divides by zero"

    def decide(self, view: View) -> Sequence[OrderRequest | Pass]:
        raise ZeroDivisionError("by\n zero")


def test_the_strategies_of_a_session_are_contained() -> None:
    made = living(configuration(), "key", About("m", "s", synthetic=True))
    assert [type(each) for each in made.core.session.engine.strategies] == [Contained]
    assert [each.describe() for each in made.core.session.engine.strategies] == [s.describe() for s in made.strategies]


def test_what_a_strategy_dies_of_is_a_refusal_that_is_told_and_the_session_goes_on() -> None:
    async def scenario(s: Seat) -> None:
        engine = s.it.core.session.engine
        broken = Broken()
        engine.strategies = (*engine.strategies, Contained(broken))
        s.it.runner.strategies = (*s.it.runner.strategies, broken)
        await s.to(10, 17)
        refused = [r.refused for r in s.it.core.session.refusals if r.refused.strategy == "broken"]
        assert {(no.rule, no.detail) for no in refused} == {(FAULT, WHY)}
        assert f"REFUSAL: broken: The strategy failed ({WHY})" in s.said
        assert await s.opened()

    seated(scenario)
