"""How a step runs besides its code: environment, target, counts, variables. `RunConfiguration` and its parts."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from scriptstep.authoring.runconfig_data import (
    SUPPORTED_DATAREF_MODES,
    SUPPORTED_DELIVERY_MECHANISM,
    Data,
    DatacacheConfiguration,
    DataLocation,
    DataPath,
    DataReferenceConfiguration,
    Dataset,
    DatasetRegistrationOptions,
    GlobsOptions,
    MountOptions,
    OutputData,
    OutputOptions,
    RegistrationOptions,
    UploadOptions,
    Uri,
)
from scriptstep.authoring.runconfig_jobs import (
    SUPPORTED_PYTORCH_BACKENDS,
    MpiConfiguration,
    ParallelTaskConfiguration,
    PyTorchConfiguration,
    TensorflowConfiguration,
)
from scriptstep.authoring.runconfig_sections import (
    AmlComputeConfiguration,
    ApplicationEndpointConfiguration,
    HdiConfiguration,
    HistoryConfiguration,
    KubernetesComputeConfiguration,
    SparkConfiguration,
)
from scriptstep.errors import ArgumentError, ArgumentTypeError, UserErrorException
from scriptstep.workspace.conda import CondaDependencies
from scriptstep.workspace.docker import ContainerRegistry, DockerConfiguration, DockerEnvironment, DockerSection
from scriptstep.workspace.element import Element, made, taken_by_name, to_camel_case, to_snake_case
from scriptstep.workspace.environment import Environment, EnvironmentDefinition, EnvironmentReference
from scriptstep.workspace.images import DEFAULT_CPU_IMAGE, DEFAULT_GPU_IMAGE, MPI_CPU_IMAGE, MPI_GPU_IMAGE
from scriptstep.workspace.sections import PythonEnvironment, PythonSection, SparkEnvironment, SparkSection

if TYPE_CHECKING:
    from scriptstep.graph import RunSpec
    from scriptstep.workspace.workspace import Workspace

__all__ = [
    "AML_CONFIG_DIR",
    "AZUREML_DIR",
    "COMPUTECONTEXT_EXTENSION",
    "DEFAULT_CPU_IMAGE",
    "DEFAULT_GPU_IMAGE",
    "LOCAL_RUNCONFIG_NAME",
    "MPI_CPU_IMAGE",
    "MPI_GPU_IMAGE",
    "RUNCONFIGURATION_EXTENSION",
    "SUPPORTED_DATAREF_MODES",
    "SUPPORTED_DELIVERY_MECHANISM",
    "SUPPORTED_PYTORCH_BACKENDS",
    "AmlComputeConfiguration",
    "ApplicationEndpointConfiguration",
    "CondaDependencies",
    "ContainerRegistry",
    "Data",
    "DataLocation",
    "DataPath",
    "DataReferenceConfiguration",
    "DatacacheConfiguration",
    "Dataset",
    "DatasetRegistrationOptions",
    "DockerConfiguration",
    "DockerEnvironment",
    "DockerSection",
    "Environment",
    "EnvironmentDefinition",
    "GlobsOptions",
    "HdiConfiguration",
    "HistoryConfiguration",
    "KubernetesComputeConfiguration",
    "MountOptions",
    "MpiConfiguration",
    "OutputData",
    "OutputOptions",
    "ParallelTaskConfiguration",
    "PyTorchConfiguration",
    "PythonEnvironment",
    "PythonSection",
    "RegistrationOptions",
    "RunConfiguration",
    "SparkConfiguration",
    "SparkEnvironment",
    "SparkSection",
    "TensorflowConfiguration",
    "UploadOptions",
    "Uri",
    "get_run_config_dir_name",
    "get_run_config_dir_path",
    "to_camel_case",
    "to_snake_case",
]

AZUREML_DIR = ".azureml"
AML_CONFIG_DIR = "aml_config"
RUNCONFIGURATION_EXTENSION = ".runconfig"
COMPUTECONTEXT_EXTENSION = ".compute"
LOCAL_RUNCONFIG_NAME = "local"

_specs: dict[str, RunSpec] = {}


def _target_name(value: Any) -> str:
    name = value if isinstance(value, str) else getattr(value, "name", None)
    if value is None:
        return "local"
    if not isinstance(name, str):
        raise ArgumentTypeError(f"target must be a compute target or the name of one, not {value!r}")
    return name


def _environment(value: Any) -> Any:
    if isinstance(value, (Environment, EnvironmentReference)):
        return value
    helped = f"Environment.get(workspace, {value!r})" if isinstance(value, str) else None
    raise ArgumentTypeError(f"environment must be an Environment, not {value!r}", help=helped)


class RunConfiguration(Element):
    """How a script runs.

    Args:
        script: The script; a step has its own.
        arguments: The script's arguments; a step has its own.
        framework: "Python", "PySpark", "TensorFlow", "PyTorch" ...
        communicator: "None", "ParameterServer", "OpenMpi", "IntelMpi", "Gloo" or "Nccl".
        conda_dependencies: Packages of the environment.
        _history_enabled: Accepted.
        _path: Accepted.
        _name: Accepted.
        command: The command, where there is no script.

    Attributes:
        target: Name of the compute target; "local" where none was chosen. A target object can be set, and reads back
            as its name.
        environment: What the environment is declared to be.
        environment_variables: What the script finds in its environment, besides those of `environment`.
        node_count: Nodes.
        max_run_duration_seconds: How long the script may run, seconds; None for as long as it takes.
        retries: How often the script is tried again where it fails or takes too long; None for what the submit says.
            The SDK has no such thing.
        mpi: Processes that MPI starts.
        tensorflow: Processes of a distributed TensorFlow job.
        pytorch: Processes of a distributed PyTorch job.
        docker: Accepted; steps run without containers.
        history: Accepted; everything is kept.
        data_references: Kept, unused by steps.
        data: Kept, unused by steps.
        output_data: Kept, unused by steps.
    """

    _TAKES: ClassVar = {
        "data_references": taken_by_name(DataReferenceConfiguration),
        "data": taken_by_name(Data),
        "output_data": taken_by_name(OutputData),
    }
    _CHECKS: ClassVar = {"target": _target_name, "environment": _environment}

    script: str | None = None
    arguments = made(list[Any])
    target: str = "local"
    framework: str = "Python"
    communicator: str = "None"
    max_run_duration_seconds: float | None = None
    retries: int | None = None
    node_count: int = 1
    priority: int | None = None
    environment = made(lambda: Environment("default-environment"))
    history = made(HistoryConfiguration)
    spark = made(SparkConfiguration)
    docker = made(DockerConfiguration)
    hdi = made(HdiConfiguration)
    tensorflow = made(TensorflowConfiguration)
    mpi = made(MpiConfiguration)
    pytorch = made(PyTorchConfiguration)
    paralleltask = made(ParallelTaskConfiguration)
    data_references = made(dict[str, DataReferenceConfiguration])
    data = made(dict[str, Data])
    datacaches = made(list[DatacacheConfiguration])
    output_data = made(dict[str, OutputData])
    source_directory_data_store: str | None = None
    amlcompute = made(AmlComputeConfiguration)
    auto_cluster_compute_specification: object | None = None
    kubernetescompute = made(KubernetesComputeConfiguration)
    credential_passthrough: bool = False
    command: str | list[str] | None = None
    environment_variables = made(dict[str, str])
    application_endpoints: dict[str, ApplicationEndpointConfiguration] | None = None

    def __init__(
        self,
        script: str | None = None,
        arguments: Iterable[Any] | None = None,
        framework: str | None = None,
        communicator: str | None = None,
        conda_dependencies: CondaDependencies | None = None,
        _history_enabled: bool | None = None,
        _path: str | None = None,
        _name: str | None = None,
        command: str | list[str] | None = None,
    ) -> None:
        if script is not None:
            self.script = script
        if arguments is not None:
            self.arguments = list(arguments)
        if framework is not None:
            self.framework = framework
        if communicator is not None:
            self.communicator = communicator
        if conda_dependencies is not None:
            self.environment.python.conda_dependencies = conda_dependencies
        if command is not None:
            self.command = command

    @property
    def auto_prepare_environment(self) -> bool:
        """Deprecated in the SDK: whether the environment is built first. Nothing is built here."""
        return bool(self.__dict__.get("_auto_prepare", True))

    @auto_prepare_environment.setter
    def auto_prepare_environment(self, value: bool) -> None:
        self.__dict__["_auto_prepare"] = value

    def _to_json(self) -> dict[str, Any]:
        """Returns: all fields as plain data; one that the SDK has not, only where it is set."""
        found = super()._to_json()
        if self.retries is None:
            del found["retries"]
        return found

    def save(
        self,
        path: str | os.PathLike[str] | None = None,
        name: str | None = None,
        separate_environment_yaml: bool = False,
    ) -> None:
        """Writes the configuration as YAML, its packages in a file beside it.

        Args:
            path: A project folder, in whose `.azureml` (or `aml_config`, where that is there) the file is made; or the
                file itself. The working directory where None.
            name: The file's name; needed for a folder.
            separate_environment_yaml: Whether the environment gets a file of its own, `environment.yml`.

        Raises:
            FileNotFoundError: The path is not there.
            UserErrorException: It is a folder, and no name is given.
        """
        from scriptstep.authoring.runconfig_file import save_runconfig

        save_runconfig(self, Path(path) if path is not None else Path.cwd(), name, separate_environment_yaml)

    @staticmethod
    def load(path: str | os.PathLike[str], name: str | None = None) -> RunConfiguration:
        """Reads a configuration that `save`, or the SDK, wrote.

        Args:
            path: A project folder, or the file itself.
            name: The file's name, with or without `.runconfig`; needed for a folder.

        Returns:
            The configuration.

        Raises:
            UserErrorException: There is no such file.
            RunConfigurationException: It says something that cannot be; file and key are named.
        """
        from scriptstep.authoring.runconfig_file import load_runconfig

        return load_runconfig(Path(path), name)

    @staticmethod
    def delete(path: str | os.PathLike[str], name: str) -> None:
        """Deletes a configuration's file.

        Args:
            path: A project folder.
            name: The file's name, with or without `.runconfig`.

        Raises:
            UserErrorException: There is no such file.
        """
        from scriptstep.authoring.runconfig_file import find_runconfig

        find_runconfig(Path(path), name).unlink()

    def _distribute(self, config: Element) -> None:
        """Takes over the counts of a distributed job, as `ScriptRunConfig(distributed_job_config=...)` does.

        Raises:
            ArgumentTypeError: It is no distributed job.
        """
        if isinstance(config, MpiConfiguration):
            self.mpi, self.communicator, self.node_count = config, "Mpi", config.node_count
        elif isinstance(config, PyTorchConfiguration):
            self.pytorch, self.framework, self.node_count = config, "PyTorch", config.node_count
            self.communicator = config.communication_backend.capitalize()
        elif isinstance(config, TensorflowConfiguration):
            self.tensorflow, self.framework, self.communicator = config, "TensorFlow", "ParameterServer"
            self.node_count = config.worker_count + config.parameter_server_count
        elif isinstance(config, ParallelTaskConfiguration):
            self.paralleltask, self.communicator = config, "ParallelTask"
        else:
            raise ArgumentTypeError(f"a distributed job is an MpiConfiguration or the like, not {config!r}")

    def _run_spec(self, workspace: Workspace | None = None, where: str = "") -> RunSpec:
        """Says, as plain data, what of this concerns a step.

        Args:
            workspace: Where an environment that is given by name is looked up.
            where: The step, for messages.

        Returns:
            The plain data.

        Raises:
            ArgumentError: A count or a time is no number, or too small.
            NotRegisteredError: An environment that is given by name is not registered.
        """
        # Most steps have the configuration that nobody touched.
        untouched = not set(self.__dict__) - {"target"}
        if untouched:
            if not _specs:
                _specs["default"] = RunConfiguration()._computed_spec(None, "")
            return _specs["default"]
        return self._computed_spec(workspace, where)

    def _computed_spec(self, workspace: Workspace | None, where: str) -> RunSpec:
        from scriptstep.graph import RunSpec

        environment = self.environment if "environment" in self.__dict__ else Environment("default-environment")
        if isinstance(environment, EnvironmentReference):
            if workspace is None:
                raise UserErrorException(f"{_at(where)}environment '{environment.name}' is looked up in a workspace")
            environment = environment.get_environment(workspace)
        nodes = _count(self.node_count, "node_count", where)
        nodes = max(nodes, *(_count(job.node_count, "node_count", where) for job in self._jobs()), 1)
        return RunSpec(
            environment=environment._declared(),
            environment_is_default=environment._is_default(),
            environment_variables=_texts(environment.environment_variables, self.environment_variables, where),
            interpreter=environment._interpreter,
            framework=str(self.framework),
            communicator=None if self.communicator in (None, "", "None") else str(self.communicator),
            node_count=nodes,
            process_count_per_node=self._processes(nodes, where),
            worker_count=_count(self.tensorflow.worker_count, "worker_count", where),
            parameter_server_count=_count(
                self.tensorflow.parameter_server_count, "parameter_server_count", where, least=0
            ),
            timeout_s=_seconds(self.max_run_duration_seconds, where),
            retries=None if self.retries is None else _count(self.retries, "retries", where, least=0),
        )

    def _jobs(self) -> list[MpiConfiguration | PyTorchConfiguration]:
        return [job for name in ("mpi", "pytorch") if isinstance(job := self.__dict__.get(name), Element)]  # type: ignore[misc]

    def _processes(self, nodes: int, where: str) -> int:
        total = self.pytorch.process_count
        if total is not None:
            if _count(total, "process_count", where) % nodes:
                raise ArgumentError(
                    f"{_at(where)}process_count of the runconfig is {total}, which {nodes} nodes cannot share evenly",
                    help=f"process_count={math.ceil(total / nodes) * nodes}: it counts the processes of all nodes",
                )
            return int(total) // nodes
        return _count(self.mpi.process_count_per_node, "process_count_per_node", where)


def get_run_config_dir_name(path: str | os.PathLike[str]) -> str:
    """Returns: name of the folder of a project's run configurations."""
    return AML_CONFIG_DIR if (Path(path) / AML_CONFIG_DIR).is_dir() else AZUREML_DIR


def get_run_config_dir_path(path: str | os.PathLike[str]) -> str:
    """Returns: the folder of a project's run configurations."""
    return str(Path(path) / get_run_config_dir_name(path))


def _at(where: str) -> str:
    return f"{where}: " if where else ""


def _count(value: Any, name: str, where: str, least: int = 1) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ArgumentError(f"{_at(where)}{name} of the runconfig must be a whole number, not {value!r}")
    if value < least:
        raise ArgumentError(f"{_at(where)}{name} of the runconfig must be at least {least}, not {value}")
    return value


def _seconds(value: Any, where: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise ArgumentError(
            f"{_at(where)}max_run_duration_seconds of the runconfig must be a time in seconds, not {value!r}"
        )
    return float(value)


def _texts(first: Any, second: Any, where: str) -> dict[str, str]:
    texts: dict[str, str] = {}
    for variables in (first, second):
        if not isinstance(variables or {}, dict):
            raise ArgumentTypeError(f"{_at(where)}environment_variables must be a dict, not {variables!r}")
        for name, value in copy.copy(variables or {}).items():
            if not isinstance(name, str) or not name or "=" in name or "\0" in name:
                raise ArgumentError(f"{_at(where)}an environment variable cannot be called {name!r}")
            # None is a variable of the caller's that was not set.
            if value is not None:
                texts[name] = str(value)
    return texts
