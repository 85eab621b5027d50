"""The terminal's view and its plain text: everything is there with its unit, trouble is red, nothing is markup."""

from __future__ import annotations

import io
import re
from dataclasses import fields, replace

import pytest
from rich.console import Console

from live import screen, words
from live.snapshot import AgeShown, DecisionShown, GroupShown, LegShown, Snapshot
from tests.live import shown

ANSI = re.compile(r"\x1b\[([\d;]*)m")
RED = {"31", "1;31", "1;37;41"}


def told(text: str) -> str:
    """The words alone, with single spaces."""
    return " ".join(text.split())


def coloured(snapshot: Snapshot, width: int = 140) -> str:
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=True, color_system="standard", legacy_windows=False).print(
        screen.view(snapshot)
    )
    return out.getvalue()


def style_of(text: str, word: str) -> str:
    """The codes in force where a word begins."""
    before = ANSI.findall(text[: text.index(word)])
    return before[-1] if before else ""


def test_everything_of_the_picture_is_said_with_its_unit() -> None:
    said = told(screen.text(shown.full()))
    for line in (
        "QUOTES ARE SYNTHETIC",
        "ENTRIES STOPPED friday-book paper on the emulator · es_synthetic · account ...0001",
        "Fri 20 Nov 2026 14:12:07 New York · session 2026-11-20 · next: 14:30 zero_dte review",
        "net liquidation £75,836.42 cash £75,122",
        "P/L of the day +£412.66 +0.55 %",
        "£22,310 of the cap £49,293 (45.3 %); 29.4 % of the account",
        "NORMAL, VIX 16.84",
        "phase 4, health 71 of 100, £1 = $1.3105 of 2026-11-19",
        "feed ENTRIES STOPPED 14:10:58 VIX was last heard 1 min 09 s ago",
        "ES 6850C: the broker has -2, we have -3",
        "-3 6785P 0.85 σ",
        "-£174",
        "since 4 Nov 10:00",
        "ES +£614 -£386 +£641 -£318",
        "all +£593 -£429 +£663 -£362",
        "2 of 2 ES zero_dte, ES lt112",
        "close ES IRON CONDOR × 3 4.70 debit LIVE 10:31:05 profit target",
        "natural IN DOUBT 14:11:52",
        "zero_dte +£2,904.15",
        "VIX 69 s 60 s LATE",
        "13:40:00 refuse strangle Group A1 at limit (2)",
        "- lt112: hold; 89 days until the 30 DTE exit",
    ):
        assert line in said, line


def test_the_dashboard_of_the_rulebook() -> None:
    said = screen.text(shown.full())
    assert "RECOMMENDATIONS" in said
    assert "zero_dte" in said
    assert "£" in said
    assert said.count("───") >= 6
    assert "$1,234" in screen.text(shown.empty(cash=1_234.0))
    assert "RECOMMENDATIONS" in screen.text(shown.empty())


def test_plain_text_is_plain_and_no_wider_than_it_says() -> None:
    for snapshot in (shown.full(), shown.manual(), shown.empty(), shown.hostile()):
        said = screen.text(snapshot)
        assert "\x1b" not in said
        assert max(map(len, said.splitlines())) <= screen.WIDTH
        assert said.replace("\n", "").isprintable()


def test_what_is_not_known_is_not_a_zero() -> None:
    said = told(screen.text(shown.empty()))
    assert "net liquidation n/a cash $0" in said
    assert "n/a of the cap n/a (n/a); n/a of the account" in said
    assert "phase n/a, health n/a" in said
    assert "$1 =" not in said
    assert "account ..." not in screen.text(shown.empty(account=""))
    for none in ("no open trade", "no Greeks", "no groups", "no working order", "no strategy", "no feed", "none"):
        assert none in said
    assert "nan" not in told(screen.text(shown.full(nlv=float("nan"), vix=float("nan"))))


def test_trouble_stands_at_the_top_and_only_where_there_is_some() -> None:
    said = screen.text(shown.manual())
    for name in ("STOPS THAT NOBODY WATCHES NOW", "PLACE THESE ORDERS YOURSELF", "GUARD"):
        assert said.index(name) < said.index("POSITIONS")
    assert "Nothing is sent: place the orders below yourself." in said
    assert "never" in said
    quiet = screen.text(shown.running())
    assert "GUARD" not in quiet
    assert "SYNTHETIC" not in quiet
    assert "QUOTES: DELAYED 15 MIN" in screen.text(shown.running(notice="DELAYED 15 MIN"))
    assert "QUOTES ARE SYNTHETIC · DELAYED" in screen.text(shown.running(synthetic=True, notice="DELAYED"))
    assert "QUOTES ARE SYNTHETIC" in screen.text(shown.running(synthetic=True, notice=""))


def test_after_the_close_the_account_is_that_of_the_days_end_and_nothing_is_late() -> None:
    said = told(screen.text(shown.closed()))
    assert "-£173.94" not in said.split("P/L BY STRATEGY")[0]
    assert said.count(", at the end of 2026-11-20") == 2
    assert "quotes 12 h 46 min not needed" in said
    assert "LATE" not in said
    assert ", at the end of" not in told(screen.text(shown.running()))


def test_late_and_lost_are_red_and_the_rest_is_not() -> None:
    said = coloured(shown.full())
    assert style_of(said, "69 s") in RED
    assert style_of(said, "LATE") in RED
    assert style_of(said, "0.4 s") == "32"
    assert style_of(said, "-£173.94") in RED
    assert style_of(said, "+£2,904.15") == "32"
    assert style_of(said, "0.85 σ") == "33"
    over = coloured(shown.full(groups=(GroupShown("A1", 3, 2),)))
    assert style_of(over, "3 of 2") in RED


@pytest.mark.parametrize(
    ("standing", "badge", "style"),
    [
        ("RUNNING", " RUNNING ", "1;37;42"),
        ("ENTRIES_STOPPED", " ENTRIES STOPPED ", "1;30;43"),
        ("EXIT_ONLY", " EXIT ONLY ", "1;30;43"),
        ("MANUAL", " MANUAL ", "1;37;41"),
        ("HALTED", " HALTED ", "1;37;41"),
        ("SOMETHING_NEW", " SOMETHING NEW ", "1;37;41"),
    ],
)
def test_the_state_is_a_badge(standing: str, badge: str, style: str) -> None:
    assert style_of(coloured(shown.running(standing=standing, causes=())), badge) == style


def test_what_a_broker_writes_is_neither_markup_nor_moves_the_cursor() -> None:
    evil = "[bold red]owned[/] \x1b[2J\x1b]0;title\x07 \N{RIGHT-TO-LEFT OVERRIDE}x"
    snapshot = replace(
        shown.full(name=evil, standing=evil, differences=(evil,), manual=(evil,), recommendations=(evil,)),
        decisions=(DecisionShown(shown.NOW, evil, evil, evil),),
        ages=(AgeShown(evil, 1.0, 2.0),),
    )
    said = coloured(snapshot)
    assert "[bold red]owned[/]" in said
    assert set(re.findall(r"\x1b.", said)) == {"\x1b["}
    assert set(re.findall(r"\x1b\[[\d;]*(.)", said)) == {"m"}
    assert "\x07" not in said
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in said


def test_parts_stand_side_by_side_only_where_there_is_room() -> None:
    def together(width: int) -> bool:
        return any(
            "NET GREEKS" in line and "P/L BY STRATEGY" in line for line in coloured(shown.full(), width).split("\n")
        )

    assert together(screen.ROOM)
    assert not together(screen.ROOM - 1)


def test_a_long_log_is_cut_and_says_so() -> None:
    many = tuple(DecisionShown(shown.NOW, "refuse", "zero_dte", f"reason {i}") for i in range(40))
    said = screen.text(shown.full(decisions=many))
    assert "DECISIONS (the last 12 of 40 decisions)" in said
    assert "reason 11" in said
    assert "reason 12" not in said


def test_the_pictures_for_tests_use_every_field() -> None:
    full, manual = shown.full(), shown.manual()
    assert [f.name for f in fields(full) if getattr(full, f.name) in ((), "", None)] == ["as_of", "unguarded", "manual"]
    assert shown.closed().as_of
    assert manual.unguarded
    assert manual.manual


# -- words ------------------------------------------------------------------------------------------------------------


def test_how_values_are_said() -> None:
    assert [words.cash(v, "GBP") for v in (1234.4, -1234.6, 0.0, None, float("nan"))] == [
        "£1,234", "-£1,235", "£0", "n/a", "n/a",
    ]  # fmt: skip
    assert words.cash(5.0, "USD", sign=True, decimals=2) == "+$5.00"
    assert words.cash(-5.0, "CHF") == "-CHF 5"
    assert [words.age(s) for s in (0.04, 9.94, 59.6, 119.4, 120.0, 200.0, 7_500.0, None)] == [
        "0.0 s", "9.9 s", "60 s", "119 s", "2 min", "3 min 20 s", "2 h 05 min", "never",
    ]  # fmt: skip
    assert words.age(-1.0) == "0.0 s"
    assert [words.sigma(s) for s in (1.416, -0.2, None, float("inf"))] == ["1.42 σ", "-0.20 σ", "n/a", "n/a"]
    assert [words.distance(s) for s in (-1.0, 0.49, 0.5, 0.99, 1.0)] == ["bad", "bad", "warn", "warn", "good"]
    assert [words.fullness(s) for s in (0.0, 0.89, 0.9, 1.0, 1.01)] == ["good", "good", "warn", "warn", "bad"]
    assert words.share(1.0, 0.0) is None
    assert words.expires(LegShown("1P", "x", -1, 0)) == "today"
    assert words.when(shown.at("2026-11-20 00:00:01"), shown.NOW) == "00:00:01"
    assert words.when(shown.at("2026-11-19 23:59:59"), shown.NOW) == "19 Nov 23:59"
    assert words.headline(shown.full()) == "ENTRIES STOPPED +£413 · friday-book"
    assert words.headline(shown.empty()) == "RUNNING · zero_dte"
    assert words.late(shown.full()) == "1 of 4 feeds late"
    assert words.late(shown.running()) == ""
