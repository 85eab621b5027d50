"""What a live session says: lines for the person at the terminal, its log, and notes to whoever does not look.

Every line has the market's time in New York before it. No line holds an account number or a secret: whatever is given
to ``hides`` is taken out of everything that passes here.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from conf import console
from live.alerts import SHAPES, Heartbeat, Kind, Note, Outbox, client_of, risk_refusal, url_of
from live.core import Core
from live.words import clean
from sim.calendar import ny
from sim.clock import WallClock, stopwatch
from sim.model.errors import ConfigError
from sim.model.given import POSITIVE, choice, number, section
from sim.report.words import money, plural

if TYPE_CHECKING:
    from live.snapshot import Snapshot

WEBHOOK: Final = "TOMKING_WEBHOOK"
HEARTBEAT: Final = "TOMKING_HEARTBEAT"
EVERY_NS: Final = 30 * 60 * 1_000_000_000
"""Between two lines of how it stands, in the market's time."""
LIFE_S: Final = 60.0
"""Real seconds without a turn of the runner, after which the session does not live."""
FLUSH_S: Final = 5.0
LOOK_S: Final = 5.0
"""Real seconds between two looks at whether alerts get through."""
LAST: Final = 4


@dataclass(slots=True)
class Speaker:
    """``now``: the market's instant, UTC ns. ``log`` None: none is kept yet. ``outbox`` None: nobody is told."""

    name: str
    now: Callable[[], int]
    quiet: bool
    log: Path | None = None
    outbox: Outbox | None = None
    hides: dict[str, str] = field(default_factory=dict)

    def say(self, line: str) -> None:
        """A line for the person, and the log."""
        self._write("said", line)

    def alert(self, kind: str, text: str) -> None:
        """What must reach a person wherever he is."""
        said = self._write(kind.lower(), text, f"{kind:<10} ")
        if self.outbox is not None:
            what = Kind.__members__.get(kind, Kind.FAULT)
            self.outbox.put(Note(what, self.now(), f"{what.value}: {self.name}", said))

    def hide(self, account: str) -> None:
        """An account is named by its last characters alone."""
        if account:
            self.hides[account] = f"…{account[-LAST:]}"

    def _write(self, event: str, text: str, before: str = "") -> str:
        for secret, instead in self.hides.items():
            text = text.replace(secret, instead)
        text = clean(text)
        # A disk that is full or a terminal that has gone away must not end what it would have told of.
        if self.log is not None:
            with suppress(OSError), self.log.open("a", encoding="utf-8") as out:
                out.write(json.dumps({"at": self.now(), "event": event, "text": text}) + "\n")
        if not self.quiet:
            with suppress(OSError):
                console.note(f"{ny(self.now()):%H:%M} {before}{text}")
        return text


@dataclass(slots=True)
class Pulse:
    """Whether the session turns, told to the heartbeat; and now and then how it stands, told to the person."""

    look_at: Callable[[], Snapshot]
    say: Callable[[str], None]
    turned: float = field(default_factory=stopwatch)
    _shown: int = 0

    def beat(self, now: int) -> None:
        """Called in every turn."""
        self.turned = stopwatch()
        if now // EVERY_NS != self._shown:
            self._shown = now // EVERY_NS
            if self._shown:
                self.say(line_of(self.look_at()))

    def alive(self) -> bool:
        return stopwatch() - self.turned < LIFE_S


def line_of(shown: Snapshot) -> str:
    """How a session stands, in a line."""
    parts = [f"{money(shown.nlv, sign=False)} {shown.currency}"]
    if shown.day_profit is not None:
        parts.append(f"{money(shown.day_profit, sign=True)} today")
    parts.append(f"{plural(len(shown.trades), 'trade')} open")
    if shown.orders:
        parts.append(f"{plural(len(shown.orders), 'order')} working")
    if shown.vix is not None:
        parts.append(f"VIX {shown.vix:.2f}")
    parts.append(shown.standing)
    if shown.next_wake:
        parts.append(f"next {shown.next_wake}")
    return ", ".join(parts)


def summary_of(core: Core, since: Mapping[str, int]) -> str:
    """The trade date that has ended, or goes on: day's result, trades, refusals, what is open. ``since``: how many of
    each there were when it began."""
    session, ledger = core.session, core.session.engine.desk.ledger
    points = list(session.equity)
    if core.day is not None:
        points.append(session.so_far(core.last, core.column(core.last)))
    if not points:
        return "no trade date was lived through"
    last = points[-1]
    before = points[-2].nlv if len(points) > 1 else float(ledger.start_cash)
    opened = len(ledger.closed) + len(ledger.open) - since.get("trades", 0)
    closed = len(ledger.closed) - since.get("closed", 0)
    refused = session.refusals[since.get("refusals", 0) :]
    risky = sum(risk_refusal(each.refused.rule) for each in refused)
    used = "n/a" if last.bp_used != last.bp_used else money(last.bp_used, sign=False)
    return (
        f"{last.session}: {money(last.nlv - before, sign=True)} {ledger.currency}; {plural(opened, 'trade')} opened,"
        f" {closed} closed; {plural(len(refused), 'refusal')}, {risky} by limits on risk; open at the end:"
        f" {plural(last.open_trades, 'trade')}, buying power at most {used} {ledger.currency}"
    )


def counts(core: Core) -> dict[str, int]:
    """What ``summary_of`` compares with."""
    ledger = core.session.engine.desk.ledger
    return {
        "trades": len(ledger.closed) + len(ledger.open), "closed": len(ledger.closed),
        "refusals": len(core.session.refusals),
    }  # fmt: skip


def alerts_of(node: Mapping[str, Any]) -> tuple[str, float]:
    """``live.alerts``: the webhook's shape, and real seconds between heartbeats. ConfigError for what does not fit, an
    address in the environment that is none included."""
    row = section("live.alerts", node, ("shape", "heartbeat"))
    _named(WEBHOOK)
    _named(HEARTBEAT)
    shape = choice("live.alerts.shape", row["shape"], SHAPES)
    return shape, number("live.alerts.heartbeat", row["heartbeat"], POSITIVE)


def _named(name: str) -> bool:
    """Whether an address is given. ConfigError, which does not show it, where it cannot be called."""
    if not os.environ.get(name, "").strip():
        return False
    if url_of(lambda: os.environ.get(name, "")) is None:
        raise ConfigError(f"{name} is no address: wanted one like https://ntfy.sh/a-topic-of-yours")
    return True


async def _unheard(speaker: Speaker, heart: Heartbeat | None) -> None:
    """Says at the terminal when what is to be told elsewhere does not get through, and when it does again."""
    said: dict[str, bool] = {}
    while True:
        await asyncio.sleep(LOOK_S)
        box = speaker.outbox
        for what, fault in (
            ("alerts do not get through", "" if box is None else box.fault),
            ("heartbeats do not get through", f"{heart.missed} in a row" if heart and heart.missed > 1 else ""),
        ):
            if bool(fault) != said.get(what, False):
                said[what] = bool(fault)
                speaker.say(f"{what}: {fault}" if fault else what.replace("do not get", "get"))


@asynccontextmanager
async def told(node: Mapping[str, Any], speaker: Speaker, alive: Callable[[], bool]) -> AsyncIterator[None]:
    """Alerts on their way for as long as this lasts, and what is left of them afterwards. The addresses are read from
    the environment where a request leaves, and stand nowhere else."""
    shape, every = alerts_of(node)
    tasks: list[asyncio.Task[None]] = []
    async with AsyncExitStack() as stack:
        if _named(WEBHOOK):
            client = await stack.enter_async_context(client_of(lambda: os.environ.get(WEBHOOK, "")))
            speaker.outbox = Outbox(shape, client, WallClock().now)
            tasks.append(asyncio.ensure_future(speaker.outbox.run()))
        heart = None
        if _named(HEARTBEAT):
            beats = await stack.enter_async_context(client_of(lambda: os.environ.get(HEARTBEAT, "")))
            heart = Heartbeat(beats, alive, every=every)
            tasks.append(asyncio.ensure_future(heart.run()))
        tasks.append(asyncio.ensure_future(_unheard(speaker, heart)))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if (box := speaker.outbox) is not None:
                await box.flush(FLUSH_S)
                if box.lost or len(box):
                    speaker.outbox = None
                    speaker.say(f"{plural(box.lost + len(box), 'alert')} did not get through: {box.fault or 'no time'}")
