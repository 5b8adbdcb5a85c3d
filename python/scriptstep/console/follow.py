"""Reading a log while it grows."""

from __future__ import annotations

import os

__all__ = ["Follower"]

_MOST = 1 << 20


class Follower:
    """Gives the lines that a file gains.

    Args:
        path: The file; it may come later.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._offset = 0
        self._rest = b""
        self.last = ""

    def lines(self, *, whole: bool = False) -> list[str]:
        """Reads what is new.

        Args:
            whole: Give a last line that has no end yet, too.

        Returns:
            The lines, without their ends; the last of them also stands in `last`.
        """
        read = b""
        try:
            with open(self._path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size - self._offset > _MOST:
                    # What came in a flood is not shown line by line: the log has it.
                    self._offset, self._rest = size - _MOST, b""
                file.seek(self._offset)
                read = file.read(_MOST)
        except OSError:
            pass
        self._offset += len(read)
        *full, self._rest = (self._rest + read).split(b"\n")
        if whole and self._rest:
            full.append(self._rest)
            self._rest = b""
        found = [line.decode("utf-8", "replace").rstrip("\r") for line in full]
        shown = found or ([self._rest.decode("utf-8", "replace")] if self._rest else [])
        self.last = next((line for line in reversed(shown) if line.strip()), self.last)
        return found
