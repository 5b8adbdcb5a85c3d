"""The history: what ran, what came of it, what is registered; one SQLite database, written here alone."""

from __future__ import annotations

from scriptstep.history.acceptances import AcceptanceRecords
from scriptstep.history.pipelines import PipelineRecords
from scriptstep.history.registered import RegisteredRecords
from scriptstep.history.results import ResultRecords
from scriptstep.history.retention import Holding, RetentionRecords
from scriptstep.history.rows import (
    AcceptanceRow,
    ComputeRow,
    DatasetRow,
    DatastoreRow,
    EnvironmentRow,
    MetricRow,
    ModelRow,
    PipelineRow,
    ResultRow,
    RunRow,
    WorkspaceRow,
    definition_id,
    new_id,
    now,
    texts,
)
from scriptstep.history.runs import RunRecords

__all__ = [
    "AcceptanceRow",
    "ComputeRow",
    "DatasetRow",
    "DatastoreRow",
    "EnvironmentRow",
    "History",
    "Holding",
    "MetricRow",
    "ModelRow",
    "PipelineRow",
    "ResultRow",
    "RunRow",
    "WorkspaceRow",
    "definition_id",
    "new_id",
    "now",
    "texts",
]


class History(RunRecords, ResultRecords, RegisteredRecords, PipelineRecords, AcceptanceRecords, RetentionRecords):
    """The history of one state folder. One object a process, used by any of its threads.

    Args:
        path: The database file, `history.db` in the state folder.
        read_only: Never write; the file must be there. Works while another process writes.
        busy_s: How long to wait for another process that is writing, seconds.
    """
