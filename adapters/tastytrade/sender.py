"""Sends orders, replacements and cancels, each once, and says what came of it.

Of what moves an order three things can come: the broker takes it, it surely did not happen (rejected, with every code),
or nobody knows (``indoubt`` finds out). A cancel is harmless twice and is repeated until the order is over, or the
broker has taken it.

A dry run takes its time. Whether an order may be sent is therefore asked before it and once more right before it goes
out, and the limit that goes out is made of the quotes of that moment. An opening whose market has moved by more than
the cushion meanwhile has its dry run again, and is given up after the third; a close goes out at the price of now.

Refuses to send what may not be sent: without permission, refused by its dry run, or cancelled before it went out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple

from adapters.tastytrade.account_book import AccountBook
from adapters.tastytrade.dealings import Dealings
from adapters.tastytrade.errors import InDoubt, NotFound, Unprocessable
from adapters.tastytrade.indoubt import READS, Resolver, Sent
from adapters.tastytrade.orders.bodies import (
    Body,
    first_of,
    is_complex,
    net_price,
    order_body,
    price_fields,
    replace_body,
    ticks_of,
    whole_body,
)
from adapters.tastytrade.orders.dry_run import Policy, judge, read_dry_run
from adapters.tastytrade.rest.shapes_order import PlacedOrder
from adapters.tastytrade.streams.supervise import STEP_S
from adapters.tastytrade.symbols import wire_symbol
from adapters.tastytrade.terms import Prices, Terms, slipped, terms
from sim.clock import stopwatch
from sim.model.errors import BrokerError, TomkingError
from sim.model.event import OrderInDoubt
from sim.model.order import Intent, Order, Status
from sim.resting import brought

ON_ITS_WAY: Final = "this program ended while it was on its way"
SENT_BEFORE: Final = "an earlier program ended while it was on its way"
UNWANTED: Final = "cancelled before it was sent"
FASTER: Final = "the market moves by more than the cushion while each dry run lasts; nothing was sent"
DRY_RUNS: Final = 3
"""Of one opening, at most."""
PASSING: Final = ("closing_quantity_exceeds_position", "closing_with_no_position", "margin_check_failed")
"""Refusals of an order that is taken at another time."""
LEAVING: Final = "Cancel Requested"
SHADOW: Final = "shadow: the broker's dry run would take it; nothing was sent"
LONGEST_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Conduct:
    """How orders are sent.

    ``dry_run``: the broker is asked first, and ``warnings`` says which of its warnings refuse. ``cushion``: ticks that
    a marketable limit gives away beyond the natural price. Seconds: ``reads`` before each reading of the orders while
    one is in doubt; ``busy`` to wait until an order can be replaced or a position that is to be closed is shown, with a
    reading each ``step``; ``audit`` between readings of all orders while one works; ``patience`` for the start;
    ``beat`` between two looks at what time alone brings to the account's stream. ``blind``: an opening order may go out
    at its own limit where there are no quotes (``terms``). ``shadow``: an order gets as far as its dry run, and no
    further; cancels are sent.
    """

    dry_run: bool = True
    warnings: Policy = field(default_factory=Policy)
    cushion: int = 2
    reads: tuple[float, ...] = READS
    busy: float = 10.0
    step: float = 1.0
    audit: float = 60.0
    patience: float = 30.0
    blind: bool = False
    beat: float = STEP_S
    shadow: bool = False


class No(NamedTuple):
    """Why an order is not sent; ``lasting``: the broker would say so of the same order again."""

    text: str
    lasting: bool


class Ready(NamedTuple):
    """What an order would go out as."""

    terms: Terms
    body: Body


Made = Callable[[int | None], Body]
"""Makes the body of an order of a limit, net ticks."""
DryRun = Callable[[Body], Awaitable[PlacedOrder]]
Timed = Callable[[str, float], None]
"""Is told the id of an order and the seconds from its submission until it was handed to the network."""


def untimed(order_id: str, seconds: float) -> None:
    """Nobody measures."""


Consent = Callable[[Order], Awaitable[str]]
"""Asks whoever has to be asked, for as long as that takes: a reason why an order may not be sent, or nothing."""


async def unasked(order: Order) -> str:
    """Nobody has to be asked."""
    return ""


class Sender:
    """``permit`` gives a reason why an order may not be sent, or nothing; ``consent`` is asked before it."""

    def __init__(
        self,
        dealings: Dealings,
        book: AccountBook,
        conduct: Conduct,
        *,
        prices: Prices | None,
        permit: Callable[[Order], str],
        consent: Consent = unasked,
        timed: Timed = untimed,
        watch: Callable[[], float] = stopwatch,
    ) -> None:
        self._known, self._book, self._conduct = dealings, book, conduct
        self._prices, self._permit, self._consent = prices, permit, consent
        self._timed, self.watch = timed, watch
        self._resolver = Resolver(dealings, conduct.reads)
        self._unwanted: set[str] = set()
        self._alone: set[str] = set()
        """Openings that the broker would not take with what they were to bring."""
        self.sent: set[str] = set()
        """Orders that were handed to the network."""

    # --- orders -----------------------------------------------------------------------------------------------------

    def refuse(self, order_id: str, reason: str, *, by_broker: bool = False) -> None:
        """It was not sent, or the broker did not take it: then ``by_broker``, where it was this very order."""
        self._known.tell(self._known.tracker.refuse(order_id, reason, self._known.now(), by_broker=by_broker))

    async def submit(self, order: Order, began: float) -> None:
        """One order from the wish to the broker's answer. ``began``: by ``watch``, when it was submitted."""
        rest, account = self._known.rest, self._known.account

        def ask(body: Body) -> Awaitable[PlacedOrder]:
            return (rest.complex_orders if is_complex(body) else rest.orders).dry_run(account, body)

        body = await self._agreed(order, lambda limit: self._whole(order, limit), ask)
        if body is None:
            return

        async def place(sending: Callable[[], None]) -> Mapping[str, Any]:
            if is_complex(body):
                placed = await rest.complex_orders.place(account, body, sending)
                assert placed.complex_order is not None, "an answer without an order is in doubt"
                return placed.complex_order.raw
            placed = await rest.orders.place(account, body, sending)
            assert placed.order is not None, "an answer without an order is in doubt"
            return placed.order.raw

        await self._send(Sent(order, first_of(body), self._known.now()), began, place)

    def _whole(self, order: Order, limit: int | None) -> Body:
        """The body of an order with its stop, or with what it brings, where the broker has not refused that."""
        if order.id in self._alone:
            return order_body(order, limit=limit)
        return whole_body(order, limit, self._brought(order, limit))

    @staticmethod
    def _brought(order: Order, limit: int | None) -> Order | None:
        """What comes with it, of the price that it has on the wire."""
        request = order.request
        return None if limit is None else brought(order, ticks_of(request, net_price(request, limit)))

    async def find(self, order: Order, *, replacement: bool = False) -> None:
        """Looks for an order that an earlier program may have sent; told to be lost where it does not turn up."""
        price = {} if order.request.limit is None else price_fields(net_price(order.request, order.request.limit))
        await self._resolver.resolve(Sent(order, price, order.created_ns, replacement), SENT_BEFORE)

    async def replace(self, old: str, order: Order, began: float) -> None:
        """One order in the place of another, which keeps its legs."""
        known, rest = self._known, self._known.rest
        if no := self._unlike(old, order):
            self.refuse(order.id, no)
            return
        await self._until_editable(old)
        target = next(iter(known.tracker.working(old)), None)
        if known.tracker.status(old).done or target is None:
            self.refuse(order.id, f"order {old} does not work any more: nothing was replaced")
            return
        account = known.account
        body = await self._agreed(
            order, lambda limit: replace_body(order, limit=limit),
            lambda body: rest.orders.edit_dry_run(account, target, body),
        )  # fmt: skip
        if body is None:
            return

        async def put(sending: Callable[[], None]) -> Mapping[str, Any]:
            return (await rest.orders.replace(account, target, body, sending)).raw

        known.tracker.replaces(old, order.id)
        await self._send(Sent(order, body, known.now(), replacement=True), began, put)
        if not known.tracker.broker_ids(order.id):
            await self._looked_at(old)

    def _unlike(self, old: str, order: Order) -> str:
        """Why one cannot take the other's place: the broker changes prices and times, and nothing else."""
        was, wanted = self._known.tracker.order(old).request, order.request
        if was.stop is not None or wanted.stop is not None:
            return f"order {old} or {order.id} has a stop beside it: a pair is not replaced; cancel it"
        if set(was.legs) != set(wanted.legs):
            return f"order {old} has other legs: only its price and time in force can be replaced; cancel it"
        units = (was.quantity, self._known.tracker.left(old))
        if wanted.quantity not in units:
            sizes = f"{units[0]}, {units[1]} left"
            return f"order {old} is of {sizes}: a replacement cannot be of {wanted.quantity}; cancel it"
        return ""

    async def _agreed(self, order: Order, made: Made, dry_run: DryRun) -> Body | None:
        """The body to send now, when everything speaks for it; None where it was refused. ``made`` makes it of a limit,
        net ticks."""
        no = "" if order.id in self._unwanted else await self._consent(order)
        # A yes takes its time: everything else is looked at after it.
        ready = self._ready(order, made, no)
        if ready is not None and order.request.intent is Intent.CLOSE:
            # The broker's books follow its fills with a delay, and a close that comes too early opens.
            await self._known.pause(self._conduct.busy, lambda: self._held(order))
            ready = self._ready(order, made)
        for _ in range(DRY_RUNS):
            if ready is None:
                return None
            before: Ready | None = ready
            if self._conduct.dry_run:
                before = await self._rehearsed(order, ready, made, dry_run)
                ready = None if before is None else self._ready(order, made)
            if ready is not None and self._conduct.shadow:
                self.refuse(order.id, SHADOW)
                return None
            if ready is not None and before is not None and not slipped(order, before.terms, ready.terms):
                return ready.body
        if ready is not None:
            self.refuse(order.id, FASTER)
        return None

    async def _rehearsed(self, order: Order, ready: Ready, made: Made, dry_run: DryRun) -> Ready | None:
        """What the broker would take of it; None where it would not, which is told. An opening is asked for by itself
        where it may not bring anything along: its target is put once it has filled."""
        closes, asked = order.request.intent is Intent.CLOSE, ready
        no = await self._asked(partial(dry_run, asked.body), closes=closes)
        if no is not None and not closes and is_complex(asked.body):
            self._known.say(f"order {order.id} goes without what it was to bring: {no.text}")
            self._alone.add(order.id)
            again = self._ready(order, made)
            if again is None:
                return None
            asked, no = again, await self._asked(partial(dry_run, again.body), closes=closes)
        if no is not None:
            self.refuse(order.id, no.text, by_broker=no.lasting)
            return None
        return asked

    def _ready(self, order: Order, made: Made, no: str = "") -> Ready | None:
        """Terms and body of this moment; None where nothing may be sent at it, which is told."""
        no = UNWANTED if order.id in self._unwanted else no or self._permit(order)
        try:
            agreed = Terms(reason=no) if no else self._terms(order)
            ready = None if agreed.reason else Ready(agreed, made(agreed.limit))
        except TomkingError as error:
            agreed, ready = Terms(reason=str(error)), None
        if ready is None:
            self.refuse(order.id, agreed.reason)
        return ready

    def _terms(self, order: Order) -> Terms:
        return terms(order, self._prices, self._conduct.cushion, blind=self._conduct.blind)

    async def _send(self, sent: Sent, began: float, send: Callable[[Callable[[], None]], Any]) -> None:
        order_id = sent.order.id

        def sending() -> None:
            self.sent.add(order_id)
            self._timed(order_id, self.watch() - began)

        try:
            raw = await send(sending)
        except asyncio.CancelledError:
            if order_id in self.sent and not self._known.tracker.status(order_id).done:
                self._known.tell([OrderInDoubt(self._known.now(), order_id, ON_ITS_WAY)])
            raise
        except InDoubt as doubt:
            await self._resolver.resolve(sent, str(doubt))
        except TomkingError as error:
            # Whatever else it is, it did not happen.
            self.refuse(order_id, _why(error), by_broker=_lasts(error))
        else:
            self._known.bound(order_id, raw)

    async def _asked(self, ask: Callable[[], Any], *, closes: bool) -> No | None:
        """Why the broker would not take an order, by its dry run; None where it would."""
        policy = self._conduct.warnings if closes else self._conduct.warnings.of_opening()
        try:
            answer: PlacedOrder = await ask()
            verdict = judge(read_dry_run(answer.raw), policy, closes=closes)
        except TomkingError as error:
            return No(f"dry run: {_why(error)}; nothing was sent", _lasts(error))
        for kept in verdict.kept:
            self._known.say(f"the broker warns: {kept}")
        reasons = [*map(str, answer.refused), *verdict.reasons]
        if verdict.ok and not reasons:
            return None
        return No(f"dry run: {'; '.join(dict.fromkeys(reasons))}; nothing was sent", lasting=True)

    def _held(self, order: Order) -> bool:
        """Whether the account is shown to hold what the order closes."""
        book, units = self._book.book, order.request.quantity
        return all(
            -leg.action.sign * book.held(wire_symbol(leg.contract)) >= leg.ratio * units for leg in order.request.legs
        )

    def unpriced(self, order: Order) -> str:
        """Why it could not be priced now."""
        return self._terms(order).reason

    # --- cancels ----------------------------------------------------------------------------------------------------

    def unwanted(self, order_id: str) -> None:
        """It is to be cancelled: what has not gone out does not go out."""
        self._unwanted.add(order_id)

    async def cancel(self, order_id: str) -> None:
        """Cancels what of an order works at the broker; returns when the broker has taken that or the order is over."""
        known, tracker = self._known, self._known.tracker
        waits = refused = self._conduct.step
        doubted = False
        while not tracker.status(order_id).done:
            target = next(iter(tracker.working(order_id)), None)
            if target is None:
                if not tracker.broker_ids(order_id):
                    return
                await self._looked_at(order_id)
                if not known.tracker.working(order_id):
                    await known.pause(waits, lambda: self._may_cancel(order_id))
                continue
            try:
                taken = await self._taken_off(target)
            except (Unprocessable, NotFound):
                await self._looked_at(order_id)
                if tracker.working(order_id) and self._leaving(order_id):
                    # An earlier one has arrived, whatever was answered.
                    return
                await known.pause(refused, lambda: self._may_cancel(order_id))
                refused = min(2 * refused, LONGEST_S)
            except BrokerError as error:
                if tracker.status(order_id).done:
                    # The stream was faster than the answer, and nothing is in doubt.
                    return
                if not doubted:
                    doubted = True
                    reason = f"its cancel may not have arrived: {error}"
                    known.tell([OrderInDoubt(known.now(), order_id, reason)])
                await known.pause(waits, lambda: tracker.status(order_id).done)
                waits = min(2 * waits, LONGEST_S)
                await self._looked_at(order_id)
            else:
                known.hear(taken)
                if not is_complex(taken) or self._leaving(order_id):
                    return
                # Of a complex order what cannot be cancelled yet stays as it is.
                await known.pause(self._conduct.step, lambda: tracker.status(order_id).done)

    async def _taken_off(self, target: str) -> Mapping[str, Any]:
        """Cancels one order of the broker, or the complex one that it belongs to: the broker takes it apart no other
        way."""
        known = self._known
        seen = known.tracker.broker_order(target)
        if seen is not None and seen.complex_id:
            return (await known.rest.complex_orders.cancel(known.account, seen.complex_id)).raw
        return (await known.rest.orders.cancel(known.account, target)).raw

    def _leaving(self, order_id: str) -> bool:
        """Whether all that works of an order is on its way out."""
        tracker = self._known.tracker
        orders = [tracker.broker_order(each) for each in tracker.working(order_id)]
        return all(each is not None and each.newest.status == LEAVING for each in orders)

    def _may_cancel(self, order_id: str) -> bool:
        tracker = self._known.tracker
        if tracker.status(order_id).done:
            return True
        orders = [tracker.broker_order(each) for each in tracker.working(order_id)]
        return any(each is not None and each.cancellable for each in orders)

    async def _until_editable(self, old: str) -> None:
        """Waits for the old order to be one that can be replaced, or over; as long as ``busy`` says."""
        tracker, waited = self._known.tracker, 0.0

        def ready() -> bool:
            if tracker.status(old) is not Status.LIVE:
                return tracker.status(old).done
            seen = [tracker.broker_order(each) for each in tracker.working(old)]
            return any(each is not None and each.editable for each in seen)

        while not ready() and waited < self._conduct.busy:
            await self._known.pause(self._conduct.step, ready)
            waited += self._conduct.step
            if not ready():
                await self._looked_at(old)

    async def _looked_at(self, order_id: str) -> None:
        """Reads it again, as far as that can be done now."""
        try:
            await self._known.reread(order_id)
        except BrokerError as error:
            self._known.say(f"order {order_id} could not be read again: {error}")


def _lasts(error: TomkingError) -> bool:
    """Whether the broker has refused the order for what it is, and not for what the account is just now."""
    return isinstance(error, Unprocessable) and not any(code in str(error) for code in PASSING)


def _why(error: BaseException) -> str:
    return " ".join(str(error).split())
