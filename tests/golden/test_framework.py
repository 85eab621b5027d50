"""All plays on one account through the summer of 2024: limits hold at every entry, the books balance, drivers agree."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from conf.compose import compose
from conf.run import Finished, execute
from sim.calendar import ny

WORDS = ("strategy=framework", "market=es_2024", "report=none")
SUMMER = ("start=2024-05-20", "end=2024-08-16")


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    return compose([*WORDS, *SUMMER])


@pytest.fixture(scope="module")
def summer(config: dict[str, Any], shared_home: Path) -> Finished:
    return execute(config, shared_home)


def life(done: Finished) -> list[tuple[int, float, str, str, str]]:
    """(opened, closed, underlying, strategy, structure) of every trade, instants in ns."""
    out = [(c.trade.opened_ns, float(c.closed_ns), c.trade) for c in done.result.closed]
    out += [(b.trade.opened_ns, float("inf"), b.trade) for b in done.result.open]
    return [(a, b, t.underlying, t.strategy, t.structure) for a, b, t in sorted(out, key=lambda x: x[0])]


def test_many_plays_trade(summer: Finished) -> None:
    names = {strategy for _, _, _, strategy, _ in life(summer)}
    assert names >= {"zero_dte", "lt112", "strangle", "leap_puts", "ratio"}
    assert len({underlying for _, _, underlying, _, _ in life(summer)}) >= 4


def test_no_entry_goes_over_a_group_s_limit(summer: Finished, config: dict[str, Any]) -> None:
    rule = config["rules"]["correlation"]
    group_of = {m: g for g, members in rule["groups"].items() for m in members}
    together = set(config["rules"]["units"]["together"])
    trades = life(summer)
    for opened, _, underlying, strategy, _ in trades:
        group = group_of[underlying]
        held = [t for t in trades if t[0] <= opened < t[1] and group_of[t[2]] == group]
        units = {(s, u) if s in together else i for i, (_, _, u, s, _) in enumerate(held)}
        limit = min(rule["limits"][group], 3)
        assert len(units) <= limit, (ny(opened), underlying, strategy, held)


def test_the_fifth_of_august_costs_less_than_a_fifth(summer: Finished) -> None:
    points = {p.session.isoformat(): p for p in summer.result.equity}
    before, low = points["2024-08-02"].nlv, min(p.low for d, p in points.items() if d >= "2024-08-05")
    assert -0.20 < low / before - 1 < 0, "rulebook 6.4: two positions of one unit"


def test_what_the_account_did_unasked_is_said(summer: Finished) -> None:
    said = Counter(e.text.split(":")[0] for e in summer.result.journal.entries if e.kind == "alert")
    closed = Counter(c.exit_reason for c in summer.result.closed)
    duties = {"drawdown", "close_all_except_puts", "group_over", "black_swan", "margin_call"}
    assert sum(closed[d] for d in duties) <= sum(said[d] for d in duties)


def test_profits_add_up_to_the_account(summer: Finished) -> None:
    for point in summer.result.equity:
        assert sum(p for _, p in point.profits) == pytest.approx(point.nlv - 75_000, abs=0.01)


def test_both_drivers_agree(shared_home: Path) -> None:
    words = [*WORDS, "start=2024-07-29", "end=2024-08-09"]
    books = [execute(compose([*words, f"adapter.driver={d}"]), shared_home).result for d in ("jump", "every_minute")]
    one, two = ([(f.ts, f.net, f.legs) for f in book.fills] for book in books)
    assert one == two
    assert one
    assert [r.refused for r in books[0].refusals] == [r.refused for r in books[1].refusals]
    assert [(p.nlv, p.low, p.high, p.bp_used) for p in books[0].equity] == [
        (p.nlv, p.low, p.high, p.bp_used) for p in books[1].equity
    ]
