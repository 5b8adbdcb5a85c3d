"""Recording that what differs in a step does not matter."""

from __future__ import annotations

import getpass

from scriptstep.engine.comparing.forecast import Forecast, Forecaster
from scriptstep.errors import UserErrorException
from scriptstep.history import AcceptanceRow

__all__ = ["accept", "withdraw"]


def accept(forecaster: Forecaster, forecast: Forecast, because: str) -> AcceptanceRow:
    """Has a step's last result stand for it as it is now.

    Args:
        forecaster: Made the plan.
        forecast: The step.
        because: Why the difference does not matter.

    Returns:
        What was recorded.

    Raises:
        UserErrorException: It never succeeded, would be reused anyway, or would run whatever its key is.
    """
    step, planner, history = forecast.step, forecaster.planner, forecaster.history
    if step is None:
        raise UserErrorException(f"what step '{forecast.name}' would be is not known: {'; '.join(forecast.reasons)}")
    if step.verdict.reuse is not None:
        raise UserErrorException(f"there is nothing to accept: nothing of step '{forecast.name}' itself differs")
    if step.previous is None:
        raise UserErrorException(f"step '{forecast.name}' never succeeded: there is no result to accept")
    workspace = planner.workspace_name
    before = history.acceptance(workspace, step.key)
    row = history.accept(
        AcceptanceRow(workspace, step.key, step.previous.key, forecast.name, because, _whoever_runs_this())
    )
    again = planner.key(step.node_id).verdict
    if again.reuse is None:
        if before is not None:
            history.accept(before)
        else:
            history.withdraw_acceptance(workspace, step.key)
        raise UserErrorException(
            f"step '{forecast.name}' would run all the same: {', '.join(again.reasons)}",
            help="only what is in its key can be accepted",
        )
    return row


def withdraw(forecaster: Forecaster, forecast: Forecast) -> AcceptanceRow:
    """Takes back what was accepted of a step as it is now.

    Args:
        forecaster: Made the plan.
        forecast: The step.

    Returns:
        What was recorded.

    Raises:
        UserErrorException: Nothing was.
    """
    step, history, workspace = forecast.step, forecaster.history, forecaster.planner.workspace_name
    row = history.acceptance(workspace, step.key) if step is not None else None
    if row is None:
        raise UserErrorException(f"nothing was accepted of step '{forecast.name}' as it is now")
    history.withdraw_acceptance(workspace, row.key)
    return row


def _whoever_runs_this() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A user without a name, as in many containers.
        return "somebody"
