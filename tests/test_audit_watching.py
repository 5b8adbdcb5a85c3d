"""Being watched changes nothing for a script: what it can see of it, how it ends, how it is ended, what it costs."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from attempts import STUBBORN, attempt, finish, is_gone_within, read_pid

import scriptstep
from scriptstep.engine.attempt import Attempt, State
from scriptstep.engine.executors import strace
from scriptstep.engine.executors.local import LocalExecutor
from scriptstep.engine.executors.strace import Traced, read_trace, traced

BOOTSTRAP = Path(scriptstep.__file__).parent / "runtime" / "bootstrap"

# --- by the audit hook


def python(code: str, folder: Path, notes: Path | None, script: str = "main.py") -> subprocess.CompletedProcess[str]:
    """Runs a script as a step does, under audit where there is a file for the notes."""
    copy = folder / "code"
    copy.mkdir(exist_ok=True)
    (copy / script).write_text(dedent(code))
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{BOOTSTRAP}{os.pathsep}{copy}"}
    if notes is not None:
        env["SCRIPTSTEP_AUDIT"] = str(notes)
    return subprocess.run([sys.executable, script], env=env, cwd=copy, capture_output=True, text=True, timeout=60)


def noted(notes: Path, name: str) -> list[dict[str, Any]]:
    lines = [ast.literal_eval(line) for line in notes.read_text(encoding="ascii").splitlines() if line]
    return [line for line in lines if os.path.basename(str(line.get("path"))) == name]


def test_a_script_finds_no_module_that_it_would_not_find_without(tmp_path: Path) -> None:
    code = "import sys; print(sorted(sys.modules), sys.path, list(map(type, sys.meta_path)))"
    without, watched = python(code, tmp_path, None), python(code, tmp_path, tmp_path / "notes")
    assert (watched.stdout, watched.stderr) == (without.stdout, "")


@pytest.mark.parametrize("name", ["json.py", "audit.py", "stat.py", "typing.py", "types.py", "os.py", "ast.py"])
def test_a_module_of_the_scripts_is_not_taken_for_one_of_ours(name: str, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / name).write_text("print('mine')")
    assert python("print('ran')", tmp_path, tmp_path / "notes").stdout == "ran\n"
    assert (tmp_path / "notes").read_text().startswith("\n{'do': 'python', ")


def test_a_script_does_not_break_where_nothing_can_be_noted(tmp_path: Path) -> None:
    done = python("print(len(open('main.py').read()))", tmp_path, tmp_path / "no" / "such" / "folder" / "notes")
    assert (done.returncode, done.stdout.strip().isdigit(), done.stderr) == (0, True, "")
    code = """
        import resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        print(len(open("main.py").read()))
        """
    done = python(code, tmp_path, tmp_path / "notes")
    assert (done.returncode, done.stdout.strip().isdigit(), done.stderr) == (0, True, "")


def test_a_thing_is_noted_once_a_process_however_often_and_by_however_many_threads(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "data").write_text("1")
    code = """
        import os, threading
        def read():
            for _ in range(500):
                open("data").read()
        threads = [threading.Thread(target=read) for _ in range(8)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        """
    assert python(code, tmp_path, tmp_path / "notes").returncode == 0
    # Threads that come at the same moment may each note it.
    assert 1 <= len(noted(tmp_path / "notes", "data")) <= 8


def test_processes_note_whole_lines_side_by_side(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    for number in range(200):
        (tmp_path / "code" / f"file{number}").write_text("1")
    code = """
        import os
        for _ in range(4):
            if os.fork() == 0:
                for number in range(200):
                    open(f"file{number}")
                os._exit(0)
        for _ in range(4):
            os.wait()
        """
    assert python(code, tmp_path, tmp_path / "notes").returncode == 0
    assert {len(noted(tmp_path / "notes", f"file{n}")) for n in range(200)} == {4}


# --- by strace


@pytest.fixture
def watched(tmp_path: Path) -> Callable[..., Attempt]:
    """Makes an attempt that strace watches."""
    if (why := strace.why_not_traced()) is not None:
        pytest.skip(why)

    def make(code: str, *arguments: str, **given: Any) -> Attempt:
        return traced(attempt(tmp_path, code, *arguments, **given), tmp_path / "trace")

    return make


@pytest.fixture
def executor() -> Any:
    made = LocalExecutor(4)
    yield made
    made.close()


def test_it_ends_as_it_does_unwatched(watched: Callable[..., Attempt], executor: LocalExecutor) -> None:
    status = finish(executor, executor.submit(watched("import sys; sys.exit(7)")))
    assert (status.state, status.exit_code, status.signal) == (State.FAILED, 7, None)
    killed = watched("import os; os.kill(os.getpid(), 9)", name="killed")
    status = finish(executor, executor.submit(killed))
    assert (status.state, status.exit_code, status.signal) == (State.FAILED, None, signal.SIGKILL)
    assert finish(executor, executor.submit(watched("", name="good"))).state is State.SUCCEEDED


def test_it_is_the_child_of_whom_it_would_be_and_has_none_that_it_did_not_start(
    watched: Callable[..., Attempt], executor: LocalExecutor, tmp_path: Path
) -> None:
    code = """
        import os, signal
        print(open(f"/proc/{os.getppid()}/comm").read().strip().startswith("strace"), os.getpid() == os.getsid(0))
        print([signal.getsignal(n) is signal.SIG_DFL for n in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)])
        try:
            os.wait()
        except ChildProcessError:
            print("no child")
        """
    assert finish(executor, executor.submit(watched(code))).state is State.SUCCEEDED
    assert (tmp_path / "one.log").read_text() == "False True\n[True, True, True]\nno child\n"


def test_cancelling_ends_the_whole_process_tree(
    watched: Callable[..., Attempt], executor: LocalExecutor, tmp_path: Path
) -> None:
    handle = executor.submit(watched(STUBBORN + "    time.sleep(600)\n", str(tmp_path / "pid")))
    pid = read_pid(tmp_path / "pid")
    executor.cancel(handle, 0.1)
    assert finish(executor, handle).state is State.CANCELLED
    assert is_gone_within(pid, 5)


def test_it_is_asked_to_end_before_it_is_made_to(
    watched: Callable[..., Attempt], executor: LocalExecutor, tmp_path: Path
) -> None:
    code = """
        import os, signal, sys, time
        signal.signal(signal.SIGTERM, lambda *_: (print("asked", flush=True), sys.exit(0)))
        with open(sys.argv[1], "w") as file:
            file.write(str(os.getpid()))
        time.sleep(600)
        """
    handle = executor.submit(watched(code, str(tmp_path / "pid")))
    read_pid(tmp_path / "pid")
    executor.cancel(handle, 30)
    assert finish(executor, handle).state is State.CANCELLED
    assert (tmp_path / "one.log").read_text() == "asked\n"


def test_a_time_limit_holds(watched: Callable[..., Attempt], executor: LocalExecutor) -> None:
    status = finish(executor, executor.submit(watched("import time; time.sleep(600)", timeout_s=0.5)))
    assert status.state is State.TIMEOUT


def test_a_trace_tells_what_each_program_did_and_nothing_of_arguments(
    watched: Callable[..., Attempt], executor: LocalExecutor, tmp_path: Path
) -> None:
    (tmp_path / "a b").write_text("1")
    code = """
        import subprocess, threading
        subprocess.run(["sh", "-c", "cat 'a b' > copy; echo secret-word > /dev/null"], check=True)
        def read():
            for _ in range(100):
                open("copy").close()
        threads = [threading.Thread(target=read) for _ in range(4)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        """
    assert finish(executor, executor.submit(watched(code, "secret-word"))).state is State.SUCCEEDED
    raw = (tmp_path / "trace.0").read_text()
    spelled = "".join(f"\\x{byte:02x}" for byte in b"secret-word")
    assert "secret-word" not in raw
    assert spelled not in raw
    seen = list(read_trace(tmp_path / "trace", str(tmp_path)))
    path, copy = str(tmp_path / "a b"), str(tmp_path / "copy")
    cat = [os.path.basename(t.program) for t in seen if t == Traced("read", path, path, program=t.program)]
    assert cat == ["cat"]
    shells = [os.path.basename(t.program) for t in seen if t == Traced("made", copy, copy, program=t.program)]
    assert shells in (["sh"], ["dash"], ["bash"])
    assert [t.real for t in seen if t.do == "read" and t.real == copy] == [copy]
    assert not (tmp_path / "trace.0").exists()


def test_a_socket_for_datagrams_that_the_c_library_connects_is_no_connection(tmp_path: Path) -> None:
    def line(protocol: str, port: int) -> str:
        kind, host = ("".join(f"\\x{byte:02x}" for byte in text.encode()) for text in (protocol, "192.0.2.7"))
        return f'9 connect(3<{kind}>, {{sa_family=AF_INET, sin_port=htons({port}), sin_addr=inet_addr("{host}")}}, 16) = 0\n'

    (tmp_path / "trace.0").write_text(line("UDP:[1]", 1) + line("UDPv6:[2]", 2) + line("TCP:[3]", 443))
    assert list(read_trace(tmp_path / "trace", "/")) == [Traced("connected", host="192.0.2.7", port=443)]


def test_a_strace_that_may_not_watch_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "strace").write_text("#!/bin/sh\necho 'ptrace: Operation not permitted' >&2\nexit 1\n")
    (tmp_path / "strace").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path) + os.pathsep + os.environ["PATH"])
    strace._command.cache_clear()
    try:
        assert strace.why_not_traced() == "strace may not watch processes here (ptrace is not permitted)"
        made = attempt(tmp_path, "")
        assert traced(made, tmp_path / "trace") == made
    finally:
        strace._command.cache_clear()
