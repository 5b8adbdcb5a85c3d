"""What must be kept: read from the history, which is not believed where there is any doubt."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from scriptstep.content import Census, ContentStore
from scriptstep.engine.run_lock import is_held
from scriptstep.errors import HistoryDamaged, WorkspaceException
from scriptstep.history import History
from scriptstep.workspace.local_catalog import open_history
from scriptstep.workspace.place import Place

__all__ = ["TREES", "believed_history", "runs_under_way"]

TREES = "trees"
_COORDINATED = frozenset({"pipeline", "script"})
# A tree's age is told in whole seconds, by a clock that is some milliseconds behind.
_CLOCKS_DIFFER_S = 2.0


def believed_history(place: Place, store: ContentStore) -> History | None:
    """Opens the history that says what is to be kept.

    Args:
        place: The place.
        store: Its content store.

    Returns:
        The history; None where there is none and the store is empty.

    Raises:
        WorkspaceException: What it says of the store cannot be believed; nothing may be collected then.
    """
    path = place.home / "history.db"
    nothing = "nothing was collected: "
    aside = sorted(p for p in place.home.glob("history.db.damaged-*") if p.name[-4:] not in ("-wal", "-shm"))
    if aside:
        raise WorkspaceException(
            f"{nothing}a history was set aside as {aside[0]}, and what only that one names cannot be told from rubbish",
            help="once nothing of it is wanted any more, move it elsewhere, and collect again",
        )
    if not path.exists():
        if not store.digests():
            return None
        raise WorkspaceException(
            f"{nothing}there is no history at {path}, and the store beside it holds trees",
            help=f"put the history back; where nothing of it is wanted any more, remove {place.home / TREES}",
        )
    check = History(path, read_only=True)
    try:
        faults = check.faults()
    except HistoryDamaged as error:
        faults = [error.message]
    finally:
        check.close()
    if faults:
        raise HistoryDamaged(
            f"{nothing}the history {path} cannot be read: {faults[0]}",
            help="put a sound copy of it back, or run a pipeline: it is then set aside, and a new one begun",
        )
    history = open_history(place)
    if history.damaged is not None:
        raise HistoryDamaged(f"{nothing}the history had to be set aside just now, as {history.damaged}")
    if history.is_empty() and store.digests() and not _is_older(history, store):
        raise WorkspaceException(
            f"{nothing}the history {path} is empty, and the store beside it holds trees",
            help=f"see where its history went; where nothing of it is wanted any more, remove {place.home / TREES}",
        )
    return history


def _is_older(history: History, store: ContentStore) -> bool:
    """Returns: whether nothing ever ran in a history that is older than every tree: then no other one is gone."""
    if history.had_results():
        return False
    begun = min((row.created for row in history.workspaces()), default=None)
    if begun is None:
        return False
    age_s = (datetime.now(timezone.utc) - datetime.fromisoformat(begun)).total_seconds()
    return max(Census(store).ages.values(), default=0) < age_s + _CLOCKS_DIFFER_S


def runs_under_way(history: History, home: Path) -> set[str]:
    """Returns: ids of the runs whose coordinators live, and of those above them."""
    found: set[str] = set()
    for run in history.runs():
        if run.ended is None and run.kind in _COORDINATED and run.directory and is_held(home / run.directory):
            found |= {run.id, run.root or run.id}
    return found
