"""The key of a step: the digest of everything that can change its result. docs/reuse.md publishes the recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scriptstep.content import digest_bytes, spell
from scriptstep.engine.environment_identity import Installed
from scriptstep.graph import (
    Argument,
    DataLocation,
    DatasetSource,
    InputRef,
    OutputRef,
    OutputSpec,
    ParameterRef,
    StepSpec,
)
from scriptstep.records import dataclass

__all__ = [
    "FIELDS",
    "KEY_DOMAIN",
    "SCHEME",
    "Document",
    "StepFacts",
    "describe",
    "key_of",
    "parameter_facts",
    "rendered",
    "used_parameters",
]

SCHEME = 2
KEY_DOMAIN = "scriptstep 2026 step key"

Document = dict[str, Any]

# Of a document, in its order.
FIELDS = (
    "scheme",
    "script",
    "content",
    "version",
    "arguments",
    "params",
    "parameters",
    "inputs",
    "outputs",
    "environment",
    "variables",
    "inherited",
    "framework",
    "communicator",
    "node_count",
    "process_counts",
    "python",
    "system",
    "packages",
    "runtime",
)


@dataclass(frozen=True)
class StepFacts:
    """What a key needs besides what the step declares.

    Attributes:
        content: Digest of the step's content, all of it or of `hash_paths`.
        parameters: The pipeline parameters that the step uses: name to rendered value with its type.
        inputs: Identity of each input, by port.
        labels: Last part of the path that the script is given for each input, by port; None where the step names it.
        node_count: Nodes, after the pipeline's parameters.
        process_counts: Processes, workers and parameter servers a node, after the pipeline's parameters.
        installed: What the step's interpreter has; its distributions already limited to those that count.
        packages: Digest of those distributions.
        variables: Environment variables of the runconfig.
        inherited: Environment variables passed on by name that were asked for.
        with_platform: Whether Python's version, the system and the processor family count.
        runtime_revision: Of what a step sees of scriptstep.
    """

    content: str
    parameters: Mapping[str, tuple[str, str]]
    inputs: Mapping[str, Any]
    labels: Mapping[str, str | None]
    node_count: int
    process_counts: Mapping[str, int]
    installed: Installed
    packages: str
    variables: Mapping[str, str]
    inherited: Mapping[str, str]
    with_platform: bool
    runtime_revision: int


def describe(spec: StepSpec, facts: StepFacts) -> Document:
    """Writes down everything that decides a step's result.

    Left out on purpose, for they cannot change it: name, compute target, executor, allow_reuse, timeout, tags and
    what is registered of the outputs.

    Args:
        spec: The step as declared.
        facts: What it means here and now.

    Returns:
        Plain data; `key_of` gives its key.
    """
    run = spec.run
    return {
        "scheme": SCHEME,
        "script": spec.script_name if spec.command is None else ["command", spec.command],
        "content": facts.content,
        "version": spec.version,
        "arguments": [_argument(a) for a in spec.arguments],
        "params": {
            name: ["parameter", value.name] if isinstance(value, ParameterRef) else ["text", value]
            for name, value in spec.params.items()
        },
        "parameters": {name: list(value) for name, value in facts.parameters.items()},
        "inputs": {
            i.name: {
                "mode": i.mode,
                "path": i.path_on_compute,
                "label": facts.labels[i.name],
                "dataset": i.as_dataset,
                "transformations": list(i.transformations),
                "identity": facts.inputs[i.name],
            }
            for i in spec.inputs
        },
        "outputs": {o.name: _output(o) for o in spec.outputs},
        "environment": dict(run.environment),
        "variables": dict(facts.variables),
        "inherited": dict(facts.inherited),
        "framework": run.framework,
        "communicator": run.communicator,
        "node_count": facts.node_count,
        "process_counts": dict(facts.process_counts),
        "python": facts.installed.python if facts.with_platform else None,
        "system": facts.installed.system if facts.with_platform else None,
        "packages": facts.packages,
        "runtime": facts.runtime_revision,
    }


def key_of(document: Document) -> str:
    """Returns: the key of a document of `describe`, 64 hex digits."""
    return digest_bytes(KEY_DOMAIN, spell(document))


def rendered(value: Any) -> str:
    """Returns: a parameter's value as a script reads it; None as the empty string."""
    return "" if value is None else str(value)


def used_parameters(spec: StepSpec) -> set[str]:
    """Returns: names of the pipeline parameters whose values reach the step."""
    used = {p.name for a in spec.arguments for p in a if isinstance(p, ParameterRef)}
    used |= {v.name for v in spec.params.values() if isinstance(v, ParameterRef)}
    return used | set(spec.runconfig_params.values())


def parameter_facts(name: str, value: Any) -> tuple[str, str]:
    """Returns: a parameter's type and rendered value, as they stand in a key."""
    if isinstance(value, (DataLocation, DatasetSource)):
        return ("data", repr(value))
    return (type(value).__name__, rendered(value))


def _argument(argument: Argument) -> list[list[str]]:
    parts: list[list[str]] = []
    for part in argument:
        if isinstance(part, str):
            parts.append(["text", part])
        elif isinstance(part, InputRef):
            parts.append(["input", part.port])
        elif isinstance(part, OutputRef):
            parts.append(["output", part.port])
        else:
            parts.append(["parameter", part.name])
    return parts


def _output(output: OutputSpec) -> dict[str, Any]:
    return {
        "kind": output.kind,
        "mode": output.mode,
        "path": output.path_on_compute,
        "directory": output.is_directory,
        "datastore": output.datastore if output.destination is not None else None,
        "destination": output.destination,
        "dataset": output.as_dataset,
    }
