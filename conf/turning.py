"""A live session from its first turn to its last: what goes on beside it, how it came to its end, and what must be told
of that, whatever it ended with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from conf import console
from conf.leaving import resting
from live.inputs import Fx
from live.permit import Question
from live.sitting import Sitting
from sim.calendar import date_ny
from sim.model.errors import BrokerError, RiskStop, TomkingError
from sim.model.event import Standing

UNTOLD = "what rests at the broker could not be told: look at the account"


@dataclass(frozen=True, slots=True)
class Turned:
    """``code`` is what the command returns, ``why`` is empty where it ended by itself. ``fault``: what it died of, to
    be raised when everything that must be told has been; None where the folder is written as usual."""

    code: int
    why: str
    fault: Exception | None = None


async def through(
    one: Sitting,
    stop: asyncio.Event,
    signs: Sequence[str],
    fx: Callable[[], Awaitable[Fx]] | None,
    question: Question | None,
    *,
    screen: bool,
) -> Turned:
    """Runs it to its end. ``stop`` ends it, and ``signs`` says by which signal."""
    running = asyncio.ensure_future(one.run())
    stopped = asyncio.ensure_future(stop.wait())
    beside: list[asyncio.Future[Any]] = [stopped]
    if screen:
        beside.append(asyncio.ensure_future(_shown(one, question)))
    if fx is not None:
        beside.append(asyncio.ensure_future(renewed(one, fx)))
    try:
        await asyncio.wait((running, stopped), return_when=asyncio.FIRST_COMPLETED)
        if stopped.done() and not running.done():
            one.end()
        try:
            await running
        except BrokerError as error:
            return Turned(error.exit_code, str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, what rests where must be told before it is raised
            code = error.exit_code if isinstance(error, TomkingError) else 1
            return Turned(code, f"{type(error).__name__}: {error}", error)
    finally:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
    halted = one.guard.standing is Standing.HALTED
    return Turned(RiskStop.exit_code if halted else 0, one.guard.why if halted else ", ".join(signs))


def left_of(one: Sitting, *, own: bool) -> list[str]:
    """What rests at the broker and what only lived here, however the session ended."""
    try:
        engine = one.core.session.engine
        undone = engine.flattens and engine.desk.ledger.open
        first = ["flatten is not done: --resume goes on with it"] if undone else []
        return [*first, *resting(one.look(), own=own)]
    except Exception as error:  # noqa: BLE001 - it may have died of what it would be shown by
        return [f"{UNTOLD} ({type(error).__name__}: {error})"]


async def renewed(one: Sitting, fx: Callable[[], Awaitable[Fx]], every: float = 3600.0) -> None:
    """The exchange rate, asked for anew on each date: a rate that was given keeps its own and grows old. What does not
    come is said, and asked for again an hour later: the guard stops entries where it has grown too old."""
    told = date_ny(one.hours.now())
    while True:
        await one.hours.pause(every)
        today = date_ny(one.hours.now())
        if today != told:
            try:
                one.runner.take(await fx())
                told = today
            except Exception as error:  # noqa: BLE001 - a row of another shape must not end the asking
                one.say(f"the exchange rate could not be read: {error}")


async def _shown(one: Sitting, question: Question | None) -> None:
    from live.screen import view

    while True:
        with console.live_view() as update:
            while not _asking(question):
                update(view(one.look()))
                await asyncio.sleep(0.5)
        # The screen is the terminal's again until the question is answered.
        while _asking(question):
            await asyncio.sleep(0.5)


def _asking(question: Question | None) -> bool:
    return question is not None and question.asking
