"""Names made fit for paths."""

from __future__ import annotations

import re
from typing import TypeGuard

from scriptstep.errors import ArgumentError

__all__ = ["is_text", "plain", "relative_path"]


def is_text(value: object) -> TypeGuard[str]:
    """Returns: whether a value, whatever its type is said to be, is text that is not empty."""
    return isinstance(value, str) and bool(value.strip())


def plain(name: str) -> str:
    """Returns: a name of plain characters, fit for a path that a script is given."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name) or "_"


def relative_path(name: str, what: str) -> str:
    """Makes a name relative, as the SDK's stores do: a leading `/` is dropped, and nothing leads out.

    Args:
        name: A path with `/` or backslashes.
        what: What it is, for the message.

    Returns:
        The path with `/`, no `.` and no empty part; empty for the root.

    Raises:
        ArgumentError: A part is `..`.
    """
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ArgumentError(f"{what} must not lead out by '..': {name!r}")
    return "/".join(parts)
