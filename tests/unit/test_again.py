"""What is asked again gets the very same answer."""

from __future__ import annotations

from pilothat.again import again


def test_the_last_two_values_are_remembered_by_identity() -> None:
    asked: list[list[int]] = []

    def total(values: list[int]) -> int:
        asked.append(values)
        return sum(values)

    remembered = again(total)
    one, other, third = [1, 2], [1, 2], [3]
    assert [remembered(v) for v in (one, one, other, one, other)] == [3] * 5
    assert len(asked) == 2
    assert remembered(third) == 3
    assert remembered(other) == 3
    assert len(asked) == 3
    assert remembered(one) == 3
    assert len(asked) == 4


def test_none_is_a_value_too() -> None:
    assert again(str)(None) == "None"
