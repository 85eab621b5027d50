"""``/market-time``: sessions and holidays, from the project's calendar at the world's instant."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time, timedelta
from functools import partial
from typing import Any, Final

from adapters.emulator.rest.replies import Reply, Request, Routes, instant, invalid, items
from adapters.emulator.world import World
from sim.calendar import Session, Venue, at_ny

COLLECTIONS: Final[Mapping[str, Venue]] = {
    "Equity": Venue.US_EQUITY, "CME": Venue.GLOBEX_EQUITY, "Smalls": Venue.GLOBEX_EQUITY, "CFE": Venue.CBOE_INDEX,
}  # fmt: skip
EARLY: Final = time(8, 15)
LATE: Final = time(20)
LONGEST: Final = timedelta(days=9 * 31)


class MarketTime:
    """The session routes of a world."""

    __slots__ = ("_world",)

    def __init__(self, world: World) -> None:
        self._world = world

    def add_to(self, routes: Routes) -> None:
        routes.add("GET", "/market-time/sessions", self.sessions)
        routes.add("GET", "/market-time/sessions/current", self.current)
        routes.add("GET", "/market-time/equities/holidays", self.holidays)
        routes.add("GET", "/market-time/futures/holidays/{collection}", self.holidays)
        routes.add("GET", "/market-time/futures/sessions/current", self.futures)
        for which in ("current", "next", "previous"):
            routes.add("GET", f"/market-time/equities/sessions/{which}", partial(self.one, which, "Equity"))
            routes.add("GET", f"/market-time/futures/sessions/{which}/{{collection}}", partial(self.one, which, None))

    def sessions(self, request: Request) -> Reply:
        """The sessions of one collection between two dates, both included."""
        query, name = request.query, request.query.one("instrument-collection") or "Equity"
        venue = _venue(name)
        start, end = (_date(key, query.one(key)) for key in ("from-date", "to-date"))
        if end < start or end - start > LONGEST:
            raise invalid("to-date", "does not have a valid value")
        days = self._world.calendar.sessions(venue, start, end)
        return items(self._shown(name, day) for day in days)

    def current(self, request: Request) -> Reply:
        wanted = request.query.many("instrument-collections")
        if not wanted:
            raise invalid("instrument-collections", "is missing")
        return items(self._current(name) for name in wanted)

    def futures(self, _: Request) -> Reply:
        return items(self._current(name) for name in ("CFE", "CME", "Smalls"))

    def one(self, which: str, name: str | None, request: Request) -> Reply:
        whole = self._current(name or request.params["collection"])
        return Reply(data=whole if which == "current" else whole[f"{which}-session"])

    def holidays(self, request: Request) -> Reply:
        """Of all that the calendar holds. Holidays of futures are those on which stocks are closed."""
        if "collection" in request.params:
            _venue(request.params["collection"])
        calendar = self._world.calendar
        first, last = calendar.dates[0], calendar.dates[-1]
        span = (first + timedelta(days=n) for n in range((last - first).days + 1))
        named = [day for day in span if day.weekday() < 5 and calendar.name_of(day)]
        return Reply(data={
            "market-half-days": [str(day) for day in named if calendar.is_session(day)],
            "market-holidays": [str(day) for day in named if not calendar.is_session(day)],
        })  # fmt: skip

    def _current(self, name: str) -> dict[str, Any]:
        venue, calendar, now = _venue(name), self._world.calendar, self._world.now()
        day = calendar.session_of(venue, now)
        hours = calendar.session(venue, day)
        start, late = _edges(name, hours)
        if hours.is_open(now):
            state = "Open"
        elif start <= now < hours.open_ns:
            state = "Pre-market"
        else:
            state = "Extended" if late is not None and hours.close_ns <= now < late else "Closed"
        return {
            **self._shown(name, day),
            "state": state,
            "next-session": self._shown(name, calendar.next_session(day)),
            "previous-session": self._shown(name, calendar.previous_session(day)),
        }

    def _shown(self, name: str, day: date) -> dict[str, Any]:
        hours = self._world.calendar.session(_venue(name), day)
        start, late = _edges(name, hours)
        row = {
            "instrument-collection": name,
            "session-date": str(day),
            "start-at": instant(start),
            "open-at": instant(hours.open_ns),
            "close-at": instant(hours.close_ns),
        }
        return row if late is None else {**row, "close-at-ext": instant(late)}


def _venue(name: str) -> Venue:
    if name not in COLLECTIONS:
        raise invalid("instrument-collection", "does not have a valid value")
    return COLLECTIONS[name]


def _edges(name: str, hours: Session) -> tuple[int, int | None]:
    """When a session begins before its opening, and when its extended hours end, if it has such."""
    if name != "Equity":
        return hours.open_ns, None
    return at_ny(hours.date, EARLY), at_ny(hours.date, LATE)


def _date(key: str, text: str | None) -> date:
    if text is None:
        raise invalid(key, "is missing")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise invalid(key, "does not have a valid value") from None
