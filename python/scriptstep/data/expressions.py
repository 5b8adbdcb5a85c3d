"""Conditions on rows and files: `table["age"] > 30`, `files.file_metadata("Size") < 1024`, joined by `&`, `|`, `~`."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from scriptstep.errors import ArgumentError, ArgumentTypeError, UserErrorException
from scriptstep.graph import JSON

__all__ = ["Column", "Condition", "condition_document", "holds"]

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}


class Condition:
    """What is true of a row or a file, or is not; made by comparing a `Column`.

    Args:
        document: It as plain data.
    """

    def __init__(self, document: Mapping[str, JSON]) -> None:
        self._document = dict(document)

    def __and__(self, other: Any) -> Condition:
        return Condition({"and": [self._document, condition_document(other)]})

    def __or__(self, other: Any) -> Condition:
        return Condition({"or": [self._document, condition_document(other)]})

    def __invert__(self) -> Condition:
        return Condition({"not": self._document})

    def __bool__(self) -> bool:
        raise ArgumentTypeError(
            "a condition on a dataset is neither true nor false by itself", help="join conditions by &, | and ~"
        )

    def __repr__(self) -> str:
        return f"Condition({self._document})"


class Column:
    """A column of a table, or a fact about a file, to be compared with a value.

    Args:
        name: Its name.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def _compared(self, how: str, value: Any) -> Condition:
        if isinstance(value, datetime):
            plain = value.astimezone(timezone.utc).replace(tzinfo=None) if value.tzinfo else value
            return Condition({"column": self._name, how: plain.isoformat(), "time": True})
        value = getattr(value, "item", lambda: value)()
        if not isinstance(value, (str, int, float, bool)) and value is not None:
            raise ArgumentTypeError(
                f"column '{self._name}' is compared with text, a number, a bool, a datetime or None, not {value!r}"
            )
        return Condition({"column": self._name, how: value})

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]
        return self._compared("eq", other)

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]
        return self._compared("ne", other)

    def __lt__(self, other: Any) -> Condition:
        return self._compared("lt", other)

    def __le__(self, other: Any) -> Condition:
        return self._compared("le", other)

    def __gt__(self, other: Any) -> Condition:
        return self._compared("gt", other)

    def __ge__(self, other: Any) -> Condition:
        return self._compared("ge", other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Column({self._name!r})"


def condition_document(condition: Any) -> dict[str, JSON]:
    """Returns: a condition as plain data.

    Raises:
        ArgumentTypeError: It is none.
    """
    if not isinstance(condition, Condition):
        raise ArgumentTypeError(
            f"a condition is needed, not {condition!r}",
            help='for example dataset["age"] > 30, in () if joined',
        )
    return condition._document


def holds(condition: Mapping[str, Any], column: Callable[[str], Any]) -> Any:
    """Tells of what a condition is true.

    Args:
        condition: As plain data.
        column: Gives a column by name: a value, or a pandas Series of values.

    Returns:
        Whether it is true; of a Series, of which rows. Nothing is true of a value that is missing but that it is None.
    """
    for joined, join in (("and", operator.and_), ("or", operator.or_)):
        if joined in condition:
            one, other = (holds(part, column) for part in condition[joined])
            return join(one, other)
    if "not" in condition:
        inside = holds(condition["not"], column)
        return not inside if isinstance(inside, bool) else ~inside
    name = str(condition["column"])
    how = next(key for key in _COMPARE if key in condition)
    value, found = condition[how], column(name)
    if value is None:
        if how not in ("eq", "ne"):
            raise ArgumentError(f"column '{name}' is compared with None by == and != only")
        missing = found.isna() if hasattr(found, "isna") else found is None
        return missing if how == "eq" else (~missing if hasattr(missing, "index") else not missing)
    if condition.get("time"):
        value = datetime.fromisoformat(value)
    try:
        compared = _COMPARE[how](found, value)
    except TypeError as error:
        raise UserErrorException(f"filter: column '{name}' cannot be compared with {value!r}: {error}") from error
    if how == "ne" and hasattr(found, "isna"):
        compared &= ~found.isna()
    return compared
