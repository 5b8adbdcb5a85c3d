"""`rules="azureml"` takes the files that the real SDK takes: its own answers stand in tests/data/sdk_kept.json."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from scriptstep.content import scan
from tests.sdk_trees import plant

_ANSWERS = json.loads((Path(__file__).parent / "data" / "sdk_kept.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("block", range(10))
def test_the_files_are_those_that_the_sdk_takes(block: int, tmp_path: Path) -> None:
    wrong = []
    for seed in range(block * 50, block * 50 + 50):
        root = tmp_path / str(seed)
        root.mkdir()
        plant(seed, root)
        ours = {os.fsdecode(path) for path in scan(root, rules="azureml").paths()}
        theirs = set(_ANSWERS["kept"][seed])
        if ours != theirs:
            text = next(f for f in (root / ".amlignore", root / ".gitignore") if f.exists()).read_text()
            wrong.append(f"{seed}: lost {sorted(theirs - ours)}, took {sorted(ours - theirs)} by {text!r}")
    assert wrong == []


def test_the_answers_differ_from_what_git_keeps(tmp_path: Path) -> None:
    assert len(_ANSWERS["kept"]) == 500
    differing = 0
    for seed in range(40):
        root = tmp_path / str(seed)
        root.mkdir()
        plant(seed, root)
        differing += scan(root) != scan(root, rules="azureml")
    assert differing > 10


def test_nothing_is_built_in(tmp_path: Path) -> None:
    for name in (".git/config", "__pycache__/a.pyc", "venv/pyvenv.cfg", ".scriptstep/x", "scriptstep.toml", "a.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    assert len(scan(tmp_path, rules="azureml")) == 6


def test_an_ignore_file_that_changes_is_seen_through_the_cache(tmp_path: Path) -> None:
    root = tmp_path / "code"
    root.mkdir()
    for name in ("a.py", "b.log"):
        (root / name).write_text("x")
    for text, kept in (("*.log\n", 2), ("*.py\n", 2), ("", 3)):
        (root / ".amlignore").write_text(text)
        assert len(scan(root, rules="azureml", cache=tmp_path / "stat")) == kept
