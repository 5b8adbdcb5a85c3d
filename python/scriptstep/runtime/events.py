"""What a step does that others see, appended to a file: an append is cheap, whole, and needs no database.

An event is one line of JSON: `id`, `t` (time), `do` (what), `run` (the run that it concerns), and what that needs; with
`ack` it waits to be taken in.
"""

from __future__ import annotations

import errno
import itertools
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from scriptstep.history.rows import now

__all__ = ["EventWriter", "Written", "read_events"]


class Written(NamedTuple):
    """Where an event stands.

    Attributes:
        id: Its id.
        end: Where in the file it ends, bytes.
    """

    id: str
    end: int


class EventWriter:
    """Appends events; processes and threads of a step may append to one file at once.

    Args:
        path: The file, absolute: a script changes directory.
        attempt: Id of the attempt, the beginning of each event's id.
    """

    def __init__(self, path: Path, attempt: str) -> None:
        self._path, self._attempt = os.fspath(path), attempt
        self._begin()

    def _begin(self) -> None:
        # A process id alone comes back, within one step and in another container of it.
        self._pid, self._stem, self._count = os.getpid(), f"{os.getpid()}-{os.urandom(3).hex()}", itertools.count()

    def write(self, do: str, run: str, **what: Any) -> str:
        """Appends an event.

        Args:
            do: What is done.
            run: Id of the run that it concerns.
            **what: What that needs; plain data.

        Returns:
            The event's id.

        Raises:
            TypeError: It is not plain data.
            OSError: The file cannot be written, or the disk is full.
        """
        return self.append(do, run, **what).id

    def append(self, do: str, run: str, **what: Any) -> Written:
        """Appends an event, as `write` does.

        Returns:
            Its id, and where it ends.
        """
        if self._pid != os.getpid():
            self._begin()
        id = f"{self._attempt}-{self._stem}-{next(self._count)}"
        # The first newline ends what a killed process may have left half written.
        data = b"\n" + json.dumps({"id": id, "t": now(), "do": do, "run": run, **what}).encode() + b"\n"
        # Opened each time: a script may close every descriptor it finds, and open others of the same number.
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            written = os.write(descriptor, data)
            end = os.lseek(descriptor, 0, os.SEEK_CUR)
        finally:
            os.close(descriptor)
        if written != len(data):
            raise OSError(errno.ENOSPC, "no space is left for what the step logs", self._path)
        return Written(id, end)


def read_events(path: Path, offset: int = 0) -> tuple[list[Mapping[str, Any]], int]:
    """Reads the whole lines that came since.

    Args:
        path: The file; it need not be there yet.
        offset: Bytes that are known already.

    Returns:
        The events, and the next offset. A line that is no event is passed over.
    """
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            data = file.read()
    except FileNotFoundError:
        return [], offset
    whole, newline, _ = data.rpartition(b"\n")
    events: list[Mapping[str, Any]] = []
    for line in whole.split(b"\n"):
        if not line:
            continue
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and {"id", "do", "run"} <= event.keys():
            events.append(event)
    return events, offset + len(whole) + len(newline)
