"""Lines that a notebook hands to the shell: programs that end before the next cell begins, no attempts of a step."""

from __future__ import annotations

import codecs
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

__all__ = ["run_shell"]


def run_shell(
    line: str,
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    *,
    program: str = "/bin/sh",
    on_output: Callable[[str], None] | None = None,
) -> tuple[int, str]:
    """Runs a line of shell.

    Args:
        line: What the shell is to do.
        cwd: Where; this process's working directory where None.
        env: Its environment; this process's where None.
        program: The shell; it takes the line after `-c`.
        on_output: Called with what is printed, as it comes; standard error too.

    Returns:
        The exit code, negative where a signal ended it, and all that was printed.

    Raises:
        FileNotFoundError: There is no such shell.
    """
    process = subprocess.Popen(
        [program, "-c", line],
        cwd=Path(cwd) if cwd is not None else None,
        env=dict(env) if env is not None else None,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    told: list[str] = []
    assert process.stdout is not None
    try:
        while data := os.read(process.stdout.fileno(), 65536):
            _tell(decoder.decode(data), told, on_output)
        _tell(decoder.decode(b"", True), told, on_output)
        code = process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        process.stdout.close()
    return code, "".join(told)


def _tell(text: str, told: list[str], on_output: Callable[[str], None] | None) -> None:
    if text:
        told.append(text)
        if on_output is not None:
            on_output(text)
