"""Instruments, chains, market data, metrics, sessions and lists, in the captured shapes."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import httpx
import pytest

from adapters.emulator.emulator import Emulator
from tests.wire.emulated import client, emulator, got

STRIKE = {"strike-price", "call", "call-streamer-symbol", "put", "put-streamer-symbol"}


def get(path: str, made: Emulator | None = None, params: dict[str, Any] | None = None) -> Any:
    return asyncio.run(got(made or emulator(), path, params))


def status(method: str, path: str, made: Emulator, **given: Any) -> httpx.Response:
    async def main() -> httpx.Response:
        async with client(made) as opened:
            return await opened.request(method, path, **given)

    return asyncio.run(main())


def test_an_equity_an_index_and_an_option() -> None:
    spy, spx = get("/instruments/equities/SPY"), get("/instruments/equities/SPX")
    assert (spy["is-etf"], spx["is-index"], spy["option-tick-sizes"]) == (True, True, [{"value": "0.01"}])
    assert spx["option-tick-sizes"] == [{"value": "0.05", "threshold": "3.0"}, {"value": "0.10"}]
    option = get("/instruments/equity-options/SPXW%20%20240719P05500000")
    assert option["symbol"] == "SPXW  240719P05500000"
    assert (option["underlying-symbol"], option["root-symbol"]) == ("SPX", "SPXW")
    assert (option["strike-price"], option["settlement-type"], option["days-to-expiration"]) == ("5500.0", "PM", 0)
    assert option["expires-at"] == "2024-07-19T20:00:00.000+00:00"
    listed = get("/instruments/equity-options", None, {"symbol[]": ["SPY   240816P00540000", "SPY   240816P00000001"]})
    assert [row["symbol"] for row in listed["items"]] == ["SPY   240816P00540000"]


def test_futures_and_their_products() -> None:
    rows = get("/instruments/futures", None, {"product-code[]": "ES"})["items"]
    assert [row["symbol"] for row in rows if row["active-month"]] == ["/ESU4"]
    assert [row["symbol"] for row in rows if row["next-active-month"]] == ["/ESZ4"]
    front = rows[0]
    assert (front["tick-size"], front["notional-multiplier"], front["display-factor"]) == ("0.25", "50.0", "0.01")
    assert front["expires-at"] == "2024-09-20T13:30:00.000+00:00"
    assert front["future-product"]["code"] == "ES"
    assert get("/instruments/future-products/CME/ES")["option-products"]
    product = get("/instruments/future-option-products/CME/EW3")
    assert (product["root-symbol"], product["future-product"]["root-symbol"]) == ("EW3", "/ES")
    option = get("/instruments/future-options/.%2FESU4%20EW3N4%20240719C5500")
    assert Decimal(option["notional-value"]) / Decimal(option["display-factor"]) == 50
    assert (option["multiplier"], option["underlying-symbol"], option["option-root-symbol"]) == ("1.0", "/ESU4", "EW3")
    found = get("/instruments/future-options", None, {"option-root-symbol": "EW3", "strike-price": "5500.0"})["items"]
    assert {row["option-type"] for row in found} == {"C", "P"}


def test_a_nested_chain_has_every_root() -> None:
    items = get("/option-chains/SPX/nested")["items"]
    assert {row["root-symbol"] for row in items} == {"SPX", "SPXW"}
    friday = next(e for row in items if row["root-symbol"] == "SPXW" for e in row["expirations"])
    assert (friday["expiration-date"], friday["settlement-type"], friday["days-to-expiration"]) == (
        "2024-07-19",
        "PM",
        0,
    )
    assert set(friday["strikes"][0]) == STRIKE
    strikes = [Decimal(s["strike-price"]) for s in friday["strikes"]]
    assert strikes == sorted(strikes)
    assert len(strikes) > 50
    am = next(e for row in items if row["root-symbol"] == "SPX" for e in row["expirations"])
    assert (am["settlement-type"], am["expiration-type"]) == ("AM", "Regular")
    spy = get("/option-chains/SPY/nested")["items"][0]
    assert spy["deliverables"][0]["amount"] == "100.0"


def test_compact_and_flat_chains_hold_the_same_symbols() -> None:
    made = emulator()
    compact = get("/option-chains/SPY/compact", made)["items"][0]
    flat = get("/option-chains/SPY", made)["items"]
    assert len(compact["symbols"]) == len(compact["streamer-symbols"]) == len(flat) > 500
    assert {row["symbol"] for row in flat} == set(compact["symbols"])
    assert status("GET", "/option-chains/NOPE/nested", made).status_code == 404
    assert status("GET", "/futures-option-chains/CL/nested", made).status_code == 404


def test_a_futures_chain_names_the_future_of_each_expiration() -> None:
    chain = get("/futures-option-chains/ES/nested")
    assert chain["futures"][0]["symbol"] == "/ESU4"
    assert chain["futures"][0]["active-month"] is True
    expirations = [e for c in chain["option-chains"] for e in c["expirations"]]
    first = next(e for e in expirations if e["option-contract-symbol"] == "EW3N4")
    assert (first["underlying-symbol"], first["expiration-date"]) == ("/ESU4", "2024-07-19")
    assert (first["notional-value"], first["display-factor"]) == ("0.5", "0.01")
    assert set(first["strikes"][0]) == STRIKE
    assert get("/futures-option-chains/%2FES/nested") == chain


def test_market_data_by_type() -> None:
    option, fop = "SPY   240816P00540000", "./ESU4 EW3N4 240719C5500"
    rows = get("/market-data/by-type", None, {
        "index": "VIX", "equity": "SPY,SPX,NOPE", "equity-option": option, "future": ["/ESU4", "/ESZ4"],
        "future-option": fop,
    })["items"]  # fmt: skip
    by = {row["symbol"]: row for row in rows}
    assert set(by) == {"VIX", "SPY", "SPX", option, "/ESU4", "/ESZ4", fop}
    vix = by["VIX"]
    assert (vix["instrument-type"], vix["bid-size"], vix["last"]) == ("Index", "0.0", "16.04")
    assert not {"bid", "ask", "mid"} & set(vix)
    assert by["SPX"]["instrument-type"] == "Equity"
    spy = by["SPY"]
    assert Decimal(spy["bid"]) < Decimal(spy["mid"]) < Decimal(spy["ask"])
    assert Decimal(spy["day-low-price"]) <= Decimal(spy["last"]) <= Decimal(spy["day-high-price"])
    assert (spy["summary-date"], spy["prev-close-date"]) == ("2024-07-19", "2024-07-18")
    assert (spy["halt-start-time"], spy["is-trading-halted"]) == (-1, False)
    for symbol, low, high in ((option, -0.5, 0), (fop, 0, 1)):
        row = by[symbol]
        assert low < float(row["delta"]) < high
        assert 0.02 < float(row["volatility"]) < 1
        assert float(row["theta"]) < 0
        assert float(row["gamma"]) > 0
        assert Decimal(row["bid"]) <= Decimal(row["theo-price"]) <= Decimal(row["ask"])
    assert by["/ESU4"]["updated-at"] == "2024-07-19T14:00:00.000Z"


def test_market_data_of_one_and_its_limits() -> None:
    made = emulator()
    assert get("/market-data/Future/%2FESU4", made)["symbol"] == "/ESU4"
    assert get("/market-data/Future//ESU4", made)["symbol"] == "/ESU4"
    assert get("/market-data/Equity%20Option/SPY%20%20%20240816P00540000", made)["symbol"] == "SPY   240816P00540000"
    assert get("/market-data/Future%20Option/ESU4%20EW3N4%20240719C5500", made)["symbol"].startswith("./ESU4")
    assert status("GET", "/market-data/Equity/NOPE", made).status_code == 404
    assert status("GET", "/market-data/by-type", made).status_code == 400
    many = status("GET", "/market-data/by-type", made, params={"equity": ",".join(["SPY"] * 101)})
    assert many.json()["error"]["errors"][0]["reason"] == "has more than 100 symbols"


def test_metrics_come_from_the_market() -> None:
    rows = {row["symbol"]: row for row in get("/market-metrics", None, {"symbols": "SPY,SPX,/ES,NOPE"})["items"]}
    assert set(rows) == {"SPY", "SPX", "/ES"}
    for row in rows.values():
        assert 0.05 < float(row["implied-volatility-index"]) < 0.5
        assert 0 <= float(row["implied-volatility-index-rank"]) <= 1
        assert row["option-expiration-implied-volatilities"]
        assert 0.5 < float(row["beta"]) < 1.5
    assert float(rows["SPY"]["corr-spy-3month"]) == pytest.approx(1)
    assert get("/market-metrics/historic-corporate-events/dividends/SPY")["items"] == []
    assert (
        status("GET", "/market-metrics/historic-corporate-events/earnings-reports/SPY", emulator()).status_code == 400
    )


def test_sessions_and_their_states() -> None:
    made = emulator()

    def states() -> dict[str, str]:
        found = get("/market-time/sessions/current", made, {"instrument-collections[]": ["Equity", "CME"]})["items"]
        return {row["instrument-collection"]: row["state"] for row in found}

    assert states() == {"Equity": "Open", "CME": "Open"}
    equity = get("/market-time/equities/sessions/current", made)
    assert (equity["start-at"], equity["open-at"]) == ("2024-07-19T12:15:00.000+00:00", "2024-07-19T13:30:00.000+00:00")
    assert (equity["close-at"], equity["close-at-ext"]) == (
        "2024-07-19T20:00:00.000+00:00",
        "2024-07-20T00:00:00.000+00:00",
    )
    assert equity["next-session"]["session-date"] == "2024-07-22"
    made.clock.step(6 * 3600)
    assert states() == {"Equity": "Extended", "CME": "Open"}
    made.clock.step(2 * 3600)
    assert states() == {"Equity": "Extended", "CME": "Closed"}
    made.clock.step(3 * 3600)
    assert states() == {"Equity": "Closed", "CME": "Closed"}
    span = get("/market-time/sessions", made, {
        "from-date": "2024-07-03", "to-date": "2024-07-05", "instrument-collection": "Equity",
    })["items"]  # fmt: skip
    assert [row["session-date"] for row in span] == ["2024-07-03", "2024-07-05"]
    assert span[0]["close-at"] == "2024-07-03T17:00:00.000+00:00"
    holidays = get("/market-time/equities/holidays", made)
    assert "2024-07-04" in holidays["market-holidays"]
    assert "2024-07-03" in holidays["market-half-days"]
    assert get("/market-time/futures/sessions/next/CME", made)["session-date"] == "2024-07-23"
    assert status("GET", "/market-time/futures/holidays/LSE", made).status_code == 400


def test_search_and_precisions() -> None:
    assert [row["symbol"] for row in get("/symbols/search/SP")["items"]] == ["SPX", "SPY"]
    assert "/ESU4" in [row["symbol"] for row in get("/symbols/search/%2FES")["items"]]
    assert get("/symbols/search/zzz")["items"] == []
    assert {row["value"] for row in get("/instruments/quantity-decimal-precisions")["items"]} == {0}


def test_watchlists_and_alerts_are_kept_until_the_reset() -> None:
    made = emulator()
    body = {"name": "my list", "watchlist-entries": [{"symbol": "SPY", "instrument-type": "Equity"}]}
    assert status("POST", "/watchlists", made, json=body).status_code == 201
    assert get("/watchlists/my%20list", made)["order-index"] == 9999
    changed = status("PUT", "/watchlists/my%20list", made, json={**body, "name": "other"})
    assert changed.json()["data"]["name"] == "other"
    assert status("GET", "/watchlists/my%20list", made).status_code == 404
    assert status("DELETE", "/watchlists/other", made).status_code == 200
    alert = {"field": "Last", "operator": ">", "threshold": 600, "symbol": "SPY", "instrument-type": "Equity"}
    made_alert = status("POST", "/quote-alerts", made, json=alert)
    assert made_alert.status_code == 201
    number = made_alert.json()["data"]["alert-external-id"]
    assert status("POST", "/quote-alerts", made, json={**alert, "operator": "="}).status_code == 400
    gone = status("DELETE", f"/quote-alerts/{number}", made)
    assert (gone.status_code, gone.content) == (204, b"")
    assert status("DELETE", f"/quote-alerts/{number}", made).status_code == 404
    status("POST", "/quote-alerts", made, json=alert)
    made.reset()
    assert get("/quote-alerts", made)["items"] == []


def test_a_new_session_has_new_chains() -> None:
    made = emulator()
    before = get("/option-chains/SPY/nested", made)["items"][0]["expirations"][0]["expiration-date"]
    made.clock.step(3 * 86_400)
    after = get("/option-chains/SPY/nested", made)["items"][0]["expirations"][0]
    assert (before, after["expiration-date"], after["days-to-expiration"]) == ("2024-07-19", "2024-07-22", 0)
