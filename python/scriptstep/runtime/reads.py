"""What a step reads of others through the SDK, as a value that can be read again and compared.

Identities are no part of a value: a run's id, number, time or URL may differ, and the step's result with it only if the
script made it so. What cannot be read again is unlike everything, itself too: the step then runs.

| `what` | `args` | value |
|---|---|---|
| model, models | name, version; name, run_id | name, version, content, base name, tags and what else it was given |
| dataset, datasets | name, version | version, kind, definition, tags, description |
| environment, environments | name, version | version and definition |
| datastore, datastores | name | kind and configuration |
| datastore_files | name, prefix | path and content of the files there |
| compute, computes | name | type and configuration |
| experiments | | names |
| runs | experiment, parent, kind, root | names and kinds |
| run | run, field | that field |
| metrics, tags, properties | run, own | names and values, without what the attempt itself gave |
| files | run, own | names |
| file | run, name | content |

`run` is "parent", {"sibling": name} (with "nth" where several steps have that name), or a run's id. `workspace` stands
in `args` where it is not the run's own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scriptstep.data.walk import files_below
from scriptstep.errors import AzureMLException
from scriptstep.history import ComputeRow, DatasetRow, DatastoreRow, EnvironmentRow, MetricRow, ModelRow, RunRow
from scriptstep.workspace.catalog import open_catalog
from scriptstep.workspace.datastore_files import remote_store

if TYPE_CHECKING:
    from scriptstep.workspace.catalog import Catalog

__all__ = [
    "is_of_own_making",
    "of_compute",
    "of_dataset",
    "of_datastore",
    "of_datastore_files",
    "of_environment",
    "of_field",
    "of_file",
    "of_metrics",
    "of_model",
    "of_properties",
    "of_runs",
    "of_steps",
    "read_digest",
    "read_value",
]

# Set by scriptstep itself, and different for each run.
_OUR_PROPERTIES = ("azureml.", "mlflow.", "ContentSnapshotId")


def read_value(catalog: Catalog, what: str, args: Mapping[str, Any], parent: str) -> Any:
    """Reads something of others.

    Args:
        catalog: What to read from.
        what: The kind of thing.
        args: Which one.
        parent: Id of the pipeline run that stands for "parent".

    Returns:
        Plain data; None where there is nothing.
    """
    try:
        if (other := args.get("workspace")) is not None:
            catalog = open_catalog(catalog.place, other)  # type: ignore[attr-defined]  # both implementations have it
        return _read(catalog, what, args, parent)
    except (AzureMLException, OSError, LookupError, TypeError, ValueError) as error:
        return {"cannot be read": str(error), "so it is unlike": os.urandom(16).hex()}


def read_digest(value: Any) -> str:
    """Returns: a digest of what was read, equal for equal values."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=repr)
    import hashlib

    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def is_of_own_making(what: str, args: Mapping[str, Any], effects: Iterable[Mapping[str, Any]]) -> bool:
    """Tells whether an attempt may itself have changed what it read before: then what stands right after it is no
    change. Without this, a change by others while the attempt ran would be taken for none.

    Args:
        what: The kind of thing that was read.
        args: Which one.
        effects: What the attempt did to others, as events.

    Returns:
        Whether one of the effects is a registration of such a thing.
    """
    for effect in effects:
        if effect["do"] == "register_model":
            kind, name = "model", effect["name"]
        elif effect["do"] == "call" and effect["method"] in _REGISTERED:
            kind, first = _REGISTERED[effect["method"]], effect["args"][0]
            name = first["fields"]["name"] if isinstance(first, Mapping) else first
        else:
            continue
        if what == kind + "s" or (what == kind and args.get("name") == name):
            return True
    return False


# Calls of a step that are done again when it is reused, and what they register.
_REGISTERED = {"add_dataset": "dataset", "add_environment": "environment"}


# --- the values


def of_model(row: ModelRow | None) -> Any:
    """Returns: a model, as it can be compared."""
    if row is None:
        return None
    framework = [row.framework, row.framework_version]
    return [row.name, row.version, row.digest, row.base_name, row.tags, row.properties, row.description, framework]


def of_dataset(row: DatasetRow | None) -> Any:
    """Returns: a dataset, as it can be compared."""
    return None if row is None else [row.name, row.version, row.kind, row.definition, row.tags, row.description]


def of_environment(row: EnvironmentRow | None) -> Any:
    """Returns: an environment, as it can be compared."""
    return None if row is None else [row.name, row.version, row.definition]


def of_compute(row: ComputeRow | None) -> Any:
    """Returns: a compute target, as it can be compared."""
    return None if row is None else [row.name, row.type, row.config]


def of_datastore(row: DatastoreRow | None, home: Path) -> Any:
    """Returns: a datastore, as it can be compared; its place below the state folder moves with that."""
    if row is None:
        return None
    config = dict(row.config)
    if (path := config.get("path")) and Path(path).is_relative_to(home):
        config["path"] = Path(path).relative_to(home).as_posix()
    return [row.name, row.kind, config, row.is_default]


def of_runs(rows: Sequence[RunRow], parent: str) -> Any:
    """Returns: runs, as they can be compared, without those of the pipeline that reads."""
    return [[row.kind, row.name] for row in rows if parent not in (row.id, row.root)]


def of_steps(rows: Sequence[RunRow]) -> Any:
    """Returns: steps of a pipeline run, as they can be compared, in whatever order they were recorded."""
    return sorted(row.name for row in rows)


def of_field(row: RunRow | None, field: str) -> Any:
    """Returns: a field of a run, as it can be compared."""
    if row is None:
        return None
    value = getattr(row, field)
    if field == "details" and value.get("outputs"):
        # Where an output was put has the run's id in it; what it is, is its tree.
        trees = {name: put.get("tree") for name, put in value["outputs"].items()}
        return {**value, "outputs": trees}
    return value


def of_metrics(rows: Sequence[MetricRow], own: Collection[str] = ()) -> Any:
    """Returns: metrics, as they can be compared: by name, in order under each; several steps may log side by side."""
    found: dict[str, list[Any]] = {}
    for row in rows:
        if row.name not in own:
            found.setdefault(row.name, []).append([row.kind, row.value, row.step])
    return found


def of_properties(properties: Mapping[str, str], own: Collection[str] = ()) -> Any:
    """Returns: properties, as they can be compared."""
    return {k: v for k, v in properties.items() if k not in own and not k.startswith(_OUR_PROPERTIES)}


def of_file(path: Path) -> str:
    """Returns: a digest of a file's content.

    Raises:
        OSError: It cannot be read.
    """
    import hashlib

    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def of_datastore_files(row: DatastoreRow, home: Path, prefix: str) -> Any:
    """Returns: path and content of the files on a datastore whose path begins so, as they can be compared."""
    remote = remote_store(home, row, {})
    if remote is None:
        root = Path(row.config["path"])
        here = files_below(root) if root.is_dir() else []
        return {name: of_file(Path(file)) for name, file in here if name.startswith(prefix)}
    files = remote.list(prefix.rpartition("/")[0])
    return {file.path: [file.size, file.stamp] for file in files if file.path.startswith(prefix)}


# --- reading them


def _read(catalog: Catalog, what: str, args: Mapping[str, Any], parent: str) -> Any:
    name = str(args.get("name"))
    home = Path(getattr(getattr(catalog, "place", None), "home", os.sep))
    if what in ("run", "metrics", "tags", "properties", "files", "file"):
        return _of_run(catalog, what, args, parent)
    readers: dict[str, Any] = {
        "model": lambda: of_model(catalog.model(name, args.get("version"))),
        "models": lambda: [
            of_model(row) for row in catalog.models(args.get("name")) if args.get("run_id") in (None, row.run)
        ],
        "dataset": lambda: of_dataset(catalog.dataset(name, args.get("version"))),
        "datasets": lambda: [of_dataset(row) for row in catalog.datasets()],
        "environment": lambda: of_environment(catalog.environment(name, args.get("version"))),
        "environments": lambda: [of_environment(row) for row in catalog.environments()],
        "datastore": lambda: of_datastore(catalog.datastore(name), home),
        "datastores": lambda: [of_datastore(row, home) for row in catalog.datastores()],
        "datastore_files": lambda: of_datastore_files(
            _known(catalog.datastore(name)), home, str(args.get("prefix") or "")
        ),
        "compute": lambda: of_compute(catalog.compute(name)),
        "computes": lambda: [of_compute(row) for row in catalog.computes()],
        "experiments": catalog.experiments,
        "runs": lambda: _runs(catalog, args, parent),
    }
    return readers[what]()


def _known(row: DatastoreRow | None) -> DatastoreRow:
    if row is None:
        raise LookupError("there is no such datastore")
    return row


def _runs(catalog: Catalog, args: Mapping[str, Any], parent: str) -> Any:
    above, root = (_id(catalog, args[which], parent) if args.get(which) else None for which in ("parent", "root"))
    rows = catalog.runs(experiment=args.get("experiment"), parent=above, kind=args.get("kind"), root=root)
    return of_steps(rows) if parent in (above, root) else of_runs(rows, parent)


def _id(catalog: Catalog, which: Any, parent: str) -> str:
    row = _run(catalog, which, parent)
    if row is None:
        raise LookupError(f"there is no run {which}")
    return row.id


def _of_run(catalog: Catalog, what: str, args: Mapping[str, Any], parent: str) -> Any:
    row = _run(catalog, args["run"], parent)
    if row is None:
        return None
    own = args.get("own", ())
    if what == "run":
        return of_field(row, str(args["field"]))
    if what == "metrics":
        return of_metrics(catalog.metrics(row.id), own)
    if what == "tags":
        return {k: v for k, v in catalog.tags(row.id).items() if k not in own}
    if what == "properties":
        return of_properties(catalog.properties(row.id), own)
    files = catalog.files(row.id)
    return of_file(files[args["name"]]) if what == "file" else sorted(set(files) - set(own))


def _run(catalog: Catalog, which: Any, parent: str) -> RunRow | None:
    if not isinstance(which, Mapping):
        return catalog.run(parent if which == "parent" else which)
    steps = [row for row in reversed(catalog.runs(parent=parent, kind="step")) if row.name == which["sibling"]]
    return steps[which.get("nth", 0)]
