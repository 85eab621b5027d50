"""``tomking account``: the live book of a running session, or of the broker where none runs; and a person's commands.

``show`` and ``reconcile`` read. ``stop``, ``resume``, ``cancel`` and ``flatten`` are told to the session, each after a
question, flatten after two. Without a session ``show`` has the broker's own word, and ``flatten`` closes what the
sandbox's account holds; production is flattened by a session that is armed, and by no other way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from conf import console
from conf.manual import chosen, sessions
from conf.options import Options
from conf.reach import ADAPTERS
from conf.words import similar
from live.control import Running, ask, snapshot_of
from sim.model.errors import UsageError

TELLS: Final = {"stop": "stop entries", "resume": "resume", "cancel": "cancel all", "flatten": "flatten"}
WORDS: Final = ("show", "reconcile", *TELLS)
UNASKED: Final = (
    "it asks before it does anything, and nobody is here to ask: add --yes, where it asks twice --yes --yes"
)
LOCKED: Final = (
    "production is flattened by a session that is armed with its two keys: `tomking live` and then `tomking account"
    " flatten`, or the broker's own platform"
)


def command(args: Sequence[str]) -> int:
    """0; 1 where books and broker differ; 2 where it was not done."""
    yes = list(args).count("--yes")
    options = Options.of(args, flags=("json", "yes"), values=("session",))
    if not options.overrides or options.overrides[0] not in WORDS:
        given = f"{options.overrides[0]!r}{similar(options.overrides[0], WORDS)}" if options.overrides else "no word"
        raise UsageError(f"account: {given}; wanted one of {', '.join(WORDS)}")
    word, *rest = options.overrides
    adapter = _adapter(rest)
    as_json, wanted = options.flag("json"), options.value("session")
    if wanted or sessions(None, adapter):
        strange = [each for each in rest if not each.startswith("adapter=")]
        if strange:
            raise UsageError(f"{strange[0]!r} means nothing to a session that runs; leave it away")
        return _with(chosen(wanted, adapter), word, yes, as_json=as_json)
    return _without(adapter, word, rest, yes, as_json=as_json)


def _adapter(words: Sequence[str]) -> str | None:
    chosen_ = [word.partition("=")[2] for word in words if word.startswith("adapter=")]
    if chosen_ and chosen_[-1] not in ADAPTERS:
        known = ", ".join(ADAPTERS)
        raise UsageError(f"adapter={chosen_[-1]} is none{similar(chosen_[-1], ADAPTERS)}: wanted one of {known}")
    return chosen_[-1] if chosen_ else None


# --- a session --------------------------------------------------------------------------------------------------------


def _with(session: Running, word: str, yes: int, *, as_json: bool) -> int:
    match word:
        case "show":
            answer = ask(session.path, {"do": "snapshot"})
            if as_json:
                console.document({"session": session.id, "snapshot": answer["snapshot"]})
            else:
                from live.screen import text

                console.out(text(snapshot_of(answer)).rstrip())
            return 0
        case "reconcile":
            answer = ask(session.path, {"do": "reconcile"})
            differences = answer["differences"]
            if as_json:
                console.document({"session": session.id, "differences": differences, "snapshot": answer["snapshot"]})
            else:
                console.out("\n".join(differences) or "the books agree with the broker's word")
            return 1 if differences else 0
    return _tell(session, TELLS[word], yes, as_json=as_json)


def _tell(session: Running, word: str, yes: int, *, as_json: bool) -> int:
    """One command, as often confirmed as the session wants it."""
    confirm = 0
    while True:
        answer = ask(session.path, {"do": "word", "word": word, "confirm": confirm})
        if "said" in answer:
            if as_json:
                console.document({"session": session.id, "said": answer["said"]})
            else:
                console.out(str(answer["said"]))
            return 0
        if not agreed(str(answer["asks"]), confirm, yes, again=confirm > 0):
            console.note("nothing was done")
            return 2
        confirm += 1


def agreed(question: str, asked: int, yes: int, *, again: bool) -> bool:
    """Whether the person says yes to the next question; ``asked`` were answered before, ``yes`` were given
    beforehand."""
    if asked < yes:
        console.note(f"{question}: yes")
        return True
    if not console.interactive():
        raise UsageError(f"{question}: {UNASKED}")
    return console.ask(f"once more, are you sure: {question}?" if again else f"{question}?")


# --- no session -------------------------------------------------------------------------------------------------------


def _without(adapter: str | None, word: str, words: Sequence[str], yes: int, *, as_json: bool) -> int:
    if adapter is None:
        raise UsageError("no session runs: start one with `tomking paper`, or say where: adapter=sandbox or"
                         " adapter=production")  # fmt: skip
    if adapter == "emulator":
        raise UsageError("no session runs on adapter=emulator, and an emulator of its own would hold nothing: start one"
                         " with `tomking paper`")  # fmt: skip
    if word == "flatten":
        if adapter == "production":
            raise UsageError(LOCKED)
        from conf.closing import flatten

        return asyncio.run(flatten(adapter, list(words), yes, as_json=as_json))
    if word != "show":
        raise UsageError(f"account {word} is for a session, and none runs on adapter={adapter}: start it again with"
                         " --resume RUN, which reconciles first")  # fmt: skip
    return asyncio.run(_show(adapter, [each for each in words if not each.startswith("adapter=")], as_json=as_json))


async def _show(adapter: str, words: Sequence[str], *, as_json: bool) -> int:
    from conf.closing import account_of, shown_of
    from conf.reach import reach

    async with reach(adapter, words) as there:
        number = await account_of(there)
        snapshot, positions = await shown_of(there, number)
    if as_json:
        import msgspec

        plain: Any = msgspec.json.decode(msgspec.json.encode(snapshot))
        held = [{"symbol": symbol, "quantity": str(n)} for symbol, n in positions.items()]
        console.document({"session": None, "snapshot": plain, "positions": held})
        return 0
    from live.screen import text

    lines = [f"- {n:+f} {symbol}" for symbol, n in positions.items()] or ["  none"]
    console.out(text(snapshot).rstrip() + "\n\nPOSITIONS, the broker's word\n" + "\n".join(lines))
    return 0
