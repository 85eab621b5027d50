"""Words and number formats of the page: what a metric is called, what it means to a trader, how a value is written.

Plain strings only; escaping is here too, because nothing reaches the page without it. A value that is not there (None,
NaN) is ``n/a``, never a zero. Signs are plain hyphens, so that a number can be copied into a spreadsheet.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from math import isfinite
from typing import Any, Final

NA: Final = "n/a"
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LONG_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


def esc(text: object) -> str:
    """Text for HTML. An address loses its colon to an entity: it reads the same and the file refers to nothing."""
    return html.escape(str(text)).replace("://", "&#58;//")


def number(value: object) -> float | None:
    """The value as a finite float; None for everything else."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        found = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return found if isfinite(found) else None


def money(value: object, *, sign: bool = True, decimals: int = 2) -> str:
    """``+1,234.50``; without ``sign`` only a minus is written. Nothing is ever minus zero."""
    found = number(value)
    if found is None:
        return NA
    found = round(found, decimals) + 0.0
    plus = "+" if sign and found > 0 else ""
    return f"{plus}{found:,.{decimals}f}"


def percent(value: object, *, sign: bool = True, decimals: int = 2) -> str:
    """``+1.25 %``."""
    text = money(value, sign=sign, decimals=decimals)
    return text if text == NA else f"{text} %"


def count(value: object) -> str:
    found = number(value)
    return NA if found is None else f"{found:,.0f}"


def plural(n: int, word: str, many: str = "") -> str:
    """``1 session``, ``252 sessions``; ``many`` where an s is not enough."""
    return f"{n:,} {word if n == 1 else many or word + 's'}"


def long_date(day: date) -> str:
    """``2 January 2024``."""
    return f"{day.day} {LONG_MONTHS[day.month - 1]} {day.year}"


def day_text(day: date | None) -> str:
    """``Fri 2024-08-02``."""
    return NA if day is None else f"{WEEKDAYS[day.weekday()][:3]} {day:%Y-%m-%d}"


def clock(at: datetime | None) -> str:
    """``10:31``, in the zone that the instant has."""
    return NA if at is None else f"{at:%H:%M}"


EXITS: Final[Mapping[str, str]] = {
    "profit_target": "Profit target",
    "stop_loss": "Stop loss",
    "stop_tightened": "Tightened stop",
    "review": "Review at a profit",
    "time": "Time",
    "time_final": "Time, at the natural price",
    "dte": "Days to expiration",
    "vix": "VIX",
    "early_profit": "Early profit target",
    "delta_tested": "Delta of the tested side",
    "delta_exit": "Delta of a short leg",
    "distance": "Distance to the strike",
    "extrinsic_target": "Time value earned",
    "flatten": "Flattened by hand",
    "black_swan": "Duty: black swan",
    "drawdown": "Duty: drawdown",
    "margin_call": "Duty: margin call",
    "close_all_except_puts": "Duty: VIX above its limit, all but puts",
    "group_over": "Duty: group over its limit",
    "emergency": "Duty: emergency level",
    "expired": "Expired",
    "cash_settled": "Cash settled",
    "exercised": "Exercised",
    "assigned": "Assigned",
    "open": "Still open",
}
FILLS: Final = ("mid", "default", "natural")


def plain(code: str) -> str:
    """A code as words: ``IRON_CONDOR`` -> ``Iron condor``, ``cash_settled+expired`` -> ``Cash settled, expired``;
    a code with digits in it is a name and stays."""
    if code in EXITS:
        return EXITS[code]
    if "+" in code:
        first, *rest = (plain(part) for part in code.split("+"))
        return ", ".join([first, *(part[:1].lower() + part[1:] for part in rest)])
    words = code.replace("_", " ").strip()
    if any(letter.isdigit() for letter in words):
        return words
    words = words.lower() if words.isupper() else words
    return words[:1].upper() + words[1:] if words else NA


@dataclass(frozen=True, slots=True)
class Metric:
    """A number of ``metrics.json``. ``kind``: profit (signed money), cost (money, positive is paid), fall (money,
    written negative), change (signed %), share (%), drop (%, written negative), ratio, count."""

    key: str
    label: str
    kind: str
    meaning: str

    @property
    def amount(self) -> bool:
        """Whether it is money."""
        return self.kind in ("profit", "cost", "fall")

    def text(self, metrics: Mapping[str, Any]) -> str:
        """The value as written, without the currency."""
        return self.write(metrics.get(self.key))

    def write(self, value: object, *, sign: bool | None = None) -> str:
        """``value`` in this metric's format; ``sign`` True writes a plus as well (for differences)."""
        found = number(value)
        if found is None:
            return NA
        if self.kind in ("fall", "drop"):
            found = -found
        plus = self.kind in ("profit", "change") if sign is None else sign
        if self.kind in ("profit", "cost", "fall", "ratio"):
            return money(found, sign=plus)
        if self.kind in ("change", "share", "drop"):
            return percent(found, sign=plus)
        return money(found, sign=plus, decimals=0)


METRICS: Final = (
    Metric("net_pnl", "Net P/L", "profit",
           "What fills and settlements brought in, less what they paid out, less fees. A trade still open counts with "
           "the cash that has moved so far; what it is worth at the last mark stands apart as open value."),
    Metric("gross_pnl", "Gross P/L", "profit", "The same before fees, at the prices that were filled."),
    Metric("open_value", "Open value", "profit",
           "What the trades still open would bring at the last trusted mid. In the account value, not in net P/L."),
    Metric("return_pct", "Return", "change", "Account value at the last close against the starting capital."),
    Metric("cagr_pct", "CAGR", "change",
           "The yearly growth that leads from the starting capital to the last account value. Not given under 20 "
           "sessions, where it would only mislead."),
    Metric("max_drawdown", "Max drawdown", "fall",
           "The deepest fall of the account value below its highest so far. Measured by minute: each session's low "
           "against the best value up to the session before."),
    Metric("max_drawdown_pct", "Max drawdown %", "drop", "The same as a share of that highest value."),
    Metric("sharpe", "Sharpe", "ratio",
           "Mean of the daily returns over their standard deviation, times the root of 252. No interest is taken off. "
           "A strategy that trades on few days has many days of zero in it."),
    Metric("sortino", "Sortino", "ratio",
           "Mean of the daily returns over the root mean square of the losing days alone, times the root of 252."),
    Metric("cvar_95_daily", "CVaR 95, daily", "change",
           "Mean return of the worst 5 % of sessions, at least one: what a bad day costs, on average."),
    Metric("worst_day", "Worst day", "profit", "The largest loss from one session's close to the next."),
    Metric("trades", "Trades closed", "count",
           "Closed trades. One spread or condor is one trade, however many legs it has."),
    Metric("winners", "Winners", "count", "Closed trades with a net P/L above zero."),
    Metric("losers", "Losers", "count", "Closed trades with a net P/L of zero or below."),
    Metric("win_rate", "Win rate", "share", "Winners as a share of closed trades."),
    Metric("avg_win", "Average win", "profit", "Mean net P/L of the winners."),
    Metric("avg_loss", "Average loss", "profit", "Mean net P/L of the losers."),
    Metric("profit_factor", "Profit factor", "ratio",
           "Sum of the wins over the sum of the losses. Not given without a loss."),
    Metric("expectancy", "Expectancy", "profit",
           "Mean net P/L of a closed trade: what one more trade of this kind is worth."),
    Metric("premium_captured_pct", "Premium captured", "change",
           "Of the premium taken in at entry, the share that was kept before fees. Credit trades only; negative where "
           "more was paid back than was received."),
    Metric("max_bp_used_pct", "Max buying power", "share",
           "The most buying power in use at any fill or close, as a share of the account value at that session's "
           "close."),
    Metric("fees", "Fees", "cost",
           "Commissions, clearing, exchange, regulatory and exercise fees, by the table named above."),
    Metric("slippage", "Slippage", "cost",
           "Distance of the fills from the mid of their moment. Positive is what was given up. Already in the P/L."),
    Metric("sessions", "Sessions", "count", "Trade dates that were run."),
    Metric("rows_available", "Quote rows", "count", "Rows of quotes that the market holds for these sessions."),
    Metric("refusals", "Refusals", "count", "Entries that were wanted and that a rule refused."),
    Metric("open_trades", "Trades open", "count", "Trades still open at the end: marked, never closed by force."),
    Metric("zero_bid_exits", "Zero-bid exits", "count",
           "Long legs that had no bid when their spread was closed and were sold for 0.00."),
)  # fmt: skip
BY_KEY: Final[Mapping[str, Metric]] = {metric.key: metric for metric in METRICS}

OTHER_MEANINGS: Final = (
    ("MAE, worst open P/L",
     "Maximum adverse excursion: the lowest P/L of the trade while it was open, by minute at the mid, before fees; "
     "never better than its result."),
    ("MFE, best open P/L",
     "Maximum favourable excursion: the highest P/L of the trade while it was open, by minute at the mid, before fees; "
     "never worse than its result."),
    ("Credit, debit",
     "Points of one unit of the spread. Credit: taken in at entry (negative: paid). Debit: paid to close."),
    ("Regime", "The VIX band at entry. It sets the cap on buying power and the size."),
    ("Times", "New York, unless said otherwise."),
)  # fmt: skip
