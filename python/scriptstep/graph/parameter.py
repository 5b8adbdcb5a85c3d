"""Parameters of a pipeline: a name, a default, and the check of what is given instead."""

from __future__ import annotations

import os
from typing import Any, Protocol, TypeAlias, runtime_checkable

from scriptstep.errors import ArgumentTypeError
from scriptstep.graph.spec import DataLocation, DatasetSource

__all__ = ["SPOILED_PARAMETER", "HasSpecValue", "ParameterValue", "PipelineParameter", "parse_parameter", "plain_value"]

ParameterValue: TypeAlias = "bool | int | float | str | DataLocation | DatasetSource"

# What str() of a parameter begins with: in an argument it tells of a parameter that was put into text.
SPOILED_PARAMETER = "PipelineParameter_Name:"


@runtime_checkable
class HasSpecValue(Protocol):
    """A value object of `scriptstep.data` that a parameter may hold."""

    def _spec_value(self) -> DataLocation | DatasetSource:
        """Returns: what stands for it in a graph."""


def plain_value(value: Any) -> Any:
    """Returns: a numpy scalar as the Python value that it stands for; anything else as it is."""
    if getattr(value, "shape", None) == () and hasattr(value, "dtype") and hasattr(value, "item"):
        return value.item()
    return value


class PipelineParameter:
    """A value that may be given anew each time a pipeline is submitted.

    Args:
        name: How it is given: `submit(pipeline_parameters={name: ...})`.
        default_value: A str, int, float or bool; or data: a `DataPath`, a `FileDataset` or a `TabularDataset`.

    Raises:
        ArgumentError: The name is empty, or the default of another type.
    """

    __slots__ = ("__weakref__", "_checked", "default_value", "name")

    def __init__(self, name: str, default_value: Any) -> None:
        if not name or not isinstance(name, str):
            raise ArgumentTypeError(f"PipelineParameter: name must be text that is not empty, not {name!r}")
        self.name = name
        self.default_value = default_value
        self._checked: tuple[Any, ParameterValue] | None = None
        self.spec_value()

    def spec_value(self) -> ParameterValue:
        """Returns: the default as plain data.

        Raises:
            ArgumentTypeError: It is of a type that no parameter can have.
        """
        if self._checked is None or self._checked[0] is not self.default_value:
            self._checked = (self.default_value, _spec_value(self.name, self.default_value))
        return self._checked[1]

    def __str__(self) -> str:
        return f"{SPOILED_PARAMETER}{self.name}_Default:{self.default_value}"

    def __repr__(self) -> str:
        return f"PipelineParameter({self.name!r}, {self.default_value!r})"


def _spec_value(name: str, value: Any) -> ParameterValue:
    value = plain_value(value)
    if isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, HasSpecValue):
        return value._spec_value()
    raise ArgumentTypeError(
        f"parameter '{name}': a value must be text, a number, a bool, a DataPath or a dataset, not {_told(value)}",
        help="give each value of a list a parameter of its own, or join them: ','.join(values)"
        if isinstance(value, (list, tuple, set))
        else None,
    )


def parse_parameter(parameter: PipelineParameter, value: Any) -> ParameterValue:
    """Checks a value that is given instead of the default.

    Args:
        parameter: The parameter.
        value: What was given; an int will do where the default is a float, a path where it is text.

    Returns:
        The value, of the default's type.

    Raises:
        ArgumentTypeError: It is of another type than the default.
    """
    default = parameter.spec_value()
    if isinstance(value, os.PathLike) and isinstance(default, str):
        value = os.fspath(value)
    given = _spec_value(parameter.name, value)
    if isinstance(default, float) and type(given) is int:
        return float(given)
    wanted = _kind(default)
    if _kind(given) != wanted:
        raise ArgumentTypeError(
            f"parameter '{parameter.name}' must be {wanted}, as its default {parameter.default_value!r} is, "
            f"not {_told(value)}"
        )
    return given


def _kind(value: ParameterValue) -> str:
    if isinstance(value, DataLocation):
        return "a DataPath"
    if isinstance(value, DatasetSource):
        return f"a {value.kind} dataset"
    for kind, told in ((bool, "a bool"), (int, "a whole number"), (float, "a number")):
        if isinstance(value, kind):
            return told
    return "text"


def _told(value: Any) -> str:
    text = repr(value)
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({type(value).__name__})"
