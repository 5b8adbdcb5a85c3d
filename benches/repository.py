"""A git repository beside a tree: in it, `.git` would be content for azureml-core."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from benches.measure import Contender, own_environment, timed


class Repository:
    """Git's view of a tree that lies elsewhere.

    Attributes:
        environment: All of the environment of who looks at the tree; git finds the repository by it.
        add_s: Seconds that `git add --all` took.

    Args:
        scratch: The folder to make it in.
        tree: What it tracks; all of it is committed by `commit`.
    """

    def __init__(self, scratch: Path, tree: Path) -> None:
        self._tree = tree
        git_dir = str(scratch / f"{tree.name}.git")
        self.environment = own_environment(scratch / "home", GIT_DIR=git_dir, GIT_WORK_TREE=str(tree))
        self.add_s: float | None = None

    def commit(self) -> None:
        """Makes the repository, and commits the whole tree."""
        self.git("init", "--quiet")
        self.add_s = self.git("add", "--all")
        self.git("-c", "user.name=bench", "-c", "user.email=bench@localhost", "commit", "--quiet", "--message=all")

    def git(self, *arguments: str, expect: str | None = None) -> float:
        """The seconds that a command of git takes; `expect` must stand in what it prints."""
        return timed(["git", *arguments], self._tree, self.environment, expect=expect)

    def statuses(self) -> list[Contender]:
        """`git status`, which has to find nothing: as it is, and with its untracked cache."""
        told = {"`git status`": "false", "`git status`, untracked cache": "true"}
        return [Contender(name, "peer", partial(self._status, value)) for name, value in told.items()]

    def _status(self, untracked_cache: str) -> float:
        option = f"core.untrackedCache={untracked_cache}"
        return self.git("-c", option, "status", expect="nothing to commit, working tree clean")
