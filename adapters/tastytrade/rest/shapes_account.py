"""Customers, accounts and what stands on them: balances, positions, transactions, margin, limits."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from adapters.tastytrade.rest.shapes import Instant, Needed, Numbers, Shape, Word, instant, signed

Money = Decimal | None
Flag = bool | None


class Customer(Shape, frozen=True, kw_only=True):
    """A person: printed without anything. The whole of it is in ``raw``."""

    varying: ClassVar[bool] = True
    id: Needed[Word] = None
    is_professional: Flag = None
    has_delayed_quotes: Flag = None
    permitted_account_types: tuple[dict[str, Any], ...] = ()

    def __repr__(self) -> str:
        return "Customer(hidden)"


class Account(Shape, frozen=True, kw_only=True):
    """``day_trader_status`` comes as a boolean or as text."""

    account_number: Needed[str] = ""
    account_type_name: str = ""
    nickname: str = ""
    margin_or_cash: str = ""
    is_closed: Flag = None
    day_trader_status: bool | str | None = None
    is_futures_approved: Flag = None
    is_firm_error: Flag = None
    is_firm_proprietary: Flag = None
    is_foreign: Flag = None
    is_test_drive: Flag = None
    investment_objective: str = ""
    suitable_options_level: str = ""
    opened_at: Instant = None
    created_at: Instant = None
    closed_at: Instant = None
    authority_level: str = ""
    """Stands beside the account in the list; read from there."""


class TradingStatus(Numbers, frozen=True, kw_only=True):
    account_number: Needed[str] = ""
    id: Word = None
    day_trade_count: int | None = None
    equities_margin_calculation_type: str = ""
    fee_schedule_name: str = ""
    futures_margin_rate_multiplier: Money = None
    small_notional_futures_margin_rate_multiplier: Money = None
    options_level: str = ""
    are_far_otm_net_options_restricted: Flag = None
    is_closed: Flag = None
    is_closing_only: Flag = None
    is_frozen: Flag = None
    is_in_day_trade_equity_maintenance_call: Flag = None
    is_in_margin_call: Flag = None
    is_pattern_day_trader: Flag = None
    is_portfolio_margin_enabled: Flag = None
    is_risk_reducing_only: Flag = None
    is_futures_enabled: Flag = None
    is_futures_intra_day_enabled: Flag = None
    is_futures_closing_only: Flag = None
    is_cryptocurrency_enabled: Flag = None
    is_cryptocurrency_closing_only: Flag = None
    is_roll_the_day_forward_enabled: Flag = None
    is_equity_offering_enabled: Flag = None
    short_calls_enabled: Flag = None
    has_intraday_equities_margin: Flag = None
    updated_at: Instant = None


class Balance(Numbers, frozen=True, kw_only=True):
    """All magnitudes in ``currency``; ``pending`` and ``adjustment`` are those whose sign stands beside them."""

    account_number: Needed[str] = ""
    currency: Needed[str] = ""
    cash_balance: Money = None
    net_liquidating_value: Money = None
    equity_buying_power: Money = None
    derivative_buying_power: Money = None
    used_derivative_buying_power: Money = None
    day_trading_buying_power: Money = None
    available_trading_funds: Money = None
    cash_available_to_withdraw: Money = None
    long_equity_value: Money = None
    short_equity_value: Money = None
    long_derivative_value: Money = None
    short_derivative_value: Money = None
    long_futures_value: Money = None
    short_futures_value: Money = None
    long_futures_derivative_value: Money = None
    short_futures_derivative_value: Money = None
    long_index_derivative_value: Money = None
    short_index_derivative_value: Money = None
    long_margineable_value: Money = None
    short_margineable_value: Money = None
    margin_equity: Money = None
    maintenance_requirement: Money = None
    maintenance_excess: Money = None
    maintenance_call_value: Money = None
    reg_t_call_value: Money = None
    reg_t_margin_requirement: Money = None
    day_trading_call_value: Money = None
    day_equity_call_value: Money = None
    day_trade_excess: Money = None
    futures_margin_requirement: Money = None
    futures_overnight_margin_requirement: Money = None
    futures_intraday_margin_requirement: Money = None
    pending_margin_interest: Money = None
    pending_cash: Money = None
    pending_cash_effect: str | None = None
    buying_power_adjustment: Money = None
    buying_power_adjustment_effect: str | None = None
    snapshot_date: str = ""
    time_of_day: str = ""
    updated_at: Instant = None

    @property
    def pending(self) -> Decimal | None:
        return signed(self.pending_cash, self.pending_cash_effect)

    @property
    def adjustment(self) -> Decimal | None:
        return signed(self.buying_power_adjustment, self.buying_power_adjustment_effect)

    @property
    def updated_ns(self) -> int | None:
        return instant(self.updated_at, "a balance's updated-at")


class Holding(Numbers, frozen=True, kw_only=True):
    """A position (the wire's CurrentPosition). ``quantity`` is a magnitude; ``signed_quantity`` is negative for short.

    ``cost_effect`` is not to be relied on: a long equity has been seen with a credit.
    """

    account_number: Needed[str] = ""
    instrument_type: Needed[str] = ""
    symbol: Needed[str] = ""
    underlying_symbol: str = ""
    streamer_symbol: str = ""
    quantity: Needed[Money] = None
    quantity_direction: Needed[str] = ""
    average_open_price: Money = None
    average_yearly_market_close_price: Money = None
    average_daily_market_close_price: Money = None
    close_price: Money = None
    fixing_price: Money = None
    mark: Money = None
    mark_price: Money = None
    multiplier: Money = None
    cost_effect: str | None = None
    deliverable_type: str = ""
    is_frozen: Flag = None
    is_suppressed: Flag = None
    restricted_quantity: Money = None
    expires_at: Instant = None
    realized_day_gain: Money = None
    realized_day_gain_effect: str | None = None
    realized_day_gain_date: str = ""
    realized_today: Money = None
    realized_today_effect: str | None = None
    realized_today_date: str = ""
    order_id: Word = None
    created_at: Instant = None
    updated_at: Instant = None

    @property
    def signed_quantity(self) -> Decimal:
        """0 where the position is closed or its quantity was not sent."""
        if self.quantity is None or self.quantity_direction == "Zero":
            return Decimal(0)
        return -self.quantity if self.quantity_direction == "Short" else self.quantity

    @property
    def updated_ns(self) -> int | None:
        return instant(self.updated_at, "a position's updated-at")


class PositionLimit(Shape, frozen=True, kw_only=True):
    account_number: Needed[str] = ""
    equity_order_size: int | None = None
    equity_option_order_size: int | None = None
    future_order_size: int | None = None
    future_option_order_size: int | None = None
    underlying_opening_order_limit: int | None = None
    equity_position_size: int | None = None
    equity_option_position_size: int | None = None
    future_position_size: int | None = None
    future_option_position_size: int | None = None


class Transaction(Numbers, frozen=True, kw_only=True):
    """Magnitudes; ``net`` is the signed cash of it, credit positive."""

    id: Needed[Word] = None
    account_number: Needed[str] = ""
    transaction_type: Needed[str] = ""
    transaction_sub_type: str = ""
    description: str = ""
    action: str = ""
    symbol: str = ""
    instrument_type: str = ""
    underlying_symbol: str = ""
    quantity: Money = None
    price: Money = None
    value: Money = None
    value_effect: str | None = None
    net_value: Money = None
    net_value_effect: str | None = None
    commission: Money = None
    commission_effect: str | None = None
    clearing_fees: Money = None
    clearing_fees_effect: str | None = None
    regulatory_fees: Money = None
    regulatory_fees_effect: str | None = None
    proprietary_index_option_fees: Money = None
    proprietary_index_option_fees_effect: str | None = None
    is_estimated_fee: Flag = None
    currency: str = ""
    order_id: Word = None
    exec_id: Word = None
    ext_exec_id: Word = None
    ext_group_fill_id: Word = None
    leg_count: int | None = None
    destination_venue: str = ""
    exchange: str = ""
    reverses_id: Word = None
    executed_at: Instant = None
    transaction_date: str = ""
    created_at: Instant = None

    @property
    def net(self) -> Decimal | None:
        return signed(self.net_value, self.net_value_effect)

    @property
    def executed_ns(self) -> int | None:
        return instant(self.executed_at, "a transaction's executed-at")


class TotalFees(Numbers, frozen=True, kw_only=True):
    total_fees: Money = None
    total_fees_effect: str | None = None

    @property
    def fees(self) -> Decimal | None:
        return signed(self.total_fees, self.total_fees_effect)


class NetLiq(Numbers, frozen=True, kw_only=True):
    """One bar of the account's net liquidating value; ``time`` has been seen as ``2023-06-08 13:30:00+00``."""

    varying: ClassVar[bool] = True
    open: Money = None
    high: Money = None
    low: Money = None
    close: Money = None
    total_open: Money = None
    total_high: Money = None
    total_low: Money = None
    total_close: Money = None
    time: Instant = None

    @property
    def time_ns(self) -> int | None:
        return instant(self.time, "a net-liq bar's time")


class MarginEntry(Numbers, frozen=True, kw_only=True):
    """One position inside a margin group; its quantity is signed already."""

    instrument_symbol: Needed[str] = ""
    instrument_type: str = ""
    quantity: Money = None
    average_open_price: Money = None
    close_price: Money = None
    fixing_price: Money = None
    strike_price: Money = None
    option_type: str = ""
    deliverable_quantity: Money = None
    expiration_date: str = ""


class MarginGroup(Numbers, frozen=True, kw_only=True):
    """An underlying, or a strategy inside one."""

    description: str = ""
    code: str = ""
    underlying_symbol: str = ""
    underlying_type: str = ""
    includes_working_order: Flag = None
    margin_requirement: Money = None
    margin_requirement_effect: str | None = None
    initial_requirement: Money = None
    initial_requirement_effect: str | None = None
    maintenance_requirement: Money = None
    maintenance_requirement_effect: str | None = None
    buying_power: Money = None
    buying_power_effect: str | None = None
    expected_price_range_up_percent: Money = None
    expected_price_range_down_percent: Money = None
    point_of_no_return_percent: Money = None
    price_increase_percent: Money = None
    price_decrease_percent: Money = None
    groups: tuple[MarginGroup, ...] = ()
    position_entries: tuple[MarginEntry, ...] = ()


class MarginReport(Numbers, frozen=True, kw_only=True):
    account_number: Needed[str] = ""
    description: str = ""
    margin_calculation_type: str = ""
    option_level: str = ""
    margin_requirement: Money = None
    margin_requirement_effect: str | None = None
    initial_requirement: Money = None
    initial_requirement_effect: str | None = None
    maintenance_requirement: Money = None
    maintenance_requirement_effect: str | None = None
    margin_equity: Money = None
    margin_equity_effect: str | None = None
    option_buying_power: Money = None
    option_buying_power_effect: str | None = None
    reg_t_margin_requirement: Money = None
    reg_t_margin_requirement_effect: str | None = None
    maintenance_excess: Money = None
    maintenance_excess_effect: str | None = None
    groups: tuple[MarginGroup, ...] = ()
    last_state_timestamp: Instant = None


class EffectiveMargin(Numbers, frozen=True, kw_only=True):
    """Rates of one underlying: shares of its value."""

    underlying_symbol: str = ""
    long_equity_initial: Money = None
    short_equity_initial: Money = None
    long_equity_maintenance: Money = None
    short_equity_maintenance: Money = None
    naked_option_standard: Money = None
    naked_option_minimum: Money = None
    naked_option_floor: Money = None
    clearing_identifier: Word = None
    is_deleted: Flag = None


class PublicMargin(Numbers, frozen=True, kw_only=True):
    risk_free_rate: Money = None


class QuoteToken(Shape, frozen=True, kw_only=True):
    """A day's admission to market data. Never printed."""

    token: Needed[str] = ""
    dxlink_url: Needed[str] = ""
    level: Needed[str] = ""
    websocket_url: str = ""
    issued_at: Instant = None
    expires_at: Instant = None

    @property
    def delayed(self) -> bool:
        """The broker gives demo or delayed quotes to the sandbox and to accounts without money."""
        return self.level == "demo" or "/delayed" in self.dxlink_url

    def __repr__(self) -> str:
        return f"QuoteToken(hidden, level={self.level!r})"


class Watchlist(Shape, frozen=True, kw_only=True):
    varying: ClassVar[bool] = True
    name: Needed[str] = ""
    id: Word = None
    group_name: str = ""
    order_index: int | None = None
    watchlist_entry_count: int | None = None
    watchlist_entries: tuple[WatchlistEntry, ...] = ()


class WatchlistEntry(Shape, frozen=True, kw_only=True):
    symbol: Needed[str] = ""
    instrument_type: str = ""


class QuoteAlert(Numbers, frozen=True, kw_only=True):
    """``threshold`` as text, exactly as it was set."""

    alert_external_id: Needed[Word] = None
    symbol: Needed[str] = ""
    instrument_type: str = ""
    dx_symbol: str = ""
    field: str = ""
    operator: str = ""
    threshold: str = ""
    threshold_numeric: Money = None
    created_at: Instant = None
    triggered_at: Instant = None
    completed_at: Instant = None
    expires_at: Instant = None
