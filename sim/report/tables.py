"""The Parquet tables of a run, one function each: columns, units, order. Instants are UTC nanoseconds with a zone.

The same result gives the same bytes: rows in the order of the run, fixed types, no wall time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from sim.model.fill import LegFill
from sim.model.order import Order
from sim.report.result import RunResult

if TYPE_CHECKING:
    import polars as pl

NAMES: Final = ("orders", "fills", "trades", "equity", "profits", "correlations", "refusals", "journal")


def _frame(columns: dict[str, tuple[str, Sequence[Any]]]) -> pl.DataFrame:
    """Columns of (kind, values); kinds: s text, f float64, i int64, d date, t instant, b bool."""
    import polars as pl

    kinds = {
        "s": pl.String(), "f": pl.Float64(), "i": pl.Int64(), "d": pl.Date(), "b": pl.Boolean(),
        "t": pl.Datetime("ns", "UTC"),
    }  # fmt: skip
    series = []
    for name, (kind, values) in columns.items():
        base = pl.Int64() if kind == "t" else kinds[kind]
        series.append(pl.Series(name, values, dtype=base, strict=True).cast(kinds[kind]))
    return pl.DataFrame(series)


def trades(run: RunResult) -> pl.DataFrame:
    """One row a closed trade, then the ones still open (``closed_at`` null), marked and never closed by force.

    ``credit`` and ``debit`` in points of one unit (debit: what closing cost, credit positive both); ``net_pnl``,
    ``gross_pnl``, ``fees``, ``slippage``, ``mae``, ``mfe`` in account currency. ``legs`` reads ``-1 5425P +1 5395P``.
    """
    rows: list[dict[str, Any]] = []
    for c in run.closed:
        t = c.trade
        rows.append(
            _trade_row(t) | {
                "closed_at": c.closed_ns, "debit": float(c.debit), "fees": float(c.fees), "net_pnl": float(c.net),
                "gross_pnl": float(c.gross), "slippage": float(c.slippage), "exit_reason": c.exit_reason,
                "mae": float(c.mae), "mfe": float(c.mfe), "mae_at": c.mae_ns, "mfe_at": c.mfe_ns, "regime": c.regime,
                "zero_bid_exits": c.assumed_zero,
            }
        )  # fmt: skip
    for o in run.open:
        t = o.trade
        rows.append(
            _trade_row(t) | {
                "closed_at": None, "debit": None, "fees": float(o.fees), "net_pnl": None, "gross_pnl": float(o.gross),
                "slippage": float(o.slippage), "exit_reason": "open", "mae": float(o.mae), "mfe": float(o.mfe),
                "mae_at": o.mae_ns, "mfe_at": o.mfe_ns, "regime": o.regime, "zero_bid_exits": o.assumed_zero,
            }
        )  # fmt: skip
    kinds = {
        "trade_id": "s", "strategy": "s", "structure": "s", "underlying": "s", "opened_at": "t", "closed_at": "t",
        "legs": "s", "quantity": "i", "credit": "f", "debit": "f", "fees": "f", "gross_pnl": "f", "net_pnl": "f",
        "slippage": "f", "exit_reason": "s", "mae": "f", "mfe": "f", "mae_at": "t", "mfe_at": "t", "regime": "s",
        "dte_at_entry": "i", "zero_bid_exits": "i",
    }  # fmt: skip
    return _frame({name: (kind, [row[name] for row in rows]) for name, kind in kinds.items()})


def _trade_row(t: Any) -> dict[str, Any]:
    product = t.legs[0].contract.product
    return {
        "trade_id": t.id, "strategy": t.strategy, "structure": t.structure, "underlying": t.underlying,
        "opened_at": t.opened_ns, "legs": " ".join(f"{h.quantity // t.quantity:+d} {h.contract.label}" for h in t.legs),
        "quantity": t.quantity, "credit": float(t.credit * product.increment),
        "dte_at_entry": (min(t.expirations) - t.session).days,
    }  # fmt: skip


def orders(run: RunResult) -> pl.DataFrame:
    """One row an order; ``limit`` in points of one unit, credit positive, null where the fill model sets the price;
    ``price``: what it worked at at a broker, null in a backtest."""
    rows = run.orders

    def limit(order: Order) -> float | None:
        r = order.request
        return None if r.limit is None else float(r.limit * r.legs[0].contract.product.increment)

    return _frame({
        "order_id": ("s", [r.order.id for r in rows]),
        "strategy": ("s", [r.order.request.strategy for r in rows]),
        "underlying": ("s", [r.order.request.underlying for r in rows]),
        "intent": ("s", [r.order.request.intent.value for r in rows]),
        "legs": ("s", [r.order.request.describe() for r in rows]),
        "quantity": ("i", [r.order.request.quantity for r in rows]),
        "limit": ("f", [limit(r.order) for r in rows]),
        "price": ("f", [None if r.price is None else float(r.price) for r in rows]),
        "tif": ("s", [r.order.request.tif.value for r in rows]),
        "reason": ("s", [r.order.request.reason for r in rows]),
        "status": ("s", [r.status.value for r in rows]),
        "created_at": ("t", [r.order.created_ns for r in rows]),
        "done_at": ("t", [r.done_ns for r in rows]),
        "trade_id": ("s", [r.order.request.trade_id or r.order.id for r in rows]),
    })  # fmt: skip


def fills(run: RunResult) -> pl.DataFrame:
    """One row a leg. ``price``, ``mid`` of that moment and ``net`` of one unit in points; ``fee`` in dollars."""
    flat = [(f, leg) for f in run.fills for leg in f.legs]

    def mid(leg: LegFill) -> float | None:
        return None if leg.mid2 is None else float(leg.mid2 * leg.contract.product.increment / 2)

    return _frame({
        "order_id": ("s", [f.order_id for f, _ in flat]),
        "at": ("t", [f.ts for f, _ in flat]),
        "symbol": ("s", [leg.contract.symbol for _, leg in flat]),
        "expiration": ("d", [leg.contract.expiration for _, leg in flat]),
        "strike": ("f", [float(leg.contract.strike) for _, leg in flat]),
        "right": ("s", [leg.contract.right.value for _, leg in flat]),
        "quantity": ("i", [leg.quantity for _, leg in flat]),
        "price": ("f", [float(leg.price * leg.contract.product.increment) for _, leg in flat]),
        "mid": ("f", [mid(leg) for _, leg in flat]),
        "net": ("f", [float(f.net * leg.contract.product.increment) for f, leg in flat]),
        "fee": ("f", [float(leg.fee) for _, leg in flat]),
        "opening": ("b", [leg.opening for _, leg in flat]),
        "assumed_zero": ("b", [leg.assumed_zero for _, leg in flat]),
    })  # fmt: skip


def equity(run: RunResult) -> pl.DataFrame:
    """One row a session: account value at its close, its extremes by minute, cash, buying power used, VIX."""
    e = run.equity
    return _frame({
        "session": ("d", [p.session for p in e]),
        "at": ("t", [p.ts for p in e]),
        "nlv": ("f", [p.nlv for p in e]),
        "low": ("f", [p.low for p in e]),
        "high": ("f", [p.high for p in e]),
        "cash": ("f", [p.cash for p in e]),
        "bp_used": ("f", [p.bp_used for p in e]),
        "open_trades": ("i", [p.open_trades for p in e]),
        "vix": ("f", [p.vix for p in e]),
    })  # fmt: skip


def profits(run: RunResult) -> pl.DataFrame:
    """One row a session and strategy: what it has earned since the run began, open trades at their marks, after fees,
    in account currency. A strategy begins with the session of its first trade."""
    rows = [(p.session, name, earned) for p in run.equity for name, earned in p.profits]
    return _frame({
        "session": ("d", [r[0] for r in rows]),
        "strategy": ("s", [r[1] for r in rows]),
        "profit": ("f", [r[2] for r in rows]),
    })  # fmt: skip


def correlations(run: RunResult) -> pl.DataFrame:
    """One row a week and pair of underlyings: the correlation of their daily returns up to that session, null where
    there were too few, and how many returns went into it. Empty for a run with one underlying."""
    rows = run.comovements
    return _frame({
        "session": ("d", [r.session for r in rows]),
        "one": ("s", [r.one for r in rows]),
        "other": ("s", [r.other for r in rows]),
        "correlation": ("f", [r.rho if r.rho == r.rho else None for r in rows]),
        "returns": ("i", [r.returns for r in rows]),
    })  # fmt: skip


def refusals(run: RunResult) -> pl.DataFrame:
    """One row a wish that was refused: the rule's code, its literal reason, the numbers, and what was wanted."""
    r = run.refusals
    return _frame({
        "at": ("t", [x.ts for x in r]),
        "strategy": ("s", [x.refused.strategy for x in r]),
        "rule": ("s", [x.refused.rule for x in r]),
        "reason": ("s", [x.refused.reason for x in r]),
        "detail": ("s", [x.refused.detail for x in r]),
        "wanted": ("s", [x.refused.wanted for x in r]),
    })  # fmt: skip


def journal(run: RunResult) -> pl.DataFrame:
    """Events and decisions in order; a decision carries the number of the event that caused it."""
    j = run.journal.entries
    return _frame({
        "seq": ("i", [x.seq for x in j]),
        "at": ("t", [x.ts for x in j]),
        "kind": ("s", [x.kind for x in j]),
        "ref": ("s", [x.ref for x in j]),
        "text": ("s", [x.text for x in j]),
    })  # fmt: skip


def all_tables(run: RunResult) -> dict[str, pl.DataFrame]:
    """Every table by its file name."""
    makers = {
        "orders": orders,
        "fills": fills,
        "trades": trades,
        "equity": equity,
        "profits": profits,
        "correlations": correlations,
        "refusals": refusals,
        "journal": journal,
    }
    return {name: makers[name](run) for name in NAMES}
