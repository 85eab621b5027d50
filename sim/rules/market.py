"""Rules that ask the market: is it open, is it time, is the quote fresh, is there volume, is the price worth taking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from math import isnan
from typing import Any

from sim.calendar import Venue, load_calendar, parse_time
from sim.model.errors import ConfigError
from sim.model.given import COUNT, POSITIVE, flag, items, mapping, number, section, words
from sim.model.instrument import OptionContract
from sim.model.market import BLANK
from sim.model.order import OrderRequest, Pass
from sim.quotes import why_dead
from sim.rules.gate import BpAfter, Refusal
from sim.view import View


@dataclass(frozen=True, slots=True)
class Freshness:
    """Every side that is needed is there, young enough, and not part of a crossed or locked pair."""

    code: str = "freshness"
    needs_legs: bool = True

    def check(self, request: OrderRequest | Pass, view: View, _: BpAfter) -> Refusal | None:
        assert isinstance(request, OrderRequest), "a rule of legs is asked with legs"
        under = view.of(request.underlying)
        limits = under.limits
        series, age = None, 0
        for leg in request.legs:
            contract = leg.contract
            quote = under.quote(contract)
            if quote is None:
                return Refusal("No quote", f"{contract.label} {contract.expiration} is not listed")
            if contract.series is not series:
                series = contract.series
                age = under.chain_minutes(series)
            if age > limits.chain:
                return Refusal(
                    "Stale chain",
                    f"{contract.product.root} {contract.expiration}: no row for {age} min, limit {limits.chain}",
                )
            ask = leg.signed > 0
            why = why_dead(quote, limits, ask=ask)
            if why is not None:
                reason = {"blank": "No quote", "locked": "Locked quote", "crossed": "Crossed quote"}.get(
                    why, "Stale quote"
                )
                return Refusal(reason, f"{contract.label} {'ask' if ask else 'bid'} is {why}")
        return None

    def describe(self) -> str:
        return "quotes fresh: 45 s streaming, two bars dense, 45 min a side and 2 min the chain in sparse data"


@dataclass(frozen=True, slots=True)
class MarketOpen:
    """The underlying's venue trades now; on an early-close day only where that is allowed, or for strategies that hold
    for weeks (``also``)."""

    early_close: bool
    also: frozenset[str] = frozenset()
    code: str = "market_open"
    needs_legs: bool = False

    @staticmethod
    def of(config: Mapping[str, Any]) -> MarketOpen:
        where = "rules.market_open"
        row = section(where, config, ("early_close", "early_close_too"), ("enabled",))
        also = words(f"{where}.early_close_too", row["early_close_too"])
        return MarketOpen(flag(f"{where}.early_close", row["early_close"]), frozenset(also))

    def check(self, request: OrderRequest | Pass, view: View, _: BpAfter) -> Refusal | None:
        hours = view.of(request.underlying).hours
        if not hours.is_open(view.ts):
            return Refusal("Market closed", f"{view.clock:%H:%M} New York is outside the session")
        if hours.early_close and not self.early_close and request.strategy not in self.also:
            return Refusal("Early close", "the exchange closes early today")
        if isinstance(request, OrderRequest):
            # One look a series: legs of one expiration stand beside one another.
            asked = None
            for contract in (leg.contract for leg in request.legs):
                if contract.series is asked:
                    continue
                asked = contract.series
                if contract.expiration <= view.session and view.ts >= _ends(contract):
                    return Refusal("Contract ended", f"{contract.label} {contract.expiration} trades no more")
        return None

    def describe(self) -> str:
        return f"market open{'' if self.early_close else ', no entries on early-close days'}"


def _ends(contract: OptionContract) -> int:
    product = contract.product
    return load_calendar().last_trading_instant(
        Venue(product.venue), contract.expiration, morning=product.exercise.morning
    )


@dataclass(frozen=True, slots=True)
class EntryWindow:
    """Strategies named here enter only from ``first`` to ``last``, New York time, both included."""

    windows: Mapping[str, tuple[time, time]]
    code: str = "entry_window"
    needs_legs: bool = False

    @staticmethod
    def of(config: Mapping[str, Any]) -> EntryWindow:
        where = "rules.entry_window.windows"
        given = section("rules.entry_window", config, ("windows",), ("enabled",))["windows"]
        windows = {}
        for name, pair in mapping(where, given).items():
            wanted = 'two times, like ["10:30", "14:00"]'
            if len(items(f"{where}.{name}", pair, wanted)) != 2:
                raise ConfigError(f"{where}.{name} is {pair!r}: wanted {wanted}")
            first, last = (parse_time(each, f"{where}.{name}") for each in pair)
            if last < first:
                raise ConfigError(
                    f"{where}.{name} opens at {first:%H:%M} and closes at {last:%H:%M}: wanted the earlier time first"
                )
            windows[name] = (first, last)
        return EntryWindow(windows)

    def check(self, request: OrderRequest | Pass, view: View, _: BpAfter) -> Refusal | None:
        window = self.windows.get(request.strategy)
        if window is None:
            return None
        first, last = window
        clock = view.clock
        if clock < first:
            return Refusal(f"Before {_twelve(first)} restriction", f"it is {clock:%H:%M} New York")
        if clock > last:
            return Refusal(f"After {_twelve(last)} restriction", f"it is {clock:%H:%M} New York")
        return None

    def describe(self) -> str:
        return "; ".join(f"{name} enters {a:%H:%M} to {b:%H:%M} New York" for name, (a, b) in self.windows.items())


def _twelve(clock: time) -> str:
    return f"{(clock.hour - 1) % 12 + 1}:{clock:%M} {'AM' if clock.hour < 12 else 'PM'}"


@dataclass(frozen=True, slots=True)
class Volume:
    """The underlying has traded more than ``least`` contracts this session, for the strategies named."""

    least: Mapping[str, float]
    code: str = "volume"
    needs_legs: bool = False

    @staticmethod
    def of(config: Mapping[str, Any]) -> Volume:
        where = "rules.volume.least"
        least = mapping(where, section("rules.volume", config, ("least",), ("enabled",))["least"])
        return Volume({name: number(f"{where}.{name}", n, COUNT) for name, n in least.items()})

    def check(self, request: OrderRequest | Pass, view: View, _: BpAfter) -> Refusal | None:
        least = self.least.get(request.strategy)
        if least is None:
            return None
        volume = view.of(request.underlying).volume
        if isnan(volume):
            return Refusal(
                "Volume unknown",
                f"the market has no volume of {request.underlying}; rules.volume.enabled=false to go without",
            )
        if volume <= least:
            return Refusal(f"Volume at or below {least:,.0f}", f"{volume:,.0f} so far")
        return None

    def describe(self) -> str:
        return "; ".join(f"{name}: volume above {v:,.0f}" for name, v in self.least.items())


@dataclass(frozen=True, slots=True)
class Credit:
    """The mid brings at least the order's limit, and the spread's width is no more than ``max_width`` times its mid."""

    max_width: float
    code: str = "credit"
    needs_legs: bool = True

    @staticmethod
    def of(config: Mapping[str, Any]) -> Credit:
        row = section("rules.credit", config, ("max_width",), ("enabled",))
        return Credit(number("rules.credit.max_width", row["max_width"], POSITIVE))

    def check(self, request: OrderRequest | Pass, view: View, _: BpAfter) -> Refusal | None:
        assert isinstance(request, OrderRequest), "a rule of legs is asked with legs"
        under = view.of(request.underlying)
        mid2 = width = 0
        for leg in request.legs:
            quote = under.quote(leg.contract)
            if quote is None or quote.ask == BLANK:
                return Refusal("No two-sided quote", f"{leg.contract.label} has no ask")
            # A wing nobody bids for is worth what it costs; how wide it is, is then its whole ask.
            bid = quote.ask if quote.bid == BLANK and leg.signed > 0 else quote.bid
            if bid == BLANK:
                return Refusal("No two-sided quote", f"{leg.contract.label} has no bid")
            mid2 -= leg.signed * (bid + quote.ask)
            width += leg.ratio * (quote.ask - max(quote.bid, 0))
        if request.limit is not None and mid2 < 2 * request.limit:
            increment = float(request.legs[0].contract.product.increment)
            wanted, have = request.limit * increment, mid2 * increment / 2
            return Refusal("Credit below minimum", f"mid {have:.2f}, wanted {wanted:.2f}")
        if 2 * width > self.max_width * abs(mid2):
            increment = float(request.legs[0].contract.product.increment)
            return Refusal("Spread too wide", f"width {width * increment:.2f} on a mid of {mid2 * increment / 2:.2f}")
        return None

    def describe(self) -> str:
        return f"credit at least the order's minimum, quoted width at most {self.max_width:g} x the mid"
