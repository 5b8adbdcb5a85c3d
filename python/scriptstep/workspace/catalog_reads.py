"""Reading what a workspace knows, from the history and the settings: the same outside and inside a step."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scriptstep.errors import TreeMissing
from scriptstep.history import (
    ComputeRow,
    DatasetRow,
    DatastoreRow,
    EnvironmentRow,
    History,
    MetricRow,
    ModelRow,
    RunRow,
    WorkspaceRow,
)
from scriptstep.records import replace
from scriptstep.workspace.names import plain
from scriptstep.workspace.settings import SETTINGS_STORE, Place, Settings

if TYPE_CHECKING:
    from scriptstep.content import ContentStore

__all__ = ["DEFAULT_STORE", "HistoryReads"]

DEFAULT_STORE = "workspaceblobstore"


class HistoryReads:
    """The reading half of a `Catalog`.

    Args:
        place: Where the state lies.
        workspace: Name of the workspace.
        history: The history, open for reading at least.

    Attributes:
        place: Where the state lies.
    """

    def __init__(self, place: Place, workspace: str, history: History) -> None:
        self.place = place
        self._name = workspace
        self._history = history
        self._store: ContentStore | None = None
        self._settings: Settings | None = None
        self._first: str | None = None

    @property
    def name(self) -> str:
        """Returns: name of the workspace."""
        return self._name

    # the workspace itself

    def workspace(self) -> WorkspaceRow | None:
        """Returns: the workspace; None where it was never made."""
        return self._history.workspace(self._name)

    def settings(self) -> Settings:
        """Returns: the settings that were saved for this place, else the defaults."""
        if self._settings is None:
            file = str(self.place.settings_file) if self.place.settings_file else None
            saved = self._history.settings(self._name, file)
            self._settings = Settings.from_json(saved) if saved else Settings()
        return self._settings

    def experiments(self) -> list[str]:
        """Returns: names of the experiments, the oldest first."""
        return self._history.experiments(self._name)

    # content

    def _content_store(self) -> ContentStore:
        if self._store is None:
            from scriptstep.content import ContentStore

            self._store = ContentStore(self.place.home / "trees")
        return self._store

    def content(self, digest: str) -> Path:
        """Returns: where a stored tree lies."""
        return self._content_store().content_path(digest)

    def restore(self, digest: str, target: Path) -> None:
        """Copies a stored tree to a path that is not there yet."""
        target.parent.mkdir(parents=True, exist_ok=True)
        self._content_store().restore(digest, target)

    # runs

    def run(self, id: str) -> RunRow | None:
        """Returns: the run of that id."""
        return self._history.run(id)

    def find_run(self, prefix: str) -> list[RunRow]:
        """Returns: the runs whose id begins so, the newest first."""
        return self._history.find_run(prefix)

    def runs(
        self, experiment: str | None = None, parent: str | None = None, kind: str | None = None, root: str | None = None
    ) -> list[RunRow]:
        """Returns: the workspace's runs, the newest first."""
        return self._history.runs(self._name, experiment, parent, kind, root)

    def tags(self, run: str) -> dict[str, str]:
        """Returns: a run's tags."""
        return self._history.tags(run)

    def properties(self, run: str) -> dict[str, str]:
        """Returns: a run's properties."""
        return self._history.properties(run)

    def metrics(self, run: str) -> list[MetricRow]:
        """Returns: what a run logged."""
        return self._history.metrics(run)

    def files(self, run: str) -> dict[str, Path]:
        """Returns: a run's files, by name; a reused run's come from the run that it shows."""
        rows: list[RunRow] = []
        id: str | None = run
        while id is not None and (row := self._history.run(id)) is not None and row not in rows:
            rows.append(row)
            id = row.reused_from
        found: dict[str, Path] = {}
        for row in reversed(rows):
            if row.artifacts is not None:
                # Where it was collected, what the run printed is all that is left.
                with suppress(TreeMissing):
                    found.update(_files_below(self.content(row.artifacts)))
            if row.directory:
                folder = self.place.home / row.directory
                found.update(_files_below(folder / "artifacts"))
                found.update(_files_below(folder / "uploads"))
                logs = folder / "logs"
                for log in (*logs.glob("*.txt"), *logs.glob("attempt_*/*.txt")):
                    found.setdefault(f"user_logs/{log.relative_to(logs).as_posix()}", log)
        return dict(sorted(found.items()))

    # registered things

    def dataset(self, name: str, version: int | None = None) -> DatasetRow | None:
        """Returns: a registered dataset; the latest version where none is given."""
        return self._history.dataset(self._name, name, version)

    def dataset_by_id(self, id: str) -> DatasetRow | None:
        """Returns: the dataset of a definition."""
        return self._history.dataset_by_id(self._name, id)

    def datasets(self) -> list[DatasetRow]:
        """Returns: the latest version of each registered dataset, by name."""
        return self._history.datasets(self._name)

    def model(self, name: str, version: int | None = None) -> ModelRow | None:
        """Returns: a registered model; the latest version where none is given."""
        return self._history.model(self._name, name, version)

    def models(self, name: str | None = None, run: str | None = None) -> list[ModelRow]:
        """Returns: registered models, all versions, the newest first."""
        return self._history.models(self._name, name, run)

    def environment(self, name: str, version: str | None = None) -> EnvironmentRow | None:
        """Returns: a registered environment; the latest version where none is given."""
        return self._history.environment(self._name, name, version)

    def environments(self) -> list[EnvironmentRow]:
        """Returns: the latest version of each registered environment, by name."""
        return self._history.environments(self._name)

    def compute(self, name: str) -> ComputeRow | None:
        """Returns: a compute target that the settings name, or that was made."""
        table = (self.settings().compute or {}).get(name)
        if table is not None:
            return ComputeRow(name, table.type, {"max_nodes": table.max_nodes} if table.max_nodes else {})
        return self._history.compute(self._name, name)

    def computes(self) -> list[ComputeRow]:
        """Returns: the compute targets that the settings name, and those that were made."""
        named = [self.compute(name) for name in self.settings().compute or {}]
        rows = [row for row in named if row is not None]
        return rows + [row for row in self._history.computes(self._name) if row.name not in {r.name for r in rows}]

    def datastore(self, name: str) -> DatastoreRow | None:
        """Returns: a datastore; `config["path"]` is its folder, and it has `config["options"]` if that is far away."""
        if name == SETTINGS_STORE and (folder := self._settings_folder()) is not None:
            return DatastoreRow(name, "AzureBlob", {"path": folder})
        return next((row for row in self.datastores() if row.name == name), None)

    def datastores(self) -> list[DatastoreRow]:
        """Returns: registered datastores and those that the settings name; one of them is the default."""
        mapped = self.settings().datastores
        rows = {row.name: row for row in self._history.datastores(self._name)}
        for name in (DEFAULT_STORE, *mapped):
            rows.setdefault(name, DatastoreRow(name, "AzureBlob"))
        chosen = next((n for n, row in rows.items() if row.is_default), None)
        chosen = chosen or next((n for n, table in mapped.items() if table.default), DEFAULT_STORE)
        return [
            replace(row, is_default=name == chosen, config={**row.config, **self._folder(name)})
            for name, row in rows.items()
        ]

    def _folder(self, name: str) -> dict[str, Any]:
        table = self.settings().datastores.get(name)
        if table is not None and table.path is not None:
            return {"path": table.path, "url": table.url}
        far = {} if table is None else {"url": table.url, "options": table.options}
        # The first workspace has the plain names; those of others, side by side in one state folder, are their own.
        if self._first is None:
            self._first = next((row.name for row in self._history.workspaces()), None)
        own = name if self._first in (None, self._name) else f"{name}.{plain(self._name)}"
        return {"path": str(self.place.home / "datastores" / own), **far}

    def _settings_folder(self) -> str | None:
        """Returns: the folder of the settings file; inside a step, of the one that the run was submitted under."""
        if self.place.settings_file is not None:
            return str(self.place.settings_file.parent)
        file = self._history.settings_path(self._name)
        return os.path.dirname(file) if file else None


def _files_below(root: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder, _, names in os.walk(root):
        for name in names:
            file = Path(folder) / name
            if file.is_file():
                found[file.relative_to(root).as_posix()] = file
    return found
