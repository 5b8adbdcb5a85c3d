"""The history when its writer is killed at any statement, and when its log is cut or bent at any frame."""

from __future__ import annotations

import os
import shutil
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scriptstep.content import ContentStore
from scriptstep.history import History, RunRow
from tests.in_memory import memory_folder

TRANSACTIONS = 12
# A folder a number: the process that works in it is killed before the statement of that number.
_WRITER = """
import os, signal, sqlite3, sys
from pathlib import Path
from scriptstep.content import ContentStore
from scriptstep.history import History, RunRow, WorkspaceRow
from scriptstep.history.database import Database

above, only, transactions = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
connect = Database._connect

def write(folder, kill_before):
    count = 0
    def trace(statement):
        nonlocal count
        count += 1
        if count == kill_before:
            os.kill(os.getpid(), signal.SIGKILL)
    def connect_traced(self, how):
        connection = connect(self, how)
        connection.set_trace_callback(trace)
        return connection
    Database._connect = connect_traced
    folder.mkdir()
    done = os.open(folder / "done", os.O_WRONLY | os.O_CREAT)
    history, store = History(folder / "history.db"), ContentStore(folder / "trees")
    history.add_workspace(WorkspaceRow("w", "s", "g", "l"))
    for number in range(transactions):
        out = folder / "out"
        out.write_text(f"output {number}")
        tree = store.adopt(out).digest
        id = f"r{number:02}"
        with history.transaction():
            history.add_run(RunRow(id, "w", "e", "pipeline", id, details={"text": "x" * 500 * (number % 4)}))
            history.set_tags(id, {"n": number})
            history.add_result(
                workspace="w", key=f"k{number % 3}", step_name="s", run=id, outputs={"out": tree}, artifacts=None,
                document={}, conditions={}, effects=[], reusable=True, duration_s=1,
            )
            history.update_run(id, status="Finished")
        os.write(done, b".")
    if not kill_before:
        os.kill(os.getpid(), signal.SIGKILL)  # Its log is left as it is.
    return count

number = only or 1
while True:
    child = os.fork()
    if child == 0:
        write(above / str(number), 0 if only else number)
        os._exit(0)
    if only or os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        break
    number += 1
if only:
    os.waitpid(child, 0)
print(number, flush=True)
"""


def write(folder: Path, only: int) -> int:
    """Returns: the number of the folder whose writer came to its end."""
    done = subprocess.run(
        [sys.executable, "-c", _WRITER, str(folder), str(only), str(TRANSACTIONS)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def check(folder: Path) -> int:
    """Holds a history, opened with no repair, against what must be. Returns how many transactions it has."""
    path = folder / "history.db"
    history, store = History(path), ContentStore(folder / "trees")
    assert history.damaged is None
    runs = sorted(run.id for run in history.runs())
    assert runs == [f"r{number:02}" for number in range(len(runs))], "the first of them, none left out"
    for number, id in enumerate(runs):
        run, result = history.run(id), history.result_of(id)
        assert run is not None and run.status == "Finished" and history.tags(id) == {"n": str(number)}
        assert result is not None and result.key == f"k{number % 3}"
        assert store.ensure(result.outputs["out"]), "a record that outlives its tree"
        assert store.content_path(result.outputs["out"]).read_text() == f"output {number}"
    history.add_run(RunRow("next", "w", "e", "pipeline", "next"))
    history.close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()
    return len(runs)


@pytest.fixture
def folder() -> Iterator[Path]:
    with memory_folder() as made:
        yield made


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_writer_killed_before_any_statement_leaves_what_it_had_committed(folder: Path) -> None:
    last = write(folder, 0)
    assert last > 100
    found = []
    for number in range(1, last + 1):
        told = len((folder / str(number) / "done").read_bytes())
        there = check(folder / str(number))
        assert told <= there <= told + 1, f"killed before statement {number}: told {told}, there {there}"
        found.append(there)
    assert found == sorted(found) and set(found) == set(range(TRANSACTIONS + 1))
    print(f"killed before each of {last - 1} statements")


@pytest.fixture(scope="module")
def written() -> Iterator[Path]:
    """The folder of a writer that was killed after its last transaction: all of it is in the log."""
    with memory_folder() as folder:
        write(folder, 1)
        yield folder / "1"


def frames(log: Path) -> Iterator[int]:
    """Where each frame of a log begins; that of the end is the last."""
    data = log.read_bytes()
    page = struct.unpack(">I", data[8:12])[0]
    return iter(range(32, len(data) + 1, 24 + page))


def copy_with(written: Path, folder: Path, log: bytes) -> None:
    folder.mkdir()
    shutil.copy(written / "history.db", folder / "history.db")
    (folder / "trees").symlink_to(written / "trees")
    (folder / "history.db-wal").write_bytes(log)


def test_a_log_cut_at_any_frame_leaves_the_first_transactions(written: Path, folder: Path) -> None:
    data = (written / "history.db-wal").read_bytes()
    found = []
    for frame in frames(written / "history.db-wal"):
        for more in (0, 1, 24, 1000):
            if frame + more <= len(data):
                copy_with(written, folder / f"{frame}-{more}", data[: frame + more])
                found.append(check(folder / f"{frame}-{more}"))
                shutil.rmtree(folder / f"{frame}-{more}")
    assert found == sorted(found) and found[-1] == TRANSACTIONS
    assert set(found) == set(range(found[0], TRANSACTIONS + 1))
    print(f"cut at {len(found)} places")


def test_a_log_with_a_flipped_byte_in_any_frame_leaves_the_first_transactions(written: Path, folder: Path) -> None:
    data = (written / "history.db-wal").read_bytes()
    found = []
    for number, frame in enumerate(list(frames(written / "history.db-wal"))[:-1]):
        bent = bytearray(data)
        bent[frame + (3, 9, 17, 24, 24 + 4095)[number % 5]] ^= 0x10
        copy_with(written, folder / str(frame), bytes(bent))
        found.append(check(folder / str(frame)))
        shutil.rmtree(folder / str(frame))
    assert found == sorted(found) and found[-1] < TRANSACTIONS
    print(f"flipped in {len(found)} frames")
