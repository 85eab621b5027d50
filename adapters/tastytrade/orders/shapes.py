"""An order as the wire sends it, in every shape that was seen: REST and stream, of 2023 and of now, whole or bare.

Ids may be numbers or text, quantities ``1``, ``"1"`` or ``1.0``, ``updated-at`` milliseconds or ISO; keys may be
absent, an effect may stand without its magnitude. A status is kept as it came, known or not. OrderShapeError for what
cannot be read, without a word of the account.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from adapters.tastytrade.orders.bodies import OrderShapeError, decimal, effect_of

MILLI_NS: Final = 1_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class WireFill:
    """A part of a leg that was filled. ``id`` is unique in its leg only; ``price`` in points; ``at`` UTC ns or None."""

    id: str
    quantity: Decimal
    price: Decimal
    at: int | None


@dataclass(frozen=True, slots=True)
class WireLeg:
    """``key`` is the symbol without its blanks: pages and echoes lose them, and no two legs differ in them alone."""

    symbol: str
    key: str
    action: str
    quantity: Decimal | None
    fills: tuple[WireFill, ...]
    option: bool = False


@dataclass(frozen=True, slots=True)
class WireOrder:
    """One order object. ``updated`` in UTC ns, 0 where it is unknown; ``price`` signed, credit positive."""

    id: str
    status: str
    legs: tuple[WireLeg, ...]
    updated: int = 0
    terminal: bool = False
    """Whether it carries the instant of its end; a status that nobody knows is done where it does."""
    price: Decimal | None = None
    client_id: str = ""
    replaces: str = ""
    replaced_by: str = ""
    complex_id: str = ""
    complex_tag: str = ""
    reason: str = ""
    cancellable: bool = False
    editable: bool = False
    raw: Mapping[str, object] = field(default_factory=dict, repr=False, compare=False)


def text_id(value: object) -> str:
    """An id as text, number or not; empty where it is absent."""
    return "" if value is None else str(value)


def instant(value: object, what: str) -> int | None:
    """UTC ns of milliseconds since 1970 or of ISO text; None where it is absent or 0 (dry runs)."""
    if value is None or value == "":
        return None
    if isinstance(value, int | float) or str(value).isdigit():
        return int(str(value).partition(".")[0]) * MILLI_NS or None
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise OrderShapeError(f"{what} is {value!r}: wanted milliseconds or an ISO instant") from None
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000


def natural(text: str) -> tuple[int, str]:
    """Sorts ids that are numbers in their order: 9 before 10."""
    return len(text), text


def squeezed(symbol: str) -> str:
    return "".join(symbol.split())


def objects(value: object, what: str) -> Sequence[Mapping[str, object]]:
    """A list of JSON objects; none where it is absent or null. OrderShapeError for anything else."""
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or not all(isinstance(each, Mapping) for each in value):
        raise OrderShapeError(f"{what} is a {type(value).__name__}: wanted a list of objects")
    return value


def read_order(raw: Mapping[str, object]) -> WireOrder:
    """One order object of REST or of the stream. Dry runs have no id: it is empty then."""
    status = raw.get("status")
    if not isinstance(status, str):
        raise OrderShapeError(f"order {text_id(raw.get('id'))}: status is {status!r}; wanted a word")
    where = f"order {text_id(raw.get('id')) or 'of a dry run'}"
    return WireOrder(
        id=text_id(raw.get("id")),
        status=status,
        legs=tuple(_leg(leg, where) for leg in objects(raw.get("legs"), f"{where}: legs")),
        updated=instant(raw.get("updated-at"), f"{where}: updated-at") or 0,
        terminal=bool(raw.get("terminal-at")),
        price=effect_of(raw, "price"),
        client_id=text_id(raw.get("external-identifier")),
        replaces=text_id(raw.get("replaces-order-id")),
        replaced_by=text_id(raw.get("replacing-order-id")),
        complex_id=text_id(raw.get("complex-order-id")),
        complex_tag=text_id(raw.get("complex-order-tag")),
        reason=text_id(raw.get("reject-reason")),
        cancellable=raw.get("cancellable") is True,
        editable=raw.get("editable") is True,
        raw=raw,
    )


def nested_orders(raw: Mapping[str, object]) -> tuple[Mapping[str, object], ...]:
    """The orders inside a complex one, its trigger first. Related ones are mere references and are left out."""
    trigger = raw.get("trigger-order")
    first = (trigger,) if isinstance(trigger, Mapping) else ()
    return (*first, *objects(raw.get("orders"), "complex order: orders"))


def rules(raw: Mapping[str, object]) -> Mapping[str, object]:
    """What gates an order: ``order-rule`` of today, ``rules`` of 2023; empty where it has none."""
    found = raw.get("order-rule") or raw.get("rules")
    return found if isinstance(found, Mapping) else {}


def _leg(raw: Mapping[str, object], where: str) -> WireLeg:
    symbol = raw.get("symbol")
    if not isinstance(symbol, str) or not symbol.strip():
        raise OrderShapeError(f"{where}: a leg has symbol {symbol!r}; wanted text")
    what = f"{where}, {symbol}"
    fills = objects(raw.get("fills"), f"{what}: fills")
    return WireLeg(
        symbol,
        squeezed(symbol),
        text_id(raw.get("action")),
        decimal(raw.get("quantity"), f"{what}: quantity"),
        tuple(_fill(fill, i, what) for i, fill in enumerate(fills)),
        text_id(raw.get("instrument-type")).endswith("Option"),
    )


def _fill(raw: Mapping[str, object], place: int, what: str) -> WireFill:
    quantity, price = decimal(raw.get("quantity"), f"{what}: fill"), decimal(raw.get("fill-price"), f"{what}: fill")
    if quantity is None or price is None or quantity <= 0:
        raise OrderShapeError(
            f"{what}: a fill of {raw.get('quantity')!r} at {raw.get('fill-price')!r}; wanted contracts and a price"
        )
    # Every message repeats all fills of a leg in their order: without an id its place names it.
    name = text_id(raw.get("fill-id")) or f"#{place}"
    return WireFill(name, quantity, price, instant(raw.get("filled-at"), f"{what}: filled-at"))
