"""Whether an order may be sent, asked right before it is: keys, the guard's mind of that moment, ceilings, a person's
yes. A closing order is stopped by the keys alone.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast

import pytest

from live.arming import Arming, disarm, write
from live.ceilings import Ceilings
from live.guard import Guard
from live.permit import ARMING, Keys, Permit, Question
from sim.model.errors import DataError
from sim.model.event import Event, Guarded, Standing
from sim.model.order import Intent, Leg, Order, Status
from tests.asked import request

ACCOUNT: Final = "5WT00001"
DAY: Final = date(2024, 8, 2)
NOW: Final = 1_722_609_000 * 10**9
MINUTE: Final = 60 * 10**9
SHARES: Final = Ceilings(3, 8, Decimal("0.10"), Decimal("0.50"))


def opening(number: int = 1, quantity: int = 1) -> Order:
    return Order(f"zero_dte-{number}", replace(request("-5485C +5515C"), quantity=quantity), Status.NEW, NOW)


def closing(number: int = 1, quantity: int = 1) -> Order:
    opened = opening(number, quantity)
    legs = tuple(Leg(leg.contract, leg.ratio, leg.action.closing_twin) for leg in opened.request.legs)
    return replace(opened, request=replace(opened.request, legs=legs, intent=Intent.CLOSE, trade_id="t"))


@dataclass
class Books:
    """As much of a core as a permit asks: an account of 10,000 at the day's start, worth ``nlv`` now."""

    nlv: Decimal = Decimal(10_000)
    used: Decimal | None = Decimal(2_000)
    sent: list[Order] = field(default_factory=list)
    open: dict[str, object] = field(default_factory=dict)
    day: date | None = DAY

    def core(self) -> Any:
        def used(*_: object) -> Decimal:
            if self.used is None:
                raise DataError("a position cannot be marked")
            return self.used

        ledger = SimpleNamespace(start_cash=Decimal(10_000), open=self.open)
        desk = SimpleNamespace(
            book=SimpleNamespace(open_ns=NOW - 60 * MINUTE), nlv=lambda _: self.nlv, bp_used=used, bp_after=used,
            orders={}, ledger=ledger,
        )  # fmt: skip
        session = SimpleNamespace(
            engine=SimpleNamespace(desk=desk), equity=[], orders={o.id: SimpleNamespace(order=o) for o in self.sent}
        )
        return SimpleNamespace(session=session, day=self.day, column=lambda _: 0)


@dataclass
class Rig:
    permit: Permit
    told: list[tuple[str, str]] = field(default_factory=list)
    posted: list[Event] = field(default_factory=list)

    @property
    def guard(self) -> Guard:
        return self.permit.guard

    def stands(self) -> Standing:
        return self.guard.standing


def rig(books: Books | None = None, keys: Keys | None = None) -> Rig:
    permit = Permit.of(SHARES, cast("Any", (books or Books()).core()), Guard(), lambda: NOW, keys)
    made = Rig(permit)
    permit.alert, permit.post = lambda kind, text: made.told.append((kind, text)), made.posted.append
    return made


# -- the guard, at that moment ----------------------------------------------------------------------------------------


def test_an_opening_goes_out_while_the_session_runs_and_not_otherwise() -> None:
    made = rig()
    assert made.permit(opening()) == ""
    for standing in (Standing.ENTRIES_STOPPED, Standing.EXIT_ONLY, Standing.MANUAL, Standing.HALTED):
        made.guard.set("feed", standing, "nothing heard for 46 s", NOW)
        assert (
            made.permit(opening(2)) == f"{standing.value} by the time it was to be sent: feed: nothing heard for 46 s"
        )
        assert made.permit(closing(2)) == ""


def test_between_sessions_nothing_is_opened_and_anything_closed() -> None:
    made = rig(Books(day=None))
    assert made.permit(opening()) == "no session is on: nothing is opened"
    assert made.permit(closing()) == ""


# -- ceilings ---------------------------------------------------------------------------------------------------------


def test_the_loss_of_a_day_is_a_share_of_what_it_began_with() -> None:
    assert rig(Books(Decimal("9000.01"))).permit(opening()) == ""
    made = rig(Books(Decimal(9_000)))
    why = made.permit(opening())
    assert why == "ceiling: 1,000.00 lost on 2024-08-02, at most 1,000.00 may be: nothing is opened"
    assert made.permit(closing()) == ""
    assert made.told == [("REFUSAL", f"zero_dte-1: {why}")]


def test_a_ceiling_that_was_met_stops_entries_until_a_person_resumes() -> None:
    made = rig()
    assert "12 contracts, at most 8" in made.permit(opening(quantity=6))
    assert made.stands() is Standing.ENTRIES_STOPPED
    assert [event.standing for event in made.posted if isinstance(event, Guarded)] == [Standing.ENTRIES_STOPPED]
    assert made.permit(opening(2)).startswith("ENTRIES_STOPPED")
    made.guard.resume(NOW)
    assert made.permit(opening(2)) == ""


def test_buying_power_that_is_not_known_refuses_this_order_and_stops_nothing() -> None:
    made = rig(Books(used=None))
    assert "buying power that would be used is not known" in made.permit(opening())
    assert made.stands() is Standing.RUNNING
    assert "at most 50.0% may be used" in rig(Books(used=Decimal(5_001))).permit(opening())


def test_orders_of_an_earlier_life_of_today_count_and_those_of_yesterday_do_not() -> None:
    yesterday = [replace(opening(n), created_ns=NOW - 1440 * MINUTE) for n in range(10, 20)]
    today = [opening(n) for n in (1, 2)]
    made = rig(Books(sent=[*yesterday, *today]))
    # Whoever trades the account next must know, also where nothing was asked in this life.
    assert made.permit.sent(DAY) == 2
    assert made.permit(opening(3)) == ""
    assert "3 orders went out on 2024-08-02, at most 3 may" in made.permit(opening(4))
    assert made.permit(closing(5)) == ""


# -- the keys ---------------------------------------------------------------------------------------------------------


@dataclass
class Clock:
    ns: int = NOW

    def now(self) -> int:
        return self.ns


def arming(**changes: Any) -> Arming:
    given: dict[str, Any] = {
        "salt": "3f9c0d5a77b14e02", "max_loss": Decimal(500), "until_ns": NOW + 60 * MINUTE, "config_hash": "c0ffee",
        "code_version": "1", "now": NOW - MINUTE,
    }  # fmt: skip
    return Arming.of(ACCOUNT, **given | changes)


def keys(folder: Path, clock: Clock, account: str = ACCOUNT, config_hash: str = "c0ffee", version: str = "1") -> Keys:
    return Keys(folder / "armed" / "arming.json", account, config_hash, version, clock.now)


def test_the_armings_own_loss_is_a_ceiling(tmp_path: Path) -> None:
    clock = Clock()
    held = keys(tmp_path, clock)
    write(held.path, arming())
    assert rig(Books(Decimal("9500.01")), held).permit(opening()) == ""
    assert "500.00 lost on 2024-08-02, at most 500.00" in rig(Books(Decimal(9_500)), held).permit(opening())


def test_an_arming_that_ends_during_the_session_stops_everything_and_says_so_once(tmp_path: Path) -> None:
    clock = Clock()
    held = keys(tmp_path, clock)
    write(held.path, arming())
    made = rig(keys=held)
    assert made.permit(opening()) == ""
    clock.ns += 60 * MINUTE
    for order in (opening(2), closing(2)):
        assert made.permit(order).startswith("the arming ended at 2024-08-02 11:30 New York")
    assert made.stands() is Standing.MANUAL
    made.permit.look(NOW)
    assert [kind for kind, _ in made.told] == ["STATE"]
    # A new one goes on where the old one ended.
    write(held.path, arming(until_ns=NOW + 200 * MINUTE))
    clock.ns += MINUTE
    made.permit.look(NOW)
    assert made.stands() is Standing.RUNNING
    assert made.permit(opening(3)) == ""


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"account": "5WT00002"}, "for another account, …0001"), ({"config_hash": "other"}, "configuration has changed"),
     ({"version": "2"}, "program has changed")],
)  # fmt: skip
def test_an_arming_of_something_else_sends_nothing(tmp_path: Path, changes: dict[str, str], why: str) -> None:
    held = keys(tmp_path, Clock(), **changes)
    write(held.path, arming())
    made = rig(keys=held)
    assert why in made.permit(opening())
    assert why in made.permit(closing())
    assert "5WT0000" not in repr(held)


def test_disarming_reaches_a_session_that_runs_and_rights_are_looked_at_each_time(tmp_path: Path) -> None:
    clock = Clock()
    held = keys(tmp_path, clock)
    write(held.path, arming())
    made = rig(keys=held)
    assert made.permit(opening()) == ""
    held.path.chmod(0o640)
    assert "has mode 0640, wanted 0600" in made.permit(opening(2))
    held.path.chmod(0o600)
    clock.ns += MINUTE
    made.permit.look(NOW)
    assert made.stands() is Standing.RUNNING
    disarm(held.path, now=NOW)
    clock.ns += MINUTE
    made.permit.look(NOW)
    assert made.guard.causes[ARMING].standing is Standing.MANUAL
    assert made.permit(closing()).startswith("production is not armed")


def test_the_end_of_an_arming_is_told_beforehand_where_something_is_open(tmp_path: Path) -> None:
    clock = Clock()
    held = keys(tmp_path, clock)
    write(held.path, arming())
    idle, made = rig(keys=held), rig(Books(open={"t": object()}), held)
    for _ in range(59):
        clock.ns += MINUTE
        idle.permit.look(NOW)
        made.permit.look(NOW)
    assert idle.told == []
    assert [text.split(" with ")[0] for _, text in made.told] == [
        "the arming ends in 30 minutes", "the arming ends in 5 minutes"
    ]  # fmt: skip


# -- a person's yes ---------------------------------------------------------------------------------------------------


def asked(*answers: bool | None) -> tuple[Question, list[str]]:
    heard, left = list[str](), list(answers)

    async def ask(text: str, seconds: float) -> bool | None:
        heard.append(f"{text} ({seconds:g} s)")
        await asyncio.sleep(0)
        return left.pop(0)

    return Question(ask, lambda order: order.id), heard


def test_one_yes_is_for_the_session_and_is_asked_once_however_many_wait() -> None:
    question, heard = asked(True)

    async def main() -> list[str]:
        return await asyncio.gather(*(question(opening(n)) for n in (1, 2, 3)))

    assert asyncio.run(main()) == ["", "", ""]
    assert heard == ["zero_dte-1 (60 s)"]


def test_a_no_is_for_the_session_and_silence_for_the_order() -> None:
    question, heard = asked(None, False)

    async def main() -> list[str]:
        return [await question(opening(n)) for n in (1, 2, 3)]

    silent, no, again = asyncio.run(main())
    assert silent == "nobody said yes to the session's first order within 60 s"
    assert no == again == "a person said no to the session's first order: nothing is opened in this session"
    assert len(heard) == 2


def test_a_closing_order_is_never_asked_about() -> None:
    question, heard = asked()
    assert asyncio.run(question(closing())) == ""
    assert heard == []
