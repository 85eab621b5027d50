"""Who is repeated and who is not; and which ends of a submission leave it in doubt."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from adapters.tastytrade.errors import (
    Answered,
    CredentialError,
    InDoubt,
    Malformed,
    NotFound,
    ServerFault,
    TooMany,
    Unauthorized,
    Unprocessable,
    Unreachable,
)
from adapters.tastytrade.rest.client import Rest
from adapters.tastytrade.rest.wire import Patience
from sim.model.errors import BrokerError, UsageError
from tests.wire.web import (
    ACCOUNT,
    BODY,
    HTML_401,
    HTML_502,
    ORDER,
    PLACED,
    PROD,
    TOKEN,
    Broker,
    Held,
    Time,
    client,
    items,
    page_of_html,
    problem,
    reply,
    run,
)

D = Decimal
GOOD = reply(PLACED, 201)
NEW = reply({**ORDER, "id": 900002, "replaces-order-id": 900001, "status": "Contingent"})
NEVER_SENT = [httpx.ConnectError("refused"), httpx.ConnectTimeout("slow"), httpx.PoolTimeout("full")]
MAYBE_SENT = [
    httpx.ReadTimeout("silence"),
    httpx.WriteTimeout("silence"),
    httpx.ReadError("reset"),
    httpx.WriteError("broken pipe"),
    httpx.RemoteProtocolError("closed without an answer"),
    OSError("reset"),
    TimeoutError(),
]
UNSETTLED = [
    problem(500, "internal_server_error", "x"),
    page_of_html(502, HTML_502),
    page_of_html(504, "late"),
    httpx.Response(302, headers={"location": "https://elsewhere.test/"}),
    httpx.Response(307, headers={"location": "/accounts"}),
    page_of_html(200, "<html>welcome</html>"),
    httpx.Response(201, content=b'{"data":{"order":{"id":9'),
    httpx.Response(201, content=b""),
    reply({"order": {"status": "Routed"}}, 201),
    reply({}, 201),
    httpx.Response(201, json=[1]),
    problem(201, "odd", "an error in a success"),
    reply({"order": {**ORDER, "legs": "none"}}, 201),
    reply({"order": {"id": None}}, 201),
    reply({"order": {"id": True}}, 201),
]

Act = Callable[[Rest], Awaitable[Any]]
MOVES: list[tuple[str, Act, httpx.Response]] = [
    ("place", lambda rest: rest.orders.place(ACCOUNT, BODY), GOOD),
    ("replace", lambda rest: rest.orders.replace(ACCOUNT, "900001", BODY), NEW),
    ("edit", lambda rest: rest.orders.edit(ACCOUNT, "900001", BODY), NEW),
    ("reconfirm", lambda rest: rest.orders.reconfirm(ACCOUNT, "900001"), NEW),
    (
        "complex",
        lambda rest: rest.complex_orders.place(ACCOUNT, {"type": "OCO", "orders": [BODY], "external-identifier": "zd"}),
        reply({"complex-order": {"id": 5, "type": "OCO", "orders": [ORDER]}}, 201),
    ),
    (
        "complex edit",
        lambda rest: rest.complex_orders.edit(ACCOUNT, "5", {"ratio-price-threshold": "1"}),
        reply({"id": 5, "type": "PAIRS"}),
    ),
]
IDS = [name for name, _, _ in MOVES]


# --- what moves orders -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "act", "good"), MOVES, ids=IDS)
def test_a_move_is_sent_once(name: str, act: Act, good: httpx.Response) -> None:
    broker = Broker(good)
    run(_do(broker, act))
    assert len(broker.asked) == 1


async def _do(broker: Broker, act: Act, **how: Any) -> Any:
    return await act(client(broker, **how))


@pytest.mark.parametrize("end", [*MAYBE_SENT, *UNSETTLED], ids=lambda end: repr(end)[:60])
@pytest.mark.parametrize(("name", "act", "good"), MOVES, ids=IDS)
def test_a_move_that_may_have_arrived_is_in_doubt(name: str, act: Act, good: httpx.Response, end: Any) -> None:
    broker, time = Broker(end), Time()
    with pytest.raises(InDoubt, match="read the orders back") as error:
        run(_do(broker, act, time=time))
    assert len(broker.asked) == 1
    assert error.value.account == ACCOUNT
    assert error.value.sent_ns == time.wall_ns()
    assert ACCOUNT not in str(error.value)


def test_what_is_in_doubt_can_be_looked_for() -> None:
    with pytest.raises(InDoubt) as error:
        run(client(Broker(problem(500, "x", "y"))).orders.place(ACCOUNT, BODY))
    doubt = error.value
    assert doubt.external_identifier == "zd-20260105-1"
    assert doubt.request == BODY
    assert (doubt.status, doubt.endpoint, doubt.order_id) == (500, "POST /accounts/{account}/orders", "")
    with pytest.raises(InDoubt) as error:
        run(client(Broker(httpx.ReadTimeout(""))).orders.replace(ACCOUNT, "900001", BODY))
    assert (error.value.order_id, error.value.status) == ("900001", None)


@pytest.mark.parametrize("end", NEVER_SENT, ids=repr)
@pytest.mark.parametrize(("name", "act", "good"), MOVES, ids=IDS)
def test_a_move_that_was_never_sent(name: str, act: Act, good: httpx.Response, end: Any) -> None:
    broker = Broker(end, good)
    with pytest.raises(Unreachable, match="was not sent"):
        run(_do(broker, act))
    assert len(broker.asked) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 406, 408, 409, 415, 422, 429, 499])
@pytest.mark.parametrize(("name", "act", "good"), MOVES, ids=IDS)
def test_a_move_that_was_refused(name: str, act: Act, good: httpx.Response, status: int) -> None:
    broker, tokens = Broker(problem(status, "no", "No."), good), Held()
    with pytest.raises(Answered):
        run(_do(broker, act, tokens=tokens))
    assert len(broker.asked) == 1
    assert tokens.dead == ([TOKEN] if status == 401 else [])


def test_a_connection_refused_by_a_real_socket_was_never_sent() -> None:
    async def main() -> None:
        from dataclasses import replace

        site = replace(PROD, rest="http://127.0.0.1:1")
        rest = Rest(site, Held())
        with pytest.raises(Unreachable):
            await rest.orders.place(ACCOUNT, BODY)
        await rest.aclose()

    run(main())


def test_a_reset_and_a_cut_on_a_real_socket_are_in_doubt() -> None:
    async def serve(answer: bytes) -> str:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            writer.close()

        from dataclasses import replace

        async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            rest = Rest(replace(PROD, rest=f"http://127.0.0.1:{port}"), Held())
            with pytest.raises(InDoubt) as error:
                await rest.orders.place(ACCOUNT, BODY)
            await rest.aclose()
            return str(error.value)

    assert "broke" in run(serve(b""))
    assert "broke" in run(serve(b"HTTP/1.1 201 Created\r\nContent-Length: 400\r\n\r\n{"))
    assert "broke" in run(serve(b"nonsense\r\n\r\n"))
    assert "502" in run(serve(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"))


def test_a_silence_is_in_doubt_and_a_read_gives_up() -> None:
    async def never(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60)
        return GOOD

    hurry = Patience(whole=0.01)
    with pytest.raises(InDoubt, match="no answer in time"):
        run(client(Broker(never), patience=hurry).orders.place(ACCOUNT, BODY))
    with pytest.raises(ServerFault, match="no answer in time"):
        run(client(Broker(never), patience=hurry, attempts=1).accounts.customer())


def test_no_token_means_never_sent() -> None:
    class Poor(Held):
        async def token(self) -> str:
            raise CredentialError("none")

    broker = Broker(GOOD)
    with pytest.raises(CredentialError):
        run(client(broker, tokens=Poor()).orders.place(ACCOUNT, BODY))
    assert broker.asked == []


def test_a_closed_client_sends_nothing() -> None:
    async def main() -> None:
        broker = Broker(GOOD)
        async with client(broker) as rest:
            pass
        with pytest.raises(Unreachable, match="closed by this program"):
            await rest.orders.place(ACCOUNT, BODY)
        assert broker.asked == []

    run(main())


# --- what may be repeated --------------------------------------------------------------------------------------------

READS: list[tuple[str, Act, httpx.Response]] = [
    ("get", lambda rest: rest.orders.get(ACCOUNT, "900001"), reply(ORDER)),
    ("dry run", lambda rest: rest.orders.dry_run(ACCOUNT, BODY), GOOD),
    ("edit dry run", lambda rest: rest.orders.edit_dry_run(ACCOUNT, "900001", BODY), GOOD),
    ("margin dry run", lambda rest: rest.accounts.margin_dry_run(ACCOUNT, BODY), reply({"description": "Total"})),
    ("cancel", lambda rest: rest.orders.cancel(ACCOUNT, "900001"), reply({**ORDER, "status": "Cancel Requested"})),
    ("complex cancel", lambda rest: rest.complex_orders.cancel(ACCOUNT, "5"), reply({"id": 5})),
]
READ_IDS = [name for name, _, _ in READS]
PASSING: list[Any] = [
    *NEVER_SENT,
    *MAYBE_SENT,
    problem(500, "x", "y"),
    page_of_html(502, HTML_502),
    page_of_html(503, ""),
    page_of_html(200, "<html>wait</html>"),
    problem(429, "slow", "down"),
]


@pytest.mark.parametrize("fault", PASSING, ids=lambda end: repr(end)[:60])
@pytest.mark.parametrize(("name", "act", "good"), READS, ids=READ_IDS)
def test_a_read_is_repeated_until_it_is_answered(name: str, act: Act, good: httpx.Response, fault: Any) -> None:
    broker, time = Broker(fault, fault, good), Time()
    run(_do(broker, act, time=time))
    assert len(broker.asked) == 3
    assert len({(request.method, request.content) for request in broker.asked}) == 1
    waits = [seconds for seconds in time.slept if seconds > 0]
    assert len(waits) >= 2


@pytest.mark.parametrize("fault", PASSING, ids=lambda end: repr(end)[:60])
@pytest.mark.parametrize(("name", "act", "good"), READS, ids=READ_IDS)
def test_and_given_up_after_four(name: str, act: Act, good: httpx.Response, fault: Any) -> None:
    broker = Broker(fault)
    with pytest.raises(BrokerError) as error:
        run(_do(broker, act))
    assert len(broker.asked) == 4
    if any(fault is one for one in NEVER_SENT):
        assert isinstance(error.value, Unreachable)
    elif isinstance(fault, httpx.Response) and fault.status_code == 429:
        assert isinstance(error.value, TooMany)
    else:
        assert isinstance(error.value, InDoubt if "cancel" in name else ServerFault)


@pytest.mark.parametrize("status", [400, 403, 404, 406, 409, 415, 422])
@pytest.mark.parametrize(("name", "act", "good"), READS, ids=READ_IDS)
def test_a_read_that_was_refused_is_not_repeated(name: str, act: Act, good: httpx.Response, status: int) -> None:
    broker = Broker(problem(status, "no", "No."), good)
    with pytest.raises(Answered):
        run(_do(broker, act))
    assert len(broker.asked) == 1


def test_waits_grow_and_a_429_waits_a_second_an_attempt() -> None:
    time = Time()
    with pytest.raises(TooMany):
        run(client(Broker(problem(429, "slow", "down")), time=time).accounts.customer())
    waits = [seconds for seconds in time.slept if seconds >= 1]
    assert [int(2 * wait) // 2 for wait in waits[:3]] == [1, 2, 3]


def test_a_read_ends_with_its_ninety_seconds() -> None:
    time = Time()

    def slow(request: httpx.Request) -> httpx.Response:
        time.now += 50
        return problem(500, "x", "y")

    broker = Broker(slow)
    with pytest.raises(ServerFault):
        run(client(broker, time=time).accounts.customer())
    assert len(broker.asked) == 2


def test_a_401_is_answered_by_one_new_token() -> None:
    broker, tokens = Broker(problem(401, "token_invalid", "expired"), reply({"id": "me"})), Held()
    run(client(broker, tokens=tokens).accounts.customer())
    assert [request.headers["authorization"] for request in broker.asked] == [f"Bearer {TOKEN}", f"Bearer {TOKEN}+"]
    broker, tokens = Broker(problem(401, "token_invalid", "expired")), Held()
    with pytest.raises(Unauthorized):
        run(client(broker, tokens=tokens).accounts.customer())
    assert len(broker.asked) == 2
    assert len(tokens.dead) == 2


def test_a_401_of_the_gateway_is_not_the_token() -> None:
    broker = Broker(page_of_html(401, HTML_401))
    with pytest.raises(Unauthorized, match="401 Authorization Required"):
        run(client(broker).accounts.customer())
    assert len(broker.asked) == 1


def test_a_redirect_is_not_followed() -> None:
    broker = Broker(httpx.Response(307, headers={"location": "https://elsewhere.test/"}))
    with pytest.raises(ServerFault, match="redirect"):
        run(client(broker).accounts.customer())
    assert len(broker.asked) == 1


def test_a_cancel_that_is_over_is_a_refusal_also_after_a_doubt() -> None:
    over = problem(422, "cannot_update_order", "the order could not be cancelled")
    with pytest.raises(Unprocessable) as error:
        run(client(Broker(httpx.ReadTimeout(""), over)).orders.cancel(ACCOUNT, "1"))
    assert error.value.code == "cannot_update_order"
    with pytest.raises(NotFound):
        run(client(Broker(httpx.ReadTimeout(""), problem(404, "x", "y"))).orders.cancel(ACCOUNT, "1"))


@pytest.mark.parametrize("later", [httpx.ConnectError(""), problem(401, "x", "y"), problem(429, "x", "y")], ids=repr)
def test_a_cancel_in_doubt_stays_in_doubt(later: Any) -> None:
    with pytest.raises(InDoubt) as error:
        run(client(Broker(httpx.ReadTimeout(""), later)).orders.cancel(ACCOUNT, "77"))
    assert error.value.order_id == "77"


def test_a_cancel_in_doubt_without_a_token_stays_in_doubt() -> None:
    class Once(Held):
        async def token(self) -> str:
            if self.given:
                raise CredentialError("gone")
            return await super().token()

    with pytest.raises(InDoubt):
        run(client(Broker(httpx.ReadTimeout("")), tokens=Once()).orders.cancel(ACCOUNT, "77"))


# --- requests and answers --------------------------------------------------------------------------------------------


def test_what_a_request_carries() -> None:
    broker = Broker(reply({"id": "me"}))
    run(client(broker, site=PROD).accounts.customer())
    run(client(broker).accounts.customer())
    first, second = broker.asked
    product, _, version = first.headers["user-agent"].partition("/")
    assert product == "tomking"
    assert version
    assert first.headers["accept-version"] == "20251101"
    assert "accept-version" not in second.headers
    assert first.headers["accept"] == "application/json"


def test_two_routes_of_production_do_not_take_a_version_and_one_no_token() -> None:
    broker = Broker(reply({}))
    rest = client(broker, site=PROD)

    async def main() -> None:
        await rest.accounts.position_limit(ACCOUNT)
        await rest.accounts.effective_margin(ACCOUNT, "BRK/B")
        await rest.accounts.public_margin()

    run(main())
    assert all("accept-version" not in request.headers for request in broker.asked[:2])
    assert "authorization" not in broker.asked[2].headers
    assert broker.paths()[1] == f"/accounts/{ACCOUNT}/margin-requirements/BRK%2FB/effective"


def test_decimals_are_written_without_an_exponent() -> None:
    broker = Broker(GOOD)
    run(client(broker).orders.place(ACCOUNT, {**BODY, "price": Decimal("1.25E+1"), "stop-trigger": Decimal("1E-7")}))
    assert broker.bodies()[0]["price"] == "12.5"
    assert broker.bodies()[0]["stop-trigger"] == "0.0000001"


@pytest.mark.parametrize("bad", [Decimal("NaN"), object(), Decimal("Infinity")], ids=["NaN", "object", "Infinity"])
def test_a_body_that_cannot_be_written_is_an_error_before_anything_is_sent(bad: Any) -> None:
    broker = Broker(GOOD)
    with pytest.raises(UsageError):
        run(client(broker).orders.place(ACCOUNT, {"price": bad}))
    assert broker.asked == []


@pytest.mark.parametrize("symbol", ["", ".", "..", "  "])
def test_a_path_is_not_walked(symbol: str) -> None:
    broker = Broker(reply({}))
    with pytest.raises(UsageError):
        run(client(broker).instruments.equity(symbol))
    with pytest.raises(UsageError):
        run(client(broker).orders.place(symbol, BODY))
    assert broker.asked == []


def test_an_answer_may_be_compressed() -> None:
    packed = gzip.compress(b'{"data":{"id":"me"}}')
    answer = httpx.Response(200, content=packed)

    async def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-encoding": "gzip"}, content=packed)

    rest = client(Broker(answer), transport=httpx.MockTransport(handler))
    assert run(rest.accounts.customer()).id == "me"


class Endless(httpx.AsyncByteStream):
    def __init__(self) -> None:
        self.sent = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            self.sent += 1
            yield b" " * 1024


def test_an_answer_is_cut_where_it_is_too_large() -> None:
    stream = Endless()
    small = Patience(largest=10_000)

    async def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=stream)

    rest = client(Broker(), transport=httpx.MockTransport(handler), patience=small)
    with pytest.raises(ServerFault, match="larger than"):
        run(rest.accounts.customer())
    assert stream.sent == 10
    with pytest.raises(InDoubt, match="larger than"):
        run(rest.orders.place(ACCOUNT, BODY))


@pytest.mark.parametrize("body", [b"{", b"[NaN]", b"\xff", b"[" * 50_000, b"5", b"[]", b'{"data":{"id":{}}}'])
def test_an_answer_that_cannot_be_read_names_the_endpoint(body: bytes) -> None:
    with pytest.raises(Malformed, match=r"GET /accounts/\{account\}/orders/9"):
        run(client(Broker(httpx.Response(200, content=body))).orders.get(ACCOUNT, "9"))


def test_a_list_that_is_the_same_is_not_read_anew_and_one_that_is_not_is() -> None:
    one = {"symbol": "XYZ", "instrument-type": "Equity", "quantity": "100", "quantity-direction": "Long"}
    broker = Broker(
        items(one), items(one), items({**one, "quantity": "90"}), items({**one, "quantity": "90"}), items(one), items()
    )

    async def read() -> list[tuple[Any, ...]]:
        accounts = client(broker).accounts
        asked = [await accounts.positions(ACCOUNT) for _ in range(3)]
        asked += [await accounts.positions(ACCOUNT, ["XYZ"]), await accounts.positions("5WT90009")]
        return [*asked, await accounts.positions("5WT90009")]

    first, second, third, fourth, fifth, last = run(read())
    assert second is first
    assert [each[0].quantity for each in (first, third, fourth, fifth)] == [D(100), D(90), D(90), D(100)]
    assert fourth is not third, "another question"
    assert last == ()


def test_a_log_has_one_line_a_request_and_no_account() -> None:
    lines: list[str] = []
    broker = Broker(httpx.ReadTimeout(""), items())
    run(client(broker, log=lines.append).accounts.positions(ACCOUNT, ["XYZ"]))
    assert [line.split(" ")[:2] for line in lines] == [["GET", "/accounts/{account}/positions"]] * 2
    assert "no answer in time" in lines[0]
    assert " 200 " in lines[1]
    assert lines[1].endswith(" ms")
    assert not any(ACCOUNT in line or "XYZ" in line for line in lines)


def test_the_brokers_clock_is_heard_from_its_answers() -> None:
    time = Time()
    at = datetime.fromtimestamp(time.wall() - 7, UTC)
    dated = httpx.Response(200, json={"data": {}}, headers={"date": format_datetime(at, usegmt=True)})
    rest = client(Broker(reply({}), dated), time=time)
    run(rest.accounts.customer())
    assert rest.skew is None
    run(rest.accounts.customer())
    assert rest.skew == pytest.approx(6.5, abs=1.0)
