"""An account without a session: the broker's own word of it, and closing what a sandbox's account holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, cast

from conf import build, console
from conf.account import agreed
from conf.compose import compose, home
from conf.reach import Reach, say
from live.snapshot import OrderShown, Snapshot
from sim.clock import WallClock
from sim.model.errors import BrokerError, UsageError
from sim.report.words import plural

if TYPE_CHECKING:
    from adapters.tastytrade.wiring import Connected
    from live.closeout import Closeout


async def account_of(there: Reach) -> str:
    """The account that is meant: the configured one, or the only open one."""
    numbers = [each.account_number for each in await there.rest.accounts.list() if not each.is_closed]
    if there.account:
        if there.account not in numbers:
            raise BrokerError("adapter.account is not among the open accounts of this grant: correct the number")
        return there.account
    if len(numbers) != 1:
        raise UsageError(f"this grant sees {len(numbers)} open accounts, wanted one: set adapter.account")
    return numbers[0]


async def shown_of(there: Reach, number: str) -> tuple[Snapshot, Mapping[str, Decimal]]:
    """The picture as far as the broker tells it, and signed positions by symbol."""
    from adapters.tastytrade.account_book import book_of
    from adapters.tastytrade.dealings import OPEN
    from adapters.tastytrade.orders.shapes import read_order
    from adapters.tastytrade.streams.account_stream import Notice

    held = [Notice("CurrentPosition", each.raw) for each in await there.rest.accounts.positions(number)]
    balance = Notice("AccountBalance", (await there.rest.accounts.balance(number)).raw)
    book = book_of([*held, balance], there.wall())
    orders = []
    for raw in await there.rest.orders.listed(number, OPEN):
        order = read_order(cast("Mapping[str, object]", raw))
        legs = ", ".join(f"{leg.action} {leg.quantity} {leg.symbol}" for leg in order.legs)
        price = None if order.price is None else float(order.price)
        orders.append(OrderShown(order.id, "", legs, 1, price, order.status, order.updated, ""))
    emulated = await there.emulated()
    shown = Snapshot(
        ts=there.wall(), session="", name="account", adapter=there.adapter, account=number[-2:],
        market="", notice="", synthetic=emulated is not None and emulated.synthetic, currency="USD",
        standing="NO SESSION", causes=(), nlv=None if book.nlv is None else float(book.nlv),
        cash=float("nan") if book.cash is None else float(book.cash), day_profit=None, bp_used=None, bp_cap=None,
        regime="", vix=None, phase="", health=None, fx=1.0, fx_date="", orders=tuple(orders),
        recommendations=("no session runs: nothing looks after this account",),
    )  # fmt: skip
    return shown, book.positions


async def flatten(adapter: str, words: Sequence[str], yes: int, *, as_json: bool) -> int:
    """Closes every option of a sandbox's account, asked twice. 1 where something is left."""
    from adapters.tastytrade.sandbox import Sandbox
    from adapters.tastytrade.wiring import Wiring
    from live.closeout import described
    from live.reconcile import holdings

    config = compose([*words, *([] if any(w.startswith("adapter=") for w in words) else [f"adapter={adapter}"])])
    made = build.target(config["adapter"], where="adapter")
    if not isinstance(made, Sandbox):
        raise UsageError("without a session only a sandbox's account is flattened")
    fees = build.target(config["fees"], where="fees")
    wall = WallClock().now
    async with made.connect(Wiring(fees=fees, wall=wall, say=say)) as live:
        held = holdings(await live.truth()).options
        closeout = _closeout(live, wall)
        works, opening = await closeout.working(held)
        if not held and not opening:
            console.out("no option is held: nothing to close")
            return 0
        first = [f"cancel {plural(len(works), 'order')} on what is held"] if works else []
        first += [f"cancel {plural(len(opening), 'order')} that would open more"] if opening else []
        last = [f"close {'; '.join(described(held))}, at limits that walk to the natural price"] if held else []
        question = ", and ".join([*first, *last])
        for n in (0, 1):
            if not agreed(question, n, yes, again=n > 0):
                console.note("nothing was done")
                return 2
        left = await closeout.run(held)
    if as_json:
        console.document({"left": [{"symbol": c.symbol, "quantity": n} for c, n in left.items()]})
    else:
        console.out("; ".join(f"{n:+d} {c.label} is left" for c, n in left.items()) or "everything is closed")
    return 1 if left else 0


def _closeout(live: Connected, wall: Callable[[], int]) -> Closeout:
    from live.closeout import Closeout

    folder, began = home() / "run", wall()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = folder / f"flatten-{began}.log"

    def keep(line: str) -> None:
        with log.open("a", encoding="utf-8") as out:
            out.write(f"{wall()} {line}\n")

    key = f"f{began // 1_000_000_000:x}"
    return Closeout(live, key, wall, asyncio.sleep, keep, say)
