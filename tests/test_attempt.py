"""An attempt is plain data: it can be written down and read back, and nothing else passes for one."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriptstep.engine.attempt import Attempt, Process, State, Status
from scriptstep.errors import ArgumentError, UserErrorException

TEXT = st.text(st.characters())  # lone surrogates too: bytes of a name that are no UTF-8
TABLE = st.dictionaries(TEXT, TEXT, max_size=3)
ATTEMPTS = st.builds(
    Attempt,
    id=TEXT,
    run_id=TEXT,
    step=TEXT,
    argv=st.lists(TEXT, min_size=1).map(tuple),
    env=TABLE,
    cwd=TEXT,
    log=TEXT,
    snapshot=TEXT,
    inputs=TABLE,
    outputs=TABLE,
    node_count=st.integers(1, 1000),
    process_count=st.integers(1, 1000),
    resources=st.dictionaries(TEXT, st.integers() | TEXT | st.none(), max_size=3),
    timeout_s=st.none() | st.floats(0, 1e9) | st.integers(0, 10**6),
    processes=st.lists(
        st.builds(Process, st.lists(TEXT, min_size=1, max_size=3).map(tuple), TABLE, st.booleans()), max_size=3
    ).map(tuple),
    logs=st.lists(TEXT, max_size=3).map(tuple),
)
MADE = Attempt(
    "a-1", "a", "train", ("python", "x.py"), {"A": "1"}, "/code", "/log", "00" * 32, {"in": "/i"}, {"out": "/o"}
)


@given(ATTEMPTS)
def test_an_attempt_survives_being_written_down(made: Attempt) -> None:
    text = made.to_json()
    assert "\n" not in text
    assert text.isascii()
    assert Attempt.from_json(text) == made


def test_arguments_that_are_no_utf_8_survive_too() -> None:
    made = Attempt.from_json(Attempt(**{**MADE.__dict__, "argv": ("python", os.fsdecode(b"\xff\xfe"))}).to_json())
    assert os.fsencode(made.argv[1]) == b"\xff\xfe"


def test_what_needs_not_be_said_has_a_default() -> None:
    assert (MADE.node_count, MADE.process_count, MADE.resources, MADE.timeout_s) == (1, 1, {}, None)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("argv", "python x.py", "argv must be a list of text"),
        ("argv", [], "argv must be a list of text"),
        ("argv", ["python", 1], "argv must be a list of text"),
        ("env", {"A": 1}, "env must be an object of texts"),
        ("env", [["A", "1"]], "env must be an object of texts"),
        ("inputs", {"in": None}, "inputs must be an object of texts"),
        ("cwd", None, "cwd must be text, not None"),
        ("node_count", 0, "node_count must be a count, not 0"),
        ("node_count", True, "node_count must be a count, not True"),
        ("process_count", 1.5, "process_count must be a count"),
        ("resources", None, "resources must be an object"),
        ("timeout_s", "60", "timeout_s must be a number of seconds or null"),
        ("timeout_s", -1, "timeout_s must be a number"),
        ("timeout_s", float("nan"), "timeout_s must be a number"),
        ("logs", "a.txt", "logs must be a list of text"),
        ("processes", [{"argv": ["x"], "env": {}}], "processes must be a list of processes"),
        ("processes", [{"argv": [], "env": {}, "server": False}], "processes must be a list of processes"),
    ],
)
def test_a_field_of_the_wrong_type_is_named(field: str, value: Any, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        Attempt.from_json(json.dumps({**json.loads(MADE.to_json()), field: value}))


def test_a_field_too_many_or_too_few_is_named() -> None:
    found = json.loads(MADE.to_json())
    with pytest.raises(ArgumentError, match="surprise is unknown"):
        Attempt.from_json(json.dumps({**found, "surprise": 1}))
    del found["cwd"]
    with pytest.raises(ArgumentError, match="cwd is missing"):
        Attempt.from_json(json.dumps(found))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "1", '"text"'])
def test_what_is_no_object_is_no_attempt(text: str) -> None:
    with pytest.raises(ValueError, match="attempt") as caught:
        Attempt.from_json(text)
    assert isinstance(caught.value, UserErrorException)


def test_a_state_is_its_name_in_json() -> None:
    assert json.loads(json.dumps({"state": State.TIMEOUT})) == {"state": "timeout"}
    assert State("lost") is State.LOST
    assert Status(State.QUEUED).started is None
