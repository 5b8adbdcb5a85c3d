"""Runs that are killed at random moments: the next one needs no repair, and is right."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scriptstep.content import ContentStore
from scriptstep.history import History
from tests.killed_runs import STEPS, Nursery, descendants, left_alive

# So many runs are killed; `make soak` asks for more.
KILLS = int(os.environ.get("SCRIPTSTEP_KILLS", "200"))
SEED = int(os.environ.get("SCRIPTSTEP_SEED", "6"))
AT_ONCE = 2
BEFORE_ONE_ENDS = 5  # runs that are killed before one is left to come to its end


def check_history(home: Path) -> set[str]:
    """Holds the history and the trees that it names against what must be. Returns the digests of those trees."""
    path = home / "history.db"
    if not path.exists():
        return set()
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    finally:
        connection.close()
    history, store = History(path), ContentStore(home / "trees")
    named: set[str] = set()
    assert history.damaged is None
    for run in history.runs(kind="step"):
        if (result := history.result_of(run.id)) is not None:
            assert run.status == "Finished", "a result without the end of its step"
            named |= {*result.outputs.values(), *filter(None, [result.artifacts]), result.conditions["tree"]}
        assert run.artifacts is None or run.status == "Finished" or store.ensure(run.artifacts)
    history.close()
    for digest in named:
        assert store.ensure(digest), "the history names a tree that is not there"
    return named


def recorded(home: Path, after: int) -> set[str]:
    """Returns: names of the steps whose results were recorded after the result of a number."""
    if not (home / "history.db").exists():
        return set()
    connection = sqlite3.connect(home / "history.db")
    found = connection.execute("SELECT step_name FROM results WHERE id > ?", (after,)).fetchall()
    connection.close()
    return {name for (name,) in found}


def last_result(home: Path) -> int:
    connection = sqlite3.connect(home / "history.db")
    (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM results").fetchone()
    connection.close()
    return int(last)


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
    (file,) = (
        [store.content_path(model.digest)]
        if store.content_path(model.digest).is_file()
        else [store.content_path(model.digest) / "model.txt"]
    )
    assert file.read_text() == 2 * text
    history.close()
    return digests


def kill_and_run_again(folder: Path, kills: int, chance: random.Random) -> int:
    """Kills runs until so many died, and lets one end now and then. Returns how many ended."""
    nursery = Nursery(folder)
    home, trees = nursery.home, folder / "state" / "trees"
    try:
        began = time.monotonic()
        assert nursery.finish(nursery.start("first")) == 0, nursery.log.read_text()
        whole_s = time.monotonic() - began
        done = ended = turn = 0
        while done < kills:
            turn += 1
            before, in_this_turn = last_result(home), 0
            while in_this_turn < BEFORE_ONE_ENDS and done < kills:
                pid = nursery.start(f"turn {turn}")
                time.sleep(chance.uniform(0, whole_s))
                among = chance.random()
                more = [] if among < 0.6 else descendants(pid)
                if not nursery.kill(pid, *(more[:1] if among < 0.8 else more)):
                    break  # It was faster than its killer.
                done += 1
                in_this_turn += 1
                assert left_alive(home, 20) == []
                check_history(home)
            was_done = recorded(home, before)
            began = time.monotonic()
            assert nursery.finish(nursery.start(f"turn {turn}")) == 0, nursery.log.read_text()
            whole_s = 0.8 * whole_s + 0.2 * (time.monotonic() - began) if not was_done else whole_s
            check_last_run(home, f"turn {turn}", was_done)
            assert os.listdir(trees / ".tmp") == []
            assert not list(home.glob("runs/*/*/code")), "working copies that nobody will use"
            ended += 1
        store = ContentStore(trees)
        for digest in check_history(home):
            assert store.verify(digest) == []
        assert not (trees / ".damaged").exists() and not list(home.glob("*.damaged-*"))
        # The last, in a workspace where nothing was ever killed.
        there = check_last_run(home, f"turn {turn}", set())
        shutil.rmtree(home)
        assert nursery.finish(nursery.start(f"turn {turn}")) == 0
        assert check_last_run(home, f"turn {turn}", set()) == there
        return ended
    finally:
        nursery.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc")
@pytest.mark.timeout(600 + KILLS)
def test_a_run_that_is_killed_at_any_moment_needs_no_repair(tmp_path: Path) -> None:
    shares = [KILLS // AT_ONCE + (number < KILLS % AT_ONCE) for number in range(AT_ONCE)]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        jobs = [
            threads.submit(kill_and_run_again, tmp_path / str(number), share, random.Random(SEED + number))
            for number, share in enumerate(shares)
        ]
        ended = sum(job.result() for job in jobs)
    print(f"{KILLS} runs killed, {ended} between them ended well")
