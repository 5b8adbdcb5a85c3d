"""Definitions: plain data that says which files a dataset stands for, and how they are read."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlparse

from scriptstep.data.paths import DataPath, datastore_name, relative_path
from scriptstep.data.references import DataReference
from scriptstep.errors import ArgumentError, ArgumentTypeError
from scriptstep.graph import JSON

__all__ = [
    "Definition",
    "dataset_id",
    "make_definition",
    "read_operation",
    "source_of",
    "sources_of",
    "tabular_definition",
    "transformed",
]

Definition = Mapping[str, JSON]
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def dataset_id(definition: Definition) -> str:
    """Returns: the id of a definition, a UUID: equal definitions have equal ids on every machine."""
    from scriptstep.history.rows import definition_id

    return definition_id(definition)


def make_definition(
    kind: str,
    format: str,
    sources: Sequence[Mapping[str, JSON]],
    options: Mapping[str, JSON] | None = None,
    transformations: Sequence[JSON] = (),
) -> dict[str, JSON]:
    """Puts a definition together.

    Args:
        kind: "file" or "tabular".
        format: "files", "delimited", "parquet" or "json_lines".
        sources: Where the files lie.
        options: How they are read, where it differs from the default.
        transformations: What is done then, in order.

    Returns:
        The definition.
    """
    return {
        "kind": kind,
        "format": format,
        "sources": [dict(source) for source in sources],
        "options": dict(options or {}),
        "transformations": list(transformations),
    }


def transformed(definition: Definition, operation: str, **details: JSON) -> dict[str, JSON]:
    """Returns: a definition with one more thing done to what it stands for."""
    return {**definition, "transformations": [*definition["transformations"], {"op": operation, **details}]}


def read_operation(format: str, options: Mapping[str, JSON]) -> dict[str, JSON]:
    """Returns: the transformation that reads files as a table; it stands first."""
    return {"op": "read", "format": format, "options": dict(options)}


def tabular_definition(sources: Sequence[Mapping[str, JSON]], transformations: Sequence[JSON]) -> dict[str, JSON]:
    """Defines the table that is read from what a step wrote.

    Args:
        sources: Where that lies: `[{"tree": digest, "name": port}]`.
        transformations: `InputSpec.transformations`: the first says how it is read.

    Returns:
        The definition.
    """
    first, rest = (transformations[0], transformations[1:]) if transformations else ({}, ())
    if first.get("op") != "read":
        first, rest = read_operation("delimited", {}), transformations
    return make_definition("tabular", first["format"], sources, first["options"], rest)


def sources_of(path: Any, what: str) -> tuple[list[dict[str, JSON]], dict[str, Any]]:
    """Reads what a factory is given as `path`.

    Args:
        path: A local path, a URL, a `DataPath`, a (datastore, path) pair, or a list of such.
        what: The factory, for the message.

    Returns:
        The sources, and the datastores by name that were given as objects.

    Raises:
        ArgumentError: It is empty, or something else.
    """
    single = not isinstance(path, (list, tuple)) or _is_pair(path)
    given = [path] if single else list(path)
    if not given:
        raise ArgumentError(f"{what}: path is empty")
    sources: list[dict[str, JSON]] = []
    stores: dict[str, Any] = {}
    for item in given:
        source, store = source_of(item, what)
        if source not in sources:
            sources.append(source)
        if store is not None:
            stores[source["datastore"]] = store
    return sources, stores


def source_of(item: Any, what: str) -> tuple[dict[str, JSON], Any]:
    """Reads one place of data.

    Args:
        item: A local path, a URL, a `DataPath`, a `DataReference` or a (datastore, path) pair.
        what: The factory, for the message.

    Returns:
        The source, and the datastore where it was given as an object.

    Raises:
        ArgumentError: It is something else.
    """
    if isinstance(item, (DataPath, DataReference)):
        store = item._datastore if isinstance(item, DataPath) else item.datastore
        path = item.path_on_datastore
    elif _is_pair(item):
        store, path = item
    elif isinstance(item, (str, os.PathLike)):
        return _local(os.fspath(item), what), None
    else:
        raise ArgumentTypeError(
            f"{what}: path must be a path, a URL, a DataPath, a (datastore, path) pair or a list of such, not {item!r}"
        )
    name = datastore_name(store, what)
    return {"datastore": name, "path": relative_path(path, f"{what}: path")}, None if isinstance(store, str) else store


def _is_pair(item: Any) -> bool:
    """Returns: whether it is (datastore, path): two paths in a tuple are a list of two."""
    return (
        isinstance(item, tuple)
        and len(item) == 2
        and not isinstance(item[0], (str, os.PathLike, tuple, list, DataPath, DataReference))
        and (item[1] is None or isinstance(item[1], (str, os.PathLike)))
    )


def _local(path: str | bytes, what: str) -> dict[str, JSON]:
    text = os.fsdecode(path)
    if not text:
        raise ArgumentError(f"{what}: path is empty")
    if _URL.match(text):
        if text.lower().startswith("file://"):
            return {"path": os.path.abspath(unquote(urlparse(text).path))}
        return {"url": text}
    return {"path": os.path.abspath(text).replace(os.sep, "/")}
