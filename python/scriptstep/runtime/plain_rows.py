"""Rows of the history as plain data, so that they can stand in an event."""

from __future__ import annotations

from typing import Any

from scriptstep import history
from scriptstep.records import asdict, is_record

__all__ = ["from_plain", "to_plain"]

_ROWS = ("ComputeRow", "DatasetRow", "DatastoreRow", "EnvironmentRow", "MetricRow", "ModelRow", "RunRow")


def to_plain(value: Any) -> Any:
    """Returns: a value with every row turned into plain data."""
    if is_record(value):
        return {"row": type(value).__name__, "fields": asdict(value)}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    return value


def from_plain(value: Any) -> Any:
    """Returns: what `to_plain` was given.

    Raises:
        ValueError: It names no row of the history.
    """
    if isinstance(value, dict) and set(value) == {"row", "fields"}:
        if value["row"] not in _ROWS:
            raise ValueError(f"no row is called {value['row']}")
        return getattr(history, value["row"])(**value["fields"])
    if isinstance(value, list):
        return [from_plain(item) for item in value]
    return value
