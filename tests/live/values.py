"""Values of a live session for tests of its codec: of every class, with whatever its fields may hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import InitVar, dataclass, fields
from datetime import date, time
from decimal import Decimal
from enum import Enum, Flag
from functools import cache
from math import nan
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from live.inputs import Input
from sim.model.book import Claim, Trade
from sim.model.defence import (
    CloseByDte,
    DeltaDefence,
    DistanceDefence,
    EarlyProfit,
    ExtrinsicTarget,
    OfPart,
    VixAbove,
)
from sim.model.event import Decision, Event, Standing
from sim.model.exits import CloseAt, Condition, CrossAfter, Exit, Legs, ProfitTarget, Review, StopLoss
from sim.model.fill import Fill, Settlement
from sim.model.instrument import Exercise, Kind, OptionContract, Product, Right, Series, Style, TickTable
from sim.model.order import Action, Approved, Intent, Leg, Order, OrderRequest, Pass, Refused

TICKS: Final = TickTable(((Decimal(5), Decimal("0.05")), (None, Decimal("0.25"))))
ES: Final = Product(
    "EW1", "ES", Kind.FUTURE, Decimal(50), TICKS, Style.EUROPEAN, Exercise.PM_PHYSICAL, "globex"
)  # fmt: skip
ES_FRIDAY: Final = Product(
    "E1E", "ES", Kind.FUTURE, Decimal(50), TICKS, Style.EUROPEAN, Exercise.PM_PHYSICAL, "globex", ahead=1
)  # fmt: skip
SPXW: Final = Product("SPXW", "SPX", Kind.INDEX, Decimal(100), TICKS, Style.EUROPEAN, Exercise.PM_CASH, "cboe")
PUT: Final = OptionContract(Series(ES, date(2024, 8, 2), "ESU4"), 5_600_0000, Right.PUT)
CALL: Final = OptionContract(Series(ES, date(2024, 8, 2), "ESU4"), 5_700_0000, Right.CALL)


class Mood(Enum):
    CALM = "calm"
    TENSE = "tense"


@dataclass(frozen=True, slots=True)
class Step:
    at: float
    mood: Mood


@dataclass(frozen=True, slots=True)
class Ladder:
    """An exit of a user's own."""

    steps: tuple[Step, ...]
    names: frozenset[str] = frozenset()

    def conditions(self, credit: int, legs: Legs = ()) -> tuple[Condition, ...]:
        return ()

    def describe(self) -> str:
        return "a ladder"


@dataclass
class OwnWay:
    a: int

    def __init__(self, b: int) -> None:
        self.a = b


@dataclass
class Given:
    a: int
    b: InitVar[int]


@dataclass
class Loud:
    """Whoever makes one regrets it."""

    a: int = 0

    def __post_init__(self) -> None:
        raise RuntimeError("made\nof noise")


class Plain:
    pass


class Child(Step):
    """Inherits the fields, is no dataclass itself."""


class Colour(Flag):
    RED = 1
    BLUE = 2


EXITS: Final = (
    CloseAt, CloseByDte, CrossAfter, DeltaDefence, DistanceDefence, EarlyProfit, ExtrinsicTarget, Ladder, OfPart,
    ProfitTarget, Review, StopLoss, VixAbove,
)  # fmt: skip
CLASSES: Final = (
    *get_args(Event), *get_args(Decision), *get_args(Input), *EXITS, OrderRequest, Order, Approved, Refused, Pass, Fill,
    Settlement, Trade, Claim, Condition,
)  # fmt: skip
TEXTS: Final = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NUMBERS: Final = st.floats(allow_nan=False) | st.just(nan)
DECIMALS: Final = st.decimals(allow_nan=False)
TIMES: Final = st.builds(time, *(st.integers(0, top - 1) for top in (24, 60, 60, 1_000_000)))
SERIES: Final = st.builds(Series, st.sampled_from([ES, ES_FRIDAY, SPXW]), st.dates(), st.sampled_from(["", "ESU4"]))
CONTRACTS: Final = st.builds(OptionContract, SERIES, st.integers(1, 10**9), st.sampled_from(Right))


@st.composite
def requests(draw: st.DrawFn) -> OrderRequest:
    """One to four different contracts of one product, opened or closed together."""
    series, intent = draw(SERIES), draw(st.sampled_from(Intent))
    strikes = draw(st.lists(st.integers(1, 10**9), min_size=1, max_size=4, unique=True))
    words = [each for each in Action if each.opening is (intent is Intent.OPEN)]
    legs = tuple(
        draw(st.builds(Leg, st.just(OptionContract(series, strike, right)), st.integers(1, 9), st.sampled_from(words)))
        for strike, right in ((each, draw(st.sampled_from(Right))) for each in strikes)
    )
    rest = {each.name: of(hints(OrderRequest)[each.name]) for each in fields(OrderRequest) if each.init}
    rest |= {"legs": st.just(legs), "quantity": st.integers(1, 99), "intent": st.just(intent)}
    return draw(st.builds(OrderRequest, **rest))


@cache
def hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


SPECIAL: Final[dict[Any, Callable[[], st.SearchStrategy[Any]]]] = {
    int: lambda: st.integers(-(2**63), 2**63), str: lambda: TEXTS, float: lambda: NUMBERS, bool: st.booleans,
    Decimal: lambda: DECIMALS, date: st.dates, time: lambda: TIMES, type(None): st.none,
    OptionContract: lambda: CONTRACTS, Series: lambda: SERIES, OrderRequest: requests,
    Exit: lambda: st.one_of(*(of(kind) for kind in EXITS if kind is not OfPart)),
}  # fmt: skip


def of(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a type as it is annotated."""
    if hint in SPECIAL:
        return SPECIAL[hint]()
    match get_origin(hint), get_args(hint):
        case builtin, (each, last) if builtin is tuple and last is Ellipsis:
            return st.lists(of(each), max_size=3).map(tuple)
        case builtin, each if builtin is tuple:
            return st.tuples(*map(of, each))
        case builtin, (each,) if builtin is frozenset:
            return st.frozensets(of(each), max_size=3)
        case union, each if union in {UnionType, Union}:
            return st.one_of(*map(of, each))
    if issubclass(hint, Enum):
        return st.sampled_from(hint)
    return st.builds(hint, **{each.name: of(hints(hint)[each.name]) for each in fields(hint) if each.init})


HASHED: Final = (
    st.none() | st.booleans() | st.integers(-(10**40), 10**40) | NUMBERS | TEXTS | DECIMALS | st.dates() | TIMES
    | st.sampled_from(Standing) | st.sampled_from(Mood) | CONTRACTS | SERIES
)  # fmt: skip
KEYS: Final = TEXTS | st.sampled_from(["$", "$c", "$map", "$ x", ""])
VALUES: Final = st.recursive(
    HASHED | st.frozensets(HASHED, max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple) | st.dictionaries(KEYS, inner, max_size=3)
    ),
    max_leaves=8,
)
