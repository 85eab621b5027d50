"""Faults of REST and the handles under /emulator, in process: what a client meets, how often, and what was done."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from adapters.emulator.emulator import Emulator
from adapters.emulator.faults import Fault
from adapters.emulator.rest.replies import Reply, Request
from sim.model.errors import ConfigError
from tests.wire.emulated import client, emulator


def arm(made: Emulator, **given: Any) -> int:
    return made.faults.add(Fault.of(given))


def calls(made: Emulator, count: int, path: str = "/customers/me") -> list[int]:
    """The statuses of so many calls."""

    async def main() -> list[int]:
        async with client(made) as opened:
            return [(await opened.get(path)).status_code for _ in range(count)]

    return asyncio.run(main())


def control(made: Emulator, method: str, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
    async def main() -> httpx.Response:
        async with client(made, {}) as opened:
            return await opened.request(method, path, json=body)

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("status", "code"), [(401, "token_invalid"), (406, 406), (429, "too_many_requests"), (503, "internal_server_error")]
)
def test_a_status_in_the_brokers_words(status: int, code: str | int) -> None:
    async def main() -> httpx.Response:
        made = emulator()
        arm(made, kind="status", status=status)
        async with client(made) as opened:
            return await opened.get("/customers/me")

    answer = asyncio.run(main())
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_gateways_page() -> None:
    async def main() -> httpx.Response:
        made = emulator()
        arm(made, kind="html")
        async with client(made) as opened:
            return await opened.get("/customers/me")

    answer = asyncio.run(main())
    assert answer.status_code == 502
    assert "502 Bad Gateway" in answer.text


def test_nth_times_path_and_method() -> None:
    made = emulator()
    arm(made, kind="status", nth=2, times=2)
    assert calls(made, 5) == [200, 503, 503, 200, 200]
    made.faults.clear()
    arm(made, kind="status", path="/instruments/*", method="post")
    arm(made, kind="status", path="/customers/*", status=500, times=None)
    assert calls(made, 2) == [500, 500]
    assert calls(made, 1, "/instruments/equities") == [200]


def test_chances_belong_to_the_seed() -> None:
    def drawn(seed: int) -> list[int]:
        made = emulator()
        arm(made, kind="status", probability=0.5, times=None, seed=seed)
        return calls(made, 30)

    assert drawn(1) == drawn(1) != drawn(2)
    assert 5 < drawn(1).count(503) < 25


def reach(made: Emulator) -> list[str]:
    """Adds a route that notes when its handler runs."""
    ran: list[str] = []

    def handler(request: Request) -> Reply:
        ran.append(request.method)
        return Reply(data={"text": "x" * 1000})

    made.routes.add("POST", "/reach", handler)
    return ran


@pytest.mark.parametrize(
    ("kind", "error", "handled"),
    [("drop", httpx.RemoteProtocolError, 0), ("silence", httpx.ReadTimeout, 1), ("cut", httpx.ReadError, 1)],
)
def test_a_broken_connection_in_process(kind: str, error: type[Exception], handled: int) -> None:
    made = emulator()
    ran = reach(made)
    arm(made, kind=kind)

    async def main() -> None:
        async with client(made) as opened:
            with pytest.raises(error):
                await opened.post("/reach", json={})
            assert len(ran) == handled
            assert (await opened.post("/reach", json={})).status_code == 200

    asyncio.run(main())


def test_slow_by_the_machine_and_by_the_market() -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def main() -> None:
        made = emulator(sleep=sleep)
        made.clock.pause()
        arm(made, kind="slow", seconds=2.5)
        async with client(made) as opened:
            assert (await opened.get("/customers/me")).status_code == 200
            assert slept == [2.5]
            arm(made, kind="slow", seconds=30, virtual=True)
            waiting = asyncio.create_task(opened.get("/customers/me"))
            for _ in range(5):
                await asyncio.sleep(0)
            assert not waiting.done()
            made.clock.step(30)
            assert (await waiting).status_code == 200

    asyncio.run(main())


def test_expiring_tokens() -> None:
    made = emulator()
    arm(made, kind="expire", nth=2)
    assert calls(made, 3) == [200, 401, 401]


@pytest.mark.parametrize(
    "given",
    [{}, {"kind": "stauts"}, {"kind": "status", "status": 200}, {"kind": "slow", "seconds": 0},
     {"kind": "drop", "x": 1}, {"kind": "drop", "nth": 0}, {"kind": "drop", "probability": 2},
     {"kind": "drop", "path": 5}],
)  # fmt: skip
def test_a_fault_that_does_not_fit_is_refused_in_a_line(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="fault"):
        Fault.of(given)
    answer = control(emulator(), "POST", "/emulator/faults", given)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "validation_error")


def test_faults_over_the_wire_are_listed_with_what_they_did() -> None:
    made = emulator()
    answer = control(made, "POST", "/emulator/faults", {"kind": "status", "status": 429, "path": "/customers/*"})
    assert answer.status_code == 201
    number = answer.json()["data"]["id"]
    assert calls(made, 2) == [429, 200]
    (row,) = control(made, "GET", "/emulator/faults").json()["data"]["items"]
    assert (row["id"], row["seen"], row["struck"], row["status"]) == (number, 2, 1, 429)
    assert control(made, "DELETE", f"/emulator/faults/{number}").status_code == 204
    assert control(made, "DELETE", f"/emulator/faults/{number}").status_code == 404
    control(made, "POST", "/emulator/faults", {"kind": "drop"})
    assert control(made, "DELETE", "/emulator/faults").status_code == 204
    assert control(made, "GET", "/emulator/faults").json()["data"]["items"] == []


def test_the_clock_over_the_wire() -> None:
    made = emulator()
    assert control(made, "POST", "/emulator/clock/pause").json()["data"]["paused"] is True
    stepped = control(made, "POST", "/emulator/clock/step", {"seconds": 90}).json()["data"]
    assert (stepped["now"], stepped["new-york"]) == ("2024-07-19T14:01:30.000+00:00", "2024-07-19T10:01:30-04:00")
    assert control(made, "POST", "/emulator/clock/speed", {"speed": 60}).json()["data"]["speed"] == 60
    assert control(made, "POST", "/emulator/clock/resume").json()["data"]["paused"] is False
    assert control(made, "GET", "/emulator/clock").json()["data"]["now-ns"] == made.clock.now()
    for path, body in (("step", {"seconds": -1}), ("step", {}), ("speed", {"speed": 0}), ("speed", {"speed": "fast"})):
        assert control(made, "POST", f"/emulator/clock/{path}", body).status_code == 400


def test_a_step_has_a_bound_that_is_said() -> None:
    made = emulator()
    made.clock.pause()
    before = made.clock.now()
    for seconds in (1e300, 366 * 86_400 + 1):
        answer = control(made, "POST", "/emulator/clock/step", {"seconds": seconds})
        assert answer.status_code == 400
        assert "at most 31622400" in answer.json()["error"]["message"]
    assert made.clock.now() == before
    assert control(made, "POST", "/emulator/clock/step", {"seconds": 366 * 86_400}).status_code == 200


def test_tokens_expire_and_reset_over_the_wire() -> None:
    made = emulator()

    async def main() -> int:
        async with client(made) as opened:
            assert (await opened.get("/customers/me")).status_code == 200
            assert (await opened.post("/emulator/tokens/expire", json={"quotes": True})).status_code == 204
            return (await opened.get("/customers/me")).status_code

    assert asyncio.run(main()) == 401
    assert control(made, "POST", "/emulator/reset").status_code == 204


def test_a_web_page_cannot_send_a_body_and_unknown_handles_are_404() -> None:
    made = emulator()

    async def main() -> int:
        async with client(made, {"Content-Type": "text/plain"}) as opened:
            return (await opened.post("/emulator/clock/step", content=b'{"seconds": 1}')).status_code

    assert asyncio.run(main()) == 415
    assert control(made, "GET", "/emulator/streams/dxlnk/faults").status_code == 404
    assert control(made, "GET", "/emulator/nothing").status_code == 404
    assert "clock" in control(made, "GET", "/emulator").json()["data"]
