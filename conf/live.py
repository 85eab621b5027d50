"""``tomking live``: real money, behind two keys that come from two places.

One is written: ``tomking live arm`` makes it, for one account, one configuration and this version of the program, with
an end and a loss a day. The other is typed: ``adapter=production``, with every start, and nothing stands for it.
Without both everything works but sending (shadow): decisions are made and logged, and the broker's dry run is asked.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from conf import console
from conf.compose import home
from conf.options import Options
from conf.paper import FLAGS, VALUES, composed, sit
from conf.words import similar
from sim.model.errors import BrokerError, ConfigError, UsageError

if TYPE_CHECKING:
    from conf.stage import Authority
    from live.arming import Arming

KEY: Final = "adapter=production"
HOUR_NS: Final = 3_600 * 1_000_000_000
UNITS: Final = {"m": HOUR_NS // 60, "h": HOUR_NS, "d": 24 * HOUR_NS}
WORDS: Final = ("arm", "disarm", "status")
NONE: Final = "none"
"""No account of the grant is the one that was armed."""
ROOMS: Final = ("sim", "adapters", "live", "conf")
"""Where what trades is written: a change in any of their files is another version of the program."""


def command(args: Sequence[str]) -> int:
    """0 where it ended as it should; 3 where the guard had halted it."""
    first = args[0] if args else ""
    match first:
        case "arm":
            return _arm(args[1:])
        case "disarm":
            return _disarm(args[1:])
        case "status":
            return _status(args[1:])
    if first and "=" not in first and not first.startswith("-"):
        raise UsageError(f"tomking live {first}{similar(first, WORDS)}: its words are {', '.join(WORDS)}; else {KEY}")
    return _trade(args)


# -- trading -----------------------------------------------------------------------------------------------------------


def _trade(args: Sequence[str]) -> int:
    options = Options.of(args, flags=FLAGS, values=VALUES)
    typed = [w for w in options.overrides if w.startswith("adapter=")]
    if typed != [KEY]:
        said = typed[-1] if typed else "no adapter"
        raise UsageError(
            f"tomking live with {said}: {KEY} must be typed, it is one of two keys; paper trades by `tomking paper`"
        )
    config = composed(options.overrides, options.value("config-dir"))
    _real(config)
    if options.flag("cfg"):
        console.configuration(config, as_json=options.flag("json"))
        return 0
    return sit(config, options, "live", authority(config, traded=_traded(options.value("resume"))))


def authority(config: Mapping[str, Any], *, traded: bool = False) -> Authority:
    """What a session of this configuration may send now. ``traded``: it has traded an account in an earlier life, and
    is never a shadow of that: what is missing now puts it into manual mode until it is there. ConfigError for an arming
    that cannot be trusted, BrokerError where the account could not be asked for; not of one that has traded."""
    from adapters.tastytrade.production import Armed
    from conf.stage import Authority
    from live.arming import UNWRITTEN
    from live.permit import Keys
    from sim.calendar import date_ny
    from sim.clock import WallClock

    arming = _written(trusting=not traded)
    if arming is None and not traded:
        return Authority(why=UNWRITTEN)
    try:
        account = asyncio.run(_account(config, arming))
    except BrokerError:
        if not traded:
            raise
        account = ""
    named = account or ("" if traded else NONE)
    keys = Keys(arming_path(), named, bound_to(config), code_version(config), WallClock().now)
    why = keys.why()
    if why and not traded:
        return Authority(why=why)
    if not traded and arming is not None and not arming.unattended and not console.interactive():
        raise UsageError(
            "the session's first order waits for a yes, and nobody is here to say it: start it at a terminal, or arm"
            " with --unattended"
        )

    def both() -> Armed | None:
        """Both keys, as they are when it is asked for."""
        return None if keys.arming is None else Armed(keys.arming.account_hash, KEY)

    async def find() -> str:
        return await _account(config, _written(trusting=False))

    fx = None if arming is None or arming.fx is None else (arming.fx, date_ny(arming.made_ns))
    return Authority(both, keys, arming is None or not arming.unattended, why, fx, account, None if account else find)


def _traded(resume: str | None) -> bool:
    """Whether the session that is to be gone on with has traded an account: there may be something of it there."""
    from sim.report.folder import read_json

    return resume is not None and bool(read_json(Path(resume).expanduser(), "manifest.json").get("account"))


def _written(*, trusting: bool) -> Arming | None:
    """The written key. ConfigError for one that cannot be trusted, or none where that must not end anything."""
    from live.arming import read

    try:
        return read(arming_path())
    except ConfigError:
        if trusting:
            raise
        return None


async def _account(config: Mapping[str, Any], arming: Arming | None) -> str:
    """The account that is traded: the configuration's, else the one of the grant that is armed; empty where neither
    names one."""
    from live.arming import hash_account

    if given := config["adapter"].get("account"):
        return str(given)
    if arming is None:
        return ""
    salt = arming.account_hash.partition(":")[0]
    return next((n for n in await _numbers(config) if hash_account(n, salt) == arming.account_hash), "")


async def _numbers(config: Mapping[str, Any]) -> list[str]:
    """The account numbers that the grant of production sees: for no text."""
    from adapters.tastytrade.auth import Auth
    from adapters.tastytrade.credentials import Credentials
    from adapters.tastytrade.rest.client import Rest
    from conf import build

    site = build.target(config["adapter"], where="adapter").site
    auth = Auth(site, Credentials.load(site.environment))
    try:
        async with Rest(site, auth) as rest:
            return [each.account_number for each in await rest.accounts.list() if not each.is_closed]
    finally:
        await auth.aclose()


def _real(config: Mapping[str, Any]) -> None:
    if config["adapter"].get("name") != "production":
        name = config["adapter"].get("name")
        raise ConfigError(f"adapter.name is {name!r}: `tomking live` is {KEY} and nothing else")


# -- the written key ---------------------------------------------------------------------------------------------------


def arming_path() -> Path:
    return home() / "armed" / "arming.json"


def bound_to(config: Mapping[str, Any]) -> str:
    """The hash of all in a configuration that decides what is traded, and how: an account has a key of its own, and
    page, alerts and report trade nothing."""
    from sim.report.folder import digest

    left_out = {"live": ("page", "alerts", "kill"), "adapter": ("account",)}
    bound = {key: value for key, value in config.items() if key != "report"}
    for group, keys in left_out.items():
        bound[group] = {key: value for key, value in config[group].items() if key not in keys}
    return digest(bound)


def code_version(config: Mapping[str, Any]) -> str:
    """The version of the program as its files say it, whether they are committed or not, and of whatever of one's own
    the configuration names."""
    from importlib.metadata import version

    root, found = Path(__file__).resolve().parent.parent, hashlib.sha256()
    files = [path for room in ROOMS for path in sorted((root / room).rglob("*"))]
    for path in [*files, *(each for name in sorted(_named(config)) for each in _own(name))]:
        if path.suffix in (".py", ".yaml", ".json"):
            found.update(f"{path}\0".encode())
            found.update(path.read_bytes())
    return f"{version('tomking')}+{found.hexdigest()[:16]}"


def _named(node: Any) -> set[str]:
    """The top packages of every ``_target_`` in a configuration but the program's."""
    if isinstance(node, Mapping):
        found = {str(node["_target_"]).partition(".")[0]} if node.get("_target_") else set()
        return (found | {name for value in node.values() for name in _named(value)}) - set(ROOMS)
    return {name for value in node for name in _named(value)} if isinstance(node, list) else set()


def _own(name: str) -> list[Path]:
    """The files of a package of one's own, or its only one; none where it cannot be found, which its making says."""
    from importlib import import_module

    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        file = import_module(name).__file__
    except ImportError:
        return []
    path = Path(file or "")
    return sorted(path.parent.rglob("*.py")) if path.name == "__init__.py" else [path]


def until_of(given: str, now: int) -> int:
    """``8h``, ``90m``, ``2d``, ``16:00``, ``2026-12-05`` (to the end of that day) or ``2026-12-05 16:00``, New York, as
    UTC ns."""
    from sim.calendar import at_ny, date_ny, parse_time

    if found := re.fullmatch(r"(\d{1,4})([mhd])", given.strip(), re.ASCII):
        return now + int(found.group(1)) * UNITS[found.group(2)]
    day, _, clock = given.strip().replace("T", " ").partition(" ")
    if ":" in day and not clock:
        return at_ny(date_ny(now), parse_time(day, "--until"))
    try:
        on = date.fromisoformat(day)
    except ValueError:
        raise UsageError(f"--until {given}: wanted 8h, 16:00, 2026-12-05 or '2026-12-05 16:00', New York") from None
    return at_ny(on, parse_time(clock, "--until") if clock else time(23, 59, 59))


def amount_of(given: str, option: str) -> Decimal:
    try:
        found = Decimal(given)
    except InvalidOperation:
        raise UsageError(f"{option} {given}: wanted a number, like 500") from None
    if not found.is_finite() or found <= 0:
        raise UsageError(f"{option} {given}: wanted a number above 0")
    return found


def _arm(args: Sequence[str]) -> int:
    from conf.sitting import ceilings_of
    from live.arming import LAST, LONGEST_NS, Arming, typed_matches, write
    from live.page.tokens import make
    from sim.clock import WallClock

    options = Options.of(
        args, flags=("unattended", "json"), values=("account", "max-loss", "until", "fx", "config-dir")
    )
    given = {name: options.value(name) for name in ("account", "max-loss", "until")}
    if missing := [f"--{name}" for name, value in given.items() if value is None]:
        raise UsageError(f"tomking live arm needs {', '.join(missing)}: --account LAST4 --max-loss 500 --until 8h")
    last, now = str(given["account"]), WallClock().now()
    most, until = amount_of(str(given["max-loss"]), "--max-loss"), until_of(str(given["until"]), now)
    if len(last) != LAST:
        raise UsageError(f"--account wants the last {LAST} characters of the account, not {len(last)}")
    if not now < until <= now + LONGEST_NS:
        raise UsageError(f"--until {given['until']}: wanted an instant from now on, within 7 days")
    fx = None if options.value("fx") is None else amount_of(str(options.value("fx")), "--fx")
    words = options.overrides if KEY in options.overrides else (*options.overrides, KEY)
    config = composed(words, options.value("config-dir"))
    _real(config)
    fits = [n for n in asyncio.run(_numbers(config)) if typed_matches(last, n)]
    if len(fits) != 1:
        raise UsageError(f"--account {last[-4:]}: {len(fits) or 'none'} of the open accounts end so, wanted one")
    salt = hashlib.sha256(make().view.encode()).hexdigest()[:32]
    arming = Arming.of(
        fits[0], salt=salt, max_loss=most, until_ns=until, config_hash=bound_to(config),
        code_version=code_version(config), now=now, unattended=options.flag("unattended"), fx=fx,
    )  # fmt: skip
    currency = str(config["account"]["currency"]).upper()
    console.note(f"to be armed  {arming.describe()} ({currency})")
    console.note(f"strategy     {config['strategy'].get('name')}, configuration {arming.config_hash}")
    console.note(f"program      {arming.code_version}")
    ceilings = ceilings_of(config["live"])
    console.note(
        f"ceilings     {ceilings.orders_a_day} orders a day, {ceilings.contracts_an_order} contracts an order,"
        f" {ceilings.loss_a_day:.0%} of the account a day, {ceilings.bp_share:.0%} of it as buying power"
    )
    alone = "is sent without asking" if arming.unattended else "waits for your yes"
    console.note(f"first order  {alone}")
    if not typed_matches(console.typed("real money: type the account's last four characters to arm:"), fits[0]):
        raise UsageError("that is not how the account ends: nothing is armed")
    write(arming_path(), arming)
    if options.flag("json"):
        console.document({"armed": True, **_told(arming)})
    else:
        console.out(f"armed: {arming.describe()}")
        console.out(f"the other key is typed: {' '.join(['tomking live', KEY, *(w for w in words if w != KEY)])}")
    return 0


def _disarm(args: Sequence[str]) -> int:
    from live.arming import disarm
    from sim.clock import WallClock

    options = Options.of(args, flags=("json",))
    if options.overrides:
        raise UsageError("tomking live disarm takes nothing else: it takes the arming away")
    was = disarm(arming_path(), now=WallClock().now())
    if options.flag("json"):
        console.document({"armed": False, "was": was})
    else:
        console.out("disarmed: a session that runs sends nothing from now on" if was else "nothing was armed")
    return 0


def _status(args: Sequence[str]) -> int:
    """What is armed; with a configuration's words also whether it is for that one."""
    from live.arming import UNWRITTEN, bound, read
    from sim.clock import WallClock

    options = Options.of(args, flags=("json",), values=("config-dir",))
    arming, now = read(arming_path()), WallClock().now()
    why = UNWRITTEN
    if arming is not None:
        words = options.overrides if KEY in options.overrides else (*options.overrides, KEY)
        config = composed(words, options.value("config-dir"))
        given, code = bound_to(config), code_version(config)
        if not options.overrides and given != arming.config_hash:
            # It is for another configuration, which was not said: of that one only the end can be judged.
            given, code = arming.config_hash, arming.code_version
        why = bound(arming, config_hash=given, code_version=code, now=now)
    if options.flag("json"):
        console.document({"armed": not why, "why": why, **({} if arming is None else _told(arming))})
        return 0
    if arming is not None:
        console.out(f"written  {arming.describe()}, configuration {arming.config_hash}, program {arming.code_version}")
    console.out(f"now      {why or 'armed; the other key is typed with each start: ' + KEY}")
    return 0


def _told(arming: Arming) -> dict[str, Any]:
    from sim.calendar import ny

    until: datetime = ny(arming.until_ns)
    return {
        "account": f"…{arming.last4}", "until": until.isoformat(), "max_loss": str(arming.max_loss),
        "unattended": arming.unattended, "config_hash": arming.config_hash, "code_version": arming.code_version,
        "fx": None if arming.fx is None else str(arming.fx),
    }  # fmt: skip
