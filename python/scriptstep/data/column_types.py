"""What the columns of a table are read as: what they look like, or what the user says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from scriptstep.errors import UserErrorException

if TYPE_CHECKING:
    import pandas

__all__ = ["converted", "infer"]

_TRUE, _FALSE = {"true", "t"}, {"false", "f"}
# Tried in order; a column is a time only if one of them fits every value in it.
_DATE = r"\d{4}[-/]\d{1,2}[-/]\d{1,2}"
_CLOCK = r"(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
_DAY = r"\d{1,2}[-/]\d{1,2}[-/]\d{4}"


def infer(frame: pandas.DataFrame) -> pandas.DataFrame:
    """Gives each column of text the type that all its values look like: whole numbers, numbers, bools, times.

    Args:
        frame: A table whose columns are text, missing values missing.

    Returns:
        The table. 0 and 1 are numbers; a day and a month that could be either way round stay text.
    """
    import pandas

    if frame.empty:
        return frame
    typed: pandas.DataFrame = pandas.DataFrame({n: _inferred(frame[n]) for n in frame.columns}, index=frame.index)
    return typed


def _inferred(column: pandas.Series[Any]) -> pandas.Series[Any]:
    import pandas

    if not (pandas.api.types.is_object_dtype(column) or pandas.api.types.is_string_dtype(column)):
        return column
    values = column.dropna()
    if values.empty or not values.map(lambda v: isinstance(v, str)).all():
        return column
    numbers = _numbers(column, values)
    if numbers is not None:
        return numbers
    text = values.str.strip()
    folded = set(text.str.lower().unique())
    if folded <= _TRUE | _FALSE:
        truth = column.map(lambda v: v.strip().lower() in _TRUE if isinstance(v, str) else None)
        return truth.astype(bool) if len(values) == len(column) else truth.astype(object)
    times = _times(text)
    return column if times is None else times.reindex(column.index)


def _numbers(column: pandas.Series[Any], values: pandas.Series[Any]) -> pandas.Series[Any] | None:
    import pandas

    first = str(values.iloc[0]).strip()
    if first[:1] not in "0123456789+-.nNiI" or not first:
        return None
    text = values.str.strip()
    not_numbers = text.str.fullmatch("[+-]?nan", case=False).astype(bool)
    try:
        numbers = pandas.to_numeric(text[~not_numbers])
    except (ValueError, TypeError):
        return None
    if not_numbers.any():
        numbers = numbers.astype(float).reindex(values.index)
    if pandas.api.types.is_object_dtype(numbers):
        return None
    if pandas.api.types.is_unsigned_integer_dtype(numbers):
        numbers = numbers.astype(float)
    return numbers if len(values) == len(column) else numbers.astype(float).reindex(column.index)


def _times(text: pandas.Series[Any]) -> pandas.Series[Any] | None:
    import pandas

    if text.str.fullmatch(_DATE + _CLOCK).all():
        spelled = text.str.replace("/", "-", regex=False)
        try:
            times = pandas.to_datetime(spelled, format="ISO8601", utc=True)
        except ValueError:
            return None
        return times.dt.tz_localize(None).astype("datetime64[ns]")
    if text.str.fullmatch(_DAY).all():
        parts = text.str.extract(r"(\d+)[-/](\d+)[-/](\d+)").astype(int)
        day_first, month_first = (parts[0] > 12).any(), (parts[1] > 12).any()
        if day_first == month_first:
            return None
        day, month = (parts[0], parts[1]) if day_first else (parts[1], parts[0])
        try:
            times = pandas.to_datetime({"year": parts[2], "month": month, "day": day})
        except ValueError:
            return None
        return times.astype("datetime64[ns]")
    return None


def converted(column: pandas.Series[Any], kind: Mapping[str, Any]) -> pandas.Series[Any]:
    """Reads a column as what the user says.

    Args:
        column: The column.
        kind: A `DataType` as plain data.

    Returns:
        The column; what cannot be read so is missing.

    Raises:
        UserErrorException: The type is not known.
    """
    import pandas

    told = kind["type"]
    if told == "string":
        return column.map(lambda v: v if isinstance(v, str) or pandas.isna(v) else str(v))
    if told == "bool":
        truth = column.map(_bool)
        return truth.astype(bool) if truth.notna().all() else truth.astype(object)
    if told == "datetime":
        if formats := kind.get("formats"):
            times = pandas.Series(pandas.NaT, index=column.index, dtype="datetime64[ns]")
            for spelled in formats:
                times = times.fillna(pandas.to_datetime(column, format=spelled, errors="coerce"))
            return times
        return pandas.to_datetime(column, errors="coerce", format="mixed")
    if told not in ("long", "float"):
        raise UserErrorException(f"set_column_types: there is no type {told!r}")
    if kind.get("decimal_mark") == ",":
        column = column.map(lambda v: v.replace(".", "").replace(",", ".") if isinstance(v, str) else v)
    numbers = pandas.to_numeric(column, errors="coerce")
    if told == "float":
        return numbers.astype(float)
    return numbers.astype("int64") if numbers.notna().all() else numbers


def _bool(value: Any) -> bool | None:
    if isinstance(value, str):
        folded = value.strip().lower()
        return True if folded in _TRUE | {"1", "yes", "y"} else False if folded in _FALSE | {"0", "no", "n"} else None
    # A missing number is not itself.
    return bool(value) if value == value else None
