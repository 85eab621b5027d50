"""A live session again: its journal's inputs through a core made anew, and what is decided compared with what was
decided then, byte by byte.

It reads the journal and nothing else of the world: no broker, no market, no clock. Refuses to repair what differs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from conf.living import living
from conf.sitting import JOURNAL, rates_of
from live.codec import Codec
from live.core import Core
from live.inputs import Input
from live.journal import Journal
from live.keep import DECIDED
from live.market import About
from sim.calendar import ny
from sim.model.errors import DataError, TomkingError
from sim.model.event import Alert, Cancel, Decision, Refuse, Submit
from sim.report.folder import read_json

MOST: Final = 160
"""Letters of what is told of decisions."""


def is_live(folder: Path) -> bool:
    """Whether a run is a live session's."""
    return (folder / JOURNAL).is_file()


def replayed(folder: Path, config: Mapping[str, Any]) -> tuple[int, str | None]:
    """Inputs that were lived through again, and the first decision that differs; None where none does."""
    manifest = read_json(folder, "manifest.json")
    about = About(str(manifest["market"]), str(manifest["source"]), manifest["synthetic"] is not False)
    made = living(config, str(manifest["run_id"])[:8], about, rate_of=rates_of(config))
    with Journal.read_only(folder / JOURNAL) as journal:
        return again(made.core, journal)


def again(core: Core, journal: Journal) -> tuple[int, str | None]:
    """The same of a core that has not lived yet."""
    codec = Codec()
    for no, body in journal.products():
        codec.learn(no, body)
    count = 0
    for row, what, body in _inputs(journal, codec):
        where = f"row {row} ({type(what).__name__}, {ny(what.ts):%Y-%m-%d %H:%M:%S} New York)"
        try:
            decisions = core.take(what)
        except TomkingError as error:
            return count, f"{where}: decided then: {_then(codec, body)}; now: {error}"
        now = codec.encode(tuple(decisions)) if decisions else b""
        if now != body:
            return count, f"{where}: decided then: {_then(codec, body)}; now: {describe(decisions)}"
        count += 1
    return count, None


def _inputs(journal: Journal, codec: Codec) -> Iterator[tuple[int, Input, bytes]]:
    """Row number and input, with the bytes of what was decided about it; none where nothing was."""
    waiting: tuple[int, Input] | None = None
    for no, row in journal.rows():
        if row.kind == DECIDED:
            if waiting is None:
                raise DataError(f"{journal.path}: a decision stands before any input; it is no journal of a session")
            yield *waiting, row.body
            waiting = None
            continue
        if waiting is not None:
            yield *waiting, b""
        waiting = no, cast("Input", codec.decode(row.body))
    if waiting is not None:
        yield *waiting, b""


def _then(codec: Codec, body: bytes) -> str:
    return describe(cast("tuple[Decision, ...]", codec.decode(body)) if body else ())


def describe(decisions: Sequence[Decision]) -> str:
    """What was decided, as a person says it."""
    said = "; ".join(_said(each) for each in decisions) or "nothing"
    return said if len(said) <= MOST else f"{said[:MOST]}..."


def _said(decision: Decision) -> str:
    match decision:
        case Submit(order):
            r = order.request
            limit = "at the market" if r.limit is None else f"limit {r.limit} ticks"
            return f"{r.intent.value} {r.quantity} x {r.describe()}, {limit}: {r.reason}"
        case Cancel(order_id):
            return f"cancel {order_id}"
        case Refuse(_, refused):
            return f"{refused.strategy} refused by {refused.rule}: {refused.reason} ({refused.detail})"
        case Alert(_, text):
            return text
