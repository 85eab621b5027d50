"""Every call of the client: what it asks for on the wire, and which capture answers it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from adapters.tastytrade.rest.client import Rest
from adapters.tastytrade.rest.orders import Filter
from tests.wire.web import ACCOUNT, BODY

Act = Callable[[Rest], Awaitable[Any]]
A: Final = f"/accounts/{ACCOUNT}"
FUTURE_OPTION: Final = "./ESZ6 EW4Z6 261224P5500"
OPTION: Final = "SPY   240531P00450000"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """``said``: the captures that may answer it; empty where the answer has no body."""

    said: str
    act: Act
    method: str
    path: str
    status: int = 200

    @property
    def name(self) -> str:
        return f"{self.method} {self.path.split('?', maxsplit=1)[0]}"


def get(said: str, path: str, act: Act) -> Endpoint:
    return Endpoint(said, act, "GET", path)


ACCOUNTS: Final = (
    get("customer", "/customers/me", lambda r: r.accounts.customer()),
    get("accounts", "/customers/me/accounts", lambda r: r.accounts.list()),
    get("account", f"/customers/me{A}", lambda r: r.accounts.get(ACCOUNT)),
    get("quote token", "/api-quote-tokens", lambda r: r.accounts.quote_token()),
    get("trading status", f"{A}/trading-status", lambda r: r.accounts.trading_status(ACCOUNT)),
    get("balance", f"{A}/balances/USD", lambda r: r.accounts.balance(ACCOUNT)),
    get("balances", f"{A}/balances", lambda r: r.accounts.balances(ACCOUNT)),
    get(
        "balance snapshots",
        f"{A}/balance-snapshots?time-of-day=BOD&currency=USD&start-date=2026-01-01&page-offset=0&per-page=250",
        lambda r: r.accounts.balance_snapshots(ACCOUNT, "BOD", start_date="2026-01-01"),
    ),
    get(
        "positions",
        f"{A}/positions?underlying-symbol[]=SPX&underlying-symbol[]=BRK%2FB&include-marks=true&include-closed-positions=true",
        lambda r: r.accounts.positions(ACCOUNT, ["SPX", "BRK/B"], marks=True, closed=True),
    ),
    get("position limit", f"{A}/position-limit", lambda r: r.accounts.position_limit(ACCOUNT)),
    get(
        "transactions",
        f"{A}/transactions?types[]=Trade&start-date=2026-01-01&sort=Desc&page-offset=0&per-page=250",
        lambda r: r.accounts.transactions(ACCOUNT, types=["Trade"], start_date="2026-01-01"),
    ),
    get("transaction", f"{A}/transactions/9", lambda r: r.accounts.transaction(ACCOUNT, "9")),
    get(
        "total fees",
        f"{A}/transactions/total-fees?date=2026-01-05",
        lambda r: r.accounts.total_fees(ACCOUNT, "2026-01-05"),
    ),
    get("net liq", f"{A}/net-liq/history?time-back=1m", lambda r: r.accounts.net_liq_history(ACCOUNT, "1m")),
    get("margin", f"/margin{A}/requirements", lambda r: r.accounts.margin(ACCOUNT)),
    Endpoint("margin dry run", lambda r: r.accounts.margin_dry_run(ACCOUNT, BODY), "POST", f"/margin{A}/dry-run"),
    get(
        "effective margin",
        f"{A}/margin-requirements/%2FESZ6/effective",
        lambda r: r.accounts.effective_margin(ACCOUNT, "/ESZ6"),
    ),
    get("public margin", "/margin-requirements-public-configuration", lambda r: r.accounts.public_margin()),
)

ORDERS: Final = (
    Endpoint("dry run", lambda r: r.orders.dry_run(ACCOUNT, BODY), "POST", f"{A}/orders/dry-run", 201),
    Endpoint("placed", lambda r: r.orders.place(ACCOUNT, BODY), "POST", f"{A}/orders", 201),
    get(
        "orders",
        f"{A}/orders?status[]=Live&status[]=In%20Flight&underlying-symbol=SPX&page-offset=1&per-page=50",
        lambda r: r.orders.page(ACCOUNT, Filter(status=["Live", "In Flight"], underlying="SPX"), 1, 50),
    ),
    get("order", f"{A}/orders/9", lambda r: r.orders.get(ACCOUNT, "9")),
    Endpoint("order", lambda r: r.orders.replace(ACCOUNT, "9", BODY), "PUT", f"{A}/orders/9"),
    Endpoint("order", lambda r: r.orders.edit(ACCOUNT, "9", {"price": "1.0"}), "PATCH", f"{A}/orders/9"),
    Endpoint("order", lambda r: r.orders.cancel(ACCOUNT, "9"), "DELETE", f"{A}/orders/9"),
    Endpoint("order", lambda r: r.orders.reconfirm(ACCOUNT, "9"), "POST", f"{A}/orders/9/reconfirm", 201),
    Endpoint("dry run", lambda r: r.orders.edit_dry_run(ACCOUNT, "9", BODY), "POST", f"{A}/orders/9/dry-run", 201),
    Endpoint(
        "complex placed",
        lambda r: r.complex_orders.place(ACCOUNT, {"type": "OTOCO"}),
        "POST",
        f"{A}/complex-orders",
        201,
    ),
    Endpoint(
        "complex dry run",
        lambda r: r.complex_orders.dry_run(ACCOUNT, {"type": "OCO"}),
        "POST",
        f"{A}/complex-orders/dry-run",
        201,
    ),
    get("complex orders", f"{A}/complex-orders?page-offset=0&per-page=200", lambda r: r.complex_orders.page(ACCOUNT)),
    get("complex order", f"{A}/complex-orders/5", lambda r: r.complex_orders.get(ACCOUNT, "5")),
    Endpoint("complex order", lambda r: r.complex_orders.cancel(ACCOUNT, "5"), "DELETE", f"{A}/complex-orders/5"),
    Endpoint("complex order", lambda r: r.complex_orders.edit(ACCOUNT, "5", {}), "PATCH", f"{A}/complex-orders/5"),
    Endpoint(
        "complex dry run",
        lambda r: r.complex_orders.edit_dry_run(ACCOUNT, "5", {}),
        "POST",
        f"{A}/complex-orders/5/dry-run",
    ),
)

INSTRUMENTS: Final = (
    get(
        "equities",
        "/instruments/equities?symbol[]=SPY&symbol[]=BRK%2FB",
        lambda r: r.instruments.equities(["SPY", "BRK/B"]),
    ),
    get("equity", "/instruments/equities/BRK%2FB", lambda r: r.instruments.equity("BRK/B")),
    get(
        "equity options",
        "/instruments/equity-options?symbol[]=SPY%20%20%20240531P00450000&with-expired=true",
        lambda r: r.instruments.equity_options([OPTION], expired=True),
    ),
    get(
        "equity option",
        "/instruments/equity-options/SPY%20%20%20240531P00450000",
        lambda r: r.instruments.equity_option(OPTION),
    ),
    get(
        "futures",
        "/instruments/futures?symbol[]=%2FESZ6&product-code[]=ES",
        lambda r: r.instruments.futures(["/ESZ6"], products=["ES"]),
    ),
    get("future", "/instruments/futures/%2FESZ6", lambda r: r.instruments.future("/ESZ6")),
    get("future products", "/instruments/future-products", lambda r: r.instruments.future_products()),
    get("future product", "/instruments/future-products/CME/ES", lambda r: r.instruments.future_product("CME", "ES")),
    get(
        "future option products",
        "/instruments/future-option-products",
        lambda r: r.instruments.future_option_products(),
    ),
    get(
        "future option product",
        "/instruments/future-option-products/CME/EW",
        lambda r: r.instruments.future_option_product("CME", "EW"),
    ),
    get(
        "future options",
        "/instruments/future-options?symbol[]=.%2FESZ6%20EW4Z6%20261224P5500&option-type=P",
        lambda r: r.instruments.future_options([FUTURE_OPTION], option_type="P"),
    ),
    get(
        "future option",
        "/instruments/future-options/.%2FESZ6%20EW4Z6%20261224P5500",
        lambda r: r.instruments.future_option(FUTURE_OPTION),
    ),
    get("chain", "/option-chains/SPX", lambda r: r.instruments.chain("SPX")),
    get("nested chain", "/option-chains/SPX/nested", lambda r: r.instruments.nested_chain("SPX")),
    get("compact chain", "/option-chains/SPX/compact", lambda r: r.instruments.compact_chain("SPX")),
    get("future chain", "/futures-option-chains/ES", lambda r: r.instruments.future_chain("ES")),
    get("nested future chain", "/futures-option-chains/ES/nested", lambda r: r.instruments.nested_future_chain("ES")),
    get("symbols found", "/symbols/search/SP", lambda r: r.instruments.search("SP")),
)

MARKET: Final = (
    get(
        "market data",
        "/market-data/by-type?index=VIX,SPX&future-option=.%2FESZ6%20EW4Z6%20261224P5500",
        lambda r: r.market.by_type({"index": ["VIX", "SPX"], "future-option": [FUTURE_OPTION]}),
    ),
    get("metrics", "/market-metrics?symbols=SPY,QQQ", lambda r: r.market.metrics(["SPY", "QQQ"])),
    get(
        "sessions",
        "/market-time/sessions?from-date=2026-01-05&to-date=2026-01-09&instrument-collection=CME",
        lambda r: r.market.sessions("2026-01-05", "2026-01-09", "CME"),
    ),
    get(
        "current sessions",
        "/market-time/sessions/current?instrument-collections[]=Equity&instrument-collections[]=CME",
        lambda r: r.market.current_sessions(["Equity", "CME"]),
    ),
    get("holidays", "/market-time/equities/holidays", lambda r: r.market.equity_holidays()),
    get("holidays", "/market-time/futures/holidays/CME", lambda r: r.market.future_holidays()),
    get("watchlists", "/watchlists", lambda r: r.market.watchlists()),
    get("watchlist", "/watchlists/my%20list", lambda r: r.market.watchlist("my list")),
    get(
        "public watchlists",
        "/public-watchlists?counts-only=true",
        lambda r: r.market.public_watchlists(counts_only=True),
    ),
    get("public watchlist", "/public-watchlists/x", lambda r: r.market.public_watchlist("x")),
    get("quote alerts", "/quote-alerts", lambda r: r.market.quote_alerts()),
    Endpoint(
        "created alert",
        lambda r: r.market.create_quote_alert("SPY", "Equity", "SPY", "Last", ">", "500"),
        "POST",
        "/quote-alerts",
        201,
    ),
    Endpoint("", lambda r: r.market.delete_quote_alert("abc"), "DELETE", "/quote-alerts/abc", 204),
)

ENDPOINTS: Final = (*ACCOUNTS, *ORDERS, *INSTRUMENTS, *MARKET)
