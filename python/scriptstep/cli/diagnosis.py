"""What a piece of code uses of the SDK that is not here, or that a portal held; found without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from scriptstep.azureml.absent import instead_of
from scriptstep.azureml.finder import no_module_message, no_name_message
from scriptstep.azureml.table import TABLE
from scriptstep.cli.refused import KEYWORDS, METHODS, OF_CLASSES

__all__ = ["Asked", "Finding", "Kind", "Names", "Registered", "findings_of", "registered_in"]

Kind = Literal["absent", "unknown", "setting", "syntax"]
# What may be asked for by name: the class with its `get`, and the workspace's member.
Asked = Literal["dataset", "datastore", "environment", "secret"]
_ROOT = "azureml"
_ABSENT = "scriptstep.azureml.absent:"
_GETTERS: Mapping[tuple[str, str], Asked] = {
    ("Dataset", "get_by_name"): "dataset",
    ("Datastore", "get"): "datastore",
    ("Environment", "get"): "environment",
}
_MEMBERS: Mapping[str, Asked] = {
    "datasets": "dataset",
    "datastores": "datastore",
    "environments": "environment",
}
_LINES: Mapping[Asked, str] = {
    "dataset": "scriptstep data add {name} PATH   (with --tabular for a table)",
    "datastore": 'in scriptstep.toml: [datastores.{name}] path = "FOLDER"',
    "environment": 'in scriptstep.toml: [environments.{name}] conda = "conda.yml"',
    "secret": "set the environment variable {name}, or the one that Keyvault reads for it",
}
# Curated environments, which are answered with the default one.
_CURATED = "azureml-"
# A set of names that code registers itself: they need no setting.
Registered = frozenset[str]
# Names in the code that stand for names of the SDK: (module, name); for modules of it: (module, "").
Names = dict[str, tuple[str, str]]


@dataclass(frozen=True, order=True)
class Finding:
    """Something that its user should know.

    Attributes:
        line: Where, from 1.
        kind: What it is.
        name: Of the SDK's thing, or of the data.
        told: What to do.
    """

    line: int
    kind: Kind
    name: str
    told: str = field(compare=False)


def findings_of(
    code: str, known: Mapping[Asked, set[str]], registered: Registered = frozenset(), names: Names | None = None
) -> list[Finding]:
    """Lists what code uses of the SDK that needs a word.

    Args:
        code: Python.
        known: What there is, by what is asked for: names of datasets, datastores and environments.
        registered: What the code, or other code that belongs to it, registers.
        names: What code before it imported, as the cells of a notebook do for each other; it is added to.

    Returns:
        The findings, by line; each name once a line.
    """
    try:
        tree = ast.parse(code)
    except SyntaxError as error:
        return [Finding(error.lineno or 1, "syntax", "", f"this is no Python: {error.msg}")]
    visitor = _Visitor(known, registered, {} if names is None else names)
    visitor.visit(tree)
    return sorted(set(visitor.found))


def registered_in(code: str) -> Registered:
    """Returns: the names that code gives to what it registers."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return frozenset()
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, (ast.Attribute, ast.Name)):
            method = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            if method.startswith("register") or method in ("Environment", "from_conda_specification"):
                found.update(text for argument in _arguments(node) if (text := _text(argument)) is not None)
    return frozenset(found)


class _Visitor(ast.NodeVisitor):
    def __init__(self, known: Mapping[Asked, set[str]], registered: Registered, names: Names) -> None:
        self._known, self._registered, self._names = known, registered, names
        self.found: list[Finding] = []

    # --- what is imported

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            if not _is_sdk(alias.name):
                continue
            if alias.name not in TABLE:
                self._note(node, "unknown", alias.name, no_module_message(alias.name))
            target = alias.name if alias.asname else _ROOT
            self._names[alias.asname or _ROOT] = (target, "")

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        if node.level or not _is_sdk(module):
            return
        if module not in TABLE:
            self._note(node, "unknown", module, no_module_message(module))
            return
        for alias in node.names:
            if alias.name == "*":
                self._names.update({name: (module, name) for name in TABLE[module]})
            elif f"{module}.{alias.name}" in TABLE:
                self._names[alias.asname or alias.name] = (f"{module}.{alias.name}", "")
            elif alias.name not in TABLE[module]:
                self._note(node, "unknown", alias.name, no_name_message(module, alias.name))
            else:
                self._names[alias.asname or alias.name] = (module, alias.name)

    # --- what is used

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            # From here on it is the code's own.
            self._names.pop(node.id, None)
        elif node.id in self._names:
            self._use(node, *self._names[node.id])

    def visit_Attribute(self, node: ast.Attribute) -> None:
        place = self._place(node)
        if place is None:
            self.generic_visit(node)
            return
        module, name = place
        if name and module in TABLE and name not in TABLE[module]:
            self._note(node, "unknown", name, no_name_message(module, name))
        elif name:
            self._use(node, module, name)

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        if self._names:
            self._look_for_refusal(node)
        what = self._asked(node)
        if what is not None:
            for text in filter(None, map(_text, _arguments(node))):
                self._ask(node, what, text)
        elif isinstance(node.func, ast.Attribute) and node.func.attr == "get_secret":
            for text in filter(None, map(_text, _arguments(node))):
                self._note(node, "setting", text, _LINES["secret"].format(name=text))

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.generic_visit(node)
        if isinstance(node.value, ast.Attribute) and node.value.attr in _MEMBERS:
            text = _text(node.slice)
            if text is not None:
                self._ask(node, _MEMBERS[node.value.attr], text)

    # --- parts

    def _look_for_refusal(self, node: ast.Call) -> None:
        for keyword in node.keywords:
            if keyword.arg is not None and keyword.arg in KEYWORDS:
                self._note(keyword, "absent", keyword.arg, f"{keyword.arg} is not here: {KEYWORDS[keyword.arg]}")
        if not isinstance(node.func, ast.Attribute):
            return
        method, owner = node.func.attr, node.func.value
        of_class = ("", "")
        if isinstance(owner, ast.Name):
            of_class = (self._names.get(owner.id, ("", ""))[1], method)
        told = METHODS.get(method) or OF_CLASSES.get(of_class)
        if told is not None:
            self._note(node, "absent", method, f"{method}() is not here: {told}")

    def _asked(self, node: ast.Call) -> Asked | None:
        """Returns: what a call asks for by name, or None."""
        function = node.func
        if isinstance(function, ast.Name):
            return "datastore" if self._names.get(function.id, ("", ""))[1] == "Datastore" else None
        if not isinstance(function, ast.Attribute):
            return None
        owner = function.value
        if isinstance(owner, ast.Name) and owner.id in self._names:
            return _GETTERS.get((self._names[owner.id][1], function.attr))
        if isinstance(owner, ast.Attribute) and owner.attr in _MEMBERS and function.attr == "get":
            return _MEMBERS[owner.attr]
        return None

    def _ask(self, node: ast.AST, what: Asked, name: str) -> None:
        is_answered = what == "environment" and name.lower().startswith(_CURATED)
        if not is_answered and name not in self._known.get(what, set()) and name not in self._registered:
            self._note(node, "setting", name, f"{what} '{name}' has to be named: {_LINES[what].format(name=name)}")

    def _place(self, node: ast.expr) -> tuple[str, str] | None:
        """Returns: the module and name that `azureml.core.Run` stands for; the name is empty for a module."""
        if isinstance(node, ast.Name):
            found = self._names.get(node.id)
            return found if found is not None and not found[1] else None
        if not isinstance(node, ast.Attribute):
            return None
        above = self._place(node.value)
        if above is None or above[1]:
            return None
        full = f"{above[0]}.{node.attr}"
        return (full, "") if full in TABLE else (above[0], node.attr)

    def _use(self, node: ast.AST, module: str, name: str) -> None:
        if name and TABLE.get(module, {}).get(name, "").startswith(_ABSENT):
            self._note(node, "absent", name, f"{name} is not here: {instead_of(name)}")

    def _note(self, node: ast.AST, kind: Kind, name: str, told: str) -> None:
        self.found.append(Finding(getattr(node, "lineno", 1), kind, name, told))


def _is_sdk(module: str) -> bool:
    return module == _ROOT or module.startswith(f"{_ROOT}.")


def _arguments(node: ast.Call) -> Iterator[ast.expr]:
    """Yields: what may be a name among the arguments of a call."""
    yield from node.args
    yield from (k.value for k in node.keywords if k.arg in ("name", "datastore_name", "workspace_name", "model_name"))


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
