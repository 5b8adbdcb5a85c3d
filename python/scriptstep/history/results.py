"""Results in the history: what a key gave, and on what conditions it may be used again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scriptstep.history.database import Database
from scriptstep.history.rows import ResultRow, now
from scriptstep.history.schema import RESULTS

__all__ = ["ResultRecords"]


_RESULTS_OF_KEY = (
    f"SELECT {', '.join(f'r.{name}' for name in RESULTS.names)}, COALESCE(o.parent, o.id) "
    "FROM results r LEFT JOIN runs o ON o.id = r.run WHERE r.workspace = ? AND r.key = ? ORDER BY r.id DESC"
)


class ResultRecords(Database):
    """The results of successful attempts, by key."""

    def add_result(
        self,
        workspace: str,
        key: str,
        step_name: str,
        run: str,
        *,
        outputs: Mapping[str, str],
        artifacts: str | None,
        document: Mapping[str, Any],
        conditions: Mapping[str, Any],
        effects: Sequence[Mapping[str, Any]],
        reusable: bool,
        duration_s: float,
        created: str = "",
    ) -> int:
        """Records a result; its trees must be in the store by then.

        Args:
            workspace: Name of the workspace.
            key: The step's key.
            step_name: The step's name.
            run: Id of the step run.
            outputs: Port to tree digest.
            artifacts: Digest of the tree of the run's files.
            document: What the key was made from.
            conditions: What must still hold for it to be reused.
            effects: What is done again when it is.
            reusable: Whether it may be reused at all.
            duration_s: How long the attempt took, seconds.
            created: When; now where it is empty.

        Returns:
            The result's id.
        """
        row = ResultRow(
            0,
            workspace,
            key,
            step_name,
            run,
            created or now(),
            dict(outputs),
            artifacts,
            dict(document),
            dict(conditions),
            [dict(e) for e in effects],
            reusable,
            float(duration_s),
        )
        return int(self._write(RESULTS.insert("results"), [None, *RESULTS.values(row)[1:]]).lastrowid or 0)

    def results(self, workspace: str, key: str) -> list[ResultRow]:
        """Returns: the results of a key, the newest first."""
        found = self._read(_RESULTS_OF_KEY, (workspace, key))
        return [RESULTS.read(values, run) for *values, run in found]

    def newest_result(self, workspace: str, key: str) -> int:
        """Returns: id of the newest result of a key, 0 where there is none; ids only grow."""
        found = self._read_one("SELECT MAX(id) FROM results WHERE workspace = ? AND key = ?", (workspace, key))
        return int(found[0] or 0)

    def latest_result(self, workspace: str, step_name: str) -> ResultRow | None:
        """Returns: the newest result of a step of that name, whatever its key; one that may be used before others."""
        found = self._read_one(
            f"SELECT {RESULTS.list} FROM results WHERE workspace = ? AND step_name = ? "
            "ORDER BY reusable DESC, id DESC LIMIT 1",
            (workspace, step_name),
        )
        return RESULTS.read(found) if found else None

    def results_of_step(self, workspace: str, step_name: str, most: int) -> list[ResultRow]:
        """Returns: the newest results of steps of a name, the newest first."""
        found = self._read(
            f"SELECT {RESULTS.list} FROM results WHERE workspace = ? AND step_name = ? ORDER BY id DESC LIMIT ?",
            (workspace, step_name, most),
        )
        return [RESULTS.read(r) for r in found]

    def recent_results(self, workspace: str, most: int) -> list[ResultRow]:
        """Returns: the newest results of all steps, the newest first."""
        found = self._read(
            f"SELECT {RESULTS.list} FROM results WHERE workspace = ? ORDER BY id DESC LIMIT ?", (workspace, most)
        )
        return [RESULTS.read(r) for r in found]

    def result_of(self, run: str) -> ResultRow | None:
        """Returns: the result that a step run recorded."""
        found = self._read_one(f"SELECT {RESULTS.list} FROM results WHERE run = ? ORDER BY id DESC LIMIT 1", (run,))
        return RESULTS.read(found) if found else None

    def invalidate(self, result: int) -> None:
        """Marks a result as one that must not be used again."""
        self._write("UPDATE results SET reusable = 0 WHERE id = ?", (result,))
