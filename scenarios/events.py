"""What happened in a scenario, in the order of its instants: what was opened and refused, what ended, who was told.

What is refused again and again is one line that lasts. Money is in account currency.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from scenarios.facts import Facts, Wish
from sim.report.words import money, plain

KINDS: Final = {
    "given": "held from the beginning", "open": "opened", "refused": "refused", "close": "closed or settled",
    "told": "alert to a person",
}  # fmt: skip
"""What may happen, in the words of the legend."""
ALIKE: Final = 0.01
LONG: Final = 150


@dataclass(frozen=True, slots=True)
class Event:
    """``ts`` UTC ns, ``price`` of what the scenario's path is of (NaN: unknown)."""

    ts: int
    kind: str
    text: str
    price: float


@dataclass(frozen=True, slots=True)
class Line:
    """An event in words: the first of those alike, when the last of them was, and how many there were."""

    first: Event
    until: int
    times: int


def price_at(facts: Facts, ts: int) -> float:
    """The path's last price then; NaN before it begins."""
    i = bisect_right(facts.path, ts, key=lambda point: point[0])
    return facts.path[i - 1][1] if i else float("nan")


def underlying(facts: Facts) -> str:
    """What the path is of: the underlying whose price the decisions saw there; empty where nobody looked."""
    for wish in facts.wishes:
        if _is_path(facts, wish):
            return wish.underlying
    return ""


def _is_path(facts: Facts, wish: Wish) -> bool:
    seen = price_at(facts, wish.ts)
    return abs(seen - wish.spot) <= ALIKE * abs(seen)


def events(facts: Facts) -> list[Event]:
    """All of them, in the order of their instants."""
    return sorted(_each(facts), key=lambda e: e.ts)


def lines(happened: Sequence[Event], most: int) -> tuple[list[Line], list[Line]]:
    """Those that are told, ``most`` of them, and the rest. Refusals and alerts alike are one line, other things only
    where they happen in one minute; alerts are left out first, then what came last."""
    found: dict[tuple[str, str, int], Line] = {}
    for e in happened:
        key = (e.kind, e.text, 0 if e.kind in ("refused", "told") else e.ts)
        old = found.get(key)
        found[key] = Line(e, e.ts, 1) if old is None else Line(old.first, e.ts, old.times + 1)
    everything = sorted(found.values(), key=lambda line: line.first.ts)
    if len(everything) <= most + 1:
        return everything, []
    kept = sorted(everything, key=lambda line: line.first.kind == "told")[:most]
    return [x for x in everything if x in kept], [x for x in everything if x not in kept]


def _each(facts: Facts) -> Iterator[Event]:
    for w in facts.wishes:
        what = f"{f'{w.quantity} x ' if w.quantity else ''}{_play(w.strategy, w.structure)}"
        if w.underlying not in what and w.underlying != underlying(facts):
            what = f"{what} in {w.underlying}"
        price = w.spot if _is_path(facts, w) else price_at(facts, w.ts)
        if w.given:
            yield Event(w.ts, "given", f"{what} held", price)
        elif w.approved:
            yield Event(w.ts, "open", f"{what} opens{f' {w.strikes}' if w.strikes else ''}", price)
        else:
            yield Event(w.ts, "refused", f"{what} refused by {w.rule}: {w.reason}", price)
    ended = set()
    for t in facts.trades:
        if t.closed_ns is not None:
            ended.add(t.closed_ns)
            what = f"{_play(t.strategy, t.structure)}: {_lower(plain(t.exit))}, {money(t.net, decimals=0)}"
            yield Event(t.closed_ns, "close", what, price_at(facts, t.closed_ns))
    for told in facts.told:
        if told.kind == "fill" or (told.kind != "alert" and told.ts in ended):
            continue
        text = told.text if len(told.text) <= LONG else f"{told.text[: LONG - 2].rstrip()} …"
        yield Event(told.ts, "told" if told.kind == "alert" else "close", text, price_at(facts, told.ts))


def _play(strategy: str, structure: str) -> str:
    """``zero_dte iron condor``; once where the two are the same word."""
    shape = _lower(plain(structure))
    return strategy if shape.lower() == strategy.lower() else f"{strategy} {shape}"


def _lower(text: str) -> str:
    return text if any(c.isupper() for c in text[1:]) else text[:1].lower() + text[1:]
