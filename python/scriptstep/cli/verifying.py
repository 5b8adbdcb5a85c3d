"""`scriptstep verify`: reads the whole content store and the history, and tells what is not sound."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from scriptstep.cli.listing import history_here
from scriptstep.console import emit, notice
from scriptstep.console.text import count, duration, escaped, size

if TYPE_CHECKING:
    from pathlib import Path

    from scriptstep.engine.keeping.inspection import Inspection
    from scriptstep.history import Holding

__all__ = ["verify"]

_JSON_VERSION = 1
_SHOWN = 3
_TELL_S = 5.0


def verify(*, with_setting_aside: bool, as_json: bool) -> int:
    """Reads every stored tree and the history, and lists what is damaged or missing.

    Args:
        with_setting_aside: Move damaged trees out of the way.
        as_json: As JSON.

    Returns:
        The exit code: 0 where all is sound, 1 where something is not.

    Raises:
        HistoryDamaged: The history cannot be read.
    """
    from scriptstep.content import ContentStore
    from scriptstep.engine.keeping.inspection import inspect, set_aside
    from scriptstep.engine.keeping.roots import TREES
    from scriptstep.history import History
    from scriptstep.workspace.place import find_place

    place = find_place()
    path = place.home / "history.db"
    # Not as others open it: one that is damaged is told of, and stays where it is.
    history = History(path, read_only=True) if path.exists() else None
    store = ContentStore(place.home / TREES)
    began = time.monotonic()
    found = inspect(store, history, _Progress())
    moved = set_aside(found, store, history_here()[1]) if with_setting_aside and not found.faults else {}
    if as_json:
        emit(json.dumps({"version": _JSON_VERSION, **_as_json(found, moved)}, indent=2))
        return 0 if found.is_sound else 1
    _tell(found, moved)
    verdict = "all sound" if found.is_sound else "not sound"
    emit(f"{verdict}: {count(found.trees, 'tree')} read in {duration(time.monotonic() - began)}")
    if not found.is_sound and not with_setting_aside and (found.damaged or found.missing):
        notice(
            "what is damaged is noticed before it is used, and its step runs again",
            help="scriptstep verify --set-aside moves it out of the way now",
        )
    return 0 if found.is_sound else 1


class _Progress:
    """Tells every few seconds how far it has come."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _TELL_S

    def __call__(self, files: int, read: int) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _TELL_S
            notice(f"read {count(files, 'file')}, {size(read)}", once=False)


def _tell(found: Inspection, moved: dict[str, Path]) -> None:
    for fault in found.faults:
        emit(f"history: {escaped(fault)}")
    for tree in found.damaged:
        problems = "; ".join(map(escaped, tree.problems[:_SHOWN]))
        more = f" and {len(tree.problems) - _SHOWN:,} more" if len(tree.problems) > _SHOWN else ""
        emit(f"damaged: {_of(tree.needed_by, tree.registered)}: {problems}{more}")
        if tree.digest in moved:
            emit(f"  set aside: {moved[tree.digest]}")
    for held, lacking in found.missing:
        emit(f"missing: {_named(held)}: {count(len(lacking), 'tree')} that it needs")
    for told in found.unkept.values():
        emit(f"missing: {escaped(told)}: its tree")
    if found.leftovers:
        notice(f"{count(found.leftovers, 'leftover')} of dead processes and damage: scriptstep gc removes them")


def _of(held: list[Holding], registered: str | None) -> str:
    names = [escaped(registered)] if registered else []
    names += list(dict.fromkeys(map(_named, held)))
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more if names else "a tree that nothing refers to"


def _named(held: Holding) -> str:
    return f"step {escaped(held.name)}, run {held.root[:4]}" if held.kind == "result" else f"run {held.root[:4]}"


def _as_json(found: Inspection, moved: dict[str, Path]) -> dict[str, Any]:
    return {
        "sound": found.is_sound,
        "trees": found.trees,
        "damaged": [
            {
                "tree": tree.digest,
                "problems": tree.problems,
                "of": [_ref(held) for held in tree.needed_by],
                "registered": tree.registered,
                "set_aside": str(moved[tree.digest]) if tree.digest in moved else None,
            }
            for tree in found.damaged
        ],
        "missing": [{**_ref(held), "trees": lacking} for held, lacking in found.missing],
        "registered_missing": [{"tree": digest, "registered": told} for digest, told in found.unkept.items()],
        "history": found.faults,
        "leftovers": found.leftovers,
    }


def _ref(held: Holding) -> dict[str, str]:
    return {"workspace": held.workspace, "name": held.name, "run": held.root, "step_run": held.run}
