"""Tables: how delimited, JSON and Parquet files are read.

The tables of `FACTS` were read by the SDK itself (azureml-dataprep 5.5), and written down; where we differ it is said.
"""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scriptstep.data import tabular
from scriptstep.data.dataset_factory import Dataset
from scriptstep.data.datasets import TabularDataset
from scriptstep.data.reading import DataType, PromoteHeadersBehavior
from scriptstep.errors import DatasetTimestampMissingError, UserErrorException

pandas = pytest.importorskip("pandas")


def read(folder: Path, *texts: str, **options: Any) -> Any:
    """The table of files of these texts."""
    for n, text in enumerate(texts):
        (folder / f"{n}.csv").write_bytes(text.encode("utf-8"))
    return Dataset.Tabular.from_delimited_files(str(folder / "*.csv"), **options).to_pandas_dataframe()


def plain(column: Any) -> list[Any]:
    return [None if pandas.isna(v) else v.isoformat() if hasattr(v, "isoformat") else v for v in column.tolist()]


# name: values as written, values as read; the kind of the column tells 1 from 1.0 from True.
FACTS: dict[str, tuple[list[str], str, list[Any]]] = {
    "whole": (["1", "2", "3"], "int", [1, 2, 3]),
    "signs": (["-1", "+2", "3"], "int", [-1, 2, 3]),
    "spaces": ([" 1", "2 ", "3"], "int", [1, 2, 3]),
    "zeros": (["007", "008", "9"], "int", [7, 8, 9]),
    "quoted": (['"1"', '"2"', '"3"'], "int", [1, 2, 3]),
    "days": (["20200101", "20200102", "20200103"], "int", [20200101, 20200102, 20200103]),
    "gap": (["1", "", "3"], "float", [1.0, None, 3.0]),
    "floats": (["1", "2.5", "3"], "float", [1.0, 2.5, 3.0]),
    "exponents": (["1e3", "2", "3"], "float", [1000.0, 2.0, 3.0]),
    "inf": (["inf", "1", "2"], "float", [float("inf"), 1.0, 2.0]),
    "nan": (["nan", "1", "2"], "float", [None, 1.0, 2.0]),
    "big": (["12345678901234567890", "1", "2"], "float", [1.2345678901234567e19, 1.0, 2.0]),
    "bools": (["true", "False", "TRUE"], "bool", [True, False, True]),
    "letters": (["T", "F", "t"], "bool", [True, False, True]),
    "some bools": (["true", "", "false"], "object", [True, None, False]),
    "dates": (["2020-01-02", "", "2020-01-04"], "time", ["2020-01-02T00:00:00", None, "2020-01-04T00:00:00"]),
    "slashes": (
        ["2020/01/02", "2020/01/03", "2020/12/31"],
        "time",
        ["2020-01-02T00:00:00", "2020-01-03T00:00:00", "2020-12-31T00:00:00"],
    ),
    "times": (
        ["2020-01-02 10:00:00.5", "2020-01-02T10:00:01", "2020-01-03"],
        "time",
        ["2020-01-02T10:00:00.500000", "2020-01-02T10:00:01", "2020-01-03T00:00:00"],
    ),
    "zones": (
        ["2020-01-02T10:00:00Z", "2020-01-02T10:00:00+02:00", "2020-01-02T10:00:00Z"],
        "time",
        ["2020-01-02T10:00:00", "2020-01-02T08:00:00", "2020-01-02T10:00:00"],
    ),
    "day first": (
        ["13-02-2020", "01-02-2020", "02-03-2020"],
        "time",
        ["2020-02-13T00:00:00", "2020-02-01T00:00:00", "2020-03-02T00:00:00"],
    ),
    "month first": (
        ["02/13/2020", "01/02/2020", "02/03/2020"],
        "time",
        ["2020-02-13T00:00:00", "2020-01-02T00:00:00", "2020-02-03T00:00:00"],
    ),
    "text": (["1", "x", "2"], "text", ["1", "x", "2"]),
    "words": (["NA", "None", "null"], "text", ["NA", "None", "null"]),
    "yes": (["yes", "no", "yes"], "text", ["yes", "no", "yes"]),
    "thousands": (['"1,000"', '"2,000"', '"3,000"'], "text", ["1,000", "2,000", "3,000"]),
    "months": (["2020-01", "2020-02", "2020-03"], "text", ["2020-01", "2020-02", "2020-03"]),
    "clocks": (["10:00", "11:00", "12:00"], "text", ["10:00", "11:00", "12:00"]),
    "mixed": (["2020-01-02", "x", "2020-01-03"], "text", ["2020-01-02", "x", "2020-01-03"]),
    "some text": (["x", "", 'a "b"'], "text", ["x", None, 'a "b"']),
    "nothing": (["", "", ""], "none", [None, None, None]),
    # Ours: the SDK reads 0 and 1 as bools, and a day that could be a month as missing.
    "zero or one": (["0", "1", "1"], "int", [0, 1, 1]),
    "either way": (["01/02/2020", "03/04/2020", "05/06/2020"], "text", ["01/02/2020", "03/04/2020", "05/06/2020"]),
    # Ours: no such day.
    "no day": (["2020-02-31", "2020-01-01", "2020-01-02"], "text", ["2020-02-31", "2020-01-01", "2020-01-02"]),
}


@pytest.mark.parametrize("name", FACTS)
def test_columns_are_read_as_what_they_look_like(name: str, tmp_path: Path) -> None:
    written, kind, expected = FACTS[name]
    rows = "".join(f"{n},{value}\n" for n, value in enumerate(written))
    column = read(tmp_path, f"n,{name}\n{rows}")[name]
    assert plain(column) == expected
    api = pandas.api.types
    found = {
        "int": api.is_integer_dtype,
        "float": api.is_float_dtype,
        "bool": api.is_bool_dtype,
        "time": lambda c: str(c.dtype) == "datetime64[ns]",
        "text": lambda c: api.is_string_dtype(c) or api.is_object_dtype(c),
        "object": api.is_object_dtype,
        "none": lambda c: c.isna().all(),
    }
    assert found[kind](column), column.dtype


def test_without_inference_all_is_text(tmp_path: Path) -> None:
    frame = read(tmp_path, "a,b\n007,true\n8,\n", infer_column_types=False)
    assert frame["a"].tolist() == ["007", "8"]
    assert plain(frame["b"]) == ["true", None]


VALUE = st.sampled_from(["", "1", "2.5", "x", "true", "2020-01-02", "007", "nan", "-3", "10:00", "13/02/2020"])


@given(st.lists(st.tuples(VALUE, VALUE), min_size=1, max_size=12), st.integers(0, 12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=timedelta(seconds=5))
def test_a_table_in_two_files_is_the_table_in_one(tmp_path_factory: Any, rows: list[tuple[str, str]], cut: int) -> None:
    def text(part: list[tuple[str, str]]) -> str:
        # A first column keeps a row of nothing from being an empty line.
        return "k,a,b\n" + "".join(f"r,{a},{b}\n" for a, b in part)

    whole = read(tmp_path_factory.mktemp("one"), text(rows))
    parts = read(tmp_path_factory.mktemp("two"), text(rows[:cut]), text(rows[cut:]))
    pandas.testing.assert_frame_equal(whole, parts)


HEADS = ["x,y\n1,2\n3,4\n", "y,x\n20,10\n", "x,z\n5,6\n"]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (True, {"x": [1, 3, 20, 5], "y": [2, 4, 10, 6]}),
        (PromoteHeadersBehavior.ALL_FILES_HAVE_SAME_HEADERS, {"x": [1, 3, 20, 5], "y": [2, 4, 10, 6]}),
        (False, {"Column1": ["x", "1", "3", "y", "20", "x", "5"], "Column2": ["y", "2", "4", "x", "10", "z", "6"]}),
        (
            PromoteHeadersBehavior.COMBINE_ALL_FILES_HEADERS,
            {"x": [1, 3, 10, 5], "y": [2.0, 4.0, 20.0, None], "z": [None, None, None, 6.0]},
        ),
        (
            PromoteHeadersBehavior.ONLY_FIRST_FILE_HAS_HEADERS,
            {"x": ["1", "3", "y", "20", "x", "5"], "y": ["2", "4", "x", "10", "z", "6"]},
        ),
    ],
)
def test_headers(header: Any, expected: dict[str, list[Any]], tmp_path: Path) -> None:
    frame = read(tmp_path, *HEADS, header=header)
    assert {name: plain(frame[name]) for name in frame.columns} == expected


def test_odd_files(tmp_path: Path) -> None:
    def told(name: str, text: str, **options: Any) -> dict[str, list[Any]]:
        (tmp_path / name).mkdir()
        frame = read(tmp_path / name, text, **options)
        return {column: plain(frame[column]) for column in frame.columns}

    assert told("ragged", "x,y\n1\n1,2,3\n\n4,5\n") == {
        "x": [1, 1, 4],
        "y": [None, 2.0, 5.0],
        "Column3": [None, 3.0, None],
    }
    assert told("doubled", "x,x,\n1,2,3\n") == {"x": [1], "x_1": [2], "Column3": [3]}
    assert told("lines", 'x,y\n1,"a\nb"\n2,c\n', support_multi_line=True) == {"x": [1, 2], "y": ["a\nb", "c"]}
    assert told("empty text", 'x,y\n,\n1,""\n', empty_as_string=True) == {"x": ["", "1"], "y": ["", ""]}
    assert told("bom", "\ufeffx,y\n1,2\n") == {"x": [1], "y": [2]}
    assert told("crlf", "x,y\r\n5,2\r\n") == {"x": [5], "y": [2]}
    assert told("nothing", "") == {}
    assert told("header alone", "x,y\n") == {"x": [], "y": []}
    assert told("semicolons", "x;y\n5;2,5\n", separator=";") == {"x": [5], "y": ["2,5"]}
    assert told("two signs", "x||y\n5||a|b\n", separator="||") == {"x": [5], "y": ["a|b"]}
    assert told("quotes", 'x,y\n"a,b","c,d,e"\n') == {"x": ["a,b"], "y": ["c,d,e"]}


def test_encodings(tmp_path: Path) -> None:
    for encoding, codec in (("latin1", "latin-1"), ("windows1252", "cp1252"), ("utf16", "utf-16"), ("utf8", "utf-8")):
        file = tmp_path / f"{encoding}.csv"
        file.write_bytes("имя,x\nä,1\n".replace("имя", "name").encode(codec))
        frame = Dataset.Tabular.from_delimited_files(file, encoding=encoding).to_pandas_dataframe()
        assert frame["name"].tolist() == ["ä"]
    with pytest.raises(UserErrorException, match=r"latin1\.csv cannot be read"):
        Dataset.Tabular.from_delimited_files(tmp_path / "latin1.csv").to_pandas_dataframe()


def test_column_types_that_the_user_says(tmp_path: Path) -> None:
    types = {
        "a": DataType.to_string(),
        "b": DataType.to_float(decimal_mark=","),
        "c": DataType.to_bool(),
        "d": DataType.to_datetime("%d.%m.%Y"),
        "e": DataType.to_long(),
        "f": DataType.to_datetime(["%Y", "%Y-%m"]),
    }
    text = "a;b;c;d;e;f\n007;1,5;1;02.01.2020;3;2020\n8;2;0;x;4;2021-02\n"
    frame = read(tmp_path, text, separator=";", set_column_types=types)
    assert {name: plain(frame[name]) for name in frame.columns} == {
        "a": ["7", "8"],
        "b": [1.5, 2.0],
        "c": [True, False],
        "d": ["2020-01-02T00:00:00", None],
        "e": [3, 4],
        "f": ["2020-01-01T00:00:00", "2021-02-01T00:00:00"],
    }
    with pytest.raises(UserErrorException, match="no column 'zz'; there are a, b"):
        read(tmp_path, text, separator=";", set_column_types={"zz": DataType.to_bool()})
    with pytest.raises(TypeError, match="DataType"):
        read(tmp_path, text, set_column_types={"a": "float"})
    for wrong in (3, "yes", None):
        with pytest.raises(TypeError, match="header"):
            read(tmp_path, text, header=wrong)


def test_columns_from_paths(tmp_path: Path) -> None:
    for country, day, value in (("de", "2020/01/02", 1), ("fr", "2020/03/04", 2)):
        file = tmp_path / "data" / country / day / "x.csv"
        file.parent.mkdir(parents=True)
        file.write_text(f"v\n{value}\n")
    frame = Dataset.Tabular.from_delimited_files(
        str(tmp_path / "data"), partition_format="/{country}/{day:yyyy/MM/dd}/x.csv", include_path=True
    )
    assert frame.partition_keys == ["country", "day"]
    table = frame.to_pandas_dataframe()
    assert list(table.columns) == ["Path", "country", "day", "v"]
    assert table["Path"].tolist() == ["/de/2020/01/02/x.csv", "/fr/2020/03/04/x.csv"]
    assert table["country"].tolist() == ["de", "fr"]
    assert plain(table["day"]) == ["2020-01-02T00:00:00", "2020-03-04T00:00:00"]


@pytest.fixture
def table(tmp_path: Path) -> TabularDataset:
    (tmp_path / "t.csv").write_text("a,b,when\n" + "".join(f"{n},x{n},2020-01-{n + 1:02}\n" for n in range(10)))
    return Dataset.Tabular.from_delimited_files(tmp_path / "t.csv")


def test_columns_and_rows_are_chosen(table: TabularDataset) -> None:
    assert list(table.keep_columns(["b", "a"]).to_pandas_dataframe().columns) == ["a", "b"]
    assert list(table.drop_columns("b").drop_columns(["nothing"]).to_pandas_dataframe().columns) == ["a", "when"]
    assert table.take(2).to_pandas_dataframe()["a"].tolist() == [0, 1]
    frame = table.skip(7).to_pandas_dataframe()
    assert frame["a"].tolist() == [7, 8, 9]
    assert frame.index.tolist() == [0, 1, 2]
    one, other = table.random_split(0.5, seed=1)
    rows = one.to_pandas_dataframe()["a"].tolist(), other.to_pandas_dataframe()["a"].tolist()
    assert sorted(rows[0] + rows[1]) == list(range(10))
    assert 0 < len(rows[0]) < 10
    with pytest.raises(UserErrorException, match="no column 'zz'"):
        table.keep_columns("zz", validate=True)
    with pytest.raises(TypeError, match="columns"):
        table.keep_columns(3)  # type: ignore[arg-type]


def test_rows_are_chosen_by_time(table: TabularDataset) -> None:
    with pytest.raises(DatasetTimestampMissingError, match="with_timestamp_columns"):
        table.time_after(datetime(2020, 1, 1))
    timed = table.with_timestamp_columns("when", validate=True)
    assert timed.timestamp_columns == ("when", None)

    def rows(dataset: TabularDataset) -> list[int]:
        found: list[int] = dataset.to_pandas_dataframe()["a"].tolist()
        return found

    assert rows(timed.time_after(datetime(2020, 1, 9))) == [8, 9]
    assert rows(timed.time_after(datetime(2020, 1, 9), include_boundary=False)) == [9]
    assert rows(timed.time_before(datetime(2020, 1, 2))) == [0, 1]
    assert rows(timed.time_between(datetime(2020, 1, 3), datetime(2020, 1, 4))) == [2, 3]
    assert rows(timed.time_recent(timedelta(days=1))) == []
    with pytest.raises(UserErrorException, match="no column 'zz'"):
        table.with_timestamp_columns("zz", validate=True)


def test_json_lines(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": 1, "b": "x"}\n\n{"a": 2}\n')
    (tmp_path / "bad.jsonl").write_text('{"a": 1}\n[1]\n{"a"\n{"a": 3}\n')
    frame = Dataset.Tabular.from_json_lines_files(tmp_path / "a.jsonl").to_pandas_dataframe()
    assert frame["a"].tolist() == [1, 2]
    assert plain(frame["b"]) == ["x", None]
    bad = Dataset.Tabular.from_json_lines_files(tmp_path / "bad.jsonl")
    with pytest.raises(UserErrorException, match=r"bad\.jsonl, line 2"):
        bad.to_pandas_dataframe()
    dropped = Dataset.Tabular.from_json_lines_files(tmp_path / "bad.jsonl", invalid_lines="drop")
    assert dropped.to_pandas_dataframe()["a"].tolist() == [1, 3]
    with pytest.raises(ValueError, match="invalid_lines"):
        Dataset.Tabular.from_json_lines_files(tmp_path / "a.jsonl", invalid_lines="skip")


def test_parquet(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    frame = pandas.DataFrame({"a": [1, 2], "b": ["x", None], "t": pandas.to_datetime(["2020-01-02", "2020-01-03"])})
    for n in range(2):
        frame.to_parquet(tmp_path / f"{n}.parquet")
    (tmp_path / "broken.pq").write_text("no")
    found = Dataset.Tabular.from_parquet_files(str(tmp_path / "*.parquet")).to_pandas_dataframe()
    assert found["a"].tolist() == [1, 2, 1, 2]
    assert plain(found["b"]) == ["x", None, "x", None]
    with pytest.raises(UserErrorException, match=r"broken\.pq"):
        Dataset.Tabular.from_parquet_files(tmp_path / "broken.pq").to_pandas_dataframe()


def test_what_is_not_there_when_it_is_read_is_told(tmp_path: Path) -> None:
    dataset = Dataset.Tabular.from_delimited_files(str(tmp_path / "later.csv"), validate=False)
    with pytest.raises(UserErrorException, match=r"later\.csv"):
        dataset.to_pandas_dataframe()


def test_without_pandas_the_error_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    code = """
import sys
sys.modules["pandas"] = None
from scriptstep.data.dataset_factory import Dataset
try:
    Dataset.Tabular.from_delimited_files("a.csv").to_pandas_dataframe()
except ValueError:
    raise
except Exception as error:
    print(type(error).__name__, error)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert "UserErrorException" in found.stdout
    assert 'pip install "scriptstep[tabular]"' in found.stdout


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_only_the_columns_that_are_kept_are_read(tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pandas.DataFrame({"c": [1, 2], "b": [1.5, None], "a": ["x", "y"], "d": ["1", "2"]})
    file = tmp_path / f"t.{form}"
    frame.to_csv(file, index=False) if form == "csv" else frame.to_parquet(file)
    make = Dataset.Tabular.from_delimited_files if form == "csv" else Dataset.Tabular.from_parquet_files
    whole = make(str(file), set_column_types={"d": DataType.to_float()})
    read: list[list[str]] = []
    join = tabular._joined

    def joined(library: Any, frames: list[Any], *rest: Any) -> Any:
        read.append(list(frames[0].columns))
        return join(library, frames, *rest)

    monkeypatch.setattr(tabular, "_joined", joined)
    everything = whole.to_pandas_dataframe()
    for made in (
        whole.keep_columns(["a", "c"]),
        whole.take(1).keep_columns(["c"]),
        whole.keep_columns(["b", "a"]).drop_columns("b"),
    ):
        kept = made.to_pandas_dataframe()
        assert kept.equals(everything.loc[: len(kept) - 1, list(kept.columns)])
    assert read[1:] == [["c", "a", "d"], ["c", "d"], ["b", "a", "d"]]
    whole.filter(whole["b"] > 1).keep_columns(["a"]).to_pandas_dataframe()
    assert len(read[-1]) == 4, "the condition needs a column that is not kept"
    with pytest.raises(UserErrorException, match="there is no column 'gone'; there are c, b, a, d"):
        whole.keep_columns(["gone"]).to_pandas_dataframe()
