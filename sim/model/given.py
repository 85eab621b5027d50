"""What a configuration gives, read by whoever owns the value.

A value that does not fit is a ``ConfigError`` of one line: the key, what stands there, and what was wanted. Nothing is
guessed: no text is a number, ``true`` is not 1, and NaN is no number at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from math import isfinite
from typing import Any, Final, TypeVar

from sim.model.errors import ConfigError, similar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Range:
    """The numbers that make sense, None for no bound: ``least`` and ``most`` included, ``above`` and ``below`` not."""

    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None

    def has(self, value: float) -> bool:
        return (
            (self.least is None or value >= self.least)
            and (self.most is None or value <= self.most)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )

    def __str__(self) -> str:
        if self.least is not None and self.most is not None:
            return f" from {self.least:g} to {self.most:g}"
        words = (("above", self.above), ("from", self.least), ("at most", self.most), ("below", self.below))
        said = [f"{word} {bound:g}{' on' if word == 'from' else ''}" for word, bound in words if bound is not None]
        return " " + ", ".join(said) if said else ""


ANY: Final = Range()
POSITIVE: Final = Range(above=0)
COUNT: Final = Range(least=0)
"""Nothing is enough."""
FROM_ONE: Final = Range(least=1)
SHARE: Final = Range(above=0, most=1)
PART: Final = Range(least=0, most=1)
"""A share that may be nothing."""


def number(key: str, value: Any, within: Range = ANY) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or not within.has(value):
        raise ConfigError(f"{key} is {value!r}: wanted a {'finite ' if within == ANY else ''}number{within}")
    return float(value)


def whole(key: str, value: Any, within: Range = ANY) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not within.has(value):
        raise ConfigError(f"{key} is {value!r}: wanted a whole number{within}")
    return value


def amount(key: str, value: Any, within: Range = ANY) -> Decimal:
    """A number as the decimal that was written: 0.1 is a tenth."""
    number(key, value, within)
    return Decimal(str(value))


def flag(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"{key} is {value!r}: wanted true or false")
    return value


def word(key: str, value: Any) -> str:
    """A text that says something. YAML reads ON, NO and 5 as something else than a text."""
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{key} is {value!r}: wanted a word, in quotes where YAML takes it for something else")
    return value


def choice(key: str, value: Any, known: Iterable[str]) -> str:
    """One of the words in ``known``."""
    known = tuple(known)
    if value not in known:
        raise ConfigError(f"{key} is {value!r}{similar(str(value), known)}: choose one of {', '.join(known)}")
    return str(value)


def items(key: str, value: Any, wanted: str) -> Sequence[Any]:
    """A list, which may be empty; ``wanted`` says of what, with an example."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ConfigError(f"{key} is {value!r}: wanted {wanted}")
    return value


def words(key: str, value: Any) -> tuple[str, ...]:
    """A list of words, which may be empty."""
    found = items(key, value, "a list of words, like [ES, MES]")
    return tuple(word(f"{key}[{i}]", each) for i, each in enumerate(found))


def mapping(key: str, value: Any) -> Mapping[str, Any]:
    """Keys and values; which keys there are is free."""
    if not isinstance(value, Mapping):
        raise ConfigError(f"{key} is {value!r}: wanted keys and values")
    return {str(k): v for k, v in value.items()}


def section(key: str, value: Any, needs: Iterable[str], may: Iterable[str] = ()) -> Mapping[str, Any]:
    """Keys and values with every key of ``needs``, and no other but those of ``may``."""
    needs = tuple(needs)
    known = (*needs, *may)
    if not isinstance(value, Mapping):
        raise ConfigError(f"{key} is {value!r}: wanted keys and values: {', '.join(known)}")
    given = mapping(key, value)
    if unknown := [k for k in given if k not in known]:
        raise ConfigError(f"{key} has no {unknown[0]!r}{similar(unknown[0], known)}: it takes {', '.join(known)}")
    if missing := [k for k in needs if k not in given]:
        raise ConfigError(f"{key} needs {missing[0]!r}, which is not set: it takes {', '.join(known)}")
    return given


def optional(read: Callable[..., T], key: str, value: Any, *within: Any) -> T | None:
    """What ``read`` makes of the value; None where it is null."""
    return None if value is None else read(key, value, *within)


def rows(key: str, value: Any, wanted: str) -> list[Sequence[Any]]:
    """A list of rows, each as wide as ``wanted`` says: ``[from, units]`` is two."""
    found, wide = list(items(key, value, f"rows of {wanted}")), wanted.count(",") + 1
    bad = [row for row in found if isinstance(row, str) or not isinstance(row, Sequence) or len(row) != wide]
    if not found or bad:
        raise ConfigError(f"{key} {f'has {bad[0]!r}' if bad else f'is {value!r}'}: wanted rows of {wanted}")
    return found


def steps(
    key: str, value: Any, wanted: str, read: Callable[[str, Any], T], start: Range = COUNT
) -> tuple[tuple[Decimal, T], ...]:
    """Rows of [from, something], rising: the last one that is reached holds. ``read`` makes the second of a row."""
    out = []
    for i, (least, then) in enumerate(rows(key, value, wanted)):
        out.append((amount(f"{key}[{i}]", least, start), read(f"{key}[{i}]", then)))
    rising(key, [least for least, _ in out])
    return tuple(out)


def rising(key: str, values: Sequence[Any]) -> None:
    """ConfigError unless each value is above the one before it."""
    for one, two in pairwise(values):
        if not one < two:
            raise ConfigError(f"{key} has {two} after {one}: wanted rising values")
