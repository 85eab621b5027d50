"""Reg-T for options on shares and indices: the cheapest way to read a whole book of one underlying.

A short option is either naked or covered. Every choice that leaves some naked and covers the rest is a way to read the
book, and the cheapest counts:

* Naked, per share: premium plus the greater of ``share`` x S less what it is out of the money, and ``floor`` x K (put)
  or ``floor`` x S (call). 20 % and 10 %, 15 % for a broad-based index: Cboe's margin manual and FINRA rule 4210(f)(2).
* A naked put beside a naked call (a strangle) costs the greater of the two and the premium of the other. What is left
  of one right stands beside the spreads of the other right in the same way: a jade lizard costs its put.
* Covered, by longs of the same expiration: the most that they and the shorts can owe at any one price. A vertical costs
  its width, a condor its wider side, a butterfly and a box that were paid for nothing.
* Covered, by longs of the same right that expire later, or by shares: the width where the long is the worse strike,
  else nothing, summed over the cheapest pairing. Here two sides do not offset, for each may lose in its own week.

Expirations stand alone, or two of them or all together form the pool of that last kind, whichever is cheapest. The
choices of naked shorts are all tried up to ``EXHAUSTIVE`` of them, after dividing the book by its greatest common lot;
beyond that only those that empty line after line, in up to ``ORDERS`` orders a right. Either way it is a valid reading:
the answer is at most too high. Shares cover within a pool only; an odd lot of shares covers nothing. A book that mixes
multipliers is margined per multiplier. Nothing is lent against long options, and no house minimum is added.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

from sim.margin.cover import cheapest_cover
from sim.margin.lines import MarginLine, StockLine, moment, money
from sim.margin.payoff import Held, Worst, worst
from sim.model.instrument import STRIKE_SCALE, Right

EXHAUSTIVE: Final = 512
"""So many choices of naked shorts are all looked at."""
ORDERS: Final = 24
_NEVER: Final = 1 << 40
_SKY: Final = 1 << 50


@dataclass(frozen=True, slots=True)
class NakedRate:
    """What a naked option costs beside its premium: fractions of the underlying, ``floor`` of the strike for puts."""

    share: float
    floor: float

    def base(self, put: bool, strike: float, spot: float) -> float:
        """Points for one share, without the premium."""
        out_of_the_money = max(spot - strike if put else strike - spot, 0.0)
        return max(self.share * spot - out_of_the_money, self.floor * (strike if put else spot))


class _Leg(NamedTuple):
    """One strike of one right: ``moment`` of expiration, strike in ten-thousandths, signed contracts, points."""

    moment: int
    is_put: bool
    strike: int
    quantity: int
    base: float
    premium: float


Choice = tuple[int, ...]
Cover = Callable[[list[int]], Worst | None]


def requirement(
    lines: Sequence[MarginLine], stocks: Sequence[StockLine], rate: NakedRate, stock_rate: Decimal
) -> Decimal:
    """The requirement of one underlying: all its options and shares, in product currency."""
    total, shares = Decimal(0), 0
    for stock in stocks:
        total += abs(stock.quantity) * money(stock.price) * stock_rate
        shares += stock.quantity
    sizes = _sizes(lines)
    for size in sizes:
        mine = lines if len(sizes) == 1 else [line for line in lines if line.contract.product.multiplier == size]
        legs = _legs(mine, rate)
        # Shares cover the first size that has shorts; they cannot cover twice.
        lots = int(abs(shares) // size) * (1 if shares > 0 else -1)
        if lots and any(leg.quantity < 0 for leg in legs):
            shares = 0
        lot = math.gcd(lots, *(leg.quantity for leg in legs)) or 1
        points = _book([leg._replace(quantity=leg.quantity // lot) for leg in legs] if lot > 1 else legs, lots // lot)
        total += money(points * float(size)) * lot
    return total


def _sizes(lines: Sequence[MarginLine]) -> list[Decimal]:
    """The multipliers in the book, ascending. Nearly always there is one, and hashing decimals is slow."""
    first = lines[0].contract.product if lines else None
    if first is not None and all(line.contract.product is first for line in lines):
        return [first.multiplier]
    return sorted({line.contract.product.multiplier for line in lines})


def _legs(lines: Sequence[MarginLine], rate: NakedRate) -> list[_Leg]:
    """Contracts added up by expiration, right and strike, in that order; what nets to nothing is left out.

    Lines of one contract should bear one mark and one forward; where they differ, the dearer of each counts for all.
    """
    found: dict[tuple[int, bool, int], _Leg] = {}
    series, ends = None, 0
    for line in lines:
        contract = line.contract
        if contract.series is not series:
            series, ends = contract.series, moment(contract)
        key = (ends, contract.right is Right.PUT, contract.strike_e4)
        base = rate.base(key[1], contract.strike_e4 / STRIKE_SCALE, line.forward)
        quantity, premium = line.quantity, line.mark
        if known := found.get(key):
            quantity, base, premium = quantity + known.quantity, max(base, known.base), max(premium, known.premium)
        found[key] = _Leg(*key, quantity, base, premium)
    return [found[key] for key in sorted(found) if found[key].quantity]


def _book(legs: Sequence[_Leg], lots: int) -> float:
    """Points times contracts. ``lots``: how many short contracts the shares can cover, short shares negative."""
    if legs and legs[0].moment == legs[-1].moment and not lots:
        return _alone(legs)
    by_moment: dict[int, list[_Leg]] = {}
    for leg in legs:
        by_moment.setdefault(leg.moment, []).append(leg)
    alone = {key: _alone(group) for key, group in by_moment.items()}
    total = sum(alone.values())
    if total == 0.0:
        return total
    pools: list[tuple[int, ...]] = [*itertools.combinations(alone, 2), tuple(alone)]
    if lots:
        pools += [(key,) for key in alone]
    best = total
    for pool in pools:
        apart = sum(alone[key] for key in pool)
        if apart > 0.0:
            together = _pooled([leg for key in pool for leg in by_moment[key]], lots, apart)
            best = min(best, total - apart + together)
    return best


def _alone(legs: Sequence[_Leg]) -> float:
    """One expiration by itself."""
    shorts, longs = [leg for leg in legs if leg.quantity < 0], [leg for leg in legs if leg.quantity > 0]
    if not shorts:
        return 0.0
    if _count(legs, True) >= 0 and _count(legs, False) >= 0:
        covered = worst([Held(leg.is_put, leg.strike, leg.quantity) for leg in legs]).whole / STRIKE_SCALE
        if all(leg.base + leg.premium > covered for leg in shorts):
            # No short costs less by itself, so that none is better left naked.
            return covered
    held = [Held(leg.is_put, leg.strike, leg.quantity) for leg in longs]

    def owed(left: list[int]) -> Worst:
        rest = (Held(leg.is_put, leg.strike, -n) for leg, n in zip(shorts, left, strict=True) if n)
        return worst([*held, *rest])

    return _cheapest(shorts, _count(longs, True), _count(longs, False), owed, math.inf)


def _pooled(legs: Sequence[_Leg], lots: int, bound: float) -> float:
    """Several expirations and the shares: pairs, each short with a long that ends no sooner. ``bound`` or less."""
    shorts, longs = [leg for leg in legs if leg.quantity < 0], [leg for leg in legs if leg.quantity > 0]
    if lots > 0:
        longs.append(_Leg(_NEVER, False, 0, lots, 0.0, 0.0))
    elif lots < 0:
        longs.append(_Leg(_NEVER, True, _SKY, -lots, 0.0, 0.0))

    def owed(left: list[int]) -> Worst | None:
        widths = 0
        for right in (True, False):
            need = [(leg, n) for leg, n in zip(shorts, left, strict=True) if n and leg.is_put is right]
            have = [leg for leg in longs if leg.is_put is right]
            cost = [[_width(short, long) for long in have] for short, _ in need]
            found = cheapest_cover([n for _, n in need], [leg.quantity for leg in have], cost)
            if found is None:
                return None
            widths += found
        return Worst(widths, widths, widths)

    return _cheapest(shorts, _count(longs, True), _count(longs, False), owed, bound)


def _width(short: _Leg, long: _Leg) -> int | None:
    if long.moment < short.moment:
        return None
    return max(short.strike - long.strike if short.is_put else long.strike - short.strike, 0)


def _count(legs: Sequence[_Leg], put: bool) -> int:
    return sum([leg.quantity for leg in legs if leg.is_put is put])


def _cheapest(shorts: Sequence[_Leg], long_puts: int, long_calls: int, owed: Cover, bound: float) -> float:
    """The least over the choices of naked shorts, or ``bound``. ``owed`` says what the covered rest owes at worst."""
    counts = [-leg.quantity for leg in shorts]
    excess = {True: -long_puts, False: -long_calls}
    for n, leg in zip(counts, shorts, strict=True):
        excess[leg.is_put] += n
    best = bound
    if max(excess.values()) <= 0 and (covered := owed(counts)) is not None:
        best = min(best, covered.whole / STRIKE_SCALE)
    # A line that is already as dear by itself cannot be part of a cheaper sum.
    most = [
        n if math.isinf(best) or leg.base + leg.premium <= 0.0 else min(n, int(best / (leg.base + leg.premium)))
        for n, leg in zip(counts, shorts, strict=True)
    ]
    if not any(most):
        return best
    for naked in _choices(shorts, most, excess):
        covered = owed([n - bare for n, bare in zip(counts, naked, strict=True)])
        if covered is not None:
            best = min(best, _cost(shorts, naked, covered))
    return best


def _choices(shorts: Sequence[_Leg], most: Sequence[int], excess: Mapping[bool, int]) -> Iterator[Choice]:
    """How many contracts of each short line are naked, ``most`` at most, so that the longs are enough for the rest."""
    puts = [leg.is_put for leg in shorts]
    if math.prod(n + 1 for n in most) <= EXHAUSTIVE:
        for choice in itertools.product(*(range(n + 1) for n in most)):
            put = sum(itertools.compress(choice, puts))
            if put >= excess[True] and sum(choice) - put >= excess[False]:
                yield choice
        return
    fills = [_fills(shorts, most, right, max(excess[right], 0)) for right in (True, False)]
    for one, other in itertools.product(*fills):
        yield tuple(map(sum, zip(one, other, strict=True)))


def _fills(shorts: Sequence[_Leg], most: Sequence[int], right: bool, excess: int) -> list[Choice]:
    """Ways to leave ``excess`` shorts of one right naked, and all: the whole of one line, then of the next."""
    lines = sorted(
        (i for i, leg in enumerate(shorts) if leg.is_put is right), key=lambda i: shorts[i].base + shorts[i].premium
    )
    found: dict[Choice, None] = {}
    for amount in (excess, sum(most[i] for i in lines)):
        for order in [*itertools.islice(itertools.permutations(lines), ORDERS - 1), tuple(reversed(lines))]:
            left, naked = amount, [0] * len(shorts)
            for i in order:
                naked[i] = min(most[i], left)
                left -= naked[i]
            if left <= 0:
                found[tuple(naked)] = None
    return list(found)


def _cost(shorts: Sequence[_Leg], naked: Choice, covered: Worst) -> float:
    """Points: the naked shorts by the strangle rule, beside what the covered rest owes."""
    whole, puts, calls = covered.whole / STRIKE_SCALE, covered.puts / STRIKE_SCALE, covered.calls / STRIKE_SCALE
    sides: dict[bool, list[tuple[float, float, int]]] = {True: [], False: []}
    for bare, leg in zip(naked, shorts, strict=True):
        if bare:
            sides[leg.is_put].append((leg.base + leg.premium, leg.premium, bare))
    down, up = sorted(sides[True]), sorted(sides[False])
    strangles = 0.0
    while down and up:
        put, call = down.pop(), up.pop()
        both = min(put[2], call[2])
        greater, other = (put, call) if put[0] >= call[0] else (call, put)
        strangles += both * (greater[0] + other[1])
        for side, (cost, premium, bare) in ((down, put), (up, call)):
            if bare > both:
                side.append((cost, premium, bare - both))
    alone = math.fsum(bare * cost for cost, _, bare in down or up)
    premiums = math.fsum(bare * premium for _, premium, bare in down or up)
    # Either the naked side is hit, with the covered part of its own right, or the covered rest at its worst.
    beside = max(alone - premiums + (puts if down else calls), whole) + premiums
    return strangles + min(whole + alone, beside)
