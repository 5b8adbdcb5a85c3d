"""Pipelines written by hand as YAML, in the form that the SDK reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from scriptstep.errors import ArgumentError

__all__ = ["DataEntry", "InputEntry", "OutputEntry", "ParameterEntry", "PipelineEntry", "StepEntry", "read_pipeline"]

_Text = str | int | float | bool


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True)


class ParameterEntry(_Entry):
    """A parameter of the pipeline."""

    type: Literal["string", "int", "float", "bool", "datapath"]
    default: _Text | dict[str, str] | None = None


class DataEntry(_Entry):
    """Data that steps read: a place on a datastore, or a registered dataset."""

    datastore: str | None = None
    path_on_datastore: str | None = None
    dataset_name: str | None = None
    dataset_id: str | None = None
    sql_table: Any = None
    sql_query: Any = None
    sql_stored_procedure: Any = None
    sql_stored_procedure_params: Any = None


class InputEntry(_Entry):
    """An input of a step."""

    source: str
    bind_mode: Literal["mount", "download", "direct"] = Field("mount", alias="type")
    path_on_compute: str | None = None
    overwrite: bool | None = None


class OutputEntry(_Entry):
    """An output of a step."""

    destination: str
    datastore: str | None = None
    bind_mode: Literal["mount", "upload"] = Field("mount", alias="type")
    path_on_compute: str | None = None
    overwrite: bool | None = None
    as_dataset: bool = False


class SourceEntry(_Entry):
    """A value that a parameter of the pipeline gives."""

    source: str


def _words(value: object) -> object:
    """Numbers and truth stand for their text, as everywhere among arguments."""
    if isinstance(value, list):
        return [str(word) if isinstance(word, (int, float)) else word for word in value]
    return value


class StepEntry(_Entry):
    """A step."""

    type: Literal["PythonScriptStep", "CommandStep"]
    name: str | None = None
    script_name: str | None = None
    command: str | list[str] | None = None
    source_directory: str | None = None
    version: str | None = None
    allow_reuse: bool = True
    hash_paths: list[str] | str | None = None
    compute: str | None = None
    runconfig: str | None = None
    runconfig_parameters: dict[str, SourceEntry] = Field(default_factory=dict)
    parameters: dict[str, _Text | SourceEntry] = Field(default_factory=dict)
    inputs: dict[str, InputEntry] = Field(default_factory=dict)
    side_inputs: dict[str, InputEntry] = Field(default_factory=dict)
    outputs: dict[str, OutputEntry] = Field(default_factory=dict)
    arguments: Annotated[list[str], BeforeValidator(_words)] = Field(default_factory=list)
    run_after: list[str] = Field(default_factory=list)


class PipelineEntry(_Entry):
    """A pipeline."""

    name: str | None = None
    description: str | None = None
    parameters: dict[str, ParameterEntry] = Field(default_factory=dict)
    default_compute: str | None = None
    data_references: dict[str, DataEntry] = Field(default_factory=dict)
    steps: dict[str, StepEntry] = Field(min_length=1)


def read_pipeline(data: Any, file: Path) -> PipelineEntry:
    """Checks what a file says.

    Args:
        data: The YAML document.
        file: Where it stands, for messages.

    Returns:
        What it says.

    Raises:
        ArgumentError: It says something that cannot be; each place in it is named.
        NotImplementedError: A step is of a kind that is not here.
    """
    if not isinstance(data, Mapping) or not isinstance(data.get("pipeline"), Mapping):
        raise ArgumentError(f"{file} holds no pipeline", help="it begins with `pipeline:`, and has `steps:` in it")
    pipeline = dict(data["pipeline"])
    steps = pipeline.get("steps")
    if isinstance(steps, Mapping):
        pipeline["steps"] = {key: _of_its_kind(key, step, file) for key, step in steps.items()}
    try:
        return PipelineEntry.model_validate(pipeline)
    except ValidationError as error:
        told = list(dict.fromkeys(_told(found) for found in error.errors()))
    first = f"{file}: {told[0]}" if len(told) == 1 else f"{file} has {len(told)} mistakes:\n  " + "\n  ".join(told)
    raise ArgumentError(first, help="what it may say: docs/pipeline_yaml.md")


def _of_its_kind(key: str, step: Any, file: Path) -> Any:
    """Returns: a step with its type beside the rest, as older files have it inside: `python_script_step: {...}`."""
    if not isinstance(step, Mapping):
        return step
    if "type" not in step and len(step) == 1 and "python_script_step" in step:
        inside = step["python_script_step"]
        return {"type": "PythonScriptStep", **inside} if isinstance(inside, Mapping) else inside
    if (kind := step.get("type")) is not None and kind not in ("PythonScriptStep", "CommandStep"):
        raise NotImplementedError(
            f"{file}: step '{key}' is a {kind}, which is not here: make it a PythonScriptStep or a CommandStep"
        )
    return step


def _told(found: Any) -> str:
    place = ".".join(str(part) for part in ("pipeline", *found["loc"]) if not str(part).startswith("function-"))
    for union in (".str", ".int", ".float", ".bool", ".SourceEntry"):
        place = place.removesuffix(union)
    if found["type"] == "extra_forbidden":
        return f"{place} is nothing that can be said there"
    if found["type"] == "missing":
        return f"{place} is missing"
    return f"{place}: {found['msg'].replace('Input should', 'it must')}, not {found['input']!r}"
