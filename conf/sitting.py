"""A live session from a configuration to its folder: made, run with page and screen, and written down.

The folder is there from the first moment, with the journal in it: a process that is killed leaves all that was known.
``config.yaml`` and ``manifest.json`` are written at once, the tables and the page when the session ends, from the
journal's own state.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from adapters.tastytrade.backoff import Backoff
from adapters.tastytrade.sender import unasked
from conf import console
from conf.attending import Day, Left, first_order, header
from conf.backtest import commit
from conf.compose import as_yaml, home
from conf.leaving import Ended, Sat, written
from conf.living import Living, checkpoint_of, living, resumed
from conf.speaking import Pulse, Speaker, alerts_of, told
from conf.stage import PAPER, SHADOW, Authority, Bringing, Stage, about_of, carried_of, fx_of, in_dollars, stage
from conf.turning import left_of, through
from live.account_lock import AccountLock
from live.alerts import risk_refusal
from live.ceilings import Ceilings
from live.checkpoint import NAME as CHECKPOINT
from live.checkpoint import Checkpoint
from live.codec import Codec
from live.control import served_control, socket_of
from live.failover import Failover, Judge
from live.guard import Guard, Limits
from live.inputs import Fx
from live.journal import Journal
from live.keep import recover
from live.permit import Keys, Permit, Question
from live.picture import Labels, Rulers
from live.runner import SECOND_NS, Pace
from live.sitting import Sitting, Terms
from live.warden import Rounds
from sim.calendar import at_ny, date_ny, ny, parse_time
from sim.clock import WallClock
from sim.model.errors import ConfigError, DataError, RiskStop, UsageError
from sim.model.event import Word
from sim.model.given import FROM_ONE, PART, POSITIVE, SHARE, Range, amount, number, section, whole
from sim.report.folder import digest, read_json, write_json

if TYPE_CHECKING:
    from sim.ledger import RateOf

JOURNAL: Final = "journal.sqlite"
BY_THE_MINUTE: Final = 90.0
"""Seconds for which a market that is told by the minute may say nothing."""
KEYS: Final = (
    "name", "fx", "rest", "stops", "brings", "settle", "glance", "positions", "everything", "walk", "limits",
    "ceilings", "page", "alerts", "kill",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """How a session was asked for. ``stop`` ends it, and ``signs`` says by which signal; ``until``: a New York time of
    day at which it ends by itself. ``fresh``: what an earlier session of the account left open is left alone."""

    kind: str
    runs: Path
    stop: asyncio.Event
    signs: Sequence[str]
    quiet: bool = False
    screen: bool = False
    resume: Path | None = None
    until: str | None = None
    ask: Callable[[str, float], Awaitable[bool | None]] = console.answer
    fresh: bool = False


def terms_of(node: Mapping[str, Any], speed: float, *, minutely: bool = False) -> Terms:
    """``live`` of a configuration. Of a market that runs fast what is real seconds is so many more of its own."""
    row = section("live", node, KEYS)
    limits = section("live.limits", row["limits"], tuple(Limits.__dataclass_fields__))
    numbers = {
        key: whole(f"live.limits.{key}", value, FROM_ONE)
        if key in ("fx_days", "fall_minutes")
        else number(f"live.limits.{key}", value, PART if key == "fall" else POSITIVE)
        for key, value in limits.items()
    }
    settle = number("live.settle", row["settle"], POSITIVE) * speed
    glance = number("live.glance", row["glance"], POSITIVE) * speed
    if settle > 45:
        raise UsageError(
            f"live.settle is {row['settle']} and adapter.speed {speed:g}: a minute would be over; run slower"
        )
    # What a real broker's limits allow: a reading a second.
    least = 1.5 * speed
    positions = max(number("live.positions", row["positions"], POSITIVE), least)
    everything = max(number("live.everything", row["everything"], POSITIVE), 4 * least)
    slack = max(1.0, speed / 10)
    aged = Limits(**numbers)  # type: ignore[arg-type]
    if minutely:
        aged = replace(aged, chain=max(aged.chain, BY_THE_MINUTE), quotes=max(aged.quotes, BY_THE_MINUTE))
    aged = replace(
        aged,
        quotes=aged.quotes * slack,
        positions=max(aged.positions, 3 * positions),
        grace=aged.grace * slack,
        chain=aged.chain * slack,
    )
    return Terms(
        Pace(settle=settle, glance=glance, first=10.0 * speed, look=max(5.0, speed)), Rounds(positions, everything),
        aged, kill_of(node), number("live.walk", row["walk"], POSITIVE), parting=max(10.0, speed),
    )  # fmt: skip


def rulers_of(made: Living, config: Mapping[str, Any]) -> Rulers:
    from sim.rules.correlation import Correlation
    from sim.rules.phases import Phases

    groups = next((r for r in made.rules.gate.rules if isinstance(r, Correlation)), None)
    phases = Phases.of(config["rules"]["phase"]) if config["rules"]["phase"].get("enabled") else None
    return Rulers(made.rules.regime, groups, phases, made.rules.health)


def rates_of(config: Mapping[str, Any]) -> RateOf | None:
    """The dated table where the configuration says so; None: what is told."""
    from conf import build

    return build.rates(config) if config["live"]["fx"] == "table" else None


def begin(config: Mapping[str, Any], runs: Path, kind: str, now: int) -> Path:
    """The folder of a new session."""
    when = datetime.fromtimestamp(now / 1e9, UTC)
    name = str(config["strategy"].get("name", "strategy"))
    base = runs / f"{when:%Y-%m-%d}" / f"{when:%H%M%S}-{kind}-{name}"
    folder, n = base, 1
    while folder.exists():
        n += 1
        folder = base.with_name(f"{base.name}-{n}")
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise DataError(f"cannot make {folder}: {error.strerror}; choose another folder to run in") from None
    return folder


def masked(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration as it is written down and compared: an account is named by its last characters."""
    adapter = dict(config["adapter"])
    if adapter.get("account") is not None:
        adapter["account"] = ending(adapter["account"])
    if adapter.get("accounts"):
        adapter["accounts"] = [ending(each) for each in adapter["accounts"]]
    return {**config, "adapter": adapter}


def ending(account: object) -> str:
    """``…0001`` of an account's number."""
    return f"…{str(account)[-4:]}"


def kill_of(node: Mapping[str, Any]) -> Path:
    kill = node["kill"]
    return Path(str(kill)).expanduser() if kill is not None else home() / "kill"


def ceilings_of(node: Mapping[str, Any]) -> Ceilings:
    """``loss_a_day`` is a share of the account here."""
    found = Ceilings.of(node["ceilings"], "live.ceilings")
    amount("live.ceilings.loss_a_day", node["ceilings"]["loss_a_day"], SHARE)
    return found


def waits() -> Iterator[float]:
    """Real seconds between tries of an outage, until the network is given up: three minutes."""
    backoff = Backoff(first=1.0, largest=60.0)
    return (backoff.delay(attempt) for attempt in range(1, 9))


def key_of(config: Mapping[str, Any], run_id: str) -> str:
    """What a checkpoint must agree with to be gone on from: session, configuration, program and what it runs on."""
    import platform

    import numpy as np

    from conf.live import bound_to, code_version

    return digest(
        {
            "run": run_id, "config": bound_to(config), "code": code_version(config),
            "python": platform.python_version(), "numpy": np.__version__,
        }
    )  # fmt: skip


async def sitting(config: Mapping[str, Any], asked: Asked, authority: Authority = PAPER) -> Sat:
    """Runs a session until it ends, by itself, by a signal or by what went wrong."""
    if (kill := kill_of(config["live"])).exists():
        raise RiskStop(f"{kill} is there, the kill switch: nothing is started; remove it to trade")
    if authority.fx is not None:
        # What was given when it was armed is what is told, whatever the configuration has.
        config = {**config, "live": {**config["live"], "fx": float(authority.fx[0])}}
    _checked(config["live"])
    began, shown = WallClock().now(), masked(config)
    config_hash = digest({k: v for k, v in shown.items() if k not in ("report", "live")})
    if asked.resume is None:
        run_id = digest({"config": config_hash, "at": began})
    else:
        before = read_json(asked.resume, "manifest.json")
        if not (asked.resume / JOURNAL).exists():
            raise UsageError(f"--resume {asked.resume}: that is no live session's folder, it has no {JOURNAL}")
        run_id = str(before["run_id"])
        if before["config_hash"] != config_hash:
            raise UsageError(
                f"--resume {asked.resume}: that session had another configuration; give the same words as then"
            )
        _same_source(config, asked.resume)
        config = _same_rest(config, asked.resume)
    about = about_of(config)
    rate_of = rates_of(config)
    made = living(config, run_id[:8], about, rate_of=rate_of)
    speaker = Speaker(f"{made.facts['name']} ({asked.kind})", WallClock().now, asked.quiet or asked.screen)
    checkpoint, carried = checkpoint_of(made, Path(), key_of(config, run_id), speaker.say), None
    if asked.resume is not None:
        checkpoint.path = asked.resume / CHECKPOINT
        with Journal.read_only(asked.resume / JOURNAL) as journal:
            made = resumed(made, checkpoint, journal)
            recover(made.core, journal, Codec(), checkpoint.trail)
        if config["adapter"].get("name") == "emulator":
            carried = carried_of(made.core, config)
    for account in (authority.account, str(config["adapter"].get("account") or "")):
        speaker.hide(account)
    guard = Guard()
    permit = Permit.of(ceilings_of(config["live"]), made.core, guard, WallClock().now, authority.keys)
    permit.alert = speaker.alert

    async def ask(text: str, seconds: float) -> bool | None:
        if authority.unattended:
            # Armed anew while it runs, by who looks after it without a terminal.
            return True
        speaker.alert("STATE", f"the session's first order waits {seconds:g} s for a yes at the terminal")
        return await asked.ask(text, seconds)

    question = Question(ask, lambda order: order.id) if authority.ask else None
    bringing = Bringing(made.fees, made.core.column, permit, question or unasked, speaker.say)
    async with AsyncExitStack() as stack:
        there = await stack.enter_async_context(stage(config, bringing, authority, carried))
        speaker.now = permit.now = there.hours.now
        made.core.market.about = there.about
        old = _old_rate(config, there, resumed=asked.resume is not None)
        until = _until(asked.until, there)
        fx_of(config, there.live, there.hours, authority.fx)
        terms_of(config["live"], there.speed)
        folder = asked.resume or begin(config, asked.runs, asked.kind, began)
        manifest = {
            "run_id": run_id, "config_hash": config_hash, "data_fingerprint": there.about.name, "seed": config["seed"],
            "market": there.about.name, "synthetic": there.about.synthetic, "source": there.about.source, "notice": "",
            "kind": asked.kind, "git_commit": commit(), "started_at": _iso(began),
        }  # fmt: skip
        if asked.resume is not None and (traded := read_json(folder, "manifest.json").get("account")):
            # Which account it has traded is not forgotten where this life does not come to the broker.
            manifest["account"] = traded
        if asked.resume is None:
            (folder / "config.yaml").write_text(as_yaml(shown), encoding="utf-8")
            write_json(folder / "manifest.json", manifest)
        checkpoint.path = folder / CHECKPOINT
        speaker.log = folder / "log.jsonl"
        journal = stack.enter_context(Journal.open(folder / JOURNAL))
        one, fx = _made(config, made, there, journal, checkpoint, guard, speaker, authority)
        one.runner.until, one.forgotten = until, carried is not None
        permit.post, permit.worth = one.runner.post, one.warden.worth
        one.warden.strict = there.environment == "production"
        if (lock := _lock_of(config, there, folder, run_id, asked)) is not None:
            stack.callback((tally := Left(lock, permit, there.hours.now)).end)
            permit.earlier = lock.earlier
            one.runner.lookers.append(tally.look)
            one.runner.done.append(tally.done)

            def begun(account: str) -> None:
                lock.take(account)
                manifest["account"] = lock.key
                write_json(folder / "manifest.json", manifest)

            one.begun = begun
        if question is not None:
            question.text = lambda order: first_order(order, made, there, permit.ceilings)
        pulse = Pulse(one.look, speaker.say)
        day = Day(one, made, there, speaker)
        one.runner.lookers += [permit.look, day.look, pulse.beat]
        one.runner.done.append(day.done)
        await stack.enter_async_context(served_control(one, socket_of(home(), run_id)))
        await stack.enter_async_context(told(config["live"]["alerts"], speaker, pulse.alive))
        async with _page(config, one) as page:
            if not asked.quiet:
                header(made.facts["name"], asked.kind, there, folder, page, kill, authority)
            if old:
                speaker.say(old)
            ended = await through(one, asked.stop, asked.signs, fx, question, screen=asked.screen)
        code, why = ended.code, ended.why
        day.end(code, why)
        left = left_of(one, own=there.adapter == "emulator")
        if ended.fault is not None:
            for line in left:
                speaker.say(line)
            raise ended.fault
        notice = one.painter.labels.notice
    return written(folder, shown, made, there, {**manifest, "notice": notice}, Ended(code, why, left))


def _checked(node: Mapping[str, Any]) -> None:
    """ConfigError for what does not fit, before anything is begun."""
    terms_of(node, 1.0)
    alerts_of(node["alerts"])
    port_of(node)


def port_of(node: Mapping[str, Any]) -> int | None:
    """``live.page.port``; None where no page is wanted."""
    port = section("live.page", node["page"], ("port",))["port"]
    return None if port is None else whole("live.page.port", port, Range(least=0, most=65535))


def _made(
    config: Mapping[str, Any],
    made: Living,
    there: Stage,
    journal: Journal,
    checkpoint: Checkpoint,
    guard: Guard,
    speaker: Speaker,
    authority: Authority,
) -> tuple[Sitting, Callable[[], Awaitable[Fx]] | None]:
    labels = Labels(
        made.facts["name"], there.adapter, "", there.about.name, there.notice, there.about.synthetic,
    )  # fmt: skip
    judge = Judge(Failover(waits), speaker.say, speaker.alert)
    fx = fx_of(config, there.live, there.hours, authority.fx)
    terms = terms_of(config["live"], there.speed, minutely=there.minutely)
    one = Sitting(
        made.core, there.live, made.strategies, there.hours, _chain(there), journal, Codec(), rulers_of(made, config),
        labels, speaker.say, speaker.alert, terms, fx, failed=judge.failed, well=judge.well, risky=risk_refusal,
        guard=guard, fees=made.fees, resumed=judge.failover.resume,
        trail=checkpoint.trail, kept=checkpoint.look,
    )  # fmt: skip

    judge.hold = lambda seconds: one.warden.hold(seconds * there.speed)
    one.runner.watchers.append(judge.heard)
    if (keys := authority.keys) is not None:
        _keyed(one, keys, authority.find, speaker)
    elif there.live.broker.shadow:
        one.runner.orders.muted = lambda: "shadow: nothing is sent"
    return one, fx


def _keyed(one: Sitting, keys: Keys, find: Callable[[], Awaitable[str]] | None, speaker: Speaker) -> None:
    """A session behind two keys: what it knows of them as it goes on. ``find`` finds the account where that was not
    possible before it began."""
    broker = one.live.broker
    one.runner.orders.muted = keys.why
    if find is not None:

        async def finds() -> None:
            if number := await find():
                speaker.hide(number)
                keys.account = number
                broker.choose(number)

        one.finds = finds

    def known(_: int) -> None:
        keys.account = broker.account or keys.account

    one.runner.lookers.insert(0, known)


def _lock_of(config: Mapping[str, Any], there: Stage, folder: Path, run_id: str, asked: Asked) -> AccountLock | None:
    """Of an account that is somebody's: an emulator of this process has its own, and a shadow sends nothing."""
    if there.adapter == "emulator" or there.notice == SHADOW:
        return None
    traded = "" if asked.resume is None else str(read_json(folder, "manifest.json").get("account", ""))
    from live.page.tokens import make

    site = f"{there.adapter} {config['adapter'].get('rest') or ''}".strip()
    return AccountLock(home() / "accounts", site, folder.resolve(), run_id, lambda: make().view, asked.fresh, traded)


def _same_source(config: Mapping[str, Any], folder: Path) -> None:
    """UsageError where a session converted at told rates and would go on at the table's, or the other way about."""
    from conf.verify import config_of

    was, now = config_of(folder)["live"]["fx"], config["live"]["fx"]
    if (was == "table") != (now == "table"):
        raise UsageError(f"--resume {folder}: that session had live.fx={was}; give it again, or a newer rate")


def _same_rest(config: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
    """What rests at the broker stays as the session began: its journal is decided about anew by that."""
    from conf.verify import config_of

    was = config_of(folder)["live"]
    rest = {"rest": was["rest"], "stops": was.get("stops"), "brings": was.get("brings", False)}
    return {**config, "live": {**config["live"], **rest}}


def _old_rate(config: Mapping[str, Any], there: Stage, *, resumed: bool) -> str:
    """One line where the table of exchange rates ends so long ago that nothing would be opened, but what is open may be
    looked after; ConfigError where there is nothing to look after, or no rate at all."""
    from conf import build

    if in_dollars(config) or config["live"]["fx"] != "table":
        return ""
    today = date_ny(there.hours.now())
    instead = "set live.fx=6B (the front pound future), live.fx=1.31 (a rate of today), or account.currency=USD"
    try:
        dated = build.rates(config)(today).dated
    except DataError as error:
        raise ConfigError(f"{error}: {instead}") from None
    most = int(config["live"]["limits"]["fx_days"])
    if dated is None or (today - dated).days <= most:
        return ""
    said = f"the exchange rate of the table is of {dated}, {(today - dated).days} days before {today}, at most {most}"
    if not resumed:
        raise ConfigError(f"{said}: {instead}")
    return f"{said}: nothing is opened; {instead}"


def _until(given: str | None, there: Stage) -> int | None:
    """The instant at which the session ends by itself: a minute after the emulator's day, or when it was told to."""
    ends = None if there.until is None else there.until + 60 * SECOND_NS
    if given is None:
        return ends
    now = there.hours.now()
    at = at_ny(date_ny(now), parse_time(given, "--until"))
    if at <= now:
        raise UsageError(f"--until {given}: it is {ny(now):%H:%M} in New York already; give a later time of day")
    return at if ends is None else min(at, ends)


def _chain(there: Stage) -> Callable[[str, Any], Any]:
    from adapters.tastytrade.window import chain_of

    async def chain(underlying: str, day: Any) -> Any:
        return await chain_of(there.live.rest, underlying, day)

    return chain


@asynccontextmanager
async def _page(config: Mapping[str, Any], one: Sitting) -> AsyncIterator[str]:
    """The address of the session's page, empty where there is none."""
    port = port_of(config["live"])
    if port is None:
        yield ""
        return
    from live.page.serve import served
    from live.page.tokens import make

    async with served(one.look, pressing(one), make(), port) as address:
        yield address


def pressing(one: Sitting) -> Callable[[str], Any]:
    """What a button of the page does: a word with a question mark asks what there is to confirm once more. A resume in
    spite of what stands takes a yes to exactly that."""
    asked: list[str] = []

    async def press(text: str) -> str:
        word = Word(text.removesuffix("?"))
        if text.endswith("?"):
            if one.needs(word) < 2:
                return ""
            asked[:] = one.stands(one.hours.now())
            return one.asks(word)
        if word is Word.RESUME and (new := [each for each in one.stands(one.hours.now()) if each not in asked]):
            raise UsageError(f"this stands since you were asked: {'; '.join(new)}; nothing was done, ask again")
        asked.clear()
        return one.tell(word, sure=True)

    return press


def _iso(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, UTC).isoformat()
