"""The whole state at one moment of a run: market, every position at its quotes, account, what a broker would do.

``explain --at`` prints it, the table of 5 August is made of it: one function, so that each number there can be looked
up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sim.calendar import Venue, load_calendar, ny
from sim.desk import Desk
from sim.ledger import OpenTrade
from sim.liquidation import Liquidation, bought_back, liquidated
from sim.model.errors import DataError
from sim.model.instrument import OptionContract
from sim.model.market import BLANK
from sim.pricing.implied import implied_vol
from sim.session import Session
from sim.view import YEAR_NS, View

NAN = float("nan")


@dataclass(frozen=True, slots=True)
class LegState:
    """One contract of a trade: signed contracts, bid, ask and price of what it is on in points (NaN: not there),
    implied volatility of the mid (a fraction)."""

    label: str
    quantity: int
    bid: float
    ask: float
    forward: float
    iv: float


@dataclass(frozen=True, slots=True)
class TradeState:
    """One open trade; money in account currency. ``profit`` at its last trusted mark, ``natural`` if it were bought
    back now (NaN: a side is missing), ``margin`` that it uses by itself (NaN: unknown)."""

    id: str
    strategy: str
    structure: str
    quantity: int
    profit: float
    natural: float
    margin: float
    legs: tuple[LegState, ...]


@dataclass(frozen=True, slots=True)
class State:
    """A moment; money in account currency, ``ts`` UTC ns. ``nlv`` at last trusted marks, ``natural`` if everything
    were bought back now, ``bp_used`` buying power (NaN: unknown). ``spots`` by underlying, points."""

    ts: int
    name: str
    spots: Mapping[str, float]
    vix: float
    label: str
    cash: float
    nlv: float
    natural: float
    bp_used: float
    trades: tuple[TradeState, ...]
    liquidation: Liquidation | None


def look(session: Session, view: View, name: str, label: Callable[[float], str]) -> State:
    """The state at the view's moment."""
    desk = session.engine.desk
    k = desk.day.column(view.ts)
    spots = {u: view.of(u).spot for u in desk.day.days}
    cost = bought_back(desk, k)
    try:
        used = float(desk.bp_used(k))
    except DataError:
        used = NAN
    try:
        forced = liquidated(desk, k)
    except DataError:
        forced = None
    vix = view.vix(next(iter(desk.day.days)))
    return State(
        ts=view.ts, name=name, spots=spots, vix=vix, label=label(vix),
        cash=float(desk.ledger.cash), nlv=float(desk.nlv(k)),
        natural=NAN if cost is None else float(desk.ledger.cash - cost), bp_used=used,
        trades=tuple(_trade(desk, book, k) for book in desk.ledger.open.values()), liquidation=forced,
    )  # fmt: skip


def _trade(desk: Desk, book: OpenTrade, k: int) -> TradeState:
    t = book.trade
    alone, cost = desk.alone(book, k), bought_back(desk, k, [book])
    legs = tuple(_leg(desk, contract, n, k) for contract, n in book.left.items() if n)
    profit = desk.profit(book, k)
    natural = NAN if cost is None else float(book.gross - book.fees - cost)
    return TradeState(
        t.id, t.strategy, t.structure, t.quantity, float(profit), natural, NAN if alone is None else float(alone), legs
    )


def _leg(desk: Desk, contract: OptionContract, quantity: int, k: int) -> LegState:
    own, quotes = desk.day.of(contract.underlying), desk.day.live(contract)
    i, unit = min(k - own.offset, own.day.minutes - 1), float(contract.product.increment)
    bid = ask = NAN
    if quotes is not None and i >= 0:
        bid, ask = (NAN if int(side[i]) == BLANK else int(side[i]) * unit for side in (quotes.bid, quotes.ask))
    forward = own.day.forward(contract.series, i) if i >= 0 else NAN
    return LegState(contract.label, quantity, bid, ask, forward, _iv(desk, contract, (bid + ask) / 2, forward, k))


def _iv(desk: Desk, contract: OptionContract, mid: float, forward: float, k: int) -> float:
    product = contract.product
    end = load_calendar().settlement_instant(
        Venue(product.venue), contract.expiration, morning=product.exercise.morning
    )
    years = (end - desk.day.ts(k)) / YEAR_NS
    if not (mid > 0 and forward > 0 and years > 0):
        return NAN
    return float(implied_vol(mid, forward, float(contract.strike), years, contract.is_call))


Label = Callable[[float], str]
"""The regime of a VIX."""


def lines(state: State, currency: str) -> list[str]:
    """As a person reads it."""
    spots = ", ".join(f"{u} {x:,.2f}" for u, x in state.spots.items())
    out = [f"{ny(state.ts):%a %Y-%m-%d %H:%M} New York: {spots}, VIX {state.vix:.2f} {state.label}".rstrip()]
    worth = f"{state.nlv:,.0f} {currency} at marks, {state.natural:,.0f} bought back at what is asked"
    out.append(f"account: {worth}; cash {state.cash:,.0f}; buying power used {state.bp_used:,.0f}")
    for t in state.trades:
        out.append(
            f"  {t.id}: {t.quantity} x {t.structure}: {t.profit:+,.0f} at its mark, {t.natural:+,.0f} bought back, "
            f"margin alone {t.margin:,.0f}"
        )
        out += [
            f"    {leg.quantity:+d} {leg.label}: {leg.bid:,.2f} x {leg.ask:,.2f}, underlying {leg.forward:,.2f}, "
            f"volatility {leg.iv:.1%}"
            for leg in t.legs
        ]
    forced = state.liquidation
    if forced is not None and forced.bought:
        names = ", ".join(f"{b.trade_id} for {b.cost:,.0f} ({b.beyond_mid:,.0f} beyond mid)" for b in forced.bought)
        left = f"leaves {forced.nlv:,.0f} with {forced.bp_used:,.0f} used"
        left += "" if forced.enough else ", and it is not enough"
        out.append(f"a broker would buy back, the largest margin first: {names}; {left}")
    if forced is None:
        out.append("what a broker would buy back is not known: something that is held has no price at this minute")
    return out


def record(state: State) -> dict[str, Any]:
    """For JSON."""
    from dataclasses import asdict

    def plain(value: Any) -> Any:
        match value:
            case Decimal():
                return round(float(value), 2)
            case float():
                return None if value != value else round(value, 4)
            case dict():
                return {k: plain(v) for k, v in value.items()}
            case list() | tuple():
                return [plain(each) for each in value]
            case _:
                return value

    return {"at": ny(state.ts).isoformat(), **{k: plain(v) for k, v in asdict(state).items() if k != "ts"}}
