"""`scriptstep published`: what was published, and submitting it: by hand, by cron, by CI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from scriptstep.console import emit, notice
from scriptstep.console.text import columns, escaped
from scriptstep.errors import ArgumentError, NotRegisteredError

if TYPE_CHECKING:
    from scriptstep.graph import PipelineParameter
    from scriptstep.published.endpoint import PipelineEndpoint
    from scriptstep.published.pipeline import PublishedPipeline
    from scriptstep.workspace.workspace import Workspace

__all__ = ["list_published", "submit_published"]

_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")


def list_published() -> int:
    """Lists published pipelines and endpoints, the newest first.

    Returns:
        The exit code.
    """
    from scriptstep.published.endpoint import PipelineEndpoint
    from scriptstep.published.pipeline import PublishedPipeline

    workspace = _workspace()
    pipelines = PublishedPipeline.list(workspace, active_only=False)
    endpoints = PipelineEndpoint.get_all(workspace, active_only=False)
    if not pipelines and not endpoints:
        notice(f"nothing is published in workspace '{workspace.name}'")
        return 0
    table = [("id", "name", "version", "", "steps")]
    for one in endpoints:
        versions = f"{len(one.list_versions())} versions, {one.default_version} by default"
        table.append((one.id[:8], escaped(one.name), "", f"endpoint, {one.status.lower()}", versions))
    for found in pipelines:
        version = escaped(found.version or "")
        table.append((found.id[:8], escaped(found.name), version, found.status.lower(), f"{found.total_run_steps:,}"))
    emit("\n".join(columns(table)))
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

    workspace = _workspace()
    found = _found(workspace, name)
    pipeline = found.get_pipeline() if isinstance(found, PipelineEndpoint) else found
    declared = pipeline.get_graph().params
    values = dict(_value(workspace, declared, pair) for pair in given)
    filed = experiment or re.sub(r"[^A-Za-z0-9_-]+", "-", found.name).strip("-_") or "published"
    run = Experiment(workspace, filed).submit(found, pipeline_parameters=values)
    return 0 if run.wait_for_completion(show_output=False) == "Finished" else 1


def _workspace() -> Workspace:
    from scriptstep.workspace.workspace import Workspace

    return Workspace.from_config()


def _found(workspace: Workspace, name: str) -> PublishedPipeline | PipelineEndpoint:
    from scriptstep.published.endpoint import PipelineEndpoint
    from scriptstep.published.pipeline import PublishedPipeline

    every: list[PublishedPipeline | PipelineEndpoint] = [
        *PipelineEndpoint.get_all(workspace),
        *PublishedPipeline.list(workspace, active_only=False),
    ]
    named = [one for one in every if one.name == name]
    by_id = [one for one in every if len(name) >= 4 and one.id.startswith(name)]
    for found in (*named, *by_id):
        return found
    known = ", ".join(dict.fromkeys(f"'{one.name}'" for one in every)) or "none"
    raise NotRegisteredError(
        f"nothing is published as '{name}' in workspace '{workspace.name}'; there are: {known}",
        help="pipeline.publish(name=...) publishes a pipeline",
    )


def _value(workspace: Workspace, declared: dict[str, PipelineParameter], pair: str) -> tuple[str, Any]:
    name, equals, text = pair.partition("=")
    if not equals:
        raise ArgumentError(f"--param {pair}: a parameter is given as NAME=VALUE")
    if name not in declared:
        # What there is is told where the run is submitted.
        return name, text
    from scriptstep.graph import DataLocation, DatasetSource

    default = declared[name].spec_value()
    if isinstance(default, DatasetSource):
        from scriptstep.data.dataset_factory import Dataset

        return name, Dataset.get_by_name(workspace, text)
    if isinstance(default, DataLocation):
        from scriptstep.data.paths import DataPath
        from scriptstep.workspace.datastore import Datastore

        store = Datastore.get(workspace, default.datastore or workspace.get_default_datastore().name)
        return name, DataPath(store, text)
    if isinstance(default, bool):
        if text.lower() not in (*_TRUE, *_FALSE):
            raise ArgumentError(f"--param {pair}: '{name}' is true or false")
        return name, text.lower() in _TRUE
    if isinstance(default, (int, float)):
        try:
            return name, type(default)(text)
        except ValueError:
            what = "a whole number" if isinstance(default, int) else "a number"
            raise ArgumentError(f"--param {pair}: '{name}' is {what}") from None
    return name, text
