"""Sessions that are killed: `tomking emulator` and `tomking paper` as processes of their own, SIGKILL at random
instants, `--resume`, and what the broker and the journal say of each other in the end.

    python -m tests.live.killed --kills 200 --seed 1

``Busy`` is the strategy: it sells a small put spread every minute and buys it back two minutes later, so that there is
hardly an instant at which nothing is on its way.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from datetime import time as clock
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import httpx

from adapters.tastytrade.rest.shapes import instant
from conf.living import living
from conf.paper import composed
from live.codec import Codec
from live.inputs import Told
from live.journal import Journal
from live.keep import Trail, lives, recover
from live.market import About
from live.money import flows_of
from sim.clock import stopwatch
from sim.model.event import OrderFilled
from sim.model.instrument import OptionContract, Right
from sim.model.order import Intent, OrderRequest, Pass, TimeInForce
from sim.strategies.exits import exits_of
from sim.strategies.pick import round_half_up, unlisted, vertical
from sim.view import View

ROOT: Final = Path(__file__).parents[2]
ACCOUNT: Final = "5WT00001"
CASH: Final = 100_000
SPEED: Final = 120
START: Final = "2024-07-19 09:50"
LONGER: Final = 5
"""Lives more at most, until something has traded and nothing is on its way."""
LATELY_NS: Final = 2_000_000_000
"""What fills so shortly before the end of a life it may not have heard of: it is a sixtieth of a real second."""
CENT: Final = Decimal("0.01")
OVER: Final = frozenset({"Filled", "Cancelled", "Expired", "Rejected"})
RUNS: Final = ", RUNNING"
PAST: Final = "in New York already; give a later time of day"
STRATEGY: Final = "_target_: tests.live.killed.Busy\nname: busy\nunderlying: ES\n"


class Busy:
    """See the module."""

    def __init__(self, name: str, underlying: str) -> None:
        self.name, self._underlying = name, underlying

    @property
    def underlyings(self) -> tuple[str, ...]:
        return (self._underlying,)

    def wakes(self, day: date) -> tuple[clock, ...]:
        return tuple(clock(hour, minute) for hour in range(9, 15) for minute in range(60) if (hour, minute) >= (9, 35))

    def describe(self) -> str:
        return "a put spread every minute"

    def decide(self, view: View) -> Sequence[OrderRequest | Pass]:
        under = view.of(self._underlying)
        series = under.expiring(view.session)
        if series is None or len(view.trades) >= 4:
            return ()
        short = round_half_up(under.spot, 5.0) - 20.0
        legs = vertical(series, short, short - 10.0, Right.PUT)
        if unlisted(legs, under):
            return ()
        at = view.now.hour * 60 + view.now.minute
        out, last = (f"{(at + n) // 60:02d}:{(at + n) % 60:02d}" for n in (2, 4))
        exits = exits_of({"at": out, "final": last, "walk": 1})
        return (
            OrderRequest(
                self.name, legs, 1 + at % 2, 1, Intent.OPEN, "busy", TimeInForce.DAY, exits, structure="PUT_SPREAD",
                patience=1,
            ),
        )  # fmt: skip


@dataclass
class Arena:
    """An emulator in a process, and the lives of one session against it, in ``folder``."""

    folder: Path
    draw: random.Random
    lives: int = 0
    _emulator: subprocess.Popen[str] | None = None
    _address: dict[str, Any] = field(default_factory=dict)

    def __enter__(self) -> Arena:
        conf = self.folder / "conf" / "strategy"
        conf.mkdir(parents=True)
        (conf / "busy.yaml").write_text(STRATEGY)
        words = [
            "emulator", "market=es_sample", "adapter.port=0", f"adapter.speed={SPEED}", f"adapter.start='{START}'",
            "adapter.underlyings=[ES,VIX]", f"adapter.accounts=[{ACCOUNT}]", f"adapter.cash={CASH}",
        ]  # fmt: skip
        self._emulator = self._run(words, stdout=subprocess.PIPE)
        assert self._emulator.stdout is not None
        self._address = json.loads(self._emulator.stdout.readline())
        return self

    def __exit__(self, *_: object) -> None:
        assert self._emulator is not None
        assert self._emulator.stdout is not None
        self._emulator.kill()
        self._emulator.wait()
        self._emulator.stdout.close()

    @property
    def words(self) -> list[str]:
        return [
            "strategy=busy", "rules=none", "market=es_sample", "adapter=sandbox", f"adapter.account={ACCOUNT}",
            f"adapter.rest={self._address['rest']}", f"adapter.account_streamer={self._address['account_streamer']}",
            "account.currency=USD", f"account.nlv={CASH}", "live.page.port=null", "report=none",
            "live.ceilings.orders_a_day=10000",
        ]  # fmt: skip

    @property
    def run(self) -> Path | None:
        """The folder of the session, once there is a journal in it."""
        found = sorted(self.folder.glob("runs/*/*/journal.sqlite"))
        assert len(found) <= 1, f"{len(found)} sessions, wanted one that goes on"
        return found[0].parent if found else None

    def live(self, *more: str) -> subprocess.Popen[str]:
        """A life of the session: the first, or one that goes on."""
        self.lives += 1
        resume = [] if self.run is None else ["--resume", str(self.run)]
        return self._run(["paper", "--json", "--config-dir", str(self.folder / "conf"), *self.words, *resume, *more])

    def _run(self, words: Sequence[str], stdout: int | None = None) -> subprocess.Popen[str]:
        said = (self.folder / "said.txt").open("a")
        with said:
            return subprocess.Popen(
                [sys.executable, "-m", "conf.main", *words], cwd=self.folder, text=True,
                stdout=said if stdout is None else stdout, stderr=said,
                env={
                    **os.environ, "PYTHONPATH": str(ROOT),
                    "TASTYTRADE_CLIENT_SECRET_SANDBOX": self._address.get("client_secret", ""),
                    "TASTYTRADE_REFRESH_TOKEN_SANDBOX": self._address.get("refresh_token", ""),
                },
            )  # fmt: skip

    def kill(self, most: float) -> None:
        """One life, and its end: so many seconds at most after it runs, drawn; now and then while it still starts."""
        life, began = self.live(), stopwatch()
        heard = self._log()
        at = self.draw.uniform(0.2, 2.0) if self.draw.random() < 0.2 else None
        while life.poll() is None and stopwatch() - began < (10.0 if at is None else at):
            if at is None and RUNS in self._log()[len(heard) :]:
                at = stopwatch() - began + self.draw.uniform(0.0, most)
            time.sleep(0.01)
        assert life.poll() is None, f"the session ended by itself with {life.returncode}: {self.said()}"
        life.send_signal(signal.SIGKILL)
        life.wait()

    def _log(self) -> str:
        log = None if self.run is None else self.run / "log.jsonl"
        return log.read_text() if log is not None and log.exists() else ""

    def end(self, minutes: int = 9) -> None:
        """A last life, which ends in order when nothing is held any more. On a busy machine the market may be past its
        end before it has begun."""
        for most in (minutes, minutes + 15, minutes + 40):
            now, before = self._asked("/emulator")["clock"]["now"], len(self._said())
            life = self.live("--until", _later(now, most))
            try:
                code = life.wait(120)
            finally:
                life.kill()
                life.wait()
            if code == 0:
                return
            assert PAST in self._said()[before:], self.said()
            self.lives -= 1  # it was none
        raise AssertionError(self.said())

    def said(self) -> str:
        return self._said()[-2_000:]

    def _said(self) -> str:
        return (self.folder / "said.txt").read_text()

    # -- what the broker says -----------------------------------------------------------------------------------------

    def _asked(self, path: str) -> Any:
        rest = self._address["rest"]
        grant = {key: self._address[key] for key in ("client_secret", "refresh_token")}
        with httpx.Client(base_url=rest, headers={"User-Agent": "killed/1.0"}, timeout=30.0) as client:
            token = client.post("/oauth/token", json={"grant_type": "refresh_token", **grant}).json()["access_token"]
            answer = client.get(path, headers={"Authorization": f"Bearer {token}"})
        answer.raise_for_status()
        return answer.json()["data"]

    def orders(self) -> list[dict[str, Any]]:
        out: list[dict[str, Any]] = []
        while True:
            page = self._asked(f"/accounts/{ACCOUNT}/orders?per-page=200&page-offset={len(out) // 200}")["items"]
            out += page
            if len(page) < 200:
                return out

    def on_its_way(self) -> bool:
        """Whether something works at the broker, or has filled there as the last life ended, which had not heard of it:
        it could not know. What filled before that it must know, and is not waited for."""
        assert self.run is not None
        heard, told, lately = Counter[str](), Counter[str](), set[str]()
        with Journal.read_only(self.run / "journal.sqlite") as journal:
            ended = max((row.ts for _, row in journal.rows()), default=0)
            for what, _ in lives(journal, Codec()):
                if isinstance(what, Told) and isinstance(what.event, OrderFilled):
                    fill = what.event.fill
                    heard[fill.order_id] += sum(abs(leg.quantity) for leg in fill.legs)
        orders = self.orders()
        for order in orders:
            name = order.get("external-identifier", "")
            for each in (each for leg in order["legs"] for each in leg["fills"]):
                told[name] += int(Decimal(str(each["quantity"])))
                if (instant(each["filled-at"]) or 0) > ended - LATELY_NS:
                    lately.add(name)
        unheard = any(told[name] > heard[name] for name in lately)
        return unheard or any(order["status"] not in OVER for order in orders)

    def positions(self) -> dict[str, int]:
        held = self._asked(f"/accounts/{ACCOUNT}/positions")["items"]
        sign = {"Long": 1, "Short": -1, "Zero": 0}
        return {p["symbol"]: sign[p["quantity-direction"]] * int(Decimal(str(p["quantity"]))) for p in held}

    def cash(self) -> Decimal:
        return Decimal(str(self._asked(f"/accounts/{ACCOUNT}/balances")["cash-balance"]))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of it, for the log. ``more``: lives that ended in order before anything had traded, or while something
    was on its way."""

    lives: int
    more: int
    orders: int
    fills: int


def judged(arena: Arena, more: int) -> Verdict:
    """The broker's word against the journal's; AssertionError where anything was lost or doubled."""
    run = arena.run
    assert run is not None, f"no journal was ever begun: {arena.said()}"
    with closing(sqlite3.connect(f"file:{run / 'journal.sqlite'}?mode=ro", uri=True)) as db:
        intents = {name for (name,) in db.execute("SELECT id FROM orders")}
    theirs = arena.orders()
    # The successor of an order whose price was changed goes by its name: it takes its place, and the broker says so.
    names = Counter(o.get("external-identifier", "") for o in theirs if not o.get("replaces-order-id"))
    names.update({o.get("external-identifier", ""): 0 for o in theirs})
    unknown = [name for name in names if name not in intents]
    assert not unknown, f"orders without an intent: {unknown}"
    doubled = [name for name, count in names.items() if count > 1]
    assert not doubled, [o for o in theirs if o.get("external-identifier") in doubled]
    core = living(
        composed(arena.words, str(arena.folder / "conf")), "killed", About("killed", "an emulator", synthetic=True)
    ).core
    with Journal.read_only(run / "journal.sqlite") as journal:
        recover(core, journal, Codec(), Trail())
    desk = core.session.engine.desk
    ours = {_symbol(contract): n for contract, n in desk.held().items() if n}
    assert ours == arena.positions(), f"ours {ours}, theirs {arena.positions()}"
    filled = {o["external-identifier"] for o in theirs if o["status"] == "Filled" and not o.get("replaces-order-id")}
    booked = {fill.order_id for fill in core.session.fills}
    assert filled <= booked, f"fills that were lost: {filled - booked}"
    flows, cash = flows_of(core), arena.cash()
    assert abs(CASH + flows - cash) < CENT, f"cash: ours {CASH + flows}, theirs {cash}"
    desk.ledger.check()
    return Verdict(arena.lives, more, len(theirs), len(core.session.fills))


def killed(kills: int, seed: int, folder: Path, most: float = 3.0) -> Verdict:
    """A session that is killed so many times, and what came of it."""
    with Arena(folder, random.Random(seed)) as arena:
        for _ in range(kills):
            arena.kill(most)
        arena.end()
        more = 0
        # Where the machine is busy every life may have ended before its first minute turned, and the last one while its
        # orders were on their way: what becomes of them the next one reads.
        while more < LONGER and (arena.on_its_way() or not any(o["status"] == "Filled" for o in arena.orders())):
            more += 1
            arena.end(9 + 10 * more)
        return judged(arena, more)


def _symbol(contract: OptionContract) -> str:
    from adapters.tastytrade.symbols import wire_symbol

    return wire_symbol(contract)


def _later(now: str, minutes: int) -> str:
    """A New York time some minutes after an instant of ISO 8601."""
    from datetime import datetime, timedelta

    from sim.calendar import NEW_YORK

    at = datetime.fromisoformat(now.replace("Z", "+00:00")).astimezone(NEW_YORK) + timedelta(minutes=minutes)
    return f"{at:%H:%M}"


def main(argv: Sequence[str] | None = None) -> int:
    """Rounds of twenty kills each."""
    parser = argparse.ArgumentParser(description="Kill sessions at random instants.")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(argv)
    for n in range(0, given.kills, 20):
        began = stopwatch()
        with tempfile.TemporaryDirectory() as folder:
            verdict = killed(min(20, given.kills - n), given.seed + n, Path(folder))
        sys.stdout.write(f"seed {given.seed + n}: {verdict}, {stopwatch() - began:.0f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
