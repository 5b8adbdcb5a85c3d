"""Runs attempts on this machine, each in a process tree that ends with it, and with this process."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from typing import Any

from scriptstep.engine.attempt import Attempt, Process, State, Status
from scriptstep.engine.executors.protocol import Capabilities
from scriptstep.engine.executors.warden_process import WardenProcess
from scriptstep.errors import ArgumentError

__all__ = ["LocalExecutor"]

_CLOSE_S = 15.0
_TIMEOUT_GRACE_S = 10.0
_LOG_CHUNK = 16 * 1024 * 1024
_MOST_PROCESSES = 1024  # of one attempt: more is a slip of the pen, and would choke the machine
_ENDED = {
    "exit": State.FAILED,
    "timeout": State.TIMEOUT,
    "cancel": State.CANCELLED,
    "orphaned": State.LOST,
    "fault": State.LOST,
    "error": State.FAILED,
}
_KILLED = "the process that runs steps was killed"


class LocalExecutor:
    """Runs attempts on this machine; any thread may use it, and no thread of its own runs.

    A process of its own, the warden, starts and watches them: see warden.py for what that promises.

    Args:
        jobs: Most attempts side by side; others wait, in the order that they came.

    Raises:
        ArgumentError: `jobs` is no count.
    """

    def __init__(self, jobs: int) -> None:
        if jobs < 1:
            raise ArgumentError(f"jobs={jobs}: at least one attempt has to run at a time")
        self._jobs = jobs
        self._changed = threading.Condition(threading.Lock())
        self._warden: WardenProcess | None = None
        self._listening = False  # whether a thread waits for the warden, without the lock
        self._attempts: dict[str, Attempt] = {}
        self._status: dict[str, Status] = {}
        self._queue: deque[str] = deque()
        self._running: set[str] = set()
        self._changes = 0
        self._seen = threading.local()  # how many of the changes each thread has polled
        self._closed = False
        self._lost_because = _KILLED

    def capabilities(self) -> Capabilities:
        """Returns: what it can do."""
        return Capabilities(max_nodes=_MOST_PROCESSES, max_processes=_MOST_PROCESSES)

    def submit(self, attempt: Attempt) -> str:
        """Takes an attempt, and starts it as soon as there is room.

        Args:
            attempt: The attempt; the same id twice is one attempt.

        Returns:
            Its handle. What is wrong with the attempt itself is in its status.

        Raises:
            RuntimeError: The executor was closed.
        """
        with self._changed:
            if attempt.id in self._status:
                return attempt.id
            if self._closed:
                raise RuntimeError("the executor was closed")
            self._attempts[attempt.id] = attempt
            if (fault := _fault_of(attempt)) is not None:
                self._settle(attempt.id, State.FAILED, fault)
            else:
                self._set(attempt.id, Status(State.QUEUED))
                self._queue.append(attempt.id)
                self._start_next()
        return attempt.id

    def poll(self, handles: list[str]) -> dict[str, Status]:
        """Tells how attempts go; does not wait.

        Args:
            handles: Their handles.

        Returns:
            Their statuses, by handle.

        Raises:
            KeyError: A handle that was never given.
        """
        with self._changed:
            self._read()
            self._seen.changes = self._changes
            return {handle: self._status[handle] for handle in handles}

    def wait(self, timeout: float) -> None:
        """Waits until the status of any attempt is not what this thread last polled.

        Args:
            timeout: How long at most, seconds.
        """
        limit = time.monotonic() + timeout
        with self._changed:
            while self._changes == getattr(self._seen, "changes", 0):
                left = limit - time.monotonic()
                if left <= 0:
                    return
                if self._warden is None or self._listening:
                    self._changed.wait(left)
                else:
                    self._listen(self._warden, left)

    def cancel(self, handle: str, grace_s: float = 10) -> None:
        """Ends an attempt with its whole process tree; also one that has not begun. One that ended stays as it is.

        Args:
            handle: Its handle.
            grace_s: Seconds between asking it to end (SIGTERM) and ending it (SIGKILL); a second call can shorten it.
        """
        with self._changed:
            if handle in self._queue:
                self._queue.remove(handle)
                self._settle(handle, State.CANCELLED)
            elif handle in self._running:
                self._order({"do": "cancel", "id": handle, "grace": grace_s})

    def logs(self, handle: str, rank: int = 0, offset: int = 0) -> tuple[bytes, int]:
        """Reads what an attempt printed.

        Args:
            handle: Its handle.
            rank: Which of its processes.
            offset: Bytes that are known already.

        Returns:
            What came since, 16 MiB of it at most, and the next offset.

        Raises:
            KeyError: A handle that was never given.
            ArgumentError: It has no process of that rank.
        """
        attempt = self._attempts[handle]
        logs = attempt.logs or (attempt.log,)
        if not 0 <= rank < len(logs):
            raise ArgumentError(f"there is no rank {rank}: the ranks of step '{attempt.step}' are 0 to {len(logs) - 1}")
        try:
            with open(logs[rank], "rb") as file:
                file.seek(offset)
                data = file.read(_LOG_CHUNK)
        except FileNotFoundError:
            data = b""
        return data, offset + len(data)

    def reattach(self, handles: list[str]) -> None:
        """Reports attempts of a coordinator that is gone as lost: they ended with it.

        Args:
            handles: Their handles.
        """
        with self._changed:
            for handle in handles:
                if handle not in self._status:
                    self._set(handle, Status(State.LOST, message="it ended with the process that ran it"))

    def close(self) -> None:
        """Ends what still runs, and waits for that, 15 s at most; what ran or waited is cancelled then."""
        with self._changed:
            self._closed = True
            while self._queue:
                self._settle(self._queue.popleft(), State.CANCELLED)
            self._end_warden(State.CANCELLED, None)

    # --- all that follows holds the lock

    def _set(self, handle: str, status: Status) -> None:
        before = self._status.get(handle)
        self._status[handle] = status
        if before is not None and before.state is status.state:
            return
        self._changes += 1
        self._changed.notify_all()
        if self._listening and self._warden is not None:
            self._warden.wake()

    def _settle(self, handle: str, state: State, message: str | None = None) -> None:
        """Ends an attempt that never had a process."""
        at = time.time()
        self._set(handle, Status(state, started=at, ended=at, message=message))

    def _start_next(self) -> None:
        while self._queue and len(self._running) < self._jobs:
            handle = self._queue.popleft()
            attempt = self._attempts[handle]
            self._running.add(handle)
            self._set(handle, Status(State.RUNNING, started=time.time()))
            self._order(
                {
                    "do": "start",
                    "id": handle,
                    "processes": _processes(attempt),
                    "cwd": _text(attempt.cwd),
                    "timeout": attempt.timeout_s,
                    "grace": _TIMEOUT_GRACE_S,
                }
            )

    def _order(self, order: dict[str, Any]) -> None:
        try:
            if self._warden is None:
                self._warden = WardenProcess()
                self._changed.notify_all()  # who waited for a change can wait for the warden now
        except OSError as error:
            self._running.discard(order["id"])
            self._settle(order["id"], State.FAILED, f"the process that runs steps cannot be started: {error}")
            return
        try:
            self._warden.send(order)
        except OSError:
            pass  # it is gone: the end of its other pipe says so, once all that it guarded has ended

    def _listen(self, warden: WardenProcess, seconds: float) -> None:
        """Waits for the warden, and lets go of the lock meanwhile."""
        self._listening = True
        self._changed.release()
        try:
            warden.wait(seconds)
        finally:
            self._changed.acquire()
            self._listening = False
            self._changed.notify_all()
        self._read()

    def _read(self) -> None:
        if self._warden is None:
            return
        told, alive = self._warden.receive()
        for what in told:
            self._take(what)
        if not alive:
            self._end_warden(State.LOST, self._lost_because)
        if not self._closed:
            self._start_next()

    def _take(self, told: dict[str, Any]) -> None:
        if told["state"] == "fault":
            self._lost_because = f"the process that runs steps failed:\n{told['message']}"
            return
        handle = told["id"]
        if handle not in self._running:
            return
        status = self._status[handle]
        if told["state"] == "running":
            self._set(handle, Status(State.RUNNING, started=told["time"]))
            return
        self._running.discard(handle)
        if told["state"] == "gone":
            killed = "the process that watched it was killed"
            self._set(handle, Status(State.LOST, started=status.started, ended=told["time"], message=killed))
            return
        code, how, message = told.get("exit"), told["how"], told.get("message")
        self._set(
            handle,
            Status(
                State.SUCCEEDED if how == "exit" and code == 0 else _ENDED[how],
                exit_code=code,
                signal=told.get("signal"),
                started=told["started"],
                ended=told["time"],
                message=f"cannot be started: {message}" if how == "error" else message,
                rank=told.get("rank") if how == "exit" and self._attempts[handle].processes else None,
            ),
        )

    def _end_warden(self, state: State, message: str | None) -> None:
        """Lets the warden go with all that it guards; what still ran gets `state`."""
        warden, self._warden = self._warden, None
        if warden is not None:
            while self._listening:
                warden.wake()
                self._changed.wait(0.1)
            warden.end(_CLOSE_S)
        for handle in list(self._running):
            status = self._status[handle]
            self._running.discard(handle)
            self._set(handle, Status(state, started=status.started, ended=time.time(), message=message))


def _fault_of(attempt: Attempt) -> str | None:
    """Returns: why an attempt cannot be run here, or None."""
    if not hasattr(os, "fork"):
        return "running a step is untried on this system: it needs Linux or macOS"
    if (count := len(attempt.logs)) > _MOST_PROCESSES:
        return f"it asks for {count:,} processes, and {_MOST_PROCESSES:,} are the most that a step gets here"
    for argv in (attempt.argv, *(p.argv for p in attempt.processes)):
        for number, argument in enumerate(argv):
            if "\0" in argument:
                return f"its argument {number} holds a NUL character, which no process can be given: {argument[:80]!r}"
    for env in (attempt.env, *(p.env for p in attempt.processes)):
        for name, value in env.items():
            if "\0" in name + value or "=" in name or not name:
                return f"no process can be given its environment variable {name!r}, with {value[:80]!r}"
    return None


def _processes(attempt: Attempt) -> list[dict[str, Any]]:
    """Returns: what the warden is to start, one for each rank."""
    processes, logs = attempt.processes, attempt.logs
    if not processes:
        processes, logs = (Process(attempt.argv, {}),), (attempt.log,)
    return [
        {
            "argv": [_text(a) for a in process.argv],
            "env": {_text(k): _text(v) for k, v in {**attempt.env, **process.env}.items()},
            "log": _text(log),
            "server": process.server,
        }
        for process, log in zip(processes, logs, strict=True)
    ]


def _text(text: str) -> str:
    """Returns: a text as it crosses the pipe, one character a byte."""
    try:
        data = os.fsencode(text)
    except UnicodeEncodeError:  # a locale that cannot say it; a script's own is UTF-8
        data = text.encode("utf-8", "surrogateescape")
    return data.decode("latin-1")
