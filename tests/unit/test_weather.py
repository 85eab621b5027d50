"""Weather over the synthetic market: real bars are hit, made moves stand where they were put, quotes go as told."""

from __future__ import annotations

from datetime import date, time
from typing import Any

import numpy as np
import pytest

from sim.market.reference import spx_shock_days, vix_daily
from sim.market.synthetic.day import SyntheticDay
from sim.market.synthetic.market import SyntheticMarket
from sim.market.synthetic.parameters import Parameters
from sim.market.synthetic.timeline import column_at
from sim.market.synthetic.weather_words import weather_of
from sim.model.errors import ConfigError
from sim.model.instrument import OptionContract, Right
from sim.model.market import BLANK, Floats

FRIDAY = date(2024, 7, 26)
MONDAY = date(2024, 8, 5)
AUGUST: dict[str, Any] = {
    "name": "august",
    "closes": {"2024-07-23": 5555.74},
    "real": ["2024-07-24", "2024-08-09"],
    "days": {"2024-08-05": {"night": {"08:33": "-4.6%"}}},
}


def market(weather: dict[str, Any], start: date = FRIDAY, end: date = FRIDAY, seed: int = 5) -> SyntheticMarket:
    return SyntheticMarket("under weather", start, end, seed, parameters=Parameters(level=5_500.0),
                           weather=weather_of("weather", {"name": "w", **weather}))  # fmt: skip


def day(of: SyntheticMarket, underlying: str = "ES", session: date = FRIDAY) -> SyntheticDay:
    found = of.day(underlying, session)
    assert isinstance(found, SyntheticDay)
    return found


def at(of: SyntheticDay, clock: time) -> int:
    return column_at(of.source.session, of.source.session.at(clock))


def regular(of: SyntheticDay) -> Floats:
    return of.path.last[at(of, time(9, 30)) : at(of, time(16, 0)) + 1]


@pytest.mark.parametrize("seed", [1, 20240805])
def test_every_real_bar_is_hit(seed: int) -> None:
    made = market(AUGUST, date(2024, 7, 22), date(2024, 8, 9), seed)
    bars = {bar.date: bar for bar in spx_shock_days() if date(2024, 7, 24) <= bar.date <= date(2024, 8, 9)}
    assert len(bars) == 13
    for session, bar in bars.items():
        path = regular(day(made, "SPX", session))
        told = (path[0], path.max(), path.min(), path[-1])
        assert told == pytest.approx((bar.open, bar.high, bar.low, bar.close), abs=0.011), session
    assert regular(day(made, "SPX", date(2024, 7, 23)))[-1] == pytest.approx(5555.74, abs=0.011)


def test_the_print_before_the_opening_and_the_night_of_the_future() -> None:
    made = market(AUGUST, date(2024, 8, 1), date(2024, 8, 6))
    monday = day(made, "ES", MONDAY)
    k = at(monday, time(8, 33))
    assert np.nanmax(monday.vix) == monday.vix[k] == 65.73
    # The night is a share of the index: the future has three days of carry less by then.
    assert monday.source.spot[k] == pytest.approx(5346.56 * 0.954, abs=0.011)


def test_the_index_goes_on_where_it_was_bent_to() -> None:
    made = market(AUGUST, date(2024, 8, 1), date(2024, 8, 9))
    for before, after in ((date(2024, 8, 1), date(2024, 8, 2)), (date(2024, 8, 8), date(2024, 8, 9))):
        last, first = day(made, "ES", before).path.last[-1], day(made, "ES", after).path.last[0]
        assert first == pytest.approx(last, rel=2e-3)


@pytest.mark.parametrize("move", ["+0.8%", "-3", 0.2, -12.0])
def test_a_move_stands_where_it_is_put(move: str | float) -> None:
    made = day(market({"vix_before": 20, "days": {FRIDAY: {"vix": 20, "gap": -1, "moves": {631: move}}}}))
    k, wanted = at(made, time(10, 31)), float(str(move).strip("%")) / 100
    assert made.path.last[k] / made.path.open - 1 == pytest.approx(wanted, abs=2.5e-5 * 2)
    assert made.vix[k] == pytest.approx(20, rel=0.02)


def test_a_gap_is_over_the_close_before() -> None:
    made = market({"days": {FRIDAY: {"gap": "-3%"}}}, date(2024, 7, 25))
    before = regular(day(made, "SPX", date(2024, 7, 25)))[-1]
    assert regular(day(made, "SPX"))[0] / before - 1 == pytest.approx(-0.03, abs=1e-5)


def test_vix_of_a_day_and_of_what_lies_before() -> None:
    made = market({"vix_before": 11, "days": {FRIDAY: {"vix_at": {"10:00": 29.5, "11:00": 30.5, "12:00": 29.5}}}})
    friday = day(made)
    shown = [friday.vix[at(friday, time(hour, 0))] for hour in (10, 11, 12)]
    assert shown == pytest.approx([29.5, 30.5, 29.5], abs=0.01)
    assert made.history("ES", FRIDAY, 1)[0].vix == pytest.approx(11, abs=0.01)
    real = [bar.close for bar in vix_daily() if bar.date < FRIDAY][-21:]
    told = [bar.vix for bar in made.history("ES", FRIDAY, 21)]
    assert np.divide(told, real) == pytest.approx(11 / real[-1], abs=0.01), "the history keeps its shape"


def test_quotes_go_stand_still_and_widen() -> None:
    troubles = [
        {"kind": "frozen", "start": "10:40", "end": "10:50"}, {"kind": "no_bid", "start": "11:00", "end": "11:10"},
        {"kind": "no_ask", "start": "11:20", "end": "11:30"}, {"kind": "blank", "start": "11:40", "end": "11:50"},
        {"kind": "wide", "start": "12:00", "end": "12:10", "times": 8},
    ]  # fmt: skip
    made, plain = day(market({"days": {FRIDAY: {"troubles": troubles}}})), day(market({"days": {FRIDAY: {}}}))
    series = next(s for s in made.series() if s.expiration == FRIDAY)
    near = OptionContract(series, round(made.path.open / 5) * 50_000, Right.CALL)
    path, same = made.quotes(near), plain.quotes(near)
    assert path is not None
    assert same is not None

    def k(hour: int, minute: int) -> int:
        return at(made, time(hour, minute))

    assert path.bid_age[k(10, 40) : k(10, 50) + 1].tolist() == [*range(3, 13), 0], "beyond what is fresh at once"
    assert len(set(made.path.last[k(10, 39) : k(10, 50)])) == 1, "and so does what it is on"
    for clock, bid, ask in ((k(11, 5), True, False), (k(11, 25), False, True), (k(11, 45), True, True)):
        assert (path.bid[clock] == BLANK, path.ask[clock] == BLANK) == (bid, ask)
        chain = made.chain(series, clock)
        assert (set(chain.bid) == {BLANK}, set(chain.ask) == {BLANK}) == (bid, ask)
    hours = slice(k(12, 0), k(12, 10))
    assert (path.ask - path.bid)[hours].mean() > 4 * (same.ask - same.bid)[hours].mean()
    untouched = [k(10, 30), k(10, 55), k(11, 15), k(12, 30)]
    assert (path.bid[untouched] == same.bid[untouched]).all()


def test_the_same_seed_is_the_same_market_and_another_weather_another() -> None:
    one, two = market(AUGUST, MONDAY, MONDAY), market(AUGUST, MONDAY, MONDAY)
    assert one.fingerprint == two.fingerprint
    assert (day(one, "ES", MONDAY).path.last == day(two, "ES", MONDAY).path.last).all()
    other = {**AUGUST, "days": {"2024-08-05": {"night": {"08:33": "-4.5%"}}}}
    assert market(other, MONDAY, MONDAY).fingerprint != one.fingerprint
    assert one.source.endswith("weather august")


@pytest.mark.parametrize(
    ("weather", "said"),
    [
        ({}, "has no day"),
        ({"days": {"someday": {}}}, "wanted a date"),
        ({"days": {FRIDAY: {"mvoes": {}}}}, "did you mean 'moves'"),
        ({"days": {FRIDAY: {"moves": {"10:31": "up"}}}}, "wanted a move in per cent"),
        ({"days": {FRIDAY: {"moves": {"25:00": 1}}}}, "wanted a New York time"),
        ({"days": {FRIDAY: {"vix": [20, 19, 18, 20]}}}, "with low and high around"),
        ({"days": {FRIDAY: {"vix": 400}}}, "at most 150"),
        (
            {"days": {FRIDAY: {"troubles": [{"kind": "gone", "start": "10:00", "end": "11:00"}]}}},
            "choose one of frozen",
        ),
        ({"real": ["2024-01-02", "2024-01-05"]}, "does not reach that far"),
    ],
)
def test_what_does_not_fit_is_one_line(weather: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as error:
        weather_of("market.weather", {"name": "w", **weather})
    assert "\n" not in str(error.value)
    assert "market.weather" in str(error.value)
