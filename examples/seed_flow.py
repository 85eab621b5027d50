"""The whole way over TastyTrade's wire, step by step: from a login to an order's last update.

    python examples/seed_flow.py               # against an emulator that it starts for itself
    tomking emulator > emulator.json &
    python examples/seed_flow.py emulator.json # against one that runs, by its line of addresses and keys

It sends orders, so it goes to an emulator only: any address but this machine's is refused. Read it from ``flow`` down:
each step is one function.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from adapters.tastytrade.auth import Auth
from adapters.tastytrade.credentials import Credentials
from adapters.tastytrade.orders.bodies import price_fields
from adapters.tastytrade.orders.dry_run import judge, read_dry_run
from adapters.tastytrade.rest.client import Rest
from adapters.tastytrade.rest.orders import Filter
from adapters.tastytrade.rest.shapes_instrument import FutureExpiration, Strike
from adapters.tastytrade.rest.shapes_order import OrderInfo
from adapters.tastytrade.sites import LOOPBACK, Environment, Site
from adapters.tastytrade.streams.account_feed import AccountFeed
from adapters.tastytrade.streams.account_stream import Notice
from adapters.tastytrade.streams.dxlink import Subscription
from adapters.tastytrade.streams.dxlink_events import Event, Greeks, Quote, Rows, Trade
from adapters.tastytrade.streams.market_feed import MarketFeed, QuoteToken
from adapters.tastytrade.transport import Dial, dial
from sim.model.errors import TomkingError, UsageError

HELP = """\
seed_flow: the whole way over TastyTrade's wire, from a login to an order's last update; against an emulator only

usage: python examples/seed_flow.py [FILE]

  FILE    the line of addresses and keys of a running emulator: tomking emulator > FILE &
          without it, it starts an emulator for itself"""
KEYS = ("rest", "account_streamer", "client_secret", "refresh_token")
WORKING = ("Received", "Routed", "In Flight", "Live", "Contingent")
Tell = Callable[[str], None]


@dataclass(slots=True)
class Wire:
    """One broker: REST, a way to dial its streams, and how to let time go by (a test has its own)."""

    rest: Rest
    auth: Auth
    dial: Dial = dial
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    more: Mapping[str, Any] = field(default_factory=dict)
    """Clocks for the streams, where they are not the machine's."""

    async def quote_token(self) -> QuoteToken:
        got = await self.rest.accounts.quote_token()
        return QuoteToken(got.token, got.dxlink_url, got.level)


class Market:
    """DXLink with the latest event of each type and symbol."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.feed = MarketFeed(wire.quote_token, wire.dial, delays=delays, **wire.more)
        self._latest: dict[tuple[str, str], Event] = {}

    async def __aenter__(self) -> Market:
        await self.feed.__aenter__()
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *failure: Any) -> None:
        self._reading.cancel()
        await self.feed.__aexit__(*failure)

    async def latest(self, kind: str, symbol: str) -> Event:
        """Subscribes where that was not done, and waits for the first event."""
        self.feed.subscribe([Subscription(kind, symbol)])
        await until(self._wire, lambda: (kind, symbol) in self._latest)
        return self._latest[kind, symbol]

    async def quote(self, symbol: str) -> Quote:
        found = await self.latest("Quote", symbol)
        assert isinstance(found, Quote)
        return found

    async def _read(self) -> None:
        while True:
            for news in await self.feed.next():
                if isinstance(news, Rows):
                    self._latest |= {(news.type, event.symbol): event for event in news.events()}


async def flow(wire: Wire, tell: Tell = print) -> None:
    """The steps, in their order."""
    account = await who_am_i(wire, tell)
    async with Market(wire) as market:
        await what_do_i_have(wire, account, tell)
        chosen = await what_is_listed(wire, market, tell)
        await what_does_it_cost(wire, market, tell)
        updates: list[str] = []
        stream = AccountFeed(
            [account], wire.auth.token, wire.rest.site.account_streamer, wire.dial,
            lambda: snapshot(wire.rest, account), delays=delays, **wire.more,
        )  # fmt: skip
        async with stream:
            listening = asyncio.create_task(listen(stream, updates))
            try:
                await until(wire, lambda: not stream.stale)
                await have_something_open(wire, account, chosen)
                await greeks_of_every_open_option(wire, market, account, tell)
                await sell_a_spread(wire, market, account, chosen, tell)
                cancelled = await work_a_put(wire, market, account, chosen.put, tell)
                await until(wire, lambda: f"order {cancelled} Cancelled" in updates)
            finally:
                listening.cancel()
    tell(f"order updates     {len(updates)} from the account stream:")
    for line in updates:
        tell(f"                  {line}")


# --- 1. Authenticate; customer, accounts ------------------------------------------------------------------------------


async def who_am_i(wire: Wire, tell: Tell) -> str:
    """A token from the refresh token; it is renewed by itself. No number is printed whole."""
    await wire.auth.token()
    customer = await wire.rest.accounts.customer()
    accounts = await wire.rest.accounts.list()
    tell(f"authenticated     customer {customer.id}, {len(accounts)} account(s)")
    for each in accounts:
        tell(f"account           ...{each.account_number[-2:]}, {each.margin_or_cash}, {each.authority_level}")
    return accounts[0].account_number


# --- 2. Balances, positions, trading status ---------------------------------------------------------------------------


async def what_do_i_have(wire: Wire, account: str, tell: Tell) -> None:
    balance = await wire.rest.accounts.balance(account)
    positions = await wire.rest.accounts.positions(account)
    status = await wire.rest.accounts.trading_status(account)
    tell(f"balance           net liquidating value {balance.net_liquidating_value}, "
         f"option buying power {balance.derivative_buying_power}")  # fmt: skip
    tell(f"positions         {len(positions)}")
    tell(f"trading status    options {status.options_level!r}, futures {status.is_futures_enabled}")


# --- 3. Nested chains and the details of an option --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Chosen:
    """A put on SPY some 3 % below the money and the two calls of a spread on the front /ES; and what is bought first,
    so that something is open."""

    put: str
    short: Strike
    long: Strike
    bought_put: str
    bought_call: str


async def what_is_listed(wire: Wire, market: Market, tell: Tell) -> Chosen:
    chains = await wire.rest.instruments.nested_chain("SPY")
    month = next(e for e in chains[0].expirations if (e.days_to_expiration or 0) >= 7)
    spy = await price(market, "SPY")
    below = [s for s in month.strikes if s.strike_price is not None and s.strike_price <= spy * Decimal("0.97")]
    lower, put = (s.put for s in sorted(below, key=lambda s: s.strike_price or 0)[-2:])
    tell(f"nested chain      SPY: {len(chains[0].expirations)} expirations; {month.expiration_date} has "
         f"{len(month.strikes)} strikes")  # fmt: skip
    option = await wire.rest.instruments.equity_option(put)
    tell(f"option            {option.symbol}: {option.exercise_style}, streams as {option.streamer_symbol}")

    futures = await wire.rest.instruments.nested_future_chain("ES")
    # The future under an option stands in the chain; it does not follow from the option's month.
    expirations: list[FutureExpiration] = [e for chain in futures.option_chains for e in chain.expirations]
    near = min((e for e in expirations if e.settlement_type == "PM"), key=lambda e: str(e.expiration_date))
    front = next(f for f in futures.futures if f.symbol == near.underlying_symbol)
    es = await price(market, front.streamer_symbol)
    above = sorted(
        (s for s in near.strikes if s.strike_price is not None and s.strike_price > es + 10),
        key=lambda s: s.strike_price or Decimal(0),
    )
    detail = await wire.rest.instruments.future_option(above[0].call)
    tell(f"future option     {detail.symbol} on {detail.underlying_symbol}: {detail.dollars:f} dollars a point")
    return Chosen(put, above[0], above[4], lower, above[8].call)


# --- 4. Quotes: by type over REST, live over DXLink -------------------------------------------------------------------


async def what_does_it_cost(wire: Wire, market: Market, tell: Tell) -> None:
    """VIX is an index and asked for as one; the front /ES is named by its month and its exchange."""
    for quote in await wire.rest.market.by_type({"equity": ["SPY"], "index": ["VIX"]}):
        tell(f"quote by type     {quote.symbol} ({quote.instrument_type}): bid {quote.bid}, ask {quote.ask}, "
             f"last {quote.last}")  # fmt: skip
    futures = await wire.rest.instruments.futures(products=["ES"])
    front = next(f for f in futures if f.active_month)
    for symbol in ("SPY", front.streamer_symbol):
        top = await market.quote(symbol)
        late = ", 15 minutes late" if market.feed.delayed else ""
        tell(f"DXLink            {symbol}: {top.bid} / {top.ask}{late}")
    vix = await market.latest("Trade", "VIX")
    assert isinstance(vix, Trade)
    tell(f"DXLink            VIX: {vix.price}, an index has no bid and no ask")


async def price(market: Market, symbol: str) -> Decimal:
    """The middle of a quote."""
    quote = await market.quote(symbol)
    assert quote.bid is not None
    assert quote.ask is not None
    return (quote.bid + quote.ask) / 2


# --- 5. Greeks of every open option, those on futures too -------------------------------------------------------------


async def have_something_open(wire: Wire, account: str, chosen: Chosen) -> None:
    """A new account holds nothing: one put on SPY and one call on /ES are bought at market."""
    for kind, symbol in (("Equity Option", chosen.bought_put), ("Future Option", chosen.bought_call)):
        await wire.rest.orders.place(account, order("Market", [leg(kind, symbol, "Buy to Open")]))
    for _ in range(20):
        await wire.pause(0.5)
        if len(await wire.rest.accounts.positions(account)) == 2:
            return


async def greeks_of_every_open_option(wire: Wire, market: Market, account: str, tell: Tell) -> None:
    """Positions do not name the streamer symbol: the instrument does."""
    names: dict[str, str] = {}
    for position in await wire.rest.accounts.positions(account):
        match position.instrument_type:
            case "Equity Option":
                names[(await wire.rest.instruments.equity_option(position.symbol)).streamer_symbol] = position.symbol
            case "Future Option":
                names[(await wire.rest.instruments.future_option(position.symbol)).streamer_symbol] = position.symbol
    for name, symbol in names.items():
        g = await market.latest("Greeks", name)
        assert isinstance(g, Greeks)
        tell(f"Greeks            {symbol}: delta {g.delta:.3f}, theta {g.theta:.2f}, vega {g.vega:.2f}, "
             f"volatility {g.volatility:.3f}")  # fmt: skip


# --- 6. Orders: dry run, credit spread, naked put, what works, replace, cancel ----------------------------------------


async def sell_a_spread(wire: Wire, market: Market, account: str, chosen: Chosen, tell: Tell) -> None:
    """Dry run first: what it would cost, with the effects that say whether an amount comes or goes."""
    short, long = chosen.short, chosen.long
    sold = await market.quote(short.call_streamer_symbol)
    bought = await market.quote(long.call_streamer_symbol)
    assert sold.bid is not None
    assert bought.ask is not None
    credit = on_tick(sold.bid - bought.ask, Decimal("0.05"))
    legs = [leg("Future Option", short.call, "Sell to Open"), leg("Future Option", long.call, "Buy to Open")]
    body = order("Limit", legs, credit)
    answer = await wire.rest.orders.dry_run(account, body)
    said = read_dry_run({"data": answer.raw})
    verdict = judge(said)
    tell(
        f"dry run           buying power {said.change_in_buying_power}, fees {said.total_fees}: {verdict.outcome.value}"
    )
    if verdict.ok:
        placed = await wire.rest.orders.place(account, body)
        tell(f"credit spread     order {of(placed.order).order_id} for {credit}: {of(placed.order).status}")


async def work_a_put(wire: Wire, market: Market, account: str, put: str, tell: Tell) -> str:
    """A naked put above the market, which rests; then for less, then not at all. The id of the last one."""
    streamer = (await wire.rest.instruments.equity_option(put)).streamer_symbol
    top = await market.quote(streamer)
    assert top.ask is not None
    body = order("Limit", [leg("Equity Option", put, "Sell to Open")], top.ask + 1, "GTC")
    placed = of((await wire.rest.orders.place(account, body)).order)
    tell(f"naked put         order {placed.order_id} for {placed.price}: {placed.status}")
    await wire.pause(1.0)

    working = [each async for each in wire.rest.orders.all(account, Filter(status=WORKING))]
    tell(f"live orders       {', '.join(f'{each.order_id} {each.status}' for each in working)}")

    cheaper = {"order-type": "Limit", "time-in-force": "GTC", **price_fields(top.ask + Decimal("0.50"))}
    successor = await wire.rest.orders.replace(account, placed.order_id, cheaper)
    tell(f"replaced          {placed.order_id} by {successor.order_id} for {successor.price}: {successor.status}")
    await wire.pause(1.0)
    cancelled = await wire.rest.orders.cancel(account, successor.order_id)
    tell(f"cancelled         {cancelled.order_id}: {cancelled.status}")
    return cancelled.order_id


def order(
    kind: str, legs: Sequence[Mapping[str, object]], net: Decimal | None = None, tif: str = "Day"
) -> dict[str, object]:
    """The body of an order; ``net`` in points, credit positive. Its identifier is how it is found again after a
    time-out, when nobody knows whether it arrived."""
    body: dict[str, object] = {"order-type": kind, "time-in-force": tif, "legs": list(legs)}
    return body | (price_fields(net) if net is not None else {})


def leg(kind: str, symbol: str, action: str) -> Mapping[str, object]:
    return {"instrument-type": kind, "symbol": symbol, "action": action, "quantity": 1}


def on_tick(price: Decimal, tick: Decimal) -> Decimal:
    return max((price / tick).to_integral_value(ROUND_DOWN) * tick, tick)


def of(placed: OrderInfo | None) -> OrderInfo:
    assert placed is not None, "a placed order has an order in it"
    return placed


# --- 7. Order updates -------------------------------------------------------------------------------------------------


async def snapshot(rest: Rest, account: str) -> Iterable[Notice]:
    """The stream replays nothing: what stands already is read over REST after each connection."""
    balance = await rest.accounts.balance(account)
    positions = await rest.accounts.positions(account)
    working = [each async for each in rest.orders.all(account, Filter(status=WORKING))]
    return [
        *(Notice("Order", each.raw) for each in working),
        *(Notice("CurrentPosition", each.raw) for each in positions),
        Notice("AccountBalance", balance.raw),
    ]


async def listen(stream: AccountFeed, updates: list[str]) -> None:
    """Every object comes whole; of orders one line is kept."""
    while True:
        news = await stream.next()
        if isinstance(news, Notice) and news.type == "Order":
            fills = sum(len(each.get("fills", ())) for each in _legs(news.data))
            updates.append(f"order {news.data['id']} {news.data['status']}{f', {fills} fill(s)' if fills else ''}")


def _legs(data: Mapping[str, object]) -> Sequence[Mapping[str, Any]]:
    legs = data.get("legs")
    return legs if isinstance(legs, list) else ()


# --- The ground -------------------------------------------------------------------------------------------------------


async def until(wire: Wire, there: Callable[[], bool], times: int = 200) -> None:
    """Lets time go by until something is there."""
    for _ in range(times):
        if there():
            return
        await wire.pause(0.05)
    raise TimeoutError("the broker did not say it in time")


def delays() -> Iterator[float]:
    """How long to wait between two connections."""
    return iter((0.5, 1.0, 2.0, 5.0, 10.0))


def keys_of(path: str) -> Mapping[str, str]:
    """The addresses and keys that an emulator printed. UsageError for anything else, and for addresses that are not of
    this machine: orders go out."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise UsageError(f"{path!r} cannot be read ({why}): wanted what `tomking emulator` prints") from None
    try:
        found = json.loads((text.splitlines() or ["{}"])[0])
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(found.get(key), str) for key in KEYS):
        raise UsageError(f"{path!r} does not begin with the line of a running emulator, JSON with {', '.join(KEYS)}")
    for key in ("rest", "account_streamer"):
        if (host := _host(found[key])) not in LOOPBACK:
            raise UsageError(
                f"{key} of {path!r} is at {host or 'no host'}: it sends orders, so it goes to this machine only"
            )
    return found


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


async def walk(arguments: Sequence[str]) -> None:
    if not arguments:
        # The composition root knows how to make an emulator of a market.
        from conf.reach import reach

        async with reach("emulator") as broker:
            await flow(Wire(broker.rest, broker.auth))
        return
    keys = keys_of(arguments[0])
    site = Site(Environment.SANDBOX, keys["rest"], keys["account_streamer"])
    auth = Auth(site, Credentials(keys["client_secret"], keys["refresh_token"]))
    try:
        async with Rest(site, auth) as rest:
            await flow(Wire(rest, auth))
    finally:
        await auth.aclose()


def main(arguments: Sequence[str]) -> int:
    """What the process returns: 0, 2 for words that do not fit, 4 for a broker that cannot be reached."""
    if "--help" in arguments or "-h" in arguments:
        print(HELP)
        return 0
    try:
        if len(arguments) > 1 or any(word.startswith("-") for word in arguments):
            raise UsageError(f"{' '.join(arguments)!r} does not fit: wanted one FILE or nothing; --help says more")
        asyncio.run(walk(arguments))
    except TomkingError as error:
        print(f"seed_flow: {error}", file=sys.stderr)
        return error.exit_code
    except TimeoutError as error:
        print(f"seed_flow: {str(error) or 'the broker did not answer in time'}", file=sys.stderr)
        return 4
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
