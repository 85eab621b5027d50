"""From the streamer's rows to inputs of the core: names, ticks, what has changed, how old it is.

It subscribes to what somebody wants (``want``) and to nothing else: a chain has thousands of contracts, a decision
looks at some. What came in between two looks is conflated, the newest of each symbol stands. Daily bars and the minutes
before this program listened come as candles.

Refuses to do: guess a side, a price between two ticks (it goes to the market's worse side), or a name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from math import ceil, floor, nan
from typing import Final, NamedTuple

from adapters.tastytrade.streams.candles import CandleSymbol
from adapters.tastytrade.streams.dxlink import Subscription
from adapters.tastytrade.streams.dxlink_events import REMOVE, SNAPSHOT_END, SNAPSHOT_SNIP, Rows, instant, whole
from adapters.tastytrade.streams.market_feed import MarketFeed
from adapters.tastytrade.streams.supervise import Gap
from adapters.tastytrade.symbols import SymbolError, contract_of, streamer_symbol
from adapters.tastytrade.window import ChainOf
from live.inputs import Earlier, History, Input, ListedSeries, Minute, Prices, Sides, Silent, Spot
from live.market import VIX
from sim.calendar import at_ny
from sim.market.futures import front_month
from sim.market.products import future_symbol, is_future_root
from sim.model.instrument import OptionContract, Series, strike_e4
from sim.model.market import BLANK, MINUTE_NS, DailyBar

NOISE: Final = 1e-6
"""Of a tick: what a double may be off one."""
MOST: Final = 1e19
"""Above it no market quotes."""
HISTORY_DAYS: Final = 400
"""Calendar days of daily bars that are asked for."""
PATIENCE_S: Final = 10.0
"""How long candles are waited for."""


CANDLE: Final = ("time", "open", "high", "low", "close", "volume", "impVolatility")
"""What a candle is read of."""


class Candle(NamedTuple):
    """One candle as it was told; ``time``: its start, UTC ns. NaN where there is no number."""

    time: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    volatility: float


@dataclass(slots=True)
class Named:
    """What the streamer calls things, of one underlying on one day. ``front``: the symbol of its own price; ``months``:
    symbols of the futures its options are on, with the names that are used here."""

    underlying: str
    front: str
    months: Mapping[str, str]
    series: tuple[ListedSeries, ...]
    unknown: int = 0


def named(chain: ChainOf, today: date) -> Named:
    """A chain by the house's names. Contracts that cannot be named exactly are left out and counted."""
    found: dict[object, ListedSeries] = {}
    unknown = 0
    for row in chain.rows:
        symbols = [symbol for strike in row.strikes for symbol in (strike.call, strike.put) if symbol]
        if not symbols or row.expiration < today:
            continue
        try:
            series = contract_of(symbols[0]).series
        except SymbolError:
            unknown += len(symbols)
            continue
        calls, puts = set[int](), set[int]()
        for strike in row.strikes:
            if strike.strike_price is None:
                continue
            at = strike_e4(strike.strike_price)
            if strike.call:
                calls.add(at)
            if strike.put:
                puts.add(at)
        before = found.get(series)
        if before is not None:
            calls |= set(before.calls)
            puts |= set(before.puts)
        found[series] = ListedSeries(series, tuple(sorted(calls)), tuple(sorted(puts)))
    rows = tuple(sorted(found.values(), key=lambda r: (r.series.expiration, r.series.product.root)))
    return Named(chain.underlying, _front(chain, today), dict(chain.symbols), rows, unknown)


def _front(chain: ChainOf, today: date) -> str:
    """The streamer symbol of the underlying's own price: the index, the share, or the front month."""
    if not is_future_root(chain.underlying):
        return chain.underlying
    month = front_month(chain.underlying, today)
    wanted = future_symbol(chain.underlying, month.year, month.month)
    return next((symbol for symbol, name in chain.symbols.items() if name == wanted), next(iter(chain.symbols)))


@dataclass(slots=True)
class Tape:
    """What one feed says. ``want`` names what is wanted, ``take`` gives what has changed."""

    feed: MarketFeed
    names: dict[str, Named] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    said: list[str] = field(default_factory=list)
    _options: dict[str, OptionContract] = field(default_factory=dict)
    _spots: dict[str, str] = field(default_factory=dict)
    _months: dict[str, str] = field(default_factory=dict)
    _wanted: set[OptionContract] = field(default_factory=set)
    _spot: dict[str, list[float]] = field(default_factory=dict)
    _changed: set[str] = field(default_factory=set)
    _future: dict[str, float] = field(default_factory=dict)
    _vix: float | None = None
    _quotes: dict[OptionContract, tuple[int, int]] = field(default_factory=dict)
    _quoted: set[OptionContract] = field(default_factory=set)
    """Of what is wanted, what was ever quoted."""
    _gaps: list[Gap] = field(default_factory=list)
    _candles: dict[str, dict[int, Candle]] = field(default_factory=dict)
    _complete: set[str] = field(default_factory=set)
    _spoke: asyncio.Event = field(default_factory=asyncio.Event)
    vix_at: int = 0
    """When VIX was last told, UTC ns; 0 where it never was."""
    told: int = 0
    """How often prices were put in: whoever waits for the first ones looks here."""
    stall: int = 0
    """Since when the feed lives and tells nothing of what must be heard, UTC ns (``live.tape_stall``); 0: it does."""
    spoken: dict[str, int] = field(default_factory=dict)
    """When an underlying was last told of, or any contract on it quoted, UTC ns."""
    _silent: int = 0
    """Since when the silence is that was last told while it lasted."""

    # -- what is wanted -----------------------------------------------------------------------------------------------

    def begin(self, chains: Sequence[Named]) -> None:
        """Listens to the underlyings of a day, and to VIX."""
        self.names |= {each.underlying: each for each in chains}
        wanted = [Subscription("Trade", VIX)]
        for each in chains:
            self._rolled(each)
            self._spots[each.front] = each.underlying
            wanted += [Subscription("Trade", each.front), Subscription("Quote", each.front)]
        self.feed.subscribe(wanted)

    def _rolled(self, now: Named) -> None:
        """The month that was the front before does not set the underlying's price any more."""
        for old in [s for s, u in self._spots.items() if u == now.underlying and s != now.front]:
            del self._spots[old]
            self._spot.pop(now.underlying, None)
            self._changed.discard(now.underlying)
            types = ("Quote",) if old in self._months else ("Quote", "Trade")
            self.feed.unsubscribe([Subscription(each, old) for each in types])

    def want(self, contracts: Iterable[OptionContract]) -> int:
        """Listens to these contracts too, and to the futures that they are on; how many are new."""
        fresh = [contract for contract in dict.fromkeys(contracts) if contract not in self._wanted]
        wanted = []
        for contract in fresh:
            self._wanted.add(contract)
            symbol = streamer_symbol(contract)
            self._options[symbol] = contract
            wanted.append(Subscription("Quote", symbol))
            wanted += self._month(contract)
        if wanted:
            self.feed.subscribe(wanted)
        return len(fresh)

    def _month(self, contract: OptionContract) -> list[Subscription]:
        month, own = contract.series.future, self.names.get(contract.underlying)
        if not month or own is None or month in self._months.values():
            return []
        symbol = next((symbol for symbol, name in own.months.items() if name == month), None)
        if symbol is None:
            return []
        self._months[symbol] = month
        if symbol == own.front and (spot := self._spot.get(own.underlying)) is not None:
            # It is listened to already, and may not trade again soon.
            self._future[month] = spot[0]
        return [Subscription("Trade", symbol)]

    def series(self) -> set[Series]:
        """Those of which anything is wanted."""
        return {contract.series for contract in self._wanted}

    def expired(self, today: date) -> None:
        """Of what is no more nothing is wanted."""
        self._drop([contract for contract in self._wanted if contract.expiration < today])

    def release(self, keep: Container[OptionContract]) -> int:
        """Listens to these alone from now on; how many are given up. A chain that was looked at once is no longer worth
        its traffic."""
        gone = [contract for contract in self._wanted if contract not in keep]
        self._drop(gone)
        return len(gone)

    def _drop(self, gone: Sequence[OptionContract]) -> None:
        for contract in gone:
            self._wanted.discard(contract)
            self._options.pop(streamer_symbol(contract), None)
            self._quotes.pop(contract, None)
            self._quoted.discard(contract)
        if gone:
            self.feed.unsubscribe([Subscription("Quote", streamer_symbol(contract)) for contract in gone])

    # -- what is said -------------------------------------------------------------------------------------------------

    async def listen(self) -> None:
        """Reads the feed until it dies; raises what it died of."""
        while True:
            for one in await self.feed.next():
                match one:
                    case Rows():
                        self._rows(one)
                    case Gap():
                        self._gaps.append(one)
                    case _:
                        self.said.append(f"{one.count} events of {one.type} came faster than they could be kept")
            self.news.set()

    def _rows(self, rows: Rows) -> None:
        match rows.type:
            case "Quote":
                self._hear_quotes(rows)
            case "Trade":
                self._hear_trades(rows)
            case "Candle":
                self._hear_candles(rows)

    def _hear_quotes(self, rows: Rows) -> None:
        symbols, bids, asks = (rows.column(name) or () for name in ("eventSymbol", "bidPrice", "askPrice"))
        for symbol, bid, ask in zip(symbols, bids, asks, strict=False):
            contract = self._options.get(str(symbol))
            if contract is not None:
                inverse = 1.0 / float(contract.product.increment)
                sides = ticks(bid, inverse, up=False), ticks(ask, inverse, up=True)
                self._quotes[contract] = sides
                self._quoted.add(contract)
                self.spoken[contract.underlying] = self.feed.heard
                continue
            underlying = self._spots.get(str(symbol))
            if underlying is not None:
                spot = self._spot.setdefault(underlying, [nan] * 4)
                spot[1], spot[2] = number(bid), number(ask)
                self.spoken[underlying] = self.feed.heard
                self._changed.add(underlying)

    def _hear_trades(self, rows: Rows) -> None:
        symbols, prices = (rows.column(name) or () for name in ("eventSymbol", "price"))
        volumes = rows.column("dayVolume") or [nan] * len(symbols)
        for symbol, price, volume in zip(symbols, prices, volumes, strict=False):
            last, name = number(price), str(symbol)
            if last != last:
                continue
            if name == VIX:
                self._vix = last
            if (month := self._months.get(name)) is not None:
                self._future[month] = last
            if (underlying := self._spots.get(name)) is not None:
                spot = self._spot.setdefault(underlying, [nan] * 4)
                spot[0], spot[3] = last, number(volume)
                self.spoken[underlying] = self.feed.heard
                self._changed.add(underlying)

    def _hear_candles(self, rows: Rows) -> None:
        # By columns: a history is hundreds of rows, and every start asks for it anew.
        none = [None] * len(rows)
        columns = [rows.column(name) or none for name in ("eventSymbol", "eventFlags", *CANDLE)]
        for symbol, marks, *row in zip(*columns, strict=True):
            candle, flags = candle_of(row), whole(marks)
            kept = self._candles.setdefault(str(symbol), {})
            if flags & REMOVE or candle.close != candle.close:
                kept.pop(candle.time, None)
            else:
                kept[candle.time] = candle
            if flags & (SNAPSHOT_END | SNAPSHOT_SNIP):
                self._complete.add(str(symbol))
        self._spoke.set()

    def take(self, ts: int, only: Container[OptionContract] | None = None) -> list[Input]:
        """What has changed since it was last asked, at ``ts``: silences first, also one that still lasts. ``only``: of
        other contracts it waits, the newest of each, until everything is asked for."""
        out: list[Input] = [Silent(ts, gap.since) for gap in self._gaps]
        since = self.silent_since
        if since and since != self._silent:
            # Not only when it is over: what is decided meanwhile must know that nobody is heard.
            out.append(Silent(ts, since))
        self._silent = since
        if out:
            # What was heard before a silence and not taken yet is as old as all the rest.
            self._quotes = {c: s for c, s in self._quotes.items() if self._heard_since(c)}
        self._gaps.clear()
        spots = tuple(Spot(name, *self._spot[name]) for name in sorted(self._changed))
        futures = tuple(sorted(self._future.items()))
        taken = self._quotes if only is None else {c: s for c, s in self._quotes.items() if c in only}
        quotes = tuple(Sides(contract, bid, ask) for contract, (bid, ask) in taken.items())
        vix = self._vix
        if vix is not None:
            self.vix_at = ts
        if spots or futures or quotes or vix is not None:
            out.append(Prices(ts, spots, futures, vix, quotes))
            self.told += 1
        self._changed.clear()
        self._future.clear()
        self._quotes = {} if only is None else {c: s for c, s in self._quotes.items() if c not in only}
        self._vix = None
        return out

    @property
    def silent_since(self) -> int:
        """Since when what is wanted is not heard, UTC ns; 0 while it is."""
        return min([at for at in (self.feed.missing_since, self.stall) if at], default=0)

    @property
    def heard(self) -> int:
        """When the market was last heard, UTC ns: signs of life of a feed that tells nothing do not count."""
        return min(self.feed.heard, self.stall) if self.stall else self.feed.heard

    def _heard_since(self, contract: OptionContract) -> bool:
        top = self.feed.book.quote(streamer_symbol(contract))
        return top is not None and not top.stale

    @property
    def touched(self) -> Iterable[OptionContract]:
        """Contracts that were quoted since the last look."""
        return self._quotes.keys()

    @property
    def waiting(self) -> bool:
        """Whether there is anything to take."""
        return bool(self._changed or self._future or self._quotes or self._gaps or self._vix is not None)

    def begun(self, needed: Iterable[OptionContract], *, vix: bool) -> bool:
        """Whether there is anything to take, and each of these contracts was quoted, and ``vix`` told, now or
        before."""
        known = not vix or self._vix is not None or bool(self.vix_at)
        return self.waiting and known and self._quoted.issuperset(needed)

    # -- candles ------------------------------------------------------------------------------------------------------

    async def past(
        self, ts: int, session: date, since: Mapping[str, tuple[int, float]], *, daily: bool = True
    ) -> list[Input]:
        """Daily bars of every underlying before ``session`` where they are wanted (``daily``), and its minutes
        ``since`` an instant (UTC ns) by which the session's volume was so much."""
        since_day = at_ny(session - timedelta(days=HISTORY_DAYS), time(0))
        symbols = {each.front: name for name, each in self.names.items() if name in since}
        days = {str(CandleSymbol.of(symbol, "1d")): name for symbol, name in symbols.items() if daily}
        minute = {str(CandleSymbol.of(symbol, "1m")): name for symbol, name in symbols.items()}
        vix_daily, vix_minute = str(CandleSymbol.of(VIX, "1d")), str(CandleSymbol.of(VIX, "1m"))
        minute[vix_minute] = VIX
        begins = {VIX: (min(since.values())[0], 0.0), **since}
        wanted = [Subscription("Candle", symbol, since_day) for symbol in (*days, vix_daily) if daily]
        wanted += [Subscription("Candle", symbol, begins[name][0]) for symbol, name in minute.items()]
        everything = {each.symbol for each in wanted}
        self._complete -= everything
        self.feed.subscribe(wanted)
        try:
            await self._whole(everything)
        finally:
            # Also where nobody waits any longer: what is wanted already is not told anew.
            self.feed.unsubscribe(wanted)
        vix = {day_of(c.time): c for c in self._candles.get(vix_daily, {}).values()}
        out: list[Input] = []
        for symbol, name in days.items():
            bars = [bar(c, vix) for c in sorted(self._candles.get(symbol, {}).values(), key=lambda c: c.time)]
            out.append(History(ts, name, tuple(b for b in bars if b.day < session.toordinal())))
        for symbol, name in minute.items():
            kept = sorted(self._candles.get(symbol, {}).values(), key=lambda c: c.time)
            (floor_ns, volume), minutes = begins[name], []
            for c in kept:
                if floor_ns <= c.time and c.time + MINUTE_NS <= ts:
                    volume += c.volume
                    # What a minute ended with is known when it has ended.
                    minutes.append(Minute(c.time + MINUTE_NS, c.close, volume))
            out.append(Earlier(ts, name, tuple(minutes)))
        for symbol in everything:
            self._candles.pop(symbol, None)
        return out

    async def _whole(self, symbols: set[str]) -> None:
        while not symbols <= self._complete:
            self._spoke.clear()
            await self._spoke.wait()


def day_of(ns: int) -> int:
    """The trade date (ordinal) of a daily candle, which begins at midnight UTC."""
    return datetime.fromtimestamp(ns / 1e9, UTC).date().toordinal()


def bar(candle: Candle, vix: Mapping[int, Candle]) -> DailyBar:
    """A daily candle as a bar of history, with the close of VIX of the same day."""
    day = day_of(candle.time)
    fear = vix.get(day)
    return DailyBar(
        day, candle.open, candle.high, candle.low, candle.close, candle.volume, nan if fear is None else fear.close,
        candle.volatility,
    )  # fmt: skip


def candle_of(row: Sequence[object]) -> Candle:
    """The values of ``CANDLE`` as they came."""
    time, *values = row
    return Candle(instant(time), *map(number, values))


def number(value: object) -> float:
    """A number of the wire; NaN for anything else, and for what no market quotes."""
    if type(value) is float:
        return value if abs(value) < MOST else nan
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return nan
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return nan
    return found if abs(found) < MOST else nan


def ticks(value: object, inverse: float, *, up: bool) -> int:
    """A price in whole ticks, ``BLANK`` where there is none; between two ticks the one that is worse to trade at."""
    price = number(value)
    if price != price or price < 0:
        return BLANK
    exact = price * inverse
    near = round(exact)
    if abs(exact - near) <= NOISE * max(1.0, abs(exact)):
        return near
    return ceil(exact) if up else floor(exact)
