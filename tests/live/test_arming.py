"""The written one of production's two keys: what binds it, when it ends, and whose file it is."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from live.arming import Arming, check, disarm, hash_account, log_path, read, typed_matches, write
from sim.calendar import at_ny
from sim.model.errors import ConfigError


def at(text: str) -> int:
    """``2026-11-20 09:00`` New York as UTC ns."""
    instant = datetime.fromisoformat(text)
    return at_ny(instant.date(), instant.time())


ACCOUNT: Final = "5WT00001"
SALT: Final = "3f9c0d5a77b14e02"
NOW: Final = at("2026-11-20 09:00:00")
HOUR: Final = 3_600 * 10**9
DAY: Final = 24 * HOUR


def made(**changes: Any) -> Arming:
    given: dict[str, Any] = {
        "salt": SALT, "max_loss": Decimal(500), "until_ns": NOW + 7 * HOUR, "config_hash": "c0ffee00c0ffee00",
        "code_version": "9e4a07e", "now": NOW,
    }  # fmt: skip
    return Arming.of(changes.pop("account", ACCOUNT), **given | changes)


def asked(arming: Arming | None, **changes: Any) -> str:
    given: dict[str, Any] = {
        "account": ACCOUNT, "config_hash": "c0ffee00c0ffee00", "code_version": "9e4a07e", "now": NOW + HOUR,
    }  # fmt: skip
    return check(arming, **given | changes)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where an arming lies; its folder is not there yet."""
    return tmp_path / "armed" / "arming.json"


class TestCheck:
    def test_armed(self) -> None:
        assert asked(made()) == ""

    def test_nothing_is_armed_by_nothing(self) -> None:
        assert asked(None).startswith("production is not armed")

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"now": NOW + 7 * HOUR}, "the arming ended at 2026-11-20 16:00 New York: arm again"),
            ({"now": NOW + 30 * DAY}, "the arming ended at 2026-11-20 16:00 New York"),
            ({"now": NOW - 1}, "which is still to come: set this machine's clock"),
            ({"account": "5WT00002"}, "the arming is for another account, …0001: arm again"),
            ({"account": "6WT00001"}, "the arming is for another account"),
            ({"account": ""}, "the arming is for another account"),
            ({"config_hash": "c0ffee00c0ffee01"}, "the configuration has changed since it was armed"),
            ({"config_hash": ""}, "the configuration has changed since it was armed"),
            ({"code_version": "9e4a07f"}, "the program has changed since it was armed"),
            ({"code_version": ""}, "the program has changed since it was armed"),
        ],
    )
    def test_what_takes_the_arming_away(self, changes: dict[str, Any], why: str) -> None:
        told = asked(made(), **changes)
        assert why in told
        assert "\n" not in told

    def test_the_last_nanosecond_is_armed_and_the_end_is_not(self) -> None:
        arming = made()
        assert asked(arming, now=arming.until_ns - 1) == ""
        assert asked(arming, now=arming.until_ns) != ""
        assert asked(arming, now=NOW) == ""

    @pytest.mark.parametrize(
        ("typed", "fits"),
        [("0001", True), (" 0001 ", True), ("001", False), ("00001", False), ("", False), ("0002", False),
         (ACCOUNT, False), ("0001\n", True), ("٠٠٠١", False), ("\ud800001", False)],
    )  # fmt: skip
    def test_the_last_four_are_typed(self, typed: str, fits: bool) -> None:
        assert typed_matches(typed, ACCOUNT) is fits

    def test_letters_may_be_typed_small(self) -> None:
        assert typed_matches("cdef", "5WABCDEF")

    def test_an_account_that_is_none_is_matched_by_nothing(self) -> None:
        assert not typed_matches("", "")
        assert not typed_matches("0001", "0001")


class TestValues:
    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"until_ns": NOW + 7 * DAY + 1}, "is for more than 7 days: give an earlier instant"),
            ({"until_ns": NOW}, "is over before it begins: give a later instant"),
            ({"until_ns": NOW - DAY}, "is over before it begins"),
            ({"max_loss": Decimal(0)}, "the loss a day is 0, wanted an amount above 0"),
            ({"max_loss": Decimal(-1)}, "wanted an amount above 0"),
            ({"max_loss": Decimal("NaN")}, "wanted an amount above 0"),
            ({"max_loss": Decimal("Infinity")}, "wanted an amount above 0"),
            ({"config_hash": " "}, "the configuration is not known"),
            ({"code_version": ""}, "the program's version is not known"),
            ({"account": "0001"}, "that is no account number"),
            ({"account": "5WT 0001"}, "that is no account number"),
            ({"salt": "short"}, "the salt is too short"),
            ({"salt": "3f9c0d5a77b14e0:"}, "the salt is too short or no plain text"),
        ],
    )
    def test_what_does_not_fit(self, changes: dict[str, Any], why: str) -> None:
        with pytest.raises(ConfigError, match=why) as caught:
            made(**changes)
        assert "\n" not in str(caught.value)
        assert changes.get("account", ACCOUNT) not in str(caught.value)

    def test_a_week_and_no_more(self) -> None:
        assert asked(made(until_ns=NOW + 7 * DAY), now=NOW + 7 * DAY - 1) == ""
        # Seven days of the clock on the wall are an hour more when summer time ends.
        summer = at("2026-10-30 12:00:00")
        with pytest.raises(ConfigError, match="more than 7 days"):
            made(now=summer, until_ns=at("2026-11-06 12:00:00"))

    def test_another_salt_makes_another_hash(self) -> None:
        assert hash_account(ACCOUNT, SALT) != hash_account(ACCOUNT, SALT[::-1])
        assert made().describe() == "account …0001 until 2026-11-20 16:00 New York, at most 500 a day"
        assert made(unattended=True).describe().endswith(", unattended")


class TestFile:
    def test_written_read_and_taken_away(self, path: Path) -> None:
        arming = made(unattended=True, max_loss=Decimal("1250.50"))
        assert read(path) is None
        assert disarm(path, now=NOW) is False
        write(path, arming, who="tom")
        assert read(path) == arming
        again = made(salt=SALT[::-1])
        write(path, again, who="tom")
        assert read(path) == again
        assert disarm(path, now=NOW + HOUR, who="tom") is True
        assert read(path) is None
        assert disarm(path, now=NOW) is False
        assert sorted(p.name for p in path.parent.iterdir()) == ["arming.log"]

    def test_the_account_stands_in_no_file(self, path: Path) -> None:
        write(path, made())
        disarm(path, now=NOW)
        write(path, made())
        for file in path.parent.iterdir():
            assert ACCOUNT.encode() not in file.read_bytes()
            assert ACCOUNT[:-4].encode() not in file.read_bytes()

    def test_rights(self, path: Path) -> None:
        before = os.umask(0)
        try:
            write(path, made())
        finally:
            os.umask(before)
        modes = {p.name: p.stat().st_mode & 0o777 for p in (path.parent, path, log_path(path))}
        assert modes == {"armed": 0o700, "arming.json": 0o600, "arming.log": 0o600}

    def test_it_is_written_down_who_armed_what_until_when(self, path: Path) -> None:
        write(path, made(), who="tom\nroot armed account …9999")
        write(path, made(), who="")
        disarm(path, now=NOW + HOUR, who="ann")
        lines = [json.loads(line) for line in log_path(path).read_text().splitlines()]
        assert [line["at"] for line in lines] == [NOW, NOW, NOW + HOUR]
        assert lines[0]["text"] == (
            "tom root armed account …9999 armed account …0001 until 2026-11-20 16:00 New York, at most 500 a day"
        )
        assert lines[0]["config_hash"] == "c0ffee00c0ffee00"
        assert "account_hash" not in lines[0]
        assert lines[1]["text"].split(" ", 1)[0]
        assert lines[2]["text"] == "ann disarmed"

    @pytest.mark.parametrize("mode", [0o644, 0o640, 0o620, 0o602, 0o700, 0o400])
    def test_a_file_with_other_rights_is_refused(self, path: Path, mode: int) -> None:
        write(path, made())
        path.chmod(mode)
        why = rf"arming\.json has mode {mode:04o}, wanted 0600"
        with pytest.raises(ConfigError, match=why):
            read(path)
        with pytest.raises(ConfigError, match=why):
            write(path, made())
        assert path.stat().st_mode & 0o777 == mode

    @pytest.mark.parametrize("mode", [0o755, 0o750, 0o770, 0o711])
    def test_a_folder_with_other_rights_is_refused(self, path: Path, mode: int) -> None:
        write(path, made())
        path.parent.chmod(mode)
        why = rf"armed has mode {mode:04o}, wanted 0700"
        with pytest.raises(ConfigError, match=why):
            read(path)
        with pytest.raises(ConfigError, match=why):
            write(path, made())

    def test_a_log_with_other_rights_stops_the_arming(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700)
        log_path(path).touch(mode=0o644)
        log_path(path).chmod(0o644)
        with pytest.raises(ConfigError, match=r"arming\.log has mode 0644"):
            write(path, made())
        assert read(path) is None

    def test_a_file_of_another_user_is_refused(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write(path, made())
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
        with pytest.raises(ConfigError, match="belongs to another user"):
            read(path)
        with pytest.raises(ConfigError, match="belongs to another user"):
            write(path, made())

    def test_links_pipes_and_folders_are_refused(self, path: Path, tmp_path: Path) -> None:
        write(path, made())
        other = tmp_path / "other.json"
        path.rename(other)
        path.symlink_to(other)
        with pytest.raises(ConfigError, match="cannot be read"):
            read(path)
        with pytest.raises(ConfigError, match="is no plain file"):
            write(path, made())
        path.unlink()
        os.mkfifo(path, 0o600)
        with pytest.raises(ConfigError, match="is no plain file"):
            read(path)
        path.unlink()
        path.mkdir()
        with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
            read(path)
        with pytest.raises(ConfigError, match="cannot be removed"):
            disarm(path, now=NOW)

    def test_a_folder_that_cannot_be(self, tmp_path: Path) -> None:
        (tmp_path / "armed").touch()
        with pytest.raises(ConfigError, match="cannot be written"):
            write(tmp_path / "armed" / "arming.json", made())
        with pytest.raises(ConfigError, match="cannot be read"):
            read(tmp_path / "armed" / "arming.json")

    @pytest.mark.parametrize(
        "text",
        [
            "", "{", "[]", "null", "{}", "\0", "[" * 50_000, " " * 70_000, "\xff", '{"last4": "0001"}',
            *[json.dumps({"account_hash": f"{SALT}:{'0' * 64}", "last4": "0001", "max_loss": "500",
                          "until_ns": NOW + HOUR, "config_hash": "c", "code_version": "v", "unattended": False,
                          "made_ns": NOW, "fx": None} | changes)
              for changes in ({"max_loss": 500}, {"fx": 1.31}, {"fx": "much"}, {"max_loss": "much"},
                              {"unattended": 0}, {"until_ns": "soon"},
                              {"until_ns": True}, {"until_ns": 1.5}, {"last4": None}, {"more": 1})],
        ],
    )  # fmt: skip
    def test_a_file_that_cannot_be_read_arms_nothing(self, path: Path, text: str) -> None:
        write(path, made())
        path.write_bytes(text.encode("latin-1"))
        with pytest.raises(ConfigError, match=r"holds no arming that can be read; remove it and arm again") as caught:
            read(path)
        assert "\n" not in str(caught.value)
        assert disarm(path, now=NOW)

    def test_an_endless_file_is_not_read(self, path: Path) -> None:
        write(path, made())
        path.write_text(path.read_text() + " " * 65_536)
        with pytest.raises(ConfigError, match="holds no arming that can be read"):
            read(path)

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"until_ns": NOW + 8 * DAY}, "more than 7 days"),
            ({"until_ns": 10**60}, "more than 7 days"),
            ({"max_loss": "-500"}, "wanted an amount above 0"),
            ({"max_loss": "1e999999"}, "wanted an amount above 0"),
            ({"account_hash": "none"}, "the account's hash is none"),
            ({"account_hash": f"{SALT}:{'x' * 64}"}, "the account's hash is none"),
            ({"account_hash": f"{SALT}\ud800:{'0' * 64}"}, "the account's hash is none"),
            ({"last4": "00\ud8001"}, "the account's last characters"),
            ({"last4": "1"}, "the account's last characters"),
            ({"config_hash": ""}, "the configuration is not known"),
        ],
    )
    def test_a_file_changed_by_hand_is_held_to_the_same(self, path: Path, changes: dict[str, Any], why: str) -> None:
        write(path, made())
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))
        with pytest.raises(ConfigError, match=why):
            read(path)

    def test_what_fails_half_way_leaves_the_old_arming(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        first = made()
        write(path, first)

        def full(*_: Any, **__: Any) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "replace", full)
        with pytest.raises(ConfigError, match="No space left on device; nothing more is armed"):
            write(path, replace(first, max_loss=Decimal(9)))
        monkeypatch.undo()
        assert read(path) == first
        assert sorted(p.name for p in path.parent.iterdir()) == ["arming.json", "arming.log"]
