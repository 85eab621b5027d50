"""``/emulator/…``: the handles of this program, which the broker does not have: faults, the clock, tokens, reset.

No token is asked for: the server listens on this machine alone, and ``rest.app`` refuses pages of other sites before a
request comes here. Times are instants of the market.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from adapters.emulator.clock import VirtualClock
from adapters.emulator.exchange.profiles import Script
from adapters.emulator.exchange.ticket import BEHAVIORS
from adapters.emulator.faults import Fault, Faults
from adapters.emulator.rest.oauth import Doors
from adapters.emulator.rest.replies import Reply, Request, Routes, identifier, instant, items, not_found
from sim.calendar import ny
from sim.model.errors import ConfigError, similar
from sim.model.given import COUNT, FROM_ONE, POSITIVE, choice, flag, number, whole, word

LONGEST_STEP: Final = 366 * 86_400
"""Seconds that one step may take."""


class StreamFaults(Protocol):
    """The faults of one stream, which the stream itself understands."""

    def arm(self, given: Mapping[str, Any]) -> None:
        """From a request's body; ConfigError for what does not fit."""

    def clear(self) -> None: ...
    def records(self) -> Sequence[Mapping[str, Any]]: ...


Scripting = Callable[[str, Script], None]
"""Takes an order's external identifier and what that order will do."""


class Control:
    """The routes. ``tick`` lets the exchange and the streams see that time has moved, ``reset`` is cert's: orders,
    positions and transactions go, accounts stay. ``restart`` closes the connections of a stream, ``facts`` are shown
    under ``/emulator``."""

    __slots__ = ("_clock", "_doors", "_facts", "_faults", "_reset", "_restart", "_script", "_streams", "_tick")

    def __init__(
        self,
        clock: VirtualClock,
        faults: Faults,
        doors: Doors,
        *,
        tick: Callable[[], None],
        reset: Callable[[], None],
        script: Scripting,
        streams: Mapping[str, StreamFaults],
        restart: Callable[[str], None],
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        self._clock, self._faults, self._doors = clock, faults, doors
        self._tick, self._reset, self._script, self._restart = tick, reset, script, restart
        self._streams, self._facts = dict(streams), dict(facts or {})

    def add_to(self, routes: Routes) -> None:
        routes.add("GET", "/emulator", lambda _: Reply(data={**self._facts, "clock": self._now()}))
        routes.add("GET", "/emulator/faults", lambda _: items(self._faults.records()))
        routes.add("POST", "/emulator/faults", self.arm)
        routes.add("DELETE", "/emulator/faults", self.disarm_all)
        routes.add("DELETE", "/emulator/faults/{id}", self.disarm)
        routes.add("GET", "/emulator/streams/{stream}/faults", lambda r: items(self._stream(r).records()))
        routes.add("POST", "/emulator/streams/{stream}/faults", self.arm_stream)
        routes.add("DELETE", "/emulator/streams/{stream}/faults", self.disarm_stream)
        routes.add("POST", "/emulator/streams/{stream}/restart", self.restart_stream)
        routes.add("POST", "/emulator/scripts", self.script)
        routes.add("GET", "/emulator/clock", lambda _: Reply(data=self._now()))
        routes.add("POST", "/emulator/clock/step", self.step)
        routes.add("POST", "/emulator/clock/speed", self.speed)
        routes.add("POST", "/emulator/clock/pause", self.pause)
        routes.add("POST", "/emulator/clock/resume", self.resume)
        routes.add("POST", "/emulator/tokens/expire", self.expire)
        routes.add("POST", "/emulator/reset", self.reset)

    def arm(self, request: Request) -> Reply:
        made = self._faults.add(Fault.of(request.body))
        return Reply(201, next(row for row in self._faults.records() if row["id"] == made))

    def disarm_all(self, _: Request) -> Reply:
        self._faults.clear()
        return Reply(204)

    def disarm(self, request: Request) -> Reply:
        which = identifier(request.params["id"])
        if not self._faults.clear(which):
            raise not_found(f"a fault {which}; GET /emulator/faults lists them")
        return Reply(204)

    def arm_stream(self, request: Request) -> Reply:
        found = self._stream(request)
        found.arm(request.body)
        return Reply(201, {"items": list(found.records())})

    def disarm_stream(self, request: Request) -> Reply:
        self._stream(request).clear()
        return Reply(204)

    def restart_stream(self, request: Request) -> Reply:
        """Every connection of the stream is closed with 1012."""
        self._stream(request)
        self._restart(request.params["stream"])
        return Reply(204)

    def script(self, request: Request) -> Reply:
        """``{"external-identifier": "x", "behavior": "partial", "parts": [1, 2]}``: what the order of that identifier
        will do, under the profile scripted."""
        self._script(word("external-identifier", request.body.get("external-identifier")), _script(request.body))
        return Reply(204)

    def step(self, request: Request) -> Reply:
        """``{"seconds": 60}``, at most 366 days; everything that the step brings about has happened when this
        answers."""
        seconds = number("seconds", request.body.get("seconds"), COUNT)
        if seconds > LONGEST_STEP:
            raise ConfigError(f"seconds is {seconds:g}: wanted at most {LONGEST_STEP}, the 366 days of one step")
        self._clock.step(seconds)
        return self._moved()

    def speed(self, request: Request) -> Reply:
        """``{"speed": 60}``: virtual seconds a real one."""
        self._clock.accelerate(number("speed", request.body.get("speed"), POSITIVE))
        return self._moved()

    def pause(self, _: Request) -> Reply:
        self._clock.pause()
        return self._moved()

    def resume(self, _: Request) -> Reply:
        self._clock.resume()
        return self._moved()

    def expire(self, request: Request) -> Reply:
        """Every access token dies now; with ``{"quotes": true}`` the quote tokens too."""
        self._doors.expire(quotes=flag("quotes", request.body.get("quotes", False)))
        return Reply(204)

    def reset(self, _: Request) -> Reply:
        self._reset()
        return Reply(204)

    def _moved(self) -> Reply:
        self._tick()
        return Reply(data=self._now())

    def _now(self) -> dict[str, Any]:
        now = self._clock.now()
        return {
            "now": instant(now),
            "now-ns": now,
            "new-york": ny(now).isoformat(),
            "speed": self._clock.speed,
            "paused": self._clock.paused,
        }

    def _stream(self, request: Request) -> StreamFaults:
        name = request.params["stream"]
        found = self._streams.get(name)
        if found is None:
            known = ", ".join(self._streams) or "none"
            raise not_found(f"a stream {name!r}{similar(name, self._streams)}; here are {known}")
        return found


def _script(body: Mapping[str, Any]) -> Script:
    """ConfigError for a word or a number that does not fit. ``at`` is an instant of the market in UTC ns."""
    parts = body.get("parts") or []
    if not isinstance(parts, list):
        raise ConfigError(f"parts is {parts!r}: wanted a list of whole numbers, the units of each fill")
    return Script(
        choice("behavior", body.get("behavior", "immediate"), BEHAVIORS),
        number("delay", body.get("delay", 0), COUNT),
        whole("at", body.get("at", 0), COUNT),
        tuple(whole("parts", each, FROM_ONE) for each in parts),
        word("reason", body.get("reason", "Rejected by the script")),
    )
