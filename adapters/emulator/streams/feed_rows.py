"""One function an event: numbers of a market in, the wire's fields out. Nothing here looks anything up.

Prices in points; ``time`` in UTC milliseconds; ``dayId`` days since 1970; vega and rho per 0.01, theta a calendar day.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan, nan
from typing import Final, NamedTuple

from adapters.emulator.streams.feed_fields import NAN, Row, Value, index_of, number
from adapters.emulator.streams.feed_sheet import Greek, Prices, Side
from sim.calendar import Session, Venue
from sim.model.market import DailyBar

_EPOCH: Final = 719_163
"""The ordinal of 1 January 1970."""
_DECIMALS: Final = 9
"""Prices are rounded to so many places: a tick of 1/64 has six."""


class Instant(NamedTuple):
    """A symbol at column ``k`` of a session; ``ts`` is its instant, UTC nanoseconds."""

    symbol: str
    hours: Session
    k: int
    ts: int

    @property
    def ms(self) -> int:
        return self.ts // 1_000_000

    @property
    def day_id(self) -> int:
        return self.hours.date.toordinal() - _EPOCH

    @property
    def extended(self) -> bool:
        """Outside the regular hours. A price known at the close is still of them."""
        return not self.hours.rth_open_ns <= self.ts <= self.hours.rth_close_ns


def exchange(at: Instant, *, option: bool = False) -> str:
    """One letter: Q for shares, C for indices and all options off Globex, G for Globex."""
    match at.hours.venue:
        case Venue.US_EQUITY:
            return "C" if option else "Q"
        case Venue.CBOE_INDEX | Venue.MODEL_INDEX:
            return "C"
    return "G"


def quote(at: Instant, prices: Prices) -> Row:
    """The underlying's quote; NaN on both sides where nobody quotes it (an index)."""
    bid, ask = (Side(round(float(side[at.k]), _DECIMALS), at.ms) for side in (prices.bid, prices.ask))
    return option_quote(at, bid, ask, exchange(at))


def option_quote(at: Instant, bid: Side, ask: Side, code: str) -> Row:
    bids, asks = bid.price == bid.price, ask.price == ask.price
    return {
        "eventType": "Quote",
        "eventSymbol": at.symbol,
        "eventTime": 0,
        "sequence": 0,
        "timeNanoPart": 0,
        "bidTime": bid.time_ms if bids else 0,
        "bidExchangeCode": code,
        "bidPrice": bid.price if bids else NAN,
        "bidSize": NAN,
        "askTime": ask.time_ms if asks else 0,
        "askExchangeCode": code,
        "askPrice": ask.price if asks else NAN,
        "askSize": NAN,
    }


def trade(at: Instant, prices: Prices, event_type: str) -> Row:
    """The last price as a trade. Its size is what was traded in its minute. ``TradeETH`` knows a price only outside the
    regular hours."""
    if event_type == "TradeETH" and not at.extended:
        return untraded(at, event_type)
    k = at.k
    last, volume = float(prices.last[k]), float(prices.volume[k])
    before = float(prices.last[k - 1]) if k else nan
    change = round(last - before, _DECIMALS)
    return _trade(at, event_type, round(last, _DECIMALS), change, _traded(prices, k), volume, float(prices.turnover[k]))


def untraded(at: Instant, event_type: str) -> Row:
    """A trade event of what has not traded."""
    return _trade(at, event_type, nan, nan, nan, nan, nan)


def _trade(
    at: Instant, event_type: str, last: float, change: float, size: float, volume: float, turnover: float
) -> Row:
    direction = "UNDEFINED" if isnan(change) else "UP" if change > 0 else "DOWN" if change < 0 else "ZERO"
    return {
        "eventType": event_type,
        "eventSymbol": at.symbol,
        "eventTime": 0,
        "time": 0 if isnan(last) else at.ms,
        "timeNanoPart": 0,
        "sequence": 0,
        "exchangeCode": exchange(at),
        "price": number(last),
        "change": number(change),
        "size": number(size),
        "dayId": at.day_id,
        "dayVolume": number(volume),
        "dayTurnover": number(turnover),
        "tickDirection": direction,
        "extendedTradingHours": event_type == "TradeETH" or (at.extended and not isnan(last)),
    }


def _traded(prices: Prices, k: int) -> float:
    """What was traded in the minute before column ``k``; NaN where nobody counts."""
    return float(prices.volume[k] - (prices.volume[k - 1] if k else 0.0))


def summary(at: Instant, prices: Prices | None, before: DailyBar | None) -> Row:
    """The session so far and the one before. Without ``prices`` (an option, which has no trades here) all is NaN."""
    k, over = at.k, at.ts >= at.hours.rth_close_ns
    known = prices is not None and 0 <= prices.first <= k
    day: dict[str, Value] = dict.fromkeys(("dayOpenPrice", "dayHighPrice", "dayLowPrice", "dayClosePrice"), NAN)
    if prices is not None and known:
        day["dayOpenPrice"] = number(round(float(prices.last[prices.first]), _DECIMALS))
        day["dayHighPrice"] = number(round(float(prices.high[k]), _DECIMALS))
        day["dayLowPrice"] = number(round(float(prices.low[k]), _DECIMALS))
        if over:
            day["dayClosePrice"] = number(round(float(prices.last[k]), _DECIMALS))
    return {
        "eventType": "Summary",
        "eventSymbol": at.symbol,
        "eventTime": 0,
        "dayId": at.day_id,
        **day,
        "dayClosePriceType": "REGULAR" if over and known else "INDICATIVE",
        "prevDayId": 0 if before is None else before.day - _EPOCH,
        "prevDayClosePrice": NAN if before is None else number(round(before.close, _DECIMALS)),
        "prevDayClosePriceType": "REGULAR" if before is not None else "INDICATIVE",
        "prevDayVolume": NAN if before is None else number(before.volume),
        "openInterest": 0,
    }


def profile(at: Instant, description: str, bars: Sequence[DailyBar]) -> Row:
    """What it is and whether it trades; the range of its last 252 sessions where the market knows them."""
    halted = next(((start, end) for start, end in at.hours.halts if start <= at.ts < end), None)
    status = "HALTED" if halted else "ACTIVE"
    start, end = halted or (0, 0)
    return {
        "eventType": "Profile",
        "eventSymbol": at.symbol,
        "eventTime": 0,
        "description": description,
        "shortSaleRestriction": "INACTIVE",
        "tradingStatus": status,
        "statusReason": None,
        "haltStartTime": start // 1_000_000,
        "haltEndTime": end // 1_000_000,
        "highLimitPrice": NAN,
        "lowLimitPrice": NAN,
        "high52WeekPrice": number(max((b.high for b in bars), default=nan)),
        "low52WeekPrice": number(min((b.low for b in bars), default=nan)),
        "beta": NAN,
        "earningsPerShare": NAN,
        "dividendFrequency": NAN,
        "exDividendAmount": NAN,
        "exDividendDayId": 0,
        "shares": NAN,
        "freeFloat": NAN,
    }


def _indexed(event_type: str, symbol: str, ms: int) -> dict[str, Value]:
    return {
        "eventType": event_type,
        "eventSymbol": symbol,
        "eventTime": 0,
        "eventFlags": 0,
        "index": index_of(ms),
        "time": ms,
        "sequence": 0,
    }


def greeks(at: Instant, greek: Greek) -> Row:
    return _indexed("Greeks", at.symbol, at.ms) | {
        "price": number(greek.price),
        "volatility": number(greek.volatility),
        "delta": number(greek.delta),
        "gamma": number(greek.gamma),
        "theta": number(greek.theta),
        "rho": number(greek.rho),
        "vega": number(greek.vega),
    }


def theo(at: Instant, greek: Greek, underlying: float) -> Row:
    """The option's mid as its theoretical price, on the forward: no dividend and no interest."""
    return _indexed("TheoPrice", at.symbol, at.ms) | {
        "price": number(greek.price),
        "underlyingPrice": number(round(underlying, _DECIMALS)),
        "delta": number(greek.delta),
        "gamma": number(greek.gamma),
        "dividend": 0.0,
        "interest": 0.0,
    }


def volatilities(at: Instant, month: float, front: float, back: float) -> Row:
    return _indexed("Underlying", at.symbol, at.ms) | {
        "volatility": number(month),
        "frontVolatility": number(front),
        "backVolatility": number(back),
        "callVolume": 0,
        "putVolume": 0,
        "optionVolume": 0,
        "putCallRatio": 0.0,
    }


def sale(at: Instant, prices: Prices) -> Row | None:
    """A minute's last price as one sale; None where nothing was traded in it."""
    last, size = float(prices.last[at.k]), _traded(prices, at.k)
    if isnan(last) or size == 0:
        return None
    return _indexed("TimeAndSale", at.symbol, at.ms) | {
        "timeNanoPart": 0,
        "exchangeCode": exchange(at),
        "price": number(round(last, _DECIMALS)),
        "size": number(size),
        "bidPrice": number(round(float(prices.bid[at.k]), _DECIMALS)),
        "askPrice": number(round(float(prices.ask[at.k]), _DECIMALS)),
        "exchangeSaleConditions": None,
        "tradeThroughExempt": "",
        "aggressorSide": "UNDEFINED",
        "spreadLeg": False,
        "extendedTradingHours": at.extended,
        "validTick": True,
        "type": "NEW",
        "buyer": None,
        "seller": None,
    }
