"""``quick``: a record made faster is the same record."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, dataclass, field, replace
from inspect import signature

import pytest

from sim.model.quick import quick


@dataclass(frozen=True, slots=True)
class Plain:
    a: int
    b: str = "x"
    c: tuple[int, ...] = ()
    total: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "total", self.a + len(self.c))


@quick
@dataclass(frozen=True, slots=True)
class Quick:
    a: int
    b: str = "x"
    c: tuple[int, ...] = ()
    total: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "total", self.a + len(self.c))


def test_it_is_made_and_compared_as_before() -> None:
    assert [(q.a, q.b, q.c, q.total) for q in (Quick(1), Quick(2, c=(7,)), Quick(a=3, b="y"))] == [
        (1, "x", (), 1), (2, "x", (7,), 3), (3, "y", (), 3),
    ]  # fmt: skip
    assert Quick(1) == Quick(1) != Quick(2)
    assert hash(Quick(1)) == hash(Quick(1))
    assert repr(Quick(1)) == repr(Plain(1)).replace("Plain", "Quick")
    assert replace(Quick(1), a=5).total == 5
    assert pickle.loads(pickle.dumps(Quick(4, c=(1, 2)))) == Quick(4, c=(1, 2))
    names = list(signature(Plain).parameters)
    assert list(signature(Quick).parameters) == names


def test_it_is_frozen_still() -> None:
    with pytest.raises(FrozenInstanceError):
        Quick(1).a = 2  # type: ignore[misc]


def test_a_wrong_argument_is_named() -> None:
    with pytest.raises(TypeError, match=r"Quick.__init__\(\) missing 1 required positional argument: 'a'"):
        Quick()  # type: ignore[call-arg]


def test_a_factory_makes_a_new_one_each_time() -> None:
    @quick
    @dataclass(frozen=True, slots=True)
    class Made:
        a: int
        b: list[int] = field(default_factory=list)

    one, two = Made(1), Made(1)
    assert one.b == two.b == []
    assert one.b is not two.b
    given = [3]
    assert Made(1, given).b is given


def test_what_it_does_not_know_it_refuses() -> None:
    @dataclass(frozen=True, slots=True)
    class Named:
        a: int = field(kw_only=True)

    @dataclass(frozen=True, slots=True)
    class Made:
        a: list[int] = field(init=False, default_factory=list)

    for each in (Named, Made):
        with pytest.raises(TypeError, match=rf"{each.__name__}.a: quick knows plain fields only"):
            quick(each)
