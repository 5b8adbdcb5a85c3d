"""What the steps of a run gave, handed on to the steps below; and the verdicts of reuse, recorded many at a time.

A commit for each step would be a fifth of what a step costs that has nothing to do. What is not recorded yet is so
before a step starts that could ask for it, before what an earlier step read is read again, and at the end.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from scriptstep.engine.destinations import Destinations, register_output
from scriptstep.engine.planner import Planner
from scriptstep.engine.step_plan import StepPlan
from scriptstep.engine.verdict import source_of
from scriptstep.graph import StepSpec
from scriptstep.history import RunRow, now
from scriptstep.workspace.datastore import Datastore

if TYPE_CHECKING:
    from scriptstep.engine.auditing.auditor import Auditor
    from scriptstep.engine.effects import Target
    from scriptstep.engine.submission import Submission

__all__ = ["Ledger"]

# How long others may have to wait to see that a step was reused.
_UNRECORDED_S = 0.05

# Id of a step run, and its columns.
_Row: TypeAlias = tuple[str, dict[str, Any]]


class Ledger:
    """The results of one run's steps.

    Args:
        submission: What is run.
        planner: Knows what each step is, and is told what each gave.
        run: The pipeline run.

    Attributes:
        trees: Digests of every tree that the run relies on.
        auditor: Watches what steps read, where that was asked for; else None.
    """

    def __init__(self, submission: Submission, planner: Planner, run: RunRow) -> None:
        self._s, self._planner, self._run = submission, planner, run
        self._workspace, self._history = submission.workspace, submission.catalog.history
        self._destinations = Destinations(self._datastore, submission.catalog.store)
        self._unrecorded: list[_Row] = []
        self._due = 0.0
        planner.before_reads = self.settle
        # Whole source directories, too: who publishes the run publishes those.
        self.trees: set[str] = set(planner.contents.values())
        self.auditor: Auditor | None = None
        if submission.audit:
            from scriptstep.engine.auditing.auditor import Auditor

            self.auditor = Auditor(submission.audit, self._workspace._place.home, submission.catalog, planner)

    @property
    def parent_id(self) -> str:
        """Returns: id of the run above the steps; empty where a run that is alone has none."""
        above = self._above
        return above.id if above is not None else ""

    @property
    def _above(self) -> RunRow | None:
        # A run that is alone is its own step: above it there may be nothing.
        return self._s.parent if self._s.alone else self._run

    def target(self, plan: StepPlan) -> Target:
        """Returns: where the effects of a step go."""
        from scriptstep.engine.effects import Target

        folder = self._workspace._place.home / (self._above or self._run).directory
        return Target(self._s.catalog, plan.row.id, self.parent_id, folder)

    def done(self, plan: StepPlan, outputs: Mapping[str, str], origin: str) -> None:
        """Hands on what a step gave.

        Args:
            plan: The step.
            outputs: Port to tree digest.
            origin: The step run whose result it is.
        """
        self._planner.outputs[plan.node_id] = dict(outputs)
        self._planner.origins[plan.node_id] = origin
        self.trees.update(outputs.values())

    def place_outputs(self, spec: StepSpec, trees: Mapping[str, str], run_id: str) -> tuple[dict[str, Any], list[str]]:
        """Puts the outputs of a step where they were declared to be, and registers those that are to be.

        Args:
            spec: The step.
            trees: Port to tree digest.
            run_id: Id of the step run that made them.

        Returns:
            What stands of it in the details of the step run, and warnings.

        Raises:
            ArgumentError: A destination leads out of its datastore.
        """
        placed: dict[str, Any] = {}
        warnings: list[str] = []
        if self._s.again is not None:
            # What a user named is not written again for a comparison.
            return {"outputs": placed}, warnings
        for output in spec.outputs:
            if (tree := trees.get(output.name)) is None:
                continue
            datastore, path, more = self._destinations.put(output, tree, spec.name, run_id)
            warnings += more
            placed[output.name] = {"tree": tree, "datastore": datastore, "path": path}
            if registered := register_output(self._history, self._workspace.name, output, tree):
                placed[output.name]["registered"] = dict(registered)
        return {"outputs": placed}, warnings

    def reuse(self, plan: StepPlan) -> str:
        """Hands on an earlier result, and does again what its attempt did to others.

        Args:
            plan: The step, whose verdict is reuse.

        Returns:
            What to say of it, in a line.
        """
        result = plan.verdict.reuse
        assert result is not None
        if time.monotonic() > self._due:
            # Before anything is done for this step, which would be named where it fails.
            self.settle()
        registered: list[str] = []
        details, _ = self.place_outputs(plan.spec, result.outputs, result.run)
        audited: list[str] = []
        if self.auditor is not None and (origin := self._history.run(result.run)) is not None:
            audited, kept = self.auditor.tell_again(plan, origin)
            details |= kept
        stamp = now()
        columns = {
            "status": "Finished",
            "started": stamp,
            "ended": stamp,
            "exit_code": 0,
            "reused_from": result.run,
            "artifacts": result.artifacts,
            "verdict": plan.verdict.to_json(),
            "details": {**plan.given(), **details},
        }
        row = (plan.row.id, columns)
        if result.effects:
            from scriptstep.engine.effects import reenact

            self.settle()
            # What is done to others is done together with what says so, or not at all.
            with self._history.transaction():
                registered += reenact(result.effects, self.target(plan))
                self._history.update_runs([row])
        else:
            self._unrecorded.append(row)
        self._planner.used.add(result.id)
        self.done(plan, result.outputs, result.run)
        self.trees |= {result.artifacts} if result.artifacts else set()
        return "; ".join([source_of(result), *registered, *plan.verdict.notes, *audited])

    def settle(self) -> None:
        """Records the verdicts of reuse that are not recorded yet."""
        if self._unrecorded:
            self._history.update_runs(self._unrecorded)
            self._unrecorded = []
        self._due = time.monotonic() + _UNRECORDED_S

    def forget(self) -> None:
        """Forgets what was looked up: a step that ran may have changed it."""
        self._destinations.forget()

    def _datastore(self, name: str | None) -> Any:
        chosen = name or self._s.default_datastore
        return Datastore.get(self._workspace, chosen) if chosen else self._workspace.get_default_datastore()
