"""A run's own record: its folder, the lock that says that it lives, its row in the history and those of its steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scriptstep.engine.run_lock import RunLock
from scriptstep.engine.step_folder import plain
from scriptstep.history import RunRow, new_id, now

if TYPE_CHECKING:
    from scriptstep.engine.submission import Submission
    from scriptstep.graph import StepSpec

__all__ = ["RunRecord"]


class RunRecord:
    """Records a run and its steps, all of them or none.

    Args:
        submission: What is run.
        specs: Its steps, by node.
        order: Its nodes, each after those that it needs.

    Attributes:
        id: Id of the run.
        row: Its row.
        rows: The row of each step, by node; of a run that is alone its own.
    """

    def __init__(self, submission: Submission, specs: Mapping[str, StepSpec], order: Sequence[str]) -> None:
        self._s, self._specs, self._order = submission, specs, order
        self._workspace, self._history = submission.workspace, submission.catalog.history
        self._home = self._workspace._place.home
        self._history.check_writable()
        self.id = self._free_id()
        self._directory = Path("runs") / self.id[:8]
        self._lock = RunLock(self._home / self._directory)
        self.rows: dict[str, RunRow] = {}
        common: dict[str, Any] = {
            "workspace": self._workspace.name,
            "experiment": submission.experiment,
            "created": now(),
        }
        with self._history.transaction():
            self._history.add_experiment(self._workspace.name, submission.experiment)
            self.row = self._record_alone(common) if submission.alone else self._record_pipeline(common)

    def release(self) -> None:
        """Gives the run's lock back: it does not live any more."""
        self._lock.release()

    def _free_id(self) -> str:
        # A run's folder is named by the beginning of its id.
        while True:
            run_id = new_id()
            try:
                (self._home / "runs" / run_id[:8]).mkdir(parents=True)
            except FileExistsError:
                continue
            return run_id

    def _record_pipeline(self, common: dict[str, Any]) -> RunRow:
        row = self._history.add_run(
            RunRow(
                **common,
                id=self.id,
                kind="pipeline",
                name=self._s.display_name or self._s.experiment,
                directory=str(self._directory),
                description=self._s.description,
                owner=self._lock.owner,
                details={
                    "pipeline_outputs": {k: list(v) for k, v in self._s.pipeline_outputs.items()},
                    "pipeline_id": self._s.pipeline_id,
                },
            )
        )
        if self._s.tags:
            self._history.set_tags(self.id, self._s.tags)
        taken: set[str] = {"artifacts"}
        for number, node_id in enumerate(self._order, row.number + 1):
            spec = self._specs[node_id]
            self.rows[node_id] = RunRow(
                **common,
                id=new_id(),
                kind="step",
                name=spec.name,
                number=number,
                parent=self.id,
                root=self.id,
                directory=f"{self._directory}/{_untaken(plain(spec.name), taken)}",
                node_id=node_id,
                script=spec.script_name or None,
                compute=spec.compute[0] if spec.compute else None,
            )
        self._history.add_runs(self.rows.values())
        return row

    def _record_alone(self, common: dict[str, Any]) -> RunRow:
        ((node_id, spec),) = self._specs.items()
        row = self.rows[node_id] = self._history.add_run(
            RunRow(
                **common,
                id=self.id,
                kind="script",
                name=self._s.display_name or spec.name,
                parent=self._s.parent.id if self._s.parent else None,
                directory=str(self._directory),
                description=self._s.description,
                node_id=node_id,
                script=spec.script_name or None,
                compute=spec.compute[0] if spec.compute else None,
                owner=self._lock.owner,
            )
        )
        self._history.set_tags(self.id, self._s.tags)
        return row


def _untaken(name: str, taken: set[str]) -> str:
    chosen, count = name[:80], 1
    while chosen.lower() in taken:
        count += 1
        chosen = f"{name[:80]}-{count}"
    taken.add(chosen.lower())
    return chosen
