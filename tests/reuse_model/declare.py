"""From a world to what a user would write down: steps, data, parameters, run configurations."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from scriptstep import (
    CommandStep,
    DataReference,
    Dataset,
    OutputFileDatasetConfig,
    PipelineData,
    PipelineParameter,
    PythonScriptStep,
    RunConfiguration,
)
from tests.reuse_model.world import Input, Output, Step, World

__all__ = ["declare"]


def declare(world: World, datastore: Any, project: Path) -> list[Any]:
    """Declares all steps.

    Args:
        world: The world.
        datastore: Where its data lies, below `given/`.
        project: Where its source directories lie, below `src/`.

    Returns:
        The steps, in the world's order.
    """
    parameters = {name: PipelineParameter(name, value) for name, value in world.parameters.items()}
    written: dict[tuple[str, str], Any] = {}
    made: dict[str, Any] = {}
    for step in world.steps:
        outputs = {o.name: _output(o, datastore) for o in step.outputs}
        written.update(((step.id, name), output) for name, output in outputs.items())
        inputs = {i.name: _input(i, written, datastore) for i in step.inputs}
        made[step.id] = _step(step, inputs, outputs, parameters, project)
        for id in step.after:
            made[step.id].run_after(made[id])
    return list(made.values())


def _output(output: Output, datastore: Any) -> Any:
    if output.kind != "dataset":
        return PipelineData(output.name, is_directory=True if output.kind == "folder" else None)
    where = (datastore, output.destination) if output.destination else None
    made = OutputFileDatasetConfig(name=output.name, destination=where)
    return made.register_on_complete(output.registered) if output.registered else made


def _input(port: Input, written: dict[tuple[str, str], Any], datastore: Any) -> Any:
    kind, name = port.origin[:2]
    is_mount = port.mode == "mount"
    if kind == "reference":
        return DataReference(datastore, port.name, f"given/{name}", mode=port.mode, path_on_compute=port.path)
    if kind == "step":
        source = written[name, port.origin[2]]
        if isinstance(source, PipelineData):
            return source.create_input_binding(port.name, port.mode, port.path)
        made = source.as_input(port.name)
    else:
        pattern = f"/{port.origin[2]}" if port.origin[2] else ""
        made = Dataset.File.from_files((datastore, f"given/{name}{pattern}"), validate=False).as_named_input(port.name)
    return made.as_mount(port.path) if is_mount else made.as_download(port.path)


def _step(
    step: Step, inputs: dict[str, Any], outputs: dict[str, Any], parameters: dict[str, PipelineParameter], project: Path
) -> Any:
    objects: dict[tuple[str, str], Any] = {("input", n): o for n, o in inputs.items()}
    objects |= {("output", n): o for n, o in outputs.items()}
    objects |= {("parameter", n): o for n, o in parameters.items()}

    def element(argument: list[tuple[str, str]]) -> Any:
        if len(argument) == 1:
            ((kind, value),) = argument
            return value if kind == "text" else float(value) if kind == "number" else objects[kind, value]
        return "".join(value if kind == "text" else _token(objects[kind, value]) for kind, value in argument)

    common: dict[str, Any] = {
        "name": step.name,
        "source_directory": str(project / "src" / step.source),
        "inputs": list(inputs.values()),
        "outputs": [outputs[o.name].as_dataset() if o.kind == "named" else outputs[o.name] for o in step.outputs],
        "params": {n: parameters[v] if kind == "parameter" else v for n, (kind, v) in step.params.items()},
        "runconfig": _runconfig(step),
        "compute_target": step.compute,
        "allow_reuse": step.allow_reuse,
        "version": step.version,
    }
    if step.command is None:
        return PythonScriptStep(
            step.script, arguments=[element(a) for a in step.arguments], hash_paths=step.hash_paths, **common
        )
    if step.command == "words":
        return CommandStep(["python", step.script, *(element(a) for a in step.arguments)], **common)
    line = " ".join(
        "".join(shlex.quote(value) if kind in ("text", "number") else _token(objects[kind, value]) for kind, value in a)
        for a in step.arguments
    )
    return CommandStep(f"python {step.script} {line}", **common)


def _token(item: Any) -> str:
    return item.arg_val if hasattr(item, "arg_val") else str(item)


def _runconfig(step: Step) -> RunConfiguration:
    config = RunConfiguration(framework=step.framework, communicator=step.communicator)
    config.node_count = step.nodes
    config.mpi.process_count_per_node = step.per_node
    config.tensorflow.worker_count, config.tensorflow.parameter_server_count = step.workers, step.servers
    config.environment_variables = dict(step.variables)
    config.max_run_duration_seconds = step.timeout
    if step.image is not None:
        config.environment.docker.base_image = step.image
    return config
