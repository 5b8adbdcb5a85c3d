"""What git says of source directories, asked while steps run: it is shown with a run, and is in no key."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess

__all__ = ["GitSources"]

# Nothing is written to the repository, and nothing that its settings name is started.
_GIT = ("git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
_ASKED = {
    "repository_uri": ("remote", "get-url", "origin"),
    "branch": ("symbolic-ref", "--short", "--quiet", "HEAD"),
    "commit": ("rev-parse", "--verify", "--quiet", "HEAD"),
    "dirty": ("status", "--porcelain", "-z"),
}
_MLFLOW = {"repository_uri": "repoURL", "branch": "branch", "commit": "commit"}
_OTHERS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE")


class GitSources:
    """Asks git about source directories; returns at once, and gives the answers later.

    Args:
        directories: The directories. One that lies in no repository is asked nothing, nor is any where there is no git.
    """

    def __init__(self, directories: Iterable[str]) -> None:
        self._tops: dict[str, Path | None] = {directory: _repository(Path(directory)) for directory in directories}
        self._asked: dict[tuple[Path, str], subprocess.Popen[bytes]] = {}
        for top in {top for top in self._tops.values() if top is not None}:
            for name, command in _ASKED.items():
                with contextlib.suppress(OSError):
                    self._asked[top, name] = _ask(top, command)

    def properties(self, timeout_s: float) -> dict[str, dict[str, str]]:
        """Waits for the answers.

        Args:
            timeout_s: Longest time, seconds; what git has not said by then is left out.

        Returns:
            For each directory the properties of a run, under the SDK's names; none where git says nothing.
        """
        end = time.monotonic() + timeout_s
        answers: dict[Path, dict[str, str]] = {}
        for (top, name), process in self._asked.items():
            said = _answer(process, max(0.0, end - time.monotonic()))
            if said is not None:
                answers.setdefault(top, {})[name] = _rendered(name, said)
        self._asked.clear()
        return {
            directory: _named(answers.get(top, {})) if top is not None else {} for directory, top in self._tops.items()
        }


def _repository(directory: Path) -> Path | None:
    above = (directory, *directory.parents)
    return next((folder for folder in above if (folder / ".git").exists()), None)


def _ask(top: Path, command: tuple[str, ...]) -> subprocess.Popen[bytes]:
    import subprocess

    environment = {name: value for name, value in os.environ.items() if name not in _OTHERS}
    environment |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    return subprocess.Popen(
        [*_GIT, *command],
        cwd=top,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def _answer(process: subprocess.Popen[bytes], timeout_s: float) -> bytes | None:
    import subprocess

    try:
        said, _ = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return None
    return said if process.returncode == 0 else None


def _rendered(name: str, said: bytes) -> str:
    if name == "dirty":
        return str(bool(said))
    text = os.fsdecode(said).strip()
    return _without_password(text) if name == "repository_uri" else text


def _without_password(uri: str) -> str:
    from urllib.parse import urlsplit, urlunsplit

    parts = urlsplit(uri)
    if not parts.scheme or "@" not in parts.netloc:
        return uri
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _named(answers: dict[str, str]) -> dict[str, str]:
    found = {f"azureml.git.{name}": value for name, value in answers.items()}
    return found | {f"mlflow.source.git.{_MLFLOW[name]}": answers[name] for name in _MLFLOW if name in answers}
