"""`import azureml...` answered by scriptstep."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scriptstep import azureml
from scriptstep.azureml.table import TABLE

# Every spelling that public pipeline code uses, and the odd ones among them.
_SPELLED = """
azureml.core.Workspace azureml.pipeline.core.Pipeline azureml.core.Experiment azureml.core.compute.ComputeTarget
azureml.pipeline.steps.PythonScriptStep azureml.core.compute.AmlCompute azureml.core.Run azureml.core.Environment
azureml.core.model.Model azureml.pipeline.core.PipelineData azureml.core.Dataset
azureml.core.runconfig.RunConfiguration azureml.core.Datastore azureml.core.compute_target.ComputeTargetException
azureml.core azureml.core.Model azureml.core.conda_dependencies.CondaDependencies azureml.core.model.InferenceConfig
azureml.core.webservice.AciWebservice azureml.core.ScriptRunConfig azureml.core.run.Run azureml.widgets.RunDetails
azureml.core.webservice.Webservice azureml.train.hyperdrive.HyperDriveConfig azureml.pipeline.core.PublishedPipeline
azureml.core.experiment.Experiment azureml.data.data_reference.DataReference azureml.core.runconfig.DEFAULT_CPU_IMAGE
azureml.train.hyperdrive.PrimaryMetricGoal azureml.core.authentication.ServicePrincipalAuthentication
azureml.train.automl.AutoMLConfig azureml.core.authentication.InteractiveLoginAuthentication
azureml.core.RunConfiguration azureml.pipeline.core.graph.PipelineParameter azureml.data.OutputFileDatasetConfig
azureml.pipeline.steps.ParallelRunConfig azureml.pipeline.steps.ParallelRunStep azureml.train.hyperdrive.choice
azureml.core.workspace.Workspace azureml.pipeline.core.PipelineParameter azureml.exceptions.ComputeTargetException
azureml.data.datapath.DataPath azureml.train.hyperdrive.RandomParameterSampling azureml.train.hyperdrive.BanditPolicy
azureml.train.estimator.Estimator azureml.core.dataset.Dataset azureml.core.datastore.Datastore
azureml.core.environment.Environment azureml.pipeline.core.PipelineEndpoint azureml.core.runconfig.DEFAULT_GPU_IMAGE
azureml.core.runconfig.CondaDependencies azureml.train.hyperdrive.GridParameterSampling
azureml.core.authentication.AzureCliAuthentication azureml.core.webservice.LocalWebservice
azureml.pipeline.core.schedule.Schedule azureml.pipeline.core.Schedule azureml.train.hyperdrive.uniform azureml
azureml.pipeline.core.StepSequence azureml.pipeline.steps.EstimatorStep
azureml.pipeline.core.schedule.ScheduleRecurrence azureml.pipeline.core.ScheduleRecurrence azureml.core.ComputeTarget
azureml.core.run._OfflineRun azureml.pipeline.core.run.PipelineRun azureml.data.datapath.DataPathComputeBinding
azureml.train.sklearn.SKLearn azureml.data.dataset_factory.TabularDatasetFactory azureml.interpret.ExplanationClient
azureml.data.dataset_consumption_config.DatasetConsumptionConfig
azureml._restclient.models.create_run_dto.CreateRunDto
azureml.pipeline.core._restclients.aeva.models.error_response.ErrorResponseException
azureml.train.automl.runtime._many_models.many_models_parameters.ManyModelsInferenceParameters
azureml.train.automl.runtime._many_models.many_models_parameters.ManyModelsTrainParameters
azureml._restclient.models.RunTypeV2 azureml._restclient.run_client.RunClient
azureml.exceptions._azureml_exception.UserErrorException azureml.train.automl.runtime._hts.hts_runtime_utilities
azureml._restclient.experiment_client.ExperimentClient azureml._restclient.jasmine_client.JasmineClient
azureml._restclient.models.run_type_v2.RunTypeV2
azureml.automl.dnn.vision.classification.inference.score._score_with_model
azureml.automl.dnn.vision.common.utils._set_logging_parameters
azureml.automl.runtime._ml_engine.classification_ml_engine.evaluate_classifier
azureml.train.automl._azureautomlsettings.AzureAutoMLSettings
azureml.train.automl._environment_utilities.modify_run_configuration
azureml.train.automl.runtime._hts.hts_parameters.HTSInferenceParameters
azureml.train.automl.runtime._hts.hts_parameters.HTSTrainParameters azureml.core.environment.CondaDependencies
azureml.data.output_dataset_config.OutputFileDatasetConfig azureml.core.VERSION azureml.core.keyvault.Keyvault
"""
SPELLINGS = _SPELLED.split()


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    azureml.install()
    yield
    azureml.uninstall()


def take(spelling: str) -> object:
    """What `from a.b import c` gives, or, for a module, `import a.b.c`."""
    if spelling in TABLE:
        return importlib.import_module(spelling)
    module, _, name = spelling.rpartition(".")
    space: dict[str, object] = {}
    exec(f"from {module} import {name}", space)
    return space[name]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_public_code_imports(spelling: str) -> None:
    assert take(spelling) is not None


def test_every_name_of_the_table_has_its_home() -> None:
    failed = []
    for module, names in TABLE.items():
        for name, home in names.items():
            try:
                take(f"{module}.{name}")
            except Exception as error:
                failed.append(f"{module}.{name} ({home}): {error!r}")
    assert failed == []


def test_a_class_is_the_same_object_under_every_name() -> None:
    import scriptstep

    for name, spellings in {
        "Workspace": ["azureml.core", "azureml.core.workspace"],
        "Run": ["azureml.core", "azureml.core.run", "azureml.core.runconfig"],
        "Model": ["azureml.core", "azureml.core.model"],
        "CondaDependencies": ["azureml.core.conda_dependencies", "azureml.core.runconfig", "azureml.core.environment"],
        "PipelineParameter": ["azureml.pipeline.core", "azureml.pipeline.core.graph"],
        "OutputFileDatasetConfig": ["azureml.data", "azureml.data.output_dataset_config"],
        "ComputeTargetException": ["azureml.core.compute_target", "azureml.exceptions"],
        "PipelineRun": ["azureml.pipeline.core", "azureml.pipeline.core.run"],
    }.items():
        assert {id(take(f"{module}.{name}")) for module in spellings} == {id(getattr(scriptstep, name))}, name


def test_modules_below_are_reached_as_attributes() -> None:
    import azureml.core  # type: ignore[import-not-found]

    assert azureml.core.compute.AmlCompute is take("azureml.core.compute.AmlCompute")
    assert "compute" in dir(azureml.core)
    assert "Workspace" in dir(azureml.core)


def test_a_star_import_brings_the_public_names() -> None:
    space: dict[str, object] = {}
    exec("from azureml.core import *", space)
    assert {"Workspace", "Experiment", "Run", "Dataset"} <= set(space)
    assert "__version__" not in space


@pytest.mark.parametrize(
    ("code", "error", "message"),
    [
        ("from azureml.core import Workspaces", ImportError, "did you mean 'Workspace'?"),
        (
            "from azureml.core import PythonScriptStep",
            ImportError,
            "from azureml.pipeline.steps import PythonScriptStep",
        ),
        ("from azureml.opendatasets import NycTlcGreen", ModuleNotFoundError, "read it with pandas"),
        ("import azureml.core.worksapce", ModuleNotFoundError, "did you mean 'azureml.core.workspace'?"),
        ("import azureml.core\nazureml.core.Workspaces", AttributeError, "did you mean 'Workspace'?"),
    ],
)
def test_a_name_that_is_not_there_says_what_to_use(code: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message.replace("?", r"\?")):
        exec(code, {})


def test_code_that_asks_before_it_uses_gets_an_answer() -> None:
    import azureml.core

    assert not hasattr(azureml.core, "Nothing")
    with pytest.raises(ModuleNotFoundError):
        import azureml.mlflow  # type: ignore[import-not-found]


@pytest.mark.parametrize(
    "use",
    [
        "ParallelRunStep(name='x')",
        "HyperDriveConfig()",
        "choice(1, 2)",
        "PrimaryMetricGoal.MAXIMIZE",
        "AciWebservice.deploy_configuration(cpu_cores=1)",
        "Schedule.list(None)",
    ],
)
def test_what_is_not_here_imports_and_says_what_to_use_when_it_is_used(use: str) -> None:
    names = (
        "from azureml.pipeline.steps import ParallelRunStep\n"
        "from azureml.pipeline.core import Schedule\n"
        "from azureml.core.webservice import AciWebservice\n"
        "from azureml.train.hyperdrive import HyperDriveConfig, PrimaryMetricGoal, choice\n"
    )
    with pytest.raises(NotImplementedError, match=r"is not here: \w+"):
        exec(names + use, {})


def test_what_is_not_here_is_a_class_of_its_own_for_isinstance() -> None:
    step, estimator = take("azureml.pipeline.steps.ParallelRunStep"), take("azureml.train.estimator.Estimator")
    assert isinstance(step, type)
    assert step is not estimator
    assert not isinstance(3, step)
    assert not hasattr(step, "__wrapped__")


def test_exceptions_that_code_catches_are_exceptions() -> None:
    for spelling in (
        "azureml.pipeline.core._restclients.aeva.models.error_response.ErrorResponseException",
        "azureml.exceptions.ServiceException",
        "azureml.exceptions.ComputeTargetException",
    ):
        caught = take(spelling)
        assert isinstance(caught, type)
        assert issubclass(caught, Exception)


def test_importing_loads_a_module_only_when_a_name_of_it_is_asked_for() -> None:
    code = (
        "import sys\nfrom scriptstep import azureml\nazureml.install()\nimport azureml.core\n"
        "before = 'scriptstep.workspace.workspace' in sys.modules\nfrom azureml.core import Workspace\n"
        "sys.exit(before or 'scriptstep.workspace.workspace' not in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_uninstalled_the_name_means_nothing_again() -> None:

    from scriptstep import azureml as alias

    alias.uninstall()
    assert "azureml.core" not in sys.modules
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("azureml.core")
    alias.install()


def test_where_the_sdk_is_installed_ours_wins_and_says_so_once(tmp_path: Path) -> None:
    (tmp_path / "azureml" / "core").mkdir(parents=True)
    (tmp_path / "azureml" / "core" / "__init__.py").write_text("VERSION = 'theirs'\nclass Workspace: ...\n")
    (tmp_path / "azureml" / "extra.py").write_text("")
    ours = "from scriptstep import azureml\nazureml.install()\nazureml.install()\n"
    ours += "from azureml.core import Workspace, VERSION\n"
    code = (
        ours
        + "print(VERSION, Workspace.__module__)\ntry:\n    import azureml.extra\nexcept ImportError: print('lacks it')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["1.61.0 scriptstep.workspace.workspace", "lacks it"]
    assert done.stderr.count("note: the Azure ML SDK is installed here too") == 1
    late = "import azureml.core\n" + ours + "print(VERSION)"
    done = subprocess.run([sys.executable, "-c", late], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "1.61.0\n"
    assert "warning: " in done.stderr


@pytest.mark.parametrize("is_installed", [False, True])
def test_the_errors_that_came_with_the_sdk_are_caught(tmp_path: Path, is_installed: bool) -> None:
    if is_installed:
        (tmp_path / "msrest").mkdir()
        (tmp_path / "msrest" / "__init__.py").write_text("")
        (tmp_path / "msrest" / "exceptions.py").write_text("class HttpOperationError(Exception): ...")
    code = """
from scriptstep import azureml
azureml.install()
from azureml.core import Datastore, Workspace
from msrest.exceptions import HttpOperationError
ws = Workspace.from_config()
try:
    Datastore.get(ws, "mine")
except HttpOperationError:
    Datastore.register_azure_blob_container(ws, "mine", "container", "account")
print(Datastore.get(ws, "mine").name, HttpOperationError.__module__)
"""
    # Last on the path, as site-packages are.
    code = f"import sys; sys.path[:] = [p for p in sys.path if p] + [{str(tmp_path)!r}]\n" + code
    where = {**os.environ, "SCRIPTSTEP_HOME": str(tmp_path / "state")}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=where, capture_output=True, text=True)
    assert done.stdout.split() == ["mine", "msrest.exceptions" if is_installed else "scriptstep.azureml.caught"], (
        done.stderr
    )


def test_the_face_is_sorted_lazy_and_whole() -> None:
    import scriptstep

    assert scriptstep.__all__ == sorted(scriptstep.__all__)
    assert [name for name in scriptstep.__all__ if getattr(scriptstep, name, None) is None] == []
    source = Path(scriptstep.__file__ or "").read_text("utf-8")
    import ast

    typed = {
        alias.name: node.module
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("scriptstep.")
        for alias in node.names
    }
    assert typed == scriptstep._HOME_OF
    assert sorted(typed) == scriptstep.__all__
    with pytest.raises(AttributeError):
        scriptstep.Nothing  # noqa: B018
