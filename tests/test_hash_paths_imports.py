"""`hash_paths="imports"`: a step gets its script and what that imports, and no other Python file."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from scriptstep import CommandStep, Pipeline, PythonScriptStep, RunConfiguration
from scriptstep.authoring.python_script_step import _PythonScriptStepBase
from scriptstep.errors import ArgumentError
from tests.logs import log_of
from tests.test_reuse import reason

Make = Callable[..., Any]
Tell = Callable[[Any], dict[str, str]]


@pytest.fixture
def step(project: Path) -> Make:
    """Makes a step of files: `step({"main.py": "import a"}, script="main.py")`; those given before stay."""

    def make(files: dict[str, str], script: str = "main.py", **given: Any) -> PythonScriptStep:
        for name, text in files.items():
            file = project / "code" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(dedent(text), encoding="utf-8")
        given.setdefault("hash_paths", "imports")
        return PythonScriptStep(script, name="only", source_directory=str(project / "code"), **given)

    return make


def failure(run: Any) -> str:
    (found,) = run.find_step_run("only")
    return str(found._row().error["message"])


LISTING = """
    import os
    print(sorted(os.path.join(p, f)[2:] for p, _, names in os.walk(".") for f in names if "__pycache__" not in p))
"""


def test_the_working_copy_holds_what_is_imported_and_what_is_no_python_file(step: Make, run: Make) -> None:
    files = {
        "main.py": "import lib.used\n" + dedent(LISTING),
        "lib/__init__.py": "",
        "lib/used.py": "",
        "lib/other.py": "",
        "stub.pyi": "",
        "other.py": "",
        "notes.md": "",
        "lib/table.csv": "",
    }
    done = run(step(files))
    assert "['lib/__init__.py', 'lib/table.csv', 'lib/used.py', 'main.py', 'notes.md']" in log_of(done, "only")


def test_another_python_file_runs_nothing_and_an_imported_one_runs_the_step(
    step: Make, run: Make, verdicts: Tell
) -> None:
    run(step({"main.py": "import a", "a.py": "import b", "b.py": "x = 1", "other.py": "", "notes.md": "one"}))
    again = run(step({"other.py": "changed = 1", "new.py": ""}))
    assert (verdicts(again), reason(again, "only")) == ({"only": "reused"}, "")
    again = run(step({"b.py": "x = 2"}))
    assert (verdicts(again), reason(again, "only")) == ({"only": "ran"}, "b.py changed (+1 -1)")
    again = run(step({"notes.md": "two"}))
    assert (verdicts(again), reason(again, "only")) == ({"only": "ran"}, "notes.md changed (+1 -1)")
    again = run(step({"a.py": "import b, other"}))
    assert verdicts(again) == {"only": "ran"}
    assert "other.py added" in reason(again, "only")


def test_a_module_found_only_at_run_time_is_missing_and_the_error_names_the_setting(
    step: Make, run: Make, verdicts: Tell
) -> None:
    code = """
        import pickle
        pickle.loads(b"cplugins.a\\nThing\\n.")
    """
    failed = run(step({"main.py": code, "plugins/__init__.py": "", "plugins/a.py": "class Thing: pass"}))
    assert verdicts(failed) == {"only": "Failed"}
    told = failure(failed)
    assert "hash_paths='imports' left out plugins/" in told and "TYPE_CHECKING" in told
    hint = "from typing import TYPE_CHECKING\nif TYPE_CHECKING: import plugins.a\n"
    assert verdicts(run(step({"main.py": hint + dedent(code)}))) == {"only": "ran"}
    assert verdicts(run(step({"main.py": code}, hash_paths=None))) == {"only": "ran"}


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("open('too' + 'l.p' + 'y')", "left out tool.py"),
        (
            "import subprocess, sys; subprocess.run([sys.executable, 'too' + 'l.p' + 'y'], check=True)",
            "left out tool.py",
        ),
        ("import os; import numpyy", "exit code 1"),
        ("import pickle; pickle.loads(b'csub.tool\\nx\\n.')", "left out sub/deep.py and 2 more files"),
        ("import pickle; pickle.loads(b'cdeep\\nx\\n.')", "exit code 1"),
    ],
)
def test_what_failed_for_another_reason_is_not_laid_to_the_setting(code: str, told: str, step: Make, run: Make) -> None:
    files = {"main.py": code, "tool.py": "", "sub/tool.py": "", "sub/deep.py": "", "sub/numpyy.py": ""}
    message = failure(run(step(files)))
    assert told in message
    assert ("hash_paths" in message) == ("left out" in told)


def test_where_it_cannot_be_known_all_is_taken_and_the_warning_says_where(
    step: Make, run: Make, verdicts: Tell, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {
        "main.py": "import load\nprint(load.load('one').x)",
        "load.py": "import importlib\n\ndef load(name):\n    return importlib.import_module(f'plugins.{name}')\n",
        "plugins/one.py": "x = 'found'",
    }
    done = run(step(files))
    assert "found" in log_of(done, "only")
    told = capsys.readouterr().err
    assert told.count("load.py:4: import_module of a name that is not written out") == 1
    assert "hash_paths='imports' takes every Python file" in told
    # It is the work that it would be without the setting.
    assert verdicts(run(step({}, hash_paths=None))) == {"only": "reused"}


def test_a_result_made_beside_more_files_is_none_of_a_step_that_is_not_given_them(
    step: Make, run: Make, verdicts: Tell
) -> None:
    code = "import pickle; print(pickle.loads(b'cplugin\\nx\\n.'))"
    listed = step({"main.py": code, "plugin.py": "x = 1"}, hash_paths=["main.py"])
    assert verdicts(run(listed)) == {"only": "ran"}
    assert verdicts(run(step({}))) == {"only": "Failed"}
    assert verdicts(run(step({}, hash_paths=["main.py"]))) == {"only": "reused"}


def test_a_script_in_a_subfolder_finds_its_own_folder_then_the_root_then_pythonpath(step: Make, run: Make) -> None:
    files = {
        "sub/main.py": "import first, second, third; print(first.x, second.x, third.x)" + dedent(LISTING),
        "sub/first.py": "x = 'sub'",
        "first.py": "x = 'root'",
        "second.py": "x = 'root'",
        "src/third.py": "x = 'path'",
        "src/second.py": "x = 'path'",
    }
    runconfig = RunConfiguration()
    runconfig.environment_variables["PYTHONPATH"] = "src:.."
    told = log_of(run(step(files, "sub/main.py", runconfig=runconfig)), "only")
    assert "sub root path" in told
    assert "['second.py', 'src/third.py', 'sub/first.py', 'sub/main.py']" in told


def test_a_published_pipeline_and_one_that_was_written_down_keep_the_setting(
    step: Make, ws: Any, run: Make, verdicts: Tell, project: Path
) -> None:
    pipeline = Pipeline(ws, [step({"main.py": "import a\n" + dedent(LISTING), "a.py": "", "other.py": ""})])
    published = pipeline.publish("kept")
    kept = published.save(str(project / "kept.yml"))
    del kept
    read = Pipeline.load_yaml(ws, str(project / "kept.yml"))
    assert [node.spec.hash_paths for node in read.graph.module_nodes] == ["imports"]
    (project / "code" / "a.py").write_text("changed = 1")
    from scriptstep import Experiment

    done = Experiment(ws, "test").submit(published)
    done.wait_for_completion(show_output=False)
    assert "['a.py', 'main.py']" in log_of(done, "only")
    assert verdicts(run(step({"a.py": ""}))) == {"only": "reused"}


def test_it_may_be_said_in_a_file(ws: Any, project: Path) -> None:
    (project / "src").mkdir()
    (project / "src" / "a.py").write_text("")
    step = "{type: PythonScriptStep, script_name: a.py, source_directory: src, hash_paths: %s}"
    file = project / "pipeline.yml"
    file.write_text("pipeline: {steps: {a: %s}}" % (step % "imports"))
    (node,) = Pipeline.load_yaml(ws, str(file)).graph.module_nodes
    assert node.spec.hash_paths == "imports"
    file.write_text("pipeline: {steps: {a: %s}}" % (step % "a.py"))
    with pytest.raises(ArgumentError, match=r"a list of paths, or 'imports', not 'a\.py'"):
        Pipeline.load_yaml(ws, str(file))


def test_a_command_imports_nothing() -> None:
    with pytest.raises(ArgumentError, match="a command has none") as caught:
        _PythonScriptStepBase(command="python a.py", hash_paths="imports")
    assert "hash_paths=[...]" in str(caught.value.help)
    with pytest.raises(TypeError, match="hash_paths"):
        CommandStep("python a.py", hash_paths="imports")  # type: ignore[call-arg]


def test_any_other_text_is_refused_with_what_was_meant() -> None:
    for wrong in ("import", "train.py", Path("imports")):
        with pytest.raises(TypeError, match=r"a list of paths, or 'imports', not") as caught:
            PythonScriptStep("train.py", hash_paths=wrong)  # type: ignore[arg-type]
        assert f"did you mean hash_paths=['{wrong}']?" in str(caught.value.help)


def test_declaring_it_loads_nothing_of_the_engine() -> None:
    code = "import sys; from scriptstep import PythonScriptStep as P; P('a.py', hash_paths='imports')"
    code += "; print([m for m in sys.modules if m.startswith(('scriptstep.engine', 'scriptstep.history'))])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_a_stored_file_that_cannot_be_read_stops_the_run_and_is_stored_anew(
    step: Make, run: Make, verdicts: Tell, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scriptstep.engine.imports import closure as import_closure

    run(step({"main.py": "import a", "a.py": "", "other.py": ""}))
    monkeypatch.setattr(import_closure, "_read", {})
    for file in home.glob("trees/??/*/content/a.py"):
        if (file.parent / "other.py").exists():
            file.unlink()
    stopped = run(step({}))
    assert stopped.get_status() == "Failed"
    assert "a.py of stored tree" in str(stopped._row().error["message"])
    assert verdicts(run(step({}))) == {"only": "reused"}


def test_a_module_that_was_damaged_in_the_store_is_not_believed(
    make_step: Make, run: Make, home: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scriptstep.engine.imports import closure

    code = "try:\n    import helper\nexcept ImportError:\n    print('WITHOUT')\nelse:\n    print('with')\n"
    (project / "src" / "one").mkdir(parents=True)
    (project / "src" / "one" / "helper.py").write_text("x = 1\n")

    def step() -> Any:
        return make_step("one", code, hash_paths="imports")

    def log(finished: Any) -> str:
        return finished.find_step_run("one")[0].get_job_log()

    assert "with" in log(run(step()))
    monkeypatch.setattr(closure, "_read", {})
    for stored in home.glob("trees/*/*/content/main.py"):
        stored.write_text(code.replace("import helper", "import nothing"))
    for _ in range(3):
        finished = run(step(), regenerate_outputs=True)
        assert finished.get_status() == "Failed" or "WITHOUT" not in log(finished)
    assert finished.get_status() == "Finished" and "with" in log(finished)
