"""The plain data of a step in a graph: what the engine reads of it, and nothing of how it was declared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from scriptstep.records import dataclass

__all__ = [
    "JSON",
    "Argument",
    "DataLocation",
    "DatasetSource",
    "InputRef",
    "InputSpec",
    "OutputRef",
    "OutputSpec",
    "ParameterRef",
    "ParameterSource",
    "Part",
    "RunSpec",
    "Source",
    "StepOutput",
    "StepSpec",
]

JSON: TypeAlias = Any  # None, bool, int, float, str, or a list or dict (with str keys) of such


@dataclass(frozen=True)
class InputRef:
    """In an argument: where the input of that port lies.

    Attributes:
        port: `InputSpec.name`.
    """

    port: str


@dataclass(frozen=True)
class OutputRef:
    """In an argument: where the output of that port is to be written.

    Attributes:
        port: `OutputSpec.name`.
    """

    port: str


@dataclass(frozen=True)
class ParameterRef:
    """The value of a parameter of the pipeline.

    Attributes:
        name: Its name in `Graph.params`.
    """

    name: str


Part: TypeAlias = "str | InputRef | OutputRef | ParameterRef"
# One element of argv: its parts are rendered and joined.
Argument: TypeAlias = "tuple[Part, ...]"


@dataclass(frozen=True)
class StepOutput:
    """What another step writes.

    Attributes:
        node_id: The node of that step.
        output: `OutputSpec.name` of its port.
    """

    node_id: str
    output: str


@dataclass(frozen=True)
class DataLocation:
    """A file or folder on a datastore.

    Attributes:
        datastore: Its name; None for the default one.
        path: Relative to its root, with `/`; empty for all of it.
        name: What the user called it.
    """

    datastore: str | None
    path: str
    name: str = ""


@dataclass(frozen=True)
class DatasetSource:
    """A dataset.

    Attributes:
        definition: Which files it stands for, and how they are read.
        kind: Files, or a table.
        id: Of the definition.
        name: What it is registered as, where it is.
        version: Under that name.
    """

    definition: Mapping[str, JSON]
    kind: Literal["file", "tabular"]
    id: str
    name: str | None = None
    version: int | None = None


@dataclass(frozen=True)
class ParameterSource:
    """A parameter of the pipeline whose value is a `DataLocation` or a `DatasetSource`.

    Attributes:
        name: Its name in `Graph.params`.
    """

    name: str


Source: TypeAlias = "StepOutput | DataLocation | DatasetSource | ParameterSource"


@dataclass(frozen=True)
class InputSpec:
    """An input port.

    Attributes:
        name: Of the port.
        source: What is read.
        mode: How the script gets it.
        path_on_compute: Where it is to lie.
        overwrite: Whether a file that is there is replaced.
        as_dataset: Whether it arrives as a dataset: variable NAME and `run.input_datasets`, else
            `AZUREML_DATAREFERENCE_NAME`.
        transformations: What is done to a step's output that is read as a table; the first says how it is read.
    """

    name: str
    source: Source
    mode: Literal["mount", "download", "direct", "hdfs"]
    path_on_compute: str | None = None
    overwrite: bool | None = None
    as_dataset: bool = False
    transformations: tuple[JSON, ...] = ()


@dataclass(frozen=True)
class OutputSpec:
    """An output port.

    Attributes:
        name: Of the port.
        kind: What it was declared with: a `PipelineData`, an `OutputFileDatasetConfig`, a tabular one.
        mode: How it gets to its datastore.
        datastore: Name of that; None for the default one.
        destination: Path there as declared, placeholders not filled in; None for the store's own place.
        path_on_compute: Where the script writes it.
        is_directory: Whether it is made as a folder before the script starts.
        overwrite: Whether what lies at the destination is replaced.
        pipeline_output_name: What the pipeline calls it.
        registration: What it is registered as when the step ends: name, description, tags, kind, format, options,
            transformations, create_new_version.
        as_dataset: Whether the script finds it in `run.output_datasets` and variable NAME besides.
    """

    name: str
    kind: Literal["data", "file_dataset", "tabular_dataset"]
    mode: Literal["mount", "upload", "link", "hdfs"]
    datastore: str | None = None
    destination: str | None = None
    path_on_compute: str | None = None
    is_directory: bool = False
    overwrite: bool | None = None
    pipeline_output_name: str | None = None
    registration: Mapping[str, JSON] | None = None
    as_dataset: bool = False


@dataclass(frozen=True)
class RunSpec:
    """What a run configuration asks for; parameters of the pipeline are not yet filled in.

    Attributes:
        environment: Content of the environment, without name and version.
        environment_is_default: Whether the user asked for none.
        environment_variables: Variables that the script gets.
        interpreter: The Python to run the script with; None for this one.
        framework: "Python", "PyTorch" ...
        communicator: "Mpi" ... or None.
        node_count: Nodes.
        process_count_per_node: Processes on each.
        worker_count: Workers, for TensorFlow.
        parameter_server_count: Parameter servers, for TensorFlow.
        timeout_s: Longest time that the script may take, seconds; None for any.
        retries: How often it is tried again where it fails; None for what the submit says.
    """

    environment: Mapping[str, JSON]
    environment_is_default: bool
    environment_variables: Mapping[str, str]
    interpreter: str | None
    framework: str
    communicator: str | None
    node_count: int
    process_count_per_node: int
    worker_count: int
    parameter_server_count: int
    timeout_s: float | None
    retries: int | None = None


@dataclass(frozen=True)
class StepSpec:
    """A step.

    Attributes:
        name: As the user named it.
        step_type: "PythonScriptStep" ...
        script_name: Path of the script in the source directory, with `/`; empty where a command runs instead.
        source_directory: Absolute.
        arguments: What the script gets in `sys.argv[1:]`; the command, where one runs.
        params: Values of the `AML_PARAMETER_*` variables.
        inputs: Input ports.
        outputs: Output ports.
        run_after: Nodes that must have ended before.
        run: What its run configuration asks for.
        runconfig_params: One of the four keys of `runconfig_pipeline_params` to the name of a parameter.
        compute: (name, type); None for this machine.
        allow_reuse: Whether an earlier result may stand for it.
        version: The user's own mark of a change.
        hash_paths: What of the source directory decides reuse, with `/`; "imports" for what the script imports, and all
            that is no Python file; None for all of it.
        declared_at: "pipeline.py:31", for messages.
        command: Whether a command runs, and how it is written: as a line of shell, the one argument, or as words.
    """

    name: str
    step_type: str
    script_name: str
    source_directory: str
    arguments: tuple[Argument, ...]
    params: Mapping[str, str | ParameterRef]
    inputs: tuple[InputSpec, ...]
    outputs: tuple[OutputSpec, ...]
    run_after: tuple[str, ...]
    run: RunSpec
    runconfig_params: Mapping[str, str]
    compute: tuple[str, str] | None
    allow_reuse: bool
    version: str | None
    hash_paths: tuple[str, ...] | Literal["imports"] | None
    declared_at: str | None
    command: Literal["line", "words"] | None = None
