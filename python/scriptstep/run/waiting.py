"""Waiting for runs: of this process, of another one, and for what is left when the interpreter ends."""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from scriptstep.console import Event, RunEnded, RunStarted, StepEnded, StepStarted, console, emit, notice
from scriptstep.console.follow import Follower
from scriptstep.console.log_tail import log_tail
from scriptstep.console.text import count
from scriptstep.errors import ActivityFailedException
from scriptstep.history import RunRow
from scriptstep.run.files import log_of_rank
from scriptstep.run.status import COORDINATED, ENDED, short, took, why

if TYPE_CHECKING:
    from scriptstep.engine.active_run import ActiveRun
    from scriptstep.run.run import Run

__all__ = [
    "ask_for_cancel",
    "cancel_and_wait",
    "failure",
    "remember",
    "remembered",
    "wait_for_pipeline",
    "wait_for_run",
]

_POLL_S = 0.2
_CANCEL_S = 30.0
_submitted: list[ActiveRun] = []


def remember(active: ActiveRun) -> None:
    """Keeps a run of this process in mind: the interpreter does not end before it.

    Args:
        active: The run.
    """
    if not _submitted:
        # Before the interpreter waits for our thread by itself: there Ctrl-C would not be ours to answer any more.
        register = cast(
            "Callable[[Callable[[], None]], object]", getattr(threading, "_register_atexit", atexit.register)
        )
        register(_at_exit)
    _submitted.append(active)


def remembered() -> list[ActiveRun]:
    """Returns: the runs of this process, in the order that they were submitted in."""
    return list(_submitted)


def _at_exit() -> None:
    for active in _submitted:
        if active.done:
            continue
        notice(f"waiting for run {short(active.run_id)} to end; Ctrl-C cancels it")
        try:
            _wait_active(active, None)
        except KeyboardInterrupt:
            cancel_and_wait()


def cancel_and_wait() -> bool:
    """Cancels the runs of this process that have not ended, and waits for that, half a minute at most.

    Returns:
        Whether there were any.
    """
    open_runs = [active for active in _submitted if not active.done]
    for active in open_runs:
        active.cancel()
    end = time.monotonic() + _CANCEL_S
    for active in open_runs:
        _wait_quietly(active, end - time.monotonic())
    return bool(open_runs)


def _wait_quietly(active: ActiveRun, seconds: float) -> None:
    with suppress(KeyboardInterrupt):  # said once is enough: the cancel is under way
        active.wait(max(0.0, seconds))


def wait_for_pipeline(run: Run, show_output: bool, timeout_seconds: float, raise_on_error: bool) -> str:
    """Waits for the end of a pipeline run, or of a step of one.

    Args:
        run: The run.
        show_output: Tell of the steps of a run that another process coordinates; one of this process is told of anyhow.
        timeout_seconds: How long to wait at most.
        raise_on_error: Raise where it failed.

    Returns:
        Its status.

    Raises:
        ActivityFailedException: It failed.
        KeyboardInterrupt: The user gave up; a run of this process is cancelled first.
    """
    from scriptstep.engine.active_run import active as active_run

    row = run._row()
    active = active_run(row.parent or row.id if row.kind == "step" else row.id)
    limit = time.monotonic() + timeout_seconds
    meanwhile = _LogPrinter(run) if show_output and row.kind == "script" else _nothing
    if active is not None and row.kind != "step":
        try:
            _wait_active(active, timeout_seconds, meanwhile)
        except KeyboardInterrupt:
            active.cancel()
            _wait_quietly(active, _CANCEL_S)
            raise
    else:
        if active is not None:
            active.wait(0)
        tells = show_output and active is None and row.kind == "pipeline"
        _watch(run, limit, _Watcher(run).look if tells else meanwhile)
    status = run.get_status()
    if status not in ENDED and not run._row().ended:
        notice(f"run {short(run.id)} is not over after {timeout_seconds:g} s: {status}", level="warning", once=False)
    elif status == "Failed" and raise_on_error:
        error = failure(run)
        error._told = active is not None  # type: ignore[attr-defined]
        raise error
    return status


def ask_for_cancel(run: Run) -> None:
    """Asks for the end of a pipeline run, whichever process coordinates it.

    Args:
        run: The run.
    """
    from scriptstep.engine.active_run import active as active_run

    run._catalog.request_cancel(run.id)
    if (active := active_run(run.id)) is not None:
        active.cancel()


def wait_for_run(run: Run, show_output: bool, raise_on_error: bool) -> None:
    """Waits for the end of a run that is not known to be a pipeline's.

    Raises:
        ActivityFailedException: It failed.
    """
    row = run._row()
    if row.kind in COORDINATED:
        wait_for_pipeline(run, show_output and row.kind == "script", float("inf"), raise_on_error)
        return
    _watch(run, float("inf"))
    if raise_on_error and run.get_status() == "Failed":
        raise failure(run)


def _nothing(over: bool) -> None:
    """What is done while waiting, where nothing is."""


def _wait_active(active: ActiveRun, seconds: float | None, meanwhile: Callable[[bool], None] = _nothing) -> None:
    # In short pieces: a wait without end does not hear Ctrl-C everywhere.
    end = None if seconds is None else time.monotonic() + min(seconds, 1e9)
    while not active.wait(_POLL_S if end is None else max(0.0, min(_POLL_S, end - time.monotonic()))):
        meanwhile(False)
        if end is not None and time.monotonic() >= end:
            return
    meanwhile(True)


def _watch(run: Run, limit: float, meanwhile: Callable[[bool], None] = _nothing) -> None:
    while True:
        over = run.get_status() in ENDED or run._row().ended is not None
        meanwhile(over)
        if over or time.monotonic() >= limit:
            return
        time.sleep(max(0.0, min(_POLL_S, limit - time.monotonic())))


class _LogPrinter:
    """Prints what a script prints, as it comes."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._follower: Follower | None = None

    def __call__(self, over: bool) -> None:
        if self._follower is None:
            log = log_of_rank(self._run._catalog.files(self._run.id))
            if log is None:
                return
            self._follower = Follower(str(log))
        for line in self._follower.lines(whole=over):
            emit(line)


class _Watcher:
    """Tells of a run that another process coordinates, from what the history says."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._told: dict[str, str] = {}
        row = run._row()
        names = [r.name for r in self._steps()]
        self._send(RunStarted(run.id, row.name, len(names), 1, names))

    def _steps(self) -> list[RunRow]:
        return list(reversed(self._run._catalog.runs(parent=self._run.id, kind="step")))

    def _send(self, event: Event) -> None:
        console().send(event)

    def look(self, over: bool) -> None:
        steps = self._steps()
        for row in steps:
            if self._told.get(row.id) == "ended":
                continue
            if row.ended is not None or (over and row.id not in self._told and row.status not in ENDED):
                self._told[row.id] = "ended"
                self._send(self._ended(row))
            elif row.started is not None and row.id not in self._told:
                self._told[row.id] = "started"
                self._send(StepStarted(row.name, self._run.id))
        if over:
            self._summary(steps)

    def _ended(self, row: RunRow) -> StepEnded:
        reason = why(row.verdict) or str((row.error or {}).get("message", ""))
        if row.status == "Failed":
            reason = str((row.error or {}).get("message", reason))
            return StepEnded(row.name, "failed", took(row), reason, tail(self._run, row), self._run.id)
        if row.reused_from:
            origin = self._run._catalog.run(row.reused_from)
            told = f"from run {short(origin.parent or origin.id)}" if origin else reason
            return StepEnded(row.name, "reused", took(origin) if origin else None, told, (), self._run.id)
        if row.status == "Finished":
            return StepEnded(row.name, "ran", took(row), reason, (), self._run.id)
        if row.status == "Canceled" and row.started is not None:
            return StepEnded(row.name, "cancelled", took(row), "", (), self._run.id)
        return StepEnded(row.name, "not run", None, "", (), self._run.id)

    def _summary(self, steps: list[RunRow]) -> None:
        row, catalog = self._run._row(), self._run._catalog
        done = [r for r in steps if r.status == "Finished"]
        origins = [catalog.run(r.reused_from) for r in done if r.reused_from]
        self._send(
            RunEnded(
                row.id,
                self._run.get_status(),
                sum(1 for r in done if not r.reused_from),
                len(origins),
                sum(1 for r in steps if r.status == "Failed"),
                sum(1 for r in steps if r.started is None),
                took(row) or 0.0,
                sum(took(o) or 0.0 for o in origins if o),
            )
        )


def failure(run: Run) -> ActivityFailedException:
    """Makes the error of a run that failed: its failed steps, each with what it said last.

    Args:
        run: The run; a pipeline's, a step's, or any other.

    Returns:
        The error.
    """
    row = run._row()
    steps = [row]
    if row.kind == "pipeline":
        steps = [r for r in reversed(run._catalog.runs(parent=row.id, kind="step")) if r.status == "Failed"]
    head = (
        f"{count(len(steps), 'step')} of run {short(run.id)} failed"
        if row.kind == "pipeline"
        else f"'{row.name}' failed"
    )
    lines = [head + (f": {', '.join(s.name for s in steps)}" if row.kind == "pipeline" and steps else "")]
    if not steps:
        message = (row.error or {}).get("message") or "the process that coordinated it ended before it did"
        lines[0] = f"run {short(run.id)} failed: {message}"
    for step in steps:
        lines.append(f"{step.name}: {(step.error or {}).get('message', 'failed')}")
        lines += [f"  | {line}" for line in tail(run, step)]
    return ActivityFailedException("\n".join(lines), help=f"scriptstep logs {short(run.id)}")


def tail(run: Run, step: RunRow) -> list[str]:
    """Returns: the last lines of a step, or of its process that failed; a whole traceback where it ended with one."""
    log = log_of_rank(run._catalog.files(step.id), int((step.error or {}).get("rank", 0)))
    if log is None:
        return []
    return log_tail(log)
