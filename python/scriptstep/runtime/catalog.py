"""What a workspace knows, inside a step: read from the history, written as events that the coordinator takes in."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

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
from scriptstep.runtime.reading import RecordedReads
from scriptstep.workspace.settings import Place

__all__ = ["StepCatalog"]

# The coordinator takes events in every few hundredths of a second, but for while it hashes a large output.
_TAKEN_IN_S = 600.0
_SAID_AFTER_S = 30.0


class StepCatalog(RecordedReads):
    """A `Catalog` for a step's process: nothing here writes the database.

    Metrics, tags, properties and files are appended as events, and the script goes on; a registration waits until the
    coordinator took it in, for the version that it gets. What is read of others is recorded, for the step's result
    holds only while that reads the same. A read sees all that the attempt wrote before, in whichever process.

    Args:
        context: The step.
        place: Where the state lies.
        workspace: Name of the workspace.
    """

    def __init__(self, context: StepContext, place: Place, workspace: str) -> None:
        history = History(place.home / "history.db", read_only=True)
        super().__init__(context, place, workspace, history, EventWriter(context.events, context.attempt))
        self._settled = 0  # up to where the events are known to be taken in

    # --- events

    def _tell(self, do: str, run: str, **what: Any) -> None:
        self._check_workspace(do)
        self._events.write(do, run, **what)

    def _ask(self, do: str, run: str, **what: Any) -> dict[str, Any]:
        """Tells, and waits until it was taken in. Returns what came of it."""
        self._check_workspace(do)
        event = self._events.append(do, run, ack=True, **what)
        answer = self._history.wait_acknowledged(event.id, _SAID_AFTER_S)
        if answer is None:
            answer = self._wait_on(event.id, str(what.get("method", do)))
        self._settled = max(self._settled, event.end)
        if "error" in answer:
            raise UserErrorException(str(answer["error"]))
        return answer

    def _wait_on(self, event: str, what: str) -> dict[str, Any]:
        from scriptstep.console import notice

        notice(f"'{what}' waits, up to {_TAKEN_IN_S:g} s, for the process that runs the pipeline to take it in")
        answer = self._history.wait_acknowledged(event, _TAKEN_IN_S - _SAID_AFTER_S)
        if answer is None:
            raise UserErrorException(
                f"'{what}' was not taken in within {_TAKEN_IN_S:g} s",
                help="is the process that runs the pipeline still there?",
            )
        return answer

    def _call(self, method: str, *args: Any) -> None:
        self._ask("call", self._context.run_id, method=method, args=to_plain(args))

    def _call_with(self, method: str, args: Sequence[Any], keywords: Mapping[str, Any]) -> None:
        self._ask("call", self._context.run_id, method=method, args=to_plain(args), keywords=to_plain(dict(keywords)))

    def _check_workspace(self, do: str) -> None:
        if self.name != self._context.workspace and do != "settle":
            raise UserErrorException(
                f"a step of workspace '{self._context.workspace}' cannot write to workspace '{self.name}'",
                help="register there from outside, or in the step's own workspace",
            )

    def _settle(self, end: int) -> None:
        if end > self._settled:
            self._ask("settle", self._context.run_id)

    def _record(self, what: str, args: Mapping[str, Any], digest: str) -> None:
        self._events.write("read", self._context.run_id, what=what, args=args, digest=digest)

    # --- runs

    def add_run(self, row: RunRow) -> RunRow:
        """Records a run of this step's own."""
        self._call("add_run", row)
        return self._history.run(row.id) or row

    def update_run(self, id: str, **columns: Any) -> None:
        """Changes fields of a run."""
        self._call_with("update_run", [id], columns)

    def request_cancel(self, run: str) -> None:
        """Asks for a run to be cancelled."""
        self._ask("cancel", run)

    def set_tags(self, run: str, tags: Mapping[str, object]) -> None:
        """Sets tags of a run, as text."""
        self._tell("tags", run, tags={str(k): "" if v is None else str(v) for k, v in tags.items()})

    def remove_tags(self, run: str, names: Iterable[str]) -> None:
        """Removes tags of a run."""
        self._tell("untag", run, names=[str(name) for name in names])

    def set_properties(self, run: str, properties: Mapping[str, object]) -> None:
        """Sets properties of a run, as text."""
        self._tell("properties", run, properties={str(k): "" if v is None else str(v) for k, v in properties.items()})

    def log_metrics(self, metrics: Sequence[MetricRow]) -> None:
        """Records metrics."""
        for row in metrics:
            self._tell("metric", row.run, row=to_plain(row))

    def upload(self, run: str, name: str, path: Path) -> None:
        """Adds a file, or all files of a folder, to a run's files.

        Raises:
            ArgumentError: Nothing lies there.
        """
        if not path.exists():
            raise ArgumentError(f"nothing lies at {path}")
        files = [name]
        if path.is_dir():
            files = [f"{name}/{f.relative_to(path).as_posix()}".lstrip("/") for f in path.rglob("*") if f.is_file()]
        self._tell("upload", run, name=name, path=str(self._staged(path)), files=files)

    def _staged(self, path: Path) -> Path:
        """Copies what is registered or uploaded, as it is now: the script may change it at once."""
        place = self._context.run_dir / "staged" / uuid.uuid4().hex
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            if path.is_dir():
                shutil.copytree(path, place)
            else:
                shutil.copyfile(path, place)
        except OSError as error:  # shutil.Error too
            shutil.rmtree(place, ignore_errors=True)
            raise UserErrorException(f"{path} cannot be kept: {error}") from error
        return place

    # --- datasets

    def save_definition(self, id: str, kind: str, definition: Mapping[str, Any]) -> None:
        """Keeps a definition, to be found by id."""
        if self._plain.dataset_by_id(id) is None:
            self._call("save_definition", id, kind, dict(definition))

    def add_dataset(self, row: DatasetRow) -> DatasetRow:
        """Registers a dataset; the definition of the latest version makes no new one."""
        self._call("add_dataset", row)
        return self._history.dataset(self.name, str(row.name)) or row

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
        """Stores a copy of a file or folder and registers it as the next version of a model.

        Raises:
            ModelPathNotFoundException: Nothing lies there.
        """
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
        found = self._history.model(self.name, name, int(answer["version"]))
        assert found is not None
        return found

    def update_model(self, id: str, **columns: Any) -> None:
        """Changes tags, properties, description, framework or details of a model."""
        self._call_with("update_model", [id], columns)

    def delete_model(self, id: str) -> None:
        """Unregisters one version of a model."""
        self._call("delete_model", id)

    # --- the rest

    def add_experiment(self, name: str) -> None:
        """Adds an experiment; one that is there stays."""
        if name not in self._plain.experiments():
            self._call("add_experiment", name)

    def add_environment(self, name: str, definition: Mapping[str, Any], version: str | None = None) -> EnvironmentRow:
        """Registers an environment; the definition of the latest version makes no new one."""
        self._call("add_environment", name, dict(definition), version)
        found = self._history.environment(self.name, name, version)
        assert found is not None
        return found

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
