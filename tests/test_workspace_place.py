"""Where the state lies, and how its folder is made."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from scriptstep.errors import WorkspaceException
from scriptstep.workspace.place import Place, find_place, prepare_home


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SCRIPTSTEP_HOME", "SCRIPTSTEP_ATTEMPT", "SCRIPTSTEP_SETTINGS"):
        monkeypatch.delenv(name, raising=False)


def make(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            path.mkdir()
        else:
            path.write_text("{}" if name.endswith(".json") else "")


@pytest.mark.parametrize(
    ("there", "start", "home", "settings"),
    [
        ([], "a/b", "a/b/.scriptstep", None),
        (["a/.scriptstep/"], "a/b", "a/.scriptstep", None),
        (["a/scriptstep.toml"], "a/b", "a/.scriptstep", "a/scriptstep.toml"),
        (["a/scriptstep.toml", "a/.scriptstep/"], "a/b", "a/.scriptstep", "a/scriptstep.toml"),
        (["scriptstep.toml", "a/.scriptstep/"], "a/b", "a/.scriptstep", None),
        (["a/config.json"], "a/b", "a/.scriptstep", None),
        (["a/.azureml/config.json"], "a/b", "a/.scriptstep", None),
        (["a/aml_config/config.json"], "a/b", "a/.scriptstep", None),
        (["a/config.json", "scriptstep.toml"], "a/b", ".scriptstep", "scriptstep.toml"),
        (["a/b/.azureml/config.json", "a/config.json"], "a/b", "a/b/.scriptstep", None),
    ],
)
def test_the_state_lies_where_the_nearest_sign_of_it_is(
    tmp_path: Path, there: list[str], start: str, home: str, settings: str | None
) -> None:
    make(tmp_path, *there)
    (tmp_path / start).mkdir(parents=True, exist_ok=True)
    found = find_place(tmp_path / start)
    assert found == Place(tmp_path / home, tmp_path / settings if settings else None)
    assert not found.home.exists() or ".scriptstep/" in "".join(there), "looking makes nothing"


def test_the_working_directory_is_where_it_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_place().home == tmp_path / ".scriptstep"


def test_a_file_called_scriptstep_is_no_state_folder(tmp_path: Path) -> None:
    make(tmp_path, "a/.scriptstep", "a/b/x")
    assert find_place(tmp_path / "a" / "b").home == tmp_path / "a" / "b" / ".scriptstep"


def test_the_variable_names_the_state_folder_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "p/.scriptstep/", "p/scriptstep.toml", "p/q/x")
    monkeypatch.setenv("SCRIPTSTEP_HOME", str(tmp_path / "elsewhere"))
    assert find_place(tmp_path / "p" / "q") == Place(tmp_path / "elsewhere", tmp_path / "p" / "scriptstep.toml")
    assert find_place(tmp_path) == Place(tmp_path / "elsewhere", None)


def test_the_variable_may_be_relative_or_begin_with_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.setenv("SCRIPTSTEP_HOME", "state")
    assert find_place().home == tmp_path / "state"
    monkeypatch.setenv("SCRIPTSTEP_HOME", "~/state")
    assert find_place().home == tmp_path / "me" / "state"


def test_inside_a_step_nothing_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "code/scriptstep.toml")
    monkeypatch.setenv("SCRIPTSTEP_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("SCRIPTSTEP_ATTEMPT", "a-1")
    assert find_place(tmp_path / "code") == Place(tmp_path / "state", None)
    monkeypatch.setenv("SCRIPTSTEP_SETTINGS", "/project/scriptstep.toml")
    assert find_place(tmp_path / "code") == Place(tmp_path / "state", Path("/project/scriptstep.toml"))


@pytest.mark.parametrize(
    ("home", "name"), [("/a/project/.scriptstep", "project"), ("/data/state", "state"), ("/.scriptstep", "")]
)
def test_the_state_belongs_to_a_folder(home: str, name: str) -> None:
    assert Place(Path(home)).folder_name == name


def test_the_state_folder_is_for_its_owner_and_for_no_backup(tmp_path: Path) -> None:
    place = Place(tmp_path / "a" / "b" / ".scriptstep")
    prepare_home(place)
    assert stat.S_IMODE(place.home.stat().st_mode) == 0o700
    # https://bford.info/cachedir/
    assert (place.home / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55\n")
    assert (place.home / ".gitignore").read_text() == "*\n"


def test_git_leaves_the_state_folder_alone(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    prepare_home(Place(tmp_path / ".scriptstep"))
    (tmp_path / ".scriptstep" / "history.db").write_text("x")
    said = subprocess.run(
        ["git", "-C", str(tmp_path), "status", "--porcelain", "--untracked-files=all"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == ""


def test_a_state_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    home = tmp_path / ".scriptstep"
    home.mkdir(mode=0o750)
    home.chmod(0o750)
    (home / ".gitignore").write_text("mine\n")
    prepare_home(Place(home))
    assert stat.S_IMODE(home.stat().st_mode) == 0o750
    assert (home / ".gitignore").read_text() == "mine\n"
    assert (home / "CACHEDIR.TAG").exists()


def test_a_state_folder_that_went_away_is_made_again(tmp_path: Path) -> None:
    place = Place(tmp_path / ".scriptstep")
    prepare_home(place)
    shutil.rmtree(place.home)
    prepare_home(place)
    assert (place.home / "CACHEDIR.TAG").exists()


def test_a_file_in_the_way_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(WorkspaceException, match=r"state folder .*state cannot be made.*\n.*SCRIPTSTEP_HOME"):
        prepare_home(Place(tmp_path / "state"))


def another_users_folder(tmp_path: Path) -> Path:
    """Returns: a folder that is not ours: made so by root, else the root folder's `usr`, which is root's."""
    if os.geteuid() != 0:
        return Path("/usr")
    folder = tmp_path / "theirs"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    return folder


def test_another_users_state_folder_is_refused_by_root_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = another_users_folder(tmp_path)
    monkeypatch.setenv("SCRIPTSTEP_HOME", str(theirs))
    with pytest.raises(WorkspaceException, match=r"belongs to another user.*\n.*SCRIPTSTEP_HOME"):
        find_place(tmp_path)
    with pytest.raises(WorkspaceException, match="belongs to another user"):
        prepare_home(Place(theirs))
    link = tmp_path / "mine"
    link.symlink_to(theirs)
    with pytest.raises(WorkspaceException, match="belongs to another user"):
        prepare_home(Place(link))


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    # Root may write anywhere: a child that is nobody asks, in a place where nobody may look but not write.
    code = """
import os, sys, tempfile
from pathlib import Path
from scriptstep.errors import WorkspaceException
from scriptstep.workspace.place import Place, prepare_home
folder = Path(tempfile.mkdtemp(prefix="scriptstep-test-"))
folder.chmod(0o555)
if os.geteuid() == 0:
    os.setuid(65534)
try:
    prepare_home(Place(folder / "state"))
except WorkspaceException as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "cannot be made: Permission denied" in done.stdout, done.stderr
    assert "SCRIPTSTEP_HOME" in done.stdout


def test_a_state_folder_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    code = """
import os, sys, tempfile
from pathlib import Path
from scriptstep.errors import WorkspaceException
from scriptstep.workspace.place import Place, prepare_home
folder = Path(tempfile.mkdtemp(prefix="scriptstep-test-"))
folder.chmod(0o755)
home = folder / "state"
prepare_home(Place(home))
from scriptstep.workspace import place
place._prepared.clear()
if os.geteuid() == 0:
    os.chown(home, 65534, 65534)
    os.setuid(65534)
home.chmod(0o500)
try:
    prepare_home(Place(home))
except WorkspaceException as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "cannot be written to" in done.stdout, done.stderr
