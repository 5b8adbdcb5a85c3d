"""Is all of it sound? Every stored tree, what the history expects of the store, and the history itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from scriptstep.content import ContentStore, leftovers
from scriptstep.errors import HistoryDamaged
from scriptstep.history import History, Holding
from scriptstep.records import dataclass, field

__all__ = ["DamagedTree", "Inspection", "inspect", "set_aside"]


@dataclass(frozen=True)
class DamagedTree:
    """A tree that is not what it was.

    Attributes:
        digest: Its digest.
        problems: What is not as its manifest lists it, a line each.
        needed_by: What of the history refers to it.
        registered: What is registered or published and needs it, or None.
    """

    digest: str
    problems: list[str]
    needed_by: list[Holding]
    registered: str | None


@dataclass
class Inspection:
    """What was found.

    Attributes:
        trees: How many trees were read.
        damaged: Those that are not what they were.
        missing: Results that lack trees, each with the digests of those.
        unkept: What is registered or published and lacks a tree, by the tree's digest.
        faults: What is wrong with the history, a line each.
        leftovers: How many things in the store are no trees: begun by processes that died, trash, damage set aside.
    """

    trees: int = 0
    damaged: list[DamagedTree] = field(default_factory=list)
    missing: list[tuple[Holding, list[str]]] = field(default_factory=list)
    unkept: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    leftovers: int = 0

    @property
    def is_sound(self) -> bool:
        """Returns: whether nothing is wrong."""
        return not (self.damaged or self.missing or self.unkept or self.faults)


def inspect(
    store: ContentStore, history: History | None, on_progress: Callable[[int, int], object] | None = None
) -> Inspection:
    """Reads the whole store and the whole history; changes neither.

    Args:
        store: The content store.
        history: The history; None where there is none.
        on_progress: Called with files and bytes read so far.

    Returns:
        What was found.
    """
    # What is recorded has its trees before it is: so the records are read first, and then the trees.
    found = Inspection(faults=_faults(history), leftovers=len(leftovers(store)))
    holdings = history.holdings() if history and not found.faults else []
    registered = history.registered_trees() if history and not found.faults else {}
    there = set(store.digests())
    found.trees = len(there)
    for digest, problems in store.verify_all(on_progress=on_progress).items():
        needed_by = [held for held in holdings if digest in held.trees]
        found.damaged.append(DamagedTree(digest, problems, needed_by, registered.get(digest)))
    for held in holdings:
        if held.reusable and not held.needs <= there:
            found.missing.append((held, sorted(held.needs - there)))
    found.unkept = {d: told for d, told in registered.items() if told.startswith("model ") and d not in there}
    return found


def _faults(history: History | None) -> list[str]:
    try:
        return history.faults() if history is not None else []
    except HistoryDamaged as error:
        return [error.message]


def set_aside(found: Inspection, store: ContentStore, history: History | None) -> dict[str, Path]:
    """Moves damaged trees out of the way, and takes down that results which lack trees cannot be used again.

    Args:
        found: What was found.
        store: The content store.
        history: The history.

    Returns:
        Where each damaged tree lies now.
    """
    if history is not None:
        for held, _ in found.missing:
            history.invalidate(held.id)
    return {tree.digest: store.set_aside(tree.digest) for tree in found.damaged}
