"""The folder of a step's script: what is refused, when, and in which words."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scriptstep.authoring.pipeline import Pipeline
from scriptstep.authoring.python_script_step import PythonScriptStep
from scriptstep.errors import UserErrorException


class Settings:
    default_compute = None


class Space:
    """As much of a workspace as declaring needs."""

    name = "space"
    _settings = Settings()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "src"
    (folder / "sub").mkdir(parents=True)
    (folder / "train.py").write_text("")
    (folder / "sub" / "score.py").write_text("")
    return folder


def refused(source_directory: Any, script_name: str = "train.py", **given: Any) -> str:
    step = PythonScriptStep(script_name, name="train", source_directory=source_directory, **given)
    with pytest.raises(ValueError, match="step 'train'") as caught:
        Pipeline(Space(), step)
    assert isinstance(caught.value, UserErrorException)
    assert "test_step_source.py:" in str(caught.value)
    return str(caught.value)


def test_declaring_touches_no_disk(tmp_path: Path) -> None:
    PythonScriptStep("nothing.py", source_directory=tmp_path / "nowhere")


def test_a_missing_script_is_told_with_what_was_meant(source: Path) -> None:
    told = refused(source, "trian.py")
    assert f"script 'trian.py' is not in source directory '{source}'" in told
    assert "did you mean 'train.py'?" in told
    assert "did you mean 'train.py'?" in refused(source, "src/train.py")
    assert "did you mean 'sub/score.py'?" in refused(source, "score.py")
    assert "did you mean 'sub/score.py'?" in refused(source, "sub/scor.py")
    assert "help" not in refused(source, "quite_another_thing.py")


def test_a_folder_is_no_script(source: Path) -> None:
    assert "is a folder in" in refused(source, "sub")


def test_a_script_stays_in_the_source_directory(source: Path) -> None:
    assert "write 'train.py'" in refused(source, str(source / "train.py"))
    assert "must be relative" in refused(source / "sub", str(source / "train.py"))
    assert "leads out" in refused(source / "sub", "../train.py")


def test_a_missing_folder_is_told_with_what_was_meant(source: Path) -> None:
    told = refused(source.parent / "scr")
    assert "is not there" in told
    assert "did you mean 'src'?" in told


def test_a_file_is_no_folder(source: Path) -> None:
    told = refused(source / "train.py")
    assert "is a file" in told
    assert "script_name='train.py'" in told


def test_the_whole_file_system_is_refused() -> None:
    assert "whole file system" in refused("/")


def test_the_home_folder_is_refused(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(source))
    assert "home folder" in refused(source)
    link = source.parent / "link"
    link.symlink_to(source)
    assert "home folder" in refused(link)
    monkeypatch.chdir(source)
    assert "no source_directory was given" in refused(None)


def test_a_folder_in_the_home_folder_will_do(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(source.parent))
    assert Pipeline(Space(), PythonScriptStep("train.py", source_directory=source)).validate() == []


UNREADABLE = """
import os, sys
class Space:
    name = "space"
    class _settings:
        default_compute = None
from scriptstep.authoring.pipeline import Pipeline
from scriptstep.authoring.python_script_step import PythonScriptStep
if os.geteuid() == 0:
    # Only now: the interpreter's own folders may be closed to others.
    os.setgid(65534); os.setuid(65534)
try:
    Pipeline(Space(), PythonScriptStep("train.py", name="train", source_directory=sys.argv[1]))
except ValueError as error:
    print(error)
"""


@pytest.mark.parametrize("mode", [0o000, 0o300, 0o600])
def test_an_unreadable_folder_is_refused(mode: int) -> None:
    import tempfile

    # The folder of pytest is closed to others; this one's parents are not.
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        folder = Path(name) / "src"
        folder.mkdir()
        (folder / "train.py").write_text("")
        if os.geteuid() == 0:
            os.chown(folder, 65534, 65534)
        folder.chmod(mode)
        found = subprocess.run(
            [sys.executable, "-c", UNREADABLE, str(folder)],
            capture_output=True,
            text=True,
            cwd=name,
            check=False,
        )
        folder.chmod(0o755)
    assert "cannot be read: permission denied" in found.stdout, found.stderr
    assert "step 'train'" in found.stdout
