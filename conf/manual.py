"""``tomking manual``: orders by hand while the broker is away. What is typed here goes into a running session.

A session in manual mode shows each order as a ticket to type into another platform. ``fill`` tells what became of it,
``closed`` what was closed elsewhere without one, ``quote`` what the market is, ``positions`` and ``line`` what the
account holds, which is compared and never booked.
"""

from __future__ import annotations

from collections.abc import Sequence

from conf import console
from conf.compose import home
from conf.options import Options
from conf.words import similar
from live.control import Running, ask, running
from live.keyboard import WORDS
from sim.model.errors import UsageError

HERE = ("on", *WORDS)
START = "start one with `tomking paper`"


def command(args: Sequence[str]) -> int:
    """Prints what the session answers."""
    options = Options.of(args, flags=("json",), values=("session",))
    if not options.overrides:
        raise UsageError(f"manual needs a word: {', '.join(HERE)}; `tomking manual --help` has examples")
    word, *rest = options.overrides
    if word not in HERE:
        raise UsageError(f"manual has no word {word!r}{similar(word, HERE)}: wanted {', '.join(HERE)}")
    session = chosen(options.value("session"))
    answer = ask(session.path, {"do": f"manual {word}", "words": rest})
    if options.flag("json"):
        console.document({"session": session.id, "said": answer["said"]})
    else:
        console.out(str(answer["said"]))
    return 0


def chosen(wanted: str | None, adapter: str | None = None) -> Running:
    """The session that is meant, by the beginning of its id, or the only one; of this adapter where one is named.
    UsageError where none is, or several are."""
    found = sessions(wanted, adapter)
    if not found:
        which = f" {wanted!r}" if wanted else ""
        on = f" on adapter={adapter}" if adapter else ""
        raise UsageError(f"no session{which}{on} runs here: {START}, or look at TOMKING_HOME, which is {home()}")
    if len(found) > 1:
        raise UsageError(f"{len(found)} sessions run: say which with --session ID: {'; '.join(map(str, found))}")
    return found[0]


def sessions(wanted: str | None, adapter: str | None = None) -> list[Running]:
    """Those that run, of these."""
    return [
        each
        for each in running(home())
        if (not wanted or each.id.startswith(wanted)) and (adapter is None or each.adapter == adapter)
    ]
