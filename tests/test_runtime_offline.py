"""A script that runs by itself, outside any pipeline, finds a run that can do what a step's run can."""

from __future__ import annotations

import inspect
import io
from pathlib import Path
from typing import Any

import pytest

from scriptstep.errors import (
    ArgumentError,
    NotRegisteredError,
    RunEnvironmentException,
    UserErrorException,
)
from scriptstep.run.run import Run
from scriptstep.run.submitted_run import _SubmittedRun
from scriptstep.runtime.offline import _OfflineRun

# Of the class, not of a run; and `list`, `get` and the like look for runs that are recorded.
OF_THE_CLASS = {
    "add_type_provider",
    "get",
    "get_context",
    "get_docs_url",
    "get_submitted_run",
    "list",
    "list_by_compute",
}


def public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


def test_it_has_all_that_a_steps_run_has() -> None:
    missing = (public(_SubmittedRun) | public(Run)) - OF_THE_CLASS - public(_OfflineRun) - set(vars(_OfflineRun()))
    assert missing == set()


@pytest.mark.parametrize("name", sorted(n for n in public(Run) - OF_THE_CLASS if inspect.isfunction(getattr(Run, n))))
def test_a_call_that_a_steps_run_takes_is_taken(name: str) -> None:
    ours = inspect.signature(getattr(_OfflineRun, name))
    has_options = any(p.kind is p.VAR_KEYWORD for p in ours.parameters.values())
    for parameter in inspect.signature(getattr(Run, name)).parameters.values():
        if parameter.kind is not parameter.VAR_KEYWORD:
            assert parameter.name in ours.parameters or has_options, parameter.name


def test_it_is_told_from_a_run_that_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZUREML_RUN_ID", "SCRIPTSTEP_ATTEMPT"):
        monkeypatch.delenv(name, raising=False)
    run = Run.get_context()
    assert type(run) is _OfflineRun
    assert not isinstance(run, Run)
    assert run.id.startswith("OfflineRun_")
    assert run.type == "offline"
    with pytest.raises(RunEnvironmentException):
        Run.get_context(allow_offline=False)


def test_what_it_is_told_can_be_read_back() -> None:
    run = _OfflineRun()
    run.log("a", 1)
    run.log("a", 2, step=3)
    run.log("b", 0.5, "described")
    run.log_list("list", [1, 2])
    run.log_row("row", x=1, y=2)
    run.log_row("row", x=3, y=4)
    run.log_table("table", {"x": [1]})
    for method in ("log_residuals", "log_predictions", "log_accuracy_table", "log_confusion_matrix"):
        getattr(run, method)(method, {"data": {}})
    run.log_image("image", path="a.png")
    metrics = run.get_metrics()
    assert (metrics["a"], metrics["b"], metrics["list"]) == ([1, 2], 0.5, [1, 2])
    assert (metrics["row"], metrics["table"]) == ({"x": [1, 3], "y": [2, 4]}, {"x": [1]})
    assert run.get_metrics(name="b") == {"b": 0.5}
    run.tag("k", 5)
    run.set_tags({"l": None})
    run.tag("m")
    run.remove_tags(["m", "not there"])
    assert run.tags == run.get_tags() == {"k": "5", "l": ""}
    run.add_properties({"p": 1})
    assert run.properties == run.get_properties() == {"p": "1"}


def test_files_can_be_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = _OfflineRun()
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "folder" / "deep" / "a.txt").write_text("a")
    run.upload_folder("outputs", "folder")
    run.upload_file("b.txt", "folder/deep/a.txt")
    run.upload_file("c.txt", io.BytesIO(b"c"))
    run.upload_files(["d.txt"], ["folder/deep/a.txt"])
    assert run.get_file_names() == ["b.txt", "c.txt", "d.txt", "outputs/deep/a.txt"]
    (tmp_path / "got").mkdir()
    run.download_file("c.txt", "got")
    assert (tmp_path / "got" / "c.txt").read_text() == "c"
    monkeypatch.chdir(tmp_path / "got")
    run.download_file("b.txt")
    run.download_files("outputs/", str(tmp_path / "all"))
    assert (tmp_path / "got" / "b.txt").read_text() == "a"
    assert (tmp_path / "all" / "outputs" / "deep" / "a.txt").read_text() == "a"


def test_what_is_given_to_the_pipelines_run_has_somewhere_to_go() -> None:
    run = _OfflineRun()
    assert run.parent is not None
    run.parent.log("best", 1)
    run.parent.tag("a", "b")
    assert run.parent.get_metrics() == {"best": 1}
    assert run.get_metrics() == {}
    assert run.parent.parent is None
    assert list(run.parent.get_children()) == [run]


def test_children_end_as_their_block_does() -> None:
    run = _OfflineRun()
    with run.child_run("one") as child:
        assert child.parent is run
        assert child.id == f"{run.id}.one"
        assert child.status == "Running"
    with pytest.raises(ValueError, match="no"), run.child_run() as failing:
        raise ValueError("no")
    assert (child.status, failing.status) == ("Completed", "Failed")
    tagged = run.create_children(tag_key="fold", tag_values=["1", "2"])
    assert [c.tags for c in tagged] == [{"fold": "1"}, {"fold": "2"}]
    assert list(run.get_children())[-1] is child


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda run: run.experiment, "Workspace.from_config"),
        (lambda run: run.experiment.workspace, "Workspace.from_config"),
        (lambda run: run.register_model("m", "outputs/m"), "Model.register"),
        (lambda run: run.get_secret("s"), "get_default_keyvault"),
        (lambda run: run.input_datasets["data"], "get_by_name"),
        (lambda run: run.output_datasets["out"], "no dataset 'out'"),
        (lambda run: run.get_snapshot_id(), "as a step"),
    ],
)
def test_what_only_a_workspace_can_give_says_what_to_use_instead(call: Any, words: str) -> None:
    with pytest.raises((RunEnvironmentException, UserErrorException), match=words):
        call(_OfflineRun())


def test_what_scripts_ask_before_they_use_it_can_be_asked() -> None:
    run = _OfflineRun()
    assert not hasattr(run, "experiment")
    assert getattr(run, "experiment", None) is None
    assert dict(run.input_datasets) == {}
    assert run.input_datasets.get("data") is None
    with pytest.raises(KeyError):
        run.input_datasets["data"]
    with pytest.raises(NotRegisteredError):
        run.output_datasets["out"]
    assert run.get_details()["inputDatasets"] == []


def test_mistakes_are_told() -> None:
    run = _OfflineRun()
    with pytest.raises(ArgumentError, match="no file"):
        run.upload_file("a", "/no/such")
    with pytest.raises(ArgumentError, match="no folder"):
        run.upload_folder("a", "/no/such")
    with pytest.raises(ArgumentError, match="as many names as paths"):
        run.upload_files(["a"], [])
    with pytest.raises(ArgumentError, match="nothing was uploaded as 'a'"):
        run.download_file("a")
    with pytest.raises(ArgumentError, match="either path or plot"):
        run.log_image("a")
