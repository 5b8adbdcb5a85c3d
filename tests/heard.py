"""A console that keeps what it is told, and lets a test wait for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Heard:
    def __init__(self) -> None:
        self.events: list[Any] = []
        self._changed = threading.Condition()

    def send(self, event: Any) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def close(self) -> None:
        pass

    def of(self, kind: type, run: Any = None) -> list[Any]:
        with self._changed:
            return [e for e in self.events if isinstance(e, kind) and (run is None or e.run_id == run.id)]

    def wait_for(self, true: Callable[[Any], bool], seconds: float = 30) -> Any:
        """Returns: the first event of which that is true, past or to come."""
        with self._changed:
            assert self._changed.wait_for(lambda: any(map(true, self.events)), seconds), self.events
            return next(e for e in self.events if true(e))


def lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []
