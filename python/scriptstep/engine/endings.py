"""How a step's end is told: what went wrong, and where in the user's code."""

from __future__ import annotations

import posixpath
import re
import signal
from collections.abc import Sequence

from scriptstep.console.text import count
from scriptstep.engine.attempt import State, Status
from scriptstep.errors import AzureMLException
from scriptstep.graph import StepSpec

__all__ = ["why_ended", "why_missing", "why_refused"]

_NO_MODULE = re.compile(r"No module named '?([\w.]+)'?")
_NO_NAME = re.compile(r"cannot import name '(\w+)' from (?:partially initialized module )?'([\w.]+)'")
_PYTHON_FILE = re.compile(r"[^\s'\"]+\.pyi?(?=['\"\s:]|$)")


def why_refused(spec: StepSpec, mistake: AzureMLException) -> str:
    """Tells why a step could not be run.

    Args:
        spec: The step.
        mistake: What is wrong.

    Returns:
        What, the step, where it was declared, and what to do.
    """
    message = mistake.message if spec.name in mistake.message else f"step '{spec.name}': {mistake.message}"
    if spec.declared_at and spec.declared_at not in message:
        message += f"\n  --> {spec.declared_at}"
    return message + (f"\nhelp: {mistake.help}" if mistake.help else "")


def why_ended(spec: StepSpec, status: Status) -> str:
    """Tells how an attempt that did not succeed came to its end.

    Args:
        spec: The step.
        status: How its attempt ended.

    Returns:
        A line.
    """
    if status.state is State.TIMEOUT:
        return f"timed out after {spec.run.timeout_s:g} s: max_run_duration_seconds of its run configuration"
    if status.message:
        return status.message
    whose = "" if status.rank is None else f"process of rank {status.rank}: "
    if status.signal:
        try:
            name = signal.Signals(status.signal).name
        except ValueError:
            name = str(status.signal)
        return f"{whose}killed by signal {name}"
    return f"{whose}exit code {status.exit_code}"


def why_missing(lines: Sequence[str], left_out: Sequence[bytes], roots: Sequence[str]) -> str:
    """Tells whether a script did not find a file because `hash_paths="imports"` left it out.

    Args:
        lines: The end of its log.
        left_out: The files that were left out.
        roots: The folders in which it finds modules.

    Returns:
        What to add to why it failed; empty where that was not it.
    """
    names = [path.decode("utf-8", "surrogateescape") for path in left_out]
    for line in reversed(lines):
        modules = [name for name in names if _misses_module(line, name, roots)]
        files = sorted((name for name in names if _misses_file(line, name)), key=len)
        if missed := modules or files[-1:]:
            more = f" and {count(len(missed) - 1, 'more file')}" if len(missed) > 1 else ""
            return (
                f"; hash_paths='imports' left out {missed[0]}{more}, which no import names: import it (under `if "
                "TYPE_CHECKING:` is enough), or list what the step needs: hash_paths=[...]"
            )
    return ""


def _misses_module(line: str, name: str, roots: Sequence[str]) -> bool:
    modules = [found[1] for found in _NO_MODULE.finditer(line)]
    modules += [f"{found[2]}.{found[1]}" for found in _NO_NAME.finditer(line)]
    places = [posixpath.join(root, module.replace(".", "/")) for module in modules for root in roots]
    return any(name == f"{place}.py" or name.startswith(f"{place}/") for place in places)


def _misses_file(line: str, name: str) -> bool:
    if "No such file" not in line and "can't open file" not in line:
        return False
    files = (posixpath.normpath(found[0]).lstrip("./") for found in _PYTHON_FILE.finditer(line))
    return any(f"/{file}".endswith(f"/{name}") for file in files)
