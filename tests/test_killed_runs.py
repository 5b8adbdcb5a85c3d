"""Runs that are killed at random moments: the next one needs no repair, and is right."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scriptstep.content import ContentStore
from scriptstep.history import History
from tests.in_memory import memory_folder
from tests.killed_runs import STEPS, Nursery, descendants, left_alive

# So many runs are killed; `make soak` asks for more.
KILLS = int(os.environ.get("SCRIPTSTEP_KILLS", "200"))
SEED = int(os.environ.get("SCRIPTSTEP_SEED", "6"))
PARTS, AT_ONCE = 4, 2
BEFORE_ONE_ENDS = 5  # runs that are killed before one is left to come to its end


def check_history(home: Path, after: int = 0) -> set[str]:
    """Holds the history, and the trees that its results after one name, against what must be. Returns their digests."""
    connection = sqlite3.connect(home / "history.db")
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        made_by = connection.execute("SELECT run FROM results WHERE id > ?", (after,)).fetchall()
    finally:
        connection.close()
    history, store = History(home / "history.db"), ContentStore(home / "trees")
    named: set[str] = set()
    assert history.damaged is None
    for (step,) in made_by:
        run, result = history.run(step), history.result_of(step)
        assert run is not None and result is not None
        assert run.status == "Finished", "a result without the end of its step"
        named |= {*result.outputs.values(), *filter(None, [result.artifacts]), result.conditions["tree"]}
    history.close()
    for digest in named:
        assert store.ensure(digest), "the history names a tree that is not there"
    return named


def recorded(home: Path, after: int = 0) -> dict[int, str]:
    """Returns: names of the steps whose results were recorded after one, by the numbers of those."""
    connection = sqlite3.connect(home / "history.db")
    found = connection.execute("SELECT id, step_name FROM results WHERE id > ?", (after,)).fetchall()
    connection.close()
    return dict(found)


def check_last_run(home: Path, turn: str, reused: set[str]) -> dict[str, str]:
    """Holds the run that ended last against what its pipeline says. Returns the digest of each output."""
    history, store = History(home / "history.db"), ContentStore(home / "trees")
    (run, *_) = history.runs(kind="pipeline")
    assert run.status in ("Finished", "Completed") and run.error is None
    steps = {step.name: step for step in history.runs(parent=run.id)}
    assert set(steps) == set(STEPS) and {step.status for step in steps.values()} == {"Finished"}
    assert {name for name, step in steps.items() if step.reused_from} >= reused, "what was done is not done again"
    digests: dict[str, str] = {}
    for name, step in steps.items():
        result = history.result_of(step.reused_from or step.id)
        assert result is not None
        digests |= {f"{name}.{port}": digest for port, digest in result.outputs.items()}
    text = f"{turn}\n"
    assert store.content_path(digests["make.raw"]).read_text() == text
    assert store.content_path(digests["left.left"]).read_text() == text
    right = store.content_path(digests["right.right"])
    assert {path.name: path.read_text() for path in right.iterdir()} == {"a": text, "b": text}
    assert {(m.name, m.value) for m in history.metrics(run.id)} == {("length", 2 * len(text))}
    model = history.model(run.workspace, "joined")
    assert model is not None
    assert store.content_path(model.digest).read_text() == 2 * text
    history.close()
    return digests


def kill_and_run_again(folder: Path, kills: int, chance: random.Random) -> int:
    """Kills runs until so many died, and lets one end now and then. Returns how many ended."""
    nursery = Nursery(folder)
    home, trees = nursery.home, folder / "state" / "trees"
    try:
        for name in ("first", "second"):
            began = time.monotonic()
            assert nursery.finish(nursery.start(name)) == 0, nursery.log.read_text()
            whole_s = time.monotonic() - began
        done = ended = in_this_turn = 0
        before = max(recorded(home))
        while done < kills or in_this_turn:
            was_done, turn = recorded(home, before), f"turn {ended}"
            pid = nursery.start(turn)
            code: int | None = None
            if in_this_turn < BEFORE_ONE_ENDS and done < kills:
                time.sleep(chance.uniform(0, whole_s * (1 - len(was_done) / (len(STEPS) + 1))))
                among = chance.random()
                more = [] if among < 0.6 else descendants(pid)
                code = nursery.kill(pid, *(more[:1] if among < 0.8 else more))
                # About one in six comes to its end before: moments up to the last are tried, and few are in vain.
                whole_s *= 0.9 if code == 0 else 1.02
            if code == -signal.SIGKILL:
                done += 1
                in_this_turn += 1
                assert left_alive(home, 20) == []
                check_history(home, before)
                continue
            # It is let go on to its end, or was faster than its killer.
            assert (nursery.finish(pid) if code is None else code) == 0, nursery.log.read_text()
            check_last_run(home, turn, set(was_done.values()))
            assert os.listdir(trees / ".tmp") == []
            assert not list(home.glob("runs/*/*/code")), "working copies that nobody will use"
            before, ended, in_this_turn = max(recorded(home)), ended + 1, 0
        store = ContentStore(trees)
        for digest in check_history(home):
            assert store.verify(digest) == []
        assert not (trees / ".damaged").exists() and not list(home.glob("*.damaged-*"))
        # The last, in a workspace where nothing was ever killed.
        assert nursery.finish(nursery.start("last")) == 0
        there = check_last_run(home, "last", set())
        shutil.rmtree(home)
        assert nursery.finish(nursery.start("last")) == 0
        assert check_last_run(home, "last", set()) == there
        return ended
    finally:
        nursery.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc")
@pytest.mark.timeout(600 + KILLS)
@pytest.mark.parametrize("part", range(PARTS))
def test_a_run_that_is_killed_at_any_moment_needs_no_repair(part: int) -> None:
    with memory_folder() as folder, ThreadPoolExecutor(AT_ONCE) as threads:
        numbers = range(part * AT_ONCE, part * AT_ONCE + AT_ONCE)
        jobs = [
            threads.submit(
                kill_and_run_again, folder / str(number), -(-KILLS // PARTS // AT_ONCE), random.Random(SEED + number)
            )
            for number in numbers
        ]
        ended = sum(job.result() for job in jobs)
    print(f"{-(-KILLS // PARTS)} runs killed, {ended} between them ended well")
