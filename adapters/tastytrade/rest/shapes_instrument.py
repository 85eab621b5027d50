"""Instruments and chains: stocks, options, futures, options on futures, their products and how they hang together.

The strikes of a chain are records without ``raw``: there can be a hundred thousand of them.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import msgspec

from adapters.tastytrade.rest.shapes import Instant, Needed, Shape, Word, instant

Number = Decimal | None
Flag = bool | None


class TickSize(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """``value`` holds for prices strictly below ``threshold``; the one without a threshold for all others. ``symbol``
    in the spread ticks of a future."""

    value: Needed[Number] = None
    threshold: Needed[Number] = None
    symbol: str = ""


def tick_at(ticks: tuple[TickSize, ...], price: Decimal) -> Decimal | None:
    """The increment at ``price`` (points, either sign); None where the list has none."""
    below = [tick for tick in ticks if tick.threshold is not None and abs(price) < tick.threshold]
    if below:
        return min(below, key=lambda tick: tick.threshold or Decimal(0)).value
    return next((tick.value for tick in ticks if tick.threshold is None), None)


class Equity(Shape, frozen=True, kw_only=True):
    """A stock, a fund or an index."""

    id: Needed[Word] = None
    symbol: Needed[str] = ""
    instrument_type: str = ""
    description: str = ""
    listed_market: str = ""
    streamer_symbol: str = ""
    is_index: Flag = None
    is_etf: Flag = None
    is_illiquid: Flag = None
    is_closing_only: Flag = None
    is_options_closing_only: Flag = None
    active: Flag = None
    lendability: str = ""
    borrow_rate: Number = None
    is_fractional_quantity_eligible: Flag = None
    overnight_trading_permitted: Flag = None
    market_time_instrument_collection: str = ""
    tick_sizes: tuple[TickSize, ...] = ()
    option_tick_sizes: tuple[TickSize, ...] = ()


class EquityOption(Shape, frozen=True, kw_only=True):
    symbol: Needed[str] = ""
    streamer_symbol: str = ""
    instrument_type: str = ""
    strike_price: Number = None
    expiration_date: date | None = None
    option_type: str = ""
    root_symbol: str = ""
    underlying_symbol: str = ""
    exercise_style: str = ""
    shares_per_contract: int | None = None
    option_chain_type: str = ""
    expiration_type: str = ""
    settlement_type: str = ""
    stops_trading_at: Instant = None
    expires_at: Instant = None
    days_to_expiration: int | None = None
    is_closing_only: Flag = None
    active: Flag = None
    market_time_instrument_collection: str = ""

    @property
    def expires_ns(self) -> int | None:
        return instant(self.expires_at, "an option's expires-at")


class Roll(Shape, frozen=True, kw_only=True):
    name: str = ""
    active_count: int | None = None
    business_days_offset: int | None = None
    cash_settled: Flag = None
    first_notice: Flag = None


class Cutoff(Shape, frozen=True, kw_only=True):
    """When trading ends on the last day: seconds after midnight in ``timezone`` (``Market Zone``, ``London Zone``)."""

    offset_seconds: int | None = None
    timezone: str = ""
    timing: str = ""


class FutureOptionProduct(Shape, frozen=True, kw_only=True):
    """``is_rollover``: an expiration may deliver the next future."""

    root_symbol: Needed[str] = ""
    code: str = ""
    legacy_code: str = ""
    product_type: str = ""
    product_subtype: str = ""
    expiration_type: str = ""
    exchange: str = ""
    cash_settled: Flag = None
    settlement_delay_days: int | None = None
    clearing_code: str = ""
    is_rollover: Flag = None
    is_am_settled: Flag = None
    market_sector: str = ""
    display_factor: Number = None
    strike_factor: Number = None
    futures_trading_cutoff_times: tuple[Cutoff, ...] = ()


class FutureProduct(Shape, frozen=True, kw_only=True):
    code: Needed[str] = ""
    root_symbol: str = ""
    description: str = ""
    exchange: str = ""
    product_type: str = ""
    market_sector: str = ""
    listed_months: tuple[str, ...] = ()
    active_months: tuple[str, ...] = ()
    notional_multiplier: Number = None
    tick_size: Number = None
    display_factor: Number = None
    streamer_exchange_code: str = ""
    small_notional: Flag = None
    back_month_first_calendar_symbol: Flag = None
    cash_settled: Flag = None
    roll: Roll | None = None
    futures_trading_cutoff_times: tuple[Cutoff, ...] = ()
    option_products: tuple[FutureOptionProduct, ...] = ()


class Future(Shape, frozen=True, kw_only=True):
    """``notional_multiplier`` is the dollars of one point. More than one contract may call itself active."""

    symbol: Needed[str] = ""
    product_code: str = ""
    exchange_symbol: str = ""
    contract_size: Number = None
    tick_size: Number = None
    notional_multiplier: Number = None
    display_factor: Number = None
    main_fraction: Number = None
    sub_fraction: Number = None
    first_notice_date: date | None = None
    last_trade_date: date | None = None
    expiration_date: date | None = None
    closing_only_date: date | None = None
    expires_at: Instant = None
    stops_trading_at: Instant = None
    active: Flag = None
    active_month: Flag = None
    next_active_month: Flag = None
    is_closing_only: Flag = None
    is_tradeable: Flag = None
    product_group: str = ""
    exchange: str = ""
    streamer_exchange_code: str = ""
    streamer_symbol: str = ""
    roll_target_symbol: str = ""
    back_month_first_calendar_symbol: Flag = None
    security_id: Word = None
    tick_sizes: tuple[TickSize, ...] = ()
    option_tick_sizes: tuple[TickSize, ...] = ()
    spread_tick_sizes: tuple[TickSize, ...] = ()
    future_product: FutureProduct | None = None


class FutureOption(Shape, frozen=True, kw_only=True):
    """``multiplier`` is not the dollars of a point: ``dollars`` is."""

    symbol: Needed[str] = ""
    streamer_symbol: str = ""
    underlying_symbol: str = ""
    product_code: str = ""
    root_symbol: str = ""
    option_root_symbol: str = ""
    exchange: str = ""
    exchange_symbol: str = ""
    strike_price: Number = None
    option_type: str = ""
    exercise_style: str = ""
    expiration_date: date | None = None
    maturity_date: date | None = None
    last_trade_time: Word = None
    days_to_expiration: int | None = None
    settlement_type: str = ""
    is_vanilla: Flag = None
    is_primary_deliverable: Flag = None
    is_closing_only: Flag = None
    active: Flag = None
    notional_value: Number = None
    display_factor: Number = None
    strike_factor: Number = None
    multiplier: Number = None
    underlying_count: Number = None
    future_price_ratio: Number = None
    security_id: Word = None
    stops_trading_at: Instant = None
    expires_at: Instant = None
    future_option_product: FutureOptionProduct | None = None

    @property
    def dollars(self) -> Decimal | None:
        return dollars_of(self.notional_value, self.display_factor)


def dollars_of(notional_value: Decimal | None, display_factor: Decimal | None) -> Decimal | None:
    """Dollars of one point of a future option; None where the wire did not say enough."""
    if notional_value is None or not display_factor:
        return None
    return notional_value / display_factor


class Strike(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", gc=False):
    """Streamer symbols are empty where the sandbox does not know them."""

    strike_price: Number = None
    call: str = ""
    put: str = ""
    call_streamer_symbol: str = ""
    put_streamer_symbol: str = ""


class Deliverable(Shape, frozen=True, kw_only=True):
    id: Word = None
    root_symbol: str = ""
    deliverable_type: str = ""
    description: str = ""
    amount: Number = None
    symbol: Needed[str] = ""
    instrument_type: str = ""
    percent: Number = None


class Expiration(Shape, frozen=True, kw_only=True):
    expiration_type: str = ""
    expiration_date: date | None = None
    days_to_expiration: int | None = None
    settlement_type: str = ""
    strikes: Needed[tuple[Strike, ...]] = ()


class NestedChain(Shape, frozen=True, kw_only=True):
    """One root of an underlying: SPX and SPXW are two, and so is every adjusted root."""

    underlying_symbol: str = ""
    root_symbol: Needed[str] = ""
    option_chain_type: str = ""
    shares_per_contract: int | None = None
    tick_sizes: tuple[TickSize, ...] = ()
    deliverables: tuple[Deliverable, ...] = ()
    expirations: Needed[tuple[Expiration, ...]] = ()


class CompactChain(Shape, frozen=True, kw_only=True):
    """``symbols`` and ``streamer_symbols`` need not be of one length: they are two lists, not pairs."""

    underlying_symbol: str = ""
    root_symbol: Needed[str] = ""
    option_chain_type: str = ""
    settlement_type: str = ""
    shares_per_contract: int | None = None
    expiration_type: str = ""
    symbols: Needed[tuple[str, ...]] = ()
    streamer_symbols: tuple[str, ...] = ()
    deliverables: tuple[Deliverable, ...] = ()


class ChainFuture(Shape, frozen=True, kw_only=True):
    symbol: Needed[str] = ""
    root_symbol: str = ""
    streamer_symbol: str = ""
    expiration_date: date | None = None
    days_to_expiration: int | None = None
    active_month: Flag = None
    next_active_month: Flag = None
    stops_trading_at: Instant = None
    expires_at: Instant = None


class FutureExpiration(Shape, frozen=True, kw_only=True):
    """``underlying_symbol`` is the future that the options deliver; expirations and strikes come unsorted."""

    underlying_symbol: Needed[str] = ""
    root_symbol: str = ""
    option_root_symbol: str = ""
    option_contract_symbol: str = ""
    asset: str = ""
    expiration_date: date | None = None
    days_to_expiration: int | None = None
    expiration_type: str = ""
    settlement_type: str = ""
    notional_value: Number = None
    display_factor: Number = None
    strike_factor: Number = None
    stops_trading_at: Instant = None
    expires_at: Instant = None
    tick_sizes: tuple[TickSize, ...] = ()
    strikes: Needed[tuple[Strike, ...]] = ()

    @property
    def dollars(self) -> Decimal | None:
        return dollars_of(self.notional_value, self.display_factor)

    @property
    def expires_ns(self) -> int | None:
        return instant(self.expires_at, "an expiration's expires-at")


class FutureChain(Shape, frozen=True, kw_only=True):
    underlying_symbol: str = ""
    root_symbol: str = ""
    exercise_style: str = ""
    expirations: Needed[tuple[FutureExpiration, ...]] = ()


class FutureChains(Shape, frozen=True, kw_only=True):
    futures: Needed[tuple[ChainFuture, ...]] = ()
    option_chains: Needed[tuple[FutureChain, ...]] = ()


class SymbolFound(Shape, frozen=True, kw_only=True):
    symbol: Needed[str] = ""
    description: str = ""
    listed_market: str = ""
    price_increments: str = ""
    trading_hours: str = ""
    options: Flag = None
    instrument_type: str = ""
