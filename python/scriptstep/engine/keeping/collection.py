"""Which trees go: what nothing refers to, and on request what was not used for long, or there is no room for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

from scriptstep.content import Census, Collection, ContentStore, Leftover, leftovers
from scriptstep.engine.keeping.roots import runs_under_way
from scriptstep.history import History, Holding, now
from scriptstep.records import dataclass, field

__all__ = ["GRACE_S", "Limits", "Loss", "Selection", "carry_out", "choose"]

# What is younger is left alone: whoever made it may be about to record it.
GRACE_S = 3600.0


@dataclass(frozen=True)
class Limits:
    """What is asked for.

    Attributes:
        keep_s: Results that were not used for so long go; None for no such limit.
        max_bytes: Results go, the one used least lately first, until no more than this is left; None for no such limit.
        grace_s: What is younger stays in any case.
    """

    keep_s: float | None = None
    max_bytes: int | None = None
    grace_s: float = GRACE_S


@dataclass(frozen=True)
class Loss:
    """Something in the history that loses trees.

    Attributes:
        what: It.
        bytes: Bytes that are free once it went, after those before it.
        is_result: Whether a result goes that might be used again.
    """

    what: Holding
    bytes: int
    is_result: bool


@dataclass
class Selection:
    """What is to go, and why the rest stays.

    Attributes:
        losses: What of the history loses trees, the one used least lately first.
        trees: Digests of all trees that go.
        orphans: How many of them nothing refers to.
        orphan_bytes: What those take.
        leftovers: What is no tree and goes.
        kept: Reason to the number of results that stay for it.
        bytes_before: What the trees and leftovers take.
        bytes_after: What they take then.
    """

    losses: list[Loss] = field(default_factory=list)
    trees: set[str] = field(default_factory=set)
    orphans: int = 0
    orphan_bytes: int = 0
    leftovers: list[Leftover] = field(default_factory=list)
    kept: Counter[str] = field(default_factory=Counter)
    bytes_before: int = 0
    bytes_after: int = 0

    @property
    def results(self) -> list[Holding]:
        """Returns: the results that cannot be used again."""
        return [loss.what for loss in self.losses if loss.is_result]

    @property
    def seconds(self) -> float:
        """Returns: how long it took to make those results."""
        return sum(held.seconds for held in self.results)


def choose(store: ContentStore, history: History, home: Path, limits: Limits) -> Selection:
    """Chooses what goes; nothing is changed.

    Args:
        store: The content store. To remove what is chosen, this must be called within a `Collection` of it.
        history: The history.
        home: The state folder.
        limits: What is asked for.

    Returns:
        What is to go.
    """
    census = Census(store)
    left = leftovers(store)
    plan = Selection(leftovers=[one for one in left if one.kind != "damaged" or one.age >= limits.grace_s])
    plan.bytes_before = census.total + sum(one.bytes for one in left)
    rest = sum(one.bytes for one in left) - sum(one.bytes for one in plan.leftovers)
    young = {digest for digest, age in census.ages.items() if age < limits.grace_s}
    registered = history.registered_trees()
    pinned = history.shown_by(history.pins())
    under_way = history.shown_by(runs_under_way(history, home))
    holdings = [held for held in history.holdings() if held.trees & census.ages.keys()]
    needed = Counter(tree for held in holdings for tree in held.trees)
    needed.update(registered.keys())
    needed.update(young | census.leased)

    for digest in census.ages.keys() - needed.keys():
        plan.orphans += 1
        plan.orphan_bytes += census.take_out(digest)
        plan.trees.add(digest)
    dropped: list[tuple[Holding, int]] = []
    for held in holdings:
        reason = (
            _kept_because(held, pinned, under_way, registered)
            or ("relied on by a process that runs" if held.needs & census.leased else None)
            or _not_asked(held, limits, census.total + rest)
        )
        if reason is not None:
            plan.kept[reason] += held.kind == "result"
            continue
        gone = set()
        for tree in held.trees:
            needed[tree] -= 1
            if not needed[tree] and tree in census.ages:
                gone.add(tree)
        dropped.append((held, sum(census.take_out(tree) for tree in gone)))
        plan.trees |= gone
    # A tree goes with the last that needs it, and all that needed it lose it.
    plan.losses = [
        Loss(held, freed, bool(held.needs & plan.trees)) for held, freed in dropped if held.trees & plan.trees
    ]
    plan.bytes_after = census.total + rest
    return plan


def carry_out(
    plan: Selection,
    store: ContentStore,
    history: History,
    collection: Collection,
    on_progress: Callable[[int, int], object] | None = None,
) -> set[str]:
    """Removes what was chosen; what a living process has come to rely on since stays.

    Args:
        plan: What was chosen within the same collection.
        store: The content store.
        history: The history.
        collection: The right to remove.
        on_progress: Called with the number of trees that are gone.

    Returns:
        The trees that are gone.
    """
    # First the record, then the trees: none is ever believed whole that is not.
    history.mark_collected([held.id for held in plan.results], now())
    try:
        collection.remove(plan.trees, on_progress=on_progress)
    finally:
        # Ctrl-C comes by here, too: what is there all the same is used again.
        gone = plan.trees - set(store.digests())
        history.mark_collected([held.id for held in plan.results if not held.needs & gone], None)
    for left in plan.leftovers:
        collection.remove_leftover(left)
    return gone


def _kept_because(held: Holding, pinned: set[str], under_way: set[str], registered: dict[str, str]) -> str | None:
    if held.run in pinned:
        return "pinned"
    if held.run in under_way:
        return "of a run that is under way"
    if held.needs & registered.keys() or (held.kind != "result" and held.trees <= registered.keys()):
        return "registered or published"
    return None


def _not_asked(held: Holding, limits: Limits, left: int) -> str | None:
    """Returns: why something that nothing else keeps stays all the same, or None."""
    age = _age_s(held.used)
    if age < limits.grace_s:
        return "just made or used"
    if limits.keep_s is not None and age >= limits.keep_s:
        return None
    if limits.max_bytes is not None and left > limits.max_bytes:
        return None
    if limits.keep_s is not None:
        return "used lately enough"
    return "as no limit was given" if limits.max_bytes is None else "as there is room"


def _age_s(stamp: str) -> float:
    return (datetime.now(timezone.utc) - datetime.fromisoformat(stamp)) / timedelta(seconds=1)
