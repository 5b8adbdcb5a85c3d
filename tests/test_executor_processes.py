"""Several processes of one attempt: each with what is its own, and one end for all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from scriptstep.engine.attempt import Attempt, Process, State
from scriptstep.engine.executors import warden as warden_module
from scriptstep.engine.executors.local import LocalExecutor
from scriptstep.errors import ArgumentError
from tests.attempts import STUBBORN, attempt, finish, is_alive, is_gone_within, read_pid
from tests.test_executor_endings import COORDINATOR

on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="orphans are gathered on Linux alone")

# Writes its process id under its own name, when all that it has to say to the system is said.
HERE = """
import os, signal, sys, time
def here(name):
    open(name + ".new", "w").write(str(os.getpid()))
    os.rename(name + ".new", name)
def wait_for(name):
    while not os.path.exists(name):
        time.sleep(0.01)
"""


@pytest.fixture
def executor() -> Iterator[LocalExecutor]:
    made = LocalExecutor(2)
    yield made
    made.close()


def several(folder: Path, *codes: str, servers: int = 0, **given: Any) -> Attempt:
    """An attempt with one process a code; the last ones serve the others."""
    processes = []
    for rank, code in enumerate(codes):
        script = folder / f"rank{rank}.py"
        script.write_text(HERE + dedent(code))
        env = {"RANK": str(rank)}
        processes.append(Process((sys.executable, str(script)), env, rank >= len(codes) - servers))
    logs = tuple(str(folder / f"rank{rank}.log") for rank in range(len(codes)))
    return attempt(
        folder, "raise SystemExit('this one is not started')", processes=tuple(processes), logs=logs, **given
    )


def test_each_has_its_own_arguments_variables_and_log(executor: LocalExecutor, tmp_path: Path) -> None:
    code = "print(sys.argv[0][-8:], os.environ['RANK'], os.environ['SHARED'], file=sys.stderr)"
    made = several(tmp_path, code, code, code, env={"SHARED": "yes", "RANK": "none"})
    handle = executor.submit(made)
    assert finish(executor, handle).state is State.SUCCEEDED
    for rank in range(3):
        text = f"rank{rank}.py {rank} yes\n".encode()
        assert executor.logs(handle, rank) == (text, len(text))
        assert executor.logs(handle, rank, offset=4)[0] == text[4:]
    assert not Path(made.log).exists()
    for rank in (3, -1):
        with pytest.raises(ArgumentError, match="the ranks of step 'one' are 0 to 2"):
            executor.logs(handle, rank)


def test_they_run_at_once_and_the_attempt_ends_with_the_last(executor: LocalExecutor, tmp_path: Path) -> None:
    codes = [f"here('here{r}'); wait_for('here{1 - r}'); time.sleep({r} * 0.3); here('done{r}')" for r in range(2)]
    status = finish(executor, executor.submit(several(tmp_path, *codes)))
    assert (status.state, status.exit_code, status.rank) == (State.SUCCEEDED, 0, None)
    assert (tmp_path / "done1").exists()


@pytest.mark.parametrize(
    ("end", "exit_code", "number"), [("sys.exit(3)", 3, None), ("os.kill(os.getpid(), signal.SIGKILL)", None, 9)]
)
def test_one_that_fails_is_named_and_ends_all(
    executor: LocalExecutor, tmp_path: Path, end: str, exit_code: int | None, number: int | None
) -> None:
    waits = "here('{0}'); time.sleep(600)"
    made = several(tmp_path, waits.format("a"), waits.format("b"), f"wait_for('a'); wait_for('b'); {end}")
    begin = time.monotonic()
    status = finish(executor, executor.submit(made))
    assert time.monotonic() - begin < 10
    assert (status.state, status.exit_code, status.signal, status.rank) == (State.FAILED, exit_code, number, 2)
    assert not is_alive(read_pid(tmp_path / "a"))
    assert not is_alive(read_pid(tmp_path / "b"))


def test_the_first_failure_counts_not_those_that_it_brings(executor: LocalExecutor, tmp_path: Path) -> None:
    falls = "here('up'); signal.signal(signal.SIGTERM, lambda *_: os._exit(5)); here('set'); time.sleep(600)"
    status = finish(executor, executor.submit(several(tmp_path, falls, "wait_for('set'); sys.exit(4)")))
    assert (status.exit_code, status.rank) == (4, 1)


def test_one_that_serves_is_ended_when_the_others_have(executor: LocalExecutor, tmp_path: Path) -> None:
    made = several(tmp_path, "wait_for('s')", "wait_for('s')", "here('s'); time.sleep(600)", servers=1)
    status = finish(executor, executor.submit(made))
    assert (status.state, status.rank) == (State.SUCCEEDED, None)
    assert not is_alive(read_pid(tmp_path / "s"))


def test_one_that_serves_and_fails_ends_all(executor: LocalExecutor, tmp_path: Path) -> None:
    made = several(tmp_path, "here('w'); time.sleep(600)", "wait_for('w'); sys.exit(2)", servers=1)
    status = finish(executor, executor.submit(made))
    assert (status.state, status.exit_code, status.rank) == (State.FAILED, 2, 1)


def test_one_that_cannot_be_started_ends_those_that_were(executor: LocalExecutor, tmp_path: Path) -> None:
    made = several(tmp_path, "here('a'); time.sleep(600)", "")
    lost = Process(("no-such-program",), {})
    status = finish(executor, executor.submit(Attempt(**{**made.__dict__, "processes": (made.processes[0], lost)})))
    assert status.state is State.FAILED
    assert status.message is not None
    assert "cannot be started" in status.message
    if (tmp_path / "a").exists():
        assert not is_alive(read_pid(tmp_path / "a"))


def test_more_processes_than_sense_are_refused(executor: LocalExecutor, tmp_path: Path) -> None:
    one = Process((sys.executable, "-c", ""), {})
    made = attempt(tmp_path, "", processes=(one,) * 5000, logs=("x",) * 5000)
    status = finish(executor, executor.submit(made))
    assert status.state is State.FAILED
    assert status.message == "it asks for 5,000 processes, and 1,024 are the most that a step gets here"


# --- nothing outlives it


@on_linux
@pytest.mark.parametrize("how", ["cancel", "timeout", "failure"])
def test_what_each_of_them_left_behind_is_ended_too(executor: LocalExecutor, tmp_path: Path, how: str) -> None:
    leaves = [STUBBORN.replace("sys.argv[1]", f"'left{rank}'") + "    time.sleep(600)\n" for rank in range(2)]
    last = "wait_for('left0'); wait_for('left1'); here('last'); " + (
        "sys.exit(1)" if how == "failure" else "time.sleep(600)"
    )
    handle = executor.submit(several(tmp_path, *leaves, last, timeout_s=3 if how == "timeout" else None))
    pids = [read_pid(tmp_path / f"left{rank}") for rank in range(2)]
    read_pid(tmp_path / "last")
    if how == "cancel":
        executor.cancel(handle, grace_s=0.2)
    status = finish(executor, handle)
    assert status.state is {"cancel": State.CANCELLED, "timeout": State.TIMEOUT, "failure": State.FAILED}[how]
    assert status.rank == (2 if how == "failure" else None)
    assert not any(map(is_alive, pids))


@on_linux
def test_nothing_outlives_a_killed_coordinator(tmp_path: Path) -> None:
    waits = [f"here('p{rank}'); signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)" for rank in range(3)]
    (tmp_path / "attempt.json").write_text(several(tmp_path, *waits).to_json())
    (tmp_path / "coordinator.py").write_text(COORDINATOR + "\ncoordinate()\n")
    command = [sys.executable, str(tmp_path / "coordinator.py"), str(tmp_path / "attempt.json")]
    with subprocess.Popen(command) as process:
        pids = [read_pid(tmp_path / f"p{rank}") for rank in range(3)]
        os.kill(process.pid, signal.SIGKILL)
    assert all(is_gone_within(pid, 5) for pid in pids)


def test_without_gathering_the_group_of_each_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As on macOS: a warden that cannot be the parent of orphans.
    source = Path(warden_module.__file__).read_text().replace('sys.platform.startswith("linux")', "False")
    (tmp_path / "warden.py").write_text(source)
    monkeypatch.setattr("scriptstep.engine.executors.warden_process._WARDEN", tmp_path / "warden.py")
    executor = LocalExecutor(1)
    try:
        child = "import subprocess; subprocess.Popen(['sleep', '600']); here('a'); time.sleep(600)"
        status = finish(executor, executor.submit(several(tmp_path, child, "wait_for('a'); sys.exit(6)")))
        assert (status.exit_code, status.rank) == (6, 1)
        assert is_gone_within(read_pid(tmp_path / "a"), 5)
    finally:
        executor.close()
