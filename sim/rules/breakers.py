"""Circuit breakers: a run of losses, or a loss of a day, a week or a month, stops new orders for a while.

They read what changes at a session's end and when a trade closes, and net liquidation at the moment of asking: never
what happened minute by minute, which a run that jumps from wake to wake does not see. So there is no breaker of a fall
within five minutes here, and none of a measured correlation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from sim.model.book import Account
from sim.model.given import COUNT, FROM_ONE, PART, SHARE, amount, number, optional, section, whole
from sim.model.order import OrderRequest, Pass
from sim.model.past import Past
from sim.rules.gate import BpAfter, Refusal
from sim.rules.regime import Regime
from sim.rules.sizing import Record, risk_fraction
from sim.view import View

_KEYS: Final = (
    "losses", "rest_days", "day", "week", "month", "day_rate", "day_trades", "margin_above", "margin_least",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Breakers:
    """Shares are of net liquidation at the end before the period.

    ``losses`` in a row stop until ``rest_days`` calendar days have passed since the last of them. ``day``, ``week`` and
    ``month`` stop to the end of that period. ``day_trades`` or more closed today, of which more than the share
    ``day_rate`` lost, stop the day. Buying power used of the regime's cap plus ``margin_above``, at least
    ``margin_least``, stops. None: that breaker is off.
    """

    losses: int | None
    rest_days: int
    day: Decimal | None
    week: Decimal | None
    month: Decimal | None
    day_trades: int
    day_rate: float | None
    margin_above: Decimal | None
    margin_least: Decimal
    regime: Regime
    code: str = "breakers"
    needs_legs: bool = False

    @staticmethod
    def of(config: Mapping[str, Any], regime: Regime) -> Breakers:
        where = "rules.breakers"
        row = section(where, config, _KEYS, ("enabled",))

        def share(name: str) -> Decimal | None:
            return optional(amount, f"{where}.{name}", row[name], SHARE)

        return Breakers(
            optional(whole, f"{where}.losses", row["losses"], FROM_ONE),
            whole(f"{where}.rest_days", row["rest_days"], COUNT),
            share("day"), share("week"), share("month"),
            whole(f"{where}.day_trades", row["day_trades"], FROM_ONE),
            optional(number, f"{where}.day_rate", row["day_rate"], PART),
            share("margin_above"), amount(f"{where}.margin_least", row["margin_least"], COUNT), regime,
        )  # fmt: skip

    def check(self, request: OrderRequest | Pass, view: View, _: BpAfter) -> Refusal | None:
        account, today = view.account, view.session
        if account.past is not None:
            no = self._lost(account, account.past, today) or self._streak(account.past, today)
            if no is not None:
                return no
        if self.margin_above is not None and account.bp_used is not None:
            band = self.regime.band(view.vix(request.underlying))
            cap = Decimal(0) if band is None else Decimal(str(band.cap))
            most = max(cap + self.margin_above, self.margin_least)
            if account.bp_used >= account.nlv * most:
                used = f"{account.bp_used:,.0f} of {account.nlv:,.0f} {account.currency} used"
                return Refusal(f"Breaker: buying power above {most:.0%}", used)
        return None

    def _lost(self, account: Account, past: Past, today: date) -> Refusal | None:
        periods = (
            ("day", self.day, today),
            ("week", self.week, today - timedelta(days=today.weekday())),
            ("month", self.month, today.replace(day=1)),
        )
        for name, limit, first in periods:
            if limit is None:
                continue
            before = _before(past, first)
            if before > 0 and 1 - account.nlv / before >= limit:
                return Refusal(
                    f"Breaker: {name} loss {limit:.0%}", f"{account.nlv:,.0f}, {before:,.0f} before the {name}"
                )
        return None

    def _streak(self, past: Past, today: date) -> Refusal | None:
        results = past.results
        if self.losses is not None and len(results) >= self.losses:
            run = results[-self.losses :]
            if all(r.net < 0 for r in run) and (today - run[-1].day).days <= self.rest_days:
                return Refusal(f"Breaker: {self.losses} losses in a row", f"the last on {run[-1].day}")
        if self.day_rate is not None:
            closed = [r for r in results if r.day == today]
            lost = sum(r.net < 0 for r in closed)
            if len(closed) >= self.day_trades and lost > self.day_rate * len(closed):
                return Refusal("Breaker: losing day", f"{lost} of {len(closed)} trades lost today")
        return None

    def describe(self) -> str:
        shares = (("day", self.day), ("week", self.week), ("month", self.month))
        lost = ", ".join(f"{name} {limit:.0%}" for name, limit in shares if limit is not None)
        return f"breakers: {self.losses or 'no'} losses in a row, loss of a {lost or 'period: off'}"


def _before(past: Past, first: date) -> Decimal:
    """Net liquidation at the last session's end before a date; the start where there is none."""
    for end in reversed(past.ends):
        if end.session < first:
            return end.nlv
    return past.start


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """A strategy whose own closed trades do not earn enough trades no more, and one that does risks no more than a part
    of Kelly's share. Asked from ``trades`` closed trades of the strategy on.

    ``least``: what a trade must bring on average, in account currency. ``part`` of Kelly's share, at most ``cap``, is
    what the planned loss at the stop may be of net liquidation.
    """

    trades: int
    least: float
    part: float
    cap: float
    code: str = "track_record"
    needs_legs: bool = False

    @staticmethod
    def of(config: Mapping[str, Any]) -> TrackRecord:
        where = "rules.track_record"
        row = section(where, config, ("trades", "least", "kelly", "cap"), ("enabled",))
        return TrackRecord(
            whole(f"{where}.trades", row["trades"], FROM_ONE),
            number(f"{where}.least", row["least"]),
            number(f"{where}.kelly", row["kelly"], SHARE),
            number(f"{where}.cap", row["cap"], SHARE),
        )

    def check(self, request: OrderRequest | Pass, view: View, _: BpAfter) -> Refusal | None:
        account = view.account
        mine = [r for r in account.past.results if r.strategy == request.strategy] if account.past else []
        if len(mine) < max(self.trades, 1):
            return None
        record = Record.of(mine)
        if record.expectancy < self.least:
            return Refusal(
                f"Expectancy below {self.least:,.0f}", f"{record.expectancy:,.0f} over {record.trades} trades"
            )
        fraction = risk_fraction(record.kelly, self.part, self.cap)
        if fraction <= 0:
            return Refusal("Kelly: no contracts", f"Kelly's share is {record.kelly:.2f} over {record.trades} trades")
        if isinstance(request, OrderRequest) and request.planned_loss_ticks is not None:
            tick = request.legs[0].contract.product.tick_value * request.quantity
            loss = account.in_account(request.planned_loss_ticks * tick)
            if loss > account.nlv * Decimal(str(fraction)):
                return Refusal(f"Planned loss above Kelly's {fraction:.1%}", f"{loss:,.0f} {account.currency}")
        return None

    def describe(self) -> str:
        return (
            f"from {self.trades} trades on: at least {self.least:,.0f} a trade, "
            f"planned loss at most {self.part:g} of Kelly's share, never above {self.cap:.0%}"
        )
