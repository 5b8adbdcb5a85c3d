"""Rows about content: the core by itself on large trees, beside the tools that do the like, and beside the floors."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from benches import storing
from benches.large import Large
from benches.measure import Contender, Figure, Row, take_turns, timed
from benches.peers import Peers
from benches.scanned import DvcTree
from benches.sizes import Sizes
from benches.tree import TreePlan

_LARGE_FILE = 400_000_000


def rows(scratch: Path, peers: Peers, sizes: Sizes) -> list[Row]:
    """Measure all rows of this module, and those of the store.

    Args:
        scratch: An empty folder to work in.
        peers: Who takes part besides us.
        sizes: How much of everything.
    """
    plan = TreePlan(files=sizes.files, rule_files=max(2, sizes.files // 250))
    large = Large(scratch / "large", sizes.tree or plan, peers)
    plan = TreePlan(files=sizes.small_files, size=1_000, seed=4)
    small = Large(scratch / "small", plan, peers)
    dvc = DvcTree(scratch, plan, peers) if peers.has("dvc") else None
    plan = TreePlan(files=sizes.beside, ignored=sizes.ignored, seed=2)
    beside = Large(scratch / "beside", plan, peers)
    return [
        _cold(large, peers, sizes),
        _warm(large, sizes),
        _warm_small(small, dvc, sizes),
        _changed(small, dvc, sizes),
        _beside(beside, plan, sizes),
        *_large_files(scratch, large, peers, sizes),
        _memory(large, small, peers, sizes),
        _matched(large),
        *storing.rows(large, peers, sizes),
    ]


def _cold(large: Large, peers: Peers, sizes: Sizes) -> Row:
    ours = partial(large.programs.process, "core", "scan", large.path)
    contenders = [Contender("whole process", "ours", ours)]
    if peers.has("b3sum"):
        contenders.append(Contender("`find \\| xargs -P2 b3sum`", "peer", large.b3sum))
    contenders += large.sdk("azureml")
    contenders.append(
        Contender(
            "list, open, read, close, and BLAKE3 from memory",
            "floor",
            lambda: large.floor("read") + large.floor("hash"),
        )
    )
    return Row("content-cold", f"Scan without a cache: {large.told}", _turns(contenders, sizes), "in the page cache")


def _warm(large: Large, sizes: Sizes) -> Row:
    large.settle(sizes.settle_s)
    expect = '"read": 0' if sizes.settle_s else None
    contenders = [Contender("whole process", "ours", partial(large.scan_process, expect=expect)), *large.git_status()]
    for told, work in (("stat, names known", "stat"), ("stat, with listing", "list")):
        contenders.append(Contender(told, "floor", partial(large.floor, work)))
    return Row("content-warm", f"Scan with a cache, nothing changed: {large.told}", _turns(contenders, sizes))


def _warm_small(small: Large, dvc: DvcTree | None, sizes: Sizes) -> Row:
    small.settle(sizes.settle_s)
    contenders = [Contender("whole process", "ours", small.scan_process), *small.git_status()]
    if dvc is not None:
        dvc.status()
        contenders.append(Contender("`dvc status`", "peer", dvc.status))
    contenders += small.sdk("azure-ai-ml")
    contenders.append(Contender("stat, names known", "floor", partial(small.floor, "stat")))
    work = f"Scan with a cache, nothing changed: {small.told} of 1 KB"
    return Row("content-small-files", work, _turns(contenders, sizes))


def _changed(small: Large, dvc: DvcTree | None, sizes: Sizes) -> Row:
    expect = '"read": 1,' if sizes.settle_s else None
    changed = ("core", "changed", small.path, small.some_file, *small.cache)
    contenders = [
        Contender("the call", "ours", partial(small.programs.seconds, *changed), scope="call"),
        Contender("our scan with nothing changed", "floor", small.scan_warm, scope="call"),
        Contender("whole process", "ours", partial(small.scan_process, expect=expect), prepare=small.change),
    ]
    if dvc is not None:
        contenders.append(Contender("`dvc status`", "peer", dvc.status_of_change, prepare=dvc.change))
    figures = _turns(contenders, sizes)
    note = "the call: and what differs from the tree before"
    return Row("content-changed", f"One file changed of {small.told} of 1 KB: scan", figures, note)


def _beside(beside: Large, plan: TreePlan, sizes: Sizes) -> Row:
    scan = partial(beside.programs.seconds, "core", "scan", beside.path)
    contenders = [Contender("the call", "ours", scan, scope="call")]
    for contender in beside.sdk("azure-ai-ml"):
        contenders.append(Contender(contender.name, "peer", contender.once, scope="call"))
    work = f"Scan {plan.files:,} files beside an ignored folder of {plan.ignored:,}"
    return Row("content-ignored", work, _turns(contenders, sizes), "without a cache; the folder is not entered")


def _large_files(scratch: Path, large: Large, peers: Peers, sizes: Sizes) -> list[Row]:
    size = _LARGE_FILE if sizes.files >= 10_000 else 4_000_000
    made = []
    for count, each, told in ((10, size, "Ten files"), (1, size * 10, "One file")):
        root = scratch / f"large-{count}"
        root.mkdir()
        block = os.urandom(1 << 20)
        for number in range(count):
            with (root / f"{number}.bin").open("wb") as file:
                for _ in range(each >> 20):
                    file.write(block)
        contenders = [Contender("whole process", "ours", partial(large.programs.process, "core", "scan", root))]
        commands = (
            ["ls | xargs -P2 -n5 {} --num-threads 1 --no-mmap"] if count > 1 else ["{} 0.bin", "{} --no-mmap 0.bin"]
        )
        for command in commands if peers.has("b3sum") else []:
            told_so = command.format("b3sum").replace("|", "\\|")
            line = f"{command.format(peers.program('b3sum', 'b3sum'))} > {os.devnull}"
            contenders.append(
                Contender(f"`{told_so}`", "peer", partial(timed, ["sh", "-c", line], root, large.environment))
            )
        work = f"{told} of {each / 1e6:,.0f} MB, without a cache"
        made.append(Row(f"content-large-{count}", work, _turns(contenders, sizes)))
    return made


def _memory(large: Large, small: Large, peers: Peers, sizes: Sizes) -> Row:
    most = max((large, small), key=lambda one: one.files)
    contenders = [Contender("whole process", "ours", most.peak_of_scan, unit="B")]
    if peers.has("git"):
        contenders.append(Contender("`git status`", "peer", most.peak_of_git, unit="B"))
    figures = take_turns(contenders, min(3, sizes.repeats), sizes.budget_s)
    note = f"{figures[0].median / most.files:.0f} bytes a file"
    return Row(
        "content-memory", f"Peak memory of a scan that reads all and fills its cache: {most.told}", figures, note
    )


def _matched(large: Large) -> Row:
    values = [large.programs.seconds("core", "match") for _ in range(3)]
    figure = Figure("the call", "ours", values, scope="call")
    return Row("content-match", "Match `**/a*/**/a*/**/a*/**/b` against a path of 60 folders", [figure])


def _turns(contenders: list[Contender], sizes: Sizes) -> list[Figure]:
    return take_turns(contenders, sizes.repeats, sizes.budget_s)
