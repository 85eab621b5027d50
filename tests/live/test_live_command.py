"""``tomking live``: what arms it, what takes the arming away, and that nothing is sent without both keys."""

from __future__ import annotations

import asyncio
import io
import json
import os
import stat
import sys
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from adapters.tastytrade.errors import ServerFault
from adapters.tastytrade.sender import SHADOW
from conf import console, live
from conf.live import arming_path, authority, code_version, until_of
from conf.main import main
from conf.paper import composed
from conf.turning import Turned
from live.arming import read, write
from live.codec import Codec
from live.inputs import Told
from live.journal import Journal
from live.keep import lives
from sim.calendar import at_ny, ny
from sim.model.errors import ConfigError, UsageError
from sim.model.event import Guarded, Standing
from tests.contract.market import P95, P100, buy, order, sell
from tests.contract.rig import ORDERS, QUICK, Wire, played, reason
from tests.live.loopback import ACCOUNT, LATE, OTHER, Loopback, ends_when, loopback, run_folder

KEY: Final = "adapter=production"
ARM: Final = ("live", "arm", "--account", "0001", "--max-loss", "500", "--until", "8h")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_home: Path) -> Iterator[None]:
    """Runs in a folder of the test's own; what is armed is disarmed."""
    monkeypatch.chdir(tmp_path)
    yield
    arming_path().unlink(missing_ok=True)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    with loopback(monkeypatch) as there:
        yield there


def types(patch: pytest.MonkeyPatch, text: str) -> None:
    """What is typed next."""
    patch.setattr(sys, "stdin", io.StringIO(text))


def arm(patch: pytest.MonkeyPatch, there: Loopback, *more: str) -> None:
    types(patch, "0001\n")
    assert main([*ARM, *there.words, *more]) == 0


def said(capsys: pytest.CaptureFixture[str]) -> str:
    found = capsys.readouterr()
    return found.out + found.err


# -- the second key ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [[], ["strategy=zero_dte"], ["adapter=sandbox"], [KEY, "adapter=emulator"]])
def test_production_is_typed_and_nothing_stands_for_it(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["live", *words]) == 2
    assert "adapter=production must be typed" in capsys.readouterr().err


def test_a_word_that_is_none_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for words, wanted in (
        (["disram"], "did you mean 'disarm'?"),
        (["arm"], "needs --account, --max-loss, --until"),
        ([*ARM[1:-1], "soon"], "wanted 8h, 16:00"),
        ([*ARM[1:-1], "30d"], "within 7 days"),
        (["arm", "--account", "5WT70001", *ARM[4:]], "wants the last 4 characters of the account, not 8"),
        ([*ARM[1:5], "--max-loss", "nan", *ARM[5:]], ""),
    ):
        assert main(["live", *words]) == 2
        error = capsys.readouterr().err
        assert wanted in error
        assert error.count("\n") == 1


def test_paper_does_not_trade_real_money(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["paper", KEY]) == 2
    assert "real money is `tomking live`" in capsys.readouterr().err


# -- the first --------------------------------------------------------------------------------------------------------


def test_arming_takes_the_typed_digits_and_leaves_a_file_of_ones_own(
    served: Loopback, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for typed in ("", f"{ACCOUNT}\n"):
        types(monkeypatch, typed)
        assert main([*ARM, *served.words]) == 2
        assert "nothing is armed" in capsys.readouterr().err
        assert not arming_path().exists()
    types(monkeypatch, "0001\n")
    assert main(["live", "arm", "--account", "9999", "--max-loss", "5", "--until", "8h", *served.words]) == 2
    assert "none of the open accounts end so" in capsys.readouterr().err
    assert main([*ARM, *served.words, "--unattended", "--fx", "1.31"]) == 0
    told = said(capsys)
    path = arming_path()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    for text in (told, path.read_text(), path.with_suffix(".log").read_text()):
        assert ACCOUNT not in text
        assert "0001" in text
    found = read(path)
    assert found is not None
    assert (str(found.max_loss), found.unattended, str(found.fx)) == ("500", True, "1.31")
    assert main(["live", "status", *served.words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["armed"] is True
    assert main(["live", "disarm"]) == 0
    assert main(["live", "status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.partition("\n")[2])["armed"] is False
    log = [json.loads(line)["text"] for line in path.with_suffix(".log").read_text().splitlines()]
    assert [" armed " in line or line.endswith("disarmed") for line in log[-2:]] == [True, True]


def test_what_an_arming_is_bound_to(served: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = composed([KEY, *served.words], None)

    def config(*changes: tuple[str, object]) -> dict[str, Any]:
        """The same with a value of a group, two deep at most, changed."""
        found = deepcopy(whole)
        for key, value in changes:
            *path, last = key.split(".")
            node = found
            for part in path:
                node = node[part]
            node[last] = value
        return found

    assert "not armed" in authority(config()).why
    arm(monkeypatch, served, "--unattended", "--fx", "1.31")
    fits = authority(config())
    assert fits.armed is not None
    assert (fits.why, fits.ask, fits.account) == ("", False, ACCOUNT)
    assert fits.fx is not None
    assert ACCOUNT not in repr(fits)
    # A page at another port trades nothing; anything else does.
    assert authority(config(("live.page.port", 0))).armed is not None
    for change in (("strategy.offset", 40), ("live.ceilings.orders_a_day", 61), ("account.nlv", 75_001)):
        other = authority(config(change))
        assert other.armed is None
        assert "the configuration has changed" in other.why
    assert "for another account, …0001" in authority(config(("adapter.account", OTHER))).why
    with monkeypatch.context() as patch:
        patch.setattr(live, "code_version", lambda _: "another")
        assert "the program has changed" in authority(config()).why
    found = read(arming_path())
    assert found is not None
    write(arming_path(), replace(found, made_ns=found.made_ns - 10**12, until_ns=found.made_ns - 10**9))
    assert "the arming ended at" in authority(config()).why
    write(arming_path(), replace(found, unattended=False))
    with pytest.raises(UsageError, match="nobody is here to say it"):
        authority(config())
    with monkeypatch.context() as patch:
        patch.setattr(console, "interactive", lambda: True)
        assert authority(config()).ask
    arming_path().chmod(0o644)
    with pytest.raises(ConfigError, match="has mode 0644, wanted 0600"):
        authority(config())


def test_a_session_that_has_traded_is_never_a_shadow(served: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it holds is real: whatever is missing is missing before each order, and may be there again."""
    config = composed([KEY, *served.words], None)
    unwritten = authority(config, traded=True)
    assert unwritten.armed is not None
    assert unwritten.armed() is None
    assert "not armed" in unwritten.why
    assert unwritten.keys is not None
    assert unwritten.find is not None
    assert asyncio.run(unwritten.find()) == ""  # type: ignore[arg-type]
    unwritten.keys.account = ACCOUNT  # as the broker tells it
    arm(monkeypatch, served, "--unattended", "--fx", "1.31")
    assert unwritten.keys.why() == ""
    assert unwritten.armed() is not None, "armed again it goes on"
    assert asyncio.run(unwritten.find()) == ACCOUNT  # type: ignore[arg-type]
    found = read(arming_path())
    assert found is not None
    write(arming_path(), replace(found, made_ns=found.made_ns - 10**12, until_ns=found.made_ns - 10**9))
    ended = authority(config, traded=True)
    assert ended.keys is not None
    assert (ended.account, ended.keys.account, ended.find) == (ACCOUNT, ACCOUNT, None)
    assert "the arming ended at" in ended.why
    assert ended.fx is not None
    # Nobody is at a terminal: that ends no session that may hold something.
    write(arming_path(), replace(found, unattended=False))
    attended = authority(config, traded=True)
    assert (attended.ask, attended.unattended) == (True, False)
    write(arming_path(), found)
    assert attended.keys is not None
    assert attended.keys.why() == ""
    assert attended.unattended
    arming_path().chmod(0o644)
    assert "has mode 0644" in authority(config, traded=True).why


def test_a_broker_that_does_not_answer_keeps_no_session_that_has_traded_from_what_it_holds(
    served: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = composed([KEY, *served.words], None)
    arm(monkeypatch, served, "--unattended")
    numbers = live._numbers

    async def down(_: object) -> list[str]:
        raise ServerFault("GET /customers/me/accounts", "503")

    with monkeypatch.context() as patch:
        patch.setattr(live, "_numbers", down)
        with pytest.raises(ServerFault):
            authority(config)
        found = authority(config, traded=True)
        # One that the configuration names has not to be asked for.
        named = deepcopy(config)
        named["adapter"]["account"] = ACCOUNT
        assert authority(named).account == ACCOUNT
    assert found.keys is not None
    assert found.find is not None
    assert "not known yet" in found.why
    assert live._numbers is numbers
    assert asyncio.run(found.find()) == ACCOUNT  # type: ignore[arg-type]


def test_a_session_whose_arming_has_ended_is_gone_on_with_in_manual_mode(
    served: Loopback, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*served.words, f"adapter.account={ACCOUNT}"]
    types(monkeypatch, "0001\n")
    assert main([*ARM, *words, "--unattended"]) == 0
    with monkeypatch.context() as patch:
        ends_when(patch, lambda runner: runner.core.day is not None)
        assert main(["live", KEY, *words, *LATE]) == 0
    folder = run_folder(tmp_path)

    async def away(*_: object, **__: object) -> Turned:
        return Turned(4, "the broker is away")

    with monkeypatch.context() as patch:
        patch.setattr("conf.sitting.through", away)
        assert main(["live", KEY, *words, "--resume", str(folder)]) == 4
    # A life that did not come to the broker forgets nothing of what it holds.
    assert json.loads((folder / "manifest.json").read_text())["account"]
    said(capsys)
    assert main(["live", "disarm"]) == 0
    ends_when(monkeypatch, lambda runner: runner.core.session.engine.standing is Standing.MANUAL)
    assert main(["live", KEY, *words, "--resume", str(folder), *LATE]) == 0
    told = said(capsys)
    assert "MANUAL  nothing is sent, and what would be is told: production is not armed" in told
    assert "SHADOW" not in told
    assert json.loads((folder / "manifest.json").read_text())["notice"] == ""
    with Journal.read_only(folder / "journal.sqlite") as journal:
        events = [what.event for what, _ in lives(journal, Codec()) if isinstance(what, Told)]
    assert [e for e in events if isinstance(e, Guarded) and e.standing is Standing.MANUAL] != []


def test_any_changed_file_is_another_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    mine: dict[str, Any] = {"strategy": {"_target_": "my_own_play.Play", "plays": [{"_target_": "sim.x.Y"}]}}
    (tmp_path / "my_own_play.py").write_text("x = 1\n")
    room = tmp_path / "sim"
    room.mkdir()
    monkeypatch.setattr(live, "__file__", str(tmp_path / "conf" / "live.py"))
    versions = []
    for path in (room / "a.py", tmp_path / "my_own_play.py"):
        for text in ("x = 1\n", "x = 2\n"):
            path.write_text(text)
            versions.append(code_version(mine))
    assert versions[1] == versions[2]
    assert len(set(versions)) == 3
    assert code_version({}) not in versions


def test_until() -> None:
    now = at_ny(ny(1_795_938_791 * 10**9).date(), ny(1_795_938_791 * 10**9).time())
    assert until_of("90m", now) - now == 90 * 60 * 10**9
    assert until_of("2d", now) - now == 2 * 86_400 * 10**9
    assert f"{ny(until_of('16:00', now)):%H:%M}" == "16:00"
    assert f"{ny(until_of('2026-12-05', now)):%Y-%m-%d %H:%M}" == "2026-12-05 23:59"
    assert f"{ny(until_of('2026-12-05 16:00', now)):%Y-%m-%d %H:%M}" == "2026-12-05 16:00"


# -- sessions ---------------------------------------------------------------------------------------------------------


def test_without_an_arming_a_session_says_that_it_is_a_shadow_wherever_it_is_looked_at(
    served: Loopback, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*served.words, f"adapter.account={ACCOUNT}", "report=html"]
    ends_when(monkeypatch, lambda runner: runner.core.ticked > 0)
    assert main(["live", KEY, *words, *LATE]) == 0
    folder, told = run_folder(tmp_path), said(capsys)
    assert "SHADOW  NOTHING IS SENT" in told
    assert "production is not armed" in told
    assert "SHADOW: NOTHING IS SENT" in (folder / "report.html").read_text()
    assert json.loads((folder / "manifest.json").read_text())["notice"] == "SHADOW: NOTHING IS SENT"
    assert served.sent == []


def test_in_shadow_the_dry_run_is_asked_and_nothing_is_sent_but_a_cancel() -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(order("a"))
        h.broker.submit(order("b", sell(P100), buy(P95), limit=80))
        await h.wait(0.5)
        assert [reason(h.events, each) for each in "ab"] == [SHADOW, SHADOW]
        assert h.network.count("POST", f"{ORDERS}/dry-run") == 2
        assert h.network.count("POST", ORDERS) == 0
        assert h.network.count("PUT", f"{ORDERS}*") == 0
        assert h.exchange.records("5WT00001") == []

    played("production", scenario, armed=None, conduct=replace(QUICK, shadow=True))


# -- the question at the terminal -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("typed", "answer"), [("y\n", True), ("YES\n", True), ("n\n", False), ("\n", False)])
def test_a_yes_is_typed_while_everything_goes_on(
    typed: str, answer: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reads, writes = os.pipe()

    async def main() -> bool | None:
        asked = asyncio.ensure_future(console.answer("send it?", 5.0))
        await asyncio.sleep(0.01)
        os.write(writes, typed.encode())
        return await asked

    with os.fdopen(reads) as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        assert asyncio.run(main()) is answer
    os.close(writes)
    assert "send it? [y/N] within 5 s" in capsys.readouterr().err


def test_silence_is_no_answer_and_what_was_typed_before_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = os.openpty()
    with os.fdopen(slave) as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        os.write(master, b"y\n")
        assert asyncio.run(console.answer("send it?", 0.05)) is None
    os.close(master)
