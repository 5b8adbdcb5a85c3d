"""Every public class of the SDK is offered with its members, parameters, defaults and bases, or its difference is told.

`data/sdk_surface.json` holds what the SDK shows, `data/sdk_differences.json` each difference under its reason.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from pathlib import Path
from typing import Any

import pytest

from tests.sdk_surface import (
    REASONS,
    SURFACE,
    attributes,
    home_of,
    is_absent,
    members_of,
    names_used,
    recorded,
    refusal_of,
    refuses,
    same,
    shown,
)

CLASSES = [name for name in SURFACE if name not in REASONS]
MEMBERS = [(name, member) for name in CLASSES for member in members_of(name)]


def told(name: str, member: str) -> bool:
    return f"{name}.{member}" in REASONS


def differs(name: str, member: str) -> str | None:
    """Returns: in what a member is not as the SDK has it."""
    found = home_of(name)
    if member != "__call__" and not hasattr(found, member):
        return "is missing"
    theirs, mine = recorded(SURFACE[name][member]), shown(found, member)
    return None if same(theirs, mine) else f"takes {mine}, and the SDK's {theirs}"


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_is_offered_under_the_sdks_name(name: str) -> None:
    found = home_of(name)
    assert found is not None, f"{name} is neither in the alias table nor among the differences"
    assert not is_absent(found), f"{name} only says what to use instead: that is a difference"
    assert inspect.isclass(found) or "__call__" in SURFACE[name]


@pytest.mark.parametrize(("name", "member"), MEMBERS, ids=[f"{n}.{m}" for n, m in MEMBERS])
def test_parameters_and_defaults_are_the_sdks(name: str, member: str) -> None:
    if not told(name, member):
        assert differs(name, member) is None


@pytest.mark.parametrize("name", CLASSES)
def test_properties_are_the_sdks(name: str) -> None:
    if not (wanted := SURFACE[name].get("__properties__")):
        return
    known = attributes(home_of(name))
    assert [p for p in wanted if p not in known and not told(name, p)] == []


@pytest.mark.parametrize("name", CLASSES)
def test_what_is_called_without_an_object_is_so_here(name: str) -> None:
    found = home_of(name)
    for kind in ("__staticmethods__", "__classmethods__"):
        for member in SURFACE[name].get(kind, []):
            if not told(name, member):
                assert isinstance(inspect.getattr_static(found, member), (staticmethod, classmethod)), member


@pytest.mark.parametrize("name", CLASSES)
def test_what_code_tests_by_isinstance_holds(name: str) -> None:
    for base in SURFACE[name]["__bases__"]:
        above = home_of(base)
        if above is not None and not is_absent(above):
            assert issubclass(home_of(name), above), f"{name} is a {base}"


@pytest.mark.parametrize(("name", "member"), MEMBERS, ids=[f"{n}.{m}" for n, m in MEMBERS])
def test_what_only_refuses_is_among_the_differences(name: str, member: str) -> None:
    assert told(name, member) or not refuses(home_of(name), member)


REFUSED = [entry for entry, reason in REASONS.items() if reason.startswith("raises NotImplementedError")]


@pytest.mark.parametrize("entry", REFUSED)
def test_what_is_said_to_refuse_does_so_and_says_more(entry: str) -> None:
    assert " " in refusal_of(entry)


USED = names_used(Path(__file__).parent)


@pytest.mark.parametrize("name", CLASSES)
def test_each_public_method_is_called_by_a_test(name: str) -> None:
    unused = [m for m in members_of(name) if not m.startswith("_") and m not in USED and not told(name, m)]
    assert unused == []


@pytest.mark.parametrize("entry", sorted(REASONS))
def test_a_difference_is_one(entry: str) -> None:
    if entry in SURFACE:
        assert home_of(entry) is None or is_absent(home_of(entry)), f"{entry} is offered"
        return
    name, _, member = entry.rpartition(".")
    assert name in SURFACE, f"the SDK has no {entry}"
    if member in SURFACE[name].get("__properties__", {}):
        assert member not in attributes(home_of(name)), f"{entry} is there"
        return
    assert refuses(home_of(name), member) or differs(name, member) is not None, f"{entry} is as the SDK has it"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(importlib.util.find_spec("azureml") is None, reason="the SDK is not installed here")
def test_the_record_is_what_an_installed_sdk_shows() -> None:
    for name in SURFACE:
        module, _, cls = name.rpartition(".")
        theirs: Any = getattr(importlib.import_module(module), cls)
        for member in members_of(name):
            assert same(recorded(SURFACE[name][member]), shown(theirs, member)), f"{name}.{member}"
