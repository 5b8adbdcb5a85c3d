"""A graph: the steps of a pipeline, and what flows between them. It knows names; no files, no processes."""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Mapping
from heapq import heapify, heappop, heappush
from typing import Any, NoReturn

from scriptstep.errors import ArgumentError, AzureMLException
from scriptstep.graph.nodes import DataSourceNode, Edge, ModuleNode, Node
from scriptstep.graph.parameter import PipelineParameter
from scriptstep.graph.spec import ParameterSource, StepOutput, StepSpec

__all__ = ["Graph"]


class Graph:
    """The graph of a pipeline.

    Args:
        name: Its name.
        context: What its steps are made in; kept, not read.

    Attributes:
        params: The parameters of the pipeline, by name.
    """

    def __init__(self, name: str, context: Any) -> None:
        self._name = name
        self._context = context
        self.params: dict[str, PipelineParameter] = {}
        self._modules: dict[str, ModuleNode] = {}
        self._ids: dict[object, str] = {}
        # Which step of this graph writes what, where the builder knows.
        self._writers: dict[object, Any] = {}
        self._taken: set[str] = set()
        self._named: dict[str, int] = {}
        self._parameter_users: dict[str, str] = {}
        # The data nodes and edges of the SDK's face, once somebody has asked for them.
        self._layout: tuple[list[DataSourceNode], list[Edge]] | None = None

    # --- the SDK's face

    @property
    def nodes(self) -> list[Node]:
        """Returns: all nodes, the steps first."""
        return [*self._modules.values(), *self.datasource_nodes]

    @property
    def module_nodes(self) -> list[ModuleNode]:
        """Returns: the steps, in the order in which they were added."""
        return list(self._modules.values())

    @property
    def datasource_nodes(self) -> list[DataSourceNode]:
        """Returns: what is read from outside the graph, each once."""
        return list(self._lay_out()[0])

    @property
    def edges(self) -> list[Edge]:
        """Returns: what flows from port to port, `run_after` included."""
        return list(self._lay_out()[1])

    @property
    def node_dict(self) -> dict[str, Node]:
        """Returns: all nodes, by id."""
        return {node.node_id: node for node in self.nodes}

    @property
    def node_name_dict(self) -> dict[str, list[Node]]:
        """Returns: all nodes of a name, by name."""
        named: dict[str, list[Node]] = {}
        for node in self.nodes:
            named.setdefault(node.name, []).append(node)
        return named

    def get_node(self, node_id: str) -> Node:
        """Returns: the node of that id.

        Raises:
            KeyError: There is none.
        """
        found = self._modules.get(node_id)
        return found if found is not None else self.node_dict[node_id]

    def sequence(self, nodes: Iterable[ModuleNode]) -> None:
        """Lets each node wait for the one before it.

        Args:
            nodes: Steps, the first one first.
        """
        before: ModuleNode | None = None
        for node in nodes:
            if before is not None:
                node.run_after(before)
            before = node

    def validate(self) -> list[str]:
        """Looks for what would keep the graph from running.

        Returns:
            What is wrong, one sentence each; empty where nothing is.
        """
        found: list[str] = []
        for node in self._modules.values():
            found += self._missing(node.spec)
        if not found:
            try:
                self.order()
            except AzureMLException as error:
                found.append(error.message)
        return found

    def generate_yaml(self) -> dict[str, Any]:
        """Writes the graph down as plain data, for YAML; `Pipeline.load_yaml` reads it.

        Returns:
            The document.
        """
        from scriptstep.graph.frozen import EXPORTED, freeze_graph

        return {EXPORTED: 1, "pipeline": freeze_graph(self)}

    def add_module_node(self, name: str, input_bindings: Any, *args: Any, **kwargs: Any) -> NoReturn:
        """Nodes of steps are made by `create_node`.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(
            f"add_module_node({name!r}) cannot be done here: "
            "derive a step from _PythonScriptStepBase and call its create_node"
        )

    def add_datasource_node(self, name: str, *args: Any, **kwargs: Any) -> NoReturn:
        """Data nodes come from the inputs of steps.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(f"add_datasource_node({name!r}) cannot be done here: name it in `inputs` of a step")

    def connect(self, source_port: Any, dest_port: Any) -> NoReturn:
        """Not in the SDK either: a port connects itself.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("use InputPort.connect")

    def delete_node(self, node_id: str) -> NoReturn:
        """Not in the SDK either.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("make a pipeline of the steps that are to stay")

    # --- what the builder and the engine use

    def order(self) -> list[str]:
        """Returns: the ids of all steps, each after what it needs; else in the order in which they were added.

        Raises:
            ArgumentError: Steps wait for each other, or for one that is not here; the message names them.
        """
        modules = self._modules
        place = {node_id: n for n, node_id in enumerate(modules)}
        ids = list(modules)
        below: list[list[int]] = [[] for _ in ids]
        waits = [0] * len(ids)
        for n, node in enumerate(modules.values()):
            for other in _above(node.spec):
                if other not in place:
                    raise ArgumentError(self._missing(node.spec)[0])
                below[place[other]].append(n)
                waits[n] += 1
        ready = [n for n, count in enumerate(waits) if not count]
        heapify(ready)
        ordered: list[str] = []
        while ready:
            n = heappop(ready)
            ordered.append(ids[n])
            for other_n in below[n]:
                waits[other_n] -= 1
                if not waits[other_n]:
                    heappush(ready, other_n)
        if len(ordered) < len(ids):
            raise ArgumentError(self._cycle({ids[n] for n, count in enumerate(waits) if count}))
        return ordered

    def _cycle(self, stuck: set[str]) -> str:
        """Returns: what to say of steps of which each waits for another one of them."""
        seen: dict[str, int] = {}
        path: list[str] = []
        node_id = next(n for n in self._modules if n in stuck)
        while node_id not in seen:
            seen[node_id] = len(path)
            path.append(node_id)
            node_id = next(n for n in _above(self._modules[node_id].spec) if n in stuck)
        specs = [self._modules[n].spec for n in path[seen[node_id] :]]
        chain = " needs ".join(f"'{s.name}'" for s in [*specs, specs[0]])
        return f"steps wait for each other: {chain}" + "".join(f"\n  --> {_place(s)}" for s in specs)

    def _missing(self, spec: StepSpec) -> list[str]:
        told: list[str] = []
        for i in spec.inputs:
            if isinstance(i.source, StepOutput) and i.source.node_id not in self._modules:
                told.append(f"input '{i.name}' comes from a step that is not in the pipeline\n  --> {_place(spec)}")
            elif isinstance(i.source, ParameterSource) and i.source.name not in self.params:
                told.append(f"input '{i.name}' comes from an unknown parameter '{i.source.name}'\n  --> {_place(spec)}")
        for other in spec.run_after:
            if other not in self._modules:
                told.append(f"it is to run after a step that is not in the pipeline\n  --> {_place(spec)}")
        return told

    def _id_of(self, step: object, name: str) -> str:
        """Returns: the id of a step's node, the same for the same pipeline every time; kept for it from here on."""
        known = self._ids.get(step)
        if known is not None:
            return known
        count = self._named[name] = self._named.get(name, 0) + 1
        text = f"{name}\0{count}"
        while (made := _digest(text)) in self._taken:
            text += "\0"
        self._taken.add(made)
        self._ids[step] = made
        return made

    def _node_of(self, step: object) -> ModuleNode | None:
        return self._modules.get(self._ids.get(step, ""))

    def _add(self, step: object, spec: StepSpec, parameters: Mapping[str, PipelineParameter]) -> ModuleNode:
        """Adds the node of a step, and the parameters that it uses."""
        for name, parameter in parameters.items():
            before = self.params.setdefault(name, parameter)
            if before is not parameter and not same_default(before, parameter):
                raise ArgumentError(
                    f"parameter '{name}' has the default {before.default_value!r} in step "
                    f"'{self._parameter_users[name]}' and {parameter.default_value!r} here\n  --> {_place(spec)}",
                    help="use one PipelineParameter object for both, or two names",
                )
            self._parameter_users.setdefault(name, spec.name)
        node = ModuleNode(self, self._id_of(step, spec.name), spec)
        self._modules[node.node_id] = node
        self._layout = None
        return node

    def _restore(self, node_id: str, spec: StepSpec) -> ModuleNode:
        """Adds a node as another graph had it."""
        node = self._modules[node_id] = ModuleNode(self, node_id, spec)
        self._taken.add(node_id)
        self._layout = None
        return node

    def _forget_layout(self) -> None:
        self._layout = None

    def _lay_out(self) -> tuple[list[DataSourceNode], list[Edge]]:
        """Makes ports, data nodes and edges from what the steps say."""
        if self._layout is not None:
            return self._layout
        from scriptstep.graph.faces import source_def

        sources: dict[object, DataSourceNode] = {}
        edges: list[Edge] = []
        self._layout = (list[DataSourceNode](), edges)
        for node in self._modules.values():
            node._make_ports()
        for node in self._modules.values():
            ports = node._inputs or []
            for port, spec in zip(ports, node.spec.inputs, strict=False):
                if isinstance(spec.source, StepOutput):
                    above = self._modules.get(spec.source.node_id)
                    found = [o for o in (above._outputs or () if above else ()) if o.name == spec.source.output]
                else:
                    told, known = source_def(spec.source)
                    if told not in sources:
                        by = spec.source.name if isinstance(spec.source, ParameterSource) else None
                        sources[told] = DataSourceNode(
                            self, self._id_of(("data", told), known.name), known.name, known, by
                        )
                    found = list(sources[told]._outputs or ())
                port.incoming_edge = Edge(found[0], port) if found else None
            for port, other in zip(ports[len(node.spec.inputs) :], node.spec.run_after, strict=True):
                above = self._modules.get(other)
                port.incoming_edge = Edge((above._outputs or [])[-1], port) if above else None
            edges += [port.incoming_edge for port in ports if port.incoming_edge is not None]
        self._layout[0].extend(sources.values())
        return self._layout

    def __str__(self) -> str:
        lines = [f"{self._name}: {len(self._modules)} steps"]
        for node in self._modules.values():
            above = ", ".join(
                f"'{self._modules[n].name}'" for n in dict.fromkeys(_above(node.spec)) if n in self._modules
            )
            lines.append(f"  {node.name}" + (f" (needs {above})" if above else ""))
        return "\n".join(lines)


def same_default(one: PipelineParameter, other: PipelineParameter) -> bool:
    """Returns: whether two parameters have the same default; 1, 1.0 and True are three."""
    a, b = one.spec_value(), other.spec_value()
    return type(a) is type(b) and a == b


def _digest(text: str) -> str:
    return f"{binascii.crc32(text.encode('utf-8', 'surrogatepass')):08x}"


def _above(spec: StepSpec) -> list[str]:
    above = [i.source.node_id for i in spec.inputs if isinstance(i.source, StepOutput)]
    return above + list(spec.run_after) if spec.run_after else above


def _place(spec: StepSpec) -> str:
    return f"{spec.declared_at}, step '{spec.name}'" if spec.declared_at else f"step '{spec.name}'"
