"""The history when things go wrong: other processes, a killed writer, a damaged file, a read-only folder."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from scriptstep.errors import HistoryDamaged, WorkspaceException
from scriptstep.history import History, RunRow, WorkspaceRow, file_system
from scriptstep.history.schema import VERSION

PRELUDE = """
import os, sys, time
from pathlib import Path
from scriptstep.history import History, MetricRow, RunRow, WorkspaceRow
path = Path(sys.argv[1])
def a_run(id):
    return RunRow(id, "w", "e", "pipeline", id)
"""


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts another process that has the history module, and `path` of the database; none outlives its test."""
    processes: list[subprocess.Popen[str]] = []

    def start(code: str, path: Path, *more: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", PRELUDE + dedent(code), str(path), *more],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def finish(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


@pytest.fixture
def filled(path: Path) -> Path:
    """A history with enough in it to damage in the middle."""
    history = History(path)
    history.add_workspace(WorkspaceRow("w", "s", "g", "l"))
    with history.transaction():
        for i in range(300):
            history.add_run(RunRow(f"run-{i:04}", "w", "e", "pipeline", f"name {i}", details={"text": "x" * 200}))
    history.close()
    return path


# --- other processes


def test_processes_write_side_by_side(path: Path, start: Start) -> None:
    code = """
    history = History(path)
    for i in range(100):
        with history.transaction():
            history.add_run(a_run(f"{sys.argv[2]}{i}"))
            history.set_tags(f"{sys.argv[2]}{i}", {"n": i})
    """
    for process in [start(code, path, letter) for letter in "abc"]:
        finish(process)
    history = History(path)
    runs = history.runs()
    assert sorted(r.number for r in runs) == list(range(1, 301))
    assert all(history.tags(r.id) == {"n": r.id[1:]} for r in runs)
    history.close()


def test_processes_that_come_first_make_one_history(path: Path, start: Start) -> None:
    code = """
    sys.stdin.readline()
    history = History(path)
    history.add_run(a_run(sys.argv[2]))
    assert history.damaged is None
    """
    processes = [start(code, path, str(i)) for i in range(6)]
    for process in processes:
        tell(process)
    for process in processes:
        finish(process)
    history = History(path)
    assert len(history.runs()) == 6
    history.close()


def test_a_reader_sees_what_another_process_writes(path: Path, start: Start) -> None:
    writer = History(path)
    writer.add_run(RunRow("r", "w", "e", "pipeline", "r"))
    code = """
    history = History(path, read_only=True)
    print(len(history.runs()), flush=True)
    sys.stdin.readline()
    print(len(history.runs()), flush=True)
    """
    with writer.transaction():
        writer.add_run(RunRow("not yet", "w", "e", "pipeline", "r"))
        process = start(code, path)
        assert line_of(process) == "1"
    tell(process)
    assert finish(process).strip() == "2"
    writer.close()


def test_a_reader_writes_nothing(path: Path) -> None:
    History(path).add_run(RunRow("r", "w", "e", "pipeline", "r"))
    reader = History(path, read_only=True)
    with pytest.raises(WorkspaceException, match="reading only"):
        reader.set_tags("r", {"a": "b"})
    assert reader.run("r") is not None
    reader.close()


def test_a_reader_of_nothing_says_so(path: Path) -> None:
    with pytest.raises(WorkspaceException, match="no history"):
        History(path, read_only=True).runs()
    assert not path.exists()


def test_waiting_for_another_writer_ends(path: Path, start: Start) -> None:
    History(path).add_run(RunRow("r", "w", "e", "pipeline", "r"))
    code = """
    history = History(path)
    with history.transaction():
        history.add_run(a_run("held"))
        print("holding", flush=True)
        sys.stdin.readline()
    """
    process = start(code, path)
    assert line_of(process) == "holding"
    history = History(path, busy_s=0.3)
    began = time.monotonic()
    with pytest.raises(WorkspaceException, match="another process has been writing"):
        history.add_run(RunRow("late", "w", "e", "pipeline", "late"))
    assert 0.2 < time.monotonic() - began < 10
    assert len(history.runs()) == 1, "reading does not wait for a writer"
    tell(process)
    finish(process)
    history.add_run(RunRow("late", "w", "e", "pipeline", "late"))
    assert {r.id for r in history.runs()} == {"r", "held", "late"}
    history.close()


def test_a_killed_writer_leaves_what_it_had_committed(path: Path, start: Start) -> None:
    code = """
    history = History(path)
    i = 0
    while True:
        with history.transaction():
            history.add_run(a_run(f"r{i}"))
            history.set_tags(f"r{i}", {"n": i})
        print(i, flush=True)
        i += 1
    """
    for _ in range(3):
        process = start(code.replace("i = 0", "i = len(history.runs())"), path)
        last = [int(line_of(process)) for _ in range(30)][-1]
        process.send_signal(signal.SIGKILL)
        process.communicate()
        history = History(path)
        assert history.damaged is None
        assert {f"r{i}" for i in range(last + 1)} <= {r.id for r in history.runs()}
        assert all(history.tags(r.id) for r in history.runs()), "a run without its tag is half a transaction"
        history.close()


def test_a_writer_killed_in_a_transaction_leaves_nothing_of_it(path: Path, start: Start) -> None:
    code = """
    history = History(path)
    history.add_run(a_run("whole"))
    with history.transaction():
        for i in range(500):
            history.add_run(a_run(f"r{i}"))
        print("deep in it", flush=True)
        time.sleep(60)
    """
    process = start(code, path)
    assert line_of(process) == "deep in it"
    process.kill()
    process.communicate()
    history = History(path)
    assert [r.id for r in history.runs()] == ["whole"]
    history.add_run(RunRow("next", "w", "e", "pipeline", "next"))
    history.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_a_connection_of_its_own(path: Path) -> None:
    history = History(path)
    history.add_run(RunRow("parent", "w", "e", "pipeline", "p"))
    child = os.fork()
    if child == 0:
        status = 1
        try:
            history.add_run(RunRow("child", "w", "e", "pipeline", "c"))
            status = 0 if len(history.runs()) == 2 else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert {r.id for r in history.runs()} == {"parent", "child"}
    history.close()


# --- a damaged file


def garbage_everywhere(path: Path) -> None:
    path.write_bytes(os.urandom(path.stat().st_size))


def garbage_in_the_middle(path: Path) -> None:
    with path.open("r+b") as file:
        # The last pages hold rows; those that describe the tables lie before them.
        pages = path.stat().st_size // 4096
        for page in range(pages - 20, pages, 2):
            file.seek(page * 4096)
            file.write(os.urandom(4096))


def cut_in_half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def cut_to_the_header(path: Path) -> None:
    os.truncate(path, 60)


def not_a_database(path: Path) -> None:
    path.write_text("runs: []\n")


def of_another_program(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.close()


def without_a_table(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE acknowledgements")
    connection.close()


def of_no_version(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE schema SET version = 'one'")
    connection.close()


DAMAGE: list[Callable[[Path], None]] = [
    garbage_everywhere,
    garbage_in_the_middle,
    cut_in_half,
    cut_to_the_header,
    not_a_database,
    of_another_program,
    without_a_table,
    of_no_version,
]


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda d: d.__name__)
def test_a_damaged_database_is_set_aside_and_said(filled: Path, damage: Callable[[Path], None]) -> None:
    damage(filled)
    before = filled.read_bytes()
    history = History(filled)
    assert history.damaged == filled.with_name("history.db.damaged-1")
    assert history.damaged.read_bytes() == before, "what was there is kept as it was"
    assert history.runs() == []
    history.add_run(RunRow("new", "w", "e", "pipeline", "new"))
    history.close()
    again = History(filled)
    assert again.damaged is None
    assert [r.id for r in again.runs()] == ["new"]
    again.close()


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda d: d.__name__)
def test_a_reader_of_a_damaged_database_leaves_it(filled: Path, damage: Callable[[Path], None]) -> None:
    damage(filled)
    before = filled.read_bytes()
    reader = History(filled, read_only=True)
    with pytest.raises(HistoryDamaged, match=r"history\.db"):
        reader.runs()
    reader.close()
    assert filled.read_bytes() == before


def test_each_damaged_database_is_kept(filled: Path) -> None:
    for n in (1, 2, 3):
        not_a_database(filled)
        history = History(filled)
        assert history.damaged == filled.with_name(f"history.db.damaged-{n}")
        history.close()


def test_several_processes_set_a_damaged_database_aside_once(filled: Path, start: Start) -> None:
    garbage_everywhere(filled)
    code = """
    sys.stdin.readline()
    history = History(path)
    history.add_run(a_run(sys.argv[2]))
    """
    processes = [start(code, filled, str(i)) for i in range(5)]
    for process in processes:
        tell(process)
    for process in processes:
        finish(process)
    assert sorted(p.name for p in filled.parent.glob("*.damaged-*")) == ["history.db.damaged-1"]
    history = History(filled)
    assert len(history.runs()) == 5
    history.close()


def test_damage_met_while_working_is_said_and_found_at_the_next_opening(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scriptstep.history import database

    # As for a database too large to be checked whole at each opening.
    monkeypatch.setattr(database, "_CHECKED_ALWAYS", 0)
    garbage_in_the_middle(filled)
    history = History(filled)
    with pytest.raises(HistoryDamaged, match="run again"):
        history.runs()
    history.close()
    again = History(filled)
    assert again.damaged is not None
    assert again.runs() == []
    again.close()


def test_a_log_that_was_deleted_leaves_a_readable_history(filled: Path, start: Start) -> None:
    code = """
    history = History(path)
    history.add_run(a_run("in the log"))
    print("written", flush=True)
    time.sleep(60)
    """
    process = start(code, filled)
    assert line_of(process) == "written"
    process.kill()
    process.communicate()
    filled.with_name("history.db-wal").unlink()
    filled.with_name("history.db-shm").unlink()
    history = History(filled)
    assert history.damaged is None
    assert len(history.runs()) == 300, "what was checkpointed is there, the rest is gone, and nothing is half there"
    history.close()


def test_a_database_of_a_newer_version_is_refused_and_left(filled: Path) -> None:
    with sqlite3.connect(filled) as connection:
        connection.execute("UPDATE schema SET version = ?", (VERSION + 1,))
    connection.close()
    before = filled.read_bytes()
    for read_only in (False, True):
        with pytest.raises(WorkspaceException, match="newer scriptstep"):
            History(filled, read_only=read_only).runs()
    assert filled.read_bytes() == before
    assert not list(filled.parent.glob("*.damaged-*"))


def test_a_database_of_an_older_version_is_not_read_as_though_it_were_of_this_one(filled: Path) -> None:
    with sqlite3.connect(filled) as connection:
        connection.execute("UPDATE schema SET version = 1")
    connection.close()
    with pytest.raises(WorkspaceException, match="of version 1") as refused:
        History(filled, read_only=True).runs()
    assert "write permission" in str(refused.value)


def test_an_empty_file_is_a_new_history(path: Path) -> None:
    path.touch()
    history = History(path)
    assert history.damaged is None
    assert history.runs() == []
    history.close()


# --- folders and file systems


def as_another_user(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs code that may not write what this user made: as `nobody` where this is root, else as this user."""
    # All that is imported is imported first: the interpreter itself may lie where nobody may look.
    become = (
        "import sqlite3, encodings.idna, errno\nif os.geteuid() == 0:\n    os.setgid(65534)\n    os.setuid(65534)\n"
    )
    return subprocess.run(
        [sys.executable, "-c", PRELUDE + become + dedent(code), *arguments], capture_output=True, text=True, timeout=60
    )


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may look into; pytest's own are for one user alone."""
    folder = Path(tempfile.mkdtemp(prefix="scriptstep-test-"))
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_a_folder_that_cannot_be_written_is_one_clear_error(open_folder: Path) -> None:
    open_folder.chmod(0o555)
    done = as_another_user(
        """
        from scriptstep.errors import WorkspaceException
        try:
            History(path).runs()
        except WorkspaceException as error:
            print(error)
        """,
        str(open_folder / "history.db"),
    )
    assert "cannot be written" in done.stdout, done.stderr
    assert "SCRIPTSTEP_HOME" in done.stdout
    assert list(open_folder.iterdir()) == []


def test_a_history_is_read_where_nothing_can_be_written(open_folder: Path) -> None:
    path = open_folder / "history.db"
    history = History(path)
    history.add_run(RunRow("r", "w", "e", "pipeline", "r"))
    history.close()
    path.chmod(0o444)
    open_folder.chmod(0o555)
    done = as_another_user("print([r.id for r in History(path, read_only=True).runs()])", str(path))
    assert done.stdout.strip() == "['r']", done.stderr
    done = as_another_user(
        """
        from scriptstep.errors import WorkspaceException
        try:
            History(path).add_run(a_run("x"))
        except WorkspaceException as error:
            print(error)
        """,
        str(path),
    )
    assert "cannot be written" in done.stdout, done.stderr


MOUNTS = r"""
22 1 0:21 / / rw,relatime - ext4 /dev/vda rw
30 22 0:30 / /home rw - nfs4 server:/home rw
31 30 0:31 / /home/local rw - xfs /dev/vdb rw
32 22 0:32 / /mnt/with\040space rw - fuse.sshfs me@there rw
33 22 0:33 / /mnt/disk rw - fuseblk /dev/sdc rw
34 22 0:34 / /stacked rw - ext4 /dev/vdd rw
35 22 0:35 / /stacked rw - cifs //server/share rw
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the table of mounts is Linux's")
@pytest.mark.parametrize(
    ("place", "remote"),
    [
        ("/data/x", False),
        ("/home/me/p", True),
        ("/home/local/p", False),
        ("/homestead/p", False),
        ("/mnt/with space/p", True),
        ("/mnt/disk/p", False),
        ("/stacked/p", True),
    ],
)
def test_a_network_file_system_is_known_by_its_mount(tmp_path: Path, place: str, remote: bool) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS.lstrip())
    assert file_system.is_remote(Path(place), mounts) is remote


def test_an_unreadable_table_of_mounts_is_no_error(tmp_path: Path) -> None:
    assert file_system.is_remote(tmp_path, tmp_path / "none") is False


def test_no_log_is_kept_on_a_network_file_system(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def mode() -> str:
        connection = sqlite3.connect(path)
        found = connection.execute("PRAGMA journal_mode").fetchone()[0]
        connection.close()
        return str(found)

    local = History(path)
    local.add_run(RunRow("a", "w", "e", "pipeline", "a"))
    local.close()
    assert mode() == "wal"
    monkeypatch.setattr(file_system, "is_remote", lambda path: True)
    remote = History(path)
    remote.add_run(RunRow("b", "w", "e", "pipeline", "b"))
    remote.close()
    assert mode() == "delete"
    path.unlink()
    fresh = History(path)
    fresh.add_run(RunRow("c", "w", "e", "pipeline", "c"))
    fresh.close()
    assert mode() == "delete"


def test_what_lies_beside_the_database_is_for_its_owner_alone(path: Path) -> None:
    history = History(path)
    history.add_run(RunRow("r", "w", "e", "pipeline", "r"))
    for name in ("history.db", "history.db-wal", "history.db-shm"):
        assert stat.S_IMODE((path.parent / name).stat().st_mode) == 0o600, name
    history.close()
