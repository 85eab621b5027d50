"""One session of an account at a time: what the next one is told of the last, and what it has to count."""

from __future__ import annotations

import json
import stat
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from live.account_lock import AccountLock
from live.ceilings import NOTHING, CeilingKeeper, Ceilings, Earlier
from sim.model.errors import UsageError
from tests.live.test_ceilings import GIVEN, TODAY, asked, opening

ACCOUNT, OTHER = "5WT00001", "5WT00002"
SITE = "sandbox"


def session(home: Path, name: str, site: str = SITE, *, fresh: bool = False, traded: str = "") -> AccountLock:
    run = home / name
    run.mkdir(exist_ok=True)
    (run / "manifest.json").touch()
    return AccountLock(home / "accounts", site, run, name, lambda: "salt" * 8, fresh, traded)


def lived(home: Path, name: str, *, open_: int = 0, orders: int = 0, lost: str = "0", day: date = TODAY) -> AccountLock:
    """A session that has ended in order."""
    one = session(home, name, fresh=True)
    one.take(ACCOUNT)
    one.keep(day=day, orders=orders, lost=Decimal(lost), open_=open_, working=0)
    one.leave()
    return one


def test_two_sessions_do_not_trade_one_account(tmp_path: Path) -> None:
    first, second = session(tmp_path, "first"), session(tmp_path, "second", fresh=True)
    first.take(ACCOUNT)
    with pytest.raises(UsageError, match=r"^account …0001 is traded already, by the session in .*first$"):
        second.take(ACCOUNT)
    session(tmp_path, "other").take(OTHER)
    session(tmp_path, "real", "production").take(ACCOUNT)
    first.leave()
    second.take(ACCOUNT)


def test_trades_that_were_left_open_are_gone_on_with_or_left_alone_by_a_word(tmp_path: Path) -> None:
    lived(tmp_path, "first", open_=2)
    with pytest.raises(UsageError, match=r"first left 2 trades open and 0 orders working; --resume .*first goes on"):
        session(tmp_path, "second").take(ACCOUNT)
    again = session(tmp_path, "first")
    again.take(ACCOUNT)
    again.keep(day=TODAY, orders=0, lost=Decimal(0), open_=2, working=0)
    again.leave()
    fresh = session(tmp_path, "second", fresh=True)
    fresh.take(ACCOUNT)
    fresh.leave()
    session(tmp_path, "third").take(ACCOUNT)


def test_a_session_that_was_killed_is_not_taken_for_one_that_left_nothing(tmp_path: Path) -> None:
    killed = session(tmp_path, "first")
    killed.take(ACCOUNT)
    killed.keep(day=TODAY, orders=1, lost=Decimal(0), open_=1, working=1)
    killed._unlock()  # as the system does
    with pytest.raises(UsageError, match="did not end in order, with 1 trades open"):
        session(tmp_path, "second").take(ACCOUNT)
    again = session(tmp_path, "first")
    again.take(ACCOUNT)
    again._unlock()  # and once more, before it had looked
    with pytest.raises(UsageError, match="did not end in order, with 1 trades open"):
        session(tmp_path, "second").take(ACCOUNT)


def test_a_folder_that_was_removed_holds_nobody_up(tmp_path: Path) -> None:
    lived(tmp_path, "first", open_=1)
    (tmp_path / "first" / "manifest.json").unlink()
    session(tmp_path, "second").take(ACCOUNT)


def test_a_journal_is_not_gone_on_with_in_another_account(tmp_path: Path) -> None:
    key = lived(tmp_path, "first", open_=1).key
    with pytest.raises(UsageError, match=r"--resume .*first: that session traded another account than account …0002"):
        session(tmp_path, "first", traded=key).take(OTHER)
    session(tmp_path, "first", traded=key).take(ACCOUNT)


def test_what_sessions_of_the_day_sent_and_lost_counts_for_the_next(tmp_path: Path) -> None:
    lived(tmp_path, "first", orders=2, lost="120.60")
    lived(tmp_path, "second", orders=1, lost="-50")
    third = session(tmp_path, "third")
    third.take(ACCOUNT)
    assert third.earlier(TODAY) == Earlier(3, Decimal(121))
    third.keep(day=TODAY, orders=7, lost=Decimal(9), open_=0, working=0)
    assert third.earlier(TODAY) == Earlier(3, Decimal(121))
    tomorrow = date(2024, 8, 5)
    assert third.earlier(tomorrow) == NOTHING
    third.keep(day=tomorrow, orders=0, lost=Decimal(0), open_=0, working=0)
    assert third.earlier(tomorrow) == NOTHING


@pytest.mark.parametrize(
    ("earlier", "why"),
    [
        (Earlier(2, Decimal(0)), ""),
        (Earlier(3, Decimal(0)), "3 orders went out"),
        (Earlier(0, Decimal(499)), ""),
        (Earlier(0, Decimal(500)), "500.00 lost on"),
    ],
)
def test_the_ceilings_count_it(earlier: Earlier, why: str) -> None:
    said = asked(CeilingKeeper(Ceilings.of(GIVEN)), opening(), earlier=earlier)
    assert why in said
    assert bool(why) == bool(said)


def test_nothing_names_the_account_and_nobody_else_reads_it(tmp_path: Path) -> None:
    lived(tmp_path, "first", orders=1, open_=1)
    files = [path for path in (tmp_path / "accounts").rglob("*") if path.is_file()]
    assert {path.name for path in files} == {"salt", "lock", "last.json"}
    for path in files:
        assert ACCOUNT not in f"{path}{path.read_text()}"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_damaged_file_is_one_line_and_no_leave_to_trade(tmp_path: Path) -> None:
    one = lived(tmp_path, "first")
    one._path.write_text(json.dumps([1]))
    with pytest.raises(UsageError, match=r"last\.json is damaged: look at the account, then remove it"):
        session(tmp_path, "second").take(ACCOUNT)
