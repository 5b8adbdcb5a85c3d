"""Copying many files at once, near or far, with a word of how far it is."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from scriptstep.errors import UserErrorException

__all__ = ["Job", "aside", "copy_jobs", "copy_whole", "files_in_words", "lay_out", "transfer"]

# What takes no longer is done without a word.
_SILENT_S = 5.0
_LINKS_A_JOB = 1_000
_LOCAL_THREADS = min(8, 2 * (os.cpu_count() or 1))


@dataclass(frozen=True)
class Job:
    """One file to be copied.

    Attributes:
        run: Copies it.
        size: In bytes.
    """

    run: Callable[[], None]
    size: int = 0


def transfer(jobs: Sequence[Job], what: str, threads: int = _LOCAL_THREADS) -> None:
    """Does all jobs, several at a time; what takes longer tells how far it is, every five seconds.

    Args:
        jobs: The jobs.
        what: What they are, as the message begins, e.g. "download from datastore 'store'".
        threads: How many at a time.

    Raises:
        Exception: What the first job that failed raised; those that had not begun are left.
    """
    if len(jobs) < 2:
        for job in jobs:
            job.run()
        return
    told = time.monotonic()
    total = sum(job.size for job in jobs)
    pool = ThreadPoolExecutor(min(threads, len(jobs)), "scriptstep-transfer")
    try:
        sizes: dict[Future[None], int] = {pool.submit(job.run): job.size for job in jobs}
        waiting = set(sizes)
        while waiting:
            done, waiting = wait(waiting, timeout=_SILENT_S, return_when=FIRST_EXCEPTION)
            for one in done:
                one.result()
            if waiting and time.monotonic() - told >= _SILENT_S:
                told = time.monotonic()
                _tell(what, sizes, waiting, total)
    finally:
        pool.shutdown(cancel_futures=True)


def _tell(what: str, sizes: dict[Future[None], int], waiting: set[Future[None]], total: int) -> None:
    from scriptstep.console import notice
    from scriptstep.console.text import size

    done = len(sizes) - len(waiting)
    left = sum(sizes[one] for one in waiting)
    bytes_told = f" ({size(total - left)} of {size(total)})" if total else ""
    notice(f"{what}: {done:,} of {files_in_words(len(sizes))}{bytes_told}", once=False)


def aside(target: Path) -> Path:
    """Returns: a free name beside a file, to make it under until it is whole; folders above it are made."""
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.with_name(f".{target.name[:200]}.{uuid.uuid4().hex[:8]}")


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
        def run() -> None:
            try:
                copy_whole(file, target)
            except OSError as error:
                raise UserErrorException(f"{what}: {file} cannot be copied to {target}: {error.strerror}") from error

        return Job(run, os.path.getsize(file) if os.path.exists(file) else 0)

    return [job(file, target) for file, target in pairs]


def lay_out(files: Iterable[tuple[str, str]], folder: Path, made: list[str] | None = None) -> None:
    """Lays files out in a folder as links.

    Args:
        files: (relative name with `/`, file) of each.
        folder: The folder; made where it is not there.
        made: Gets each link as it is made.

    Raises:
        UserErrorException: Something lies in the way.
    """
    links: dict[str, list[tuple[str, str]]] = {}
    real: dict[str, str] = {}
    root = os.fspath(folder)
    for name, file in files:
        above, slash, last = name.rpartition("/")
        place, _, base = file.rpartition("/")
        if place not in real:
            real[place] = os.path.realpath(place or "/")
        links.setdefault(root + slash + above, []).append((last, f"{real[place]}/{base}"))
    for place_of_links in links:
        os.makedirs(place_of_links, exist_ok=True)

    def job(place: str, some: list[tuple[str, str]]) -> Job:
        def run() -> None:
            for last, target in some:
                link = f"{place}/{last}"
                try:
                    os.symlink(target, link)
                except FileExistsError:
                    raise UserErrorException(
                        f"mount: {link} is there already", help="mount into an empty folder"
                    ) from None
                if made is not None:
                    made.append(link)

        return Job(run)

    jobs = [job(p, s[n : n + _LINKS_A_JOB]) for p, s in links.items() for n in range(0, len(s), _LINKS_A_JOB)]
    transfer(jobs, f"links in {folder}")


def files_in_words(count: int) -> str:
    """Returns: a count of files, e.g. `1 file`, `1,204 files`."""
    return "1 file" if count == 1 else f"{count:,} files"
