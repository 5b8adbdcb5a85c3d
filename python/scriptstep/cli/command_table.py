"""Commands of the command line, each with its options and what it does, alone or in a group."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, TypeAlias

__all__ = ["Act", "CommandTable"]

# What a command does, given its options and the arguments of a user's script; it gives the exit code.
Act: TypeAlias = Callable[[Any, list[str]], int]


class CommandTable:
    """The commands of the program, or those of a group of them.

    Args:
        parser: The parser of the program, or of the group.
        shared: Options that each of them takes.
        dest: Where the parser keeps which was chosen.
        required: Whether one of them must be given.
    """

    def __init__(
        self, parser: argparse.ArgumentParser, shared: argparse.ArgumentParser, dest: str, required: bool = False
    ) -> None:
        self._shared = shared
        self._commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest=dest, required=required)

    def add(self, name: str, about: str, act: Act | None, **more: Any) -> argparse.ArgumentParser:
        """Adds a command.

        Args:
            name: How it is called.
            about: What it does, in a line.
            act: Does it; None for what does nothing by itself.
            **more: What else its parser gets: `description` in place of the line, `epilog`, `usage`.

        Returns:
            Its parser.
        """
        made = self._commands.add_parser(
            name,
            help=about,
            parents=[self._shared],
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            **{"description": about, **more},
        )
        if act is not None:
            made.set_defaults(act=act)
        return made

    def group(self, name: str, about: str, act: Act | None = None, **more: Any) -> CommandTable:
        """Adds a command that has commands of its own; what it does without one of them is `act`.

        Args:
            name: How it is called.
            about: What it does, in a line.
            act: What it does by itself; None where one of its commands must be given.
            **more: As of `add`.

        Returns:
            What its commands are added to.
        """
        parser = self.add(name, about, act, **more)
        return CommandTable(parser, self._shared, "what", required=act is None)
