"""The run that a step's script is: its datasets, and what a script cannot do to itself."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

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
        declared: What the step was given, as `name:mode,...`.
    """

    def __init__(self, workspace: Workspace, declared: str) -> None:
        super().__init__()
        for entry in filter(None, declared.split(",")):
            name, _, mode = entry.rpartition(":")
            value = os.environ.get(name)
            if mode == "direct" and value is not None:
                self._late(workspace, name, value)
            else:
                self[name] = value

    def _late(self, workspace: Workspace, name: str, id: str) -> None:
        self[name] = _Late(workspace, id)

    def __getitem__(self, name: str) -> Any:
        try:
            found = super().__getitem__(name)
        except KeyError:
            known = ", ".join(f"'{n}'" for n in self) or "none"
            raise NotRegisteredError(
                f"the step has no input dataset '{name}'; it has {known}",
                help="name it: dataset.as_named_input('name')",
            ) from None
        if isinstance(found, _Late):
            found = self[name] = found.dataset()
        return found

    def get(self, name: str, default: Any = None) -> Any:
        """Returns: the input of that name, or the default."""
        return default if name not in self else self[name]  # noqa: SIM401 - this is what get does

    def values(self) -> Any:
        """Returns: the inputs."""
        return [self[name] for name in self]

    def items(self) -> Any:
        """Returns: names and inputs."""
        return [(name, self[name]) for name in self]


class _Late:
    def __init__(self, workspace: Workspace, id: str) -> None:
        self._workspace, self._id = workspace, id

    def dataset(self) -> Any:
        from scriptstep.data.dataset_factory import Dataset

        return Dataset.get_by_id(self._workspace, self._id)


class OutputDatasets(Mapping[str, str]):
    """The step's dataset outputs by name: the folder to write each into.

    Args:
        declared: What the step was given, as `name;...`.
    """

    def __init__(self, declared: str) -> None:
        self._paths = {name: os.environ[name] for name in filter(None, declared.split(";")) if name in os.environ}

    def __getitem__(self, name: str) -> str:
        if name not in self._paths:
            known = ", ".join(f"'{n}'" for n in self._paths) or "none"
            raise NotRegisteredError(f"the step has no output dataset '{name}'; it has {known}")
        return self._paths[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


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
            self._inputs = InputDatasets(self._workspace, os.environ.get("AZUREML_DATASET_ENVIRONMENT_VARS", ""))
        return self._inputs

    @property
    def output_datasets(self) -> OutputDatasets:
        """Returns: the folders of the step's dataset outputs, by name."""
        if self._outputs is None:
            self._outputs = OutputDatasets(os.environ.get("AZUREML_DATASET_FILE_OUTPUTS", ""))
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
