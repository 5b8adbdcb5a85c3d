"""Commands of the command line, each with its options and what it does, alone or in a group."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, TypeAlias, cast

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
        asked: The only command that is going to be asked for; None where any may be.

    Attributes:
        has_asked: Whether that one was added.
    """

    def __init__(
        self,
        parser: argparse.ArgumentParser,
        shared: argparse.ArgumentParser,
        dest: str,
        required: bool = False,
        asked: str | None = None,
    ) -> None:
        self._shared, self._asked = shared, asked
        self.has_asked = False
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
        if self._asked not in (None, name):
            # To make all of them takes a tenth of a short run.
            return cast(argparse.ArgumentParser, _Unasked())
        self.has_asked = True
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


class _Unasked:
    """Stands for the parser of a command that is not asked for: takes whatever is declared of it."""

    def __getattr__(self, name: str) -> Callable[..., _Unasked]:
        return lambda *args, **options: self
