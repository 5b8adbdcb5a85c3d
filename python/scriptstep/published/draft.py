"""A pipeline draft: a pipeline that is kept to be changed, tried and published."""

from __future__ import annotations

import builtins
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from scriptstep.authoring.pipeline_export import export_pipeline
from scriptstep.errors import ArgumentError, ArgumentTypeError, NotRegisteredError
from scriptstep.graph.frozen import KeptData, decode, encode
from scriptstep.history import PipelineRow, texts
from scriptstep.published.frozen import FrozenPipeline, catalog_of, contents_of_run, freeze
from scriptstep.published.pipeline import PublishedPipeline, check_texts, keep_published
from scriptstep.run.submission import parameter_values
from scriptstep.workspace.workspace import Workspace

if TYPE_CHECKING:
    from scriptstep.graph import Graph
    from scriptstep.run.pipeline_run import PipelineRun
    from scriptstep.run.submission import Submittable

__all__ = ["PipelineDraft"]

_KIND, _STATUS = "draft", "Draft"


class PipelineDraft:
    """A pipeline that is kept to be changed, tried and published; `create` makes it, `get` and `list` find it.

    Args:
        workspace: Its workspace.
        id: Its id.
        name: Its name.
        description: In the user's words.
        experiment_name: What its runs are filed under.
        tags: Names and values.
        properties: Names and values that never change.
        graph_draft_id: As in the SDK, not used.
        parent_pipeline_id: The published pipeline that it was made of.
        parent_pipeline_run_id: The run that it was made of.
        parent_step_run_ids: As in the SDK, not used.
        parent_pipeline_draft_id: The draft that it was made of.
        last_submitted_pipeline_run_id: Its last run.
        _pipeline_draft_provider: As in the SDK, not used.
    """

    def __init__(
        self,
        workspace: Workspace,
        id: str,
        name: str | None = None,
        description: str | None = None,
        experiment_name: str | None = None,
        tags: Mapping[str, str] | None = None,
        properties: Mapping[str, str] | None = None,
        graph_draft_id: str | None = None,
        parent_pipeline_id: str | None = None,
        parent_pipeline_run_id: str | None = None,
        parent_step_run_ids: builtins.list[str] | None = None,
        parent_pipeline_draft_id: str | None = None,
        last_submitted_pipeline_run_id: str | None = None,
        _pipeline_draft_provider: Any = None,
    ) -> None:
        self._workspace, self.id, self.name, self.description = workspace, id, name, description
        self._experiment_name = experiment_name
        self.tags, self.properties = dict(tags or {}), dict(properties or {})
        self.parent_pipeline_id, self.parent_pipeline_run_id = parent_pipeline_id, parent_pipeline_run_id
        self.parent_step_run_ids, self.parent_pipeline_draft_id = parent_step_run_ids, parent_pipeline_draft_id
        self.last_submitted_pipeline_run_id = last_submitted_pipeline_run_id

    # --- finding it

    @staticmethod
    def create(
        workspace: Workspace,
        pipeline: Any,
        name: str | None = None,
        description: str | None = None,
        experiment_name: str | None = None,
        pipeline_parameters: Mapping[str, Any] | None = None,
        continue_on_step_failure: bool | None = None,
        tags: Mapping[str, Any] | None = None,
        properties: Mapping[str, Any] | None = None,
        _workflow_provider: Any = None,
        _service_endpoint: Any = None,
    ) -> PipelineDraft:
        """Makes a draft.

        Args:
            workspace: Where to keep it.
            pipeline: A `Pipeline`, or a `PublishedPipeline`, a `PipelineRun` of this process or a `PipelineDraft`; its
                code is kept as it is now, that of a published pipeline or a draft as it was.
            name: What to call it; the pipeline's description where None.
            description: In your words; the pipeline's own where None.
            experiment_name: What to file its runs under.
            pipeline_parameters: Values in place of the defaults, by name of the parameter.
            continue_on_step_failure: Whether steps that do not need a failed one go on.
            tags: Names and values.
            properties: Names and values that never change.
            _workflow_provider: As in the SDK, not used.
            _service_endpoint: As in the SDK, not used.

        Returns:
            The draft.

        Raises:
            ArgumentError: A text is none, a parameter is unknown or of another type, or `pipeline` is something else.
            ContentError: A source directory cannot be read or kept.
        """
        check_texts("PipelineDraft", name=name, description=description, experiment_name=experiment_name)
        document, parents = _frozen(pipeline)
        draft = {
            "description": description if description is not None else getattr(pipeline, "description", None),
            "experiment_name": experiment_name,
            "continue_on_step_failure": bool(continue_on_step_failure),
            "parameters": {},
            "tags": texts(tags),
            "properties": texts(properties),
            "last_run": None,
            "frozen": document,
            **parents,
        }
        told = name or description or getattr(pipeline, "description", None) or "draft"
        draft["parameters"] = _values(FrozenPipeline(workspace, document, told), pipeline_parameters)
        row = PipelineRow(str(uuid.uuid4()), _KIND, told, _STATUS, draft)
        return _from_row(workspace, catalog_of(workspace).history.add_pipeline(workspace.name, row))

    @staticmethod
    def get(
        workspace: Workspace, id: str, _workflow_provider: Any = None, _service_endpoint: Any = None
    ) -> PipelineDraft:
        """Finds a draft.

        Args:
            workspace: Where to look.
            id: Its id.
            _workflow_provider: As in the SDK, not used.
            _service_endpoint: As in the SDK, not used.

        Returns:
            The draft.

        Raises:
            NotRegisteredError: There is none; the message names those that there are.
        """
        row = catalog_of(workspace).history.pipeline(workspace.name, _KIND, str(id))
        if row is None:
            known = ", ".join(f"{d.id} ('{d.name}')" for d in PipelineDraft.list(workspace)) or "none"
            raise NotRegisteredError(f"there is no draft '{id}'; there are: {known}")
        return _from_row(workspace, row)

    @staticmethod
    def list(
        workspace: Workspace, tags: Mapping[str, Any] | None = None, _workflow_provider: Any = None
    ) -> builtins.list[PipelineDraft]:
        """Lists drafts.

        Args:
            workspace: Where to look.
            tags: Only those that have these tags, with these values.
            _workflow_provider: As in the SDK, not used.

        Returns:
            They, the newest first.
        """
        rows = catalog_of(workspace).history.pipelines(workspace.name, _KIND)
        wanted = texts(tags).items()
        return [_from_row(workspace, row) for row in rows if wanted <= row.document["tags"].items()]

    # --- changing it

    def update(
        self,
        pipeline: Any = None,
        name: str | None = None,
        description: str | None = None,
        experiment_name: str | None = None,
        tags: Mapping[str, Any] | None = None,
        pipeline_parameters: Mapping[str, Any] | None = None,
        continue_on_step_failure: bool | None = None,
        _workflow_provider: Any = None,
    ) -> None:
        """Changes it; what is None stays.

        Args:
            pipeline: Another pipeline, as of `create`.
            name: Another name.
            description: Another description.
            experiment_name: Another experiment.
            tags: Other tags, in place of all.
            pipeline_parameters: Other values, in place of all.
            continue_on_step_failure: Whether steps that do not need a failed one go on.
            _workflow_provider: As in the SDK, not used.

        Raises:
            ArgumentError: As of `create`.
            ContentError: A source directory cannot be read or kept.
        """
        check_texts("PipelineDraft.update", name=name, description=description, experiment_name=experiment_name)
        document = self._document()
        if pipeline is not None:
            frozen, parents = _frozen(pipeline)
            document |= {"frozen": frozen, "parameters": {}, **parents}
        if pipeline_parameters is not None:
            plan = FrozenPipeline(self._workspace, document["frozen"], None)
            document["parameters"] = _values(plan, pipeline_parameters)
        given: dict[str, Any] = {"description": description, "experiment_name": experiment_name}
        if continue_on_step_failure is not None:
            given["continue_on_step_failure"] = continue_on_step_failure
        if tags is not None:
            given["tags"] = texts(tags)
        document |= {key: value for key, value in given.items() if value is not None}
        columns: dict[str, Any] = {"document": document} if name is None else {"document": document, "name": name}
        self._keep(**columns)

    def delete(self, _workflow_provider: Any = None) -> None:
        """Forgets it; its runs stay."""
        self._document()
        catalog_of(self._workspace).history.delete_pipeline(self.id)

    # --- using it

    def submit_run(self, _workflow_provider: Any = None) -> PipelineRun:
        """Starts it; returns at once.

        Returns:
            The run.

        Raises:
            ArgumentError: It has no experiment_name.
        """
        document = self._document()
        if not document["experiment_name"]:
            raise ArgumentError(
                f"draft '{self.name}' has no experiment_name to file its run under",
                help="draft.update(experiment_name='training')",
            )
        run = self._pipeline(document).submit(
            document["experiment_name"],
            None,
            pipeline_parameters=_given(document),
            continue_on_step_failure=document["continue_on_step_failure"],
            tags=document["tags"],
        )
        self._keep(document={**document, "last_run": run.id})
        return run

    def publish(self, _workflow_provider: Any = None) -> PublishedPipeline:
        """Publishes it, with its values of the parameters as defaults.

        Returns:
            The published pipeline.
        """
        document = self._document()
        return keep_published(
            self._workspace,
            str(self.name),
            description=document["description"],
            version=None,
            continue_on_step_failure=document["continue_on_step_failure"],
            frozen=_with_defaults(document),
        )

    def save(self, path: Any = None, _workflow_provider: Any = None) -> None:
        """Writes it as YAML, for `Pipeline.load_yaml`; source directories are named, and not copied.

        Args:
            path: The file, or the folder that gets NAME.yml; None for the working directory.
            _workflow_provider: As in the SDK, not used.

        Raises:
            UserErrorException: It cannot be written.
        """
        document = self._document()
        export_pipeline(self._pipeline({**document, "frozen": _with_defaults(document)}), path, str(self.name))

    def get_graph(self, _workflow_provider: Any = None) -> Graph:
        """Returns: its graph."""
        return self._pipeline(self._document()).graph

    # --- parts

    def _document(self) -> dict[str, Any]:
        row = catalog_of(self._workspace).history.pipeline(self._workspace.name, _KIND, self.id)
        if row is None:
            raise NotRegisteredError(f"draft '{self.name}' was deleted")
        return dict(row.document)

    def _pipeline(self, document: Mapping[str, Any]) -> FrozenPipeline:
        return FrozenPipeline(self._workspace, document["frozen"], document["description"])

    def _keep(self, **columns: Any) -> None:
        catalog_of(self._workspace).history.update_pipeline(self.id, **columns)
        self.__dict__.update(PipelineDraft.get(self._workspace, self.id).__dict__)

    def __str__(self) -> str:
        return f"PipelineDraft(Name: {self.name}, Id: {self.id})"

    def __repr__(self) -> str:
        return str(self)


def _frozen(pipeline: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns: a pipeline written down, and what it comes from."""
    from scriptstep.authoring.pipeline import Pipeline
    from scriptstep.run.pipeline_run import PipelineRun

    none = {"pipeline": None, "run": None, "draft": None}
    if isinstance(pipeline, PublishedPipeline):
        return dict(pipeline._frozen()._document), {"parents": {**none, "pipeline": pipeline.id}}
    if isinstance(pipeline, PipelineDraft):
        return dict(pipeline._document()["frozen"]), {"parents": {**none, "draft": pipeline.id}}
    if isinstance(pipeline, PipelineRun):
        graph_of: Submittable | None = pipeline._submitted
        if graph_of is None:
            raise ArgumentError("a run of another process cannot become a draft", help="give the pipeline itself")
        return freeze(graph_of, contents_of_run(pipeline)), {"parents": {**none, "run": pipeline.id}}
    if not isinstance(pipeline, Pipeline):
        raise ArgumentTypeError(f"PipelineDraft: pipeline must be a Pipeline, not {pipeline!r}")
    return freeze(pipeline), {"parents": none}


def _values(pipeline: FrozenPipeline, given: Mapping[str, Any] | None) -> dict[str, Any]:
    checked = parameter_values(pipeline, given)
    return {name: encode(checked[name]) for name in given or {}}


def _given(document: Mapping[str, Any]) -> dict[str, Any]:
    values = {name: decode(value) for name, value in document["parameters"].items()}
    return {n: v if isinstance(v, (bool, int, float, str)) else KeptData(v) for n, v in values.items()}


def _with_defaults(document: Mapping[str, Any]) -> dict[str, Any]:
    frozen: dict[str, Any] = dict(document["frozen"])
    own = document["parameters"]
    graph = dict(frozen["graph"])
    graph["parameters"] = [[name, own.get(name, value)] for name, value in graph["parameters"]]
    return {**frozen, "graph": graph}


def _from_row(workspace: Workspace, row: PipelineRow) -> PipelineDraft:
    document = row.document
    parents = document["parents"]
    return PipelineDraft(
        workspace,
        row.id,
        row.name,
        document["description"],
        document["experiment_name"],
        document["tags"],
        document["properties"],
        parent_pipeline_id=parents["pipeline"],
        parent_pipeline_run_id=parents["run"],
        parent_pipeline_draft_id=parents["draft"],
        last_submitted_pipeline_run_id=document["last_run"],
    )
