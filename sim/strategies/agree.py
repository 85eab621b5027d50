"""What the parts of one strategy's configuration say of one another: an exit before the entry, a target never reached,
an exit that would close the trade as it opens. Each contradiction is one line with both keys, before the run begins.

What depends on the day (a strike that is not listed, a delta that nobody quotes) is refused on the day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import time
from typing import Any, Final

from sim.calendar import parse_time
from sim.model.errors import ConfigError
from sim.model.given import rising
from sim.model.instrument import Right
from sim.strategies.legs import LegPlan

EVENING: Final = time(17, 0)
"""From here on a time may be that of the evening before, which a future's trade date begins with."""


def times(entry: time, exits: Mapping[str, Any], *, same_day: bool = False) -> None:
    """A trade that ends on the day it begins is not closed, nor reviewed, before it is opened."""
    at, review = exits.get("at"), exits.get("review")
    if at is None or exits.get("date") is not None:
        last = None
    else:
        last, same_day = parse_time(at, "strategy.exits.at"), True
    when = None if review is None else parse_time(review["at"], "strategy.exits.review.at")
    if entry >= EVENING or not same_day:
        return
    for key, clock in (("at", last), ("review.at", when)):
        if clock is not None and clock <= entry:
            raise ConfigError(
                f"strategy.exits.{key} is {_clock(clock)}, not after strategy.entry.at {_clock(entry)}: "
                "a trade ends after it begins"
            )
    if last is not None and when is not None and when > last:
        raise ConfigError(
            f"strategy.exits.review.at is {_clock(when)}, after strategy.exits.at {_clock(last)} has closed the trade: "
            "exchange them, or set strategy.exits.review=null"
        )


def marks(exits: Mapping[str, Any], where: str = "exits") -> None:
    """A review takes less profit and bears less loss than the exits that stand beside it, an early target less."""
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
    early = sorted(exits.get("early") or (), reverse=True)
    for below, share in early:
        if profit is not None and share > profit:
            raise ConfigError(
                f"strategy.{where}.early asks {share} below {below} days, strategy.{where}.profit {profit} on any day: "
                "wanted less of the credit"
            )
    rising(f"strategy.{where}.early, the last days first:", [share for _, share in reversed(early)])


def legs(plans: Sequence[LegPlan], exits: Mapping[str, Any], where: str = "exits") -> None:
    """No exit is there already when the trade opens, and none watches short legs where there are none."""
    shorts = [leg for leg in plans if leg.action.sign < 0]
    delta, distance = exits.get("delta") or {}, exits.get("distance")
    if not shorts and (delta or distance is not None):
        key = "delta" if delta else "distance"
        raise ConfigError(f"strategy.{where}.{key} watches the short legs, and strategy.legs sells none")
    bounds = [bound for bound in delta.values() if bound is not None]
    for leg in shorts:
        far = max(leg.values) / 100
        if leg.way == "delta" and bounds and far >= min(bounds):
            raise ConfigError(
                f"strategy.legs sells delta {max(leg.values):g}, and strategy.{where}.delta closes at {min(bounds)}: "
                "it would close as it opens"
            )
        if leg.way == "offset" and distance is not None and min(leg.values) <= distance:
            raise ConfigError(
                f"strategy.legs sells {min(leg.values):g} points out of the money, and strategy.{where}.distance is "
                f"{distance}: it would close as it opens"
            )
    dated = [leg.dte + leg.within for leg in plans if leg.expiration is None]
    days = (exits.get("dte") or {}).get("days")
    if days is not None and dated and days > min(dated):  # on the day itself it may be later than the entry
        raise ConfigError(
            f"strategy.{where}.dte.days is {days}, and strategy.legs opens at most {min(dated)} days before "
            "expiration: it would close as it opens"
        )


def strikes(plans: Sequence[LegPlan], min_credit: float | None) -> None:
    """A leg is measured from an earlier one, no two are one contract, and what is asked for a credit can bring one."""
    for number, leg in enumerate(plans, 1):
        if leg.way != "from":
            continue
        for base in map(int, leg.values):
            if base >= number:
                raise ConfigError(f"strategy.legs: leg {number} is measured from leg {base}: wanted an earlier one")
            if leg.points == 0 and _alike(leg, plans[base - 1]):
                raise ConfigError(
                    f"strategy.legs: leg {number} has points 0 from leg {base}: both are one contract, wanted a width"
                )
    if min_credit is None or len(plans) != 2 or not _alike(*plans) or plans[0].quantity != plans[1].quantity:
        return
    short, long = sorted(plans, key=lambda leg: leg.action.sign)
    if short.action.sign < 0 < long.action.sign and _nearer(long, short, plans):
        raise ConfigError(
            f"strategy.legs buys the {long.right.name.lower()} nearer the money than the one it sells, which costs a "
            f"debit, and strategy.min_credit is {min_credit}: exchange the strikes, or set strategy.max_debit"
        )


def _alike(one: LegPlan, two: LegPlan) -> bool:
    return (one.right, one.dte, one.expiration, one.root) == (two.right, two.dte, two.expiration, two.root)


def _nearer(long: LegPlan, short: LegPlan, plans: Sequence[LegPlan]) -> bool:
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


def _clock(at: time) -> str:
    return f"{at:%H:%M}"
