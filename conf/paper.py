"""``tomking paper``: the strategy of a backtest on the wall clock, on paper.

``adapter=emulator`` (the default) needs nothing: it serves a day of the market on this machine, sixty times as fast as
the clock, and ends with it. ``adapter=sandbox`` trades TastyTrade's. Ctrl-C, SIGTERM or a hang-up ends it in order:
exits that rest at the broker work on, and it says so; the next start goes on from the journal (``--resume RUN``).
``tomking live`` runs through here as well, and brings its keys.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from conf import console
from conf.compose import compose, home
from conf.options import Options
from sim.clock import stopwatch
from sim.model.errors import UsageError

if TYPE_CHECKING:
    from conf.leaving import Sat
    from conf.stage import Authority

USUAL: Final = ("adapter=emulator", "market=es_2024")
QUICK: Final = ("adapter.speed=60", "adapter.port=0")
TWICE_S: Final = 0.5
FLAGS: Final = ("json", "cfg", "screen", "fresh")
VALUES: Final = ("config-dir", "resume", "until")


def command(args: Sequence[str]) -> int:
    """0 where it ended as it should; 3 where the guard had halted it."""
    options = Options.of(args, flags=FLAGS, values=VALUES)
    config = composed(options.overrides, options.value("config-dir"))
    name = config["adapter"].get("name")
    if name not in ("emulator", "sandbox"):
        raise UsageError(f"tomking paper adapter={name}: paper is adapter=emulator or adapter=sandbox; real money is"
                         " `tomking live`")  # fmt: skip
    if options.flag("cfg"):
        console.configuration(config, as_json=options.flag("json"))
        return 0
    return sit(config, options, "paper")


def composed(words: Sequence[str], config_dir: str | None) -> dict[str, Any]:
    """The configuration of a live session: a backtest's, with ``live`` beside it."""
    chosen = list(words)
    adapters = [w for w in chosen if w.startswith("adapter=")]
    first = ["+live=default"]
    if not adapters:
        first.append(USUAL[0])
    if not adapters or adapters[-1] == "adapter=emulator":
        first += [w for w in (USUAL[1],) if not any(c.startswith("market=") for c in chosen)]
        first += [w for w in QUICK if not any(c.startswith(f"{w.partition('=')[0]}=") for c in chosen)]
    groups = [w for w in first if "." not in w.partition("=")[0]]
    values = [w for w in first if w not in groups]
    config = compose([*groups, *chosen, *values], config_dir)
    return _opening(config, chosen)


def _opening(config: dict[str, Any], words: Sequence[str]) -> dict[str, Any]:
    """An emulator opens where the strategy's first wake can be lived through, with the account's own money."""
    from datetime import timedelta

    from conf import build
    from conf.run import account_nlv
    from conf.stage import dollars
    from sim.calendar import load_calendar

    node = config["adapter"]
    if node.get("name") != "emulator":
        return config
    strategies = build.strategies(config)
    market = build.market(config, home())
    if node["underlyings"] is None:
        wanted = {u for s in strategies for u in s.underlyings} | {"VIX"}
        node["underlyings"] = sorted(wanted & set(market.underlyings()))
    days = market.sessions(strategies[0].underlyings[0])
    if node["start"] is None and days:
        day = next((d for d in days[5:] if any(s.wakes(d) for s in strategies)), days[0])
        node["start"] = f"{day} 09:20"
        assert load_calendar().is_session(day), "a market has sessions of the exchange"
    if not any(w.startswith("adapter.cash=") for w in words):
        on = build.day("adapter.start", str(node["start"]).partition(" ")[0])
        node["cash"] = int(dollars(config, account_nlv(config), on - timedelta(days=1)))
    return config


def sit(config: Mapping[str, Any], options: Options, kind: str, authority: Authority | None = None) -> int:
    """Runs a session to its end, with page, screen and folder."""
    done = asyncio.run(_sit(config, options, kind, authority))
    if options.flag("json"):
        left = list(done.left)
        console.document({"run_dir": str(done.folder), "notice": done.notice, "left": left, "metrics": done.numbers})
    else:
        console.out(done.said)
    if done.code:
        console.fail(" ".join(done.why.split()))
    return done.code


async def _sit(config: Mapping[str, Any], options: Options, kind: str, authority: Authority | None) -> Sat:
    from conf.sitting import Asked, sitting
    from conf.stage import PAPER

    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    signs: list[str] = []

    first = 0.0

    def leave(sign: signal.Signals) -> None:
        nonlocal first
        if signs and stopwatch() - first < TWICE_S:
            # One sign, told twice: to the process and to its group.
            return
        if signs:
            console.fail(f"{sign.name} again: ended at once; the journal has everything, go on with --resume")
            console.flush()
            os._exit(130)
        signs.append(sign.name)
        first = stopwatch()
        stop.set()
        # A hang-up is the terminal's: nobody may read this.
        with suppress(OSError):
            console.note(f"{sign.name}: ending in order; once more ends at once")

    # Under nohup a hang-up is to be lived through.
    hangs = [signal.SIGHUP] if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN else []
    for sign in (signal.SIGINT, signal.SIGTERM, *hangs):
        loop.add_signal_handler(sign, leave, sign)
    resume, quiet = options.value("resume"), options.flag("json")
    asked = Asked(
        kind, Path.cwd() / "runs", stop, signs, quiet, options.flag("screen") and not quiet,
        Path(resume).expanduser() if resume else None, options.value("until"), fresh=options.flag("fresh"),
    )  # fmt: skip
    return await sitting(config, asked, authority or PAPER)
