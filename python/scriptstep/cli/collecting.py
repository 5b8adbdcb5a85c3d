"""`scriptstep gc`, `pin` and `unpin`: what goes from the content store, and what must not."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from scriptstep.cli.listing import one_run
from scriptstep.console import emit, notice
from scriptstep.console.text import ago, columns, count, duration, escaped, size
from scriptstep.errors import NotRegisteredError

if TYPE_CHECKING:
    from scriptstep.content import Collection, ContentStore
    from scriptstep.engine.keeping.caches import CachedFile
    from scriptstep.engine.keeping.collection import Limits, Selection

__all__ = ["collect", "pin", "unpin"]

_JSON_VERSION = 1
_SHOWN = 40
_LEFT = {
    "temporary": "begun by a process that died",
    "trash": "left by a collection that was ended",
    "damaged": "damaged, and set aside",
}


def collect(*, keep_s: float | None, max_bytes: int | None, grace_s: float | None, dry_run: bool, as_json: bool) -> int:
    """Removes from the content store what nothing refers to, and on request what was not used for long.

    Args:
        keep_s: Results that were not used for so long lose their files.
        max_bytes: So do results, the one used least lately first, until no more than this is left.
        grace_s: What is younger stays; an hour where None.
        dry_run: Tell what would go; change nothing.
        as_json: As JSON.

    Returns:
        The exit code.

    Raises:
        WorkspaceException: What is to be kept cannot be read.
        ContentError: Somebody else is collecting, or something cannot be removed.
    """
    from scriptstep.content import ContentStore
    from scriptstep.engine.keeping.caches import old_caches, remove_caches
    from scriptstep.engine.keeping.collection import GRACE_S, Limits, carry_out, choose
    from scriptstep.engine.keeping.roots import TREES, believed_history
    from scriptstep.workspace.place import find_place

    place = find_place()
    store = ContentStore(place.home / TREES)
    limits = Limits(keep_s, max_bytes, GRACE_S if grace_s is None else grace_s)
    history = believed_history(place, store)
    if history is None:
        notice(f"there is nothing to collect in {place.home}")
        return 0
    with _right(store, dry_run or not (place.home / TREES).is_dir()) as right:
        plan = choose(store, history, place.home, limits)
        caches = old_caches(place.home, max(keep_s, limits.grace_s)) if keep_s is not None else []
        stayed = 0
        if right is not None:
            stayed = len(plan.trees - carry_out(plan, store, history, right))
            caches = remove_caches(caches, place.home)
    if as_json:
        emit(json.dumps({"version": _JSON_VERSION, "dry_run": dry_run, **_as_json(plan, caches)}, indent=2))
        return 0
    _tell(plan, caches, limits, dry_run)
    if stayed:
        notice(f"{count(stayed, 'tree')} came to be used meanwhile, and stayed")
    return 0


@contextlib.contextmanager
def _right(store: ContentStore, is_idle: bool) -> Iterator[Collection | None]:
    from scriptstep.content import Collection

    if is_idle:
        yield None
        return
    with Collection(store) as right:
        yield right


def pin(run: str) -> int:
    """Keeps what a run shows, its own files and those of the results that it reused, from being collected.

    Args:
        run: Its id, or the first characters.

    Returns:
        The exit code.

    Raises:
        NotRegisteredError: There is no such run.
    """
    _, history, row = one_run(run)
    history.pin(row.id)
    emit(f"run {row.id[:4]} is pinned: its files stay until `scriptstep unpin {row.id[:4]}`")
    return 0


def unpin(run: str) -> int:
    """Takes the pin from a run.

    Args:
        run: Its id, or the first characters.

    Returns:
        The exit code.

    Raises:
        NotRegisteredError: There is no such run, or it is not pinned.
    """
    _, history, row = one_run(run)
    if not history.unpin(row.id):
        known = ", ".join(id[:4] for id in history.pins())
        raise NotRegisteredError(f"run {row.id[:4]} is not pinned", help=f"pinned are {known}" if known else None)
    emit(f"run {row.id[:4]} is not pinned any more")
    return 0


# --- how it is told


def _tell(plan: Selection, caches: list[CachedFile], limits: Limits, dry_run: bool) -> None:
    rows = []
    for loss in plan.losses[:_SHOWN]:
        held = loss.what
        what = {"result": "", "files": "files of a run that gave no result", "code": "code as a run read it"}[held.kind]
        cost = f"{duration(held.seconds)} to make again" if loss.is_result else what or "its code"
        # What it has in common with one below goes with that.
        freed_here = size(loss.bytes) if loss.bytes else "shared"
        rows.append((escaped(held.name), held.root[:4], f"used {ago(held.used)}", freed_here, cost))
    if rows:
        emit("\n".join(columns(rows, right=frozenset([3]))))
    if len(plan.losses) > _SHOWN:
        emit(f"... and {len(plan.losses) - _SHOWN:,} more; all of them: --json")
    others = [(f"{count(plan.orphans, 'tree')} that nothing refers to", plan.orphan_bytes)] if plan.orphans else []
    kinds = Counter(left.kind for left in plan.leftovers)
    for kind, number in kinds.items():
        taken = sum(left.bytes for left in plan.leftovers if left.kind == kind)
        others.append((f"{count(number, 'tree')} {_LEFT[kind]}", taken))
    for cache, told in (("remote", "fetched from afar"), ("stat", "of scans")):
        sizes = [cached.bytes for cached in caches if cached.kind == cache]
        if sizes:
            others.append((f"{count(len(sizes), 'file')} {told}, not used for long", sum(sizes)))
    for told, taken in others:
        emit(f"{told}: {size(taken)}")
    results = len(plan.results)
    freed = plan.bytes_before - plan.bytes_after + sum(cached.bytes for cached in caches)
    would = "would free" if dry_run else "freed"
    cost = f"; {count(results, 'result')} gone, {duration(plan.seconds)} to make again" if results else ""
    emit(f"{would} {size(freed)}{cost}; {size(plan.bytes_after)} in the store")
    if plan.kept:
        emit("kept: " + ", ".join(f"{number:,} {reason}" for reason, number in plan.kept.most_common()))
    if limits.max_bytes is not None and plan.bytes_after > limits.max_bytes:
        notice(
            f"more than {size(limits.max_bytes)} is left: what is pinned, registered, under way or young stays",
            help="unpin runs, delete models or datasets that nobody needs, or allow more",
            level="warning",
        )


def _as_json(plan: Selection, caches: list[CachedFile]) -> dict[str, Any]:
    return {
        "lost": [
            {
                "kind": loss.what.kind,
                "workspace": loss.what.workspace,
                "name": loss.what.name,
                "run": loss.what.root,
                "step_run": loss.what.run,
                "used": loss.what.used,
                "bytes": loss.bytes,
                "seconds": loss.what.seconds if loss.is_result else None,
            }
            for loss in plan.losses
        ],
        "orphans": {"trees": plan.orphans, "bytes": plan.orphan_bytes},
        "leftovers": [{"kind": left.kind, "path": str(left.path), "bytes": left.bytes} for left in plan.leftovers],
        "caches": [{"kind": cached.kind, "path": str(cached.path), "bytes": cached.bytes} for cached in caches],
        "kept": dict(plan.kept),
        "bytes_before": plan.bytes_before,
        "bytes_after": plan.bytes_after,
        "seconds_to_make_again": plan.seconds,
    }
