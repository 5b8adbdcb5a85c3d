"""Running a user's script up to what it submits, which is planned instead of run."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scriptstep.console import notice
from scriptstep.errors import ArgumentError, UserErrorException, nearest
from scriptstep.records import dataclass, replace

if TYPE_CHECKING:
    from scriptstep.engine.submission import Submission
    from scriptstep.run.plan import Plan

__all__ = ["Changes", "Foreseen", "foresee"]


@dataclass(frozen=True)
class Changes:
    """What is taken to be other than it is, as the user typed it.

    Attributes:
        values: STEP.FLAG=VALUE, or NAME=VALUE of a parameter of the pipeline.
        touched: Files.
    """

    values: Sequence[str] = ()
    touched: Sequence[str] = ()


@dataclass(frozen=True)
class Foreseen:
    """One pipeline that the script would submit.

    Attributes:
        experiment: Name of the experiment.
        plan: What it would do.
        ends_at: Where the script asks for what only the run of it has, so that the rest was not looked at; else None.
    """

    experiment: str
    plan: Plan
    ends_at: str | None = None


class _NeedsTheRun(SystemExit):
    """The script asks for something that only a run has: what follows cannot be looked at."""


class _PlannedRun:
    """Stands for a run that is not there: it ends well when it is waited for, and the script where more is asked for.

    Args:
        on_end: Is told where in the script that is.
    """

    id = "planned"

    def __init__(self, on_end: Callable[[str], None]) -> None:
        self._on_end = on_end

    def wait_for_completion(self, *args: Any, **kwargs: Any) -> str:
        return "Finished"

    def get_status(self) -> str:
        return "Finished"

    def get_details(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return {"runId": self.id, "status": "Finished"}

    def tag(self, *args: Any, **kwargs: Any) -> None:
        pass

    def get_portal_url(self) -> str:
        return ""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        frame = sys._getframe(1)
        self._on_end(f"{os.path.relpath(frame.f_code.co_filename)}:{frame.f_lineno}")
        raise _NeedsTheRun(0)


def foresee(script: Sequence[str], changes: Changes, *, verbose: bool = False) -> tuple[int, list[Foreseen]]:
    """Runs a script, and plans what it submits.

    Args:
        script: The file and its arguments, or `-m`, a module and its arguments.
        changes: What is taken to be other than it is.
        verbose: Show the whole traceback of an error of the script, too.

    Returns:
        The script's exit code, and what it would submit.

    Raises:
        UserErrorException: It cannot be read, or submits nothing.
        ArgumentError: There is no such step, argument or parameter.
    """
    from scriptstep.cli.running import run_module, run_path
    from scriptstep.run.submission import take_instead

    # The script may go elsewhere.
    touched = [_there(file) for file in changes.touched]
    found: list[Foreseen] = []
    mistakes: list[UserErrorException] = []

    def take(submission: Submission) -> _PlannedRun:
        try:
            found.append(Foreseen(submission.experiment, _planned(submission, changes.values, touched)))
        except UserErrorException as mistake:
            mistakes.append(mistake)
            raise _NeedsTheRun(1) from None
        return _PlannedRun(end)

    def end(where: str) -> None:
        found[-1] = replace(found[-1], ends_at=where)
        notice(f"the script asks for what only a run has at {where}: what it submits after that is not planned")

    take_instead(take)
    try:
        # What the script prints is none of the command's results.
        with contextlib.redirect_stdout(sys.stderr):
            if script[0] == "-m":
                code = run_module(script[1], script[2:], verbose=verbose)
            else:
                code = run_path(script[0], script[1:], verbose=verbose)
    finally:
        take_instead(None)
    if mistakes:
        raise mistakes[0]
    if code == 0 and not found:
        raise UserErrorException(
            f"{script[0]} submits no pipeline", help="a plan is made of what Experiment.submit or Pipeline.submit gets"
        )
    return code, found


def _there(file: str) -> Path:
    """Returns: a file that is there, absolute."""
    path = Path(os.path.abspath(file))
    if os.path.lexists(path):
        return path
    names = os.listdir(path.parent) if path.parent.is_dir() else []
    near = nearest(path.name, names)
    raise ArgumentError(
        f"--touch {file}: there is no such file",
        help=f"did you mean '{os.path.join(os.path.dirname(file), near)}'?" if near else None,
    )


def _planned(submission: Submission, values: Sequence[str], touched: Sequence[Path]) -> Plan:
    from scriptstep.cli.parameters import parameter_value
    from scriptstep.graph import parse_parameter
    from scriptstep.run.plan import plan_of

    declared = submission.graph.params
    steps = sorted({node.spec.name for node in submission.graph.module_nodes}, key=len, reverse=True)
    arguments: list[tuple[str, str, str]] = []
    for pair in values:
        name, equals, value = pair.partition("=")
        step = next((s for s in steps if name.startswith(f"{s}.")), None)
        if not equals or (name not in declared and step is None):
            known = ", ".join([*declared, *(f"{s}.--FLAG" for s in sorted(steps))])
            raise ArgumentError(
                f"--with {pair}: give STEP.--FLAG=VALUE, or NAME=VALUE of a parameter of the pipeline",
                help=f"there are {known}",
            )
        if name in declared:
            _, given = parameter_value(submission.workspace, declared, "--with", pair)
            submission.parameters[name] = parse_parameter(declared[name], given)
        else:
            assert step is not None
            arguments.append((step, name.removeprefix(f"{step}."), value))
    return plan_of(submission, arguments, touched)
