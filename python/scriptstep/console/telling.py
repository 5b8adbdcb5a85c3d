"""Events in words: which lines they make, before anyone asks where these are printed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from scriptstep.console.events import (
    Event,
    Notice,
    RunEnded,
    RunStarted,
    StepEnded,
    StepLine,
    StepRetried,
    StepStarted,
    StepWaiting,
)
from scriptstep.console.text import cells, clip, count, duration, escaped, listed, log_line, padded, wrapped
from scriptstep.records import dataclass, field

__all__ = ["Amount", "Line", "Piece", "Style", "Teller", "notice_lines", "waiting_for"]

Amount = Literal["quiet", "normal", "verbose"]
Style = Literal["", "good", "same", "bad", "dim", "warn", "strong"]
Piece = tuple[str, Style]
Line = list[Piece]

_STYLE: dict[str, Style] = {"ran": "good", "reused": "same", "failed": "bad", "not run": "dim", "cancelled": "warn"}
_NAME_MOST = 40
_NAME_LEAST = 11
_VERDICT = 8
_TIME = 8
_FAILURES_SHOWN = 5


@dataclass
class _Failure:
    step: str
    more: list[str]
    tail: Sequence[str]


@dataclass
class _Run:
    id: str
    name: str
    steps: int
    width: int = _NAME_LEAST
    done: list[str] = field(default_factory=list)
    failures: list[_Failure] = field(default_factory=list)
    # Whether another run goes on, or went on, beside it: then each line says whose it is.
    beside: bool = False


class Teller:
    """Turns events into lines, remembering of each run what its last lines need.

    Args:
        amount: How much is told.
    """

    def __init__(self, amount: Amount = "normal") -> None:
        self.amount = amount
        self._runs: dict[str, _Run] = {}
        self._last = ""

    def tell(self, event: Event, width: int | None = None) -> list[Line]:
        """Says what happened.

        Args:
            event: What happened.
            width: Columns of the terminal; None where lines may be of any length.

        Returns:
            Lines; none where the event is not worth one.
        """
        if isinstance(event, Notice):
            return self._notice(event)
        if isinstance(event, RunStarted):
            return self._run_started(event)
        if isinstance(event, RunEnded):
            return self._run_ended(event)
        run = self._runs.get(event.run_id or self._last) or self._unknown(event.run_id)
        if isinstance(event, StepEnded):
            return self._step_ended(run, event, width)
        if isinstance(event, StepWaiting):
            return self._between(run, event.step, "waiting", "dim", waiting_for(event), width)
        if isinstance(event, StepRetried):
            told = f"{event.retry} of {event.retries} in {event.delay:g} s: {event.reason}"
            return self._between(run, event.step, "retry", "warn", told, width)
        if self.amount != "verbose":
            return []
        if isinstance(event, StepStarted):
            return [[("  ", ""), (self.name(run, event.step), ""), ("started", "dim")]]
        assert isinstance(event, StepLine)
        return [[("  ", ""), (self.name(run, event.step), "dim"), ("| ", "dim"), (log_line(event.text), "")]]

    def name(self, run: _Run | str, step: str) -> str:
        """Returns: a step's name as wide as the names of its run; with the run's id where several go on at once."""
        if isinstance(run, str):
            run = self._runs.get(run or self._last) or self._unknown(run)
        shown = escaped(step)
        if cells(shown) > run.width:
            run.width = min(cells(shown), _NAME_MOST)
        whose = f"{_short(run.id)}  " if run.beside else ""
        return whose + padded(shown if cells(shown) <= run.width else clip(shown, run.width), run.width + 3)

    def _unknown(self, run_id: str) -> _Run:
        return self._runs.setdefault(run_id, _Run(run_id, "", 0))

    def _notice(self, event: Notice) -> list[Line]:
        if event.level != "error" and self.amount == "quiet":
            return []
        return notice_lines(event)

    def _run_started(self, event: RunStarted) -> list[Line]:
        widest = max((cells(escaped(name)) for name in event.names), default=0)
        run = _Run(event.run_id, event.name, event.steps, min(max(widest, _NAME_LEAST), _NAME_MOST))
        self._runs[event.run_id], self._last = run, event.run_id
        if len(self._runs) > 1:
            for one in self._runs.values():
                one.beside = True
        if self.amount == "quiet":
            return []
        steps = count(event.steps, "step") + (f", {event.jobs} at once" if event.jobs > 1 else "")
        return [[(escaped(event.name), "strong"), (f", run {_short(event.run_id)}: {steps}", "")]]

    def _step_ended(self, run: _Run, event: StepEnded, width: int | None) -> list[Line]:
        first, *more = (event.reason or "").split("\n")
        if event.verdict in ("ran", "reused"):
            run.done += [event.step] if event.reusable else []
        elif event.verdict == "failed":
            run.failures.append(_Failure(event.step, more, event.log_tail))
            more = []
        if self.amount == "quiet":
            return []
        name = self.name(run, event.step)
        time, reason = "", escaped(first)
        if event.seconds is not None and event.verdict == "reused":
            reason = f"saved {duration(event.seconds)}" + (f", {reason}" if reason else "")
        elif event.seconds is not None and event.verdict != "not run":
            time = duration(event.seconds)
        indent, told = _row(name, event.verdict, _STYLE[event.verdict], time, reason, width)
        told += [[(" " * indent + escaped(line.strip()), "")] for line in more]
        return [_stripped(line) for line in told]

    def _between(self, run: _Run, step: str, word: str, style: Style, reason: str, width: int | None) -> list[Line]:
        """Says of a step that is not done with how it stands."""
        if self.amount == "quiet":
            return []
        _, told = _row(self.name(run, step), word, style, "", escaped(reason.split("\n")[0]), width)
        return [_stripped(line) for line in told]

    def _run_ended(self, event: RunEnded) -> list[Line]:
        run = self._runs.pop(event.run_id, None) or _Run(event.run_id, "", 0)
        whose = f"run {_short(event.run_id)}: " if run.beside else ""
        lines: list[Line] = []
        for failure in run.failures[:_FAILURES_SHOWN]:
            lines += self._failure(event.run_id, failure)
        if len(run.failures) > _FAILURES_SHOWN:
            rest = [escaped(f.step) for f in run.failures[_FAILURES_SHOWN:]]
            lines.append([(f"failed too: {listed(rest, 10)}", "")])
        parts = [f"{event.ran:,} ran"] if event.ran else []
        parts += [f"{event.reused:,} reused"] if event.reused else []
        saved = f"; {duration(event.saved_seconds)} saved" if event.reused and event.saved_seconds >= 0.05 else ""
        if event.status in ("Finished", "Completed"):
            told = ", ".join(parts) or "nothing to run"
            return [*lines, [(whose, ""), (told, "strong"), (f" in {duration(event.seconds)}{saved}", "")]]
        if event.status == "Canceled":
            parts += [f"{event.not_run:,} not run"] if event.not_run else []
            told = f" after {duration(event.seconds)}" + (f": {', '.join(parts)}" if parts else "")
            return [*lines, [(whose, ""), ("cancelled", "warn"), (told, "")]]
        what = [f"{count(event.failed, 'step')} failed"] if event.failed else ["the run failed"]
        what += [f"{event.not_run:,} not run"] if event.not_run else []
        lines.append([("error:", "bad"), (f" {whose}{', '.join(what)}", "")])
        if event.failed and run.done:
            done = f"{listed([escaped(s) for s in run.done])} will be reused"
            lines.append([("help:", "same"), (f" mend it and run again: {done}", "")])
        elif event.help:
            lines.append([("help:", "same"), (f" {escaped(event.help)}", "")])
        return lines

    def _failure(self, run_id: str, failure: _Failure) -> list[Line]:
        lines: list[Line] = [[("", "")]]
        if failure.tail:
            import shlex

            command = f"scriptstep logs {_short(run_id)} {shlex.quote(escaped(failure.step))}"
            lines.append([(escaped(failure.step), "strong"), (f", last lines (all: {command})", "")])
            lines += [[("  | ", "dim"), (log_line(line), "")] for line in failure.tail]
        if failure.more:
            lines.append([(escaped(failure.step), "strong"), (":", "")])
            lines += [[("  ", ""), (escaped(line), "")] for line in failure.more]
        return lines if len(lines) > 1 else []


def notice_lines(event: Notice) -> list[Line]:
    """Returns: the lines of a notice: what, where, and what to do."""
    style: Style = {"note": "dim", "warning": "warn", "error": "bad"}[event.level]  # type: ignore[assignment]
    first, *more = event.text.rstrip("\n").split("\n")
    lines: list[Line] = [[(f"{event.level}:", style), (f" {escaped(first)}", "")]]
    for line in more:
        helped = line.startswith("help:")
        lines.append([("help:", "same"), (escaped(line[5:]), "")] if helped else [(escaped(line), "")])
    if event.help:
        head, *rest = event.help.split("\n")
        lines.append([("help:", "same"), (f" {escaped(head)}", "")])
        lines += [[(escaped(line), "")] for line in rest]
    return lines


def waiting_for(event: StepWaiting) -> str:
    """Returns: for whom a step waits, in words."""
    return f"for run {_short(event.other)}, which runs the same step"


def _row(name: str, word: str, style: Style, time: str, reason: str, width: int | None) -> tuple[int, list[Line]]:
    """Returns: the column that reasons begin at, and the lines of a step in it."""
    lead = f"  {name}"
    word = padded(word, _VERDICT) if len(word) < _VERDICT else word + " "
    clock = padded(time, _TIME + 1 - max(0, len(word) - _VERDICT))
    indent = cells(lead + word + clock)
    first, *more = wrapped(reason, max(20, width - indent), indent) if width else [reason]
    lines: list[Line] = [[(lead, ""), (word, style), (clock, ""), (first, "")]]
    return indent, lines + [[(line, "")] for line in more]


def _short(run_id: str) -> str:
    return run_id[:4]


def _stripped(line: Line) -> Line:
    kept = list(line)
    while kept and not kept[-1][0].rstrip():
        kept.pop()
    if kept:
        kept[-1] = (kept[-1][0].rstrip(), kept[-1][1])
    return kept
