"""The exchange behind the emulator's wire: accounts, orders of every type, fills, margin and fees. No network, no wait.

Bodies come in parsed, answers go out as the content of ``data``; what is refused is raised as ``Refusal``. Time moves
only when ``advance`` is called: it does what was due, lets working orders meet the quotes of now, expires, settles and
resets. All that changed waits in an outbox of notices, whole objects equal to what REST answers, until ``drain``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Final

from adapters.emulator.exchange.account import Account
from adapters.emulator.exchange.admission import Admission
from adapters.emulator.exchange.charges import Charges
from adapters.emulator.exchange.complex import DRY_ID, Complex, parse_complex
from adapters.emulator.exchange.desk import Desk, Latency
from adapters.emulator.exchange.forms import (
    MS,
    ZERO,
    Json,
    Notice,
    Page,
    asked_day,
    asked_instant,
    day_of,
    invalid,
    many,
    missing,
    paged,
)
from adapters.emulator.exchange.listed import Clock, Prices, SettledAt
from adapters.emulator.exchange.margins import FUTURE_MARGIN, Margins
from adapters.emulator.exchange.order_json import CONTINGENT, LIVE, RECEIVED, Record
from adapters.emulator.exchange.profiles import Profile, Script, Scripted
from adapters.emulator.exchange.reports import (
    Pages,
    Standing,
    day_changed,
    effective_margin,
    history,
    look_back,
    new_minute,
    position_limit,
    trading_status,
)
from adapters.emulator.exchange.settlement import settle
from adapters.emulator.exchange.ticket import parse
from adapters.emulator.exchange.transactions import Transactions
from adapters.emulator.opening import Opening
from adapters.emulator.refusal import Refusal
from sim.calendar import date_ny
from sim.fees import FeeSchedule
from sim.margin import MarginModel
from sim.model.instrument import OptionContract

FIRST_ORDER: Final = 900_000
FIRST_COMPLEX: Final = 50_000
FIRST_TRANSACTION: Final = 30_000_000
# Named here because the class has a method ``list``.
Items = list[Json]
Numbers = list[str]
Notices = list[Notice]
TOO_CLOSE: Final = 60_000 * MS
"""In the last minute of an option nobody opens it any more."""


class Exchange:
    """Several accounts on one market. ``reset_every``: nanoseconds between cert's resets, None for never;
    ``settlement``: the price an option ends on, its underlying's last where None; ``keep_deliveries``: shares and
    futures of an exercise stay, else what they open is closed out at the settlement price."""

    def __init__(
        self,
        accounts: Sequence[Opening],
        prices: Prices,
        clock: Clock,
        profile: Profile,
        fees: FeeSchedule,
        margin: MarginModel,
        *,
        settlement: SettledAt | None = None,
        latency: Latency | None = None,
        future_margin: Mapping[str, int] = FUTURE_MARGIN,
        reset_every: int | None = None,
        too_close: int = TOO_CLOSE,
        keep_deliveries: bool = False,
    ) -> None:
        self._clock, self._prices, self._profile = clock, prices, profile
        self._charges = Charges(fees)
        self._margins = Margins(margin, prices, future_margin)
        self._pages = Pages(self._margins, prices)
        self._settlement, self._keep = settlement, keep_deliveries
        self._outbox: list[Notice] = []
        self._orders, self._complex_orders, self._rows = FIRST_ORDER, FIRST_COMPLEX, FIRST_TRANSACTION
        now = clock.now()
        self._now = now
        self._reset_every = reset_every
        self._next_reset = None if reset_every is None else now + reset_every
        self._accounts = {
            each.number: Account(each, now, Transactions(each.number, self._next_row)) for each in accounts
        }
        for account in self._accounts.values():
            account.begin(now, self._prices)
        self._desk = Desk(self._accounts, prices, profile, self._charges, latency or Latency(), self._outbox.append)
        self._admission = Admission(
            self._desk, prices, profile, self._charges, self._margins,
            lambda account, at, but: self._standing(account, at, but).power, too_close,
        )  # fmt: skip
        self._samples: dict[str, list[tuple[int, Decimal]]] = {number: [] for number in self._accounts}
        self._snapshots: dict[str, list[Json]] = {number: [] for number in self._accounts}
        for number in self._accounts:
            self._snapshot(number, "BOD", now)
            self._sample(number, now)

    # --- time --------------------------------------------------------------------------------------------------------

    def advance(self) -> None:
        """Time has moved, or the market has: everything that follows from it up to the clock's instant."""
        now = self._clock.now()
        if self._next_reset is not None and self._reset_every is not None and now >= self._next_reset:
            self._next_reset += ((now - self._next_reset) // self._reset_every + 1) * self._reset_every
            self.reset()
        turned = day_changed(self._now, now)
        if turned:
            for number in self._accounts:
                self._snapshot(number, "EOD", self._now)
                for position in self._accounts[number].positions.values():
                    position.end_day()
        while True:
            moved = self._desk.run_timers(now)
            if self._settle(now) or self._desk.match(now) or moved:
                continue
            break
        self._flush(now)
        for number in self._accounts:
            if turned:
                self._snapshot(number, "BOD", now)
            if new_minute(self._samples[number], now):
                self._sample(number, now)
        self._now = now

    def due(self) -> int | None:
        """The next instant at which something happens by itself, UTC ns; None where only the market can."""
        found = [at for at in (self._desk.due(self._clock.now()), self._next_reset) if at is not None]
        return min(found, default=None)

    def drain(self) -> Notices:
        """What has happened since the last call, oldest first."""
        out = list(self._outbox)
        self._outbox.clear()
        return out

    def check(self) -> None:
        """CheckFailed where the books of an account do not balance to the last digit."""
        for account in self._accounts.values():
            account.check()

    def records(self, account: str) -> list[Record]:
        """Every order of an account as it stands, the oldest first; not to be changed."""
        return [order for order in self._desk.orders.values() if order.account == account]

    def options(self, account: str) -> dict[OptionContract, int]:
        """Signed contracts that an account holds."""
        held = self._accounts[account].positions.values()
        return {p.instrument.contract: int(p.quantity) for p in held if p.instrument.contract is not None and p.lots}

    def reset(self) -> None:
        """Cert's reset: trades, transactions and positions are gone, balances as they began; the accounts stay."""
        now = self._clock.now()
        for index, account in enumerate(self._accounts.values(), 1):
            self._desk.forget(account.number)
            account.begin(now, self._prices)
            self._outbox.append(Notice(account.number, "TradingStatus", trading_status(account, index, now), now))
            self._desk.dirty.setdefault(account.number, set())
        self._flush(now)

    def script(self, external_identifier: str, script: Script) -> None:
        """What the order with this external identifier will do. ``Refusal`` where the profile is another one."""
        if not isinstance(self._profile, Scripted):
            raise Refusal(
                409, "not_scripted", f"The fill profile is {self._profile.name}; scripts need the profile scripted"
            )
        self._profile.scripts[external_identifier] = script

    def _settle(self, now: int) -> bool:
        found = False
        for account in self._accounts.values():
            touched = settle(account, self._prices, self._settlement, self._charges, now, keep=self._keep)
            if touched:
                self._desk.dirty.setdefault(account.number, set()).update(touched)
                found = True
        return found

    def _flush(self, now: int) -> None:
        """Positions and the balance of every account that changed, after its orders."""
        for number, symbols in sorted(self._desk.dirty.items()):
            account = self._accounts[number]
            standing = self._standing(account, now)
            for symbol in sorted(symbols & account.positions.keys()):
                data = account.position_json(account.positions[symbol])
                self._outbox.append(Notice(number, "CurrentPosition", data, now))
            balance = self._pages.balance(account, standing, now)
            self._outbox.append(Notice(number, "AccountBalance", balance, now))
        self._desk.dirty.clear()

    def _sample(self, number: str, now: int) -> None:
        self._samples[number].append((now, self._pages.worth(self._accounts[number])))

    def _snapshot(self, number: str, moment: str, at: int) -> None:
        account = self._accounts[number]
        page = self._pages.balance(account, self._standing(account, at), at)
        self._snapshots[number].append({**page, "time-of-day": moment})

    # --- simple orders -----------------------------------------------------------------------------------------------

    def place(self, account: str, body: object) -> Json:
        """POST /orders: ``{order, buying-power-effect, fee-calculation, warnings}``."""
        own, now = self._account(account), self._clock.now()
        order, answer = self._admission.simple(own, parse(body), now)
        order.id = self._next_order()
        self._desk.add(order)
        self._desk.dirty.setdefault(account, set())
        self._desk.admit(order, now)
        self._flush(now)
        return {"order": order.json(), **answer}

    def dry_run(self, account: str, body: object) -> Json:
        order, answer = self._admission.simple(self._account(account), parse(body), self._clock.now())
        return {"order": order.json(), **answer}

    def replace(self, account: str, order_id: int, body: object) -> Json:
        """PUT /orders/{id}: the order that takes the other's place."""
        own, now = self._account(account), self._clock.now()
        old = self._changeable(own, order_id)
        new, _ = self._admission.successor(own, old, body, now)
        new.id = self._next_order()
        new.replaces = old.id
        self._desk.add(new)
        self._desk.request_replace(old, new, now)
        self._flush(now)
        return new.json()

    def edit(self, account: str, order_id: int, body: object) -> Json:
        """PATCH /orders/{id}: as ``replace``."""
        return self.replace(account, order_id, body)

    def edit_dry_run(self, account: str, order_id: int, body: object) -> Json:
        """POST /orders/{id}/dry-run."""
        own = self._account(account)
        new, answer = self._admission.successor(own, self._changeable(own, order_id), body, self._clock.now())
        return {"order": new.json(), **answer}

    def cancel(self, account: str, order_id: int) -> Json:
        """DELETE /orders/{id}: the order, Cancel Requested or Cancelled."""
        order = self._order(self._account(account), order_id)
        if order.complex_id:
            raise _unchangeable("it belongs to a complex order; cancel that one")
        if order.status not in (RECEIVED, LIVE, CONTINGENT):
            raise _unchangeable()
        now = self._clock.now()
        self._desk.request_cancel(order, now)
        self._flush(now)
        return order.json()

    def get(self, account: str, order_id: int) -> Json:
        return self._order(self._account(account), order_id).json()

    def list(self, account: str, query: Mapping[str, object] | None = None) -> Page:
        """GET /orders: filters of the route, newest first unless ``sort`` is Asc."""
        query = query or {}
        wanted, first, last = many(query, "status"), asked_day(query, "start-date"), asked_day(query, "end-date")
        since, until = asked_instant(query, "start-at"), asked_instant(query, "end-at")
        # The documentation has the second spelling, and clients copied it.
        symbol = query.get("underlying-symbol") or query.get("underlyng-symbol") or query.get("futures-symbol")
        kind = query.get("underlying-instrument-type")
        own = self._account(account).number
        found = [
            order
            for order in self._desk.orders.values()
            if order.account == own
            and (not wanted or order.status in wanted)
            and (first is None or date_ny(order.received) >= first)
            and (last is None or date_ny(order.received) <= last)
            and (since is None or order.received >= since)
            and (until is None or order.received <= until)
            and (not symbol or order.underlying.underlying == symbol)
            and (not kind or order.underlying.underlying_type == kind)
        ]
        found.sort(key=lambda order: order.id, reverse=str(query.get("sort", "Desc")) != "Asc")
        return paged([order.json() for order in found], query, default=10, most=200)

    def live(self, account: str) -> Items:
        """GET /orders/live: every order made or changed today, whatever its status."""
        own, today = self._account(account).number, date_ny(self._clock.now())
        found = [o for o in self._desk.orders.values() if o.account == own]
        return [o.json() for o in reversed(found) if date_ny(o.updated * MS) == today or not o.over]

    def reconfirm(self, account: str, order_id: int) -> Json:
        """POST /orders/{id}/reconfirm: nothing here ever waits for a confirmation."""
        self._order(self._account(account), order_id)
        raise Refusal(422, "cannot_reconfirm_order", "Order is not in a state that can be reconfirmed")

    # --- complex orders ----------------------------------------------------------------------------------------------

    def place_complex(self, account: str, body: object) -> Json:
        own, now = self._account(account), self._clock.now()
        group, answer = self._admission.together(own, parse_complex(body), now)
        for order in group.members:
            order.id = self._next_order()
        self._complex_orders += 1
        group.id = self._complex_orders
        for order in group.members:
            order.complex_id = group.id
            self._desk.add(order)
        self._desk.complexes[group.id] = group
        data = group.json()
        for order in group.members:
            self._desk.changed(order, now)
        for order in group.begin():
            self._desk.start(order, now)
        self._desk.dirty.setdefault(account, set())
        self._flush(now)
        return {"complex-order": data, **answer}

    def dry_run_complex(self, account: str, body: object) -> Json:
        group, answer = self._admission.together(self._account(account), parse_complex(body), self._clock.now())
        for order in group.members:
            order.complex_id = DRY_ID
        return {"complex-order": group.json(), **answer}

    def get_complex(self, account: str, complex_id: int) -> Json:
        return self._complex(self._account(account), complex_id).json()

    def list_complex(self, account: str, query: Mapping[str, object] | None = None) -> Page:
        own = self._account(account).number
        found = [group for group in self._desk.complexes.values() if group.account == own]
        return paged([group.json() for group in reversed(found)], query or {}, default=10, most=200)

    def live_complex(self, account: str) -> Items:
        own, today = self._account(account).number, date_ny(self._clock.now())
        found = [group for group in self._desk.complexes.values() if group.account == own]
        return [g.json() for g in reversed(found) if not g.over or date_ny(g.terminal or g.received) == today]

    def cancel_complex(self, account: str, complex_id: int) -> Json:
        """DELETE /complex-orders/{id}: whatever of it still can be is cancelled."""
        group, now = self._complex(self._account(account), complex_id), self._clock.now()
        ready = [each for each in group.members if each.status in (RECEIVED, LIVE, CONTINGENT)]
        if not ready:
            raise _unchangeable()
        for order in ready:
            if not order.over:
                self._desk.request_cancel(order, now)
        self._flush(now)
        return group.json()

    # --- pages of an account -----------------------------------------------------------------------------------------

    @property
    def accounts(self) -> Numbers:
        return list(self._accounts)

    def account_json(self, account: str) -> Json:
        """The account itself, as the customer's list shows it."""
        return self._account(account).opening.record()

    def balances(self, account: str) -> Json:
        own, now = self._account(account), self._clock.now()
        return self._pages.balance(own, self._standing(own, now), now)

    def positions(self, account: str, query: Mapping[str, object] | None = None) -> Items:
        query, own = query or {}, self._account(account)
        self._pages.mark(own)
        under, closed = many(query, "underlying-symbol"), _true(query.get("include-closed-positions"))
        found = [
            own.position_json(position, marks=_true(query.get("include-marks")))
            for position in own.positions.values()
            if position.lots or closed
        ]
        for key in ("symbol", "instrument-type"):
            if query.get(key):
                found = [each for each in found if each[key] == query[key]]
        return [each for each in found if not under or each["underlying-symbol"] in under]

    def trading_status(self, account: str) -> Json:
        own = self._account(account)
        return trading_status(own, 1 + self.accounts.index(own.number), self._clock.now())

    def position_limit(self, account: str) -> Json:
        own = self._account(account)
        return position_limit(own, 1 + self.accounts.index(own.number))

    def transactions(self, account: str, query: Mapping[str, object] | None = None) -> Page:
        return self._account(account).transactions.list(query or {})

    def transaction(self, account: str, transaction_id: int) -> Json:
        return self._account(account).transactions.get(transaction_id)

    def total_fees(self, account: str, day: str | None = None) -> Json:
        """Fees of New York's date ``day``, today where it is not given."""
        asked: date | None = date_ny(self._clock.now()) if day is None else day_of(day)
        if asked is None:
            raise invalid(("date", "does not have a valid value"))
        return self._account(account).transactions.total_fees(asked)

    def net_liq_history(self, account: str, query: Mapping[str, object] | None = None) -> Items:
        query, now = query or {}, self._clock.now()
        own = self._account(account).number
        self._sample(own, now)
        since, span = asked_instant(query, "start-time"), look_back(str(query.get("time-back", "1d")), now)
        if span is None:
            raise invalid(("time-back", "does not have a valid value"))
        return history(self._samples[own], span[0] if since is None else since, span[1])

    def balance_snapshots(self, account: str, query: Mapping[str, object] | None = None) -> Page:
        query = query or {}
        moment = query.get("time-of-day")
        if moment not in ("BOD", "EOD"):
            raise invalid(("time-of-day", "is missing" if moment is None else "does not have a valid value"))
        exact, first, last = (asked_day(query, key) for key in ("snapshot-date", "start-date", "end-date"))
        found = [
            each
            for each in self._snapshots[self._account(account).number]
            if each["time-of-day"] == moment
            and (exact is None or each["snapshot-date"] == exact.isoformat())
            and (first is None or each["snapshot-date"] >= first.isoformat())
            and (last is None or each["snapshot-date"] <= last.isoformat())
        ]
        return paged(found, query, default=250, most=2000)

    def margin_requirements(self, account: str) -> Json:
        own, now = self._account(account), self._clock.now()
        return self._pages.margin_report(own, self._standing(own, now), now)

    def margin_dry_run(self, account: str, body: object) -> Json:
        """POST /margin/accounts/{a}/dry-run: the margin report of now, and what the order would do to it."""
        answer = self.dry_run(account, body)
        effect = answer["buying-power-effect"]
        return {**self.margin_requirements(account), **effect, "orders": [answer["order"]]}

    def effective_margin(self, account: str, symbol: str) -> Json:
        self._account(account)
        return effective_margin(symbol)

    def deposit(self, account: str, amount: Decimal) -> None:
        """Money in or, negative, out."""
        now = self._clock.now()
        self._account(account).deposit(amount, now)
        self._desk.dirty.setdefault(account, set())
        self._flush(now)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _next_order(self) -> int:
        self._orders += 1
        return self._orders

    def _next_row(self) -> int:
        self._rows += 1
        return self._rows

    def _account(self, number: str) -> Account:
        found = self._accounts.get(number)
        if found is None:
            raise Refusal(403, "not_permitted", "User not permitted access")
        return found

    def _order(self, account: Account, order_id: int) -> Record:
        found = self._desk.orders.get(order_id)
        if found is None or found.account != account.number:
            raise missing("order")
        return found

    def _complex(self, account: Account, complex_id: int) -> Complex:
        found = self._desk.complexes.get(complex_id)
        if found is None or found.account != account.number:
            raise missing("complex order")
        return found

    def _standing(self, account: Account, now: int, but: Record | None = None) -> Standing:
        reserved = sum((o.reserved for o in self._desk.working(account.number) if o is not but), ZERO)
        return self._pages.standing(account, reserved, now)

    def _changeable(self, account: Account, order_id: int) -> Record:
        """The order, where an edit may be asked of it; children wait for their trigger first."""
        order = self._order(account, order_id)
        waits = order.status == CONTINGENT and (order.complex_id or order.replaces)
        if order.status not in (RECEIVED, LIVE, CONTINGENT) or waits:
            raise _unchangeable("it cannot be replaced now")
        return order


def _unchangeable(why: str = "the order could not be cancelled") -> Refusal:
    return Refusal(422, "cannot_update_order", f"Order cannot be updated: {why}")


def _true(value: object) -> bool:
    return value is True or (isinstance(value, str) and value.lower() == "true")
