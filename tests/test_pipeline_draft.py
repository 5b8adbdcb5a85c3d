"""Pipeline drafts: kept, changed, tried and published, as the SDK has them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scriptstep import DataPath, DataPathComputeBinding, Pipeline, PipelineParameter
from scriptstep.errors import ArgumentError, NotRegisteredError
from scriptstep.published.draft import PipelineDraft

Make = Callable[..., Any]

PRINT = "import sys; print('given', sys.argv[1])"


def pipeline(ws: Any, make_step: Make, code: str = PRINT) -> Any:
    step = make_step("show", code, arguments=[PipelineParameter("n", 1)])
    return Pipeline(ws, [step], description="shows")


def log_of(run: Any) -> str:
    run.wait_for_completion(show_output=False)
    (step,) = run.get_steps()
    return str(step.get_job_log())


def test_a_draft_is_made_found_tried_and_published(ws: Any, make_step: Make, project: Path) -> None:
    draft = PipelineDraft.create(
        ws,
        pipeline(ws, make_step),
        name="mine",
        description="in words",
        experiment_name="drafts",
        pipeline_parameters={"n": 7},
        continue_on_step_failure=True,
        tags={"team": "a"},
        properties={"made": "here"},
    )
    (project / "src" / "show" / "main.py").unlink()
    (found,) = PipelineDraft.list(ws, tags={"team": "a"})
    assert PipelineDraft.list(ws, tags={"team": "b"}) == []
    assert (found.id, found.name, found.description, found.tags) == (draft.id, "mine", "in words", {"team": "a"})
    assert found.properties == {"made": "here"}
    run = found.submit_run()
    assert "given 7" in log_of(run), "its code is kept, and its values count"
    assert (run.experiment.name, run.get_tags()["team"]) == ("drafts", "a")
    assert (
        PipelineDraft.get(ws, draft.id).last_submitted_pipeline_run_id == run.id == found.last_submitted_pipeline_run_id
    )
    published = found.publish()
    assert (published.name, published.description, published.continue_on_step_failure) == ("mine", "in words", True)
    assert "given 7" in log_of(published.submit(ws, "published"))
    assert [node.name for node in found.get_graph().module_nodes] == ["show"]
    assert str(draft.id) in str(draft)


def test_a_draft_is_changed(ws: Any, make_step: Make) -> None:
    draft = PipelineDraft.create(ws, pipeline(ws, make_step), experiment_name="drafts")
    assert draft.name == "shows"
    draft.update(name="other", pipeline_parameters={"n": 3}, tags={"x": 1}, description="new")
    assert (draft.name, draft.description, draft.tags) == ("other", "new", {"x": "1"})
    assert "given 3" in log_of(draft.submit_run())
    draft.update(pipeline=pipeline(ws, make_step, PRINT.replace("given", "got")), continue_on_step_failure=True)
    assert "got 1" in log_of(draft.submit_run())
    draft.delete()
    assert PipelineDraft.list(ws) == []
    with pytest.raises(NotRegisteredError, match="was deleted"):
        draft.submit_run()


def test_a_draft_is_made_of_what_is_kept_already(ws: Any, make_step: Make, run: Make, project: Path) -> None:
    made = pipeline(ws, make_step)
    published = made.publish("published")
    finished = made.submit("drafts")
    finished.wait_for_completion(show_output=False)
    of_published = PipelineDraft.create(ws, published, experiment_name="e")
    of_run = PipelineDraft.create(ws, finished, experiment_name="e")
    of_draft = PipelineDraft.create(ws, of_run, experiment_name="e")
    assert of_published.parent_pipeline_id == published.id
    assert (of_run.parent_pipeline_run_id, of_draft.parent_pipeline_draft_id) == (finished.id, of_run.id)
    (project / "src" / "show" / "main.py").unlink()
    for draft in (of_published, of_run, of_draft):
        assert "given 1" in log_of(draft.submit_run())


def test_data_is_a_value_too(ws: Any, make_step: Make) -> None:
    store = ws.get_default_datastore()
    for name in ("one", "two"):
        Path(name).write_text(name)
    store.upload_files(["one", "two"], show_progress=False)
    pair = (PipelineParameter("place", DataPath(store, "one")), DataPathComputeBinding())
    step = make_step("show", "import sys; print('read', open(sys.argv[1]).read())", arguments=[pair], inputs=[pair])
    draft = PipelineDraft.create(
        ws, Pipeline(ws, [step]), "mine", experiment_name="e", pipeline_parameters={"place": DataPath(store, "two")}
    )
    assert "read two" in log_of(PipelineDraft.get(ws, draft.id).submit_run())
    assert "read two" in log_of(draft.publish().submit(ws, "e"))


def test_what_cannot_be_a_draft_is_told(ws: Any, make_step: Make) -> None:
    with pytest.raises(ArgumentError, match="pipeline must be a Pipeline, not 3"):
        PipelineDraft.create(ws, 3)
    with pytest.raises(ArgumentError, match="the pipeline has no parameter 'm'"):
        PipelineDraft.create(ws, pipeline(ws, make_step), pipeline_parameters={"m": 1})
    with pytest.raises(ArgumentError, match="has no experiment_name"):
        PipelineDraft.create(ws, pipeline(ws, make_step)).submit_run()
    with pytest.raises(NotRegisteredError, match="there is no draft 'gone'"):
        PipelineDraft.get(ws, "gone")
