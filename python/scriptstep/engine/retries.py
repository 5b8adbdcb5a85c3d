"""Steps that failed and are tried again: which, how often, and after what time; meanwhile they take nobody's place."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from scriptstep.engine.attempt import State, Status

if TYPE_CHECKING:
    from scriptstep.engine.step_plan import StepPlan

__all__ = ["Retries"]

FIRST_S = 1.0
LONGEST_S = 60.0


class Retries:
    """The steps of a run that are to be tried again.

    Args:
        most: How often, where a step's run configuration says nothing.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: list[tuple[float, StepPlan]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def most(self, plan: StepPlan) -> int:
        """Returns: how often a step may be tried again."""
        own = plan.spec.run.retries
        return self._most if own is None else own

    def is_due(self, plan: StepPlan, status: Status) -> bool:
        """Tells whether an attempt that ended so is followed by another.

        Args:
            plan: The step.
            status: How its attempt ended.

        Returns:
            True where its script failed, took too long or was lost, and another try is left; a script that could not
            be started, and one that was cancelled, is not tried again.
        """
        began = status.exit_code is not None or status.signal is not None
        ended = status.state in (State.TIMEOUT, State.LOST) or (status.state is State.FAILED and began)
        return ended and plan.attempt <= self.most(plan)

    def put_off(self, plan: StepPlan, status: Status) -> float:
        """Lets a step wait for its next attempt, each time twice as long.

        Args:
            plan: The step; its next attempt has the next number.
            status: How its attempt ended.

        Returns:
            How long, seconds.
        """
        delay = min(LONGEST_S, FIRST_S * 2.0 ** min(plan.attempt - 1, 30))
        plan.attempt, plan.failed = plan.attempt + 1, status
        self._waiting.append((time.monotonic() + delay, plan))
        return delay

    def due(self) -> list[StepPlan]:
        """Returns: the steps whose time has come."""
        now = time.monotonic()
        found = [plan for at, plan in self._waiting if at <= now]
        self._waiting = [one for one in self._waiting if one[0] > now]
        return found

    def drop(self) -> list[StepPlan]:
        """Returns: the steps that wait; they are not tried again."""
        dropped, self._waiting = self._waiting, []
        return [plan for _, plan in dropped]
