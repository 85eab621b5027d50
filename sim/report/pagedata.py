"""What the page shows, read from a run's folder alone: tables, numbers, facts. Plain records, New York time.

Nothing is recomputed that the run has written, and nothing is made up: a column, a fact or a number that is not there
is None, and the page says n/a. A folder that is no run, or a table that cannot be read, is a DataError.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Any, Final

from sim.model.errors import DataError
from sim.report.folder import read_json
from sim.report.words import number


@dataclass(frozen=True, slots=True)
class TradeRow:
    """A row of ``trades.parquet``; instants in New York time, money in account currency, credit and debit in points."""

    id: str
    strategy: str
    structure: str
    underlying: str
    opened: datetime | None
    closed: datetime | None
    legs: str
    quantity: int | None
    credit: float | None
    debit: float | None
    gross: float | None
    fees: float | None
    slippage: float | None
    net: float | None
    exit: str
    mae: float | None
    mfe: float | None
    mae_at: datetime | None
    mfe_at: datetime | None
    regime: str
    dte: int | None
    zero_bid: int | None


TRADE_COLUMNS: Final = (
    "trade_id", "strategy", "structure", "underlying", "opened_at", "closed_at", "legs", "quantity", "credit", "debit",
    "gross_pnl", "fees", "slippage", "net_pnl", "exit_reason", "mae", "mfe", "mae_at", "mfe_at", "regime",
    "dte_at_entry", "zero_bid_exits",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Day:
    """A row of ``equity.parquet``. Money in account currency; ``bp`` is buying power used."""

    session: date
    nlv: float | None
    low: float | None
    high: float | None
    bp: float | None
    vix: float | None


DAY_COLUMNS: Final = ("session", "nlv", "low", "high", "bp_used", "vix")


@dataclass(frozen=True, slots=True)
class RefusalRow:
    """A row of ``refusals.parquet``."""

    at: datetime | None
    strategy: str
    rule: str
    reason: str
    detail: str
    wanted: str


@dataclass(frozen=True, slots=True)
class ProfitRow:
    """A row of ``profits.parquet``: earned by a strategy since the run began, account currency."""

    session: date
    strategy: str
    profit: float | None


@dataclass(frozen=True, slots=True)
class PairRow:
    """A row of ``correlations.parquet``: a pair of underlyings at a week's last session; None: too few returns."""

    session: date
    one: str
    other: str
    rho: float | None


REFUSAL_COLUMNS: Final = ("at", "strategy", "rule", "reason", "detail", "wanted")
TEXTS: Final = frozenset(
    {"trade_id", "strategy", "structure", "underlying", "legs", "exit_reason", "regime", "rule", "reason", "detail"}
    | {"wanted", "text"}
)


@dataclass(frozen=True, slots=True)
class BandRow:
    """A band of the VIX regime: [low, high) in points, ``cap`` a share of net liquidation."""

    low: float
    high: float
    label: str
    cap: float


@dataclass(frozen=True, slots=True)
class Variant:
    """The same run at another fill model."""

    fill: str
    metrics: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PageData:
    """One run. ``config`` is the text of ``config.yaml``; ``alerts`` are the journal's warnings with their instants."""

    facts: Mapping[str, str]
    start_nlv: float | None
    currency: str
    metrics: Mapping[str, Any]
    manifest: Mapping[str, Any]
    config: str
    variants: tuple[Variant, ...]
    closed: tuple[TradeRow, ...]
    open: tuple[TradeRow, ...]
    days: tuple[Day, ...]
    refusals: tuple[RefusalRow, ...]
    profits: tuple[ProfitRow, ...]
    pairs: tuple[PairRow, ...]
    alerts: tuple[tuple[datetime | None, str], ...]
    stress: Mapping[str, Any] | None = None
    """The run's fullest book under the scenarios, as ``facts.json`` has it; None where it has none."""

    @staticmethod
    def of(folder: Path) -> PageData:
        """Reads a folder; DataError where it is none of a run."""
        metrics = read_json(folder, "metrics.json")
        known = read_json(folder, "facts.json") if (folder / "facts.json").exists() else {}
        trades = tuple(TradeRow(*row) for row in _rows(folder, "trades", TRADE_COLUMNS))
        alerts = _rows(folder, "journal", ("at", "text"), kind="alert") if (folder / "journal.parquet").exists() else []
        config = folder / "config.yaml"
        facts = known.get("facts") or {}
        return PageData(
            {str(k): str(v) for k, v in facts.items() if v is not None},
            number(known.get("start_nlv")),
            str(metrics.get("currency") or ""),
            metrics,
            read_json(folder, "manifest.json") if (folder / "manifest.json").exists() else {},
            config.read_text(encoding="utf-8") if config.exists() else "",
            tuple(Variant(str(v["fill"]), v["metrics"]) for v in known.get("variants") or ()),
            tuple(t for t in trades if t.closed is not None),
            tuple(t for t in trades if t.closed is None),
            tuple(Day(row[0], *map(number, row[1:])) for row in _rows(folder, "equity", DAY_COLUMNS)),
            tuple(RefusalRow(*row) for row in _rows(folder, "refusals", REFUSAL_COLUMNS)),
            tuple(ProfitRow(*row) for row in _since(folder, "profits", ("session", "strategy", "profit"))),
            tuple(PairRow(*row) for row in _since(folder, "correlations", ("session", "one", "other", "correlation"))),
            tuple((at, text) for at, text in alerts),
            known.get("stress"),
        )

    def fact(self, name: str) -> str | None:
        """A fact's words; None where it is missing or empty."""
        return self.facts.get(name) or None

    @property
    def title(self) -> str:
        """``zero_dte on es_2024``."""
        return f"{self.fact('name') or 'run'} on {self.fact('market') or 'an unnamed market'}"

    @property
    def seed(self) -> int:
        """Seed of the run; of its configuration where the manifest is missing; 0 where neither has one."""
        given = number(self.manifest.get("seed"))
        found = re.search(r"^seed:\s*(\d+)", self.config, re.MULTILINE)
        return abs(int(given)) if given is not None else int(found[1]) if found else 0

    @property
    def bands(self) -> tuple[BandRow, ...]:
        """The regime's bands in ascending order; none where there are none or they cannot be read."""
        # The fact is Python's own notation, in which infinity is a bare name that literal_eval does not know.
        text = re.sub(r"\binf\b|\bnull\b", "1e999", self.fact("bands") or "[]")
        try:
            rows = ast.literal_eval(text)
            return tuple(BandRow(float(a), inf if b is None else float(b), str(c), float(d)) for a, b, c, d in rows)
        except (ValueError, SyntaxError, TypeError):
            return ()

    @property
    def hard_cap(self) -> float | None:
        """Share of net liquidation that may be used at most."""
        return number(self.fact("bp_cap"))

    def daily(self) -> list[float]:
        """Profit of each session from close to close, the first from the starting value; empty where one is missing."""
        values = [self.start_nlv, *(d.nlv for d in self.days)]
        known = [v for v in values if v is not None]
        return [b - a for a, b in pairwise(known)] if len(known) == len(values) else []


def _since(folder: Path, table: str, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    """A table that came later; empty for a run of before there was one."""
    return _rows(folder, table, columns) if (folder / f"{table}.parquet").exists() else []


def _rows(folder: Path, table: str, columns: Sequence[str], kind: str | None = None) -> list[tuple[Any, ...]]:
    """These columns of a table, row by row; a column it lacks is all None (text: empty). Instants in New York."""
    import polars as pl

    path = folder / f"{table}.parquet"
    try:
        frame = pl.read_parquet(path)
    except FileNotFoundError:
        raise DataError(f"{folder} has no {table}.parquet: give the folder of a run, with its tables") from None
    except pl.exceptions.PolarsError:
        raise DataError(f"{path} cannot be read as Parquet: the run's folder is damaged; run it again") from None
    if kind is not None:
        frame = frame.filter(pl.col("kind") == kind)
    picked = []
    for name in columns:
        if name not in frame.columns:
            picked.append(pl.lit("" if name in TEXTS else None).alias(name))
        elif isinstance(frame.schema[name], pl.Datetime):
            picked.append(pl.col(name).dt.convert_time_zone("America/New_York"))
        elif name in TEXTS:
            picked.append(pl.col(name).fill_null(""))
        else:
            picked.append(pl.col(name))
    return frame.select(picked).rows()
