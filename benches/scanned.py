"""A generated tree, and what each tool does to find out what it holds."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from benches.measure import BenchError, Contender, own_environment, timed
from benches.peers import Peers
from benches.repository import Repository
from benches.tree import IGNORED_FOLDER, TreePlan, make_tree

# Each of these is a whole process, which says how many files it found and how long the work itself took in it.
_OURS = """\
import json, sys, time
from scriptstep.content import scan

began = time.perf_counter()
found = scan(sys.argv[1], cache=sys.argv[2] if len(sys.argv) > 2 else None)
print(json.dumps({"seconds": time.perf_counter() - began, "files": len(found)}))
"""
_SMALL = """\
import json, statistics, sys, time
from scriptstep.content import scan

seconds = []
for _ in range(500):
    began = time.perf_counter()
    scan(sys.argv[1], cache=sys.argv[2])
    seconds.append(time.perf_counter() - began)
print(json.dumps({"seconds": statistics.median(seconds)}))
"""
# The content hashes of Azure's two SDKs, as their own code calls them.
_HASHES = {
    "azureml": """\
import json, sys, time
from azureml._project.ignore_file import get_project_ignore_file
from azureml.pipeline.core._module_builder import _ModuleBuilder

began = time.perf_counter()
excluded = get_project_ignore_file(sys.argv[1]).is_file_excluded
_ModuleBuilder._default_content_hash_calculator(excluded, sys.argv[1])
print(json.dumps({"seconds": time.perf_counter() - began}))
""",
    "azure-ai-ml": """\
import json, sys, time
from azure.ai.ml._utils._asset_utils import get_ignore_file, get_object_hash

began = time.perf_counter()
get_object_hash(sys.argv[1], get_ignore_file(sys.argv[1]))
print(json.dumps({"seconds": time.perf_counter() - began}))
""",
}
_READ = """\
import json, os, sys, time

began = time.perf_counter()
files = 0
for folder, folders, names in os.walk(sys.argv[1]):
    folders[:] = [name for name in folders if name not in sys.argv[2:]]
    for name in names:
        with open(os.path.join(folder, name), "rb", buffering=0) as file:
            file.readall()
        files += 1
print(json.dumps({"seconds": time.perf_counter() - began, "files": files}))
"""


def hash_of_sdk(peers: Peers, name: str, root: Path, environment: Mapping[str, str]) -> float:
    """The seconds that one of Azure's SDKs takes for its hash of a directory; the call alone."""
    done = subprocess.run(
        [peers.program(name, "python"), "-c", _HASHES[name], str(root)],
        env=dict(environment),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode:
        raise BenchError(done.stderr[-2000:])
    return float(json.loads(done.stdout.splitlines()[-1])["seconds"])


def change(file: Path) -> None:
    """Change a byte of a file, each time to one that it never was."""
    held = bytearray(file.read_bytes())
    held[-1] = (held[-1] + 1) % 256
    file.write_bytes(held)


class Tree:
    """A generated tree, which git knows too.

    Args:
        scratch: The folder to make it in.
        name: The name of its folder.
        plan: What it is to hold.
        peers: Who will look at it.
    """

    def __init__(self, scratch: Path, name: str, plan: TreePlan, peers: Peers) -> None:
        self.plan = plan
        self._path = scratch / name
        self._peers = peers
        self._repository = Repository(scratch, self._path)
        self._environment = self._repository.environment
        self.bytes = make_tree(self._path, plan)
        self._made, self._cache = time.time(), scratch / f"{name}.stat"
        if peers.has("git"):
            self._repository.commit()

    def ours(self, *, whole: bool, cached: bool = False) -> float:
        """Our scan; the call alone, or the whole process."""
        return self._ask(sys.executable, _OURS, *([str(self._cache)] if cached else []), whole=whole)

    def settle(self, seconds: float) -> None:
        """Waits until the tree is that old, and has the cache filled."""
        time.sleep(max(0.0, self._made + seconds - time.time()))
        self.ours(whole=True, cached=True)

    def small(self) -> float:
        """Our scan with a cache, the median of many in one process: what it costs where little else is done."""
        return self._ask(sys.executable, _SMALL, str(self._cache))

    def sdk(self) -> float:
        """azureml-core's hash of the same files; the call alone."""
        return hash_of_sdk(self._peers, "azureml", self._path, self._environment)

    def read(self) -> float:
        """Python's own walk, reading every file and digesting none; the call alone."""
        return self._ask(sys.executable, _READ, IGNORED_FOLDER)

    def git_status(self) -> list[Contender]:
        """`git status`, which has to find nothing: as it is, and with its untracked cache."""
        return self._repository.statuses() if self._peers.has("git") else []

    def _ask(self, python: str | Path, program: str, *arguments: str, whole: bool = False) -> float:
        began = time.perf_counter()
        done = subprocess.run(
            [python, "-c", program, str(self._path), *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        seconds = time.perf_counter() - began
        if done.returncode:
            raise BenchError(done.stderr[-2000:])
        said = json.loads(done.stdout.splitlines()[-1])
        if said.get("files", self.plan.files) != self.plan.files:
            raise BenchError(f"found {said['files']} files, and there are {self.plan.files}")
        return seconds if whole else float(said["seconds"])


class DvcTree:
    """The same tree as what a stage of DVC depends on; a project of its own, whose files would be content of ours.

    Args:
        scratch: The folder to make it in.
        plan: What the tree is to hold.
        peers: Where DVC is.
    """

    def __init__(self, scratch: Path, plan: TreePlan, peers: Peers) -> None:
        self._folder = scratch / "dvc"
        self._folder.mkdir()
        make_tree(self._folder / "tree", plan)
        self._state = self._folder / ".dvc-site"
        self._dvc = peers.program("dvc", "dvc")
        self._environment = own_environment(scratch / "home", DVC_NO_ANALYTICS="1", DVC_SITE_CACHE_DIR=str(self._state))
        self._run("init", "--no-scm", "--quiet")
        self._run("config", "core.check_update", "false")
        (self._folder / ".dvcignore").write_text(f"/tree/{IGNORED_FOLDER}/\n")
        (self._folder / "dvc.yaml").write_text("stages:\n  s:\n    cmd: 'true'\n    deps: [tree]\n")
        self._run("repro")

    def forget(self) -> None:
        """Drop what DVC knows of the files, so that it reads them all."""
        shutil.rmtree(self._state, ignore_errors=True)

    def status(self) -> float:
        """`dvc status`, which has to find nothing."""
        return self._run("status", expect="Data and pipelines are up to date.")

    def status_of_change(self) -> float:
        """`dvc status`, which has to find a change."""
        return self._run("status", expect="modified:")

    def change(self) -> None:
        """Change one file."""
        change(next(path for path in sorted((self._folder / "tree").rglob("*")) if path.is_file()))

    def _run(self, *arguments: str, expect: str | None = None) -> float:
        return timed([self._dvc, *arguments], self._folder, self._environment, expect=expect)
