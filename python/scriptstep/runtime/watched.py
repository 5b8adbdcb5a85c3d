"""What a step is given of others that tells which part of it is looked at: only that has to read the same later."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from scriptstep.history import RunRow
from scriptstep.records import names

__all__ = ["WatchedFiles", "WatchedRun", "watched_run"]

# Times, numbers, ids and places are a run's identity, `kind` what it is found by: of these nothing is told.
_TELLING = frozenset({"name", "status", "description", "error", "script", "compute", "exit_code", "details"})


class WatchedRun(RunRow):
    """A run that tells of each field that is looked at."""

    def __getattribute__(self, name: str) -> Any:
        if name in _TELLING and (told := object.__getattribute__(self, "__dict__").get("_told")) is not None:
            told(name)
        return object.__getattribute__(self, name)


def watched_run(row: RunRow, told: Callable[[str], None]) -> WatchedRun:
    """Makes a run tell.

    Args:
        row: The run.
        told: Called with the name of each field that is looked at, before it is given.

    Returns:
        The same run.
    """
    watched = WatchedRun(**{name: getattr(row, name) for name in names(row)})
    object.__setattr__(watched, "_told", told)
    return watched


class WatchedFiles(dict[str, Path]):
    """Files by name, which tell of each whose place is looked at; names alone tell nothing.

    Args:
        files: The files.
        told: Called with the name of each file that is looked at, before it is given.
    """

    def __init__(self, files: dict[str, Path], told: Callable[[str], None]) -> None:
        super().__init__(files)
        self._told = told

    def _tell(self, names: Iterable[str]) -> None:
        for name in names:
            self._told(name)

    def __getitem__(self, name: str) -> Path:
        found = super().__getitem__(name)
        self._told(name)
        return found

    def __iter__(self) -> Iterator[str]:
        # Where this is not the dict's own, `dict(files)` asks for the items one by one.
        return super().__iter__()

    def get(self, name: str, default: Any = None) -> Any:
        """Returns: the file of that name, or the default."""
        try:
            return self[name]
        except KeyError:
            return default

    def values(self) -> Any:
        """Returns: all files."""
        return [self[name] for name in self]

    def items(self) -> Any:
        """Returns: names and files."""
        return [(name, self[name]) for name in self]

    def copy(self) -> dict[str, Path]:
        """Returns: all files, which tell no more."""
        return dict(self.items())
