"""Starts attempts and ends their whole process trees; runs by itself, as `python -I -S warden.py`.

The coordinator writes one JSON object a line to its standard input and reads them from its standard output. For each
attempt the warden forks a guard, which starts the script, or several processes of it, waits for them and ends whatever
they left behind; one that fails ends the others. Nothing
outlives the coordinator, however it ends: the warden hears of that by the end of a pipe, and a guard of the warden's
end likewise. A guard that is killed takes its script with it, and the warden ends what is left.

On Linux a guard is the parent of its descendants' orphans, so also processes that left the session are ended. Elsewhere
(macOS) orphans cannot be gathered: there it is the script's process group that is ended, and a process that leaves both
the group and its parent gets away.

Only the standard library, and one thread: a fork is safe here. Text of the user's crosses the pipe as one character a
byte, so that no locale can change it.
"""

from __future__ import annotations

import errno
import gc
import json
import os
import select
import signal
import sys
import time
from typing import Any

_AFTER_EXIT_S = 2.0  # for what a script left behind, between SIGTERM and SIGKILL
_ORPHANED_S = 0.5  # the same, once there is no coordinator any more
_GIVE_UP_S = 20.0  # after SIGKILL: what is stuck in the kernel then is named, and left
_KILL_AGAIN_S = 0.02
_LONGEST_WAIT_S = 3600.0  # poll takes no more than 24 days, and an attempt may last longer

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc: Any = None
if sys.platform.startswith("linux"):
    try:
        import ctypes

        _libc = ctypes.CDLL(None)
    except (ImportError, OSError):
        pass


def _gather_orphans() -> bool:
    """Makes this process the parent of its descendants' orphans. Returns whether it is."""
    return _libc is not None and bool(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def _bytes(text: str) -> bytes:
    return text.encode("latin-1")


class Guard:
    """Watches one attempt, in a process of its own.

    Args:
        order: What to start, and how.
        control: Where to read that it has to end; its own end says so too.
        report: Where to tell how it goes.
    """

    def __init__(self, order: dict[str, Any], control: int, report: int) -> None:
        self.order, self.control, self.report = order, control, report
        self.how = "exit"
        self.gathers = False
        self.scripts: dict[int, int] = {}  # process id -> rank
        self.waited_for: set[int] = set()  # those that do not serve others
        self.status: int | None = None
        self.rank: int | None = None  # which one failed
        self.deadline: float | None = None
        self.kill_at: float | None = None
        self.message: str | None = None

    def run(self) -> int:
        """Starts the script, waits for its end and for that of all that it started, and tells of it.

        Returns:
            0; 1 where this process itself failed.
        """
        try:
            self._run()
        except BaseException:
            if self.scripts:
                self._signal_all(signal.SIGKILL)
            import traceback

            at = time.time()
            self._tell(state="ended", how="fault", started=at, time=at, message=traceback.format_exc())
            return 1
        return 0

    def _run(self) -> None:
        os.setsid()
        self.gathers = _gather_orphans()
        self.wake, wake_write = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(wake_write, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        started = time.time()
        try:
            for rank, process in enumerate(self.order["processes"]):
                self._start(rank, process)
        except OSError as error:
            self._end_started()
            self._tell(state="ended", how="error", started=started, time=time.time(), message=_words(error))
            return
        self._tell(state="running", time=started)
        if self.order["timeout"] is not None:
            self.deadline = time.monotonic() + float(self.order["timeout"])
        self._watch()
        code = None if self.status is None else os.waitstatus_to_exitcode(self.status)
        self._tell(
            state="ended",
            how=self.how,
            exit=code if code is not None and code >= 0 else None,
            signal=-code if code is not None and code < 0 else None,
            started=started,
            time=time.time(),
            message=self.message,
            rank=self.rank,
        )

    def _start(self, rank: int, process: dict[str, Any]) -> None:
        argv = [_bytes(a) for a in process["argv"]]
        env = {_bytes(k): _bytes(v) for k, v in process["env"].items()}
        program = _program(argv[0], env)
        guard = os.getpid()
        log = os.open(_bytes(process["log"]), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        failed_read, failed_write = os.pipe()  # closed by a successful exec
        script = os.fork()
        if script == 0:
            try:
                os.setsid()
                if _libc is not None:
                    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
                    if os.getppid() != guard:
                        os._exit(127)
                signal.set_wakeup_fd(-1)
                for number in _CHANGED_SIGNALS:
                    signal.signal(number, signal.SIG_DFL)
                signal.pthread_sigmask(signal.SIG_SETMASK, ())
                os.dup2(log, 1)  # descriptor 0 is nothing already
                os.dup2(log, 2)
                os.chdir(_bytes(self.order["cwd"]))
                os.execve(program, argv, env)
            except BaseException as error:
                os.write(failed_write, _words(error, program).encode("utf-8", "backslashreplace"))
            os._exit(127)
        os.close(failed_write)
        os.close(log)
        message = b""
        while chunk := os.read(failed_read, 4096):
            message += chunk
        os.close(failed_read)
        if message:
            os.waitpid(script, 0)
            raise OSError(message.decode())
        self.scripts[script] = rank
        if not process["server"]:
            self.waited_for.add(script)

    def _end_started(self) -> None:
        """Ends those that were started before one that could not be."""
        while True:
            self._signal_all(signal.SIGKILL)
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                return

    def _watch(self) -> None:
        """Returns when the script and all that it started are gone."""
        waits = select.poll()
        waits.register(self.wake, select.POLLIN)
        waits.register(self.control, select.POLLIN)
        while True:
            others = self._reap()
            now = time.monotonic()
            if self.status is not None:
                if not (others if self.gathers else self._signal_groups(0)):
                    break
                self._end(_AFTER_EXIT_S)
            elif self.deadline is not None and now >= self.deadline:
                self.deadline = None
                if self.how == "exit":
                    self.how = "timeout"
                self._end(float(self.order["grace"]))
            if self.kill_at is not None and now >= self.kill_at:
                self._signal_all(signal.SIGKILL)
                if now >= self.kill_at + _GIVE_UP_S:
                    self.message = self._name_the_stuck()
                    break
            for descriptor, _ in waits.poll(self._pause(now)):
                if descriptor == self.wake:
                    os.read(self.wake, 4096)
                elif not self._hear():
                    waits.unregister(self.control)
        if not self.gathers:
            self._signal_groups(signal.SIGKILL)

    def _pause(self, now: float) -> int | None:
        """Returns: how long to wait for a child or an order, milliseconds; None for ever."""
        if self.kill_at is not None:
            left = self.kill_at - now
            # Without gathering, nobody tells of the end of the last of a group.
            longest = left if self.gathers and left > 0 else _KILL_AGAIN_S
        elif self.deadline is not None:
            longest = self.deadline - now
        else:
            return None
        return max(0, int(min(longest, _LONGEST_WAIT_S) * 1000) + 1)

    def _hear(self) -> bool:
        """Reads an order, which can only be to end. Returns whether more may come."""
        data = os.read(self.control, 4096)
        if self.how == "exit" and self.status is None:
            self.how = "cancel" if data else "orphaned"
        self._end(float(json.loads(data.splitlines()[-1])["grace"]) if data else _ORPHANED_S)
        return bool(data)

    def _end(self, grace: float) -> None:
        """Asks everything to end, and sees to it after `grace` seconds; a later call can only shorten that."""
        kill_at = time.monotonic() + grace
        if self.kill_at is None:
            self._signal_all(signal.SIGTERM)
            self.kill_at = kill_at
        self.kill_at = min(self.kill_at, kill_at)

    def _reap(self) -> bool:
        """Reaps what is dead. Returns whether any child is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid in self.scripts:
                self._note_end(pid, status)

    def _note_end(self, pid: int, status: int) -> None:
        """The first that fails ends all; else all end when none is left but those that serve others."""
        self.waited_for.discard(pid)
        if self.status is None and (status != 0 or not self.waited_for):
            self.status = status
            self.rank = self.scripts[pid] if status != 0 else None

    def _signal_all(self, number: int) -> None:
        if self.gathers:
            _signal_each(_below(os.getpid()), number)
        else:
            self._signal_groups(number)

    def _signal_groups(self, number: int) -> bool:
        """Signals the group of each script. Returns whether there is one; 0 only asks."""
        found = False
        for script in self.scripts:
            try:
                os.killpg(script, number)
                found = True
            except OSError:  # on macOS also where only the dead are left
                pass
        return found

    def _name_the_stuck(self) -> str:
        named = []
        for pid in _below(os.getpid())[:5]:
            try:
                with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
                    named.append(f"{pid} ({file.read().strip()})")
            except OSError:
                continue
        return f"still there {_GIVE_UP_S:g} s after SIGKILL: process {', '.join(named) or 'unknown'}"

    def _tell(self, **what: Any) -> None:
        _write(self.report, {"id": self.order["id"], **what})


# What Python, the warden or the shell that started us let be ignored: a script starts with none ignored.
_CHANGED_SIGNALS = [signal.SIGPIPE, signal.SIGCHLD, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP]
if hasattr(signal, "SIGXFSZ"):
    _CHANGED_SIGNALS.append(signal.SIGXFSZ)


def _program(name: bytes, env: dict[bytes, bytes]) -> bytes:
    """Returns: the file to run; a bare name is looked for in the script's own PATH."""
    if b"/" in name:
        return name
    for folder in env.get(b"PATH", os.fsencode(os.defpath)).split(b":"):
        found = os.path.join(folder or b".", name)
        if os.path.isfile(found) and os.access(found, os.X_OK):
            return found
    raise FileNotFoundError(errno.ENOENT, "it is in no folder of PATH", name)


def _words(error: BaseException, program: bytes | None = None) -> str:
    """Returns: an error in words, with the file that it is about."""
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    if error.errno == errno.E2BIG:
        return "its arguments and environment variables are longer than this system takes"
    about = error.filename if error.filename is not None else program
    if isinstance(about, bytes):
        about = about.decode("utf-8", "backslashreplace")
    return f"{error.strerror}: {about}" if about else error.strerror


def _write(descriptor: int, what: dict[str, Any]) -> None:
    _write_all(descriptor, json.dumps(what).encode() + b"\n")


def _write_all(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    try:
        while left:
            left = left[os.write(descriptor, left) :]
    except OSError:  # whoever would read it is gone
        pass


def _children() -> dict[int, list[int]]:
    """Returns: the children of each process, from what the system tells of parents; the dead among them too: one
    whose first thread has ended looks dead, and lives.
    """
    found: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    parent = int(file.read().rsplit(b")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue
            found.setdefault(parent, []).append(int(name))
    return found


def _below(root: int) -> list[int]:
    """Returns: all processes below one, the nearest first."""
    children = _children()
    found = [root]
    for pid in found:  # grows as it goes
        found += children.get(pid, ())
    return found[1:]


def _signal_each(pids: list[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except OSError:
            pass


class Warden:
    """Takes orders, forks guards, and hands on what they tell."""

    def __init__(self) -> None:
        self.guards: dict[int, tuple[str, int, int]] = {}  # report descriptor -> (id, control descriptor, pid)
        self.reports: dict[int, bytes] = {}  # report descriptor -> the line that it is about to tell
        self.orders = bytearray()
        self.listens = True
        self.waits = select.poll()

    def run(self) -> None:
        """Works until the coordinator's end of the pipe is closed and every guard is gone."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.gathers = _gather_orphans()
        self.waits.register(0, select.POLLIN)
        gc.freeze()
        gc.disable()  # nothing here makes cycles, and a collection in a guard would copy its pages
        while self.listens or self.guards:
            for descriptor, _ in self.waits.poll():
                if descriptor in self.guards:
                    self._hand_on(descriptor)
                elif descriptor == 0:
                    self._listen()
        self._end_strays()

    def _listen(self) -> None:
        data = os.read(0, 1 << 20)
        if not data:
            self.listens = False
            self.waits.unregister(0)
            for _, control, _ in self.guards.values():
                os.close(control)
            return
        self.orders += data
        if b"\n" not in data:
            return
        *lines, rest = bytes(self.orders).split(b"\n")
        self.orders = bytearray(rest)
        for line in lines:
            order = json.loads(line)
            if order["do"] == "start":
                self._start(order)
            else:
                self._cancel(order)

    def _start(self, order: dict[str, Any]) -> None:
        opened: list[int] = []
        try:
            opened += os.pipe()
            opened += os.pipe()
            pid = os.fork()
        except OSError as error:  # no descriptor or no process is left
            for descriptor in opened:
                os.close(descriptor)
            at = time.time()
            told = {"id": order["id"], "state": "ended", "how": "error", "started": at, "time": at}
            _write(1, {**told, "message": _words(error)})
            return
        control_read, control_write, report_read, report_write = opened
        if pid == 0:
            code = 1
            try:
                # A guard that held another one's pipe open would hide the warden's end from it. What it keeps is the
                # pipe to the coordinator: so that ends only when every guard has done its work.
                for other, (_, control, _) in self.guards.items():
                    os.close(other)
                    os.close(control)
                os.close(control_write)
                os.close(report_read)
                nothing = os.open(os.devnull, os.O_RDONLY)
                os.dup2(nothing, 0)
                os.close(nothing)
                code = Guard(order, control_read, report_write).run()
            finally:
                os._exit(code)
        os.close(control_read)
        os.close(report_write)
        self.guards[report_read] = (order["id"], control_write, pid)
        self.reports[report_read] = b""
        self.waits.register(report_read, select.POLLIN)

    def _cancel(self, order: dict[str, Any]) -> None:
        for id, control, _ in self.guards.values():
            if id == order["id"]:
                _write(control, {"grace": order["grace"]})

    def _hand_on(self, descriptor: int) -> None:
        data = os.read(descriptor, 65536)
        if data:
            whole, newline, self.reports[descriptor] = (self.reports[descriptor] + data).rpartition(b"\n")
            _write_all(1, whole + newline)
            return
        self.waits.unregister(descriptor)
        os.close(descriptor)
        id, control, pid = self.guards.pop(descriptor)
        del self.reports[descriptor]
        if self.listens:
            os.close(control)
        _, status = os.waitpid(pid, 0)
        if status != 0:
            self._end_strays()
        _write(1, {"id": id, "state": "gone", "time": time.time()})

    def _end_strays(self) -> None:
        """Ends what guards left that were killed: it came to this process."""
        if not self.gathers:
            return
        limit = time.monotonic() + _GIVE_UP_S
        guards = {pid for _, _, pid in self.guards.values()}
        while time.monotonic() < limit:
            strays = [pid for pid in _children().get(os.getpid(), ()) if pid not in guards]
            if not strays:
                return
            _signal_each([p for s in strays for p in (s, *_below(s))], signal.SIGKILL)
            for pid in strays:
                try:
                    os.waitpid(pid, os.WNOHANG)
                except ChildProcessError:
                    pass
            time.sleep(0.002)


if __name__ == "__main__":
    try:
        Warden().run()
    except BaseException:
        import traceback

        _write(1, {"state": "fault", "message": traceback.format_exc()})
        raise SystemExit(1) from None
