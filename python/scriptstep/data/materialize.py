"""The files that a dataset's definition stands for."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scriptstep.data.definition import Definition
from scriptstep.data.walk import files_below, fixed_part, is_pattern, matching_files
from scriptstep.graph import JSON

__all__ = ["Resolve", "chosen_rows", "found_files", "materialize", "single_file"]

# Where one source lies: a file, a folder or a pattern.
Resolve = Callable[[Mapping[str, JSON]], Path]
_Found = list[tuple[str, Path]]


def materialize(definition: Definition, resolve: Resolve) -> list[tuple[str, Path]]:
    """Finds the files of a definition.

    Args:
        definition: The definition.
        resolve: Says where one of its sources lies.

    Returns:
        (relative name with `/`, file): unique names, in the order of the sources and by name in each. For a dataset of
        files what `take`, `skip` and the like leave; for a table all that are read.
    """
    files = found_files(definition, resolve)
    if definition["kind"] == "file":
        for operation in definition["transformations"]:
            files = _apply(operation, files)
    return files


def single_file(definition: Definition, resolve: Resolve) -> bool:
    """Returns: whether a definition is the path of one file: a script then gets the file, not a folder with it."""
    sources = definition["sources"]
    if definition["kind"] != "file" or definition["transformations"] or len(sources) != 1 or _has_pattern(sources[0]):
        return False
    return resolve(sources[0]).is_file()


def found_files(definition: Definition, resolve: Resolve) -> list[tuple[str, Path]]:
    """Finds all files of a definition's sources.

    Args:
        definition: The definition.
        resolve: Says where one of its sources lies.

    Returns:
        (relative name with `/`, file), each file once. Below one folder a file is named by its path there; of several
        places by its path below the folder that they have in common.
    """
    groups: dict[str, list[tuple[Path, _Found]]] = {}
    for source in definition["sources"]:
        base, found = _one(source, resolve(source))
        groups.setdefault(_root_of(source), []).append((base, found))
    named: _Found = []
    for root, parts in groups.items():
        common = Path(os.path.commonpath([base for base, _ in parts]))
        prefix = f"{root}/" if len(groups) > 1 else ""
        for base, found in parts:
            below = base.relative_to(common).as_posix()
            before = prefix if below == "." else f"{prefix}{below}/"
            named += [(before + name, file) for name, file in found]
    return _once(named)


def _one(source: Mapping[str, JSON], place: Path) -> tuple[Path, _Found]:
    """Returns: the folder that the names of one source's files are relative to, and the files."""
    if place.is_file():
        return place.parent, [(str(source.get("name") or place.name) if "tree" in source else place.name, place)]
    if place.is_dir():
        return place, files_below(place)
    if _has_pattern(source):
        pattern = place.as_posix()
        return Path(fixed_part(pattern)), matching_files(pattern)
    return place.parent, []


def _has_pattern(source: Mapping[str, JSON]) -> bool:
    return "tree" not in source and is_pattern(str(source.get("path") or source.get("url") or ""))


def _root_of(source: Mapping[str, JSON]) -> str:
    for key in ("datastore", "tree"):
        if key in source:
            return str(source.get("name") or source[key])
    return "local" if "path" in source else "url"


def _once(files: _Found) -> _Found:
    """Returns: each file once, and each name: a second file of a name gets its number."""
    seen: set[Path] = set()
    taken: set[str] = set()
    kept: _Found = []
    for name, file in files:
        if file in seen:
            continue
        seen.add(file)
        free, count = name, 1
        while free in taken:
            count += 1
            stem, dot, ending = name.rpartition(".")
            free = f"{stem}-{count}.{ending}" if dot and stem and not stem.endswith("/") else f"{name}-{count}"
        taken.add(free)
        kept.append((free, file))
    return kept


def _apply(operation: Mapping[str, Any], files: _Found) -> _Found:
    kind = operation["op"]
    if kind == "take":
        return files[: operation["count"]]
    if kind == "skip":
        return files[operation["count"] :]
    return [file for file, chosen in zip(files, chosen_rows(operation, len(files)), strict=True) if chosen]


def chosen_rows(operation: Mapping[str, Any], count: int) -> Sequence[bool]:
    """Draws what a `sample` or one part of a `split` keeps: the same for the same seed.

    Args:
        operation: The transformation.
        count: Of how many.

    Returns:
        For each one whether it is kept.
    """
    draw = random.Random(f"scriptstep {operation.get('seed')}")
    if operation["op"] == "sample":
        return [draw.random() < operation["probability"] for _ in range(count)]
    first = operation["part"] == 0
    return [(draw.random() < operation["percentage"]) is first for _ in range(count)]
