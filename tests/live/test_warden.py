"""Looking after a session: what a person does beside it, readings that fail and come back, an account that is worth
something else; and that an ordinary day alarms nobody."""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta
from decimal import Decimal as D

import pytest

from adapters.emulator.exchange.charges import Charge
from adapters.emulator.exchange.listed import instrument
from adapters.emulator.exchange.profiles import Script, Scripted
from adapters.emulator.exchange.transactions import Entry
from adapters.emulator.faults import Aim, Fault, Kind
from adapters.emulator.streams.stream_faults import FaultKind, StreamFault
from adapters.tastytrade.account_book import Book
from adapters.tastytrade.broker import TastyTradeBroker
from adapters.tastytrade.errors import CredentialError
from live.inputs import Fx
from live.reconcile import Holdings
from live.warden import Warden
from sim.calendar import at_ny
from sim.model.event import Guarded, Standing, Word
from sim.model.fill import Fill, LegFill
from tests.live.beside import closes, moves
from tests.live.seated import ACCOUNT, Seat, seated

S = 1_000_000_000
DAY = 86_400 * S


def alarms(s: Seat) -> list[str]:
    return [line for line in s.said if line.startswith(("DIFFERENCE", "FAULT"))]


def standing(s: Seat) -> str:
    return s.it.guard.standing.value


def stood(s: Seat) -> list[str]:
    """What the core stood at, one after the other."""
    return [each.standing.value for each, _ in s.written() if isinstance(each, Guarded)]


def resting(s: Seat) -> None:
    engine = s.it.core.session.engine
    engine.settings = replace(engine.settings, rest=True)


# -- positions, orders ------------------------------------------------------------------------------------------------


def test_what_a_person_closes_while_a_target_rests_is_seen_within_its_grace() -> None:
    """A target works for as long as its trade lives, and once hid whatever became of that (review, 2)."""

    async def scenario(s: Seat) -> None:
        resting(s)
        await s.opened()
        await s.until(lambda: s.working)
        for contract, quantity in s.exchange.options(ACCOUNT).items():
            closes(s.exchange, ACCOUNT, contract, abs(quantity))
        began = s.it.hours.now()
        await s.until(lambda: standing(s) == "EXIT_ONLY", 300)
        rounds = s.it.terms.limits.grace + 2 * s.it.terms.rounds.positions
        assert (s.it.hours.now() - began) / S <= rounds
        assert len(alarms(s)) == 4

    seated(scenario)


@pytest.mark.parametrize("rests", [True, False])
def test_a_fill_whose_every_notice_is_lost_is_found_before_it_is_a_difference(rests: bool) -> None:
    """What differs has the orders read at once, though they are read every five minutes only."""

    async def scenario(s: Seat) -> None:
        resting(s)
        trade = await s.opened()
        await s.until(lambda: s.working)
        await s.elapse(100)
        s.it.live.broker._listener._hear = lambda news: None  # type: ignore[method-assign]
        if not rests:
            s.nothing_fills()
            s.it.tell(Word.FLATTEN)
            await s.elapse(5)
        s.exchange._profile = s.exchange._desk.profile = Scripted(default=Script("delayed", delay=20.0))
        began = s.it.hours.now()
        await s.until(lambda: not s.exchange.options(ACCOUNT), 200)
        await s.until(lambda: trade not in s.it.core.session.engine.desk.ledger.open, 200)
        assert (s.it.hours.now() - began) / S < 150
        assert not [line for line in s.said if line.startswith("DIFFERENCE")]

    seated(scenario)


def test_a_target_that_fills_while_nobody_is_here_is_no_difference() -> None:
    """What the account has in cash when a process begins is no measure where a fill is not booked yet."""

    async def scenario(s: Seat) -> None:
        resting(s)
        trade = await s.opened()
        await s.until(lambda: s.working)
        await s.rise()
        s.exchange._profile = s.exchange._desk.profile = Scripted(default=Script("delayed", delay=1.0))
        await s._step()
        assert not s.exchange.options(ACCOUNT)
        await s.sit()
        await s.until(lambda: s.it.recovered and trade not in s.it.core.session.engine.desk.ledger.open)
        await s.elapse(1_000)
        assert not alarms(s)
        assert standing(s) == "RUNNING"

    seated(scenario)


def test_a_fill_is_ahead_of_the_broker_s_positions_for_a_while_only() -> None:
    async def scenario(s: Seat) -> None:
        await s.opened()
        await s.elapse(60)
        warden, now = s.it.warden, s.it.hours.now()
        contract = next(iter(s.it.core.session.engine.desk.held()))
        leg = LegFill(contract, -1, 10, None, D(0), True)
        warden.theirs = Holdings({}, {})
        others = {c.symbol for c in s.it.core.session.engine.desk.held()} - {contract.symbol}
        warden._note_fill(Fill("x", now, 0, 10, 1, (leg,)), now)
        warden._compare(now + 14 * S, None)
        assert {each.what for each in warden.differences} == others
        warden._compare(now + 15 * S, None)
        assert {each.what for each in warden.differences} == {*others, contract.symbol}

    seated(scenario)


def test_what_has_ended_and_of_which_nobody_tells_is_a_difference_in_the_end() -> None:
    """A leg that a person has closed in the last minutes of its life: no transaction of its end ever comes."""

    async def scenario(s: Seat) -> None:
        await s.opened()
        warden, end = s.it.warden, at_ny(s.day, time(16, 15))
        warden.theirs = Holdings({}, {})
        warden._filled.clear()
        warden._compare(end + DAY, None)
        assert warden.differences == []
        warden._compare(end + 2 * DAY, None)
        assert len(warden.differences) == 4

    seated(scenario)


def test_an_order_that_the_broker_does_not_know_is_told_before_it_counts_as_gone() -> None:
    """Servers catch up with one another; who sends a second exit at once may close twice."""

    async def scenario(s: Seat) -> None:
        resting(s)
        await s.opened()
        await s.until(lambda: s.working)
        (target,) = s.working
        for orders in (s.exchange._desk.orders, s.exchange._desk._open):
            for key in [key for key, each in orders.items() if each.ticket.external == target]:
                del orders[key]
        s.it.live.broker.look_again()
        await s.until(lambda: s.it.live.broker.missing, 400)
        await s.elapse(10)
        s.it.live.broker.look_again()
        await s.elapse(10)
        assert target in s.working
        await s.until(lambda: alarms(s), 400)
        assert alarms(s) == [f"DIFFERENCE: order {target} of ours works in the books and is not at the broker"]
        assert standing(s) == "EXIT_ONLY"
        await s.until(lambda: target not in s.working, 400)

    seated(scenario)


def test_what_was_there_before_is_left_alone_over_a_restart_too() -> None:
    """Shares of the person's and his order: no alarm, also when he sells some of them."""

    async def scenario(s: Seat) -> None:
        await s.rise()
        s.path = s.path.with_name("another.sqlite")
        prices, account, now = s.exchange._prices, s.exchange._accounts[ACCOUNT], s.exchange._clock.now()
        shares = instrument("SPY", prices)
        assert shares is not None
        account.trade(shares, D(100), D(500), Charge(), Entry("Trade", "Buy to Open", "Buy to Open"), now)
        body = {
            "order-type": "Limit", "price": "300.00", "price-effect": "Debit", "time-in-force": "GTC",
            "legs": [{"symbol": "SPY", "instrument-type": "Equity", "quantity": 10, "action": "Buy to Open"}],
        }  # fmt: skip
        s.exchange.place(ACCOUNT, body)
        await s.sit()
        await s.opened()
        await s.elapse(330)
        account.trade(
            shares, D(-40), D(501), Charge(), Entry("Trade", "Sell to Close", "Sell to Close"), s.it.hours.now()
        )
        await s.elapse(900)
        assert not alarms(s)
        await s.rise()
        await s.sit()
        await s.elapse(700)
        assert not alarms(s)
        assert standing(s) == "RUNNING"

    seated(scenario)


# -- readings that fail -----------------------------------------------------------------------------------------------


def test_manual_mode_that_a_person_has_set_is_his_to_end() -> None:
    """The broker comes back while he closes on its platform: a session that sent its own exits would close twice
    (review, 8)."""

    async def scenario(s: Seat) -> None:
        await s.opened()
        s.cut()
        await s.until(s.it.manual, 900)
        s.it.type("on", [])
        s.mend()
        await s.until(lambda: "broker" not in s.it.guard.causes, 900)
        await s.elapse(120)
        assert standing(s) == "MANUAL"
        assert any("a person places the orders until he resumes" in line for line in s.said)
        await s.elapse(300)
        s.it.tell(Word.RESUME)
        s.it.tell(Word.RESUME)
        await s.until(lambda: standing(s) == "RUNNING", 900)

    seated(scenario)


def test_manual_mode_ends_in_exit_only_and_nothing_between() -> None:
    """It passed through RUNNING: told as "all is well", and what a process that died there left behind."""

    async def scenario(s: Seat) -> None:
        await s.opened()
        before, told = len(stood(s)), len(s.said)
        s.it._refused(CredentialError("refused"), "feed")
        await s.until(lambda: not s.it.manual(), 400)
        await s.elapse(5)
        assert stood(s)[before:] == ["MANUAL", "MANUAL", "EXIT_ONLY"]
        assert not [line for line in s.said[told:] if line.startswith("WELL")]
        assert s.it.guard.causes.keys() == {"manual"}

    seated(scenario)


def test_an_outage_of_the_night_with_nothing_held_costs_no_entry_of_the_day_after() -> None:
    """Nobody can have traded by hand what is not held, in a market that is shut (review 2, 12)."""

    async def scenario(s: Seat) -> None:
        await s.to(9, 31)
        await s.to(17, 0)
        assert s.it.core.day is None
        s.emulator.faults.add(Fault(Kind.STATUS, "*", "*", Aim(times=None), status=503))
        await s.until(s.it.manual, 2_400)
        s.emulator.faults.clear()
        s.emulator.faults.add(Fault(Kind.STATUS, "GET", "/accounts/*/balances*", Aim(times=None), status=503))
        await s.elapse(400)
        assert standing(s) == "MANUAL", "the positions alone say too little"
        s.mend()
        await s.until(lambda: not s.it.manual(), 900)
        assert standing(s) == "RUNNING"
        assert s.it.guard.causes == {}

    seated(scenario)


def test_an_outage_with_the_market_shut_and_a_trade_held_is_a_person_s_to_end() -> None:
    async def scenario(s: Seat) -> None:
        await s.opened()
        s.it.core.day, day = None, s.it.core.day
        assert not s.it.warden._idle()
        s.it.core.day = day
        s.it.core.session.engine.desk.ledger.open.clear()
        s.it.core.session.engine.desk.watches.clear()
        assert not s.it.warden._idle(), "the market is open"

    seated(scenario)


def test_a_balance_that_cannot_be_read_makes_nobody_flap() -> None:
    """Positions were well in between, and took manual mode back each time (review, 25d)."""

    async def scenario(s: Seat) -> None:
        await s.opened()
        s.emulator.faults.add(Fault(Kind.STATUS, "GET", "/accounts/*/balances*", Aim(times=None), status=503))
        await s.until(s.it.manual, 2_400)
        before = len(stood(s))
        await s.elapse(1_500)
        assert stood(s)[before:] == []
        assert len([line for line in s.said if line.startswith("FAULT: MANUAL")]) == 1
        s.mend()
        await s.until(lambda: not s.it.manual(), 900)
        assert stood(s)[-1] == "EXIT_ONLY"

    seated(scenario)


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether the account's stream is not heard."""
    state = [False]
    heard = TastyTradeBroker.stale
    monkeypatch.setattr(TastyTradeBroker, "stale", property(lambda self: state[0] or heard.__get__(self)))
    return state


def test_a_stream_that_is_refused_is_not_well_because_a_reading_is(deaf: list[bool]) -> None:
    async def scenario(s: Seat) -> None:
        await s.opened()
        deaf[0] = True
        s.it._refused(CredentialError("refused"), "broker")
        await s.elapse(400)
        assert standing(s) == "MANUAL"
        assert stood(s)[-1] == "MANUAL"
        deaf[0] = False
        await s.until(lambda: not s.it.manual(), 400)

    seated(scenario)


def test_a_feed_that_is_refused_neither() -> None:
    async def scenario(s: Seat) -> None:
        await s.opened()
        s.emulator.stream_faults["dxlink"].add(StreamFault(FaultKind.CLOSE, times=10**6))
        s.emulator.streams.restart("dxlink")
        await s.elapse(5)
        assert s.it.runner.tape.feed.stale
        s.it._refused(CredentialError("refused"), "feed")
        await s.elapse(200)
        assert "broker" in s.it.guard.causes
        s.emulator.stream_faults["dxlink"].clear()
        await s.until(lambda: "broker" not in s.it.guard.causes, 400)

    seated(scenario)


def test_movements_that_cannot_be_read_stand_once_until_they_can() -> None:
    async def scenario(s: Seat) -> None:
        await s.opened()
        await s.elapse(330)
        moves(s.exchange, ACCOUNT, "2500", "Deposit")
        s.emulator.faults.add(Fault(Kind.STATUS, "GET", "/accounts/*/transactions*", Aim(times=None), status=503))
        await s.until(lambda: "transactions" in s.it.guard.causes, 2_000)
        before = len(stood(s))
        await s.elapse(1_200)
        assert stood(s)[before:] == []
        assert standing(s) == "ENTRIES_STOPPED"
        s.mend()
        await s.until(lambda: standing(s) == "RUNNING", 900)
        assert not [line for line in s.said if line.startswith("DIFFERENCE")]

    seated(scenario)


def test_a_wait_that_comes_in_the_middle_of_a_nap_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another call was told to wait: of the feed's token, of the day's chain."""
    read, positions = list[int](), Warden.positions

    async def counted(self: Warden) -> bool:
        read.append(self.hours.now())
        return await positions(self)

    monkeypatch.setattr(Warden, "positions", counted)

    async def scenario(s: Seat) -> None:
        warden = s.it.warden
        await s.to(9, 40)
        warden.hold(240)
        held = s.it.hours.now()
        await s.elapse(500)
        assert not [at for at in read if held < at < held + 240 * S]
        assert [at for at in read if at > held + 240 * S]

    seated(scenario)


# -- what the account is worth ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("strict", [True, False])
def test_an_account_that_is_worth_less_stops_entries_where_money_is_real(strict: bool) -> None:
    """50,000 configured and 20,000 there: every ceiling that is a share was too wide (review, 24)."""

    async def scenario(s: Seat) -> None:
        s.it.warden.strict = strict
        moves(s.exchange, ACCOUNT, "-60000", "Withdrawal")
        await s.to(10, 40)
        told = "the account is worth 40,000 USD to the broker and 100,000 USD to this session"
        assert len([line for line in s.said if line.startswith(told)]) == 1
        assert len([line for line in s.said if line.startswith(f"DIFFERENCE: {told}")]) == strict
        opened = bool(s.it.core.session.engine.desk.ledger.open)
        assert (standing(s), opened) == (("ENTRIES_STOPPED", False) if strict else ("RUNNING", True))
        assert s.it.warden.worth() is not None
        if strict:
            s.it.tell(Word.RESUME)
            await s.elapse(700)
            assert standing(s) == "RUNNING", "a person has seen it, and it is weighed once a trade date"

    seated(scenario)


def test_an_account_that_is_worth_more_is_a_choice() -> None:
    async def scenario(s: Seat) -> None:
        s.it.warden.strict = True
        moves(s.exchange, ACCOUNT, "60000", "Deposit")
        await s.to(9, 45)
        assert len([line for line in s.said if "the account is worth 160,000 USD" in line]) == 1
        assert standing(s) == "RUNNING"

    seated(scenario)


def test_a_rate_is_no_older_in_the_evening_because_the_next_trade_date_has_begun() -> None:
    """Of a Friday, on Monday evening: three days, whatever the trade date is (review 2, 15)."""

    async def scenario(s: Seat) -> None:
        await s.to(9, 45)
        warden, core = s.it.warden, s.it.core
        core.rates.currency, today = "GBP", core.day
        core.rates.tell(Fx(s.it.hours.now(), D("1.25"), s.day - timedelta(days=3), "a test"))
        core.day = s.day + timedelta(days=1)
        warden._fx(at_ny(s.day, time(18, 5)))
        assert "fx" not in s.it.guard.causes
        warden._fx(at_ny(core.day, time(9, 0)))
        assert "4 days ago" in s.it.guard.causes["fx"].text
        core.rates.currency, core.day = "USD", today

    seated(scenario)


def test_what_nobody_knows_is_not_weighed() -> None:
    async def scenario(s: Seat) -> None:
        await s.to(9, 45)
        warden, core = s.it.warden, s.it.core
        empty = Book({}, None, None, None, 0)
        assert await warden._cash_off(empty, s.it.hours.now()) is None
        known, warden.book = warden.book, empty
        assert warden.worth() is None
        warden._weighed = None
        warden._weigh(s.it.hours.now())
        assert warden._weighed is None, "it is asked again"
        warden.book = known
        # Pounds without a rate.
        core.rates.currency = "GBP"
        assert warden.worth() is None
        core.rates.tell(Fx(s.it.hours.now(), D("1.25"), s.day, "a test"))
        assert warden.worth() == D(80_000)
        core.rates.currency = "USD"
        assert warden.worth() == D(100_000)

    seated(scenario)


def test_an_ordinary_day_alarms_nobody() -> None:
    """An entry, a target that rests and fills or an exit by the clock, the close."""

    async def scenario(s: Seat) -> None:
        resting(s)
        await s.opened()
        await s.to(16, 20)
        assert not alarms(s)
        assert set(stood(s)) <= {Standing.RUNNING.value}

    seated(scenario)
