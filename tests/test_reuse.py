"""When a step runs again and when it does not."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scriptstep import (
    DataReference,
    Dataset,
    Experiment,
    Model,
    OutputFileDatasetConfig,
    Pipeline,
    PipelineData,
    PipelineParameter,
    RunConfiguration,
)
from tests.logs import log_of

WRITE = """
    import argparse, pathlib
    parser = argparse.ArgumentParser()
    parser.add_argument("--out")
    parser.add_argument("--text", default="x")
    parsed = parser.parse_args()
    pathlib.Path(parsed.out).write_text(parsed.text.lower())
"""
READ = """
    import argparse, pathlib
    parser = argparse.ArgumentParser()
    parser.add_argument("--data")
    print("read", pathlib.Path(parser.parse_args().data).read_text())
"""

Make = Callable[..., Any]
Tell = Callable[[Any], dict[str, str]]


def reason(run: Any, step: str) -> str:
    (found,) = run.find_step_run(step)
    verdict = found._row().verdict
    return "; ".join([*verdict["reasons"], *verdict["notes"]])


def chain(make_step: Make, text: str = "x", write: str = WRITE) -> list[Any]:
    out = PipelineData("out")
    first = make_step("first", write, arguments=["--out", out, "--text", text], outputs=[out])
    return [first, make_step("second", READ, arguments=["--data", out], inputs=[out])]


def test_nothing_changed_nothing_runs(make_step: Make, run: Make, verdicts: Tell) -> None:
    assert verdicts(run(*chain(make_step))) == {"first": "ran", "second": "ran"}
    assert verdicts(run(*chain(make_step))) == {"first": "reused", "second": "reused"}


def test_a_changed_argument_runs_the_step_and_what_depends_on_it(make_step: Make, run: Make, verdicts: Tell) -> None:
    run(*chain(make_step, "a"))
    again = run(*chain(make_step, "b"))
    assert verdicts(again) == {"first": "ran", "second": "ran"}
    assert reason(again, "first") == "--text a -> b"
    assert reason(again, "second") == "the output of first changed"


def test_an_output_that_comes_out_the_same_stops_the_change_there(make_step: Make, run: Make, verdicts: Tell) -> None:
    run(*chain(make_step, "a"))
    again = run(*chain(make_step, "A"))
    assert verdicts(again) == {"first": "ran", "second": "reused"}


def test_a_comment_runs_the_step_alone_and_the_verdict_names_the_file(
    make_step: Make, run: Make, verdicts: Tell
) -> None:
    run(*chain(make_step))
    again = run(*chain(make_step, write=WRITE + "    # a comment\n"))
    assert verdicts(again) == {"first": "ran", "second": "reused"}
    assert reason(again, "first") == "main.py changed (+1 -0)"


def test_going_back_reuses_the_older_result(make_step: Make, run: Make, verdicts: Tell) -> None:
    run(*chain(make_step, "a"))
    run(*chain(make_step, "b"))
    assert verdicts(run(*chain(make_step, "a"))) == {"first": "reused", "second": "reused"}


def test_an_ignored_file_is_no_change(make_step: Make, run: Make, verdicts: Tell, project: Path) -> None:
    folder = project / "src" / "first"
    chain(make_step)
    (folder / ".amlignore").write_text("*.tmp\n")
    run(*chain(make_step))
    (folder / "scratch.tmp").write_text("new")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "main.cpython-311.pyc").write_bytes(b"x")
    assert verdicts(run(*chain(make_step)))["first"] == "reused"
    (folder / "helper.py").write_text("new = 1")
    again = run(*chain(make_step))
    assert verdicts(again)["first"] == "ran"
    assert reason(again, "first") == "helper.py added"


@pytest.mark.parametrize("change", ["allow_reuse", "version", "params", "environment", "regenerate"])
def test_what_makes_a_step_run_again(change: str, make_step: Make, run: Make, verdicts: Tell) -> None:
    config = RunConfiguration()
    config.environment.environment_variables = {"MODE": "two"}
    changes: dict[str, dict[str, Any]] = {
        "allow_reuse": {"allow_reuse": False},
        "version": {"version": "2"},
        "params": {"params": {"depth": 4}},
        "environment": {"runconfig": config},
        "regenerate": {},
    }
    expected = {
        "allow_reuse": "allow_reuse=False",
        "version": "version None -> 2",
        "params": "param depth added",
        "environment": "variable MODE added",
        "regenerate": "regenerate_outputs=True",
    }
    run(make_step("only", "print(1)"))
    keywords = {"regenerate_outputs": True} if change == "regenerate" else {}
    again = run(make_step("only", "print(1)", **changes[change]), **keywords)
    assert verdicts(again) == {"only": "ran"}
    assert expected[change] in reason(again, "only")


@pytest.mark.parametrize("change", ["name", "place", "tags"])
def test_what_does_not_make_a_step_run_again(
    change: str, make_step: Make, run: Make, verdicts: Tell, project: Path
) -> None:
    run(make_step("only", "print(1)"))
    if change == "name":
        again = run(make_step("other", "print(1)"))
        assert verdicts(again) == {"other": "reused"}
        return
    if change == "place":
        (project / "src").rename(project / "moved")
        from scriptstep import PythonScriptStep

        step = PythonScriptStep("main.py", name="only", source_directory=project / "moved" / "only")
        assert verdicts(run(step)) == {"only": "reused"}
        return
    assert verdicts(run(make_step("only", "print(1)"), tags={"a": "b"})) == {"only": "reused"}


def test_what_regenerate_outputs_wrote_is_reused_later(make_step: Make, run: Make, verdicts: Tell) -> None:
    run(*chain(make_step), regenerate_outputs=True)
    assert verdicts(run(*chain(make_step))) == {"first": "reused", "second": "reused"}


def test_five_steps_that_differ_in_name_alone_make_five_attempts(make_step: Make, run: Make, verdicts: Tell) -> None:
    code = "import random; print(random.random())"
    steps = [make_step(f"sample{n}", code) for n in range(5)]
    assert set(verdicts(run(*steps)).values()) == {"ran"}
    again = run(*[make_step(f"sample{n}", code) for n in range(5)])
    assert set(verdicts(again).values()) == {"reused"}
    origins = {s.get_properties()["azureml.reusedrunid"] for s in again.get_steps()}
    assert len(origins) == 5


def test_a_step_runs_again_after_a_step_that_ran_again(make_step: Make, run: Make, verdicts: Tell) -> None:
    def steps(code: str) -> list[Any]:
        before, after = make_step("before", code), make_step("after", "print('after')")
        after.run_after(before)
        return [before, after]

    run(*steps("print(1)"))
    assert set(verdicts(run(*steps("print(1)"))).values()) == {"reused"}
    again = run(*steps("print(2)"))
    assert verdicts(again) == {"before": "ran", "after": "ran"}
    assert "before" in reason(again, "after")


def test_metrics_given_to_the_parent_reach_a_step_that_reads_them_when_reused(
    make_step: Make, run: Make, verdicts: Tell
) -> None:
    def steps(evaluate: str) -> list[Any]:
        train = make_step(
            "train",
            """
            from azureml.core import Run
            run = Run.get_context()
            run.parent.log("mse", 0.25)
            run.parent.tag("best", "yes")
            """,
        )
        judge = make_step("evaluate", evaluate)
        judge.run_after(train)
        return [train, judge]

    read = """
        from azureml.core import Run
        parent = Run.get_context().parent
        assert parent.get_metrics()["mse"] == 0.25, parent.get_metrics()
        assert parent.get_tags()["best"] == "yes"
    """
    assert set(verdicts(run(*steps(read))).values()) == {"ran"}
    again = run(*steps(read + "        # changed\n"))
    assert verdicts(again) == {"train": "reused", "evaluate": "ran"}
    assert again.get_metrics()["mse"] == 0.25
    third = run(*steps(read + "        # changed\n"))
    assert verdicts(third) == {"train": "reused", "evaluate": "reused"}


def test_a_better_model_registered_from_outside_runs_the_step_that_reads_the_latest(
    make_step: Make, run: Make, verdicts: Tell, ws: Any, project: Path
) -> None:
    def evaluate() -> Any:
        return make_step(
            "evaluate",
            """
            from azureml.core import Model, Run
            model = Model(Run.get_context().experiment.workspace, name="champion")
            print(model.version)
            """,
        )

    (project / "model.txt").write_text("first")
    Model.register(ws, model_path=str(project / "model.txt"), model_name="champion")
    run(evaluate())
    assert verdicts(run(evaluate())) == {"evaluate": "reused"}
    (project / "model.txt").write_text("better")
    Model.register(ws, model_path=str(project / "model.txt"), model_name="champion")
    again = run(evaluate())
    assert verdicts(again) == {"evaluate": "ran"}
    assert "champion" in reason(again, "evaluate")


def test_a_registration_is_made_again_only_if_the_latest_is_not_this_content(
    make_step: Make, run: Make, verdicts: Tell, ws: Any, project: Path
) -> None:
    def register() -> Any:
        return make_step(
            "register",
            """
            import pathlib
            from azureml.core import Model, Run
            pathlib.Path("outputs/model.txt").write_text("mine")
            Model.register(Run.get_context().experiment.workspace, model_path="outputs/model.txt", model_name="m", tags={"a": "1"})
            """,
        )

    run(register())
    assert Model(ws, "m").version == 1
    assert verdicts(run(register())) == {"register": "reused"}
    assert Model(ws, "m").version == 1
    (project / "other.txt").write_text("other")
    Model.register(ws, model_path=str(project / "other.txt"), model_name="m")
    run(register())
    latest = Model(ws, "m")
    assert (latest.version, latest.tags) == (3, {"a": "1"})
    assert Path(latest.download(str(project / "got"))).read_text() == "mine"


def test_a_dataset_is_known_by_definition_and_the_verdict_says_when_its_files_changed(
    make_step: Make, run: Make, verdicts: Tell, project: Path
) -> None:
    data = project / "data"
    data.mkdir()
    (data / "a.csv").write_text("x\n1\n")

    def step() -> Any:
        dataset = Dataset.File.from_files(str(data / "*.csv"))
        return make_step(
            "count",
            "import os, sys; print(os.listdir(sys.argv[1]))",
            arguments=[dataset.as_named_input("files").as_mount()],
        )

    run(step())
    (data / "a.csv").write_text("x\n2\n")
    again = run(step())
    assert verdicts(again) == {"count": "reused"}
    assert reason(again, "count") == "1 file of dataset files changed since: input_identity='content' would run it"
    assert verdicts(run(step(), input_identity="content")) == {"count": "ran"}
    assert verdicts(run(step(), input_identity="content")) == {"count": "reused"}
    (data / "a.csv").write_text("x\n3\n")
    assert verdicts(run(step(), input_identity="content")) == {"count": "ran"}


@pytest.mark.parametrize("folder_first", [True, False])
def test_the_verdict_says_when_a_dataset_known_by_definition_became_a_file_or_a_folder(
    folder_first: bool, make_step: Make, run: Make, verdicts: Tell, project: Path
) -> None:
    data = project / "data"

    def lay(as_folder: bool) -> None:
        if as_folder:
            data.unlink(missing_ok=True)
            data.mkdir()
            (data / "data").write_text("x")
        else:
            shutil.rmtree(data, ignore_errors=True)
            data.write_text("x")

    def step() -> Any:
        # Named as the file is: then the path that the script is given ends alike.
        files = Dataset.File.from_files(str(data)).as_named_input("data").as_mount()
        return make_step("read", "import os, sys; print(os.path.isdir(sys.argv[1]))", arguments=[files])

    lay(folder_first)
    run(step())
    assert reason(run(step()), "read") == ""
    lay(not folder_first)
    again = run(step())
    assert verdicts(again) == {"read": "reused"}
    assert reason(again, "read") == "1 file of dataset data changed since: input_identity='content' would run it"


def test_a_data_file_under_another_name_is_another_input(
    make_step: Make, run: Make, verdicts: Tell, ws: Any, project: Path
) -> None:
    store = ws.get_default_datastore()
    (project / "train.csv").write_text("x")
    store.upload_files([str(project / "train.csv")], target_path="raw", show_progress=False)
    folder = Path(store._files()[0]) / "raw"

    def step(name: str, path_on_compute: str | None = None) -> Any:
        raw = DataReference(store, "raw", f"raw/{name}", mode="download", path_on_compute=path_on_compute)
        return make_step("read", "import sys; print(sys.argv[1][-9:])", arguments=[raw], inputs=[raw])

    run(step("train.csv"))
    (folder / "train.csv").rename(folder / "train.txt")
    again = run(step("train.txt"))
    assert verdicts(again) == {"read": "ran"}
    assert log_of(again, "read").strip() == "train.txt"
    assert reason(again, "read") == "input raw is called train.txt, not train.csv"
    # Where the step names the path itself, the name is not seen.
    run(step("train.txt", "data/here.txt"))
    (folder / "train.txt").rename(folder / "train.csv")
    assert verdicts(run(step("train.csv", "data/here.txt"))) == {"read": "reused"}


def test_an_output_under_another_name_is_another_input(make_step: Make, run: Make, verdicts: Tell) -> None:
    def steps(name: str) -> list[Any]:
        out = PipelineData(name)
        read = out.as_mount("data")
        last = make_step("last", "import sys; print(sys.argv[1][-6:])", arguments=[read], inputs=[read])
        return [make_step("first", WRITE, arguments=["--out", out], outputs=[out]), last]

    run(*steps("a_data"))
    assert verdicts(run(*steps("a_file"))) == {"first": "ran", "last": "ran"}


def test_one_file_by_content_is_not_a_folder_that_holds_it(
    make_step: Make, run: Make, verdicts: Tell, project: Path
) -> None:
    def step() -> Any:
        data = Dataset.File.from_files(str(project / "data")).as_named_input("data").as_mount()
        return make_step("look", "import os, sys; print(os.path.isdir(sys.argv[1]))", arguments=[data])

    (project / "data").write_text("x")
    run(step(), input_identity="content")
    (project / "data").unlink()
    (project / "data").mkdir()
    (project / "data" / "data").write_text("x")
    again = run(step(), input_identity="content")
    assert verdicts(again) == {"look": "ran"}
    assert log_of(again, "look").strip() == "True"


def test_the_order_of_inputs_is_nothing_that_a_script_can_see(
    make_step: Make, run: Make, verdicts: Tell, project: Path
) -> None:
    code = "from azureml.core import Run; print(list(Run.get_context().input_datasets))"
    for name in ("first", "second"):
        (project / name).write_text(name)

    def step(*names: str) -> Any:
        inputs = [Dataset.File.from_files(str(project / name)).as_named_input(name).as_mount() for name in names]
        return make_step("look", code, inputs=inputs)

    seen = log_of(run(step("first", "second")), "look")
    assert verdicts(run(step("second", "first"))) == {"look": "reused"}
    assert log_of(run(step("second", "first"), regenerate_outputs=True), "look") == seen


def test_the_order_of_outputs_is_nothing_that_a_script_can_see(make_step: Make, run: Make, verdicts: Tell) -> None:
    code = "from azureml.core import Run; print(list(Run.get_context().output_datasets))"

    def step(*names: str) -> Any:
        outputs = [OutputFileDatasetConfig(name=name) for name in names]
        return make_step("look", code, arguments=sorted(outputs, key=lambda o: o.name), outputs=outputs)

    seen = log_of(run(step("first", "second")), "look")
    assert seen.strip() == "['first', 'second']"
    assert verdicts(run(step("second", "first"))) == {"look": "reused"}
    assert log_of(run(step("second", "first"), regenerate_outputs=True), "look") == seen


def test_hash_paths_limit_what_decides_and_the_verdict_says_what_they_hide(
    make_step: Make, run: Make, verdicts: Tell, project: Path
) -> None:
    folder = project / "src" / "only"
    folder.mkdir(parents=True)
    (folder / "lib.py").write_text("a = 1")
    (folder / "notes.md").write_text("one")

    def step() -> Any:
        return make_step("only", "import lib; print(lib.a, open('notes.md').read())", hash_paths=["lib.py"])

    run(step())
    (folder / "notes.md").write_text("two")
    again = run(step())
    assert verdicts(again) == {"only": "reused"}
    assert "outside hash_paths" in reason(again, "only")
    (folder / "lib.py").write_text("a = 2")
    again = run(step())
    assert verdicts(again) == {"only": "ran"}
    assert reason(again, "only") == "lib.py changed (+1 -1)"


def test_a_pipeline_parameter_counts_only_where_it_is_used(make_step: Make, run: Make, verdicts: Tell) -> None:
    def steps() -> list[Any]:
        rate = PipelineParameter("rate", default_value=0.1)
        return [
            make_step("uses", "import sys; print(sys.argv)", arguments=["--rate", rate]),
            make_step("does-not", "print(1)"),
        ]

    run(*steps())
    again = run(*steps(), pipeline_parameters={"rate": 0.5})
    assert verdicts(again) == {"uses": "ran", "does-not": "reused"}
    assert reason(again, "uses") == "parameter rate 0.1 -> 0.5"


def test_a_damaged_tree_is_never_handed_on(make_step: Make, run: Make, verdicts: Tell, home: Path) -> None:
    run(*chain(make_step, "a"))
    for content in (home / "trees").glob("??/*/content"):
        if content.is_file() and content.read_text() == "a":
            content.unlink()
    again = run(*chain(make_step, "a"))
    assert verdicts(again) == {"first": "ran", "second": "reused"}
    assert "gone or damaged" in reason(again, "first")


def test_a_reused_step_shows_logs_metrics_and_files_of_the_run_it_came_from(
    make_step: Make, run: Make, verdicts: Tell, project: Path
) -> None:
    code = """
        from azureml.core import Run
        run = Run.get_context()
        print("hello from the script")
        run.log("accuracy", 0.9)
        open("outputs/report.txt", "w").write("fine")
    """
    first = run(make_step("only", code)).find_step_run("only")[0]
    again = run(make_step("only", code)).find_step_run("only")[0]
    assert again.id != first.id
    properties = again.get_properties()
    assert properties["azureml.isreused"] == "true"
    assert properties["azureml.reusedrunid"] == first.id
    assert again.get_metrics() == first.get_metrics() == {"accuracy": 0.9}
    assert "hello from the script" in again.get_job_log()
    assert again.get_file_names() == first.get_file_names()
    again.download_file("outputs/report.txt", str(project / "got.txt"))
    assert (project / "got.txt").read_text() == "fine"


def test_a_model_that_others_register_while_the_step_runs_is_a_change(
    make_step: Make, run: Make, verdicts: Tell, ws: Any, project: Path
) -> None:
    code = f"""
        import os, time
        from azureml.core import Model, Run
        print("judged", Model(Run.get_context().experiment.workspace, "champion").version)
        open({str(project / "read")!r}, "w").close()
        while not os.path.exists({str(project / "go on")!r}):
            time.sleep(0.01)
    """
    (project / "m.txt").write_text("1")
    Model.register(ws, model_path=str(project / "m.txt"), model_name="champion")
    submitted = Experiment(ws, "test").submit(Pipeline(ws, steps=[make_step("judge", code)]))
    limit = time.monotonic() + 20
    while not (project / "read").exists() and time.monotonic() < limit:
        time.sleep(0.01)
    (project / "m.txt").write_text("2")
    Model.register(ws, model_path=str(project / "m.txt"), model_name="champion")
    (project / "go on").touch()
    submitted.wait_for_completion(show_output=False)
    assert "judged 1" in submitted.find_step_run("judge")[0].get_job_log()
    again = run(make_step("judge", code))
    assert verdicts(again) == {"judge": "ran"}
    assert "judged 2" in again.find_step_run("judge")[0].get_job_log()
