"""Notebooks without a notebook server."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scriptstep.cli.cells import as_python, cell_magic
from scriptstep.cli.magics import expanded, installs


def notebook(path: Path, *cells: Any, **metadata: Any) -> Path:
    made = []
    for cell in cells:
        source, tags = cell if isinstance(cell, tuple) else (cell, [])
        kind = "markdown" if source.startswith("# markdown") else "code"
        made.append({"cell_type": kind, "source": source.splitlines(keepends=True), "metadata": {"tags": tags}})
    path.write_text(json.dumps({"nbformat": 4, "cells": made, "metadata": metadata}), encoding="utf-8")
    return path


def run(path: Path, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scriptstep", "run", str(path), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=60)


def test_cells_share_names_and_the_last_expression_of_each_is_shown(tmp_path: Path) -> None:
    done = run(
        notebook(
            tmp_path / "a.ipynb",
            "# markdown\nx = 1/0",
            "x = 40",
            "x + 2",
            "x;",
            "None",
            "'text'",
            "for i in range(2):\n    i\nprint('printed')",
            "display(x, [1])",
            "if x:\n    y = _",
            "y",
        )
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["42", "'text'", "printed", "40", "[1]", "'text'"]


def test_a_notebook_runs_in_its_folder_which_is_first_on_the_path_after_the_empty_one(tmp_path: Path) -> None:
    folder = tmp_path / "in here"
    folder.mkdir()
    (folder / "helper.py").write_text("VALUE = 7")
    (folder / "sub").mkdir()
    path = notebook(
        folder / "a.ipynb",
        "import sys, os, helper\nprint(helper.VALUE, os.getcwd(), sys.path[:2], sys.argv[1:], __name__)",
        "%cd sub\nopen('made.py', 'w').write('A = 1');",
        "import made\nmade.A",
    )
    done = run(path, "--depth", "3", cwd=tmp_path)
    first, *rest = done.stdout.splitlines()
    assert first == f"7 {folder} {['', str(folder)]} ['--depth', '3'] __main__"
    assert rest == [str(folder / "sub"), "1"]


def test_shell_lines_are_run_and_filled_in_and_what_would_install_is_skipped_and_said(tmp_path: Path) -> None:
    path = notebook(
        tmp_path / "a.ipynb",
        "folder = 'scripts'\nimport os\nos.makedirs(folder)\nclass options: name = 'x y'",
        "! echo 'print(1)' > $folder/train.py && ls {folder}",
        "found = !ls $folder\nprint(found)",
        "!echo $HOME $$HOME '{options.name}' $options.name",
        "def inner(word):\n    !echo {word}\ninner('local')",
        "!pip install azureml-sdk --upgrade",
        "pip install -q foo",
        "%pip install foo\n!{sys.executable} -m pip install foo\n!cd x && az login\n! apt-get update",
        "!exit 3",
        "!echo one; \\\necho two",
        "print('end')",
    )
    done = run(path)
    lines = done.stdout.splitlines()
    assert lines[:2] == ["train.py", "['train.py']"]
    home = os.environ.get("HOME", "")
    assert lines[2] == f"{home} {home} x y x y"
    assert lines[3:] == ["local", "one", "two", "end"]
    skipped = [line for line in done.stderr.splitlines() if line.startswith("note: skipped")]
    assert len(skipped) == 6
    assert "pip install azureml-sdk --upgrade" in skipped[0]
    assert "warning: exit code 3: ! exit 3" in done.stderr
    assert done.returncode == 0


def test_files_are_written_and_magics_are_done_or_left(tmp_path: Path) -> None:
    path = notebook(
        tmp_path / "a.ipynb",
        "folder = 'out'\n%mkdir -p out",
        "%%writefile $folder/train.py\nimport os\nprint('{not filled in} $folder')",
        "%%writefile -a {folder}/train.py\nprint('more')",
        "%matplotlib inline\n%load_ext autoreload\n%autoreload 2",
        "%%time\ny = 1\ny + 1",
        "%time z = y + 5",
        "%%capture kept\nprint('hidden')",
        "print(z, kept.stdout.strip())",
        "%env FLAVOUR=sweet\nimport os\nos.environ['FLAVOUR']",
        "%%bash\necho from bash; [[ a == a ]] && echo yes",
        "%%html\n<b>x</b>",
        "%run out/train.py",
        "print?",
        "%unheard_of 1 2",
    )
    done = run(path)
    assert (tmp_path / "out" / "train.py").read_text() == (
        "import os\nprint('{not filled in} $folder')\nprint('more')\n"
    )
    assert done.stdout.splitlines() == [
        "Writing out/train.py",
        "Appending to out/train.py",
        "2",
        "6 hidden",
        "env: FLAVOUR=sweet",
        "'sweet'",
        "from bash",
        "yes",
        "{not filled in} $folder",
        "more",
    ]
    assert "%%html" in done.stderr
    assert "%unheard_of" in done.stderr
    assert done.returncode == 0


def test_an_error_shows_the_cell_and_its_line_and_ends_the_notebook(tmp_path: Path) -> None:
    path = notebook(tmp_path / "a.ipynb", "x = 1", "y = 2\n!true\nz = x / 0", "print('never')")
    done = run(path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "Traceback (most recent call last):",
        '  File "a.ipynb, cell 2", line 3, in <module>',
        "    z = x / 0",
        *[line for line in done.stderr.splitlines()[3:-1] if set(line.strip()) <= {"~", "^"}],
        "ZeroDivisionError: division by zero",
    ]


def test_a_syntax_error_names_cell_and_line_without_our_frames(tmp_path: Path) -> None:
    done = run(notebook(tmp_path / "a.ipynb", "x = 1", "\nfor x in :\n    pass"))
    assert done.returncode == 1
    assert 'File "a.ipynb, cell 2", line 2' in done.stderr
    assert "SyntaxError" in done.stderr
    assert "scriptstep" not in done.stderr


def test_cells_that_may_raise_and_cells_to_skip(tmp_path: Path) -> None:
    path = notebook(
        tmp_path / "a.ipynb", ("1/0", ["raises-exception"]), ("print('skipped')", ["skip-execution"]), "print('end')"
    )
    done = run(path)
    assert done.stdout == "end\n"
    assert "ZeroDivisionError" in done.stderr
    assert done.returncode == 0


def test_await_works_at_the_top_of_a_cell(tmp_path: Path) -> None:
    path = notebook(tmp_path / "a.ipynb", "import asyncio\nasync def f():\n    return 5", "x = await f()\nx")
    assert run(path).stdout == "5\n"


def test_ipython_is_there_to_import(tmp_path: Path) -> None:
    cell = (
        "from IPython.display import display, HTML, Image\n"
        "from IPython import get_ipython\nimport IPython.core.display\n"
        "display(HTML('<b>'))\ndisplay(1)\nget_ipython().run_line_magic('matplotlib', 'inline')"
    )
    done = run(notebook(tmp_path / "a.ipynb", cell))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "1"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no notebook"),
        ('{"cells": 1}', "it holds no cells"),
        ('{"cells": [], "metadata": {"kernelspec": {"language": "R"}}}', "written in R"),
    ],
)
def test_what_is_no_python_notebook_is_one_clear_error(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "a.ipynb").write_text(content)
    done = run(tmp_path / "a.ipynb")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_an_old_notebook_format_is_read(tmp_path: Path) -> None:
    cells = [{"cell_type": "code", "input": ["print(3)"]}]
    (tmp_path / "a.ipynb").write_text(json.dumps({"nbformat": 3, "metadata": {}, "worksheets": [{"cells": cells}]}))
    assert run(tmp_path / "a.ipynb").stdout == "3\n"


PYTHON = [
    "x = 5 % 3",
    "x = a != b",
    "text = '''\n%matplotlib inline\n!ls\n'''",
    "f(a,\n  % b)",
    "x = [\n    '!ls',\n]",
    "y = 'it\\'s' % z\n",
    "x = 1 \\\n    % 2",
    'print(f"{x!r}")',
    "x = y if z else w  # what?",
    "s = 'a' '''b\n!c'''",
    "d = {'a': '%time'}",
    "lambda: 0",
    "assert x, '!'",
    "x: int = 3",
    "print('%d' %\n%s)",
]


@pytest.mark.parametrize("source", PYTHON)
def test_python_stays_as_it_stands(source: str) -> None:
    assert as_python(source) == source


@pytest.mark.parametrize(
    ("source", "made"),
    [
        ("!ls", "get_ipython().system('ls')"),
        ("    ! ls -l", "    get_ipython().system(' ls -l')"),
        ("%cd a b", "get_ipython().run_line_magic('cd', 'a b')"),
        ("x = !ls $a", "x = get_ipython().getoutput('ls $a')"),
        ("a, b = %env", "a, b = get_ipython().run_line_magic('env', '')"),
        ("%timeit -n 10 -r 3 f(x)", "f(x)"),
        ("?print", "pass"),
        ("df.head?", "pass"),
        ("!a \\\n  b\nx", "get_ipython().system('a \\\\\\n  b')\n\nx"),
        ("cd folder", "get_ipython().run_line_magic('cd', 'folder')"),
        ("cd = 3", "cd = 3"),
    ],
)
def test_magics_become_calls_in_the_same_lines(source: str, made: str) -> None:
    assert as_python(source) == made
    assert as_python(source).count("\n") == source.count("\n")
    ast.parse(as_python(source).strip())


def test_a_cell_magic_is_known_by_its_first_line() -> None:
    found = cell_magic("\n%%writefile  a/b.py \nx = 1\n")
    assert found is not None
    assert (found.name, found.line, found.body) == ("writefile", "a/b.py", "x = 1\n")
    assert cell_magic("x = 1\n%%time\n") is None
    assert cell_magic("%matplotlib inline") is None


@pytest.mark.parametrize(
    "command",
    [
        "pip install x",
        " pip3 install -q x",
        "python -m pip install x",
        "{sys.executable} -m pip install --upgrade x",
        "/opt/bin/python3.8 -m pip install x",
        "conda install -y x",
        "conda env create -f x.yml",
        "sudo apt-get install x",
        "az login",
        "cd a && pip install -r requirements.txt",
        "echo x; az ml -h",
        "PIP_QUIET=1 pip install x",
        "apt update",
    ],
)
def test_what_installs(command: str) -> None:
    assert installs(command)


@pytest.mark.parametrize(
    "command",
    ["ls", "echo pip install", "pip list", "pip freeze > r.txt", "python train.py", "cp azure.py b", "conda list"],
)
def test_what_does_not_install(command: str) -> None:
    assert not installs(command)


def test_names_are_filled_in_as_ipython_does() -> None:
    names = {"a": 1, "b": type("B", (), {"c": "x"}), "d": {"k": 2}}
    assert expanded("$a {a} {a + 1} $b.c {d['k']} $HOME $$a {{a}}", names) == "1 1 2 x 2 $HOME $a {a}"
    assert expanded("awk '{print $1}' $a", names) == "awk '{print $1}' 1"
