"""How the contracts that one recording may watch are divided between its underlyings.

Each has an equal share. What one does not need the others have, in equal parts again; one whose price is not known yet
keeps its share until it is. Nothing that is watched is given up for another. What finds no room is counted, and named
where it is an expiration or an underlying as a whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from adapters.tastytrade.window import Watched


@dataclass(frozen=True, slots=True)
class Wish:
    """The options of one underlying's window, those first that are wanted most. ``waits``: more may come, as a price of
    it is not known yet."""

    underlying: str
    options: tuple[Watched, ...]
    waits: bool = False


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Contracts of ``underlying`` that found no room. ``wholly``: nothing of it is watched; ``expirations``: those of
    which nothing is."""

    underlying: str
    contracts: int
    expirations: tuple[date, ...]
    wholly: bool

    def __str__(self) -> str:
        if self.wholly:
            return f"{self.underlying} is left out wholly ({self.contracts:,} contracts)"
        behind = f", with them all of {', '.join(map(str, self.expirations))}" if self.expirations else ""
        return f"{self.contracts:,} of {self.underlying} are left out{behind}"


class Room:
    """At most ``most`` contracts at a time."""

    __slots__ = ("_left", "_most", "_seen", "_whose", "waits")

    def __init__(self, most: int) -> None:
        self._most = most
        self._whose: dict[str, str] = {}
        self._seen: dict[str, set[date]] = {}
        self._left: dict[str, dict[str, date]] = {}
        self.waits = False
        """Whether a share is still kept for one whose price is not known."""

    def take(self, wishes: Sequence[Wish]) -> list[Watched]:
        """The options that are watched from now on."""
        held = Counter(self._whose.values())
        new = [[each for each in wish.options if each.streamer not in self._whose] for wish in wishes]
        mine = [held[wish.underlying] for wish in wishes]
        wanted = [self._most if wish.waits else own + len(more)
                  for wish, own, more in zip(wishes, mine, new, strict=True)]  # fmt: skip
        rooms = [
            min(len(more), max(0, share - own))
            for share, own, more in zip(shares(wanted, self._most), mine, new, strict=True)
        ]
        rooms = shares(rooms, self._most - len(self._whose))
        self.waits = any(wish.waits for wish in wishes)
        out = []
        for wish, more, room in zip(wishes, new, rooms, strict=True):
            seen = self._seen.setdefault(wish.underlying, set())
            left = self._left.setdefault(wish.underlying, {})
            for each in more[:room]:
                self._whose[each.streamer] = wish.underlying
                seen.add(each.contract.series.expiration)
                left.pop(each.streamer, None)
            left.update((each.streamer, each.contract.series.expiration) for each in more[room:])
            out += more[:room]
        return out

    def give_back(self, streamer: str) -> None:
        """It has expired."""
        self._whose.pop(streamer, None)

    def left(self) -> tuple[LeftOut, ...]:
        """What was wanted at some time and never watched."""
        return tuple(
            LeftOut(
                underlying,
                len(left),
                tuple(sorted(set(left.values()) - self._seen[underlying])),
                not self._seen[underlying],
            )
            for underlying, left in self._left.items()
            if left
        )


def shares(wanted: Sequence[int], most: int) -> list[int]:
    """``most`` divided: nobody gets more than it wants, and what the modest leave goes to the others in equal parts."""
    out, left = [0] * len(wanted), most
    for n, i in enumerate(sorted(range(len(wanted)), key=lambda i: wanted[i])):
        out[i] = min(wanted[i], left // (len(wanted) - n))
        left -= out[i]
    return out
