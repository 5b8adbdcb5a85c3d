"""Every name that is promised is used as public code uses it, by a test that drives it through a step that runs.

`data/public_names.json` maps each name to its test; a name without one, and a test that does not use its name, fail.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scriptstep import (
    AmlCompute,
    ComputeTarget,
    CondaDependencies,
    DataPath,
    DataPathComputeBinding,
    DataReference,
    Dataset,
    DatasetConsumptionConfig,
    Datastore,
    Environment,
    Experiment,
    InputPortBinding,
    Model,
    MpiConfiguration,
    OutputFileDatasetConfig,
    OutputPortBinding,
    Pipeline,
    PipelineData,
    PipelineParameter,
    PipelineRun,
    PortDataReference,
    PythonScriptStep,
    PyTorchConfiguration,
    RunConfiguration,
    StepRun,
    StepSequence,
    TensorflowConfiguration,
    Workspace,
)
from tests.logs import log_of

Make = Callable[..., Any]
Tell = Callable[[Any], dict[str, str]]

HERE = Path(__file__).parent
NAMES: dict[str, str] = json.loads((HERE / "data" / "public_names.json").read_text(encoding="utf-8"))

READ = "import os, sys; p = sys.argv[1]; f = p if os.path.isfile(p) else os.path.join(p, sorted(os.listdir(p))[0]); print('read', open(f).read())"
WRITE = "import os, sys; os.makedirs(sys.argv[1], exist_ok=True); open(os.path.join(sys.argv[1], 'a.txt'), 'w').write('written')"


def test_functions(file: str) -> dict[str, str]:
    """The source of each test of a file, by name."""
    text = (HERE / file).read_text(encoding="utf-8")
    return {
        node.name: ast.get_source_segment(text, node) or ""
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef)
    }


test_functions.__test__ = False  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_promised_name_is_used_by_its_test(name: str) -> None:
    file, _, test = NAMES[name].partition("::")
    source = test_functions(file).get(test)
    assert source is not None, f"{name}: there is no test {NAMES[name]}"
    assert name.rsplit(".", 1)[-1] in source, f"{name}: {NAMES[name]} does not use it"
    assert "run(" in source or ".submit(" in source, f"{name}: {NAMES[name]} runs no step"


def data_file(ws: Any, text: str = "here") -> Datastore:
    datastore = ws.get_default_datastore()
    Path("upload").mkdir(exist_ok=True)
    Path("upload/one.txt").write_text(text)
    datastore.upload_files(["upload/one.txt"], target_path="raw", overwrite=True, show_progress=False)
    return datastore


def test_example_1_of_the_reference_page(make_step: Make, ws: Any, verdicts: Tell, project: Path) -> None:
    datastore = Datastore.get(ws, "workspaceblobstore")
    data_file(ws)
    compute = AmlCompute(ws, "cpu-cluster")
    folder = project / "samples"
    folder.mkdir()
    (folder / "train.py").write_text(
        "import argparse, os\n"
        "parser = argparse.ArgumentParser()\n"
        "parser.add_argument('--input'); parser.add_argument('--output')\n"
        "given = parser.parse_args()\n"
        "os.makedirs(given.output)\n"
        "open(given.output + '/model', 'w').write(open(given.input + '/one.txt').read())\n"
    )
    input_data = DataReference(datastore=datastore, data_reference_name="training_data", path_on_datastore="raw")
    output = PipelineData("model", datastore=datastore)
    step = PythonScriptStep(
        script_name="train.py",
        arguments=["--input", input_data, "--output", output],
        inputs=[input_data],
        outputs=[output],
        compute_target=compute,
        source_directory=str(folder),
    )
    pipeline = Pipeline(workspace=ws, steps=[step])
    run = Experiment(ws, "example").submit(pipeline)
    assert run.wait_for_completion() == "Finished"
    reference = run.find_step_run("train.py")[0].get_output_data("model")
    reference.download(str(project / "got"))
    assert [f.read_text() for f in (project / "got").rglob("model") if f.is_file()] == ["here"]


def test_example_2_of_the_reference_page(make_step: Make, ws: Any, run: Make, verdicts: Tell) -> None:
    datastore = data_file(ws)
    Dataset.File.from_files(DataPath(datastore, "raw/*.txt")).register(ws, "raw data", create_new_version=True)

    def step() -> Any:
        dataset = Dataset.get_by_name(ws, "raw data")
        output = PipelineData("made", datastore=datastore).as_dataset().register(name="made", create_new_version=True)
        code = """
            import os
            from azureml.core import Run
            source = Run.get_context().input_datasets["given"]
            assert os.environ["given"] == source
            os.makedirs(os.environ["AZUREML_DATAREFERENCE_made"])
            text = open(os.path.join(source, "one.txt")).read()
            open(os.path.join(os.environ["AZUREML_DATAREFERENCE_made"], "copy.txt"), "w").write(text)
        """
        return make_step("copy", code, inputs=[dataset.as_named_input("given").as_mount()], outputs=[output])

    assert verdicts(run(step())) == {"copy": "ran"}
    assert Dataset.get_by_name(ws, "made").version == 1
    assert verdicts(run(step())) == {"copy": "reused"}
    assert Dataset.get_by_name(ws, "made").version == 1


def test_a_data_path_parameter_with_its_binding(make_step: Make, ws: Any, run: Make) -> None:
    datastore = data_file(ws)
    other = Path("upload/two.txt")
    other.write_text("there")
    datastore.upload_files([str(other)], target_path="other", show_progress=False)
    parameter = PipelineParameter("where", default_value=DataPath(datastore=datastore, path_on_datastore="raw"))
    pair = (parameter, DataPathComputeBinding(mode="mount"))
    step = make_step("read", READ, arguments=[pair], inputs=[pair])
    assert "read here" in log_of(run(step), "read")
    again = run(step, pipeline_parameters={"where": DataPath(datastore=datastore, path_on_datastore="other")})
    assert "read there" in log_of(again, "read")


def test_port_bindings(make_step: Make, ws: Any, run: Make) -> None:
    out = OutputPortBinding("bound", datastore=ws.get_default_datastore(), is_directory=True)
    first = make_step("write", WRITE, arguments=[out], outputs=[out])
    data = PipelineData("plain")
    second = make_step("second", WRITE, arguments=[data], outputs=[data])
    taken = InputPortBinding("renamed", bind_object=data, bind_mode="download")
    third = make_step("read", READ, arguments=[taken], inputs=[taken])
    finished = run(first, second, third)
    assert finished.get_status() == "Finished"
    assert "read written" in log_of(finished, "read")


def test_port_data_reference_of_a_finished_run_feeds_another_pipeline(make_step: Make, ws: Any, run: Make) -> None:
    data = PipelineData("plain")
    finished = run(make_step("write", WRITE, arguments=[data], outputs=[data]))
    reference = finished.find_step_run("write")[0].get_output_data("plain")
    assert isinstance(reference, PortDataReference)
    again = run(make_step("read", READ, arguments=[reference], inputs=[reference]))
    assert "read written" in log_of(again, "read")


def test_step_sequence_and_run_after(make_step: Make, ws: Any) -> None:
    note = "import sys, time; open(sys.argv[1], 'a').write(sys.argv[2])"
    order = Path("order").absolute()
    steps = {name: make_step(name, note, arguments=[str(order), name]) for name in "abcd"}
    steps["d"].run_after(steps["c"])
    pipeline = Pipeline(ws, steps=StepSequence([steps["a"], [steps["b"], steps["c"]], steps["d"]]))
    Experiment(ws, "sequence").submit(pipeline).wait_for_completion()
    assert sorted(order.read_text()) == ["a", "b", "c", "d"]
    assert order.read_text()[0] == "a" and order.read_text()[-1] == "d"


def test_a_step_made_from_the_base_class(project: Path, run: Make) -> None:
    from scriptstep.authoring.python_script_step import _PythonScriptStepBase

    class _MineBase(_PythonScriptStepBase):
        pass

    folder = project / "mine"
    folder.mkdir()
    (folder / "main.py").write_text("print('from the base')")
    step = _MineBase(script_name="main.py", name="mine", source_directory=str(folder))
    assert step.step_type == "Mine"
    assert "from the base" in log_of(run(step), "mine")


def test_run_configuration_environment_and_conda_dependencies(make_step: Make, ws: Any, run: Make) -> None:
    from scriptstep.workspace.docker import DockerSection

    conda = CondaDependencies.create(pip_packages=["scriptstep"], conda_packages=["python"])
    environment = Environment("mine")
    environment.python.conda_dependencies = conda
    environment.python.user_managed_dependencies = True
    environment.docker.enabled = True
    assert isinstance(environment.docker, DockerSection)
    environment.register(ws)
    config = RunConfiguration()
    config.environment = Environment.get(ws, "mine")
    config.environment.environment_variables = {"A": "b"}
    step = make_step("config", "import os; print('A is', os.environ['A'])", runconfig=config)
    assert "A is b" in log_of(run(step), "config")


@pytest.mark.usefixtures("fake_mpirun")
@pytest.mark.parametrize("kind", ["MpiConfiguration", "TensorflowConfiguration", "PyTorchConfiguration"])
def test_one_process_and_two_of_each_framework_run(kind: str, make_step: Make, run: Make) -> None:
    def step(count: int) -> Any:
        config = RunConfiguration(framework="Python")
        if kind == "MpiConfiguration":
            config.communicator, config.mpi = "IntelMpi", MpiConfiguration()
            config.mpi.process_count_per_node = count
        elif kind == "TensorflowConfiguration":
            config.framework, config.communicator = "TensorFlow", "ParameterServer"
            config.tensorflow = TensorflowConfiguration()
            config.tensorflow.worker_count, config.tensorflow.parameter_server_count = count, 0
        else:
            config.framework, config.communicator, config.node_count = "PyTorch", "Nccl", count
            config.pytorch = PyTorchConfiguration("Gloo")
        return make_step("wide", "print('one')", runconfig=config)

    for count in (1, 2):
        (done,) = run(step(count)).find_step_run("wide")
        assert done.get_status() == "Finished", done.get_details()
        told = [text for name, text in done.get_details_with_logs()["logFiles"].items() if "std_log" in name]
        assert told == ["one\n"] * count


def test_runconfig_pipeline_params_set_counts_when_the_pipeline_runs(make_step: Make, run: Make) -> None:
    nodes = PipelineParameter("nodes", default_value=1)
    step = make_step("wide", "print(1)", runconfig_pipeline_params={"NodeCount": nodes})
    assert run(step).get_status() == "Finished"
    (wide,) = run(step, pipeline_parameters={"nodes": 3}).find_step_run("wide")
    assert list(wide.get_details()["logFiles"]) == [f"user_logs/std_log_process_0{rank}.txt" for rank in range(3)]


@pytest.mark.parametrize("how", ["object", "name", "tuple", "runconfig", "none"])
def test_a_compute_target_given_in_every_way(how: str, make_step: Make, ws: Any, run: Make) -> None:
    target = ComputeTarget(ws, "cluster")
    config = RunConfiguration()
    given: dict[str, Any] = {
        "object": {"compute_target": target},
        "name": {"compute_target": "cluster"},
        "tuple": {"compute_target": ("cluster", "AmlCompute")},
        "runconfig": {"runconfig": config},
        "none": {},
    }[how]
    if how == "runconfig":
        config.target = target
    finished = run(make_step("placed", "print(1)", **given))
    assert finished.get_status() == "Finished"
    (step,) = finished.find_step_run("placed")
    assert step.get_details().get("target") == (None if how == "none" else "cluster") or how == "none"


def test_a_tabular_dataset_is_read_in_the_step(make_step: Make, ws: Any, run: Make) -> None:
    Path("table.csv").write_text("a,b\n1,2\n3,4\n")
    table = Dataset.Tabular.from_delimited_files(path="table.csv")
    assert table.to_pandas_dataframe()["a"].tolist() == [1, 3]
    table.register(workspace=ws, name="table", create_new_version=True)
    code = """
        from azureml.core import Dataset, Run
        run = Run.get_context()
        frame = run.input_datasets["rows"].to_pandas_dataframe()
        again = Dataset.get_by_name(run.experiment.workspace, "table").to_pandas_dataframe()
        print("sum", frame["b"].sum(), again["b"].sum())
    """
    given = Dataset.get_by_name(ws, "table").as_named_input("rows")
    assert "sum 6 6" in log_of(run(make_step("sum", code, inputs=[given])), "sum")


@pytest.mark.parametrize("mounted", [True, False])
def test_a_file_dataset_arrives_as_folder_or_as_file(mounted: bool, make_step: Make, ws: Any, run: Make) -> None:
    datastore = data_file(ws)
    folder = Dataset.File.from_files((datastore, "raw/*.txt")).as_named_input("many")
    file = Dataset.File.from_files((datastore, "raw/one.txt")).as_named_input("one")
    folder, file = (d.as_mount() if mounted else d.as_download() for d in (folder, file))
    config = DatasetConsumptionConfig("config", Dataset.File.from_files((datastore, "raw")), mode="mount")
    code = """
        import os, sys
        many, one, config = sys.argv[1:]
        assert os.path.isdir(many) and open(many + "/one.txt").read() == "here"
        assert os.path.isfile(one) and os.path.basename(one) == "one.txt" and open(one).read() == "here"
        assert open(os.path.join(config, "one.txt")).read() == "here"
    """
    finished = run(make_step("read", code, arguments=[folder, file, config]))
    assert finished.get_status() == "Finished", log_of(finished, "read")


def test_an_output_file_dataset_is_registered_and_named_by_the_user(
    make_step: Make, ws: Any, run: Make, home: Path
) -> None:
    datastore = ws.get_default_datastore()
    out = OutputFileDatasetConfig(name="out", destination=(datastore, "results/{output-name}")).register_on_complete(
        "results"
    )
    code = """
        import os
        from azureml.core import Run
        target = Run.get_context().output_datasets["out"]
        open(os.path.join(target, "r.txt"), "w").write("result")
    """
    first = make_step("write", code, outputs=[out])
    second = make_step("read", READ, arguments=[out.as_input("given").as_download()])
    finished = run(first, second)
    assert "read result" in log_of(finished, "read")
    assert [f.read_text() for f in home.rglob("results/out/r.txt")] == ["result"]
    (path,) = Dataset.get_by_name(ws, "results").download("fetched")
    assert Path(path).read_text() == "result"


def test_what_a_script_does_to_its_run_is_read_back(make_step: Make, ws: Any, run: Make) -> None:
    code = """
        import os, struct, zlib
        from azureml.core import Run
        run = Run.get_context()
        run.log("loss", 0.5)
        run.log("loss", 0.25)
        run.log_list("list", [1, 2])
        run.log_row("row", x=1, y="a")
        run.log_table("table", {"c": [1, 2]})
        with open("picture.png", "wb") as file:
            file.write(bytes.fromhex("89504e470d0a1a0a"))
        run.log_image("picture", path="picture.png")
        run.tag("kind", 5)
        os.makedirs("more/deep")
        open("more/deep/f.txt", "w").write("folder")
        run.upload_folder("folder", "more")
        open("alone.txt", "w").write("file")
        run.upload_file("files/alone.txt", "alone.txt")
        open("outputs/model.txt", "w").write("weights")
        model = run.register_model("mine", model_path="outputs/model.txt", tags={"a": "b"})
        assert model.version == 1
        assert run.get_metrics()["loss"] == [0.5, 0.25]
        run.parent.log("from_child", 1)
        assert run.experiment.workspace.name == run.experiment.workspace.get_details()["name"]
    """
    finished = run(make_step("does", code))
    assert isinstance(finished, PipelineRun)
    (step,) = finished.get_steps()
    assert isinstance(step, StepRun)
    assert step.get_status() == "Finished", log_of(finished, "does")
    metrics = step.get_metrics()
    assert metrics["loss"] == [0.5, 0.25] and metrics["list"] == [1, 2]
    assert metrics["row"] == {"x": 1, "y": "a"} or metrics["row"] == {"x": [1], "y": ["a"]}
    assert metrics["table"] == {"c": [1, 2]}
    assert step.get_tags() == {"kind": "5"}
    names = step.get_file_names()
    assert {"folder/deep/f.txt", "files/alone.txt", "outputs/model.txt", "user_logs/std_log.txt"} <= set(names)
    assert finished.get_metrics()["from_child"] == 1
    assert finished.get_details()["status"] == "Finished"
    model = Model(ws, "mine")
    assert (model.version, model.tags, model.run_id) == (1, {"a": "b"}, step.id)


def test_pipeline_submit_and_workspace_by_folder(make_step: Make, project: Path, run: Make) -> None:
    ws = Workspace.from_config(path=str(project))
    pipeline = Pipeline(workspace=ws, steps=[make_step("only", "print('x')")])
    assert pipeline.validate() == []
    submitted = pipeline.submit("direct", regenerate_outputs=True, continue_on_step_failure=True)
    assert submitted.wait_for_completion(show_output=True) == "Finished"
    assert [r.id for r in Experiment(ws, "direct").get_runs()] == [submitted.id]
