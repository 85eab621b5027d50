"""The first four steps with a broker, one after the other: credentials, account, quotes, an order placed and cancelled.

Each step says first what it will send and is asked for; each ends in one line: ok, or what is missing and what to do.
The order is one that cannot fill where it is sent: a put with much intrinsic value is bid for at a fraction of it, and
above 3.00, because the old sandbox fills what is cheaper. It is cancelled at once, and also where a step fails or is
stopped after it was sent; where that cannot be done, a line says so. In production no order is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

from conf.reach import Reach
from sim.model.errors import BrokerError, TomkingError, UsageError

if TYPE_CHECKING:
    from adapters.tastytrade.rest.shapes_order import OrderInfo
    from adapters.tastytrade.sites import Site
    from adapters.tastytrade.transport import Dial

BID: Final = Decimal("3.05")
FAR: Final = 3
"""The put must be worth so many times the bid."""
SKEW_S: Final = 30.0
TRIES: Final = 40
TAKE_BACK_S: Final = 20.0
"""So long, in real time, an order is taken back for after something went wrong."""
RESUME: Final = "leave adapter.paused away, or POST /emulator/clock/resume"
OVER: Final = frozenset({"Cancelled", "Filled", "Expired", "Rejected", "Removed"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """One step. ``code`` is what the command returns where it failed."""

    step: str
    ok: bool
    said: str
    do: str = ""
    code: int = 0

    def line(self) -> str:
        rest = "" if not self.do else f"; {self.do}"
        return f"{self.step:<12} {'ok     ' if self.ok else 'MISSING'}  {self.said}{rest}"


@dataclass(slots=True)
class Sent:
    """The one order. ``standing``: it was handed to the network, and nobody has seen its end; ``order_id``: empty where
    its answer never came."""

    label: str
    order_id: str = ""
    standing: bool = False

    def send(self) -> None:
        self.standing = True

    def __str__(self) -> str:
        return f"order {self.order_id}" if self.order_id else f"the order with the identifier {self.label}"


@dataclass(slots=True)
class Walk:
    """``ask`` is put each question (True: go on), ``tell`` each outcome. ``pause`` lets seconds go by; ``clocks`` for
    the stream, where they are not the machine's."""

    broker: Reach
    ask: Callable[[str], bool]
    tell: Callable[[Outcome], None]
    dial: Dial
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    clocks: dict[str, Any] = field(default_factory=dict)
    _account: str = ""
    _spy: Decimal | None = None

    async def run(self) -> list[Outcome]:
        """The steps in their order, up to the first that fails."""
        steps: list[tuple[str, str, Callable[[], Awaitable[Outcome]]]] = [
            ("credentials", "log in and read your customer record", self.credentials),
            ("account", "read your accounts and their trading status", self.account),
            ("quotes", "stream quotes of SPY, the front /ES and VIX for some seconds", self.quotes),
            ("order", f"place one order that cannot fill (a put bid at {BID}), and cancel it", self.order),
        ]
        if self.broker.adapter == "production":
            steps.pop()
        done = []
        for name, what, step in steps:
            # A Ctrl-C that the loop has kept comes before the next question.
            await asyncio.sleep(0)
            if not self.ask(f"{self.broker.adapter}: {what}?"):
                outcome = Outcome(name, False, "left out by you", "run it again when you want it", 1)
            else:
                try:
                    outcome = await step()
                except TomkingError as error:
                    outcome = Outcome(name, False, _line(error), code=error.exit_code)
            self.tell(outcome)
            done.append(outcome)
            if not outcome.ok:
                break
        return done

    async def credentials(self) -> Outcome:
        await self.broker.auth.token()
        await self.broker.rest.accounts.customer()
        return Outcome("credentials", True, "a token was given, and the customer record can be read")

    async def account(self) -> Outcome:
        """The account that the configuration names, else the first that is open; and whether it may trade options."""
        accounts = [each for each in await self.broker.rest.accounts.list() if not each.is_closed]
        if not accounts:
            return Outcome("account", False, "no open account", "make one: developer.tastytrade.com, Sandbox", 1)
        asked, numbers = self.broker.account, [each.account_number for each in accounts]
        if asked and asked not in numbers:
            among = f"the {len(numbers)} open accounts of this grant"
            return Outcome("account", False, f"adapter.account is not among {among}", "correct the number", 1)
        self._account = asked or numbers[0]
        status = await self.broker.rest.accounts.trading_status(self._account)
        wrong = [
            words
            for words, found in (
                ("it is closed", status.is_closed),
                ("it is frozen", status.is_frozen),
                ("it may only close positions", status.is_closing_only),
                ("it is in a margin call", status.is_in_margin_call),
            )
            if found
        ]
        name = f"...{self._account[-2:]} of {len(accounts)}"
        if wrong:
            return Outcome("account", False, f"{name}: {', '.join(wrong)}",
                           "ask the broker, or take another with adapter.account=NUMBER", 1)  # fmt: skip
        first = "; it is the first, adapter.account=NUMBER takes another" if len(numbers) > 1 and not asked else ""
        futures = "" if status.is_futures_enabled else "; futures are not enabled: /ES will be refused"
        return Outcome("account", True, f"{name}: options {status.options_level or 'of unknown level'}{futures}{first}")

    async def quotes(self) -> Outcome:
        from adapters.tastytrade.backoff import Backoff
        from adapters.tastytrade.streams.dxlink import Subscription
        from adapters.tastytrade.streams.market_feed import MarketFeed
        from sim.market.manifest import DELAYED

        emulated = await self.broker.emulated()
        served = emulated.underlyings if emulated is not None else ()
        if served and "SPY" not in served:
            return Outcome("quotes", False, f"SPY is not served here: adapter.underlyings has {', '.join(served)}",
                           "add SPY to it, or leave it away", UsageError.exit_code)  # fmt: skip
        futures = await self.broker.rest.instruments.futures(products=["ES"])
        front = next((f.streamer_symbol for f in futures if f.active_month and f.streamer_symbol), "")
        wanted = {symbol for symbol in ("SPY", front) if symbol}
        trades = {"VIX"} if not served or "VIX" in served else set()
        backoff = Backoff(first=1.0, largest=5.0)
        feed = MarketFeed(
            self.broker.quote_token, self.dial, delays=lambda: (backoff.delay(n) for n in range(1, 4)), **self.clocks
        )
        heard: set[str] = set()
        async with feed:
            feed.subscribe(Subscription("Quote", symbol) for symbol in wanted)
            feed.subscribe(Subscription("Trade", symbol) for symbol in trades)
            listening = asyncio.create_task(_listen(feed, heard))
            for _ in range(TRIES):
                if heard >= wanted | trades or listening.done():
                    break
                await self.pause(0.25)
            # A feed that died says of what.
            if listening.done():
                listening.result()
            listening.cancel()
            spy = feed.book.quote("SPY")
        if spy is not None and spy.bid and spy.ask:
            self._spy = (spy.bid + spy.ask) / 2
        late = f", {DELAYED}" if feed.delayed else ""
        if self._spy is None:
            said, do = f"no quote of SPY came in {TRIES * 0.25:.0f} s{late}", "try again while the exchange is open"
            if emulated is not None and emulated.paused:
                said, do = f"{said}: the emulator's clock is paused", RESUME
            return Outcome("quotes", False, said, do, 1)
        silent = sorted((wanted | trades) - heard)
        without = f"; nothing yet of {', '.join(silent)}" if silent else ""
        return Outcome("quotes", True, f"{', '.join(sorted(heard))}{late}{without}")

    async def order(self) -> Outcome:
        """Dry run, place, cancel, and look that it is over; whatever happens in between, no order is left unsaid."""
        from adapters.tastytrade.orders.dry_run import judge, read_dry_run

        if (emulated := await self.broker.emulated()) is not None and emulated.paused:
            said = "the emulator's clock is paused: an order would never be worked, and none was sent"
            return Outcome("order", False, said, RESUME, UsageError.exit_code)
        symbol = await self._far_put()
        if symbol is None:
            return Outcome("order", False, "no put on SPY is far enough from the market", "try another day", 1)
        label = f"doctor-{self.broker.wall() // 1_000_000}"
        leg = {"instrument-type": "Equity Option", "symbol": symbol, "action": "Buy to Open", "quantity": 1}
        body = {
            "order-type": "Limit", "time-in-force": "Day", "price": BID, "price-effect": "Debit", "legs": [leg],
            "source": "tomking", "external-identifier": label,
        }  # fmt: skip
        orders = self.broker.rest.orders
        verdict = judge(read_dry_run({"data": (await orders.dry_run(self._account, body)).raw}))
        if not verdict.ok:
            return Outcome("order", False, f"the dry run was {verdict.outcome.value}: {'; '.join(verdict.reasons)}",
                           "nothing was sent", 1)  # fmt: skip
        sent = Sent(label)
        try:
            last = await self._cancelled(await self._placed(body, sent))
            sent.standing = last.status not in OVER
        finally:
            # A reading that failed, Ctrl-C, a fault of ours: the order stands all the same.
            if sent.standing:
                await self._take_back(sent)
        if last.status == "Cancelled":
            return Outcome("order", True, f"{symbol} bid at {BID}: placed, and cancelled")
        return Outcome("order", False, f"order {last.order_id} on {symbol} is {last.status}",
                       "look at it in the broker's own program, and close what it opened", 1)  # fmt: skip

    async def _far_put(self) -> str | None:
        """A put on SPY of the coming weeks that is worth a multiple of the bid."""
        assert self._spy is not None, "quotes come first"
        wanted = self._spy + BID * FAR
        for chain in await self.broker.rest.instruments.nested_chain("SPY"):
            for expiration in chain.expirations:
                if (expiration.days_to_expiration or 0) >= 5:
                    strikes = [s for s in expiration.strikes if s.put and s.strike_price and s.strike_price >= wanted]
                    if strikes:
                        return min(strikes, key=lambda s: s.strike_price or wanted).put
        return None

    async def _placed(self, body: Mapping[str, Any], sent: Sent) -> OrderInfo:
        """The order, placed, also where its answer never came and it is found by its label."""
        from adapters.tastytrade.errors import InDoubt

        try:
            placed = (await self.broker.rest.orders.place(self._account, body, sent.send)).order
        except InDoubt:
            placed = await self._find(sent.label)
            if placed is None:
                raise
        except BrokerError:
            # A refusal: there is no order.
            sent.standing = False
            raise
        assert placed is not None, "a placed order has an order in it"
        sent.order_id = placed.order_id
        return placed

    async def _take_back(self, sent: Sent) -> None:
        """Cancels what may stand at the broker, and says what came of it. Says so too when it is stopped itself."""
        outcome, why = None, ""
        try:
            async with asyncio.timeout(TAKE_BACK_S):
                if not sent.order_id and (found := await self._find(sent.label)) is not None:
                    sent.order_id = found.order_id
                if sent.order_id:
                    outcome = await self._ended(sent)
        except (TomkingError, TimeoutError) as error:
            why = f"from here it could not be cancelled ({_line(error) or 'no answer in time'})"
        finally:
            working = f"{sent} may still be working at the broker: cancel it there"
            self.tell(outcome or Outcome("order", False, working, why, BrokerError.exit_code))

    async def _ended(self, sent: Sent) -> Outcome | None:
        """What came of cancelling it at once and until it works; None where its end is not seen. BrokerError where the
        cancel itself fails. Readings may fail: a cancel needs none."""
        from adapters.tastytrade.errors import Unprocessable

        orders, taken = self.broker.rest.orders, ""
        for _ in range(TRIES):
            if not taken:
                # Refused where it is over already, or cannot be cancelled yet.
                with suppress(Unprocessable):
                    taken = (await orders.cancel(self._account, sent.order_id)).status
            try:
                status = (await orders.get(self._account, sent.order_id)).status
            except BrokerError:
                if taken:
                    return Outcome("order", True, f"{sent}: the broker took its cancel, it is {taken}")
                status = ""
            if status == "Filled":
                return Outcome("order", False, f"{sent} is {status}", "close what it opened", BrokerError.exit_code)
            if status in OVER:
                return Outcome("order", True, f"{sent} is {status}: nothing is left of it")
            await self.pause(0.5)
        return None

    async def _find(self, label: str) -> OrderInfo | None:
        """An order of which nobody knows whether it arrived, by its label."""
        for _ in range(5):
            await self.pause(1.0)
            for each in await self.broker.rest.orders.page(self._account):
                if each.external_identifier == label:
                    return each
        return None

    async def _cancelled(self, order: OrderInfo) -> OrderInfo:
        """Cancels as soon as the broker lets it, and waits until the order is over."""
        orders, asked = self.broker.rest.orders, False
        for _ in range(TRIES):
            now = await orders.get(self._account, order.order_id)
            if now.status in OVER:
                return now
            if now.cancellable and not asked:
                await orders.cancel(self._account, order.order_id)
                asked = True
            await self.pause(0.5)
        return await orders.get(self._account, order.order_id)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())


async def _listen(feed: Any, heard: set[str]) -> None:
    from adapters.tastytrade.streams.dxlink_events import Rows

    while True:
        for news in await feed.next():
            if isinstance(news, Rows):
                heard |= {event.symbol for event in news.events()}


async def network(site: Site, wall_s: Callable[[], float]) -> Outcome:
    """One request without a token: whether the broker is there, and how far this machine's clock is from its own."""
    import httpx

    from adapters.tastytrade.rest.wire import user_agent

    patience = dict.fromkeys(("connect", "read", "write", "pool"), 10.0)
    request = httpx.Request(
        "GET", f"{site.rest}/", headers={"User-Agent": user_agent()}, extensions={"timeout": patience}
    )
    try:
        async with httpx.AsyncHTTPTransport() as transport:
            answer = await transport.handle_async_request(request)
            await answer.aclose()
    except httpx.HTTPError as error:
        code = BrokerError.exit_code
        return Outcome("network", False, f"{site.rest} cannot be reached ({type(error).__name__})",
                       "check the connection, a proxy or a firewall", code)  # fmt: skip
    return clock(site.rest, answer.headers.get("date", ""), wall_s())


def clock(where: str, date_header: str, now: float) -> Outcome:
    """What the server's ``Date`` says of this machine's clock, seconds since 1970."""
    try:
        skew = now - parsedate_to_datetime(date_header).timestamp()
    except ValueError:
        return Outcome("network", True, f"{where} is there; it tells no time to check this clock by")
    if abs(skew) > SKEW_S:
        return Outcome("network", False, f"this clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the "
                       "broker's", "set it (timedatectl set-ntp true): tokens and orders go by it", 1)  # fmt: skip
    return Outcome("network", True, f"{where} is there; this clock is within {max(abs(skew), 1):.0f} s of its own")
