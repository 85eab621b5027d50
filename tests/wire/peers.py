"""What other people's clients send, written down as data: their frames in their order, and what they wait for."""

from __future__ import annotations

from typing import Any, Final

TOKEN: Final = "quote-token-of-a-test"

_FIELDS: Final = {
    "Quote": """eventSymbol eventTime sequence timeNanoPart bidTime bidExchangeCode askTime askExchangeCode bidPrice
        askPrice bidSize askSize""",
    "Candle": """eventSymbol eventTime eventFlags index time sequence count volume vwap bidVolume askVolume
        impVolatility openInterest open high low close""",
    "Underlying": """eventSymbol eventTime eventFlags index time sequence volatility frontVolatility backVolatility
        callVolume putVolume optionVolume putCallRatio""",
}
SDK_FIELDS: Final[dict[str, list[str]]] = {name: fields.split() for name, fields in _FIELDS.items()}
"""The order of the Python SDK's models; a type has a channel of its own: Candle 1, Quote 7, Underlying 17."""

SDK_SETUP: Final[dict[str, Any]] = {
    "type": "SETUP",
    "channel": 0,
    "keepaliveTimeout": 60,
    "acceptKeepaliveTimeout": 60,
    "version": "0.1-DXF-JS/0.3.0",
}
SDK_AUTH: Final[dict[str, Any]] = {"type": "AUTH", "channel": 0, "token": TOKEN}
KEEPALIVE: Final[dict[str, Any]] = {"type": "KEEPALIVE", "channel": 0}


def sdk_request(channel: int) -> dict[str, Any]:
    return {"type": "CHANNEL_REQUEST", "channel": channel, "service": "FEED", "parameters": {"contract": "AUTO"}}


def sdk_feed_setup(channel: int, event_type: str) -> dict[str, Any]:
    return {
        "type": "FEED_SETUP",
        "channel": channel,
        "acceptAggregationPeriod": 0.1,
        "acceptDataFormat": "COMPACT",
        "acceptEventFields": {event_type: SDK_FIELDS[event_type]},
    }


def sdk_subscribe(channel: int, event_type: str, *symbols: str, **rest: Any) -> dict[str, Any]:
    add = [{"symbol": symbol, "type": event_type, **rest} for symbol in symbols]
    return {"type": "FEED_SUBSCRIPTION", "channel": channel, "add": add}


JS_HELLO: Final[tuple[dict[str, Any], ...]] = (
    {
        "type": "SETUP",
        "channel": 0,
        "version": "0.1-DXF-JS/0.3.0",
        "keepaliveTimeout": 60,
        "acceptKeepaliveTimeout": 60,
    },
    {"type": "AUTH", "channel": 0, "token": TOKEN},
)
"""Back to back; then it waits for AUTHORIZED."""
JS_REQUEST: Final[dict[str, Any]] = sdk_request(1)
JS_AFTER_OPENED: Final[tuple[dict[str, Any], ...]] = (
    {"type": "FEED_SETUP", "channel": 1, "acceptAggregationPeriod": 10, "acceptDataFormat": "COMPACT"},
    {
        "type": "FEED_SUBSCRIPTION",
        "channel": 1,
        "reset": True,
        "add": [{"type": "Quote", "symbol": "SPY"}, {"type": "Trade", "symbol": "SPY"}],
    },
)

LEAN_HELLO: Final[tuple[dict[str, Any], ...]] = (
    SDK_SETUP,
    SDK_AUTH,
    sdk_request(1),
    {
        "type": "FEED_SETUP",
        "channel": 1,
        "acceptAggregationPeriod": 0.1,
        "acceptDataFormat": "COMPACT",
        "acceptEventFields": {"Quote": ["eventSymbol", "bidPrice", "askPrice"]},
    },
    {"type": "FEED_SUBSCRIPTION", "channel": 1, "add": [{"type": "Quote", "symbol": "SPY"}]},
)
"""All at once, without waiting for anything."""
