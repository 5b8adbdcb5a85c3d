"""Differences that somebody said do not matter: a key whose work an earlier result may stand for."""

from __future__ import annotations

from scriptstep.history.database import Database
from scriptstep.history.rows import AcceptanceRow, now
from scriptstep.history.schema import ACCEPTANCES
from scriptstep.records import replace

__all__ = ["AcceptanceRecords"]


class AcceptanceRecords(Database):
    """What was accepted, by workspace and key."""

    def accept(self, row: AcceptanceRow) -> AcceptanceRow:
        """Records that a difference does not matter; what was accepted for the key before is replaced.

        Args:
            row: What is accepted.

        Returns:
            The same, with its time.
        """
        row = replace(row, created=row.created or now())
        self._write(ACCEPTANCES.insert("acceptances", verb="INSERT OR REPLACE"), ACCEPTANCES.values(row))
        return row

    def acceptance(self, workspace: str, key: str) -> AcceptanceRow | None:
        """Returns: what was accepted for a key, or None."""
        found = self._read_one(
            f"SELECT {ACCEPTANCES.list} FROM acceptances WHERE workspace = ? AND key = ?", (workspace, key)
        )
        return ACCEPTANCES.read(found) if found else None

    def withdraw_acceptance(self, workspace: str, key: str) -> None:
        """Forgets what was accepted for a key."""
        self._write("DELETE FROM acceptances WHERE workspace = ? AND key = ?", (workspace, key))
