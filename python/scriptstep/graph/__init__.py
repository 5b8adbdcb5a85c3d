"""Graphs: steps, ports, edges and parameters. They know names; no files, no processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scriptstep.graph.bindings import DATA_VARIABLE, InputPortBinding, OutputPortBinding, port_name
from scriptstep.graph.graph import Graph
from scriptstep.graph.nodes import DataSourceNode, Edge, InputPort, ModuleNode, Node, OutputPort
from scriptstep.graph.parameter import (
    SPOILED_PARAMETER,
    ParameterValue,
    PipelineParameter,
    parse_parameter,
    plain_value,
)
from scriptstep.graph.spec import (
    JSON,
    Argument,
    DataLocation,
    DatasetSource,
    InputRef,
    InputSpec,
    OutputRef,
    OutputSpec,
    ParameterRef,
    ParameterSource,
    Part,
    RunSpec,
    Source,
    StepOutput,
    StepSpec,
)

if TYPE_CHECKING:
    from scriptstep.graph.definitions import (
        DataSource,
        DataSourceDef,
        DataType,
        InputPortDef,
        Module,
        ModuleDef,
        OutputPortDef,
        Param,
        ParamDef,
    )

__all__ = [
    "DATA_VARIABLE",
    "JSON",
    "SPOILED_PARAMETER",
    "Argument",
    "DataLocation",
    "DataSource",
    "DataSourceDef",
    "DataSourceNode",
    "DataType",
    "DatasetSource",
    "Edge",
    "Graph",
    "InputPort",
    "InputPortBinding",
    "InputPortDef",
    "InputRef",
    "InputSpec",
    "Module",
    "ModuleDef",
    "ModuleNode",
    "Node",
    "OutputPort",
    "OutputPortBinding",
    "OutputPortDef",
    "OutputRef",
    "OutputSpec",
    "Param",
    "ParamDef",
    "ParameterRef",
    "ParameterSource",
    "ParameterValue",
    "Part",
    "PipelineParameter",
    "RunSpec",
    "Source",
    "StepOutput",
    "StepSpec",
    "parse_parameter",
    "plain_value",
    "port_name",
]

# They are loaded when somebody looks at ports or modules: a run needs none of them.
_DEFINITIONS = frozenset(
    {
        "DataSource",
        "DataSourceDef",
        "DataType",
        "InputPortDef",
        "Module",
        "ModuleDef",
        "OutputPortDef",
        "Param",
        "ParamDef",
    }
)


def __getattr__(name: str) -> Any:
    if name not in _DEFINITIONS:
        raise AttributeError(f"module 'scriptstep.graph' has no attribute '{name}'")
    from scriptstep.graph import definitions

    return getattr(definitions, name)
