"""Bindings: a port of a step, tied to what is read or written there."""

from __future__ import annotations

import re
from typing import Any

from scriptstep.errors import ArgumentError, ArgumentTypeError

__all__ = ["DATA_VARIABLE", "InputPortBinding", "OutputPortBinding", "port_name"]

# The variable that tells a script where a port's data lies, and, after `$`, the token for it in an argument.
DATA_VARIABLE = "AZUREML_DATAREFERENCE_"
_INPUT_MODES = ("mount", "download", "direct", "hdfs")
_OUTPUT_MODES = ("mount", "upload", "hdfs", "link")


def port_name(name: Any, what: str) -> str:
    """Checks the name of a port.

    Args:
        name: The name.
        what: What is named, for the message.

    Returns:
        The name.

    Raises:
        ArgumentError: It is no text, empty, or holds more than letters, digits and underscores.
    """
    if not isinstance(name, str):
        raise ArgumentTypeError(f"{what}: name must be text, not {name!r}")
    if not name or re.search(r"\W", name):
        raise ArgumentError(
            f"{what}: the name {name!r} must hold letters, digits and underscores only",
            help=f"for example {re.sub(r'[^0-9a-zA-Z_]+', '_', name).strip('_') or 'data'!r}",
        )
    return name


def _mode(mode: Any, allowed: tuple[str, ...], what: str) -> str:
    if mode not in allowed:
        raise ArgumentError(f"{what}: mode must be one of {', '.join(allowed)}, not {mode!r}")
    return str(mode)


class InputPortBinding:
    """An input port, and what is read there.

    Args:
        name: Of the port; None for the name of what is read.
        bind_object: A `PipelineData`, `DataReference`, `PortDataReference`, dataset ...
        bind_mode: "mount", "download", "direct" or "hdfs".
        path_on_compute: Where the script finds it.
        overwrite: Whether a file that is there is replaced.
        is_resource: Whether it is put beside the script.
        additional_transformations: What is done to it when it is read as a table.
        **kwargs: Nothing else is known.

    Raises:
        ArgumentError: Nothing to read is given, the name or mode cannot be.
    """

    def __init__(
        self,
        name: str | None,
        bind_object: Any = None,
        bind_mode: str = "mount",
        path_on_compute: str | None = None,
        overwrite: bool | None = None,
        is_resource: bool = False,
        additional_transformations: Any = None,
        **kwargs: Any,
    ) -> None:
        if kwargs:
            raise ArgumentTypeError(f"InputPortBinding: there is no parameter {min(kwargs)!r}")
        if bind_object is None:
            raise ArgumentError(f"InputPortBinding {name!r}: bind_object is missing: what is read there")
        what = "InputPortBinding"
        self.name = port_name(name if name is not None else getattr(bind_object, "name", None), what)
        self.bind_object = bind_object
        self.bind_mode = _mode(bind_mode, _INPUT_MODES, f"{what} '{self.name}'")
        self.path_on_compute = path_on_compute
        self.overwrite = overwrite
        self.is_resource = is_resource
        self.additional_transformations = additional_transformations
        # Whether mode and name were asked for, or are what they are for want of a word.
        self._mode_given = bind_mode != "mount"
        self._name_given = name is not None

    @property
    def data_type(self) -> str | None:
        """Returns: the data type of what is read, where it has one."""
        return self.get_bind_object_data_type()

    @property
    def data_reference_name(self) -> str:
        """Returns: the name of what is read."""
        return self.get_bind_object_name()

    def as_resource(self) -> InputPortBinding:
        """Returns: this binding, for data that is put beside the script."""
        resource = InputPortBinding(
            self.name, self.bind_object, self.bind_mode, self.path_on_compute, self.overwrite, is_resource=True
        )
        resource._mode_given = self._mode_given
        return resource

    def get_bind_object_name(self) -> str:
        """Returns: the name of what is read."""
        name = getattr(self.bind_object, "data_reference_name", None) or getattr(self.bind_object, "name", None)
        return str(name or self.name)

    def get_bind_object_data_type(self) -> str | None:
        """Returns: the data type of what is read, where it has one."""
        data_type = getattr(self.bind_object, "data_type", None)
        return None if data_type is None else str(data_type)

    def __str__(self) -> str:
        return f"${DATA_VARIABLE}{self.name}"

    __repr__ = __str__


class OutputPortBinding:
    """An output port, and where it is kept.

    Args:
        name: Of what is written.
        datastore: Where it is kept; None for the default one.
        output_name: Of the port; None for `name`.
        bind_mode: "mount", "upload", "hdfs" or "link".
        path_on_compute: Where the script writes it.
        is_directory: Whether it is made as a folder before the script starts.
        overwrite: Whether what is there is replaced.
        data_type: Kept, not read.
        pipeline_output_name: What the pipeline calls it.
        training_output: For AutoML steps only.
        dataset_registration: Has `name` and `create_new_version`: what it is registered as.
        dataset_output: Kept, not read.

    Raises:
        ArgumentError: The name or mode cannot be.
    """

    def __init__(
        self,
        name: str,
        datastore: Any = None,
        output_name: str | None = None,
        bind_mode: str = "mount",
        path_on_compute: str | None = None,
        is_directory: bool | None = None,
        overwrite: bool | None = None,
        data_type: str | None = None,
        pipeline_output_name: str | None = None,
        training_output: Any = None,
        dataset_registration: Any = None,
        dataset_output: Any = None,
    ) -> None:
        what = "OutputPortBinding"
        self.name = port_name(name, what)
        self._output_name = port_name(output_name, what) if output_name is not None else self.name
        self.datastore = datastore
        self.bind_mode = _mode(bind_mode, _OUTPUT_MODES, f"{what} '{name}'")
        self.path_on_compute = path_on_compute
        self.is_directory = is_directory
        self.overwrite = overwrite
        self.data_type = data_type
        self.pipeline_output_name = pipeline_output_name
        self.training_output = training_output
        self.dataset_registration = dataset_registration
        self.dataset_output = dataset_output
        self._producer: Any = None

    def __str__(self) -> str:
        return f"${DATA_VARIABLE}{self.name}"

    __repr__ = __str__
