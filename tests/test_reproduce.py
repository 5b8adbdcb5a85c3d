"""Reused steps run again on the side: what is not deterministic is named, and the workspace stays as it was."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scriptstep import OutputFileDatasetConfig, Pipeline, PipelineData
from scriptstep.errors import ArgumentError, NotRegisteredError, UserErrorException
from tests.test_cli import script, scriptstep

Make = Callable[..., Any]
Tell = Callable[[Any], dict[str, str]]

STEADY = "import pathlib, sys; pathlib.Path(sys.argv[1]).write_text('steady')"
RESTLESS = """
    import pathlib, sys, uuid
    folder = pathlib.Path(sys.argv[1])
    (folder / "same.txt").write_text("same")
    (folder / "report.html").write_text(uuid.uuid4().hex)
"""
READS = """
    import pathlib, sys
    from azureml.core import Run, Model
    run = Run.get_context()
    run.parent.log("seen", 1)
    pathlib.Path("outputs").mkdir(exist_ok=True)
    pathlib.Path("outputs/model.txt").write_text("model")
    run.upload_file("model.txt", "outputs/model.txt")
    Model.register(run.experiment.workspace, "outputs/model.txt", "made")
    pathlib.Path(sys.argv[2]).write_text(str(sorted(p.name for p in pathlib.Path(sys.argv[1]).iterdir())))
"""


def three(make_step: Make) -> list[Any]:
    outs = [PipelineData("a"), PipelineData("b", is_directory=True), PipelineData("c")]
    return [
        make_step("steady", STEADY, arguments=[outs[0]], outputs=[outs[0]]),
        make_step("restless", RESTLESS, arguments=[outs[1]], outputs=[outs[1]]),
        make_step("reads", READS, arguments=[outs[1], outs[2]], inputs=[outs[1]], outputs=[outs[2]]),
    ]


def rows(home: Path) -> dict[str, list[Any]]:
    with sqlite3.connect(home / "history.db") as connection:
        names = [n for (n,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in names}


def test_what_is_not_deterministic_is_named_with_its_files(
    make_step: Make, ws: Any, run: Make, verdicts: Tell, home: Path
) -> None:
    run(*three(make_step))
    before = rows(home)
    done = Pipeline(ws, three(make_step)).plan().reproduce()
    assert [(o.step, o.outcome, o.differences) for o in sorted(done, key=lambda o: o.step)] == [
        ("reads", "same", ()),
        ("restless", "differs", ("b/report.html changed",)),
        ("steady", "same", ()),
    ]
    # Nothing of the workspace is another: no run, no model, no metric; and nothing is left.
    assert rows(home) == before
    assert not (home / "aside").exists()
    assert set(verdicts(run(*three(make_step))).values()) == {"reused"}


def test_what_comes_after_a_step_gets_what_it_got(make_step: Make, ws: Any, run: Make) -> None:
    # The step above writes something else each time: what reads it is compared with the input that it had.
    out, copy = PipelineData("out"), PipelineData("copy")
    steps = [
        make_step(
            "above", "import sys, uuid; open(sys.argv[1], 'w').write(uuid.uuid4().hex)", arguments=[out], outputs=[out]
        ),
        make_step(
            "below",
            "import shutil, sys; shutil.copy(sys.argv[1], sys.argv[2])",
            arguments=[out, copy],
            inputs=[out],
            outputs=[copy],
        ),
    ]
    run(*steps)
    done = {o.step: o.outcome for o in Pipeline(ws, steps).plan().reproduce()}
    assert done == {"above": "differs", "below": "same"}


def test_only_what_would_be_reused_runs(make_step: Make, ws: Any, run: Make, project: Path) -> None:
    marks = project / "marks"
    marks.mkdir()
    code = f"import os, pathlib, sys, uuid; (pathlib.Path({str(marks)!r}) / (sys.argv[1] + uuid.uuid4().hex)).touch()"

    def steps(changed: str) -> list[Any]:
        return [make_step(name, code, arguments=[name, changed if name == "b" else "x"]) for name in ("a", "b", "c")]

    run(*steps("x"))
    done = Pipeline(ws, steps("y")).plan().reproduce()
    assert sorted(o.step for o in done) == ["a", "c"]
    assert sorted(mark.name[0] for mark in marks.iterdir()) == ["a", "a", "b", "c", "c"]


def test_a_destination_that_a_user_named_is_not_written_again(make_step: Make, ws: Any, run: Make) -> None:
    store = ws.get_default_datastore()
    out = OutputFileDatasetConfig("out", destination=(store, "kept"))
    step = make_step("one", "import sys; open(sys.argv[1] + '/f.txt', 'w').write('x')", arguments=[out])
    run(step)
    placed = Path(store.path("kept").path_on_datastore)
    file = next(ws._place.home.glob("datastores/*/kept/f.txt"))
    assert placed.name == "kept"
    file.write_text("the user's own change")
    (done,) = Pipeline(ws, [step]).plan().reproduce()
    assert done.outcome == "same"
    assert file.read_text() == "the user's own change"


def test_a_step_that_fails_this_time_says_why(make_step: Make, ws: Any, run: Make, project: Path) -> None:
    code = f"import pathlib, sys; mark = pathlib.Path({str(project / 'mark')!r}); sys.exit(3) if mark.exists() else mark.touch()"
    run(make_step("once", code))
    (done,) = Pipeline(ws, [make_step("once", code)]).plan().reproduce()
    assert done.outcome == "failed" and done.differences[0].startswith("exit code 3")


def test_a_sample_is_drawn(make_step: Make, ws: Any, run: Make) -> None:
    steps = [make_step(f"s{n}", f"print({n})") for n in range(6)]
    run(*steps)
    plan = Pipeline(ws, steps).plan()
    assert len(plan.reproduce(sample=0.01, seed=1)) == 1
    half = {o.step for o in plan.reproduce(sample=0.5, seed=7)}
    assert len(half) == 3 and half == {o.step for o in plan.reproduce(sample=0.5, seed=7)}
    assert [o.step for o in plan.reproduce(["s3"])] == ["s3"]
    with pytest.raises(NotRegisteredError, match="has no step 's9'"):
        plan.reproduce(["s9"])
    with pytest.raises(ArgumentError, match="more than 0 and at most 1"):
        plan.reproduce(sample=5)


def test_nothing_to_compare_with(make_step: Make, ws: Any) -> None:
    with pytest.raises(UserErrorException, match="none of these steps would be reused"):
        Pipeline(ws, [make_step("one", "")]).plan().reproduce()


def test_the_command(project: Path) -> None:
    script(project / "src", "import sys, uuid; open(sys.argv[1], 'w').write(uuid.uuid4().hex)", "main.py")
    script(
        project,
        """
        from azureml.core import Workspace, Experiment
        from azureml.pipeline.core import Pipeline, PipelineData
        from azureml.pipeline.steps import PythonScriptStep
        ws, out = Workspace.from_config(), PipelineData("out")
        step = PythonScriptStep("main.py", name="one", source_directory="src", arguments=[out], outputs=[out])
        Experiment(ws, "exp").submit(Pipeline(ws, [step])).wait_for_completion()
        """,
    )
    assert scriptstep("run", "pipeline.py").returncode == 0
    done = scriptstep("reproduce", "pipeline.py", "--sample", "5%")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0].split()[:2] == ["one", "differs"] and lines[0].endswith("out changed")
    assert lines[1] == "1 step ran again: 0 wrote what they wrote, 1 did not"
    (told,) = json.loads(scriptstep("reproduce", "--json", "--step", "one").stdout)["steps"]
    assert told["outcome"] == "differs" and told["differences"] == ["out changed"]
    assert "a share such as 5% or 0.05, not '0%'" in scriptstep("reproduce", "--sample", "0%").stderr


def test_samples_of_one_step_each_keep_what_they_had(make_step: Make, ws: Any, run: Make) -> None:
    outs = [PipelineData(f"o{n}") for n in range(2)]
    code = "import sys, uuid; open(sys.argv[1], 'w').write(uuid.uuid4().hex)"
    copy = "import shutil, sys; shutil.copy(sys.argv[1], sys.argv[2])"

    def steps() -> list[Any]:
        made = []
        for n, out in enumerate(outs):
            to = PipelineData("to")
            made.append(make_step("sample", code, arguments=[out], outputs=[out]))
            made.append(make_step(f"use{n}", copy, arguments=[out, to], inputs=[out], outputs=[to]))
        return made

    run(*steps())
    done = Pipeline(ws, steps()).plan().reproduce()
    assert sorted((o.step, o.outcome) for o in done) == [
        ("sample", "differs"),
        ("sample", "differs"),
        ("use0", "same"),
        ("use1", "same"),
    ]


def test_a_reproduction_that_is_interrupted_says_that_and_leaves_nothing(project: Path, home: Path) -> None:
    script(project / "src", "", "main.py")
    script(
        project,
        """
        from azureml.core import Workspace, Experiment
        from azureml.pipeline.core import Pipeline
        from azureml.pipeline.steps import PythonScriptStep
        ws = Workspace.from_config()
        step = PythonScriptStep("main.py", name="one", source_directory="src", arguments=["--seconds", "0"])
        Experiment(ws, "exp").submit(Pipeline(ws, [step])).wait_for_completion()
        """,
    )
    slow = project / "slow"
    (project / "src" / "main.py").write_text(
        f"import pathlib, time\nmark = pathlib.Path({str(slow)!r})\nwhile mark.exists():\n    time.sleep(0.05)\n"
    )
    assert scriptstep("run", "pipeline.py").returncode == 0
    slow.touch()
    process = subprocess.Popen(
        [sys.executable, "-m", "scriptstep", "reproduce", "pipeline.py"], stderr=subprocess.PIPE, text=True
    )
    try:
        end = time.monotonic() + 30
        while not list(home.glob("aside/*/runs/*/one/logs/*")) and time.monotonic() < end:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    finally:
        slow.unlink()
        process.kill()
    assert process.returncode == 130
    assert "cancelled" in told and "error:" not in told
    assert not (home / "aside").exists()


def test_what_a_killed_reproduction_left_goes_with_a_later_run(make_step: Make, run: Make, home: Path) -> None:
    run(make_step("one", ""))
    left = home / "aside" / "0badcafe"
    left.mkdir(parents=True)
    (left / "masking-key").write_text("x")
    os.utime(left, (0, 0))
    young = home / "aside" / "01234567"
    young.mkdir()
    run(make_step("two", ""))
    assert not left.exists() and young.exists()
