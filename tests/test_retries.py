"""A step that fails is tried again, as often as was asked for; and a time limit ends all that it started."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scriptstep import Experiment, Model, Pipeline, PipelineData, RunConfiguration, ScriptRunConfig
from scriptstep.cli.commands import main
from scriptstep.console import StepEnded, StepRetried, StepStarted
from scriptstep.engine import retries
from scriptstep.engine.attempt import State, Status
from scriptstep.engine.auditing import places
from scriptstep.engine.executors import local
from scriptstep.engine.retries import Retries
from scriptstep.run.submission import set_defaults
from tests.attempts import STUBBORN, is_gone_within, read_pid
from tests.heard import Heard, lines

Make = Callable[..., Any]
Tell = Callable[[Any], dict[str, str]]

# Counts how often it was started; fails until that is the number of its second argument.
FLAKY = """
    import sys
    with open(sys.argv[1], "a") as file:
        file.write("x\\n")
    count = len(open(sys.argv[1]).readlines())
    print("try", count)
    sys.exit(0 if count >= int(sys.argv[2]) else 7)
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(retries, "FIRST_S", 0.01)
    yield
    set_defaults()  # what a command said


@pytest.fixture
def flaky(make_step: Make, project: Path) -> Make:
    def make(name: str, good: int, **keywords: Any) -> Any:
        return make_step(name, FLAKY, arguments=[str(project / f"tries-{name}"), good], **keywords)

    return make


def configured(**fields: Any) -> RunConfiguration:
    config = RunConfiguration()
    for name, value in fields.items():
        setattr(config, name, value)
    return config


def test_a_failing_step_is_tried_again_until_it_succeeds(
    flaky: Make, run: Make, verdicts: Tell, project: Path, heard: Heard
) -> None:
    finished = run(flaky("a", 3), retries=2)
    assert verdicts(finished) == {"a": "ran"}
    assert len(lines(project / "tries-a")) == 3
    told = [(e.retry, e.retries, e.delay, e.reason) for e in heard.of(StepRetried)]
    assert told == [(1, 2, 0.01, "exit code 7"), (2, 2, 0.02, "exit code 7")]
    (step,) = finished.find_step_run("a")
    assert step._row().details["attempts"] == 3
    (ended,) = heard.of(StepEnded)
    assert "attempt 3" in ended.reason
    assert verdicts(run(flaky("a", 3))) == {"a": "reused"}


def test_retries_end(flaky: Make, run: Make, verdicts: Tell, project: Path) -> None:
    finished = run(flaky("a", 9), retries=1)
    assert verdicts(finished) == {"a": "Failed"}
    assert len(lines(project / "tries-a")) == 2
    assert finished.find_step_run("a")[0].get_details()["error"]["message"] == "exit code 7; tried 2 times"


def test_without_a_word_nothing_is_tried_again(flaky: Make, run: Make, project: Path) -> None:
    run(flaky("a", 2))
    assert len(lines(project / "tries-a")) == 1


def test_a_run_configuration_says_it_for_its_steps(flaky: Make, run: Make, project: Path) -> None:
    run(
        flaky("a", 9, runconfig=configured(retries=0)),
        flaky("b", 9, runconfig=configured(retries=2)),
        flaky("c", 9),
        retries=1,
        continue_on_step_failure=True,
    )
    assert [len(lines(project / f"tries-{name}")) for name in "abc"] == [1, 3, 2]


def test_how_often_is_not_in_the_key(flaky: Make, run: Make, verdicts: Tell) -> None:
    run(flaky("a", 1))
    assert verdicts(run(flaky("a", 1, runconfig=configured(retries=3)), retries=4)) == {"a": "reused"}


def test_a_script_by_itself_is_tried_again(make_step: Make, ws: Any, project: Path) -> None:
    make_step("a", FLAKY)
    config = ScriptRunConfig(str(project / "src" / "a"), "main.py", arguments=[str(project / "tries"), 2])
    for number, given in enumerate(({"retries": 1}, {})):
        config.run_config.retries = number or None
        (project / "tries").unlink(missing_ok=True)
        finished = Experiment(ws, "test").submit(config, tags={"a": "b"}, **given)
        finished.wait_for_completion(show_output=False)
        assert len(lines(project / "tries")) == 2
        assert finished.get_tags() == {"a": "b"}


def test_the_command_line_says_it_for_submits_that_say_nothing(flaky: Make, ws: Any, project: Path) -> None:
    flaky("a", 3)
    (project / "pipeline.py").write_text(
        "from azureml.core import Experiment, Workspace\n"
        "from azureml.pipeline.core import Pipeline\n"
        "from azureml.pipeline.steps import PythonScriptStep\n"
        "ws = Workspace.from_config()\n"
        f"step = PythonScriptStep('main.py', name='a', source_directory='src/a', arguments=[{str(project / 'tries')!r}, 3])\n"
        "Experiment(ws, 'test').submit(Pipeline(ws, steps=[step])).wait_for_completion(show_output=False)\n"
    )
    assert main(["run", "--retries", "2", "pipeline.py"]) == 0
    assert len(lines(project / "tries")) == 3
    assert main(["run", "pipeline.py"]) == 0  # what was said holds for that one command


def test_a_published_pipeline_is_submitted_with_retries(flaky: Make, ws: Any, project: Path) -> None:
    config = configured(retries=1)
    Pipeline(ws, steps=[flaky("a", 3), flaky("b", 2, runconfig=config)]).publish(name="nightly")
    assert main(["published", "submit", "nightly", "--retries", "2"]) == 0
    assert [len(lines(project / f"tries-{name}")) for name in "ab"] == [3, 2]


@pytest.mark.parametrize("wrong", [-1, True, 1.5, "2"])
def test_what_is_no_count_is_refused(wrong: Any, flaky: Make, ws: Any) -> None:
    with pytest.raises(ValueError, match="retries"):
        Pipeline(ws, steps=[flaky("a", 1)]).submit("test", retries=wrong)
    with pytest.raises(ValueError, match=r"step 'a'.*retries of the runconfig"):
        Pipeline(ws, steps=[flaky("a", 1, runconfig=configured(retries=wrong))])


def test_each_attempt_begins_anew_and_what_it_gave_to_others_stays(
    make_step: Make, run: Make, verdicts: Tell, ws: Any, project: Path, home: Path
) -> None:
    code = """
        import os, pathlib, sys
        from azureml.core import Run
        assert sorted(os.listdir(".")) == ["logs", "main.py", "outputs"], os.listdir(".")
        count, out, data = int(os.environ["SCRIPTSTEP_ATTEMPT"][-1]), pathlib.Path(sys.argv[1]), sys.argv[2]
        assert not out.exists() and not os.listdir("outputs")
        assert open(data).read() == "data"
        run = Run.get_context()
        run.log("loss", count)
        run.tag(f"tried-{count}", "yes")
        run.parent.log("seen", count)
        pathlib.Path("scratch").write_text("left behind")
        pathlib.Path("outputs/report.txt").write_text(str(count))
        pathlib.Path(f"outputs/only-{count}.txt").write_text("")
        out.write_text(str(count))
        if count == 1:
            sys.exit("not yet")
    """
    data, out = PipelineData("data"), PipelineData("out")
    steps = [
        make_step("first", "import sys; open(sys.argv[1], 'w').write('data')", arguments=[data], outputs=[data]),
        make_step("second", code, arguments=[out, data], inputs=[data], outputs=[out]),
    ]
    finished = run(*steps, retries=1)
    assert verdicts(finished) == {"first": "ran", "second": "ran"}
    (step,) = finished.find_step_run("second")
    assert step.get_metrics() == {"loss": 2}
    assert step.get_tags() == {"tried-1": "yes", "tried-2": "yes"}
    assert finished.get_metrics() == {"seen": [1, 2]}
    names = [n for n in step.get_file_names() if n.startswith("outputs/")]
    assert names == ["outputs/only-2.txt", "outputs/report.txt"]
    assert step._row().details["outputs"]["out"]["tree"]
    assert not list((home / "runs").glob("*/second/.attempt-*"))


def test_a_model_that_a_failed_attempt_registered_stays(make_step: Make, run: Make, ws: Any) -> None:
    code = """
        import os, sys
        from azureml.core import Model, Run
        open("outputs/m", "w").write("m")
        Model.register(Run.get_context().experiment.workspace, model_path="outputs/m", model_name="m")
        sys.exit(0 if os.environ["SCRIPTSTEP_ATTEMPT"].endswith("-2") else 1)
    """
    assert run(make_step("a", code), retries=1).get_status() == "Finished"
    assert Model(ws, "m").version == 2


def test_every_attempt_keeps_its_log(flaky: Make, run: Make, capsys: pytest.CaptureFixture[str]) -> None:
    for steps in (("a", 3), ("a", 3)):  # run, then reused
        finished = run(flaky(*steps), retries=2)
        (step,) = finished.find_step_run("a")
        assert step.get_job_log().split() == ["try", "3"]
        assert [n for n in step.get_file_names() if n.startswith("user_logs/")] == [
            "user_logs/attempt_1/std_log.txt",
            "user_logs/attempt_2/std_log.txt",
            "user_logs/std_log.txt",
        ]
        capsys.readouterr()
        assert main(["logs", finished.id, "a"]) == 0
        out, told = capsys.readouterr()
        assert out == "try 3\n"
        assert "was tried 3 times" in told
        assert f"scriptstep logs {finished.id[:4]} a --attempt 1" in told
        assert main(["logs", finished.id, "a", "--attempt", "2"]) == 0
        assert capsys.readouterr().out == "try 2\n"
        assert main(["logs", finished.id, "--attempt", "4"]) == 1
        assert "highest attempt is 3" in capsys.readouterr().err


def test_a_step_that_waits_for_its_next_try_takes_no_place_and_is_cancelled_with_its_run(
    flaky: Make, ws: Any, heard: Heard, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "FIRST_S", 60.0)
    steps = [flaky("a", 9), flaky("b", 1)]
    submitted = Experiment(ws, "test").submit(Pipeline(ws, steps=steps), jobs=1, retries=5)
    heard.wait_for(lambda e: isinstance(e, StepRetried))
    heard.wait_for(lambda e: isinstance(e, StepEnded) and (e.step, e.verdict) == ("b", "ran"))
    submitted.cancel()
    submitted.wait_for_completion(show_output=False, raise_on_error=False)
    (step,) = submitted.find_step_run("a")
    assert (submitted.get_status(), step.get_status()) == ("Canceled", "Canceled")
    assert step.get_job_log().split() == ["try", "1"]
    assert len(lines(project / "tries-a")) == 1


def test_a_step_that_waits_for_a_place_for_its_next_try_is_cancelled_with_its_run(
    flaky: Make, make_step: Make, ws: Any, heard: Heard, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, came = Retries.due, threading.Event()

    def due(self: Retries) -> list[Any]:
        found = real(self)
        if found:
            came.set()
        return found

    monkeypatch.setattr(Retries, "due", due)
    long = make_step("b", "import time; time.sleep(600)")
    submitted = Experiment(ws, "test").submit(Pipeline(ws, steps=[flaky("a", 9), long]), jobs=1, retries=1)
    # It takes the place that the failed attempt left, for longer than the time until the next.
    heard.wait_for(lambda e: isinstance(e, StepStarted) and e.step == "b")
    assert came.wait(30)
    submitted.cancel()
    submitted.wait_for_completion(show_output=False, raise_on_error=False)
    assert {step.name: step.get_status() for step in submitted.get_steps()} == {"a": "Canceled", "b": "Canceled"}
    assert [(e.step, e.verdict) for e in heard.of(StepEnded)].count(("a", "cancelled")) == 1
    assert len(lines(project / "tries-a")) == 1


def test_a_mistake_that_is_found_before_the_script_runs_is_not_tried_again(
    make_step: Make, run: Make, verdicts: Tell, heard: Heard
) -> None:
    config = RunConfiguration()
    config.environment.environment_variables = {"A": "with\0nul"}
    assert verdicts(run(make_step("a", runconfig=config), retries=3)) == {"a": "Failed"}
    assert not heard.of(StepRetried)


def test_an_attempt_that_wrote_into_its_input_is_not_tried_again_nor_is_the_input_used(
    make_step: Make, run: Make, verdicts: Tell, heard: Heard
) -> None:
    def steps(code: str) -> list[Any]:
        data = PipelineData("data")
        return [
            make_step("first", "import sys; open(sys.argv[1], 'w').write('data')", arguments=[data], outputs=[data]),
            make_step("second", code, arguments=[data], inputs=[data]),
        ]

    spoils = "import os, sys; f = open(sys.argv[1], 'r+'); f.write('spoilt'); f.close(); sys.exit(1)"
    failed = run(*steps(spoils), retries=3)
    assert verdicts(failed) == {"first": "ran", "second": "Failed"}
    assert not heard.of(StepRetried)
    assert "wrote into its input" in failed.find_step_run("second")[0].get_details()["error"]["message"]
    again = run(*steps("import sys; assert open(sys.argv[1]).read() == 'data'"))
    assert verdicts(again) == {"first": "ran", "second": "ran"}


@pytest.mark.parametrize(
    ("state", "ended", "due"),
    [
        (State.FAILED, {"exit_code": 1}, True),
        (State.FAILED, {"signal": 9}, True),
        (State.FAILED, {"message": "cannot be started"}, False),
        (State.TIMEOUT, {"signal": 15}, True),
        (State.LOST, {}, True),
        (State.CANCELLED, {"signal": 15}, False),
    ],
)
def test_what_is_tried_again(state: State, ended: dict[str, Any], due: bool) -> None:
    plan: Any = SimpleNamespace(attempt=1, spec=SimpleNamespace(run=SimpleNamespace(retries=None)))
    assert Retries(1).is_due(plan, Status(state, **ended)) is due
    assert not Retries(0).is_due(plan, Status(state, **ended))


def test_the_time_between_attempts_doubles_up_to_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    plan: Any = SimpleNamespace(attempt=1)
    monkeypatch.setattr(retries, "FIRST_S", 1.0)
    times = Retries(9)
    assert [times.put_off(plan, Status(State.FAILED)) for _ in range(9)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


@pytest.mark.skipif(sys.platform != "linux", reason="who watches a script is not its parent elsewhere")
def test_an_attempt_whose_watcher_was_killed_is_tried_again(
    make_step: Make, run: Make, verdicts: Tell, heard: Heard
) -> None:
    code = """
        import os, signal, time
        if os.environ["SCRIPTSTEP_ATTEMPT"].endswith("-1"):
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(600)
    """
    assert verdicts(run(make_step("a", code), retries=1)) == {"a": "ran"}
    (retried,) = heard.of(StepRetried)
    assert "was killed" in retried.reason


# --- time limits


@pytest.mark.parametrize("how", ["step", "script"])
def test_a_time_limit_ends_what_left_the_session_and_its_parent(
    how: str, make_step: Make, run: Make, ws: Any, project: Path, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "_TIMEOUT_GRACE_S", 0.5)
    code = STUBBORN + "    time.sleep(600)\n"
    arguments = [str(project / "pid")]
    if how == "step":
        finished = run(make_step("slow", code, arguments=arguments, runconfig=configured(max_run_duration_seconds=3)))
        (finished,) = finished.find_step_run("slow")
    else:
        make_step("slow", code)
        config = ScriptRunConfig(
            str(project / "src" / "slow"), "main.py", arguments=arguments, max_run_duration_seconds=3
        )
        finished = Experiment(ws, "test").submit(config)
        finished.wait_for_completion(show_output=False, raise_on_error=False)
    assert finished.get_details()["error"]["message"].startswith("timed out after 3 s")
    (ended,) = heard.of(StepEnded)
    assert ended.reason.startswith("timed out after 3 s")
    # Only Linux gathers orphans: see executors/warden.py.
    assert is_gone_within(read_pid(project / "pid"), 5) or sys.platform != "linux"


def test_a_step_that_took_too_long_is_tried_again(
    make_step: Make, run: Make, verdicts: Tell, project: Path, heard: Heard
) -> None:
    code = """
        import os, sys, time
        if not os.path.exists(sys.argv[1]):
            open(sys.argv[1], "w").close()
            time.sleep(600)
    """
    config = configured(max_run_duration_seconds=2, retries=1)
    assert verdicts(run(make_step("slow", code, arguments=[str(project / "mark")], runconfig=config))) == {
        "slow": "ran"
    }
    (retried,) = heard.of(StepRetried)
    assert retried.reason.startswith("timed out after 2 s")
    assert len(heard.of(StepStarted)) == 2


def test_what_a_failed_attempt_read_is_not_charged_to_the_next(
    make_step: Make, run: Make, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "_TEMPORARY", ())  # where tests work, too
    (project / "outside.txt").write_text("x")
    code = f"""
        import os, sys
        if not os.path.isdir({str(project / "mark")!r}):
            os.mkdir({str(project / "mark")!r})
            open({str(project / "outside.txt")!r}).read()
            sys.exit(3)
    """
    finished = run(make_step("one", code), retries=1, audit="strict")
    assert finished.get_status() == "Finished", finished.get_details()
