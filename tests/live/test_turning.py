"""How a session comes to its end, and that whatever it died of is told before it is raised."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest

from conf.main import main
from conf.options import Options
from conf.paper import _sit
from conf.sitting import Asked
from conf.turning import UNTOLD, left_of, renewed, through
from live.guard import Guard
from live.inputs import Fx
from live.journal_file import JournalError
from live.runner import Hours
from live.sitting import Sitting
from sim.calendar import at_ny
from sim.model.errors import BrokerError
from sim.model.event import Standing

FULL: Final = "the journal cannot be written: the disk is full"
DAY_NS: Final = 86_400 * 10**9


def turned(run: Callable[[], Awaitable[None]], guard: Guard | None = None) -> Any:
    async def main() -> Any:
        one: Any = SimpleNamespace(run=run, guard=guard or Guard())
        return await through(one, asyncio.Event(), ["SIGTERM"], None, None, screen=False)

    return asyncio.run(main())


def dying(error: Exception) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        raise error

    return run


def test_a_broker_that_is_gone_ends_it_as_usual_and_anything_else_is_a_fault() -> None:
    gone = turned(dying(BrokerError("it does not answer")))
    assert (gone.code, gone.why, gone.fault) == (4, "it does not answer", None)
    for error, code in ((JournalError(FULL), 2), (KeyError("leg"), 1)):
        found = turned(dying(error))
        assert (found.code, found.fault) == (code, error)
        assert found.why.startswith(f"{type(error).__name__}: ")


async def by_itself() -> None:
    """It ends at once."""


def test_one_that_was_halted_ends_with_that() -> None:
    guard = Guard()
    guard.set("kill", Standing.HALTED, "kill is there", 1)
    assert (turned(by_itself).code, turned(by_itself).why) == (0, "SIGTERM")
    assert (turned(by_itself, guard).code, turned(by_itself, guard).why) == (3, "kill: kill is there")


def test_what_cannot_be_shown_any_more_is_said_to_be_unknown() -> None:
    def look() -> None:
        raise KeyError("leg")

    engine = SimpleNamespace(flattens=False)
    one: Any = SimpleNamespace(look=look, core=SimpleNamespace(session=SimpleNamespace(engine=engine)))
    assert left_of(one, own=False) == [f"{UNTOLD} (KeyError: 'leg')"]


def test_a_session_that_dies_of_its_journal_tells_a_person_and_what_rests_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shared_home: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Sitting, "run", lambda self: dying(JournalError(FULL))())
    assert main(["paper", "market=es_sample", "report=none", "live.page.port=null"]) == 2
    said = capsys.readouterr().err
    assert f"FAULT      the session has ended: JournalError: {FULL}" in said
    assert "nothing is open and nothing works at the broker" in said
    assert said.splitlines()[-1] == f"tomking: {FULL}"


def test_a_rate_of_another_shape_is_said_and_asked_for_again() -> None:
    now, said, told = at_ny(date(2024, 7, 19), time(10, 0)), list[str](), list[Fx]()
    newest = Fx(now, Decimal("1.3"), date(2024, 7, 21), "6B")
    rates: Iterator[Fx | Exception] = iter([ValueError("not enough values to unpack"), newest])

    async def fx() -> Fx:
        found = next(rates)
        if isinstance(found, Exception):
            raise found
        return found

    async def pause(_: float) -> None:
        nonlocal now
        now += DAY_NS
        await asyncio.sleep(0)

    async def main() -> None:
        runner = SimpleNamespace(take=told.append)
        one: Any = SimpleNamespace(hours=Hours(lambda: now, pause), runner=runner, say=said.append)
        task = asyncio.ensure_future(renewed(one, fx))
        while not told:
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    assert said == ["the exchange rate could not be read: not enough values to unpack"]
    assert [each.source for each in told] == ["6B"]


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_these_signs_end_it_in_order(sign: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    async def sitting(config: object, asked: Asked, authority: object) -> Sequence[str]:
        os.kill(os.getpid(), sign)
        await asyncio.wait_for(asked.stop.wait(), 5)
        return asked.signs

    monkeypatch.setattr("conf.sitting.sitting", sitting)
    before = signal.getsignal(signal.SIGHUP)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        assert asyncio.run(_sit({}, Options.of([]), "paper", None)) == [sign.name]  # type: ignore[comparison-overlap]
    finally:
        signal.signal(signal.SIGHUP, before)


def test_under_nohup_a_hang_up_is_lived_through(monkeypatch: pytest.MonkeyPatch) -> None:
    async def sitting(config: object, asked: Asked, authority: object) -> Sequence[str]:
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.sleep(0.01)
        return asked.signs

    monkeypatch.setattr("conf.sitting.sitting", sitting)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert asyncio.run(_sit({}, Options.of([]), "paper", None)) == []  # type: ignore[comparison-overlap]
    finally:
        signal.signal(signal.SIGHUP, before)
