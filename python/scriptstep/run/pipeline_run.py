"""The run of a pipeline: its steps, its outputs, its end."""

from __future__ import annotations

import sys
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, NoReturn

from scriptstep.errors import NotRegisteredError
from scriptstep.run.finding import rehydrated
from scriptstep.run.missing import not_here
from scriptstep.run.run import Run
from scriptstep.run.status import short
from scriptstep.run.step_run import StepRun, StepRunOutput

if TYPE_CHECKING:
    from scriptstep.data.references import PortDataReference
    from scriptstep.graph import Graph
    from scriptstep.published.pipeline import PublishedPipeline
    from scriptstep.run.experiment import Experiment
    from scriptstep.run.submission import Submittable
    from scriptstep.workspace.workspace import Workspace

__all__ = ["PipelineRun", "StepRun", "StepRunOutput"]


class PipelineRun(Run):
    """The run of a pipeline.

    Args:
        experiment: Its experiment.
        run_id: Its id.
        _service_endpoint: Not used here.
        **kwargs: Not used here.

    Raises:
        NotRegisteredError: There is no such run.
    """

    def __init__(self, experiment: Experiment, run_id: str, _service_endpoint: Any = None, **kwargs: Any) -> None:
        super().__init__(experiment, run_id, **kwargs)
        self._submitted: Submittable | None = kwargs.get("_submitted")

    @staticmethod
    def get(workspace: Workspace, run_id: str, _service_endpoint: Any = None) -> Run:
        """Finds a run.

        Args:
            workspace: Where to look.
            run_id: Its id, or its first characters where no other begins so.

        Returns:
            It: a PipelineRun where it is one.

        Raises:
            NotRegisteredError: There is no such run.
        """
        return Run.get(workspace, run_id)

    # --- its steps

    def get_steps(self) -> Generator[StepRun, None, None]:
        """Lists the runs of its steps.

        Yields:
            The runs, in the order that they were planned in.
        """
        for row in reversed(self._catalog.runs(parent=self._id, kind="step")):
            run = rehydrated(self._workspace, row)
            assert isinstance(run, StepRun)
            yield run

    def find_step_run(self, name: str) -> list[StepRun]:
        """Finds the runs of steps by name.

        Args:
            name: Of the step.

        Returns:
            The runs, one where the name is a step's own; empty where no step has it.
        """
        return [step for step in self.get_steps() if step.name == name]

    def get_pipeline_output(self, pipeline_output_name: str) -> PortDataReference:
        """Gives the data of a pipeline output.

        Args:
            pipeline_output_name: As the PipelineData was given it.

        Returns:
            A reference that can be downloaded, or given to another pipeline.

        Raises:
            NotRegisteredError: The pipeline has no such output, or its step has not written it; also a KeyError.
        """
        outputs: dict[str, Any] = self._row().details.get("pipeline_outputs", {})
        if pipeline_output_name not in outputs:
            known = ", ".join(f"'{n}'" for n in outputs) or "none"
            raise NotRegisteredError(
                f"run {short(self._id)} has no pipeline output '{pipeline_output_name}'; it has {known}",
                help="name it where the data is declared: PipelineData(..., pipeline_output_name='...')",
            )
        node_id, port = outputs[pipeline_output_name]
        step = next(s for s in self.get_steps() if s._node_id == node_id)
        return step.get_output_data(port)

    def get_graph(self) -> Graph:
        """Gives the graph.

        Returns:
            The graph that was submitted.

        Raises:
            NotImplementedError: The run was submitted by another process.
        """
        if self._submitted is None:
            not_here("PipelineRun.get_graph() of a run of another process", "build the pipeline, and take its graph")
        return self._submitted.graph

    # --- its course

    def wait_for_completion(
        self, show_output: bool = True, timeout_seconds: float = sys.maxsize, raise_on_error: bool = True
    ) -> str:
        """Waits for the run's end.

        Args:
            show_output: Tell of the steps, where another process coordinates them.
            timeout_seconds: How long to wait at most; a run that goes on is not an error.
            raise_on_error: Raise where it failed.

        Returns:
            Its status: "Finished", "Canceled", or "Failed" where that raises nothing.

        Raises:
            ActivityFailedException: It failed; the message names the failed steps, with their last lines.
            KeyboardInterrupt: The user gave up; the run is cancelled first, where this process coordinates it.
        """
        from scriptstep.run.waiting import wait_for_pipeline

        return wait_for_pipeline(self, show_output, timeout_seconds, raise_on_error)

    def cancel(self) -> None:
        """Asks for the end of the run and of every process of its steps; one that is over stays as it is."""
        super().cancel()

    def complete(self, _set_status: bool = True) -> NoReturn:
        """Not for a pipeline: it comes to its end with its steps."""
        not_here("PipelineRun.complete()", "a pipeline run is complete when its steps are")

    def fail(self, error_details: Any = None, error_code: Any = None, _set_status: bool = True) -> NoReturn:
        """Not for a pipeline: it fails with its steps."""
        not_here("PipelineRun.fail()", "a pipeline run fails when a step fails; cancel() ends it")

    def child_run(self, name: str | None = None, run_id: str | None = None, outputs: Any = None) -> NoReturn:
        """Not for a pipeline."""
        not_here("PipelineRun.child_run()", "start it in a step's script: Run.get_context().child_run()")

    # --- published again

    def publish_pipeline(
        self, name: str, description: str, version: str, continue_on_step_failure: bool | None = None, **kwargs: Any
    ) -> PublishedPipeline:
        """Publishes the pipeline of the run, with the code that it ran.

        Args:
            name: What to call it.
            description: In your words.
            version: Your own mark.
            continue_on_step_failure: Whether steps that do not need a failed one go on.
            **kwargs: Not used here.

        Returns:
            The published pipeline.

        Raises:
            NotImplementedError: The run was submitted by another process.
            UserErrorException: The run ended before it had read its sources.
        """
        from scriptstep.published.pipeline import published_of

        if self._submitted is None:
            not_here("PipelineRun.publish_pipeline() of a run of another process", "publish the pipeline itself")
        return published_of(self._submitted, name, description, version, continue_on_step_failure, run=self)

    def save(self, path: Any = None) -> None:
        """Writes its pipeline as YAML, for `Pipeline.load_yaml`; source directories are named, and not copied.

        Args:
            path: The file, or the folder that gets NAME.yml; None for the working directory.

        Raises:
            NotImplementedError: The run was submitted by another process.
            UserErrorException: It cannot be written.
        """
        from scriptstep.authoring.pipeline_export import export_pipeline

        if self._submitted is None:
            not_here("PipelineRun.save() of a run of another process", "save the pipeline, or publish it")
        export_pipeline(self._submitted, path, self._submitted.description or self.id)

    @staticmethod
    def get_pipeline_runs(workspace: Workspace, pipeline_id: str, _service_endpoint: Any = None) -> list[PipelineRun]:
        """Lists the runs of a published pipeline.

        Args:
            workspace: Where to look.
            pipeline_id: Id of the published pipeline.
            _service_endpoint: As in the SDK, not used.

        Returns:
            The runs, the newest first.
        """
        rows = workspace._catalog.runs(kind="pipeline")
        found = [rehydrated(workspace, row) for row in rows if row.details.get("pipeline_id") == pipeline_id]
        return [run for run in found if isinstance(run, PipelineRun)]

    def _repr_html_(self) -> str:
        from scriptstep.run.shown import as_html

        return as_html(self)
