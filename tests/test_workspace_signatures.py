"""Members, parameters and defaults of what a workspace holds are the SDK's; each difference is listed, with its reason.

`data/sdk_signatures_workspace.json` holds what the SDK (azureml-core 1.61) showed of its classes.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

from scriptstep.azureml.table import TABLE

SDK: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent / "data" / "sdk_signatures_workspace.json").read_text(encoding="utf-8")
)

# Class and member to why it is not as the SDK has it. A property that is an attribute here is none: both read alike.
DIFFERENT = {
    "Keyvault.set_secret": "the content type is accepted and unused; the SDK's enumeration of them is not needed",
    "TokenAuthentication.get_token": "the SDK's enumeration of audiences is not needed: nobody asks for a token",
    "Workspace.list": "the subscription may be left out: there is none here",
    "Workspace.get_default_compute_target": "the type may be left out: one target is the default, whatever its kind",
}


def ours(name: str) -> Any:
    module, _, cls = name.rpartition(".")
    home, _, attribute = TABLE[module][cls].partition(":")
    return getattr(importlib.import_module(home), attribute)


def recorded(text: str) -> list[tuple[str, str, str]]:
    """(name, kind, default) of each parameter that the SDK showed; an object's default as `...`."""
    plain = re.sub(r"<[^<>]*(<[^<>]*>)?[^<>]*>", "...", text)
    arguments = ast.parse(f"def f{plain}: pass").body[0].args  # type: ignore[attr-defined]
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
    found = [(a.arg, "", ast.unparse(d) if d is not None else "") for a, d in zip(positional, defaults, strict=True)]
    if arguments.vararg:
        found.append((arguments.vararg.arg, "*", ""))
    for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        found.append((a.arg, "keyword", ast.unparse(d) if d is not None else ""))
    if arguments.kwarg:
        found.append((arguments.kwarg.arg, "**", ""))
    return [parameter for parameter in found if parameter[0] not in ("self", "cls")]


def shown(function: Any) -> list[tuple[str, str, str]]:
    kinds = {
        inspect.Parameter.VAR_POSITIONAL: "*",
        inspect.Parameter.VAR_KEYWORD: "**",
        inspect.Parameter.KEYWORD_ONLY: "keyword",
    }
    return [
        (p.name, kinds.get(p.kind, ""), "" if p.default is p.empty else repr(p.default))
        for p in inspect.signature(function).parameters.values()
        if p.name not in ("self", "cls")
    ]


def signature_of(cls: Any, member: str) -> list[tuple[str, str, str]]:
    if member != "__init__":
        return shown(getattr(cls, member))
    # A class without a constructor of its own takes nothing.
    return [] if cls.__init__ is object.__init__ else shown(cls.__init__)


CLASSES = sorted(SDK)
MEMBERS = [
    (name, member) for name in CLASSES for member, text in SDK[name].items() if isinstance(text, str) and text != "?"
]


def different(name: str, member: str) -> bool:
    return f"{name.rpartition('.')[2]}.{member}" in DIFFERENT


@pytest.mark.parametrize("name", CLASSES)
def test_the_class_has_its_home_in_the_alias(name: str) -> None:
    assert inspect.isclass(ours(name))
    assert "absent" not in ours(name).__module__


@pytest.mark.parametrize(("name", "member"), MEMBERS, ids=[f"{n.rpartition('.')[2]}.{m}" for n, m in MEMBERS])
def test_parameters_and_defaults_are_the_sdks(name: str, member: str) -> None:
    if different(name, member):
        return
    # Objects as defaults say nothing of their value.
    theirs = [(n, k, d) for n, k, d in recorded(SDK[name][member])]
    mine = signature_of(ours(name), member)
    assert [(n, k, "..." if d == "..." else m[2]) for (n, k, d), m in zip(theirs, mine, strict=False)] == [
        (n, k, d) for n, k, d in theirs
    ]
    assert [p[:2] for p in mine] == [p[:2] for p in theirs]


@pytest.mark.parametrize("name", CLASSES)
def test_attributes_are_the_sdks(name: str) -> None:
    cls = ours(name)
    known = {*dir(cls), *getattr(cls, "_FIELDS", ())}
    for base in cls.__mro__[:-1]:
        if base.__module__.startswith("scriptstep"):
            known |= set(re.findall(r"self\.(\w+)\b[^=\n]*=", inspect.getsource(base)))
    missing = [p for p in SDK[name].get("__properties__", {}) if p not in known and not different(name, p)]
    assert missing == []


@pytest.mark.parametrize("name", CLASSES)
def test_what_is_called_without_an_object_is_so_here(name: str) -> None:
    cls = ours(name)
    for member in SDK[name].get("__staticmethods__", []):
        found = inspect.getattr_static(cls, member)
        assert isinstance(found, (staticmethod, classmethod)), f"{name}.{member}"


@pytest.mark.parametrize("name", CLASSES)
def test_what_code_tests_by_isinstance_holds(name: str) -> None:
    for base in SDK[name]["__bases__"]:
        module, _, cls = base.rpartition(".")
        if cls in TABLE.get(module, {}):
            assert issubclass(ours(name), ours(base)), f"{name} is a {base}"


@pytest.mark.parametrize("entry", sorted(DIFFERENT))
def test_a_difference_is_one(entry: str) -> None:
    cls, _, member = entry.partition(".")
    named = [name for name in CLASSES if name.rpartition(".")[2] == cls]
    assert named, f"the SDK has no {cls}"
    assert any(signature_of(ours(name), member) != recorded(SDK[name][member]) for name in named)
