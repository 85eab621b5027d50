"""What a shock would cost the positions that move together: the limit of what has no worst loss of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from sim.model.book import Account
from sim.model.errors import ConfigError, DataError
from sim.model.given import COUNT, POSITIVE, Range, amount, choice, items, number, section
from sim.model.order import OrderRequest, Pass
from sim.model.past import Stress
from sim.rules.capital import worst_loss
from sim.rules.correlation import Correlation
from sim.rules.gate import BpAfter, Refusal
from sim.view import View

MODES: Final = ("stress", "delta_notional", "none")


@dataclass(frozen=True, slots=True)
class Shock:
    """Every underlying of the group moves by one of ``moves`` (shares), implied volatility rises by the share ``vol``;
    the worst of the moves may cost ``limit`` of net liquidation."""

    moves: tuple[float, ...]
    vol: float
    limit: Decimal


@dataclass(frozen=True, slots=True)
class GroupStress:
    """The group of the order and those that move with it, the order as if it were filled, stay within each shock.

    ``mode`` stress: asked of orders without a worst loss only, because a defined risk has its own rule. delta_notional:
    the sum of delta times price times multiplier stays within ``delta_limit`` of net liquidation, asked of every order.
    none: not asked. An order that wins in the shock, or makes the delta smaller, passes: it adds nothing to what is
    limited.
    """

    mode: str
    shocks: tuple[Shock, ...]
    delta_limit: Decimal
    correlation: Correlation
    code: str = "group_stress"
    needs_legs: bool = True

    @staticmethod
    def of(config: Mapping[str, Any], correlation: Correlation) -> GroupStress:
        where = "rules.group_stress"
        given = section(where, config, ("mode", "shock", "tail", "delta_limit"), ("enabled",))
        mode = choice(f"{where}.mode", given["mode"], MODES)
        shocks = []
        for name in ("shock", "tail"):
            here = f"{where}.{name}"
            row = section(here, given[name], ("moves", "vol", "limit"))
            given_moves = items(f"{here}.moves", row["moves"], "shares, like [-0.05]")
            moves = tuple(number(f"{here}.moves", m, Range(above=-1, most=1)) for m in given_moves)
            if not any(moves):
                raise ConfigError(f"{here}.moves is {row['moves']!r}: wanted a share that is a move, like [-0.05]")
            vol, limit = number(f"{here}.vol", row["vol"], COUNT), amount(f"{here}.limit", row["limit"], POSITIVE)
            shocks.append(Shock(moves, vol, limit))
        return GroupStress(
            mode, tuple(shocks), amount(f"{where}.delta_limit", given["delta_limit"], POSITIVE), correlation
        )

    def check(self, request: OrderRequest | Pass, view: View, _: BpAfter) -> Refusal | None:
        assert isinstance(request, OrderRequest), "a rule of legs is asked with legs"
        if self.mode == "none" or (self.mode == "stress" and worst_loss(request.legs) is not None):
            return None
        account = view.account
        if account.stress is None:
            return Refusal("Stress unknown", "the account cannot say what a shock would cost")
        try:
            if self.mode == "delta_notional":
                return self._delta(request, account, account.stress)
            for shock in self.shocks:
                for move in shock.moves:
                    if (no := self._shock(request, account, account.stress, shock, move)) is not None:
                        return no
        except DataError as error:
            return Refusal("Stress unknown", str(error))
        return None

    def _shock(
        self, request: OrderRequest, account: Account, stress: Stress, shock: Shock, move: float
    ) -> Refusal | None:
        own = stress.loss_of(request, move, shock.vol)
        if own <= 0:
            return None
        name, total = self.correlation.alongside(request, account.claims, stress.losses(move, shock.vol))
        limit = account.nlv * shock.limit
        if total + own <= limit:
            return None
        return Refusal(
            f"{name} stress above {shock.limit:.0%}",
            f"{total + own:,.0f} of {limit:,.0f} {account.currency} at {move:+.0%} and volatility x {1 + shock.vol:g}",
        )

    def _delta(self, request: OrderRequest, account: Account, stress: Stress) -> Refusal | None:
        deltas = {name: exposure.delta for name, exposure in stress.exposures().items()}
        name, before = self.correlation.alongside(request, account.claims, deltas)
        after = before + stress.exposure_of(request).delta
        limit = account.nlv * self.delta_limit
        if abs(after) <= limit or abs(after) < abs(before):
            return None
        return Refusal(f"{name} delta above {self.delta_limit:.0%}", f"{after:,.0f} of {limit:,.0f} {account.currency}")

    def describe(self) -> str:
        if self.mode == "none":
            return "group stress not asked"
        if self.mode == "delta_notional":
            return f"delta notional of a group at most {self.delta_limit:.0%} of net liquidation"
        return "; ".join(
            f"loss of a group at {'/'.join(f'{m:+.0%}' for m in s.moves)} and volatility x {1 + s.vol:g} "
            f"at most {s.limit:.0%} of net liquidation"
            for s in self.shocks
        )
