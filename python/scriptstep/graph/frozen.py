"""A graph as plain data, and back: what another process needs to run it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scriptstep.errors import ArgumentError
from scriptstep.graph import spec
from scriptstep.graph.graph import Graph
from scriptstep.graph.parameter import ParameterValue, PipelineParameter
from scriptstep.records import is_record, names

__all__ = ["EXPORTED", "KeptData", "decode", "encode", "freeze_graph", "thaw_graph"]

# Marks a document that holds a graph as it is frozen; its value is the version of that form.
EXPORTED = "scriptstep"

_KINDS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        spec.DataLocation,
        spec.DatasetSource,
        spec.InputRef,
        spec.InputSpec,
        spec.OutputRef,
        spec.OutputSpec,
        spec.ParameterRef,
        spec.ParameterSource,
        spec.RunSpec,
        spec.StepOutput,
        spec.StepSpec,
    )
}


class KeptData:
    """The default of a parameter that is data, as it was frozen."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def _spec_value(self) -> Any:
        return self._value

    def __repr__(self) -> str:
        return repr(self._value)


def freeze_graph(graph: Graph) -> dict[str, Any]:
    """Writes a graph down.

    Args:
        graph: The graph.

    Returns:
        Plain data, for JSON.
    """
    return {
        "name": graph._name,
        "nodes": [[node.node_id, encode(node.spec)] for node in graph.module_nodes],
        "parameters": [[name, encode(parameter.spec_value())] for name, parameter in graph.params.items()],
    }


def thaw_graph(document: Mapping[str, Any], context: Any) -> Graph:
    """Makes a graph of what `freeze_graph` wrote.

    Args:
        document: That.
        context: What its steps are in.

    Returns:
        The graph; its nodes have the ids that they had.

    Raises:
        ArgumentError: Another version of scriptstep wrote it, which knows more.
    """
    graph = Graph(str(document["name"]), context)
    for node_id, frozen in document["nodes"]:
        graph._restore(node_id, decode(frozen))
    for name, frozen in document["parameters"]:
        value: ParameterValue = decode(frozen)
        is_data = isinstance(value, (spec.DataLocation, spec.DatasetSource))
        graph.params[name] = PipelineParameter(name, KeptData(value) if is_data else value)
    return graph


def encode(value: Any) -> Any:
    """Returns: a value of a spec as plain data; tuples, mappings and specs stay told apart."""
    if is_record(value):
        told = {name: encode(getattr(value, name)) for name in names(value)}
        return {"is": type(value).__name__, **told}
    if isinstance(value, tuple):
        return {"is": "tuple", "of": [encode(item) for item in value]}
    if isinstance(value, Mapping):
        return {"is": "map", "of": {name: encode(item) for name, item in value.items()}}
    if isinstance(value, list):
        return [encode(item) for item in value]
    return value


def decode(value: Any) -> Any:
    """Returns: what `encode` wrote.

    Raises:
        ArgumentError: It speaks of what this version does not know.
    """
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    kind = value["is"]
    if kind == "tuple":
        return tuple(decode(item) for item in value["of"])
    if kind == "map":
        return {name: decode(item) for name, item in value["of"].items()}
    made = _KINDS.get(kind)
    told = {name: decode(item) for name, item in value.items() if name != "is"}
    if made is None or not set(told) <= set(names(made)):
        raise ArgumentError(
            "the pipeline was published by a newer scriptstep, and says what this one does not know",
            help="use that one, or publish the pipeline again",
        )
    return made(**told)
