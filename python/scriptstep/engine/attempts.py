"""The attempts of one run: which start, how they stand, and what is made of their ends."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scriptstep.console import Notice, StepRetried, StepStarted, StepWaiting, console, notice
from scriptstep.console.log_tail import log_tail
from scriptstep.data.transfer import TransferCancelled
from scriptstep.engine.attempt import State, Status
from scriptstep.engine.claims import Claims
from scriptstep.engine.contents import import_roots
from scriptstep.engine.endings import why_ended, why_missing, why_refused
from scriptstep.engine.executors.local import LocalExecutor
from scriptstep.engine.executors.terminal import run_on_terminal
from scriptstep.engine.ledger import Ledger
from scriptstep.engine.outcomes import Outcomes
from scriptstep.engine.planner import Planner
from scriptstep.engine.processes import failed_rank
from scriptstep.engine.recorder import Recorder
from scriptstep.engine.retries import Retries
from scriptstep.engine.step_plan import StepPlan
from scriptstep.errors import AzureMLException
from scriptstep.graph import StepSpec
from scriptstep.records import replace

if TYPE_CHECKING:
    from scriptstep.engine.comparing.defeats import Defeat
    from scriptstep.engine.submission import Submission

__all__ = ["Attempts"]

_POLL_S = 0.05


class Attempts:
    """Runs steps that are not reused, as many side by side as there is room for.

    Args:
        submission: What is run.
        specs: Its steps, by node.
        planner: Knows what each step is.
        ledger: Hands on what the steps gave.
        outcomes: Is told what they came to.
        run_id: Id of the run.
        jobs: Most steps side by side.
        is_stopping: Tells whether nothing more is to start.
    """

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
        self._s, self._specs, self._run_id = submission, specs, run_id
        self._planner, self._ledger, self._outcomes = planner, ledger, outcomes
        self._jobs, self._is_stopping = jobs, is_stopping
        self._recorder = Recorder(submission, specs, planner, ledger)
        workspace = submission.workspace
        self._claims = Claims(workspace._place.home / "claims", workspace.name, run_id)
        self._retries = Retries(submission.retries)
        self._executor = LocalExecutor(jobs)
        self._to_run: deque[StepPlan] = deque()
        self._running: dict[str, StepPlan] = {}
        self._ending: set[str] = set()

    def __len__(self) -> int:
        return len(self._to_run) + len(self._running) + len(self._claims) + len(self._retries)

    @property
    def has_room(self) -> bool:
        """Returns: whether there is reason to think another step through."""
        return len(self._to_run) + len(self._running) < self._jobs * 4

    def add(self, plan: StepPlan) -> None:
        """Takes a step that is to run."""
        self._to_run.append(plan)

    def look(self, wait: bool) -> tuple[list[str], list[str]]:
        """Starts what has room, and looks what has ended.

        Args:
            wait: Wait a moment for an end, where there is nothing to start.

        Returns:
            The nodes that are done with, and those that are to be planned again.
        """
        self._to_run.extendleft(self._retries.due())
        done, again = self._start()
        if wait and not (done or again) and (self._running or self._claims or self._retries):
            self._executor.wait(_POLL_S)
        ended = self._ended()
        good = [(plan, status) for plan, status in ended if status.state is State.SUCCEEDED]
        for plan, status in ended:
            if status.state is not State.SUCCEEDED:
                done += self._gone_wrong(plan, status)
        if good and not self._is_stopping():
            # To record what ended takes a while: a core need not wait for that.
            more_done, more_again = self._start()
            done += more_done
            again += more_again
        for plan, status in good:
            self._end(plan, status, None)
            done.append(plan.node_id)
        again += self._look_at_claims()
        return done, again

    def stop(self) -> list[str]:
        """Ends what runs, and lets nothing follow.

        Returns:
            The nodes that had begun, and wait for another attempt.
        """
        for handle in self._running.keys() - self._ending:
            self._ending.add(handle)
            self._executor.cancel(handle)
        begun = [*self._retries.drop(), *(plan for plan in self._to_run if plan.attempt > 1)]
        for plan in begun:
            self._stopped(plan, plan.failed)
        self._to_run.clear()
        self._claims.forget_waiting()
        return [plan.node_id for plan in begun]

    def give_back(self, node_id: str) -> None:
        """Lets other runs do the work of a step that is done with."""
        self._claims.give_back(node_id)

    def defeats(self) -> list[Defeat]:
        """Returns: what keeps the steps that ran from ever being reused."""
        return self._recorder.defeats()

    def close(self) -> None:
        """Ends whatever still runs."""
        self._executor.close()
        self._claims.close()

    # --- the start

    def _start(self) -> tuple[list[str], list[str]]:
        """Starts what has room. Returns the nodes that failed at that, and those that are to be planned again."""
        done: list[str] = []
        again: list[str] = []
        while (plan := self._next_to_run()) is not None:
            if self._claimed(plan, again):
                done += self._launch(plan)
        return done, again

    def _next_to_run(self) -> StepPlan | None:
        """Takes out the first step that has room: on this machine, and on its compute target."""
        if len(self._running) >= self._jobs:
            return None
        for plan in self._to_run:
            target = plan.spec.compute[0] if plan.spec.compute else None
            table = (self._s.in_force.compute or {}).get(target or "")
            beside = sum(1 for p in self._running.values() if p.spec.compute == plan.spec.compute)
            if table is None or table.max_nodes is None or beside < table.max_nodes:
                self._to_run.remove(plan)
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
            console().send(StepWaiting(self._specs[node_id].name, other, self._run_id))
        return freed

    def _launch(self, plan: StepPlan) -> list[str]:
        # What runs may ask for the steps before it.
        self._ledger.settle()
        try:
            attempt = self._recorder.begin(plan)
        except TransferCancelled:
            self._outcomes.cancelled(plan)
            return [plan.node_id]
        except AzureMLException as mistake:
            self._fail(plan, why_refused(plan.spec, mistake), plan.failed)
            return [plan.node_id]
        plan.logs = tuple(map(Path, attempt.logs))
        if self._s.debug == plan.spec.name:
            told = "; ".join(plan.verdict.reasons)
            console().send(Notice("note", f"step '{plan.spec.name}' runs on this terminal: {told}", None))
            status = run_on_terminal(attempt)
            self._recorder.take_events(plan)
            self._end(plan, status, self._fault(plan, status))
            return [plan.node_id]
        plan.handle = self._executor.submit(attempt)
        self._running[plan.handle] = plan
        if attempt.node_count > 1:
            notice("nodes are simulated: all processes of a step run on this machine", level="warning")
        console().send(StepStarted(plan.spec.name, self._run_id, (*attempt.logs, attempt.log)[0]))
        return []

    # --- the end

    def _ended(self) -> list[tuple[StepPlan, Status]]:
        """Takes in what runs has told. Returns the attempts that ended, which take nobody's place from now on."""
        ended: list[tuple[StepPlan, Status]] = []
        for handle, status in self._executor.poll(list(self._running)).items():
            plan = self._running[handle]
            self._recorder.take_events(plan)
            if status.state not in (State.QUEUED, State.RUNNING):
                del self._running[handle]
                ended.append((plan, status))
        return ended

    def _gone_wrong(self, plan: StepPlan, status: Status) -> list[str]:
        """Ends an attempt that did not succeed, or puts the next one off. Returns the node, where it is done with."""
        fault = self._fault(plan, status)
        if fault is None and self._retries.is_due(plan, status) and not self._is_stopping():
            self._put_off(plan, status)
            return []
        self._end(plan, status, fault)
        return [plan.node_id]

    def _fault(self, plan: StepPlan, status: Status) -> AzureMLException | None:
        """Returns: what an attempt that did not succeed did to its inputs, or None."""
        return None if status.state is State.SUCCEEDED else self._recorder.damage(plan)

    def _put_off(self, plan: StepPlan, status: Status) -> None:
        why, retry, most = why_ended(plan.spec, status), plan.attempt, self._retries.most(plan)
        delay = self._retries.put_off(plan, status)
        console().send(StepRetried(plan.spec.name, retry, most, delay, why, self._run_id))

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
            self._fail(plan, why, status)
            return
        try:
            reason, warnings = self._recorder.finish(plan, status)
        except TransferCancelled:
            self._stopped(plan, status)
            return
        except AzureMLException as mistake:
            self._fail(plan, why_refused(spec, mistake), status)
            return
        self._outcomes.ran(spec, plan.seconds(status), reason, warnings)

    def _stopped(self, plan: StepPlan, status: Status | None) -> None:
        """Takes down that a step was cancelled: while it ran, or while files were fetched or put for it."""
        if status is None:
            self._outcomes.cancelled(plan)
            return
        self._recorder.stopped(plan, "Canceled", {"message": "cancelled"}, status)
        self._outcomes.cancelled(plan, plan.seconds(status))

    def _fail(self, plan: StepPlan, message: str, status: Status | None) -> None:
        if status is None:
            self._outcomes.refused(plan.node_id, message, plan)
            return
        error: dict[str, Any] = {"message": message, "step": plan.spec.name}
        if status.rank is not None:
            error["rank"] = status.rank
        self._recorder.stopped(plan, "Failed", error, status)
        self._outcomes.fail(plan.node_id, message, plan.seconds(status), log_tail(plan.log_of(status.rank)))
