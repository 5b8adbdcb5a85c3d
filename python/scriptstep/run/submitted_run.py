"""The run that a step's script is: its datasets, and what a script cannot do to itself."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NoReturn

from scriptstep.console import notice
from scriptstep.errors import NotRegisteredError
from scriptstep.run.run import Run

if TYPE_CHECKING:
    from scriptstep.workspace.workspace import Workspace

__all__ = ["InputDatasets", "OutputDatasets", "_SubmittedRun", "current_run"]

_current: dict[str, _SubmittedRun] = {}


class InputDatasets(dict[str, Any]):
    """The step's dataset inputs by name: the path of one that is mounted or downloaded, else the dataset itself.

    Args:
        workspace: Where datasets are found.
    """

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        for entry in filter(None, os.environ.get("AZUREML_DATASET_ENVIRONMENT_VARS", "").split(",")):
            name, _, mode = entry.rpartition(":")
            value = os.environ.get(name)
            self[name] = _dataset(workspace, value) if mode == "direct" and value is not None else value

    def __missing__(self, name: str) -> NoReturn:
        raise NotRegisteredError(
            f"the step has no input dataset '{name}'; {_those(self)}", help="name it: dataset.as_named_input('name')"
        )


class OutputDatasets(dict[str, str]):
    """The step's dataset outputs by name: the folder to write each into.

    Args:
        workspace: Not used here.
    """

    def __init__(self, workspace: Workspace | None = None) -> None:
        names = filter(None, os.environ.get("AZUREML_DATASET_FILE_OUTPUTS", "").split(";"))
        super().__init__({name: os.environ[name] for name in names if name in os.environ})

    def __missing__(self, name: str) -> NoReturn:
        raise NotRegisteredError(f"the step has no output dataset '{name}'; {_those(self)}")


def _dataset(workspace: Workspace, id: str) -> Any:
    from scriptstep.data.dataset_factory import Dataset

    return Dataset.get_by_id(workspace, id)


def _those(names: Iterable[str]) -> str:
    return "it has " + (", ".join(f"'{name}'" for name in names) or "none")


class _SubmittedRun(Run):
    """The run of the step that this process is part of."""

    def __init__(self, experiment: Any, run_id: str, outputs: Any = None, **kwargs: Any) -> None:
        super().__init__(experiment, run_id, outputs, **kwargs)
        self._inputs: InputDatasets | None = None
        self._outputs: OutputDatasets | None = None

    @property
    def input_datasets(self) -> InputDatasets:
        """Returns: the step's dataset inputs, by name."""
        if self._inputs is None:
            self._inputs = InputDatasets(self._workspace)
        return self._inputs

    @property
    def output_datasets(self) -> OutputDatasets:
        """Returns: the folders of the step's dataset outputs, by name."""
        if self._outputs is None:
            self._outputs = OutputDatasets(self._workspace)
        return self._outputs

    def complete(self, _set_status: bool = True) -> None:
        """Changes nothing: the run comes to its end with its script."""

    def fail(self, error_details: Any = None, error_code: Any = None, _set_status: bool = True) -> None:
        """Changes nothing, and says so: the run fails where its script exits with another code than 0."""
        notice(
            "run.fail() does not fail the step that calls it",
            help="end the script with an exception, or with sys.exit(1)",
            level="warning",
        )

    def cancel(self) -> None:
        """Changes nothing, and says so: a script cancels the pipeline that it is part of."""
        notice(
            "run.cancel() does not cancel the step that calls it",
            help="run.parent.cancel() cancels the pipeline run; sys.exit() ends the script",
            level="warning",
        )


def current_run() -> _SubmittedRun | None:
    """Gives the run that this process is part of.

    Returns:
        The run, the same object every time; None outside of any.
    """
    from scriptstep.runtime.context import current

    context = current()
    if context is None:
        return None
    if context.run_id not in _current:
        from scriptstep.run.experiment import Experiment
        from scriptstep.workspace.workspace import Workspace

        workspace = Workspace._current()
        experiment = Experiment(workspace, context.experiment, _skip_name_validation=True)
        _current[context.run_id] = _SubmittedRun(experiment, context.run_id)
    return _current[context.run_id]
