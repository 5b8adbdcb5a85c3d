"""Running a notebook without a notebook server: its code cells in order, in its folder; what it would show, as text."""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import inspect
import io
import json
import linecache
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from scriptstep.cli.cells import CellMagic, as_python, cell_magic
from scriptstep.cli.faults import show_fault
from scriptstep.cli.magics import Shell
from scriptstep.console import emit
from scriptstep.errors import UserErrorException
from scriptstep.records import dataclass

__all__ = ["Cell", "Notebook", "read_cells", "run_notebook"]

_SHOW = "__scriptstep_show__"
_BROWSER_ONLY = "HTML Image Markdown Latex SVG JSON Javascript IFrame Pretty"
_RUN_BODY = frozenset(["time", "timeit", "prun", "capture", "memit", "mprun", "lprun"])


@dataclass(frozen=True)
class Cell:
    """A code cell.

    Attributes:
        number: Its place among all cells, from 1.
        source: What it holds.
        may_fail: Whether its author says that it raises.
    """

    number: int
    source: str
    may_fail: bool = False


def read_cells(file: Path) -> list[Cell]:
    """Reads the code cells of a notebook.

    Args:
        file: The notebook, of format 3 or 4.

    Returns:
        Its code cells.

    Raises:
        UserErrorException: It cannot be read, is no notebook, or is written in another language than Python.
    """
    try:
        data = json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UserErrorException(f"'{file}' cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UserErrorException(f"'{file}' is no notebook: {error}") from error
    cells = data.get("cells") if isinstance(data, dict) else None
    if cells is None and isinstance(data, dict) and data.get("worksheets"):
        cells = [cell for sheet in data["worksheets"] for cell in sheet.get("cells", [])]
    if not isinstance(cells, list):
        raise UserErrorException(f"'{file}' is no notebook: it holds no cells")
    metadata = data.get("metadata") or {}
    language = (metadata.get("language_info") or {}).get("name") or (metadata.get("kernelspec") or {}).get("language")
    if language and str(language).lower() not in ("python", "ipython"):
        raise UserErrorException(f"'{file}' is written in {language}, not in Python")
    found = []
    for number, cell in enumerate(cells, 1):
        tags = (cell.get("metadata") or {}).get("tags") or []
        if cell.get("cell_type") == "code" and "skip-execution" not in tags:
            source = cell.get("source", cell.get("input", ""))
            text = "".join(source) if isinstance(source, list) else str(source)
            found.append(Cell(number, text.replace("\r\n", "\n"), "raises-exception" in tags))
    return found


def run_notebook(file: Path) -> None:
    """Runs a notebook's code cells, as one program: its folder is working directory and first on `sys.path`.

    Args:
        file: The notebook.

    Raises:
        UserErrorException: It cannot be read.
    """
    cells = read_cells(file)
    folder = file.resolve().parent
    shown = file.name
    os.chdir(folder)
    sys.path[0:1] = ["", str(folder)]
    # Figures are drawn to files or not at all: nothing here shows a window, or waits for one to be closed.
    os.environ.setdefault("MPLBACKEND", "agg")
    module = ModuleType("__main__")
    sys.modules["__main__"] = module
    Notebook(module.__dict__, shown).run(cells)


class Notebook:
    """The names that cells share, and the way each is run.

    Args:
        names: The names.
        title: What the notebook is called in tracebacks.
    """

    def __init__(self, names: dict[str, Any], title: str) -> None:
        self._names, self._title = names, title
        self._shell = Shell(names, self._run_file)
        names.update(
            {
                "__builtins__": __builtins__,
                "__name__": "__main__",
                "get_ipython": lambda: self._shell,
                "display": display,
                "In": [""],
                "Out": {},
                _SHOW: self._show,
            }
        )

    def run(self, cells: list[Cell]) -> None:
        """Runs cells in order.

        Args:
            cells: The cells.
        """
        if any("IPython" in cell.source for cell in cells):
            _stand_in_for_ipython(self._names["get_ipython"])
        for cell in cells:
            try:
                self._run_cell(cell)
            except Exception as fault:
                if not cell.may_fail:
                    raise
                show_fault(fault)

    def _run_cell(self, cell: Cell) -> None:
        if not cell.source.strip():
            return
        magic = cell_magic(cell.source)
        if magic is None:
            self._run_python(cell.source, cell.number)
        elif magic.name not in _RUN_BODY:
            self._shell.cell(magic)
        elif magic.name == "capture":
            self._capture(magic, cell.number)
        else:
            # One line lower, as the magic's own line stood there; what that line names is run first, as IPython does.
            self._run_python("\n" + magic.body, cell.number)

    def _capture(self, magic: CellMagic, number: int) -> None:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            self._run_python("\n" + magic.body, number)
        name = next((word for word in magic.line.split() if not word.startswith("-")), None)
        if name:
            self._names[name] = _Captured(out.getvalue(), err.getvalue())

    def _run_python(self, source: str, number: int) -> None:
        name = f"{self._title}, cell {number}"
        python = as_python(source)
        linecache.cache[name] = (len(source), None, [line + "\n" for line in source.split("\n")], name)
        tree = ast.parse(python, name)
        _show_last(tree, python)
        code: CodeType = compile(tree, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        if code.co_flags & inspect.CO_COROUTINE:
            import asyncio

            asyncio.run(eval(code, self._names))
        else:
            exec(code, self._names)

    def _show(self, value: Any) -> None:
        if value is not None:
            self._names["_"] = value
            display(value)

    def _run_file(self, path: Path, arguments: list[str]) -> None:
        """`%run`: a script, or another notebook, among these names."""
        if path.suffix == ".ipynb":
            Notebook(self._names, path.name).run(read_cells(path))
            return
        import runpy

        before = sys.argv[:]
        sys.argv[:] = [str(path), *arguments]
        try:
            found = runpy.run_path(str(path), run_name="__main__")
        finally:
            sys.argv[:] = before
        self._names.update({k: v for k, v in found.items() if not k.startswith("__")})


@dataclass
class _Captured:
    """What a cell of `%%capture` printed."""

    stdout: str
    stderr: str

    def show(self) -> None:
        """Prints it."""
        emit(self.stdout + self.stderr)

    __call__ = show


def _show_last(tree: ast.Module, python: str) -> None:
    """Makes the value of a last expression shown, unless a semicolon ends it."""
    if not tree.body or not isinstance(last := tree.body[-1], ast.Expr):
        return
    after = python.encode().split(b"\n")[(last.end_lineno or 1) - 1][last.end_col_offset or 0 :]
    if after.lstrip().startswith(b";"):
        return
    call = ast.Call(ast.Name(_SHOW, ast.Load()), [last.value], [])
    last.value = ast.fix_missing_locations(ast.copy_location(call, last.value))


def display(*values: Any, **kwargs: Any) -> None:
    """Shows values as text, as `IPython.display.display` shows them as pictures and tables.

    Args:
        *values: What to show.
        **kwargs: Not used here.
    """
    for value in values:
        shown = getattr(type(value), "_ipython_display_", None)
        if callable(shown):
            shown(value)
            continue
        emit(repr(value))


def _stand_in_for_ipython(get_ipython: Callable[[], Shell]) -> None:
    """Puts a small `IPython` in place where there is none: notebooks import `display` from it."""
    if "IPython" in sys.modules or importlib.util.find_spec("IPython") is not None:
        import IPython

        # The real one has no shell here: it is to answer with ours.
        IPython.get_ipython = IPython.core.getipython.get_ipython = get_ipython
        return

    def nothing(*args: Any, **kwargs: Any) -> None:
        return None

    class Shown:
        """Something that only a browser shows."""

        def __init__(self, data: Any = None, *args: Any, **kwargs: Any) -> None:
            self.data = data

        def __repr__(self) -> str:
            return f"<{type(self).__name__}>"

    shown = {name: type(name, (Shown,), {}) for name in _BROWSER_ONLY.split()}
    content: dict[str, Any] = {"display": display, "clear_output": nothing, "set_matplotlib_formats": nothing, **shown}
    for name in ("IPython", "IPython.display", "IPython.core", "IPython.core.display"):
        module = ModuleType(name)
        module.__path__ = []
        module.__dict__.update(content, get_ipython=get_ipython)
        sys.modules[name] = module
    for child in ("display", "core"):
        setattr(sys.modules["IPython"], child, sys.modules[f"IPython.{child}"])
    sys.modules["IPython.core"].display = sys.modules["IPython.core.display"]  # type: ignore[attr-defined]
