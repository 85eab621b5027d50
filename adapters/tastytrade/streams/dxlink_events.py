"""What DXLink tells: the fields of every event type in the order they are asked for, rows as they come, and events.

A frame is kept as ``Rows``: flat values, one width, the fields' names. That is what the fast path works on. A caller
who wants one event has it made: ``Quote``, ``Trade``, ``Summary``, ``Greeks`` and ``Candle`` are typed, any other is an
``Other`` with its values by name. Fields that no one here knows are in ``more``, as they came.

Absent is not zero: "NaN", "Infinity", null, a missing field and nonsense are ``None`` where a price, a size or a
Greek stands. Prices and sizes are Decimal, made of the shortest text of the number; Greeks are float. Instants
are UTC nanoseconds; 0 says that the feed does not tell, which is common for times of quotes.

Refuses to do: say what is fresh, keep anything, or guess a value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

SYMBOL: Final = "eventSymbol"
_EVENT: Final = (SYMBOL, "eventTime")
_INDEXED: Final = (*_EVENT, "eventFlags", "index", "time", "sequence")
_SALE: Final = (*_EVENT, "eventFlags", "index", "time", "timeNanoPart", "sequence", "exchangeCode", "price", "size",
    "bidPrice", "askPrice", "exchangeSaleConditions", "tradeThroughExempt", "aggressorSide", "spreadLeg",
    "extendedTradingHours", "validTick", "type")  # fmt: skip
_TRADE: Final = (*_EVENT, "time", "timeNanoPart", "sequence", "exchangeCode", "price", "change", "size", "dayId",
    "dayVolume", "dayTurnover", "tickDirection", "extendedTradingHours")  # fmt: skip
_ORDER: Final = (*_EVENT, "eventFlags", "index", "time", "timeNanoPart", "sequence", "source", "action", "actionTime",
    "orderId", "auxOrderId", "price", "size", "executedSize", "count", "exchangeCode", "orderSide", "scope", "tradeId",
    "tradePrice", "tradeSize")  # fmt: skip

FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "Quote": (*_EVENT, "sequence", "timeNanoPart", "bidTime", "bidExchangeCode", "bidPrice", "bidSize", "askTime",
        "askExchangeCode", "askPrice", "askSize"),
    "Trade": _TRADE,
    "TradeETH": _TRADE,
    "Summary": (*_EVENT, "dayId", "dayOpenPrice", "dayHighPrice", "dayLowPrice", "dayClosePrice", "dayClosePriceType",
        "prevDayId", "prevDayClosePrice", "prevDayClosePriceType", "prevDayVolume", "openInterest"),
    "Profile": (*_EVENT, "description", "shortSaleRestriction", "tradingStatus", "statusReason", "haltStartTime",
        "haltEndTime", "highLimitPrice", "lowLimitPrice", "high52WeekPrice", "low52WeekPrice", "beta",
        "earningsPerShare", "dividendFrequency", "exDividendAmount", "exDividendDayId", "shares", "freeFloat"),
    "Greeks": (*_INDEXED, "price", "volatility", "delta", "gamma", "theta", "rho", "vega"),
    "Candle": (*_INDEXED, "count", "open", "high", "low", "close", "volume", "vwap", "bidVolume", "askVolume",
        "impVolatility", "openInterest"),
    "TheoPrice": (*_INDEXED, "price", "underlyingPrice", "delta", "gamma", "dividend", "interest"),
    "TimeAndSale": (*_SALE, "buyer", "seller"),
    "Underlying": (*_INDEXED, "volatility", "frontVolatility", "backVolatility", "callVolume", "putVolume",
        "putCallRatio", "optionVolume"),
    "Series": (*_INDEXED, "expiration", "volatility", "callVolume", "putVolume", "putCallRatio", "forwardPrice",
        "dividend", "interest"),
    "OptionSale": (*_SALE, "underlyingPrice", "volatility", "delta", "optionSymbol"),
    "Order": (*_ORDER, "marketMaker"),
    "SpreadOrder": (*_ORDER, "spreadSymbol"),
    "AnalyticOrder": (*_ORDER, "marketMaker", "icebergPeakSize", "icebergHiddenSize", "icebergExecutedSize",
        "icebergType"),
    "Configuration": (*_EVENT, "version", "attachment"),
    "Message": (*_EVENT, "attachment"),
}  # fmt: skip
"""Asked for in this order. The answer may come in another, which ``FEED_CONFIG`` then tells."""

LASTING: Final = frozenset(
    {"Quote", "Trade", "TradeETH", "Summary", "Profile", "Greeks", "TheoPrice", "Underlying", "Configuration"}
)
"""Types of which the last event of a symbol says everything. Of any other type each event counts."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Events of one type as they came: ``values`` holds them one after the other, ``len(fields)`` values each.

    One of the fields is ``eventSymbol`` and every row has text there, not empty.
    """

    type: str
    fields: tuple[str, ...]
    values: Sequence[object]

    def __len__(self) -> int:
        return len(self.values) // len(self.fields)

    def column(self, field: str) -> Sequence[object] | None:
        """The values of one field, a row each; None where the field is not told."""
        return self.values[self.fields.index(field) :: len(self.fields)] if field in self.fields else None

    def events(self) -> Iterator[Event]:
        width = len(self.fields)
        for start in range(0, len(self.values), width):
            yield event(self.type, dict(zip(self.fields, self.values[start : start + width], strict=True)))


@dataclass(frozen=True, slots=True)
class Quote:
    """The best bid and ask. ``sequence`` is the feed's own and often 0."""

    symbol: str
    bid: Decimal | None
    ask: Decimal | None
    bid_size: Decimal | None
    ask_size: Decimal | None
    bid_time: int = 0
    ask_time: int = 0
    event_time: int = 0
    sequence: int = 0
    bid_exchange: str = ""
    ask_exchange: str = ""
    more: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Trade:
    """The last trade and the day so far; ``extended``: outside regular hours. ``day`` counts days since 1970-01-01."""

    symbol: str
    price: Decimal | None
    size: Decimal | None
    change: Decimal | None
    time: int = 0
    sequence: int = 0
    exchange: str = ""
    day: int = 0
    day_volume: Decimal | None = None
    day_turnover: Decimal | None = None
    direction: str = ""
    extended: bool = False
    more: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """A session's prices so far and the one before. ``close_kind`` as the feed words it (REGULAR, FINAL, ...)."""

    symbol: str
    day: int
    open: Decimal | None
    high: Decimal | None
    low: Decimal | None
    close: Decimal | None
    close_kind: str
    previous_day: int
    previous_close: Decimal | None
    previous_close_kind: str
    previous_volume: Decimal | None
    open_interest: Decimal | None
    more: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Greeks:
    """Of one option as dxFeed computes them: volatility as a fraction a year, theta a calendar day, per unit."""

    symbol: str
    price: float | None
    volatility: float | None
    delta: float | None
    gamma: float | None
    theta: float | None
    rho: float | None
    vega: float | None
    time: int = 0
    sequence: int = 0
    index: int = 0
    flags: int = 0
    more: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Candle:
    """One candle; ``symbol`` with its period, as ``SPY{=5m}``. ``time`` is its start. The newest one is still forming.

    A snapshot comes newest first: ``begins`` on the first row, ``ends`` on the last. A row that is ``removed`` carries
    no candle: it takes one away, or marks the edge of what was asked for.
    """

    symbol: str
    time: int
    open: Decimal | None
    high: Decimal | None
    low: Decimal | None
    close: Decimal | None
    volume: Decimal | None
    vwap: Decimal | None
    count: int = 0
    bid_volume: Decimal | None = None
    ask_volume: Decimal | None = None
    implied_volatility: float | None = None
    open_interest: Decimal | None = None
    sequence: int = 0
    index: int = 0
    flags: int = 0
    more: Mapping[str, object] | None = None

    @property
    def removed(self) -> bool:
        return bool(self.flags & REMOVE)

    @property
    def begins(self) -> bool:
        return bool(self.flags & SNAPSHOT_BEGIN)

    @property
    def ends(self) -> bool:
        return bool(self.flags & (SNAPSHOT_END | SNAPSHOT_SNIP))

    @property
    def pending(self) -> bool:
        """More rows of the same change follow."""
        return bool(self.flags & TX_PENDING)


TX_PENDING: Final = 1
REMOVE: Final = 2
SNAPSHOT_BEGIN: Final = 4
SNAPSHOT_END: Final = 8
SNAPSHOT_SNIP: Final = 16


@dataclass(frozen=True, slots=True)
class Other:
    """An event of a type that has no class of its own, its values by the wire's names and as they came."""

    type: str
    symbol: str
    values: Mapping[str, object]


Event = Quote | Trade | Summary | Greeks | Candle | Other


def event(kind: str, row: Mapping[str, object]) -> Event:
    """One row by field names as an event. Never fails: what does not fit is absent."""
    left = dict(row)
    take = left.pop
    symbol = word(take(SYMBOL, None))
    took = instant(take("eventTime", None))
    take("eventType", None)
    match kind:
        case "Quote":
            # The nanosecond part belongs to the later of the two times, which is how dxFeed defines it.
            part, bid_time, ask_time = _part(take), instant(take("bidTime", None)), instant(take("askTime", None))
            later = max(bid_time, ask_time)
            return Quote(
                symbol, decimal(take("bidPrice", None)), decimal(take("askPrice", None)),
                decimal(take("bidSize", None)), decimal(take("askSize", None)),
                bid_time + part * (later == bid_time > 0), ask_time + part * (later == ask_time > 0),
                took, whole(take("sequence", None)), word(take("bidExchangeCode", None)),
                word(take("askExchangeCode", None)), left or None,
            )  # fmt: skip
        case "Trade" | "TradeETH":
            part, time = _part(take), instant(take("time", None))
            return Trade(
                symbol, decimal(take("price", None)), decimal(take("size", None)), decimal(take("change", None)),
                time + part if time else 0, whole(take("sequence", None)), word(take("exchangeCode", None)),
                whole(take("dayId", None)), decimal(take("dayVolume", None)), decimal(take("dayTurnover", None)),
                word(take("tickDirection", None)), take("extendedTradingHours", None) is True or kind == "TradeETH",
                left or None,
            )  # fmt: skip
        case "Summary":
            return Summary(
                symbol, whole(take("dayId", None)), decimal(take("dayOpenPrice", None)),
                decimal(take("dayHighPrice", None)), decimal(take("dayLowPrice", None)),
                decimal(take("dayClosePrice", None)), word(take("dayClosePriceType", None)),
                whole(take("prevDayId", None)), decimal(take("prevDayClosePrice", None)),
                word(take("prevDayClosePriceType", None)), decimal(take("prevDayVolume", None)),
                decimal(take("openInterest", None)), left or None,
            )  # fmt: skip
        case "Greeks":
            names = ("price", "volatility", "delta", "gamma", "theta", "rho", "vega")
            price, volatility, delta, gamma, theta, rho, vega = (number(take(name, None)) for name in names)
            return Greeks(
                symbol, price, volatility, delta, gamma, theta, rho, vega, instant(take("time", None)),
                whole(take("sequence", None)), whole(take("index", None)), whole(take("eventFlags", None)),
                left or None,
            )  # fmt: skip
        case "Candle":
            vwap = take("VWAP", None)
            lower = take("vwap", None)
            return Candle(
                symbol, instant(take("time", None)), decimal(take("open", None)), decimal(take("high", None)),
                decimal(take("low", None)), decimal(take("close", None)), decimal(take("volume", None)),
                decimal(vwap if lower is None else lower), whole(take("count", None)),
                decimal(take("bidVolume", None)), decimal(take("askVolume", None)),
                number(take("impVolatility", None)), decimal(take("openInterest", None)),
                whole(take("sequence", None)), whole(take("index", None)), whole(take("eventFlags", None)),
                left or None,
            )  # fmt: skip
    return Other(kind, symbol, dict(row))


def decimal(value: object) -> Decimal | None:
    """A price or a size; None for "NaN", "Infinity", anything that is no number or that no market quotes."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        # repr of a float is the shortest text that means it: the text that was on the wire, to 15 digits.
        found = Decimal(repr(value) if isinstance(value, float) else value)
    except (InvalidOperation, ValueError):
        return None
    return found if found.is_finite() and abs(found.adjusted()) <= 18 else None


def number(value: object) -> float | None:
    """A float; None for "NaN", "Infinity" and anything that is no finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def whole(value: object) -> int:
    """A count or flags; 0 where there is none."""
    if type(value) is int:
        return value
    return int(value) if isinstance(value, float) and value.is_integer() else 0


def instant(value: object) -> int:
    """Milliseconds since 1970 as UTC ns; 0 where the feed does not tell."""
    return max(whole(value), 0) * 1_000_000


def word(value: object) -> str:
    return value if isinstance(value, str) else ""


def _part(take: Callable[[str, None], object]) -> int:
    part = whole(take("timeNanoPart", None))
    return part if 0 <= part < 1_000_000 else 0
