"""Names made fit for paths."""

from __future__ import annotations

import re
from typing import TypeGuard

__all__ = ["is_text", "plain"]


def is_text(value: object) -> TypeGuard[str]:
    """Returns: whether a value, whatever its type is said to be, is text that is not empty."""
    return isinstance(value, str) and bool(value.strip())


def plain(name: str) -> str:
    """Returns: a name of plain characters, fit for a path that a script is given."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name) or "_"
