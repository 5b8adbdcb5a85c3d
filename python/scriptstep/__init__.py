"""scriptstep runs pipelines of Python script steps, and runs a step again only where something has changed.

The names are those of the Azure ML SDK v1; each is loaded when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scriptstep.authoring.command_step import CommandStep
    from scriptstep.authoring.pipeline import Pipeline
    from scriptstep.authoring.pipeline_data import PipelineData
    from scriptstep.authoring.python_script_step import PythonScriptStep
    from scriptstep.authoring.runconfig import (
        MpiConfiguration,
        PyTorchConfiguration,
        RunConfiguration,
        TensorflowConfiguration,
    )
    from scriptstep.authoring.script_run_config import ScriptRunConfig
    from scriptstep.authoring.step_sequence import StepSequence
    from scriptstep.authoring.steps import PipelineStep
    from scriptstep.data.consumption import DatasetConsumptionConfig
    from scriptstep.data.dataset_factory import Dataset
    from scriptstep.data.datasets import FileDataset, TabularDataset
    from scriptstep.data.outputs import OutputFileDatasetConfig, OutputTabularDatasetConfig
    from scriptstep.data.paths import DataPath, DataPathComputeBinding
    from scriptstep.data.references import DataReference, PortDataReference
    from scriptstep.errors import (
        ActivityFailedException,
        ArgumentError,
        AzureMLException,
        ComputeTargetException,
        ContentError,
        ModelNotFoundException,
        NotRegisteredError,
        SettingsError,
        UserErrorException,
        WorkspaceException,
    )
    from scriptstep.graph import Graph, InputPortBinding, OutputPortBinding, PipelineParameter
    from scriptstep.run.experiment import Experiment
    from scriptstep.run.pipeline_run import PipelineRun, StepRun, StepRunOutput
    from scriptstep.run.plan import Plan
    from scriptstep.run.run import Run
    from scriptstep.workspace.compute import AmlCompute, ComputeTarget
    from scriptstep.workspace.conda import CondaDependencies
    from scriptstep.workspace.datastore import Datastore
    from scriptstep.workspace.docker import DockerConfiguration, DockerSection
    from scriptstep.workspace.environment import Environment
    from scriptstep.workspace.model import Model
    from scriptstep.workspace.workspace import Workspace

__all__ = [
    "ActivityFailedException",
    "AmlCompute",
    "ArgumentError",
    "AzureMLException",
    "CommandStep",
    "ComputeTarget",
    "ComputeTargetException",
    "CondaDependencies",
    "ContentError",
    "DataPath",
    "DataPathComputeBinding",
    "DataReference",
    "Dataset",
    "DatasetConsumptionConfig",
    "Datastore",
    "DockerConfiguration",
    "DockerSection",
    "Environment",
    "Experiment",
    "FileDataset",
    "Graph",
    "InputPortBinding",
    "Model",
    "ModelNotFoundException",
    "MpiConfiguration",
    "NotRegisteredError",
    "OutputFileDatasetConfig",
    "OutputPortBinding",
    "OutputTabularDatasetConfig",
    "Pipeline",
    "PipelineData",
    "PipelineParameter",
    "PipelineRun",
    "PipelineStep",
    "Plan",
    "PortDataReference",
    "PyTorchConfiguration",
    "PythonScriptStep",
    "Run",
    "RunConfiguration",
    "ScriptRunConfig",
    "SettingsError",
    "StepRun",
    "StepRunOutput",
    "StepSequence",
    "TabularDataset",
    "TensorflowConfiguration",
    "UserErrorException",
    "Workspace",
    "WorkspaceException",
]

_HOMES = {
    "scriptstep.authoring.command_step": "CommandStep",
    "scriptstep.authoring.pipeline": "Pipeline",
    "scriptstep.authoring.pipeline_data": "PipelineData",
    "scriptstep.authoring.python_script_step": "PythonScriptStep",
    "scriptstep.authoring.runconfig": "MpiConfiguration PyTorchConfiguration RunConfiguration TensorflowConfiguration",
    "scriptstep.authoring.script_run_config": "ScriptRunConfig",
    "scriptstep.authoring.step_sequence": "StepSequence",
    "scriptstep.authoring.steps": "PipelineStep",
    "scriptstep.data.consumption": "DatasetConsumptionConfig",
    "scriptstep.data.dataset_factory": "Dataset",
    "scriptstep.data.datasets": "FileDataset TabularDataset",
    "scriptstep.data.outputs": "OutputFileDatasetConfig OutputTabularDatasetConfig",
    "scriptstep.data.paths": "DataPath DataPathComputeBinding",
    "scriptstep.data.references": "DataReference PortDataReference",
    "scriptstep.errors": "ActivityFailedException ArgumentError AzureMLException ComputeTargetException ContentError "
    "ModelNotFoundException NotRegisteredError SettingsError UserErrorException WorkspaceException",
    "scriptstep.graph": "Graph InputPortBinding OutputPortBinding PipelineParameter",
    "scriptstep.run.experiment": "Experiment",
    "scriptstep.run.pipeline_run": "PipelineRun StepRun StepRunOutput",
    "scriptstep.run.plan": "Plan",
    "scriptstep.run.run": "Run",
    "scriptstep.workspace.compute": "AmlCompute ComputeTarget",
    "scriptstep.workspace.conda": "CondaDependencies",
    "scriptstep.workspace.datastore": "Datastore",
    "scriptstep.workspace.docker": "DockerConfiguration DockerSection",
    "scriptstep.workspace.environment": "Environment",
    "scriptstep.workspace.model": "Model",
    "scriptstep.workspace.workspace": "Workspace",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'scriptstep' has no attribute '{name}'")
    import importlib

    value = globals()[name] = getattr(importlib.import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
