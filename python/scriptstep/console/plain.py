"""Lines, flushed as they come, for logs, pipes and dumb terminals: no control codes but colours that were asked for."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from typing import TextIO

from scriptstep.console.events import Event, RunEnded, RunStarted, StepEnded, StepLine, StepRetried, StepStarted
from scriptstep.console.follow import Follower
from scriptstep.console.telling import Amount, Line, Style, Teller

__all__ = ["PlainConsole", "write"]

_CODES: dict[Style, str] = {"good": "32", "same": "36", "bad": "1;31", "dim": "2", "warn": "33", "strong": "1"}
_FOLLOW_S = 0.2
_HELD_S = 0.05


def write(stream: TextIO, text: str) -> None:
    """Writes and flushes; what the stream's encoding lacks is spelled out, a reader that left is no error.

    Args:
        stream: Where to.
        text: Whole lines.
    """
    try:
        stream.write(text)
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    except (ValueError, BrokenPipeError):
        return
    try:
        stream.flush()
    except (ValueError, BrokenPipeError):
        return


class PlainConsole:
    """Prints a line for each event worth one.

    Args:
        amount: How much is told.
        colour: Whether words are coloured.
        stream: Where to; standard error, whatever that is at the time, where None.
        width: Columns to break lines at; None for never.
    """

    def __init__(
        self, amount: Amount = "normal", *, colour: bool = False, stream: TextIO | None = None, width: int | None = None
    ) -> None:
        self.amount = amount
        self.colour = colour
        self._stream = stream
        self._width = width
        self._lock = threading.RLock()
        self._held: list[str] = []
        self._free_at = 0.0
        self._timer: threading.Timer | None = None
        self._teller = Teller(amount)
        self._followed: dict[tuple[str, str], Follower] = {}
        self._thread: threading.Thread | None = None
        self._runs: set[str] = set()
        self._last_run = ""

    def send(self, event: Event) -> None:
        """Tells what happened.

        Args:
            event: What happened.
        """
        with self._lock:
            if isinstance(event, RunStarted):
                self._runs.add(event.run_id)
                self._last_run = event.run_id
            if isinstance(event, (StepEnded, StepRetried, RunEnded)):
                self._follow_to_end(event)
            is_one_of_many = isinstance(event, StepEnded) and event.verdict == "reused"
            self._print(self._teller.tell(event, self._columns()), is_one_of_many)
            if isinstance(event, StepStarted):
                self._started(event)
            elif isinstance(event, RunEnded):
                self._runs.discard(event.run_id)

    def close(self) -> None:
        """Ends what goes on by itself."""
        with self._lock:
            self._followed.clear()
            self._let_go()

    def _columns(self) -> int | None:
        return self._width

    def _print(self, lines: Sequence[Line], is_one_of_many: bool = False) -> None:
        """Prints lines; one of many waits a moment for the others, for whoever reads a pipe is woken by each write."""
        if not lines:
            return
        self._held.append("".join(self._coloured(line) + "\n" for line in lines))
        if not is_one_of_many or time.monotonic() >= self._free_at:
            self._let_go()
        elif self._timer is None:
            self._timer = threading.Timer(_HELD_S, self._let_go)
            self._timer.daemon = True
            self._timer.start()

    def _let_go(self) -> None:
        with self._lock:
            timer, self._timer = self._timer, None
            if timer is not None:
                timer.cancel()
            text = "".join(self._held)
            self._held.clear()
            self._free_at = time.monotonic() + _HELD_S
            if text:
                write(self._stream or sys.stderr, text)

    def _coloured(self, line: Line) -> str:
        if not self.colour:
            return "".join(text for text, _ in line)
        return "".join(f"\x1b[{_CODES[style]}m{text}\x1b[0m" if style and text else text for text, style in line)

    # --- the output of steps as it comes, where all is told

    def _started(self, event: StepStarted) -> None:
        if self.amount != "verbose" or not event.log:
            return
        self._followed[event.run_id or self._last_run, event.step] = Follower(event.log)
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._follow, name="scriptstep logs", daemon=True)
            self._thread.start()

    def _follow(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(_FOLLOW_S)
            with self._lock:
                if not self._followed:
                    self._thread = None
                    return
                for (run, step), follower in self._followed.items():
                    self._tell_lines(run, step, follower.lines())

    def _follow_to_end(self, event: StepEnded | StepRetried | RunEnded) -> None:
        if not isinstance(event, RunEnded):
            key = (event.run_id or self._last_run, event.step)
            if follower := self._followed.pop(key, None):
                self._tell_lines(*key, follower.lines(whole=True))
            return
        for key in [k for k in self._followed if k[0] == event.run_id]:
            del self._followed[key]

    def _tell_lines(self, run: str, step: str, lines: Sequence[str]) -> None:
        for line in lines:
            self._print(self._teller.tell(StepLine(step, line, run)))
