"""What to do when a call to the broker fails: the rulebook's actions, and what is never sent again."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterator
from itertools import repeat
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.tastytrade.errors import (
    Answered,
    CredentialError,
    InDoubt,
    Malformed,
    NoCredentials,
    NotFound,
    NotPermitted,
    NotServed,
    ServerFault,
    TooMany,
    Unauthorized,
    Unprocessable,
    Unreachable,
    VersionRefused,
)
from adapters.tastytrade.transport import Closed
from live.failover import CROWDED_LONGEST, Action, Failover, Verdict
from sim.model.errors import DataError

READ: Final = "GET /accounts/{account}/positions"
SECOND: Final = 10**9
SUBMIT: Final = "submit zero_dte-2024-08-02-1"


def ladder() -> Iterator[float]:
    return iter((0.4, 0.9, 1.7))


def forever() -> Iterator[float]:
    return repeat(1.0)


def server(status: int = 503) -> ServerFault:
    return ServerFault(READ, f"{status} Service Unavailable", status=status)


def doubt() -> InDoubt:
    return InDoubt("POST /accounts/{account}/orders", "a time-out", sent_ns=1)


TIMED_OUT: Final = ServerFault(READ, "no answer within 30 s")
REFUSED_LOGIN: Final = Unauthorized(401, "token_invalid", "This token is invalid or has expired")
CROWDED: Final = TooMany(429, "", "")
REFUSALS: Final = (
    NotPermitted(403, "not_permitted", "User not permitted access"), NotFound(404, "record_not_found", "no"),
    VersionRefused(406, "406", ""), Answered(409, "conflict", ""), Answered(400, "validation_error", ""),
    Unprocessable(422, "preflight_check_failure", "One or more preflight checks failed"),
    NotServed(READ, "not permitted"),
)  # fmt: skip
OFFLINE: Final = (
    TIMED_OUT, Unreachable(READ, "connection refused"), Closed(1006), TimeoutError(), ConnectionResetError(),
    socket.gaierror(-2, "Name or service not known"), OSError(errno.ENETUNREACH, "Network is unreachable"),
)  # fmt: skip


def fail(failover: Failover, error: BaseException, what: str = "positions", now: int = 0) -> Verdict:
    return failover.failed(error, what, now)


def stopped(failover: Failover) -> bool:
    """A call, so that the type checker takes no earlier answer for the present one."""
    return failover.entries_stopped


class TestRulebook:
    def test_7_2_8_four_errors_four_actions(self) -> None:
        """401, 429, 503 and a time-out, each of a session that was well before."""
        found = {}
        for name, error in {"401": REFUSED_LOGIN, "429": CROWDED, "503": server(), "ETIMEDOUT": TIMED_OUT}.items():
            found[name] = fail(Failover(ladder), error)
        assert {name: verdict.action.value for name, verdict in found.items()} == {
            "401": "SWITCH_TO_MANUAL", "429": "WAIT_AND_RETRY", "503": "RETRY", "ETIMEDOUT": "RETRY_WITH_BACKOFF",
        }  # fmt: skip
        assert found["429"].wait == 60.0
        assert found["401"].message.startswith("Authentication failed - switching to manual mode")
        assert found["401"].instructions == "Please re-enter credentials or use manual data entry"

    def test_7_2_8_the_third_503_is_an_emergency(self) -> None:
        failover = Failover(ladder)
        said = [fail(failover, server()) for _ in range(3)]
        assert [(v.action, v.wait, v.fallback) for v in said] == [
            (Action.RETRY, 5.0, False), (Action.RETRY, 10.0, False), (Action.EMERGENCY_MANUAL_MODE, 0.0, True),
        ]  # fmt: skip
        assert said[2].message.startswith("TastyTrade API unavailable - emergency manual mode")
        assert said[2].instructions == "Use manual data entry until service restored"
        assert failover.fallback
        assert failover.entries_stopped

    def test_10_64_the_words_are_the_seeds(self) -> None:
        assert {each.value for each in Action} == {each.name for each in Action} == {
            "SWITCH_TO_MANUAL", "WAIT_AND_RETRY", "RETRY", "RETRY_WITH_BACKOFF", "EMERGENCY_MANUAL_MODE", "RESOLVE",
            "SURFACE",
        }  # fmt: skip

    def test_10_64_counts_are_taken_back_by_a_success(self) -> None:
        failover = Failover(ladder)
        for _ in range(4):
            assert [fail(failover, server()).wait for _ in range(2)] == [5.0, 10.0]
            failover.succeeded("positions", 0)
        assert not failover.fallback

    def test_7_4_a_killed_network_ends_in_manual_mode(self) -> None:
        failover = Failover(ladder)
        said = [fail(failover, TIMED_OUT) for _ in range(4)]
        assert [v.wait for v in said] == [0.4, 0.9, 1.7, 0.0]
        assert [v.action for v in said] == [Action.RETRY_WITH_BACKOFF] * 3 + [Action.EMERGENCY_MANUAL_MODE]
        assert failover.fallback

    def test_8_2_the_fifth_unknown_error_switches_to_manual(self) -> None:
        failover = Failover(ladder)
        said = [fail(failover, error) for error in (Malformed(READ, "no JSON"), ValueError("x"), KeyError("y"),
                                                    Malformed(READ, "no JSON"), DataError("z"))]  # fmt: skip
        assert [v.action for v in said] == [Action.SURFACE] * 4 + [Action.SWITCH_TO_MANUAL]
        assert failover.entries_stopped
        assert not failover.fallback


class TestReads:
    @pytest.mark.parametrize(
        "error", [CredentialError("revoked"), NoCredentials("TASTYTRADE_CLIENT_SECRET is not set")]
    )
    def test_credentials(self, error: CredentialError) -> None:
        failover = Failover(ladder)
        assert fail(failover, error, "token").action is Action.SWITCH_TO_MANUAL
        assert failover.manual

    def test_too_many_waits_longer_each_time_and_not_for_ever(self) -> None:
        failover = Failover(ladder)
        assert [fail(failover, CROWDED).wait for _ in range(7)] == [60, 120, 180, 240, 300, 300, 300]
        failover.succeeded("positions", 0)
        assert fail(failover, CROWDED).wait == 60
        assert CROWDED_LONGEST == 300

    @pytest.mark.parametrize("status", [500, 502, 503, 504, 302, 200])
    def test_server_faults(self, status: int) -> None:
        assert fail(Failover(ladder), server(status)).action is Action.RETRY

    @pytest.mark.parametrize("error", OFFLINE, ids=lambda error: type(error).__name__)
    def test_the_network(self, error: BaseException) -> None:
        verdict = fail(Failover(ladder), error)
        assert (verdict.action, verdict.wait) == (Action.RETRY_WITH_BACKOFF, 0.4)

    @pytest.mark.parametrize("error", REFUSALS, ids=lambda error: str(getattr(error, "status", "none")))
    def test_refusals_are_told_and_count_for_nothing(self, error: BaseException) -> None:
        failover = Failover(ladder)
        for what in ("positions", SUBMIT) * 5:
            assert fail(failover, error, what).action is Action.SURFACE
        assert not failover.entries_stopped
        assert fail(failover, server()).wait == 5.0

    def test_a_full_disk_is_no_network(self) -> None:
        assert fail(Failover(ladder), OSError(errno.ENOSPC, "No space left on device")).action is Action.SURFACE

    def test_failures_of_several_calls_in_a_row_count_together(self) -> None:
        failover = Failover(ladder)
        said = [fail(failover, server(), what).action for what in ("positions", "balances", "quotes")]
        assert said == [Action.RETRY, Action.RETRY, Action.EMERGENCY_MANUAL_MODE]

    def test_one_call_that_always_fails_is_not_hidden_by_others(self) -> None:
        failover = Failover(ladder)
        said = []
        for _ in range(3):
            said.append(fail(failover, server(), "balances").action)
            failover.succeeded("positions", 0)
        assert said == [Action.RETRY, Action.RETRY, Action.EMERGENCY_MANUAL_MODE]

    def test_each_outage_has_its_own_backoff(self) -> None:
        failover = Failover(ladder)
        assert [fail(failover, TIMED_OUT).wait for _ in range(2)] == [0.4, 0.9]
        assert fail(failover, TIMED_OUT, "quotes").wait == 0.4
        failover.succeeded("positions", 0)
        assert fail(failover, TIMED_OUT).wait == 0.4
        assert fail(failover, TIMED_OUT, "quotes").wait == 0.9

    @pytest.mark.parametrize(("asked", "wait"), [(-1.0, 0.0), (1e9, 60.0), (float("inf"), 60.0), (float("nan"), 60.0)])
    def test_a_backoff_that_makes_no_sense(self, asked: float, wait: float) -> None:
        assert fail(Failover(lambda: iter((asked,))), TIMED_OUT).wait == wait

    def test_a_backoff_without_waits_gives_up_at_once(self) -> None:
        assert fail(Failover(lambda: iter(())), TIMED_OUT).action is Action.EMERGENCY_MANUAL_MODE


class TestOrders:
    @pytest.mark.parametrize("what", [SUBMIT, "replace zero_dte-2024-08-02-2"])
    @pytest.mark.parametrize(
        "error",
        [doubt(), server(), TIMED_OUT, Malformed(READ, "no id"), TimeoutError(), ValueError("?"),
         ConnectionResetError(), asyncio.CancelledError()],
        ids=lambda error: type(error).__name__,
    )  # fmt: skip
    def test_what_may_have_arrived_goes_to_the_resolver(self, what: str, error: BaseException) -> None:
        failover = Failover(ladder)
        verdict = fail(failover, error, what)
        assert (verdict.action, verdict.wait, verdict.instructions) == (Action.RESOLVE, 0.0, "Do not send it again")
        assert failover.doubts == (what,)
        assert failover.entries_stopped

    def test_entries_stay_stopped_until_the_resolver_has_answered(self) -> None:
        failover = Failover(ladder)
        fail(failover, doubt(), SUBMIT)
        fail(failover, doubt(), SUBMIT)
        fail(failover, doubt(), "submit another")
        failover.succeeded("positions", 0)
        failover.succeeded(SUBMIT, 0)
        failover.resume()
        assert failover.doubts == (SUBMIT, "submit another")
        failover.answered(SUBMIT)
        assert failover.entries_stopped
        failover.answered("submit another")
        failover.answered("nothing")
        assert not failover.entries_stopped

    def test_what_was_surely_not_sent_is_told_and_left_to_whoever_wanted_it(self) -> None:
        failover = Failover(ladder)
        assert fail(failover, Unreachable("POST", "connection refused"), SUBMIT).action is Action.SURFACE
        assert fail(failover, CROWDED, SUBMIT).action is Action.SURFACE
        assert not failover.entries_stopped

    def test_the_first_401_of_an_order_only_renews_the_token(self) -> None:
        failover = Failover(ladder)
        assert fail(failover, REFUSED_LOGIN, SUBMIT).action is Action.SURFACE
        assert fail(failover, REFUSED_LOGIN, "submit another").action is Action.SWITCH_TO_MANUAL
        again = Failover(ladder)
        fail(again, REFUSED_LOGIN, SUBMIT)
        again.succeeded("positions", 0)
        assert fail(again, REFUSED_LOGIN, "submit another").action is Action.SURFACE

    def test_a_cancel_may_be_sent_again(self) -> None:
        assert fail(Failover(ladder), server(), "cancel zero_dte-1").action is Action.RETRY
        assert fail(Failover(ladder), doubt(), "cancel zero_dte-1").action is Action.RESOLVE

    @given(st.lists(st.sampled_from([*OFFLINE, *REFUSALS, REFUSED_LOGIN, CROWDED, server(), doubt(), ValueError("x"),
                                     CredentialError("no"), Malformed(READ, "no")]), max_size=12))  # fmt: skip
    def test_no_failure_ever_says_to_send_an_order_again(self, errors: list[BaseException]) -> None:
        failover = Failover(forever)
        for i, error in enumerate(errors):
            verdict = fail(failover, error, SUBMIT, i)
            assert verdict.action in (Action.RESOLVE, Action.SURFACE, Action.SWITCH_TO_MANUAL)
            assert verdict.wait == 0.0
            assert verdict.action is not Action.RESOLVE or failover.doubts == (SUBMIT,)


class TestState:
    def test_manual_mode_ends_when_a_person_resumes_and_not_before(self) -> None:
        failover = Failover(ladder)
        for _ in range(3):
            fail(failover, server())
        failover.succeeded("positions", 0)
        assert stopped(failover)
        assert fail(failover, server()) == Verdict(
            Action.RETRY, 5.0, f"Server error 1 of 3 (positions: {server()})", "", True
        )
        failover.resume()
        assert not stopped(failover)
        assert fail(failover, server()).wait == 5.0

    def test_how_old_the_last_success_is(self) -> None:
        failover = Failover(ladder)
        assert failover.age("positions", 100 * SECOND) is None
        failover.succeeded("positions", 100 * SECOND)
        assert failover.age("positions", 131 * SECOND) == 31.0
        fail(failover, TIMED_OUT, now=131 * SECOND)
        assert failover.age("positions", 132 * SECOND) == 32.0
        # An answer that was on its way longer than a later one makes nothing older or younger.
        failover.succeeded("positions", 90 * SECOND)
        assert failover.age("positions", 132 * SECOND) == 32.0
        assert failover.age("positions", 0) == 0.0

    def test_messages_are_one_line_without_secrets(self) -> None:
        failover = Failover(ladder)
        error = RuntimeError("access_token=abcdefgh\naccount 5WT00001")
        said = fail(failover, error, "positions").message
        assert said == "positions: RuntimeError: access_token=[hidden] account [hidden]"
        assert fail(failover, ValueError(), "positions").message == "positions: ValueError"

    @given(
        st.lists(
            st.tuples(
                st.sampled_from([*OFFLINE, *REFUSALS, CROWDED, server(), ValueError("x"), None]),
                st.sampled_from(["positions", "balances", "token"]),
            ),
            max_size=40,
        )
    )
    def test_waits_are_bounded_and_emergencies_are_earned(self, calls: list[tuple[BaseException | None, str]]) -> None:
        failover, faults = Failover(forever), 0
        for now, (error, what) in enumerate(calls):
            if error is None:
                failover.succeeded(what, now)
                continue
            verdict = fail(failover, error, what, now)
            faults += isinstance(error, ServerFault) and error.status is not None
            assert 0.0 <= verdict.wait <= CROWDED_LONGEST
            assert verdict.message.isprintable()
            if verdict.action is Action.EMERGENCY_MANUAL_MODE:
                assert faults >= 3
                assert verdict.fallback
            assert verdict.fallback == failover.fallback
