"""What the parts of one strategy's configuration say of one another: an exit before the entry, a target never reached,
an exit that would close the trade as it opens. Each contradiction is one line with both keys, before the run begins.

What depends on the day (a strike that is not listed, a delta that nobody quotes) is refused on the day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import time
from itertools import combinations
from typing import Any, Final

from sim.calendar import parse_time
from sim.model.errors import ConfigError
from sim.model.instrument import Right
from sim.strategies.legs import LegPlan

EVENING: Final = time(17, 0)
"""From here on a time is that of the evening before, which a future's trade date begins with."""
AT_THE_MONEY: Final = 0.4
"""A strike at the money or in it has more delta than this, whatever the volatility."""


def moment(clock: time) -> tuple[bool, time]:
    """A time of day in the order of a trade date."""
    return clock < EVENING, clock


def trade(entry: time, plans: Sequence[LegPlan], exits: Mapping[str, Any], min_credit: float | None) -> None:
    """Legs, the exits of all of them and those of each part."""
    times(entry, exits)
    strikes(plans, min_credit)
    marks(exits, debit=debit(plans))
    legs(plans, exits, entry)
    for name, given in (exits.get("parts") or {}).items():
        mine, where = [leg for leg in plans if leg.part == name], f"exits.parts.{name}"
        marks(given, where, debit=debit(mine))
        legs(mine, given, entry, where)


def times(entry: time, exits: Mapping[str, Any], *, same_day: bool = False) -> None:
    """A trade that ends on the day it begins is not closed, nor reviewed, before it is opened."""
    at, review = exits.get("at"), exits.get("review")
    last = None if at is None or exits.get("date") is not None else parse_time(at, "strategy.exits.at")
    when = None if review is None else parse_time(review["at"], "strategy.exits.review.at")
    if last is None and not same_day:
        return
    for key, clock in (("at", last), ("review.at", when)):
        if clock is not None and moment(clock) <= moment(entry):
            evening = f"from {EVENING:%H:%M} on it is the evening before" if clock >= EVENING > entry else ""
            raise ConfigError(
                f"strategy.exits.{key} is {clock:%H:%M}, not after strategy.entry.at {entry:%H:%M}: "
                f"{evening or 'a trade ends after it begins'}"
            )
    if last is not None and when is not None and moment(when) >= moment(last):
        raise ConfigError(
            f"strategy.exits.review.at is {when:%H:%M}, and strategy.exits.at {last:%H:%M} has closed the trade by "
            "then: exchange them, or set strategy.exits.review=null"
        )


def marks(exits: Mapping[str, Any], where: str = "exits", *, debit: str = "") -> None:
    """A review takes less profit and bears less loss than the exits that stand beside it, an early target less the
    fewer days are left. ``debit``: why it costs one, of which no more than all can be lost."""
    profit, stop, review = exits.get("profit"), exits.get("stop"), exits.get("review") or {}
    taken, borne = review.get("profit"), review.get("stop")
    if profit is not None and taken is not None and taken > profit:
        raise ConfigError(
            f"strategy.{where}.review.profit is {taken}, above strategy.{where}.profit {profit}: that one comes first"
        )
    if stop is not None and borne is not None and borne > stop:
        raise ConfigError(
            f"strategy.{where}.review.stop is {borne}, above strategy.{where}.stop {stop}: it tightens nothing"
        )
    for key, multiple in (("stop", stop), ("review.stop", borne)):
        if debit and multiple is not None and multiple > 1:
            raise ConfigError(
                f"strategy.{where}.{key} is {multiple}, and {debit}: of a debit no more than all can be lost; "
                "wanted at most 1, or null, or the legs exchanged"
            )
    early = sorted(exits.get("early") or ())
    for below, share in early:
        if profit is not None and share > profit:
            raise ConfigError(
                f"strategy.{where}.early asks {share} below {below} days, strategy.{where}.profit {profit} on any day: "
                "wanted less of the credit"
            )
    for (fewer, less), (more, share) in combinations(early, 2):
        if fewer == more:
            raise ConfigError(f"strategy.{where}.early names {more} days twice: wanted one share for them")
        if less >= share:
            raise ConfigError(
                f"strategy.{where}.early asks {less} below {fewer} days and {share} below {more}: the fewer days are "
                "left the less is asked, or the first is never reached"
            )


def legs(
    plans: Sequence[LegPlan], exits: Mapping[str, Any], entry: time, where: str = "exits", said: str = "strategy.legs"
) -> None:
    """No exit is there already when the trade opens, and none watches short legs where there are none."""
    shorts = [leg for leg in plans if leg.action.sign < 0]
    delta, distance = exits.get("delta") or {}, exits.get("distance")
    if not shorts and (delta or distance is not None):
        key = "delta" if delta else "distance"
        raise ConfigError(f"strategy.{where}.{key} watches the short legs, and {said} sells none")
    bounds = [bound for bound in delta.values() if bound is not None]
    for leg in shorts:
        least, most = min(leg.values), max(leg.values)
        inside = leg.way in ("offset", "otm", "sigma") and least <= 0
        if bounds and ((leg.way == "delta" and most / 100 >= min(bounds)) or (inside and min(bounds) <= AT_THE_MONEY)):
            sold = "at the money or in it" if inside else f"delta {most:g}"
            raise ConfigError(
                f"{said} sells {sold}, and strategy.{where}.delta closes at {min(bounds)}: it would close as it opens"
            )
        if leg.way == "offset" or inside:
            near(least if leg.way == "offset" else 0.0, f"{said} sells", exits, where)
    dated = [leg.dte for leg in shorts or plans if leg.expiration is None]
    if dated:
        days(min(dated), said, exits, entry, where)


def near(points: float, said: str, exits: Mapping[str, Any], where: str = "exits") -> None:
    """A short strike ``points`` out of the money is not as near as ``distance`` closes at."""
    distance = exits.get("distance")
    if distance is not None and points <= distance:
        raise ConfigError(
            f"{said} {points:g} points out of the money, and strategy.{where}.distance is {distance}: "
            "it would close as it opens"
        )


def days(dte: int, said: str, exits: Mapping[str, Any], entry: time, where: str = "exits") -> None:
    """A trade opened ``dte`` days before expiration is not that near to it already; a same-day one ends later."""
    given = exits.get("dte") or {}
    if not given or (left := given["days"]) < dte:
        return
    clock = parse_time(given["at"], f"strategy.{where}.dte.at")
    if dte > 0 or left > dte or moment(clock) <= moment(entry):
        raise ConfigError(
            f"strategy.{where}.dte closes at {left} days from {clock:%H:%M} on, and {said} opens {dte} days before "
            f"expiration at {entry:%H:%M}: it would close as it opens"
        )


def vix(filters: Mapping[str, Any], exits: Mapping[str, Any]) -> None:
    """What enters above a VIX is not closed above a lower one."""
    low, level = (filters.get("vix") or (None,))[0], (exits.get("vix_above") or {}).get("level")
    if low is not None and level is not None and low >= level:
        raise ConfigError(
            f"strategy.filters.vix enters from {low} on, and strategy.exits.vix_above closes above {level}: "
            "it would close as it opens"
        )


def strikes(plans: Sequence[LegPlan], min_credit: float | None) -> None:
    """A leg is measured from an earlier one, no two are one contract, and what is asked for a credit can bring one."""
    for number, leg in enumerate(plans, 1):
        if leg.way == "from" and (late := [int(base) for base in leg.values if base >= number]):
            raise ConfigError(f"strategy.legs: leg {number} is measured from leg {late[0]}: wanted an earlier one")
    for (first, one), (second, two) in combinations(enumerate(plans, 1), 2):
        if _alike(one, two) and two.way == "from" and first in two.values and two.points == 0:
            raise ConfigError(
                f"strategy.legs: leg {second} has points 0 from leg {first}: both are one contract, wanted a width"
            )
        if _alike(one, two) and (one.way, one.values, one.points) == (two.way, two.values, two.points):
            raise ConfigError(
                f"strategy.legs: leg {second} is the contract of leg {first}: wanted another strike, or one leg with "
                "its quantity"
            )
    if min_credit is None or min_credit < 0:
        return
    if why := debit(plans):
        raise ConfigError(
            f"{why}, which costs a debit, and strategy.min_credit is {min_credit:g}: "
            "exchange the strikes, or set strategy.max_debit"
        )
    most = _most(plans)
    if most is not None and min_credit >= most:
        raise ConfigError(
            f"strategy.min_credit is {min_credit:g}, and strategy.legs brings less than its width, {most:g} points"
        )


def debit(plans: Sequence[LegPlan]) -> str:
    """Why these legs surely cost a debit that is also the most they can lose; nothing where they may not."""
    if all(leg.action.sign > 0 for leg in plans):
        return "strategy.legs only buys"
    if len(plans) != 2 or plans[0].right is not plans[1].right or plans[0].quantity != plans[1].quantity:
        return ""
    short, long = sorted(plans, key=lambda leg: leg.action.sign)
    if short.action.sign < 0 < long.action.sign and _lasts(long, short) and _nearer(long, short):
        return f"strategy.legs buys the {long.right.name.lower()} nearer the money than the one it sells"
    return ""


def _alike(one: LegPlan, two: LegPlan) -> bool:
    return (one.right, one.dte, one.expiration, one.root) == (two.right, two.dte, two.expiration, two.root)


def _lasts(long: LegPlan, short: LegPlan) -> bool:
    return _alike(long, short) or (long.expiration is None and short.expiration is None and long.dte > short.dte)


def _nearer(long: LegPlan, short: LegPlan) -> bool:
    """Whether the long strike is surely nearer the money, or further in it, than the short one."""
    out = 1.0 if long.right is Right.CALL else -1.0
    if "from" in (long.way, short.way):
        away = out * (long.points if long.way == "from" else -short.points)
        return away < 0
    if long.way != short.way:
        return False
    if long.way == "delta":
        return min(long.values) > max(short.values)
    if long.way == "strike":
        return out * long.values[0] < out * short.values[0]
    return max(long.values) < min(short.values)


def _most(plans: Sequence[LegPlan]) -> float | None:
    """Points of one unit that spreads may bring at most: the width, of two out of the money the wider one's.

    None where a short is naked or a width is not known beforehand."""
    widths, inside = [], False
    for right in Right:
        shorts = [leg for leg in plans if leg.right is right and leg.action.sign < 0]
        longs = [leg for leg in plans if leg.right is right and leg.action.sign > 0]
        if not shorts:
            continue
        if len(shorts) != 1 or len(longs) != 1 or longs[0].quantity < shorts[0].quantity:
            return None
        width = _width(plans, shorts[0], longs[0]) if _alike(shorts[0], longs[0]) else None
        if width is None:
            return None
        widths.append(width * shorts[0].quantity)
        inside = inside or not _out(shorts[0])
    return None if not widths else sum(widths) if inside else max(widths)


def _width(plans: Sequence[LegPlan], one: LegPlan, two: LegPlan) -> float | None:
    for leg, base in ((one, two), (two, one)):
        if leg.way == "from" and all(plans[int(n) - 1] is base for n in leg.values):
            return abs(leg.points)
    if one.way == two.way and one.way in ("strike", "offset") and len(one.values) == len(two.values) == 1:
        return abs(one.values[0] - two.values[0])
    return None


def _out(leg: LegPlan) -> bool:
    """Whether a leg is surely at the money or out of it."""
    if leg.way == "delta":
        return max(leg.values) <= 100 * AT_THE_MONEY
    return leg.way in ("offset", "otm", "sigma") and min(leg.values) >= 0
