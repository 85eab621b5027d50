"""Rows as text, made once for all who asked for the same fields, and the frames they are put into.

A ``Layout`` is one event type with its fields in one order: it lives as long as a channel uses it. Every frame carries
one event type, because clients read only the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any, Final
from weakref import WeakValueDictionary

import msgspec

from adapters.emulator.streams.feed import Feed
from adapters.emulator.streams.feed_fields import BEGIN, END, FIELDS, NAN, REMOVE, SNIP, Row, index_of, known

LONG: Final = 32 << 10
"""Characters of rows in a frame: WebSocket clients by default take no message over 64 KB."""

MANY: Final = 10_000
"""Rows of histories whose text is kept."""


def encode(message: Any) -> str:
    return msgspec.json.encode(message).decode()


class Layout:
    """The rows of one event type as text, compact (values in the order of ``fields``) or full (an object)."""

    __slots__ = (
        "__weakref__", "_all", "_encode", "_feed", "_names", "_rows", "_texts", "compact", "event_type", "fields",
    )  # fmt: skip

    def __init__(self, feed: Feed, event_type: str, fields: tuple[str, ...], *, compact: bool) -> None:
        self._feed = feed
        self.event_type, self.fields, self.compact = event_type, fields, compact
        self._names = [known(event_type, field) for field in fields]
        self._rows: dict[str, tuple[int, str | None]] = {}
        self._texts: dict[int, tuple[Row, str]] = {}
        self._all = itemgetter(*self._names) if len(fields) > 1 else lambda row: (row[self._names[0]],)
        self._encode = msgspec.json.Encoder().encode

    def text(self, symbol: str, mark: int) -> str | None:
        """The symbol's row at ``mark``, a number that moves with the market; None where it has none."""
        found = self._rows.get(symbol)
        if found is None or found[0] != mark:
            row = self._feed.row(self.event_type, symbol)
            found = self._rows[symbol] = mark, None if row is None else self.encode(row)
        return found[1]

    def encode(self, row: Row) -> str:
        """A row without its brackets where it is compact; a whole object, without what is empty, where it is full."""
        if self.compact:
            try:
                values = self._all(row)
            except KeyError:
                values = [NAN if name is None else row.get(name, NAN) for name in self._names]
            return self._encode(values)[1:-1].decode()
        named = {field: row.get(name) for field, name in zip(self.fields, self._names, strict=True) if name is not None}
        full = {field: value for field, value in named.items() if value is not None and value != NAN}
        head = {"eventType": self.event_type, "eventSymbol": row["eventSymbol"]}
        return self._encode(head | full).decode()

    def history(self, symbol: str, from_ms: int) -> list[str]:
        """A snapshot of a time series, newest first, with its flags where they were asked for.

        A whole one ends with a row that is removed at ``from_ms``, unless an event stands just there: to remove that
        would take it away again.
        """
        found = self._feed.history(self.event_type, symbol, from_ms)
        rows = list(found.rows)
        if "eventFlags" in self._names:
            if found.whole and not (rows and rows[-1]["time"] == from_ms):
                rows.append(self._edge(symbol, from_ms))
            rows[0] = {**rows[0], "eventFlags": _flags(rows[0]) | BEGIN}
            rows[-1] = {**rows[-1], "eventFlags": _flags(rows[-1]) | (END if found.whole else SNIP)}
        return [self._kept(row) if found.lasting else self.encode(row) for row in rows]

    def _kept(self, row: Row) -> str:
        """A row of a history as text: who comes after another asks for the same ones."""
        found = self._texts.get(id(row))
        if found is None or found[0] is not row:
            if len(self._texts) >= MANY:
                self._texts.clear()
            found = self._texts[id(row)] = row, self.encode(row)
        return found[1]

    def newer(self, symbol: str, from_ms: int) -> list[tuple[int, str]]:
        """The events since ``from_ms``, oldest first, with their times."""
        found = self._feed.history(self.event_type, symbol, from_ms)
        return [(_time(row), self.encode(row)) for row in reversed(found.rows)]

    def newest(self, symbol: str) -> tuple[int, str] | None:
        """The newest event with its time; None where there is none."""
        rows = self._feed.history(self.event_type, symbol, None).rows
        return (_time(rows[0]), self.encode(rows[0])) if rows else None

    def _edge(self, symbol: str, from_ms: int) -> dict[str, Any]:
        """The row that says where the snapshot ends: removed, and nothing in it."""
        blank: dict[str, Any] = dict.fromkeys(FIELDS[self.event_type], NAN)
        known_of_it = {"eventType": self.event_type, "eventSymbol": symbol, "eventTime": 0, "sequence": 0, "count": 0}
        return blank | known_of_it | {"time": from_ms, "index": index_of(from_ms), "eventFlags": REMOVE | END}


def _flags(row: Row) -> int:
    flags = row.get("eventFlags", 0)
    return flags if isinstance(flags, int) else 0


def _time(row: Row) -> int:
    time = row.get("time")
    return time if isinstance(time, int) else 0


class Layouts:
    """The layouts in use, shared by every connection to a feed."""

    __slots__ = ("_feed", "_known")

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._known: WeakValueDictionary[tuple[str, tuple[str, ...], bool], Layout] = WeakValueDictionary()

    def of(self, event_type: str, fields: Sequence[str] | None, *, compact: bool) -> Layout:
        """The layout of these fields, in this order; of all of them in the wire's order where none are given."""
        names = tuple(fields) if fields is not None else FIELDS.get(event_type, ("eventType", "eventSymbol"))
        key = event_type, names, compact
        found = self._known.get(key)
        if found is None:
            found = Layout(self._feed, event_type, names, compact=compact)
            self._known[key] = found
        return found


def frames(channel: int, layout: Layout, rows: Sequence[str]) -> Iterator[str]:
    """FEED_DATA frames of rows in their order, none of them much longer than ``LONG``."""
    head = f'{{"type":"FEED_DATA","channel":{channel},"data":['
    for part in _parts(rows):
        body = ",".join(part)
        yield f'{head}"{layout.event_type}",[{body}]]}}' if layout.compact else f"{head}{body}]}}"


def _parts(rows: Sequence[str]) -> Iterator[Sequence[str]]:
    start = size = 0
    for end, row in enumerate(rows):
        if end > start and size + len(row) > LONG:
            yield rows[start:end]
            start, size = end, 0
        size += len(row) + 1
    if start < len(rows):
        yield rows[start:]
