"""What a strategy and a rule may see: the market as it is known now, and the account.

Look-ahead is impossible by construction: a view holds one column of the day and every answer is cut at it. It reads
nothing else: no clock, no broker, no file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

import numpy as np

from sim.calendar import Session, ny
from sim.model.book import Account, Trade
from sim.model.errors import DataError
from sim.model.instrument import OptionContract, Series
from sim.model.market import BLANK, MINUTE_NS, NEVER, Chain, DailyBar, Floats, Nature, Quote, QuotePath
from sim.ports import Market, MarketDay
from sim.pricing import black76, implied
from sim.quotes import LIMITS, Freshness

PathOf = Callable[[OptionContract], QuotePath | None]
NAN = float("nan")
YEAR_NS = 365 * 86_400 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class Surface:
    """A chain with what the prices imply. Arrays over the chain's contracts; NaN where a price does not tell.

    ``forward`` in points from put-call parity, else the last price; ``t`` in years of 365 days, ``iv`` annual as a
    fraction, ``delta`` of the option on its forward (call 0..1, put -1..0).
    """

    chain: Chain
    forward: float
    t: float
    iv: Floats
    delta: Floats


class UnderlyingView:
    """One underlying as known at one moment."""

    __slots__ = ("_day", "_k", "_limits", "_market", "_paths", "_quotes", "_vix", "hours", "nature")

    def __init__(self, market: Market, day: MarketDay, hours: Session, k: int, paths: PathOf) -> None:
        self._market, self._day, self.hours, self._paths = market, day, hours, paths
        self._quotes: dict[OptionContract, Quote] = {}
        self._vix: float | None = None
        # Before its own open an underlying is not known at all: its column 0 lies ahead.
        self._k = min(k, day.minutes - 1)
        self.nature: Nature = market.nature
        self._limits = LIMITS[self.nature]

    @property
    def symbol(self) -> str:
        return self._day.underlying

    @property
    def limits(self) -> Freshness:
        return self._limits

    @property
    def spot(self) -> float:
        """The last price in points, NaN where none is known."""
        return float(self._day.path.last[self._k]) if self._k >= 0 else NAN

    @property
    def open(self) -> float:
        """The first price of the regular session (09:30 New York); NaN before it is known."""
        path = self._day.path
        return path.open if 0 <= path.open_at <= self._k else float("nan")

    @property
    def move_pct(self) -> float:
        """Per cent from the regular session's open to the last price; NaN where either is unknown."""
        start = self.open
        return 100.0 * (self.spot - start) / start if start > 0 else float("nan")

    @property
    def volume(self) -> float:
        """Contracts or shares of the session so far; NaN where the source has none."""
        return float(self._day.path.volume[self._k]) if self._k >= 0 else NAN

    @property
    def vix(self) -> float:
        """VIX as known now; NaN where the market has none."""
        if self._vix is None:
            self._vix = float(self._day.vix[self._k]) if self._k >= 0 else NAN
        return self._vix

    def lasts(self) -> Floats:
        """Last prices by minute up to now, a copy."""
        return self._day.path.last[: max(self._k + 1, 0)].copy()

    def history(self, days: int) -> tuple[DailyBar, ...]:
        """Daily bars strictly before this session, oldest first."""
        return self._market.history(self._day.underlying, self._day.session, days)

    def series(self) -> tuple[Series, ...]:
        return self._day.series()

    def expiring(self, day: date, *, morning: bool = False) -> Series | None:
        """The series that expires on ``day`` and still trades then (an AM print is unusable on its own day)."""
        found = [s for s in self._day.series() if s.expiration == day and s.product.exercise.morning == morning]
        return found[0] if found else None

    def nearest(self, dte: int, tolerance: int) -> Series | None:
        """The listed series nearest to ``dte`` days to expiration, within ``tolerance``; ties go to the later one."""
        today = self._day.session
        best: tuple[int, int] | None = None
        chosen: Series | None = None
        for s in self._day.series():
            off = abs((s.expiration - today).days - dte)
            rank = (off, -s.expiration.toordinal())
            if off <= tolerance and (best is None or rank < best):
                best, chosen = rank, s
        return chosen

    def chain(self, series: Series) -> Chain:
        if self._k < 0:
            raise DataError(f"{self.symbol} is not open yet: no chain is known")
        return self._day.chain(series, self._k)

    def forward(self, series: Series) -> float:
        return self._day.forward(series, self._k) if self._k >= 0 else NAN

    def lists(self, contract: OptionContract) -> bool:
        """Whether the session lists the contract."""
        return self._paths(contract) is not None

    def chain_minutes(self, series: Series) -> int:
        """Minutes since any contract of the series had a row."""
        age = self._day.chain_age(series)
        if self._k < 0:
            return NEVER
        return 0 if age is None else int(age[self._k])

    def quote(self, contract: OptionContract) -> Quote | None:
        """The contract's market now; None where the session does not list it."""
        found = self._quotes.get(contract)
        if found is None:
            path = self._paths(contract)
            if path is None or self._k < 0:
                return None
            k = self._k
            bid_age, ask_age = int(path.bid_age[k]), int(path.ask_age[k])
            now = self._day.open_ns + k * MINUTE_NS
            event = now - min(bid_age, ask_age, NEVER) * MINUTE_NS
            found = Quote(event, now, int(path.bid[k]), int(path.ask[k]), bid_age, ask_age)
            self._quotes[contract] = found
        return found

    def surface(self, series: Series, expires_ns: int) -> Surface:
        """Forward, implied volatilities and deltas of the chain's mids. Two-sided, uncrossed, fresh quotes only."""
        chain = self.chain(series)
        limit = self._limits.side
        ok = (chain.bid != BLANK) & (chain.ask > chain.bid) & (chain.bid_age <= limit) & (chain.ask_age <= limit)
        increment = float(series.product.increment)
        mid = np.where(ok, (chain.bid + chain.ask) * (0.5 * increment), np.nan)
        strike = chain.board.strike_e4 / 10_000.0
        is_call = ~chain.board.is_put
        forward = _parity_forward(strike, mid, is_call, chain.spot)
        t = max((expires_ns - chain.ts) / YEAR_NS, 1e-9)
        iv = implied.implied_vol(mid, forward, strike, t, is_call)
        delta = np.where(np.isnan(iv), np.nan, black76.greeks(forward, strike, t, np.nan_to_num(iv), is_call).delta)
        return Surface(chain, forward, t, iv, delta)


def _parity_forward(strike: Floats, mid: Floats, is_call: np.ndarray, spot: float) -> float:
    """K + C - P at the strike where call and put mids are nearest to each other; ``spot`` where no pair is quoted."""
    strikes, where = np.unique(strike, return_inverse=True)
    call = np.full(len(strikes), np.nan)
    put = np.full(len(strikes), np.nan)
    call[where[is_call]] = mid[is_call]
    put[where[~is_call]] = mid[~is_call]
    gap = np.abs(call - put)
    if np.isnan(gap).all():
        return spot
    i = int(np.nanargmin(gap))
    return float(strikes[i] + call[i] - put[i])


class View:
    """Now. ``trades`` are the open ones of every strategy, ``entries_today`` counts opening orders by strategy."""

    __slots__ = ("_account", "_made", "_make", "_now", "_trades", "entries_today", "session", "ts", "vix_source")

    def __init__(
        self,
        ts: int,
        session: date,
        make: Callable[[str], UnderlyingView | None],
        account: Callable[[], Account],
        trades: Callable[[], Sequence[Trade]],
        vix_source: str,
        entries_today: Mapping[str, int],
    ) -> None:
        self.ts = ts
        self._now: datetime | None = None
        self.session = session
        self._make = make
        self._made: dict[str, UnderlyingView] = {}
        self._account = account
        self._trades = trades
        self.vix_source = vix_source
        self.entries_today = entries_today

    @property
    def now(self) -> datetime:
        """New York time."""
        if self._now is None:
            self._now = ny(self.ts)
        return self._now

    @property
    def clock(self) -> time:
        """New York time of day."""
        return self.now.time()

    @property
    def account(self) -> Account:
        """The account with earlier approvals of this moment counted as if they were filled."""
        return self._account()

    @property
    def trades(self) -> Sequence[Trade]:
        return self._trades()

    def vix(self, symbol: str) -> float:
        """VIX as known now, as the market of ``symbol`` shows it; NaN where it has none."""
        return self.of(symbol).vix

    def has(self, symbol: str) -> bool:
        """Whether this market day has an underlying of that name."""
        return symbol in self._made or self._make(symbol) is not None

    def of(self, symbol: str) -> UnderlyingView:
        """One underlying; DataError where this market day has none of that name."""
        found = self._made.get(symbol)
        if found is None:
            found = self._make(symbol)
            if found is None:
                raise DataError(f"no underlying {symbol!r} on {self.session}: the run has no market day of it")
            self._made[symbol] = found
        return found
