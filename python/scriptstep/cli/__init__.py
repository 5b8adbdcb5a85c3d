"""The command line: `scriptstep run | plan | explain | runs | logs | ...`."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: What follows the program's name; the process's own where None.

    Returns:
        The exit code.
    """
    from scriptstep.cli import garbage

    garbage.hold()
    try:
        from scriptstep.cli.commands import main as run

        return run(arguments)
    finally:
        garbage.release()
