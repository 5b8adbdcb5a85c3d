"""Names of the SDK that are not here: they import, and say what to use instead when they are used."""

from __future__ import annotations

from typing import Any, NoReturn

from scriptstep.azureml.table import TABLE

__all__ = ["instead_of"]

_SCRIPT = "make the script a PythonScriptStep"
_LOOP = "make a PythonScriptStep of each trial, or loop over the parameters inside one"
_SERVE = "register the model, take its files with Model.get_model_path, and serve them with a web server of your choice"
_AUTOML = "train with the library of your choice in a PythonScriptStep"
_SCHEDULE = "let cron, or your CI, call `scriptstep run pipeline.py` or `scriptstep published submit NAME`"
_AGAIN = "keep the script that builds the pipeline, and submit it again"
_DATA = "read and write the data in a PythonScriptStep"
_SERVICE = "there is no service here; Run, Experiment and Workspace have what was recorded"
_ENGINE = "run it from a PythonScriptStep, with that system's own client"

# The first entry that has the name decides.
_INSTEAD: tuple[tuple[str, str], ...] = (
    ("RScriptStep", "run it with a CommandStep: command='Rscript main.R'"),
    ("Estimator EstimatorStep SKLearn PyTorch TensorFlow Mpi Gloo Nccl MpiStep", _SCRIPT),
    (
        "ParallelRunConfig ParallelRunStep",
        "loop over the files inside a PythonScriptStep, with a process pool where it pays",
    ),
    ("NotebookRunConfig NotebookRunnerStep", "export the notebook as a script, and make that a PythonScriptStep"),
    (
        (
            "BanditPolicy BayesianParameterSampling GridParameterSampling HyperDriveConfig HyperDriveRun "
            "HyperDriveRunConfig HyperDriveStep HyperDriveStepRun MedianStoppingPolicy NoTerminationPolicy "
            "PrimaryMetricGoal RandomParameterSampling TruncationSelectionPolicy choice lognormal loguniform "
            "normal qlognormal qloguniform qnormal quniform randint uniform"
        ),
        _LOOP,
    ),
    (
        (
            "AciWebservice AksEndpoint AksWebservice BuildContext ContainerImage Image InferenceConfig "
            "LocalWebservice ModelDataCollector ModelPackage ModelProxy Webservice"
        ),
        _SERVE,
    ),
    (
        (
            "AutoMLConfig AutoMLRun AutoMLStep AutoMLStepRun AzureAutoMLSettings HTSInferenceParameters "
            "HTSTrainParameters ManyModelsInferenceParameters ManyModelsTrainParameters _score_with_model "
            "_set_logging_parameters evaluate_classifier hts_runtime_utilities modify_run_configuration"
        ),
        _AUTOML,
    ),
    ("ExplanationClient", "upload the explanation as a file: run.upload_file(name, path)"),
    ("Schedule ScheduleRecurrence ScheduleStatus ScheduleType TimeZone", _SCHEDULE),
    (
        "Module ModuleStep ModuleStepBase ModuleVersion ModuleVersionDescriptor",
        _AGAIN,
    ),
    ("DataTransferStep DatacacheConsumptionConfig DatacacheStore LinkOutput SqlDataReference", _DATA),
    ("StoredProcedureParameter StoredProcedureParameterType", _DATA),
    ("PipelineDataset", "give the dataset itself to the step: dataset.as_named_input(name)"),
    ("TrainingOutput", _AUTOML),
    (
        "_ParallelPipelineGraphBuilder _PipelineGraphBuilder _SequentialPipelineGraphBuilder",
        "build a Pipeline: it has a graph",
    ),
    ("AdlaStep AzureBatchStep DatabricksStep KustoStep SynapseSparkStep _HDInsightStep", _ENGINE),
    ("CreateRunDto EnvironmentClient ExperimentClient JasmineClient RunClient RunTypeV2 SnapshotsClient", _SERVICE),
    ("get_project_ignore_file", "`scriptstep.content.scan` lists what the ignore files leave in"),
    ("diagnostic_log", "use the logging module"),
)


def instead_of(name: str) -> str:
    """Returns: what to use in place of a name of the SDK that is not here."""
    return next((told for names, told in _INSTEAD if name in names.split()), _SERVICE_HERE)


_SERVICE_HERE = "it belongs to the cloud service, and nothing here takes its place"


class _Absent(type):
    """The class of classes that cannot be used: called, or asked for a member, they say what to use."""

    def __call__(cls, *args: Any, **kwargs: Any) -> NoReturn:
        _refuse(cls.__name__)

    def __getattr__(cls, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        _refuse(f"{cls.__name__}.{name}", cls.__name__)

    def __repr__(cls) -> str:
        return f"<class {cls.__name__}, not here>"


def _refuse(what: str, name: str | None = None) -> NoReturn:
    raise NotImplementedError(f"{what} is not here: {instead_of(name or what)}")


_made: dict[str, _Absent] = {}
_names = frozenset(name for names in TABLE.values() for name, home in names.items() if home.startswith(__name__ + ":"))


def __getattr__(name: str) -> _Absent:
    if name not in _names:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    if name not in _made:
        _made[name] = _Absent(name, (), {"__doc__": f"Not here: {instead_of(name)}.", "__module__": __name__})
    return _made[name]
