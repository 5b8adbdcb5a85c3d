"""Commands as a user writes them: a line of shell, or a list of words."""

from __future__ import annotations

from typing import Any

from scriptstep.authoring.site import Site
from scriptstep.authoring.wiring import listed
from scriptstep.errors import ArgumentTypeError

__all__ = ["command_words", "first_word"]


def command_words(command: Any, site: Site) -> list[Any]:
    """Checks a command.

    Args:
        command: A line of shell, or a list of words: text, inputs, outputs, parameters.
        site: The step.

    Returns:
        The words; a line as the one element.

    Raises:
        ArgumentTypeError: It is neither, or empty.
    """
    words = [command] if isinstance(command, str) else listed(command, "command", site)
    if not words or (isinstance(words[0], str) and not words[0].strip()):
        raise site.error("command is empty", "command='python train.py'", ArgumentTypeError)
    return words


def first_word(command: Any) -> str:
    """Returns: the first word of a command, after which a step without a name is called."""
    first = command[0] if isinstance(command, (list, tuple)) and command else command
    words = first.split() if isinstance(first, str) else []
    return words[0] if words else "command"
