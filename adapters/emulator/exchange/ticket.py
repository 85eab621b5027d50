"""The body of an order as it was asked for, parsed: types, words, numbers. A malformed one is refused with 400.

It looks at nothing but the body: whether the order makes sense in the account and the market is asked by ``checks``.
Unknown keys are ignored, as the broker does. Numbers may be integers, floats or numeric strings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from math import gcd
from typing import Final

from adapters.emulator.exchange.forms import Json, day_of, instant_of, invalid, number

TYPES: Final = ("Limit", "Market", "Marketable Limit", "Stop", "Stop Limit", "Notional Market", "Liquidity Allocation")
TIFS: Final = ("Day", "GTC", "GTD", "Ext", "GTC Ext", "Ext Overnight", "GTC Ext Overnight", "IOC")
EFFECTS: Final = ("Credit", "Debit")
ACTIONS: Final = ("Buy to Open", "Sell to Open", "Buy to Close", "Sell to Close", "Buy", "Sell")
INSTRUMENTS: Final = (
    "Cryptocurrency", "Equity", "Equity Offering", "Equity Option", "Event Contract", "Fixed Income Security", "Future",
    "Future Option", "Liquidity Pool",
)  # fmt: skip
BEHAVIORS: Final = ("immediate", "delayed", "never", "partial", "reject", "scheduled")
EDITABLE: Final = ("order-type", "time-in-force", "gtc-date", "price", "price-effect", "stop-trigger")
MAX_LEGS: Final = 4
_CONDITION: Final = (("action", ("route", "cancel")), ("indicator", ("last", "nat")), ("comparator", ("gte", "lte")))
_BAD: Final = "does not have a valid value"
_GONE: Final = "is missing"
_SECONDS: Final = re.compile(r"-?P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?)?")


@dataclass(frozen=True, slots=True)
class LegAsked:
    """``quantity`` None for an order of a notional amount only."""

    type: str
    symbol: str
    action: str
    quantity: Decimal | None

    @property
    def sign(self) -> int:
        return 1 if self.action.startswith("Buy") else -1


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition that routes or cancels: ``raw`` is what the client sent. Instants UTC ns, None where absent."""

    route_after: int | None
    cancel_at: int | None
    conditions: tuple[Json, ...]
    raw: Json


@dataclass(frozen=True, slots=True)
class Ticket:
    """An order as it was asked for. ``limit`` is the net price of one unit, credit positive, None without a price."""

    type: str
    tif: str
    legs: tuple[LegAsked, ...]
    limit: Decimal | None = None
    trigger: Decimal | None = None
    value: Decimal | None = None
    gtc_date: date | None = None
    strict: bool = False
    source: str = ""
    external: str = ""
    rule: Rule | None = None
    behavior: str = ""
    delay: Decimal | None = None
    schedule: int | None = None
    raw: Json = field(default_factory=dict, compare=False)

    @property
    def size(self) -> int:
        """The greatest common divisor of the quantities: how many units it is."""
        quantities = [leg.quantity for leg in self.legs]
        if any(q is None or q != int(q) for q in quantities):
            return 1
        return gcd(*(int(q) for q in quantities if q is not None))

    @property
    def units(self) -> tuple[Decimal, ...]:
        """Signed quantity of each leg in one unit, bought positive; zeros for a notional order."""
        size = self.size
        return tuple(Decimal(0) if leg.quantity is None else leg.sign * leg.quantity / size for leg in self.legs)

    def with_size(self, size: int) -> Ticket:
        """The same order for another number of units."""
        own = self.size
        legs = tuple(
            leg if leg.quantity is None else replace(leg, quantity=leg.quantity / own * size) for leg in self.legs
        )
        return replace(self, legs=legs)


def parse(body: object) -> Ticket:
    """``Refusal`` 400 with every fault that was found."""
    if not isinstance(body, Mapping):
        raise invalid(("body", "must be an object"))
    faults: list[tuple[str, str]] = []
    kind = _word(body, "order-type", TYPES, faults)
    tif = _word(body, "time-in-force", TIFS, faults)
    price, trigger, value = (_money(body, key, faults) for key in ("price", "stop-trigger", "value"))
    for key in ("price", "value"):
        found = body.get(f"{key}-effect")
        amount = price if key == "price" else value
        if found is not None and found not in EFFECTS:
            faults.append((f"{key}-effect", _BAD))
        elif found is None and amount and key == "price":
            faults.append((f"{key}-effect", _GONE))
    if kind in ("Limit", "Stop Limit") and body.get("price") is None:
        faults.append(("price", _GONE))
    if kind in ("Stop", "Stop Limit") and body.get("stop-trigger") is None:
        faults.append(("stop-trigger", _GONE))
    if kind == "Notional Market" and body.get("value") is None:
        faults.append(("value", _GONE))
    elif kind != "Notional Market" and body.get("value") is not None:
        faults.append(("value", "is not allowed"))
    if price is not None and value is not None:
        faults.append(("value", "cannot be given together with price"))
    day = day_of(body.get("gtc-date"))
    if (tif == "GTD") != (body.get("gtc-date") is not None):
        faults.append(("gtc-date", _GONE if tif == "GTD" else "is not allowed"))
    elif tif == "GTD" and day is None:
        faults.append(("gtc-date", _BAD))
    legs = _legs(body, kind, faults)
    rule = _rule(body, faults)
    strict = _strict(body, faults)
    if faults:
        raise invalid(*faults)
    limit = None if price is None else (price if body.get("price-effect") != "Debit" else -price)
    return Ticket(
        kind, tif, legs, limit, trigger, value, day, strict, _text(body, "source"), _text(body, "external-identifier"),
        rule, _behavior(body), _delay(body.get("delay")), instant_of(body.get("schedule")), dict(body),
    )  # fmt: skip


def edited(ticket: Ticket, body: object) -> Ticket:
    """The ticket with what an edit may change; legs of the edit are ignored. What the new type does not take is
    dropped, unless the edit itself brought it."""
    if not isinstance(body, Mapping):
        raise invalid(("body", "must be an object"))
    asked = {key: body[key] for key in EDITABLE if key in body and body[key] is not None}
    raw = {**ticket.raw, **asked}
    kind, tif = raw.get("order-type"), raw.get("time-in-force")
    unfit = []
    if kind in ("Market", "Marketable Limit", "Stop", "Notional Market"):
        unfit += ["price", "price-effect"]
    if kind not in ("Stop", "Stop Limit"):
        unfit.append("stop-trigger")
    if tif != "GTD":
        unfit.append("gtc-date")
    for key in unfit:
        if key not in asked:
            raw.pop(key, None)
    return replace(parse(raw), legs=ticket.legs)


def _word(body: Mapping[str, object], key: str, known: tuple[str, ...], faults: list[tuple[str, str]]) -> str:
    value = body.get(key)
    if value is None:
        faults.append((key, _GONE))
    elif value not in known:
        faults.append((key, _BAD))
    return str(value)


def _money(body: Mapping[str, object], key: str, faults: list[tuple[str, str]]) -> Decimal | None:
    value = body.get(key)
    if value is None:
        return None
    found = number(value)
    if found is None or found < 0:
        faults.append((key, _BAD))
        return None
    return found


def _legs(body: Mapping[str, object], kind: str, faults: list[tuple[str, str]]) -> tuple[LegAsked, ...]:
    given = body.get("legs")
    if given is None:
        faults.append(("legs", _GONE))
        return ()
    if not isinstance(given, list) or not 1 <= len(given) <= MAX_LEGS:
        faults.append(("legs", f"must be 1 to {MAX_LEGS}"))
        return ()
    legs = []
    for i, leg in enumerate(given):
        where = f"legs[{i}]"
        if not isinstance(leg, Mapping):
            faults.append((where, _BAD))
            continue
        own: list[tuple[str, str]] = []
        symbol = leg.get("symbol")
        if not isinstance(symbol, str) or not symbol or len(symbol) > 64:
            own.append(("symbol", _GONE if symbol is None else _BAD))
        type_ = _word(leg, "instrument-type", INSTRUMENTS, own)
        action = _word(leg, "action", ACTIONS, own)
        quantity = number(leg.get("quantity"))
        if leg.get("quantity") is None:
            if kind != "Notional Market":
                own.append(("quantity", _GONE))
        elif kind == "Notional Market":
            own.append(("quantity", "is not allowed"))
        elif quantity is None or quantity <= 0 or (quantity != int(quantity) and type_ not in ("Equity",)):
            own.append(("quantity", _BAD))
        faults += [(f"{where}.{domain}", reason) for domain, reason in own]
        legs.append(LegAsked(type_, str(symbol), action, quantity))
    if len({leg.symbol for leg in legs}) < len(legs):
        faults.append(("legs", "must have distinct symbols"))
    return tuple(legs)


def _rule(body: Mapping[str, object], faults: list[tuple[str, str]]) -> Rule | None:
    given = body.get("rules")
    if given is None:
        return None
    if not isinstance(given, Mapping):
        faults.append(("rules", _BAD))
        return None
    instants = []
    for key in ("route-after", "cancel-at"):
        at = instant_of(given.get(key))
        if given.get(key) is not None and at is None:
            faults.append((f"rules.{key}", _BAD))
        instants.append(at)
    asked = given.get("conditions") or given.get("order-conditions") or []
    if not isinstance(asked, list):
        faults.append(("rules.conditions", _BAD))
        asked = []
    conditions = []
    for i, each in enumerate(asked):
        where = f"rules.conditions[{i}]"
        if not isinstance(each, Mapping):
            faults.append((where, _BAD))
            continue
        for key, known in (
            ("action", ("route", "cancel")),
            ("indicator", ("last", "nat")),
            ("comparator", ("gte", "lte")),
        ):
            if each.get(key) not in known:
                faults.append((f"{where}.{key}", _GONE if each.get(key) is None else _BAD))
        if number(each.get("threshold")) is None:
            faults.append((f"{where}.threshold", _BAD))
        if not isinstance(each.get("symbol"), str):
            faults.append((f"{where}.symbol", _GONE))
        conditions.append(dict(each))
    if instants == [None, None] and not conditions:
        return None
    return Rule(instants[0], instants[1], tuple(conditions), dict(given))


def _strict(body: Mapping[str, object], faults: list[tuple[str, str]]) -> bool:
    given = body.get("advanced-instructions")
    if given is None:
        return False
    value = given.get("strict-position-effect-validation", False) if isinstance(given, Mapping) else None
    if not isinstance(value, bool):
        faults.append(("advanced-instructions", _BAD))
        return False
    return value


def _text(body: Mapping[str, object], key: str) -> str:
    value = body.get(key)
    return value if isinstance(value, str) else ""


def _behavior(body: Mapping[str, object]) -> str:
    word = _text(body, "behavior").lower()
    return word if word in BEHAVIORS else ""


def _delay(value: object) -> Decimal | None:
    """Seconds, as a number or an ISO 8601 duration."""
    found = number(value)
    if found is not None or not isinstance(value, str):
        return found
    match = _SECONDS.fullmatch(value)
    if match is None:
        return None
    days, hours, minutes, seconds = (Decimal(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
