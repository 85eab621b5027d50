"""The account's pages: balances, trading status, limits, margin report, snapshots, history of net liquidation value.

Every key that strict clients require is there; what this account has none of (cryptocurrency, bonds, calls) is zero.
Money on a page is a string in US dollars.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from adapters.emulator.exchange.account import Account
from adapters.emulator.exchange.forms import MS, ZERO, Json, iso, signed, text
from adapters.emulator.exchange.listed import EQUITY, EQUITY_OPTION, FUTURE, FUTURE_OPTION, Prices, mark_of
from adapters.emulator.exchange.margins import Margins
from sim.calendar import date_ny, ny
from sim.margin.lines import money
from sim.model.errors import DataError
from sim.model.instrument import Kind

GroupKey = tuple[Kind, str]
_ZEROS: Final = (
    "long-cryptocurrency-value", "short-cryptocurrency-value", "cryptocurrency-margin-requirement",
    "closed-loop-available-balance", "equity-offering-margin-requirement", "long-bond-value", "bond-margin-requirement",
    "maintenance-call-value", "reg-t-call-value", "day-trading-call-value", "day-equity-call-value",
    "pending-margin-interest", "effective-cryptocurrency-buying-power", "long-fixed-income-security-value",
    "fixed-income-security-margin-requirement", "total-pending-liquidity-pool-rebate", "long-index-derivative-value",
    "short-index-derivative-value",
)  # fmt: skip
_SIGNED_ZEROS: Final = (
    "pending-cash", "unsettled-cryptocurrency-fiat-amount", "buying-power-adjustment", "intraday-equities-cash-amount",
    "intraday-futures-cash-amount", "previous-day-cryptocurrency-fiat-amount",
)  # fmt: skip
_MINUTE: Final = 60_000 * MS
_BACK: Final = {"1d": 1, "1w": 7, "1m": 31, "3m": 92, "6m": 183, "1y": 366, "all": 100_000}


@dataclass(frozen=True, slots=True)
class Standing:
    """An account at one moment. ``values`` by instrument type and side (+1 long, -1 short), magnitudes; ``open_gain``
    of futures; ``needs`` the requirement of each group; ``reserved`` by working orders."""

    cash: Decimal
    values: Mapping[tuple[str, int], Decimal]
    open_gain: Decimal
    needs: Mapping[GroupKey, Decimal]
    reserved: Decimal

    def value(self, kind: str, side: int) -> Decimal:
        return self.values.get((kind, side), ZERO)

    @property
    def shares(self) -> Decimal:
        return self.value(EQUITY, 1) - self.value(EQUITY, -1)

    @property
    def options(self) -> Decimal:
        return sum((self.value(kind, side) * side for kind in (EQUITY_OPTION, FUTURE_OPTION) for side in (1, -1)), ZERO)

    @property
    def requirement(self) -> Decimal:
        return sum(self.needs.values(), ZERO)

    @property
    def futures_requirement(self) -> Decimal:
        return sum((need for (kind, _), need in self.needs.items() if kind is Kind.FUTURE), ZERO)

    @property
    def nlv(self) -> Decimal:
        return self.cash + self.shares + self.options + self.open_gain

    @property
    def power(self) -> Decimal:
        """Buying power for options: what is free after requirements and working orders."""
        return self.cash + self.shares + self.open_gain - self.requirement - self.reserved


class Pages:
    """Reads accounts. Keeps the last known requirement of every group, for when a market is silent."""

    def __init__(self, margins: Margins, prices: Prices) -> None:
        self.margins = margins
        self.prices = prices
        self._last: dict[tuple[str, GroupKey], Decimal] = {}

    def mark(self, account: Account) -> None:
        """Brings the marks of positions up to the quotes of now."""
        for position in account.positions.values():
            if quantity := position.quantity:
                mark = mark_of(self.prices.quote(position.instrument.symbol), quantity)
                position.mark = position.mark if mark is None else mark

    def standing(self, account: Account, reserved: Decimal, now: int) -> Standing:
        """The account at the quotes of now; marks of positions are brought up to date."""
        return self._at_marks(account, self._needs(account, now), reserved)

    def worth(self, account: Account) -> Decimal:
        """Net liquidating value at the quotes of now; marks of positions are brought up to date."""
        return self._at_marks(account, {}, ZERO).nlv

    def _at_marks(self, account: Account, needs: Mapping[GroupKey, Decimal], reserved: Decimal) -> Standing:
        self.mark(account)
        values: dict[tuple[str, int], Decimal] = {}
        open_gain = ZERO
        for position in account.positions.values():
            if not (quantity := position.quantity):
                continue
            multiplier, kind = position.instrument.multiplier, position.instrument.type
            if kind == FUTURE:
                open_gain += (position.mark * quantity - position.cost) * multiplier
                continue
            key = kind, 1 if quantity > 0 else -1
            values[key] = values.get(key, ZERO) + position.mark * abs(quantity) * multiplier
        return Standing(account.cash, values, open_gain, needs, reserved)

    def _needs(self, account: Account, now: int) -> dict[GroupKey, Decimal]:
        book = {symbol: (p.instrument, p.quantity) for symbol, p in account.positions.items()}
        needs: dict[GroupKey, Decimal] = {}
        for key, held in self.margins.by_group(book).items():
            try:
                needs[key] = self._last[account.number, key] = self.margins.of_group(key, held, now)
            except DataError:
                # A page shows a figure whatever the market does; an order that asks for one is refused instead.
                needs[key] = self._last.get((account.number, key), ZERO)
        return needs

    def balance(self, account: Account, standing: Standing, now: int) -> Json:
        power = max(standing.power, ZERO)
        requirement, nlv = standing.requirement, standing.nlv
        futures = text(_cents(standing.futures_requirement))
        out: Json = {
            "account-number": account.number,
            "currency": "USD",
            "cash-balance": text(standing.cash),
            "long-equity-value": text(standing.value(EQUITY, 1)),
            "short-equity-value": text(standing.value(EQUITY, -1)),
            "long-derivative-value": text(standing.value(EQUITY_OPTION, 1)),
            "short-derivative-value": text(standing.value(EQUITY_OPTION, -1)),
            "long-futures-value": text(max(standing.open_gain, ZERO)),
            "short-futures-value": text(max(-standing.open_gain, ZERO)),
            "long-futures-derivative-value": text(standing.value(FUTURE_OPTION, 1)),
            "short-futures-derivative-value": text(standing.value(FUTURE_OPTION, -1)),
            "long-margineable-value": text(standing.value(EQUITY, 1)),
            "short-margineable-value": text(standing.value(EQUITY, -1)),
            "margin-equity": text(nlv),
            "equity-buying-power": text(power * 2),
            "derivative-buying-power": text(power),
            "day-trading-buying-power": text(ZERO),
            "futures-margin-requirement": futures,
            "futures-overnight-margin-requirement": futures,
            "futures-intraday-margin-requirement": futures,
            "available-trading-funds": text(power),
            "maintenance-requirement": text(requirement),
            "reg-t-margin-requirement": text(requirement),
            "net-liquidating-value": text(nlv),
            "cash-available-to-withdraw": text(max(min(standing.cash, standing.power), ZERO)),
            "day-trade-excess": text(max(nlv - requirement, ZERO)),
            "maintenance-excess": text(max(nlv - requirement, ZERO)),
            "used-derivative-buying-power": text(max(requirement + standing.reserved, ZERO)),
            "special-memorandum-account-value": text(ZERO),
            "special-memorandum-account-apex-adjustment": text(ZERO),
            "sma-equity-option-buying-power": text(power),
        }
        out |= dict.fromkeys(_ZEROS, "0.0")
        for key in _SIGNED_ZEROS:
            out |= signed(key, ZERO)
        return out | {"snapshot-date": date_ny(now).isoformat(), "updated-at": iso(account.updated or now)}

    def margin_report(self, account: Account, standing: Standing, now: int) -> Json:
        groups = []
        held = self.margins.by_group({s: (p.instrument, p.quantity) for s, p in account.positions.items()})
        for (kind, name), entries in held.items():
            need = standing.needs[kind, name]
            groups.append(
                {
                    "description": name,
                    "code": name,
                    "underlying-symbol": f"/{name}" if kind is Kind.FUTURE else name,
                    "underlying-type": "Future" if kind is Kind.FUTURE else "Equity",
                    "margin-calculation-type": "SPAN" if kind is Kind.FUTURE else "Reg T",
                    **signed("margin-requirement", -need),
                    **signed("initial-requirement", -need),
                    **signed("maintenance-requirement", -need),
                    **signed("buying-power", -need),
                    "groups": [
                        {
                            "description": "POSITIONS",
                            "includes-working-order": False,
                            **signed("buying-power", -need),
                            **signed("margin-requirement", -need),
                            "position-entries": [
                                {
                                    "instrument-symbol": instrument.symbol,
                                    "instrument-type": instrument.type,
                                    "quantity": text(quantity),
                                    "average-open-price": "NaN",
                                    "close-price": text(account.positions[instrument.symbol].close),
                                    "fixing-price": "NaN",
                                }
                                for instrument, quantity in entries
                            ],
                        }
                    ],
                }
            )
        need, nlv = standing.requirement, standing.nlv
        return {
            "account-number": account.number,
            "description": "Total",
            "margin-calculation-type": "Reg T",
            "option-level": "No Restrictions",
            **signed("margin-requirement", -need),
            **signed("initial-requirement", -need),
            **signed("maintenance-requirement", -need),
            **signed("margin-equity", nlv),
            **signed("option-buying-power", standing.power),
            **signed("reg-t-margin-requirement", -need),
            **signed("reg-t-option-buying-power", standing.power),
            **signed("maintenance-excess", nlv - need),
            "groups": groups,
            "last-state-timestamp": now // MS,
        }


def _cents(value: Decimal) -> Decimal:
    return money(float(value))


def trading_status(account: Account, index: int, now: int) -> Json:
    """``index``: which account of the exchange it is, from 1."""
    off = (
        "has-intraday-equities-margin", "is-aggregated-at-clearing", "is-closed", "is-cryptocurrency-closing-only",
        "is-cryptocurrency-enabled", "is-frozen", "is-full-equity-margin-required", "is-futures-closing-only",
        "is-futures-intra-day-enabled", "is-in-day-trade-equity-maintenance-call", "is-in-margin-call",
        "is-pattern-day-trader", "is-portfolio-margin-enabled", "is-risk-reducing-only",
        "is-small-notional-futures-intra-day-enabled", "are-far-otm-net-options-restricted",
        "is-equity-offering-enabled", "is-equity-offering-closing-only",
    )  # fmt: skip
    return {
        "account-number": account.number,
        "id": index,
        "day-trade-count": 0,
        "equities-margin-calculation-type": "Reg T",
        "fee-schedule-name": "default",
        "futures-margin-rate-multiplier": "1.0",
        "small-notional-futures-margin-rate-multiplier": "1.0",
        "options-level": "No Restrictions",
        "short-calls-enabled": True,
        "is-futures-enabled": True,
        "is-closing-only": account.opening.closing_only,
        "is-roll-the-day-forward-enabled": True,
        **dict.fromkeys(off, False),
        "updated-at": iso(account.opened),
    }


def position_limit(account: Account, index: int) -> Json:
    return {
        "id": index,
        "account-number": account.number,
        "equity-order-size": 50_000,
        "equity-option-order-size": 1_000,
        "future-order-size": 100,
        "future-option-order-size": 500,
        "underlying-opening-order-limit": 500,
        "equity-position-size": 500_000,
        "equity-option-position-size": 20_000,
        "future-position-size": 1_000,
        "future-option-position-size": 5_000,
    }


def effective_margin(symbol: str) -> Json:
    """Rates of one underlying, as the broker publishes them for an ordinary share."""
    return {
        "underlying-symbol": symbol,
        "long-equity-initial": "0.5",
        "long-equity-maintenance": "0.25",
        "short-equity-initial": "0.5",
        "short-equity-maintenance": "0.3",
        "naked-option-standard": "0.2",
        "naked-option-minimum": "0.1",
        "naked-option-floor": "2.5",
        "is-deleted": False,
    }


def history(samples: Sequence[tuple[int, Decimal]], since: int, bucket: int) -> list[Json]:
    """Open, high, low, close of net liquidation value from ``since`` on, one item a ``bucket`` of ns."""
    found: dict[int, list[Decimal]] = {}
    for at, value in samples:
        if at >= since:
            found.setdefault(at // bucket * bucket, []).append(value)
    out = []
    for at, values in found.items():
        bar = {"open": values[0], "high": max(values), "low": min(values), "close": values[-1]}
        item: Json = {key: text(value) for key, value in bar.items()}
        item |= {f"pending-cash-{key}": "0.0" for key in bar}
        item |= {f"total-{key}": text(value) for key, value in bar.items()}
        # As captured: a space between, and the zone without minutes.
        item["time"] = iso(at)[:19].replace("T", " ") + "+00"
        out.append(item)
    return out


def look_back(word: str, now: int) -> tuple[int, int] | None:
    """(the first instant, the bucket) of ``time-back``; None for a word that does not exist."""
    days = _BACK.get(word)
    if days is None:
        return None
    return now - days * 1440 * _MINUTE, (5 if days == 1 else 30 if days <= 7 else 1440) * _MINUTE


def new_minute(samples: Sequence[tuple[int, Decimal]], now: int) -> bool:
    return not samples or samples[-1][0] // _MINUTE != now // _MINUTE


def day_changed(before: int, now: int) -> bool:
    """Whether New York's date is another."""
    return ny(before).date() != ny(now).date()
