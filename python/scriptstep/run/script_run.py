"""The run of a script or a command that was submitted by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scriptstep.run.run import Run

if TYPE_CHECKING:
    from scriptstep.run.experiment import Experiment

__all__ = ["ScriptRun"]


class ScriptRun(Run):
    """The run of a script or a command that was submitted by itself; it has no parent but that of a child run.

    Args:
        experiment: Its experiment.
        run_id: Its id.
        directory: Not used here.
        _run_config: Not used here.
        **kwargs: As of `Run`.

    Raises:
        NotRegisteredError: There is no such run.
    """

    def __init__(
        self, experiment: Experiment, run_id: str, directory: Any = None, _run_config: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(experiment, run_id, **kwargs)
