"""One run of orders against an emulator on which everything goes wrong, drawn from a seed, and what must hold after.

Orders are submitted, replaced, cancelled and closed while answers are cut, dropped, late or nonsense and the stream
loses its frames. In the end nothing is sent twice, every fill was told once, and our ledger has the broker's positions
and cash to the cent. Virtual time; one emulator serves all runs of a process.

    python -m tests.wire.fault_runs SEED [COUNT]
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final

import msgspec
import numpy as np

from adapters.emulator.exchange.profiles import MarketSimulator, Script, Scripted
from adapters.emulator.faults import Aim, Fault, Kind
from adapters.emulator.streams.stream_faults import FaultKind, StreamFault
from adapters.tastytrade.symbols import wire_symbol
from sim.ledger import Ledger, Rate
from sim.model.event import (
    Event,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderInDoubt,
    OrderRejected,
)
from sim.model.instrument import OptionContract
from sim.model.order import Action, Intent, Leg, Order
from tests.contract.market import DAY, P90, P95, P100, buy, order, sell
from tests.contract.rig import ACCOUNT, ORDERS, QUICK, Late, Wire, emulator
from tests.virtual import Time

STARTS: Final = 1_000.0
SHAPES: Final = ((sell(P100),), (sell(P100), buy(P95)), (sell(P100), buy(P95, 2), sell(P90)))
LIMITS: Final = ((100, 140), (40, 70), (-5, 30))
PATHS: Final = (("POST", ORDERS), ("POST", f"{ORDERS}*"), ("PUT", f"{ORDERS}/*"), ("DELETE", f"{ORDERS}/*"),
                ("GET", f"{ORDERS}*"), ("GET", "/accounts/*"))  # fmt: skip
CASH: Final = Decimal(100_000)
CONDUCT: Final = replace(QUICK, audit=12.0)


@dataclass
class Stage:
    """What all runs of a process share: the emulators and their time."""

    time: Time = field(default_factory=Time)
    made: dict[str, Any] = field(default_factory=dict)

    def emulator(self, profile: str) -> tuple[Any, Any]:
        """An emulator of the profile at 10:00, empty, without faults."""
        # Nobody sleeps between runs: time may begin anew.
        self.time.rewind(STARTS)
        if profile not in self.made:
            venue = Scripted() if profile == "scripted" else MarketSimulator()
            self.made[profile] = (emulator(self.time, venue, margin="none"), venue)
        found, venue = self.made[profile]
        found.faults.clear()
        for faults in found.stream_faults.values():
            faults.clear()
        found.reset()
        found.exchange.drain()
        return found, venue


class Run:
    """One seed."""

    def __init__(self, seed: int, stage: Stage) -> None:
        self.seed, self.draw = seed, np.random.default_rng(seed)
        self.profile = "scripted" if seed % 3 else "market-simulator"
        self.emulator, self.venue = stage.emulator(self.profile)
        self.wire = Wire(
            "sandbox", made=self.emulator, time=stage.time, conduct=CONDUCT, quotes="market",
            dry_run=bool(self.draw.random() < 0.3), seed=seed,
        )  # fmt: skip
        self.orders: dict[str, Order] = {}
        self.replaced: dict[str, str] = {}

    # --- the play ---------------------------------------------------------------------------------------------------

    async def play(self) -> None:
        wire = self.wire
        await wire.start()
        self._arm()
        for step in range(self._whole(3, 6)):
            self._act(step)
            await wire.pass_time(float(self.draw.choice([0.0, 0.06, 0.2, 1.0, 3.0])))
            if self.draw.random() < 0.1:
                self.emulator.streams.restart("account")
        await wire.pass_time(float(self.draw.uniform(0, 4)))
        self.emulator.faults.clear()
        self.emulator.stream_faults["account"].clear()
        await self._calm()
        await wire.stop()

    async def _calm(self) -> None:
        """Cancels what still works until nothing does, and lets what is on its way arrive."""
        wire = self.wire
        for _ in range(40):
            for each in wire.broker.snapshot():
                wire.broker.cancel(each.id)
            await wire.pass_time(4)
            on_its_way = [task for task in wire.network.on_its_way if not task.done()]
            if not wire.broker.snapshot() and not on_its_way and not wire.live.broker.busy:
                # Whatever of it came last is read with the next reading of all orders.
                await wire.pass_time(CONDUCT.audit + 3)
                if not wire.broker.snapshot():
                    return
        raise AssertionError(f"orders work on: {[o.id for o in wire.broker.snapshot()]}")

    def _act(self, step: int) -> None:
        broker, chance = self.wire.broker, self.draw.random()
        working = [each.id for each in broker.snapshot()]
        if step and working and chance < 0.25:
            broker.cancel(str(self.draw.choice(working)))
        elif step and working and chance < 0.5:
            old = self.orders[str(self.draw.choice(working))]
            shape = SHAPES.index(old.request.legs) if old.request.legs in SHAPES else 0
            self._new(step, old.request.legs, shape, old.request.quantity, old.request.trade_id, old.id)
        elif step and chance < 0.7 and (trade := self._closable()):
            first = self.orders[trade]
            legs = tuple(Leg(g.contract, g.ratio, g.action.closing_twin) for g in first.request.legs)
            self._new(step, legs, SHAPES.index(first.request.legs), self._filled(trade), trade)
        else:
            shape = self._whole(0, len(SHAPES) - 1)
            self._new(step, SHAPES[shape], shape, self._whole(1, 6))

    def _new(self, step: int, legs: tuple[Leg, ...], shape: int, quantity: int, trade: str = "", old: str = "") -> None:
        low, high = LIMITS[shape]
        limit = self._whole(low, high)
        made = order(f"r{self.seed}-{step}", *legs, limit=-limit if legs[0].action is Action.BUY_TO_CLOSE else limit,
                     quantity=quantity, trade=trade)  # fmt: skip
        self.orders[made.id] = made
        if isinstance(self.venue, Scripted):
            self.venue.scripts[made.id] = self._script(quantity)
        if old:
            self.replaced[made.id] = old
            self.wire.broker.replace(old, made)
        else:
            self.wire.broker.submit(made)

    def _closable(self) -> str:
        """An opening that is over and has filled, and that nothing closes or has closed."""
        taken = {each.request.trade_id for each in self.orders.values()}
        working = {each.id for each in self.wire.broker.snapshot()}
        return next(
            (
                each
                for each, made in self.orders.items()
                if made.request.intent is Intent.OPEN and each not in taken | working and self._filled(each)
            ),
            "",
        )

    def _filled(self, order_id: str) -> int:
        return sum(
            e.fill.quantity for e in self.wire.events if isinstance(e, OrderFilled) and e.fill.order_id == order_id
        )

    def _script(self, quantity: int) -> Script:
        match self._whole(0, 5):
            case 0:
                return Script("never")
            case 1:
                return Script("reject")
            case 2:
                return Script("delayed", delay=float(self.draw.uniform(0, 3)))
            case 3 | 4:
                cut = self._whole(1, quantity)
                return Script("partial", parts=(cut, quantity - cut) if cut < quantity else (quantity,))
        return Script()

    def _arm(self) -> None:
        draw, kinds = self.draw, list(Kind)
        for _ in range(self._whole(0, 4)):
            method, path = PATHS[self._whole(0, len(PATHS) - 1)]
            aim = Aim(self._whole(1, 3), self._whole(1, 3))
            kind, status = kinds[self._whole(0, len(kinds) - 1)], int(draw.choice([401, 422, 429, 500, 502, 503]))
            seconds = float(draw.uniform(0.05, 3))
            self.emulator.faults.add(Fault(kind, method, path, aim, status=status, seconds=seconds))
        if draw.random() < 0.25:
            self.wire.network.late.append(Late("POST", ORDERS, float(draw.uniform(0.1, 30))))
        if draw.random() < 0.25:
            self.wire.network.late.append(Late("PUT", f"{ORDERS}/*", float(draw.uniform(0.1, 30))))
        frames = list(FaultKind)
        for _ in range(self._whole(0, 3)):
            kind_of = frames[self._whole(0, len(frames) - 1)]
            match = str(draw.choice(["", '"Order"', '"CurrentPosition"']))
            code = int(draw.choice([1000, 1006, 1012]))
            self.emulator.stream_faults["account"].add(
                StreamFault(kind_of, self._whole(0, 8), self._whole(1, 3), match, code)
            )

    def _whole(self, least: int, most: int) -> int:
        return int(self.draw.integers(least, most + 1))

    # --- what must hold ---------------------------------------------------------------------------------------------

    def check(self) -> None:
        """AssertionError where anything was sent twice, lost, or told wrong."""
        self._nothing_twice()
        self._no_secret()
        self._told_well(self.wire.events)
        ledger, held = self._books(self.wire.events)
        exchange = self.wire.exchange
        theirs = {contract: n for contract, n in self.wire.positions().items() if n}
        assert held == theirs, f"positions: ours {held}, the broker's {theirs}"
        cash = Decimal(exchange.balances(ACCOUNT)["cash-balance"])
        assert ledger.cash == cash, f"cash: ours {ledger.cash}, the broker's {cash}"
        told = {wire_symbol(contract): Decimal(n) for contract, n in theirs.items()}
        assert self.wire.book.positions == told, f"book: ours {self.wire.book.positions}, the broker's {told}"

    def _nothing_twice(self) -> None:
        bodies = [msgspec.json.decode(body) for method, path, body in self.wire.network.bodies if
                  method == "POST" and path == ORDERS]  # fmt: skip
        sent = Counter(body["external-identifier"] for body in bodies)
        assert not sent or max(sent.values()) == 1, f"sent twice: {sent}"
        found = [each for each in self._theirs() if "replaces-order-id" not in each]
        there = Counter(each["external-identifier"] for each in found)
        assert not there or max(there.values()) == 1, f"with the broker twice: {there}"
        followed = Counter(each["replaces-order-id"] for each in self._theirs() if "replaces-order-id" in each)
        assert not followed or max(followed.values()) == 1, f"replaced twice: {followed}"

    def _no_secret(self) -> None:
        reasons = [e.reason for e in self.wire.events if isinstance(e, OrderRejected | OrderInDoubt)]
        doors, said = self.emulator.doors, "\n".join([*self.wire.said, *reasons])
        for secret in (ACCOUNT, doors.client_secret, doors.refresh_token, "Bearer"):
            assert secret not in said, "a secret was said"
        assert all("\n" not in line for line in [*self.wire.said, *reasons]), "more than a line was said"

    def _theirs(self) -> list[dict[str, Any]]:
        return list(self.wire.exchange.list(ACCOUNT, {"per-page": "200"}).items)

    def _told_well(self, events: Sequence[Event]) -> None:
        """Of each order: accepted once, before it fills; ended once, unless it was taken for lost; fills add up."""
        stamps = [event.ts for event in events]
        assert stamps == sorted(stamps), "time ran backwards"
        for order_id, made in self.orders.items():
            state, left = "new", made.request.quantity
            for event in events:
                match event:
                    case OrderAccepted(_, each) if each == order_id:
                        assert state == "new", f"{order_id}: accepted when {state}"
                        state = "live"
                    case OrderFilled(_, fill, still) if fill.order_id == order_id:
                        assert state == "live", f"{order_id}: filled when {state}"
                        left -= fill.quantity
                        assert still == left >= 0, f"{order_id}: {still} left, wanted {left}"
                        state = "live" if left else "filled"
                    case OrderCancelled(_, each) | OrderExpired(_, each) if each == order_id:
                        assert state == "live", f"{order_id}: ended when {state}"
                        state = "over"
                    case OrderRejected(_, each) if each == order_id:
                        assert state in ("new", "live"), f"{order_id}: rejected when {state}"
                        state = "rejected"
                    case OrderInDoubt(_, each) if each == order_id:
                        # One that was taken for lost works again.
                        state = "live" if state == "rejected" else state
            assert state in ("filled", "over", "rejected"), f"{order_id} is {state} in the end"

    def _books(self, events: Sequence[Event]) -> tuple[Ledger, dict[OptionContract, int]]:
        ledger = Ledger("USD", CASH, lambda _: Rate(Decimal(1), None))
        for event in events:
            if isinstance(event, OrderFilled):
                made = self.orders[event.fill.order_id]
                trade = made.request.trade_id or made.id
                booked = ledger.apply_fill(event.fill, made, DAY, trade, "")
                ledger.close_if_flat(booked.trade.id, event.ts)
        ledger.check()
        held: Counter[OptionContract] = Counter()
        for book in ledger.open.values():
            held.update(book.left)
        return ledger, {contract: n for contract, n in held.items() if n}


def run(seed: int, stage: Stage) -> Run:
    """Plays and checks one seed; AssertionError names it."""
    made = Run(seed, stage)

    async def main() -> None:
        await made.play()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"tasks left behind: {left}"

    try:
        asyncio.run(main())
        made.check()
    except AssertionError as error:
        raise AssertionError(
            f"fault run {seed} ({made.profile}): {error}; again: python -m tests.wire.fault_runs {seed}"
        ) from error
    return made


if __name__ == "__main__":
    first, count = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    shared = Stage()
    for number in range(first, first + count):
        told = run(number, shared).wire.events
        if count == 1:
            sys.stdout.writelines(f"{each}\n" for each in told)
