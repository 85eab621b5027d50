"""Exits of trades held for weeks, on a market written by hand: a put 1-1-2 and a strangle on a stock, cents a tick."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time
from decimal import Decimal
from typing import ClassVar

import pytest

from adapters.replay.broker import ReplayBroker
from sim.ledger import LedgerError
from sim.model.defence import CloseByDte, DeltaDefence, DistanceDefence, EarlyProfit, OfPart
from sim.model.errors import ConfigError
from sim.model.exits import Exit, ProfitTarget, StopLoss
from sim.model.order import Action, Intent, Leg, OrderRequest
from sim.session import Session
from sim.strategies.exits import exits_of
from tests.hand import STOCK, HandDay, HandMarket, Sides, contract
from tests.rig import MID, NATURAL, Play, play

DAYS = [date(2024, 8, d) for d in (1, 2, 5)]
END = date(2024, 8, 9)
LONG, SHORT, NAKED = (contract(STOCK, END, strike, "P") for strike in (95, 94, 90))
CALL = contract(STOCK, END, 110, "C")
MINUTES = 10
Path = list[int]


def flat(price: int) -> Path:
    return [price] * MINUTES


def sides(mid: Path) -> Sides:
    """A market two ticks wide around each price."""
    return [m - 1 for m in mid], [m + 1 for m in mid]


def market(quotes: Mapping[date, Mapping[str, Path]], spot: Mapping[date, list[float]] | None = None) -> HandMarket:
    """By day the mids of ``long``, ``short``, ``naked``, ``call``; what is not given stands at 100, 80, 50 and 50."""
    names = {"long": (LONG, 100), "short": (SHORT, 80), "naked": (NAKED, 50), "call": (CALL, 50)}
    days = []
    for day in DAYS:
        given = quotes.get(day, {})
        table = {c: sides(given.get(name, flat(usual))) for name, (c, usual) in names.items()}
        days.append(HandDay(STOCK, day, table, (spot or {}).get(day, [100.0] * MINUTES)))
    return HandMarket(days)


def opened(legs: tuple[Leg, ...], *exits: Exit) -> Play:
    order = OrderRequest("play", legs, 2, None, Intent.OPEN, "entry", exits=exits)
    return Play("play", ("ABC",), lambda view: [order] if view.session == DAYS[0] else [], (time(9, 31),))


def lt112(*exits: Exit) -> Play:
    """Bought 100, sold 80, sold two at 50: two units, credit 80 at the mid; the naked ones alone brought 100."""
    legs = (
        Leg(LONG, 1, Action.BUY_TO_OPEN), Leg(SHORT, 1, Action.SELL_TO_OPEN), Leg(NAKED, 2, Action.SELL_TO_OPEN),
    )  # fmt: skip
    return opened(legs, *exits)


def strangle(*exits: Exit) -> Play:
    return opened((Leg(NAKED, 1, Action.SELL_TO_OPEN), Leg(CALL, 1, Action.SELL_TO_OPEN)), *exits)


def closings(session: Session) -> list[tuple[str, list[str], date, int]]:
    """Reason, legs, day and column of every closing fill."""
    out = []
    days = {d.open_ns: d.session for d in session.engine.desk.day.market.days}  # type: ignore[attr-defined]
    for fill in session.fills:
        order = session.orders[fill.order_id].order.request
        if order.intent is Intent.CLOSE:
            day = days[max(ns for ns in days if ns <= fill.ts)]
            out.append((order.reason, [leg.contract.label for leg in fill.legs], day, fill.k))
    return out


@pytest.fixture(params=[True, False], ids=["jump", "every minute"])
def jump(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


NAKED_AT_TENTH = {DAYS[1]: {"naked": [50, 50, 20, 6, 5, 5, 5, 5, 5, 5]}}


class TestPart:
    def test_the_part_closes_at_its_own_target_and_the_rest_stays(self, jump: bool) -> None:
        # The naked puts brought 50 each at the mid: nine tenths are earned when they cost 5, in column 4.
        exits = OfPart("naked", (2,), (ProfitTarget(0.9),))
        session = play(market(NAKED_AT_TENTH), [lt112(exits)], fill=MID, jump=jump)
        assert closings(session) == [("naked_profit_target", ["90P"], DAYS[1], 5)]
        (trade,) = session.engine.desk.ledger.open.values()
        assert trade.left == {LONG: 2, SHORT: -2, NAKED: 0}
        assert trade.remaining.legs == trade.trade.legs[:2]

    def test_what_is_left_is_marked_by_itself(self, jump: bool) -> None:
        exits = OfPart("naked", (2,), (ProfitTarget(0.9),))
        session = play(market(NAKED_AT_TENTH), [lt112(exits)], fill=MID, jump=jump)
        # Opened for +80 a unit, naked closed for -10: 70 x 2 units; the spread is worth 20 x 2. A tick is a dollar.
        assert session.equity[-1].nlv == session.equity[-1].cash + 40
        assert session.equity[-1].cash == 100_000 + 2 * (80 - 10)

    def test_the_stop_of_the_part_closes_everything_where_it_is_told_to(self, jump: bool) -> None:
        # Twice the credit of 50 is lost when a naked put costs 150, in column 3.
        quotes = {DAYS[1]: {"naked": [50, 100, 149, 150, 160, 160, 160, 160, 160, 160]}}
        exits = OfPart("naked", (2,), (StopLoss(2.0), ProfitTarget(0.9)), frozenset({"stop_loss"}))
        session = play(market(quotes), [lt112(exits)], fill=MID, jump=jump)
        assert closings(session) == [("naked_stop_loss", ["95P", "94P", "90P"], DAYS[1], 4)]
        assert session.engine.desk.ledger.closed[0].exit_reason == "naked_stop_loss"

    def test_the_whole_counts_what_its_part_has_cost(self, jump: bool) -> None:
        # The spread is worth 5 when the naked pair goes for 10: all of the credit is earned once it is worth 10.
        quotes = {
            DAYS[1]: {"naked": NAKED_AT_TENTH[DAYS[1]]["naked"], "long": flat(85)},
            DAYS[2]: {"naked": flat(5), "long": [85, 85, 89, 90, 90, 90, 90, 90, 90, 90]},
        }
        exits = (OfPart("naked", (2,), (ProfitTarget(0.9),)), ProfitTarget(1.0))
        session = play(market(quotes), [lt112(*exits)], fill=MID, jump=jump)
        assert closings(session) == [
            ("naked_profit_target", ["90P"], DAYS[1], 5), ("profit_target", ["95P", "94P"], DAYS[2], 4),
        ]  # fmt: skip

    def test_a_graver_exit_overtakes_the_order_of_a_part(self, jump: bool) -> None:
        # The part's target comes due while nobody offers its leg, then the price runs to the strike.
        naked: list[int | None] = [50, 5, None, None, None, None, None, None, None, None]
        days = market({}).days
        table = dict(days[1].table)
        table[NAKED] = ([m if m is None else m - 1 for m in naked], [m if m is None else m + 1 for m in naked])
        spot = [100.0, 100.0, 100.0, 100.0, 90.4, 90.4, 90.4, 90.4, 90.4, 90.4]
        days[1] = HandDay(STOCK, DAYS[1], table, spot)  # type: ignore[index]
        exits = (DistanceDefence(0.5), OfPart("naked", (2,), (ProfitTarget(0.9),)))
        session = play(HandMarket(days), [lt112(*exits)], fill=MID, jump=jump)
        reasons = [o.order.request.reason for o in session.orders.values()]
        assert reasons[:3] == ["entry", "naked_profit_target", "distance"]


class TestDistance:
    def test_closes_all_within_points_of_the_nearest_short(self, jump: bool) -> None:
        spot = {DAYS[1]: [100.0, 98.0, 96.01, 96.0, 97.0, 97.0, 97.0, 97.0, 97.0, 97.0]}
        session = play(market({}, spot), [lt112(DistanceDefence(2.0))], fill=MID, jump=jump)
        assert closings(session) == [("distance", ["95P", "94P", "90P"], DAYS[1], 4)], "94 + 2 is reached in column 3"

    def test_of_a_part_it_measures_that_part(self, jump: bool) -> None:
        spot = {DAYS[1]: [100.0, 96.0, 93.0, 92.0, 91.9, 91.9, 91.9, 91.9, 91.9, 91.9]}
        exits = OfPart("naked", (2,), (DistanceDefence(2.0),), frozenset({"distance"}))
        session = play(market({}, spot), [lt112(exits)], fill=MID, jump=jump)
        assert closings(session) == [("naked_distance", ["95P", "94P", "90P"], DAYS[1], 4)]

    def test_a_call_is_neared_from_below(self, jump: bool) -> None:
        spot = {DAYS[1]: [100.0, 107.9, 108.0, 108.0, 108.0, 108.0, 108.0, 108.0, 108.0, 108.0]}
        session = play(market({}, spot), [strangle(DistanceDefence(2.0))], fill=MID, jump=jump)
        assert [c[0:1] + c[2:] for c in closings(session)] == [("distance", DAYS[1], 3)]


class TestDelta:
    # Black-Scholes with 7 days: the 110 call at 50 cents with the stock at 100 has a delta near 0.13, at 106 and 2.50
    # one near 0.37, at 108 and 4.00 one near 0.46.
    SPOT: ClassVar = {DAYS[1]: [100.0, 100.0, 106.0, 106.0, 106.0, 108.0, 108.0, 108.0, 108.0, 108.0]}
    QUOTES: ClassVar = {DAYS[1]: {"call": [50, 50, 250, 250, 250, 400, 400, 400, 400, 400]}}

    def test_the_tested_side_closes_and_the_other_stays(self, jump: bool) -> None:
        session = play(market(self.QUOTES, self.SPOT), [strangle(DeltaDefence(0.30, None))], fill=MID, jump=jump)
        assert closings(session) == [("delta_tested", ["110C"], DAYS[1], 3)]
        (trade,) = session.engine.desk.ledger.open.values()
        assert trade.left == {NAKED: -2, CALL: 0}

    def test_further_in_everything_closes(self, jump: bool) -> None:
        session = play(market(self.QUOTES, self.SPOT), [strangle(DeltaDefence(None, 0.42))], fill=MID, jump=jump)
        assert closings(session) == [("delta_exit", ["90P", "110C"], DAYS[1], 6)]

    def test_without_two_sides_no_delta_is_known(self, jump: bool) -> None:
        days = market(self.QUOTES, self.SPOT).days
        table = dict(days[1].table)
        table[CALL] = ([None] * MINUTES, [401] * MINUTES)
        days[1] = HandDay(STOCK, DAYS[1], table, self.SPOT[DAYS[1]])  # type: ignore[index]
        session = play(HandMarket(days), [strangle(DeltaDefence(0.30, 0.42))], fill=MID, jump=jump)
        assert [c for c in closings(session) if c[2] == DAYS[1]] == []


class TestDays:
    @pytest.mark.parametrize(("days", "day"), [(8, None), (7, DAYS[1]), (4, DAYS[2]), (3, None)])
    def test_closes_when_so_many_days_are_left(self, jump: bool, days: int, day: date | None) -> None:
        # 1 August is 8 days away, 2 August 7, 5 August 4. Opened at 09:32: its own 09:31 has passed on the first day.
        session = play(market({}), [strangle(CloseByDte(days, time(9, 31)))], fill=MID, jump=jump)
        wanted = DAYS[1] if days == 8 else day
        assert [c[0:1] + c[2:3] for c in closings(session)] == ([("dte", wanted)] if wanted else [])

    def test_early_profit_counts_below_its_days_only(self, jump: bool) -> None:
        quotes = {
            DAYS[0]: {"call": [50, 50, 50, 40, 40, 40, 40, 40, 40, 40]},
            **{d: {"call": flat(40)} for d in DAYS[1:]},
        }
        session = play(market(quotes), [strangle(EarlyProfit(7, 0.1))], fill=MID, jump=jump)
        assert [c[0:1] + c[2:3] for c in closings(session)] == [("early_profit", DAYS[2])], "7 days are not below 7"


class TestWords:
    def test_the_graver_exits_come_first(self) -> None:
        made = exits_of(
            {
                "profit": 0.5, "stop": 2.0, "early": [[21, 0.25]], "delta": {"close_tested": 0.25, "close_all": 0.3},
                "distance": 25, "dte": {"days": 21, "at": "10:00"},
                "parts": {"naked": {"profit": 0.9, "stop": 2.0, "closes_all": ["stop"]}},
            },
            ["", "naked"],
        )  # fmt: skip
        assert [type(e).__name__ for e in made] == [
            "DistanceDefence", "DeltaDefence", "OfPart", "ProfitTarget", "StopLoss", "EarlyProfit", "CloseByDte",
        ]  # fmt: skip
        part = made[2]
        assert isinstance(part, OfPart)
        assert [type(e).__name__ for e in part.exits] == ["StopLoss", "ProfitTarget"]

    @pytest.mark.parametrize(
        ("config", "said"),
        [
            ({"parts": {"naked": {"profit": 0.9}}}, "exits.parts.naked: no leg has part: naked"),
            ({"parts": {"a": {"walk": 5}}}, "exits.parts.a has no 'walk'"),
            ({"parts": {"a": {"closes_all": ["luck"]}}}, "closes_all is 'luck': choose one of delta"),
            ({"delta": {"close_tested": 0.3, "close_all": 0.2}}, "closes all at 0.2, before the tested side at 0.3"),
            ({"delta": 0.3}, "exits.delta is 0.3: wanted keys and values: close_tested, close_all"),
            ({"dte": 21}, "exits.dte is 21: wanted keys and values: days, at"),
            ({"early": [21]}, "exits.early has 21: wanted rows of [days, share]"),
        ],
    )
    def test_what_does_not_fit_is_named(self, config: dict[str, object], said: str) -> None:
        with pytest.raises(ConfigError) as caught:
            exits_of(config, ["a"])
        assert said in str(caught.value)


def test_conservation_with_parts(jump: bool) -> None:
    exits = (OfPart("naked", (2,), (ProfitTarget(0.88),)), CloseByDte(4, time(9, 35)))
    session = play(market(NAKED_AT_TENTH), [lt112(*exits)], fill=NATURAL, jump=jump)
    (closed,) = session.engine.desk.ledger.closed
    session.engine.desk.ledger.check()
    # Opened at the bids 79 and 2 x 49 and the ask 101: 76. The naked pair back at 2 x 6, the spread sold at 99 - 81.
    assert closed.gross == 2 * (76 - 12 + 18)
    assert [c[0] for c in closings(session)] == ["naked_profit_target", "dte"]
    assert closed.exit_reason == "dte"
    assert session.equity[-1].nlv == float(Decimal(100_000) + closed.gross)


def test_a_venue_that_holds_something_else_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ReplayBroker, "positions", lambda _: {NAKED: -3, CALL: -2})
    with pytest.raises(LedgerError) as caught:
        play(market({}), [strangle()], fill=MID)
    assert str(caught.value) == f"2024-08-01: the ledger holds -2 {NAKED.symbol}, the venue -3"
