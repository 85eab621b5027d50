"""Every play on real quotes, where a day of them allows it; read leg by leg in the vendor's files, and kept.

GOOG on 2015-12-24 (12 expirations, 0 to 757 days, early close), ES options on 2020-01-06 (74 and 165 days; the hour of
the evening after belongs to 2020-01-07), SPXW on 2021-01-04 and 05 (two strikes, 3700 and 3800). ``docs/strategies.md``
has the table of what was changed for it, and of what no day here allows.

Fills are natural (bids and asks of the row) unless a test says otherwise, in the first row after the decision. Rows of
the files are known at their end: the one stamped 09:45 at 09:46.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.real import both, told

FREE = ("rules=none", "regime=none", "margin=none", "fees=none", "account.currency=USD", "market.vix=previous_close")
GOOG = ("strategy.underlying=GOOG", "strategy.entry.weekday=any", "start=2015-12-24", "end=2015-12-24")
SPX = ("strategy.underlying=SPX", "strategy.entry.weekday=monday", "start=2021-01-04", "end=2021-01-05")
ES = ("strategy.underlying=ES", "strategy.entry.weekday=monday", "start=2020-01-06", "end=2020-01-07")

Told = Callable[..., list[str]]


@pytest.fixture
def run(real_home: Path, monkeypatch: pytest.MonkeyPatch) -> Told:
    """What a run tells, after both drivers told the same to the cent."""

    def go(what: str, *words: str, fill: str = "natural") -> list[str]:
        given = [what] if what.startswith("experiment=") else [f"strategy={what}", f"fill={fill}", *FREE]
        runs = both(real_home, monkeypatch, *given, *words)
        books = [(told(r), [(p.nlv, p.low, p.high) for p in r.result.equity]) for r in runs]
        assert books[0] == books[1]
        return books[0][0]

    return go


class TestZeroDte:
    def test_goog_fades_a_fall_of_014_per_cent(self, run: Told) -> None:
        """Half of the 0.15 is earned at 11:14: 745P at 0.10 by 0.15, 740P at 0.05 by 0.15, 0.025 at mid. From 11:10 the
        mid is 0.075 already, but quoted 0.20 wide, more than the credit: such a mark is not trusted."""
        assert run(
            "zero_dte", *GOOG, "strategy.threshold_pct=0.1", "strategy.offset=2.5", "strategy.wing=5",
            "strategy.round=2.5", "strategy.min_credit=0.1", "strategy.sizing.table=[[0, 1]]",
            "strategy.exits.review=null", "strategy.exits.at='12:45'", "strategy.exits.final='12:55'",
        ) == [
            "12-24 10:31 0.15: -1 745P 15-12-24 0.30, +1 740P 15-12-24 0.15",
            "12-24 11:15 -0.10: +1 745P 15-12-24 0.15, -1 740P 15-12-24 0.05",
            "PUT_SPREAD profit_target 5.00",
        ]  # fmt: skip

    def test_a_condor_whose_wings_nobody_bids_for(self, run: Told) -> None:
        """Out at 12:54, not 12:45: the 740 put's bid of 12:08 is met by an ask of the same price until it is 45 minutes
        old and gone; a wing without a bid is then given away. With ``fill=default`` it is never opened: the 760 call
        has no bid, so no mid."""
        words = (
            *GOOG, "strategy.offset=5", "strategy.wing=5", "strategy.round=5", "strategy.min_credit=0.05",
            "strategy.sizing.table=[[0, 1]]", "strategy.exits.profit=null", "strategy.exits.review=null",
            "strategy.exits.at='12:45'", "strategy.exits.final='12:55'",
        )  # fmt: skip
        assert run("zero_dte", *words) == [
            "12-24 10:31 0.15: -1 745P 15-12-24 0.30, +1 740P 15-12-24 0.15, "
            "-1 755C 15-12-24 0.05, +1 760C 15-12-24 0.05",
            "12-24 12:54 -0.15: +1 745P 15-12-24 0.10, -1 740P 15-12-24 0.00, "
            "+1 755C 15-12-24 0.05, -1 760C 15-12-24 0.00",
            "IRON_CONDOR time 0.00",
        ]
        assert run("zero_dte", *words, fill="default") == [
            "no_fill: Order not filled (no market at the fill model's price, or none within the limit)"
        ]

    def test_what_is_not_there_is_said(self, run: Told) -> None:
        assert run("zero_dte", *SPX, "strategy.entry.weekday=any") == [
            "strikes: Contract not listed (3710P, 3680P)",
            "direction: Move unknown (no regular-session open or no last price)",
        ]
        assert run("zero_dte", *ES, "end=2020-01-06") == ["expiration: No expiration today (ES lists none)"]


def test_fixed_legs_on_spxw_settle_in_cash(run: Told) -> None:
    """Two strikes make one spread of calls. The index closed at 3700.65, 65 cents above the short one."""
    legs = "{side: sell, right: call, strike: 3700, dte: 0}, {side: buy, right: call, strike: 3800, dte: 0}"
    assert run("fixed_legs", *SPX, "end=2021-01-04", f"strategy.legs=[{legs}]", "strategy.entry.at='11:08'") == [
        "01-04 11:09 11.90: -1 3700C 21-01-04 12.00, +1 3800C 21-01-04 0.10",
        "FIXED cash_settled+expired 1125.00",
    ]


def test_lt112_sells_its_naked_puts_back_and_keeps_the_hedge(run: Told) -> None:
    """ES at 3225.50: 3 % below is 3128.7, 6.5 % below 3015.8. The mid of the naked puts is 28.50 at 13:30, 57.00 of
    their 63.50: a tenth is earned (at 13:29: 57.25, not yet). Of the lt112 the debit spread is left; a call is sold
    against it, the nearest to 20 deltas that is listed: the strikes leap from 3250 (48) to 3400 (13.5)."""
    assert run(
        "framework", "strategy.run=[lt112, hedge_calls]", "start=2020-01-06", "end=2020-01-07",
        "strategy.plays.lt112.entry.weekday=monday", "strategy.plays.lt112.filters=null",
        "strategy.plays.lt112.expiration.dte=74", "strategy.plays.lt112.legs.0.otm=3",
        "strategy.plays.lt112.legs.2.otm=6.5", "strategy.plays.lt112.exits.parts.naked.profit=0.1",
        "strategy.plays.hedge_calls.after_days=0", "strategy.plays.hedge_calls.entry.at='14:00'",
        "strategy.plays.hedge_calls.leg.dte=74",
    ) == [
        "01-06 10:01 52.50: +1 3130P 20-03-20 52.50, -1 3080P 20-03-20 41.50, -2 3020P 20-03-20 31.75",
        "01-06 13:31 -57.50: +2 3020P 20-03-20 28.75",
        "01-06 14:01 9.25: -1 3400C 20-03-20 9.25",
        "LT112 open",
        "HEDGE_CALL open",
    ]  # fmt: skip


def test_the_experiments_of_the_same_days(run: Told) -> None:
    assert run("experiment=es_lt112") == [
        "01-06 10:01 52.50: +1 3130P 20-03-20 52.50, -1 3080P 20-03-20 41.50, -2 3020P 20-03-20 31.75",
        "01-06 13:31 -57.50: +2 3020P 20-03-20 28.75",
        "LT112 open",
    ]
    assert run("experiment=goog_strangle_85")[-1] == "STRANGLE dte -155.00"
    assert run("experiment=goog_butterfly")[-1] == "BUTTERFLY assigned+exercised+expired 362.00"
    assert run("experiment=spxw_diagonal")[-1] == "DIAGONAL dte -1565.00"


class TestStrangle:
    def test_goog_at_the_play_s_own_deltas_and_days(self, run: Told) -> None:
        """The 590 put has 5.8 deltas and the 905 call 5.7; 85 days. Both asks are far above the bids that were sold."""
        words = (*GOOG, "strategy.entry.week=null", "strategy.entry.at='09:45'", "strategy.filters.iv_rank=null")
        assert run("strangle", *words, "strategy.exits.dte={days: 85, at: '12:30'}") == [
            "12-24 09:46 4.20: -1 590P 16-03-18 2.60, -1 905C 16-03-18 1.60",
            "12-24 12:31 -5.75: +1 590P 16-03-18 3.60, +1 905C 16-03-18 2.15",
            "STRANGLE dte -155.00",
        ]
        assert run("strangle", *words, "strategy.entry.at='09:30'") == [
            "strikes: Delta unknown (the quotes of 2016-03-18 give none)"
        ], "at the bell nothing is known of a stock's options"

    def test_es_with_the_strikes_that_are_listed(self, run: Told) -> None:
        """No put below 3000 (19.9 deltas at 09:30). Five per cent of 39.25 are earned at 37.25, the mid of 09:48."""
        words = (*ES, "end=2020-01-06", "strategy.entry.week=null", "strategy.filters.iv_rank=null")
        assert run("strangle", *words, "strategy.expiration.within=20") == [
            "strikes: Delta not listed (nearest to 6 is 19.9)"
        ]
        assert run(
            "strangle", *words, "strategy.expiration.within=20", "strategy.legs.0.delta=20", "strategy.legs.1.delta=16",
            "strategy.exits.profit=0.05",
        ) == [
            "01-06 09:31 39.25: -1 3000P 20-03-20 31.50, -1 3400C 20-03-20 7.75",
            "01-06 09:49 -37.50: +1 3000P 20-03-20 28.75, +1 3400C 20-03-20 8.75",
            "STRANGLE profit_target 87.50",
        ]  # fmt: skip


def test_enhanced_strangle_on_goog(run: Told) -> None:
    """7 deltas are the 600 put (6.7; 605 has 7.3), ten points below it two are sold."""
    assert run(
        "enhanced_strangle", *GOOG, "strategy.entry.week=null", "strategy.entry.at='09:45'",
        "strategy.filters.iv_rank=null", "strategy.exits.dte={days: 85, at: '12:30'}",
    ) == [
        "12-24 09:46 2.60: -1 905C 16-03-18 1.60, +1 600P 16-03-18 4.20, -2 590P 16-03-18 2.60",
        "12-24 12:31 -6.05: +1 905C 16-03-18 2.15, -1 600P 16-03-18 3.30, +2 590P 16-03-18 3.60",
        "ENHANCED_STRANGLE dte -345.00",
    ]  # fmt: skip


class TestRatio:
    def test_es_for_a_fifth_of_its_credit(self, run: Told) -> None:
        """25 deltas are the 3050 put (24.7), 16 are not listed: the nearest is 3000. At 14:16 the mid is 18.50, the
        first at or below 18.60."""
        assert run("ratio", *ES, "end=2020-01-06", "strategy.expiration.dte=74", "strategy.exits.profit=0.2") == [
            "01-06 09:31 23.25: +1 3050P 20-03-20 39.75, -2 3000P 20-03-20 31.50",
            "01-06 14:17 -19.00: -1 3050P 20-03-20 31.50, +2 3000P 20-03-20 25.25",
            "RATIO profit_target 212.50",
        ]

    def test_goog_is_quoted_too_wide_for_a_credit(self, run: Told) -> None:
        """705P at 11.10 by 13.60 and two 680P at 5.80 by 8.20: a credit of 1.65 at mid, of which a quarter of the
        spreads (7.30) takes 1.83. At 43 days, the play's own, strikes end at 710."""
        words = (*GOOG, "strategy.entry.at='09:45'")
        assert run("ratio", *words, "strategy.expiration.dte=36", fill="default") == [
            "no_fill: Order not filled (no market at the fill model's price, or none within the limit)"
        ]
        assert run("ratio", *words) == ["strikes: Delta not listed (nearest to 16 is 29.1)"]

    def test_spxw_overnight_by_its_two_strikes(self, run: Told) -> None:
        """On the second day there is no index, and none is needed."""
        legs = "{side: buy, right: put, strike: 3800}, {side: sell, right: put, strike: 3700, quantity: 2}"
        assert run(
            "ratio", *SPX, "strategy.entry.at='10:00'", "strategy.expiration.dte=4", f"strategy.legs=[{legs}]",
            "strategy.min_credit=null", "strategy.exits.delta=null", "strategy.exits.dte={days: 3, at: '10:00'}",
        ) == [
            "01-04 10:01 -24.00: +1 3800P 21-01-08 64.00, -2 3700P 21-01-08 20.00",
            "01-05 10:01 23.40: -1 3800P 21-01-08 86.20, +2 3700P 21-01-08 31.40",
            "RATIO dte -60.00",
        ]  # fmt: skip


def test_ipmcc_buys_its_leap_and_finds_no_trend(run: Told) -> None:
    """The 610 call of January 2017 has 79.9 deltas; its mid at 09:45 is 174.50, GOOG at 747.49: 37.01 of time value.
    The weekly wants 60 daily bars before the day, and the data has none."""
    words = (*GOOG[:1], *GOOG[2:], "account.nlv=200000", "strategy.leap.filters.below_high=null")
    assert run("ipmcc", *words) == ["credit: Too much time value (37.01 in 610C, 6.1 % of the strike, limit 5 %)"]
    assert run(
        "ipmcc", *words, "strategy.leap.max_extrinsic_pct=8", "strategy.weekly.weekdays=[thursday]",
        "strategy.weekly.entry.at='10:00'",
    ) == [
        "12-24 09:46 -177.00: +1 610C 17-01-20 177.00",
        "IPMCC_LEAP open",
        "strikes: Trend unknown (0 of 60 daily bars)",
    ]  # fmt: skip


def test_leap_puts_on_goog(run: Told) -> None:
    """Fourth week of the month: 12 deltas, the 540 put (12.2). VIX closed at 15.57 the day before: one, not two."""
    assert run("leap_puts", *GOOG, "strategy.expiration.dte=394", "strategy.exits.dte={days: 393, at: '12:30'}") == [
        "12-24 10:01 17.00: -1 540P 17-01-20 17.00",
        "12-24 12:31 -17.90: +1 540P 17-01-20 17.90",
        "LEAP_PUT_SHORT dte -90.00",
    ]


class TestButterfly:
    def test_goog_ends_inside_it(self, run: Told) -> None:
        """At 10:00 GOOG is 0.35 % below its open: calls at the money. The limit is the mid of 2.275 and a tick; the
        market comes to it in the fifth minute, with 5.10, 1.65 and 0.125. At 748.40 the call bought is worth 5.90 and
        each of the two sold 0.90: 4.10 for 2.29, two tickets of 229 out of a budget of 500."""
        assert run(
            "butterfly", *GOOG, "strategy.entry.at='10:00'", "strategy.near_pct=0.05", "strategy.wing=5",
            "strategy.round=2.5", "strategy.risk=0.02", fill="mid",
        ) == [
            "12-24 10:05 -2.29: +2 742.5C 15-12-24 5.74, -4 747.5C 15-12-24 1.75, +2 752.5C 15-12-24 0.05",
            "BUTTERFLY assigned+exercised+expired 362.00",
        ]  # fmt: skip

    def test_two_strikes_make_none(self, run: Told) -> None:
        assert run("butterfly", *SPX, "end=2021-01-04") == ["strikes: Contract not listed (3725C, 3735C, 3745C)"]


class TestDiagonal:
    def test_goog_is_a_calendar_that_day(self, run: Told) -> None:
        """30 deltas in 57 days and 15 in 29 are the same strike (29.9 and 14.8): earnings lie between."""
        assert run(
            "diagonal", *GOOG, "strategy.filters.vix=null", "strategy.max_debit=20", "strategy.exits.vix_above=null",
            "strategy.exits.dte={days: 29, at: '12:30'}",
        ) == [
            "12-24 10:01 -12.40: +1 795C 16-02-19 14.60, -1 795C 16-01-22 2.20",
            "12-24 12:31 10.40: -1 795C 16-02-19 14.50, +1 795C 16-01-22 4.10",
            "DIAGONAL dte -200.00",
        ]  # fmt: skip

    def test_spxw_four_days_against_two_overnight(self, run: Told) -> None:
        """The day's low cost 3,572 by 12:46; what the short call lost in time did not pay for the long one's fall."""
        assert run(
            "diagonal", *SPX, "strategy.filters.vix=null", "strategy.max_debit=100", "strategy.exits.vix_above=null",
            "strategy.legs.0.dte=4", "strategy.legs.0.delta=69", "strategy.legs.1.dte=2", "strategy.legs.1.delta=20",
            "strategy.exits.dte={days: 1, at: '10:00'}",
        ) == [
            "01-04 10:01 -62.70: +1 3700C 21-01-08 68.70, -1 3800C 21-01-06 6.00",
            "01-05 10:01 47.05: -1 3700C 21-01-08 48.60, +1 3800C 21-01-06 1.55",
            "DIAGONAL dte -1565.00",
        ]  # fmt: skip


class TestBatman:
    words = (
        *GOOG, "strategy.filters=null", "strategy.entry.at='09:45'", "strategy.legs.2.offset=10",
        "strategy.legs.3.offset=10", "strategy.exits.at='12:45'", "strategy.exits.final='12:55'",
    )  # fmt: skip

    def test_the_default_fill_and_a_quarter_of_the_credit(self, run: Told) -> None:
        """Mid 7.025, spreads 4.35 wide in all: 7.025 - 4.35 / 4 = 5.9375 becomes 5.92 (no single tick fits two legs of
        two). At 12:42 the mid is 4.375, below 4.44. To close: 4.425 + 3.35 / 4 = 5.2625, 5.27."""
        assert run("batman", *self.words, fill="default") == [
            "12-24 09:46 5.92: -2 747.5P 15-12-24 1.21, -2 747.5C 15-12-24 1.80, "
            "+1 737.5P 15-12-24 0.05, +1 757.5C 15-12-24 0.05",
            "12-24 12:43 -5.27: +2 747.5P 15-12-24 0.05, +2 747.5C 15-12-24 2.66, "
            "-1 737.5P 15-12-24 0.10, -1 757.5C 15-12-24 0.05",
            "BATMAN profit_target 65.00",
        ]

    def test_crossing_every_spread_is_its_stop(self, run: Told) -> None:
        """4.85 for what its mid calls 7.025: a minute later that is 7.375, and more than half of the credit is lost."""
        assert run("batman", *self.words) == [
            "12-24 09:46 4.85: -2 747.5P 15-12-24 1.00, -2 747.5C 15-12-24 1.60, "
            "+1 737.5P 15-12-24 0.20, +1 757.5C 15-12-24 0.15",
            "12-24 09:48 -9.10: +2 747.5P 15-12-24 1.85, +2 747.5C 15-12-24 2.75, "
            "-1 737.5P 15-12-24 0.05, -1 757.5C 15-12-24 0.05",
            "BATMAN stop_loss -425.00",
        ]


class TestBox:
    words = (*SPX, "strategy.dte=4", "strategy.within=1", "strategy.width=100")

    def test_crossing_four_spreads_is_dear_borrowing(self, run: Told) -> None:
        """At 10:30: 61.30 - 9.60 + 71.30 - 23.90 = 99.10 for 100 in four days. On the day after there is no index."""
        assert run("box", *self.words, "strategy.entry.weekday=any") == [
            "credit: Rate at or above 2 % (82.87 % at 99.10)",
            "strikes: Price unknown (no price of SPX)",
        ]

    def test_sold_all_the_same(self, run: Told) -> None:
        """60.80 - 9.40 + 71.90 - 24.10 a minute later."""
        assert run("box", *self.words, "strategy.max_rate=100") == [
            "01-04 10:31 99.20: -1 3700C 21-01-08 60.80, +1 3800C 21-01-08 9.40, "
            "-1 3800P 21-01-08 71.90, +1 3700P 21-01-08 24.10",
            "BOX open",
        ]

    def test_never_american(self, run: Told) -> None:
        assert run("box", *GOOG) == ["strikes: American options (GOOG can be assigned early)"]


class TestOpportunity:
    def test_es_for_a_tenth(self, run: Told) -> None:
        """20 deltas at 10:30 are the 3025 put (20.1). Its mid is 27.875 at 15:14, the first below 27.90."""
        es = "strategy.plays.es"
        assert run(
            "opportunity", "strategy.run=[es]", "start=2020-01-06", "end=2020-01-06", f"{es}.filters=null",
            f"{es}.expiration.dte=74", f"{es}.legs.0.delta=20", f"{es}.exits.profit=0.1",
        ) == [
            "01-06 10:31 31.00: -1 3025P 20-03-20 31.00",
            "01-06 15:15 -28.00: +1 3025P 20-03-20 28.00",
            "SHORT_PUT profit_target 150.00",
        ]  # fmt: skip

    def test_not_at_a_vix_of_15(self, run: Told) -> None:
        assert run("opportunity", "strategy.run=[spy]", "strategy.plays.spy.underlying=GOOG", *GOOG[2:]) == [
            "filter: VIX below 30 (VIX 15.57)"
        ]


class TestCustom:
    def test_goog_sixteen_deltas_and_twenty_points(self, run: Told) -> None:
        """680P has 16.4. Sold at 5.90 by 8.20 and bought at 3.70 by 5.40: what crossing two such spreads costs."""
        assert run(
            "custom", *GOOG, "strategy.expiration.dte=37", "strategy.legs.1.points=-20",
            "strategy.exits.dte={days: 36, at: '12:30'}",
        ) == [
            "12-24 10:31 0.50: -1 680P 16-01-29 5.90, +1 660P 16-01-29 5.40",
            "12-24 12:31 -4.50: +1 680P 16-01-29 8.20, -1 660P 16-01-29 3.70",
            "CUSTOM dte -400.00",
        ]  # fmt: skip

    def test_spxw_calls_while_the_index_falls(self, run: Told) -> None:
        """A quarter of 48.60 is earned at 36.45; the mid of 11:00 is 36.10. A minute later it costs 38.60."""
        legs = "{side: sell, right: call, strike: 3700}, {side: buy, right: call, from: 1, points: 100}"
        assert run(
            "custom", *SPX, "end=2021-01-04", f"strategy.legs=[{legs}]", "strategy.expiration.dte=2",
            "strategy.exits.dte=null", "strategy.exits.profit=0.25",
        ) == [
            "01-04 10:31 48.60: -1 3700C 21-01-06 53.20, +1 3800C 21-01-06 4.60",
            "01-04 11:01 -38.60: +1 3700C 21-01-06 41.40, -1 3800C 21-01-06 2.80",
            "CUSTOM profit_target 1000.00",
        ]  # fmt: skip
