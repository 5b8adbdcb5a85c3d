"""A step, thought through; and what it takes to run it."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scriptstep.content import Manifest
from scriptstep.engine.contents import deciding_paths
from scriptstep.engine.key import Document
from scriptstep.engine.sources import ResolvedInput
from scriptstep.engine.step_folder import StepFolder
from scriptstep.engine.verdict import Verdict
from scriptstep.graph import StepSpec
from scriptstep.history import ResultRow, RunRow
from scriptstep.records import dataclass, field

if TYPE_CHECKING:
    from scriptstep.engine.attempt import Status
    from scriptstep.engine.effects import EventTaker
    from scriptstep.engine.masking import Mask

__all__ = ["KeyedStep", "StepPlan"]


@dataclass
class KeyedStep:
    """One step with its key and its verdict.

    Attributes:
        node_id: Its node.
        spec: The step, with the pipeline's parameters filled into its counts.
        content: What its source directory holds.
        inputs: Its inputs, found.
        document: What its key is made of.
        mask: Hides what of that is secret.
        key: Its key.
        interpreter: The Python that runs it.
        verdict: Reuse or run.
        previous: The last result of a step of its name, or None; not looked for where the step is reused.
        reusable: Whether an earlier result may stand for it.
        newest: Id of the newest result of its key when the verdict was given.
        is_spared: Whether `hash_paths="imports"` would have had it reused.
        compared: The result that it would have been, where it runs to be compared with it.
    """

    node_id: str
    spec: StepSpec
    content: Manifest
    inputs: tuple[ResolvedInput, ...]
    document: Document
    mask: Mask
    key: str
    interpreter: str
    verdict: Verdict
    reusable: bool
    previous: ResultRow | None = None
    newest: int = 0
    is_spared: bool = False
    compared: ResultRow | None = None

    @cached_property
    def masked(self) -> Document:
        """Returns: what its key is made of, as it is kept."""
        return self.mask.document(self.document)


@dataclass
class StepPlan(KeyedStep):
    """One step of a run, and where it runs.

    Attributes:
        row: Its step run.
        home: The state folder.
        attempt: Number of its present or next attempt, from 1.
        failed: How the attempt before that ended, or None.
        guards: Trees that it is handed on, with their rows before it starts.
        taker: Takes its events in.
        handle: The executor's handle, once it is submitted.
        logs: Log of each rank, where it runs in several processes.
    """

    row: RunRow = field(kw_only=True)
    home: Path = field(kw_only=True)
    attempt: int = 1
    failed: Status | None = None
    guards: dict[str, Any] = field(default_factory=dict)
    taker: EventTaker | None = None
    handle: str = ""
    logs: tuple[Path, ...] = ()

    @cached_property
    def folder(self) -> StepFolder:
        """Returns: its folder."""
        return StepFolder(self.home / self.row.directory)

    def given(self) -> dict[str, Any]:
        """Returns: the datasets that the step is given, as its run's details list them."""
        return {
            "input_datasets": [
                {
                    "id": i.dataset_id,
                    "name": i.spec.name,
                    "mode": i.spec.mode,
                    "path_on_compute": i.spec.path_on_compute,
                }
                for i in self.inputs
                if i.dataset_id is not None
            ]
        }

    def known(self) -> dict[str, Any]:
        """Returns: what is kept of a step that is no result, or not yet: what it was given, its key, to explain it."""
        keyed = {
            "key": self.key,
            "document": self.masked,
            "tree": self.content.digest,
            "paths": deciding_paths(self.spec),
        }
        return {**self.given(), "attempts": self.attempt, "keyed": keyed}

    def log_of(self, rank: int | None) -> Path:
        """Returns: the log of a rank, of the first where nobody knows which; what started them, where none began."""
        if not self.logs:
            return self.folder.log
        log = self.logs[rank or 0]
        return log if log.exists() else self.folder.mpi_log

    @staticmethod
    def seconds(status: Status) -> float:
        """Returns: how long an attempt ran."""
        return max(0.0, (status.ended or 0.0) - (status.started or 0.0)) if status.started else 0.0
