"""The one table of the alias: which names the modules of the SDK have, and where each lives here.

A home is written `module:name`; the class is the same object under every name. What has its home in `absent` imports,
and says what to use instead when it is used.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["SDK_VERSION", "TABLE"]

# The version of the SDK that ours follows; code prints it, and some compares it.
SDK_VERSION = "1.61.0"

_ABSENT = "scriptstep.azureml.absent"
_RUNCONFIG = "scriptstep.authoring.runconfig"
_GRAPH = "scriptstep.graph"
_SECTIONS = "scriptstep.workspace.sections"

# Home module to names; later homes do not repeat names of earlier ones.
_HOMES: Mapping[str, str] = {
    "scriptstep.azureml.caught": (
        "AuthenticationError ClientException ClientRequestError DiscoveryUrlNotFoundException HttpOperationError "
        "ParallelRunException ServiceException WorkspacePrivateEndpointException"
    ),
    "scriptstep.azureml.table": "SDK_VERSION",
    "scriptstep.azureml.widgets": "RunDetails",
    "scriptstep.authoring.command_step": "CommandStep",
    "scriptstep.authoring.graph_context": "_GraphContext",
    "scriptstep.authoring.pipeline": "Pipeline",
    "scriptstep.authoring.pipeline_data": "PipelineData",
    "scriptstep.authoring.pipeline_output_dataset": (
        "DatasetRegistration PipelineOutputAbstractDataset PipelineOutputFileDataset PipelineOutputTabularDataset"
    ),
    "scriptstep.authoring.python_script_step": "PythonScriptStep _PythonScriptStepBase",
    "scriptstep.authoring.script_run_config": "ScriptRunConfig",
    "scriptstep.authoring.step_sequence": "StepSequence",
    "scriptstep.authoring.steps": "PipelineStep",
    _RUNCONFIG: (
        "AML_CONFIG_DIR AZUREML_DIR AmlComputeConfiguration ApplicationEndpointConfiguration "
        "COMPUTECONTEXT_EXTENSION Data DataReferenceConfiguration DatacacheConfiguration DatasetRegistrationOptions "
        "GlobsOptions HdiConfiguration HistoryConfiguration KubernetesComputeConfiguration LOCAL_RUNCONFIG_NAME "
        "MPI_CPU_IMAGE MPI_GPU_IMAGE MountOptions MpiConfiguration OutputData OutputOptions "
        "ParallelTaskConfiguration PyTorchConfiguration RUNCONFIGURATION_EXTENSION RegistrationOptions "
        "RunConfiguration SUPPORTED_DATAREF_MODES SUPPORTED_DELIVERY_MECHANISM SUPPORTED_PYTORCH_BACKENDS "
        "SparkConfiguration TensorflowConfiguration UploadOptions Uri get_run_config_dir_name "
        "get_run_config_dir_path to_camel_case to_snake_case"
    ),
    "scriptstep.data.abstract_dataset": "AbstractDataset",
    "scriptstep.data.consumption": "DatasetConsumptionConfig",
    "scriptstep.data.dataset_factory": "Dataset FileDatasetFactory TabularDatasetFactory",
    "scriptstep.data.reading": "DataType",
    "scriptstep.data.datasets": "FileDataset TabularDataset",
    "scriptstep.data.outputs": (
        "HDFSOutputDatasetConfig LinkFileOutputDatasetConfig LinkTabularOutputDatasetConfig OutputDatasetConfig "
        "OutputFileDatasetConfig OutputTabularDatasetConfig RegistrationConfiguration TransformationMixin"
    ),
    "scriptstep.data.paths": "DataPath DataPathComputeBinding",
    "scriptstep.data.references": "DataReference PortDataReference",
    "scriptstep.errors": (
        "ActivityFailedException AuthenticationException AzureMLAggregatedException AzureMLException "
        "ComputeTargetException DatasetTimestampMissingError ErrorResponseException ExperimentExecutionException "
        "ModelNotFoundException "
        "ModelPathNotFoundException ProjectSystemException RunConfigurationException RunEnvironmentException "
        "SnapshotException TrainingException UserErrorException WebserviceException WorkspaceException"
    ),
    _GRAPH: (
        "DataSource DataSourceDef DataSourceNode Edge Graph InputPort InputPortBinding InputPortDef ModuleDef "
        "ModuleNode Node OutputPort OutputPortBinding OutputPortDef Param ParamDef PipelineParameter"
    ),
    "scriptstep.published.draft": "PipelineDraft",
    "scriptstep.published.endpoint": "PipelineEndpoint PipelineVersion",
    "scriptstep.published.pipeline": "PublishedPipeline",
    "scriptstep.run.experiment": "Experiment",
    "scriptstep.run.pipeline_run": "PipelineRun StepRun StepRunOutput",
    "scriptstep.run.run": "Run get_run",
    "scriptstep.run.script_run": "ScriptRun",
    "scriptstep.run.submitted_run": "InputDatasets OutputDatasets _SubmittedRun",
    "scriptstep.runtime.offline": "_OfflineRun",
    "scriptstep.workspace.compute": (
        "AbstractComputeTarget AdlaCompute AksCompute AmlCompute BatchCompute ComputeInstance ComputeTarget "
        "DataFactoryCompute DatabricksCompute DsvmCompute HDInsightCompute KubernetesCompute KustoCompute "
        "LocalTarget RemoteCompute SynapseCompute"
    ),
    "scriptstep.workspace.conda": "CondaDependencies PYTHON_DEFAULT_VERSION",
    "scriptstep.workspace.datastore": (
        "AbstractADLSDatastore AbstractAzureStorageDatastore AbstractDatastore AzureBlobDatastore "
        "AzureDataLakeDatastore AzureDataLakeGen2Datastore AzureFileDatastore AzureMySqlDatastore "
        "AzurePostgreSqlDatastore AzureSqlDatabaseDatastore DBFSDatastore Datastore HDFSDatastore"
    ),
    "scriptstep.workspace.docker": (
        "ContainerRegistry DockerBuildContext DockerConfiguration DockerEnvironment DockerImagePlatform DockerSection"
    ),
    "scriptstep.workspace.environment": "Environment EnvironmentDefinition EnvironmentReference ImageBuildDetails",
    "scriptstep.workspace.identity": (
        "AbstractAuthentication ArcTokenAuthentication AzureCliAuthentication AzureMLTokenAuthentication "
        "InteractiveLoginAuthentication MsiAuthentication ServicePrincipalAuthentication TokenAuthentication"
    ),
    "scriptstep.workspace.images": "DEFAULT_CPU_IMAGE DEFAULT_GPU_IMAGE",
    "scriptstep.workspace.keyvault": "Keyvault",
    "scriptstep.workspace.model": "Model",
    "scriptstep.workspace.resources": "ResourceConfiguration",
    _SECTIONS: (
        "DatabricksCluster DatabricksSection EggLibrary JarLibrary MavenLibrary PyPiLibrary PythonEnvironment "
        "PythonSection RCranLibrary RCranPackage RGitHubPackage RSection SparkEnvironment SparkPackage SparkSection"
    ),
    "scriptstep.workspace.workspace": "Workspace",
    _ABSENT: (
        "AciWebservice AdlaStep AksEndpoint AksWebservice AutoMLConfig AutoMLRun AutoMLStep AutoMLStepRun "
        "AzureAutoMLSettings AzureBatchStep AzureContainerRegistry BanditPolicy BayesianParameterSampling "
        "BuildContext ContainerImage Cr CreateRunDto DataTransferStep DatabricksStep "
        "DatacacheConsumptionConfig DatacacheStore DockerImageDetails EnvironmentClient Estimator EstimatorStep "
        "ExperimentClient ExplanationClient Gloo GridParameterSampling HTSInferenceParameters HTSTrainParameters "
        "HyperDriveConfig HyperDriveRun HyperDriveRunConfig HyperDriveStep HyperDriveStepRun Image InferenceConfig "
        "JasmineClient KustoStep LinkOutput LinkedService LocalWebservice ManyModelsInferenceParameters "
        "ManyModelsTrainParameters MedianStoppingPolicy ModelDataCollector ModelPackage ModelProxy Module ModuleStep "
        "ModuleStepBase ModuleVersion ModuleVersionDescriptor Mpi MpiStep Nccl NoTerminationPolicy NotebookRunConfig "
        "NotebookRunnerStep ParallelRunConfig ParallelRunStep PipelineDataset "
        "PrimaryMetricGoal PrivateEndPoint PrivateEndPointConfig PyTorch RScriptStep "
        "RandomParameterSampling RunClient RunTypeV2 SKLearn Schedule ScheduleRecurrence ScheduleStatus ScheduleType "
        "SnapshotsClient SqlDataReference StoredProcedureParameter "
        "StoredProcedureParameterType SynapseSparkStep SynapseWorkspaceLinkedServiceConfiguration TensorFlow "
        "TimeZone TruncationSelectionPolicy TrainingOutput Webservice _HDInsightStep _ParallelPipelineGraphBuilder "
        "_PipelineGraphBuilder _SequentialPipelineGraphBuilder _score_with_model _set_logging_parameters "
        "attach_legacy_compute_target choice diagnostic_log evaluate_classifier get_project_ignore_file "
        "hts_runtime_utilities is_compute_target_prepared lognormal loguniform modify_run_configuration normal "
        "prepare_compute_target qlognormal qloguniform qnormal quniform randint remove_legacy_compute_target uniform"
    ),
}

_PLACES = {name: f"{home}:{name}" for home, names in _HOMES.items() for name in names.split()}

# Names that several modules have with another meaning in each.
_OTHER: Mapping[tuple[str, str], str] = {
    ("azureml.core", "VERSION"): "scriptstep.azureml.table:SDK_VERSION",
    ("azureml.core", "__version__"): "scriptstep.azureml.table:SDK_VERSION",
    ("azureml.core.environment", "Enum"): "enum:Enum",
    ("azureml.core.environment", "OrderedDict"): "collections:OrderedDict",
    ("azureml.core.environment", "SDKVERSION"): "scriptstep.azureml.table:SDK_VERSION",
    ("azureml.core.runconfig", "DataLocation"): f"{_RUNCONFIG}:DataLocation",
    ("azureml.core.runconfig", "DataPath"): f"{_RUNCONFIG}:DataPath",
    ("azureml.core.runconfig", "Dataset"): f"{_RUNCONFIG}:Dataset",
    ("azureml.data.output_dataset_config", "UploadOptions"): "scriptstep.data.outputs:UploadOptions",
    ("azureml.pipeline.core.graph", "DataType"): f"{_GRAPH}:DataType",
    ("azureml.pipeline.core.graph", "Module"): f"{_GRAPH}:Module",
}
# Modules of the standard library that code takes from a module of the SDK.
_STANDARD = frozenset(
    ["base64", "collections", "hashlib", "json", "logging", "os", "sys", "tempfile", "time", "urllib", "zipfile"]
)

_CORE = (
    "ComputeTarget ContainerRegistry Dataset Datastore Environment Experiment Image Keyvault LinkedService Model "
    "PrivateEndPoint PrivateEndPointConfig Run RunConfiguration ScriptRun ScriptRunConfig "
    "SynapseWorkspaceLinkedServiceConfiguration VERSION Webservice Workspace __version__ "
    "attach_legacy_compute_target diagnostic_log get_run is_compute_target_prepared prepare_compute_target "
    "remove_legacy_compute_target"
)
_COMPUTES = (
    "AdlaCompute AksCompute AmlCompute BatchCompute ComputeInstance ComputeTarget DataFactoryCompute "
    "DatabricksCompute DsvmCompute HDInsightCompute KubernetesCompute KustoCompute RemoteCompute SynapseCompute"
)
_EXCEPTIONS = (
    "ActivityFailedException AuthenticationException AzureMLAggregatedException AzureMLException "
    "ComputeTargetException DatasetTimestampMissingError DiscoveryUrlNotFoundException ExperimentExecutionException "
    "ModelNotFoundException ModelPathNotFoundException ParallelRunException ProjectSystemException "
    "RunConfigurationException RunEnvironmentException ServiceException SnapshotException TrainingException "
    "UserErrorException WebserviceException WorkspaceException WorkspacePrivateEndpointException"
)
_HYPERDRIVE = (
    "BanditPolicy BayesianParameterSampling GridParameterSampling HyperDriveConfig HyperDriveRun HyperDriveRunConfig "
    "MedianStoppingPolicy NoTerminationPolicy PrimaryMetricGoal RandomParameterSampling TruncationSelectionPolicy "
    "choice lognormal loguniform normal qlognormal qloguniform qnormal quniform randint uniform"
)
_PARALLEL = "ParallelRunConfig ParallelRunStep"
_STORAGE = "AbstractAzureStorageDatastore AzureBlobDatastore AzureFileDatastore"
_AUTHENTICATION = (
    "AbstractAuthentication ArcTokenAuthentication AzureCliAuthentication AzureMLTokenAuthentication "
    "InteractiveLoginAuthentication MsiAuthentication ServicePrincipalAuthentication TokenAuthentication"
)

_NAMES: Mapping[str, str] = {
    "azureml": "",
    "azureml._base_sdk_common": "",
    "azureml._project": "",
    "azureml._project.ignore_file": "get_project_ignore_file",
    "azureml._restclient": "",
    "azureml._restclient.experiment_client": "ExperimentClient",
    "azureml._restclient.jasmine_client": "JasmineClient",
    "azureml._restclient.models": "CreateRunDto RunTypeV2",
    "azureml._restclient.models.create_run_dto": "CreateRunDto",
    "azureml._restclient.models.run_type_v2": "RunTypeV2",
    "azureml._restclient.run_client": "RunClient",
    "azureml._restclient.snapshots_client": "SnapshotsClient",
    "azureml.automl": "",
    "azureml.automl.dnn": "",
    "azureml.automl.dnn.vision": "",
    "azureml.automl.dnn.vision.classification": "",
    "azureml.automl.dnn.vision.classification.inference": "",
    "azureml.automl.dnn.vision.classification.inference.score": "_score_with_model",
    "azureml.automl.dnn.vision.common": "",
    "azureml.automl.dnn.vision.common.utils": "_set_logging_parameters",
    "azureml.automl.runtime": "",
    "azureml.automl.runtime._ml_engine": "",
    "azureml.automl.runtime._ml_engine.classification_ml_engine": "evaluate_classifier",
    "azureml.contrib": "",
    "azureml.contrib.notebook": "NotebookRunConfig NotebookRunnerStep",
    "azureml.contrib.pipeline": "",
    "azureml.contrib.pipeline.steps": _PARALLEL,
    "azureml.core": _CORE,
    "azureml.core.authentication": _AUTHENTICATION,
    "azureml.core.compute": _COMPUTES,
    "azureml.core.compute.adla": "AdlaCompute",
    "azureml.core.compute.aks": "AksCompute",
    "azureml.core.compute.amlcompute": "AmlCompute",
    "azureml.core.compute.batch": "BatchCompute",
    "azureml.core.compute.compute": "ComputeTarget",
    "azureml.core.compute.computeinstance": "ComputeInstance",
    "azureml.core.compute.databricks": "DatabricksCompute",
    "azureml.core.compute.datafactory": "DataFactoryCompute",
    "azureml.core.compute.dsvm": "DsvmCompute",
    "azureml.core.compute.hdinsight": "HDInsightCompute",
    "azureml.core.compute.kubernetescompute": "KubernetesCompute",
    "azureml.core.compute.kusto": "KustoCompute",
    "azureml.core.compute.remote": "RemoteCompute",
    "azureml.core.compute.synapse": "SynapseCompute",
    "azureml.core.compute_target": "AbstractComputeTarget ComputeTargetException LocalTarget",
    "azureml.core.conda_dependencies": "CondaDependencies PYTHON_DEFAULT_VERSION",
    "azureml.core.container_registry": "ContainerRegistry",
    "azureml.core.databricks": (
        "DatabricksCluster DatabricksSection EggLibrary JarLibrary MavenLibrary PyPiLibrary RCranLibrary"
    ),
    "azureml.core.dataset": "Dataset",
    "azureml.core.datastore": "Datastore",
    "azureml.core.environment": (
        "AzureMLException CondaDependencies ContainerRegistry DEFAULT_CPU_IMAGE DEFAULT_GPU_IMAGE DatabricksSection "
        "DockerBuildContext DockerEnvironment DockerImageDetails DockerImagePlatform DockerSection Enum Environment "
        "EnvironmentClient EnvironmentReference ImageBuildDetails OrderedDict PYTHON_DEFAULT_VERSION "
        "PythonEnvironment PythonSection RCranPackage RGitHubPackage RSection SDKVERSION SparkEnvironment "
        "SparkPackage SparkSection UserErrorException base64 collections hashlib json logging os sys tempfile time "
        "urllib zipfile"
    ),
    "azureml.core.experiment": "Experiment",
    "azureml.core.image": "ContainerImage Image",
    "azureml.core.keyvault": "Keyvault",
    "azureml.core.linked_service": "LinkedService SynapseWorkspaceLinkedServiceConfiguration",
    "azureml.core.model": "InferenceConfig Model ModelPackage",
    "azureml.core.private_endpoint": "PrivateEndPoint PrivateEndPointConfig",
    "azureml.core.resource_configuration": "ResourceConfiguration",
    "azureml.core.run": "Experiment InputDatasets LinkOutput OutputDatasets Run _OfflineRun _SubmittedRun get_run",
    "azureml.core.runconfig": (
        "AML_CONFIG_DIR AZUREML_DIR AbstractComputeTarget AmlComputeConfiguration ApplicationEndpointConfiguration "
        "AzureContainerRegistry COMPUTECONTEXT_EXTENSION ComputeTarget CondaDependencies ContainerRegistry Cr "
        "DEFAULT_CPU_IMAGE DEFAULT_GPU_IMAGE Data DataLocation DataPath DataReferenceConfiguration DatabricksCluster "
        "DatabricksSection DatacacheConfiguration DatacacheConsumptionConfig Dataset DatasetConsumptionConfig "
        "DatasetRegistrationOptions DockerConfiguration DockerEnvironment DockerSection EggLibrary Environment "
        "EnvironmentDefinition GlobsOptions HdiConfiguration HistoryConfiguration JarLibrary "
        "KubernetesComputeConfiguration LOCAL_RUNCONFIG_NAME MPI_CPU_IMAGE MPI_GPU_IMAGE MavenLibrary MountOptions "
        "MpiConfiguration OutputData OutputOptions ParallelTaskConfiguration PyPiLibrary PyTorchConfiguration "
        "PythonEnvironment PythonSection RCranLibrary RUNCONFIGURATION_EXTENSION RegistrationOptions Run "
        "RunConfiguration RunConfigurationException SUPPORTED_DATAREF_MODES SUPPORTED_DELIVERY_MECHANISM "
        "SUPPORTED_PYTORCH_BACKENDS SparkConfiguration SparkEnvironment SparkSection TensorflowConfiguration "
        "UploadOptions Uri UserErrorException collections get_run_config_dir_name get_run_config_dir_path json "
        "logging os to_camel_case to_snake_case"
    ),
    "azureml.core.script_run": "ScriptRun",
    "azureml.core.script_run_config": "ScriptRunConfig",
    "azureml.core.webservice": "AciWebservice AksEndpoint AksWebservice LocalWebservice Webservice",
    "azureml.core.webservice.aci": "AciWebservice",
    "azureml.core.webservice.aks": "AksEndpoint AksWebservice",
    "azureml.core.webservice.local": "LocalWebservice",
    "azureml.core.webservice.webservice": "Webservice",
    "azureml.core.workspace": "Workspace",
    "azureml.data": (
        "DataType DatacacheStore FileDataset HDFSOutputDatasetConfig LinkFileOutputDatasetConfig "
        "LinkTabularOutputDatasetConfig OutputFileDatasetConfig TabularDataset"
    ),
    "azureml.data.abstract_dataset": "AbstractDataset",
    "azureml.data.abstract_datastore": "AbstractDatastore",
    "azureml.data.azure_data_lake_datastore": (
        "AbstractADLSDatastore AzureDataLakeDatastore AzureDataLakeGen2Datastore"
    ),
    "azureml.data.azure_my_sql_datastore": "AzureMySqlDatastore",
    "azureml.data.azure_postgre_sql_datastore": "AzurePostgreSqlDatastore",
    "azureml.data.azure_sql_database_datastore": "AzureSqlDatabaseDatastore",
    "azureml.data.azure_storage_datastore": _STORAGE,
    "azureml.data.data_reference": "DataReference",
    "azureml.data.datacache": "DatacacheStore",
    "azureml.data.datapath": "DataPath DataPathComputeBinding",
    "azureml.data.dataset_consumption_config": "DatasetConsumptionConfig",
    "azureml.data.dataset_factory": "DataType FileDatasetFactory TabularDatasetFactory",
    "azureml.data.dbfs_datastore": "DBFSDatastore",
    "azureml.data.file_dataset": "FileDataset",
    "azureml.data.hdfs_datastore": "HDFSDatastore",
    "azureml.data.output_dataset_config": (
        "HDFSOutputDatasetConfig LinkFileOutputDatasetConfig LinkTabularOutputDatasetConfig OutputDatasetConfig "
        "OutputFileDatasetConfig OutputTabularDatasetConfig RegistrationConfiguration TransformationMixin "
        "UploadOptions"
    ),
    "azureml.data.sql_data_reference": "SqlDataReference",
    "azureml.data.tabular_dataset": "TabularDataset",
    "azureml.exceptions": _EXCEPTIONS,
    "azureml.exceptions._azureml_exception": _EXCEPTIONS,
    "azureml.interpret": "ExplanationClient",
    "azureml.monitoring": "ModelDataCollector",
    "azureml.pipeline": "",
    "azureml.pipeline.core": (
        "InputPortBinding Module ModuleVersion ModuleVersionDescriptor OutputPortBinding Pipeline PipelineData "
        "PipelineDataset PipelineDraft PipelineEndpoint PipelineParameter PipelineRun PipelineStep PortDataReference "
        "PublishedPipeline Schedule ScheduleRecurrence StepRun StepRunOutput StepSequence TimeZone TrainingOutput"
    ),
    "azureml.pipeline.core._graph_context": "_GraphContext",
    "azureml.pipeline.core._python_script_step_base": "_PythonScriptStepBase",
    "azureml.pipeline.core._restclients": "",
    "azureml.pipeline.core._restclients.aeva": "",
    "azureml.pipeline.core._restclients.aeva.models": "ErrorResponseException",
    "azureml.pipeline.core._restclients.aeva.models.error_response": "ErrorResponseException",
    "azureml.pipeline.core.builder": (
        "PipelineData PipelineStep StepSequence _ParallelPipelineGraphBuilder _PipelineGraphBuilder "
        "_SequentialPipelineGraphBuilder"
    ),
    "azureml.pipeline.core.graph": (
        "DataSource DataSourceDef DataSourceNode DataType Edge Graph InputPort InputPortBinding InputPortDef Module "
        "ModuleDef ModuleNode Node OutputPort OutputPortBinding OutputPortDef Param ParamDef PipelineDataset "
        "PipelineParameter PortDataReference PublishedPipeline StoredProcedureParameter StoredProcedureParameterType "
        "TrainingOutput"
    ),
    "azureml.pipeline.core.module": "Module ModuleVersion ModuleVersionDescriptor",
    "azureml.pipeline.core.module_step_base": "ModuleStepBase",
    "azureml.pipeline.core.pipeline": "Pipeline",
    "azureml.pipeline.core.pipeline_draft": "PipelineDraft",
    "azureml.pipeline.core.pipeline_endpoint": "PipelineEndpoint PipelineVersion",
    "azureml.pipeline.core.pipeline_output_dataset": (
        "DatasetRegistration PipelineOutputAbstractDataset PipelineOutputFileDataset PipelineOutputTabularDataset"
    ),
    "azureml.pipeline.core.run": "PipelineRun StepRun StepRunOutput",
    "azureml.pipeline.core.schedule": "Schedule ScheduleRecurrence ScheduleStatus ScheduleType TimeZone",
    "azureml.pipeline.steps": (
        "AdlaStep AutoMLStep AutoMLStepRun AzureBatchStep CommandStep DataTransferStep DatabricksStep EstimatorStep "
        "HyperDriveStep HyperDriveStepRun KustoStep ModuleStep MpiStep ParallelRunConfig ParallelRunStep "
        "PythonScriptStep RScriptStep SynapseSparkStep _HDInsightStep"
    ),
    "azureml.pipeline.steps.automl_step": "AutoMLStep AutoMLStepRun",
    "azureml.pipeline.steps.command_step": "CommandStep",
    "azureml.pipeline.steps.data_transfer_step": "DataTransferStep",
    "azureml.pipeline.steps.databricks_step": "DatabricksStep",
    "azureml.pipeline.steps.estimator_step": "EstimatorStep",
    "azureml.pipeline.steps.hyper_drive_step": "HyperDriveStep HyperDriveStepRun",
    "azureml.pipeline.steps.mpi_step": "MpiStep",
    "azureml.pipeline.steps.parallel_run_config": "ParallelRunConfig",
    "azureml.pipeline.steps.parallel_run_step": "ParallelRunStep",
    "azureml.pipeline.steps.python_script_step": "PythonScriptStep",
    "azureml.train": "",
    "azureml.train.automl": "AutoMLConfig",
    "azureml.train.automl._azureautomlsettings": "AzureAutoMLSettings",
    "azureml.train.automl._environment_utilities": "modify_run_configuration",
    "azureml.train.automl.automlconfig": "AutoMLConfig",
    "azureml.train.automl.run": "AutoMLRun",
    "azureml.train.automl.runtime": "AutoMLStep",
    "azureml.train.automl.runtime._hts": "hts_runtime_utilities",
    "azureml.train.automl.runtime._hts.hts_parameters": "HTSInferenceParameters HTSTrainParameters",
    "azureml.train.automl.runtime._many_models": "",
    "azureml.train.automl.runtime._many_models.many_models_parameters": (
        "ManyModelsInferenceParameters ManyModelsTrainParameters"
    ),
    "azureml.train.dnn": "Gloo Mpi Nccl PyTorch TensorFlow",
    "azureml.train.estimator": "Estimator",
    "azureml.train.hyperdrive": _HYPERDRIVE,
    "azureml.train.sklearn": "SKLearn",
    "azureml.widgets": "RunDetails",
    # It came with the SDK; where it is installed, that is used.
    "msrest": "",
    "msrest.exceptions": "AuthenticationError ClientException ClientRequestError HttpOperationError",
}


def _home(module: str, name: str) -> str:
    if (module, name) in _OTHER:
        return _OTHER[module, name]
    return f"{name}:" if name in _STANDARD else _PLACES[name]


TABLE: Mapping[str, Mapping[str, str]] = {
    module: {name: _home(module, name) for name in names.split()} for module, names in _NAMES.items()
}
