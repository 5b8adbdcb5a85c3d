"""After a failure or a crash a new run goes on from what is done; and a busy history keeps nobody from reading."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from scriptstep import Experiment, Pipeline, Run
from scriptstep.cli.commands import main
from scriptstep.history import History
from tests.heard import lines

Make = Callable[..., Any]
Tell = Callable[[Any], dict[str, str]]

PIPELINE = """
    import sys
    from azureml.core import Experiment, Workspace
    from azureml.pipeline.core import Pipeline, PipelineData
    from azureml.pipeline.steps import PythonScriptStep
    ws = Workspace.from_config()
    steps, before = [], None
    for name in ("first", "second", "third"):
        out = PipelineData(name)
        arguments = [sys.argv[1], name, out, *([before] if before is not None else [])]
        steps.append(PythonScriptStep(
            "main.py", name=name, source_directory="step", arguments=arguments,
            inputs=[before] if before is not None else [], outputs=[out],
        ))
        before = out
    Experiment(ws, "resumed").submit(Pipeline(ws, steps=steps)).wait_for_completion(show_output=False)
"""
STEP = """
    import os, shutil, sys, time
    place, name, out, *before = sys.argv[1:]
    with open(os.path.join(place, "ran"), "a") as file:
        file.write(name + "\\n")
    if name == "third":
        while not os.path.exists(os.path.join(place, "go")):
            time.sleep(0.01)
        if os.path.exists(os.path.join(place, "fail")):
            sys.exit(7)
    with open(out, "w") as file:
        file.write(name + "".join(open(p).read() for p in before))
"""


@pytest.fixture
def start(project: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `scriptstep run` of three steps, one after the other; the last of them waits for the file `go`."""
    (project / "step").mkdir()
    (project / "step" / "main.py").write_text(dedent(STEP))
    (project / "pipeline.py").write_text(dedent(PIPELINE))
    processes: list[subprocess.Popen[str]] = []

    def begin() -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "scriptstep", "run", "pipeline.py", str(project)]
        processes.append(
            subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
            )
        )
        return processes[-1]

    yield begin
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def await_(true: Callable[[], Any], seconds: float = 30) -> Any:
    limit = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < limit, "it never came to that"
        time.sleep(0.02)
    return found


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_run_that_was_ended_is_gone_on_with_from_what_it_had_done(
    number: int, start: Callable[..., subprocess.Popen[str]], project: Path, ws: Any, verdicts: Tell
) -> None:
    ended = start()
    await_(lambda: "third" in lines(project / "ran"))
    ended.send_signal(number)
    ended.communicate(timeout=30)
    (project / "go").touch()
    again = start()
    told, _ = again.communicate(timeout=60)
    assert again.returncode == 0, told
    assert lines(project / "ran") == ["first", "second", "third", "third"]
    resumed = next(iter(Experiment(ws, "resumed").get_runs()))
    assert verdicts(resumed) == {"first": "reused", "second": "reused", "third": "ran"}


def test_a_run_that_failed_says_what_will_be_reused_and_it_is(
    start: Callable[..., subprocess.Popen[str]], project: Path
) -> None:
    (project / "go").touch()
    (project / "fail").touch()
    failed = start()
    told, _ = failed.communicate(timeout=60)
    assert failed.returncode == 1
    assert "help: mend it and run again: first and second will be reused" in told
    (project / "fail").unlink()
    again = start()
    told, _ = again.communicate(timeout=60)
    assert "1 ran, 2 reused" in told
    assert lines(project / "ran") == ["first", "second", "third", "third"]


def test_with_continue_on_step_failure_all_that_came_to_its_end_is_reused(
    make_step: Make, run: Make, verdicts: Tell, project: Path
) -> None:
    def steps() -> list[Any]:
        bad = make_step("bad", f"import os, sys; sys.exit(os.path.exists({str(project / 'fail')!r}))")
        after, good = make_step("after", "print(1)"), make_step("good", "print(2)")
        after.run_after(bad)
        return [bad, after, good]

    (project / "fail").touch()
    failed = run(*steps(), continue_on_step_failure=True, jobs=1)
    assert verdicts(failed) == {"bad": "Failed", "after": "NotStarted", "good": "ran"}
    (project / "fail").unlink()
    assert verdicts(run(*steps())) == {"bad": "ran", "after": "ran", "good": "reused"}


def test_a_failure_ends_what_runs_beside_it(make_step: Make, run: Make, verdicts: Tell, project: Path) -> None:
    long = make_step("long", f"import time; open({str(project / 'runs')!r}, 'w').close(); time.sleep(600)")
    bad = make_step(
        "bad",
        f"import os, sys, time\nwhile not os.path.exists({str(project / 'runs')!r}): time.sleep(0.01)\nsys.exit(3)",
    )
    finished = run(long, bad, jobs=2)
    assert finished.get_status() == "Failed"
    assert verdicts(finished) == {"long": "Canceled", "bad": "Failed"}


# --- a history that somebody writes

HOLDS = """
    import pathlib, sys
    from scriptstep.history import History
    history = History(pathlib.Path(sys.argv[1]))
    with history.transaction():
        history.add_experiment("w", "held")
        print("held", flush=True)
        sys.stdin.readline()
"""


@pytest.fixture
def writer(run: Make, make_step: Make, home: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds a transaction, in a history with one run, until a line is written to it."""
    run(make_step("only", "from azureml.core import Run; Run.get_context().log('a', 1); print('printed')"))
    process = subprocess.Popen(
        [sys.executable, "-c", dedent(HOLDS), str(home / "history.db")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.communicate("go\n", timeout=30)
    assert process.returncode == 0


def test_nobody_who_reads_waits_for_one_who_writes(
    writer: subprocess.Popen[str], ws: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    (found,) = Experiment(ws, "test").get_runs()
    assert main(["runs"]) == 0
    assert main(["runs", "--json"]) == 0
    assert main(["logs", found.id[:6]]) == 0
    out, told = capsys.readouterr()
    assert "printed" in out
    assert "locked" not in told
    (step,) = found.get_steps()
    assert (found.get_status(), step.get_metrics(), step.get_tags()) == ("Finished", {"a": 1}, {})
    assert step.get_job_log() == "printed\n"
    assert Run.get(ws, found.id).id == found.id
    other = subprocess.run([sys.executable, "-m", "scriptstep", "runs"], capture_output=True, text=True, timeout=60)
    assert other.returncode == 0, other.stderr
    assert writer.poll() is None


def test_a_thread_that_reads_waits_for_none_that_writes(writer: subprocess.Popen[str], home: Path) -> None:
    history = History(home / "history.db", busy_s=20)
    known = [row.id for row in history.runs()]

    def write() -> None:
        with history.transaction():
            history.add_experiment("w", "waits")

    waiting = threading.Thread(target=write)
    waiting.start()
    await_(lambda: history._lock.acquire(blocking=False) is False or history._lock.release())
    assert [row.id for row in history.runs()] == known
    assert history.experiments("w") == []
    assert waiting.is_alive()
    assert writer.stdin is not None
    writer.stdin.write("go\n")
    writer.stdin.flush()
    waiting.join()
    assert history.experiments("w") == ["held", "waits"]
    history.close()


def test_who_writes_waits_for_one_who_does(writer: subprocess.Popen[str], ws: Any, make_step: Make, home: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", dedent(HOLDS), str(home / "history.db")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert writer.stdin is not None
    writer.stdin.write("go\n")
    writer.stdin.flush()
    out, told = process.communicate("go\n", timeout=60)
    assert (process.returncode, out, told) == (0, "held\n", "")
    assert History(home / "history.db", read_only=True).experiments("w") == ["held"]
    submitted = Experiment(ws, "test").submit(Pipeline(ws, steps=[make_step("only", "print(2)")]))
    submitted.wait_for_completion(show_output=False)
