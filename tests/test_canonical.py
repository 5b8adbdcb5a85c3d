"""Equal values have equal bytes, different ones never."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from scriptstep.content import digest_bytes
from scriptstep.engine.canonical import encode

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


@given(values, values)
def test_two_values_share_an_encoding_only_if_they_are_equal(a: Any, b: Any) -> None:
    assert (encode(a) == encode(b)) == (repr(typed(a)) == repr(typed(b)))


@given(st.dictionaries(st.text(), st.integers(), max_size=6))
def test_the_order_of_a_mapping_does_not_matter(mapping: dict[str, int]) -> None:
    assert encode(mapping) == encode(dict(reversed(mapping.items())))


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
    assert len({encode(value) for value in alike}) == len(alike)


def test_the_published_vectors_hold() -> None:
    for vector in VECTORS["encoding"]:
        assert encode(vector["value"]).hex() == vector["hex"], vector
    for vector in VECTORS["keys"]:
        assert digest_bytes(VECTORS["domain"], encode(vector["document"])) == vector["key"], vector
