"""In a step's interpreter, and in those that it starts, ours is found by place; nothing is loaded until it is asked for."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

import scriptstep

BOOTSTRAP = Path(scriptstep.__file__).parent / "runtime" / "bootstrap"


def python(
    code: str, folder: Path, *options: str, script: str = "code.py", interpreter: str = sys.executable, **env: str
) -> subprocess.CompletedProcess[str]:
    """Runs a script as a step does: the bootstrap, then the root of the working copy, on PYTHONPATH."""
    target = folder / script
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(dedent(code))
    given = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([str(BOOTSTRAP), str(folder)]), **env}
    return subprocess.run(
        [interpreter, *options, str(target)], env=given, cwd=folder, capture_output=True, text=True, timeout=60
    )


USE = "from azureml.core import Run\nimport scriptstep.runtime.events\nprint(type(Run.get_context()).__name__)\n"


@pytest.mark.parametrize("script", ["scriptstep.py", "azureml.py", "azureml/core.py", "scriptstep/__init__.py"])
def test_ours_is_found_although_the_script_has_its_name(tmp_path: Path, script: str) -> None:
    found = python(USE, tmp_path, script=script)
    assert found.stdout.split() == ["_OfflineRun"], found.stderr


@pytest.mark.parametrize("place", ["azureml", "scriptstep", "azureml/core", "inner/azureml"])
@pytest.mark.parametrize("is_package", [True, False])
def test_ours_is_found_although_a_folder_of_the_users_has_its_name(
    tmp_path: Path, place: str, is_package: bool
) -> None:
    folder = tmp_path / place
    folder.mkdir(parents=True)
    if is_package:
        (folder / "__init__.py").write_text("raise ImportError('the wrong one')")
    found = python(USE, tmp_path, script="inner/main.py")
    assert found.stdout.split() == ["_OfflineRun"], found.stderr


def test_ours_is_found_although_another_place_on_pythonpath_has_its_name(tmp_path: Path) -> None:
    other = tmp_path / "other"
    for name in ("azureml", "scriptstep"):
        (other / name).mkdir(parents=True)
        (other / name / "__init__.py").write_text("raise ImportError('the wrong one')")
    path = os.pathsep.join([str(BOOTSTRAP), str(tmp_path), str(other)])
    found = python(USE, tmp_path, PYTHONPATH=path)
    assert found.stdout.split() == ["_OfflineRun"], found.stderr


STARTS = {
    "subprocess": "subprocess.run([sys.executable, 'use.py'], check=True)",
    "other folder": "subprocess.run([sys.executable, os.path.abspath('use.py')], cwd='/', check=True)",
    "-c": "subprocess.run([sys.executable, '-c', open('use.py').read()], check=True)",
    "-m": "subprocess.run([sys.executable, '-m', 'use'], check=True)",
    "shell": "subprocess.run(f'{sys.executable} use.py', shell=True, check=True)",
    "grandchild": "subprocess.run(['sh', '-c', f'{sys.executable} -c \"import os, sys; os.execv(sys.executable, [sys.executable, chr(117)+chr(115)+chr(101)+chr(46)+chr(112)+chr(121)])\"'], check=True)",
    "fork": "os.fork() or (exec(open('use.py').read()), sys.stdout.flush(), os._exit(0)); os.wait()",
    "spawn": "multiprocessing.get_context('spawn').Process(target=exec, args=(open('use.py').read(),)).start()",
}


@pytest.mark.parametrize("how", STARTS)
def test_interpreters_that_the_script_starts_find_it_too(tmp_path: Path, how: str) -> None:
    (tmp_path / "use.py").write_text(USE)
    (tmp_path / "azureml").mkdir()
    code = f"import multiprocessing, os, subprocess, sys\nif __name__ == '__main__':\n    {STARTS[how]}\n"
    found = python(code, tmp_path)
    assert found.stdout.split() == ["_OfflineRun"], found.stderr


def test_the_path_starts_with_the_scripts_folder_and_ours_is_not_on_it(tmp_path: Path) -> None:
    found = python("import json, sys; print(json.dumps(sys.path))", tmp_path, script="inner/code.py")
    path = json.loads(found.stdout)
    assert path[:2] == [str(tmp_path / "inner"), str(tmp_path)]
    assert str(BOOTSTRAP) not in path


def test_the_users_own_modules_come_before_installed_ones(tmp_path: Path) -> None:
    (tmp_path / "pytest.py").write_text("print('mine')")
    assert python("import pytest", tmp_path).stdout == "mine\n"


# --- sitecustomize


def test_a_sitecustomize_of_the_users_still_runs_and_is_the_one_that_is_seen(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import builtins\nbuiltins.MARK = __name__, __file__")
    found = python("import sitecustomize; print(*MARK, sitecustomize.__file__)", tmp_path)
    place = str(tmp_path / "sitecustomize.py")
    assert found.stdout.split() == ["sitecustomize", place, place], found.stderr


def test_a_sitecustomize_package_of_the_users_still_runs(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize").mkdir()
    (tmp_path / "sitecustomize" / "__init__.py").write_text("from sitecustomize import more")
    (tmp_path / "sitecustomize" / "more.py").write_text("import builtins\nbuiltins.MARK = 1")
    assert python("print(MARK)", tmp_path).stdout == "1\n"


def test_a_sitecustomize_of_the_users_that_fails_is_told_of_and_ours_is_found_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import no_such_module")
    found = python(USE, tmp_path)
    assert found.stdout.split() == ["_OfflineRun"]
    assert "no_such_module" in found.stderr


def test_without_another_one_ours_is_the_one_that_is_seen(tmp_path: Path) -> None:
    code = "import sitecustomize; print(sitecustomize.__file__)"
    # A distribution's Python may bring one of its own: then that is the one.
    own = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False)
    expected = own.stdout.strip() or str(BOOTSTRAP / "sitecustomize.py")
    assert python(code, tmp_path).stdout.strip() == expected


# --- what it costs


def test_nothing_of_ours_is_loaded_until_it_is_asked_for(tmp_path: Path) -> None:
    code = "import sys; print([m for m in sys.modules if m.startswith(('scriptstep', 'azureml', 'importlib', 'json'))])"
    assert python(code, tmp_path, "-S").stdout == python(code, tmp_path).stdout


def test_a_step_that_logs_loads_no_heavy_library(tmp_path: Path) -> None:
    code = """
        import sys
        from azureml.core import Run
        Run.get_context().log("a", 1)
        heavy = ("pydantic", "rich", "pandas", "numpy", "asyncio", "importlib.metadata", "sqlite3", "subprocess")
        print([m for m in sys.modules if m in heavy or m.startswith("scriptstep.engine")])
    """
    found = python(code, tmp_path)
    assert found.stdout == "[]\n", found.stderr


def test_what_loads_in_a_step_needs_the_standard_library_alone(tmp_path: Path) -> None:
    code = f"""
        import sys
        sys.path.insert(0, {str(BOOTSTRAP.parents[2])!r})
        import scriptstep.runtime.catalog, scriptstep.runtime.offline, scriptstep.workspace.catalog
        ours = ("scriptstep", "__main__")
        print(sorted({{m.split(".")[0] for m in sys.modules}} - set(sys.stdlib_module_names) - set(ours)))
    """
    found = python(code, tmp_path, "-S")
    assert found.stdout == "[]\n", found.stderr


# --- other Pythons that a script may start


def test_the_bootstrap_is_written_for_any_python_3() -> None:
    ast.parse((BOOTSTRAP / "sitecustomize.py").read_text(), feature_version=(3, 7))


def test_a_python_of_any_version_starts_as_ever(tmp_path: Path) -> None:
    named = [shutil.which(f"python{version}") for version in ("2.7", *(f"3.{n}" for n in range(6, 15)))]
    installed = [*filter(None, named), *map(str, Path.home().glob(".pyenv/versions/*/bin/python"))]
    works = [p for p in installed if subprocess.run([p, "-c", ""], capture_output=True, check=False).returncode == 0]
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.mark = 1")
    code = "import sys\nsys.stdout.write('%d %d' % (sys.mark, len(sys.path)))"
    for interpreter in [sys.executable, *works]:
        env = {"PYTHONDONTWRITEBYTECODE": "1"}
        found = python(code, tmp_path, interpreter=interpreter, **env)
        plain = python(code, tmp_path, interpreter=interpreter, PYTHONPATH=str(tmp_path), **env)
        assert found.stdout.startswith("1 "), (interpreter, found.stderr)
        assert (found.stdout, found.stderr) == (plain.stdout, plain.stderr), interpreter
