"""The codec: what is written is read, the same is written the same, and nothing that is read can do harm."""

from __future__ import annotations

import pkgutil
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib import import_module
from math import inf, isnan, nan
from pathlib import Path
from typing import Any, Final, cast

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sim.model
from live.codec import Codec
from live.codec_names import NUMBERED, OWN, kept
from live.inputs import Minute, Prices, Sides, Told
from sim.model.errors import DataError
from sim.model.event import Cancel, Moment, OrderAccepted, Submit
from sim.model.exits import StopLoss
from sim.model.instrument import OptionContract, Product, Right, Series
from sim.model.order import Action, Approved, Intent, Leg, Order, OrderRequest, Status
from tests.live.values import (
    CALL,
    CLASSES,
    ES,
    ES_FRIDAY,
    KEYS,
    PUT,
    SPXW,
    TEXTS,
    TICKS,
    VALUES,
    Child,
    Colour,
    Given,
    Ladder,
    Mood,
    OwnWay,
    Plain,
    Step,
    of,
)

MINE: Final = Ladder.__module__
"""Where the classes of a user are."""


def heir(codec: Codec) -> Codec:
    """A codec of a later life, that has learned what the one before met."""
    out = Codec()
    for no, body in codec.new_products():
        out.learn(no, body)
    return out


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_class_comes_back(kind: type) -> None:
    @settings(max_examples=15)
    @given(of(kind))
    def comes_back(value: object) -> None:
        codec = Codec()
        body = codec.encode(value)
        later = heir(codec)
        found = later.decode(body)
        assert type(found) is kind
        assert found == value
        assert repr(found) == repr(value) or "frozenset" in repr(value)
        assert later.encode(found) == body == Codec().encode(value)

    comes_back()


@given(VALUES)
def test_every_plain_value_comes_back(value: object) -> None:
    codec = Codec()
    body = codec.encode(value)
    later = heir(codec)
    found = later.decode(body)
    assert type(found) is type(value)
    assert [found] == [value]
    assert later.encode(found) == body


def test_what_is_no_number_comes_back() -> None:
    codec = Codec()
    found: Any = codec.decode(
        codec.encode((nan, inf, -inf, -0.0, Decimal("NaN"), Decimal("-Infinity"), Decimal("1.10")))
    )
    assert isnan(found[0])
    assert str(found[1:]) == "(inf, -inf, -0.0, Decimal('NaN'), Decimal('-Infinity'), Decimal('1.10'))"


def test_numbers_of_numpy_are_plain_ones() -> None:
    codec = Codec()
    assert codec.encode((np.int64(5), np.float64(0.1), np.float32(0.5), np.bool_(True))) == b"[5,0.1,0.5,true]"
    assert codec.encode(Minute(5, np.float64(nan), 1.0)) == codec.encode(Minute(5, nan, 1.0))


# --- the bytes -------------------------------------------------------------------------------------------------------


def test_the_format_stands() -> None:
    """Journals were written with it. Where this changes, ``SCHEMA`` of live/journal_file.py does."""
    codec = Codec()
    sell = OrderRequest("zero", (Leg(PUT, 1, Action.SELL_TO_OPEN),), 2, 105, Intent.OPEN, "why", exits=(StopLoss(2.0),))
    order = Order("x-1", sell, Status.NEW, 7)
    request = (
        b'{"$":"OrderRequest","strategy":"zero","legs":[{"$":"Leg","contract":{"$c":[1,"2024-08-02","ESU4",56000000,"P"]},'
        b'"ratio":1,"action":{"$enum":"Action.SELL_TO_OPEN"}}],"quantity":2,"limit":105,"intent":{"$enum":"Intent.OPEN"},'
        b'"reason":"why","tif":{"$enum":"TimeInForce.DAY"},"exits":[{"$":"StopLoss","multiple":2.0}],"trade_id":"",'
        b'"structure":"","planned_loss_ticks":null,"cross":false,"emergency":false,"patience":null,"resting":false,'
        b'"stop":null,"brings":null}'
    )
    assert codec.encode(Submit(order, Approved(sell))) == (
        b'{"$":"Submit","order":{"$":"Order","id":"x-1","request":' + request
        + b',"status":{"$enum":"Status.NEW"},"created_ns":7},"approved":{"$":"Approved","request":' + request + b"}}"
    )  # fmt: skip
    assert codec.encode(Prices(5, vix=nan, quotes=(Sides(CALL, 4, -1),))) == (
        b'{"$":"Prices","ts":5,"spots":[],"futures":[],"vix":{"$float":"nan"},"quotes":[{"$":"Sides","contract":'
        b'{"$c":[1,"2024-08-02","ESU4",57000000,"C"]},"bid":4,"ask":-1}]}'
    )
    assert codec.encode((date(2024, 8, 2), time(9, 45), Decimal("1.10"), [1], frozenset({2, 10}), PUT.series, ES)) == (
        b'[{"$date":"2024-08-02"},{"$time":"09:45:00"},{"$decimal":"1.10"},{"$list":[1]},{"$set":[10,2]},'
        b'{"$s":[1,"2024-08-02","ESU4"]},{"$p":1}]'
    )
    assert codec.encode({"b": 1, "a": {"$c": 2}}) == b'{"a":{"$map":{"$c":2}},"b":1}'
    assert codec.encode(Ladder((Step(0.5, Mood.CALM),))) == (
        f'{{"$":"{MINE}:Ladder","steps":[{{"$":"{MINE}:Step","at":0.5,'
        f'"mood":{{"$enum":"{MINE}:Mood.CALM"}}}}],"names":{{"$set":[]}}}}'.encode()
    )
    assert codec.new_products() == [
        (
            1,
            b'{"$":"Product","root":"EW1","underlying":"ES","kind":{"$enum":"Kind.FUTURE"},"multiplier":{"$decimal":"50"},'
            b'"ticks":{"$":"TickTable","steps":[[{"$decimal":"5"},{"$decimal":"0.05"}],[null,{"$decimal":"0.25"}]]},'
            b'"style":{"$enum":"Style.EUROPEAN"},"exercise":{"$enum":"Exercise.PM_PHYSICAL"},"venue":"globex",'
            b'"currency":"USD","ahead":0}',
        )
    ]


@given(st.dictionaries(KEYS, st.integers(), max_size=6), st.frozensets(TEXTS | st.integers(), max_size=6))
def test_the_order_of_a_dict_and_a_set_is_not_written(named: dict[str, int], members: frozenset[object]) -> None:
    turned = dict(reversed(named.items()))
    assert Codec().encode((named, members)) == Codec().encode((turned, frozenset(sorted(members, key=repr))))


def test_no_two_of_our_classes_share_a_name() -> None:
    names = [f"sim.model.{each.name}" for each in pkgutil.iter_modules(sim.model.__path__)] + ["live.inputs"]
    found = {
        each: module
        for module in names
        for each in vars(import_module(module)).values()
        if isinstance(each, type) and each.__module__ == module and kept(each)
    }
    assert len({each.__name__ for each in found}) == len(found)
    assert set(found.values()) - set(OWN) <= {"sim.model.given"}, "a module of nouns is not in OWN"


# --- products --------------------------------------------------------------------------------------------------------


def test_equal_contracts_come_back_as_one() -> None:
    codec = Codec()
    twin = OptionContract(Series(ES, date(2024, 8, 2), "ESU4"), 5_600_0000, Right.PUT)
    body = codec.encode((PUT, CALL, PUT.series, twin))
    later = heir(codec)
    put, call, series, again = cast("tuple[Any, ...]", later.decode(body))
    assert all(each is put for each in (again, later.decode(later.encode(PUT))))
    assert put.product is call.product
    assert put.series is call.series is series
    assert put.product == ES


def test_each_product_is_given_once_and_numbered_as_it_is_met() -> None:
    codec = Codec()
    codec.encode((SPXW, PUT))
    assert [no for no, _ in codec.new_products()] == [1, 2]
    assert codec.encode((PUT, SPXW)).startswith(b'[{"$c":[2,')
    assert codec.new_products() == []
    codec.encode(ES_FRIDAY)
    assert [no for no, _ in codec.new_products()] == [3]


def test_a_later_life_goes_on_with_the_table() -> None:
    codec = Codec()
    codec.encode((SPXW, PUT))
    later = heir(codec)
    assert later.encode(ES) == b'{"$p":2}'
    later.encode(ES_FRIDAY)
    assert [no for no, _ in later.new_products()] == [3]


def test_a_product_with_other_terms_is_another() -> None:
    codec = Codec()
    tenfold = Product("EW1", "ES", ES.kind, Decimal(5), TICKS, ES.style, ES.exercise, ES.venue)
    body = codec.encode((ES, tenfold))
    assert heir(codec).decode(body) == (ES, tenfold)


def test_a_known_product_is_the_one_that_comes_back() -> None:
    codec = Codec()
    body = codec.encode(PUT)
    twin = Product("EW1", "ES", ES.kind, Decimal(50), TICKS, ES.style, ES.exercise, ES.venue)
    later = Codec(known=[twin])
    for no, product in codec.new_products():
        later.learn(no, product)
    found = later.decode(body)
    assert isinstance(found, OptionContract)
    assert found.product is twin
    assert later.encode(twin) == b'{"$p":1}'
    assert later.new_products() == []


def test_a_table_that_contradicts_itself_is_refused() -> None:
    codec = Codec()
    codec.encode((ES, SPXW))
    (_, first), (_, second) = codec.new_products()
    later = Codec()
    later.learn(1, first)
    later.learn(1, first)
    for no, body, why in (
        (1, second, r"product 1 of the journal cannot be read: SPXW shares its number, or has another one"),
        (2, first, "EW1 shares its number"),
        (2, b"{}", "wanted a product"),
        (2, b"7", "wanted a product"),
        (2, b'{"$":"Cancel","order_id":"x","reason":"y"}', "wanted a product"),
        (2, b'{"$":"Product"}', "Product cannot be made of what stands there"),
        (2, second.replace(b'"root":"SPXW"', b'"root":{"$list":[]}'), "unhashable"),
        (2, second[:-1], "truncated"),
        (2, b"[" * 100_000, "nested without end"),
    ):
        with pytest.raises(DataError, match=why):
            later.learn(no, body)
    later.learn(2, second)
    assert later.decode(b'{"$p":2}') == SPXW


# --- a user's classes ------------------------------------------------------------------------------------------------


def test_a_class_that_is_not_loaded_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_exits_of_a_test.py").write_text(
        "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass Mine:\n    a: int = 1\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    body = b'{"$":"my_exits_of_a_test:Mine","a":2}'
    with pytest.raises(DataError, match="my_exits_of_a_test:Mine is not loaded: configure the strategy"):
        Codec().decode(body)
    assert "my_exits_of_a_test" not in sys.modules
    codec = Codec(modules=["my_exits_of_a_test", "my_exits_that_are_nowhere"])
    try:
        found = codec.decode(body)
        assert repr(found) == "Mine(a=2)"
        assert codec.encode(found) == body
    finally:
        sys.modules.pop("my_exits_of_a_test", None)
    with pytest.raises(DataError, match="my_exits_that_are_nowhere:X cannot be imported"):
        codec.decode(b'{"$":"my_exits_that_are_nowhere:X"}')


@pytest.mark.parametrize(
    ("tag", "why"),
    [
        ("subprocess:Popen", "subprocess:Popen is no dataclass: nothing else is made from a journal"),
        ("os:system", "no dataclass"),
        ("builtins:eval", "no dataclass"),
        ("antigravity:fly", "antigravity:fly is not loaded"),
        (f"{MINE}:Plain", "no dataclass"),
        (f"{MINE}:Child", "no dataclass"),
        (f"{MINE}:Submit", "no dataclass"),
        (f"{MINE}:OwnWay", r"OwnWay has a constructor of its own \(b\): wanted a dataclass as it is made"),
        (f"{MINE}:Given", r"Given has a constructor of its own \(b\)"),
        (f"{MINE}:Loud", r"Loud cannot be made of what stands there \(made of noise\)"),
        (f"{MINE}:Step.at", "no dataclass"),
        (f"{MINE}:", "no dataclass|no class of this version"),
        (f"{MINE}:nothing.there", "no dataclass"),
        (f"{MINE}:Mood", "Mood has members and no fields"),
        ("Mood", "Mood is no class of this version"),
        ("Kind", "Kind has members and no fields"),
        ("OptionContract", "OptionContract is no class of this version"),
        ("sim.model.instrument:Product", "no dataclass"),
        (":", "no class of this version"),
        ("", "no class of this version"),
    ],
)
def test_no_other_class_is_called(tag: str, why: str) -> None:
    with pytest.raises(DataError, match=why):
        Codec().decode(msgspec.json.encode({"$": tag}))


def test_what_could_not_be_found_again_is_not_written() -> None:
    @dataclass(frozen=True)
    class Local:
        a: int = 1

    for value, why in (
        (Local(), "Local could not be found again: define it at the top of a module"),
        (OwnWay(1), "OwnWay has a constructor of its own"),
        (Given(1, 2), "Given has a constructor of its own"),
        (Plain(), "Plain is none of the values that a journal keeps"),
        (Child(1.0, Mood.CALM), "Child is none of the values"),
        (Colour.RED | Colour.BLUE, "is no member of"),
    ):
        with pytest.raises(DataError, match=why):
            Codec().encode(value)


# --- what does not fit -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({1, 2}, "set cannot be journalled: a builtins:set is none of the values that a journal keeps"),
        (b"x", "a builtins:bytes is none of"),
        (1j, "a builtins:complex is none of"),
        (object, "a builtins:type is none of"),
        (datetime(2024, 8, 2, tzinfo=UTC), "a datetime:datetime is none of"),
        (time(9, tzinfo=UTC), "a time with a zone: wanted one of New York, without"),
        (np.array([1]), "a numpy:ndarray is none of"),
        (np.datetime64("2024-08-02"), "a numpy:datetime64 is none of"),
        (np.longdouble(1), "nested without end"),
        ({1: 2}, "a dict has a key of int: wanted texts"),
        ("\ud800", "a text with half a character"),
        ({"\ud800": 1}, "half a character"),
        (10**5000, "4300 digits"),
        ((1, [2, {"a": {3}}]), r"tuple cannot be journalled: \[1\]\[1\]\.a: a builtins:set is none of"),
        (Told(OrderAccepted(1, {2})), r"Told cannot be journalled: \.event\.order_id: a builtins:set is none of"),  # type: ignore[arg-type]
        (Ladder((Step(1.0, Mood.CALM), Step({}, {1}))), r"Ladder cannot be journalled: \.steps\[1\]\.mood: "),  # type: ignore[arg-type]
    ],
    ids=lambda each: each[:20] if isinstance(each, str) and each.isascii() else "",
)
def test_what_cannot_be_written_is_named_with_its_place(value: object, why: str) -> None:
    with pytest.raises(DataError, match=why) as caught:
        Codec().encode(value)
    assert "\n" not in str(caught.value)


def test_what_holds_itself_is_refused() -> None:
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(DataError, match="list cannot be journalled: it is nested without end"):
        Codec().encode(endless)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "a row of the journal cannot be read: Input data was truncated"),
        (b"x", "malformed"),
        (b'"\xff"', "utf-8"),
        (b"1" * 5000, "out of range"),
        (b"[" * 100_000, "nested without end"),
        (b'{"$x":1}', r"'?\$x'? is no mark of a value: the row is damaged, or of a newer version"),
        (b'{"$date":"2024-08-02","a":1}', "is no mark of a value"),
        (b'{"$date":"2024-13-02"}', r"\$date cannot be 2024-13-02 \(month must be in 1..12\)"),
        (b'{"$date":7}', r"\$date cannot be 7"),
        (b'{"$time":"09:45+01:00"}', "it has a zone"),
        (b'{"$decimal":"ten"}', r"\$decimal cannot be ten"),
        (b'{"$float":"1"}', r"\$float cannot be 1"),
        (b'{"$float":[]}', "unhashable"),
        (b'{"$list":1}', r"\$list cannot be 1"),
        (b'{"$map":1}', r"\$map cannot be 1"),
        (b'{"$set":[{"$list":[]}]}', "unhashable"),
        (b'{"$enum":"Intent.SOON"}', r"\$enum cannot be Intent.SOON"),
        (b'{"$enum":"Submit.OPEN"}', "Submit has fields and no members"),
        (b'{"$enum":1}', r"\$enum cannot be 1"),
        (b'{"$p":1}', r"\$p cannot be 1"),
        (b'{"$c":[1,"2024-08-02","",5,"P"]}', r"\$c cannot be \[1, '2024-08-02', '', 5, 'P'\] \(1\)"),
        (b'{"$c":[1]}', r"\$c cannot be \[1\]"),
        (b'{"$":[]}', "is no name of a class"),
        (b'{"$":"Cancel","order_id":"x"}', "Cancel cannot be made of what stands there .*'reason'"),
        (b'{"$":"Cancel","order_id":"x","why":""}', "Cancel has no field why: the row is of another version"),
        (b'[1,{"a":{"$":"Submit","order":{"$p":9}}}]', r"read: \[1\]\.a\.order: \$p cannot be 9"),
        (b'{"$":"OrderRequest","strategy":"","legs":[],"quantity":1,"limit":1,"intent":1,"reason":""}', "of 0 legs"),
    ],
    ids=lambda each: "" if isinstance(each, bytes) else each[:20],
)
def test_what_cannot_be_read_is_named_with_its_place(body: bytes, why: str) -> None:
    with pytest.raises(DataError, match=why) as caught:
        Codec().decode(body)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_field_that_came_later_has_its_default() -> None:
    assert Codec().decode(b'{"$":"Moment","ts":1,"k":2}') == Moment(1, 2)


def taught() -> Codec:
    codec = Codec()
    codec.encode((ES, SPXW))
    return heir(codec)


def harmless(body: bytes) -> None:
    codec = taught()
    try:
        found = codec.decode(body)
        again = codec.encode(found)
    except DataError as error:
        if "\n" in str(error):
            raise
    else:
        assert codec.encode(codec.decode(again)) == again


@given(st.binary(max_size=40))
def test_noise_is_refused(body: bytes) -> None:
    harmless(body)


NAMES: Final = (
    "Submit", "Cancel", "OrderRequest", "Leg", "TickTable", "Trade", "Prices", "Sides", "Told", "Action.BUY_TO_OPEN",
    "Intent.OPEN", f"{MINE}:Ladder", f"{MINE}:Loud", "order", "legs", "contract", "steps", "quantity",
    "2024-08-02", "09:45", "ESU4", "P", "nan", "1.1",
)  # fmt: skip
MARKS: Final = ("$", "$enum", "$float", "$decimal", "$date", "$time", "$list", "$set", "$map", "$p", "$s", "$c")
JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 3) | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(NAMES) | TEXTS,
    lambda inner: st.lists(inner, max_size=5)
    | st.dictionaries(st.sampled_from(NAMES), inner, max_size=2)
    | st.tuples(st.sampled_from(MARKS), inner).map(lambda pair: dict([pair]))
    | st.tuples(st.sampled_from(NAMES), st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)).map(
        lambda pair: {"$": pair[0]} | pair[1]
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=300)
@given(JSON)
def test_what_looks_like_a_value_is_one_or_refused(raw: object) -> None:
    harmless(msgspec.json.encode(raw))


@settings(max_examples=200)
@given(st.data())
def test_a_damaged_row_is_a_value_or_refused(data: st.DataObject) -> None:
    sell = OrderRequest("zero", (Leg(PUT, 1, Action.SELL_TO_OPEN),), 2, 105, Intent.OPEN, "why", exits=(StopLoss(2.0),))
    value = data.draw(st.sampled_from([sell, Prices(5, vix=nan, quotes=(Sides(CALL, 4, -1),)), Cancel("x", "y")]))
    body = bytearray(taught().encode(value))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=2))
    harmless(bytes(body))


def test_contracts_series_and_products_go_by_number_only() -> None:
    assert not any(kept(kind) for kind in NUMBERED)
