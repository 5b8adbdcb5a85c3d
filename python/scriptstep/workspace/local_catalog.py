"""What a workspace knows, outside a step: the history is written at once, files go into the content store."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scriptstep.data.paths import relative_path
from scriptstep.data.transfer import copy_whole
from scriptstep.errors import ArgumentError, ModelPathNotFoundException, NotRegisteredError
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
from scriptstep.history.file_system import is_remote
from scriptstep.workspace.catalog_reads import DEFAULT_STORE, HistoryReads
from scriptstep.workspace.place import may_write, prepare_home
from scriptstep.workspace.settings import Place, Settings, load_settings

if TYPE_CHECKING:
    from scriptstep.content import ContentStore

__all__ = ["LocalCatalog", "close_histories", "open_history"]

_histories: dict[Path, History] = {}
_guard = threading.Lock()


def open_history(place: Place) -> History:
    """Opens the history of a place, making both where they are not there; one that cannot be written, for reading.

    Args:
        place: The place.

    Returns:
        The history: one object a process. A damaged one that had to be set aside is told of.

    Raises:
        WorkspaceException: It cannot be opened or made.
    """
    from scriptstep.console import notice

    path = place.home / "history.db"
    read_only = path.is_file() and not may_write(place.home)
    if not read_only:
        prepare_home(place)
    with _guard:
        history = _histories.get(place.home)
        if history is None:
            history = _histories[place.home] = History(path, read_only=read_only)
        elif not path.exists():
            history.close()
    if (damaged := history.damaged) is not None:
        notice(
            f"the history database could not be read; it was set aside as {damaged}, and a new one begun",
            help="nothing recorded in it is reused; its runs and registrations are not shown any more",
            level="warning",
        )
    if is_remote(place.home):
        notice(
            f"the state folder {place.home} lies on a network file system: the history is slower there",
            help="set SCRIPTSTEP_HOME to a folder on a local disk",
            level="warning",
        )
    return history


def close_histories() -> None:
    """Closes the histories of this process; they are opened again when they are needed."""
    with _guard:
        for history in _histories.values():
            history.close()
        _histories.clear()


class LocalCatalog(HistoryReads):
    """A `Catalog` that writes the history.

    Args:
        place: Where the state lies; made where it is not there.
        workspace: Name of the workspace.

    Attributes:
        history: The history.
    """

    def __init__(self, place: Place, workspace: str) -> None:
        self.history = open_history(place)
        super().__init__(place, workspace, self.history)
        self._saved: Settings | None = None
        self.refresh()

    @property
    def store(self) -> ContentStore:
        """Returns: the content store."""
        return self._content_store()

    def settings(self) -> Settings:
        """Returns: the settings of the project, as the file says now."""
        return load_settings(self.place)

    def refresh(self) -> None:
        """Keeps the settings, as the file says now, for the steps, and registers the datasets that they name."""
        settings = self.settings()
        if settings is self._saved:
            return
        file = str(self.place.settings_file) if self.place.settings_file else ""
        document = settings.to_json()
        saved = self.history.settings(self.name, file or None)
        is_same = (saved or Settings().to_json()) == document and (
            saved is None or self.history.settings_path(self.name) == file
        )
        if is_same or self.history.read_only:
            self._saved = settings
            return
        with self.history.transaction():
            self.history.save_settings(self.name, file, document)
            for name, table in settings.datasets.items():
                before = self.history.settings_dataset(self.name, name)
                if before is None or before.definition != table.definition or before.kind != table.kind:
                    self.history.add_dataset(
                        self.name,
                        name=name,
                        kind=table.kind,
                        definition=table.definition,
                        description=table.description,
                        tags=table.tags,
                        origin="settings",
                    )
        self._saved = settings

    def add_workspace(self, row: WorkspaceRow) -> WorkspaceRow:
        """Makes the workspace, or changes it.

        Args:
            row: The workspace.

        Returns:
            The workspace as it stands now.
        """
        with self.history.transaction():
            if self.history.workspace(row.name) is None:
                for name, kind in ((DEFAULT_STORE, "AzureBlob"), ("workspacefilestore", "AzureFile")):
                    self.history.add_datastore(row.name, DatastoreRow(name, kind))
            return self.history.add_workspace(row)

    def add_experiment(self, name: str) -> None:
        """Adds an experiment; one that is there stays."""
        self.history.add_experiment(self.name, name)

    # runs

    def add_run(self, row: RunRow) -> RunRow:
        """Records a run; its number, root and time are filled in."""
        return self.history.add_run(row)

    def update_run(self, id: str, **columns: Any) -> None:
        """Changes fields of a run."""
        self.history.update_run(id, **columns)

    def request_cancel(self, run: str) -> None:
        """Asks for a run to be cancelled."""
        self.history.request_cancel(run)

    def set_tags(self, run: str, tags: Mapping[str, object]) -> None:
        """Sets tags of a run, as text."""
        self.history.set_tags(run, tags)

    def remove_tags(self, run: str, names: Iterable[str]) -> None:
        """Removes tags of a run."""
        self.history.remove_tags(run, names)

    def set_properties(self, run: str, properties: Mapping[str, object]) -> None:
        """Sets properties of a run, as text."""
        self.history.set_properties(run, properties)

    def log_metrics(self, metrics: Sequence[MetricRow]) -> None:
        """Records metrics."""
        self.history.add_metrics(metrics)

    def upload(self, run: str, name: str, path: Path) -> None:
        """Adds a file, or all files of a folder, to a run's files.

        Args:
            run: Id of the run.
            name: What to list it under; for a folder, what stands before the names of its files.
            path: The file or folder.

        Raises:
            NotRegisteredError: There is no such run.
            ArgumentError: The name leads out, or nothing lies at the path.
        """
        row = self.history.run(run)
        if row is None:
            raise NotRegisteredError(f"there is no run '{run}'")
        relative = relative_path(name, "the name of a run's file")
        root = self.place.home / (row.directory or f"runs/{run}") / "uploads"
        if not row.directory:
            self.history.update_run(run, directory=f"runs/{run}")
        if path.is_dir():
            for file in sorted(f for f in path.rglob("*") if f.is_file()):
                copy_whole(file, root / relative / file.relative_to(path))
        elif path.is_file():
            if not relative:
                raise ArgumentError("the name of a run's file must not be empty")
            copy_whole(path, root / relative)
        else:
            raise ArgumentError(f"nothing lies at {path}")

    # datasets

    def save_definition(self, id: str, kind: str, definition: Mapping[str, Any]) -> None:
        """Keeps a definition, to be found by id."""
        self.history.save_definition(self.name, id, kind, definition)

    def add_dataset(self, row: DatasetRow) -> DatasetRow:
        """Registers a dataset; the definition of the latest version makes no new one."""
        return self.history.add_dataset(self.name, row)

    def update_dataset(self, name: str, version: int, **columns: Any) -> None:
        """Changes description or tags of a registered dataset."""
        self.history.update_dataset(self.name, name, version, **columns)

    def remove_dataset(self, name: str) -> None:
        """Unregisters all versions of a dataset."""
        self.history.remove_dataset(self.name, name)

    # models

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

        Args:
            name: What to register it as.
            path: The file or folder.
            base_name: The name that it has, and keeps.
            tags: Names and values.
            properties: Names and values.
            description: In the user's words.
            run: Id of the run that it comes from.
            framework: Of the model.
            framework_version: Of that.
            details: Datasets and whatever else is given with it.

        Returns:
            The model as registered.

        Raises:
            ModelPathNotFoundException: Nothing lies at the path.
        """
        if not path.exists():
            raise ModelPathNotFoundException(f"model '{name}': nothing lies at {path}")
        digest = self.store.add(path).digest
        return self.history.add_model(
            self.name,
            name=name,
            digest=digest,
            base_name=base_name,
            tags=tags,
            properties=properties,
            description=description,
            run=run,
            framework=framework,
            framework_version=framework_version,
            details=details,
        )

    def update_model(self, id: str, **columns: Any) -> None:
        """Changes tags, properties, description, framework or details of a model."""
        self.history.update_model(self.name, id, **columns)

    def delete_model(self, id: str) -> None:
        """Unregisters one version of a model."""
        self.history.delete_model(self.name, id)

    # environments, compute targets, datastores

    def add_environment(self, name: str, definition: Mapping[str, Any], version: str | None = None) -> EnvironmentRow:
        """Registers an environment; the definition of the latest version makes no new one."""
        return self.history.add_environment(self.name, name, definition, version)

    def add_compute(self, row: ComputeRow) -> None:
        """Keeps a compute target."""
        self.history.add_compute(self.name, row)

    def remove_compute(self, name: str) -> None:
        """Forgets a compute target."""
        self.history.remove_compute(self.name, name)

    def add_datastore(self, row: DatastoreRow) -> None:
        """Keeps a datastore."""
        self.history.add_datastore(self.name, row)

    def remove_datastore(self, name: str) -> None:
        """Forgets a datastore; its files stay."""
        self.history.remove_datastore(self.name, name)

    def set_default_datastore(self, name: str) -> None:
        """Makes a datastore the default."""
        with self.history.transaction():
            if self.history.datastore(self.name, name) is None and (row := self.datastore(name)) is not None:
                self.history.add_datastore(self.name, DatastoreRow(name, row.kind))
            self.history.set_default_datastore(self.name, name)
