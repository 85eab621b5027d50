"""``tomking explain`` of a live session: what was ordered and why, what was refused by which rule. From its tables: the
market of then is not there again to ask every rule anew, as it is for a backtest.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from conf import console
from sim.calendar import NEW_YORK
from sim.model.errors import DataError


def explained(folder: Path, only: date | None, *, as_json: bool) -> int:
    """Every order and refusal of the session, or of one date, in their order."""
    rows = [row for row in [*_orders(folder), *_refusals(folder)] if only is None or row["at"].date() == only]
    rows.sort(key=lambda row: row["at"])
    if as_json:
        console.document({"decisions": [{**row, "at": row["at"].isoformat()} for row in rows]})
        return 0
    console.out("a live session: what it ordered, and what it refused by which rule (its market is not asked again)")
    if not rows:
        console.out("nothing was wanted" + ("" if only is None else f" on {only}"))
    for row in rows:
        console.out(f"{row['at']:%a %Y-%m-%d %H:%M} {row['what']}: {row['strategy']}: {row['text']}")
    return 0


def _read(folder: Path, name: str) -> list[dict[str, Any]]:
    import polars as pl

    path = folder / f"{name}.parquet"
    if not path.exists():
        raise DataError(
            f"{folder} has no {name}.parquet: the session has not ended in order; end it with"
            f" `tomking paper --resume {folder}` and Ctrl-C"
        )
    return pl.read_parquet(path).to_dicts()


def _orders(folder: Path) -> list[dict[str, Any]]:
    out = []
    for row in _read(folder, "orders"):
        limit = "the natural price" if row["limit"] is None else f"{row['limit']:g}"
        text = f"{row['quantity']} x {row['legs']} at {limit}: {row['reason']}; {row['status']}"
        at = row["created_at"].astimezone(NEW_YORK)
        out.append({"at": at, "what": row["intent"].upper(), "strategy": row["strategy"], "text": text})
    return out


def _refusals(folder: Path) -> list[dict[str, Any]]:
    out = []
    for row in _read(folder, "refusals"):
        detail = f" ({row['detail']})" if row["detail"] else ""
        text = f"{row['wanted'] or 'nothing'}: {row['reason']}{detail} [{row['rule']}]"
        out.append({"at": row["at"].astimezone(NEW_YORK), "what": "REFUSED", "strategy": row["strategy"], "text": text})
    return out
