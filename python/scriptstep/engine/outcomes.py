"""What the steps of a run came to: counted, and told on the console."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scriptstep.console import Notice, StepEnded, Verdict, console
from scriptstep.engine.step_plan import StepPlan
from scriptstep.graph import StepSpec
from scriptstep.history import History, RunRow, now

__all__ = ["Outcomes"]


class Outcomes:
    """The outcomes of one run's steps.

    Args:
        specs: The steps, by node.
        rows: The step runs, by node.
        history: The history.
        run_id: Id of the pipeline run.

    Attributes:
        counts: How many steps came to what.
        failed: Why each step failed that did, by node.
        saved_s: How long the reused steps took when they ran, seconds.
    """

    def __init__(
        self, specs: Mapping[str, StepSpec], rows: Mapping[str, RunRow], history: History, run_id: str
    ) -> None:
        self._specs, self._rows, self._history, self._run_id = specs, rows, history, run_id
        self.counts = {"ran": 0, "reused": 0, "failed": 0, "cancelled": 0}
        self.failed: dict[str, str] = {}
        self.saved_s = 0.0

    def reused(self, spec: StepSpec, duration_s: float, reason: str) -> None:
        """Takes note of a step that was reused.

        Args:
            spec: The step.
            duration_s: How long it took when it ran, seconds.
            reason: What to say of it.
        """
        self.counts["reused"] += 1
        self.saved_s += duration_s
        self._tell(spec, "reused", duration_s, reason)

    def ran(self, spec: StepSpec, seconds: float, reason: str, warnings: Sequence[str]) -> None:
        """Takes note of a step that ran.

        Args:
            spec: The step.
            seconds: How long.
            reason: Why, and what came of it.
            warnings: What its user should know.
        """
        for warning in warnings:
            console().send(Notice("warning", warning, None))
        self.counts["ran"] += 1
        self._tell(spec, "ran", seconds, reason)

    def cancelled(self, plan: StepPlan, seconds: float | None = None) -> None:
        """Takes note of a step that was cancelled.

        Args:
            plan: The step.
            seconds: How long its attempt ran; None where it had none, and nothing of it is recorded yet.
        """
        if seconds is None:
            self._history.update_run(plan.row.id, status="Canceled", ended=now(), error={"message": "cancelled"})
        self.counts["cancelled"] += 1
        self._tell(plan.spec, "cancelled", seconds, "")

    def refused(self, node_id: str, message: str, plan: StepPlan | None = None) -> None:
        """Records a step that failed before any attempt at it.

        Args:
            node_id: Its node.
            message: Why.
            plan: The step, where it was thought through.
        """
        fields: dict[str, Any] = {} if plan is None else {"details": plan.known()}
        error = {"message": message, "step": self._specs[node_id].name}
        self._history.update_run(self._rows[node_id].id, status="Failed", ended=now(), error=error, **fields)
        self.fail(node_id, message)

    def fail(self, node_id: str, message: str, seconds: float | None = None, tail: Sequence[str] = ()) -> None:
        """Takes note of a step that failed.

        Args:
            node_id: Its node.
            message: Why.
            seconds: How long its attempt ran; None where it had none.
            tail: The last lines that it printed.
        """
        self.failed[node_id] = message
        self.counts["failed"] += 1
        self._tell(self._specs[node_id], "failed", seconds, message, tail)

    def not_run(self, node_id: str, reason: str) -> None:
        """Tells of a step that never started.

        Args:
            node_id: Its node.
            reason: Why, or nothing.
        """
        self._tell(self._specs[node_id], "not run", None, reason)

    def _tell(
        self, spec: StepSpec, verdict: Verdict, seconds: float | None, reason: str, tail: Sequence[str] = ()
    ) -> None:
        console().send(StepEnded(spec.name, verdict, seconds, reason, tail, self._run_id, spec.allow_reuse))
