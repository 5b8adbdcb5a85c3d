"""`scriptstep gc`, `pin`, `unpin` and `verify`: what is stored, how long, and whether it is sound."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from scriptstep.cli.amounts import age, amount

if TYPE_CHECKING:
    from scriptstep.cli.command_table import CommandTable

__all__ = ["add_commands"]

_GC_JSON_ABOUT = """--json prints {"version": 1, "dry_run", "lost": [{"kind" (result, files, code), "workspace", "name",
"run", "step_run", "used" (ISO 8601, UTC), "bytes", "seconds" (to make it again, or null)}], "orphans": {"trees",
"bytes"}, "leftovers": [{"kind" (temporary, trash, damaged), "path", "bytes"}], "caches": [{"kind" (remote, stat),
"path", "bytes"}], "kept": {reason: how many results}, "bytes_before", "bytes_after", "seconds_to_make_again"}."""
_VERIFY_JSON_ABOUT = """--json prints {"version": 1, "sound", "trees", "damaged": [{"tree", "problems", "of":
[{"workspace", "name", "run", "step_run"}], "registered", "set_aside"}], "missing": [{"workspace", "name", "run",
"step_run", "trees"}], "registered_missing": [{"tree", "registered"}], "history": [fault], "leftovers"}. The exit code
is 0 where all is sound, 1 where something is damaged or missing, or the history cannot be read."""


def add_commands(table: CommandTable) -> None:
    """Adds these commands.

    Args:
        table: The commands of the program.
    """
    gc = table.add("gc", "remove from the content store what is not needed", _collect, epilog=_GC_JSON_ABOUT)
    gc.add_argument("--keep", type=age, metavar="AGE", help="results not used for so long lose their files: 30d, 12h")
    gc.add_argument(
        "--max-size", type=amount, metavar="SIZE", help="so do those used least lately, until it fits: 50G, 500M"
    )
    gc.add_argument("--grace", type=age, metavar="AGE", help="what is younger stays in any case (default: 1h)")
    gc.add_argument("-n", "--dry-run", action="store_true", help="tell what would go, and what it cost; change nothing")
    gc.add_argument("--json", action="store_true", help="print it as JSON (see below)")
    for name, about, act in (
        ("pin", "keep the files of a run from gc", _pin),
        ("unpin", "take the pin from a run", _unpin),
    ):
        table.add(name, about, act).add_argument("run", metavar="RUN", help="id of a run, or its first characters")
    verify = table.add(
        "verify", "read all that is stored, and tell what is damaged", _verify, epilog=_VERIFY_JSON_ABOUT
    )
    verify.add_argument(
        "--set-aside", action="store_true", help="move damaged trees out of the way, so that their steps run again"
    )
    verify.add_argument("--json", action="store_true", help="print it as JSON (see below)")


def _collect(options: argparse.Namespace, script: list[str]) -> int:
    from scriptstep.cli.collecting import collect

    return collect(
        keep_s=options.keep,
        max_bytes=options.max_size,
        grace_s=options.grace,
        dry_run=options.dry_run,
        as_json=options.json,
    )


def _pin(options: argparse.Namespace, script: list[str]) -> int:
    from scriptstep.cli.collecting import pin

    return pin(options.run)


def _unpin(options: argparse.Namespace, script: list[str]) -> int:
    from scriptstep.cli.collecting import unpin

    return unpin(options.run)


def _verify(options: argparse.Namespace, script: list[str]) -> int:
    from scriptstep.cli.verifying import verify

    return verify(with_setting_aside=options.set_aside, as_json=options.json)
