"""What went wrong in a user's script: a mistake in our words as `error:` lines, all else with the user's traceback."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import TracebackType

from scriptstep.console import report
from scriptstep.console.plain import write
from scriptstep.console.text import typed
from scriptstep.errors import ActivityFailedException, AzureMLException

__all__ = ["show_fault", "user_line"]

_OURS = str(Path(__file__).resolve().parent.parent) + os.sep
_PYTHONS = os.path.dirname(os.path.realpath(os.__file__)) + os.sep


def show_fault(fault: BaseException, *, verbose: bool = False) -> None:
    """Prints an exception that ended a script.

    Args:
        fault: The exception.
        verbose: Show the whole traceback of a mistake that has `error:` lines, too.
    """
    if isinstance(fault, ActivityFailedException) and getattr(fault, "_told", False):
        # The console told of the run's end already, with the last lines of its steps.
        return
    if _is_ours(fault):
        if verbose:
            _print_traceback(fault)
        report(fault, user_line(fault.__traceback__))
        return
    _print_traceback(fault)


def _is_ours(fault: BaseException) -> bool:
    """Tells whether we raised it to say that something is wrong, not the user's code and not a bug of ours."""
    if not isinstance(fault, (AzureMLException, NotImplementedError, ImportError)):
        return False
    if isinstance(fault, ImportError):
        return bool(getattr(fault, "_of_alias", False))
    trace = fault.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and _ours(trace)


def _ours(trace: TracebackType) -> bool:
    return os.path.realpath(trace.tb_frame.f_code.co_filename).startswith(_OURS)


def _pythons(name: str) -> bool:
    """Returns: whether a file is one of the standard library's, which stands between us and us: contextlib, say."""
    return name.startswith("<frozen") or (
        os.path.realpath(name).startswith(_PYTHONS) and f"{os.sep}site-packages{os.sep}" not in name
    )


def user_line(trace: TracebackType | None) -> str | None:
    """Returns: the innermost line of the user's code in a traceback, as `pipeline.py:31`; None where there is none."""
    found = None
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if not _ours(trace) and not _pythons(name):
            found = f"{typed(name)}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found


def _print_traceback(fault: BaseException) -> None:
    """Prints a traceback from the user's first frame on; the text that cannot be compiled has none."""
    import traceback

    trace = fault.__traceback__
    while trace is not None and _is_no_users(trace):
        trace = trace.tb_next
    if trace is None and not isinstance(fault, SyntaxError):
        trace = fault.__traceback__
    write(sys.stderr, "".join(traceback.format_exception(type(fault), fault, trace)))


def _is_no_users(trace: TracebackType) -> bool:
    import ast

    name = trace.tb_frame.f_code.co_filename
    return _ours(trace) or name.startswith("<frozen") or name == ast.__file__
