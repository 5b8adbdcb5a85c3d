"""Runs a function as a user whom permissions bind: root reads everything, so as root these tests would prove nothing."""

from __future__ import annotations

import inspect
import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NOBODY = 65534

# What the function may use is imported first: the interpreter may lie where only root gets to.
_CHILD = """
import json, os, pathlib, sys, traceback
import scriptstep.content, scriptstep.errors
from pathlib import Path
from scriptstep.content import ContentStore, scan as scan_code
from functools import partial
scan_tree = partial(scan_code, rules=None)
from scriptstep.errors import *
task = json.load(sys.stdin)
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid({nobody})
    os.setuid({nobody})
os.umask(0o022)
space = dict(globals())
exec(compile(task["source"], "<as_user>", "exec"), space)
json.dump(space[task["name"]](*task["arguments"]), sys.stdout)
"""


def as_user(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a function in a process of its own, as `nobody` where we are root, else as we are.

    Args:
        function: It stands at a module's top level and uses nothing but its parameters, `os`, `Path`, and the names of
            scriptstep.content and scriptstep.errors.
        arguments: Its arguments; anything that JSON takes, and paths.

    Returns:
        What it returns; anything that JSON takes.
    """
    given = [os.fspath(one) if isinstance(one, Path) else one for one in arguments]
    source = textwrap.dedent(inspect.getsource(function))
    task = json.dumps({"source": source, "name": function.__name__, "arguments": given})
    done = subprocess.run(
        [sys.executable, "-c", _CHILD.format(nobody=NOBODY)], input=task, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@contextmanager
def users_folder() -> Iterator[Path]:
    """A folder that belongs to the user of `as_user`; pytest's own are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="scriptstep-test-")).resolve()
    try:
        yield folder
    finally:
        for place, folders, _ in os.walk(folder):
            for name in folders:
                if not os.path.islink(os.path.join(place, name)):
                    os.chmod(os.path.join(place, name), 0o700)
        shutil.rmtree(folder)


def give_away(folder: Path) -> None:
    """Gives a folder and all that is in it to the user of `as_user`, and lets nobody's mode stand in his way."""
    if os.geteuid() != 0:
        return
    os.chown(folder, NOBODY, NOBODY)
    for place, folders, files in os.walk(folder):
        for name in folders + files:
            os.chown(os.path.join(place, name), NOBODY, NOBODY, follow_symlinks=False)
