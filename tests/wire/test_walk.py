"""The doctor's way to a broker: every step and what it says when something is missing, against an emulator."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal

import pytest

from adapters.emulator.listing import Window
from adapters.emulator.opening import Opening
from adapters.tastytrade.rest.shapes_order import OrderInfo
from conf.main import main
from conf.reach import Reach
from conf.walk import Outcome, Walk, clock
from sim.model.errors import UsageError
from tests.stream_rig import Time
from tests.wire.link import SITE, linked, made

HIGH = Window(days=10, below=0.01, above=0.06)


def walked(
    *, no_to: str = "", adapter: str = "emulator", delayed: bool = False, window: Window = HIGH,
    profile: str = "market-simulator", opening: Opening | None = None,
) -> tuple[list[Outcome], list[str], list[OrderInfo]]:  # fmt: skip
    """The outcomes, the questions, and the orders that the exchange then has."""
    asked: list[str] = []

    def ask(question: str) -> bool:
        asked.append(question)
        return not no_to or no_to not in question

    async def go() -> tuple[list[Outcome], list[str], list[OrderInfo]]:
        time = Time()
        emulator = made(
            time_of=time, delayed=delayed, window=window, accounts=[opening or Opening("5WT00001")], profile=profile
        )
        async with linked(emulator, time) as link:
            broker = Reach(adapter, SITE, link.auth, link.rest, link.wall, "es_sample")
            clocks = {"now": time.now, "wall": link.wall, "sleep": time.sleep}
            walk = Walk(broker, ask, lambda _: None, emulator.dial, link.pass_, clocks)
            outcomes = await walk.run()
            page = await link.rest.orders.page("5WT00001")
        return outcomes, asked, list(page.items)

    return asyncio.run(go())


@pytest.mark.parametrize("profile", ["market-simulator", "classic-cert"])
def test_all_four_steps_and_nothing_is_left_working(profile: str) -> None:
    outcomes, asked, orders = walked(profile=profile)
    assert [o.step for o in outcomes] == ["credentials", "account", "quotes", "order"]
    assert all(o.ok for o in outcomes), [o.line() for o in outcomes]
    assert len(asked) == 4
    assert [(o.status, o.price) for o in orders] == [("Cancelled", Decimal("3.05"))]
    assert not any(leg.fills for o in orders for leg in o.legs)


def test_a_no_stops_before_anything_is_sent() -> None:
    outcomes, asked, orders = walked(no_to="place one order")
    assert [o.ok for o in outcomes] == [True, True, True, False]
    assert outcomes[-1].said == "left out by you"
    assert not orders
    outcomes, asked, _ = walked(no_to="log in")
    assert (len(outcomes), len(asked), outcomes[0].code) == (1, 1, 1)


def test_production_gets_no_order() -> None:
    outcomes, asked, orders = walked(adapter="production")
    assert [o.step for o in outcomes] == ["credentials", "account", "quotes"]
    assert not orders
    assert not any("order" in question for question in asked)


def test_late_quotes_are_called_late_and_no_far_put_is_no_order() -> None:
    outcomes, _, orders = walked(delayed=True, window=Window(days=10, below=0.01, above=0.01))
    assert "15 MINUTES LATE" in outcomes[2].said
    assert "far enough" in outcomes[3].said
    assert not orders


def test_an_account_that_may_only_close_is_told() -> None:
    outcomes, _, _ = walked(opening=Opening("5WT00001", closing_only=True))
    assert outcomes[-1].line().startswith("account      MISSING  ...01 of 1: it may only close positions; ask")


@pytest.mark.parametrize(
    ("behind", "ok", "words"), [(1.0, True, "within 1 s"), (-400.0, False, "400 s behind"), (95.0, False, "95 s ahead")]
)
def test_the_clock_is_compared_with_the_servers(behind: float, ok: bool, words: str) -> None:
    found = clock("https://broker.test", "Fri, 19 Jul 2024 14:00:00 GMT", 1721397600.0 + behind)
    assert (found.ok, words in found.said) == (ok, True)
    assert clock("https://broker.test", "", 0.0).ok


def test_the_command_says_what_is_missing_and_never_a_value(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TASTYTRADE_CLIENT_SECRET_SANDBOX", "s3cr3t-value")
    monkeypatch.delenv("TASTYTRADE_REFRESH_TOKEN_SANDBOX", raising=False)
    monkeypatch.setattr("adapters.tastytrade.credentials.ask_keyring", lambda service, user: None)
    assert main(["doctor", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["credentials"]["TASTYTRADE_CLIENT_SECRET_SANDBOX"] == "present"
    assert facts["sandbox"].startswith("missing TASTYTRADE_REFRESH_TOKEN_SANDBOX:")
    assert main(["doctor", "adapter=sandbox", "--yes"]) == 4
    said = capsys.readouterr()
    assert "TASTYTRADE_REFRESH_TOKEN_SANDBOX" in said.out
    assert "s3cr3t" not in f"{facts}{said.out}{said.err}"


def test_it_asks_somebody_or_is_told_not_to(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "adapter=emulator"]) == UsageError.exit_code
    assert "add --yes" in capsys.readouterr().err
    assert main(["doctor", "adapter=nowhere", "--yes"]) == UsageError.exit_code
    assert main(["doctor", "adapter=sandbox", "market=es_sample", "--yes"]) == UsageError.exit_code
    assert main(["data", "record", "SPY", "--to", "es_sample", "adapter=sandbox"]) == UsageError.exit_code
    assert main(["data", "record", "SPY", "--to", "x", "adapter=sandbox", "--for", "soon"]) == UsageError.exit_code
