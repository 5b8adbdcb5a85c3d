"""A state folder that may only be read, an archive or a colleague's copy: what is known is shown, and nothing is written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.as_user import NOBODY, give_away, users_folder
from tests.test_cli import script, scriptstep

PIPELINE = """
    from azureml.core import Experiment, Workspace
    from azureml.pipeline.core import Pipeline
    from azureml.pipeline.steps import PythonScriptStep

    ws = Workspace.from_config()
    step = PythonScriptStep("main.py", name="train", source_directory="src", arguments=["--depth", 1])
    Experiment(ws, "experiment").submit(Pipeline(ws, steps=[step]))
"""
_TOML = "tomllib" if sys.version_info >= (3, 11) else "tomli"
# Whatever a command may use is imported first: the interpreter may lie where only root gets to.
_CHILD = f"""
import importlib, json, os, pkgutil, sys
import concurrent.futures.thread, encodings.unicode_escape, encodings.utf_8_sig, runpy, sqlite3, {_TOML}
import scriptstep
for module in pkgutil.walk_packages(scriptstep.__path__, "scriptstep."):
    if not module.name.startswith(("scriptstep.__main__", "scriptstep.runtime.bootstrap")):
        importlib.import_module(module.name)
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid({NOBODY})
    os.setuid({NOBODY})
sys.exit(scriptstep.cli.main(sys.argv[1:]))
"""


@pytest.fixture
def archive() -> Iterator[Path]:
    """A project with one run, whose state folder its owner may read only."""
    with users_folder() as folder:
        script(folder, PIPELINE)
        script(folder / "src", "print('trained')", "main.py")
        done = scriptstep("run", "pipeline.py", cwd=folder, SCRIPTSTEP_HOME=str(folder / ".scriptstep"))
        assert done.returncode == 0, done.stderr
        give_away(folder)
        for place, _, files in os.walk(folder / ".scriptstep", topdown=False):
            for name in files:
                os.chmod(os.path.join(place, name), 0o400, follow_symlinks=True)
            os.chmod(place, 0o500)
        yield folder


def ask(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _CHILD, *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=60,
        env={**os.environ, "SCRIPTSTEP_HOME": str(folder / ".scriptstep"), "HOME": str(folder)},
    )


def the_run(folder: Path) -> str:
    done = ask(folder, "runs", "--json")
    assert done.returncode == 0, done.stderr
    (run,) = json.loads(done.stdout)["runs"]
    assert run["status"] == "Finished"
    return str(run["id"])


def listing(folder: Path) -> list[tuple[str, int]]:
    return sorted(
        (os.path.join(place, name), os.lstat(os.path.join(place, name)).st_mtime_ns)
        for place, folders, files in os.walk(folder)
        for name in folders + files
    )


def test_what_is_known_is_shown(archive: Path) -> None:
    before = listing(archive / ".scriptstep")
    run = the_run(archive)
    assert ask(archive, "logs", run, "train").stdout == "trained\n"
    assert ask(archive, "explain", run, "train").stdout.startswith("train ran: there is no earlier result")
    assert json.loads(ask(archive, "key", "export", run, "train").stdout)["step"] == "train"
    assert "nothing is published" in ask(archive, "published").stderr
    assert "all sound" in ask(archive, "verify").stdout
    assert "train   reused" in ask(archive, "plan", "pipeline.py").stdout
    assert listing(archive / ".scriptstep") == before


@pytest.mark.parametrize(
    "command", [["run", "pipeline.py"], ["pin", "RUN"], ["reproduce", "pipeline.py"]], ids=lambda c: c[0]
)
def test_what_would_write_says_so(archive: Path, command: list[str]) -> None:
    before = listing(archive / ".scriptstep")
    run = the_run(archive)
    done = ask(archive, *(run if word == "RUN" else word for word in command))
    assert done.returncode == 1 and done.stdout == ""
    first, *rest = done.stderr.splitlines()
    assert first == f"error: the history {archive / '.scriptstep' / 'history.db'} is open for reading only"
    assert rest[-1].startswith(f"help: give yourself write permission for {archive / '.scriptstep'}")
    assert ("  --> pipeline.py:8" in rest) == (command[0] == "run")
    assert listing(archive / ".scriptstep") == before
