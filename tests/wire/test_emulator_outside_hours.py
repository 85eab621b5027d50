"""Outside the market's hours and beyond its days: when prices were known, where a start is refused, what settles."""

from __future__ import annotations

import asyncio
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from adapters.emulator.assembly import emulated
from adapters.emulator.emulator import Emulator
from sim.calendar import NEW_YORK, at_ny, ny
from sim.model.errors import ConfigError
from sim.model.instrument import OptionContract
from tests.wire.emulated import ACCOUNT, Hands, client, emulator, sample
from tests.wire.exchange_rig import fees, usual_margin

FRIDAY = date(2024, 8, 16)
"""The last session of es_sample."""
SHOWN = {
    "index": "VIX", "equity": "SPY", "future": "/ESU4", "equity-option": "SPY   240816P00540000",
    "future-option": "./ESU4 EW3Q4 240816P5500",
}  # fmt: skip


def seen(made: Emulator) -> dict[str, datetime]:
    """``updated-at`` by type, in New York."""

    async def main() -> list[dict[str, Any]]:
        async with client(made) as opened:
            answer = await opened.get("/market-data/by-type", params=SHOWN)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["data"]["items"]
        return found

    rows = {row["instrument-type"]: row["updated-at"] for row in asyncio.run(main())}
    return {kind: datetime.fromisoformat(at).astimezone(NEW_YORK) for kind, at in rows.items()}


def at(day: date, clock: time) -> datetime:
    return datetime.combine(day, clock, NEW_YORK)


def test_before_the_open_a_price_is_as_old_as_the_close_before() -> None:
    made = emulator(paused=True, start=(date(2024, 7, 22), time(8)))
    found = seen(made)
    friday = date(2024, 7, 19)
    assert found["Index"] == at(friday, time(16, 15))
    assert {found["Equity"], found["Equity Option"]} <= {at(friday, time(16)), at(friday, time(16, 15))}
    # The future trades through the night.
    assert found["Future"] == found["Future Option"] == at(date(2024, 7, 22), time(8))


def test_in_the_maintenance_hour_of_the_future_it_is_the_close() -> None:
    made = emulator(paused=True, start=(date(2024, 7, 22), time(17, 30)))
    found = seen(made)
    assert found["Future"] == found["Future Option"] == at(date(2024, 7, 22), time(17))


def test_no_price_is_ever_of_an_instant_to_come() -> None:
    made = emulator(paused=True, start=(FRIDAY, time(0)))
    for _ in range(5 * 24):
        made.clock.step(3600)
        now = ny(made.clock.now())
        assert all(each <= now for each in seen(made).values()), now


@pytest.mark.parametrize(
    ("day", "clock", "words"),
    [
        (date(2024, 8, 16), time(17), "after the last session"),
        (date(2024, 8, 18), time(12), "after the last session"),
        (date(2024, 9, 2), time(10), "after the last session"),
        (date(2045, 1, 1), time(10), "after the last session"),
        (date(2024, 7, 12), time(16, 59), "before the first session"),
        (date(2024, 7, 1), time(10), "before the first session"),
        (date(1990, 1, 1), time(10), "before the first session"),
    ],
)
def test_a_start_beyond_the_market_is_refused_with_its_reach(day: date, clock: time, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        emulator(start=(day, clock))
    said = str(refused.value)
    assert said.startswith(f"adapter.start is {day} {clock:%H:%M} in New York, {words} of market 'es_sample'")
    assert "from 2024-07-15 to 2024-08-16" in said
    assert "\n" not in said
    with pytest.raises(ConfigError, match=words):
        emulator(start_ns=at_ny(day, clock))


def test_every_underlying_must_have_begun_and_one_must_still_trade() -> None:
    # After its close on the Friday before, the future is in Monday's session; the shares only from 20:00 on.
    before = date(2024, 7, 12)
    assert emulator(start=(before, time(17, 30)), underlyings=("ES",)).world.trade_date("ES") == date(2024, 7, 15)
    with pytest.raises(ConfigError, match="before the first session"):
        emulator(start=(before, time(17, 30)), underlyings=("ES", "SPY"))
    assert emulator(start=(before, time(20))).world.trade_date("SPY") == date(2024, 7, 15)
    assert emulator(start=(FRIDAY, time(16, 30))).world.over("SPY")
    with pytest.raises(ConfigError, match="after the last session"):
        emulator(start=(FRIDAY, time(16, 30)), underlyings=("SPY", "VIX"))


def bought(made: Emulator, expiration: date) -> tuple[str, OptionContract]:
    """An option of SPX that expires then, bought at market: the dearest put that is listed."""
    series = next(s for s in made.world.series("SPX") if s.product.root == "SPXW" and s.expiration == expiration)
    contract = next(c for c in reversed(made.listing.contracts(series)) if not c.is_call)
    item = made.listing.item(contract)
    legs = [{"instrument-type": "Equity Option", "symbol": item.symbol, "action": "Buy to Open", "quantity": 1}]
    made.exchange.place(ACCOUNT, {"order-type": "Market", "time-in-force": "Day", "legs": legs})
    return item.symbol, contract


def test_what_expires_before_the_markets_end_settles_then_however_far_the_step_and_nothing_else_does() -> None:
    made = emulator(paused=True, start=(date(2024, 8, 15), time(10)))
    known, contract = bought(made, FRIDAY)
    unknown, _ = bought(made, date(2024, 8, 23))

    async def main() -> None:
        await made.step(5)
        assert {row["symbol"] for row in made.exchange.positions(ACCOUNT, {})} == {known, unknown}
        await made.step(10 * 86_400)

    asyncio.run(main())
    assert [row["symbol"] for row in made.exchange.positions(ACCOUNT, {})] == [unknown]
    (end,) = made.exchange.transactions(ACCOUNT, {"symbol": known, "types": ["Receive Deliver"]}).items
    assert datetime.fromisoformat(end["executed-at"]).astimezone(NEW_YORK) == at(FRIDAY, time(16))
    price = made.world.settlement(contract.series)
    assert price is not None
    gain = max(contract.strike - Decimal(repr(round(price, 6))), Decimal(0)) * 100
    assert Decimal(end["value"]) == gain
    # Of what expires later nobody knows the price: there is the purchase and nothing else.
    assert len(made.exchange.transactions(ACCOUNT, {"symbol": unknown}).items) == 1
    made.exchange.check()  # type: ignore[attr-defined]


@pytest.mark.parametrize("synthetic", [True, False])
def test_the_emulator_says_of_its_prices_what_the_market_says(synthetic: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    market = sample()
    monkeypatch.setattr(type(market), "synthetic", property(lambda _: synthetic))
    made = emulated(
        market, fees=fees(), margin=usual_margin(), cash=Decimal(1), seconds=Hands(), paused=True,
        facts={"synthetic": "no idea", "profile": "market-simulator"},
    )  # fmt: skip

    async def main() -> dict[str, Any]:
        async with client(made, {}) as opened:
            found: dict[str, Any] = (await opened.get("/emulator")).json()["data"]
            return found

    found = asyncio.run(main())
    assert found["synthetic"] is synthetic
    assert (found["market"], found["profile"]) == ("es_sample", "market-simulator")
