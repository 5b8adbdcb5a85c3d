"""Where a workspace's state lies, and how that folder is made."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from scriptstep.errors import WorkspaceException
from scriptstep.records import dataclass

__all__ = ["CONFIG_FOLDERS", "Place", "config_files", "find_place", "inside_step", "may_write", "prepare_home"]

STATE_FOLDER = ".scriptstep"
SETTINGS_FILE = "scriptstep.toml"
# Where the SDK keeps config.json, below the folder that it belongs to.
CONFIG_FOLDERS = (".azureml", "aml_config")

_CACHEDIR_TAG = """Signature: 8a477f597d28d172789f06886806bc55
# Made by scriptstep: the history of runs, and what they wrote.
"""
_prepared: set[Path] = set()


@dataclass(frozen=True)
class Place:
    """Where state and settings lie.

    Attributes:
        home: The state folder; absolute. It need not be there yet.
        settings_file: The settings file, absolute; None where there is none.
    """

    home: Path
    settings_file: Path | None = None

    @property
    def folder_name(self) -> str:
        """Returns: the name of the folder that the state belongs to."""
        return (self.home.parent if self.home.name == STATE_FOLDER else self.home).name


# What of the state folder is kept from others, and not made so by who writes there.
_ROOMS = ("runs", "datastores", "packages", "claims", "remote")


def inside_step() -> bool:
    """Returns: whether this process is, or was started by, a step that runs."""
    return "SCRIPTSTEP_ATTEMPT" in os.environ


def find_place(start: Path | None = None) -> Place:
    """Finds the state folder.

    It is `$SCRIPTSTEP_HOME`; else it lies in the nearest folder, from `start` upward, that holds `.scriptstep/` or
    `scriptstep.toml`; else beside the config.json that is found from there; else in `start`.

    Args:
        start: Where to begin; the working directory where None.

    Returns:
        The place; nothing is made.

    Raises:
        WorkspaceException: Another user owns the state folder.
    """
    start = Path(os.path.abspath(start if start is not None else os.curdir))
    place = _place_from(start)
    _check_owner(place.home)
    return place


def _place_from(start: Path) -> Place:
    if home := os.environ.get("SCRIPTSTEP_HOME"):
        folder = Path(os.path.abspath(os.path.expanduser(home)))
        if inside_step():
            # Scripts change directory: what lies above it is not theirs.
            told = os.environ.get("SCRIPTSTEP_SETTINGS")
            return Place(folder, Path(told) if told else None)
        above = (f / SETTINGS_FILE for f in (start, *start.parents, folder.parent))
        return Place(folder, next((f for f in above if f.is_file()), None))
    for folder in (start, *start.parents):
        settings = folder / SETTINGS_FILE
        if settings.is_file() or (folder / STATE_FOLDER).is_dir():
            return Place(folder / STATE_FOLDER, settings if settings.is_file() else None)
    config = next(config_files(start), None)
    folder = start
    if config is not None:
        folder = config.parent.parent if config.parent.name in CONFIG_FOLDERS else config.parent
    return Place(folder / STATE_FOLDER)


def config_files(start: Path, file_name: str = "config.json") -> Iterator[Path]:
    """Looks for configuration files as the SDK does: in a folder, in its `.azureml` and `aml_config`, then above.

    Args:
        start: The folder to begin in.
        file_name: Name of the file.

    Yields:
        The files that are there, the nearest first.
    """
    for folder in (start, *start.parents):
        for candidate in (folder / file_name, *(folder / name / file_name for name in CONFIG_FOLDERS)):
            if candidate.is_file():
                yield candidate


def prepare_home(place: Place) -> None:
    """Makes the state folder, for this user alone.

    Args:
        place: The place.

    Raises:
        WorkspaceException: It cannot be made or written, or another user owns it.
    """
    home = place.home
    if home in _prepared and home.is_dir():
        return
    _check_owner(home)
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        home.mkdir(mode=0o700, exist_ok=True)
        for name, text in (("CACHEDIR.TAG", _CACHEDIR_TAG), (".gitignore", "*\n")):
            if not (home / name).exists():
                (home / name).write_text(text, encoding="utf-8")
        for name in _ROOMS:
            # A state folder that the user made may be open to others.
            (home / name).mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise WorkspaceException(
            f"the state folder {home} cannot be made: {error.strerror}",
            help="set SCRIPTSTEP_HOME to a folder that you can write to",
            inner_exception=error,
        ) from error
    if not may_write(home):
        raise WorkspaceException(
            f"the state folder {home} cannot be written to",
            help="give yourself write permission for it, or set SCRIPTSTEP_HOME to a folder that you can write to",
        )
    _prepared.add(home)


def may_write(home: Path) -> bool:
    """Returns: whether this user may write into a state folder that is there."""
    return os.access(home, os.W_OK | os.X_OK)


def _check_owner(home: Path) -> None:
    user = getattr(os, "geteuid", None)
    try:
        found = os.lstat(home), os.stat(home)
    except OSError:
        return
    if user is not None and any(seen.st_uid != user() for seen in found):
        # Even root: what another user can write could make this one run it.
        raise WorkspaceException(
            f"the state folder {home} belongs to another user (uid {found[1].st_uid}, and you are {user()})",
            help="set SCRIPTSTEP_HOME to a folder of your own",
        )
