"""What costs time only when it is lost: files fetched from afar, and what scans remember."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Literal

from scriptstep.data.held import alone_in
from scriptstep.records import dataclass

__all__ = ["CachedFile", "old_caches", "remove_caches"]

_REMOTE, _STAT = "remote", "stat"


@dataclass(frozen=True)
class CachedFile:
    """A file that is made again when it is missed.

    Attributes:
        kind: "remote" where it was fetched from a datastore, "stat" where a scan wrote it.
        path: Where it lies.
        bytes: What it takes of the disk.
    """

    kind: Literal["remote", "stat"]
    path: Path
    bytes: int


def old_caches(home: Path, age_s: float) -> list[CachedFile]:
    """Lists what was not read for long.

    Args:
        home: The state folder.
        age_s: For how long, in seconds.

    Returns:
        The files.
    """
    found: list[CachedFile] = []
    for path in _files(home / _STAT):
        # The one file that stays: by its times a scan tells what time it is.
        if path.name != "now":
            _add_old(found, "stat", path, age_s)
    for store in _folders(home / _REMOTE):
        # What was put there from here, and not fetched, is a few bytes each.
        for version in (folder for folder in _folders(store) if folder.name != "put"):
            for path in _files(version):
                _add_old(found, "remote", path, age_s)
    return found


def _add_old(found: list[CachedFile], kind: Literal["remote", "stat"], path: Path, age_s: float) -> None:
    try:
        stat = path.lstat()
    except OSError:
        return
    # Not the time of the last write alone: it is set on what was fetched, and stays while a file is read.
    if time.time() - max(stat.st_atime, stat.st_mtime, stat.st_ctime) >= age_s:
        found.append(CachedFile(kind, path, stat.st_blocks * 512))


def remove_caches(files: Iterable[CachedFile], home: Path) -> list[CachedFile]:
    """Removes what `old_caches` told of; where a process reads what was fetched from the same store, that stays.

    Args:
        files: What to remove.
        home: The state folder.

    Returns:
        What is gone.
    """
    files = list(files)
    gone = [file for file in files if file.kind == "stat" and _remove(file.path)]
    remote = [file for file in files if file.kind == "remote"]

    def store_of(file: CachedFile) -> Path:
        return home / _REMOTE / file.path.relative_to(home / _REMOTE).parts[0]

    for store, fetched in groupby(sorted(remote, key=lambda file: str(file.path)), key=store_of):
        with alone_in(store) as alone:
            if alone:
                gone += [file for file in fetched if _remove(file.path)]
    return gone


def _remove(path: Path) -> bool:
    try:
        path.unlink()
    except OSError:
        return False
    for above in path.parents:
        try:
            above.rmdir()
        except OSError:
            break
    return True


def _files(root: Path) -> list[Path]:
    return [Path(folder, name) for folder, _, names in os.walk(root) for name in names]


def _folders(root: Path) -> list[Path]:
    try:
        return [Path(entry.path) for entry in os.scandir(root) if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
