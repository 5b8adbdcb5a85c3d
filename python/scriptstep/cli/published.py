"""`scriptstep published`: what was published, and submitting it: by hand, by cron, by CI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from scriptstep.cli.parameters import parameter_value
from scriptstep.console import emit, notice
from scriptstep.console.text import columns, escaped
from scriptstep.errors import NotRegisteredError

if TYPE_CHECKING:
    from scriptstep.published.endpoint import PipelineEndpoint
    from scriptstep.published.pipeline import PublishedPipeline
    from scriptstep.workspace.workspace import Workspace

__all__ = ["list_published", "submit_published"]


def list_published() -> int:
    """Lists published pipelines and endpoints, the newest first.

    Returns:
        The exit code.
    """
    from scriptstep.published.endpoint import PipelineEndpoint
    from scriptstep.published.pipeline import PublishedPipeline

    table: list[tuple[str, ...]] = []
    workspaces = _workspaces()
    for workspace in workspaces:
        for one in PipelineEndpoint.get_all(workspace, active_only=False):
            versions = f"{len(one.pipeline_version_list)} versions, {one.default_version} by default"
            row = (one.id[:8], escaped(one.name), "", f"endpoint, {one.status.lower()}", versions)
            table.append((*row, escaped(workspace.name)))
        for found in PublishedPipeline.list(workspace, active_only=False):
            steps = f"{found.total_run_steps:,}"
            row = (found.id[:8], escaped(found.name), escaped(found.version or ""), found.status.lower(), steps)
            table.append((*row, escaped(workspace.name)))
    if not table:
        notice("nothing is published here", help="pipeline.publish(name=...) publishes a pipeline")
        return 0
    heading = ("id", "name", "version", "", "steps", "workspace")
    # One workspace is what most have, and needs no word.
    shown = len(heading) if len({row[-1] for row in table}) > 1 else len(heading) - 1
    emit("\n".join(columns([row[:shown] for row in (heading, *table)])))
    return 0


def submit_published(name: str, experiment: str | None, given: Sequence[str]) -> int:
    """Submits a published pipeline or an endpoint, and waits for its end.

    Args:
        name: Its name or id, or the first characters of the id; of several of a name the newest.
        experiment: What to file the run under; its name where None.
        given: Parameters, each as NAME=VALUE.

    Returns:
        The exit code.

    Raises:
        NotRegisteredError: Nothing of that name or id is published.
        ArgumentError: A parameter is unknown, or of another type.
        ActivityFailedException: The run failed.
    """
    import re

    from scriptstep.published.endpoint import PipelineEndpoint
    from scriptstep.run.experiment import Experiment

    workspace, found = _found(name)
    pipeline = found.get_pipeline() if isinstance(found, PipelineEndpoint) else found
    declared = pipeline.get_graph().params
    values = dict(parameter_value(workspace, declared, "--param", pair) for pair in given)
    filed = experiment or re.sub(r"[^A-Za-z0-9_-]+", "-", found.name).strip("-_") or "published"
    run = Experiment(workspace, filed).submit(found, pipeline_parameters=values)
    return 0 if run.wait_for_completion(show_output=False) == "Finished" else 1


def _workspaces() -> list[Workspace]:
    """Returns: the workspaces of this place; none is made."""
    from scriptstep.workspace.local_catalog import open_history
    from scriptstep.workspace.place import find_place
    from scriptstep.workspace.workspace import Workspace

    place = find_place()
    known = open_history(place).workspaces() if (place.home / "history.db").exists() else []
    return [Workspace.get(row.name) for row in known]


def _found(name: str) -> tuple[Workspace, PublishedPipeline | PipelineEndpoint]:
    from scriptstep.published.endpoint import PipelineEndpoint
    from scriptstep.published.pipeline import PublishedPipeline

    every: list[tuple[Workspace, PublishedPipeline | PipelineEndpoint]] = []
    for workspace in _workspaces():
        every += [(workspace, one) for one in PipelineEndpoint.get_all(workspace)]
        every += [(workspace, one) for one in PublishedPipeline.list(workspace, active_only=False)]
    named = [found for found in every if found[1].name == name]
    by_id = [found for found in every if len(name) >= 4 and found[1].id.startswith(name)]
    for found in (*named, *by_id):
        return found
    known = ", ".join(dict.fromkeys(f"'{one.name}'" for _, one in every)) or "none"
    raise NotRegisteredError(
        f"nothing is published as '{name}' here; there are: {known}",
        help="pipeline.publish(name=...) publishes a pipeline",
    )
