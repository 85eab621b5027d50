"""``tomking account`` and ``tomking manual``: with a session, and an account without one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from adapters.tastytrade.backoff import Backoff
from adapters.tastytrade.credentials import Credentials
from adapters.tastytrade.sandbox import Sandbox
from adapters.tastytrade.wiring import Wiring
from conf.main import main
from live.closeout import Closeout, groups, request_of
from live.control import served_control, socket_of
from live.reconcile import holdings
from sim.model.instrument import OptionContract, Right, Series, strike_e4
from sim.model.order import Action
from tests.live.seated import ACCOUNT, MONDAY, REST, STREAM, Seat, seated
from tests.live.test_control import Standing
from tests.live.weeks import SPY

Words = tuple[str, ...]


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with TemporaryDirectory(prefix="tk") as folder:
        monkeypatch.setenv("TOMKING_HOME", folder)
        yield Path(folder)


def served(home: Path, scenario: Callable[[], None], *sessions: Standing) -> None:
    async def run() -> None:
        async with served_control(sessions[0], socket_of(home, "aaaa1111")):
            if len(sessions) == 1:
                await asyncio.to_thread(scenario)
                return
            async with served_control(sessions[1], socket_of(home, "bbbb2222")):
                await asyncio.to_thread(scenario)

    asyncio.run(run())


def test_the_session_that_runs_is_shown(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def show() -> None:
        assert main(["account", "show"]) == 0
        assert main(["account", "show", "--json"]) == 0

    served(home, show, Standing())
    text, _, document = capsys.readouterr().out.partition('{\n  "session"')
    assert "RECOMMENDATIONS" in text
    assert json.loads('{"session"' + document)["session"] == "aaaa1111"


def test_flatten_is_asked_twice(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    session, asked = Standing(), list[str]()

    def answer(question: str) -> bool:
        asked.append(question)
        return len(asked) != 2

    def flatten() -> None:
        assert main(["account", "flatten", "--yes"]) == 2
        assert session.done == []
        assert main(["account", "flatten", "--yes", "--yes"]) == 0
        monkeypatch.setattr("conf.console.interactive", lambda: True)
        monkeypatch.setattr("conf.console.ask", answer)
        assert main(["account", "flatten"]) == 2
        assert main(["account", "stop"]) == 0

    served(home, flatten, session)
    assert session.done == ["flatten", "stop entries"]
    assert asked[0] == "flatten of …01?"
    assert asked[1].startswith("once more, are you sure")
    assert "nobody is here to ask" in capsys.readouterr().err


def test_which_session_is_said_where_several_run(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = Standing(), Standing()

    def ask() -> None:
        assert main(["manual", "fill", "A", "0.95", "debit"]) == 2
        assert main(["manual", "fill", "A", "0.95", "debit", "--session", "bb"]) == 0
        assert main(["manual", "fill", "A", "0.95", "--session", "cc"]) == 2
        assert main(["manual", "fil", "A"]) == 2
        assert main(["account", "reconcile", "--session", "aa"]) == 2

    served(home, ask, first, second)
    assert (first.done, second.done) == ([], ["fill A 0.95 debit"])
    said = capsys.readouterr().err
    assert "2 sessions run: say which with --session ID" in said
    assert "no session 'cc' runs here" in said
    assert "did you mean 'fill'" in said
    assert "the account could not be read" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("account",), "no word; wanted one of show, reconcile"),
        (("account", "shw"), "did you mean 'show'"),
        (("account", "show"), "no session runs"),
        (("account", "show", "adapter=sandbx"), "did you mean 'sandbox'"),
        (("account", "show", "adapter=emulator"), "an emulator of its own would hold nothing"),
        (("account", "reconcile", "adapter=sandbox"), "is for a session, and none runs"),
        (("account", "flatten", "adapter=production", "--yes", "--yes"), "armed with its two keys"),
        (("manual",), "manual needs a word"),
        (("manual", "show"), "no session runs here"),
    ],
)
def test_without_a_session_one_line_says_what_to_do(
    home: Path, capsys: pytest.CaptureFixture[str], words: Words, said: str
) -> None:
    assert main(list(words)) == 2
    line = capsys.readouterr().err
    assert said in line
    assert line.count("\n") == 1


# --- no session -------------------------------------------------------------------------------------------------------


def held(*rows: tuple[int, str, int]) -> dict[OptionContract, int]:
    series = Series(SPY, MONDAY)
    return {OptionContract(series, strike_e4(strike), Right(right)): n for strike, right, n in rows}


def test_what_is_held_becomes_orders_of_up_to_four_legs() -> None:
    condor = held((495, "P", 4), (498, "P", -4), (502, "C", -4), (505, "C", 4))
    (one,) = groups(condor)
    request = request_of(one, None)
    assert request.quantity == 4
    assert {leg.ratio for leg in request.legs} == {1}
    assert {leg.action for leg in request.legs} == {Action.BUY_TO_CLOSE, Action.SELL_TO_CLOSE}
    more = groups(condor | held((490, "P", 2), (491, "P", -2), (492, "P", -1)))
    assert sorted(len(each) for each in more) == [1, 2, 4]
    # Of the puts everything short is closed before the last long is.
    puts = [list(each.values()) for each in more if all(not c.is_call for c in each)]
    assert all(n < 0 for n in puts[0][:3])


@pytest.mark.parametrize("pairs", [False, True])
def test_an_account_without_a_session_is_closed_by_orders_that_walk(*, pairs: bool) -> None:
    """What a session has left at the broker goes first: a target there would close the same contracts."""

    async def scenario(s: Seat) -> None:
        await s.opened()
        await s.rise()
        em = s.emulator
        given = Credentials(em.doors.client_secret, em.doors.refresh_token)
        made = s._living()
        wiring = Wiring(
            fees=made.fees, credentials=lambda _: given, transport=lambda: s.app, dial=em.dial, wall=em.clock.now,
            watch=s.time.now, sleep=s.time.sleep, delays=lambda: iter([1.0] * 100), backoff=lambda: Backoff(seed=1),
            period=1.0,
        )  # fmt: skip
        live = Sandbox(rest=REST, account_streamer=STREAM).connect(wiring)
        kept, said = list[str](), list[str]()
        before = len(s.exchange.records(ACCOUNT))
        assert len([o for o in s.exchange.records(ACCOUNT) if not o.over]) == (2 if pairs else 0)

        async def close() -> dict[OptionContract, int]:
            async with live:
                has = holdings(await live.truth()).options
                assert len(has) == 4
                closeout = Closeout(live, "f1", em.clock.now, s.time.sleep, kept.append, said.append)
                return await closeout.run(has)

        assert await s.wait(close()) == {}
        assert not any(s.exchange.options(ACCOUNT).values())
        sent = s.exchange.records(ACCOUNT)[before:]
        assert len(sent) >= 2
        assert all(len(order.ticket.legs) == 4 for order in sent)
        assert sum("close 4 x" in line for line in kept) >= 2
        assert kept[-1].endswith("filled 4, 0 left")
        assert sum("cancel complex order" in line for line in kept) == (1 if pairs else 0)
        assert [o for o in s.exchange.records(ACCOUNT) if not o.over] == []

    seated(scenario, pairs=pairs)
