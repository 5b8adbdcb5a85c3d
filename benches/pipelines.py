"""Rows about pipelines: nothing to do for three steps and for many, and what one more step costs when it runs."""

from __future__ import annotations

import os
import shutil
import sys
from functools import partial
from pathlib import Path

from benches.measure import Contender, Role, Row, own_environment, peak_memory, take_turns, timed
from benches.peers import Peers
from benches.projects import Dvc, Ours, Snakemake, Tool, tools
from benches.sizes import Sizes

# Of a chain: Snakemake plans it by recursion, and DVC runs it before it can be asked.
_LONGEST = {Ours: 1_000_000, Snakemake: 100, Dvc: 10}


def rows(scratch: Path, peers: Peers, sizes: Sizes) -> list[Row]:
    """Measure all rows of this module.

    Args:
        scratch: An empty folder to work in.
        peers: Who takes part besides us.
        sizes: How much of everything.
    """
    found = [_nothing_to_do("chain", "in a chain", steps, scratch, peers, sizes) for steps in sizes.chains]
    found += [_nothing_to_do("fan", "side by side", steps, scratch, peers, sizes) for steps in sizes.fans]
    return [*found, _memory(scratch, sizes), _one_more(scratch, peers, sizes), _thousand(scratch, sizes)]


def _nothing_to_do(kind: str, words: str, steps: int, scratch: Path, peers: Peers, sizes: Sizes) -> Row:
    contenders = []
    for tool in tools(peers):
        most = tool.most_steps if kind == "fan" else min(tool.most_steps, _LONGEST[type(tool)])
        if steps <= most:
            make = tool.fan_that_ran if kind == "fan" else tool.chain_that_ran
            project = make(scratch / f"{kind}-{steps}-{type(tool).__name__}", steps)
            contenders.append(Contender(tool.label, _role(tool), project.run_with_nothing_to_do))
    contenders.append(_start_of_python(scratch))
    return Row(
        f"{kind}-{steps}",
        f"{steps:,} steps {words}, nothing to do",
        take_turns(contenders, sizes.repeats, sizes.budget_s),
        "whole process, from the shell",
    )


def _memory(scratch: Path, sizes: Sizes) -> Row:
    steps = max(n for n in sizes.fans if n <= 10_000)
    project = Ours().fan_that_ran(scratch / "fan-memory", steps)

    def peak() -> float:
        return peak_memory(project.command, project.folder, project.environment)

    contenders = [Contender("whole process", "ours", peak, unit="B")]
    return Row(
        "fan-memory", f"Peak memory, {steps:,} steps, nothing to do", take_turns(contenders, min(3, sizes.repeats), 60)
    )


def _thousand(scratch: Path, sizes: Sizes) -> Row:
    steps = sizes.slope_slow[1] if sizes.repeats == 1 else 1_000
    made = 0

    def run() -> float:
        nonlocal made
        made += 1
        return Ours().fan(scratch / f"thousand-{made}", steps).run()

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    start = _start_of_python(scratch)
    floor = Contender(
        f"as many starts of Python on {cores} cores, as one takes alone", "floor", lambda: start.once() * steps / cores
    )
    contenders = [Contender("scriptstep", "ours", run), floor]
    return Row(
        "run-thousand",
        f"{steps:,} steps of an empty script that differ in name alone, run",
        take_turns(contenders, min(3, sizes.repeats), sizes.budget_s),
        f"{steps:,} attempts and results in the history",
    )


def _start_of_python(scratch: Path) -> Contender:
    start = [sys.executable, "-c", "pass"]
    return Contender("one start of Python", "floor", partial(timed, start, scratch, own_environment(scratch / "home")))


def _one_more(scratch: Path, peers: Peers, sizes: Sizes) -> Row:
    def between(tool: Tool) -> tuple[int, int]:
        return sizes.slope_slow if isinstance(tool, Dvc) else sizes.slope

    def slope(tool: Tool) -> float:
        seconds = []
        for steps in between(tool):
            folder = scratch / f"slope-{type(tool).__name__}-{steps}"
            shutil.rmtree(folder, ignore_errors=True)
            seconds.append(tool.fan(folder, steps).run())
        # At test sizes noise may be larger than the slope; a time is never below nothing.
        return max(seconds[1] - seconds[0], 1e-6) / (between(tool)[1] - between(tool)[0])

    contenders = [Contender(tool.label, _role(tool), partial(slope, tool)) for tool in tools(peers)]
    contenders.append(_start_of_python(scratch))
    few, many = sizes.slope
    return Row(
        "one-more-step",
        "One more step, which runs an empty script",
        take_turns(contenders, sizes.repeats, sizes.budget_s),
        f"the slope between {few} and {many} steps (DVC: {sizes.slope_slow[0]} and {sizes.slope_slow[1]}), so that "
        "starting up cancels out; on all cores at once, save DVC; the floor is on one core",
    )


def _role(tool: Tool) -> Role:
    return "ours" if isinstance(tool, Ours) else "peer"
