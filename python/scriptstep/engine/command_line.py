"""A command as the shell gets it: what the user wrote, and values that the shell leaves as they are."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

from scriptstep.graph import Argument, Part, StepSpec

__all__ = ["command_argv", "own_python"]

_OPERATOR = re.compile(r"&&|\|\||\|&?|;|&|\(|\)|&?[0-9]*(>>?|<)(&[0-9-]|[\w./-]*)")
# What a command may stand behind.
_BEGINS_COMMAND = frozenset({"&&", "||", "|", "|&", ";", "&", "("})
_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")
_SPECIAL = re.compile(r'[\\"`]|\$(?![A-Za-z_]|\{[A-Za-z_]\w*\})')


def command_argv(spec: StepSpec, value_of: Callable[[Part], str], path: str) -> list[str]:
    """Makes what starts a command: bash where there is one, as on a cluster, else sh.

    Args:
        spec: A step that has a command.
        value_of: Gives what a part of it stands for.
        path: The step's own PATH.

    Returns:
        The shell and its arguments.
    """
    shell = shutil.which("bash", path=path) or "/bin/sh"
    if spec.command == "line":
        return [shell, "-c", _line(spec.arguments[0], value_of)]
    words: list[str] = []
    begins = True
    for word in spec.arguments:
        words.append(_word(word, value_of, begins))
        begins = len(word) == 1 and word[0] in _BEGINS_COMMAND
    return [shell, "-c", " ".join(words)]


def own_python(interpreter: str, folder: Path) -> Path:
    """Finds a folder whose `python` is the step's interpreter.

    Args:
        interpreter: The interpreter.
        folder: Where to make one, if the interpreter's own is none: there a `python` may be missing, or another one.

    Returns:
        The folder, to stand first in PATH.
    """
    own = Path(interpreter).parent
    if all((own / name).exists() and (own / name).samefile(interpreter) for name in ("python", "python3")):
        return own
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("python", "python3"):
        # Not a link: an interpreter finds its packages by the place that it was started from.
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec {shlex.quote(interpreter)} "$@"\n', encoding="utf-8")
        script.chmod(0o755)
    return folder


def _line(argument: Argument, value_of: Callable[[Part], str]) -> str:
    line, quote = "", ""
    for part in argument:
        if isinstance(part, str):
            line, quote = line + part, _quote_after(part, quote)
        else:
            line += _quoted(value_of(part), quote)
    return line


def _quote_after(text: str, quote: str) -> str:
    """Returns: the quote that is open at the end of a text, where `quote` was before it."""
    at = 0
    while at < len(text):
        if text[at] == "\\" and quote != "'":
            at += 1
        elif text[at] == quote:
            quote = ""
        elif not quote and text[at] in "'\"":
            quote = text[at]
        at += 1
    return quote


def _quoted(value: str, quote: str) -> str:
    """Returns: a value as it stands between such quotes; quoted where there are none."""
    if quote == "'":
        return value.replace("'", "'\\''")
    return re.sub(r'([\\"`$])', r"\\\1", value) if quote else shlex.quote(value)


def _word(word: Argument, value_of: Callable[[Part], str], begins: bool) -> str:
    if len(word) == 1 and isinstance(word[0], str):
        text = word[0]
        if _PLAIN.fullmatch(text) or _OPERATOR.fullmatch(text) or (begins and re.search(r"\s", text)):
            return text
    made = "".join(
        _SPECIAL.sub(r"\\\g<0>", part) if isinstance(part, str) else _quoted(value_of(part), '"') for part in word
    )
    return f'"{made}"'
