"""The exits of a configuration, in the trader's words, as the values that the engine watches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from sim.calendar import parse_time
from sim.model.defence import CloseByDte, DeltaDefence, DistanceDefence, EarlyProfit, OfPart, VixAbove
from sim.model.errors import ConfigError
from sim.model.exits import CloseAt, CrossAfter, Exit, ProfitTarget, Review, StopLoss
from sim.model.given import COUNT, FROM_ONE, choice, mapping, number, optional, rows, section, whole, words
from sim.strategies.agree import moment

_PART: Final = {"profit", "stop", "early", "delta", "distance", "dte"}
_KEYS: Final = _PART | {"at", "date", "final", "review", "walk", "parts", "vix_above"}
_REASONS: Final = {
    "profit": "profit_target", "stop": "stop_loss", "early": "early_profit", "distance": "distance", "dte": "dte",
    "delta": "delta_exit",
}  # fmt: skip


def exits_of(config: Mapping[str, Any], parts: Sequence[str] = ()) -> tuple[Exit, ...]:
    """From a mapping in which null leaves a key out.

    ``{profit: 0.5, stop: 2.0, early: [[21, 0.25]], delta: {close_tested: 0.25, close_all: 0.30}, distance: 25,
    vix_above: {level: 18, from: "09:30"}, dte: {days: 21, at: "10:00"}, review: {at, profit, stop}, at: "15:00",
    final: "15:30", date: 2024-08-05, walk: 5, parts: {naked: {profit: 0.9, stop: 2.0, closes_all: [stop]}}}``

    ``profit`` share of the credit earned; ``stop`` loss in multiples of the credit; ``early`` [days, share]: below so
    many days to expiration that share is enough; ``delta`` and ``distance`` watch the short legs; ``dte`` closes;
    ``at`` closes, not before the trade date ``date``; ``final`` crosses the spread; a closing order waits ``walk``
    minutes before it crosses too. ``parts`` are exits of the legs with that part name (``parts``: the name of each
    leg), judged and closed by themselves. The graver exits are asked first.
    """
    config = section("strategy.exits", config, (), sorted(_KEYS))
    out = [
        *_defences(config, "exits"),
        *_by_vix(config),
        *_parts({} if config.get("parts") is None else config["parts"], parts),
        *_marks(config, "exits"),
    ]
    if (review := config.get("review")) is not None:
        review = section("strategy.exits.review", review, ("at", "profit", "stop"))
        share = _number("exits.review.profit", review["profit"], 0.0, 1.0)
        when = parse_time(review["at"], "strategy.exits.review.at")
        out.append(Review(when, share, _number("exits.review.stop", review["stop"], 0.0, 100.0)))
    out += _by_dte(config, "exits")
    if (at := config.get("at")) is not None:
        on, close = config.get("date"), parse_time(at, "strategy.exits.at")
        final = None if config.get("final") is None else parse_time(config["final"], "strategy.exits.final")
        if final is not None and moment(final) < moment(close):
            raise ConfigError(
                f"strategy.exits.final is {final:%H:%M}, before strategy.exits.at {close:%H:%M}: "
                "the last exit comes last"
            )
        out.append(CloseAt(close, final, None if on is None else _date(on)))
    elif config.get("final") is not None or config.get("date") is not None:
        raise ConfigError(
            "strategy.exits.final or strategy.exits.date is set without strategy.exits.at: "
            "set that as well, or leave all of them null"
        )
    if (walk := optional(whole, "strategy.exits.walk", config.get("walk"), FROM_ONE)) is not None:
        out.append(CrossAfter(walk))
    return tuple(out)


def _defences(config: Mapping[str, Any], where: str) -> list[Exit]:
    out: list[Exit] = []
    if (distance := config.get("distance")) is not None:
        out.append(DistanceDefence(number(f"strategy.{where}.distance", distance)))
    if (delta := config.get("delta")) is not None:
        delta = section(f"strategy.{where}.delta", delta, (), ("close_tested", "close_all"))
        bounds = {k: _number(f"{where}.delta.{k}", v, 0.0, 1.0) for k, v in delta.items() if v is not None}
        tested, whole = bounds.get("close_tested"), bounds.get("close_all")
        if tested is not None and whole is not None and whole < tested:
            raise ConfigError(f"strategy.{where}.delta closes all at {whole:g}, before the tested side at {tested:g}")
        out.append(DeltaDefence(tested, whole))
    return out


def _by_vix(config: Mapping[str, Any]) -> list[Exit]:
    vix = config.get("vix_above")
    if vix is None:
        return []
    if not isinstance(vix, Mapping) or set(vix) != {"level", "from"}:
        raise ConfigError(f'strategy.exits.vix_above is {vix!r}: wanted {{level: 18, from: "09:30"}}, or null')
    level = _number("exits.vix_above.level", vix["level"], 0.0, 200.0)
    return [VixAbove(level, parse_time(vix["from"], "strategy.exits.vix_above.from"))]


def _marks(config: Mapping[str, Any], where: str) -> list[Exit]:
    out: list[Exit] = []
    if (profit := config.get("profit")) is not None:
        out.append(ProfitTarget(_number(f"{where}.profit", profit, 0.0, 1.0)))
    if (stop := config.get("stop")) is not None:
        out.append(StopLoss(_number(f"{where}.stop", stop, 0.0, 100.0)))
    if (early := config.get("early")) is not None:
        for below, share in rows(f"strategy.{where}.early", early, "[days, share]"):
            days = whole(f"strategy.{where}.early", below, FROM_ONE)
            out.append(EarlyProfit(days, _number(f"{where}.early", share, 0.0, 1.0)))
    return out


def _by_dte(config: Mapping[str, Any], where: str) -> list[Exit]:
    dte = config.get("dte")
    if dte is None:
        return []
    dte = section(f"strategy.{where}.dte", dte, ("days", "at"))
    days = whole(f"strategy.{where}.dte.days", dte["days"], COUNT)
    return [CloseByDte(days, parse_time(dte["at"], f"strategy.{where}.dte.at"))]


def _parts(config: Mapping[str, Any], names: Sequence[str]) -> list[Exit]:
    out: list[Exit] = []
    for name, given in mapping("strategy.exits.parts", config).items():
        legs = tuple(i for i, part in enumerate(names) if part == name)
        where = f"exits.parts.{name}"
        if not legs:
            raise ConfigError(f"strategy.{where}: no leg has part: {name}")
        given = section(f"strategy.{where}", given, (), (*sorted(_PART), "closes_all"))
        graver = [
            choice(f"strategy.{where}.closes_all", each, sorted(_REASONS))
            for each in words(f"strategy.{where}.closes_all", given.get("closes_all") or [])
        ]
        exits = (*_defences(given, where), *_marks(given, where), *_by_dte(given, where))
        # Those that close everything are graver than those that close the part.
        ordered = sorted(exits, key=lambda e: not _closes_all(e, graver))
        out.append(OfPart(str(name), legs, tuple(ordered), frozenset(_REASONS[word] for word in graver)))
    return out


def _closes_all(exit_: Exit, words: Sequence[str]) -> bool:
    made = {c.reason for c in exit_.conditions(100)}
    return bool(made & {_REASONS[word] for word in words})


def _date(value: Any) -> date:
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ConfigError(f"strategy.exits.date is {value!r}: wanted a date like 2024-08-05") from None


def _number(name: str, value: Any, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low < value <= high:
        raise ConfigError(f"strategy.{name} is {value!r}: wanted a number above {low:g}, at most {high:g}, or null")
    return float(value)
