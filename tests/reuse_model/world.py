"""A pipeline and all that surrounds it, as plain data: what the machine edits, declares, lays out and evaluates."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field

__all__ = ["Input", "Machine", "Node", "Output", "Step", "Tree", "World", "content_of", "find_step", "process_kind"]


@dataclass(frozen=True)
class Node:
    """A file, an executable file, a link (its text is the data) or an empty folder."""

    kind: str
    data: bytes = b""


# Relative path (bytes that are no UTF-8 as surrogates) to node; a single file is {"": node}.
Tree = dict[str, Node]


@dataclass
class Input:
    """An input port: `("step", id, output)`, `("reference", data)` or `("dataset", data, pattern or "")`."""

    name: str
    origin: tuple[str, ...]
    mode: str = "mount"
    path: str | None = None


@dataclass
class Output:
    """An output port; its kind is "data", "folder" (made in advance), "dataset" or "named" (data that is a dataset too)."""

    name: str
    kind: str = "data"
    destination: str | None = None
    registered: str | None = None


@dataclass
class Step:
    """A step. Each argument is a list of parts: ("text", t), ("number", t), ("input", port), ("output", port) or ("parameter", name)."""

    id: str
    name: str
    source: str
    script: str = "main.py"
    command: str | None = None
    arguments: list[list[tuple[str, str]]] = field(default_factory=list)
    params: dict[str, tuple[str, str]] = field(default_factory=dict)
    inputs: list[Input] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    allow_reuse: bool = True
    version: str | None = None
    image: str | None = None
    hash_paths: list[str] | None = None
    variables: dict[str, str] = field(default_factory=dict)
    framework: str = "Python"
    communicator: str | None = None
    nodes: int = 1
    per_node: int = 1
    workers: int = 1
    servers: int = 1
    compute: str | None = None
    timeout: float | None = None


@dataclass
class Machine:
    """What differs between machines and versions, as the planner is told of it and as scripts come to see it."""

    python: str = "cpython 3.11"
    system: str = "linux x86_64"
    packages: str = "1.0"
    runtime: int = 2
    scheme: int = 1


@dataclass
class World:
    """Everything that may matter, and some that may not."""

    sources: dict[str, Tree] = field(default_factory=dict)
    data: dict[str, Tree] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    parameters: dict[str, object] = field(default_factory=dict)
    inherited: dict[str, str] = field(default_factory=dict)
    machine: Machine = field(default_factory=Machine)
    notes: list[str] = field(default_factory=list)


def find_step(world: World, id: str) -> Step:
    """Returns: the step of that id."""
    return next(step for step in world.steps if step.id == id)


def content_of(source: Tree) -> Tree:
    """Returns: what of a source directory is content: less what its one ignore file leaves out, by names and `*.ext`."""
    rules: list[str] = []
    for name in (".gitignore", ".amlignore"):
        if name in source:
            rules = source[name].data.decode().split()
    rules += ["__pycache__", "*.pyc"]
    return {
        path: node
        for path, node in source.items()
        if not any(fnmatch.fnmatchcase(part, rule) for part in path.split("/") for rule in rules)
    }


def process_kind(step: Step) -> str:
    """Returns: how a step's processes are started: "mpi", "tensorflow", "pytorch" or "plain"."""
    if step.communicator == "Mpi":
        return "mpi"
    if step.framework == "TensorFlow" and step.communicator == "ParameterServer":
        return "tensorflow"
    if step.communicator in ("Gloo", "Nccl"):
        return "pytorch"
    if step.per_node > 1:
        return "pytorch" if step.framework == "PyTorch" else "mpi"
    return "pytorch" if step.nodes > 1 else "plain"
