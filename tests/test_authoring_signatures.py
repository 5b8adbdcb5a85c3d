"""Names, parameters and defaults are the SDK's, as tests/data/signatures.json records them; differences are meant."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

SIGNATURES: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent / "data" / "signatures.json").read_text(encoding="utf-8")
)

HOMES = {
    "azureml.core.Dataset": "data.dataset_factory:Dataset",
    "azureml.data.DataType": "data.reading:DataType",
    "azureml.data.FileDataset": "data.datasets:FileDataset",
    "azureml.data.HDFSOutputDatasetConfig": "data.outputs:HDFSOutputDatasetConfig",
    "azureml.data.LinkFileOutputDatasetConfig": "data.outputs:LinkFileOutputDatasetConfig",
    "azureml.data.LinkTabularOutputDatasetConfig": "data.outputs:LinkTabularOutputDatasetConfig",
    "azureml.data.OutputFileDatasetConfig": "data.outputs:OutputFileDatasetConfig",
    "azureml.data.TabularDataset": "data.datasets:TabularDataset",
    "azureml.data.abstract_dataset.AbstractDataset": "data.abstract_dataset:AbstractDataset",
    "azureml.data.data_reference.DataReference": "data.references:DataReference",
    "azureml.data.datapath.DataPath": "data.paths:DataPath",
    "azureml.data.datapath.DataPathComputeBinding": "data.paths:DataPathComputeBinding",
    "azureml.data.dataset_consumption_config.DatasetConsumptionConfig": "data.consumption:DatasetConsumptionConfig",
    "azureml.data.dataset_factory.FileDatasetFactory": "data.dataset_factory:FileDatasetFactory",
    "azureml.data.dataset_factory.TabularDatasetFactory": "data.dataset_factory:TabularDatasetFactory",
    "azureml.data.output_dataset_config.OutputDatasetConfig": "data.outputs:OutputDatasetConfig",
    "azureml.data.output_dataset_config.OutputTabularDatasetConfig": "data.outputs:OutputTabularDatasetConfig",
    "azureml.data.output_dataset_config.RegistrationConfiguration": "data.outputs:RegistrationConfiguration",
    "azureml.data.output_dataset_config.TransformationMixin": "data.outputs:TransformationMixin",
    "azureml.data.output_dataset_config.UploadOptions": "data.outputs:UploadOptions",
    "azureml.pipeline.core.InputPortBinding": "graph:InputPortBinding",
    "azureml.pipeline.core.OutputPortBinding": "graph:OutputPortBinding",
    "azureml.pipeline.core.Pipeline": "authoring.pipeline:Pipeline",
    "azureml.pipeline.core.PipelineData": "authoring.pipeline_data:PipelineData",
    "azureml.pipeline.core.PipelineParameter": "graph:PipelineParameter",
    "azureml.pipeline.core.PipelineStep": "authoring.steps:PipelineStep",
    "azureml.pipeline.core.PortDataReference": "data.references:PortDataReference",
    "azureml.pipeline.core.StepSequence": "authoring.step_sequence:StepSequence",
    "azureml.pipeline.core._graph_context._GraphContext": "authoring.graph_context:_GraphContext",
    "azureml.pipeline.core._python_script_step_base._PythonScriptStepBase": (
        "authoring.python_script_step:_PythonScriptStepBase"
    ),
    "azureml.pipeline.core.graph.DataSource": "graph:DataSource",
    "azureml.pipeline.core.graph.DataSourceDef": "graph:DataSourceDef",
    "azureml.pipeline.core.graph.DataSourceNode": "graph:DataSourceNode",
    "azureml.pipeline.core.graph.DataType": "graph:DataType",
    "azureml.pipeline.core.graph.Edge": "graph:Edge",
    "azureml.pipeline.core.graph.Graph": "graph:Graph",
    "azureml.pipeline.core.graph.InputPort": "graph:InputPort",
    "azureml.pipeline.core.graph.InputPortDef": "graph:InputPortDef",
    "azureml.pipeline.core.graph.Module": "graph:Module",
    "azureml.pipeline.core.graph.ModuleDef": "graph:ModuleDef",
    "azureml.pipeline.core.graph.ModuleNode": "graph:ModuleNode",
    "azureml.pipeline.core.graph.Node": "graph:Node",
    "azureml.pipeline.core.graph.OutputPort": "graph:OutputPort",
    "azureml.pipeline.core.graph.OutputPortDef": "graph:OutputPortDef",
    "azureml.pipeline.core.graph.Param": "graph:Param",
    "azureml.pipeline.core.graph.ParamDef": "graph:ParamDef",
    "azureml.pipeline.core.graph._PipelineIO": "authoring.pipeline_io:_PipelineIO",
    "azureml.pipeline.core.pipeline_output_dataset.DatasetRegistration": (
        "authoring.pipeline_output_dataset:DatasetRegistration"
    ),
    "azureml.pipeline.core.pipeline_output_dataset.PipelineOutputAbstractDataset": (
        "authoring.pipeline_output_dataset:PipelineOutputAbstractDataset"
    ),
    "azureml.pipeline.core.pipeline_output_dataset.PipelineOutputFileDataset": (
        "authoring.pipeline_output_dataset:PipelineOutputFileDataset"
    ),
    "azureml.pipeline.core.pipeline_output_dataset.PipelineOutputTabularDataset": (
        "authoring.pipeline_output_dataset:PipelineOutputTabularDataset"
    ),
    "azureml.pipeline.steps.PythonScriptStep": "authoring.python_script_step:PythonScriptStep",
}

HEADER = "the enumeration's default is what header=True means"
OLD_DATASET = "the dataset class of 2018, which the SDK itself had deprecated"
LATER = "comes with a later issue"
SERVICE = "needs the service"
MADE_HERE = "nodes are made of a step, not of module builders"

# "class" or "class.member": why it is not as the SDK has it.
DIFFERENT = {
    **{
        f"Dataset.{name}": OLD_DATASET
        for name in (
            "__init__ archive auto_read_files compare_profiles create_snapshot definition definition_version delete_snapshot "
            "deprecate diff from_binary_files from_excel_files from_json_files from_pandas_dataframe from_sql_query "
            "generate_profile get_all_snapshots get_definition get_definitions get_profile get_snapshot head is_visible "
            "reactivate register sample state to_pandas_dataframe to_spark_dataframe update update_definition workspace "
            "from_delimited_files from_parquet_files"
        ).split()
    },
    "FileDataset.as_cache": SERVICE,
    "FileDataset.hydrate": SERVICE,
    "FileDataset.filter": "raises NotImplementedError",
    "FileDataset.file_metadata": "raises NotImplementedError",
    "FileDataset.get_partition_key_values": "raises NotImplementedError",
    "TabularDataset.get_partition_key_values": "raises NotImplementedError",
    "AbstractDataset.get_partition_key_values": "raises NotImplementedError",
    "TabularDataset.download": "raises NotImplementedError",
    "TabularDataset.mount": "raises NotImplementedError",
    "TabularDataset.filter": "raises NotImplementedError",
    "TabularDataset.partition_by": "raises NotImplementedError",
    "TabularDataset.get_profile": SERVICE,
    "TabularDataset.get_profile_runs": SERVICE,
    "TabularDataset.submit_profile_run": SERVICE,
    "TabularDataset.to_csv_files": "raises NotImplementedError",
    "TabularDataset.to_parquet_files": "raises NotImplementedError",
    "TabularDataset.to_dask_dataframe": "raises NotImplementedError",
    "TabularDataset.to_spark_dataframe": "raises NotImplementedError",
    "TabularDatasetFactory.from_sql_query": SERVICE,
    "TabularDatasetFactory.register_dask_dataframe": "raises NotImplementedError",
    "TabularDatasetFactory.register_spark_dataframe": "raises NotImplementedError",
    "HDFSOutputDatasetConfig.read_delimited_files": HEADER,
    "OutputFileDatasetConfig.read_delimited_files": HEADER,
    "TransformationMixin.read_delimited_files": HEADER,
    "PipelineOutputFileDataset.parse_delimited_files": HEADER,
    "DataReference.to_config": "the runconfig's own class for references is made where it is used",
    "Pipeline.load_yaml": LATER,
    "Pipeline.service_endpoint": SERVICE,
    "Graph.add_module_node": MADE_HERE,
    "Graph.add_datasource_node": MADE_HERE,
    "Graph.finalize": "nothing is sent anywhere",
    "Graph.generate_yaml": LATER,
    "Graph.submit": "Pipeline.submit is the one way",
    "Node.__init__": MADE_HERE,
    "Node.module_def": "only a step's node has one",
    "Node.datasource_def": "only a data node has one",
    "ModuleNode.__init__": MADE_HERE,
    "ModuleNode.datasource_def": "only a data node has one",
    "DataSourceNode.__init__": MADE_HERE,
    "DataSourceNode.module_def": "only a step's node has one",
    "InputPort.disconnect": "an input without a source cannot be",
    "InputPortDef.__init__": "no further keywords are swallowed",
    "ModuleDef.__init__": "its lists are empty, not None",
    "ModuleDef.add_fake_sequencing_input_port": MADE_HERE,
    "ModuleDef.calculate_hash": "docs/reuse.md says what counts",
    "DataSourceDef.calculate_hash": "docs/reuse.md says what counts",
    "DataType.update": SERVICE,
    "_PipelineIO.as_output": "a pair is read, never written",
    "_GraphContext.workflow_provider": "kept as it was given",
}


def home(name: str) -> Any:
    module, _, attribute = HOMES[name].partition(":")
    return getattr(importlib.import_module(f"scriptstep.{module}"), attribute)


def recorded(text: str) -> list[tuple[str, str, str]]:
    """(name, kind, default) of each parameter of a signature that the SDK printed; an object's default as `...`."""
    arguments = ast.parse(f"def f{re.sub(r'<[^<>]*(<[^<>]*>)?[^<>]*>', '...', text)}: pass").body[0].args  # type: ignore[attr-defined]
    return listed(arguments)


def listed(arguments: ast.arguments) -> list[tuple[str, str, str]]:
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[Any] = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
    made = [
        (a.arg, "positional", ast.unparse(d) if d is not None else "")
        for a, d in zip(positional, defaults, strict=True)
    ]
    if arguments.vararg:
        made.append((arguments.vararg.arg, "*", ""))
    for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        made.append((a.arg, "keyword", ast.unparse(d) if d is not None else ""))
    if arguments.kwarg:
        made.append((arguments.kwarg.arg, "**", ""))
    return [m for m in made if m[0] not in ("self", "cls")]


def ours(function: Any) -> list[tuple[str, str, str]]:
    kinds = {
        inspect.Parameter.VAR_POSITIONAL: "*",
        inspect.Parameter.VAR_KEYWORD: "**",
        inspect.Parameter.KEYWORD_ONLY: "keyword",
    }
    return [
        (p.name, kinds.get(p.kind, "positional"), "" if p.default is p.empty else repr(p.default))
        for p in inspect.signature(function).parameters.values()
        if p.name not in ("self", "cls")
    ]


MEMBERS = [
    (name, member)
    for name, members in SIGNATURES.items()
    if name in HOMES
    for member in members
    if member not in ("__properties__", "__staticmethods__")
]


def key(name: str, member: str) -> str:
    # Two classes are called DataType: the graph's is in this table by its own members only.
    return f"{name.rpartition('.')[2]}.{member}"


@pytest.mark.parametrize(("name", "member"), MEMBERS, ids=[key(*m) for m in MEMBERS])
def test_parameters_and_defaults_are_the_sdks(name: str, member: str) -> None:
    if key(name, member) in DIFFERENT:
        return
    assert ours(getattr(home(name), member)) == recorded(SIGNATURES[name][member])


@pytest.mark.parametrize("name", HOMES)
def test_properties_are_the_sdks(name: str) -> None:
    cls = home(name)
    known = {*dir(cls), *getattr(cls, "__slots__", ()), *_assigned(cls)}
    for member in SIGNATURES[name].get("__properties__", {}):
        assert member in known or key(name, member) in DIFFERENT, f"{name} has no {member}"


def _assigned(cls: type) -> set[str]:
    """Names that the constructors of a class set on the instance."""
    found: set[str] = set(getattr(cls, "__dataclass_fields__", {}))
    for base in cls.__mro__[:-1]:
        found |= set(re.findall(r"self\.(\w+)\b[^=\n]*=", inspect.getsource(base)))
    return found


@pytest.mark.parametrize("name", sorted(DIFFERENT))
def test_a_difference_is_one(name: str) -> None:
    """What is as the SDK has it must not stand among the differences."""
    cls_name, _, member = name.rpartition(".")
    for full in (n for n in HOMES if n.rpartition(".")[2] == cls_name):
        members = SIGNATURES[full]
        if member not in members and member not in members.get("__properties__", {}):
            continue
        found = getattr(home(full), member, None)
        if (
            member in members.get("__properties__", {})
            or found is None
            or "NotImplementedError" in (found.__doc__ or "")
        ):
            return
        assert ours(found) != recorded(members[member])
        return
    pytest.fail(f"the SDK has no {name}")


def test_every_recorded_class_of_ours_is_checked() -> None:
    mine = ("azureml.data.", "azureml.pipeline.")
    assert [n for n in SIGNATURES if n.startswith(mine) and n not in HOMES and "Module" not in n] == []
