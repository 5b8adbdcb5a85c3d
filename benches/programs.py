"""The programs of benches/programs: the core by itself, and the floors; built once, asked for their own seconds."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benches.measure import BenchError, peak_memory, timed

_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Programs:
    """The built programs.

    Attributes:
        folder: Where they are.
        environment: All of their environment.
    """

    folder: Path
    environment: dict[str, str]

    def ask(self, program: str | Path, *arguments: str | Path) -> dict[str, Any]:
        """What a program says of its work: the seconds that it took, and more.

        Args:
            program: "core" or "floor".
            *arguments: What it is to do.

        Raises:
            BenchError: It failed.
        """
        command = [str(self.folder / program), *map(str, arguments)]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
        )
        if done.returncode:
            raise BenchError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
        said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return said

    def seconds(self, program: str | Path, *arguments: str | Path) -> float:
        """The seconds that a program says its work took."""
        return float(self.ask(program, *arguments)["seconds"])

    def peak(self, program: str | Path, *arguments: str | Path) -> float:
        """The most memory of a whole process, in bytes."""
        command = [str(self.folder / program), *map(str, arguments)]
        return peak_memory(command, Path.cwd(), self.environment)

    def process(self, program: str | Path, *arguments: str | Path, expect: str | None = None) -> float:
        """The seconds of a whole process."""
        command = [str(self.folder / program), *map(str, arguments)]
        return timed(command, Path.cwd(), self.environment, expect=expect)


def build_programs(environment: dict[str, str]) -> Programs:
    """Builds the programs.

    Args:
        environment: All of their environment.

    Raises:
        BenchError: They cannot be built.
    """
    with_cargo = [sys.executable, str(_ROOT / "tools" / "with_cargo.py")]
    command = [*with_cargo, "cargo", "build", "--release", "--quiet", "--locked", "--package", "scriptstep-benches"]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"the bench programs cannot be built:\n{done.stderr[-2000:]}")
    return Programs(_ROOT / "target" / "release", environment)
