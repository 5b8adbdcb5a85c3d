"""What the history keeps, row by row, as plain values."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from scriptstep.records import dataclass, field

__all__ = [
    "AcceptanceRow",
    "ComputeRow",
    "DatasetRow",
    "DatastoreRow",
    "EnvironmentRow",
    "MetricRow",
    "ModelRow",
    "PipelineRow",
    "ResultRow",
    "RunRow",
    "WorkspaceRow",
    "definition_id",
    "new_id",
    "now",
    "texts",
]

_DEFINITIONS = "6f7f3f0e-6a55-5d1c-9b5a-0f6d1c8f4b11"


def now() -> str:
    """Returns: the time, UTC, ISO 8601 with microseconds; text order is time order."""
    return datetime.now(timezone.utc).isoformat(timespec="microseconds")


def new_id() -> str:
    """Returns: a UUID that nobody else has, of version 4, as text; without loading `uuid`, which takes milliseconds."""
    made = bytearray(os.urandom(16))
    made[6], made[8] = made[6] & 0x0F | 0x40, made[8] & 0x3F | 0x80
    digits = made.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def texts(values: Mapping[str, Any] | None) -> dict[str, str]:
    """Returns: names and values, as of tags and properties, as text; None as the empty text."""
    return {str(k): "" if v is None else str(v) for k, v in (values or {}).items()}


def definition_id(definition: Mapping[str, Any]) -> str:
    """The id of a dataset's definition: equal definitions have equal ids on every machine.

    Args:
        definition: Plain data.

    Returns:
        A UUID, as text.
    """
    import uuid

    text = json.dumps(definition, sort_keys=True, separators=(",", ":"))
    return str(uuid.uuid5(uuid.UUID(_DEFINITIONS), text))


@dataclass(frozen=True)
class RunRow:
    """A run: of a pipeline, of one of its steps, of a script, or one that a notebook started.

    Attributes:
        id: Unique in the history.
        workspace: Name of the workspace.
        experiment: Name of the experiment.
        kind: "pipeline", "step", "script", "interactive" or "child".
        name: As shown.
        number: Counts up within the experiment; given by `add_run` where it is 0.
        parent: Id of the run that this one is part of.
        root: Id of the run that holds all others; `add_run` fills it in.
        status: As the SDK spells it.
        directory: The run's folder, relative to the state folder.
        created: When it was recorded; `add_run` fills it in.
        started: When it began to run.
        ended: When it ended.
        description: In the user's words.
        error: What went wrong.
        node_id: The node of the graph that a step run is of.
        script: The script's name.
        compute: Name of the compute target.
        exit_code: Of the script.
        reused_from: Id of the run whose logs, metrics and files this one shows.
        verdict: Why it ran or was reused.
        artifacts: Digest of the tree of its files, once it ended.
        details: Whatever else is shown.
        owner: Who coordinates it.
        cancel_requested: Whether somebody asked for it to be cancelled.
    """

    id: str
    workspace: str
    experiment: str
    kind: str
    name: str
    number: int = 0
    parent: str | None = None
    root: str | None = None
    status: str = "NotStarted"
    directory: str = ""
    created: str = ""
    started: str | None = None
    ended: str | None = None
    description: str | None = None
    error: dict[str, Any] | None = None
    node_id: str | None = None
    script: str | None = None
    compute: str | None = None
    exit_code: int | None = None
    reused_from: str | None = None
    verdict: dict[str, Any] | None = None
    artifacts: str | None = None
    details: dict[str, Any] = field(default_factory=dict)
    owner: str | None = None
    cancel_requested: bool = False


@dataclass(frozen=True)
class MetricRow:
    """One value that a run logged.

    Attributes:
        run: Id of the run.
        name: Of the metric.
        kind: "scalar", "list", "row", "table", "image", "residuals", "predictions", "accuracy_table" or
            "confusion_matrix".
        value: Plain data.
        step: Where the script counts them.
        time: When it was logged.
    """

    run: str
    name: str
    kind: str
    value: Any
    step: int | None = None
    time: str = ""


@dataclass(frozen=True)
class ResultRow:
    """What a successful attempt of a step gave, under the step's key.

    Attributes:
        id: Counts up.
        workspace: Name of the workspace.
        key: The step's key.
        step_name: The step's name.
        run: Id of the step run.
        created: When it was recorded.
        outputs: Port to tree digest.
        artifacts: Digest of the tree of the run's files.
        document: What the key was made from.
        conditions: What must still hold for it to be reused.
        effects: What is done again when it is.
        reusable: Whether it may be reused at all.
        duration_s: How long the attempt took, seconds.
        collected: When its trees were collected, so that it cannot be used again; None where they were not.
        pipeline_run: The run that its step run is part of, or is; not kept with it, known where `results` gave it.
    """

    id: int
    workspace: str
    key: str
    step_name: str
    run: str
    created: str
    outputs: dict[str, str]
    artifacts: str | None
    document: dict[str, Any]
    conditions: dict[str, Any]
    effects: list[dict[str, Any]]
    reusable: bool
    duration_s: float
    collected: str | None = None
    pipeline_run: str | None = None


@dataclass(frozen=True)
class AcceptanceRow:
    """A difference that somebody said does not matter.

    Attributes:
        workspace: Name of the workspace.
        key: The key that it is about.
        stands_for: The earlier key whose results may stand for it.
        step_name: The step's name.
        because: Why, in the words of whoever accepted it.
        accepted_by: Who did: a user's name.
        created: When.
    """

    workspace: str
    key: str
    stands_for: str
    step_name: str
    because: str
    accepted_by: str
    created: str = ""


@dataclass(frozen=True)
class DatasetRow:
    """A dataset: a definition, and the name and version that it is registered under, if it is.

    Attributes:
        id: Of the definition: `definition_id`.
        name: What it is registered as.
        version: Counts up under the name.
        kind: "file" or "tabular".
        definition: Which files it stands for, and how they are read.
        description: In the user's words.
        tags: Names and values.
        created: When it was registered, or first seen.
    """

    id: str
    name: str | None
    version: int | None
    kind: str
    definition: dict[str, Any]
    description: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    created: str = ""


@dataclass(frozen=True)
class ModelRow:
    """A registered model.

    Attributes:
        id: "name:version".
        name: What it is registered as.
        version: Counts up under the name; the number of a deleted one does not come back.
        digest: Of the tree that holds it.
        base_name: Name of the file or folder that was registered.
        tags: Names and values.
        properties: Names and values, never changed once given.
        description: In the user's words.
        run: Id of the run that registered it.
        framework: Of the model, e.g. "ScikitLearn".
        framework_version: Of that.
        created: When it was registered.
        details: Datasets and whatever else was given with it.
    """

    id: str
    name: str
    version: int
    digest: str
    base_name: str
    tags: dict[str, str] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)
    description: str | None = None
    run: str | None = None
    framework: str | None = None
    framework_version: str | None = None
    created: str = ""
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class EnvironmentRow:
    """A registered environment.

    Attributes:
        name: What it is registered as.
        version: As text, as in the SDK.
        definition: What it declares.
        created: When it was registered.
    """

    name: str
    version: str
    definition: dict[str, Any]
    created: str = ""


@dataclass(frozen=True)
class ComputeRow:
    """A compute target that was made or attached.

    Attributes:
        name: Of the target.
        type: As the SDK spells it, e.g. "AmlCompute".
        config: What it was made with.
    """

    name: str
    type: str
    config: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class DatastoreRow:
    """A registered datastore.

    Attributes:
        name: What it is registered as.
        kind: As the SDK spells its type, e.g. "AzureBlob".
        config: What it was registered with; no secrets.
        is_default: Whether it is the workspace's default.
    """

    name: str
    kind: str
    config: dict[str, Any] = field(default_factory=dict)
    is_default: bool = False


@dataclass(frozen=True)
class WorkspaceRow:
    """A workspace.

    Attributes:
        name: Unique in the history.
        subscription_id: As the user's code says; means nothing here.
        resource_group: As the user's code says; means nothing here.
        location: As the user's code says; means nothing here.
        tags: Names and values.
        created: When it was made.
        details: Friendly name, description.
    """

    name: str
    subscription_id: str
    resource_group: str
    location: str
    tags: dict[str, str] = field(default_factory=dict)
    created: str = ""
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PipelineRow:
    """A pipeline that is kept to be submitted later, or an endpoint that names several.

    Attributes:
        id: Unique in the history.
        kind: "published", "draft" or "endpoint".
        name: What it is called.
        status: "Active", "Disabled" or "Archived".
        document: All else: the frozen pipeline, or the endpoint's versions.
        created: When it was recorded; `add_pipeline` fills it in.
    """

    id: str
    kind: str
    name: str
    status: str
    document: dict[str, Any]
    created: str = ""
