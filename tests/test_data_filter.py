"""Conditions on rows and files, and tables written in parts; pandas itself says which rows a condition means."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scriptstep import Dataset
from scriptstep.data.expressions import holds
from scriptstep.errors import ArgumentError, UserErrorException

pandas = pytest.importorskip("pandas")

Make = Callable[..., Any]

ROWS = "name,age,joined\nAnn,30,2024-01-01\nBob,,2024-06-01\nCid,50,2025-01-01\n"


@pytest.fixture
def table(project: Path) -> Any:
    (project / "people.csv").write_text(ROWS)
    return Dataset.Tabular.from_delimited_files("people.csv")


def names(dataset: Any) -> list[str]:
    return [str(name) for name in dataset.to_pandas_dataframe()["name"]]


def test_rows_are_chosen_by_conditions(table: Any) -> None:
    assert names(table.filter(table["age"] > 30)) == ["Cid"]
    assert names(table.filter(table["age"] <= 30)) == ["Ann"]
    assert names(table.filter((table["age"] >= 30) & (table["name"] != "Cid"))) == ["Ann"]
    assert names(table.filter((table["age"] == 50) | (table["name"] == "Bob"))) == ["Bob", "Cid"]
    assert names(table.filter(~(table["age"] < 40))) == ["Bob", "Cid"]
    assert names(table.filter(table["age"] == None)) == ["Bob"]  # noqa: E711
    assert names(table.filter(table["age"] != None)) == ["Ann", "Cid"]  # noqa: E711
    assert names(table.filter(table["age"] != 30)) == ["Cid"], "nothing is true of what is missing"
    assert names(table.filter(table["joined"] > datetime(2024, 3, 1))) == ["Bob", "Cid"]
    assert names(table.filter(table["age"] > 20).take(1)) == ["Ann"]
    assert names(table.take(1).filter(table["age"] > 40)) == []


def test_a_condition_is_part_of_the_definition(table: Any, ws: Any) -> None:
    older = table.filter(table["age"] > 30)
    assert older.id == table.filter(table["age"] > 30).id != table.filter(table["age"] > 31).id
    older.register(ws, "older")
    assert names(Dataset.get_by_name(ws, "older")) == ["Cid"]


@pytest.mark.parametrize(
    ("make", "error", "told"),
    [
        (lambda t: t.filter("age > 30"), ArgumentError, "a condition is needed"),
        (lambda t: t.filter(t["age"] > [1]), ArgumentError, "column 'age' is compared with"),
        (lambda t: bool(t["age"] > 30), ArgumentError, "neither true nor false"),
        (lambda t: t[0], ArgumentError, "named by text"),
        (iter, TypeError, "not iterable"),
        (
            lambda t: t.filter(t["gone"] > 1).to_pandas_dataframe(),
            UserErrorException,
            "filter: there is no column 'gone'",
        ),
        (lambda t: t.filter(t["name"] > 1).to_pandas_dataframe(), UserErrorException, "cannot be compared with 1"),
        (lambda t: t.filter(t["age"] > None).to_pandas_dataframe(), ArgumentError, "by == and != only"),
    ],
)
def test_what_is_no_condition_is_told(table: Any, make: Any, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        make(table)


VALUES = st.integers(-3, 3)
COMPARED = st.builds(
    lambda c, h, v: {"column": c, h: v},
    st.sampled_from("ab"),
    st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge"]),
    VALUES,
)
CONDITIONS = st.recursive(
    COMPARED,
    lambda inner: st.one_of(
        inner.map(lambda c: {"not": c}),
        st.tuples(st.sampled_from(["and", "or"]), inner, inner).map(lambda t: {t[0]: [t[1], t[2]]}),
    ),
    max_leaves=6,
)


@given(CONDITIONS, st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=5))
@settings(deadline=None)
def test_a_table_and_its_rows_one_by_one_agree(condition: Any, rows: list[tuple[int, int]]) -> None:
    frame = pandas.DataFrame(rows, columns=["a", "b"])
    whole = holds(condition, lambda name: frame[name])
    assert whole.tolist() == [holds(condition, lambda name, row=row: row["ab".index(name)]) for row in rows]


def test_files_are_chosen_by_what_is_known_of_them(project: Path, make_step: Make, run: Make) -> None:
    for name, size in (("2023/a.csv", 0), ("2024/b.csv", 10), ("2024/c.txt", 2000)):
        file = project / "data" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x" * size)
    old = (datetime.now(timezone.utc) - timedelta(days=30)).timestamp()
    os.utime(project / "data" / "2023" / "a.csv", (old, old))
    files = Dataset.File.from_files("data/**", partition_format="{year}/{name}")
    fact = files.file_metadata
    assert files.filter(fact("Size") > 0).to_path() == ["/2024/b.csv", "/2024/c.txt"]
    assert files.filter((fact("Size") > 0) & (fact("Extension") == ".csv")).to_path() == ["/2024/b.csv"]
    assert files.filter(fact("LastModifiedTime") < datetime.now(timezone.utc) - timedelta(days=1)).to_path() == [
        "/2023/a.csv"
    ]
    assert files.filter(files["year"] == "2023").to_path() == ["/2023/a.csv"]
    assert files.filter(fact("Size") > 0).take(1).to_path() == ["/2024/b.csv"]
    step = make_step(
        "list",
        "import os, sys; print(sorted(n for _, _, names in os.walk(sys.argv[1]) for n in names))",
        arguments=[files.filter(fact("Size") > 100).as_named_input("big").as_mount()],
    )
    assert "['c.txt']" in str(run(step).find_step_run("list")[0].get_job_log())
    with pytest.raises(ArgumentError, match="there is no 'Colour'; there are Size"):
        fact("Colour")
    with pytest.raises(UserErrorException, match="nothing is known of a file under the name 'age'"):
        files.filter(files["age"] > 3).to_path()


def test_partition_keys_and_their_values(project: Path) -> None:
    for place in ("de/2024", "de/2025", "fr/2025"):
        (project / "data" / place).mkdir(parents=True)
        (project / "data" / place / "x.csv").write_text("n\n1\n")
    table = Dataset.Tabular.from_delimited_files("data/**", partition_format="{land}/{year}/x.csv")
    assert table.partition_keys == ["land", "year"]
    assert table.get_partition_key_values(["land"]) == [{"land": "de"}, {"land": "fr"}]
    assert len(table.get_partition_key_values()) == 3
    for wrong, told in ((["age"], "no column 'age'"), ([], "no partition_format")):
        with pytest.raises(ArgumentError, match=told):
            table.get_partition_key_values(wrong)


def test_a_table_is_written_in_parts(table: Any, ws: Any, project: Path) -> None:
    store = ws.get_default_datastore()
    parts = table.partition_by(["name"], (store, "parts"), name="by name")
    assert sorted(p.name for p in (store._files()[0] / "parts").iterdir()) == ["Ann", "Bob", "Cid"]
    assert parts.partition_keys == ["name"]
    assert sorted(names(Dataset.get_by_name(ws, "by name"))) == ["Ann", "Bob", "Cid"]
    assert names(parts.filter(parts["name"] == "Bob")) == ["Bob"]
    files = table.partition_by("joined", (store, "days"), partition_as_file_dataset=True)
    assert len(files.get_partition_key_values()) == 3
    with pytest.raises(ArgumentError, match="there is no column 'gone'"):
        table.partition_by(["gone"], (store, "parts"))
    (project / "odd.csv").write_text("name\na/b\n")
    with pytest.raises(ArgumentError, match="'a/b', which cannot stand in a path"):
        Dataset.Tabular.from_delimited_files("odd.csv").partition_by(["name"], (store, "odd"))


def test_tables_of_other_libraries_are_registered(ws: Any) -> None:
    frame = pandas.DataFrame({"x": [1, 2]})

    class Lazy:
        """What Dask and Spark have in common with each other: a way to a pandas DataFrame."""

        def compute(self) -> Any:
            return frame

        toPandas = compute  # noqa: N815

    make = Dataset.Tabular
    for register in (make.register_dask_dataframe, make.register_spark_dataframe):
        made = register(Lazy(), (ws.get_default_datastore(), "t"), register.__name__)
        assert made.to_pandas_dataframe().equals(frame)
        assert Dataset.get_by_name(ws, register.__name__).version == 1
