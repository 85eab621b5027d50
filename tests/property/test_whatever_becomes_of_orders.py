"""Orders that are accepted, refused, lost, found, filled in parts, late and twice, under a person who says anything:
the books balance, no more is being closed than is held, nobody is asked without end, another life stands the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import time
from random import Random
from typing import Any, Final

import pytest

from live.orders import followers
from sim.model.defence import OfPart
from sim.model.event import Cancel, Cause, Command, Decision, Guarded, Standing, Submit, Word
from sim.model.exits import CloseAt, CrossAfter, Exit, ProfitTarget, StopLoss
from sim.model.order import Intent
from tests.driven import MINUTES, PUT, SOLD, SPREAD, WING, Driven
from tests.hand import Sides

MOST: Final = 12
"""Orders a minute: two trades, each with two targets and an exit, replaced once, and what a person says."""
PLAIN: Final[tuple[Exit, ...]] = (ProfitTarget(0.5), StopLoss(1.0), CloseAt(time(9, 45), time(9, 50)), CrossAfter(3))
PARTS: Final[tuple[Exit, ...]] = (
    OfPart("naked", (0,), (ProfitTarget(0.9), StopLoss(1.0))), OfPart("hedge", (1,), (ProfitTarget(0.5),)),
    StopLoss(2.0),
)  # fmt: skip


@dataclass
class Wild:
    """A broker of whims. It keeps to the session's own rules: what follows others goes out when they are over."""

    seed: int
    state: dict[str, str] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    after: dict[str, set[str]] = field(default_factory=dict)
    filled: Counter[str] = field(default_factory=Counter)
    sent: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.random = draw = Random(self.seed)
        parts = draw.random() < 0.5
        put = [draw.choice([100, 100, 100, 40, 310, 60]) for _ in range(MINUTES)]
        wing = [draw.choice([40, 10]) for _ in range(MINUTES)]
        table: dict[Any, Sides] = {c: (bid, [n + 2 for n in bid]) for c, bid in ((PUT, put), (WING, wing))}
        legs = SPREAD if parts or draw.random() < 0.5 else SOLD
        self.it = Driven(PARTS if parts else PLAIN, table, legs, quantity=draw.choice([1, 2, 3]))

    def note(self, decisions: Sequence[Decision]) -> None:
        for each in decisions:
            if isinstance(each, Submit):
                self.state[each.order.id] = "new"
                self.sent[self.it.now // 60_000_000_000] += 1
            elif isinstance(each, Cancel):
                self.asked.add(each.order_id)
        for late in followers(decisions):
            queued = [self.after.get(old, set()) for old in late.after if self.state[old] == "new"]
            self.after[late.order.id] = set(late.after).union(*queued)

    def left(self, name: str) -> int:
        return self.it.session.orders[name].order.request.quantity - self.filled[name]

    def fills(self, name: str) -> None:
        units = self.random.randint(1, self.left(name))
        self.filled[name] += units
        if not self.left(name):
            self.state[name] = "over"
        legs = self.it.session.orders[name].order.request.legs
        prices = [self.random.choice([100, 101, 60]), 30][: len(legs)]
        net = -sum(leg.signed * price for leg, price in zip(legs, prices, strict=True))
        self.note(self.it.filled(name, net, units, self.left(name), prices))
        for other in [n for n, olds in self.after.items() if name in olds and self.state[n] == "new"]:
            self.ends(other, "rejected")

    def ends(self, name: str, how: str, *, sent: bool = False) -> None:
        self.state[name] = "lost" if sent and how == "rejected" and self.state[name] == "doubt" else "over"
        cancelled = how == "cancelled"
        self.note(self.it.cancelled(name) if cancelled else self.it.rejected(name, "no", sent=sent))

    def new(self, name: str) -> None:
        if any(self.state[old] not in ("over", "lost") for old in self.after.get(name, ())):
            if name in self.asked:
                self.ends(name, "rejected")
            return
        whim = self.random.random()
        if whim < 0.6:
            self.state[name] = "works"
            self.note(self.it.accepted(name))
        elif whim < 0.8:
            self.ends(name, "rejected", sent=True)
        else:
            self.state[name] = "doubt"
            self.note(self.it.doubted(name))

    def becomes(self, name: str) -> None:
        match self.state[name]:
            case "new":
                self.new(name)
            case "doubt" if self.random.random() < 0.5:
                self.ends(name, "rejected", sent=True)
            case "doubt":
                self.state[name] = "works"
                self.note(self.it.accepted(name))
            case "lost":
                self.state[name] = "works"
                self.note(self.it.doubted(name))
            case "works" if self.random.random() < 0.5:
                self.fills(name)
            case "works" if name in self.asked or self.random.random() < 0.2:
                self.ends(name, "cancelled")
            case "over" if self.left(name) and self.it.session.orders[name].status.value == "cancelled":
                # The cancel was told before the fill.
                self.fills(name)
                self.state[name] = "over"
            case _:
                pass

    def speaks(self) -> None:
        if self.random.random() < 0.5:
            self.note(self.it.tell(Command(self.it.now, self.random.choice(list(Word)))))
            return
        standing = self.random.choice(list(Standing))
        causes = () if standing is Standing.RUNNING else (Cause("x", standing, "y", self.it.now),)
        self.note(self.it.tell(Guarded(self.it.now, standing, "x: y", causes)))

    def holds(self) -> None:
        """No more is wanted closed than is held, but by what is being taken back."""
        desk, wanted = self.it.desk, Counter[Any]()
        desk.ledger.check()
        if self.it.engine._beside is not None:
            return
        for order in desk.orders.values():
            if order.request.intent is Intent.CLOSE and order.id not in self.asked:
                for leg in order.request.legs:
                    wanted[order.request.trade_id, leg.contract] += leg.ratio * order.request.quantity
        for (trade, contract), n in wanted.items():
            book = desk.ledger.open.get(trade)
            assert n <= (0 if book is None else abs(book.left[contract])), f"{n} {contract.label} of {trade}"

    def lives(self) -> None:
        self.note(self.it.look(1, wake=True))
        second = 61.0
        for _ in range(self.random.randint(30, 160)):
            second += self.random.choice([0.25, 0.25, 1, 5, 20, 61])
            minute = int(second // 60)
            if minute >= MINUTES - 1:
                break
            self.it.at(minute, second % 60)
            whim, living = self.random.random(), [n for n, s in self.state.items() if s not in ("over", "lost")]
            dead = [n for n in self.state if n not in living]
            if whim < 0.45:
                wake = minute == 11 and self.random.random() < 0.2
                self.note(self.it.look(minute, second % 60, wake=wake))
            elif whim < 0.86 and living:
                self.becomes(self.random.choice(living))
            elif whim < 0.90 and dead:
                self.becomes(self.random.choice(dead))
            else:
                self.speaks()
            self.holds()
        assert max(self.sent.values(), default=0) <= MOST, "somebody was asked without end"
        assert self.it.relived().stands() == self.it.stands()


@pytest.mark.parametrize("first", range(0, 400, 50))
def test_the_books_hold_whatever_becomes_of_orders(first: int) -> None:
    opened = 0
    for seed in range(first, first + 50):
        wild = Wild(seed)
        try:
            wild.lives()
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error!r}") from error
        opened += bool(wild.it.session.fills)
    assert opened > 30
