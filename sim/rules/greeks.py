"""Overlay: the Greeks of positions that move together stay within limits, whichever their sign."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from sim.model.book import Account
from sim.model.errors import ConfigError, DataError
from sim.model.given import POSITIVE, SHARE, amount, section
from sim.model.order import OrderRequest, Pass
from sim.model.past import Stress
from sim.rules.correlation import Correlation
from sim.rules.gate import BpAfter, Refusal
from sim.rules.phases import Phases
from sim.view import View

SPY_UNITS: Final = {"SPY": 1, "XSP": 1, "SPX": 10, "ES": 10, "MES": 10}
"""Price of an underlying over that of SPY, near enough for a limit: the S&P's own multiples."""


@dataclass(frozen=True, slots=True)
class GreeksLimit:
    """The order's group and those that move with it, the order as if it were filled.

    ``one_per_cent``: by phase, the share of net liquidation that a move of 1 % may earn or cost. ``ten_points``: the
    share that ten volatility points may. ``spy_shares``: by phase, the delta in shares of SPY, asked of the S&P's own
    underlyings; None: not asked. An order that makes what is limited smaller passes.
    """

    one_per_cent: tuple[Decimal, ...]
    ten_points: Decimal
    spy_shares: tuple[Decimal, ...] | None
    correlation: Correlation
    phases: Phases
    code: str = "greeks"
    needs_legs: bool = True

    @staticmethod
    def of(config: Mapping[str, Any], correlation: Correlation, phases: Phases) -> GreeksLimit:
        where = "rules.greeks"
        row = section(where, config, ("one_per_cent", "ten_points", "spy_shares"), ("enabled",))
        per_cent = phases.each(f"{where}.one_per_cent", row["one_per_cent"], SHARE)
        ten = amount(f"{where}.ten_points", row["ten_points"], SHARE)
        if row["spy_shares"] is None:
            return GreeksLimit(per_cent, ten, None, correlation, phases)
        shares = phases.each(f"{where}.spy_shares", row["spy_shares"], POSITIVE)
        if list(shares) != sorted(shares):
            raise ConfigError(
                f"{where}.spy_shares is {row['spy_shares']!r}: wanted no fewer shares in a higher phase than in a lower"
            )
        return GreeksLimit(per_cent, ten, shares, correlation, phases)

    def check(self, request: OrderRequest | Pass, view: View, _: BpAfter) -> Refusal | None:
        assert isinstance(request, OrderRequest), "a rule of legs is asked with legs"
        account = view.account
        if account.stress is None:
            return Refusal("Greeks unknown", "the account cannot say what its Greeks are")
        try:
            return self._check(request, view, account, account.stress)
        except DataError as error:
            return Refusal("Greeks unknown", str(error))

    def _check(self, request: OrderRequest, view: View, account: Account, stress: Stress) -> Refusal | None:
        held, own = stress.exposures(), stress.exposure_of(request)
        group, delta = self._near(request, account, {name: e.delta for name, e in held.items()})
        _, vega = self._near(request, account, {name: e.vega for name, e in held.items()})
        at = max(self.phases.phase(account) - 1, 0)
        a_per_cent, ten_points = account.nlv * self.one_per_cent[at], account.nlv * self.ten_points
        limits = [
            ("delta", delta / 100, own.delta / 100, a_per_cent, f"{account.currency} a per cent"),
            ("vega", vega * 10, own.vega * 10, ten_points, f"{account.currency} for ten points"),
        ]
        unit = SPY_UNITS.get(request.underlying)
        if self.spy_shares is not None and unit is not None:
            spot = view.of(request.underlying).spot
            if not spot > 0:
                return Refusal("Greeks unknown", f"no price of {request.underlying}")
            share = account.in_account(Decimal(repr(spot)) / unit)
            limits.append(("delta", delta / share, own.delta / share, self.spy_shares[at], "shares of SPY"))
        for name, before, more, limit, unit_name in limits:
            after = before + more
            if abs(after) > limit and abs(after) >= abs(before):
                return Refusal(f"{group} {name} above its limit", f"{after:,.0f} of {limit:,.0f} {unit_name}")
        return None

    def _near(self, request: OrderRequest, account: Account, amounts: Mapping[str, Decimal]) -> tuple[str, Decimal]:
        return self.correlation.alongside(request, account.claims, amounts)

    def describe(self) -> str:
        shares = "" if self.spy_shares is None else f", {'/'.join(f'{n:f}' for n in self.spy_shares)} shares of SPY"
        each = "/".join(f"{share:.2%}" for share in self.one_per_cent)
        return f"Greeks of a group: a move of 1 % {each} of net liquidation, ten points {self.ten_points:.0%}{shares}"
