"""What a user of the Python package ``tastytrade`` does, against an emulator; nothing of it is changed but addresses.

``python -m tests.clients.python_flow``, on the interpreter of ``make clients`` and not on ours. Gets the emulator's
JSON line on standard input and writes one JSON document of what it saw on standard output; `the tests beside it` judges
it. It trades in the first account. The emulator's clock stands; only ``Desk.step`` moves it: by seconds, and at the end
by a minute.
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import tastytrade.session
import tastytrade.streamer
from tastytrade import Account, AlertStreamer, DXLinkStreamer, Session
from tastytrade.dxfeed import Candle, Greeks, Profile, Quote, Summary, TheoPrice, TimeAndSale, Trade, Underlying
from tastytrade.instruments import (
    Equity,
    Future,
    FutureOption,
    FutureOptionProduct,
    NestedFutureOptionChain,
    NestedOptionChain,
    get_option_chain,
    get_quantity_decimal_precisions,
)
from tastytrade.market_data import get_market_data, get_market_data_by_type
from tastytrade.market_sessions import ExchangeType, get_futures_holidays, get_market_holidays, get_market_sessions
from tastytrade.metrics import get_dividends, get_market_metrics, get_risk_free_rate
from tastytrade.order import InstrumentType
from tastytrade.search import symbol_search
from tastytrade.watchlists import PrivateWatchlist

from tests.clients.python_orders import (
    PATIENCE,
    Desk,
    Doc,
    Spread,
    complex_traded,
    condor,
    dumped,
    errors,
    future_traded,
    spread_traded,
    until,
)

CENT: Final = Decimal("0.01")


async def account_pages(desk: Desk) -> Doc:
    session, account = desk.session, desk.account
    return {
        "valid": await session.validate(),
        "customer": dumped(await session.get_customer()),
        "accounts": [each.account_number for each in await Account.get(session)],
        "balances": dumped(await account.get_balances(session)),
        "snapshots": [dumped(each) for each in await account.get_balance_snapshots(session, time_of_day="BOD")],
        "status": dumped(await account.get_trading_status(session)),
        "positions": [dumped(each) for each in await account.get_positions(session)],
        "margin": dumped(await account.get_margin_requirements(session)),
        "net_liq": [dumped(e) for e in await account.get_net_liquidating_value_history(session, time_back="1d")],
    }


async def instruments(desk: Desk) -> Doc:
    session = desk.session
    flat = await get_option_chain(session, "SPY")
    codes = [each.symbol for each in await Future.get(session, product_codes=["ES"])]
    return {
        "flat": {"expirations": len(flat), "first": dumped(flat[min(flat)][0])},
        "equities": {e.symbol: e.is_index for e in await Equity.get(session, ["SPY", "SPX", "VIX"])},
        "futures": codes,
        "future": dumped(await Future.get(session, codes[0])),
        "option_products": [e.root_symbol for e in await FutureOptionProduct.get(session)],
        "precisions": len(await get_quantity_decimal_precisions(session)),
        "found": [each.symbol for each in await symbol_search(session, "SP")],
    }


async def market(desk: Desk, option: str, future_option: str) -> Doc:
    session = desk.session
    shown = await get_market_data_by_type(
        session, equities=["SPY"], indices=["VIX", "SPX"], futures=["/ESU4"], options=[option],
        future_options=[future_option],
    )  # fmt: skip
    sessions = await get_market_sessions(session, [ExchangeType.NYSE, ExchangeType.CME])
    watchlist = PrivateWatchlist(name="mine", watchlist_entries=[{"symbol": "SPY", "instrument-type": "Equity"}])
    await watchlist.upload(session)
    kept = [each.name for each in await PrivateWatchlist.get(session)]
    await PrivateWatchlist.remove(session, "mine")
    return {
        "by_type": {each.symbol: dumped(each) for each in shown},
        "one": dumped(await get_market_data(session, "SPY", InstrumentType.EQUITY)),
        "sessions": {each.instrument_collection: each.status for each in sessions},
        "holidays": [str(day) for day in (await get_market_holidays(session)).holidays if day.year == 2024],
        "half_days": [
            str(d) for d in (await get_futures_holidays(session, ExchangeType.CME)).half_days if d.year == 2024
        ],
        "metrics": {e.symbol: dumped(e) for e in await get_market_metrics(session, ["SPY", "/ES"])},
        "dividends": len(await get_dividends(session, "SPY")),
        "risk_free": str(await get_risk_free_rate(session)),
        "watchlists": kept,
    }


async def streamed(desk: Desk, wanted: dict[Any, list[str]], start: datetime) -> Doc:
    """One event of each type for each symbol."""
    seen: Doc = {}
    async with DXLinkStreamer(desk.session) as streamer:
        for kind, symbols in wanted.items():
            await streamer.subscribe(kind, symbols)
        await streamer.subscribe_candle(["SPY"], "5m", start)
        for kind, symbols in wanted.items():
            found: Doc = {}
            async with asyncio.timeout(PATIENCE):
                while len(found) < len(symbols):
                    event = await streamer.get_event(kind)
                    found[event.event_symbol] = dumped(event)
            seen[kind.__name__] = found
        first = await until(streamer.listen(Candle), lambda candle: candle.snapshot_end or candle.snapshot_snip)
        seen["Candle"] = [dumped(candle) for candle in first if not candle.remove]
        await streamer.unsubscribe(Quote, ["SPY"])
        await streamer.unsubscribe_candle("SPY", "5m")
        await streamer.unsubscribe_all(Greeks)
    return seen


async def whole_expiration(desk: Desk, symbol: str, day: date) -> Doc:
    """Quotes and Greeks of every option of one day, as the package's own documentation has it."""
    options = [each.streamer_symbol for each in (await get_option_chain(desk.session, symbol))[day]]
    found: dict[str, set[str]] = {"Quote": set(), "Greeks": set()}
    async with DXLinkStreamer(desk.session) as streamer:
        await streamer.subscribe(Quote, [symbol, *options])
        await streamer.subscribe(Greeks, options)
        async with asyncio.timeout(PATIENCE):
            while len(found["Greeks"]) < len(options):
                found["Greeks"].add((await streamer.get_event(Greeks)).event_symbol)
            # The package drops quotes that lack a side.
            while quote := streamer.get_event_nowait(Quote):
                found["Quote"].add(quote.event_symbol)
    return {"options": len(options), **{kind: len(symbols) for kind, symbols in found.items()}}


async def moved(desk: Desk) -> list[Doc]:
    """A quote, and the one that a minute brings."""
    async with DXLinkStreamer(desk.session) as streamer:
        await streamer.subscribe(Quote, ["SPY"])
        first = await until(streamer.listen(Quote), lambda quote: True)
        await desk.step(60)
        then = await until(streamer.listen(Quote), lambda quote: quote.bid_time > first[0].bid_time)
    return [dumped(first[0]), dumped(then[-1])]


async def main(line: Doc) -> Doc:
    tastytrade.session.API_URL = tastytrade.session.CERT_URL = line["rest"]
    tastytrade.streamer.STREAMER_URL = tastytrade.streamer.CERT_STREAMER_URL = line["account_streamer"]
    async with Session(line["client_secret"], line["refresh_token"]) as session:
        desk = Desk(session, await Account.get(session, line["accounts"][0]), line["rest"])
        seen: Doc = {"account": await account_pages(desk), "instruments": await instruments(desk)}
        chains = {name: await NestedOptionChain.get(session, name) for name in ("SPX", "SPY")}
        future_chain = await NestedFutureOptionChain.get(session, "ES")
        seen["chains"] = {
            name: {c.root_symbol: {str(e.expiration_date): len(e.strikes) for e in c.expirations} for c in found}
            for name, found in chains.items()
        }
        seen["future_chain"] = {
            e.option_contract_symbol: [e.underlying_symbol, str(e.expiration_date), len(e.strikes)]
            for c in future_chain.option_chains for e in c.expirations
        }  # fmt: skip
        data = await get_market_data(session, "SPY", InstrumentType.EQUITY)
        assert data.mid is not None
        mid = data.mid.quantize(CENT)
        today = data.updated_at.date()
        short, long = puts(chains["SPY"][0].expirations, today, mid)
        es = (await get_market_data(session, "/ESU4", InstrumentType.FUTURE)).mid
        every = sorted((e for c in future_chain.option_chains for e in c.expirations), key=lambda e: e.expiration_date)
        (es_put,) = puts(every, today, es, 1)
        fop = await FutureOption.get(session, es_put)
        option, hedge = await desk.options(short, long)
        index = next(c for c in chains["SPX"] if c.root_symbol == "SPXW").expirations[0].strikes[0]
        streamer = [option.streamer_symbol, hedge.streamer_symbol, fop.streamer_symbol]
        seen["market"] = await market(desk, short, es_put)
        wanted = {
            Quote: ["SPY", "/ESU24:XCME", index.call_streamer_symbol, *streamer], Greeks: streamer,
            Trade: ["SPY", "VIX", "SPX", "/ESU24:XCME"], Summary: ["SPY"], Profile: ["SPY"], TheoPrice: streamer[:1],
            Underlying: ["SPX"], TimeAndSale: ["SPY"],
        }  # fmt: skip
        start = data.updated_at - timedelta(minutes=20)
        seen["events"] = await streamed(desk, wanted, start)
        seen["chosen"] = {
            "short": dumped(option), "long": dumped(hedge), "future_option": dumped(fop), "mid": str(mid),
            "start": int(start.timestamp() * 1000),
        }  # fmt: skip
        spread = Spread(option, hedge, seen["events"]["Quote"])
        asked = Decimal(seen["events"]["Quote"][fop.streamer_symbol]["ask_price"])
        async with AlertStreamer(session) as alerts:
            await alerts.subscribe_accounts([desk.account])
            await alerts.subscribe_public_watchlists()
            await alerts.subscribe_quote_alerts()
            seen["spread"] = await spread_traded(desk, alerts, spread)
            seen["future"] = await future_traded(desk, alerts, fop, asked * 2)
            seen["complex"] = await complex_traded(desk, alerts, mid)
        seen["whole"] = await whole_expiration(desk, "SPX", today + timedelta(days=7))
        seen["condor"] = await condor(desk, next(c for c in chains["SPX"] if c.root_symbol == "SPXW"))
        seen["errors"] = await errors(desk, spread, line)
        seen["moved"] = await moved(desk)
        return seen


def puts(expirations: list[Any], today: date, price: Any, count: int = 2) -> list[str]:
    """Trade symbols of puts some 2 % out of the money, a week or more away, the highest strike first."""
    later = next(e for e in expirations if e.expiration_date >= today + timedelta(days=7))
    strikes = sorted(
        (s for s in later.strikes if s.strike_price < price * Decimal("0.98")), key=lambda s: s.strike_price
    )
    return [strike.put for strike in strikes[-count:][::-1]]


if __name__ == "__main__":
    json.dump(asyncio.run(main(json.load(sys.stdin))), sys.stdout)
