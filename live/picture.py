"""Makes the one picture (``Snapshot``) that every screen shows, of the core, the broker's word and the guard.

It asks and changes nothing. What cannot be worked out is None. Distances of short strikes are in standard deviations
of the underlying until the option ends, from the option's own implied volatility.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from math import isnan, log, sqrt
from typing import Final

from live.core import Core
from live.guard import Guard
from live.snapshot import (
    AgeShown,
    CauseShown,
    DecisionShown,
    GreeksShown,
    GroupShown,
    LegShown,
    OrderShown,
    Snapshot,
    TradeShown,
)
from sim.calendar import Venue, load_calendar, ny
from sim.desk import Desk
from sim.ledger import OpenTrade
from sim.model.book import Trade
from sim.model.defence import OfPart
from sim.model.errors import DataError
from sim.model.event import Alert, Cancel, Decision, Refuse, Submit
from sim.model.exits import Exit
from sim.model.instrument import STRIKE_SCALE, OptionContract
from sim.model.order import Intent, Order, Status
from sim.pricing import implied
from sim.rules.correlation import Correlation
from sim.rules.phases import Phases
from sim.rules.regime import Regime
from sim.rules.sizing import HealthWeights, health
from sim.view import YEAR_NS

KEPT: Final = 200
"""Decisions that are remembered for the screen."""


@dataclass(frozen=True, slots=True)
class Rulers:
    """What the picture measures by. None where a rule is left out."""

    regime: Regime
    correlation: Correlation | None
    phases: Phases | None
    health: HealthWeights


@dataclass(frozen=True, slots=True)
class Labels:
    """What does not change: names, notices. ``account``: the last digits."""

    name: str
    adapter: str
    account: str
    market: str
    notice: str
    synthetic: bool


@dataclass(slots=True)
class Painter:
    """``ages``, ``differences`` and ``manual`` come from who knows them. ``resting`` names, by trade, what the broker
    holds. ``account``: its last digits, where the labels do not say them."""

    core: Core
    guard: Guard
    rulers: Rulers
    labels: Labels
    now: Callable[[], int]
    ages: Callable[[int], Sequence[AgeShown]] = lambda _: ()
    differences: Callable[[], Sequence[str]] = lambda: ()
    manual: Callable[[], Sequence[str]] = lambda: ()
    resting: Callable[[], Mapping[str, Sequence[str]]] = dict
    wakes: Callable[[], str] = lambda: ""
    account: Callable[[], str] = lambda: ""
    by_hand: Callable[[], Collection[str]] = tuple
    """Ids of orders that a person places."""
    recent: list[DecisionShown] = field(default_factory=list)

    def commanded(self, ts: int, word: str, what: str) -> None:
        """Keeps what a person has said, and what came of it."""
        self.recent.append(DecisionShown(ts, "command", "", f"{word}: {what}"))
        del self.recent[:-KEPT]

    def filled(self, ts: int, what: str) -> None:
        """Keeps a fill among what was decided."""
        self.recent.append(DecisionShown(ts, "fill", "", what))
        del self.recent[:-KEPT]

    def heard(self, ts: int, decisions: Sequence[Decision]) -> None:
        """Keeps what was decided, for the log on the screen."""
        for decision in decisions:
            match decision:
                case Submit(order):
                    r = order.request
                    text = f"{r.intent.value} {r.quantity} x {r.describe()}: {r.reason}"
                    self.recent.append(DecisionShown(ts, "submit", r.strategy, text))
                case Cancel(order_id, reason):
                    self.recent.append(DecisionShown(ts, "cancel", "", f"{order_id}: {reason}"))
                case Refuse(_, refused):
                    text = f"{refused.wanted or 'nothing'}: {refused.reason} ({refused.rule}) {refused.detail}".strip()
                    self.recent.append(DecisionShown(ts, "refuse", refused.strategy, text))
                case Alert(_, text):
                    self.recent.append(DecisionShown(ts, "alert", "", text))
        del self.recent[:-KEPT]

    def look(self) -> Snapshot:
        """The picture of now."""
        core, now = self.core, self.now()
        desk, engine = core.session.engine.desk, core.session.engine
        open_ = desk.book is not None and core.day is not None
        if open_:
            # The minute may have turned since the last input: what stands is carried on, as the next one will do.
            core.market.roll(now)
            core.refresh()
        k = core.column(now)
        vix = desk.last_vix() if open_ else float("nan")
        nlv, day_profit, as_of = self._worth(desk, k, open_=open_)
        account = desk.account(k) if open_ else None
        used = None if account is None or account.bp_used is None else float(account.bp_used)
        band = None if isnan(vix) else self.rulers.regime.band(vix)
        fx = desk.ledger.rate_of(core.day) if core.day is not None else None
        phase = ""
        if self.rulers.phases is not None and account is not None:
            phase = str(self.rulers.phases.phase(account))
        trades = tuple(self._trade(book, desk, k, now, open_=open_) for book in desk.ledger.open.values())
        groups = self._groups(desk, nlv, vix)
        cap = None if band is None or nlv is None else band.cap * nlv
        return Snapshot(
            ts=now, session=str(core.day or ""), name=self.labels.name, adapter=self.labels.adapter,
            account=self.labels.account or self.account(), market=self.labels.market, notice=self.labels.notice,
            synthetic=self.labels.synthetic, currency=desk.ledger.currency, standing=self.guard.standing.value,
            causes=tuple(
                CauseShown(c.name, c.standing.value, c.since, c.text) for c in self.guard.causes.values()
            ),
            nlv=nlv, cash=float(desk.ledger.cash), day_profit=day_profit, as_of=as_of,
            bp_used=used, bp_cap=cap, regime="" if isnan(vix) else self.rulers.regime.label(vix),
            vix=None if isnan(vix) else vix, phase=phase, health=self._health(desk, groups, used, cap),
            fx=1.0 if fx is None else float(fx.fx), fx_date="" if fx is None or fx.dated is None else str(fx.dated),
            trades=trades, greeks=self._greeks(desk, k, open_=open_), groups=groups,
            orders=tuple(self._order(order, core) for order in desk.orders.values()),
            decisions=tuple(reversed(self.recent)), ages=tuple(self.ages(now)),
            profits=desk.profits(k) if open_ or not desk.ledger.open else (), differences=tuple(self.differences()),
            unguarded=self._unguarded(trades, now), next_wake=self.wakes(), manual=tuple(self.manual()),
            recommendations=self._advice(engine.standing.value, trades, groups, used, cap),
        )  # fmt: skip

    def _worth(self, desk: Desk, k: int, *, open_: bool) -> tuple[float | None, float | None, str]:
        """Net liquidation, and what the day has made of it: of now, or of the end of the trade date that is named."""
        points = self.core.session.equity[-2:]
        ends = [float(desk.ledger.start_cash), *(point.nlv for point in points)]
        if open_:
            now = float(desk.nlv(k))
            return now, now - ends[-1], ""
        return (ends[-1], ends[-1] - ends[-2], str(points[-1].session)) if points else (None, None, "")

    # -- parts --------------------------------------------------------------------------------------------------------

    def _trade(self, book: OpenTrade, desk: Desk, k: int, now: int, *, open_: bool) -> TradeShown:
        trade = book.trade
        unit = float(trade.legs[0].contract.product.increment)
        watch = desk.watches.get(trade.id)
        mark2 = book.mark2 if watch is None else watch.last_mark(k, book.mark2)
        legs = tuple(self._leg(contract, n, desk, k, now, open_=open_) for contract, n in book.left.items() if n)
        works = list(self.resting().get(trade.id, ()))
        reasons = {each.describe(): _reasons(each, trade) for each in trade.exits}
        held = [text for text, why in reasons.items() if why and why.issubset(works)]
        resting = (*held, *(why for why in works if not any(why in reasons[text] for text in held)))
        # What says how long an order may wait is no exit by itself.
        here = tuple(text for text, why in reasons.items() if why and text not in held)
        profit = float(desk.profit(book, k)) if open_ else float(book.gross - book.fees)
        return TradeShown(
            trade.id, trade.strategy, trade.structure, trade.underlying, trade.quantity, legs, trade.opened_ns,
            trade.credit * unit, mark2 * unit / 2, profit, tuple(reasons), resting, here,
        )  # fmt: skip

    def _leg(self, contract: OptionContract, n: int, desk: Desk, k: int, now: int, *, open_: bool) -> LegShown:
        today = self.core.day or ny(now).date()
        dte = (contract.expiration - today).days
        sigmas = self._sigmas(contract, desk, k, now) if n < 0 and open_ else None
        return LegShown(contract.label, contract.symbol, n, dte, sigmas)

    def _sigmas(self, contract: OptionContract, desk: Desk, k: int, now: int) -> float | None:
        """How many standard deviations a short strike is away, out of the money positive."""
        own = desk.day.days.get(contract.underlying)
        if own is None:
            return None
        i = min(k - own.offset, own.day.minutes - 1)
        path = desk.day.path(contract)
        if i < 0 or path is None or path.bid[i] < 0 or path.ask[i] <= 0:
            return None
        forward = own.day.forward(contract.series, i)
        product = contract.product
        ends = load_calendar().settlement_instant(
            Venue(product.venue), contract.expiration, morning=product.exercise.morning
        )
        years = max((ends - now) / YEAR_NS, 1e-9)
        strike = contract.strike_e4 / STRIKE_SCALE
        mid = 0.5 * float(path.bid[i] + path.ask[i]) * float(product.increment)
        vol = float(implied.implied_vol(mid, forward, strike, years, contract.is_call))
        if isnan(vol) or vol <= 0 or isnan(forward) or forward <= 0:
            return None
        away = log(strike / forward) / (vol * sqrt(years))
        return away if contract.is_call else -away

    def _greeks(self, desk: Desk, k: int, *, open_: bool) -> tuple[GreeksShown, ...]:
        if not open_ or not desk.ledger.open:
            return ()
        stress = desk.account(k).stress
        try:
            found = {} if stress is None else stress.exposures()
        except DataError:
            return ()
        return tuple(
            GreeksShown(name, float(e.delta), float(e.gamma), float(e.theta), float(e.vega))
            for name, e in sorted(found.items())
        )

    def _groups(self, desk: Desk, nlv: float | None, vix: float) -> tuple[GroupShown, ...]:
        rule = self.rulers.correlation
        if rule is None:
            return ()
        held = rule.held(desk.claims())
        size = Decimal(repr(nlv)) if nlv is not None else desk.ledger.cash
        return tuple(
            GroupShown(
                group, len(held.get(group, ())), rule.limit(group, size, 0.0 if isnan(vix) else vix),
                tuple(sorted({claim.underlying for claim in held.get(group, ())})),
            )
            for group in rule.groups
        )  # fmt: skip

    def _order(self, order: Order, core: Core) -> OrderShown:
        r = order.request
        unit = float(r.legs[0].contract.product.increment)
        record = core.session.orders.get(order.id)
        state = order.status.value if record is None else record.status.value
        state = "by hand" if order.id in self.by_hand() else state
        limit = None if r.limit is None else r.limit * unit
        if record is not None and record.price is not None:
            limit = float(record.price)
        reason = r.reason
        if (stop := r.stop) is not None:
            reason += f", or {stop.reason} from {abs(stop.trigger) * unit:.2f} on"
        return OrderShown(order.id, r.strategy, r.describe(), r.quantity, limit, state, order.created_ns, reason)

    def exposed(self) -> list[str]:
        """Trades with short legs whose exits only live here, with those exits."""
        return [f"{t.id} ({', '.join(t.here)})" for t in self.look().trades if _only_here(t)]

    def _unguarded(self, trades: Sequence[TradeShown], now: int) -> tuple[str, ...]:
        cause = self.guard.causes.get("quotes")
        if cause is None:
            return ()
        for_s = max((now - cause.since) // 1_000_000_000, 0)
        return tuple(f"{t.id}: {', '.join(t.here)} for {for_s} s" for t in trades if _only_here(t))

    def _health(self, desk: Desk, groups: Sequence[GroupShown], used: float | None, cap: float | None) -> float | None:
        """The worst position's."""
        if not desk.ledger.open or used is None or cap is None or self.core.day is None:
            return None
        most = max((g.held / g.limit if g.limit else float(g.held > 0) for g in groups), default=0.0)
        out = []
        for book in desk.ledger.open.values():
            dte = min((c.expiration - self.core.day).days for c, n in book.left.items() if n)
            out.append(
                health(
                    self.rulers.health, dte=dte, at_stop=False, group_used=most, group_limit=1.0, bp_used=used,
                    bp_max=cap,
                )
            )  # fmt: skip
        return min(out)

    def _advice(
        self, standing: str, trades: Sequence[TradeShown], groups: Sequence[GroupShown], used: float | None,
        cap: float | None,
    ) -> tuple[str, ...]:  # fmt: skip
        """What a person should look at, the gravest first."""
        out = [f"{standing}: {self.guard.why}"] if self.guard.causes else []
        out += [f"reconcile: {text}" for text in self.differences()]
        if used is not None and cap is not None and used > cap:
            out.append(f"buying power {used:,.0f} is above the regime's cap of {cap:,.0f}: open nothing, reduce")
        out += [f"group {g.name} is at its limit of {g.limit}" for g in groups if g.held and g.held >= g.limit]
        for trade in trades:
            near = [g for g in trade.legs if g.sigmas is not None and g.sigmas < 1.0]
            if near:
                out.append(f"{trade.id}: {near[0].label} is {near[0].sigmas:.1f} standard deviations away")
        return tuple(out) or ("nothing to do: the session runs, and everything is within its limits",)


def _reasons(each: Exit, trade: Trade) -> set[str]:
    """What closing orders of an exit are said to be for."""
    credit = trade.credit_of(each.legs) if isinstance(each, OfPart) else trade.credit
    return {condition.reason for condition in each.conditions(credit, trade.legs)}


def _only_here(trade: TradeShown) -> bool:
    return bool(trade.here) and any(leg.quantity < 0 for leg in trade.legs)


def rests(orders: Sequence[Order]) -> dict[str, list[str]]:
    """By trade, what of our closing orders works at the broker: not what waits there for its opening."""
    out: dict[str, list[str]] = {}
    for order in orders:
        if order.request.intent is Intent.CLOSE and order.status is Status.LIVE:
            stop = order.request.stop
            reasons = (order.request.reason, *(() if stop is None else (stop.reason,)))
            out.setdefault(order.request.trade_id, []).extend(reasons)
    return out
