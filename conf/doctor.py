"""``tomking doctor``: what this machine has, as far as a run depends on it; and with an adapter, the way to its broker.

Without an adapter nothing leaves the machine. With one it walks: network and clock, credentials, account, quotes, one
order placed and cancelled, and asks before each step that sends something. Credentials are said to be present or not;
they are never shown.
"""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from conf import console
from conf.compose import home
from conf.options import Options
from conf.reach import adapter_of, reach
from sim.calendar import FIRST_YEAR, LAST_YEAR, Venue, load_calendar, ny
from sim.clock import WallClock
from sim.market.store import list_markets
from sim.model.errors import UsageError

if TYPE_CHECKING:
    from conf.walk import Outcome

PACKAGES = ("tomking", "numpy", "polars", "duckdb", "hydra-core", "omegaconf", "rich", "tzdata", "httpx", "msgspec",
            "websockets", "starlette", "uvicorn", "keyring")  # fmt: skip

UNASKED = "doctor asks before it sends anything, and nobody is here to ask; add --yes to go on unasked"


def command(args: Sequence[str]) -> int:
    """Prints one line a thing. Without an adapter 0 always but for a broken installation; with one, what the first step
    that failed returns."""
    options = Options.of(args, flags=("json", "yes"))
    if options.overrides:
        adapter, words = adapter_of(options.overrides)
        return _walked(adapter, words, yes=options.flag("yes"), as_json=options.flag("json"))
    facts = _facts()
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


def _facts() -> dict[str, object]:
    now = WallClock().now()
    calendar = load_calendar()
    today = ny(now).date()
    root = home()
    return {
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
        "markets": [m.name for m in list_markets(root)],
        **_credentials(),
    }


def _credentials() -> dict[str, object]:
    """What is present, by name; whether the keyring can be asked; what is missing to reach the sandbox."""
    from adapters.tastytrade.credentials import CLIENT_SECRET, REFRESH_TOKEN, ask_keyring, missing, service, variable
    from adapters.tastytrade.errors import CredentialError
    from adapters.tastytrade.sites import Environment

    found: dict[str, str] = {}
    keyring = "can be asked"
    for environment in Environment:
        for what in (CLIENT_SECRET, REFRESH_TOKEN):
            name = variable(environment, what)
            found[name] = "present" if os.environ.get(name, "").strip() else "absent"
            if found[name] == "absent" and keyring == "can be asked":
                try:
                    if ask_keyring(service(environment), what):
                        found[name] = "in the keyring"
                except CredentialError as error:
                    keyring = str(error)
    absent = missing(Environment.SANDBOX)
    sandbox = (
        f"missing {' and '.join(absent)}: make a grant at developer.tastytrade.com (Sandbox), then export them or keep "
        f"them in the keyring under {service(Environment.SANDBOX)}"
        if absent
        else "credentials are complete; next: tomking doctor adapter=sandbox"
    )
    return {"credentials": found, "keyring": keyring, "sandbox": sandbox}


def _walked(adapter: str, words: Sequence[str], *, yes: bool, as_json: bool) -> int:
    unasked = not yes and not console.interactive()
    if unasked and adapter == "emulator":
        raise UsageError(UNASKED)
    outcomes: list[Outcome] = []

    def tell(outcome: Outcome) -> None:
        outcomes.append(outcome)
        if not as_json:
            console.out(outcome.line())

    try:
        asyncio.run(_walk(adapter, words, None if unasked else (lambda _: True) if yes else console.ask, tell))
    except KeyboardInterrupt:
        if as_json:
            # There will be no document, and what stands at the broker must be said.
            for outcome in outcomes:
                if not outcome.ok:
                    console.note(outcome.line())
        raise
    if as_json:
        steps: list[dict[str, Any]] = [{"step": o.step, "ok": o.ok, "said": o.said, "do": o.do} for o in outcomes]
        console.document({"adapter": adapter, "passed": all(o.ok for o in outcomes), "steps": steps})
    elif all(o.ok for o in outcomes):
        console.out(f"all that is needed to reach adapter={adapter} is here")
    return next((o.code for o in outcomes if not o.ok), 0)


async def _walk(
    adapter: str, words: Sequence[str], ask: Callable[[str], bool] | None, tell: Callable[[Outcome], None]
) -> None:
    from adapters.tastytrade.errors import CredentialError
    from adapters.tastytrade.transport import dial
    from conf.walk import Outcome, Walk, network

    try:
        async with reach(adapter, words) as broker:
            # Credentials that are missing are said first: nothing was sent yet.
            if ask is None:
                raise UsageError(UNASKED)
            if not ask(f"{adapter}: ask {broker.site.rest} whether it is there?"):
                tell(Outcome("network", False, "left out by you", "run it again when you want it", 1))
                return
            there = await network(broker.site, lambda: WallClock().now() / 1e9)
            tell(there)
            if there.ok:
                await Walk(broker, ask, tell, dial).run()
    except CredentialError as error:
        tell(
            Outcome("credentials", False, " ".join(str(error).split()), "see the README, The sandbox", error.exit_code)
        )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"
