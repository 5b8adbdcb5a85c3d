"""Delimited files: read as text, with the names of their columns."""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scriptstep.errors import UserErrorException

if TYPE_CHECKING:
    import pandas

__all__ = ["read_delimited"]

_ENCODINGS = {"utf8": "utf-8-sig", "windows1252": "cp1252", "iso88591": "latin-1", "utf16": "utf-16", "utf32": "utf-32"}


def read_delimited(
    files: Sequence[Path], options: Mapping[str, Any], columns: Collection[str] | None = None
) -> list[pandas.DataFrame]:
    """Reads delimited files as text.

    Args:
        files: The files.
        options: As `delimited_options` writes them down.
        columns: Those that are needed; None for all. A file that has not all of them is read whole.

    Returns:
        A table for each file; what is missing is missing, everything else is text.

    Raises:
        UserErrorException: A file cannot be read.
    """
    header = options.get("header", "same")
    names: list[str] | None = None
    frames: list[pandas.DataFrame] = []
    for n, file in enumerate(files):
        has_header = header in ("same", "combine") or (header == "first" and n == 0)
        try:
            first, width = _shape(file, options)
            own = _unique(first if has_header else [], width)
            if header == "combine" or not names:
                names = own
            # Columns have the first file's names, by their place; a longer row makes more of them.
            names_here = names[:width] + _unique([], width)[len(names) :]
            frames.append(_read(file, names_here, has_header, options, columns))
        except (OSError, UnicodeError, ValueError, csv.Error) as error:
            raise UserErrorException(f"{file} cannot be read: {error}") from error
    return frames


def _codec(options: Mapping[str, Any]) -> str:
    encoding = str(options.get("encoding", "utf8"))
    return _ENCODINGS.get(encoding.lower(), encoding)


def _shape(file: Path, options: Mapping[str, Any]) -> tuple[list[str], int]:
    """Returns: the first row, and how many columns the longest one has."""
    separator = str(options.get("separator", ","))
    with file.open(encoding=_codec(options), newline="") as lines:
        if len(separator) > 1:
            first = lines.readline().rstrip("\r\n").split(separator)
            return first, len(first)
        rows = csv.reader(lines, delimiter=separator)
        first = next((row for row in rows if row), [])
        # Counting separators is enough to know that no row is longer, and much cheaper than parsing them all.
        limit = max(len(first) - 1, 0)
        longer = any(line.count(separator) > limit for line in lines)
    if not longer:
        return first, len(first)
    with file.open(encoding=_codec(options), newline="") as lines:
        return first, max(len(row) for row in csv.reader(lines, delimiter=separator))


def _unique(names: Sequence[str], width: int) -> list[str]:
    """Returns: a name for each column; one without is `Column<n>`, a second of a name is `<name>_1`."""
    made: list[str] = []
    for n in range(max(width, len(names))):
        name = names[n] if n < len(names) and names[n] else f"Column{n + 1}"
        free, count = name, 0
        while free in made:
            count += 1
            free = f"{name}_{count}"
        made.append(free)
    return made


def _read(
    file: Path, names: list[str], has_header: bool, options: Mapping[str, Any], columns: Collection[str] | None
) -> pandas.DataFrame:
    import pandas

    separator = str(options.get("separator", ","))
    if not names:
        return pandas.DataFrame()
    empty = options.get("empty_as_string", False)
    return pandas.read_csv(
        file,
        sep=separator if len(separator) == 1 else _escaped(separator),
        engine="c" if len(separator) == 1 else "python",
        header=None,
        names=names,
        usecols=None if columns is None or not set(columns) <= set(names) else list(columns),
        index_col=False,
        skiprows=1 if has_header else 0,
        encoding=_codec(options),
        dtype=str,
        keep_default_na=False,
        na_values=[] if empty else [""],
        na_filter=not empty,
    )


def _escaped(separator: str) -> str:
    import re

    return re.escape(separator)
