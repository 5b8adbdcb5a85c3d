"""The coordinator's end of the two pipes to its warden."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

__all__ = ["WardenProcess"]

_WARDEN = Path(__file__).with_name("warden.py")


class WardenProcess:
    """A warden that runs; neither end of its pipes can block the coordinator.

    Raises:
        OSError: It cannot be started.
    """

    def __init__(self) -> None:
        if not sys.executable:
            raise OSError("this interpreter does not tell where it lies (sys.executable)")
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_WARDEN)],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C at the terminal is for the coordinator
            cwd="/",  # its environment is this one's: an interpreter may need LD_LIBRARY_PATH to start at all
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._orders, self._reports = self._process.stdin.fileno(), self._process.stdout.fileno()
        self._wake, self._waker = os.pipe()
        for descriptor in (self._orders, self._reports, self._wake, self._waker):
            os.set_blocking(descriptor, False)
        self._unsent = bytearray()
        self._unread = b""
        _alive.add(self)

    @property
    def pid(self) -> int:
        """Returns: id of the warden's process."""
        return self._process.pid

    def send(self, order: dict[str, Any]) -> None:
        """Gives an order; what the pipe does not take at once follows with `receive`.

        Args:
            order: Plain data.

        Raises:
            OSError: The warden is gone.
        """
        self._unsent += json.dumps(order).encode() + b"\n"
        self._flush()

    def receive(self) -> tuple[list[dict[str, Any]], bool]:
        """Reads what the warden told; does not wait.

        Returns:
            What it told, and whether it may tell more: it may not when it and all its guards are gone.
        """
        with contextlib.suppress(OSError):
            self._flush()
        told: list[dict[str, Any]] = []
        while True:
            try:
                data = os.read(self._reports, 65536)
            except BlockingIOError:
                return told, True
            if not data:
                return told, False
            *lines, self._unread = (self._unread + data).split(b"\n")
            told += [json.loads(line) for line in lines]

    def wait(self, seconds: float) -> None:
        """Waits until there is something to receive, or `wake` is called, or `seconds` are over."""
        waits = select.poll()
        waits.register(self._reports, select.POLLIN)
        waits.register(self._wake, select.POLLIN)
        if self._unsent:
            waits.register(self._orders, select.POLLOUT)
        waits.poll(max(0, int(seconds * 1000) + 1))
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake, 4096)

    def wake(self) -> None:
        """Ends a `wait` in another thread."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._waker, b".")

    def end(self, seconds: float) -> int:
        """Closes the pipe to it, at which it ends all that it guards, and waits for that.

        Args:
            seconds: How long; then it is killed, and its guards end what they guard.

        Returns:
            Its exit code; negative where a signal ended it.
        """
        _alive.discard(self)
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        with contextlib.suppress(OSError):
            stdin.close()
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        stdout.close()
        os.close(self._wake)
        os.close(self._waker)
        return code

    def _flush(self) -> None:
        while self._unsent:
            try:
                del self._unsent[: os.write(self._orders, self._unsent)]
            except BlockingIOError:
                return

    def _leave_to_parent(self) -> None:
        """Lets go of the pipes in a forked process: held open there, they would hide this one's end."""
        self._process.returncode = 0  # not this process's child to wait for
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()


_alive: weakref.WeakSet[WardenProcess] = weakref.WeakSet()


def _after_fork() -> None:
    for warden in list(_alive):
        warden._leave_to_parent()
    _alive.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
