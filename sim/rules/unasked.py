"""The duties one by one: a black swan, a drawdown, an emergency, a margin call, a high VIX, a group over its limit.

What is unknown (no VIX, no buying power) closes nothing: to close on a guess would be a decision too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import nan

from sim.calendar import Venue, load_calendar
from sim.model.book import Claim, Trade
from sim.model.errors import DataError
from sim.rules.blackswan import BlackSwan
from sim.rules.correlation import Correlation
from sim.rules.drawdown import ORANGE, RED, TERMINAL, Ladder
from sim.rules.duties import Due, Held
from sim.rules.emergency import Emergency, drawdown
from sim.rules.units import Units
from sim.view import View


def _vix(view: View, symbol: str) -> float:
    """VIX as the market of a trade shows it; NaN where the day has no such market."""
    try:
        return view.vix(symbol)
    except DataError:
        return nan


@dataclass(frozen=True, slots=True)
class OnBlackSwan:
    """Beyond the move: what expires today is closed, then what ``structures`` name, in their order."""

    swan: BlackSwan
    structures: tuple[str, ...]
    code: str = "black_swan"

    def due(self, held: Sequence[Held], view: View) -> list[Due]:
        if not self.swan.happening(view):
            return []
        detail = f"{self.swan.now(view):+.1%} against the close before"
        today = [h for h in held if h.trade.expirations[0] <= view.session]
        named = [h for name in self.structures for h in held if h.trade.structure == name and h not in today]
        return [Due(h.trade.id, self.code, "Black swan", detail) for h in (*today, *named)]

    def describe(self) -> str:
        return f"move above {self.swan.move:.0%}: close 0DTE and {', '.join(self.structures)}"


@dataclass(frozen=True, slots=True)
class OnDrawdown:
    """ORANGE closes what loses, RED and worse close everything."""

    ladder: Ladder
    code: str = "drawdown"

    def due(self, held: Sequence[Held], view: View) -> list[Due]:
        stand = self.ladder.stand(view.account, view.session)
        detail = f"{stand.drawdown:.1%} below {stand.peak:,.0f}"
        if stand.label in (RED, TERMINAL):
            return [Due(h.trade.id, self.code, f"{stand.label}: close all", detail) for h in held]
        if stand.label == ORANGE:
            return [Due(h.trade.id, self.code, f"{stand.label}: close losers", detail) for h in held if h.loses]
        return []

    def describe(self) -> str:
        return f"drawdown {self.ladder.orange:.0%}: close losers; {self.ladder.red:.0%}: close all"


@dataclass(frozen=True, slots=True)
class OnMarginCall:
    """Buying power above ``share`` of net liquidation: the largest losers go first, then what uses most, the structures
    of ``last`` behind the others, until the rest fits. What a trade frees is counted as if it stood alone, so that
    offsets may make it less: it is asked again."""

    share: Decimal
    last: frozenset[str] = frozenset()
    code: str = "margin_call"

    def due(self, held: Sequence[Held], view: View) -> list[Due]:
        account = view.account
        if account.bp_used is None or account.bp_used <= account.nlv * self.share:
            return []
        over = account.bp_used - account.nlv * self.share
        detail = f"{account.bp_used:,.0f} of {account.nlv:,.0f} {account.currency} used"
        losers = sorted((h for h in held if h.loses), key=lambda h: h.profit)
        others = sorted((h for h in held if not h.loses), key=self._turn)
        out = []
        for each in (*losers, *others):
            if over <= 0:
                break
            out.append(Due(each.trade.id, self.code, "Margin call", detail))
            over -= each.margin or Decimal(0)
        return out

    def _turn(self, held: Held) -> tuple[bool, Decimal]:
        return held.trade.structure in self.last, -(held.margin or Decimal(0))

    def describe(self) -> str:
        behind = f", {', '.join(sorted(self.last))} last" if self.last else ""
        return f"buying power above {self.share:.0%} of net liquidation: losers first, then what uses most{behind}"


@dataclass(frozen=True, slots=True)
class OnHighVix:
    """VIX above ``above`` closes everything that is not made of puts alone. Only while the index itself is quoted
    (09:30 to 16:15 New York): a print before the open does not count."""

    above: float
    code: str = "close_all_except_puts"

    def due(self, held: Sequence[Held], view: View) -> list[Due]:
        if not _index_hours(view):
            return []
        out = []
        for each in held:
            vix = _vix(view, each.trade.underlying)
            if vix > self.above and not each.puts_only:
                out.append(Due(each.trade.id, self.code, "CLOSE_ALL_EXCEPT_PUTS", f"VIX {vix:.2f}"))
        return out

    def describe(self) -> str:
        return f"VIX above {self.above:g} in regular hours: close all but puts"


def _index_hours(view: View) -> bool:
    calendar = load_calendar()
    if not calendar.is_session(view.session):
        return False
    hours = calendar.session(Venue.CBOE_INDEX, view.session)
    return hours.open_ns <= view.ts < hours.close_ns


@dataclass(frozen=True, slots=True)
class OnGroupOver:
    """More positions in a group, or in groups that move together, than the account may hold: the newest are closed. A
    position goes with all its trades.

    An account that has fallen by no more than ``slack`` below the size that allows what it holds keeps it: it is closed
    for a loss that counts, not for a quote that goes to and fro over the line.
    """

    correlation: Correlation
    units: Units
    slack: Decimal = Decimal(0)
    code: str = "group_over"

    def due(self, held: Sequence[Held], view: View) -> list[Due]:
        places: dict[str, list[list[Held]]] = {}
        for unit in self._positions(held):
            strategy, symbol = self.units.place(_claim(unit[0].trade))
            group = self.correlation.group(symbol, strategy)
            if group is not None:
                places.setdefault(group, []).append(unit)
        out: list[Due] = []
        for group in sorted(places):
            vix = _vix(view, places[group][0][0].trade.underlying)
            limit = self.correlation.limit(group, view.account.nlv * (1 + self.slack), vix)
            out += self._shed(places[group], limit, f"Group {group} over its limit ({limit})")
        cap = self.correlation.union_cap
        for near in sorted({tuple(sorted(self.correlation.together(group))) for group in places}):
            if len(near) > 1:
                together = [unit for group in near for unit in places.get(group, [])]
                out += self._shed(together, cap, f"Correlated exposure over its limit ({cap})")
        return out

    def _shed(self, units: list[list[Held]], limit: int, reason: str) -> list[Due]:
        """Removes the newest positions above the limit from ``units`` and says which trades that closes."""
        newest = sorted(units, key=lambda unit: (unit[0].trade.opened_ns, unit[0].trade.id))[limit:]
        out = []
        for unit in reversed(newest):
            out += [Due(h.trade.id, self.code, reason, f"{len(units)} held, the newest goes") for h in unit]
        units[:] = [unit for unit in units if unit not in newest]
        return out

    def _positions(self, held: Sequence[Held]) -> list[list[Held]]:
        """Trades by the position they belong to, the oldest trade of each first."""
        byage = sorted(held, key=lambda h: (h.trade.opened_ns, h.trade.id))
        claims = {h.trade.id: _claim(h.trade) for h in byage}
        out: list[list[Held]] = []
        for each in sorted(byage, key=lambda h: h.trade.structure in self.units.parts):
            mine = claims[each.trade.id]
            place = self.units.place(mine) if self.units.shares(mine) else None
            home = next((u for u in out if self.units.place(claims[u[0].trade.id]) == place), None)
            if home is None:
                out.append([each])
            else:
                home.append(each)
        return out

    def describe(self) -> str:
        slack = f", of an account up to {self.slack:.0%} larger" if self.slack else ""
        return f"a group over its limit{slack}: close the newest"


def _claim(trade: Trade) -> Claim:
    return Claim(trade.strategy, trade.underlying, trade.expirations, trade.structure)


@dataclass(frozen=True, slots=True)
class OnEmergency:
    """The emergency levels that close: losers, then everything."""

    emergency: Emergency
    code: str = "emergency"

    def due(self, held: Sequence[Held], view: View) -> list[Due]:
        out = []
        for each in held:
            vix = _vix(view, each.trade.underlying)
            action = self.emergency.action(view.account, vix)
            if action == "close_all" or (action == "close_losers" and each.loses):
                detail = f"drawdown {drawdown(view.account):.1%}, VIX {vix:.2f}"
                level = self.emergency.level(view.account, vix)
                out.append(
                    Due(each.trade.id, self.code, f"Emergency level {level}: {action.replace('_', ' ')}", detail)
                )
        return out

    def describe(self) -> str:
        return self.emergency.describe()
