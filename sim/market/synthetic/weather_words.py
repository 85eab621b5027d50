"""Weather from plain configuration: what a person writes in a scenario, and what it means.

Times are New York's, also as YAML reads an unquoted 10:31; moves are per cent, also as ``+0.8%``. Every fault is a
ConfigError of one line that names the key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, time
from typing import Any, Final

from sim.calendar import parse_time
from sim.market.reference import DailyOhlc, spx_shock_days
from sim.market.synthetic.weather import DayWeather, Pin, Trouble, Weather
from sim.model.errors import ConfigError
from sim.model.given import PART, POSITIVE, Range, choice, items, mapping, number, optional, section, word

TROUBLES: Final = ("frozen", "blank", "no_bid", "no_ask", "wide")
MOVES: Final = Range(above=-100, below=300)
VIX: Final = Range(above=0, most=150)


def weather_of(where: str, config: Mapping[str, Any]) -> Weather:
    """From plain configuration. Moves are per cent, as numbers or like ``+0.8%``. ConfigError by the key."""
    row = section(where, config, ("name",), ("days", "closes", "vix_before", "real", "said"))
    days = {_day(f"{where}.days", k): v for k, v in mapping(f"{where}.days", row.get("days") or {}).items()}
    real = _real(f"{where}.real", row.get("real"))
    both = {day: _day_of(f"{where}.days.{day}", days.get(day), real.get(day)) for day in sorted({*days, *real})}
    if not both:
        raise ConfigError(f"{where} has no day: wanted days, or real: [first, last]")
    closes = {
        _day(f"{where}.closes", k): number(f"{where}.closes.{k}", v, POSITIVE)
        for k, v in mapping(f"{where}.closes", row.get("closes") or {}).items()
    }
    return Weather(
        word(f"{where}.name", row["name"]), both, closes,
        optional(number, f"{where}.vix_before", row.get("vix_before"), VIX), str(row.get("said") or ""),
    )  # fmt: skip


def per_cent(key: str, value: Any) -> float:
    """A move as a share: ``+0.8%``, ``-4``, 0.8 are per cent. ConfigError for anything else."""
    if isinstance(value, str):
        text = value.strip().removesuffix("%").strip()
        try:
            value = float(text)
        except ValueError:
            raise ConfigError(f"{key} is {value!r}: wanted a move in per cent, like +0.8% or -4") from None
    return number(key, value, MOVES) / 100.0


def _day(key: str, value: Any) -> date:
    try:
        return value if isinstance(value, date) else date.fromisoformat(str(value))
    except ValueError:
        raise ConfigError(f"{key} has {value!r}: wanted a date like 2024-08-05") from None


def _real(key: str, value: Any) -> dict[date, DailyOhlc]:
    """The real bars of the index from one day to another, both included."""
    if value is None:
        return {}
    ends = items(key, value, "[first, last]")
    if len(ends) != 2:
        raise ConfigError(f"{key} is {value!r}: wanted [first, last]")
    first, last = (_day(key, end) for end in ends)
    found = {bar.date: bar for bar in spx_shock_days() if first <= bar.date <= last}
    if not found or min(found) != first or max(found) != last:
        raise ConfigError(f"{key} is {first} to {last}: the table of shock days does not reach that far")
    return found


def _day_of(where: str, config: Any, real: DailyOhlc | None) -> DayWeather:
    if config is None:
        return DayWeather(index=real)
    may = ("index", "vix", "gap", "night", "moves", "vix_at", "calm", "troubles")
    row = section(where, config, (), may)
    day = _day(where, where.rpartition(".")[2])
    gap = row.get("gap")
    return DayWeather(
        index=_bar(f"{where}.index", day, row.get("index"), POSITIVE) or real,
        vix=_bar(f"{where}.vix", day, row.get("vix"), VIX),
        gap=None if gap is None else per_cent(f"{where}.gap", gap),
        night=_pins(f"{where}.night", row.get("night"), per_cent),
        moves=_pins(f"{where}.moves", row.get("moves"), per_cent),
        vix_at=_pins(f"{where}.vix_at", row.get("vix_at"), lambda k, v: number(k, v, VIX)),
        calm=number(f"{where}.calm", row.get("calm", 1.0), PART),
        troubles=tuple(
            _trouble(f"{where}.troubles[{i}]", each)
            for i, each in enumerate(items(f"{where}.troubles", row.get("troubles") or [], "a list of troubles"))
        ),
    )


def _bar(key: str, day: date, value: Any, within: Range) -> DailyOhlc | None:
    """``[open, high, low, close]``, or one number for a day that hardly moves."""
    if value is None:
        return None
    if isinstance(value, int | float):
        level = number(key, value, within)
        return DailyOhlc(day, level, 1.01 * level, 0.99 * level, level)
    four = [number(key, each, within) for each in items(key, value, "[open, high, low, close]")]
    if len(four) != 4 or not four[2] <= min(four[0], four[3]) <= max(four[0], four[3]) <= four[1]:
        raise ConfigError(f"{key} is {value!r}: wanted [open, high, low, close] with low and high around the others")
    return DailyOhlc(day, *four)


def _pins(key: str, value: Any, read: Callable[[str, Any], float]) -> tuple[Pin, ...]:
    if value is None:
        return ()
    # YAML reads an unquoted 10:31 as a key of 631.
    pins = [
        Pin(parse_time(int(k) if str(k).isdigit() else k, f"{key}.{k}"), read(f"{key}.{k}", v))
        for k, v in mapping(key, value).items()
    ]
    return tuple(sorted(pins, key=lambda p: _night(p.at)))


def _night(at: time) -> int:
    """Minutes of a trade date, which begins at 18:00 the evening before."""
    return (at.hour * 60 + at.minute + 6 * 60) % 1440


def _trouble(key: str, value: Any) -> Trouble:
    row = section(key, value, ("kind", "start", "end"), ("times",))
    kind = choice(f"{key}.kind", row["kind"], TROUBLES)
    start, end = (parse_time(row[name], f"{key}.{name}") for name in ("start", "end"))
    if _night(start) >= _night(end):
        raise ConfigError(f"{key} goes from {start:%H:%M} to {end:%H:%M}: wanted the earlier one first")
    return Trouble(kind, start, end, number(f"{key}.times", row.get("times", 1.0), POSITIVE))
