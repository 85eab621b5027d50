"""The programs that use other people's clients, run; and the market that they must have seen, read without any wire.

The emulator's clock stands at 10:00 of the market's first Friday but for what the programs step: seconds, and at its
end the Python one a minute. So every quote is one of a minute of the market that is known.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from adapters.emulator.clock import VirtualClock
from adapters.emulator.listing import Listing
from adapters.emulator.prices import Prices
from adapters.emulator.world import World
from tests.wire.emulated import sample

ROOT: Final = Path(__file__).parents[2]
WORDS: Final = (
    "market=es_sample", "adapter.port=0", "adapter.paused=true", "adapter.listing.days=21", "adapter.listing.below=0.1",
    "adapter.listing.above=0.1",
)  # fmt: skip
TEN: Final = 1_721_397_600_000
"""10:00 New York of 2024-07-19, epoch milliseconds."""
MINUTE: Final = 60_000
Doc = dict[str, Any]


def run(line: str, *words: object, folder: Path = ROOT) -> str:
    """What a program writes that gets the emulator's line; it must end well. Nothing of our own settings reaches it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "NODE_", "TOMKING_"))}
    done = subprocess.run(
        [str(word) for word in words], input=line, cwd=folder, env=kept, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def document(text: str) -> Doc:
    """The one JSON document that a program writes."""
    found: Doc = json.loads(text)
    return found


def listing(at: int = TEN) -> Listing:
    """What the market lists and quotes at an instant, epoch milliseconds."""
    return Listing(World(sample(), VirtualClock(at * 1_000_000, lambda: 0.0), ("ES", "SPX", "SPY", "VIX")))


def sides(listed: Listing, symbol: str) -> tuple[Decimal, Decimal]:
    """Bid and ask of the market, by trade or streamer symbol."""
    item = listed.find(symbol) or listed.streamed(symbol)
    assert item is not None
    bid, ask, _ = Prices(listed).quote(item.symbol)
    assert bid is not None
    assert ask is not None
    return bid, ask


def statuses(orders: Iterable[Mapping[str, Any]]) -> list[str]:
    return [order["status"] for order in orders]
