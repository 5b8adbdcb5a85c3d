"""A script or a command that is run by itself, outside of any pipeline."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from scriptstep.authoring.runconfig import RunConfiguration
from scriptstep.data.references import DataReference
from scriptstep.errors import ArgumentTypeError

if TYPE_CHECKING:
    from scriptstep.authoring.python_script_step import _PythonScriptStepBase

__all__ = ["ScriptRunConfig"]

_MONTH_S = 2592000


class ScriptRunConfig:
    """A script or a command, and how it runs; `Experiment.submit` runs it.

    What it reads and writes stands in `arguments`, or in a list `command`: datasets by
    `dataset.as_named_input(name)`, data references, outputs as `OutputFileDatasetConfig`. It always runs: nothing is
    reused.

    Args:
        source_directory: Folder of the script and of what it needs; the working directory where None.
        script: Path of the script, relative to `source_directory`; the run configuration's where not given.
        arguments: Of the script, as of `PythonScriptStep`.
        run_config: What else it needs; it is copied, and what follows is set in the copy.
        _telemetry_values: Not used here.
        compute_target: Where it runs: a compute target, or the name of one.
        environment: The environment.
        distributed_job_config: How many processes it runs in: `MpiConfiguration`, `PyTorchConfiguration` or
            `TensorflowConfiguration`.
        resume_from: Not there.
        max_run_duration_seconds: Longest time that it may take, seconds; None for any.
        command: What runs in place of a script, as of `CommandStep`.
        docker_runtime_config: Accepted: runs are without containers.

    Attributes:
        source_directory: As given.
        script: As given.
        arguments: A list of its own.
        command: As given.
        run_config: The run configuration; what is set in it before the submit counts.

    Raises:
        ArgumentTypeError: `run_config` or another part is of another type.
        NotImplementedError: `resume_from` is asked for.
    """

    def __init__(
        self,
        source_directory: Any,
        script: str | None = None,
        arguments: Sequence[Any] | None = None,
        run_config: RunConfiguration | None = None,
        _telemetry_values: Any = None,
        compute_target: Any = None,
        environment: Any = None,
        distributed_job_config: Any = None,
        resume_from: Any = None,
        max_run_duration_seconds: float | None = _MONTH_S,
        command: str | Sequence[Any] | None = None,
        docker_runtime_config: Any = None,
    ) -> None:
        if resume_from is not None:
            raise NotImplementedError(
                "ScriptRunConfig(resume_from=...) is not here: give what the earlier run wrote as an input"
            )
        if run_config is not None and not isinstance(run_config, RunConfiguration):
            raise ArgumentTypeError(f"ScriptRunConfig: run_config must be a RunConfiguration, not {run_config!r}")
        if script is not None and command is not None:
            raise ArgumentTypeError("ScriptRunConfig: script and command are given, and one of them runs")
        given = RunConfiguration() if run_config is None else copy.deepcopy(run_config)
        self.run_config = given
        self.source_directory = source_directory
        self.script, self.command = script, command
        if script is None and command is None:
            self.script, self.command = given.script, given.command
        if arguments is None and self.script is not None:
            arguments = given.arguments
        # A text is refused at the submit, as a step refuses it.
        self.arguments = list(arguments) if isinstance(arguments, (list, tuple)) else arguments
        if compute_target is not None:
            given.target = compute_target
        if environment is not None:
            given.environment = environment
        if distributed_job_config is not None:
            given._distribute(distributed_job_config)
        if docker_runtime_config is not None:
            given.docker = docker_runtime_config
        if given.max_run_duration_seconds is None or max_run_duration_seconds != _MONTH_S:
            given.max_run_duration_seconds = max_run_duration_seconds

    @property
    def identity(self) -> str:
        """Returns: what names it in messages."""
        return f"ScriptRunConfig#{self.script or self.command}"

    def _references(self) -> list[DataReference]:
        """Returns: the data references among its words: an input each."""
        given = self.command if isinstance(self.command, (list, tuple)) else self.arguments
        return list({id(item): item for item in given or () if isinstance(item, DataReference)}.values())

    def _as_command(self) -> str | Sequence[Any] | None:
        """Returns: its command; of a script the one that runs it; None where there is neither."""
        if self.script is None:
            return self.command
        return ["python", self.script, *(self.arguments or ())]

    def _step(self) -> _PythonScriptStepBase:
        """Makes the step that is run.

        Raises:
            ArgumentError: Something cannot be, as of `PythonScriptStep` and `CommandStep`.
        """
        common: dict[str, Any] = {
            "source_directory": self.source_directory,
            "runconfig": self.run_config,
            "inputs": self._references(),
        }
        if self.script is None and self.command is not None:
            from scriptstep.authoring.command_step import CommandStep

            if self.arguments is not None:
                raise ArgumentTypeError(
                    "ScriptRunConfig: arguments are those of a script, and a command is given",
                    help="put them into the command",
                )
            return CommandStep(self.command, **common)
        if self.script is None:
            raise ArgumentTypeError(
                "ScriptRunConfig: there is neither a script nor a command", help="script='train.py'"
            )
        from scriptstep.authoring.python_script_step import PythonScriptStep

        return PythonScriptStep(self.script, arguments=self.arguments, **common)
