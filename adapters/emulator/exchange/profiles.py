"""When and at what an order fills: three venues by name.

* ``classic-cert``: the old sandbox. A market order fills at 1.00 whatever the market; a limit of 3.00 or less fills at
  its limit at once (3.00 itself is contradictory in the broker's words: here it fills); a dearer one, and every stop,
  rests for ever. Five units and more fill in parts of 1, 2, 2, ...
* ``market-simulator``: by the quotes of now. An order that can trade when it meets the market takes the natural price;
  one that had to wait fills at its limit. A leg trades only against a live side: there, and neither crossed nor locked.
* ``scripted``: every order does what its script says, by its external identifier or the ``behavior`` of its body. A
  script minds neither hours nor the market.

A profile answers with executions and changes nothing but the order's own notes (``rested``, ``triggered``). It never
fills worse than the limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal
from itertools import permutations
from typing import Final, Protocol

from adapters.emulator.exchange.forms import MS, ZERO
from adapters.emulator.exchange.listed import EQUITY, Sides
from adapters.emulator.exchange.order_json import Record
from sim.model.market import BLANK, DEAD
from sim.quotes import spread_at
from sim.venue.fills import leg_prices

NAMES: Final = ("market-simulator", "classic-cert", "scripted")
FIRST_FILL: Final = 300 * MS
NEXT_FILL: Final = 100 * MS
ONE: Final = Decimal(1)
THREE: Final = Decimal(3)


@dataclass(frozen=True, slots=True)
class Execution:
    """``units`` of the order at ``prices`` a leg, in points, at instant ``at`` (UTC ns, not after now)."""

    units: int
    prices: tuple[Decimal, ...]
    at: int


class Profile(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def venue(self) -> str:
        """What stands as destination venue in a fill."""

    @property
    def hours(self) -> bool:
        """Whether it fills only while the venue is open."""

    def estimate(self, order: Record, sides: Sequence[Sides]) -> Decimal | None:
        """The net price of one unit that it would trade at, credit positive; None where nobody can say."""

    def fill(self, order: Record, sides: Sequence[Sides], now: int) -> Execution | None:
        """What fills of the order now; asked again until it says None."""

    def wakes(self, order: Record) -> int | None:
        """The instant at which a working order will do something by itself, UTC ns; None where only quotes decide."""

    def rejects(self, order: Record) -> str | None:
        """Why the venue rejects the order when it arrives; None where it does not."""


PART: Final = Decimal("0.00001")
"""The smallest part of a share that is traded."""


def fill_id(profile: Profile, order: Record, leg: int, day: str, k: int) -> str:
    """Unique in its order and leg only, as the broker's are."""
    tail = {"market-simulator": "SIM_FILL"}.get(profile.name, "TEST_FILL")
    return f"{leg}_TW::{profile.venue}{leg + 1}::{day}.{order.id}{k:02d}-{tail}"


def weights(order: Record) -> tuple[int, ...] | None:
    """How often each leg's price counts in the net price of one unit, bought positive: contracts, and for shares beside
    options hundreds of them. None where that is no whole number."""
    multiplier = price_multiplier(order)
    out = []
    for leg, unit in zip(order.legs, order.units, strict=True):
        weight = unit * leg.instrument.multiplier / multiplier
        if weight != int(weight):
            return None
        out.append(int(weight))
    return tuple(out)


def price_multiplier(order: Record) -> Decimal:
    """Currency per point of the net price of one unit."""
    options = [leg.instrument.multiplier for leg in order.legs if leg.instrument.is_option]
    if options:
        return options[0]
    own = order.legs[0]
    fractional = own.quantity is not None and own.quantity != int(own.quantity)
    return own.instrument.multiplier * (own.quantity or ONE) if fractional else own.instrument.multiplier


@dataclass(frozen=True, slots=True)
class Market:
    """The quotes of an order's legs in whole steps of ``step`` points."""

    step: Decimal
    signed: tuple[int, ...]
    sides: tuple[tuple[int, int], ...]
    natural: int
    tradable: bool

    def split(self, net: Decimal) -> tuple[Decimal, ...]:
        """Prices of the legs that come to ``net``, or to the natural price where ratios do not let them."""
        wanted = int(net / self.step)
        prices, got = leg_prices(self.signed, self.sides, wanted)
        if got < wanted or min(prices) < 0:
            prices = [ask if n > 0 else bid for n, (bid, ask) in zip(self.signed, self.sides, strict=True)]
        return tuple(price * self.step for price in prices)


def market_of(order: Record, sides: Sequence[Sides], *prices: Decimal | None) -> Market | None:
    """The market of an order's legs; None where shares and options do not go together in whole units."""
    asked = tuple(sides), prices, order.closing
    if order.met is None or order.met[0] != asked:
        order.met = asked, _market(order, sides, *prices)
    found: Market | None = order.met[1]
    return found


def _market(order: Record, sides: Sequence[Sides], *prices: Decimal | None) -> Market | None:
    signed = weights(order)
    if signed is None or not any(signed):
        return None
    known = [each for bid, ask, _ in sides for each in (bid, ask) if each is not None]
    known += [each for each in prices if each is not None]
    ticks = [leg.instrument.ticks.smallest for leg in order.legs]
    step = min(ticks)
    if any(each % step for each in known):
        finest = min([0, *(int(each.as_tuple().exponent) for each in [*known, step])])
        step = Decimal(1).scaleb(finest)
    quoted = []
    for bid, ask, _ in sides:
        crossed = bid is not None and ask is not None and bid >= ask
        whole = [BLANK if each is None else DEAD if crossed or each < 0 else int(each / step) for each in (bid, ask)]
        quoted.append((whole[0], whole[1]))
    # As in the simulated venue: in a closing spread a long wing that nobody bids for goes for nothing.
    now = spread_at(signed, quoted, closing=order.closing and len(signed) > 1)
    return Market(step, signed, now.sides, now.natural, now.tradable)


def is_market(order: Record) -> bool:
    """Whether it takes any price (a stop does once it is triggered)."""
    return order.ticket.limit is None


@dataclass(frozen=True, slots=True)
class MarketSimulator:
    name: str = "market-simulator"
    venue: str = "MARKET_SIMULATOR"
    hours: bool = True

    def estimate(self, order: Record, sides: Sequence[Sides]) -> Decimal | None:
        asked = _asked(order)
        return _natural(order, sides) if asked is None else asked

    def fill(self, order: Record, sides: Sequence[Sides], now: int) -> Execution | None:
        ticket = order.ticket
        if ticket.type == "Notional Market":
            return _notional(order, sides[0], now)
        market = market_of(order, sides, ticket.limit)
        if market is None or not market.tradable:
            return None
        if ticket.trigger is not None and not order.triggered:
            if not _triggered(order, market, sides, ticket.trigger):
                return None
            order.triggered = True
        net = market.natural * market.step
        if ticket.limit is not None:
            if net < ticket.limit:
                order.rested = True
                return None
            if order.rested:
                net = ticket.limit
        return Execution(order.left, market.split(net), now)

    def wakes(self, order: Record) -> int | None:
        return None

    def rejects(self, order: Record) -> str | None:
        return None


@dataclass(frozen=True, slots=True)
class ClassicCert:
    name: str = "classic-cert"
    venue: str = "TEST_A"
    hours: bool = True

    def estimate(self, order: Record, sides: Sequence[Sides]) -> Decimal | None:
        asked = _asked(order)
        signed = weights(order)
        return asked if asked is not None or signed is None else -ONE * sum(signed)

    def fill(self, order: Record, sides: Sequence[Sides], now: int) -> Execution | None:
        ticket = order.ticket
        at = self.wakes(order)
        if at is None or at > now:
            return None
        if ticket.type == "Notional Market":
            return _notional(order, (ONE, ONE, ONE), at)
        if is_market(order):
            return Execution(self._part(order), (ONE,) * len(order.legs), at)
        prices = lead_prices(order, sides, ticket.limit or ZERO)
        return None if prices is None else Execution(self._part(order), prices, at)

    def wakes(self, order: Record) -> int | None:
        ticket = order.ticket
        if ticket.trigger is not None or (ticket.limit is not None and abs(ticket.limit) > THREE):
            return None
        return max(order.live, order.walk + FIRST_FILL) + NEXT_FILL * len(order.legs[0].fills)

    def rejects(self, order: Record) -> str | None:
        return None

    def _part(self, order: Record) -> int:
        if order.size < 5:
            return order.left
        return 1 if order.done == 0 else min(2, order.left)


@dataclass(frozen=True, slots=True)
class Script:
    """What one order does. ``delay`` seconds after it arrived; ``at`` UTC ns for ``scheduled``; ``parts`` units of each
    partial fill, a second apart; ``reason`` of a rejection."""

    behavior: str = "immediate"
    delay: float = 0.0
    at: int = 0
    parts: tuple[int, ...] = ()
    reason: str = "Rejected by the script"


@dataclass(slots=True)
class Scripted:
    """``scripts`` by external identifier; without one the order's own ``behavior``, else ``default``."""

    default: Script = Script()
    scripts: dict[str, Script] = field(default_factory=dict)
    name: str = "scripted"
    venue: str = "TEST_A"
    hours: bool = False

    def of(self, order: Record) -> Script:
        ticket = order.ticket
        if ticket.external in self.scripts:
            return self.scripts[ticket.external]
        if not ticket.behavior:
            return self.default
        return Script(ticket.behavior, float(ticket.delay or 0), ticket.schedule or 0)

    def estimate(self, order: Record, sides: Sequence[Sides]) -> Decimal | None:
        asked = _asked(order)
        if asked is not None:
            return asked
        natural = _natural(order, sides)
        signed = weights(order)
        return natural if natural is not None or signed is None else -ONE * sum(signed)

    def fill(self, order: Record, sides: Sequence[Sides], now: int) -> Execution | None:
        at = self.wakes(order)
        if at is None or at > now:
            return None
        if order.ticket.type == "Notional Market":
            return _notional(order, sides[0] if sides[0][0] and sides[0][1] else (ONE, ONE, ONE), at)
        net = self.estimate(order, sides)
        prices = None if net is None else lead_prices(order, sides, net)
        if prices is None:
            return None
        parts, k = self._parts(order), len(order.legs[0].fills)
        return Execution(min(parts[k], order.left), prices, at)

    def wakes(self, order: Record) -> int | None:
        script, k = self.of(order), len(order.legs[0].fills)
        if script.behavior in ("never", "reject") or k >= len(self._parts(order)):
            return None
        wait = int(script.delay * 1_000_000_000) if script.behavior in ("delayed", "partial") else 0
        begin = script.at if script.behavior == "scheduled" else order.walk + wait
        return max(order.live, begin) + k * 1_000_000_000

    def rejects(self, order: Record) -> str | None:
        script = self.of(order)
        return script.reason if script.behavior == "reject" else None

    def _parts(self, order: Record) -> tuple[int, ...]:
        script = self.of(order)
        if script.behavior != "partial" or (order.size < 2 and not script.parts):
            return (order.size,)
        half = order.size // 2
        return script.parts or (half, order.size - half)


def profile_of(name: str) -> Profile:
    """A profile by its name; KeyError where there is none (``NAMES`` has them)."""
    made: dict[str, Profile] = {
        "market-simulator": MarketSimulator(),
        "classic-cert": ClassicCert(),
        "scripted": Scripted(),
    }
    return made[name]


def lead_prices(order: Record, sides: Sequence[Sides], net: Decimal) -> tuple[Decimal, ...] | None:
    """Prices of the legs that come to exactly ``net``: near the market where it is quoted on both sides, else one leg
    carries it and the others are 0, or as little as the ratios need. None where nothing fits."""
    market = market_of(order, sides, net)
    if market is None:
        return None
    if all(bid >= 0 and ask > bid for bid, ask in market.sides):
        prices, got = leg_prices(market.signed, market.sides, int(net / market.step))
        if got * market.step == net and min(prices) >= 0:
            return tuple(price * market.step for price in prices)
    signed, wanted = market.signed, int(net / market.step)
    for lead, other in permutations([*range(len(signed)), -1], 2):
        if lead == -1:
            continue
        for x in range(abs(signed[lead])):
            y, rest = divmod(-wanted - (signed[other] * x if other >= 0 else 0), signed[lead])
            if rest == 0 and y >= 0:
                found = [0] * len(signed)
                found[lead] = y
                if other >= 0:
                    found[other] = x
                return tuple(price * market.step for price in found)
            if other == -1:
                break
    return None


def _asked(order: Record) -> Decimal | None:
    """The price that the order itself names: its limit, its trigger, or its amount."""
    ticket = order.ticket
    if ticket.limit is not None:
        return ticket.limit
    amount = ticket.trigger if ticket.trigger is not None else ticket.value
    if amount is None:
        return None
    return -amount if order.legs[0].sign > 0 else amount


def _natural(order: Record, sides: Sequence[Sides]) -> Decimal | None:
    market = market_of(order, sides)
    return market.natural * market.step if market is not None and market.tradable else None


def _triggered(order: Record, market: Market, sides: Sequence[Sides], trigger: Decimal) -> bool:
    """One leg of shares or futures: by the last trade. Options and spreads: by what trading now would cost or bring.
    A buying stop waits for a price at or above its trigger, a selling one at or below."""
    single = len(order.legs) == 1
    net = market.natural * market.step
    if order.ticket.limit:
        buying = order.ticket.limit < 0
    else:
        buying = order.legs[0].sign > 0 if single else net < 0
    price = abs(net)
    last = sides[0][2]
    if single and not order.legs[0].instrument.is_option and last is not None:
        price = last
    return price >= trigger if buying else price <= trigger


def _notional(order: Record, sides: Sides, at: int) -> Execution | None:
    """An amount of money in shares, to five places of a share."""
    leg, value = order.legs[0], order.ticket.value
    price = sides[1] if leg.sign > 0 else sides[0]
    if value is None or not price or leg.instrument.type != EQUITY:
        return None
    leg.quantity = (value / price).quantize(PART, ROUND_FLOOR)
    return Execution(1, (price,), at) if leg.quantity else None
