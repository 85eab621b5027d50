"""What a session may do for the causes that stand: the worst of them decides, and all of them are said. What came to
nothing for one of them is kept as a refusal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sim.model.event import Cause, Decision, Guarded, Refuse, Standing
from sim.model.order import Intent, Order, OrderRequest, Pass, Refused

ORDER: Final = tuple(Standing)
PERSON: Final = "person"
DIFFERENCE: Final = "difference"


def rank(standing: Standing) -> int:
    """How little a session may do that stands so."""
    return ORDER.index(standing)


def worst(causes: Iterable[Cause]) -> Standing:
    """What a session may do; everything where nothing speaks against it."""
    return max((c.standing for c in causes), key=rank, default=Standing.RUNNING)


def in_words(causes: Iterable[Cause]) -> str:
    """Every cause, the gravest first: ``feed: nothing heard for 46 s``."""
    ordered = sorted(causes, key=lambda c: (-rank(c.standing), c.since, c.name))
    return "; ".join(f"{c.name}: {c.text}" for c in ordered)


def graver(causes: dict[str, Cause], cause: Cause) -> None:
    """Adds one that no machine takes back: it never stands for less than it did."""
    before = causes.get(cause.name)
    if before is None or rank(before.standing) < rank(cause.standing):
        causes[cause.name] = cause


def told(event: Guarded) -> dict[str, Cause]:
    """The causes of a guard's word. One that names none (of an older journal) says them in its text, the gravest first,
    which stands for what it says; of the others it is not known how grave they are."""
    if event.causes or event.standing is Standing.RUNNING:
        return {cause.name: cause for cause in event.causes}
    out: dict[str, Cause] = {}
    for n, part in enumerate(event.why.split("; ")):
        name, said, text = part.partition(": ")
        if n == 0 or (said and name.isidentifier()):
            standing = event.standing if n == 0 else min(event.standing, Standing.ENTRIES_STOPPED, key=rank)
            out.setdefault(name, Cause(name, standing, text, event.ts))
    return out


def stopped(wish: OrderRequest | Pass, standing: Standing, why: str) -> Refused | None:
    """The first question of all (rulebook 5.7): nothing is opened but by a session that runs."""
    if standing is Standing.RUNNING or (isinstance(wish, OrderRequest) and wish.intent is not Intent.OPEN):
        return None
    wanted = wish.structure if isinstance(wish, Pass) else wish.describe()
    detail = f"{standing.value}: {why}" if why else standing.value
    return Refused(wish.strategy, "entries_stopped", "Entries are stopped", detail, wanted)


def unfilled(order: Order, ts: int) -> list[Decision]:
    """An opening that found no market is an entry that did not happen: it is kept like a refusal."""
    request = order.request
    if request.intent is not Intent.OPEN:
        return []
    wanted = f"{request.structure} {request.quantity} x {request.describe()}".strip()
    why = "no market at the fill model's price, or none within the limit"
    return [Refuse(ts, Refused(request.strategy, "no_fill", "Order not filled", why, wanted))]
