"""Values out of typed text, for a session that has no feed: search results, one a line, and the manual line.

What is read is a list of forms, each of them whole; any other text is a ``DataError`` of one line. Nothing is guessed:
of ``ES ATR(14) is 42 points`` the 14 is no range, and of ``90 DTE 5-delta put: 5200 strike`` the 90 is no strike. A
question mark says that the person does not know, which is kept as None: it never becomes a number.

An RSI is rounded to a whole number, half up: 58.3 is 58 (rulebook 7.2 #1; its first column is what was typed).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import date, time
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from sim.calendar import at_ny
from sim.market.products import what_is
from sim.model.errors import DataError, similar
from sim.model.instrument import Right

MOST_VIX: Final = Decimal(150)
"""A VIX above is a mistake in typing or in the source (``regime.max_valid``)."""
MOST_DTE: Final = 1200
"""Days: the longest LEAPs are listed for a little over three years."""

_N: Final = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
_SYMBOL: Final = r"(?:(?P<symbol>(?-i:[0-9]?[A-Z][A-Z0-9]{0,4})) )?"
_IS: Final = r"(?: is|:)? "


def number(text: str) -> Decimal | None:
    """``6,468.50``, without a sign or a unit; None where it is not one. Groups of thousands must be whole."""
    return Decimal(text.replace(",", "")) if re.fullmatch(_N, text, re.ASCII) else None


def _form(pattern: str) -> re.Pattern[str]:
    return re.compile(_SYMBOL + pattern + r"\.?", re.IGNORECASE | re.ASCII)


_PRICE: Final = _form(
    rf"is (?:(?:currently|now) )?trading at \$?(?P<last>{_N})"
    rf"(?:, (?P<way>up|down) \$?(?P<change>{_N})(?: from the open| today| on the day)?)?"
)
_RANGE: Final = _form(rf"(?:(?:\d+-day )?range){_IS}\$?(?P<low>{_N}) ?[-–] ?\$?(?P<high>{_N})")
_ATR: Final = _form(rf"ATR(?:\(\d+\))?{_IS}(?P<atr>{_N})(?: points)?")
_RSI: Final = _form(rf"RSI(?:\(\d+\))?(?: reading)?{_IS}(?P<rsi>{_N})(?: \([a-z ]+\))?")
_IV: Final = _form(rf"(?:IV|implied volatility){_IS}(?P<iv>{_N}) ?%?")
_RANK: Final = _form(rf"(?:IVR|IV rank){_IS}(?P<rank>\d+(?:\.\d+)?)(?:st|nd|rd|th|%)?(?: percentile)?")
_OPTION: Final = _form(
    rf"(?:(?P<dte>\d{{1,4}}) DTE )?(?:(?P<delta>\d{{1,2}})-delta )?(?:(?P<right>put|call): )?"
    rf"(?P<strike>{_N}) strike, bid (?P<bid>{_N})(?:, ask (?P<ask>{_N}))?"
)
_CREDIT: Final = re.compile(
    rf"credit (?P<bid>{_N}) ?- ?(?P<ask>{_N})(?: ?= ?(?P<said>{_N}))?", re.IGNORECASE | re.ASCII
)
_EXAMPLE: Final = 'wanted one like "ES is currently trading at $6,468.50, up $48.50" or "ES ATR(14) is 45 points"'


@dataclass(frozen=True, slots=True)
class OptionSeen:
    """One option as it was typed, points. What was not said is None."""

    right: Right | None
    strike: Decimal
    bid: Decimal
    ask: Decimal | None
    dte: int | None
    delta: int | None


@dataclass(frozen=True, slots=True)
class Seen:
    """What was typed of one underlying. Points; ``change`` signed, since the open; ``rsi`` and ``iv_rank`` from 0 to
    100, ``iv`` in per cent. None: it was not said."""

    last: Decimal | None = None
    change: Decimal | None = None
    low: Decimal | None = None
    high: Decimal | None = None
    atr: Decimal | None = None
    rsi: int | None = None
    iv: Decimal | None = None
    iv_rank: Decimal | None = None
    options: tuple[OptionSeen, ...] = ()

    @property
    def put(self) -> OptionSeen | None:
        return next((each for each in self.options if each.right is Right.PUT), None)

    @property
    def call(self) -> OptionSeen | None:
        return next((each for each in self.options if each.right is Right.CALL), None)


def read(text: str) -> tuple[str, Seen]:
    """One line: the symbol, empty where it names none, and what it says. DataError for any other text, and for numbers
    that cannot be (an RSI above 100, a range whose low is above its high, a bid above its ask)."""
    said = " ".join(text.split())
    for form in (_PRICE, _RANGE, _ATR, _RSI, _IV, _RANK, _OPTION):
        if match := form.fullmatch(said):
            return match["symbol"] or "", _seen(form, match, shown(said))
    raise DataError(f"{shown(said)} says nothing that is read here: {_EXAMPLE}")


def read_all(lines: Iterable[str]) -> dict[str, Seen]:
    """Lines by the symbol that each must name. DataError as ``read``, and where two lines say the same thing twice."""
    found: dict[str, Seen] = {}
    for text in lines:
        symbol, new = read(text)
        if not symbol:
            raise DataError(f"{shown(text)} names no symbol: put one before it, like ES")
        old = found.get(symbol, Seen())
        said = {f.name: getattr(new, f.name) for f in fields(new) if getattr(new, f.name) not in (None, ())}
        options = said.pop("options", ())
        twice = [name for name in said if getattr(old, name) is not None]
        same = {(each.right, each.dte, each.delta) for each in old.options}
        if twice or any((each.right, each.dte, each.delta) in same for each in options):
            raise DataError(f"{shown(text)}: {symbol} has its {(twice or ['option'])[0]} already; give it once")
        found[symbol] = replace(old, **said, options=(*old.options, *options))
    return found


def spread_credit(short_bid: Decimal, long_ask: Decimal) -> Decimal:
    """What a vertical brings in at its natural price, points: the bid of what is sold less the ask of what is bought.
    Negative where it costs."""
    return short_bid - long_ask


def read_credit(text: str) -> Decimal:
    """``credit 4.25-1.75=2.50``: the credit; DataError for another text, and where the sum is wrong."""
    said = " ".join(text.split())
    match = _CREDIT.fullmatch(said)
    if match is None:
        raise DataError(f"{shown(said)} is no credit: wanted one like credit 4.25-1.75=2.50")
    credit = spread_credit(_of(match["bid"]), _of(match["ask"]))
    if match["said"] is not None and _of(match["said"]) != credit:
        raise DataError(f"{shown(said)} does not add up: it is {credit}; check what was typed")
    return credit


def _of(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))


def shown(text: str) -> str:
    """Typed text inside a message: in quotes, on one line, printable, not endless."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return repr(line if len(line) <= 120 else f"{line[:120]}…")


def _within(where: str, what: str, value: Decimal, most: int) -> Decimal:
    if value > most:
        raise DataError(f"{where}: {what} is {value}, wanted at most {most}; check what was typed")
    return value


def _positive(where: str, what: str, value: Decimal) -> Decimal:
    if value <= 0:
        raise DataError(f"{where}: {what} is {value}, wanted above 0; check what was typed")
    return value


def _seen(form: re.Pattern[str], match: re.Match[str], where: str) -> Seen:
    if form is _PRICE:
        change = None if match["change"] is None else _of(match["change"])
        down = change is not None and match["way"].lower() == "down"
        return Seen(
            last=_positive(where, "the price", _of(match["last"])), change=-change if down and change else change
        )
    if form is _RANGE:
        low, high = _positive(where, "the low", _of(match["low"])), _of(match["high"])
        if low > high:
            raise DataError(f"{where}: its low {low} is above its high {high}; check what was typed")
        return Seen(low=low, high=high)
    if form is _ATR:
        return Seen(atr=_positive(where, "the ATR", _of(match["atr"])))
    if form is _RSI:
        return Seen(rsi=int(_within(where, "the RSI", _of(match["rsi"]), 100).to_integral_value(ROUND_HALF_UP)))
    if form is _IV:
        return Seen(iv=_positive(where, "the IV", _within(where, "the IV", _of(match["iv"]), 1000)))
    if form is _RANK:
        return Seen(iv_rank=_within(where, "the IV rank", _of(match["rank"]), 100))
    return Seen(options=(_option(match, where),))


def _option(match: re.Match[str], where: str) -> OptionSeen:
    bid, ask = _of(match["bid"]), None if match["ask"] is None else _of(match["ask"])
    if ask is not None and bid > ask:
        raise DataError(f"{where}: its bid {bid} is above its ask {ask}; check what was typed")
    right = None if match["right"] is None else Right[match["right"].upper()]
    dte, delta = (None if match[each] is None else int(match[each]) for each in ("dte", "delta"))
    return OptionSeen(right, _positive(where, "the strike", _of(match["strike"])), bid, ask, dte, delta)


# --- the manual line --------------------------------------------------------------------------------------------------

STRATEGIES: Final = {
    "0DTE": "zero_dte", "LT112": "lt112", "STRANGLE": "strangle", "ENHANCED STRANGLE": "enhanced_strangle",
    "IPMCC": "ipmcc", "LEAP": "leap_puts", "RATIO": "ratio", "BUTTERFLY": "butterfly", "DIAGONAL": "diagonal",
    "BOX": "box", "BATMAN": "batman",
}  # fmt: skip
"""A play as a person writes it, and what it is called here."""

FORM: Final = "value | positions or none | BP% | date time | VIX n | PM yes/no | month P&L"
_MONEY: Final = re.compile(rf"(?P<sign>[+-]?)(?P<mark>[£$€]?)(?P<late>[+-]?)(?P<size>{_N})", re.ASCII)
_CURRENCIES: Final = {"£": "GBP", "$": "USD", "€": "EUR", "": ""}
_POSITION: Final = re.compile(
    r"(?P<what>[A-Z0-9][A-Z0-9 ]*?) \((?P<dte>\d{1,5}) DTE, (?P<entry>[\d.,/]+?)(?P<weekly>/weekly)?, "
    r"(?P<sign>[+-]?)(?P<profit>\d+(?:\.\d+)?)%\)",
    re.IGNORECASE | re.ASCII,
)
_BETWEEN: Final = re.compile(r",(?![^(]*\))")
_ZERO_DTE: Final = re.compile(r"0DTE(?: (?:IRON CONDOR|(?:PUT|CALL) SPREAD))?", re.IGNORECASE)
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS: Final = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_WHEN: Final = re.compile(
    r"(?:(?P<day>[a-z]+),? )?(?:(?P<month>[a-z]+)\.? (?P<of>\d{1,2})|(?P<m>\d{1,2})/(?P<d>\d{1,2}))"
    r"(?:,? (?P<year>\d{4}))?,? (?P<hour>\d{1,2}):(?P<minute>\d{2}) ?(?P<half>am|pm)?(?: (?:EST|EDT|ET))?",
    re.IGNORECASE | re.ASCII,
)
_ISO: Final = re.compile(r"(?P<date>\d{4}-\d{2}-\d{2})[ T](?P<time>\d{2}:\d{2})(?: (?:EST|EDT|ET))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class PositionSeen:
    """A position as it was typed. ``entry``: the price it was opened at, or its strikes; ``profit`` in per cent."""

    strategy: str
    underlying: str
    dte: int
    entry: tuple[Decimal, ...]
    weekly: bool
    profit: Decimal


@dataclass(frozen=True, slots=True)
class ManualLine:
    """The account as a person typed it. ``nlv`` and ``month`` in ``currency``, which is empty where no sign was given;
    ``nlv`` may be negative. ``bp``: buying power used in per cent, None where it is not known. ``ts``: UTC ns of the
    instant that was typed, which says nothing of its age: the caller compares. ``vix`` None blocks every entry."""

    nlv: Decimal
    currency: str
    positions: tuple[PositionSeen, ...]
    bp: Decimal | None
    ts: int
    vix: Decimal | None
    portfolio_margin: bool
    month: Decimal | None

    @property
    def standard_margin(self) -> bool:
        """Whether margin is worked out by the standard rules: always where buying power is not known."""
        return not self.portfolio_margin or self.bp is None


def read_line(text: str, today: date) -> ManualLine:
    """``£75000 | ES LT112 (85 DTE, 6420, +5%) | 32% | Friday Jan 10 10:15 AM EST | VIX 15.2 | No | £2450``.

    The last part may be left out. Clock times are New York's, whatever zone is written. A date without a year is the
    one nearest to ``today``; the weekday must fit. DataError, one line, names the part that cannot be read.
    """
    parts = [" ".join(part.split()) for part in text.split("|")]
    if len(parts) not in (6, 7):
        raise DataError(f"{shown(text)} has {len(parts)} parts: wanted {FORM}")
    nlv, currency = _money("value", parts[0])
    month = None
    if len(parts) == 7 and parts[6]:
        month, other = _money("month P&L", parts[6])
        if other and currency and other != currency:
            raise DataError(
                f"month P&L {shown(parts[6])} is in {other} and the value in {currency}: wanted one currency"
            )
        currency = currency or other
    return ManualLine(
        nlv, currency, read_positions(parts[1]), _used(parts[2]), _instant(parts[3], today), read_vix(parts[4]),
        _margin(parts[5]), month,
    )  # fmt: skip


def read_vix(text: str) -> Decimal | None:
    """``VIX 15.2``; None for ``VIX ?``. DataError for anything else, and for a VIX that cannot be (999)."""
    match = re.fullmatch(rf"(?:VIX )?(\?|{_N})", text.strip(), re.IGNORECASE | re.ASCII)
    if match is None:
        raise DataError(f"{shown(text)} is no VIX: wanted one like VIX 15.2, or VIX ? where it is not known")
    if match[1] == "?":
        return None
    level = _of(match[1])
    if not 0 < level <= MOST_VIX:
        raise DataError(f"VIX {level} cannot be: wanted above 0, at most {MOST_VIX}; check it, or type VIX ?")
    return level


def read_positions(text: str) -> tuple[PositionSeen, ...]:
    """``ES LT112 (85 DTE, 6420, +5%), QQQ IPMCC (280 DTE, 380/weekly, -2%)``, or ``none``. DataError for one that
    cannot be read, or cannot be."""
    if text.strip().lower() == "none":
        return ()
    return tuple(_position(each.strip()) for each in _BETWEEN.split(text))


def _position(text: str) -> PositionSeen:
    where = f"position {shown(text)}"
    match = _POSITION.fullmatch(text)
    prices = [number(each) for each in match["entry"].split("/")] if match else []
    if match is None or None in prices:
        raise DataError(f"{where} cannot be read: wanted one like ES LT112 (85 DTE, 6420, +5%), or none")
    strategy, underlying = _play(where, match["what"])
    dte = int(_within(where, "its DTE", Decimal(match["dte"]), MOST_DTE))
    entry = tuple(_positive(where, "its entry price", price) for price in prices if price is not None)
    profit = Decimal(match["profit"]) * (-1 if match["sign"] == "-" else 1)
    return PositionSeen(strategy, underlying, dte, entry, match["weekly"] is not None, profit)


def _play(where: str, what: str) -> tuple[str, str]:
    """Strategy and underlying of ``ES LT112``. ``0DTE Iron Condor`` names no underlying: it is always ES."""
    if _ZERO_DTE.fullmatch(what):
        return "zero_dte", "ES"
    symbol, _, name = what.upper().partition(" ")
    play = "0DTE" if _ZERO_DTE.fullmatch(name) else name
    if play not in STRATEGIES:
        known = ", ".join(STRATEGIES)
        raise DataError(f"{where}: no play is called {name!r}{similar(play, STRATEGIES)}; wanted one of {known}")
    try:
        what_is(symbol)
    except DataError as error:
        raise DataError(f"{where}: {error}") from None
    return STRATEGIES[play], symbol


def _money(what: str, text: str) -> tuple[Decimal, str]:
    match = _MONEY.fullmatch(text)
    if match is None or (match["sign"] and match["late"]):
        raise DataError(f"{what} {shown(text)} is no amount: wanted one like £75000 or £-5000")
    size = _of(match["size"])
    return -size if "-" in (match["sign"], match["late"]) else size, _CURRENCIES[match["mark"]]


def _used(text: str) -> Decimal | None:
    match = re.fullmatch(r"(?:BP )?(\?|\d{1,3}(?:\.\d+)?) ?%", text, re.IGNORECASE | re.ASCII)
    if match is None:
        raise DataError(f"buying power {shown(text)} cannot be read: wanted per cent like 32%, or ?% where not known")
    return None if match[1] == "?" else Decimal(match[1])


def _margin(text: str) -> bool:
    match = re.fullmatch(r"(?:PM |portfolio margin )?(yes|no)", text, re.IGNORECASE)
    if match is None:
        raise DataError(f"portfolio margin {shown(text)} cannot be read: wanted PM yes or PM no")
    return match[1].lower() == "yes"


def _instant(text: str, today: date) -> int:
    """UTC ns of a New York date and time."""
    try:
        if match := _ISO.fullmatch(text):
            return at_ny(date.fromisoformat(match["date"]), time.fromisoformat(match["time"]))
        if match := _WHEN.fullmatch(text):
            return at_ny(_day(match, text, today), _clock(match))
    except (ValueError, OverflowError):
        pass  # no such day, or no such time of day
    raise DataError(f"date and time {shown(text)} cannot be read: wanted some like Friday Jan 10 10:15 AM EST")


def _clock(match: re.Match[str]) -> time:
    hour, half = int(match["hour"]), (match["half"] or "").lower()
    if half:
        if not 1 <= hour <= 12:
            raise ValueError(hour)
        hour = hour % 12 + (12 if half == "pm" else 0)
    return time(hour, int(match["minute"]))


def _day(match: re.Match[str], text: str, today: date) -> date:
    month = int(match["m"] or 0) or _named(match["month"], _MONTHS)
    of = int(match["d"] or match["of"])
    if match["year"]:
        found = date(int(match["year"]), month, of)
    else:
        near = [d for year in (-1, 0, 1) if (d := _maybe(today.year + year, month, of)) is not None]
        if not near:
            raise ValueError(text)
        found = min(near, key=lambda d: abs(d - today))
    if match["day"] and _named(match["day"], _DAYS) != found.weekday() + 1:
        is_ = _DAYS[found.weekday()].capitalize()
        raise DataError(f"date and time {shown(text)}: {found} is a {is_}; check the date, or give its year")
    return found


def _named(word: str, names: tuple[str, ...]) -> int:
    """The place, from 1, of a name or of its beginning of three letters or more; ValueError for another word."""
    fits = [i for i, name in enumerate(names, 1) if len(word) >= 3 and name.startswith(word.lower())]
    if len(fits) != 1:
        raise ValueError(word)
    return fits[0]


def _maybe(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
