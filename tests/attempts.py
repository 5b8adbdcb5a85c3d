"""Attempts for the tests of executors: made, waited for, and looked at from outside."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from textwrap import dedent
from typing import Any

from scriptstep.engine.attempt import Attempt, State, Status
from scriptstep.engine.executors.local import LocalExecutor

# Leaves the session, is an orphan, and does not listen to SIGTERM; its process id is in the file of its first argument.
STUBBORN = """
    import os, signal, sys, time
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            with open(sys.argv[1] + ".new", "w") as file:
                file.write(str(os.getpid()))
            os.rename(sys.argv[1] + ".new", sys.argv[1])
            time.sleep(600)
        os._exit(0)
    while not os.path.exists(sys.argv[1]):
        time.sleep(0.01)
"""


def attempt(folder: Path, code: str, *arguments: str, name: str = "one", **given: Any) -> Attempt:
    script = folder / f"{name}.py"
    script.write_text(dedent(code))
    return Attempt(
        **{
            "id": name,
            "run_id": name,
            "step": name,
            "argv": (sys.executable, str(script), *arguments),
            "env": {"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1"},
            "cwd": str(folder),
            "log": str(folder / f"{name}.log"),
            "snapshot": "",
            "inputs": {},
            "outputs": {},
            **given,
        }
    )


def finish(executor: LocalExecutor, handle: str, seconds: float = 30) -> Status:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        status = executor.poll([handle])[handle]
        if status.state not in (State.QUEUED, State.RUNNING):
            return status
        executor.wait(limit - time.monotonic())
    raise AssertionError(f"{handle} did not end")


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def is_gone_within(pid: int, seconds: float) -> bool:
    limit = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < limit:
        time.sleep(0.01)
    return not is_alive(pid)


def read_pid(path: Path) -> int:
    limit = time.monotonic() + 20
    while time.monotonic() < limit:
        if path.exists() and (text := path.read_text().strip()):
            return int(text)
        time.sleep(0.01)
    raise AssertionError("no process id was written")
