"""Pipelines that are kept: published ones, drafts, and endpoints that name several."""

from __future__ import annotations

from typing import Any

from scriptstep.history.database import Database
from scriptstep.history.rows import PipelineRow, now
from scriptstep.history.schema import PIPELINES
from scriptstep.records import replace

__all__ = ["PipelineRecords"]


class PipelineRecords(Database):
    """Pipelines that are kept, by workspace."""

    def add_pipeline(self, workspace: str, row: PipelineRow) -> PipelineRow:
        """Keeps a pipeline or an endpoint.

        Args:
            workspace: Name of the workspace.
            row: What to keep.

        Returns:
            The same, with its time.
        """
        row = replace(row, created=row.created or now())
        self._write(PIPELINES.insert("pipelines", extra="workspace"), [workspace, *PIPELINES.values(row)])
        return row

    def pipeline(self, workspace: str, kind: str, id: str) -> PipelineRow | None:
        """Returns: what is kept under an id, or None."""
        found = self._read_one(
            f"SELECT {PIPELINES.list} FROM pipelines WHERE workspace = ? AND kind = ? AND id = ?", (workspace, kind, id)
        )
        return PIPELINES.read(found) if found else None

    def pipelines(self, workspace: str, kind: str) -> list[PipelineRow]:
        """Returns: all that is kept of a kind, the newest first."""
        found = self._read(
            f"SELECT {PIPELINES.list} FROM pipelines WHERE workspace = ? AND kind = ? ORDER BY seq DESC",
            (workspace, kind),
        )
        return [PIPELINES.read(values) for values in found]

    def update_pipeline(self, id: str, **columns: Any) -> None:
        """Changes the name, the status or the document of what is kept under an id.

        Raises:
            TypeError: Something else was to be changed.
        """
        if unknown := sorted(set(columns) - {"name", "status", "document"}):
            raise TypeError(f"{unknown[0]} of a kept pipeline does not change")
        for name, value in columns.items():
            self._write(f"UPDATE pipelines SET {name} = ? WHERE id = ?", (PIPELINES.write(name, value), id))

    def delete_pipeline(self, id: str) -> None:
        """Forgets what is kept under an id."""
        self._write("DELETE FROM pipelines WHERE id = ?", (id,))
