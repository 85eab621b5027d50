"""Instruments as the wire describes them: shares, funds, indices, options on them, futures and options on futures.

Rows only, from the listing of the present session; the routes are in ``instrument_routes``. What a market does not
know of an instrument (open interest, CUSIPs) is left out, never made up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final
from zlib import crc32

import msgspec

from adapters.emulator.listing import FUNDS, Item, Listing, Type
from adapters.emulator.names import names_of, points
from adapters.emulator.rest.replies import decimal, instant
from adapters.tastytrade.symbols import exchange_code
from sim.calendar import Venue
from sim.market.futures import Rule, future
from sim.market.products import known_product
from sim.model.instrument import MONTH_CODES, Kind, OptionContract, Product, Right, Series, Style, TickTable

EXCHANGE: Final = "CME"
DISPLAY_FACTOR: Final = Decimal("0.01")
"""Of every future here. A contract's dollars a point are notional value over display factor."""

Row = dict[str, Any]

NAMES: Final[Mapping[str, str]] = {
    "SPX": "S&P 500 INDEX", "XSP": "MINI S&P 500 INDEX", "VIX": "CBOE VOLATILITY INDEX", "SPY": "SPDR S&P 500 ETF",
    "QQQ": "INVESCO QQQ TRUST", "IWM": "ISHARES RUSSELL 2000 ETF", "TLT": "ISHARES 20+ YEAR TREASURY BOND ETF",
    "GLD": "SPDR GOLD SHARES", "ES": "E-Mini S&P 500", "MES": "Micro E-Mini S&P 500", "NQ": "E-Mini Nasdaq 100",
    "CL": "Crude Oil", "MCL": "Micro Crude Oil", "GC": "Gold", "MGC": "Micro Gold", "ZB": "30 Year US Treasury Bond",
    "ZN": "10 Year US Treasury Note", "6E": "Euro FX",
}  # fmt: skip


def number(text: str) -> int:
    """A whole number that always belongs to the same name: an ``id``."""
    return crc32(text.encode()) % 1_000_000


def ticks(table: TickTable) -> list[Row]:
    """A tick table: an entry with a threshold applies strictly below it, the last one to all else."""
    return [
        {"value": str(tick)} if below is None else {"value": str(tick), "threshold": decimal(below)}
        for below, tick in table.steps
    ]


def equity(listing: Listing, item: Item) -> Row:
    """A share, a fund or an index."""
    symbol, index = item.symbol, item.type is Type.INDEX
    products = [p for p in listing.world.market.products() if p.underlying == symbol]
    return {
        "id": number(symbol),
        "symbol": symbol,
        "instrument-type": "Equity",
        "short-description": NAMES.get(symbol, symbol),
        "description": NAMES.get(symbol, symbol),
        "listed-market": "OTC" if index else "ARCX" if symbol in FUNDS else "XNYS",
        "is-index": index,
        "is-etf": symbol in FUNDS,
        "lendability": "Easy To Borrow",
        "borrow-rate": "0.0",
        "market-time-instrument-collection": "Index" if index else "Equity",
        "is-closing-only": False,
        "is-options-closing-only": False,
        "active": True,
        "is-fractional-quantity-eligible": not index,
        "is-illiquid": False,
        "overnight-trading-permitted": False,
        "streamer-symbol": item.streamer,
        "tick-sizes": [{"value": "0.0001", "threshold": "1.0"}, {"value": "0.01"}],
        "option-tick-sizes": ticks(products[0].ticks) if products else [],
    }


def equity_option(listing: Listing, item: Item) -> Row:
    """An option on a share, a fund or an index."""
    contract = item.contract
    assert contract is not None, "an option has a contract"
    series, product = contract.series, contract.product
    return {
        "symbol": item.symbol,
        "instrument-type": "Equity Option",
        "active": True,
        "strike-price": decimal(contract.strike),
        "root-symbol": product.root,
        "underlying-symbol": product.underlying,
        "expiration-date": str(series.expiration),
        "exercise-style": product.style.value.capitalize(),
        "shares-per-contract": int(product.multiplier),
        "option-type": contract.right.value,
        "option-chain-type": "Standard",
        "expiration-type": expiration_type(listing, series),
        "settlement-type": settlement_type(product),
        "stops-trading-at": instant(listing.world.ends(series)),
        "expires-at": instant(listing.world.settles(series)),
        "days-to-expiration": days_left(listing, series),
        "market-time-instrument-collection": "Equity Option",
        "is-closing-only": False,
        "streamer-symbol": item.streamer,
    }


def settlement_type(product: Product) -> str:
    return "AM" if product.exercise.morning else "PM"


def days_left(listing: Listing, series: Series) -> int:
    """Calendar days from the present session to the expiration."""
    return (series.expiration - listing.world.trade_date(series.product.underlying)).days


def expiration_type(listing: Listing, series: Series) -> str:
    """Regular, Weekly, End-Of-Month or Quarterly."""
    calendar, day, product = listing.world.calendar, series.expiration, series.product
    if product.kind is Kind.FUTURE:
        if product.root in ("EW", "EX", "QNE"):
            return "End-Of-Month"
        if product.root == "EYC":
            return "Quarterly"
        return "Weekly" if any(sign.isdigit() for sign in product.root) else "Regular"
    if day == calendar.monthly_expiration(day.year, day.month):
        return "Weekly" if product.root.endswith("W") else "Regular"
    if calendar.is_last_business_day(day):
        return "Quarterly" if day.month % 3 == 0 else "End-Of-Month"
    return "Weekly"


def future_row(listing: Listing, item: Item) -> Row:
    """A future's month. The front month is the active one, the next of them the next active."""
    root, month = item.underlying, item.month
    spec, last = future(root), listing.last_day(month)
    months = [f.month for f in listing.futures(root)]
    front = listing.world.front(root)
    after = months[months.index(front) + 1 :] if front in months else []
    products = [p for p in listing.world.market.products() if p.underlying == root]
    stops = listing.world.calendar.settlement_instant(spec.venue, last, morning=spec.rule is Rule.INDEX)
    return {
        "symbol": item.symbol,
        "instrument-type": "Future",
        "product-code": root,
        "exchange-symbol": item.symbol[1:],
        "contract-size": "1.0",
        "tick-size": decimal(spec.tick),
        "notional-multiplier": decimal(spec.multiplier),
        "main-fraction": "0.0",
        "sub-fraction": "0.0",
        "display-factor": str(DISPLAY_FACTOR),
        "last-trade-date": str(last),
        "expiration-date": str(last),
        "closing-only-date": str(last),
        "active": True,
        "active-month": month == front,
        "next-active-month": month in after[:1],
        "is-closing-only": False,
        "is-tradeable": True,
        "stops-trading-at": instant(stops),
        "expires-at": instant(stops),
        "product-group": f"{EXCHANGE}_{root}",
        "exchange": EXCHANGE,
        **({"roll-target-symbol": f"/{after[0]}"} if month == front and after else {}),
        "streamer-exchange-code": exchange_code(root),
        "streamer-symbol": item.streamer,
        "back-month-first-calendar-symbol": False,
        "tick-sizes": [{"value": decimal(spec.tick)}],
        "option-tick-sizes": ticks(products[0].ticks) if products else [],
        "spread-tick-sizes": [],
        "future-product": product_row(listing, root, options=False),
    }


def product_row(listing: Listing, root: str, *, options: bool) -> Row:
    """What all months of a future share."""
    spec = future(root)
    family = "other" if spec.rule is None else spec.rule.value
    letters = [MONTH_CODES[m - 1] for m in spec.months]
    row: Row = {
        "root-symbol": f"/{root}",
        "code": root,
        "description": NAMES.get(root, root),
        "clearing-code": root,
        "clearing-exchange-code": "16",
        "exchange": EXCHANGE,
        "product-type": "Financial" if spec.rule in (Rule.INDEX, Rule.BOND, Rule.CURRENCY) else "Physical",
        "listed-months": letters,
        "active-months": letters,
        "notional-multiplier": decimal(spec.multiplier),
        "tick-size": decimal(spec.tick),
        "display-factor": str(DISPLAY_FACTOR),
        "streamer-exchange-code": exchange_code(root),
        "small-notional": root.startswith("M"),
        "back-month-first-calendar-symbol": False,
        "first-notice": spec.rule in (Rule.METAL, Rule.BOND),
        "cash-settled": spec.rule is Rule.INDEX,
        "security-group": root,
        "market-sector": family.capitalize(),
        "roll": {
            "name": "equity_index" if spec.rule is Rule.INDEX else family,
            "active-count": 3,
            "cash-settled": spec.rule is Rule.INDEX,
            "business-days-offset": 4,
            "first-notice": spec.rule in (Rule.METAL, Rule.BOND),
        },
    }
    if options:
        row["option-products"] = [option_product(p) for p in option_products(listing, root)]
    return row


def option_products(listing: Listing, root: str | None = None) -> Sequence[Product]:
    """The products of options on futures, of one future or of all."""
    found = (p for p in listing.world.market.products() if p.kind is Kind.FUTURE)
    return [p for p in found if p.underlying == root or (root is None and p.underlying in listing.world.underlyings)]


def option_product(product: Product) -> Row:
    """What all options of a root on a future share."""
    weekly = any(sign.isdigit() for sign in product.root)
    return {
        "root-symbol": product.root,
        "cash-settled": not product.exercise.physical,
        "code": product.root,
        "display-factor": str(DISPLAY_FACTOR),
        "exchange": EXCHANGE,
        "product-type": "Physical",
        "expiration-type": "Weekly" if weekly else "Regular",
        "settlement-delay-days": 0,
        "market-sector": "Equity Index" if product.venue == Venue.GLOBEX_EQUITY.value else "Commodity",
        "clearing-code": product.root,
        "clearing-exchange-code": "16",
        "clearing-price-multiplier": "1.0",
        "is-rollover": product.root in ("EW", "EW4", "EX", "EX4", "MW4", "MW5"),
    }


def notional(product: Product) -> str:
    """Dollars of one display unit: over the display factor it is the contract's multiplier."""
    return decimal(product.multiplier * DISPLAY_FACTOR)


def contract_code(series: Series) -> str:
    """``EW3N4``: the option product with its month."""
    return names_of(series).code


def future_option(listing: Listing, item: Item) -> Row:
    """An option on a future. Its ``multiplier`` is 1.0 and not the contract's; see ``notional``."""
    contract = item.contract
    assert contract is not None, "an option has a contract"
    series, product = contract.series, contract.product
    settles = instant(listing.world.settles(series))
    known = known_product(product.root) or product
    return {
        "symbol": item.symbol,
        "instrument-type": "Future Option",
        "underlying-symbol": f"/{series.future}",
        "product-code": product.underlying,
        "expiration-date": str(series.expiration),
        "root-symbol": f"/{product.underlying}",
        "option-root-symbol": product.root,
        "strike-price": decimal(contract.strike),
        "exchange": EXCHANGE,
        "exchange-symbol": item.symbol[1:],
        "streamer-symbol": item.streamer,
        "option-type": contract.right.value,
        "exercise-style": "American" if product.style is Style.AMERICAN else "European",
        "is-vanilla": True,
        "is-primary-deliverable": True,
        "future-price-ratio": "1.0",
        "multiplier": "1.0",
        "underlying-count": "1.0",
        "is-confirmed": True,
        "notional-value": notional(product),
        "display-factor": str(DISPLAY_FACTOR),
        "security-exchange": "2",
        "sx-id": "0",
        "settlement-type": "Future" if product.exercise.physical else "Cash",
        "strike-factor": "1.0",
        "maturity-date": str(series.expiration),
        "is-exercisable-weekly": True,
        "last-trade-time": "0",
        "days-to-expiration": days_left(listing, series),
        "is-closing-only": False,
        "active": True,
        "stops-trading-at": instant(listing.world.ends(series)),
        "expires-at": settles,
        "future-option-product": option_product(known),
    }


def row_of(listing: Listing, item: Item) -> Row:
    """The row of any instrument."""
    match item.type:
        case Type.EQUITY | Type.INDEX:
            return equity(listing, item)
        case Type.EQUITY_OPTION:
            return equity_option(listing, item)
        case Type.FUTURE:
            return future_row(listing, item)
        case Type.FUTURE_OPTION:
            return future_option(listing, item)


def strike_rows(listing: Listing, series: Series) -> str:
    """The strikes of a series as JSON, ascending, each with call and put; strikes that lack one are left out."""
    of, found = names_of(series).of, []
    shown = listing.strikes(series)
    for (strike, put), (other, other_put) in pairwise(shown):
        if strike == other and other_put and not put:
            call, call_streamer = of(strike, "C")
            put_, put_streamer = of(strike, "P")
            found.append(
                f'{{"strike-price":"{price(strike)}","call":"{call}","call-streamer-symbol":"{call_streamer}",'
                f'"put":"{put_}","put-streamer-symbol":"{put_streamer}"}}'
            )
    return f"[{','.join(found)}]"


def flat_rows(listing: Listing, series: Series) -> str:
    """The options of a series as JSON rows, as ``row_of`` has them, with commas between: what they share is written
    once, and what differs put into it."""
    shown = listing.strikes(series)
    if not shown:
        return ""
    row = row_of(listing, listing.item(OptionContract(series, shown[0][0], Right.CALL)))
    row |= {"symbol": "\1", "streamer-symbol": "\2", "strike-price": "\3", "option-type": "\4"}
    if "exchange-symbol" in row:
        row["exchange-symbol"] = "\5"
    made = re.sub(r"[{}]", lambda brace: brace[0] * 2, msgspec.json.encode(row).decode())
    form = re.sub(r"\\u000([1-5])", r"{\1}", made).format
    of = names_of(series).of
    rows = []
    for strike, put in shown:
        right = "P" if put else "C"
        symbol, streamer = of(strike, right)
        rows.append(form("", symbol, streamer, price(strike), right, symbol[1:]))
    return ",".join(rows)


def price(strike_e4: int) -> str:
    """A strike as rows have it: 5500.0."""
    text = points(strike_e4)
    return text if "." in text else f"{text}.0"
