"""A session over a broker of the wire: its events in, what was decided out. A sketch of ``live``, and no more.

It keeps no journal on disk, reconnects nothing and watches nobody: it is there to show that the same session, engine,
gate and strategies that play history trade over a network without knowing it.
"""

from __future__ import annotations

from collections.abc import Sequence

from sim.daybook import DayBook
from sim.model.event import Cancel, Decision, Moment, SessionClosed, Submit
from sim.model.market import MINUTE_NS
from sim.ports import LiveBroker
from sim.session import Session


class Driver:
    """``column`` is what the broker is to know of the day: the last column that an instant (UTC ns) has reached."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.broker: LiveBroker | None = None
        self.decisions: list[Decision] = []

    def column(self, ts: int) -> int:
        return (ts - self.session.engine.desk.day.open_ns) // MINUTE_NS

    def begin(self, book: DayBook) -> None:
        self._carry(self.session.open(book))

    def moment(self, ts: int) -> None:
        """The minute ``ts`` is here: the strategies are asked."""
        self._carry(self.session.handle(Moment(ts, self.column(ts), wake=True)))

    def end(self) -> None:
        book = self.session.engine.desk.day
        ts = max(book.ts(book.minutes - 1), self.session.clock.now())
        self._carry(self.session.handle(SessionClosed(ts, book.session)))

    async def read(self) -> None:
        """Until it is cancelled, or the broker dies."""
        assert self.broker is not None
        while True:
            for event in await self.broker.events():
                self._carry(self.session.handle(event))

    def _carry(self, decisions: Sequence[Decision]) -> None:
        """Without a broker what is decided was sent by an earlier program: it is kept and goes nowhere."""
        self.decisions += decisions
        for decision in decisions:
            match decision:
                case Submit(order) if self.broker is not None:
                    self.broker.submit(order)
                case Cancel(order_id) if self.broker is not None:
                    self.broker.cancel(order_id)
                case _:
                    pass
