"""What stands on the screen after a run: a dozen lines, money with its currency, and where the page is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sim.report.result import RunResult


def said_of(notice: str) -> str:
    """A notice as it stands under the title."""
    return f"{notice}: recorded from a feed that ran behind the market" if "DELAYED" in notice else notice


def summary(run: RunResult, m: Mapping[str, Any], folder: Path, *, has_page: bool) -> str:
    """The short summary of a run."""
    facts = run.facts
    c = run.currency
    what = "SYNTHETIC market, not real quotes" if facts["synthetic"] == "yes" else facts["source"]
    lines = [
        f"{facts['name']} on {facts['market']} ({what})",
        *([said_of(notice)] if (notice := facts.get("notice")) else []),
        f"{facts['strategy']}",
        f"{facts['start']} to {facts['end']}, {m['sessions']} sessions, "
        f"fill {facts['fill_name']}, capital {float(run.start_nlv):,.0f} {c}",
        "",
        *_profit(run, m),
        f"  max drawdown     {_money(-m['max_drawdown'], c)}   ({_pct(-m['max_drawdown_pct'])})",
        f"  worst day        {_money(m['worst_day'], c)}   (CVaR 95 daily {_pct(m['cvar_95_daily'])})",
        f"  Sharpe, Sortino  {_plain(m['sharpe'])}, {_plain(m['sortino'])}",
        f"  trades           {m['trades']}: {m['winners']} won, {m['losers']} lost "
        f"(win rate {_pct(m['win_rate'], sign=False)})",
        f"  average          won {_money(m['avg_win'], c)}, lost {_money(m['avg_loss'], c)}, "
        f"expectancy {_money(m['expectancy'], c)}",
        f"  buying power     at most {_pct(m['max_bp_used_pct'], sign=False)} of the account",
        f"  slippage         {_money(m['slippage'], c)} against mid, already inside the P/L",
    ]
    exits = Counter(t.exit_reason for t in run.closed)
    if exits:
        lines.append("  exits            " + ", ".join(f"{reason} {n}" for reason, n in exits.most_common()))
    reasons = Counter(r.refused.reason for r in run.refusals)
    if reasons:
        lines.append("  refused          " + ", ".join(f"{reason} {n}" for reason, n in reasons.most_common()))
    if facts["rules_left_out"]:
        lines.append(f"  rules left out   {facts['rules_left_out']}")
    lines += ["", f"run     {folder}"]
    if has_page:
        lines.append(f"report  {folder / 'report.html'}")
    return "\n".join(lines)


def _profit(run: RunResult, m: Mapping[str, Any]) -> list[str]:
    """What was made. Where trades are open, first with them at their last mark: what was booked has their premium in
    it, and not what closing them costs."""
    c = run.currency
    of_capital = f"{_pct(m['return_pct'])} of capital"
    parts = f"gross {_money(m['gross_pnl'], c)}, fees {_money(-m['fees'], c)}"
    if not run.open:
        return [f"  net P/L          {_money(m['net_pnl'], c)}   ({of_capital}; {parts})"]
    n = len(run.open)
    trades = "1 trade" if n == 1 else f"{n} trades"
    return [
        f"  marked P/L       {_money(m['net_pnl'] + m['open_value'], c)}   ({of_capital}; {trades} at the last mark)",
        f"  net P/L          {_money(m['net_pnl'], c)}   (booked: the premium of what is open is in it, closing it is"
        f" not; {parts})",
        f"  still open       {trades}, marked at {_money(m['open_value'], c)} (in the return, not in net P/L)",
    ]


def _money(value: float | None, currency: str) -> str:
    return "n/a" if value is None else f"{value + 0.0 if round(value, 2) else 0.0:+,.2f} {currency}"


def _pct(value: float | None, *, sign: bool = True) -> str:
    if value is None:
        return "n/a"
    return f"{value:+.1f} %" if sign else f"{value:.1f} %"


def _plain(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.2f}"
