"""What is done to a simulated session: when, and what exactly, all drawn from its seed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, time
from decimal import Decimal
from typing import Final, Protocol

from adapters.emulator.emulator import Emulator
from adapters.emulator.exchange.listed import Sides
from adapters.emulator.exchange.order_json import Record
from adapters.emulator.exchange.profiles import Execution, MarketSimulator, Script, Scripted
from adapters.emulator.faults import Aim, Fault, Kind
from adapters.emulator.streams.stream_faults import FaultKind, StreamFault
from sim.calendar import Venue, at_ny, load_calendar
from sim.model.event import Word
from sim.model.market import MINUTE_NS

MS: Final = 1_000_000
PATIENCE_S: Final = 300.0
"""Seconds that the strategy lets an order wait."""
CALLS: Final = (
    ("*", "*"), ("POST", "/accounts/*orders"), ("POST", "/accounts/*orders/dry-run"), ("GET", "/accounts/*"),
    ("DELETE", "*"), ("PUT", "*"), ("GET", "/accounts/*/positions"), ("GET", "/accounts/*orders*"),
    ("POST", "/oauth/token"), ("GET", "/option-chains/*"), ("GET", "/api-quote-tokens"),
)  # fmt: skip
"""Whom a fault of REST is for."""
FRAMES: Final = {
    "account": ("", "Order", "Order", "CurrentPosition", "connect", "heartbeat"),
    "dxlink": ("", "FEED_DATA", "Quote", "Trade", "AUTH_STATE", "CHANNEL_OPENED", "KEEPALIVE"),
}
"""What the frames hold that a stream's fault is for."""

TWICE: Final = 2
"""Replacements that an order survives which never fills."""
MOST: Final = 6
"""How many of the next are looked at."""
NEVER: Final = 1 << 62
SUDDEN: Final = ("rest", "frames", "restarts", "expiries")
"""What may come while the market runs fast: it needs no fresh price before it."""


@dataclass(frozen=True, slots=True)
class Chances:
    """How often what goes wrong, a session. ``scripts``: the share of orders that do something else than fill at once
    where they can; the rest are numbers: faults of REST and of frames, restarts of a stream, deaths of the process,
    cert's resets, jumps of the machine's clock, tokens that expire, a full disk, words of a person, parts of a position
    that he closes on the platform, and shorts that are assigned early."""

    rest: float = 3.0
    frames: float = 2.0
    restarts: float = 1.0
    deaths: float = 0.7
    resets: float = 0.05
    jumps: float = 0.3
    expiries: float = 0.5
    full: float = 0.05
    words: float = 0.25
    scripts: float = 0.3
    closes: float = 0.0
    assigns: float = 0.0


CALM: Final = Chances(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
WILD: Final = Chances(5.0, 3.5, 1.7, 1.7, 0.02, 0.6, 1.2, 0.2, 0.4, 0.8, 0.1, 0.1)
BESIDE: Final = ("closes", "assigns")
"""What happens at the broker beside the session; drawn apart from the others."""
KINDS: Final = ("rest", "frames", "restarts", "deaths", "resets", "jumps", "expiries", "full", "words")


def chances_of(seed: int) -> Chances:
    """Three weeks of nine are wild."""
    return WILD if seed % 9 in (3, 4, 8) else Chances(closes=0.2, assigns=0.2)


class Struck(Protocol):
    """Whom it is done to."""

    @property
    def emulator(self) -> Emulator: ...
    def die(self, writes: int) -> None:
        """The process ends so many writes of its journal later."""

    def fill(self) -> None:
        """The disk takes the next write no more."""

    def skew(self, ns: int) -> None:
        """The machine's clock jumps."""

    def say(self, word: Word) -> None:
        """A person says something."""

    def resume(self) -> None:
        """A person takes back what stands, where anything does."""

    def wiped(self) -> None:
        """The broker has forgotten everything that was traded."""

    def beside(self, kind: str, draw: random.Random) -> None:
        """Something happens at the broker that the session has not asked for."""


@dataclass
class Exchanges(Scripted):
    """Orders with a script do what it says, all others fill at the market. One that never fills does where it has been
    replaced twice: it is walked to the market all day long otherwise."""

    market: MarketSimulator = field(default_factory=MarketSimulator)
    _forms: dict[str, set[int]] = field(default_factory=dict)
    """By the client's own identifier, every number that the broker gave an order."""

    def estimate(self, order: Record, sides: Sequence[Sides]) -> Decimal | None:
        return self._of(order).estimate(order, sides)

    def fill(self, order: Record, sides: Sequence[Sides], now: int) -> Execution | None:
        return self._of(order).fill(order, sides, now)

    def wakes(self, order: Record) -> int | None:
        return self._of(order).wakes(order)

    def rejects(self, order: Record) -> str | None:
        return self._of(order).rejects(order)

    def _of(self, order: Record) -> Scripted | MarketSimulator:
        name = order.ticket.external
        script = self.scripts.get(name)
        if script is None:
            return self.market
        if script.behavior == "never":
            forms = self._forms.setdefault(name, set())
            forms.add(order.id)
            if len(forms) > TWICE:
                return self.market
        return Scripted(scripts=self.scripts)


@dataclass
class Troubles:
    """``plan``: instants (UTC ns) and kinds that are still to come, in their order."""

    draw: random.Random
    chances: Chances
    dates: Sequence[date]
    seen: Counter[str]
    apart: random.Random = field(default_factory=lambda: random.Random(0))
    plan: list[tuple[int, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for day in self.dates:
            hours = load_calendar().session(Venue.US_EQUITY, day)
            minutes = int((hours.close_ns - hours.open_ns) // MINUTE_NS)
            for kind in KINDS:
                mean = getattr(self.chances, kind)
                for _ in range(int(mean) + (self.draw.random() < mean % 1)):
                    at = hours.open_ns + self.draw.randrange(1_000, minutes * 60_000) * MS
                    # Most of what is worth breaking happens around the entry.
                    if self.draw.random() < 0.4:
                        at = at_ny(day, time(10, 30)) + self.draw.randrange(-30_000, 90_000) * MS
                    self.plan.append((at, kind))
            for kind in BESIDE:
                if self.apart.random() < getattr(self.chances, kind):
                    # After the entry, and early enough to be seen.
                    at = at_ny(day, time(10, 35)) + self.apart.randrange(0, max(minutes - 120, 1) * 60_000) * MS
                    self.plan.append((at, kind))
            # In the morning a person looks, and resumes what was stopped.
            if self.chances != CALM:
                self.plan += [(hours.open_ns + 4 * MINUTE_NS, "resume"), (hours.open_ns + 5 * MINUTE_NS, "resume")]
        self.plan.sort()

    def script(self, order: str, units: int) -> Script | None:
        """What one order will do; None: fill where it can."""
        draw = self.draw
        if not draw.random() < self.chances.scripts:
            return None
        part = draw.randrange(1, units + 1)
        parts = (part, units - part) if part < units else (units,)
        self.seen["scripts"] += 1
        return draw.choice(
            (
                Script("never"), Script("reject"), Script("delayed", delay=draw.uniform(0.05, 0.5)),
                Script("delayed", delay=draw.uniform(0.5, 200.0)),
                # Just when it is cancelled or replaced, because it has waited long enough.
                Script("delayed", delay=PATIENCE_S + draw.uniform(-0.6, 0.6)),
                Script("partial", delay=PATIENCE_S + draw.uniform(-1.6, 0.6), parts=parts),
                Script("partial", delay=draw.uniform(0.0, 90.0), parts=parts),
                Script("partial", delay=draw.uniform(0.0, 3.0), parts=parts[:1]),
            )
        )  # fmt: skip

    def ahead(self, lead: int, *, resumes: bool) -> int:
        """From when on the next of them is to be waited for: ``lead`` ns before, where it is not sudden. ``resumes``:
        there is something that a person could take back."""
        coming = (
            at - (0 if kind in SUDDEN else lead)
            for at, kind in self.plan[:MOST] if kind != "resume" or resumes
        )  # fmt: skip
        return min(coming, default=NEVER)

    def strike(self, now: int, whom: Struck) -> list[str]:
        """Does what is due, and names it."""
        done = []
        while self.plan and self.plan[0][0] <= now:
            kind = self.plan.pop(0)[1]
            self.seen[kind] += 1
            self._strike(kind, whom)
            done.append(kind)
        return done

    def _strike(self, kind: str, whom: Struck) -> None:
        draw, em = self.draw, whom.emulator
        match kind:
            case "rest":
                what = draw.choice(list(Kind))
                self.seen[f"rest {what}"] += 1
                method, path = draw.choice(CALLS)
                # A reading is refused for a reason; without one only a server fails.
                statuses = (400, 403, 422) if method in ("POST", "PUT", "DELETE") and "orders" in path else ()
                status = draw.choice((*statuses, 401, 429, 500, 502, 503, 504))
                if path == "/oauth/token" and status < 429:
                    # It would mean that the credentials are wrong: the session would rightly end.
                    status = 503
                em.faults.add(
                    Fault(
                        what, method, path, Aim(times=draw.randrange(1, 4)), status=status,
                        seconds=draw.uniform(0.5, 20.0), virtual=True,
                    )
                )  # fmt: skip
            case "frames":
                stream, harm = draw.choice(tuple(FRAMES)), draw.choice(list(FaultKind))
                self.seen[f"frame {harm}"] += 1
                em.stream_faults[stream].add(
                    StreamFault(
                        harm, after=draw.randrange(3), times=draw.randrange(1, 3), match=draw.choice(FRAMES[stream]),
                        code=draw.choice((1001, 1006, 1011, 1012, 1013)),
                        error=draw.choice(("UNKNOWN", "UNAUTHORIZED", "TIMEOUT", "BAD_ACTION")),
                    )
                )  # fmt: skip
            case "restarts":
                em.streams.restart(draw.choice(("account", "dxlink")))
            case "deaths":
                whom.die(draw.randrange(1, 6))
            case "resets":
                em.reset()
                whom.wiped()
            case "jumps":
                # Mostly by seconds, as clocks are set; now and then by minutes, as after a wrong time zone's rescue.
                far = 200 if draw.random() < 0.2 else 1
                whom.skew(draw.randrange(-2_000, 4_000) * far * MS)
            case "expiries":
                em.doors.expire(quotes=draw.random() < 0.3)
            case "full":
                whom.fill()
            case "resume":
                whom.resume()
            case "closes" | "assigns":
                whom.beside(kind, self.apart)
            case "words":
                whom.say(draw.choice(tuple(Word)))
