"""The numbers of a run. Money in account currency, percentages as 12.3 for 12.3 %, definitions beside each.

Daily figures are of session closes: profit of a day is the change of account value from close to close, the first one
from the starting value. A figure that is not defined (no trade, no loss, no spread of returns) is null, never zero.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

from sim.report.result import RunResult

TRADING_DAYS = 252


def metrics(run: RunResult) -> dict[str, Any]:
    """Everything of ``metrics.json`` but the times of the process."""
    start = float(run.start_nlv)
    nlv = np.array([start, *(p.nlv for p in run.equity)])
    daily = np.diff(nlv)
    returns = daily / nlv[:-1] if len(daily) else daily
    gross = float(sum(c.gross for c in run.closed) + sum(o.gross for o in run.open))
    fees = float(sum(c.fees for c in run.closed) + sum(o.fees for o in run.open))
    # Of a broker's fills nobody knows the mid.
    looked = not run.fills or any(leg.mid2 is not None for fill in run.fills for leg in fill.legs)
    slippage = float(sum(c.slippage for c in run.closed) + sum(o.slippage for o in run.open)) if looked else None
    out: dict[str, Any] = {
        "net_pnl": gross - fees,
        "gross_pnl": gross,
        "fees": fees,
        "slippage": slippage,
        "open_value": float(nlv[-1]) - start - (gross - fees),
        "return_pct": 100.0 * (float(nlv[-1]) / start - 1.0),
        "cagr_pct": _cagr(run, nlv),
        **_drawdown(run, start),
        "sharpe": _ratio(returns, returns),
        "sortino": _ratio(returns, np.minimum(returns, 0.0), root=True),
        "cvar_95_daily": _cvar(returns),
        "worst_day": float(daily.min()) if len(daily) else None,
        **_trades(run),
        "max_bp_used_pct": _bp(run),
        "sessions": run.sessions,
        "rows_available": run.rows,
        "refusals": len(run.refusals),
        "open_trades": len(run.open),
        "zero_bid_exits": sum(c.assumed_zero for c in run.closed),
        "currency": run.currency,
    }
    return out


def _cagr(run: RunResult, nlv: np.ndarray) -> float | None:
    """Yearly growth that leads from start to end; null under 20 sessions, where it would only mislead."""
    if len(run.equity) < 20 or nlv[-1] <= 0:
        return None
    days = (run.equity[-1].session - run.equity[0].session).days + 1
    return float(100.0 * ((nlv[-1] / nlv[0]) ** (365.25 / days) - 1.0))


def _drawdown(run: RunResult, start: float) -> dict[str, float]:
    """Largest fall of the account value below its highest so far, by minute: each day's low against the peak before.

    The peak counts closes and each day's high up to the day before, so that a day is not measured against itself.
    """
    peak, worst, worst_pct = start, 0.0, 0.0
    for p in run.equity:
        fall = peak - min(p.low, p.nlv)
        worst, worst_pct = max(worst, fall), max(worst_pct, 100.0 * fall / peak)
        peak = max(peak, p.high, p.nlv)
    return {"max_drawdown": worst, "max_drawdown_pct": worst_pct}


def _ratio(returns: np.ndarray, spread: np.ndarray, *, root: bool = False) -> float | None:
    """Mean over spread of daily returns, yearly: the standard deviation, or the root mean square of losses."""
    if len(returns) < 2:
        return None
    width = float(np.sqrt(np.mean(spread**2))) if root else float(np.std(spread, ddof=1))
    return float(np.mean(returns)) / width * sqrt(TRADING_DAYS) if width > 1e-12 else None


def _cvar(returns: np.ndarray) -> float | None:
    """Mean of the worst 5 % of daily returns, in per cent (at least one day)."""
    if not len(returns):
        return None
    worst = np.sort(returns)[: max(1, int(len(returns) * 0.05))]
    return float(100.0 * worst.mean())


def _trades(run: RunResult) -> dict[str, Any]:
    nets = [float(c.net) for c in run.closed]
    wins, losses = [x for x in nets if x > 0], [x for x in nets if x <= 0]
    sold = [c for c in run.closed if c.premium > 0]
    premium = float(sum(c.premium for c in sold))
    total_loss = -sum(losses)
    return {
        "trades": len(nets),
        "winners": len(wins),
        "losers": len(losses),
        "win_rate": 100.0 * len(wins) / len(nets) if nets else None,
        "avg_win": sum(wins) / len(wins) if wins else None,
        "avg_loss": sum(losses) / len(losses) if losses else None,
        "profit_factor": sum(wins) / total_loss if total_loss > 0 else None,
        "expectancy": sum(nets) / len(nets) if nets else None,
        "premium_captured_pct": 100.0 * float(sum(c.gross for c in sold)) / premium if premium > 0 else None,
    }


def _bp(run: RunResult) -> float | None:
    """Most buying power used at a fill or a close, of the account value of that close; null where none was known."""
    shares = [100.0 * p.bp_used / p.nlv for p in run.equity if p.bp_used == p.bp_used and p.nlv > 0]
    return max(shares, default=None)
