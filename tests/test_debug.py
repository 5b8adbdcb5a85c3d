"""`scriptstep run --debug STEP`: the step has the terminal, a debugger works in it, and it is not reused."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.test_cli import script, scriptstep

PIPELINE = """
    from azureml.core import Workspace, Experiment
    from azureml.pipeline.core import Pipeline, PipelineData
    from azureml.pipeline.steps import PythonScriptStep
    ws, out = Workspace.from_config(), PipelineData("out")
    first = PythonScriptStep("first.py", name="first", source_directory="src", arguments=[out], outputs=[out])
    second = PythonScriptStep("second.py", name="second", source_directory="src", arguments=[out], inputs=[out])
    Experiment(ws, "exp").submit(Pipeline(ws, [second])).wait_for_completion(show_output=False)
"""


@pytest.fixture
def pipeline(project: Path) -> Path:
    script(project / "src", "import sys; open(sys.argv[1], 'w').write('real input')", "first.py")
    script(
        project / "src", "import sys\ntext = open(sys.argv[1]).read()\nbreakpoint()\nprint('saw', text)\n", "second.py"
    )
    return script(project, PIPELINE)


def talk(arguments: list[str], answers: list[tuple[str, str]]) -> tuple[int, str]:
    """Runs the command on a terminal of its own, and types each answer once its prompt came. Returns code and output."""
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "scriptstep", *arguments],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(terminal)
    seen, waiting, end = "", list(answers), time.monotonic() + 60
    while time.monotonic() < end:
        if not select.select([controller], [], [], 0.2)[0]:
            if process.poll() is not None:
                break
            continue
        try:
            data = os.read(controller, 4096)
        except OSError:
            break
        seen += data.decode("utf-8", "replace")
        if waiting and waiting[0][0] in seen:
            os.write(controller, waiting.pop(0)[1].encode())
    os.close(controller)
    return process.wait(timeout=20), seen


def test_a_debugger_works_in_the_step_with_its_real_input(pipeline: Path) -> None:
    code, seen = talk(
        ["run", "--color", "never", "--debug", "second", "pipeline.py"],
        [("(Pdb)", "p text.upper()\n"), ("REAL INPUT", "c\n")],
    )
    assert code == 0, seen
    assert "note: step 'second' runs on this terminal: first run" in seen
    assert "'REAL INPUT'" in seen and "saw real input" in seen
    assert "2 ran in" in seen


def test_a_step_that_would_be_reused_runs_and_its_result_is_not_used(pipeline: Path) -> None:
    script(
        pipeline.parent / "src", "import sys\nprint('saw', open(sys.argv[1]).read(), sys.stdin.readline())", "second.py"
    )
    assert scriptstep("run", "pipeline.py").returncode == 0
    done = subprocess.run(
        [sys.executable, "-m", "scriptstep", "run", "--debug", "second", "pipeline.py"],
        input="typed\n",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "saw real input typed" in done.stdout
    assert "runs on this terminal: it would be reused" in done.stderr
    assert "1 ran, 1 reused" in done.stderr
    # The earlier result stands, and is what the step is compared with.
    done = scriptstep("run", "pipeline.py")
    assert "2 reused" in done.stderr
    script(pipeline.parent / "src", "print('other')", "second.py")
    assert "file   second.py   changed" in scriptstep("explain", "pipeline.py", "second").stdout


def test_a_step_that_fails_there_fails_the_run(pipeline: Path) -> None:
    script(pipeline.parent / "src", "raise SystemExit(7)", "second.py")
    done = scriptstep("run", "--debug", "second", "pipeline.py")
    assert done.returncode == 1
    assert "second        failed" in done.stderr and "exit code 7" in done.stderr


def test_a_name_that_no_step_has(pipeline: Path) -> None:
    script(pipeline.parent / "src", "print('fine')", "second.py")
    done = scriptstep("run", "--debug", "secnd", "pipeline.py")
    assert done.returncode == 1
    assert "error: no step of the pipeline is called 'secnd'; it has first, second" in done.stderr
    assert "help: did you mean 'second'?" in done.stderr
