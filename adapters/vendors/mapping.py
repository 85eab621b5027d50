"""Which column of a table is what, and what its options are: the words of ``conf/vendor/table.yaml`` as data.

Reads no file. A word it does not know, or a value that does not fit, is a ``ConfigError`` that names both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sim.calendar import Venue, parse_time
from sim.market.products import known_product, parse_ticks
from sim.model.errors import ConfigError
from sim.model.instrument import Exercise, Kind, Product, Style
from sim.model.market import Nature

_STAMPS: Final = ("snapshot", "bar_start", "bar_end")
_UNITS: Final = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
_USUAL: Final = {
    "equity": {"multiplier": "100", "ticks": "0.01", "style": "american", "exercise": "pm_physical"},
    "index": {"multiplier": "100", "style": "european", "exercise": "pm_cash"},
    "future": {},
}
_HOURS: Final = {"equity": Venue.US_EQUITY, "index": Venue.CBOE_INDEX, "future": Venue.GLOBEX_EQUITY}


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a row's time stands: ``ts``, or ``date`` and ``minute``; ``zone`` is of times that carry none."""

    ts: str = ""
    date: str = ""
    minute: str = ""
    minute_zero: str = "00:00"
    ts_format: str = ""
    ts_unit: str = ""
    ts_is: str = "snapshot"
    bar_seconds: int = 60
    zone: str = ""

    def __post_init__(self) -> None:
        if not self.ts and not (self.date and self.minute):
            raise ConfigError("mapping: no time; wanted the column ts, or date and minute")
        if self.ts_is not in _STAMPS:
            raise ConfigError(f"mapping: ts_is {self.ts_is!r}; wanted one of {', '.join(_STAMPS)}")
        if self.ts_unit and self.ts_unit not in _UNITS:
            raise ConfigError(f"mapping: ts_unit {self.ts_unit!r}; wanted one of {', '.join(_UNITS)}")
        if self.bar_seconds < 1:
            raise ConfigError(f"mapping: bar_seconds {self.bar_seconds}; wanted a positive number")
        parse_time(self.minute_zero)
        try:
            _ = ZoneInfo(self.zone or "UTC")
        except (ZoneInfoNotFoundError, ValueError):
            raise ConfigError(
                f"mapping: zone {self.zone!r} is not known; wanted a name such as America/New_York"
            ) from None

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.ts,) if self.ts else (self.date, self.minute)

    @property
    def unit_ns(self) -> int | None:
        """Nanoseconds of one unit of a whole-number time; None where it was not said."""
        return _UNITS.get(self.ts_unit)


@dataclass(frozen=True, slots=True)
class QuoteColumns:
    """Columns of the option file, ``""`` where there is none, and how its prices are to be read."""

    time: Moment
    expiration: str
    strike: str
    right: str
    bid: str
    ask: str
    bid_size: str = ""
    ask_size: str = ""
    underlying: str = ""
    root: str = ""
    future: str = ""
    price_scale: Decimal = Decimal(1)
    strike_scale: Decimal = Decimal(1)
    zero_is_blank: bool = False
    separator: str = ","


@dataclass(frozen=True, slots=True)
class BarColumns:
    """Columns of the underlying's file, ``""`` where there is none."""

    time: Moment
    symbol: str = ""
    open: str = ""
    high: str = ""
    low: str = ""
    close: str = ""
    bid: str = ""
    ask: str = ""
    volume: str = ""
    price_scale: Decimal = Decimal(1)
    separator: str = ","


@dataclass(frozen=True, slots=True)
class TableMapping:
    """All of ``conf/vendor/table.yaml``. ``product`` are the words of a Product, empty for the known ones."""

    quotes: QuoteColumns
    bars: BarColumns
    product: Mapping[str, str] = field(default_factory=dict)
    underlying: str = ""
    root: str = ""
    nature: Nature | None = None
    licence: str = ""

    def product_of(self, root: str, underlying: str) -> Product:
        """What ``root`` is; ConfigError where neither the mapping nor the project says."""
        if not self.product:
            known = known_product(root)
            if known is None:
                raise ConfigError(
                    f"mapping: {root} is no product known here; declare it under product (kind: equity for a stock)"
                )
            return known
        kind = self.product["kind"]
        words = {"venue": _HOURS[kind].value, "currency": "USD", **_USUAL[kind], **self.product}
        missing = [name for name in ("multiplier", "ticks", "style", "exercise") if name not in words]
        if missing:
            raise ConfigError(f"mapping: product of kind {kind} without {', '.join(missing)}; wanted a value for each")
        return Product(
            root=root,
            underlying=underlying,
            kind=Kind(kind),
            multiplier=_decimal("product.multiplier", words["multiplier"]),
            ticks=parse_ticks(words["ticks"]),
            style=Style(words["style"]),
            exercise=Exercise(words["exercise"]),
            venue=words["venue"],
            currency=words["currency"],
        )


def read_mapping(values: Mapping[str, Any]) -> TableMapping:
    """A mapping as YAML gives it: nested plain values, null for what is not there."""
    top = _words("mapping", values, [f.name for f in fields(TableMapping)])
    quotes, bars = top.get("quotes"), top.get("bars")
    if not isinstance(quotes, Mapping):
        raise ConfigError("mapping: quotes are missing; wanted the columns of the option file")
    nature = top.get("nature")
    return TableMapping(
        quotes=_quotes(quotes),
        bars=_bars(bars if isinstance(bars, Mapping) else {"ts": "ts"}),
        product=_product(top.get("product")),
        underlying=_text(top.get("underlying")).upper(),
        root=_text(top.get("root")).upper(),
        nature=Nature(_one_of("nature", nature, [n.value for n in Nature])) if nature else None,
        licence=_text(top.get("licence")),
    )


def _quotes(values: Mapping[str, Any]) -> QuoteColumns:
    names = [f.name for f in fields(QuoteColumns) if f.name not in ("time", "zero_is_blank")]
    words = _words("quotes", values, [*names, "zero", *_MOMENT])
    missing = [n for n in ("expiration", "strike", "right", "bid", "ask") if not words.get(n)]
    if missing:
        raise ConfigError(f"mapping: quotes without {', '.join(missing)}; wanted the name of a column for each")
    zero = _one_of("quotes.zero", words.get("zero", "price"), ("price", "blank"))
    return QuoteColumns(**_columns("quotes", words, names), zero_is_blank=zero == "blank")


def _bars(values: Mapping[str, Any]) -> BarColumns:
    names = [f.name for f in fields(BarColumns) if f.name != "time"]
    return BarColumns(**_columns("bars", _words("bars", values, [*names, *_MOMENT]), names))


_MOMENT: Final = tuple(f.name for f in fields(Moment))


def _columns(where: str, words: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    out: dict[str, Any] = {"time": _moment(words)}
    for name in names:
        if words.get(name) is not None:
            scale = name.endswith("_scale")
            out[name] = _decimal(f"{where}.{name}", words[name]) if scale else _text(words[name])
    return out


def _moment(words: Mapping[str, Any]) -> Moment:
    given = {name: words[name] for name in _MOMENT if words.get(name) is not None}
    seconds = given.pop("bar_seconds", 60)
    zero = parse_time(given.pop("minute_zero", "00:00"))
    if not isinstance(seconds, int):
        raise ConfigError(f"mapping: bar_seconds {seconds!r}; wanted a whole number")
    texts = {name: _text(value) for name, value in given.items()}
    return Moment(**texts, bar_seconds=seconds, minute_zero=zero.isoformat("seconds"))


def _product(values: object) -> dict[str, str]:
    if values is None:
        return {}
    names = ("kind", "multiplier", "ticks", "style", "exercise", "venue", "currency")
    if not isinstance(values, Mapping):
        raise ConfigError(f"mapping: product {values!r}; wanted null, or kind and what differs from its usual terms")
    words = {k: _text(v) for k, v in _words("product", values, names).items() if v is not None}
    _one_of("product.kind", words.get("kind"), [k.value for k in Kind])
    for name, allowed in (("style", Style), ("exercise", Exercise), ("venue", Venue)):
        if name in words:
            _one_of(f"product.{name}", words[name], [v.value for v in allowed])
    return words


def _words(where: str, values: Mapping[str, Any], allowed: tuple[str, ...] | list[str]) -> dict[str, Any]:
    unknown = sorted(str(name) for name in values if name not in allowed)
    if unknown:
        raise ConfigError(f"mapping: {where} has no {', '.join(unknown)}; it has {', '.join(allowed)}")
    return dict(values)


def _one_of(name: str, value: object, allowed: tuple[str, ...] | list[str]) -> str:
    if value not in allowed:
        raise ConfigError(f"mapping: {name} {value!r}; wanted one of {', '.join(allowed)}")
    return str(value)


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _decimal(name: str, value: object) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ConfigError(f"mapping: {name} {value!r}; wanted a number") from None
    if not number.is_finite() or number <= 0:
        raise ConfigError(f"mapping: {name} {value}; wanted a positive number")
    return number
