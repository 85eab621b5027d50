"""Which classes a journal may hold, and what they are called there.

A dataclass or an Enum: one of ours by its name alone, one of a user by ``module:Class``. Refuses every other class, and
to import what was not named: a journal that somebody else has written must not be able to run anything.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import fields
from enum import Enum
from functools import cache
from importlib import import_module
from inspect import Parameter, signature
from types import ModuleType
from typing import Any, Final

from sim.model.instrument import OptionContract, Product, Series

OWN: Final = (
    "sim.model.instrument", "sim.model.market", "sim.model.exits", "sim.model.defence", "sim.model.order",
    "sim.model.fill", "sim.model.event", "sim.model.past", "sim.model.book", "live.inputs",
)  # fmt: skip
"""The modules whose classes go by their names alone; the first that has a name owns it."""
NUMBERED: Final = (OptionContract, Series, Product)
"""They are written by number, and made by the codec itself."""
SHOWN: Final = 120
"""Characters of a foreign text that an error repeats."""


class Unfit(Exception):
    """What does not fit; ``steps`` lead to it, the last one first."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.steps: list[str] = []

    def at(self, step: str) -> Unfit:
        self.steps.append(step)
        return self

    def __str__(self) -> str:
        return f"{''.join(reversed(self.steps))}{': ' if self.steps else ''}{self.args[0]}"


def short(what: object) -> str:
    """A foreign text in one short line."""
    text = " ".join(str(what).split())
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def kept(kind: type) -> bool:
    """Whether a journal may hold such values."""
    return kind not in NUMBERED and (issubclass(kind, Enum) or "__dataclass_fields__" in vars(kind))


@cache
def _own() -> dict[str, type]:
    found: dict[str, type] = {}
    for module in OWN:
        for name, each in vars(import_module(module)).items():
            if isinstance(each, type) and each.__module__ == module and kept(each):
                found.setdefault(name, each)
    return found


def tag_of(kind: type) -> str:
    """What a class is called. ``Unfit`` where it is none for a journal, or would not be found by that."""
    tag = _tag(kind)
    if not kept(kind):
        raise Unfit(f"a {tag} is none of the values that a journal keeps")
    if _found(tag) is not kind:
        raise Unfit(f"{tag} could not be found again: define it at the top of a module")
    return tag


def class_of(tag: str, modules: Collection[str] = ()) -> type:
    """The class that is called so. One of a user must be loaded, or its module named in ``modules``."""
    if type(tag) is not str:
        raise Unfit(f"{short(tag)} is no name of a class")
    module, _, path = tag.partition(":")
    if module in modules and module not in sys.modules:
        try:
            import_module(module)
        except ImportError as error:
            raise Unfit(f"{short(tag)} cannot be imported ({short(error)})") from None
    found = _found(tag)
    if found is None and not path:
        raise Unfit(f"{short(tag)} is no class of this version")
    if found is None and module not in sys.modules:
        raise Unfit(f"{short(tag)} is not loaded: configure the strategy that it belongs to")
    if found is None or not kept(found) or _tag(found) != tag:
        raise Unfit(f"{short(tag)} is no dataclass: nothing else is made from a journal")
    return found


def _tag(kind: type) -> str:
    name = kind.__qualname__
    return name if _own().get(name) is kind else f"{kind.__module__}:{name}"


def _found(tag: str) -> type | None:
    """What stands in a loaded module by that name. No attribute is asked for: to ask may be to run."""
    if (own := _own().get(tag)) is not None:
        return own
    module, _, path = tag.partition(":")
    found: Any = sys.modules.get(module)
    for part in path.split("."):
        found = vars(found).get(part) if issubclass(type(found), ModuleType | type) else None
    return found if isinstance(found, type) else None


_TAKEN: Final[dict[type, tuple[str, ...]]] = {}


def takes(kind: type) -> tuple[str, ...]:
    """The fields of a dataclass that its constructor takes; ``Unfit`` where it takes anything else."""
    if (known := _TAKEN.get(kind)) is not None:
        return known
    names = tuple(each.name for each in fields(kind) if each.init)
    wanted = signature(kind).parameters
    odd = [p.name for p in wanted.values() if p.name not in names and p.default is Parameter.empty]
    odd += [name for name in names if name not in wanted]
    if odd:
        raise Unfit(f"{_tag(kind)} has a constructor of its own ({odd[0]}): wanted a dataclass as it is made")
    _TAKEN[kind] = names
    return names
