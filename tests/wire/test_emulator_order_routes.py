"""The account routes over an exchange of this test: which method each calls, and how its answer is wrapped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import httpx
import pytest

from adapters.emulator.emulator import Moving
from adapters.emulator.refusal import Refusal
from adapters.emulator.rest.order_routes import OrderRoutes
from tests.wire.emulated import ACCOUNT, client, emulator


@dataclass(frozen=True, slots=True)
class Pages:
    items: list[dict[str, Any]]
    pagination: dict[str, Any] | None


class Recorder:
    """Answers everything with what was asked of it."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def drain(self) -> list[Any]:
        return []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def method(*given: Any) -> Any:
            self.asked.append((name, *given))
            if name in ("list", "list_complex", "transactions", "balance_snapshots"):
                return Pages([{"asked": name}], {"page-offset": 0, "total-pages": 1})
            if name in ("live", "live_complex", "positions", "net_liq_history"):
                return [{"asked": name}]
            if name == "reconfirm":
                raise Refusal(422, "cannot_reconfirm_order", "No")
            return {"asked": name}

        return method


def ask(recorder: Recorder, method: str, path: str, **given: Any) -> httpx.Response:
    made = emulator()
    made.exchange = cast(Moving, recorder)
    OrderRoutes(made.exchange, made.accounts.has).add_to(made.routes)

    async def main() -> httpx.Response:
        async with client(made) as opened:
            return await opened.request(method, path, **given)

    return asyncio.run(main())


A = f"/accounts/{ACCOUNT}"
M = f"/margin/accounts/{ACCOUNT}"
BODY = {"order-type": "Limit"}


@pytest.mark.parametrize(
    ("method", "path", "status", "asked"),
    [
        ("POST", f"{A}/orders", 201, ("place", ACCOUNT, BODY)),
        ("POST", f"{A}/orders/dry-run", 201, ("dry_run", ACCOUNT, BODY)),
        ("PUT", f"{A}/orders/7", 200, ("replace", ACCOUNT, 7, BODY)),
        ("PATCH", f"{A}/orders/7", 200, ("edit", ACCOUNT, 7, BODY)),
        ("POST", f"{A}/orders/7/dry-run", 201, ("edit_dry_run", ACCOUNT, 7, BODY)),
        ("POST", f"{A}/orders/7/reconfirm", 422, ("reconfirm", ACCOUNT, 7)),
        ("DELETE", f"{A}/orders/7", 200, ("cancel", ACCOUNT, 7)),
        ("GET", f"{A}/orders/7", 200, ("get", ACCOUNT, 7)),
        ("GET", f"{A}/orders/live", 200, ("live", ACCOUNT)),
        ("GET", f"{A}/orders?status[]=Live&sort=Asc", 200, ("list", ACCOUNT, {"status": ["Live"], "sort": "Asc"})),
        ("POST", f"{A}/complex-orders", 201, ("place_complex", ACCOUNT, BODY)),
        ("POST", f"{A}/complex-orders/dry-run", 201, ("dry_run_complex", ACCOUNT, BODY)),
        ("GET", f"{A}/complex-orders", 200, ("list_complex", ACCOUNT, {})),
        ("GET", f"{A}/complex-orders/live", 200, ("live_complex", ACCOUNT)),
        ("GET", f"{A}/complex-orders/9", 200, ("get_complex", ACCOUNT, 9)),
        ("DELETE", f"{A}/complex-orders/9", 200, ("cancel_complex", ACCOUNT, 9)),
        ("GET", f"{A}/balances/USD", 200, ("balances", ACCOUNT)),
        ("GET", f"{A}/positions?include-marks=true", 200, ("positions", ACCOUNT, {"include-marks": "true"})),
        ("GET", f"{A}/transactions?types[]=Trade", 200, ("transactions", ACCOUNT, {"types": ["Trade"]})),
        ("GET", f"{A}/transactions/total-fees?date=2024-07-19", 200, ("total_fees", ACCOUNT, "2024-07-19")),
        ("GET", f"{A}/transactions/5", 200, ("transaction", ACCOUNT, 5)),
        ("GET", f"{A}/balance-snapshots?time-of-day=EOD", 200, ("balance_snapshots", ACCOUNT, {"time-of-day": "EOD"})),
        ("GET", f"{A}/net-liq/history?time-back=1d", 200, ("net_liq_history", ACCOUNT, {"time-back": "1d"})),
        ("GET", f"{A}/trading-status", 200, ("trading_status", ACCOUNT)),
        ("GET", f"{A}/position-limit", 200, ("position_limit", ACCOUNT)),
        ("GET", f"{A}/margin-requirements/%2FESU4/effective", 200, ("effective_margin", ACCOUNT, "/ESU4")),
        ("GET", f"{M}/requirements", 200, ("margin_requirements", ACCOUNT)),
        ("POST", f"{M}/dry-run", 201, ("margin_dry_run", ACCOUNT, BODY)),
    ],
)
def test_every_route_is_one_call(method: str, path: str, status: int, asked: tuple[Any, ...]) -> None:
    recorder = Recorder()
    answer = ask(recorder, method, path, json=BODY if method in ("POST", "PUT", "PATCH") else None)
    assert answer.status_code == status
    assert recorder.asked == [asked]


def test_lists_and_pages_in_their_wrapper() -> None:
    answer = ask(Recorder(), "GET", f"{A}/orders").json()
    assert answer == {
        "data": {"items": [{"asked": "list"}]}, "context": f"{A}/orders",
        "pagination": {"page-offset": 0, "total-pages": 1},
    }  # fmt: skip


def test_balances_are_an_object_or_by_version_a_list() -> None:
    assert ask(Recorder(), "GET", f"{A}/balances").json()["data"] == {"asked": "balances"}
    newer = ask(Recorder(), "GET", f"{A}/balances", headers={"Accept-Version": "20251101"}).json()
    assert newer["data"] == {"items": [{"asked": "balances"}]}
    assert ask(Recorder(), "GET", f"{A}/balances/EUR").status_code == 404


def test_orders_of_a_customer_want_accounts_of_his() -> None:
    missing = ask(Recorder(), "GET", "/customers/me/orders")
    assert missing.status_code == 400
    assert missing.json()["error"]["errors"] == [{"domain": "account-numbers", "reason": "is missing"}]
    recorder = Recorder()
    found = ask(recorder, "GET", "/customers/me/orders", params={"account-numbers[]": [ACCOUNT, "5WT00002"]})
    assert len(found.json()["data"]["items"]) == 2
    assert ask(Recorder(), "GET", "/customers/me/orders/live?account-numbers[]=5WT99999").status_code == 403


@pytest.mark.parametrize("wrong", ["x", "1.5", "-1", "9" * 30, "%C2%B2"])
def test_an_id_that_is_none_is_not_found(wrong: str) -> None:
    recorder = Recorder()
    assert ask(recorder, "GET", f"{A}/orders/{wrong}").status_code == 404
    assert recorder.asked == []


def test_time_moves_the_exchange_and_the_reset_empties_it() -> None:
    recorder = Recorder()
    ask(recorder, "POST", "/emulator/clock/step", json={"seconds": 1})
    ask(recorder, "POST", "/emulator/reset")
    assert recorder.asked == [("advance",), ("reset",)]
