"""Reads the plain mappings of ``conf/margin`` into the rules that the methods take. Every fault is a ConfigError."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sim.margin.ranges import PriceRange, load_steps
from sim.margin.regt import NakedRate
from sim.margin.span import SpanRule
from sim.model.errors import ConfigError
from sim.model.given import section, word
from sim.model.instrument import Kind

METHODS: Final = ("reg_t", "span", "none")
DEFINED_RISK: Final = ("cap", "width", "scan")
SPAN: Final = ("vol_shift", "extreme_multiple", "extreme_cover", "short_minimum", "defined_risk", "stale_after_days")


@dataclass(frozen=True, slots=True)
class Rules:
    """A whole configuration, checked. ``naked`` has the kinds under Reg-T; ``stock`` the rate on shares."""

    methods: Mapping[Kind, str]
    naked: Mapping[Kind, NakedRate]
    stock: Decimal
    span: SpanRule
    ranges: Mapping[str, PriceRange]


def compiled(
    name: str,
    methods: Mapping[str, str],
    reg_t: Mapping[str, object],
    span: Mapping[str, object],
    products: Mapping[str, Mapping[str, object]],
) -> Rules:
    """Checks all of it. A method that no kind uses may be left out."""
    where = f"margin {name!r}"
    word("margin.name", name)
    for key, value in (("methods", methods), ("span", span), ("products", products)):
        _mapping(f"{where}: {key}", value)
    section(f"{where}: reg_t", reg_t, (), (*(kind.value for kind in Kind), "stock"))
    _same_keys(f"{where}: methods", methods, [kind.value for kind in Kind])
    if wrong := [f"{key}={value}" for key, value in methods.items() if value not in METHODS]:
        raise ConfigError(f"{where}: methods.{wrong[0]}; wanted one of {', '.join(METHODS)}")
    chosen = {kind: methods[kind.value] for kind in Kind}
    naked, stock = _reg_t(where, reg_t, [kind for kind in Kind if chosen[kind] == "reg_t"])
    ranges = {
        str(key): _range(f"{where}: products.{key}", str(key), _mapping(f"{where}: products.{key}", value))
        for key, value in products.items()
    }
    return Rules(chosen, naked, stock, _span(where, span, "span" in chosen.values()), ranges)


def _reg_t(where: str, given: Mapping[str, object], kinds: Sequence[Kind]) -> tuple[dict[Kind, NakedRate], Decimal]:
    if not kinds:
        return {}, Decimal(0)
    rates = {}
    for kind in kinds:
        here = f"{where}: reg_t.{kind.value}"
        rate = _mapping(here, given.get(kind.value))
        _same_keys(here, rate, ("share", "floor"))
        rates[kind] = NakedRate(*(_number(f"{here}.{key}", rate[key], 0.0, 1.0) for key in ("share", "floor")))
    return rates, Decimal(str(_number(f"{where}: reg_t.stock", given.get("stock"), 0.0, 1.0)))


def _span(where: str, given: Mapping[str, object], wanted: bool) -> SpanRule:
    if not wanted:
        return SpanRule(0.0, 0.0, 0.0, 0.0, "scan", 0)
    _same_keys(f"{where}: span", given, SPAN)
    defined = given["defined_risk"]
    if defined not in DEFINED_RISK:
        raise ConfigError(f"{where}: span.defined_risk is {defined!r}; wanted one of {', '.join(DEFINED_RISK)}")
    multiple = _number(f"{where}: span.extreme_multiple", given["extreme_multiple"], 0.0, 10.0)
    cover = _number(f"{where}: span.extreme_cover", given["extreme_cover"], 0.0, 1.0)
    if multiple * cover > 1.0:
        raise ConfigError(
            f"{where}: span.extreme_multiple x span.extreme_cover is {multiple * cover:g}; wanted at most 1, "
            "or an outright future would cost more than its own range"
        )
    return SpanRule(
        _number(f"{where}: span.vol_shift", given["vol_shift"], 0.0, 1.0),
        multiple,
        cover,
        _number(f"{where}: span.short_minimum", given["short_minimum"], 0.0, 1.0),
        str(defined),
        int(_number(f"{where}: span.stale_after_days", given["stale_after_days"], 0.0, 10_000.0)),
    )


def _range(where: str, product: str, given: Mapping[str, object]) -> PriceRange:
    given = _mapping(where, given)
    for key in given:
        if key not in ("group", "range_pct", "steps", "multiplier"):
            raise ConfigError(f"{where}.{key} is unknown; wanted group, range_pct, steps, multiplier")
    steps = str(given.get("steps") or "")
    if steps:
        load_steps(steps)
        multiplier = _number(f"{where}.multiplier", given.get("multiplier"), 1e-6, 1e9)
    else:
        multiplier = 1.0
    bands = given.get("range_pct")
    if not isinstance(bands, Sequence) or isinstance(bands, str) or not bands:
        raise ConfigError(f"{where}.range_pct is {bands!r}; wanted pairs like [[0, 0.06], [25, 0.09]]")
    pairs = []
    for band in bands:
        if not isinstance(band, Sequence) or isinstance(band, str) or len(band) != 2:
            raise ConfigError(f"{where}.range_pct has {band!r}; wanted a pair [VIX from, share of the price]")
        low = _number(f"{where}.range_pct", band[0], 0.0, 150.0)
        pairs.append((low, _number(f"{where}.range_pct", band[1], 1e-6, 1.0)))
    lows = [low for low, _ in pairs]
    if lows[0] != 0.0 or sorted(set(lows)) != lows:
        raise ConfigError(f"{where}.range_pct begins its bands at {lows}; wanted them ascending from 0")
    return PriceRange(product, str(given.get("group") or product), tuple(pairs), steps, multiplier)


def _mapping(where: str, value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where} is {value!r}; wanted a mapping")
    return value


def _same_keys(where: str, given: Mapping[str, object], wanted: Sequence[str]) -> None:
    unknown, missing = sorted(set(given) - set(wanted)), [key for key in wanted if key not in given]
    if unknown or missing:
        raise ConfigError(
            f"{where} lack [{', '.join(missing)}] and have unknown [{', '.join(map(str, unknown))}]; "
            f"wanted exactly {', '.join(wanted)}"
        )


def _number(where: str, value: object, low: float, high: float) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not good or not isinstance(value, int | float) or not low <= value <= high:
        raise ConfigError(f"{where} is {value!r}; wanted a number from {low:g} to {high:g}")
    return float(value)
