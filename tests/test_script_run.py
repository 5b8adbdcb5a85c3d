"""A script or a command that is submitted by itself: a plain run, without a pipeline above it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from scriptstep import (
    ActivityFailedException,
    ArgumentError,
    Dataset,
    Environment,
    Experiment,
    MpiConfiguration,
    OutputFileDatasetConfig,
    PipelineRun,
    PythonScriptStep,
    PyTorchConfiguration,
    Run,
    RunConfiguration,
    ScriptRunConfig,
    TensorflowConfiguration,
    UserErrorException,
)
from scriptstep.run.script_run import ScriptRun

Start = Callable[..., Any]

TRAIN = """
    import os, sys
    from azureml.core import Run
    run = Run.get_context()
    assert run.parent is None, run.parent
    run.log("accuracy", 0.75)
    run.log_list("losses", [3, 2])
    run.tag("kind", "tree")
    os.makedirs("outputs/model", exist_ok=True)
    open("outputs/model/weights.txt", "w").write("weights")
    print("id", run.id)
    print("arguments", sys.argv[1:])
"""


@pytest.fixture
def source(project: Path) -> Path:
    folder = project / "src"
    folder.mkdir()
    (folder / "train.py").write_text(dedent(TRAIN))
    return folder


@pytest.fixture
def experiment(ws: Any) -> Experiment:
    return Experiment(ws, "single")


def write(source: Path, code: str, name: str = "train.py") -> None:
    (source / name).write_text(dedent(code))


def log_of(run: Run, folder: Path) -> str:
    run.download_file("user_logs/std_log.txt", str(folder / "log.txt"))
    return (folder / "log.txt").read_text()


def test_a_script_is_a_plain_run_from_submit_to_model(
    experiment: Experiment, source: Path, project: Path, ws: Any
) -> None:
    config = ScriptRunConfig(source_directory=str(source), script="train.py", arguments=["--rate", 0.5, "two words"])
    run = experiment.submit(config, tags={"try": 1})
    assert isinstance(run, Run)
    assert not isinstance(run, PipelineRun)
    details = run.wait_for_completion()
    assert (details["status"], run.get_status(), run.status) == ("Completed", "Completed", "Completed")
    assert details["runId"] == run.id
    assert (run.type, run.parent, run.name) == ("azureml.scriptrun", None, "train.py")
    assert run.get_metrics() == {"accuracy": 0.75, "losses": [3, 2]}
    assert run.get_tags() == {"try": "1", "kind": "tree"}
    assert run.get_file_names() == ["outputs/model/weights.txt", "user_logs/std_log.txt"]
    assert log_of(run, project) == f"id {run.id}\narguments ['--rate', '0.5', 'two words']\n"
    model = run.register_model("tree", model_path="outputs/model")
    assert (model.version, model.run_id) == (1, run.id)
    run.tag("later", "too")
    assert run.get_tags()["later"] == "too"
    assert [r.id for r in experiment.get_runs()] == [run.id]
    assert isinstance(Run.get(ws, run.id), ScriptRun)
    assert list(run.get_children()) == []


def test_it_always_runs_and_no_step_is_given_its_result(
    experiment: Experiment, source: Path, run: Start, verdicts: Any
) -> None:
    write(source, "print('ran')")
    runs = []
    for _ in range(2):
        runs.append(experiment.submit(ScriptRunConfig(str(source), script="train.py")))
        runs[-1].wait_for_completion()
        assert runs[-1].get_details()["verdict"]["reasons"] == ["submitted by itself"]
    assert [r.number for r in runs] == [1, 2]
    step = PythonScriptStep("train.py", source_directory=str(source))
    assert verdicts(run(step)) == {"train.py": "ran"}


def test_data_goes_in_and_out_by_arguments(experiment: Experiment, source: Path, project: Path, ws: Any) -> None:
    (project / "raw.csv").write_text("a,b\n1,2\n")
    write(
        source,
        """
        import os, sys
        from azureml.core import Run
        run = Run.get_context()
        assert run.input_datasets["raw"] == sys.argv[1]
        text = open(sys.argv[1]).read()
        open(os.path.join(sys.argv[2], "copy.csv"), "w").write(text)
        assert run.output_datasets["copied"] == sys.argv[2]
        """,
    )
    raw = Dataset.File.from_files(str(project / "raw.csv")).as_named_input("raw").as_mount()
    store = ws.get_default_datastore()
    copied = OutputFileDatasetConfig(name="copied", destination=(store, "made/here")).register_on_complete("copied")
    run = experiment.submit(ScriptRunConfig(str(source), script="train.py", arguments=[raw, copied]))
    run.wait_for_completion()
    found = Dataset.get_by_name(ws, "copied").download(str(project / "back"))
    assert [Path(f).read_text() for f in found] == ["a,b\n1,2\n"]
    (given,) = run.get_details()["inputDatasets"]
    assert given["consumptionDetails"]["inputName"] == "raw"


def test_data_references_stand_in_arguments_alone(experiment: Experiment, source: Path, project: Path, ws: Any) -> None:
    store = ws.get_default_datastore()
    (project / "raw.txt").write_text("raw")
    store.upload_files([str(project / "raw.txt")], target_path="in")
    write(source, "import os, sys; print([open(os.path.join(p, 'raw.txt')).read() for p in sys.argv[1:]])")
    data = store.path("in").as_download()
    run = experiment.submit(ScriptRunConfig(str(source), script="train.py", arguments=[data, data]))
    run.wait_for_completion()
    assert log_of(run, project) == "['raw', 'raw']\n"
    run = experiment.submit(ScriptRunConfig(str(source), command=["cat", store.path("in/raw.txt").as_mount()]))
    run.wait_for_completion()
    assert log_of(run, project) == "raw"


def test_a_command_runs_too(experiment: Experiment, source: Path, project: Path) -> None:
    for command in ("python train.py x && echo end", "python train.py x && echo end".split()):
        run = experiment.submit(ScriptRunConfig(str(source), command=command))
        run.wait_for_completion()
        assert log_of(run, project).endswith("arguments ['x']\nend\n")
        assert run.name == "python"


def test_what_it_prints_is_shown_as_it_comes(
    experiment: Experiment, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(source, "import time; print('first', flush=True); time.sleep(0.7); print('last', end='')")
    run = experiment.submit(ScriptRunConfig(str(source), script="train.py"))
    run.wait_for_completion(show_output=True)
    assert capsys.readouterr().out == "first\nlast\n"
    run.wait_for_completion(show_output=True)
    assert capsys.readouterr().out == "first\nlast\n", "a run that is over shows all of it"


def test_a_failure_raises_with_its_last_lines_and_keeps_what_was_logged(
    experiment: Experiment, source: Path, project: Path
) -> None:
    write(source, "from azureml.core import Run; Run.get_context().log('a', 1); raise ValueError('no such luck')")
    run = experiment.submit(ScriptRunConfig(str(source), script="train.py"))
    with pytest.raises(ActivityFailedException, match="(?s)'train.py' failed.*exit code 1.*ValueError: no such luck"):
        run.wait_for_completion()
    details = run.wait_for_completion(raise_on_error=False)
    assert details["status"] == run.get_status() == "Failed"
    assert details["error"]["error"]["message"] == "exit code 1"
    assert run.get_metrics() == {"a": 1}
    assert "no such luck" in log_of(run, project)


def test_a_running_one_is_cancelled(experiment: Experiment, source: Path) -> None:
    write(source, "import time; time.sleep(600)")
    run = experiment.submit(ScriptRunConfig(str(source), script="train.py"))
    while run.get_status() != "Running":
        time.sleep(0.02)
    with pytest.raises(NotImplementedError, match="by hand"):
        run.complete()
    run.cancel()
    assert run.wait_for_completion()["status"] == "Canceled"
    run.cancel()
    assert run.get_status() == "Canceled"


def test_its_time_is_limited(experiment: Experiment, source: Path) -> None:
    write(source, "import time; time.sleep(600)")
    run = experiment.submit(ScriptRunConfig(str(source), script="train.py", max_run_duration_seconds=0.3))
    with pytest.raises(ActivityFailedException, match="timed out after 0.3 s"):
        run.wait_for_completion()


def test_the_default_limit_of_thirty_days_is_taken(experiment: Experiment, source: Path) -> None:
    config = ScriptRunConfig(str(source), script="train.py")
    assert config.run_config.max_run_duration_seconds == 2592000
    assert experiment.submit(config).wait_for_completion()["status"] == "Completed"


def test_a_killed_coordinator_leaves_a_failed_run(ws: Any, source: Path, project: Path) -> None:
    write(source, "import time; print('up', flush=True); time.sleep(600)")
    code = f"""
        from scriptstep import Experiment, ScriptRunConfig, Workspace
        run = Experiment(Workspace.from_config(), "single").submit(ScriptRunConfig({str(source)!r}, script="train.py"))
        print(run.id, flush=True)
        run.wait_for_completion()
    """
    with subprocess.Popen([sys.executable, "-c", dedent(code)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        id = process.stdout.readline().strip()
        run = Run.get(ws, id)
        while "user_logs/std_log.txt" not in run.get_file_names():
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert run.get_status() == "Failed"
    assert run.wait_for_completion(raise_on_error=False)["status"] == "Failed"


def test_the_command_line_knows_it(experiment: Experiment, source: Path, home: Path) -> None:
    run = experiment.submit(ScriptRunConfig(str(source), script="train.py"))
    run.wait_for_completion()
    env = {**os.environ, "SCRIPTSTEP_HOME": str(home)}
    told = [
        subprocess.run(
            [sys.executable, "-m", "scriptstep", *arguments], env=env, capture_output=True, text=True, check=True
        ).stdout
        for arguments in (["logs", run.id], ["runs", "--json"])
    ]
    assert told[0] == f"id {run.id}\narguments []\n"
    (listed,) = json.loads(told[1])["runs"]
    assert (listed["id"], listed["status"], listed["name"]) == (run.id, "Completed", "train.py")


# --- how it is configured


def test_what_is_set_beside_a_run_configuration_is_set_in_a_copy(source: Path, ws: Any) -> None:
    given = RunConfiguration()
    given.environment_variables = {"A": "1"}
    environment = Environment("mine")
    config = ScriptRunConfig(
        str(source), script="train.py", run_config=given, compute_target="cluster", environment=environment
    )
    assert (given.target, given.environment.name) == ("local", "default-environment")
    assert (config.run_config.target, config.run_config.environment.name) == ("cluster", "mine")
    assert config.run_config.environment_variables == {"A": "1"}
    assert config.identity == "ScriptRunConfig#train.py"


def test_the_run_configuration_set_afterwards_counts(experiment: Experiment, source: Path, project: Path) -> None:
    write(source, "import os; print(os.environ['A'], os.environ['B'])")
    config = ScriptRunConfig(str(source), script="train.py")
    config.run_config.target = "cluster"
    config.run_config.environment = Environment("mine")
    config.run_config.environment.environment_variables = {"A": "1"}
    config.run_config.environment_variables = {"B": "2"}
    run = experiment.submit(config)
    run.wait_for_completion()
    assert log_of(run, project) == "1 2\n"


def test_script_and_arguments_may_stand_in_the_run_configuration(
    experiment: Experiment, source: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(source)
    given = RunConfiguration(script="train.py", arguments=["from", "there"])
    run = experiment.submit(ScriptRunConfig(None, run_config=given))
    run.wait_for_completion()
    assert "arguments ['from', 'there']" in log_of(run, project)


@pytest.mark.parametrize(
    ("job", "framework", "communicator", "nodes"),
    [
        (MpiConfiguration(process_count_per_node=2, node_count=3), "Python", "Mpi", 3),
        (PyTorchConfiguration("Gloo", process_count=4, node_count=2), "PyTorch", "Gloo", 2),
        (TensorflowConfiguration(worker_count=2, parameter_server_count=1), "TensorFlow", "ParameterServer", 3),
    ],
)
def test_a_distributed_job_sets_framework_and_counts(
    source: Path, job: Any, framework: str, communicator: str, nodes: int
) -> None:
    config = ScriptRunConfig(str(source), script="train.py", distributed_job_config=job).run_config
    assert (config.framework, config.communicator, config.node_count) == (framework, communicator, nodes)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "neither a script nor a command"),
        ({"script": "train.py", "command": "x"}, "script and command are given"),
        ({"script": "none.py"}, "script 'none.py' is not in"),
        ({"script": "train.py", "run_config": "local"}, "run_config must be a RunConfiguration"),
        ({"script": "train.py", "arguments": "a b"}, "arguments is one text"),
        ({"script": "train.py", "environment": "mine"}, "environment must be an Environment"),
        ({"command": "x", "arguments": ["a"]}, "arguments are those of a script"),
        ({"script": "train.py", "distributed_job_config": 3}, "a distributed job is"),
        ({"script": "train.py", "max_run_duration_seconds": "long"}, "max_run_duration_seconds"),
    ],
)
def test_a_mistake_is_one_clear_error_and_starts_nothing(
    experiment: Experiment, source: Path, given: dict[str, Any], told: str
) -> None:
    with pytest.raises(ArgumentError, match=told):
        experiment.submit(ScriptRunConfig(str(source), **given))
    assert list(experiment.get_runs()) == []


def test_what_cannot_be_is_said_when_it_is_asked_for(source: Path) -> None:
    with pytest.raises(NotImplementedError, match="resume_from"):
        ScriptRunConfig(str(source), script="train.py", resume_from=object())


# --- as part of another run


def test_a_child_is_submitted_by_a_run_that_this_process_logs_to(experiment: Experiment, source: Path) -> None:
    write(
        source,
        """
        from azureml.core import Run
        run = Run.get_context()
        run.parent.log("of the child", 1)
        run.parent.tag("seen", run.parent.id)
        """,
    )
    with experiment.start_logging() as above:
        child = above.submit_child(ScriptRunConfig(str(source), script="train.py"), tags={"number": 1})
        child.wait_for_completion()
    assert child.parent == above
    assert [c.id for c in above.get_children()] == [child.id]
    assert above.get_metrics() == {"of the child": 1}
    assert above.get_tags() == {"seen": above.id}
    assert (above.get_status(), child.get_status(), child.get_tags()) == ("Completed", "Completed", {"number": "1"})
    with pytest.raises(ArgumentError, match="a ScriptRunConfig is needed"):
        above.submit_child("train.py")


def test_a_step_starts_no_runs_and_says_so(experiment: Experiment, source: Path, project: Path) -> None:
    write(
        source,
        """
        from azureml.core import Run, ScriptRunConfig
        try:
            Run.get_context().submit_child(ScriptRunConfig(".", script="train.py"))
        except Exception as error:
            print(type(error).__name__, error)
        """,
    )
    run = experiment.submit(ScriptRunConfig(str(source), script="train.py"))
    run.wait_for_completion()
    assert log_of(run, project).startswith(f"{UserErrorException.__name__} a step cannot submit")
