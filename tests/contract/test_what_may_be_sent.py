"""Production without its keys, a sandbox whose quotes are late, and how a broker starts."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date
from decimal import Decimal
from inspect import signature
from typing import Any

import pytest

from adapters.emulator.exchange.exchange import Exchange
from adapters.emulator.faults import Aim, Fault, Kind
from adapters.tastytrade.errors import NotServed
from adapters.tastytrade.production import UNARMED, Armed, Production
from adapters.tastytrade.sandbox import Sandbox
from conf import build
from conf.compose import compose, home
from conf.run import execute
from sim.market.products import known_product
from sim.model.errors import BrokerError, ConfigError
from sim.model.market import MINUTE_NS
from sim.model.order import Status
from tests.contract.market import P95, P100, TEN, buy, buy_back, order, sell
from tests.contract.rig import ACCOUNT, ORDERS, QUICK, Wire, emulator, fault, played, reason, told
from tests.hand import contract
from tests.virtual import Time, idle

BOTH = pytest.mark.parametrize("name", ["sandbox", "production"])

# --- what may be sent ------------------------------------------------------------------------------------------------


def test_unarmed_production_sends_no_order_and_no_replacement_and_any_cancel() -> None:
    async def scenario(h: Wire) -> None:
        body = {
            "order-type": "Limit", "time-in-force": "Day", "price": "5.00", "price-effect": "Credit",
            "external-identifier": "old", "legs": [{"instrument-type": "Equity Option", "symbol":
            "ABC   240119P00100000", "action": "Sell to Open", "quantity": 1}],
        }  # fmt: skip
        h.live.broker.adopt([order("old", limit=500)])
        h.exchange.place("5WT00001", body)
        await h.wait(0.5)
        assert told(h, "old") == "accepted"
        h.broker.submit(order("a"))
        h.broker.replace("old", order("b"))
        await h.wait(0.5)
        assert [reason(h.events, each) for each in "ab"] == [UNARMED, UNARMED]
        assert h.network.count("POST", f"{ORDERS}*") == 0
        assert h.network.count("PUT", f"{ORDERS}*") == 0
        h.broker.cancel("old")
        await h.wait(0.5)
        assert told(h, "old") == "accepted cancelled"

    played("production", scenario, armed=None)


@BOTH
def test_an_order_that_the_broker_has_no_name_for_is_rejected_and_nothing_is_sent(name: str) -> None:
    """No monthly option on crude oil expires on that day, so that no symbol can be written for it."""
    product = known_product("LO")
    assert product is not None
    nameless = contract(product, date(2024, 1, 5), 75, "P", "CLG4")

    async def scenario(h: Wire) -> None:
        h.broker.submit(order("a", sell(nameless), limit=10))
        assert h.broker.snapshot() == ()
        h.broker.submit(order("b", limit=500))
        await h.wait(0.5)
        h.broker.replace("b", order("c", sell(nameless), limit=10))
        await h.wait(0.5)
        assert [told(h, each) for each in "abc"] == ["rejected", "accepted", "rejected"]
        for each in "ac":
            assert "no monthly LO expires on 2024-01-05" in reason(h.events, each)
        assert h.network.count("POST", ORDERS) == 1
        assert h.network.count("PUT", "*") == 0

    played(name, scenario)


@pytest.mark.parametrize("keys", [("", "b"), ("a", " "), ("a", "a"), ("a ", "a")])
def test_two_keys_arm_and_nothing_less(keys: tuple[str, str]) -> None:
    with pytest.raises(ConfigError, match="two keys"):
        Armed(*keys)
    assert "secret" not in repr(Armed("secret one", "secret two"))


def test_production_without_a_dry_run_cannot_be_made() -> None:
    with pytest.raises(ConfigError, match="dry_run"):
        Wire("production", conduct=replace(QUICK, dry_run=False))
    assert "armed" not in signature(Production).parameters


def test_a_delayed_sandbox_trades_only_where_that_is_accepted() -> None:
    async def refused(h: Wire) -> None:
        assert h.live.notice == "DELAYED 15 MIN"
        h.broker.submit(order("a"))
        await h.wait(0.1)
        assert "adapter.accept_delayed=true" in reason(h.events, "a")
        assert h.network.count("POST", f"{ORDERS}*") == 0

    async def accepted(h: Wire) -> None:
        assert h.live.notice == "DELAYED 15 MIN"
        h.live.quotes.watch([P100])
        await h.wait(1)
        seen = h.live.quotes.quote(P100)
        assert seen is not None
        # The quote of 9:45 is as young as one of now, by the clock of the feed.
        assert seen.age < 120
        h.broker.submit(order("a"))
        await h.wait(0.5)
        assert told(h, "a") == "accepted filled"

    async def elsewhere(h: Wire) -> None:
        assert h.live.notice == "QUOTES OF hand (written by hand)"
        h.broker.submit(order("a", sell(P100), buy(P95), limit=None))
        await h.wait(0.5)
        assert told(h, "a") == "accepted filled"

    played("sandbox", refused, delayed=True)
    played("sandbox", accepted, delayed=True, accept_delayed=True)
    played("sandbox", elsewhere, delayed=True, quotes="market")


def test_orders_go_to_the_sandbox_with_quotes_of_production() -> None:
    """The sandbox's own feed is late and knows of no rise; production's is not, and has its own secrets."""

    async def main() -> None:
        time = Time()
        production = emulator(time, start_ns=TEN + 4 * MINUTE_NS, seed=2)
        made = emulator(time, delayed=True)
        h = Wire("sandbox", made=made, production=production, time=time, quotes="production")
        await h.start()
        assert h.live.notice == ""
        assert h.live.quotes.source == "DXLink of production"
        h.live.quotes.watch([P100])
        await h.wait(0.2)
        h.broker.submit(order("a", limit=None))
        await h.wait(0.2)
        assert told(h, "a") == "accepted"
        (sent,) = h.exchange.list(ACCOUNT).items
        # Production bids 1.60 and the sandbox 1.20: it goes at production's, two ticks less, and rests.
        assert (sent["order-type"], Decimal(sent["price"])) == ("Limit", Decimal("1.58"))
        assert isinstance(production.exchange, Exchange)
        assert not production.exchange.list(ACCOUNT).items
        assert made.doors.client_secret != production.doors.client_secret
        await h.stop()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_production_never_trades_on_late_quotes() -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(order("a"))
        await h.wait(0.1)
        assert "15 minutes late" in reason(h.events, "a")

    played("production", scenario, delayed=True)


# --- while a dry run lasts -------------------------------------------------------------------------------------------


def sent_at(h: Wire) -> list[Decimal]:
    return [Decimal(each["price"]) for each in h.exchange.list("5WT00001").items]


@BOTH
def test_whether_it_may_be_sent_is_asked_again_right_before_it_is(name: str) -> None:
    """The permit was once asked before a dry run that may take a minute, and not after it (review, 21)."""

    async def scenario(h: Wire) -> None:
        said = iter(["", "the arming has ended"])
        h.live.broker._sender._permit = lambda _: next(said)
        h.broker.submit(order("a"))
        await h.wait(0.5)
        assert (told(h, "a"), reason(h.events, "a")) == ("rejected", "the arming has ended")
        assert h.network.count("POST", f"{ORDERS}/dry-run") == 1
        assert h.network.count("POST", ORDERS) == 0

    played(name, scenario)


@BOTH
def test_a_replacement_is_asked_about_again_too(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(order("a", limit=500))
        await h.wait(0.5)
        said = iter(["", "the arming has ended"])
        h.live.broker._sender._permit = lambda _: next(said)
        h.broker.replace("a", order("b", limit=480))
        await h.wait(0.5)
        assert reason(h.events, "b") == "the arming has ended"
        assert h.network.count("PUT", f"{ORDERS}/*") == 0

    played(name, scenario)


@BOTH
@pytest.mark.parametrize(
    ("naturals", "dry_runs", "price"),
    [
        (["1.20", "1.19"], 1, "1.17"),  # within the cushion: the price of now
        (["1.20", "1.24"], 1, "1.22"),  # better: nothing is given away
        (["1.20", "1.15", "1.15"], 2, "1.13"),  # more than the cushion: the broker is asked again, at that price
        (["1.20", "1.15", "1.10", "1.05"], 3, None),  # faster than it can be asked: nothing is opened
    ],
)
def test_an_opening_is_priced_right_before_it_is_sent(
    name: str, naturals: list[str], dry_runs: int, price: str | None
) -> None:
    async def scenario(h: Wire) -> None:
        said = iter(naturals)
        h.live.broker._sender._prices = lambda _: Decimal(next(said))
        h.broker.submit(order("a", limit=None))
        await h.wait(0.5)
        assert h.network.count("POST", f"{ORDERS}/dry-run") == dry_runs
        assert sent_at(h) == ([] if price is None else [Decimal(price)])
        assert price is not None or "more than the cushion" in reason(h.events, "a")

    played(name, scenario, conduct=replace(QUICK, cushion=2))


@BOTH
def test_an_opening_with_a_floor_rests_at_it_when_the_market_has_left(name: str) -> None:
    async def scenario(h: Wire) -> None:
        said = iter(["1.20", "1.10", "1.10"])
        h.live.broker._sender._prices = lambda _: Decimal(next(said))
        h.broker.submit(order("a", limit=115))
        await h.wait(0.5)
        assert sent_at(h) == [Decimal("1.15")]

    played(name, scenario, conduct=replace(QUICK, cushion=2))


@BOTH
def test_a_close_goes_out_at_the_price_of_now_however_far_that_has_moved(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(order("a"))
        await h.wait(0.5)
        said = iter([Decimal("-1.24"), Decimal("-1.24"), Decimal("-1.60")])
        h.live.broker._sender._prices = lambda _: next(said)
        h.broker.submit(order("b", buy_back(P100), limit=None, trade="a"))
        await h.wait(0.5)
        assert h.network.count("POST", f"{ORDERS}/dry-run") == 2
        assert Decimal("1.62") in sent_at(h)

    played(name, scenario, conduct=replace(QUICK, cushion=2))


@BOTH
def test_a_close_that_crosses_is_not_sent_at_a_limit_of_quotes_that_are_gone(name: str) -> None:
    """The mid of a flatten went out although nobody heard the market (review, 3). A profit target may wait."""

    async def scenario(h: Wire) -> None:
        natural: Decimal | None = Decimal("1.20")
        h.live.broker._sender._prices = lambda _: natural
        h.broker.submit(order("a"))
        await h.wait(0.5)
        natural = None
        back = order("b", buy_back(P100), limit=-122, trade="a")
        h.broker.submit(replace(back, request=replace(back.request, cross=True)))
        await h.wait(0.5)
        assert "nothing is guessed" in reason(h.events, "b")
        target = order("c", buy_back(P100), limit=-60, trade="a")
        h.broker.submit(replace(target, request=replace(target.request, resting=True)))
        await h.wait(0.5)
        assert told(h, "c") == "accepted"

    played(name, scenario, conduct=replace(QUICK, blind=False))


def test_how_long_an_order_took_to_the_network_can_be_heard() -> None:
    async def main() -> None:
        h = Wire("sandbox", dry_run=False)
        heard: list[tuple[str, float]] = []
        h.live.broker._sender._timed = lambda *told: heard.append(told)
        await h.start()
        h.broker.submit(order("a"))
        await h.wait(0.1)
        await h.stop()
        assert [each for each, _ in heard] == ["a"]
        assert heard[0][1] >= 0

    asyncio.run(main())


# --- starting --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"account": "5WT99999"}, "not among the open accounts"),
        ({"quotes": "nowhere"}, "choose one of own, production, market"),
        ({"cushion": -1}, "adapter.cushion is -1"),
        ({"rest": "http://example.com", "account_streamer": "ws://example.com"}, "no address of the sandbox"),
        ({"rest": "https://api.tastyworks.com", "account_streamer": "wss://streamer.tastyworks.com"}, "no address of"),
    ],
)
def test_a_wrong_setting_is_one_line(options: dict[str, Any], said: str) -> None:
    async def main() -> None:
        if "account" in options:
            h = Wire("sandbox", **options)
            try:
                await h.start()
            finally:
                await h.network.aclose()
        else:
            Sandbox(**options)

    with pytest.raises((BrokerError, ConfigError), match=said) as error:
        asyncio.run(main())
    assert "5WT" not in str(error.value)
    assert "\n" not in str(error.value)


@BOTH
def test_it_starts_once_and_a_second_start_changes_nothing(name: str) -> None:
    async def scenario(h: Wire) -> None:
        asked = len(h.network.sent)
        with pytest.raises(BrokerError, match="started already: make a new one"):
            await h.live.start()
        with pytest.raises(BrokerError, match="started already: make a new one"):
            await h.live.broker.start()
        assert len(h.network.sent) == asked
        h.broker.submit(order("a"))
        await h.wait(0.5)
        assert told(h, "a") == "accepted filled"
        await h.through(h.live.aclose())
        with pytest.raises(BrokerError, match="started already: make a new one"):
            await h.live.start()

    played(name, scenario)


@BOTH
def test_one_of_several_accounts_has_to_be_named(name: str) -> None:
    async def main() -> None:
        time, other = Time(), "5WT00002"
        made = emulator(time, accounts=(ACCOUNT, other))
        unnamed = Wire(name, made=made, time=time)
        with pytest.raises(BrokerError, match=r"sees 2 open accounts, wanted one: set adapter\.account") as error:
            await unnamed.start()
        assert "5WT" not in str(error.value)
        await unnamed.network.aclose()
        h = Wire(name, made=made, time=time, account=other)
        await h.start()
        h.broker.submit(order("a"))
        await h.wait(0.5)
        assert told(h, "a") == "accepted filled"
        assert [len(h.exchange.positions(each)) for each in (ACCOUNT, other)] == [0, 1]
        await h.stop()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_without_an_account_stream_it_does_not_start_and_leaves_nothing_behind() -> None:
    async def main() -> None:
        h = Wire("sandbox")
        fault(h, Kind.STATUS, "GET", "/accounts/*", times=1000)
        with pytest.raises(BrokerError, match="did not stand within 30 s"):
            await h.start()
        await h.network.aclose()
        await idle()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_orders_of_an_earlier_session_are_known_again_and_others_are_strangers() -> None:
    async def main() -> None:
        first = Wire("sandbox")
        await first.start()
        for each in ("a", "b", "mine not"):
            first.broker.submit(order(each, limit=500))
        await first.wait(0.1)
        await first.stop()
        again = Wire("sandbox", made=first.emulator, time=first.time)
        again.live.broker.adopt([order("a", limit=500), order("b", limit=500)])
        first.exchange.cancel("5WT00001", 900_002)
        first.emulator.tick()
        await again.start()
        await again.wait(0.1)
        assert [told(again, each) for each in "ab"] == ["accepted", "accepted cancelled"]
        assert [(o.id, o.status) for o in again.broker.snapshot()] == [("a", Status.LIVE)]
        assert again.live.broker.strangers == ("900003",)
        await again.stop()

    asyncio.run(main())


# --- by configuration -----------------------------------------------------------------------------------------------


def test_the_configuration_makes_both_and_holds_no_key_and_no_secret() -> None:
    for name, kind in (("sandbox", Sandbox), ("production", Production)):
        node = compose([f"adapter={name}"])["adapter"]
        made = build.target(node, where="adapter")
        assert isinstance(made, kind)
        assert made == kind()
        assert not {"armed", "secret", "token", "client_secret", "refresh_token", "dry_run_off"} & set(node)
    chosen = compose(["adapter=sandbox", "adapter.quotes=market", "adapter.accept_delayed=true"])["adapter"]
    assert build.target(chosen, where="adapter") == Sandbox(quotes="market", accept_delayed=True)


@pytest.mark.parametrize("word", ["adapter.cushion=-1", "adapter.quotes=elsewhere", "adapter.rest=http://127.0.0.1:1"])
def test_a_value_that_does_not_fit_is_one_line(word: str) -> None:
    with pytest.raises(ConfigError, match="adapter") as error:
        build.target(compose(["adapter=sandbox", word])["adapter"], where="adapter")
    assert "\n" not in str(error.value)


def test_history_is_not_played_at_a_broker() -> None:
    with pytest.raises(ConfigError, match="replay"):
        execute(compose(["adapter=sandbox", "market=es_sample"]), home())


def test_what_the_sandbox_lacks_is_one_line_and_not_a_gateways_page() -> None:
    async def scenario(h: Wire) -> None:
        fault_at = Fault(Kind.HTML, "GET", "/market-metrics*", Aim(times=10), status=502)
        h.emulator.faults.add(fault_at)
        with pytest.raises(NotServed, match="GET /market-metrics is not served by the sandbox") as error:
            await h.through(h.live.rest.market.metrics(["ABC"]))
        assert "\n" not in str(error.value)
        assert h.network.count("GET", "/market-metrics") == 1

    played("sandbox", scenario)
