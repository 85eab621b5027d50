"""The option products this project knows, as data: index options of Cboe, options on CME's futures, stocks and funds.

What stands here is what exchanges publish; anything else must be declared by whoever imports it. It refuses to guess: a
root that is neither here nor an equity option is ``None``, never a product with made-up ticks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import cache, lru_cache
from typing import Final

from sim.calendar import Venue, third_friday
from sim.market.futures import (
    NAMED,
    QUARTERS,
    Month,
    Rule,
    future,
    known_futures,
    last_trading_day,
    option_expiration,
    option_month,
    underlying_month,
)
from sim.model.errors import DataError
from sim.model.instrument import MONTH_CODES, Exercise, Kind, Product, Style, TickTable, plain

PENNY: Final = TickTable(((None, Decimal("0.01")),))
"""Every option on a stock or fund is kept at cents: classes outside the penny program quote on coarser multiples."""

# root, underlying, multiplier, ticks, exercise
_INDEX: Final = """
SPX   SPX   100  0.05<3,0.10  am_cash
SPXW  SPX   100  0.05<3,0.10  pm_cash
XSP   XSP   100  0.01         pm_cash
"""

# roots, underlying future, ticks, style, exercise; the multiplier and the venue are the future's. E1A..E5D are Monday
# to Thursday, EW1..EW4 Friday, EW and EX the last business day, EYC the quarterly that settles at 16:00. The first row
# of each future is the quarterly: it settles at 09:30 and is American. Sources: rulebook 9.2 and 9.4; cmegroup.com,
# contract specifications of each. Not known here: other days of NQ, MNQ, RTY and YM than those that stand here.
_INDEX_FUTURES: Final = """
ES                                       ES   0.05<5,0.25  american  am_physical
EW,EW1,EW2,EW3,EW4,EYC                   ES   0.05<5,0.25  european  pm_physical
E1A,E2A,E3A,E4A,E5A,E1B,E2B,E3B,E4B,E5B  ES   0.05<5,0.25  european  pm_physical
E1C,E2C,E3C,E4C,E5C,E1D,E2D,E3D,E4D,E5D  ES   0.05<5,0.25  european  pm_physical
MES                                      MES  0.05<5,0.25  american  am_physical
EX,EX1,EX2,EX3,EX4                       MES  0.05<5,0.25  european  pm_physical
X1A,X2A,X3A,X4A,X5A,X1B,X2B,X3B,X4B,X5B  MES  0.05<5,0.25  european  pm_physical
X1C,X2C,X3C,X4C,X5C,X1D,X2D,X3D,X4D,X5D  MES  0.05<5,0.25  european  pm_physical
NQ                                       NQ   0.05<5,0.25  american  am_physical
QNE,QN1,QN2,QN3,QN4                      NQ   0.05<5,0.25  european  pm_physical
MNQ                                      MNQ  0.05<5,0.25  american  am_physical
MQE,MQ1,MQ2,MQ3,MQ4                      MNQ  0.05<5,0.25  european  pm_physical
RTO                                      RTY  0.05<5,0.10  american  am_physical
RTM,R1E,R2E,R3E,R4E                      RTY  0.05<5,0.10  european  pm_physical
R1A,R2A,R3A,R4A,R5A                      RTY  0.05<5,0.10  european  pm_physical
OYM                                      YM   0.20<4,1     american  am_physical
YM1,YM2,YM3,YM4                          YM   0.20<4,1     european  pm_physical
"""

# The same of all other futures: first the monthly option, then the Friday weeklies by the week of the month. Sources:
# rulebook 9.4 and cmegroup.com, contract specifications of each and FAQs on metals weeklies, Micro WTI and Micro Gold
# options; OB as OH and ADU as CAU, for want of a page of their own. MCO, MW1 to MW5 and LNE pay cash. Weeklies are
# mostly not listed for a Friday beside a monthly's expiration. HE delivers a future that pays cash on the same day.
_OTHERS: Final = """
LO,LO1,LO2,LO3,LO4,LO5    CL   0.01                          american  pm_physical
MCO,MW1,MW2,MW3,MW4,MW5   MCL  0.01                          european  pm_cash
ON                        NG   0.001                         american  pm_physical
LNE                       NG   0.001                         european  pm_cash
OB                        RB   0.0001                        american  pm_physical
OH                        HO   0.0001                        american  pm_physical
OG,OG1,OG2,OG3,OG4,OG5    GC   0.10                          american  pm_physical
OMG,1FG,2FG,3FG,4FG,5FG   MGC  0.10                          american  pm_physical
SO,SO1,SO2,SO3,SO4,SO5    SI   0.001                         american  pm_physical
HXE,H1E,H2E,H3E,H4E,H5E   HG   0.0005                        american  pm_physical
OZB,ZB1,ZB2,ZB3,ZB4,ZB5   ZB   0.015625                      american  pm_physical
OZN,ZN1,ZN2,ZN3,ZN4,ZN5   ZN   0.015625                      american  pm_physical
OZF,ZF1,ZF2,ZF3,ZF4,ZF5   ZF   0.0078125                     american  pm_physical
OZT,ZT1,ZT2,ZT3,ZT4,ZT5   ZT   0.0078125                     american  pm_physical
EUU,1EU,2EU,3EU,4EU,5EU   6E   0.00005<0.0005,0.0001         european  pm_physical
GBU,1BP,2BP,3BP,4BP,5BP   6B   0.0001                        european  pm_physical
ADU                       6A   0.00005<0.0005,0.0001         european  pm_physical
CAU,1CD,2CD,3CD,4CD,5CD   6C   0.00005<0.0005,0.0001         european  pm_physical
JPU,1JY,2JY,3JY,4JY,5JY   6J   0.0000005<0.000005,0.000001   european  pm_physical
CHU,1SF,2SF,3SF,4SF,5SF   6S   0.00005<0.0005,0.0001         european  pm_physical
OZC                       ZC   0.125                         american  pm_physical
OZS                       ZS   0.125                         american  pm_physical
OZW                       ZW   0.125                         american  pm_physical
LE                        LE   0.025                         american  pm_physical
HE                        HE   0.025                         american  pm_physical
"""

# Funds: ticks. SPY, QQQ and IWM trade in cents at any price; other classes of the penny program in nickels from 3.00 on
# (Cboe rule 5.4).
_FUNDS: Final = """
SPY  0.01
QQQ  0.01
IWM  0.01
TLT  0.01<3,0.05
GLD  0.01<3,0.05
"""

_AHEAD: Final = frozenset(
    {Rule.CRUDE, Rule.MICRO_CRUDE, Rule.GAS, Rule.FUEL, Rule.METAL, Rule.BOND, Rule.NOTE, Rule.GRAIN}
)
"""Futures whose monthly options end in the month before the one that they are named by."""
_INDICES: Final = frozenset({"SPX", "XSP", "VIX", "NDX", "RUT"})
_ELSEWHERE: Final = frozenset({"DXY"})
"""Indices of other exchanges, whose hours are not known here."""
_LISTED: Final = re.compile(r"[A-Z]{1,5}([./][A-Z])?")
_FUTURE_SYMBOL: Final = re.compile(rf"([A-Z0-9]{{1,3}})([{MONTH_CODES}])(\d)")


@dataclass(frozen=True, slots=True)
class FutureMonth:
    """A future as a symbol names it: ``ESH0``, ``CLG4``. ``year`` is the last digit only."""

    root: str
    month: int
    year: int


@cache
def monthly_roots() -> Mapping[str, str]:
    """The monthly options whose symbol names a contract month, by root: ``LO`` on ``CL``."""
    rows = (line.split() for line in _OTHERS.strip().splitlines())
    return {roots.split(",")[0]: underlying for roots, underlying, *_ in rows}


@cache
def _known() -> Mapping[str, Product]:
    found: dict[str, Product] = {}
    for line in _INDEX.strip().splitlines():
        root, underlying, multiplier, ticks, exercise = line.split()
        found[root] = Product(
            root, underlying, Kind.INDEX, Decimal(multiplier), parse_ticks(ticks), Style.EUROPEAN, Exercise(exercise),
            Venue.CBOE_INDEX.value,
        )  # fmt: skip
    for line in (_INDEX_FUTURES.strip() + _OTHERS.rstrip()).splitlines():
        roots, underlying, ticks, style, exercise = line.split()
        on = future(underlying)
        for root in roots.split(","):
            ahead = int(root in monthly_roots() and on.rule in _AHEAD)
            found[root] = Product(
                root, underlying, Kind.FUTURE, on.multiplier, parse_ticks(ticks), Style(style), Exercise(exercise),
                on.venue.value, ahead=ahead,
            )  # fmt: skip
    return found


def known_product(root: str) -> Product | None:
    """The index or future option product of ``root``; None where this table has none."""
    return _known().get(root)


@lru_cache(maxsize=4096)
def equity_option(root: str, underlying: str = "") -> Product:
    """The option on a stock or fund: American, physical, 100 shares, cents."""
    return Product(
        root, underlying or root, Kind.EQUITY, Decimal(100), PENNY, Style.AMERICAN, Exercise.PM_PHYSICAL,
        Venue.US_EQUITY.value,
    )  # fmt: skip


def fund_option(root: str) -> Product:
    """The option on a fund whose ticks are known (SPY, QQQ, IWM, TLT, GLD); DataError for another."""
    if (found := _funds().get(root)) is None:
        raise DataError(f"fund {root!r} is not known here; wanted one of {', '.join(_funds())}")
    return found


@cache
def _funds() -> dict[str, Product]:
    ticks = (line.split() for line in _FUNDS.strip().splitlines())
    return {root: replace(equity_option(root), ticks=parse_ticks(table)) for root, table in ticks}


def is_future_root(root: str) -> bool:
    """Whether the future ``root`` is known here (ES, MES, CL), with options or without (M6E)."""
    return root in known_futures()


def what_is(symbol: str) -> str:
    """``future``, ``named`` (a future that rules only name), ``index``, or ``listed``: what may be a stock or a fund.

    A symbol that rules and configurations name stands for the future, where one has it: CC is cocoa, not Chemours.
    DataError where it can be none of them.
    """
    if is_future_root(symbol):
        return "future"
    if symbol in NAMED:
        return "named"
    if symbol in _INDICES | _ELSEWHERE:
        return "index"
    if not _LISTED.fullmatch(symbol):
        raise DataError(f"{symbol!r} is no future and no index that is known here, and no symbol of a stock")
    return "listed"


def future_symbol(root: str, year: int, month: int) -> str:
    """A future's month as everyone writes it: ``ESH0`` for March of a year that ends in 0."""
    if not 1 <= month <= 12:
        raise DataError(f"future {root} {year}-{month}: wanted a month from 1 to 12")
    return f"{root}{MONTH_CODES[month - 1]}{year % 10}"


def future_month(symbol: str) -> FutureMonth | None:
    """Root, month and the year's last digit of a future's symbol; None where it is not one of a known root."""
    match = _FUTURE_SYMBOL.fullmatch(symbol)
    if match is None or not is_future_root(match[1]):
        return None
    return FutureMonth(match[1], MONTH_CODES.index(match[2]) + 1, int(match[3]))


def delivery_year(month: FutureMonth, session: date) -> int:
    """The full year of a future seen on ``session``: the first one not more than a year past that ends in its digit."""
    year = session.year - 1
    while year % 10 != month.year:
        year += 1
    if date(year, month.month, 28) < session.replace(day=1):
        year += 10
    return year


def symbol_month(product: Product, expiration: date) -> Month:
    """The month that the symbol of an option names: ``LOF5``, of January, expires in December.

    Of a monthly on anything but equity indices it is the contract month, of all others that of the expiration.
    DataError where a monthly does not expire on that day: then either the day or our calendar is wrong.
    """
    root = product.root
    on = monthly_roots().get(root)
    if on is None:
        return Month(expiration.year, expiration.month)
    month = option_month(on, expiration)
    if (wanted := option_expiration(on, month)) != expiration:
        raise DataError(
            f"{root} does not expire on {expiration}; {future_symbol(root, *astuple(month))} does on {wanted}"
        )
    return month


def monthly_expiration(product: Product, month: Month) -> date:
    """The inverse of ``symbol_month`` for monthlies, and for the quarterlies of equity indices: when ``LOF5`` expires.

    DataError for a weekly or an end of month: their day is in the root.
    """
    root = product.root
    if root in monthly_roots():
        return option_expiration(product.underlying, month)
    if product.kind is Kind.FUTURE and product.exercise.morning and month.month in QUARTERS:
        return option_expiration(product.underlying, month)
    raise DataError(
        f"{root} of {month.year}-{month.month:02} is no monthly: its month alone does not say when it expires"
    )


def deliverable(product: Product, expiration: date) -> str:
    """The future an option is exercised into, as a symbol.

    On equity indices that is the nearest quarterly one which still trades after the option has expired. The quarter's
    own future dies at 09:30 on the third Friday: the option that settles then is on it, the one that settles at 16:00
    is on the next. Elsewhere it is the future of the first monthly option that expires on that day or later.
    """
    if product.venue != Venue.GLOBEX_EQUITY.value:
        month = underlying_month(product.underlying, option_month(product.underlying, expiration))
        return future_symbol(product.underlying, month.year, month.month)
    year, quarter = expiration.year, (expiration.month + 2) // 3 * 3
    last = third_friday(year, quarter)
    if expiration > last or (expiration == last and not product.exercise.morning):
        year, quarter = (year + 1, 3) if quarter == 12 else (year, quarter + 3)
    return future_symbol(product.underlying, year, quarter)


def main_symbol(underlying: str, session: date, symbols: Iterable[str]) -> str | None:
    """Which symbol the path of an underlying follows: itself, or the nearest of its futures that trades all day."""
    best: tuple[date, str] | None = None
    for symbol in symbols:
        if symbol == underlying:
            return symbol
        month = future_month(symbol)
        if month is not None and month.root == underlying:
            last = last_trading_day(underlying, Month(delivery_year(month, session), month.month))
            if last > session and (best is None or (last, symbol) < best):
                best = last, symbol
    return best[1] if best else None


def venue_of(symbol: str) -> Venue:
    """Where an underlying trades: a known index at Cboe, a future of a known root on Globex, all else as stocks.

    DataError where its hours are not known: DXY, a month of a future that is only named (KCH5).
    """
    if symbol in _INDICES:
        return Venue.CBOE_INDEX
    if symbol in _ELSEWHERE:
        raise DataError(f"{symbol}: its exchange's hours are not known here")
    match = _FUTURE_SYMBOL.fullmatch(symbol)
    if match is not None and match[1] in NAMED:
        return future(match[1]).venue
    month = future_month(symbol)
    return future(month.root).venue if month else Venue.US_EQUITY


def venue_for(underlying: str, products: Sequence[Product]) -> Venue:
    """The same of an underlying with these options: as they say, else as its symbol does."""
    return Venue(products[0].venue) if products else venue_of(underlying)


def ticks_text(ticks: TickTable) -> str:
    """A tick table as one word: ``0.05<3,0.10`` is 0.05 below 3.00 and 0.10 from there on."""
    return ",".join(f"{t:f}" if below is None else f"{t:f}<{plain(below)}" for below, t in ticks.steps)


def parse_ticks(text: str) -> TickTable:
    """The inverse of ``ticks_text``; DataError where it is not one."""
    steps: list[tuple[Decimal | None, Decimal]] = []
    try:
        for part in text.split(","):
            tick, _, below = part.partition("<")
            steps.append((Decimal(below) if below else None, Decimal(tick)))
    except InvalidOperation:
        raise DataError(f"tick table {text!r}: wanted steps such as 0.05<3,0.10") from None
    return TickTable(tuple(steps))


def product_record(product: Product) -> dict[str, str]:
    """A product as plain text, for a manifest."""
    return {
        "root": product.root,
        "underlying": product.underlying,
        "kind": product.kind.value,
        "multiplier": str(product.multiplier),
        "ticks": ticks_text(product.ticks),
        "style": product.style.value,
        "exercise": product.exercise.value,
        "venue": product.venue,
        "currency": product.currency,
    }


def read_product(record: Mapping[str, str]) -> Product:
    """The inverse of ``product_record``; DataError where a word of it is unknown."""
    try:
        return Product(
            root=record["root"],
            underlying=record["underlying"],
            kind=Kind(record["kind"]),
            multiplier=Decimal(record["multiplier"]),
            ticks=parse_ticks(record["ticks"]),
            style=Style(record["style"]),
            exercise=Exercise(record["exercise"]),
            venue=Venue(record["venue"]).value,
            currency=record["currency"],
            ahead=known.ahead if (known := known_product(record["root"])) else 0,
        )
    except (KeyError, ValueError, InvalidOperation) as error:
        raise DataError(f"product {dict(record)!r}: {error} does not fit; wanted the words of a Product") from None
