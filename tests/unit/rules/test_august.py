"""5 August 2024: six LT112 of one expiration, what they lost, and what the rules would have kept out (rulebook 6)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from conf.gate import rules
from sim.model.book import Claim
from sim.pricing import black76
from sim.rules.drawdown import Ladder
from tests.asked import CONFIG, DEFAULT, claim

ACCOUNT, FX = Decimal(530_000), 1.28
EXPIRY = date(2024, 10, 31)
BOOK = [Claim("lt112", "ES", (EXPIRY,), "LT112")] * 6
LADDER = Ladder.of(DEFAULT["drawdown"])
STRIKES, UNITS = np.array([5_200.0, 5_150.0, 4_920.0]), np.array([1, -1, -2]) * 50


def worth(future: float, atm: float, days: int) -> float:
    """Dollars of one unit at an ATM volatility, with the skew of the rulebook's model."""
    iv = atm + 0.39 * (atm / 0.12) ** 0.3 * -np.log(STRIKES / future)
    return float((black76.price(future, STRIKES, days / 365, iv, False) * UNITS).sum())


def loss(units: int, future: float = 5_210.0, atm: float = 0.29) -> Decimal:
    """Pounds lost from the entry on 3 July (ES 5,590, 12 %) to the close of 5 August."""
    return Decimal(units * (worth(5_590.0, 0.12, 120) - worth(future, atm, 87)) / FX)


@pytest.mark.parametrize(
    ("positions", "units", "label"), [(6, 4, "CATASTROPHIC_LOSS"), (3, 4, "RED"), (2, 4, "ORANGE"), (2, 1, "")]
)
def test_AUGUST_5_RECREATION_loss(positions: int, units: int, label: str) -> None:
    """Six positions of four units are lost; the two that the limits allow are not; two of one unit barely notice."""
    assert LADDER.label(loss(positions * units) / ACCOUNT) == label


def test_the_historic_book_lost_more_than_three_hundred_thousand() -> None:
    """PDF: 308,000 of 530,000 pounds at the close."""
    assert loss(24) == pytest.approx(Decimal(308_000), rel=Decimal("0.12"))
    assert loss(24, 5_120.0, 0.42) > 300_000, "at the low, with the volatility of the 65 print"


def test_AUGUST_5_RECREATION_lesson() -> None:
    advice = rules(CONFIG).advice
    assert advice is not None
    lesson = advice.lesson(BOOK, ACCOUNT)
    assert lesson.text == "Never exceed 3 correlated positions"
    assert (lesson.most, lesson.allowed, lesson.prevented) == (3, 2, True)
    assert lesson.violations == ("CORRELATION_EXCEEDED", "SAME_EXPIRATION")
    warned = advice.warnings(BOOK)
    assert any("CRITICAL" in text for text in warned)
    assert any("correlation" in text for text in warned)


def test_ts17_six_index_futures_are_the_same_lesson() -> None:
    advice = rules(CONFIG).advice
    assert advice is not None
    book = [
        claim(f"lt112 {symbol}", date(2024, 10, 1 + n))
        for n, symbol in enumerate(["ES", "NQ", "RTY", "MES", "MNQ", "M2K"])
    ]
    lesson = advice.lesson(book, ACCOUNT)
    assert (lesson.allowed, lesson.violations) == (2, ("CORRELATION_EXCEEDED",))


def test_an_ordinary_book_teaches_nothing() -> None:
    advice = rules(CONFIG).advice
    assert advice is not None
    book = [claim("lt112 ES", EXPIRY), claim("zero_dte ES"), claim("strangle GC", date(2024, 11, 1))]
    assert advice.warnings(book) == ()
    assert not advice.lesson(book, ACCOUNT).prevented


def test_each_warning_has_its_number() -> None:
    advice = rules(CONFIG).advice
    assert advice is not None
    days = [date(2024, 10, n) for n in range(1, 9)]
    bulls = [claim(f"leap_puts {s}", day) for s, day in zip(("GC", "CL", "6E", "ZC"), days, strict=False)]
    assert advice.warnings(bulls[:3]) == ()
    assert advice.warnings(bulls) == ("4 bullish positions: reduce",)
    same = [claim(f"strangle {s}", days[0]) for s in ("GC", "CL", "6E")]
    assert advice.warnings(same[:2]) == ()
    assert advice.warnings(same) == ("3 positions share the expiration 2024-10-01",)
