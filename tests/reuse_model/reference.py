"""The slow and obvious reference: what each step of a world comes to, computed without scriptstep and without any reuse."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.reuse_model import script
from tests.reuse_model.world import Input, Node, Step, Tree, World, content_of, process_kind

__all__ = ["Result", "dataset_files", "evaluate", "outside_of", "plain_tree"]


@dataclass
class Result:
    """What a step comes to: the trees of its outputs, or its failure; `seen` for messages."""

    failed: bool = False
    not_run: bool = False
    digest: str = ""
    outputs: dict[str, Tree] = field(default_factory=dict)
    seen: dict[str, Any] = field(default_factory=dict)


def evaluate(world: World, *, real: bool = False) -> dict[str, Result]:
    """Evaluates every step.

    Args:
        world: The world.
        real: Whether real processes run: they do not see what the executor of the tests lets scripts see.

    Returns:
        The result of each, by its id.
    """
    results: dict[str, Result] = {}
    for step in world.steps:
        above = [i.origin[1] for i in step.inputs if i.origin[0] == "step"] + step.after
        if any(results[a].failed or results[a].not_run for a in above):
            results[step.id] = Result(not_run=True)
        else:
            results[step.id] = _evaluate(world, step, results, real)
    return results


def _evaluate(world: World, step: Step, results: Mapping[str, Result], real: bool) -> Result:
    given: dict[str, tuple[str, Any]] = {}
    for port in step.inputs:
        found = _given(world, port, results)
        if found is None:
            return Result(failed=True)
        given[port.name] = found
    files = content_of(world.sources[step.source])
    tail = files[step.script].data.decode().rstrip().rpartition("# behaviour: ")[2].split()
    looks_at = step.variables.get("MODEL_LOOKS_AT")
    if looks_at is not None:
        only = [step.script, *looks_at.split(":")]
        files = {p: n for p, n in files.items() if any(p == o or p.startswith(o + "/") for o in only)}
    places = {name: path for name, (path, _) in given.items()}
    places |= {o.name: f"RUN/outputs/{o.name}" for o in step.outputs}
    seen = {
        "script": step.script,
        "arguments": [_argument(argument, places, world) for argument in step.arguments],
        "files": plain_tree(files),
        "variables": _variables(world, step, places, results, real),
        "cluster": None,
        "inputs": {name: what for name, (_, what) in given.items()},
        "reads": [len(world.notes), world.notes[-1]] if "reads" in tail else None,
    }
    if process_kind(step) == "tensorflow":
        seen["cluster"] = {k: n for k, n in (("worker", step.workers), ("ps", step.servers)) if n}
    digest = script.digest_of(seen)
    if script.is_bad_day(tail[0], digest):
        return Result(failed=True, seen=seen, digest=digest)
    outputs: dict[str, Tree] = {}
    for output in step.outputs:
        tree = script.written(tail[0], digest, output.name, output.kind in ("folder", "dataset"))
        if tree is not None:
            outputs[output.name] = {path: Node(kind, bytes.fromhex(data)) for path, (kind, data) in tree.items()}
    return Result(outputs=outputs, digest=digest, seen=seen)


def plain_tree(tree: Tree | None) -> dict[str, list[str]] | None:
    """Returns: a tree as `script.look` tells it."""
    return None if tree is None else {path: [node.kind, node.data.hex()] for path, node in tree.items()}


def dataset_files(world: World, port: Input) -> Tree:
    """Returns: the files of a dataset, by the names that they have in it."""
    tree, pattern = world.data.get(port.origin[1], {}), port.origin[2]
    if not pattern:
        return {path: node for path, node in tree.items() if node.kind != "directory"}
    return {path: node for path, node in tree.items() if "/" not in path and fnmatch.fnmatchcase(path, pattern)}


def _given(world: World, port: Input, results: Mapping[str, Result]) -> tuple[str, Any] | None:
    """Returns: the path that a script is given for an input and what it finds there; None where the step fails for it."""
    kind, name = port.origin[:2]
    is_mount = port.mode == "mount"
    if kind == "step":
        tree = results[name].outputs.get(port.origin[2])
        return _path(port, port.origin[2]), [is_mount and tree is not None, plain_tree(tree)]
    if name not in world.data:
        return None
    if kind == "reference":
        tree = world.data[name]
        if not is_mount and "" in tree:
            tree = {"": Node("file", tree[""].data)}
        return _path(port, name), [is_mount, plain_tree(tree)]
    tree = dataset_files(world, port)
    if not tree:
        return None
    if not is_mount:
        tree = {path: Node("file", node.data) for path, node in tree.items()}
    is_file = "" in world.data[name]
    return _path(port, name if is_file else port.name), [is_mount and is_file, plain_tree(tree)]


def _path(port: Input, label: str) -> str:
    if port.path is None:
        return f"RUN/inputs/{port.name}/{label}"
    if port.path.startswith("/"):
        return f"RUN/inputs/{port.name}/{port.path.rpartition('/')[2]}"
    return f"RUN/code/{port.path}"


def _argument(argument: list[tuple[str, str]], places: Mapping[str, str], world: World) -> str:
    told = ""
    for kind, value in argument:
        if kind in ("text", "number"):
            told += value
        else:
            told += str(world.parameters[value]) if kind == "parameter" else places[value]
    return told


def _variables(
    world: World, step: Step, places: Mapping[str, str], results: Mapping[str, Result], real: bool
) -> dict[str, str]:
    found = {"LANG": "C.UTF-8", "TZ": "UTC", **world.inherited, **step.variables}
    for name, (kind, value) in step.params.items():
        found["AML_PARAMETER_" + name] = str(world.parameters[value]) if kind == "parameter" else value
    for argument in step.arguments:
        for kind, value in argument:
            if kind == "parameter":
                found.setdefault("AML_PARAMETER_" + re.sub(r"\W", "_", value), str(world.parameters[value]))
    as_dataset = [i for i in step.inputs if i.origin[0] == "dataset" or _of_dataset(world, i)]
    for port in step.inputs:
        found[("" if port in as_dataset else "AZUREML_DATAREFERENCE_") + port.name] = places[port.name]
    for output in step.outputs:
        if output.kind in ("dataset", "named"):
            found[output.name] = places[output.name]
        if output.kind != "dataset":
            found["AZUREML_DATAREFERENCE_" + output.name] = places[output.name]
    found["AZUREML_DATASET_ENVIRONMENT_VARS"] = ",".join(sorted(f"{i.name}:{i.mode}" for i in as_dataset))
    found["AZUREML_DATASET_FILE_OUTPUTS"] = ";".join(
        sorted(o.name for o in step.outputs if o.kind in ("dataset", "named"))
    )
    found |= _ranks(step)
    if not real:
        found["MODEL_OUTSIDE"] = outside_of(world, step)
        found["MODEL_BEFORE"] = " ".join(results[a].digest for a in step.after)
    return found


def outside_of(world: World, step: Step) -> str:
    """Returns: what a script sees of its machine; and of the world outside, which changes when its user says so."""
    machine = world.machine
    facts = (machine.python, machine.system, machine.packages, machine.runtime, machine.scheme)
    return os.fspath("/".join(map(str, (*facts, step.version, step.image))))


def _of_dataset(world: World, port: Input) -> bool:
    if port.origin[0] != "step":
        return False
    producer = next(s for s in world.steps if s.id == port.origin[1])
    return any(o.name == port.origin[2] and o.kind == "dataset" for o in producer.outputs)


def _ranks(step: Step) -> dict[str, str]:
    kind = process_kind(step)
    count = step.nodes * step.per_node
    if kind == "mpi":
        return {"OMPI_COMM_WORLD_SIZE": str(count), "OMPI_COMM_WORLD_LOCAL_SIZE": str(step.per_node)}
    if kind == "pytorch":
        return {"WORLD_SIZE": str(count), "RANK": "0", "NODE_RANK": "0", "LOCAL_RANK": "0"}
    return {}
