"""Two ways to move time through history around one session: every minute, and jump.

Every minute calls the strategies at every column. Jump goes straight to the next column in which anything can happen: a
strategy wakes, an exit comes due, an order fills, a series settles. Both run the same session, venue and ledger, and
must come out the same, fill by fill.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from adapters.replay.broker import ReplayBroker
from sim.calendar import at_ny, load_calendar
from sim.daybook import DayBook
from sim.ledger import LedgerError
from sim.model.errors import ConfigError
from sim.model.event import Cancel, Decision, Event, Moment, SessionClosed, Submit
from sim.ports import Market, Strategy
from sim.session import Session

Progress = Callable[[int, int, date], None]


@dataclass(frozen=True, slots=True)
class Done:
    """Sessions run, quote rows that their days offered, and sessions of the exchange that the market does not have."""

    sessions: int
    rows: int
    missing: int


def run(
    session: Session,
    broker: ReplayBroker,
    market: Market,
    strategies: Sequence[Strategy],
    start: date,
    end: date,
    *,
    jump: bool,
    progress: Progress | None = None,
) -> Done:
    """Runs every date from ``start`` to ``end``.

    ConfigError where the market has no session there. A weekday without a session is told to the strategies as closed.
    """
    underlyings = sorted({u for s in strategies for u in s.underlyings})
    available = set(underlyings) & set(market.underlyings())
    missing = [u for u in underlyings if u not in available]
    if missing:
        names = ", ".join(market.underlyings()) or "none"
        raise ConfigError(f"market {market.name!r} has no {missing[0]!r}: it has {names}; set strategy.underlying")
    days = list(market.sessions(underlyings[0], start, end))
    for u in underlyings[1:]:
        listed = set(market.sessions(u, start, end))
        days = [d for d in days if d in listed]
    if not days:
        raise ConfigError(_outside(market, underlyings[0], start, end))
    done = rows = absent = 0
    for day, is_session in weekdays(start, end, days):
        if not is_session:
            closed_day(session, strategies, day)
            absent += load_calendar().is_session(day)
            continue
        book = DayBook(market, day, underlyings)
        one_day(session, broker, book, strategies, jump=jump)
        done += 1
        rows += sum(d.day.rows for d in book.days.values())
        if progress is not None:
            progress(done, len(days), day)
    return Done(done, rows, absent)


def _outside(market: Market, underlying: str, start: date, end: date) -> str:
    known = market.sessions(underlying)
    reach = f"{known[0]} to {known[-1]}" if known else "no session"
    return (
        f"market {market.name!r} has no {underlying} session from {start} to {end}: it has {reach}; set start and end"
    )


def weekdays(start: date, end: date, days: Sequence[date]) -> Iterable[tuple[date, bool]]:
    """Weekdays from ``start`` to ``end`` in order, and whether the market has a session on it: its sessions, every
    holiday of the exchange, and between the market's first and last session also the days it lacks."""
    listed = set(days)
    calendar = load_calendar()
    day = start
    while day <= end:
        if day in listed:
            yield day, True
        elif day.weekday() < 5 and (days[0] <= day <= days[-1] or not calendar.is_session(day)):
            yield day, False
        day += timedelta(days=1)


def closed_day(session: Session, strategies: Sequence[Strategy], day: date) -> None:
    """Tells the strategies that would have woken that the market is closed."""
    wakes = [w for s in strategies for w in s.wakes(day)]
    if wakes:
        calendar = load_calendar()
        name = "no data of this day in the market" if calendar.is_session(day) else calendar.name_of(day)
        session.closed_day(day, at_ny(day, min(wakes)), name)


def one_day(
    session: Session,
    broker: ReplayBroker,
    book: DayBook,
    strategies: Sequence[Strategy],
    *,
    jump: bool,
    until: int | None = None,
) -> None:
    """One trade date. ``until`` stops after that column and leaves the day open, for the look-ahead check."""
    broker.begin(book)
    session.open(book)
    due = [(s.name, w, book.at(w)) for s in strategies for w in s.wakes(book.session)]
    wakes = sorted({k for _, _, k in due if 0 <= k < book.minutes})
    for name, clock, k in due:
        if not 0 <= k < book.minutes:
            at = book.ts(min(max(k, 0), book.minutes - 1))
            session.missed(name, at, f"{clock:%H:%M} New York is outside the session of {book.session}")
    duties = sorted({k for w in session.engine.duties.times if 0 <= (k := book.at(w)) < book.minutes})
    last = book.minutes - 1 if until is None else until
    if jump:
        _jump(session, broker, book, wakes, duties, last)
    else:
        _every_minute(session, broker, book, {*wakes, *duties}, last)
    if until is not None:
        return
    for event in broker.end():
        session.handle(event)
    session.handle(SessionClosed(max(book.ts(book.minutes - 1), session.clock.now()), book.session))
    _agree(session, broker, book.session)


def _agree(session: Session, broker: ReplayBroker, day: date) -> None:
    """What the ledger holds is what the venue holds, contract by contract, every night. LedgerError if not."""
    ours = {contract: n for contract, n in session.engine.desk.held().items() if n}
    theirs = broker.positions()
    if ours != theirs:
        wrong = next(c for c in {**ours, **theirs} if ours.get(c, 0) != theirs.get(c, 0))
        raise LedgerError(
            f"{day}: the ledger holds {ours.get(wrong, 0):+d} {wrong.symbol}, the venue {theirs.get(wrong, 0):+d}"
        )


def _every_minute(session: Session, broker: ReplayBroker, book: DayBook, wakes: set[int], last: int) -> None:
    for k in range(last + 1):
        _moment(session, broker, book, k, k in wakes)


def _jump(
    session: Session, broker: ReplayBroker, book: DayBook, wakes: list[int], duties: list[int], last: int
) -> None:
    """``duties`` are looked at only while something is held."""
    k = 0
    while k <= last:
        nearest = [w for w in wakes if w >= k][:1]
        if duties and session.engine.desk.ledger.open:
            nearest += [w for w in duties if w >= k][:1]
        trigger = session.engine.desk.next_trigger(k)
        event = broker.next_event()
        due = [x for x in (*nearest, trigger, event) if x is not None]
        if not due:
            return
        k = max(min(due), k)
        if k > last:
            return
        _moment(session, broker, book, k, k in wakes or k in duties)
        k += 1


def _moment(session: Session, broker: ReplayBroker, book: DayBook, k: int, wake: bool) -> None:
    for event in broker.advance(k):
        _tell(session, broker, event)
    decisions = session.handle(Moment(book.ts(k), k, wake))
    if decisions:
        _carry(session, broker, decisions)


def _tell(session: Session, broker: ReplayBroker, event: Event) -> None:
    """Something the venue says, and what is decided about it."""
    decisions = session.handle(event)
    if decisions:
        _carry(session, broker, decisions)


def _carry(session: Session, broker: ReplayBroker, decisions: Sequence[Decision]) -> None:
    """Carries the decisions out, and hears what the venue says at once."""
    for decision in decisions:
        match decision:
            case Submit(order):
                broker.submit(order)
            case Cancel(order_id):
                broker.cancel(order_id)
            case _:
                pass
    for event in broker.drain():
        _tell(session, broker, event)
