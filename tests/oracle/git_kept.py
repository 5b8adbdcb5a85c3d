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
    home = repository.parent.parent / "home"
    where = [
        f"--git-dir={repository}",
        f"--work-tree={tree}",
        "-c",
        "core.ignoreCase=false",
        "-c",
        "core.quotePath=false",
    ]
    listed = _git(home, *where, "ls-files", "--others", "--exclude-standard", "-z", cwd=tree)
    return {path for path in listed.split(b"\0") if path}


def _git(home: Path, *arguments: str, cwd: Path | None = None) -> bytes:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment = {**kept, "HOME": str(home), "XDG_CONFIG_HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}
    done = subprocess.run(["git", *arguments], cwd=cwd, env=environment, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout
