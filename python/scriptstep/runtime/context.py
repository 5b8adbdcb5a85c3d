"""The step that this process is part of, from its environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scriptstep.workspace.settings import Place

if TYPE_CHECKING:
    from scriptstep.runtime.catalog import StepCatalog

__all__ = ["StepContext", "current", "step_catalog"]


@dataclass(frozen=True)
class StepContext:
    """What a script's process knows of the step that it is part of.

    Attributes:
        run_id: Id of the step run.
        parent_id: Id of the pipeline run.
        attempt: Id of the attempt.
        experiment: Name of the experiment.
        workspace: Name of the workspace.
        home: The state folder.
        run_dir: The step's own folder in it.
        events: The file that it appends its events to.
    """

    run_id: str
    parent_id: str
    attempt: str
    experiment: str
    workspace: str
    home: Path
    run_dir: Path
    events: Path

    @property
    def catalog(self) -> StepCatalog:
        """Returns: what the workspace knows, as a step reads and writes it."""
        return step_catalog(Place(self.home), self.workspace)


_catalogs: dict[tuple[str, str], StepCatalog] = {}


def current() -> StepContext | None:
    """Tells which step this process is part of.

    Returns:
        The step; None outside of any.
    """
    env = os.environ
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
        )
    except KeyError:
        return None


def step_catalog(place: Place, workspace: str) -> StepCatalog:
    """Opens what a workspace knows, inside a step; `open_catalog` finds this by the step's environment.

    Args:
        place: Where its state lies.
        workspace: Its name.

    Returns:
        The catalog: one object a process for each workspace.
    """
    from scriptstep.runtime.catalog import StepCatalog

    context = current()
    assert context is not None, "asked for outside a step"
    key = (context.attempt, workspace)
    if key not in _catalogs:
        _catalogs[key] = StepCatalog(context, place, workspace)
    return _catalogs[key]
