"""Symbols both ways: every example of the wire notes by hand, random contracts by property."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.tastytrade.symbols import (
    FutureOptionSymbol,
    FutureSymbol,
    InstrumentType,
    Named,
    OccSymbol,
    StreamerCandle,
    StreamerCrypto,
    StreamerFuture,
    StreamerFutureOption,
    SymbolError,
    check_underlying,
    classify,
    contract_month,
    contract_of,
    exchange_code,
    instrument_type,
    named,
    parse,
    parse_lenient,
    parse_streamer,
    path,
    streamer,
    streamer_symbol,
    true_underlying,
    wire_symbol,
    wire_type,
)
from sim.market.futures import Month
from sim.market.products import equity_option, fund_option, known_product
from sim.model.errors import DataError
from sim.model.instrument import OptionContract, Product, Right, Series, strike_e4


def product(root: str) -> Product:
    found = known_product(root)
    assert found is not None
    return found


OPTIONS = [
    ("SPY   240531P00450000", ".SPY240531P450"),
    ("F     250620C00002020", ".F250620C2.02"),
    ("IRBT  260116C00022500", ".IRBT260116C22.5"),
    ("BRKB  250620C00200000", ".BRKB250620C200"),
    ("SPXW  250620C05050000", ".SPXW250620C5050"),
    ("AAPL1 250620C00200000", ".AAPL1250620C200"),
    ("GOOGLE250620C00002500", ".GOOGLE250620C2.5"),
]
FUTURE_OPTIONS = [
    ("./ESH5 EW4Z4 241227C5500", "./EW4Z24C5500:XCME"),
    ("./ESZ4 EW4Z4 241227C5500", "./EW4Z24C5500:XCME"),
    ("./GCZ5 OGX5  251028P2040", "./OGX25P2040:XCEC"),
    ("./GCQ5 OGN5  250625P2095", "./OGN25P2095:XCEC"),
    ("./MNQZ5MNQZ5 251219P11000", "./MNQZ25P11000:XCME"),
    ("./ZBU5 OZBN5 250620C142.5", "./OZBN25C142.5:XCBT"),
    ("./CLZ2 LO1X2 221104C91", "./LO1X22C91:XNYM"),
]


@pytest.mark.parametrize(("trade", "streamed"), [*OPTIONS, *FUTURE_OPTIONS])
def test_options_are_read_and_written_character_by_character(trade: str, streamed: str) -> None:
    assert str(parse(trade)) == trade
    assert streamer(trade) == streamed
    read = parse_streamer(streamed)
    assert streamed == (streamer(read) if isinstance(read, OccSymbol) else str(read))


@pytest.mark.parametrize(("trade", "streamed"), OPTIONS)
def test_an_option_on_a_stock_comes_back_from_its_streamer_symbol(trade: str, streamed: str) -> None:
    assert str(OccSymbol.parse(trade)) == trade
    assert parse_streamer(streamed) == OccSymbol.parse(trade)


@pytest.mark.parametrize(
    ("streamed", "trade"),
    [
        (".F250620C2.02", "F     250620C00002020"),
        (".F250620C2.05", "F     250620C00002050"),
        (".SPY250620C2.25", "SPY   250620C00002250"),
        (".AAPL1250620C200", "AAPL1 250620C00200000"),
    ],
)
def test_the_four_that_another_client_converts_wrongly(streamed: str, trade: str) -> None:
    assert str(parse_streamer(streamed)) == trade


@pytest.mark.parametrize(("trade", "streamed"), FUTURE_OPTIONS)
def test_an_option_on_a_future_comes_back_with_its_future_and_its_day(trade: str, streamed: str) -> None:
    parts = FutureOptionSymbol.parse(trade)
    read = parse_streamer(streamed)
    assert isinstance(read, StreamerFutureOption)
    assert str(read.trade(parts.future, parts.expiration)) == trade


@pytest.mark.parametrize(
    ("trade", "on", "streamed", "year"),
    [
        ("/ESZ4", date(2024, 11, 1), "/ESZ24:XCME", 2024),
        ("/GEM0", date(2021, 3, 1), "/GEM30:XCME", 2030),
        ("/ESZ7", date(2026, 11, 1), "/ESZ27:XCME", 2027),
        ("/ESH5", date(2024, 12, 27), "/ESH25:XCME", 2025),
        ("/ESZ4", date(2025, 1, 2), "/ESZ34:XCME", 2034),
        ("/NGZ19", date(2026, 1, 1), "/NGZ19:XNYM", 2019),
    ],
)
def test_decades_of_futures(trade: str, on: date, streamed: str, year: int) -> None:
    future = FutureSymbol.parse(trade)
    assert str(future) == trade
    assert future.full_year(on) == year
    assert streamer(trade, on=on) == streamed
    read = parse_streamer(streamed)
    assert isinstance(read, StreamerFuture)
    assert str(read) == streamed
    assert read.trade().root == future.root


def test_a_future_of_another_decade_needs_a_day_and_two_digits_do_not() -> None:
    with pytest.raises(SymbolError, match="one digit; say on which day"):
        streamer("/ESZ4")
    assert streamer("/NGZ19") == "/NGZ19:XNYM"
    assert FutureSymbol.parse("/VXX22") == FutureSymbol("VX", 11, "22")
    assert streamer("/M2KH5", on=date(2025, 1, 1), exchange="OTHER") == "/M2KH25:OTHER"


@pytest.mark.parametrize(
    ("symbol", "kind"),
    [
        ("AAPL", InstrumentType.EQUITY),
        ("BRK/B", InstrumentType.EQUITY),
        ("AAM/U", InstrumentType.EQUITY),
        ("SPX", InstrumentType.INDEX),
        ("VIX", InstrumentType.INDEX),
        ("NDX", InstrumentType.INDEX),
        ("RUT", InstrumentType.INDEX),
        ("XSP", InstrumentType.INDEX),
        ("BTC/USD", InstrumentType.CRYPTOCURRENCY),
        ("/ESZ4", InstrumentType.FUTURE),
        ("/ES", InstrumentType.FUTURE),
        ("/NGZ19", InstrumentType.FUTURE),
        ("./ESH5 EW4Z4 241227C5500", InstrumentType.FUTURE_OPTION),
        ("SPY   240531P00450000", InstrumentType.EQUITY_OPTION),
        ("GOOGLE250620C00002500", InstrumentType.EQUITY_OPTION),
        ("BRK/B 250620C00200000", InstrumentType.EQUITY_OPTION),
    ],
)
def test_classify(symbol: str, kind: InstrumentType) -> None:
    assert classify(symbol) is kind


@pytest.mark.parametrize(
    "symbol",
    [
        "", " ", "AAPL{=5m}", "$SPX.X", ".SPY240531P450", "./EW4Z24C5500:XCME", "/ESZ24:XCME", "BTC/USD:CXTALP", "aapl",
        "SPY 240531P00450000", "AAPL 220617P00150000", "SPY   241331P00450000", "SPY   240531X00450000",
        "SPY   240531P00000000", "./ESH5 EW4Z4 241227C5500.0", "./ESH5 EW4Z4 241227C", "./ESH5 EW4Z4 241227C05500",
        "./ESH5 EW4Z4 241227C5.5E+3", "./ESH5 EW4Z4", "./", "./ESH5EW4Z4 241227C5500", "/", "//",
        "./MNQZ25MNQZ5 251219P1", "SPY  240531P004500000", " SPY  240531P00450000", "S PY  240531P00450000",
    ],
)  # fmt: skip
def test_what_is_no_trade_symbol_is_refused_in_one_line(symbol: str) -> None:
    with pytest.raises(SymbolError) as refused:
        classify(symbol)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("symbol", ["", ".", "./", "/ES", "/ES:XCME", "SPY ", ".SPY241331P450", "AAPL{=}", "{=5m}"])
def test_what_is_no_streamer_symbol_is_refused(symbol: str) -> None:
    with pytest.raises(SymbolError):
        parse_streamer(symbol)


def test_the_other_streamer_forms() -> None:
    assert streamer("BTC/USD") == "BTC/USD:CXTALP"
    assert parse_streamer("BTC/USD:CXTALP") == StreamerCrypto("BTC/USD")
    assert [streamer(each) for each in ("SPX", "BRK/B")] == ["SPX", "BRK/B"]
    assert [parse_streamer(each) for each in ("SPX", "BRK/B")] == ["SPX", "BRK/B"]
    for text in ("AAPL{=5m}", "/ESZ24:XCME{=d}", "SPY{=30m,tho=true}"):
        assert str(parse_streamer(text)) == text
    assert parse_streamer("SPY{=30m,tho=true}") == StreamerCandle("SPY", "30m", ",tho=true")


def test_exchange_codes() -> None:
    codes = {"ES": "XCME", "MNQ": "XCME", "ZB": "XCBT", "GC": "XCEC", "CL": "XNYM", "PL": "XNYM", "VX": "XCBF"}
    assert {root: exchange_code(root) for root in codes} == codes
    with pytest.raises(SymbolError, match="take the broker's streamer-symbol"):
        exchange_code("ABCDE")


def test_the_brokers_own_streamer_symbol_is_preferred_and_the_computed_one_says_so() -> None:
    assert named("/ESZ24:XCME", "/ESZ4") == Named("/ESZ24:XCME", computed=False)
    assert named(None, "SPY   240531P00450000") == Named(".SPY240531P450", computed=True)
    assert named("", "/ESZ4", on=date(2024, 1, 1)) == Named("/ESZ24:XCME", computed=True)


def test_what_lost_its_padding_is_read_by_the_lenient_parser_alone() -> None:
    assert str(parse_lenient("AAPL 220617P00150000")) == "AAPL  220617P00150000"
    assert str(parse_lenient("SPY 240531P00450000")) == "SPY   240531P00450000"
    assert str(parse_lenient("./GCZ5 OGX5 251028P2040")) == "./GCZ5 OGX5  251028P2040"
    assert str(parse_lenient("./ESZ9 EW4U9 190927P2975.0")) == "./ESZ9 EW4U9 190927P2975"
    assert str(parse_lenient("./MNQZ5MNQZ5 251219P11000")) == "./MNQZ5MNQZ5 251219P11000"
    for text in ("AAPL", "./ESZ9 190927P2975", "AAPL 229917P00150000"):
        with pytest.raises(SymbolError):
            parse_lenient(text)


def test_paths() -> None:
    assert path("SPY   230731C00393000") == "SPY%20%20%20230731C00393000"
    assert path("/ESU3") == "%2FESU3"
    assert path("./ESZ9 EW4U9 190927P2975") == ".%2FESZ9%20EW4U9%20190927P2975"
    assert path("BRK/B") == "BRK%2FB"


def test_unknown_instrument_types_survive() -> None:
    assert instrument_type("Future Option") is InstrumentType.FUTURE_OPTION
    assert instrument_type("Prediction Market") == "Prediction Market"


def test_the_headline_symbol_of_the_setup_reference_is_impossible() -> None:
    parts = FutureOptionSymbol.parse("./ESZ4 EW4Z4 241227C5500")
    assert str(true_underlying(product("EW4"), date(2024, 12, 27))) == "/ESH5"
    with pytest.raises(SymbolError) as refused:
        check_underlying(parts)
    assert str(refused.value) == (
        "./ESZ4 EW4Z4 241227C5500 cannot be: /ESZ4 stops trading on 2024-12-20, the option expires on 2024-12-27; "
        "wanted /ESH5"
    )
    with pytest.raises(SymbolError, match="wanted /ESH5"):
        contract_of("./ESZ4 EW4Z4 241227C5500")


@pytest.mark.parametrize(
    ("root", "day", "future"),
    [
        ("EW3", date(2026, 9, 18), "/ESZ6"),
        ("E4A", date(2025, 9, 22), "/ESZ5"),
        ("ES", date(2026, 9, 18), "/ESU6"),
        ("OG", date(2025, 10, 28), "/GCZ5"),
        ("LO1", date(2022, 11, 4), "/CLZ2"),
        ("OZB", date(2025, 6, 20), "/ZBU5"),
    ],
)
def test_true_underlyings(root: str, day: date, future: str) -> None:
    assert str(true_underlying(product(root), day)) == future


def test_other_underlyings_that_cannot_be() -> None:
    with pytest.raises(SymbolError, match="on /GC, not on /SI"):
        check_underlying(FutureOptionSymbol.parse("./SIZ5 OGX5  251028P2040"))
    with pytest.raises(SymbolError, match="wanted /ESZ6"):
        check_underlying(FutureOptionSymbol.parse("./ESU6 EW3U6 260918C5000"))
    check_underlying(FutureOptionSymbol.parse("./ESU6 ESU6  260918C5000"))
    check_underlying(FutureOptionSymbol.parse("./6JU6 JPUU6 260904C0.0068"))
    check_underlying(FutureOptionSymbol.parse("./CLZ5 LOZ5  351115C80"))


@pytest.mark.parametrize(
    ("root", "day", "month"),
    [
        ("LO", date(2024, 7, 17), Month(2024, 8)),
        ("OG", date(2025, 10, 28), Month(2025, 11)),
        ("OZB", date(2025, 6, 20), Month(2025, 7)),
        ("EUU", date(2024, 3, 8), Month(2024, 3)),
        ("ES", date(2024, 12, 20), Month(2024, 12)),
        ("EW", date(2024, 12, 31), Month(2024, 12)),
        ("1EU", date(2024, 3, 1), Month(2024, 3)),
        ("OG1", date(2024, 3, 1), Month(2024, 3)),
        ("ZB1", date(2015, 12, 31), Month(2016, 1)),  # the first Friday of January was New Year
        ("ZB5", date(2016, 1, 29), Month(2016, 1)),
        ("E5A", date(2024, 4, 29), Month(2024, 4)),
    ],
)
def test_the_month_in_a_symbol_is_the_options_own(root: str, day: date, month: Month) -> None:
    assert contract_month(product(root), day) == month


def test_a_monthly_on_a_day_without_one_is_refused() -> None:
    with pytest.raises(SymbolError, match="no monthly LO expires on 2024-08-01: that of 2024-09 does on 2024-08-15"):
        contract_month(product("LO"), date(2024, 8, 1))


def test_contracts_of_stocks_funds_and_indices() -> None:
    spx = contract_of("SPXW  250620C05050000")
    assert (spx.product, spx.strike, spx.right) == (product("SPXW"), Decimal(5050), Right.CALL)
    assert contract_of("TLT   250620P00090500").product == fund_option("TLT")
    assert contract_of("F     250620C00002020").product == equity_option("F")
    brk = equity_option("BRKB", "BRK/B")
    assert contract_of("BRKB  250620C00200000", {"BRKB": brk}.get).underlying == "BRK/B"
    assert wire_type(spx) is InstrumentType.EQUITY_OPTION


@pytest.mark.parametrize(
    ("symbol", "why"),
    [
        ("RUTW  250620C02000000", "on an index that is not known here"),
        ("AAPL1 250620C00200000", "on an adjusted contract"),
        ("./KCU6 KCOU6 260904C250", "root 'KCO' are not known here"),
        ("./ESH5 SPXH5 250320C5000", "root 'SPX' are not known here"),
        ("AAPL", "names no option .Equity."),
        ("/ESZ4", "names no option .Future."),
    ],
)
def test_contracts_are_never_guessed(symbol: str, why: str) -> None:
    with pytest.raises(SymbolError, match=why):
        contract_of(symbol)


def test_a_contract_beyond_the_calendar_is_read_and_its_monthly_symbol_cannot_be_computed() -> None:
    far = contract_of("./CLZ5 LOZ5  351115C80")
    assert far.series.future == "CLZ5"
    with pytest.raises(DataError, match="calendar"):
        wire_symbol(far)


ROOTS = st.sampled_from(["SPX", "SPXW", "XSP", "SPY", "AAPL", "F", "GOOGLE"])
DAYS = st.dates(date(2012, 1, 3), date(2029, 6, 1))
RIGHTS = st.sampled_from(list(Right))


@given(ROOTS, DAYS, RIGHTS, st.integers(1, 99_999_999))
def test_every_option_on_a_stock_or_index_goes_around(root: str, day: date, right: Right, milli: int) -> None:
    known = known_product(root) or (fund_option(root) if root == "SPY" else equity_option(root))
    contract = OptionContract(Series(known, day), milli * 10, right)
    text = wire_symbol(contract)
    assert len(text) == 21
    assert contract_of(text) == contract
    assert str(parse_streamer(streamer_symbol(contract))) == text


WEEKLIES = ["EW1", "EW3", "EW", "EYC", "E1A", "E5D", "QN2", "EX4", "X1A", "LO2", "MW1", "OG4", "1FG", "ZB2", "1EU"]


@given(st.sampled_from(WEEKLIES), DAYS, RIGHTS, st.integers(1, 999_999), st.integers(0, 4))
def test_every_weekly_on_a_future_goes_around(root: str, day: date, right: Right, number: int, places: int) -> None:
    known = product(root)
    strike = strike_e4(Decimal(number).scaleb(-places))
    month = true_underlying(known, day)
    contract = OptionContract(Series(known, day, str(month)[1:]), strike, right)
    text = wire_symbol(contract)
    assert "E+" not in text
    assert contract_of(text) == contract
    assert OptionContract(Series(known, day), strike, right).strike == contract.strike
    assert wire_symbol(OptionContract(Series(known, day), strike, right)) == text
    read = parse_streamer(streamer_symbol(contract))
    assert isinstance(read, StreamerFutureOption)
    assert str(read.trade(month, day)) == text
    assert str(parse_lenient(" ".join(text.split()))) == text


@given(st.sampled_from(["LO", "MCO", "OG", "OMG", "OZB", "OZN", "EUU"]), DAYS, RIGHTS, st.integers(-2, 2))
def test_every_monthly_is_named_after_its_month(root: str, day: date, right: Right, off: int) -> None:
    """Also where the exchange's day is not quite that of the rule."""
    from sim.market.futures import option_expiration

    known = product(root)
    month = Month(day.year, day.month)
    expires = option_expiration(known.underlying, month) + timedelta(days=off)
    contract = OptionContract(Series(known, expires), strike_e4(100), right)
    assert contract_month(known, expires) == month
    assert f"{root}{'FGHJKMNQUVXZ'[month.month - 1]}{month.year % 10}" in wire_symbol(contract)


@given(st.text(max_size=30))
def test_no_text_makes_the_parsers_fail_otherwise(text: str) -> None:
    for read in (classify, parse, parse_streamer, parse_lenient, streamer):
        with suppress(SymbolError):
            read(text)
