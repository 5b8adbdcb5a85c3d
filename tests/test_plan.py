"""A plan says what a submit would do, and a submit then does it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any
from xml.etree import ElementTree

import pytest

from scriptstep import Dataset, Experiment, Pipeline, PipelineData, PipelineParameter
from scriptstep.errors import ArgumentError, NotRegisteredError, UserErrorException
from tests.test_cli import script, scriptstep

Make = Callable[..., Any]
Tell = Callable[[Any], dict[str, str]]

UPPER = """
    import argparse, pathlib
    parser = argparse.ArgumentParser()
    parser.add_argument("--out")
    parser.add_argument("--data")
    parser.add_argument("--text", default="x")
    parsed = parser.parse_args()
    if parsed.text == "fail":
        raise SystemExit(3)
    read = pathlib.Path(parsed.data).read_text() if parsed.data else ""
    pathlib.Path(parsed.out).write_text(read + parsed.text.lower())
"""


def fan(make_step: Make, one: str = "a", two: str = "b", code: str = UPPER) -> list[Any]:
    """first -> left, right -> last"""
    outs = {name: PipelineData(name) for name in ("first_out", "left_out", "right_out", "last_out")}
    first = make_step("first", code, arguments=["--out", outs["first_out"], "--text", one], outputs=[outs["first_out"]])
    steps = [first]
    for name, text in (("left", two), ("right", "r")):
        steps.append(
            make_step(
                name,
                UPPER,
                arguments=["--data", outs["first_out"], "--out", outs[f"{name}_out"], "--text", text],
                inputs=[outs["first_out"]],
                outputs=[outs[f"{name}_out"]],
            )
        )
    both = [outs["left_out"], outs["right_out"]]
    steps.append(
        make_step(
            "last",
            UPPER,
            arguments=["--data", both[0], "--out", outs["last_out"]],
            inputs=both,
            outputs=[outs["last_out"]],
        )
    )
    return steps


def outlooks(plan: Any) -> dict[str, str]:
    return {step.name: step.outlook for step in plan}


def reasons(plan: Any, step: str) -> str:
    return "; ".join(plan[step].reasons)


def test_before_the_first_run_everything_would_run(make_step: Make, ws: Any) -> None:
    plan = Pipeline(ws, fan(make_step)).plan()
    assert set(outlooks(plan).values()) == {"run"}
    assert reasons(plan, "first") == "first run"
    assert reasons(plan, "left") == "depends on first"
    assert plan.would_run
    assert not ws._catalog.runs()


def test_unchanged_everything_is_reused_and_the_plan_says_what_that_saves(make_step: Make, ws: Any, run: Make) -> None:
    finished = run(*fan(make_step))
    plan = Pipeline(ws, fan(make_step)).plan()
    assert set(outlooks(plan).values()) == {"reused"}
    assert not plan.would_run
    assert reasons(plan, "left") == f"from run {finished.id[:4]}"
    assert plan["first"].size == 1 and plan["left"].size == 2
    assert all(step.seconds > 0 for step in plan)
    assert str(plan).splitlines()[-1].startswith("all reused: ")


CASES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    # A change of the first step may stop at its output, or not: the plan cannot know.
    "output differs": ({"one": "c"}, {"first": "run", "left": "run?", "right": "run?", "last": "run?"}),
    "output as before": ({"one": "A"}, {"first": "run", "left": "run?", "right": "run?", "last": "run?"}),
    "one in the middle": ({"two": "c"}, {"first": "reused", "left": "run", "right": "reused", "last": "run?"}),
    "both": ({"one": "c", "two": "c"}, {"first": "run", "left": "run", "right": "run?", "last": "run?"}),
    "code": ({"code": UPPER + "    # more\n"}, {"first": "run", "left": "run?", "right": "run?", "last": "run?"}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_run_does_what_the_plan_said(case: str, make_step: Make, ws: Any, run: Make, verdicts: Tell) -> None:
    changes, expected = CASES[case]
    run(*fan(make_step))
    plan = Pipeline(ws, fan(make_step, **changes)).plan()
    assert outlooks(plan) == expected
    done = verdicts(run(*fan(make_step, **changes)))
    allowed = {"reused": {"reused"}, "run": {"ran"}, "run?": {"ran", "reused"}}
    assert all(done[name] in allowed[outlook] for name, outlook in expected.items())
    assert set(outlooks(Pipeline(ws, fan(make_step, **changes)).plan()).values()) == {"reused"}


def test_the_reasons_name_what_the_user_knows(make_step: Make, ws: Any, run: Make) -> None:
    run(*fan(make_step))
    plan = Pipeline(ws, fan(make_step, one="c")).plan()
    assert reasons(plan, "first") == "--text a -> c"
    assert reasons(plan, "left") == "only if the output of first changes"
    assert reasons(plan, "last") == "only if the output of left or right changes"


def test_a_step_that_runs_after_one_that_runs_runs_for_certain(make_step: Make, ws: Any, run: Make) -> None:
    def two(text: str) -> list[Any]:
        first = make_step("first", f"print({text!r})")
        second = make_step("second", "print(2)")
        second.run_after(first)
        return [second]

    run(*two("a"))
    plan = Pipeline(ws, two("b")).plan()
    assert outlooks(plan) == {"first": "run", "second": "run"}
    assert reasons(plan, "second") == "runs after first, which ran again"


def test_what_is_set_to_run_always_stands_in_the_plan(make_step: Make, ws: Any, run: Make) -> None:
    step = make_step("one", "", allow_reuse=False)
    run(step)
    assert reasons(Pipeline(ws, [step]).plan(), "one") == "allow_reuse=False"
    assert reasons(Pipeline(ws, fan(make_step)).plan(regenerate_outputs=True), "first") == "regenerate_outputs=True"


def test_five_steps_that_differ_in_name_alone_are_five_samples_in_the_plan_too(
    make_step: Make, ws: Any, run: Make
) -> None:
    run(*[make_step("same", "print(1)") for _ in range(2)])
    plan = Pipeline(ws, [make_step("same", "print(1)") for _ in range(3)]).plan()
    assert sorted(step.outlook for step in plan) == ["reused", "reused", "run"]


def test_an_input_that_is_not_there_is_said_before_anything_runs(
    make_step: Make, ws: Any, project: Path, run: Make
) -> None:
    (project / "data.txt").write_text("1")
    data = Dataset.File.from_files(str(project / "data.txt")).as_named_input("data").as_mount()
    first = make_step("first", "print(1)", arguments=[data])
    second = make_step("second", "print(2)")
    second.run_after(first)
    run(second)
    (project / "data.txt").unlink()
    plan = Pipeline(ws, [second]).plan()
    assert outlooks(plan) == {"first": "stuck", "second": "stuck"}
    assert "stands for no file that is there" in reasons(plan, "first")
    assert reasons(plan, "second") == "needs first"
    assert plan.is_stuck


def test_a_plan_takes_parameters_and_refuses_what_a_submit_refuses(make_step: Make, ws: Any, run: Make) -> None:
    parameter = PipelineParameter("size", 3)
    pipeline = Pipeline(ws, [make_step("one", "", arguments=["--size", parameter])])
    Experiment(ws, "test").submit(pipeline).wait_for_completion(show_output=False)
    assert reasons(pipeline.plan(pipeline_parameters={"size": 4}), "one") == "parameter size 3 -> 4"
    with pytest.raises(ArgumentError, match="the pipeline has no parameter 'sise'"):
        pipeline.plan(pipeline_parameters={"sise": 4})


def test_a_plan_shows_as_a_table_and_a_picture(make_step: Make, ws: Any) -> None:
    plan = Pipeline(ws, [*fan(make_step), make_step("<b>&", "")]).plan()
    html = plan._repr_html_()
    assert "<table>" in html and "<td>first</td>" in html and "<td>&lt;b&gt;&amp;</td>" in html
    root = ElementTree.fromstring(plan.picture())
    texts = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert texts.count("run") == 5 and {"first", "left", "right", "last", "<b>&"} <= set(texts)
    arrows = [e for e in root.iter() if e.tag.endswith("path") and "marker-end" in e.attrib]
    assert len(arrows) == 4
    assert repr(plan) == "<Plan: 5 run>"


def test_a_name_that_is_no_step_is_told_with_those_there_are(make_step: Make, ws: Any) -> None:
    plan = Pipeline(ws, fan(make_step)).plan()
    with pytest.raises(NotRegisteredError, match="has no step 'lest'; it has first, last, left and right") as caught:
        plan["lest"]
    assert caught.value.help == "did you mean 'left'?"


# --- the command

PIPELINE = """
    import sys
    from azureml.core import Workspace, Experiment
    from azureml.pipeline.core import Pipeline, PipelineData, PipelineParameter
    from azureml.pipeline.steps import PythonScriptStep
    print("made by", sys.argv)
    ws = Workspace.from_config()
    out = PipelineData("out")
    size = PipelineParameter("size", 3)
    text = sys.argv[1] if len(sys.argv) > 1 else "a"
    first = PythonScriptStep("write.py", name="first", source_directory="src", outputs=[out],
                             arguments=["--out", out, "--text", text, f"--mode=fast"])
    second = PythonScriptStep("read.py", name="second.py", source_directory="other", inputs=[out],
                              arguments=["--data", out, "--size", size])
    run = Experiment(ws, "exp").submit(Pipeline(ws, [first, second]))
    run.wait_for_completion()
    print("steps", [s.name for s in run.get_steps()])
"""


@pytest.fixture
def pipeline(project: Path) -> Path:
    code = "import sys, pathlib; pathlib.Path(sys.argv[2]).write_text(sys.argv[4].lower())"
    script(project / "src", code, "write.py")
    script(project / "other", "import sys; print(open(sys.argv[2]).read())", "read.py")
    script(project / "other", "*.log", ".amlignore")
    return script(project, PIPELINE)


def planned(*arguments: str, code: int = 0) -> dict[str, tuple[str, str]]:
    done = scriptstep("plan", *arguments, "--json")
    assert done.returncode == code, done.stderr
    (plan,) = json.loads(done.stdout)["plans"]
    assert plan["experiment"] == "exp"
    return {step["name"]: (step["verdict"], "; ".join(step["reasons"])) for step in plan["steps"]}


def test_plan_runs_nothing_and_prints_a_table(pipeline: Path, home: Path) -> None:
    done = scriptstep("plan", "pipeline.py")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "  first       run      first run",
        "  second.py   run      depends on first",
        "2 run",
    ]
    # What the script prints is no result of the command.
    assert "made by ['pipeline.py']" in done.stderr and "steps []" not in done.stderr
    # It went on after its run had ended; what only a run has ended it, and that is said.
    assert "note: the script asks for what only a run has at pipeline.py:17" in done.stderr
    assert not list((home / "runs").glob("*"))


def test_plan_exit_codes(pipeline: Path) -> None:
    assert scriptstep("plan", "--exit-code", "pipeline.py").returncode == 2
    assert scriptstep("run", "pipeline.py").returncode == 0
    assert scriptstep("plan", "pipeline.py", "--exit-code").returncode == 0
    assert scriptstep("plan", "pipeline.py", "b").returncode == 0
    assert scriptstep("plan", "--exit-code", "pipeline.py", "b").returncode == 2
    (pipeline.parent / "src" / "write.py").unlink()
    done = scriptstep("plan", "pipeline.py")
    assert done.returncode == 1 and done.stdout == ""
    assert "error: script 'write.py' is not in source directory 'src'" in done.stderr


def test_what_if(pipeline: Path, project: Path) -> None:
    scriptstep("run", "pipeline.py")
    assert planned("pipeline.py", "b") == {
        "first": ("run", "--text a -> b"),
        "second.py": ("run?", "only if the output of first changes"),
    }
    # Without a file it is the one that was run or planned last, with its arguments.
    scriptstep("run", "pipeline.py")
    assert planned("--with", "first.--text=c", "--with=size=5") == {
        "first": ("run", "--text a -> c"),
        "second.py": ("run", "parameter size 3 -> 5"),
    }
    assert planned("--with", "first.--mode=slow")["first"] == ("run", "--mode=fast -> --mode=slow")
    assert planned("--with", "second.py.--size=9")["second.py"] == (
        "run",
        "--size <size> -> 9; parameter size removed",
    )
    assert planned("--touch", "other/read.py") == {
        "first": ("reused", planned()["first"][1]),
        "second.py": ("run", "read.py touched"),
    }
    assert {word for word, _ in planned().values()} == {"reused"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--with", "first.--txt=c"], "step 'first' has no argument or param '--txt' with a value; it has --out"),
        (["--with", "frist.--text=c"], "there are size, first.--FLAG, second.py.--FLAG"),
        (["--with", "size=big"], "'size' is a whole number"),
        (["--jsn", "pipeline.py"], "unrecognized arguments: --jsn"),
        (["--touch", "other/raed.py", "pipeline.py"], "help: did you mean 'other/read.py'?"),
    ],
)
def test_what_if_of_what_is_not_there(pipeline: Path, arguments: list[str], told: str) -> None:
    done = scriptstep("plan", *arguments, *(["pipeline.py"] if arguments[0] == "--with" else []))
    assert done.returncode in (1, 2)
    assert told in done.stderr and "Traceback" not in done.stderr


def test_touching_what_no_step_notices_says_why(pipeline: Path) -> None:
    for name in ("other/x.log", "README.md"):
        (pipeline.parent / name).write_text("x")
    done = scriptstep("plan", "--touch", "other/x.log", "--touch", "README.md", "pipeline.py")
    assert "warning: other/x.log is left out by line 1 of .amlignore (*.log): no step notices it" in done.stderr
    assert "warning: README.md is no code of any step, and no input by content" in done.stderr


def test_touched_data(make_step: Make, project: Path, run: Make, ws: Any) -> None:
    from scriptstep.run.plan import plan_of
    from scriptstep.run.submission import submission_of

    (project / "data.txt").write_text("1")
    data = Dataset.File.from_files(str(project / "data.txt")).as_named_input("data").as_mount()
    step = make_step("one", "", arguments=[data])
    run(step, input_identity="content")
    run(step)

    def plan(**more: Any) -> dict[str, str]:
        submission = submission_of(Pipeline(ws, [step]), "test", **more)
        return outlooks(plan_of(submission, touched=[project / "data.txt"]))

    assert plan(input_identity="content") == {"one": "run"}
    assert plan() == {"one": "reused"}


def test_plan_of_what_submits_nothing(project: Path) -> None:
    script(project, "print('hello')")
    done = scriptstep("plan", "pipeline.py")
    assert done.returncode == 1
    assert "error: pipeline.py submits no pipeline" in done.stderr
    done = scriptstep("plan")
    assert done.returncode == 1
    assert "error: no pipeline was planned or run here yet" in done.stderr


def test_a_script_that_fails_has_no_plan(project: Path) -> None:
    script(project, "1 / 0")
    done = scriptstep("plan", "pipeline.py")
    assert done.returncode == 1 and "ZeroDivisionError" in done.stderr and done.stdout == ""


def test_a_notebook_is_planned_too(pipeline: Path, project: Path) -> None:
    cells = [{"cell_type": "code", "source": pipeline.read_text(), "metadata": {}, "outputs": []}]
    (project / "nb.ipynb").write_text(json.dumps({"cells": cells, "nbformat": 4, "metadata": {}}))
    done = scriptstep("plan", "nb.ipynb")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "  first       run      first run"


def test_a_script_that_goes_on_after_a_good_end_is_planned_to_its_own(pipeline: Path) -> None:
    more = """
        if run.get_status() == "Finished":
            Experiment(ws, "exp2").submit(Pipeline(ws, [second]))
    """
    script(pipeline.parent, pipeline.read_text().rpartition("print(")[0] + dedent(more), "two.py")
    done = scriptstep("plan", "two.py")
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if line.endswith(":")] == ["exp:", "exp2:"]
    assert "note: the script" not in done.stderr


def test_options_of_another_command_are_the_scripts(pipeline: Path) -> None:
    done = scriptstep("plan", "pipeline.py", "a", "--output", "x", "--step", "y", "--full", "--", "--json")
    assert done.returncode == 0, done.stderr
    assert "made by ['pipeline.py', 'a', '--output', 'x', '--step', 'y', '--full', '--json']" in done.stderr


@pytest.mark.parametrize("command", ["plan", "explain", "accept", "reproduce", "key export"])
def test_each_command_knows_its_own_options(command: str) -> None:
    from scriptstep.cli.planning import _EVERYWHERE, COMMANDS

    words = COMMANDS[command.split()[0]]
    options = scriptstep(*command.split(), "--help").stdout.partition("options:")[2]
    heads = [line.strip().partition("  ")[0] for line in options.splitlines() if line.startswith("  -")]
    named = {name for head in heads for name in re.findall(r"(?:^|, )(-{1,2}[\w-]+)", head)}
    assert named == words.valued | words.flags | _EVERYWHERE.valued | _EVERYWHERE.flags


def test_the_hint_leads_to_what_was_thought_of(pipeline: Path) -> None:
    scriptstep("run", "pipeline.py")
    done = scriptstep("plan", "--with", "first.--text=c", "--touch", "src/write.py")
    hint = "note: see why: scriptstep explain --with first.--text=c --touch src/write.py first"
    assert hint in done.stderr
    shown = scriptstep(*hint.partition("scriptstep ")[2].split()).stdout
    assert "argument   --text   a -> c" in shown


def test_of_several_steps_of_a_name_the_one_that_runs_is_explained_and_each_has_a_number(
    make_step: Make, ws: Any, run: Make
) -> None:
    def steps(last: str) -> list[Any]:
        return [make_step("same", "print(1)", arguments=["--n", n]) for n in ("0", last)]

    run(*steps("1"))
    plan = Pipeline(ws, steps("2")).plan()
    assert plan.explain("same").verdict == "would run"
    assert {plan.explain("same#1").verdict, plan.explain("same#2").verdict} == {"would run", "would be reused"}
    with pytest.raises(NotRegisteredError):
        plan.explain("same#3")


# --- accept


def test_what_is_accepted_is_reused_and_said_each_time(
    make_step: Make, ws: Any, run: Make, verdicts: Tell, capsys: pytest.CaptureFixture[str]
) -> None:
    run(*fan(make_step))
    changed = Pipeline(ws, fan(make_step, code=UPPER + "    # only a comment\n"))
    told = changed.plan().accept("first", "it is a comment")
    assert told.startswith("first: its last result will be used again: accepted by ")
    assert "because it is a comment" in told
    plan = changed.plan()
    assert set(outlooks(plan).values()) == {"reused"}
    assert "because it is a comment" in reasons(plan, "first")
    # It never hides: explain shows what was accepted.
    (difference,) = plan.explain("first").differences
    assert difference.line == "main.py changed (+1 -0)"
    assert "because it is a comment" in str(plan.explain("first"))
    finished = run(*fan(make_step, code=UPPER + "    # only a comment\n"))
    assert set(verdicts(finished).values()) == {"reused"}
    assert "because it is a comment" in capsys.readouterr().err
    # A later difference is a new one; accepting it follows the first.
    more = Pipeline(ws, fan(make_step, code=UPPER + "    # only two\n    # comments\n"))
    assert outlooks(more.plan())["first"] == "run"
    more.plan().accept("first", "they are comments")
    assert outlooks(more.plan())["first"] == "reused"


def test_what_was_accepted_can_be_taken_back(make_step: Make, ws: Any, run: Make) -> None:
    run(*fan(make_step))
    plan = Pipeline(ws, fan(make_step, one="b")).plan()
    plan.accept("first", "no matter")
    assert plan.withdraw("first") == "first: no longer accepted: no matter"
    assert outlooks(Pipeline(ws, fan(make_step, one="b")).plan())["first"] == "run"
    with pytest.raises(UserErrorException, match="nothing was accepted of step 'first'"):
        plan.withdraw("first")


def test_what_cannot_be_accepted(make_step: Make, ws: Any, run: Make) -> None:
    plan = Pipeline(ws, fan(make_step)).plan()
    with pytest.raises(UserErrorException, match="never succeeded: there is no result to accept"):
        plan.accept("first", "x")
    with pytest.raises(UserErrorException, match="what step 'left' would be is not known: depends on first"):
        plan.accept("left", "x")
    always = make_step("always", "", allow_reuse=False)
    run(*fan(make_step), always)
    with pytest.raises(UserErrorException, match="nothing of step 'first' itself differs"):
        Pipeline(ws, fan(make_step)).plan().accept("first", "x")
    with pytest.raises(UserErrorException, match="would run all the same: allow_reuse=False"):
        Pipeline(ws, [always]).plan().accept("always", "x")


def test_what_cannot_be_accepted_again_stays_accepted(make_step: Make, ws: Any, run: Make) -> None:
    run(*fan(make_step))
    Pipeline(ws, fan(make_step, one="b")).plan().accept("first", "no matter")
    history = ws._catalog.history
    (result,) = history.results_of_step(ws.name, "first", 5)
    history.mark_collected([result.id], "2026-01-01")
    with pytest.raises(UserErrorException, match="would run all the same"):
        Pipeline(ws, fan(make_step, one="b")).plan().accept("first", "again")
    history.mark_collected([result.id], None)
    assert "no matter" in reasons(Pipeline(ws, fan(make_step, one="b")).plan(), "first")


def test_once_a_step_ran_as_it_is_its_own_result_counts(make_step: Make, ws: Any, run: Make) -> None:
    run(*fan(make_step))
    Pipeline(ws, fan(make_step, one="b")).plan().accept("first", "no matter")
    run(*fan(make_step, one="b"), regenerate_outputs=True)
    plan = Pipeline(ws, fan(make_step, one="b")).plan()
    assert "no matter" not in reasons(plan, "first") and plan["first"].outlook == "reused"


def test_accept_as_a_command(pipeline: Path) -> None:
    scriptstep("run", "pipeline.py")
    done = scriptstep("accept", "pipeline.py", "first", "b")
    assert done.returncode == 1 and "error: why does the difference not matter?" in done.stderr
    done = scriptstep("accept", "pipeline.py", "first", "b", "--because", "it is noise")
    assert done.returncode == 0, done.stderr
    done = scriptstep("run", "pipeline.py", "b")
    assert "because it is noise" in done.stderr and "2 reused" in done.stderr
    assert scriptstep("accept", "first", "--undo").stdout == "first: no longer accepted: it is noise\n"
