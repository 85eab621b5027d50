"""The life of orders between their arrival and their end, on the clock: routing, matching, cancels, replacements,
complex orders, expiry. It trades for accounts and tells of every change; whether an order may come in is not its trade.

Two things move an order: timers, done in the order of their instants, each stamped with its own; and the quotes of now,
met by what works once the timers are done. After a jump in time the quotes in between are not known: what was to be
cancelled or to expire before now is gone before anything fills.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from adapters.emulator.exchange.account import Account
from adapters.emulator.exchange.charges import Charges
from adapters.emulator.exchange.complex import Complex
from adapters.emulator.exchange.forms import MS, ZERO, Json, Notice, number
from adapters.emulator.exchange.listed import Prices, Sides, day_ends, is_open, opens_next
from adapters.emulator.exchange.order_json import (
    CANCEL_REQUESTED,
    CANCELLED,
    CONTINGENT,
    EXPIRED,
    FILLED,
    IN_FLIGHT,
    LIVE,
    RECEIVED,
    REJECTED,
    REPLACE_REQUESTED,
    ROUTED,
    WORKING,
    FillRow,
    Record,
)
from adapters.emulator.exchange.profiles import Execution, Profile, fill_id
from adapters.emulator.exchange.transactions import Entry
from sim.calendar import date_ny, load_calendar

IOC_PATIENCE: Final = 400 * MS


@dataclass(frozen=True, slots=True)
class Latency:
    """Nanoseconds from one state to the next, as captures show them."""

    in_flight: int = 50 * MS
    live: int = 50 * MS
    cancel: int = 130 * MS
    replace: int = 50 * MS


class Desk:
    """All orders of all accounts. Instants are UTC ns."""

    def __init__(
        self,
        accounts: Mapping[str, Account],
        prices: Prices,
        profile: Profile,
        charges: Charges,
        latency: Latency,
        tell: Callable[[Notice], None],
    ) -> None:
        self.accounts = accounts
        self.prices = prices
        self.profile = profile
        self.charges = charges
        self.latency = latency
        self.orders: dict[int, Record] = {}
        self.complexes: dict[int, Complex] = {}
        self.dirty: dict[str, set[str]] = {}
        self._open: dict[int, Record] = {}
        self._timers: list[tuple[int, int, str, int]] = []
        self._seq = 0
        self._tell = tell

    # --- what comes in -----------------------------------------------------------------------------------------------

    def add(self, order: Record) -> None:
        """An order that has its number. What waits, for another one or for the opening, has a time of its own."""
        order.touch(order.received)
        self.orders[order.id] = self._open[order.id] = order

    def admit(self, order: Record, at: int) -> None:
        """A simple order that was added: it starts, or waits for its rule."""
        rule = order.ticket.rule
        if rule is not None and rule.cancel_at is not None:
            self._at(rule.cancel_at, "cancel-at", order)
        if rule is not None and (rule.route_after is not None or any(c["action"] == "route" for c in rule.conditions)):
            if order.status == RECEIVED:
                order.to(CONTINGENT, at)
            order.contingent = "Pending Condition"
            if rule.route_after is not None:
                self._at(rule.route_after, "rule", order)
            self.changed(order, at)
            return
        self.start(order, at)

    def start(self, order: Record, at: int) -> None:
        """Routes it, or keeps it until the next session."""
        tif, venue = order.ticket.tif, order.underlying.venue
        order.walk = at
        if order.expires is None:
            order.expires = self._expiry(order, at)
            if order.expires is not None:
                self._at(order.expires, "expire", order)
        if not self.profile.hours or is_open(venue, at, tif):
            self._route(order, at)
            return
        if order.status == CONTINGENT:
            order.to(RECEIVED, at)
        self._at(opens_next(venue, at, tif), "route", order)
        self.changed(order, at)

    def request_cancel(self, order: Record, at: int) -> None:
        """Of a live order after the exchange's own time, of one that never got there at once."""
        if order.status == LIVE:
            order.to(CANCEL_REQUESTED, at)
            self._at(at + self.latency.cancel, "cancel", order)
            self.changed(order, at)
        else:
            self._end(order, CANCELLED, at)

    def request_replace(self, old: Record, new: Record, at: int) -> None:
        """``new`` (added, contingent) waits until ``old`` is off the exchange, and goes on with what is left of it."""
        old.edited, old.replacing = True, new.id
        if (group := self.complexes.get(old.complex_id)) is not None:
            group.succeed(old, new)
        if old.status == LIVE:
            old.to(REPLACE_REQUESTED, at)
            self._at(at + self.latency.replace, "replace", old)
            self.changed(new, at)
            self.changed(old, at)
            return
        self.changed(new, at)
        self._end(old, CANCELLED, at)
        self.admit(new, at)

    # --- time --------------------------------------------------------------------------------------------------------

    def due(self, now: int) -> int | None:
        """The next instant at which something happens by itself."""
        return self._timers[0][0] if self._timers else None

    def run_timers(self, now: int) -> bool:
        """Everything that was due up to now, in order; whether there was anything."""
        found = False
        while self._timers and self._timers[0][0] <= now:
            at, _, what, order_id = heapq.heappop(self._timers)
            order = self.orders.get(order_id)
            if order is not None and not order.over:
                self._fire(what, order, at)
            found = True
        return found

    def match(self, now: int) -> bool:
        """Working orders and waiting rules meet the quotes of now; whether something happened."""
        found = False
        for order in [self._open[key] for key in sorted(self._open)]:
            if order.status in (CONTINGENT, RECEIVED, LIVE) and self._rule(order, now):
                found = True
            elif order.status in WORKING:
                while self._fill(order, now):
                    found = True
                if order.ticket.tif == "IOC" and order.status == LIVE and now >= order.live + IOC_PATIENCE:
                    self._end(order, CANCELLED, now)
                    found = True
        return found

    def forget(self, account: str) -> None:
        """Deletes the account's orders, as a reset does."""
        for orders in (self.orders, self._open):
            for key in [key for key, order in orders.items() if order.account == account]:
                del orders[key]
        for key in [key for key, group in self.complexes.items() if group.account == account]:
            del self.complexes[key]

    def working(self, account: str) -> list[Record]:
        return [order for order in self._open.values() if order.account == account]

    def sides(self, order: Record) -> list[Sides]:
        return [self.prices.quote(leg.instrument.symbol) for leg in order.legs]

    # --- the steps ---------------------------------------------------------------------------------------------------

    def _at(self, instant: int, what: str, order: Record) -> None:
        self._seq += 1
        heapq.heappush(self._timers, (instant, self._seq, what, order.id))

    def _fire(self, what: str, order: Record, at: int) -> None:
        match what:
            case "route" if order.status == RECEIVED:
                self._route(order, at)
            case "in-flight" if order.status == ROUTED:
                reason = self.profile.rejects(order)
                if reason is None:
                    order.to(IN_FLIGHT, at)
                    self._at(at + self.latency.live, "live", order)
                    self.changed(order, at)
                else:
                    self._end(order, REJECTED, at, reason)
            case "live" if order.status == IN_FLIGHT:
                order.to(LIVE, at)
                if order.doomed:
                    self._end(order, order.doomed, at)
                    return
                self.changed(order, at)
                self._wake(order)
                if order.ticket.tif == "IOC":
                    # Nothing but a reason to look: what it meets then decides whether it fills or ends.
                    self._at(at + IOC_PATIENCE, "look", order)
            case "fill" if order.status in WORKING:
                if not self._may_trade(order, at):
                    self._at(opens_next(order.underlying.venue, at, order.ticket.tif), "fill", order)
                else:
                    self._fill(order, at)
            case "cancel" if order.status == CANCEL_REQUESTED:
                self._end(order, CANCELLED, at)
            case "replace" if order.status == REPLACE_REQUESTED:
                self._replaced(order, at)
            case "expire":
                self._expire(order, at)
            case "rule" if order.status == CONTINGENT:
                self._rule(order, at)
            case "cancel-at":
                self.take_off(order, at)

    def _route(self, order: Record, at: int) -> None:
        order.walk = at
        order.to(ROUTED, at)
        self._at(at + self.latency.in_flight, "in-flight", order)
        self.changed(order, at)

    def _wake(self, order: Record) -> None:
        if order.status in WORKING and (instant := self.profile.wakes(order)) is not None:
            self._at(instant, "fill", order)

    def _may_trade(self, order: Record, at: int) -> bool:
        return not self.profile.hours or is_open(order.underlying.venue, at, order.ticket.tif)

    def _fill(self, order: Record, now: int) -> bool:
        if order.status not in WORKING or not self._may_trade(order, now):
            return False
        execution = self.profile.fill(order, self.sides(order), now)
        if execution is None:
            return False
        self._book(order, execution)
        self._wake(order)
        return True

    def _book(self, order: Record, execution: Execution) -> None:
        """Writes a fill into the order, the account and the books, and what follows from it."""
        account, at = self.accounts[order.account], execution.at
        units, k = min(execution.units, order.left), len(order.legs[0].fills)
        day, group_id = f"{date_ny(at):%Y%m%d}", str(order.id * 10)
        for i, (leg, price) in enumerate(zip(order.legs, execution.prices, strict=True)):
            quantity = (leg.quantity or ZERO) / order.size * units
            charge = self.charges.of(leg.instrument, quantity, leg.action, leg.filled)
            name = fill_id(self.profile, order, i, day, k)
            leg.fills.append(FillRow(name, group_id, quantity, price, at, self.profile.venue))
            entry = Entry(
                "Trade", leg.action, leg.action, order.id, group_id, name, self.profile.venue, len(order.legs)
            )
            account.trade(leg.instrument, leg.sign * quantity, price, charge, entry, at)
            self.dirty.setdefault(order.account, set()).add(leg.instrument.symbol)
        order.reserved = order.reserved * (order.left - units) / order.left
        order.done += units
        group = self.complexes.get(order.complex_id)
        successor = self.orders.get(order.replacing)
        if order.left:
            order.touch(at)
            self.changed(order, at)
        else:
            if group is not None and successor is not None:
                group.restore(order, successor)
            self._end(order, FILLED, at)
            if successor is not None and not successor.over:
                self.take_off(successor, at)
        if group is not None:
            ready, gone = group.after_fill(order)
            for each in gone:
                self.take_off(each, at)
            for each in ready:
                self.start(each, at)

    def take_off(self, order: Record, at: int) -> None:
        """Ends an order at once, whatever was under way; one between the broker and the exchange as soon as it has
        arrived. What it was to replace goes with it."""
        if (old := self.orders.get(order.replaces)) is not None and not old.over and old.status != FILLED:
            self._end(old, CANCELLED, at)
        if order.over:
            return
        if order.status in (ROUTED, IN_FLIGHT):
            order.doomed = order.doomed or CANCELLED
        else:
            self._end(order, CANCELLED, at)

    def _end(self, order: Record, status: str, at: int, reason: str = "") -> None:
        order.to(status, at, reason)
        self._open.pop(order.id, None)
        self.dirty.setdefault(order.account, set())
        self.changed(order, at)
        group = self.complexes.get(order.complex_id)
        if group is not None:
            for each in group.after_end(order):
                self.take_off(each, at)
            if group.over and not group.terminal:
                group.terminal = at
                self._tell(Notice(group.account, "ComplexOrder", group.json(), at))

    def _replaced(self, old: Record, at: int) -> None:
        """The exchange let go of the old order: the new one takes what is left."""
        new = self.orders[old.replacing]
        left = old.left
        self._end(old, CANCELLED, at)
        if new.over:
            return
        if left != new.size:
            for leg in new.legs:
                if leg.quantity is not None:
                    leg.quantity = leg.quantity / new.size * left
            new.ticket, new.size = new.ticket.with_size(left), left
        self.start(new, at)

    def _expire(self, order: Record, at: int) -> None:
        match order.status:
            case "Received" | "Live" | "Contingent":
                self._end(order, EXPIRED, at)
            case "Routed" | "In Flight":
                order.doomed = order.doomed or EXPIRED
            case "Cancel Requested" | "Replace Requested":
                # Its end is on its way, and comes first.
                pass

    def _expiry(self, order: Record, at: int) -> int | None:
        tif, venue = order.ticket.tif, order.underlying.venue
        ends = [leg.instrument.stops_trading for leg in order.legs]
        found = [end for end in ends if end is not None]
        if tif in ("Day", "Ext", "Ext Overnight"):
            found.append(day_ends(venue, at, tif))
        if tif == "GTD" and order.ticket.gtc_date is not None:
            calendar = load_calendar()
            found.append(calendar.session(venue, calendar.session_on_or_before(order.ticket.gtc_date)).close_ns)
        return max(min(found), at + 1) if found else None

    def _rule(self, order: Record, now: int) -> bool:
        """Whether the order's rule routed it or took it off now."""
        rule = order.ticket.rule
        if rule is None:
            return False
        cancels = [c for c in rule.conditions if c["action"] == "cancel"]
        if any(self._met(c) for c in cancels):
            self.take_off(order, now)
            return True
        if order.status != CONTINGENT or order.contingent != "Pending Condition":
            return False
        waits = rule.route_after is not None and now < rule.route_after
        if waits or not all(self._met(c) for c in rule.conditions if c["action"] == "route"):
            return False
        self.start(order, now)
        return True

    def _met(self, condition: Json) -> bool:
        bid, ask, last = self.prices.quote(str(condition["symbol"]))
        price: Decimal | None = last
        if condition["indicator"] == "nat":
            price = None if bid is None or ask is None else (bid + ask) / 2
        threshold = number(condition["threshold"])
        if price is None or threshold is None:
            return False
        return price >= threshold if condition["comparator"] == "gte" else price <= threshold

    # --- telling -----------------------------------------------------------------------------------------------------

    def changed(self, order: Record, at: int) -> None:
        """The whole order, and its complex order where it has one."""
        self._tell(Notice(order.account, "Order", order.json(), at))
        group = self.complexes.get(order.complex_id)
        if group is not None:
            self._tell(Notice(group.account, "ComplexOrder", group.json(), at))
