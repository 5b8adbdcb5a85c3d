"""Records are what dataclasses would be: the standard library's are the oracle."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import threading
from typing import Any, ClassVar

import pytest

from scriptstep import records


def declared(kind: Any) -> Any:
    """The same classes, once as records and once as dataclasses."""
    field = kind.field

    class Classes:
        @kind.dataclass(frozen=True)
        class Frozen:
            one: int
            two: str = "two"
            many: list[int] = field(default_factory=list)

        @kind.dataclass
        class Open:
            KIND: ClassVar[str] = "open"

            one: int
            two: Any = None

        @kind.dataclass
        class Derived(Open):
            three: str = field(kw_only=True)
            two: Any = "again"
            four: float = 4.0

        @kind.dataclass(frozen=True)
        class Nothing:
            pass

        class Plain(Frozen):
            """Is none itself."""

    return Classes


OURS, THEIRS = declared(records), declared(dataclasses)
CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("Frozen", (1,), {}),
    ("Frozen", (1, "x", [3]), {}),
    ("Frozen", (), {"two": "x", "one": 1}),
    ("Frozen", (), {}),
    ("Frozen", (1, 2, 3, 4), {}),
    ("Frozen", (1,), {"one": 1}),
    ("Frozen", (1,), {"more": 1}),
    ("Open", (1, [2, {"a": (1,)}]), {}),
    ("Derived", (1,), {"three": "3"}),
    ("Derived", (1, 2, 3), {"three": "3"}),
    ("Derived", (1, 2, 3, "3"), {}),
    ("Derived", (1,), {}),
    ("Nothing", (), {}),
    ("Plain", (1,), {"two": "y"}),
]


def made(classes: Any, call: tuple[str, tuple[Any, ...], dict[str, Any]]) -> Any:
    name, args, values = call
    try:
        return getattr(classes, name)(*args, **values)
    except TypeError as error:
        return str(error)


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_an_object_is_made_printed_and_written_down_as_that_of_a_dataclass(call: Any) -> None:
    ours, theirs = made(OURS, call), made(THEIRS, call)
    assert repr(ours) == repr(theirs)
    if not isinstance(theirs, str):
        assert records.names(ours) == tuple(one.name for one in dataclasses.fields(theirs))
        assert records.asdict(ours) == dataclasses.asdict(theirs)
        assert records.is_record(ours) and not records.is_record(type(ours)) and not records.is_record(theirs)
        assert repr(records.replace(ours)) == repr(dataclasses.replace(theirs))


@pytest.mark.parametrize("one", CALLS, ids=str)
@pytest.mark.parametrize("other", CALLS, ids=str)
def test_objects_are_equal_where_those_of_dataclasses_are(one: Any, other: Any) -> None:
    assert (made(OURS, one) == made(OURS, other)) == (made(THEIRS, one) == made(THEIRS, other))


def test_only_frozen_ones_have_a_hash_and_cannot_be_changed() -> None:
    frozen, opened = OURS.Frozen(1, many=()), OURS.Open(1)
    assert hash(frozen) == hash(OURS.Frozen(1, many=()))
    with pytest.raises(TypeError):
        hash(opened)
    opened.one = 2
    assert opened == OURS.Open(2)
    with pytest.raises(AttributeError, match="cannot assign to field 'one'"):
        frozen.one = 2
    with pytest.raises(AttributeError, match="cannot delete field 'one'"):
        del frozen.one
    assert records.replace(frozen, one=2) == OURS.Frozen(2, many=())
    with pytest.raises(TypeError):
        records.replace(frozen, more=2)


def test_each_object_has_its_own_default() -> None:
    assert OURS.Frozen(1).many is not OURS.Frozen(1).many


def test_what_is_made_by_copying_and_by_unpickling_is_equal() -> None:
    record = Kept(1, ["a"])
    assert copy.copy(record) == copy.deepcopy(record) == pickle.loads(pickle.dumps(record)) == record


@records.dataclass(frozen=True)
class Kept:
    one: int
    two: list[str]


def test_a_method_that_a_class_has_of_its_own_stays() -> None:
    @records.dataclass(frozen=True)
    class Own:
        one: int

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 7

        def __repr__(self) -> str:
            return "own"

    assert Own(1) == Own(2) and hash(Own(1)) == 7 and repr(Own(1)) == "own"


def test_threads_that_make_the_first_one_at_once_all_get_theirs() -> None:
    for _ in range(50):

        @records.dataclass(frozen=True)
        class New:
            one: int

        found: list[Any] = []
        start = threading.Barrier(4)

        def make(number: int, cls: Any = New, start: Any = start, found: list[Any] = found) -> None:
            start.wait()
            found.append(cls(number).one)

        threads = [threading.Thread(target=make, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(found) == [0, 1, 2, 3]
