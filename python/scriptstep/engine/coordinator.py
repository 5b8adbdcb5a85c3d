"""What decides: order, verdicts, which attempt counts. One thread a run; executors place and report."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from scriptstep.console import Notice, RunEnded, RunStarted, console
from scriptstep.data.transfer import TransferCancelled, cancel_when
from scriptstep.engine.active_run import ActiveRun, remember
from scriptstep.engine.executors.git_source import GitSources
from scriptstep.engine.ledger import Ledger
from scriptstep.engine.outcomes import Outcomes
from scriptstep.engine.planner import Planner
from scriptstep.engine.remains import remove_remains
from scriptstep.engine.run_record import RunRecord
from scriptstep.engine.step_plan import StepPlan
from scriptstep.engine.submission import Submission
from scriptstep.errors import AzureMLException
from scriptstep.graph import StepSpec
from scriptstep.history import now

if TYPE_CHECKING:
    from scriptstep.engine.attempts import Attempts

__all__ = ["start"]

_CANCEL_POLL_S = 0.25
_GIT_S = 1.0


def start(submission: Submission) -> ActiveRun:
    """Records a run and starts it; returns at once.

    Args:
        submission: What to run.

    Returns:
        The run; its thread lives until it ends, and the interpreter waits for it.

    Raises:
        UserErrorException: The graph cannot be run: a cycle, a run started inside a step.
    """
    coordinator = _Coordinator(submission)
    run = ActiveRun(coordinator.run_id)
    remember(run)
    thread = threading.Thread(target=coordinator.main, args=(run,), name=f"scriptstep run {run.run_id[:8]}")
    thread.start()
    return run


class _Coordinator:
    def __init__(self, submission: Submission) -> None:
        self._s = submission
        self._workspace = submission.workspace
        self._history, self._store = submission.catalog.history, submission.catalog.store
        self._home = self._workspace._place.home
        self._order = submission.graph.order()
        self._specs: dict[str, StepSpec] = {n.node_id: n.spec for n in submission.graph.module_nodes}
        # A step on the terminal has it for itself.
        self._jobs = 1 if submission.debug else max(1, submission.jobs or os.cpu_count() or 1)
        self._attempts: Attempts | None = None
        self._cancelled = False
        self._next_cancel_look = 0.0
        self._record = RunRecord(submission, self._specs, self._order)
        self.run_id, self._run_row, self._rows = self._record.id, self._record.row, self._record.rows
        self._outcomes = Outcomes(self._specs, self._rows, self._history, self.run_id)

    # --- the thread

    def main(self, run: ActiveRun) -> None:
        """Coordinates the run to its end, whatever happens; the body of its thread."""
        started = time.monotonic()
        status, error = "Failed", None
        try:
            self._history.update_run(self.run_id, status="Running", started=now())
            console().send(
                RunStarted(
                    self.run_id,
                    self._run_row.name,
                    len(self._order),
                    min(self._jobs, len(self._order) or 1),
                    [self._specs[n].name for n in self._order],
                )
            )
            remove_remains(self._history, self._home)
            self._coordinate(run)
            status = "Canceled" if self._cancelled else "Failed" if self._outcomes.failed else self._s.good_end
        except AzureMLException as mistake:
            error = {"message": mistake.message, "help": mistake.help}
            console().send(Notice("error", mistake.message, mistake.help))
        except BaseException as fault:
            run.error = fault
            message, helped = self._told(fault)
            error = {"message": message, "help": helped}
            console().send(Notice("error", message, helped))
        finally:
            self._close(run, status, error, time.monotonic() - started)

    def _told(self, fault: BaseException) -> tuple[str, str]:
        """Returns: what ended the coordination, and what to do: a full disk is no fault of ours, all else is."""
        if isinstance(fault, OSError) and fault.errno in (errno.ENOSPC, errno.EDQUOT):
            place = fault.filename or self._home
            return f"no space is left on the disk of {place}", "free some, and run again"
        import traceback

        report = self._home / self._run_row.directory / "coordinator.log"
        report.write_text("".join(traceback.format_exception(fault)), encoding="utf-8")
        return f"scriptstep itself failed: {fault!r}", f"please report it, with {report}"

    def _close(self, run: ActiveRun, status: str, error: dict[str, Any] | None, seconds: float) -> None:
        try:
            failed, counts = self._outcomes.failed, self._outcomes.counts
            if failed and error is None:
                named = ", ".join(sorted({self._specs[n].name for n in failed}))
                error = {"message": f"failed: {named}", "steps": {self._specs[n].name: m for n, m in failed.items()}}
                if self._s.alone:
                    error["message"] = next(iter(failed.values()))
            self._history.update_run(self.run_id, status=status, ended=now(), error=error)
            console().send(
                RunEnded(
                    self.run_id,
                    status,
                    counts["ran"],
                    counts["reused"],
                    counts["failed"],
                    len(self._order) - sum(counts.values()),
                    seconds,
                    self._outcomes.saved_s,
                    f"scriptstep logs {self.run_id[:4]}" if failed else None,
                )
            )
        except BaseException as fault:
            run.error = run.error or fault
        finally:
            self._record.release()
            run._ended.set()

    def _coordinate(self, run: ActiveRun) -> None:
        self._planner = Planner(self._s, self._specs, self._history, self._store, self.run_id)
        self._planner.read_contents()
        if not self._s.alone:
            # Whoever publishes the run publishes what it ran.
            details = {**self._run_row.details, "contents": self._planner.contents}
            self._history.update_run(self.run_id, details=details)
        self._ledger = Ledger(self._s, self._planner, self._run_row)
        waiting = {n: len(self._planner.above[n]) for n in self._order}
        below: dict[str, list[str]] = {n: [] for n in self._order}
        for node_id in self._order:
            for other in self._planner.above[node_id]:
                below[other].append(node_id)
        ready = deque(n for n in self._order if not waiting[n])
        cancel_when(lambda: self._is_cancel_asked(run))
        git = GitSources({spec.source_directory for spec in self._specs.values()} - set(self._s.contents))
        try:
            while ready or self._attempts:
                done: list[str] = []
                self._look_for_cancel(run)
                while ready and not self._stopping and (self._attempts is None or self._attempts.has_room):
                    done += self._decide(ready.popleft())
                    self._look_for_cancel(run)
                if self._stopping:
                    ready.clear()
                if self._attempts is not None:
                    done += self._attempts.stop() if self._stopping else []
                    # What is done with may let others start: nobody waits for an end then.
                    ended, again = self._attempts.look(wait=not done)
                    done += ended
                    ready.extendleft(again)
                for node_id in done:
                    if self._attempts is not None:
                        self._attempts.give_back(node_id)
                    for other in below[node_id]:
                        waiting[other] -= 1
                        if not waiting[other]:
                            ready.append(other)
        finally:
            if self._attempts is not None:
                self._attempts.close()
            self._ledger.settle()
            self._keep_git(git)
        self._tell_not_run()
        for found in self._attempts.defeats() if self._attempts is not None else ():
            console().send(Notice("warning", found.text, found.help))
        self._store.sync(self._ledger.trees)

    def _keep_git(self, git: GitSources) -> None:
        """Keeps what git says of each step's source; of the run, where its steps have one."""
        found = git.properties(_GIT_S)
        if not any(found.values()):
            return
        first, *others = found.values()
        with self._history.transaction():
            if all(other == first for other in others):
                self._history.set_properties(self.run_id, first)
                return
            for node_id, spec in self._specs.items():
                self._history.set_properties(self._rows[node_id].id, found.get(spec.source_directory, {}))

    @property
    def _stopping(self) -> bool:
        return self._cancelled or (bool(self._outcomes.failed) and not self._s.continue_on_step_failure)

    # --- one step

    def _decide(self, node_id: str) -> list[str]:
        """Gives a verdict. Returns the node where it is done with: reused, or failed before it could run."""
        planner, failed = self._planner, self._outcomes.failed
        plan: StepPlan | None = None
        try:
            if any(above in failed or above in planner.skipped for above in planner.above[node_id]):
                planner.skipped.add(node_id)
                return [node_id]
            plan = planner.plan(node_id, self._rows[node_id])
            if plan.verdict.reuse is None and self._s.again is not None and plan.compared is None:
                planner.skipped.add(node_id)
                return [node_id]
            if plan.verdict.reuse is None:
                self._add_to_run(plan)
                return []
            reason = self._ledger.reuse(plan)
        except TransferCancelled:
            if plan is None:
                planner.skipped.add(node_id)
            else:
                self._outcomes.cancelled(plan)
            return [node_id]
        except AzureMLException as mistake:
            from scriptstep.engine.endings import why_refused

            self._outcomes.refused(node_id, why_refused(self._specs[node_id], mistake), plan)
            return [node_id]
        self._outcomes.reused(plan.spec, plan.verdict.reuse.duration_s, reason)
        return [node_id]

    def _add_to_run(self, plan: StepPlan) -> None:
        if self._attempts is None:
            # Much is loaded for it, which a run with nothing to do is spared.
            from scriptstep.engine.attempts import Attempts

            self._planner.is_quiet = False
            self._attempts = Attempts(
                self._s,
                self._specs,
                self._planner,
                self._ledger,
                self._outcomes,
                self.run_id,
                self._jobs,
                lambda: self._stopping,
            )
        self._attempts.add(plan)

    # --- the end

    def _look_for_cancel(self, run: ActiveRun) -> None:
        if not self._cancelled and self._is_cancel_asked(run):
            self._cancelled = True

    def _is_cancel_asked(self, run: ActiveRun) -> bool:
        if run._cancel.is_set():
            return True
        if time.monotonic() < self._next_cancel_look:
            return False
        self._next_cancel_look = time.monotonic() + _CANCEL_POLL_S
        if self._history.cancel_requested(self.run_id):
            # Kept, so that what was given up for it is followed by the end of the run.
            run._cancel.set()
        return run._cancel.is_set()

    def _tell_not_run(self) -> None:
        status, failed = "Canceled" if self._cancelled else "NotStarted", self._outcomes.failed
        needed = self._needed_and_failed()
        with self._history.transaction():
            for node_id in self._order:
                if node_id in self._planner.outputs or node_id in failed:
                    continue
                row = self._history.run(self._rows[node_id].id)
                if row is None or row.ended is not None:
                    continue
                self._history.update_run(row.id, status=status, ended=now())
                self._outcomes.not_run(node_id, f"needs {needed[node_id]}" if node_id in needed else "")

    def _needed_and_failed(self) -> dict[str, str]:
        """Returns: for each node below a failed one, the name of such a step."""
        found: dict[str, str] = {}
        for node_id in self._order:
            for other in self._planner.above[node_id]:
                name = self._specs[other].name if other in self._outcomes.failed else found.get(other)
                if name is not None:
                    found[node_id] = name
        return found
