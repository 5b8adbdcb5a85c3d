"""Rows about trees of files: what a directory holds, found out from nothing, and once more with nothing changed."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from benches.measure import Contender, Row, take_turns
from benches.peers import Peers
from benches.scanned import DvcTree, Tree
from benches.sizes import Sizes
from benches.tree import TreePlan


def rows(scratch: Path, peers: Peers, sizes: Sizes) -> list[Row]:
    """Measure all rows of this module.

    Args:
        scratch: An empty folder to work in.
        peers: Who takes part besides us.
        sizes: How much of everything.
    """
    plan = TreePlan(files=sizes.files, ignored=sizes.files // 10, rule_files=max(2, sizes.files // 250))
    tree = Tree(scratch, "tree", plan, peers)
    beside = Tree(scratch, "beside", TreePlan(files=sizes.beside, ignored=sizes.ignored, seed=2), peers)
    small = Tree(scratch, "small", TreePlan(files=20, seed=3), peers)
    dvc = DvcTree(scratch, plan, peers) if peers.has("dvc") else None
    return [
        _from_nothing(tree, dvc, peers, sizes),
        _beside_an_ignored_folder(beside, peers, sizes),
        _nothing_changed(tree, dvc, sizes),
        _small(small, sizes),
    ]


def _from_nothing(tree: Tree, dvc: DvcTree | None, peers: Peers, sizes: Sizes) -> Row:
    contenders = _ours(tree)
    contenders.append(Contender("Python's walk and read, no digest", "peer", tree.read, scope="call"))
    if peers.has("azureml"):
        contenders.append(Contender("azureml-core's content hash", "peer", tree.sdk, scope="call"))
    if dvc is not None:
        contenders.append(Contender("`dvc status` that knows nothing yet", "peer", dvc.status, prepare=dvc.forget))
    figures = take_turns(contenders, sizes.repeats, sizes.budget_s)
    return Row("scan-cold", f"Scan a tree from nothing: {_described(tree)}", figures, "the files are in the page cache")


def _beside_an_ignored_folder(tree: Tree, peers: Peers, sizes: Sizes) -> Row:
    contenders = _ours(tree)
    contenders += tree.git_status()[:1]
    if peers.has("azureml"):
        contenders.append(Contender("azureml-core's content hash", "peer", tree.sdk, scope="call"))
    figures = take_turns(contenders, sizes.repeats, sizes.budget_s)
    return Row(
        "scan-ignored",
        f"Scan {tree.plan.files:,} files beside an ignored folder of {tree.plan.ignored:,}",
        figures,
        "from nothing",
    )


def _nothing_changed(tree: Tree, dvc: DvcTree | None, sizes: Sizes) -> Row:
    tree.settle(sizes.settle_s)
    contenders = _ours(tree, cached=True)
    contenders += tree.git_status()
    if dvc is not None:
        dvc.status()
        contenders.append(Contender("`dvc status`", "peer", dvc.status))
    figures = take_turns(contenders, sizes.repeats, sizes.budget_s)
    return Row(
        "scan-warm",
        f"Scan it again, nothing changed: {_described(tree)}",
        figures,
        "all of them go by the files' times",
    )


def _small(tree: Tree, sizes: Sizes) -> Row:
    tree.settle(sizes.settle_s)
    figures = take_turns([Contender("the call", "ours", tree.small, scope="call")], sizes.repeats, sizes.budget_s)
    return Row("scan-small", f"Scan {tree.plan.files} files from Python, nothing changed", figures)


def _ours(tree: Tree, *, cached: bool = False) -> list[Contender]:
    return [
        Contender("the call", "ours", partial(tree.ours, whole=False, cached=cached), scope="call"),
        Contender("whole process", "ours", partial(tree.ours, whole=True, cached=cached)),
    ]


def _described(tree: Tree) -> str:
    return f"{tree.plan.files:,} files, {tree.bytes / 1e6:,.0f} MB, {tree.plan.rule_files} ignore files"
