"""A scenario: weather, what the book holds, what is played, and what must come of it. In the seed's words, or in full.

The seed's words are ``time``, ``esMove``, ``vix``, ``positions``, ``vixSpike`` for what is given and ``expected``,
``reason``, ``strikes``, ``bpLimit``, ``lesson`` for what must come. They become a day of weather, a play and a
question: what was decided (``decision``), which regime it was (``regime``), which position was too many
(``positions``), what the account had lost (``loss``). Any other scenario asks whether all its ``holds`` do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from typing import Any, Final

from scenarios.holds import Hold, hold_of
from sim.calendar import Venue, load_calendar, parse_time
from sim.market.synthetic.weather_words import per_cent, weather_of
from sim.model.errors import ConfigError
from sim.model.given import POSITIVE, Range, choice, items, mapping, number, section, whole, word

DAY: Final = date(2024, 7, 26)
"""The Friday on which a scenario plays that names no day."""
LEVEL: Final = 5_500.0
CALM: Final = 15.0
SEED_WORDS: Final = ("time", "esMove", "vix", "positions", "vixSpike")
COMES: Final = ("expected", "reason", "strikes", "bpLimit", "lesson")
MORE: Final = (
    "says", "kind", "asks", "rule", "day", "start", "end", "level", "weather", "strategy", "set", "book", "holds",
    "moments", "seed", "plays",
)  # fmt: skip
ASKS: Final = ("decision", "regime", "positions", "loss", "holds")
KINDS: Final = ("seed", "real", "made")
REVIEW: Final = time(14, 30)
"""The first of the exits by the clock of the 0DTE play."""
VIX: Final = Range(above=0, most=150)
SPIKE: Final = Range(least=38.57, most=150)
"""The print of 5 August, no lower than that day's close."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """``given`` and ``comes`` as they were written, for who reads the result. ``market`` is the node of the
    configuration, ``words`` overrides of it, ``plays`` a strategy node of its own (None: what the words say), ``book``
    what is held. ``moments`` are (date, New York time, name) at which the account is looked at."""

    name: str
    says: str
    kind: str
    given: Mapping[str, Any]
    comes: Mapping[str, Any]
    asks: str
    rule: str
    market: Mapping[str, Any]
    words: tuple[str, ...]
    book: tuple[Mapping[str, Any], ...] = ()
    plays: Mapping[str, Any] | None = None
    holds: tuple[Hold, ...] = ()
    moments: tuple[tuple[date, time, str], ...] = field(default=())

    @property
    def expected(self) -> str:
        return str(self.comes["expected"])


def scenario_of(name: str, value: Any) -> Scenario:
    """From configuration; ConfigError by its name and key."""
    row = section(name, value, (), (*SEED_WORDS, *COMES, *MORE))
    given = {key: row[key] for key in (*SEED_WORDS, "weather", "book", "strategy", "set") if row.get(key) is not None}
    holds = tuple(hold_of(f"{name}.holds[{i}]", h) for i, h in enumerate(_list(name, "holds", row)))
    asks = choice(f"{name}.asks", row.get("asks", _asks(row)), ASKS)
    comes = {key: row[key] for key in COMES if row.get(key) is not None}
    if asks == "holds":
        if not holds:
            raise ConfigError(f"{name} expects nothing: wanted `expected` in the seed's words, or `holds`")
        comes.setdefault("expected", "HOLDS")
    if "expected" not in comes:
        raise ConfigError(f"{name} needs 'expected': what must come, like BLOCKED or IRON_CONDOR")
    kind = choice(f"{name}.kind", row.get("kind", "seed" if set(row) & set(SEED_WORDS) else "made"), KINDS)
    _complete(name, row, asks)
    day = _day(f"{name}.day", row.get("day", DAY))
    start, end = (_day(f"{name}.{key}", row.get(key, day)) for key in ("start", "end"))
    if asks == "loss" and "start" not in row and row.get("weather") is None:
        # The book of 5 August was opened on the first Wednesday of July.
        start, end = AUGUST_SPAN
    if not load_calendar().sessions(Venue.US_EQUITY, start, end):
        raise ConfigError(f"{name}: the exchange has no session from {start} to {end}; choose another day")
    market = _market(name, row, start, end, asks)
    return Scenario(
        name=name,
        says=str(row.get("says") or ""),
        kind=kind,
        given=plain({key: f"{parse_time(v):%H:%M}" if key == "time" else v for key, v in given.items()}),
        comes={key: _come(key, value) for key, value in comes.items()},
        asks=asks,
        rule=str(row.get("rule") or ""),
        market=market,
        words=_words(name, row, start, end),
        book=_book(name, row, asks, (start, end)),
        plays=_plays(name, row, asks),
        holds=holds,
        moments=_moments(name, row, asks, day),
    )


# --- what the seed's words mean --------------------------------------------------------------------------------------

AUGUST_SPAN: Final = (date(2024, 7, 3), date(2024, 8, 5))
AUGUST_MOMENTS: Final = (
    (date(2024, 8, 2), time(16, 0), "2 Aug close"), (date(2024, 8, 5), time(9, 30), "09:30"),
    (date(2024, 8, 5), time(10, 30), "10:30"), (date(2024, 8, 5), time(16, 0), "close"),
)  # fmt: skip
AUGUST_CLOSES: Final = {
    "2024-07-02": 5509.01, "2024-07-03": 5537.02, "2024-07-05": 5567.19, "2024-07-08": 5572.85, "2024-07-09": 5576.98,
    "2024-07-10": 5633.91, "2024-07-11": 5584.54, "2024-07-12": 5615.35, "2024-07-15": 5631.22, "2024-07-16": 5667.20,
    "2024-07-17": 5588.27, "2024-07-18": 5544.59, "2024-07-19": 5505.00, "2024-07-22": 5564.41, "2024-07-23": 5555.74,
}  # fmt: skip
"""S&P 500 closes as published, between the entry of the book and the first bar of the shipped table."""
AUGUST: Final[Mapping[str, Any]] = {
    "name": "5 August 2024",
    "said": "VIX and the index at open, high, low and close of each day real, what lies between drawn",
    "closes": AUGUST_CLOSES,
    "real": ["2024-07-24", "2024-08-09"],
    "days": {"2024-08-05": {"night": {"08:33": -4.8}}},
}
"""The night's low of the future, -4.8 %, is told and not in any table here; 65.73 was printed at 08:33."""


def _asks(row: Mapping[str, Any]) -> str:
    if row.get("holds") is not None and "expected" not in row:
        return "holds"
    if row.get("vixSpike") is not None:
        return "loss"
    if row.get("positions") is not None:
        return "positions"
    if row.get("vix") is not None and row.get("time") is None and row.get("esMove") is None:
        return "regime"
    return "decision"


def _complete(name: str, row: Mapping[str, Any], asks: str) -> None:
    """ConfigError where a question lacks what it is about."""
    needs = {"positions": ("positions",), "loss": () if row.get("book") is not None else ("positions", "vixSpike")}
    if row.get("weather") is not None:
        needs["loss"] = () if row.get("book") is not None else ("positions",)
    for key in needs.get(asks, ()):
        if row.get(key) is None:
            raise ConfigError(f"{name} asks for the {asks} and has no {key!r}: say it, like {LIKE[key]}")


LIKE: Final = {"positions": "positions: 6 x LT112", "vixSpike": "vixSpike: 65"}


def _market(name: str, row: Mapping[str, Any], start: date, end: date, asks: str) -> Mapping[str, Any]:
    node = {"kind": "synthetic", "name": name, "start": str(start), "end": str(end)}
    level = number(f"{name}.level", row.get("level", LEVEL), POSITIVE)
    if row.get("weather") is not None:
        weather = {"name": name, **mapping(f"{name}.weather", row["weather"])}
    elif asks == "loss":
        weather, level = _august(name, row), 5_590.0
    else:
        weather = _weather(name, row, start)
    weather_of(f"{name}.weather", weather)
    return {**node, "vix": "market", "multiplier": None, "level": level, "weather": plain(weather)}


def _weather(name: str, row: Mapping[str, Any], day: date) -> dict[str, Any]:
    """One day: VIX stands, the index moves from its opening as it is told and otherwise keeps its own wiggle."""
    vix = number(f"{name}.vix", row.get("vix", CALM), VIX)
    at = parse_time(row.get("time", "10:31"), f"{name}.time")
    move = per_cent(f"{name}.esMove", row.get("esMove", 0.2))
    if at < time(9, 30) and row.get("esMove") is not None:
        raise ConfigError(
            f"{name}.esMove counts from the opening at 09:30, and {name}.time is {at:%H:%M}: leave one out"
        )
    moves = {f"{at:%H:%M}": 100 * move} if at > time(9, 30) else {}
    told = {"vix": vix, "gap": 0.0, "moves": moves, "calm": 0.5}
    return {"name": name, "said": "made up", "vix_before": vix, "days": {str(day): told}}


def _august(name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """5 August with its own print, or with another one in its place."""
    spike = number(f"{name}.vixSpike", row["vixSpike"], SPIKE)
    days: dict[str, Any] = {day: dict(told) for day, told in AUGUST["days"].items()}
    if round(spike) not in (65, 66):
        days["2024-08-05"]["vix"] = [23.39, spike, 23.39, 38.57]
    return {**AUGUST, "name": name, "days": days}


def _words(name: str, row: Mapping[str, Any], start: date, end: date) -> tuple[str, ...]:
    words = [f"start={start}", f"end={end}", "adapter.driver=every_minute"]
    if row.get("seed") is not None:
        words.append(f"seed={whole(f'{name}.seed', row['seed'])}")
    strategy = str(row.get("strategy", "zero_dte"))
    words.insert(0, f"strategy={strategy}")
    if strategy == "zero_dte" and (row.get("time") is not None or (row.get("strategy") is None and "day" not in row)):
        at = parse_time(row.get("time", "10:31"), f"{name}.time")
        words.append(f"strategy.entry.at={at:%H:%M}")
        if at >= REVIEW:
            # It asks what the rules say of such an entry; no exit of its own may come before it.
            words += [f"strategy.exits.{key}=null" for key in ("review", "at", "final")]
    words += [word(f"{name}.set", each) for each in _list(name, "set", row)]
    return tuple(words)


def _plays(name: str, row: Mapping[str, Any], asks: str) -> Mapping[str, Any] | None:
    """Positions that are wanted one after the other, each a put spread; or nobody, where a book is only watched."""
    if row.get("plays") is not None:
        return mapping(f"{name}.plays", row["plays"])
    if asks == "positions":
        symbols = positions_of(f"{name}.positions", row["positions"])
        at = parse_time(row.get("time", "10:31"), f"{name}.time")
        plays = {f"p{i}": _spread(symbol, at, symbols[:i].count(symbol)) for i, symbol in enumerate(symbols)}
        return {"name": "positions", "run": list(plays), "plays": plays}
    return NOBODY if asks == "loss" or row.get("strategy") == "nobody" else None


NOBODY: Final[Mapping[str, Any]] = {
    "_target_": "sim.strategies.nobody.Nobody", "name": "nobody", "underlying": "ES",
}  # fmt: skip
WING: Final = {"ES": 50, "MES": 50, "NQ": 100, "MNQ": 100, "SPX": 50}


def _spread(symbol: str, at: time, before: int) -> dict[str, Any]:
    return {
        "_target_": "sim.strategies.custom.Custom", "structure": "PUT_SPREAD",
        "name": f"position in {symbol}" + (f" {before + 1}" if before else ""),
        "underlying": symbol, "entry": {"at": f"{at:%H:%M}", "weekday": "any", "week": None, "wait": 5},
        "expiration": {"dte": 45, "within": 20},
        "legs": [{"side": "sell", "right": "put", "delta": 16}, {"side": "buy", "right": "put", "from": 1,
                                                                 "points": -WING.get(symbol, 5)}],
        "sizing": {"table": [[0, 1]]}, "exits": {},
    }  # fmt: skip


def _book(name: str, row: Mapping[str, Any], asks: str, span: tuple[date, date]) -> tuple[Mapping[str, Any], ...]:
    if row.get("book") is not None:
        found = tuple(mapping(f"{name}.book[{i}]", each) for i, each in enumerate(_list(name, "book", row)))
        for i, each in enumerate(found):
            day = _day(f"{name}.book[{i}].day", each.get("day"))
            if not (span[0] <= day <= span[1] and load_calendar().is_session(day)):
                raise ConfigError(
                    f"{name}.book[{i}].day is {day}: wanted a session from {span[0]} to {span[1]}, where it plays"
                )
        return found
    if asks != "loss":
        return ()
    held = positions_of(f"{name}.positions", row["positions"])
    if unknown := [each for each in held if each.lower() != "lt112"]:
        raise ConfigError(f"{name}.positions has {unknown[0]!r}: 5 August is told of LT112 alone; write a book")
    return ({"play": "lt112", "day": str(AUGUST_SPAN[0]), "count": len(held), "units": 4, "exits": "none"},)


def positions_of(key: str, value: Any) -> tuple[str, ...]:
    """A list, ``ES, MES, SPY``, or ``6 x LT112``; each of a list may be the latter. ConfigError for anything else."""
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",")]
    out: list[str] = []
    for i, each in enumerate(items(key, value, "a list like [ES, MES], or 6 x LT112")):
        text = word(f"{key}[{i}]", each).strip()
        many = re.fullmatch(r"(\d{1,3})\s*[x×*]\s*(\S+)", text)
        out += [many.group(2)] * int(many.group(1)) if many else [text]
    if not out or not all(re.fullmatch(r"[A-Za-z0-9]{1,12}", each) for each in out):
        raise ConfigError(f"{key} is {value!r}: wanted a list like [ES, MES], or 6 x LT112")
    return tuple(out)


def _moments(name: str, row: Mapping[str, Any], asks: str, day: date) -> tuple[tuple[date, time, str], ...]:
    if asks == "loss" and row.get("moments") is None and row.get("weather") is None:
        return AUGUST_MOMENTS
    out = []
    for i, each in enumerate(_list(name, "moments", row)):
        key = f"{name}.moments[{i}]"
        told = section(key, each, ("at",), ("day", "name"))
        at = parse_time(told["at"], f"{key}.at")
        out.append((_day(f"{key}.day", told.get("day", day)), at, str(told.get("name") or f"{at:%H:%M}")))
    return tuple(out)


def _come(key: str, value: Any) -> str:
    """As results are written: labels in capitals, a limit in per cent (0.80 and ``80 %`` are 80%)."""
    text = str(value).strip()
    if key == "expected":
        return text.upper()
    if key == "bpLimit":
        number_ = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(%?)", text)
        if number_ is not None:
            share = float(number_[1])
            return f"{share if number_[2] or share > 1 else 100 * share:.3g}%"
    return text


def _list(name: str, key: str, row: Mapping[str, Any]) -> Sequence[Any]:
    return items(f"{name}.{key}", row.get(key) or [], "a list")


def _day(key: str, value: Any) -> date:
    try:
        return value if isinstance(value, date) else date.fromisoformat(str(value))
    except ValueError:
        raise ConfigError(f"{key} is {value!r}: wanted a date like 2024-08-05") from None


def plain(value: Any) -> Any:
    """The same in what JSON and YAML have: dates as text, keys as text."""
    match value:
        case Mapping():
            return {str(k): plain(v) for k, v in value.items()}
        case list() | tuple():
            return [plain(each) for each in value]
        case date():
            return str(value)
        case _:
            return value
