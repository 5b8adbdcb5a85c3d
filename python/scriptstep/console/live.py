"""On a terminal: finished steps above, running ones below with their time and last line, drawn anew as they change."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from scriptstep.console.events import (
    Event,
    RunEnded,
    StepEnded,
    StepLine,
    StepRetried,
    StepStarted,
    StepWaiting,
)
from scriptstep.console.follow import Follower
from scriptstep.console.plain import PlainConsole
from scriptstep.console.telling import Amount, Line, Style, waiting_for
from scriptstep.console.text import cells, clip, duration, log_line, padded
from scriptstep.records import dataclass, field

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

__all__ = ["LiveConsole"]

_STYLES: dict[Style, str] = {
    "": "",
    "good": "green",
    "same": "cyan",
    "bad": "bold red",
    "dim": "dim",
    "warn": "yellow",
    "strong": "bold",
}
_PER_SECOND = 8
_COLUMNS = 80
_ROWS_KEPT_FREE = 3
_RUNS, _WAITS = "running ", "waiting "


@dataclass
class _Running:
    step: str
    run: str
    since: float = field(default_factory=time.monotonic)
    log: Follower | None = None
    last: str = ""
    word: str = _RUNS


class LiveConsole(PlainConsole):
    """Shows what runs while it runs.

    Args:
        amount: How much is told.
        colour: Whether words are coloured.
    """

    def __init__(self, amount: Amount = "normal", *, colour: bool = True) -> None:
        super().__init__(amount, colour=colour)
        self._running: dict[tuple[str, str], _Running] = {}
        self._live: Live | None = None
        self._rich: RichConsole | None = None

    def send(self, event: Event) -> None:
        """Tells what happened.

        Args:
            event: What happened.
        """
        with self._lock:
            if isinstance(event, StepStarted):
                log = Follower(event.log) if event.log else None
                run = event.run_id or self._last_run
                self._running[run, event.step] = _Running(event.step, run, log=log)
            elif isinstance(event, StepWaiting):
                # It comes and goes: what came of it is the line that stays.
                run = event.run_id or self._last_run
                self._running[run, event.step] = _Running(event.step, run, last=waiting_for(event), word=_WAITS)
                return
            elif isinstance(event, StepRetried):
                run = event.run_id or self._last_run
                told = f"for retry {event.retry} of {event.retries}"
                self._running[run, event.step] = _Running(event.step, run, last=told, word=_WAITS)
            elif isinstance(event, StepLine):
                if found := self._running.get((event.run_id or self._last_run, event.step)):
                    found.last = event.text
            elif isinstance(event, StepEnded):
                self._running.pop((event.run_id or self._last_run, event.step), None)
            elif isinstance(event, RunEnded):
                self._running = {k: r for k, r in self._running.items() if r.run != event.run_id}
                if self._runs <= {event.run_id}:
                    self._stop()
            super().send(event)
            if isinstance(event, StepStarted) and self.amount != "quiet":
                # Not before: what it draws with takes longer to load than a run with nothing to do.
                self._start()

    def close(self) -> None:
        """Takes the live part off the screen."""
        with self._lock:
            super().close()
            self._stop()

    def _columns(self) -> int | None:
        return _terminal_columns() if self._rich is None else self._rich.width

    def _console(self) -> RichConsole:
        if self._rich is None:
            from rich.console import Console

            self._rich = Console(stderr=True, no_color=not self.colour, highlight=False, soft_wrap=True, emoji=False)
        return self._rich

    def _start(self) -> None:
        if self._live is not None:
            return
        from rich.live import Live

        # A print of the user's script goes above the live part; where standard output is no terminal it is left alone.
        self._live = Live(
            console=self._console(),
            get_renderable=self._render,
            refresh_per_second=_PER_SECOND,
            transient=True,
            redirect_stdout=sys.stdout.isatty(),
            redirect_stderr=True,
        )
        self._live.start()

    def _stop(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    def _print(self, lines: Sequence[Line], is_one_of_many: bool = False) -> None:
        if self._live is None:
            super()._print(lines, is_one_of_many)
            return
        if not lines:
            return
        from rich.text import Text

        self._let_go()
        # What ended must not be drawn as running below the line that says so.
        self._live.refresh()
        self._console().print(Text("\n").join(_text(line) for line in lines), overflow="ignore", crop=False)

    def _render(self) -> Group:
        from rich.console import Group

        console = self._console()
        running = list(self._running.values())
        room = max(1, console.height - _ROWS_KEPT_FREE)
        shown = running if len(running) <= room else running[: room - 1]
        rows = [_text(self._row(r, console.width)) for r in shown]
        if len(shown) < len(running):
            rows.append(_text([(f"  and {len(running) - len(shown)} more", "dim")]))
        return Group(*rows)

    def _row(self, running: _Running, width: int) -> Line:
        if running.log is not None:
            running.log.lines()
            running.last = running.log.last or running.last
        head = f"  {self._teller.name(running.run, running.step)}"
        clock = padded(duration(time.monotonic() - running.since), 9)
        rest = clip(log_line(running.last), max(0, width - cells(head) - 8 - 9 - 1))
        return [(head, ""), (running.word, "strong" if running.word == _RUNS else "dim"), (clock, ""), (rest, "dim")]


def _terminal_columns() -> int:
    """Returns: what `COLUMNS` says, else how wide the terminal is that standard error goes to."""
    with suppress(KeyError, ValueError):
        return int(os.environ["COLUMNS"])
    with suppress(OSError, ValueError, AttributeError):
        return os.get_terminal_size(sys.stderr.fileno()).columns or _COLUMNS
    return _COLUMNS


def _text(line: Line) -> Text:
    from rich.text import Text

    made = Text(no_wrap=True)
    for text, style in line:
        made.append(text, _STYLES[style])
    return made
