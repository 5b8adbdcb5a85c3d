"""What a user reads back, and what a script does with its own run."""

from __future__ import annotations

import decimal
import io
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriptstep import (
    Dataset,
    Experiment,
    Model,
    OutputFileDatasetConfig,
    Pipeline,
    PipelineData,
    PipelineRun,
    Run,
    StepRun,
)
from scriptstep.errors import ActivityFailedException, ArgumentError, ModelPathNotFoundException, NotRegisteredError
from scriptstep.run.values import merged, plain

Make = Callable[..., Any]
Start = Callable[..., Any]

IN_A_STEP = "from azureml.core import Run\nrun = Run.get_context()\n"


# --- what is logged, outside of any pipeline


@pytest.fixture
def logging(ws: Any) -> Run:
    """A run that this process logs to."""
    return Experiment(ws, "notebook").start_logging()


def test_what_is_logged_is_read_back_as_the_sdk_has_it(logging: Run) -> None:
    logging.log("rate", 0.5)
    logging.log("loss", 3)
    logging.log("loss", 2, step=1)
    logging.log("loss", 1.5, description="better")
    logging.log("name", "ridge")
    logging.log_list("columns", ["a", "b"])
    logging.log_row("one row", x=1, y="z")
    logging.log_row("rows", x=1, y=2)
    logging.log_row("rows", "described", x=3, y=4)
    logging.log_table("table", {"a": [1, 2], "b": ["x", "y"]})
    logging.log_confusion_matrix("matrix", {"schema_type": "confusion_matrix", "data": {"matrix": [[1]]}})
    logging.log_residuals("residuals", json.dumps({"data": {"bin_edges": [1, 2]}}))
    logging.log_predictions("predictions", {"data": {}})
    logging.log_accuracy_table("accuracy", {"data": {}})
    assert logging.get_metrics() == {
        "rate": 0.5,
        "loss": [3, 2, 1.5],
        "name": "ridge",
        "columns": ["a", "b"],
        "one row": {"x": 1, "y": "z"},
        "rows": {"x": [1, 3], "y": [2, 4]},
        "table": {"a": [1, 2], "b": ["x", "y"]},
        "matrix": {"schema_type": "confusion_matrix", "data": {"matrix": [[1]]}},
        "residuals": {"data": {"bin_edges": [1, 2]}},
        "predictions": {"data": {}},
        "accuracy": {"data": {}},
    }
    assert logging.get_metrics(name="rate") == {"rate": 0.5}
    assert logging.get_metrics("nothing") == {}


class Tensor:
    """As torch has it: one element, and a method to take it out."""

    def item(self) -> float:
        return 2.5


def test_numbers_of_other_libraries_are_logged_plainly_and_no_type_fails() -> None:
    numpy = pytest.importorskip("numpy")
    pandas = pytest.importorskip("pandas")
    given = {
        "float64": (numpy.float64(0.5), 0.5),
        "float32": (numpy.float32(0.5), 0.5),
        "int64": (numpy.int64(3), 3),
        "bool_": (numpy.bool_(True), True),
        "str_": (numpy.str_("x"), "x"),
        "no dimensions": (numpy.array(2), 2),
        "one element": (numpy.array([[1.5]]), 1.5),
        "array": (numpy.array([1, 2]), [1, 2]),
        "list of scalars": ([numpy.float64(1), numpy.int64(2)], [1.0, 2]),
        "series": (pandas.Series([1.0, 2.0]), [1.0, 2.0]),
        "one row": (pandas.Series([7]), 7),
        "not a time": (pandas.NaT, None),
        "decimal": (decimal.Decimal("1.5"), 1.5),
        "complex": (1 + 2j, "(1+2j)"),
        "torch": (Tensor(), 2.5),
        "bytes": (b"x", "b'x'"),
        "none": (None, None),
        "object": (Path("a"), "a"),
    }
    for name, (value, expected) in given.items():
        found = plain(value)
        assert found == expected, name
        assert type(found) in (type(None), bool, int, float, str, list), name
        json.dumps(found)
    assert math.isnan(plain(numpy.float64("nan")))


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(allow_nan=False)), max_size=12))
def test_metrics_are_a_value_or_the_list_of_all_values(logged: list[tuple[str, float]]) -> None:
    from scriptstep.history import MetricRow

    told = merged(MetricRow("r", name, "scalar", value) for name, value in logged)
    for name in {name for name, _ in logged}:
        values = [value for other, value in logged if other == name]
        assert told[name] == (values if len(values) > 1 else values[0])


def test_images_become_files_of_the_run(logging: Run, project: Path) -> None:
    class Figure:
        def savefig(self, target: Any, **options: Any) -> None:
            Path(target).write_bytes(b"png of " + options["format"].encode())

    (project / "roc.png").write_bytes(b"an image")
    logging.log_image("ROC", path="roc.png")
    logging.log_image("curve", plot=Figure())
    assert logging.get_metrics() == {"ROC": "roc.png", "curve": "curve.png"}
    logging.download_file("curve.png", str(project / "got.png"))
    assert (project / "got.png").read_bytes() == b"png of png"
    for wrong in ({}, {"path": "roc.png", "plot": Figure()}, {"plot": 3}, {"path": "none.png"}):
        with pytest.raises(ArgumentError):
            logging.log_image("x", **wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda run: run.log_table("t", 3),
        lambda run: run.log_confusion_matrix("m", [1]),
        lambda run: run.log_residuals("r", "{"),
        lambda run: run.set_tags("x"),
        lambda run: run.upload_file("a", "none.txt"),
        lambda run: run.upload_file("a", "."),
        lambda run: run.upload_file("../a", __file__),
        lambda run: run.upload_files(["a"], []),
        lambda run: run.upload_folder("a", "none"),
        lambda run: run.download_file("none.txt"),
        lambda run: run.get_snapshot_id(),
    ],
)
def test_a_mistake_is_one_clear_error(logging: Run, wrong: Callable[[Run], None]) -> None:
    with pytest.raises(ArgumentError):
        wrong(logging)


def test_tags_are_text_and_properties_stay(logging: Run) -> None:
    logging.tag("best")
    logging.set_tags({"depth": 3, "deep": True, 5: None})
    logging.tag("depth", 4)
    assert logging.tags == {"best": "", "depth": "4", "deep": "True", "5": ""}
    logging.remove_tags(["best", "none"])
    logging.remove_tags("deep")
    assert logging.get_tags() == {"depth": "4", "5": ""}
    logging.add_properties({"a": 1})
    logging.add_properties({"a": "1", "b": 2})
    assert logging.properties == {"a": "1", "b": "2"}
    with pytest.raises(ArgumentError, match="'a' is '1' already"):
        logging.add_properties({"a": 2})


def test_files_are_uploaded_listed_and_downloaded(logging: Run, project: Path) -> None:
    (project / "one.txt").write_text("1")
    (project / "folder" / "in").mkdir(parents=True)
    (project / "folder" / "in" / "two.txt").write_text("2")
    logging.upload_file("outputs/one.txt", "one.txt")
    logging.upload_file("text.txt", io.StringIO("three"))
    logging.upload_files(["a.txt", "b/b.txt"], [project / "one.txt", "folder/in/two.txt"])
    logging.upload_folder("outputs/model", "folder")
    names = ["a.txt", "b/b.txt", "outputs/model/in/two.txt", "outputs/one.txt", "text.txt"]
    assert logging.get_file_names() == names
    target = project / "got"
    target.mkdir()
    logging.download_file("outputs/one.txt", output_file_path=str(target))
    logging.download_file("text.txt", target / "new" / "x.txt")
    logging.download_file("text.txt")
    assert ((target / "one.txt").read_text(), (target / "new" / "x.txt").read_text()) == ("1", "three")
    assert (project / "text.txt").read_text() == "three"
    logging.download_files("outputs/", output_directory=target)
    assert (target / "outputs" / "model" / "in" / "two.txt").read_text() == "2"
    logging.download_files("outputs/model", output_directory=target / "flat", append_prefix=False)
    assert (target / "flat" / "in" / "two.txt").read_text() == "2"
    logging.download_files("outputs/one", output_paths=[str(target / "named.txt")])
    assert (target / "named.txt").read_text() == "1"
    with pytest.raises(ArgumentError, match=r"it has a\.txt"):
        logging.download_file("none.txt")


def test_a_runs_files_are_registered_as_a_model_under_their_own_name(logging: Run, project: Path, ws: Any) -> None:
    (project / "m" / "deep").mkdir(parents=True)
    (project / "m" / "model.pkl").write_text("weights")
    (project / "m" / "deep" / "x.txt").write_text("x")
    logging.upload_folder("outputs/m", "m")
    model = logging.register_model("one", "outputs/m/model.pkl", tags={"r2": 0.5}, model_framework="ScikitLearn")
    assert (model.name, model.version, model.tags, model.run_id) == ("one", 1, {"r2": "0.5"}, logging.id)
    assert Path(model.download(str(project / "got"))).name == "model.pkl"
    folder = logging.register_model(model_name="many", model_path="outputs/m/")
    got = Path(folder.download(str(project / "got")))
    assert (got / "deep" / "x.txt").read_text() == "x"
    assert got.name == "m"
    assert Model(ws, "one").version == 1
    with pytest.raises(ModelPathNotFoundException, match="no file or folder 'outputs/none'"):
        logging.register_model("none", "outputs/none")


def test_an_interactive_run_ends_as_it_is_told_and_may_have_parts(ws: Any) -> None:
    experiment = Experiment(ws, "notebook")
    with experiment.start_logging(display_name="mine") as run:
        assert run.get_status() == run.status == "Running"
        child = run.child_run(name="fold")
        child.log("x", 1)
        child.complete()
        run.log("x", 2)
        others = run.create_children(tag_key="fold", tag_values=[1, 2])
    assert run.get_status() == "Completed"
    assert (run.name, run.number, run.parent) == ("mine", 1, None)
    assert [r.tags for r in others] == [{"fold": "1"}, {"fold": "2"}]
    assert child.parent == run
    assert {r.id for r in run.get_children()} == {child.id, *(r.id for r in others)}
    assert [r.id for r in run.get_children(tags={"fold": 2})] == [others[1].id]
    assert run.get_metrics(recursive=True) == {run.id: {"x": 2}, child.id: {"x": 1}, **{r.id: {} for r in others}}
    with pytest.raises(ValueError, match="boom"), experiment.start_logging() as failed:
        raise ValueError("boom")
    assert failed.get_status() == "Failed"
    assert "boom" in failed.get_details()["error"]["message"]
    with pytest.raises(ActivityFailedException, match="boom"):
        failed.wait_for_completion()
    assert [r.id for r in experiment.get_runs()] == [failed.id, run.id]
    failed.display_name, failed.description = "renamed", "why"
    assert (failed.display_name, failed.description) == ("renamed", "why")


# --- finding runs


def test_runs_are_found_by_id_or_by_its_beginning(ws: Any, logging: Run) -> None:
    assert Run.get(ws, logging.id) == logging
    assert ws.get_run(logging.id[:13]).id == logging.id
    assert Run(Experiment(ws, "notebook"), logging.id[:20]).id == logging.id
    for wrong in ("nothing", ""):
        with pytest.raises(NotRegisteredError, match="there is no run"):
            Run.get(ws, wrong)


@pytest.mark.parametrize("name", ["", "a b", "-a", "é", "x" * 256, "a/b"])
def test_a_name_that_no_experiment_can_have(ws: Any, name: str) -> None:
    with pytest.raises(ArgumentError, match="experiment"):
        Experiment(ws, name)


def test_experiments_are_listed(ws: Any) -> None:
    for name in ("one", "two_2", "3-three"):
        Experiment(ws, name).start_logging().complete()
    assert [e.name for e in Experiment.list(ws)] == ["one", "two_2", "3-three"]
    assert [e.name for e in Experiment.list(ws, experiment_name="one")] == ["one"]
    assert set(ws.experiments) == {"one", "two_2", "3-three"}
    assert Experiment(ws, "one") == ws.experiments["one"]
    assert Experiment(ws, "one").get_portal_url().startswith("file://")


# --- submitting


def test_what_cannot_be_submitted_is_said(ws: Any, make_step: Make) -> None:
    experiment = Experiment(ws, "test")
    step = make_step("a", "print(1)")
    for wrong in (step, [step], "pipeline.py", None):
        with pytest.raises(ArgumentError, match="a pipeline is needed"):
            experiment.submit(wrong)
    pipeline = Pipeline(ws, steps=[step])
    for wrong in ({"pipeline_parameters": {"x": 1}}, {"tags": 3}, {"input_identity": "size"}, {"jobs": 0}):
        with pytest.raises(ArgumentError):
            experiment.submit(pipeline, **wrong)
    assert list(experiment.get_runs()) == []


def test_submit_returns_at_once_and_waiting_gives_the_status(ws: Any, make_step: Make) -> None:
    pipeline = Pipeline(ws, steps=[make_step("slow", "import time; time.sleep(4)")])
    began = time.monotonic()
    run = Experiment(ws, "test").submit(pipeline, tags={"a": 1}, display_name="shown")
    assert time.monotonic() - began < 3
    assert isinstance(run, PipelineRun)
    assert run.wait_for_completion(timeout_seconds=0.05) in ("NotStarted", "Running")
    assert run.wait_for_completion(show_output=True) == "Finished"
    assert (run.tags, run.name, run.type) == ({"a": "1"}, "shown", "azureml.PipelineRun")
    assert run.get_graph() is pipeline.graph
    assert run.experiment.name == "test"
    assert run.get_details()["status"] == "Finished"


def test_a_pipeline_parameter_of_the_wrong_name_or_type_starts_nothing(ws: Any, make_step: Make) -> None:
    from scriptstep import PipelineParameter

    rate = PipelineParameter("rate", 0.5)
    pipeline = Pipeline(ws, steps=[make_step("a", "import sys; print(sys.argv[1])", arguments=[rate])])
    with pytest.raises(ArgumentError, match="no parameter 'rat'; it has 'rate'"):
        pipeline.submit("test", pipeline_parameters={"rat": 1})
    with pytest.raises(ArgumentError, match="rate"):
        pipeline.submit("test", pipeline_parameters={"rate": "fast"})
    run = pipeline.submit("test", pipeline_parameters={"rate": 2})
    run.wait_for_completion()
    assert run.find_step_run("a")[0].get_job_log().strip() == "2.0"


def test_ctrl_c_while_waiting_cancels_the_run_and_goes_on_up(
    ws: Any, make_step: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scriptstep.engine.active_run import ActiveRun

    run = Experiment(ws, "test").submit(Pipeline(ws, steps=[make_step("long", "import time; time.sleep(60)")]))
    real, calls = ActiveRun.wait, []

    def interrupted(self: ActiveRun, timeout: float | None = None) -> bool:
        calls.append(timeout)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(self, timeout)

    monkeypatch.setattr(ActiveRun, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run.wait_for_completion()
    assert run.get_status() == "Canceled"


# --- steps


def test_a_run_tells_of_its_steps_and_what_they_wrote(ws: Any, make_step: Make, run: Start, project: Path) -> None:
    out = PipelineData("out", pipeline_output_name="result")
    folder = OutputFileDatasetConfig("folder").register_on_complete("named")
    write = "import sys\nopen(sys.argv[1], 'w').write('one')\nopen(sys.argv[2] + '/f.txt', 'w').write('two')\nprint('wrote')"
    first = make_step("first", write, arguments=[out, folder], outputs=[out])
    second = make_step("second", "print(2)", inputs=[out])
    finished = run(first, second)
    steps = list(finished.get_steps())
    assert [s.name for s in steps] == ["first", "second"]
    assert [s.name for s in finished.get_children()] == ["first", "second"]
    assert all(isinstance(s, StepRun) for s in steps)
    assert finished.find_step_run("none") == []
    step = finished.find_step_run("first")[0]
    assert (step.pipeline_run_id, step.type, step.get_status()) == (finished.id, "azureml.StepRun", "Finished")
    assert step.parent == finished
    assert step.get_stdout_log() == step.get_job_log() == "wrote\n"
    assert set(step.get_outputs()) == {"out", "folder"}
    data = step.get_output_data("out")
    assert (data.name, data.datastore_name) == ("out", "workspaceblobstore")
    data.download(str(project / "got"))
    assert (project / "got" / data.path_on_datastore).read_text() == "one"
    assert finished.get_pipeline_output("result").path_on_datastore == data.path_on_datastore
    step.get_output("folder").get_port_data_reference().download(str(project / "got"))
    assert [f.read_text() for f in (project / "got").rglob("f.txt")] == ["two"]
    for wrong in (lambda: step.get_output("none"), lambda: finished.get_pipeline_output("none")):
        with pytest.raises(KeyError, match="none"):
            wrong()
    assert "user_logs/std_log.txt" in step.get_file_names()
    details = step.get_details()
    assert (details["runId"], details["exitCode"], details["inputDatasets"]) == (step.id, 0, [])
    assert [d["dataset"].name for d in details["outputDatasets"]] == ["named"]
    assert step.get_properties()["azureml.runsource"] == "azureml.StepRun"
    assert Path(step.restore_snapshot(path=project / "code")).joinpath("main.py").read_text() == write
    for never in (step.complete, step.fail, step.cancel, finished.complete, finished.fail):
        with pytest.raises(NotImplementedError, match="is not here"):
            never()


def test_a_pipeline_run_taken_for_a_plain_run_still_waits_and_cancels(ws: Any, make_step: Make) -> None:
    running = Experiment(ws, "test").submit(Pipeline(ws, steps=[make_step("long", "import time; time.sleep(60)")]))
    plain_run = Run(Experiment(ws, "test"), running.id)
    with pytest.raises(NotImplementedError):
        plain_run.complete()
    plain_run.cancel()
    assert plain_run.wait_for_completion()["status"] == "Canceled"
    assert running.find_step_run("long")[0].get_status() == "Canceled"


def test_experiments_list_pipeline_runs_the_newest_first(ws: Any, make_step: Make, run: Start) -> None:
    first, second = run(make_step("a", "print(1)"), tags={"n": 1}), run(make_step("a", "print(1)"), tags={"n": 2})
    experiment = Experiment(ws, "test")
    assert list(experiment.get_runs()) == [second, first]
    assert all(type(r) is PipelineRun for r in experiment.get_runs())
    assert list(experiment.get_runs(tags={"n": "1"})) == [first]
    assert list(experiment.get_runs(type="azureml.scriptrun")) == []
    assert len(list(experiment.get_runs(include_children=True))) == 4
    assert [r.number for r in experiment.get_runs()] == sorted((r.number for r in experiment.get_runs()), reverse=True)


def test_a_run_of_another_process_is_read_waited_for_and_told_of(
    ws: Any, make_step: Make, run: Start, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from scriptstep.engine import active_run

    bad = make_step("bad", "print('last words'); raise SystemExit(4)")
    after = make_step("after", "print(1)")
    after.run_after(bad)
    failed = run(make_step("good", "print(1)"), bad, after, jobs=1)
    monkeypatch.setattr(active_run, "_ACTIVE", {})
    capsys.readouterr()
    found = PipelineRun(Experiment(ws, "test"), failed.id)
    with pytest.raises(ActivityFailedException, match=r"(?s)1 step of run .* failed: bad.*exit code 4.*last words"):
        found.wait_for_completion()
    told = capsys.readouterr().err
    assert "  bad           failed" in told
    assert "  after         not run" in told
    assert "error: 1 step failed, 1 not run" in told
    assert found.wait_for_completion(show_output=False, raise_on_error=False) == "Failed"
    step = found.find_step_run("bad")[0]
    with pytest.raises(ActivityFailedException, match="'bad' failed"):
        step.wait_for_completion()
    with pytest.raises(NotImplementedError, match="get_graph"):
        found.get_graph()


# --- inside a step


def test_a_script_finds_its_own_run_parent_experiment_and_workspace(run: Start, make_step: Make, ws: Any) -> None:
    code = IN_A_STEP + (
        "from azureml.core.run import _OfflineRun\nimport os\n"
        "assert run is Run.get_context() and isinstance(run, Run) and type(run) is not _OfflineRun\n"
        "assert run.id == os.environ['AZUREML_RUN_ID'] and not run.id.startswith('OfflineRun')\n"
        "assert run.name == 'only' and run.status == 'Running'\n"
        "assert run.parent.get_status() == 'Running'\n"
        "print(run.experiment.name, run.experiment.workspace.name, run.parent.id, run.number)\n"
        "run.complete(); run.flush()\n"
        "assert run.get_status() == 'Running'\n"
        "assert run.get_details()['inputDatasets'] == []\n"
    )
    finished = run(make_step("only", code))
    (step,) = finished.get_steps()
    assert step.get_job_log().split() == ["test", ws.name, finished.id, str(step.number)]
    assert finished.get_status() == "Finished"


def test_what_a_script_logs_is_there_while_it_runs_and_after(ws: Any, make_step: Make) -> None:
    code = IN_A_STEP + (
        "import pathlib, sys, time\n"
        "run.log('x', 1); run.log('x', 2); run.log_list('l', [1])\n"
        "run.log_row('r', a=1); run.log_table('t', {'a': [1]})\n"
        "run.tag('t', 1); run.set_tags({'u': 2}); run.add_properties({'p': 3})\n"
        "assert run.get_metrics()['x'] == [1, 2] and run.get_tags() == {'t': '1', 'u': '2'}\n"
        "pathlib.Path('made.txt').write_text('file')\n"
        "pathlib.Path('d').mkdir(); pathlib.Path('d/e.txt').write_text('in')\n"
        "run.upload_file('up.txt', 'made.txt'); run.upload_folder('folder', 'd')\n"
        "pathlib.Path('outputs/model.pkl').write_text('weights')\n"
        "model = run.register_model('m', 'outputs/model.pkl', tags={'a': 1})\n"
        "assert model.version == 1 and model.tags == {'a': '1'}\n"
        "class Plot:\n    def savefig(self, path, **k): pathlib.Path(path).write_text('png')\n"
        "run.log_image('curve', plot=Plot())\n"
        "run.parent.log('total', 5); run.parent.tag('best', 'yes'); run.parent.upload_folder('all', 'd')\n"
        "while not pathlib.Path(sys.argv[1]).exists(): time.sleep(0.02)\n"
    )
    gate = Path("gate").resolve()
    running = Experiment(ws, "test").submit(Pipeline(ws, steps=[make_step("only", code, arguments=[str(gate)])]))
    step = running.find_step_run("only")[0]
    deadline = time.monotonic() + 30
    while running.get_tags() != {"best": "yes"} or "all/e.txt" not in running.get_file_names():
        assert time.monotonic() < deadline, step.get_job_log()
        time.sleep(0.02)
    assert step.get_metrics()["x"] == [1, 2]
    assert step.get_tags() == {"t": "1", "u": "2"}
    gate.touch()
    assert running.wait_for_completion() == "Finished"
    assert step.get_metrics() == {"x": [1, 2], "l": [1], "r": {"a": 1}, "t": {"a": [1]}, "curve": "curve.png"}
    assert running.get_metrics() == {"total": 5}
    assert step.get_properties()["p"] == "3"
    names = ["curve.png", "folder/e.txt", "outputs/model.pkl", "up.txt", "user_logs/std_log.txt"]
    assert step.get_file_names() == names
    assert "all/e.txt" in running.get_file_names()
    assert Model(ws, "m").run_id == step.id


def test_a_script_is_given_its_datasets_by_name(run: Start, make_step: Make, project: Path) -> None:
    data = project / "data.csv"
    data.write_text("x\n1\n2\n")
    code = IN_A_STEP + (
        "import os, sys\n"
        "assert list(run.input_datasets) == ['file', 'table'], dict(run.input_datasets)\n"
        "assert list(run.input_datasets['table'].to_pandas_dataframe()['x']) == [1, 2]\n"
        "assert open(run.input_datasets['file']).read().startswith('x')\n"
        "open(os.path.join(run.output_datasets['made'], 'o.txt'), 'w').write('out')\n"
        "try:\n    run.input_datasets['none']\n"
        "except KeyError as error:\n    print(error)\n"
    )
    table = Dataset.Tabular.from_delimited_files(str(data)).as_named_input("table")
    file = Dataset.File.from_files(str(data)).as_named_input("file").as_mount()
    finished = run(make_step("only", code, inputs=[table, file], arguments=[OutputFileDatasetConfig("made")]))
    step = finished.find_step_run("only")[0]
    assert step.get_status() == "Finished", step.get_job_log()
    assert "the step has no input dataset 'none'; it has 'file', 'table'" in step.get_job_log()


def test_the_details_of_a_run_name_its_input_datasets_in_the_step_and_after(
    run: Start, make_step: Make, project: Path
) -> None:
    data = project / "data.csv"
    data.write_text("x\n1\n2\n")
    code = IN_A_STEP + (
        "given = run.get_details()['inputDatasets']\n"
        "assert [g['consumptionDetails']['inputName'] for g in given] == ['table', 'file'], given\n"
        "assert list(given[0]['dataset'].to_pandas_dataframe()['x']) == [1, 2]\n"
    )
    table = Dataset.Tabular.from_delimited_files(str(data)).as_named_input("table")
    file = Dataset.File.from_files(str(data)).as_named_input("file").as_mount()
    (step,) = run(make_step("only", code, inputs=[table, file])).get_steps()
    assert step.get_status() == "Finished", step.get_job_log()
    given = step.get_details()["inputDatasets"]
    assert [g["consumptionDetails"]["inputName"] for g in given] == ["table", "file"]
    assert [type(g["dataset"]).__name__ for g in given] == ["TabularDataset", "FileDataset"]


def test_a_step_reads_its_siblings_through_its_pipeline_run(run: Start, make_step: Make) -> None:
    train = make_step("train", IN_A_STEP + "run.log('mse', 0.5); open('outputs/model.txt', 'w').write('w')")
    code = IN_A_STEP + (
        "from azureml.pipeline.core import PipelineRun\n"
        "pipeline = PipelineRun(run.experiment, run.parent.id)\n"
        "train = pipeline.find_step_run('train')[0]\n"
        "assert train.get_metrics() == {'mse': 0.5} and 'outputs/model.txt' in train.get_file_names()\n"
        "print(train.register_model('m', 'outputs/model.txt').version)\n"
    )
    judge = make_step("judge", code)
    judge.run_after(train)
    finished = run(train, judge)
    assert finished.find_step_run("judge")[0].get_job_log() == "1\n"


def test_outside_of_any_run_a_script_gets_one_that_keeps_nothing(project: Path) -> None:
    from scriptstep.errors import RunEnvironmentException
    from scriptstep.runtime.offline import _OfflineRun

    run = Run.get_context()
    assert type(run) is _OfflineRun
    run.log("x", 1, step=3)
    assert run.id.startswith("OfflineRun")
    with pytest.raises(RunEnvironmentException):
        Run.get_context(allow_offline=False)


# --- shown


def test_a_run_is_shown_as_text_and_as_a_table(
    ws: Any, run: Start, make_step: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    from scriptstep.azureml.widgets import RunDetails

    run(make_step("<a>", "print(1)"))
    again = run(make_step("<a>", "print(1)"), make_step("b", "raise SystemExit(2)"))
    capsys.readouterr()
    RunDetails(again).show()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"test, run {again.id[:4]}: Failed"
    assert lines[1].split()[:4] == ["<a>", "reused", "from", "run"]
    assert lines[2].split()[:2] == ["b", "failed"]
    assert "&lt;a&gt;" in again._repr_html_()
    assert RunDetails(again).get_widget_data()["status"] == "Failed"
    assert repr(again) == f"PipelineRun(test, run {again.id[:4]}: Failed)"


# --- at the end of the process


PLAIN = """
from scriptstep import Experiment, Pipeline, PythonScriptStep, Workspace
ws = Workspace.from_config()
step = PythonScriptStep("main.py", name="only", source_directory="step")
Experiment(ws, "plain").submit(Pipeline(ws, steps=[step]))
"""


def start_plain(project: Path, code: str) -> subprocess.Popen[str]:
    (project / "step").mkdir()
    (project / "step" / "main.py").write_text(code)
    (project / "plain.py").write_text(PLAIN)
    return subprocess.Popen(
        [sys.executable, "plain.py"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def test_an_interpreter_that_ends_waits_for_its_runs_and_says_so(project: Path, ws: Any) -> None:
    _, told = start_plain(project, "import time; time.sleep(0.5)").communicate(timeout=60)
    assert "note: waiting for run" in told
    assert told.splitlines()[-1].startswith("1 ran in")
    (finished,) = Experiment(ws, "plain").get_runs()
    assert finished.get_status() == "Finished"


def test_ctrl_c_while_the_interpreter_waits_cancels_its_runs(project: Path, ws: Any) -> None:
    process = start_plain(project, "import time; print('up', flush=True); time.sleep(60)")
    deadline = time.monotonic() + 30
    while not any(s.get_job_log() for r in Experiment(ws, "plain").get_runs() for s in r.get_steps()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert "Traceback" not in told
    assert "cancelled after" in told
    (cancelled,) = Experiment(ws, "plain").get_runs()
    assert cancelled.get_status() == "Canceled"
