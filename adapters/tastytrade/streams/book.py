"""The latest quote of each symbol, kept as the numbers that came and read as prices only when asked for.

Rows are taken in by whole columns, because that is what makes it fast: no object is made for a quote that nobody reads.
Memory is bounded by the number of symbols. What arrived last stands: the wire keeps order, and its own times are too
often 0 to judge by.

Refuses to do: fill in a side that is absent, or call a quote fresh that was heard before a gap.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import repeat
from typing import Final

from adapters.tastytrade.streams.dxlink_events import SYMBOL, Rows, decimal, instant, whole

_KEPT: Final = ("bidPrice", "askPrice", "bidSize", "askSize", "bidTime", "askTime", "sequence")


@dataclass(frozen=True, slots=True)
class Top:
    """Best bid and ask, None where a side is absent. ``bid_time``, ``ask_time``: the feed's, UTC ns, 0 where it does
    not tell; ``heard``: ours, UTC ns. ``number`` counts every quote of the book, so that a later one has the larger.
    ``stale``: heard before the connection was lost, and not since."""

    symbol: str
    bid: Decimal | None
    ask: Decimal | None
    bid_size: Decimal | None
    ask_size: Decimal | None
    bid_time: int
    ask_time: int
    sequence: int
    heard: int
    number: int
    stale: bool


class QuoteBook:
    """At most ``most`` symbols; a new one beyond that is refused and counted in ``refused``."""

    __slots__ = ("_epoch", "_latest", "_most", "applied", "refused")

    def __init__(self, most: int = 100_000) -> None:
        self._latest: dict[object, tuple[object, ...]] = {}
        self._most = most
        self._epoch = 0
        self.applied = 0
        self.refused = 0

    def apply(self, rows: Rows, heard: int) -> None:
        """Takes in rows of ``Quote``, heard at ``heard`` (UTC ns)."""
        fields, values, width = rows.fields, rows.values, len(rows.fields)
        columns = [values[fields.index(name) :: width] if name in fields else repeat(None) for name in _KEPT]
        symbols = values[fields.index(SYMBOL) :: width]
        latest = self._latest
        numbers = range(self.applied + 1, self.applied + len(symbols) + 1)
        latest.update(
            zip(symbols, zip(*columns, repeat(heard), numbers, repeat(self._epoch), strict=False), strict=False)
        )
        self.applied += len(symbols)
        while len(latest) > self._most:
            latest.popitem()
            self.refused += 1

    def quote(self, symbol: str) -> Top | None:
        """The latest of ``symbol``; None where none was ever heard."""
        found = self._latest.get(symbol)
        if found is None:
            return None
        bid, ask, bid_size, ask_size, bid_time, ask_time, sequence, heard, number, epoch = found
        assert isinstance(heard, int)
        assert isinstance(number, int)
        return Top(
            symbol, decimal(bid), decimal(ask), decimal(bid_size), decimal(ask_size), instant(bid_time),
            instant(ask_time), whole(sequence), heard, number,
            epoch != self._epoch,
        )  # fmt: skip

    def lost(self) -> None:
        """The connection is gone: everything is stale until it is heard again."""
        self._epoch += 1

    def forget(self, symbol: str) -> None:
        self._latest.pop(symbol, None)

    def __len__(self) -> int:
        return len(self._latest)

    def __iter__(self) -> Iterator[str]:
        return (symbol for symbol in self._latest if isinstance(symbol, str))
