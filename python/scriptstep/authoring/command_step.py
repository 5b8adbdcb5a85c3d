"""The step that runs a command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scriptstep.authoring.python_script_step import _PythonScriptStepBase
from scriptstep.authoring.script_run_config import ScriptRunConfig
from scriptstep.authoring.site import Site
from scriptstep.errors import ArgumentTypeError
from scriptstep.graph import PipelineParameter

__all__ = ["CommandStep"]


class CommandStep(_PythonScriptStepBase):
    """A step that runs a command; what it shares with `PythonScriptStep` is as there.

    `python` in it is the step's interpreter. It runs in a copy of the source directory.

    Args:
        command: A line of shell; or a list of words: text, numbers, `PipelineParameter`, and what stands in `inputs`
            and `outputs`. Each word is one, blanks and quotes in it too; words that are an operator of the shell
            (`&&`, `|`, `>` ...) are that, `$NAME` in one is the variable, and text with blanks where a command is
            expected is a line of shell. The run configuration's where not given.
        name: Name of the step; the first word of the command where not given.
        compute_target: Where it runs.
        runconfig: What else it needs: `RunConfiguration`; or a `ScriptRunConfig`, whose command (or script), source
            directory and run configuration count where nothing else is given.
        runconfig_pipeline_params: {property: `PipelineParameter`}, given anew when the pipeline is submitted.
        inputs: What it reads.
        outputs: What it writes.
        params: {name: value}, as environment variables `AML_PARAMETER_<name>`.
        source_directory: Folder of what it needs; the working directory where not given.
        allow_reuse: Whether an earlier result may stand for it, where nothing changed.
        version: Any text; another one runs the step again.

    Raises:
        ArgumentError: Something cannot be; the message says what, in which line, and what to do.
    """

    def __init__(
        self,
        command: str | Sequence[Any] | None = None,
        name: str | None = None,
        compute_target: Any = None,
        runconfig: Any = None,
        runconfig_pipeline_params: Mapping[str, PipelineParameter] | None = None,
        inputs: Sequence[Any] | None = None,
        outputs: Sequence[Any] | None = None,
        params: Mapping[str, Any] | None = None,
        source_directory: Any = None,
        allow_reuse: bool = True,
        version: str | None = None,
    ) -> None:
        if isinstance(runconfig, ScriptRunConfig):
            command = command if command is not None else runconfig._as_command()
            source_directory = source_directory if source_directory is not None else runconfig.source_directory
            inputs = [*(inputs or ()), *(item for item in runconfig._references() if item not in (inputs or ()))]
            runconfig = runconfig.run_config
        command = command if command is not None else getattr(runconfig, "command", None)
        if command is None:
            raise Site(str(name or "command")).error(
                "command is missing", "command='python train.py', or a list of words", ArgumentTypeError
            )
        super().__init__(
            name=name,
            compute_target=compute_target,
            runconfig=runconfig,
            runconfig_pipeline_params=runconfig_pipeline_params,
            inputs=inputs,
            outputs=outputs,
            params=params,
            source_directory=source_directory,
            allow_reuse=allow_reuse,
            version=version,
            command=command,
        )
