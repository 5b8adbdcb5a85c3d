"""The end of what a script printed: enough to see why it failed."""

from __future__ import annotations

from pathlib import Path

__all__ = ["log_tail"]

_READ_BYTES = 65_536
_LINES = 12
_TRACEBACK_LINES = 200


def log_tail(log: Path) -> list[str]:
    """Reads the last lines of a log, a whole traceback where it ends with one.

    Args:
        log: The log; it need not be there.

    Returns:
        The lines, without their ends.
    """
    try:
        with log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _READ_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    start = max(0, len(lines) - _LINES)
    traces = [at for at, line in enumerate(lines) if line.startswith("Traceback (most recent call last)")]
    if traces and len(lines) - traces[-1] <= _TRACEBACK_LINES:
        start = min(start, traces[-1])
    return lines[start:]
