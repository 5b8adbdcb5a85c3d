"""Running steps again on the side, to see whether they write what they wrote."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Collection, Iterator
from pathlib import Path

from scriptstep.content import ContentStore
from scriptstep.engine.comparing.forecast import Forecast, Forecaster
from scriptstep.engine.coordinator import start
from scriptstep.engine.file_lock import FileLock
from scriptstep.engine.remains import ASIDE, LOCK
from scriptstep.engine.submission import Submission
from scriptstep.errors import ContentError, UserErrorException
from scriptstep.history import History, ResultRow, RunRow
from scriptstep.records import dataclass, replace
from scriptstep.workspace.local_catalog import LocalCatalog
from scriptstep.workspace.place import Place
from scriptstep.workspace.workspace import Workspace

__all__ = ["Reproduction", "reproduce"]

# What of the state a run on the side shares; the rest it gets for itself.
_SHARED = ("trees", "datastores", "packages", "remote")
_COPIED = ("masking-key",)


@dataclass(frozen=True)
class Reproduction:
    """What came of running a step again.

    Attributes:
        step: Its name.
        outcome: "same", "differs", "failed", or "not run" where it did not come to that.
        differences: The files that differ, each with what became of it; of a failure what it was.
        seconds: How long it took; None where it failed.
    """

    step: str
    outcome: str
    differences: tuple[str, ...]
    seconds: float | None


def reproduce(submission: Submission, forecaster: Forecaster, chosen: Collection[Forecast]) -> list[Reproduction]:
    """Runs steps again that would be reused, each with the inputs that it had, and compares what they write.

    It is a run of its own, in a state folder beside the workspace's: the history, models and datasets of the workspace
    stay as they are, and destinations that a user named are not written to. What a script itself uploads to a datastore
    it uploads.

    Args:
        submission: What would be submitted.
        forecaster: Planned it.
        chosen: The steps; each would be reused.

    Returns:
        One for each step.

    Raises:
        UserErrorException: The run could not be carried out.
    """
    place = submission.workspace._place
    with _beside(place, forecaster.history) as home:
        workspace = Workspace._opened(Place(home, place.settings_file), submission.workspace._config)
        nodes = frozenset(one.node_id for one in chosen)
        aside = replace(submission, workspace=workspace, again=nodes, continue_on_step_failure=True)
        active = start(aside)
        try:
            active.wait()
        except BaseException:
            # Its state folder must outlive it.
            active.cancel()
            active.wait()
            raise
        if active.error is not None:
            raise UserErrorException(f"the steps could not be run again: {active.error}")
        catalog = aside.catalog
        rows = {row.node_id: row for row in catalog.history.runs(parent=active.run_id, kind="step")}
        return [_compared(one, rows.get(one.node_id), catalog) for one in chosen]


@contextlib.contextmanager
def _beside(place: Place, history: History) -> Iterator[Path]:
    """Makes a state folder beside the workspace's own, that has its history up to now and shares its trees."""
    from scriptstep.workspace.catalog import close_catalogs

    history.check_writable()
    (place.home / ASIDE).mkdir(mode=0o700, exist_ok=True)
    home = place.home / ASIDE / uuid.uuid4().hex[:8]
    home.mkdir(mode=0o700)
    lock = FileLock.take(home / LOCK)
    try:
        history.copy_to(home / "history.db")
        for name in _SHARED:
            if (place.home / name).is_dir():
                (home / name).symlink_to(place.home / name)
        for name in _COPIED:
            if (place.home / name).exists():
                shutil.copy2(place.home / name, home / name)
        yield home
    finally:
        close_catalogs()
        shutil.rmtree(home, ignore_errors=True)
        if lock is not None:
            lock.release()
        with contextlib.suppress(OSError):
            os.rmdir(home.parent)


def _compared(one: Forecast, row: RunRow | None, catalog: LocalCatalog) -> Reproduction:
    assert one.step is not None and one.step.verdict.reuse is not None
    result = catalog.history.result_of(row.id) if row is not None else None
    if row is None or result is None:
        error = row.error if row is not None else None
        if error is None:
            return Reproduction(one.name, "not run", (), None)
        return Reproduction(one.name, "failed", (str(error.get("message", "")),), None)
    differences = tuple(_differences(one.step.verdict.reuse, result, catalog.store))
    return Reproduction(one.name, "differs" if differences else "same", differences, result.duration_s)


def _differences(before: ResultRow, after: ResultRow, store: ContentStore) -> Iterator[str]:
    for port in sorted(set(before.outputs) | set(after.outputs)):
        if port not in after.outputs or port not in before.outputs:
            yield f"{port} {'was not written' if port in before.outputs else 'was not written before'}"
        elif before.outputs[port] != after.outputs[port]:
            yield from _files(port, before.outputs[port], after.outputs[port], store)
    if before.artifacts and after.artifacts and before.artifacts != after.artifacts:
        # Logs hold times; what the script kept as a file of the run is its work.
        yield from (f for f in _files("", before.artifacts, after.artifacts, store) if f.startswith("outputs/"))


def _files(port: str, before: str, after: str, store: ContentStore) -> Iterator[str]:
    try:
        changes = store.manifest(before).diff(store.manifest(after))
    except ContentError:
        yield f"{port} cannot be compared: it is not in the store any more"
        return
    for change in changes:
        name = change.path.decode("utf-8", "surrogateescape")
        yield f"{'/'.join(part for part in (port, name) if part)} {change.kind}"
