"""What every test of the Python face may ask for."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from tests.heard import Heard

# A shell that starts the tests in the background lets them ignore Ctrl-C, and what they start with them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGQUIT) is signal.SIG_IGN:
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)


# Starts ranks as Open MPI does: one variable each for its rank and their number, the first failure ends it.
FAKE_MPIRUN = """
    import os, subprocess, sys
    assert sys.argv[1] == "-n", sys.argv
    count = int(sys.argv[2])
    ranks = [
        subprocess.Popen(sys.argv[3:], env={**os.environ, "OMPI_COMM_WORLD_RANK": str(r), "OMPI_COMM_WORLD_SIZE": str(count)})
        for r in range(count)
    ]
    codes = [r.wait() for r in ranks]
    print("codes", codes)
    sys.exit(max(codes))
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder to work in, with a state folder of its own; nothing of this process leaks in or out."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("SCRIPTSTEP_HOME", str(tmp_path / "state"))
    for name in ("AZUREML_RUN_ID", "SCRIPTSTEP_EVENTS", "SCRIPTSTEP_ATTEMPT", "SCRIPTSTEP_RUN_DIR"):
        monkeypatch.delenv(name, raising=False)
    # What `scriptstep run` makes of the process that it is.
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    monkeypatch.setattr(sys, "argv", [*sys.argv])
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield folder
    from scriptstep.workspace.catalog import close_catalogs

    close_catalogs()


@pytest.fixture
def home(project: Path, tmp_path: Path) -> Path:
    """The state folder."""
    return tmp_path / "state"


@pytest.fixture
def ws(project: Path) -> Any:
    """A workspace in the state folder."""
    from scriptstep import Workspace

    return Workspace.from_config()


@pytest.fixture
def heard() -> Iterator[Heard]:
    """A console that keeps what it is told, in place of the usual one."""
    from scriptstep.console import set_console

    console = Heard()
    set_console(console)
    yield console
    set_console(None)


@pytest.fixture
def make_step(project: Path) -> Callable[..., Any]:
    """Makes a step whose script is the code given, in a source directory of its own: `make_step("a", "print(1)", **keywords)`."""

    def make(name: str, code: str = "", **keywords: Any) -> Any:
        from scriptstep import PythonScriptStep

        folder = project / "src" / name.replace("/", "_")
        folder.mkdir(parents=True, exist_ok=True)
        script = keywords.pop("script_name", "main.py")
        (folder / script).write_text(dedent(code), encoding="utf-8")
        return PythonScriptStep(script_name=script, name=name, source_directory=str(folder), **keywords)

    return make


@pytest.fixture
def run(ws: Any) -> Callable[..., Any]:
    """Runs steps to their end: `run(steps, **keywords of submit)`; the PipelineRun, whatever came of it."""

    def submit(*steps: Any, experiment: str = "test", **keywords: Any) -> Any:
        from scriptstep import Experiment, Pipeline

        pipeline = Pipeline(ws, steps=list(steps))
        finished = Experiment(ws, experiment).submit(pipeline, **keywords)
        finished.wait_for_completion(show_output=False, raise_on_error=False)
        return finished

    return submit


@pytest.fixture
def verdicts() -> Callable[[Any], dict[str, str]]:
    """Tells of a finished run what became of each step: "ran", "reused", or its status."""

    def tell(run: Any) -> dict[str, str]:
        told: dict[str, str] = {}
        for step in run.get_steps():
            reused = step.get_properties().get("azureml.isreused") == "true"
            status = step.get_status()
            told[step.name] = ("reused" if reused else "ran") if status == "Finished" else status
        return told

    return tell


@pytest.fixture
def fake_mpirun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts an mpirun of our own first in PATH: it starts ranks as Open MPI does, and is there everywhere."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "mpirun").write_text(f"#!{sys.executable}\n{dedent(FAKE_MPIRUN)}")
    (folder / "mpirun").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
