"""What loads inside a step, seen from a pipeline that really runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from scriptstep import Dataset, Experiment, Model, PipelineData

Make = Callable[..., Any]
Tell = Callable[[Any], dict[str, str]]


def test_every_process_of_a_step_logs_to_its_run(make_step: Make, run: Make, verdicts: Tell) -> None:
    code = """
        import multiprocessing, os, subprocess, sys
        from azureml.core import Run

        def log(name):
            Run.get_context().log(name, 1)

        if __name__ == "__main__":
            log("main")
            if os.fork() == 0:
                log("fork")
                Run.get_context().parent.log("fork", 2)
                os._exit(0)
            os.wait()
            for method in ("spawn", "forkserver"):
                process = multiprocessing.get_context(method).Process(target=log, args=(method,))
                process.start()
                process.join()
            subprocess.run([sys.executable, "-c", "from azureml.core import Run; Run.get_context().log('child', 1)"], cwd="/")
            metrics = Run.get_context().get_metrics()
            assert sorted(metrics) == ["child", "fork", "forkserver", "main", "spawn"], metrics
            assert Run.get_context().parent.get_metrics() == {"fork": 2}
    """
    finished = run(make_step("many", code))
    assert verdicts(finished) == {"many": "ran"}, finished.find_step_run("many")[0].get_job_log()
    assert sorted(finished.find_step_run("many")[0].get_metrics()) == ["child", "fork", "forkserver", "main", "spawn"]
    again = run(make_step("many", code))
    assert verdicts(again) == {"many": "reused"}
    assert again.get_metrics() == {"fork": 2}


def test_what_a_step_reads_of_one_before_it_is_no_change_where_it_is_the_same(
    make_step: Make, run: Make, verdicts: Tell
) -> None:
    def steps(comment: str = "", loss: str = "0.5", model: str = "good") -> list[Any]:
        out = PipelineData("out")
        train = make_step(
            "train",
            f"""
            import pathlib, sys, time
            from azureml.core import Run
            print(time.time())
            Run.get_context().log("loss", {loss})
            pathlib.Path("outputs/model.txt").write_text({model!r})
            pathlib.Path("outputs/time.txt").write_text(str(time.time()))
            pathlib.Path(sys.argv[1]).write_text("out")
            {comment}
            """,
            arguments=[out],
            outputs=[out],
        )
        judge = make_step(
            "judge",
            """
            from azureml.core import Run
            run = Run.get_context()
            (train,) = run.parent.find_step_run("train")
            print(train.get_metrics()["loss"], train.get_status())
            train.download_file("outputs/model.txt", "model.txt")
            """,
            arguments=[out],
            inputs=[out],
        )
        return [train, judge]

    assert verdicts(run(*steps())) == {"train": "ran", "judge": "ran"}
    assert verdicts(run(*steps())) == {"train": "reused", "judge": "reused"}
    assert verdicts(run(*steps("# a comment"))) == {"train": "ran", "judge": "reused"}
    assert verdicts(run(*steps(loss="0.4"))) == {"train": "ran", "judge": "ran"}
    assert verdicts(run(*steps(loss="0.4", model="better"))) == {"train": "ran", "judge": "ran"}


def test_a_dataset_that_a_step_reads_by_name_counts(
    make_step: Make, run: Make, verdicts: Tell, ws: Any, project: Path
) -> None:
    data = project / "data"
    data.mkdir()
    (data / "a.csv").write_text("x\n1\n")
    (data / "b.csv").write_text("x\n2\n")
    code = """
        from azureml.core import Dataset, Run
        dataset = Dataset.get_by_name(Run.get_context().experiment.workspace, "numbers")
        print(dataset.name, dataset.version, len(dataset.to_path()))
    """

    def register(pattern: str) -> None:
        Dataset.File.from_files(str(data / pattern)).register(ws, "numbers", create_new_version=True)

    register("a.csv")
    first = run(make_step("reads", code))
    assert verdicts(first) == {"reads": "ran"}, first.find_step_run("reads")[0].get_job_log()
    register("a.csv")
    assert verdicts(run(make_step("reads", code))) == {"reads": "reused"}
    register("*.csv")
    again = run(make_step("reads", code))
    assert verdicts(again) == {"reads": "ran"}
    assert "numbers" in again.find_step_run("reads")[0]._row().verdict["reasons"][0]


def test_a_registration_in_a_step_is_seen_by_the_next_line_of_its_script(
    make_step: Make, run: Make, verdicts: Tell, ws: Any
) -> None:
    code = """
        import pathlib
        from azureml.core import Model, Run
        run = Run.get_context()
        ws = run.experiment.workspace
        pathlib.Path("outputs/m.txt").write_text("weights")
        model = run.register_model("m", "outputs/m.txt", tags={"kind": "small"})
        assert Model(ws, "m").version == model.version == 1
        assert [m.version for m in Model.list(ws, "m")] == [1]
        run.tag("registered", model.id)
        assert run.get_tags() == {"registered": "m:1"}
    """
    finished = run(make_step("registers", code))
    assert verdicts(finished) == {"registers": "ran"}, finished.find_step_run("registers")[0].get_job_log()
    assert Model(ws, "m").tags == {"kind": "small"}
    assert verdicts(run(make_step("registers", code))) == {"registers": "reused"}
    assert len(Model.list(ws, "m")) == 1


def test_a_step_that_lists_the_runs_of_its_experiment_runs_whenever_there_is_another(
    make_step: Make, run: Make, verdicts: Tell, ws: Any
) -> None:
    code = """
        from azureml.core import Run
        print([r.id for r in Run.get_context().experiment.get_runs()])
    """
    assert verdicts(run(make_step("lists", code))) == {"lists": "ran"}
    assert verdicts(run(make_step("lists", code))) == {"lists": "ran"}
    assert [r.get_status() for r in Experiment(ws, "test").get_runs()] == ["Finished", "Finished"]
