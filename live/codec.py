"""The values of a live session as bytes, to be read back years later: JSON that a person can read.

The same value gives the same bytes. What JSON knows stands as itself, a tuple is an array, the rest is marked by ``$``:

    {"$": "Cancel", "order_id": "x", "reason": "y"}         a dataclass: every field that its constructor takes
    {"$enum": "Intent.OPEN"}  {"$decimal": "1.10"}  {"$date": "2024-08-02"}  {"$time": "09:45:00"}  {"$float": "nan"}
    {"$list": [1]}  {"$set": [1, 2]}  {"$map": {"$x": 1}}   a list; a frozenset, sorted; a dict with a key that has a $
    {"$p": 1}  {"$s": [1, "2024-08-02", "ESU4"]}            product 1; a series of it
    {"$c": [1, "2024-08-02", "ESU4", 56000000, "P"]}        a contract of that series

Products are numbered as they are met, and kept beside the values (``new_products``, ``learn``). A dict comes back in
the order of its keys, a number of numpy as a plain one, a decimal with the digits that it had.

Refuses to run what a journal says: nothing is called but the constructors of dataclasses (``live.codec_names``). What
cannot be written or read is a DataError of one line: what, and where.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, time
from decimal import Decimal
from enum import Enum
from functools import partial
from itertools import repeat
from math import inf, isfinite, nan
from typing import Any, Final

import msgspec
import numpy as np

from live.codec_names import Unfit, class_of, short, tag_of, takes
from sim.model.errors import DataError
from sim.model.instrument import OptionContract, Product, Right, Series

FLOATS: Final = {"nan": nan, "inf": inf, "-inf": -inf}
SAME: Final = frozenset({type(None), bool, int})
"""What is written as it is."""
READ: Final = SAME | {str, float}
"""What is read as it stands in JSON."""
FAULTS: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, DataError)
"""What is raised where a value is not what its mark says."""

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode


class Codec:
    """Writes and reads values, and keeps the table of products.

    ``known`` are products of the market: one that is read and equals one of them is that object. ``modules`` may be
    imported to find a user's class; any other must be loaded before one of its classes is read.
    """

    __slots__ = (
        "_contracts", "_fields", "_ids", "_kinds", "_known", "_members", "_modules", "_new", "_numbers", "_products",
        "_readers", "_series", "_writers",
    )  # fmt: skip

    def __init__(self, known: Iterable[Product] = (), modules: Iterable[str] = ()) -> None:
        self._known = {product: product for product in known}
        self._modules = frozenset(modules)
        self._products: dict[int, Product] = {}
        self._numbers: dict[Product, int] = {}
        self._ids: dict[int, int] = {}  # numbers by the id of the product in the table: to hash one takes long
        self._new: list[int] = []
        self._fields: dict[type, frozenset[str]] = {}
        self._kinds: dict[str, type] = {}
        self._members: dict[str, Enum] = {}
        self._series: dict[tuple[int, str, str], Series] = {}
        self._contracts: dict[tuple[int, str, str, int, str], OptionContract] = {}
        self._writers: dict[type, Callable[[Any], Any]] = {
            **dict.fromkeys(SAME, _same), str: _text, float: _float, Decimal: _decimal, date: _date,
            time: _time, tuple: self._each, list: lambda x: {"$list": self._each(x)}, dict: self._dict,
            frozenset: lambda x: {"$set": sorted(self._each(x), key=_encode)}, OptionContract: self._contract,
            Series: lambda x: {"$s": self._place(x)}, Product: lambda x: {"$p": self._number(x)},
        }  # fmt: skip
        self._readers: dict[str, Callable[[Any], Any]] = {
            "$enum": self._read_member, "$float": FLOATS.__getitem__, "$decimal": Decimal,
            "$date": date.fromisoformat, "$time": _read_time, "$list": partial(_all, self._read, same=READ),
            "$set": lambda x: frozenset(_all(self._read, x, READ)),
            "$map": lambda x: _named(self._read, x.items(), {}, READ),
            "$p": self._products.__getitem__, "$s": lambda x: self._read_series(*x),
            "$c": lambda x: self._read_contract(*x),
        }  # fmt: skip

    def encode(self, value: object) -> bytes:
        """The bytes of a value; DataError where it has none."""
        try:
            return _encode(self._write(value))
        except (Unfit, RecursionError, AttributeError, ValueError) as error:
            raise DataError(f"{type(value).__name__} cannot be journalled: {_said(error)}") from None

    def decode(self, body: bytes) -> object:
        """The value of some bytes; DataError where they are none, or name what is not known here."""
        try:
            return self._read(_decode(body))
        except (Unfit, RecursionError, ValueError) as error:
            raise DataError(f"a row of the journal cannot be read: {_said(error)}") from None

    def new_products(self) -> list[tuple[int, bytes]]:
        """Number and bytes of each product met since the last call, to be kept no later than what names them."""
        met, self._new = self._new, []
        return [(no, _encode(self._record("Product", takes(Product), self._products[no]))) for no in met]

    def learn(self, no: int, body: bytes) -> None:
        """A product of an earlier life. DataError where it is none, or where its number is another's."""
        try:
            raw = _decode(body)
            if type(raw) is not dict or raw.pop("$", None) != "Product":
                raise Unfit("wanted a product")
            product = self._make(Product, raw)
            product = self._known.get(product, product)
            if self._products.get(no, product) != product or self._numbers.get(product, no) != no:
                raise Unfit(f"{product.root} shares its number, or has another one")
        except (Unfit, RecursionError, *FAULTS) as error:
            raise DataError(f"product {no} of the journal cannot be read: {_said(error)}") from None
        if no not in self._products:
            self._put(no, product)

    def _put(self, no: int, product: Product) -> None:
        self._products[no] = product
        self._numbers[product] = self._ids[id(product)] = no

    # -- writing ------------------------------------------------------------------------------------------------------

    def _write(self, value: Any) -> Any:
        kind = type(value)
        writer = self._writers.get(kind)
        if writer is None:
            writer = self._writers[kind] = self._writer(kind)
        return writer(value)

    def _writer(self, kind: type) -> Callable[[Any], Any]:
        """How values of a class are written that was not met before."""
        if issubclass(kind, np.integer | np.floating | np.bool_):
            return lambda value: self._write(value.item())
        tag = tag_of(kind)
        if issubclass(kind, Enum):
            return partial(_member, tag)
        return partial(self._record, tag, takes(kind))

    def _record(self, tag: str, names: tuple[str, ...], value: Any) -> dict[str, Any]:
        return _named(self._write, zip(names, map(getattr, repeat(value), names), strict=True), {"$": tag})

    def _each(self, values: Iterable[Any]) -> list[Any]:
        return _all(self._write, values)

    def _dict(self, values: dict[Any, Any]) -> dict[str, Any]:
        if odd := [key for key in values if type(key) is not str]:
            raise Unfit(f"a dict has a key of {type(odd[0]).__name__}: wanted texts")
        out = _named(self._write, sorted(values.items(), key=lambda pair: _text(pair[0])), {})
        return {"$map": out} if any(key.startswith("$") for key in out) else out

    def _number(self, product: Product) -> int:
        no = self._ids.get(id(product)) or self._numbers.get(product)
        if no is None:
            no = max(self._products, default=0) + 1
            self._put(no, self._known.get(product, product))
            self._new.append(no)
        return no

    def _place(self, series: Series) -> list[Any]:
        return [self._number(series.product), series.expiration.isoformat(), _text(series.future)]

    def _contract(self, contract: OptionContract) -> dict[str, Any]:
        return {"$c": [*self._place(contract.series), contract.strike_e4, contract.right.value]}

    # -- reading ------------------------------------------------------------------------------------------------------

    def _read(self, raw: Any) -> Any:
        kind = type(raw)
        if kind is list:
            return tuple(_all(self._read, raw, READ))
        if kind is not dict:
            return raw
        if "$" in raw:
            return self._make(self._kind(raw.pop("$")), raw)
        mark = next((key for key in raw if key[:1] == "$"), None)
        if mark is None:
            return _named(self._read, raw.items(), {}, READ)
        if mark not in self._readers or len(raw) > 1:
            raise Unfit(f"{short(mark)} is no mark of a value: the row is damaged, or of a newer version")
        try:
            return self._readers[mark](raw[mark])
        except FAULTS as error:
            raise Unfit(f"{mark} cannot be {short(raw[mark])} ({short(error)})") from None

    def _kind(self, tag: Any) -> type:
        """The class that is called so: one of fields, which has no members."""
        found = self._kinds.get(tag) if type(tag) is str else None
        if found is None:
            found = class_of(tag, self._modules)
            if issubclass(found, Enum):
                raise Unfit(f"{found.__name__} has members and no fields")
            self._kinds[tag] = found
        return found

    def _make(self, kind: type, raw: dict[str, Any]) -> Any:
        names = self._fields.get(kind)
        if names is None:
            names = self._fields[kind] = frozenset(takes(kind))
        if not raw.keys() <= names:
            extra = min(raw.keys() - names)
            raise Unfit(f"{kind.__name__} has no field {short(extra)}: the row is of another version")
        values = _named(self._read, raw.items(), {}, READ)
        try:
            return kind(**values)
        except Exception as error:
            raise Unfit(f"{kind.__name__} cannot be made of what stands there ({short(error)})") from error

    def _read_member(self, raw: str) -> Enum:
        found = self._members.get(raw)
        if found is None:
            tag, _, name = raw.rpartition(".")
            kind = class_of(tag, self._modules)
            if not issubclass(kind, Enum):
                raise Unfit(f"{short(tag)} has fields and no members")
            found = self._members[raw] = kind.__members__[name]
        return found

    def _read_series(self, no: int, day: str, future: str) -> Series:
        found = self._series.get((no, day, future))
        if found is None:
            made = Series(self._products[no], date.fromisoformat(day), _text(future))
            found = self._series[no, day, future] = made
        return found

    def _read_contract(self, no: int, day: str, future: str, strike_e4: int, right: str) -> OptionContract:
        found = self._contracts.get((no, day, future, strike_e4, right))
        if found is None:
            if type(strike_e4) is not int:
                raise TypeError("wanted a strike in ten-thousandths")
            made = OptionContract(self._read_series(no, day, future), strike_e4, Right(right))
            found = self._contracts[no, day, future, strike_e4, right] = made
        return found


def _all(do: Callable[[Any], Any], values: Iterable[Any], same: frozenset[type] = SAME) -> list[Any]:
    """Each one done but what is the ``same``; what does not fit is told with its index."""
    out: list[Any] = []
    try:
        out.extend(each if type(each) in same else do(each) for each in values)
    except Unfit as unfit:
        raise unfit.at(f"[{len(out)}]") from None
    return out


def _named(
    do: Callable[[Any], Any], pairs: Iterable[tuple[str, Any]], out: dict[str, Any], same: frozenset[type] = SAME
) -> dict[str, Any]:
    """``out`` with each one done but what is the ``same``, by its name; what does not fit is told with it."""
    for name, each in pairs:
        try:
            out[name] = each if type(each) in same else do(each)
        except Unfit as unfit:
            raise unfit.at(f".{short(name)}") from None
    return out


def _same(value: Any) -> Any:
    return value


def _text(value: str) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Unfit("a text with half a character") from None
    return value


def _float(value: float) -> Any:
    return value if isfinite(value) else {"$float": str(value)}


def _decimal(value: Decimal) -> Any:
    return {"$decimal": str(value)}


def _date(value: date) -> Any:
    return {"$date": value.isoformat()}


def _time(value: time) -> Any:
    if value.tzinfo is not None:
        raise Unfit("a time with a zone: wanted one of New York, without")
    return {"$time": value.isoformat()}


def _read_time(raw: str) -> time:
    found = time.fromisoformat(raw)
    if found.tzinfo is not None:
        raise ValueError("it has a zone")
    return found


def _member(tag: str, member: Enum) -> dict[str, Any]:
    if type(member).__members__.get(member.name) is not member:
        raise Unfit(f"{short(member)} is no member of {tag}")
    return {"$enum": f"{tag}.{member.name}"}


def _said(error: Exception) -> str:
    return "it is nested without end" if isinstance(error, RecursionError) else " ".join(str(error).split())
