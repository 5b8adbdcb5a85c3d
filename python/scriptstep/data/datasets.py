"""Datasets: files that a definition stands for, and tables that are read from them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from scriptstep.data.absent import absent
from scriptstep.data.abstract_dataset import AbstractDataset
from scriptstep.data.expressions import Column
from scriptstep.data.materialize import FILE_FACTS, materialize
from scriptstep.data.reading import column_names
from scriptstep.data.transfer import copy_jobs, lay_out, transfer
from scriptstep.errors import ArgumentError, DatasetTimestampMissingError, UserErrorException

if TYPE_CHECKING:
    import pandas
    from typing_extensions import Self

    from scriptstep.data.consumption import DatasetConsumptionConfig

__all__ = ["FileDataset", "MountContext", "TabularDataset"]


class MountContext:
    """The files of a dataset, laid out in a folder for as long as it lasts; a context manager.

    Args:
        files: (relative name, file) of each.
        mount_point: The folder; None for one of its own.

    Attributes:
        mount_point: The folder, as text.
    """

    def __init__(self, files: Iterable[tuple[str, str]], mount_point: str | None = None) -> None:
        self._files = files
        self._own = None if mount_point is not None else Path(tempfile.mkdtemp(prefix="scriptstep-mount-"))
        self.mount_point = mount_point if mount_point is not None else f"{self._own}/files"
        self._made: list[str] = []

    def start(self) -> None:
        """Lays the files out.

        Raises:
            UserErrorException: Something lies in the way.
        """
        Path(self.mount_point).mkdir(parents=True, exist_ok=True)
        beside = None if self._own is None else self._own / "from"
        self._made += lay_out(self._files, Path(self.mount_point), beside=beside)

    def stop(self) -> None:
        """Takes them away again; the files themselves stay."""
        for link in self._made:
            Path(link).unlink(missing_ok=True)
        self._made.clear()
        if self._own is not None:
            shutil.rmtree(self._own, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class FileDataset(AbstractDataset):
    """Files. Made by `Dataset.File`."""

    _kind = "file"

    def as_mount(self, path_on_compute: str | None = None) -> DatasetConsumptionConfig:
        """Makes it an input of a step that reads the files where they lie.

        Args:
            path_on_compute: Where the script finds them.

        Returns:
            The input; it is named by its place in the step.
        """
        return self._unnamed().as_mount(path_on_compute)

    def as_download(self, path_on_compute: str | None = None) -> DatasetConsumptionConfig:
        """Makes it an input of a step that gets copies.

        Args:
            path_on_compute: Where the script finds them.

        Returns:
            The input; it is named by its place in the step.
        """
        return self._unnamed().as_download(path_on_compute)

    def as_hdfs(self) -> DatasetConsumptionConfig:
        """Returns: an input of a Spark step."""
        return self._unnamed().as_hdfs()

    def _unnamed(self) -> DatasetConsumptionConfig:
        from scriptstep.data.consumption import DatasetConsumptionConfig

        return DatasetConsumptionConfig(None, self)

    def to_path(self) -> list[str]:
        """Returns: the names of its files, each with a leading `/`."""
        return [f"/{name}" for name, _ in materialize(self._definition, self._resolve)]

    def download(
        self, target_path: str | None = None, overwrite: bool = False, ignore_not_found: bool = False
    ) -> list[str]:
        """Copies its files.

        Args:
            target_path: The folder to copy to; None for a new one.
            overwrite: Whether files that are there are replaced.
            ignore_not_found: Whether it may stand for no file.

        Returns:
            The paths of the copies.

        Raises:
            UserErrorException: There is no file, or one is there already.
        """
        files = materialize(self._definition, self._resolve)
        if not files and not ignore_not_found:
            raise UserErrorException(f"there is no file to download: {self!r}")
        target = Path(target_path or tempfile.mkdtemp(prefix="scriptstep-data-"))
        copies = [target / name for name, _ in files]
        taken = [copy for copy in copies if os.path.lexists(copy)]
        if taken and not overwrite:
            raise UserErrorException(f"download: {taken[0]} is there already", help="download(..., overwrite=True)")
        pairs = [(file, copy) for copy, (_, file) in zip(copies, files.fetch(), strict=True)]
        transfer(copy_jobs(pairs, "download"), "download")
        return [str(copy) for copy in copies]

    def mount(self, mount_point: str | None = None, **kwargs: Any) -> MountContext:
        """Lays its files out in a folder, without copying them.

        Args:
            mount_point: The folder; None for a new one.
            **kwargs: As in the SDK, not used.

        Returns:
            A context manager with `mount_point`, `start()` and `stop()`.
        """
        return MountContext(materialize(self._definition, self._resolve).fetch(), mount_point)

    as_cache = absent("as_cache", "use as_mount(): what is read is kept by the system")
    hydrate = absent("hydrate", "use as_mount(): what is read is kept by the system")

    def file_metadata(self, col: str) -> Column:
        """Names what is known of each file, for a condition: `files.filter(files.file_metadata("Size") > 0)`.

        Args:
            col: "Size" in bytes, "LastModifiedTime", a datetime in UTC, or "Extension", e.g. ".csv".

        Raises:
            ArgumentError: It is something else.
        """
        if col not in FILE_FACTS:
            raise ArgumentError(f"file_metadata: there is no {col!r}; there are {', '.join(FILE_FACTS)}")
        return Column(col)


class TabularDataset(AbstractDataset):
    """A table. Made by `Dataset.Tabular`."""

    _kind = "tabular"

    def to_pandas_dataframe(self, on_error: str = "null", out_of_range_datetime: str = "null") -> pandas.DataFrame:
        """Reads it.

        Args:
            on_error: "null" or "fail": what becomes of values that cannot be read; they are missing here.
            out_of_range_datetime: The same for times.

        Returns:
            The table.

        Raises:
            UserErrorException: It cannot be read, or pandas is not installed.
        """
        from scriptstep.data.tabular import read_tabular

        return read_tabular(self._definition, self._resolve)

    def keep_columns(self, columns: str | list[str], validate: bool = False) -> TabularDataset:
        """Returns: it with these columns alone, in their order in the files.

        Args:
            columns: A name, or names.
            validate: Whether to read it now, to see that they are there.
        """
        kept = self._changed("keep_columns", columns=column_names(columns, "keep_columns"))
        if validate:
            kept.take(1).to_pandas_dataframe()
        return kept

    def drop_columns(self, columns: str | list[str]) -> TabularDataset:
        """Returns: it without these columns.

        Args:
            columns: A name, or names.
        """
        return self._changed("drop_columns", columns=column_names(columns, "drop_columns"))

    # --- times

    @property
    def timestamp_columns(self) -> tuple[str | None, str | None]:
        """Returns: the columns with the time of a row, and of its partition; None where there is none."""
        for operation in reversed(self._definition["transformations"]):
            if operation["op"] == "timestamp":
                return operation.get("timestamp"), operation.get("partition_timestamp")
        return None, None

    def with_timestamp_columns(
        self,
        timestamp: str | None = None,
        partition_timestamp: str | None = None,
        validate: bool = False,
        **kwargs: Any,
    ) -> TabularDataset:
        """Says which column holds the time of a row.

        Args:
            timestamp: The column.
            partition_timestamp: A coarser one, from the paths of the files.
            validate: Whether to read it now, to see that they are there.
            **kwargs: `fine_grain_timestamp` and `coarse_grain_timestamp`, the older names.

        Returns:
            It, with `time_after` and the like.

        Raises:
            UserErrorException: A column is not there.
        """
        fine = timestamp or kwargs.get("fine_grain_timestamp")
        coarse = partition_timestamp or kwargs.get("coarse_grain_timestamp")
        named = {key: name for key, name in (("timestamp", fine), ("partition_timestamp", coarse)) if name}
        changed = self._changed("timestamp", **named)
        if validate:
            there = changed.take(1).to_pandas_dataframe().columns
            for name in named.values():
                if name not in there:
                    raise UserErrorException(f"with_timestamp_columns: there is no column {name!r}")
        return changed

    def time_after(self, start_time: datetime, include_boundary: bool = True, validate: bool = True) -> TabularDataset:
        """Returns: its rows from a time on.

        Args:
            start_time: The time.
            include_boundary: Whether a row of that very time belongs.
            validate: As in the SDK, not used.
        """
        return self._between("time_after", start_time, None, include_boundary)

    def time_before(self, end_time: datetime, include_boundary: bool = True, validate: bool = True) -> TabularDataset:
        """Returns: its rows up to a time.

        Args:
            end_time: The time.
            include_boundary: Whether a row of that very time belongs.
            validate: As in the SDK, not used.
        """
        return self._between("time_before", None, end_time, include_boundary)

    def time_between(
        self, start_time: datetime, end_time: datetime, include_boundary: bool = True, validate: bool = True
    ) -> TabularDataset:
        """Returns: its rows between two times.

        Args:
            start_time: The first time.
            end_time: The last one.
            include_boundary: Whether a row of one of these times belongs.
            validate: As in the SDK, not used.
        """
        return self._between("time_between", start_time, end_time, include_boundary)

    def time_recent(
        self, time_delta: timedelta, include_boundary: bool = True, validate: bool = True
    ) -> TabularDataset:
        """Returns: its rows of the time just past: counted from now, so each call makes another dataset.

        Args:
            time_delta: How long ago at most.
            include_boundary: Whether a row of that very time belongs.
            validate: As in the SDK, not used.
        """
        since = datetime.now(timezone.utc).replace(tzinfo=None) - time_delta
        return self._between("time_recent", since, None, include_boundary)

    def _between(self, what: str, after: Any, before: Any, include: bool) -> TabularDataset:
        column = next((name for name in self.timestamp_columns if name), None)
        if column is None:
            raise DatasetTimestampMissingError(
                f"{what}: the dataset has no timestamp column", help="name it: dataset.with_timestamp_columns('time')"
            )
        bounds: dict[str, str] = {}
        for key, bound in (("after", after), ("before", before)):
            if bound is not None:
                if not isinstance(bound, datetime):
                    raise ArgumentError(f"{what}: a bound must be a datetime, not {bound!r}")
                plain = bound.astimezone(timezone.utc).replace(tzinfo=None) if bound.tzinfo else bound
                bounds[key] = plain.isoformat()
        return self._changed("time", column=column, include=bool(include), **bounds)

    def partition_by(
        self,
        partition_keys: list[str],
        target: Any,
        name: str | None = None,
        show_progress: bool = True,
        partition_as_file_dataset: bool = False,
    ) -> Any:
        """Writes it to a datastore, the rows of each combination of values into a folder of their own.

        Args:
            partition_keys: The columns; their values are in the paths, and not in the files.
            target: A `DataPath`, a (datastore, path) pair or a datastore.
            name: What to register it as; None not to.
            show_progress: Not needed here.
            partition_as_file_dataset: Whether to return the files instead of the table.

        Returns:
            A table, or files, with these columns as `partition_keys`.

        Raises:
            ArgumentError: There is no such column, or `target` is something else.
        """
        from scriptstep.data.partitioning import partitioned

        return partitioned(self, partition_keys, target, name, partition_as_file_dataset)

    def download(self, stream_column: str, *args: Any, **kwargs: Any) -> list[str]:
        """Tables have no columns that point at files here.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("a table has no files to download: use to_pandas_dataframe(), or a FileDataset")

    mount = absent("TabularDataset.mount", "use to_pandas_dataframe(), or a FileDataset")
    get_profile = absent("get_profile", "use to_pandas_dataframe().describe()")
    get_profile_runs = absent("get_profile_runs", "use to_pandas_dataframe().describe()")
    submit_profile_run = absent("submit_profile_run", "use to_pandas_dataframe().describe()")
    to_csv_files = absent("to_csv_files", "use to_pandas_dataframe().to_csv(...)")
    to_parquet_files = absent("to_parquet_files", "use to_pandas_dataframe().to_parquet(...)")
    to_dask_dataframe = absent("to_dask_dataframe", "use to_pandas_dataframe()")
    to_spark_dataframe = absent("to_spark_dataframe", "use to_pandas_dataframe()")
