"""The files that a dataset's definition stands for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from scriptstep.data.definition import Definition
from scriptstep.data.expressions import holds
from scriptstep.data.partition_format import partition_values
from scriptstep.data.places import FileFacts, Place
from scriptstep.data.walk import is_pattern
from scriptstep.errors import UserErrorException
from scriptstep.graph import JSON

__all__ = ["FILE_FACTS", "Files", "Resolve", "chosen_rows", "file_fact", "found_files", "materialize", "single_file"]

FILE_FACTS = ("Size", "LastModifiedTime", "Extension")

# Where one source lies.
Resolve = Callable[[Mapping[str, JSON]], Place]
_Named = list[tuple[str, str]]


class Files(Sequence[tuple[str, str]]):
    """Paths of files, each with its name in the dataset: unique, with `/`. Those far away can be read once fetched.

    Args:
        named: (name, file) of each.
        far: The place of each that is far away.
        wholes: Folders that hold nothing but some of them.
    """

    def __init__(self, named: _Named, far: Mapping[str, Place], wholes: Sequence[Path] = ()) -> None:
        self._named = named
        self._far = far
        self.wholes = wholes

    def __len__(self) -> int:
        return len(self._named)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._named)

    def __getitem__(self, which: Any) -> Any:
        return self._named[which]

    def only(self, named: _Named) -> Files:
        """Returns: some of them."""
        # To read a folder for a few of its files would cost more than it spares.
        are_most = 2 * len(named) >= len(self)
        return Files(named, self._far, self.wholes if are_most else ())

    def facts(self, file: str) -> FileFacts:
        """Returns: what is known of one of them without reading it."""
        if file in self._far:
            return self._far[file].facts(file)
        stat = os.stat(file)
        return FileFacts(stat.st_size, stat.st_mtime_ns)

    def stamp(self, file: str) -> str | None:
        """Returns: what stands for the content of one of them; None where only reading tells that."""
        return self._far[file].facts(file).stamp if file in self._far else None

    def fetch(self) -> Files:
        """Fetches those that are far away.

        Returns:
            Them.

        Raises:
            UserErrorException: One cannot be fetched.
        """
        wanted: dict[Place, list[str]] = {}
        for _, file in self._named if self._far else ():
            if file in self._far:
                wanted.setdefault(self._far[file], []).append(file)
        for place, files in wanted.items():
            place.fetch(files)
        return self


def materialize(definition: Definition, resolve: Resolve) -> Files:
    """Finds the files of a definition.

    Args:
        definition: The definition.
        resolve: Says where one of its sources lies.

    Returns:
        In the order of the sources and by name in each. For a dataset of files what `take`, `skip` and the like leave;
        for a table all that are read.
    """
    found = found_files(definition, resolve)
    if definition["kind"] == "file":
        for operation in definition["transformations"]:
            found = found.only(_apply(operation, found, definition["options"].get("partition_format")))
    return found


def single_file(definition: Definition, resolve: Resolve) -> bool:
    """Returns: whether a definition is the path of one file: a script then gets the file, not a folder with it."""
    sources = definition["sources"]
    if definition["kind"] != "file" or definition["transformations"] or len(sources) != 1 or _has_pattern(sources[0]):
        return False
    return resolve(sources[0]).is_file()


def found_files(definition: Definition, resolve: Resolve) -> Files:
    """Finds all files of a definition's sources.

    Args:
        definition: The definition.
        resolve: Says where one of its sources lies.

    Returns:
        Each file once. Below one folder a file is named by its path there; of several places by its path below the
        folder that they have in common.
    """
    groups: dict[str, list[tuple[str, _Named]]] = {}
    far: dict[str, Place] = {}
    wholes: list[Path] = []
    for source in definition["sources"]:
        place = resolve(source)
        base, found = place.files()
        if "tree" in source and place.is_file():
            found = [(str(source.get("name") or name), file) for name, file in found]
        if place.whole is not None:
            wholes.append(place.whole)
        if place.is_far:
            far.update((file, place) for _, file in found)
        groups.setdefault(_root_of(source), []).append((str(base), found))
    named: _Named = []
    for root, parts in groups.items():
        common = os.path.commonpath([base for base, _ in parts])
        prefix = f"{root}/" if len(groups) > 1 else ""
        for folder, found in parts:
            below = os.path.relpath(folder, common).replace(os.sep, "/")
            before = prefix if below == "." else f"{prefix}{below}/"
            named += [(before + name, file) for name, file in found]
    return Files(_once(named), far, wholes)


def _has_pattern(source: Mapping[str, JSON]) -> bool:
    if "tree" in source:
        return False
    text = str(source.get("path") or source.get("url") or "")
    # On the web a question mark begins a query.
    return is_pattern(text.partition("?")[0] if text.startswith(("http://", "https://")) else text)


def _root_of(source: Mapping[str, JSON]) -> str:
    for key in ("datastore", "tree"):
        if key in source:
            return str(source.get("name") or source[key])
    return "local" if "path" in source else "url"


def _once(files: _Named) -> _Named:
    """Returns: each file once, and each name: a second file of a name gets its number."""
    seen: set[str] = set()
    taken: set[str] = set()
    kept: _Named = []
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


def _apply(operation: Mapping[str, Any], files: Files, partition_format: str | None) -> _Named:
    kind = operation["op"]
    if kind == "take":
        return list(files[: operation["count"]])
    if kind == "skip":
        return list(files[operation["count"] :])
    if kind == "filter":
        condition = operation["condition"]

        def fact(file: str, column: str) -> Any:
            return file_fact(files.facts(file), file, column, partition_format)

        return [(n, file) for n, file in files if holds(condition, lambda column, file=file: fact(file, column))]  # type: ignore[misc]
    return [file for file, chosen in zip(files, chosen_rows(operation, len(files)), strict=True) if chosen]


def file_fact(facts: FileFacts, file: str, column: str, partition_format: str | None) -> Any:
    """Finds what a condition asks of a file.

    Args:
        facts: What is known of it.
        file: Its path.
        column: One of `FILE_FACTS`, or a column that the path holds.
        partition_format: Which those are.

    Returns:
        The value.

    Raises:
        UserErrorException: Nothing is known under that name.
    """
    if column == "Size":
        return facts.size
    if column == "LastModifiedTime":
        return datetime.fromtimestamp(facts.changed_ns / 1e9, timezone.utc).replace(tzinfo=None)
    if column == "Extension":
        return os.path.splitext(file)[1]
    values = partition_values(partition_format, file) if partition_format else {}
    if column not in values:
        known = ", ".join((*FILE_FACTS, *values))
        raise UserErrorException(f"nothing is known of a file under the name {column!r}; there are {known}")
    return values[column]


def chosen_rows(operation: Mapping[str, Any], count: int) -> Sequence[bool]:
    """Draws what a `sample` or one part of a `split` keeps: the same for the same seed.

    Args:
        operation: The transformation.
        count: Of how many.

    Returns:
        For each one whether it is kept.
    """
    import random

    draw = random.Random(f"scriptstep {operation.get('seed')}")
    if operation["op"] == "sample":
        return [draw.random() < operation["probability"] for _ in range(count)]
    first = operation["part"] == 0
    return [(draw.random() < operation["percentage"]) is first for _ in range(count)]
