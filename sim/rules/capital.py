"""Rules that ask the account: is there buying power, and can the loss be borne."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sim.margin.payoff import Held, worst
from sim.model.book import Account
from sim.model.errors import DataError
from sim.model.given import COUNT, SHARE, amount, flag, mapping, number, section
from sim.model.instrument import STRIKE_SCALE, Right
from sim.model.market import BLANK
from sim.model.order import Leg, OrderRequest, Pass
from sim.rules.gate import BpAfter, Refusal
from sim.rules.phases import Phases
from sim.rules.regime import Regime
from sim.view import View


@dataclass(frozen=True, slots=True)
class BpCap:
    """Buying power used after the order stays within the share of net liquidation that the regime, the account's phase
    and the hard cap all allow: the least of the three.

    ``phases`` None: the phase has no say. ``reserve`` multiplies the share that is left (0.8 keeps a fifth of it back;
    1 keeps nothing). ``least_free`` is what must be free before a strategy enters at all, in account currency, by its
    name.
    """

    regime: Regime
    hard_cap: float
    least_free: Mapping[str, Decimal]
    phases: Phases | None = None
    reserve: Decimal = Decimal(1)
    code: str = "buying_power"
    needs_legs: bool = True

    @staticmethod
    def of(config: Mapping[str, Any], regime: Regime, phases: Phases | None) -> BpCap:
        where = "rules.buying_power"
        needs = ("hard_cap", "apply_reserve_multiplier", "reserve_multiplier", "least_free")
        row = section(where, config, needs, ("enabled",))
        least = mapping(f"{where}.least_free", row["least_free"])
        free = {name: amount(f"{where}.least_free.{name}", value, COUNT) for name, value in least.items()}
        reserve = amount(f"{where}.reserve_multiplier", row["reserve_multiplier"], SHARE)
        if not flag(f"{where}.apply_reserve_multiplier", row["apply_reserve_multiplier"]):
            reserve = Decimal(1)
        return BpCap(regime, number(f"{where}.hard_cap", row["hard_cap"], SHARE), free, phases, reserve)

    def share(self, account: Account, vix: float) -> Decimal:
        """The effective cap, a share of net liquidation. An unknown VIX is left to the rule that blocks it."""
        band = self.regime.band(vix)
        share = Decimal(str(self.hard_cap if band is None else min(band.cap, self.hard_cap)))
        if self.phases is not None:
            share = min(share, self.phases.cap(account))
        return share * self.reserve

    def check(self, request: OrderRequest | Pass, view: View, bp_after: BpAfter) -> Refusal | None:
        assert isinstance(request, OrderRequest), "a rule of legs is asked with legs"
        account = view.account
        used = account.bp_used
        if used is None:
            return Refusal("Buying power unknown", "a position that is held has no quote")
        try:
            after = bp_after(request)
        except DataError as error:
            return Refusal("Buying power unknown", str(error))
        share = self.share(account, view.vix(request.underlying))
        cap = account.nlv * share
        free = cap - used
        least = self.least_free.get(request.strategy)
        if least is not None and free < least:
            return Refusal(f"Buying power below {least:,.0f}", f"free {free:,.0f} {account.currency}")
        if after > cap:
            return Refusal(
                f"Buying power cap ({share:.1%})", f"used after {after:,.0f} of {cap:,.0f} {account.currency}"
            )
        return None

    def describe(self) -> str:
        caps = "the regime's cap" if self.phases is None else "the regime's and the phase's cap"
        return f"buying power within {caps}, never above {self.hard_cap:.0%} of net liquidation"


@dataclass(frozen=True, slots=True)
class RiskPerTrade:
    """Planned loss at the stop at most ``at_stop`` of net liquidation, the worst loss of a defined-risk spread at most
    ``max_loss``. What has no worst loss is judged by its margin here, and by the stress of its group elsewhere."""

    at_stop: Decimal
    max_loss: Decimal
    by_strategy: Mapping[str, Decimal]
    """Another ``max_loss`` for strategies that are bought rather than sold: a covered call's LEAP is its own stop."""
    code: str = "risk_per_trade"
    needs_legs: bool = True

    @staticmethod
    def of(config: Mapping[str, Any]) -> RiskPerTrade:
        where = "rules.risk_per_trade"
        row = section(where, config, ("at_stop", "max_loss", "by_strategy"), ("enabled",))
        other = mapping(f"{where}.by_strategy", row["by_strategy"])
        by = {name: amount(f"{where}.by_strategy.{name}", value, SHARE) for name, value in other.items()}
        at_stop, worst = (amount(f"{where}.{name}", row[name], SHARE) for name in ("at_stop", "max_loss"))
        return RiskPerTrade(at_stop, worst, by)

    def check(self, request: OrderRequest | Pass, view: View, _: BpAfter) -> Refusal | None:
        assert isinstance(request, OrderRequest), "a rule of legs is asked with legs"
        account = view.account
        tick = request.legs[0].contract.product.tick_value * request.quantity
        if request.planned_loss_ticks is not None:
            loss, limit = (
                account.in_account(request.planned_loss_ticks * tick),
                account.nlv * self.at_stop,
            )
            if loss > limit:
                return Refusal(
                    f"Planned loss above {self.at_stop:.0%}", f"{loss:,.0f} of {limit:,.0f} {account.currency}"
                )
        most = worst_loss(request.legs)
        if most is not None:
            net = net_now(request, view) if request.limit is None else request.limit
            if net is None:
                return Refusal("Price unknown", "a leg has no quote: the worst loss cannot be worked out")
            paid = -net
            multiplier = request.legs[0].contract.product.multiplier * request.quantity
            loss = account.in_account(most * multiplier + paid * tick)
            share = self.by_strategy.get(request.strategy, self.max_loss)
            limit = account.nlv * share
            if loss > limit:
                return Refusal(f"Maximum loss above {share:.0%}", f"{loss:,.0f} of {limit:,.0f} {account.currency}")
        return None

    def describe(self) -> str:
        return (
            f"planned loss at the stop at most {self.at_stop:.0%}, "
            f"worst loss at most {self.max_loss:.0%} of net liquidation"
        )


def net_now(request: OrderRequest, view: View) -> int | None:
    """The natural net of one unit now in ticks, credit positive; None where a leg lacks the side it needs."""
    total = 0
    under = view.of(request.underlying)
    for leg in request.legs:
        quote = under.quote(leg.contract)
        side = BLANK if quote is None else quote.ask if leg.signed > 0 else quote.bid
        if side == BLANK:
            return None
        total -= leg.signed * side
    return total


def worst_loss(legs: Iterable[Leg]) -> Decimal | None:
    """The largest payout at expiration of one unit in points, before its credit; None where it has no bound.

    None as well for legs of several expirations.
    """
    held: list[Held] = []
    ends: date | None = None
    puts = calls = 0
    for leg in legs:
        contract = leg.contract
        if ends is None:
            ends = contract.expiration
        elif contract.expiration != ends:
            return None
        put = contract.right is Right.PUT
        if put:
            puts += leg.signed
        else:
            calls += leg.signed
        held.append(Held(put, contract.strike_e4, leg.signed))
    if puts < 0 or calls < 0:
        return None
    return Decimal(worst(held).whole) / STRIKE_SCALE
