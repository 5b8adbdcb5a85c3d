"""What a step wrote, taken into the content store."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from scriptstep.content import ContentStore
from scriptstep.engine.step_folder import StepFolder, plain
from scriptstep.graph import StepSpec
from scriptstep.records import dataclass, field

if TYPE_CHECKING:
    pass

__all__ = ["Collected", "adopt_artifacts", "adopt_outputs"]


@dataclass
class Collected:
    """What an attempt left.

    Attributes:
        trees: Digest of each output that was written, by port.
        unwritten: Ports of outputs that were not.
        warnings: What the user should know of them.
    """

    trees: dict[str, str] = field(default_factory=dict)
    unwritten: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def adopt_outputs(spec: StepSpec, folder: StepFolder, store: ContentStore) -> Collected:
    """Moves what a step wrote into the store; the path that it was given becomes a link to it.

    Args:
        spec: The step.
        folder: Its folder; no process of the attempt is left.
        store: The content store.

    Returns:
        The trees, and what is missing or odd.

    Raises:
        ContentError: An output cannot be read.
    """
    found = Collected()
    for output in spec.outputs:
        path = folder.output(output.name)
        if path.is_symlink() and not path.exists():
            found.warnings.append(f"output '{output.name}' of step '{spec.name}' is a link that leads nowhere")
        if not os.path.lexists(path):
            found.unwritten.append(output.name)
            continue
        if path.is_symlink():
            # A script may leave a link to what it wrote elsewhere: what counts is what it points at.
            tree = store.add(path.resolve())
            path.unlink()
        else:
            empty = path.is_dir() and not any(path.iterdir())
            if empty:
                found.warnings.append(f"output '{output.name}' of step '{spec.name}' is an empty folder")
            tree = store.adopt(path)
        found.trees[output.name] = tree.digest
        path.symlink_to(store.content_path(tree.digest))
    declared = {plain(o.name) for o in spec.outputs}
    beside = sorted(e.name for e in os.scandir(folder.outputs) if e.name not in declared)
    if beside:
        found.warnings.append(
            f"step '{spec.name}' wrote {', '.join(beside[:3])} beside an output instead of in it: that is not kept"
        )
    return found


def adopt_artifacts(folder: StepFolder, store: ContentStore) -> str:
    """Keeps the files of a step run: its `outputs/` and `logs/`, what it uploaded, and its logs.

    Args:
        folder: The step's folder; no process of the attempt is left.
        store: The content store.

    Returns:
        The digest of the tree that holds them.
    """
    for name in ("outputs", "logs"):
        source, target = folder.code / name, folder.artifacts / name
        if source.is_dir() and not source.is_symlink() and any(source.iterdir()):
            _merge(source, target)
    logs = folder.log.parent
    for log in sorted([*logs.glob("*.txt"), *logs.glob("attempt_*/*.txt")]):
        copy = folder.artifacts / "user_logs" / log.relative_to(logs)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(log, copy)
    digest = store.adopt(folder.artifacts).digest
    folder.artifacts.symlink_to(store.content_path(digest))
    return digest


def _merge(source: Path, target: Path) -> None:
    """Moves the files of a folder; a file that was uploaded under the same name stays."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(source, target)
        return
    for entry in sorted(os.scandir(source), key=lambda e: e.name):
        place = target / entry.name
        if entry.is_dir(follow_symlinks=False) and place.is_dir():
            _merge(Path(entry.path), place)
        elif not os.path.lexists(place):
            shutil.move(entry.path, place)
