"""A scan takes a bounded amount of memory for each file: 250 bytes, and 50 MB for all else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

# `make soak` asks for a million.
FILES = int(os.environ.get("SCRIPTSTEP_FILES", "20000"))

_SCAN = """
import resource, sys
from scriptstep.content import scan
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
files = {len(scan(sys.argv[1], cache=sys.argv[2])) for _ in range(3)}
print(*files, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


def test_a_scan_takes_250_bytes_a_file(tmp_path: Path) -> None:
    root = tmp_path / "code"
    for number in range(FILES):
        if number % 1000 == 0:
            folder = root / f"folder-{number // 1000:04d}"
            folder.mkdir(parents=True)
        os.close(os.open(folder / f"file-{number:07d}.py", os.O_CREAT | os.O_WRONLY))
    command = [sys.executable, "-c", _SCAN, root, tmp_path / "stat"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    files, memory = map(int, done.stdout.split())
    assert files == FILES
    assert memory < 250 * FILES + 50_000_000, f"{memory / FILES:.0f} bytes a file"
