"""What stands in `inputs` and `outputs` of a step, read into one form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scriptstep.authoring.pipeline_data import PipelineData
from scriptstep.authoring.pipeline_io import _PipelineIO
from scriptstep.authoring.pipeline_output_dataset import PipelineOutputAbstractDataset
from scriptstep.data.abstract_dataset import AbstractDataset
from scriptstep.data.consumption import CONSUMPTION_TOKEN, DatasetConsumptionConfig
from scriptstep.data.outputs import OUTPUT_TOKEN, Origin, OutputDatasetConfig
from scriptstep.data.references import DataReference, PortDataReference
from scriptstep.errors import ArgumentError, ArgumentTypeError
from scriptstep.graph import DATA_VARIABLE, InputPortBinding, OutputPortBinding, ParameterSource, PipelineParameter

__all__ = [
    "DATA_TOKEN",
    "InputDraft",
    "OutputDraft",
    "producer_of",
    "read_input",
    "read_output",
    "refusal",
    "set_producer",
]

DATA_TOKEN = f"${DATA_VARIABLE}"


class InputDraft:
    """An input port as declared.

    Attributes:
        key: What is read: equal for two declarations of the same thing. For what a step writes, that itself.
        name: Of the port; None where its place in the step will name it.
        name_given: Whether the user asked for that name.
        mode: How the script gets it.
        mode_given: Whether the user asked for that mode.
        written: Whether a step writes it.
        source: Where it comes from, where no step writes it.
        tokens: Text that stands for it in an argument.
        others: What `InputSpec` holds besides.
        parameter: The parameter that gives it, where one does.
        object: What was declared.
    """

    __slots__ = (
        "as_dataset",
        "key",
        "mode",
        "mode_given",
        "name",
        "name_given",
        "object",
        "overwrite",
        "parameter",
        "path",
        "reading",
        "source",
        "tokens",
        "written",
    )

    def __init__(self, object: Any, key: Any, name: str | None, mode: str, written: bool) -> None:
        self.object, self.key, self.name, self.mode, self.written = object, key, name, mode, written
        self.name_given = self.mode_given = self.as_dataset = False
        self.path: str | None = None
        self.overwrite: bool | None = None
        self.source: Any = None
        self.reading: tuple[Any, ...] = ()
        self.parameter: PipelineParameter | None = None
        self.tokens: tuple[str, ...] = ()


class OutputDraft:
    """An output port as declared.

    Attributes:
        key: What is written: equal for two declarations of the same thing.
        name: Of the port; None where its place in the step will name it.
        tokens: Text that stands for it in an argument.
        object: What was declared.
    """

    __slots__ = (
        "as_dataset",
        "datastore",
        "destination",
        "is_directory",
        "key",
        "kind",
        "mode",
        "name",
        "object",
        "overwrite",
        "path",
        "pipeline_output_name",
        "registration",
        "tokens",
    )

    def __init__(self, object: Any, key: Any, name: str | None, kind: str, mode: str) -> None:
        self.object, self.key, self.name, self.kind, self.mode = object, key, name, kind, mode
        self.datastore: str | None = None
        self.destination: str | None = None
        self.path: str | None = None
        self.is_directory = self.as_dataset = False
        self.overwrite: bool | None = None
        self.pipeline_output_name: str | None = None
        self.registration: Any = None
        self.tokens: tuple[str, ...] = ()


def producer_of(key: Any) -> Any:
    """Returns: the step that was declared last to write it, or None."""
    return key.producer_step if isinstance(key, Origin) else key._producer


def set_producer(key: Any, step: Any) -> None:
    """Declares that a step writes it."""
    if isinstance(key, Origin):
        key.producer_step = step
    else:
        key._producer = step


def read_input(item: Any) -> InputDraft | None:
    """Reads what may stand in `inputs`.

    Args:
        item: It.

    Returns:
        The port; None where it is nothing that can be read.

    Raises:
        ArgumentError: It can be read, but not by a step that runs here.
    """
    reader = _READERS.get(type(item))
    if reader is None:
        reader = next((made for kind, made in _READERS.items() if isinstance(item, kind)), None)
    return None if reader is None else reader(item)


def _pipeline_data(item: PipelineData) -> InputDraft:
    draft = InputDraft(item, item, item._name, "mount", True)
    draft.tokens = (DATA_TOKEN + item._name,)
    return draft


def _output_binding(item: OutputPortBinding) -> InputDraft:
    draft = InputDraft(item, item, item.name, "mount", True)
    draft.tokens = (DATA_TOKEN + item.name,)
    return draft


def _binding(item: InputPortBinding) -> InputDraft:
    draft = read_input(item.bind_object)
    if draft is None:
        raise ArgumentTypeError(f"input '{item.name}': bind_object cannot be read by a step: {item.bind_object!r}")
    if item.is_resource:
        raise ArgumentError(
            f"input '{item.name}': as_resource() is not there",
            help="put the file into the source directory, or use as_mount()",
        )
    draft.object, draft.name, draft.name_given = item, item.name, item._name_given
    if item._mode_given or item.bind_mode != "mount":
        draft.mode, draft.mode_given = item.bind_mode, True
    if item.path_on_compute is not None:
        draft.path = item.path_on_compute
    if item.overwrite is not None:
        draft.overwrite = item.overwrite
    if item.additional_transformations:
        draft.reading = tuple(item.additional_transformations)
    if draft.as_dataset:
        draft.tokens = (*draft.tokens, CONSUMPTION_TOKEN + item.name)
    draft.tokens = (*draft.tokens, DATA_TOKEN + item.name)
    return draft


def _reference(item: DataReference) -> InputDraft:
    if item.mode == "upload":
        raise ArgumentError(
            f"data reference '{item.data_reference_name}' says as_upload(), and an input is read",
            help="use as_mount() or as_download(); what a step writes is a PipelineData in outputs",
        )
    name = item.data_reference_name if item._named else None
    draft = InputDraft(
        item, ("reference", item._datastore_name, item._path, item.data_reference_name), name, item.mode, False
    )
    draft.source = item._spec_value()
    draft.name_given, draft.mode_given = item._named, item._mode_given
    draft.path, draft.overwrite = item.path_on_compute, item.overwrite or None
    draft.tokens = (DATA_TOKEN + item.data_reference_name,)
    return draft


def _port_reference(item: PortDataReference) -> InputDraft:
    draft = _reference(item._data_reference)
    draft.object = item
    return draft


def _pair(item: tuple[Any, ...]) -> InputDraft:
    draft = _io(_PipelineIO.create(item))
    draft.object = item
    return draft


def _io(item: _PipelineIO) -> InputDraft:
    binding = item._datapath_compute_binding
    path: Any = item.datapath
    parameter = item._datapath_param
    what = (
        ("parameter", parameter.name)
        if parameter is not None
        else ("path", path._datastore_name, path._path, path._name)
    )
    draft = InputDraft(item, what, item.name, binding._mode, False)
    draft.source = ParameterSource(parameter.name) if parameter is not None else path._spec_value()
    draft.parameter = parameter
    draft.mode_given, draft.name_given = binding._mode != "mount", True
    draft.path, draft.overwrite = binding._path_on_compute, binding._overwrite or None
    names = [item.name] if parameter is None else [item.name, parameter.spec_value().name]  # type: ignore[union-attr]
    draft.tokens = tuple(DATA_TOKEN + name for name in names if name)
    return draft


def _consumption(item: DatasetConsumptionConfig) -> InputDraft:
    dataset = item.dataset
    key: Any
    if isinstance(dataset, OutputDatasetConfig):
        key = dataset._origin
    elif isinstance(dataset, PipelineParameter):
        key = ("parameter", dataset.name)
    else:
        key = ("dataset", dataset.id)
    draft = InputDraft(item, key, item._name, item.mode, isinstance(dataset, OutputDatasetConfig))
    if isinstance(dataset, OutputDatasetConfig):
        draft.reading = dataset._reading
    elif isinstance(dataset, PipelineParameter):
        draft.source, draft.parameter = ParameterSource(dataset.name), dataset
    else:
        draft.source = dataset._spec_value()
    draft.mode_given, draft.name_given = item._mode_given, item._name is not None
    draft.path, draft.as_dataset = item.path_on_compute, True
    draft.tokens = (item.arg_val,)
    return draft


def _config_input(item: OutputDatasetConfig) -> InputDraft:
    draft = _consumption(item.as_input(item._name))
    draft.object, draft.name_given = item, False
    draft.tokens = (*draft.tokens, item.arg_val)
    return draft


def _output_dataset_input(item: PipelineOutputAbstractDataset) -> InputDraft:
    draft = InputDraft(item, item._pipeline_data, item._input_name, item._input_mode, True)
    draft.mode_given, draft.name_given = item._mode_given, item._name_given
    draft.path, draft.as_dataset, draft.reading = item._input_path_on_compute, True, item._reading
    draft.tokens = (CONSUMPTION_TOKEN + item._input_name, DATA_TOKEN + item._input_name, DATA_TOKEN + item.name)
    return draft


_READERS: dict[type, Callable[[Any], InputDraft]] = {
    PipelineData: _pipeline_data,
    InputPortBinding: _binding,
    DatasetConsumptionConfig: _consumption,
    DataReference: _reference,
    PortDataReference: _port_reference,
    OutputDatasetConfig: _config_input,
    PipelineOutputAbstractDataset: _output_dataset_input,
    OutputPortBinding: _output_binding,
    tuple: _pair,
    _PipelineIO: _io,
}


def read_output(item: Any) -> OutputDraft | None:
    """Reads what may stand in `outputs`.

    Args:
        item: It.

    Returns:
        The port; None where it is nothing that can be written.

    Raises:
        ArgumentError: It can be written, but not by a step that runs here.
    """
    if isinstance(item, PipelineData):
        return _written_data(item, item)
    if isinstance(item, OutputDatasetConfig):
        return _written_config(item)
    if isinstance(item, PipelineOutputAbstractDataset):
        draft = _written_data(item, item._pipeline_data)
        draft.as_dataset, draft.registration = True, item._registered_as()
        draft.tokens = (*draft.tokens, OUTPUT_TOKEN + item.name)
        return draft
    if isinstance(item, OutputPortBinding):
        return _written_binding(item)
    return None


def _written_data(item: Any, data: PipelineData) -> OutputDraft:
    if data._training_output is not None:
        raise ArgumentError(f"output '{data.name}': training_output is for AutoML steps")
    draft = OutputDraft(item, data, data._output_name, "data", data._output_mode)
    draft.datastore = _store_name(data._datastore)
    draft.path, draft.overwrite = data._output_path_on_compute, data._output_overwrite
    draft.is_directory = bool(data._is_directory)
    draft.pipeline_output_name = data._pipeline_output_name
    draft.tokens = (DATA_TOKEN + data._name, DATA_TOKEN + data._output_name)
    return draft


def _written_binding(item: OutputPortBinding) -> OutputDraft:
    if item.training_output is not None:
        raise ArgumentError(f"output '{item.name}': training_output is for AutoML steps")
    draft = OutputDraft(item, item, item._output_name, "data", item.bind_mode)
    draft.datastore = _store_name(item.datastore)
    draft.path, draft.overwrite, draft.is_directory = item.path_on_compute, item.overwrite, bool(item.is_directory)
    draft.pipeline_output_name = item.pipeline_output_name
    if (registration := item.dataset_registration) is not None:
        draft.registration = {
            "name": registration.name,
            "description": None,
            "tags": {},
            "kind": "file",
            "format": "files",
            "options": {},
            "transformations": [],
            "create_new_version": bool(registration.create_new_version),
        }
        draft.as_dataset = True
    draft.tokens = (DATA_TOKEN + item.name, DATA_TOKEN + item._output_name)
    return draft


def _written_config(item: OutputDatasetConfig) -> OutputDraft:
    if item.mode in ("hdfs", "link"):
        raise ArgumentError(
            f"output '{item._token}': a {type(item).__name__} needs a Spark cluster", help="use OutputFileDatasetConfig"
        )
    draft = OutputDraft(item, item._origin, item._name, item._kind, item.mode)
    draft.datastore, draft.destination, draft.path = item._datastore, item._path, item.source
    draft.overwrite = None if item._upload_options is None else item._upload_options.overwrite
    draft.registration, draft.as_dataset = item._registered_as(), True
    draft.tokens = (item.arg_val,)
    return draft


def _store_name(datastore: Any) -> str | None:
    return None if datastore is None else str(getattr(datastore, "name", datastore))


def refusal(item: Any) -> str | None:
    """Returns: what to do instead, where somebody gives a step something that it cannot take."""
    if isinstance(item, AbstractDataset):
        return "say how the script gets it: dataset.as_named_input('data'), and .as_mount() for files"
    if isinstance(item, PipelineParameter):
        return "use DatasetConsumptionConfig(name, parameter), or a pair: (parameter, DataPathComputeBinding())"
    if hasattr(item, "datastore_type"):
        return "name a path on it: datastore.path('raw').as_mount()"
    if hasattr(item, "_catalog"):
        return "a script finds its workspace by itself: Run.get_context().experiment.workspace"
    if hasattr(item, "run_after_steps"):
        return "to run after a step: step.run_after(other); to read what it writes: its PipelineData"
    return None
