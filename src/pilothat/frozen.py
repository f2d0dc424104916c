"""Frozen dataclasses that cost little to declare and little to make.

``dataclass`` here is ``dataclasses.dataclass(frozen=True, slots=True)`` for whoever
uses the class: same fields, text, equality, hash, patterns and pickling, and assigning
raises FrozenInstanceError. It differs in when its methods are made. The original
compiles six functions for each class while the module is imported, most of the time
this program took to start; here one is compiled, the constructor, when it is first
called, and the others are shared by all classes. The constructor stores through the
slots, which is quicker than the original's way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, FrozenInstanceError, fields
from dataclasses import dataclass as _original
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar

__all__ = ["dataclass"]

T = TypeVar("T")

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(
        *, frozen: bool, slots: bool, kw_only: bool = False, eq: bool = True
    ) -> Callable[[type[T]], type[T]]:
        """Make a class a frozen dataclass with slots; other kinds are the original's.

        Raises TypeError for them: our own bug.
        """
        if not (frozen and slots):
            raise TypeError("take dataclasses.dataclass for a class that changes")
        make = _original(init=False, repr=False, eq=False, slots=True, kw_only=kw_only)
        methods = {**_SHARED, **(_BY_VALUE if eq else {})}
        return lambda cls: _equipped(make(cls), methods)


def _equipped(cls: Any, methods: Mapping[str, Callable[..., object]]) -> Any:
    """Give a class the methods it does not define itself."""
    for name, method in methods.items():
        if name not in cls.__dict__:
            setattr(cls, name, method)

    def first(self: object, *args: object, **kwargs: object) -> None:
        constructor = _constructor(cls)
        cls.__init__ = constructor
        constructor(self, *args, **kwargs)

    first.__name__ = first.__qualname__ = "__init__"
    cls.__init__ = first
    return cls


def _constructor(cls: type[Any]) -> Callable[..., None]:
    """Compile ``__init__``: its parameters and defaults are those of the fields."""
    names: dict[str, object] = {"_NONE": MISSING}
    plain: list[str] = []
    by_name: list[str] = []
    body: list[str] = []
    for field in fields(cls):
        name = field.name
        names[f"_set_{name}"] = getattr(cls, name).__set__
        parameter, value = name, name
        if field.default is not MISSING:
            names[f"_default_{name}"] = field.default
            parameter = f"{name}=_default_{name}"
        elif field.default_factory is not MISSING:
            names[f"_make_{name}"] = field.default_factory
            parameter = f"{name}=_NONE"
            value = f"_make_{name}() if {name} is _NONE else {name}"
        (by_name if field.kw_only else plain).append(parameter)
        body.append(f"    _set_{name}(self, {value})")
    parameters = ["self", *plain, *(["*", *by_name] if by_name else [])]
    source = [f"def __init__({', '.join(parameters)}):", *body, "    return None"]
    exec("\n".join(source), names)  # of our own declarations
    made: Any = names["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    return made  # type: ignore[no-any-return]


# What all classes share.


@cache
def _key_of(cls: Any) -> Callable[[object], object]:
    """Return the function that takes from a value what counts when it is compared."""
    names = [field.name for field in fields(cls) if field.compare]
    return attrgetter(*names) if names else lambda _: None


def _eq(self: Any, other: object) -> object:
    if self is other:
        return True
    key = _key_of(self.__class__)
    if other.__class__ is not self.__class__:
        return NotImplemented
    return key(self) == key(other)


def _hash(self: Any) -> int:
    return hash(_key_of(self.__class__)(self))


def _repr(self: Any) -> str:
    shown = (f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if f.repr)
    return f"{self.__class__.__qualname__}({', '.join(shown)})"


def _setattr(_self: object, name: str, _value: object) -> None:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _delattr(_self: object, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _getstate(self: Any) -> list[object]:
    return [getattr(self, field.name) for field in fields(self)]


def _setstate(self: Any, state: list[object]) -> None:
    for field, value in zip(fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)


_SHARED: Mapping[str, Callable[..., object]] = {
    "__repr__": _repr,
    "__setattr__": _setattr,
    "__delattr__": _delattr,
    "__getstate__": _getstate,
    "__setstate__": _setstate,
}
_BY_VALUE: Mapping[str, Callable[..., object]] = {"__eq__": _eq, "__hash__": _hash}
