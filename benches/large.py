"""A tree that the core is measured with by itself, without Python, beside git and the tools that hash files."""

from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path

from benches.measure import Contender, peak_memory, timed
from benches.peers import Peers
from benches.programs import build_programs
from benches.repository import Repository
from benches.scanned import change, hash_of_sdk
from benches.tree import TreePlan, make_tree


class Large:
    """A tree, which git knows too.

    Attributes:
        path: The tree.
        files: How many files it holds that are content.
        told: How the table calls it.
        environment: All of the environment of who looks at it.
        programs: The core and the floors.

    Args:
        scratch: A folder to work in; it is made.
        tree: What the tree is to hold, or one that is there.
        peers: Who takes part besides us.
    """

    def __init__(self, scratch: Path, tree: TreePlan | Path, peers: Peers) -> None:
        scratch.mkdir()
        self._scratch, self._peers, self._count = scratch, peers, 0
        self.path = tree if isinstance(tree, Path) else scratch / "tree"
        self._repository = Repository(scratch, self.path)
        self.environment = self._repository.environment
        if isinstance(tree, TreePlan):
            make_tree(self.path, tree)
        self._made = time.time()
        self.programs = build_programs(self.environment)
        if peers.has("git"):
            self._repository.commit()
        self.files = int(self.programs.ask("core", "scan", self.path)["files"])
        self.told = f"{self.files:,} files" + (" (Linux source)" if (self.path / "Kbuild").exists() else "")

    @property
    def git_add(self) -> float | None:
        """Seconds that `git add --all` took, if there is git."""
        return self._repository.add_s

    @property
    def cache(self) -> tuple[str | Path, ...]:
        """What tells the core to use the tree's cache."""
        return ("--cache", self._scratch / "stat")

    @property
    def cached(self) -> tuple[str | Path, ...]:
        """What tells the core to scan the tree with its cache."""
        return ("core", "scan", self.path, *self.cache)

    def settle(self, seconds: float) -> None:
        """Waits until the tree is that old, and has the cache filled."""
        time.sleep(max(0.0, self._made + seconds - time.time()))
        for _ in range(2):
            self.programs.ask(*self.cached)

    def change(self) -> None:
        """Change one file of the root, or one below it."""
        change(self.path / self.some_file)

    @property
    def some_file(self) -> str:
        """A file that no rule leaves out, relative."""
        for folder, folders, names in os.walk(self.path):
            folders.sort()
            for name in sorted(names):
                path = Path(folder, name)
                if not name.startswith(".") and path.is_file() and path.stat().st_size:
                    return str(path.relative_to(self.path))
        raise AssertionError("a tree without files")

    def fresh(self, name: str) -> Path:
        """A folder that is not there yet; nothing is removed between turns, for ext4 is slow for minutes after that."""
        self._count += 1
        return self._scratch / f"{name}-{self._count}"

    def scan_warm(self) -> float:
        """Our scan with a cache; the call alone."""
        return self.programs.seconds(*self.cached)

    def scan_process(self, *, expect: str | None = None) -> float:
        """Our scan with a cache; the whole process."""
        return self.programs.process(*self.cached, expect=expect)

    def peak_of_scan(self) -> float:
        """The most memory that our scan has, with a cache that is empty: it reads everything, and writes the cache."""
        cold = ("core", "scan", self.path, "--cache", self.fresh("stat"))
        return self.programs.peak(*cold)

    def peak_of_git(self) -> float:
        """The most memory that `git status` has."""
        return peak_memory(["git", "status"], self.path, self.environment)

    def floor(self, *work: str | Path) -> float:
        """What work costs at the very least."""
        return self.programs.seconds("floor", work[0], self.path, *work[1:])

    def git_status(self) -> list[Contender]:
        """`git status`, which has to find nothing: as it is, and with its untracked cache."""
        return self._repository.statuses() if self._peers.has("git") else []

    def git_checkout(self) -> float:
        """`git checkout-index` of all files into a new folder."""
        return self._repository.git("checkout-index", "--all", f"--prefix={self.fresh('git')}/")

    def b3sum(self) -> float:
        """b3sum over all files, on two processes: digests only, no rules and no manifest."""
        program = self._peers.program("b3sum", "b3sum")
        pipe = f"find . -type f -print0 | xargs -0 -P2 -n 4000 {program} --num-threads 1 --no-mmap"
        return timed(["sh", "-c", f"{pipe} > {os.devnull}"], self.path, self.environment)

    def sdk(self, name: str) -> list[Contender]:
        """The content hash of one of Azure's SDKs, if it is there; the call alone."""
        if not self._peers.has(name):
            return []
        told = f"{'azureml-core' if name == 'azureml' else name}'s content hash"
        ask = partial(hash_of_sdk, self._peers, name, self.path, self.environment)
        return [Contender(told, "peer", ask)]
