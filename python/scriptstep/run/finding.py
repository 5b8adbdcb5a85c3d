"""Finding runs: by id, by what they are, and the right class for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scriptstep.errors import NotRegisteredError
from scriptstep.history import RunRow

if TYPE_CHECKING:
    from scriptstep.run.run import Run
    from scriptstep.workspace.catalog import Catalog
    from scriptstep.workspace.workspace import Workspace

__all__ = ["TYPES", "is_wanted", "known_id", "rehydrated"]

# What kinds of runs are called in the SDK.
TYPES = {"pipeline": "azureml.PipelineRun", "step": "azureml.StepRun", "script": "azureml.scriptrun"}


def rehydrated(workspace: Workspace, row: RunRow | None) -> Run:
    """Makes the object of a recorded run.

    Args:
        workspace: Its workspace.
        row: Its record.

    Returns:
        A PipelineRun, a StepRun, a ScriptRun or a Run.

    Raises:
        NotRegisteredError: There is no record.
    """
    from scriptstep.run.experiment import Experiment

    if row is None:
        raise NotRegisteredError("the run is not in the history any more")
    experiment = Experiment(workspace, row.experiment, _skip_name_validation=True)
    if row.kind == "pipeline":
        from scriptstep.run.pipeline_run import PipelineRun

        return PipelineRun(experiment, row.id, _row=row)
    if row.kind == "step":
        from scriptstep.run.step_run import StepRun

        return StepRun(experiment, row.id, row.parent or "", row.node_id or "", _row=row)
    if row.kind == "script":
        from scriptstep.run.script_run import ScriptRun

        return ScriptRun(experiment, row.id, _row=row)
    from scriptstep.run.run import Run

    return Run(experiment, row.id, _row=row)


def known_id(catalog: Catalog, run_id: str) -> str:
    """Finds a run.

    Args:
        catalog: What the workspace knows.
        run_id: Its id, or its first characters where no other begins so.

    Returns:
        Its id.

    Raises:
        NotRegisteredError: There is none, or more than one.
    """
    if catalog.run(run_id) is not None:
        return run_id
    found = catalog.find_run(str(run_id)) if run_id else []
    if len(found) == 1:
        return found[0].id
    if found:
        shown = ", ".join(f"{r.id[:8]} ({r.name})" for r in found[:5])
        raise NotRegisteredError(
            f"the ids of {len(found)} runs begin with '{run_id}': {shown}", help="give more of the id"
        )
    raise NotRegisteredError(f"there is no run '{run_id}'", help="`scriptstep runs` lists the runs that there are")


def is_wanted(catalog: Catalog, row: RunRow, type: str | None, tags: Any, properties: Any) -> bool:
    """Returns: whether a run is of a type, and has tags and properties: one by name, or several with their values."""
    if type is not None and TYPES.get(row.kind) != type:
        return False
    return _holds(tags, catalog.tags, row.id) and _holds(properties, catalog.properties, row.id)


def _holds(wanted: Any, read: Any, run: str) -> bool:
    if not wanted:
        return True
    there = read(run)
    if isinstance(wanted, str):
        return wanted in there
    return all(there.get(str(name)) == str(value) for name, value in dict(wanted).items())
