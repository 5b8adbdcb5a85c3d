"""Record a pipeline's run without running its scripts: `python -m benches.recorded pipeline.py`.

A hundred thousand starts of Python would take the better part of an hour. What is left is what a run leaves: a result
for each step, under its key, with its trees in the store. What is measured afterwards is the program as it is, which
takes each of them for its own.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from scriptstep.cli import main
from scriptstep.engine import attempts
from scriptstep.engine.contents import deciding_paths
from scriptstep.graph import StepSpec
from scriptstep.history import now

if TYPE_CHECKING:
    from scriptstep.engine.ledger import Ledger
    from scriptstep.engine.outcomes import Outcomes
    from scriptstep.engine.planner import Planner
    from scriptstep.engine.step_plan import StepPlan
    from scriptstep.engine.submission import Submission


class Recorded:
    """Stands where attempts are made: each step has succeeded, and written a file of its own into each output."""

    has_room = True

    def __init__(
        self,
        submission: Submission,
        specs: Mapping[str, StepSpec],
        planner: Planner,
        ledger: Ledger,
        outcomes: Outcomes,
        run_id: str,
        jobs: int,
        is_stopping: Callable[[], bool],
    ) -> None:
        self._workspace = str(submission.workspace.name)
        self._history, self._store = submission.catalog.history, submission.catalog.store
        self._planner, self._ledger, self._outcomes = planner, ledger, outcomes
        self._folder = Path(tempfile.mkdtemp(dir=submission.workspace._place.home))
        self._plans: list[StepPlan] = []
        log = self._folder / "artifacts" / "user_logs" / "std_log.txt"
        log.parent.mkdir(parents=True)
        log.touch()
        self._artifacts = self._store.adopt(self._folder / "artifacts").digest

    def __len__(self) -> int:
        return len(self._plans)

    def add(self, plan: StepPlan) -> None:
        """Take a step that is to run."""
        self._plans.append(plan)

    def look(self, wait: bool) -> tuple[list[str], list[str]]:
        """Record the steps that were taken."""
        with self._history.transaction():
            done = [self._record(plan) for plan in self._plans]
        self._plans.clear()
        return done, []

    def stop(self) -> list[str]:
        """Nothing goes on."""
        return []

    def give_back(self, node_id: str) -> None:
        """Nothing is claimed."""

    def defeats(self) -> list[object]:
        """Nothing is looked into."""
        return []

    def close(self) -> None:
        """Leave nothing behind."""
        self._folder.rmdir()

    def _record(self, plan: StepPlan) -> str:
        outputs = {o.name: self._kept(o.name, plan.node_id) for o in plan.spec.outputs}
        details, _ = self._ledger.place_outputs(plan.spec, outputs, plan.row.id)
        self._history.add_result(
            self._workspace,
            plan.key,
            plan.spec.name,
            plan.row.id,
            outputs=outputs,
            artifacts=self._artifacts,
            document=plan.masked,
            conditions={
                "tree": plan.content.digest,
                "paths": deciding_paths(plan.spec),
                "after": [],
                "reads": [],
                "files": {},
            },
            effects=[],
            reusable=True,
            duration_s=0.01,
        )
        columns = {"status": "Finished", "started": now(), "ended": now(), "exit_code": 0}
        self._history.update_run(
            plan.row.id, **columns, artifacts=self._artifacts, details={**plan.given(), "attempts": 1, **details}
        )
        self._ledger.done(plan, outputs, plan.row.id)
        self._outcomes.ran(plan.spec, 0.01, "recorded", [])
        return plan.node_id

    def _kept(self, name: str, text: str) -> str:
        file = self._folder / name
        file.write_text(text)
        return self._store.adopt(file).digest


if __name__ == "__main__":
    attempts.Attempts = Recorded  # type: ignore[assignment,misc]
    sys.exit(main(["run", *sys.argv[1:]]))
