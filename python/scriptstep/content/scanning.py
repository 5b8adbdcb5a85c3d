"""Reading a directory: what it holds, what the ignore files leave out, and why."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from scriptstep import _core
from scriptstep.content.manifest import Manifest

__all__ = ["Explanation", "OnProgress", "PathLike", "Survey", "explain", "left_out", "scan"]

PathLike = str | os.PathLike[str]
# Called a few times a second with how many files were done, and how many bytes read; what it raises ends the work.
OnProgress = Callable[[int, int], object]

# From so many files or bytes on a directory is large.
_LARGE = (20_000, 1 << 30)


class Survey(NamedTuple):
    """What a directory would cost to read.

    Attributes:
        files: How many files.
        size: Their bytes.
        largest: Its ten largest entries with their bytes, the largest first; folders end in `/`.
    """

    files: int
    size: int
    largest: tuple[tuple[str, int], ...]


class Explanation(NamedTuple):
    """Why a path is content of a source directory, or is not.

    Attributes:
        kept: Whether the rules leave it in.
        decided: The path that was decided about: the one that was asked for, or a folder above it that is left out.
        kind: What decided: a rule; its name, which is never content; the virtual environment that it is; or none.
        file: The file of the rule, relative to the directory; `(built-in)` for the rules that hold everywhere.
        line: The rule's line in it, from 1.
        rule: The rule as it is written there.
    """

    kept: bool
    decided: bytes
    kind: Literal["none", "rule", "never", "environment"]
    file: bytes | None
    line: int | None
    rule: bytes | None


def scan(
    directory: PathLike,
    *,
    rules: Literal["git", "azureml"] | None = "git",
    cache: PathLike | None = None,
    cache_anywhere: bool = False,
    threads: int = 0,
    on_survey: Callable[[Survey], object] | None = None,
    survey_from: tuple[int, int] = _LARGE,
    on_progress: OnProgress | None = None,
) -> Manifest:
    """Reads a directory.

    The interpreter goes on meanwhile, and Ctrl-C ends it. Nothing is ever written to the directory.

    Args:
        directory: The directory; without rules it may be one file.
        rules: "git" for code: the regular files and links that its ignore files leave in, as git reads them.
            "azureml" for the files that the Azure ML SDK takes. None for outputs and data: all, empty folders too.
        cache: A folder to keep what was found in, so that unchanged files need not be read the next time; without it
            none is kept. It must lie on the same device.
        cache_anywhere: Use the cache on any file system. Unsafe: only ext4, XFS, Btrfs, APFS and NTFS are known to show
            each change of a file in its times.
        threads: How many; 0 for as many as there are cores.
        on_survey: Called once, before large files are read, where the directory holds more than `survey_from`.
        survey_from: Files, and bytes.
        on_progress: Called a few times a second with the files that are done and the bytes that were read.

    Returns:
        What it holds.

    Raises:
        UnreadableContent: Parts of it cannot be read; the message lists them all.
        RuleFileError: An ignore file cannot be used.
        SourceChanged: It went on changing while it was read.
        ContentError: It is no directory, or is not there.
    """

    def tell(files: int, size: int, largest: list[tuple[bytes, int]]) -> None:
        assert on_survey is not None
        on_survey(Survey(files, size, tuple((os.fsdecode(name), count) for name, count in largest)))

    how: _core._How = {
        "rules": rules or "none",
        "threads": threads,
        "cache": cache,
        "cache_anywhere": cache_anywhere,
        "survey_from": survey_from,
        "names_left_out": False,
    }
    found = _core.scan(directory, how, None if on_survey is None else tell, on_progress)
    return Manifest(found.manifest, found)


def stamps(directory: PathLike, names: Sequence[str]) -> list[str | None]:
    """Stamps files, for who keeps what he made of their bytes: one whose stamp is what it was holds what it held.

    Args:
        directory: A folder.
        names: Paths of files, relative to it.

    Returns:
        For each its stamp, empty where nothing is there; None where nothing is proved by it, for the file changed in
        the last minute, is a link, or lies on a file system that does not show each change of a file in its times.
    """
    return [None if stamp is None else stamp.hex() for stamp in _core.stamps(directory, list(names))]


def left_out(directory: PathLike) -> list[Explanation]:
    """Names what the ignore files of a source directory leave out, and why.

    Args:
        directory: The directory.

    Returns:
        What was decided about each, sorted by path; folders, which were not entered, end in `/`.

    Raises:
        ContentError: As of `scan`.
    """
    how: _core._How = {
        "rules": "git",
        "threads": 0,
        "cache": None,
        "cache_anywhere": False,
        "survey_from": _LARGE,
        "names_left_out": True,
    }
    found = _core.scan(directory, how, None, None)
    return [explain(directory, path)._replace(decided=path) for path in found.left_out]


def explain(directory: PathLike, path: str | bytes | os.PathLike[str]) -> Explanation:
    """Tells why a path is content of a source directory, or is not, as `git check-ignore -v` does.

    Args:
        directory: The directory.
        path: The path, relative to it; it need not be there. With a `/` at its end it is taken for a folder.

    Returns:
        What decided.

    Raises:
        RuleFileError: An ignore file cannot be used.
        ContentError: The directory cannot be read; the path is absolute, or has a `..` in it.
    """
    kept, decided, kind, rule = _core.explain(directory, os.fsencode(path))
    file, line, text = rule if rule is not None else (None, None, None)
    return Explanation(kept, decided, kind, file, line, text)
