"""``data check``: made days with one fault each, and the real days with their right and a wrong time zone."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from adapters.vendors.lean import import_lean
from sim.calendar import Venue, load_calendar
from sim.market.fitness import Limits, Verdict, check_day
from sim.market.parity import implied, read_block
from sim.market.quality import DayCheck, check_market
from sim.market.store import StoreMarket
from sim.market.synthetic import SyntheticMarket
from sim.model.instrument import Exercise, OptionContract, Product, Series
from sim.model.market import MINUTE_NS, Board, Chain, Floats, Ints, Nature, QuotePath, UnderlyingPath
from sim.ports import Market, MarketDay
from sim.quotes import LIMITS
from tests.hand import ES_WEEK, INDEX, STOCK, HandDay, HandMarket, Sides, contract

DAY = date(2024, 8, 1)
STRIKES = (5480, 5490, 5500, 5510, 5520)
Edit = Callable[[int, int | None], int | None]


def walk(columns: int, level: float = 5500.0, step: float = 1.5, seed: int = 7) -> Floats:
    """A price by minute on ticks of 0.05, never twice the same."""
    moves = np.random.default_rng(seed).normal(0.0, step, columns)
    least = np.where(moves < 0, -0.05, 0.05)
    return np.round((level + np.cumsum(np.where(np.abs(moves) < 0.05, least, moves))) * 20) / 20


def columns_of(product: Product, session: date) -> int:
    hours = load_calendar().session(Venue(product.venue), session)
    return (hours.close_ns - hours.open_ns) // MINUTE_NS + 1


def made(
    session: date = DAY,
    *,
    product: Product = INDEX,
    spot: Floats | None = None,
    shown: Floats | None = None,
    days: int = 0,
    carry: float = 0.0,
    future: str = "",
    strikes: Sequence[int] = STRIKES,
    worth: float = 8.0,
) -> HandDay:
    """A session whose calls and puts of eight ticks' width obey parity with ``spot`` to the tick, while ``shown`` is
    what the underlying seems to do. The series expires in ``days`` days, its forward ``carry`` points over the spot."""
    true = walk(columns_of(product, session)) if spot is None else spot
    table: dict[OptionContract, Sides] = {}
    for strike in strikes:
        for right, sign in (("C", 1.0), ("P", -1.0)):
            mid = np.maximum(sign * (true + carry - strike), 0.0) + worth
            ticks = np.round(mid / float(product.increment)).astype(int)
            table[contract(product, session + timedelta(days), strike, right, future)] = (
                [int(x) - 4 for x in ticks], [int(x) + 4 for x in ticks],
            )  # fmt: skip
    return HandDay(product, session, table, (true if shown is None else shown).tolist())


def edited(day: HandDay, bid: Edit, ask: Edit, only: Callable[[OptionContract], bool] = lambda _: True) -> HandDay:
    """The day with every price of some contracts passed through ``bid`` or ``ask`` (column, ticks)."""
    table = {
        c: ([bid(k, x) for k, x in enumerate(b)], [ask(k, x) for k, x in enumerate(a)]) if only(c) else (b, a)
        for c, (b, a) in day.table.items()
    }
    return replace(day, table=table)


def silent(day: HandDay, first: int, last: int, only: Callable[[OptionContract], bool] = lambda _: True) -> HandDay:
    """The day without any row in columns ``first`` to ``last``."""

    def hole(k: int, x: int | None) -> int | None:
        return None if first <= k <= last else x

    return edited(day, hole, hole, only)


def check(*days: HandDay, nature: Nature = Nature.DENSE, limits: Limits | None = None) -> list[DayCheck]:
    market = HandMarket(days, nature=nature)
    return check_market(market) if limits is None else check_market(market, limits)


def one(day: HandDay, nature: Nature = Nature.DENSE) -> DayCheck:
    found = check(day, nature=nature)
    assert [d.date for d in found] == [day.session]
    return found[0]


def moved(price: Floats, minutes: int) -> Floats:
    """What an importer leaves of a price stamped ``minutes`` too late: before its first print nothing, after its last
    one that one."""
    at = np.arange(len(price)) - minutes
    return np.where(at < 0, np.nan, price[np.clip(at, 0, len(price) - 1)])


@dataclass(frozen=True)
class Changed:
    """A day whose underlying went wrong: ``last`` is what it shows, ``own(series, k)`` what its futures do."""

    day: MarketDay
    last: Floats
    own: Callable[[Series, int], float]

    @property
    def underlying(self) -> str:
        return self.day.underlying

    @property
    def session(self) -> date:
        return self.day.session

    @property
    def open_ns(self) -> int:
        return self.day.open_ns

    @property
    def minutes(self) -> int:
        return self.day.minutes

    @property
    def rows(self) -> int:
        return self.day.rows

    @property
    def path(self) -> UnderlyingPath:
        return replace(self.day.path, last=self.last)

    @property
    def vix(self) -> Floats:
        return self.day.vix

    def series(self) -> tuple[Series, ...]:
        return self.day.series()

    def board(self, series: Series) -> Board:
        return self.day.board(series)

    def quotes(self, contract: OptionContract) -> QuotePath | None:
        return self.day.quotes(contract)

    def chain(self, series: Series, k: int) -> Chain:
        return self.day.chain(series, k)

    def chain_age(self, series: Series) -> Ints | None:
        return self.day.chain_age(series)

    def forward(self, series: Series, k: int) -> float:
        return self.own(series, k)

    def forwards(self, series: Series) -> Floats:
        return np.array([self.own(series, k) for k in range(self.day.minutes)])


def judged(market: Market, underlying: str, session: date, minutes: int) -> Verdict:
    """A real day; ``minutes`` moves the stamps of its underlying, of every future alike."""
    day = market.day(underlying, session)

    def own(series: Series, k: int) -> float:
        return day.forward(series, k - minutes) if 0 <= k - minutes < day.minutes else float("nan")

    return check_day(market, Changed(day, moved(day.path.last, minutes), own), Limits())


class TestFit:
    @pytest.mark.parametrize(
        ("session", "product", "columns"),
        [(DAY, INDEX, 406), (date(2024, 7, 3), INDEX, 226), (date(2024, 7, 3), STOCK, 211), (DAY, ES_WEEK, 1381)],
    )
    def test_a_whole_session_with_parity_is_fit(self, session: date, product: Product, columns: int) -> None:
        day = made(session, product=product, future="ESU4" if product is ES_WEEK else "")
        assert day.minutes == columns
        found = one(day)
        assert (found.fit, found.reasons) == (True, ())
        assert (found.crossed_pct, found.locked_pct, found.stale_pct) == (0.0, 0.0, 0.0)
        assert found.parity_error == pytest.approx(0.0, abs=1e-9)
        assert found.rows == len(STRIKES) * 2 * columns

    def test_record_is_json_and_line_is_a_line(self) -> None:
        found = one(made())
        assert json.loads(json.dumps(found.record(), allow_nan=False)) == {
            "date": "2024-08-01", "fit": True, "reasons": [], "rows": 4060, "crossed_pct": 0.0, "locked_pct": 0.0,
            "stale_pct": 0.0, "parity_error": 0.0,
        }  # fmt: skip
        said = "2024-08-01 fit 4,060 rows crossed 0.00 % locked 0.00 % stale 0.00 % parity 0.00"
        assert " ".join(found.line().split()) == said

    def test_a_day_with_nothing_to_measure_is_json_too(self) -> None:
        found = one(silent(made(), 0, 405))
        assert found.reasons == ("SPX: no row in the regular hours",)
        assert set(list(found.record().values())[-4:]) == {None}
        json.dumps(found.record(), allow_nan=False)
        assert "NOT FIT" in found.line()
        assert found.line().endswith("SPX: no row in the regular hours")


class TestRows:
    """Column k is 09:30 plus k minutes; the regular hours are columns 1 to 390."""

    @pytest.mark.parametrize(
        ("first", "last", "reason"),
        [
            (0, 15, None),
            (0, 16, "the first row is of 09:47, 16 minutes after the open"),
            (200, 219, None),
            (200, 220, "no row for 21 minutes until 13:11"),
            (376, 405, None),
            (375, 405, "the last row is of 15:44, 16 minutes before the close"),
        ],
    )
    def test_holes_in_the_whole_chain(self, first: int, last: int, reason: str | None) -> None:
        found = one(silent(made(), first, last))
        assert found.reasons == (() if reason is None else (f"SPX: {reason}",))
        assert found.fit == (reason is None)

    def test_a_day_that_ignores_no_early_close_but_stops_at_noon(self) -> None:
        assert one(silent(made(date(2024, 7, 3)), 212, 225)).fit, "13:00 is the close of 3 July"
        assert not one(silent(made(), 212, 405)).fit

    def test_the_night_of_globex_may_be_silent(self) -> None:
        day = made(product=ES_WEEK, future="ESU4")
        assert one(silent(day, 0, 925)).fit
        assert one(silent(day, 925, 960)).reasons == ("ES: the first row is of 10:01, 30 minutes after the open",)

    def test_stale_is_what_the_gate_refuses_after_the_first_quote(self) -> None:
        quiet = next(iter(made().table))
        found = one(silent(made(), 101, 405, lambda c: c == quiet))
        # Silent from column 101 on: older than two minutes in columns 103 to 390 of one contract in ten.
        assert found.stale_pct == pytest.approx(100 * 288 / 3900)
        assert found.fit
        late = one(silent(made(), 0, 100, lambda c: c == quiet))
        assert late.stale_pct == 0.0, "before its first quote a contract is unknown, not stale"

    def test_a_series_that_is_silent_makes_young_sides_stale(self) -> None:
        found = one(silent(made(), 200, 210), Nature.SPARSE)
        # Sides may be 45 minutes old there, the chain two: columns 202 to 210.
        assert found.stale_pct == pytest.approx(100 * 9 / 390)

    def test_a_chain_that_is_mostly_stale_is_not_fit(self) -> None:
        pair = list(made().table)[:2]
        found = one(silent(made(), 100, 405, lambda c: c not in pair))
        assert "SPX: 59.3 % of the quotes are stale (limit 50 %)" in found.reasons


class TestCrossedAndLocked:
    @pytest.mark.parametrize(("minutes", "fit"), [(7, True), (8, False)])
    def test_crossed_share(self, minutes: int, fit: bool) -> None:
        def lowered(k: int, x: int | None) -> int | None:
            return x if x is None or not 1 <= k <= minutes else x - 9

        found = one(edited(made(), lambda _, x: x, lowered))
        assert found.crossed_pct == pytest.approx(100 * minutes / 390)
        assert found.fit == fit
        assert found.reasons == (() if fit else ("SPX: 2.1 % of the quotes are crossed (limit 2 %)",))

    @pytest.mark.parametrize(("minutes", "fit"), [(39, True), (40, False)])
    def test_locked_share(self, minutes: int, fit: bool) -> None:
        def lowered(k: int, x: int | None) -> int | None:
            return x if x is None or not 1 <= k <= minutes else x - 8

        found = one(edited(made(), lambda _, x: x, lowered))
        assert found.locked_pct == pytest.approx(100 * minutes / 390)
        assert found.crossed_pct == 0.0
        assert found.fit == fit

    def test_one_swapped_series_does_not_hide_among_the_others(self) -> None:
        near, far = made(), made(days=6, strikes=(5500,))
        swapped = {c: (ask, bid) for c, (bid, ask) in far.table.items()}
        found = one(replace(near, table={**near.table, **swapped}))
        assert "SPX: SPXW 2024-08-07: 100.0 % of its quotes are crossed (limit 10 %)" in found.reasons

    def test_a_side_that_was_withdrawn_long_ago_crosses_nothing(self) -> None:
        """Only the bid speaks from column 101 on, and climbs above the ask of column 100."""
        puts = made()
        day = edited(puts, lambda k, x: x if x is None or k <= 100 else x + 20, lambda k, x: x if k <= 100 else None)
        found = one(day, Nature.SPARSE)
        # The ask counts for 45 minutes, then the engine would not trade on it either.
        both = 100 + 45
        crossed = [k for k in range(101, 146) for b, a in day.table.values() if (b[k] or 0) > (a[100] or 0)]
        assert found.crossed_pct == pytest.approx(100 * len(crossed) / (both * 10))
        assert crossed


class TestGaps:
    def test_a_missing_session_inside_a_run(self) -> None:
        found = check(made(date(2024, 8, 1)), made(date(2024, 8, 6)))
        assert [d.date.day for d in found] == [1, 2, 5, 6], "the weekend is no session"
        for missing in found[1:3]:
            assert missing == DayCheck(missing.date, False, ("SPX: missing session",), 0, None, None, None, None)
        assert found[0].fit
        assert found[3].fit

    def test_holidays_are_not_missing(self) -> None:
        assert [d.date.day for d in check(made(date(2024, 7, 3)), made(date(2024, 7, 5)))] == [3, 5]

    def test_days_far_apart_are_two_runs(self) -> None:
        assert len(check(made(date(2024, 8, 1)), made(date(2024, 8, 16)))) == 2
        assert len(check(made(date(2024, 8, 1)), made(date(2024, 8, 15)))) == 11

    def test_each_underlying_has_its_own_gaps_and_the_worst_decides(self) -> None:
        stock = walk(391, level=100.0, step=0.05)
        kept = [made(d, product=STOCK, spot=stock, strikes=(99, 100, 101)) for d in (DAY, DAY + timedelta(1))]
        spoilt = replace(made(), spot=(walk(406) + 30.0).tolist())
        found = check(*kept, spoilt, made(date(2024, 8, 5)))
        assert [(d.date.day, d.fit) for d in found] == [(1, False), (2, False), (5, True)]
        assert found[1].reasons == ("SPX: missing session",)
        assert found[1].rows == 6 * 391
        assert all(reason.startswith("SPX: ") for reason in found[0].reasons)
        assert found[0].parity_error == pytest.approx(30.0)


class TestUnderlying:
    def test_without_prices(self) -> None:
        found = one(made(shown=np.full(406, np.nan)))
        assert found.reasons == ("SPX: no underlying prices",)
        assert found.parity_error is None
        json.dumps(found.record(), allow_nan=False)

    def test_that_begins_late(self) -> None:
        price = walk(406)
        late = np.where(np.arange(406) < 31, np.nan, price)
        assert one(made(spot=price, shown=late)).reasons == (
            "SPX: underlying prices begin at 10:01, 30 minutes after the open",
        )

    def test_that_stands_still(self) -> None:
        price = walk(406)
        price[100:160] = price[100]
        found = one(made(spot=price))
        assert found.reasons == ("SPX: the underlying stands still for 59 minutes until 12:09",)

    def test_a_future_without_prices_is_named(self) -> None:
        near, far = made(product=ES_WEEK, future="ESU4"), made(product=ES_WEEK, future="ESZ4", days=90)
        both = replace(near, table={**near.table, **far.table})
        last = both.path.last
        blank = Changed(both, last, lambda s, k: float(last[k]) if s.future == "ESU4" else float("nan"))
        found = check_day(HandMarket([both]), blank, Limits())
        assert found.reasons == ("no prices of the future ESZ4",)


class TestParity:
    @pytest.mark.parametrize("minutes", [-360, -300, -60, 60, 120, 300])
    def test_a_wrong_time_zone_is_named(self, minutes: int) -> None:
        price = walk(406)
        found = one(made(spot=price, shown=moved(price, minutes)))
        assert not found.fit
        said = [r for r in found.reasons if "time zone" in r]
        assert len(said) == 1
        assert said[0].startswith(f"SPX: underlying looks shifted by {minutes:+d} minutes against its options")

    def test_the_shift_is_found_under_a_carry_as_well(self) -> None:
        price = walk(406)
        found = one(made(spot=price, shown=moved(price, 60), days=60, carry=25.0))
        assert any("shifted by +60 minutes" in reason for reason in found.reasons)

    @pytest.mark.parametrize("seed", range(4))
    @pytest.mark.parametrize("step", [0.0, 0.05, 1.5])
    def test_noise_accuses_no_zone(self, seed: int, step: float) -> None:
        """An index that lags and jumps by ticks about a price that goes nowhere, hardly anywhere, or far."""
        noise = np.round(np.random.default_rng(seed).normal(0.0, 1.0, 406) * 20) / 20
        price = walk(406, step=step, seed=seed) if step else np.full(406, 5500.0)
        assert one(made(spot=price, shown=price + noise)).reasons == ()

    @pytest.mark.parametrize(("points", "fit"), [(5.0, True), (-5.0, True), (6.0, False), (-6.0, False)])
    def test_a_level_that_is_off_on_the_day_of_expiry(self, points: float, fit: bool) -> None:
        price = walk(406)
        found = one(made(spot=price, shown=price + points))
        assert found.parity_error == pytest.approx(abs(points))
        assert found.fit == fit

    @pytest.mark.parametrize(("days", "fit"), [(0, False), (5, False), (30, True)])
    def test_carry_is_allowed_for_by_the_life_of_the_series(self, days: int, fit: bool) -> None:
        """25 points in 5,500 are 5.5 % a year over 30 days and 33 % over five."""
        found = one(made(days=days, carry=25.0))
        assert found.parity_error == pytest.approx(25.0)
        assert found.fit == fit

    def test_the_shortest_series_speaks(self) -> None:
        near, far = made(), made(days=6, carry=4.0)
        found = one(replace(near, table={**far.table, **near.table}))
        assert found.parity_error == pytest.approx(0.0, abs=1e-9)

    def test_wide_quotes_excuse_an_error_but_not_any(self) -> None:
        price = walk(406)

        def wide(points: float) -> DayCheck:
            day = made(spot=price, shown=price + points, worth=40.0)
            return one(edited(day, lambda _, x: x and x - 400, lambda _, x: x and x + 400))

        assert wide(12.0).fit
        assert any("put-call parity" in r for r in wide(29.0).reasons), "half a per cent of 5,500 is 27.5"

    def test_calls_taken_for_puts(self) -> None:
        day = made(spot=walk(406, level=5540.0, step=0.5))
        other = {contract(INDEX, DAY, float(c.strike), "P" if c.is_call else "C"): v for c, v in day.table.items()}
        assert any("put-call parity of SPXW 2024-08-01 is off by" in r for r in one(replace(day, table=other)).reasons)

    def test_without_a_pair_near_the_money_nothing_is_proved(self) -> None:
        assert one(made(strikes=(4000, 7000))).reasons == (
            "SPX: a call and a put of one strike near the money are live in 0 % of the minutes (wanted 50 %)",
        )


def test_a_series_that_settles_this_morning_is_left_out() -> None:
    monthly = replace(INDEX, root="SPX", exercise=Exercise.AM_CASH)
    dead = silent(made(product=monthly), 0, 405)
    day = made()
    assert one(replace(day, table={**day.table, **dead.table})).fit
    assert one(dead).reasons == ("SPX: no option that trades",)


def test_limits_are_the_callers() -> None:
    day = silent(made(), 200, 210)
    assert check(day)[0].fit
    assert not check(day, limits=replace(Limits(), gap_minutes=10))[0].fit


def test_a_synthetic_day_is_fit_and_only_a_sample_of_it_is_made(tmp_path: Path) -> None:
    market = SyntheticMarket("two", date(2024, 7, 18), date(2024, 7, 19), cache_root=tmp_path)
    found = check_market(market)
    assert [(d.date.day, d.fit, d.reasons) for d in found] == [(18, True, ()), (19, True, ())]
    whole = market.es_day(DAY.replace(month=7, day=18))
    for series in whole.series():
        whole.board(series)
    assert 0 < found[0].rows < whole.rows / 2


@pytest.fixture(scope="module")
def real(lean_root: Path, tmp_path_factory: pytest.TempPathFactory) -> StoreMarket:
    root = tmp_path_factory.mktemp("quality")
    import_lean(lean_root, root=root, to="real")
    return StoreMarket(root, "real")


REAL = [("GOOG", date(2015, 12, 24)), ("ES", date(2020, 1, 6)), ("SPX", date(2021, 1, 4))]


class TestRealDays:
    def test_what_is_said_of_every_day(self, real: StoreMarket) -> None:
        days = {str(d.date): d for d in check_market(real)}
        for name, session in REAL:
            assert days[str(session)].reasons == (), name
            assert days[str(session)].rows == real.day(name, session).rows
        cut = days["2020-01-07"], days["2021-01-05"]
        assert [d.reasons for d in cut] == [
            ("ES: no row in the regular hours",), ("SPX: no underlying prices",)
        ], "the cut has one evening hour of the first, and no index for the second"  # fmt: skip
        assert days["2021-01-04"].crossed_pct == 0.0
        assert days["2021-01-04"].locked_pct == pytest.approx(1.62, abs=0.005)
        errors = {k: d.parity_error for k, d in days.items()}
        assert errors["2015-12-24"] == pytest.approx(0.20, abs=0.01), "of 748: one hour off it is 1.0"
        assert errors["2020-01-06"] == pytest.approx(0.25, abs=0.01), "of 3,235, the June future; March has 0.125"
        assert errors["2021-01-04"] == pytest.approx(0.28, abs=0.01), "of 3,700"

    def test_spxw_prices_its_index_to_two_cents(self, real: StoreMarket) -> None:
        """K + C - P - SPX at 3700 on the day of expiry: +0.02 on average, 0.41 around it, where the zones are right."""
        day = real.day("SPX", date(2021, 1, 4))
        block = read_block(day, day.series()[0], slice(1, 391), near=3700.0, strikes=1)
        assert block is not None
        off = (implied(block, LIMITS[real.nature], near=1.0).forward - day.path.last[1:391])[0]
        off = off[np.isfinite(off)]
        assert len(off) > 300
        assert float(off.mean()) == pytest.approx(0.02, abs=0.02)
        assert float(off.std()) == pytest.approx(0.41, abs=0.03)

    @pytest.mark.parametrize("minutes", [-60, 60])
    @pytest.mark.parametrize(("name", "session"), REAL, ids=[name for name, _ in REAL])
    def test_an_hour_is_found(self, real: StoreMarket, name: str, session: date, minutes: int) -> None:
        said = [r for r in judged(real, name, session, minutes).reasons if "time zone" in r]
        assert said
        assert all(f"looks shifted by {minutes:+d} minutes" in r for r in said)

    def test_utc_taken_for_new_york_is_found(self, real: StoreMarket) -> None:
        assert any("shifted by +300 minutes" in r for r in judged(real, "SPX", date(2021, 1, 4), 300).reasons)
