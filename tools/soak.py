"""Run the tests with the long counts, and write down how long each took: `make soak`.

The figures go into build/soak.txt, a line each, while it goes on.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_CARGO = ["cargo", "test", "--package", "scriptstep-core", "--release", "--locked", "--quiet", "--test"]
# The bound on each test is for the short counts.
_UNBOUND = ["--timeout=0", "-o", "faulthandler_timeout=0"]
_PYTEST = [sys.executable, "-m", "pytest", "--quiet", "-p", "no:cacheprovider", *_UNBOUND]

# What is run, with what it is told by its environment.
_WORK: list[tuple[str, list[str], dict[str, str]]] = [
    ("100,000 edits against the stat cache", [*_CARGO, "stat_cache_model"], {"SCRIPTSTEP_STEPS": "100000"}),
    (
        "20,000 random trees by both walks, and a sparse file of 20 GB",
        [*_CARGO, "any_tree"],
        {"SCRIPTSTEP_TREES": "20000", "SCRIPTSTEP_SPARSE_GB": "20"},
    ),
    (
        "20,000 random trees against git",
        [*_PYTEST, "tests/test_ignore_rules.py", "-k", "random"],
        {"SCRIPTSTEP_TREES": "20000"},
    ),
    (
        "2,000 runs killed at random moments",
        [*_PYTEST, "-s", "tests/test_killed_runs.py"],
        {"SCRIPTSTEP_KILLS": "2000"},
    ),
    ("1,000,000 files", [*_PYTEST, "tests/test_content_memory.py"], {"SCRIPTSTEP_FILES": "1000000"}),
    (
        "10,000 sequences of edits and runs against a run without reuse, and 100 with real processes",
        [*_PYTEST, "tests/test_reuse_model.py"],
        {"SCRIPTSTEP_SEQUENCES": "10000", "SCRIPTSTEP_REAL_SEQUENCES": "100"},
    ),
    (
        "2,000 rounds of collecting beside everything else",
        [*_PYTEST, "tests/test_gc_race.py"],
        {"SCRIPTSTEP_ROUNDS": "2000"},
    ),
    ("ten minutes of each fuzz target", [sys.executable, "tools/fuzz.py", "--seconds", "600"], {}),
]


def main() -> int:
    """Runs all of it.

    Returns:
        The exit code: 1 where anything failed.
    """
    report = ROOT / "build" / "soak.txt"
    report.parent.mkdir(exist_ok=True)
    failed = False
    with report.open("w", encoding="utf-8") as lines:
        for told, command, environment in _WORK:
            began = time.monotonic()
            done = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=False)
            verdict = "passed" if done.returncode == 0 else "FAILED"
            failed |= done.returncode != 0
            line = f"{told}: {verdict} in {time.monotonic() - began:.0f} s"
            print(f"soak: {line}", flush=True)
            lines.write(line + "\n")
            lines.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
