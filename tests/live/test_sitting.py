"""What a person may say to a session: each command journalled, shown, and what it does."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from conf.leaving import resting
from conf.sitting import pressing
from live.runner import SECOND_NS
from sim.model.errors import UsageError
from sim.model.event import Cancel, Command, Guarded, Reprice, Standing, Word
from sim.model.order import Status
from tests.live.seated import ACCOUNT, Seat, seated


def shown(s: Seat) -> list[str]:
    return [each.text for each in s.it.look().decisions if each.kind == "command"]


@pytest.mark.parametrize(
    ("word", "said", "standing"),
    [
        (Word.STOP_ENTRIES, "no new entries from now on; exits go on", "ENTRIES_STOPPED"),
        (Word.CANCEL_ALL, "being cancelled: 0 working orders", "RUNNING"),
        (Word.FLATTEN, "being closed: 0 trades; nothing new is opened", "EXIT_ONLY"),
        (Word.RESUME, "running", "RUNNING"),
    ],
)
def test_every_command_is_journalled_and_shown(word: Word, said: str, standing: str) -> None:
    async def scenario(s: Seat) -> None:
        await s.to(9, 45)
        assert s.it.tell(word) == said
        await s.elapse(1)
        assert [e.word for e, _ in s.written() if isinstance(e, Command)] == [word]
        assert shown(s) == [f"{word.value}: {said}"]
        assert s.it.core.session.engine.standing.value == standing
        assert f"{word.value}: {said}" in s.said

    seated(scenario)


def test_a_flatten_of_a_closed_market_stops_what_is_new_and_says_so() -> None:
    async def scenario(s: Seat) -> None:
        assert s.it.core.day is None
        assert "the market is closed" in s.it.tell(Word.FLATTEN)
        await s.to(9, 45)
        assert s.it.guard.standing is Standing.EXIT_ONLY
        assert not [e for e, _ in s.written() if isinstance(e, Command)]

    seated(scenario)


def test_the_account_is_told_by_its_last_digits() -> None:
    async def scenario(s: Seat) -> None:
        await s.to(9, 45)
        assert s.it.look().account == ACCOUNT[-2:]
        assert s.it.scrubbed(f"of {ACCOUNT}") == "of …01"

    seated(scenario)


def test_after_the_close_the_account_is_shown_as_the_day_left_it() -> None:
    """It said n/a all night, and that VIX is late."""

    async def scenario(s: Seat) -> None:
        before = s.it.look()
        assert (before.nlv, before.day_profit, before.as_of) == (None, None, "")
        await s.opened()
        await s.to(15, 55)
        open_ = s.it.look()
        assert open_.as_of == ""
        assert open_.nlv is not None
        assert open_.day_profit == pytest.approx(open_.nlv - 100_000)
        await s.to(16, 30)
        after, (end,) = s.it.look(), s.it.core.session.equity
        assert (after.session, after.as_of) == ("", str(s.day))
        assert after.nlv == end.nlv
        assert after.day_profit == pytest.approx(end.nlv - 100_000)
        assert after.profits == open_.profits
        assert after.day_profit != 0.0
        assert after.ages
        assert not any(age.late or age.needed for age in after.ages)

    seated(scenario)


def test_cancel_all_cancels_and_a_walk_of_what_is_gone_comes_to_nothing() -> None:
    async def scenario(s: Seat) -> None:
        await s.opened()
        s.it.tell(Word.FLATTEN)
        await s.until(lambda: any(order.status.name == "LIVE" for order in s.working.values()))
        (order_id,) = s.working
        assert "cancel 1 working order, exits included" in s.it.asks(Word.CANCEL_ALL)
        s.it.tell(Word.CANCEL_ALL)
        s.it.runner.post(Reprice(s.it.hours.now(), "nobody", None, "no such order"))
        await s.until(lambda: not s.working)
        decisions = [d for e, all_ in s.written() if isinstance(e, Command) for d in all_]
        assert Cancel(order_id, "cancel all") in decisions

    seated(scenario)


def test_a_difference_asks_twice_and_is_accepted_as_it_is() -> None:
    async def scenario(s: Seat) -> None:
        await s.opened()
        legs = list(s.it.core.session.engine.desk.held())
        # As if somebody had bought one elsewhere: the books say one thing, the broker another.
        book = s.it.core.session.engine.desk.ledger.open.popitem()
        s.it.core.session.engine.desk.watches.clear()
        await s.elapse(300)
        assert s.it.guard.causes.keys() == {"difference"}
        assert s.it.needs(Word.RESUME) == 2
        assert s.it.tell(Word.RESUME).startswith("not resumed, ")
        assert s.it.tell(Word.RESUME) == "running"
        assert len(s.it.warden.reconciler.accepted) >= len(legs)
        await s.elapse(300)
        assert s.it.guard.causes == {}
        # It alarms no more, and is shown for as long as there is one.
        shown = s.it.look()
        spite = [each for each in shown.differences if each.startswith("resumed in spite of it: ")]
        assert len(spite) == len(legs)
        assert resting(replace(shown, trades=(), orders=()), own=False)[0].startswith("the broker's word is another: ")
        assert f"not closed by it is what differs: {spite[0].partition(': ')[2]}" in s.it.asks(Word.FLATTEN)
        assert any(isinstance(e, Guarded) and e.standing is Standing.RUNNING for e, _ in s.written())
        s.it.core.session.engine.desk.ledger.open[book[0]] = book[1]
        # What is there no more is accepted no more, by the next life neither.
        assert s.journal is not None
        assert json.loads(s.journal.meta("accepted") or "")
        await s.until(lambda: not s.it.warden.reconciler.accepted, 400)
        assert json.loads(s.journal.meta("accepted") or "") == {}

    seated(scenario)


def test_a_resume_that_is_not_repeated_soon_is_a_new_one() -> None:
    async def scenario(s: Seat) -> None:
        await s.to(9, 45)
        s.it.hand.doubles.append("one fill too many")
        assert s.it.tell(Word.RESUME).startswith("not resumed, 1 thing stands: one fill too many")
        await s.elapse(s.it.terms.again + 1)
        assert s.it.tell(Word.RESUME).startswith("not resumed")
        assert s.it.tell(Word.RESUME, sure=True) == "running"
        assert s.it.hand.doubles == []

    seated(scenario)


def test_the_pages_resume_takes_a_yes_to_what_stands_and_to_no_more() -> None:
    async def scenario(s: Seat) -> None:
        await s.to(9, 45)
        press = pressing(s.it)
        assert await press("resume?") == ""
        s.it.hand.doubles.append("one fill too many")
        with pytest.raises(UsageError, match="this stands since you were asked: one fill too many"):
            await press("resume")
        assert "one fill too many" in await press("resume?")
        s.it.hand.doubles.append("another one")
        with pytest.raises(UsageError, match="another one; nothing was done"):
            await press("resume")
        assert "another one" in await press("resume?")
        assert await press("resume") == "running"
        assert s.it.hand.doubles == []

    seated(scenario)


def test_where_the_kill_file_is_removed_exits_go_on_and_entries_when_a_person_resumes(tmp_path: Path) -> None:
    async def scenario(s: Seat) -> None:
        def standing() -> Standing:
            return s.it.core.session.engine.standing

        kill = tmp_path / "kill"
        s.it.terms = replace(s.it.terms, kill=kill)
        await s.to(9, 45)
        kill.touch()
        await s.elapse(60)
        assert standing() is Standing.HALTED
        kill.unlink()
        await s.elapse(60)
        assert standing() is Standing.ENTRIES_STOPPED
        assert "which was removed: exits go on, resume opens again" in s.it.guard.why
        assert s.it.tell(Word.RESUME) == "running"

    seated(scenario)


@pytest.mark.parametrize("by", ["a sign", "the clock"])
def test_an_end_in_order_leaves_no_opening_behind(by: str) -> None:
    async def scenario(s: Seat) -> None:
        await s.to(10, 29)
        s.nothing_fills()
        await s.until(lambda: any(o.status.name == "LIVE" for o in s.working.values()), 300)
        (opening,) = s.working
        if by == "the clock":
            s.it.runner.until = s.it.hours.now() + 15 * SECOND_NS
            await s.elapse(20)
        await s.rise()
        s._task = None
        assert [o.status for o in s.exchange.records(ACCOUNT) if o.ticket.external == opening] == ["Cancelled"]
        # The next life is not held back by it.
        await s.sit()
        await s.elapse(120)
        assert s.it.core.session.engine.standing is Standing.RUNNING

    seated(scenario)


def test_orders_of_an_emulator_that_ended_with_its_session_are_over() -> None:
    """They were looked for at the next emulator for a minute, and a flatten waited behind one that was no more."""

    async def scenario(s: Seat) -> None:
        await s.opened()
        s.nothing_fills()
        s.it.tell(Word.FLATTEN)
        await s.until(lambda: any(o.status is Status.LIVE for o in s.working.values()))
        (old,) = s.working
        await s.rise()
        for row in s.exchange.list(ACCOUNT).items:
            if row["cancellable"]:
                s.exchange.cancel(ACCOUNT, row["id"])
        made = s._process()
        made.forgotten = True
        await s.sit(made)
        await s.until(lambda: s.working and all(o.status is Status.LIVE for o in s.working.values()))
        assert old not in s.working
        assert "doubt" not in s.it.guard.causes
        assert any("emulator ended with it, and 1 order that worked there" in line for line in s.said)

    seated(scenario)


def test_an_exit_that_rests_at_the_broker_is_named_once_and_patience_is_none() -> None:
    async def scenario(s: Seat) -> None:
        await s.opened()
        await s.elapse(30)
        (shown,) = s.it.look().trades
        (target,) = shown.resting
        assert target.startswith("take profit at ")
        assert target in shown.exits
        assert shown.here
        assert not any(each == target or "unfilled" in each for each in shown.here)

    seated(scenario, rest=True)
