"""Real quotes, one trade a day, every fill stated. The rows behind each number were read by hand in the vendor's files.

LEAN's bars are stamped at their start: the row of 09:45 is known at 09:46. Prices below are bar closes in dollars.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from conf.run import Finished
from sim.calendar import ny
from tests.real import play


def fills(run: Finished) -> list[tuple[str, str, list[tuple[int, str, Decimal]]]]:
    """(New York time, net of a unit, legs as (quantity, contract, price))."""
    out = []
    for f in run.result.fills:
        unit = f.legs[0].contract.product.increment
        legs = [(leg.quantity, leg.contract.label, leg.price * unit) for leg in f.legs]
        out.append((f"{ny(f.ts):%Y-%m-%d %H:%M}", str(f.net * unit), legs))
    return out


@pytest.mark.parametrize("driver", ["jump", "every_minute"])
class TestGoog:
    """2015-12-24: same-day expiration, early close at 13:00, VIX of the day before 15.57."""

    def test_strangle_sold_at_the_bids_of_the_0945_row(
        self, real_home: Path, monkeypatch: pytest.MonkeyPatch, driver: str
    ) -> None:
        run = play(real_home, monkeypatch, "experiment=goog_strangle", f"adapter.driver={driver}")
        assert fills(run) == [
            ("2015-12-24 09:46", "0.50", [(-1, "745P", Decimal("0.45")), (-1, "755C", Decimal("0.05"))]),
            ("2015-12-24 13:00", "-0.10", [(1, "745P", Decimal("0.05")), (1, "755C", Decimal("0.05"))]),
        ]
        (trade,) = run.result.closed
        assert trade.gross == Decimal("40.00")
        assert trade.regime == "NORMAL"
        # To close it costs 1.15 at its worst, in the row of 10:01: 1.05 for the put and 0.10 for the call. The mid of
        # that minute is 0.90 + 0.075 (the call's bid of 0.05 is 12 minutes old): 0.50 - 0.975 is the worst mark.
        assert float(trade.mae) == pytest.approx(-47.50)
        assert f"{ny(trade.mae_ns):%H:%M}" == "10:02"

    def test_closing_at_the_worst_minute_costs_115(
        self, real_home: Path, monkeypatch: pytest.MonkeyPatch, driver: str
    ) -> None:
        run = play(
            real_home, monkeypatch, "experiment=goog_strangle", "strategy.exits.at=10:01", f"adapter.driver={driver}"
        )
        assert fills(run)[1] == (
            "2015-12-24 10:02", "-1.15", [(1, "745P", Decimal("1.05")), (1, "755C", Decimal("0.10"))],
        )  # fmt: skip

    def test_condor_with_wings_ten_points_out(
        self, real_home: Path, monkeypatch: pytest.MonkeyPatch, driver: str
    ) -> None:
        run = play(real_home, monkeypatch, "experiment=goog_condor", f"adapter.driver={driver}")
        opened = fills(run)[0]
        assert opened[0] == "2015-12-24 09:46"
        assert [(q, c) for q, c, _ in opened[2]] == [(-1, "745P"), (-1, "755C"), (1, "735P"), (1, "765C")]
        assert opened[2][:2] == [(-1, "745P", Decimal("0.45")), (-1, "755C", Decimal("0.05"))]
        (trade,) = run.result.closed
        assert trade.exit_reason == "time"


@pytest.mark.parametrize("driver", ["jump", "every_minute"])
def test_spxw_straddle_settles_at_the_index(real_home: Path, monkeypatch: pytest.MonkeyPatch, driver: str) -> None:
    run = play(real_home, monkeypatch, "experiment=spxw_straddle", f"adapter.driver={driver}")
    assert fills(run) == [
        ("2021-01-04 10:01", "50.20", [(-1, "3700P", Decimal("0.70")), (-1, "3700C", Decimal("49.50"))])
    ]
    (settlement,) = run.result.settlements
    assert settlement.price == Decimal("3700.65")
    (trade,) = run.result.closed
    assert trade.gross == Decimal("5020.00") - Decimal("65.00")
    assert trade.exit_reason == "cash_settled+expired"


@pytest.mark.parametrize("driver", ["jump", "every_minute"])
def test_es_strangle_across_the_sunday_open_and_the_halt(
    real_home: Path, monkeypatch: pytest.MonkeyPatch, driver: str
) -> None:
    run = play(real_home, monkeypatch, "experiment=es_strangle", f"adapter.driver={driver}")
    assert fills(run) == [
        ("2020-01-05 18:31", "38.25", [(-1, "3000P", Decimal("30.25")), (-1, "3400C", Decimal("8.00"))]),
        ("2020-01-06 18:21", "-35.50", [(1, "3000P", Decimal("24.75")), (1, "3400C", Decimal("10.75"))]),
    ]
    (trade,) = run.result.closed
    assert trade.gross == Decimal("2.75") * 50
    assert [p.session.isoformat() for p in run.result.equity] == ["2020-01-06", "2020-01-07"]


def test_an_order_in_the_halt_waits_for_the_open(real_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = play(real_home, monkeypatch, "experiment=es_strangle", "strategy.exits={at: '16:59', date: 2020-01-06}")
    assert fills(run)[1][0] == "2020-01-06 17:00", "the last bar before the halt is known at its end"
    late = play(real_home, monkeypatch, "experiment=es_strangle", "strategy.exits={at: '17:00', date: 2020-01-06}")
    assert fills(late)[1][0] == "2020-01-06 17:00", "a close at the close goes out a minute before"


@pytest.mark.parametrize("driver", ["jump", "every_minute"])
def test_a_spread_in_the_trader_s_words_on_goog(real_home: Path, monkeypatch: pytest.MonkeyPatch, driver: str) -> None:
    """The 20-delta put of the day against the one five points below, half the credit or 12:59. The rows: at 09:46 the
    745 put stood at 0.45 by 0.90 and the 740 at 0.05 by 0.20, so that the spread brought 0.25."""
    run = play(
        real_home, monkeypatch, "experiment=goog_strangle", "strategy=custom", f"adapter.driver={driver}",
        "strategy.underlying=GOOG", "strategy.entry.at='09:46'", "strategy.exits.dte=null",
        "strategy.legs=[{side: sell, right: put, delta: 20}, {side: buy, right: put, from: 1, points: -5}]",
        "strategy.expiration={dte: 0, within: 0}",
    )  # fmt: skip
    opened, closed = fills(run)
    assert opened == (
        "2015-12-24 09:47", "0.25", [(-1, "745P", Decimal("0.45")), (1, "740P", Decimal("0.20"))]
    )  # fmt: skip
    assert closed[0] == "2015-12-24 11:03"
    assert closed[1] == "-0.25"
    assert run.result.closed[0].exit_reason == "profit_target"
