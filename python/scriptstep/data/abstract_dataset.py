"""What datasets of files and tables have in common: a definition, and what it is registered as."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scriptstep.data.definition import Definition, dataset_id, transformed
from scriptstep.data.expressions import Column, Condition, condition_document
from scriptstep.data.materialize import found_files
from scriptstep.data.partition_format import partition_keys, partition_values
from scriptstep.errors import ArgumentError, ArgumentTypeError, NotRegisteredError, UserErrorException
from scriptstep.graph import JSON, DatasetSource

if TYPE_CHECKING:
    from typing_extensions import Self

    from scriptstep.data.consumption import DatasetConsumptionConfig
    from scriptstep.data.places import Place

__all__ = ["AbstractDataset", "dataset_from_row", "dataset_of"]


class AbstractDataset:
    """A dataset: a definition of files, and how they are read. Made by `Dataset.File` and `Dataset.Tabular`.

    Raises:
        ArgumentError: It is made in another way.
    """

    _kind = ""

    def __init__(self) -> None:
        raise ArgumentError(
            f"{type(self).__name__}() is not how datasets are made",
            help="use Dataset.File.from_files, Dataset.Tabular.from_delimited_files or Dataset.get_by_name",
        )

    @classmethod
    def _make(
        cls,
        definition: Definition,
        stores: Mapping[str, Any] | None = None,
        workspace: Any = None,
        row: Any = None,
    ) -> Self:
        """Makes a dataset of a definition.

        Args:
            definition: The definition.
            stores: Datastores by name that are known as objects.
            workspace: Where others are looked up.
            row: What it is registered as.
        """
        made = cls.__new__(cls)
        made._definition = definition
        made._stores = dict(stores or {})
        made._workspace = workspace
        made._row = row
        made._id = None
        return made

    _definition: Definition
    _stores: dict[str, Any]
    _workspace: Any
    _row: Any
    _id: str | None

    # --- what it is

    @property
    def id(self) -> str:
        """Returns: the id of the definition; the same for the same definition everywhere."""
        if self._id is None:
            self._id = dataset_id(self._definition)
        return self._id

    @property
    def name(self) -> str | None:
        """Returns: what it is registered as, or None."""
        return None if self._row is None else self._row.name

    @property
    def version(self) -> int | None:
        """Returns: its version under that name, or None."""
        return None if self._row is None else self._row.version

    @property
    def description(self) -> str | None:
        """Returns: the description that it was registered with, or None."""
        return None if self._row is None else self._row.description

    @property
    def tags(self) -> dict[str, str]:
        """Returns: the tags that it was registered with."""
        return {} if self._row is None else dict(self._row.tags)

    @property
    def partition_keys(self) -> list[str]:
        """Returns: the columns that the paths of its files hold."""
        spelled = self._definition["options"].get("partition_format")
        return partition_keys(spelled) if spelled else []

    @property
    def data_changed_time(self) -> datetime | None:
        """Returns: when the newest of its files was changed last; None where there is none."""
        files = found_files(self._definition, self._resolve)
        times = [files.facts(file).changed_ns for _, file in files]
        return datetime.fromtimestamp(max(times) / 1e9, timezone.utc) if times else None

    def get_partition_key_values(self, partition_keys: list[str] | None = None) -> list[dict[str, Any]]:
        """Tells the values that the paths of its files hold.

        Args:
            partition_keys: Of which columns; None for all of `partition_keys`.

        Returns:
            Each combination once, in the order of the files.

        Raises:
            ArgumentError: It has no such columns.
        """
        known = self.partition_keys
        wanted = known if partition_keys is None else list(partition_keys)
        if not wanted or (unknown := [key for key in wanted if key not in known]):
            told = f"no column {unknown[0]!r} in the paths of the files" if wanted else "no partition_format"
            raise ArgumentError(f"get_partition_key_values: the dataset has {told}")
        spelled = self._definition["options"]["partition_format"]
        values = (partition_values(spelled, file) for _, file in found_files(self._definition, self._resolve))
        combinations = dict.fromkeys(tuple(value[key] for key in wanted) for value in values)
        return [dict(zip(wanted, one, strict=True)) for one in combinations]

    def __getitem__(self, column: str) -> Column:
        """Names a column, for a condition: `dataset.filter(dataset["age"] > 30)`."""
        if not isinstance(column, str):
            raise ArgumentTypeError(f"a dataset's column is named by text, not {column!r}")
        return Column(column)

    # Else a loop over a dataset would ask for columns 0, 1, 2 ... without end.
    __iter__ = None

    def filter(self, expression: Condition) -> Self:
        """Returns: the files or rows of it that a condition holds for.

        Args:
            expression: The condition: `dataset["age"] > 30`, for files `dataset.file_metadata("Size") < 1024`; several
                are joined by `&`, `|` and `~`, each in parentheses.
        """
        return self._changed("filter", condition=condition_document(expression))

    def _spec_value(self) -> DatasetSource:
        kind: Any = self._kind
        return DatasetSource(self._definition, kind, self.id, self.name, self.version)

    def _resolve(self, source: Mapping[str, JSON]) -> Place:
        """Returns: where one of its sources lies."""
        from scriptstep.workspace.urls import place_of_source

        return place_of_source(source, self._store, self._tree, self._known_workspace)

    def _tree(self, digest: str) -> Path:
        return Path(self._known_workspace()._catalog.content(digest))

    def _store(self, name: str) -> Any:
        if name in self._stores:
            return self._stores[name]
        from scriptstep.workspace.datastore import Datastore

        return Datastore.get(self._known_workspace(), name)

    def _known_workspace(self) -> Any:
        if self._workspace is None:
            for store in self._stores.values():
                if getattr(store, "workspace", None) is not None:
                    return store.workspace
            from scriptstep.workspace.workspace import Workspace

            self._workspace = Workspace.from_config()
        return self._workspace

    # --- what is made of it

    def _changed(self, operation: str, **details: JSON) -> Self:
        """Returns: this dataset with one more thing done to it; it is registered as nothing."""
        changed = transformed(self._definition, operation, **details)
        return type(self)._make(changed, self._stores, self._workspace)

    def take(self, count: int) -> Self:
        """Returns: its first files or rows.

        Args:
            count: How many.
        """
        return self._changed("take", count=_count(count, "take"))

    def skip(self, count: int) -> Self:
        """Returns: all but its first files or rows.

        Args:
            count: How many.
        """
        return self._changed("skip", count=_count(count, "skip"))

    def take_sample(self, probability: float, seed: int | None = None) -> Self:
        """Returns: files or rows drawn from it.

        Args:
            probability: Of each to be drawn, above 0 and below 1.
            seed: The same seed draws the same ones; None is a seed too.
        """
        return self._changed("sample", probability=_share(probability, "take_sample"), seed=seed)

    def random_split(self, percentage: float, seed: int | None = None) -> tuple[Self, Self]:
        """Splits it in two.

        Args:
            percentage: About what share of it the first one gets, above 0 and below 1.
            seed: The same seed splits it the same way; None is a seed too.

        Returns:
            The two; together they are all of it.
        """
        share = _share(percentage, "random_split")
        one, other = (self._changed("split", percentage=share, seed=seed, part=part) for part in (0, 1))
        return one, other

    def as_named_input(self, name: str) -> DatasetConsumptionConfig:
        """Makes it an input of a step.

        Args:
            name: Of the input: `run.input_datasets[name]`, and a variable of the script's environment.

        Returns:
            The input.

        Raises:
            ArgumentError: The name cannot be.
        """
        from scriptstep.data.consumption import DatasetConsumptionConfig

        return DatasetConsumptionConfig(name, self)

    # --- what it is registered as

    def register(
        self,
        workspace: Any,
        name: str,
        description: str | None = None,
        tags: Mapping[str, Any] | None = None,
        create_new_version: bool = False,
    ) -> Self:
        """Registers it.

        Args:
            workspace: Where.
            name: As what.
            description: In your words.
            tags: Names and values.
            create_new_version: Whether another definition under that name makes a new version; the same one never does.

        Returns:
            The dataset as registered.

        Raises:
            ArgumentError: The name is taken by another definition.
        """
        if not name or not str(name).strip():
            raise ArgumentTypeError(f"register: name must be text that is not empty, not {name!r}")
        from scriptstep.history.rows import DatasetRow

        catalog = workspace._catalog
        latest = catalog.dataset(name)
        if latest is not None and latest.id != self.id and not create_new_version:
            raise ArgumentError(
                f"a dataset '{name}' with another definition is registered, as version {latest.version}",
                help="register(..., create_new_version=True) makes a new version",
            )
        kept = {str(key): str(value) for key, value in (tags or {}).items()}
        row = catalog.add_dataset(
            DatasetRow(self.id, name, None, self._kind, dict(self._definition), description, kept)
        )
        return type(self)._make(row.definition, self._stores, workspace, row)

    @staticmethod
    def get_by_name(workspace: Any, name: str, version: int | str = "latest", **kwargs: Any) -> Any:
        """Finds a registered dataset.

        Args:
            workspace: Where.
            name: What it is registered as.
            version: A version, or "latest".
            **kwargs: As in the SDK, not used.

        Returns:
            A `FileDataset` or a `TabularDataset`.

        Raises:
            NotRegisteredError: There is none; the message says how to register it.
        """
        try:
            wanted = None if version in ("latest", None) else int(version)
        except (TypeError, ValueError):
            raise ArgumentTypeError(
                f"dataset '{name}': version must be a number or 'latest', not {version!r}"
            ) from None
        row = workspace._catalog.dataset(name, wanted)
        if row is None:
            if wanted is not None and (latest := workspace._catalog.dataset(name)) is not None:
                raise NotRegisteredError(f"dataset '{name}' has no version {wanted}; the latest is {latest.version}")
            raise NotRegisteredError(
                f"no dataset '{name}' is registered in workspace '{workspace.name}'",
                help=f"scriptstep data add {name} PATH   (with --tabular for a table)",
            )
        return dataset_from_row(workspace, row)

    @staticmethod
    def get_by_id(workspace: Any, id: str, **kwargs: Any) -> Any:
        """Finds a dataset by the id of its definition.

        Args:
            workspace: Where.
            id: The id.
            **kwargs: As in the SDK, not used.

        Returns:
            A `FileDataset` or a `TabularDataset`.

        Raises:
            NotRegisteredError: There is none.
        """
        row = workspace._catalog.dataset_by_id(id)
        if row is None:
            raise NotRegisteredError(f"workspace '{workspace.name}' knows no dataset with the id '{id}'")
        return dataset_from_row(workspace, row)

    @staticmethod
    def get_all(workspace: Any) -> dict[str, Any]:
        """Returns: the latest version of each registered dataset, by name.

        Args:
            workspace: Where.
        """
        return {row.name: dataset_from_row(workspace, row) for row in workspace._catalog.datasets()}

    def update(self, description: str | None = None, tags: Mapping[str, Any] | None = None) -> Self:
        """Changes what it was registered with.

        Args:
            description: A new one; None leaves it.
            tags: New ones in place of the old; None leaves them.

        Returns:
            This dataset.

        Raises:
            UserErrorException: It is not registered.
        """
        columns: dict[str, Any] = {} if description is None else {"description": description}
        if tags is not None:
            columns["tags"] = {str(key): str(value) for key, value in tags.items()}
        catalog = self._registered("update")
        catalog.update_dataset(self._row.name, self._row.version, **columns)
        self._row = catalog.dataset(self._row.name, self._row.version)
        return self

    def add_tags(self, tags: Mapping[str, Any] | None = None) -> Self:
        """Adds tags.

        Args:
            tags: Names and values.

        Returns:
            This dataset.
        """
        return self.update(tags={**self.tags, **(tags or {})})

    def remove_tags(self, tags: list[str] | None = None) -> Self:
        """Removes tags.

        Args:
            tags: Their names.

        Returns:
            This dataset.
        """
        return self.update(tags={key: value for key, value in self.tags.items() if key not in (tags or [])})

    def unregister_all_versions(self) -> None:
        """Unregisters it; the files stay.

        Raises:
            UserErrorException: It is not registered.
        """
        self._registered("unregister_all_versions").remove_dataset(self._row.name)
        self._row = None

    def _registered(self, what: str) -> Any:
        if self.name is None:
            raise UserErrorException(
                f"{what}: the dataset is not registered", help="register it: dataset.register(...)"
            )
        return self._workspace._catalog

    def __repr__(self) -> str:
        known = f" '{self.name}' version {self.version}" if self.name else ""
        places = [str(s.get("path") or s.get("url") or "a stored tree") for s in self._definition["sources"]]
        return f"{type(self).__name__}{known}: {', '.join(places[:3])}{' ...' if len(places) > 3 else ''}"

    __str__ = __repr__


def dataset_of(kind: str, definition: Definition, workspace: Any = None, row: Any = None) -> Any:
    """Makes the dataset of a definition.

    Args:
        kind: "file" or "tabular".
        definition: The definition.
        workspace: Where its datastores are looked up.
        row: What it is registered as.

    Returns:
        A `FileDataset` or a `TabularDataset`.
    """
    from scriptstep.data.datasets import FileDataset, TabularDataset

    made: type[AbstractDataset] = TabularDataset if kind == "tabular" else FileDataset
    return made._make(definition, None, workspace, row)


def dataset_from_row(workspace: Any, row: Any) -> Any:
    """Makes the dataset of a row of the catalog.

    Args:
        workspace: The workspace.
        row: A `DatasetRow`.

    Returns:
        A `FileDataset` or a `TabularDataset`.
    """
    return dataset_of(row.kind, row.definition, workspace, row)


def _count(count: Any, what: str) -> int:
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise ArgumentTypeError(f"{what}: count must be a whole number that is not negative, not {count!r}")
    return count


def _share(share: Any, what: str) -> float:
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 < share < 1:
        raise ArgumentError(f"{what}: the share must be above 0 and below 1, not {share!r}")
    return float(share)
