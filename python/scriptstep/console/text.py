"""How things read: names that cannot upset a terminal, columns that stay straight, times, sizes and counts."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime, timezone

__all__ = [
    "ago",
    "cells",
    "clip",
    "columns",
    "count",
    "duration",
    "escaped",
    "html_of",
    "listed",
    "log_line",
    "padded",
    "size",
    "typed",
    "wrapped",
]

# Colours and cursor moves that a script prints: of no use in our lines, and harmful in a terminal.
_ANSI = r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|[@-Z\\-_])"
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def escaped(text: str) -> str:
    """Spells control characters, directions and broken Unicode out, so that a name is what it seems and one line.

    Args:
        text: Any text.

    Returns:
        The text, safe to print.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_spelled(c) if unicodedata.category(c) in _UNSAFE or c in _BIDI else c for c in text)


def html_of(text: str) -> str:
    """Returns: a text as a part of a page: as `escaped` spells it, and no markup."""
    from html import escape

    return escape(escaped(text))


_UNSAFE = frozenset({"Cc", "Cs", "Zl", "Zp"})


def _spelled(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def log_line(text: str) -> str:
    r"""A line of a script's output as we show it: the last state of a progress bar, tabs as spaces, no colours.

    Args:
        text: The line, without its end.

    Returns:
        The line, safe to print.
    """
    states = [state for state in text.split("\r") if state.strip()]
    return escaped(re.sub(_ANSI, "", states[-1] if states else "").expandtabs(8))


def cells(text: str) -> int:
    """Returns: how many columns of a terminal a text takes; wide characters take two, combining ones none."""
    if text.isascii() and text.isprintable():
        return len(text)
    return sum(_width(c) for c in text)


def _width(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def padded(text: str, width: int) -> str:
    """Returns: the text, filled up with spaces to `width` columns."""
    return text + " " * max(0, width - cells(text))


def clip(text: str, width: int) -> str:
    """Returns: the text, cut to `width` columns with an ellipsis where it is longer."""
    if cells(text) <= width:
        return text
    kept, used = "", 0
    for character in text:
        used += _width(character)
        if used > width - 1:
            break
        kept += character
    return kept + "…" if width > 0 else ""


def wrapped(text: str, width: int, indent: int = 0) -> list[str]:
    """Breaks a text at spaces.

    Args:
        text: One line.
        width: Columns that the first line may take.
        indent: Columns of space before each further line; these may take `width` columns besides.

    Returns:
        The lines; a word that is too long stands alone on its line.
    """
    lines, line = [], ""
    for word in text.split(" "):
        if line and cells(line) + 1 + cells(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    lines.append(line)
    return lines[:1] + [" " * indent + line for line in lines[1:]]


def columns(rows: Sequence[Sequence[str]], *, gap: int = 3, right: frozenset[int] = frozenset()) -> list[str]:
    """Lays rows out in columns.

    Args:
        rows: Cells, all rows equally long.
        gap: Spaces between columns.
        right: Columns that are set flush right.

    Returns:
        A line for each row, without spaces at its end.
    """
    if not rows:
        return []
    widths = [max(cells(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        parts = [
            " " * (widths[i] - cells(cell)) + cell if i in right else padded(cell, widths[i])
            for i, cell in enumerate(row)
        ]
        lines.append((" " * gap).join(parts).rstrip())
    return lines


def duration(seconds: float) -> str:
    """Returns: a time span as people read it: `0.4 s`, `2 m 10 s`, `1 h 12 m`."""
    seconds = max(0.0, seconds)
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} m {whole % 60} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} m"


def ago(time: str) -> str:
    """Returns: how long ago a time was, in the largest unit: `2 days ago`; the time is ISO 8601."""
    seconds = (datetime.now(timezone.utc) - datetime.fromisoformat(time)).total_seconds()
    for length, one in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= length:
            return f"{count(int(seconds // length), one)} ago"
    return "just now"


def size(amount: int) -> str:
    """Returns: a number of bytes as people read it: `17 B`, `1.2 GB`."""
    if amount < 1000:
        return f"{amount} B"
    value = float(amount)
    for unit in ("kB", "MB", "GB", "TB", "PB"):
        value /= 1000
        if value < 999.5 or unit == "PB":
            return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"
    raise AssertionError("unreachable")


def count(number: int, one: str, many: str | None = None) -> str:
    """Returns: a number and what is counted: `1 file`, `78,273 files`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listed(names: Sequence[str], most: int = 4) -> str:
    """Returns: names as a sentence has them: `a`, `a and b`, `a, b and 7 more`."""
    shown = list(names)
    if len(shown) > most:
        shown = [*shown[: most - 1], f"{len(shown) - most + 1:,} more"]
    return shown[0] if len(shown) == 1 else ", ".join(shown[:-1]) + " and " + shown[-1] if shown else ""


def typed(path: str | os.PathLike[str]) -> str:
    """Returns: a path as the user would type it: relative, unless it lies further off than the folder above."""
    text = os.fspath(path)
    if not os.path.isabs(text):
        return text
    relative = os.path.relpath(text)
    return text if relative.startswith(os.pardir + os.sep + os.pardir) else relative
