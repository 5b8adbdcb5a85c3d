"""Collecting beside everything else: nothing that somebody was promised ever vanishes."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import textwrap
import traceback
from pathlib import Path
from typing import Any

import pytest

from scriptstep.content import Census, Collection, ContentStore, leftovers
from scriptstep.errors import ContentError, TreeMissing

# SCRIPTSTEP_ROUNDS makes it longer: `make soak`.
ROUNDS = int(os.environ.get("SCRIPTSTEP_ROUNDS", "60"))
KINDS = 12


def content(number: int) -> dict[str, str]:
    return {"a": f"a {number}", "sub/b": f"b {number}" * 50, "sub/c": "the same in all"}


def lay_out(root: Path, number: int) -> Path:
    for name, text in content(number).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def is_whole(root: Path, number: int) -> bool:
    return all((root / name).read_text() == text for name, text in content(number).items())


def collect_until_told(root: str, stop: Any, gone: Any) -> None:
    """Removes every tree that it may, again and again."""
    while not stop.is_set():
        store = ContentStore(Path(root) / "trees")
        try:
            with Collection(store) as right:
                gone.value += len(right.remove(Census(store).ages))
                for left in leftovers(store):
                    right.remove_leftover(left)
        except ContentError as error:
            # Two of these are at it.
            if "somebody else" not in str(error):
                raise


def rely(root: str, seed: int, faults: Any) -> None:
    """Relies on trees in every way that there is; what it was promised it looks at once more, later."""
    draw, folder = random.Random(seed), Path(root) / f"of-{seed}"
    digests: dict[int, str] = {}
    try:
        for turn in range(ROUNDS):
            store = ContentStore(Path(root) / "trees")
            promised: dict[int, Path] = {}
            for part in range(6):
                number, place = draw.randrange(KINDS), folder / f"{turn}-{part}"
                what = draw.choice(["save", "add", "adopt", "ensure", "restore", "mount"])
                if what in ("save", "add", "adopt"):
                    lay_out(place, number)
                    base = digests.get(draw.randrange(KINDS))
                    made = store.save(place, base=base) if what == "save" else getattr(store, what)(place)
                    digests[number] = made.digest
                elif number not in digests:
                    continue
                elif what == "ensure":
                    if not store.ensure(digests[number]):
                        continue
                elif what == "restore":
                    try:
                        store.restore(digests[number], place)
                    except TreeMissing:
                        continue
                    assert is_whole(place, number), f"restored {number}"
                else:
                    try:
                        guard = store.guard(digests[number])
                        place.parent.mkdir(parents=True, exist_ok=True)
                        place.symlink_to(store.content_path(digests[number]))
                    except TreeMissing:
                        continue
                    assert is_whole(place, number) and store.written_since(digests[number], guard) == []
                promised[number] = store.content_path(digests[number])
            for number, path in promised.items():
                assert is_whole(path, number), f"turn {turn}: {number} was promised"
                assert store.ensure(digests[number]) and store.verify(digests[number]) == []
    except BaseException:
        faults.put(traceback.format_exc())


@pytest.mark.timeout(max(120, ROUNDS * 2))
def test_what_was_promised_never_vanishes(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    stop, gone, faults = spawn.Event(), spawn.Value("i", 0), spawn.Queue()
    collectors = [spawn.Process(target=collect_until_told, args=(str(tmp_path), stop, gone)) for _ in range(2)]
    users = [spawn.Process(target=rely, args=(str(tmp_path), seed, faults)) for seed in range(4)]
    (tmp_path / "trees").mkdir()
    for process in [*collectors, *users]:
        process.start()
    for process in users:
        process.join()
    stop.set()
    for process in collectors:
        process.join()
    assert faults.empty(), faults.get()
    assert [process.exitcode for process in [*collectors, *users]] == [0] * 6
    assert gone.value > ROUNDS, "the collectors had their hands full"
    # Everybody is gone: so is every lease.
    store = ContentStore(tmp_path / "trees")
    with Collection(store) as right:
        right.remove(store.digests())
    assert store.digests() == []


def test_a_killed_holder_lapses_and_a_living_one_does_not(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_text("text")
    digest = ContentStore(tmp_path / "trees").add(source).digest
    code = """
        import sys
        from scriptstep.content import ContentStore
        store = ContentStore(sys.argv[1])
        print(store.ensure(sys.argv[2]), flush=True)
        sys.stdin.read()
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "trees"), digest],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "True\n"
        store = ContentStore(tmp_path / "trees")
        with Collection(store) as right:
            assert right.remove([digest]) == set()
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with Collection(store) as right:
        assert right.remove([digest]) == {digest}


PIPELINE = """
    import sys
    from scriptstep import Experiment, OutputFileDatasetConfig, Pipeline, PipelineData, PythonScriptStep, Workspace
    ws = Workspace.get("race")
    for turn in range(int(sys.argv[1])):
        made = PipelineData("made")
        first = PythonScriptStep(
            "first.py", name="first", source_directory="src", arguments=[made, turn % 3], outputs=[made]
        )
        second = PythonScriptStep("second.py", name="second", source_directory="src", arguments=[made], inputs=[made])
        run = Experiment(ws, "race").submit(Pipeline(ws, [second]))
        assert run.wait_for_completion(raise_on_error=False) == "Finished", run.id
"""


@pytest.mark.timeout(max(120, ROUNDS * 4))
def test_pipelines_run_beside_a_collection_of_all_that_may_go(
    project: Path, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (project / "src").mkdir()
    (project / "src" / "first.py").write_text("import sys; open(sys.argv[1], 'w').write(sys.argv[2] * 1000)")
    (project / "src" / "second.py").write_text("import sys; assert len(open(sys.argv[1]).read()) == 1000")
    (project / "many.py").write_text(textwrap.dedent(PIPELINE))
    turns = str(max(4, ROUNDS // 10))
    runners = [subprocess.Popen([sys.executable, "many.py", turns]) for _ in range(2)]
    codes, removed = [], 0
    while any(runner.poll() is None for runner in runners):
        if (home / "history.db").exists():
            command = [sys.executable, "-m", "scriptstep", "gc", "--keep", "0s", "--grace", "0s", "--json"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            codes.append(done.returncode)
            removed += done.stdout.count('"kind": "result"')
    shown = capfd.readouterr().err
    assert [runner.returncode for runner in runners] == [0, 0], shown
    # Before anything was recorded the history is empty, and the store may not be.
    assert 0 in codes and removed
    check = subprocess.run([sys.executable, "-m", "scriptstep", "verify"], capture_output=True, text=True, check=False)
    assert check.returncode == 0, check.stdout + check.stderr
