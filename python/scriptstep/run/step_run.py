"""The run of one step of a pipeline, and what it wrote."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NoReturn

from scriptstep.errors import NotRegisteredError
from scriptstep.run.files import log_of_rank
from scriptstep.run.missing import not_here
from scriptstep.run.run import Run

if TYPE_CHECKING:
    from scriptstep.data.references import PortDataReference
    from scriptstep.run.experiment import Experiment

__all__ = ["StepRun", "StepRunOutput"]


class StepRun(Run):
    """The run of one step of a pipeline; a reused step shows the logs, metrics and files of the run it came from.

    Args:
        experiment: Its experiment.
        step_run_id: Its id.
        pipeline_run_id: Id of the pipeline run that it is part of.
        node_id: The node of the graph that it is the run of.
        _service_endpoint: Not used here, as all that follows: what was reused is read from the history.

    Raises:
        NotRegisteredError: There is no such run.
    """

    def __init__(
        self,
        experiment: Experiment,
        step_run_id: str,
        pipeline_run_id: str = "",
        node_id: str = "",
        _service_endpoint: Any = None,
        _is_reused: bool = False,
        _current_node_id: str | None = None,
        _reused_run_id: str | None = None,
        _reused_node_id: str | None = None,
        _reused_pipeline_run_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(experiment, step_run_id, **kwargs)

    @property
    def pipeline_run_id(self) -> str:
        """Returns: id of the pipeline run that it is part of."""
        return self._row().parent or ""

    @property
    def _node_id(self) -> str:
        return self._row().node_id or ""

    # --- what it printed

    def get_job_log(self) -> str:
        """Returns: what the script printed, so far; the process of rank 0, where there are several."""
        log = log_of_rank(self._files())
        return log.read_text("utf-8", "replace") if log is not None else ""

    def get_stdout_log(self) -> str:
        """Returns: what the script printed; standard output and error are one log, in their order."""
        return self.get_job_log()

    def get_stderr_log(self) -> str:
        """Returns: what the script printed; standard output and error are one log, in their order."""
        return self.get_job_log()

    # --- what it wrote

    def get_outputs(self) -> dict[str, StepRunOutput]:
        """Returns: its outputs that were written, by name."""
        row = self._row()
        written: dict[str, Any] = row.details.get("outputs", {})
        return {n: StepRunOutput(self._workspace, row.parent or "", self, n, put) for n, put in written.items()}

    def get_output(self, name: str) -> StepRunOutput:
        """Gives one output.

        Args:
            name: Its name.

        Returns:
            The output.

        Raises:
            NotRegisteredError: The step wrote no such output; also a KeyError.
        """
        outputs = self.get_outputs()
        if name not in outputs:
            known = ", ".join(f"'{n}'" for n in outputs) or "none"
            raise NotRegisteredError(
                f"step '{self.name}' ({self.get_status()}) wrote no output '{name}'; it wrote {known}"
            )
        return outputs[name]

    def get_output_data(self, name: str) -> PortDataReference:
        """Gives the data of one output.

        Args:
            name: The output's name.

        Returns:
            A reference that can be downloaded, or given to another pipeline.

        Raises:
            NotRegisteredError: The step wrote no such output; also a KeyError.
        """
        return self.get_output(name).get_port_data_reference()

    # --- its course

    def wait_for_completion(
        self, show_output: bool = True, timeout_seconds: float = sys.maxsize, raise_on_error: bool = True
    ) -> str:
        """Waits for the step's end.

        Args:
            show_output: Not used here.
            timeout_seconds: How long to wait at most.
            raise_on_error: Raise where it failed.

        Returns:
            Its status.

        Raises:
            ActivityFailedException: It failed; the message holds its last lines.
        """
        from scriptstep.run.waiting import wait_for_pipeline

        return wait_for_pipeline(self, show_output, timeout_seconds, raise_on_error)

    def complete(self, _set_status: bool = True) -> NoReturn:
        """Not for a step: it comes to its end with its script."""
        not_here("StepRun.complete()", "a step is complete when its script ends")

    def fail(self, error_details: Any = None, error_code: Any = None, _set_status: bool = True) -> NoReturn:
        """Not for a step: it fails with its script."""
        not_here("StepRun.fail()", "a step fails when its script exits with another code than 0")

    def cancel(self) -> NoReturn:
        """Not for a step alone."""
        not_here("StepRun.cancel()", "cancel the pipeline run that it is part of: step_run.parent.cancel()")

    def child_run(self, name: str | None = None, run_id: str | None = None, outputs: Any = None) -> NoReturn:
        """Not for a step from outside; its script can, by Run.get_context().child_run()."""
        not_here("StepRun.child_run()", "start it in the step's script: Run.get_context().child_run()")


class StepRunOutput:
    """An output of the run of a step.

    Args:
        context: The workspace.
        pipeline_run_id: Id of the pipeline run.
        step_run: The run of the step.
        name: The output's name.
        step_output: Where it lies.
    """

    def __init__(self, context: Any, pipeline_run_id: str, step_run: StepRun, name: str, step_output: Any) -> None:
        self._context, self._pipeline_run_id, self._step_run = context, pipeline_run_id, step_run
        self._name, self._output = name, step_output

    @property
    def name(self) -> str:
        """Returns: the output's name."""
        return self._name

    def get_port_data_reference(self) -> PortDataReference:
        """Gives its data.

        Returns:
            A reference that can be downloaded, or given to another pipeline.
        """
        from scriptstep.data.references import DataReference, PortDataReference
        from scriptstep.workspace.datastore import Datastore

        reference = DataReference(
            datastore=Datastore.get(self._context, self._output["datastore"]),
            data_reference_name=self._name,
            path_on_datastore=self._output["path"],
        )
        return PortDataReference(self._context, self._pipeline_run_id, reference, self._step_run)

    def __repr__(self) -> str:
        return (
            f"StepRunOutput({self._name} of {self._step_run.name}: {self._output['datastore']}/{self._output['path']})"
        )
