"""Nodes, ports and edges of a graph under the SDK's names; made when they are asked for, from what the steps say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from scriptstep.errors import ArgumentError
from scriptstep.graph.spec import StepOutput, StepSpec
from scriptstep.records import replace

if TYPE_CHECKING:
    from scriptstep.graph.definitions import DataSourceDef, InputPortDef, ModuleDef, OutputPortDef, Param
    from scriptstep.graph.graph import Graph

__all__ = ["DataSourceNode", "Edge", "InputPort", "ModuleNode", "Node", "OutputPort"]


class Edge:
    """From an output port to an input port.

    Args:
        source_port: Where it comes from.
        dest_port: Where it goes.
    """

    def __init__(self, source_port: OutputPort, dest_port: InputPort) -> None:
        self.source_port = source_port
        self.dest_port = dest_port

    def __repr__(self) -> str:
        source, target = self.source_port, self.dest_port
        return f"Edge({source.node.name}.{source.name} -> {target.node.name}.{target.name})"


class InputPort:
    """An input port of a node.

    Args:
        node: The node.
        input_port_def: What the port is.

    Attributes:
        incoming_edge: What comes in, once the graph has been laid out.
    """

    def __init__(self, node: Node, input_port_def: InputPortDef) -> None:
        self.node = node
        self.input_port_def = input_port_def
        self.name = input_port_def.name
        self.data_types = list(input_port_def.data_types or ())
        self.bind_mode = input_port_def.default_datastore_mode
        self.path_on_compute = input_port_def.default_path_on_compute
        self.overwrite = input_port_def.default_overwrite
        self.data_reference_name = input_port_def.default_data_reference_name
        self.additional_transformations = input_port_def.additional_transformations
        self.incoming_edge: Edge | None = None

    def connect(self, source_port: OutputPort) -> Edge:
        """Reads from an output port of another step.

        Args:
            source_port: The output port.

        Returns:
            The edge.

        Raises:
            ArgumentError: One of the two is no port of a step.
        """
        if not isinstance(self.node, ModuleNode) or not isinstance(source_port.node, ModuleNode):
            raise ArgumentError(f"port '{self.name}' can be connected to the output port of a step only")
        self.node._read_from(self.name, StepOutput(source_port.node.node_id, source_port.name))
        return Edge(source_port, self)


class OutputPort:
    """An output port of a node.

    Args:
        node: The node.
        output_port_def: What the port is.
    """

    def __init__(self, node: Node, output_port_def: OutputPortDef) -> None:
        self.node = node
        self.output_port_def = output_port_def
        self.name = output_port_def.name
        self.data_type = output_port_def.data_type
        self.datastore_name = output_port_def.default_datastore_name
        self.bind_mode = output_port_def.default_datastore_mode
        self.path_on_compute = output_port_def.default_path_on_compute
        self.overwrite = output_port_def.default_overwrite
        self.pipeline_output_name: str | None = None
        self.dataset_registration: Any = None
        self.dataset_output: Any = None

    def connect(self, dest_port: InputPort) -> Edge:
        """Is read by an input port of another step.

        Args:
            dest_port: The input port.

        Returns:
            The edge.
        """
        return dest_port.connect(self)


class Node:
    """Something in a graph.

    Args:
        graph: The graph.
        node_id: 8 hex digits.
        name: What the user called it.
    """

    __slots__ = ("_graph", "_inputs", "_outputs", "_params", "name", "node_id")

    def __init__(self, graph: Graph, node_id: str, name: str | None = None) -> None:
        self._graph = graph
        self.node_id = node_id
        self.name = name or node_id
        self._inputs: list[InputPort] | None = None
        self._outputs: list[OutputPort] | None = None
        self._params: list[Param] | None = None

    @property
    def inputs(self) -> list[InputPort]:
        """Returns: the input ports, those of `run_after` last."""
        self._graph._lay_out()
        return list(self._inputs or ())

    @property
    def outputs(self) -> list[OutputPort]:
        """Returns: the output ports, that of `run_after` last."""
        self._graph._lay_out()
        return list(self._outputs or ())

    @property
    def params(self) -> list[Param]:
        """Returns: the parameters."""
        self._graph._lay_out()
        return list(self._params or ())

    @property
    def input_dict(self) -> dict[str, InputPort]:
        """Returns: the input ports, by name."""
        return {port.name: port for port in self.inputs}

    @property
    def output_dict(self) -> dict[str, OutputPort]:
        """Returns: the output ports, by name."""
        return {port.name: port for port in self.outputs}

    def get_input(self, name: str) -> InputPort | None:
        """Returns: the input port of that name, or None."""
        return self.input_dict.get(name)

    def get_output(self, name: str) -> OutputPort | None:
        """Returns: the output port of that name, or None."""
        return self.output_dict.get(name)

    def get_param(self, name: str) -> Param | None:
        """Returns: the parameter of that name, or None."""
        return next((param for param in self.params if param.name == name), None)

    def run_after(self, node: ModuleNode) -> None:
        """Lets this node wait for another one.

        Args:
            node: What it waits for.

        Raises:
            ArgumentError: One of the two is no step.
        """
        if not isinstance(self, ModuleNode) or not isinstance(node, ModuleNode):
            raise ArgumentError("run_after takes the node of a step")
        if node.node_id not in self.spec.run_after:
            self._change(replace(self.spec, run_after=(*self.spec.run_after, node.node_id)))

    def sequence(self, nodes: Iterable[ModuleNode]) -> None:
        """Lets nodes wait for this one.

        Args:
            nodes: What waits.
        """
        if isinstance(self, ModuleNode):
            for node in nodes:
                node.run_after(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self.node_id})"


class DataSourceNode(Node):
    """Data that comes from outside the graph.

    Args:
        graph: The graph.
        node_id: 8 hex digits.
        name: What the user called it.
        datasource_def: What it is.
        datapath_param_name: The parameter that says where it lies, where one does.
    """

    __slots__ = ("datapath_param_name", "datasource_def")

    def __init__(
        self,
        graph: Graph,
        node_id: str,
        name: str | None = None,
        datasource_def: DataSourceDef | None = None,
        datapath_param_name: str | None = None,
    ) -> None:
        from scriptstep.graph.definitions import DataSourceDef

        super().__init__(graph, node_id, name)
        self.datasource_def = datasource_def or DataSourceDef(self.name)
        self.datapath_param_name = datapath_param_name
        self._outputs = [OutputPort(self, self.datasource_def.output_port_def)]


class ModuleNode(Node):
    """A step of a graph.

    Args:
        graph: The graph.
        node_id: 8 hex digits.
        spec: The step.

    Attributes:
        spec: The step; all that the engine reads.
    """

    __slots__ = ("spec",)

    def __init__(self, graph: Graph, node_id: str, spec: StepSpec) -> None:
        # Written out: twenty thousand of these are made in one go.
        self._graph = graph
        self.node_id = node_id
        self.name = spec.name
        self._inputs = self._outputs = self._params = None
        self.spec = spec

    @property
    def module_def(self) -> ModuleDef:
        """Returns: what runs."""
        from scriptstep.graph.faces import module_def

        return module_def(self)

    def _change(self, spec: StepSpec) -> None:
        self.spec = spec
        self._graph._forget_layout()

    def _read_from(self, port: str, source: StepOutput) -> None:
        if not any(i.name == port for i in self.spec.inputs):
            raise ArgumentError(f"step '{self.name}' has no input '{port}'")
        inputs = tuple(replace(i, source=source) if i.name == port else i for i in self.spec.inputs)
        self._change(replace(self.spec, inputs=inputs))

    def _make_ports(self) -> None:
        from scriptstep.graph.faces import ports_of

        self._inputs, self._outputs, self._params = ports_of(self, self._graph)
