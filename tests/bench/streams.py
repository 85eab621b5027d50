"""Frames of quotes from text to book: ours against the ``tastytrade`` SDK's own streamer, and memory over an hour.

    python tests/bench/streams.py [--rounds 7] [--seconds 3600]

Both sides get the same frames: COMPACT quotes of 50 symbols, the fields in the order each side asks for them. The SDK's
side is its real path: ``json.loads`` of the frame, as its websocket does, ``DXLinkStreamer._map_message``, its models,
and its queue, read after every frame. It runs in its own Python: the one of ``make clients``, or TOMKING_PEER_PYTHON;
without either its row is left out. The two run in turns within one run, and medians of the ratios are taken.

Memory: ``--seconds`` seconds of 50 symbols with 4 updates each, one frame for each of the 4, through the machine, the
book and a box that nobody reads; peak resident memory beyond what the same process had after the first 60 seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.bars import Bar, median, spread, table
from tests.bench.processes import ROOT, BenchError, Command, once

if TYPE_CHECKING:
    from adapters.tastytrade.streams.dxlink import DxLink

PEER: Final = "TOMKING_PEER_PYTHON"
INSTALLED: Final = ROOT / ".clients" / "python" / "bin" / "python"
SYMBOLS: Final = tuple(f".SPXW261218P{5000 + 5 * i}" for i in range(50))
FRAMES: Final = 1_000
UPDATES: Final = 4
PEER_FIELDS: Final = (
    "eventSymbol", "eventTime", "sequence", "timeNanoPart", "bidTime", "bidExchangeCode", "askTime", "askExchangeCode",
    "bidPrice", "askPrice", "bidSize", "askSize",
)  # fmt: skip
"""The order of its model's fields, which is what it asks for."""
PLAYER: Final = """
import json, sys, time
from types import SimpleNamespace
from tastytrade import version_str
from tastytrade.dxfeed import Quote
from tastytrade.streamer import DXLinkStreamer
frames = [json.dumps(f) for f in json.load(open(sys.argv[1]))]
streamer = DXLinkStreamer(SimpleNamespace())
number = streamer._channels["Quote"]
took = []
for _ in range(int(sys.argv[2]) + 1):
    read, began = 0, time.perf_counter()
    for frame in frames:
        message = json.loads(frame)
        if message["type"] == "FEED_DATA":
            streamer._map_message(message["data"], number)
        while streamer.get_event_nowait(Quote) is not None:
            read += 1
    took.append(read / (time.perf_counter() - began))
print(json.dumps({"version": version_str, "read": read, "rates": took[1:]}))
"""


def frame(k: int, fields: Sequence[str]) -> dict[str, object]:
    """The ``k``-th frame: one quote of every symbol."""
    values: list[object] = []
    for i, symbol in enumerate(SYMBOLS):
        bid = round(5 + 0.05 * ((k * 7 + i * 3) % 200), 2)
        told = {
            "eventSymbol": symbol, "eventTime": 0, "sequence": k, "timeNanoPart": 0,
            "bidTime": 1_767_625_200_000 + k, "bidExchangeCode": "C", "bidPrice": bid, "bidSize": float(1 + k % 90),
            "askTime": 1_767_625_200_000 + k, "askExchangeCode": "C", "askPrice": round(bid + 0.1, 2),
            "askSize": float(1 + i),
        }  # fmt: skip
        values += [told[name] for name in fields]
    return {"type": "FEED_DATA", "channel": 1, "data": ["Quote", values]}


def ours(frames: Sequence[str], rounds: int) -> list[float]:
    """Events a second, from text to the book."""
    from adapters.tastytrade.streams.book import QuoteBook
    from adapters.tastytrade.streams.dxlink_events import Rows

    rates = []
    for _ in range(rounds + 1):
        link, book = _standing(), QuoteBook()
        began = time.perf_counter()
        for text in frames:
            for one in link.received(text):
                if isinstance(one, Rows):
                    book.apply(one, 1)
        rates.append(book.applied / (time.perf_counter() - began))
        if book.applied != len(frames) * len(SYMBOLS) or len(book) != len(SYMBOLS):
            raise BenchError(f"the book took {book.applied} quotes of {len(book)} symbols, wanted all")
    return rates[1:]


def theirs(python: str, rounds: int, folder: Path) -> tuple[str, list[float]]:
    """The SDK's version and its events a second, in its own Python."""
    path = folder / "peer_frames.json"
    path.write_text(json.dumps([frame(k, PEER_FIELDS) for k in range(FRAMES)]), encoding="utf-8")
    spent = once(Command("the SDK's streamer", (python, "-c", PLAYER, str(path), str(rounds)), folder))
    found = json.loads(spent.out.splitlines()[-1])
    if found["read"] != FRAMES * len(SYMBOLS):
        raise BenchError(f"the SDK gave {found['read']} events, wanted {FRAMES * len(SYMBOLS)}")
    return str(found["version"]), list(found["rates"])


def hour(seconds: int) -> tuple[float, float, int]:
    """Peak memory in MiB after the first minute and at the end, and events taken in; nobody reads."""
    from adapters.tastytrade.streams.book import QuoteBook
    from adapters.tastytrade.streams.dxlink_events import FIELDS, Rows
    from adapters.tastytrade.streams.mailbox import Latest

    link, book, box = _standing(), QuoteBook(), Latest()
    early = 0.0
    for k in range(seconds * UPDATES):
        for one in link.received(json.dumps(frame(k, FIELDS["Quote"]))):
            if isinstance(one, Rows):
                book.apply(one, k)
                box.put(one)
        if k == min(60, seconds) * UPDATES - 1:
            early = _peak()
    if book.applied - box.conflated != len(SYMBOLS):
        raise BenchError(f"{book.applied} quotes, {box.conflated} conflated: wanted one of each symbol to wait")
    return early, _peak(), book.applied


def _standing() -> DxLink:
    from adapters.tastytrade.streams.dxlink import DxLink, Subscription

    link = DxLink("token", now=time.perf_counter)
    link.subscribe([Subscription("Quote", symbol) for symbol in SYMBOLS])
    link.opened()
    for told in (
        {"type": "AUTH_STATE", "channel": 0, "state": "AUTHORIZED"},
        {"type": "CHANNEL_OPENED", "channel": 1, "service": "FEED"},
    ):
        link.received(json.dumps(told))
    return link


def _peak() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def bars(rounds: int, seconds: int, folder: Path) -> Iterator[Bar]:
    """The rows. The SDK's is missing where no Python has it."""
    from adapters.tastytrade.streams.dxlink_events import FIELDS

    folder.mkdir(parents=True, exist_ok=True)
    spent = once(Command("memory", (sys.executable, __file__, "--memory", str(seconds)), ROOT))
    early, peak, events = json.loads(spent.out.splitlines()[-1])
    yield Bar(
        "stream_memory", f"quotes over {seconds:,} s, peak memory: to that after a minute", peak / early, 1.1,
        f"{peak:,.1f} MB", f"{early:,.1f} MB; {events:,} events of {len(SYMBOLS)} symbols, none read", samples={
            "rss_mb": [peak], "early_mb": [early]},
    )  # fmt: skip
    frames = [json.dumps(frame(k, FIELDS["Quote"])) for k in range(FRAMES)]
    python = os.environ.get(PEER) or (str(INSTALLED) if INSTALLED.is_file() else "")
    if not python:
        rates = ours(frames, rounds)
        yield Bar(
            "stream_rate", "quotes from text to book", median(rates) / 1e6, None, f"{spread(rates, '/s', 0)}",
            "the SDK is not here (`make clients`): its row is left out", samples={"per_s": rates},
        )  # fmt: skip
        return
    mine, peer, version = [], list[float](), ""
    for i in range(rounds):
        if i % 2:
            mine += ours(frames, 1)
        version, rate = theirs(python, 1, folder)
        peer += rate
        if not i % 2:
            mine += ours(frames, 1)
    ratios = [a / b for a, b in zip(mine, peer, strict=True)]
    yield Bar(
        "stream_rate", "quotes from text to book: to the SDK's streamer", median(ratios), 5.0, spread(mine, "/s", 0),
        f"{version} {spread(peer, '/s', 0)}; {rounds} pairs", at_least=True,
        samples={"ratio": ratios, "per_s": mine, "against_per_s": peer},
    )  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Quotes from text to book, and memory over an hour of them.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=3_600)
    parser.add_argument("--memory", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args(argv)
    if asked.memory is not None:
        print(json.dumps(hour(asked.memory)))
        return 0
    try:
        found = list(bars(asked.rounds, asked.seconds, ROOT / ".bench"))
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    print(table(found))
    return 0 if all(bar.met for bar in found) else 1


if __name__ == "__main__":
    sys.exit(main())
