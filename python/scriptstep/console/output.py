"""The process's one console, results on standard output, and notices that are given once."""

from __future__ import annotations

import os
import sys
import threading
from typing import Literal, Protocol

from scriptstep.console.events import Event, Level, Notice
from scriptstep.console.plain import PlainConsole, write
from scriptstep.console.telling import Amount
from scriptstep.errors import AzureMLException

__all__ = ["Colour", "Console", "configure", "console", "emit", "emit_bytes", "notice", "report", "set_console"]

Colour = Literal["auto", "always", "never"]


class Console(Protocol):
    """What events are handed to."""

    def send(self, event: Event) -> None:
        """Tells what happened; callable from any thread.

        Args:
            event: What happened.
        """

    def close(self) -> None:
        """Ends what goes on by itself, such as a live display."""


_guard = threading.Lock()
_console: Console | None = None
_amount: Amount = "normal"
_colour: Colour = "auto"
_live = True
_said: set[tuple[str, str]] = set()


def configure(*, amount: Amount | None = None, colour: Colour | None = None, live: bool = True) -> None:
    """Says how the console of this process tells what happens; the next event finds one made so.

    Args:
        amount: How much: "quiet" leaves summaries and errors, "verbose" adds the output of steps.
        colour: "auto" is on a terminal, unless `NO_COLOR` is set.
        live: Whether a terminal shows what goes on as it does; not where something else writes to it.
    """
    global _amount, _colour, _live
    _live = live
    _amount, _colour = amount or _amount, colour or _colour
    set_console(None)


def set_console(new: Console | None) -> None:
    """Puts another console in place.

    Args:
        new: The console; None for the one that fits where standard error goes.
    """
    global _console
    with _guard:
        old, _console = _console, new
        _said.clear()
    if old is not None and old is not new:
        old.close()


def console() -> Console:
    """Returns: the console of this process; live on a terminal, plain lines elsewhere."""
    global _console
    with _guard:
        if _console is None:
            _console = _fitting()
        return _console


def _fitting() -> Console:
    terminal = _is_terminal(sys.stderr)
    colour = _colour == "always" or (_colour == "auto" and terminal and not os.environ.get("NO_COLOR"))
    if terminal and _live and _amount == "normal" and not os.environ.get("CI"):
        from scriptstep.console.live import LiveConsole

        return LiveConsole(_amount, colour=colour)
    return PlainConsole(_amount, colour=colour)


def _is_terminal(stream: object) -> bool:
    try:
        return bool(stream.isatty()) and os.environ.get("TERM") != "dumb"  # type: ignore[attr-defined]
    except (AttributeError, ValueError):
        return False


def notice(text: str, help: str | None = None, level: Level = "note", once: bool = True) -> None:
    """Tells the user something.

    Args:
        text: What it is; further lines may say where.
        help: What to do about it.
        level: How much it matters.
        once: Say it once a process, however often it comes up.
    """
    if once:
        with _guard:
            if (level, text) in _said:
                return
            _said.add((level, text))
    console().send(Notice(level, text, help))


def report(error: BaseException, where: str | None = None) -> None:
    """Tells of an error: what is wrong, where, and what to do; no traceback.

    Args:
        error: The error.
        where: Line of the user's code that it came from, e.g. `pipeline.py:31`; left out where the message names one.
    """
    message = error.message if isinstance(error, AzureMLException) else str(error)
    help = error.help if isinstance(error, AzureMLException) else None
    lines = (message or type(error).__name__).split("\n")
    if where and not any(line.lstrip().startswith("-->") for line in lines):
        lines.insert(
            next((i for i, line in enumerate(lines) if line.startswith("help:")), len(lines)), f"  --> {where}"
        )
    console().send(Notice("error", "\n".join(lines), help))


def emit(text: str) -> None:
    """Prints a result on standard output.

    Args:
        text: Lines; the last one's end is added where it is missing.
    """
    write(sys.stdout, text if text.endswith("\n") else text + "\n")


def emit_bytes(data: bytes) -> None:
    """Prints a result on standard output byte for byte, such as a log.

    Args:
        data: The bytes.
    """
    raw = getattr(sys.stdout, "buffer", None)
    if raw is None:
        write(sys.stdout, data.decode("utf-8", "replace"))
        return
    sys.stdout.flush()
    raw.write(data)
    raw.flush()
