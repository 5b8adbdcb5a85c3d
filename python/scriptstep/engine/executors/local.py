"""Runs attempts on this machine, each in a process tree that ends with it, and with this process."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

from scriptstep.engine.attempt import Attempt, State, Status
from scriptstep.engine.executors.protocol import Capabilities
from scriptstep.errors import UserErrorException

__all__ = ["LocalExecutor", "probe_interpreter"]

_WARDEN = Path(__file__).with_name("warden.py")
_CLOSE_S = 15.0
_PROBE_S = 120.0
_ENDED = {
    "exit": State.FAILED,
    "timeout": State.TIMEOUT,
    "cancel": State.CANCELLED,
    "orphaned": State.LOST,
    "error": State.FAILED,
}


class LocalExecutor:
    """Runs attempts on this machine.

    Args:
        jobs: Most attempts side by side; others wait.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._lock = threading.RLock()
        self._warden: subprocess.Popen[bytes] | None = None
        self._attempts: dict[str, Attempt] = {}
        self._status: dict[str, Status] = {}
        self._queue: deque[str] = deque()
        self._running: set[str] = set()
        self._unread = b""

    def capabilities(self) -> Capabilities:
        """Returns: what it can do."""
        return Capabilities()

    def submit(self, attempt: Attempt) -> str:
        """Takes an attempt.

        Args:
            attempt: The attempt; the same id twice is one attempt.

        Returns:
            Its handle.
        """
        with self._lock:
            if attempt.id in self._attempts:
                return attempt.id
            self._attempts[attempt.id] = attempt
            if attempt.node_count * attempt.process_count > 1:
                message = (
                    f"it asks for {attempt.node_count} nodes and {attempt.process_count} processes on each: "
                    "several processes for a step are not supported yet"
                )
                stamp = time.time()
                self._status[attempt.id] = Status(State.FAILED, started=stamp, ended=stamp, message=message)
                return attempt.id
            self._status[attempt.id] = Status(State.QUEUED)
            self._queue.append(attempt.id)
            self._start_next()
        return attempt.id

    def poll(self, handles: list[str]) -> dict[str, Status]:
        """Returns: how the attempts go, by handle."""
        with self._lock:
            self._read()
            return {handle: self._status[handle] for handle in handles}

    def wait(self, timeout: float) -> None:
        """Returns when any attempt changed, or after `timeout` seconds."""
        warden = self._warden
        if warden is None or warden.stdout is None:
            time.sleep(timeout)
            return
        select.select([warden.stdout], [], [], timeout)

    def cancel(self, handle: str, grace_s: float = 10) -> None:
        """Ends an attempt with its whole process tree; also one that has not begun.

        Args:
            handle: Its handle.
            grace_s: Seconds between asking it to end and ending it.
        """
        with self._lock:
            if handle in self._queue:
                self._queue.remove(handle)
                stamp = time.time()
                self._status[handle] = Status(State.CANCELLED, started=stamp, ended=stamp)
            elif handle in self._running:
                self._order({"do": "cancel", "id": handle, "grace": grace_s})

    def logs(self, handle: str, rank: int = 0, offset: int = 0) -> tuple[bytes, int]:
        """Reads what an attempt printed.

        Args:
            handle: Its handle.
            rank: Which of its processes; there is one.
            offset: Bytes that are known already.

        Returns:
            What came since, and the next offset.
        """
        try:
            with open(self._attempts[handle].log, "rb") as file:
                file.seek(offset)
                data = file.read()
        except FileNotFoundError:
            data = b""
        return data, offset + len(data)

    def reattach(self, handles: list[str]) -> None:
        """Reports attempts of a coordinator that is gone as lost: they ended with it.

        Args:
            handles: Their handles.
        """
        with self._lock:
            for handle in handles:
                self._status.setdefault(handle, Status(State.LOST, message="it ended with the process that ran it"))

    def close(self) -> None:
        """Ends what still runs, and waits for that."""
        with self._lock:
            warden, self._warden = self._warden, None
            self._queue.clear()
        if warden is None:
            return
        assert warden.stdin is not None and warden.stdout is not None
        try:
            warden.stdin.close()
        except OSError:
            pass
        try:
            warden.wait(_CLOSE_S)
        except subprocess.TimeoutExpired:
            warden.kill()
            warden.wait()
        warden.stdout.close()

    # --- the warden

    def _start_next(self) -> None:
        while self._queue and len(self._running) < self._jobs:
            handle = self._queue.popleft()
            attempt = self._attempts[handle]
            self._running.add(handle)
            self._status[handle] = Status(State.RUNNING, started=time.time())
            self._order(
                {
                    "do": "start",
                    "id": handle,
                    "argv": attempt.argv,
                    "env": attempt.env,
                    "cwd": attempt.cwd,
                    "log": attempt.log,
                    "timeout": attempt.timeout_s,
                }
            )

    def _order(self, order: dict[str, Any]) -> None:
        if self._warden is None:
            self._warden = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_WARDEN)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C at the terminal is for the coordinator
                env={},
            )
            assert self._warden.stdout is not None
            os.set_blocking(self._warden.stdout.fileno(), False)
        assert self._warden.stdin is not None
        try:
            self._warden.stdin.write(json.dumps(order).encode() + b"\n")
            self._warden.stdin.flush()
        except OSError:
            self._lose()

    def _read(self) -> None:
        if self._warden is None or self._warden.stdout is None:
            return
        while True:
            try:
                data = os.read(self._warden.stdout.fileno(), 65536)
            except BlockingIOError:
                break
            if not data:
                self._lose()
                break
            *lines, self._unread = (self._unread + data).split(b"\n")
            for line in lines:
                self._take(json.loads(line))
        self._start_next()

    def _take(self, told: dict[str, Any]) -> None:
        handle = told["id"]
        if handle not in self._running:
            return
        if told["state"] == "running":
            self._status[handle] = Status(State.RUNNING, started=told["time"])
            return
        self._running.discard(handle)
        if told["state"] == "gone":
            self._status[handle] = Status(
                State.LOST,
                started=self._status[handle].started,
                ended=told["time"],
                message="what guarded it was killed",
            )
            return
        code = told.get("exit")
        state = _ENDED[told["how"]]
        if told["how"] == "exit" and code == 0:
            state = State.SUCCEEDED
        self._status[handle] = Status(
            state,
            exit_code=code,
            signal=told.get("signal"),
            started=told["started"],
            ended=told["time"],
            message=f"cannot be started: {told['message']}" if told["how"] == "error" else None,
        )

    def _lose(self) -> None:
        """The warden is gone, and its guards end what they guard."""
        stamp = time.time()
        for handle in self._running:
            status = self._status[handle]
            self._status[handle] = Status(
                State.LOST, started=status.started, ended=stamp, message="the process that ran it was killed"
            )
        self._running.clear()
        if self._warden is not None:
            self._warden.kill()
            self._warden.wait()
            for pipe in (self._warden.stdin, self._warden.stdout):
                try:
                    if pipe is not None:
                        pipe.close()
                except OSError:
                    pass
            self._warden = None
            self._unread = b""


def probe_interpreter(python: str, script: Path) -> str:
    """Runs a script of ours by another interpreter.

    Args:
        python: The interpreter.
        script: The script; it needs nothing but the standard library.

    Returns:
        What it printed.

    Raises:
        UserErrorException: The interpreter cannot be run, or not that script.
    """
    try:
        found = subprocess.run(
            [python, "-I", str(script)], capture_output=True, timeout=_PROBE_S, stdin=subprocess.DEVNULL, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserErrorException(
            f"the interpreter {python} cannot be run: {error}", help="check python.interpreter_path of the environment"
        ) from None
    if found.returncode != 0:
        last = found.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise UserErrorException(
            f"the interpreter {python} cannot tell what it has installed: {' '.join(last) or found.returncode}",
            help="scriptstep needs Python 3.10 or newer there",
        )
    return found.stdout.decode("utf-8", "surrogateescape")
