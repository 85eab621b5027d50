"""What the broker answers instead of what was asked: one exception that the routes and the exchange share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sim.model.errors import TomkingError


class Refusal(TomkingError):
    """HTTP status, code (a word, rarely a number), message. ``errors`` are nested: ``{code, message}`` or ``{domain,
    reason}``; ``data`` stands beside the error where the wire sends both (a dry run that fails its margin check)."""

    exit_code = 4

    def __init__(
        self, status: int, code: str | int, message: str, errors: Sequence[Mapping[str, Any]] = (), data: Any = None
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message, self.errors, self.data = status, code, message, tuple(errors), data

    @property
    def body(self) -> dict[str, Any]:
        """The whole JSON body of the answer."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.errors:
            error["errors"] = list(self.errors)
        return {"error": error} if self.data is None else {"data": self.data, "error": error}
