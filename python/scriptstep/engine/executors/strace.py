"""Watches an attempt's native code and the programs that it starts, where strace is there and may do so.

strace is made a grandchild of the attempt (`-D`): process ids, signals, exit codes and what the guard waits for stay as
they are without it. What it writes is read afterwards; all text in it is hexadecimal (`-xx`), so that no name upsets
that.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from scriptstep.engine.attempt import Attempt
from scriptstep.records import dataclass, replace

__all__ = ["Traced", "read_trace", "traced", "why_not_traced"]

_PROBE_S = 20.0
# A question mark: some processors have no such call.
_CALLS = "?open,?creat,openat,?openat2,execve,?execveat,connect,bind,clone,?clone3,?fork,?vfork"
_OPTIONS = ("-D", "-f", "-qq", "-yy", "-xx", "-e", f"trace={_CALLS}", "-e", "signal=none")
# What else is printed is numbers: nothing of arguments and environments, which may hold secrets.
_DECODED = ("-e", "verbose=connect,bind,openat2")
# Stops a process only at the calls above, not at each; older ones cannot.
_FAST = "--seccomp-bpf"

_WHOLE = re.compile(r"(\d+) +(\w+)\((.*)\) += (-?\d+|\?)(?:<([^<>]*))?")
_BEGUN = re.compile(r"(\d+) +(\w+\(.*?),? <unfinished \.\.\.>")
_RESUMED = re.compile(r"(\d+) +<\.\.\. \w+ resumed>(.*)")
_FILE = re.compile(r'(?:(?:AT_FDCWD|\d+)(?:<([^<>]*)[^,]*)?, )?"([^"]*)"(?:, (.*))?')
_ADDRESS = re.compile(r'\d+<([^<>]*)>.*port=htons\((\d+)\).*?"([^"]*)"')
_SOCKET = re.compile(r'sun_path="([^"]*)"')
_FAILED, _LATER = " = -1 ", "EINPROGRESS"
_FORKS = frozenset({"clone", "clone3", "fork", "vfork"})


@dataclass(frozen=True)
class Traced:
    """Something that a process of an attempt did.

    Attributes:
        do: "read", "made" (a file that was not there, or was emptied), "started" (a program), "connected" or "bound".
        path: The file as it was named, absolute; empty for an address.
        real: The file without links on the way.
        host: Address, of a connection.
        port: Its port.
        program: The program that did it.
    """

    do: str
    path: str = ""
    real: str = ""
    host: str = ""
    port: int = 0
    program: str = ""


@functools.cache
def _command() -> tuple[str, ...] | str:
    """Returns: the beginning of a command line that works here, or why there is none."""
    strace, true = shutil.which("strace"), shutil.which("true")
    if strace is None or true is None:
        return "strace is not installed"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trace"
        for fast in ((_FAST,), ()):
            command = (strace, *fast, *_OPTIONS, *_DECODED)
            try:
                ended = subprocess.run(
                    [*command, "-o", str(file), "--", true], capture_output=True, timeout=_PROBE_S, check=False
                )
                if ended.returncode == 0 and b"execve(" in file.read_bytes():
                    return command
            except (OSError, subprocess.TimeoutExpired):
                pass
    return "strace may not watch processes here (ptrace is not permitted)"


def why_not_traced() -> str | None:
    """Returns: why attempts cannot be watched by strace, or None where they can."""
    command = _command()
    return command if isinstance(command, str) else None


def traced(attempt: Attempt, begin: Path) -> Attempt:
    """Makes an attempt one that strace watches; it stays as it is where that cannot be.

    Args:
        attempt: The attempt.
        begin: Where to write what is seen; each of several processes adds its number to the name.

    Returns:
        The attempt.
    """
    command = _command()
    if isinstance(command, str):
        return attempt

    def watched(argv: tuple[str, ...], number: int) -> tuple[str, ...]:
        return (*command, "-o", f"{begin}.{number}", "--", *argv)

    return replace(
        attempt,
        argv=watched(attempt.argv, 0),
        processes=tuple(replace(p, argv=watched(p.argv, n)) for n, p in enumerate(attempt.processes)),
    )


def read_trace(begin: Path, folder: str) -> Iterator[Traced]:
    """Reads what strace wrote of an attempt, each thing once, in the order that it was done; then removes that.

    Args:
        begin: Where it was to write.
        folder: Working directory that the attempt began in.

    Yields:
        What was done, with success.
    """
    for file in sorted(begin.parent.glob(begin.name + ".*")):
        yield from _Reader(folder).read(file)
        file.unlink()


class _Reader:
    def __init__(self, folder: str) -> None:
        self._first = folder
        self._folders: dict[str, str] = {}
        self._programs: dict[str, str] = {}
        self._seen: set[tuple[str, str]] = set()

    def read(self, file: Path) -> Iterator[Traced]:
        begun: dict[str, str] = {}
        with open(file, encoding="ascii", errors="replace") as lines:
            for line in lines:
                if (found := _BEGUN.match(line)) is not None:
                    begun[found[1]] = found[2]
                    continue
                if (found := _RESUMED.match(line)) is not None:
                    line = f"{found[1]} {begun.pop(found[1], '')}{found[2]}"
                if _FAILED in line and _LATER not in line:
                    continue  # most are: a library is looked for in many places
                if (found := _WHOLE.match(line)) is not None:
                    pid, call, given, code, opened = found.groups()
                    if call in _FORKS:
                        self._programs.setdefault(code, self._programs.get(pid, ""))
                        self._folders.setdefault(code, self._folders.get(pid, self._first))
                    elif code != "?":
                        yield from self._read_one(pid, call, given, opened)

    def _read_one(self, pid: str, call: str, given: str, opened: str | None) -> Iterator[Traced]:
        if call in ("connect", "bind"):
            made = _connection(call, given)
        elif (found := _FILE.match(given)) is None:
            return
        else:
            folder = self._folder(pid, found[1], given)
            path = os.path.join(folder, _text(found[2]))
            if call in ("execve", "execveat"):
                self._programs[pid] = path
                made = Traced("started", path, os.path.realpath(path))
            else:
                made = _opening(path, _text(opened or ""), found[3] or "", creates=call == "creat")
        program = self._programs.get(pid, "")
        if made is not None and (key := (program, repr(made))) not in self._seen:
            self._seen.add(key)
            yield replace(made, program=program)

    def _folder(self, pid: str, named: str | None, given: str) -> str:
        if named is None:
            return self._folders.get(pid, self._first)
        folder = _text(named)
        if given.startswith("AT_FDCWD"):
            self._folders[pid] = folder
        return folder


def _opening(path: str, real: str, flags: str, creates: bool) -> Traced | None:
    if not real.startswith("/") or "O_PATH" in flags or "O_TMPFILE" in flags:
        return None
    if creates or "O_TRUNC" in flags or "O_EXCL" in flags:
        return Traced("made", path, real)
    return None if "O_WRONLY" in flags else Traced("read", path, real)


def _connection(call: str, given: str) -> Traced | None:
    do = "connected" if call == "connect" else "bound"
    if (found := _ADDRESS.search(given)) is not None:
        # The C library connects sockets for datagrams, and sends nothing, to find out which address is the nearest.
        return None if _text(found[1]).startswith("UDP") else Traced(do, host=_text(found[3]), port=int(found[2]))
    if (found := _SOCKET.search(given)) is not None and (path := _text(found[1])).startswith("/"):
        return Traced(do, path, os.path.realpath(path))
    return None


@functools.lru_cache(4096)
def _text(spelled: str) -> str:
    try:
        return os.fsdecode(bytes.fromhex(spelled.replace("\\x", "")))
    except ValueError:  # cut off
        return ""
