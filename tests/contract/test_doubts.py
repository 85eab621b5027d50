"""When nobody knows: answers that never come, orders that arrive late, a stream that is cut in the middle of a fill."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from adapters.emulator.exchange.desk import Latency
from adapters.emulator.exchange.exchange import Exchange
from adapters.emulator.exchange.profiles import Script
from adapters.emulator.faults import Fault, Kind
from adapters.emulator.streams.stream_faults import FaultKind, StreamFault
from adapters.tastytrade import quotes
from adapters.tastytrade.errors import CredentialError
from adapters.tastytrade.symbols import streamer_symbol
from sim.model.errors import BrokerError, DataError
from sim.model.instrument import OptionContract
from tests.contract.market import P95, P100, order, sell
from tests.contract.rig import ACCOUNT, ORDERS, Late, Wire, fault, fills, ids, played, reason, scripted, told
from tests.virtual import idle

BOTH = pytest.mark.parametrize("name", ["sandbox", "production"])

# --- doubts ----------------------------------------------------------------------------------------------------------


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
def test_a_cancel_that_arrived_unheard_is_not_repeated_while_the_order_leaves(name: str) -> None:
    """It was sent every second, with the order read back each time (simulated weeks, seed 72025)."""

    async def scenario(h: Wire) -> None:
        h.exchange._desk.latency = Latency(cancel=60_000_000_000)
        h.broker.submit(order("a", limit=500))
        await h.wait(0.1)
        fault(h, Kind.CUT, "DELETE")
        h.broker.cancel("a")
        await h.wait(0.7)
        assert h.network.count("DELETE", "*") == 2
        await h.wait(1)
        assert told(h, "a").replace(" indoubt", "") == "accepted cancelled"

    played(name, scenario)


@BOTH
def test_leaving_with_an_order_on_its_way_leaves_it_in_doubt(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.emulator.faults.add(Fault(Kind.SLOW, "POST", ORDERS, seconds=30, virtual=True))
        h.broker.submit(order("a"))
        await idle()
        await h.wait(0.02)
        h.broker.submit(order("b"))
        h.broker.cancel("b")
        await h.live.aclose()
        await idle()
        assert told(h, "a") == "indoubt"
        assert told(h, "b") == "rejected"
        with pytest.raises(BrokerError, match="closed"):
            await h.live.events()

    played(name, scenario)


@BOTH
def test_in_doubt_and_it_carries_no_id_of_ours_yet_it_is_ours(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.exchange.place("5WT00001", STRANGER)
        h.network.nameless = True
        fault(h, Kind.SILENCE, "POST", ORDERS)
        h.broker.submit(order("a", limit=500))
        h.broker.submit(order("b", limit=499))
        await h.wait(1)
        assert told(h, "a") == "indoubt accepted"
        assert told(h, "b") == "accepted"
        # The other one has our legs and not our price.
        assert h.live.broker.strangers == ("900001",)
        h.broker.cancel("a")
        await h.wait(1)
        assert told(h, "a") == "indoubt accepted cancelled"

    played(name, scenario)


STRANGER = {
    "order-type": "Limit", "time-in-force": "Day", "price": "4.00", "price-effect": "Credit",
    "legs": [{"instrument-type": "Equity Option", "symbol": "ABC   240119P00100000", "action": "Sell to Open",
              "quantity": 1}],
}  # fmt: skip


# --- the stream ------------------------------------------------------------------------------------------------------


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
        await idle()
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


@BOTH
def test_a_cancel_that_fails_after_the_order_was_over_leaves_no_doubt(name: str) -> None:
    """The stream tells its end while the cancel is still being repeated."""

    async def scenario(h: Wire) -> None:
        h.broker.submit(order("a", limit=500))
        await h.wait(0.1)
        fault(h, Kind.STATUS, "DELETE", times=40)
        h.broker.cancel("a")
        await idle()
        h.exchange.cancel(ACCOUNT, h.exchange.list(ACCOUNT).items[0]["id"])
        await h.wait(2)
        assert told(h, "a") == "accepted cancelled"

    played(name, scenario, profile=scripted())


@BOTH
def test_an_order_in_the_list_that_cannot_be_read_hides_no_other(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Exchange.list

    def with_nonsense(self: Exchange, *args: Any) -> Any:
        found = real(self, *args)
        return replace(found, items=[{"id": 1, "legs": 5}, *found.items, {"legs": []}])

    async def scenario(h: Wire) -> None:
        monkeypatch.setattr(Exchange, "list", with_nonsense)
        h.emulator.stream_faults["account"].add(StreamFault(FaultKind.SILENT))
        fault(h, Kind.SILENCE, "POST", ORDERS)
        h.broker.submit(order("a"))
        await h.wait(1.5)
        assert told(h, "a") == "indoubt accepted filled"
        assert any("without an id" in line for line in h.said)

    played(name, scenario)


def test_a_price_that_cannot_be_made_refuses_that_order_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    real = streamer_symbol

    def nameless(contract: OptionContract) -> str:
        if contract == P95:
            raise DataError("no streamer symbol for it")
        return real(contract)

    async def scenario(h: Wire) -> None:
        monkeypatch.setattr(quotes, "streamer_symbol", nameless)
        h.broker.submit(order("a", sell(P95), limit=None))
        await h.wait(0.2)
        assert (told(h, "a"), reason(h.events, "a")) == ("rejected", "no streamer symbol for it")
        h.broker.submit(order("b"))
        await h.wait(0.2)
        assert told(h, "b") == "accepted filled"

    played("sandbox", scenario)


@BOTH
def test_a_grant_that_ends_in_mid_session_is_said_once_and_asked_for_no_more(name: str) -> None:
    async def scenario(h: Wire) -> None:
        h.emulator.doors.client_secret = "another one by now"
        h.emulator.doors.expire()
        h.emulator.streams.restart("account")
        await h.wait(0.5)
        asked = h.network.count("POST", "/oauth/token")
        with pytest.raises(CredentialError, match=r"client secret|grant"):
            await h.through(h.live.events())
        await h.wait(30)
        assert h.network.count("POST", "/oauth/token") == asked
        h.broker.submit(order("a"))
        await h.wait(1)

    played(name, scenario)
