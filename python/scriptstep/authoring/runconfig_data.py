"""Data as a run configuration names it: kept, read and written. Steps take theirs from `inputs` and `outputs`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from scriptstep.errors import ArgumentTypeError
from scriptstep.workspace.element import Element, taken

__all__ = [
    "SUPPORTED_DATAREF_MODES",
    "SUPPORTED_DELIVERY_MECHANISM",
    "Data",
    "DataLocation",
    "DataPath",
    "DataReferenceConfiguration",
    "Dataset",
    "DatasetRegistrationOptions",
    "DatacacheConfiguration",
    "GlobsOptions",
    "MountOptions",
    "OutputData",
    "OutputOptions",
    "RegistrationOptions",
    "UploadOptions",
    "Uri",
]

SUPPORTED_DATAREF_MODES = ("mount", "download", "upload")
SUPPORTED_DELIVERY_MECHANISM = ("direct", "mount", "download", "hdfs")


class DataReferenceConfiguration(Element):
    """A place on a datastore.

    Args:
        datastore_name: Name of the datastore.
        mode: "mount", "download" or "upload".
        path_on_datastore: The place.
        path_on_compute: Where the script finds it.
        overwrite: Whether what is there already is replaced.
    """

    data_store_name: str | None = None
    mode: str = "mount"
    path_on_data_store: str | None = None
    path_on_compute: str | None = None
    overwrite: bool = False

    def __init__(
        self,
        datastore_name: str | None = None,
        mode: str = "mount",
        path_on_datastore: str | None = None,
        path_on_compute: str | None = None,
        overwrite: bool = False,
    ) -> None:
        self.data_store_name, self.path_on_data_store = datastore_name, path_on_datastore
        self.mode, self.path_on_compute, self.overwrite = mode, path_on_compute, overwrite


class Dataset(Element):
    """A dataset, by id or by name and version."""

    dataset_id: str | None = None
    dataset_name: str | None = None
    dataset_version: str | None = None

    def __init__(
        self, dataset_id: str | None = None, dataset_name: str | None = None, dataset_version: str | None = None
    ) -> None:
        self.dataset_id, self.dataset_name, self.dataset_version = dataset_id, dataset_name, dataset_version


class DataPath(Element):
    """A path on a datastore."""

    datastore_name: str | None = None
    relative_path: str | None = None

    def __init__(self, datastore_name: str | None = None, relative_path: str | None = None) -> None:
        self.datastore_name, self.relative_path = datastore_name, relative_path


class Uri(Element):
    """Data by address."""

    path: str | None = None
    is_file: bool = False

    def __init__(self, path: str | None = None, is_file: bool = False) -> None:
        self.path, self.is_file = path, is_file


class DataLocation(Element):
    """Where data lies: a dataset, a path on a datastore, or an address."""

    _TAKES: ClassVar = {"dataset": taken(Dataset), "data_path": taken(DataPath), "uri": taken(Uri)}

    dataset: Dataset | None = None
    data_path: DataPath | None = None
    uri: Uri | None = None

    def __init__(
        self, dataset: Dataset | None = None, data_path: DataPath | None = None, uri: Uri | None = None
    ) -> None:
        self.dataset, self.data_path, self.uri = dataset, data_path, uri


class Data(Element):
    """Data that a script reads.

    Args:
        data_location: Where it lies.
        create_output_directories: Whether folders are made for what is written.
        mechanism: "direct", "mount", "download" or "hdfs".
        environment_variable_name: Variable that tells the script where it is.
        path_on_compute: Where the script finds it.
        overwrite: Whether what is there already is replaced.
        options: Whatever else.
    """

    _TAKES: ClassVar = {"data_location": taken(DataLocation)}

    data_location: DataLocation | None = None
    create_output_directories: bool | None = None
    mechanism: str = "direct"
    environment_variable_name: str | None = None
    path_on_compute: str | None = None
    overwrite: bool = False
    options: dict[str, str] | None = None

    def __init__(
        self,
        data_location: DataLocation | None = None,
        create_output_directories: bool | None = None,
        mechanism: str = "direct",
        environment_variable_name: str | None = None,
        path_on_compute: str | None = None,
        overwrite: bool = False,
        options: dict[str, str] | None = None,
    ) -> None:
        self.data_location, self.create_output_directories = data_location, create_output_directories
        self.mechanism, self.environment_variable_name = mechanism, environment_variable_name
        self.path_on_compute, self.overwrite, self.options = path_on_compute, overwrite, options

    @staticmethod
    def create(data: Any) -> Data:
        """Takes a dataset, or one with a name and a mode, as data of a run configuration.

        Args:
            data: A dataset, or what `as_named_input` and `as_mount` give.

        Returns:
            The data.

        Raises:
            ArgumentTypeError: It is neither.
        """
        dataset = getattr(data, "dataset", data)
        if not hasattr(dataset, "id"):
            raise ArgumentTypeError(f"data of a run configuration is a dataset, not {data!r}")
        version = getattr(dataset, "version", None)
        return Data(
            DataLocation(
                Dataset(dataset.id, getattr(dataset, "name", None), None if version is None else str(version))
            ),
            mechanism=getattr(data, "mode", "direct"),
            environment_variable_name=getattr(data, "name", None) if dataset is not data else None,
            path_on_compute=getattr(data, "path_on_compute", None),
        )


class GlobsOptions(Element):
    """Patterns of files."""

    patterns: list[str] | None = None

    def __init__(self, patterns: Iterable[str] | None = None) -> None:
        self.patterns = None if patterns is None else list(patterns)


class UploadOptions(Element):
    """How files are brought to a datastore."""

    _TAKES: ClassVar = {"source_globs": taken(GlobsOptions)}

    overwrite: bool = False
    source_globs: GlobsOptions | None = None

    def __init__(self, overwrite: bool = False, source_globs: GlobsOptions | None = None) -> None:
        self.overwrite, self.source_globs = overwrite, source_globs


class MountOptions(Element):
    """How a datastore is mounted."""

    disable_metadata_cache: bool = False

    def __init__(self, disable_metadata_cache: bool = False) -> None:
        self.disable_metadata_cache = disable_metadata_cache


class DatasetRegistrationOptions(Element):
    """What is done to an output before it is registered."""

    additional_transformation: str | None = None

    def __init__(self, additional_transformation: str | None = None) -> None:
        self.additional_transformation = additional_transformation


class RegistrationOptions(Element):
    """What an output is registered as."""

    _TAKES: ClassVar = {"dataset_registration_options": taken(DatasetRegistrationOptions)}

    name: str | None = None
    description: str | None = None
    tags: dict[str, str] | None = None
    dataset_registration_options: DatasetRegistrationOptions | None = None

    def __init__(
        self,
        name: str | None = None,
        description: str | None = None,
        tags: dict[str, str] | None = None,
        dataset_registration_options: DatasetRegistrationOptions | None = None,
    ) -> None:
        self.name, self.description, self.tags = name, description, tags
        self.dataset_registration_options = dataset_registration_options


class OutputOptions(Element):
    """Where the script writes an output, and what becomes of it."""

    _TAKES: ClassVar = {
        "registration_options": taken(RegistrationOptions),
        "upload_options": taken(UploadOptions),
        "mount_options": taken(MountOptions),
    }

    path_on_compute: str | None = None
    registration_options: RegistrationOptions | None = None
    upload_options: UploadOptions | None = None
    mount_options: MountOptions | None = None

    def __init__(
        self,
        path_on_compute: str | None = None,
        registration_options: RegistrationOptions | None = None,
        upload_options: UploadOptions | None = None,
        mount_options: MountOptions | None = None,
    ) -> None:
        self.path_on_compute, self.registration_options = path_on_compute, registration_options
        self.upload_options, self.mount_options = upload_options, mount_options


class OutputData(Element):
    """Data that a script writes.

    Args:
        output_location: Where it goes.
        mechanism: "mount", "upload", "link" or "hdfs".
        additional_options: Where the script writes it, and what becomes of it.
    """

    _TAKES: ClassVar = {"output_location": taken(DataLocation), "additional_options": taken(OutputOptions)}

    output_location: DataLocation | None = None
    mechanism: str = "mount"
    additional_options: OutputOptions | None = None
    environment_variable_name: str | None = None

    def __init__(
        self,
        output_location: DataLocation | None = None,
        mechanism: str = "mount",
        additional_options: OutputOptions | None = None,
    ) -> None:
        self.output_location, self.mechanism, self.additional_options = output_location, mechanism, additional_options


class DatacacheConfiguration(Element):
    """Cached data; kept, unused."""

    consumption_configs: list[Any] | None = None
