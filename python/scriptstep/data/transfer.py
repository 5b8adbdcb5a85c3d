"""Copying many files at once, near or far, with a word of how far it is."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from scriptstep.content import make_links
from scriptstep.errors import ContentError, UserErrorException
from scriptstep.records import dataclass

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = [
    "Job",
    "TransferCancelled",
    "aside",
    "cancel_when",
    "copy_jobs",
    "copy_whole",
    "files_in_words",
    "lay_out",
    "transfer",
]

# What takes no longer is done without a word.
_SILENT_S = 5.0
_CANCEL_POLL_S = 0.1
# What ext4 keeps in the inode; other file systems keep more.
_SHORT_LINK = 60
_LOCAL_THREADS = min(8, 2 * (os.cpu_count() or 1))

# Whether the transfers of this thread are to be given up; each thread has its own.
_is_cancelled: ContextVar[Callable[[], bool] | None] = ContextVar("is_cancelled", default=None)


class TransferCancelled(UserErrorException):
    """A transfer was given up, as somebody asked for."""


@dataclass(frozen=True)
class Job:
    """One file to be copied.

    Attributes:
        run: Copies it; is given an event that says, once it is set, that it is to be given up.
        size: In bytes.
    """

    run: Callable[[Event], None]
    size: int = 0


def cancel_when(is_cancelled: Callable[[], bool]) -> None:
    """Has the transfers that this thread starts from now on given up as soon as something holds.

    Args:
        is_cancelled: Is asked a few times a second.
    """
    _is_cancelled.set(is_cancelled)


def transfer(jobs: Sequence[Job], what: str, threads: int = _LOCAL_THREADS) -> None:
    """Does all jobs, several at a time; what takes longer tells how far it is, every five seconds.

    Args:
        jobs: The jobs.
        what: What they are, as the message begins, e.g. "download from datastore 'store'".
        threads: How many at a time.

    Raises:
        TransferCancelled: It was given up, as `cancel_when` of this thread says.
        Exception: What the first job that failed raised; those that had not begun are left.
    """
    if not jobs:
        return
    from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

    is_cancelled, given_up = _is_cancelled.get(), Event()
    told = time.monotonic()
    total = sum(job.size for job in jobs)
    pool = ThreadPoolExecutor(min(threads, len(jobs)), "scriptstep-transfer")
    try:
        sizes: dict[Future[None], int] = {pool.submit(job.run, given_up): job.size for job in jobs}
        waiting = set(sizes)
        while waiting:
            pause = _SILENT_S if is_cancelled is None else _CANCEL_POLL_S
            done, waiting = wait(waiting, timeout=pause, return_when=FIRST_EXCEPTION)
            for one in done:
                one.result()
            if waiting and is_cancelled is not None and is_cancelled():
                raise TransferCancelled(f"{what} was cancelled")
            if waiting and time.monotonic() - told >= _SILENT_S:
                told = time.monotonic()
                _tell(what, sizes, waiting, total)
    finally:
        # Ctrl-C, too, comes by here: what is under way ends at its next piece.
        given_up.set()
        pool.shutdown(cancel_futures=True)


def _tell(what: str, sizes: dict[Future[None], int], waiting: set[Future[None]], total: int) -> None:
    from scriptstep.console import notice
    from scriptstep.console.text import size

    done = len(sizes) - len(waiting)
    left = sum(sizes[one] for one in waiting)
    bytes_told = f" ({size(total - left)} of {size(total)})" if total else ""
    notice(f"{what}: {done:,} of {len(sizes):,}{bytes_told}", once=False)


def aside(target: Path) -> Path:
    """Returns: a free name beside a file, to make it under until it is whole; folders above it are made."""
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.with_name(f".{target.name[:200]}.{os.urandom(4).hex()}")


def copy_whole(file: Path | str, target: Path) -> None:
    """Copies a file so that a reader of the target sees the old one or the new one, whole.

    Args:
        file: The file.
        target: What it becomes; folders above it are made.
    """
    made = aside(target)
    try:
        shutil.copyfile(file, made)
        os.replace(made, target)
    finally:
        made.unlink(missing_ok=True)


def copy_jobs(pairs: Iterable[tuple[Path | str, Path]], what: str) -> list[Job]:
    """Makes the jobs that copy files on this machine, each whole.

    Args:
        pairs: File and target of each.
        what: What is done, for the message.

    Returns:
        The jobs; one that cannot copy its file raises `UserErrorException`.
    """

    def job(file: Path | str, target: Path) -> Job:
        def run(given_up: Event) -> None:
            try:
                copy_whole(file, target)
            except OSError as error:
                raise UserErrorException(f"{what}: {file} cannot be copied to {target}: {error.strerror}") from error

        return Job(run, os.path.getsize(file) if os.path.exists(file) else 0)

    return [job(file, target) for file, target in pairs]


def lay_out(files: Iterable[tuple[str, str]], folder: Path, *, beside: Path | None = None) -> list[str]:
    """Lays files out in a folder as links, all of them or none.

    Args:
        files: (relative name with `/`, file) of each.
        folder: The folder; made where it is not there.
        beside: A folder of ours, near it, that may be made for links to the files' own folders: through them the links
            themselves are short, and a short one takes half the time, since ext4 keeps it without a block of its own.

    Returns:
        The links.

    Raises:
        UserErrorException: Something lies in the way.
    """
    ways = _Ways(os.fspath(folder), beside)
    links: list[tuple[str, str]] = []
    for name, file in files:
        above, slash, last = name.rpartition("/")
        place, _, base = file.rpartition("/")
        links.append((f"{ways.root}{slash}{above}/{last}", f"{ways.to(place, above, base)}/{base}"))

    is_cancelled = _is_cancelled.get()

    def give_up(_files: int, _bytes: int) -> None:
        if is_cancelled is not None and is_cancelled():
            raise TransferCancelled(f"links in {folder}: cancelled")

    try:
        make_links(ways.folders, [*ways.links, *links], on_progress=give_up)
    except FileExistsError as error:
        raise UserErrorException(f"mount: {error}", help="mount into an empty folder") from None
    except ContentError as error:
        raise UserErrorException(f"mount: {error}") from None
    return [link for link, _ in links]


class _Ways:
    """What leads from a folder of links to the folders of the files; nothing of it is made yet.

    Args:
        root: The folder of links.
        beside: Where links to the folders of the files can be made; None for nowhere.

    Attributes:
        folders: The folders that are needed.
        links: (path, what it says) of the links to the folders of the files.
    """

    def __init__(self, root: str, beside: Path | None) -> None:
        self.root = root
        self._beside = beside
        self._back = "" if beside is None else os.path.relpath(beside, root)
        self.folders: list[str] = []
        self.links: list[tuple[str, str]] = []
        self._known: dict[tuple[str, str], str] = {}
        self._real: dict[str, str] = {"": ""}

    def to(self, place: str, above: str, name: str) -> str:
        """Finds a way.

        Args:
            place: The folder of the files.
            above: The folder below the root that holds the links.
            name: One of the files: a way is short where its link would be long.
        """
        way = self._known.get((place, above))
        if way is None:
            self.folders.append(os.path.join(self.root, above))
            way = self._known[place, above] = self._found(self._real_of(place), above, name)
        return way

    def _found(self, real: str, above: str, name: str) -> str:
        if self._beside is None or len(os.fsencode(f"{real}/{name}")) < _SHORT_LINK:
            return real
        beside, number = os.fspath(self._beside), f"{len(self._known):x}"
        if not self.links:
            self.folders.append(beside)
        self.links.append((f"{beside}/{number}", real))
        back = "../" * (above.count("/") + 1) if above else ""
        return f"{back}{self._back}/{number}"

    def _real_of(self, place: str) -> str:
        """Returns: a folder without links on the way to it; one call for each folder, where `realpath` makes many."""
        below: list[str] = []
        at = place
        while at not in self._real:
            above, slash, name = at.rpartition("/")
            if not slash or name in ("", ".", "..") or os.path.islink(at):
                self._real[at] = os.path.realpath(at)
            else:
                below.append(at)
                at = above
        for folder in reversed(below):
            above, _, name = folder.rpartition("/")
            self._real[folder] = f"{self._real[above]}/{name}"
        return self._real[place]


def files_in_words(count: int) -> str:
    """Returns: a count of files, e.g. `1 file`, `1,204 files`."""
    return "1 file" if count == 1 else f"{count:,} files"
