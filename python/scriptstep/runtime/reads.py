"""What a step reads of others through the SDK, as a value that can be read again and compared.

Identities are no part of a value: a run's id, number, time or URL may differ, and the step's result with it only if the
script made it so.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from scriptstep.history import ModelRow, RunRow
from scriptstep.workspace.catalog import Catalog

__all__ = ["read_digest", "read_value"]


def read_value(catalog: Catalog, what: str, args: Mapping[str, Any], parent: str) -> Any:
    """Reads something of others.

    Args:
        catalog: What to read from.
        what: The kind of thing.
        args: Which one; `run` is "parent", {"sibling": name} or a run's id.
        parent: Id of the pipeline run that stands for "parent".

    Returns:
        Plain data; None where there is nothing.
    """
    name, version = args.get("name"), args.get("version")
    if what == "model":
        model = catalog.model(str(name), version)
        return None if model is None else _model(model)
    if what == "models":
        return [_model(row) for row in catalog.models(name) if args.get("run_id") in (None, row.run)]
    if what == "dataset":
        dataset = catalog.dataset(str(name), version)
        return None if dataset is None else [dataset.version, dataset.kind, dataset.definition, dataset.tags]
    if what == "datasets":
        return [[row.name, row.version, row.definition] for row in catalog.datasets()]
    if what == "environment":
        environment = catalog.environment(str(name), version)
        return None if environment is None else [environment.version, environment.definition]
    if what == "runs":
        return _runs(catalog, args, parent)
    return _of_run(catalog, what, args, parent)


def read_digest(value: Any) -> str:
    """Returns: a digest of what was read, equal for equal values."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=repr)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _model(row: ModelRow) -> list[Any]:
    return [row.name, row.version, row.digest, row.base_name, row.tags, row.properties, row.description]


def _runs(catalog: Catalog, args: Mapping[str, Any], parent: str) -> list[Any]:
    """Steps of the parent by name; of an experiment, how the other runs ended."""
    if args.get("parent"):
        return sorted(row.name for row in catalog.runs(parent=parent, kind="step"))
    rows = catalog.runs(experiment=args.get("experiment"))
    return [[row.name, row.kind, row.status] for row in rows if parent not in (row.id, row.root)]


def _of_run(catalog: Catalog, what: str, args: Mapping[str, Any], parent: str) -> Any:
    row = _run(catalog, args["run"], parent)
    if row is None:
        return None
    own = set(args.get("own", ()))
    if what == "metrics":
        return [[m.name, m.kind, m.value, m.step] for m in catalog.metrics(row.id) if m.name not in own]
    if what == "tags":
        return {k: v for k, v in catalog.tags(row.id).items() if k not in own}
    if what == "properties":
        given = catalog.properties(row.id)
        return {
            k: v
            for k, v in given.items()
            if k not in own and not k.startswith(("azureml.", "mlflow.", "ContentSnapshotId"))
        }
    if what == "files":
        return {name: _file_digest(path) for name, path in catalog.files(row.id).items() if name not in own}
    raise ValueError(f"no read is called {what}")


def _run(catalog: Catalog, which: Any, parent: str) -> RunRow | None:
    if isinstance(which, Mapping):
        steps = [row for row in catalog.runs(parent=parent, kind="step") if row.name == which["sibling"]]
        return steps[-1] if steps else None
    return catalog.run(parent if which == "parent" else which)


def _file_digest(path: Any) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
