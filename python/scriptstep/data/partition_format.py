"""Columns that the paths of files hold: `{country}/{day:yyyy/MM/dd}/data.csv`."""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache

from scriptstep.errors import ArgumentError, UserErrorException

__all__ = ["partition_keys", "partition_values"]

_TIMES = {"yyyy": ("%Y", r"\d{4}"), "MM": ("%m", r"\d{2}"), "dd": ("%d", r"\d{2}"), "HH": ("%H", r"\d{2}")}
_TIMES |= {"mm": ("%M", r"\d{2}"), "ss": ("%S", r"\d{2}")}
_FIELD = re.compile(r"\{(\w+)(?::([^}]*))?\}")


def partition_keys(partition_format: str) -> list[str]:
    """Returns: the names of the columns.

    Raises:
        ArgumentError: The format names none, or one twice.
    """
    return list(_compiled(partition_format)[1])


def partition_values(partition_format: str, path: str) -> dict[str, str | datetime]:
    """Reads the columns from the path of a file.

    Args:
        partition_format: The format; it describes the end of the path.
        path: The path, with `/`.

    Returns:
        Text, or a time where the format spells one, by column.

    Raises:
        UserErrorException: The path is not like that.
    """
    pattern, formats = _compiled(partition_format)
    found = pattern.search(path)
    if found is None:
        raise UserErrorException(f"the path {path!r} is not of the partition_format {partition_format!r}")
    values: dict[str, str | datetime] = {}
    for name, spelled in formats.items():
        text = found.group(name)
        values[name] = datetime.strptime(text, spelled) if spelled else text  # noqa: DTZ007
    return values


@lru_cache(maxsize=64)
def _compiled(partition_format: str) -> tuple[re.Pattern[str], dict[str, str]]:
    formats: dict[str, str] = {}
    made, at = "", 0
    text = partition_format.lstrip("/")
    for field in _FIELD.finditer(text):
        name, spelled = field.group(1), field.group(2)
        if name in formats or name[0].isdigit():
            raise ArgumentError(
                f"partition_format {partition_format!r}: column {name!r} stands there twice, or cannot be"
            )
        formats[name], inner = _time(spelled) if spelled else ("", "[^/]+")
        made += _literal(text[at : field.start()]) + f"(?P<{name}>{inner})"
        at = field.end()
    if not formats:
        raise ArgumentError(
            f"partition_format {partition_format!r} names no column",
            help="for example '{country}/{day:yyyy/MM/dd}/data.csv'",
        )
    return re.compile(f"(?:^|/){made}{_literal(text[at:])}$"), formats


def _time(spelled: str) -> tuple[str, str]:
    made = inner = ""
    for part in re.split(r"(yyyy|MM|dd|HH|mm|ss)", spelled):
        code, digits = _TIMES.get(part, (part.replace("%", "%%"), re.escape(part)))
        made += code
        inner += digits
    return made, inner


def _literal(text: str) -> str:
    return re.escape(text).replace(r"\*", "[^/]*")
