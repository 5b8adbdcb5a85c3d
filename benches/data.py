"""Rows about data: a dataset of many files, laid out for a script."""

from __future__ import annotations

import os
import time
from pathlib import Path

from benches.measure import Contender, Row, take_turns
from benches.peers import Peers
from benches.sizes import Sizes
from benches.tree import TreePlan, make_tree
from scriptstep import Dataset
from scriptstep.data.datasets import MountContext


def rows(scratch: Path, peers: Peers, sizes: Sizes) -> list[Row]:
    """Measure all rows of this module.

    Args:
        scratch: An empty folder to work in.
        peers: Who takes part besides us: nobody does here.
        sizes: How much of everything.
    """
    plan = TreePlan(files=sizes.small_files, size=100, seed=5)
    source = scratch / "source"
    make_tree(source, plan)
    files = [Path(folder, name) for folder, _, names in os.walk(source) for name in names]
    made = 0
    mounted: list[MountContext] = []

    def fresh() -> Path:
        nonlocal made
        made += 1
        return scratch / f"mount-{made}"

    def mount() -> float:
        began = time.perf_counter()
        mounted.append(Dataset.File.from_files(str(source)).mount())
        mounted[-1].start()
        return time.perf_counter() - began

    def link() -> float:
        folder = fresh()
        pairs = [(str(file), str(folder / file.relative_to(source))) for file in files]
        began = time.perf_counter()
        for place in {os.path.dirname(target) for _, target in pairs}:
            os.makedirs(place, exist_ok=True)
        for file, target in pairs:
            os.symlink(file, target)
        return time.perf_counter() - began

    os.sync()
    contenders = [
        Contender("the call", "ours", mount, scope="call"),
        Contender("make folders and links, names known", "floor", link, scope="call"),
    ]
    figures = take_turns(contenders, min(3, sizes.repeats), sizes.budget_s)
    for one in mounted:
        one.stop()
    return [Row("data-mount", f"Mount a dataset of {len(files):,} files", figures, "a folder of links")]
