"""What a run keeps of the repository that its source lies in: what git itself says, and never what reuse depends on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scriptstep import PythonScriptStep
from scriptstep.engine.executors.git_source import GitSources

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is asked")

REMOTE = "https://example.test/team/models.git"


def git(folder: Path, *arguments: str) -> str:
    own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    who = ["-c", "user.name=test", "-c", "user.email=test@example.test"]
    command = ["git", *who, *arguments]
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **own}, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit, a remote whose address holds a password, and a source directory `src`."""
    top = tmp_path / "repository"
    (top / "src").mkdir(parents=True)
    (top / "src" / "main.py").write_text("print(1)\n")
    git(top, "init", "--quiet", "--initial-branch=trunk")
    git(top, "remote", "add", "origin", REMOTE.replace("//", "//user:s3cret@"))
    git(top, "add", "--all")
    git(top, "commit", "--quiet", "--message=first")
    return top


def asked(directory: Path) -> dict[str, str]:
    return GitSources([str(directory)]).properties(30)[str(directory)]


def test_a_source_has_its_repository_branch_and_commit_under_the_names_of_the_sdk(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    assert asked(repository / "src") == {
        "azureml.git.repository_uri": REMOTE,
        "azureml.git.branch": "trunk",
        "azureml.git.commit": commit,
        "azureml.git.dirty": "False",
        "mlflow.source.git.repoURL": REMOTE,
        "mlflow.source.git.branch": "trunk",
        "mlflow.source.git.commit": commit,
    }


@pytest.mark.parametrize("name", ["main.py", "new.py"])
def test_a_file_that_no_commit_holds_makes_it_dirty(repository: Path, name: str) -> None:
    (repository / "src" / name).write_text("print(2)\n")
    assert asked(repository / "src")["azureml.git.dirty"] == "True"


def test_what_git_does_not_know_is_left_out(repository: Path, tmp_path: Path) -> None:
    git(repository, "checkout", "--quiet", "--detach")
    git(repository, "remote", "remove", "origin")
    assert set(asked(repository)) == {"azureml.git.commit", "azureml.git.dirty", "mlflow.source.git.commit"}
    outside = tmp_path / "outside"
    outside.mkdir()
    assert asked(outside) == {}


def test_variables_of_another_repository_are_not_listened_to(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert asked(repository)["azureml.git.branch"] == "trunk"


def test_a_git_that_does_not_answer_is_not_waited_for(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text(f"#!{sys.executable}\nimport time\ntime.sleep(600)\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", str(slow.parent))
    began = time.monotonic()
    assert GitSources([str(repository)]).properties(0.2) == {str(repository): {}}
    assert time.monotonic() - began < 60


def test_without_git_nothing_is_said(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert asked(repository) == {}


def test_steps_of_several_repositories_have_each_their_own(
    repository: Path, project: Path, make_step: Callable[..., Any], run: Callable[..., Any]
) -> None:
    git(project, "init", "--quiet", "--initial-branch=other")
    here = make_step("here", "print(1)")
    there = PythonScriptStep("main.py", name="there", source_directory=str(repository / "src"))
    finished = run(here, there)
    branches = {step.name: step.get_properties().get("azureml.git.branch") for step in finished.get_steps()}
    assert branches == {"here": "other", "there": "trunk"}
    assert "azureml.git.branch" not in finished.get_properties()


def test_a_run_and_its_steps_have_them_and_a_commit_runs_nothing_again(
    project: Path,
    make_step: Callable[..., Any],
    run: Callable[..., Any],
    verdicts: Callable[..., dict[str, str]],
) -> None:
    git(project, "init", "--quiet", "--initial-branch=trunk")
    step = make_step("a", "print(1)")
    first = run(step)
    assert first.get_steps().__next__().get_properties()["azureml.git.dirty"] == "True"
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message=first")
    second = run(make_step("a", "print(1)"))
    assert verdicts(second) == {"a": "reused"}
    commit = git(project, "rev-parse", "HEAD")
    for one in (second, *second.get_steps()):
        found = one.get_properties()
        assert (found["azureml.git.commit"], found["azureml.git.dirty"]) == (commit, "False")
