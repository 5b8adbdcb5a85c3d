"""A lock on a file, which the system frees however its holder ends; no step and no fork of it keeps it held."""

from __future__ import annotations

import contextlib
import os
import weakref
from pathlib import Path

__all__ = ["FileLock", "holder"]


class FileLock:
    """A lock that this process holds; `take` gets one.

    Args:
        path: Its file.
        descriptor: The open file, locked.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path, self._descriptor = path, descriptor
        _held.add(self)

    @classmethod
    def take(cls, path: Path, text: str = "") -> FileLock | None:
        """Takes a lock, without waiting for it.

        Args:
            path: Its file; made where it is not there.
            text: What others are to read in it while it is held.

        Returns:
            The lock, or None where another holds it.

        Raises:
            OSError: The file cannot be made.
        """
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                is_ours = _lock(descriptor)
            except OSError:
                os.close(descriptor)
                raise
            # Whoever held it last may have removed the file between the opening and the lock.
            if is_ours and _is_at(path, descriptor):
                break
            os.close(descriptor)
            if not is_ours:
                return None
        lock = cls(path, descriptor)
        if text:
            # It holds without its text, too. Not emptied first: ext4 writes out at once what is filled after that.
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, os.pwrite(descriptor, text.encode(), 0))
        return lock

    def release(self, *, remove: bool = False) -> None:
        """Gives the lock back; a second call does nothing.

        Args:
            remove: Take the file away first.
        """
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            if remove:
                with contextlib.suppress(OSError):
                    os.unlink(self._path)
            os.close(descriptor)


def holder(path: Path) -> str | None:
    """Tells who holds a lock.

    Args:
        path: Its file.

    Returns:
        What the holder wrote into it; None where nobody holds it, or there is none.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return None if _lock(descriptor) else os.pread(descriptor, 1024, 0).decode("utf-8", "replace")
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(descriptor))
    except FileNotFoundError:
        return False


_held: weakref.WeakSet[FileLock] = weakref.WeakSet()


def _after_fork() -> None:
    # Open in a child too, a lock would outlive its holder; closed there, it is still held here.
    for lock in list(_held):
        lock.release()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
