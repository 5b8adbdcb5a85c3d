"""What scripts log, as plain data, and what `get_metrics` makes of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from scriptstep.errors import ArgumentError
from scriptstep.history import MetricRow

__all__ = ["merged", "plain", "plain_row", "plain_table", "published"]


def plain(value: Any) -> Any:
    """Makes plain data of anything that a script may log; never fails for its type.

    Args:
        value: A number, text, a numpy or torch scalar, an array, a list ...; whatever else as its text.

    Returns:
        None, bool, int, float, str, or a list of these. An array of one element is that element.
    """
    if value is None or isinstance(value, (bool, str)):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, (list, tuple, set, frozenset, range)):
        return [plain(v) for v in value]
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    return _foreign(value)


def _foreign(value: Any) -> Any:
    """Numbers of numpy, torch, pandas, decimal: by what they can do, so that none of them is loaded here."""
    if type(value).__name__ in ("NaTType", "NAType"):
        return None
    for name in ("isoformat", "item", "tolist"):
        method = getattr(value, name, None)
        if callable(method):
            try:
                found = method()
            except Exception:
                continue
            if name != "tolist" or not isinstance(found, list):
                return found if type(found) in (bool, int, float, str) else str(value)
            return [plain(v) for v in found]
    try:
        return float(value)
    except Exception:
        return str(value)


def plain_row(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Returns: a logged row, its values plain."""
    return {str(name): plain(value) for name, value in columns.items()}


def plain_table(name: str, value: Any) -> dict[str, Any]:
    """Returns: a logged table as columns of plain values.

    Args:
        name: Of the metric.
        value: A mapping of column names to values, or a DataFrame.

    Raises:
        ArgumentError: It is neither.
    """
    if not isinstance(value, Mapping):
        to_dict = getattr(value, "to_dict", None)
        if to_dict is None:
            raise ArgumentError(
                f"log_table('{name}', ...): a table is a dict of column names and values, not {type(value).__name__}"
            )
        value = to_dict(orient="list")
    return plain_row(value)


def published(name: str, method: str, value: Any) -> Any:
    """Returns: the value of a chart such as a confusion matrix.

    Args:
        name: Of the metric.
        method: The method that logs it.
        value: A dict, or JSON text of one.

    Raises:
        ArgumentError: It is neither.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise ArgumentError(f"{method}('{name}', ...): the text is no JSON") from None
    if not isinstance(value, Mapping):
        raise ArgumentError(f"{method}('{name}', ...): a dict is needed, or its JSON text, not {type(value).__name__}")
    return plain(value)


def merged(metrics: Iterable[MetricRow]) -> dict[str, Any]:
    """What `get_metrics` answers, as the SDK has it.

    Args:
        metrics: Everything that a run logged, in order.

    Returns:
        Name to value: a list where a name was logged more than once; rows and tables as columns.
    """
    rows: dict[str, list[MetricRow]] = {}
    for metric in metrics:
        rows.setdefault(metric.name, []).append(metric)
    return {name: _merged(logged) for name, logged in rows.items()}


def _merged(logged: list[MetricRow]) -> Any:
    if all(m.kind in ("row", "table") and isinstance(m.value, dict) for m in logged):
        return _columns(logged)
    if len(logged) == 1:
        return logged[0].value
    if all(m.kind == "list" for m in logged):
        return [v for m in logged for v in (m.value if isinstance(m.value, list) else [m.value])]
    return [m.value for m in logged]


def _columns(logged: list[MetricRow]) -> dict[str, Any]:
    if len(logged) == 1:
        return dict(logged[0].value)
    columns: dict[str, list[Any]] = {}
    for m in logged:
        for name, value in m.value.items():
            columns.setdefault(name, []).extend(value if isinstance(value, list) and m.kind == "table" else [value])
    return dict(columns)
