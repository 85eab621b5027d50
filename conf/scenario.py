"""``tomking scenario``: the suite that a trader runs before trusting a change.

tomking scenario list
tomking scenario run NAME|all|./mine.yaml [group=choice] [group.key=value] [--book FILE] [--json]
tomking scenario run NAME|all --golden      against the results that are kept; --accept keeps those of now
tomking scenario august                     four books through 5 August 2024
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from conf import console
from conf.compose import home
from conf.options import Options
from conf.pool import spread
from conf.words import similar
from sim.clock import WallClock
from sim.model.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    from scenarios.facts import Facts
    from scenarios.judge import Outcome
    from scenarios.scenario import Scenario

NOTHING: Final[Mapping[str, Sequence[str]]] = {}
WORDS: Final = ("list", "run", "august", "book")
BROUGHT: Final = ("market", "book")
"""What a scenario has of its own, so that a word about it would be lost."""
PAGE: Final = "scenarios.html"
AUGUST_PAGE: Final = "august.html"
PICTURE: Final = "august-5.svg"
"""Beside the page; the README's is this one."""


def command(args: Sequence[str]) -> int:
    """0 where all passed, 1 where one failed."""
    if not args or args[0] not in WORDS:
        wrong = f"{args[0]!r} is no word of it{similar(args[0], WORDS)}; " if args else ""
        raise UsageError(f"tomking scenario: {wrong}write list, run NAME|all, august, or book RUN behind it")
    word, rest = args[0], args[1:]
    if word == "list":
        return _list(_alone(word, Options.of(rest, flags=("json",))))
    if word == "book":
        from conf.revaluing import command as revalue

        return revalue(rest)
    if word == "august":
        return _august(_alone(word, Options.of(rest, flags=("json",))))
    return _run(Options.of(rest, flags=("json", "accept", "golden"), values=("book",)))


def _alone(word: str, options: Options) -> Options:
    """UsageError for words behind one that takes none: they would change nothing."""
    if options.overrides:
        raise UsageError(f"tomking scenario {word} takes no {options.overrides[0]!r}: leave it out")
    return options


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
    if own := next((w for w in words if w.split("=")[0].split(".")[0] in BROUGHT), None):
        raise UsageError(f"{own}: a scenario brings its own market and book; write another, or use --book")
    if options.value("book") is not None and (options.flag("golden") or options.flag("accept")):
        raise UsageError("--golden and --accept are about the suite as it is: leave --book out")
    if options.flag("golden") or options.flag("accept"):
        return _goldens(name, list(found), words, accept=options.flag("accept"), as_json=options.flag("json"))
    held = options.value("book")
    unfit = _unfit(found, words)
    outcomes = list(outcomes_of(name, list(found), words, held, unfit))
    failed = [o for o in outcomes if not o.passed]
    from scenarios.page import render

    page = _written("scenarios", {PAGE: render(outcomes, words, own=held is not None or _own(words))})
    if options.flag("json"):
        console.document({"scenarios": [o.record() for o in outcomes], "page": str(page)})
    else:
        _print(outcomes, own=held is not None or _own(words))
        for word in words:
            if without := sum(word in each for each in unfit.values()):
                has = "has" if without == 1 else "have"
                console.out(f"{without} of them {has} no {word.partition('=')[0]} and went without it")
        console.out(str(page))
    return 1 if failed else 0


def _unfit(scenarios: Mapping[str, Scenario], words: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """By scenario the words about a strategy's key that nothing of it has; UsageError for one that fits nowhere."""
    from conf.playing import unfit

    found = {name: unfit(scenario, words) for name, scenario in scenarios.items()}
    for word in words:
        if all(word in each for each in found.values()):
            what = "no scenario" if len(found) > 1 else next(iter(found))
            raise UsageError(f"{word}: {what} plays nothing that has this key")
    return found


def _written(name: str, files: Mapping[str, str]) -> Path:
    """A folder of the current one's ``runs`` with these files; the path of the first. DataError where none can be."""
    from sim.report.folder import RunFolder

    when = datetime.fromtimestamp(WallClock().now() / 1e9, UTC)
    folder = RunFolder(Path.cwd() / "runs" / f"{when:%Y-%m-%d}" / f"{when:%H%M%S}-{name}")
    for file, content in files.items():
        folder.text(file, content)
    return folder.close() / next(iter(files))


def _own(words: Sequence[str]) -> bool:
    """Whether another strategy plays than the scenarios'."""
    return any(w.startswith("strategy=") for w in words)


def _goldens(source: str, names: Sequence[str], words: Sequence[str], *, accept: bool, as_json: bool) -> int:
    """Compares with what is kept, or keeps what came."""
    from conf import goldens

    if words or source.endswith((".yaml", ".yml")):
        raise UsageError("--golden and --accept are about the suite as it is: leave the other words out")
    found = list(goldens.goldens(names, home()))
    if accept and (red := goldens.red(found)):
        raise CheckFailed(f"nothing was kept: {', '.join(red)} failed; `tomking scenario run NAME` says why")
    if accept:
        changed = goldens.accept(found)
    else:
        changed = [f"{g.name}.{g.player}" for g in found if g.difference]
        changed += [f"{name}.shock" for name in goldens.changed_shocks(found)]
    if as_json:
        rows = [{"name": g.name, "player": g.player, "difference": g.difference} for g in found]
        console.document({"goldens": rows, "kept": changed if accept else []})
        return 0 if accept or not changed else 1
    for g in found:
        if g.difference:
            console.out(f"{'kept' if accept else 'FAIL'}  {g.name}: {g.difference}")
    for name in (each for each in changed if each.endswith(".shock")):
        console.out(f"{'kept' if accept else 'FAIL'}  {name}: its worst minute is another")
    done = "kept anew" if accept else "differ from what is kept"
    console.out(f"{len(found)} results, {len(changed)} {done}")
    return 0 if accept or not changed else 1


def _august(options: Options) -> int:
    """Four books through 5 August 2024; leaves a run of each, to be explained."""
    from conf import august

    found = august.books(home(), Path.cwd() / "runs")
    day = august.day(found)
    from scenarios.august import page, picture

    path = _written("august", {AUGUST_PAGE: page(day), PICTURE: picture(day)})
    if options.flag("json"):
        console.document({"books": list(august.rows(found)), "saved": list(august.saved(found)), "page": str(path)})
        return 0
    for line in [*august.table(found), "", "What a broker would have bought back, the largest margin first:"]:
        console.out(line)
    for line in august.forced(found):
        console.out(f"  {line}")
    console.out("")
    console.out("What acts where something may, and what the account has lost in the end:")
    for line in august.acted(found):
        console.out(f"  {line}")
    console.out("")
    for line in august.explained(found):
        console.out(line)
    console.out(str(path))
    return 0


def outcomes_of(
    source: str,
    names: Sequence[str],
    words: Sequence[str],
    book: str | None = None,
    without: Mapping[str, Sequence[str]] = NOTHING,
) -> Iterator[Outcome]:
    """Plays and judges scenarios in their order, on as many processors as there are. ``without``: words that a scenario
    is played without, by its name."""
    from scenarios.judge import judge
    from scenarios.library import chosen

    own, scenarios = book is not None or _own(words), chosen(source)
    jobs = [
        (source, name, tuple(w for w in words if w not in without.get(name, ())), str(home()), book) for name in names
    ]
    for name, facts in zip(names, spread(_one, jobs), strict=True):
        yield judge(scenarios[name], facts, own=own)


def _one(job: tuple[str, str, tuple[str, ...], str, str | None]) -> Facts:
    source, name, words, root, book = job
    from conf.playing import play
    from scenarios.library import book_of_file, chosen

    held = None if book is None else book_of_file(Path(book).expanduser())
    return play(chosen(source)[name], Path(root), words, held).facts


def _print(outcomes: Sequence[Outcome], *, own: bool) -> None:
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
    many = "1 scenario" if len(outcomes) == 1 else f"{len(outcomes)} scenarios"
    idle = sum(not o.facts.wanted for o in outcomes) if own else 0
    left = f"; in {idle} of them nothing was wanted, so they say little" if idle else ""
    console.out(f"\n{many}, {f'{failed} failed' if failed else 'all passed'}{left}")
