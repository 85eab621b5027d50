"""The data of a DXLink frame as blocks of rows: COMPACT flat, in several pairs or nested for each event, and FULL.

What is not as the protocol has it comes out as ``Bad``, and everything else of the frame beside it.

Refuses to do: guess a width. It is that of the fields that the channel was told last, else of those asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from adapters.tastytrade.streams.dxlink_events import SYMBOL, Rows

Fields = tuple[str, ...]
Hide = Callable[[object], str]


class Fault(StrEnum):
    """What can be wrong with a frame. The keys of the counters."""

    SIZE = "too large"
    JSON = "not JSON"
    SHAPE = "not shaped as the protocol has it"
    KIND = "of an unknown type"
    CHANNEL = "for a channel that is not there"
    WIDTH = "with rows of another width than its fields"
    EVENT = "with an event type that nobody knows"
    TOLD = "telling of an error"
    ANSWER = "late or missing"


@dataclass(frozen=True, slots=True)
class Bad:
    """A part of a frame that is of no use."""

    fault: Fault
    line: str


_SYMBOLS: Final = {str}


def blocks(data: object, fields_of: Callable[[str], Fields | None], hide: Hide) -> Iterator[Rows | Bad]:
    """``data`` of a FEED_DATA frame. ``fields_of`` an event type, None where nobody knows; ``hide`` makes words of the
    other side safe to say."""
    if not isinstance(data, list):
        yield Bad(Fault.SHAPE, f"FEED_DATA with {hide(data)} for its data")
    elif data and isinstance(data[0], dict):
        yield from _full(data, hide)
    else:
        for i in range(0, len(data), 2):
            kind, block = data[i], data[i + 1] if i + 1 < len(data) else None
            if not isinstance(kind, str) or not isinstance(block, list):
                yield Bad(Fault.SHAPE, f"FEED_DATA with a pair of {type(kind).__name__} and {type(block).__name__}")
                continue
            fields = fields_of(kind)
            if fields is None:
                yield Bad(Fault.EVENT, hide(kind))
            elif block and isinstance(block[0], list):
                for part in block:
                    yield from _checked(kind, fields, part, hide)
            else:
                yield from _checked(kind, fields, block, hide)


def _full(data: list[object], hide: Hide) -> Iterator[Rows | Bad]:
    """Objects. Neighbours of the same type and fields become one block."""
    fields: Fields = ()
    kind, values = "", list[object]()
    for one in data:
        told = one.get("eventType") if isinstance(one, dict) else None
        if not isinstance(one, dict) or not isinstance(told, str):
            yield Bad(Fault.SHAPE, f"FEED_DATA with an event that is {hide(one)} or has no type")
            continue
        names = tuple(one)
        if (told, names) != (kind, fields):
            yield from _checked(kind, fields, values, hide)
            kind, fields, values = told, names, []
        values += one.values()
    yield from _checked(kind, fields, values, hide)


def _checked(kind: str, fields: Fields, values: object, hide: Hide) -> Iterator[Rows | Bad]:
    if not isinstance(values, list):
        yield Bad(Fault.SHAPE, f"FEED_DATA with {hide(values)} among lists of {hide(kind)}")
        return
    if not values:
        return
    width = len(fields)
    if len(values) % width:
        yield Bad(Fault.WIDTH, f"{len(values)} values of {hide(kind)}, wanted a multiple of {width}")
        return
    if SYMBOL not in fields:
        yield Bad(Fault.SHAPE, f"rows of {hide(kind)} without {SYMBOL}")
        return
    symbols = values[fields.index(SYMBOL) :: width]
    if set(map(type, symbols)) != _SYMBOLS or "" in symbols:
        yield Bad(Fault.SHAPE, f"a row of {hide(kind)} without a symbol")
        starts = [i * width for i, symbol in enumerate(symbols) if isinstance(symbol, str) and symbol]
        values = [value for start in starts for value in values[start : start + width]]
        if not values:
            return
    yield Rows(kind, fields, values)
