"""A leg in the trader's words, and the contract it means today.

``{side: sell, right: put, quantity: 2, otm: 12, dte: 120}``: one way to find the strike, one to find the expiration.
Strikes are always listed ones, the nearest to what was asked for (half way: the higher). What cannot be found is a
``Missing`` with its reason; nothing is put in its place.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from math import isnan, sqrt
from typing import Any, Final

import numpy as np

from sim.calendar import Venue, load_calendar
from sim.model.errors import ConfigError, similar
from sim.model.given import COUNT, Range, choice, mapping, number, optional, section, whole, word
from sim.model.instrument import STRIKE_SCALE, OptionContract, Right, Series, strike_e4
from sim.model.order import Action, Leg
from sim.view import Surface, UnderlyingView

WAYS: Final = ("strike", "offset", "otm", "delta", "sigma", "from")
KEYS: Final = {"side", "right", "quantity", "dte", "within", "expiration", "root", "part", "points", *WAYS}
SIDES: Final = {"sell": Action.SELL_TO_OPEN, "buy": Action.BUY_TO_OPEN}
RIGHTS: Final = {"call": Right.CALL, "c": Right.CALL, "put": Right.PUT, "p": Right.PUT}


@dataclass(frozen=True, slots=True)
class Missing:
    """Why a leg cannot be had: a short reason and its numbers."""

    reason: str
    detail: str


@dataclass(slots=True)
class Board:
    """The underlying now, with surfaces worked out once. ``taken`` are expirations that must not be used."""

    under: UnderlyingView
    session: date
    taken: Collection[date] = ()
    _surfaces: dict[Series, Surface] = field(default_factory=dict)

    def surface(self, series: Series) -> Surface:
        found = self._surfaces.get(series)
        if found is None:
            product = series.product
            ends = load_calendar().settlement_instant(
                Venue(product.venue), series.expiration, morning=product.exercise.morning
            )
            found = self._surfaces[series] = self.under.surface(series, ends)
        return found


@dataclass(frozen=True, slots=True)
class LegPlan:
    """``way`` names how the strike is found and ``values`` its number, or a number for each week of the month.

    ``strike`` points · ``offset`` points out of the money of the last price · ``otm`` per cent out of the money of the
    forward · ``delta`` absolute, times 100 · ``sigma`` standard deviations to expiration out of the money, from the
    at-the-money volatility · ``from`` the strike of an earlier leg (its number from 1), moved by ``points`` up.
    The expiration is ``dte`` calendar days away, at most ``within`` more or less, or the date ``expiration``.
    """

    action: Action
    right: Right
    quantity: int
    way: str
    values: tuple[float, ...]
    points: float
    dte: int
    within: int
    expiration: date | None
    root: str
    part: str

    @staticmethod
    def of(config: Mapping[str, Any], expiration: Mapping[str, Any], where: str = "strategy.legs") -> LegPlan:
        """``expiration`` has the ``dte`` and ``within`` of a leg that says none itself. ConfigError names the leg."""
        config = mapping(where, config)
        shared = section("strategy.expiration", expiration, (), ("dte", "within", "expiration", "root"))
        for key in ("dte", "within"):
            if key in shared:
                _days(f"strategy.expiration.{key}", shared[key])
        leg = {**shared, **config}
        ways = [way for way in WAYS if config.get(way) is not None]
        unknown = sorted(set(leg) - KEYS)
        if unknown:
            raise ConfigError(
                f"{where} has a leg with {unknown[0]!r}{similar(unknown[0], KEYS)}: it takes {', '.join(sorted(KEYS))}"
            )
        if len(ways) != 1:
            raise ConfigError(
                f"{where} has {dict(config)}: wanted one of {', '.join(WAYS)} to find the strike, not {len(ways)}"
            )
        if config.get("points") is not None and ways != ["from"]:
            raise ConfigError(f"{where} has {dict(config)}: points are measured from a leg, and {ways[0]} names none")
        if config.get("dte") is not None and config.get("expiration") is not None:
            raise ConfigError(f"{where} has {dict(config)}: dte and expiration are both set: a leg ends on one day")
        way, quantity = ways[0], whole(f"{where}.quantity", leg.get("quantity", 1), Range(least=1, most=10_000))
        values = _numbers(f"{where}.{way}", leg[way])
        dte, within = (_days(f"{where}.{key}", leg.get(key, 0)) for key in ("dte", "within"))
        points = optional(number, f"{where}.points", leg.get("points"))
        root, part = (optional(word, f"{where}.{key}", leg.get(key)) for key in ("root", "part"))
        plan = LegPlan(
            SIDES[_lower(f"{where}.side", leg.get("side"), SIDES)],
            RIGHTS[_lower(f"{where}.right", leg.get("right"), RIGHTS)],
            quantity, way, values, points or 0.0, dte, within,
            optional(_day, f"{where}.expiration", leg.get("expiration")), root or "", part or "",
        )  # fmt: skip
        for value in plan.values:
            if not _sensible(way, value):
                raise ConfigError(f"{where}.{way} is {value:g}: wanted {_WANTED[way]}")
        return plan

    def series(self, board: Board) -> Series | Missing:
        """The series meant today. Of one date one that lists the strike is first, then one that trades to the close."""
        best: tuple[int, int, bool, bool] | None = None
        chosen: Series | None = None
        for s in board.under.series():
            if self.root not in ("", s.product.root) or s.expiration in board.taken:
                continue
            days = (s.expiration - board.session).days
            off = abs(days - self.dte) if self.expiration is None else (0 if s.expiration == self.expiration else None)
            if off is None or off > self.within:
                continue
            rank = (off, -days, self._lacks(board, s), s.product.exercise.morning)
            if best is None or rank < best:
                best, chosen = rank, s
        if chosen is not None:
            return chosen
        if self.expiration is not None:
            return Missing("Contract not listed", f"no series of {self.expiration}")
        span = f" within {self.within}" if self.within else ""
        return Missing("No such expiration", f"{board.under.symbol} lists none {self.dte} days away{span}")

    def pick(self, board: Board, series: Series, earlier: list[OptionContract]) -> OptionContract | Missing:
        """The contract of ``series`` that is meant; ``earlier`` are the legs before this one."""
        value = self.value(board.session)
        match self.way:
            case "strike":
                return self._listed(board, OptionContract(series, strike_e4(value), self.right))
            case "from":
                number = int(value)
                if not 1 <= number <= len(earlier):
                    return Missing("Contract not listed", f"leg {number} comes after the one that is measured from it")
                strike = earlier[number - 1].strike_e4 + round(self.points * STRIKE_SCALE)
                return self._listed(board, OptionContract(series, strike, self.right))
            case "delta":
                return self._by_delta(board, series, value)
            case _:
                return self._nearest(board, series, value)

    def _lacks(self, board: Board, series: Series) -> bool:
        if self.way != "strike":
            return False
        return not board.under.lists(OptionContract(series, strike_e4(self.value(board.session)), self.right))

    def value(self, session: date) -> float:
        """The number that holds in this week of the month; the last one also in the weeks after it."""
        return self.values[min((session.day - 1) // 7, len(self.values) - 1)]

    def _listed(self, board: Board, contract: OptionContract) -> OptionContract | Missing:
        if board.under.lists(contract):
            return contract
        return Missing("Contract not listed", f"{contract.label} {contract.expiration}")

    def _nearest(self, board: Board, series: Series, value: float) -> OptionContract | Missing:
        under = board.under
        out = 1.0 if self.right is Right.CALL else -1.0
        base = under.spot if self.way == "offset" else under.forward(series)
        if isnan(base):
            return Missing("Price unknown", f"no price of {under.symbol}")
        match self.way:
            case "offset":
                target = base + out * value
            case "otm":
                target = base * (1.0 + out * value / 100.0)
            case _:
                surface = board.surface(series)
                vol = _at_the_money(surface)
                if isnan(vol):
                    return Missing("Volatility unknown", f"no two-sided quote near the money of {series.expiration}")
                target = base * (1.0 + out * value * vol * sqrt(surface.t))
        chain = under.chain(series).board
        strikes = chain.strike_e4[chain.is_put == (self.right is Right.PUT)]
        if not len(strikes):
            return Missing("Contract not listed", f"no {self.right.name.lower()} of {series.expiration}")
        away = np.abs(strikes - target * STRIKE_SCALE)
        # Strikes ascend: the last of two that are as near is the higher one.
        i = len(away) - 1 - int(away[::-1].argmin())
        return OptionContract(series, int(strikes[i]), self.right)

    def _by_delta(self, board: Board, series: Series, value: float) -> OptionContract | Missing:
        surface = board.surface(series)
        chain = surface.chain.board
        mine = np.flatnonzero((chain.is_put == (self.right is Right.PUT)) & ~np.isnan(surface.delta))
        if not len(mine):
            return Missing("Delta unknown", f"the quotes of {series.expiration} give none")
        deltas = np.abs(surface.delta[mine])
        i = int(np.abs(deltas - value / 100.0).argmin())
        # Half of what was asked for is another trade: the chain does not reach that far out.
        if abs(deltas[i] - value / 100.0) > value / 200.0:
            return Missing("Delta not listed", f"nearest to {value:g} is {100 * deltas[i]:.1f}")
        return OptionContract(series, int(chain.strike_e4[mine[i]]), self.right)

    def describe(self) -> str:
        side = "sell" if self.action is Action.SELL_TO_OPEN else "buy"
        when = f"{self.dte} DTE" if self.expiration is None else str(self.expiration)
        number, right = "/".join(f"{v:g}" for v in self.values), self.right.name.lower()
        where = {
            "strike": f"{number} {right}",
            "from": f"{right} {self.points:+g} from leg {number}",
            "delta": f"{number}-delta {right}",
            "otm": f"{right} {number} % out of the money",
            "offset": f"{right} {number} points out of the money",
            "sigma": f"{right} {number} deviations out of the money",
        }[self.way]
        return f"{side} {self.quantity} {where} {when}"


def pick_all(plans: Sequence[LegPlan], board: Board) -> tuple[Leg, ...] | Missing:
    """Every leg of a structure, or why the first that is missing cannot be had. No contract twice."""
    picked: list[OptionContract] = []
    for plan in plans:
        series = plan.series(board)
        contract = series if isinstance(series, Missing) else plan.pick(board, series, picked)
        if isinstance(contract, Missing):
            return contract
        picked.append(contract)
    if len(set(picked)) < len(picked):
        labels = ", ".join(c.label for c in picked)
        return Missing("Strikes coincide", f"{labels}: the chain is too coarse for this structure")
    return tuple(Leg(c, plan.quantity, plan.action) for plan, c in zip(plans, picked, strict=True))


_WANTED: Final = {
    "strike": "points above 0, with at most four decimals", "from": "the number of an earlier leg, from 1",
    "otm": "per cent from -90 to 90", "sigma": "standard deviations from -10 to 10", "offset": "points",
    "delta": "a delta times 100, from 1 and below 100 (16 is a delta of 0.16)",
}  # fmt: skip


def _lower(key: str, value: Any, known: Mapping[str, Any]) -> str:
    return choice(key, value.lower() if isinstance(value, str) else value, known)


def _day(key: str, value: Any) -> date:
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ConfigError(f"{key} is {value!r}: wanted a date like 2024-08-05") from None


def _days(key: str, value: Any) -> int:
    if isinstance(value, list | tuple):
        raise ConfigError(f"{key} is {value!r}: wanted one number of days, and within for how many more or less")
    return whole(key, value, COUNT)


def _numbers(key: str, value: Any) -> tuple[float, ...]:
    """One number, or one for each week of the month."""
    found = tuple(value) if isinstance(value, list | tuple) else (value,)
    if not found:
        raise ConfigError(f"{key} is []: wanted a number, or one for each week of the month")
    return tuple(number(key, v) for v in found)


def _sensible(way: str, value: float) -> bool:
    match way:
        case "delta":
            return 1.0 <= value < 100.0
        case "otm":
            return -90.0 <= value <= 90.0
        case "sigma":
            return -10.0 <= value <= 10.0
        case "from":
            return value >= 1 and value.is_integer()
        case "strike":
            return value > 0 and (value * STRIKE_SCALE).is_integer()
        case _:
            return not isnan(value)


def _at_the_money(surface: Surface) -> float:
    """Implied volatility at the strike nearest to the forward whose quotes give one; NaN where none does."""
    known = np.flatnonzero(~np.isnan(surface.iv))
    if not len(known):
        return float("nan")
    strikes = surface.chain.board.strike_e4[known] / STRIKE_SCALE
    return float(surface.iv[known[int(np.abs(strikes - surface.forward).argmin())]])
