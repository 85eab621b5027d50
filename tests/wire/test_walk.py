"""The doctor's way to a broker: every step and what it says when something is missing, against an emulator."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from adapters.emulator.assembly import emulated
from adapters.emulator.faults import Aim, Fault, Kind
from adapters.emulator.listing import Window
from adapters.emulator.opening import Opening
from adapters.emulator.serve import Server
from adapters.tastytrade.rest.shapes_order import OrderInfo
from conf.main import main
from conf.reach import Emulated, Reach
from conf.walk import Outcome, Walk, clock
from sim.model.errors import UsageError
from tests.margins import load as margin_model
from tests.stream_rig import Time
from tests.wire.emulated import sample
from tests.wire.exchange_rig import fees
from tests.wire.link import SITE, linked, made

HIGH = Window(days=10, below=0.01, above=0.06)


ROOT = Path(__file__).parents[2]
ONE, ALL = "/accounts/*/orders/*", "/accounts/*/orders"


def walked(
    *, no_to: str = "", adapter: str = "emulator", delayed: bool = False, window: Window = HIGH,
    profile: str = "market-simulator", accounts: Sequence[Opening] = (Opening("5WT00001"),), account: str = "",
    faults: Sequence[Fault] = (), stop: bool = False, told: list[Outcome] | None = None,
    served: tuple[str, ...] = (), paused: bool = False,
) -> tuple[list[Outcome], list[str], list[OrderInfo]]:  # fmt: skip
    """The outcomes, the questions, and the orders that the exchange then has. ``stop``: Ctrl-C comes as soon as there
    is an order; ``told`` takes every line that was said."""
    asked: list[str] = []
    said = [] if told is None else told

    def ask(question: str) -> bool:
        asked.append(question)
        return not no_to or no_to not in question

    async def go() -> tuple[list[Outcome], list[str], list[OrderInfo]]:
        time = Time()
        emulator = made(time_of=time, delayed=delayed, window=window, accounts=accounts, profile=profile)
        for fault in faults:
            emulator.faults.add(fault)
        ours = account if account in {each.number for each in accounts} else accounts[0].number
        async with linked(emulator, time) as link:
            there = Emulated("es_sample", True, served, paused)
            broker = Reach(adapter, SITE, link.auth, link.rest, link.wall, lambda: there, account)
            clocks = {"now": time.now, "wall": link.wall, "sleep": time.sleep}
            stopped = False

            async def pause(seconds: float) -> None:
                nonlocal stopped
                if stop and not stopped and emulator.exchange.list(ours, {}).items:
                    stopped = True
                    walking.cancel()
                await link.pass_(seconds)

            walk = Walk(broker, ask, said.append, emulator.dial, pause, clocks)
            walking = asyncio.create_task(walk.run())
            (outcomes,) = await asyncio.gather(walking, return_exceptions=stop)
            assert isinstance(outcomes, asyncio.CancelledError if stop else list)
            emulator.faults.clear()
            # What was asked for has a moment to come about.
            await link.pass_(5.0)
            page = await link.rest.orders.page(ours)
        return outcomes if isinstance(outcomes, list) else [], asked, list(page.items)

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
    assert "DELAYED 15 MIN" in outcomes[2].said
    assert "far enough" in outcomes[3].said
    assert not orders


def test_an_account_that_may_only_close_is_told() -> None:
    outcomes, _, _ = walked(accounts=[Opening("5WT00001", closing_only=True)])
    assert outcomes[-1].line().startswith("account      MISSING  ...01 of 1: it may only close positions; ask")


def test_one_of_several_accounts_can_be_named() -> None:
    both = [Opening("5WT00001", closing_only=True), Opening("5WT00002")]
    outcomes, _, orders = walked(accounts=both, account="5WT00002")
    assert outcomes[1].line().startswith("account      ok       ...02 of 2: options")
    assert "it is the first" not in outcomes[1].said
    assert [o.status for o in orders] == ["Cancelled"]
    assert walked(accounts=both)[0][-1].do.endswith("take another with adapter.account=NUMBER")
    assert "it is the first" in walked(accounts=both[::-1])[0][1].said
    missing = walked(accounts=both, account="5WT00003")[0][-1]
    assert missing.line() == (
        "account      MISSING  adapter.account is not among the 2 open accounts of this grant; correct the number"
    )


def test_an_emulator_without_spy_is_told_so_and_not_waited_for() -> None:
    outcomes, _, orders = walked(served=("ES", "VIX"))
    assert outcomes[-1].line() == (
        "quotes       MISSING  SPY is not served here: adapter.underlyings has ES, VIX; add SPY to it, or leave it away"
    )
    assert (outcomes[-1].code, orders) == (2, [])
    outcomes, _, _ = walked(served=("ES", "SPY"))
    assert outcomes[2].said == "/ESU24:XCME, SPY"


def test_a_paused_clock_gets_no_order() -> None:
    outcomes, _, orders = walked(paused=True)
    assert (outcomes[-1].step, outcomes[-1].code, orders) == ("order", 2, [])
    assert "the emulator's clock is paused" in outcomes[-1].said
    assert "adapter.paused" in outcomes[-1].do


# --- what was sent is taken back, or said -----------------------------------------------------------------------------


def down(method: str, path: str = ONE, status: int = 503) -> Fault:
    """A call that fails as often as it is made."""
    return Fault(Kind.STATUS, method, path, Aim(times=None), status=status)


def lines(told: list[Outcome]) -> list[str]:
    return [outcome.line().split(maxsplit=2)[2] for outcome in told if outcome.step == "order"]


def test_a_reading_that_fails_after_it_was_placed_leaves_no_order_behind() -> None:
    told: list[Outcome] = []
    outcomes, _, orders = walked(faults=[down("GET")], told=told)
    assert [o.status for o in orders] == ["Cancelled"]
    assert (outcomes[-1].ok, outcomes[-1].code) == (False, 4)
    taken, failed = lines(told)
    assert taken.startswith(f"order {orders[0].order_id}: the broker took its cancel")
    assert "503" in failed


def test_an_order_that_cannot_be_taken_back_is_named() -> None:
    told: list[Outcome] = []
    _, _, orders = walked(faults=[down("GET"), down("DELETE")], told=told)
    assert [o.status for o in orders] == ["Live"]
    said = lines(told)[0]
    assert said.startswith(f"order {orders[0].order_id} may still be working at the broker: cancel it there; from here")
    assert "5WT" not in said


def test_ctrl_c_between_placing_and_cancelling_leaves_no_order_behind() -> None:
    told: list[Outcome] = []
    _, _, orders = walked(stop=True, told=told)
    assert [o.status for o in orders] == ["Cancelled"]
    assert lines(told) == [f"order {orders[0].order_id} is Cancelled: nothing is left of it"]


def test_ctrl_c_names_an_order_that_cannot_be_taken_back() -> None:
    told: list[Outcome] = []
    _, _, orders = walked(stop=True, faults=[down("DELETE")], told=told)
    assert [o.status for o in orders] == ["Live"]
    (said,) = lines(told)
    assert said.startswith(f"order {orders[0].order_id} may still be working at the broker: cancel it there; from here")


@pytest.mark.parametrize("faults", [[], [down("GET", ALL)]])
def test_an_order_whose_answer_never_came_is_named_by_its_identifier(faults: list[Fault]) -> None:
    told: list[Outcome] = []
    outcomes, _, orders = walked(faults=[down("POST", ALL), *faults], told=told)
    assert not orders
    said, why = lines(told)
    assert said.startswith("the order with the identifier doctor-")
    assert "may still be working at the broker: cancel it there" in said
    assert outcomes[-1].code == 4
    assert "503" in why


def test_a_refused_order_is_no_order_to_take_back() -> None:
    told: list[Outcome] = []
    _, _, orders = walked(faults=[down("POST", ALL, status=422)], told=told)
    assert not orders
    (said,) = lines(told)
    assert "refused with 422" in said


def test_the_command_takes_an_account_and_ctrl_c_cancels_what_it_placed(tmp_path: Path) -> None:
    """As a program, with a real Ctrl-C, at an emulator on a port whose readings of an order are slow."""
    emulator = emulated(
        sample(), fees=fees(), margin=margin_model(), accounts=("5WT00001", "5WT00002"), window=HIGH,
        underlyings=("ES", "SPX", "SPY", "VIX"), delayed=True,
    )  # fmt: skip
    emulator.faults.add(Fault(Kind.SLOW, "GET", ONE, Aim(times=1), seconds=1.5))
    environment = os.environ | {
        "TASTYTRADE_CLIENT_SECRET_SANDBOX": emulator.doors.client_secret,
        "TASTYTRADE_REFRESH_TOKEN_SANDBOX": emulator.doors.refresh_token,
    }

    async def go() -> tuple[int | None, str, str]:
        server, up = Server(emulator), asyncio.Event()
        serving = asyncio.create_task(server.run(ready=up.set))
        await up.wait()
        words = [
            f"adapter.rest={server.rest}", f"adapter.account_streamer={server.account_streamer}",
            "adapter.account=5WT00002",
        ]  # fmt: skip
        doctor = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "conf.main", "doctor", "adapter=sandbox", *words, "--yes", cwd=ROOT, env=environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(30):
                while doctor.returncode is None and not emulator.exchange.list("5WT00002", {}).items:
                    await asyncio.sleep(0.02)
                if doctor.returncode is None:
                    doctor.send_signal(signal.SIGINT)
                out, err = await doctor.communicate()
        finally:
            if doctor.returncode is None:
                doctor.kill()
            server.stop()
            await serving
        return doctor.returncode, out.decode(), err.decode()

    code, out, err = asyncio.run(go())
    assert (code, err.count("\n")) == (130, 1), out + err
    (order,) = emulator.exchange.list("5WT00002", {}).items
    assert order["status"] == "Cancelled"
    assert out.splitlines()[-1].endswith(f"order {order['id']} is Cancelled: nothing is left of it")
    assert "...02 of 2" in out
    assert "DELAYED 15 MIN" in out
    assert not emulator.exchange.list("5WT00001", {}).items


@pytest.mark.parametrize("yes", [0, 2])
def test_one_ctrl_c_at_a_question_ends_it(yes: int) -> None:
    """As a program at a terminal: after so many questions that were answered with y."""
    ours, theirs = pty.openpty()
    # The terminal becomes its own: only then does it turn the key into a signal.
    start = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); from conf.main import entry; entry()"
    doctor = subprocess.Popen(
        [sys.executable, "-c", start, "doctor", "adapter=emulator"],
        cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    said, answered = b"", 0
    try:
        while select.select([ours], [], [], 30.0)[0]:
            try:
                said += os.read(ours, 4096)
            except OSError:
                break
            if said.count(b"[y/N]") > answered:
                answered += 1
                os.write(ours, b"y\n" if answered <= yes else b"\x03")
        assert doctor.wait(20.0) == 130, said.decode()
    finally:
        if doctor.poll() is None:
            doctor.kill()
            doctor.wait()
        os.close(ours)
    assert answered == yes + 1
    assert "stopped by Ctrl-C" in said.decode().splitlines()[-1]
    assert "Traceback" not in said.decode()


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
    # Before anybody is asked for, and a matter of the configuration: nothing was sent.
    for words in (["--yes"], []):
        assert main(["doctor", "adapter=sandbox", *words]) == 2
        said = capsys.readouterr()
        assert said.out.startswith("credentials  MISSING  sandbox needs TASTYTRADE_REFRESH_TOKEN_SANDBOX: set it")
        assert "s3cr3t" not in f"{facts}{said.out}{said.err}"
    monkeypatch.setenv("TASTYTRADE_REFRESH_TOKEN_SANDBOX", "s3cr3t token")
    assert main(["doctor", "adapter=sandbox", "--yes"]) == 2
    said = capsys.readouterr()
    assert said.out.startswith("credentials  MISSING  TASTYTRADE_REFRESH_TOKEN_SANDBOX holds a blank or a character")
    assert "s3cr3t" not in f"{said.out}{said.err}"
    monkeypatch.setenv("TASTYTRADE_REFRESH_TOKEN_SANDBOX", "well-formed")
    assert main(["doctor", "adapter=sandbox"]) == 2
    assert "add --yes" in capsys.readouterr().err


def test_it_asks_somebody_or_is_told_not_to(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "adapter=emulator"]) == UsageError.exit_code
    assert "add --yes" in capsys.readouterr().err
    assert main(["doctor", "adapter=nowhere", "--yes"]) == UsageError.exit_code
    assert main(["doctor", "adapter=sandbox", "market=es_sample", "--yes"]) == UsageError.exit_code
    assert main(["doctor", "adapter=sandbox", "adapter.speed=60", "--yes"]) == UsageError.exit_code
    assert main(["data", "record", "SPY", "--to", "es_sample", "adapter=sandbox"]) == UsageError.exit_code
    assert main(["data", "record", "SPY", "--to", "x", "adapter=sandbox", "--for", "soon"]) == UsageError.exit_code
