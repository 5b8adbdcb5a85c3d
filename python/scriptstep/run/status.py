"""How a run stands: what is recorded, and what follows when the process that coordinated it is gone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from scriptstep.history import RunRow

__all__ = ["COORDINATED", "ENDED", "short", "status_of", "took", "why"]

# Kinds of runs that a process carries out; the others are begun and ended by hand.
COORDINATED = frozenset({"pipeline", "script", "step"})
ENDED = frozenset({"Finished", "Completed", "Failed", "Canceled"})


def status_of(row: RunRow, home: Path, root: RunRow | None = None) -> str:
    """Tells how a run stands.

    Args:
        row: The run.
        home: The state folder.
        root: The pipeline run that a step is part of.

    Returns:
        Its status as the SDK spells it. What was under way when its coordinator died counts as failed.
    """
    if row.status in ENDED or row.ended is not None or row.kind not in COORDINATED:
        return row.status
    above = root if row.kind == "step" else row
    if above is None or not _lost(above, home):
        return row.status
    return row.status if row.kind == "step" and row.started is None else "Failed"


def _lost(row: RunRow, home: Path) -> bool:
    if row.status in ENDED or row.ended is not None:
        return True
    # A step asks about its own run, whose coordinator lives: nothing of the engine is loaded for it.
    if "SCRIPTSTEP_ATTEMPT" in os.environ or not row.directory or not row.owner:
        return False
    from scriptstep.engine.run_lock import is_held

    return not is_held(home / row.directory)


def short(run_id: str) -> str:
    """Returns: a run's id as people see it."""
    return run_id[:4]


def took(row: RunRow) -> float | None:
    """Returns: how long a run took, seconds; None where it has not both begun and ended."""
    if row.started is None or row.ended is None:
        return None
    return (datetime.fromisoformat(row.ended) - datetime.fromisoformat(row.started)).total_seconds()


def why(verdict: Mapping[str, Any] | None) -> str:
    """Returns: why a step ran and what came of it, in a line; empty where nothing is recorded."""
    told = verdict or {}
    return "; ".join(part for part in (", ".join(told.get("reasons", [])), *told.get("outcome", [])) if part)
