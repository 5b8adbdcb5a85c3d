"""Steps that run one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scriptstep.authoring.steps import PipelineStep
from scriptstep.errors import ArgumentTypeError

__all__ = ["StepSequence"]


class StepSequence:
    """Steps of which each waits for the one before it.

    Args:
        steps: Steps, lists of steps that run side by side, or sequences.

    Raises:
        ArgumentTypeError: It is something else.
    """

    def __init__(self, steps: Any = None) -> None:
        if isinstance(steps, PipelineStep):
            steps = [steps]
        if isinstance(steps, (str, dict, set)) or not (steps is None or hasattr(steps, "__iter__")):
            raise ArgumentTypeError(f"StepSequence: steps must be a list of steps, not {steps!r}")
        self._steps = list(steps or ())

    def __iter__(self) -> Iterator[Any]:
        return iter(self._steps)

    def __len__(self) -> int:
        return len(self._steps)
