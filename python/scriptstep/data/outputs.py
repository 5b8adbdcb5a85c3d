"""Outputs of steps that are datasets: where they are kept, how they are read on, what they are registered as."""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from scriptstep.data.definition import read_operation
from scriptstep.data.paths import DataPath, datastore_name, relative_path
from scriptstep.data.reading import DataType, column_names, delimited_options, parquet_options
from scriptstep.data.references import DataReference
from scriptstep.errors import ArgumentError, ArgumentTypeError
from scriptstep.graph import JSON

if TYPE_CHECKING:
    from typing_extensions import Self

    from scriptstep.data.consumption import DatasetConsumptionConfig

__all__ = [
    "OUTPUT_TOKEN",
    "HDFSOutputDatasetConfig",
    "LinkFileOutputDatasetConfig",
    "LinkTabularOutputDatasetConfig",
    "OutputDatasetConfig",
    "OutputFileDatasetConfig",
    "OutputTabularDatasetConfig",
    "Origin",
    "RegistrationConfiguration",
    "TransformationMixin",
    "UploadOptions",
]

# In an argument, before the name of an output, it stands for where it is to be written.
OUTPUT_TOKEN = "DatasetOutputConfig:"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Tells outputs without a name apart in text; never part of what is kept.
_tokens = itertools.count(1)


class RegistrationConfiguration:
    """What an output is registered as when its step ends.

    Args:
        name: As what.
        description: In the user's words.
        tags: Names and values.

    Raises:
        ArgumentError: The name is empty.
    """

    def __init__(self, name: str, description: str | None, tags: Mapping[str, Any] | None) -> None:
        if not name:
            raise ArgumentError("register_on_complete: name is empty")
        if not isinstance(name, str):
            raise ArgumentTypeError(f"register_on_complete: name must be text, not {name!r}")
        self.name = name
        self.description = description
        self.tags = {str(key): str(value) for key, value in (tags or {}).items()}


class UploadOptions:
    """How an output is uploaded.

    Args:
        overwrite: Whether what is there is replaced.
        source_globs: Which files; None for all.
    """

    def __init__(self, overwrite: bool = False, source_globs: Any = None) -> None:
        self.overwrite = overwrite
        self.source_globs = source_globs


class Origin:
    """What the copies of one output have in common: the step that writes it.

    Attributes:
        producer_step: The step, once there is one; the last one that was declared.
    """

    __slots__ = ("producer_step",)

    def __init__(self) -> None:
        self.producer_step: Any = None


class OutputDatasetConfig:
    """An output of a step that is a dataset.

    Its methods leave it as it is and return a copy; all copies are the same output.

    Args:
        mode: "mount", "upload", "link" or "hdfs".
        name: Of the output; None for the name of its place in the step.
        **kwargs: As in the SDK, not used.

    Raises:
        ArgumentError: The name cannot be.
    """

    _kind = "file_dataset"

    def __init__(self, mode: str, name: str | None = None, **kwargs: Any) -> None:
        self.mode = mode
        self._name = None if name is None else _output_name(name)
        self._token = self._name or f"output__{next(_tokens)}"
        self._registration: RegistrationConfiguration | None = None
        self._origin = Origin()
        self._reading: tuple[JSON, ...] = ()
        self.destination: Any = None
        self.source: str | None = None
        self._datastore: Any = None
        self._path: str | None = None
        self._upload_options: UploadOptions | None = None

    @property
    def name(self) -> str | None:
        """Returns: the name; None where it is named by its place in the step."""
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        self._name = self._token = _output_name(name)

    @property
    def arg_val(self) -> str:
        """Returns: text that stands for the output's path anywhere in an argument of the step."""
        return OUTPUT_TOKEN + self._token

    def as_input(self, name: str | None = None) -> DatasetConsumptionConfig:
        """Makes it an input of another step.

        Args:
            name: Of the input; None for the name of its place in that step.

        Returns:
            The input: the folder that was written; of a table, the table.
        """
        from scriptstep.data.consumption import DatasetConsumptionConfig

        made = DatasetConsumptionConfig(name, self, "direct" if self._kind == "tabular_dataset" else "mount")
        made._mode_given = False
        return made

    def as_named_input(self, name: str) -> DatasetConsumptionConfig:
        """Makes it an input of another step.

        Args:
            name: Of the input.

        Returns:
            The input, as of `as_input`.
        """
        return self.as_input(name)

    def register_on_complete(
        self, name: str, description: str | None = None, tags: Mapping[str, Any] | None = None
    ) -> Self:
        """Has it registered as a dataset when its step ends.

        Args:
            name: As what.
            description: In your words.
            tags: Names and values.

        Returns:
            This output, to be registered.

        Raises:
            ArgumentError: The name is empty.
        """
        other = self._copy()
        other._registration = RegistrationConfiguration(name, description, tags)
        return other

    def _copy(self) -> Self:
        return copy.copy(self)

    def _registered_as(self) -> dict[str, JSON] | None:
        """Returns: `OutputSpec.registration`."""
        if self._registration is None:
            return None
        first = self._reading[0] if self._reading else {"format": "files", "options": {}}
        return {
            "name": self._registration.name,
            "description": self._registration.description,
            "tags": self._registration.tags,
            "kind": "tabular" if self._reading else "file",
            "format": first["format"],
            "options": first["options"],
            "transformations": list(self._reading[1:]),
            "create_new_version": True,
        }

    def __str__(self) -> str:
        return self.arg_val

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._name!r})"


class TransformationMixin:
    """What is written as files is read further on as a table."""

    def read_delimited_files(
        self,
        include_path: bool = False,
        separator: str = ",",
        header: Any = True,
        partition_format: str | None = None,
        path_glob: str | None = None,
        set_column_types: Mapping[str, DataType] | None = None,
    ) -> OutputTabularDatasetConfig:
        """Has the files read as delimited ones.

        Args:
            include_path: Whether each row tells which file it is from, in a column `Path`.
            separator: What stands between columns.
            header: Whether, or in which files, the first line names the columns.
            partition_format: Columns that the paths of the files hold.
            path_glob: Which files; None for all.
            set_column_types: What columns are read as.

        Returns:
            This output, as a table.
        """
        options = delimited_options(
            include_path, separator, header, partition_format, set_column_types, file_glob=path_glob
        )
        return _tabular(self, read_operation("delimited", options))

    def read_parquet_files(
        self,
        include_path: bool = False,
        partition_format: str | None = None,
        path_glob: str | None = None,
        set_column_types: Mapping[str, DataType] | None = None,
    ) -> OutputTabularDatasetConfig:
        """Has the files read as Parquet ones.

        Args:
            include_path: Whether each row tells which file it is from, in a column `Path`.
            partition_format: Columns that the paths of the files hold.
            path_glob: Which files; None for all.
            set_column_types: What columns are read as.

        Returns:
            This output, as a table.
        """
        return _tabular(
            self,
            read_operation("parquet", parquet_options(include_path, partition_format, set_column_types, path_glob)),
        )


class OutputFileDatasetConfig(OutputDatasetConfig, TransformationMixin):
    """A folder that a step writes, as a dataset of files.

    Args:
        name: Of the output; None for the name of its place in the step.
        destination: Where it is kept besides: (datastore, path), where the path may hold `{run-id}` and
            `{output-name}`; None for the default datastore's own place.
        source: Where the script writes it; None for a folder that it is given.
        partition_format: Columns that the paths of the files hold.

    Raises:
        ArgumentError: The name or the destination cannot be.
    """

    def __init__(
        self,
        name: str | None = None,
        destination: Any = None,
        source: str | None = None,
        partition_format: str | None = None,
    ) -> None:
        super().__init__("mount", name)
        self.destination = destination
        self.source = source
        self._datastore, self._path = _destination(destination)
        self._partition_format = partition_format

    def as_mount(self, disable_metadata_cache: bool = False) -> Self:
        """Returns: this output, written where it is kept.

        Args:
            disable_metadata_cache: As in the SDK, not needed here.
        """
        return self._with_mode("mount", None)

    def as_upload(self, overwrite: bool = False, source_globs: Any = None) -> Self:
        """Returns: this output, taken to where it is kept when the step ends.

        Args:
            overwrite: Whether what is there is replaced.
            source_globs: Which files; only None, all of them, is there.

        Raises:
            NotImplementedError: `source_globs` is given.
        """
        if source_globs is not None:
            raise NotImplementedError(
                "as_upload(source_globs=...) is not there: write into the output only what is to stay"
            )
        return self._with_mode("upload", UploadOptions(overwrite, source_globs))

    def _with_mode(self, mode: str, options: UploadOptions | None) -> Self:
        other = self._copy()
        other.mode, other._upload_options = mode, options
        return other

    def _registered_as(self) -> dict[str, JSON] | None:
        made = super()._registered_as()
        if made is not None and self._partition_format:
            made["options"] = {**made["options"], "partition_format": self._partition_format}
        return made


class OutputTabularDatasetConfig(OutputDatasetConfig):
    """A folder that a step writes, as a table. Made by `OutputFileDatasetConfig.read_delimited_files` and the like.

    Args:
        **kwargs: `output_file_dataset_config` and `reading`.

    Raises:
        ArgumentError: It is made in another way.
    """

    _kind = "tabular_dataset"

    def __init__(self, **kwargs: Any) -> None:
        files = kwargs.get("output_file_dataset_config")
        if not isinstance(files, OutputDatasetConfig):
            raise ArgumentError(
                "OutputTabularDatasetConfig() is not how it is made",
                help="use OutputFileDatasetConfig(...).read_delimited_files() or .read_parquet_files()",
            )
        self.__dict__.update(files.__dict__)
        self._output_file_dataset_config = files
        self._reading = (*files._reading, *kwargs.get("reading", ()))

    def as_mount(self) -> Self:
        """Returns: this output, written where it is kept."""
        other = self._copy()
        other.mode = "mount"
        return other

    def as_upload(self, overwrite: bool = False, source_globs: Any = None) -> Self:
        """Returns: this output, taken to where it is kept when the step ends; arguments as for files."""
        if source_globs is not None:
            raise NotImplementedError(
                "as_upload(source_globs=...) is not there: write into the output only what is to stay"
            )
        other = self._copy()
        other.mode, other._upload_options = "upload", UploadOptions(overwrite)
        return other

    def keep_columns(self, columns: str | list[str]) -> Self:
        """Returns: this table with these columns alone.

        Args:
            columns: A name, or names.
        """
        return self._reads({"op": "keep_columns", "columns": column_names(columns, "keep_columns")})

    def drop_columns(self, columns: str | list[str]) -> Self:
        """Returns: this table without these columns.

        Args:
            columns: A name, or names.
        """
        return self._reads({"op": "drop_columns", "columns": column_names(columns, "drop_columns")})

    def random_split(self, percentage: float, seed: int | None = None) -> tuple[Self, Self]:
        """Splits the table in two.

        Args:
            percentage: About what share of the rows the first one gets, above 0 and below 1.
            seed: The same seed splits it the same way; None is a seed too.

        Returns:
            The two; together they are all rows.
        """
        if not 0 < percentage < 1:
            raise ArgumentError(f"random_split: the share must be above 0 and below 1, not {percentage!r}")
        one, other = (
            self._reads({"op": "split", "percentage": float(percentage), "seed": seed, "part": part}) for part in (0, 1)
        )
        return one, other

    def _reads(self, operation: JSON) -> Self:
        other = self._copy()
        other._reading = (*self._reading, operation)
        return other


class HDFSOutputDatasetConfig(OutputDatasetConfig, TransformationMixin):
    """An output of a Spark step; a step that runs here refuses it.

    Args:
        name: Of the output.
        destination: Where it is kept.
    """

    def __init__(self, name: str | None = None, destination: Any = None) -> None:
        super().__init__("hdfs", name)
        self.destination = destination
        self._datastore, self._path = _destination(destination)


class LinkFileOutputDatasetConfig(OutputDatasetConfig):
    """An output that points at files elsewhere; a step that runs here refuses it.

    Args:
        name: Of the output.
    """

    def __init__(self, name: str | None = None) -> None:
        super().__init__("link", name)


class LinkTabularOutputDatasetConfig(OutputDatasetConfig):
    """An output that points at a table elsewhere; a step that runs here refuses it.

    Args:
        name: Of the output.
    """

    def __init__(self, name: str | None = None) -> None:
        super().__init__("link", name)


def _tabular(files: Any, reading: JSON) -> OutputTabularDatasetConfig:
    return OutputTabularDatasetConfig(output_file_dataset_config=files, reading=(reading,))


def _output_name(name: Any) -> str:
    if not isinstance(name, str):
        raise ArgumentTypeError(f"the name of an output must be text, not {name!r}")
    if not _NAME.fullmatch(name):
        raise ArgumentError(
            f"the name of an output must hold letters, digits and underscores, and begin with no digit: {name!r}",
            help=f"for example {re.sub(r'[^0-9A-Za-z_]+', '_', name).strip('_').lstrip('0123456789') or 'data'!r}",
        )
    return name


def _destination(destination: Any) -> tuple[str | None, str | None]:
    """Returns: the datastore's name, and the path there; None for its own place."""
    what = "OutputFileDatasetConfig: destination"
    if destination is None:
        return None, None
    if isinstance(destination, (DataPath, DataReference)):
        return destination._datastore_name, destination._path or None
    if isinstance(destination, (tuple, list)) and len(destination) == 2:
        return datastore_name(destination[0], what), relative_path(destination[1], what) or None
    raise ArgumentTypeError(f"{what} must be (datastore, path), not {destination!r}")
