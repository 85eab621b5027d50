"""What closes trades: the orders, by what has come due; what of a trade is there to be closed; what is over after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sim.desk import Desk
from sim.model.event import Alert, Cancel, Decision, Submit
from sim.model.exits import Condition, patience_of
from sim.model.fill import Fill
from sim.model.instrument import OptionContract
from sim.model.order import Action, Intent, Leg, Order, OrderRequest, TimeInForce
from sim.rules.duties import Held


def request(
    desk: Desk, trade_id: str, condition: Condition, *, emergency: bool = False, limit: int | None = None
) -> OrderRequest | None:
    """Closes what is left of the legs that a condition closes. ``limit``: net ticks of one unit; None: the market's.
    None where less than a unit of each is left, as of a leg that the broker has settled in part."""
    book = desk.ledger.open[trade_id]
    trade = book.trade
    legs = tuple(
        Leg(c, abs(q) // trade.quantity, Action.BUY_TO_CLOSE if q < 0 else Action.SELL_TO_CLOSE)
        for i, (c, q) in enumerate(book.left.items())
        if abs(q) >= trade.quantity and (not condition.legs or i in condition.legs)
    )
    if not legs:
        return None
    return OrderRequest(
        trade.strategy, legs, trade.quantity, limit, Intent.CLOSE, condition.reason, TimeInForce.DAY,
        trade_id=trade_id, structure=trade.structure, cross=condition.cross, emergency=emergency,
        patience=None if condition.cross else patience_of(trade.exits),
    )  # fmt: skip


def alive(desk: Desk, trade_id: str, condition: Condition, k: int) -> Condition | None:
    """The condition for the legs that trade in column ``k``, and of which a unit is left: for all that is left where it
    names none. None where nothing does."""
    book = desk.ledger.open[trade_id]
    held = [i for i, n in enumerate(book.left.values()) if n]
    trades = [
        i for i, (contract, n) in enumerate(book.left.items())
        if abs(n) >= book.trade.quantity and not ended(desk, contract, k) and _open(desk, contract, k)
    ]  # fmt: skip
    if not trades:
        return None
    return condition if len(trades) == len(held) else replace(condition, legs=tuple(trades))


def ended(desk: Desk, contract: OptionContract, k: int) -> bool:
    """Whether a contract trades no more in column ``k``."""
    day = desk.day
    if contract.expiration > day.session:
        return False
    return contract.expiration < day.session or k >= day.last_column((contract,))


def _open(desk: Desk, contract: OptionContract, k: int) -> bool:
    """Whether its market has a column ``k``: of one account some are shut while others trade."""
    own = desk.day.days.get(contract.underlying)
    return own is not None and 0 <= k - own.offset < own.day.minutes


def claiming(desk: Desk, trade_id: str) -> list[Order]:
    """Targets that rest on a trade: its own, and one that is larger than another trade of the same opening, since it
    would close of this one too."""
    family = trade_id.partition("/")[0]
    return [
        order for order in desk.resting()
        if order.request.trade_id == trade_id
        or (order.request.trade_id.partition("/")[0] == family and exceeds(desk, order.request))
    ]  # fmt: skip


def crossing(desk: Desk, trade_id: str, condition: Condition) -> bool:
    """Whether an order that crosses closes all that a condition would close already."""
    order, closing = desk.being_closed(trade_id)
    wanted = condition.legs or [i for i, n in enumerate(desk.ledger.open[trade_id].left.values()) if n]
    return order is not None and order.request.cross and closing.issuperset(wanted)


def others(desk: Desk, request: OrderRequest, order_id: str = "") -> list[Order]:
    """Orders that close any leg of those that one closes, of the same trade; ``order_id``: that one's own."""
    legs = {leg.contract for leg in request.legs}
    working = [o for o in desk.orders.values() if o.request.trade_id == request.trade_id and o.id != order_id]
    return [o for o in working if not legs.isdisjoint(leg.contract for leg in o.request.legs)]


def instead(desk: Desk, request: OrderRequest) -> list[Order]:
    """Those that are in the place of one that is over: a target that rests is in the place of another target only."""
    return [order for order in others(desk, request) if request.resting or not order.request.resting]


def left_over(desk: Desk, astray: str = "") -> list[Decision]:
    """Of a trade that is closed nothing is left at the broker, nor of an order that goes ``astray``."""
    over = [
        order for order in desk.orders.values()
        if order.request.intent is Intent.CLOSE
        and (order.request.trade_id not in desk.ledger.open or order.id == astray)
    ]  # fmt: skip
    return [Cancel(order.id, "nothing is left for it to close") for order in over]


def too_many(desk: Desk, came: Sequence[Order]) -> list[Decision]:
    """What came along with an opening and is one too many, since something closes its trade already; and targets that
    are larger than what is left of their trades."""
    late = [order for order in came if others(desk, order.request, order.id)]
    large = [o for o in desk.resting() if o.request.trade_id in desk.ledger.open and exceeds(desk, o.request)]
    return [Cancel(name, "it would close more than there is") for name in dict.fromkeys(o.id for o in (*late, *large))]


def no_more(desk: Desk, decisions: Sequence[Decision]) -> list[Decision]:
    """Of what is being closed no more is opened."""
    cancelled = {d.order_id for d in decisions if isinstance(d, Cancel)}
    closed = [d.order.request for d in decisions if isinstance(d, Submit) and d.order.request.trade_id]
    first = dict.fromkeys(r.trade_id.partition("/")[0] for r in closed if not r.resting)
    return [
        Cancel(name, "its trade is being closed")
        for name in first
        if name in desk.orders and name not in cancelled
    ]  # fmt: skip


def outgrown(desk: Desk) -> list[Decision]:
    """Cancels of what would close more than is left, a target that rests as well. What still is to be closed is decided
    anew."""
    return [
        Cancel(order.id, "it would close more than is left of its trade")
        for order in desk.orders.values()
        if order.request.intent is Intent.CLOSE and exceeds(desk, order.request)
    ]


def exceeds(desk: Desk, request: OrderRequest) -> bool:
    """Whether an order would close more than is left of its trade."""
    book = desk.ledger.open.get(request.trade_id)
    left = {} if book is None else book.left
    return any(abs(left.get(leg.contract, 0)) < abs(leg.signed) * request.quantity for leg in request.legs)


def beside(fill: Fill, units: int) -> str:
    """That all but some units of a fill is in no books, in words."""
    legs = ", ".join(f"{leg.quantity:+d} {leg.contract.label}" for leg in fill.legs)
    more = fill.quantity - units
    return f"{fill.order_id} has filled {more} that no open trade holds (of {legs}): it is real, and not in the books"


def unmet(desk: Desk, ts: int) -> list[Decision]:
    """Of a flatten that a trade date has ended on."""
    held = len(desk.ledger.open)
    if not held:
        return []
    return [Alert(ts, f"flatten is not done: {held} trades are open; it goes on when the market does", "FAULT")]


def judged(desk: Desk, k: int) -> list[Held]:
    """Every open trade as the duties judge it, oldest first."""
    account = desk.account(k)
    strained = account.bp_used is not None and account.bp_used > account.nlv
    return [
        Held(book.remaining, desk.profit(book, k), desk.alone(book, k) if strained else None)
        for book in desk.ledger.open.values()
    ]
