"""Steps: what reads, writes, and runs after others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from scriptstep.authoring.ports import producer_of, set_producer
from scriptstep.authoring.site import Site
from scriptstep.authoring.source_directory import check_source
from scriptstep.authoring.wiring import Wiring, listed
from scriptstep.errors import ArgumentTypeError
from scriptstep.graph import (
    Argument,
    Graph,
    InputPortBinding,
    InputSpec,
    ModuleNode,
    OutputPortBinding,
    OutputSpec,
    StepOutput,
)

if TYPE_CHECKING:
    from scriptstep.graph import ModuleDef

__all__ = ["PipelineStep"]


class PipelineStep:
    """A step of a pipeline: the base of all kinds of steps.

    Declaring one reads and writes nothing, and leaves the lists that it is given as they are.

    Args:
        name: Name of the step.
        inputs: What it reads.
        outputs: What it writes.
        arguments: Of its script.
        fix_port_name_collisions: As in the SDK; an input that is named like an output is always renamed here.
        resource_inputs: Not there.

    Attributes:
        name: Name of the step.
        run_after_steps: The steps that it waits for, besides those whose output it reads.
        step_type: Kind of the step.

    Raises:
        ArgumentError: Something cannot be.
    """

    def __init__(
        self,
        name: str,
        inputs: Sequence[Any] | None,
        outputs: Sequence[Any] | None,
        arguments: Sequence[Any] | None = None,
        fix_port_name_collisions: bool = False,
        resource_inputs: Sequence[Any] | None = None,
    ) -> None:
        site: Site = getattr(self, "_site", None) or Site(name)
        if not isinstance(name, str):
            raise site.error(f"name must be text, not {name!r}", None, ArgumentTypeError)
        if resource_inputs:
            raise NotImplementedError(
                "resource_inputs is not there: put the files into the source directory, or into inputs"
            )
        self._site = site
        self.name = name
        self.run_after_steps: list[PipelineStep] = []
        self.step_type = type(self).__name__.removeprefix("_").removesuffix("Base")
        self._resource_inputs: list[Any] = []
        self._params: dict[str, Any] = getattr(self, "_params", None) or {}
        called = "arguments" if getattr(self, "_command", None) is None else "command"
        self._arguments = listed(arguments, called, site)
        self._inputs = listed(inputs, "inputs", site)
        self._outputs = listed(outputs, "outputs", site)
        wiring = self._wiring = Wiring(site, self._inputs, self._outputs, self._arguments, self._params, called)
        # What stood in the arguments alone is declared by that.
        self._inputs += [port.object for port in wiring.inputs[len(self._inputs) :]]
        self._outputs += [port.object for port in wiring.outputs[len(self._outputs) :]]
        self._needs = [port.key for port in wiring.inputs if port.written]
        self._writes = {port.key: str(port.name) for port in wiring.outputs}
        for key in self._writes:
            set_producer(key, self)

    def run_after(self, step: PipelineStep) -> None:
        """Lets this step wait for another one.

        Args:
            step: What it waits for.

        Raises:
            ArgumentError: It is no step, or this one.
        """
        if not isinstance(step, PipelineStep):
            raise self._site.error(f"run_after takes a step, not {step!r}", None, ArgumentTypeError)
        if step is self:
            raise self._site.error("run_after: a step cannot wait for itself")
        if step not in self.run_after_steps:
            self.run_after_steps.append(step)

    def create_node(self, graph: Graph, default_datastore: Any, context: Any) -> ModuleNode:
        """Makes the step's node and adds it to a graph; a pipeline calls this.

        Args:
            graph: The graph.
            default_datastore: Where outputs are kept that name no datastore; None for the workspace's default.
            context: What the nodes are made in: `_GraphContext`.

        Returns:
            The node.

        Raises:
            NotImplementedError: This kind of step has no node.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how its node is made: create_node")

    # --- what create_node is made of

    def _input_specs(self, graph: Graph) -> tuple[InputSpec, ...]:
        made: list[InputSpec] = []
        for port in self._wiring.inputs:
            source = port.source
            if port.written:
                writer = graph._writers.get(port.key) or producer_of(port.key)
                if writer is None:
                    raise self._site.error(
                        f"input '{port.name}' comes from no step: nothing writes it",
                        "put it into outputs of the step that writes it",
                    )
                source = StepOutput(graph._id_of(writer, writer.name), writer._writes[port.key])
            mode: Any = port.mode
            made.append(
                InputSpec(str(port.name), source, mode, port.path, port.overwrite, port.as_dataset, port.reading)
            )
        return tuple(made)

    def _output_specs(self, default_datastore: Any) -> tuple[OutputSpec, ...]:
        default = None if default_datastore is None else str(getattr(default_datastore, "name", default_datastore))
        made: list[OutputSpec] = []
        for port in self._wiring.outputs:
            kind: Any = port.kind
            mode: Any = port.mode
            made.append(
                OutputSpec(
                    str(port.name),
                    kind,
                    mode,
                    port.datastore or default,
                    port.destination,
                    port.path,
                    port.is_directory,
                    port.overwrite,
                    port.pipeline_output_name,
                    port.registration,
                    port.as_dataset,
                )
            )
        return tuple(made)

    # --- the SDK's face

    def get_source_directory(self, context: Any, source_directory: Any, script_name: str) -> str:
        """Finds the folder of a script.

        Args:
            context: What the nodes are made in.
            source_directory: The folder; None for the context's default.
            script_name: The script in it.

        Returns:
            The folder, absolute.

        Raises:
            ArgumentError: The folder or the script is not there.
        """
        return check_source(source_directory, context.default_source_directory, script_name, None, self._site)[0]

    def create_input_output_bindings(
        self, inputs: Sequence[Any], outputs: Sequence[Any], default_datastore: Any, resource_inputs: Any = None
    ) -> tuple[list[InputPortBinding], list[OutputPortBinding]]:
        """Binds inputs and outputs to ports.

        Args:
            inputs: What is read.
            outputs: What is written.
            default_datastore: Where outputs are kept that name no datastore.
            resource_inputs: Not there.

        Returns:
            The bindings of the inputs, and those of the outputs.
        """
        wiring = Wiring(self._site, inputs, outputs, (), {})
        read = [InputPortBinding(p.name, p.object, p.mode, p.path, p.overwrite) for p in wiring.inputs]
        written = [
            OutputPortBinding(
                str(p.name), p.datastore or default_datastore, None, p.mode, p.path, p.is_directory, p.overwrite
            )
            for p in wiring.outputs
        ]
        return read, written

    def create_module_def(
        self,
        execution_type: str,
        input_bindings: Sequence[InputPortBinding],
        output_bindings: Sequence[OutputPortBinding],
        param_defs: Any = None,
        create_sequencing_ports: bool = True,
        allow_reuse: bool = True,
        version: str | None = None,
        module_type: str | None = None,
        arguments: Any = None,
        runconfig: Any = None,
        cloud_settings: Any = None,
    ) -> ModuleDef:
        """Defines what a node runs; the arguments are those of `ModuleDef`.

        Returns:
            The definition.
        """
        from scriptstep.graph import InputPortDef, ModuleDef, OutputPortDef

        return ModuleDef(
            self.name,
            self.name,
            [InputPortDef(b.name, ["AnyFile", "AnyDirectory"], b.bind_mode, b.path_on_compute) for b in input_bindings],
            [OutputPortDef(b.name, None, b.bind_mode, b.path_on_compute, b.is_directory) for b in output_bindings],
            list(param_defs or ()),
            execution_type,
            create_sequencing_ports,
            allow_reuse,
            version,
            module_type,
            self.step_type,
            arguments,
            runconfig,
            cloud_settings,
        )

    @staticmethod
    def validate_arguments(
        arguments: Sequence[Any] | None, inputs: Sequence[Any] | None, outputs: Sequence[Any] | None
    ) -> None:
        """Checks that what stands in arguments stands in inputs or outputs.

        Args:
            arguments: The arguments.
            inputs: What is read.
            outputs: What is written.

        Raises:
            ArgumentError: Something does not.
        """
        PipelineStep.resolve_input_arguments(arguments, inputs, outputs, {})

    @staticmethod
    def resolve_input_arguments(
        arguments: Sequence[Any] | None, inputs: Sequence[Any] | None, outputs: Sequence[Any] | None, params: Any
    ) -> tuple[Argument, ...]:
        """Finds what arguments stand for.

        Args:
            arguments: The arguments.
            inputs: What is read.
            outputs: What is written.
            params: The step's params.

        Returns:
            The arguments, in parts.

        Raises:
            ArgumentError: Something in them is not declared.
        """
        site = Site("step")
        read, written = listed(inputs, "inputs", site), listed(outputs, "outputs", site)
        return Wiring(site, read, written, listed(arguments, "arguments", site), params or {}).arguments

    def __repr__(self) -> str:
        return f"{self.step_type}('{self.name}')"
