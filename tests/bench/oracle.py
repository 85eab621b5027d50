"""What the condor of the neutral workload must come to, trade by trade, in whole ticks. Knows nothing of the engine.

The rule. At 10:30, which is minute 60, sell the put 30 points below and the call 30 points above the strike nearest to
the index (a tie goes up), and buy the options 30 points further out: shorts at the bid, longs at the ask. No trade
where one of the four is not listed or no credit is left. From the next minute on compare the mid of buying all four
back with the credit: at half of it or less the profit is taken, at twice of it or more the loss; at 15:30, minute 360,
it is closed anyway. Closing costs the asks of the shorts less the bids of the longs. Twice the mid is a whole number of
ticks, so that nothing here is rounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Final

import polars as pl

ENTRY: Final = 60
LAST: Final = 360
OFFSET: Final = 30
WING: Final = 30
TICK: Final = Decimal("0.05")
MULTIPLIER: Final = 100
NOT_LISTED: Final = "not listed"
NO_CREDIT: Final = "no credit"

Side = dict[int, tuple[int, int]]
"""Bid and ask in ticks by minute."""


@dataclass(frozen=True, slots=True)
class Trade:
    """One condor. Minutes count from 09:30; ``credit`` received and ``cost`` of closing in ticks; ``reason`` is
    profit, stop or time."""

    session: date
    entry: int
    exit: int
    credit: int
    cost: int
    reason: str


@dataclass(frozen=True, slots=True)
class Answer:
    """All trades in order, and the sessions without one with the reason."""

    trades: tuple[Trade, ...]
    skipped: tuple[tuple[date, str], ...]

    @property
    def pnl(self) -> Decimal:
        """Dollars over all trades, without fees."""
        return sum((pnl_of(t) for t in self.trades), Decimal(0))


def pnl_of(trade: Trade) -> Decimal:
    """Dollars of one trade, without fees."""
    return (trade.credit - trade.cost) * TICK * MULTIPLIER


def solve(chain: Path, bars: Path, *, step: int) -> Answer:
    """Reads both files and plays the rule; ``step`` is the distance of strikes in points."""
    spots = _spots(bars)
    trades: list[Trade] = []
    skipped: list[tuple[date, str]] = []
    for (day,), rows in _wanted(chain, spots, step).group_by("date", maintain_order=True):
        assert isinstance(day, date), "the column date holds dates"
        played = _session(day, _legs(rows), _nearest(spots[day], step))
        if isinstance(played, Trade):
            trades.append(played)
        else:
            skipped.append((day, played))
    seen = {t.session for t in trades} | {d for d, _ in skipped}
    skipped += [(day, NOT_LISTED) for day in spots if day not in seen]
    return Answer(tuple(sorted(trades, key=lambda t: t.session)), tuple(sorted(skipped)))


def _session(day: date, quotes: dict[tuple[int, str], Side], atm: int) -> Trade | str:
    """One session from the quotes of the wanted legs by (strike, right)."""
    put, call = atm - OFFSET, atm + OFFSET
    names = ((put, "P"), (call, "C")), ((put - WING, "P"), (call + WING, "C"))
    if any(name not in quotes for pair in names for name in pair):
        return NOT_LISTED
    short, long = ([quotes[name] for name in pair] for pair in names)

    def to_sell(minute: int) -> int:
        return sum(q[minute][0] for q in short) - sum(q[minute][1] for q in long)

    def to_buy_back(minute: int) -> int:
        return sum(q[minute][1] for q in short) - sum(q[minute][0] for q in long)

    credit = to_sell(ENTRY)
    if credit <= 0:
        return NO_CREDIT
    for minute in range(ENTRY + 1, LAST + 1):
        twice_mid = to_sell(minute) + to_buy_back(minute)
        if twice_mid <= credit:
            reason = "profit"
        elif twice_mid >= 4 * credit:
            reason = "stop"
        elif minute == LAST:
            reason = "time"
        else:
            continue
        return Trade(day, ENTRY, minute, credit, to_buy_back(minute), reason)
    raise AssertionError("the last minute always closes")


def _nearest(spot: float, step: int) -> int:
    """The strike nearest to ``spot`` points, a tie up; in hundredths, so that a tie is one."""
    hundredths = round(spot * 100)
    return step * ((2 * hundredths + 100 * step) // (200 * step))


def _spots(bars: Path) -> dict[date, float]:
    """The index at the entry by session."""
    frame = pl.scan_parquet(bars).filter(pl.col("minute") == ENTRY).select("date", "close").collect()
    return dict(frame.iter_rows())


def _wanted(chain: Path, spots: dict[date, float], step: int) -> pl.DataFrame:
    """Rows of the strikes that may be a leg, from the entry to the last minute."""
    distances = (-OFFSET - WING, -OFFSET, OFFSET, OFFSET + WING)
    pairs = [(day, float(_nearest(spot, step) + far)) for day, spot in spots.items() for far in distances]
    strikes = pl.LazyFrame(pairs, schema={"date": pl.Date, "strike": pl.Float64}, orient="row")
    rows = pl.scan_parquet(chain).filter(pl.col("minute").is_between(ENTRY, LAST))
    columns = ("date", "minute", "strike", "right", "bid", "ask")
    return rows.select(columns).join(strikes, on=["date", "strike"], how="semi").collect()


def _legs(rows: pl.DataFrame) -> dict[tuple[int, str], Side]:
    legs: dict[tuple[int, str], Side] = {}
    per_point = 1 / float(TICK)
    for _, minute, strike, right, bid, ask in rows.iter_rows():
        side = legs.setdefault((round(strike), str(right)), {})
        side[minute] = (round(bid * per_point), round(ask * per_point))
    return legs
