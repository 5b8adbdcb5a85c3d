"""The folder of a step's script, checked."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Literal

from scriptstep.authoring.site import Site
from scriptstep.errors import ArgumentTypeError, nearest

__all__ = ["check_source", "read_hash_paths"]

_LOOKED_AT = 2000


def read_hash_paths(value: Any, site: Site) -> tuple[str, ...] | Literal["imports"] | None:
    """Reads `hash_paths`: files and folders, relative to the source directory, or "imports".

    Args:
        value: A list of paths, "imports" or None.
        site: The step.

    Returns:
        The paths with `/`, each once; "imports"; None for none.

    Raises:
        ArgumentError: A path is absolute, empty or leads out; it is neither a list nor "imports".
    """
    what = "hash_paths"
    if value is None:
        return None
    if isinstance(value, str) and value == "imports":
        return "imports"
    if isinstance(value, (str, os.PathLike)):
        raise site.error(
            f"{what} must be a list of paths, or 'imports', not {os.fspath(value)!r}",
            f"did you mean {what}=[{os.fspath(value)!r}]?",
            ArgumentTypeError,
        )
    if not isinstance(value, (list, tuple, set, frozenset)):
        raise site.error(
            f"{what} must be a list of paths, or 'imports', not {value!r}", f"{what}=[...]", ArgumentTypeError
        )
    made: dict[str, None] = {}
    for item in value:
        if not isinstance(item, (str, os.PathLike)):
            raise site.error(f"{what} must be a list of paths, and holds {item!r}", None, ArgumentTypeError)
        text = os.fspath(item)
        if not text or os.path.isabs(text):
            raise site.error(f"{what} holds {str(text)!r}, and its paths are relative to source_directory")
        path = os.path.normpath(text).replace(os.sep, "/")
        if path == ".." or path.startswith("../"):
            raise site.error(f"{what} holds {text!r}, which leads out of source_directory")
        made[path] = None
    return tuple(sorted(made)) or None


def check_source(
    source_directory: Any, default: str, script_name: str | None, hash_paths: Sequence[str] | None, site: Site
) -> tuple[str, str]:
    """Checks that a step's script and what decides its reuse are there.

    Args:
        source_directory: What the user gave, or None.
        default: What stands for None.
        script_name: What the user gave; None where a command runs instead.
        hash_paths: What `read_hash_paths` made.
        site: The step.

    Returns:
        The folder, absolute; the script's path in it, with `/`, empty where there is none.

    Raises:
        ArgumentError: The folder is missing, a file, unreadable, or the home folder or root; the script is missing.
    """
    folder = os.path.abspath(default if source_directory is None else os.fspath(source_directory))
    shown = f"source directory '{folder if source_directory is None else source_directory}'"
    _check_folder(folder, shown, source_directory is None, site)
    if script_name is None:
        return folder, ""
    script = os.path.normpath(script_name)
    if os.path.isabs(script_name):
        inside = os.path.relpath(script_name, folder).replace(os.sep, "/")
        help = None if inside.startswith("..") else f"write '{inside}'"
        raise site.error(f"script_name {script_name!r} must be relative to the source directory", help)
    if script == ".." or script.startswith(".." + os.sep):
        raise site.error(
            f"script_name {script_name!r} leads out of {shown}", "make source_directory the folder that holds them all"
        )
    if not os.path.isfile(os.path.join(folder, script)):
        kind = "is a folder in" if os.path.isdir(os.path.join(folder, script)) else "is not in"
        raise site.error(f"script '{script_name}' {kind} {shown}", _meant(folder, script_name))
    for path in hash_paths if isinstance(hash_paths, tuple) else ():
        if not os.path.lexists(os.path.join(folder, path)):
            raise site.error(f"hash_paths holds '{path}', which is not in {shown}", _meant(folder, path))
    return folder, script.replace(os.sep, "/")


def _check_folder(folder: str, shown: str, by_default: bool, site: Site) -> None:
    real = os.path.realpath(folder)
    help = "put the scripts into a folder of their own and name it: source_directory=..."
    if real == os.path.realpath(os.sep):
        raise site.error(f"{shown} is the whole file system", help)
    if real == os.path.realpath(os.path.expanduser("~")):
        told = " (no source_directory was given)" if by_default else ""
        raise site.error(f"{shown} is your home folder{told}: all of it would be hashed and copied", help)
    try:
        with os.scandir(folder) as entries:
            next(entries, None)
        if not os.access(folder, os.X_OK):
            raise PermissionError
    except FileNotFoundError:
        parent, name = os.path.split(folder)
        near = nearest(name, _names(parent, folders=True))
        raise site.error(f"{shown} is not there", f"did you mean '{near}'?" if near else None) from None
    except NotADirectoryError:
        raise site.error(
            f"{shown} is a file",
            f"write source_directory='{os.path.dirname(folder)}', script_name='{os.path.basename(folder)}'",
        ) from None
    except PermissionError:
        raise site.error(f"{shown} cannot be read: permission denied") from None
    except OSError as error:
        raise site.error(f"{shown} cannot be read: {error.strerror}") from error


def _meant(folder: str, path: str) -> str | None:
    """Returns: what the user may have meant by a path that is not there."""
    name = os.path.basename(path)
    if name != path and os.path.isfile(os.path.join(folder, name)):
        return f"did you mean '{name}'? Paths are relative to the source directory"
    below = os.path.dirname(path)
    near = nearest(name, _names(os.path.join(folder, below)))
    if near:
        return f"did you mean '{os.path.join(below, near)}'?"
    for place, folders, names in os.walk(folder):
        if name in names:
            return f"did you mean '{os.path.relpath(os.path.join(place, name), folder)}'?"
        if place.count(os.sep) - folder.count(os.sep) > 3 or len(names) > _LOOKED_AT:
            folders.clear()
    return None


def _names(folder: str, folders: bool = False) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [e.name for e, _ in zip(entries, range(_LOOKED_AT), strict=False) if not folders or e.is_dir()]
    except OSError:
        return []
