"""Minutes that were heard, into a market of the store: session by session, whole or not at all, as any import.

Every save adds to what the market holds. Its manifest names each stretch that was recorded and each gap in it, and the
vendor says of what kind the feed was: real time, delayed, or this program's emulator. A delayed one is noted in the
manifest too, from where every page and report has its DELAYED 15 MIN; so is one of a model market, which is SYNTHETIC
from then on. A market takes one kind only, so that nobody trades on the average of two. Prices that are no multiple of
the product's increment are dropped, counted.

A market is made with the first quote of an option. Until then what was heard waits here, and nothing is left of a
recording that ends before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

import numpy as np

from adapters.tastytrade.recorder import Minute, Spoken, Taken, spans
from adapters.tastytrade.window import Watched
from sim.calendar import Venue, load_calendar
from sim.market.archive import MarketWriter
from sim.market.cache import Bars
from sim.market.intake import Intake, QuoteRows, Tally, source_of
from sim.market.manifest import DELAYED, MANIFEST, Manifest, Source, read_manifest
from sim.market.products import venue_of
from sim.model.errors import DataError
from sim.model.instrument import Right
from sim.model.market import BLANK, MINUTE_NS, Ints, Nature

REAL: Final = "tastytrade dxlink"
LICENCE: Final = "recorded for your own use; what the exchanges allow stands in your agreement with the broker"
GAP: Final = "gap"
RECORDED: Final = "dxlink"


@dataclass(frozen=True, slots=True)
class Feed:
    """What is recorded from. ``emulated``: the market that an emulator serves, empty for the real one; ``synthetic``:
    whether that is a model market."""

    delayed: bool = False
    emulated: str = ""
    synthetic: bool = False

    @property
    def notice(self) -> str:
        """What must be said of it; empty where there is nothing to say."""
        return DELAYED if self.delayed else ""

    @property
    def vendor(self) -> str:
        """What the manifest says of where the quotes are from."""
        source = f"emulator of {self.emulated}" if self.emulated else ""
        return ", ".join(word for word in (REAL, source, self.notice) if word)


@dataclass(frozen=True, slots=True)
class Names:
    """What streamer symbols mean. ``symbols``: of an underlying, or a month of it, its market and its name there
    (``/ESU24:XCME``: ``("ES", "ESU4")``); ``options``: the contracts."""

    symbols: dict[str, tuple[str, str]]
    options: dict[str, Watched]


class Shelf:
    """One market of the store under ``root`` that is recorded into. DataError where it comes from another feed."""

    def __init__(self, root: Path, name: str, feed: Feed) -> None:
        self._root, self._name, self._feed = root, name, feed
        self._calendar = load_calendar()
        self._held = Taken((), (), (), 0)
        self.rows = 0
        self.dropped: dict[str, int] = {}
        self.saved = False
        """Whether anything was written."""
        manifest = self._present()
        if manifest is not None and manifest.vendor != feed.vendor:
            raise DataError(
                f"market {name!r} holds {manifest.vendor}, this feed is {feed.vendor}: record under another name"
            )

    def last(self, underlying: str) -> tuple[date, int] | None:
        """The newest session of ``underlying`` that the market holds, and its last instant (UTC ns)."""
        manifest = self._present()
        parts = manifest.partitions.get(underlying, ()) if manifest is not None else ()
        return (parts[-1].session, parts[-1].last_ns) if parts else None

    def save(self, taken: Taken, names: Names, *, bars_alone: bool = False) -> Manifest | None:
        """Adds what was taken; None where there was nothing to add. Rows outside a session are dropped, counted.

        ``bars_alone``: nothing that is recorded has options, so that minutes of it are enough to make a market."""
        taken = _joined(self._held, taken)
        if not taken:
            return None
        intake = Intake(self._calendar)
        quotes, bars = intake.source(), intake.source()
        self._take_quotes(intake, quotes, taken.quotes, names)
        self._take_bars(intake, bars, taken, names)
        days = list(intake.complete())
        rows = sum(day.rows for _, day in days)
        if not rows and not bars_alone and self._present() is None:
            self._count(intake.tallies[quotes])
            heard = [row for row in taken.quotes if row.symbol not in names.options]
            self._held = Taken(heard, taken.minutes, taken.gaps, taken.withdrawn)
            return None
        feed = self._feed
        with MarketWriter(
            self._root, self._name, vendor=feed.vendor, licence=LICENCE, delayed=feed.delayed, synthetic=feed.synthetic
        ) as writer:
            for session, day in days:
                writer.add(session, day)
            intake.tallies[quotes].note("one side withdrawn", taken.withdrawn)
            for tally in intake.tallies:
                self._count(tally)
            sources = [
                *_stretch(RECORDED, [(q.heard, f"{q}") for q in taken.quotes], intake, quotes),
                *_stretch("candles", [(m.start + MINUTE_NS, f"{m}") for m in taken.minutes], intake, bars),
                *(_gap(since, until) for since, until in spans(taken.gaps)),
            ]
            made = writer.commit(nature=Nature.SPARSE, sources=sources, skipped={}, zones={"quotes": "UTC"})
        self._held = Taken((), (), (), 0)
        self.rows += rows
        self.saved = True
        return made

    def _count(self, tally: Tally) -> None:
        for reason, count in tally.dropped.items():
            self.dropped[reason] = self.dropped.get(reason, 0) + count

    def _present(self) -> Manifest | None:
        folder = self._root / "store" / self._name
        return read_manifest(folder) if (folder / MANIFEST).is_file() else None

    def _take_quotes(self, intake: Intake, source: int, quotes: Sequence[Spoken], names: Names) -> None:
        by_underlying: dict[str, list[tuple[Spoken, Watched]]] = {}
        for row in quotes:
            if (watched := names.options.get(row.symbol)) is not None:
                by_underlying.setdefault(watched.contract.underlying, []).append((row, watched))
        for underlying, rows in sorted(by_underlying.items()):
            tally, kept = intake.tallies[source], []
            for row, watched in rows:
                step = watched.contract.product.increment
                bid, ask = _ticks(row.bid, step), _ticks(row.ask, step)
                if bid is None or ask is None:
                    tally.rows_in += 1
                    tally.drop("negative" if min(row.bid or 0, row.ask or 0) < 0 else "off_tick", 1)
                else:
                    kept.append((row, watched, bid, ask))
            if kept:
                venue = Venue(kept[0][1].contract.product.venue)
                intake.quotes(underlying, venue, _rows(intake, source, kept))

    def _take_bars(self, intake: Intake, source: int, taken: Taken, names: Names) -> None:
        minutes: dict[str, dict[int, Minute]] = {}
        sides: dict[str, dict[int, Spoken]] = {}
        for minute in taken.minutes:
            minutes.setdefault(minute.symbol, {})[minute.start + MINUTE_NS] = minute
        for row in taken.quotes:
            if row.symbol in names.symbols:
                sides.setdefault(row.symbol, {})[row.minute] = row
        for symbol in sorted({*minutes, *sides} & names.symbols.keys()):
            underlying, stored = names.symbols[symbol]
            bars = _bars(stored, minutes.get(symbol, {}), sides.get(symbol, {}))
            intake.bars(underlying, venue_of(stored), source, bars)


def _joined(first: Taken, then: Taken) -> Taken:
    return Taken(
        [*first.quotes, *then.quotes], [*first.minutes, *then.minutes], [*first.gaps, *then.gaps],
        first.withdrawn + then.withdrawn,
    )  # fmt: skip


def _ticks(price: Decimal | None, step: Decimal) -> int | None:
    """A price in ticks, ``BLANK`` for none; None where it is negative or no multiple of the step."""
    if price is None:
        return BLANK
    ticks, rest = divmod(price, step)
    return None if rest or price < 0 else int(ticks)


def _rows(intake: Intake, source: int, kept: Sequence[tuple[Spoken, Watched, int, int]]) -> QuoteRows:
    def small(values: list[int]) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
        return np.array(values, np.int32)

    rows = [row for row, *_ in kept]
    contracts = [watched.contract for _, watched, *_ in kept]
    return QuoteRows(
        source,
        small([intake.number(contract.series) for contract in contracts]),
        _long([contract.strike_e4 for contract in contracts]),
        np.array([contract.right is Right.PUT for contract in contracts], np.bool_),
        _long([row.event for row in rows]),
        _long([row.heard for row in rows]),
        small([bid for *_, bid, _ in kept]),
        small([ask for *_, ask in kept]),
        small([row.bid_size for row in rows]),
        small([row.ask_size for row in rows]),
    )


def _bars(symbol: str, minutes: Mapping[int, Minute], sides: Mapping[int, Spoken]) -> Bars:
    """One bar for each minute that has a candle or a quote; ``minutes`` and ``sides`` by the minute's end."""
    ends = sorted({*minutes, *sides})

    def column(name: str, rows: Mapping[int, Minute | Spoken]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        values = (getattr(rows[end], name) if end in rows else None for end in ends)
        return np.array([np.nan if value is None else float(value) for value in values])

    candle = {name: column(name, minutes) for name in ("open", "high", "low", "close", "volume")}
    return Bars(
        symbol, _long(ends) - MINUTE_NS, _long(ends), candle["open"], candle["high"], candle["low"], candle["close"],
        column("bid", sides), column("ask", sides), candle["volume"],
    )  # fmt: skip


def _long(values: Sequence[int]) -> Ints:
    return np.array(values, np.int64)


def _stretch(kind: str, rows: Sequence[tuple[int, str]], intake: Intake, number: int) -> list[Source]:
    """What was heard between two instants, as if it had been a file."""
    if not rows:
        return []
    content = hashlib.sha256()
    size = 0
    for _, text in rows:
        content.update(text.encode())
        size += len(text)
    name = f"{_clock(min(at for at, _ in rows))} to {_clock(max(at for at, _ in rows))}"
    return [source_of(name, kind, content.hexdigest(), size, intake.tallies[number])]


def _gap(since: int, until: int) -> Source:
    name = f"{_clock(since)} to {_clock(until)}: nothing was recorded"
    return Source(name, GAP, hashlib.sha256(name.encode()).hexdigest(), 0, 0, {}, {})


def _clock(at: int) -> str:
    return datetime.fromtimestamp(at / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
