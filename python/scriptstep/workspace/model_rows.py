"""What a registered model shows of its record."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from scriptstep.errors import ArgumentError
from scriptstep.history import texts as as_texts
from scriptstep.workspace.names import is_text
from scriptstep.workspace.resources import ResourceConfiguration

if TYPE_CHECKING:
    from scriptstep.history import ModelRow
    from scriptstep.workspace.workspace import Workspace

__all__ = ["ModelDetails", "check_name", "details_of", "matches", "texts"]

_SAMPLES = ("sample_input_dataset", "sample_output_dataset")


class ModelDetails:
    """The attributes of a registered model.

    Attributes:
        workspace: Its workspace.
        name: Its name.
        version: Its version.
        id: "name:version".
        tags: Names and values.
        properties: Names and values that stay as they are.
        description: In the user's words.
        run_id: The run that registered it.
        created_time: When it was registered.
        model_framework: Its framework.
        model_framework_version: The framework's version.
    """

    def _take(self, workspace: Workspace, row: ModelRow) -> None:
        self.workspace, self._row = workspace, row
        self.name, self.version, self.id = row.name, row.version, row.id
        self.tags, self.properties = dict(row.tags), dict(row.properties)
        self.description, self.run_id = row.description, row.run
        self.created_time = datetime.fromisoformat(row.created)
        self.model_framework, self.model_framework_version = row.framework, row.framework_version
        self.url = f"aml://asset/{row.digest}"
        self.mime_type, self.unpack, self.state = "application/x-python", False, None
        self.parent_id = self.image_id = self.created_by = None
        self.resource_configuration = ResourceConfiguration.deserialize(row.details.get("resource_configuration"))

    @property
    def datasets(self) -> dict[str, list[Any]]:
        """Returns: the datasets that it was made from, by what for."""
        found: dict[str, list[Any]] = {}
        for purpose, id in self._row.details.get("datasets", []):
            found.setdefault(purpose, []).append(self._dataset(id))
        return found

    @property
    def sample_input_dataset(self) -> Any:
        """Returns: what it reads, by example; None where none was given."""
        return self._dataset(self._row.details.get(_SAMPLES[0]))

    @property
    def sample_output_dataset(self) -> Any:
        """Returns: what it gives, by example; None where none was given."""
        return self._dataset(self._row.details.get(_SAMPLES[1]))

    @property
    def run(self) -> Any:
        """Returns: the run that registered it; None where none did."""
        return self.workspace.get_run(self.run_id) if self.run_id else None

    @property
    def experiment_name(self) -> str | None:
        """Returns: the experiment of the run that registered it."""
        row = self.workspace._catalog.run(self.run_id) if self.run_id else None
        return row.experiment if row else None

    def _dataset(self, id: str | None) -> Any:
        if id is None:
            return None
        from scriptstep.data.dataset_factory import Dataset

        return Dataset.get_by_id(self.workspace, id)

    def serialize(self) -> dict[str, Any]:
        """Returns: the model as plain data."""
        return {
            "createdTime": self._row.created,
            "description": self.description,
            "experimentName": self.experiment_name,
            "framework": self.model_framework,
            "frameworkVersion": self.model_framework_version,
            "id": self.id,
            "name": self.name,
            "properties": self.properties,
            "runId": self.run_id or "",
            "tags": self.tags,
            "version": self.version,
        }

    @staticmethod
    def deserialize(workspace: Workspace, model_payload: Mapping[str, Any]) -> Any:
        """Returns: the model that `serialize` wrote."""
        from scriptstep.workspace.model import Model

        return Model(workspace, id=str(model_payload["id"]))


def check_name(name: object) -> None:
    """Checks a model's name.

    Args:
        name: The name.

    Raises:
        ArgumentError: It holds other than letters, digits, `-`, `_` and `.`, or is too long.
    """
    if not is_text(name) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}", name):
        raise ArgumentError(
            f"a model's name begins with a letter or a digit and holds only those, '-', '_' and '.': {name!r}"
        )


def texts(values: Mapping[str, Any] | None) -> dict[str, str]:
    """Returns: names and values as text; None as the empty text.

    Raises:
        ArgumentError: They are no mapping.
    """
    if values is not None and not isinstance(values, Mapping):
        raise ArgumentError(f"tags and properties are a dict, not {values!r}")
    return as_texts(values)


def matches(has: Mapping[str, str], wanted: Sequence[Any] | Mapping[str, Any] | None) -> bool:
    """Tells whether something has all tags, or properties, that are wanted.

    Args:
        has: What it has.
        wanted: Names, or [name, value] of each, or a mapping.

    Returns:
        True where nothing is missing.
    """
    if not wanted:
        return True
    rows = [wanted] if isinstance(wanted, str) else list(wanted.items() if isinstance(wanted, Mapping) else wanted)
    for row in rows:
        if isinstance(row, str):
            if row not in has:
                return False
        elif has.get(str(row[0])) != str(row[1]):
            return False
    return True


def details_of(
    datasets: Iterable[tuple[str, Any]] | None,
    sample_input: Any,
    sample_output: Any,
    resources: ResourceConfiguration | None,
) -> dict[str, Any]:
    """Returns: what is kept with a model besides: ids of datasets, and what it needs to be served."""
    details: dict[str, Any] = {}
    if datasets is not None:
        details["datasets"] = [[str(purpose), str(dataset.id)] for purpose, dataset in datasets]
    for name, dataset in zip(_SAMPLES, (sample_input, sample_output), strict=True):
        if dataset is not None:
            details[name] = str(dataset.id)
    if resources is not None:
        details["resource_configuration"] = resources.serialize()
    return details
