"""What an attempt is given, and what is told of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scriptstep.engine.attempt import State
from scriptstep.engine.executors.local import LocalExecutor
from scriptstep.engine.executors.probe import probe_interpreter
from scriptstep.errors import ArgumentError, UserErrorException
from scriptstep.records import replace
from tests.attempts import attempt, finish


@pytest.fixture
def executor() -> Iterator[LocalExecutor]:
    made = LocalExecutor(2)
    yield made
    made.close()


# --- how it ended


@pytest.mark.parametrize("code", [0, 1, 3, 255])
def test_the_scripts_own_exit_code_is_told(executor: LocalExecutor, tmp_path: Path, code: int) -> None:
    before = time.time()
    status = finish(executor, executor.submit(attempt(tmp_path, f"raise SystemExit({code})")))
    assert status.state is (State.SUCCEEDED if code == 0 else State.FAILED)
    assert (status.exit_code, status.signal, status.message) == (code, None, None)
    assert status.started is not None
    assert status.ended is not None
    assert before - 0.01 <= status.started <= status.ended <= time.time() + 0.01


def test_an_exception_that_nobody_catches_is_exit_code_1_and_its_traceback_is_in_the_log(
    executor: LocalExecutor, tmp_path: Path
) -> None:
    handle = executor.submit(attempt(tmp_path, "raise ValueError('no such column')"))
    assert finish(executor, handle).exit_code == 1
    assert executor.logs(handle)[0].decode().endswith("ValueError: no such column\n")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGPIPE, signal.SIGINT])
def test_death_by_a_signal_is_told(executor: LocalExecutor, tmp_path: Path, number: int) -> None:
    code = f"""
        import os, resource, signal
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal({number}, signal.SIG_DFL) if {number} != signal.SIGKILL else None
        os.kill(os.getpid(), {number})
    """
    status = finish(executor, executor.submit(attempt(tmp_path, code)))
    assert (status.state, status.exit_code, status.signal) == (State.FAILED, None, number)


def test_a_program_that_is_not_there_is_told(executor: LocalExecutor, tmp_path: Path) -> None:
    made = replace(attempt(tmp_path, ""), argv=("/no/such/python", "x.py"))
    status = finish(executor, executor.submit(made))
    assert status.state is State.FAILED
    assert status.message == "cannot be started: No such file or directory: /no/such/python"


def test_a_working_directory_that_is_not_there_is_told(executor: LocalExecutor, tmp_path: Path) -> None:
    status = finish(executor, executor.submit(attempt(tmp_path, "", cwd=str(tmp_path / "gone"))))
    assert status.message == f"cannot be started: No such file or directory: {tmp_path / 'gone'}"


def test_a_log_that_cannot_be_written_is_told(executor: LocalExecutor, tmp_path: Path) -> None:
    status = finish(executor, executor.submit(attempt(tmp_path, "", log=str(tmp_path))))
    assert status.message == f"cannot be started: Is a directory: {tmp_path}"


def test_a_bare_name_is_looked_for_in_the_attempts_own_path(executor: LocalExecutor, tmp_path: Path) -> None:
    tool = tmp_path / "bin" / "tool"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\nexit 7\n")
    tool.chmod(0o755)
    made = replace(attempt(tmp_path, "", env={"PATH": f"/nowhere:{tool.parent}"}), argv=("tool",))
    assert finish(executor, executor.submit(made)).exit_code == 7
    status = finish(executor, executor.submit(replace(made, id="two", argv=("toool",))))
    assert status.message == "cannot be started: it is in no folder of PATH: toool"


def test_arguments_beyond_what_the_system_takes_are_told(executor: LocalExecutor, tmp_path: Path) -> None:
    status = finish(executor, executor.submit(attempt(tmp_path, "", "x" * 20_000_000)))
    assert status.state is State.FAILED
    assert status.message is not None
    assert "longer than this system takes" in status.message


@pytest.mark.parametrize("wrong", ["argument", "value", "name"])
def test_what_no_process_can_be_given_is_told(executor: LocalExecutor, tmp_path: Path, wrong: str) -> None:
    made = attempt(tmp_path, "", *(["a\0b"] if wrong == "argument" else []))
    if wrong != "argument":
        made = replace(made, env={"A=B": "c"} if wrong == "name" else {"NAME": "a\0b"})
    status = finish(executor, executor.submit(made))
    assert status.state is State.FAILED
    assert status.message is not None
    assert ("argument 2" if wrong == "argument" else "environment variable") in status.message


def test_an_executor_without_room_for_one_attempt_is_an_error() -> None:
    with pytest.raises(ArgumentError, match="jobs=0"):
        LocalExecutor(0)


# --- what the script is given

HARD = [
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
    "--",
    "`id`",
    "\\",
    "%s",
    "a=b",
    "\r",
    "😀",
]
DUMP = """
    import json, os, sys
    told = {"argv": sys.argv[1:], "bytes": [os.fsencode(a).hex() for a in sys.argv[1:]], "env": dict(os.environ), "cwd": os.getcwd()}
    json.dump(told, open("seen", "w"))
"""


def test_arguments_reach_the_script_byte_for_byte(executor: LocalExecutor, tmp_path: Path) -> None:
    given = [*HARD, os.fsdecode(b"\xff\xfe"), "x" * 100_000]
    finish(executor, executor.submit(attempt(tmp_path, DUMP, *given)))
    seen = json.loads((tmp_path / "seen").read_text())
    assert seen["argv"] == given
    assert seen["bytes"] == [os.fsencode(a).hex() for a in given]


def test_arguments_are_the_same_where_the_coordinator_has_another_locale(tmp_path: Path) -> None:
    made = attempt(tmp_path, DUMP, "Привет", os.fsdecode(b"\xff"), env={"LANG": "C.UTF-8", "NAME": "Привет"})
    code = """
import sys
from scriptstep.engine.attempt import Attempt, State
from scriptstep.engine.executors.local import LocalExecutor
made = Attempt.from_json(open(sys.argv[1]).read())
executor = LocalExecutor(1)
handle = executor.submit(made)
while executor.poll([handle])[handle].state in (State.QUEUED, State.RUNNING):
    executor.wait(10)
executor.close()
print(sys.getfilesystemencoding())
"""
    (tmp_path / "attempt.json").write_text(made.to_json())
    env = {**os.environ, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "attempt.json")],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.strip() != "utf-8", done.stderr
    seen = json.loads((tmp_path / "seen").read_text())
    assert seen["bytes"] == ["Привет".encode().hex(), "ff"]
    assert seen["env"]["NAME"] == "Привет"


def test_the_environment_is_the_attempts_and_nothing_else(
    executor: LocalExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAKS_IN", "1")
    given = {"A": "", "Б": "в", "MULTI": "a\nb", "LC_CTYPE": "C.UTF-8"}
    finish(executor, executor.submit(attempt(tmp_path, DUMP, env=given)))
    seen = json.loads((tmp_path / "seen").read_text())
    assert seen["env"] == given
    assert seen["cwd"] == str(tmp_path)


def test_standard_input_is_empty_and_no_descriptor_of_ours_is_open(executor: LocalExecutor, tmp_path: Path) -> None:
    held = [os.open(tmp_path, os.O_RDONLY), *os.pipe()]
    for descriptor in held:
        os.set_inheritable(descriptor, True)
    code = """
        import json, os, sys
        assert sys.stdin.read() == ""
        here = {}
        for n in range(1024):
            try:
                here[n] = os.readlink(f"/proc/self/fd/{n}")
            except OSError:
                pass
        json.dump(here, open("seen", "w"))
    """
    # One runs beside it, whose guard has pipes that this one's must not have.
    executor.submit(attempt(tmp_path, "import time; time.sleep(600)", name="other"))
    status = finish(executor, executor.submit(attempt(tmp_path, code)))
    for descriptor in held:
        os.close(descriptor)
    assert status.state is State.SUCCEEDED, (tmp_path / "one.log").read_text()
    seen = json.loads((tmp_path / "seen").read_text())
    log = str(tmp_path / "one.log")
    assert seen == {"0": os.devnull, "1": log, "2": log}


def test_no_signal_is_ignored_or_blocked(executor: LocalExecutor, tmp_path: Path) -> None:
    code = """
        lines = dict(line.split(":\\t") for line in open("/proc/self/status").read().splitlines() if line.startswith("Sig"))
        open("seen", "w").write(lines["SigBlk"] + " " + lines["SigIgn"])
    """
    # Python itself ignores SIGPIPE and SIGXFSZ.
    finish(executor, executor.submit(attempt(tmp_path, code)))
    blocked, ignored = (int(field, 16) for field in (tmp_path / "seen").read_text().split())
    assert blocked == 0
    # From 32 on they are the C library's own, which no program may set.
    assert ignored & 0x7FFF_FFFF == 1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1)


# --- the log


def test_the_log_has_output_and_errors_in_their_order(executor: LocalExecutor, tmp_path: Path) -> None:
    code = """
        import subprocess, sys
        for n in range(50):
            print(n)
            print(n, file=sys.stderr)
        subprocess.run(["sh", "-c", "echo out; echo err >&2"])
    """
    handle = executor.submit(attempt(tmp_path, code))
    finish(executor, handle)
    told, offset = executor.logs(handle, offset=0)
    assert told.decode().split() == [*[str(n) for n in range(50) for _ in range(2)], "out", "err"]
    assert executor.logs(handle, offset=offset) == (b"", offset)


def test_the_log_can_be_followed_while_the_script_runs(executor: LocalExecutor, tmp_path: Path) -> None:
    code = """
        import os, time
        print("first")
        while not os.path.exists("go on"):
            time.sleep(0.01)
        print("second")
    """
    handle = executor.submit(attempt(tmp_path, code))
    assert executor.logs(handle) in ((b"", 0), (b"first\n", 6))
    limit, told, offset = time.monotonic() + 20, b"", 0
    while told != b"first\n" and time.monotonic() < limit:
        more, offset = executor.logs(handle, offset=offset)
        told += more
    assert told == b"first\n"
    (tmp_path / "go on").touch()
    finish(executor, handle)
    assert executor.logs(handle, 0, offset) == (b"second\n", offset + 7)


def test_what_is_printed_without_a_newline_and_in_bytes_is_kept_as_it_is(
    executor: LocalExecutor, tmp_path: Path
) -> None:
    handle = executor.submit(attempt(tmp_path, r"import os; os.write(1, b'\xff\x00a'); os.write(2, b'b')"))
    finish(executor, handle)
    assert executor.logs(handle)[0] == b"\xff\x00ab"


# --- several of them


def test_the_same_attempt_twice_runs_once(executor: LocalExecutor, tmp_path: Path) -> None:
    made = attempt(tmp_path, "open('count', 'a').write('x')")
    assert executor.submit(made) == executor.submit(made)
    finish(executor, made.id)
    assert executor.submit(made) == made.id
    assert finish(executor, made.id).state is State.SUCCEEDED
    assert (tmp_path / "count").read_text() == "x"


def test_as_many_run_side_by_side_as_there_are_jobs_in_the_order_that_they_came(tmp_path: Path) -> None:
    code = """
        import os, sys, time
        os.mkdir("running-" + sys.argv[1])
        open("count", "a").write(str(len([n for n in os.listdir() if n.startswith("running-")])) + "\\n")
        open("order", "a").write(sys.argv[1] + "\\n")
        time.sleep(0.1)
        os.rmdir("running-" + sys.argv[1])
    """
    executor = LocalExecutor(3)
    try:
        handles = [executor.submit(attempt(tmp_path, code, str(n), name=f"n{n}")) for n in range(9)]
        states = [s.state for s in executor.poll(handles).values()]
        assert states[3:] == [State.QUEUED] * 6
        assert {finish(executor, h).state for h in handles} == {State.SUCCEEDED}
    finally:
        executor.close()
    counts = [int(line) for line in (tmp_path / "count").read_text().split()]
    assert max(counts) == 3
    order = [int(line) for line in (tmp_path / "order").read_text().split()]
    assert all(abs(place - n) <= 2 for place, n in enumerate(order)), order


def test_two_hundred_short_attempts_one_after_the_other_all_end_well(tmp_path: Path) -> None:
    executor = LocalExecutor(1)
    try:
        made = attempt(tmp_path, "")
        handles = [executor.submit(replace(made, id=str(n))) for n in range(200)]
        assert {finish(executor, handle).state for handle in handles} == {State.SUCCEEDED}
    finally:
        executor.close()


def test_many_more_attempts_wait_than_a_pipe_holds(tmp_path: Path) -> None:
    executor = LocalExecutor(40)
    try:
        long = ["x" * 90_000] * 4
        handles = [executor.submit(attempt(tmp_path, "", *long, name=f"n{n}")) for n in range(40)]
        assert {finish(executor, h, 60).state for h in handles} == {State.SUCCEEDED}
    finally:
        executor.close()


# --- waiting


def test_waiting_ends_with_the_change_and_not_later(executor: LocalExecutor, tmp_path: Path) -> None:
    handle = executor.submit(attempt(tmp_path, "import time; time.sleep(0.3)"))
    while executor.poll([handle])[handle].state in (State.QUEUED, State.RUNNING):
        begin = time.monotonic()
        executor.wait(30)
        assert time.monotonic() - begin < 10


def test_waiting_ends_when_its_time_is_over(executor: LocalExecutor, tmp_path: Path) -> None:
    begin = time.monotonic()
    executor.wait(0.1)  # nothing was ever submitted
    handle = executor.submit(attempt(tmp_path, "import time; time.sleep(600)"))
    while executor.poll([handle])[handle].started is None:
        executor.wait(0.1)
    executor.poll([handle])
    executor.wait(0.2)
    assert 0.3 <= time.monotonic() - begin < 5
    assert executor.poll([handle])[handle].state is State.RUNNING


def test_waiting_uses_no_processor_time(executor: LocalExecutor, tmp_path: Path) -> None:
    handle = executor.submit(attempt(tmp_path, "import time; time.sleep(600)"))
    executor.poll([handle])
    executor.wait(0.1)
    executor.poll([handle])
    begin = time.process_time()
    executor.wait(1.0)
    assert time.process_time() - begin < 0.1


def test_a_change_that_another_thread_makes_ends_the_waiting(tmp_path: Path) -> None:
    executor = LocalExecutor(1)
    try:
        executor.submit(attempt(tmp_path, "import time; time.sleep(600)", name="first"))
        second = executor.submit(attempt(tmp_path, "", name="second"))
        executor.poll([second])
        threading.Timer(0.2, executor.cancel, [second]).start()
        begin = time.monotonic()
        while executor.poll([second])[second].state is State.QUEUED:
            executor.wait(20)
        assert time.monotonic() - begin < 10
    finally:
        executor.close()


def test_many_threads_may_use_one_executor(tmp_path: Path) -> None:
    executor = LocalExecutor(4)
    made = attempt(tmp_path, "import sys; sys.exit(int(sys.argv[1]))")
    wrong: list[str] = []

    def work(thread: int) -> None:
        for n in range(6):
            given = replace(made, id=f"{thread}-{n}", argv=(*made.argv, str(n)))
            status = finish(executor, executor.submit(given), 60)
            if status.exit_code != n:
                wrong.append(f"{thread}-{n}: {status}")

    threads = [threading.Thread(target=work, args=(t,)) for t in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    executor.close()
    assert wrong == []


def test_a_handle_that_was_never_given_is_a_keyerror(executor: LocalExecutor) -> None:
    with pytest.raises(KeyError):
        executor.poll(["nobody"])
    with pytest.raises(KeyError):
        executor.logs("nobody")


def test_an_attempt_of_a_coordinator_that_is_gone_is_lost(executor: LocalExecutor) -> None:
    executor.reattach(["from before"])
    status = executor.poll(["from before"])["from before"]
    assert (status.state, status.message) == (State.LOST, "it ended with the process that ran it")


# --- other interpreters


def test_what_an_interpreter_prints_is_given(tmp_path: Path) -> None:
    script = tmp_path / "probe.py"
    script.write_text("import sys; print(sys.flags.isolated, 'Привет', sys.argv[1:])")
    assert probe_interpreter(sys.executable, script) == "1 Привет []\n"


def test_an_interpreter_that_cannot_be_run_is_the_users_to_mend(tmp_path: Path) -> None:
    with pytest.raises(UserErrorException, match="/no/such/python"):
        probe_interpreter("/no/such/python", tmp_path / "x.py")
    (tmp_path / "text").write_text("no program")
    with pytest.raises(UserErrorException, match="cannot be run"):
        probe_interpreter(str(tmp_path / "text"), tmp_path / "x.py")


def test_an_interpreter_that_cannot_run_the_script_is_the_users_to_mend(tmp_path: Path) -> None:
    script = tmp_path / "probe.py"
    script.write_text("raise SyntaxError('match is too new')")
    with pytest.raises(UserErrorException, match="match is too new"):
        probe_interpreter(sys.executable, script)
