"""What is registered in a workspace: datasets, models, environments, compute targets, datastores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scriptstep.errors import ArgumentError, NotRegisteredError
from scriptstep.history.database import Database
from scriptstep.history.rows import (
    ComputeRow,
    DatasetRow,
    DatastoreRow,
    EnvironmentRow,
    ModelRow,
    definition_id,
    now,
    texts,
)
from scriptstep.history.schema import COMPUTES, DATASTORES, ENVIRONMENTS, MODELS, dump, load
from scriptstep.records import replace

__all__ = ["RegisteredRecords"]

_DATASETS = (
    "SELECT d.id, d.name, d.version, f.kind, f.definition, d.description, d.tags, d.created "
    "FROM datasets d JOIN definitions f ON f.workspace = d.workspace AND f.id = d.id WHERE d.workspace = ?"
)


class RegisteredRecords(Database):
    """What is registered, by workspace."""

    # datasets

    def save_definition(self, workspace: str, id: str, kind: str, definition: Mapping[str, Any]) -> None:
        """Keeps a dataset's definition, so that a step finds it by id; the same again changes nothing."""
        if self._read_one("SELECT 1 FROM definitions WHERE workspace = ? AND id = ?", (workspace, id)) is None:
            self._write(
                "INSERT OR IGNORE INTO definitions VALUES (?, ?, ?, ?, ?)",
                (workspace, id, kind, dump(dict(definition)), now()),
            )

    def add_dataset(
        self,
        workspace: str,
        row: DatasetRow | None = None,
        *,
        name: str = "",
        kind: str = "file",
        definition: Mapping[str, Any] | None = None,
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
        id: str = "",
        origin: str | None = None,
    ) -> DatasetRow:
        """Registers a dataset; the definition of the latest version makes no new one.

        Args:
            workspace: Name of the workspace.
            row: What to register, in place of the arguments below; its version and time are not looked at.
            name: What to register it as.
            kind: "file" or "tabular".
            definition: Which files it stands for, and how they are read.
            description: In the user's words.
            tags: Names and values.
            id: Of the definition; `definition_id` where it is empty.
            origin: "settings" for what a settings file names.

        Returns:
            The dataset as registered: the latest version where its definition is this one.
        """
        if row is None:
            definition = dict(definition or {})
            row = DatasetRow(
                id or definition_id(definition), name, None, kind, definition, description, dict(tags or {})
            )
        with self.transaction():
            latest = self.dataset(workspace, str(row.name))
            if latest is not None and latest.definition == row.definition and latest.kind == row.kind:
                return latest
            self.save_definition(workspace, row.id, row.kind, row.definition)
            row = replace(row, version=(latest.version or 0) + 1 if latest else 1, created=now())
            self._write(
                "INSERT INTO datasets (workspace, name, version, id, description, tags, created, origin) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (workspace, row.name, row.version, row.id, row.description, dump(row.tags), row.created, origin),
            )
        return row

    def dataset(self, workspace: str, name: str, version: int | None = None) -> DatasetRow | None:
        """Returns: a registered dataset; the latest version where none is given."""
        found = self._read_one(
            f"{_DATASETS} AND d.name = ? AND ? IN (d.version, -1) ORDER BY d.version DESC LIMIT 1",
            (workspace, name, -1 if version is None else version),
        )
        return _dataset(found) if found else None

    def dataset_by_id(self, workspace: str, id: str) -> DatasetRow | None:
        """Returns: the dataset of a definition, with the name and version it was last registered under, if it was."""
        if found := self._read_one(f"{_DATASETS} AND d.id = ? ORDER BY d.seq DESC LIMIT 1", (workspace, id)):
            return _dataset(found)
        found = self._read_one(
            "SELECT id, NULL, NULL, kind, definition, NULL, '{}', created FROM definitions "
            "WHERE workspace = ? AND id = ?",
            (workspace, id),
        )
        return _dataset(found) if found else None

    def datasets(self, workspace: str) -> list[DatasetRow]:
        """Returns: the latest version of each registered dataset, by name."""
        latest = (
            "AND d.version = (SELECT MAX(version) FROM datasets l WHERE l.workspace = d.workspace AND l.name = d.name) "
            "ORDER BY d.name"
        )
        return [_dataset(r) for r in self._read(f"{_DATASETS} {latest}", (workspace,))]

    def settings_dataset(self, workspace: str, name: str) -> DatasetRow | None:
        """Returns: the version of a dataset that a settings file gave last."""
        found = self._read_one(
            f"{_DATASETS} AND d.name = ? AND d.origin = 'settings' ORDER BY d.version DESC LIMIT 1", (workspace, name)
        )
        return _dataset(found) if found else None

    def update_dataset(self, workspace: str, name: str, version: int, **columns: Any) -> None:
        """Changes the description or the tags of a registered dataset.

        Raises:
            TypeError: Something else was to be changed.
        """
        if unknown := sorted(set(columns) - {"description", "tags"}):
            raise TypeError(f"a registered dataset keeps its {', '.join(unknown)}")
        for column, value in columns.items():
            self._write(
                f"UPDATE datasets SET {column} = ? WHERE workspace = ? AND name = ? AND version = ?",
                (dump(value) if column == "tags" else value, workspace, name, version),
            )

    def remove_dataset(self, workspace: str, name: str) -> None:
        """Unregisters all versions of a dataset; its definitions stay, for runs that used them."""
        self._write("DELETE FROM datasets WHERE workspace = ? AND name = ?", (workspace, name))

    # models

    def add_model(
        self,
        workspace: str,
        *,
        name: str,
        digest: str,
        base_name: str,
        tags: Mapping[str, str] | None = None,
        properties: Mapping[str, str] | None = None,
        description: str | None = None,
        run: str | None = None,
        framework: str | None = None,
        framework_version: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> ModelRow:
        """Registers a stored tree as the next version of a model.

        Args:
            workspace: Name of the workspace.
            name: What to register it as.
            digest: Of the tree.
            base_name: Name of the file or folder that it was.
            tags: Names and values.
            properties: Names and values.
            description: In the user's words.
            run: Id of the run that registers it.
            framework: Of the model.
            framework_version: Of that.
            details: Datasets and whatever else was given with it.

        Returns:
            The model as registered.
        """
        with self.transaction():
            (last,) = self._read_one(
                "SELECT MAX(version) FROM models WHERE workspace = ? AND name = ?", (workspace, name)
            )
            version = (last or 0) + 1
            row = ModelRow(
                f"{name}:{version}",
                name,
                version,
                digest,
                base_name,
                texts(tags),
                texts(properties),
                description,
                run,
                framework,
                framework_version,
                now(),
                dict(details or {}),
            )
            self._write(MODELS.insert("models", extra="workspace"), [workspace, *MODELS.values(row)])
        return row

    def model(self, workspace: str, name: str, version: int | None = None) -> ModelRow | None:
        """Returns: a registered model; the latest version where none is given."""
        found = self._read_one(
            f"SELECT {MODELS.list} FROM models WHERE workspace = ? AND name = ? AND ? IN (version, -1) AND NOT deleted "
            "ORDER BY version DESC LIMIT 1",
            (workspace, name, -1 if version is None else version),
        )
        return MODELS.read(found) if found else None

    def models(self, workspace: str, name: str | None = None, run: str | None = None) -> list[ModelRow]:
        """Returns: registered models, all versions, the newest first; those of a name or of a run, where given."""
        where = "".join(f" AND {column} = ?" for column, value in (("name", name), ("run", run)) if value is not None)
        found = self._read(
            f"SELECT {MODELS.list} FROM models WHERE workspace = ? AND NOT deleted{where} ORDER BY seq DESC",
            [workspace, *(v for v in (name, run) if v is not None)],
        )
        return [MODELS.read(r) for r in found]

    def update_model(self, workspace: str, id: str, **columns: Any) -> None:
        """Changes a registered model.

        Raises:
            TypeError: Something was to be changed that is fixed: name, version, content, run, time.
            NotRegisteredError: There is no such model.
        """
        fixed = {"id", "name", "version", "digest", "base_name", "run", "created"}
        if unknown := sorted(set(columns) - (set(MODELS.names) - fixed)):
            raise TypeError(f"a registered model keeps its {', '.join(unknown)}")
        values = [
            MODELS.write(name, texts(value) if name in ("tags", "properties") else value)
            for name, value in columns.items()
        ]
        marks = ", ".join(f"{name} = ?" for name in columns)
        if (
            columns
            and not self._write(
                f"UPDATE models SET {marks} WHERE workspace = ? AND id = ? AND NOT deleted", [*values, workspace, id]
            ).rowcount
        ):
            raise NotRegisteredError(f"no model '{id}' is registered")

    def delete_model(self, workspace: str, id: str) -> None:
        """Unregisters one version of a model; its number does not come back."""
        self._write("UPDATE models SET deleted = 1 WHERE workspace = ? AND id = ?", (workspace, id))

    # environments

    def add_environment(
        self, workspace: str, name: str, definition: Mapping[str, Any], version: str | None = None
    ) -> EnvironmentRow:
        """Registers an environment; the definition of the latest version makes no new one.

        Args:
            workspace: Name of the workspace.
            name: What to register it as.
            definition: What it declares.
            version: As what version; the next number where none is given.

        Returns:
            The environment as registered.
        """
        with self.transaction():
            latest = self.environment(workspace, name, version)
            if latest is not None and latest.definition == definition:
                return latest
            if latest is not None and version is not None:
                raise ArgumentError(
                    f"environment '{name}' is registered as version {version} already, and declares something else",
                    help="leave the version out, and the next number is taken",
                )
            taken = self._read("SELECT version FROM environments WHERE workspace = ? AND name = ?", (workspace, name))
            following = max((int(v) for (v,) in taken if v.isdigit()), default=0) + 1
            row = EnvironmentRow(name, version or str(following), dict(definition), now())
            self._write(ENVIRONMENTS.insert("environments", extra="workspace"), [workspace, *ENVIRONMENTS.values(row)])
        return row

    def environment(self, workspace: str, name: str, version: str | None = None) -> EnvironmentRow | None:
        """Returns: a registered environment; the latest version where none is given."""
        found = self._read_one(
            f"SELECT {ENVIRONMENTS.list} FROM environments WHERE workspace = ? AND name = ? AND ? IN (version, '') "
            "ORDER BY seq DESC LIMIT 1",
            (workspace, name, "" if version is None else str(version)),
        )
        return ENVIRONMENTS.read(found) if found else None

    def environments(self, workspace: str) -> list[EnvironmentRow]:
        """Returns: the latest version of each registered environment, by name."""
        found = self._read(
            f"SELECT {ENVIRONMENTS.list} FROM environments WHERE seq IN "
            "(SELECT MAX(seq) FROM environments WHERE workspace = ? GROUP BY name) ORDER BY name",
            (workspace,),
        )
        return [ENVIRONMENTS.read(r) for r in found]

    # compute targets

    def add_compute(self, workspace: str, row: ComputeRow) -> None:
        """Keeps a compute target, in place of the one of that name."""
        self._write(
            COMPUTES.insert("computes", extra="workspace", verb="INSERT OR REPLACE"), [workspace, *COMPUTES.values(row)]
        )

    def compute(self, workspace: str, name: str) -> ComputeRow | None:
        """Returns: the compute target of that name."""
        found = self._read_one(
            f"SELECT {COMPUTES.list} FROM computes WHERE workspace = ? AND name = ?", (workspace, name)
        )
        return COMPUTES.read(found) if found else None

    def computes(self, workspace: str) -> list[ComputeRow]:
        """Returns: the compute targets, in the order in which they were made."""
        found = self._read(f"SELECT {COMPUTES.list} FROM computes WHERE workspace = ? ORDER BY rowid", (workspace,))
        return [COMPUTES.read(r) for r in found]

    def remove_compute(self, workspace: str, name: str) -> None:
        """Forgets a compute target."""
        self._write("DELETE FROM computes WHERE workspace = ? AND name = ?", (workspace, name))

    # datastores

    def add_datastore(self, workspace: str, row: DatastoreRow) -> None:
        """Keeps a datastore, in place of the one of that name."""
        with self.transaction():
            self._write(
                DATASTORES.insert("datastores", extra="workspace", verb="INSERT OR REPLACE"),
                [workspace, *DATASTORES.values(row)],
            )
            if row.is_default:
                self.set_default_datastore(workspace, row.name)

    def datastore(self, workspace: str, name: str) -> DatastoreRow | None:
        """Returns: the datastore of that name."""
        found = self._read_one(
            f"SELECT {DATASTORES.list} FROM datastores WHERE workspace = ? AND name = ?", (workspace, name)
        )
        return DATASTORES.read(found) if found else None

    def datastores(self, workspace: str) -> list[DatastoreRow]:
        """Returns: the datastores, in the order in which they were registered."""
        found = self._read(f"SELECT {DATASTORES.list} FROM datastores WHERE workspace = ? ORDER BY rowid", (workspace,))
        return [DATASTORES.read(r) for r in found]

    def set_default_datastore(self, workspace: str, name: str) -> None:
        """Makes one datastore the default; none, where no datastore has that name."""
        self._write("UPDATE datastores SET is_default = (name = ?) WHERE workspace = ?", (name, workspace))

    def remove_datastore(self, workspace: str, name: str) -> None:
        """Forgets a datastore; its files stay."""
        self._write("DELETE FROM datastores WHERE workspace = ? AND name = ?", (workspace, name))


def _dataset(values: tuple[Any, ...]) -> DatasetRow:
    id, name, version, kind, definition, description, tags, created = values
    return DatasetRow(id, name, version, kind, load(definition), description, load(tags), created)
