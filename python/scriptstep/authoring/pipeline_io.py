"""Pairs of a path and how a script gets it: `(DataPath or PipelineParameter, DataPathComputeBinding)`."""

from __future__ import annotations

from typing import Any

from scriptstep.data.paths import DataPath, DataPathComputeBinding
from scriptstep.errors import ArgumentError, ArgumentTypeError
from scriptstep.graph import DATA_VARIABLE, DataLocation, InputPortBinding, PipelineParameter

__all__ = ["_PipelineIO"]


class _PipelineIO:
    """A path, or the parameter that gives it, and how a script gets it.

    Args:
        datapath: The path.
        datapath_param: Or the parameter whose value is one.
        datapath_compute_binding: How the script gets it.
        name: Of the port.
    """

    def __init__(
        self,
        datapath: DataPath | None = None,
        datapath_param: PipelineParameter | None = None,
        datapath_compute_binding: DataPathComputeBinding | None = None,
        name: str | None = None,
    ) -> None:
        self.datapath = datapath
        self._datapath_param = datapath_param
        self._datapath_compute_binding = datapath_compute_binding or DataPathComputeBinding()
        self._name = name

    @staticmethod
    def create(pipeline_io_tuple: Any) -> _PipelineIO:
        """Reads a pair.

        Args:
            pipeline_io_tuple: (`DataPath` or `PipelineParameter` whose default is one, `DataPathComputeBinding`).

        Returns:
            What it stands for; its port has the name of the parameter or of the path.

        Raises:
            ArgumentTypeError: It is no such pair.
        """
        if len(pipeline_io_tuple) != 2:
            raise ArgumentTypeError(
                f"a tuple must be (DataPath or PipelineParameter, DataPathComputeBinding), not {pipeline_io_tuple!r}"
            )
        first, binding = pipeline_io_tuple
        if not isinstance(binding, DataPathComputeBinding):
            raise ArgumentTypeError(f"the second of a pair must be a DataPathComputeBinding, not {binding!r}")
        if isinstance(first, DataPath):
            return _PipelineIO(first, None, binding, first._name)
        if not isinstance(first, PipelineParameter):
            raise ArgumentTypeError(f"the first of a pair must be a DataPath or a PipelineParameter, not {first!r}")
        if not isinstance(first.spec_value(), DataLocation):
            raise ArgumentError(
                f"the default of parameter '{first.name}' must be a DataPath, to be paired with a "
                f"DataPathComputeBinding, not {first.default_value!r}"
            )
        return _PipelineIO(None, first, binding, first.name)

    @property
    def name(self) -> str | None:
        """Returns: the name of the port."""
        return self._name

    @property
    def datapath_param_name(self) -> str | None:
        """Returns: the name of the parameter, where there is one."""
        return None if self._datapath_param is None else self._datapath_param.name

    def as_input(self) -> _PipelineIO:
        """Returns: it, as an input."""
        return self

    def as_pipeline_parameter(self) -> PipelineParameter | None:
        """Returns: the parameter, where there is one."""
        return self._datapath_param

    def as_input_port_binding(self) -> InputPortBinding:
        """Returns: it, as a binding of a port."""
        binding = self._datapath_compute_binding
        return InputPortBinding(self._name, self, binding._mode, binding._path_on_compute, binding._overwrite)

    def __str__(self) -> str:
        return f"${DATA_VARIABLE}{self._name}"

    __repr__ = __str__
