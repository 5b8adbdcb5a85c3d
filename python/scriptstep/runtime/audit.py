"""Notes what a Python process of a step reads, from the audit events that the interpreter raises.

The bootstrap loads this module by its path, before any code of the step's, and only where an audit was asked for. It
judges nothing: what is inside and what is outside is found out afterwards, by the engine. Each thing is noted once a
process, as one line (`ascii` of a dict) that one write appends to a file, so that a process may be killed, fork and
have threads.

Nothing is imported but what every interpreter has loaded by then: a script may be called json.py. Whatever goes wrong
here is swallowed: a script must not break because it is watched.
"""

import os
import stat
import sys
from _thread import _local

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any
else:
    Any = object

__all__ = ["VARIABLE", "install"]

# Names the file that is appended to; the working copy lies beside it.
VARIABLE = "SCRIPTSTEP_AUDIT"

_RUNTIME = os.path.dirname(os.path.abspath(__file__))
_OURS = os.path.dirname(_RUNTIME) + os.sep
_BOOTSTRAP = os.path.join(_RUNTIME, "bootstrap") + os.sep
_IMPORTER = "<frozen importlib._bootstrap_external>"
_NO_READ = getattr(os, "O_PATH", 0)
_UNNAMED = getattr(os, "O_TMPFILE", 0)


def install(file: str) -> None:
    """Watches this process, and those that it forks, from now on.

    Args:
        file: Where to note what it reads.
    """
    watch = _Watch(file)
    watch.note(
        "python",
        executable=sys.executable,
        prefixes=[sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix],
        library=os.path.dirname(os.__file__),
        site=list(sys.modules["site"].getsitepackages()) if "site" in sys.modules else [],
    )
    sys.addaudithook(watch.hear)


class _Watch:
    def __init__(self, file: str) -> None:
        self._file = file
        self._start = os.getcwd()
        code = os.path.join(os.path.dirname(file), "code")
        self._copies = tuple({code + os.sep, os.path.realpath(code) + os.sep})
        self._noted: set[tuple[Any, ...]] = set()
        self._here = _local()
        self._heard: dict[str, Any] = {
            "open": self._open,
            "os.listdir": self._list,
            "os.scandir": self._list,
            "import": self._import,
            "ctypes.dlopen": self._load,
            "sqlite3.connect": self._open_database,
            "socket.getaddrinfo": self._look_up,
            "socket.connect": self._connect,
            "socket.sendto": self._connect,
            "socket.bind": self._bind,
            "subprocess.Popen": self._run,
            "os.exec": self._run_in_place,
            "os.posix_spawn": self._run_in_place,
            "os.system": self._run_shell,
            "os.mkdir": self._make,
            "os.rename": self._move,
            "os.link": self._move,
        }

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Takes an audit event; all of them come by here, so that what is none of ours must cost nothing."""
        act = self._heard.get(event)
        if act is None:
            return
        here = self._here.__dict__
        if here.get("busy"):
            return
        here["busy"] = True
        try:
            act(*arguments)
        except Exception:
            pass
        finally:
            here["busy"] = False

    def note(self, do: str, **what: Any) -> None:
        """Appends one line."""
        # The first newline ends what a full disk may have left half written.
        data = b"\n" + ascii({"do": do, **what}).encode() + b"\n"
        # Opened each time: a script may close every descriptor that it finds.
        descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, data)
        finally:
            os.close(descriptor)

    # --- files

    def _open(self, path: Any, mode: Any, flags: int) -> None:
        if isinstance(path, int) or (_UNNAMED and flags & _UNNAMED == _UNNAMED) or flags & _NO_READ:
            return
        if mode is not None:
            self._see("opened", _text(path), flags)
            return
        for place in _places(_text(path)):
            self._see("opened", place, flags)

    def _list(self, path: Any = None) -> None:
        if isinstance(path, int):
            path = os.readlink(f"/proc/self/fd/{path}")
        self._see("listed", _text("." if path is None else path), os.O_RDONLY)

    def _import(self, name: Any, file: Any, *rest: Any) -> None:
        if isinstance(file, str):  # an extension module; of others it is the file that is seen being opened
            self._see("imported", file, os.O_RDONLY)

    def _load(self, name: Any) -> None:
        if name and os.sep in (path := _text(name)):
            self._see("loaded", path, os.O_RDONLY)

    def _open_database(self, database: Any) -> None:
        path = _text(database)
        if path.startswith("file:"):
            path = path[5:].partition("?")[0]
        if path and path != ":memory:":
            self._see("opened", path, os.O_RDWR | os.O_CREAT)

    def _see(self, how: str, path: str, flags: int) -> None:
        """Notes a file or folder that is about to be read or written."""
        writes, reads = bool(flags & (os.O_WRONLY | os.O_RDWR)), not flags & os.O_WRONLY
        key = (how, path, writes) if os.path.isabs(path) else (how, path, writes, os.getcwd())
        if key in self._noted:
            return
        try:
            found = os.stat(path)
        except OSError:
            if flags & os.O_CREAT:
                self._noted.add(key)
                self.note("made", real=os.path.realpath(path))
            return
        if writes and stat.S_ISDIR(found.st_mode):
            return  # tempfile opens a folder with an `opener`, which makes the file
        if writes and flags & os.O_TRUNC:
            self._noted.add(key)
            self.note("made", real=os.path.realpath(path))
        elif reads and os.access(path, os.R_OK):
            self._noted.add(key)
            self._note_read(how, path, found)

    def _note_read(self, how: str, path: str, found: os.stat_result) -> None:
        who, where, imports = self._whose()
        if imports:
            how = "looked" if how == "listed" else "imported"
        self.note(
            "read",
            how="listed" if how == "opened" and stat.S_ISDIR(found.st_mode) else how,
            path=os.path.abspath(path),
            real=os.path.realpath(path),
            changed=found.st_ctime,
            who=who,
            where=where,
        )

    def _whose(self) -> tuple[str, str | None, bool]:
        """Returns: whose code does this, where that stands in the step's own, and whether it is an import."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_code.co_filename == __file__:
            frame = frame.f_back
        imports = frame is not None and frame.f_code.co_filename == _IMPORTER
        while frame is not None:
            file = frame.f_code.co_filename
            if file.startswith(_OURS) and not file.startswith(_BOOTSTRAP):
                return "scriptstep", None, imports
            if not file.startswith("<"):
                file = os.path.join(self._start, file)
                for copy in self._copies:
                    if file.startswith(copy):
                        return "step", f"{file[len(copy) :]}:{frame.f_lineno}", imports
            frame = frame.f_back
        return "step", None, imports

    # --- what it makes itself

    def _make(self, path: Any, mode: int, folder: int = -1) -> None:
        if folder == -1 and not os.path.lexists(text := _text(path)):
            self.note("made", real=os.path.realpath(text))

    def _move(self, source: Any, target: Any, source_folder: int = -1, target_folder: int = -1) -> None:
        if source_folder == target_folder == -1:
            folder, name = os.path.split(os.path.abspath(_text(target)))
            real = os.path.join(os.path.realpath(folder), name)
            self.note("moved", source=os.path.realpath(_text(source)), real=real)

    # --- the network

    def _look_up(self, host: Any, *rest: Any) -> None:
        self._here.__dict__["host"] = _text(host) if host else None

    def _connect(self, socket: Any, address: Any) -> None:
        if isinstance(address, tuple):
            if isinstance(address[0], str):
                self._tell("connected", host=address[0], port=address[1], name=self._here.__dict__.get("host"))
        elif address:
            self._see("connected", _text(address), os.O_RDONLY)

    def _bind(self, socket: Any, address: Any) -> None:
        if isinstance(address, tuple):
            self._tell("bound", port=address[1])
        elif address:
            self.note("made", real=os.path.realpath(_text(address)))

    # --- programs

    def _run(self, program: Any, arguments: Any, folder: Any, environment: Any) -> None:
        self._run_in_place(program, arguments, environment)

    def _run_in_place(self, program: Any, arguments: Any, environment: Any = None) -> None:
        if (found := _program(_text(program))) is not None:
            names = os.environ if environment is None else {_text(name) for name in environment}
            comes_by = VARIABLE in names and "PYTHONPATH" in names and not _is_isolated(arguments)
            self._tell("started", path=found, comes_by=comes_by)

    def _run_shell(self, command: Any) -> None:
        self._tell("started", path=_program("/bin/sh"), comes_by=False)

    def _tell(self, do: str, **what: Any) -> None:
        """Notes what is no file, with where in the step's code it was done."""
        key = (do, *what.values())
        if key not in self._noted:
            self._noted.add(key)
            who, where, _ = self._whose()
            self.note(do, who=who, where=where, **what)


def _text(path: Any) -> str:
    return os.fsdecode(path)


def _places(path: str) -> list[str]:
    """Returns: where a path may lie that os.open is given, as its event does not tell of `dir_fd`."""
    places = [path]
    if os.path.isabs(path) or not os.path.isdir("/proc/self/fd"):
        return places
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            folder = os.readlink(f"/proc/self/fd/{descriptor}")
        except OSError:  # the one that listed them
            continue
        if folder.startswith(os.sep) and os.path.lexists(place := os.path.join(folder, path)):
            places.append(place)
    return places


def _program(name: str) -> str | None:
    """Returns: the file that a program's name stands for."""
    folders = [""] if os.sep in name else os.environ.get("PATH", os.defpath).split(os.pathsep)
    for folder in folders:
        if os.access(place := os.path.join(folder, name), os.X_OK):
            return os.path.abspath(place)
    return None


def _is_isolated(arguments: Any) -> bool:
    """Returns: whether a Python is told to pass by its environment, or all that is loaded on its way (-E, -I, -S)."""
    for argument in list(arguments)[1:]:
        text = _text(argument)
        if not text.startswith("-") or text[1:2] in ("-", "c", "m"):
            return False
        if set(text) & set("EIS"):
            return True
    return False
