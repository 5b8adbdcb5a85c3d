"""Places on datastores: a path, and how it is to be handed to a script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scriptstep.errors import ArgumentError, ArgumentTypeError
from scriptstep.graph import DataLocation

if TYPE_CHECKING:
    from scriptstep.data.references import DataReference

__all__ = ["DataPath", "DataPathComputeBinding", "datastore_name", "relative_path"]


def relative_path(path: Any, what: str) -> str:
    """Makes a path relative to its datastore, as the SDK does: a leading `/` is dropped.

    Args:
        path: The path, with `/` or backslashes; None for the root.
        what: What names it, for the message.

    Returns:
        The path with `/`; empty for the root.

    Raises:
        ArgumentError: It is no text, or leads out of the datastore.
    """
    if path is None:
        return ""
    if not isinstance(path, str):
        path = getattr(path, "__fspath__", lambda: None)()
        if not isinstance(path, str):
            raise ArgumentTypeError(f"{what} must be a path, as text")
    parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ArgumentError(f"{what} must not lead out by '..': {path!r}")
    return "/".join(parts)


def datastore_name(datastore: Any, what: str) -> str:
    """Finds the name of a datastore.

    Args:
        datastore: A datastore, or its name.
        what: What was given it, for the message.

    Returns:
        The name.

    Raises:
        ArgumentError: It is missing.
        ArgumentTypeError: It is neither.
    """
    if datastore is None:
        raise ArgumentError(f"{what}: datastore is missing", help="for example workspace.get_default_datastore()")
    name = datastore if isinstance(datastore, str) else getattr(datastore, "name", None)
    if not isinstance(name, str) or not name:
        raise ArgumentTypeError(f"{what}: datastore must be a datastore, not {datastore!r}")
    return name


def made_name(datastore: str, path: str) -> str:
    """Returns: a name for data that the user gave none, the same on every machine."""
    import hashlib

    return f"{datastore}_{hashlib.blake2s(path.encode('utf-8', 'surrogatepass'), digest_size=4).hexdigest()}"


class DataPath:
    """A file or folder on a datastore.

    Args:
        datastore: The datastore.
        path_on_datastore: The path there; None for all of it.
        name: What to call it.

    Raises:
        ArgumentError: The datastore is missing, or the path leads out of it.
    """

    def __init__(self, datastore: Any = None, path_on_datastore: str | None = None, name: str | None = None) -> None:
        self._datastore_name = datastore_name(datastore, "DataPath")
        self._datastore = datastore
        self._path = relative_path(path_on_datastore, "DataPath: path_on_datastore")
        self._path_on_datastore = path_on_datastore
        self._name = name or made_name(self._datastore_name, self._path)

    @property
    def datastore_name(self) -> str:
        """Returns: the datastore's name."""
        return self._datastore_name

    @property
    def path_on_datastore(self) -> str | None:
        """Returns: the path, as given."""
        return self._path_on_datastore

    def create_data_reference(
        self, data_reference_name: str | None = None, datapath_compute_binding: DataPathComputeBinding | None = None
    ) -> DataReference:
        """Refers to the data, for a step.

        Args:
            data_reference_name: What to call it; None for this path's name.
            datapath_compute_binding: How the script gets it.

        Returns:
            The reference.

        Raises:
            ArgumentError: The binding is missing.
        """
        from scriptstep.data.references import DataReference

        return DataReference.create(data_reference_name or self._name, self, datapath_compute_binding)

    @staticmethod
    def create_from_data_reference(data_reference: DataReference) -> DataPath:
        """Returns: the path that a reference points at."""
        return DataPath(data_reference.datastore, data_reference.path_on_datastore, data_reference.data_reference_name)

    def _spec_value(self) -> DataLocation:
        return DataLocation(self._datastore_name, self._path, self._name)

    def __repr__(self) -> str:
        return f"DataPath({self._datastore_name!r}, {self._path_on_datastore!r})"


class DataPathComputeBinding:
    """How a script gets a `DataPath`.

    Args:
        mode: "mount" or "download".
        path_on_compute: Where the script finds it.
        overwrite: Whether a file that is there is replaced.

    Raises:
        ArgumentError: There is no such mode.
    """

    def __init__(self, mode: str = "mount", path_on_compute: str | None = None, overwrite: bool = False) -> None:
        if mode not in ("mount", "download"):
            raise ArgumentError(f"DataPathComputeBinding: mode must be 'mount' or 'download', not {mode!r}")
        self._mode = mode
        self._path_on_compute = path_on_compute
        self._overwrite = overwrite

    def create_data_reference(
        self, data_reference_name: str | None = None, datapath: DataPath | None = None
    ) -> DataReference:
        """Refers to data that is got this way, for a step.

        Args:
            data_reference_name: What to call it; None for the path's name.
            datapath: The data.

        Returns:
            The reference.

        Raises:
            ArgumentError: The data is missing.
        """
        from scriptstep.data.references import DataReference

        return DataReference.create(data_reference_name, datapath, self)

    @staticmethod
    def create_from_data_reference(data_reference: DataReference) -> DataPathComputeBinding:
        """Returns: how the script gets the data of a reference."""
        return DataPathComputeBinding(data_reference.mode, data_reference.path_on_compute, data_reference.overwrite)

    def __repr__(self) -> str:
        return f"DataPathComputeBinding({self._mode!r})"
