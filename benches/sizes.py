"""How much of everything is measured: `small` to test the harness, `normal` by default, `full` to publish."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Sizes:
    """Sizes of one run.

    Attributes:
        files: Files in the tree that is scanned.
        small_files: Files of 1 KB in another tree.
        ignored: Files in the folder that is left out.
        beside: Files of content beside that folder.
        fans: Numbers of steps side by side that have nothing to do.
        chains: Numbers of steps in one chain that have nothing to do.
        slope: Two numbers of steps; the slope between them is the cost of a step.
        slope_slow: The same for a peer that takes nearly a second for each.
        repeats: How many turns each contender has at most.
        settle_s: Seconds that a tree is left alone before it is scanned with a cache, which believes what is older than
            a minute.
        budget_s: Seconds that a row may take, shared out among its contenders.
        tree: A tree to measure content with; a seeded one is made where None.
    """

    files: int
    small_files: int
    ignored: int
    beside: int
    fans: tuple[int, ...]
    chains: tuple[int, ...]
    slope: tuple[int, int]
    slope_slow: tuple[int, int]
    repeats: int
    settle_s: float
    budget_s: float
    tree: Path | None = None


SIZES = {
    "small": Sizes(60, 60, 40, 10, (2, 4), (2, 3), (1, 3), (1, 2), 1, 0, 5),
    "normal": Sizes(10_000, 20_000, 20_000, 500, (10, 100, 1_000), (3, 1_000), (20, 120), (3, 13), 7, 75, 30),
    "full": Sizes(
        78_000,
        100_000,
        100_000,
        500,
        (10, 100, 1_000, 10_000, 100_000),
        (3, 10, 100, 1_000, 10_000),
        (20, 220),
        (3, 23),
        9,
        75,
        60,
    ),
}
