"""The small SVG of the page: scales, curves, gaps, labels, and a unit on both axes of every chart."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.report import charts
from sim.report.charts import Chart, Scale, Tick
from sim.report.figures import axis, date_ticks

FLOATS = st.floats(-1e9, 1e9, allow_nan=False, allow_infinity=False)


@given(st.lists(FLOATS, min_size=1, max_size=20))
def test_a_scale_holds_every_value_and_has_few_round_steps(values: list[float]) -> None:
    made = charts.scale(values)
    room = 1e-6 * (made.high - made.low)
    assert made.low <= min(values) + room
    assert made.high >= max(values) - room
    assert 2 <= len(made.ticks) <= 9
    step = made.ticks[1] - made.ticks[0]
    lead = float(f"{step:.6e}".partition("e")[0])
    assert min(abs(lead - m) for m in (1.0, 2.0, 2.5, 5.0)) < 1e-4


def test_scales_by_hand() -> None:
    assert charts.scale([74_846.84, 75_319.57]).ticks == (74_800, 74_900, 75_000, 75_100, 75_200, 75_300, 75_400)
    assert charts.scale([3.0, 41.0], floor_at=0.0).low == 0.0
    assert charts.scale([]) == charts.scale([0.0, 1.0])
    assert charts.scale([0.0, 0.0], floor_at=0.0).low == 0.0  # nothing used: the axis still begins at zero
    flat = charts.scale([75_000.0])
    assert flat.low < 75_000 < flat.high
    assert charts.scale([1.0, float("nan"), 2.0]) == charts.scale([1.0, 2.0])


@pytest.mark.parametrize(("values", "decimals"), [((0.0, 10.0), 0), ((0.0, 1.0), 1), ((0.0, 0.12), 3), ((0.0, 9e5), 0)])
def test_labels_have_the_digits_that_the_steps_need(values: tuple[float, float], decimals: int) -> None:
    made = charts.scale(values)
    assert made.decimals == decimals
    assert len({axis(made)(t) for t in made.ticks}) == len(made.ticks)


def test_positions_on_a_scale() -> None:
    made = Scale(0.0, 10.0, (0.0, 10.0))
    assert (made.at(0.0), made.at(2.5), made.at(10.0)) == (0.0, 0.25, 1.0)
    assert made.y(10.0, 200) == 0.0
    assert made.y(0.0, 200) == 200.0
    assert made.at(99.0) == 1.0  # never outside the plot


def test_large_amounts_are_written_in_millions() -> None:
    made = charts.scale([0.0, 52_000_000.0])
    assert [axis(made)(t) for t in made.ticks[:3]] == ["0 m", "20 m", "40 m"]
    assert axis(charts.scale([0.0, 8_000_000.0]))(2_000_000.0) == "2,000,000"


def test_a_missing_value_leaves_a_gap() -> None:
    drawn = charts.line([(0.0, 10.0), (0.1, 20.0), None, (0.5, 30.0)], "l1")
    assert drawn == '<path class="l1" d="M0.0,10.0 100.0,20.0M500.0,30.0"/>'
    assert charts.line([None, None], "l1") == ""
    corners = charts.steps([1.0, None, 3.0], lambda v: v)
    assert corners == [(0.0, 1.0), (1 / 3, 1.0), None, (2 / 3, 3.0), (1.0, 3.0)]
    assert len(charts.under(corners, 0.0, "fill2")) == 2
    assert charts.steps([float("nan")], lambda v: v) == [None]


def test_plateaus_join_equal_neighbours_and_skip_unknown_ones() -> None:
    drawn = charts.plateaus([65.0, 65.0, None, 45.0], lambda v: v, "cap")
    assert drawn == '<path class="cap" d="M0.0,65.0H500.0M750.0,45.0H1000.0"/>'
    assert charts.plateaus([None], lambda v: v, "cap") == ""


def test_words_are_escaped_wherever_they_stand() -> None:
    bad = '<script>"&'
    made = [charts.note(0.5, 1.0, bad), charts.box(0, 1, 0, 1, "x", bad), charts.mark(0, 0, "disc", bad)]
    made.append(charts.key("l1", bad))
    for svg in made:
        assert "<script" not in svg
        assert "&lt;script&gt;&quot;&amp;" in svg


def test_words_at_a_border_turn_inward() -> None:
    assert 'text-anchor="start"' in charts.note(0.0, 1.0, "x")
    assert 'text-anchor="end"' in charts.note(1.0, 1.0, "x")
    assert 'text-anchor="middle"' in charts.note(0.5, 1.0, "x")


def _chart() -> Chart:
    y = charts.scale([0.0, 80.0])
    return Chart(
        title="Buying power",
        summary="most 4 %",
        height=200,
        y=y,
        y_name="of account value, %",
        y_text=axis(y),
        ticks=[Tick(0.0, "Jan 2024"), Tick(0.5, "Jul", 1), Tick(1.0, "Dec", 2)],
        x_name="session, New York date",
        curves=[charts.line([(0.0, 10.0), (1.0, 20.0)], "l1")],
        keys=[charts.key("l1", "used")],
        remark="1 session left blank.",
    )


def test_a_chart_names_the_unit_of_both_axes_and_says_what_it_shows() -> None:
    drawn = _chart().figure()
    assert re.findall(r'<text class="unit"[^>]*>([^<]+)<', drawn) == ["of account value, %", "session, New York date"]
    assert 'role="img" aria-label="most 4 %"' in drawn
    assert "<b>Buying power</b>" in drawn
    assert "1 session left blank." in drawn
    assert [word in drawn for word in ("Jan 2024", 'class="tick r1"', 'class="tick r2"')] == [True] * 3
    assert drawn.count("<svg") == drawn.count("</svg>") == 3  # the plot, its stretched box, the key


def test_text_is_not_in_the_stretched_box() -> None:
    inner = re.search(r'<svg class="curves".*?</svg>', _chart().svg())
    assert inner is not None
    assert "<text" not in inner[0]


def _weekdays(start: date, n: int) -> list[date]:
    return [d for d in (start + timedelta(days=i) for i in range(2 * n)) if d.weekday() < 5][:n]


@pytest.mark.parametrize("n", [1, 2, 5, 12, 13, 60, 130, 252, 600, 1260, 4000])
def test_dates_are_labelled_sparsely_in_order_and_say_their_year(n: int) -> None:
    ticks = date_ticks(_weekdays(date(2023, 11, 29), n))
    assert 1 <= len(ticks) <= 14
    assert [t.at for t in ticks] == sorted({t.at for t in ticks})
    assert all(0.0 <= t.at < 1.0 for t in ticks)
    assert re.search(r"20\d\d", ticks[0].label)
    always = [t.at for t in ticks if t.rank == 0]
    assert 1 <= len(always) <= 5
    assert len(always) == 1 or always[1] - always[0] >= 0.27  # the first one carries the year, and a phone is narrow
    assert len({t.label for t in ticks}) == len(ticks) or n > 252  # a month comes again in the next year


def test_a_year_is_labelled_by_month() -> None:
    ticks = date_ticks(_weekdays(date(2024, 1, 2), 261))
    assert [t.label for t in ticks][:3] == ["Jan 2024", "Feb", "Mar"]
    assert [t.label for t in ticks if t.rank == 0] == ["Jan 2024", "May", "Sep"]


def test_no_session_has_no_label() -> None:
    assert date_ticks([]) == []
