"""A stream of quotes made into minutes: of every contract the last quote of each minute in which it spoke.

Sans I/O: it is told what was heard and when, and asked for the minutes that are whole. A minute ends at its full
minute, as a column of the store does: what is heard at 10:00:00.5 is of 10:01. Where nothing was heard of a contract
there is no row, so that its age grows in the store as it did on the wire. A quote that repeats what stands is heard.

On a delayed feed every instant is put back by the delay, to when the market said it.

Refuses to do: carry a quote forward, repair a price, or say anything of a minute that is not over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from adapters.tastytrade.streams.candles import CandleSymbol
from adapters.tastytrade.streams.dxlink_events import Candle, Quote, Rows
from adapters.tastytrade.streams.supervise import Gap
from sim.model.errors import BrokerError
from sim.model.market import MINUTE_NS

DELAY_NS: Final = 15 * MINUTE_NS
"""How late a delayed feed is."""
GRACE_NS: Final = 5_000_000_000
"""So long after its end a minute is taken as whole: the last change of its candle travels too."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """The last quote of ``symbol`` (streamer) in the minute that ends at ``minute``. Instants are the market's, UTC ns.

    ``event``: when the feed says that it was so, where that lies in this minute, else ``heard``. A side is None where
    nobody quotes it.
    """

    symbol: str
    minute: int
    event: int
    heard: int
    bid: Decimal | None
    ask: Decimal | None
    bid_size: int
    ask_size: int


@dataclass(frozen=True, slots=True)
class Minute:
    """One minute of an underlying from its candle, which starts at ``start`` (UTC ns). Points; None where not told."""

    symbol: str
    start: int
    open: Decimal | None
    high: Decimal | None
    low: Decimal | None
    close: Decimal | None
    volume: Decimal | None


@dataclass(frozen=True, slots=True)
class Taken:
    """What became whole since it was last asked for. ``gaps`` are instants of the market too."""

    quotes: Sequence[Spoken]
    minutes: Sequence[Minute]
    gaps: Sequence[Gap]
    withdrawn: int
    """Rows in which one side had gone. The store has no word for that: there the side that was grows old."""

    def __bool__(self) -> bool:
        return bool(self.quotes or self.minutes or self.gaps)


@dataclass(slots=True)
class MinuteSampler:
    """``delay`` (ns) is subtracted from every instant that is heard. ``most`` bounds the rows that wait to be taken:
    beyond it the oldest fall out and are counted in ``dropped``."""

    delay: int = 0
    most: int = 2_000_000
    dropped: int = 0
    _minute: int = 0
    _now: dict[str, Spoken] = field(default_factory=dict)
    _whole: list[Spoken] = field(default_factory=list)
    _candles: dict[tuple[str, int], Minute] = field(default_factory=dict)
    _last: dict[str, tuple[int, Decimal]] = field(default_factory=dict)
    _gaps: list[Gap] = field(default_factory=list)
    _withdrawn: int = 0

    def heard(self, rows: Rows, at: int) -> None:
        """Rows of quotes and candles of a minute, heard at ``at`` (UTC ns). Of other types nothing is kept."""
        if rows.type == "Quote":
            self._quotes(rows, at - self.delay)
        elif rows.type == "Candle":
            for event in rows.events():
                assert isinstance(event, Candle), "rows of candles are candles"
                self._candle(event)

    def gap(self, gap: Gap) -> None:
        """Nothing was heard in between."""
        self._gaps.append(Gap(gap.since - self.delay, gap.until - self.delay, gap.types))

    def price(self, symbol: str) -> Decimal | None:
        """The last price of an underlying's streamer symbol: of its newest candle, else the middle of its quote."""
        if (found := self._last.get(symbol)) is not None:
            return found[1]
        quote = self._now.get(symbol)
        sides = [side for side in (quote.bid, quote.ask) if side] if quote is not None else []
        return sum(sides, Decimal(0)) / len(sides) if sides else None

    def take(self, at: int) -> Taken:
        """The minutes that are whole at ``at`` (UTC ns), and the gaps."""
        until = whole_until(at - self.delay)
        self._turn(until)
        quotes = [row for row in self._whole if row.minute <= until]
        self._whole = [row for row in self._whole if row.minute > until]
        ready = sorted(key for key in self._candles if key[1] + MINUTE_NS <= until)
        taken = Taken(quotes, [self._candles.pop(key) for key in ready], tuple(self._gaps), self._withdrawn)
        self._gaps.clear()
        self._withdrawn = 0
        return taken

    @property
    def waiting(self) -> int:
        """Rows that were not taken yet."""
        return len(self._whole) + len(self._now) + len(self._candles)

    def _quotes(self, rows: Rows, at: int) -> None:
        minute = ending(at)
        self._turn(minute - MINUTE_NS)
        for quote in rows.events():
            assert isinstance(quote, Quote), "rows of quotes are quotes"
            told = max(quote.bid_time, quote.ask_time)
            event = told if minute - MINUTE_NS < told <= at else at
            self._now[quote.symbol] = Spoken(
                quote.symbol, minute, event, at, quote.bid, quote.ask, _size(quote.bid_size), _size(quote.ask_size)
            )
        self._minute = minute

    def _turn(self, ended: int) -> None:
        """Minutes up to ``ended`` are over."""
        if not self._now or self._minute > ended:
            return
        self._withdrawn += sum((row.bid is None) != (row.ask is None) for row in self._now.values())
        self._whole += self._now.values()
        self._now = {}
        if (over := len(self._whole) - self.most) > 0:
            del self._whole[:over]
            self.dropped += over

    def _candle(self, candle: Candle) -> None:
        symbol = base_of(candle.symbol)
        if symbol is None or candle.time % MINUTE_NS:
            return
        key = symbol, candle.time
        if candle.removed or candle.close is None:
            self._candles.pop(key, None)
            return
        self._candles[key] = Minute(
            symbol, candle.time, candle.open, candle.high, candle.low, candle.close, candle.volume
        )  # fmt: skip
        if candle.time >= self._last.get(symbol, (0, candle.close))[0]:
            self._last[symbol] = candle.time, candle.close


def ending(at: int) -> int:
    """The end of the minute in which an instant lies: an instant on the minute ends one."""
    return -(-at // MINUTE_NS) * MINUTE_NS


def whole_until(at: int) -> int:
    """The end of the last minute that is whole at an instant, the grace included."""
    return (at - GRACE_NS) // MINUTE_NS * MINUTE_NS


def minute_candles(symbol: str) -> str:
    """The candle symbol of a streamer symbol's minutes."""
    return str(CandleSymbol.of(symbol, "1m"))


def base_of(symbol: str) -> str | None:
    """The streamer symbol of a minute's candle; None for candles of another period."""
    try:
        candle = CandleSymbol.parse(symbol)
    except BrokerError:
        return None
    return candle.symbol if candle.unit == "m" and candle.count == 1 else None


def _size(value: Decimal | None) -> int:
    """Contracts; -1 where unknown."""
    return -1 if value is None or value < 0 or value > 2**31 - 1 else int(value)


def spans(gaps: Sequence[Gap]) -> Iterator[tuple[int, int]]:
    """Gaps without what overlaps, ascending."""
    since = until = 0
    for gap in sorted(gaps, key=lambda g: g.since):
        if gap.since > until:
            if until:
                yield since, until
            since, until = gap.since, gap.until
        else:
            until = max(until, gap.until)
    if until:
        yield since, until
