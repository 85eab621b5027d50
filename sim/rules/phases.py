"""Account phases: how much an account of this size may do. Bounds are half open, [low, high), by net liquidation.

The bounds stand in account currency. The rulebook's are pounds; an account in dollars uses the same figures as they
stand, so that a rate of the day never moves an account from one phase to another.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from sim.model.book import Account
from sim.model.errors import ConfigError
from sim.model.given import (
    COUNT,
    PART,
    POSITIVE,
    Range,
    amount,
    choice,
    items,
    mapping,
    number,
    optional,
    rising,
    rows,
    section,
    whole,
    word,
    words,
)
from sim.model.order import OrderRequest, Pass
from sim.model.past import Past, Result
from sim.rules.gate import BpAfter, Refusal
from sim.view import View

SIGNS: Final[Mapping[str, str]] = {"GBP": "£", "USD": "$"}
MODES: Final = ("value", "earned")
_KEYS: Final = ("bounds", "bp_cap", "mode", "hysteresis", "earned", "unlocks", "tickers", "own_tickers")


@dataclass(frozen=True, slots=True)
class Step:
    """What earns a phase besides its net liquidation: closed trades, the share of them that won, no loss above
    ``worst`` of the account, a trade of the strategy ``played``, a drawdown below ``drawdown``. None: not asked."""

    trades: int
    wins: float
    worst: float | None
    played: str | None
    drawdown: float | None


@dataclass(frozen=True, slots=True)
class Phases:
    """``bounds`` ascending: phase 1 begins at the first. ``caps`` are shares of net liquidation by phase, from 1 on.

    ``keep`` is the share of a phase's lower bound that is enough to stay in it (1: no more room than to get in); below
    the first bound nothing helps. ``steps`` None: the phase goes by value alone. With steps, phases above 1 are earned
    one by one at the end of a session, and a drawdown above ``demote`` costs one.
    """

    bounds: tuple[Decimal, ...]
    caps: tuple[Decimal, ...]
    keep: tuple[Decimal, ...]
    steps: tuple[Step, ...] | None
    demote: float

    def each(self, key: str, value: Any, within: Range) -> tuple[Decimal, ...]:
        """What another rule gives by phase: a number for each of them."""
        found = _amounts(key, value, within)
        if len(found) != len(self.bounds):
            raise ConfigError(f"{key} has {len(found)} values for {len(self.bounds)} phases: wanted one each")
        return found

    @staticmethod
    def of(config: Mapping[str, Any]) -> Phases:
        where = "rules.phase"
        row = section(where, config, _KEYS, ("enabled",))
        bounds = _amounts(f"{where}.bounds", row["bounds"], COUNT)
        caps = _amounts(f"{where}.bp_cap", row["bp_cap"], PART)
        rising(f"{where}.bounds", bounds)
        if not bounds:
            raise ConfigError(f"{where}.bounds is empty: wanted where each phase begins")
        if len(caps) != len(bounds):
            raise ConfigError(f"rules.phase.bp_cap has {len(caps)} values for {len(bounds)} phases: wanted one each")
        room = Decimal(1) - amount(f"{where}.hysteresis", row["hysteresis"], Range(least=0, below=1))
        if choice(f"{where}.mode", row["mode"], MODES) == "value":
            return Phases(bounds, caps, tuple(b * room for b in bounds), None, 1.0)
        here = f"{where}.earned"
        earned = section(here, row["earned"], ("steps", "keep", "demote"))
        wanted = "[closed trades, share won, largest loss, strategy played, drawdown below]"
        steps = tuple(
            Step(
                whole(f"{here}.steps", n, COUNT), number(f"{here}.steps", wins, PART),
                optional(number, f"{here}.steps", worst, POSITIVE), optional(word, f"{here}.steps", played),
                optional(number, f"{here}.steps", drawdown, POSITIVE),
            )
            for n, wins, worst, played, drawdown in rows(f"{here}.steps", earned["steps"], wanted)
        )  # fmt: skip
        keep = _amounts(f"{here}.keep", earned["keep"], COUNT)
        if len(steps) != len(bounds) - 1 or len(keep) != len(bounds):
            raise ConfigError(
                "rules.phase.earned needs a row of steps for each phase above 1 and a keep for each phase"
            )
        rising(f"{here}.keep", keep)
        high = next(((k, b) for k, b in zip(keep, bounds, strict=True) if k > b), None)
        if high is not None:
            raise ConfigError(
                f"{here}.keep has {high[0]} for the phase that {where}.bounds begins at {high[1]}: "
                "staying cannot ask more than getting in"
            )
        return Phases(bounds, caps, keep, steps, number(f"{here}.demote", earned["demote"], POSITIVE))

    def by_value(self, nlv: Decimal) -> int:
        """The phase of a net liquidation, 0 below the minimum."""
        return bisect_right(self.bounds, nlv)

    def phase(self, account: Account) -> int:
        """The phase of the account now: by its value, and where that is asked for by what it has earned so far."""
        plain = self.by_value(account.nlv)
        if plain == 0 or (self.steps is None and self.keep == self.bounds):
            return plain
        reached = 1 if self.steps else plain
        if account.past is not None:
            reached = _reached(self, account.past)
        if self.steps is None:
            return self._held(reached, account.nlv)
        return max(1, min(reached, self._held(reached, account.nlv)))

    def cap(self, account: Account) -> Decimal:
        """Share of net liquidation that may be used as buying power; nothing below the minimum."""
        phase = self.phase(account)
        return self.caps[phase - 1] if phase else Decimal(0)

    def _held(self, phase: int, nlv: Decimal) -> int:
        """The phase after a look at its value: up to where that leads, down only below what is enough to stay."""
        plain = self.by_value(nlv)
        while phase > max(plain, 1) and nlv < self.keep[phase - 1]:
            phase -= 1
        return plain if plain == 0 else max(phase, plain)

    def _earned(self, phase: int, nlv: Decimal, drawdown: float, results: Sequence[tuple[Result, Decimal]]) -> int:
        """The next phase if it is earned and its value is there, one less after a fall, else the same."""
        assert self.steps is not None
        if drawdown > self.demote:
            return max(phase - 1, 1)
        down = phase
        while down > 1 and nlv < self.keep[down - 1]:
            down -= 1
        if down < phase or phase == len(self.bounds) or nlv < self.bounds[phase]:
            return down
        step = self.steps[phase - 1]
        won = sum(1 for r, _ in results if r.net > 0)
        enough = len(results) >= step.trades and won >= step.wins * len(results)
        mild = step.worst is None or all(-r.net <= before * Decimal(str(step.worst)) for r, before in results)
        played = step.played is None or any(r.strategy == step.played for r, _ in results)
        calm = step.drawdown is None or drawdown < step.drawdown
        return phase + 1 if enough and mild and played and calm else phase


def _amounts(key: str, value: Any, within: Range) -> tuple[Decimal, ...]:
    """A list of numbers, one a phase."""
    return tuple(amount(key, each, within) for each in items(key, value, "a list of numbers, one a phase"))


@lru_cache(maxsize=4)
def _reached(phases: Phases, past: Past) -> int:
    """The phase at the last session's end, walked from the start: one look a session."""
    if phases.steps is None:
        phase = phases.by_value(past.start)
        for end in past.ends:
            phase = phases._held(phase, end.nlv)
        return phase
    phase, peak, fallen, before = 1, past.start, False, past.start
    results: list[tuple[Result, Decimal]] = []
    coming = iter(past.results)
    waiting = next(coming, None)
    for end in past.ends:
        while waiting is not None and waiting.day <= end.session:
            results.append((waiting, before))
            waiting = next(coming, None)
        peak = max(peak, end.nlv)
        drawdown = float(1 - end.nlv / peak) if peak > 0 else 1.0
        if not (fallen and drawdown > phases.demote):  # one fall costs one phase, not one a day
            phase = phases._earned(phase, end.nlv, drawdown, results)
        fallen, before = drawdown > phases.demote, end.nlv
    return phase


@dataclass(frozen=True, slots=True)
class PhaseGate:
    """No opening below the minimum, none of a strategy that its phase or its unlock value does not have, none on a
    ticker that belongs to a later phase.

    ``open_in``: by strategy, the phases that have it. ``unlocks``: (strategy, underlying or empty) to net liquidation.
    ``tickers`` by phase; ``own``: what a strategy trades whatever the phase. A strategy in no table is not judged by
    them.
    """

    phases: Phases
    open_in: Mapping[str, frozenset[int]]
    unlocks: Mapping[tuple[str, str], Decimal]
    tickers: tuple[frozenset[str], ...]
    own: Mapping[str, frozenset[str]]
    code: str = "phase"
    needs_legs: bool = False

    @staticmethod
    def of(config: Mapping[str, Any], phases: Phases, places: Mapping[str, Sequence[int]]) -> PhaseGate:
        """``places``: positions by strategy and phase, as ``rules.positions`` has them."""
        where = "rules.phase"
        unlocks: dict[tuple[str, str], Decimal] = {}
        for name, value in mapping(f"{where}.unlocks", config["unlocks"]).items():
            by_symbol = value.items() if isinstance(value, Mapping) else (("", value),)
            unlocks |= {
                (name, str(symbol)): amount(f"{where}.unlocks.{name}", least, COUNT) for symbol, least in by_symbol
            }
        given = items(f"{where}.tickers", config["tickers"], "lists of symbols, one a phase")
        if len(given) != len(phases.bounds):
            raise ConfigError(f"{where}.tickers has {len(given)} rows for {len(phases.bounds)} phases")
        tickers = tuple(frozenset(words(f"{where}.tickers[{i}]", row)) for i, row in enumerate(given))
        owned = mapping(f"{where}.own_tickers", config["own_tickers"])
        own = {name: frozenset(words(f"{where}.own_tickers.{name}", row)) for name, row in owned.items()}
        open_in = {s: frozenset(p for p, n in enumerate(row, 1) if n > 0) for s, row in places.items()}
        return PhaseGate(phases, open_in, unlocks, tickers, own)

    def check(self, request: OrderRequest | Pass, view: View, _: BpAfter) -> Refusal | None:
        account, strategy, symbol = view.account, request.strategy, request.underlying
        sign, phase = SIGNS.get(account.currency, account.currency + " "), self.phases.phase(account)
        if phase == 0:
            return Refusal(
                f"Minimum account size {sign}{self.phases.bounds[0]:,.0f}", f"net liquidation {sign}{account.nlv:,.0f}"
            )
        there = self.open_in.get(strategy)
        if there is not None and phase not in there:
            return Refusal(f"{strategy} not in phase {phase}", f"it has phases {', '.join(map(str, sorted(there)))}")
        for key in ((strategy, ""), (strategy, symbol)):
            least = self.unlocks.get(key)
            if least is not None and account.nlv < least:
                what = " on ".join(filter(None, key))
                return Refusal(f"{what} from {sign}{least:,.0f}", f"net liquidation {sign}{account.nlv:,.0f}")
        if there is not None and symbol not in self.tickers[phase - 1] and symbol not in self.own.get(strategy, ()):
            return Refusal(f"{symbol} not in phase {phase}", "rules.phase.tickers has what a phase may trade")
        return None

    def describe(self) -> str:
        return "phases from " + ", ".join(f"{b:,.0f}" for b in self.phases.bounds)


@dataclass(frozen=True, slots=True)
class NeverTrade:
    """``symbols`` are never opened, whatever a ticker list says; ``guarded`` ones only with ``years`` of experience
    and from phase ``phase`` on."""

    symbols: frozenset[str]
    guarded: frozenset[str]
    years: float
    phase: int
    experience: float
    phases: Phases
    code: str = "never_trade"
    needs_legs: bool = False

    @staticmethod
    def of(config: Mapping[str, Any], phases: Phases) -> NeverTrade:
        where = "rules.never_trade"
        row = section(where, config, ("symbols", "experienced", "experience_years"), ("enabled",))
        guard = section(f"{where}.experienced", row["experienced"], ("symbols", "years", "phase"))
        last = Range(least=1, most=len(phases.bounds))
        return NeverTrade(
            frozenset(words(f"{where}.symbols", row["symbols"])),
            frozenset(words(f"{where}.experienced.symbols", guard["symbols"])),
            number(f"{where}.experienced.years", guard["years"], COUNT),
            whole(f"{where}.experienced.phase", guard["phase"], last),
            number(f"{where}.experience_years", row["experience_years"], COUNT),
            phases,
        )

    def check(self, request: OrderRequest | Pass, view: View, _: BpAfter) -> Refusal | None:
        symbol = request.underlying
        if symbol in self.symbols:
            return Refusal("Never-trade list", f"{symbol} is in rules.never_trade.symbols")
        if symbol in self.guarded:
            phase = self.phases.phase(view.account)
            if self.experience < self.years or phase < self.phase:
                return Refusal(
                    "Never-trade list",
                    f"{symbol} wants {self.years:g} years of experience and phase {self.phase}: "
                    f"{self.experience:g} years, phase {phase}",
                )
        return None

    def describe(self) -> str:
        guarded = ", ".join(sorted(self.guarded))
        return (
            f"never {', '.join(sorted(self.symbols))}; {guarded} only with {self.years:g} years and phase {self.phase}"
        )
