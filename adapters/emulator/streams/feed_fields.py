"""The fields of every event the feed offers, in the wire's order, and how a client's spelling of one is understood.

A field that a client asks for and nobody knows is sent as NaN, in its place: clients read rows by position.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from math import isfinite, isnan
from typing import Final

Value = float | int | str | bool | None
"""What a field may hold. ``None`` is a word that is not known; a number that is not known is the word ``NaN``."""
Row = Mapping[str, Value]

NAN: Final = "NaN"
_WITHOUT_ROWS: Final = "Series OptionSale Order SpreadOrder AnalyticOrder OtcMarketsOrder Configuration Message"

_HEAD: Final = "eventType eventSymbol eventTime"
_TRADE: Final = """time timeNanoPart sequence exchangeCode price change size dayId dayVolume dayTurnover tickDirection
    extendedTradingHours"""
FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    name: tuple(f"{_HEAD} {rest}".split())
    for name, rest in {
        "Quote": """sequence timeNanoPart bidTime bidExchangeCode bidPrice bidSize askTime askExchangeCode askPrice
            askSize""",
        "Trade": _TRADE,
        "TradeETH": _TRADE,
        "Summary": """dayId dayOpenPrice dayHighPrice dayLowPrice dayClosePrice dayClosePriceType prevDayId
            prevDayClosePrice prevDayClosePriceType prevDayVolume openInterest""",
        "Profile": """description shortSaleRestriction tradingStatus statusReason haltStartTime haltEndTime
            highLimitPrice lowLimitPrice high52WeekPrice low52WeekPrice beta earningsPerShare dividendFrequency
            exDividendAmount exDividendDayId shares freeFloat""",
        "Greeks": "eventFlags index time sequence price volatility delta gamma theta rho vega",
        "Candle": """eventFlags index time sequence count open high low close volume VWAP bidVolume askVolume
            impVolatility openInterest""",
        "TheoPrice": "eventFlags index time sequence price underlyingPrice delta gamma dividend interest",
        "TimeAndSale": """eventFlags index time timeNanoPart sequence exchangeCode price size bidPrice askPrice
            exchangeSaleConditions tradeThroughExempt aggressorSide spreadLeg extendedTradingHours validTick type buyer
            seller""",
        "Underlying": """eventFlags index time sequence volatility frontVolatility backVolatility callVolume putVolume
            optionVolume putCallRatio""",
    }.items()
}
EVENT_TYPES: Final = frozenset({*FIELDS, *_WITHOUT_ROWS.split()})
"""Every type that may be subscribed to. Those without an entry in ``FIELDS`` never have a row."""
SERIES_TYPES: Final = frozenset({"Candle", "TimeAndSale"})
"""Events of which every one counts, not only the last: they have a history and are never conflated away."""

PENDING, REMOVE, BEGIN, END, SNIP = 1, 2, 4, 8, 16
"""``eventFlags``: of a transaction, a removal, and where a snapshot begins, ends, or is cut."""


@lru_cache(maxsize=4096)
def known(event_type: str, field: str) -> str | None:
    """The field as ``FIELDS`` writes it (``vwap`` is ``VWAP``, ``high_52WeekPrice`` is ``high52WeekPrice``); None where
    the event has none of that name."""
    fields = FIELDS.get(event_type, ())
    if field in fields:
        return field
    plain = _plain(field)
    return next((name for name in fields if _plain(name) == plain), None)


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def number(value: float) -> Value:
    """A double as the wire has it: JSON knows neither NaN nor infinity."""
    if isfinite(value):
        return value
    return NAN if isnan(value) else "Infinity" if value > 0 else "-Infinity"


def index_of(time_ms: int, sequence: int = 0) -> int:
    """The index of a time-series event: seconds, milliseconds and sequence in one number."""
    seconds, rest = divmod(time_ms, 1000)
    return seconds << 32 | rest << 22 | sequence
