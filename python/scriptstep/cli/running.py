"""Running a user's script or notebook in this process, and what its end means."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import CodeType, FrameType, ModuleType

from scriptstep.console import Notice, console, notice
from scriptstep.errors import UserErrorException

__all__ = ["INTERRUPTED", "run_module", "run_path"]

INTERRUPTED = 130
_TERMINATED = 143


class _Terminated(BaseException):
    """The system asked this process to end."""


def run_path(path: str, arguments: Sequence[str], *, verbose: bool = False) -> int:
    """Runs a script or a notebook as `python FILE` would, `azureml` being ours.

    Args:
        path: The file.
        arguments: What the script finds in `sys.argv[1:]`.
        verbose: Show the whole traceback of an error, too.

    Returns:
        The exit code.

    Raises:
        UserErrorException: The file cannot be read.
    """
    file = Path(path)
    if file.is_dir() and (file / "__main__.py").is_file():
        file = file / "__main__.py"
    if not file.is_file():
        kind = "a folder" if file.is_dir() else "not there"
        raise UserErrorException(
            f"'{path}' is {kind}", help="give a .py file or a notebook: scriptstep run pipeline.py"
        )
    _prepare([path, *arguments])
    if file.suffix == ".ipynb":
        from scriptstep.cli.notebook import run_notebook

        return _supervised(lambda: run_notebook(file), verbose)
    try:
        source = file.read_bytes()
    except OSError as error:
        raise UserErrorException(f"'{path}' cannot be read: {error.strerror}") from error
    sys.path[0:1] = [str(file.resolve().parent)]
    module = _main_module(path)
    return _supervised(lambda: _execute(compile(source, path, "exec", dont_inherit=True), module), verbose)


def run_module(name: str, arguments: Sequence[str], *, verbose: bool = False) -> int:
    """Runs a module as `python -m MODULE` would, `azureml` being ours.

    Args:
        name: Its dotted name.
        arguments: What it finds in `sys.argv[1:]`.
        verbose: Show the whole traceback of an error, too.

    Returns:
        The exit code.
    """
    import runpy

    _prepare([name, *arguments])
    sys.path[0:1] = [os.getcwd()]

    def run() -> None:
        try:
            runpy.run_module(name, run_name="__main__", alter_sys=True)
        except ImportError as error:
            # runpy's own word that there is no such module, not one that the module failed to import.
            if error.__traceback__ is not None and _raised_by(error, "runpy") and error.__cause__ is None:
                raise UserErrorException(f"module '{name}' cannot be run: {error}") from None
            raise

    return _supervised(run, verbose)


def _raised_by(error: BaseException, module: str) -> bool:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_globals.get("__name__") == module


def _prepare(argv: list[str]) -> None:
    from scriptstep.azureml import install

    sys.argv[:] = argv
    install()


def _main_module(file: str) -> ModuleType:
    module = ModuleType("__main__")
    module.__dict__.update(__file__=file, __builtins__=__builtins__, __spec__=None, __cached__=None)
    sys.modules["__main__"] = module
    return module


def _execute(code: CodeType, module: ModuleType) -> None:
    exec(code, module.__dict__)


def _supervised(run: Callable[[], None], verbose: bool) -> int:
    """Runs it; then waits for its runs, and says by the exit code what came of those that nobody waited for."""
    _answer_signals()
    try:
        code = _guarded(run, verbose)
        failed = _wait_for_runs()
        return code or (1 if failed else 0)
    except KeyboardInterrupt:
        _cancel()
        return INTERRUPTED
    except _Terminated:
        _cancel()
        return _TERMINATED
    finally:
        with suppress(Exception):
            console().close()


def _guarded(run: Callable[[], None], verbose: bool) -> int:
    try:
        run()
    except SystemExit as end:
        return _exit_code(end)
    except (KeyboardInterrupt, _Terminated):
        raise
    except BaseException as fault:
        from scriptstep.cli.faults import show_fault

        show_fault(fault, verbose=verbose)
        return 1
    return 0


def _exit_code(end: SystemExit) -> int:
    if end.code is None:
        return 0
    if isinstance(end.code, int):
        return end.code & 0xFF
    console().send(Notice("error", str(end.code)))
    return 1


def _wait_for_runs() -> bool:
    """Waits for the runs of this process. Returns whether one failed that the script did not wait for."""
    if "scriptstep.run.waiting" not in sys.modules:
        return False
    from scriptstep.run.status import short
    from scriptstep.run.waiting import remembered

    runs = remembered()
    left = [(active, active.waited_for) for active in runs]
    for active in runs:
        if not active.done:
            notice(f"waiting for run {short(active.run_id)} to end; Ctrl-C cancels it")
        while not active.wait(0.2):
            pass
    return any(not waited and _failed(active.run_id) for active, waited in left)


def _failed(run_id: str) -> bool:
    from scriptstep.engine.active_run import active

    found = active(run_id)
    if found is not None and found.error is not None:
        return True
    from scriptstep.cli.listing import status_of_run

    return status_of_run(run_id) == "Failed"


def _cancel() -> None:
    if "scriptstep.run.waiting" in sys.modules:
        from scriptstep.run.waiting import cancel_and_wait

        cancel_and_wait()


def _answer_signals() -> None:
    """Makes a request to end one that cancels runs; a script that handles these signals itself keeps doing so."""
    if threading.current_thread() is not threading.main_thread():
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        # A step that has the terminal gets the signal itself, and a debugger lives by it.
        terminal = sys.modules.get("scriptstep.engine.executors.terminal")
        if terminal is None or not terminal.is_terminal_taken():
            signal.default_int_handler(number, frame)

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupt)

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)
        raise _Terminated

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, end)
