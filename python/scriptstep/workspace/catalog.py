"""What a workspace knows, behind one protocol: the history outside a step, the history and events inside one."""

from __future__ import annotations

import atexit
import importlib
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from scriptstep.history import (
    ComputeRow,
    DatasetRow,
    DatastoreRow,
    EnvironmentRow,
    MetricRow,
    ModelRow,
    RunRow,
    WorkspaceRow,
)
from scriptstep.workspace.settings import Place, Settings

__all__ = ["Catalog", "close_catalogs", "open_catalog", "set_catalog_provider"]


class Catalog(Protocol):
    """What is registered in one workspace, and its runs.

    Reads answer None, or nothing, for what is not there. Outside a step the implementation has the attributes
    `history` and `store` besides; inside one nothing writes the database.
    """

    @property
    def name(self) -> str:
        """Name of the workspace."""

    # the workspace itself
    def workspace(self) -> WorkspaceRow | None:
        """The workspace; None where it was never made."""

    def settings(self) -> Settings:
        """The settings of the project; inside a step those that its run was submitted under."""

    def experiments(self) -> list[str]:
        """Names of the experiments, the oldest first."""

    def add_experiment(self, name: str) -> None:
        """Adds an experiment; one that is there stays."""

    # content
    def content(self, digest: str) -> Path:
        """Where a stored tree lies; it must not be written to, and its name is not the one it had."""

    def restore(self, digest: str, target: Path) -> None:
        """Copies a stored tree to a path that is not there yet: a file or a folder, as it was stored."""

    # runs
    def run(self, id: str) -> RunRow | None:
        """The run of that id."""

    def find_run(self, prefix: str) -> list[RunRow]:
        """The runs whose id begins so, the newest first."""

    def runs(
        self, experiment: str | None = None, parent: str | None = None, kind: str | None = None, root: str | None = None
    ) -> list[RunRow]:
        """The workspace's runs, the newest first."""

    def add_run(self, row: RunRow) -> RunRow:
        """Records a run; its number, root and time are filled in."""

    def update_run(self, id: str, **columns: Any) -> None:
        """Changes fields of a run."""

    def request_cancel(self, run: str) -> None:
        """Asks for a run to be cancelled."""

    def tags(self, run: str) -> dict[str, str]:
        """A run's tags."""

    def set_tags(self, run: str, tags: Mapping[str, object]) -> None:
        """Sets tags of a run, as text."""

    def remove_tags(self, run: str, names: Iterable[str]) -> None:
        """Removes tags of a run."""

    def properties(self, run: str) -> dict[str, str]:
        """A run's properties."""

    def set_properties(self, run: str, properties: Mapping[str, object]) -> None:
        """Sets properties of a run, as text."""

    def metrics(self, run: str) -> list[MetricRow]:
        """What a run logged, in order; a reused run shows what its origin logged."""

    def log_metrics(self, metrics: Sequence[MetricRow]) -> None:
        """Records metrics."""

    def files(self, run: str) -> dict[str, Path]:
        """A run's files, by the name that the SDK lists them under; a reused run shows its origin's."""

    def upload(self, run: str, name: str, path: Path) -> None:
        """Adds a file, or all files of a folder, to a run's files."""

    # datasets
    def save_definition(self, id: str, kind: str, definition: Mapping[str, Any]) -> None:
        """Keeps a definition, to be found by id."""

    def add_dataset(self, row: DatasetRow) -> DatasetRow:
        """Registers a dataset; the definition of the latest version makes no new one."""

    def dataset(self, name: str, version: int | None = None) -> DatasetRow | None:
        """A registered dataset; the latest version where none is given."""

    def dataset_by_id(self, id: str) -> DatasetRow | None:
        """The dataset of a definition."""

    def datasets(self) -> list[DatasetRow]:
        """The latest version of each registered dataset, by name."""

    def update_dataset(self, name: str, version: int, **columns: Any) -> None:
        """Changes description or tags of a registered dataset."""

    def remove_dataset(self, name: str) -> None:
        """Unregisters all versions of a dataset."""

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
        """Stores a copy of a file or folder and registers it as the next version of a model."""

    def model(self, name: str, version: int | None = None) -> ModelRow | None:
        """A registered model; the latest version where none is given."""

    def models(self, name: str | None = None, run: str | None = None) -> list[ModelRow]:
        """Registered models, all versions, the newest first."""

    def update_model(self, id: str, **columns: Any) -> None:
        """Changes tags, properties, description, framework or details of a model."""

    def delete_model(self, id: str) -> None:
        """Unregisters one version of a model."""

    # environments
    def add_environment(self, name: str, definition: Mapping[str, Any], version: str | None = None) -> EnvironmentRow:
        """Registers an environment; the definition of the latest version makes no new one."""

    def environment(self, name: str, version: str | None = None) -> EnvironmentRow | None:
        """A registered environment; the latest version where none is given."""

    def environments(self) -> list[EnvironmentRow]:
        """The latest version of each registered environment, by name."""

    # compute targets
    def add_compute(self, row: ComputeRow) -> None:
        """Keeps a compute target."""

    def compute(self, name: str) -> ComputeRow | None:
        """A compute target that was made, or that the settings name."""

    def computes(self) -> list[ComputeRow]:
        """The compute targets that the settings name, and those that were made."""

    def remove_compute(self, name: str) -> None:
        """Forgets a compute target."""

    # datastores
    def add_datastore(self, row: DatastoreRow) -> None:
        """Keeps a datastore."""

    def datastore(self, name: str) -> DatastoreRow | None:
        """A datastore; `config["path"]` is its folder."""

    def datastores(self) -> list[DatastoreRow]:
        """The datastores, registered ones and those that the settings name; one of them is the default."""

    def remove_datastore(self, name: str) -> None:
        """Forgets a datastore; its files stay."""

    def set_default_datastore(self, name: str) -> None:
        """Makes a datastore the default."""


# Set by the engine in a step's environment: `module:function`, which gives the catalog there.
STEP_CATALOG = "SCRIPTSTEP_CATALOG"
_provider: Callable[[Place, str], Catalog] | None = None
_open: dict[tuple[Path, str], Any] = {}
_guard = threading.Lock()


def set_catalog_provider(provider: Callable[[Place, str], Catalog] | None) -> None:
    """Says where catalogs come from.

    Args:
        provider: Gives the catalog of a place and a workspace; None for the history.
    """
    global _provider
    _provider = provider


def open_catalog(place: Place, workspace: str) -> Catalog:
    """Opens what a workspace knows.

    It comes from what `set_catalog_provider` was given, else from the function that the environment variable
    SCRIPTSTEP_CATALOG names as `module:function` (inside a step), else from the history.

    Args:
        place: Where its state lies; made where it is not there.
        workspace: Its name.

    Returns:
        The catalog: one object a process for each workspace.

    Raises:
        WorkspaceException: The state folder cannot be made or written.
        SettingsError: The settings say something that cannot be.
    """
    if _provider is not None:
        return _provider(place, workspace)
    if hook := os.environ.get(STEP_CATALOG):
        module, _, name = hook.partition(":")
        return cast("Catalog", getattr(importlib.import_module(module), name)(place, workspace))
    from scriptstep.workspace.local_catalog import LocalCatalog

    with _guard:
        key = (place.home, workspace)
        found = _open.get(key)
        if found is None or found.place != place or not found.history.path.exists():
            found = _open[key] = LocalCatalog(place, workspace)
        else:
            found.refresh()
    return found


@atexit.register
def close_catalogs() -> None:
    """Closes what is open; it is opened again when it is needed. What the provider gives is not closed."""
    from scriptstep.workspace import local_catalog

    with _guard:
        _open.clear()
        local_catalog.close_histories()
