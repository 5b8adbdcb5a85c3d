"""examples/diabetes: what `make demo` shows is what happened, and it is what reuse promises."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
STEPS = ["prepare", "train-ridge", "train-tree", "evaluate", "register"]


@functools.cache
def demo_output() -> str:
    """What the demo prints on standard output; run once for all tests, in a folder of its own."""
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name).resolve() / "demo"
        done = subprocess.run(
            [sys.executable, ROOT / "examples" / "diabetes" / "demo.py", "--scratch", scratch],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.replace(os.path.relpath(scratch, ROOT), "build/demo")


@pytest.fixture(scope="module")
def runs() -> list[dict[str, tuple[str, str]]]:
    """The demo's runs as its table shows them: of each step its verdict and the reason."""
    found: list[dict[str, tuple[str, str]]] = []
    for line in demo_output().splitlines():
        if re.match(r"\d\. ", line):
            found.append({})
        row = re.match(r"  (\S+) +(ran|reused|failed|not run|cancelled) +(?:(?:[\d.]+ s) +)?(.*)$", line)
        if row and found:
            found[-1][row[1]] = (row[2], row[3])
    return found[:4]


def test_four_runs_of_five_steps_are_shown(runs: list[dict[str, tuple[str, str]]]) -> None:
    assert [list(run) for run in runs] == [STEPS] * 4


@pytest.mark.parametrize(
    ("number", "ran"),
    [
        (1, STEPS),
        (2, []),
        (3, ["train-tree", "evaluate", "register"]),
        (4, ["prepare"]),
    ],
    ids=["first", "nothing changed", "an argument changed", "a comment added"],
)
def test_what_runs_is_what_changed(runs: list[dict[str, tuple[str, str]]], number: int, ran: list[str]) -> None:
    assert [step for step, (verdict, _) in runs[number - 1].items() if verdict == "ran"] == ran
    assert [step for step, (verdict, _) in runs[number - 1].items() if verdict == "reused"] == [
        step for step in STEPS if step not in ran
    ]


def test_reasons_name_what_the_user_knows(runs: list[dict[str, tuple[str, str]]]) -> None:
    assert all("first run" in reason for _, reason in runs[0].values())
    assert re.search(r"depth 3 -> 5", runs[2]["train-tree"][1])
    assert "train-tree" in runs[2]["evaluate"][1]
    assert "prepare.py" in runs[3]["prepare"][1]


def test_metrics_and_the_places_of_outputs_are_shown() -> None:
    text = demo_output()
    assert re.search(r"evaluate +best_r2 +0\.5\d", text)
    assert "Registered: model diabetes, version 2 (ridge" in text
    assert "model.pkl" in text
