"""What a spread of one to four legs is quoted at, over a session or at one minute. Integer ticks only.

Two steps. ``live`` says which sides of a contract may be traded: not blank, not too old, neither crossed nor locked,
and the series itself has spoken lately. ``SpreadQuotes`` nets the legs: what the spread brings and costs at the natural
price, and twice its mid. The same arrays serve the fill models, the exits and the marks, so that they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from sim.model.market import BLANK, DEAD, Bools, Ints, Nature, Quote, QuotePath
from sim.model.quick import quick

FAR: Final = 1 << 40
"""A mark that reaches no bound, used where a spread cannot be marked."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """How old a quote may be, in minutes: ``side`` for the side that is needed, ``chain`` for any row of its series."""

    side: int
    chain: int
    withdrawn: bool
    """An old side counts as withdrawn, as if it were blank: a sparse source says nothing of it either way."""


LIMITS: Final[dict[Nature, Freshness]] = {
    Nature.STREAMING: Freshness(side=0, chain=0, withdrawn=False),
    Nature.DENSE: Freshness(side=2, chain=2, withdrawn=False),
    Nature.SPARSE: Freshness(side=45, chain=2, withdrawn=True),
}
"""By the nature of the source (a streaming quote of 45 seconds is of this minute's column)."""


@quick
@dataclass(frozen=True, slots=True)
class LiveQuotes:
    """One contract over a session, only what may be traded: ``BLANK`` where nobody quotes, ``DEAD`` where a quote is
    no market."""

    bid: Ints
    ask: Ints


def live(path: QuotePath, chain_age: Ints | None, limits: Freshness) -> LiveQuotes:
    """``path`` with every side blanked that may not be traded on.

    That is a side that is too old, both sides while the whole series is silent, and what a crossed or locked pair
    tells: quoted in the same minute it is no market; else the younger side stands, and the older one, which it met or
    passed, must be gone.
    """
    bid, ask, bid_age, ask_age = path.bid, path.ask, path.bid_age, path.ask_age
    old_bid = bid_age > limits.side
    # A market that hears both sides at once tells one age.
    old_ask = old_bid if ask_age is bid_age else ask_age > limits.side
    met = bid >= ask
    if np.count_nonzero(old_bid):
        bid = np.where(old_bid & (bid != BLANK), BLANK if limits.withdrawn else DEAD, bid)
    if np.count_nonzero(old_ask):
        ask = np.where(old_ask & (ask != BLANK), BLANK if limits.withdrawn else DEAD, ask)
    if np.count_nonzero(met) and np.count_nonzero(met := met & (bid >= 0) & (ask >= 0)):
        gone_bid, gone_ask = met & (bid_age >= ask_age), met & (ask_age >= bid_age)
        bid, ask = np.where(gone_bid, DEAD, bid), np.where(gone_ask, DEAD, ask)
    if chain_age is not None:
        silent = chain_age > limits.chain
        if np.count_nonzero(silent):
            bid, ask = np.where(silent, DEAD, bid), np.where(silent, DEAD, ask)
    return LiveQuotes(bid, ask)


def live_at(path: QuotePath, chain_age: Ints | None, limits: Freshness, column: int) -> tuple[int, int]:
    """Both sides (bid, ask) of ``live`` in one ``column``, without arrays."""
    bid, ask, age = int(path.bid[column]), int(path.ask[column]), int(path.bid_age[column])
    other = age if path.ask_age is path.bid_age else int(path.ask_age[column])
    if chain_age is not None and chain_age[column] > limits.chain:
        return DEAD, DEAD
    met, old = bid >= ask, BLANK if limits.withdrawn else DEAD
    if age > limits.side and bid != BLANK:
        bid = old
    if other > limits.side and ask != BLANK:
        ask = old
    if met and bid >= 0 and ask >= 0:
        return DEAD if age >= other else bid, DEAD if other >= age else ask
    return bid, ask


def live_of(paths: Sequence[QuotePath], chain_age: Ints | None, limits: Freshness) -> LiveQuotes:
    """``live`` of several contracts of one series, as rows of [contract, column]."""
    bid, ask = np.array([p.bid for p in paths]), np.array([p.ask for p in paths])
    solid = paths[0].solid
    # Quoted each minute and then no more: the sides grow old together, and the series is silent no sooner than they.
    if solid is not None and not limits.withdrawn and limits.side <= limits.chain:
        first, end = solid
        together = first == 0 and all(p.solid == solid for p in paths)
        if together and not np.count_nonzero(bid[:, :end] >= ask[:, :end]):
            bid[:, end + limits.side :] = ask[:, end + limits.side :] = DEAD
            return LiveQuotes(bid, ask)
    bid_age = ask_age = np.array([p.bid_age for p in paths])
    if any(p.ask_age is not p.bid_age for p in paths):
        ask_age = np.array([p.ask_age for p in paths])
    return live(QuotePath(bid, ask, bid_age, ask_age), chain_age, limits)


def why_dead(quote: Quote, limits: Freshness, *, ask: bool) -> str | None:
    """Why one side of one quote may not be traded on, by the same rule as ``live``; None where it may."""
    price, age = (quote.ask, quote.ask_age) if ask else (quote.bid, quote.bid_age)
    other, other_age = (quote.bid, quote.bid_age) if ask else (quote.ask, quote.ask_age)
    if price == BLANK:
        return "blank"
    if age > limits.side:
        return f"{age} min old, limit {limits.side}"
    if other == BLANK or other_age > limits.side or quote.bid < quote.ask or age < other_age:
        return None
    return "locked" if quote.bid == quote.ask else "crossed"


class SpreadQuotes:
    """A spread over columns. ``signed[i]`` contracts of leg i per unit, bought positive (the order's own direction).

    ``bid``, ``ask``: int64[legs, columns] with ``BLANK``; where ``assumed_zero`` a wing to sell back that nobody bids
    for stands at 0. What is derived from them is worked out when it is asked for.
    """

    __slots__ = ("_marked_ask", "_n", "_sold", "ask", "assumed_zero", "bid", "signed")

    def __init__(self, signed: Sequence[int], bid: Ints, ask: Ints, *, closing: bool) -> None:
        self.signed = tuple(signed)
        self._n = np.array(signed, np.int64)
        self._sold = self._n[:, None] < 0
        self.bid, self.ask, self._marked_ask = bid, ask, ask
        self.assumed_zero: Bools = bid == BLANK
        if not closing:
            self.assumed_zero = np.zeros(bid.shape, np.bool_)
            return
        if np.count_nonzero(self.assumed_zero):
            self.assumed_zero &= self._sold
            self.bid = np.where(self.assumed_zero, 0, bid)
        unoffered = ask == BLANK
        if np.count_nonzero(unoffered):
            # A wing nobody offers either is marked at its bid: worth at most that.
            self._marked_ask = np.where(self._sold & unoffered, self.bid, ask)

    @property
    def _side(self) -> Ints:
        return np.where(self._sold, self.bid, self.ask)

    @property
    def natural(self) -> Ints:
        """Net of trading at once, selling at bids and buying at asks, credit positive; valid where ``tradable``."""
        out: Ints = -self._n @ self._side
        return out

    @property
    def tradable(self) -> Bools:
        """Every leg has the side that its trade needs."""
        return np.asarray((self._side >= 0).all(0))

    @property
    def mid2(self) -> Ints:
        """Twice the net at mids, credit positive; valid where ``marked``."""
        return -self.cost2

    @property
    def cost2(self) -> Ints:
        """The same, debit positive."""
        out: Ints = self._n @ (self.bid + self._marked_ask)
        return out

    @property
    def width(self) -> Ints:
        """The distance between both natural sides; valid where ``marked``."""
        out: Ints = np.abs(self._n) @ (self._marked_ask - self.bid)
        return out

    @property
    def marked(self) -> Bools:
        """Every leg has both sides, or is a wing that counts as worth nothing."""
        # Of two whole numbers one is negative where their bits together are.
        out: Bools = np.logical_and.reduce((self.bid | self._marked_ask) >= 0)
        return out


def spread(
    signed: Sequence[int], legs: Sequence[LiveQuotes], *, closing: bool, columns: slice = slice(None)
) -> SpreadQuotes:
    """Nets the legs over ``columns``. When ``closing``, a long wing (sold back) without a bid counts as worth 0.00."""
    bid = np.array([leg.bid[columns] for leg in legs])
    ask = np.array([leg.ask[columns] for leg in legs])
    return SpreadQuotes(signed, bid, ask, closing=closing)


@quick
@dataclass(frozen=True, slots=True)
class SpreadNow:
    """A spread at one column: the same as ``SpreadQuotes``, in plain integers. ``sides`` (bid, ask) a leg."""

    sides: tuple[tuple[int, int], ...]
    natural: int
    tradable: bool
    mid2: int
    width: int
    marked: bool
    assumed_zero: tuple[bool, ...]


def spread_now(signed: Sequence[int], legs: Sequence[LiveQuotes], column: int, *, closing: bool) -> SpreadNow:
    """What ``spread`` says at one ``column``, without arrays: most orders fill on the first quote they meet."""
    return spread_at(signed, [(int(leg.bid[column]), int(leg.ask[column])) for leg in legs], closing=closing)


def spread_at(signed: Sequence[int], quoted: Sequence[tuple[int, int]], *, closing: bool) -> SpreadNow:
    """The same of the sides (bid, ask) of each leg, in ticks."""
    natural = mid2 = width = 0
    tradable = marked = True
    sides = []
    zeros = []
    for n, (bid, ask) in zip(signed, quoted, strict=True):
        zero = closing and n < 0 and bid == BLANK
        if zero:
            bid = 0
        marked_ask = bid if closing and n < 0 and ask == BLANK else ask
        side = bid if n < 0 else ask
        natural -= n * side
        mid2 -= n * (bid + marked_ask)
        width += abs(n) * (marked_ask - bid)
        tradable = tradable and side >= 0
        marked = marked and bid >= 0 and marked_ask >= 0
        sides.append((bid, ask))
        zeros.append(zero)
    return SpreadNow(tuple(sides), natural, tradable, mid2, width, marked, tuple(zeros))
