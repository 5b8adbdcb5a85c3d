"""Asks the installed git what it keeps of a directory."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from pathlib import Path


@functools.cache
def git_version() -> tuple[int, int]:
    """The installed git's version; (0, 0) where there is none."""
    if shutil.which("git") is None:
        return (0, 0)
    found = re.search(r"(\d+)\.(\d+)", subprocess.run(["git", "version"], capture_output=True, text=True).stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def make_repository(folder: Path) -> Path:
    """Makes a repository that holds nothing and that several directories are asked of in turn.

    Returns:
        Its `.git` folder.
    """
    home = folder / "home"
    home.mkdir(parents=True)
    _git(home, "init", "--quiet", "--template=", str(folder / "repository"))
    return folder / "repository" / ".git"


def git_kept(repository: Path, tree: Path) -> set[bytes]:
    """Tells which files and links of a directory git would take in.

    Args:
        repository: What `make_repository` gave.
        tree: The directory; it holds no `.git`.

    Returns:
        Their paths below the directory.
    """
    listed = _git(_home(repository), *_where(repository, tree), *_LIST, cwd=tree)
    return {path for path in listed.split(b"\0") if path}


def git_reasons(repository: Path, tree: Path) -> dict[bytes, tuple[bytes, int, bytes] | None]:
    """Tells which rule git goes by for each file, link and folder of a directory.

    Args:
        repository: What `make_repository` gave.
        tree: The directory; it holds no `.git`.

    Returns:
        Path below the directory to the rule's file, line and text; None where no rule speaks of it.
    """
    root = os.fsencode(tree)
    paths = [
        os.path.relpath(os.path.join(folder, name), root)
        for folder, folders, files in os.walk(root)
        for name in [*folders, *files]
    ]
    asked = b"\0".join(paths) + b"\0"
    where = _where(repository, tree)
    said = _git(_home(repository), *where, *_EXPLAIN, cwd=tree, said=asked, codes=(0, 1)).split(b"\0")
    rows = zip(said[0::4], said[1::4], said[2::4], said[3::4], strict=False)
    return {path: (file, int(line), rule) if file else None for file, line, rule, path in rows}


_LIST = ("ls-files", "--others", "--exclude-standard", "-z")
_EXPLAIN = ("check-ignore", "--verbose", "--non-matching", "--no-index", "--stdin", "-z")


def _home(repository: Path) -> Path:
    return repository.parent.parent / "home"


def _where(repository: Path, tree: Path) -> list[str]:
    settings = ["-c", "core.ignoreCase=false", "-c", "core.quotePath=false"]
    return [f"--git-dir={repository}", f"--work-tree={tree}", *settings]


def _git(
    home: Path, *arguments: str, cwd: Path | None = None, said: bytes = b"", codes: tuple[int, ...] = (0,)
) -> bytes:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment = {**kept, "HOME": str(home), "XDG_CONFIG_HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}
    done = subprocess.run(["git", *arguments], cwd=cwd, env=environment, capture_output=True, timeout=60, input=said)
    assert done.returncode in codes, done.stderr
    return done.stdout
