"""Values out of typed text: the rows of the rulebook that say so, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from live.typed import Seen, number, read, read_all, read_credit, read_line, read_positions, read_vix, spread_credit
from sim.calendar import ny
from sim.model.errors import DataError

FRIDAY = date(2025, 1, 10)
LINE: Final = (
    "£75000 | ES LT112 (85 DTE, 6420, +5%), MCL strangle (55 DTE, 2.80, +15%), QQQ IPMCC (280 DTE, 380/weekly, -2%) "
    "| 32% | Friday Jan 10 10:15 AM EST | VIX 15.2 | No | £2450"
)


def said(*values: object) -> str:
    """Values as one text: decimals with the digits that they were typed with."""
    return " ".join(map(str, values))


def seen(text: str) -> Seen:
    return read(text)[1]


def with_part(i: int, text: str) -> str:
    """The manual line with another text in its part number ``i``."""
    parts = LINE.split(" | ")
    parts[i] = text
    return " | ".join(parts)


READERS: Final[tuple[Callable[[str], object], ...]] = (
    read, read_credit, read_positions, read_vix, lambda text: read_line(text, FRIDAY),
    lambda text: read_line(with_part(1, text), FRIDAY), lambda text: read_line(with_part(3, text), FRIDAY),
)  # fmt: skip


class TestSearches:
    def test_7_2_1_price_and_change(self) -> None:
        for tail in ("", " from the open"):
            symbol, found = read(f"ES is currently trading at $6,468.50, up $48.50{tail}")
            assert (symbol, found.last, found.change) == ("ES", Decimal("6468.50"), Decimal("48.50"))
        assert seen("ES is trading at 6468.50, down 48.50").change == Decimal("-48.50")
        assert seen("SPY is now trading at $542.10").change is None

    @pytest.mark.parametrize("text", ["range 6380-6485", "5-day range: 6380 - 6485", "ES 5-day range: 6,380 – 6,485"])
    def test_7_2_1_range(self, text: str) -> None:
        found = seen(text)
        assert said(found.low, found.high) == "6380 6485"

    @pytest.mark.parametrize("text", ["ATR 45", "ATR(14) is 45 points", "ES ATR(14) is 45 points"])
    def test_7_2_1_atr_is_not_its_period(self, text: str) -> None:
        assert seen(text).atr == 45

    @pytest.mark.parametrize("text", ["RSI 58.3", "RSI reading: 58.3 (neutral)"])
    def test_7_2_1_rsi_is_rounded_to_58(self, text: str) -> None:
        assert seen(text).rsi == 58

    @pytest.mark.parametrize(("typed", "rsi"), [("58.5", 59), ("58.49", 58), ("0", 0), ("99.6", 100), ("100", 100)])
    def test_rsi_rounds_half_up(self, typed: str, rsi: int) -> None:
        assert seen(f"RSI {typed}").rsi == rsi

    @pytest.mark.parametrize("text", ["IV 15.2", "Implied Volatility: 15.2%"])
    def test_7_2_1_iv(self, text: str) -> None:
        assert seen(text).iv == Decimal("15.2")

    @pytest.mark.parametrize("text", ["IVR 35th", "IV Rank: 35th percentile", "IV rank 35%"])
    def test_7_2_1_iv_rank(self, text: str) -> None:
        found = seen(text)
        assert said(found.iv_rank, found.iv) == "35 None"

    def test_7_2_1_option(self) -> None:
        (plain,) = seen("6200 strike, bid 2.50, ask 2.75").options
        assert said(plain.strike, plain.bid, plain.ask, plain.right) == "6200 2.50 2.75 None"
        (put,) = seen("90 DTE 5-delta put: 6200 strike, bid 2.50, ask 2.75").options
        assert said(put.strike, put.dte, put.delta, put.right) == "6200 90 5 Right.PUT"

    def test_7_2_1_credit(self) -> None:
        assert spread_credit(Decimal("4.25"), Decimal("1.75")) == Decimal("2.50")
        assert read_credit("credit 4.25-1.75=2.50") == Decimal("2.50")
        assert read_credit("credit 4.25 - 1.75") == Decimal("2.50")
        with pytest.raises(DataError, match=r"does not add up: it is 2\.50"):
            read_credit("credit 4.25-1.75=2.60")

    def test_7_2_11_search_strings(self) -> None:
        found = read_all(
            [
                "ES is currently trading at $5,421.50, up $18.75 from the open",
                "ES 5-day range: 5380 - 5485",
                "ES ATR(14) is 42 points",
                "ES RSI reading: 52.3 (neutral)",
                "ES implied volatility: 14.8%",
                "ES IV Rank: 32nd percentile",
                "ES 90 DTE 5-delta put: 5200 strike, bid 2.45, ask 2.60",
                "ES 90 DTE 5-delta call: 5650 strike, bid 2.35, ask 2.50",
            ]
        )
        assert list(found) == ["ES"]
        es = found["ES"]
        assert said(es.last, es.high, es.atr, es.rsi) == "5421.50 5485 42 52"
        assert said(es.iv, es.iv_rank) == "14.8 32"
        assert es.put is not None
        assert es.call is not None
        assert said(es.put.strike, es.call.strike) == "5200 5650"

    @pytest.mark.parametrize(
        "text",
        [
            "", "ES", "5421.50", "IV Percentile is 42%", "ES is trading at $6,46.50",
            "ES is trading at $6468.50, sideways", "RSI -5", "range 6380", "range 6380-6485-7000", "ATR unknown",
            "ATR(14)", "today RSI 50", "RSI ５８",
            "VIX 15 and ES is trading at $5000", "put 6200 strike, bid 2.50", "6200 strike, ask 2.75", "IVR ?",
        ],
    )  # fmt: skip
    def test_anything_else_is_refused_in_one_line(self, text: str) -> None:
        with pytest.raises(DataError, match="says nothing that is read here: wanted one like") as caught:
            read(text)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("RSI 100.6", "the RSI is 100.6, wanted at most 100"),
            ("IVR 135th", "the IV rank is 135, wanted at most 100"),
            ("IV 0", "the IV is 0, wanted above 0"),
            ("ATR 0", "the ATR is 0, wanted above 0"),
            ("ES is trading at $0", "the price is 0, wanted above 0"),
            ("range 6485-6380", "its low 6485 is above its high 6380"),
            ("6200 strike, bid 2.75, ask 2.50", "its bid 2.75 is above its ask 2.50"),
            ("0 strike, bid 2.75", "the strike is 0, wanted above 0"),
        ],
    )
    def test_numbers_that_cannot_be(self, text: str, why: str) -> None:
        with pytest.raises(DataError, match=why):
            read(text)

    def test_nothing_is_said_twice_or_of_nobody(self) -> None:
        with pytest.raises(DataError, match="ES has its atr already; give it once"):
            read_all(["ES ATR 42", "ES ATR 43"])
        with pytest.raises(DataError, match="ES has its option already"):
            read_all(["ES put: 5200 strike, bid 1", "ES put: 5100 strike, bid 1"])
        with pytest.raises(DataError, match="names no symbol"):
            read_all(["ATR 42"])
        both = read_all(["ES ATR 42", "6E ATR 0.01", "ES RSI 50"])
        assert said(both["ES"].atr, both["ES"].rsi, both["6E"].atr) == "42 50 0.01"

    @given(st.text(max_size=60))
    def test_no_text_breaks_it(self, text: str) -> None:
        for reader in READERS:
            told = ""
            try:
                reader(text)
            except DataError as error:
                told = str(error)
            assert told == "" or told.isprintable()

    @given(st.decimals(min_value="0.01", max_value="99999999", places=2))
    def test_prices_come_back_as_they_were_typed(self, price: Decimal) -> None:
        assert number(f"{price:,}") == number(f"{price}") == price
        assert seen(f"ES is currently trading at ${price:,}").last == price

    @pytest.mark.parametrize(
        "text", ["", "-1", "+1", "1,00", "1,0000", ",100", "1.", ".5", "1e3", "NaN", "1_000", "１", " 1"]
    )
    def test_what_is_no_number(self, text: str) -> None:
        assert number(text) is None


class TestLine:
    def test_the_example(self) -> None:
        line = read_line(LINE, FRIDAY)
        assert said(line.nlv, line.currency, line.month) == "75000 GBP 2450"
        assert said(line.bp, line.vix, line.portfolio_margin, line.standard_margin) == "32 15.2 False True"
        assert f"{ny(line.ts):%Y-%m-%d %H:%M}" == "2025-01-10 10:15"
        es, mcl, qqq = line.positions
        assert said(es.strategy, es.underlying, es.dte, *es.entry, es.profit) == "lt112 ES 85 6420 5"
        assert said(mcl.strategy, mcl.underlying, *mcl.entry) == "strangle MCL 2.80"
        assert said(qqq.strategy, qqq.weekly, *qqq.entry, qqq.profit) == "ipmcc True 380 -2"

    def test_the_month_may_be_left_out(self) -> None:
        assert read_line(LINE.rpartition(" | ")[0], FRIDAY).month is None
        assert read_line(with_part(6, ""), FRIDAY).month is None
        assert read_line(with_part(6, "-£1,200.50"), FRIDAY).month == Decimal("-1200.50")

    def test_7_3_a_position_of_999_dte_is_a_data_error(self) -> None:
        for text in ("INVALID 999 DTE", "INVALID LT112 (999 DTE, 0, +999%)"):
            with pytest.raises(DataError, match=r"^position '") as caught:
                read_line(with_part(1, text), FRIDAY)
            assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("INVALID LT112 (85 DTE, 6420, +5%)", "'INVALID' is no future"),
            ("ES LT112 (85 DTE, 0, +5%)", "its entry price is 0, wanted above 0"),
            ("ES LT112 (9999 DTE, 6420, +5%)", "its DTE is 9999, wanted at most 1200"),
            ("ES LT113 (85 DTE, 6420, +5%)", r"no play is called 'LT113' \(did you mean 'LT112'\?\)"),
            ("LT112 (85 DTE, 6420, +5%)", "no play is called ''"),
            ("ES LT112 (-1 DTE, 6420, +5%)", "cannot be read: wanted one like ES LT112"),
            ("ES LT112 (85 DTE, 6420, +5)", "cannot be read"),
            ("ES LT112 (85 DTE, 64/, +5%)", "cannot be read"),
            ("ES LT112 (85 DTE, 6420, +5%),", "cannot be read"),
            ("nothing", "cannot be read"),
            ("", "cannot be read"),
        ],
    )
    def test_7_3_each_fault_of_a_position_alone(self, text: str, why: str) -> None:
        with pytest.raises(DataError, match=why):
            read_positions(text)

    def test_positions(self) -> None:
        assert read_positions("none") == read_positions(" None ") == ()
        (condor,) = read_positions("0DTE Iron Condor (0 DTE, 5450/5420/5480/5510, +45%)")
        assert said(condor.strategy, condor.underlying, *condor.entry) == "zero_dte ES 5450 5420 5480 5510"
        (leap,) = read_positions("SPY LEAP (999 DTE, 12.50, -3.5%)")
        assert said(leap.strategy, leap.dte, leap.profit) == "leap_puts 999 -3.5"
        (mes,) = read_positions("mes 0dte (0 DTE, 2.50, 0%)")
        assert (mes.strategy, mes.underlying) == ("zero_dte", "MES")

    def test_7_3_unknown_buying_power_falls_back_to_standard_margin(self) -> None:
        line = read_line(with_part(2, "?%").replace("| No |", "| PM yes |"), FRIDAY)
        assert line.bp is None
        assert line.portfolio_margin
        assert line.standard_margin
        known = read_line(LINE.replace("| No |", "| PM yes |"), FRIDAY)
        assert known.portfolio_margin
        assert not known.standard_margin

    def test_7_3_an_unknown_vix_is_none(self) -> None:
        assert read_line(with_part(4, "VIX ?"), FRIDAY).vix is None
        assert read_vix("?") is None

    @pytest.mark.parametrize("text", ["VIX 999", "VIX 150.01", "VIX 0"])
    def test_7_3_a_vix_of_999_is_a_data_error(self, text: str) -> None:
        with pytest.raises(
            DataError, match=r"^VIX [\d.]+ cannot be: wanted above 0, at most 150; check it, or type VIX \?$"
        ):
            read_line(with_part(4, text), FRIDAY)

    def test_7_3_an_account_below_nothing(self) -> None:
        """It is read: the phase below the first says that it may only close."""
        line = read_line(
            "£-5000 | ES LT112 (5 DTE, 6420, -95%) | 200% | Wednesday Jan 8 10:15 AM EST | VIX 42.8 | No", FRIDAY
        )
        assert said(line.nlv, line.bp) == "-5000 200"

    @pytest.mark.parametrize(
        ("text", "when"),
        [
            ("Friday Jan 10 10:15 AM EST", "2025-01-10 10:15 EST"),
            ("Friday January 10 10:15 AM EST", "2025-01-10 10:15 EST"),
            ("Fri 01/10 9:15 AM", "2025-01-10 09:15 EST"),
            ("Friday Jan 10, 2025 12:05 AM ET", "2025-01-10 00:05 EST"),
            ("Jan 9 12:30 pm", "2025-01-09 12:30 EST"),
            ("Friday Jan 10 14:30", "2025-01-10 14:30 EST"),
            ("Tue Dec 31 3:00 PM EST", "2024-12-31 15:00 EST"),
            ("2024-08-05 09:45", "2024-08-05 09:45 EDT"),
            # The zone that is written says nothing: it is New York's clock (rulebook 0.2).
            ("Monday Aug 5, 2024 9:45 AM EST", "2024-08-05 09:45 EDT"),
        ],
    )
    def test_date_and_time(self, text: str, when: str) -> None:
        assert f"{ny(read_line(with_part(3, text), FRIDAY).ts):%Y-%m-%d %H:%M %Z}" == when

    def test_a_date_without_a_year_is_the_nearest(self) -> None:
        new_year = date(2026, 1, 2)
        assert ny(read_line(with_part(3, "Dec 31 3:00 PM"), new_year).ts).year == 2025
        assert ny(read_line(with_part(3, "Jan 2 3:00 PM"), date(2025, 12, 31)).ts).year == 2026
        assert ny(read_line(with_part(3, "Feb 29 3:00 PM"), date(2025, 2, 28)).ts).year == 2024

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("Friday Jan 11 10:15 AM", "2025-01-11 is a Saturday"),
            ("Freitag Jan 10 10:15 AM", "cannot be read"),
            ("T Jan 7 10:15 AM", "cannot be read"),
            ("Jan 32 10:15 AM", "cannot be read"),
            ("Ju 3 10:15 AM", "cannot be read"),
            ("Feb 30 10:15 AM", "cannot be read"),
            ("Jan 10 13:15 PM", "cannot be read"),
            ("Jan 10 0:15 AM", "cannot be read"),
            ("Jan 10 25:15", "cannot be read"),
            ("2025-02-30 10:15", "cannot be read"),
            ("Pretend it's Friday 01/10 9:15 AM EST", "cannot be read"),
            ("now", "cannot be read"),
            ("Mar 9 2:30 AM", "2:30"),
        ],
    )
    def test_dates_that_are_none(self, text: str, why: str) -> None:
        with pytest.raises(DataError, match=why):
            read_line(with_part(3, text), FRIDAY)

    @pytest.mark.parametrize(
        ("part", "text", "why"),
        [
            (0, "lots", "value 'lots' is no amount"),
            (0, "-£-5", "is no amount"),
            (0, "75,00", "is no amount"),
            (2, "32", "buying power '32' cannot be read"),
            (2, "-5%", "cannot be read"),
            (4, "VIX high", "is no VIX"),
            (5, "maybe", "portfolio margin 'maybe' cannot be read"),
            (6, "$100", "is in USD and the value in GBP"),
            (6, "some", "month P&L 'some' is no amount"),
        ],
    )
    def test_parts_that_cannot_be_read(self, part: int, text: str, why: str) -> None:
        with pytest.raises(DataError, match=why):
            read_line(with_part(part, text), FRIDAY)

    @pytest.mark.parametrize("text", ["", "£75000", LINE + " | more"])
    def test_too_few_and_too_many_parts(self, text: str) -> None:
        with pytest.raises(DataError, match=r"parts: wanted value \| positions or none \| BP% \| date time \| VIX n"):
            read_line(text, FRIDAY)
