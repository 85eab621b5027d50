"""How a session's picture is put into words, for the terminal and the page alike: money, ages, distances, standings.

What is not known reads n/a, never a zero. Text from configuration and brokers loses whatever is not printable, so that
none of it can move a terminal's cursor or turn the reading direction of a page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from live.snapshot import AgeShown, GreeksShown, LegShown, OrderShown, Snapshot, TradeShown
from sim.calendar import ny
from sim.report.words import NA, money, number, plural

SIGNS: Final[Mapping[str, str]] = {"GBP": "£", "USD": "$", "EUR": "€"}
SYNTHETIC: Final = "QUOTES ARE SYNTHETIC"

GOOD, WARN, BAD = "good", "warn", "bad"
STANDINGS: Final[Mapping[str, tuple[str, str]]] = {
    "RUNNING": (GOOD, "Entries and exits are taken."),
    "ENTRIES_STOPPED": (WARN, "Nothing new is opened; exits go on."),
    "EXIT_ONLY": (WARN, "Only closing: working entries are cancelled."),
    "MANUAL": (BAD, "Nothing is sent: place the orders below yourself."),
    "HALTED": (BAD, "Nothing is decided and nothing is sent but what you command."),
}


def clean(text: object) -> str:
    """The text on one line, with a space for each character that is not printable."""
    return "".join(c if c.isprintable() else " " for c in str(text)).strip()


def standing(word: str) -> tuple[str, str, str]:
    """A standing's tone, its badge and what it means; one that is not known is told as it stands, and as bad."""
    tone, meaning = STANDINGS.get(word, (BAD, ""))
    return tone, clean(word).replace("_", " "), meaning


def sign_of(currency: str) -> str:
    """What stands before an amount: ``£``, or the currency's code and a space."""
    return SIGNS.get(currency, f"{clean(currency)[:4]} ")


def cash(value: float | None, currency: str, *, sign: bool = False, decimals: int = 0) -> str:
    """``£1,234``; with ``sign`` ``+£1,234``. A currency without a sign of its own is named: ``CHF 1,234``."""
    text = money(value, sign=sign, decimals=decimals)
    if text == NA:
        return NA
    mark = sign_of(currency)
    return f"{text[0]}{mark}{text[1:]}" if text[0] in "+-" else f"{mark}{text}"


def points(value: float | None) -> str:
    """``4.25``, as the product is quoted."""
    return money(value, sign=False)


def sigma(value: float | None) -> str:
    """``1.42 σ``; negative where the strike is in the money."""
    found = number(value)
    return NA if found is None else f"{found + 0.0:.2f} σ"


def share(part: float | None, whole: float | None) -> float | None:
    """``part`` of ``whole``; None where either is not known or there is no whole."""
    one, all_ = number(part), number(whole)
    return None if one is None or all_ is None or all_ <= 0 else one / all_


def percent(value: float | None, *, sign: bool = False, decimals: int = 1) -> str:
    """``12.3 %`` of a share of 0.123."""
    found = number(value)
    return NA if found is None else f"{money(100 * found, sign=sign, decimals=decimals)} %"


def age(seconds: float | None) -> str:
    """``0.4 s``, ``38 s``, ``3 min 20 s``, ``2 h 05 min``; ``never`` where it was never heard."""
    found = number(seconds)
    if found is None:
        return "never"
    if found < 10:
        return f"{max(found, 0.0):.1f} s"
    whole = round(found)
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        minutes, rest = divmod(whole, 60)
        return f"{minutes} min {rest:02d} s" if rest else f"{minutes} min"
    hours, rest = divmod(whole // 60, 60)
    return f"{hours:,} h {rest:02d} min"


def clock(ns: int) -> str:
    """``14:12:07``, New York."""
    return f"{ny(ns):%H:%M:%S}"


def when(ns: int, now: int) -> str:
    """``14:12:07`` of the same New York day, else ``4 Nov 10:00``."""
    at = ny(ns)
    return clock(ns) if at.date() == ny(now).date() else f"{at.day} {at:%b %H:%M}"


def day(ns: int) -> str:
    """``Fri 20 Nov 2026``, New York."""
    at = ny(ns)
    return f"{at:%a} {at.day} {at:%b %Y}"


def notice(shown: Snapshot) -> str:
    """What must be said of the quotes before any number is read; empty where there is nothing."""
    told = clean(shown.notice)
    if not shown.synthetic:
        return f"QUOTES: {told}" if told else ""
    return SYNTHETIC if told in ("", "SYNTHETIC", SYNTHETIC) else f"{SYNTHETIC} · {told}"


def rate(shown: Snapshot) -> str:
    """``£1 = $1.3105 of 2026-11-19``: dollars per unit of account currency."""
    dated = f" of {clean(shown.fx_date)}" if shown.fx_date else ""
    return "" if shown.currency == "USD" else f"{sign_of(shown.currency)}1 = ${shown.fx:.4f}{dated}"


@dataclass(frozen=True, slots=True)
class Power:
    """Buying power in words. ``of_cap``: the share of the cap that is used, None where it is not known."""

    used: str
    cap: str
    of_cap: float | None
    of_nlv: str
    cap_of_nlv: str
    tone: str

    @staticmethod
    def of(shown: Snapshot) -> Power:
        c, found = shown.currency, share(shown.bp_used, shown.bp_cap)
        return Power(
            cash(shown.bp_used, c),
            cash(shown.bp_cap, c),
            found,
            percent(share(shown.bp_used, shown.nlv)),
            percent(share(shown.bp_cap, shown.nlv)),
            WARN if found is None else fullness(found),
        )


def fullness(used: float) -> str:
    """The tone of a share of a limit: past it is bad, near it a warning."""
    return BAD if used > 1 else WARN if used >= 0.9 else GOOD


def distance(sigmas: float) -> str:
    """The tone of a short strike's distance: in the money or almost is bad, within one standard deviation a warning."""
    return BAD if sigmas < 0.5 else WARN if sigmas < 1.0 else GOOD


def expires(leg: LegShown) -> str:
    return "today" if leg.dte <= 0 else f"{leg.dte} DTE"


def expiry(trade: TradeShown) -> str:
    """When the first of its legs expires: ``today``, ``119 DTE``."""
    return expires(min(trade.legs, key=lambda x: x.dte)) if trade.legs else NA


def leg(of: LegShown) -> str:
    """``-2 5980P``."""
    return f"{of.quantity:+d} {clean(of.label)}"


def title(trade: TradeShown) -> str:
    """``ES IRON CONDOR × 3``."""
    return times(f"{clean(trade.underlying)} {clean(trade.structure).replace('_', ' ')}", trade.quantity)


def times(what: str, quantity: int) -> str:
    """The words with a number of units that no line end parts from them."""
    return f"{clean(what)}\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}{quantity}"


def limit(order: OrderShown) -> str:
    """``4.25 credit``, ``1.10 debit``, ``natural``: as the market gives it when it is sent, as a limit."""
    if order.limit is None:
        return "natural"
    return f"{points(abs(order.limit))} {'debit' if order.limit < 0 else 'credit'}"


BROKER, HERE = "broker", "here"


def exits(trade: TradeShown) -> tuple[tuple[str, str], ...]:
    """Each exit with who keeps it: those that only live in this process die with it. The second word is
    empty where nobody said."""
    said = [(x, BROKER) for x in trade.resting] + [(x, HERE) for x in trade.here]
    said += [(x, "") for x in trade.exits if x not in (*trade.resting, *trade.here)]
    return tuple((clean(what), who) for what, who in said)


def headline(shown: Snapshot) -> str:
    """What a tab or a window is called: ``RUNNING +£412 · friday``."""
    profit = "" if shown.day_profit is None else f" {cash(shown.day_profit, shown.currency, sign=True)}"
    return f"{standing(shown.standing)[1]}{profit} · {clean(shown.name)}"


def net(shown: Snapshot) -> tuple[GreeksShown, ...]:
    """The sum over all underlyings, where there are several."""
    g = shown.greeks
    if len(g) < 2:
        return ()
    sums = (sum(x.delta for x in g), sum(x.gamma for x in g), sum(x.theta for x in g), sum(x.vega for x in g))
    return (GreeksShown("all", *sums),)


def session(shown: Snapshot) -> str:
    """``session 2024-01-12``."""
    return f"session {clean(shown.session)}" if shown.session else "no session is open"


def most(of: AgeShown) -> str:
    """``may be 45 s``."""
    return f"may be {age(of.limit)}" if of.needed else "not needed now"


def ended(shown: Snapshot) -> str:
    """``, at the end of 2024-01-12``; empty where the account is shown as it is now."""
    return f", at the end of {clean(shown.as_of)}" if shown.as_of else ""


def late(shown: Snapshot) -> str:
    """``1 of 4 feeds late``; empty where none is."""
    n = sum(a.late for a in shown.ages)
    return f"{n} of {plural(len(shown.ages), 'feed')} late" if n else ""
