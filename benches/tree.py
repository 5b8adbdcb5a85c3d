"""Trees of files to measure with: the same seed gives the same bytes, whatever the machine."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TreePlan:
    """What a tree is to hold.

    Attributes:
        files: How many files belong to its content.
        ignored: How many files more lie in one folder that its root's ignore file leaves out.
        rule_files: How many ignore files it has, the root's among them.
        size: Bytes of each file; None for sizes as in a source tree.
        seed: What the names, sizes and bytes follow from.
    """

    files: int
    ignored: int = 0
    rule_files: int = 1
    size: int | None = None
    seed: int = 1


IGNORED_FOLDER = "node_modules"
IGNORED_SUFFIX = ".tmp"

# Sizes in bytes with their weights: as in a source tree, most files are small and a few make up half of the bytes.
_SIZES = [(0, 1), (300, 12), (1_500, 25), (4_000, 25), (9_000, 20), (30_000, 14), (120_000, 3)]
_PER_FOLDER = 20
_SUFFIXES = [".py", ".py", ".py", ".txt", ".json", ".c", ".h", ".md"]


def make_tree(root: Path, plan: TreePlan) -> int:
    """Write the tree that a plan stands for into a folder that is not there yet.

    Args:
        root: The folder to make.
        plan: What it is to hold.

    Returns:
        The bytes of the files that belong to its content, ignore files included.
    """
    draw = random.Random(plan.seed)
    noise = draw.randbytes(1 << 20)
    folders = _folders(draw, max(1, plan.files // _PER_FOLDER))
    root.mkdir(parents=True)
    for folder in folders:
        (root / folder).mkdir(parents=True, exist_ok=True)

    written = 0
    for folder in ["", *draw.sample(folders, min(len(folders), max(0, plan.rule_files - 1)))]:
        rules = f"*{IGNORED_SUFFIX}\n*.log\n!keep.log\n/build-{draw.randrange(100)}/\n"
        if not folder:
            rules += f"/{IGNORED_FOLDER}/\n"
        (root / folder / ".gitignore").write_bytes(rules.encode())
        written += len(rules)

    sizes, weights = zip(*_SIZES, strict=True)
    for number in range(plan.files - max(1, plan.rule_files)):
        drawn = int(draw.choices(sizes, weights)[0] * draw.uniform(0.5, 1.5))
        size = drawn if plan.size is None else plan.size
        start = draw.randrange(len(noise) - size)
        name = f"file_{number:06d}{draw.choice(_SUFFIXES)}"
        (root / folders[number % len(folders)] / name).write_bytes(noise[start : start + size])
        written += size

    for number in range(plan.ignored):
        package = root / IGNORED_FOLDER / f"package_{number // 100:04d}"
        if number % 100 == 0:
            package.mkdir(parents=True)
        (package / f"{number % 100:02d}.js").write_bytes(noise[number : number + 1_000])
    return written


def _folders(draw: random.Random, count: int) -> list[str]:
    """Paths of folders, each below one that was drawn before it, at most eight levels deep."""
    folders = ["src"]
    # Those that may hold folders.
    open_ones = ["src"]
    while len(folders) < count:
        folder = f"{draw.choice(open_ones[-200:])}/part_{len(folders):05d}"
        folders.append(folder)
        if folder.count("/") < 7:
            open_ones.append(folder)
    return folders
