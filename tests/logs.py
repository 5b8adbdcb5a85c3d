"""What a step of a finished run printed."""

from __future__ import annotations

from typing import Any


def log_of(run: Any, step: str) -> str:
    (found,) = run.find_step_run(step)
    return str(found.get_job_log())
