"""What must hold in a scenario: one small check a word, each with a line that says what was wanted and what came.

A line begins with the rule or the exit that should have acted, so that whoever broke one reads its name. Checks read
``Facts`` and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from typing import Any, Final

from scenarios.facts import Closed, Facts, Told, Wish, clock
from sim.calendar import ny, parse_time
from sim.model.errors import ConfigError
from sim.model.given import COUNT, PART, choice, mapping, number, optional, section, whole, word

NAMED: Final[Mapping[str, str]] = {"regime": "vix_regime", "buying_power": "buying_power", "grew": "margin"}
"""Checks that are about one thing, which their lines name."""


@dataclass(frozen=True, slots=True)
class Hold:
    """One expectation: the word of ``CHECKS``, what stands behind it, and the line it gives where it does not hold."""

    word: str
    given: Mapping[str, Any]
    check: Callable[[Facts], Iterator[str]]

    @property
    def rule(self) -> str:
        """The rule, exit or duty that it shows; empty where it shows none."""
        return str(self.given.get("rule") or self.given.get("exit") or NAMED.get(self.word, ""))

    @property
    def strategy(self) -> str:
        return str(self.given.get("strategy") or "")


def hold_of(key: str, value: Any) -> Hold:
    """From ``{refused: {rule: vix_regime}}``; ConfigError names the word or key that does not fit."""
    row = mapping(key, value)
    if len(row) != 1:
        raise ConfigError(f"{key} has {len(row)} words: wanted one of {', '.join(CHECKS)}")
    name, given = next(iter(row.items()))
    if name not in CHECKS:
        from sim.model.errors import similar

        raise ConfigError(f"{key} has no check {name!r}{similar(name, CHECKS)}: it takes {', '.join(CHECKS)}")
    given = {} if given is None else mapping(f"{key}.{name}", given)
    return Hold(name, given, CHECKS[name](f"{key}.{name}", given))


# --- the spans and counts that several of them take ------------------------------------------------------------------

_SPAN: Final = ("day", "from", "to")
_COUNT: Final = ("count", "least", "most")


@dataclass(frozen=True, slots=True)
class _Span:
    """A day, or every one; from a New York time to another, both included."""

    day: date | None
    begin: time
    end: time

    @staticmethod
    def of(key: str, row: Mapping[str, Any]) -> _Span:
        day = row.get("day")
        try:
            found = None if day is None else day if isinstance(day, date) else date.fromisoformat(str(day))
        except ValueError:
            raise ConfigError(f"{key}.day is {day!r}: wanted a date like 2024-08-05") from None
        begin, end = (
            default if row.get(name) is None else parse_time(row[name], f"{key}.{name}")
            for name, default in (("from", time(0, 0)), ("to", time(23, 59)))
        )
        if begin > end:
            raise ConfigError(f"{key} goes from {begin:%H:%M} to {end:%H:%M}: wanted the earlier one first")
        return _Span(found, begin, end)

    def has(self, ts: int) -> bool:
        return (self.day is None or ny(ts).date() == self.day) and self.begin <= clock(ts) <= self.end

    def __str__(self) -> str:
        day = "" if self.day is None else f" on {self.day}"
        whole_day = (self.begin, self.end) == (time(0, 0), time(23, 59))
        return day if whole_day else f"{day} from {self.begin:%H:%M} to {self.end:%H:%M}"


@dataclass(frozen=True, slots=True)
class _Count:
    least: int
    most: int | None

    @staticmethod
    def of(key: str, row: Mapping[str, Any]) -> _Count:
        exact = optional(whole, f"{key}.count", row.get("count"), COUNT)
        if exact is not None and not {"least", "most"}.isdisjoint(row):
            raise ConfigError(f"{key} has count and a bound beside it: wanted one or the other")
        if exact is not None:
            return _Count(exact, exact)
        most = optional(whole, f"{key}.most", row.get("most"), COUNT)
        least = optional(whole, f"{key}.least", row.get("least"), COUNT)
        return _Count(least if least is not None else 0 if most is not None else 1, most)

    def has(self, n: int) -> bool:
        return n >= self.least and (self.most is None or n <= self.most)

    def __str__(self) -> str:
        if self.most is None:
            return f"{self.least} or more"
        return f"{self.least}" if self.least == self.most else f"{self.least} to {self.most}"


def _bounded(key: str, *bounds: float | None) -> None:
    if all(bound is None for bound in bounds):
        raise ConfigError(f"{key} has neither least nor most: it would hold whatever came")


def _fits(row: Mapping[str, Any], given: Wish | Closed, *names: str) -> bool:
    return all(row.get(name) is None or getattr(given, name) == row[name] for name in names)


def _last(seen: Sequence[str]) -> str:
    return f"; what came: {seen[-1]}" if seen else "; nothing came"


def say(wish: Wish) -> str:
    """A decision in one line, with the market it was made in."""
    size = f"{wish.quantity} x " if wish.quantity else ""
    what = f"{size}{wish.strategy} {wish.structure}".strip()
    verdict = "opens" if wish.approved else f"refused by {wish.rule}: {wish.reason}"
    detail = f" ({wish.detail})" if wish.detail else ""
    seen = f"{wish.underlying} {wish.spot:,.2f}, {wish.move_pct:+.2f} %, VIX {wish.vix:.2f} {wish.label}".rstrip()
    return f"{ny(wish.ts):%Y-%m-%d %H:%M} {what} {verdict}{detail} [{seen}]"


def say_trade(trade: Closed) -> str:
    when = "open" if trade.closed_ns is None else f"closed {ny(trade.closed_ns):%Y-%m-%d %H:%M}"
    return f"{trade.strategy} {trade.structure} {when} by {trade.exit or 'nothing'}, {trade.net:+,.0f}"


# --- the checks ------------------------------------------------------------------------------------------------------

Check = Callable[[Facts], Iterator[str]]
_WISH: Final = ("strategy", "underlying", "structure")


def _refused(key: str, row: Mapping[str, Any]) -> Check:
    """A wish is refused, by that rule with that reason."""
    section(key, row, ("rule",), ("reason", *_WISH, *_SPAN, *_COUNT))
    span, count = _Span.of(key, row), _Count.of(key, row)

    def check(facts: Facts) -> Iterator[str]:
        about = [w for w in facts.wanted if _fits(row, w, *_WISH) and span.has(w.ts)]
        found = [w for w in about if not w.approved and _fits(row, w, "rule", "reason")]
        if not count.has(len(found)):
            reason = f" with {row['reason']!r}" if row.get("reason") else ""
            seen = _last([say(w) for w in about])
            yield f"rule {row['rule']}: wanted {count} refusals{reason}{span}, got {len(found)}{seen}"

    return check


def _opened(key: str, row: Mapping[str, Any]) -> Check:
    """So many wishes are approved."""
    section(key, row, (), ("rule", "quantity", "strikes", *_WISH, *_SPAN, *_COUNT))
    span, count = _Span.of(key, row), _Count.of(key, row)

    def check(facts: Facts) -> Iterator[str]:
        about = [w for w in facts.wanted if span.has(w.ts) and _fits(row, w, "strategy", "underlying")]
        found = [w for w in about if w.approved and _fits(row, w, "structure", "quantity", "strikes")]
        if not count.has(len(found)):
            what = " ".join(str(row[name]) for name in (*_WISH, "strikes") if row.get(name)) or "entries"
            rule = f"rule {row['rule']}: " if row.get("rule") else ""
            yield f"{rule}wanted {count} of {what}{span}, got {len(found)}{_last([say(w) for w in about])}"

    return check


def _closed(key: str, row: Mapping[str, Any]) -> Check:
    """So many trades end, by that exit, in that span."""
    section(key, row, (), ("exit", *_WISH, *_SPAN, *_COUNT))
    span, count = _Span.of(key, row), _Count.of(key, row)

    def check(facts: Facts) -> Iterator[str]:
        about = [t for t in facts.trades if _fits(row, t, *_WISH)]
        found = [t for t in about if t.closed_ns is not None and span.has(t.closed_ns) and _fits(row, t, "exit")]
        if not count.has(len(found)):
            exit_ = f"exit {row['exit']}: " if row.get("exit") else ""
            seen = _last([say_trade(t) for t in about])
            yield f"{exit_}wanted {count} trades to end{span}, got {len(found)}{seen}"

    return check


def _kept(key: str, row: Mapping[str, Any]) -> Check:
    """So many trades are still open in the end."""
    section(key, row, (), (*_WISH, *_COUNT))
    count = _Count.of(key, row)

    def check(facts: Facts) -> Iterator[str]:
        about = [t for t in facts.trades if _fits(row, t, *_WISH)]
        found = [t for t in about if t.closed_ns is None]
        if not count.has(len(found)):
            yield f"wanted {count} trades open in the end, got {len(found)}" + _last([say_trade(t) for t in about])

    return check


def _quiet(key: str, row: Mapping[str, Any]) -> Check:
    """No fill in that span."""
    section(key, row, (), ("rule", *_SPAN))
    span = _Span.of(key, row)

    def check(facts: Facts) -> Iterator[str]:
        found = [t for t in facts.told if t.kind == "fill" and span.has(t.ts)]
        if found:
            rule = f"rule {row['rule']}: " if row.get("rule") else ""
            yield f"{rule}wanted no fill{span}, got {ny(found[0].ts):%H:%M} {found[0].text}"

    return check


def _alert(key: str, row: Mapping[str, Any]) -> Check:
    """A person is told, in words that hold these."""
    section(key, row, ("says",), ("rule", *_SPAN, *_COUNT))
    span, count, says = _Span.of(key, row), _Count.of(key, row), word(f"{key}.says", row["says"])

    def check(facts: Facts) -> Iterator[str]:
        about: list[Told] = [t for t in facts.told if t.kind == "alert" and span.has(t.ts)]
        found = [t for t in about if says in t.text]
        if not count.has(len(found)):
            rule = f"rule {row['rule']}: " if row.get("rule") else ""
            seen = _last([t.text for t in about])
            yield f"{rule}wanted {count} alerts that say {says!r}{span}, got {len(found)}{seen}"

    return check


def _loss(key: str, row: Mapping[str, Any]) -> Check:
    """The largest share of the account that is lost at any minute."""
    section(key, row, (), ("rule", "least", "most"))
    least, most = (optional(number, f"{key}.{name}", row.get(name), PART) for name in ("least", "most"))
    _bounded(key, least, most)

    def check(facts: Facts) -> Iterator[str]:
        if most is not None and not facts.worst <= most:
            rule = f"rule {row['rule']}: " if row.get("rule") else ""
            yield f"{rule}wanted at most {most:.1%} of the account lost at any minute, got {facts.worst:.1%}"
        if least is not None and not facts.worst >= least:
            yield f"wanted at least {least:.1%} of the account lost at some minute, got {facts.worst:.1%}"

    return check


def _regime(key: str, row: Mapping[str, Any]) -> Check:
    """The VIX regime that the wishes of that span saw."""
    section(key, row, ("label",), ("rule", *_SPAN))
    span, label = _Span.of(key, row), word(f"{key}.label", row["label"])

    def check(facts: Facts) -> Iterator[str]:
        about = [w for w in facts.wanted if span.has(w.ts)]
        wrong = [w for w in about if w.label != label]
        if wrong or not about:
            yield f"rule vix_regime: wanted {label}{span}" + _last([say(w) for w in wrong])

    return check


def _buying_power(key: str, row: Mapping[str, Any]) -> Check:
    """The most buying power that is used at a night, a share of net liquidation then."""
    section(key, row, (), ("least", "most", "day"))
    day = _Span.of(key, row).day
    low, high = (optional(number, f"{key}.{name}", row.get(name), COUNT) for name in ("least", "most"))
    _bounded(key, low, high)

    def check(facts: Facts) -> Iterator[str]:
        nights = [n for n in facts.nights if day is None or n.session == day]
        used = max((n.bp_used / n.nlv for n in nights if n.nlv > 0), default=float("nan"))
        if (high is not None and not used <= high) or (low is not None and not used >= low):
            wanted = " and ".join(f"{w} {x:.0%}" for w, x in (("at least", low), ("at most", high)) if x is not None)
            when = "" if day is None else f" on {day}"
            yield f"rule buying_power: wanted {wanted} of net liquidation used{when}, got {used:.1%}"

    return check


def _grew(key: str, row: Mapping[str, Any]) -> Check:
    """Buying power used by the same book grows by that factor from one night to another."""
    section(key, row, ("day", "until", "times"))
    times = number(f"{key}.times", row["times"], COUNT)
    first, last = (_Span.of(key, {"day": row[name]}).day for name in ("day", "until"))

    def check(facts: Facts) -> Iterator[str]:
        used = {n.session: n.bp_used for n in facts.nights}
        grown = used.get(last, float("nan")) / used.get(first, float("nan")) if first and last else float("nan")
        if not grown >= times:
            yield f"margin: wanted {times:g} times the buying power of {first} on {last}, got {grown:.2f} times"

    return check


def _told(key: str, row: Mapping[str, Any]) -> Check:
    """So many fills, settlements or assignments, in words that hold these."""
    section(key, row, ("kind",), ("says", *_SPAN, *_COUNT))
    span, count = _Span.of(key, row), _Count.of(key, row)
    choice(f"{key}.kind", row["kind"], ("fill", "settled", "alert", "refused"))

    def check(facts: Facts) -> Iterator[str]:
        about = [t for t in facts.told if t.kind == row["kind"] and span.has(t.ts)]
        found = [t for t in about if str(row.get("says") or "") in t.text]
        if not count.has(len(found)):
            says = f" that say {row['says']!r}" if row.get("says") else ""
            yield f"wanted {count} of kind {row['kind']}{says}{span}, got {len(found)}" + _last([t.text for t in about])

    return check


CHECKS: Final[Mapping[str, Callable[[str, Mapping[str, Any]], Check]]] = {
    "refused": _refused, "opened": _opened, "closed": _closed, "kept": _kept, "quiet": _quiet, "alert": _alert,
    "loss": _loss, "regime": _regime, "buying_power": _buying_power, "grew": _grew, "told": _told,
}  # fmt: skip


def always(facts: Facts) -> Iterator[str]:
    """What holds in any weather: the book is there, no entry beyond its cap, no fill on quotes that stood still."""
    for wish in facts.wishes:
        if wish.given and not wish.approved:
            yield f"book: a position that is given could not be opened: {say(wish)}"
    watched = facts.trades or facts.path  # a tape of the wire has neither: it tells of its acts alone
    for name in sorted({wish.strategy for wish in facts.wishes if watched and wish.given and wish.approved}):
        wanted = sum(wish.given and wish.approved and wish.strategy == name for wish in facts.wishes)
        there = sum(trade.strategy == name for trade in facts.trades)
        if there < wanted:
            yield f"book: {wanted} positions of {name} are given, {there} found a market to be opened in"
    for wish in facts.wanted:
        if wish.approved and wish.bp_after == wish.bp_after and wish.bp_after > wish.cap + 1e-9:
            yield f"rule buying_power: an entry to {wish.bp_after:.1%}, cap {wish.cap:.1%}: {say(wish)}"
    for told in facts.told:
        if told.kind == "fill" and any(a <= told.ts < b for a, b in facts.frozen):
            yield f"rule freshness: a fill on quotes that stood still: {ny(told.ts):%Y-%m-%d %H:%M} {told.text}"
