"""What a step logged with MLflow, read from the folder that MLflow's file store writes."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

from scriptstep.history import MetricRow
from scriptstep.records import dataclass, field

__all__ = ["MLflowRecord", "read_mlflow"]

_NAME = re.compile(r"^name:\s*['\"]?(.*?)['\"]?\s*$", re.MULTILINE)


@dataclass
class MLflowRecord:
    """What all MLflow runs of a step logged.

    Attributes:
        metrics: Values, in the order of their times.
        tags: Parameters and tags; those of MLflow's own are left out.
        artifacts: Name to file.
    """

    metrics: list[MetricRow] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    artifacts: dict[str, Path] = field(default_factory=dict)

    def place_artifacts(self, folder: Path) -> None:
        """Copies the artifacts into a folder; a file that is there stays.

        Args:
            folder: The folder of the run's files.
        """
        for name, file in self.artifacts.items():
            copy = folder / name
            if not copy.exists():
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copy)


def read_mlflow(root: Path, run: str) -> MLflowRecord:
    """Reads what was logged: a folder an experiment, in it a folder a run, in that a file a metric, parameter and tag.

    Args:
        root: The folder that MLFLOW_TRACKING_URI named.
        run: Id of the run that the values are of.

    Returns:
        What was logged; empty where the folder is not there. A line that is no value is passed over.
    """
    found = MLflowRecord()
    for folder in sorted(p.parent for p in root.glob("*/*/meta.yaml") if p.parent.name != "models"):
        found.metrics += _metrics(folder / "metrics", run)
        for name, file in _files(folder / "params"):
            found.tags[name] = _text(file)
        for name, file in _files(folder / "tags"):
            if not name.startswith("mlflow."):
                found.tags[name] = _text(file)
        found.artifacts.update(_files(folder / "artifacts"))
    for meta in sorted(root.glob("*/models/*/meta.yaml")):  # where MLflow 3 keeps models
        named = _NAME.search(_text(meta))
        for name, file in _files(meta.parent / "artifacts"):
            found.artifacts[f"{named.group(1) if named else meta.parent.name}/{name}"] = file
    found.metrics.sort(key=lambda row: row.time)
    return found


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yields: name, with plain slashes, and path of each file below a folder."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path


def _text(file: Path) -> str:
    return file.read_text("utf-8", "replace")


def _metrics(folder: Path, run: str) -> Iterator[MetricRow]:
    for name, file in _files(folder):
        for line in _text(file).splitlines():
            try:
                time_ms, value, step = line.split()[:3]
                at = datetime.fromtimestamp(int(time_ms) / 1000, timezone.utc).isoformat(timespec="milliseconds")
                yield MetricRow(run, name, "scalar", float(value), int(step), at)
            except (ValueError, OverflowError, OSError):
                continue
