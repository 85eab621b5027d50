"""Plays a scenario through the real engine, gate and venue, and puts what came of it into plain records.

The strategy starts at its minute on the scenario's market; a listener at the gate keeps every wish with the market it
saw, a watcher looks at the account at the moments that are asked for. Neither changes anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import Any

from adapters.replay.drivers import run
from conf.book import Given, GivenFirst
from conf.compose import composed
from conf.gate import rules as build_gate
from conf.minute import Onlooker
from conf.run import Parts, assemble
from conf.state import Label, State, look
from scenarios.facts import Closed, Facts, Moment, Night, Told, Wish
from scenarios.scenario import NOBODY, Scenario
from sim.calendar import ny
from sim.market.synthetic.day import SyntheticDay
from sim.model.book import Claim
from sim.model.market import MINUTE_NS
from sim.model.order import Approved, Intent, OrderRequest, Pass, Refused
from sim.ports import Market, Strategy
from sim.rules.capital import BpCap
from sim.rules.drawdown import DrawdownStop
from sim.rules.gate import BpAfter, Checks, Gate
from sim.session import Session
from sim.strategies.pick import round_half_up
from sim.view import View

Book = Sequence[Mapping[str, Any]]
NAN = float("nan")
LOSS = ("account.nlv=530000", "rules.duties.enabled=false")
"""The account of 5 August 2024 (rulebook 6.3), which nobody looked after."""
EVERY = 5
"""Minutes between two points of a scenario's picture."""


@dataclass(frozen=True, slots=True)
class Played:
    """A play with the configuration it can be explained and repeated from."""

    scenario: Scenario
    config: Mapping[str, Any]
    facts: Facts
    states: tuple[State, ...]
    parts: Parts


def config_of(scenario: Scenario, words: Sequence[str] = (), book: Book | None = None) -> dict[str, Any]:
    """The whole configuration of a scenario; ``words`` come last. ``book`` is held in place of the scenario's own, from
    its first session on, and nobody trades beside it unless ``words`` choose a strategy. ConfigError."""
    wealth = LOSS if scenario.asks == "loss" else ()
    other = book is not None or any(w.startswith("strategy=") for w in words)
    own = _without(scenario.words) if other else scenario.words
    config = composed([*wealth, *own, *words])
    config["market"] = dict(scenario.market)
    if book is not None:
        if not any(w.startswith("strategy=") for w in words):
            config["strategy"] = dict(NOBODY)
        config["book"] = [{"day": scenario.market["start"], **each} for each in book]
        return config
    if scenario.plays is not None and not other:
        config["strategy"] = dict(scenario.plays)
    if scenario.book:
        config["book"] = [dict(each) for each in scenario.book]
    return config


def unfit(scenario: Scenario, words: Sequence[str]) -> tuple[str, ...]:
    """Those of ``words`` that are about a strategy's own key and change nothing here: what plays has no such key."""
    about = [w for w in words if w.startswith("strategy.")]
    if not about:
        return ()
    other = any(w.startswith("strategy=") for w in words)
    node = config_of(scenario, [w for w in words if w not in about])["strategy"]
    return tuple(w for w in about if (scenario.plays is not None and not other) or not _has(node, w))


def _has(node: Any, word: str) -> bool:
    for part in word.partition("=")[0].split(".")[1:]:
        if not isinstance(node, Mapping) or part not in node:
            return False
        node = node[part]
    return True


def _without(words: Sequence[str]) -> list[str]:
    """The words of a scenario without those of its own strategy."""
    return [w for w in words if not w.startswith(("strategy=", "strategy."))]


@dataclass(frozen=True, slots=True)
class Staged:
    """A scenario that can begin: the parts of its run, who listens at the gate, who watches, and what is given."""

    parts: Parts
    listener: Listener
    watcher: Watcher
    strategies: tuple[Strategy, ...]
    given: Sequence[Given]


def staged(scenario: Scenario, config: Mapping[str, Any], root: Path, market: Market | None = None) -> Staged:
    """Assembles it. ``market``: the scenario's own, where it was built already. ConfigError and DataError as a run."""
    listeners: list[Listener] = []

    def listen(gate: Gate) -> Checks:
        listeners.append(Listener(gate, build_gate(config).regime.label))
        return listeners[0]

    parts = assemble(config, root, listen, market)
    engine, listener = parts.session.engine, listeners[0]
    watcher = Watcher(parts.session, parts.strategies[-1].underlyings[0], scenario.moments, listener.label)
    given: Sequence[Given] = ()
    if isinstance(engine.gate, GivenFirst):
        given = engine.gate.held
        engine.gate = GivenHeard(engine.gate, listener)
    onlooker = Onlooker((watcher.underlying,), watcher.see)
    engine.strategies = (*engine.strategies, onlooker)
    return Staged(parts, listener, watcher, (*parts.strategies, onlooker), given)


def play(scenario: Scenario, root: Path, words: Sequence[str] = (), book: Book | None = None) -> Played:
    """Plays it. ConfigError and DataError as a backtest."""
    config = config_of(scenario, words, book)
    stage = staged(scenario, config, root)
    parts, watcher = stage.parts, stage.watcher
    run(parts.session, parts.broker, parts.market, stage.strategies, parts.start, parts.end, jump=parts.jump)
    return Played(scenario, config, _facts(config, parts, stage.listener, watcher), tuple(watcher.states), parts)


@dataclass(slots=True)
class Listener:
    """Keeps what the gate was asked and what it said."""

    gate: Gate
    label: Label
    wishes: list[Wish] = field(default_factory=list)

    def check(self, request: OrderRequest | Pass, view: View, bp_after: BpAfter) -> Approved | Refused:
        verdict = self.gate.check(request, view, bp_after)
        self.keep(request, verdict, view, bp_after, given=False)
        return verdict

    def keep(
        self, request: OrderRequest | Pass, verdict: Approved | Refused, view: View, bp_after: BpAfter, *, given: bool
    ) -> None:
        if isinstance(request, OrderRequest) and request.intent is not Intent.OPEN:
            return
        under = view.of(request.underlying)
        vix, account = view.vix(request.underlying), view.account
        caps = [rule for rule in self.gate.rules if isinstance(rule, BpCap)]
        band = caps[0].regime.band(vix) if caps else None
        made = verdict.request if isinstance(verdict, Approved) else request
        order = made if isinstance(made, OrderRequest) else None
        refused = verdict if isinstance(verdict, Refused) else None
        after = NAN
        if order is not None and refused is None and account.nlv > 0:
            after = float(bp_after(order) / account.nlv)
        self.wishes.append(
            Wish(
                ts=view.ts, session=view.session, strategy=request.strategy, underlying=request.underlying,
                structure=request.structure, approved=refused is None, rule=refused.rule if refused else "",
                reason=refused.reason if refused else "", detail=refused.detail if refused else "",
                quantity=order.quantity if order else 0,
                wanted=request.quantity if isinstance(request, OrderRequest) else 0,
                legs=order.describe() if order else "", strikes=_strikes(order, under.spot) if order else "",
                spot=under.spot, move_pct=under.move_pct, vix=vix, label=self.label(vix),
                regime_cap=NAN if band is None else band.cap,
                cap=float(caps[0].share(account, vix)) if caps else 1e9, bp_after=after, given=given,
            )
        )  # fmt: skip


@dataclass(slots=True)
class GivenHeard:
    """The gate of a run with a book: what is given is kept as well."""

    gate: GivenFirst
    listener: Listener

    def check(self, request: OrderRequest | Pass, view: View, bp_after: BpAfter) -> Approved | Refused:
        given = any(each.made(request) for each in self.gate.held)
        verdict = self.gate.check(request, view, bp_after)
        if given:
            self.listener.keep(request, verdict, view, lambda _: Decimal(0), given=True)
        return verdict


def _strikes(order: OrderRequest, spot: float) -> str:
    """``ATM-60/ATM-30``: from the money rounded to five points."""
    if not isfinite(spot):
        return ""
    atm = int(round_half_up(spot, 5))
    return "/".join(f"ATM{float(leg.contract.strike) - atm:+g}" for leg in sorted(order.legs, key=_strike))


def _strike(leg: Any) -> int:
    return int(leg.contract.strike_e4)


@dataclass(slots=True)
class Watcher:
    """Looks at the account at the ``moments`` (date, New York time, name), at the market every few minutes, for the
    picture, and at what is held at most."""

    session: Session
    underlying: str
    moments: Sequence[tuple[date, time, str]]
    label: Label
    states: list[State] = field(default_factory=list)
    path: list[tuple[int, float, float]] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)

    def see(self, view: View) -> None:
        desk = self.session.engine.desk
        if (view.ts // MINUTE_NS) % EVERY == 0 and desk.day.column(view.ts) >= desk.day.of(self.underlying).offset:
            self.path.append((view.ts, view.of(self.underlying).spot, view.vix(self.underlying)))
        if len(claims := desk.claims()) > len(self.claims):
            self.claims = claims
        now = ny(view.ts).date(), view.clock.replace(second=0, microsecond=0)
        for day, at, name in self.moments:
            if (day, at) == now:
                self.states.append(look(self.session, view, name, self.label))


def step_of(session: Session, left: Decimal) -> str:
    """The step of the drawdown ladder at which so much of the account is left."""
    gate = session.engine.gate
    while not isinstance(gate, Gate):
        gate = getattr(gate, "gate")  # noqa: B009 - a gate around a gate
    stop = next((rule for rule in gate.rules if isinstance(rule, DrawdownStop)), None)
    return "" if stop is None else stop.ladder.label(max(1 - left, Decimal(0)))


def _facts(config: Mapping[str, Any], parts: Parts, heard: Listener, watcher: Watcher) -> Facts:
    session, ledger = parts.session, parts.session.engine.desk.ledger
    nights = tuple(Night(p.session, p.nlv, p.low, p.bp_used, p.vix) for p in session.equity)
    advice = build_gate(config).advice
    lesson = None if advice is None else advice.lesson(watcher.claims, parts.nlv)
    left = Decimal(repr(nights[-1].nlv)) / parts.nlv
    frozen, gone = _spans(parts)
    return Facts(
        start_nlv=float(parts.nlv), currency=ledger.currency, wishes=tuple(heard.wishes),
        trades=tuple(_trades(session)), told=tuple(_told(session, heard.wishes)),
        moments=tuple(_moment(session, state) for state in watcher.states), nights=nights,
        lesson="" if lesson is None else lesson.text, violations=() if lesson is None else lesson.violations,
        ladder=step_of(session, left), path=tuple(watcher.path), frozen=frozen, gone=gone, source=parts.market.source,
    )  # fmt: skip


def _moment(session: Session, state: State) -> Moment:
    step = step_of(session, Decimal(repr(state.nlv)) / session.engine.desk.ledger.start_cash)
    return Moment(state.ts, state.name, next(iter(state.spots.values())), state.vix, state.nlv, state.natural,
                  state.bp_used, len(state.trades), step)  # fmt: skip


def _trades(session: Session) -> list[Closed]:
    desk = session.engine.desk
    out = [
        Closed(c.trade.id, c.trade.strategy, c.trade.structure, c.trade.underlying, c.trade.opened_ns, c.closed_ns,
               c.trade.quantity, float(c.trade.credit * c.trade.legs[0].contract.product.increment), float(c.net),
               c.exit_reason)
        for c in desk.ledger.closed
    ]  # fmt: skip
    last = desk.day.minutes - 1
    for book in desk.ledger.open.values():
        t = book.trade
        credit = float(t.credit * t.legs[0].contract.product.increment)
        out.append(Closed(t.id, t.strategy, t.structure, t.underlying, t.opened_ns, None, t.quantity, credit,
                          float(desk.profit(book, last)), "open"))  # fmt: skip
    return out


def _told(session: Session, wishes: Sequence[Wish]) -> list[Told]:
    """Fills, settlements and alerts, in their order, and refusals that no gate was asked for: a market that is closed,
    an order that found nobody."""
    out, asked = [], {(wish.ts, wish.rule) for wish in wishes}
    for entry in session.journal.entries:
        match entry.kind:
            case "alert":
                out.append(Told(entry.ts, "alert", entry.text))
            case "filled":
                out.append(Told(entry.ts, "fill", entry.text))
            case "refuse" if (entry.ts, entry.ref) not in asked:
                out.append(Told(entry.ts, "refused", f"{entry.ref}: {entry.text}"))
            case "settled":
                out.append(Told(entry.ts, "settled", entry.text))
            case _:
                continue
    return out


def _spans(parts: Parts) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
    """When quotes stood still, and when a side of them was gone: the weather's own troubles."""
    frozen: list[tuple[int, int]] = []
    gone: list[tuple[int, int]] = []
    for point in parts.session.equity:
        day = parts.market.day(parts.strategies[-1].underlyings[0], point.session)
        weather = day.source.weather if isinstance(day, SyntheticDay) else None
        if weather is None or not isinstance(day, SyntheticDay):
            continue
        hours = day.source.session
        for trouble in weather.days[point.session].troubles if point.session in weather.days else ():
            span = (hours.at(trouble.start), hours.at(trouble.end))
            (frozen if trouble.kind == "frozen" else gone).append(span)
    return tuple(frozen), tuple(gone)
