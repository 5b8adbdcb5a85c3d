"""How a step gets a dataset."""

from __future__ import annotations

import copy
import itertools
import re
from typing import Any

from scriptstep.data.abstract_dataset import AbstractDataset
from scriptstep.data.outputs import OutputDatasetConfig
from scriptstep.errors import ArgumentError, ArgumentTypeError
from scriptstep.graph import DatasetSource, PipelineParameter

__all__ = ["CONSUMPTION_TOKEN", "DatasetConsumptionConfig"]

# In an argument, before the name of an input, it stands for where the dataset lies.
CONSUMPTION_TOKEN = "DatasetConsumptionConfig:"
_MODES = ("mount", "download", "direct", "hdfs")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Variables that a script cannot do without; an input of such a name would take their place.
_NEEDED = frozenset(
    (
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "PWD",
        "SHELL",
        "TMPDIR",
        "LANG",
        "TZ",
        "LD_LIBRARY_PATH",
        "PYTHONPATH",
        "PYTHONHASHSEED",
    )
)
# Tells inputs without a name apart in text; never part of what is kept.
_tokens = itertools.count(1)


class DatasetConsumptionConfig:
    """A dataset as an input of a step.

    Args:
        name: Of the input: `run.input_datasets[name]`, and a variable of the script's environment. None for the name of
            its place in the step.
        dataset: A `FileDataset` or `TabularDataset`, a `PipelineParameter` whose default is one, or an output of
            another step.
        mode: "direct" (the script gets the dataset), "mount" or "download" (it gets a path).
        path_on_compute: Where the script finds it.

    Raises:
        ArgumentError: The name or mode cannot be.
        ArgumentTypeError: `dataset` is something else.
    """

    def __init__(
        self, name: str | None, dataset: Any, mode: str = "direct", path_on_compute: str | None = None
    ) -> None:
        self._name = None if name is None else input_name(name)
        self._token = self._name or f"input__{next(_tokens)}"
        self.dataset = _checked(dataset)
        self.path_on_compute = path_on_compute
        self._mode_given = mode != "direct"
        self.mode = self._mode(mode)

    @property
    def name(self) -> str | None:
        """Returns: the name; None where it is named by its place in the step."""
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        self._name = self._token = input_name(name)

    @property
    def arg_val(self) -> str:
        """Returns: text that stands for the input's path anywhere in an argument of the step."""
        return CONSUMPTION_TOKEN + self._token

    def as_mount(self, path_on_compute: str | None = None) -> DatasetConsumptionConfig:
        """Returns: this input, for a script that reads the files where they lie.

        Args:
            path_on_compute: Where the script finds them.
        """
        return self._with("mount", path_on_compute)

    def as_download(self, path_on_compute: str | None = None) -> DatasetConsumptionConfig:
        """Returns: this input, for a script that gets copies.

        Args:
            path_on_compute: Where the script finds them.
        """
        return self._with("download", path_on_compute)

    def as_hdfs(self) -> DatasetConsumptionConfig:
        """Returns: this input, for a Spark script."""
        return self._with("hdfs", None)

    def _with(self, mode: str, path_on_compute: str | None) -> DatasetConsumptionConfig:
        other = copy.copy(self)
        other.mode, other.path_on_compute, other._mode_given = self._mode(mode), path_on_compute, True
        return other

    def _mode(self, mode: str) -> str:
        told = str(mode).lower()
        if told not in _MODES:
            raise ArgumentError(f"input '{self._token}': mode must be one of {', '.join(_MODES)}, not {mode!r}")
        if told != "direct" and self._tabular:
            raise ArgumentError(
                f"input '{self._token}' is a table, and a table has no files to {told}",
                help="leave the mode at 'direct' and read run.input_datasets, or use Dataset.File.from_files",
            )
        return told

    @property
    def _tabular(self) -> bool:
        dataset = self.dataset
        if isinstance(dataset, PipelineParameter):
            value = dataset.spec_value()
            return isinstance(value, DatasetSource) and value.kind == "tabular"
        return getattr(dataset, "_kind", "") in ("tabular", "tabular_dataset")

    def _spec_value(self) -> DatasetSource:
        if isinstance(self.dataset, AbstractDataset):
            return self.dataset._spec_value()
        raise ArgumentTypeError(f"input '{self._token}': only a dataset can be the value of a parameter")

    def __str__(self) -> str:
        return self.arg_val

    def __repr__(self) -> str:
        return f"DatasetConsumptionConfig({self._name!r}, {self.dataset!r}, {self.mode!r})"


def input_name(name: Any) -> str:
    """Checks the name of a dataset input.

    Args:
        name: The name.

    Returns:
        The name.

    Raises:
        ArgumentError: It cannot be the name of a variable, or is one that scripts need.
    """
    if not isinstance(name, str):
        raise ArgumentTypeError(f"the name of an input must be text, not {name!r}")
    if not _NAME.fullmatch(name):
        raise ArgumentError(
            f"the name of an input must hold letters, digits and underscores only and not begin with a digit: {name!r}",
            help=f"for example {re.sub(r'[^0-9A-Za-z_]+', '_', name).strip('_').lstrip('0123456789') or 'data'!r}",
        )
    if is_needed(name):
        raise ArgumentError(f"an input cannot be named {name!r}: the script needs the variable of that name")
    return name


def is_needed(name: str) -> bool:
    """Returns: whether a script needs the variable of that name."""
    return name in _NEEDED or name.startswith(("AZUREML_", "SCRIPTSTEP_", "AML_PARAMETER_"))


def _checked(dataset: Any) -> Any:
    if isinstance(dataset, PipelineParameter):
        if not isinstance(dataset.spec_value(), DatasetSource):
            raise ArgumentTypeError(
                f"DatasetConsumptionConfig: the default of parameter '{dataset.name}' must be a dataset, "
                f"not {dataset.default_value!r}",
                help="a DataPath goes into a pair: (parameter, DataPathComputeBinding())",
            )
    elif not isinstance(dataset, (AbstractDataset, OutputDatasetConfig)):
        raise ArgumentTypeError(
            f"DatasetConsumptionConfig: dataset must be a FileDataset, a TabularDataset or a PipelineParameter, "
            f"not {dataset!r}"
        )
    return dataset
