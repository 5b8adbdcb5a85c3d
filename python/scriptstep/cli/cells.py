"""Cells of a notebook as Python: magics and shell lines become calls, in the same lines, so that tracebacks fit."""

from __future__ import annotations

import re

from scriptstep.records import dataclass

__all__ = ["CellMagic", "cell_magic", "as_python"]

_LINE_MAGIC = re.compile(r"%([A-Za-z_][\w.]*)[ \t]*(.*)\Z", re.DOTALL)
_ASSIGNED = re.compile(r"([^=!%#'\"]+?)=[ \t]*([!%])(?=\S)(.*)\Z", re.DOTALL)
_HELP = re.compile(r"(\?\??[\w.*]+|[\w.]+\?\??)\s*\Z")
_BARE_INSTALL = re.compile(r"(pip3?|conda|mamba)[ \t]+(install|uninstall|list|freeze|show)\b")
_BARE_CD = re.compile(r"cd[ \t]+[^=\s(].*\Z")
_TIMED = {"time", "timeit", "prun", "memit", "mprun", "lprun", "snakeviz"}
_TIMING_OPTION = re.compile(r"-(?:[nrpstlDT]\s*\S+|[a-zA-Z]+)\s+")


@dataclass(frozen=True)
class CellMagic:
    """A cell that is a magic as a whole.

    Attributes:
        name: Of the magic.
        line: What follows the name.
        body: The lines below.
    """

    name: str
    line: str
    body: str


def cell_magic(source: str) -> CellMagic | None:
    """Returns: the magic that a whole cell is, or None."""
    text = source.lstrip("\n\r \t")
    if not text.startswith("%%") or not text[2:3].strip():
        return None
    first, _, body = text.partition("\n")
    name, _, line = first[2:].strip().partition(" ")
    return CellMagic(name, line.strip(), body)


def as_python(source: str) -> str:
    """Turns a cell into Python.

    Args:
        source: The cell.

    Returns:
        Python with as many lines; what is no magic stands as it stood.
    """
    lines = source.split("\n")
    made: list[str] = []
    scanner = _Scanner()
    index = 0
    while index < len(lines):
        line = lines[index]
        index += 1
        call = None if scanner.inside else _special(line)
        if call is None:
            scanner.scan(line)
            made.append(line)
            continue
        more = 0
        while line.endswith("\\") and index < len(lines):
            line += "\n" + lines[index]
            index += 1
            more += 1
        made.append(_special(line) or "pass")
        made += [""] * more
    return "\n".join(made)


def _special(line: str) -> str | None:
    """Returns: the Python for a line that is none, or None where it is Python."""
    stripped = line.lstrip(" \t")
    indent = line[: len(line) - len(stripped)]
    if not stripped or stripped[0] == "#":
        return None
    if stripped.startswith("!"):
        command = stripped.lstrip("!")
        return f"{indent}get_ipython().system({command!r})"
    if found := _LINE_MAGIC.match(stripped):
        return indent + _magic(found[1], found[2])
    if _HELP.match(stripped):
        return indent + "pass"
    if _BARE_INSTALL.match(stripped):
        return f"{indent}get_ipython().system({stripped!r})"
    if not indent and _BARE_CD.match(stripped):
        return indent + _magic("cd", stripped[2:].strip())
    if found := _ASSIGNED.match(stripped):
        target, kind, rest = found[1].rstrip(), found[2], found[3]
        if not re.fullmatch(r"[\w\s.,\[\]()*:+-]+", target):
            return None
        if kind == "!":
            return f"{indent}{target} = get_ipython().getoutput({rest.lstrip('!')!r})"
        if magic := _LINE_MAGIC.match("%" + rest):
            return f"{indent}{target} = " + _magic(magic[1], magic[2])
    return None


def _magic(name: str, rest: str) -> str:
    if name in _TIMED:
        # What it times is Python, and may name what later cells use.
        while found := _TIMING_OPTION.match(rest):
            rest = rest[found.end() :]
        return rest.strip() or "pass"
    return f"get_ipython().run_line_magic({name!r}, {rest.rstrip()!r})"


class _Scanner:
    """Knows, line by line, whether the next line begins a statement, or goes on within a string or brackets."""

    def __init__(self) -> None:
        self._quote = ""
        self._depth = 0
        self._continued = False

    @property
    def inside(self) -> bool:
        """Returns: whether the next line goes on with what stands before it."""
        return bool(self._quote) or self._depth > 0 or self._continued

    def scan(self, line: str) -> None:
        """Reads one line of Python."""
        self._continued = False
        index = 0
        while index < len(line):
            if self._quote:
                index = self._within(line, index)
                continue
            character = line[index]
            if character == "#":
                return
            if character in "\"'":
                triple = line[index : index + 3]
                self._quote = triple if triple == character * 3 else character
                index += len(self._quote)
                continue
            if character in "([{":
                self._depth += 1
            elif character in ")]}":
                self._depth = max(0, self._depth - 1)
            elif character == "\\" and index == len(line) - 1:
                self._continued = True
            index += 1
        if len(self._quote) == 1 and not line.endswith("\\"):
            self._quote = ""

    def _within(self, line: str, index: int) -> int:
        if line[index] == "\\":
            return index + 2
        if line.startswith(self._quote, index):
            index += len(self._quote)
            self._quote = ""
            return index
        return index + 1
