"""The harness of the emulator's bench: what it asks for, and how it judges what it saw."""

from __future__ import annotations

from itertools import islice

from tests.bench import emulator
from tests.bench.emulator import Counts, Load, Site


def test_every_fifth_call_is_an_order_and_they_are_a_client_s_mix() -> None:
    asked = list(islice(emulator.calls([f"S{i}" for i in range(200)]), 500))
    orders = [path for method, path, body in asked if method == "POST" and body is emulator.ORDER]
    assert len(orders) == 100
    assert sum(path.endswith("/dry-run") for path in orders) == 50
    kinds = {path.partition("?")[0] for _, path, _ in asked}
    assert {"/market-data/by-type", "/market-metrics", "/option-chains/SPY/nested", f"{emulator.A}/balances"} <= kinds


def test_an_update_ages_from_the_moment_its_minute_was_known() -> None:
    site = Site({}, "", began=100.0, start=0, process=0)
    assert site.age(3 * emulator.MINUTE_NS, 103.25) == 0.25


def test_missed_minutes_late_updates_slow_answers_and_untold_orders_are_not_met() -> None:
    load = Load(clients=2, seconds=5.0)
    good = [Counts([0.5] * 5, {1, 2, 3}, 250) for _ in range(2)]
    fine = emulator.bars(load, good, range(1, 4), [0.01] * 10, 0, 0.4)
    assert [bar.met for bar in fine] == [True] * 4
    bad = [Counts([0.1] + [1.9] * 9, {1, 3}, 250) for _ in range(2)]
    missed = emulator.bars(load, bad, range(1, 4), [1.0] * 10, 1, 1.2)
    assert [bar.met for bar in missed] == [False] * 4
    assert missed[0].ratio == 3
    assert emulator.bars(load, good, range(1, 4), [0.01] * 10, 0, float("nan"))[3].met
