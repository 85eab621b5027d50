"""What the Python package ``tastytrade`` saw of ``tomking emulator``: it is the market's own, or it adds up."""

from __future__ import annotations

from decimal import Decimal
from math import erf, log, sqrt
from pathlib import Path

import pytest

from sim.market.futures import future
from tests.clients.programs import MINUTE, TEN, Doc, document, listing, run, sides, statuses

YEAR = 365 * 86_400_000
"""Milliseconds."""


@pytest.fixture(scope="module")
def seen(python_client: Path, emulator_line: str) -> Doc:
    return document(run(emulator_line, python_client, "-m", "tests.clients.python_flow"))


def put(forward: float, strike: float, years: float, volatility: float) -> tuple[float, float]:
    """Value and delta of a put by Black's formula, written out once more."""

    def normal(x: float) -> float:
        return (1 + erf(x / sqrt(2))) / 2

    spread = volatility * sqrt(years)
    above = log(forward / strike) / spread + spread / 2
    return strike * normal(spread - above) - forward * normal(-above), -normal(-above)


def members(group: Doc) -> list[str]:
    """The statuses of a complex order's orders, the trigger's first."""
    return statuses([group["trigger_order"], *group["orders"]])


def test_account_pages(seen: Doc) -> None:
    account = seen["account"]
    assert account["valid"] is True
    assert account["customer"]["id"] == "me"
    assert account["accounts"] == ["5WT00001", "5WT00002"]
    assert account["balances"]["cash_balance"] == account["balances"]["derivative_buying_power"] == "100000.0"
    assert account["status"]["is_futures_enabled"] is True
    assert account["positions"] == []
    assert account["margin"]["margin_equity"] == "100000.0"
    assert [each["time_of_day"] for each in account["snapshots"]] == ["BOD"]
    assert account["net_liq"][-1]["total_close"] == "100000.0"


def test_chains_and_instruments(seen: Doc) -> None:
    chains, futures = seen["chains"], seen["future_chain"]
    assert set(chains["SPX"]) == {"SPX", "SPXW"}
    assert set(chains["SPY"]) == {"SPY"}
    assert "2024-07-19" in chains["SPX"]["SPXW"]
    assert "2024-07-26" in chains["SPY"]["SPY"]
    assert futures["EW4N4"][:2] == ["/ESU4", "2024-07-26"]
    assert all(strikes > 50 for root in chains["SPX"].values() for strikes in root.values())
    found = seen["instruments"]
    assert found["flat"]["expirations"] == len(chains["SPY"]["SPY"])
    assert found["flat"]["first"]["root_symbol"] == "SPY"
    assert found["equities"] == {"SPX": True, "SPY": False, "VIX": True}
    assert found["futures"][0] == found["future"]["symbol"] == "/ESU4"
    assert Decimal(found["future"]["notional_multiplier"]) == future("ES").multiplier
    assert {"EW4", "E3A", "ES"} <= set(found["option_products"])
    assert {"SPX", "SPY"} <= set(found["found"])
    assert seen["chosen"]["future_option"]["underlying_symbol"] == "/ESU4"


def test_market_pages(seen: Doc) -> None:
    market, shown, market_now = seen["market"], seen["market"]["by_type"], listing()
    quoted = {symbol for symbol, each in shown.items() if each["bid"] is not None}
    assert quoted == {"SPY", "/ESU4", *(seen["chosen"][option]["symbol"] for option in ("short", "future_option"))}
    for symbol in quoted:
        assert (Decimal(shown[symbol]["bid"]), Decimal(shown[symbol]["ask"])) == sides(market_now, symbol)
    assert [shown[index]["instrument_type"] for index in ("SPX", "VIX")] == ["Index", "Index"]
    assert float(shown["VIX"]["last"]) == pytest.approx(market_now.world.spot("VIX").last)
    assert market["one"] == shown["SPY"]
    assert market["sessions"] == {"Equity": "Open", "CME": "Open"}
    assert "2024-07-04" in market["holidays"]
    assert "2024-07-03" in market["half_days"]
    assert set(market["metrics"]) == {"SPY", "/ES"}
    assert 0.05 < float(market["metrics"]["SPY"]["implied_volatility_index"]) < 0.5
    assert (market["dividends"], market["risk_free"], market["watchlists"]) == (0, "0.05", ["mine"])


def test_stream_of_quotes_trades_and_candles(seen: Doc) -> None:
    events, market = seen["events"], listing()
    assert len(events["Quote"]) == 6
    for symbol, event in events["Quote"].items():
        assert (Decimal(event["bid_price"]), Decimal(event["ask_price"])) == sides(market, symbol)
        assert event["bid_time"] == TEN
    for symbol, name in (("SPY", "SPY"), ("VIX", "VIX"), ("SPX", "SPX"), ("/ESU24:XCME", "ES")):
        assert float(events["Trade"][symbol]["price"]) == pytest.approx(market.world.spot(name).last)
    yesterday = market.world.history("SPY", 1)[0]
    assert float(events["Summary"]["SPY"]["prev_day_close_price"]) == pytest.approx(yesterday.close)
    assert events["Profile"]["SPY"]["trading_status"] == "ACTIVE"
    assert 0.05 < float(events["Underlying"]["SPX"]["volatility"]) < 0.5
    assert events["TimeAndSale"]["SPY"]["price"] == events["Trade"]["SPY"]["price"]
    candles = events["Candle"]
    assert [candle["time"] for candle in candles] == [TEN - 5 * MINUTE * n for n in range(1, 5)]
    assert seen["chosen"]["start"] == candles[-1]["time"]
    assert candles[0]["close"] == events["Trade"]["SPY"]["price"]


def test_stream_of_greeks(seen: Doc) -> None:
    events, market = seen["events"], listing()
    assert len(events["Greeks"]) == 3
    parity = events["TheoPrice"][seen["chosen"]["short"]["streamer_symbol"]]["underlying_price"]
    for symbol, event in events["Greeks"].items():
        contract = market.contract(symbol)
        assert contract is not None
        assert float(event["price"]) == pytest.approx(float(sum(sides(market, symbol)) / 2))
        # An option on a future is priced on that; one on the fund on what parity says, a little off its price.
        forward = market.world.spot("ES").last if contract.underlying == "ES" else float(parity)
        years = (market.world.settles(contract.series) / 1e6 - TEN) / YEAR
        value, delta = put(forward, float(contract.strike), years, float(event["volatility"]))
        assert value == pytest.approx(float(event["price"]), rel=0.01)
        assert delta == pytest.approx(float(event["delta"]), abs=0.005)
        assert float(event["theta"]) < 0 < float(event["vega"])


def test_stream_of_a_whole_expiration(seen: Doc) -> None:
    whole = seen["whole"]
    assert whole["Greeks"] == whole["options"] > 400
    assert 300 < whole["Quote"] <= whole["options"]


def test_quote_after_a_minute(seen: Doc) -> None:
    first, then = seen["moved"]
    assert (first["bid_time"], then["bid_time"]) == (TEN, TEN + MINUTE)
    assert (Decimal(then["bid_price"]), Decimal(then["ask_price"])) == sides(listing(TEN + MINUTE), "SPY")


def test_spread_from_dry_run_to_close(seen: Doc) -> None:
    spread, quotes = seen["spread"], seen["events"]["Quote"]
    effect, fees = spread["dry"]["buying_power_effect"], spread["dry"]["fee_calculation"]
    price = Decimal(spread["dry"]["order"]["price"])
    assert price > 0
    assert fees == {
        "regulatory_fees": "-0.04", "clearing_fees": "-0.2", "commission": "-2.0",
        "proprietary_index_option_fees": "0.0", "total_fees": "-2.24",
    }  # fmt: skip
    assert Decimal(effect["change_in_margin_requirement"]) == -100
    assert Decimal(effect["change_in_buying_power"]) == -100 + 100 * price - Decimal("2.24")
    assert effect["effect"] == "Debit"
    assert effect["new_buying_power"] == spread["held"]
    # Placed and working, then another order takes its place and fills.
    old, new = spread["placed"]["order"]["id"], spread["successor"]["id"]
    assert statuses(spread["resting"]) == ["Routed", "In Flight", "Live"]
    assert [each["id"] for each in spread["live"]] == [old]
    assert (spread["successor"]["status"], spread["successor"]["replaces_order_id"]) == ("Contingent", old)
    told = [(each["id"], each["status"]) for each in spread["replaced"]]
    assert [status for order, status in told if order == old] == ["Replace Requested", "Cancelled"]
    assert [status for order, status in told if order == new] == ["Contingent", "Routed", "In Flight", "Live", "Filled"]
    assert next(o for o in spread["replaced"] if o["status"] == "Cancelled")["replacing_order_id"] == new
    short, long = (quotes[seen["chosen"][side]["streamer_symbol"]] for side in ("short", "long"))
    fills = [leg["fills"][0]["fill_price"] for leg in spread["replaced"][-1]["legs"]]
    assert fills == [short["bid_price"], long["ask_price"]]
    credit = Decimal(short["bid_price"]) - Decimal(long["ask_price"])
    assert -Decimal(spread["average"]) == credit
    assert Decimal(spread["balance"]["cash_balance"]) == 100_000 + 100 * credit - Decimal("2.24")
    held = {each["symbol"]: each["quantity_direction"] for each in spread["after"]}
    assert held == {seen["chosen"]["short"]["symbol"]: "Short", seen["chosen"]["long"]["symbol"]: "Long"}
    assert spread["positions"][-1]["symbol"] == seen["chosen"]["long"]["symbol"]
    # Closed, and in the books.
    debit = Decimal(short["ask_price"]) - Decimal(long["bid_price"])
    assert Decimal(spread["closed"][-1]["price"]) == -debit
    assert (spread["left"], spread["cancelled"]) == ([], [old])
    assert [each["id"] for each in spread["history"]] == [spread["closed"][-1]["id"], new, old]
    cash = sum(Decimal(each["net_value"]) for each in spread["transactions"])
    assert cash == 100_000 + 100 * (credit - debit) - Decimal("2.48")
    assert (spread["trades"], spread["fees"]) == (4, "-2.48")


def test_futures_and_options_on_them(seen: Doc) -> None:
    traded = seen["future"]
    order, effect = traded["dry"]["order"], traded["dry"]["buying_power_effect"]
    assert (order["underlying_symbol"], order["underlying_instrument_type"]) == ("/ESU4", "Future")
    credit = 50 * Decimal(order["price"]) + Decimal(traded["dry"]["fee_calculation"]["total_fees"])
    assert Decimal(effect["change_in_buying_power"]) == Decimal(effect["change_in_margin_requirement"]) + credit < 0
    assert statuses(traded["cancelled"]) == ["Routed", "In Flight", "Live", "Cancel Requested", "Cancelled"]
    assert traded["again"].startswith("cannot_update_order: ")
    (fill,) = traded["filled"]["legs"][0]["fills"]
    assert Decimal(fill["fill_price"]) == sides(listing(), "/ESU4")[1]
    (held,) = traded["held"]
    assert (held["symbol"], held["quantity"], held["quantity_direction"]) == ("/ESU4", "1", "Long")


def test_complex_orders(seen: Doc) -> None:
    traded = seen["complex"]
    assert traded["dry"]["complex_order"]["type"] == "OTOCO"
    assert members(traded["dry"]["complex_order"]) == ["Contingent"] * 3
    # Half of what ten shares would cost at the trigger's limit.
    half = 5 * Decimal(traded["dry"]["complex_order"]["trigger_order"]["price"])
    assert Decimal(traded["dry"]["buying_power_effect"]["change_in_margin_requirement"]) == half < 0
    waiting, working = traded["waiting"], traded["working"]
    assert members(waiting) == ["Live", "Contingent", "Contingent"]
    assert members(traded["told"][-1]) == ["Cancelled"] * 3
    assert members(working) == ["Filled", "Live", "Live"]
    assert set(traded["live"]) == set(traded["history"]) == {waiting["id"], working["id"]}
    assert [each["order_type"] for each in traded["oco"]["complex_order"]["orders"]] == ["Limit", "Stop"]
    assert traded["oco"]["warnings"] == []


def test_four_legs_of_an_index_by_the_login_of_a_sandbox(seen: Doc) -> None:
    dry = seen["condor"]["dry"]
    order = dry["order"]
    assert (order["underlying_symbol"], order["size"], len(order["legs"])) == ("SPX", "2", 4)
    assert {leg["symbol"][:6] for leg in order["legs"]} == {"SPXW  "}
    assert Decimal(dry["buying_power_effect"]["isolated_order_margin_requirement"]) == -1000
    assert Decimal(dry["fee_calculation"]["proprietary_index_option_fees"]) == 8 * Decimal("-0.65")


def test_errors_are_readable(seen: Doc) -> None:
    errors = seen["errors"]
    effect = errors.pop("too_large_effect")
    assert Decimal(effect["new_buying_power"]) < 0
    starts = {
        "gtc_market": "gtc_market_orders_not_supported: ",
        "sold_for_debit": "cant_sell_for_debit: ",
        "too_large": "margin_check_failed: ",
        "unknown_option": "instrument_validation_failed: Trading of SPY   240531P99999000 is not supported",
        "no_such_order": "record_not_found: ",
        "other_account": "not_permitted: ",
        "wrong_token": "Couldn't parse response: {'error_code': 'invalid_grant', ",
    }
    assert set(errors) == set(starts)
    for name, start in starts.items():
        assert errors[name].startswith(start), name
