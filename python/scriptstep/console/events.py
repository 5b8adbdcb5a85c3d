"""What happens while a pipeline runs, as plain data: the engine says what, the console decides how it looks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from scriptstep.records import dataclass

__all__ = [
    "Event",
    "Level",
    "Notice",
    "RunEnded",
    "RunStarted",
    "StepEnded",
    "StepLine",
    "StepRetried",
    "StepStarted",
    "StepWaiting",
    "Verdict",
]

Level = Literal["note", "warning", "error"]
Verdict = Literal["ran", "reused", "failed", "not run", "cancelled"]


@dataclass(frozen=True)
class RunStarted:
    """A run begins.

    Attributes:
        run_id: Its id.
        name: As the user named it.
        steps: How many steps it has.
        jobs: Most steps side by side.
        names: Names of the steps, where they are known: columns are as wide as they need.
    """

    run_id: str
    name: str
    steps: int
    jobs: int
    names: Sequence[str] = ()


@dataclass(frozen=True)
class StepStarted:
    """A step begins to run.

    Attributes:
        step: Its name.
        run_id: Id of the pipeline run; empty for the run that started last.
        log: The file that its output goes to, shown while it grows.
    """

    step: str
    run_id: str = ""
    log: str = ""


@dataclass(frozen=True)
class StepLine:
    """A step printed a line.

    Attributes:
        step: Its name.
        text: The line, without its end.
        run_id: Id of the pipeline run; empty for the run that started last.
    """

    step: str
    text: str
    run_id: str = ""


@dataclass(frozen=True)
class StepWaiting:
    """A step waits for another run, which runs the same step.

    Attributes:
        step: Its name.
        other: Id of the other run.
        run_id: Id of the pipeline run; empty for the run that started last.
    """

    step: str
    other: str
    run_id: str = ""


@dataclass(frozen=True)
class StepRetried:
    """A step failed, and is going to be tried again.

    Attributes:
        step: Its name.
        retry: Which retry comes, from 1.
        retries: How many there may be.
        delay: Seconds until then.
        reason: How the attempt ended.
        run_id: Id of the pipeline run; empty for the run that started last.
    """

    step: str
    retry: int
    retries: int
    delay: float
    reason: str
    run_id: str = ""


@dataclass(frozen=True)
class StepEnded:
    """A step is done with.

    Attributes:
        step: Its name.
        verdict: What became of it.
        seconds: How long it took; for a reused step how long it took then; None where it never ran.
        reason: Why, or what came of it. Where it failed, the first line is the reason, the rest is shown at the end.
        log_tail: The last lines that it printed, where it failed.
        run_id: Id of the pipeline run; empty for the run that started last.
        reusable: Whether its result may be used again.
    """

    step: str
    verdict: Verdict
    seconds: float | None
    reason: str
    log_tail: Sequence[str] = ()
    run_id: str = ""
    reusable: bool = True


@dataclass(frozen=True)
class RunEnded:
    """A run is over.

    Attributes:
        run_id: Its id.
        status: As the SDK spells it.
        ran: Steps that ran.
        reused: Steps that were reused.
        failed: Steps that failed.
        not_run: Steps that never started.
        seconds: How long it took.
        saved_seconds: How long the reused steps took when they ran.
        help: What to do next, or None.
    """

    run_id: str
    status: str
    ran: int
    reused: int
    failed: int
    not_run: int
    seconds: float
    saved_seconds: float
    help: str | None = None


@dataclass(frozen=True)
class Notice:
    """Something that the user should know.

    Attributes:
        level: How much it matters.
        text: What it is; further lines may say where.
        help: What to do about it, or None.
    """

    level: Level
    text: str
    help: str | None = None


Event: TypeAlias = RunStarted | StepWaiting | StepStarted | StepLine | StepRetried | StepEnded | RunEnded | Notice
