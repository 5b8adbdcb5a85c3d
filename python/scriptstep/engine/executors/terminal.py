"""Runs one attempt on the user's own terminal, so that `breakpoint()` and `input()` work in it."""

from __future__ import annotations

import subprocess
import threading
import time

from scriptstep.engine.attempt import Attempt, State, Status

__all__ = ["is_terminal_taken", "run_on_terminal"]

_taken = threading.Event()


def is_terminal_taken() -> bool:
    """Returns: whether a step has the terminal: Ctrl-C is then for it, not for the run."""
    return _taken.is_set()


def run_on_terminal(attempt: Attempt) -> Status:
    """Runs an attempt with this process's input and output, and waits for its end.

    Args:
        attempt: The attempt; of several processes the first one runs, alone.

    Returns:
        How it ended.
    """
    argv, env = attempt.argv, attempt.env
    if attempt.processes:
        argv, env = attempt.processes[0].argv, {**env, **attempt.processes[0].env}
    with open(attempt.log, "w", encoding="utf-8") as log:
        log.write("(it ran on the terminal: what it printed went there)\n")
    started = time.time()
    _taken.set()
    try:
        code = subprocess.run(argv, env=env, cwd=attempt.cwd, check=False).returncode
    except (OSError, ValueError) as error:
        return Status(State.FAILED, started=started, ended=time.time(), message=f"cannot be started: {error}")
    finally:
        _taken.clear()
    state = State.SUCCEEDED if code == 0 else State.FAILED
    if code < 0:
        return Status(state, signal=-code, started=started, ended=time.time())
    return Status(state, exit_code=code, started=started, ended=time.time())
