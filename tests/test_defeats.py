"""What keeps a step from ever being reused is said, and nothing is said of what people change."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scriptstep import PipelineData, PythonScriptStep, RunConfiguration

Make = Callable[..., Any]
Warnings = Callable[[], list[str]]


@pytest.fixture
def warned(capsys: pytest.CaptureFixture[str]) -> Warnings:
    return lambda: [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning:")]


@pytest.mark.parametrize(
    "values",
    [
        [str(uuid.UUID(int=i * 2**70 + 7)) for i in range(3)],
        ["2026-11-26T10:00:00", "2026-11-26T11:30:00", "2026-11-27T09:00:00"],
        ["20261126.1", "20261126.2", "20261127.1"],
        ["1764230400", "1764230460", "1764316800"],
        ["build 2101", "build 2102", "build 2110"],
        ["runs/9f3ac21", "runs/77b01de", "runs/0c4d2aa"],
    ],
)
def test_a_value_that_a_program_made_up_each_time(
    values: list[str], make_step: Make, run: Make, warned: Warnings
) -> None:
    for value in values[:2]:
        run(make_step("train", "", arguments=["--stamp", value, "--depth", 3]))
    assert warned() == []
    run(make_step("train", "", arguments=["--stamp", values[2], "--depth", 3]))
    (line,) = warned()
    assert line.startswith(
        f"warning: argument --stamp of step 'train' was another in each of its last 3 runs ({values[0]}, "
    )


@pytest.mark.parametrize("values", [["0.1", "0.2", "0.3"], ["adam", "sgd", "rmsprop"], ["10", "20", "30"]])
def test_a_value_that_people_change_is_no_defeat(
    values: list[str], make_step: Make, run: Make, warned: Warnings
) -> None:
    for value in values:
        run(make_step("train", "", arguments=["--rate", value]))
    assert warned() == []


def test_a_value_that_came_back_is_no_defeat(make_step: Make, run: Make, warned: Warnings) -> None:
    for value in ("2026-11-25", "2026-11-26", "2026-11-26", "2026-11-27"):
        run(make_step("train", "", arguments=["--day", value]), regenerate_outputs=True)
    assert warned() == []


def test_a_variable_is_looked_at_too_and_a_secret_is_not_shown(make_step: Make, run: Make, warned: Warnings) -> None:
    for number in range(3):
        config = RunConfiguration()
        config.environment_variables = {"BUILD": f"2026112{number}", "API_TOKEN": f"abcdef{number}0"}
        run(make_step("train", "", runconfig=config))
    (line,) = warned()
    assert line.startswith("warning: variable BUILD of step 'train'")


def test_an_output_that_never_comes_out_the_same_names_its_files(make_step: Make, run: Make, warned: Warnings) -> None:
    out = PipelineData("out", is_directory=True)
    code = """
        import pathlib, sys, uuid
        folder = pathlib.Path(sys.argv[1])
        (folder / "same.txt").write_text("same")
        (folder / "report.html").write_text(uuid.uuid4().hex)
    """
    step = make_step("report", code, arguments=[out], outputs=[out], allow_reuse=False)
    run(step)
    assert warned() == []
    run(step)
    assert warned() == [
        (
            "warning: step 'report' ran twice with nothing changed and wrote another output out (report.html): "
            "what reads it runs again each time"
        )
    ]


def shared(project: Path, helper: str = "x = 1", used: str = "y = 1") -> list[Any]:
    folder = project / "src"
    folder.mkdir(exist_ok=True)
    (folder / "helper.py").write_text(helper)
    (folder / "used.py").write_text(used)
    (folder / "one.py").write_text("import used")
    (folder / "two.py").write_text("import used")
    (folder / "three.py").write_text("import used, helper")
    return [PythonScriptStep(f"{n}.py", name=n, source_directory=str(folder)) for n in ("one", "two", "three")]


def test_a_shared_directory_says_what_imports_would_have_spared(project: Path, run: Make, warned: Warnings) -> None:
    run(*shared(project))
    assert warned() == []
    run(*shared(project, helper="x = 2"))
    assert warned() == [
        "warning: 3 steps share source directory 'src': one and two ran for Python files that they do not import"
    ]
    # What they do import is nobody's defeat; nor is another kind of file, which any script may read.
    run(*shared(project, helper="x = 2", used="y = 2"))
    (project / "src" / "table.csv").write_text("1")
    run(*shared(project, helper="x = 2", used="y = 2"))
    assert warned() == []
