"""Faults of a stream, by order and not by chance: what is to go wrong with which outgoing frame.

``StreamFaults`` is one list for all connections of a stream; each connection looks at it through an ``Outlet`` of its
own. Nothing here draws lots, so that a run can be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from adapters.tastytrade.transport import Closed
from sim.model.errors import ConfigError, similar
from sim.model.given import COUNT, FROM_ONE, Range, whole, word


class FaultKind(StrEnum):
    DROP = "drop"
    """The frame is not sent."""
    HALF = "half"
    """The first half of its characters is sent as a frame."""
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    """The frame comes after the next one."""
    SILENT = "silent"
    """From this frame on the connection says nothing, and stays open."""
    CLOSE = "close"
    """The connection is closed with ``code`` instead."""
    ERROR = "error"
    """An error frame comes before it."""


@dataclass(frozen=True, slots=True)
class StreamFault:
    """``after`` frames pass unharmed, then ``times`` frames are harmed. Only frames that hold ``match`` count."""

    kind: FaultKind
    after: int = 0
    times: int = 1
    match: str = ""
    code: int = 1012
    reason: str = ""
    error: str = "UNKNOWN"
    message: str = "Something went wrong."

    @staticmethod
    def of(given: Mapping[str, Any]) -> StreamFault:
        """From a request's body; ConfigError for a key or a value that does not fit."""
        known = ("kind", "after", "times", "match", "code", "reason", "error", "message")
        for name in given:
            if name not in known:
                raise ConfigError(f"fault has no {name!r}{similar(name, known)}: it takes {', '.join(known)}")
        kinds, kind = [str(k.value) for k in FaultKind], str(given.get("kind"))
        if kind not in kinds:
            raise ConfigError(f"fault.kind is {kind!r}{similar(kind, kinds)}: choose one of {', '.join(kinds)}")
        texts = {key: _text(key, given[key]) for key in ("match", "reason", "error", "message") if key in given}
        return StreamFault(
            FaultKind(kind),
            whole("fault.after", given.get("after", 0), COUNT),
            whole("fault.times", given.get("times", 1), FROM_ONE),
            code=whole("fault.code", given.get("code", 1012), Range(least=1000, most=4999)),
            **texts,
        )

    def record(self) -> dict[str, Any]:
        return {"kind": self.kind.value, "after": self.after, "times": self.times, "match": self.match,
                "code": self.code, "reason": self.reason, "error": self.error, "message": self.message}  # fmt: skip


def _text(key: str, value: Any) -> str:
    return word(f"fault.{key}", value) if value != "" else ""


class _Armed:
    __slots__ = ("fault", "harmed", "seen")

    def __init__(self, fault: StreamFault) -> None:
        self.fault, self.seen, self.harmed = fault, 0, 0

    def strikes(self, frame: str) -> bool:
        if self.fault.match not in frame:
            return False
        self.seen += 1
        if self.seen <= self.fault.after:
            return False
        self.harmed += 1
        return True

    @property
    def spent(self) -> bool:
        return self.harmed >= self.fault.times


class StreamFaults:
    """The faults that are still to come, first come first served; one frame meets one fault at most."""

    __slots__ = ("_armed",)

    def __init__(self, *faults: StreamFault) -> None:
        self._armed = [_Armed(fault) for fault in faults]

    def add(self, fault: StreamFault) -> None:
        self._armed.append(_Armed(fault))

    def arm(self, given: Mapping[str, Any]) -> None:
        """Adds one from a request's body."""
        self.add(StreamFault.of(given))

    def clear(self) -> None:
        self._armed.clear()

    def records(self) -> list[dict[str, Any]]:
        """The faults that are still to come, with what they have seen and harmed."""
        return [{**a.fault.record(), "seen": a.seen, "harmed": a.harmed} for a in self._armed]

    @property
    def pending(self) -> tuple[StreamFault, ...]:
        return tuple(a.fault for a in self._armed)

    def judge(self, frame: str) -> StreamFault | None:
        """The fault that the frame meets; None where it passes. Counts."""
        for armed in self._armed:
            if armed.strikes(frame):
                if armed.spent:
                    self._armed.remove(armed)
                return armed.fault
        return None


class Outlet:
    """One connection's way out. ``error_frame`` makes a frame of an error's name and message, as its protocol does."""

    __slots__ = ("_error_frame", "_faults", "_held", "_silent")

    def __init__(self, faults: StreamFaults, error_frame: Callable[[str, str], str]) -> None:
        self._faults, self._error_frame = faults, error_frame
        self._held: list[str] = []
        self._silent = False

    def frames(self, frame: str) -> list[str]:
        """What is really sent for this frame. ``Closed`` where the connection is to be closed instead."""
        if self._silent:
            return []
        fault = self._faults.judge(frame)
        if fault is None:
            out, self._held = [frame, *self._held], []
            return out
        match fault.kind:
            case FaultKind.DROP:
                return []
            case FaultKind.HALF:
                return [frame[: len(frame) // 2]]
            case FaultKind.DUPLICATE:
                return [frame, frame]
            case FaultKind.REORDER:
                self._held.append(frame)
                return []
            case FaultKind.SILENT:
                self._silent = True
                return []
            case FaultKind.ERROR:
                return [self._error_frame(fault.error, fault.message), frame]
            case FaultKind.CLOSE:
                raise Closed(fault.code, fault.reason)
