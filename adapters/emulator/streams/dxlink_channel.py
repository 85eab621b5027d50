"""One feed channel of a DXLink connection: what it is subscribed to, what it was last told, and what is new.

Nothing here reads a frame or knows a connection.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from adapters.emulator.streams.dxlink_text import Layout, Layouts, encode, frames
from adapters.emulator.streams.feed import Feed
from adapters.emulator.streams.feed_fields import FIELDS, SERIES_TYPES
from sim.model.market import MINUTE_NS

LEAST_PERIOD: Final = 0.1
MOST_PERIOD: Final = 60.0


@dataclass(slots=True)
class _Told:
    """A symbol of one type: the underlying that moves it (empty while nobody knows the symbol), and the last row."""

    underlying: str
    text: str | None = None


@dataclass(slots=True)
class _Series:
    """A symbol of which every event counts: the newest event's time and text as they were told."""

    underlying: str
    from_ms: int
    time: int = 0
    text: str = ""


@dataclass(slots=True)
class Channel:
    """``period`` in seconds; ``due`` when it is next looked at. ``given``: the fields the client wants, by type."""

    number: int
    contract: str
    feed: Feed
    layouts: Layouts
    period: float = LEAST_PERIOD
    compact: bool = False
    given: dict[str, tuple[str, ...]] = field(default_factory=dict)
    due: float = 0.0
    _in_use: dict[str, Layout] = field(default_factory=dict)
    _configured: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _last: dict[str, dict[str, _Told]] = field(default_factory=dict)
    _series: dict[tuple[str, str], _Series] = field(default_factory=dict)
    _marks: dict[str, int] = field(default_factory=dict)
    _names: frozenset[str] | None = None
    _minute: int = 0

    @property
    def size(self) -> int:
        return sum(map(len, self._last.values())) + len(self._series)

    def setup(self, period: float | None, form: str | None, fields: dict[str, tuple[str, ...]]) -> None:
        """Takes what the client accepts; what it does not say stays as it was."""
        if period is not None:
            self.period = min(max(period, LEAST_PERIOD), MOST_PERIOD)
        if form is not None:
            self.compact = form == "COMPACT"
        self.given |= fields
        self._in_use.clear()
        self._configured.clear()

    def config(self) -> str:
        """FEED_CONFIG as it stands, with the fields of every type that has been announced."""
        message = {
            "type": "FEED_CONFIG",
            "channel": self.number,
            "aggregationPeriod": self.period,
            "dataFormat": "COMPACT" if self.compact else "FULL",
        }
        return encode(message | ({"eventFields": self._configured} if self._configured else {}))

    def clear(self) -> None:
        """Forgets every subscription."""
        self._last.clear()
        self._names = None
        self._series.clear()
        self._marks.clear()

    def remove(self, event_type: str, symbol: str) -> None:
        """A subscription that is not there is no error."""
        self._names = None
        self._last.get(event_type, {}).pop(symbol, None)
        self._series.pop((event_type, symbol), None)

    def add(self, event_type: str, symbol: str, from_ms: int | None) -> None:
        """Subscribes; a series anew where it has another ``from_ms``."""
        subject = self.feed.subject(symbol)
        underlying = "" if subject is None else subject.underlying
        self._names = None
        if event_type in SERIES_TYPES:
            self._series[event_type, symbol] = _Series(underlying, -1 if from_ms is None else from_ms)
        else:
            self._last.setdefault(event_type, {})[symbol] = _Told(underlying)

    def snapshot(self, added: list[tuple[str, str]]) -> list[str]:
        """Frames of what was just added: the last rows, the whole histories."""
        out: list[str] = []
        rows: dict[str, list[str]] = {}
        for event_type, symbol in dict.fromkeys(added):
            if event_type not in FIELDS:
                continue
            layout = self._layout(event_type)
            if event_type in SERIES_TYPES:
                told = self._series[event_type, symbol]
                if told.underlying:
                    out += self._announced(layout, self._begin(layout, symbol, told))
            else:
                last = self._last[event_type][symbol]
                if last.underlying:
                    last.text = layout.text(symbol, self.feed.mark(last.underlying))
                    if last.text is not None:
                        rows.setdefault(event_type, []).append(last.text)
        for event_type, texts in rows.items():
            out += self._announced(self._layout(event_type), texts)
        return out

    def changes(self) -> list[str]:
        """Frames of what has changed since the last call, each symbol once."""
        self._learn()
        moved = self._moved()
        if not moved:
            return []
        out: list[str] = []
        for event_type, symbols in self._last.items():
            if event_type not in FIELDS:
                continue
            layout, rows = self._layout(event_type), []
            for symbol, told in symbols.items():
                mark = moved.get(told.underlying)
                if mark is None:
                    continue
                text = layout.text(symbol, mark)
                if text is not None and text != told.text:
                    told.text = text
                    rows.append(text)
            out += self._announced(layout, rows)
        for (event_type, symbol), series in self._series.items():
            if series.underlying in moved:
                layout = self._layout(event_type)
                out += self._announced(layout, self._since(layout, symbol, series))
        return out

    def _told(self) -> Iterator[tuple[str, _Told | _Series]]:
        for symbols in self._last.values():
            yield from symbols.items()
        for (_, symbol), series in self._series.items():
            yield symbol, series

    def _moved(self) -> dict[str, int]:
        """The underlyings whose rows may have changed, with their new marks."""
        if self._names is None:
            self._names = frozenset(told.underlying for _, told in self._told() if told.underlying)
        marks = {name: self.feed.mark(name) for name in self._names}
        moved = {name: mark for name, mark in marks.items() if self._marks.get(name) != mark}
        self._marks = marks
        return moved

    def _learn(self) -> None:
        """Asks once a minute whether symbols that nobody knew are listed by now."""
        minute = self.feed.world.now() // MINUTE_NS
        if minute == self._minute:
            return
        self._minute = minute
        for symbol, told in self._told():
            if not told.underlying:
                subject = self.feed.subject(symbol)
                if subject is not None:
                    told.underlying, self._names = subject.underlying, None
                    self._marks.pop(subject.underlying, None)

    def _begin(self, layout: Layout, symbol: str, series: _Series) -> list[str]:
        """The history of a series that was asked for; without a time to begin from, its newest event."""
        newest = layout.newest(symbol)
        series.time, series.text = newest or (0, "")
        if series.from_ms >= 0:
            return layout.history(symbol, series.from_ms)
        return [series.text] if newest else []

    def _since(self, layout: Layout, symbol: str, series: _Series) -> list[str]:
        """What has come since the newest event that was told, that one included where it still grows."""
        newer = [(time, text) for time, text in layout.newer(symbol, series.time) if text != series.text]
        if newer:
            series.time, series.text = newer[-1]
        return [text for _, text in newer]

    def _layout(self, event_type: str) -> Layout:
        found = self._in_use.get(event_type)
        if found is None:
            found = self.layouts.of(event_type, self.given.get(event_type), compact=self.compact)
            self._in_use[event_type] = found
        return found

    def _announced(self, layout: Layout, rows: list[str]) -> list[str]:
        """Data, after the fields of their type where the client has not been told them yet."""
        if not rows:
            return []
        out = []
        if self._configured.get(layout.event_type) != layout.fields:
            self._configured[layout.event_type] = layout.fields
            out.append(self.config())
        return [*out, *frames(self.number, layout, rows)]
