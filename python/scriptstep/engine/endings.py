"""How a step's end is told: what went wrong, and where in the user's code."""

from __future__ import annotations

import signal

from scriptstep.engine.attempt import State, Status
from scriptstep.errors import AzureMLException
from scriptstep.graph import StepSpec

__all__ = ["why_ended", "why_refused"]


def why_refused(spec: StepSpec, mistake: AzureMLException) -> str:
    """Tells why a step could not be run.

    Args:
        spec: The step.
        mistake: What is wrong.

    Returns:
        What, the step, where it was declared, and what to do.
    """
    message = mistake.message if spec.name in mistake.message else f"step '{spec.name}': {mistake.message}"
    if spec.declared_at and spec.declared_at not in message:
        message += f"\n  --> {spec.declared_at}"
    return message + (f"\nhelp: {mistake.help}" if mistake.help else "")


def why_ended(spec: StepSpec, status: Status) -> str:
    """Tells how an attempt that did not succeed came to its end.

    Args:
        spec: The step.
        status: How its attempt ended.

    Returns:
        A line.
    """
    if status.state is State.TIMEOUT:
        return f"timed out after {spec.run.timeout_s:g} s: max_run_duration_seconds of its run configuration"
    if status.message:
        return status.message
    whose = "" if status.rank is None else f"process of rank {status.rank}: "
    if status.signal:
        try:
            name = signal.Signals(status.signal).name
        except ValueError:
            name = str(status.signal)
        return f"{whose}killed by signal {name}"
    return f"{whose}exit code {status.exit_code}"
