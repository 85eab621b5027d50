"""The account's transactions: every fill, fee, settlement and deposit, one row each; never changed, only added to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from adapters.emulator.exchange.charges import Charge
from adapters.emulator.exchange.forms import (
    ZERO,
    Json,
    Page,
    asked_day,
    asked_instant,
    effect,
    iso,
    many,
    missing,
    paged,
    signed,
    text,
)
from adapters.emulator.exchange.listed import Instrument
from sim.calendar import date_ny


@dataclass(frozen=True, slots=True)
class Entry:
    """What the row says beside the amounts. ``kind`` and ``sub`` are the wire's type and sub type."""

    kind: str
    sub: str
    action: str = ""
    order_id: int = 0
    exec_id: str = ""
    fill_id: str = ""
    venue: str = ""
    legs: int = 1


@dataclass(frozen=True, slots=True)
class Row:
    """``value`` and ``net`` signed, credit positive; ``quantity`` signed, bought positive; ``fees`` positive."""

    id: int
    at: int
    day: date
    symbol: str
    quantity: Decimal
    value: Decimal
    fees: Decimal
    json: Json

    @property
    def net(self) -> Decimal:
        return self.value - self.fees


@dataclass(slots=True)
class Transactions:
    """Rows of one account, oldest first. ``next_id`` counts over all accounts."""

    account: str
    next_id: Callable[[], int]
    rows: list[Row] = field(default_factory=list)

    def trade(
        self,
        instrument: Instrument,
        quantity: Decimal,
        price: Decimal,
        value: Decimal,
        charge: Charge,
        entry: Entry,
        at: int,
    ) -> None:
        did = f"{entry.action or entry.sub} {abs(quantity):f} {instrument.symbol} @ {price:f}"
        out = self._common(entry.kind, entry.sub, did if entry.kind == "Trade" else entry.sub, value, charge.total, at)
        out |= {
            "symbol": instrument.symbol,
            "instrument-type": instrument.type,
            "underlying-symbol": instrument.underlying,
            "quantity": text(abs(quantity)),
            "price": text(price),
            **charge.keys(),
        }
        for key, word in (
            ("action", entry.action), ("order-id", entry.order_id), ("exec-id", entry.exec_id),
            ("ext-exec-id", entry.exec_id), ("ext-group-fill-id", entry.fill_id),
            ("destination-venue", entry.venue),
        ):  # fmt: skip
            if word:
                out[key] = word
        if entry.order_id:
            out["leg-count"] = entry.legs
        self.rows.append(Row(out["id"], at, date_ny(at), instrument.symbol, quantity, value, charge.total, out))

    def money(self, amount: Decimal, sub: str, at: int, fees: Decimal = ZERO) -> None:
        out = self._common("Money Movement", sub, sub, amount, fees, at)
        self.rows.append(Row(out["id"], at, date_ny(at), "", ZERO, amount, fees, out))

    def _common(self, kind: str, sub: str, said: str, value: Decimal, fees: Decimal, at: int) -> Json:
        return {
            "id": self.next_id(),
            "account-number": self.account,
            "transaction-type": kind,
            "transaction-sub-type": sub,
            "description": said,
            "executed-at": iso(at),
            "transaction-date": date_ny(at).isoformat(),
            **signed("value", value),
            **signed("net-value", value - fees),
            "is-estimated-fee": True,
            "currency": "USD",
            "created-at": iso(at),
        }

    def get(self, transaction_id: int) -> Json:
        for row in self.rows:
            if row.id == transaction_id:
                return row.json
        raise missing("transaction")

    def list(self, query: Mapping[str, object]) -> Page:
        """Filters of the route: type or types[], sub-type[], dates and instants, instrument, symbols, action, sort."""
        types, subs = [*many(query, "types"), *many(query, "type")], many(query, "sub-type")
        first, last = (asked_day(query, key) for key in ("start-date", "end-date"))
        since, until = (asked_instant(query, key) for key in ("start-at", "end-at"))
        exact = {
            key: query[key] for key in ("instrument-type", "symbol", "underlying-symbol", "action") if key in query
        }
        found = [
            row
            for row in self.rows
            if (not types or row.json["transaction-type"] in types)
            and (not subs or row.json["transaction-sub-type"] in subs)
            and (first is None or row.day >= first)
            and (last is None or row.day <= last)
            and (since is None or row.at >= since)
            and (until is None or row.at <= until)
            and all(row.json.get(key) == value for key, value in exact.items() if value is not None)
        ]
        if str(query.get("sort", "Desc")) != "Asc":
            found.reverse()
        return paged([row.json for row in found], query, default=250, most=2000)

    def total_fees(self, day: date) -> Json:
        paid = sum((row.fees for row in self.rows if row.day == day), ZERO)
        return {"total-fees": text(paid), "total-fees-effect": effect(-paid)}
