"""The page of a run: everything is on it, escaped, self-contained, the same bytes each time, and never a crash."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sim.journal import Journal
from sim.ledger import ClosedTrade, OpenTrade
from sim.model.book import Holding, Trade
from sim.model.errors import DataError
from sim.model.event import Refuse
from sim.model.order import Refused
from sim.report import lists, sections
from sim.report.compare import flat
from sim.report.figures import falls
from sim.report.folder import RunFolder
from sim.report.metrics import metrics
from sim.report.page import render, render_compare
from sim.report.pagedata import PageData
from sim.report.result import RunResult
from sim.report.words import BY_KEY, esc, money, percent, plain
from sim.session import EquityPoint
from tests.hand import ES_WEEK, contract

NEW_YORK = ZoneInfo("America/New_York")
FRIDAY = date(2024, 8, 2)
FACTS = {
    "strategy": "ES same-day spreads on Fridays at 10:30",
    "name": "zero_dte",
    "market": "es_2024",
    "source": "a model of ES options, seed 1",
    "synthetic": "yes",
    "fill": "50% of the half-spread given up a leg",
    "fill_name": "default",
    "fees": "tastytrade, 2026-11-22: the price list",
    "margin": "span",
    "regime": "vix",
    "rules": "market open; buying power at most 80%",
    "rules_left_out": "volume",
    "vix": "as known by the minute",
    "bp_cap": "0.8",
    "bands": repr([[0.0, 18.0, "NORMAL", 0.65], [18.0, 30.0, "ELEVATED", 0.775], [30.0, float("inf"), "PUTS", 0.9]]),
    "driver": "jump",
}
CONFIG = "seed: 41\naccount:\n  nlv: 75000\n  currency: GBP\n"


def ns(day: date, at: time) -> int:
    return int(datetime.combine(day, at, NEW_YORK).astimezone(UTC).timestamp()) * 1_000_000_000


def closed(day: date, net: str, reason: str = "profit_target", regime: str = "NORMAL") -> ClosedTrade:
    """An iron condor of two units, opened at 10:31 and closed at 13:05, fees 20."""
    shape = ((5400, "P", -2), (5370, "P", 2), (5480, "C", -2), (5510, "C", 2))
    legs = tuple(Holding(contract(ES_WEEK, day, strike, right), n, 100) for strike, right, n in shape)
    trade = Trade(
        f"x-zero_dte-{day:%y%m%d}", "zero_dte", "IRON_CONDOR", "ES", legs, 2, 108, ns(day, time(10, 31)), day, ()
    )
    fees, gross = Decimal(20), Decimal(net) + 20
    return ClosedTrade(
        trade=trade, closed_ns=ns(day, time(13, 5)), exit_reason=reason, debit=Decimal("2.7"), gross=gross, fees=fees,
        slippage=Decimal("21.5"), mae=min(Decimal(-150), Decimal(net)), mfe=max(Decimal(0), gross),
        mae_ns=ns(day, time(11, 5)), mfe_ns=ns(day, time(13, 4)), regime=regime, assumed_zero=1, premium=Decimal(425),
    )  # fmt: skip


def still_open(day: date) -> OpenTrade:
    trade = replace(closed(day, "0").trade, structure="LT112")
    book = OpenTrade(trade, "NORMAL", {}, 0, 216, gross=Decimal(570), fees=Decimal(11), mae=Decimal(-220))
    book.mae_ns = book.mfe_ns = trade.opened_ns
    return book


def refuse(day: date, rule: str, reason: str, detail: str = "") -> Refuse:
    return Refuse(ns(day, time(10, 30)), Refused("zero_dte", rule, reason, detail, "IRON_CONDOR 2 x -1 5400P"))


def weekdays(start: date, n: int) -> list[date]:
    return [d for d in (start + timedelta(days=i) for i in range(2 * n + 2)) if d.weekday() < 5][:n]


def result(
    nlv: Sequence[float],
    *,
    trades: Sequence[ClosedTrade] = (),
    still: Sequence[OpenTrade] = (),
    refusals: Sequence[Refuse] = (),
    start: date = date(2024, 7, 29),
    bp: float = 3_000.0,
    vix: float = 16.0,
    facts: Mapping[str, str] = FACTS,
) -> RunResult:
    points = [
        EquityPoint(ns(day, time(16, 0)), day, value, value - 40, value + 10, value, bp, 0, vix)
        for day, value in zip(weekdays(start, len(nlv)), nlv, strict=True)
    ]
    return RunResult(
        trades, still, (), (), (), refusals, points, Journal(), Decimal(75_000), "GBP", len(points), 1_234_567, facts
    )


def write(folder: Path, run: RunResult, *, variants: bool = True, config: str = CONFIG) -> Path:
    """The folder of a run as a backtest leaves it."""
    made = RunFolder(folder)
    made.tables(run)
    numbers = metrics(run)
    made.json("metrics.json", numbers)
    made.json("manifest.json", {"run_id": "9f2c1a77", "seed": 41, "versions": {"tomking": "0.1.0"}})
    others = [{"fill": n, "metrics": numbers | {"net_pnl": v}} for n, v in (("mid", 300.0), ("natural", -100.0))]
    others.insert(1, {"fill": "default", "metrics": numbers})
    told = {"facts": dict(run.facts), "start_nlv": 75_000.0, "variants": others if variants else []}
    made.json("facts.json", told)
    made.text("config.yaml", config)
    return made.close()


def month(**changes: Any) -> RunResult:
    """23 sessions from Monday 29 July 2024 with a winner, a loser and two refusals."""
    nlv = [75_000.0] * 4 + [75_200.0] * 10 + [74_700.0] * 9
    given: dict[str, Any] = {
        "trades": [closed(FRIDAY, "200"), closed(date(2024, 8, 16), "-500", "stop_loss", "ELEVATED")],
        "refusals": [
            refuse(date(2024, 8, 9), "entry_window", "Before 10:30 AM restriction", "decided at 10:29"),
            refuse(date(2024, 8, 23), "entry_window", "Before 10:30 AM restriction"),
        ],
    }
    return result(nlv, **{**given, **changes})


def page(tmp_path: Path, run: RunResult, **how: Any) -> str:
    return render(PageData.of(write(tmp_path / "run", run, **how)))


VOID = {"meta", "br", "circle", "line", "path", "rect", "use"}


class Balanced(HTMLParser):
    """Fails on a tag that closes nothing, keeps what stayed open and every attribute that could fetch something."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in {"href", "src", "srcset", "action", "data"}]
        if tag not in VOID or tag in {"rect", "use"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


def check(html: str) -> Balanced:
    """Well formed, no script, nothing fetched, every chart with a unit on both axes."""
    seen = Balanced()
    seen.feed(html)
    assert seen.open == []
    assert seen.tags.isdisjoint({"script", "link", "img", "iframe", "object", "embed", "base", "image"})
    assert all(link.startswith("#") for link in seen.links)
    assert "://" not in html
    assert not re.search(r"url\(|@import", html)
    for plot in re.findall(r'<svg class="plot".*?</figure>', html, re.DOTALL):
        assert len(re.findall(r'<text class="unit"', plot)) == 2
    anchors = {link[1:] for link in seen.links}
    assert anchors <= set(re.findall(r'id="([\w-]+)"', html))
    return seen


def text_of(html: str) -> str:
    """What a reader sees: tags gone, one space between words."""
    bare = re.sub(r"<style>.*?</style>", " ", html, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", bare).split())


# -- what stands on it ------------------------------------------------------------------------------------------------


def test_the_header_says_what_was_run(tmp_path: Path) -> None:
    html = page(tmp_path, month())
    check(html)
    seen = text_of(html)
    assert "<b>SYNTHETIC</b>" in html
    for words in (
        "zero_dte on es_2024",
        "ES same-day spreads on Fridays at 10:30.",
        "29 July 2024 to 28 August 2024, 23 sessions",
        "75,000.00 GBP",
        "default : 50% of the half-spread given up a leg",
        "tastytrade, 2026-11-22: the price list",
        "NORMAL from 0 (cap 65 %), ELEVATED from 18 (cap 77.5 %), PUTS from 30 (cap 90 %)",
        "as known by the minute",
        "80.0 % of the account as buying power",
        "2 long legs without a bid sold for 0.00",
        "Rules left out volume",
        "market open buying power at most 80%",
    ):
        assert words in seen


def test_the_vendor_is_named_where_the_quotes_are_real(tmp_path: Path) -> None:
    facts = {**FACTS, "synthetic": "no", "source": "LEAN sample data", "rules_left_out": ""}
    html = page(tmp_path, month(facts=facts))
    assert "SYNTHETIC" not in html
    assert "Data: <b>LEAN sample data</b>" in html
    assert "Rules left out none" in text_of(html)
    assert "For comparison only" not in html


def test_filling_at_the_decision_is_marked_as_a_comparison(tmp_path: Path) -> None:
    html = page(tmp_path, month(facts={**FACTS, "fill_name": "at_decision"}))
    assert "<b>For comparison only</b>" in html
    assert re.search(r"at_decision<small>this run</small>", html)  # beside mid, default and natural


def test_every_number_trade_and_refusal_is_there(tmp_path: Path) -> None:
    run = month()
    html = page(tmp_path, run)
    seen = text_of(html)
    numbers = metrics(run)
    for key in ("net_pnl", "return_pct", "max_drawdown", "cvar_95_daily", "worst_day", "win_rate", "avg_win",
                "avg_loss", "expectancy", "premium_captured_pct", "max_bp_used_pct", "fees", "slippage"):  # fmt: skip
        assert f"{BY_KEY[key].label} {BY_KEY[key].text(numbers)}" in seen
    assert "Net P/L -300.00 GBP after fees" in seen
    first = (
        "1 Fri 2024-08-02 10:31 13:05 ES iron condor -1 5400P +1 5370P -1 5480C +1 5510C 2 0 5.40 2.70 +220.00 20.00 "
        "21.50 +200.00 -150.00 11:05 +220.00 13:04 Profit target NORMAL"
    )
    assert first in seen
    assert "2 Fri 2024-08-16 10:31 13:05" in seen
    assert "-500.00 11:05 0.00 13:04 Stop loss ELEVATED" in seen
    assert "entry_window Before 10:30 AM restriction 2 Fri 2024-08-09 Fri 2024-08-23" in seen
    assert "Before 10:30 AM restriction decided at 10:29 IRON_CONDOR 2 x -1 5400P" in seen
    assert "seed 41" in seen
    assert "currency: GBP" in seen


def test_summary_tables_by_hand(tmp_path: Path) -> None:
    seen = text_of(page(tmp_path, month()))
    assert "Profit target 1 1 0 100.0 % +200.00 +200.00 +200.00 +200.00" in seen
    assert "Stop loss 1 0 1 0.0 % -500.00" in seen
    assert "All 2 1 1 50.0 % -300.00 -150.00 +200.00 -500.00" in seen
    assert "NORMAL: VIX 0 to 18 1 1 0" in seen
    assert "ELEVATED: VIX 18 to 30 1 0 1" in seen
    # July ends at 75,000, August at 74,700.
    assert "0.00 0.00 % -300.00 -0.40 %" in seen
    assert "From mid to natural is -400.00 GBP" in seen


def test_months_and_years_begin_where_the_last_one_ended(tmp_path: Path) -> None:
    nlv = [75_000.0, 76_000.0, 77_000.0, 76_230.0]
    run = result(nlv, start=date(2024, 12, 30))  # two sessions in December, two in January
    seen = text_of(page(tmp_path, run))
    assert "+1,000.00 +1.33 % +1,000.00 +1.33 %" in seen  # December and 2024: from 75,000 to 76,000
    assert "2025 +230.00 +0.30 %" in seen  # January: from 76,000 to 76,230
    assert seen.index("2025 +230.00") > seen.index("+1,000.00 +1.33 %")


def test_open_trades_stand_apart(tmp_path: Path) -> None:
    run = month(still=[still_open(date(2024, 8, 23))])
    html = page(tmp_path, run)
    check(html)
    apart = text_of(html[html.index('<section id="open"') : html.index('<section id="refusals"')])
    assert "1 trade marked, not closed by force" in apart
    assert "ES LT112" in apart
    assert "+570.00" in apart
    assert "LT112" not in text_of(html[html.index('<section id="trades"') : html.index('<section id="open"')])


def test_what_an_attacker_writes_stays_text(tmp_path: Path) -> None:
    bad = "<script>alert('x')</script>\"&<b>"
    facts = {**FACTS, "strategy": bad, "source": f"{bad} https://example.org/x", "name": bad, "extra": bad}
    run = month(facts=facts, refusals=[refuse(FRIDAY, bad, bad, bad)], trades=[closed(FRIDAY, "1", bad, bad)])
    html = page(tmp_path, run, config=f"{bad}: http://example.org\n")
    check(html)
    assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;&quot;&amp;&lt;b&gt;" in html
    assert "https&#58;//example.org/x" in html


def test_the_page_is_the_same_for_the_same_run_wherever_it_lies(tmp_path: Path) -> None:
    one, two = write(tmp_path / "a" / "154855-zero_dte", month()), write(tmp_path / "b", month())
    assert render(PageData.of(one)) == render(PageData.of(one)) == render(PageData.of(two))


def test_a_year_of_fridays_weighs_little(tmp_path: Path) -> None:
    days = weekdays(date(2024, 1, 2), 252)
    trades = [closed(day, "150") for day in days if day.weekday() == 4]
    html = page(tmp_path, result([75_000.0 + 30 * i for i in range(252)], start=date(2024, 1, 2), trades=trades))
    check(html)
    assert len(html.encode()) < 300_000
    assert html.count('class="legs"') == len(trades) == 50


# -- what is missing --------------------------------------------------------------------------------------------------


def test_a_run_without_a_trade_is_a_page_like_any_other(tmp_path: Path) -> None:
    html = page(tmp_path, result([75_000.0] * 12), variants=False)
    check(html)
    seen = text_of(html)
    assert "No trade was closed" in seen
    assert "No entry was refused." in seen
    assert "Win rate n/a" in seen
    assert "the run was not repeated at other fill models" in seen
    assert "-0.00" not in seen


@pytest.mark.parametrize("bp", [float("nan"), 3_000.0])
@pytest.mark.parametrize("vix", [float("nan"), 38.5])
def test_one_session_and_unknown_values(tmp_path: Path, bp: float, vix: float) -> None:
    html = page(tmp_path, result([75_200.0], trades=[closed(FRIDAY, "200")], start=FRIDAY, bp=bp, vix=vix))
    check(html)
    seen = text_of(html)
    assert "2 August 2024, 1 session" in seen
    assert "CAGR n/a" in seen
    assert "1 session with a known P/L; blocks of 5 days need at least 10." in seen
    assert ("no VIX is known in this run" in seen) == (vix != vix)
    assert ("1 session without a trusted mark left blank." in seen) == (bp != bp)
    assert not re.search(r"\b(nan|inf|None)\b", html)


def test_facts_that_are_missing_read_na_and_new_ones_are_shown(tmp_path: Path) -> None:
    html = page(tmp_path, month(facts={}))
    check(html)
    seen = text_of(html)
    assert "run on an unnamed market" in seen
    for name in ("Strategy:", "Margin", "VIX regime", "VIX", "Hard cap", "Sessions without data", "Rules left out"):
        assert f"{name} n/a" in seen
    assert "Stale share 3.1 %" in text_of(page(tmp_path / "b", month(facts={**FACTS, "stale_share": "3.1 %"})))


def test_a_folder_without_manifest_config_and_facts_still_has_a_page(tmp_path: Path) -> None:
    folder = write(tmp_path / "run", month())
    for name in ("manifest.json", "config.yaml", "facts.json", "journal.parquet"):
        (folder / name).unlink()
    data = PageData.of(folder)
    assert (data.start_nlv, data.bands, data.hard_cap, data.seed) == (None, (), None, 0)
    check(render(data))
    check(render_compare(data, data))


def test_a_run_of_no_session(tmp_path: Path) -> None:
    folder = write(tmp_path / "run", month())
    check(render(replace(PageData.of(folder), days=(), closed=(), refusals=())))


def test_a_folder_that_is_no_run_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no metrics\.json"):
        PageData.of(tmp_path)
    folder = write(tmp_path / "run", month())
    (folder / "trades.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(DataError, match=r"trades\.parquet cannot be read"):
        PageData.of(folder)
    (folder / "trades.parquet").unlink()
    with pytest.raises(DataError, match=r"has no trades\.parquet"):
        PageData.of(folder)


def test_bands_that_cannot_be_read_are_none(tmp_path: Path) -> None:
    for text in ("", "none", "[[1, 2]]", "__import__('os')", "[[0, None, 'A', 0.5]"):
        data = PageData.of(write(tmp_path / "run", month(facts={**FACTS, "bands": text})))
        assert data.bands == ()
        check(render(data))


# -- drawdown, seed, two runs -----------------------------------------------------------------------------------------


def test_the_drawdown_that_is_drawn_is_the_metric(tmp_path: Path) -> None:
    run = month()
    drawn = [v for v in falls(PageData.of(write(tmp_path / "run", run))) if v is not None]
    assert -min(drawn) == pytest.approx(metrics(run)["max_drawdown_pct"])


def test_the_seed_comes_from_the_manifest_else_from_the_configuration(tmp_path: Path) -> None:
    folder = write(tmp_path / "run", month(), config="seed: 77\n")
    assert PageData.of(folder).seed == 41
    (folder / "manifest.json").write_text(json.dumps({"run_id": "x"}), encoding="utf-8")
    assert PageData.of(folder).seed == 77


def test_two_runs_side_by_side(tmp_path: Path) -> None:
    one = write(tmp_path / "a", month())
    late = month(trades=[closed(FRIDAY, "260")], facts={**FACTS, "fill_name": "mid", "fill": "mid price"})
    two = write(tmp_path / "b", late, config=CONFIG.replace("75000", "90000") + "extra: 1\n")
    html = render_compare(PageData.of(one), PageData.of(two))
    check(html)
    seen = text_of(html)
    assert "Net P/L -300.00 +260.00 +560.00" in seen
    assert "Max drawdown -550.00 -550.00 0.00" in seen
    assert "Fill model 50% of the half-spread given up a leg mid price" in seen
    assert "Margin span same as A" in seen
    assert "account.nlv 75000 90000" in seen
    assert "extra not there 1" in seen
    assert "1 entry in both (same minute, underlying and legs), 1 in A alone, 0 in B alone." in seen
    assert html.count('<svg class="plot"') == 1
    assert render_compare(PageData.of(one), PageData.of(two)) == html


def test_money_of_two_currencies_is_not_subtracted(tmp_path: Path) -> None:
    a = PageData.of(write(tmp_path / "a", month()))
    seen = text_of(render_compare(a, replace(a, currency="USD")))
    assert "no difference is taken" in seen
    assert "Net P/L -300.00 -300.00 n/a" in seen
    assert "Win rate 50.00 % 50.00 % 0.00 %" in seen


def test_configuration_is_read_key_by_key() -> None:
    text = (
        "seed: 1\nregime:\n  bands:\n  - - 0\n    - 13\n    - LOW\n  - - 13\n    - null\n    - HIGH\n"
        "  max_valid: 150\n"
        "fees:\n  source: a very long\n    line and: more\n  list: []\n"
        "legs:\n- side: sell\n  strike: 5000\n- side: buy\n"
        "windows:\n  zero_dte:\n  - '10:30'\n  - '14:00'\n"
    )
    assert flat(text) == {
        "seed": "1", "regime.bands.0.0": "0", "regime.bands.0.1": "13", "regime.bands.0.2": "LOW",
        "regime.bands.1.0": "13", "regime.bands.1.1": "null", "regime.bands.1.2": "HIGH", "regime.max_valid": "150",
        "fees.source": "a very long line and: more", "fees.list": "[]", "legs.0.side": "sell", "legs.0.strike": "5000",
        "legs.1.side": "buy", "windows.zero_dte.0": "'10:30'", "windows.zero_dte.1": "'14:00'",
    }  # fmt: skip


# -- words ------------------------------------------------------------------------------------------------------------


def test_how_values_are_written() -> None:
    assert [money(v) for v in (1234.5, -1234.5, 0, -0.001, None, float("nan"))] == [
        "+1,234.50", "-1,234.50", "0.00", "0.00", "n/a", "n/a",
    ]  # fmt: skip
    assert money(1234.5, sign=False) == "1,234.50"
    assert percent(12.3) == "+12.30 %"
    assert BY_KEY["max_drawdown"].write(5.0) == "-5.00"
    assert BY_KEY["max_drawdown"].write(0.0) == "0.00"
    assert BY_KEY["trades"].write(1234) == "1,234"
    assert [plain(w) for w in ("IRON_CONDOR", "cash_settled+expired", "stop_loss", "LT112", "")] == [
        "Iron condor", "Cash settled, expired", "Stop loss", "LT112", "n/a",
    ]  # fmt: skip
    assert esc("http://x <y>") == "http&#58;//x &lt;y&gt;"


def test_every_metric_of_a_run_has_a_meaning() -> None:
    assert set(metrics(month())) - {"currency"} <= set(BY_KEY)


def test_values_in_a_stacked_row_are_named_by_the_heads_of_their_table(tmp_path: Path) -> None:
    html = page(tmp_path, month(still=[still_open(FRIDAY)]))
    stacked = {**sections.STACKED, **lists.STACKED}
    kinds = re.findall(r'<div class="scroll (\w+) stack".*?<thead><tr>(.*?)</tr></thead>', html)
    assert {kind for kind, _ in kinds} == set(stacked)
    for kind, row in kinds:
        assert re.findall(r"<th[^>]*>([^<]*)<?", row)[1:] == [h.name for h in stacked[kind]][1:]
        for i, head in enumerate(stacked[kind][1:], 2):
            assert f'.{kind} td:nth-child({i})::before{{content:"{head.name}' in html
