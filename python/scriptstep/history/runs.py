"""Runs in the history: what ran, with its tags, properties and metrics."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scriptstep.errors import NotRegisteredError
from scriptstep.history.database import Database
from scriptstep.history.rows import MetricRow, RunRow, WorkspaceRow, now
from scriptstep.history.schema import METRICS, RUNS, WORKSPACES, dump, load
from scriptstep.records import replace

__all__ = ["RunRecords"]


class RunRecords(Database):
    """Workspaces, experiments, runs, and what runs logged."""

    # workspaces and experiments

    def workspace(self, name: str) -> WorkspaceRow | None:
        """Returns: the workspace of that name."""
        found = self._read_one(f"SELECT {WORKSPACES.list} FROM workspaces WHERE name = ?", (name,))
        return WORKSPACES.read(found) if found else None

    def workspaces(self) -> list[WorkspaceRow]:
        """Returns: all workspaces, the oldest first."""
        return [
            WORKSPACES.read(r) for r in self._read(f"SELECT {WORKSPACES.list} FROM workspaces ORDER BY created, name")
        ]

    def add_workspace(self, row: WorkspaceRow) -> WorkspaceRow:
        """Adds a workspace, or changes the one of that name.

        Args:
            row: The workspace; `created` is filled in where it is empty.

        Returns:
            The workspace as it stands now.
        """
        row = replace(row, created=row.created or now())
        self._write(WORKSPACES.insert("workspaces", verb="INSERT OR REPLACE"), WORKSPACES.values(row))
        return row

    def settings(self, workspace: str, file: str | None = None) -> dict[str, Any] | None:
        """Reads settings back.

        Args:
            workspace: Name of the workspace.
            file: The settings file they were read from; None for those saved last.

        Returns:
            What `save_settings` was given, or None.
        """
        found = self._read_one(
            "SELECT document FROM settings WHERE workspace = ? AND ? IN (file, '') ORDER BY saved DESC",
            (workspace, file or ""),
        )
        return dict(load(found[0])) if found else None

    def save_settings(self, workspace: str, file: str, document: Mapping[str, Any]) -> None:
        """Keeps what a settings file says, for the steps of the runs that were submitted under it."""
        self._write("INSERT OR REPLACE INTO settings VALUES (?, ?, ?, ?)", (workspace, file, dump(document), now()))

    def settings_path(self, workspace: str) -> str | None:
        """Returns: the settings file that was saved last; "" where there was none, None where nothing was saved."""
        found = self._read_one("SELECT file FROM settings WHERE workspace = ? ORDER BY saved DESC", (workspace,))
        return str(found[0]) if found else None

    def experiments(self, workspace: str) -> list[str]:
        """Returns: names of a workspace's experiments, the oldest first."""
        rows = self._read("SELECT name FROM experiments WHERE workspace = ? ORDER BY rowid", (workspace,))
        return [name for (name,) in rows]

    def add_experiment(self, workspace: str, name: str) -> None:
        """Adds an experiment; one that is there stays as it is."""
        if self._read_one("SELECT 1 FROM experiments WHERE workspace = ? AND name = ?", (workspace, name)) is None:
            self._write("INSERT OR IGNORE INTO experiments VALUES (?, ?, ?)", (workspace, name, now()))

    # runs

    def add_run(self, row: RunRow) -> RunRow:
        """Records a run.

        Args:
            row: The run; its number where that is 0, its root and its time of creation are filled in.

        Returns:
            The run as recorded.
        """
        with self.transaction():
            root = row.root
            if root is None:
                above = self._read_one("SELECT root FROM runs WHERE id = ?", (row.parent,)) if row.parent else None
                root = above[0] if above else row.parent or row.id
            number = row.number or self.next_number(row.workspace, row.experiment)
            row = replace(row, number=number, root=root, created=row.created or now())
            self._write(RUNS.insert("runs"), RUNS.values(row))
        return row

    def add_runs(self, rows: Iterable[RunRow]) -> None:
        """Records many runs at once, all of them or none; nothing of them is filled in."""
        self._write_all(RUNS.insert("runs"), map(RUNS.values, rows))

    def next_number(self, workspace: str, experiment: str) -> int:
        """Returns: the number that the next run of an experiment has."""
        (last,) = self._read_one(
            "SELECT MAX(number) FROM runs WHERE workspace = ? AND experiment = ?", (workspace, experiment)
        )
        return (last or 0) + 1

    def update_run(self, id: str, **columns: Any) -> None:
        """Changes a run.

        Args:
            id: Of the run.
            **columns: Fields of `RunRow`.

        Raises:
            NotRegisteredError: There is no such run.
            TypeError: `RunRow` has no such field.
        """
        if unknown := sorted(set(columns) - set(RUNS.names)):
            raise TypeError(f"a run has no {', '.join(unknown)}")
        if not columns:
            return
        marks = ", ".join(f"{name} = ?" for name in columns)
        values = [RUNS.write(name, value) for name, value in columns.items()]
        if not self._write(f"UPDATE runs SET {marks} WHERE id = ?", (*values, id)).rowcount:
            raise NotRegisteredError(f"there is no run '{id}'")

    def update_runs(self, changes: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Changes many runs at once, all of them or none.

        Args:
            changes: The id of each, and fields of `RunRow`, of all the same.
        """
        rows = [(id, columns) for id, columns in changes]
        if not rows:
            return
        names = list(rows[0][1])
        marks = ", ".join(f"{name} = ?" for name in names)
        self._write_all(
            f"UPDATE runs SET {marks} WHERE id = ?",
            ([*(RUNS.write(name, columns[name]) for name in names), id] for id, columns in rows),
        )

    def run(self, id: str) -> RunRow | None:
        """Returns: the run of that id."""
        found = self._read_one(f"SELECT {RUNS.list} FROM runs WHERE id = ?", (id,))
        return RUNS.read(found) if found else None

    def find_run(self, prefix: str) -> list[RunRow]:
        """Returns: the runs whose id begins so, the newest first."""
        found = self._read(
            f"SELECT {RUNS.list} FROM runs WHERE id >= ? AND id < ? ORDER BY seq DESC", (prefix, prefix + "\U0010ffff")
        )
        return [RUNS.read(r) for r in found]

    def runs(
        self,
        workspace: str | None = None,
        experiment: str | None = None,
        parent: str | None = None,
        kind: str | None = None,
        root: str | None = None,
    ) -> list[RunRow]:
        """Lists runs.

        Args:
            workspace: Only those of this workspace.
            experiment: Only those of this experiment.
            parent: Only those that are part of this run.
            kind: Only those of this kind.
            root: Only those that are, at whatever depth, part of this run, and the run itself.

        Returns:
            The runs, the newest first.
        """
        wanted = {"workspace": workspace, "experiment": experiment, "parent": parent, "kind": kind, "root": root}
        given = {name: value for name, value in wanted.items() if value is not None}
        where = " AND ".join(f"{name} = ?" for name in given) or "1"
        found = self._read(f"SELECT {RUNS.list} FROM runs WHERE {where} ORDER BY seq DESC", tuple(given.values()))
        return [RUNS.read(r) for r in found]

    def never_ended(self) -> list[RunRow]:
        """Returns: the runs that a process carries out, or carried out when it was killed."""
        found = self._read(f"SELECT {RUNS.list} FROM runs WHERE ended IS NULL AND owner IS NOT NULL ORDER BY seq")
        return [RUNS.read(r) for r in found]

    def request_cancel(self, run: str) -> None:
        """Asks whoever coordinates a run to cancel it."""
        self.update_run(run, cancel_requested=True)

    def cancel_requested(self, run: str) -> bool:
        """Returns: whether somebody asked for a run to be cancelled."""
        found = self._read_one("SELECT cancel_requested FROM runs WHERE id = ?", (run,))
        return bool(found and found[0])

    # tags, properties and metrics

    def tags(self, run: str) -> dict[str, str]:
        """Returns: a run's tags."""
        return dict(self._read("SELECT name, value FROM tags WHERE run = ?", (run,)))

    def set_tags(self, run: str, tags: Mapping[str, object]) -> None:
        """Sets tags of a run; values are kept as text, None as the empty text."""
        self._set_texts("tags", run, tags)

    def remove_tags(self, run: str, names: Iterable[str]) -> None:
        """Removes tags of a run; one that is not there is no error."""
        with self.transaction():
            for name in names:
                self._write("DELETE FROM tags WHERE run = ? AND name = ?", (run, name))

    def properties(self, run: str) -> dict[str, str]:
        """Returns: a run's properties: what its row tells, under the SDK's names, and what was set."""
        kept = dict(self._read("SELECT name, value FROM properties WHERE run = ?", (run,)))
        told = self._read_one(
            "SELECT r.kind, r.node_id, r.parent, r.reused_from, o.node_id, o.parent "
            "FROM runs r LEFT JOIN runs o ON o.id = r.reused_from WHERE r.id = ?",
            (run,),
        )
        if not told or told[0] != "step":
            return kept
        # Of which commit its source is, where it is that of all steps of the run.
        of_git = self._read(
            "SELECT name, value FROM properties WHERE run = ? AND (name GLOB 'azureml.git.*' OR name GLOB 'mlflow.*')",
            (told[2],),
        )
        return {**_told(*told[1:]), **dict(of_git), **kept}

    def set_properties(self, run: str, properties: Mapping[str, object]) -> None:
        """Sets properties of a run; values are kept as text."""
        self._set_texts("properties", run, properties)

    def _set_texts(self, table: str, run: str, texts: Mapping[str, object]) -> None:
        self._write_all(
            f"INSERT INTO {table} VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            ((run, str(name), "" if value is None else str(value)) for name, value in texts.items()),
        )

    def add_metrics(self, metrics: Sequence[MetricRow]) -> None:
        """Records metrics, in order; their times are filled in where they are empty."""
        rows = (row if row.time else replace(row, time=now()) for row in metrics)
        self._write_all(METRICS.insert("metrics"), map(METRICS.values, rows))

    def forget_metrics(self, run: str) -> None:
        """Takes away what a run logged, before it is tried again."""
        self._write("DELETE FROM metrics WHERE run = ?", (run,))

    def metrics(self, run: str) -> list[MetricRow]:
        """Returns: what a run logged, in order; for one that shows another's, first the other's."""
        chain = [run]
        while found := self._read_one("SELECT reused_from FROM runs WHERE id = ?", (chain[-1],)):
            if found[0] is None or found[0] in chain:
                break
            chain.append(found[0])
        rows: list[MetricRow] = []
        for id in reversed(chain):
            found = self._read(f"SELECT {METRICS.list} FROM metrics WHERE run = ? ORDER BY seq", (id,))
            rows += [METRICS.read(r) for r in found]
        return rows

    # events of steps

    def acknowledge(self, event: str, result: Mapping[str, Any]) -> None:
        """Keeps what came of an event of a step, for the step to read."""
        values = (event, dump(dict(result)), now())
        self._write("INSERT OR REPLACE INTO acknowledgements VALUES (?, ?, ?)", values)

    def acknowledged(self, event: str) -> dict[str, Any] | None:
        """Returns: what came of an event, or None while it was not taken in."""
        found = self._read_one("SELECT result FROM acknowledgements WHERE event = ?", (event,))
        return dict(load(found[0])) if found else None

    def wait_acknowledged(self, event: str, timeout_s: float = 30.0) -> dict[str, Any] | None:
        """Waits for an event to be taken in.

        Args:
            event: Its id.
            timeout_s: How long to wait, seconds.

        Returns:
            What came of it, or None where that time passed.
        """
        end, pause = time.monotonic() + timeout_s, 0.002
        while (found := self.acknowledged(event)) is None and time.monotonic() < end:
            time.sleep(pause)
            pause = min(pause * 1.5, 0.05)
        return found


def _told(
    node_id: str | None,
    parent: str | None,
    reused_from: str | None,
    reused_node: str | None,
    reused_parent: str | None,
) -> dict[str, str]:
    """Returns: the properties of a step run that need not be kept, for they are told by its row."""
    told = {
        "azureml.runsource": "azureml.StepRun",
        "azureml.nodeid": node_id or "",
        "azureml.pipelinerunid": parent or "",
        "azureml.rootpipelinerunid": parent or "",
    }
    if reused_from is not None:
        told |= {"azureml.isreused": "true", "azureml.reusedrunid": reused_from}
        told |= {
            "azureml.reusednodeid": reused_node or "",
            "azureml.reusedpipeline": reused_parent or "",
            "azureml.reusedpipelinerunid": reused_parent or "",
        }
    return told
