"""The small shapes of the wire: money as strings with an effect beside it, instants, refusals, notices.

Money inside is a signed ``Decimal``, credit positive; on the wire it is a magnitude and ``Credit``, ``Debit`` or
``None``. Nothing here knows an order or an account.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final

from adapters.emulator.refusal import Refusal

Json = dict[str, Any]
ZERO: Final = Decimal(0)
MS: Final = 1_000_000
"""Nanoseconds of a millisecond."""
_SECOND: Final = 1_000_000_000


def invalid(*pairs: tuple[str, str]) -> Refusal:
    """400: the request itself is malformed. Pairs of (domain, reason)."""
    errors = [{"domain": domain, "reason": reason} for domain, reason in pairs]
    return Refusal(400, "validation_error", "Request validation failed", errors)


def preflight(*pairs: tuple[str, str], data: Json | None = None) -> Refusal:
    """422: the order was refused before it was routed. Pairs of (nested code, message)."""
    errors = [{"code": code, "message": message} for code, message in pairs]
    return Refusal(422, "preflight_check_failure", "One or more preflight checks failed", errors, data)


def missing(what: str) -> Refusal:
    return Refusal(404, "record_not_found", f"Couldn't find {what}")


@dataclass(frozen=True, slots=True)
class Notice:
    """Something of an account changed. ``data`` is the whole object, equal to what REST answers; ``ts`` UTC ns."""

    account: str
    type: str
    data: Json
    ts: int


def text(value: Decimal) -> str:
    """A decimal as the wire writes it: no exponent, at least one decimal place."""
    plain = f"{value:f}"
    if "." in plain:
        plain = plain.rstrip("0")
    else:
        plain += "."
    return plain + "0" if plain.endswith(".") else plain


def effect(value: Decimal) -> str:
    return "Credit" if value > 0 else "Debit" if value < 0 else "None"


def signed(key: str, value: Decimal, name: str = "") -> Json:
    """A magnitude and its effect: ``{key: "1.0", key-effect: "Debit"}``; ``name`` where the effect has its own key."""
    return {key: text(abs(value)), name or f"{key}-effect": effect(value)}


def count(value: Decimal) -> int | str:
    """A quantity: an integer where it is whole, else a decimal string."""
    return int(value) if value == value.to_integral_value() else text(value)


@lru_cache(maxsize=4096)
def iso(instant: int) -> str:
    """UTC with milliseconds and ``+00:00``."""
    seconds, rest = divmod(instant, _SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:19]}.{rest // MS:03d}+00:00"


def instant_of(value: object) -> int | None:
    """UTC ns of an ISO instant with a zone; None where it is not one."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    whole = moment.replace(microsecond=0)
    return int(whole.timestamp()) * _SECOND + moment.microsecond * 1000


def day_of(value: object) -> date | None:
    """A date written YYYY-MM-DD; None where it is not one."""
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def number(value: object) -> Decimal | None:
    """An integer, a float or a numeric string as an exact decimal; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        found = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    # So large or so fine is no price and no quantity, and would cost time to write out.
    good = found.is_finite() and found.adjusted() <= 15 and int(found.as_tuple().exponent) >= -12
    return found if good else None


@dataclass(frozen=True, slots=True)
class Page:
    """Items of a list with what the pagination object says."""

    items: list[Json]
    pagination: Json | None = None


def paged(items: Sequence[Json], query: Mapping[str, object], *, default: int, most: int) -> Page:
    """The page that ``page-offset`` (an index of pages) and ``per-page`` ask for; 400 where they are no numbers."""
    offset, size = number(query.get("page-offset", 0)), number(query.get("per-page", default))
    if offset is None or offset < 0 or offset != int(offset):
        raise invalid(("page-offset", "does not have a valid value"))
    if size is None or not 1 <= size <= most or size != int(size):
        raise invalid(("per-page", "does not have a valid value"))
    first, per = int(offset) * int(size), int(size)
    shown = list(items[first : first + per])
    return Page(
        shown,
        {
            "per-page": per,
            "page-offset": int(offset),
            "item-offset": first,
            "total-items": len(items),
            "total-pages": -(-len(items) // per),
            "current-item-count": len(shown),
            "previous-link": None,
            "next-link": None,
            "paging-link-template": None,
        },
    )


def many(query: Mapping[str, object], key: str) -> list[str]:
    """An array parameter, however it was parsed: a list or one word, under ``key`` or ``key[]``."""
    found: list[str] = []
    for name in (key, f"{key}[]"):
        value = query.get(name)
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += [str(each) for each in value]
    return found


def asked_day(query: Mapping[str, object], key: str) -> date | None:
    """A date parameter; None where it is not given, 400 where it is not one."""
    value = query.get(key)
    found = day_of(value)
    if value is not None and found is None:
        raise invalid((key, "does not have a valid value"))
    return found


def asked_instant(query: Mapping[str, object], key: str) -> int | None:
    """An instant parameter, UTC ns; None where it is not given, 400 where it is not one."""
    value = query.get(key)
    found = instant_of(value)
    if value is not None and found is None:
        raise invalid((key, "does not have a valid value"))
    return found
