"""``tomking scenario book``: a book under every scenario's worst minute, and over a grid of price and volatility.

tomking scenario book RUN [--date 2024-08-02] [--at 15:59]   what a run held then; else on its most exposed evening
tomking scenario book ./book.yaml                            positions of one's own, with their marks
tomking scenario book adapter=emulator                       what an account holds at a broker, read over its API
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conf import build, console
from conf.holdings import Held, of_account, of_file, of_run
from conf.options import Options
from sim.calendar import parse_time
from sim.model.errors import UsageError

if TYPE_CHECKING:
    from sim.revalue import Revalued


def command(args: Sequence[str]) -> int:
    """Prints the strip and the grid."""
    options = Options.of(args, flags=("json",), values=("date", "at"))
    words = options.overrides
    if any(w.startswith("adapter=") for w in words):
        _nothing_of(options, "--date and --at are about a run: an account is read as it is now")
        held = asyncio.run(of_account(words))
    elif len(words) == 1 and words[0].endswith((".yaml", ".yml")):
        _nothing_of(options, f"--date and --at are about a run: {words[0]} has its own `at`")
        held = of_file(Path(words[0]).expanduser())
    elif len(words) == 1:
        day = None if (d := options.value("date")) is None else build.day("--date", d)
        at = None if (t := options.value("at")) is None else parse_time(t, "--at")
        held = of_run(Path(words[0]).expanduser(), day, at)
    else:
        raise UsageError("write: tomking scenario book RUN, or ./book.yaml, or adapter=emulator|sandbox|production")
    if not held.lines:
        raise UsageError(f"{held.source} holds no option {held.when}: there is nothing to revalue")
    found, table = revalued(held)
    if options.flag("json"):
        console.document(record(held, found, table))
    else:
        _print(held, found, table)
    return 0


def _nothing_of(options: Options, why: str) -> None:
    if options.value("date") is not None or options.value("at") is not None:
        raise UsageError(why)


def revalued(held: Held) -> tuple[list[Revalued], list[list[float]]]:
    """Under each shock, the worst first; and the grid. Both in the currency of the account."""
    from conf.shocks import shocks
    from sim.revalue import grid, under

    found = [under(shock, held.lines, held.smiles).over(held.fx) for shock in shocks()]
    return sorted(found, key=lambda r: r.pnl), (grid(held.lines, smiles=held.smiles) / held.fx).tolist()


def record(held: Held, found: Sequence[Revalued], table: Sequence[Sequence[float]]) -> dict[str, Any]:
    """For JSON and for a report: shares of the account, null where its worth is not known."""
    from sim.revalue import MOVES, VOLS

    def share(pnl: float) -> float | None:
        return round(pnl / held.nlv, 5) if held.nlv > 0 else None

    return {
        "when": held.when, "source": held.source, "nlv": round(held.nlv, 2), "currency": held.currency,
        "lines": len(held.lines),
        "shocks": [
            {"name": r.shock.name, "kind": r.shock.kind, "says": r.shock.says, "shock": r.shock.describe(),
             "pnl": round(r.pnl, 2), "share": share(r.pnl), "unknown": list(r.unknown),
             "by_underlying": {u: round(x, 2) for u, x in r.by_underlying.items()}}
            for r in found
        ],
        "grid": {"moves": list(MOVES), "vols": list(VOLS), "pnl": [[round(x, 2) for x in row] for row in table]},
    }  # fmt: skip


def _print(held: Held, found: Sequence[Revalued], table: Sequence[Sequence[float]]) -> None:
    from sim.revalue import MOVES, VOLS

    worth = f", account {held.nlv:,.0f} {held.currency}" if held.nlv > 0 else ""
    console.out(f"{held.source}, {held.when}: {len(held.lines)} different contracts{worth}; P/L in {held.currency}")
    if not held.smiles:
        console.out(
            "its chains' smiles are not known: far puts are told worse than they would be, by about half in a crash"
        )
    console.out(f"worst minutes of the {len(found)} scenarios that move prices or volatility, from now on:")
    wide = max(len(r.shock.name) for r in found)
    for r in found:
        part = f"{100 * r.pnl / held.nlv:+7.1f} %" if held.nlv > 0 else ""
        left = f"  (not told: {', '.join(r.unknown)})" if r.unknown else ""
        console.out(f"  {r.shock.name:<{wide}} {r.shock.kind:<5} {r.pnl:>+14,.0f}{part}  {r.shock.describe()}{left}")
    unit = "% of the account" if held.nlv > 0 else held.currency
    console.out(f"\nevery price at once, and every volatility, {unit}:")
    console.out("  " + " " * 8 + "".join(f"{100 * m:>+9.0f} %" for m in MOVES))
    for vol, row in zip(VOLS, table, strict=True):
        cells = "".join(f"{100 * x / held.nlv:>+9.1f} %" if held.nlv > 0 else f"{x:>+11,.0f}" for x in row)
        console.out(f"  {100 * vol:>+5.0f} % {cells}")
