"""The files below a folder, and those that a pattern means."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path

__all__ = ["files_below", "fixed_part", "is_pattern", "matching_files", "matching_name", "matching_path"]


def files_below(folder: Path) -> list[tuple[str, str]]:
    """Lists the files below a folder; links are followed, but never round in a circle.

    Args:
        folder: The folder.

    Returns:
        (path relative to it with `/`, file), sorted by path.
    """
    found: list[tuple[str, str]] = []
    waiting: list[tuple[str, str, tuple[str, ...]]] = [(str(folder), "", (os.path.realpath(folder),))]
    while waiting:
        place, prefix, above = waiting.pop()
        with os.scandir(place) as entries:
            for entry in entries:
                if entry.is_dir():
                    real = os.path.realpath(entry.path) if entry.is_symlink() else os.path.join(above[-1], entry.name)
                    if real not in above:
                        waiting.append((entry.path, f"{prefix}{entry.name}/", (*above, real)))
                elif entry.is_file():
                    found.append((prefix + entry.name, entry.path))
    return sorted(found)


def is_pattern(path: str) -> bool:
    """Returns: whether a path has a part with `*`, `?` or `[`."""
    return any(c in path for c in "*?[")


def fixed_part(pattern: str) -> str:
    """Returns: the folder that all files that a pattern means lie below."""
    parts = pattern.split("/")
    first = next(n for n, part in enumerate(parts) if is_pattern(part))
    return "/".join(parts[:first]) or ("/" if pattern.startswith("/") else ".")


def matching_files(pattern: str, root: Path | None = None) -> list[tuple[str, str]]:
    """Lists the files that a pattern means: `*` and `?` stay in one part of the path, `**` is any number of parts.

    Args:
        pattern: A path with `/`.
        root: The folder that it is relative to; None for the working directory.

    Returns:
        (path relative to the fixed part with `/`, file), sorted by path.
    """
    base = fixed_part(pattern)
    folder = (root or Path()) / base
    if not folder.is_dir():
        return []
    rest = pattern.split("/")[0 if base == "." else len([p for p in base.split("/") if p]) + pattern.startswith("/") :]
    below = "/".join(rest)
    return [(name, file) for name, file in files_below(folder) if matching_path(below, name)]


@lru_cache(maxsize=256)
def _regex(pattern: str) -> re.Pattern[str]:
    parts = [part for part in pattern.split("/") if part]
    made = ""
    for n, part in enumerate(parts):
        last = n == len(parts) - 1
        if part == "**":
            made += ".*" if last else "(?:[^/]+/)*"
        else:
            made += _part(part) + ("" if last else "/")
    return re.compile(made, re.DOTALL)


def _part(part: str) -> str:
    made, n = "", 0
    while n < len(part):
        char = part[n]
        end = part.find("]", n + 2) if char == "[" else -1
        if char == "*":
            made += "[^/]*"
        elif char == "?":
            made += "[^/]"
        elif end > 0:
            inside = part[n + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
            made += f"[{'^' + inside[1:] if inside.startswith('!') else inside}]"
            n = end
        else:
            made += re.escape(char)
        n += 1
    return made


def matching_name(pattern: str, name: str) -> bool:
    """Returns: whether a relative path is one that a pattern means; one without `/` is about its last part."""
    if "/" not in pattern:
        name = name.rpartition("/")[2]
    return matching_path(pattern, name)


def matching_path(pattern: str, path: str) -> bool:
    """Returns: whether a path is one that a pattern means, from its first part to its last."""
    return _regex(pattern).fullmatch(path) is not None
