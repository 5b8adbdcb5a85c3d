"""`scriptstep files`: what a source directory holds, what its rules leave out, and which rule decides."""

from __future__ import annotations

import json
import os
from typing import Any

from scriptstep.console import emit, notice
from scriptstep.console.text import columns, count, escaped, size
from scriptstep.content import Explanation, explain, left_out, scan

__all__ = ["list_files", "list_ignored", "tell_why"]

_JSON_VERSION = 1


def list_files(directory: str, *, largest_first: bool = False, as_json: bool = False) -> int:
    """Lists what a directory holds.

    Args:
        directory: The directory.
        largest_first: Whether the largest files come first; else they are sorted by path.
        as_json: As JSON.

    Returns:
        The exit code.

    Raises:
        ContentError: The directory cannot be read.
    """
    manifest = scan(directory)
    entries = sorted(manifest, key=lambda entry: -entry.size) if largest_first else list(manifest)
    if as_json:
        listed = [
            {"path": os.fsdecode(e.path), "kind": e.kind, "size": e.size, "digest": e.digest or None} for e in entries
        ]
        _emit_json(digest=manifest.digest, files=listed)
    elif entries:
        rows = [(size(e.size) if e.kind != "link" else "link", _shown(e.path)) for e in entries]
        emit("\n".join(columns(rows, right=frozenset([0]))))
    for warning in manifest.warnings:
        notice(warning, level="warning")
    notice(f"{count(len(entries), 'file')}, {size(manifest.total_size)}")
    return 0


def list_ignored(directory: str, *, as_json: bool = False) -> int:
    """Lists what the rules of a directory leave out; folders, which are not entered, end in `/`.

    Args:
        directory: The directory.
        as_json: As JSON.

    Returns:
        The exit code.

    Raises:
        ContentError: The directory cannot be read.
    """
    found = left_out(directory)
    if as_json:
        _emit_json(ignored=[_as_json(told) for told in found])
        return 0
    if not found:
        notice(f"nothing in {directory} is left out")
        return 0
    emit("\n".join(columns([(_shown(told.decided), _reason(told)) for told in found])))
    return 0


def tell_why(directory: str, path: str, *, as_json: bool = False) -> int:
    """Tells which rule decides about a path.

    Args:
        directory: The directory.
        path: Below it, relative or absolute; it need not be there. With a `/` at its end it is taken for a folder.
        as_json: As JSON.

    Returns:
        The exit code: 0 where the path is content, 1 where it is left out.

    Raises:
        ContentError: The directory cannot be read, or does not hold the path.
    """
    if os.path.isabs(path):
        end = "/" if path.endswith("/") else ""
        path = os.path.relpath(path, os.path.abspath(directory)) + end
    told = explain(directory, path)
    if as_json:
        _emit_json(kept=told.kept, **_as_json(told))
        return 0 if told.kept else 1
    verdict = "kept" if told.kept else "left out"
    above = "" if told.decided == os.fsencode(os.path.normpath(path)) else f", for {_shown(told.decided)}/ is"
    emit(f"{escaped(path)}: {verdict}{above}: {_reason(told)}")
    return 0 if told.kept else 1


def _reason(told: Explanation) -> str:
    if told.kind == "rule":
        assert told.file is not None and told.rule is not None
        where = "built in" if told.file == b"(built-in)" else f"{_shown(told.file)}:{told.line}"
        return f"{where}: {_shown(told.rule)}"
    return {"never": "never content", "environment": "a virtual environment", "none": "no rule speaks of it"}[told.kind]


def _as_json(told: Explanation) -> dict[str, Any]:
    def text(found: bytes | None) -> str | None:
        return None if found is None else os.fsdecode(found)

    return {
        "path": text(told.decided),
        "kind": told.kind,
        "file": text(told.file),
        "line": told.line,
        "rule": text(told.rule),
    }


def _emit_json(**told: Any) -> None:
    emit(json.dumps({"version": _JSON_VERSION, **told}, indent=2))


def _shown(path: bytes) -> str:
    return escaped(os.fsdecode(path))
