"""Trees with one ignore file in their root, drawn from a seed: what the SDK and scriptstep are both asked about."""

from __future__ import annotations

import random
from pathlib import Path

__all__ = ["plant"]

_NAMES = ["a", "b", "c", "ab", "a.py", "b.py", "c.log", "x y", "A", ".hidden", "data", "out", "a b.txt", "é", "[a]"]
_ATOMS = [
    "a",
    "b",
    "ab",
    "*",
    "*",
    "?",
    "*.py",
    "*.log",
    "a*",
    "*b",
    "[ab]",
    "[!a]",
    "[a-c]",
    "**",
    "data",
    "out",
    ".*",
]
_BEFORE = ["", "", "", "", "/", "!", "!", "**/", "!/", "  "]
_AFTER = ["", "", "", "/", "/*", "/**", " ", "\r"]
_ODD = ["", "#a", "/", "**/", "*", "\\#a", "\\!a", "./a", "a//b", "a\\b", "sub/ ", "*.py[co]", "**/**/a"]


def plant(seed: int, root: Path) -> None:
    """Makes the tree of a seed.

    Args:
        seed: The seed.
        root: An empty folder.
    """
    draw = random.Random(f"sdk {seed}")
    lines = [_line(draw) for _ in range(draw.randint(1, 7))]
    name = draw.choice([".amlignore", ".gitignore"])
    (root / name).write_text("\n".join(lines) + draw.choice(["", "\n"]), encoding="utf-8", newline="")
    if name == ".amlignore" and draw.random() < 0.5:
        (root / ".gitignore").write_text("*\n", encoding="utf-8")
    _fill(draw, root, 0)


def _line(draw: random.Random) -> str:
    if draw.random() < 0.12:
        return draw.choice(_ODD)
    if draw.random() < 0.2:
        return draw.choice(["", "", "/", "!"]) + draw.choice(_NAMES)
    parts = ["".join(draw.choices(_ATOMS, k=draw.choice([1, 1, 1, 2]))) for _ in range(draw.choice([1, 1, 2, 2, 3]))]
    return draw.choice(_BEFORE) + "/".join(parts) + draw.choice(_AFTER)


def _fill(draw: random.Random, folder: Path, depth: int) -> None:
    for name in draw.sample(_NAMES, k=draw.randint(3, 7)):
        if depth < 3 and draw.random() < 0.45:
            (folder / name).mkdir()
            _fill(draw, folder / name, depth + 1)
        else:
            (folder / name).write_bytes(b"")
    if depth and draw.random() < 0.2:
        # A file like any other, for the SDK.
        (folder / ".gitignore").write_text("*\n", encoding="utf-8")
