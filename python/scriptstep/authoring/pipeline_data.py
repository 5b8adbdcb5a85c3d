"""What flows from step to step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scriptstep.errors import ArgumentError, ArgumentTypeError
from scriptstep.graph import DATA_VARIABLE, InputPortBinding, port_name

if TYPE_CHECKING:
    from scriptstep.authoring.pipeline_output_dataset import PipelineOutputFileDataset

__all__ = ["PipelineData"]


class PipelineData:
    """A file or folder that one step writes and others read.

    The script is given a path. What lies there when it ends, a file or a folder, is the output.

    Args:
        name: Of the data, and of the ports that read it: letters, digits and underscores.
        datastore: Where it is kept; None for the default one.
        output_name: Of the port that writes it; None for `name`.
        output_mode: "mount" or "upload".
        output_path_on_compute: Where the script writes it.
        output_overwrite: Whether what is there is replaced.
        data_type: Kept, not read.
        is_directory: Whether it is made as a folder before the script starts.
        pipeline_output_name: What the pipeline calls it: `PipelineRun.get_pipeline_output(name)`.
        training_output: For AutoML steps only.

    Raises:
        ArgumentError: The name or mode cannot be.
    """

    def __init__(
        self,
        name: str,
        datastore: Any = None,
        output_name: str | None = None,
        output_mode: str = "mount",
        output_path_on_compute: str | None = None,
        output_overwrite: bool | None = None,
        data_type: str | None = None,
        is_directory: bool | None = None,
        pipeline_output_name: str | None = None,
        training_output: Any = None,
    ) -> None:
        self._name = port_name(name, "PipelineData")
        self._output_name = self._name if not output_name else port_name(output_name, f"PipelineData '{name}'")
        if output_mode not in ("mount", "upload"):
            raise ArgumentError(f"PipelineData '{name}': output_mode must be 'mount' or 'upload', not {output_mode!r}")
        if datastore is not None and not isinstance(getattr(datastore, "name", datastore), str):
            raise ArgumentTypeError(f"PipelineData '{name}': datastore must be a datastore, not {datastore!r}")
        self._datastore = datastore
        self._output_mode = output_mode
        self._output_path_on_compute = output_path_on_compute
        self._output_overwrite = output_overwrite
        self._data_type = data_type
        self._is_directory = is_directory
        self._pipeline_output_name = pipeline_output_name
        self._training_output = training_output
        self._producer: Any = None

    @property
    def name(self) -> str:
        """Returns: the name."""
        return self._name

    @property
    def datastore(self) -> Any:
        """Returns: where it is kept; None for the default one."""
        return self._datastore

    @property
    def data_type(self) -> str | None:
        """Returns: the data type, where one was given."""
        return self._data_type

    def as_dataset(self) -> PipelineOutputFileDataset:
        """Makes a dataset of it: the script finds it without an argument, and it can be registered.

        Returns:
            The dataset; it stands in `outputs` of the step that writes it, and in `inputs` of others.
        """
        from scriptstep.authoring.pipeline_output_dataset import PipelineOutputFileDataset

        return PipelineOutputFileDataset(self)

    def as_download(
        self, input_name: str | None = None, path_on_compute: str | None = None, overwrite: bool | None = None
    ) -> InputPortBinding:
        """Returns: an input of a step that gets a copy.

        Args:
            input_name: Of the port; None for the name of the data.
            path_on_compute: Where the script finds it.
            overwrite: Whether a file that is there is replaced.
        """
        return self.create_input_binding(input_name, "download", path_on_compute, overwrite)

    def as_mount(self, input_name: str | None = None) -> InputPortBinding:
        """Returns: an input of a step that reads it where it lies.

        Args:
            input_name: Of the port; None for the name of the data.
        """
        return self.create_input_binding(input_name, "mount")

    def as_input(self, input_name: str) -> InputPortBinding:
        """Returns: an input of a step.

        Args:
            input_name: Of the port.
        """
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
            input_name: Of the port; None for the name of the data.
            mode: "mount" or "download".
            path_on_compute: Where the script finds it.
            overwrite: Whether a file that is there is replaced.

        Returns:
            The input.

        Raises:
            ArgumentError: There is no such mode.
        """
        if mode not in (None, "mount", "download"):
            raise ArgumentError(f"PipelineData '{self._name}': mode must be 'mount' or 'download', not {mode!r}")
        binding = InputPortBinding(input_name, self, mode or "mount", path_on_compute, overwrite)
        binding._mode_given = mode is not None
        return binding

    def get_env_variable_name(self) -> str:
        """Returns: the name, after `$`, of the variable that tells a script where the data lies."""
        return f"${DATA_VARIABLE}{self._name}"

    def __str__(self) -> str:
        return f"${DATA_VARIABLE}{self._name}"

    __repr__ = __str__
