"""How the contracts of a recording are divided between its underlyings, and what is said of those that find no room."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pytest

from adapters.tastytrade.room import Room, Wish, shares
from adapters.tastytrade.symbols import contract_of
from adapters.tastytrade.window import Watched

NEXT, LATER = date(2024, 7, 22), date(2024, 7, 26)


def options(root: str, count: int, expiration: date = NEXT) -> tuple[Watched, ...]:
    names = [f"{root:<6}{expiration:%y%m%d}P{500 + k:05}000" for k in range(count)]
    return tuple(Watched(name, contract_of(name), root) for name in names)


def taken(room: Room, *wishes: Wish) -> dict[str, int]:
    found = room.take(wishes)
    return {wish.underlying: sum(each.on == wish.underlying for each in found) for wish in wishes}


@pytest.mark.parametrize(
    ("wanted", "most", "given"),
    [
        ([5, 5], 10, [5, 5]),
        ([50, 50], 10, [5, 5]),
        ([50, 2], 10, [8, 2]),
        ([2, 50, 50], 11, [2, 4, 5]),
        ([5, 5, 5], 2, [0, 1, 1]),
        ([0, 7], 3, [0, 3]),
        ([], 3, []),
    ],
)
def test_equal_shares_and_what_the_modest_leave(wanted: Sequence[int], most: int, given: Sequence[int]) -> None:
    assert shares(wanted, most) == given


def test_the_first_underlying_does_not_take_it_all() -> None:
    room = Room(10)
    assert taken(room, Wish("SPY", options("SPY", 40)), Wish("QQQ", options("QQQ", 40))) == {"SPY": 5, "QQQ": 5}
    assert [(each.underlying, each.contracts) for each in room.left()] == [("SPY", 35), ("QQQ", 35)]


def test_one_without_a_price_keeps_its_share_until_it_has_one() -> None:
    room, first = Room(10), Wish("SPY", options("SPY", 40))
    assert (taken(room, first, Wish("QQQ", (), waits=True)), room.waits) == ({"SPY": 5, "QQQ": 0}, True)
    assert (taken(room, first, Wish("QQQ", options("QQQ", 3))), room.waits) == ({"SPY": 2, "QQQ": 3}, False)
    # Nothing is given up for another, and never are there more than may be.
    assert taken(room, first, Wish("QQQ", options("QQQ", 9))) == {"SPY": 0, "QQQ": 0}


def test_what_expired_makes_room() -> None:
    room = Room(2)
    first = options("SPY", 2)
    assert taken(room, Wish("SPY", first)) == {"SPY": 2}
    for each in first:
        room.give_back(each.streamer)
    assert taken(room, Wish("SPY", options("SPY", 3, LATER))) == {"SPY": 2}


def test_what_is_left_out_is_named() -> None:
    room = Room(4)
    room.take([Wish("SPY", (*options("SPY", 3), *options("SPY", 5, LATER))), Wish("QQQ", options("QQQ", 3))])
    assert [str(each) for each in room.left()] == [
        "6 of SPY are left out, with them all of 2024-07-26", "1 of QQQ are left out",
    ]  # fmt: skip
    room = Room(1)
    room.take([Wish("SPY", options("SPY", 3)), Wish("QQQ", options("QQQ", 4))])
    assert [str(each) for each in room.left()] == ["SPY is left out wholly (3 contracts)", "3 of QQQ are left out"]


def test_what_found_room_later_was_not_left_out() -> None:
    room = Room(10)
    room.take([Wish("SPY", options("SPY", 8)), Wish("QQQ", (), waits=True)])
    assert room.left()[0].contracts == 3
    room.take([Wish("SPY", options("SPY", 8)), Wish("QQQ", options("QQQ", 1))])
    assert room.left() == ()
