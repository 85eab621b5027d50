"""``tomking data record``: quotes from DXLink into a market of the store, minute by minute, until it is stopped.

Ctrl-C ends it in order: whole minutes are kept, and the next recording goes on from there.
"""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from conf import console
from conf.compose import HERE, home
from conf.options import Options
from conf.reach import adapter_of, reach, say
from sim.model.errors import UsageError
from sim.model.given import COUNT, FROM_ONE, number, whole

if TYPE_CHECKING:
    from adapters.tastytrade.watch import Recorded, Terms

HELP: Final = """\
tomking data record: your own history, quote by quote, from TastyTrade's market data

usage: tomking data record UNDERLYING ... --to NAME adapter=emulator|sandbox|production [--for 2h]

It records until Ctrl-C, or for as long as --for says. One row a minute for each option that was quoted in it; minutes
of the underlying are filled back to the open, or to where the last recording ended. What was missed is noted as a gap.

  tomking data record SPY VIX --to mine adapter=production --for 6h30m
  tomking data record ES --to tried adapter=emulator adapter.speed=60 --for 30m
  --days 7       expirations of the next 7 days; 0: today's
  --near 5       strikes within 5 % of the price
  --back 0       minutes of the underlying from so many sessions before today's
  --most 4000    contracts at most
  --save 15m     what was recorded goes to the store this often, and at the end

The sandbox's quotes are 15 minutes late: instants are put back, and the market says DELAYED 15 MIN. A market takes
quotes of one kind only. Nothing is ordered. Then: tomking data check NAME, tomking backtest market=NAME"""

_LENGTH: Final = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
SECOND_NS: Final = 1_000_000_000


def command(args: Sequence[str]) -> int:
    """Records; 0 where it ended as it should."""
    values = ("to", "for", "days", "near", "back", "most", "save")
    options = Options.of(args, flags=("json", "help"), values=values)
    if options.flag("help"):
        console.out(HELP)
        return 0
    underlyings = [word for word in options.overrides if "=" not in word]
    adapter, words = adapter_of([word for word in options.overrides if "=" in word])
    name = options.value("to")
    if not underlyings or name is None:
        raise UsageError("write: tomking data record UNDERLYING ... --to NAME adapter=emulator|sandbox|production")
    if (HERE / "market" / f"{name}.yaml").is_file():
        raise UsageError(f"--to {name}: that is a built-in market; choose another name")
    terms = _terms(options, underlyings)
    done, notice = asyncio.run(_record(adapter, words, name, terms, quiet=options.flag("json")))
    _report(name, done, notice, as_json=options.flag("json"))
    return 0


def length(text: str, option: str) -> int:
    """``2h``, ``90m``, ``1h30m``, ``45s`` in nanoseconds; UsageError for anything else."""
    match = _LENGTH.fullmatch(text)
    hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    found = ((hours * 60 + minutes) * 60 + seconds) * SECOND_NS
    if not found:
        raise UsageError(f"--{option} {text}: wanted a time like 2h, 90m or 1h30m")
    return found


def _terms(options: Options, underlyings: Sequence[str]) -> Terms:
    from adapters.tastytrade.watch import Terms
    from adapters.tastytrade.window import MOST, Window

    def given(name: str, usual: str) -> str:
        return options.value(name) or usual

    window = Window(whole("--days", _read("days", given("days", "7")), COUNT),
                    number("--near", _read("near", given("near", "5")), COUNT) / 100.0)  # fmt: skip
    return Terms(
        tuple(dict.fromkeys(underlyings)),
        window,
        length(until, "for") if (until := options.value("for")) is not None else None,
        whole("--back", _read("back", given("back", "0")), COUNT),
        length(given("save", "15m"), "save"),
        whole("--most", _read("most", given("most", str(MOST))), FROM_ONE),
    )


def _read(name: str, text: str) -> int | float:
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        raise UsageError(f"--{name} {text}: wanted a number") from None


async def _record(adapter: str, words: Sequence[str], name: str, terms: Terms, *, quiet: bool) -> tuple[Recorded, str]:
    """What was recorded, and what must be said of its feed."""
    from adapters.tastytrade.backoff import Backoff
    from adapters.tastytrade.recording import Feed, Shelf
    from adapters.tastytrade.transport import dial
    from adapters.tastytrade.watch import Watch

    stop, notices = asyncio.Event(), list[str]()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, stop.set)
    async with reach(adapter, words) as broker:

        def shelf(delayed: bool) -> Shelf:
            feed = Feed(delayed, broker.emulated)
            notices.append(feed.notice)
            if not quiet:
                console.note(f"recording {', '.join(terms.underlyings)} into {name} from {feed.vendor}; Ctrl-C ends it")
            return Shelf(home(), name, feed)

        backoff = Backoff(first=1.0, largest=60.0)
        watch = Watch(
            broker.rest, broker.quote_token, dial, shelf, terms,
            delays=lambda: (backoff.delay(n) for n in range(1, 1_000_000)), wall=broker.wall,
            say=(lambda line: None) if quiet else say,
        )  # fmt: skip
        return await watch.run(stop), "".join(notices)


def _report(name: str, done: Recorded, notice: str, *, as_json: bool) -> None:
    if as_json:
        console.document(
            {
                "market": name, "notice": notice, "contracts": done.contracts, "rows": done.rows, "gaps": done.gaps,
                "left_out": done.left_out, "dropped": done.dropped, "unknown_roots": done.unknown,
            }
        )  # fmt: skip
        return
    late = f", {notice}" if notice else ""
    console.out(f"market {name}: {done.rows:,} rows of {done.contracts:,} contracts{late}")
    for reason, count in sorted(done.dropped.items()):
        console.out(f"  dropped {count:,}: {reason}")
    for root, count in sorted(done.unknown.items()):
        console.out(f"  left out {count:,} contracts of root {root}: its product is not known here")
    if done.gaps:
        console.out(f"  {done.gaps} times the connection was lost; the gaps are in the manifest")
    console.out(f"next: tomking data check {name}")
