"""Where worlds are laid out on the disk and run: a project, a state folder, and what is not real about them."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from scriptstep import Dataset, Experiment, Pipeline, Workspace
from scriptstep.console import set_console
from scriptstep.content import ContentStore
from scriptstep.engine import attempts, coordinator, environment_identity, key, planner
from scriptstep.engine.environment_identity import Distribution, Installed
from scriptstep.workspace.catalog import close_catalogs
from tests.reuse_model.declare import declare
from tests.reuse_model.executor import InProcess, Surroundings
from tests.reuse_model.reference import outside_of
from tests.reuse_model.world import Machine, Node, Tree, World, find_step

__all__ = ["Bench", "tree_at"]

# Thousands of small files are made and deleted; None for the disk, where there is no such place.
_IN_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
_INHERIT = ("MODEL_H0", "MODEL_H1")


class Bench:
    """A project and a state folder in a place of their own.

    Args:
        real: Whether steps run as processes on this machine, by its own facts; else in this process, by those of the
            world, and git is not asked.
    """

    def __init__(self, *, real: bool) -> None:
        self.real = real
        self._place = Path(tempfile.mkdtemp(prefix="reuse-", dir=None if real else _IN_MEMORY))
        self.project = self._place / "project"
        self.project.mkdir()
        self._moves = 0
        self._homes = 0
        self._patch = pytest.MonkeyPatch()
        self._machine = Machine()
        set_console(_Silent())
        self._patch.chdir(self.project)
        for name in ("AZUREML_RUN_ID", "SCRIPTSTEP_EVENTS", "SCRIPTSTEP_ATTEMPT", "SCRIPTSTEP_RUN_DIR", *_INHERIT):
            self._patch.delenv(name, raising=False)
        self._write_settings()
        if not real:
            self._patch.setattr(attempts, "LocalExecutor", lambda jobs: InProcess(jobs, self.around))
            self._patch.setattr(coordinator, "GitSources", _NoGit)
            self._patch.setattr(environment_identity, "installed", self._installed)
            mpirun = self._place / "bin" / "mpirun"
            mpirun.parent.mkdir()
            mpirun.touch(mode=0o755)
            self._patch.setenv("PATH", f"{mpirun.parent}{os.pathsep}{os.environ['PATH']}")
        self.begin_anew()

    def begin_anew(self) -> None:
        """Takes a state folder in which nothing ever ran."""
        self._homes += 1
        self._laid: dict[Path, Tree] = {}
        self._notes = 0
        self.around = Surroundings()
        self._patch.setenv("SCRIPTSTEP_HOME", str(self._place / f"state{self._homes}"))
        self.reopen()

    def reopen(self) -> None:
        """Opens the workspace as a new process would."""
        close_catalogs()
        self.ws = self.around.workspace = Workspace.from_config()
        self.datastore = self.ws.get_default_datastore()
        self._data_root = Path(self.datastore._files()[0])

    def close(self) -> None:
        """Frees everything."""
        close_catalogs()
        self._patch.undo()
        set_console(None)
        shutil.rmtree(self._place, ignore_errors=True)

    # --- the disk

    def lay(self, world: World) -> None:
        """Brings the disk, and what is registered, to what a world says."""
        wanted = {self.project / "src" / name: tree for name, tree in world.sources.items()}
        wanted |= {self._data_root / "given" / name: tree for name, tree in world.data.items()}
        for place in self._laid.keys() - wanted.keys():
            _remove(place)
        for place, tree in wanted.items():
            _lay(tree, self._laid.get(place), place)
        self._laid = {place: dict(tree) for place, tree in wanted.items()}
        for text in world.notes[self._notes :]:
            self._notes += 1
            file = self._data_root / "notes" / str(self._notes)
            file.parent.mkdir(exist_ok=True)
            file.write_text("note")
            notes = Dataset.File.from_files((self.datastore, f"notes/{self._notes}"))
            notes.register(self.ws, "notes", description=text, create_new_version=True)

    def move(self) -> None:
        """Moves the whole project elsewhere."""
        self._moves += 1
        moved = self._place / "elsewhere" / f"moved{self._moves}"
        moved.parent.mkdir(exist_ok=True)
        self.project.rename(moved)
        self._laid = {
            moved / place.relative_to(self.project) if place.is_relative_to(self.project) else place: tree
            for place, tree in self._laid.items()
        }
        self.project = moved
        os.chdir(moved)
        self.reopen()

    def touch(self) -> None:
        """Gives every file other times."""
        now = time.time() - 1000
        for place in self._laid:
            for folder, _, names in os.walk(place):
                for name in names:
                    os.utime(os.path.join(folder, name), (now, now), follow_symlinks=False)

    def litter(self, text: str) -> None:
        """Leaves files that no rules let in, in every source directory."""
        for place in (self.project / "src").iterdir():
            compiled = place / "__pycache__" / "main.cpython-311.pyc"
            compiled.parent.mkdir(exist_ok=True)
            compiled.write_text(text)

    def _write_settings(self) -> None:
        names = ", ".join(f'"{name}"' for name in _INHERIT)
        (self.project / "scriptstep.toml").write_text(f"[environment]\ninherit = [{names}]\n")

    # --- runs

    def start(self, world: World, *, backwards: bool = False, **keywords: Any) -> Any:
        """Submits a world, which was laid out; returns its run at once."""
        self._become(world)
        self.around.ran = []
        steps = declare(world, self.datastore, self.project)
        pipeline = Pipeline(self.ws, steps=steps[::-1] if backwards else steps)
        return Experiment(self.ws, "model").submit(pipeline, **keywords)

    @property
    def store(self) -> ContentStore:
        """Returns: the content store."""
        return self.ws._catalog.store

    def lose(self, digest: str) -> None:
        """Takes a tree's content away, as a careless hand would."""
        content = self.store.content_path(digest)
        for folder, _, _ in os.walk(content):
            os.chmod(folder, 0o755)
        _remove(content)

    def _become(self, world: World) -> None:
        for name in _INHERIT:
            if name in world.inherited:
                self._patch.setenv(name, world.inherited[name])
            else:
                self._patch.delenv(name, raising=False)
        if self.real:
            return
        self._machine = world.machine
        self._patch.setattr(planner, "RUNTIME_REVISION", world.machine.runtime)
        self._patch.setattr(key, "SCHEME", world.machine.scheme)
        named = {step.name: step for step in world.steps}
        self.around.outside_of = lambda name: outside_of(world, named[name])
        self.around.after_of = lambda name: [find_step(world, id).name for id in named[name].after]

    def _installed(self, read: Any = None) -> Installed:
        machine = asdict(self._machine)
        package = Distribution("package", machine["packages"], f"digest of {machine['packages']}")
        return Installed(machine["python"], machine["system"], (package,), (), ())


class _NoGit:
    def __init__(self, directories: Any) -> None:
        pass

    def properties(self, timeout_s: float) -> dict[str, dict[str, str]]:
        return {}


class _Silent:
    """A console that says nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


def tree_at(place: Path) -> Tree:
    """Returns: what lies at a place, read by plain system calls."""
    found: Tree = {}
    if place.is_file():
        return {"": _node_at(place)}
    for folder, folders, names in os.walk(place):
        below = os.path.relpath(folder, place)
        prefix = "" if below == "." else f"{below}/"
        if below != "." and not folders and not names:
            found[below] = Node("directory")
        for name in (*names, *(f for f in folders if os.path.islink(os.path.join(folder, f)))):
            found[prefix + name] = _node_at(Path(folder, name))
    return found


def _node_at(path: Path) -> Node:
    if path.is_symlink():
        return Node("link", os.fsencode(os.readlink(path)))
    return Node("executable" if path.stat().st_mode & 0o100 else "file", path.read_bytes())


def _lay(tree: Tree, before: Tree | None, place: Path) -> None:
    if before is not None and ("" in before) != ("" in tree):
        _remove(place)
        before = None
    before = before or {}
    for path in before.keys() - tree.keys():
        _remove(place / path)
        above = (place / path).parent
        while above != place and above.is_dir() and not any(above.iterdir()):
            above.rmdir()
            above = above.parent
    if "" not in tree:
        place.mkdir(parents=True, exist_ok=True)
    for path, node in tree.items():
        if before.get(path) == node:
            continue
        target = place / path if path else place
        _remove(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        if node.kind == "directory":
            target.mkdir()
        elif node.kind == "link":
            target.symlink_to(os.fsdecode(node.data))
        else:
            target.write_bytes(node.data)
            target.chmod(0o755 if node.kind == "executable" else 0o644)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
