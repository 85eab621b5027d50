"""The trading half of ``python_flow``: a desk of one login, a spread, a future, complex orders, what is refused."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from typing import Any, Final

from tastytrade import Account, AlertStreamer, Session
from tastytrade.account import AccountBalance, CurrentPosition
from tastytrade.instruments import Equity, Future, FutureOption, NestedOptionChain, Option
from tastytrade.order import (
    InstrumentType,
    LimitOrder,
    MarketOrder,
    OCOOrder,
    OrderAction,
    OrderStatus,
    OrderTimeInForce,
    OTOCOOrder,
    PlacedComplexOrder,
    PlacedOrder,
    StopOrder,
)
from tastytrade.utils import TastytradeError

PATIENCE: Final = 10.0
"""Seconds to wait for a message that must come."""
Doc = dict[str, Any]


def dumped(model: Any) -> Any:
    """A model of the package as JSON, decimals as text."""
    return model.model_dump(mode="json")


class Desk:
    """One login, one account, and the emulator's clock."""

    def __init__(self, session: Session, account: Account, rest: str) -> None:
        self.session, self.account, self.rest = session, account, rest

    async def step(self, seconds: float) -> None:
        """Moves the market's time; what that brings about has happened on return."""
        body = json.dumps({"seconds": seconds}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.rest}/emulator/clock/step", body, headers)
        await asyncio.to_thread(lambda: urllib.request.urlopen(request, timeout=PATIENCE).close())

    async def options(self, *symbols: str) -> list[Option]:
        return [await Option.get(self.session, symbol) for symbol in symbols]


async def until(listened: AsyncIterator[Any], wanted: Callable[[Any], bool]) -> list[Any]:
    """Everything that comes, up to and with the first that is wanted."""
    seen = []
    async with asyncio.timeout(PATIENCE):
        async for each in listened:
            seen.append(each)
            if wanted(each):
                return seen
    raise AssertionError("the stream ended before what was wanted came")


async def refused(call: Awaitable[Any]) -> str:
    """What the package says of a call that must fail."""
    try:
        await call
    except TastytradeError as error:
        return str(error).strip()
    return ""


class Spread:
    """A short put spread: its two options and their quotes."""

    def __init__(self, short: Option, long: Option, quotes: Doc) -> None:
        self.short, self.long = short, long
        bid, ask = (Decimal(quotes[short.streamer_symbol][key]) for key in ("bid_price", "ask_price"))
        low, high = (Decimal(quotes[long.streamer_symbol][key]) for key in ("bid_price", "ask_price"))
        self.natural, self.beyond = bid - high, ask - low + Decimal("0.20")
        """The credit that fills at once, and one that does not fill."""
        self.close = ask - low

    def legs(self, short: OrderAction, long: OrderAction) -> list[Any]:
        return [self.short.build_leg(1, short), self.long.build_leg(1, long)]

    def opening(self, price: Decimal) -> LimitOrder:
        return LimitOrder(legs=self.legs(OrderAction.SELL_TO_OPEN, OrderAction.BUY_TO_OPEN), price=price)


async def spread_traded(desk: Desk, alerts: AlertStreamer, spread: Spread) -> Doc:
    """Dry run, place, replace by a price that fills, and close; with all that the account stream says of it."""
    session, account = desk.session, desk.account
    orders = alerts.listen(PlacedOrder)
    dry = await account.place_order(session, spread.opening(spread.beyond), dry_run=True)
    placed = await account.place_order(session, spread.opening(spread.beyond), dry_run=False)
    await desk.step(1)
    resting = await until(orders, lambda o: o.id == placed.order.id and o.status == OrderStatus.LIVE)
    live = [dumped(each) for each in await account.get_live_orders(session)]
    held = await account.get_balances(session)
    successor = await account.replace_order(session, placed.order.id, spread.opening(spread.natural))
    await desk.step(1)
    replaced = await until(orders, lambda o: o.id == successor.id and o.status == OrderStatus.FILLED)
    balance = await until(alerts.listen(AccountBalance), lambda b: b.cash_balance > 100_000)
    positions = await until(alerts.listen(CurrentPosition), lambda p: p.symbol == spread.long.symbol)
    after = await account.get_positions(session, include_marks=True)
    legs = spread.legs(OrderAction.BUY_TO_CLOSE, OrderAction.SELL_TO_CLOSE)
    closing = await account.place_order(session, LimitOrder(legs=legs, price=-spread.close), dry_run=False)
    await desk.step(1)
    closed = await until(orders, lambda o: o.id == closing.order.id and o.status == OrderStatus.FILLED)
    day = resting[0].received_at.date()
    return {
        "dry": dumped(dry),
        "placed": dumped(placed),
        "live": live,
        "held": str(held.derivative_buying_power),
        "resting": [dumped(each) for each in resting],
        "successor": dumped(successor),
        "replaced": [dumped(each) for each in replaced],
        "average": str(replaced[-1].average_fill_price()),
        "balance": dumped(balance[-1]),
        "positions": [dumped(each) for each in positions],
        "after": [dumped(each) for each in after],
        "closed": [dumped(each) for each in closed],
        "left": [each.symbol for each in await account.get_positions(session)],
        "history": [dumped(e) for e in await account.get_order_history(session, per_page=2, page_offset=None)],
        "cancelled": [o.id for o in await account.get_order_history(session, statuses=[OrderStatus.CANCELLED])],
        "transactions": [dumped(each) for each in await account.get_history(session)],
        "trades": len(await account.get_history(session, type="Trade", start_date=day)),
        "fees": str((await account.get_total_fees(session, day)).total_fees),
    }


async def future_traded(desk: Desk, alerts: AlertStreamer, future_option: FutureOption, price: Decimal) -> Doc:
    """A naked put on a future, cancelled; a future bought at market and sold again."""
    session, account, orders = desk.session, desk.account, alerts.listen(PlacedOrder)
    legs = [future_option.build_leg(1, OrderAction.SELL_TO_OPEN)]
    put = LimitOrder(time_in_force=OrderTimeInForce.GTC, price=price, legs=legs)
    dry = await account.place_order(session, put, dry_run=True)
    placed = await account.place_order(session, put, dry_run=False)
    await desk.step(1)
    await account.delete_order(session, placed.order.id)
    await desk.step(1)
    cancelled = await until(orders, lambda o: o.id == placed.order.id and o.status == OrderStatus.CANCELLED)
    future = await Future.get(session, "/ESU4")
    bought = await account.place_order(
        session, MarketOrder(legs=[future.build_leg(1, OrderAction.BUY)]), dry_run=False
    )  # fmt: skip
    await desk.step(1)
    filled = await until(orders, lambda o: o.id == bought.order.id and o.status == OrderStatus.FILLED)
    held = await account.get_positions(session, instrument_type=InstrumentType.FUTURE)
    sold = await account.place_order(session, MarketOrder(legs=[future.build_leg(1, OrderAction.SELL)]), dry_run=False)
    await desk.step(1)
    await until(orders, lambda o: o.id == sold.order.id and o.status == OrderStatus.FILLED)
    return {
        "dry": dumped(dry),
        "cancelled": [dumped(each) for each in cancelled],
        "again": await refused(account.delete_order(session, placed.order.id)),
        "filled": dumped(filled[-1]),
        "held": [dumped(each) for each in held],
    }


async def complex_traded(desk: Desk, alerts: AlertStreamer, mid: Decimal) -> Doc:
    """OTOCO: dry run, placed, looked at, cancelled; then one whose trigger fills, so that its OCO works."""
    session, account = desk.session, desk.account
    share = await Equity.get(session, "SPY")

    def otoco(price: Decimal) -> OTOCOOrder:
        closing = [share.build_leg(10, OrderAction.SELL_TO_CLOSE)]
        return OTOCOOrder(
            trigger_order=LimitOrder(price=-price, legs=[share.build_leg(10, OrderAction.BUY_TO_OPEN)]),
            take_profit=LimitOrder(time_in_force=OrderTimeInForce.GTC, price=mid + 10, legs=closing),
            stop_loss=StopOrder(time_in_force=OrderTimeInForce.GTC, stop_trigger=mid - 10, legs=closing),
        )

    dry = await account.place_complex_order(session, otoco(mid - 5), dry_run=True)
    placed = await account.place_complex_order(session, otoco(mid - 5), dry_run=False)
    await desk.step(1)
    waiting = await account.get_complex_order(session, placed.complex_order.id)
    await account.delete_complex_order(session, placed.complex_order.id)
    await desk.step(1)
    told = await until(
        alerts.listen(PlacedComplexOrder), lambda c: c.id == placed.complex_order.id and c.terminal_at is not None
    )  # fmt: skip
    second = await account.place_complex_order(session, otoco(mid + 1), dry_run=False)
    for _ in range(3):
        await desk.step(1)
    working = await account.get_complex_order(session, second.complex_order.id)
    live = [each.id for each in await account.get_live_complex_orders(session)]
    await account.delete_complex_order(session, second.complex_order.id)
    await desk.step(1)
    closing = [share.build_leg(10, OrderAction.SELL_TO_CLOSE)]
    oco = await account.place_complex_order(
        session,
        OCOOrder(
            take_profit=LimitOrder(price=mid + 10, legs=closing),
            stop_loss=StopOrder(stop_trigger=mid - 10, legs=closing),
        ),
        dry_run=True,
    )  # fmt: skip
    return {
        "dry": dumped(dry),
        "placed": dumped(placed),
        "waiting": dumped(waiting),
        "told": [dumped(each) for each in told],
        "working": dumped(working),
        "live": live,
        "history": [each.id for each in await account.get_complex_order_history(session)],
        "oco": dumped(oco),
    }


async def condor(desk: Desk, chain: NestedOptionChain) -> Doc:
    """A dry run of four legs in the index's weekly root, by the login of a sandbox."""
    near = chain.expirations[1].strikes
    middle = len(near) // 2
    sides = [
        (near[middle - 21].put, OrderAction.BUY_TO_OPEN), (near[middle - 20].put, OrderAction.SELL_TO_OPEN),
        (near[middle + 20].call, OrderAction.SELL_TO_OPEN), (near[middle + 21].call, OrderAction.BUY_TO_OPEN),
    ]  # fmt: skip
    legs = [(await Option.get(desk.session, symbol)).build_leg(2, action) for symbol, action in sides]
    order = LimitOrder(price=Decimal("0.50"), legs=legs)
    async with Session(desk.session.provider_secret, desk.session.refresh_token, is_test=True) as sandbox:
        return {"dry": dumped(await desk.account.place_order(sandbox, order, dry_run=True))}


async def errors(desk: Desk, spread: Spread, line: Doc) -> Doc:
    """What cannot be done, in the words that the package finds in the answers."""
    session, account = desk.session, desk.account
    leg = spread.short.build_leg(1, OrderAction.SELL_TO_OPEN)
    gtc = MarketOrder(time_in_force=OrderTimeInForce.GTC, legs=[leg])
    debit = LimitOrder(price=Decimal(-1), legs=[leg])
    huge = LimitOrder(price=Decimal(1), legs=[spread.short.build_leg(5_000, OrderAction.SELL_TO_OPEN)])
    nothing = LimitOrder(price=Decimal(1), legs=[leg.model_copy(update={"symbol": "SPY   240531P99999000"})])
    effect = await account.get_order_buying_power_effect(session, huge)
    other = Account(**{**account.model_dump(), "account_number": "5WT99999"})
    wrong = Session(line["client_secret"], "not-a-token")
    return {
        "gtc_market": await refused(account.place_order(session, gtc, dry_run=True)),
        "sold_for_debit": await refused(account.place_order(session, debit, dry_run=False)),
        "too_large": await refused(account.place_order(session, huge, dry_run=False)),
        "too_large_effect": dumped(effect),
        "unknown_option": await refused(account.place_order(session, nothing, dry_run=True)),
        "no_such_order": await refused(account.get_order(session, 1)),
        "other_account": await refused(other.get_balances(session)),
        "wrong_token": await refused(wrong.refresh()),
    }
