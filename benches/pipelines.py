"""Rows about pipelines: nothing to do for three steps and for many, and what one more step costs when it runs."""

from __future__ import annotations

import shutil
import sys
from functools import partial
from pathlib import Path

from benches.measure import Contender, Role, Row, own_environment, take_turns, timed
from benches.peers import Peers
from benches.projects import Dvc, Ours, Tool, tools
from benches.sizes import Sizes


def rows(scratch: Path, peers: Peers, sizes: Sizes) -> list[Row]:
    """Measure all rows of this module.

    Args:
        scratch: An empty folder to work in.
        peers: Who takes part besides us.
        sizes: How much of everything.
    """
    return [_three_steps(scratch, peers, sizes), _many_steps(scratch, peers, sizes), _one_more(scratch, peers, sizes)]


def _three_steps(scratch: Path, peers: Peers, sizes: Sizes) -> Row:
    contenders = []
    for tool in tools(peers):
        project = tool.chain(scratch / f"chain-{type(tool).__name__}", 3)
        project.run()
        contenders.append(Contender(tool.label, _role(tool), project.run_with_nothing_to_do))
    return Row(
        "nothing-3",
        "3 steps in a chain, nothing to do",
        take_turns(contenders, sizes.repeats, sizes.budget_s),
        "whole process, from the shell",
    )


def _many_steps(scratch: Path, peers: Peers, sizes: Sizes) -> Row:
    contenders = []
    for tool in tools(peers):
        folder = scratch / f"fan-{type(tool).__name__}"
        if isinstance(tool, Dvc):
            project = tool.fan_that_ran(folder, sizes.steps)
        else:
            project = tool.fan(folder, sizes.steps)
            project.run()
        contenders.append(Contender(tool.label, _role(tool), project.run_with_nothing_to_do))
    return Row(
        f"nothing-{sizes.steps}",
        f"{sizes.steps:,} steps side by side, nothing to do",
        take_turns(contenders, sizes.repeats, sizes.budget_s),
        "whole process, from the shell",
    )


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
    start = [sys.executable, "-c", "pass"]
    contenders.append(
        Contender("one start of Python", "floor", partial(timed, start, scratch, own_environment(scratch / "home")))
    )
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
