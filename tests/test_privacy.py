"""What others can see: of the state folder nothing, of secrets nothing, of a name only what it is."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scriptstep import Experiment, Pipeline, PipelineData, RunConfiguration
from tests.test_cli import script, scriptstep

Make = Callable[..., Any]

CANARY = "correct-horse-battery"


def open_to_others(folder: Path) -> Iterator[str]:
    """The files below a folder that another user can read, and the folders that another can list or write to."""
    for entry in folder.iterdir():
        mode = entry.lstat().st_mode
        if stat.S_ISDIR(mode):
            if mode & 0o077 & ~0o011:
                yield f"{entry.relative_to(folder)}/"
            if mode & 0o011:
                yield from (f"{entry.relative_to(folder)}/{below}" for below in open_to_others(entry))
        elif not stat.S_ISLNK(mode) and mode & 0o077:
            yield str(entry.relative_to(folder))


@pytest.mark.parametrize("made_before", [True, False])
def test_the_state_folder_is_closed_to_others_whatever_the_umask(
    made_before: bool, project: Path, home: Path, make_step: Make
) -> None:
    from scriptstep import Workspace

    before = os.umask(0)
    try:
        if made_before:
            home.mkdir(mode=0o755)
        ws = Workspace.from_config()
        out = PipelineData("out")
        code = "import sys; open(sys.argv[1], 'w').write('x'); print('log')"
        step = make_step("one", code, arguments=[out], outputs=[out])
        run = Experiment(ws, "e").submit(Pipeline(ws, [step]))
        run.wait_for_completion(show_output=False)
        script(project, "print('x')")
    finally:
        os.umask(before)
    assert set(open_to_others(home)) <= {"CACHEDIR.TAG", ".gitignore"}
    if not made_before:
        assert home.stat().st_mode & 0o077 == 0


def test_the_list_of_processes_shows_no_secret_variable(make_step: Make, ws: Any, project: Path) -> None:
    config = RunConfiguration()
    config.environment_variables = {"API_TOKEN": CANARY}
    ready, go = project / "ready", project / "go"
    code = f"""
        import os, pathlib, time
        assert os.environ["API_TOKEN"] == {CANARY!r}
        pathlib.Path({str(ready)!r}).touch()
        while not pathlib.Path({str(go)!r}).exists():
            time.sleep(0.01)
    """
    run = Experiment(ws, "e").submit(Pipeline(ws, [make_step("one", code, runconfig=config)]))
    end = time.monotonic() + 30
    while not ready.exists() and time.monotonic() < end:
        time.sleep(0.01)
    lines = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    go.touch()
    run.wait_for_completion(show_output=False)
    assert ready.exists() and CANARY not in lines


def test_a_secret_is_in_no_message_log_or_file(
    make_step: Make, ws: Any, project: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def submit(name: str, code: str, secret: str, **more: Any) -> Any:
        config = RunConfiguration()
        config.environment_variables = {"DB_PASSWORD": secret}
        arguments = ["--api-key", secret, *more.pop("arguments", [])]
        pipeline = Pipeline(ws, [make_step(name, code, runconfig=config, arguments=arguments, **more)])
        run = Experiment(ws, "e").submit(pipeline)
        run.wait_for_completion(show_output=False, raise_on_error=False)
        return run

    submit("good", "print('fine')", CANARY)
    again = submit("good", "print('fine')", CANARY + "-2")
    failed = submit("bad", "raise SystemExit(3)", CANARY)
    details = [str(one.get_details()) for run in (again, failed) for one in (run, *run.get_steps())]
    told = "".join(capsys.readouterr()) + "".join(details)
    for command in (["runs", "--json"], ["explain", again.id[:8], "good"], ["explain", failed.id[:8], "bad", "--json"]):
        done = scriptstep(*command)
        assert done.returncode == 0, done.stderr
        told += done.stdout + done.stderr
    told += scriptstep("key", "export", again.id[:8], "good").stdout
    assert "--api-key changed" in told and "variable DB_PASSWORD changed" in told
    assert CANARY not in told
    holders = [p for p in home.rglob("*") if p.is_file() and not p.is_symlink() and CANARY.encode() in p.read_bytes()]
    assert holders == []


EVIL = "evil\x1b]0;owned\x07\x1b[2J\r\nname\u202e"


def test_a_name_with_control_characters_upsets_no_terminal(project: Path, home: Path) -> None:
    script(project / "src", "print('x')", "main.py")
    (project / "src" / f"{EVIL}.py").write_text("x = 1\n")
    (project / "src" / ".amlignore").write_text("*.log\n")
    (project / "src" / f"{EVIL}.log").write_text("x")
    script(
        project,
        f"""
        from azureml.core import Workspace, Experiment
        from azureml.pipeline.core import Pipeline
        from azureml.pipeline.steps import PythonScriptStep
        import sys
        ws = Workspace.from_config()
        step = PythonScriptStep("main.py", name={EVIL!r}, source_directory="src", arguments=[sys.argv[1], {EVIL!r}])
        pipeline = Pipeline(ws, [step], description={EVIL!r})
        if sys.argv[1] == "publish":
            pipeline.publish(name={EVIL!r})
        Experiment(ws, "exp").submit(pipeline, tags={{"note": {EVIL!r}}}, display_name={EVIL!r}).wait_for_completion()
        """,
    )
    assert scriptstep("run", "pipeline.py", "publish").returncode == 0
    (project / "src" / f"{EVIL}.py").write_text("x = 2  # \x1b[31m\n")
    with sqlite(home) as connection:
        (run,) = connection.execute("SELECT id FROM runs WHERE kind = 'pipeline'").fetchone()
    for command in (
        ["plan", "pipeline.py", "a"],
        ["explain", "pipeline.py", EVIL, "a"],
        ["explain", run, EVIL],
        ["run", "pipeline.py", "a"],
        ["run", "--audit", "pipeline.py", "a"],
        ["runs"],
        ["logs", run],
        ["published"],
        ["files", "src"],
        ["files", "src", "--ignored"],
        ["accept", "pipeline.py", EVIL, "c", "--because", EVIL],
        ["reproduce", "pipeline.py", "a"],
        ["logs", run, EVIL + "?"],
        ["doctor", "src"],
    ):
        done = scriptstep(*command)
        shown = done.stdout + done.stderr
        assert shown.strip(), command
        assert not {c for c in shown if c in "\x1b\x07\r\u202e"}, (command, shown)


def sqlite(home: Path) -> Any:
    import contextlib
    import sqlite3

    return contextlib.closing(sqlite3.connect(home / "history.db"))


def test_json_holds_names_as_they_are(project: Path) -> None:
    script(project / "src", "print('x')", "main.py")
    script(
        project,
        f"""
        from scriptstep import *
        ws = Workspace.from_config()
        Experiment(ws, "exp").submit(Pipeline(ws, [PythonScriptStep("main.py", name={EVIL!r}, source_directory="src")]))
        """,
    )
    done = scriptstep("plan", "--json", "pipeline.py")
    assert json.loads(done.stdout)["plans"][0]["steps"][0]["name"] == EVIL
