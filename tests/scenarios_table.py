"""The rows of the rulebook's chapter 7, what each says, and the test that shows it, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Scenario:
    """``where``: tests in backticks, or in words why there is none."""

    name: str
    says: str
    where: str


def _all(text: str) -> tuple[Scenario, ...]:
    rows = (line.split(" | ") for line in text.strip().splitlines())
    return tuple(Scenario(*(cell.strip() for cell in row)) for row in rows)


SCENARIOS: Final = _all("""
7.1 0DTE_BEFORE_1030 | 09:30: `Before 10:30 AM restriction` | `test_scenarios.py::TestSeed::test_0DTE_BEFORE_1030`
7.1 0DTE_TRENDING_UP | 10:31, +0.8 %: `CALL_SPREAD`, `ATM+30/ATM+60` | `test_scenarios.py::TestSeed::test_0DTE_TRENDING_UP`
7.1 0DTE_FLAT | 10:31, +0.2 %: `IRON_CONDOR` | `test_scenarios.py::TestSeed::test_0DTE_FLAT`
7.1 VIX_LOW | VIX 11: `REDUCED_SIZE`, 45% | `test_scenarios.py::TestSeed::test_VIX_LOW_and_VIX_SPIKE`
7.1 VIX_SPIKE | VIX 35: `PUTS_ONLY`, 80% | `test_scenarios.py::TestSeed::test_VIX_LOW_and_VIX_SPIKE`
7.1 CORRELATION_BREACH | ES, MES, SPY: `Group A1 at limit (2)` | `test_scenarios.py::TestSeed::test_CORRELATION_BREACH`
7.1 AUGUST_5_RECREATION | six LT112: `CATASTROPHIC_LOSS`, `Never exceed 3 correlated positions` | `test_august.py::test_AUGUST_5_RECREATION_loss`, `test_august.py::test_AUGUST_5_RECREATION_lesson`
7.2 #1 | values out of typed text | `test_typed.py::TestSearches`
7.2 #2 | parts of a Friday morning | `test_scenarios.py::TestTs17::test_2_friday_preparation`
7.2 #3 | 45,000 pounds: phase 2 and what it may | `test_scenarios.py::TestTs17::test_3_forty_five_thousand_pounds` (planning percentages: the margin model decides)
7.2 #4 | Friday only, from 10:30 | `test_scenarios.py::TestTs17::test_4_friday_only_from_1030`
7.2 #5 | five VIX levels, as resolved | `test_scenarios.py::TestTs17::test_5_regimes_as_resolved`
7.2 #6 | ES, MES, SPY; ES, GC, CL | `test_scenarios.py::TestTs17::test_6_correlation` (the seed wins over the third allowed)
7.2 #7 | 5 August: prevented, 3 allowed, above 300,000 pounds | `test_august.py::test_the_historic_book_lost_more_than_three_hundred_thousand`, `test_august.py::test_ts17_six_index_futures_are_the_same_lesson`
7.2 #8 | 401, 429, 503, time-outs | `test_failover.py::TestRulebook` (what each answer means on the wire: `test_errors.py`)
7.2 #9 | next Friday, 45 and 90 days | `test_calendar.py::test_next_friday_is_today_until_four`, `test_synthetic_listing.py` (streamer symbols: `test_symbols.py`)
7.2 #10 | box, butterfly, ladder, batman, broken wing | `test_plays.py::test_butterfly_stands_against_the_move`, `test_plays.py::test_leap_puts_rotate_their_deltas`, `test_custom.py::test_box_by_hand`
7.2 #11 | search strings | `test_typed.py::TestSearches`
7.2 #12 | 21 DTE, half the credit, hold | `test_defence.py::TestDays`, `test_kernel.py::TestExits`, `test_plays.py::TestStrangle::test_none_is_held_below_21_days`
7.2 #13 | 35,000, 50,000, 68,000, 85,000: phases and tickers | `test_phases.py::TestBounds`, `test_phases.py::TestTickers`
7.2 #14 | the dashboard | `test_screen.py::test_the_dashboard_of_the_rulebook`
7.2 #15 | a whole Friday at 75,000 pounds | `test_scenarios.py::TestTs17::test_15_the_whole_friday`
7.3 accounts | every phase edge | `test_phases.py::TestBounds::test_bounds_are_half_open`
7.3 buying power 0 to 85 % | in, then management only | `test_scenarios.py::TestCts::test_buying_power_in_use`
7.3 buying power 95 % and more | alarm, then a margin call | `test_breakers.py::TestBuyingPower`, `test_duties.py::TestMarginCall`
7.3 three in energy | no further energy | `test_scenarios.py::TestCts::test_energy_beyond_its_groups`
7.3 20, 21, 22 DTE | the first two leave | `test_defence.py::TestDays::test_closes_when_so_many_days_are_left`
7.3 ES, MES, NQ, RTY at VIX 32.5 | warning, no new equity | `test_scenarios.py::TestCts::test_four_index_futures_at_vix_32`
7.3 VIX levels | R1 to R6 | `test_rules.py::TestRegime::test_bands_are_half_open`, `test_duties.py::TestHighVix`
7.3 5 August 09:45 | violations, halt | `test_august.py::test_AUGUST_5_RECREATION_lesson`, `test_duties.py::TestDrawdown`
7.3 Friday hours | preparation, open, close at 15:00 | `test_scenarios.py::TestTs17::test_2_friday_preparation`, `test_fridays_2024.py::test_no_entry_before_1030_and_none_left_after_1530`
7.3 closed hours | no orders | `test_scenarios.py::TestCts::test_closed_hours`
7.3 VIX "?", 999 | blocked | `test_scenarios.py::TestCts::test_a_vix_that_is_none_blocks`
7.3 position of 999 DTE, BP "?%", API failure | data error, manual mode | `test_typed.py::TestLine`, `test_failover.py::TestRulebook` (a symbol that nobody knows: `test_symbols.py`)
7.3 six equity positions, -30 % | emergency: close all | `test_duties.py::TestDrawdown::test_orange_closes_losers_red_closes_all`
7.3 25,000 and -5,000 pounds | phase 0, closing only | `test_scenarios.py::TestCts::test_below_the_minimum_only_closing`
7.4 Friday 09:00, 10:31, Monday | blocked, allowed, not woken | `test_scenarios.py::TestTs17::test_4_friday_only_from_1030`, `test_zero_dte.py::test_it_sleeps_on_other_days_and_minutes`
7.4 fourth equity position | blocked | `test_rules.py::TestCorrelation::test_three_in_equivalent_groups_together`
7.4 VIX 10 and 35 | sizes differ | `test_rules.py::TestRegime::test_size_factor_rounds_down_but_one_stays_one`
7.4 killed network | manual mode | `test_failover.py::TestRulebook::test_7_4_a_killed_network_ends_in_manual_mode`
7.4 profit, stop, 21 and 7 DTE | close | `test_kernel.py::TestExits`, `test_defence.py::TestDays`
7.5 Aug 2024, COVID, Dec 2018, correlation dates | protections hold over a market | `test_suite.py::TestWhole::test_all_of_it_holds` (AUGUST_2015, FEBRUARY_2018, MARCH_2020_MARGIN, MARCH_2020_HALTS, AUGUST_2024_STOPS; no bars of the index for Dec 2018); the halt above VIX 50 is `test_days_and_vix.py::TestOverlays::test_gates_by_strategy`
7.5 0DTE trending, flat | stop, half the credit | `test_kernel.py::TestExits`
7.5 0DTE gap | skip | not kept (overlay without a source)
7.5 0DTE VIX below 22 | skip, overlay | `test_days_and_vix.py::TestOverlays::test_gates_by_strategy`
7.5 LT112 and strangle | exits | `test_plays.py::TestLt112::test_the_naked_puts_go_first_and_the_hedge_stays`, `test_defence.py::TestDelta` (45-DTE half and -100 % hold are not kept: 3.2)
7.5 phase paths | earned, demoted | `test_phases.py::TestEarned`
7.5 Greeks, metrics, five years | targets | not asserted (10, rows 51, 69, 75)
7.6 Kelly | above 0, at most 10 % | `test_scenarios.py::TestTst::test_kelly_stays_within_a_tenth`
7.6 Greeks, delta caps | overlay, either sign | `test_overlays.py::TestGreeks::test_shares_of_spy_by_phase` (10, row 51)
7.6 sizes by phase | overlay | not kept (10, row 49)
7.6 22, 21, 20 DTE | no, yes, yes | `test_defence.py::TestDays::test_closes_when_so_many_days_are_left`
7.6 sixth correlated | blocked from the fourth on | `test_scenarios.py::TestTst::test_correlated_entries_stop_at_the_third`
7.6 atomic condor, 4 % in 5 minutes | flat, halted | `test_rulebook.py::test_7_6_atomic_condor_two_of_four_legs_filled_is_flat`, `test_rulebook.py::test_7_6_four_per_cent_in_five_minutes_stops_everything_but_exits` (entries halt, exits go on)
7.6 crash restart | restored | `test_rulebook.py::test_7_6_a_crash_and_a_restart_give_everything_back`, `test_simulation.py`, `test_kill.py`
7.6 fourteen entries | the eleventh is blocked | `test_phases.py::TestPositions::test_of_fourteen_entries_those_from_the_eleventh_on_are_blocked`
7.6 VIX 15 to 65 | halt and reduce | `test_scenarios.py::TestTst::test_vix_from_15_to_65_halts_and_reduces`, `test_days_and_vix.py::TestVixJump`
7.6 phases | 35,000/19/.59: 1; 40,000/20/.60: 2; -25 %: back to 1 | `test_phases.py::TestEarned`, `test_scenarios.py::TestTst::test_a_quarter_lost_goes_back_a_phase`
7.6 flash crash, year 2023 | survive | `test_suite.py::TestWhole::test_all_of_it_holds` (FLASH_CRASH, FLASH_CRASH_QUOTED); the year 2023 is not asserted
7.7 +0.500, +0.501, -0.500 | flat, call, flat | `test_zero_dte.py::test_direction`, `test_scenarios.py::TestBoundaries::test_moves_around_half_a_per_cent`
7.7 10:29:59 and 10:30:00 | blocked, allowed | `test_scenarios.py::TestBoundaries::test_1029_and_1030`
7.7 12 March 2024 | 10:30 New York is 14:30 London | `test_calendar.py::test_london_sees_1030_an_hour_early_in_the_mismatch_weeks`
7.7 VIX edges | half open | `test_rules.py::TestRegime::test_bands_are_half_open`
7.7 second Tuesdays, first Wednesdays | 2024 | `test_days_and_vix.py::TestEntryDays::test_first_wednesdays`, `test_days_and_vix.py::TestEntryDays::test_second_tuesdays`
7.7 Good Friday 2024 | closed | `test_fridays_2024.py::test_holidays_and_early_closes_say_so`
7.7 1 January 2025 | no LT112 that month | `test_days_and_vix.py::TestEntryDays::test_a_holiday_first_wednesday_leaves_the_month_without`
7.7 5452.5 | rounds up | `test_scenarios.py::TestBoundaries::test_rounding_of_5452_5`
7.7 OCC fractional strike | 197.5 | `test_symbols.py`
7.7 same expiration | blocked for LT112 | `test_days_and_vix.py::TestSameExpiration`
7.7 PUTS_ONLY at VIX 35, +0.8 % | blocked | `test_scenarios.py::TestBoundaries::test_PUTS_ONLY_blocks_what_the_direction_says`
""")  # noqa: E501
