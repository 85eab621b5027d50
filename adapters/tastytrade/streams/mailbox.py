"""Between the market's stream and its reader: a box of bounded size that never blocks.

Of the types of which the last event says everything it holds the last of each symbol; what was replaced unread is
counted in ``conflated``. Of time series every event counts: up to ``most`` wait, then the oldest fall out, counted in
``dropped`` and told to the reader as ``Overrun``.

Refuses to do: drop silently, or make a stream wait for its reader.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass

from adapters.tastytrade.streams.dxlink_events import LASTING, SYMBOL, Rows


@dataclass(frozen=True, slots=True)
class Overrun:
    """``count`` events fell out because nobody read them: what follows is not the whole of it."""

    type: str
    count: int


class Latest:
    """Rows that wait. ``most`` symbols of all lasting types, and ``most`` events of all the others."""

    __slots__ = ("_lasting", "_missing", "_most", "_series", "_waiting", "conflated", "dropped")

    def __init__(self, most: int = 100_000) -> None:
        self._most = most
        self._lasting: dict[tuple[str, tuple[str, ...]], dict[object, tuple[object, ...]]] = {}
        self._series: deque[Rows] = deque()
        self._waiting = 0
        self._missing: Counter[str] = Counter()
        self.conflated = 0
        self.dropped: Counter[str] = Counter()

    def put(self, rows: Rows, *, series: bool = False) -> None:
        """``series``: every one of these counts although the type is a lasting one, as where its history was asked."""
        if rows.type in LASTING and not series:
            self._replace(rows)
            return
        self._series.append(rows)
        self._waiting += len(rows)
        while self._waiting > self._most:
            self._drop(self._series.popleft())

    def take(self) -> list[Overrun | Rows]:
        """Everything that waits, and the box is empty."""
        found: list[Overrun | Rows] = [Overrun(kind, count) for kind, count in self._missing.items()]
        found += self._series
        for (kind, fields), rows in self._lasting.items():
            if rows:
                found.append(Rows(kind, fields, [value for row in rows.values() for value in row]))
        self._lasting.clear()
        self._series.clear()
        self._missing.clear()
        self._waiting = 0
        return found

    def __bool__(self) -> bool:
        return bool(self._series or self._missing or any(self._lasting.values()))

    def _replace(self, rows: Rows) -> None:
        width = len(rows.fields)
        symbols = rows.values[rows.fields.index(SYMBOL) :: width]
        for (kind, fields), older in list(self._lasting.items()):
            # The server changed its fields while rows waited: the newer row of a symbol stands, in its own fields.
            if kind == rows.type and fields != rows.fields:
                for symbol in symbols:
                    self.conflated += older.pop(symbol, None) is not None
                if not older:
                    del self._lasting[kind, fields]
        box = self._lasting.setdefault((rows.type, rows.fields), {})
        before = len(box)
        box.update(zip(symbols, zip(*[iter(rows.values)] * width, strict=True), strict=True))
        self.conflated += before + len(symbols) - len(box)
        over = sum(map(len, self._lasting.values())) - self._most
        for _ in range(min(over, len(box))):
            box.popitem()
            self.dropped[rows.type] += 1
            self._missing[rows.type] += 1

    def _drop(self, rows: Rows) -> None:
        self._waiting -= len(rows)
        self.dropped[rows.type] += len(rows)
        self._missing[rows.type] += len(rows)
