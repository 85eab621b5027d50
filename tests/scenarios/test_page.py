"""The sheet of scenarios and the page of 5 August: all is on them, labelled, escaped, self-contained, and small."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from conf.main import main
from scenarios import august
from scenarios.events import events, lines, underlying
from scenarios.facts import Facts, Told
from scenarios.hours import Hours, thin
from scenarios.judge import Outcome, judge
from scenarios.library import suite
from scenarios.page import render
from scenarios.scenario import scenario_of
from tests.scenarios.friday import FRIDAY, NAN, facts, ns, path, wish


def outcome(name: str = "MINE", row: Mapping[str, Any] | None = None, found: Facts | None = None) -> Outcome:
    default = {"time": "10:31", "expected": "IRON_CONDOR", "says": "both sides are sold"}
    return judge(scenario_of(name, default if row is None else row), facts() if found is None else found)


class Balanced(HTMLParser):
    """Fails on a tag that closes nothing; keeps what stays open and what may fetch something."""

    VOID = frozenset({"meta", "br", "wbr"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.titles = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "img", "link", "iframe", "object"), tag
        self.titles += tag == "title"
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "srcset", "action", "data")]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


def check(html: str) -> Balanced:
    """Well formed, without a script, an address or anything outside the file; every link leads somewhere in it."""
    parser = Balanced()
    parser.feed(html)
    assert parser.open == []
    assert "://" not in html
    assert "url(http" not in html
    ids = set(re.findall(r'id="([^"]+)"', html))
    assert {link.removeprefix("#") for link in parser.links} <= ids
    assert set(re.findall(r"url\(#([^)]+)\)", html)) <= ids
    return parser


# --- the sheet -------------------------------------------------------------------------------------------------------


def test_every_scenario_of_the_suite_has_its_card_and_the_sheet_is_small() -> None:
    outcomes = [judge(scenario, facts()) for scenario in suite().values()]
    html = render(outcomes)
    check(html)
    assert html.count("<article ") == len(outcomes)
    for o in outcomes:
        assert f"<h3>{o.scenario.name.replace('_', '_<wbr>')}</h3>" in html
    assert len(html) / len(outcomes) < 20_000
    assert render(outcomes) == html


def test_it_says_what_is_real_and_what_is_made() -> None:
    rows = [judge(replace(outcome().scenario, name=kind, kind=kind), facts()) for kind in ("seed", "real", "made")]
    html = render(rows)
    assert '<p class="banner"><b>SYNTHETIC</b>' in html
    for badge in ("SEED", "REAL BARS", "MADE UP"):
        assert re.search(f'<span class="kind [a-z]+" title="[^"]+">{badge}</span>', html)
    assert html.count("synthetic model 1, seed 7: made up") == 3


def test_a_failure_is_plain_to_see_and_names_its_rule() -> None:
    row = {
        "time": "09:30",
        "expected": "BLOCKED",
        "reason": "Before 10:30",
        "rule": "entry_window",
        "says": "too early",
    }
    bad, good = outcome("TOO_EARLY", row), outcome()
    assert (bad.passed, good.passed) == (False, True)
    html = render([good, bad])
    check(html)
    assert "<h1>2 scenarios: 1 FAILED</h1>" in html
    assert html.index('href="#s2"') < html.index('href="#s1"')
    _, card = html.split('<article id="s2" class="scenario failed">')
    assert "✗ FAILED" in card
    assert "<b>rule entry_window</b> wanted expected &#x27;BLOCKED&#x27;, got &#x27;IRON_CONDOR&#x27;" in card
    assert "wanted <b>BLOCKED</b>, got <b>IRON_CONDOR</b>" in card
    assert html.count("✓ passed") == 1


def test_what_had_to_hold_is_signed_one_by_one() -> None:
    holds = [{"refused": {"rule": "entry_window"}}, {"closed": {"exit": "stop_loss", "day": FRIDAY, "count": 1}}]
    html = render([outcome("HELD", {"strategy": "zero_dte", "holds": holds, "kind": "made"})])
    assert '<span class="good">✓</span> refused: by entry_window' in html
    assert '<span class="bad">✗</span> closed: by stop_loss, on 26 Jul, once' in html
    assert "<b>exit stop_loss</b> wanted 1 trades to end" in html


def test_decisions_stand_at_their_instants_with_the_price() -> None:
    html = render([outcome()])
    marks = re.findall(r'<use href="#(\w+)" x="([\d.]+)%" y="[\d.]+"><title>([^<]+)</title>', html)
    marks.sort(key=lambda mark: float(mark[1]))
    assert [(shape, title[:5], title.rpartition(" ")[2]) for shape, _, title in marks] == [
        ("held", "08:00", "5,668.00"), ("cross", "09:30", "5,686.00"), ("up", "10:31", "5,698.00"),
        ("ring", "11:00", "5,704.00"), ("disc", "13:56", "5,739.00"),
    ]  # fmt: skip
    hours = Hours.of([ts for ts, _, _ in path() if ts <= ns(16)])
    at = {shape: float(x) for shape, x, _ in marks}
    assert at["up"] == pytest.approx(100 * hours.at(ns(10, 31)), abs=0.01)
    assert 'class="still"' in html
    assert "14:00 to 14:01: quotes gone, one-sided or wide" in html
    assert "worst minute <b>-1.3 %</b>, in the end <b>+0.5 %</b>" in html
    assert "profit target, +346" in html
    assert re.search(r"<title>MINE, Friday, 26 July 2024: ES [^<]+; VIX 15.00 to 17.00; 1 held", html)


def test_names_and_words_of_others_are_escaped() -> None:
    bad = "</title><script src=http://x.test/>'\"&"
    found = facts(
        wishes=(wish(ns(10, 31), rule=bad, reason=bad, name=bad),), told=(Told(ns(11), "alert", bad),), source=bad
    )
    o = outcome(bad, {"time": "10:31", "expected": bad, "reason": bad, "says": bad, "rule": bad}, found)
    html = render([o], ["strategy=" + bad])
    check(html)
    assert "&lt;script src=http&#58;//x.test/&gt;" in html


def test_a_market_without_a_path_or_without_a_decision_is_a_card_too() -> None:
    empty = facts(path=(), wishes=(), trades=(), told=(), nights=())
    html = render([outcome("NO_PATH", None, empty), outcome("NO_VIX", None, facts(path=((ns(10), 1.0, NAN),) * 2))])
    check(html)
    assert "no path" in html
    assert "Nothing was wanted, nothing happened." in html
    assert "VIX n/a" in html


def test_with_another_strategy_it_says_that_only_that_was_asked() -> None:
    html = render([outcome()], ["strategy=framework"], own=True)
    assert "Played with strategy=framework" in html
    assert "Another strategy played" in html


def test_refusals_alike_are_one_line_and_a_long_list_says_what_it_leaves_out() -> None:
    many = tuple(wish(ns(10, m), rule="freshness", reason="Stale chain") for m in range(30, 50))
    told, left = lines(events(facts(wishes=many)), 6)
    assert (told[0].times, left) == (20, [])
    each = tuple(wish(ns(10, m), name=f"play {m}") for m in range(30, 50))
    found = facts(wishes=each)
    told, left = lines(events(found), 6)
    assert (len(told), len(left)) == (6, 16)
    assert "and more: 14 opened, 1 closed or settled, 1 told to a person" in render([outcome("LONG", None, found)])


def test_the_underlying_of_a_path_is_the_one_whose_price_it_is() -> None:
    other = replace(wish(ns(10, 31)), underlying="SPY", spot=547.0)
    assert underlying(facts(wishes=(other, wish(ns(10, 31))))) == "ES"
    assert underlying(facts(wishes=(other,))) == ""


# --- the axis --------------------------------------------------------------------------------------------------------


def test_closed_hours_take_no_room_and_the_night_little() -> None:
    stamps = [ts for ts, _, _ in path(FRIDAY, date(2024, 7, 29))]
    hours = Hours.of(stamps)
    day = hours.at(ns(16)) - hours.at(ns(9, 30))
    assert day == pytest.approx(hours.at(ns(16, 0, date(2024, 7, 29))) - hours.at(ns(9, 30, date(2024, 7, 29))))
    assert day > 3 * (hours.at(ns(9, 30)) - hours.at(stamps[0]))
    saturday = ns(12, 0, date(2024, 7, 27))
    assert hours.at(ns(17)) <= hours.at(saturday) <= hours.at(ns(18, 0, date(2024, 7, 28)))
    assert hours.said == "26 Jul to 29 July 2024, 2 sessions"
    assert len(hours.nights) == 3
    assert [tick.label for tick in hours.ticks()] == ["26 Jul", "29 Jul"]


def test_an_early_close_ends_its_regular_hours() -> None:
    day = date(2024, 11, 29)
    hours = Hours.of([ts for ts, _, _ in path(day)])
    assert [tick.label for tick in hours.ticks()][:2] == ["09:30", "13:00"]


def test_a_thinned_curve_keeps_its_extremes_and_its_gaps() -> None:
    values = [float(i % 7) for i in range(10_000)]
    values[5_000], values[7_000] = 99.0, NAN
    points = thin([i / 10_000 for i in range(10_000)], values, 50)
    assert len(points) < 250
    assert (0.5, 99.0) in points
    assert points.count(None) == 1


# --- 5 August --------------------------------------------------------------------------------------------------------

MONDAY = date(2024, 8, 5)
MOMENTS = (("2 Aug close", ns(16, 0, date(2024, 8, 2))), ("09:30", ns(9, 30, MONDAY)), ("10:30", ns(10, 30, MONDAY)),
           ("close", ns(16, 0, MONDAY)))  # fmt: skip


def fifth() -> august.Day:
    told = (None, -0.28, -0.47, -0.58)
    books = []
    for n, says in enumerate(("6 positions: <what> was held", "3 of 4 units", "2 of 4 units", "2 of 1 unit"), 1):
        shares = (-0.2 / n, -0.86 / n, -0.57 / n, -0.58 / n)
        stands = tuple(
            august.Stand(name, ts, share, 1e5, told[i] if n == 1 else None)
            for i, ((name, ts), share) in enumerate(zip(MOMENTS, shares, strict=True))
        )
        books.append(august.Held(says, stands, "RED", "-24 %: stop", "-29 %: duty"))
    return august.Day(530_000.0, "GBP", tuple(books), path(date(2024, 8, 2), MONDAY), (ns(8, 33, MONDAY), 65.73),
                      (5151.14, 5119.26, 5186.33), ("historic 09:30 6 of 6",), ("single duties nothing",),
                      ("tomking explain X",))  # fmt: skip


@pytest.mark.parametrize("width", [august.WIDE, august.NARROW])
def test_the_picture_stands_alone_in_light_and_dark(width: int) -> None:
    svg = august.picture(fifth(), width)
    root = ElementTree.fromstring(svg)
    words = " ".join(root.itertext())
    assert "SYNTHETIC" in words
    for each in ("told -28 %", "told -47 %", "-86 %", "65.73 printed at 08:33", "5 August 2024", "6 positions"):
        assert each in words
    assert "prefers-color-scheme:dark" in svg
    assert svg.count("http") == 1
    assert 'xmlns="http://www.w3.org/2000/svg"' in svg
    assert not re.search(r"<(script|image|use|foreignObject)", svg)
    assert len(svg) < 30_000


def test_the_page_of_august_says_where_model_and_tale_cannot_both_be_true() -> None:
    html = august.page(fifth())
    check(html)
    assert "-28 % at 09:30 and -58 % at the close can only both be true if positions were closed" in html
    assert "-86 % at 09:30, -57 % at 10:30, -58 % at the close" in html
    assert "6 positions: &lt;what&gt; was held" in html
    assert "historic 09:30 6 of 6" in html
    assert "color-scheme:dark" not in html


# --- the command -----------------------------------------------------------------------------------------------------


def test_a_run_leaves_its_page_and_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["scenario", "run", "0DTE_FLAT"]) == 0
    last = Path(capsys.readouterr().out.splitlines()[-1])
    assert re.fullmatch(r"runs/\d{4}-\d\d-\d\d/\d{6}-scenarios/scenarios\.html", str(last.relative_to(tmp_path)))
    check(last.read_text(encoding="utf-8"))
    assert main(["scenario", "run", "0DTE_FLAT", "--json"]) == 0
    page = Path(json.loads(capsys.readouterr().out)["page"])
    assert page != last
    assert page.read_bytes() == last.read_bytes()
