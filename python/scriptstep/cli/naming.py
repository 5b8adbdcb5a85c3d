"""`scriptstep data add`: data gets a name in scriptstep.toml, the rest of which stays as it is."""

from __future__ import annotations

import glob
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from scriptstep.console import emit, notice
from scriptstep.console.text import typed
from scriptstep.errors import ArgumentError, SettingsError, UserErrorException

__all__ = ["add_data"]

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*\Z")


def add_data(name: str, path: str, *, tabular: bool = False) -> int:
    """Gives data a name.

    Args:
        name: What scripts call it.
        path: The file, the folder, or a pattern of files.
        tabular: Whether it is a table.

    Returns:
        The exit code.

    Raises:
        UserErrorException: The name is taken or cannot be one, nothing lies at the path, or the file cannot be changed.
    """
    from scriptstep.workspace.place import SETTINGS_FILE, STATE_FOLDER, find_place

    if not _NAME.match(name):
        raise ArgumentError(f"'{name}' cannot be the name of data", help="letters, digits, '-' and '_', no '-' first")
    place = find_place()
    beside = place.home.parent if place.home.name == STATE_FOLDER else Path.cwd()
    file = place.settings_file or beside / SETTINGS_FILE
    found = _existing(path)
    before = _read(file)
    table = _parsed(file, before).get("datasets", {})
    if isinstance(table, dict) and name in table:
        raise UserErrorException(
            f"'{name}' is in {typed(file)} already: {_shown(table[name])}",
            help="choose another name, or change it there",
        )
    after = _with_table(before, name, _relative(found, file.parent), tabular)
    _check(file, after, name)
    _write(file, after)
    emit(f"{name}: {_relative(found, file.parent)} ({'a table' if tabular else 'files'}), in {typed(file)}")
    if os.path.isabs(_relative(found, file.parent)):
        notice(
            f"'{found}' lies outside of {typed(file.parent)}: another machine needs it at the same place",
            level="warning",
        )
    return 0


def _existing(path: str) -> str:
    whole = os.path.abspath(os.path.expanduser(path))
    if glob.has_magic(whole) and not os.path.exists(whole):
        if not glob.glob(whole, recursive=True):
            raise ArgumentError(f"no file fits the pattern '{path}'")
    elif not os.path.exists(whole):
        raise ArgumentError(
            f"there is nothing at '{path}'", help="give the path of a file or folder, as seen from here"
        )
    return whole


def _relative(path: str, folder: Path) -> str:
    relative = os.path.relpath(path, folder.resolve() if folder.exists() else folder)
    return path if relative.startswith(os.pardir + os.sep) or relative == os.pardir else Path(relative).as_posix()


def _read(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8") if file.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{typed(file)} cannot be read: {error}") from error


def _parsed(file: Path, text: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{typed(file)} is no TOML: {error}", help="mend it first; nothing was changed") from error


def _with_table(text: str, name: str, path: str, tabular: bool) -> str:
    end = "\r\n" if "\r\n" in text else "\n"
    lines = [f"[datasets.{name}]", f"path = {_quoted(path)}"]
    if tabular:
        lines.append('kind = "tabular"')
    lead = "" if not text else end if text.endswith("\n") else end * 2
    return text + lead + end.join(lines) + end


def _quoted(text: str) -> str:
    """Returns: a TOML string; JSON spells one in the same way, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _check(file: Path, text: str, name: str) -> None:
    """A file that writes its datasets as one inline table cannot be added to at its end."""
    try:
        _parsed(file, text)
    except SettingsError:
        line = text.rstrip().splitlines()[-1]
        raise SettingsError(
            f"{typed(file)} writes [datasets] in a form that cannot be added to; it was not changed",
            help=f"add it by hand, under datasets: {name} = {{ {line} }}",
        ) from None


def _write(file: Path, text: str) -> None:
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        aside.write_bytes(text.encode("utf-8"))
        if file.exists():
            os.chmod(aside, file.stat().st_mode & 0o777)
        # A settings file that is a link stays one.
        os.replace(aside, file.resolve() if file.is_symlink() else file)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise SettingsError(f"{typed(file)} cannot be written: {error.strerror}") from error


def _shown(table: object) -> str:
    path = table.get("path") if isinstance(table, dict) else table
    return str(path)
