"""`scriptstep files`: what a source directory holds, what is left out, and why."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from scriptstep.cli import main
from scriptstep.content import explain, left_out, scan


@pytest.fixture
def code(tmp_path: Path) -> Path:
    for name, content in {
        ".gitignore": "*.log\n!keep.log\n/build/\n",
        "main.py": "x" * 2_000,
        "a.log": "log",
        "keep.log": "kept",
        "sub/.gitignore": "# here\ndata.bin\n",
        "sub/data.bin": "data",
        "sub/big.py": "x" * 5_000,
        "build/made.o": "o",
        "venv/pyvenv.cfg": "home",
        "venv/lib/x.py": "x",
        "__pycache__/main.pyc": "x",
        ".git/config": "x",
    }.items():
        path = tmp_path / "code" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path / "code"


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_files_are_listed_with_their_sizes_sorted_by_path(code: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["files", str(code)]) == 0
    listed = lines(capsys)
    assert [line.split()[-1] for line in listed] == [os.fsdecode(path) for path in scan(code).paths()]
    assert "2.0 kB main.py" in listed and "4 B keep.log" in listed


def test_the_largest_come_first_on_demand(code: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["files", str(code), "--largest"]) == 0
    assert lines(capsys)[:2] == ["5.0 kB sub/big.py", "2.0 kB main.py"]


def test_what_is_left_out_is_listed_with_the_rule_that_does_it(code: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["files", str(code), "--ignored"]) == 0
    assert lines(capsys) == [
        ".git/ never content",
        "__pycache__/ built in: __pycache__/",
        "a.log .gitignore:1: *.log",
        "build/ .gitignore:3: /build/",
        "sub/data.bin sub/.gitignore:2: data.bin",
        "venv/ a virtual environment",
    ]
    assert [told.decided for told in left_out(code)] == sorted(told.decided for told in left_out(code))


@pytest.mark.parametrize(
    ("path", "told", "exit_code"),
    [
        ("a.log", "a.log: left out: .gitignore:1: *.log", 1),
        ("keep.log", "keep.log: kept: .gitignore:2: !keep.log", 0),
        ("main.py", "main.py: kept: no rule speaks of it", 0),
        ("build/made.o", "build/made.o: left out, for build/ is: .gitignore:3: /build/", 1),
        ("venv/lib/x.py", "venv/lib/x.py: left out, for venv/ is: a virtual environment", 1),
        (".git/config", ".git/config: left out, for .git/ is: never content", 1),
        ("not/there.log", "not/there.log: left out: .gitignore:1: *.log", 1),
        ("sub/./data.bin", "sub/./data.bin: left out: sub/.gitignore:2: data.bin", 1),
    ],
)
def test_why_a_path_is_kept_or_not(
    path: str, told: str, exit_code: int, code: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["files", str(code), "--why", path]) == exit_code
    assert lines(capsys) == [told]


def test_every_file_is_kept_or_left_out_and_never_both(code: Path) -> None:
    kept = set(scan(code).paths())
    for folder, _, names in os.walk(os.fsencode(code)):
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), os.fsencode(code))
            assert explain(code, path).kept == (path in kept), path


def test_a_directory_that_is_not_there_is_one_clear_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["files", str(tmp_path / "nowhere")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: cannot read") and "nowhere" in said and "Traceback" not in said


def test_names_cannot_upset_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "red\x1b[31m\n.py").write_text("x")
    assert main(["files", str(tmp_path)]) == 0
    assert lines(capsys) == ["1 B red\\x1b[31m\\n.py"]


@pytest.mark.parametrize("path", ["../x", "sub/../../x", "/nowhere/x"])
def test_a_path_elsewhere_cannot_be_asked_about(path: str, code: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["files", str(code), "--why", path]) == 1
    assert "only a path below the directory" in capsys.readouterr().err


def test_a_path_may_be_absolute(code: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["files", str(code), "--why", str(code / "a.log")]) == 1
    assert lines(capsys) == ["a.log: left out: .gitignore:1: *.log"]
    assert main(["files", str(code), "--why", str(code / "build") + "/"]) == 1
    assert lines(capsys) == ["build/: left out: .gitignore:3: /build/"]


def test_all_of_it_can_be_had_as_json(code: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (code / os.fsdecode(b"\xff")).write_text("bytes")

    def told(*options: str) -> dict[str, object]:
        main(["files", str(code), "--json", *options])
        found: dict[str, object] = json.loads(capsys.readouterr().out)
        assert found.pop("version") == 1
        return found

    found = scan(code)
    assert told() == {
        "digest": found.digest,
        "files": [{"path": os.fsdecode(e.path), "kind": e.kind, "size": e.size, "digest": e.digest} for e in found],
    }
    assert told("--ignored")["ignored"] == [
        {
            "path": os.fsdecode(one.decided),
            "kind": one.kind,
            "file": None if one.file is None else os.fsdecode(one.file),
            "line": one.line,
            "rule": None if one.rule is None else os.fsdecode(one.rule),
        }
        for one in left_out(code)
    ]
    rule = {"kind": "rule", "file": ".gitignore", "line": 2, "rule": "!keep.log"}
    assert told("--why", "keep.log") == {"kept": True, "path": "keep.log", **rule}
    none = {"kind": "none", "file": None, "line": None, "rule": None}
    assert told("--why", "main.py") == {"kept": True, "path": "main.py", **none}
