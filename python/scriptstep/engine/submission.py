"""What is to be run, and how: a graph with the values of its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from scriptstep.errors import UserErrorException
from scriptstep.graph import Graph
from scriptstep.history import RunRow
from scriptstep.records import dataclass, field
from scriptstep.workspace.local_catalog import LocalCatalog
from scriptstep.workspace.settings import Settings
from scriptstep.workspace.workspace import Workspace

if TYPE_CHECKING:
    from scriptstep.engine.auditing.report import AuditMode

__all__ = ["Submission"]


@dataclass
class Submission:
    """A pipeline to be run, and how.

    Attributes:
        graph: Its graph.
        workspace: Where it runs.
        experiment: Name of the experiment.
        parameters: Value of every parameter of the graph.
        default_datastore: Name of the pipeline's default datastore, or None for the workspace's.
        continue_on_step_failure: Whether steps that do not need a failed one go on.
        regenerate_outputs: Whether every step runs.
        tags: Tags of the run.
        description: Its description.
        input_identity: "definition" or "content"; None for the setting.
        jobs: Most steps side by side; None for the number of cores.
        retries: How often a step that fails is tried again, where its run configuration says nothing.
        display_name: Name to show.
        pipeline_outputs: Name of a pipeline output to (node id, port).
        alone: Whether the graph is one step, and the run is that step: no pipeline is above it.
        parent: The run that one which is alone is part of, or None.
        contents: Trees of source directories whose content was kept before; the directories are not looked at.
        settings: The settings that hold, where they are not the workspace's of today.
        pipeline_id: Id of the published pipeline that it is, or None.
        again: Nodes that run to be compared with the results that would be reused; what would run does not. None for a
            run like any other.
        debug: Name of a step that runs on the terminal, whatever its verdict, or None.
        audit: Whether what steps read from outside is looked for; "strict" makes it a failure. None for no audit.
    """

    graph: Graph
    workspace: Workspace
    experiment: str
    parameters: dict[str, Any]
    default_datastore: str | None = None
    continue_on_step_failure: bool = False
    regenerate_outputs: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    description: str | None = None
    input_identity: str | None = None
    jobs: int | None = None
    retries: int = 0
    display_name: str | None = None
    pipeline_outputs: dict[str, tuple[str, str]] = field(default_factory=dict)
    alone: bool = False
    parent: RunRow | None = None
    contents: Mapping[str, str] = field(default_factory=dict)
    settings: Settings | None = None
    pipeline_id: str | None = None
    again: frozenset[str] | None = None
    debug: str | None = None
    audit: AuditMode | None = None

    @property
    def in_force(self) -> Settings:
        """The settings that hold for the run."""
        return self.settings if self.settings is not None else self.workspace._settings

    @property
    def good_end(self) -> str:
        """Status of a run that came to a good end, as the SDK has it for each kind."""
        return "Completed" if self.alone else "Finished"

    @property
    def catalog(self) -> LocalCatalog:
        """The workspace's catalog, which writes the history.

        Raises:
            UserErrorException: Inside a step: there is none.
        """
        catalog = self.workspace._catalog
        if not isinstance(catalog, LocalCatalog):
            raise UserErrorException(
                "a step cannot submit a pipeline of its own",
                help="submit it from outside, or make its steps part of this one",
            )
        return catalog
