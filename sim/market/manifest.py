"""What a market of the store says of itself: where it came from, what was dropped and why, what it holds. Plain JSON.

A manifest names no path of a machine and no moment of its making: the same sources give the same bytes. One whose
schema is newer than this program is refused, never read by halves.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from sim.market.cache import CACHE_LAYOUT
from sim.market.products import product_record, read_product
from sim.model.errors import DataError
from sim.model.instrument import Product
from sim.model.market import Nature

SCHEMA_VERSION: Final = 1
MANIFEST: Final = "manifest.json"
DELAYED: Final = "DELAYED 15 MIN"
"""What everything must say that shows a market recorded from a feed that ran fifteen minutes late."""
GENERATIONS: Final = ".gen"
"""The folder beside the markets that holds what they were and are."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Source:
    """One file that was read. ``name`` is relative to what the user named, ``kind`` what it was read as.

    ``dropped`` counts rows by reason, ``noted`` rows that were kept though they are odd: ``crossed``, ``locked``.
    """

    name: str
    kind: str
    sha256: str
    size: int
    rows_in: int
    dropped: Mapping[str, int]
    noted: Mapping[str, int]

    @property
    def rows_kept(self) -> int:
        return self.rows_in - sum(self.dropped.values())


@dataclass(frozen=True, slots=True)
class DayBar:
    """A session's regular hours in points: a future's and a stock's 09:30 to 16:00, an index's to its last print."""

    open: float
    high: float
    low: float
    close: float
    volume: float | None


@dataclass(frozen=True, slots=True)
class Partition:
    """One underlying on one session: ``rows`` of quotes (0 where there are bars only), ``content`` the digest in hex.

    ``first_ns`` and ``last_ns`` are the instants of the first and the last row, quotes or bars, when they were known.
    """

    session: date
    rows: int
    contracts: int
    content: str
    first_ns: int
    last_ns: int
    bar: DayBar | None


@dataclass(frozen=True)
class Manifest:
    """All of one market. ``partitions`` by underlying, each ascending; ``skipped`` counts files not read, by reason.

    ``delayed``: recorded from a feed that ran late. Its instants are the market's all the same. ``synthetic``: recorded
    from a model market, so that no quote in it is a real one.
    """

    name: str
    vendor: str
    nature: Nature
    licence: str
    zones: Mapping[str, str]
    sources: tuple[Source, ...]
    skipped: Mapping[str, int]
    products: tuple[Product, ...]
    partitions: Mapping[str, tuple[Partition, ...]] = field(repr=False)
    delayed: bool = False
    synthetic: bool = False

    @property
    def notice(self) -> str:
        """What every page and report must say of these quotes; empty where there is nothing to say."""
        return DELAYED if self.delayed else ""

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the content of every partition and every product: equal where every quote is equal."""
        out = hashlib.sha256()
        for product in self.products:
            out.update(json.dumps(product_record(product), sort_keys=True).encode())
        for underlying in sorted(self.partitions):
            for part in self.partitions[underlying]:
                out.update(f"{underlying} {part.session} {part.content}\n".encode())
        return out.hexdigest()

    @property
    def underlyings(self) -> tuple[str, ...]:
        """Those with option quotes, or all where none has any."""
        quoted = tuple(sorted(u for u, parts in self.partitions.items() if any(p.rows for p in parts)))
        return quoted or tuple(sorted(self.partitions))

    @property
    def rows(self) -> int:
        """Rows of option quotes in the market."""
        return sum(p.rows for parts in self.partitions.values() for p in parts)

    def dates(self) -> tuple[date, ...]:
        """Sessions with option quotes, or with bars where no session has quotes, ascending."""
        names = set(self.underlyings)
        quoted = {p.session for u, parts in self.partitions.items() if u in names for p in parts if p.rows}
        return tuple(sorted(quoted or {p.session for parts in self.partitions.values() for p in parts}))

    def text(self) -> str:
        """The JSON document, ending in a line feed."""
        parts = [p for parts in self.partitions.values() for p in parts]
        document = {
            "schema_version": SCHEMA_VERSION,
            "cache_layout": CACHE_LAYOUT,
            "name": self.name,
            "vendor": self.vendor,
            "nature": self.nature.value,
            "licence": self.licence,
            # Left out where it is not so: other markets keep their bytes, and with them their generation.
            **({"delayed": True} if self.delayed else {}),
            **({"synthetic": True} if self.synthetic else {}),
            "fingerprint": self.fingerprint,
            "rows": self.rows,
            "rows_in": sum(s.rows_in for s in self.sources),
            "rows_kept": sum(s.rows_kept for s in self.sources),
            "rows_dropped": _summed(s.dropped for s in self.sources),
            "rows_noted": _summed(s.noted for s in self.sources),
            "first_ns": min((p.first_ns for p in parts), default=None),
            "last_ns": max((p.last_ns for p in parts), default=None),
            "zones": dict(sorted(self.zones.items())),
            "underlyings": {u: len(self.partitions[u]) for u in sorted(self.partitions)},
            "files_skipped": dict(sorted(self.skipped.items())),
            "products": [product_record(p) for p in self.products],
            "sources": [
                {
                    "name": s.name, "kind": s.kind, "sha256": s.sha256, "size": s.size, "rows_in": s.rows_in,
                    "rows_kept": s.rows_kept, "rows_dropped": _summed([s.dropped]), "rows_noted": _summed([s.noted]),
                }
                for s in self.sources
            ],
            "partitions": {
                u: [
                    [p.session.isoformat(), p.rows, p.contracts, p.content, p.first_ns, p.last_ns,
                     None if p.bar is None else [p.bar.open, p.bar.high, p.bar.low, p.bar.close, p.bar.volume]]
                    for p in self.partitions[u]
                ]
                for u in sorted(self.partitions)
            },
        }  # fmt: skip
        return json.dumps(document, indent=1, allow_nan=False) + "\n"


def _summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for one in counts:
        for reason, count in one.items():
            total[reason] = total.get(reason, 0) + count
    return dict(sorted(total.items()))


def check_name(name: str) -> str:
    """``name`` where it can name a market; DataError else."""
    if not _NAME.fullmatch(name):
        raise DataError(
            f"market name {name!r}: wanted letters, digits, '_', '-' and '.', beginning with a letter or digit"
        )
    return name


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the market in ``folder``; DataError where there is none, or none this program can read."""
    path = folder / MANIFEST
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"market {folder.name!r}: no {MANIFEST} in the store; import it first") from None
    except (OSError, ValueError) as error:
        raise DataError(f"market {folder.name!r}: {MANIFEST} cannot be read ({error}); import it again") from None
    version = document.get("schema_version")
    if version != SCHEMA_VERSION:
        raise DataError(
            f"market {folder.name!r}: its schema is version {version}, this program reads {SCHEMA_VERSION}; "
            "update the program or import the market again under another name"
        )
    try:
        return _manifest(document)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"market {folder.name!r}: {MANIFEST} does not fit ({error!r}); import it again") from None


def _manifest(document: Mapping[str, Any]) -> Manifest:
    return Manifest(
        name=document["name"],
        vendor=document["vendor"],
        nature=Nature(document["nature"]),
        licence=document["licence"],
        zones=document["zones"],
        sources=tuple(
            Source(s["name"], s["kind"], s["sha256"], s["size"], s["rows_in"], s["rows_dropped"], s["rows_noted"])
            for s in document["sources"]
        ),
        skipped=document["files_skipped"],
        products=tuple(read_product(p) for p in document["products"]),
        partitions={u: tuple(_partition(row) for row in rows) for u, rows in document["partitions"].items()},
        delayed=document.get("delayed", False) is True,
        synthetic=document.get("synthetic", False) is True,
    )


def _partition(row: list[Any]) -> Partition:
    session, rows, contracts, content, first_ns, last_ns, bar = row
    return Partition(
        date.fromisoformat(session), rows, contracts, content, first_ns, last_ns, DayBar(*bar) if bar else None
    )


def merged_sources(old: Iterable[Source], new: Iterable[Source]) -> tuple[Source, ...]:
    """Every file once, by kind and content: what was imported before, unless this import read it again; by name."""
    found = {(s.kind, s.sha256): s for s in old}
    found.update({(s.kind, s.sha256): s for s in new})
    return tuple(sorted(found.values(), key=lambda s: (s.name, s.sha256)))
