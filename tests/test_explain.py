"""Why a step runs or is reused, down to the line; between machines too, and never with a secret in it."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scriptstep import Dataset, Pipeline, PipelineData, PipelineParameter, RunConfiguration
from scriptstep.cli import main
from scriptstep.errors import NotRegisteredError, UserErrorException
from tests.test_cli import script, scriptstep
from tests.test_environment_identity import fill_by_pip, fill_by_uv, make_venv, wheel

Make = Callable[..., Any]

FIT = """
def fit(x, depth):
    return x * depth

print(fit(2, 3))
"""
WRITE_TWO = """
    import pathlib, sys
    folder = pathlib.Path(sys.argv[1])
    (folder / "same.txt").write_text("same")
    (folder / "sub").mkdir()
    (folder / "sub" / "table.csv").write_text(sys.argv[2])
"""


def explained(ws: Any, steps: list[Any], step: str, against: str | None = None) -> Any:
    return Pipeline(ws, steps).plan().explain(step, against)


def lines(found: Any) -> list[str]:
    return [line.strip() for line in str(found).splitlines() if line.strip()]


def test_the_lines_of_a_file_that_changed(make_step: Make, ws: Any, run: Make) -> None:
    finished = run(make_step("train", FIT))
    step = make_step("train", FIT.replace("return x * depth", "scaled = x * depth\n    return scaled"))
    found = explained(ws, [step], "train")
    text = str(found).splitlines()
    assert text[0] == (
        f"train would run: 1 difference from run {finished.id[:4]}, step train, just now (its last success)"
    )
    assert text[2:8] == [
        "  file   main.py   changed (+2 -1)",
        "    2   def fit(x, depth):",
        "    3 -     return x * depth",
        "    3 +     scaled = x * depth",
        "    4 +     return scaled",
        "    4   ",
    ]
    assert found.to_json()["differences"][0]["diff"].startswith("--- main.py\n+++ main.py\n@@ -1,5 +1,6 @@\n")


def test_files_added_removed_renamed_and_made_executable(make_step: Make, ws: Any, run: Make, project: Path) -> None:
    folder = project / "src" / "train"
    folder.mkdir(parents=True)
    for name in ("gone.py", "old.py", "tool.sh", "data.bin"):
        (folder / name).write_bytes(b"\xff\x00" if name == "data.bin" else f"# {name}\n".encode())
    run(make_step("train", FIT))
    (folder / "gone.py").unlink()
    (folder / "old.py").rename(folder / "new.py")
    (folder / "tool.sh").chmod(0o755)
    (folder / "data.bin").write_bytes(b"\xfe\x00")
    (folder / "added.py").write_text("x = 1\n")
    found = explained(ws, [make_step("train", FIT)], "train")
    assert sorted(d.line for d in found.differences) == [
        "added.py added",
        "data.bin changed",
        "gone.py removed",
        "old.py renamed to new.py",
        "tool.sh made executable",
    ]
    assert found.reasons[-1] == "3 more files"
    # What a reason leaves out is on the page.
    assert "old.py renamed to new.py" in str(found)


def test_many_files_are_counted_and_shown_where_asked(make_step: Make, ws: Any, run: Make, project: Path) -> None:
    step = make_step("train", FIT)
    run(step)
    for number in range(30):
        (project / "src" / "train" / f"m{number:02}.py").write_text(f"x = {number}\n")
    found = explained(ws, [step], "train")
    assert "m11.py" in str(found) and "m12.py" not in str(found)
    assert "  and 18 more files: --full shows them" in str(found)
    assert "m29.py" in found.text(full=True) and "more" not in found.text(full=True)


def test_arguments_params_parameters_variables_and_counts(make_step: Make, ws: Any, run: Make) -> None:
    def step(depth: int, size: int, mode: str, node_count: int, extra: tuple[str, ...] = ()) -> Any:
        config = RunConfiguration()
        config.environment_variables = {"MODE": mode}
        return make_step(
            "train",
            FIT,
            arguments=["--depth", depth, "--size", PipelineParameter("size", size), *extra],
            params={"kind": mode},
            runconfig=config,
            version=str(node_count),
        )

    run(step(3, 1, "a", 1))
    found = explained(ws, [step(5, 2, "b", 2, ("--fast",))], "train")
    assert [(d.kind, d.name, d.before, d.after) for d in found.differences] == [
        ("argument", "--depth", "3", "5"),
        ("argument", "", "(none)", "--fast"),
        ("param", "kind", "a", "b"),
        ("parameter", "size", "1", "2"),
        ("version", "", "1", "2"),
        ("variable", "MODE", "a", "b"),
    ]
    assert "argument    --depth   3 -> 5" in lines(found)


def test_an_input_names_the_step_above_and_the_files_in_it(make_step: Make, ws: Any, run: Make) -> None:
    def two(text: str) -> list[Any]:
        out = PipelineData("out", is_directory=True)
        first = make_step("first", WRITE_TWO, arguments=[out, text], outputs=[out])
        return [first, make_step("second", "", arguments=[out], inputs=[out])]

    run(*two("a"))
    (made,) = run(two("b")[0]).find_step_run("first")
    assert made.get_status() == "Finished"
    found = explained(ws, two("b"), "second")
    (difference,) = found.differences
    assert difference.line == "the output of first changed"
    assert difference.parts == ("sub/table.csv changed",)
    assert "sub/table.csv changed" in lines(found)


def test_a_dataset_by_content_names_its_files(make_step: Make, ws: Any, run: Make, project: Path) -> None:
    folder = project / "data"
    folder.mkdir()
    for name in ("a.csv", "b.csv"):
        (folder / name).write_text(name)
    data = Dataset.File.from_files(str(folder)).as_named_input("data").as_mount()
    step = make_step("one", "", arguments=[data])
    run(step, input_identity="content")
    (folder / "b.csv").write_text("other")
    (folder / "c.csv").write_text("new")
    plan = Pipeline(ws, [step]).plan(input_identity="content")
    (difference,) = plan.explain("one").differences
    assert difference.parts == ("b.csv changed", "c.csv added")


def test_a_package_that_differs(make_step: Make, ws: Any, run: Make, tmp_path: Path) -> None:
    python = make_venv(tmp_path / "venv")
    fill_by_pip(python, [str(wheel(tmp_path, "alpha", "1.0", {"alpha.py": "x = 1\n"}))])
    config = RunConfiguration()
    config.environment.python.interpreter_path = python
    config.environment.python.user_managed_dependencies = True
    step = make_step("one", "", runconfig=config)
    run(step)
    fill_by_pip(python, ["--upgrade", str(wheel(tmp_path, "alpha", "1.1", {"alpha.py": "x = 2\n"}))])
    found = explained(ws, [step], "one")
    assert [(d.kind, d.line) for d in found.differences] == [("package", "alpha 1.0 -> 1.1")]


def test_what_is_the_same_is_said(make_step: Make, ws: Any, run: Make) -> None:
    run(make_step("one", FIT, arguments=["x"]))
    found = explained(ws, [make_step("one", FIT, arguments=["x"])], "one")
    assert str(found).startswith("one would be reused: nothing differs from run ")
    last = lines(found)[-1]
    assert last.startswith("the same: 1 file, the arguments, ") and "package" in last and "Python 3." in last


def test_a_step_that_never_succeeded_is_compared_with_the_nearest_key(make_step: Make, ws: Any, run: Make) -> None:
    run(make_step("old", FIT, arguments=["--depth", "3"]), make_step("far", "print(1)", script_name="other.py"))
    found = explained(ws, [make_step("new", FIT, arguments=["--depth", "4"])], "new")
    assert "step old" in str(found) and "(the nearest key: the step itself never succeeded)" in str(found)
    assert [d.line for d in found.differences] == ["--depth 3 -> 4"]


def test_where_there_is_nothing_to_compare_with_it_says_so(make_step: Make, ws: Any) -> None:
    found = explained(ws, [make_step("one", FIT)], "one")
    assert str(found).splitlines() == ["one would run: there is no earlier result to compare it with", "  first run"]


def test_against_a_run_of_choice(make_step: Make, ws: Any, run: Make) -> None:
    older = run(make_step("one", FIT, arguments=["--depth", "1"]))
    run(make_step("one", FIT, arguments=["--depth", "2"]))
    step = make_step("one", FIT, arguments=["--depth", "3"])
    assert [d.line for d in explained(ws, [step], "one", older.id[:8]).differences] == ["--depth 1 -> 3"]
    assert [d.line for d in explained(ws, [step], "one").differences] == ["--depth 2 -> 3"]
    with pytest.raises(NotRegisteredError, match="there is no run 'ffff0000'"):
        explained(ws, [step], "one", "ffff0000")


# --- of a run that is done


def test_a_run_that_is_done_is_explained(make_step: Make, ws: Any, run: Make) -> None:
    first = run(make_step("one", FIT, arguments=["--depth", "1"]))
    second = run(make_step("one", FIT, arguments=["--depth", "2"]))
    third = run(make_step("one", FIT, arguments=["--depth", "2"]))
    failed = run(make_step("one", "raise SystemExit(3)", arguments=["--depth", "2"]))
    told = {r.id: scriptstep("explain", r.id[:8], "one").stdout.splitlines() for r in (first, second, third, failed)}
    assert told[first.id] == ["one ran: there is no earlier result to compare it with", "  first run"]
    assert told[second.id][0].startswith(f"one ran: 1 difference from run {first.id[:4]}, step one")
    assert told[second.id][2] == "  argument   --depth   1 -> 2"
    assert told[third.id][0].startswith(f"one was reused: nothing differs from run {second.id[:4]}")
    assert told[failed.id][0].startswith(f"one failed: 1 difference from run {second.id[:4]}")
    assert "  file   main.py   changed (+1 -5)" in told[failed.id]
    assert scriptstep("explain", first.id[:8], "two").stderr == (
        f"error: run {first.id[:4]} has no step 'two'; it has one\n"
    )


def test_a_step_that_is_still_running_is_explained(make_step: Make, ws: Any, run: Make, project: Path) -> None:
    wait = f"""
        import pathlib, time
        while not pathlib.Path({str(project / "go")!r}).exists():
            time.sleep(0.01)
    """
    (project / "go").touch()
    finished = run(make_step("train", wait, arguments=["--depth", "1"]))
    (project / "go").unlink()
    going = Pipeline(ws, [make_step("train", wait, arguments=["--depth", "2"])]).submit("experiment")
    try:
        while [step.get_status() for step in going.get_steps()] != ["Running"]:
            time.sleep(0.01)
        shown = scriptstep("explain", going.id[:8], "train").stdout.splitlines()
        assert shown[0].startswith(f"train is running: 1 difference from run {finished.id[:4]}, step train")
        assert shown[2] == "  argument   --depth   1 -> 2"
    finally:
        (project / "go").touch()
        going.wait_for_completion(show_output=False)
    assert scriptstep("explain", going.id[:8], "train").stdout.splitlines()[2:] == shown[2:]


# --- between machines

ELSEWHERE = """
    import sys
    from azureml.core import Workspace, Experiment
    from azureml.core.runconfig import RunConfiguration
    from azureml.pipeline.core import Pipeline
    from azureml.pipeline.steps import PythonScriptStep
    config = RunConfiguration()
    config.environment.python.user_managed_dependencies = True
    config.environment.python.interpreter_path = sys.argv[1]
    config.environment_variables = {"API_TOKEN": sys.argv[2], "MODE": "fast"}
    step = PythonScriptStep("main.py", name="train", source_directory="src", runconfig=config,
                            arguments=["--password", sys.argv[2]])
    Experiment(Workspace.from_config(), "exp").submit(Pipeline(Workspace.from_config(), [step]))
"""
CANARY = "correct-horse-battery"


@pytest.fixture
def machines(tmp_path: Path) -> Callable[..., Callable[..., str]]:
    """Makes a machine: its own project folder, state folder and virtual environment, filled by an installer."""

    def make(name: str, version: str, fill: Callable[[str, list[str]], None]) -> Callable[..., str]:
        folder = tmp_path / name / "deep" / "project"
        script(folder, ELSEWHERE)
        script(folder / "src", "print(1)", "main.py")
        python = make_venv(tmp_path / name / "environment")
        built = [str(wheel(tmp_path / name, p, v, {f"{p}.py": v})) for p, v in (("alpha", version), ("beta", "2.0"))]
        fill(python, built)

        def call(*arguments: str, secret: str = CANARY, code: int = 0) -> str:
            more = [python, secret] if arguments[0] in ("run", "explain", "plan", "key") else []
            done = scriptstep(*arguments, *more, cwd=folder, SCRIPTSTEP_HOME=str(tmp_path / name / "state"))
            assert done.returncode == code, done.stderr
            return done.stdout

        return call

    return make


def test_why_ci_runs_what_the_laptop_reuses(machines: Any, tmp_path: Path) -> None:
    laptop = machines("laptop", "1.0", fill_by_pip)
    ci, other_ci = machines("ci", "1.0", fill_by_uv), machines("other", "1.1", fill_by_uv)
    exported = tmp_path / "laptop.json"
    laptop("run", "pipeline.py")
    laptop("key", "export", "-o", str(exported), "pipeline.py", "train")
    assert CANARY not in exported.read_text()

    # The same packages at another place, by another installer: the same key.
    told = json.loads(ci("explain", "--json", "--against", str(exported), "pipeline.py", "train"))
    assert told["same_key"] and told["differences"] == []

    text = other_ci("explain", "--against", str(exported), "pipeline.py", "train")
    assert text.splitlines()[0].startswith("train would run: 1 difference from laptop.json, step train")
    assert "  package   alpha   1.1 here, 1.0 there" in text.splitlines()

    # A secret that differs is not compared, and that is said; so is that the keys differ.
    text = ci("explain", "--against", str(exported), "pipeline.py", "train", secret="another")
    assert "nothing that can be compared differs from laptop.json, step train, and yet the keys do" in text
    assert "not compared: API_TOKEN, --password (secret)" in text


def test_what_is_no_exported_key(machines: Any, tmp_path: Path) -> None:
    laptop = machines("laptop", "1.0", fill_by_pip)
    (tmp_path / "a.json").write_text("[1]")
    (tmp_path / "b.json").write_text("{")
    (tmp_path / "c.json").write_text('{"kind": "scriptstep key", "version": 1, "step": "x"}')
    for name in ("a.json", "b.json", "c.json", "none.json"):
        laptop("explain", "--against", str(tmp_path / name), "pipeline.py", "train", code=1)


# --- secrets


@pytest.fixture
def marked(project: Path) -> None:
    """Settings that mark names as secret; asked for before the workspace, which reads them."""
    (project / "scriptstep.toml").write_text('[environment]\nsecret = ["CONNECTION", "dsn"]\n')


def test_a_secret_is_nowhere_but_in_the_step(
    marked: None, make_step: Make, ws: Any, run: Make, home: Path, project: Path
) -> None:
    seen = project / "seen"

    def step(secret: str) -> Any:
        config = RunConfiguration()
        config.environment_variables = {"API_KEY": secret, "CONNECTION": secret}
        config.environment.docker.base_image_registry.password = secret
        return make_step(
            "one",
            f"""
            import os, pathlib, sys
            pathlib.Path({str(seen)!r}).write_text(" ".join([os.environ["API_KEY"], *sys.argv]))
            """,
            runconfig=config,
            arguments=[
                "--api-key",
                secret,
                f"--db-password={secret}",
                f"--dsn={secret}",
                "--depth",
                "3",
                "--token",
                PipelineParameter("access_token", secret),
            ],
            params={"client_secret": secret},
        )

    run(step(CANARY))
    assert seen.read_text().count(CANARY) == 5
    found = explained(ws, [step("another-" + CANARY)], "one")
    assert {(d.kind, d.name) for d in found.differences} == {
        ("argument", "--api-key"),
        ("argument", "--db-password"),
        ("argument", "--dsn"),
        ("param", "client_secret"),
        ("parameter", "access_token"),
        ("variable", "API_KEY"),
        ("variable", "CONNECTION"),
    }
    assert CANARY not in str(found) + json.dumps(found.to_json()) + repr(found)
    failed = run(make_step("two", "raise SystemExit(1)", arguments=["--api-key", CANARY]))
    assert failed.get_status() == "Failed"
    holders = [
        str(path.relative_to(home))
        for path in home.rglob("*")
        if path.is_file() and not path.is_symlink() and CANARY.encode() in path.read_bytes()
    ]
    assert holders == []


def test_a_name_with_control_characters_is_escaped(make_step: Make, ws: Any, run: Make, project: Path) -> None:
    name = "evil\x1b[31m\n.py"
    step = make_step("one", FIT)
    run(step)
    (project / "src" / "one" / name).write_text("x = '\x1b[2J'\n")
    text = str(explained(ws, [step], "one"))
    assert "\x1b" not in text and r"evil\x1b[31m\n.py" in text


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems take no such names")
def test_a_name_that_is_no_utf8_is_spelled_one_way_everywhere(
    make_step: Make, ws: Any, run: Make, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    step = make_step("one", FIT)
    (project / "src" / "one" / os.fsdecode(b"caf\xe9.py")).write_text("x = 1\n")
    main(["files", "src/one"])
    assert "caf\\udce9.py" in capsys.readouterr().out
    run(make_step("one", FIT))
    (project / "src" / "one" / os.fsdecode(b"caf\xe9.py")).write_text("x = 2\n")
    plan = Pipeline(ws, [step]).plan()
    assert "caf\\udce9.py changed" in str(plan) and "caf\\udce9.py changed" in plan._repr_html_()
    found = plan.explain("one")
    assert "caf\\udce9.py" in str(found) and "caf\\udce9.py" in found._repr_html_()
    (difference,) = found.to_json()["differences"]
    assert difference["name"] == "caf\udce9.py" and difference["diff"].startswith("--- caf\udce9.py\n")
    assert "caf\\udce9.py changed" in run(step)._repr_html_()


def test_explain_without_a_known_step(project: Path) -> None:
    script(project / "src", "print(1)", "main.py")
    script(
        project,
        """
        from azureml.core import Workspace, Experiment
        from azureml.pipeline.core import Pipeline
        from azureml.pipeline.steps import PythonScriptStep
        ws = Workspace.from_config()
        Experiment(ws, "exp").submit(Pipeline(ws, [PythonScriptStep("main.py", name="one", source_directory="src")]))
        """,
    )
    assert "help: did you mean 'one'?" in scriptstep("explain", "pipeline.py", "on").stderr
    assert "error: which step?" in scriptstep("explain").stderr
    assert "there is no run 'abcd'" in scriptstep("explain", "abcd", "one").stderr


def test_a_plan_of_a_key_that_cannot_be_known_cannot_be_exported(make_step: Make, ws: Any) -> None:
    out = PipelineData("out")
    steps = [
        make_step("first", "", arguments=[out], outputs=[out]),
        make_step("second", "", arguments=[out], inputs=[out]),
    ]
    with pytest.raises(UserErrorException, match="the key of step 'second' is not known yet: depends on first"):
        Pipeline(ws, steps).plan().export_key("second")
