"""The stress of a group: what a shock costs, and what the rule makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, time
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from sim.margin import MarginLine
from sim.model.errors import ConfigError, DataError
from sim.model.order import OrderRequest
from sim.model.past import Exposure
from sim.pricing import black76
from sim.rules.correlation import Correlation
from sim.rules.group_stress import GroupStress
from sim.stress import Smile, StressedBook, greeks, shocked
from tests.asked import DEFAULT, UNITS, account, free, request, said, view
from tests.hand import ES_WEEK, HandDay, HandMarket, contract
from tests.rig import Play, play

OCTOBER = date(2024, 10, 31)
CORRELATION = Correlation.of(DEFAULT["correlation"], UNITS)
RULE = GroupStress.of(DEFAULT["group_stress"], CORRELATION)
UNIT = "+5200P -5150P -2x4920P"


def smile(x: np.ndarray) -> np.ndarray:
    """ATM 12 %, 17 % twelve per cent below: 3 July 2024 as the rulebook models it."""
    return np.asarray(0.12 - 0.39 * x)


def lt112(forward: float = 5_590.0) -> list[MarginLine]:
    """One unit of 3 July 2024: long 5200P, short 5150P, short two 4920P, 120 days."""
    out = []
    for strike, quantity in ((5_200.0, 1), (5_150.0, -1), (4_920.0, -2)):
        iv = float(smile(np.log(np.array(strike / forward))))
        mark = float(black76.price(forward, strike, 120 / 365, iv, False))
        out.append(MarginLine(contract(ES_WEEK, OCTOBER, strike, "P", "ESZ4"), quantity, mark, forward, iv, 120 / 365))
    return out


class TestShock:
    def test_an_lt112_loses_what_the_rulebook_says(self) -> None:
        """6,400 and 16,000 pounds a unit at 1.28 dollars."""
        grid = np.linspace(-0.5, 0.3, 801)
        smiles = {lt112()[0].contract.series: Smile(grid, smile(grid))}
        five, ten = (shocked(lt112(), move, vol, smiles).sum() / 1.28 for move, vol in ((-0.05, 0.5), (-0.10, 1.0)))
        assert five == pytest.approx(6_400, rel=0.08)
        assert ten == pytest.approx(16_000, rel=0.08)

    def test_without_a_smile_the_own_volatility_stands(self) -> None:
        assert shocked(lt112(), -0.05, 0.5, {}).sum() > 10_000

    def test_no_shock_costs_nothing_and_losses_add_up(self) -> None:
        assert shocked(lt112(), 0.0, 0.0, {}) == pytest.approx(np.zeros(3))
        double = [replace(line, quantity=2 * line.quantity) for line in lt112()]
        assert shocked(double, -0.05, 0.5, {}) == pytest.approx(2 * shocked(lt112(), -0.05, 0.5, {}))
        assert shocked([], -0.05, 0.5, {}).size == greeks([])[0].size == 0

    def test_delta_notional_of_a_unit(self) -> None:
        """About 40,000 dollars: delta 0.15 times 5,590 times 50."""
        assert greeks(lt112())[0].sum() == pytest.approx(41_000, rel=0.1)


@dataclass(frozen=True)
class Fixed:
    """A stress with given answers: ``held`` by underlying, ``each`` contract of the request costs ``own``."""

    held: Mapping[str, float] = field(default_factory=dict)
    own: float = 0.0
    broken: bool = False

    def losses(self, move: float, vol: float) -> Mapping[str, Decimal]:
        return self._held()

    def loss_of(self, request: OrderRequest, move: float, vol: float) -> Decimal:
        if self.broken:
            raise DataError("no ask of 4920P at this minute")
        return Decimal(str(self.own * (1 if move == -0.05 else 2))) * request.quantity

    def _held(self) -> dict[str, Decimal]:
        return {name: Decimal(str(value)) for name, value in self.held.items()}

    def exposures(self) -> Mapping[str, Exposure]:
        return {name: Exposure(delta=value) for name, value in self._held().items()}

    def exposure_of(self, request: OrderRequest) -> Exposure:
        return Exposure(delta=Decimal(str(self.own)) * request.quantity)


def asks(stress: Fixed | None, spec: str = UNIT, rule: GroupStress = RULE, **changes: Any) -> str | None:
    order = request(spec, OCTOBER, strategy="lt112", **changes)
    return said(rule.check(order, view(acc=account(75_000, stress=stress)), free))


class TestRule:
    def test_fifteen_per_cent_in_the_shock_thirty_in_the_tail(self) -> None:
        assert asks(Fixed(own=11_250)) is None
        assert asks(Fixed(own=11_250.01)) == "Group A1 stress above 15%"
        twice = replace(RULE, shocks=(replace(RULE.shocks[0], limit=Decimal("0.2")), RULE.shocks[1]))
        assert asks(Fixed(own=11_250.01), rule=twice) == "Group A1 stress above 30%"

    def test_groups_that_move_together_count_together(self) -> None:
        assert asks(Fixed({"SPY": 6_000, "GC": 50_000}, own=5_250)) is None
        assert asks(Fixed({"SPY": 6_000, "GC": 50_000}, own=5_251)) == "Group A1 stress above 15%"
        assert asks(Fixed({"SPY": 6_000, "MES": 6_000}, own=1)) == "Group A1 stress above 15%"
        assert asks(Fixed({"SPY": -6_000}, own=17_000)) == "Group A1 stress above 30%", (
            "a winner counts against a loser"
        )

    def test_a_defined_risk_has_its_own_rule(self) -> None:
        assert asks(Fixed({"ES": 99_000}, own=99_000), "-5425P +5395P") is None

    def test_an_order_that_wins_in_the_shock_passes(self) -> None:
        assert asks(Fixed({"ES": 99_000}, own=-1), "-5900C") is None

    def test_what_cannot_be_computed_blocks(self) -> None:
        assert asks(None) == "Stress unknown"
        assert asks(Fixed(broken=True)) == "Stress unknown"

    def test_more_contracts_more_stress(self) -> None:
        assert [asks(Fixed(own=4_000), quantity=n) is None for n in (1, 2, 3, 4)] == [True, True, False, False]

    def test_delta_notional_is_literal_and_asks_everything(self) -> None:
        rule = GroupStress.of({**DEFAULT["group_stress"], "mode": "delta_notional"}, CORRELATION)
        assert asks(Fixed(own=41_000), rule=rule) == "Group A1 delta above 15%"
        assert asks(Fixed(own=41_000), "-5425P +5395P", rule) == "Group A1 delta above 15%"
        assert asks(Fixed(own=11_250), rule=rule) is None
        assert asks(Fixed({"ES": 40_000}, own=-1_000), rule=rule) is None, "smaller than before"
        assert asks(Fixed({"ES": 40_000}, own=-81_000), rule=rule) == "Group A1 delta above 15%"

    def test_it_can_be_left_alone(self) -> None:
        rule = GroupStress.of({**DEFAULT["group_stress"], "mode": "none"}, CORRELATION)
        assert asks(None, rule=rule) is None

    @pytest.mark.parametrize(
        "changes", [{"mode": "maybe"}, {"shock": {"moves": [], "vol": 1, "limit": 1}},
                    {"tail": {"moves": [-1.5], "vol": 1, "limit": 1}}]
    )  # fmt: skip
    def test_shocks_that_make_no_sense(self, changes: dict[str, Any]) -> None:
        with pytest.raises(ConfigError, match=r"rules\.group_stress"):
            GroupStress.of({**DEFAULT["group_stress"], **changes}, CORRELATION)


class TestOnADay:
    """The desk answers for the account: a naked put is sold, and its loss is in the next question."""

    def test_what_is_open_and_what_is_asked_are_priced_on_the_days_quotes(self) -> None:
        session, expiry = date(2024, 8, 2), date(2024, 8, 30)
        strikes = np.arange(5_000, 5_900, 50)
        years = 28 / 365
        table = {}
        for strike in strikes:
            for right in "CP":
                value = black76.price(5_450.0, float(strike), years, 0.15, right == "C")
                mid = max(round(float(value) / 0.05), 2)
                made = contract(ES_WEEK, expiry, float(strike), right, "ESU4")
                table[made] = ([mid - 1] * 900, [mid + 1] * 900)
        market = HandMarket([HandDay(ES_WEEK, session, table, [5_450.0] * 900)])
        asked: list[tuple[Decimal, Mapping[str, Decimal], Exposure, Mapping[str, Exposure]]] = []
        put = request("-5300P", expiry, strategy="seller", limit=None)

        def wants(seen: Any) -> list[OrderRequest]:
            stress = seen.account.stress
            assert isinstance(stress, StressedBook)
            asked.append(
                (
                    stress.loss_of(put, -0.05, 0.5),
                    stress.losses(-0.05, 0.5),
                    stress.exposure_of(put),
                    stress.exposures(),
                )
            )
            return [put]

        play(market, [Play("seller", ("ES",), wants, (time(0, 0), time(1, 0)))])
        (one, before, own, none), (again, after, _, held) = asked
        assert before == none == {}
        known = [black76.price(f, 5_300.0, years, v, False) for f, v in ((5_450.0, 0.15), (5_450.0 * 0.95, 0.225))]
        assert float(one) == pytest.approx(50 * float(known[1] - known[0]), rel=0.03), "a flat smile"
        assert float(after["ES"]) == pytest.approx(float(again), rel=1e-9)
        assert float(one) == pytest.approx(float(again), rel=0.01)
        for name in ("delta", "gamma", "vega", "theta"):
            assert float(getattr(own, name)) == pytest.approx(float(getattr(held["ES"], name)), rel=0.01)
        greek = black76.greeks(5_450.0, 5_300.0, years, 0.15, False)
        assert float(own.delta) == pytest.approx(-50 * 5_450 * float(greek.delta), rel=0.03)
        assert float(own.gamma) == pytest.approx(-50 * 5_450 * 54.5 * float(greek.gamma), rel=0.03)
        assert float(own.vega) == pytest.approx(-0.5 * float(greek.vega), rel=0.03)
        assert float(own.theta) == pytest.approx(-50 * float(greek.theta), rel=0.03)
        assert own.delta > 0 > own.vega
