"""A run as the process that coordinates it knows it: to be waited for, and cancelled."""

from __future__ import annotations

import threading

__all__ = ["ActiveRun", "active", "remember"]


class ActiveRun:
    """A run that this process coordinates.

    Attributes:
        run_id: Its id.
        error: What ended the coordination itself, or None.
    """

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.error: BaseException | None = None
        self._ended = threading.Event()
        self._cancel = threading.Event()
        self._waited_for = False

    @property
    def done(self) -> bool:
        """Returns: whether it ended."""
        return self._ended.is_set()

    @property
    def waited_for(self) -> bool:
        """Returns: whether anybody waited for it."""
        return self._waited_for

    def wait(self, timeout: float | None = None) -> bool:
        """Waits for the end.

        Args:
            timeout: Seconds; None for as long as it takes.

        Returns:
            Whether it ended.
        """
        self._waited_for = True
        return self._ended.wait(timeout)

    def cancel(self) -> None:
        """Asks for the end of the run and of every process of its steps."""
        self._cancel.set()


_ACTIVE: dict[str, ActiveRun] = {}


def remember(run: ActiveRun) -> None:
    """Has a run found by `active`."""
    _ACTIVE[run.run_id] = run


def active(run_id: str) -> ActiveRun | None:
    """Returns: a run that this process coordinates or coordinated, by id."""
    return _ACTIVE.get(run_id)
