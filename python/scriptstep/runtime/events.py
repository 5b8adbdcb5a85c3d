"""What a step does that others see, appended to a file: an append is cheap, whole, and needs no database.

An event is one line of JSON: `id`, `t` (time), `do` (what), `run` (the run that it concerns), and what that needs; with
`ack` it waits to be taken in.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scriptstep.history.rows import now

__all__ = ["EventWriter", "read_events"]


class EventWriter:
    """Appends events; several processes of a step may append to one file.

    Args:
        path: The file.
        attempt: Id of the attempt, the beginning of each event's id.
    """

    def __init__(self, path: Path, attempt: str) -> None:
        self._path, self._attempt = path, attempt
        self._descriptor = -1
        self._pid = 0
        self._count = itertools.count()

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
        """
        if self._pid != os.getpid():
            # A forked process numbers its own.
            self._pid, self._count, self._descriptor = os.getpid(), itertools.count(), -1
        id = f"{self._attempt}-{self._pid}-{next(self._count)}"
        line = json.dumps({"id": id, "t": now(), "do": do, "run": run, **what}) + "\n"
        if self._descriptor < 0:
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        data = line.encode()
        if os.write(self._descriptor, data) != len(data):
            raise OSError(f"no room to write {self._path}")
        return id


def read_events(path: Path, offset: int = 0) -> tuple[list[Mapping[str, Any]], int]:
    """Reads the whole lines that came since.

    Args:
        path: The file; it need not be there yet.
        offset: Bytes that are known already.

    Returns:
        The events, and the next offset. A line that is no event is passed over.
    """
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read()
    except FileNotFoundError:
        return [], offset
    whole, newline, _ = data.rpartition(b"\n")
    events: list[Mapping[str, Any]] = []
    for line in whole.split(b"\n"):
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and {"id", "do", "run"} <= event.keys():
            events.append(event)
    return events, offset + len(whole) + len(newline)
