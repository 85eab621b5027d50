"""Where a book comes from that is to be revalued: a run at a moment, a file of positions, an account at a broker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from conf import build
from sim.calendar import Venue, load_calendar, ny
from sim.model.errors import ConfigError, UsageError
from sim.model.given import POSITIVE, amount, items, mapping, number, section, whole, word

if TYPE_CHECKING:
    from adapters.tastytrade.rest.client import Rest
    from adapters.tastytrade.rest.shapes_market import MarketData
    from conf.run import Parts
    from sim.margin import MarginLine
    from sim.model.instrument import OptionContract, Series
    from sim.report.result import RunResult
    from sim.stress import Smile
    from sim.view import View

CLOSE: Final = time(16, 0)


@dataclass(frozen=True, slots=True)
class Held:
    """A book at a moment: its lines in product currency, the smiles of their chains, what the account is worth in its
    own ``currency`` (0: not known), and where it comes from. ``fx``: product currency for one of the account's."""

    lines: tuple[MarginLine, ...]
    smiles: Mapping[Series, Smile]
    nlv: float
    when: str
    source: str
    currency: str = "USD"
    fx: float = 1.0


def of_run(folder: Path, day: date | None, at: time | None) -> Held:
    """What a run held at a moment: as told, else at the cash close on which it used most buying power."""
    from conf.minute import at_minute
    from conf.verify import config_of
    from sim.stress import StressedBook

    if day is None and at is not None:
        raise UsageError("--at says the minute: say the day as well, with --date 2024-08-02")
    config = config_of(folder)
    if day is None:
        day = _most_exposed(folder)
    close = ny(load_calendar().session(Venue.US_EQUITY, day).close_ns).time() if _trades(day) else CLOSE
    clock = at or min(CLOSE, close)

    def look(parts: Parts, view: View) -> Held:
        desk = parts.session.engine.desk
        k, rate = desk.day.column(view.ts), desk.ledger.rate_of(day)
        book = StressedBook(desk.held(), desk.day, k, rate.fx)
        lines = book.lines()
        when, source = f"on {day} at {clock:%H:%M} New York", f"run {folder.name} ({parts.market.source})"
        money = desk.ledger.currency, float(rate.fx)
        return Held(tuple(lines), book.smiles(lines), float(desk.nlv(k)), when, source, *money)

    return at_minute(config, day, clock, look)


def _trades(day: date) -> bool:
    return load_calendar().is_session(day)


def of_result(config: Mapping[str, Any], result: RunResult, root: Path) -> Held | None:
    """What a run held when it held most, in the session in which it used most buying power; None where it never held
    anything, or where that minute has no quotes to value it by. Nothing is run again."""
    from sim.daybook import DayBook
    from sim.model.errors import DataError
    from sim.stress import StressedBook

    points = [p for p in result.equity if p.bp_used == p.bp_used]
    if not result.fills or not points:
        return None
    session = max(points, key=lambda p: p.bp_used)
    ts, held = _fullest(result, session.session)
    if not held:
        return None
    market = build.market(config, root)
    book = DayBook(market, session.session, {c.underlying for c in held})
    k, fx = min(max(book.column(ts), 0), book.minutes - 1), build.rates(config)(session.session).fx
    stressed = StressedBook(held, book, k, fx)
    try:
        lines = stressed.lines()
    except DataError:
        return None
    when = f"on {ny(ts):%Y-%m-%d at %H:%M} New York"
    currency = str(config["account"]["currency"]).upper()
    return Held(tuple(lines), stressed.smiles(lines), session.nlv, when, market.source, currency, float(fx))


def _fullest(result: RunResult, session: date) -> tuple[int, dict[OptionContract, int]]:
    """The instant of a session after which most contracts are held, and which: a fill, or the opening of the regular
    session where most of them were there already."""
    held: dict[OptionContract, int] = {}
    flows = [(f.ts, f, None) for f in result.fills] + [(s.ts, None, s) for s in result.settlements]
    best: tuple[int, int, dict[OptionContract, int]] = (-1, 0, {})
    for ts, fill, settled in sorted(flows, key=lambda flow: flow[0]):
        day = load_calendar().session_of(Venue.GLOBEX_EQUITY, ts)
        if day > session:
            break
        if best[0] < 0 and day == session:
            carried = {c: n for c, n in held.items() if n}
            best = (sum(map(abs, carried.values())), load_calendar().session(Venue.US_EQUITY, session).open_ns, carried)
        for leg in () if fill is None else fill.legs:
            held[leg.contract] = held.get(leg.contract, 0) + leg.quantity
        for end in () if settled is None else settled.legs:
            held.pop(end.contract, None)
        gross = sum(map(abs, held.values()))
        if day == session and gross > best[0]:
            best = (gross, ts, {c: n for c, n in held.items() if n})
    if best[0] < 0:
        opened = load_calendar().session(Venue.US_EQUITY, session).open_ns
        best = (0, opened, held)
    return best[1], {c: n for c, n in best[2].items() if n}


def _most_exposed(folder: Path) -> date:
    """The evening with something held on which most buying power was used; UsageError where nothing ever was."""
    from sim.report.pagedata import PageData

    data = PageData.of(folder)
    nights = {d.session: d.bp or 0.0 for d in data.days}
    trades = [t for t in (*data.closed, *data.open) if t.opened is not None]
    held = [
        day for day in nights
        if any(t.opened.date() <= day and (t.closed is None or t.closed.date() > day) for t in trades if t.opened)
    ]  # fmt: skip
    if not held:
        raise UsageError(f"{folder} held nothing over any night: name a minute with --date and --at")
    return max(held, key=lambda day: nights[day])


def of_file(path: Path) -> Held:
    """``at``, ``nlv`` (product currency, null: unknown), ``forward`` by underlying, and ``positions``: ``symbol`` as
    the broker writes it, ``quantity`` signed, ``mark`` in points; ``forward`` where the future is another."""
    from scenarios.library import read_yaml

    node = read_yaml(path)
    row = section(path.name, node, ("at", "forward", "positions"), ("nlv",))
    now = _instant(f"{path.name}.at", row["at"])
    told_of = mapping(f"{path.name}.forward", row["forward"])
    forwards = {u: number(f"{path.name}.forward.{u}", x, POSITIVE) for u, x in told_of.items()}
    pairs = []
    for i, each in enumerate(items(f"{path.name}.positions", row["positions"], "a list of positions")):
        key = f"{path.name}.positions[{i}]"
        told = section(key, each, ("symbol", "quantity", "mark"), ("forward",))
        contract = contract_named(key, word(f"{key}.symbol", told["symbol"]))
        own = told.get("forward", forwards.get(contract.underlying))
        if own is None:
            name = contract.underlying
            raise ConfigError(f"{key}: no forward of {name}: set {path.name}.forward.{name}")
        mark, forward = float(amount(f"{key}.mark", told["mark"])), number(f"{key}.forward", own, POSITIVE)
        pairs.append((contract, whole(f"{key}.quantity", told["quantity"]), mark, forward))
    nlv = 0.0 if row.get("nlv") is None else number(f"{path.name}.nlv", row["nlv"], POSITIVE)
    return Held(_lined(pairs, now), {}, nlv, f"at {ny(now):%Y-%m-%d %H:%M} New York", str(path))


def _instant(key: str, value: Any) -> int:
    from datetime import datetime

    from sim.calendar import at_ny

    try:
        told = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        raise ConfigError(f"{key} is {value!r}: wanted New York's time, like 2024-08-02 16:00") from None
    if told.tzinfo is not None:
        raise ConfigError(f"{key} is {value!r}: wanted New York's time without an offset, like 2024-08-02 16:00")
    return at_ny(told.date(), told.time())


def contract_named(key: str, symbol: str) -> OptionContract:
    """The contract of a broker's symbol; ConfigError by the key for one that nobody knows."""
    from adapters.tastytrade.symbols import contract_of
    from sim.model.errors import TomkingError

    try:
        return contract_of(symbol)
    except TomkingError as error:
        raise ConfigError(f"{key}: {error}") from None


def _lined(pairs: Sequence[tuple[OptionContract, int, float, float]], now: int) -> tuple[MarginLine, ...]:
    """Lines with the volatility that each mark implies; one that has expired is left out."""
    from sim.buying_power import with_volatility
    from sim.margin import MarginLine

    nan, calendar = float("nan"), load_calendar()
    lines = []
    for contract, quantity, mark, forward in pairs:
        product = contract.product
        end = calendar.settlement_instant(Venue(product.venue), contract.expiration, morning=product.exercise.morning)
        if quantity and end > now:
            lines.append(MarginLine(contract, quantity, mark, forward, nan, nan))
    return tuple(with_volatility(lines, now)) if lines else ()


async def of_account(words: Sequence[str]) -> Held:
    """The options of an account, at the broker's own quotes over REST."""
    from conf.reach import adapter_of, reach

    adapter, rest_words = adapter_of(words)
    async with reach(adapter, rest_words) as r:
        number_, which = await account_of(r.rest, r.account)
        everything = await r.rest.accounts.positions(number_)
        held = [p for p in everything if "Option" in str(p.instrument_type)]
        others = len(everything) - len(held)
        source = f"{which} at {adapter}" + (f", without {others} positions that are no options" if others else "")
        balance = await r.rest.accounts.balance(number_)
        when = f"at {ny(r.wall()):%Y-%m-%d %H:%M} New York"
        if not held:
            return Held((), {}, 0.0, when, source)
        symbols = [str(p.symbol) for p in held]
        contracts = {s: contract_named("position", s) for s in symbols}
        quotes = {str(q.symbol): q for q in await quotes_of(r.rest, contracts)}
        pairs = []
        for p in held:
            contract = contracts[str(p.symbol)]
            seen, base = quotes.get(str(p.symbol)), quotes.get(_base(contract))
            mark = None if seen is None else seen.mid if seen.mid is not None else seen.mark
            forward = None if base is None else base.mark if base.mark is not None else base.last
            if mark is None or forward is None:
                raise ConfigError(f"{p.symbol}: the broker has no quote of it or of {_base(contract)} now")
            sign = -1 if str(p.quantity_direction) == "Short" else 1
            pairs.append((contract, sign * int(p.quantity or 0), float(mark), float(forward)))
        now = r.wall()
        nlv = float(balance.net_liquidating_value or Decimal(0))
        return Held(_lined(pairs, now), {}, nlv, when, source)


async def account_of(rest: Rest, asked: str) -> tuple[str, str]:
    """The number of the account that is asked for, else of the first that is open; and what to call it."""
    numbers = [each.account_number for each in await rest.accounts.list() if not each.is_closed]
    if asked and asked not in numbers:
        raise UsageError(f"adapter.account is not among the {len(numbers)} open accounts: correct the number")
    if not numbers:
        raise UsageError("these credentials reach no open account")
    first = f"the first of {len(numbers)} accounts (adapter.account=NUMBER takes another)"
    return asked or numbers[0], first if len(numbers) > 1 and not asked else "the account"


def _base(contract: OptionContract) -> str:
    """The broker's symbol of what an option is on."""
    from adapters.tastytrade.symbols import wire_symbol
    from sim.model.instrument import Kind

    if contract.product.kind is Kind.FUTURE:
        return wire_symbol(contract)[1:7].strip()
    return contract.underlying


async def quotes_of(rest: Rest, contracts: Mapping[str, OptionContract]) -> list[MarketData]:
    """Of every contract and of what it is on; as many requests as that takes."""
    from adapters.tastytrade.rest.market import MOST_SYMBOLS
    from sim.model.instrument import Kind

    wanted: set[tuple[str, str]] = set()
    for symbol, contract in contracts.items():
        future, index = contract.product.kind is Kind.FUTURE, contract.product.kind is Kind.INDEX
        wanted.add(("future-option" if future else "equity-option", symbol))
        wanted.add(("future" if future else "index" if index else "equity", _base(contract)))
    ordered = sorted(wanted)
    out: list[MarketData] = []
    for first in range(0, len(ordered), MOST_SYMBOLS):
        by: dict[str, list[str]] = {}
        for kind, symbol in ordered[first : first + MOST_SYMBOLS]:
            by.setdefault(kind, []).append(symbol)
        out += await rest.market.by_type(by)
    return out
