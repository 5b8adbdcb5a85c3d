"""Records: classes of plain fields, declared as dataclasses are, and to a type checker dataclasses.

`dataclasses` writes and compiles six methods for each class, where it is declared. That takes a millisecond a class: a
quarter of a short run, most of it for classes that are never used. A record's constructor is compiled when the first
object is made, and its other methods are the same ones for all of them. Of what dataclasses can do, records do what is
needed here: defaults, `default_factory`, `kw_only` fields, `frozen`, and deriving one from another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["asdict", "dataclass", "field", "is_record", "names", "replace"]


_known: dict[type, tuple[str, ...]] = {}


def names(record: Any) -> tuple[str, ...]:
    """Returns: the names of a record's fields, or of those of a class of records, in order."""
    cls = record if isinstance(record, type) else type(record)
    if cls not in _known:
        _known[cls] = tuple(_fields(cls))
    return _known[cls]


def is_record(value: Any) -> bool:
    """Returns: whether a value is an object of a class of records."""
    return hasattr(type(value), "_record")


if TYPE_CHECKING:
    from dataclasses import asdict, dataclass, field, replace
else:

    def dataclass(cls: type | None = None, /, *, frozen: bool = False) -> Any:
        """As `dataclasses.dataclass`."""

        def declare(cls: type) -> type:
            cls._record = frozen
            cls.__init__ = _constructor_to_be(cls)
            methods = {"__repr__": _repr, "__eq__": _eq, "__hash__": _hash if frozen else None}
            for name, method in methods.items():
                if name not in vars(cls) or (name == "__hash__" and "__eq__" not in vars(cls)):
                    setattr(cls, name, method)
            if frozen:
                cls.__setattr__, cls.__delattr__ = _refuse_to_set, _refuse_to_delete
            return cls

        return declare if cls is None else declare(cls)

    def field(*, default: Any = ..., default_factory: Any = None, kw_only: bool = False) -> Any:
        """As `dataclasses.field`."""
        return _Field(default, default_factory, kw_only)

    def replace(record: Any, /, **changes: Any) -> Any:
        """As `dataclasses.replace`."""
        return type(record)(**{name: getattr(record, name) for name in names(record)} | changes)

    def asdict(record: Any) -> dict[str, Any]:
        """As `dataclasses.asdict`; what is no record, list, tuple or dict is not copied."""
        return {name: _plain(getattr(record, name)) for name in names(record)}


class _Field:
    """What holds of a field where nothing is given for it."""

    __slots__ = ("default", "factory", "kw_only")

    def __init__(self, default: Any = ..., factory: Any = None, kw_only: bool = False) -> None:
        self.default, self.factory, self.kw_only = default, factory, kw_only


def _fields(cls: type) -> dict[str, _Field]:
    """Returns: the fields of a class of records by name, those that it derives from first."""
    found: dict[str, _Field] = {}
    for one in reversed(cls.__mro__):
        if "_record" not in vars(one):
            continue
        for name, annotation in one.__annotations__.items():
            if str(annotation).startswith("ClassVar"):
                continue
            given = vars(one).get(name, ...)
            found[name] = given if isinstance(given, _Field) else _Field(given)
    return found


def _constructor_to_be(cls: type) -> Any:
    def construct(self: Any, *args: Any, **values: Any) -> None:
        # Two threads may come here at once: each makes the same one.
        cls.__init__ = made = _constructor(cls)  # type: ignore[misc]
        made(self, *args, **values)

    return construct


def _constructor(cls: Any) -> Any:
    positional: list[str] = ["self"]
    named: list[str] = []
    body: list[str] = []
    known: dict[str, Any] = {"_set": object.__setattr__, "_nothing": ...}
    for name, one in _fields(cls).items():
        value, parameter = name, name
        if one.factory is not None:
            known[f"_make_{name}"], parameter = one.factory, f"{name}=_nothing"
            value = f"_make_{name}() if {name} is _nothing else {name}"
        elif one.default is not ...:
            known[f"_default_{name}"], parameter = one.default, f"{name}=_default_{name}"
        (named if one.kw_only else positional).append(parameter)
        body.append(f"_set(self, {name!r}, {value})" if cls._record else f"self.{name} = {value}")
    parameters = [*positional, "*", *named] if named else positional
    source = f"def __init__({', '.join(parameters)}):\n    " + "\n    ".join(body or ["pass"])
    exec(source, known)
    made = known["__init__"]
    made.__qualname__, made.__module__ = f"{cls.__qualname__}.__init__", cls.__module__
    return made


def _values(record: Any) -> tuple[Any, ...]:
    return tuple(getattr(record, name) for name in names(record))


def _repr(self: Any) -> str:
    return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names(self))})"


def _eq(self: Any, other: object) -> Any:
    return _values(self) == _values(other) if other.__class__ is self.__class__ else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))


def _refuse_to_set(self: Any, name: str, value: object) -> None:
    raise AttributeError(f"cannot assign to field '{name}'")


def _refuse_to_delete(self: Any, name: str) -> None:
    raise AttributeError(f"cannot delete field '{name}'")


def _plain(value: Any) -> Any:
    if is_record(value):
        return asdict(value)
    if isinstance(value, (list, tuple)):
        made = [_plain(item) for item in value]
        return made if isinstance(value, list) else type(value)(*made) if hasattr(value, "_fields") else tuple(made)
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value
