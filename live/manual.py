"""Manual mode: an order as a person types it into another platform, and that person's fills and quotes taken back.

A ticket says every leg, the price of one unit in words (credit or debit) and how many units. A fill is typed as the
platform shows it: a price of one unit and how many of them, or a price for each leg. It is checked against the order it
is of; what does not fit is a ``UsageError`` of one line, and nothing is booked.

**Legs of a net price.** Cash needs whole ticks of every leg that add up to the net to the last tick. Where both sides
of every leg are known, the legs share it as a simulated venue's do (``sim.venue.fills``). Else one leg carries it all
and the others stand at nothing: right for the trade, wrong for its legs. So an order whose exits watch some of its legs
alone asks for a price for each.

Units are the platform's, the smallest that the legs make: two puts against two puts is two of one against one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from math import gcd
from typing import Final

from adapters.tastytrade.orders.bodies import net_price, shared_ratio
from adapters.tastytrade.orders.fills import Column, Fee
from adapters.tastytrade.symbols import SymbolError, wire_symbol
from adapters.tastytrade.trade_symbols import yymmdd
from live.typed import MOST_VIX, number, shown
from sim.model.defence import OfPart
from sim.model.errors import DataError, UsageError, similar
from sim.model.fill import Fill, LegFill
from sim.model.instrument import OptionContract, Product, plain
from sim.model.order import Order, OrderRequest
from sim.venue.fills import leg_prices

SidesOf = Callable[[OptionContract], tuple[int, int] | None]
"""Bid and ask of a contract in ticks as they are known now, None where they are not."""
FILL_FORM: Final = "wanted ORDER_ID PRICE [credit|debit] [QUANTITY], or ORDER_ID 5400P=3.10 5350P=1.85 [QUANTITY]"
QUOTE_FORM: Final = "wanted one like ES 5412.25, VIX 18.4, or 240802P5400 1.20 1.30"
_EFFECTS: Final = {"credit": 1, "cr": 1, "debit": -1, "db": -1}
_LABEL: Final = re.compile(r"(?:[A-Z0-9]{1,6}:)?(?P<day>\d{6})[CP]\d{1,6}(?:\.\d{1,4})?", re.ASCII)
_SYMBOL: Final = re.compile(r"[0-9]?[A-Z][A-Z0-9]{0,5}", re.ASCII)
_WHOLE: Final = re.compile(r"[1-9]\d{0,5}", re.ASCII)
_EACH: Final = "give the price of each leg"


def no_sides(_: OptionContract) -> tuple[int, int] | None:
    """Nobody knows the sides of anything."""
    return None


# --- out --------------------------------------------------------------------------------------------------------------


def in_words(net: Decimal) -> str:
    """A signed net price: ``1.25 CREDIT``, ``1.25 DEBIT``, ``EVEN``."""
    exact = abs(net).normalize()
    value = f"{exact:.2f}" if exact == round(exact, 2) else f"{exact:f}"
    return f"{value} {'CREDIT' if net > 0 else 'DEBIT'}" if net else "EVEN"


def ticket(order: Order, natural: Decimal | None, left: int | None = None) -> str:
    """An order as a person places it elsewhere, several lines without an end of line.

    ``natural``: the net price of one of our units that the market gives now, points, credit positive; None where it is
    not known. ``left``: our units that are still to be placed, None: all of them. The contracts of a leg are those of
    all units, short negative.
    """
    request = order.request
    shared, units = shared_ratio(request), request.quantity if left is None else left
    rows = []
    for leg in request.legs:
        contract, day = leg.contract, leg.contract.expiration
        what = (
            f"{plain(contract.strike)} {contract.right.name}",
            contract.product.root,
            f"{day:%a} {day.day} {day:%b %Y}",
        )
        rows.append((leg.action.value.upper(), f"{leg.signed * units:+d}", *what, _symbol(contract)))
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    legs = ["  ".join(cell.ljust(w) for cell, w in zip(row, wide, strict=True)).rstrip() for row in rows]
    one = ", ".join(f"{leg.signed // shared:+d} {leg.contract.label}" for leg in request.legs)
    lines = [
        *legs,
        _price(request, natural, units),
        f"one unit is {one}",
        f"then: tomking manual fill {order.id} PRICE",
    ]
    head = f"{request.intent.name} {request.structure or 'ORDER'} {request.underlying}, QUANTITY {units * shared}"
    return "\n  ".join([head, *lines])


def _price(request: OrderRequest, natural: Decimal | None, units: int) -> str:
    product, shared = request.legs[0].contract.product, shared_ratio(request)
    now = "not known here: look before you send it"
    if natural is not None:
        now = in_words((natural / shared).quantize(product.increment))
    tif = request.tif.value.upper()
    if request.limit is None:
        return f"at the natural price, {tif}; that is {now}"
    price = net_price(request, request.limit)
    total = abs(price) * shared * units * product.multiplier
    return f"LIMIT {in_words(price)} a unit, {tif} ({total:,.2f} {product.currency} in all); the natural price is {now}"


def _symbol(contract: OptionContract) -> str:
    try:
        return wire_symbol(contract)
    except DataError:
        return contract.symbol


# --- back: fills ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Typed:
    """The words of a fill after the order's id, in the platform's units. ``effect``: 1 credit, -1 debit, 0 not said."""

    price: Decimal | None = None
    effect: int = 0
    legs: dict[str, Decimal] = field(default_factory=dict)
    quantity: int | None = None


def read_fill(
    words: Sequence[str],
    orders: Mapping[str, Order],
    now: int,
    column: Column,
    fee: Fee,
    *,
    done: Mapping[str, int] | None = None,
    sides: SidesOf = no_sides,
) -> Fill:
    """The fill that a person typed, at ``now`` (UTC ns).

    ``ORDER_ID PRICE [credit|debit] [QUANTITY]``: the net price of one unit. It needs no word where the legs or the
    limit say which it is: what is only sold brings a credit. ``ORDER_ID 5400P=3.10 5350P=1.85 [QUANTITY]``: the price
    of each leg; ``240802P5400=3.10`` where two have one strike, and a net price before them that they must add up to.
    Without a quantity it is all that is left.

    ``orders`` that may fill by their ids; ``done``: our units of each that filled before; ``fee`` as the broker's fills
    are charged. UsageError where the words do not fit the order, and nothing else.
    """
    order, typed = _order(words, orders), _typed(words[1:])
    request = order.request
    before = (done or {}).get(order.id, 0)
    units = _units(order, typed, request.quantity - before)
    known = [_live(sides(leg.contract)) for leg in request.legs]
    prices = _prices(order, typed, known)
    signed = [leg.signed for leg in request.legs]
    legs = tuple(
        LegFill(
            leg.contract, leg.signed * units, price, None if both is None else sum(both),
            fee(leg.contract, leg.ratio * units, leg.action.opening, leg.ratio * before), leg.action.opening,
        )
        for leg, price, both in zip(request.legs, prices, known, strict=True)
    )  # fmt: skip
    return Fill(order.id, now, column(now), _net(signed, prices), units, legs)


def _live(sides: tuple[int, int] | None) -> tuple[int, int] | None:
    """Both sides, None unless they are a market."""
    return sides if sides is not None and 0 <= sides[0] < sides[1] else None


def _order(words: Sequence[str], orders: Mapping[str, Order]) -> Order:
    if not words:
        raise UsageError(f"a fill needs its order and its price: {FILL_FORM}")
    found = orders.get(words[0])
    if found is None:
        known = ", ".join(orders) or "none is waiting"
        raise UsageError(f"order {shown(words[0])} is not known{similar(words[0], orders)}: {known}")
    if found.status.done:
        raise UsageError(f"order {found.id} is {found.status.value} already: nothing more of it can fill")
    return found


def _typed(words: Sequence[str]) -> _Typed:
    """In this order: a price and its effect, legs, a quantity; each may be missing, but not price and legs both."""
    out, left = _Typed(), list(words)
    if left and (price := number(left[0])) is not None:
        out.price = price
        left.pop(0)
        if left and left[0].lower() in _EFFECTS:
            out.effect = _EFFECTS[left.pop(0).lower()]
    while left and "=" in left[0]:
        name, _, said = left.pop(0).upper().partition("=")
        price = number(said)
        if price is None or name in out.legs:
            raise UsageError(f"{shown(name)}={shown(said)}: wanted a price once for each leg, like 5400P=3.10")
        out.legs[name] = price
    if left and _WHOLE.fullmatch(left[0]):
        out.quantity = int(left.pop(0))
    if left and left[0][:1] in "+-":
        raise UsageError(f"{shown(left[0])}: a price has no sign here; say credit or debit after it")
    if left or (out.price is None and not out.legs):
        raise UsageError(f"{shown(' '.join(left))} does not fit into a fill: {FILL_FORM}")
    return out


def _units(order: Order, typed: _Typed, left: int) -> int:
    """How many of our units were filled."""
    shared = shared_ratio(order.request)
    if left < 1:
        raise UsageError(f"order {order.id} has filled whole already: nothing more of it can fill")
    if typed.quantity is None:
        return left
    units, over = divmod(typed.quantity, shared)
    if over or units > left:
        whole = "" if shared == 1 else f", a multiple of {shared}"
        raise UsageError(f"order {order.id} has {left * shared} left, not {typed.quantity}: wanted at most that{whole}")
    return units


def _prices(order: Order, typed: _Typed, known: Sequence[tuple[int, int] | None]) -> list[int]:
    """Whole ticks of every leg, which add up to what was typed."""
    request = order.request
    signed = [leg.signed for leg in request.legs]
    shared, product = shared_ratio(request), request.legs[0].contract.product
    size = None if typed.price is None else ticks_of(typed.price, product) * shared
    if typed.legs:
        prices = _each(order, typed.legs)
        net = _net(signed, prices)
        if size is not None and net != size * (typed.effect or (1 if net > 0 else -1)):
            real = in_words(Decimal(net) / shared * product.increment)
            raise UsageError(f"order {order.id}: its legs add up to {real}, not to the price before them; check both")
        return prices
    assert size is not None, "a fill has a price or legs"
    net = size * _effect(order, typed.effect) if size else 0
    both = [each for each in known if each is not None]
    if len(both) == len(signed):
        shares = _shared(signed, both, net)
        if shares is not None:
            return shares
    if len(signed) > 1 and any(isinstance(each, OfPart) for each in request.exits):
        raise UsageError(f"order {order.id} has exits that watch some of its legs alone: {_EACH}, like 5400P=3.10")
    alone = _alone(signed, net)
    if alone is None:
        raise UsageError(f"order {order.id}: no whole ticks of its legs make that price; {_EACH}")
    return alone


def _effect(order: Order, said: int) -> int:
    """1 for a credit, -1 for a debit: as the legs say, else as was said, else as the limit does."""
    request = order.request
    signs = {-leg.action.sign for leg in request.legs}
    limit = request.limit or 0
    certain = signs.pop() if len(signs) == 1 else (limit > 0) - (limit < 0)
    if certain and said and said != certain:
        wanted, other = ("credit", "debit") if certain > 0 else ("debit", "credit")
        raise UsageError(f"order {order.id} is for a {wanted}, not a {other}: check it, or {_EACH}")
    if not certain and not said:
        raise UsageError(f"order {order.id} can be a credit or a debit: say which after the price")
    return certain or said


def _each(order: Order, typed: Mapping[str, Decimal]) -> list[int]:
    """Ticks of each leg from prices by name."""
    contracts = [leg.contract for leg in order.request.legs]
    prices: dict[OptionContract, int] = {}
    for name, price in typed.items():
        contract = find_contract(name, contracts)
        if contract in prices:
            raise UsageError(f"order {order.id}: {name} is a leg that has its price already; give each once")
        prices[contract] = ticks_of(price, contract.product)
    if missing := [contract_label(each) for each in contracts if each not in prices]:
        raise UsageError(f"order {order.id}: {', '.join(missing)} has no price; {_EACH}, or the net price alone")
    return [prices[each] for each in contracts]


def ticks_of(price: Decimal, product: Product) -> int:
    """Points as whole ticks of a product; UsageError where they are none: an average of several prices is not."""
    ticks, over = divmod(price, product.increment)
    if over or price < 0:
        raise UsageError(
            f"{plain(price)} is no whole tick of {product.root}, wanted a multiple of {plain(product.increment)}; give "
            "the parts of an average price one by one"
        )
    return int(ticks)


def _net(signed: Sequence[int], prices: Sequence[int]) -> int:
    return -sum(n * price for n, price in zip(signed, prices, strict=True))


def _shared(signed: Sequence[int], sides: Sequence[tuple[int, int]], net: int) -> list[int] | None:
    """The net shared by the legs as a venue does; what that leaves over one of them carries. None where a price would
    fall below nothing."""
    prices, real = leg_prices(signed, sides, net)
    rest = _alone(signed, net - real)
    if rest is None or min(prices) < 0:
        return None
    return [price + more for price, more in zip(prices, rest, strict=True)]


def _alone(signed: Sequence[int], net: int) -> list[int] | None:
    """Prices of which as few as can be are not 0, none below, that make the net: one leg's, else two legs'. Of those
    that can it is the leg with the fewest contracts. None where no two make it."""
    out = [0] * len(signed)
    if not net:
        return out
    order = sorted(range(len(signed)), key=lambda i: abs(signed[i]))
    for i in order:
        price, over = divmod(-net, signed[i])
        if not over and price > 0:
            out[i] = price
            return out
    for i in order:
        for j in order:
            if i == j or net % gcd(signed[i], signed[j]):
                continue
            # One of so many prices of j leaves i a whole one.
            for other in range(1, abs(signed[i]) + 1):
                price, over = divmod(-net - signed[j] * other, signed[i])
                if not over and price >= 0:
                    out[i], out[j] = price, other
                    return out
    return None


# --- back: quotes -----------------------------------------------------------------------------------------------------


def contract_label(contract: OptionContract) -> str:
    """``240802P5400``: what a person types for a contract."""
    return f"{contract.expiration:%y%m%d}{contract.right.value}{plain(contract.strike)}"


def find_contract(name: str, contracts: Iterable[OptionContract]) -> OptionContract:
    """The one contract that is called so: ``5400P``, ``240802P5400``, ``EW1:240802P5400``, ``ES:240802P5400``.
    UsageError where none is, or several are."""
    wanted, known = name.upper(), list(contracts)
    fits = [each for each in known if wanted in _names(each)]
    if len(fits) == 1:
        return fits[0]
    if fits:
        said = ", ".join(f"{each.product.root}:{contract_label(each)}" for each in fits)
        raise UsageError(f"{shown(name)} can be {said}: say which")
    there = ", ".join(contract_label(each) for each in known[:8]) or "there is none"
    raise UsageError(f"no contract is called {shown(name)}: {there}{', …' if len(known) > 8 else ''}")


def _names(contract: OptionContract) -> tuple[str, ...]:
    label, product = contract_label(contract), contract.product
    return (contract.label, label, f"{product.root}:{label}", f"{product.underlying}:{label}")


def read_quote(words: Sequence[str]) -> tuple[str, Decimal, Decimal]:
    """A symbol or a contract's label (see ``find_contract``), its bid and its ask in points. One price of a symbol is
    both. UsageError where the words are none: an option with one price, a bid that is not below the ask, a VIX that
    cannot be."""
    if len(words) not in (2, 3):
        raise UsageError(f"{shown(' '.join(words))} is no quote: {QUOTE_FORM}")
    name = words[0].upper().removeprefix("/")
    prices = [number(word) for word in words[1:]]
    bid, ask = prices[0], prices[-1]
    if bid is None or ask is None:
        raise UsageError(f"{shown(' '.join(words[1:]))} is no price: {QUOTE_FORM}")
    if label := _LABEL.fullmatch(name):
        try:
            yymmdd(label["day"], name)
        except SymbolError as error:
            raise UsageError(f"{error}; {QUOTE_FORM}") from None
        if len(prices) < 2 or bid >= ask:
            raise UsageError(f"{name} has a bid and an ask above it: {QUOTE_FORM}")
        return name, bid, ask
    if not _SYMBOL.fullmatch(name):
        raise UsageError(f"{shown(words[0])} is no symbol and no option's name: {QUOTE_FORM}")
    if bid <= 0 or bid > ask:
        raise UsageError(
            f"{name} at {plain(bid)} {plain(ask)} cannot be: wanted a price above 0, a bid not above its ask"
        )
    if name == "VIX" and ask > MOST_VIX:
        raise UsageError(f"VIX {plain(ask)} cannot be: wanted at most {MOST_VIX}; check it")
    return name, bid, ask
