"""What the npm package ``@tastytrade/api`` saw of ``tomking emulator``: it is the market's own, or it adds up."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tests.clients.programs import MINUTE, Doc, document, listing, run, sides, statuses


@pytest.fixture(scope="module")
def seen(node_client: tuple[Path, Path], emulator_line: str) -> Doc:
    node, folder = node_client
    return document(run(emulator_line, node, Path(__file__).with_name("node_flow.cjs"), folder))


def test_pages(seen: Doc) -> None:
    pages, found = seen["pages"], seen["instruments"]
    assert pages["accounts"] == ["5WT00001", "5WT00002"]
    assert (pages["customer"], pages["resource"]) == ("me", "5WT00002")
    assert pages["balances"]["cash-balance"] == pages["margin"]["margin-equity"] == "100000.0"
    assert (pages["positions"], pages["snapshots"], pages["history"]) == ([], 1, 1)
    assert pages["status"]["account-number"] == pages["limit"]["account-number"] == "5WT00002"
    assert pages["metrics"]["symbol"] == "SPY"
    assert {"SPX", "SPY"} <= set(pages["found"])
    assert found["roots"] == ["SPX", "SPXW"]
    assert found["futures"][0] == found["future"] == "/ESU4"
    assert set(found["equities"]) == {"SPY", "VIX"}
    assert "ES" in found["products"]
    assert found["compact"][0] > 1000


def test_stream_of_quotes_greeks_and_candles(seen: Doc) -> None:
    events, option = seen["events"], seen["chosen"]["streamer"]
    now = events["Quote"]["SPY"]["bidTime"]
    market = listing(now)
    assert set(events["Quote"]) == {"SPY", "/ESU24:XCME", option}
    for symbol, event in events["Quote"].items():
        assert [event["bidPrice"], event["askPrice"]] == [float(side) for side in sides(market, symbol)]
    assert events["Trade"]["VIX"]["price"] == pytest.approx(market.world.spot("VIX").last)
    greeks = events["Greeks"][option]
    assert greeks["price"] == pytest.approx(float(sum(sides(market, option)) / 2))
    assert -0.5 < greeks["delta"] < -0.1
    assert events["Summary"]["SPY"]["prevDayClosePrice"] == pytest.approx(market.world.history("SPY", 1)[0].close)
    assert events["Profile"]["SPY"]["tradingStatus"] == "ACTIVE"
    # A history whose beginning falls into a candle ends with a removal at that instant.
    times = [candle["time"] for candle in events["Candle"] if candle["close"] != "NaN"]
    newest = (now - 1) // (5 * MINUTE) * 5 * MINUTE  # the market goes on: the quote may be of a later minute
    assert times == [newest - 5 * MINUTE * n for n in range(len(times))]
    assert len(times) in (4, 5)


def test_orders_and_account_stream(seen: Doc) -> None:
    traded, quote = seen["orders"], seen["events"]["Quote"][seen["chosen"]["streamer"]]
    assert seen["connected"] == "connect"
    assert seen["types"] == ["AccountBalance", "ComplexOrder", "CurrentPosition", "Order"]
    effect = traded["dry"]["buying-power-effect"]
    assert (effect["change-in-buying-power-effect"], effect["new-buying-power-effect"]) == ("Debit", "Credit")
    assert "id" not in traded["dry"]["order"]
    old, new = traded["placed"]["order"]["id"], traded["replacement"]["id"]
    assert (traded["placed"]["order"]["status"], traded["resting"]["status"]) == ("Routed", "Live")
    assert traded["live"] == [[old, "Live"]]
    assert traded["replaceDry"]["order"]["price"] == str(quote["bidPrice"])
    assert (traded["replacement"]["status"], traded["replacement"]["replaces-order-id"]) == ("Contingent", old)
    assert (traded["old"]["id"], traded["old"]["replacing-order-id"]) == (old, new)
    assert traded["filled"]["legs"][0]["fills"][0]["fill-price"] == str(quote["bidPrice"])
    assert [traded["position"]] == traded["positions"]
    assert (traded["position"]["quantity"], traded["position"]["quantity-direction"]) == (1, "Short")
    paid = 100 * Decimal(str(quote["bidPrice"])) - Decimal("1.12")
    assert Decimal(traded["balance"]["cash-balance"]) == 100_000 + paid
    assert traded["cancelling"]["status"] == "Cancel Requested"
    assert traded["cancelled"] == traded["order"]
    assert set(traded["orders"]) == {old, new, traded["edited"]["replaces-order-id"], traded["edited"]["id"]}
    assert statuses(traded["complex"]["orders"]) == ["Contingent"] * 2
    assert statuses(traded["uncomplex"]["orders"]) == ["Cancel Requested"] * 2
    assert [each["action"] for each in traded["transactions"]] == ["Buy to Close", "Sell to Open"]
    assert (traded["fees"], traded["left"]) == ({"total-fees": "1.24", "total-fees-effect": "Debit"}, 0)


def test_errors_are_readable(seen: Doc) -> None:
    refused = seen["orders"]["refused"]
    assert {name: (each["status"], each["error"]["code"]) for name, each in refused.items()} == {
        "debit": (422, "preflight_check_failure"),
        "terminal": (422, "cannot_update_order"),
        "foreign": (403, "not_permitted"),
        "negative": (400, "validation_error"),
    }
    assert refused["debit"]["error"]["errors"][0]["code"] == "cant_sell_for_debit"
    wrong = {"error_code": "invalid_client", "error_description": "Client authentication failed"}
    assert seen["wrong"] == {"status": 400, "body": wrong}
