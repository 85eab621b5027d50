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
from conf.reach import Emulated, adapter_of, reach, say
from conf.words import similar
from sim.model.errors import UsageError
from sim.model.given import COUNT, FROM_ONE, number, whole

if TYPE_CHECKING:
    from adapters.tastytrade.recording import Feed
    from adapters.tastytrade.watch import Recorded, Terms

_LENGTH: Final = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
SECOND_NS: Final = 1_000_000_000


def command(args: Sequence[str]) -> int:
    """Records; 0 where it ended as it should."""
    values = ("to", "for", "days", "near", "back", "most", "save")
    options = Options.of(args, flags=("json",), values=values)
    underlyings = [word for word in options.overrides if "=" not in word]
    adapter, words = adapter_of([word for word in options.overrides if "=" in word])
    name = options.value("to")
    if not underlyings or name is None:
        raise UsageError("write: tomking data record UNDERLYING ... --to NAME adapter=emulator|sandbox|production")
    free(name)
    for symbol in underlyings:
        _checked(symbol)
    terms = _terms(options, underlyings)
    there = (home() / "store" / name).exists()
    done, feed = asyncio.run(_record(adapter, words, name, terms, quiet=options.flag("json")))
    _report(name, done, feed, there=there, as_json=options.flag("json"))
    return 0


def free(name: str) -> None:
    """DataError for what can name no market of the store, UsageError for a built-in one."""
    from sim.market.manifest import check_name

    if (HERE / "market" / f"{check_name(name)}.yaml").is_file():
        raise UsageError(f"--to {name}: that is a built-in market; choose another name")


def _checked(symbol: str) -> None:
    """UsageError for what is no underlying's symbol, DataError for one whose hours are not known here."""
    from sim.market.products import future_month, is_future_root, venue_of, what_is
    from sim.model.errors import DataError

    try:
        what_is(symbol)
    except DataError as error:
        plain = symbol.lstrip("/.$").upper()
        guess = month.root if (month := future_month(plain)) is not None else plain
        try:
            what_is(guess)
        except DataError:
            raise error from None
        wanted = f"{symbol} is no underlying (did you mean {guess!r}?): wanted a symbol like ES, SPX or SPY"
        raise UsageError(wanted) from None
    if not is_future_root(symbol):
        venue_of(symbol)


def _served(emulated: Emulated, underlyings: Sequence[str]) -> None:
    """UsageError for one that the emulator does not have."""
    have = emulated.underlyings
    for symbol in underlyings:
        if have and symbol not in have:
            raise UsageError(f"{symbol} is not served here{similar(symbol, have)}: this emulator has {', '.join(have)}")


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


async def _record(adapter: str, words: Sequence[str], name: str, terms: Terms, *, quiet: bool) -> tuple[Recorded, Feed]:
    """What was recorded, and from what."""
    from adapters.tastytrade.backoff import Backoff
    from adapters.tastytrade.recording import Feed, Shelf
    from adapters.tastytrade.transport import dial
    from adapters.tastytrade.watch import Watch

    stop, feeds = asyncio.Event(), list[Feed]()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, stop.set)
    async with reach(adapter, words) as broker:
        if (emulated := await broker.emulated()) is not None:
            _served(emulated, terms.underlyings)

        def shelf(delayed: bool) -> Shelf:
            feed = Feed(delayed, emulated.market, emulated.synthetic) if emulated is not None else Feed(delayed)
            feeds.append(feed)
            if not quiet:
                what = "SYNTHETIC quotes, " if feed.synthetic else ""
                said = f"recording {', '.join(terms.underlyings)} into {name} from {what}{feed.vendor}; Ctrl-C ends it"
                console.note(said)
            return Shelf(home(), name, feed)

        backoff = Backoff(first=1.0, largest=60.0)
        watch = Watch(
            broker.rest, broker.quote_token, dial, shelf, terms,
            delays=lambda: (backoff.delay(n) for n in range(1, 1_000_000)), wall=broker.wall,
            say=(lambda line: None) if quiet else say,
        )  # fmt: skip
        return await watch.run(stop), feeds[-1]


def _report(name: str, done: Recorded, feed: Feed, *, there: bool, as_json: bool) -> None:
    """``there``: whether the market was before."""
    if as_json:
        left = {
            each.underlying: {
                "contracts": each.contracts,
                "wholly": each.wholly,
                "expirations": [str(day) for day in each.expirations],
            }
            for each in done.left
        }
        console.document(
            {
                "market": name, "saved": done.saved, "synthetic": feed.synthetic, "notice": feed.notice,
                "contracts": done.contracts, "rows": done.rows, "gaps": done.gaps, "left_out": done.left_out,
                "left_out_of": left, "dropped": done.dropped, "unknown_roots": done.unknown,
            }
        )  # fmt: skip
        return
    said = [word for word in ("SYNTHETIC, not real quotes" if feed.synthetic else "", feed.notice) if word]
    if done.saved:
        console.out(f"market {name}: " + ", ".join([f"{done.rows:,} rows of {done.contracts:,} contracts", *said]))
    else:
        console.out(f"nothing was recorded: {f'market {name} is as it was' if there else f'no market {name} was made'}")
    for each in done.left:
        console.out(f"  {each}: the window is too large for --most")
    for reason, count in sorted(done.dropped.items()):
        console.out(f"  dropped {count:,}: {reason}")
    for root, count in sorted(done.unknown.items()):
        console.out(f"  left out {count:,} contracts of root {root}: its product is not known here")
    if done.gaps:
        console.out(f"  {done.gaps} times the connection was lost; the gaps are in the manifest")
    if done.saved:
        console.out(f"next: tomking data check {name}")
