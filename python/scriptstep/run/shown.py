"""A run as a small table, for notebooks, widgets and terminals; the words are those of the console."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scriptstep.console.text import columns, duration, escaped, html_of
from scriptstep.history import RunRow
from scriptstep.run.status import short, status_of, took, why

if TYPE_CHECKING:
    from scriptstep.run.run import Run

__all__ = ["as_html", "as_text", "step_words"]

_WORDS = {
    "NotStarted": "not run",
    "Queued": "waiting",
    "Running": "running",
    "Finished": "ran",
    "Completed": "ran",
    "Failed": "failed",
    "Canceled": "cancelled",
}


def step_words(row: RunRow, status: str, over: bool) -> str:
    """Returns: what became of a step, in the console's words."""
    if row.reused_from:
        return "reused"
    if status == "NotStarted" and not over:
        return "waiting"
    return _WORDS.get(status, status)


def _rows(run: Run) -> tuple[str, list[tuple[str, str, str, str]]]:
    row, catalog = run._row(), run._catalog
    status = run.get_status()
    head = f"{escaped(row.name)}, run {short(row.id)}: {status}"
    home = run._workspace._place.home
    steps = []
    for step in reversed(catalog.runs(parent=row.id)):
        seconds = took(step)
        told = status_of(step, home, row)
        time = "" if seconds is None or step.reused_from or told == "NotStarted" else duration(seconds)
        reason = why(step.verdict) if told != "Failed" else str((step.error or {}).get("message", ""))
        if step.reused_from:
            origin = catalog.run(step.reused_from)
            reason = f"from run {short(origin.parent or origin.id)}" if origin else "from an earlier run"
        words = step_words(step, told, row.ended is not None)
        steps.append((escaped(step.name), words, time, escaped(reason.split("\n")[0])))
    return head, steps


def as_text(run: Run) -> str:
    """Returns: the run and its steps, as they stand now, a line each."""
    head, steps = _rows(run)
    return "\n".join([head, *("  " + line for line in columns(steps))])


def as_html(run: Run) -> str:
    """Returns: the run and its steps, as they stand now, as a table."""
    head, steps = _rows(run)
    body = "".join("<tr>" + "".join(f"<td>{html_of(cell)}</td>" for cell in row) + "</tr>" for row in steps)
    return f"<p>{html_of(head)}</p><table><tr><th>step</th><th></th><th>time</th><th>why</th></tr>{body}</table>"
