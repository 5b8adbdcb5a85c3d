"""What a step's node shows of itself under the SDK's names: its module, ports and parameters, and what it reads."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from scriptstep.graph.bindings import DATA_VARIABLE
from scriptstep.graph.definitions import DataSourceDef, InputPortDef, ModuleDef, OutputPortDef, Param, ParamDef
from scriptstep.graph.nodes import InputPort, ModuleNode, OutputPort
from scriptstep.graph.spec import (
    DataLocation,
    DatasetSource,
    InputRef,
    InputSpec,
    OutputRef,
    OutputSpec,
    ParameterRef,
    ParameterSource,
    StepSpec,
)

if TYPE_CHECKING:
    from scriptstep.graph.graph import Graph

__all__ = ["module_def", "ports_of", "source_def"]

_AFTER_INPUT = "_run_after_input_"
_AFTER_OUTPUT = "_run_after_output"


def module_def(node: ModuleNode) -> ModuleDef:
    """Returns: what a node runs."""
    spec = node.spec
    return ModuleDef(
        spec.name,
        spec.name,
        [port.input_port_def for port in node.inputs],
        [port.output_port_def for port in node.outputs],
        [param.param_def for param in node.params],
        module_execution_type="escloud",
        allow_reuse=spec.allow_reuse,
        version=spec.version,
        step_type=spec.step_type,
        arguments=_arguments_shown(spec),
    )


def ports_of(node: ModuleNode, graph: Graph) -> tuple[list[InputPort], list[OutputPort], list[Param]]:
    """Makes a node's ports and parameters.

    Args:
        node: The node.
        graph: Its graph, which holds the parameters' values.

    Returns:
        Its inputs, those of `run_after` last; its outputs, that of `run_after` last; and its parameters.
    """
    spec = node.spec
    inputs = [InputPort(node, _input_def(i)) for i in spec.inputs]
    inputs += [
        InputPort(node, InputPortDef(f"{_AFTER_INPUT}{n}", ["AnyFile"], is_optional=True))
        for n in range(len(spec.run_after))
    ]
    outputs = [_output_port(node, o) for o in spec.outputs]
    outputs.append(OutputPort(node, OutputPortDef(_AFTER_OUTPUT, data_type="AnyFile")))
    return inputs, outputs, _params(graph, spec)


def _input_def(spec: InputSpec) -> InputPortDef:
    types = ["AzureMLDataset"] if spec.as_dataset else ["AnyFile", "AnyDirectory"]
    known = getattr(spec.source, "name", None) or spec.name
    return InputPortDef(
        spec.name,
        types,
        spec.mode,
        spec.path_on_compute,
        default_overwrite=spec.overwrite,
        default_data_reference_name=known,
        additional_transformations=list(spec.transformations) or None,
    )


def _output_port(node: ModuleNode, spec: OutputSpec) -> OutputPort:
    data_type = "AnyDirectory" if spec.is_directory else "AnyFile"
    port = OutputPort(
        node,
        OutputPortDef(
            spec.name, spec.datastore, spec.mode, spec.path_on_compute, spec.is_directory, data_type, spec.overwrite
        ),
    )
    port.pipeline_output_name = spec.pipeline_output_name
    port.dataset_registration = spec.registration
    port.dataset_output = spec if spec.kind != "data" else None
    return port


def _params(graph: Graph, spec: StepSpec) -> list[Param]:
    settings: list[tuple[str, Any]] = [
        ("Target", spec.compute[0] if spec.compute else None),
        ("Script", spec.script_name or None),
        ("Command", " ".join(_arguments_shown(spec)) if spec.command else None),
        ("Framework", spec.run.framework),
        ("NodeCount", spec.run.node_count),
        ("MpiProcessCountPerNode", spec.run.process_count_per_node),
        ("TensorflowWorkerCount", spec.run.worker_count),
        ("TensorflowParameterServerCount", spec.run.parameter_server_count),
    ]
    made = [Param(ParamDef(name, value)) for name, value in settings]
    for param in made:
        if param.name in spec.runconfig_params:
            param.set_value(graph.params.get(spec.runconfig_params[param.name]))
    for name, value in spec.params.items():
        variable = "AML_PARAMETER_" + re.sub(r"[~\W]", "_", name)
        shown = graph.params.get(value.name) if isinstance(value, ParameterRef) else value
        made.append(Param(ParamDef(name, shown, set_env_var=True, env_var_override=variable)))
    return made


def _arguments_shown(spec: StepSpec) -> list[str]:
    return ["".join(_shown(part) for part in argument) for argument in spec.arguments]


def _shown(part: Any) -> str:
    if isinstance(part, (InputRef, OutputRef)):
        return f"${DATA_VARIABLE}{part.port}"
    return f"parameter:{part.name}" if isinstance(part, ParameterRef) else str(part)


def source_def(source: Any) -> tuple[object, DataSourceDef]:
    """Defines what an input reads from outside the graph.

    Args:
        source: A source that is no step's output.

    Returns:
        What tells it from others, and its definition.
    """
    if isinstance(source, DataLocation):
        known = DataSourceDef(
            source.name or source.path, datastore_name=source.datastore, path_on_datastore=source.path
        )
        return source, known
    if isinstance(source, DatasetSource):
        return source.id, DataSourceDef(source.name or source.id, pipeline_dataset=source)
    assert isinstance(source, ParameterSource)
    return source, DataSourceDef(source.name)
