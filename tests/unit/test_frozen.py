"""``frozen.dataclass`` is the original, field for field; only made in another way."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, field, fields, replace
from typing import Any, ClassVar

import pytest

from pilothat import frozen


def declared(make: Callable[..., Any]) -> tuple[type[Any], type[Any]]:
    """Declare the same two classes with one decorator."""

    @make(frozen=True, slots=True)
    class Point:
        """Plain fields, a default, a constant, a secret."""

        kind: ClassVar[str] = "point"
        x: int
        y: int = 2
        key: bytes = field(default=b"k", repr=False)
        note: str = field(default="", compare=False)

        def __add__(self, other: Any) -> Any:
            made: Any = type(self)
            return made(self.x + other.x)

    @make(frozen=True, slots=True, kw_only=True)
    class Named(Point):
        """Inherits, and adds fields by name only."""

        name: str
        tags: list[str] = field(default_factory=list)

    for cls in (Point, Named):
        cls.__qualname__ = cls.__name__
    return Point, Named


OURS, THEIRS = declared(frozen.dataclass), declared(dataclasses.dataclass)
CALLS: tuple[tuple[tuple[object, ...], dict[str, object]], ...] = (
    ((1,), {}),
    ((1, 3), {"note": "n"}),
    ((), {"x": 1, "y": 2, "key": b"z"}),
    ((), {}),
    ((1, 2, b"", "", 5), {}),
    ((1,), {"z": 1}),
    ((1,), {"name": "a"}),
    ((1,), {"name": "a", "tags": ["t"]}),
)


def made(kind: type[Any], args: tuple[object, ...], named: dict[str, object]) -> Any:
    try:
        return kind(*args, **named)
    except TypeError as error:
        return str(error).rpartition(".")[2]


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize(("args", "named"), CALLS)
def test_it_is_made_shown_and_compared_as_the_original(
    which: int, args: tuple[object, ...], named: dict[str, object]
) -> None:
    ours, again, theirs = (
        made(kind[which], args, named) for kind in (OURS, OURS, THEIRS)
    )
    assert repr(ours) == repr(theirs)
    assert ours == again
    if not isinstance(ours, str):
        assert dataclasses.astuple(ours) == dataclasses.astuple(theirs)
        assert ours != theirs


def test_equality_and_hash_leave_out_what_does_not_count() -> None:
    point, _ = OURS
    assert point(1, note="a") == point(1, note="b")
    assert hash(point(1, note="a")) == hash(point(1, note="b"))
    assert point(1) != point(2)
    assert point(1) != 1


def test_nothing_can_be_changed() -> None:
    one = OURS[0](1)
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'x'"):
        one.x = 2
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'x'"):
        del one.x
    with pytest.raises(FrozenInstanceError):
        one.other = 2
    assert not hasattr(one, "__dict__")
    assert one.x == 1


def test_a_list_is_made_for_each() -> None:
    _, named = OURS
    assert named(1, name="a").tags is not named(1, name="a").tags


def test_it_is_replaced_copied_and_matched() -> None:
    point, named = OURS
    one = named(1, name="a", tags=["t"])
    changed: Any = replace(one, x=5)
    assert changed == named(5, name="a", tags=["t"])
    assert copy.copy(one) == copy.deepcopy(one) == one
    assert point(1) + point(2) == point(3)
    match one:
        case point(x, y, name="a"):
            assert (x, y) == (1, 2)
        case _:
            pytest.fail("no pattern fits")
    for ours, theirs in zip(OURS, THEIRS, strict=True):
        assert ours.__match_args__ == theirs.__match_args__
        assert [f.name for f in fields(ours)] == [f.name for f in fields(theirs)]


@frozen.dataclass(frozen=True, slots=True)
class Kept:
    """Known by name, as pickling wants it."""

    number: int
    text: str = "t"


@frozen.dataclass(frozen=True, slots=True, eq=False)
class Alone:
    """Equal to itself alone."""

    number: int


def test_it_survives_pickling() -> None:
    assert pickle.loads(pickle.dumps(Kept(3))) == Kept(3)


def test_without_equality_each_is_itself() -> None:
    one = Alone(1)
    assert one == one  # noqa: PLR0124 - by identity
    assert one != Alone(1)
    assert len({one, Alone(1)}) == 2


def test_what_a_class_defines_stays() -> None:
    @frozen.dataclass(frozen=True, slots=True)
    class Own:
        """With a text of its own."""

        x: int

        def __repr__(self) -> str:
            return "own"

    assert repr(Own(1)) == "own"


def test_a_class_that_changes_is_refused() -> None:
    with pytest.raises(TypeError, match="a class that changes"):
        frozen.dataclass(frozen=False, slots=True)
