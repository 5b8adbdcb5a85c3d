"""What one Python file asks to be imported, read from its text; nothing of it is run.

Names are taken at their word: `import_module` is the one of importlib wherever it comes from. Where that is wrong, more
is followed, or the answer is that nobody can know; never less.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal, TypeAlias

from scriptstep.records import dataclass

__all__ = ["Import", "Statements", "read_statements"]

# What a relative name is relative to: the package of the module, its own name, or a package that is written out.
Anchor: TypeAlias = "Literal['__package__', '__name__'] | tuple[str]"


@dataclass(frozen=True)
class Import:
    """One import.

    Attributes:
        level: Number of leading dots.
        module: What follows them; empty for none.
        names: What is taken from it, `*` too; empty for the module alone.
        anchor: What the dots are relative to.
    """

    level: int
    module: str
    names: tuple[str, ...] = ()
    anchor: Anchor = "__package__"


@dataclass(frozen=True)
class Statements:
    """What a Python file asks for.

    Attributes:
        imports: Its imports, wherever they stand in it.
        programs: Modules that it starts with `python -m`.
        files: Python files that its texts name.
        exported: What `from it import *` imports besides: the names of `__all__`; None where that is computed.
        unclear: The first line from which on nobody can tell what is imported, and why; None where all is clear.
    """

    imports: tuple[Import, ...] = ()
    programs: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    exported: tuple[str, ...] | None = ()
    unclear: tuple[int, str] | None = None


def read_statements(source: bytes, shown: str) -> Statements:
    """Reads a Python file.

    Args:
        source: Its bytes; a coding line and a byte order mark count as they do for Python.
        shown: Its name, for Python's own warnings.

    Returns:
        What it asks for.
    """
    # Warnings of the parser pass: to silence them would change a filter of the whole process, and this is a thread.
    try:
        tree = ast.parse(source, shown)
    except (SyntaxError, ValueError) as error:
        # Another Python may run it, for which it is right.
        return Statements(unclear=(getattr(error, "lineno", None) or 1, f"it cannot be parsed: {_told(error)}"))
    except (RecursionError, MemoryError):
        return Statements(unclear=(1, "it is nested too deeply to be parsed"))
    return _Reader(tree).statements()


def _told(error: Exception) -> str:
    return error.msg if isinstance(error, SyntaxError) else str(error)


# What finds or runs modules by names that are made when it runs; known by the last part of its name.
_DYNAMIC = {
    **dict.fromkeys(("import_module", "__import__", "find_spec"), "{} of a name that is not written out"),
    **dict.fromkeys(
        ("spec_from_file_location", "spec_from_loader", "module_from_spec", "exec_module", "load_module"),
        "{} makes a module by itself",
    ),
    **dict.fromkeys(
        ("SourceFileLoader", "SourcelessFileLoader", "ExtensionFileLoader", "FileFinder", "PathFinder", "LazyLoader"),
        "{} makes a module by itself",
    ),
    **dict.fromkeys(("iter_modules", "walk_packages", "extend_path"), "{} looks for modules"),
    **dict.fromkeys(("addsitedir", "meta_path", "path_hooks", "__path__"), "{} changes where modules are found"),
}
# Known by their whole names.
_QUALIFIED = {
    "sys.path": "sys.path may change where modules are found",
    "exec": "exec runs what no file says",
    "eval": "eval runs what no file says",
    "builtins.exec": "exec runs what no file says",
    "builtins.eval": "eval runs what no file says",
    "pkgutil.find_loader": "pkgutil.find_loader looks for modules",
    "pkgutil.get_loader": "pkgutil.get_loader looks for modules",
    "pkgutil.resolve_name": "pkgutil.resolve_name looks for modules",
    "pytest.main": "pytest.main looks for tests",
    "unittest.TestLoader": "unittest.TestLoader looks for tests",
    "unittest.defaultTestLoader": "unittest.defaultTestLoader looks for tests",
}
# Handed on whole, they may be used for that under any name.
_MODULES = frozenset({"builtins", "importlib", "importlib.util", "pkgutil", "sys"})
_LOADERS = frozenset({"imp", "lazy_loader", "pyximport", "runpy", "zipimport"})
# A package written out as their first argument is imported; anything else there is a module that is there already.
_GIVEN_A_PACKAGE = frozenset(
    "files get_data open_text open_binary read_text read_binary contents is_resource "
    "resource_filename resource_string resource_stream".split()
)
_IMPORTING = frozenset({"import_module", "__import__", "find_spec"})
_MODULE = re.compile(r"\.*[^\W\d]\w*(\.[^\W\d]\w*)*")
_WORD = re.compile(r"[^\s'\"`=,;:(){}<>|&]+")
_GLOB = frozenset("*?[]\\")


class _Reader:
    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree
        self._imports: dict[Import, None] = {}
        self._programs: dict[str, None] = {}
        self._files: dict[str, None] = {}
        self._unclear: list[tuple[int, str]] = []
        # Nodes that were dealt with where they were seen first: docstrings, and functions that are called rightly.
        self._done: set[int] = set()
        self._names: dict[str, set[str]] = {}
        # Names of which an attribute is taken.
        self._bases: set[int] = set()
        # Where it speaks of `__all__`.
        self._exports: list[ast.AST] = []

    def statements(self) -> Statements:
        """Reads all of it."""
        nodes = list(ast.walk(self._tree))
        for node in nodes:
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                self._import(node)
            elif isinstance(node, ast.Attribute):
                self._bases.add(id(node.value))
        for node in nodes:
            if id(node) in self._done:
                continue
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                self._done.add(id(node.value))
            elif isinstance(node, ast.Call):
                self._call(node)
            elif isinstance(node, (ast.List, ast.Tuple)):
                self._words([e.value if isinstance(e, ast.Constant) else None for e in node.elts])
            elif isinstance(node, (ast.Name, ast.Attribute)):
                self._name(node)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                self._text(node, node.value)
        return Statements(
            tuple(self._imports),
            tuple(self._programs),
            tuple(self._files),
            self._exported(),
            min(self._unclear) if self._unclear else None,
        )

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        self._exports += [alias for alias in node.names if "__all__" in (alias.name, alias.asname)]
        if isinstance(node, ast.Import):
            for alias in node.names:
                self._imports[Import(0, alias.name)] = None
                bound = alias.name if alias.asname else alias.name.partition(".")[0]
                self._names.setdefault(alias.asname or bound, set()).add(bound)
                self._loader(node, alias.name)
            return
        module = node.module or ""
        self._imports[Import(node.level, module, tuple(alias.name for alias in node.names))] = None
        if node.level:
            return
        self._loader(node, module)
        for alias in node.names:
            self._names.setdefault(alias.asname or alias.name, set()).add(f"{module}.{alias.name}")
            if alias.name == "*" and module in ("sys", "importlib", "importlib.util", "pkgutil", "site"):
                self._unclear.append((node.lineno, f"{module} is imported as *"))

    def _loader(self, node: ast.stmt, module: str) -> None:
        if (name := module.partition(".")[0]) in _LOADERS:
            self._unclear.append((node.lineno, f"{name} finds modules by itself"))

    def _qualified(self, node: ast.expr) -> Iterator[str]:
        """Yields: the names that an expression may go by, written in full."""
        rest = ""
        while isinstance(node, ast.Attribute):
            rest = f".{node.attr}{rest}"
            node = node.value
        if isinstance(node, ast.Name):
            for name in self._names.get(node.id, {node.id}):
                yield name + rest
        elif rest:
            yield rest[1:]

    def _name(self, node: ast.Name | ast.Attribute) -> None:
        if isinstance(node, ast.Name) and node.id == "__all__":
            self._exports.append(node)
        for name in self._qualified(node):
            last = name.rpartition(".")[2]
            if name in _MODULES and id(node) not in self._bases and isinstance(node.ctx, ast.Load):
                self._unclear.append((node.lineno, f"{name} is handed on, and may be used under another name"))
            if last in _DYNAMIC:
                self._unclear.append((node.lineno, _DYNAMIC[last].format(last)))
            elif name in _QUALIFIED or name.endswith(".sys.path"):
                self._unclear.append((node.lineno, _QUALIFIED.get(name, _QUALIFIED["sys.path"])))
        if isinstance(node, ast.Name) and node.id == "__package__" and not isinstance(node.ctx, ast.Load):
            self._unclear.append((node.lineno, "__package__ is set"))

    def _call(self, node: ast.Call) -> None:
        self._words([a.value if isinstance(a, ast.Constant) else None for a in node.args])
        first = node.args[0] if node.args else None
        text = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None
        if text is None:
            return
        for name in self._qualified(node.func):
            last = name.rpartition(".")[2]
            if name == "eval" and "import" not in text:
                self._done.add(id(node.func))
            elif last in _GIVEN_A_PACKAGE and _MODULE.fullmatch(text):
                self._imports[Import(0, text)] = None
            elif last in _IMPORTING and _MODULE.fullmatch(text) and (found := _named(node, last, text)) is not None:
                self._imports[found] = None
                self._done.add(id(node.func))

    def _text(self, node: ast.Constant, text: str) -> None:
        if text == "__all__":
            self._exports.append(node)
        if text in _DYNAMIC or "PYTHONPATH" in text:
            self._unclear.append((node.lineno, f"it speaks of {text if text in _DYNAMIC else 'PYTHONPATH'}"))
        words = _WORD.findall(text) if ".py" in text or "-m " in text else []
        self._words(words)
        for word in words:
            if r"\.py" in word or (word.endswith(".py") and (word.rpartition("/")[2] == ".py" or _GLOB & set(word))):
                self._unclear.append((node.lineno, f"it speaks of Python files as {word!r}"))
            elif word.endswith(".py"):
                self._files[word] = None

    def _words(self, words: Sequence[object]) -> None:
        for option, module in pairwise(words):
            if option == "-m" and isinstance(module, str) and _MODULE.fullmatch(module):
                self._programs[module] = None

    def _exported(self) -> tuple[str, ...] | None:
        """Returns: the names of `__all__`, none where it is not there; None where it is not one list written out."""
        if not self._exports:
            return ()
        for statement in self._tree.body:
            if not isinstance(statement, (ast.Assign, ast.AnnAssign)):
                continue
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            if targets == self._exports and isinstance(value := statement.value, (ast.List, ast.Tuple)):
                names = [e.value for e in value.elts if isinstance(e, ast.Constant) and isinstance(e.value, str)]
                return tuple(names) if len(names) == len(value.elts) else None
        return None


def _named(node: ast.Call, function: str, name: str) -> Import | None:
    """Returns: the import that a call makes of a name written out; None where the rest of the call is not clear."""
    level = len(name) - len(name.lstrip("."))
    given = [*node.args[1:], *(k.value for k in node.keywords)]
    if function == "__import__":
        return Import(0, name) if not given and not level else None
    if not level:
        return Import(0, name)
    if len(given) != 1 or any(k.arg != "package" for k in node.keywords):
        return None
    (package,) = given
    if isinstance(package, ast.Constant) and isinstance(package.value, str):
        return Import(level, name[level:], anchor=(package.value,))
    if isinstance(package, ast.Name) and package.id == "__package__":
        return Import(level, name[level:])
    if isinstance(package, ast.Name) and package.id == "__name__":
        return Import(level, name[level:], anchor="__name__")
    return None
