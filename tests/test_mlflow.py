"""What a step logs with MLflow is the run's: by files as MLflow writes them, and by MLflow where it is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from scriptstep import Experiment, Run, RunConfiguration, ScriptRunConfig, Workspace

Make = Callable[..., Any]
Start = Callable[..., Any]
Tell = Callable[[Any], dict[str, str]]

PYTHON = os.environ.get("SCRIPTSTEP_TEST_PYTHON", sys.executable)

# The layout of MLflow's file store: https://mlflow.org/docs/latest/tracking.html
BY_HAND = """
    import os, pathlib, urllib.parse
    root = pathlib.Path(urllib.parse.unquote(urllib.parse.urlparse(os.environ["MLFLOW_TRACKING_URI"]).path))
    def write(name, text):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    write("0/meta.yaml", "name: Default")
    write("0/aa11/meta.yaml", "run_id: aa11")
    write("0/aa11/metrics/loss", "1700000000002 0.25 1\\n1700000000001 0.5 0\\n1700000000003 nan 2\\n")
    write("0/aa11/metrics/val/auc", "1700000000004 0.75 0 set digest run\\nhalf a li")
    write("0/aa11/params/depth", "3")
    write("0/aa11/tags/kind", "tree")
    write("0/aa11/tags/mlflow.runName", "bold-fox-1")
    write("0/aa11/artifacts/model/model.pkl", "pickled")
    write("0/aa11/artifacts/plot.txt", "plotted")
    write("0/models/m-1/meta.yaml", "model_id: m-1\\nname: forest\\n")
    write("0/models/m-1/artifacts/MLmodel", "flavors")
    write("7/bb22/meta.yaml", "run_id: bb22")
    write("7/bb22/metrics/other", "1700000000000 1.5 0\\n")
"""


def has_mlflow() -> bool:
    return subprocess.run([PYTHON, "-c", "import mlflow"], capture_output=True, check=False).returncode == 0


def test_what_the_file_store_holds_becomes_the_runs(make_step: Make, run: Start, verdicts: Tell, ws: Any) -> None:
    code = dedent(BY_HAND) + "from azureml.core import Run; Run.get_context().log('ours', 1)\n"
    step = make_step("train", code)
    first = run(step)
    (logged,) = first.find_step_run("train")
    assert logged.get_status() == "Finished", logged.get_job_log()
    metrics = logged.get_metrics()
    assert metrics["loss"][:2] == [0.5, 0.25]
    assert str(metrics["loss"][2]) == "nan"
    assert {n: v for n, v in metrics.items() if n != "loss"} == {"ours": 1, "val/auc": 0.75, "other": 1.5}
    assert logged.get_tags() == {"depth": "3", "kind": "tree"}
    assert logged.get_file_names() == ["forest/MLmodel", "model/model.pkl", "plot.txt", "user_logs/std_log.txt"]
    assert logged.register_model("m", model_path="model").version == 1
    again = run(step)
    assert verdicts(again) == {"train": "reused"}
    (reused,) = again.find_step_run("train")
    assert reused.get_metrics()["val/auc"] == 0.75
    assert "model/model.pkl" in reused.get_file_names()


def test_a_step_that_fails_keeps_what_it_logged(make_step: Make, run: Start) -> None:
    (step,) = run(make_step("bad", dedent(BY_HAND) + "raise SystemExit(1)\n")).find_step_run("bad")
    assert step.get_status() == "Failed"
    assert step.get_metrics()["other"] == 1.5
    assert "model/model.pkl" in step.get_file_names()


def test_the_workspace_names_the_runs_folder_in_a_step_and_its_own_outside(
    make_step: Make, run: Start, ws: Any, home: Path
) -> None:
    code = """
        import os
        from azureml.core import Run
        uri = Run.get_context().experiment.workspace.get_mlflow_tracking_uri()
        assert uri == os.environ["MLFLOW_TRACKING_URI"], uri
        print(uri)
    """
    (step,) = run(make_step("uri", code)).find_step_run("uri")
    assert step.get_status() == "Finished", step.get_job_log()
    assert step.get_job_log().startswith((home / "runs").as_uri())
    assert ws.get_mlflow_tracking_uri() == (home / "mlflow").as_uri()


def test_a_run_configuration_may_name_another_place(make_step: Make, run: Start) -> None:
    config = RunConfiguration()
    config.environment_variables = {"MLFLOW_TRACKING_URI": "http://tracking.example"}
    step = make_step("other", "import os; print(os.environ['MLFLOW_TRACKING_URI'])", runconfig=config)
    assert run(step).find_step_run("other")[0].get_job_log() == "http://tracking.example\n"


@pytest.mark.skipif(not has_mlflow(), reason=f"mlflow is not in {PYTHON}")
def test_real_mlflow_logs_into_the_run(ws: Workspace, project: Path) -> None:
    (project / "src").mkdir()
    (project / "src" / "train.py").write_text(
        dedent("""
        import mlflow
        from azureml.core import Run
        mlflow.set_experiment("mine")
        with mlflow.start_run():
            mlflow.log_param("depth", 3)
            mlflow.set_tag("kind", "tree")
            for step, loss in enumerate((0.5, 0.25)):
                mlflow.log_metric("loss", loss, step=step)
            mlflow.log_metric("val/auc", 0.75)
            mlflow.log_text("plotted", "plots/plot.txt")
            with mlflow.start_run(nested=True):
                mlflow.log_metric("inner", 1)
        Run.get_context().log("ours", 2)
        """)
    )
    config = ScriptRunConfig(str(project / "src"), script="train.py")
    config.run_config.environment.python.user_managed_dependencies = True
    config.run_config.environment.python.interpreter_path = PYTHON
    run: Run = Experiment(ws, "mlflow").submit(config)
    run.wait_for_completion()
    assert run.get_metrics() == {"ours": 2, "loss": [0.5, 0.25], "val/auc": 0.75, "inner": 1}
    assert run.get_tags() == {"depth": "3", "kind": "tree"}
    assert run.get_file_names() == ["plots/plot.txt", "user_logs/std_log.txt"]
