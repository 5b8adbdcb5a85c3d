"""`scriptstep runs`, `logs` and `cancel`: what ran, what it printed, and its end."""

from __future__ import annotations

import json
import shlex
import time
from typing import TYPE_CHECKING, Any

from scriptstep.console import emit, emit_bytes, notice
from scriptstep.console.text import ago, columns, duration, escaped
from scriptstep.errors import NotRegisteredError, UserErrorException, nearest

if TYPE_CHECKING:
    from pathlib import Path

    from scriptstep.history import History, RunRow
    from scriptstep.workspace.place import Place

__all__ = ["cancel_run", "history_here", "list_runs", "one_run", "print_logs", "status_of_run", "steps_of"]

_JSON_VERSION = 1
_CANCEL_S = 20.0
_WORDS = {
    "Finished": "finished",
    "Completed": "finished",
    "Failed": "failed",
    "Canceled": "cancelled",
    "NotStarted": "waiting",
}


def list_runs(most: int, experiment: str | None, as_json: bool) -> int:
    """Lists runs, the newest first.

    Args:
        most: How many at most.
        experiment: Only those of this experiment.
        as_json: As JSON.

    Returns:
        The exit code.
    """
    place, history = history_here()
    rows = [r for r in history.runs(experiment=experiment) if r.parent is None][:most] if history else []
    if as_json:
        told = [_as_json(place, history, row) for row in rows if history]
        emit(json.dumps({"version": _JSON_VERSION, "runs": told}, indent=2, ensure_ascii=False))
        return 0
    if history is None or not rows:
        where = f" of experiment '{experiment}'" if experiment else ""
        notice(f"there are no runs{where} in {place.home}")
        return 0
    width = _unique_width(history, [r.id for r in rows])
    table = [("run", "experiment", "", "when", "took", "steps")]
    for row in rows:
        verdicts: list[str] = [s["verdict"] for s in _steps(place, history, row)]
        summary = ", ".join(f"{verdicts.count(v):,} {v}" for v in sorted(set(verdicts), key=_order))
        seconds = _seconds(row)
        table.append(
            (
                row.id[:width],
                escaped(row.experiment),
                _word(place, row),
                ago(row.created),
                "" if seconds is None else duration(seconds),
                summary,
            )
        )
    emit("\n".join(columns(table)))
    return 0


def _order(verdict: str) -> int:
    known = ["ran", "reused", "running", "failed", "cancelled", "not run", "waiting"]
    return known.index(verdict) if verdict in known else len(known)


def print_logs(run: str, step: str | None, rank: int | None, attempt: int | None = None) -> int:
    """Prints what the steps of a run printed.

    Args:
        run: Its id, or the first characters.
        step: Name of a step; all of them where None.
        rank: Of its processes the one of this rank; all of them where None.
        attempt: Which try at the step; the last where None.

    Returns:
        The exit code.

    Raises:
        NotRegisteredError: There is no such run or step, or no step of it has such a rank or attempt.
    """
    from scriptstep.run.files import earlier_attempts, logs_of

    place, history, row = one_run(run)
    steps = steps_of(history, row, step)
    catalog = _catalog(place, row)
    files = [(one, catalog.files(one.id)) for one in steps]
    earlier = {one.id: earlier_attempts(found) for one, found in files}
    if attempt is not None:
        files = [
            (one, earlier[one.id].get(attempt, found)) for one, found in files if _tries(earlier[one.id]) >= attempt
        ]
        if not files:
            most = max(map(_tries, earlier.values()))
            raise NotRegisteredError(f"nothing was tried {attempt} times", help=f"the highest attempt is {most}")
    logs = [(one, logs_of(found)) for one, found in files]
    if rank is not None:
        most = max((max(found) for _, found in logs if found), default=0)
        logs = [(one, {rank: found[rank]}) for one, found in logs if rank in found]
        if not logs:
            raise NotRegisteredError(f"no process of rank {rank} printed anything", help=f"the highest is {most}")
    parts: list[tuple[RunRow, int, Path | None, int]]
    parts = [(one, at, path, len(found)) for one, found in logs for at, path in _or_none(found)]
    for index, (one, at, path, ranks) in enumerate(parts):
        if len(parts) > 1:
            told = "reused" if one.reused_from else _word(place, one, row)
            shown = f"{told}, rank {at}" if ranks > 1 else told
            emit(("\n" if index else "") + f"== {escaped(one.name)} ({shown})")
        data = path.read_bytes() if path is not None else b""
        emit_bytes(data if not data or data.endswith(b"\n") else data + b"\n")
    for one, _ in logs if attempt is None else []:
        if earlier[one.id]:
            named = f"scriptstep logs {row.id[:4]} {shlex.quote(escaped(one.name))} --attempt 1"
            notice(f"step '{escaped(one.name)}' was tried {_tries(earlier[one.id])} times; this was the last", named)
    return 0


def _tries(earlier: dict[int, Any]) -> int:
    return max(earlier, default=0) + 1


def _or_none(logs: dict[int, Path]) -> list[tuple[int, Path | None]]:
    """Returns: the logs of a step by rank; one that is not there, where it printed nothing."""
    return [*logs.items()] or [(0, None)]


def cancel_run(run: str) -> int:
    """Cancels a run, and waits until its processes are gone.

    Args:
        run: Its id, or the first characters.

    Returns:
        The exit code: 1 where it had not ended after 20 seconds.

    Raises:
        NotRegisteredError: There is no such run.
        UserErrorException: It is the run of a step.
    """
    place, history, row = one_run(run)
    if row.kind == "step":
        above = (row.parent or "")[:4]
        raise UserErrorException(
            f"'{row.name}' is a step of run {above}", help=f"cancel that: scriptstep cancel {above}"
        )
    if _ended(place, row):
        notice(f"run {row.id[:4]} is over: {_word(place, row)}")
        return 0
    history.request_cancel(row.id)
    end = time.monotonic() + _CANCEL_S
    while time.monotonic() < end:
        found = history.run(row.id)
        if found is None or _ended(place, found):
            emit(f"run {row.id[:4]} {_word(place, found) if found else 'gone'}")
            return 0
        time.sleep(0.1)
    notice(f"run {row.id[:4]} was asked to end and has not yet", level="warning")
    return 1


def status_of_run(run_id: str) -> str:
    """Returns: how a run stands; "Failed" where it is not in the history."""
    place, history = history_here()
    row = history.run(run_id) if history else None
    return _status(place, row) if row else "Failed"


# --- where they are


def history_here() -> tuple[Place, History | None]:
    """Returns: the place that commands work in, and its history; None where nothing was run or registered yet."""
    from scriptstep.workspace.local_catalog import open_history
    from scriptstep.workspace.place import find_place

    place = find_place()
    if not (place.home / "history.db").exists():
        return place, None
    return place, open_history(place)


def one_run(prefix: str) -> tuple[Place, History, RunRow]:
    """Finds the run that people mean.

    Args:
        prefix: Its id, or the first characters.

    Returns:
        Where it is, the history, and the run.

    Raises:
        NotRegisteredError: There is no such run, or there are several.
    """
    place, history = history_here()
    found = history.find_run(prefix.lower()) if history and prefix else []
    exact = [row for row in found if row.id == prefix]
    # The steps of a run have ids too; people mean the run that holds them.
    for chosen in (exact, [r for r in found if r.parent is None], found):
        if len(chosen) == 1 and history is not None:
            return place, history, chosen[0]
        if len(chosen) > 1:
            width = _unique_width(history, [r.id for r in chosen]) if history else 8
            known = ", ".join(f"{r.id[:width]} ({r.experiment}, {ago(r.created)})" for r in chosen[:5])
            raise NotRegisteredError(
                f"the ids of {len(chosen)} runs begin with '{prefix}': {known}", help="give more of the id"
            )
    raise NotRegisteredError(
        f"there is no run '{prefix}' in {place.home}", help="`scriptstep runs` lists the runs that there are"
    )


def steps_of(history: History, row: RunRow, name: str | None) -> list[RunRow]:
    """Finds the steps of a run; a script by itself is its own.

    Args:
        history: The history.
        row: The run.
        name: Their name; all of them where None.

    Returns:
        The steps, in the order in which they run.

    Raises:
        NotRegisteredError: None is called so.
    """
    steps = [row] if row.kind != "pipeline" else list(reversed(history.runs(parent=row.id, kind="step")))
    found = [one for one in steps if name is None or one.name == name]
    if name is None or found:
        return found
    names = sorted({one.name for one in steps})
    near = nearest(name, names)
    raise NotRegisteredError(
        f"run {row.id[:4]} has no step '{name}'; it has {', '.join(names) or 'none'}",
        help=f"did you mean '{near}'?" if near else None,
    )


def _catalog(place: Place, row: RunRow) -> Any:
    from scriptstep.workspace.catalog import open_catalog

    return open_catalog(place, row.workspace)


def _unique_width(history: History | None, ids: list[str]) -> int:
    """Returns: how many characters tell these runs from all others that people may mean, 4 at least."""
    known = sorted({r.id for r in history.runs() if r.parent is None}) if history else sorted(ids)
    width = 4
    while width < 36 and len({i[:width] for i in known}) < len(known):
        width += 1
    return width


# --- how they stand


def _status(place: Place, row: RunRow, root: RunRow | None = None) -> str:
    from scriptstep.run.status import status_of

    return status_of(row, place.home, root)


def _word(place: Place, row: RunRow, root: RunRow | None = None) -> str:
    status = _status(place, row, root)
    return _WORDS.get(status, status.lower())


def _ended(place: Place, row: RunRow) -> bool:
    from scriptstep.run.status import ENDED

    return _status(place, row) in ENDED


def _seconds(row: RunRow) -> float | None:
    from scriptstep.run.status import took

    return took(row)


def _steps(place: Place, history: History, row: RunRow) -> list[dict[str, Any]]:
    from scriptstep.run.shown import step_words

    over = _ended(place, row)
    steps = []
    for step in reversed(history.runs(parent=row.id)):
        words = step_words(step, _status(place, step, row), over)
        seconds = None if words in ("not run", "waiting", "reused") else _seconds(step)
        steps.append({"name": step.name, "verdict": words, "seconds": seconds})
    return steps


def _as_json(place: Place, history: History, row: RunRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "experiment": row.experiment,
        "name": row.name,
        "number": row.number,
        "status": _status(place, row),
        "created": row.created,
        "started": row.started,
        "ended": row.ended,
        "seconds": _seconds(row),
        "tags": history.tags(row.id),
        "steps": _steps(place, history, row),
    }
