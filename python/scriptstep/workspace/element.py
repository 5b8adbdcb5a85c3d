"""Configuration as users write it: attributes with defaults, made when asked for; a misspelt one is an error."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, overload

from scriptstep.errors import ArgumentAttributeError, ArgumentTypeError, nearest

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Element", "made", "taken", "taken_by_name", "taken_list", "to_camel_case", "to_snake_case"]

T = TypeVar("T")
E = TypeVar("E", bound="Element")


class made(Generic[T]):  # noqa: N801  (it is used as a word: `docker = made(DockerSection)`)
    """A default that each object has for itself, made when it is first asked for.

    Args:
        make: Makes it.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> made[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> T | made[T]:
        if instance is None:
            return self
        value = instance.__dict__[self._name] = self._make()
        return value


class Element:
    """A part of a run's configuration.

    Its fields are the values that stand in the class, in order, base classes first: a plain value is the default
    itself, any other is `made`. Making an object costs nothing but what is set.
    """

    _FIELDS: ClassVar[tuple[str, ...]] = ()
    # Fields that may be None.
    _NULLABLE: ClassVar[frozenset[str]] = frozenset()
    # What can be set besides the fields.
    _SETTABLE: ClassVar[frozenset[str]] = frozenset()
    # Names of fields in files, where they are not the same in camel case.
    _KEYS: ClassVar[dict[str, str]] = {}
    # What plain data goes through to become a field's value.
    _TAKES: ClassVar[dict[str, Callable[[Any], Any]]] = {}
    # What a value goes through before it is set.
    _CHECKS: ClassVar[dict[str, Callable[[Any], Any]]] = {}

    def __init_subclass__(cls) -> None:
        body = {name: value for name, value in vars(cls).items() if name[0] != "_"}
        # Annotations are text here: `str | None`.
        cls._NULLABLE = cls._NULLABLE | {name for name, text in cls.__annotations__.items() if "None" in str(text)}
        own = [n for n, v in body.items() if isinstance(v, made) or not (callable(v) or hasattr(v, "__get__"))]
        cls._FIELDS = (*cls._FIELDS, *(name for name in own if name not in cls._FIELDS))
        cls._SETTABLE = cls._SETTABLE | {name for name, value in body.items() if isinstance(value, property)}

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._CHECKS:
            value = self._CHECKS[name](value)
        elif name not in self._FIELDS and name not in self._SETTABLE and name[0] != "_":
            known = sorted({*self._FIELDS, *self._SETTABLE})
            close = nearest(name, known)
            raise ArgumentAttributeError(
                f"{type(self).__name__} has no attribute '{name}'",
                help=f"did you mean '{close}'?" if close else f"it has {', '.join(known)}",
            )
        object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return json.dumps(self._to_json(), indent=4, default=str)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        twin = object.__new__(type(self))
        memo[id(self)] = twin
        twin.__dict__.update({name: copy.deepcopy(value, memo) for name, value in self.__dict__.items()})
        return twin

    def _to_json(self) -> dict[str, Any]:
        """Returns: all fields as plain data, under the names that files have for them."""
        return {self._KEYS.get(n) or to_camel_case(n): _plain(getattr(self, n)) for n in self._FIELDS}

    def _changed(self) -> dict[str, Any]:
        """Returns: the fields that are not as by default, as plain data, under their own names."""
        return dict(self._differences())

    def _differences(self) -> Iterator[tuple[str, Any]]:
        # What was never asked for is as by default.
        for name in self._FIELDS:
            if name not in self.__dict__:
                continue
            value, default = self.__dict__[name], _default(type(self), name)
            if isinstance(value, Element):
                inner = value._changed()
                if inner or type(value) is not type(default):
                    yield name, inner
            elif (shown := _plain(value)) != _plain(default):
                yield name, shown

    def _take(self, data: Mapping[str, Any]) -> None:
        """Sets fields from plain data, as `_to_json` or `_changed` give it; what is no field is passed over."""
        names = {key: name for name in self._FIELDS for key in (self._KEYS.get(name) or to_camel_case(name), name)}
        for key, value in data.items():
            name = names.get(key)
            if name is None:
                continue
            if name in self._TAKES:
                if value is not None:
                    setattr(self, name, self._TAKES[name](value))
            elif isinstance(value, Mapping) and isinstance(inner := getattr(self, name), Element):
                inner._take(value)
            elif value is not None or name in self._NULLABLE:
                setattr(self, name, copy.deepcopy(value))


def taken(kind: type[E]) -> Callable[[Any], E]:
    """Returns: what makes an element from plain data."""

    def take(data: Any) -> E:
        if not isinstance(data, Mapping):
            raise ArgumentTypeError(f"{kind.__name__} is read from a table, not from {data!r}")
        element = kind()
        element._take(data)
        return element

    return take


def taken_list(kind: type[E]) -> Callable[[Any], list[E]]:
    """Returns: what makes a list of elements from plain data."""
    take = taken(kind)
    return lambda data: [take(row) for row in data]


def taken_by_name(kind: type[E]) -> Callable[[Any], dict[str, E]]:
    """Returns: what makes elements, by name, from plain data."""
    take = taken(kind)
    return lambda data: {str(name): take(value) for name, value in dict(data).items()}


def _default(kind: type[Element], name: str) -> Any:
    for base in kind.__mro__:
        if name in base.__dict__:
            value = base.__dict__[name]
            return value._make() if isinstance(value, made) else value
    return None


def _plain(value: Any) -> Any:
    if isinstance(value, Element):
        return value._to_json()
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    plain = getattr(value, "as_dict", None)
    return plain() if plain else str(value)


def to_camel_case(name: str) -> str:
    """Returns: a name such as `node_count` as files have it: `nodeCount`."""
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


def to_snake_case(name: str) -> str:
    """Returns: a name such as `nodeCount` as an attribute: `node_count`."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
