"""Inside a step: what it reads of others is recorded so that it can be read again, what it writes is taken in by others."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriptstep.engine.effects import EventTaker, Target
from scriptstep.errors import ArgumentError, ModelPathNotFoundException, RunEnvironmentException, UserErrorException
from scriptstep.history import ComputeRow, DatasetRow, DatastoreRow, MetricRow, RunRow, definition_id
from scriptstep.records import replace
from scriptstep.runtime import catalog as catalog_module
from scriptstep.runtime.catalog import StepCatalog
from scriptstep.runtime.context import StepContext, current, step_catalog
from scriptstep.runtime.events import read_events
from scriptstep.runtime.reads import is_of_own_making, read_digest, read_value
from scriptstep.runtime.watched import WatchedFiles
from scriptstep.workspace.local_catalog import LocalCatalog
from scriptstep.workspace.place import Place

STEPS = ("first", "second", "mine")


class World:
    """A pipeline run whose step `mine` runs now, and the coordinator that takes its events in."""

    def __init__(self, home: Path) -> None:
        self.outside = LocalCatalog(Place(home), "ws")
        self.history = self.outside.history
        self.parent = self.new_parent("parent-1")
        self.context = StepContext(
            run_id="parent-1-mine",
            parent_id="parent-1",
            attempt="attempt-1",
            experiment="exp",
            workspace="ws",
            home=home,
            run_dir=home / "runs" / "parent-1" / "mine",
            events=home / "runs" / "parent-1" / "mine" / "events",
        )
        self.context.run_dir.mkdir(parents=True)
        target = Target(self.outside, self.context.run_id, "parent-1", home / "runs" / "parent-1")
        self.taker = EventTaker(target, self.context.events, self.context.run_dir)
        self.inside = StepCatalog(self.context, Place(home), "ws")
        self.is_taking, self.ended = True, False
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self._take)
        self.thread.start()

    def new_parent(self, id: str) -> RunRow:
        """Another run of the same pipeline."""
        row = self.outside.add_run(RunRow(id, "ws", "exp", "pipeline", "exp", status="Running", directory=f"runs/{id}"))
        for name in STEPS:
            self.outside.add_run(
                RunRow(
                    f"{id}-{name}",
                    "ws",
                    "exp",
                    "step",
                    name,
                    parent=id,
                    status="Running" if name == "mine" else "Finished",
                    exit_code=None if name == "mine" else 0,
                    directory=f"runs/{id}/{name}",
                    details={"outputs": {"out": {"tree": "00" * 32, "datastore": "d", "path": f"x/{id}"}}},
                )
            )
            self.outside.set_properties(f"{id}-{name}", {"azureml.pipelinerunid": id, "mark": name})
        self.outside.log_metrics([MetricRow(f"{id}-first", "loss", "scalar", 0.5), MetricRow(id, "best", "scalar", 1)])
        self.outside.set_tags(id, {"team": "blue"})
        self.outside.set_tags(f"{id}-first", {"quality": "good"})
        file = self.outside.place.home / "file.txt"
        file.write_text("content")
        self.outside.upload(f"{id}-first", "outputs/model.txt", file)
        self.outside.upload(f"{id}-first", "user_logs/std_log.txt", file)
        self.outside.upload(id, "report.txt", file)
        return row

    def reads(self) -> list[dict[str, Any]]:
        events, _ = read_events(self.context.events)
        return [{k: e[k] for k in ("what", "args", "digest")} for e in events if e["do"] == "read"]

    def holds(self, read: dict[str, Any], parent: str = "parent-1") -> bool:
        return read_digest(read_value(self.outside, read["what"], read["args"], parent)) == read["digest"]

    def take(self, is_taking: bool) -> None:
        """From now on events are taken in, or not."""
        with self.lock:
            self.is_taking = is_taking

    def close(self) -> None:
        self.ended = True
        self.thread.join()
        self.history.close()

    def _take(self) -> None:
        while not self.ended:
            with self.lock:
                if self.is_taking:
                    self.taker.take()
            time.sleep(0.002)


@pytest.fixture
def world(project: Path, home: Path) -> Iterator[World]:
    made = World(home)
    yield made
    made.close()


# --- reads that must hold


def add_dataset(catalog: Any, path: str) -> None:
    definition = {"kind": "file", "format": "files", "sources": [{"path": path}]}
    catalog.add_dataset(DatasetRow(definition_id(definition), "data", None, "file", definition))


def add_model(catalog: Any, folder: Path, text: str) -> None:
    (folder / "model.txt").write_text(text)
    catalog.register_model("champion", folder / "model.txt", base_name="model.txt")


def set_details(catalog: Any, run: str) -> None:
    catalog.update_run(run, details={"outputs": {"out": {"tree": "11" * 32, "datastore": "d", "path": "elsewhere"}}})


Change = Callable[[World], None]
# What is read, and what changes it; a change that is no change of what is read stands in the test below.
READS: dict[str, tuple[Callable[[Any], Any], Change]] = {
    "dataset": (lambda c: c.dataset("data"), lambda w: add_dataset(w.outside, "/b")),
    "dataset version": (lambda c: c.dataset("data", 1), lambda w: w.outside.update_dataset("data", 1, tags={"a": "b"})),
    "no dataset": (
        lambda c: c.dataset("other"),
        lambda w: w.outside.add_dataset(replace(w.outside.dataset("data"), name="other")),
    ),
    "datasets": (lambda c: c.datasets(), lambda w: add_dataset(w.outside, "/b")),
    "model": (lambda c: c.model("champion"), lambda w: add_model(w.outside, w.context.home, "better")),
    "model tags": (lambda c: c.model("champion"), lambda w: w.outside.update_model("champion:1", tags={"a": "b"})),
    "models": (lambda c: c.models(), lambda w: add_model(w.outside, w.context.home, "better")),
    "models of a name": (lambda c: c.models("champion"), lambda w: w.outside.delete_model("champion:1")),
    "environment": (lambda c: c.environment("env"), lambda w: w.outside.add_environment("env", {"python": "3.12"})),
    "environments": (lambda c: c.environments(), lambda w: w.outside.add_environment("more", {})),
    "compute": (
        lambda c: c.compute("cpu"),
        lambda w: w.outside.add_compute(ComputeRow("cpu", "AmlCompute", {"max_nodes": 9})),
    ),
    "computes": (lambda c: c.computes(), lambda w: w.outside.add_compute(ComputeRow("gpu", "AmlCompute"))),
    "datastore": (
        lambda c: c.datastore("store"),
        lambda w: w.outside.add_datastore(DatastoreRow("store", "AzureBlob", {"account_name": "other"})),
    ),
    "datastores": (lambda c: c.datastores(), lambda w: w.outside.set_default_datastore("store")),
    "datastore files": (
        lambda c: c.note_datastore_files("store", "in/"),
        lambda w: (w.context.home / "datastores" / "store" / "in" / "a.csv").write_text("2"),
    ),
    "experiments": (lambda c: c.experiments(), lambda w: w.outside.add_experiment("another")),
    "runs of an experiment": (
        lambda c: c.runs(experiment="exp"),
        lambda w: w.outside.add_run(RunRow("new", "ws", "exp", "script", "new")),
    ),
    "the parent's metrics": (
        lambda c: c.metrics("parent-1"),
        lambda w: w.outside.log_metrics([MetricRow("parent-1", "best", "scalar", 2)]),
    ),
    "the parent's tags": (lambda c: c.tags("parent-1"), lambda w: w.outside.set_tags("parent-1", {"team": "red"})),
    "the parent's properties": (
        lambda c: c.properties("parent-1"),
        lambda w: w.outside.set_properties("parent-1", {"a": "b"}),
    ),
    "names of the parent's files": (
        lambda c: list(c.files("parent-1")),
        lambda w: w.outside.upload("parent-1", "new.txt", w.context.home / "file.txt"),
    ),
    "the parent's description": (
        lambda c: c.run("parent-1").description,
        lambda w: w.outside.update_run("parent-1", description="x"),
    ),
    "steps": (
        lambda c: c.runs(parent="parent-1"),
        lambda w: w.outside.add_run(RunRow("x", "ws", "exp", "step", "more", parent="parent-1")),
    ),
    "a sibling's metrics": (
        lambda c: c.metrics("parent-1-first"),
        lambda w: w.outside.log_metrics([MetricRow("parent-1-first", "loss", "scalar", 0.4)]),
    ),
    "a sibling's tags": (
        lambda c: c.tags("parent-1-first"),
        lambda w: w.outside.remove_tags("parent-1-first", ["quality"]),
    ),
    "a sibling's properties": (
        lambda c: c.properties("parent-1-first"),
        lambda w: w.outside.set_properties("parent-1-first", {"mark": "x"}),
    ),
    "a sibling's status": (
        lambda c: c.run("parent-1-first").status,
        lambda w: w.outside.update_run("parent-1-first", status="Failed"),
    ),
    "a sibling's status, listed": (
        lambda c: [r.status for r in c.runs(parent="parent-1")],
        lambda w: w.outside.update_run("parent-1-first", status="Failed"),
    ),
    "a sibling's exit code": (
        lambda c: c.run("parent-1-first").exit_code,
        lambda w: w.outside.update_run("parent-1-first", exit_code=3),
    ),
    "a sibling's outputs": (
        lambda c: c.run("parent-1-first").details["outputs"],
        lambda w: set_details(w.outside, "parent-1-first"),
    ),
    "a sibling's file": (
        lambda c: c.files("parent-1-first")["outputs/model.txt"].read_text(),
        lambda w: w.outside.files("parent-1-first")["outputs/model.txt"].write_text("changed"),
    ),
    "all of a sibling's files": (
        lambda c: dict(c.files("parent-1-first")),
        lambda w: w.outside.files("parent-1-first")["outputs/model.txt"].write_text("changed"),
    ),
    "another run": (lambda c: c.run("old").status, lambda w: w.outside.update_run("old", status="Failed")),
    "a run that is not there": (
        lambda c: c.run("not there"),
        lambda w: w.outside.add_run(RunRow("not there", "ws", "exp", "script", "x")),
    ),
}


def fill(world: World) -> None:
    add_dataset(world.outside, "/a")
    add_model(world.outside, world.context.home, "good")
    world.outside.add_environment("env", {"python": "3.11"})
    world.outside.add_compute(ComputeRow("cpu", "AmlCompute", {"max_nodes": 2}))
    world.outside.add_datastore(DatastoreRow("store", "AzureBlob", {"account_name": "mine"}))
    folder = world.context.home / "datastores" / "store" / "in"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text("1")
    world.outside.add_run(RunRow("old", "ws", "exp", "script", "old", status="Completed"))


@pytest.mark.parametrize("what", READS)
def test_a_read_is_recorded_once_and_holds_until_it_would_read_otherwise(world: World, what: str) -> None:
    fill(world)
    read, change = READS[what]
    read(world.inside)
    read(world.inside)
    recorded = world.reads()
    assert len(recorded) == len({str(r) for r in recorded}) > 0
    assert all(world.holds(r) for r in recorded)
    change(world)
    assert not all(world.holds(r) for r in recorded)


@pytest.mark.parametrize("what", [what for what in READS if "parent" in what or "sibling" in what or what == "steps"])
def test_a_read_of_the_pipelines_own_runs_holds_in_another_run_of_it(world: World, what: str) -> None:
    fill(world)
    READS[what][0](world.inside)
    world.new_parent("parent-2")
    assert all(world.holds(r, "parent-2") for r in world.reads())


def test_what_comes_back_is_what_stands_in_the_history(world: World) -> None:
    fill(world)
    outside, inside = world.outside, world.inside
    assert inside.model("champion") == outside.model("champion")
    assert inside.metrics("parent-1-first") == outside.metrics("parent-1-first")
    assert dict(inside.files("parent-1-first")) == outside.files("parent-1-first")
    assert [r.id for r in inside.runs(parent="parent-1")] == [r.id for r in outside.runs(parent="parent-1")]
    row = inside.run("parent-1-first")
    assert row is not None
    assert isinstance(row, RunRow)
    assert row.__dict__["status"] == row.status == "Finished"
    assert replace(row, status="x").details == row.details


def test_only_the_fields_and_files_that_are_looked_at_must_hold(world: World) -> None:
    row = world.inside.run("parent-1-first")
    assert row is not None
    assert (row.id, row.parent, row.kind, row.name) == ("parent-1-first", "parent-1", "step", "first")
    assert world.reads() == []
    assert row.status == "Finished"
    files = world.inside.files("parent-1-first")
    assert files["outputs/model.txt"].read_text() == "content"
    recorded = world.reads()
    assert [(r["what"], r["args"].get("field") or r["args"].get("name")) for r in recorded] == [
        ("run", "status"),
        ("files", None),
        ("file", "outputs/model.txt"),
    ]
    set_details(world.outside, "parent-1-first")
    world.outside.files("parent-1-first")["user_logs/std_log.txt"].write_text("another time stamp")
    world.outside.log_metrics([MetricRow("parent-1-first", "loss", "scalar", 0.1)])
    assert all(world.holds(r) for r in recorded)


def test_of_two_steps_of_one_name_each_is_found_again(world: World) -> None:
    for parent in ("parent-1", "parent-2"):
        if parent == "parent-2":
            world.new_parent(parent)
        world.outside.add_run(RunRow(f"{parent}-again", "ws", "exp", "step", "first", parent=parent))
        world.outside.log_metrics([MetricRow(f"{parent}-again", "loss", "scalar", 0.9)])
    for run in ("parent-1-first", "parent-1-again"):
        world.inside.metrics(run)
    assert [r["args"]["run"] for r in world.reads()] == [{"sibling": "first"}, {"sibling": "first", "nth": 1}]
    assert all(world.holds(r, "parent-2") for r in world.reads())


def test_steps_that_log_side_by_side_may_do_so_in_any_order(world: World) -> None:
    world.outside.log_metrics([MetricRow("parent-1", "a", "scalar", 1), MetricRow("parent-1", "b", "scalar", 2)])
    world.inside.metrics("parent-1")
    world.new_parent("parent-2")
    world.outside.log_metrics([MetricRow("parent-2", "b", "scalar", 2), MetricRow("parent-2", "a", "scalar", 1)])
    assert all(world.holds(r, "parent-2") for r in world.reads())


def test_what_cannot_be_read_again_never_holds(world: World) -> None:
    # A run below a sibling, which no later run has; a kind of read that this version does not know.
    world.outside.add_run(RunRow("below", "ws", "exp", "child", "c", parent="parent-1-first"))
    world.inside.metrics("below")
    assert not any(world.holds(r) for r in world.reads())
    for _ in range(2):
        unknown = read_value(world.outside, "tides", {}, "parent-1")
        assert unknown != read_value(world.outside, "tides", {}, "parent-1")


def test_a_steps_own_runs_are_nothing_of_others(world: World) -> None:
    child = world.inside.add_run(RunRow("child", "ws", "exp", "child", "c", parent="parent-1-mine"))
    world.inside.log_metrics([MetricRow("parent-1-mine", "a", "scalar", 1), MetricRow(child.id, "b", "scalar", 2)])
    for run in ("parent-1-mine", "child"):
        world.inside.metrics(run)
        world.inside.tags(run)
        world.inside.properties(run)
        world.inside.files(run)
        assert world.inside.run(run) is not None
    world.inside.runs(parent="parent-1-mine")
    world.inside.models(run="parent-1-mine")
    assert world.reads() == []


def test_what_the_attempt_gave_its_parent_itself_need_not_be_there(world: World) -> None:
    world.inside.log_metrics([MetricRow("parent-1", "mine", "scalar", 1)])
    world.inside.set_tags("parent-1", {"mine": 1})
    world.inside.set_properties("parent-1", {"mine": 1})
    world.inside.upload("parent-1", "mine", folder_of(world, {"a.txt": "1", "b/c.txt": "2"}))
    assert [m.name for m in world.inside.metrics("parent-1")] == ["best", "mine"]
    assert world.inside.tags("parent-1") == {"team": "blue", "mine": "1"}
    assert world.inside.properties("parent-1")["mine"] == "1"
    assert {"mine/a.txt", "mine/b/c.txt", "report.txt"} <= set(world.inside.files("parent-1"))
    world.new_parent("parent-2")
    assert len(world.reads()) == 4
    assert all(world.holds(r, "parent-2") for r in world.reads())


def test_nor_what_another_process_of_the_attempt_gave_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    code = """
from scriptstep.history import MetricRow
from scriptstep.runtime.context import current
current().catalog.log_metrics([MetricRow("parent-1", "theirs", "scalar", 1)])
"""
    subprocess.run([sys.executable, "-c", code], env={**os.environ, **variables(world)}, check=True, timeout=60)
    assert [m.name for m in world.inside.metrics("parent-1")] == ["best", "theirs"]
    world.new_parent("parent-2")
    assert all(world.holds(r, "parent-2") for r in world.reads())


def test_a_read_in_another_workspace_is_recorded_as_such_and_a_write_there_is_refused(world: World) -> None:
    other = LocalCatalog(Place(world.context.home), "other")
    add_model(other, world.context.home, "theirs")
    inside = StepCatalog(world.context, Place(world.context.home), "other")
    assert inside.model("champion") is not None
    (read,) = world.reads()
    assert read["args"]["workspace"] == "other"
    assert world.holds(read)
    add_model(other, world.context.home, "changed")
    assert not world.holds(read)
    with pytest.raises(UserErrorException, match="cannot write to workspace 'other'"):
        inside.remove_dataset("data")


def test_a_change_right_after_the_attempt_counts_as_its_own_only_where_it_registered_such_a_thing() -> None:
    model = {"do": "register_model", "name": "champion"}
    row = {"row": "DatasetRow", "fields": {"name": "data"}}
    dataset = {"do": "call", "method": "add_dataset", "args": [row]}
    environment = {"do": "call", "method": "add_environment", "args": ["env", {}, None]}
    other = [{"do": "metric", "row": {}}, {"do": "call", "method": "add_experiment", "args": ["champion"]}]
    assert is_of_own_making("model", {"name": "champion"}, [*other, model])
    assert is_of_own_making("models", {"name": None}, [model])
    assert is_of_own_making("dataset", {"name": "data"}, [model, dataset])
    assert is_of_own_making("environment", {"name": "env"}, [environment])
    assert not is_of_own_making("model", {"name": "another"}, [model])
    assert not is_of_own_making("dataset", {"name": "champion"}, [model, dataset])
    assert not is_of_own_making("metrics", {"run": "parent"}, [model, dataset, *other])
    assert not is_of_own_making("model", {"name": "champion"}, other)


@given(st.dictionaries(st.text(), st.integers() | st.text()), st.dictionaries(st.text(), st.integers() | st.text()))
def test_what_was_read_has_one_digest_for_each_value(a: dict[str, object], b: dict[str, object]) -> None:
    assert (read_digest(a) == read_digest(b)) == (a == b)
    assert read_digest(a) == read_digest(dict(reversed(a.items())))


# --- writes


def folder_of(world: World, files: dict[str, str]) -> Path:
    folder = world.context.home / "made"
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_what_was_written_is_read_at_once(world: World) -> None:
    run = world.context.run_id
    for n in range(3):
        world.inside.log_metrics([MetricRow(run, "loss", "scalar", n)])
        assert [m.value for m in world.inside.metrics(run)] == list(range(n + 1))
    world.inside.set_tags(run, {"a": None, "b": 1, "c": True})
    world.inside.remove_tags(run, ["b"])
    assert world.inside.tags(run) == {"a": "", "c": "True"}
    world.inside.set_properties(run, {"p": 1.5})
    assert world.inside.properties(run)["p"] == "1.5"
    world.inside.update_run(run, description="said")
    row = world.inside.run(run)
    assert row is not None
    assert row.description == "said"


def test_writing_does_not_wait_for_the_coordinator(world: World) -> None:
    world.take(False)
    begin = time.monotonic()
    for n in range(100):
        world.inside.log_metrics([MetricRow(world.context.run_id, "loss", "scalar", n)])
        world.inside.set_tags("parent-1", {"n": n})
    assert world.inside.run("parent-1") is not None
    assert time.monotonic() - begin < 1


def test_a_registration_has_the_version_that_it_got(world: World) -> None:
    made = folder_of(world, {"m/a.txt": "1"})
    versions = [world.inside.register_model("m", made / "m", base_name="m", tags={"a": "b"}).version for _ in range(2)]
    assert versions == [1, 2]
    model = world.outside.model("m")
    assert model is not None
    assert (model.run, model.base_name, model.tags) == (world.context.run_id, "m", {"a": "b"})
    assert (world.outside.content(model.digest) / "a.txt").read_text() == "1"
    assert (made / "m" / "a.txt").exists()
    add_dataset(world.inside, "/x")
    found = world.inside.dataset("data")
    assert found is not None
    assert found.version == 1
    assert world.inside.add_environment("e", {"a": 1}).version == "1"
    world.inside.add_experiment("exp-2")
    assert "exp-2" in world.outside.experiments()


def test_an_error_of_the_coordinator_is_raised_in_the_step(world: World) -> None:
    with pytest.raises(UserErrorException, match="no-such"):
        world.inside.update_run("no-such", status="Failed")
    with pytest.raises(UserErrorException, match="may not ask for 'close'"):
        world.inside._call("close")


def test_asking_for_the_run_to_be_cancelled_is_taken_in_before_the_script_goes_on(world: World) -> None:
    world.inside.request_cancel("parent-1")
    assert world.history.cancel_requested("parent-1")


def test_what_is_not_there_cannot_be_uploaded_or_registered(world: World) -> None:
    with pytest.raises(ArgumentError, match="nothing lies at"):
        world.inside.upload(world.context.run_id, "a", Path("/no/such"))
    with pytest.raises(ModelPathNotFoundException, match="model 'm': nothing lies at"):
        world.inside.register_model("m", Path("/no/such"), base_name="m")
    os.mkfifo(folder_of(world, {"a": "1"}) / "pipe")
    with pytest.raises(UserErrorException, match="cannot be kept"):
        world.inside.upload(world.context.run_id, "a", world.context.home / "made")
    assert read_events(world.context.events)[0] == []


def test_a_file_is_kept_as_it_was_when_it_was_uploaded(world: World) -> None:
    file = folder_of(world, {"a.txt": "before"}) / "a.txt"
    world.take(False)
    world.inside.upload(world.context.run_id, "a.txt", file)
    file.write_text("after")
    world.take(True)
    assert world.inside.files(world.context.run_id)["a.txt"].read_text() == "before"


def test_what_lies_in_outputs_now_is_among_the_steps_own_files(world: World) -> None:
    folder = world.context.run_dir / "code" / "outputs" / "deep"
    folder.mkdir(parents=True)
    (folder / "model.pkl").write_text("1")
    assert world.inside.files(world.context.run_id)["outputs/deep/model.pkl"].read_text() == "1"


def test_a_coordinator_that_takes_nothing_in_is_waited_for_so_long_and_named(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(catalog_module, "_SAID_AFTER_S", 0.05)
    monkeypatch.setattr(catalog_module, "_TAKEN_IN_S", 0.15)
    world.take(False)
    with pytest.raises(UserErrorException, match=r"'add_compute' was not taken in within 0\.15 s"):
        world.inside.add_compute(ComputeRow("cpu", "AmlCompute"))
    assert "'add_compute' waits" in capsys.readouterr().err


# --- the context


def variables(world: World) -> dict[str, str]:
    context = world.context
    return {
        "AZUREML_RUN_ID": context.run_id,
        "AZUREML_ARM_PROJECT_NAME": context.experiment,
        "AZUREML_ARM_WORKSPACE_NAME": context.workspace,
        "AZUREML_DATASET_ENVIRONMENT_VARS": "files:mount,table:direct,gone:download",
        "AZUREML_DATASET_FILE_OUTPUTS": "result;unset",
        "SCRIPTSTEP_PARENT": context.parent_id,
        "SCRIPTSTEP_ATTEMPT": context.attempt,
        "SCRIPTSTEP_HOME": str(context.home),
        "SCRIPTSTEP_RUN_DIR": str(context.run_dir),
        "SCRIPTSTEP_EVENTS": str(context.events),
        "files": "/data/files",
        "table": "0c0ffee0",
        "result": "/out/result",
    }


def test_the_context_is_what_the_environment_says(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables(world).items():
        monkeypatch.setenv(name, value)
    found = current()
    assert found is not None
    assert replace(found, inputs={}, outputs={}) == world.context
    assert found.inputs == {
        "files": ("mount", "/data/files"),
        "table": ("direct", "0c0ffee0"),
        "gone": ("download", None),
    }
    assert found.outputs == {"result": "/out/result"}
    assert found.catalog is found.catalog
    assert found.catalog.name == "ws"
    monkeypatch.setenv("SCRIPTSTEP_SETTINGS", "/project/scriptstep.toml")
    again = current()
    assert again is not None
    assert again.place == Place(world.context.home, Path("/project/scriptstep.toml"))


@pytest.mark.parametrize("missing", ["AZUREML_RUN_ID", "SCRIPTSTEP_EVENTS", "SCRIPTSTEP_PARENT"])
def test_with_a_variable_missing_there_is_no_context(
    world: World, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    for name, value in variables(world).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv(missing)
    assert current() is None
    with pytest.raises(RunEnvironmentException, match="not all there"):
        step_catalog(Place(world.context.home), "ws")


# --- what tells that it is looked at


@pytest.mark.parametrize(
    ("look", "told"),
    [
        (lambda files: (list(files), len(files), "a" in files, sorted(files), files.keys(), bool(files)), []),
        (lambda files: files["a"], ["a"]),
        (lambda files: files.get("b"), ["b"]),
        (lambda files: files.get("c"), []),
        (lambda files: files.items(), ["a", "b"]),
        (lambda files: files.values(), ["a", "b"]),
        (dict, ["a", "b"]),
        (lambda files: {**files}, ["a", "b"]),
        (lambda files: files.copy(), ["a", "b"]),
        (lambda files: files | {}, ["a", "b"]),
    ],
)
def test_files_tell_of_each_that_is_looked_at(look: Callable[[Any], Any], told: list[str]) -> None:
    seen: list[str] = []
    look(WatchedFiles({"a": Path("1"), "b": Path("2")}, seen.append))
    assert seen == told
