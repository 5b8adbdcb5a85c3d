"""The lock that says that a run's coordinator lives; the system frees it however the process ends."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["RunLock", "is_held"]

_NAME = "lock"


class RunLock:
    """Held from the start of a run to its end.

    Args:
        folder: The run's folder.

    Attributes:
        owner: Who holds it, for people: the process id.
    """

    def __init__(self, folder: Path) -> None:
        import fcntl

        self.owner = str(os.getpid())
        self._descriptor = os.open(folder / _NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def release(self) -> None:
        """Gives the lock back; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def is_held(folder: Path) -> bool:
    """Tells whether a run's coordinator still lives.

    Args:
        folder: The run's folder.

    Returns:
        False where nobody holds the lock, or there is none.
    """
    import fcntl

    try:
        descriptor = os.open(folder / _NAME, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
