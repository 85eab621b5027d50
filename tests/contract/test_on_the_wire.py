"""What only a broker over a network meets: parts, refusals with their codes, doubts, cuts, and what may not be sent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from adapters.emulator.exchange.profiles import Script, Scripted
from adapters.emulator.faults import Aim, Fault, Kind
from adapters.emulator.streams.stream_faults import FaultKind, StreamFault
from adapters.tastytrade.production import UNARMED, Armed, Production
from adapters.tastytrade.sandbox import Sandbox
from sim.model.errors import BrokerError, ConfigError
from sim.model.event import OrderFilled
from sim.model.order import Status
from tests.contract.market import P95, P100, buy, buy_back, order, sell
from tests.contract.rig import QUICK, Late, Wire, column, fills, ids, kinds, played, reason
from tests.stream_rig import settle

BOTH = pytest.mark.parametrize("name", ["sandbox", "production"])
ORDERS = "/accounts/5WT00001/orders"


def told(h: Wire, order_id: str) -> str:
    return " ".join(kinds(h.events, order_id))


def scripted(**scripts: Script) -> Scripted:
    return Scripted(default=Script("never"), scripts=scripts)


def fault(h: Wire, kind: Kind, method: str, path: str = f"{ORDERS}*", **aim: Any) -> None:
    h.emulator.faults.add(Fault(kind, method, path, Aim(**aim)))


# --- parts and races ------------------------------------------------------------------------------------------------


@BOTH
def test_an_order_fills_in_parts(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(order("a", sell(P100), buy(P95), limit=50, quantity=5))
        await h.wait(0.2)
        events = [e for e in h.events if isinstance(e, OrderFilled)]
        assert [(e.fill.quantity, e.left) for e in events] == [(1, 4), (2, 2), (2, 0)]
        assert told(h, "a") == "accepted filled filled filled"
        assert h.positions() == {P100: -5, P95: 5}

    played(name, scenario, profile=scripted(a=Script("partial", parts=(1, 2, 2))))


@BOTH
def test_a_cap_on_commissions_is_one_an_order_however_many_parts_it_fills_in(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(order("a", quantity=15))
        await h.wait(0.2)
        paid = sum((leg.fee for fill in fills(h.events, "a") for leg in fill.legs), Decimal(0))
        rows, _ = pages(h.emulator.exchange.transactions("5WT00001", {}))
        charged = sum((Decimal(r[key]) for r in rows for key in FEES if key in r), Decimal(0))
        assert paid == charged > 10

    played(name, scenario, profile=scripted(a=Script("partial", parts=(7, 4, 4))))


FEES = ("commission", "clearing-fees", "regulatory-fees", "proprietary-index-option-fees")


def pages(found: Any) -> tuple[list[dict[str, Any]], Any]:
    return list(found.items), found.pagination


@BOTH
def test_what_is_left_of_a_part_filled_order_is_cancelled(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(order("a", quantity=5))
        await h.wait(0.01)
        h.broker.cancel("a")
        await h.wait(0.2)
        assert told(h, "a") == "accepted filled cancelled"
        assert h.positions() == {P100: -2}

    played(name, scenario, profile=scripted(a=Script("partial", parts=(2,))))


@BOTH
def test_a_fill_that_overtakes_the_cancel_counts(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(order("a"))
        await h.wait(0.005)
        assert told(h, "a") == "accepted"
        h.broker.cancel("a")
        await h.wait(0.2)
        assert told(h, "a") in ("accepted filled", "accepted cancelled")
        assert h.positions() == ({P100: -1} if "filled" in told(h, "a") else {})

    played(name, scenario, profile=scripted(a=Script("delayed", delay=0.4)))


@BOTH
def test_a_replacement_of_a_part_filled_order_takes_what_is_left(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(order("a", quantity=5))
        await h.wait(0.02)
        h.broker.replace("a", order("b", limit=119, quantity=5))
        await h.wait(0.2)
        assert told(h, "a") == "accepted filled cancelled"
        assert told(h, "b").split()[0] == "accepted"
        h.broker.cancel("b")
        await h.wait(0.2)
        total = sum(fill.quantity for each in "ab" for fill in fills(h.events, each))
        assert h.positions() == {P100: -total}
        assert h.broker.snapshot() == ()

    played(name, scenario, profile=scripted(a=Script("partial", parts=(2,))))


@BOTH
def test_the_old_order_fills_while_it_is_being_replaced(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(order("a"))
        await h.wait(0.005)
        h.broker.replace("a", order("b", limit=119))
        await h.wait(0.3)
        assert told(h, "a").split()[0] == "accepted"
        done = [len(fills(h.events, each)) for each in "ab"]
        assert sum(done) == -sum(h.positions().values())
        assert sum(done) <= 1
        if done[0]:
            assert told(h, "b") in ("rejected", "accepted cancelled")

    played(name, scenario, profile=scripted(a=Script("delayed", delay=0.34)))


# --- refusals -------------------------------------------------------------------------------------------------------


@BOTH
def test_the_dry_run_says_no_with_every_code_and_nothing_is_sent(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(order("a", quantity=900))
        await h.wait(0.1)
        assert told(h, "a") == "rejected"
        assert "margin_check_failed" in reason(h.events, "a")
        assert "nothing was sent" in reason(h.events, "a")
        assert h.network.count("POST", ORDERS) == 0

    played(name, scenario)


def test_without_a_dry_run_the_broker_itself_says_no() -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(order("a", quantity=900))
        await h.wait(0.1)
        assert told(h, "a") == "rejected"
        assert "margin_check_failed" in reason(h.events, "a")
        assert h.network.count("POST", ORDERS) == 1

    played("sandbox", scenario, dry_run=False)


@BOTH
def test_the_venue_rejects_after_it_was_taken(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(order("a"))
        await h.wait(0.1)
        assert told(h, "a") == "accepted rejected"
        assert reason(h.events, "a") == "No such thing"

    played(name, scenario, profile=scripted(a=Script("reject", reason="No such thing")))


@BOTH
def test_a_close_of_what_is_not_held_never_opens(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(order("a", buy_back(P100), limit=-130))
        await h.wait(1)
        assert told(h, "a") == "rejected"
        assert h.positions() == {}

    played(name, scenario)


@BOTH
@pytest.mark.parametrize(("status", "code"), [(422, "refused"), (429, "too_many_requests"), (403, "not_permitted")])
def test_a_definite_refusal_is_a_rejection(name: str, status: int, code: str) -> None:
    async def scenario(h: Wire) -> None:
        h.emulator.faults.add(Fault(Kind.STATUS, "POST", ORDERS, status=status))
        h.broker.submit(order("a"))
        await h.wait(0.1)
        assert told(h, "a") == "rejected"
        assert f"{status} {code}" in reason(h.events, "a")
        assert h.positions() == {}

    played(name, scenario)


def test_what_never_left_is_rejected_and_says_so() -> None:
    async def scenario(h: Wire) -> None:
        await h.live.rest.aclose()
        h.broker.submit(order("a"))
        await h.wait(1)
        assert told(h, "a") == "rejected"
        assert "was not sent" in reason(h.events, "a")

    played("sandbox", scenario, dry_run=False)


# --- doubts ---------------------------------------------------------------------------------------------------------


@BOTH
def test_in_doubt_and_it_had_arrived(name: str) -> None:
    async def scenario(h: Wire) -> None:
        fault(h, Kind.SILENCE, "POST", ORDERS)
        h.broker.submit(order("a", limit=500))
        await h.wait(0.5)
        assert sorted(told(h, "a").split()) == ["accepted", "indoubt"]
        assert h.network.count("POST", ORDERS) == 1
        assert ids(h.broker.snapshot()) == ["a"]

    played(name, scenario)


@BOTH
def test_in_doubt_and_it_had_filled(name: str) -> None:
    async def scenario(h: Wire) -> None:
        fault(h, Kind.CUT, "POST", ORDERS)
        h.broker.submit(order("a"))
        await h.wait(0.5)
        assert sorted(told(h, "a").split()) == ["accepted", "filled", "indoubt"]
        assert h.network.count("POST", ORDERS) == 1
        assert h.positions() == {P100: -1}

    played(name, scenario)


@BOTH
@pytest.mark.parametrize("kind", [Kind.DROP, Kind.STATUS, Kind.HTML])
def test_in_doubt_and_it_never_arrived(name: str, kind: Kind) -> None:
    async def scenario(h: Wire) -> None:
        fault(h, kind, "POST", ORDERS)
        h.broker.submit(order("a"))
        await h.wait(0.05)
        assert told(h, "a") == "indoubt"
        await h.wait(1)
        assert told(h, "a") == "indoubt rejected"
        assert "never arrived: 4 readings of the orders over 7.5 s" in reason(h.events, "a")
        assert h.network.count("POST", ORDERS) == 1
        assert h.positions() == {}

    played(name, scenario)


@BOTH
def test_in_doubt_with_a_stream_that_is_silent_is_resolved_by_reading(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.emulator.stream_faults["account"].add(StreamFault(FaultKind.SILENT))
        fault(h, Kind.SILENCE, "POST", ORDERS)
        h.broker.submit(order("a"))
        await h.wait(0.3)
        assert told(h, "a").startswith("indoubt accepted")
        await h.wait(1)
        assert told(h, "a") == "indoubt accepted filled"

    played(name, scenario)


@BOTH
def test_readings_that_fail_are_no_proof(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.emulator.stream_faults["account"].add(StreamFault(FaultKind.SILENT))
        fault(h, Kind.DROP, "POST", ORDERS)
        fault(h, Kind.STATUS, "GET", ORDERS, times=40)
        h.broker.submit(order("a"))
        await h.wait(0.7)
        assert told(h, "a") == "indoubt"
        await h.wait(4)
        assert told(h, "a") == "indoubt rejected"

    played(name, scenario)


@BOTH
def test_it_arrives_long_after_it_was_given_up_and_is_cancelled(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.network.late.append(Late("POST", ORDERS, 40))
        h.broker.submit(order("a", limit=500))
        await h.wait(0.5)
        assert told(h, "a") == "indoubt rejected"
        assert h.broker.snapshot() == ()
        await h.wait(1.5)
        assert told(h, "a") == "indoubt rejected indoubt cancelled"
        assert h.network.count("DELETE", f"{ORDERS}/*") >= 1
        assert h.broker.snapshot() == ()

    played(name, scenario)


@BOTH
def test_it_arrives_late_and_fills_and_the_fill_is_told(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.network.late.append(Late("POST", ORDERS, 40))
        h.broker.submit(order("a"))
        await h.wait(2)
        assert told(h, "a") == "indoubt rejected indoubt filled"
        assert h.positions() == {P100: -1}

    played(name, scenario)


@BOTH
@pytest.mark.parametrize(("kind", "arrives"), [(Kind.SILENCE, True), (Kind.DROP, False), (Kind.CUT, True)])
def test_a_replacement_in_doubt(name: str, kind: Kind, arrives: bool) -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(order("a", limit=500))
        await h.wait(0.1)
        fault(h, kind, "PUT")
        h.broker.replace("a", order("b", limit=120))
        await h.wait(1)
        assert h.network.count("PUT", f"{ORDERS}/*") == 1
        if arrives:
            assert told(h, "a") == "accepted cancelled"
            assert sorted(told(h, "b").split()) == ["accepted", "filled", "indoubt"]
        else:
            assert told(h, "a") == "accepted"
            assert told(h, "b") == "indoubt rejected"
            assert ids(h.broker.snapshot()) == ["a"]

    played(name, scenario)


@BOTH
@pytest.mark.parametrize("kind", [Kind.SILENCE, Kind.DROP, Kind.CUT, Kind.STATUS])
def test_a_cancel_is_repeated_until_the_order_is_over(name: str, kind: Kind) -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(order("a", limit=500))
        await h.wait(0.1)
        fault(h, kind, "DELETE", times=6)
        h.broker.cancel("a")
        await h.wait(2)
        assert told(h, "a").replace(" indoubt", "") == "accepted cancelled"

    played(name, scenario)


@BOTH
def test_leaving_with_an_order_on_its_way_leaves_it_in_doubt(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.emulator.faults.add(Fault(Kind.SLOW, "POST", ORDERS, seconds=30, virtual=True))
        h.broker.submit(order("a"))
        await settle()
        await h.wait(0.02)
        h.broker.submit(order("b"))
        h.broker.cancel("b")
        await h.live.aclose()
        await settle()
        assert told(h, "a") == "indoubt"
        assert told(h, "b") == "rejected"
        with pytest.raises(BrokerError, match="closed"):
            await h.live.events()

    played(name, scenario)


# --- the stream -----------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("kind", list(FaultKind))
@pytest.mark.parametrize("after", [0, 2])
def test_whatever_happens_to_the_stream_during_a_fill_it_is_told_once(name: str, kind: FaultKind, after: int) -> None:
    async def scenario(h: Wire) -> None:
        h.emulator.stream_faults["account"].add(StreamFault(kind, after=after, times=2, match='"Order"'))
        h.broker.submit(order("a", quantity=5))
        await h.wait(2)
        assert sum(fill.quantity for fill in fills(h.events, "a")) == 5
        assert told(h, "a") == "accepted filled filled filled"
        assert h.live.book.positions == {"ABC   240119P00100000": Decimal(-5)}
        assert h.live.book == replace(await h.through(h.live.truth()), at=h.live.book.at)

    played(name, scenario, profile=scripted(a=Script("partial", parts=(1, 2, 2))))


@BOTH
def test_the_connection_is_cut_while_it_fills(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(order("a", quantity=5))
        await h.wait(0.01)
        h.emulator.streams.restart("account")
        await settle()
        await h.wait(0.2)
        assert told(h, "a") == "accepted filled filled filled"
        assert any("nothing was heard" in line for line in h.said)

    played(name, scenario, profile=scripted(a=Script("partial", parts=(1, 2, 2))))


@BOTH
def test_a_token_that_has_died_is_renewed(name: str) -> None:
    async def scenario(h: Wire) -> None:
        fault(h, Kind.EXPIRE, "POST", f"{ORDERS}*")
        h.broker.submit(order("a"))
        await h.wait(2)
        # A 401 to what moves orders is a refusal: it was not done. The dry run is a reading and is repeated.
        assert told(h, "a") == "accepted filled"

    played(name, scenario)


@BOTH
def test_the_broker_forgets_everything_over_night(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(order("a", limit=500))
        await h.wait(0.1)
        h.emulator.reset()
        await h.wait(2)
        assert told(h, "a") == "accepted cancelled"
        assert any("not known to the broker any more" in line for line in h.said)
        assert h.live.book.positions == {}

    played(name, scenario)


# --- orders without a limit -----------------------------------------------------------------------------------------


@BOTH
def test_without_a_limit_it_goes_at_the_natural_price_and_a_cushion(name: str) -> None:
    async def scenario(h: Wire) -> None:
        first = order("a", sell(P100), buy(P95), limit=None)
        h.broker.submit(first)
        await h.wait(0.5)
        assert told(h, "a") == "rejected"
        assert "no quotes" in reason(h.events, "a")
        # The quotes were wanted then, and are here now.
        h.broker.submit(order("b", sell(P100), buy(P95), limit=None))
        await h.wait(0.5)
        assert told(h, "b") == "accepted filled"
        (sent,) = h.emulator.exchange.list("5WT00001").items
        cushion = Decimal("0.01") * (1 if name == "production" else 2)
        assert (sent["order-type"], Decimal(sent["price"])) == ("Limit", Decimal("0.57") - cushion)

    played(name, scenario, conduct=replace(QUICK, cushion=1 if name == "production" else 2))


@BOTH
def test_a_single_leg_closes_at_market_where_there_are_no_quotes(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(order("a"))
        await h.wait(0.5)
        h.broker.submit(order("b", buy_back(P100), limit=None, trade="a"))
        await h.wait(0.5)
        assert told(h, "b") == "accepted filled"
        assert h.emulator.exchange.list("5WT00001").items[0]["order-type"] == "Market"
        assert h.positions() == {}

    played(name, scenario)


# --- what may be sent -----------------------------------------------------------------------------------------------


def test_unarmed_production_sends_no_order_and_no_replacement_and_any_cancel() -> None:
    async def scenario(h: Wire) -> None:
        body = {
            "order-type": "Limit", "time-in-force": "Day", "price": "5.00", "price-effect": "Credit",
            "external-identifier": "old", "legs": [{"instrument-type": "Equity Option", "symbol":
            "ABC   240119P00100000", "action": "Sell to Open", "quantity": 1}],
        }  # fmt: skip
        h.live.broker.adopt([order("old", limit=500)])
        h.emulator.exchange.place("5WT00001", body)
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


@pytest.mark.parametrize("keys", [("", "b"), ("a", " "), ("a", "a"), ("a ", "a")])
def test_two_keys_arm_and_nothing_less(keys: tuple[str, str]) -> None:
    with pytest.raises(ConfigError, match="two keys"):
        Armed(*keys)
    assert "secret" not in repr(Armed("secret one", "secret two"))


def test_production_without_a_dry_run_cannot_be_made() -> None:
    with pytest.raises(ConfigError, match="dry_run"):
        Wire("production", conduct=replace(QUICK, dry_run=False))
    assert "armed" not in {each for each in Production.__slots__}  # type: ignore[attr-defined]


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


def test_production_never_trades_on_late_quotes() -> None:
    async def scenario(h: Wire) -> None:
        h.broker.submit(order("a"))
        await h.wait(0.1)
        assert "15 minutes late" in reason(h.events, "a")

    played("production", scenario, delayed=True)


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


# --- starting -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"account": "5WT99999"}, "not among the open accounts"),
        ({"quotes": "nowhere"}, "choose one of own, production, market"),
        ({"cushion": -1}, "adapter.cushion is -1"),
        ({"rest": "http://example.com", "account_streamer": "ws://example.com"}, "not encrypted"),
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


def test_without_an_account_stream_it_does_not_start_and_leaves_nothing_behind() -> None:
    async def main() -> None:
        h = Wire("sandbox")
        fault(h, Kind.STATUS, "GET", "/accounts/*", times=1000)
        with pytest.raises(BrokerError, match="did not stand within 30 s"):
            await h.start()
        await h.network.aclose()
        await settle()
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
        first.emulator.exchange.cancel("5WT00001", 900_002)
        first.emulator.tick()
        await again.start()
        await again.wait(0.1)
        assert [told(again, each) for each in "ab"] == ["accepted", "accepted cancelled"]
        assert [(o.id, o.status) for o in again.broker.snapshot()] == [("a", Status.LIVE)]
        assert again.live.broker.strangers == ("900003",)
        await again.stop()

    asyncio.run(main())


Scenario = Callable[[Wire], Awaitable[None]]
_ = (column, Iterator)
