"""Things that happen at the same instant may be told in any order: the same is decided, and the books are the same.

What one order goes through keeps its order (it is accepted before it fills), and a contract is sold before what is left
of it settles. Everything else that carries one time is shuffled here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import groupby
from typing import Any

import numpy as np
import pytest

from adapters.replay.broker import ReplayBroker
from sim.model.event import Event, OrderFilled, Settled
from sim.model.market import Nature
from sim.rules.breakers import Breakers
from sim.rules.gate import Gate
from sim.session import Session
from sim.view import View
from tests.hand import HandMarket
from tests.property.test_kernel_properties import MODELS, books, random_market, random_play
from tests.rig import FREE, NATURAL, Play, play

PLAYS = ("first", "second", "third")
STREAK = Breakers(2, 0, None, None, None, 3, 0.5, None, Decimal(1), FREE)
"""Two losses in a row stop the day: a rule that goes by the order in which trades closed."""


class Shuffled(ReplayBroker):
    """Tells what is independent and simultaneous in an order of its own."""

    __slots__ = ("moved", "rng")

    def __init__(self, seed: int, *parts: Any) -> None:
        super().__init__(*parts)
        self.rng = np.random.default_rng(seed)
        self.moved = 0

    def advance(self, k: int) -> list[Event]:
        return self._shuffle(super().advance(k))

    def drain(self) -> list[Event]:
        return self._shuffle(super().drain())

    def _shuffle(self, events: list[Event]) -> list[Event]:
        out: list[Event] = []
        for _, group in groupby(events, key=lambda e: e.ts):
            told = list(group)
            mixed = self._mixed(told)
            self.moved += mixed != told
            out += mixed
        return out

    def _mixed(self, told: Sequence[Event]) -> list[Event]:
        """A random order in which nothing overtakes an event that it depends on."""
        left, out = list(told), []
        while left:
            free = [e for i, e in enumerate(left) if not any(depends(e, before) for before in left[:i])]
            chosen = free[int(self.rng.integers(len(free)))]
            left.remove(chosen)
            out.append(chosen)
        return out


def depends(event: Event, before: Event) -> bool:
    """Whether the one follows from the other: the same order, or a contract that settles."""
    if isinstance(event, Settled) or isinstance(before, Settled):
        return bool(contracts(event) & contracts(before))
    return order_of(event) == order_of(before)


def contracts(event: Event) -> set[object]:
    match event:
        case OrderFilled(_, fill):
            return {leg.contract for leg in fill.legs}
        case Settled(_, settlement):
            return {leg.contract for leg in settlement.legs}
        case _:
            return set()


def order_of(event: Event) -> object:
    return event.fill.order_id if isinstance(event, OrderFilled) else getattr(event, "order_id", event)


def plays(seed: int, market: HandMarket) -> list[Play]:
    """Three plays that wake, enter and leave at the same minutes, with exits of their own."""
    made = [random_play(seed + 1_000_000 * i, market.days[0].underlying, market) for i in range(len(PLAYS))]
    return [renamed(each, name, made[0]) for each, name in zip(made, PLAYS, strict=True)]


def renamed(each: Play, name: str, first: Play) -> Play:
    def wants(view: View) -> list[Any]:
        return [replace(wish, strategy=name) for wish in each.wants(view)]

    return Play(name, each.underlyings, wants, first.at)


def told(session: Session) -> dict[str, Any]:
    """The books without the order in which simultaneous things were written down."""
    found = books(session)
    decided = [
        (e.ts, e.kind, e.ref, e.text)
        for e in session.journal.entries
        if e.kind in ("submit", "cancel", "refuse", "alert")
    ]
    found["decided"] = sorted(decided)
    for name in ("fills", "settlements", "closed", "open", "refused", "orders"):
        found[name] = sorted(found[name], key=repr)
    return found


@pytest.mark.parametrize("fill", sorted(MODELS))
@pytest.mark.parametrize("draw", range(8))
def test_the_order_of_simultaneous_events_decides_nothing(
    suite_seed: int, draw: int, fill: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = suite_seed * 1000 + draw
    market = random_market(seed, Nature.DENSE)
    as_they_came = play(market, plays(seed, market), fill=MODELS[fill], max_width=1.0, gate=Gate((STREAK,), FREE))
    monkeypatch.setattr("tests.rig.ReplayBroker", lambda *parts: Shuffled(seed, *parts))
    assert told(
        play(market, plays(seed, market), fill=MODELS[fill], max_width=1.0, gate=Gate((STREAK,), FREE))
    ) == told(as_they_came)


def test_there_is_something_to_shuffle(suite_seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    brokers: list[Shuffled] = []

    def broker(*parts: Any) -> Shuffled:
        brokers.append(Shuffled(1, *parts))
        return brokers[-1]

    monkeypatch.setattr("tests.rig.ReplayBroker", broker)
    stopped = 0
    for draw in range(8):
        seed = suite_seed * 1000 + draw
        market = random_market(seed, Nature.DENSE)
        done = play(market, plays(seed, market), fill=NATURAL, max_width=1.0, gate=Gate((STREAK,), FREE))
        stopped += any(r.refused.rule == "breakers" for r in done.refusals)
    assert sum(b.moved for b in brokers) >= 8
    assert stopped >= 2
