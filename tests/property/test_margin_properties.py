"""What must hold of margin for every book: order, size, covering, and never more than the legs one by one."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from hypothesis import example, given
from hypothesis import strategies as st

from sim.margin import FutureLine, MarginLine
from sim.margin.cover import cheapest_cover
from sim.margin.payoff import Held, worst
from sim.model.instrument import Kind, OptionContract, Right, Series, strike_e4
from tests.margins import ES, FAR, MODEL, NEAR, TODAY, XYZ

DAYS = (NEAR, FAR, date(2024, 9, 20))
CENT = Decimal("0.01")
PRODUCTS = {Kind.EQUITY: XYZ, Kind.FUTURE: ES}


def line(kind: Kind, strike: int, right: Right, quantity: int, premium: float, day: date) -> MarginLine:
    """An option with a spot of 100 (times 50 on a future), marked at intrinsic value plus ``premium`` points."""
    scale = 50 if kind is Kind.FUTURE else 1
    spot = 100.0 * scale
    intrinsic = max(spot - strike * scale if right is Right.CALL else strike * scale - spot, 0.0)
    contract = OptionContract(Series(PRODUCTS[kind], day, "ESU4"), strike_e4(strike * scale), right)
    return MarginLine(contract, quantity, intrinsic + premium, spot, 0.2, (day - TODAY).days / 365)


def marked_as_in(book: Sequence[MarginLine], new: MarginLine) -> MarginLine:
    """``new`` at the mark that the book already has for its contract: at one moment a contract has one price."""
    mark = next((x.mark for x in book if x.contract == new.contract), new.mark)
    return MarginLine(new.contract, new.quantity, mark, new.forward, new.iv, new.dte_years)


QUANTITIES = st.sampled_from([-3, -2, -1, 1, 2, 3])


def books(kind: Kind, most: int = 4, days: Sequence[date] = DAYS) -> st.SearchStrategy[list[MarginLine]]:
    one = st.builds(
        line,
        st.just(kind),
        st.integers(80, 120),
        st.sampled_from(Right),
        QUANTITIES,
        st.sampled_from([0.0, 0.25, 1.0, 4.0]),
        st.sampled_from(days),
    )
    return st.lists(one, max_size=most, unique_by=lambda made: made.contract)


def needs(book: Sequence[MarginLine], kind: Kind = Kind.EQUITY) -> Decimal:
    return MODEL.requirement(PRODUCTS[kind].underlying, kind, book, TODAY, 15.0)


def times(book: Sequence[MarginLine], n: int) -> list[MarginLine]:
    return [MarginLine(x.contract, n * x.quantity, x.mark, x.forward, x.iv, x.dte_years) for x in book]


EQUITY = books(Kind.EQUITY)
FUTURE = books(Kind.FUTURE)
BOTH = st.one_of(st.tuples(st.just(Kind.EQUITY), EQUITY), st.tuples(st.just(Kind.FUTURE), FUTURE))


@given(BOTH, st.randoms(use_true_random=False))
def test_the_order_of_the_lines_does_not_matter(drawn: tuple[Kind, list[MarginLine]], chance: object) -> None:
    kind, book = drawn
    shuffled = list(book)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random of its own
    assert needs(shuffled, kind) == needs(book, kind)


@given(EQUITY, st.integers(2, 100))
def test_a_book_n_times_as_large_needs_n_times_as_much(book: list[MarginLine], n: int) -> None:
    assert needs(times(book, n)) == n * needs(book)


@given(FUTURE, st.integers(2, 100))
def test_the_scan_grows_with_size_to_the_cent(book: list[MarginLine], n: int) -> None:
    assert abs(needs(times(book, n), Kind.FUTURE) - n * needs(book, Kind.FUTURE)) <= n * CENT


@given(BOTH)
def test_never_more_than_the_legs_one_by_one(drawn: tuple[Kind, list[MarginLine]]) -> None:
    kind, book = drawn
    apart = sum((needs([one], kind) for one in book), Decimal(0))
    # A short future option needs at least its minimum, and together the minima add up: the same sum.
    assert needs(book, kind) <= apart + len(book) * CENT


@given(BOTH)
def test_only_longs_need_nothing(drawn: tuple[Kind, list[MarginLine]]) -> None:
    kind, book = drawn
    longs = [MarginLine(x.contract, abs(x.quantity), x.mark, x.forward, x.iv, x.dte_years) for x in book]
    assert needs(longs, kind) == 0


@given(
    EQUITY,
    st.integers(80, 115),
    st.integers(-5, 5),
    st.sampled_from(Right),
    st.sampled_from(DAYS),
    st.sampled_from([0.25, 1.0, 4.0]),
)
def test_a_covered_short_adds_no_more_than_its_width(
    book: list[MarginLine], strike: int, step: int, right: Right, day: date, premium: float
) -> None:
    """Whatever stands in the book already, other expirations and naked shorts too.

    Not so where the long closes a short that is held: then nothing is covered, a naked short is rolled from one strike
    to another, and that may add more than the distance. It adds no more than the new short by itself.
    """
    short, long = (
        line(Kind.EQUITY, strike, right, -1, premium, day),
        line(Kind.EQUITY, strike + step, right, 1, 0.5, day),
    )
    short = marked_as_in(book, short)
    long = marked_as_in([*book, short], long)
    width = max(step if right is Right.CALL else -step, 0) * 100
    closes = any(x.contract == long.contract and x.quantity < 0 for x in book)
    assert needs([*book, short, long]) <= needs(book) + (needs([short]) if closes else width) + CENT


@given(EQUITY, st.integers(80, 120), st.sampled_from(Right), st.sampled_from(DAYS))
def test_one_more_long_never_raises_the_requirement(
    book: list[MarginLine], strike: int, right: Right, day: date
) -> None:
    more = marked_as_in(book, line(Kind.EQUITY, strike, right, 1, 1.0, day))
    assert needs([*book, more]) <= needs(book)


@given(st.integers(86, 99), st.integers(101, 114), st.integers(1, 6), st.integers(1, 6), st.integers(1, 100))
def test_a_condor_needs_its_wider_side(put: int, call: int, below: int, above: int, lots: int) -> None:
    for kind, point in ((Kind.EQUITY, 100), (Kind.FUTURE, 50 * 50)):
        day = DAYS[0]
        condor = [
            line(kind, put, Right.PUT, -lots, 1.0, day),
            line(kind, put - below, Right.PUT, lots, 0.5, day),
            line(kind, call, Right.CALL, -lots, 1.0, day),
            line(kind, call + above, Right.CALL, lots, 0.5, day),
        ]
        wider = max(below, above) * lots * point
        if kind is Kind.EQUITY:
            assert needs(condor, kind) == wider
        else:
            assert 0 < needs(condor, kind) <= wider


@given(FUTURE, st.integers(-3, 3))
def test_futures_and_options_never_need_more_together(book: list[MarginLine], quantity: int) -> None:
    future = FutureLine("ES", "ES", quantity, 5000.0, Decimal(50))
    both = MODEL.requirement("ES", Kind.FUTURE, [*book, future], TODAY, 15.0)
    outright = MODEL.requirement("ES", Kind.FUTURE, [future], TODAY, 15.0)
    assert outright == abs(quantity) * 15_000
    assert both <= needs(book, Kind.FUTURE) + outright + CENT


@given(BOTH)
def test_used_is_the_requirement_and_the_value_of_the_options(drawn: tuple[Kind, list[MarginLine]]) -> None:
    kind, book = drawn
    value = sum(Decimal(x.quantity) * Decimal(x.mark) * x.contract.product.multiplier for x in book)
    used = MODEL.used(PRODUCTS[kind].underlying, kind, book, TODAY, 15.0)
    assert abs(used - max(needs(book, kind) + value, Decimal(0))) <= CENT


SMALL = st.integers(1, 2)
COSTS = st.lists(st.lists(st.none() | st.integers(0, 9), min_size=3, max_size=3), min_size=2, max_size=2)


@given(st.tuples(SMALL, SMALL), st.tuples(SMALL, SMALL, SMALL), COSTS)
@example((1, 1), (1, 1, 1), [[0, 1, None], [0, 9, None]])
def test_the_cheapest_cover_is_the_least_of_all(
    need: tuple[int, int], have: tuple[int, int, int], cost: list[list[int | None]]
) -> None:
    shorts = [i for i, n in enumerate(need) for _ in range(n)]
    longs = [j for j, n in enumerate(have) for _ in range(n)]
    sums = []
    for chosen in itertools.permutations(longs, len(shorts)):
        prices = [cost[i][j] for i, j in zip(shorts, chosen, strict=True)]
        known = [price for price in prices if price is not None]
        if len(known) == len(prices):
            sums.append(sum(known))
    assert cheapest_cover(need, have, cost) == min(sums, default=None)


@given(st.lists(st.builds(Held, st.booleans(), st.integers(1, 30), st.integers(-3, 3)), max_size=6))
def test_the_worst_price_is_at_a_strike(legs: list[Held]) -> None:
    """Against every whole price; enough longs of each right are added first, so that there is a worst."""
    for put in (True, False):
        short = sum(leg.quantity for leg in legs if leg.is_put is put)
        if short < 0:
            legs = [*legs, Held(put, 15, -short)]

    def owed(price: int, rights: tuple[bool, ...]) -> int:
        signed = (
            (leg.quantity, (leg.strike - price) if leg.is_put else (price - leg.strike))
            for leg in legs
            if leg.is_put in rights
        )
        return -sum(quantity * max(worth, 0) for quantity, worth in signed)

    found = worst(legs)
    for rights, most in (((True, False), found.whole), ((True,), found.puts), ((False,), found.calls)):
        assert most == max(0, *(owed(price, rights) for price in range(32)))
