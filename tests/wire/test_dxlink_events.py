"""Rows of DXLink as events, and symbols of candles."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.tastytrade.streams.candles import UNITS, CandleSymbol, canonical
from adapters.tastytrade.streams.dxlink_events import (
    FIELDS,
    LASTING,
    Candle,
    Greeks,
    Other,
    Quote,
    Rows,
    Summary,
    Trade,
    decimal,
    event,
    number,
)
from sim.model.errors import BrokerError

MS = 1_767_625_200_123
NS = MS * 1_000_000


def row(kind: str, **values: object) -> dict[str, object]:
    return dict.fromkeys(FIELDS[kind]) | {"eventSymbol": "SPY"} | values


def test_every_type_has_its_fields_in_order_and_no_field_twice() -> None:
    assert {"Quote", "Trade", "TradeETH", "Summary", "Profile", "Greeks", "Candle", "TheoPrice", "TimeAndSale"} < set(
        FIELDS
    )
    assert {"Underlying", "Series", "OptionSale", "Order", "SpreadOrder", "AnalyticOrder", "Message"} < set(FIELDS)
    for kind, fields in FIELDS.items():
        assert fields[0] == "eventSymbol"
        assert len(set(fields)) == len(fields), kind
    assert set(FIELDS) > LASTING
    assert not LASTING & {"Candle", "TimeAndSale", "Order"}


def test_a_quote_has_exact_prices_and_its_times() -> None:
    made = event(
        "Quote",
        row("Quote", bidPrice=559.36, askPrice=4.3020691e7, bidSize=12, askSize="NaN", bidTime=MS, askTime=MS - 1,
            timeNanoPart=456, sequence=7, bidExchangeCode="Q", askExchangeCode="Z", eventTime=0),
    )  # fmt: skip
    assert isinstance(made, Quote)
    assert (made.bid, made.ask, made.bid_size, made.ask_size) == (
        Decimal("559.36"),
        Decimal("43020691.0"),
        Decimal(12),
        None,
    )
    assert (made.bid_time, made.ask_time, made.sequence) == (NS + 456, NS - 1_000_000, 7)
    assert (made.bid_exchange, made.ask_exchange, made.more) == ("Q", "Z", None)


def test_a_side_that_is_absent_is_none_and_the_quote_is_not_dropped() -> None:
    made = event("Quote", row("Quote", bidPrice="NaN", askPrice=0.05, bidSize=0))
    assert isinstance(made, Quote)
    assert (made.bid, made.ask, made.bid_size) == (None, Decimal("0.05"), Decimal(0))
    assert (made.bid_time, made.ask_time) == (0, 0)


def test_what_no_one_knows_survives() -> None:
    made = event("Quote", row("Quote", bidPrice=1, moonPhase="full", halo=[1, 2]))
    assert made.more == {"moonPhase": "full", "halo": [1, 2]}  # type: ignore[union-attr]
    assert event("Nova", {"eventSymbol": "X", "glow": "NaN"}) == Other("Nova", "X", {"eventSymbol": "X", "glow": "NaN"})
    profile = event("Profile", row("Profile", description="A fund", beta="NaN"))
    assert isinstance(profile, Other)
    assert (profile.type, profile.symbol, profile.values["description"]) == ("Profile", "SPY", "A fund")


def test_trade_summary_greeks() -> None:
    trade = event("Trade", row("Trade", price=559.36, size=100.0, dayVolume=1.3743299e7, time=MS, timeNanoPart=1))
    assert isinstance(trade, Trade)
    assert (trade.price, trade.size, trade.time, trade.extended) == (
        Decimal("559.36"),
        Decimal("100.0"),
        NS + 1,
        False,
    )
    after = event("TradeETH", row("TradeETH", price="NaN", size="NaN"))
    assert isinstance(after, Trade)
    assert (after.price, after.size, after.extended) == (None, None, True)
    summary = event("Summary", row("Summary", openInterest=1234, prevDayClosePrice=550.1, dayId=20458))
    assert isinstance(summary, Summary)
    assert (summary.open_interest, summary.previous_close, summary.open) == (Decimal(1234), Decimal("550.1"), None)
    greeks = event("Greeks", row("Greeks", delta=-0.16, gamma="NaN", vega="Infinity", volatility=0.21, time=MS))
    assert isinstance(greeks, Greeks)
    assert (greeks.delta, greeks.gamma, greeks.vega, greeks.volatility, greeks.time) == (-0.16, None, None, 0.21, NS)


@pytest.mark.parametrize("name", ["VWAP", "vwap"])
def test_a_candle_by_either_name_and_its_flags(name: str) -> None:
    made = event("Candle", row("Candle", eventFlags=4 | 1, time=MS, open=1.5, close="NaN") | {name: 2.5})
    assert isinstance(made, Candle)
    assert (made.time, made.open, made.close, made.vwap) == (NS, Decimal("1.5"), None, Decimal("2.5"))
    assert (made.begins, made.ends, made.removed, made.pending) == (True, False, False, True)
    assert made.more is None
    edge = event("Candle", row("Candle", eventFlags=2 | 8, open="NaN"))
    assert isinstance(edge, Candle)
    assert (edge.removed, edge.ends) == (True, True)
    snip = event("Candle", row("Candle", eventFlags=16))
    assert isinstance(snip, Candle)
    assert snip.ends


@given(
    st.sampled_from(sorted(FIELDS)),
    st.dictionaries(
        st.sampled_from(sorted({name for fields in FIELDS.values() for name in fields} | {"other", "eventType"})),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
            max_leaves=3,
        ),
    ),
)
def test_any_row_makes_an_event(kind: str, values: dict[str, object]) -> None:
    made = event(kind, values)
    assert made.symbol == (values["eventSymbol"] if isinstance(values.get("eventSymbol"), str) else "")


@given(st.decimals(-99_999, 99_999, places=4))
def test_a_price_is_what_was_on_the_wire(price: Decimal) -> None:
    assert decimal(float(price)) == price
    assert number(float(price)) == float(price)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", None, True, [], {}, "x", 1e300, "1e999999999", ""])
def test_what_is_no_price(value: object) -> None:
    assert decimal(value) is None


def test_rows_know_their_columns() -> None:
    rows = Rows("Quote", ("eventSymbol", "bidPrice"), ["A", 1, "B", "NaN"])
    assert len(rows) == 2
    assert rows.column("eventSymbol") == ["A", "B"]
    assert rows.column("askPrice") is None
    assert [(one.symbol, one.bid) for one in rows.events() if isinstance(one, Quote)] == [
        ("A", Decimal(1)),
        ("B", None),
    ]


# --- candles ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "symbol", "count", "unit", "regular", "written"),
    [
        ("SPY{=5m,tho=true}", "SPY", 5, "m", True, "SPY{=5m,tho=true}"),
        ("SPY{=1d}", "SPY", 1, "d", False, "SPY{=d}"),
        ("SPY{=d}", "SPY", 1, "d", False, "SPY{=d}"),
        ("/ESZ26:XCME{tho=true,=1mo}", "/ESZ26:XCME", 1, "mo", True, "/ESZ26:XCME{=mo,tho=true}"),
        ("VIX&C{=2h,price=mark,a=m}", "VIX&C", 2, "h", False, "VIX&C{=2h,a=m,price=mark}"),
        (".SPY261218P400{=0.5p}", ".SPY261218P400", Decimal("0.5"), "p", False, ".SPY261218P400{=0.5p}"),
    ],
)
def test_a_symbol_of_candles(text: str, symbol: str, count: Decimal, unit: str, regular: bool, written: str) -> None:
    read = CandleSymbol.parse(text)
    assert (read.symbol, read.count, read.unit, read.regular) == (symbol, count, unit, regular)
    assert str(read) == written == canonical(text)


def test_made_from_a_period() -> None:
    assert str(CandleSymbol.of("SPY", "1d", regular=True)) == "SPY{=d,tho=true}"
    assert str(CandleSymbol.of("SPY", "10m")) == "SPY{=10m}"


@pytest.mark.parametrize(
    "text", ["SPY", "SPY{}", "SPY{=5}", "SPY{=5q}", "{=5m}", "SPY{=5m", "SPY{=0m}", "SPY{=m,=h}", ""]
)
def test_what_is_no_symbol_of_candles(text: str) -> None:
    with pytest.raises(BrokerError, match="wanted"):
        CandleSymbol.parse(text)
    assert canonical(text) == text


@pytest.mark.parametrize(("symbol", "period"), [("SPY", "5"), ("SPY", "5x"), ("", "5m"), ("A{", "5m"), ("A", "0m")])
def test_no_candles_of(symbol: str, period: str) -> None:
    with pytest.raises(BrokerError, match="wanted"):
        CandleSymbol.of(symbol, period)


@given(
    st.text(st.characters(codec="ascii", exclude_characters="{}"), min_size=1, max_size=12),
    st.integers(1, 999_999),
    st.sampled_from(sorted(UNITS)),
    st.booleans(),
)
def test_written_and_read_again(symbol: str, count: int, unit: str, regular: bool) -> None:
    made = CandleSymbol(symbol, Decimal(count), unit, regular)
    assert CandleSymbol.parse(str(made)) == made
