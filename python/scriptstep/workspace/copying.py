"""Copying files to and from datastores."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

from scriptstep.errors import UserErrorException

__all__ = ["copy_each", "copy_whole", "files_below", "files_in_words", "say"]


def files_below(root: Path) -> Iterator[Path]:
    """Yields: the files of a folder, by name; links to folders are not followed."""
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            if (file := Path(folder) / name).is_file():
                yield file


def copy_whole(file: Path, target: Path) -> None:
    """Copies a file so that a reader of the target sees the old one or the new one, whole.

    Args:
        file: The file.
        target: What it becomes; folders above it are made.
    """
    aside = target.with_name(f".{target.name[:200]}.{uuid.uuid4().hex[:8]}")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(file, aside)
        os.replace(aside, target)
    finally:
        aside.unlink(missing_ok=True)


def copy_each(pairs: Iterable[tuple[Path, Path]], overwrite: bool, what: str) -> tuple[int, list[str]]:
    """Copies files one by one, each whole.

    Args:
        pairs: File and target of each.
        overwrite: Whether targets that are there are replaced.
        what: What is done, for the message.

    Returns:
        How many were copied, and the names of those that were there already and were left.

    Raises:
        UserErrorException: A file cannot be copied.
    """
    copied, left = 0, []
    for file, target in pairs:
        if target.exists() and not overwrite:
            left.append(target.name)
            continue
        try:
            copy_whole(file, target)
        except OSError as error:
            raise UserErrorException(f"{what}: {file} cannot be copied to {target}: {error.strerror}") from error
        copied += 1
    return copied, left


def say(text: str, left: list[str]) -> None:
    """Tells what was copied, and what was left."""
    from scriptstep.console import notice

    if left:
        named = ", ".join(left[:3]) + (" ..." if len(left) > 3 else "")
        text += f"; {len(left)} were there already and were left ({named})"
    notice(text, help="overwrite=True replaces them" if left else None, once=False)


def files_in_words(count: int) -> str:
    """Returns: a count of files, e.g. `1 file`, `1,204 files`."""
    return "1 file" if count == 1 else f"{count:,} files"
