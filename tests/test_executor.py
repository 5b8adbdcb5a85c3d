"""Attempts end when they should, with everything that they started, and say how."""

from __future__ import annotations

import json
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
from scriptstep.engine.attempt import Attempt, State, Status
from scriptstep.engine.executors.local import LocalExecutor, probe_interpreter
from scriptstep.errors import UserErrorException


@pytest.fixture
def executor() -> Iterator[LocalExecutor]:
    made = LocalExecutor(2)
    yield made
    made.close()


def attempt(folder: Path, code: str, *arguments: str, name: str = "one", **given: Any) -> Attempt:
    script = folder / f"{name}.py"
    script.write_text(dedent(code))
    return Attempt(
        id=name,
        run_id=name,
        step=name,
        argv=(sys.executable, str(script), *arguments),
        env={"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1", **given.pop("env", {})},
        cwd=str(folder),
        log=str(folder / f"{name}.log"),
        snapshot="",
        inputs={},
        outputs={},
        **given,
    )


def finish(executor: LocalExecutor, handle: str, seconds: float = 30) -> Status:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        status = executor.poll([handle])[handle]
        if status.state not in (State.QUEUED, State.RUNNING):
            return status
        executor.wait(0.2)
    raise AssertionError(f"{handle} did not end")


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_until_gone(pid: int, seconds: float = 5) -> bool:
    limit = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < limit:
        time.sleep(0.02)
    return not is_alive(pid)


def read_pid(path: Path) -> int:
    limit = time.monotonic() + 20
    while time.monotonic() < limit:
        if path.exists() and (text := path.read_text().strip()):
            return int(text)
        time.sleep(0.02)
    raise AssertionError("no process id was written")


# A process that leaves the session, is an orphan, and does not listen to SIGTERM.
STUBBORN = """
    import os, signal, sys, time
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            open(sys.argv[1], "w").write(str(os.getpid()))
            time.sleep(600)
        os._exit(0)
    while not os.path.exists(sys.argv[1]):
        time.sleep(0.01)
"""


@pytest.mark.parametrize("code", [0, 1, 3, 255])
def test_the_scripts_own_exit_code_is_told(executor: LocalExecutor, tmp_path: Path, code: int) -> None:
    status = finish(executor, executor.submit(attempt(tmp_path, f"raise SystemExit({code})")))
    assert status.state is (State.SUCCEEDED if code == 0 else State.FAILED)
    assert (status.exit_code, status.signal) == (code, None)
    assert status.started is not None and status.ended is not None and status.ended >= status.started


def test_death_by_a_signal_is_told(executor: LocalExecutor, tmp_path: Path) -> None:
    status = finish(executor, executor.submit(attempt(tmp_path, "import os; os.kill(os.getpid(), 9)")))
    assert (status.state, status.exit_code, status.signal) == (State.FAILED, None, signal.SIGKILL)


def test_a_command_that_is_not_there_is_told(executor: LocalExecutor, tmp_path: Path) -> None:
    made = attempt(tmp_path, "")
    status = finish(executor, executor.submit(Attempt(**{**made.__dict__, "argv": ("/no/such/python", "x.py")})))
    assert status.state is State.FAILED
    assert status.message is not None and "No such file" in status.message


def test_arguments_reach_the_script_byte_for_byte(executor: LocalExecutor, tmp_path: Path) -> None:
    hard = [
        "two words",
        "it's",
        '"',
        "$HOME",
        "*",
        "~",
        ";",
        "a\nb",
        "Привет",
        "",
        "-x",
        "\\",
        os.fsdecode(b"\xff\xfe"),
    ]
    code = "import json, os, sys; json.dump([os.fsencode(a).hex() for a in sys.argv[1:]], open('seen', 'w'))"
    finish(executor, executor.submit(attempt(tmp_path, code, *hard)))
    assert json.loads((tmp_path / "seen").read_text()) == [os.fsencode(a).hex() for a in hard]


def test_a_step_has_no_input_and_no_descriptors_of_ours(executor: LocalExecutor, tmp_path: Path) -> None:
    held = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(held, True)
    code = """
        import os, sys
        assert sys.stdin.read() == ""
        here = {int(n): os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{n}")}
        extra = {n: p for n, p in here.items() if n > 2 and "/proc/" not in p and not p.endswith(".py")}
        assert not extra, extra
    """
    status = finish(executor, executor.submit(attempt(tmp_path, code)))
    os.close(held)
    assert status.state is State.SUCCEEDED, (tmp_path / "one.log").read_text()


def test_the_log_has_output_and_errors_in_their_order(executor: LocalExecutor, tmp_path: Path) -> None:
    code = "import sys\nfor n in range(50):\n    print(n)\n    print(n, file=sys.stderr)"
    handle = executor.submit(attempt(tmp_path, code))
    finish(executor, handle)
    first, offset = executor.logs(handle, offset=0)
    assert first.decode().split() == [str(n) for n in range(50) for _ in range(2)]
    assert executor.logs(handle, offset=offset) == (b"", offset)


def test_what_a_script_leaves_behind_is_ended(executor: LocalExecutor, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    status = finish(executor, executor.submit(attempt(tmp_path, STUBBORN, str(pid_file))))
    assert status.state is State.SUCCEEDED
    assert not is_alive(read_pid(pid_file))


def test_an_attempt_that_takes_too_long_is_ended(executor: LocalExecutor, tmp_path: Path) -> None:
    code = "import time; time.sleep(600)"
    status = finish(executor, executor.submit(attempt(tmp_path, code, timeout_s=0.3)))
    assert status.state is State.TIMEOUT


def test_a_cancelled_attempt_ends_with_its_whole_tree(executor: LocalExecutor, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    handle = executor.submit(attempt(tmp_path, STUBBORN + "    time.sleep(600)\n", str(pid_file)))
    pid = read_pid(pid_file)
    executor.cancel(handle, grace_s=0.3)
    assert finish(executor, handle).state is State.CANCELLED
    assert not is_alive(pid)


def test_an_attempt_that_waits_is_cancelled_without_starting(tmp_path: Path) -> None:
    executor = LocalExecutor(1)
    try:
        first = executor.submit(attempt(tmp_path, "import time; time.sleep(0.5)", name="first"))
        second = executor.submit(attempt(tmp_path, "open('started', 'w')", name="second"))
        executor.cancel(second)
        assert finish(executor, second).state is State.CANCELLED
        assert finish(executor, first).state is State.SUCCEEDED
        assert not (tmp_path / "started").exists()
    finally:
        executor.close()


def test_the_same_attempt_twice_runs_once(executor: LocalExecutor, tmp_path: Path) -> None:
    made = attempt(tmp_path, "open('count', 'a').write('x')")
    assert executor.submit(made) == executor.submit(made)
    finish(executor, made.id)
    assert (tmp_path / "count").read_text() == "x"


def test_several_processes_are_refused_and_said(executor: LocalExecutor, tmp_path: Path) -> None:
    status = finish(executor, executor.submit(attempt(tmp_path, "", node_count=2, process_count=3)))
    assert status.state is State.FAILED
    assert status.message is not None and "2 nodes and 3 processes" in status.message


def test_nothing_outlives_a_killed_warden(executor: LocalExecutor, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    handle = executor.submit(attempt(tmp_path, STUBBORN + "    time.sleep(600)\n", str(pid_file)))
    pid = read_pid(pid_file)
    assert executor._warden is not None
    executor._warden.kill()
    assert finish(executor, handle).state is State.LOST
    assert wait_until_gone(pid)


def test_nothing_outlives_a_killed_coordinator(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    (tmp_path / "step.py").write_text(dedent(STUBBORN) + "time.sleep(600)\n")
    code = f"""
        import sys, time
        from scriptstep.engine.attempt import Attempt
        from scriptstep.engine.executors.local import LocalExecutor
        executor = LocalExecutor(1)
        executor.submit(Attempt("a", "a", "a", (sys.executable, {str(tmp_path / "step.py")!r}, {str(pid_file)!r}), {{}},
                                {str(tmp_path)!r}, {str(tmp_path / "log")!r}, "", {{}}, {{}}))
        time.sleep(600)
    """
    coordinator = subprocess.Popen([sys.executable, "-c", dedent(code)])
    pid = read_pid(pid_file)
    coordinator.kill()
    coordinator.wait()
    assert wait_until_gone(pid)


def test_many_short_attempts_all_end_well(tmp_path: Path) -> None:
    executor = LocalExecutor(2)
    try:
        handles = [executor.submit(attempt(tmp_path, "", name=f"n{n}")) for n in range(60)]
        assert {finish(executor, h).state for h in handles} == {State.SUCCEEDED}
    finally:
        executor.close()


def test_an_interpreter_that_cannot_be_run_is_the_users_to_mend(tmp_path: Path) -> None:
    with pytest.raises(UserErrorException, match="/no/such/python"):
        probe_interpreter("/no/such/python", tmp_path / "x.py")


def test_an_attempt_survives_being_written_down(tmp_path: Path) -> None:
    made = attempt(tmp_path, "", "a", timeout_s=2.5, resources={"gpus": 1})
    assert Attempt.from_json(made.to_json()) == made
    with pytest.raises(ValueError, match="not an attempt"):
        Attempt.from_json("{}")
