"""The governor keeps to the published numbers in every second, first come first served; and the waits of a backoff."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.tastytrade.backoff import Backoff
from adapters.tastytrade.limits import PUBLISHED, Governor, limit_of
from tests.wire.web import Time, run


class Loop:
    """Time for many sleepers: it moves to the next of them only when nobody else can go on."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.sleepers.append((self.now + seconds, len(self.sleepers), future))
        await future

    async def drive(self, *tasks: asyncio.Task[None]) -> None:
        while not all(task.done() for task in tasks):
            for _ in range(20):
                await asyncio.sleep(0)
            waiting = sorted(one for one in self.sleepers if not one[2].done())
            if waiting:
                self.now = max(self.now, waiting[0][0])
                waiting[0][2].set_result(None)
        await asyncio.gather(*tasks)


def starts(asks: list[tuple[str, str]], held: float = 0.0) -> list[tuple[float, str, int]]:
    """When each of ``asks`` was let through: (second, route, place in the queue)."""

    async def main() -> list[tuple[float, str, int]]:
        loop = Loop()
        governor = Governor(now=loop.clock, sleep=loop.sleep)
        through: list[tuple[float, str, int]] = []
        if held:
            governor.hold(*asks[0], held)

        async def one(n: int, method: str, route: str) -> None:
            await governor.acquire(method, route)
            through.append((loop.now, route, n))

        await loop.drive(*[asyncio.create_task(one(n, *ask)) for n, ask in enumerate(asks)])
        return through

    return run(main())


POSITIONS = ("GET", "/accounts/{account}/positions")
CUSTOMER = ("GET", "/customers/me")
ORDER = ("POST", "/accounts/{account}/orders")


def busiest(times: list[float]) -> int:
    """The most in any one second."""
    return max(sum(1 for other in times if start <= other < start + 1.0) for start in times)


@given(st.lists(st.sampled_from([POSITIONS, CUSTOMER, ORDER, ("GET", "/option-chains/{symbol}/nested")]), max_size=140))
def test_no_second_sees_more_than_its_number(asks: list[tuple[str, str]]) -> None:
    through = starts(asks)
    assert len(through) == len(asks)
    if asks:
        assert busiest([at for at, _, _ in through]) <= 50
    for method, route in set(asks):
        limit = limit_of(method, route)
        times = [at for at, its, _ in through if its == route]
        assert limit is None or busiest(times) <= limit.per_second
        places = [n for _, its, n in through if its == route]
        assert places == sorted(places), "first come, first served"


def test_who_waits_for_a_narrow_limit_holds_up_nobody() -> None:
    through = starts([POSITIONS, POSITIONS, POSITIONS, CUSTOMER, CUSTOMER])
    at = [at for at, route, _ in through if route == CUSTOMER[1]]
    assert at == [0.0, 0.0]
    assert [round(at) for at, route, _ in through if route == POSITIONS[1]] == [0, 1, 2]


def test_after_a_429_nobody_goes_before_its_time() -> None:
    through = starts([POSITIONS, POSITIONS, CUSTOMER], held=3.0)
    assert [at for at, route, _ in through if route == POSITIONS[1]] == [3.0, pytest.approx(4.02)]
    assert [at for at, route, _ in through if route == CUSTOMER[1]] == [0.0]


def test_a_waiter_that_is_cancelled_costs_nobody_a_place() -> None:
    async def main() -> None:
        loop = Loop()
        governor = Governor(now=loop.clock, sleep=loop.sleep)
        await governor.acquire(*POSITIONS)
        gone = asyncio.create_task(governor.acquire(*POSITIONS))
        await asyncio.sleep(0)
        after = asyncio.create_task(governor.acquire(*POSITIONS))
        await asyncio.sleep(0)
        gone.cancel()
        await loop.drive(after)
        assert loop.now == pytest.approx(1.02)

    run(main())


@pytest.mark.parametrize(
    ("method", "path", "name", "rate"),
    [
        ("GET", "/market-data/by-type", "market-data", 2),
        ("GET", "/option-chains/SPX/nested", "option-chains", 2),
        ("GET", "/option-chains/BRK%2FB", "option-chains", 2),
        ("GET", "/futures-option-chains/ES/nested", "futures-option-chains", 2),
        ("GET", "/instruments/equities/SPY", "equity", 3),
        ("GET", "/instruments/equities", "equities", 2),
        ("GET", "/instruments/futures", "futures", 1),
        ("GET", "/instruments/future-products", "future-products", 1),
        ("GET", "/instruments/future-option-products", "future-option-products", 1),
        ("GET", "/instruments/equity-options/X", "equity-option", 3),
        ("GET", "/instruments/future-options/.%2FESZ6", "future-option", 3),
        ("GET", "/accounts/5WT00001/positions", "positions", 1),
        ("GET", "/accounts/5WT00001/balances/USD", "balances", 1),
        ("GET", "/accounts/5WT00001/balances", "balances", 1),
        ("GET", "/accounts/5WT00001/trading-status", "trading-status", 1),
        ("GET", "/customers/me/accounts", "accounts", 1),
        ("POST", "/accounts/5WT00001/orders", "order-moving", 20),
        ("DELETE", "/accounts/5WT00001/complex-orders/7", "order-moving", 20),
        ("PATCH", "/accounts/5WT00001/orders/7", "order-moving", 20),
    ],
)
def test_the_published_table(method: str, path: str, name: str, rate: int) -> None:
    limit = limit_of(method, path)
    assert limit is not None
    assert (limit.name, limit.per_second) == (name, rate)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/accounts/5WT00001/orders"),
        ("POST", "/accounts/5WT00001/orders/dry-run"),
        ("POST", "/accounts/{account}/orders/dry-run"),
        ("POST", "/accounts/{account}/orders/{id}/dry-run"),
        ("GET", "/instruments/futures/x/y"),
        ("GET", "/customers/me"),
    ],
)
def test_what_is_in_no_row_falls_under_the_limit_on_everything(method: str, path: str) -> None:
    assert limit_of(method, path) is None


def test_rows_have_names_of_their_own() -> None:
    assert len({limit.name for limit in PUBLISHED}) == len(PUBLISHED)


@given(st.integers(), st.integers(-3, 10**6))
def test_a_wait_is_bounded_and_drawn_again_from_its_seed(seed: int, attempt: int) -> None:
    one, other = Backoff(seed=seed), Backoff(seed=seed)
    waits = [one.delay(attempt), one.crowded(attempt)]
    assert waits == [other.delay(attempt), other.crowded(attempt)]
    assert 0 <= waits[0] <= 20
    assert 1 <= waits[1] <= 20.5


def test_waits_grow_without_jitter_and_two_processes_differ() -> None:
    exact = Backoff(jitter=0, seed=1)
    assert [exact.delay(n) for n in range(1, 9)] == [0.5, 1, 2, 4, 8, 16, 20, 20]
    assert Backoff().seed != Backoff(seed=1).seed


def test_sleeping_moves_the_time_of_the_tests() -> None:
    time = Time()
    run(time.sleep(2.0))
    assert time.clock() == 1002.0
