"""Rows about the store: trees kept, kept again, copied out and taken over."""

from __future__ import annotations

import os
from pathlib import Path

from benches.large import Large
from benches.measure import Contender, Figure, Row, take_turns
from benches.peers import Peers
from benches.sizes import Sizes


def rows(large: Large, peers: Peers, sizes: Sizes) -> list[Row]:
    """Measure all rows of this module.

    Args:
        large: The tree that is kept; a cache of it is filled.
        peers: Who takes part besides us.
        sizes: How much of everything.
    """
    store = large.fresh("trees")
    digest = large.programs.ask("core", "save", large.path, store, *large.cache)["digest"]
    return [
        _saved(large, sizes),
        _unchanged(large, store, sizes),
        _restored(large, store, digest, peers, sizes),
        _adopted(large, store, digest, sizes),
        _changed(large, store, digest, sizes),
    ]


def _saved(large: Large, sizes: Sizes) -> Row:
    ask = large.programs
    contenders = [
        Contender("scan and save", "ours", lambda: ask.seconds("core", "save", large.path, large.fresh("trees"))),
        _create_and_write(large),
    ]
    figures = _turns(contenders, sizes)
    if large.git_add is not None:
        figures.append(Figure("`git add --all`", "peer", [large.git_add]))
    return Row("content-save", f"Keep a new tree in the store: {large.told}", figures)


def _unchanged(large: Large, store: Path, sizes: Sizes) -> Row:
    again = ("core", "save", large.path, store, *large.cache)
    contenders = [
        Contender("the call", "ours", lambda: large.programs.seconds(*again), scope="call"),
        Contender("our scan with nothing changed", "floor", large.scan_warm, scope="call"),
    ]
    figures = take_turns(contenders, sizes.repeats, sizes.budget_s)
    return Row("content-save-unchanged", f"Keep it again, nothing changed: {large.told}", figures)


def _changed(large: Large, store: Path, digest: str, sizes: Sizes) -> Row:
    again = ("core", "save", large.path, store, *large.cache, "--base", digest)
    content = store / digest[:2] / digest[2:] / "content"

    def floor() -> float:
        linked = large.programs.seconds("floor", "link", content, _made(large, "links"))
        return linked + large.scan_warm()

    def change() -> None:
        # Once more each turn, so that the store never has it.
        with (large.path / large.some_file).open("ab") as file:
            file.write(b"\n")

    contenders = [
        Contender("the call", "ours", lambda: large.programs.seconds(*again), prepare=change, scope="call"),
        Contender("make folders, link files, and our scan with nothing changed", "floor", floor, scope="call"),
    ]
    file = large.path / large.some_file
    before = file.read_bytes()
    try:
        # Links alone: the disk has little to write, but the journal now and then makes one turn wait.
        figures = _turns(contenders, sizes, most=7)
    finally:
        file.write_bytes(before)
    return Row("content-save-changed", f"Keep it again, one file changed: {large.told}", figures)


def _restored(large: Large, store: Path, digest: str, peers: Peers, sizes: Sizes) -> Row:
    def restore() -> float:
        return large.programs.seconds("core", "restore", store, digest, large.fresh("copy"))

    contenders = [Contender("the call", "ours", restore), _create_and_write(large)]
    if peers.has("git"):
        contenders.append(Contender("`git checkout-index --all`", "peer", large.git_checkout))
    figures = _turns(contenders, sizes)
    return Row("content-restore", f"Copy it out of the store, digests checked: {large.told}", figures)


def _adopted(large: Large, store: Path, digest: str, sizes: Sizes) -> Row:
    outputs: list[Path] = []

    def write_output() -> None:
        outputs.append(large.fresh("output"))
        large.programs.ask("core", "restore", store, digest, outputs[-1])

    def adopt() -> float:
        return large.programs.seconds("core", "adopt", outputs[-1], large.fresh("adopted"))

    contenders = [
        Contender("the call", "ours", adopt, prepare=write_output, scope="call"),
        Contender(
            "our scan without a cache",
            "floor",
            lambda: large.programs.seconds("core", "scan", large.path, "--tree"),
            scope="call",
        ),
    ]
    return Row("content-adopt", f"Take an output over: {large.told}", _turns(contenders, sizes), "moved, not copied")


def _create_and_write(large: Large) -> Contender:
    return Contender("create and write", "floor", lambda: large.floor("create", _made(large, "floor")))


def _made(large: Large, name: str) -> Path:
    folder = large.fresh(name)
    folder.mkdir()
    return folder


def _turns(contenders: list[Contender], sizes: Sizes, most: int = 3) -> list[Figure]:
    """Few turns, where each makes as many files as the tree has.

    What the rows before left to be written is written first, so that it weighs on none of them.
    """
    os.sync()
    return take_turns(contenders, min(most, sizes.repeats), sizes.budget_s)
