"""What a rule looked at, in numbers: the other half of ``explain``.

It decides nothing, and repeats no rule's arithmetic where the rule has a word for it.
"""

from __future__ import annotations

from math import isnan

from sim.model.book import Account
from sim.model.errors import DataError
from sim.model.market import BLANK
from sim.model.order import OrderRequest, Pass
from sim.rules.capital import BpCap, RiskPerTrade, worst_loss
from sim.rules.correlation import Correlation
from sim.rules.drawdown import DrawdownStop
from sim.rules.gate import BpAfter, Rule
from sim.rules.greeks import GreeksLimit
from sim.rules.group_stress import GroupStress
from sim.rules.market import Credit, EntryWindow, Freshness, MarketOpen, Volume
from sim.rules.phases import PhaseGate
from sim.rules.positions import Positions
from sim.rules.regime import VixPermission
from sim.rules.vixjump import VixJump
from sim.view import View

Wish = OrderRequest | Pass


def measured(rule: Rule, wish: Wish, view: View, bp_after: BpAfter) -> str:
    """One line of numbers; empty where the rule's own sentence says all, or where nothing is known."""
    try:
        return _of(rule, wish, view, bp_after)
    except DataError as error:
        return str(error)


def _of(rule: Rule, wish: Wish, view: View, bp_after: BpAfter) -> str:
    account, under = view.account, view.of(wish.underlying)
    money = account.currency
    match rule:
        case Freshness() if isinstance(wish, OrderRequest):
            return _ages(wish, view)
        case MarketOpen() | EntryWindow():
            return f"{view.clock:%H:%M} New York"
        case Volume():
            return "volume unknown" if isnan(under.volume) else f"{under.volume:,.0f} so far"
        case VixPermission():
            label = rule.regime.label(view.vix(wish.underlying))
            return f"VIX {view.vix(wish.underlying):.2f} {label}".strip()
        case VixJump():
            bars = under.history(1)
            before = bars[-1].vix if bars else float("nan")
            return f"VIX {view.vix(wish.underlying):.2f}, {before:.2f} at the close before"
        case PhaseGate():
            return f"phase {rule.phases.phase(account)} at {account.nlv:,.0f} {money}"
        case DrawdownStop():
            stand = rule.ladder.stand(account, view.session)
            return f"{stand.drawdown:.1%} below {stand.peak:,.0f} {money} {stand.label}".strip()
        case Correlation():
            return _groups(rule, wish, view)
        case Positions():
            held = rule.units.count(account.claims)
            phase = rule.phases.phase(account)
            own = rule.limit(wish.strategy, phase, account.nlv)
            mine = sum(c.strategy == wish.strategy for c in held)
            most = rule.total[phase - 1] if phase else 0
            return f"{len(held)} of {most}" + ("" if own is None else f", {wish.strategy} {mine} of {own}")
        case BpCap() if isinstance(wish, OrderRequest):
            cap = account.nlv * rule.share(account, view.vix(wish.underlying))
            used = "unknown" if account.bp_used is None else f"{account.bp_used:,.0f}"
            return f"used {used}, after {bp_after(wish):,.0f} of {cap:,.0f} {money}"
        case RiskPerTrade() if isinstance(wish, OrderRequest):
            return _risk(rule, wish, view)
        case GroupStress() if isinstance(wish, OrderRequest):
            return _stress(rule, wish, view)
        case GreeksLimit() if isinstance(wish, OrderRequest):
            return _greeks(wish, account)
        case Credit() if isinstance(wish, OrderRequest):
            return _credit(wish, view)
        case _:
            return ""


def _ages(wish: OrderRequest, view: View) -> str:
    under, oldest, silent = view.of(wish.underlying), 0, 0
    for leg in wish.legs:
        quote = under.quote(leg.contract)
        if quote is None:
            return f"{leg.contract.label} is not listed"
        oldest = max(oldest, quote.ask_age if leg.signed > 0 else quote.bid_age)
        silent = max(silent, under.chain_minutes(leg.contract.series))
    return f"oldest side {oldest} min, chain {silent} min"


def _groups(rule: Correlation, wish: Wish, view: View) -> str:
    own = rule.group(wish.underlying, wish.strategy)
    if own is None:
        return f"{wish.underlying} is in no group"
    account, held = view.account, rule.held(view.account.claims)
    parts = []
    for group in rule.together(own):
        names = ", ".join(f"{c.underlying} {c.strategy}" for c in held.get(group, ()))
        limit = rule.limit(group, account.nlv, view.vix(wish.underlying))
        parts.append(f"{group} {len(held.get(group, ()))} of {limit}" + (f" ({names})" if names else ""))
    return ", ".join(parts)


def _risk(rule: RiskPerTrade, wish: OrderRequest, view: View) -> str:
    account, product = view.account, wish.legs[0].contract.product
    parts = []
    if wish.planned_loss_ticks is not None:
        planned = account.in_account(wish.planned_loss_ticks * product.tick_value * wish.quantity)
        parts.append(f"{planned:,.0f} of {account.nlv * rule.at_stop:,.0f} at the stop")
    worst = worst_loss(wish.legs)
    if worst is None:
        parts.append("no worst loss of its own")
    else:
        share = rule.by_strategy.get(wish.strategy, rule.max_loss)
        gross = account.in_account(worst * product.multiplier * wish.quantity)
        parts.append(f"{gross:,.0f} at worst before its credit, of {account.nlv * share:,.0f}")
    return ", ".join(parts) + ("" if parts == ["no worst loss of its own"] else f" {account.currency}")


def _stress(rule: GroupStress, wish: OrderRequest, view: View) -> str:
    account = view.account
    if rule.mode != "stress" or worst_loss(wish.legs) is not None or account.stress is None:
        return ""
    parts = []
    for shock in rule.shocks:
        for move in shock.moves:
            own = account.stress.loss_of(wish, move, shock.vol)
            parts.append(f"{own:,.0f} more at {move:+.0%} (limit {account.nlv * shock.limit:,.0f})")
    return ", ".join(parts) + f" {account.currency}"


def _greeks(wish: OrderRequest, account: Account) -> str:
    if account.stress is None:
        return ""
    own = account.stress.exposure_of(wish)
    every = sum(account.stress.exposures().values(), own)
    return (
        f"the order {own.delta / 100:,.0f} a per cent, {own.vega * 10:,.0f} for ten points; with everything held "
        f"{every.delta / 100:,.0f}, {every.vega * 10:,.0f}, theta {every.theta:,.0f} a day {account.currency}"
    )


def _credit(wish: OrderRequest, view: View) -> str:
    under, mid2, width = view.of(wish.underlying), 0, 0
    for leg in wish.legs:
        quote = under.quote(leg.contract)
        if quote is None or quote.ask == BLANK or quote.bid == BLANK:
            return f"{leg.contract.label} has no two sides"
        mid2 -= leg.signed * (quote.bid + quote.ask)
        width += leg.ratio * (quote.ask - quote.bid)
    increment = float(wish.legs[0].contract.product.increment)
    floor = "" if wish.limit is None else f", minimum {wish.limit * increment:.2f}"
    return f"mid {mid2 * increment / 2:.2f}, width {width * increment:.2f}{floor}"
