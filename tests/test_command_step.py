"""Commands as steps: a line of shell or a list of words, with what a script step has besides."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scriptstep import (
    ArgumentError,
    CommandStep,
    Dataset,
    Environment,
    OutputFileDatasetConfig,
    Pipeline,
    PipelineData,
    PipelineParameter,
    PythonScriptStep,
    RunConfiguration,
    ScriptRunConfig,
)
from scriptstep.authoring.python_script_step import _PythonScriptStepBase
from scriptstep.engine.command_line import own_python

Make = Callable[..., Any]

Start = Callable[..., Any]
Tell = Callable[[Any], dict[str, str]]

ARGV = "import json, sys; print(json.dumps(sys.argv[1:]))"


def printed(run: Any, step: str) -> str:
    (found,) = run.find_step_run(step)
    text: str = found.get_job_log()
    assert found.get_status() == "Finished", text
    return text.strip()


@pytest.fixture
def source(project: Path) -> Path:
    folder = project / "src"
    folder.mkdir()
    (folder / "argv.py").write_text(ARGV)
    return folder


# --- lists of words


def test_each_word_of_a_list_is_one_argument(run: Start, source: Path) -> None:
    words = [
        "two words",
        "it's",
        'say "hi"',
        "*",
        "~",
        "a\nb",
        "Привет",
        "",
        "-x",
        "`id`",
        "\\",
        "a=b",
        "$(id)",
        "$",
        "!x",
        "#no",
    ]
    step = CommandStep(
        command=["python", "argv.py", *words, 3, 0.5, True, Path("a/b")], name="words", source_directory=source
    )
    expected = [*words, "3", "0.5", "True", "a/b"]
    assert json.loads(printed(run(step), "words")) == expected


def test_variables_and_operators_in_a_list_are_the_shells(run: Start, source: Path) -> None:
    config = RunConfiguration()
    config.environment_variables = {"GIVEN": "two words"}
    words = "python argv.py $GIVEN ${GIVEN}! && echo second | cat > kept.txt ; cat kept.txt".split()
    step = CommandStep(command=words, name="shell", source_directory=source, runconfig=config)
    assert printed(run(step), "shell").split("\n") == ['["two words", "two words!"]', "second"]


def test_a_text_with_blanks_where_a_command_is_expected_is_a_line(run: Start, source: Path) -> None:
    step = CommandStep(
        command=["python argv.py one", "two three", "&&", "echo a  b"], name="line", source_directory=source
    )
    assert printed(run(step), "line").split("\n") == ['["one", "two three"]', "a b"]


# --- placeholders


def test_data_and_parameters_stand_in_a_list_and_in_a_line(run: Start, ws: Any, source: Path, project: Path) -> None:
    (project / "raw.txt").write_text("raw")
    raw = Dataset.File.from_files(str(project / "raw.txt")).as_named_input("raw").as_mount()
    first, second = PipelineData("first"), OutputFileDatasetConfig(name="second")
    factor = PipelineParameter("factor", "2; exit 3 # $HOME")
    copy = CommandStep(
        command=["cp", raw, first, "&&", "echo", factor, ">>", "outputs/told.txt", "&&", "cat", "outputs/told.txt"],
        name="copy",
        inputs=[raw],
        outputs=[first],
        source_directory=source,
    )
    line = CommandStep(
        command=f"cat {first} '{first}' \"{first}\" | tee {second.arg_val}/all.txt",
        name="line",
        inputs=[first],
        outputs=[second],
        source_directory=source,
    )
    finished = run(copy, line)
    assert printed(finished, "copy") == "2; exit 3 # $HOME"
    assert printed(finished, "line") == "rawrawraw"
    again = run(copy, line, pipeline_parameters={"factor": "it's $x `y`"})
    assert printed(again, "copy") == "it's $x `y`"


def test_a_path_with_every_special_character_is_itself_in_all_quotes(
    run: Start, ws: Any, source: Path, project: Path
) -> None:
    strange = project / "a 'b' \"c\" $HOME `d`"
    strange.mkdir()
    (strange / "x y.txt").write_text("found")
    reference = Dataset.File.from_files(str(strange / "x y.txt")).as_named_input("data").as_mount()
    step = CommandStep(
        command="cat DatasetConsumptionConfig:data 'DatasetConsumptionConfig:data' \"DatasetConsumptionConfig:data\"",
        name="quotes",
        inputs=[reference],
        source_directory=source,
    )
    assert printed(run(step), "quotes") == "foundfoundfound"


def test_params_are_variables_and_the_runconfig_may_hold_the_command(run: Start, source: Path) -> None:
    config = RunConfiguration(command="echo $AML_PARAMETER_rate")
    step = CommandStep(name="params", runconfig=config, params={"rate": 0.5}, source_directory=source)
    assert printed(run(step), "params") == "0.5"


# --- what runs


def test_python_is_the_steps_interpreter_and_the_sdk_is_there(run: Start, source: Path) -> None:
    told = (
        "python -c 'import sys; from azureml.core import Run; Run.get_context().log(\"a\", 1); print(sys.executable)'"
    )
    finished = run(CommandStep(command=told, name="python", source_directory=source))
    assert os.path.samefile(printed(finished, "python"), sys.executable)
    assert finished.find_step_run("python")[0].get_metrics() == {"a": 1}


def test_an_interpreter_without_python_beside_it_is_python_all_the_same(tmp_path: Path) -> None:
    place = tmp_path / "odd place"
    place.mkdir()
    interpreter = place / "mypython3.99"
    interpreter.write_text('#!/bin/sh\necho "mine $*"\n')
    interpreter.chmod(0o755)
    folder = own_python(str(interpreter), tmp_path / "bin")
    for name in ("python", "python3"):
        told = subprocess.run([folder / name, "-c", "x y"], capture_output=True, text=True, check=True)
        assert told.stdout == "mine -c x y\n"
    assert own_python(sys.executable, tmp_path / "none") == Path(sys.executable).parent
    assert not (tmp_path / "none").exists()


def test_a_program_of_the_source_directory_runs_by_its_own_name(run: Start, source: Path) -> None:
    (source / "tool.sh").write_text("#!/bin/sh\necho tool $1\n")
    (source / "tool.sh").chmod(0o755)
    assert printed(run(CommandStep(command="tool.sh x", source_directory=source)), "tool.sh") == "tool x"


def test_bash_is_the_shell_where_there_is_one(run: Start, source: Path) -> None:
    step = CommandStep(command="[[ a == a ]] && source ./more.sh", name="bash", source_directory=source)
    (source / "more.sh").write_text("echo more")
    assert printed(run(step), "bash") == "more"


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("exit 7", "exit code 7"),
        (["no-such-program", "x"], "exit code 127"),
        ("kill -9 $$", "killed by signal SIGKILL"),
    ],
)
def test_a_command_that_fails_fails_its_step(run: Start, source: Path, command: Any, told: str) -> None:
    finished = run(CommandStep(command=command, name="bad", source_directory=source))
    assert finished.get_status() == "Failed"
    assert told in finished.find_step_run("bad")[0].get_details()["error"]["message"]


# --- reuse


def test_a_command_is_reused_until_something_of_it_changes(run: Start, verdicts: Tell, source: Path) -> None:
    def told(command: Any, **given: Any) -> str:
        return verdicts(run(CommandStep(command=command, name="c", source_directory=source, **given)))["c"]

    assert told(["echo", "one two"]) == "ran"
    assert told(("echo", "one two")) == "reused"
    assert told(["echo", "one", "two"]) == "ran"
    assert told("echo one two") == "ran"
    assert told("echo one two") == "reused"
    assert told(["echo one two"]) == "ran", "a list and a line are not the same"
    assert told(["echo one two"], version="2") == "ran"
    assert told("echo one two", allow_reuse=False) == "ran"
    (source / "new.txt").write_text("")
    assert told("echo one two") == "ran"


def test_a_script_that_became_a_command_runs_and_says_why(run: Start, verdicts: Tell, source: Path) -> None:
    run(PythonScriptStep("argv.py", name="x", source_directory=source))
    finished = run(CommandStep(command=["argv.py"], name="x", source_directory=source))
    (step,) = finished.get_steps()
    assert step.get_details()["verdict"]["reasons"][0] == "script argv.py -> a command, as words"


def test_counts_of_a_command_may_be_given_at_submit(run: Start, verdicts: Tell, source: Path) -> None:
    nodes = PipelineParameter("nodes", 1)
    step = CommandStep(
        command="echo x", name="n", source_directory=source, runconfig_pipeline_params={"NodeCount": nodes}
    )
    assert verdicts(run(step)) == {"n": "ran"}
    assert verdicts(run(step)) == {"n": "reused"}


# --- what is declared


def test_it_is_a_step_like_a_script_step(source: Path, ws: Any) -> None:
    step = CommandStep(command="python  argv.py x", source_directory=source)
    assert isinstance(step, _PythonScriptStepBase)
    assert (step.name, step.step_type) == ("python", "CommandStep")
    assert CommandStep(command=["./run.sh now", "x"], source_directory=source).name == "./run.sh"
    (node,) = Pipeline(ws, steps=[step]).graph.module_nodes
    assert node.get_param("Command").value == "python  argv.py x"
    assert node.get_param("Script").value is None
    words = ["echo", PipelineParameter("p", 1)]
    CommandStep(command=words, source_directory=source)
    assert len(words) == 2, "the list that was given stays as it is"


@pytest.mark.parametrize("command", [None, "", "  ", [], [""], 3, {"a": 1}])
def test_a_command_that_is_none_is_an_error(command: Any, source: Path) -> None:
    with pytest.raises(ArgumentError, match="command") as caught:
        CommandStep(command=command, name="bad", source_directory=source)
    assert "step 'bad'" in str(caught.value)


def test_mistakes_in_a_command_name_the_word(ws: Any, source: Path, project: Path) -> None:
    with pytest.raises(ArgumentError, match=r"command\[2\] is 'data', which is in neither inputs nor outputs"):
        CommandStep(command=["echo", "x", PipelineData("data").as_mount()], source_directory=source)
    with pytest.raises(ArgumentError, match=r"command\[0\] holds parameter 'p' inside a text"):
        CommandStep(command=f"echo {PipelineParameter('p', 1)}", source_directory=source)
    with pytest.raises(ArgumentError, match=r"command\[1\] holds a list"):
        CommandStep(command=["echo", [1, 2]], source_directory=source)
    with pytest.raises(ArgumentError, match="a script, with arguments, or a command"):
        _PythonScriptStepBase("argv.py", command="echo x", source_directory=source)
    with pytest.raises(ArgumentError, match="is not there"):
        Pipeline(ws, steps=[CommandStep(command="x", source_directory=project / "none")])


@pytest.mark.parametrize("what", ["line", "words", "script", "own"])
def test_a_script_run_config_says_what_runs(ws: Any, run: Make, project: Path, what: str) -> None:
    folder = project / "code"
    folder.mkdir()
    (folder / "show.py").write_text("import os, sys; print('in', os.environ['KIND'], sys.argv[1:])")
    (project / "one.txt").write_text("one")
    store = ws.get_default_datastore()
    store.upload_files(["one.txt"], target_path="raw", show_progress=False)
    place = store.path("raw/one.txt", "place")
    environment = Environment("mine")
    environment.environment_variables = {"KIND": what}
    given: dict[str, Any] = {
        "line": {"command": "python show.py a b"},
        "words": {"command": ["python show.py", "a", place]},
        "script": {"script": "show.py", "arguments": ["a", place]},
        "own": {"command": "false"},
    }[what]
    config = ScriptRunConfig(source_directory=str(folder), environment=environment, **given)
    step = CommandStep(name="show", runconfig=config, command="python show.py own" if what == "own" else None)
    finished = run(step)
    assert finished.get_status() == "Finished"
    (found,) = finished.find_step_run("show")
    told = found.get_job_log()
    assert f"in {what} ['{'own' if what == 'own' else 'a'}'" in told
    assert what in ("line", "own") or "one.txt']" in told
