"""The default run on the embedded market: every Friday of 2024 is a trade or a refusal with its reason."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from conf.compose import compose
from conf.run import Finished, execute
from sim.calendar import ny
from sim.report.folder import RunFolder
from sim.report.metrics import metrics
from sim.report.tables import NAMES


@pytest.fixture(scope="module")
def year(shared_home: Path) -> Finished:
    return execute(compose([]), shared_home)


def test_every_friday_is_a_trade_or_a_refusal(year: Finished) -> None:
    fridays = {date(2024, 1, 5) + timedelta(weeks=n) for n in range(52)}
    traded = {ny(c.trade.opened_ns).date() for c in year.result.closed} | {o.trade.session for o in year.result.open}
    refused = {ny(r.ts).date() for r in year.result.refusals}
    assert traded | refused == fridays
    assert len(traded) >= 25
    assert not traded & refused


def test_all_three_structures_occur(year: Finished) -> None:
    found = {c.trade.structure for c in year.result.closed}
    assert found == {"CALL_SPREAD", "PUT_SPREAD", "IRON_CONDOR"}


def test_holidays_and_early_closes_say_so(year: Finished) -> None:
    reasons = {ny(r.ts).date(): (r.refused.reason, r.refused.detail) for r in year.result.refusals}
    assert reasons[date(2024, 3, 29)] == ("Market closed", "Good Friday")
    assert reasons[date(2024, 11, 29)][0] == "Early close"


def test_no_entry_before_1030_and_none_left_after_1530(year: Finished) -> None:
    for trade in year.result.closed:
        opened, closed = ny(trade.trade.opened_ns), ny(trade.closed_ns)
        assert (10, 31) <= (opened.hour, opened.minute) <= (10, 35), "decided at 10:30, filled on a later quote"
        assert opened.date() == closed.date()
        assert (closed.hour, closed.minute) <= (15, 31)
    assert year.result.open == []


def test_numbers_hang_together(year: Finished) -> None:
    m = metrics(year.result)
    assert m["net_pnl"] == pytest.approx(m["gross_pnl"] - m["fees"])
    assert m["net_pnl"] == pytest.approx(float(sum(c.net for c in year.result.closed)))
    assert year.result.equity[-1].nlv == pytest.approx(75_000 + m["net_pnl"])
    assert m["trades"] == m["winners"] + m["losers"] == len(year.result.closed)
    assert m["slippage"] > 0
    assert m["sessions"] == 252
    assert all(p.low <= p.nlv <= p.high for p in year.result.equity)
    assert all(float(c.mae) <= float(c.net) <= float(c.mfe) + float(c.fees) for c in year.result.closed)


def test_same_config_data_and_seed_same_bytes(shared_home: Path, tmp_path: Path) -> None:
    config = compose(["market=es_sample"])
    folders = []
    for n in range(2):
        folder = RunFolder(tmp_path / str(n))
        folder.tables(execute(config, shared_home).result)
        folders.append(folder.partial)
    for name in NAMES:
        one, two = ((f / f"{name}.parquet").read_bytes() for f in folders)
        assert one == two, name


@pytest.mark.parametrize("fill", ["default", "mid", "natural"])
@pytest.mark.parametrize("strike_mode", ["fixed", "atr"])
def test_both_drivers_agree_on_the_sample(shared_home: Path, fill: str, strike_mode: str) -> None:
    words = ["market=es_sample", f"fill={fill}", f"strategy.strike_mode={strike_mode}", "strategy.entry.weekday=any"]
    jump, minute = (
        execute(compose([*words, f"adapter.driver={d}"]), shared_home).result for d in ("jump", "every_minute")
    )
    assert len(jump.fills) > 10
    strip = [(f.ts, f.net, f.quantity, f.legs) for f in jump.fills]
    assert strip == [(f.ts, f.net, f.quantity, f.legs) for f in minute.fills]
    assert jump.equity == minute.equity
    assert [r.refused for r in jump.refusals] == [r.refused for r in minute.refusals]
    assert [(c.exit_reason, c.net, c.mae, c.mfe) for c in jump.closed] == [
        (c.exit_reason, c.net, c.mae, c.mfe) for c in minute.closed
    ]


def test_the_delta_guard_moves_shorts_out(shared_home: Path) -> None:
    words = ["market=es_sample", "strategy.entry.weekday=any"]
    plain = execute(compose(words), shared_home).result
    guarded = execute(compose([*words, "strategy.delta_guard=0.20"]), shared_home).result
    moved = {o.order.request.describe() for o in guarded.orders} - {o.order.request.describe() for o in plain.orders}
    assert moved


def test_costs_rank_the_fill_models(shared_home: Path) -> None:
    found = {}
    for fill in ("mid", "default", "natural"):
        result = execute(
            compose(["market=es_sample", f"fill={fill}", "strategy.entry.weekday=any"]), shared_home
        ).result
        entries = [f for f in result.fills if f.legs[0].opening]
        found[fill] = {f.ts: f.net for f in entries}
    shared = set(found["mid"]) & set(found["default"]) & set(found["natural"])
    assert len(shared) > 5
    assert all(found["mid"][t] >= found["default"][t] >= found["natural"][t] for t in shared)
    assert any(found["mid"][t] > found["natural"][t] for t in shared)
