"""What another interpreter has to say, asked by a script of ours."""

from __future__ import annotations

import subprocess
from pathlib import Path

from scriptstep.errors import UserErrorException

__all__ = ["probe_interpreter"]

_PROBE_S = 120.0


def probe_interpreter(python: str, script: Path) -> str:
    """Runs a script of ours by another interpreter.

    Args:
        python: The interpreter.
        script: The script; it needs nothing but the standard library.

    Returns:
        What it printed.

    Raises:
        UserErrorException: The interpreter cannot be run, or not that script.
    """
    helped = "check python.interpreter_path of the environment"
    try:
        found = subprocess.run(
            [python, "-I", str(script)], capture_output=True, timeout=_PROBE_S, stdin=subprocess.DEVNULL, check=False
        )
    except subprocess.TimeoutExpired:
        message = f"the interpreter {python} did not tell what it has installed within {_PROBE_S:g} s"
        raise UserErrorException(message, help=helped) from None
    except (OSError, ValueError) as error:
        raise UserErrorException(f"the interpreter {python} cannot be run: {error}", help=helped) from None
    if found.returncode != 0:
        last = found.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise UserErrorException(
            f"the interpreter {python} cannot tell what it has installed: {' '.join(last) or found.returncode}",
            help="scriptstep needs Python 3.10 or newer there",
        )
    return found.stdout.decode("utf-8", "surrogateescape")
