"""The history: what is written is read back, in any thread, by any process."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from scriptstep.errors import ArgumentError, NotRegisteredError, WorkspaceException
from scriptstep.history import (
    ComputeRow,
    DatasetRow,
    DatastoreRow,
    History,
    MetricRow,
    ResultRow,
    RunRow,
    WorkspaceRow,
    definition_id,
    now,
)

WS = "w"
FILES = {"kind": "file", "format": "files", "sources": [{"path": "/a"}], "options": {}, "transformations": []}
OTHER = {**FILES, "sources": [{"path": "/b"}]}


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "history.db")


def a_run(id: str, **columns: object) -> RunRow:
    return RunRow(**{"id": id, "workspace": WS, "experiment": "e", "kind": "pipeline", "name": id, **columns})  # type: ignore[arg-type]


def a_result(history: History, run: str, key: str = "k", step: str = "train", **columns: object) -> int:
    given: dict[str, object] = {
        "outputs": {"out": "d" * 64},
        "artifacts": None,
        "document": {"scheme": 1},
        "conditions": {},
        "effects": [],
        "reusable": True,
        "duration_s": 1.5,
    }
    return history.add_result(WS, key, step, run, **{**given, **columns})  # type: ignore[arg-type]


def test_nothing_is_touched_before_it_is_needed(tmp_path: Path) -> None:
    History(tmp_path / "history.db")
    assert list(tmp_path.iterdir()) == []


def test_the_database_is_for_its_owner_alone(history: History) -> None:
    history.add_workspace(WorkspaceRow(WS, "s", "g", "l"))
    for file in history.path.parent.glob("history.db*"):
        if not file.name.endswith("-lock"):
            assert file.stat().st_mode & 0o077 == 0, file


def test_a_workspace_is_read_back_and_changed(history: History) -> None:
    made = history.add_workspace(WorkspaceRow(WS, "sub", "group", "here", {"a": "1"}))
    assert history.workspace(WS) == made
    assert made.created
    history.add_workspace(WorkspaceRow(WS, "sub", "group", "there", {}, made.created, {"description": "d"}))
    assert history.workspace(WS) == WorkspaceRow(WS, "sub", "group", "there", {}, made.created, {"description": "d"})
    assert history.workspace("another") is None


def test_workspaces_come_oldest_first(history: History) -> None:
    for name in ("z", "a", "m"):
        history.add_workspace(WorkspaceRow(name, "s", "g", "l"))
    assert [row.name for row in history.workspaces()] == ["z", "a", "m"]


def test_experiments_keep_their_order_and_are_there_once(history: History) -> None:
    for name in ("z", "a", "z"):
        history.add_experiment(WS, name)
    assert history.experiments(WS) == ["z", "a"]
    assert history.experiments("other") == []


def test_every_field_of_a_run_is_read_back(history: History) -> None:
    row = a_run(
        "r1",
        number=7,
        parent="p",
        root="p",
        status="Failed",
        directory="runs/r1/train",
        created=now(),
        started=now(),
        ended=now(),
        description="Привет\nline",
        error={"message": "no", "tail": ["a", "b"]},
        node_id="n",
        script="train.py",
        compute="gpu",
        exit_code=-9,
        reused_from="other",
        verdict={"verdict": "run", "reasons": ["train.py changed"]},
        artifacts="a" * 64,
        details={"x": [1, 2.5, None, True]},
        owner="123",
        cancel_requested=True,
    )
    assert history.add_run(row) == row
    assert history.run("r1") == row
    assert history.run("r2") is None


def test_runs_are_numbered_within_their_experiment(history: History) -> None:
    numbers = [history.add_run(a_run(str(i), experiment=e)).number for i, e in enumerate("aabab")]
    assert numbers == [1, 2, 1, 3, 2]


def test_the_root_of_a_run_is_found(history: History) -> None:
    assert history.add_run(a_run("top")).root == "top"
    assert history.add_run(a_run("step", parent="top")).root == "top"
    assert history.add_run(a_run("child", parent="step")).root == "top"


def test_runs_are_listed_newest_first_by_what_is_asked(history: History) -> None:
    history.add_run(a_run("p"))
    history.add_run(a_run("s1", kind="step", parent="p"))
    history.add_run(a_run("s2", kind="step", parent="p"))
    history.add_run(a_run("other", experiment="f", workspace="v"))
    assert [r.id for r in history.runs()] == ["other", "s2", "s1", "p"]
    assert [r.id for r in history.runs(parent="p")] == ["s2", "s1"]
    assert [r.id for r in history.runs(root="p", kind="pipeline")] == ["p"]
    assert [r.id for r in history.runs("v")] == ["other"]
    assert [r.id for r in history.runs(WS, "e")] == ["s2", "s1", "p"]


def test_a_run_is_found_by_the_beginning_of_its_id(history: History) -> None:
    for id in ("7f3a-1", "7f3b-2", "7f3a_3", "7g"):
        history.add_run(a_run(id))
    assert [r.id for r in history.find_run("7f3a")] == ["7f3a_3", "7f3a-1"]
    assert history.find_run("7f%") == []


def test_a_run_is_changed_by_column(history: History) -> None:
    history.add_run(a_run("r"))
    history.update_run("r", status="Finished", exit_code=0, details={"a": 1}, cancel_requested=True)
    found = history.run("r")
    assert found is not None
    assert (found.status, found.exit_code, found.details, found.cancel_requested) == ("Finished", 0, {"a": 1}, True)
    with pytest.raises(TypeError, match="colour"):
        history.update_run("r", colour="red")
    with pytest.raises(NotRegisteredError, match="'gone'"):
        history.update_run("gone", status="Failed")


def test_cancelling_is_asked_for_and_seen(history: History) -> None:
    history.add_run(a_run("r"))
    assert history.cancel_requested("r") is False
    history.request_cancel("r")
    assert history.cancel_requested("r") is True
    assert history.cancel_requested("gone") is False


def test_tags_and_properties_are_text(history: History) -> None:
    history.add_run(a_run("r"))
    history.set_tags("r", {"a": 1, "b": True, "c": None, "d": "x"})
    history.set_tags("r", {"a": 2.5})
    history.remove_tags("r", ["b", "never there"])
    history.set_properties("r", {"p": 1})
    assert history.tags("r") == {"a": "2.5", "c": "", "d": "x"}
    assert history.properties("r") == {"p": "1"}
    with pytest.raises(NotRegisteredError):
        history.set_tags("gone", {"a": "b"})


def test_metrics_keep_order_type_and_step(history: History) -> None:
    history.add_run(a_run("r"))
    history.add_metrics(
        [MetricRow("r", "loss", "scalar", value, step) for step, value in enumerate([1, 0.5, float("inf")])]
    )
    history.add_metrics([MetricRow("r", "table", "table", {"x": [1, 2], "y": ["a", None]})])
    found = history.metrics("r")
    assert [(m.name, m.kind, m.value, m.step) for m in found] == [
        ("loss", "scalar", 1, 0),
        ("loss", "scalar", 0.5, 1),
        ("loss", "scalar", float("inf"), 2),
        ("table", "table", {"x": [1, 2], "y": ["a", None]}, None),
    ]
    assert all(m.time for m in found)


def test_a_reused_run_shows_the_metrics_of_its_origin(history: History) -> None:
    history.add_run(a_run("origin"))
    history.add_run(a_run("again", reused_from="origin"))
    history.add_run(a_run("third", reused_from="again"))
    history.add_metrics([MetricRow("origin", "a", "scalar", 1), MetricRow("third", "b", "scalar", 2)])
    assert [m.name for m in history.metrics("third")] == ["a", "b"]
    assert [m.name for m in history.metrics("again")] == ["a"]


def test_a_circle_of_reuse_ends(history: History) -> None:
    history.add_run(a_run("a", reused_from="b"))
    history.add_run(a_run("b", reused_from="a"))
    assert history.metrics("a") == []


def test_results_are_found_by_key_newest_first(history: History) -> None:
    for id in "abc":
        history.add_run(a_run(id))
    first = a_result(history, "a")
    second = a_result(history, "b", step="other", conditions={"after": [["x", "y"]]}, effects=[{"do": "tag"}])
    a_result(history, "c", key="k2")
    assert [r.id for r in history.results(WS, "k")] == [second, first]
    found = history.results(WS, "k")[0]
    assert isinstance(found, ResultRow)
    assert (found.outputs, found.conditions, found.effects) == (
        {"out": "d" * 64},
        {"after": [["x", "y"]]},
        [{"do": "tag"}],
    )
    assert found.reusable is True and found.duration_s == 1.5 and found.created
    assert history.results("v", "k") == []
    latest = history.latest_result(WS, "train")
    assert latest is not None and latest.run == "c"
    assert history.latest_result(WS, "never") is None
    of_a = history.result_of("a")
    assert of_a is not None and of_a.id == first


def test_an_invalid_result_stays_and_says_so(history: History) -> None:
    history.add_run(a_run("a"))
    history.invalidate(a_result(history, "a"))
    assert [r.reusable for r in history.results(WS, "k")] == [False]


def test_a_result_needs_its_run(history: History) -> None:
    with pytest.raises(NotRegisteredError):
        a_result(history, "gone")


def test_a_dataset_registered_again_is_the_latest_version(history: History) -> None:
    first = history.add_dataset(WS, name="titanic", kind="file", definition=FILES, tags={"a": "1"})
    assert (first.version, first.id) == (1, definition_id(FILES))
    assert history.add_dataset(WS, name="titanic", kind="file", definition=FILES) == first
    second = history.add_dataset(WS, DatasetRow(definition_id(OTHER), "titanic", None, "file", OTHER))
    assert second.version == 2
    # What an earlier version was becomes the newest once more: `latest` must mean what was registered last.
    assert history.add_dataset(WS, name="titanic", kind="file", definition=FILES).version == 3
    assert history.dataset(WS, "titanic", 2) == second
    assert [row.version for row in history.datasets(WS)] == [3]
    assert history.dataset("another workspace", "titanic") is None


def test_a_definition_is_found_by_id_registered_or_not(history: History) -> None:
    history.save_definition(WS, "id-1", "tabular", OTHER)
    history.save_definition(WS, "id-1", "tabular", OTHER)
    found = history.dataset_by_id(WS, "id-1")
    assert found is not None
    assert (found.name, found.version, found.kind, found.definition) == (None, None, "tabular", OTHER)
    registered = history.add_dataset(WS, name="named", kind="file", definition=FILES)
    assert history.dataset_by_id(WS, registered.id) == registered
    assert history.dataset_by_id(WS, "never") is None


def test_a_dataset_is_unregistered_and_its_definition_stays(history: History) -> None:
    row = history.add_dataset(WS, name="t", kind="file", definition=FILES)
    history.remove_dataset(WS, "t")
    assert history.dataset(WS, "t") is None
    assert history.datasets(WS) == []
    by_id = history.dataset_by_id(WS, row.id)
    assert by_id is not None and by_id.definition == FILES


def test_equal_definitions_have_equal_ids_whatever_their_order() -> None:
    assert definition_id({"a": 1, "b": [1]}) == definition_id({"b": [1], "a": 1})
    assert definition_id({"a": 1}) != definition_id({"a": "1"})
    # Ids stand in code and in pipelines: they do not change.
    assert definition_id({}) == "901e4bec-47f3-54a9-a22f-0f26e1496ab1"


def test_a_model_is_a_new_version_each_time(history: History) -> None:
    rows = [
        history.add_model(WS, name="m", digest=d * 64, base_name="model.pkl", tags={"auc": 0.5}, run="r") for d in "ab"
    ]
    assert [(r.id, r.version, r.tags) for r in rows] == [("m:1", 1, {"auc": "0.5"}), ("m:2", 2, {"auc": "0.5"})]
    assert history.model(WS, "m") == rows[1]
    assert history.model(WS, "m", 1) == rows[0]
    assert history.model(WS, "m", 3) is None
    history.add_model(WS, name="n", digest="c" * 64, base_name="n")
    assert [r.id for r in history.models(WS)] == ["n:1", "m:2", "m:1"]
    assert [r.id for r in history.models(WS, run="r")] == ["m:2", "m:1"]
    assert [r.id for r in history.models(WS, "n")] == ["n:1"]


def test_a_model_changes_only_where_it_may(history: History) -> None:
    history.add_model(WS, name="m", digest="a" * 64, base_name="m")
    history.update_model(WS, "m:1", tags={"x": 1}, description="d")
    row = history.model(WS, "m")
    assert row is not None and (row.tags, row.description) == ({"x": "1"}, "d")
    with pytest.raises(TypeError, match="digest"):
        history.update_model(WS, "m:1", digest="b" * 64)
    with pytest.raises(NotRegisteredError, match="m:9"):
        history.update_model(WS, "m:9", description="d")


def test_the_number_of_a_deleted_model_does_not_come_back(history: History) -> None:
    for _ in range(2):
        history.add_model(WS, name="m", digest="a" * 64, base_name="m")
    history.delete_model(WS, "m:2")
    assert [r.id for r in history.models(WS)] == ["m:1"]
    assert history.add_model(WS, name="m", digest="a" * 64, base_name="m").version == 3


def test_an_environment_keeps_its_version_while_it_declares_the_same(history: History) -> None:
    assert history.add_environment(WS, "e", {"python": {"a": 1}}).version == "1"
    assert history.add_environment(WS, "e", {"python": {"a": 1}}).version == "1"
    assert history.add_environment(WS, "e", {"python": {"a": 2}}).version == "2"
    assert history.add_environment(WS, "e", {"python": {"a": 3}}, "9").version == "9"
    assert history.add_environment(WS, "e", {"python": {"a": 4}}).version == "10"
    latest = history.environment(WS, "e")
    assert latest is not None and latest.definition == {"python": {"a": 4}}
    second = history.environment(WS, "e", "2")
    assert second is not None and second.definition == {"python": {"a": 2}}
    assert [r.version for r in history.environments(WS)] == ["10"]
    with pytest.raises(ArgumentError, match="version 9"):
        history.add_environment(WS, "e", {"other": 1}, "9")


def test_compute_targets_are_kept_in_place_of_their_namesakes(history: History) -> None:
    history.add_compute(WS, ComputeRow("b", "AmlCompute", {"max_nodes": 4}))
    history.add_compute(WS, ComputeRow("a", "ComputeInstance"))
    history.add_compute(WS, ComputeRow("b", "AmlCompute", {"max_nodes": 8}))
    assert history.compute(WS, "b") == ComputeRow("b", "AmlCompute", {"max_nodes": 8})
    assert {r.name for r in history.computes(WS)} == {"a", "b"}
    history.remove_compute(WS, "b")
    assert history.compute(WS, "b") is None


def test_one_datastore_is_the_default(history: History) -> None:
    history.add_datastore(WS, DatastoreRow("a", "AzureBlob", {"container_name": "c"}, True))
    history.add_datastore(WS, DatastoreRow("b", "AzureFile", {}, True))
    assert [(r.name, r.is_default) for r in history.datastores(WS)] == [("a", False), ("b", True)]
    history.set_default_datastore(WS, "a")
    assert [(r.name, r.is_default) for r in history.datastores(WS)] == [("a", True), ("b", False)]
    history.remove_datastore(WS, "a")
    assert history.datastore(WS, "a") is None


def test_events_of_steps_are_acknowledged_once(history: History) -> None:
    assert history.acknowledged("attempt-1-1") is None
    assert history.wait_acknowledged("attempt-1-1", 0.01) is None
    history.acknowledge("attempt-1-1", {"id": "m:1"})
    assert history.acknowledged("attempt-1-1") == {"id": "m:1"}
    assert history.wait_acknowledged("attempt-1-1") == {"id": "m:1"}


def test_settings_are_kept_by_file_the_last_first(history: History) -> None:
    history.save_settings(WS, "/a/scriptstep.toml", {"a": 1})
    history.save_settings(WS, "/b/scriptstep.toml", {"b": 1})
    assert history.settings(WS, "/a/scriptstep.toml") == {"a": 1}
    assert history.settings(WS) == {"b": 1}
    assert history.settings_path(WS) == "/b/scriptstep.toml"
    assert history.settings("other") is None


def test_a_transaction_keeps_all_or_nothing(history: History) -> None:
    history.add_run(a_run("before"))

    def half() -> None:
        with history.transaction():
            history.add_run(a_run("lost"))
            history.set_tags("before", {"lost": "1"})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert history.run("lost") is None
    assert history.tags("before") == {}


def test_a_transaction_within_another_fails_alone(history: History) -> None:
    def inner() -> None:
        with history.transaction():
            history.add_run(a_run("lost"))
            raise ZeroDivisionError

    with history.transaction():
        history.add_run(a_run("kept"))
        with pytest.raises(ZeroDivisionError):
            inner()
        history.add_run(a_run("kept too"))
    assert [r.id for r in history.runs()] == ["kept too", "kept"]


def test_a_refused_write_says_what_is_there_already(history: History) -> None:
    history.add_run(a_run("r"))
    with pytest.raises(WorkspaceException, match="already"):
        history.add_run(a_run("r"))


def test_text_that_is_no_unicode_is_kept_as_it_is_shown(history: History) -> None:
    history.add_run(a_run("r", name="caf\udce9", details={"arguments": ["caf\udce9"]}))
    found = history.run("r")
    assert found is not None
    assert found.details == {"arguments": ["caf\udce9"]}
    assert found.name == "caf\\udce9"


def test_threads_share_one_history(history: History) -> None:
    def write(letter: str) -> None:
        for i in range(50):
            with history.transaction():
                history.add_run(a_run(f"{letter}{i}"))
                history.set_tags(f"{letter}{i}", {"n": i})

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(r.number for r in history.runs()) == list(range(1, 201))


def test_what_is_asked_often_is_asked_of_an_index(history: History) -> None:
    history.add_run(a_run("r"))
    connection = sqlite3.connect(history.path)
    for question in (
        "SELECT * FROM runs WHERE parent = 'x' ORDER BY seq DESC",
        "SELECT MAX(number) FROM runs WHERE workspace = 'x' AND experiment = 'y'",
        "SELECT * FROM metrics WHERE run = 'x' ORDER BY seq",
        "SELECT * FROM results WHERE workspace = 'x' AND key = 'y' ORDER BY id DESC",
        "SELECT * FROM results WHERE workspace = 'x' AND step_name = 'y' ORDER BY id DESC LIMIT 1",
        "SELECT * FROM models WHERE workspace = 'x' AND name = 'y' ORDER BY version DESC",
        "SELECT * FROM acknowledgements WHERE event = 'x'",
    ):
        plan = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {question}"))
        assert "SCAN" not in plan and "TEMP B-TREE" not in plan, (question, plan)
    connection.close()


def test_a_closed_history_opens_again(history: History) -> None:
    history.add_run(a_run("r"))
    history.close()
    history.close()
    assert history.run("r") is not None
