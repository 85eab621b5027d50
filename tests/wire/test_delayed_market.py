"""A market that was recorded from a feed fifteen minutes late says so wherever it is shown; no other market does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapters.tastytrade.recording import Feed
from adapters.tastytrade.sandbox import DELAYED as OF_THE_BROKER
from conf.main import main
from sim.market.manifest import DELAYED, MANIFEST, read_manifest
from sim.market.store import StoreMarket
from tests.wire.shelved import backtest, beside, record

LATE, LIVE = Feed(delayed=True), Feed()


@pytest.fixture
def place(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a late and a live market of the same quotes, and a folder to run in."""
    return beside(home, monkeypatch, {"late": LATE, "live": LIVE})


def test_every_page_and_report_on_it_says_so(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert DELAYED == OF_THE_BROKER == "DELAYED 15 MIN"

    assert main(["data", "list"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert {name for name, line in lines.items() if DELAYED in line} == {"late"}
    assert main(["data", "list", "--json"]) == 0
    listed = {each["name"]: each["notice"] for each in json.loads(capsys.readouterr().out)["markets"]}
    assert {name for name, notice in listed.items() if notice == DELAYED} == {"late"}
    assert {notice for name, notice in listed.items() if name != "late"} == {""}

    for market, wanted in (("late", DELAYED), ("live", "")):
        # Forty minutes are no whole day: that it is not fit is said as well.
        assert main(["data", "check", market]) == 1
        assert (DELAYED in capsys.readouterr().out) is bool(wanted)
        assert main(["data", "check", market, "--json"]) == 1
        assert json.loads(capsys.readouterr().out)["notice"] == wanted

        said = backtest(market, capsys)
        assert any(line.startswith(DELAYED) for line in said.splitlines()) is bool(wanted)
        run = place / said.split("report  ")[1].strip()
        page = run.read_text(encoding="utf-8")
        assert (f'<p class="banner"><b>{DELAYED}</b>' in page) is bool(wanted)
        assert json.loads((run.parent / "manifest.json").read_text(encoding="utf-8"))["notice"] == wanted
        told = json.loads(backtest(market, capsys, "report=none", "--json"))
        assert told["notice"] == wanted

    runs = sorted(str(path.parent) for path in place.glob("runs/*/*/report.html"))
    assert main(["report", runs[0], "--compare", runs[1]]) == 0
    compared = (Path(runs[0]) / "compare.html").read_text(encoding="utf-8")
    assert f"<b>{DELAYED}</b> A ran" in compared
    assert f"<b>{DELAYED}</b> B ran" not in compared


def test_it_is_a_word_of_the_manifest_and_changes_no_other_market(home: Path) -> None:
    for name, feed in (("late", LATE), ("live", LIVE)):
        record(home, name, feed, range(20))
    late, live = (read_manifest(home / "store" / name) for name in ("late", "live"))
    assert (late.delayed, late.notice, live.delayed, live.notice) == (True, DELAYED, False, "")
    assert late.vendor.endswith(DELAYED)
    assert late.fingerprint == live.fingerprint
    # What is not so is not written, so that a manifest of before reads the same, byte by byte.
    assert "delayed" not in json.loads((home / "store" / "live" / MANIFEST).read_text(encoding="utf-8"))
    record(home, "late", LATE, range(20, 25))
    assert StoreMarket(home, "late").notice == DELAYED
