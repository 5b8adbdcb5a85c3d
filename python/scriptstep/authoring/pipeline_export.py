"""Pipelines written as YAML, exactly: what is read back is the same graph."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from scriptstep.errors import ArgumentError, UserErrorException
from scriptstep.graph import Graph
from scriptstep.graph.frozen import EXPORTED, thaw_graph
from scriptstep.workspace.conda import write_yaml

if TYPE_CHECKING:
    from scriptstep.authoring.graph_context import _GraphContext
    from scriptstep.authoring.pipeline import Pipeline

__all__ = ["Exportable", "export_pipeline", "import_pipeline", "is_export"]

_FIELDS = ("description", "default_datastore", "pipeline_outputs")


class Exportable(Protocol):
    """What can be written: a pipeline, or one that was published."""

    graph: Graph
    description: str | None
    _default_datastore_name: str | None
    _pipeline_outputs: dict[str, tuple[str, str]]


def export_pipeline(pipeline: Exportable, path: Any, name: str) -> Path:
    """Writes a pipeline as YAML; source directories are named, relative to the file, and not copied.

    Args:
        pipeline: The pipeline.
        path: The file, or the folder that gets it; None for the working directory.
        name: What the file is called, where no file is named.

    Returns:
        The file.

    Raises:
        UserErrorException: It cannot be written.
    """
    file = Path.cwd() if path is None else Path(path)
    if file.is_dir():
        plain = "".join(c if c.isalnum() or c in "-_" else "_" for c in name)
        file = file / f"{plain or 'pipeline'}.yml"
    document = pipeline.graph.generate_yaml()
    for _, step in document["pipeline"]["nodes"]:
        step["source_directory"] = _relative(step["source_directory"], file.parent)
    outputs = {output: list(place) for output, place in pipeline._pipeline_outputs.items()}
    kept = (pipeline.description, pipeline._default_datastore_name, outputs)
    document["pipeline"].update(zip(_FIELDS, kept, strict=True))
    try:
        file.write_text(write_yaml(document), encoding="utf-8")
    except OSError as error:
        raise UserErrorException(f"the pipeline cannot be written to {file}: {error.strerror}") from error
    return file


def _relative(folder: str, base: Path) -> str:
    try:
        return os.path.relpath(folder, base.resolve()).replace(os.sep, "/")
    except ValueError:
        return folder  # another drive


def is_export(data: Any) -> bool:
    """Returns: whether a YAML document was written by `export_pipeline`."""
    return isinstance(data, Mapping) and EXPORTED in data


def import_pipeline(pipeline: Pipeline, data: Mapping[str, Any], file: Path, context: _GraphContext) -> None:
    """Makes a pipeline of what `export_pipeline` wrote.

    Args:
        pipeline: Is made it.
        data: The document.
        file: Where it stands.
        context: What its steps are in.

    Raises:
        ArgumentError: A newer version wrote it, or somebody changed it so that it says nothing.
    """
    if data[EXPORTED] != 1:
        raise ArgumentError(f"{file} was written by a newer scriptstep", help="use that one, or write it again")
    document = data.get("pipeline")
    try:
        for _, step in document["nodes"]:  # type: ignore[index]
            step["source_directory"] = os.path.normpath(file.parent.resolve() / step["source_directory"])
        pipeline.graph = thaw_graph(document, context)  # type: ignore[arg-type]
        description, default_datastore, outputs = (document[field] for field in _FIELDS)  # type: ignore[index]
        pipeline._pipeline_outputs = {name: (place[0], place[1]) for name, place in outputs.items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, ArgumentError):
            raise
        raise ArgumentError(
            f"{file} is not as scriptstep wrote it: {type(error).__name__}: {error}",
            help="write it again, or write a pipeline by hand: docs/pipeline_yaml.md",
        ) from error
    pipeline.description, pipeline._default_datastore_name = description, default_datastore
