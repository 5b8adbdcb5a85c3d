"""The command line."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from scriptstep.cli import main
from scriptstep.history import History, RunRow, now


def scriptstep(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scriptstep", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=60,
        env={**os.environ, **environment},
    )


def script(folder: Path, code: str, name: str = "pipeline.py") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(code), encoding="utf-8")
    return path


# --- run


def test_a_script_runs_as_python_runs_it_where_the_user_stands(project: Path) -> None:
    script(project / "code", "VALUE = 7", "helper.py")
    script(
        project / "code",
        """
        import os, sys, helper
        print(__name__, __file__, helper.VALUE, os.getcwd(), sys.argv, sys.path[0])
        import __main__
        assert __main__.helper is helper
        """,
    )
    done = scriptstep("run", "--jobs", "2", "code/pipeline.py", "--jobs", "5", "-m", "x y", "", cwd=project)
    assert done.stderr == ""
    argv = ["code/pipeline.py", "--jobs", "5", "-m", "x y", ""]
    assert done.stdout == f"__main__ code/pipeline.py 7 {project} {argv} {project / 'code'}\n"


def test_garbage_is_collected_in_a_script_as_ever(project: Path) -> None:
    script(project, "import gc\nprint(gc.isenabled())")
    assert scriptstep("run", "pipeline.py", cwd=project).stdout == "True\n"
    for was_on in (True, False):
        (gc.enable if was_on else gc.disable)()
        try:
            main(["runs"])
            assert gc.isenabled() is was_on
        finally:
            gc.enable()


def test_a_module_runs_as_python_dash_m_runs_it(project: Path) -> None:
    script(project / "package", "", "__init__.py")
    script(project / "package", "import sys; from . import other; print(__name__, sys.argv[1:], other.X)", "main.py")
    script(project / "package", "X = 3", "other.py")
    done = scriptstep("run", "-m", "package.main", "--depth", "3", cwd=project)
    assert (done.stdout, done.stderr) == ("__main__ ['--depth', '3'] 3\n", "")
    missing = scriptstep("run", "-m", "package.nothing", cwd=project)
    assert missing.returncode == 1
    assert missing.stderr.startswith("error: module 'package.nothing' cannot be run")
    assert "Traceback" not in missing.stderr


@pytest.mark.parametrize(
    ("ending", "code"), [("pass", 0), ("sys.exit(0)", 0), ("sys.exit(3)", 3), ("sys.exit()", 0), ("sys.exit('no')", 1)]
)
def test_the_exit_code_is_the_scripts(project: Path, ending: str, code: int) -> None:
    script(project, f"import sys\n{ending}\n")
    done = scriptstep("run", "pipeline.py", cwd=project)
    assert done.returncode == code
    assert ("no" in done.stderr) == (ending == "sys.exit('no')")


def test_a_users_own_exception_shows_the_users_traceback_and_no_frame_of_ours(project: Path) -> None:
    script(
        project,
        """
        def inner(x):
            return 1 / x
        try:
            inner(0)
        except ZeroDivisionError as error:
            raise ValueError("bad depth") from error
        """,
    )
    done = scriptstep("run", "pipeline.py", cwd=project)
    assert done.returncode == 1
    assert 'File "pipeline.py", line 3, in inner' in done.stderr
    assert done.stderr.splitlines()[-1] == "ValueError: bad depth"
    assert "scriptstep" not in done.stderr


def test_a_syntax_error_is_pythons_own_message(project: Path) -> None:
    script(project, "x = 1\nfor in y:\n    pass\n")
    done = scriptstep("run", "pipeline.py", cwd=project)
    assert done.returncode == 1
    assert 'File "pipeline.py", line 2' in done.stderr
    assert "SyntaxError" in done.stderr
    assert "scriptstep" not in done.stderr


def test_a_mistake_is_one_error_with_the_users_line_and_help(project: Path) -> None:
    script(project, "from azureml.core import Experiment, Workspace\n\nExperiment(Workspace.from_config(), 'a b')\n")
    done = scriptstep("run", "pipeline.py", cwd=project)
    assert done.returncode == 1
    error = done.stderr[done.stderr.index("error:") :].splitlines()
    assert error == [
        "error: 'a b' cannot be the name of an experiment",
        "  --> pipeline.py:3",
        "help: 1 to 255 letters, digits, '-' and '_', the first a letter or digit",
    ]
    assert "Traceback" in scriptstep("run", "-v", "pipeline.py", cwd=project).stderr


def test_the_line_of_a_mistake_is_the_users_where_the_standard_library_stands_between(project: Path) -> None:
    script(
        project,
        """
        import contextlib
        from azureml.core import Experiment, Workspace
        stack = contextlib.ExitStack()
        stack.callback(Experiment, Workspace.from_config(), "a b")
        stack.close()
        """,
    )
    done = scriptstep("run", "pipeline.py", cwd=project)
    assert "  --> pipeline.py:6" in done.stderr.splitlines()


def test_what_is_not_here_says_what_to_use_when_it_is_used(project: Path) -> None:
    script(
        project, "from azureml.pipeline.steps import ParallelRunStep\nprint('imported')\nParallelRunStep(name='x')\n"
    )
    done = scriptstep("run", "pipeline.py", cwd=project)
    assert done.stdout == "imported\n"
    assert done.stderr.startswith("error: ParallelRunStep is not here: ")
    assert "--> pipeline.py:3" in done.stderr
    script(project, "from azureml.core import Workspaces\n")
    done = scriptstep("run", "pipeline.py", cwd=project)
    assert done.stderr.startswith("error: scriptstep has no 'Workspaces' in 'azureml.core': did you mean 'Workspace'?")


def test_an_error_that_the_users_own_code_raises_with_our_class_keeps_its_traceback(project: Path) -> None:
    script(project, "from azureml.exceptions import UserErrorException\nraise UserErrorException('mine')\n")
    done = scriptstep("run", "pipeline.py", cwd=project)
    assert 'File "pipeline.py", line 2' in done.stderr
    assert done.stderr.startswith("Traceback")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run"], "a FILE to run is needed"),
        (["run", "--jobs", "4"], "a FILE to run is needed"),
        (["run", "--jobs", "0", "x.py"], "at least 1"),
        (["run", "--input-identity", "size", "x.py"], "invalid choice"),
        (["run", "--nothing", "x.py"], "unrecognized arguments"),
        (["logs"], "RUN"),
        (["frobnicate"], "invalid choice"),
    ],
)
def test_wrong_use_says_so_and_exits_2(project: Path, arguments: list[str], message: str) -> None:
    done = scriptstep(*arguments, cwd=project)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_is_not_there_is_one_error(project: Path) -> None:
    (project / "folder").mkdir()
    for path, message in (("none.py", "'none.py' is not there"), ("folder", "'folder' is a folder")):
        done = scriptstep("run", path, cwd=project)
        assert (done.returncode, done.stderr.splitlines()[0]) == (1, f"error: {message}")


def test_a_request_to_end_ends_the_script(project: Path) -> None:
    script(project, "import time; print('ready', flush=True); time.sleep(60)")
    command = [sys.executable, "-m", "scriptstep", "run", "pipeline.py"]
    for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        process = subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        _, told = process.communicate(timeout=20)
        assert (process.returncode, told) == (code, "")


# --- help


def test_help_names_every_command_and_nothing_else() -> None:
    done = scriptstep("--help")
    assert done.returncode == 0
    listed = [
        line
        for line in done.stdout.partition("commands:")[2].splitlines()
        if line.startswith("    ") and line[4:5].strip()
    ]
    assert [line.split()[0] for line in listed] == [
        "run",
        "runs",
        "plan",
        "explain",
        "accept",
        "reproduce",
        "key",
        "logs",
        "cancel",
        "files",
        "doctor",
        "gc",
        "pin",
        "unpin",
        "verify",
        "published",
        "data",
    ]
    for command in (
        ["run"],
        ["runs"],
        ["logs"],
        ["cancel"],
        ["files"],
        ["doctor"],
        ["published"],
        ["data"],
        ["data", "add"],
    ):
        shown = scriptstep(*command, "--help")
        assert shown.returncode == 0
        assert shown.stdout.startswith("usage: scriptstep " + " ".join(command))


def test_without_a_command_the_help_is_shown_and_the_version_on_demand() -> None:
    done = scriptstep()
    assert done.returncode == 2
    assert "usage: scriptstep" in done.stdout
    assert scriptstep("--version").stdout.startswith("scriptstep ")


# --- runs, logs, cancel


def recorded(home: Path, id: str, **fields: Any) -> RunRow:
    history = History(home / "history.db")
    history.add_experiment("ws", fields.get("experiment", "diabetes"))
    defaults: dict[str, Any] = {
        "workspace": "ws",
        "experiment": "diabetes",
        "kind": "pipeline",
        "name": "diabetes",
        "status": "Finished",
        "started": "2026-05-01T10:00:00.000000+00:00",
        "ended": "2026-05-01T10:02:10.000000+00:00",
        "directory": f"runs/{id[:8]}",
    }
    row = history.add_run(RunRow(id=id, **{**defaults, **fields}))
    history.close()
    return row


@pytest.fixture
def filled(ws: Any, home: Path) -> Path:
    """A state folder with three runs: one that came to its end, one that failed, one whose coordinator is gone."""
    recorded(home, "aaaa1111-0", number=1)
    for name, more in (
        ("prepare", {"reused_from": "0000"}),
        ("train", {"ended": "2026-05-01T10:00:02.500000+00:00"}),
    ):
        recorded(
            home, f"a-{name}", kind="step", name=name, parent="aaaa1111-0", directory=f"runs/aaaa1111/{name}", **more
        )
    recorded(home, "bbbb2222-0", status="Failed", experiment="other", name="other")
    step = {"kind": "step", "parent": "bbbb2222-0", "experiment": "other"}
    recorded(home, "b-one", name="one", status="Failed", directory="runs/bbbb2222/one", **step)
    recorded(home, "b-two", name="дв а", status="NotStarted", started=None, directory="runs/bbbb2222/two", **step)
    recorded(home, "bbbb3333-0", status="Running", ended=None, owner="1", experiment="lost", name="lost")
    recorded(
        home, "c-one", name="one", status="Running", ended=None, kind="step", parent="bbbb3333-0", experiment="lost"
    )
    for name, text in (("aaaa1111/train", "trained\nПривет\n"), ("bbbb2222/one", "no end"), ("aaaa1111/prepare", "")):
        log = home / "runs" / name / "logs" / "std_log.txt"
        log.parent.mkdir(parents=True)
        log.write_text(text, encoding="utf-8")
    return home


def test_runs_lists_the_newest_first_by_a_short_id(filled: Path, project: Path) -> None:
    done = scriptstep("runs", cwd=project)
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["run", "experiment", "when", "took", "steps"]
    assert [line[:3] for line in lines[1:]] == [
        ["bbbb3", "lost", "failed"],
        ["bbbb2", "other", "failed"],
        ["aaaa1", "diabetes", "finished"],
    ]
    assert lines[3][-8:] == ["2", "m", "10", "s", "1", "ran,", "1", "reused"]
    assert lines[2][-5:] == ["1", "failed,", "1", "not", "run"]
    limited = scriptstep("runs", "-n", "1", "--experiment", "diabetes", cwd=project).stdout
    assert [line.split()[0] for line in limited.splitlines()] == ["run", "aaaa1"]


def test_runs_as_json_has_a_version_and_times(filled: Path, project: Path) -> None:
    told = json.loads(scriptstep("runs", "--json", cwd=project).stdout)
    assert told["version"] == 1
    last = told["runs"][-1]
    assert (last["id"], last["status"], last["seconds"]) == ("aaaa1111-0", "Finished", 130.0)
    assert last["steps"] == [
        {"name": "prepare", "verdict": "reused", "seconds": None},
        {"name": "train", "verdict": "ran", "seconds": 2.5},
    ]
    assert [run["status"] for run in told["runs"]] == ["Failed", "Failed", "Finished"]


def test_logs_prints_what_a_step_printed_byte_for_byte(filled: Path, project: Path) -> None:
    assert scriptstep("logs", "aaaa", "train", cwd=project).stdout == "trained\nПривет\n"
    whole = scriptstep("logs", "aaaa", cwd=project).stdout
    assert whole == "== prepare (reused)\n\n== train (finished)\ntrained\nПривет\n"
    assert scriptstep("logs", "bbbb2", "one", cwd=project).stdout == "no end\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["logs", "ffff"], "there is no run 'ffff'"),
        (["logs", "bbbb"], "the ids of 2 runs begin with 'bbbb'"),
        (["logs", "aaaa", "trian"], "run aaaa has no step 'trian'; it has prepare, train"),
        (["cancel", "ffff"], "there is no run 'ffff'"),
        (["cancel", "a-train"], "'train' is a step of run aaaa"),
    ],
)
def test_a_run_or_step_that_is_not_there_is_one_error(
    filled: Path, project: Path, arguments: list[str], message: str
) -> None:
    done = scriptstep(*arguments, cwd=project)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {message}")
    assert "help: " in done.stderr


def test_cancelling_a_run_that_is_over_says_so(filled: Path, project: Path) -> None:
    for run, word in (("aaaa", "finished"), ("bbbb3", "failed")):
        done = scriptstep("cancel", run, cwd=project)
        assert (done.returncode, done.stderr) == (0, f"note: run {run[:4]} is over: {word}\n")


def test_cancelling_asks_through_the_history_and_waits(ws: Any, home: Path, project: Path) -> None:
    from scriptstep.engine.run_lock import RunLock

    recorded(home, "dddd4444-0", status="Running", ended=None, owner=str(os.getpid()))
    (home / "runs" / "dddd4444").mkdir(parents=True)
    lock = RunLock(home / "runs" / "dddd4444")
    process = subprocess.Popen(
        [sys.executable, "-m", "scriptstep", "cancel", "dddd"], cwd=project, stdout=subprocess.PIPE
    )
    history = History(home / "history.db")
    deadline = time.monotonic() + 20
    while not history.cancel_requested("dddd4444-0"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    history.update_run("dddd4444-0", status="Canceled", ended=now())
    out, _ = process.communicate(timeout=20)
    assert out == b"run dddd cancelled\n"
    lock.release()
    history.close()


def test_without_any_run_nothing_is_made(project: Path, home: Path) -> None:
    done = scriptstep("runs", cwd=project)
    assert (done.returncode, done.stdout) == (0, "")
    assert "there are no runs" in done.stderr
    assert json.loads(scriptstep("runs", "--json", cwd=project).stdout) == {"version": 1, "runs": []}
    assert not home.exists()


def test_a_reader_that_has_enough_is_no_error(filled: Path, project: Path) -> None:
    log = filled / "runs" / "aaaa1111" / "train" / "logs" / "std_log.txt"
    log.write_text("line\n" * 200_000)
    command = f"{sys.executable} -m scriptstep logs aaaa train | head -1"
    done = subprocess.run(["/bin/sh", "-c", command], cwd=project, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("line\n", "")


# --- data add


def test_data_gets_a_name_and_the_rest_of_the_settings_stays_as_it_is(project: Path, home: Path) -> None:
    before = '# ours\n[workspace]\nname = "team"   # kept\n\n[datasets]\nold = {path = "old.csv"}\n'
    (project / "scriptstep.toml").write_text(before)
    (project / "old.csv").write_text("x\n")
    (project / "data").mkdir()
    (project / "data" / "raw.csv").write_text("x\n1\n")
    done = scriptstep("data", "add", "raw", "data/raw.csv", "--tabular", cwd=project)
    assert (done.returncode, done.stderr) == (0, "")
    after = (project / "scriptstep.toml").read_text()
    assert after == before + '\n[datasets.raw]\npath = "data/raw.csv"\nkind = "tabular"\n'
    again = scriptstep("data", "add", "raw", "data", cwd=project)
    assert again.returncode == 1
    assert again.stderr.startswith("error: 'raw' is in scriptstep.toml already: data/raw.csv")
    assert (project / "scriptstep.toml").read_text() == after
    (project / "sub").mkdir()
    assert scriptstep("data", "add", "all", "../data/*.csv", cwd=project / "sub").returncode == 0
    assert (project / "scriptstep.toml").read_text() == after + '\n[datasets.all]\npath = "data/*.csv"\n'


def test_data_that_was_named_is_found_by_scripts(project: Path) -> None:
    (project / "raw.csv").write_text("x,y\n1,2\n")
    assert scriptstep("data", "add", "raw", "raw.csv", "--tabular", cwd=project).returncode == 0
    from scriptstep import Dataset, Workspace

    frame = Dataset.get_by_name(Workspace.from_config(), "raw").to_pandas_dataframe()
    assert frame.to_dict("list") == {"x": [1], "y": [2]}


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        ("", ["raw", "none.csv"], "there is nothing at 'none.csv'"),
        ("", ["raw", "none/*.csv"], "no file fits the pattern"),
        ("", ["a b", "here.csv"], "'a b' cannot be the name of data"),
        ("[datasets\n", ["raw", "here.csv"], "scriptstep.toml is no TOML"),
        ("datasets = {old = {path = 'x'}}\n", ["raw", "here.csv"], "in a form that cannot be added to"),
    ],
)
def test_data_that_cannot_be_named_changes_nothing(
    project: Path, content: str, arguments: list[str], message: str
) -> None:
    (project / "here.csv").write_text("x\n")
    (project / "scriptstep.toml").write_text(content)
    done = scriptstep("data", "add", *arguments, cwd=project)
    assert done.returncode == 1
    assert message in done.stderr.splitlines()[0]
    assert (project / "scriptstep.toml").read_text() == content
