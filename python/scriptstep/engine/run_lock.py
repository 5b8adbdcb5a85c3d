"""The lock that says that a run's coordinator lives; the system frees it however the process ends."""

from __future__ import annotations

import os
from pathlib import Path

from scriptstep.engine.file_lock import FileLock, holder

__all__ = ["RunLock", "is_held"]

_NAME = "lock"


class RunLock:
    """Held from the start of a run to its end.

    Args:
        folder: The run's folder; nobody else runs it.

    Attributes:
        owner: Who holds it, for people: the process id.
    """

    def __init__(self, folder: Path) -> None:
        self.owner = str(os.getpid())
        lock = FileLock.take(folder / _NAME)
        if lock is None:
            raise BlockingIOError(f"another process coordinates the run in {folder}")
        self._lock = lock

    def release(self) -> None:
        """Gives the lock back; a second call does nothing."""
        self._lock.release()


def is_held(folder: Path) -> bool:
    """Tells whether a run's coordinator still lives.

    Args:
        folder: The run's folder.

    Returns:
        False where nobody holds the lock, or there is none.
    """
    return holder(folder / _NAME) is not None
