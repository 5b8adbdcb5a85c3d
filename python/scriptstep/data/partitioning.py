"""Tables written in parts, one for each combination of values of some columns."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scriptstep.data.reading import column_names
from scriptstep.data.tabular import needed
from scriptstep.errors import ArgumentError

if TYPE_CHECKING:
    from scriptstep.data.datasets import TabularDataset

__all__ = ["partitioned"]


def partitioned(table: TabularDataset, keys: Any, target: Any, name: str | None, as_files: bool) -> Any:
    """Writes a table in parts.

    Args:
        table: The table.
        keys: The columns whose values tell the parts apart.
        target: Where to: a `DataPath`, a (datastore, path) pair or a datastore.
        name: What to register the result as; None not to.
        as_files: Whether the result is a dataset of files.

    Returns:
        The table, or the files, with the columns in their paths.

    Raises:
        ArgumentError: A column is not there, or has a value that cannot stand in a path.
    """
    from scriptstep.data.dataset_factory import PART, FileDatasetFactory, TabularDatasetFactory, target_of

    needed("pyarrow", "partition_by")
    store, path = target_of(target, "partition_by")
    columns = column_names(keys, "partition_by")
    frame = table.to_pandas_dataframe()
    if missing := [column for column in columns if column not in frame.columns]:
        raise ArgumentError(f"partition_by: there is no column {missing[0]!r}")
    files: list[tuple[Path, str]] = []
    with tempfile.TemporaryDirectory(prefix="scriptstep-") as folder:
        for values, rows in frame.groupby(columns, sort=True, dropna=False):
            below = "/".join(_part(column, value) for column, value in zip(columns, values, strict=True))
            file = Path(folder, str(len(files)))
            rows.drop(columns=columns).to_parquet(file, engine="pyarrow", index=False)
            files.append((file, f"{path}/{below}/{PART}".lstrip("/")))
        store._put(files)
    spelled = "/".join(f"{{{column}}}" for column in columns) + f"/{PART}"
    factory: Any = FileDatasetFactory.from_files if as_files else TabularDatasetFactory.from_parquet_files
    made = factory((store, f"{path}/**".lstrip("/")), partition_format=f"/{spelled}")
    return made if name is None else made.register(store.workspace, name, create_new_version=True)


def _part(column: str, value: Any) -> str:
    text = str(value)
    if not text or "/" in text or text in (".", ".."):
        raise ArgumentError(f"partition_by: column {column!r} has the value {text!r}, which cannot stand in a path")
    return text
