"""The database file of the history: opened late, shared between threads, mended when it is damaged.

A write-ahead log keeps readers and the writer out of each other's way; a killed writer leaves what it had committed.
Nothing is flushed to the disk for a commit: a power cut may take the last transactions, never the database.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from scriptstep.errors import HistoryDamaged, NotRegisteredError, WorkspaceException
from scriptstep.history import file_system
from scriptstep.history.schema import MIGRATIONS, SCHEMA, TABLES, VERSION

if TYPE_CHECKING:
    import sqlite3

__all__ = ["Database"]

# A whole check reads the whole file; a larger one is checked when an error, in any process, has cast doubt on it.
_CHECKED_ALWAYS = 4 * 1024 * 1024
_CORRUPT = ("malformed", "not a database", "file is encrypted", "unsupported file format", "malformed database schema")
# Connections of a process that this one was forked from: closing one here could break its locks there.
_abandoned: list[object] = []

# What of the file is kept in memory at most; a run of many steps touches few pages many times.
_CACHE_KIB = 32 * 1024

T = TypeVar("T")


class Database:
    """One database file, a connection with a lock, and one to read by while another thread has that.

    Args:
        path: The file; its folder must be there. Nothing is opened before it is needed.
        read_only: Never write; the file must be there.
        busy_s: How long to wait for another process that is writing, seconds: longer than any of ours takes, so that
            the result of a step is not lost for it.
    """

    def __init__(self, path: Path, *, read_only: bool = False, busy_s: float = 90.0) -> None:
        self.path = Path(path)
        self.read_only = read_only
        self._busy_s = busy_s
        self._damaged: Path | None = None
        self._forget()

    def _forget(self) -> None:
        self._lock, self._reader_lock = threading.RLock(), threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._depth = 0
        self._pid = os.getpid()

    @property
    def damaged(self) -> Path | None:
        """Where a database that could not be read was set aside when this one was opened; None where none was."""
        with self._lock:
            self._open()
        return self._damaged

    def close(self) -> None:
        """Closes the file; it is opened again when it is needed."""
        if self._pid != os.getpid():
            self._leave_to_parent()
            return
        with self._lock, self._reader_lock:
            # The last one to close takes the log into the file, which one that only reads cannot do.
            if self._reader is not None:
                self._reader.close()
                self._reader = None
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.close()

    def sync(self) -> None:
        """Brings what was committed onto the disk, so that a power cut does not take it."""
        with self._guarded() as connection:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def copy_to(self, path: Path) -> None:
        """Writes all that was committed up to now into a new file, whoever writes meanwhile.

        Args:
            path: The file.
        """
        import sqlite3

        with self._guarded() as connection, contextlib.closing(sqlite3.connect(path)) as copy:
            connection.backup(copy)

    def _write_all(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """Executes one statement for each of some rows: all of them, or none."""
        rows = list(rows)
        if not rows:
            self.check_writable()
            return
        with self._guarded() as connection:
            try:
                with self.transaction():
                    connection.executemany(statement, rows)
            except UnicodeEncodeError:
                with self.transaction():
                    for values in rows:
                        _execute(connection, statement, values)

    def check_writable(self) -> None:
        """Raises where nothing can be written.

        Raises:
            WorkspaceException: It is open for reading only.
        """
        if self.read_only:
            raise WorkspaceException(
                f"the history {self.path} is open for reading only",
                help=f"give yourself write permission for {self.path.parent}, or set SCRIPTSTEP_HOME to a folder that "
                "you can write to",
            )

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Makes many writes one: all of them are kept, or, where an exception leaves the block, none.

        One within another can fail alone.

        Yields:
            Nothing.

        Raises:
            WorkspaceException: Another process went on writing, the disk is full, or the like.
        """
        self.check_writable()
        with self._guarded() as connection:
            name = f"inner_{self._depth}"
            connection.execute(f"SAVEPOINT {name}" if self._depth else "BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                # A full disk ends the transaction by itself.
                if connection.in_transaction:
                    connection.execute(f"ROLLBACK TO {name}" if self._depth else "ROLLBACK")
                    if self._depth:
                        connection.execute(f"RELEASE {name}")
                raise
            self._depth -= 1
            connection.execute(f"RELEASE {name}" if self._depth else "COMMIT")

    def _read(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """Executes one statement that reads: a thread sees what it wrote itself, and waits for no other that writes."""
        if self._pid != os.getpid():
            self._leave_to_parent()
        is_first = self._connection is None or self.read_only
        if is_first or self._lock.acquire(blocking=False):
            try:
                with self._lock:
                    return self._fetched(self._open(), statement, values)
            finally:
                if not is_first:
                    self._lock.release()
        with self._reader_lock:
            return self._fetched(None, statement, values)

    def _read_one(self, statement: str, values: Sequence[Any] = ()) -> Any:
        found = self._read(statement, values)
        return found[0] if found else None

    def _fetched(self, connection: sqlite3.Connection | None, statement: str, values: Sequence[Any]) -> list[Any]:
        """Returns: the rows, read by a connection, or by the one that is there for reading only."""
        try:
            if connection is None:
                connection = self._reader = self._reader or self._connect("mode=ro")
            return _execute(connection, statement, values).fetchall()
        except Exception as error:
            import sqlite3

            if isinstance(error, sqlite3.Error):
                raise self._told(error) from error
            raise

    def _write(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        self.check_writable()
        with self._guarded() as connection:
            return _execute(connection, statement, values)

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[sqlite3.Connection]:
        import sqlite3

        if self._pid != os.getpid():
            self._leave_to_parent()
        with self._lock:
            connection = self._open()
            try:
                yield connection
            except sqlite3.Error as error:
                raise self._told(error) from error

    def _leave_to_parent(self) -> None:
        _abandoned.extend((self._connection, self._reader))
        self._forget()

    def _told(self, error: sqlite3.Error) -> Exception:
        """Returns: an SQLite error in the words of a user."""
        text = str(error)
        if _is_corrupt(error):
            # The next one that opens it looks closer, and sets it aside.
            with contextlib.suppress(OSError):
                self._suspicion.touch()
            return HistoryDamaged(
                f"the history database {self.path} cannot be read: {text}",
                help="run again: it is then set aside, and a new one begun",
            )
        if "FOREIGN KEY" in text:
            return NotRegisteredError(f"the history {self.path} has no such run or definition")
        if "UNIQUE" in text:
            return WorkspaceException(f"the history {self.path} has that already: {text}")
        if "locked" in text or "busy" in text:
            return WorkspaceException(
                f"another process has been writing the history {self.path} for {self._busy_s:g} s",
                help="see what it is doing, and run again",
            )
        if "full" in text:
            return WorkspaceException(f"no space is left for the history {self.path}", help="free some, and run again")
        return WorkspaceException(f"the history {self.path} cannot be used: {text}")

    @property
    def _suspicion(self) -> Path:
        return self.path.with_name(self.path.name + "-suspect")

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            import sqlite3

            try:
                self._connection = self._open_to_read() if self.read_only else self._open_to_write()
            except sqlite3.Error as error:
                raise self._told(error) from error
        return self._connection

    def _open_to_read(self) -> sqlite3.Connection:
        if not self.path.is_file():
            raise WorkspaceException(f"there is no history at {self.path}", help="run a pipeline first")
        import sqlite3

        try:
            connection = self._connect("mode=ro")
            state = _state(connection)
        except sqlite3.OperationalError:
            # A log needs a file beside it; where none can be made, and no log is there, the file is all there is.
            if self.path.with_name(self.path.name + "-wal").exists():
                raise
            connection = self._connect("mode=ro&immutable=1")
            state = _state(connection)
        if state is not None:
            connection.close()
            raise HistoryDamaged(f"the history database {self.path} cannot be read: {state or 'it is empty'}")
        if (version := _version(connection)) < VERSION:
            connection.close()
            raise WorkspaceException(
                f"the history {self.path} is of version {version}, and is read once it was made one of {VERSION}",
                help=f"run a pipeline there, or `scriptstep runs`, with write permission for {self.path.parent}",
            )
        return connection

    def _open_to_write(self) -> sqlite3.Connection:
        connection, _ = self._checked()
        if connection is None:
            # Creating and setting aside happen under a lock, and what was seen before it is looked at again.
            with self._alone():
                connection, fault = self._checked()
                if connection is None:
                    if fault:
                        self._damaged = self._set_aside()
                    connection = self._create()
        if _version(connection) < VERSION:
            with self._alone():
                _migrate(connection)
        remote = file_system.is_remote(self.path)
        if remote:
            _retried(lambda: connection.execute("PRAGMA journal_mode = DELETE"), self._busy_s)
        connection.execute(f"PRAGMA synchronous = {'FULL' if remote else 'NORMAL'}")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        return connection

    def _connect(self, how: str) -> sqlite3.Connection:
        import sqlite3

        connection = sqlite3.connect(
            f"{self.path.absolute().as_uri()}?{how}",
            uri=True,
            timeout=self._busy_s,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    def _checked(self) -> tuple[sqlite3.Connection | None, str]:
        """Opens the file that is there.

        Returns:
            The connection, or None and what is wrong with the file: "" where there is none, or it is empty.
        """
        import sqlite3

        if not self.path.is_file():
            return None, ""
        if not os.access(self.path, os.R_OK | os.W_OK):
            raise WorkspaceException(
                f"the history {self.path} cannot be written", help="see who owns it, or set SCRIPTSTEP_HOME"
            )
        connection = self._connect("mode=rw")
        try:
            fault = _state(connection)
            if fault is None and (self.path.stat().st_size <= _CHECKED_ALWAYS or self._suspicion.exists()):
                said = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
                fault = None if said == "ok" else str(said)
                if fault is None:
                    self._suspicion.unlink(missing_ok=True)
        except BaseException as error:
            connection.close()
            if isinstance(error, sqlite3.Error) and _is_corrupt(error):
                return None, str(error)
            raise
        if fault is None:
            return connection, ""
        connection.close()
        return None, fault

    def _create(self) -> sqlite3.Connection:
        # SQLite gives the files beside it the permissions of this one.
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        connection = self._connect("mode=rw")
        if not file_system.is_remote(self.path):
            _retried(lambda: connection.execute("PRAGMA journal_mode = WAL"), self._busy_s)
        connection.execute("BEGIN IMMEDIATE")
        for statement in SCHEMA.split(";\n"):
            if statement.strip():
                connection.execute(statement)
        connection.execute("INSERT INTO schema VALUES (?)", (VERSION,))
        connection.execute("COMMIT")
        return connection

    def _set_aside(self) -> Path:
        n = 1
        while (aside := self.path.with_name(f"{self.path.name}.damaged-{n}")).exists():
            n += 1
        for ending in ("-wal", "-shm", ""):
            with contextlib.suppress(FileNotFoundError):
                os.replace(f"{self.path}{ending}", f"{aside}{ending}")
        self._suspicion.unlink(missing_ok=True)
        return aside

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keeps other processes from creating or setting aside; a killed one leaves the lock to the next."""
        import sqlite3

        path = self.path.with_name(self.path.name + "-lock")
        # Whoever else could open it could keep us waiting.
        with contextlib.suppress(OSError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        try:
            lock = sqlite3.connect(path, timeout=self._busy_s, isolation_level=None)
            _retried(lambda: lock.execute("BEGIN EXCLUSIVE"), self._busy_s)
        except sqlite3.OperationalError as error:
            if "unable to open" not in str(error) and "readonly" not in str(error):
                raise
            raise WorkspaceException(
                f"the history {self.path} cannot be written", help="see who owns its folder, or set SCRIPTSTEP_HOME"
            ) from error
        try:
            yield
        finally:
            lock.close()


def _execute(connection: sqlite3.Connection, statement: str, values: Sequence[Any]) -> sqlite3.Cursor:
    try:
        return connection.execute(statement, values)
    except UnicodeEncodeError:
        # Names may hold bytes that are no Unicode; they are kept as they are shown.
        spelled = [v.encode("utf-8", "backslashreplace").decode() if isinstance(v, str) else v for v in values]
        return connection.execute(statement, spelled)


def _state(connection: sqlite3.Connection) -> str | None:
    """Returns: None for a history that this version reads, "" for an empty file, else what is wrong.

    Raises:
        WorkspaceException: A newer version wrote it.
    """
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables - {"sqlite_sequence"}:
        return ""
    if "schema" not in tables:
        return "it is a database of something else"
    rows = connection.execute("SELECT * FROM schema").fetchall()
    if len(rows) != 1 or len(rows[0]) != 1 or not isinstance(rows[0][0], int):
        return "its version cannot be read"
    if rows[0][0] > VERSION:
        raise WorkspaceException(
            f"the history is of version {rows[0][0]}, and this scriptstep reads up to {VERSION}",
            help="a newer scriptstep wrote it: use that one, or set SCRIPTSTEP_HOME to another folder",
        )
    later = {name for step in range(rows[0][0], VERSION) for name in _made_by(step)}
    if not tables >= TABLES - later:
        return "tables are missing"
    return None


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT version FROM schema").fetchone()[0])


def _made_by(version: int) -> list[str]:
    """Returns: the tables that come with the version after this one."""
    return re.findall(r"^CREATE TABLE (\w+)", "\n".join(MIGRATIONS.get(version, ())), re.MULTILINE)


def _migrate(connection: sqlite3.Connection) -> None:
    """Makes a history of an older version one of this; all of it or nothing, whoever else does it at the same time."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for version in range(_version(connection), VERSION):
            for statement in MIGRATIONS[version]:
                connection.execute(statement)
        connection.execute("UPDATE schema SET version = ?", (VERSION,))
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _is_corrupt(error: BaseException) -> bool:
    import sqlite3

    return isinstance(error, sqlite3.DatabaseError) and any(words in str(error) for words in _CORRUPT)


def _retried(attempt: Callable[[], T], limit_s: float) -> T:
    """Tries again what SQLite refuses without waiting: two connections that need the same lock file at once."""
    import sqlite3

    end = time.monotonic() + limit_s
    while True:
        try:
            return attempt()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(0.02)
