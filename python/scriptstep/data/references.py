"""References: data on a datastore, as an input of a step or as what a step wrote."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

from scriptstep.data.paths import DataPath, DataPathComputeBinding, datastore_name, made_name, relative_path
from scriptstep.data.places import LocalPlace
from scriptstep.data.walk import files_below
from scriptstep.errors import ArgumentError, ArgumentTypeError, UserErrorException
from scriptstep.graph import DATA_VARIABLE, DataLocation, InputPortBinding

__all__ = ["DataReference", "PortDataReference", "copy_out"]

_MODES = ("mount", "download", "upload")


class DataReference:
    """A file or folder on a datastore, as an input of a step.

    Args:
        datastore: The datastore.
        data_reference_name: What to call it: the name of the port, and in `AZUREML_DATAREFERENCE_<name>`. Without one
            the port is named by its place in the step.
        path_on_datastore: The path there; None for all of it.
        mode: "mount", "download" or "upload".
        path_on_compute: Where the script finds it.
        overwrite: Whether a file that is there is replaced.

    Raises:
        ArgumentError: The datastore is missing, the path leads out of it, there is no such mode.
    """

    def __init__(
        self,
        datastore: Any,
        data_reference_name: str | None = None,
        path_on_datastore: str | None = None,
        mode: str = "mount",
        path_on_compute: str | None = None,
        overwrite: bool = False,
    ) -> None:
        self.datastore = datastore
        self._datastore_name = datastore_name(datastore, "DataReference")
        self.path_on_datastore = path_on_datastore
        self._path = relative_path(path_on_datastore, "DataReference: path_on_datastore")
        if mode not in _MODES:
            raise ArgumentError(f"DataReference: mode must be one of {', '.join(_MODES)}, not {mode!r}")
        if data_reference_name is not None and not isinstance(data_reference_name, str):
            raise ArgumentTypeError(f"DataReference: data_reference_name must be text, not {data_reference_name!r}")
        self._named = bool(data_reference_name) or not self._path
        self.data_reference_name = data_reference_name or (
            made_name(self._datastore_name, self._path) if self._path else self._datastore_name
        )
        self.mode = mode
        self.path_on_compute = path_on_compute
        self.overwrite = overwrite
        self._mode_given = mode != "mount"

    def as_download(self, path_on_compute: str | None = None, overwrite: bool = False) -> DataReference:
        """Returns: this reference, for a script that gets a copy.

        Args:
            path_on_compute: Where the script finds it.
            overwrite: Whether a file that is there is replaced.
        """
        return self._with("download", path_on_compute, overwrite)

    def as_mount(self) -> DataReference:
        """Returns: this reference, for a script that reads the data where it lies."""
        return self._with("mount", None, False)

    def as_upload(self, path_on_compute: str | None = None, overwrite: bool = False) -> DataReference:
        """Returns: this reference, for a script that writes there.

        Args:
            path_on_compute: Where the script writes.
            overwrite: Whether what is there is replaced.
        """
        return self._with("upload", path_on_compute, overwrite)

    def _with(self, mode: str, path_on_compute: str | None, overwrite: bool) -> DataReference:
        other = copy.copy(self)
        other.mode, other.path_on_compute, other.overwrite, other._mode_given = mode, path_on_compute, overwrite, True
        return other

    def path(self, path: str | None = None, data_reference_name: str | None = None) -> DataReference:
        """Refers to something below this one.

        Args:
            path: Relative to this one.
            data_reference_name: What to call it.

        Returns:
            The reference.
        """
        joined = "/".join(part for part in (self.path_on_datastore, path) if part) or None
        return DataReference(
            self.datastore, data_reference_name, joined, self.mode, self.path_on_compute, self.overwrite
        )

    @staticmethod
    def create(
        data_reference_name: str | None = None,
        datapath: DataPath | None = None,
        datapath_compute_binding: DataPathComputeBinding | None = None,
    ) -> DataReference:
        """Refers to the data of a path.

        Args:
            data_reference_name: What to call it; None for the path's name.
            datapath: The data.
            datapath_compute_binding: How the script gets it.

        Returns:
            The reference.

        Raises:
            ArgumentError: One of the last two is missing.
        """
        if datapath is None or datapath_compute_binding is None:
            missing = "datapath" if datapath is None else "datapath_compute_binding"
            raise ArgumentError(f"DataReference.create: {missing} is missing")
        return DataReference(
            datapath._datastore,
            data_reference_name or datapath._name,
            datapath.path_on_datastore,
            datapath_compute_binding._mode,
            datapath_compute_binding._path_on_compute,
            datapath_compute_binding._overwrite,
        )

    def _spec_value(self) -> DataLocation:
        return DataLocation(self._datastore_name, self._path, self.data_reference_name)

    def __str__(self) -> str:
        return f"${DATA_VARIABLE}{self.data_reference_name}"

    __repr__ = __str__


class PortDataReference:
    """What a step wrote to one of its ports, once the step has ended.

    Args:
        context: The workspace that the run belongs to; kept.
        pipeline_run_id: Id of the pipeline run.
        data_reference: Where the output lies.
        step_run: The run of the step.
    """

    def __init__(self, context: Any, pipeline_run_id: str, data_reference: DataReference, step_run: Any = None) -> None:
        self._context = context
        self._pipeline_run_id = pipeline_run_id
        self._data_reference = data_reference
        self._step_run = step_run

    @property
    def name(self) -> str:
        """Returns: the name of the port."""
        return self._data_reference.data_reference_name

    @property
    def datastore(self) -> Any:
        """Returns: the datastore that the output lies on."""
        return self._data_reference.datastore

    @property
    def datastore_name(self) -> str:
        """Returns: its name."""
        return self._data_reference._datastore_name

    @property
    def path_on_datastore(self) -> str:
        """Returns: the path of the output there."""
        return self._data_reference._path

    @property
    def _path_on_datastore(self) -> str:
        return self.path_on_datastore

    def download(self, local_path: str, overwrite: bool | None = None, show_progress: bool | None = None) -> int:
        """Copies the output; as in the SDK it lands below its own path: `<local_path>/<path_on_datastore>/...`.

        Args:
            local_path: The folder to copy to; made where it is not there.
            overwrite: Whether files that are there are replaced; else they stay.
            show_progress: Not needed here.

        Returns:
            How many files were copied.

        Raises:
            UserErrorException: There is no such output.
        """
        target = Path(local_path) / self.path_on_datastore
        place = self.datastore._place(self.path_on_datastore)
        if isinstance(place, LocalPlace) and place.path.exists():
            return copy_out(place.path, target, bool(overwrite))
        _, files = place.files()
        if not files:
            raise UserErrorException(
                f"output '{self.name}' is not there: nothing lies at '{self.path_on_datastore}' on datastore "
                f"'{self.datastore_name}'",
                help="the step may not have ended, or never have written it",
            )
        place.fetch([file for _, file in files])
        one = place.is_file()
        return sum(copy_out(Path(file), target if one else target / name, bool(overwrite)) for name, file in files)

    def as_download(
        self, input_name: str | None = None, path_on_compute: str | None = None, overwrite: bool | None = None
    ) -> InputPortBinding:
        """Returns: an input of a step that gets a copy."""
        return self.create_input_binding(input_name, "download", path_on_compute, overwrite)

    def as_mount(self, input_name: str | None = None) -> InputPortBinding:
        """Returns: an input of a step that reads it where it lies."""
        return self.create_input_binding(input_name, "mount")

    def as_input(self, input_name: str) -> InputPortBinding:
        """Returns: an input of a step, of that name."""
        return self.create_input_binding(input_name)

    def create_input_binding(
        self,
        input_name: str | None = None,
        mode: str | None = None,
        path_on_compute: str | None = None,
        overwrite: bool | None = None,
    ) -> InputPortBinding:
        """Makes it an input of a step.

        Args:
            input_name: Name of the port; None for the output's own.
            mode: "mount" or "download".
            path_on_compute: Where the script finds it.
            overwrite: Whether a file that is there is replaced.

        Returns:
            The binding.

        Raises:
            ArgumentError: There is no such mode.
        """
        if mode not in (None, "mount", "download"):
            raise ArgumentError(f"input '{input_name or self.name}': mode must be 'mount' or 'download', not {mode!r}")
        binding = InputPortBinding(input_name, self, mode or "mount", path_on_compute, overwrite)
        binding._mode_given = mode is not None
        return binding

    def __str__(self) -> str:
        return f"${DATA_VARIABLE}{self.name}"

    __repr__ = __str__


def copy_out(source: Path, target: Path, overwrite: bool) -> int:
    """Copies a file, or all files below a folder.

    Args:
        source: The file or folder; links in it are followed.
        target: What it becomes.
        overwrite: Whether files that are there are replaced; else they stay.

    Returns:
        How many files were copied.
    """
    if source.is_file():
        if target.exists() and not overwrite:
            return 0
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        return 1
    target.mkdir(parents=True, exist_ok=True)
    return sum(copy_out(Path(file), target / name, overwrite) for name, file in files_below(source))
