"""Equal values have equal bytes, different ones never."""

from __future__ import annotations

import collections
import enum
import json
import math
import os
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriptstep.content import digest_bytes, spell

VECTORS = json.loads((Path(__file__).parent / "data" / "key_vectors.json").read_text(encoding="utf-8"))

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def typed(value: Any) -> Any:
    """The value with its types told apart, so that == is as strict as the encoding must be."""
    if isinstance(value, dict):
        return ("dict", sorted((k, typed(v)) for k, v in value.items()))
    if isinstance(value, (list, tuple)):
        return ("list", [typed(v) for v in value])
    return (type(value).__name__, repr(value))


def slowly(value: Any) -> bytes:
    """The published form, written down as plainly as can be."""
    if value is None or isinstance(value, bool):
        return {None: b"n", True: b"t", False: b"f"}[value]
    if isinstance(value, Mapping):
        rows = sorted((str(key).encode("utf-8", "surrogateescape"), slowly(item)) for key, item in value.items())
        return b"m%d:" % len(rows) + b"".join(framed(b"s", key) + item for key, item in rows)
    if isinstance(value, (list, tuple)):
        return b"l%d:" % len(value) + b"".join(map(slowly, value))
    if isinstance(value, int):
        return framed(b"i", str(int(value)).encode())
    if isinstance(value, float):
        return framed(b"d", float(value).hex().encode())
    return framed(b"b", value) if isinstance(value, bytes) else framed(b"s", value.encode("utf-8", "surrogateescape"))


def framed(tag: bytes, data: bytes) -> bytes:
    return tag + b"%d:" % len(data) + data


class Size(enum.IntEnum):
    SMALL = 3


class Name(str):
    __slots__ = ()


@given(values)
def test_a_value_is_spelled_as_the_slow_reference_spells_it(value: Any) -> None:
    assert spell(value) == slowly(value)


@pytest.mark.parametrize(
    "value",
    [
        Size.SMALL,
        Name("text"),
        -(2**63),
        2**63,
        -(10**30),
        math.inf,
        -0.0,
        (1, ("a",)),
        types.MappingProxyType({"b": 1, "a": ()}),
        collections.UserDict({"é": "x"}),
        os.fsdecode(b"caf\xe9"),
        {os.fsdecode(b"\xff"): 1, "\uffff": 2, "\U00010000": 3},
        {1: "number"},
        "\x00",
    ],
)
def test_types_that_stand_for_plain_data_are_spelled_as_that(value: Any) -> None:
    assert spell(value) == slowly(value)


@pytest.mark.parametrize("value", [object(), {1, 2}, 1j, [{"a": object()}]])
def test_what_is_no_plain_data_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="no canonical form for"):
        spell(value)


def test_text_that_no_bytes_stand_for_is_refused() -> None:
    with pytest.raises(UnicodeEncodeError):
        spell("\ud83d")


def test_what_is_nested_without_end_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(RecursionError):
        spell(endless)


@given(values, values)
def test_two_values_share_an_encoding_only_if_they_are_equal(a: Any, b: Any) -> None:
    assert (spell(a) == spell(b)) == (repr(typed(a)) == repr(typed(b)))


@given(st.dictionaries(st.text(), st.integers(), max_size=6))
def test_the_order_of_a_mapping_does_not_matter(mapping: dict[str, int]) -> None:
    assert spell(mapping) == spell(dict(reversed(mapping.items())))


def test_what_looks_alike_is_told_apart() -> None:
    alike = [
        1,
        1.0,
        True,
        "1",
        b"1",
        [1],
        ["1"],
        {"1": 1},
        None,
        "",
        [],
        {},
        [["a"], "b"],
        ["a", ["b"]],
        ["a,b"],
        ["a", "b"],
    ]
    assert len({spell(value) for value in alike}) == len(alike)


def test_the_published_vectors_hold() -> None:
    for vector in VECTORS["encoding"]:
        assert spell(vector["value"]).hex() == vector["hex"], vector
    for vector in VECTORS["keys"]:
        assert digest_bytes(VECTORS["domain"], spell(vector["document"])) == vector["key"], vector
