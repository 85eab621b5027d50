"""``tomking doctor``: what this machine has, as far as a run depends on it.

Credentials are said to be present or not; they are never shown.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from conf import console
from conf.compose import home
from conf.options import Options
from sim.calendar import FIRST_YEAR, LAST_YEAR, Venue, load_calendar, ny
from sim.clock import WallClock
from sim.market.store import list_markets

PACKAGES = ("tomking", "numpy", "polars", "duckdb", "hydra-core", "omegaconf", "rich", "tzdata")
CREDENTIALS = ("TASTYTRADE_CLIENT_SECRET", "TASTYTRADE_REFRESH_TOKEN")


def command(args: Sequence[str]) -> int:
    """Prints one line a thing; 0 always but for a broken installation."""
    options = Options.of(args, flags=("json",))
    now = WallClock().now()
    today = ny(now).date()
    calendar = load_calendar()
    root = home()
    markets = list_markets(root)
    facts: dict[str, object] = {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "clock_utc": datetime.fromtimestamp(now / 1e9, UTC).isoformat(timespec="seconds"),
        "clock_new_york": ny(now).isoformat(timespec="seconds"),
        "calendar": f"{FIRST_YEAR} to {LAST_YEAR}",
        "session_today": calendar.is_session(today),
        "stock_exchange_open": calendar.is_open(Venue.US_EQUITY, now),
        "globex_open": calendar.is_open(Venue.GLOBEX_EQUITY, now),
        "home": str(root),
        "home_writable": os.access(root if root.exists() else root.parent, os.W_OK),
        "markets": [m.name for m in markets],
        "credentials": {name: "present" if os.environ.get(name) else "absent" for name in CREDENTIALS},
    }
    if options.flag("json"):
        console.document(facts)
        return 0
    for key, value in facts.items():
        if isinstance(value, dict):
            text = ", ".join(f"{k} {v}" for k, v in value.items())
        else:
            text = ", ".join(value) or "none" if isinstance(value, list) else str(value)
        console.out(f"{key.replace('_', ' '):<20} {text}")
    return 0


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"
