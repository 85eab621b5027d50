"""A trade date on the wall clock: which one is on, who is to be called when, and what of that is due.

Wakes that were slept through are missed, not made up for; duties are done late, because they only close. A minute may
have been slept through over a restart, too: what an earlier life looked at is known from the journal. It decides
nothing else and reads no clock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sim.calendar import Session, Venue, load_calendar, ny
from sim.market import products
from sim.market.futures import future
from sim.model.market import MINUTE_NS
from sim.ports import Strategy

Wakes = Mapping[int, Sequence[str]]
"""Instants at which strategies want to be called, UTC ns, and which."""


@dataclass(frozen=True, slots=True)
class Due:
    """What a minute that has begun brings. ``missed``: wakes that were slept through, and whose; ``wake``: somebody is
    called in it, or a duty is to be done."""

    missed: tuple[tuple[int, str], ...]
    wake: bool


def due(turned: int, begun: int, wakes: Wakes, duties: Iterable[int], woken: int) -> Due:
    """At the minute ``begun``, where ``turned`` was the last one that was looked at; ``woken``: when somebody was last
    woken. All UTC ns."""
    missed = tuple((at, who) for at, names in wakes.items() if turned < at < begun for who in names)
    # A clock that was set back brings its minutes again, also over a restart: nobody enters twice.
    again = begun in wakes and begun <= woken
    wake = not again and (begun in wakes or any(turned < at <= begun for at in duties))
    return Due(missed, wake)


def looked_at(ticked: int, last: int, open_ns: int, settle_ns: int) -> int:
    """The column that an earlier life of this trade date looked at last: it ticks when a minute has settled. Where it
    never did, the one before it ended in. ``ticked`` and ``last``: when it ticked, and was told anything; UTC ns."""
    if ticked >= open_ns:
        return (ticked - settle_ns - open_ns) // MINUTE_NS
    return (last - open_ns) // MINUTE_NS - 1


def wakes_of(strategies: Sequence[Strategy], day: date) -> dict[int, list[str]]:
    out: dict[int, list[str]] = {}
    for strategy in strategies:
        hours = load_calendar().session(venue_of(strategy.underlyings[0]), day)
        for clock in strategy.wakes(day):
            out.setdefault(hours.at(clock), []).append(strategy.name)
    return out


def next_date(underlyings: Collection[str], now: int) -> tuple[date, Session]:
    """The trade date that is on or comes next, and from when to when any of the underlyings trades on it."""
    calendar, venues = load_calendar(), [venue_of(each) for each in underlyings]
    day = min(calendar.session_of(venue, now) for venue in venues)
    while (hours := whole(venues, day)).close_ns <= now:
        day = calendar.next_session(day)
    return day, hours


def venue_of(underlying: str) -> Venue:
    """Where an underlying trades."""
    return future(underlying).venue if products.is_future_root(underlying) else products.venue_of(underlying)


def whole(venues: Sequence[Venue], day: date) -> Session:
    """From the first opening to the last close of a trade date."""
    sessions = [load_calendar().session(venue, day) for venue in venues]
    first = min(sessions, key=lambda s: s.open_ns)
    last = max(sessions, key=lambda s: s.close_ns)
    return Session(
        day, first.venue, first.open_ns, last.close_ns, first.rth_open_ns, last.rth_close_ns, first.early_close
    )


def stamp(ns: int) -> str:
    """``10:31`` in New York."""
    return f"{ny(ns):%H:%M}"
