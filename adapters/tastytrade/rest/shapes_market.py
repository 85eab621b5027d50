"""Quotes by request, metrics and sessions. Streams have shapes of their own."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import ClassVar

import msgspec

from adapters.tastytrade.rest.shapes import Instant, Needed, Numbers, Shape, instant

Number = Decimal | None
Flag = bool | None


class MarketData(Numbers, frozen=True, kw_only=True):
    """A snapshot of one symbol; an index has neither bid nor ask. Keys come dasherized or camelCase.

    ``halt_start_time`` and ``halt_end_time`` are None where the wire says -1: no halt.
    """

    varying: ClassVar[bool] = True
    symbol: Needed[str] = ""
    instrument_type: str = ""
    updated_at: Instant = None
    bid: Number = None
    bid_size: Number = None
    ask: Number = None
    ask_size: Number = None
    mid: Number = None
    mark: Number = None
    last: Number = None
    last_mkt: Number = None
    last_ext: Number = None
    open: Number = None
    day_high_price: Number = None
    day_low_price: Number = None
    close: Number = None
    close_price_type: str = ""
    prev_close: Number = None
    prev_close_price_type: str = ""
    prev_close_date: date | None = None
    summary_date: date | None = None
    is_trading_halted: Flag = None
    halt_start_time: int | None = None
    halt_end_time: int | None = None
    high_limit_price: Number = None
    low_limit_price: Number = None
    volume: Number = None
    volume_ext: Number = None
    year_high_price: Number = None
    year_low_price: Number = None
    beta: Number = None
    dividend_amount: Number = None
    dividend_frequency: Number = None
    volatility: Number = None
    delta: Number = None
    gamma: Number = None
    theta: Number = None
    rho: Number = None
    vega: Number = None
    theo_price: Number = None
    dx_mark: Number = None
    tick_size: Number = None
    open_interest: Number = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("halt_start_time", "halt_end_time"):
            if getattr(self, name) == -1:
                msgspec.structs.force_setattr(self, name, None)

    @property
    def updated_ns(self) -> int | None:
        return instant(self.updated_at, "a quote's updated-at")


class Earnings(Numbers, frozen=True, kw_only=True):
    visible: Flag = None
    expected_report_date: date | None = None
    estimated: Flag = None
    late_flag: int | None = None
    quarter_end_date: date | None = None
    actual_eps: Number = None
    consensus_estimate: Number = None
    updated_at: Instant = None


class ExpirationVolatility(Numbers, frozen=True, kw_only=True):
    expiration_date: date | None = None
    option_chain_type: str = ""
    settlement_type: str = ""
    implied_volatility: Number = None


class MarketMetric(Numbers, frozen=True, kw_only=True):
    """Volatilities are shares (0.25 for 25 %), ranks and percentiles too; those of 30, 60 and 90 days and their
    difference are per cent (25.0)."""

    symbol: Needed[str] = ""
    implied_volatility_index: Number = None
    implied_volatility_index_5_day_change: Number = None
    implied_volatility_index_rank: Number = None
    tos_implied_volatility_index_rank: Number = None
    tw_implied_volatility_index_rank: Number = None
    implied_volatility_percentile: Number = None
    implied_volatility_30_day: Number = None
    historical_volatility_30_day: Number = None
    historical_volatility_60_day: Number = None
    historical_volatility_90_day: Number = None
    iv_hv_30_day_difference: Number = None
    liquidity_value: Number = None
    liquidity_rank: Number = None
    liquidity_rating: int | None = None
    beta: Number = None
    corr_spy_3month: Number = None
    dividend_rate_per_share: Number = None
    dividend_ex_date: date | None = None
    earnings: Earnings | None = None
    listed_market: str = ""
    lendability: str = ""
    borrow_rate: Number = None
    market_cap: Number = None
    option_expiration_implied_volatilities: tuple[ExpirationVolatility, ...] = ()
    updated_at: Instant = None


class SessionDay(Shape, frozen=True, kw_only=True):
    """One session; instants in UTC. ``close_at`` may be missing."""

    instrument_collection: str = ""
    state: Needed[str] = ""
    session_date: date | None = None
    start_at: Instant = None
    open_at: Instant = None
    close_at: Instant = None
    close_at_ext: Instant = None
    next_session: SessionDay | None = None
    previous_session: SessionDay | None = None

    @property
    def start_ns(self) -> int | None:
        return instant(self.start_at, "a session's start-at")

    @property
    def open_ns(self) -> int | None:
        return instant(self.open_at, "a session's open-at")

    @property
    def close_ns(self) -> int | None:
        return instant(self.close_at, "a session's close-at")


class Holidays(Shape, frozen=True, kw_only=True):
    market_half_days: Needed[tuple[date, ...]] = ()
    market_holidays: Needed[tuple[date, ...]] = ()
