"""Ports: what may stand in inputs and outputs, which declarations mean the same, what ports are called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scriptstep.authoring.pipeline import Pipeline
from scriptstep.authoring.pipeline_data import PipelineData
from scriptstep.authoring.python_script_step import PythonScriptStep
from scriptstep.data.consumption import DatasetConsumptionConfig
from scriptstep.data.dataset_factory import Dataset
from scriptstep.data.outputs import HDFSOutputDatasetConfig, OutputFileDatasetConfig
from scriptstep.data.paths import DataPath, DataPathComputeBinding
from scriptstep.data.references import DataReference, PortDataReference
from scriptstep.graph import (
    DataLocation,
    InputPortBinding,
    InputRef,
    InputSpec,
    OutputPortBinding,
    OutputRef,
    ParameterSource,
    PipelineParameter,
    StepOutput,
    StepSpec,
)

Make = Callable[..., PythonScriptStep]


class Settings:
    default_compute = None


class Space:
    """As much of a workspace as declaring needs."""

    name = "space"
    _settings = Settings()


@pytest.fixture
def make(tmp_path: Path) -> Make:
    (tmp_path / "main.py").write_text("")

    def step(name: str = "step", **given: Any) -> PythonScriptStep:
        return PythonScriptStep("main.py", name=name, source_directory=tmp_path, **given)

    return step


def specs(*steps: Any) -> dict[str, StepSpec]:
    return {node.name: node.spec for node in Pipeline(Space(), list(steps)).graph.module_nodes}


def inputs(step: Any, *others: Any) -> list[InputSpec]:
    return list(specs(*others, step)[step.name].inputs)


def refused(make: Make, **given: Any) -> str:
    with pytest.raises(ValueError, match="step 'step'") as caught:
        make(**given)
    return str(caught.value)


def test_data_flows_from_step_to_step(make: Make) -> None:
    data = PipelineData(
        "data", output_name="made", is_directory=True, output_path_on_compute="x", output_overwrite=True
    )
    writer = make("writer", outputs=[data], arguments=[data])
    reader = make("reader", inputs=[data], arguments=[data])
    found = specs(reader)
    (output,) = found["writer"].outputs
    assert (output.name, output.kind, output.mode, output.is_directory) == ("made", "data", "mount", True)
    assert (output.path_on_compute, output.overwrite, output.destination, output.datastore) == ("x", True, None, None)
    (read,) = found["reader"].inputs
    assert read.name == "data"
    assert isinstance(read.source, StepOutput)
    assert read.source.output == "made"
    assert found["reader"].arguments == ((InputRef("data"),),)
    assert writer._outputs == [data]


@pytest.mark.parametrize("by", ["identity", "download", "mount", "input", "binding"])
def test_one_input_may_be_declared_by_two_objects(make: Make, by: str) -> None:
    data = PipelineData("data")
    make("writer", outputs=[data])
    given, argument, mode = {
        "identity": (data, data, "mount"),
        "download": (data, data.as_download(path_on_compute="here"), "download"),
        "mount": (data.as_mount(), data.as_mount(), "mount"),
        "input": (data.as_input("other"), data, "mount"),
        "binding": (InputPortBinding("bound", data, bind_mode="download"), data, "download"),
    }[by]
    (read,) = inputs(make(inputs=[given], arguments=[argument]))
    assert read.mode == mode
    assert read.path_on_compute == ("here" if by == "download" else None)


def test_two_words_on_how_it_arrives_are_refused(make: Make) -> None:
    data = PipelineData("data")
    assert "by mount in inputs and by download" in refused(
        make, inputs=[data.as_mount()], arguments=[data.as_download()]
    )


def test_references_and_their_copies_are_one_input(make: Make) -> None:
    raw = DataReference("store", "raw", "/in/a.csv", path_on_compute="p")
    (read,) = inputs(make(inputs=[raw], arguments=[raw.as_download(overwrite=True)]))
    assert read.source == DataLocation("store", "in/a.csv", "raw")
    assert (read.mode, read.overwrite, read.as_dataset) == ("download", True, False)
    (below,) = inputs(make(inputs=[raw.path("b", "below").as_mount()]))
    assert below.source == DataLocation("store", "in/a.csv/b", "below")


def test_a_pair_of_path_and_binding(make: Make) -> None:
    path = (DataPath("store", "raw", name="raw"), DataPathComputeBinding("download", "here", True))
    where = (PipelineParameter("where", DataPath("store", "x")), DataPathComputeBinding())
    step = make(inputs=[path, where], arguments=[where, (path[0], path[1])])
    one, other = inputs(step)
    assert (one.name, one.source, one.mode, one.path_on_compute) == (
        "raw",
        DataLocation("store", "raw", "raw"),
        "download",
        "here",
    )
    assert (other.name, other.source) == ("where", ParameterSource("where"))
    assert step._wiring.arguments == ((InputRef("where"),), (InputRef("raw"),))
    assert Pipeline(Space(), step).graph.params["where"] is where[0]


def test_what_a_step_wrote_in_another_run_is_an_input(make: Make) -> None:
    port = PortDataReference(None, "run", DataReference("store", "model", "azureml/1/model"))
    assert (port.name, port.datastore_name, port.path_on_datastore) == ("model", "store", "azureml/1/model")
    (read,) = inputs(make(inputs=[port.as_download("m")]))
    assert (read.name, read.source, read.mode) == ("m", DataLocation("store", "azureml/1/model", "model"), "download")


def test_datasets_arrive_as_datasets(make: Make, tmp_path: Path) -> None:
    files = Dataset.File.from_files(str(tmp_path / "*.csv"), validate=False)
    table = Dataset.Tabular.from_delimited_files(str(tmp_path / "*.csv"), validate=False)
    step = make(
        inputs=[files.as_named_input("a"), table.as_named_input("b")],
        arguments=[files.as_named_input("a").as_download("here"), files.as_named_input("c").as_mount()],
    )
    a, b, c = inputs(step)
    assert [(i.name, i.mode, i.as_dataset) for i in (a, b, c)] == [
        ("a", "download", True),
        ("b", "direct", True),
        ("c", "mount", True),
    ]
    assert a.path_on_compute == "here"
    assert a.source == files._spec_value()
    assert [type(i).__name__ for i in step._inputs] == ["DatasetConsumptionConfig"] * 3


def test_output_datasets_are_declared_by_standing_in_arguments(make: Make) -> None:
    made = OutputFileDatasetConfig("made", destination=("store", "/x/{run-id}"), source="here")
    writer = make(
        "writer", arguments=["--out", made.as_upload(overwrite=True).register_on_complete("kept", "told", {"n": 1})]
    )
    reader = make("reader", arguments=["--in", made.as_input("data"), made.as_input("again").as_download()])
    found = specs(reader)
    (output,) = found["writer"].outputs
    assert (output.name, output.kind, output.mode, output.overwrite) == ("made", "file_dataset", "upload", True)
    assert (output.datastore, output.destination, output.path_on_compute) == ("store", "x/{run-id}", "here")
    assert output.registration == {
        "name": "kept",
        "description": "told",
        "tags": {"n": "1"},
        "kind": "file",
        "format": "files",
        "options": {},
        "transformations": [],
        "create_new_version": True,
    }
    assert [(i.name, i.mode, i.as_dataset) for i in found["reader"].inputs] == [
        ("data", "mount", True),
        ("again", "download", True),
    ]
    assert made._origin.producer_step is writer


def test_an_output_dataset_in_inputs_is_read(make: Make) -> None:
    made = OutputFileDatasetConfig("made")
    make("writer", arguments=[made])
    (read,) = inputs(make(inputs=[made], arguments=["--in", made]))
    assert (read.name, read.mode) == ("made", "mount")


def test_outputs_are_read_as_tables(make: Make) -> None:
    table = (
        OutputFileDatasetConfig("made").read_delimited_files(separator=";").keep_columns(["a", "b"]).drop_columns("b")
    )
    writer = make("writer", outputs=[table.register_on_complete("kept")])
    (read,) = inputs(make("reader", inputs=[table.as_input("t")]))
    (output,) = specs(writer)["writer"].outputs
    steps = (
        {"op": "read", "format": "delimited", "options": {"separator": ";"}},
        {"op": "keep_columns", "columns": ["a", "b"]},
        {"op": "drop_columns", "columns": ["b"]},
    )
    assert (read.mode, read.as_dataset, read.transformations) == ("direct", True, steps)
    assert output.kind == "tabular_dataset"
    assert output.registration is not None
    assert (output.registration["kind"], output.registration["format"]) == ("tabular", "delimited")
    assert output.registration["transformations"] == list(steps[1:])


def test_pipeline_data_as_dataset(make: Make) -> None:
    data = PipelineData("data", output_name="made")
    kept = data.as_dataset().register("kept", create_new_version=False)
    writer = make("writer", outputs=[kept], arguments=[data, data.as_dataset()])
    assert writer._wiring.arguments == ((OutputRef("made"),), (OutputRef("made"),))
    table = data.as_dataset().parse_parquet_files().as_named_input("table").keep_columns("a")
    reader = make(
        "reader", inputs=[kept.as_named_input("files").as_download("here"), table, data.as_dataset().as_direct()]
    )
    found = specs(reader)
    (output,) = found["writer"].outputs
    assert (output.name, output.kind, output.as_dataset) == ("made", "data", True)
    assert output.registration is not None
    assert (output.registration["name"], output.registration["create_new_version"]) == ("kept", False)
    assert [(i.name, i.mode, i.path_on_compute) for i in found["reader"].inputs] == [
        ("files", "download", "here"),
        ("table", "direct", None),
        ("data", "direct", None),
    ]
    assert found["reader"].inputs[1].transformations[0] == {
        "op": "read",
        "format": "parquet",
        "options": {"file_glob": "*.parquet"},
    }


def test_an_output_binding_names_its_port(make: Make) -> None:
    bound = OutputPortBinding("bound", datastore="store", output_name="port", bind_mode="upload", is_directory=True)
    make("writer", outputs=[bound], arguments=[f"{bound}/x"])
    found = specs(make("reader", inputs=[InputPortBinding("in", bound)]))
    (output,) = found["writer"].outputs
    assert (output.name, output.datastore, output.mode, output.is_directory) == ("port", "store", "upload", True)
    assert found["writer"].arguments == ((OutputRef("port"), "/x"),)


# --- names


def test_ports_without_a_name_are_named_by_their_place(make: Make, tmp_path: Path) -> None:
    def once() -> tuple[list[str], list[str]]:
        files = Dataset.File.from_files(str(tmp_path / "*.csv"), validate=False)
        raw = DataReference("store", path_on_datastore="raw")
        unnamed = OutputFileDatasetConfig()
        step = make(
            inputs=[raw, unnamed.as_input()],
            arguments=[
                "--train-data",
                files.as_mount(),
                files.as_mount(),
                files.as_download(),
                "--out",
                OutputFileDatasetConfig(),
                "x",
                OutputFileDatasetConfig(),
                "--path",
                OutputFileDatasetConfig(),
                "--out",
                OutputFileDatasetConfig(),
            ],
        )
        make("writer", arguments=[unnamed])
        spec = specs(step)["step"]
        return [i.name for i in spec.inputs], [o.name for o in spec.outputs]

    assert once() == once()
    assert once() == (["input_1", "input_2", "train_data", "input_4"], ["out", "output_2", "path", "out_2"])


def test_the_option_within_a_text_names_too(make: Make, tmp_path: Path) -> None:
    config, other = OutputFileDatasetConfig(), OutputFileDatasetConfig()
    step = make(outputs=[config, other], arguments=[f"--made={config.arg_val}", f"x{other.arg_val}"])
    assert [o.name for o in specs(step)["step"].outputs] == ["made", "output_2"]


def test_an_input_named_like_an_output_gets_another_name(make: Make) -> None:
    raw, data = DataReference("store", "data", "raw"), PipelineData("data")
    step = make(inputs=[raw], outputs=[data], arguments=[raw, data])
    assert [i.name for i in inputs(step)] == ["INPUT_data"]
    assert step._wiring.arguments == ((InputRef("INPUT_data"),), (OutputRef("data"),))
    config = OutputFileDatasetConfig("other").as_input("made")
    assert "both named 'made'" in refused(make, arguments=[config, OutputFileDatasetConfig("made")])


@pytest.mark.parametrize("name", ["PATH", "HOME", "LD_LIBRARY_PATH", "AZUREML_RUN_ID", "PYTHONPATH"])
def test_an_input_does_not_take_a_variable_that_scripts_need(make: Make, name: str) -> None:
    with pytest.raises(ValueError, match="needs the variable"):
        OutputFileDatasetConfig("x").as_input(name)
    assert DatasetConsumptionConfig(name.lower() + "_", OutputFileDatasetConfig("x")).name


# --- what is refused


def test_duplicate_ports_are_refused(make: Make) -> None:
    data, one, other = (
        PipelineData("data"),
        PipelineData("a", output_name="same"),
        PipelineData("b", output_name="same"),
    )
    assert "two inputs are named 'data'" in refused(make, inputs=[data, data])
    assert "two inputs are named 'raw'" in refused(
        make, inputs=[DataReference("store", "raw", "a"), DataReference("store", "raw", "b")]
    )
    assert "two outputs are named 'same'" in refused(make, outputs=[one, other])
    assert "stands in outputs twice" in refused(make, outputs=[one, one])
    assert "two inputs are named 'x'" in refused(
        make, arguments=[OutputFileDatasetConfig("a").as_input("x"), OutputFileDatasetConfig("b").as_input("x")]
    )


@pytest.mark.parametrize("wrong", ["text", 3, None, object(), ["x"]])
def test_what_cannot_be_read_or_written_is_refused(make: Make, wrong: Any) -> None:
    assert "inputs[0] cannot be read" in refused(make, inputs=[wrong])
    assert "outputs[0] cannot be written" in refused(make, outputs=[wrong])


def test_lists_must_be_lists(make: Make) -> None:
    data = PipelineData("data")
    for what in ("inputs", "outputs"):
        for wrong in (data, "data", {"a": data}, {data}):
            with pytest.raises(TypeError, match=what):
                make(**{what: wrong})


def test_a_step_that_would_wait_for_itself_is_refused(make: Make) -> None:
    data, made = PipelineData("data"), OutputFileDatasetConfig("made")
    assert "would wait for itself" in refused(make, inputs=[data], outputs=[data])
    assert "would wait for itself" in refused(make, arguments=[made, made.as_input("x")])
    with pytest.raises(ValueError, match="cannot wait for itself"):
        (step := make()).run_after(step)


def test_what_no_step_can_take_is_refused(make: Make) -> None:
    data = PipelineData("data")
    assert "as_upload()" in refused(make, inputs=[DataReference("store", "raw", "x").as_upload()])
    assert "PipelineData" in refused(make, outputs=[DataReference("store", "raw", "x")])
    assert "as_resource()" in refused(make, inputs=[data.as_mount().as_resource()])
    assert "Spark" in refused(make, outputs=[HDFSOutputDatasetConfig("x")])
    assert "AutoML" in refused(make, outputs=[PipelineData("x", training_output=object())])
    assert "which the step writes" in refused(make, outputs=[data], arguments=[data.as_mount()])
    assert "run_after" in refused(make, inputs=[make("other")])


def test_constructors_refuse_what_cannot_be() -> None:
    for name in ("", "a b", "a-b", None, 3):
        with pytest.raises(ValueError, match="name"):
            PipelineData(name)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="output_mode"):
        PipelineData("a", output_mode="copy")
    with pytest.raises(ValueError, match="mode"):
        PipelineData("a").create_input_binding("b", "direct")
    with pytest.raises(ValueError, match="lead out"):
        DataReference("store", "a", "../b")
    with pytest.raises(ValueError, match="lead out"):
        OutputFileDatasetConfig(destination=("store", "a/../../b"))
    for name in ("1a", "a b", "a-b"):
        with pytest.raises(ValueError, match="name"):
            OutputFileDatasetConfig(name)
        with pytest.raises(ValueError, match="name"):
            OutputFileDatasetConfig("x").as_input(name)
    with pytest.raises(TypeError, match="destination"):
        OutputFileDatasetConfig(destination="x")
    with pytest.raises(ValueError, match="empty"):
        OutputFileDatasetConfig("a").register_on_complete("")
    with pytest.raises(ValueError, match="mode"):
        DataPathComputeBinding("upload")
    with pytest.raises(ValueError, match="datastore"):
        DataPath()


def test_methods_return_copies_and_leave_what_they_are_called_on() -> None:
    data, config = PipelineData("data").as_dataset(), OutputFileDatasetConfig("made")
    reference = DataReference("store", "raw", "x")
    before = [dict(vars(o)) for o in (data, config, reference)]
    data.register("a").as_named_input("b").as_download("c").parse_delimited_files()
    config.as_upload(True).register_on_complete("a").read_parquet_files().keep_columns("b").as_input("c")
    reference.as_download("a", True).as_upload()
    assert [dict(vars(o)) for o in (data, config, reference)] == before
    with pytest.raises(NotImplementedError):
        config.as_upload(source_globs=["*.csv"])


def test_tokens_are_what_the_sdk_spells() -> None:
    assert str(PipelineData("a")) == repr(PipelineData("a")) == "$AZUREML_DATAREFERENCE_a"
    assert PipelineData("a").get_env_variable_name() == "$AZUREML_DATAREFERENCE_a"
    assert str(DataReference("store", "b", "x")) == "$AZUREML_DATAREFERENCE_b"
    assert str(DataReference("store")) == "$AZUREML_DATAREFERENCE_store"
    assert str(PipelineData("a").as_mount("c")) == "$AZUREML_DATAREFERENCE_c"
    assert OutputFileDatasetConfig("d").arg_val == "DatasetOutputConfig:d"
    assert OutputFileDatasetConfig("d").as_input("e").arg_val == "DatasetConsumptionConfig:e"
