"""The market of the contract: three puts of a stock, quoted by the minute, on one Friday. Every number is written down.

Trading begins here at 10:00 New York. From 10:03 on everything costs more, from 10:06 on less. The cases that run on
any market, the broker's own sandbox too, take puts and prices from a ``Ground``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time
from functools import cache
from typing import Final

from sim.calendar import at_ny
from sim.model.exits import Exit
from sim.model.instrument import OptionContract
from sim.model.order import Action, Approved, Intent, Leg, Order, OrderRequest, TimeInForce
from tests.hand import STOCK, HandDay, HandMarket, Sides, contract

DAY: Final = date(2024, 1, 5)
LATER: Final = date(2024, 1, 19)
TEN: Final = at_ny(DAY, time(10))
COLUMN: Final = 30
"""10:00 in minutes from the open."""
P100, P95, P90 = (contract(STOCK, LATER, strike, "P") for strike in (100, 95, 90))
UP, DOWN = COLUMN + 3, COLUMN + 6


def _sides(bid: int, ask: int, up: int, down: int) -> Sides:
    moves = [0 if k < UP else up if k < DOWN else down for k in range(390)]
    return [bid + m for m in moves], [ask + m for m in moves]


@cache
def market() -> HandMarket:
    table = {P100: _sides(120, 124, 40, -20), P95: _sides(60, 63, 20, -10), P90: _sides(20, 22, 8, -4)}
    return HandMarket((HandDay(STOCK, DAY, table, [104.0] * 390),), {LATER: 104.0})


def order(
    order_id: str,
    *legs: Leg,
    limit: int | None = 120,
    quantity: int = 1,
    tif: TimeInForce = TimeInForce.DAY,
    trade: str = "",
    exits: tuple[Exit, ...] = (),
) -> Order:
    """Of the given legs, of one P100 sold to open where there are none. It closes where its first leg does."""
    legs = legs or (sell(P100),)
    intent = Intent.OPEN if legs[0].action.opening else Intent.CLOSE
    request = OrderRequest("contract", legs, quantity, limit, intent, "test", tif, trade_id=trade, exits=exits)
    return Order.of(Approved(request), order_id, TEN)


@dataclass(frozen=True, slots=True)
class Ground:
    """What a case trades: three puts, the dearest first, and limits in ticks, credit positive.

    One of the first put is sold at ``trades`` at once, at ``rests`` never, at ``later`` not now (on the market made by
    hand from 10:03 on); it is bought back at ``closes``. ``spread``: the first sold and the second bought, at once.
    ``fly``: the first and the third sold and two of the second bought, at once. ``stem`` begins every id, so that an
    account that remembers takes no order for another.
    """

    puts: tuple[OptionContract, OptionContract, OptionContract]
    trades: int
    rests: int
    later: int
    closes: int
    spread: int
    fly: int
    stem: str = ""

    def order(
        self,
        name: str,
        *legs: Leg,
        limit: int | None = None,
        quantity: int = 1,
        tif: TimeInForce = TimeInForce.DAY,
        trade: str = "",
    ) -> Order:
        """Of the given legs, of the first put sold where there are none; at ``trades`` where no limit is given."""
        legs = legs or (sell(self.puts[0]),)
        limit = self.trades if limit is None else limit
        return order(f"{self.stem}{name}", *legs, limit=limit, quantity=quantity, tif=tif, trade=trade)


HAND: Final = Ground((P100, P95, P90), trades=120, rests=500, later=150, closes=-130, spread=50, fly=10)


def sell(what: OptionContract, ratio: int = 1) -> Leg:
    return Leg(what, ratio, Action.SELL_TO_OPEN)


def buy(what: OptionContract, ratio: int = 1) -> Leg:
    return Leg(what, ratio, Action.BUY_TO_OPEN)


def buy_back(what: OptionContract, ratio: int = 1) -> Leg:
    return Leg(what, ratio, Action.BUY_TO_CLOSE)
