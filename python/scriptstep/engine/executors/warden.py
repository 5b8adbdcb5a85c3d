"""Starts attempts and ends their whole process trees; runs by itself, as `python -I -S warden.py`.

The coordinator writes one JSON object a line to its standard input and reads them from its standard output. For each
attempt it forks a guard, which starts the script, waits for it and ends whatever it left behind. A guard hears of the
end of its warden, and the warden of the coordinator's, by the end of a pipe: nothing outlives the coordinator, however it
ends. Where orphans can be gathered (Linux) that holds for processes that left the session too; elsewhere for the script's
process group.

Only the standard library, and one thread: a fork is safe here.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from typing import Any

_GRACE_AFTER_EXIT_S = 2.0
_GRACE_ORPHANED_S = 0.5


def _gather_orphans() -> bool:
    """Makes this process the parent of its descendants' orphans. Returns whether it is."""
    if not sys.platform.startswith("linux"):
        return False
    pr_set_child_subreaper = 36
    return _libc is not None and bool(_libc.prctl(pr_set_child_subreaper, 1, 0, 0, 0) == 0)


try:
    import ctypes

    _libc: Any = ctypes.CDLL(None)
except (ImportError, OSError):
    _libc = None


class Guard:
    """Watches one attempt, in a process of its own."""

    def __init__(self, order: dict[str, Any], control: int, report: int) -> None:
        self.order, self.report = order, report
        self.control: int | None = control
        self.how = "exit"
        self.deadline: float | None = None
        self.grace = 10.0
        self.gathers = False
        self.script = 0

    def run(self) -> None:
        """Starts the script, waits for its end and for that of all that it started, and reports."""
        self.gathers = _gather_orphans()
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_write, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        started = time.time()
        try:
            self.script = self._start()
        except OSError as error:
            self._tell(state="ended", how="error", time=time.time(), started=started, message=str(error))
            return
        self._tell(state="running", pid=self.script, time=started)
        if self.order.get("timeout") is not None:
            self.deadline = time.monotonic() + self.order["timeout"]
        status = self._wait_for_script(wake_read)
        self._end_the_rest(wake_read)
        code = os.waitstatus_to_exitcode(status)
        self._tell(
            state="ended",
            how=self.how,
            exit=code if code >= 0 else None,
            signal=-code if code < 0 else None,
            started=started,
            time=time.time(),
        )

    def _start(self) -> int:
        failed_read, failed_write = os.pipe()  # closed by a successful exec
        log = os.open(self.order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        script = os.fork()
        if script == 0:
            try:
                os.setsid()
                signal.set_wakeup_fd(-1)
                for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGHUP):
                    signal.signal(number, signal.SIG_DFL)
                os.dup2(nothing, 0)
                os.dup2(log, 1)
                os.dup2(log, 2)
                os.chdir(self.order["cwd"])
                argv = [os.fsencode(a) for a in self.order["argv"]]
                env = {os.fsencode(k): os.fsencode(v) for k, v in self.order["env"].items()}
                os.execve(argv[0], argv, env)
            except BaseException as error:
                os.write(failed_write, str(error).encode("utf-8", "replace"))
            os._exit(127)
        for descriptor in (failed_write, log, nothing):
            os.close(descriptor)
        message = b""
        while chunk := os.read(failed_read, 4096):
            message += chunk
        os.close(failed_read)
        if message:
            os.waitpid(script, 0)
            raise OSError(message.decode("utf-8", "replace"))
        return script

    def _wait_for_script(self, wake: int) -> int:
        ending_since: float | None = None
        while True:
            if (status := self._reap(self.script)) is not None:
                return status
            now = time.monotonic()
            if self.deadline is not None and now >= self.deadline and ending_since is None:
                self.how = "timeout"
                ending_since = now
                self._signal_all(signal.SIGTERM)
            if ending_since is not None and now >= ending_since + self.grace:
                self._signal_all(signal.SIGKILL)
            pause = 0.2 if ending_since is not None else None
            if pause is None and self.deadline is not None:
                pause = max(0.0, self.deadline - now)
            ready = select.select([wake, *self._controls()], [], [], pause)[0]
            if wake in ready:
                os.read(wake, 4096)
            if self.control in ready and self._hear(self.control) and ending_since is None:
                ending_since = time.monotonic()
                self._signal_all(signal.SIGTERM)

    def _controls(self) -> list[int]:
        return [self.control] if self.control is not None else []

    def _hear(self, control: int) -> bool:
        """Reads an order. Returns whether the attempt has to end."""
        data = os.read(control, 4096)
        if not data:
            os.close(control)
            self.control = None
            self.how, self.grace = "orphaned", _GRACE_ORPHANED_S
        else:
            self.how, self.grace = "cancel", float(json.loads(data.splitlines()[-1])["grace"])
        return True

    def _end_the_rest(self, wake: int) -> None:
        """Ends every process that the script left behind."""
        limit = time.monotonic() + (_GRACE_ORPHANED_S if self.how == "orphaned" else _GRACE_AFTER_EXIT_S)
        self._signal_all(signal.SIGTERM)
        while self._has_children():
            if time.monotonic() >= limit:
                self._signal_all(signal.SIGKILL)
            ready = select.select([wake], [], [], 0.05)[0]
            if wake in ready:
                os.read(wake, 4096)
        # What ran in the script's session without being gathered here.
        self._signal_group(signal.SIGKILL)

    def _has_children(self) -> bool:
        """Reaps what is dead. Returns whether anything is left."""
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True

    def _reap(self, wanted: int) -> int | None:
        """Reaps what is dead. Returns the status of one process, where that is among it."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return 0
            if pid == wanted:
                return status
            if pid == 0:
                return None

    def _signal_all(self, number: int) -> None:
        if not self.gathers:
            self._signal_group(number)
            return
        for pid in _descendants(os.getpid()):
            try:
                os.kill(pid, number)
            except OSError:
                pass

    def _signal_group(self, number: int) -> None:
        try:
            os.killpg(self.script, number)
        except OSError:
            pass

    def _tell(self, **what: Any) -> None:
        line = json.dumps({"id": self.order["id"], **what}) + "\n"
        try:
            os.write(self.report, line.encode())
        except OSError:
            pass


def _descendants(root: int) -> list[int]:
    """All processes below one, from what the system tells of parents."""
    below: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/" + name + "/stat", "rb") as file:
                    parent = int(file.read().rsplit(b")", 1)[1].split()[1])
            except (OSError, IndexError, ValueError):
                continue
            below.setdefault(parent, []).append(int(name))
    found: list[int] = []
    waiting = [root]
    while waiting:
        for pid in below.get(waiting.pop(), ()):
            found.append(pid)
            waiting.append(pid)
    return found


class Warden:
    """Takes orders, forks guards, and hands their reports on."""

    def __init__(self) -> None:
        self.guards: dict[int, tuple[str, int, int]] = {}  # report descriptor -> (id, control descriptor, pid)
        self.unread = b""

    def run(self) -> None:
        """Works until the coordinator's end of the pipe is closed and every guard is gone."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        open_input = True
        while open_input or self.guards:
            waiting = [*self.guards, *([0] if open_input else [])]
            for descriptor in select.select(waiting, [], [])[0]:
                if descriptor == 0:
                    open_input = self._listen()
                    if not open_input:
                        self._let_go()
                else:
                    self._hand_on(descriptor)

    def _listen(self) -> bool:
        data = os.read(0, 65536)
        if not data:
            return False
        *lines, self.unread = (self.unread + data).split(b"\n")
        for line in lines:
            order = json.loads(line)
            if order["do"] == "start":
                self._start(order)
            else:
                self._cancel(order)
        return True

    def _start(self, order: dict[str, Any]) -> None:
        control_read, control_write = os.pipe()
        report_read, report_write = os.pipe()
        pid = os.fork()
        if pid == 0:
            # A guard that held another one's pipe open would hide the warden's end from it.
            for descriptor in (
                0,
                1,
                control_write,
                report_read,
                *self.guards,
                *(c for _, c, _ in self.guards.values()),
            ):
                os.close(descriptor)
            try:
                Guard(order, control_read, report_write).run()
            finally:
                os._exit(0)
        os.close(control_read)
        os.close(report_write)
        self.guards[report_read] = (order["id"], control_write, pid)

    def _cancel(self, order: dict[str, Any]) -> None:
        for id, control, _ in self.guards.values():
            if id == order["id"]:
                try:
                    os.write(control, json.dumps({"grace": order["grace"]}).encode() + b"\n")
                except OSError:
                    pass

    def _hand_on(self, descriptor: int) -> None:
        data = os.read(descriptor, 65536)
        if data:
            self._tell(data)
            return
        id, control, pid = self.guards.pop(descriptor)
        os.close(descriptor)
        os.close(control)
        os.waitpid(pid, 0)
        self._tell(json.dumps({"id": id, "state": "gone", "time": time.time()}).encode() + b"\n")

    def _tell(self, data: bytes) -> None:
        try:
            os.write(1, data)
        except OSError:
            pass

    def _let_go(self) -> None:
        for _, control, _ in self.guards.values():
            os.close(control)
        self.guards = {d: (id, os.open(os.devnull, os.O_WRONLY), pid) for d, (id, _, pid) in self.guards.items()}


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    Warden().run()
