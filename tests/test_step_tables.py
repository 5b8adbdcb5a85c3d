"""What a step wrote, read by another as a table or as a dataset, as public code does it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scriptstep import Dataset, OutputFileDatasetConfig, PipelineData
from scriptstep.data.outputs import OutputTabularDatasetConfig

pytest.importorskip("pandas")
pytest.importorskip("pyarrow")

Make = Callable[..., Any]

READ = """\
from azureml.core import Run
run = Run.get_context()
table = run.input_datasets["{name}"].to_pandas_dataframe()
run.log("columns", list(map(str, table.columns)))
run.log("sum", int(table["a"].sum()))
run.log("is in details", str([d["consumptionDetails"]["inputName"] for d in run.get_details()["inputDatasets"]]))
"""
WRITE = """\
import os, sys, pandas
os.makedirs(sys.argv[1], exist_ok=True)
for number in range(2):
    table = pandas.DataFrame({{"a": [number, 2], "b": [3, 4]}})
    table.{how}
"""
PARQUET = 'to_parquet(os.path.join(sys.argv[1], f"{number}.parquet"))'
CSV = 'to_csv(os.path.join(sys.argv[1], f"{number}.csv"), sep=";", index=False)'


def test_data_that_is_parsed_arrives_as_a_table_under_its_own_name(make_step: Make, run: Make, verdicts: Make) -> None:
    def steps() -> list[Any]:
        data = PipelineData("made", is_directory=True).as_dataset()
        write = make_step("write", WRITE.format(how=PARQUET), arguments=[data], outputs=[data])
        read = make_step("read", READ.format(name="made"), inputs=[data.parse_parquet_files()])
        return [write, read]

    finished = run(*steps())
    told = {"columns": ["a", "b"], "sum": 5, "is in details": "['made']"}
    assert finished.find_step_run("read")[0].get_metrics() == told
    assert verdicts(run(*steps())) == {"write": "reused", "read": "reused"}


def test_columns_are_kept_as_the_reader_asks(make_step: Make, run: Make, verdicts: Make) -> None:
    def steps(*columns: str) -> list[Any]:
        data = OutputFileDatasetConfig("made")
        write = make_step("write", WRITE.format(how=CSV), arguments=[data])
        table = data.read_delimited_files(separator=";").keep_columns(list(columns)).as_input("table")
        return [write, make_step("read", READ.format(name="table"), inputs=[table])]

    found = run(*steps("a")).find_step_run("read")[0].get_metrics()
    assert (found["columns"], found["sum"]) == (["a"], 5)
    assert verdicts(run(*steps("a", "b"))) == {"write": "reused", "read": "ran"}


def test_a_dataset_of_files_is_read_by_the_script_itself(make_step: Make, run: Make) -> None:
    data = PipelineData("made", is_directory=True).as_dataset()
    make_step("write", WRITE.format(how=CSV), arguments=[data], outputs=[data])
    code = """\
from azureml.core import Run
run = Run.get_context()
run.log("paths", str(sorted(run.input_datasets["files"].to_path())))
"""
    read = make_step("read", code, inputs=[data.as_named_input("files").as_direct()])
    assert run(read).find_step_run("read")[0].get_metrics() == {"paths": "['/0.csv', '/1.csv']"}


def test_what_is_written_as_a_table_is_registered_as_one(make_step: Make, run: Make, ws: Any) -> None:
    store = ws.get_default_datastore()
    for how, read in ((CSV, "read_delimited_files"), (PARQUET, "read_parquet_files")):
        files = OutputFileDatasetConfig("made", (store, "tables/{run-id}"))
        table = getattr(files, read)(**({"separator": ";"} if read == "read_delimited_files" else {}))
        table = table.drop_columns(["b"]).register_on_complete(read, description="in words", tags={"a": "1"})
        assert isinstance(table, OutputTabularDatasetConfig) and not isinstance(table, OutputFileDatasetConfig)
        run(make_step("write", WRITE.format(how=how), arguments=[files], outputs=[table]))
        found = Dataset.get_by_name(ws, read)
        assert (type(found).__name__, found.description, found.tags) == ("TabularDataset", "in words", {"a": "1"})
        assert found.to_pandas_dataframe()["a"].tolist() == [0, 2, 1, 2]
        assert list(found.to_pandas_dataframe().columns) == ["a"]
