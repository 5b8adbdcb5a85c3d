"""The only printer. Others hand it events; it decides how they look, where there is a terminal and where there is none.

Results go to standard output (`emit`), everything else to standard error.
"""

from __future__ import annotations

from scriptstep.console.events import (
    Event,
    Level,
    Notice,
    RunEnded,
    RunStarted,
    StepEnded,
    StepLine,
    StepRetried,
    StepStarted,
    StepWaiting,
    Verdict,
)
from scriptstep.console.output import Console, configure, console, emit, emit_bytes, notice, report, set_console

__all__ = [
    "Console",
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
    "configure",
    "console",
    "emit",
    "emit_bytes",
    "notice",
    "report",
    "set_console",
]
