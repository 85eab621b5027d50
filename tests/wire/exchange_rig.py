"""A market made by hand, a clock that is set, and an exchange on both: what the tests of the exchange share."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import OmegaConf

from adapters.emulator.exchange.exchange import Exchange
from adapters.emulator.exchange.profiles import MarketSimulator, Profile
from adapters.emulator.opening import Opening
from sim.calendar import at_ny
from sim.fees import FeeSchedule
from sim.margin import MarginModel
from sim.market.products import equity_option, known_product
from sim.model.instrument import OptionContract, Product, Right, Series, strike_e4
from tests.margins import load as margin_model

DAY = date(2024, 1, 5)
TEN = at_ny(DAY, time(10))
SECOND = 1_000_000_000
A, B = "5WT00001", "5WT00002"
Quote = tuple[str | None, str | None, str | None]


@cache
def fees(name: str = "tastytrade") -> FeeSchedule:
    made = instantiate(OmegaConf.load(Path(__file__).parents[2] / "conf" / "fees" / f"{name}.yaml"))
    assert isinstance(made, FeeSchedule)
    return made


@cache
def usual_margin() -> MarginModel:
    """The model of the configuration, read once."""
    return margin_model()


def _product(root: str) -> Product:
    return known_product(root) or equity_option(root)


def option(root: str, strike: int, right: str, day: date = DAY, future: str = "") -> OptionContract:
    return OptionContract(Series(_product(root), day, future), strike_e4(strike), Right(right))


SPY_P450, SPY_P445 = option("SPY", 450, "P"), option("SPY", 445, "P")
SPX_P4700, SPX_P4670 = option("SPXW", 4700, "P"), option("SPXW", 4670, "P")
ES_P4650 = option("EW1", 4650, "P", future="ESH4")
ES_C4750 = option("EW1", 4750, "C", future="ESH4")
LATER = option("SPY", 450, "P", date(2024, 1, 19))
CONTRACTS = {c.symbol: c for c in (SPY_P450, SPY_P445, SPX_P4700, SPX_P4670, ES_P4650, ES_C4750, LATER)}
P450, P445, LATE = SPY_P450.symbol, SPY_P445.symbol, LATER.symbol
ESP, ESC, ES = ES_P4650.symbol, ES_C4750.symbol, "/ESH4"
SPXP, SPXQ = SPX_P4700.symbol, SPX_P4670.symbol
QUOTES: Mapping[str, Quote] = {
    "SPY": ("455.00", "455.02", "455.01"),
    "SPX": (None, None, "4720.50"),
    "VIX": (None, None, "13.5"),
    "CHEAP": ("2.00", "2.01", "2.00"),
    ES: ("4730.00", "4730.25", "4730.25"),
    P450: ("1.20", "1.24", "1.22"),
    P445: ("0.40", "0.44", "0.42"),
    LATE: ("4.00", "4.10", "4.05"),
    SPXP: ("12.00", "12.40", "12.20"),
    SPXQ: ("6.00", "6.30", "6.10"),
    ESP: ("6.25", "6.75", "6.50"),
    ESC: ("9.50", "10.00", "9.75"),
}


class Board:
    """Quotes by symbol, as they are set."""

    def __init__(self) -> None:
        self.quotes = dict(QUOTES)

    def set(self, symbol: str, bid: str | None, ask: str | None, last: str | None = None) -> None:
        self.quotes[symbol] = (bid, ask, last)

    def quote(self, symbol: str) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
        bid, ask, last = (None if each is None else Decimal(each) for each in self.quotes.get(symbol, (None,) * 3))
        return bid, ask, last

    def contract(self, symbol: str) -> OptionContract | None:
        return CONTRACTS.get(symbol)

    def tradable(self, symbol: str) -> bool:
        return symbol in self.quotes and symbol not in ("SPX", "VIX")


class SetClock:
    def __init__(self, at: int = TEN) -> None:
        self.at = at

    def now(self) -> int:
        return self.at


class Rig:
    """An exchange with two accounts, at 10:00 of a Friday on which most of its options expire."""

    def __init__(self, profile: Profile | None = None, cash: str = "100000", **options: Any) -> None:
        self.board, self.clock = Board(), SetClock(options.pop("at", TEN))
        self.exchange = Exchange(
            [Opening(A, Decimal(cash)), Opening(B, Decimal(cash))],
            self.board,
            self.clock,
            profile or MarketSimulator(),
            options.pop("fees", fees()),
            options.pop("margin", None) or usual_margin(),
            **options,
        )

    def wait(self, seconds: float) -> None:
        self.clock.at += int(seconds * SECOND)
        self.exchange.advance()

    def until(self, at: int) -> None:
        self.clock.at = at
        self.exchange.advance()

    def place(self, body: object, account: str = A) -> int:
        return int(self.exchange.place(account, body)["order"]["id"])

    def order(self, order_id: int, account: str = A) -> dict[str, Any]:
        return self.exchange.get(account, order_id)

    def status(self, order_id: int) -> str:
        return str(self.order(order_id)["status"])

    def position(self, symbol: str, account: str = A) -> int:
        """Signed contracts."""
        for each in self.exchange.positions(account):
            if each["symbol"] == symbol:
                return int(each["quantity"]) * (-1 if each["quantity-direction"] == "Short" else 1)
        return 0


def leg(symbol: str, action: str, quantity: object = 1) -> dict[str, Any]:
    contract = CONTRACTS.get(symbol)
    kind = "Equity" if contract is None else "Equity Option"
    if symbol.startswith("/"):
        kind = "Future"
    if symbol.startswith("./"):
        kind = "Future Option"
    return {"instrument-type": kind, "symbol": symbol, "action": action, "quantity": quantity}


def limit(price: object, effect: str, *legs: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A Day limit order; ``more`` with underscores for dashes."""
    body = {
        "order-type": "Limit",
        "time-in-force": "Day",
        "price": price,
        "price-effect": effect,
        "legs": list(legs),
    }
    return body | {key.replace("_", "-"): value for key, value in more.items()}


def market(*legs: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"order-type": "Market", "time-in-force": "Day", "legs": list(legs)} | {
        key.replace("_", "-"): value for key, value in more.items()
    }


def stop(trigger: object, *legs: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"order-type": "Stop", "time-in-force": "Day", "stop-trigger": trigger, "legs": list(legs)} | {
        key.replace("_", "-"): value for key, value in more.items()
    }
