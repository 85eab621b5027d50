"""Requests as the routes see them, replies as they give them, and the registry that joins the two.

A route is a method, a pattern of raw path segments and a function from ``Request`` to ``Reply``; it knows no socket and
no framework. Whatever the broker would refuse is raised as ``Refusal``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from decimal import Decimal
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from adapters.emulator.refusal import Refusal
from sim.calendar import ny
from sim.model.instrument import plain

_INDEX: Final = re.compile(r"\[\d*\]$")
MAX_PER_PAGE: Final = 2000


def invalid(domain: str, reason: str) -> Refusal:
    """400 validation_error of one parameter or one key of the body."""
    return Refusal(400, "validation_error", "Request validation failed", ({"domain": domain, "reason": reason},))


def not_found(what: str) -> Refusal:
    return Refusal(404, "record_not_found", f"Couldn't find {what}")


def identifier(text: str) -> int:
    """The number of a record, as a path names it; ``Refusal`` 404 for what is none."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise not_found(f"a record {text}")
    return int(text)


class Query:
    """The query of a request. An array may be written ``key[]=a&key[]=b``, ``key=a&key=b`` or ``key=a,b``."""

    __slots__ = ("_values",)

    def __init__(self, text: str) -> None:
        self._values: dict[str, list[str]] = {}
        for key, value in parse_qsl(text, keep_blank_values=True):
            self._values.setdefault(_INDEX.sub("", key), []).append(value)

    def one(self, key: str) -> str | None:
        """The last value of a key; None where it is absent or empty."""
        found = self._values.get(key)
        return found[-1] or None if found else None

    def many(self, key: str) -> tuple[str, ...]:
        """Every value of an array."""
        parts = (part.strip() for value in self._values.get(key, ()) for part in value.split(","))
        return tuple(part for part in parts if part)

    def mapping(self, arrays: Iterable[str] = ()) -> dict[str, object]:
        """Every key with its value, with a list where it came more than once or is one of ``arrays``."""
        lists = set(arrays)
        found: dict[str, object] = {}
        for key, values in self._values.items():
            if key in lists:
                found[key] = list(self.many(key))
            elif values[-1]:
                found[key] = values[-1] if len(values) == 1 else list(values)
        return found

    def flag(self, key: str) -> bool | None:
        """``true`` or ``false``; None where the key is absent. Refusal for anything else."""
        value = self.one(key)
        if value is None:
            return None
        if value.lower() not in ("true", "false"):
            raise invalid(key, "does not have a valid value")
        return value.lower() == "true"

    def whole(self, key: str, usual: int, least: int, most: int) -> int:
        """A whole number from ``least`` to ``most``; ``usual`` where it is absent."""
        value = self.one(key)
        if value is None:
            return usual
        if not re.fullmatch(r"\d{1,9}", value) or not least <= int(value) <= most:
            raise invalid(key, "does not have a valid value")
        return int(value)


@dataclass(frozen=True, slots=True)
class Request:
    """One call. ``path`` is raw, as it came; ``params`` are the decoded segments of the pattern's names."""

    method: str
    path: str
    query: Query
    headers: Mapping[str, str]
    body: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    version: int | None = None
    """The date of ``Accept-Version`` as a number, 20251101."""

    @property
    def account(self) -> str:
        """The account that the path names."""
        return self.params["account"]


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered. ``data`` goes into the wrapper, ``bare`` is sent as it stands, both None is an empty body.
    ``slices`` are in place of ``data`` the same as JSON, made while it is sent."""

    status: int = 200
    data: Any = None
    bare: Mapping[str, Any] | None = None
    page: Mapping[str, Any] | None = None
    context: bool = True
    slices: Iterator[str] | None = None


def items(rows: Iterable[Mapping[str, Any]]) -> Reply:
    """A list without pages."""
    return Reply(data={"items": list(rows)})


def paged(request: Request, rows: Sequence[Mapping[str, Any]], usual: int, most: int = MAX_PER_PAGE) -> Reply:
    """The page that the query asks for. ``page-offset`` counts pages, not rows."""
    size = request.query.whole("per-page", usual, 1, most)
    number = request.query.whole("page-offset", 0, 0, 10**9 - 1)
    shown = rows[number * size : (number + 1) * size]
    page = {
        "per-page": size,
        "page-offset": number,
        "item-offset": number * size,
        "total-items": len(rows),
        "total-pages": -(-len(rows) // size),
        "current-item-count": len(shown),
        "previous-link": None,
        "next-link": None,
        "paging-link-template": None,
    }
    return Reply(data={"items": list(shown)}, page=page)


Handler = Callable[[Request], Reply]


Found = tuple["Route", Mapping[str, str]]
"""A route, and the decoded values of its names."""
KINDS: Final = 256
"""Of methods and numbers of segments, and of paths that are kept: more are no client's."""


@dataclass(frozen=True, slots=True)
class Route:
    """``pattern``: segments between slashes, ``{name}`` for any one, ``{name*}`` last for all that is left. ``public``
    needs no token."""

    method: str
    pattern: tuple[str, ...]
    handler: Handler
    public: bool = False


class Routes:
    """Routes by method and number of segments; a literal segment goes before a named one."""

    __slots__ = ("_apt", "_known", "_routes", "_sorted")

    def __init__(self) -> None:
        self._routes: dict[tuple[str, tuple[str, ...]], Route] = {}
        self._sorted: list[Route] | None = None
        self._apt: dict[tuple[str, int], list[Route]] = {}
        self._known: dict[tuple[str, str], Found] = {}
        """What was asked for before."""

    def add(self, method: str, pattern: str, handler: Handler, *, public: bool = False) -> None:
        """Adds a route; a method and pattern that are there already are replaced."""
        parts = tuple(pattern.strip("/").split("/"))
        self._routes[method, parts] = Route(method, parts, handler, public)
        self._sorted = None
        self._apt.clear()
        self._known.clear()

    @property
    def all(self) -> Sequence[Route]:
        """In the order in which they are tried."""
        if self._sorted is None:
            self._sorted = sorted(self._routes.values(), key=_precedence)
        return self._sorted

    def match(self, method: str, path: str) -> Found | None:
        """The route of a raw path; None where there is none."""
        if (known := self._known.get((method, path))) is not None:
            return known
        segments = path.strip("/").split("/")
        for route in self._of(method, len(segments)):
            if (found := _match(route.pattern, segments)) is not None:
                if len(self._known) < KINDS:
                    self._known[method, path] = route, found
                return route, found
        return None

    def _of(self, method: str, segments: int) -> list[Route]:
        """Those that may match a path of so many segments, in their order."""
        found = self._apt.get((method, segments))
        if found is None:
            found = [route for route in self.all if route.method == method and _takes(route.pattern, segments)]
            if len(self._apt) < KINDS:
                self._apt[method, segments] = found
        return found


def _precedence(route: Route) -> list[tuple[bool, bool, str]]:
    return [(part.endswith("*}"), part.startswith("{"), part) for part in route.pattern]


def _takes(pattern: tuple[str, ...], segments: int) -> bool:
    return len(pattern) == segments or (len(pattern) < segments and pattern[-1].endswith("*}"))


def _match(pattern: tuple[str, ...], segments: Sequence[str]) -> Mapping[str, str] | None:
    found = {}
    for i, part in enumerate(pattern):
        if part.endswith("*}"):
            found[part[1:-2]] = unquote("/".join(segments[i:]))
        elif part.startswith("{"):
            found[part[1:-1]] = unquote(segments[i])
        elif part != segments[i]:
            return None
    return found


def decimal(value: Decimal | float | int) -> str:
    """A decimal as the wire writes it: without exponent, with at least one digit after the point. ``60.0``."""
    text = plain(Decimal(repr(value)) if isinstance(value, float) else Decimal(value))
    return text if "." in text else f"{text}.0"


def instant(ns: int) -> str:
    """An instant as the wire writes it: ``2024-07-19T14:00:00.000+00:00``."""
    return f"{ny(ns).astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{ns // 1_000_000 % 1000:03d}+00:00"
