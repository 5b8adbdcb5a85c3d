"""A pipeline as it is now, written down whole: graph, code, settings."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from scriptstep.engine.planner import Planner
from scriptstep.engine.submission import Submission
from scriptstep.errors import TreeMissing, UserErrorException
from scriptstep.graph import Graph
from scriptstep.graph.frozen import freeze_graph, thaw_graph
from scriptstep.run.pipeline_run import PipelineRun
from scriptstep.run.submission import Frozen, Submittable, submit_pipeline
from scriptstep.workspace.local_catalog import LocalCatalog
from scriptstep.workspace.settings import Settings
from scriptstep.workspace.workspace import Workspace

__all__ = ["FrozenPipeline", "catalog_of", "contents_of_run", "freeze"]

# A run reads its sources first of all.
_CONTENTS_S = 600.0


def catalog_of(workspace: Workspace) -> LocalCatalog:
    """Returns: the catalog that writes the history.

    Raises:
        UserErrorException: This is a step: what is published is another process's.
    """
    catalog = workspace._catalog
    if not isinstance(catalog, LocalCatalog):
        raise UserErrorException(
            "a step cannot publish pipelines, nor submit them", help="do it from outside of a step"
        )
    return catalog


def freeze(pipeline: Submittable, contents: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Writes a pipeline down, and keeps the content of its source directories.

    Args:
        pipeline: The pipeline.
        contents: Trees of its source directories, where those are kept already.

    Returns:
        Plain data.

    Raises:
        ContentError: A source directory cannot be read or kept.
    """
    workspace = pipeline._workspace
    catalog = catalog_of(workspace)
    catalog.refresh()
    if contents is None:
        values = {name: parameter.spec_value() for name, parameter in pipeline.graph.params.items()}
        submission = Submission(pipeline.graph, workspace, "", values)
        specs = {node.node_id: node.spec for node in pipeline.graph.module_nodes}
        planner = Planner(submission, specs, catalog.history, catalog.store, "")
        planner.read_contents()
        contents = planner.contents
    elif not all(map(catalog.store.ensure, contents.values())):
        raise TreeMissing(
            "the code that the run read is not in the store any more",
            help="run the pipeline again, and publish that run",
        )
    # What a later power cut takes must not be what was published.
    catalog.store.sync(contents.values())
    return {
        "graph": freeze_graph(pipeline.graph),
        "contents": dict(contents),
        "settings": workspace._settings.to_json(),
        "default_datastore": pipeline._default_datastore_name,
        "pipeline_outputs": {name: list(place) for name, place in pipeline._pipeline_outputs.items()},
    }


def contents_of_run(run: PipelineRun) -> dict[str, str]:
    """Waits until a run has read its sources.

    Args:
        run: The run.

    Returns:
        The tree of each source directory.

    Raises:
        UserErrorException: It ended without having read them.
    """
    end = time.monotonic() + _CONTENTS_S
    while time.monotonic() < end:
        row = run._row()
        if (found := row.details.get("contents")) is not None:
            return dict(found)
        if row.ended is not None:
            break
        time.sleep(0.01)
    raise UserErrorException(f"run {run.id} has not read its sources: there is nothing to publish")


class FrozenPipeline:
    """A pipeline of what `freeze` wrote.

    Args:
        workspace: Where it runs.
        document: What `freeze` wrote.
        description: In the user's words.

    Attributes:
        graph: Its graph.
        description: The description.
    """

    def __init__(self, workspace: Workspace, document: Mapping[str, Any], description: str | None) -> None:
        self._workspace = workspace
        self._document = document
        self.description = description
        self.graph: Graph = thaw_graph(document["graph"], None)
        self._default_datastore_name: str | None = document["default_datastore"]
        self._pipeline_outputs = {name: (place[0], place[1]) for name, place in document["pipeline_outputs"].items()}

    def submit(self, experiment_name: str, pipeline_id: str | None, **given: Any) -> PipelineRun:
        """Starts it; returns at once.

        Args:
            experiment_name: What to file the run under.
            pipeline_id: Id of the published pipeline that it is.
            **given: As of `submit_pipeline`.

        Returns:
            The run.
        """
        # Through JSON, so that what was frozen just now is what another process reads.
        settings = Settings.from_json(json.loads(json.dumps(self._document["settings"])))
        frozen = Frozen(dict(self._document["contents"]), settings, pipeline_id)
        return submit_pipeline(self, experiment_name, frozen=frozen, **given)
