"""`Dataset.File` and `Dataset.Tabular`: where datasets come from."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from scriptstep.data.absent import absent
from scriptstep.data.abstract_dataset import AbstractDataset
from scriptstep.data.datasets import FileDataset, TabularDataset
from scriptstep.data.definition import Definition, make_definition, sources_of
from scriptstep.data.materialize import found_files
from scriptstep.data.partition_format import partition_keys
from scriptstep.data.paths import DataPath, datastore_name, relative_path
from scriptstep.data.reading import DataType, delimited_options, json_lines_options, parquet_options
from scriptstep.data.walk import files_below, matching_name
from scriptstep.errors import ArgumentError, UserErrorException

__all__ = ["PART", "Dataset", "FileDatasetFactory", "TabularDatasetFactory", "target_of"]

# The name of a file that a table is written to.
PART = "part-00000.parquet"


class FileDatasetFactory:
    """Makes datasets of files."""

    @staticmethod
    def from_files(
        path: Any, validate: bool = True, partition_format: str | None = None, is_file: bool = False
    ) -> FileDataset:
        """Makes a dataset of files.

        Args:
            path: A file, a folder, a pattern (`*`, `?`, `**`) or a URL; as a local path, a `DataPath`, a
                (datastore, path) pair, or a list of such.
            validate: Whether to look now that there is a file.
            partition_format: Columns that the paths of the files hold.
            is_file: As in the SDK, not needed here.

        Returns:
            The dataset. One of the path of one file arrives in a step as that file, any other as a folder.

        Raises:
            ArgumentError: `path` is something else.
            UserErrorException: There is no file.
        """
        sources, stores = sources_of(path, "Dataset.File.from_files")
        options = {}
        if partition_format:
            partition_keys(partition_format)
            options["partition_format"] = str(partition_format)
        made = FileDataset._make(make_definition("file", "files", sources, options), stores)
        if validate:
            _look(made)
        return made

    @staticmethod
    def upload_directory(
        src_dir: str, target: Any, pattern: str | None = None, overwrite: bool = False, show_progress: bool = True
    ) -> FileDataset:
        """Copies a local folder to a datastore and makes a dataset of it.

        Args:
            src_dir: The folder.
            target: A `DataPath`, a (datastore, path) pair or a datastore.
            pattern: Which files; None for all.
            overwrite: Whether files that are there are replaced.
            show_progress: Not needed here.

        Returns:
            The dataset.

        Raises:
            ArgumentError: `src_dir` is no folder, or `target` something else.
            UserErrorException: A file is there already, or there is none to copy.
        """
        source = Path(src_dir)
        if not source.is_dir():
            raise ArgumentError(f"upload_directory: {src_dir} is no folder")
        store, path = target_of(target, "upload_directory")
        files = [(name, file) for name, file in files_below(source) if not pattern or matching_name(pattern, name)]
        if not files:
            raise UserErrorException(
                f"upload_directory: there is no file in {src_dir}{f' like {pattern}' if pattern else ''}"
            )
        if not overwrite:
            there = store._there(path, [name for name, _ in files])
            if there:
                raise UserErrorException(
                    f"upload_directory: {path}/{min(there)} is there already", help="overwrite=True replaces it"
                )
        store._put([(Path(file), f"{path}/{name}".lstrip("/")) for name, file in files])
        return FileDatasetFactory.from_files((store, path))


class TabularDatasetFactory:
    """Makes tables."""

    @staticmethod
    def from_delimited_files(
        path: Any,
        validate: bool = True,
        include_path: bool = False,
        infer_column_types: bool = True,
        set_column_types: Mapping[str, DataType] | None = None,
        separator: str = ",",
        header: Any = True,
        partition_format: str | None = None,
        support_multi_line: bool = False,
        empty_as_string: bool = False,
        encoding: str = "utf8",
    ) -> TabularDataset:
        """Makes a table of delimited files.

        Args:
            path: As for `Dataset.File.from_files`.
            validate: Whether to look now that there is a file.
            include_path: Whether each row tells which file it is from, in a column `Path`.
            infer_column_types: Whether columns are read as what they look like, else as text.
            set_column_types: What columns are read as.
            separator: What stands between columns.
            header: Whether, or in which files, the first line names the columns.
            partition_format: Columns that the paths of the files hold.
            support_multi_line: Whether a quoted value may hold a line break; it always may here.
            empty_as_string: Whether an empty value is empty text, else missing.
            encoding: Of the files.

        Returns:
            The table.

        Raises:
            ArgumentError: An argument cannot be.
            UserErrorException: There is no file.
        """
        options = delimited_options(
            include_path,
            separator,
            header,
            partition_format,
            set_column_types,
            infer_column_types,
            support_multi_line,
            empty_as_string,
            encoding,
        )
        return _table("delimited", path, options, validate, "from_delimited_files")

    @staticmethod
    def from_parquet_files(
        path: Any,
        validate: bool = True,
        include_path: bool = False,
        set_column_types: Mapping[str, DataType] | None = None,
        partition_format: str | None = None,
    ) -> TabularDataset:
        """Makes a table of Parquet files; the arguments are those of `from_delimited_files`."""
        options = parquet_options(include_path, partition_format, set_column_types)
        return _table("parquet", path, options, validate, "from_parquet_files")

    @staticmethod
    def from_json_lines_files(
        path: Any,
        validate: bool = True,
        include_path: bool = False,
        set_column_types: Mapping[str, DataType] | None = None,
        partition_format: str | None = None,
        invalid_lines: str = "error",
        encoding: str = "utf8",
    ) -> TabularDataset:
        """Makes a table of files that hold one JSON object a line.

        The arguments are those of `from_delimited_files`, and `invalid_lines`: "error", or "drop" to leave them out.
        """
        options = json_lines_options(include_path, set_column_types, partition_format, invalid_lines, encoding)
        return _table("json_lines", path, options, validate, "from_json_lines_files")

    @staticmethod
    def register_pandas_dataframe(
        dataframe: Any,
        target: Any,
        name: str,
        description: str | None = None,
        tags: Mapping[str, Any] | None = None,
        show_progress: bool = True,
        row_group_size: int | None = None,
        make_target_path_unique: bool = True,
    ) -> TabularDataset:
        """Writes a DataFrame to a datastore as Parquet and registers it as a table.

        Args:
            dataframe: The table.
            target: A `DataPath`, a (datastore, path) pair or a datastore.
            name: What to register it as.
            description: In your words.
            tags: Names and values.
            show_progress: Not needed here.
            row_group_size: Rows in each group of the file.
            make_target_path_unique: Whether it is written to a folder of its own, named by what it holds: the same rows
                make no new version.

        Returns:
            The table as registered.

        Raises:
            ArgumentError: `target` is something else.
            UserErrorException: pyarrow is not installed.
        """
        from scriptstep.data.tabular import needed

        needed("pyarrow", "register_pandas_dataframe")
        store, path = target_of(target, "register_pandas_dataframe")
        extra = {"row_group_size": row_group_size} if row_group_size else {}
        content: bytes = dataframe.to_parquet(None, engine="pyarrow", index=False, **extra)
        if make_target_path_unique:
            path = f"{path}/{hashlib.blake2b(content, digest_size=16).hexdigest()}".lstrip("/")
        place = f"{path}/{PART}".lstrip("/")
        with tempfile.TemporaryDirectory(prefix="scriptstep-") as folder:
            written = Path(folder, PART)
            written.write_bytes(content)
            store._put([(written, place)])
        made = TabularDatasetFactory.from_parquet_files((store, place))
        return made.register(store.workspace, name, description, tags, create_new_version=True)

    from_sql_query: Callable[..., Any] = staticmethod(
        absent("from_sql_query", "query the database in a step, or register files")
    )

    @staticmethod
    def register_dask_dataframe(
        dataframe: Any,
        target: Any,
        name: str,
        description: str | None = None,
        tags: Mapping[str, Any] | None = None,
        show_progress: bool = True,
    ) -> TabularDataset:
        """Computes a Dask DataFrame and registers it; the arguments are those of `register_pandas_dataframe`."""
        return TabularDatasetFactory.register_pandas_dataframe(dataframe.compute(), target, name, description, tags)

    @staticmethod
    def register_spark_dataframe(
        dataframe: Any,
        target: Any,
        name: str,
        description: str | None = None,
        tags: Mapping[str, Any] | None = None,
        show_progress: bool = True,
    ) -> TabularDataset:
        """Collects a Spark DataFrame and registers it; the arguments are those of `register_pandas_dataframe`."""
        return TabularDatasetFactory.register_pandas_dataframe(dataframe.toPandas(), target, name, description, tags)


class Dataset(AbstractDataset):
    """Where datasets are made and found.

    Attributes:
        File: Makes datasets of files.
        Tabular: Makes tables.
    """

    File = FileDatasetFactory
    Tabular = TabularDatasetFactory

    @staticmethod
    def get(workspace: Any, name: str | None = None, id: str | None = None) -> Any:
        """Finds a dataset, as older code does.

        Args:
            workspace: Where.
            name: What it is registered as.
            id: Or its id.

        Returns:
            A `FileDataset` or a `TabularDataset`.

        Raises:
            ArgumentError: Neither name nor id is given.
            NotRegisteredError: There is none.
        """
        if name is None and id is None:
            raise ArgumentError("Dataset.get: name or id is missing")
        return Dataset.get_by_name(workspace, name) if name is not None else Dataset.get_by_id(workspace, str(id))

    @staticmethod
    def list(workspace: Any) -> list[Any]:
        """Returns: the latest version of each registered dataset.

        Args:
            workspace: Where.
        """
        return [*Dataset.get_all(workspace).values()]

    @staticmethod
    def from_delimited_files(path: Any, **kwargs: Any) -> TabularDataset:
        """Makes a table of delimited files, as older code does; use `Dataset.Tabular.from_delimited_files`."""
        return TabularDatasetFactory.from_delimited_files(path, **kwargs)

    @staticmethod
    def from_parquet_files(path: Any, **kwargs: Any) -> TabularDataset:
        """Makes a table of Parquet files, as older code does; use `Dataset.Tabular.from_parquet_files`."""
        return TabularDatasetFactory.from_parquet_files(path, **kwargs)


def _table(format: str, path: Any, options: Mapping[str, Any], validate: bool, what: str) -> TabularDataset:
    sources, stores = sources_of(path, f"Dataset.Tabular.{what}")
    if spelled := options.get("partition_format"):
        partition_keys(spelled)
    definition: Definition = make_definition("tabular", format, sources, options)
    made = TabularDataset._make(definition, stores)
    if validate:
        _look(made)
    return made


def _look(dataset: AbstractDataset) -> None:
    """Looks that a dataset has a file, where that can be known here: a URL may be mapped to a folder later on."""
    known = [s for s in dataset._definition["sources"] if "path" in s and ("datastore" not in s or _known(dataset, s))]
    if not known or len(known) < len(dataset._definition["sources"]):
        return
    if not found_files(dataset._definition, dataset._resolve):
        places = ", ".join(
            f"'{s['path']}'" + (f" on datastore '{s['datastore']}'" if "datastore" in s else "") for s in known[:3]
        )
        raise UserErrorException(
            f"a dataset must stand for a file, and there is none at {places}",
            help="put it there first, or pass validate=False",
        )


def _known(dataset: AbstractDataset, source: Mapping[str, Any]) -> bool:
    return hasattr(dataset._stores.get(str(source["datastore"])), "_place")


def target_of(target: Any, what: str) -> tuple[Any, str]:
    """Reads where data is to be written.

    Args:
        target: A `DataPath`, a (datastore, path) pair or a datastore.
        what: What was given it, for the message.

    Returns:
        The datastore, and the path there.

    Raises:
        ArgumentError: It is something else.
    """
    if isinstance(target, DataPath):
        store, path = target._datastore, target._path
    elif isinstance(target, (tuple, list)) and len(target) == 2:
        store, path = target[0], relative_path(target[1], f"{what}: target")
    else:
        store, path = target, ""
    datastore_name(store, what)
    if isinstance(store, str):
        raise ArgumentError(
            f"{what}: target must hold a datastore, not its name {store!r}", help="Datastore.get(ws, name)"
        )
    return store, path
