"""Several plays on one page: what each earned, whether they lose together, groups and phases."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from conf.compose import compose
from conf.run import Finished, execute
from sim.report.folder import RunFolder
from sim.report.lists import refusals
from sim.report.metrics import metrics
from sim.report.pagedata import PageData, PairRow, ProfitRow
from sim.report.pairs import moved
from sim.report.plays import _correlation, together

WORDS = (
    "market=es_sample", "strategy=framework", "strategy.run=[zero_dte,ratio,butterfly]",
    "strategy.plays.ratio.underlying=ES", "strategy.plays.butterfly.underlying=ES", "report=none",
)  # fmt: skip


@pytest.fixture(scope="module")
def done(shared_home: Path) -> Finished:
    return execute(compose(list(WORDS)), shared_home)


@pytest.fixture(scope="module")
def data(done: Finished, tmp_path_factory: pytest.TempPathFactory) -> PageData:
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "two")
    folder.tables(done.result)
    folder.json("metrics.json", metrics(done.result))
    folder.json("facts.json", {"facts": done.result.facts, "start_nlv": str(done.result.start_nlv)})
    return PageData.of(folder.close())


def test_the_profits_of_the_plays_are_those_of_the_account(done: Finished) -> None:
    for point in done.result.equity:
        assert sum(p for _, p in point.profits) == pytest.approx(point.nlv - 75_000, abs=0.01)
    last = dict(done.result.equity[-1].profits)
    for name, earned in last.items():
        closed = sum(float(c.net) for c in done.result.closed if c.trade.strategy == name)
        if not any(b.trade.strategy == name for b in done.result.open):
            assert earned == pytest.approx(closed)


def test_the_section(data: PageData) -> None:
    page = together(data)
    assert "The plays together" in page
    assert {"zero_dte", "ratio"} <= set(re.findall(r">(\w+)</th>", page))
    assert "Positions by correlation group" in page
    assert "A1 (2)" in page
    assert "Phase of the account: " in page


def test_one_play_has_no_such_section(data: PageData) -> None:
    assert together(replace(data, profits=tuple(p for p in data.profits if p.strategy == "ratio"))) == ""
    assert together(replace(data, profits=())) == ""


def test_the_phase_path_follows_the_account(data: PageData) -> None:
    days = tuple(replace(d, nlv=nlv) for d, nlv in zip(data.days, (29_999, 30_000, 59_999, 75_000), strict=False))
    rows = tuple(ProfitRow(d.session, name, 0.0) for d in days for name in ("a", "b"))
    assert "Phase of the account: 0 to 1 to 2 to 4" in together(replace(data, days=days, profits=rows))


def test_correlation_by_hand() -> None:
    a = [float(i % 5 - 2) or 0.5 for i in range(40)]
    assert _correlation(a, a) == "+1.00"
    assert _correlation(a, [-x for x in a]) == "-1.00"
    assert _correlation(a[:19], a[:19]) == "n/a", "too few days"
    assert _correlation(a, [0.0] * 40) == "n/a", "nothing at stake"


def test_a_position_counts_from_its_entry_to_its_exit(data: PageData) -> None:
    trade = replace(data.closed[0], underlying="ES")
    page = together(replace(data, closed=(trade,), open=()))
    assert trade.opened is not None
    assert trade.closed is not None
    assert f"1 position from {max(d for d in (x.session for x in data.days) if d <= trade.opened.date())}" in page
    assert date(2024, 7, 15) == data.days[0].session


def test_refusals_by_regime_go_by_the_close_before(data: PageData) -> None:
    page = refusals(data)
    table = page[page.index("By VIX band at the close before") : page.index("<details>")]
    counts = [int(n) for n in re.findall(r'<td class="n">(\d+)</td>', table)]
    assert sum(counts) == len(data.refusals) > 0
    assert refusals(replace(data, facts={**data.facts, "bands": "[]"})).count("By VIX band") == 0


class TestMeasuredCorrelation:
    def rows(self, *pairs: tuple[str, str, float | None]) -> tuple[PairRow, ...]:
        return tuple(PairRow(date(2024, 6, 7), *pair) for pair in pairs)

    def test_one_underlying_shows_nothing(self, data: PageData) -> None:
        assert data.pairs == ()
        assert moved(data) == ""

    def test_unlike_groups_that_move_alike_are_named(self, data: PageData) -> None:
        page = moved(replace(data, pairs=self.rows(("ES", "GC", -0.85), ("ES", "CL", 0.70), ("ES", "ZB", None))))
        assert "-0.85" in page
        assert "n/a" in page
        assert re.findall(r">(\w+, \w+)</th>", page) == ["ES, GC"]
        assert "1 of 1 week" in page

    def test_what_the_rules_count_as_one_is_no_surprise(self, data: PageData) -> None:
        page = moved(replace(data, pairs=self.rows(("ES", "MES", 1.0), ("ES", "SPY", 0.97))))
        assert "No pair of unlike groups" in page

    def test_a_run_of_two_underlyings_measures_them(self, shared_home: Path, tmp_path: Path) -> None:
        words = [*WORDS[:2], "strategy.run=[zero_dte,butterfly]", "report=none"]
        done = execute(compose(words), shared_home)
        folder = RunFolder(tmp_path / "one")
        folder.tables(done.result)
        folder.json("metrics.json", metrics(done.result))
        pairs = PageData.of(folder.close()).pairs
        assert {(p.one, p.other) for p in pairs} == {("ES", "SPX")}
        assert min(p.rho or 0.0 for p in pairs) > 0.95
