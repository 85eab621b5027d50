"""From a plain configuration to the objects of a run. The only module that knows every class."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from conf.words import similar
from sim.buying_power import BuyingPower
from sim.ledger import Rate, RateOf
from sim.model.errors import ConfigError
from sim.model.given import COUNT, POSITIVE, amount, choice, mapping, number, optional, whole, word, words
from sim.ports import Market, Strategy

if TYPE_CHECKING:
    from sim.market.store import VixSource
    from sim.market.synthetic.market import SyntheticMarket


def target(node: Mapping[str, Any], *, where: str) -> Any:
    """The object that ``_target_`` names, made with the other keys. ConfigError where it does not exist or fit."""
    node = mapping(where, node)
    path = str(node.get("_target_") or "")
    if not path:
        raise ConfigError(
            f"{where} has no _target_, which says what makes it: begin with a copy of a file in conf/{_group(where)}"
        )
    module, _, name = path.rpartition(".")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        maker = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"{where}._target_ is {path!r}: cannot be imported ({error})") from None
    try:
        takes = signature(maker).parameters
    except (TypeError, ValueError):
        raise ConfigError(f"{where}._target_ is {path!r}: wanted a class, like sim.strategies.custom.Custom") from None
    given = {str(k): v for k, v in node.items() if not str(k).startswith("_")}
    unknown = sorted(set(given) - set(takes))
    missing = [
        p.name for p in takes.values() if p.default is p.empty and p.name not in given and p.kind.name != "VAR_KEYWORD"
    ]
    if missing:
        raise ConfigError(f"{where} needs {missing[0]!r}, which is not set: {path} takes {', '.join(takes)}")
    if unknown and path.startswith("sim."):
        raise ConfigError(f"{where} has no {unknown[0]!r}{similar(unknown[0], takes)}: it takes {', '.join(takes)}")
    try:
        return maker(**{k: v for k, v in given.items() if k in takes})
    except ConfigError as error:
        # A play says strategy.exits.stop of itself, wherever it stands.
        raise ConfigError(str(error).replace("strategy.", f"{where}.") if ".plays." in where else str(error)) from None
    except (TypeError, ValueError, ArithmeticError, KeyError, AttributeError) as error:
        raise ConfigError(
            f"{where}: {' '.join(str(error).split())}; look at conf/{_group(where)} for what each key takes"
        ) from None


def _group(where: str) -> str:
    return where.partition(".")[0]


def _strategy(node: Mapping[str, Any], where: str) -> Strategy:
    made = target(node, where=where)
    if lacking := [each for each in ("name", "underlyings", "wakes", "decide", "describe") if not hasattr(made, each)]:
        raise ConfigError(f"{where}._target_ is {node['_target_']!r}: it is no strategy, it has no {lacking[0]!r}")
    found: Strategy = made
    return found


def strategies(config: Mapping[str, Any]) -> tuple[Strategy, ...]:
    """The strategy of a run, or several on one account: ``plays`` by name, of which ``run`` names those that trade, the
    first to be asked first. ConfigError where a name is unknown, or two plays have the same."""
    node = mapping("strategy", config["strategy"])
    named("strategy", node)
    if node.get("plays") is None:
        return (_strategy(node, "strategy"),)
    plays, wanted = mapping("strategy.plays", node["plays"]), words("strategy.run", node.get("run"))
    for name, play in plays.items():
        named(f"strategy.plays.{name}", mapping(f"strategy.plays.{name}", play))
    unknown = [name for name in wanted if name not in plays]
    if unknown or not wanted:
        what = f"has no play {unknown[0]!r}{similar(unknown[0], plays)}" if unknown else "names no play"
        raise ConfigError(f"strategy.run {what}: choose of {', '.join(plays)}")
    made = tuple(_strategy(plays[name], f"strategy.plays.{name}") for name in wanted)
    called = [each.name for each in made]
    for name in wanted:
        other = plays[name].get("strategy")
        if isinstance(other, str) and other not in called:
            raise ConfigError(
                f"strategy.plays.{name}.strategy is {other!r}{similar(other, called)}: "
                "none of strategy.run has that name"
            )
    # Strangles on four products are one strategy to every limit, so that a name may come again with another product.
    names = [(each.name, each.underlyings) for each in made]
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise ConfigError(f"strategy.plays: two are called {twice[0][0]!r} on {', '.join(twice[0][1])}: rename one")
    return made


def named(where: str, node: Mapping[str, Any]) -> None:
    """Names of strategies, underlyings and markets are words, and a name is part of a folder's."""
    for key in ("name", "underlying"):
        if key in node and any(sign in word(f"{where}.{key}", node[key]) for sign in "/\\\n"):
            raise ConfigError(f"{where}.{key} is {node[key]!r}: wanted a word without slashes, folders are named by it")


def sentence(config: Mapping[str, Any], made: Sequence[Strategy]) -> str:
    """What the run trades, as a trader would say it."""
    if len(made) == 1:
        return made[0].describe()
    plays = ", ".join(f"{s.name} on {'/'.join(s.underlyings)}" for s in made)
    return f"{len(made)} plays on one account, by priority: {plays}"


def name_of(config: Mapping[str, Any], made: Sequence[Strategy]) -> str:
    return made[0].name if len(made) == 1 else str(config["strategy"].get("name", "plays"))


def market(config: Mapping[str, Any], root: Path) -> Market:
    """The synthetic or the imported market that is chosen."""
    node = config["market"]
    named("market", node)
    multiplier = optional(amount, "market.multiplier", node["multiplier"], POSITIVE)
    if choice("market.kind", node["kind"], ("synthetic", "imported")) == "synthetic":
        from sim.market.synthetic.market import SyntheticMarket

        if node.get("weather") is not None:
            return weather(config)
        return SyntheticMarket(
            str(node["name"]),
            day("market.start", node["start"]),
            day("market.end", node["end"]),
            whole("seed", config["seed"], COUNT),
            root,
        )
    from sim.market.store import StoreMarket

    return StoreMarket(root, str(node["name"]), vix=vix_source(config), multiplier=multiplier)


def notice(made: Market) -> str:
    """What every page and report must say of a market's quotes; empty where there is nothing to say."""
    from sim.market.store import StoreMarket

    return made.notice if isinstance(made, StoreMarket) else ""


def weather(config: Mapping[str, Any]) -> Market:
    """A synthetic market that is made to do what ``market.weather`` says; in memory. ``market.level``: the front future
    at its first opening, points, where the weather itself gives no level."""
    from sim.market.synthetic.market import SyntheticMarket
    from sim.market.synthetic.parameters import Parameters
    from sim.market.synthetic.weather_words import weather_of

    node = config["market"]
    level = optional(number, "market.level", node.get("level"), POSITIVE)
    made = SyntheticMarket(
        word("market.name", node["name"]),
        day("market.start", node["start"]),
        day("market.end", node["end"]),
        whole("seed", config["seed"], COUNT),
        parameters=Parameters() if level is None else Parameters(level=level),
        weather=weather_of("market.weather", node["weather"]),
    )
    # The same weather is often played several times in a row: what was built of it stands.
    if _last and _last[0].fingerprint == made.fingerprint:
        return _last[0]
    _last[:] = [made]
    return made


_last: list[SyntheticMarket] = []
"""The market under weather that was made last."""


VIX: Final[Mapping[VixSource, str]] = {
    "market": "as known by the minute", "previous_close": "close of the session before", "none": "none",
}  # fmt: skip
"""Where VIX comes from, and what the report says of it."""


def vix_source(config: Mapping[str, Any]) -> VixSource:
    """A synthetic market has its VIX by the minute, and no other."""
    market = config["market"]
    wanted = choice("market.vix", market["vix"], VIX)
    if wanted != "market" and market["kind"] == "synthetic":
        raise ConfigError(f"market.vix is {wanted!r}: a synthetic market has its own by the minute; choose market")
    return next(source for source in VIX if source == wanted)


def day(key: str, value: Any) -> date:
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ConfigError(f"{key} is {value!r}: wanted a date like 2024-08-05") from None


def rates(config: Mapping[str, Any]) -> RateOf:
    """Dollars per unit of account currency, dated before the day it is used on."""
    currency = str(config["account"]["currency"]).upper()
    if choice("account.currency", currency, ("GBP", "USD")) == "USD":
        same = Rate(Decimal(1), None)
        return lambda _: same
    from sim.market.reference import gbpusd_daily

    table = gbpusd_daily()
    known: dict[date, Rate] = {}

    def rate_of(on: date) -> Rate:
        found = known.get(on)
        if found is None:
            dated, value = table.before(on)
            found = known[on] = Rate(Decimal(repr(value)), dated)
        return found

    return rate_of


def bp(config: Mapping[str, Any]) -> BuyingPower:
    return BuyingPower(target(config["margin"], where="margin"))
