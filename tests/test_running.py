"""What a script sees while it runs, and what is left when it does not end well."""

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
    DataReference,
    Experiment,
    OutputFileDatasetConfig,
    Pipeline,
    PipelineData,
    RunConfiguration,
)

Make = Callable[..., Any]
Tell = Callable[[Any], dict[str, str]]

DUMP = """
    import json, os, pathlib, sys
    pathlib.Path("outputs/seen.json").write_text(json.dumps({
        "argv": sys.argv[1:], "env": dict(os.environ), "cwd": os.getcwd(), "path": sys.path, "here": sorted(os.listdir("."))
    }))
"""


def seen(run: Any, step: str, folder: Path) -> dict[str, Any]:
    target = folder / f"{step}.json"
    run.find_step_run(step)[0].download_file("outputs/seen.json", str(target))
    found: dict[str, Any] = json.loads(target.read_text())
    return found


HARD = ["two words", "it's", 'say "hi"', "$HOME", "*", "~", ";", "a\nb", "Привет", "", "-x", "--", "`id`", "\\", "a=b"]


def test_arguments_arrive_byte_for_byte(make_step: Make, run: Make, project: Path) -> None:
    finished = run(make_step("args", DUMP, arguments=HARD))
    assert seen(finished, "args", project)["argv"] == HARD


def test_the_environment_is_built_not_inherited(
    make_step: Make, run: Make, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAKS_IN", "1")
    config = RunConfiguration()
    config.environment.environment_variables = {"GIVEN": "yes", "TZ": "Europe/Berlin"}
    step = make_step("env", DUMP, params={"learning-rate": 0.5, "a b": "c"}, runconfig=config)
    env = seen(run(step), "env", project)["env"]
    assert "LEAKS_IN" not in env
    assert (env["GIVEN"], env["TZ"], env["LANG"], env["PYTHONHASHSEED"]) == ("yes", "Europe/Berlin", "C.UTF-8", "0")
    assert (env["AML_PARAMETER_learning_rate"], env["AML_PARAMETER_a_b"]) == ("0.5", "c")
    assert env["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)


def test_a_step_runs_in_a_copy_of_its_content(make_step: Make, run: Make, project: Path) -> None:
    folder = project / "src" / "copy"
    (folder / "pkg").mkdir(parents=True)
    (folder / "pkg" / "helper.py").write_text("VALUE = 7")
    (folder / "data.txt").write_text("beside")
    code = (
        DUMP
        + "    import pkg.helper; assert open('data.txt').read() == 'beside'; open('data.txt', 'w').write('spoilt')\n"
    )
    found = seen(run(make_step("copy", code)), "copy", project)
    assert not found["cwd"].startswith(str(folder))
    assert found["here"][:2] == ["data.txt", "logs"]
    assert (folder / "data.txt").read_text() == "beside"


def test_a_script_in_a_subfolder_finds_its_own_folder_first_then_the_root(
    make_step: Make, run: Make, project: Path
) -> None:
    folder = project / "src" / "sub"
    (folder / "inner").mkdir(parents=True)
    finished = run(make_step("sub", DUMP, script_name="inner/main.py"))
    found = seen(finished, "sub", project)
    assert found["path"][:2] == [os.path.join(found["cwd"], "inner"), found["cwd"]]


def test_independent_steps_run_side_by_side(make_step: Make, run: Make, verdicts: Tell, project: Path) -> None:
    meet = """
        import pathlib, sys, time
        here = pathlib.Path(sys.argv[1]); here.joinpath(sys.argv[2]).touch()
        for _ in range(200):
            if len(list(here.iterdir())) == 2: break
            time.sleep(0.05)
        else:
            sys.exit("the other never came")
    """
    place = project / "meeting"
    place.mkdir()
    steps = [make_step(name, meet, arguments=[str(place), name]) for name in ("left", "right")]
    assert verdicts(run(*steps, jobs=2)) == {"left": "ran", "right": "ran"}


def test_a_failing_script_fails_its_step_and_pipeline_and_shows_its_last_lines(make_step: Make, ws: Any) -> None:
    step = make_step("bad", "import sys; print('about to fail'); sys.exit(3)")
    after = make_step("after", "print(1)")
    after.run_after(step)
    submitted = Experiment(ws, "test").submit(Pipeline(ws, steps=[after]))
    with pytest.raises(ActivityFailedException, match="(?s)bad.*exit code 3.*about to fail"):
        submitted.wait_for_completion()
    assert submitted.get_status() == "Failed"
    assert submitted.find_step_run("bad")[0].get_details()["exitCode"] == 3
    assert submitted.find_step_run("after")[0].get_status() == "NotStarted"


def test_a_script_killed_by_a_signal_is_a_failure_that_names_it(make_step: Make, run: Make) -> None:
    finished = run(make_step("killed", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))
    (step,) = finished.find_step_run("killed")
    assert step.get_status() == "Failed"
    assert "SIGKILL" in step.get_details()["error"]["message"]


def test_a_failed_step_is_never_reused_but_keeps_what_it_logged(make_step: Make, run: Make, verdicts: Tell) -> None:
    code = "from azureml.core import Run\nrun = Run.get_context()\nrun.log('loss', 2)\nrun.tag('a', 'b')\nraise SystemExit(1)"
    for _ in range(2):
        finished = run(make_step("bad", code))
        assert verdicts(finished) == {"bad": "Failed"}
        (step,) = finished.find_step_run("bad")
        assert step.get_metrics() == {"loss": 2}
        assert step.get_tags() == {"a": "b"}


def test_with_continue_on_step_failure_only_what_depends_on_it_is_not_run(
    make_step: Make, run: Make, verdicts: Tell
) -> None:
    out = PipelineData("out")
    bad = make_step("bad", "raise SystemExit(1)", outputs=[out])
    needs = make_step("needs", "print(1)", inputs=[out])
    other = make_step("other", "print(1)")
    last = make_step("last", "print(1)")
    last.run_after(other)
    finished = run(bad, needs, other, last, continue_on_step_failure=True, jobs=1)
    assert verdicts(finished) == {"bad": "Failed", "needs": "NotStarted", "other": "ran", "last": "ran"}
    assert finished.get_status() == "Failed"


def test_an_output_that_a_later_step_takes_and_that_was_never_written_is_said_to_both(
    make_step: Make, run: Make, verdicts: Tell, capsys: pytest.CaptureFixture[str]
) -> None:
    out = PipelineData("features")
    forgets = make_step("forgets", "print('no output')", outputs=[out])
    # As in the SDK: a script may have its path among its arguments, and never look there.
    passes = make_step(
        "passes", "import os, sys; assert not os.path.exists(sys.argv[1])", inputs=[out], arguments=[out]
    )
    needs = make_step("needs", "import sys; open(sys.argv[1])", inputs=[out], arguments=[out])
    finished = run(forgets, passes, needs, continue_on_step_failure=True)
    assert verdicts(finished) == {"forgets": "ran", "passes": "ran", "needs": "Failed"}
    assert "step 'forgets' never wrote its output 'features', which a later step takes" in capsys.readouterr().err
    message = finished.find_step_run("needs")[0].get_details()["error"]["message"]
    assert message == "exit code 1; nobody wrote its input 'features'"
    assert verdicts(run(forgets, passes)) == {"forgets": "reused", "passes": "reused"}


def test_an_output_that_only_orders_may_stay_unwritten(make_step: Make, run: Make, verdicts: Tell) -> None:
    out = PipelineData("token")
    steps = [make_step("one", "print(1)", outputs=[out]), make_step("two", "print(2)", inputs=[out])]
    assert verdicts(run(*steps)) == {"one": "ran", "two": "ran"}


def test_the_leaf_of_pipeline_data_is_the_scripts_to_make_and_a_file_dataset_folder_is_there(
    make_step: Make, run: Make, verdicts: Tell
) -> None:
    leaf, folder, made = (
        PipelineData("leaf"),
        OutputFileDatasetConfig(name="folder"),
        PipelineData("made", is_directory=True),
    )
    code = """
        import os, sys
        leaf, folder, made = sys.argv[1:]
        assert not os.path.exists(leaf) and os.path.isdir(os.path.dirname(leaf))
        assert os.path.isdir(folder) and os.path.isdir(made)
        open(leaf, "w").write("1")
        open(folder + "/a.txt", "w").write("2")
        open(made + "/b.txt", "w").write("3")
    """
    read = """
        import os, sys
        leaf, folder, made = sys.argv[1:]
        assert open(leaf).read() + open(folder + "/a.txt").read() + open(made + "/b.txt").read() == "123"
        assert os.path.basename(leaf) == "leaf", leaf
    """
    first = make_step("write", code, arguments=[leaf, folder, made], outputs=[leaf, made])
    second = make_step("read", read, arguments=[leaf, folder.as_input("given"), made], inputs=[leaf, made])
    assert verdicts(run(first, second)) == {"write": "ran", "read": "ran"}


def test_a_step_that_writes_into_its_input_is_named_and_fails(make_step: Make, run: Make, verdicts: Tell) -> None:
    def steps() -> list[Any]:
        out = PipelineData("out")
        return [
            make_step("makes", "import sys; open(sys.argv[1], 'w').write('good')", arguments=[out], outputs=[out]),
            make_step("spoils", "import sys; open(sys.argv[1], 'a').write('bad')", arguments=[out], inputs=[out]),
        ]

    finished = run(*steps())
    assert verdicts(finished) == {"makes": "ran", "spoils": "Failed"}
    assert "wrote into its input 'out'" in finished.find_step_run("spoils")[0].get_details()["error"]["message"]
    assert verdicts(run(*steps())) == {"makes": "ran", "spoils": "Failed"}


def test_a_step_that_takes_too_long_is_ended_with_all_its_processes(make_step: Make, run: Make, project: Path) -> None:
    config = RunConfiguration()
    config.max_run_duration_seconds = 1
    mark = project / "mark"
    code = f"""
        import subprocess, sys, time
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(4); open({str(mark)!r}, 'w')"], start_new_session=True)
        time.sleep(60)
    """
    finished = run(make_step("slow", code, runconfig=config))
    (step,) = finished.find_step_run("slow")
    assert step.get_status() == "Failed"
    assert "timed out after 1 s" in step.get_details()["error"]["message"]
    time.sleep(4.5)
    assert not mark.exists()


def test_cancel_ends_the_run_and_leaves_it_cancelled(make_step: Make, ws: Any) -> None:
    submitted = Experiment(ws, "test").submit(Pipeline(ws, steps=[make_step("long", "import time; time.sleep(60)")]))
    deadline = time.monotonic() + 20
    while submitted.find_step_run("long")[0].get_status() != "Running" and time.monotonic() < deadline:
        time.sleep(0.05)
    submitted.cancel()
    submitted.wait_for_completion(raise_on_error=False)
    assert submitted.get_status() == "Canceled"
    assert submitted.find_step_run("long")[0].get_status() == "Canceled"


def test_a_step_may_cancel_its_run_and_leaves_no_result(make_step: Make, run: Make, verdicts: Tell) -> None:
    code = "from azureml.core import Run\nRun.get_context().parent.cancel()\n"
    for _ in range(2):
        finished = run(make_step("judge", code + "import time; time.sleep(20)"))
        assert finished.get_status() == "Canceled"
        assert verdicts(finished)["judge"] == "Canceled"


SCRIPT = """
    from azureml.core import Experiment, Workspace
    from azureml.pipeline.core import Pipeline
    from azureml.pipeline.steps import PythonScriptStep
    ws = Workspace.from_config()
    step = PythonScriptStep("main.py", name="only", source_directory="step")
    run = Experiment(ws, "plain").submit(Pipeline(ws, steps=[step]))
    {ending}
"""


def start_script(project: Path, code: str, ending: str = "") -> subprocess.Popen[str]:
    (project / "step").mkdir()
    (project / "step" / "main.py").write_text(dedent(code))
    (project / "pipeline.py").write_text(dedent(SCRIPT).format(ending=ending))
    return subprocess.Popen(
        [sys.executable, "-m", "scriptstep", "run", "pipeline.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_a_plain_script_that_submits_and_ends_leaves_a_finished_run(project: Path, ws: Any) -> None:
    process = start_script(project, "import time; time.sleep(0.5); print('done')")
    _, told = process.communicate(timeout=60)
    assert process.returncode == 0, told
    (finished,) = Experiment(ws, "plain").get_runs()
    assert finished.get_status() == "Finished"


def test_a_run_that_nobody_waited_for_and_failed_makes_the_exit_code_1(project: Path, ws: Any) -> None:
    process = start_script(project, "raise SystemExit(5)")
    _, told = process.communicate(timeout=60)
    assert process.returncode == 1, told
    assert "exit code 5" in told


@pytest.mark.parametrize("ending", ["", "run.wait_for_completion()"])
def test_ctrl_c_ends_the_whole_process_tree_and_leaves_a_cancelled_run(project: Path, ws: Any, ending: str) -> None:
    code = """
        import subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
        print("child", child.pid, flush=True)
        time.sleep(60)
    """
    process = start_script(project, code, ending)
    pid = wait_for_child(ws)
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode not in (0, None), told
    assert "Traceback" not in told
    (cancelled,) = Experiment(ws, "plain").get_runs()
    assert cancelled.get_status() == "Canceled"
    assert not alive(pid)


def test_a_coordinator_that_is_killed_takes_its_steps_with_it(project: Path, ws: Any) -> None:
    code = """
        import os, time
        print("child", os.getpid(), flush=True)
        time.sleep(60)
    """
    process = start_script(project, code)
    pid = wait_for_child(ws)
    process.kill()
    process.communicate(timeout=30)
    deadline = time.monotonic() + 5
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(pid)
    (lost,) = Experiment(ws, "plain").get_runs()
    assert lost.get_status() == "Failed"


def wait_for_child(ws: Any) -> int:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for found in Experiment(ws, "plain").get_runs():
            for step in found.find_step_run("only"):
                words = step.get_job_log().split()
                if "child" in words:
                    return int(words[words.index("child") + 1])
        time.sleep(0.05)
    raise AssertionError("the step never started its child")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_chain_of_20000_steps_is_built_and_goes_through_the_planner(
    make_step: Make, ws: Any, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from scriptstep import PythonScriptStep

    folder = project / "src" / "link"
    folder.mkdir(parents=True)
    (folder / "main.py").write_text("raise SystemExit(1)")
    steps: list[Any] = []
    for number in range(20_000):
        step = PythonScriptStep("main.py", name=f"s{number}", source_directory=str(folder))
        if steps:
            step.run_after(steps[-1])
        steps.append(step)
    pipeline = Pipeline(ws, steps=[steps[-1]])
    order = [pipeline.graph.get_node(n).name for n in pipeline.graph.order()]
    assert order == [f"s{number}" for number in range(20_000)]
    assert pipeline.validate() == []
    # The first one fails, so that every other is decided about, and none has to be started.
    submitted = Experiment(ws, "chain").submit(pipeline, continue_on_step_failure=True)
    assert submitted.wait_for_completion(show_output=False, raise_on_error=False) == "Failed"
    assert submitted.find_step_run("s19999")[0].get_status() == "NotStarted"
    assert "s19999" in capsys.readouterr().err


def test_a_huge_source_directory_is_warned_of_with_the_lines_that_help(
    make_step: Make, run: Make, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from scriptstep.engine import contents

    assert contents._LARGE == (20_000, 1_000_000_000)
    monkeypatch.setattr(contents, "_LARGE", (20_000, 1_000_000))
    folder = project / "src" / "huge"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "big.bin").write_bytes(bytes(1_100_000))
    (folder / "small.txt").write_text("x")
    run(make_step("huge", "print(1)"))
    told = " ".join(capsys.readouterr().err.split())
    assert "1.1 MB in 3 files" in told
    assert "big.bin" in told
    assert ".amlignore: /data/" in told


def test_a_path_given_as_plain_text_is_warned_of_once(
    make_step: Make, run: Make, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "table.csv").write_text("x")
    steps = [make_step(name, "print(1)", arguments=["--data", str(project / "table.csv")]) for name in ("one", "two")]
    run(*steps, make_step("three", "print(1)", arguments=["/no/such/path", "plain"]))
    told = capsys.readouterr().err
    assert told.count("as plain text") == 1
    assert f"step 'one' is given {project / 'table.csv'} as plain text" in told
    assert "no/such" not in told


def test_what_is_edited_after_the_submit_is_for_the_next_run(make_step: Make, ws: Any, project: Path) -> None:
    first = make_step(
        "first", "import pathlib, time\nwhile not pathlib.Path('%s').exists(): time.sleep(0.01)" % (project / "go")
    )
    second = make_step("second", "print('as submitted')")
    second.run_after(first)
    submitted = Experiment(ws, "test").submit(Pipeline(ws, steps=[second]))
    deadline = time.monotonic() + 20
    while submitted.find_step_run("first")[0].get_status() != "Running" and time.monotonic() < deadline:
        time.sleep(0.02)
    (project / "src" / "second" / "main.py").write_text("print('edited')")
    (project / "go").touch()
    submitted.wait_for_completion(show_output=False)
    assert submitted.find_step_run("second")[0].get_job_log().strip() == "as submitted"


def test_a_downloaded_folder_holds_its_links_as_they_were_keyed(
    make_step: Make, run: Make, verdicts: Tell, ws: Any, project: Path
) -> None:
    store = ws.get_default_datastore()
    raw = Path(store._files()[0]) / "raw"
    (raw / "empty").mkdir(parents=True)
    (raw / "run.sh").write_text("true")
    (raw / "run.sh").chmod(0o755)
    (project / "outside.txt").write_text("outside")
    for name, target in {"to": "run.sh", "nowhere": "gone", "itself": "itself", "out": project / "outside.txt"}.items():
        (raw / name).symlink_to(target)
    look = """
        import json, os, pathlib, sys
        root = pathlib.Path(sys.argv[1])
        found = {p.name: os.readlink(p) if p.is_symlink() else oct(p.stat().st_mode & 0o100) for p in root.iterdir()}
        pathlib.Path("outputs/seen.json").write_text(json.dumps(found))
    """
    reference = DataReference(store, "raw", "raw", mode="download")
    finished = run(make_step("look", look, arguments=[reference], inputs=[reference]))
    assert verdicts(finished) == {"look": "ran"}
    assert seen(finished, "look", project) == {
        "empty": "0o100",
        "run.sh": "0o100",
        "to": "run.sh",
        "nowhere": "gone",
        "itself": "itself",
        "out": "0o0",
    }
