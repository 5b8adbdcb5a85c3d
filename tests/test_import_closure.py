"""The import closure: what Python itself loads is the oracle."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scriptstep.content import scan
from scriptstep.engine.imports.closure import Closure, SourceFiles, import_closure

Files = dict[str, str]
Closed = Callable[..., Closure]

# First on the path, as what serves scriptstep in a step is: tells which files of the working directory were loaded.
LOADED = """
    import atexit, os, sys
    def tell():
        here = os.getcwd() + os.sep
        files = [sys.argv[0], *(getattr(module, "__file__", None) for module in list(sys.modules.values()))]
        found = {os.path.realpath(file) for file in files if file}
        with open(os.environ["LOADED"], "w", encoding="utf-8") as told:
            told.writelines(file.removeprefix(here) + chr(10) for file in found if file.startswith(here))
    atexit.register(tell)
    sys.path.remove(os.path.dirname(__file__))
    this = sys.modules.pop("sitecustomize")
    try:
        import sitecustomize
    except ImportError:
        sys.modules["sitecustomize"] = this
"""


def write(root: Path, files: Files) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(dedent(text), encoding="utf-8")


def closure_of(root: Path, script: str = "main.py", search: tuple[str, ...] = ()) -> Closure:
    manifest = scan(root)
    return import_closure(SourceFiles(manifest, lambda path: (root / os.fsdecode(path)).read_bytes()), script, search)


def loaded(root: Path, script: str = "main.py", search: tuple[str, ...] = ()) -> tuple[set[str], int, str]:
    """Runs it: the files of the directory that were loaded, the exit code, what was printed."""
    with tempfile.TemporaryDirectory() as aside:
        write(Path(aside), {"sitecustomize.py": LOADED})
        path = os.pathsep.join([aside, str(root), *(str(root / folder) for folder in search)])
        told = Path(aside, "loaded")
        done = subprocess.run(
            [sys.executable, "-B", script],
            cwd=root.resolve(),
            env={"PYTHONPATH": path, "PATH": os.environ["PATH"], "PYTHONNOUSERSITE": "1", "LOADED": str(told)},
            capture_output=True,
            text=True,
        )
        return set(told.read_text(encoding="utf-8").splitlines()), done.returncode, done.stdout + done.stderr


def names(closure: Closure) -> set[str]:
    return {os.fsdecode(path) for path in closure.files}


PACKAGE = {"pkg/__init__.py": "", "pkg/a.py": "", "pkg/b.py": "", "pkg/sub/__init__.py": "", "pkg/sub/c.py": ""}

EXACT: dict[str, tuple[Files, str]] = {
    "a module": ({"main.py": "import a", "a.py": "import b", "b.py": "", "c.py": ""}, "main.py"),
    "a dotted module": ({**PACKAGE, "main.py": "import pkg.sub.c"}, "main.py"),
    "a module from a package": ({**PACKAGE, "main.py": "from pkg import a"}, "main.py"),
    "an attribute of a package": ({**PACKAGE, "pkg/__init__.py": "x = 1", "main.py": "from pkg import x"}, "main.py"),
    "relative": (
        {**PACKAGE, "pkg/sub/c.py": "from .. import a\nfrom ..b import __doc__", "main.py": "import pkg.sub.c"},
        "main.py",
    ),
    "a star of __all__": ({**PACKAGE, "pkg/__init__.py": "__all__ = ['a']", "main.py": "from pkg import *"}, "main.py"),
    "a star of none": ({**PACKAGE, "main.py": "from pkg import *"}, "main.py"),
    "a namespace": ({"main.py": "import ns.a.b", "ns/a/b.py": "", "ns/c.py": ""}, "main.py"),
    "a namespace of two roots": (
        {"sub/main.py": "from ns import a, b", "ns/a.py": "", "sub/ns/b.py": ""},
        "sub/main.py",
    ),
    "a package before a namespace": ({"sub/main.py": "import p", "sub/p/x.py": "", "p/__init__.py": ""}, "sub/main.py"),
    "its own folder before the root": (
        {"sub/main.py": "import a, b", "sub/a.py": "", "a.py": "", "b.py": ""},
        "sub/main.py",
    ),
    "a package before a module": ({"main.py": "import p", "p.py": "", "p/__init__.py": ""}, "main.py"),
    "a cycle": ({"main.py": "import a", "a.py": "import b", "b.py": "import a, main"}, "main.py"),
    "in a function that runs": ({"main.py": "def f():\n    import a\nf()", "a.py": ""}, "main.py"),
    "a shadow of the standard library": ({"main.py": "import random", "random.py": "import a", "a.py": ""}, "main.py"),
    "a shadow that only the standard library sees": (
        {"main.py": "import tempfile", "random.py": "Random = 1\nimport a", "a.py": ""},
        "main.py",
    ),
    "one file under two names": (
        {
            "pkg/main.py": "import a\nfrom pkg import a",
            "pkg/__init__.py": "",
            "pkg/a.py": "if __package__:\n    from . import b",
            "pkg/b.py": "",
        },
        "pkg/main.py",
    ),
    "a constant import_module": (
        {**PACKAGE, "main.py": "import importlib\nimportlib.import_module('pkg.a')"},
        "main.py",
    ),
    "a relative import_module": (
        {
            **PACKAGE,
            "main.py": "import pkg",
            "pkg/__init__.py": "from importlib import import_module as im\nim('.a', __name__)\n"
            "im('.b', package=__package__)\nim('..sub', 'pkg.x')",
        },
        "main.py",
    ),
    "__import__": ({**PACKAGE, "main.py": "__import__('pkg.a')"}, "main.py"),
    "a customised start": ({"main.py": "", "sitecustomize.py": "import a", "a.py": ""}, "main.py"),
    "a byte order mark": ({"main.py": "\ufeffimport a", "a.py": ""}, "main.py"),
    "a name that is not ASCII": ({"main.py": "import größe", "größe.py": ""}, "main.py"),
}


@pytest.mark.parametrize("case", EXACT)
def test_the_closure_is_what_python_loads(case: str, tmp_path: Path) -> None:
    files, script = EXACT[case]
    write(tmp_path, files)
    found = closure_of(tmp_path, script)
    ran, _, told = loaded(tmp_path, script)
    assert found.unclear is None
    assert names(found) == ran, told


def test_what_may_be_imported_is_there_too(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "main.py": """
                from typing import TYPE_CHECKING
                import sys
                if TYPE_CHECKING:
                    import types_only
                try:
                    import numpy_that_is_not_there
                except ImportError:
                    import fallback
                if sys.platform == "none":
                    import elsewhere
                class A:
                    async def f(self):
                        from inside import x
            """,
            **dict.fromkeys(("types_only.py", "fallback.py", "elsewhere.py", "inside.py", "other.py"), ""),
        },
    )
    assert names(closure_of(tmp_path)) == {"main.py", "types_only.py", "fallback.py", "elsewhere.py", "inside.py"}


def test_other_codings_are_read_as_python_reads_them(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_bytes("# -*- coding: latin-1 -*-\nimport a  # \xe4".encode("latin-1"))
    (tmp_path / "a.py").write_bytes(b"# coding: utf-16-none\n")
    assert str(closure_of(tmp_path).unclear).startswith("a.py:")
    (tmp_path / "a.py").write_bytes("# coding: cp1252\nx = '\u20ac'".encode("cp1252"))
    assert closure_of(tmp_path) == Closure(frozenset({b"main.py", b"a.py"}))


def test_links_are_followed_and_taken(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"real/main.py": "import a, lib.x, b", "real/a.py": "", "real/x.py": "", "deep/c.py": "", "main.py": ""},
    )
    (tmp_path / "main.py").unlink()
    (tmp_path / "main.py").symlink_to("real/main.py")
    (tmp_path / "lib").symlink_to("real")
    (tmp_path / "b.py").symlink_to("lib/../deep/c.py")
    (tmp_path / "loop").symlink_to("loop")
    found = closure_of(tmp_path)
    assert found.unclear is None
    assert loaded(tmp_path)[0] == {"real/main.py", "real/a.py", "real/x.py", "deep/c.py"}
    assert names(found) == {"main.py", "real/main.py", "real/a.py", "real/x.py", "b.py", "deep/c.py"}


def test_a_folder_on_pythonpath_is_searched_last(tmp_path: Path) -> None:
    write(tmp_path, {"main.py": "import a, b", "a.py": "", "src/a.py": "", "src/b.py": ""})
    assert names(closure_of(tmp_path, search=("src",))) == {"main.py", "a.py", "src/b.py"}
    assert loaded(tmp_path, search=("src",))[0] == {"main.py", "a.py", "src/b.py"}
    (tmp_path / "lib.zip").write_bytes(b"")
    assert str(closure_of(tmp_path, search=("lib.zip",)).unclear) == "lib.zip: it is on PYTHONPATH, and no folder"


def test_a_namespace_that_is_imported_by_itself_stays_there(tmp_path: Path) -> None:
    write(tmp_path, {"main.py": "import ns, kept", "ns/a.py": "", "kept/b.py": "", "kept/data.txt": ""})
    assert names(closure_of(tmp_path)) == {"main.py", "ns/a.py"}


def test_a_star_of_names_that_are_computed_takes_all_below(tmp_path: Path) -> None:
    write(tmp_path, {**PACKAGE, "pkg/__init__.py": "__all__ = [n for n in 'ab']", "main.py": "from pkg import *"})
    assert names(closure_of(tmp_path)) == {"main.py", *PACKAGE}


def test_python_files_that_the_code_names_are_taken_with_what_they_import(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "main.py": '''
                """See also untouched.py."""
                import os, subprocess, sys
                subprocess.run([sys.executable, "tools/worker.py"])
                subprocess.run([sys.executable, "-m", "pkg"])
                os.system("python -m single --x && python -u ./tools/other.py")
            ''',
            "tools/worker.py": "import beside, above",
            "tools/beside.py": "",
            "above.py": "",
            "tools/other.py": "",
            "pkg/__init__.py": "",
            "pkg/__main__.py": "from . import a",
            "pkg/a.py": "",
            "single.py": "",
            "untouched.py": "",
        },
    )
    found = closure_of(tmp_path)
    assert found.unclear is None
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.py")} - names(found) == {"untouched.py"}


@pytest.mark.parametrize(
    ("code", "line", "why"),
    [
        ("import importlib\nimportlib.import_module(name)", 2, "import_module of a name that is not written out"),
        ("from importlib import import_module as load\nmap(load, names)", 2, "import_module of a name"),
        ("import importlib\nimportlib.import_module('.a', package)", 2, "import_module of a name"),
        ("__import__(name)", 1, "__import__ of a name that is not written out"),
        ("__import__('a', fromlist=names)", 1, "__import__ of a name"),
        ("import builtins\nbuiltins.__import__(name)", 2, "__import__ of a name"),
        ("getattr(tools, 'import_module')(name)", 1, "it speaks of import_module"),
        ("import importlib.util as u\nu.find_spec(name)", 2, "find_spec of a name"),
        ("from importlib.util import spec_from_file_location\nspec_from_file_location('a', path)", 2, "makes a module"),
        ("import sys\nsys.path.append('lib')", 2, "sys.path may change"),
        ("import sys as s\ns.path[:0] = ['lib']", 2, "sys.path may change"),
        ("from sys import path\npath.append('lib')", 2, "sys.path may change"),
        ("import os\nos.sys.path.append('lib')", 2, "sys.path may change"),
        ("import sys\ns = sys\ns.path.append('lib')", 2, "sys is handed on"),
        ("import importlib as i\nsetattr(i, 'x', 1)", 2, "importlib is handed on"),
        ("from importlib import util\nprint(util)", 2, "importlib.util is handed on"),
        ("from pkgutil import get_loader\nget_loader(name)", 2, "pkgutil.get_loader looks for modules"),
        ("import sys\nsys.meta_path.insert(0, Finder)", 2, "meta_path changes where modules are found"),
        ("import site\nsite.addsitedir('lib')", 2, "addsitedir changes where modules are found"),
        ("__path__.append('lib')", 1, "__path__ changes where modules are found"),
        ("__package__ = 'pkg'\nfrom . import a", 1, "__package__ is set"),
        ("import os\nos.environ['PYTHONPATH'] = 'lib'", 2, "it speaks of PYTHONPATH"),
        ("import runpy", 1, "runpy finds modules by itself"),
        ("import pkgutil\npkgutil.iter_modules(['x'])", 2, "iter_modules looks for modules"),
        ("exec(text)", 1, "exec runs what no file says"),
        ("eval(text)", 1, "eval runs what no file says"),
        ("import pytest\npytest.main(['tests'])", 2, "pytest.main looks for tests"),
        ("from glob import glob\nglob('plugins/*.py')", 2, r"it speaks of Python files as 'plugins/\*.py'"),
        ("run(f'{name}.py')", 1, r"it speaks of Python files as '.py'"),
        ("x = (", 1, "it cannot be parsed"),
        ("x = 1\0", 1, "it cannot be parsed"),
        ("-" * 200_000 + "1", 1, "nested too deeply|cannot be parsed"),
    ],
)
def test_where_it_cannot_be_known_the_answer_says_where_and_why(code: str, line: int, why: str, tmp_path: Path) -> None:
    write(tmp_path, {"main.py": "import lib.b", "lib/a.py": "", "other.py": ""})
    (tmp_path / "lib" / "b.py").write_text(code, encoding="utf-8")
    found = closure_of(tmp_path)
    assert found.unclear is not None and (found.unclear.path, found.unclear.line) == (b"lib/b.py", line)
    assert re.search(why, found.unclear.why)
    assert str(found.unclear).startswith(f"lib/b.py:{line}: ")
    assert names(found) == {"main.py", "lib/a.py", "lib/b.py", "other.py"}
    (tmp_path / "main.py").write_text("import other")
    assert names(closure_of(tmp_path)) == {"main.py", "other.py"}, "what is not imported says nothing"


@pytest.mark.parametrize(
    "name", ["fast.so", "fast.cpython-311-x86_64-linux-gnu.so", "fast.pyc", "fast/__init__.abi3.so"]
)
def test_what_a_compiled_module_imports_cannot_be_known(name: str, tmp_path: Path) -> None:
    write(tmp_path, {"main.py": "import fast", "fast.py": "", ".gitignore": "!*.pyc", name: ""})
    assert str(closure_of(tmp_path).unclear) == f"{name}: it is compiled: what it imports cannot be read"


def test_what_is_usual_is_clear(tmp_path: Path) -> None:
    code = """
        import importlib.metadata, importlib.resources, os.path, re, sys
        from unittest import mock
        print(sys.argv, sys.modules, os.path.join("a", "b"), __name__, __file__, __doc__)
        data.get_loader(); tools.resolve_name("x")
        model.eval(); frame.eval("x + y"); eval("1 + 1"); re.compile("x"); importlib.reload(re)
        importlib.resources.files("pkg").joinpath("x.txt"); importlib.import_module("json")
        if __name__ == "__main__":
            sys.exit(main())
    """
    write(tmp_path, {"main.py": code, **PACKAGE})
    assert closure_of(tmp_path) == Closure(frozenset({b"main.py", b"pkg/__init__.py"}))


def test_texts_that_name_nothing_do_no_harm(tmp_path: Path) -> None:
    code = "from pkg import *\nprint('\\ud800.py', '.', '/', 'no/such.py', __import__('pkg.none'))"
    write(tmp_path, {**PACKAGE, "main.py": code, "pkg/__init__.py": "__all__ = ['\\ud800', '', '..', '/', 'a', 'a.b']"})
    assert names(closure_of(tmp_path)) == {"main.py", "pkg/__init__.py", "pkg/a.py"}


def test_each_file_is_read_once(tmp_path: Path) -> None:
    write(tmp_path, {"main.py": "import a, b  # once", "a.py": "import b  # once", "b.py": "import a  # once"})
    read: list[bytes] = []
    sources = SourceFiles(scan(tmp_path), lambda path: read.append(path) or (tmp_path / path.decode()).read_bytes())
    for script in ("main.py", "a.py", "main.py"):
        import_closure(sources, script)
    assert sorted(read) == [b"a.py", b"b.py", b"main.py"]


# Any tree of packages, whose imports are valid or not.
NAMES = ("a", "b", "c", "random")
FOLDERS = ("", "a/", "b/", "a/b/", "c/")


@st.composite
def trees(draw: st.DrawFn) -> tuple[Files, str]:
    files = draw(
        st.sets(st.tuples(st.sampled_from(FOLDERS), st.sampled_from((*NAMES, "__init__"))), min_size=2, max_size=12)
    )
    dotted = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(".".join)
    name = st.sampled_from((*NAMES, "x"))
    statement = st.one_of(
        dotted.map("import {}".format),
        st.tuples(dotted, name).map(lambda t: f"from {t[0]} import {t[1]}"),
        dotted.map("from {} import *".format),
        st.tuples(st.integers(1, 3), st.sampled_from(("", *NAMES)), name).map(
            lambda t: f"from {'.' * t[0]}{t[1]} import {t[2]}"
        ),
        dotted.map("__import__('{}')".format),
    )
    tried = statement.map("try:\n    {}\nexcept Exception as why: print(type(why).__name__, __name__)".format)
    exported = st.lists(name, max_size=2)
    line = st.one_of(tried, exported.map("__all__ = {}".format), exported.map("__all__ = list({})".format))
    made = {folder + file + ".py": "\n".join(draw(st.lists(line, max_size=3))) for folder, file in sorted(files)}
    script = draw(st.sampled_from(("main.py", "a/main.py", "c/main.py")))
    made[script] = "\n".join(draw(st.lists(tried, min_size=1, max_size=4)))
    return made, script


@settings(deadline=None, max_examples=60)
@given(trees())
def test_any_tree_gives_at_least_what_python_loads_and_runs_the_same_with_that_alone(tree: tuple[Files, str]) -> None:
    files, script = tree
    with tempfile.TemporaryDirectory() as place:
        root, copy = Path(place, "whole").resolve(), Path(place, "copy").resolve()
        write(root, files)
        found = closure_of(root, script)
        ran, code, told = loaded(root, script)
        assert found.unclear is None
        assert ran <= names(found)
        write(copy, {name: files[name] for name in names(found)})
        assert loaded(copy, script) == (ran, code, told.replace(str(root), str(copy)))
