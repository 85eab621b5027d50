"""The fullest book of the run under weather: every scenario's worst minute, and a grid of price and volatility.

What stands here was worked out when the run ended and lies in the run's folder; a run without it has no such part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sim.report.markup import Cell, Head, num, section, table, th, words
from sim.report.pagedata import PageData
from sim.report.words import NA, esc, money, number, percent

KINDS: Final = {"seed": "as told", "real": "real daily bars", "made": "made up"}
HEADS: Final = [*words("Scenario"), Head("P/L", "account currency"), Head("Of the account"), *words("Days are")]
STACKED: Final[Mapping[str, Sequence[Head]]] = {"weather": HEADS}


def section_of(data: PageData) -> str:
    """The strip; nothing where the run has none."""
    told = data.stress
    if not told:
        return ""
    rows = [_row(each) for each in told.get("shocks") or ()]
    intro = (
        f"The run's fullest book, {told.get('when', NA)} ({told.get('lines', NA)} different contracts), "
        f"if the worst minute of each of the {len(rows)} scenarios that move prices or volatility came at that moment: "
        "every market as far as it moved there, the S&P's volatility to where it stood, that of others as much higher. "
        f"Money in {told.get('currency', NA)}. Model values, no time passes, nobody acts."
    )
    return section(
        "stress", "Under weather", table("The book under each scenario", HEADS, rows, kind="weather", stack=True),
        _grid(told.get("grid") or {}, number(told.get("nlv"))), intro=intro,
    )  # fmt: skip


def _row(each: Mapping[str, Any]) -> list[Cell]:
    share = number(each.get("share"))
    unknown = ", ".join(map(str, each.get("unknown") or ()))
    left = f"without {unknown}, of which it does not tell" if unknown else ""
    pnl = number(each.get("pnl"))
    return [
        th(each.get("name", NA), "; ".join(filter(None, (str(each.get("shock") or ""), left)))),
        num(NA if pnl is None else money(pnl)),
        num(NA if share is None else percent(100 * share, decimals=1), strong=True),
        f"<td>{esc(KINDS.get(str(each.get('kind')), NA))}</td>",
    ]


def _grid(told: Mapping[str, Any], nlv: float | None) -> str:
    """Per cent of the account where its worth is known, else its currency."""
    moves, vols, pnl = told.get("moves") or (), told.get("vols") or (), told.get("pnl") or ()
    if not pnl:
        return ""
    share = nlv if nlv is not None and nlv > 0 else None
    unit = "account currency" if share is None else "% of the account"
    heads = [*words("Volatility"), *(Head(percent(100 * m, decimals=0)) for m in moves)]

    def cell(value: float) -> str:
        return money(value) if share is None else percent(100 * value / share, decimals=1)

    rows = [
        [th(percent(100 * v, decimals=0)), *(num(cell(x)) for x in line)] for v, line in zip(vols, pnl, strict=True)
    ]
    return table(f"The book by price of every market and volatility, {unit}", heads, rows, kind="grid")
