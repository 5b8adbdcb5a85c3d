"""What in the history refers to stored trees, what was pinned, and whose trees were collected."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from scriptstep.history.database import Database
from scriptstep.history.rows import now
from scriptstep.history.schema import load
from scriptstep.records import dataclass

__all__ = ["Holding", "RetentionRecords"]

# Whatever looks like a digest in a record is taken for one: a tree too many is kept, never one too few.
_DIGEST = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_CODE = re.compile(r'"tree":"([0-9a-f]{64})"')
_REGISTERED = (
    (
        "SELECT 'dataset ' || d.name, f.definition FROM datasets d "
        "JOIN definitions f ON f.workspace = d.workspace AND f.id = d.id"
    ),
    "SELECT CASE kind WHEN 'draft' THEN 'draft ' ELSE 'published ' END || name, document FROM pipelines",
    "SELECT 'environment ' || name, definition FROM environments",
    "SELECT 'model ' || id, digest FROM models WHERE NOT deleted",
)


@dataclass(frozen=True)
class Holding:
    """Something in the history that refers to trees.

    Attributes:
        kind: "result"; "files" of a run that is no result; "code" that a pipeline run read.
        id: Of the result; 0 where it is none.
        workspace: Name of the workspace.
        name: Of the step, or of the run.
        run: Id of the run that it is of.
        root: Id of the run that holds that one.
        used: When it was made or reused last.
        seconds: How long it took to make.
        trees: Digests that it names.
        needs: Of those the ones that a result cannot be used again without.
        reusable: Whether it is a result that may be used again.
    """

    kind: Literal["result", "files", "code"]
    id: int
    workspace: str
    name: str
    run: str
    root: str
    used: str
    seconds: float
    trees: frozenset[str]
    needs: frozenset[str] = frozenset()
    reusable: bool = False


class RetentionRecords(Database):
    """References from the history to the content store."""

    def pin(self, run: str) -> None:
        """Keeps what a run shows from being collected; a second time does nothing."""
        self._write("INSERT OR IGNORE INTO pins VALUES (?, ?)", (run, now()))

    def unpin(self, run: str) -> bool:
        """Takes a pin away.

        Returns:
            Whether there was one.
        """
        return self._write("DELETE FROM pins WHERE run = ?", (run,)).rowcount > 0

    def pins(self) -> list[str]:
        """Returns: ids of the runs that are pinned, the oldest pin first."""
        return [run for (run,) in self._read("SELECT run FROM pins ORDER BY created, run")]

    def shown_by(self, runs: Iterable[str]) -> set[str]:
        """Returns: runs, all that are part of them, and those whose results these show."""
        found: set[str] = set()
        for run in runs:
            for id, reused in self._read("SELECT id, reused_from FROM runs WHERE id = ? OR root = ?", (run, run)):
                found |= {id, reused or id}
        return found

    def holdings(self) -> list[Holding]:
        """Returns: all that refers to trees and may lose them, of every workspace, the one used least lately first."""
        found: list[Holding] = []
        rows = self._read(
            "SELECT r.id, r.workspace, r.step_name, r.run, COALESCE(o.root, r.run), "
            "MAX(r.created, COALESCE(u.used, '')), r.duration_s, r.reusable, "
            "r.outputs, r.artifacts, r.effects, r.conditions FROM results r LEFT JOIN runs o ON o.id = r.run LEFT JOIN "
            "(SELECT reused_from, MAX(created) AS used FROM runs WHERE reused_from IS NOT NULL GROUP BY reused_from) u "
            "ON u.reused_from = r.run WHERE r.collected IS NULL"
        )
        for id, workspace, name, run, root, used, seconds, reusable, outputs, artifacts, effects, conditions in rows:
            needs = {*load(outputs).values(), artifacts, *(e["tree"] for e in load(effects) if "tree" in e)} - {None}
            # The code that it was made by is shown, and is not needed.
            trees = needs | _digests(f"{effects} {_CODE.findall(conditions)}")
            held = (workspace, name, run, root, used, seconds, frozenset(trees), frozenset(needs), bool(reusable))
            found.append(Holding("result", id, *held))
        rows = self._read(
            "SELECT workspace, name, id, root, COALESCE(ended, created), artifacts FROM runs r WHERE artifacts IS NOT "
            "NULL AND reused_from IS NULL AND NOT EXISTS (SELECT 1 FROM results WHERE results.run = r.id)"
        )
        found += [_of_run("files", *row) for row in rows]
        rows = self._read(
            "SELECT workspace, name, id, root, COALESCE(ended, created), details FROM runs "
            "WHERE (kind = 'pipeline' AND details LIKE '%\"contents\"%') OR details LIKE '%\"keyed\"%'"
        )
        found += [_of_run("code", *row) for row in rows]
        return sorted(found, key=lambda held: held.used)

    def registered_trees(self) -> dict[str, str]:
        """Returns: digest to what is registered or published in any workspace and needs that tree."""
        return {
            digest: told
            for statement in _REGISTERED
            for told, text in self._read(statement)
            for digest in _digests(text)
        }

    def is_empty(self) -> bool:
        """Returns: whether nothing was ever run or registered."""
        tables = ("runs", "results", "models", "datasets", "pipelines")
        return not any(self._read_one(f"SELECT 1 FROM {table} LIMIT 1") for table in tables)

    def had_results(self) -> bool:
        """Returns: whether a result was ever recorded, though it may be gone."""
        return self._read_one("SELECT 1 FROM sqlite_sequence WHERE name = 'results' AND seq > 0") is not None

    def mark_collected(self, results: Iterable[int], when: str | None) -> None:
        """Takes down when the trees of results were collected; None takes that back."""
        with self.transaction():
            for id in results:
                self._write("UPDATE results SET collected = ? WHERE id = ?", (when, id))

    def faults(self) -> list[str]:
        """Reads the whole database.

        Returns:
            What is wrong with it, a line each; none where it is sound.
        """
        return [line for (line,) in self._read("PRAGMA integrity_check(20)") if line != "ok"]


def _digests(text: str | None) -> frozenset[str]:
    return frozenset(_DIGEST.findall(text or ""))


def _of_run(
    kind: Literal["files", "code"], workspace: str, name: str, run: str, root: str | None, used: str, text: str
) -> Holding:
    return Holding(kind, 0, workspace, name, run, root or run, used, 0.0, _digests(text))
