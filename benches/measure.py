"""Timing: contenders take turns, so that what else the machine does falls on all of them alike."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Role = Literal["ours", "peer", "floor"]
Scope = Literal["process", "call"]
Unit = Literal["s", "B"]


class BenchError(Exception):
    """A contender did not do what it was to be timed at."""


@dataclass(frozen=True)
class Contender:
    """One way to do a row's work.

    Attributes:
        name: How the table calls it.
        role: Ours, a peer, or a floor (what the work costs at the very least).
        once: Does the work once and returns what counts: seconds, or bytes.
        prepare: Brings about what `once` starts from; not timed.
        scope: Whether the seconds are a whole process's or a call's inside one; like is compared with like.
        unit: What is measured: seconds, or bytes of memory.
    """

    name: str
    role: Role
    once: Callable[[], float]
    prepare: Callable[[], None] | None = None
    scope: Scope = "process"
    unit: Unit = "s"


@dataclass
class Figure:
    """What was measured of one contender."""

    name: str
    role: Role
    values: list[float] = field(default_factory=list)
    scope: Scope = "process"
    unit: Unit = "s"

    @property
    def median(self) -> float:
        """The median, in its unit."""
        return statistics.median(self.values)


@dataclass
class Row:
    """One row of the table.

    Attributes:
        id: A short name that does not change.
        work: What was done, with its sizes.
        note: What a reader must know besides.
        figures: The contenders, ours first.
    """

    id: str
    work: str
    figures: list[Figure]
    note: str = ""


def take_turns(contenders: Sequence[Contender], repeats: int, budget_s: float) -> list[Figure]:
    """Measure contenders one after the other, again and again.

    Args:
        contenders: Who takes part.
        repeats: How often each has its turn, at most.
        budget_s: Seconds for all of them, shared out evenly: who would exceed its share has no further turn. Everybody
            has one.

    Returns:
        A figure for each contender, in the same order.
    """
    figures = [Figure(one.name, one.role, scope=one.scope, unit=one.unit) for one in contenders]
    spent = [0.0] * len(contenders)
    for turn in range(repeats):
        for index, contender in enumerate(contenders):
            if turn and spent[index] * (turn + 1) / turn > budget_s / len(contenders):
                continue
            began = time.perf_counter()
            if contender.prepare is not None:
                contender.prepare()
            figures[index].values.append(contender.once())
            spent[index] += time.perf_counter() - began
    return figures


def timed(
    command: Sequence[str | Path],
    cwd: Path,
    environment: Mapping[str, str],
    *,
    expect: str | None = None,
    unexpected: str | None = None,
) -> float:
    """Run a command and return the seconds from its start to its end.

    Args:
        command: The command and its arguments.
        cwd: Where it runs.
        environment: All of its environment.
        expect: Text that its output must hold: proof that it did the work.
        unexpected: Text that its output must not hold.

    Raises:
        BenchError: The command failed, or did other work than was meant.
    """
    began = time.perf_counter()
    done = _run(command, cwd, environment)
    seconds = time.perf_counter() - began
    _check(command, done, expect, unexpected)
    return seconds


def peak_memory(command: Sequence[str | Path], cwd: Path, environment: Mapping[str, str]) -> float:
    """Run a command and return the most memory that it, or a process that it waited for, had at once, in bytes.

    Args:
        command: The command and its arguments.
        cwd: Where it runs.
        environment: All of its environment.

    Raises:
        BenchError: The command failed.
    """
    # A process of its own asks: the figure is of all children that it ever had.
    done = _run([sys.executable, "-c", _PEAK, *command], cwd, environment)
    _check(command, done, None, None)
    return float(done.stdout.splitlines()[-1])


_PEAK = """\
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, check=False)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024), flush=True)
sys.exit(done.returncode)
"""


def _run(
    command: Sequence[str | Path], cwd: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )


def _check(
    command: Sequence[str | Path],
    done: subprocess.CompletedProcess[bytes],
    expect: str | None,
    unexpected: str | None,
) -> None:
    said = done.stdout.decode(errors="replace")
    shown = " ".join(str(part) for part in command)
    if done.returncode != 0:
        raise BenchError(f"{shown}: exit code {done.returncode}\n{said[-2000:]}")
    if expect is not None and expect not in said:
        raise BenchError(f"{shown}: did not say {expect!r}\n{said[-2000:]}")
    if unexpected is not None and unexpected in said:
        raise BenchError(f"{shown}: said {unexpected!r}\n{said[-2000:]}")


def own_environment(home: Path, **more: str) -> dict[str, str]:
    """An environment in which no tool reads or writes what belongs to the user.

    Args:
        home: The folder that stands in for the user's home.
        **more: Further variables.
    """
    home.mkdir(parents=True, exist_ok=True)
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "LANG": "C.UTF-8",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        **more,
    }
