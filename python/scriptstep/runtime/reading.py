"""The reading half of a step's catalog: it records what it gives of others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
from scriptstep.runtime import reads
from scriptstep.runtime.context import StepContext
from scriptstep.runtime.events import EventWriter, read_events
from scriptstep.runtime.watched import WatchedFiles, watched_run
from scriptstep.workspace.catalog_reads import HistoryReads
from scriptstep.workspace.settings import Place

__all__ = ["RecordedReads"]


class RecordedReads(HistoryReads):
    """What a step reads; each read of others becomes an event with a digest of what came back.

    A step's own runs, and what it gave its parent itself, are nothing of others. The digest is of the very rows that
    are given, so nothing can come between.

    Args:
        context: The step.
        place: Where the state lies.
        workspace: Name of the workspace.
        history: The history, open for reading.
        events: What the step appends its events to.
    """

    def __init__(
        self, context: StepContext, place: Place, workspace: str, history: History, events: EventWriter
    ) -> None:
        super().__init__(place, workspace, history)
        self._plain = HistoryReads(place, workspace, history)  # the same reads, of which nothing is recorded
        self._context, self._events = context, events
        self._noted: set[tuple[str, str, str]] = set()
        self._whose: dict[str, Any] = {}
        # What the events of the attempt, of all its processes, say: up to which of them each run was written to, and
        # what the parent was given.
        self._known = 0
        self._written: dict[str, int] = {}
        self._own: dict[str, set[str]] = {"metrics": set(), "tags": set(), "properties": set(), "files": set()}

    def _settle(self, end: int) -> None:
        """Waits until the events up to there can be read."""
        raise NotImplementedError

    def _record(self, what: str, args: Mapping[str, Any], digest: str) -> None:
        """Appends a read to the events."""
        raise NotImplementedError

    def _note(self, what: str, value: Any, **args: Any) -> None:
        """Records what was read, once."""
        if self.name != self._context.workspace:
            args["workspace"] = self.name
        digest = reads.read_digest(value)
        key = (what, reads.read_digest(args), digest)
        if key not in self._noted:
            self._noted.add(key)
            self._record(what, args, digest)

    # --- runs

    def run(self, id: str) -> RunRow | None:
        """Returns: the run of that id; of one of others each field that is looked at is recorded."""
        row = self._plain.run(id)
        if row is None:
            self._note("run", None, run=id, field="status")
            return None
        return self._watched(row)

    def find_run(self, prefix: str) -> list[RunRow]:
        """Returns: the runs whose id begins so, the newest first."""
        return [self._watched(row) for row in self._plain.find_run(prefix)]

    def runs(
        self, experiment: str | None = None, parent: str | None = None, kind: str | None = None, root: str | None = None
    ) -> list[RunRow]:
        """Returns: the workspace's runs, the newest first; that these are there is recorded, and what is looked at."""
        rows = self._plain.runs(experiment, parent, kind, root)
        places = {name: self._which(id) for name, id in (("parent", parent), ("root", root)) if id is not None}
        if None not in places.values():
            steps = "parent" in places.values()
            value = reads.of_steps(rows) if steps else reads.of_runs(rows, self._context.parent_id)
            given = {"experiment": experiment, "kind": kind, **places}
            self._note("runs", value, **{name: of for name, of in given.items() if of is not None})
        return [self._watched(row) for row in rows]

    def tags(self, run: str) -> dict[str, str]:
        """Returns: a run's tags."""
        self._catch_up(run)
        found = self._plain.tags(run)
        own = self._own_of(run, "tags")
        self._note_of_run("tags", run, {k: v for k, v in found.items() if k not in own}, own)
        return found

    def properties(self, run: str) -> dict[str, str]:
        """Returns: a run's properties."""
        self._catch_up(run)
        found = self._plain.properties(run)
        own = self._own_of(run, "properties")
        self._note_of_run("properties", run, reads.of_properties(found, own), own)
        return found

    def metrics(self, run: str) -> list[MetricRow]:
        """Returns: what a run logged."""
        self._catch_up(run)
        found = self._plain.metrics(run)
        own = self._own_of(run, "metrics")
        self._note_of_run("metrics", run, reads.of_metrics(found, own), own)
        return found

    def files(self, run: str) -> dict[str, Path]:
        """Returns: a run's files, by name; of this step also what lies in its outputs and logs now."""
        self._catch_up(run)
        found = self._plain.files(run)
        which = self._which(run)
        if which is not None:
            own = self._own_of(run, "files")
            self._note_of_run("files", run, sorted(set(found) - own), own)

            def told(name: str) -> None:
                if name not in own:
                    self._note("file", reads.of_file(found[name]), run=which, name=name)

            return WatchedFiles(found, told)
        if run == self._context.run_id:
            for part in ("outputs", "logs"):
                folder = self._context.run_dir / "code" / part
                for file in sorted(f for f in folder.rglob("*") if f.is_file()):
                    found.setdefault(f"{part}/{file.relative_to(folder).as_posix()}", file)
        return found

    def _watched(self, row: RunRow) -> RunRow:
        which = self._which(row.id, row)
        if which is None:
            return row

        def told(field: str) -> None:
            if field == "name" and isinstance(which, Mapping):
                return  # it was found by that
            self._note("run", reads.of_field(row, field), run=which, field=field)

        return watched_run(row, told)

    def _note_of_run(self, what: str, run: str, value: Any, own: set[str]) -> None:
        which = self._which(run)
        if which is not None:
            self._note(what, value, run=which, **({"own": sorted(own)} if own else {}))

    def _which(self, run: str, row: RunRow | None = None) -> Any:
        """Returns: how a run of others is found again in a later run of the pipeline; None for the step's own."""
        if run == self._context.run_id:
            return None
        if run == self._context.parent_id:
            return "parent"
        if run not in self._whose:
            row = row or self._history.run(run)
            if row is None:
                return run
            self._whose[run] = self._found_by(row)
        return self._whose[run]

    def _found_by(self, row: RunRow) -> Any:
        parent_id = self._context.parent_id
        if row.parent == parent_id and row.kind == "step":
            steps = [r.id for r in reversed(self._history.runs(parent=parent_id, kind="step")) if r.name == row.name]
            nth = steps.index(row.id)
            return {"sibling": row.name, "nth": nth} if nth else {"sibling": row.name}
        above: RunRow | None = row
        while above is not None and above.parent is not None:
            if above.parent == self._context.run_id:
                return None
            above = self._history.run(above.parent)
        # Below a sibling: no later run has it, and so nothing there reads the same again.
        return {"sibling": row.id} if row.root == parent_id else row.id

    def _own_of(self, run: str, what: str) -> set[str]:
        """Returns: names that this attempt gave its parent itself."""
        return set(self._own[what]) if run == self._context.parent_id else set()

    def _catch_up(self, run: str) -> None:
        """Learns what the attempt wrote since, and waits until what it wrote to this run can be read."""
        events, self._known = read_events(self._context.events, self._known)
        for event in events:
            if event["do"] in ("read", "settle"):
                continue
            self._written[event["run"]] = self._known
            if event["run"] == self._context.parent_id:
                self._learn(event)
        self._settle(self._written.get(run, 0))

    def _learn(self, event: Mapping[str, Any]) -> None:
        if event["do"] == "metric":
            self._own["metrics"].add(event["row"]["fields"]["name"])
        elif event["do"] in ("tags", "properties"):
            self._own[event["do"]].update(event[event["do"]])
        elif event["do"] == "untag":
            self._own["tags"].update(event["names"])
        elif event["do"] == "upload":
            self._own["files"].update(event["files"])

    # --- what is registered

    def experiments(self) -> list[str]:
        """Returns: names of the experiments, the oldest first."""
        found = self._plain.experiments()
        self._note("experiments", found)
        return found

    def dataset(self, name: str, version: int | None = None) -> DatasetRow | None:
        """Returns: a registered dataset; the latest version where none is given."""
        found = self._plain.dataset(name, version)
        self._note("dataset", reads.of_dataset(found), name=name, version=version)
        return found

    def datasets(self) -> list[DatasetRow]:
        """Returns: the latest version of each registered dataset, by name."""
        found = self._plain.datasets()
        self._note("datasets", [reads.of_dataset(row) for row in found])
        return found

    def model(self, name: str, version: int | None = None) -> ModelRow | None:
        """Returns: a registered model; the latest version where none is given."""
        found = self._plain.model(name, version)
        self._note("model", reads.of_model(found), name=name, version=version)
        return found

    def models(self, name: str | None = None, run: str | None = None) -> list[ModelRow]:
        """Returns: registered models, all versions, the newest first."""
        found = self._plain.models(name, run)
        if run is None or self._which(run) is not None:
            self._note("models", [reads.of_model(row) for row in found], name=name, **({"run_id": run} if run else {}))
        return found

    def environment(self, name: str, version: str | None = None) -> EnvironmentRow | None:
        """Returns: a registered environment; the latest version where none is given."""
        found = self._plain.environment(name, version)
        self._note("environment", reads.of_environment(found), name=name, version=version)
        return found

    def environments(self) -> list[EnvironmentRow]:
        """Returns: the latest version of each registered environment, by name."""
        found = self._plain.environments()
        self._note("environments", [reads.of_environment(row) for row in found])
        return found

    def compute(self, name: str) -> ComputeRow | None:
        """Returns: a compute target that the settings name, or that was made."""
        found = self._plain.compute(name)
        self._note("compute", reads.of_compute(found), name=name)
        return found

    def computes(self) -> list[ComputeRow]:
        """Returns: the compute targets that the settings name, and those that were made."""
        found = self._plain.computes()
        self._note("computes", [reads.of_compute(row) for row in found])
        return found

    def datastore(self, name: str) -> DatastoreRow | None:
        """Returns: a datastore; `config["path"]` is its folder."""
        found = self._plain.datastore(name)
        self._note("datastore", reads.of_datastore(found, self.place.home), name=name)
        return found

    def datastores(self) -> list[DatastoreRow]:
        """Returns: registered datastores and those that the settings name; one of them is the default."""
        found = self._plain.datastores()
        self._note("datastores", [reads.of_datastore(row, self.place.home) for row in found])
        return found

    def note_datastore_files(self, name: str, prefix: str = "") -> None:
        """Records what files lie on a datastore, and their content, for a step that copies them from there.

        Args:
            name: The datastore's name.
            prefix: Only files whose path on it begins so.
        """
        row = self._plain.datastore(name)
        if row is not None:
            value = reads.of_datastore_files(row, self.place.home, prefix)
            self._note("datastore_files", value, name=name, prefix=prefix)
