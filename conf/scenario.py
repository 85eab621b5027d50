"""``tomking scenario``: the suite that a trader runs before trusting a change.

tomking scenario list
tomking scenario run NAME|all|./mine.yaml [group=choice] [group.key=value] [--json]
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from conf import console
from conf.compose import home
from conf.options import Options
from conf.pool import spread
from conf.words import similar
from sim.model.errors import UsageError

if TYPE_CHECKING:
    from scenarios.judge import Outcome

WORDS: Final = ("list", "run", "august", "book")
PAGE: Final = "scenarios.html"


def command(args: Sequence[str]) -> int:
    """0 where all passed, 1 where one failed."""
    if not args or args[0] not in WORDS:
        wrong = f"{args[0]!r} is no word of it{similar(args[0], WORDS)}; " if args else ""
        raise UsageError(f"tomking scenario: {wrong}write list, run NAME|all, august, or book RUN behind it")
    word, rest = args[0], args[1:]
    if word == "list":
        return _list(Options.of(rest, flags=("json",)))
    if word == "august":
        return _august(Options.of(rest, flags=("json",)))
    return _run(Options.of(rest, flags=("json", "accept", "golden"), values=()))


def _list(options: Options) -> int:
    from scenarios.library import suite

    rows = [
        {"name": s.name, "kind": s.kind, "says": s.says, "given": dict(s.given), "expected": s.expected}
        for s in suite().values()
    ]
    if options.flag("json"):
        console.document({"scenarios": rows})
    else:
        wide = max(len(str(row["name"])) for row in rows)
        for row in rows:
            console.out(f"{row['name']:<{wide}}  {row['kind']:<5} {row['says']}")
    return 0


def _run(options: Options) -> int:
    if not options.overrides or "=" in options.overrides[0]:
        raise UsageError("write: tomking scenario run NAME|all|./mine.yaml; `tomking scenario list` has the names")
    from scenarios.library import chosen

    name, words = options.overrides[0], options.overrides[1:]
    found = chosen(name)
    outcomes = list(outcomes_of(name, list(found), words))
    failed = [o for o in outcomes if not o.passed]
    if options.flag("json"):
        console.document({"scenarios": [o.record() for o in outcomes]})
    else:
        _print(outcomes)
    return 1 if failed else 0


def _august(options: Options) -> int:
    """Four books through 5 August 2024; leaves a run of each, to be explained."""
    from conf import august

    found = august.books(home(), Path.cwd() / "runs")
    if options.flag("json"):
        console.document({"books": list(august.rows(found))})
        return 0
    for line in [*august.table(found), "", "What a broker would have bought back, the largest margin first:"]:
        console.out(line)
    for line in august.forced(found):
        console.out(f"  {line}")
    console.out("")
    for book in found:
        console.out(f"tomking explain {book.run} --date {august.DAY} --at 09:30")
    return 0


def outcomes_of(source: str, names: Sequence[str], words: Sequence[str]) -> Iterator[Outcome]:
    """Plays and judges scenarios in their order, on as many processors as there are."""
    yield from spread(_one, [(source, name, tuple(words), str(home())) for name in names])


def _one(job: tuple[str, str, tuple[str, ...], str]) -> Outcome:
    source, name, words, root = job
    from conf.playing import play
    from scenarios.judge import judge
    from scenarios.library import chosen

    scenario = chosen(source)[name]
    played = play(scenario, Path(root), words)
    return judge(scenario, played.facts, own=any(w.startswith("strategy=") for w in words))


def _print(outcomes: Sequence[Outcome]) -> None:
    wide = max(len(o.scenario.name) for o in outcomes)
    for o in outcomes:
        s = o.scenario
        wanted = "" if o.passed else f", wanted {s.expected}"
        came = ", ".join(v for k, v in o.came.items() if k in s.comes and v)
        verdict = "ok  " if o.passed else "FAIL"
        console.out(f"{verdict}  {s.name:<{wide}}  {o.actual}{wanted}" + (f": {came}" if came else ""))
        for line in o.failures:
            console.out(f"      {line}")
    failed = sum(not o.passed for o in outcomes)
    console.out(f"\n{len(outcomes)} scenarios, {f'{failed} failed' if failed else 'all passed'}")
