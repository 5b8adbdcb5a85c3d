"""Which script was run or planned last, for commands that name none."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Sequence

from scriptstep.errors import UserErrorException

__all__ = ["recalled", "remember_script"]

_LAST = "last-script.json"


def remember_script(script: Sequence[str], *, if_submitted: bool = False) -> None:
    """Keeps which script was run or planned last, for commands that name none.

    Args:
        script: The file and its arguments, or `-m`, a module and its arguments.
        if_submitted: Only where this process started a run.
    """
    if if_submitted and "scriptstep.run.waiting" not in sys.modules:
        return
    from scriptstep.workspace.place import find_place

    home = find_place().home
    if not home.is_dir():
        return
    aside = home / f".{_LAST}.{os.getpid()}"
    # It is a convenience: a folder that cannot be written to costs nothing else.
    with contextlib.suppress(OSError):
        data = {"folder": os.getcwd(), "script": list(script)}
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(json.dumps(data))
        os.replace(aside, home / _LAST)


def recalled() -> list[str]:
    """Returns: the script that was run or planned last, with its arguments.

    Raises:
        UserErrorException: There is none, or it was run from another folder.
    """
    from scriptstep.workspace.place import find_place

    try:
        data = json.loads((find_place().home / _LAST).read_text(encoding="utf-8"))
        script, folder = [str(part) for part in data["script"]], str(data["folder"])
    except (OSError, ValueError, KeyError, TypeError):
        raise UserErrorException(
            "no pipeline was planned or run here yet", help="name its file: scriptstep plan pipeline.py"
        ) from None
    if folder != os.getcwd():
        raise UserErrorException(
            f"the pipeline that was planned or run last, {script[0]}, was run from {folder}",
            help="go there, or name the file",
        )
    return script
