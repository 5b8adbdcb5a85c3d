"""The step that this process is part of, from its environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from scriptstep.errors import RunEnvironmentException
from scriptstep.records import dataclass, field
from scriptstep.workspace.place import Place

if TYPE_CHECKING:
    from scriptstep.runtime.catalog import StepCatalog

__all__ = ["StepContext", "current", "step_catalog"]


@dataclass(frozen=True)
class StepContext:
    """What a script's process knows of the step that it is part of.

    Attributes:
        run_id: Id of the step run.
        parent_id: Id of the pipeline run; empty where there is no run above.
        attempt: Id of the attempt.
        experiment: Name of the experiment.
        workspace: Name of the workspace.
        home: The state folder.
        run_dir: The step's own folder in it.
        events: The file that it appends its events to.
        settings_file: The settings that the run was submitted under, or None.
        inputs: Of each dataset input, by name: its mode, and the path where it lies or, for mode "direct", the
            dataset's id; None where the script took the variable away.
        outputs: Of each dataset output, by name: the folder to write it into.
    """

    run_id: str
    parent_id: str
    attempt: str
    experiment: str
    workspace: str
    home: Path
    run_dir: Path
    events: Path
    settings_file: Path | None = None
    inputs: Mapping[str, tuple[str, str | None]] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def place(self) -> Place:
        """Returns: where the workspace's state lies."""
        return Place(self.home, self.settings_file)

    @property
    def catalog(self) -> StepCatalog:
        """Returns: what the workspace knows, as a step reads and writes it."""
        return step_catalog(self.place, self.workspace)


_catalogs: dict[tuple[str, str], StepCatalog] = {}


def current() -> StepContext | None:
    """Tells which step this process is part of.

    Returns:
        The step; None outside of any.
    """
    env = os.environ
    settings = env.get("SCRIPTSTEP_SETTINGS")
    try:
        return StepContext(
            run_id=env["AZUREML_RUN_ID"],
            parent_id=env["SCRIPTSTEP_PARENT"],
            attempt=env["SCRIPTSTEP_ATTEMPT"],
            experiment=env["AZUREML_ARM_PROJECT_NAME"],
            workspace=env["AZUREML_ARM_WORKSPACE_NAME"],
            home=Path(env["SCRIPTSTEP_HOME"]),
            run_dir=Path(env["SCRIPTSTEP_RUN_DIR"]),
            events=Path(env["SCRIPTSTEP_EVENTS"]),
            settings_file=Path(settings) if settings else None,
            inputs=_inputs(env),
            outputs=_outputs(env),
        )
    except KeyError:
        return None


def _inputs(env: Mapping[str, str]) -> dict[str, tuple[str, str | None]]:
    declared = [entry.rpartition(":") for entry in env.get("AZUREML_DATASET_ENVIRONMENT_VARS", "").split(",") if entry]
    return {name: (mode, env.get(name)) for name, _, mode in declared}


def _outputs(env: Mapping[str, str]) -> dict[str, str]:
    names = [name for name in env.get("AZUREML_DATASET_FILE_OUTPUTS", "").split(";") if name]
    return {name: env[name] for name in names if name in env}


def step_catalog(place: Place, workspace: str) -> StepCatalog:
    """Opens what a workspace knows, inside a step; `open_catalog` finds this by the step's environment.

    Args:
        place: Where its state lies.
        workspace: Its name.

    Returns:
        The catalog: one object a process for each workspace.

    Raises:
        RunEnvironmentException: This process is part of no step.
    """
    from scriptstep.runtime.catalog import StepCatalog

    context = current()
    if context is None:
        raise RunEnvironmentException(
            "this process was started by a step, but its AZUREML_* and SCRIPTSTEP_* variables are not all there",
            help="start it with all the variables of the step's own process",
        )
    key = (context.attempt, workspace)
    if key not in _catalogs:
        _catalogs[key] = StepCatalog(context, place, workspace)
    return _catalogs[key]
