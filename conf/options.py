"""Flags and values among the overrides of a command, without a parser that would have to be imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from conf.words import similar
from sim.model.errors import UsageError


@dataclass(frozen=True, slots=True)
class Options:
    """``overrides`` are the words that are no option; the others by name, without their dashes."""

    overrides: tuple[str, ...]
    flags: frozenset[str]
    values: Mapping[str, str]

    @staticmethod
    def of(args: Sequence[str], *, flags: Sequence[str] = (), values: Sequence[str] = ()) -> Options:
        """UsageError for an option that the command does not have, or one that lacks its value."""
        rest: list[str] = []
        seen: set[str] = set()
        given: dict[str, str] = {}
        words = iter(args)
        for word in words:
            if not word.startswith("--"):
                rest.append(word)
                continue
            name, eq, value = word[2:].partition("=")
            if name in flags and not eq:
                seen.add(name)
            elif name in values:
                found = value if eq else next(words, None)
                if found is None:
                    raise UsageError(f"--{name} needs a value behind it")
                given[name] = found
            else:
                known = [*flags, *values]
                listed = ", ".join(f"--{k}" for k in known) or "none"
                raise UsageError(f"there is no option --{name}{similar(name, known)} here: this command has {listed}")
        return Options(tuple(rest), frozenset(seen), given)

    def flag(self, name: str) -> bool:
        return name in self.flags

    def value(self, name: str) -> str | None:
        return self.values.get(name)
