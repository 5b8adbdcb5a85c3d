"""What damage does to a run: it is noticed before anything uses it, set aside, and the pipeline's result is right."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from scriptstep import PipelineData, RunConfiguration
from scriptstep.content import ContentStore

WRITE = """
    import pathlib, sys
    out = pathlib.Path(sys.argv[1])
    (out / "sub").mkdir(parents=True)
    (out / "sub" / "large").write_bytes(b"x" * 300_000)
    (out / "text").write_text(sys.argv[2])
"""
READ = """
    import pathlib, sys
    data, out = map(pathlib.Path, sys.argv[1:3])
    out.write_text((data / "text").read_text() + str(len((data / "sub" / "large").read_bytes().strip(b"x"))))
"""

Make = Callable[..., Any]
Tell = Callable[[Any], dict[str, str]]


def chain(make_step: Make, text: str = "a", more: str = "", **keywords: Any) -> list[Any]:
    raw, told = PipelineData("raw", is_directory=True), PipelineData("told")
    first = make_step("first", WRITE, arguments=[raw, text], outputs=[raw], **keywords)
    return [first, make_step("second", READ + more, arguments=[raw, told], inputs=[raw], outputs=[told])]


def output(run: Any, home: Path, step: str, port: str) -> Path:
    (found,) = run.find_step_run(step)
    return ContentStore(home / "trees").content_path(found._row().details["outputs"][port]["tree"])


def check(run: Any, home: Path, text: str = "a") -> None:
    assert run.get_status() in ("Finished", "Completed")
    assert output(run, home, "second", "told").read_text() == text + "0"
    store = ContentStore(home / "trees")
    for tree in (home / "trees").glob("[0-9a-f][0-9a-f]/*"):
        digest = tree.parent.name + tree.name
        assert store.verify(digest) == [], f"{tree} is damaged and lies there"


# --- a file of an output


def flip(file: Path) -> None:
    """As a disk would: size and time stay."""
    stat = file.stat()
    data = bytearray(file.read_bytes())
    data[random.Random(file.name).randrange(len(data))] ^= 1
    with file.open("r+b") as opened:
        opened.write(data)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    # A clock that ticks slowly may not have gone on since the file was stored.
    while file.stat().st_ctime_ns == stat.st_ctime_ns:
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def extend(file: Path) -> None:
    with file.open("ab") as opened:
        opened.write(b"x")


def empty(file: Path) -> None:
    os.truncate(file, 0)


def zero(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


def remove(file: Path) -> None:
    file.unlink()


def to_link(file: Path) -> None:
    copy = shutil.copy(file, Path(os.environ["SCRIPTSTEP_HOME"]) / "elsewhere")
    file.unlink()
    file.symlink_to(copy)


def to_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def to_fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def make_executable(file: Path) -> None:
    file.chmod(0o755)


def add_beside(file: Path) -> None:
    (file.parent / "more").touch()


DAMAGES = [flip, cut, extend, empty, zero, remove, to_link, to_folder, to_fifo, make_executable, add_beside]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_output_is_made_again(
    damage: Callable[[Path], None], make_step: Make, run: Make, verdicts: Tell, home: Path
) -> None:
    before = run(*chain(make_step))
    damage(output(before, home, "first", "raw") / ("sub/large" if damage is not flip else "text"))
    again = run(*chain(make_step))
    assert verdicts(again) == {"first": "ran", "second": "reused"}
    (found,) = again.find_step_run("first")
    assert found._row().verdict["reasons"] == ["its stored output raw is gone or damaged"]
    assert len(os.listdir(home / "trees" / ".damaged")) == 1
    check(again, home)
    assert set(verdicts(run(*chain(make_step))).values()) == {"reused"}


@pytest.mark.parametrize("damage", [flip, cut, remove, to_fifo])
def test_a_damaged_output_is_not_read_by_the_step_that_takes_it(
    damage: Callable[[Path], None], make_step: Make, run: Make, verdicts: Tell, home: Path
) -> None:
    before = run(*chain(make_step))
    damage(output(before, home, "first", "raw") / "text")
    again = run(*chain(make_step, more="    # changed\n"))
    assert verdicts(again) == {"first": "ran", "second": "ran"}
    check(again, home)


def lose_tree(tree: Path) -> None:
    shutil.rmtree(tree)


def lose_content(tree: Path) -> None:
    shutil.rmtree(tree / "content")


def lose_manifest(tree: Path) -> None:
    (tree / "manifest").unlink()


def flip_manifest(tree: Path) -> None:
    flip(tree / "manifest")


def cut_manifest(tree: Path) -> None:
    cut(tree / "manifest")


@pytest.mark.parametrize("damage", [lose_tree, lose_content, lose_manifest, flip_manifest, cut_manifest])
def test_a_tree_that_is_gone_or_has_no_manifest_is_made_again(
    damage: Callable[[Path], None], make_step: Make, run: Make, verdicts: Tell, home: Path
) -> None:
    before = run(*chain(make_step))
    damage(output(before, home, "first", "raw").parent)
    again = run(*chain(make_step))
    assert verdicts(again) == {"first": "ran", "second": "reused"}
    check(again, home)


def test_the_whole_store_may_be_gone(make_step: Make, run: Make, verdicts: Tell, home: Path) -> None:
    run(*chain(make_step))
    shutil.rmtree(home / "trees")
    again = run(*chain(make_step))
    assert verdicts(again) == {"first": "ran", "second": "ran"}
    check(again, home)


def test_damaged_files_of_a_step_run_make_it_run_again(make_step: Make, run: Make, verdicts: Tell, home: Path) -> None:
    before = run(make_step("only", "open('outputs/report', 'w').write('fine')"))
    (found,) = before.find_step_run("only")
    flip(ContentStore(home / "trees").content_path(found._row().artifacts) / "outputs" / "report")
    again = run(make_step("only", "open('outputs/report', 'w').write('fine')"))
    assert verdicts(again) == {"only": "ran"}


# --- a file of the code


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_code_is_written_anew_from_its_source_and_runs(
    damage: Callable[[Path], None], make_step: Make, run: Make, verdicts: Tell, home: Path
) -> None:
    before = run(*chain(make_step))
    (found,) = before.find_step_run("first")
    tree = found.get_properties()["ContentSnapshotId"]
    damage(ContentStore(home / "trees").content_path(tree) / "main.py")
    again = run(*chain(make_step, "b"))
    assert verdicts(again) == {"first": "ran", "second": "ran"}
    # What was added beside is never copied out: only what the manifest lists is.
    if damage not in (make_executable, add_beside):
        assert os.listdir(home / "trees" / ".damaged") == [f"{tree}-0"]
        check(again, home, "b")


@pytest.mark.parametrize("damage", [lose_tree, lose_content, lose_manifest, flip_manifest, cut_manifest])
def test_a_tree_of_code_that_is_gone_or_has_no_manifest_is_made_again(
    damage: Callable[[Path], None], make_step: Make, run: Make, verdicts: Tell, home: Path
) -> None:
    before = run(*chain(make_step))
    (found,) = before.find_step_run("first")
    damage(ContentStore(home / "trees").content_path(found.get_properties()["ContentSnapshotId"]).parent)
    again = run(*chain(make_step, "b"))
    assert verdicts(again) == {"first": "ran", "second": "ran"}
    check(again, home, "b")


# --- the history


def garbage(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(path.stat().st_size))


def half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def gone(path: Path) -> None:
    path.unlink()


def pages(path: Path) -> None:
    chance = random.Random(2)
    with path.open("r+b") as file:
        for page in range(2, path.stat().st_size // 4096, 3):
            file.seek(page * 4096)
            file.write(chance.randbytes(4096))


@pytest.mark.parametrize("damage", [garbage, half, gone, pages])
def test_a_damaged_history_is_begun_anew_and_every_step_is_right(
    damage: Callable[[Path], None], project: Path, home: Path
) -> None:
    script = project / "pipeline.py"
    (project / "src").mkdir()
    (project / "src" / "main.py").write_text("import sys; open(sys.argv[1], 'w').write('fine')")
    script.write_text(
        "from azureml.core import Experiment, Workspace\n"
        "from azureml.pipeline.core import Pipeline, PipelineData\n"
        "from azureml.pipeline.steps import PythonScriptStep\n"
        "out = PipelineData('out')\n"
        "step = PythonScriptStep('main.py', name='only', source_directory='src', arguments=[out], outputs=[out])\n"
        "ws = Workspace.from_config()\n"
        "Experiment(ws, 'damage').submit(Pipeline(ws, steps=[step])).wait_for_completion(show_output=False)\n"
    )

    def scriptstep() -> str:
        done = subprocess.run(
            [sys.executable, "-m", "scriptstep", "run", "pipeline.py"], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    scriptstep()
    for log in home.glob("history.db-*"):
        log.unlink()
    damage(home / "history.db")
    told = scriptstep()
    assert "ran" in told and "Traceback" not in told
    assert ("history.db.damaged-1" in told) == (damage is not gone), told
    assert "reused" in scriptstep()
    connection = sqlite3.connect(home / "history.db")
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


# --- what else lies in the state folder


@pytest.mark.parametrize("content", [b"", b"\0" * 7, b"garbage"])
def test_a_damaged_masking_key_costs_no_run(
    content: bytes, make_step: Make, run: Make, verdicts: Tell, home: Path
) -> None:
    config = RunConfiguration()
    config.environment.environment_variables = {"API_TOKEN": "hush"}
    run(*chain(make_step, runconfig=config))
    (home / "masking-key").write_bytes(content)
    assert set(verdicts(run(*chain(make_step, runconfig=config))).values()) == {"reused"}
    config.environment.environment_variables = {"API_TOKEN": "other"}
    assert verdicts(run(*chain(make_step, runconfig=config)))["first"] == "ran"


def test_garbage_in_every_file_that_only_makes_things_faster_or_clearer_costs_no_result(
    make_step: Make, run: Make, verdicts: Tell, home: Path
) -> None:
    run(*chain(make_step))
    places = [*home.glob("stat/*"), *home.glob("packages/*"), *home.glob("trees/??/*/rows"), *home.glob("runs/*/lock")]
    assert len({place.parent.name for place in places}) >= 3
    for place in places:
        place.write_bytes(random.Random(place.name).randbytes(333))
    assert set(verdicts(run(*chain(make_step))).values()) == {"reused"}
    again = run(*chain(make_step, "b"))
    assert set(verdicts(again).values()) == {"ran"}
    check(again, home, "b")


# --- no room, no descriptors


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)], capture_output=True, text=True
    )
    if made.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {made.stderr.strip() or made.stdout.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


PIPELINE = """
from azureml.core import Experiment, Workspace
from azureml.pipeline.core import Pipeline, PipelineData
from azureml.pipeline.steps import CommandStep
import sys
raw, copy = PipelineData("raw"), PipelineData("copy")
keywords = {"source_directory": "src"}
first = CommandStep(command=["sh", "make.sh", sys.argv[1], raw], name="first", outputs=[raw], **keywords)
second = CommandStep(command=["cp", raw, copy], name="second", inputs=[raw], outputs=[copy], **keywords)
ws = Workspace.from_config()
run = Experiment(ws, "room").submit(Pipeline(ws, steps=[first, second]))
run.wait_for_completion(show_output=False)
"""


@pytest.fixture
def pipeline(project: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a pipeline of two commands in another process: `pipeline("a", home, before)`."""
    (project / "pipeline.py").write_text(PIPELINE)
    (project / "src").mkdir()
    (project / "src" / "make.sh").write_text('set -e; head -c 400000 /dev/zero | tr \'\\0\' "$1" > "$2"\n')

    def start(letter: str, home: Path, before: Callable[[], None] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "scriptstep", "run", "pipeline.py", letter],
            capture_output=True,
            text=True,
            timeout=100,
            env={**os.environ, "SCRIPTSTEP_HOME": str(home)},
            preexec_fn=before,
        )

    return start


def check_trees(home: Path) -> int:
    store = ContentStore(home / "trees")
    trees = [tree.parent.name + tree.name for tree in (home / "trees").glob("[0-9a-f][0-9a-f]/*")]
    assert [store.verify(digest) for digest in trees] == [[]] * len(trees)
    return len(trees)


def test_a_full_disk_is_a_clear_error_and_no_harm(
    small_disk: Path, pipeline: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    home = small_disk / "state"
    assert pipeline("a", home).returncode == 0
    failed = 0
    for left in (0, 4, 16, 64, 128, 256, 512, 900):
        ballast = small_disk / "ballast"
        stat = os.statvfs(small_disk)
        with ballast.open("wb") as file:
            file.write(b"\1" * max(0, stat.f_bavail * stat.f_frsize - left * 1024))
        letter = chr(ord("b") + left % 20)
        done = pipeline(letter, home)
        assert "Traceback" not in done.stderr and "scriptstep itself failed" not in done.stderr, done.stderr
        assert done.returncode == 0 or "error: " in done.stderr
        failed += done.returncode != 0
        ballast.unlink()
        check_trees(home)
        again = pipeline(letter, home)
        assert again.returncode == 0, again.stderr
        assert os.listdir(home / "trees" / ".tmp") == []
        shutil.rmtree(home / "trees")
    assert failed >= 4


def test_too_few_descriptors_are_a_clear_error_and_no_harm(
    tmp_path: Path, pipeline: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    import resource

    home, ended = tmp_path / "few", set()
    for limit in (*range(6, 40, 3), 64):
        done = pipeline("a", home, partial(resource.setrlimit, resource.RLIMIT_NOFILE, (limit, limit)))
        if "_core" in done.stderr or "encodings" in done.stderr or "ImportError" in done.stderr:
            continue  # Python itself did not get as far.
        assert done.returncode == 0 or "error: " in done.stderr, done.stderr
        ended.add(done.returncode)
        check_trees(home)
    assert ended == {0, 1}
    assert not (home / "trees" / ".damaged").exists(), "want of descriptors is no damage"
    assert "reused" in pipeline("a", home).stderr
