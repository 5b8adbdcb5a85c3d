"""Environments that a portal held, and that scriptstep.toml names now."""

from __future__ import annotations

import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scriptstep import Environment, RunConfiguration, Workspace
from scriptstep.errors import NotRegisteredError, UserErrorException


def settings(project: Path, text: str) -> Workspace:
    (project / "scriptstep.toml").write_text(text)
    return Workspace.from_config()


def test_an_environment_of_the_settings_is_there_by_its_name(project: Path) -> None:
    (project / "conda.yml").write_text("dependencies: [python=3.10, {pip: [pandas==2.0]}]\n")
    (project / "requirements.txt").write_text("numpy==1.26\n")
    Environment.from_pip_requirements("other", project / "requirements.txt").save_to_directory(str(project / "saved"))
    ws = settings(
        project,
        "[environments]\n"
        'a = { conda = "conda.yml" }\n'
        'b = { pip = "requirements.txt" }\n'
        'c = { folder = "saved" }\n'
        "d = {}\n",
    )
    found = {name: Environment.get(ws, name) for name in "abcd"}
    packages = {name: list(one.python.conda_dependencies.pip_packages) for name, one in found.items()}
    assert (packages["a"], packages["b"], packages["c"]) == (["pandas==2.0"], ["numpy==1.26"], ["numpy==1.26"])
    assert {name: one.name for name, one in found.items()} == {name: name for name in "abcd"}
    assert found["d"]._is_default()
    assert Environment.get(ws, "a", version="7").python.conda_dependencies.pip_packages is not None
    assert set(Environment.list(ws)) == {"a", "b", "c", "d"}
    assert set(ws.environments) == {"a", "b", "c", "d"}


def test_what_is_registered_comes_before_what_the_settings_name(project: Path) -> None:
    ws = settings(project, '[environments.a]\npip = "missing.txt"\n')
    Environment("a").register(ws)
    assert Environment.get(ws, "a").version == "1"


def test_a_file_that_is_not_there_is_named(project: Path) -> None:
    ws = settings(project, '[environments.a]\nconda = "gone.yml"\n')
    with pytest.raises(UserErrorException, match=r"gone\.yml"):
        Environment.get(ws, "a")


def test_an_unknown_name_says_the_line_that_would_name_it(project: Path) -> None:
    ws = Workspace.from_config()
    with pytest.raises(NotRegisteredError) as caught:
        Environment.get(ws, "train")
    assert '[environments.train] conda = "conda.yml"' in str(caught.value.help)


def test_steps_run_with_the_interpreter_that_the_settings_name(
    project: Path, make_step: Callable[..., Any], run: Callable[..., Any]
) -> None:
    venv.create(project / "own", symlinks=True, with_pip=False)
    ws = settings(project, '[environments.own]\npython = "own/bin/python"\n')
    config = RunConfiguration()
    config.environment = Environment.get(ws, "own")
    code = "import sys; from azureml.core import Run; Run.get_context().log('prefix', sys.prefix)"
    finished = run(make_step("a", code, runconfig=config))
    assert finished.find_step_run("a")[0].get_metrics() == {"prefix": str(project / "own")}
    assert str(project / "own") != sys.prefix
