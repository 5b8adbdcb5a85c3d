"""How files are read as a table: options under the SDK's names, kept only where they differ from the default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from scriptstep.errors import ArgumentError, ArgumentTypeError
from scriptstep.graph import JSON

__all__ = [
    "DataType",
    "PromoteHeadersBehavior",
    "column_names",
    "delimited_options",
    "json_lines_options",
    "parquet_options",
]


class PromoteHeadersBehavior(Enum):
    """Which lines of delimited files name the columns."""

    NO_HEADERS = 0
    ONLY_FIRST_FILE_HAS_HEADERS = 1
    COMBINE_ALL_FILES_HEADERS = 2
    ALL_FILES_HAVE_SAME_HEADERS = 3


_HEADERS = {
    PromoteHeadersBehavior.NO_HEADERS: "none",
    PromoteHeadersBehavior.ONLY_FIRST_FILE_HAS_HEADERS: "first",
    PromoteHeadersBehavior.COMBINE_ALL_FILES_HEADERS: "combine",
    PromoteHeadersBehavior.ALL_FILES_HAVE_SAME_HEADERS: "same",
}


class DataType:
    """What a column is to be read as; made by the methods below."""

    def __init__(self, kind: str = "string", **details: JSON) -> None:
        self._document: dict[str, JSON] = {"type": kind, **{k: v for k, v in details.items() if v is not None}}

    @staticmethod
    def to_string() -> DataType:
        """Returns: text."""
        return DataType("string")

    @staticmethod
    def to_long() -> DataType:
        """Returns: whole numbers."""
        return DataType("long")

    @staticmethod
    def to_float(decimal_mark: str = ".") -> DataType:
        """Returns: numbers.

        Args:
            decimal_mark: "." or ",".
        """
        if decimal_mark not in (".", ","):
            raise ArgumentError(f"DataType.to_float: decimal_mark must be '.' or ',', not {decimal_mark!r}")
        return DataType("float", decimal_mark=None if decimal_mark == "." else decimal_mark)

    @staticmethod
    def to_bool() -> DataType:
        """Returns: true or false."""
        return DataType("bool")

    @staticmethod
    def to_datetime(formats: str | Sequence[str] | None = None) -> DataType:
        """Returns: times.

        Args:
            formats: How they are spelled, as for `strptime`; None to find out.
        """
        several = [formats] if isinstance(formats, str) else list(formats or ())
        return DataType("datetime", formats=several or None)

    @staticmethod
    def to_stream(workspace: Any, escaped: bool = False) -> DataType:
        """Columns that point at files on the service.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("DataType.to_stream is not there: read the column as text and open the files")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DataType) and self._document == other._document

    def __hash__(self) -> int:
        return hash(repr(self._document))

    def __repr__(self) -> str:
        return f"DataType({self._document})"


def column_names(columns: Any, what: str) -> list[str]:
    """Checks names of columns.

    Args:
        columns: A name, or a list of names.
        what: What they are given to, for the message.

    Returns:
        The names.

    Raises:
        ArgumentTypeError: They are something else.
    """
    names = [columns] if isinstance(columns, str) else columns
    if not isinstance(names, (list, tuple)) or not names or not all(isinstance(name, str) for name in names):
        raise ArgumentTypeError(f"{what}: columns must be a name or a list of names, not {columns!r}")
    return list(names)


def delimited_options(
    include_path: bool = False,
    separator: str = ",",
    header: Any = True,
    partition_format: str | None = None,
    set_column_types: Mapping[str, DataType] | None = None,
    infer_column_types: bool | Mapping[str, Any] = True,
    support_multi_line: bool = False,
    empty_as_string: bool = False,
    encoding: str = "utf8",
    file_glob: str | None = None,
) -> dict[str, JSON]:
    """Writes down how delimited files are read; the defaults are the SDK's, and are left out.

    Args:
        include_path: Whether each row tells which file it is from, in a column `Path`.
        separator: What stands between columns.
        header: Whether, or in which files, the first line names the columns.
        partition_format: Columns that the paths of the files hold.
        set_column_types: What columns are read as.
        infer_column_types: Whether the others are read as what they look like, else as text.
        support_multi_line: Whether a quoted value may hold a line break.
        empty_as_string: Whether an empty value is empty text, else missing.
        encoding: Of the files.
        file_glob: Which files of a folder are read.

    Returns:
        The options, as plain data.

    Raises:
        ArgumentError: One of them cannot be.
    """
    if not separator:
        raise ArgumentError("separator must be text that is not empty")
    if isinstance(infer_column_types, Mapping):
        # The SDK's {"sample_size": n, ...}: all rows are looked at here.
        infer_column_types = True
    given = {
        "header": (_header(header), "same"),
        "separator": (separator, ","),
        "infer_column_types": (bool(infer_column_types), True),
        "support_multi_line": (bool(support_multi_line), False),
        "empty_as_string": (bool(empty_as_string), False),
        "encoding": (encoding, "utf8"),
    }
    options = {name: value for name, (value, default) in given.items() if value != default}
    return options | _shared(include_path, partition_format, set_column_types, file_glob)


def parquet_options(
    include_path: bool = False,
    partition_format: str | None = None,
    set_column_types: Mapping[str, DataType] | None = None,
    file_glob: str | None = None,
) -> dict[str, JSON]:
    """Writes down how Parquet files are read; the arguments are those of `delimited_options`."""
    return _shared(include_path, partition_format, set_column_types, file_glob)


def json_lines_options(
    include_path: bool = False,
    set_column_types: Mapping[str, DataType] | None = None,
    partition_format: str | None = None,
    invalid_lines: str = "error",
    encoding: str = "utf8",
) -> dict[str, JSON]:
    """Writes down how files of JSON lines are read; the arguments are those of `delimited_options`.

    Raises:
        ArgumentError: `invalid_lines` is neither "error" nor "drop".
    """
    if invalid_lines not in ("error", "drop"):
        raise ArgumentError(f"invalid_lines must be 'error' or 'drop', not {invalid_lines!r}")
    options: dict[str, JSON] = {} if invalid_lines == "error" else {"invalid_lines": invalid_lines}
    if encoding != "utf8":
        options["encoding"] = encoding
    return options | _shared(include_path, partition_format, set_column_types, None)


def _shared(
    include_path: bool, partition_format: str | None, types: Mapping[str, DataType] | None, file_glob: str | None
) -> dict[str, JSON]:
    options: dict[str, JSON] = {}
    if include_path:
        options["include_path"] = True
    if partition_format:
        options["partition_format"] = str(partition_format)
    if types:
        options["set_column_types"] = {str(name): _column_type(name, kind) for name, kind in types.items()}
    if file_glob:
        options["file_glob"] = str(file_glob)
    return options


def _column_type(name: object, kind: object) -> dict[str, JSON]:
    if not isinstance(kind, DataType):
        raise ArgumentTypeError(
            f"set_column_types: column {name!r} must be a DataType, not {kind!r}",
            help="for example DataType.to_float()",
        )
    return dict(kind._document)


def _header(header: Any) -> str:
    if isinstance(header, bool):
        return "same" if header else "none"
    if isinstance(header, PromoteHeadersBehavior):
        return _HEADERS[header]
    raise ArgumentTypeError(f"header must be a bool or a PromoteHeadersBehavior, not {header!r}")
