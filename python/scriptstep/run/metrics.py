"""What a run logs, tags and notes of itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from scriptstep.errors import ArgumentError
from scriptstep.history import MetricRow
from scriptstep.run import files
from scriptstep.run.values import merged, plain, plain_row, plain_table, published

if TYPE_CHECKING:
    from scriptstep.workspace.catalog import Catalog

__all__ = ["Logs"]


class Logs:
    """The half of `Run` that logs metrics, tags and properties, and reads them back."""

    _catalog: Catalog

    @property
    def id(self) -> str:
        """Returns: id of the run."""
        raise NotImplementedError

    # --- metrics

    def log(self, name: str, value: Any, description: str = "", step: int | None = None) -> None:
        """Logs a value; logged several times under one name they are a list.

        Args:
            name: Of the metric.
            value: A number or text; numpy scalars and arrays of one element too. It never fails for its type.
            description: Not kept.
            step: Where the script counts.
        """
        self._log(name, "scalar", plain(value), step)

    def log_list(self, name: str, value: Sequence[Any], description: str = "") -> None:
        """Logs a list of values.

        Args:
            name: Of the metric.
            value: The values.
            description: Not kept.
        """
        found = plain(value)
        self._log(name, "list", found if isinstance(found, list) else [found])

    def log_row(self, name: str, description: str | None = None, **kwargs: Any) -> None:
        """Logs a row; rows of one name are read back as columns.

        Args:
            name: Of the metric.
            description: Not kept.
            **kwargs: Columns of the row.
        """
        self._log(name, "row", plain_row(kwargs))

    def log_table(self, name: str, value: Mapping[str, Any], description: str = "") -> None:
        """Logs a table.

        Args:
            name: Of the metric.
            value: Name and values of each column.
            description: Not kept.

        Raises:
            ArgumentError: It is no table.
        """
        self._log(name, "table", plain_table(name, value))

    def log_image(self, name: str, path: Any = None, plot: Any = None, description: str = "") -> None:
        """Logs an image: it becomes one of the run's files, whose name is the metric's value.

        Args:
            name: Of the metric.
            path: An image file.
            plot: A matplotlib figure or pyplot, in place of a file.
            description: Not kept.

        Raises:
            ArgumentError: Neither or both were given, or it is no image.
        """
        with files.image(name, path, plot) as (listed, file):
            self._catalog.upload(self.id, listed, file)
        self._log(name, "image", listed)

    def log_residuals(self, name: str, value: Any, description: str = "") -> None:
        """Logs residuals, as a dict or its JSON text.

        Raises:
            ArgumentError: It is neither.
        """
        self._log(name, "residuals", published(name, "log_residuals", value))

    def log_predictions(self, name: str, value: Any, description: str = "") -> None:
        """Logs predictions, as a dict or its JSON text.

        Raises:
            ArgumentError: It is neither.
        """
        self._log(name, "predictions", published(name, "log_predictions", value))

    def log_accuracy_table(self, name: str, value: Any, description: str = "") -> None:
        """Logs an accuracy table, as a dict or its JSON text.

        Raises:
            ArgumentError: It is neither.
        """
        self._log(name, "accuracy_table", published(name, "log_accuracy_table", value))

    def log_confusion_matrix(self, name: str, value: Any, description: str = "") -> None:
        """Logs a confusion matrix, as a dict or its JSON text.

        Raises:
            ArgumentError: It is neither.
        """
        self._log(name, "confusion_matrix", published(name, "log_confusion_matrix", value))

    def _log(self, name: str, kind: str, value: Any, step: int | None = None) -> None:
        self._catalog.log_metrics([MetricRow(self.id, str(name), kind, value, None if step is None else int(step))])

    def get_metrics(
        self, name: str | None = None, recursive: bool = False, run_type: Any = None, populate: bool = False
    ) -> dict[str, Any]:
        """Reads back what was logged.

        Args:
            name: Only the metric of this name.
            recursive: Of the runs below, too: then by id of the run.
            run_type: Not used here.
            populate: Not used here; images are read with `download_file`.

        Returns:
            Name to value; a list where a name was logged more than once, columns for rows and tables.
        """
        if recursive:
            own = {self.id: self._metrics_of(self.id, name)}
            return own | {r.id: self._metrics_of(r.id, name) for r in reversed(self._below())}
        return self._metrics_of(self.id, name)

    def _metrics_of(self, run: str, name: str | None) -> dict[str, Any]:
        return merged(m for m in self._catalog.metrics(run) if name is None or m.name == name)

    def _below(self) -> list[Any]:
        found, waiting = [], [self.id]
        while waiting:
            rows = self._catalog.runs(parent=waiting.pop())
            found += rows
            waiting += [r.id for r in rows]
        return found

    # --- tags and properties

    @property
    def tags(self) -> dict[str, str]:
        """Returns: the run's tags."""
        return self.get_tags()

    def get_tags(self) -> dict[str, str]:
        """Returns: the run's tags, as they stand now."""
        return self._catalog.tags(self.id)

    def tag(self, key: str, value: Any = None) -> None:
        """Sets a tag.

        Args:
            key: Its name.
            value: Kept as text.
        """
        self._catalog.set_tags(self.id, {str(key): value})

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Sets tags.

        Args:
            tags: Names and values, kept as text.

        Raises:
            ArgumentError: It is no mapping.
        """
        if not isinstance(tags, Mapping):
            raise ArgumentError(f"set_tags: tags are a dict, not {type(tags).__name__}")
        self._catalog.set_tags(self.id, {str(k): v for k, v in tags.items()})

    def remove_tags(self, tags: str | Iterable[str]) -> None:
        """Removes tags.

        Args:
            tags: Names; one that is not there is no error.
        """
        self._catalog.remove_tags(self.id, [tags] if isinstance(tags, str) else [str(t) for t in tags])

    @property
    def properties(self) -> dict[str, str]:
        """Returns: the run's properties."""
        return self.get_properties()

    def get_properties(self) -> dict[str, str]:
        """Returns: the run's properties, as they stand now."""
        return self._catalog.properties(self.id)

    def add_properties(self, properties: Mapping[str, Any]) -> None:
        """Adds properties, which do not change any more.

        Args:
            properties: Names and values, kept as text.

        Raises:
            ArgumentError: One of them is there with another value.
        """
        if not isinstance(properties, Mapping):
            raise ArgumentError(f"add_properties: properties are a dict, not {type(properties).__name__}")
        there = self.get_properties()
        given = {str(k): "" if v is None else str(v) for k, v in properties.items()}
        changed = [name for name, value in given.items() if there.get(name, value) != value]
        if changed:
            raise ArgumentError(
                f"property '{changed[0]}' is '{there[changed[0]]}' already, and properties do not change",
                help="use a tag",
            )
        self._catalog.set_properties(self.id, given)
