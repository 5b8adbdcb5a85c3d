"""Nothing that an attempt started outlives it, whoever ends first and however."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from scriptstep.engine.attempt import State
from scriptstep.engine.executors import warden as warden_module
from scriptstep.engine.executors.local import LocalExecutor
from tests.attempts import STUBBORN, attempt, finish, is_alive, is_gone_within, read_pid

FOREVER = "    time.sleep(600)\n"
on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="orphans are gathered on Linux alone")


@pytest.fixture
def executor() -> Iterator[LocalExecutor]:
    made = LocalExecutor(2)
    yield made
    made.close()


def guards_of(executor: LocalExecutor) -> list[int]:
    assert executor._warden is not None
    return warden_module._children().get(executor._warden.pid, [])


# --- by itself, by time, by order


@on_linux
def test_what_a_script_leaves_behind_is_ended(executor: LocalExecutor, tmp_path: Path) -> None:
    status = finish(executor, executor.submit(attempt(tmp_path, STUBBORN, str(tmp_path / "pid"))))
    assert status.state is State.SUCCEEDED
    assert not is_alive(read_pid(tmp_path / "pid"))


def test_what_a_script_leaves_behind_is_asked_first(executor: LocalExecutor, tmp_path: Path) -> None:
    code = """
        import os, signal, sys, time
        read, write = os.pipe()
        if os.fork() == 0:
            def end(*_):
                open("said goodbye", "w")
                os._exit(0)
            signal.signal(signal.SIGTERM, end)
            os.write(write, b".")
            time.sleep(600)
        os.read(read, 1)
    """
    begin = time.monotonic()
    assert finish(executor, executor.submit(attempt(tmp_path, code))).state is State.SUCCEEDED
    assert (tmp_path / "said goodbye").exists()
    assert time.monotonic() - begin < 10


def test_an_attempt_that_takes_too_long_is_ended_with_its_children(executor: LocalExecutor, tmp_path: Path) -> None:
    code = """
        import subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        open("pid", "w").write(str(child.pid))
        time.sleep(600)
    """
    status = finish(executor, executor.submit(attempt(tmp_path, code, timeout_s=1.0)))
    assert status.state is State.TIMEOUT
    assert status.signal == signal.SIGTERM
    assert status.started is not None
    assert status.ended is not None
    assert 1.0 <= status.ended - status.started < 5
    assert not is_alive(read_pid(tmp_path / "pid"))


def test_an_attempt_may_take_as_long_as_its_limit(executor: LocalExecutor, tmp_path: Path) -> None:
    status = finish(executor, executor.submit(attempt(tmp_path, "", timeout_s=30)))
    assert status.state is State.SUCCEEDED


@on_linux
def test_a_cancelled_attempt_ends_with_its_whole_tree(executor: LocalExecutor, tmp_path: Path) -> None:
    handle = executor.submit(attempt(tmp_path, STUBBORN + FOREVER, str(tmp_path / "pid")))
    pid = read_pid(tmp_path / "pid")
    executor.cancel(handle, grace_s=0.3)
    assert finish(executor, handle).state is State.CANCELLED
    assert not is_alive(pid)


def test_a_cancelled_script_is_asked_first_and_has_its_time(executor: LocalExecutor, tmp_path: Path) -> None:
    code = """
        import signal, sys, time
        def end(*_):
            time.sleep(0.5)
            open("saved", "w")
            sys.exit(0)
        signal.signal(signal.SIGTERM, end)
        open("ready", "w").write("1")
        time.sleep(600)
    """
    handle = executor.submit(attempt(tmp_path, code))
    read_pid(tmp_path / "ready")
    executor.cancel(handle)
    status = finish(executor, handle)
    assert (status.state, status.exit_code) == (State.CANCELLED, 0)
    assert (tmp_path / "saved").exists()


def test_a_second_order_to_cancel_can_shorten_the_time(executor: LocalExecutor, tmp_path: Path) -> None:
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); open('ready', 'w').write('1'); time.sleep(600)"
    handle = executor.submit(attempt(tmp_path, code))
    read_pid(tmp_path / "ready")
    executor.cancel(handle, grace_s=500)
    time.sleep(0.2)
    executor.cancel(handle, grace_s=0.1)
    status = finish(executor, handle)
    assert (status.state, status.signal) == (State.CANCELLED, signal.SIGKILL)


def test_an_attempt_that_waits_is_cancelled_without_starting(tmp_path: Path) -> None:
    executor = LocalExecutor(1)
    try:
        first = executor.submit(attempt(tmp_path, "import time; time.sleep(0.5)", name="first"))
        second = executor.submit(attempt(tmp_path, "open('started', 'w')", name="second"))
        executor.cancel(second)
        status = executor.poll([second])[second]
        assert status.state is State.CANCELLED
        assert finish(executor, first).state is State.SUCCEEDED
        assert not (tmp_path / "started").exists()
    finally:
        executor.close()


def test_cancelling_what_has_ended_changes_nothing(executor: LocalExecutor, tmp_path: Path) -> None:
    handle = executor.submit(attempt(tmp_path, "raise SystemExit(4)"))
    before = finish(executor, handle)
    executor.cancel(handle)
    assert executor.poll([handle])[handle] == before


@on_linux
def test_a_tree_that_forks_on_and_on_is_ended(executor: LocalExecutor, tmp_path: Path) -> None:
    code = """
        import os, time
        os.write(os.open("ready", os.O_CREAT | os.O_WRONLY), b"1")
        begin = time.monotonic()
        while time.monotonic() - begin < 20:  # each process lives for a moment, and hands on to the next
            if os.fork() != 0:
                os._exit(0)
            os.setsid()
    """
    handle = executor.submit(attempt(tmp_path, code))
    read_pid(tmp_path / "ready")
    begin = time.monotonic()
    executor.cancel(handle, grace_s=0)
    assert finish(executor, handle).state in (State.CANCELLED, State.SUCCEEDED)
    assert time.monotonic() - begin < 15


def test_a_stopped_script_is_ended_too(executor: LocalExecutor, tmp_path: Path) -> None:
    code = "import os, signal; open('pid', 'w').write(str(os.getpid())); os.kill(os.getpid(), signal.SIGSTOP)"
    handle = executor.submit(attempt(tmp_path, code))
    pid = read_pid(tmp_path / "pid")
    executor.cancel(handle, grace_s=0.2)
    assert finish(executor, handle).state is State.CANCELLED
    assert not is_alive(pid)


def test_closing_ends_what_runs_and_what_waits(tmp_path: Path) -> None:
    executor = LocalExecutor(1)
    code = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(600)"
    handles = [executor.submit(attempt(tmp_path, code, name=name)) for name in ("runs", "waits")]
    pid = read_pid(tmp_path / "pid")
    executor.close()
    assert not is_alive(pid)
    assert [s.state for s in executor.poll(handles).values()] == [State.CANCELLED, State.CANCELLED]
    with pytest.raises(RuntimeError, match="closed"):
        executor.submit(attempt(tmp_path, "", name="late"))
    executor.close()


# --- whoever is killed


@on_linux
def test_a_killed_warden_is_told_as_lost_when_its_trees_have_ended(executor: LocalExecutor, tmp_path: Path) -> None:
    handle = executor.submit(attempt(tmp_path, STUBBORN + FOREVER, str(tmp_path / "pid")))
    pid = read_pid(tmp_path / "pid")
    assert executor._warden is not None
    os.kill(executor._warden.pid, signal.SIGKILL)
    begin = time.monotonic()
    status = finish(executor, handle)
    assert (status.state, status.message) == (State.LOST, "the process that runs steps was killed")
    assert not is_alive(pid)
    assert time.monotonic() - begin < 10
    # The next attempt gets another warden.
    assert finish(executor, executor.submit(attempt(tmp_path, "", name="next"))).state is State.SUCCEEDED


@on_linux
def test_a_killed_guard_is_told_as_lost_and_the_warden_ends_its_tree(executor: LocalExecutor, tmp_path: Path) -> None:
    other = executor.submit(attempt(tmp_path, "import time; time.sleep(3)", name="other"))
    handle = executor.submit(attempt(tmp_path, STUBBORN + FOREVER, str(tmp_path / "pid")))
    pid = read_pid(tmp_path / "pid")
    (guard,) = [g for g in guards_of(executor) if pid in warden_module._below(g)]
    os.kill(guard, signal.SIGKILL)
    assert finish(executor, handle).state is State.LOST
    assert is_gone_within(pid, 1)
    assert finish(executor, other).state is State.SUCCEEDED


@on_linux
def test_nothing_is_left_where_the_warden_and_its_guards_are_killed_at_once(
    executor: LocalExecutor, tmp_path: Path
) -> None:
    code = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(600)"
    handle = executor.submit(attempt(tmp_path, code))
    pid = read_pid(tmp_path / "pid")
    assert executor._warden is not None
    for victim in [executor._warden.pid, *guards_of(executor)]:
        os.kill(victim, signal.SIGKILL)
    assert is_gone_within(pid, 1)
    assert finish(executor, handle).state is State.LOST


COORDINATOR = """
import os, sys, threading, time
from scriptstep.engine.attempt import Attempt, State
from scriptstep.engine.executors.local import LocalExecutor

made = Attempt.from_json(open(sys.argv[1]).read())
executor = LocalExecutor(1)

def coordinate():
    handle = executor.submit(made)
    while executor.poll([handle])[handle].state in (State.QUEUED, State.RUNNING):
        executor.wait(10)
    print(executor.poll([handle])[handle].state.value)
    executor.close()
"""


def coordinator(folder: Path, code: str, ending: str, *arguments: str, python: str = sys.executable) -> list[str]:
    """Returns: the command of a process that runs one attempt, and what it does besides."""
    (folder / "attempt.json").write_text(attempt(folder, code, *arguments).to_json())
    (folder / "coordinator.py").write_text(COORDINATOR + dedent(ending))
    return [python, str(folder / "coordinator.py"), str(folder / "attempt.json")]


@on_linux
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGABRT])
def test_nothing_outlives_a_killed_coordinator_by_a_second(tmp_path: Path, number: int) -> None:
    command = coordinator(tmp_path, STUBBORN + FOREVER, "coordinate()", str(tmp_path / "pid"))
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    pid = read_pid(tmp_path / "pid")
    warden = warden_module._children()[process.pid]
    process.send_signal(number)
    process.wait()
    begin = time.monotonic()
    assert is_gone_within(pid, 5)
    assert time.monotonic() - begin < 5
    assert all(is_gone_within(p, 5) for p in warden)


@on_linux
def test_a_fork_of_the_coordinator_does_not_keep_its_steps_alive(tmp_path: Path) -> None:
    ending = """
        threading.Thread(target=coordinate, daemon=True).start()
        while not os.path.exists(made.argv[-1]):
            time.sleep(0.01)
        fork = os.fork()
        if fork == 0:
            time.sleep(30)
            os._exit(0)
        print(fork, flush=True)
        time.sleep(600)
    """
    command = coordinator(tmp_path, STUBBORN + FOREVER, ending, str(tmp_path / "pid"))
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    pid = read_pid(tmp_path / "pid")
    assert process.stdout is not None
    fork = int(process.stdout.readline())
    process.kill()
    process.wait()
    process.stdout.close()
    try:
        assert is_gone_within(pid, 2)
        assert is_alive(fork)
    finally:
        os.kill(fork, signal.SIGKILL)


def test_a_program_that_the_coordinator_started_does_not_keep_its_steps_alive(tmp_path: Path) -> None:
    ending = """
        import subprocess
        threading.Thread(target=coordinate, daemon=True).start()
        while not os.path.exists("pid"):
            time.sleep(0.01)
        print(subprocess.Popen(["sleep", "30"], close_fds=False).pid, flush=True)
        time.sleep(600)
    """
    code = "import os, time; open('pid.new', 'w').write(str(os.getpid())); os.rename('pid.new', 'pid'); time.sleep(600)"
    command = coordinator(tmp_path, code, ending)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    pid = read_pid(tmp_path / "pid")
    assert process.stdout is not None
    other = int(process.stdout.readline())
    process.kill()
    process.wait()
    process.stdout.close()
    try:
        assert is_gone_within(pid, 2)
    finally:
        os.kill(other, signal.SIGKILL)


def test_it_works_in_a_thread_that_goes_on_when_the_main_thread_has_ended(tmp_path: Path) -> None:
    ending = "threading.Thread(target=lambda: (threading.main_thread().join(), time.sleep(0.1), coordinate())).start()"
    command = coordinator(tmp_path, "print('hello')", ending)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == ("succeeded\n", "", 0)
    assert (tmp_path / "one.log").read_text() == "hello\n"


def test_ctrl_c_at_the_terminal_is_for_the_coordinator(tmp_path: Path) -> None:
    ending = """
        try:
            coordinate()
        except KeyboardInterrupt:
            print(executor.poll([made.id])[made.id].state.value)
            executor.cancel(made.id)
            coordinate()
    """
    code = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(600)"
    process = subprocess.Popen(
        coordinator(tmp_path, code, ending), stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    pid = read_pid(tmp_path / "pid")
    os.killpg(process.pid, signal.SIGINT)
    told, _ = process.communicate(timeout=30)
    assert told.split() == ["running", "cancelled"]
    assert not is_alive(pid)


@on_linux
def test_the_warden_starts_with_what_its_interpreter_may_need(
    executor: LocalExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", "/where/libpython/lies")
    finish(executor, executor.submit(attempt(tmp_path, "")))
    assert executor._warden is not None
    given = Path(f"/proc/{executor._warden.pid}/environ").read_bytes().split(b"\0")
    assert b"LD_LIBRARY_PATH=/where/libpython/lies" in given


# --- where orphans cannot be gathered, as on macOS


def test_without_gathering_the_scripts_group_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The same warden, told that it is elsewhere.
    source = Path(warden_module.__file__).read_text()
    assert source.count('sys.platform.startswith("linux")') == 1
    elsewhere = tmp_path / "warden.py"
    elsewhere.write_text(source.replace('sys.platform.startswith("linux")', "False"))
    monkeypatch.setattr("scriptstep.engine.executors.warden_process._WARDEN", elsewhere)
    executor = LocalExecutor(3)
    code = """
        import os, signal, sys, time
        if os.fork() == 0:
            if os.fork() == 0:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                open(sys.argv[1] + ".new", "w").write(str(os.getpid()))
                os.rename(sys.argv[1] + ".new", sys.argv[1])
                time.sleep(600)
            os._exit(0)
        while not os.path.exists(sys.argv[1]):
            time.sleep(0.01)
    """
    try:
        left = executor.submit(attempt(tmp_path, code, str(tmp_path / "a"), name="left"))
        stays = executor.submit(
            attempt(tmp_path, code + "        time.sleep(600)\n", str(tmp_path / "b"), name="stays")
        )
        plain = executor.submit(attempt(tmp_path, "raise SystemExit(3)", name="plain"))
        pids = [read_pid(tmp_path / "a"), read_pid(tmp_path / "b")]
        executor.cancel(stays, grace_s=0.2)
        assert finish(executor, left).state is State.SUCCEEDED
        assert finish(executor, stays).state is State.CANCELLED
        assert finish(executor, plain).exit_code == 3
        assert not any(is_alive(pid) for pid in pids)
    finally:
        executor.close()
