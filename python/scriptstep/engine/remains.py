"""What runs leave whose coordinator was killed: working copies that nobody will use."""

from __future__ import annotations

import shutil
from pathlib import Path

from scriptstep.engine.run_lock import is_held
from scriptstep.history import History

__all__ = ["remove_working_copies"]


def remove_working_copies(history: History, home: Path) -> None:
    """Removes the working copies of runs that nobody carries out any more; what they logged stays.

    Args:
        history: The history.
        home: The state folder.
    """
    for run in history.never_ended():
        folder = home / run.directory
        if run.directory and not is_held(folder):
            for copy in (folder / "code", *folder.glob("*/code"), *folder.glob("*/.scriptstep-*")):
                shutil.rmtree(copy, ignore_errors=True)
