"""Rows about content: the core by itself on a large tree, beside the tools that do the like, and beside the floors."""

from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path

from benches.measure import Contender, Figure, Row, own_environment, take_turns, timed
from benches.peers import Peers
from benches.programs import Programs, build_programs
from benches.scanned import ask_sdk
from benches.sizes import Sizes
from benches.tree import TreePlan, make_tree

_LARGE_FILE = 400_000_000


class Large:
    """A large tree, that git knows by a repository beside it.

    Args:
        scratch: A folder to work in.
        path: The tree; one is made where None.
        peers: Who takes part besides us.
        sizes: How much of everything.
    """

    def __init__(self, scratch: Path, path: Path | None, peers: Peers, sizes: Sizes) -> None:
        self.scratch = scratch
        self.path = path if path is not None else scratch / "tree"
        self.environment = own_environment(
            scratch / "home", GIT_DIR=str(scratch / "tree.git"), GIT_WORK_TREE=str(self.path)
        )
        if path is None:
            make_tree(self.path, TreePlan(files=sizes.files, rule_files=max(2, sizes.files // 250)))
        self.programs: Programs = build_programs(self.environment)
        self.cache = scratch / "stat"
        self.count = 0
        self.git_add = 0.0
        if peers.has("git"):
            self._git("init", "--quiet")
            began = time.perf_counter()
            self._git("add", "--all")
            self.git_add = time.perf_counter() - began
            self._git("-c", "user.name=bench", "-c", "user.email=b@localhost", "commit", "--quiet", "--message=all")
        found = self.programs.ask("core", "scan", self.path)
        self.files = int(found["files"])

    def _git(self, *arguments: str) -> float:
        return timed(["git", *arguments], self.path, self.environment)

    def git_status(self, *, untracked_cache: bool) -> float:
        """`git status`, which has to find nothing."""
        option = f"core.untrackedCache={'true' if untracked_cache else 'false'}"
        command = ["git", "-c", option, "status"]
        return timed(command, self.path, self.environment, expect="nothing to commit, working tree clean")

    def git_checkout(self) -> float:
        """`git checkout-index` of all files into a new folder."""
        return self._git("checkout-index", "--all", f"--prefix={self.fresh('git')}/")

    def fresh(self, name: str) -> Path:
        """A folder that is not there yet; nothing is removed between turns, for ext4 is slow for minutes after that."""
        self.count += 1
        return self.scratch / f"{name}-{self.count}"

    def b3sum(self, peers: Peers) -> float:
        """b3sum over all files, on two processes: digests only, no rules and no manifest."""
        program = peers.program("b3sum", "b3sum")
        pipe = f"find . -type f -print0 | xargs -0 -P2 -n 4000 {program} --num-threads 1 --no-mmap"
        return timed(["sh", "-c", f"{pipe} > {os.devnull}"], self.path, self.environment)

    def sdk(self, peers: Peers) -> float:
        """azureml-core's content hash; the call alone."""
        return ask_sdk(peers, self.path, self.environment)


def rows(scratch: Path, peers: Peers, sizes: Sizes, tree: Path | None = None) -> list[Row]:
    """Measure all rows of this module.

    Args:
        scratch: An empty folder to work in.
        peers: Who takes part besides us.
        sizes: How much of everything.
        tree: A tree to measure with; a seeded one is made where None.
    """
    large = Large(scratch, tree, peers, sizes)
    name = f"{large.files:,} files" + (" (Linux source)" if tree is not None else "")
    made = [_cold(large, peers, sizes, name), _warm(large, peers, sizes, name), _changed(large, sizes, name)]
    made += [_beside(large, sizes), *_large_files(large, peers, sizes)]
    made += [_saved(large, peers, sizes, name), *_stored(large, peers, sizes, name), _matched(large)]
    return made


def _cold(large: Large, peers: Peers, sizes: Sizes, name: str) -> Row:
    ask = large.programs
    contenders = [Contender("whole process", "ours", partial(ask.process, "core", "scan", large.path))]
    if peers.has("b3sum"):
        contenders.append(Contender("`find \\| xargs -P2 b3sum`", "peer", partial(large.b3sum, peers)))
    if peers.has("azureml"):
        contenders.append(Contender("azureml-core's content hash", "peer", partial(large.sdk, peers)))
    contenders.append(
        Contender("list, open, read, close, and BLAKE3 from memory", "floor", partial(_read_floor, large))
    )
    return Row("content-cold", f"Scan without a cache: {name}", _turns(contenders, sizes), "files in the page cache")


def _read_floor(large: Large) -> float:
    return sum(large.programs.seconds("floor", work, large.path) for work in ("read", "hash"))


def _warm(large: Large, peers: Peers, sizes: Sizes, name: str) -> Row:
    ask = large.programs
    _settle(large, sizes)
    expect = '"read": 0' if sizes.settle_s else None
    ours = partial(ask.process, "core", "scan", large.path, "--cache", large.cache, expect=expect)
    contenders = [Contender("whole process", "ours", ours)]
    if peers.has("git"):
        for told, on in (("`git status`", False), ("`git status`, untracked cache", True)):
            contenders.append(Contender(told, "peer", partial(large.git_status, untracked_cache=on)))
    for told, work in (("stat, names known", "stat"), ("stat, with listing", "list")):
        contenders.append(Contender(told, "floor", partial(ask.seconds, "floor", work, large.path)))
    return Row("content-warm", f"Scan with a cache, nothing changed: {name}", _turns(contenders, sizes))


def _settle(large: Large, sizes: Sizes) -> None:
    """Lets the tree grow old enough for a cache to be believed."""
    newest = max(entry.stat().st_mtime for entry in os.scandir(large.path))
    time.sleep(max(0.0, newest + sizes.settle_s - time.time()))
    for _ in range(2):
        large.programs.ask("core", "scan", large.path, "--cache", large.cache)


def _changed(large: Large, sizes: Sizes, name: str) -> Row:
    ask = large.programs
    file = next(entry.name for entry in sorted(os.scandir(large.path), key=lambda e: e.name) if entry.is_file())
    changed = ("core", "changed", large.path, file, "--cache", large.cache)
    warm = ("core", "scan", large.path, "--cache", large.cache)
    contenders = [
        Contender("the call", "ours", partial(ask.seconds, *changed), scope="call"),
        Contender("our scan with nothing changed", "floor", partial(ask.seconds, *warm), scope="call"),
    ]
    return Row("content-changed", f"One file changed: scan and diff, {name}", _turns(contenders, sizes))


def _beside(large: Large, sizes: Sizes) -> Row:
    root = large.scratch / "beside"
    make_tree(root, TreePlan(files=sizes.beside, ignored=sizes.ignored, seed=2))
    ours = Contender("the call", "ours", partial(large.programs.seconds, "core", "scan", root), scope="call")
    work = f"Scan {sizes.beside:,} files beside an ignored folder of {sizes.ignored:,}"
    return Row("content-ignored", work, _turns([ours], sizes), "without a cache; the folder is not entered")


def _large_files(large: Large, peers: Peers, sizes: Sizes) -> list[Row]:
    size = _LARGE_FILE if sizes.files >= 10_000 else 4_000_000
    made = []
    for count, each, told in ((10, size, "Ten files"), (1, size * 10, "One file")):
        root = large.scratch / f"large-{count}"
        root.mkdir()
        block = os.urandom(1 << 20)
        for number in range(count):
            with (root / f"{number}.bin").open("wb") as file:
                for _ in range(each >> 20):
                    file.write(block)
        contenders = [Contender("whole process", "ours", partial(large.programs.process, "core", "scan", root))]
        if peers.has("b3sum"):
            program = peers.program("b3sum", "b3sum")
            if count > 1:
                command = f"ls | xargs -P2 -n5 {program} --num-threads 1 --no-mmap"
            else:
                command = f"{program} 0.bin"
            shown = command.replace(str(program), "b3sum").replace("|", "\\|")
            run = partial(timed, ["sh", "-c", f"{command} > {os.devnull}"], root, large.environment)
            contenders.append(Contender(f"`{shown}`", "peer", run))
        work = f"{told} of {each / 1e6:,.0f} MB, without a cache"
        made.append(Row(f"content-large-{count}", work, _turns(contenders, sizes)))
    return made


def _saved(large: Large, peers: Peers, sizes: Sizes, name: str) -> Row:
    ask = large.programs
    contenders = [
        Contender("scan and save", "ours", lambda: ask.seconds("core", "save", large.path, large.fresh("trees"))),
        Contender("create and write", "floor", lambda: ask.seconds("floor", "create", large.path, _made(large))),
    ]
    figures = take_turns(contenders, min(3, sizes.repeats), sizes.budget_s)
    if peers.has("git"):
        figures.append(Figure("`git add --all`", "peer", [large.git_add]))
    return Row("content-save", f"Keep a new tree in the store: {name}", figures)


def _made(large: Large) -> Path:
    folder = large.fresh("floor")
    folder.mkdir()
    return folder


def _stored(large: Large, peers: Peers, sizes: Sizes, name: str) -> list[Row]:
    ask = large.programs
    store = large.fresh("trees")
    digest = ask.ask("core", "save", large.path, store, "--cache", large.cache)["digest"]
    again = ("core", "save", large.path, store, "--cache", large.cache)
    unchanged = Contender("the call", "ours", partial(ask.seconds, *again), scope="call")
    warm = ("core", "scan", large.path, "--cache", large.cache)
    beside = Contender("our scan with nothing changed", "floor", partial(ask.seconds, *warm), scope="call")
    rows = [
        Row("content-save-unchanged", f"Keep it again, nothing changed: {name}", _turns([unchanged, beside], sizes))
    ]

    def restore() -> float:
        return ask.seconds("core", "restore", store, digest, large.fresh("copy"))

    contenders = [Contender("the call", "ours", restore)]
    if peers.has("git"):
        contenders.append(Contender("`git checkout-index --all`", "peer", large.git_checkout))
    figures = take_turns(contenders, min(3, sizes.repeats), sizes.budget_s)
    rows.append(Row("content-restore", f"Copy it out of the store, digests checked: {name}", figures))

    copies = [large.fresh("output") for _ in range(min(3, sizes.repeats))]
    for copy in copies:
        ask.ask("core", "restore", store, digest, copy)
    waiting = iter(copies)

    def adopt() -> float:
        return ask.seconds("core", "adopt", next(waiting), large.fresh("adopted"))

    cold = partial(ask.seconds, "core", "scan", large.path, "--tree")
    contenders = [
        Contender("the call", "ours", adopt, scope="call"),
        Contender("our scan without a cache", "floor", cold, scope="call"),
    ]
    figures = take_turns(contenders, len(copies), sizes.budget_s)
    rows.append(Row("content-adopt", f"Take an output over: {name}", figures, "moved, not copied"))
    return rows


def _matched(large: Large) -> Row:
    seconds = [large.programs.seconds("core", "match") for _ in range(3)]
    figure = Figure("the call", "ours", seconds, scope="call")
    return Row("content-match", "Match `**/a*/**/a*/**/a*/**/b` against a path of 60 folders", [figure])


def _turns(contenders: list[Contender], sizes: Sizes) -> list[Figure]:
    return take_turns(contenders, sizes.repeats, sizes.budget_s)
