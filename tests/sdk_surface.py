"""What classes show of themselves: names, parameters, defaults, properties and bases, ours and the SDK's."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import textwrap
from pathlib import Path
from typing import Any, NamedTuple

from scriptstep.azureml.table import TABLE

HERE = Path(__file__).parent / "data"
# What azureml-core 1.61 and azureml-pipeline 1.62 show of their public classes.
SURFACE: dict[str, dict[str, Any]] = json.loads((HERE / "sdk_surface.json").read_text(encoding="utf-8"))
# Reason to the classes, and the members of classes, that are not as the SDK has them.
DIFFERENCES: dict[str, list[str]] = json.loads((HERE / "sdk_differences.json").read_text(encoding="utf-8"))
REASONS = {name: reason for reason, names in DIFFERENCES.items() for name in names}

_KINDS = {
    inspect.Parameter.VAR_POSITIONAL: "*",
    inspect.Parameter.VAR_KEYWORD: "**",
    inspect.Parameter.KEYWORD_ONLY: "keyword",
}


class Parameter(NamedTuple):
    """One parameter of a method; the default of an object that has no literal is `...`, of none it is empty."""

    name: str
    kind: str
    default: str


def home_of(name: str) -> Any:
    """Returns: what stands here for a class of the SDK; None where the alias has nothing of that name."""
    module, _, cls = name.rpartition(".")
    if name in _UNALIASED:
        home = _UNALIASED[name]
    elif cls in TABLE.get(module, {}):
        home = TABLE[module][cls]
    else:
        return None
    place, _, attribute = home.partition(":")
    return getattr(importlib.import_module(place), attribute)


# Offered to subclasses and readers of a graph, under no path of the SDK's.
_UNALIASED = {"azureml.pipeline.core.graph._PipelineIO": "scriptstep.authoring.pipeline_io:_PipelineIO"}


def is_absent(found: Any) -> bool:
    """Returns: whether a class only says what to use instead of it."""
    return type(found).__module__ == "scriptstep.azureml.absent"


def members_of(name: str) -> list[str]:
    """Returns: the methods that the SDK shows of a class, its constructor too; those that every dict has left out."""
    return [m for m, shown in SURFACE[name].items() if isinstance(shown, str) and shown.startswith("(") and _ours(m)]


def _ours(member: str) -> bool:
    return member in ("__init__", "__call__") or not member.startswith("__")


def recorded(text: str) -> list[Parameter]:
    """Reads a signature that the SDK printed."""
    plain = re.sub(r"<[^<>]*(<[^<>]*>)?[^<>]*>", "...", text)
    arguments = ast.parse(f"def f{plain}: pass").body[0].args  # type: ignore[attr-defined]
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
    found = [Parameter(a.arg, "", _text(d)) for a, d in zip(positional, defaults, strict=True)]
    if arguments.vararg:
        found.append(Parameter(arguments.vararg.arg, "*", ""))
    for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        found.append(Parameter(a.arg, "keyword", _text(d)))
    if arguments.kwarg:
        found.append(Parameter(arguments.kwarg.arg, "**", ""))
    return [p for p in found if p.name not in ("self", "cls")]


def _text(default: ast.expr | None) -> str:
    return "" if default is None else ast.unparse(default)


def shown(found: Any, member: str) -> list[Parameter]:
    """Returns: the parameters of a member of a class; a class without a constructor of its own takes nothing."""
    function = found if member == "__call__" else getattr(found, member)
    if function is object.__init__:
        return []
    return [
        Parameter(p.name, _KINDS.get(p.kind, ""), "" if p.default is p.empty else repr(p.default))
        for p in inspect.signature(function).parameters.values()
        if p.name not in ("self", "cls")
    ]


def same(theirs: list[Parameter], mine: list[Parameter]) -> bool:
    """Returns: whether two signatures take the same; an object as default says nothing of its value."""
    return len(theirs) == len(mine) and all(
        t[:2] == m[:2] and (t.default == m.default or (t.default == "..." and m.default != ""))
        for t, m in zip(theirs, mine, strict=True)
    )


def attributes(cls: type) -> set[str]:
    """Returns: what an instance of a class of ours has: members, and what constructors set."""
    known = {*dir(cls), *getattr(cls, "_FIELDS", ()), *getattr(cls, "__dataclass_fields__", ())}
    for base in cls.__mro__[:-1]:
        known |= set(getattr(base, "__slots__", ()))
        if base.__module__.startswith("scriptstep"):
            known |= set(re.findall(r"self\.(\w+)\b(?=[^=\n]*=)", inspect.getsource(base)))
    return known


def refuses(cls: type, member: str) -> bool:
    """Returns: whether all that a method does is to raise NotImplementedError, itself or by another that does."""
    function = inspect.unwrap(getattr(cls, member, None) or object)
    if "NotImplementedError: Always" in (getattr(function, "__doc__", None) or ""):
        return True
    try:
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    except (OSError, TypeError, SyntaxError, ValueError):
        return False
    body = [n for n in getattr(tree, "body", []) if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))]
    if len(body) != 1:
        return False
    if isinstance(body[0], ast.Raise):
        return "NotImplementedError" in ast.unparse(body[0])
    called = getattr(body[0], "value", None)
    if not isinstance(called, ast.Call):
        return False
    name = ast.unparse(called.func)
    if name in ("not_here", "_refuse", "_no_service"):
        return True
    other = name.rpartition(".")[2]
    return name.partition(".")[0] in ("self", "cls", cls.__name__) and other != member and refuses(cls, other)


def refusal_of(entry: str) -> str:
    """Calls a method that is said to refuse, on an object that was never made.

    Returns:
        What the NotImplementedError that it raises says.
    """
    name, _, member = entry.rpartition(".")
    cls = home_of(name)
    is_free = isinstance(inspect.getattr_static(cls, member), (staticmethod, classmethod))
    function = getattr(cls if is_free else object.__new__(cls), member)
    needed = [
        None
        for p in inspect.signature(function).parameters.values()
        if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD
    ]
    try:
        function(*needed)
    except NotImplementedError as error:
        return str(error)
    raise AssertionError(f"{entry} does not refuse")


def names_used(folder: Path) -> set[str]:
    """Returns: the attributes that the tests of a folder name, in their own code and in that of the scripts they run."""
    used: set[str] = set()
    for file in folder.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute):
                used.add(node.attr)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                used.update(re.findall(r"\.(\w+)", node.value))
    return used
