"""What is asked again gets the very same answer.

A car in the loop and its station say the same to each other for hours. Values never
change here, so whoever made one of another need not do it again; and whoever gets the
very same as before need not look at it again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

A = TypeVar("A")
B = TypeVar("B")
_NOBODY = object()  # is no value of anyone


def again(make: Callable[[A], B]) -> Callable[[A], B]:
    """Return a function that remembers the last two values and what was made of them.

    make: depends on the value alone. Values are told apart by identity.
    """
    kept: list[Any] = [_NOBODY, None, _NOBODY, None]

    def made(value: A) -> B:
        last, of_last, before, of_before = kept
        if value is last:
            of_value: B = of_last
            return of_value
        of_value = of_before if value is before else make(value)
        kept[:] = value, of_value, last, of_last
        return of_value

    return made
