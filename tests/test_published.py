"""Published pipelines run as they were, whatever became of their sources, in whichever process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scriptstep import (
    Dataset,
    Experiment,
    NotRegisteredError,
    Pipeline,
    PipelineData,
    PipelineParameter,
    Workspace,
)
from scriptstep.cli import main
from scriptstep.data.consumption import DatasetConsumptionConfig
from scriptstep.data.paths import DataPath, DataPathComputeBinding
from scriptstep.errors import ArgumentError, UserErrorException
from scriptstep.published.endpoint import PipelineEndpoint
from scriptstep.published.pipeline import PublishedPipeline

Make = Callable[..., Any]

LOG = "import sys; from azureml.core import Run; Run.get_context().log('given', sys.argv[1:])"
SUBMIT = """
import json, sys
from scriptstep import Experiment, Workspace
from scriptstep.published.pipeline import PublishedPipeline
ws = Workspace.from_config()
run = PublishedPipeline.get(ws, sys.argv[1]).submit(ws, "elsewhere", json.loads(sys.argv[2]))
run.wait_for_completion()
print(json.dumps({s.name: [s.get_properties().get("azureml.isreused"), s.get_metrics()] for s in run.get_steps()}))
"""


def elsewhere(published: PublishedPipeline, **parameters: Any) -> dict[str, Any]:
    """Submits a published pipeline in another process; tells of each step whether it was reused, and its metrics."""
    command = [sys.executable, "-c", SUBMIT, published.id, json.dumps(parameters)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def metrics(run: Any) -> dict[str, Any]:
    run.wait_for_completion(show_output=False)
    return {step.name: step.get_metrics() for step in run.get_steps()}


def test_another_process_runs_it_as_it_was_though_its_sources_are_gone(
    ws: Workspace, project: Path, make_step: Make
) -> None:
    data = PipelineData("data")
    rate = PipelineParameter("rate", 0.5)
    make_step("write", "import sys; open(sys.argv[1], 'w').write('as it was')", arguments=[data], outputs=[data])
    read = make_step(
        "read",
        "import sys; from azureml.core import Run; Run.get_context().log('read', open(sys.argv[1]).read() + sys.argv[2])",
        arguments=[data, rate],
        inputs=[data],
    )
    pipeline = Pipeline(ws, steps=[read], description="what it is for")
    published = pipeline.publish(name="two steps", version="7", continue_on_step_failure=True)
    (project / "src" / "write" / "main.py").write_text("raise SystemExit('edited')")
    shutil.rmtree(project / "src" / "read")
    assert elsewhere(published) == {"write": [None, {}], "read": [None, {"read": "as it was0.5"}]}
    assert elsewhere(published, rate=2) == {"write": ["true", {}], "read": [None, {"read": "as it was2.0"}]}
    found = PublishedPipeline.get(ws, published.id)
    assert (found.name, found.version, found.description, found.status) == (
        "two steps",
        "7",
        "what it is for",
        "Active",
    )
    assert found.continue_on_step_failure and found.total_run_steps == 2
    assert sorted(found.get_step_names()) == ["read", "write"]


def test_what_ran_before_it_was_published_is_reused(ws: Workspace, make_step: Make, verdicts: Make) -> None:
    pipeline = Pipeline(ws, steps=[make_step("a", LOG, arguments=["x"])])
    first = Experiment(ws, "e").submit(pipeline)
    first.wait_for_completion(show_output=False)
    run = pipeline.publish(name="p").submit(ws, "e")
    run.wait_for_completion(show_output=False)
    assert verdicts(run) == {"a": "reused"}
    assert [one.id for one in type(run).get_pipeline_runs(ws, run._row().details["pipeline_id"])] == [run.id]


def test_a_run_is_published_with_the_code_that_it_ran(ws: Workspace, project: Path, make_step: Make) -> None:
    run = Experiment(ws, "e").submit(Pipeline(ws, steps=[make_step("a", LOG, arguments=["old"])]))
    run.wait_for_completion(show_output=False)
    (project / "src" / "a" / "main.py").write_text("raise SystemExit('edited')")
    published = run.publish_pipeline(name="p", description="d", version="0.1")
    assert (published.name, published.description, published.version) == ("p", "d", "0.1")
    assert metrics(published.submit(ws, "e")) == {"a": {"given": ["old"]}}


def test_parameters_of_every_type_are_given_anew_and_checked(ws: Workspace, project: Path, make_step: Make) -> None:
    for name in ("one", "two"):
        (project / f"{name}.csv").write_text(f"x\n{name}\n")
    store = ws.get_default_datastore()
    store.upload_files([str(project / "one.csv"), str(project / "two.csv")], target_path="up", show_progress=False)
    dataset = PipelineParameter("dataset", Dataset.File.from_files(str(project / "one.csv")))
    path = (PipelineParameter("path", DataPath(store, "up/one.csv")), DataPathComputeBinding(mode="mount"))
    consumed = DatasetConsumptionConfig("data", dataset).as_mount()
    plain = [PipelineParameter(n, v) for n, v in (("text", "a"), ("whole", 1), ("number", 0.5), ("flag", True))]
    code = (
        "import sys; from azureml.core import Run\n"
        "files = [open(name).read().split()[-1] for name in sys.argv[1:3]]\n"
        "Run.get_context().log_list('given', files + sys.argv[3:])"
    )
    step = make_step("a", code, arguments=[consumed, path, *plain], inputs=[consumed, path])
    published = Pipeline(ws, steps=[step]).publish(name="p")
    published = PublishedPipeline.get(ws, published.id)
    assert metrics(published.submit(ws, "e")) == {"a": {"given": ["one", "one", "a", "1", "0.5", "True"]}}
    given = {
        "dataset": Dataset.File.from_files(str(project / "two.csv")),
        "path": DataPath(store, "up/two.csv"),
        "text": "b",
        "whole": 2,
        "number": 3,
        "flag": False,
    }
    run = Experiment(ws, "e").submit(published, pipeline_parameters=given)
    assert metrics(run) == {"a": {"given": ["two", "two", "b", "2", "3.0", "False"]}}
    for name, wrong in (("whole", "2"), ("number", "x"), ("flag", 1), ("dataset", "two"), ("text", 1)):
        with pytest.raises(ArgumentError, match=f"parameter '{name}' must be"):
            published.submit(ws, "e", {name: wrong})
    with pytest.raises(ArgumentError, match=r"has no parameter 'flg'; it has"):
        published.submit(ws, "e", {"flg": True})


def test_settings_hold_as_they_were(project: Path, make_step: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "scriptstep.toml").write_text('[environment]\ninherit = ["ASKED_FOR"]\n')
    ws = Workspace.from_config()
    monkeypatch.setenv("ASKED_FOR", "here")
    code = "import os; from azureml.core import Run; Run.get_context().log('found', os.environ.get('ASKED_FOR', 'no'))"
    published = Pipeline(ws, steps=[make_step("a", code)]).publish(name="p")
    (project / "scriptstep.toml").write_text("")
    assert metrics(published.submit(ws, "e")) == {"a": {"found": "here"}}


def test_a_disabled_one_is_not_listed_nor_submitted(ws: Workspace, make_step: Make) -> None:
    pipeline = Pipeline(ws, steps=[make_step("a")])
    first, second = pipeline.publish(name="p", version="1"), pipeline.publish(name="p", version="2")
    assert [one.version for one in PublishedPipeline.list(ws)] == ["2", "1"]
    first.disable()
    assert [one.version for one in PublishedPipeline.list(ws)] == ["2"]
    assert [one.version for one in PublishedPipeline.get_all(ws, active_only=False)] == ["2", "1"]
    with pytest.raises(UserErrorException, match="'p' is disabled"):
        PublishedPipeline.get(ws, first.id).submit(ws, "e")
    first.enable()
    assert metrics(first.submit(ws, "e")) == {"a": {}}
    assert second.endpoint != first.endpoint and second.id in second.endpoint


def test_endpoints_name_one_version_after_the_other(ws: Workspace, make_step: Make) -> None:
    from scriptstep.errors import ErrorResponseException

    def published(text: str) -> PublishedPipeline:
        return Pipeline(ws, steps=[make_step("a", LOG, arguments=[text])]).publish(name=text)

    with pytest.raises(ErrorResponseException):
        PipelineEndpoint.get(workspace=ws, name="train")
    first = published("first")
    endpoint = PipelineEndpoint.publish(workspace=ws, name="train", description="d", pipeline=first)
    with pytest.raises(ValueError, match="there is a pipeline endpoint 'train'"):
        PipelineEndpoint.publish(ws, "train", "d", first)
    same = PipelineEndpoint.get(ws, name="train")
    assert (same.id, same.default_version, same.status) == (endpoint.id, "0", "Active")
    same.add(published("second"))
    same.add_default(published("third"))
    assert ([v.version for v in same.list_versions()], same.get_default_version()) == (["0", "1", "2"], "2")
    assert same.list_versions()[0].pipeline.id == first.id
    assert metrics(endpoint.submit("e")) == {"a": {"given": ["third"]}}
    assert metrics(endpoint.submit("e", pipeline_version="1")) == {"a": {"given": ["second"]}}
    assert metrics(Experiment(ws, "e").submit(endpoint, pipeline_version=0)) == {"a": {"given": ["first"]}}
    endpoint.set_default(first)
    assert PipelineEndpoint.get(ws, id=endpoint.id).get_pipeline().id == first.id
    with pytest.raises(ArgumentError, match="has no version '9'; it has 0, 1, 2"):
        endpoint.submit("e", pipeline_version="9")
    with pytest.raises(ArgumentError, match="is version 0 of endpoint"):
        endpoint.add(first)
    endpoint.archive()
    assert PipelineEndpoint.list(ws) == []
    with pytest.raises(UserErrorException, match="is archived"):
        endpoint.submit("e")
    endpoint.reactivate("again")
    assert [one.name for one in PipelineEndpoint.list(ws)] == ["again"]


def test_an_endpoint_takes_a_pipeline_that_was_not_published(ws: Workspace, make_step: Make) -> None:
    endpoint = PipelineEndpoint.publish(ws, "train", "d", Pipeline(ws, steps=[make_step("a")]))
    assert [one.name for one in endpoint.list_pipelines()] == ["train"]


def test_what_cannot_be_published_or_found_is_told(ws: Workspace, make_step: Make) -> None:
    pipeline = Pipeline(ws, steps=[make_step("a")])
    with pytest.raises(ArgumentError, match="needs a name"):
        pipeline.publish()
    with pytest.raises(TypeError, match="version must be text, not 1"):
        pipeline.publish(name="p", version=1)  # type: ignore[arg-type]
    with pytest.raises(NotRegisteredError, match="no pipeline is published under the id 'x'; there are: none"):
        PublishedPipeline.get(ws, "x")
    with pytest.raises(TypeError, match="an endpoint takes"):
        PipelineEndpoint.publish(ws, "e", "d", "p")


def test_code_that_is_gone_from_the_store_is_told(ws: Workspace, home: Path, make_step: Make) -> None:
    published = Pipeline(ws, steps=[make_step("a")]).publish(name="p")
    shutil.rmtree(home / "trees")
    run = published.submit(ws, "e")
    run.wait_for_completion(show_output=False, raise_on_error=False)
    assert "as it was published is not in the store any more" in run.get_details()["error"]["message"]


def test_the_command_line_finds_what_another_workspace_has(
    make_step: Make, capsys: pytest.CaptureFixture[str], project: Path, home: Path
) -> None:
    assert main(["published"]) == 0
    assert "nothing is published here" in capsys.readouterr().err
    assert not (home / "history.db").exists(), "no workspace is made for a question"
    team = Workspace.get("team")
    Pipeline(team, steps=[make_step("a", LOG, arguments=["x"])]).publish(name="theirs")
    assert main(["published"]) == 0
    assert "workspace" not in capsys.readouterr().out
    assert main(["published", "submit", "theirs"]) == 0
    Pipeline(Workspace.get("own"), steps=[make_step("a", LOG, arguments=["x"])]).publish(name="ours")
    assert main(["published"]) == 0
    told = capsys.readouterr().out
    assert "workspace" in told and "team" in told and "own" in told


def test_the_command_line_lists_and_submits(ws: Workspace, make_step: Make, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["published"]) == 0
    assert "nothing is published" in capsys.readouterr().err
    plain = [PipelineParameter(n, v) for n, v in (("text", "a"), ("whole", 1), ("number", 0.5), ("flag", True))]
    Pipeline(ws, steps=[make_step("a", LOG, arguments=plain)]).publish(name="my pipeline", version="3")
    assert main(["published"]) == 0
    assert "my pipeline" in capsys.readouterr().out
    given = ["--param", "whole=4", "--param", "number=2", "--param", "flag=false", "--param", "text=b=c"]
    assert main(["published", "submit", "my pipeline", *given]) == 0
    run = next(iter(Experiment(ws, "my-pipeline").get_runs()))
    assert metrics(run) == {"a": {"given": ["b=c", "4", "2.0", "False"]}}
    for wrong, told in (
        (["other"], "nothing is published as 'other'"),
        (["my pipeline", "--param", "whole=x"], "'whole' is a whole number"),
        (["my pipeline", "--param", "flag=x"], "'flag' is true or false"),
        (["my pipeline", "--param", "none=x"], "has no parameter 'none'"),
        (["my pipeline", "--param", "whole"], "NAME=VALUE"),
    ):
        assert main(["published", "submit", *wrong]) == 1
        assert told in capsys.readouterr().err


def test_a_history_of_the_first_version_is_taken_over(ws: Workspace, home: Path, make_step: Make) -> None:
    import sqlite3

    from scriptstep.workspace.catalog import close_catalogs

    Experiment(ws, "e").submit(Pipeline(ws, steps=[make_step("a")])).wait_for_completion(show_output=False)
    close_catalogs()
    with sqlite3.connect(home / "history.db") as connection:
        connection.execute("DROP TABLE pipelines")
        connection.execute("DROP TABLE pins")
        connection.execute("ALTER TABLE results DROP COLUMN collected")
        connection.execute("UPDATE schema SET version = 1")
    connection.close()
    again = Workspace.from_config()
    assert len(list(Experiment(again, "e").get_runs())) == 1
    assert Pipeline(again, steps=[make_step("a")]).publish(name="p").status == "Active"
    assert not [name for name in os.listdir(home) if "damaged" in name]
