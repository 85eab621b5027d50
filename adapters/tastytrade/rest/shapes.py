"""What TastyTrade sends, as records that are read forgivingly: the ground that the shapes of each subject stand on.

Numbers come as strings, ints or floats; keys are absent or null; words are added without notice; keys are dasherized,
in places camelCase or snake_case; ``"NaN"`` stands where nothing is known. All of that is read. What a record does not
name is kept in ``raw``, and so is a value that is not what it stands for (``"buying-power": "-"``): as a field it is
None, or empty. Only a field that an object means nothing without (``Needed``: ids, symbols, statuses, what was filled)
makes it unreadable; then it is as if the object had not come, and where that is needed too the answer is ``Malformed``,
with endpoint and path.

Money is Decimal as it came: magnitudes, with the sign in a word beside them (``signed``). Instants stay as they came
and are read by ``instant`` (UTC ns). Refuses to print account numbers, tokens and persons.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, ClassVar, Final, Generic, TypeVar, cast, get_args

import msgspec
from msgspec import inspect

from adapters.tastytrade.errors import Malformed
from adapters.tastytrade.rest.answers import parse

T = TypeVar("T")

Instant = int | str | None
"""An instant as the wire sends it: epoch ms, or ISO text."""
Word = str | int | None
"""An identifier that comes as text or as a number."""

_NEEDED: Final = {"needed": True}
Needed = Annotated[T, msgspec.Meta(extra=_NEEDED)]
"""The type of a field whose value, where one is sent, must be readable: an order whose legs are a word is no order, a
position of an unreadable quantity is not flat. It may be absent, as an id is in a dry run."""

PRIVATE: Final = frozenset({"raw", "account_number", "token", "username", "user_id", "nickname", "external_id"})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNREADABLE: Final = (msgspec.ValidationError, ValueError, ArithmeticError)


class Shape(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """Base of all: kebab-case keys, every key optional. ``raw``: the object as it came, unknown keys and all; empty
    in a record inside another, whose ``raw`` has it."""

    varying: ClassVar[bool] = False
    """Keys may come camelCase or snake_case as well."""
    raw: dict[str, Any] = msgspec.field(default_factory=dict, name="#raw")

    def __repr__(self) -> str:
        shown = (
            f"{field.name}={value!r}"
            for field in msgspec.structs.fields(self)
            if field.name not in PRIVATE and (value := getattr(self, field.name)) not in (None, "", ())
        )
        return f"{type(self).__name__}({', '.join(shown)})"


class Numbers(Shape, frozen=True, kw_only=True):
    """A shape whose numbers may be NaN on the wire: those are None."""

    def __post_init__(self) -> None:
        for name in _decimals(type(self)):
            value = getattr(self, name)
            if isinstance(value, Decimal) and not value.is_finite():
                msgspec.structs.force_setattr(self, name, None)


@cache
def _decimals(kind: type[Shape]) -> tuple[str, ...]:
    """Fields that may hold a Decimal."""
    return tuple(each.name for each in msgspec.structs.fields(kind) if _may_be(each.type, Decimal))


def _may_be(kind: Any, wanted: type) -> bool:
    return kind is wanted or any(_may_be(one, wanted) for one in get_args(kind))


class Pagination(Shape, frozen=True, kw_only=True):
    """``page_offset`` counts pages, from 0."""

    per_page: int | None = None
    page_offset: Needed[int | None] = None
    item_offset: int | None = None
    total_items: int | None = None
    total_pages: Needed[int | None] = None
    current_item_count: int | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list; ``pagination`` is None where the list is not paged."""

    items: tuple[T, ...]
    pagination: Pagination | None = None

    @property
    def last(self) -> bool:
        pages = self.pagination
        if not self.items or pages is None or pages.page_offset is None or pages.total_pages is None:
            return True
        return pages.page_offset >= pages.total_pages - 1

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)


def shape(kind: type[T], value: Any, where: str) -> T:
    """``value`` (parsed JSON) as ``kind``. Malformed, naming ``where`` and the path, where it cannot be one."""
    came = value
    if getattr(kind, "varying", False):
        value = dasherized(value)
    try:
        try:
            made = msgspec.convert(value, kind, strict=False)
        except _UNREADABLE:
            # The second look costs more and forgives more.
            made = msgspec.convert(_mended(_type_of(cast("Hashable", kind)), value), kind, strict=False)
    except (*_UNREADABLE, RecursionError) as error:
        raise Malformed(where, str(error)) from None
    if isinstance(made, Shape) and isinstance(came, dict):
        msgspec.structs.force_setattr(made, "raw", came)
    return made


def decode(kind: type[T], raw: bytes | str, where: str = "a message") -> T:
    """``shape`` of JSON text. Malformed where it is no JSON."""
    return shape(kind, parse(raw, where), where)


def data_of(body: Any, where: str) -> Any:
    """What the wrapper ``{"data": ..., "context": ...}`` wraps; the body itself where there is no wrapper."""
    if not isinstance(body, dict):
        raise Malformed(where, f"the body is {_kind(body)}, wanted an object")
    return body["data"] if body.get("data") is not None else body


def items_of(body: Any, where: str) -> list[Any]:
    """The items of a list, an object that stands alone (a list of one in another version), or an array."""
    data = data_of(body, where)
    match data:
        case {"items": list() as items}:
            return items
        case {"items": None}:
            return []
        case {"items": other}:
            raise Malformed(where, f"its items are {_kind(other)}, wanted a list - at `$.data.items`")
        case list():
            return data
        case _:
            return [data]


def listed(kind: type[T], body: Any, where: str, pick: Callable[[Any], Any] = lambda one: one) -> tuple[T, ...]:
    """Every item as ``kind``; ``pick`` chooses the part of an item that is one."""
    return tuple(shape(kind, pick(one), f"{where} (item {n})") for n, one in enumerate(items_of(body, where)))


def page(kind: type[T], body: Any, where: str) -> Page[T]:
    pages = body.get("pagination") if isinstance(body, dict) else None
    return Page(listed(kind, body, where), shape(Pagination, pages, where) if isinstance(pages, dict) else None)


def signed(magnitude: Decimal | None, effect: str | None) -> Decimal | None:
    """Credit positive, debit negative; None where there is no magnitude, whatever its effect says."""
    if magnitude is None:
        return None
    return -magnitude if effect == "Debit" else magnitude


def instant(value: Instant, where: str = "an instant") -> int | None:
    """UTC ns of epoch ms (0 is none: a dry run has no time) or of ISO text with an offset. Malformed for others."""
    if value is None or value in ("", 0):
        return None
    if isinstance(value, str) and value.lstrip("-").isdigit() and len(value) >= 11:
        value = int(value)
    if isinstance(value, int):
        return value * 1_000_000
    try:
        when = datetime.fromisoformat(value)
    except ValueError:
        raise Malformed(where, f"{value[:40]!r} is no instant") from None
    if when.tzinfo is None:
        raise Malformed(where, f"{value[:40]!r} is an instant without an offset")
    return (when - _EPOCH) // timedelta(microseconds=1) * 1000


@cache
def _dashes(key: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", key).lower().replace("_", "-") if key else key


def dasherized(value: Any) -> Any:
    """Keys as ``like-this``, from likeThis and like_this, at every depth."""
    match value:
        case dict():
            return {_dashes(str(key)): dasherized(one) for key, one in value.items()}
        case list():
            return [dasherized(one) for one in value]
        case _:
            return value


@cache
def _type_of(kind: Hashable) -> inspect.Type:
    return inspect.type_info(kind)


@cache
def _fields(kind: Hashable) -> Mapping[str, tuple[inspect.Type, bool]]:
    """Of a record: what each key holds, and whether it is needed."""
    found = cast("inspect.StructType", _type_of(kind)).fields
    return {field.encode_name: (field.type, getattr(field.type, "extra", None) == _NEEDED) for field in found}


_PLAIN: Final[Mapping[type[inspect.Type], Any]] = {
    inspect.BoolType: bool,
    inspect.DataclassType: dict,
    inspect.DateType: date,
    inspect.DecimalType: Decimal,
    inspect.DictType: dict,
    inspect.IntType: int,
    inspect.StrType: str,
    inspect.StructType: dict,
    inspect.VarTupleType: tuple,
}


def _mended(wanted: inspect.Type, value: Any, path: str = "$") -> Any:
    """``value`` with what a strict reading trips over put right: no nulls, no empty numbers, words for numbers, and
    nothing that cannot be read. ValidationError with its path where that was needed."""
    match wanted, value:
        case inspect.Metadata(type=inner), _:
            return _mended(inner, value, path)
        case (inspect.AnyType(), _) | (inspect.StrType(), str()):
            return value
        case inspect.StructType(cls=kind), dict():
            return _mended_object(_fields(kind), value, path)
        case inspect.VarTupleType(item_type=inner), list():
            each = (_mended(inner, one, f"{path}[{n}]") for n, one in enumerate(value) if one is not None)
            return [one for one in each if one is not None]
        case inspect.VarTupleType(), {"items": list() as items}:
            return _mended(wanted, items, path)
        case inspect.UnionType(types=types), _:
            return _mended_union(types, value, path)
        case inspect.StrType(), int() | float() if not isinstance(value, bool):
            return str(value)
        case inspect.DecimalType() | inspect.IntType(), str() if value.strip().lower() in {"", "nan", "null", "none"}:
            return None
        case inspect.IntType(), str() if re.fullmatch(r"\s*-?\d+\.0*\s*", value):
            value = value.strip().partition(".")[0]
        case inspect.DateType(), str():
            value = value[:10]
            if not value:
                return None
    try:
        msgspec.convert(value, _PLAIN[type(wanted)], strict=False)
    except _UNREADABLE as error:
        raise msgspec.ValidationError(f"{error} - at `{path}`") from None
    return value


def _mended_object(fields: Mapping[str, tuple[inspect.Type, bool]], value: dict[str, Any], path: str) -> dict[str, Any]:
    kept = {}
    for key, one in value.items():
        if one is None or key not in fields:
            continue
        wanted, needed = fields[key]
        try:
            mended = _mended(wanted, one, f"{path}.{key}")
        except msgspec.ValidationError:
            if needed:
                raise
            continue
        if mended is not None:
            kept[key] = mended
    return kept


def _mended_union(types: tuple[inspect.Type, ...], value: Any, path: str) -> Any:
    """What may be a number or a flag, and also a word, stays what it is where it can, else it becomes the word."""
    inner = [one for one in types if not isinstance(one, inspect.NoneType)]
    inner.sort(key=lambda one: isinstance(one, inspect.StrType) is not isinstance(value, str))
    for one in inner[:-1]:
        try:
            return _mended(one, value, path)
        except msgspec.ValidationError:
            continue
    return _mended(inner[-1], value, path)


def _kind(value: Any) -> str:
    match value:
        case Mapping():
            return "an object"
        case list():
            return "a list"
        case None:
            return "nothing"
        case _:
            return f"a {type(value).__name__}"
