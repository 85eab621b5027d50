"""``tomking scenario august``: four books of 1-1-2 through 5 August 2024, on the same weather, at four moments.

Of each: what it had lost, what it used, what the rules would have done had they been asked, and what a broker would
have bought back. Every number is read from a state that ``tomking explain RUN --date D --at T`` shows again. What is
told of that day (the PDF's 28, 47 and 58 % of 530,000 pounds) stands beside the model; nothing is tuned to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, time
from pathlib import Path
from typing import Any, Final

from conf.backtest import backtest
from conf.playing import Played, config_of, play
from conf.pool import spread
from conf.state import State
from scenarios.august import Day, Held, Stand
from scenarios.facts import Facts
from scenarios.library import suite
from scenarios.scenario import Scenario
from sim.calendar import at_ny, ny

NAME: Final = "AUGUST_5_RECREATION"
DAY: Final = date(2024, 8, 5)
BOOKS: Final[Mapping[str, tuple[int, int, str]]] = {
    "historic": (6, 4, "6 positions of 4 units: what was held"),
    "hard-cap": (3, 4, "3 of 4 units: the cap of 3 correlated positions"),
    "limit-a1": (2, 4, "2 of 4 units: the limit of group A1"),
    "single": (2, 1, "2 of 1 unit: sized by the rules"),
}
"""Positions, units in each, and what the book stands for (rulebook 6.4)."""
TOLD: Final[Mapping[str, float]] = {"09:30": -0.28, "10:30": -0.47, "close": -0.58}
"""What is told of the historic book (rulebook 6.1), shares of the account."""
PICTURE: Final = (date(2024, 8, 2), time(13, 0)), (DAY, time(16, 15))
"""From where to where the path is drawn, New York."""
PRINTED: Final = time(8, 33)
"""When VIX printed its high of the day."""
VARIANTS: Final = ("bare", "exits", "duties")


@dataclass(frozen=True, slots=True)
class Saved:
    """The same book with something that acts: what it had lost in the end (a share), what acted when, and its run."""

    lost: float
    acted: tuple[str, ...]
    run: str = ""


@dataclass(frozen=True, slots=True)
class Book:
    """One row of the table. ``states`` at the moments; ``exits`` with the play's own on, ``duties`` the account's."""

    name: str
    says: str
    start: float
    states: tuple[State, ...]
    label: str
    exits: Saved
    duties: Saved
    lesson: str
    violations: tuple[str, ...]
    currency: str
    path: tuple[tuple[int, float, float], ...]
    run: str = ""

    def share(self, state: State) -> float:
        """Won or lost since the beginning, a share of the account."""
        return state.nlv / self.start - 1.0


def books(root: Path, runs: Path | None = None) -> list[Book]:
    """The four books. ``runs``: a folder that gets a run of each and of each way, to be explained."""
    jobs = [(name, str(root), None if runs is None else str(runs)) for name in BOOKS]
    return list(spread(_book, jobs))


def of(name: str, variant: str) -> tuple[Scenario, tuple[str, ...]]:
    """The scenario of a book, and the words that make the variant of it."""
    count, units, _ = BOOKS[name]
    scenario = suite()[NAME]
    held = {**scenario.book[0], "count": count, "units": units}
    if variant == "exits":
        del held["exits"]
    words = ("rules.duties.enabled=true",) if variant == "duties" else ()
    return replace(scenario, book=(held,)), words


def _book(job: tuple[str, str, str | None]) -> Book:
    """One book in every variant, on one market."""
    name, root, runs = job
    played: dict[str, Played] = {}
    folders = dict.fromkeys(VARIANTS, "")
    for variant in VARIANTS:
        scenario, words = of(name, variant)
        played[variant] = play(scenario, Path(root), words)
        if runs is not None:
            folders[variant] = str(_run(name, variant, Path(root), Path(runs)))
    bare = played["bare"].facts
    return Book(
        name, BOOKS[name][2], bare.start_nlv, played["bare"].states, bare.ladder,
        _saved(played["exits"].facts, folders["exits"]), _saved(played["duties"].facts, folders["duties"]),
        bare.lesson, bare.violations, bare.currency, bare.path, folders["bare"],
    )  # fmt: skip


def _run(name: str, way: str, root: Path, runs: Path) -> Path:
    scenario, words = of(name, way)
    config = config_of(scenario, ["report=none", *words])
    config["strategy"] = {**config["strategy"], "name": f"august-{name}" if way == "bare" else f"august-{name}-{way}"}
    folder, _, _ = backtest(config, root, runs, quiet=True)
    return folder


def _saved(facts: Facts, run: str) -> Saved:
    acted = [(trade.closed_ns, str(trade.exit)) for trade in facts.trades if trade.closed_ns is not None]
    acted += [
        (told.ts, told.text.split(":")[0])
        for told in facts.told
        if told.kind == "alert" and ":" in told.text and not told.text.startswith("warning")
    ]
    texts = dict.fromkeys(f"{ny(ts):%d %b %H:%M} {what}" for ts, what in sorted(acted))
    return Saved(1.0 - facts.nights[-1].nlv / facts.start_nlv, tuple(texts), run)


def rows(found: Sequence[Book]) -> Iterator[dict[str, Any]]:
    """For JSON: one a book and moment."""
    for book in found:
        for state in book.states:
            forced = state.liquidation
            yield {
                "book": book.name, "says": book.says, "moment": state.name, "at": ny(state.ts).isoformat(),
                "es": round(next(iter(state.spots.values())), 2), "vix": round(state.vix, 2),
                "pnl": round(state.nlv - book.start), "pct": round(100 * book.share(state), 1),
                "pct_bought_back": round(100 * (state.natural / book.start - 1), 1),
                "told_pct": _tenth(told_of(book, state)),
                "bp_used": _whole(state.bp_used), "bp_used_pct_of_nlv": _whole(100 * state.bp_used / state.nlv),
                "broker_buys": None if forced is None else len(forced.bought),
                "broker_pays": None if forced is None else round(float(sum(b.cost for b in forced.bought))),
                "broker_beyond_mid": None if forced is None else round(float(sum(b.beyond_mid for b in forced.bought))),
                "run": book.run,
            }  # fmt: skip


def _whole(value: float) -> int | None:
    """Rounded; None where it is not known."""
    return None if value != value else round(value)


def _tenth(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def day(found: Sequence[Book]) -> Day:
    """What the picture and the page are made of."""
    from sim.market.reference import spx_shock_days, vix_daily

    historic = found[0]
    begin, end = (at_ny(on, at) for on, at in PICTURE)
    vix = next(bar for bar in vix_daily() if bar.date == DAY)
    index = next(bar for bar in spx_shock_days() if bar.date == DAY)
    return Day(
        start=historic.start, currency=historic.currency, books=tuple(_held(book) for book in found),
        path=tuple(point for point in historic.path if begin <= point[0] <= end),
        printed=(at_ny(DAY, PRINTED), vix.high), index=(index.open, index.low, index.close),
        forced=tuple(forced(found)), acted=tuple(acted(found)), explained=tuple(explained(found)),
    )  # fmt: skip


def _held(book: Book) -> Held:
    stands = []
    for state in book.states:
        told = told_of(book, state)
        stands.append(
            Stand(state.name, state.ts, book.share(state), state.bp_used, None if told is None else told / 100)
        )
    exits, duties = (
        f"{-100 * x.lost:+.0f} %: {x.acted[0] if x.acted else 'nothing'}" for x in (book.exits, book.duties)
    )
    return Held(book.says, tuple(stands), book.label, exits, duties)


def explained(found: Sequence[Book]) -> list[str]:
    """The commands that show the states of each book."""
    looks = [
        (run, at)
        for book in found
        for run, at in ((book.run, "09:30"), (book.exits.run, "16:00"), (book.duties.run, "16:00"))
    ]
    return [f"tomking explain {run} --date {DAY} --at {at}" for run, at in looks if run]


def told_of(book: Book, state: State) -> float | None:
    """What is told of that book at that moment, per cent."""
    return 100 * TOLD[state.name] if book.name == "historic" and state.name in TOLD else None


def table(found: Sequence[Book]) -> list[str]:
    """The table in Markdown, as the README has it."""
    moments = [state.name for state in found[0].states]
    out = [
        "| book | " + " | ".join(moments) + " | in the end | its own exits | the duties |",
        "|---" * (len(moments) + 4) + "|",
    ]
    for book in found:
        cells = [f"{100 * book.share(s):+.0f} % ({s.bp_used / 1000:,.0f}k)" for s in book.states]
        acted = ((-100 * x.lost, x.acted[0] if x.acted else "nothing") for x in (book.exits, book.duties))
        saved = [f"{lost:+.0f} %: {first}" for lost, first in acted]
        out.append("| " + " | ".join([book.says, *cells, book.label or "no step", *saved]) + " |")
    told = [f"{100 * TOLD[m]:+.0f} %" if m in TOLD else "" for m in moments]
    out.append("| *as it is told* | " + " | ".join(told) + " | | | |")
    return out


def acted(found: Sequence[Book]) -> list[str]:
    """Everything that acted where something could, in time order, a line a book and way."""
    return [
        f"{book.name:<9} {way:<10} {-100 * saved.lost:+.0f} %: {', '.join(saved.acted) or 'nothing acted'}"
        for book in found
        for way, saved in (("own exits", book.exits), ("duties", book.duties))
    ]


def saved(found: Sequence[Book]) -> Iterator[dict[str, Any]]:
    """For JSON: what acted, one a book."""
    for book in found:
        ways = {
            way: {"pct": round(-100 * each.lost, 1), "acted": list(each.acted), "run": each.run}
            for way, each in (("exits", book.exits), ("duties", book.duties))
        }
        yield {"book": book.name, "in_the_end": book.label or None, **ways}


def forced(found: Sequence[Book]) -> list[str]:
    """What a broker would have bought back, a line a book and moment."""
    out = []
    for book in found:
        for state in book.states:
            f = state.liquidation
            if f is None or not f.bought:
                continue
            pays, beyond = sum(b.cost for b in f.bought), sum(b.beyond_mid for b in f.bought)
            end = f"leaves {f.nlv:,.0f}" if f.enough else f"leaves {f.nlv:,.0f}, and it is not enough"
            what = f"{len(f.bought)} of {len(state.trades)} positions for {pays:,.0f}, {beyond:,.0f} of it beyond mid"
            out.append(f"{book.name:<9} {state.name:<12} {what}; {end}")
    return out
