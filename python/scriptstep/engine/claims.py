"""Single flight: of the runs of one home one at a time does the work of a key, the others wait and use what came of it.

A claim is a lock on a file, held from the first attempt at a step until its result is recorded or it has failed; the
system frees it however the process ends. A run waits for a claim only with a step that it has not begun, and what it
holds claims for has begun: the end of that hangs on its script, on time and on this run's own job slots, never on
another claim. So no two runs wait for each other. Within one run steps of one key share its claim: each is a sample.
"""

from __future__ import annotations

import time
from pathlib import Path

from scriptstep.content import digest_bytes
from scriptstep.engine.file_lock import FileLock, holder

__all__ = ["Claims"]

_LOOK_S = 0.05


class Claims:
    """The claims that a run holds, and those that its steps wait for.

    Args:
        folder: Holds a file for each key that is worked on; made where it is not there.
        workspace: Name of the workspace: the same key is other work in another.
        run_id: Id of the run, for those who wait.
    """

    def __init__(self, folder: Path, workspace: str, run_id: str) -> None:
        self._folder, self._workspace, self._run_id = folder, workspace, run_id
        self._held: dict[str, tuple[FileLock | None, set[str]]] = {}
        self._keys: dict[str, str] = {}
        self._waiting: dict[str, str] = {}
        self._told: dict[str, str] = {}
        self._next_look = 0.0
        folder.mkdir(parents=True, exist_ok=True)

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, node_id: str, key: str) -> bool:
        """Takes the claim for a step, or lets the step wait for it.

        Args:
            node_id: Its node.
            key: Its key.

        Returns:
            Whether the step may run; else it waits for another run, until `look` names it.
        """
        if key in self._held:
            self._held[key][1].add(node_id)
        else:
            try:
                lock = FileLock.take(self._path(key), self._run_id)
            except OSError:
                # A claim spares work and decides nothing: where none can be made the step runs.
                self._held[key] = (None, {node_id})
            else:
                if lock is None:
                    self._waiting[node_id] = key
                    return False
                self._held[key] = (lock, {node_id})
        self._keys[node_id] = key
        return True

    def give_back(self, node_id: str) -> None:
        """Gives back what a step holds, if it does."""
        key = self._keys.pop(node_id, None)
        if key is None:
            return
        lock, steps = self._held[key]
        steps.discard(node_id)
        if not steps:
            del self._held[key]
            if lock is not None:
                lock.release(remove=True)

    def look(self) -> tuple[list[str], dict[str, str]]:
        """Looks how the claims stand that steps wait for; not at each call.

        Returns:
            The steps that need not wait any more, to be planned again; and of the others, where that is new, the id
            of the run that each waits for.
        """
        freed: list[str] = []
        news: dict[str, str] = {}
        if not self._waiting or time.monotonic() < self._next_look:
            return freed, news
        self._next_look = time.monotonic() + _LOOK_S
        for node_id, key in list(self._waiting.items()):
            run = holder(self._path(key))
            if run is None:
                del self._waiting[node_id]
                freed.append(node_id)
            elif run and run != self._told.get(node_id):
                news[node_id] = self._told[node_id] = run
        return freed, news

    def forget_waiting(self) -> None:
        """Lets no step wait any more."""
        self._waiting.clear()

    def close(self) -> None:
        """Gives back all that is held."""
        for node_id in list(self._keys):
            self.give_back(node_id)

    def _path(self, key: str) -> Path:
        return self._folder / digest_bytes(
            "scriptstep 2026 claim", f"{key} {self._workspace}".encode("utf-8", "surrogateescape")
        )
