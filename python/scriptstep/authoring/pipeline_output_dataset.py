"""What a step writes, as a dataset: `PipelineData.as_dataset()` and what can be made of it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from scriptstep.authoring.pipeline_data import PipelineData
from scriptstep.data.definition import read_operation
from scriptstep.data.reading import DataType, column_names, delimited_options, parquet_options
from scriptstep.errors import ArgumentError, ArgumentTypeError
from scriptstep.graph import DATA_VARIABLE, JSON, InputPortBinding, port_name

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "DatasetRegistration",
    "PipelineOutputAbstractDataset",
    "PipelineOutputFileDataset",
    "PipelineOutputTabularDataset",
]


class DatasetRegistration:
    """What an output is registered as when its step ends.

    Args:
        name: As what.
        create_new_version: Whether another content under that name makes a new version.
    """

    def __init__(self, name: str, create_new_version: bool) -> None:
        self.name = name
        self.create_new_version = create_new_version


class PipelineOutputAbstractDataset:
    """What a step writes, as a dataset. Its methods leave it as it is and return a copy.

    Args:
        pipeline_data: What is written.

    Raises:
        ArgumentTypeError: It is no `PipelineData`.
    """

    _tabular = False

    def __init__(self, pipeline_data: PipelineData) -> None:
        if not isinstance(pipeline_data, PipelineData):
            raise ArgumentTypeError(f"{type(self).__name__} is made of a PipelineData, not of {pipeline_data!r}")
        self._pipeline_data = pipeline_data
        self._registration_name: str | None = None
        self._create_new_version: bool | None = None
        self._input_mode = "mount"
        self._input_name = pipeline_data.name
        self._input_path_on_compute: str | None = None
        self._mode_given = self._name_given = False
        self._reading: tuple[JSON, ...] = ()

    @property
    def name(self) -> str:
        """Returns: the name of the data."""
        return self._pipeline_data.name

    @property
    def input_name(self) -> str:
        """Returns: the name that it has as an input."""
        return self._input_name

    def as_named_input(self, name: str) -> Self:
        """Returns: this dataset, as an input of that name.

        Args:
            name: `run.input_datasets[name]`, and a variable of the script's environment.

        Raises:
            ArgumentError: The name cannot be.
        """
        other = copy.copy(self)
        other._input_name, other._name_given = port_name(name, f"as_named_input of '{self.name}'"), True
        return other

    def register(self, name: str, create_new_version: bool = True) -> Self:
        """Has it registered as a dataset when its step ends.

        Args:
            name: As what.
            create_new_version: Whether another content under that name makes a new version; the same one never does.

        Returns:
            This dataset, to be registered.

        Raises:
            ArgumentError: The name is empty.
        """
        if not name or not isinstance(name, str):
            raise ArgumentError(f"register of '{self.name}': name must be text that is not empty, not {name!r}")
        other = copy.copy(self)
        other._registration_name, other._create_new_version = name, bool(create_new_version)
        return other

    def create_input_binding(self) -> InputPortBinding:
        """Returns: it, as an input of a step."""
        binding = InputPortBinding(self._input_name, self, self._input_mode, self._input_path_on_compute)
        binding._mode_given = self._mode_given
        return binding

    def _registered_as(self) -> dict[str, JSON] | None:
        """Returns: `OutputSpec.registration`."""
        if self._registration_name is None:
            return None
        first = self._reading[0] if self._reading else {"format": "files", "options": {}}
        return {
            "name": self._registration_name,
            "description": None,
            "tags": {},
            "kind": "tabular" if self._reading else "file",
            "format": first["format"],
            "options": first["options"],
            "transformations": list(self._reading[1:]),
            "create_new_version": bool(self._create_new_version),
        }

    def __str__(self) -> str:
        return f"${DATA_VARIABLE}{self.name}"

    __repr__ = __str__


class PipelineOutputFileDataset(PipelineOutputAbstractDataset):
    """What a step writes, as a dataset of files.

    Args:
        pipeline_data: What is written.
    """

    def as_mount(self, path_on_compute: str | None = None) -> Self:
        """Returns: this dataset, for a script that reads it where it lies.

        Args:
            path_on_compute: Where the script finds it.
        """
        return self._with_mode("mount", path_on_compute)

    def as_download(self, path_on_compute: str | None = None) -> Self:
        """Returns: this dataset, for a script that gets a copy.

        Args:
            path_on_compute: Where the script finds it.
        """
        return self._with_mode("download", path_on_compute)

    def as_direct(self) -> Self:
        """Returns: this dataset, for a script that gets it as a dataset."""
        return self._with_mode("direct", None)

    def _with_mode(self, mode: str, path_on_compute: str | None) -> Self:
        other = copy.copy(self)
        other._input_mode, other._input_path_on_compute, other._mode_given = mode, path_on_compute, True
        return other

    def parse_delimited_files(
        self,
        include_path: bool = False,
        separator: str = ",",
        header: Any = True,
        partition_format: str | None = None,
        file_extension: str = "",
        set_column_types: Mapping[str, DataType] | None = None,
        quoted_line_breaks: bool = False,
    ) -> PipelineOutputTabularDataset:
        """Has the files read as delimited ones.

        Args:
            include_path: Whether each row tells which file it is from, in a column `Path`.
            separator: What stands between columns.
            header: Whether, or in which files, the first line names the columns.
            partition_format: Columns that the paths of the files hold.
            file_extension: How the names of the files end; empty for all.
            set_column_types: What columns are read as.
            quoted_line_breaks: Whether a quoted value may hold a line break; it always may here.

        Returns:
            This dataset, as a table.
        """
        options = delimited_options(
            include_path,
            separator,
            header,
            partition_format,
            set_column_types,
            support_multi_line=quoted_line_breaks,
            file_glob=_ending(file_extension),
        )
        return PipelineOutputTabularDataset(self, (read_operation("delimited", options),))

    def parse_parquet_files(
        self,
        include_path: bool = False,
        partition_format: str | None = None,
        file_extension: str = ".parquet",
        set_column_types: Mapping[str, DataType] | None = None,
    ) -> PipelineOutputTabularDataset:
        """Has the files read as Parquet ones.

        Args:
            include_path: Whether each row tells which file it is from, in a column `Path`.
            partition_format: Columns that the paths of the files hold.
            file_extension: How the names of the files end; empty for all.
            set_column_types: What columns are read as.

        Returns:
            This dataset, as a table.
        """
        options = parquet_options(include_path, partition_format, set_column_types, _ending(file_extension))
        return PipelineOutputTabularDataset(self, (read_operation("parquet", options),))


class PipelineOutputTabularDataset(PipelineOutputAbstractDataset):
    """What a step writes, as a table. Made by `PipelineOutputFileDataset.parse_delimited_files` and the like.

    Args:
        pipeline_output_dataset: The files.
        additional_transformations: How they are read as a table.
    """

    _tabular = True

    def __init__(self, pipeline_output_dataset: PipelineOutputAbstractDataset, additional_transformations: Any) -> None:
        if not isinstance(pipeline_output_dataset, PipelineOutputAbstractDataset):
            raise ArgumentTypeError(
                f"PipelineOutputTabularDataset is made of PipelineData.as_dataset(), not of {pipeline_output_dataset!r}"
            )
        self.__dict__.update(pipeline_output_dataset.__dict__)
        self._pipeline_output_dataset = pipeline_output_dataset
        self._reading = tuple(additional_transformations)
        self._input_mode, self._mode_given, self._input_path_on_compute = "direct", True, None

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

        Raises:
            ArgumentError: The share cannot be.
        """
        if not 0 < percentage < 1:
            raise ArgumentError(f"random_split: the share must be above 0 and below 1, not {percentage!r}")
        one, other = (
            self._reads({"op": "split", "percentage": float(percentage), "seed": seed, "part": part}) for part in (0, 1)
        )
        return one, other

    def _reads(self, operation: JSON) -> Self:
        other = copy.copy(self)
        other._reading = (*self._reading, operation)
        return other


def _ending(file_extension: str) -> str | None:
    if not file_extension:
        return None
    return f"*{file_extension if file_extension.startswith('.') else '.' + file_extension}"
