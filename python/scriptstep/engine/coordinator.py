"""What decides: order, verdicts, which attempt counts. One thread a run; executors place and report."""

from __future__ import annotations

import os
import threading
import time
import traceback
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scriptstep.console import (
    Notice,
    RunEnded,
    RunStarted,
    StepEnded,
    StepRetried,
    StepStarted,
    StepWaiting,
    Verdict,
    console,
    notice,
)
from scriptstep.console.log_tail import log_tail
from scriptstep.data.transfer import TransferCancelled, cancel_when
from scriptstep.engine.active_run import ActiveRun, remember
from scriptstep.engine.attempt import State, Status
from scriptstep.engine.claims import Claims
from scriptstep.engine.contents import import_roots
from scriptstep.engine.endings import why_ended, why_missing, why_refused
from scriptstep.engine.executors.git_source import GitSources
from scriptstep.engine.executors.local import LocalExecutor
from scriptstep.engine.executors.terminal import run_on_terminal
from scriptstep.engine.planner import Planner
from scriptstep.engine.processes import failed_rank
from scriptstep.engine.recorder import Recorder
from scriptstep.engine.remains import remove_remains
from scriptstep.engine.retries import Retries
from scriptstep.engine.run_record import RunRecord
from scriptstep.engine.step_plan import StepPlan
from scriptstep.engine.submission import Submission
from scriptstep.errors import AzureMLException
from scriptstep.graph import StepSpec
from scriptstep.history import now

__all__ = ["start"]

_POLL_S = 0.05
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
        self._running: dict[str, StepPlan] = {}
        self._ending: set[str] = set()
        self._retries = Retries(submission.retries)
        self._failed: dict[str, str] = {}
        self._cancelled = False
        self._counts = {"ran": 0, "reused": 0, "failed": 0, "not run": 0, "cancelled": 0}
        self._saved_s = 0.0
        self._next_cancel_look = 0.0
        self._record = RunRecord(submission, self._specs, self._order)
        self.run_id, self._run_row, self._rows = self._record.id, self._record.row, self._record.rows

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
            status = "Canceled" if self._cancelled else "Failed" if self._failed else self._s.good_end
        except AzureMLException as mistake:
            error = {"message": mistake.message, "help": mistake.help}
            console().send(Notice("error", mistake.message, mistake.help))
        except BaseException as fault:
            run.error = fault
            report = self._home / self._run_row.directory / "coordinator.log"
            report.write_text(traceback.format_exc(), encoding="utf-8")
            message, helped = f"scriptstep itself failed: {fault!r}", f"please report it, with {report}"
            error = {"message": message, "help": helped}
            console().send(Notice("error", message, helped))
        finally:
            self._close(run, status, error, time.monotonic() - started)

    def _close(self, run: ActiveRun, status: str, error: dict[str, Any] | None, seconds: float) -> None:
        try:
            if self._failed and error is None:
                named = ", ".join(sorted({self._specs[n].name for n in self._failed}))
                error = {
                    "message": f"failed: {named}",
                    "steps": {self._specs[n].name: m for n, m in self._failed.items()},
                }
                if self._s.alone:
                    error["message"] = next(iter(self._failed.values()))
            self._history.update_run(self.run_id, status=status, ended=now(), error=error)
            done = self._counts
            helped = f"scriptstep logs {self.run_id[:4]}" if self._failed else None
            console().send(
                RunEnded(
                    self.run_id,
                    status,
                    done["ran"],
                    done["reused"],
                    done["failed"],
                    len(self._order) - sum(done[k] for k in ("ran", "reused", "failed", "cancelled")),
                    seconds,
                    self._saved_s,
                    helped,
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
        self._recorder = Recorder(self._s, self._specs, self._history, self._store, self._planner, self._run_row)
        waiting = {n: set(self._planner.above[n]) for n in self._order}
        below: dict[str, list[str]] = {n: [] for n in self._order}
        for node_id, above in waiting.items():
            for other in above:
                below[other].append(node_id)
        ready = deque(n for n in self._order if not waiting[n])
        to_run: deque[StepPlan] = deque()
        self._claims = Claims(self._home / "claims", self._workspace.name, self.run_id)
        executor = LocalExecutor(self._jobs)
        cancel_when(lambda: self._is_cancel_asked(run))
        git = GitSources({spec.source_directory for spec in self._specs.values()} - set(self._s.contents))
        try:
            while ready or to_run or self._running or self._claims or self._retries:
                self._look_for_cancel(run)
                done: list[str] = []
                if self._stopping:
                    done += self._stop(executor, to_run)
                    ready.clear()
                to_run.extendleft(self._retries.due())
                while ready and len(to_run) + len(self._running) < self._jobs * 4:
                    done += self._decide(ready.popleft(), to_run)
                again: list[str] = []
                while (plan := self._next_to_run(to_run)) is not None:
                    if self._claimed(plan, again):
                        done += self._launch(plan, executor)
                if (self._running or self._claims or self._retries) and not (done or again):
                    executor.wait(_POLL_S)
                done += self._collect(executor)
                again += self._look_at_claims()
                ready.extendleft(again)
                for node_id in done:
                    self._claims.give_back(node_id)
                    for other in below[node_id]:
                        waiting[other].discard(node_id)
                        if not waiting[other]:
                            ready.append(other)
        finally:
            executor.close()
            self._claims.close()
            self._keep_git(git)
        self._tell_not_run()
        for found in self._recorder.defeats():
            console().send(Notice("warning", found.text, found.help))
        self._store.sync(self._recorder.trees)

    def _keep_git(self, git: GitSources) -> None:
        """Keeps what git says of each step's source; of the run, where its steps have one."""
        found = git.properties(_GIT_S)
        if not any(found.values()):
            return
        first, *others = found.values()
        with self._history.transaction():
            if all(other == first for other in others):
                self._history.set_properties(self.run_id, first)
                self._history.share_properties(self.run_id, list(first))
                return
            for node_id, spec in self._specs.items():
                self._history.set_properties(self._rows[node_id].id, found.get(spec.source_directory, {}))

    @property
    def _stopping(self) -> bool:
        return self._cancelled or (bool(self._failed) and not self._s.continue_on_step_failure)

    # --- one step

    def _decide(self, node_id: str, to_run: deque[StepPlan]) -> list[str]:
        """Gives a verdict. Returns the node where it is done with: reused, or failed before it could run."""
        spec = self._specs[node_id]
        plan: StepPlan | None = None
        try:
            if any(above in self._failed or above in self._planner.skipped for above in self._planner.above[node_id]):
                self._planner.skipped.add(node_id)
                return [node_id]
            plan = self._planner.plan(node_id, self._rows[node_id])
            if plan.verdict.reuse is None and self._s.again is not None and plan.compared is None:
                self._planner.skipped.add(node_id)
                return [node_id]
            if plan.verdict.reuse is None:
                to_run.append(plan)
                return []
            reason = self._recorder.reuse(plan)
        except TransferCancelled:
            if plan is None:
                self._planner.skipped.add(node_id)
            else:
                self._stopped(plan, None)
            return [node_id]
        except AzureMLException as mistake:
            self._fail(node_id, why_refused(spec, mistake), plan, None)
            return [node_id]
        self._counts["reused"] += 1
        self._saved_s += plan.verdict.reuse.duration_s
        self._tell(spec, "reused", plan.verdict.reuse.duration_s, reason)
        return [node_id]

    def _next_to_run(self, to_run: deque[StepPlan]) -> StepPlan | None:
        """Takes out the first step that has room: on this machine, and on its compute target."""
        if len(self._running) >= self._jobs:
            return None
        for plan in to_run:
            target = plan.spec.compute[0] if plan.spec.compute else None
            table = (self._s.in_force.compute or {}).get(target or "")
            beside = sum(1 for p in self._running.values() if p.spec.compute == plan.spec.compute)
            if table is None or table.max_nodes is None or beside < table.max_nodes:
                to_run.remove(plan)
                return plan
        return None

    def _claimed(self, plan: StepPlan, again: list[str]) -> bool:
        """Tells whether a step may run, and no other run does its work; else it waits, or goes into `again`."""
        if not plan.reusable or plan.attempt > 1:
            return True
        if not self._claims.take(plan.node_id, plan.key):
            return False
        if self._planner.is_outdated(plan):
            self._claims.give_back(plan.node_id)
            again.append(plan.node_id)
            return False
        return True

    def _look_at_claims(self) -> list[str]:
        """Tells for whom steps wait. Returns those whose wait is over, to be planned again."""
        freed, news = self._claims.look()
        for node_id, other in news.items():
            console().send(StepWaiting(self._specs[node_id].name, other, self.run_id))
        return freed

    def _launch(self, plan: StepPlan, executor: LocalExecutor) -> list[str]:
        try:
            attempt = self._recorder.begin(plan)
        except TransferCancelled:
            self._stopped(plan, None)
            return [plan.node_id]
        except AzureMLException as mistake:
            self._fail(plan.node_id, why_refused(plan.spec, mistake), plan, plan.failed)
            return [plan.node_id]
        plan.logs = tuple(map(Path, attempt.logs))
        if self._s.debug == plan.spec.name:
            told = "; ".join(plan.verdict.reasons)
            console().send(Notice("note", f"step '{plan.spec.name}' runs on this terminal: {told}", None))
            status = run_on_terminal(attempt)
            self._recorder.take_events(plan)
            self._end(plan, status, self._fault(plan, status))
            return [plan.node_id]
        plan.handle = executor.submit(attempt)
        self._running[plan.handle] = plan
        if attempt.node_count > 1:
            notice("nodes are simulated: all processes of a step run on this machine", level="warning")
        console().send(StepStarted(plan.spec.name, self.run_id, (*attempt.logs, attempt.log)[0]))
        return []

    def _collect(self, executor: LocalExecutor) -> list[str]:
        done: list[str] = []
        for handle, status in executor.poll(list(self._running)).items():
            plan = self._running[handle]
            self._recorder.take_events(plan)
            if status.state in (State.QUEUED, State.RUNNING):
                continue
            del self._running[handle]
            fault = self._fault(plan, status)
            if fault is None and self._retries.is_due(plan, status) and not self._stopping:
                self._put_off(plan, status)
                continue
            done.append(plan.node_id)
            self._end(plan, status, fault)
        return done

    def _fault(self, plan: StepPlan, status: Status) -> AzureMLException | None:
        """Returns: what an attempt that did not succeed did to its inputs, or None."""
        return None if status.state is State.SUCCEEDED else self._recorder.damage(plan)

    def _put_off(self, plan: StepPlan, status: Status) -> None:
        why, retry, most = why_ended(plan.spec, status), plan.attempt, self._retries.most(plan)
        delay = self._retries.put_off(plan, status)
        console().send(StepRetried(plan.spec.name, retry, most, delay, why, self.run_id))

    def _end(self, plan: StepPlan, status: Status, fault: AzureMLException | None) -> None:
        spec = plan.spec
        if status.state is State.CANCELLED:
            if fault is not None:
                console().send(Notice("warning", fault.message, fault.help))
            self._stopped(plan, status)
            return
        if status.state is not State.SUCCEEDED:
            if status.state is State.FAILED and status.rank is None:
                status = replace(status, rank=failed_rank(plan.folder.log))
            more = [f"tried {plan.attempt} times"] if plan.attempt > 1 else []
            more += [f"nobody wrote its input '{i.spec.name}'" for i in plan.inputs if not i.written]
            more += [fault.message] if fault is not None else []
            why = "; ".join([why_ended(spec, status), *more])
            if spec.hash_paths == "imports":
                lines = log_tail(plan.log_of(status.rank))
                why += why_missing(lines, self._planner.left_out(spec), import_roots(spec))
            self._fail(plan.node_id, why, plan, status)
            return
        try:
            reason, warnings = self._recorder.finish(plan, status)
        except TransferCancelled:
            self._stopped(plan, status)
            return
        except AzureMLException as mistake:
            self._fail(plan.node_id, why_refused(spec, mistake), plan, status)
            return
        for warning in warnings:
            console().send(Notice("warning", warning, None))
        self._counts["ran"] += 1
        self._tell(spec, "ran", plan.seconds(status), reason)

    def _stopped(self, plan: StepPlan, status: Status | None) -> None:
        """Takes down that a step was cancelled: while it ran, or while files were fetched or put for it."""
        error = {"message": "cancelled"}
        if status is not None:
            self._recorder.stopped(plan, "Canceled", error, status)
        else:
            self._history.update_run(plan.row.id, status="Canceled", ended=now(), error=error)
        self._counts["cancelled"] += 1
        self._tell(plan.spec, "cancelled", plan.seconds(status) if status is not None else None, "")

    def _fail(self, node_id: str, message: str, plan: StepPlan | None, status: Status | None) -> None:
        self._failed[node_id] = message
        self._counts["failed"] += 1
        row, spec = self._rows[node_id], self._specs[node_id]
        error: dict[str, Any] = {"message": message, "step": spec.name}
        tail: list[str] = []
        if plan is not None and status is not None:
            if status.rank is not None:
                error["rank"] = status.rank
            self._recorder.stopped(plan, "Failed", error, status)
            tail = log_tail(plan.log_of(status.rank))
        else:
            fields = {} if plan is None else {"details": self._recorder.known(plan)}
            self._history.update_run(row.id, status="Failed", ended=now(), error=error, **fields)
        seconds = plan.seconds(status) if plan is not None and status is not None else None
        self._tell(spec, "failed", seconds, message, tail)

    def _tell(
        self, spec: StepSpec, verdict: Verdict, seconds: float | None, reason: str, tail: Sequence[str] = ()
    ) -> None:
        console().send(StepEnded(spec.name, verdict, seconds, reason, tail, self.run_id, spec.allow_reuse))

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

    def _stop(self, executor: LocalExecutor, to_run: deque[StepPlan]) -> list[str]:
        """Ends what runs, and lets nothing follow. Returns the nodes that had begun, and wait for another attempt."""
        for handle in self._running.keys() - self._ending:
            self._ending.add(handle)
            executor.cancel(handle)
        begun = [*self._retries.drop(), *(plan for plan in to_run if plan.attempt > 1)]
        for plan in begun:
            self._stopped(plan, plan.failed)
        to_run.clear()
        self._claims.forget_waiting()
        return [plan.node_id for plan in begun]

    def _tell_not_run(self) -> None:
        status = "Canceled" if self._cancelled else "NotStarted"
        needed = self._needed_and_failed()
        with self._history.transaction():
            for node_id in self._order:
                if node_id in self._planner.outputs or node_id in self._failed:
                    continue
                row = self._history.run(self._rows[node_id].id)
                if row is None or row.ended is not None:
                    continue
                self._history.update_run(row.id, status=status, ended=now())
                reason = f"needs {needed[node_id]}" if node_id in needed else ""
                self._tell(self._specs[node_id], "not run", None, reason)

    def _needed_and_failed(self) -> dict[str, str]:
        """Returns: for each node below a failed one, the name of such a step."""
        found: dict[str, str] = {}
        for node_id in self._order:
            for other in self._planner.above[node_id]:
                name = self._specs[other].name if other in self._failed else found.get(other)
                if name is not None:
                    found[node_id] = name
        return found
