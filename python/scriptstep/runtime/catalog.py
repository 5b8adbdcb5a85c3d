"""What a workspace knows, inside a step: read from the history, written as events that the coordinator takes in."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from scriptstep.errors import ArgumentError, ModelPathNotFoundException, UserErrorException
from scriptstep.history import (
    ComputeRow,
    DatasetRow,
    DatastoreRow,
    EnvironmentRow,
    History,
    MetricRow,
    ModelRow,
    RunRow,
)
from scriptstep.runtime.context import StepContext
from scriptstep.runtime.events import EventWriter
from scriptstep.runtime.plain_rows import to_plain
from scriptstep.runtime.reads import read_digest, read_value
from scriptstep.workspace.catalog import Catalog
from scriptstep.workspace.catalog_reads import HistoryReads
from scriptstep.workspace.settings import Place

__all__ = ["StepCatalog"]

# The coordinator takes events in every few hundredths of a second, but for while it hashes a large output.
_TAKEN_IN_S = 600.0


class StepCatalog(HistoryReads):
    """A `Catalog` for a step's process: nothing here writes the database.

    What it reads of others is recorded, for the step's result holds only while that reads the same.

    Args:
        context: The step.
        place: Where the state lies.
        workspace: Name of the workspace.
    """

    def __init__(self, context: StepContext, place: Place, workspace: str) -> None:
        super().__init__(place, workspace, History(place.home / "history.db", read_only=True))
        self._context = context
        self._events = EventWriter(context.events, context.attempt)
        self._unsettled = False
        self._noted: set[str] = set()
        # What this step gave its parent itself: read back, it says nothing of others.
        self._own: dict[str, set[str]] = {"metrics": set(), "tags": set(), "properties": set(), "files": set()}

    # --- events

    def _tell(self, do: str, run: str, **what: Any) -> str:
        self._unsettled = True
        return self._events.write(do, run, **what)

    def _ask(self, do: str, run: str, **what: Any) -> dict[str, Any]:
        """Tells, and waits until it was taken in. Returns what came of it."""
        answer = self._history.wait_acknowledged(self._tell(do, run, ack=True, **what), _TAKEN_IN_S)
        if answer is None:
            raise UserErrorException(
                f"'{do}' was not taken in within {_TAKEN_IN_S:g} s",
                help="is the process that runs the pipeline still there?",
            )
        self._unsettled = False
        if "error" in answer:
            raise UserErrorException(str(answer["error"]))
        return answer

    def _call(self, method: str, *args: Any) -> None:
        self._ask("call", self._context.run_id, method=method, args=to_plain(args))

    def _call_with(self, method: str, args: Sequence[Any], keywords: Mapping[str, Any]) -> None:
        self._ask("call", self._context.run_id, method=method, args=to_plain(args), keywords=to_plain(dict(keywords)))

    def _settle(self) -> None:
        """Waits until what this process wrote can be read."""
        if self._unsettled:
            self._ask("settle", self._context.run_id)

    def _note(self, what: str, **args: Any) -> None:
        """Records that something of others is read now."""
        self._settle()
        # Only reads are asked of it.
        catalog = cast("Catalog", _Unnoted(self))
        value = read_value(catalog, what, args, self._context.parent_id)
        digest = read_digest(value)
        key = f"{what} {sorted(args.items(), key=repr)} {digest}"
        if key not in self._noted:
            self._noted.add(key)
            self._events.write("read", self._context.run_id, what=what, args=args, digest=digest)

    def _note_of_run(self, what: str, run: str) -> None:
        if run == self._context.run_id:
            self._settle()
        elif run == self._context.parent_id:
            own = sorted(self._own[what])
            self._note(what, run="parent", **({"own": own} if own else {}))
        else:
            row = self._history.run(run)
            sibling = row is not None and row.parent == self._context.parent_id
            self._note(what, run={"sibling": row.name} if sibling and row else run)

    # --- runs

    def runs(
        self, experiment: str | None = None, parent: str | None = None, kind: str | None = None, root: str | None = None
    ) -> list[RunRow]:
        """Returns: the workspace's runs, the newest first."""
        if self._context.parent_id in (parent, root):
            self._note("runs", parent=True)
        elif parent is None and root is None:
            self._note("runs", experiment=experiment)
        return super().runs(experiment, parent, kind, root)

    def tags(self, run: str) -> dict[str, str]:
        """Returns: a run's tags."""
        self._note_of_run("tags", run)
        return super().tags(run)

    def properties(self, run: str) -> dict[str, str]:
        """Returns: a run's properties."""
        self._note_of_run("properties", run)
        return super().properties(run)

    def metrics(self, run: str) -> list[MetricRow]:
        """Returns: what a run logged."""
        self._note_of_run("metrics", run)
        return super().metrics(run)

    def files(self, run: str) -> dict[str, Path]:
        """Returns: a run's files, by name; of this step also what lies in its outputs and logs now."""
        self._note_of_run("files", run)
        found = super().files(run)
        if run == self._context.run_id:
            for part in ("outputs", "logs"):
                folder = self._context.run_dir / "code" / part
                for file in sorted(f for f in folder.rglob("*") if f.is_file()):
                    found.setdefault(f"{part}/{file.relative_to(folder).as_posix()}", file)
        return found

    def add_run(self, row: RunRow) -> RunRow:
        """Records a run of this step's own."""
        self._call("add_run", row)
        return super().run(row.id) or row

    def update_run(self, id: str, **columns: Any) -> None:
        """Changes fields of a run."""
        self._call_with("update_run", [id], columns)

    def request_cancel(self, run: str) -> None:
        """Asks for a run to be cancelled."""
        self._ask("cancel", run)

    def set_tags(self, run: str, tags: Mapping[str, object]) -> None:
        """Sets tags of a run, as text."""
        self._own_of(run, "tags", tags)
        self._tell("tags", run, tags={str(k): "" if v is None else str(v) for k, v in tags.items()})

    def remove_tags(self, run: str, names: Iterable[str]) -> None:
        """Removes tags of a run."""
        listed = list(names)
        self._own_of(run, "tags", listed)
        self._tell("untag", run, names=listed)

    def set_properties(self, run: str, properties: Mapping[str, object]) -> None:
        """Sets properties of a run, as text."""
        self._own_of(run, "properties", properties)
        self._tell("properties", run, properties={str(k): "" if v is None else str(v) for k, v in properties.items()})

    def log_metrics(self, metrics: Sequence[MetricRow]) -> None:
        """Records metrics."""
        for row in metrics:
            self._own_of(row.run, "metrics", [row.name])
            self._tell("metric", row.run, row=to_plain(row))

    def upload(self, run: str, name: str, path: Path) -> None:
        """Adds a file, or all files of a folder, to a run's files."""
        if not path.exists():
            raise ArgumentError(f"nothing lies at {path}")
        files = [f for f in path.rglob("*") if f.is_file()] if path.is_dir() else [path]
        self._own_of(
            run, "files", [f"{name}/{f.relative_to(path).as_posix()}" if path.is_dir() else name for f in files]
        )
        self._tell("upload", run, name=name, path=str(self._staged(path)))

    def _own_of(self, run: str, what: str, names: Iterable[str]) -> None:
        if run == self._context.parent_id:
            self._own[what].update(str(name) for name in names)

    def _staged(self, path: Path) -> Path:
        """Copies what is registered or uploaded, as it is now: the script may change it at once."""
        place = self._context.run_dir / "staged" / uuid.uuid4().hex
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, place)
        else:
            shutil.copyfile(path, place)
        return place

    # --- datasets

    def dataset(self, name: str, version: int | None = None) -> DatasetRow | None:
        """Returns: a registered dataset; the latest version where none is given."""
        self._note("dataset", name=name, version=version)
        return super().dataset(name, version)

    def datasets(self) -> list[DatasetRow]:
        """Returns: the latest version of each registered dataset, by name."""
        self._note("datasets")
        return super().datasets()

    def save_definition(self, id: str, kind: str, definition: Mapping[str, Any]) -> None:
        """Keeps a definition, to be found by id."""
        self._call("save_definition", id, kind, dict(definition))

    def add_dataset(self, row: DatasetRow) -> DatasetRow:
        """Registers a dataset; the definition of the latest version makes no new one."""
        self._call("add_dataset", row)
        return super().dataset(str(row.name)) or row

    def update_dataset(self, name: str, version: int, **columns: Any) -> None:
        """Changes description or tags of a registered dataset."""
        self._call_with("update_dataset", [name, version], columns)

    def remove_dataset(self, name: str) -> None:
        """Unregisters all versions of a dataset."""
        self._call("remove_dataset", name)

    # --- models

    def register_model(
        self,
        name: str,
        path: Path,
        *,
        base_name: str,
        tags: Mapping[str, str] | None = None,
        properties: Mapping[str, str] | None = None,
        description: str | None = None,
        run: str | None = None,
        framework: str | None = None,
        framework_version: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> ModelRow:
        """Stores a copy of a file or folder and registers it as the next version of a model."""
        if not path.exists():
            raise ModelPathNotFoundException(f"model '{name}': nothing lies at {path}")
        answer = self._ask(
            "register_model",
            run or self._context.run_id,
            name=name,
            path=str(self._staged(path)),
            base_name=base_name,
            tags=dict(tags or {}),
            properties=dict(properties or {}),
            description=description,
            framework=framework,
            framework_version=framework_version,
            details=dict(details or {}),
        )
        found = super().model(name, int(answer["version"]))
        assert found is not None
        return found

    def model(self, name: str, version: int | None = None) -> ModelRow | None:
        """Returns: a registered model; the latest version where none is given."""
        self._note("model", name=name, version=version)
        return super().model(name, version)

    def models(self, name: str | None = None, run: str | None = None) -> list[ModelRow]:
        """Returns: registered models, all versions, the newest first."""
        self._note("models", name=name, **({"run_id": run} if run else {}))
        return super().models(name, run)

    def update_model(self, id: str, **columns: Any) -> None:
        """Changes tags, properties, description, framework or details of a model."""
        self._call_with("update_model", [id], columns)

    def delete_model(self, id: str) -> None:
        """Unregisters one version of a model."""
        self._call("delete_model", id)

    # --- the rest

    def add_experiment(self, name: str) -> None:
        """Adds an experiment; one that is there stays."""
        self._call("add_experiment", name)

    def environment(self, name: str, version: str | None = None) -> EnvironmentRow | None:
        """Returns: a registered environment; the latest version where none is given."""
        self._note("environment", name=name, version=version)
        return super().environment(name, version)

    def add_environment(self, name: str, definition: Mapping[str, Any], version: str | None = None) -> EnvironmentRow:
        """Registers an environment; the definition of the latest version makes no new one."""
        self._call("add_environment", name, dict(definition), version)
        return super().environment(name, version) or super().environments()[-1]

    def add_compute(self, row: ComputeRow) -> None:
        """Keeps a compute target."""
        self._call("add_compute", row)

    def remove_compute(self, name: str) -> None:
        """Forgets a compute target."""
        self._call("remove_compute", name)

    def add_datastore(self, row: DatastoreRow) -> None:
        """Keeps a datastore."""
        self._call("add_datastore", row)

    def remove_datastore(self, name: str) -> None:
        """Forgets a datastore; its files stay."""
        self._call("remove_datastore", name)

    def set_default_datastore(self, name: str) -> None:
        """Makes a datastore the default."""
        self._call("set_default_datastore", name)


class _Unnoted(HistoryReads):
    """The same reads, of which nothing is recorded."""

    def __init__(self, catalog: StepCatalog) -> None:
        super().__init__(catalog.place, catalog.name, catalog._history)
