"""Run configurations: what a step takes from them, and their files."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scriptstep.authoring.runconfig import (
    DEFAULT_CPU_IMAGE,
    DEFAULT_GPU_IMAGE,
    Data,
    DataReferenceConfiguration,
    DockerConfiguration,
    Environment,
    MpiConfiguration,
    ParallelTaskConfiguration,
    PyTorchConfiguration,
    RunConfiguration,
    TensorflowConfiguration,
    get_run_config_dir_name,
    to_camel_case,
    to_snake_case,
)
from scriptstep.errors import (
    ArgumentError,
    NotRegisteredError,
    RunConfigurationException,
    UserErrorException,
)
from scriptstep.records import asdict
from scriptstep.workspace.catalog import close_catalogs
from scriptstep.workspace.conda import CondaDependencies
from scriptstep.workspace.environment import EnvironmentReference
from scriptstep.workspace.workspace import Workspace


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SCRIPTSTEP_HOME", raising=False)
    monkeypatch.setattr("scriptstep.console.notice", lambda *_, **__: None)
    yield tmp_path
    close_catalogs()


# --- declaring


def test_a_new_one_has_the_sdks_defaults() -> None:
    config = RunConfiguration()
    assert (config.target, config.framework, config.communicator, config.node_count) == ("local", "Python", "None", 1)
    assert config.environment.docker.base_image == DEFAULT_CPU_IMAGE
    assert config.environment.python.user_managed_dependencies is False
    assert (config.mpi.process_count_per_node, config.tensorflow.worker_count) == (1, 1)
    assert config.history.directories_to_watch == ["logs"] and config.history.output_collection is True
    assert config.docker.use_docker is False
    assert config.arguments == [] and config.data_references == {} and config.environment_variables == {}
    assert config.auto_prepare_environment is True
    for image in (DEFAULT_CPU_IMAGE, DEFAULT_GPU_IMAGE):
        assert image.startswith("mcr.microsoft.com/azureml/")


def test_it_is_set_by_attribute_as_public_code_does() -> None:
    """Lines of public pipelines, one after the other."""
    config = RunConfiguration()
    config.target = SimpleNamespace(name="cpu-cluster", type="AmlCompute")
    config.environment.docker.enabled = True
    config.environment.docker.base_image = DEFAULT_GPU_IMAGE
    config.environment.docker.gpu_support = True
    config.environment.python.user_managed_dependencies = False
    config.environment.python.conda_dependencies = CondaDependencies.create(conda_packages=["scikit-learn"])
    config.environment.spark.precache_packages = False
    config.docker = DockerConfiguration(use_docker=True)
    config.docker.use_docker = True
    config.auto_prepare_environment = True
    config.node_count = 2
    config.framework = "python"
    config.data_references = {"x": DataReferenceConfiguration(datastore_name="d", path_on_datastore="p")}
    config.history.output_collection = True
    config.source_directory_data_store = None
    assert config.target == "cpu-cluster"
    config.target = "another"
    assert config.target == "another"
    config.environment = Environment("mine")
    assert config.environment.name == "mine"


def test_packages_can_be_given_at_once() -> None:
    config = RunConfiguration(framework="pyspark", conda_dependencies=CondaDependencies.create(pip_packages=["a"]))
    assert config.framework == "pyspark"
    assert list(config.environment.python.conda_dependencies.pip_packages) == ["a"]


def test_the_callers_lists_are_copied() -> None:
    arguments = ["--x"]
    config = RunConfiguration("train.py", arguments)
    arguments.append("--y")
    assert config.arguments == ["--x"]
    shared: list[str] = []
    docker = DockerConfiguration(arguments=shared)
    docker.arguments.append("x")
    assert shared == [] and DockerConfiguration().arguments == []


@pytest.mark.parametrize(
    ("act", "kind", "told"),
    [
        (lambda c: setattr(c, "taget", "x"), AttributeError, "did you mean 'target'"),
        (lambda c: setattr(c.mpi, "process_count", 2), AttributeError, "did you mean 'process_count_per_node'"),
        (lambda c: setattr(c, "target", 5), TypeError, "compute target or the name of one, not 5"),
        (lambda c: setattr(c, "environment", "mine"), TypeError, r"must be an Environment(.|\n)*Environment.get"),
        (lambda c: setattr(c, "environment", None), TypeError, "must be an Environment, not None"),
    ],
)
def test_what_cannot_be_set_is_one_clear_error(
    act: Callable[[RunConfiguration], Any], kind: type[Exception], told: str
) -> None:
    with pytest.raises(kind, match=told) as caught:
        act(RunConfiguration())
    assert isinstance(caught.value, UserErrorException)


def test_untouched_ones_share_what_they_declare() -> None:
    specs = [RunConfiguration()._run_spec() for _ in range(1000)]
    assert all(spec is specs[0] for spec in specs)


def test_copies_are_apart() -> None:
    config = RunConfiguration()
    config.environment.python.conda_dependencies.add_pip_package("a")
    twin = copy.deepcopy(config)
    twin.environment.python.conda_dependencies.add_pip_package("b")
    twin.target = "x"
    assert "b" not in config.environment.python.conda_dependencies.pip_packages
    assert config.target == "local"


def test_it_shows_itself_as_the_sdk_does() -> None:
    shown = json.loads(str(RunConfiguration("train.py", ["--x", 1])))
    in_order = """
        script arguments target framework communicator maxRunDurationSeconds nodeCount priority environment history
        spark docker hdi tensorflow mpi pytorch paralleltask dataReferences data datacaches outputData
        sourceDirectoryDataStore amlcompute autoClusterComputeSpecification kubernetescompute credentialPassthrough
        command environmentVariables applicationEndpoints
    """
    assert list(shown) == in_order.split()
    assert shown["mpi"] == {"processCountPerNode": 1, "nodeCount": 1}
    assert shown["environment"]["python"]["userManagedDependencies"] is False
    assert shown["arguments"] == ["--x", 1]


def test_names_are_turned_both_ways() -> None:
    for snake, camel in (
        ("node_count", "nodeCount"),
        ("mpi", "mpi"),
        ("max_run_duration_seconds", "maxRunDurationSeconds"),
    ):
        assert to_camel_case(snake) == camel
        assert to_snake_case(camel) == snake


# --- what a step takes from it


def test_the_default_spec_says_that_nothing_was_asked_for() -> None:
    spec = RunConfiguration()._run_spec()
    assert spec.environment_is_default
    assert dict(spec.environment) == Environment("x")._declared()
    assert (spec.interpreter, spec.framework, spec.communicator, spec.timeout_s) == (None, "Python", None, None)
    assert (spec.node_count, spec.process_count_per_node, spec.worker_count, spec.parameter_server_count) == (
        1,
        1,
        1,
        1,
    )
    assert spec.environment_variables == {}


def test_a_target_alone_leaves_the_default_spec() -> None:
    config = RunConfiguration()
    config.target = "x"
    assert config._run_spec() == RunConfiguration()._run_spec()


def test_looking_at_it_changes_no_spec() -> None:
    config = RunConfiguration()
    assert str(config) and config.environment.docker.base_image and config.mpi and config.pytorch
    assert config._run_spec() == RunConfiguration()._run_spec()


def test_everything_that_concerns_a_step_is_in_its_spec() -> None:
    config = RunConfiguration(framework="PyTorch", communicator="Nccl")
    config.environment.python.user_managed_dependencies = True
    config.environment.python.interpreter_path = "/opt/python"
    config.environment.environment_variables = {"A": "1", "B": 2}
    config.environment_variables = {"B": 3, "C": None}
    config.max_run_duration_seconds = 90
    config.mpi.process_count_per_node = 4
    config.tensorflow = TensorflowConfiguration(worker_count=2, parameter_server_count=0)
    config.node_count = 3
    config.retries = 2
    spec = config._run_spec()
    assert asdict(spec) == {
        "environment": {
            "python": {
                "user_managed_dependencies": True,
                "conda_dependencies": CondaDependencies()._content(),
            }
        },
        "environment_is_default": False,
        "environment_variables": {"A": "1", "B": "3"},
        "interpreter": "/opt/python",
        "framework": "PyTorch",
        "communicator": "Nccl",
        "node_count": 3,
        "process_count_per_node": 4,
        "worker_count": 2,
        "parameter_server_count": 0,
        "timeout_s": 90.0,
        "retries": 2,
    }


def test_the_interpreter_counts_where_packages_are_the_users_own() -> None:
    config = RunConfiguration()
    config.environment.python.interpreter_path = "/opt/python"
    assert config._run_spec().interpreter is None, "as the SDK documents it"
    config.environment.python.user_managed_dependencies = True
    assert config._run_spec().interpreter == "/opt/python"
    config.environment.python.interpreter_path = "python"
    assert config._run_spec().interpreter is None


def test_two_interpreters_at_different_places_declare_the_same() -> None:
    specs = []
    for path in ("/a/bin/python", "/b/bin/python"):
        config = RunConfiguration()
        config.environment.python.user_managed_dependencies = True
        config.environment.python.interpreter_path = path
        specs.append(config._run_spec())
    assert specs[0].environment == specs[1].environment
    assert specs[0].interpreter != specs[1].interpreter


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        (MpiConfiguration(2, 3), ("Python", "Mpi", 3, 2)),
        (PyTorchConfiguration("Gloo", process_count=8, node_count=4), ("PyTorch", "Gloo", 4, 2)),
        (PyTorchConfiguration(process_count=6, node_count=2), ("PyTorch", "Nccl", 2, 3)),
        (PyTorchConfiguration(node_count=2), ("PyTorch", "Nccl", 2, 1)),
        (TensorflowConfiguration(2, 1), ("TensorFlow", "ParameterServer", 3, 1)),
        (ParallelTaskConfiguration(), ("Python", "ParallelTask", 1, 1)),
    ],
)
def test_a_distributed_job_brings_its_counts(job: Any, expected: tuple[str, str, int, int]) -> None:
    config = RunConfiguration()
    config._distribute(job)
    spec = config._run_spec()
    assert (spec.framework, spec.communicator, spec.node_count, spec.process_count_per_node) == expected


def test_nodes_of_a_job_that_is_set_by_attribute_count() -> None:
    config = RunConfiguration()
    config.mpi = MpiConfiguration(process_count_per_node=2, node_count=2)
    assert (config._run_spec().node_count, config._run_spec().process_count_per_node) == (2, 2)


def test_what_is_no_job_is_an_error() -> None:
    with pytest.raises(TypeError, match="MpiConfiguration or the like"):
        RunConfiguration()._distribute(DockerConfiguration())


def test_a_backend_that_is_none_is_the_sdks_error() -> None:
    assert PyTorchConfiguration("NCCL").communication_backend == "nccl"
    with pytest.raises(RunConfigurationException, match="'Nccl' or 'Gloo', not 'Mpi'"):
        PyTorchConfiguration("Mpi")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda c: setattr(c, "node_count", 0), "node_count of the runconfig must be at least 1, not 0"),
        (lambda c: setattr(c, "node_count", "2"), "node_count of the runconfig must be a whole number, not '2'"),
        (lambda c: setattr(c, "node_count", True), "must be a whole number, not True"),
        (lambda c: setattr(c.mpi, "process_count_per_node", -1), "process_count_per_node of the runconfig"),
        (lambda c: setattr(c.pytorch, "process_count", 0), "process_count of the runconfig"),
        (lambda c: c._distribute(PyTorchConfiguration(process_count=5, node_count=2)), "2 nodes cannot share evenly"),
        (lambda c: setattr(c.tensorflow, "worker_count", 0), "worker_count of the runconfig"),
        (
            lambda c: setattr(c, "max_run_duration_seconds", 0),
            "max_run_duration_seconds of the runconfig must be a time",
        ),
        (lambda c: setattr(c, "max_run_duration_seconds", "1h"), "must be a time in seconds, not '1h'"),
        (lambda c: setattr(c, "environment_variables", ["A"]), r"environment_variables must be a dict, not \['A'\]"),
        (lambda c: setattr(c, "environment_variables", {"A=B": "1"}), "cannot be called 'A=B'"),
        (lambda c: setattr(c, "environment_variables", {1: "1"}), "cannot be called 1"),
    ],
)
def test_a_spec_that_cannot_be_names_the_step(change: Callable[[RunConfiguration], Any], told: str) -> None:
    config = RunConfiguration()
    change(config)
    with pytest.raises(ArgumentError, match=f"step 'train': .*{told}"):
        config._run_spec(where="step 'train'")


def test_an_environment_by_name_is_looked_up(folder: Path) -> None:
    ws = Workspace.from_config()
    env = Environment("shared")
    env.python.conda_dependencies.add_pip_package("pandas")
    env.register(ws)
    config = RunConfiguration()
    config.environment = EnvironmentReference("shared")
    assert config._run_spec(ws).environment == env._declared()
    with pytest.raises(UserErrorException, match="step 'a': environment 'shared' is looked up in a workspace"):
        config._run_spec(where="step 'a'")
    config.environment = EnvironmentReference("none")
    with pytest.raises(NotRegisteredError):
        config._run_spec(ws)


# --- files


def filled() -> RunConfiguration:
    config = RunConfiguration("train.py", ["--x", "1"], communicator="OpenMpi")
    config.target = "gpu"
    config.node_count = 2
    config.max_run_duration_seconds = 60
    config.mpi.process_count_per_node = 4
    config.environment.name = "mine"
    config.environment.environment_variables = {"A": "1"}
    config.environment.docker.base_image = "image:1"
    config.environment.python.conda_dependencies = CondaDependencies.create(pip_packages=["pandas==2.0"])
    config.data_references["raw"] = DataReferenceConfiguration("store", "download", "a/b", overwrite=True)
    config.data["d"] = Data(mechanism="mount")
    return config


@pytest.mark.parametrize("separate", [False, True])
def test_what_is_saved_is_loaded(folder: Path, separate: bool) -> None:
    config = filled()
    config.save(folder, "gpu.runconfig", separate_environment_yaml=separate)
    files = {p.name for p in (folder / ".azureml").iterdir()}
    assert files == {"gpu.runconfig", "conda_dependencies.yml"} | ({"environment.yml"} if separate else set())
    for again in (
        RunConfiguration.load(folder, "gpu"),
        RunConfiguration.load(str(folder), "gpu.runconfig"),
        RunConfiguration.load(folder / ".azureml" / "gpu.runconfig"),
    ):
        assert again._run_spec() == config._run_spec()
        assert json.loads(str(again)) == json.loads(str(config))
        assert isinstance(again.data_references["raw"], DataReferenceConfiguration)
        assert isinstance(again.data["d"], Data)


def test_the_older_folder_is_used_where_it_is_there(folder: Path) -> None:
    (folder / "aml_config").mkdir()
    assert get_run_config_dir_name(folder) == "aml_config"
    RunConfiguration().save(folder, "local.runconfig")
    assert (folder / "aml_config" / "local.runconfig").is_file()
    assert RunConfiguration.load(folder, "local")._run_spec().environment_is_default
    RunConfiguration.delete(folder, "local")
    with pytest.raises(UserErrorException):
        RunConfiguration.load(folder, "local")


def test_saving_needs_a_place_and_a_name(folder: Path) -> None:
    with pytest.raises(UserErrorException, match="give the run configuration a name"):
        RunConfiguration().save(folder)
    with pytest.raises(FileNotFoundError):
        RunConfiguration().save(folder / "none", "x")
    filled().save(folder, "a.runconfig")
    with pytest.raises(UserErrorException, match=r"no run configuration 'x' in .*\nhelp: there are a"):
        RunConfiguration.load(folder, "x")
    with pytest.raises(UserErrorException, match="name the run configuration"):
        RunConfiguration.load(folder)


SDK_FILE = """
# The script to run.
script: train.py
# The arguments to the script file.
arguments: [--alpha, 0.1]
# The name of the compute target to use for this run.
target: cpu
framework: Python
communicator: None
autoPrepareEnvironment: true
maxRunDurationSeconds:
nodeCount: 1
environment:
  name: project_environment
  version:
  environmentVariables:
    EXAMPLE_ENV_VAR: EXAMPLE_VALUE
  python:
    userManagedDependencies: false
    interpreterPath: python
    condaDependenciesFile: aml_config/conda_dependencies.yml
    baseCondaEnvironment:
  docker:
    enabled: true
    baseImage: mcr.microsoft.com/azureml/base:0.2.4
    sharedVolumes: true
    gpuSupport: false
    shmSize: 1g
    arguments: []
    baseImageRegistry: {address: , username: , password: }
  spark: {repositories: [], packages: [], precachePackages: true}
history: {outputCollection: true, snapshotProject: true, directoriesToWatch: [logs]}
spark: {configuration: {spark.app.name: Azure ML Experiment}}
batchai: {nodeCount: 1}
amlcompute: {vmSize: , retainCluster: false, clusterMaxNodeCount: 1}
tensorflow: {workerCount: 1, parameterServerCount: 1}
mpi: {processCountPerNode: 1}
hdi: {yarnDeployMode: cluster}
containerInstance: {region: , cpuCores: 2, memoryGb: 3.5}
dataReferences: {}
sourceDirectoryDataStore:
"""


def test_a_setting_that_the_sdk_has_not_stands_in_a_file_only_where_it_is_made(folder: Path) -> None:
    config = RunConfiguration()
    config.save(folder, "mine")
    assert "retries" not in (folder / ".azureml" / "mine").read_text()
    config.retries = 0
    config.save(folder, "mine")
    assert RunConfiguration.load(folder, "mine").retries == 0


def test_a_file_of_the_sdks_is_read(folder: Path) -> None:
    """In the form that the SDK of 2019 wrote, and public repositories still hold."""
    (folder / "aml_config").mkdir()
    (folder / "aml_config" / "cpu.runconfig").write_text(SDK_FILE)
    (folder / "aml_config" / "conda_dependencies.yml").write_text(
        "dependencies: [python=3.6.2, {pip: [azureml-defaults]}]\n"
    )
    config = RunConfiguration.load(folder, "cpu")
    assert (config.script, config.arguments, config.target) == ("train.py", ["--alpha", 0.1], "cpu")
    assert config.environment.python.conda_dependencies.get_python_version() == "3.6.2"
    assert (config.environment.docker.enabled, config.environment.docker.shm_size) == (True, "1g")
    spec = config._run_spec()
    assert spec.environment_variables == {"EXAMPLE_ENV_VAR": "EXAMPLE_VALUE"}
    assert (spec.communicator, spec.timeout_s, spec.node_count) == (None, None, 1)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nodeCount: two", "nodeCount must be a valid integer, and is 'two'"),
        ("nodeCount: 0", "nodeCount must be greater than or equal to 1, and is 0"),
        ("arguments: --x", "arguments must be a valid list"),
        ("mpi: {processCountPerNode: x}", "mpi.processCountPerNode must be a valid integer"),
        ("environment: {python: {userManagedDependencies: maybe}}", "environment.*python.userManagedDependencies"),
        ("environment: {python: {condaDependenciesFile: none.yml}}", r"condaDependenciesFile names 'none\.yml'"),
        ("environment: none.yml", r"environment names 'none\.yml'"),
        ("- a\n- b", "must be a table, not"),
    ],
)
def test_a_file_that_says_what_cannot_be_names_file_and_key(folder: Path, text: str, told: str) -> None:
    (folder / "bad.runconfig").write_text(text)
    with pytest.raises(RunConfigurationException, match=rf"bad\.runconfig.*{told}"):
        RunConfiguration.load(folder / "bad.runconfig")


def test_a_file_that_is_no_yaml_says_so(folder: Path) -> None:
    (folder / "bad.runconfig").write_text("a: [")
    with pytest.raises(UserErrorException, match=r"bad\.runconfig is no YAML"):
        RunConfiguration.load(folder / "bad.runconfig")


# --- data


def test_a_dataset_becomes_data_of_a_run_configuration() -> None:
    dataset = SimpleNamespace(id="i", name="titanic", version=3)
    named = SimpleNamespace(dataset=dataset, name="raw", mode="mount", path_on_compute="/x")
    data = Data.create(named)
    assert data.data_location is not None and data.data_location.dataset is not None
    assert (data.data_location.dataset.dataset_id, data.data_location.dataset.dataset_version) == ("i", "3")
    assert (data.mechanism, data.environment_variable_name, data.path_on_compute) == ("mount", "raw", "/x")
    assert Data.create(dataset).mechanism == "direct"
    with pytest.raises(TypeError, match="is a dataset, not 3"):
        Data.create(3)
