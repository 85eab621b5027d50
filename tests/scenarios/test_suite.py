"""The suite as a whole: all of it holds, a broken rule turns it red and is named, and anybody may write more."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
import yaml

from conf.compose import home
from conf.goldens import Golden, changed_shocks, goldens, red
from conf.main import main
from conf.playing import play
from conf.scenario import outcomes_of
from scenarios.golden import stale
from scenarios.judge import Outcome, judge
from scenarios.library import of_file, suite

SEED: Final[Mapping[str, Mapping[str, str]]] = {
    "0DTE_BEFORE_1030": {"expected": "BLOCKED", "reason": "Before 10:30 AM restriction"},
    "0DTE_TRENDING_UP": {"expected": "CALL_SPREAD", "strikes": "ATM+30/ATM+60"},
    "0DTE_FLAT": {"expected": "IRON_CONDOR"},
    "VIX_LOW": {"expected": "REDUCED_SIZE", "bpLimit": "45%"},
    "VIX_SPIKE": {"expected": "PUTS_ONLY", "bpLimit": "80%"},
    "CORRELATION_BREACH": {"expected": "BLOCKED", "reason": "Group A1 at limit (2)"},
    "AUGUST_5_RECREATION": {"expected": "CATASTROPHIC_LOSS", "lesson": "Never exceed 3 correlated positions"},
}
"""Rulebook 7.1, once more and not from the files that are tested."""

TYPED: Final = """
testScenarios:
  0DTE_BEFORE_1030: {time: 09:30, expected: BLOCKED, reason: Before 10:30 AM restriction}
  0DTE_TRENDING_UP: {time: 10:31, esMove: +0.8%, expected: CALL_SPREAD, strikes: ATM+30/ATM+60}
  0DTE_FLAT:
    time: 10:31
    esMove: +0.2%
    expected: IRON_CONDOR
  VIX_LOW: {vix: 11, expected: REDUCED_SIZE, bpLimit: 45%}
  VIX_SPIKE: {vix: 35, expected: PUTS_ONLY, bpLimit: 80%}
  CORRELATION_BREACH: {positions: [ES, MES, SPY], expected: BLOCKED, reason: Group A1 at limit (2)}
  AUGUST_5_RECREATION:
    positions: 6 x LT112
    vixSpike: 65
    expected: CATASTROPHIC_LOSS
    lesson: Never exceed 3 correlated positions
"""
"""As somebody types it who knows the seed and not YAML: nothing is quoted, and YAML reads 10:31 as 631."""


def played(name: str, words: Sequence[str] = ()) -> Outcome:
    scenario = suite()[name]
    return judge(scenario, play(scenario, home(), words).facts)


@pytest.fixture(scope="module")
def results() -> list[Golden]:
    """The suite, played once: by the strategies it names and by the framework."""
    return list(goldens(list(suite()), home()))


@pytest.fixture(scope="module")
def outcomes(results: list[Golden]) -> dict[str, Outcome]:
    """All of the suite, played once."""
    return {g.name: judge(suite()[g.name], g.facts) for g in results if g.facts is not None}


class TestWhole:
    def test_all_of_it_holds(self, outcomes: Mapping[str, Outcome]) -> None:
        assert {name: o.failures for name, o in outcomes.items() if not o.passed} == {}
        assert list(outcomes) == list(suite())
        assert len(outcomes) >= 25

    def test_the_seven_of_the_seed_to_the_letter(self, outcomes: Mapping[str, Outcome]) -> None:
        assert list(suite())[:7] == list(SEED)
        came = {
            name: {key: {"expected": outcomes[name].actual, **outcomes[name].came}[key] for key in wanted}
            for name, wanted in SEED.items()
        }
        assert came == SEED

    def test_each_says_what_is_real_in_it(self, outcomes: Mapping[str, Outcome]) -> None:
        for name, outcome in outcomes.items():
            source, kind = outcome.facts.source, outcome.scenario.kind
            assert kind in ("real", "made", "seed")
            assert ("real" in source) == (kind == "real" or name in ("AUGUST_5_RECREATION", *REAL_MARGIN)), name

    def test_nothing_is_filled_while_quotes_stand_still(self, outcomes: Mapping[str, Outcome]) -> None:
        frozen = {name: o.facts for name, o in outcomes.items() if o.facts.frozen}
        assert len(frozen) >= 5
        for name, facts in frozen.items():
            fills = [t.ts for t in facts.told if t.kind == "fill"]
            assert not [ts for ts in fills for first, last in facts.frozen if first <= ts < last], name


def test_every_result_is_the_one_that_is_kept(results: list[Golden]) -> None:
    """`tomking scenario run all --accept` keeps those of now, after somebody has looked at them."""
    assert len(results) == 2 * len(suite())
    assert not [f"{g.name}: {g.difference}" for g in results if g.difference]
    assert changed_shocks(results) == []
    assert stale(suite()) == []


def test_what_failed_is_never_kept(results: list[Golden]) -> None:
    assert red(results) == []
    good = next(g for g in results if g.name == "QUIET_DAY" and g.facts is not None)
    assert good.facts is not None
    bad = replace(good, facts=replace(good.facts, trades=(), wishes=()))
    assert red([*results, bad]) == ["QUIET_DAY"]


REAL_MARGIN: Final = ("MARGIN_HIKE", "MARGIN_CALL")
"""Made weather on days whose margin is CME's own."""


def test_each_is_told_in_one_sentence_and_names_what_it_shows() -> None:
    for name, scenario in suite().items():
        assert scenario.says.endswith("."), name
        assert 20 < len(scenario.says) < 220, name
        named = {hold.rule for hold in scenario.holds} | {scenario.rule}
        assert named != {""} or name in ("0DTE_TRENDING_UP", "0DTE_FLAT", "PIN_HELD"), name


# --- a rule that is broken -------------------------------------------------------------------------------------------

BROKEN: Final = (
    ("CORRELATION_BREACH", "rule correlation", ["rules.correlation.limits.A1=9"]),
    ("0DTE_BEFORE_1030", "rule entry_window", ["rules.entry_window.windows={zero_dte:['09:00','14:00']}"]),
    ("VIX_AROUND_30", "rule vix_regime", ["regime=none"]),
    ("TREND_DAY", "exit stop_loss", ["strategy.exits.stop=null"]),
    ("QUIET_DAY", "exit profit_target", ["strategy.exits.profit=null"]),
    ("PIN_CLOSED", "exit time", ["strategy.exits.at='15:20'"]),
    ("EARLY_CLOSE", "rule market_open", ["rules.market_open.early_close=true"]),
    ("HALT_AT_ENTRY", "rule freshness", ["rules.freshness.enabled=false"]),
    ("WIDE_MARKET", "rule credit", ["rules.credit.enabled=false"]),
    ("FLASH_CRASH", "exit stop_loss", ["marks.max_width=null"]),
    ("VIX_JUMP", "rule vix_jump", ["rules.vix_jump.enabled=false"]),
    ("VIX_ABOVE_40", "exit close_all_except_puts", ["rules.duties.close_all_except_puts.enabled=false"]),
    ("BELOW_THE_MINIMUM", "rule phase", ["rules.phase.enabled=false"]),
    ("SAME_EXPIRATION", "rule same_expiration", ["rules.same_expiration.enabled=false"]),
    ("GROUP_OVER", "exit group_over", ["rules.duties.enabled=false"]),
    ("THREE_LOSSES", "rule breakers", ["rules.breakers.losses=null"]),
    ("DRAWDOWN", "rule drawdown", ["rules.drawdown.enabled=false"]),
    ("MARGIN_HIKE", "margin", ["margin.products.ES.steps=''"]),
    ("MARGIN_HIKE", "rule buying_power", ["rules.buying_power.enabled=false"]),
    ("BLACK_SWAN", "rule black_swan", ["rules.black_swan.enabled=false"]),
    ("THIN_VOLUME", "rule volume", ["rules.volume.enabled=false"]),
    ("NEVER_TRADED", "rule never_trade", ["rules.never_trade.enabled=false"]),
    ("TOO_MANY_POSITIONS", "rule positions", ["rules.positions.enabled=false"]),
    ("RISK_OF_A_TRADE", "rule risk_per_trade", ["rules.risk_per_trade.enabled=false"]),
    ("STRESS_OF_A_GROUP", "rule group_stress", ["rules.group_stress.enabled=false"]),
    ("SECOND_WEDNESDAY", "rule entry_days", ["rules.entry_days.enabled=false"]),
)  # fmt: skip
"""Scenario, who must be named, and the configuration that breaks it."""


@pytest.mark.parametrize(("name", "named", "words"), BROKEN, ids=[f"{named} {name}" for name, named, _ in BROKEN])
def test_a_broken_rule_is_named(name: str, named: str, words: Sequence[str]) -> None:
    found = played(name, words)
    assert not found.passed
    assert any(line.startswith(f"{named}:") for line in found.failures), found.failures


def test_every_rule_that_is_on_has_a_scenario_that_names_it() -> None:
    """The rules as they ship; a new one wants a scenario that goes red without it."""
    rows = yaml.safe_load((Path(__file__).parents[2] / "conf/rules/default.yaml").read_text(encoding="utf-8"))
    on = {name for name, row in rows.items() if isinstance(row, dict) and row.get("enabled") is True}
    named = {named.removeprefix("rule ") for _, named, _ in BROKEN if named.startswith("rule ")}
    assert on - {"duties"} <= named, "duties are exits: close_all_except_puts, group_over"


def test_a_word_goes_to_the_scenarios_that_have_its_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "FLAT: {time: 10:31, esMove: +0.2%, expected: IRON_CONDOR}\n"
        "THREE: {positions: [ES, ES, ES], expected: BLOCKED, rule: correlation}\n"
        "LATE: {time: 15:45, esMove: +0.2%, expected: blocked, reason: After 2:00 PM restriction}\n"
        "LIMIT: {vix: 35, expected: puts_only, bpLimit: 0.80}\n",
        encoding="utf-8",
    )
    assert main(["scenario", "run", str(mine)]) == 0
    assert "4 scenarios, all passed" in capsys.readouterr().out
    assert main(["scenario", "run", str(mine), "strategy.offset=40"]) == 0
    assert "1 of them has no strategy.offset" in capsys.readouterr().out


def test_another_strategy_is_asked_for_nothing_but_to_hold(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenario", "run", "VIX_SPIKE", "strategy=lt112", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["scenarios"]
    assert (told["expected"], told["actual"]) == ("HOLDS", "HOLDS")
    assert main(["scenario", "run", "VIX_SPIKE", "strategy=lt112"]) == 0
    assert "in 1 of them nothing was wanted" in capsys.readouterr().out


# --- a scenario of one's own -----------------------------------------------------------------------------------------


def test_the_seeds_list_typed_by_hand_gives_the_same(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(TYPED, encoding="utf-8")
    typed = of_file(path)
    assert list(typed) == list(SEED)
    for name, outcome in zip(typed, outcomes_of(str(path), list(typed), ()), strict=True):
        ours = suite()[name]
        assert outcome.failures == (), name
        assert {"expected": outcome.actual, **outcome.came}.items() >= SEED[name].items()
        mine, theirs = (dict(each.market) for each in (typed[name], ours))
        assert (mine, typed[name].words, typed[name].book) == (theirs, ours.words, ours.book)


def test_one_that_fails_says_what_came_and_leaves_with_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text("MINE: {time: 10:31, esMove: +0.8%, expected: PUT_SPREAD}\n", encoding="utf-8")
    assert main(["scenario", "run", "./mine.yaml"]) == 1
    out = capsys.readouterr().out
    assert "FAIL  MINE  CALL_SPREAD, wanted PUT_SPREAD" in out
    assert "+0.80 %" in out


WRONG: Final = {
    "an unknown word": ("M: {time: 10:31, esMov: +0.8%, expected: BLOCKED}", "did you mean 'esMove'"),
    "an unknown check": ("M: {vix: 15, holds: [{refusd: {rule: phase}}]}", "did you mean 'refused'"),
    "an unknown key of a check": (
        "M: {vix: 15, holds: [{refused: {rule: phase, dai: 2024-07-26}}]}", "did you mean 'day'",
    ),
    "two checks in one": ("M: {vix: 15, holds: [{kept: {}, quiet: {}}]}", "has 2 words"),
    "a day in a check": ("M: {vix: 15, holds: [{quiet: {day: Friday}}]}", "wanted a date like 2024-08-05"),
    "positions": ("M: {positions: seven of them, expected: BLOCKED}", "wanted a list like [ES, MES], or 6 x LT112"),
    "positions of 5 August": (
        "M: {positions: 6 x ES, vixSpike: 65, expected: BLOCKED}", "5 August is told of LT112 alone",
    ),
    "a move": ("M: {time: 10:31, esMove: up a bit, expected: BLOCKED}", "wanted a move in per cent, like +0.8% or -4"),
    "a time": ("M: {time: half past ten, expected: BLOCKED}", "M.time"),
    "a VIX": ("M: {vix: 999, expected: BLOCKED}", "M.vix is 999"),
    "no expectation": ("M: {vix: 11}", "needs 'expected'"),
    "weather": ("M: {weather: {days: {2024-07-26: {gust: 3}}}, holds: [{kept: {}}]}", "gust"),
    "trouble": (
        "M: {weather: {days: {2024-07-26: {troubles: [{kind: fog, start: 10:31, end: 10:40}]}}}, holds: [{kept: {}}]}",
        "fog",
    ),
    "real days": ("M: {weather: {real: [2023-01-03, 2023-01-04]}, holds: [{kept: {}}]}", "does not reach that far"),
    "a key twice": ("M: {vix: 11, expected: BLOCKED, vix: 35}", "'vix' is given twice"),
    "a scenario twice": ("M: {vix: 11, expected: A}\nM: {vix: 12, expected: B}", "line 2: 'M' is given twice"),
    "a move before the opening": (
        "M: {time: 9:20, esMove: +0.8%, expected: BLOCKED}", "counts from the opening at 09:30, and M.time is 09:20",
    ),
    "a spike below the close": (
        "M: {positions: 6 x LT112, vixSpike: 20, expected: RED}", "M.vixSpike is 20",
    ),
    "a spike of nobody": ("M: {vixSpike: 65, expected: RED}", "has no 'positions'"),
    "positions of nobody": ("M: {asks: positions, vix: 15, expected: BLOCKED}", "has no 'positions'"),
    "a day without a session": ("M: {day: 2024-07-27, vix: 15, expected: BLOCKED}", "no session from 2024-07-27"),
    "no scenario": ("[]", "has no scenario"),
    "no YAML": ("M: {time: [", "is no YAML"),
}  # fmt: skip


class TestWrong:
    def said(self, capsys: pytest.CaptureFixture[str], what: str) -> str:
        """The one line on standard error of a run that must leave with 2."""
        assert main(["scenario", "run", what]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("tomking: ")
        assert err.endswith("\n")
        assert err.count("\n") == 1, err
        return err

    @pytest.mark.parametrize("what", WRONG)
    def test_a_file(self, what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        text, wanted = WRONG[what]
        path = tmp_path / "mine.yaml"
        path.write_text(text + "\n", encoding="utf-8")
        assert wanted in self.said(capsys, str(path))

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["list", "foo"], "takes no 'foo'"),
            (["august", "strategy=lt112"], "takes no 'strategy=lt112'"),
            (["run", "QUIET_DAY", "market=es_sample"], "brings its own market"),
            (["run", "QUIET_DAY", "--golden", "--book", "x.yaml"], "leave --book out"),
            (["run", "QUIET_DAY", "strategy.exits.stopp=1"], "QUIET_DAY plays nothing that has this key"),
            (["run", "CORRELATION_BREACH", "strategy.exits.stop=1"], "plays nothing that has this key"),
            (["book", "x.yaml", "--at", "10:30"], "has its own `at`"),
            (["book", "adapter=emulator", "--date", "2024-07-19"], "an account is read as it is now"),
        ],
    )
    def test_a_word_that_would_change_nothing_is_refused(
        self, words: Sequence[str], said: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["scenario", *words]) == 2
        assert said in capsys.readouterr().err

    def test_a_name(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert "did you mean '0DTE_FLAT'" in self.said(capsys, "0DTE_FLATT")

    def test_a_file_that_is_not_there(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert "No such file" in self.said(capsys, str(tmp_path / "none.yaml"))


class TestOnesOwnBook:
    """`--book FILE`: what one holds, through weather in which somebody else was to trade."""

    def test_it_is_held_from_the_first_session_on_and_nobody_trades(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        book = tmp_path / "book.yaml"
        book.write_text("- {play: lt112, count: 2, exits: none}\n", encoding="utf-8")
        assert main(["scenario", "run", "AUGUST_2024_STOPS", "--book", str(book), "--json"]) == 0
        (told,) = json.loads(capsys.readouterr().out)["scenarios"]
        assert told["details"]["decisions"] == [], "nothing but the book"
        assert told["details"]["worst_loss_pct"] > 5

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("[]", "has no position"),
            ("- {play: lt111}", "did you mean 'lt112'"),
            ("- {plya: lt112}", "no 'plya'"),
            ("- {play: lt112, units: none}", "whole number"),
        ],
    )
    def test_what_does_not_fit_is_one_line(
        self, text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        book = tmp_path / "book.yaml"
        book.write_text(text, encoding="utf-8")
        assert main(["scenario", "run", "GAP_OPEN", "--book", str(book)]) == 2
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1

    def test_one_that_cannot_be_there_fails(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        book = tmp_path / "book.yaml"
        book.write_text("- {play: lt112, expiration: {dte: 900, within: 1}}\n", encoding="utf-8")
        assert main(["scenario", "run", "GAP_OPEN", "--book", str(book)]) == 1
        assert "book: a position that is given could not be opened" in capsys.readouterr().out
