"""Which folders of fetched files are being read: nothing is removed from them then."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["alone_in", "hold"]

_LOCK = ".lock"
# Held until this process ends: who knows for how long what was fetched is read.
_held: dict[Path, int] = {}


def hold(folder: Path) -> None:
    """Says that this process reads what is in a folder, until it ends; the folder is made where it is not there."""
    import fcntl

    if folder in _held and (folder / _LOCK).exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = _held[folder] = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_SH)


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[bool]:
    """Keeps others from reading what is in a folder.

    Args:
        folder: The folder.

    Yields:
        Whether nobody reads it; else it must be left alone.
    """
    import fcntl

    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(descriptor)
