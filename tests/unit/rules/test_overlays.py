"""Overlays that are off by default: Greeks, the account within a session, unlike groups that move alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, time
from decimal import Decimal
from math import nan
from typing import Any

import numpy as np
import pytest

from sim.model.errors import ConfigError, DataError
from sim.model.market import DailyBar
from sim.model.order import OrderRequest
from sim.model.past import Exposure
from sim.rules.alike import CorrelationSpike
from sim.rules.correlation import Correlation
from sim.rules.greeks import GreeksLimit
from sim.rules.intraday import Intraday
from tests.asked import DEFAULT, FRIDAY, PHASES, UNITS, account, free, request, said, view, wish
from tests.hand import ES_WEEK, HandDay, HandMarket, contract
from tests.rig import Play, play

CORRELATION = Correlation.of(DEFAULT["correlation"], UNITS)
GREEKS = GreeksLimit.of(DEFAULT["greeks"], CORRELATION, PHASES)
INTRADAY = Intraday.of(DEFAULT["intraday"], PHASES)
SPIKE = CorrelationSpike.of(DEFAULT["correlation_spike"], CORRELATION)


@dataclass(frozen=True)
class Sensitive:
    """Given Greeks: ``held`` (delta, vega) by underlying, ``own`` of a contract of the order."""

    held: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    own: tuple[float, float] = (0.0, 0.0)
    broken: bool = False

    def losses(self, move: float, vol: float) -> Mapping[str, Decimal]:
        return {}

    def loss_of(self, request: OrderRequest, move: float, vol: float) -> Decimal:
        return Decimal(0)

    def exposures(self) -> Mapping[str, Exposure]:
        return {name: exposure(*pair) for name, pair in self.held.items()}

    def exposure_of(self, request: OrderRequest) -> Exposure:
        if self.broken:
            raise DataError("no ask of 5485C at this minute")
        return exposure(*self.own)


def exposure(delta: float, vega: float) -> Exposure:
    return Exposure(delta=Decimal(str(delta)), vega=Decimal(str(vega)))


def greeks(
    stress: Sensitive | None, nlv: float = 100_000, rule: GreeksLimit = GREEKS, spot: float = 5_450.0
) -> str | None:
    return said(rule.check(request(), view(spot=spot, acc=account(nlv, stress=stress)), free))


class TestGreeks:
    def test_a_move_of_one_per_cent_either_way(self) -> None:
        """Phase 4: 1.5 % of 100,000 for a move of 1 %."""
        assert greeks(Sensitive(own=(150_000, 0))) is None
        assert greeks(Sensitive(own=(150_001, 0))) == "Group A1 delta above its limit"
        assert greeks(Sensitive(own=(-150_001, 0))) == "Group A1 delta above its limit"

    @pytest.mark.parametrize(("nlv", "most"), [(30_000, 15_000), (40_000, 30_000), (60_000, 60_000), (75_000, 112_500)])
    def test_by_phase(self, nlv: int, most: int) -> None:
        assert greeks(Sensitive(own=(most, 0)), nlv) is None
        assert greeks(Sensitive(own=(most + 101, 0)), nlv) == "Group A1 delta above its limit"

    def test_ten_volatility_points(self) -> None:
        assert greeks(Sensitive(own=(0, -500))) is None
        assert greeks(Sensitive(own=(0, -500.1))) == "Group A1 vega above its limit"

    def test_what_moves_together_counts_together(self) -> None:
        held = {"SPY": (100_000.0, 0.0), "GC": (900_000.0, 0.0)}
        assert greeks(Sensitive(held, (50_000, 0))) is None
        assert greeks(Sensitive(held, (50_001, 0))) == "Group A1 delta above its limit"

    def test_an_order_that_makes_it_smaller_passes(self) -> None:
        held = {"ES": (400_000.0, -900.0)}
        assert greeks(Sensitive(held, (-100_000, 100))) is None
        assert greeks(Sensitive(held, (-800_001, 900))) == "Group A1 delta above its limit", "beyond the other side"

    @pytest.mark.parametrize(
        ("nlv", "delta", "passes"),
        [(30_000, -400, False), (30_000, -250, True), (75_000, -1_100, False), (75_000, -900, True)],
    )
    def test_shares_of_spy_by_phase(self, nlv: int, delta: int, passes: bool) -> None:
        """-400 and -250 in phase 1, -1,100 and -900 in phase 4 (rulebook 7.6): the limits hold on either side."""
        loose = {
            **DEFAULT["greeks"],
            "one_per_cent": [1, 1, 1, 1],
            "ten_points": 1,
            "spy_shares": [300, 500, 750, 1000],
        }
        rule = GreeksLimit.of(loose, CORRELATION, PHASES)
        for sign in (1, -1):
            found = greeks(Sensitive(own=(sign * delta * 545.0, 0)), nlv, rule)
            assert (found is None) == passes
        assert greeks(Sensitive(own=(delta * 545.0, 0)), nlv, rule, spot=nan) == "Greeks unknown"

    def test_what_cannot_be_asked_blocks(self) -> None:
        assert greeks(None) == "Greeks unknown"
        assert greeks(Sensitive(broken=True)) == "Greeks unknown"

    @pytest.mark.parametrize("changes", [{"one_per_cent": [0.01]}, {"ten_points": 0}, {"spy_shares": [1, 2, 3, 0]}])
    def test_limits_that_make_no_sense(self, changes: dict[str, Any]) -> None:
        with pytest.raises(ConfigError, match=r"rules\.greeks"):
            GreeksLimit.of({**DEFAULT["greeks"], **changes}, CORRELATION, PHASES)


def within(path: Sequence[float] | None, nlv: float = 100_000, rule: Intraday = INTRADAY) -> str | None:
    return said(rule.check(wish("x"), view(acc=account(nlv, today=path)), free))


class TestIntraday:
    CALM = replace(INTRADAY, drawdown=None)

    def test_three_per_cent_in_five_minutes(self) -> None:
        assert within([100, 99.5, 99, 98.5, 98, 97.01], rule=self.CALM) is None
        assert within([100, 99.5, 99, 98.5, 98, 97.0], rule=self.CALM) == "Breaker: 3% within 5 minutes"
        assert within([100, 100, 99.5, 99, 98.5, 98, 97.5], rule=self.CALM) is None, "2.5 % in the last five"

    def test_two_in_phase_one(self) -> None:
        assert within([100, 98], 30_000, self.CALM) == "Breaker: 2% within 5 minutes"

    def test_it_rests_for_half_an_hour(self) -> None:
        """The last minute that is three per cent below one of the five before it is minute 5."""
        fell = [100, 96]
        assert within([*fell, *[96] * 34], rule=self.CALM) == "Breaker: 3% within 5 minutes"
        assert within([*fell, *[96] * 35], rule=self.CALM) is None

    def test_a_rise_is_no_fall(self) -> None:
        assert within([90, 100, 110]) is None

    def test_below_the_best_of_the_session(self) -> None:
        slow = list(np.linspace(100, 97.01, 300))
        assert within(slow) is None
        assert within([*slow, 97.0]) == "Breaker: 3% below the session's best"
        assert within([*slow, 97.0, 98.0]) is None, "while it lasts"

    def test_an_unwatched_account_blocks(self) -> None:
        assert within(None) == "Account path unknown"

    @pytest.mark.parametrize("changes", [{"falls": [0.03]}, {"minutes": 0}, {"rest": -1}, {"drawdown": 0}])
    def test_numbers_that_make_no_sense(self, changes: dict[str, Any]) -> None:
        with pytest.raises(ConfigError, match=r"rules\.intraday"):
            Intraday.of({**DEFAULT["intraday"], **changes}, PHASES)

    @pytest.mark.parametrize("jump", [True, False])
    def test_the_desk_tells_the_path_up_to_now(self, jump: bool) -> None:
        """A put sold at 5.00 that costs 6.00, 9.00 and 7.00 in the minutes after: known so far, and no further."""
        later = date(2024, 8, 30)
        put = contract(ES_WEEK, later, 5400.0, "P", "ESU4")
        table = {put: ([100, 100, 100, 120, 180, 140], [101, 101, 101, 121, 181, 141])}
        market = HandMarket([HandDay(ES_WEEK, FRIDAY, table, [5_450.0] * 6)])
        seen: list[tuple[np.ndarray, Decimal]] = []

        def wants(now: Any) -> list[OrderRequest]:
            path = now.account.today()
            seen.append((path, now.account.nlv))
            return [request("-5400P", later, limit=None, strategy="seller")] if len(seen) == 1 else []

        wakes = tuple(time(18, m) for m in range(6))
        play(market, [Play("seller", ("ES",), wants, wakes)], jump=jump)
        assert [len(path) for path, _ in seen] == [1, 2, 3, 4, 5, 6]
        for path, nlv in seen:
            assert path[-1] == pytest.approx(float(nlv))
        moves = np.diff(seen[-1][0])
        assert moves[2:] == pytest.approx([-50.0, -150.0, 100.0])


def bars(closes: Sequence[float]) -> list[DailyBar]:
    return [DailyBar(date(2024, 5, 1).toordinal() + i, c, c, c, c, 0.0, nan, nan) for i, c in enumerate(closes)]


class TestCorrelationSpike:
    WALK = tuple(100 * np.exp(np.cumsum(np.random.default_rng(5).normal(0, 0.01, 61))))

    def held(self, *claims: str, closes: Sequence[float] = WALK) -> str | None:
        return said(SPIKE.check(wish("x"), view(acc=account(100_000, claims=claims), before=bars(closes)), free))

    def test_an_unlike_group_that_moves_alike(self) -> None:
        """Every underlying of this market has the same closes: correlation 1."""
        assert self.held("strangle GC") == "Correlation with GC above 0.90"

    def test_groups_that_count_as_one_are_asked_of_correlation(self) -> None:
        assert self.held("lt112 MES", "ipmcc SPY") is None

    def test_too_few_closes_say_nothing(self) -> None:
        assert self.held("strangle GC", closes=self.WALK[1:]) is None
        assert self.held("strangle GC", closes=[100.0] * 61) is None

    def test_the_measure_itself(self) -> None:
        assert SPIKE._rho(view(before=bars(self.WALK)), "ES", "GC") == pytest.approx(1.0)

    @pytest.mark.parametrize("changes", [{"above": 0}, {"above": 1.1}, {"returns": 2}])
    def test_numbers_that_make_no_sense(self, changes: dict[str, Any]) -> None:
        with pytest.raises(ConfigError, match=r"rules\.correlation_spike"):
            CorrelationSpike.of({**DEFAULT["correlation_spike"], **changes}, CORRELATION)
