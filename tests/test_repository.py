"""What holds of the repository as a whole: its layout, who owns which effect, and what the tests are run against."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "python" / "scriptstep"


def tracked() -> list[Path]:
    """The files of the repository that belong to it: what git tracks or would track."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Every module of the package, by its path below it, as a syntax tree."""
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text("utf-8"))


def called(tree: ast.Module) -> Iterator[str]:
    """The dotted names of everything that a module calls."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def imported(tree: ast.Module) -> Iterator[str]:
    """The modules that a module imports anywhere, and the names that it takes from them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_tests_are_about_the_installed_wheel() -> None:
    import scriptstep

    assert scriptstep.__file__ is not None
    assert Path(sysconfig.get_path("platlib")).resolve() in Path(scriptstep.__file__).resolve().parents


def test_the_installed_wheel_is_this_source() -> None:
    import scriptstep

    installed = Path(scriptstep.__file__ or "").parent
    differing = [
        name.relative_to(PACKAGE).as_posix()
        for name in sorted(PACKAGE.rglob("*.py"))
        if not (installed / name.relative_to(PACKAGE)).is_file()
        or (installed / name.relative_to(PACKAGE)).read_bytes() != name.read_bytes()
    ]
    assert differing == [], "the wheel is older than the source: make test builds it anew"


def test_the_wheel_brings_no_azureml() -> None:
    from importlib.metadata import files

    tops = {file.parts[0] for file in files("scriptstep") or ()}
    assert "scriptstep" in tops
    assert not [top for top in tops if top.startswith("azureml")]


@pytest.mark.parametrize(
    ("effect", "owners"),
    [
        (
            r"subprocess\.\w+|os\.(fork|forkpty|posix_spawnp?|system|popen|spawn\w+)|Popen",
            ("engine/executors/",),
        ),
        # The probe is a program of its own, in another interpreter: what it prints is its answer.
        (r"print|sys\.(stdout|stderr)\.write", ("console", "runtime/offline", "engine/environment_identity.py")),
        (r"sqlite3\.\w+", ("history",)),
    ],
    ids=["processes", "printing", "the database"],
)
def test_an_effect_has_one_owner(effect: str, owners: tuple[str, ...]) -> None:
    others = [
        f"{name}: {call}"
        for name, tree in modules()
        if not name.startswith(owners)
        for call in called(tree)
        if re.fullmatch(effect, call)
    ]
    assert others == []


def test_content_alone_imports_the_compiled_module() -> None:
    importers = {
        name
        for name, tree in modules()
        for module in imported(tree)
        if module.split(".")[:2] == ["scriptstep", "_core"]
    }
    names = ("collecting", "links", "manifest", "scanning", "spelling", "store")
    assert importers == {f"content/{name}.py" for name in names}


@pytest.mark.parametrize("heavy", ["pydantic", "rich", "sqlite3", "asyncio", "importlib.metadata", "pandas", "numpy"])
def test_declaring_a_step_loads_nothing_heavy(heavy: str) -> None:
    code = (
        "import sys\n"
        "from scriptstep import PythonScriptStep\n"
        "PythonScriptStep('train.py', arguments=['--depth', 3], source_directory='src')\n"
        f"sys.exit({heavy!r} in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-I", "-c", code], check=False).returncode == 0


def test_no_room_has_outgrown_its_purpose() -> None:
    banned = {"utils", "helpers", "common", "manager", "util", "helper"}
    sources = [path for path in tracked() if path.suffix in {".py", ".rs"} and path.parts[-2] != "tests"]
    assert [path.name for path in sources if banned & {*path.parts, path.stem}] == []


def test_no_path_of_one_machine_stands_in_the_repository() -> None:
    homes = re.compile(rb"(?<![\w.])/(?:home|Users|root)/[A-Za-z0-9_.-]+/")
    here = bytes(ROOT.parent) + b"/"
    found = []
    for path in tracked():
        content = path.read_bytes()
        if b"\0" in content or path.name.endswith(".lock") or path.is_relative_to(ROOT / "tests"):
            continue
        found += [f"{path.relative_to(ROOT)}: {match.group().decode()}" for match in homes.finditer(content)]
        if len(ROOT.parts) > 3 and here in content:
            found.append(f"{path.relative_to(ROOT)}: the folder that this repository lies in")
    assert found == []


def test_the_license_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_make_has_a_dozen_verbs_at_most_and_help_names_each() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert phony is not None
    verbs = phony[1].split()
    assert len(verbs) <= 12
    said = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [verb for verb in verbs if verb != "help" and f"make {verb} " not in said] == []


def test_ci_calls_the_verbs_of_the_makefile() -> None:
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    assert "make lint test" in script
