"""Tables: files read into a pandas DataFrame. pandas is loaded when one is read, not before."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scriptstep.data.column_types import converted, infer
from scriptstep.data.definition import Definition
from scriptstep.data.expressions import holds
from scriptstep.data.materialize import Files, Resolve, chosen_rows, found_files
from scriptstep.data.partition_format import partition_values
from scriptstep.data.walk import matching_name
from scriptstep.errors import ArgumentError, UserErrorException

if TYPE_CHECKING:
    import pandas

__all__ = ["needed", "read_tabular"]


def needed(module: str, what: str) -> Any:
    """Loads a library that only tables need.

    Args:
        module: Its name.
        what: What needs it, for the message.

    Returns:
        The library.

    Raises:
        UserErrorException: It is not installed; the message says how to get it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UserErrorException(
            f"{what} needs {module}, which is not installed in this Python", help='pip install "scriptstep[tabular]"'
        ) from error


def read_tabular(definition: Definition, resolve: Resolve) -> pandas.DataFrame:
    """Reads the table that a definition stands for.

    Args:
        definition: The definition.
        resolve: Says where one of its sources lies.

    Returns:
        The table.

    Raises:
        UserErrorException: No file is there, one cannot be read, a column is missing, or pandas is not installed.
    """
    pandas = needed("pandas", "reading a table")
    options: Mapping[str, Any] = definition["options"]
    files = found_files(definition, resolve)
    if glob := options.get("file_glob"):
        files = files.only([(name, file) for name, file in files if matching_name(glob, name)])
    if not files:
        where = ", ".join(str(s.get("path") or s.get("url") or "a step's output") for s in definition["sources"][:3])
        raise UserErrorException(f"the dataset stands for no file that is there: {where}")
    files.fetch()
    columns = _needed_columns(definition)
    style = definition["format"]
    if style == "delimited":
        from scriptstep.data.delimited import read_delimited

        frames = read_delimited([Path(file) for _, file in files], options, columns)
    elif style == "parquet":
        frames = [_parquet(Path(file), columns) for _, file in files]
    elif style == "json_lines":
        frames = [_json_lines(pandas, Path(file), options) for _, file in files]
    else:
        raise ArgumentError(f"a dataset of {style} is no table", help="use to_path(), as_mount() or download()")
    frame = _joined(pandas, frames, files, options)
    if style == "delimited" and options.get("infer_column_types", True):
        frame = infer(frame)
    for name, kind in options.get("set_column_types", {}).items():
        frame[name] = converted(_column(frame, name, "set_column_types"), kind)
    for operation in definition["transformations"]:
        frame = _apply(pandas, operation, frame)
    return frame.reset_index(drop=True)


def _joined(pandas: Any, frames: list[pandas.DataFrame], files: Files, options: Mapping[str, Any]) -> pandas.DataFrame:
    """Puts the rows of all files together, with the columns that their paths hold."""
    partition = options.get("partition_format")
    for n, (name, file) in enumerate(files):
        added: dict[str, Any] = {}
        if options.get("include_path"):
            added["Path"] = f"/{name}"
        if partition:
            added |= partition_values(partition, file)
        for place, (column, value) in enumerate(added.items()):
            kind = "datetime64[ns]" if isinstance(value, datetime) else None
            frames[n].insert(place, column, pandas.Series([value] * len(frames[n]), index=frames[n].index, dtype=kind))
    filled = [frame for frame in frames if len(frame)] or frames[:1]
    return filled[0] if len(filled) == 1 else pandas.concat(filled, ignore_index=True)


def _needed_columns(definition: Definition) -> list[str] | None:
    """Returns: the columns that must be read, where the first thing that asks for columns keeps some; None for all."""
    for operation in definition["transformations"]:
        if operation["op"] == "keep_columns":
            return list(dict.fromkeys([*operation["columns"], *definition["options"].get("set_column_types", {})]))
        if operation["op"] not in ("take", "skip", "sample", "split"):
            return None
    return None


def _parquet(file: Path, columns: list[str] | None) -> pandas.DataFrame:
    parquet = needed("pyarrow.parquet", "reading Parquet files")
    try:
        opened = parquet.ParquetFile(file)
        names = opened.schema_arrow.names
        # A file that has not all of them is read whole: what is missing is told with what there is.
        whole = columns is None or not set(columns) <= set(names)
        chosen = None if whole else [name for name in names if name in columns]  # type: ignore[operator]
        frame: pandas.DataFrame = opened.read(columns=chosen).to_pandas()
    except (OSError, ValueError) as error:
        raise UserErrorException(f"{file} cannot be read as Parquet: {error}") from error
    return frame


def _json_lines(pandas: Any, file: Path, options: Mapping[str, Any]) -> pandas.DataFrame:
    import json

    rows: list[dict[str, Any]] = []
    encoding = options.get("encoding", "utf8")
    with file.open(encoding="utf-8-sig" if encoding == "utf8" else encoding) as lines:
        for n, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise ValueError("not an object")
                rows.append(row)
            except ValueError as error:
                if options.get("invalid_lines") != "drop":
                    raise UserErrorException(
                        f"{file}, line {n}: {error}", help='invalid_lines="drop" leaves such lines out'
                    ) from error
    frame: pandas.DataFrame = pandas.DataFrame(rows)
    return frame


def _apply(pandas: Any, operation: Mapping[str, Any], frame: pandas.DataFrame) -> pandas.DataFrame:
    kind = operation["op"]
    if kind in ("keep_columns", "drop_columns"):
        named = set(operation["columns"])
        if kind == "keep_columns":
            for name in sorted(named):
                _column(frame, name, kind)
        return frame.loc[:, [c for c in frame.columns if (c in named) is (kind == "keep_columns")]]
    if kind == "take":
        return frame.iloc[: operation["count"]]
    if kind == "skip":
        return frame.iloc[operation["count"] :]
    if kind in ("sample", "split"):
        return frame.loc[pandas.Series(chosen_rows(operation, len(frame)), index=frame.index, dtype=bool)]
    if kind == "time":
        return _between(pandas, operation, frame)
    if kind == "timestamp":
        return frame
    if kind == "filter":
        return frame[holds(operation["condition"], lambda name: _column(frame, name, "filter"))]
    raise ArgumentError(f"the dataset's definition asks for {kind!r}, which this version does not know")


def _column(frame: pandas.DataFrame, name: str, what: str) -> Any:
    if name not in frame.columns:
        raise UserErrorException(f"{what}: there is no column {name!r}; there are {_named(frame)}")
    return frame[name]


def _between(pandas: Any, operation: Mapping[str, Any], frame: pandas.DataFrame) -> pandas.DataFrame:
    column = operation["column"]
    if column not in frame.columns:
        raise UserErrorException(f"there is no timestamp column {column!r}; there are {_named(frame)}")
    times, inside = pandas.to_datetime(frame[column]), operation["include"]
    for key, one, other in (("after", "ge", "gt"), ("before", "le", "lt")):
        if (bound := operation.get(key)) is not None:
            frame = frame[getattr(times.loc[frame.index], one if inside else other)(pandas.Timestamp(bound))]
    return frame


def _named(frame: pandas.DataFrame) -> str:
    names = [str(name) for name in frame.columns]
    return ", ".join(names[:10]) + (" ..." if len(names) > 10 else "")
