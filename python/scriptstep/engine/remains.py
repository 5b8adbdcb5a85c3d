"""What runs leave whose coordinator was killed: working copies, and state of runs on the side, that nobody will use."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from scriptstep.engine.file_lock import FileLock
from scriptstep.engine.run_lock import is_held
from scriptstep.history import History

__all__ = ["ASIDE", "LOCK", "remove_remains"]

# Where runs on the side have their state, each a folder with a lock.
ASIDE, LOCK = "aside", "lock"
# A younger folder may not have been locked yet.
_YOUNG_S = 60.0


def remove_remains(history: History, home: Path) -> None:
    """Removes working copies of runs, and state of runs on the side, that nobody carries out any more; logs stay.

    Args:
        history: The history.
        home: The state folder.
    """
    for run in history.never_ended():
        folder = home / run.directory
        if run.directory and not is_held(folder):
            for copy in (folder / "code", *folder.glob("*/code"), *folder.glob("*/.scriptstep-*")):
                shutil.rmtree(copy, ignore_errors=True)
    for folder in (home / ASIDE).glob("*"):
        if time.time() - folder.stat().st_mtime > _YOUNG_S and (lock := FileLock.take(folder / LOCK)) is not None:
            shutil.rmtree(folder, ignore_errors=True)
            lock.release()
