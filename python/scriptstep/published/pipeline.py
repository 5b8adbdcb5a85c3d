"""A published pipeline: it is submitted as it was, whatever became of its sources."""

from __future__ import annotations

import builtins
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from scriptstep.authoring.pipeline_export import export_pipeline
from scriptstep.errors import ArgumentError, ArgumentTypeError, NotRegisteredError, UserErrorException
from scriptstep.history import PipelineRow
from scriptstep.published.frozen import FrozenPipeline, catalog_of, contents_of_run, freeze
from scriptstep.run.pipeline_run import PipelineRun
from scriptstep.workspace.workspace import Workspace

if TYPE_CHECKING:
    from scriptstep.graph import Graph
    from scriptstep.run.submission import Submittable

__all__ = ["ACTIVE", "DISABLED", "PublishedPipeline", "check_texts", "keep_published", "published_of"]

ACTIVE, DISABLED = "Active", "Disabled"
_KIND = "published"


class PublishedPipeline:
    """A pipeline that was published; `Pipeline.publish` and `PipelineRun.publish_pipeline` make it.

    Args:
        name: Its name.
        graph_id: Id of its graph.
        description: In the user's words.
        version: As it was given.
        published_pipeline_id: Its id.
        status: "Active" or "Disabled".
        endpoint: What names it.
        total_run_steps: How many steps it has.
        workspace: Its workspace.
        continue_on_step_failure: Whether steps that do not need a failed one go on.
        _pipeline_provider: As in the SDK, not used.
        **kwargs: Not used here.
    """

    def __init__(
        self,
        name: str,
        graph_id: str,
        description: str | None,
        version: str | None,
        published_pipeline_id: str,
        status: str,
        endpoint: str,
        total_run_steps: int,
        workspace: Workspace,
        continue_on_step_failure: bool | None = None,
        _pipeline_provider: Any = None,
        **kwargs: Any,
    ) -> None:
        self._name, self._description, self._version = name, description, version
        self._id, self._graph_id, self._endpoint = published_pipeline_id, graph_id, endpoint
        self._status, self._steps, self._workspace = status, total_run_steps, workspace
        self._continue_on_step_failure = bool(continue_on_step_failure)

    # --- what it is

    @property
    def id(self) -> str:
        """Returns: its id."""
        return self._id

    @property
    def name(self) -> str:
        """Returns: its name."""
        return self._name

    @property
    def description(self) -> str | None:
        """Returns: its description."""
        return self._description

    @property
    def version(self) -> str | None:
        """Returns: its version, as it was given."""
        return self._version

    @property
    def status(self) -> str:
        """Returns: "Active" or "Disabled"."""
        return self._status

    @property
    def endpoint(self) -> str:
        """Returns: what names it, in the form of a URL; there is no server behind it: `submit` it instead."""
        return self._endpoint

    @property
    def graph_id(self) -> str:
        """Returns: the id of its graph."""
        return self._graph_id

    @property
    def total_run_steps(self) -> int:
        """Returns: how many steps it has."""
        return self._steps

    @property
    def continue_on_step_failure(self) -> bool:
        """Returns: whether steps that do not need a failed one go on."""
        return self._continue_on_step_failure

    @property
    def portal_url(self) -> str:
        """Returns: where to look at it."""
        return self.get_portal_url()

    def get_portal_url(self) -> str:
        """Returns: the URL of the folder that holds the runs."""
        return f"{self._workspace._place.home.as_uri()}/runs"

    def get_graph(self, _workflow_provider: Any = None) -> Graph:
        """Returns: its graph."""
        return self._frozen().graph

    def get_step_names(self, _workflow_provider: Any = None) -> builtins.list[str]:
        """Returns: the names of its steps."""
        return [node.name for node in self._frozen().graph.module_nodes]

    # --- finding it

    @staticmethod
    def get(
        workspace: Workspace, id: str, _workflow_provider: Any = None, _service_endpoint: Any = None
    ) -> PublishedPipeline:
        """Finds a published pipeline.

        Args:
            workspace: Where to look.
            id: Its id.
            _workflow_provider: As in the SDK, not used.
            _service_endpoint: As in the SDK, not used.

        Returns:
            It, disabled or not.

        Raises:
            NotRegisteredError: There is none; the message names those that there are. It is a KeyError.
        """
        row = catalog_of(workspace).history.pipeline(workspace.name, _KIND, str(id))
        if row is None:
            known = ", ".join(f"{p.id} ('{p.name}')" for p in PublishedPipeline.list(workspace)) or "none"
            raise NotRegisteredError(f"no pipeline is published under the id '{id}'; there are: {known}")
        return _from_row(workspace, row)

    @staticmethod
    def list(
        workspace: Workspace, active_only: bool = True, _service_endpoint: Any = None
    ) -> builtins.list[PublishedPipeline]:
        """Lists published pipelines.

        Args:
            workspace: Where to look.
            active_only: Leave out those that are disabled.
            _service_endpoint: As in the SDK, not used.

        Returns:
            They, the newest first.
        """
        rows = catalog_of(workspace).history.pipelines(workspace.name, _KIND)
        return [_from_row(workspace, row) for row in rows if row.status == ACTIVE or not active_only]

    @staticmethod
    def get_all(
        workspace: Workspace, active_only: bool = True, _service_endpoint: Any = None
    ) -> builtins.list[PublishedPipeline]:
        """Lists published pipelines; the older name of `list`."""
        return PublishedPipeline.list(workspace, active_only)

    # --- using it

    def submit(
        self,
        workspace: Workspace,
        experiment_name: str,
        pipeline_parameters: Mapping[str, Any] | None = None,
        _workflow_provider: Any = None,
        _service_endpoint: Any = None,
        parent_run_id: str | None = None,
        continue_on_step_failure: bool | None = None,
    ) -> PipelineRun:
        """Starts it, as it was when it was published; returns at once.

        Args:
            workspace: Its workspace.
            experiment_name: What to file the run under.
            pipeline_parameters: Values in place of the defaults, by name of the parameter.
            _workflow_provider: As in the SDK, not used.
            _service_endpoint: As in the SDK, not used.
            parent_run_id: Not used here.
            continue_on_step_failure: Whether steps that do not need a failed one go on; as published where None.

        Returns:
            The run.

        Raises:
            UserErrorException: It is disabled, or of another workspace.
            ArgumentError: A parameter is unknown, or of another type.
        """
        if workspace.name != self._workspace.name:
            raise UserErrorException(
                f"pipeline '{self._name}' is published in workspace '{self._workspace.name}', not in '{workspace.name}'"
            )
        return self._submitted(
            experiment_name,
            pipeline_parameters=pipeline_parameters,
            parent_run_id=parent_run_id,
            continue_on_step_failure=continue_on_step_failure,
        )

    def _submitted(
        self, experiment_name: str, *, continue_on_step_failure: bool | None = None, **given: Any
    ) -> PipelineRun:
        """Starts it; `Experiment.submit` calls this."""
        self._refresh()
        if self._status != ACTIVE:
            raise UserErrorException(
                f"published pipeline '{self._name}' is disabled", help="enable() lets it be submitted again"
            )
        goes_on = self._continue_on_step_failure if continue_on_step_failure is None else continue_on_step_failure
        return self._frozen().submit(experiment_name, self._id, continue_on_step_failure=goes_on, **given)

    def enable(self) -> None:
        """Lets it be submitted."""
        self._set_status(ACTIVE)

    def disable(self) -> None:
        """Lets it not be submitted any more, nor be listed, unless all are asked for."""
        self._set_status(DISABLED)

    def save(self, path: Any = None, _workflow_provider: Any = None) -> None:
        """Writes it as YAML, for `Pipeline.load_yaml`; source directories are named, and not copied.

        Args:
            path: The file, or the folder that gets NAME.yml; None for the working directory.
            _workflow_provider: As in the SDK, not used.

        Raises:
            UserErrorException: It cannot be written.
        """
        export_pipeline(self._frozen(), path, self._name)

    # --- parts

    def _frozen(self) -> FrozenPipeline:
        row = catalog_of(self._workspace).history.pipeline(self._workspace.name, _KIND, self._id)
        if row is None:
            raise NotRegisteredError(f"no pipeline is published under the id '{self._id}' any more")
        return FrozenPipeline(self._workspace, row.document["frozen"], self._description)

    def _set_status(self, status: str) -> None:
        catalog_of(self._workspace).history.update_pipeline(self._id, status=status)
        self._status = status

    def _refresh(self) -> None:
        self._status = PublishedPipeline.get(self._workspace, self._id)._status

    def __str__(self) -> str:
        return f"Pipeline(Name: {self._name}, Id: {self._id}, Status: {self._status}, Endpoint: {self._endpoint})"

    def __repr__(self) -> str:
        return str(self)


def published_of(
    pipeline: Submittable,
    name: str | None,
    description: str | None,
    version: str | None,
    continue_on_step_failure: bool | None,
    *,
    run: PipelineRun | None = None,
) -> PublishedPipeline:
    """Publishes a pipeline.

    Args:
        pipeline: The pipeline.
        name: What to call it.
        description: In the user's words; the pipeline's own where None.
        version: The user's own mark.
        continue_on_step_failure: Whether steps that do not need a failed one go on.
        run: The run of it whose code is published; else the code is what its source directories hold now.

    Returns:
        The published pipeline.

    Raises:
        ArgumentError: The name is empty.
        ArgumentTypeError: Name, description or version is no text.
        ContentError: A source directory cannot be read or kept.
    """
    check_texts("publish", name=name, description=description, version=version)
    told = name or description or pipeline.description
    if not told:
        raise ArgumentError("publish: a published pipeline needs a name", help="pipeline.publish(name='training')")
    workspace = pipeline._workspace
    return keep_published(
        workspace,
        told,
        description=description if description is not None else pipeline.description,
        version=version,
        continue_on_step_failure=bool(continue_on_step_failure),
        frozen=freeze(pipeline, contents_of_run(run) if run is not None else None),
    )


def keep_published(workspace: Workspace, name: str, **document: Any) -> PublishedPipeline:
    """Keeps a pipeline as published.

    Args:
        workspace: Where.
        name: What it is called.
        **document: `description`, `version`, `continue_on_step_failure`, and `frozen`: what `freeze` wrote.

    Returns:
        The published pipeline.
    """
    row = PipelineRow(str(uuid.uuid4()), _KIND, name, ACTIVE, document)
    return _from_row(workspace, catalog_of(workspace).history.add_pipeline(workspace.name, row))


def check_texts(what: str, **given: object) -> None:
    """Checks arguments that are text, where they are given.

    Args:
        what: Whose they are.
        **given: They.

    Raises:
        ArgumentTypeError: One is something else.
    """
    for name, value in given.items():
        if value is not None and not isinstance(value, str):
            raise ArgumentTypeError(f"{what}: {name} must be text, not {value!r}", help=f"{name}={str(value)!r}")


def _from_row(workspace: Workspace, row: PipelineRow) -> PublishedPipeline:
    document = row.document
    return PublishedPipeline(
        row.name,
        str(uuid.uuid5(uuid.UUID(row.id), "graph")),
        document["description"],
        document["version"],
        row.id,
        row.status,
        f"scriptstep://{workspace.name}/pipelines/{row.id}",
        len(document["frozen"]["graph"]["nodes"]),
        workspace,
        document["continue_on_step_failure"],
    )
