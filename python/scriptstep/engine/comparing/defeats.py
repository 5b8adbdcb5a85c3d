"""What keeps a step from ever being reused: values that differ in every run, outputs that never come out the same."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterable, Sequence

from scriptstep.console.text import listed, typed
from scriptstep.content import ContentStore
from scriptstep.engine.comparing.differences import Difference, Side, compare
from scriptstep.engine.key import Document
from scriptstep.errors import ContentError
from scriptstep.graph import StepSpec
from scriptstep.history import History, ResultRow
from scriptstep.records import dataclass

__all__ = ["Defeat", "defeats", "shared_directories"]

# So many results in a row must differ before anything is said.
_RESULTS = 3
_NAMED = 3
# What programs make up: uuids, dates, times, build numbers, hexadecimal ids, seconds since 1970.
_MADE_UP = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-|\d{4}-?\d\d-?\d\d|\d\d:\d\d|\d{8,}|(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])\b[0-9a-f]{7,}\b",
    re.IGNORECASE,
)
_COUNTER = re.compile(r"\d{3,}\Z")
_KINDS = frozenset({"argument", "param", "parameter", "variable", "inherited variable", "version"})


@dataclass(frozen=True)
class Defeat:
    """Something that keeps steps from being reused.

    Attributes:
        text: What it is.
        help: What to do about it.
    """

    text: str
    help: str


def defeats(history: History, store: ContentStore, workspace: str, steps: Iterable[str]) -> list[Defeat]:
    """Looks through the last results of steps for what keeps them from being reused.

    Args:
        history: The history.
        store: Holds their outputs.
        workspace: Name of the workspace.
        steps: Names of the steps that just ran.

    Returns:
        What was found; each step and value once.
    """
    found: list[Defeat] = []
    for step in dict.fromkeys(steps):
        results = history.results_of_step(workspace, step, _RESULTS)
        if len(results) == _RESULTS:
            found += _values_that_never_stay(step, [r.document for r in results])
        if (restless := _output_that_never_stays(step, results, store)) is not None:
            found.append(restless)
    return found


def shared_directories(spared: Sequence[StepSpec], specs: Collection[StepSpec]) -> list[Defeat]:
    """Tells of source directories whose steps ran for files that they do not import.

    Args:
        spared: Those steps.
        specs: All steps of the pipeline.

    Returns:
        What was found; one for each directory.
    """
    found: list[Defeat] = []
    for directory in dict.fromkeys(spec.source_directory for spec in spared):
        steps = [spec.name for spec in spared if spec.source_directory == directory]
        sharing = sum(1 for spec in specs if spec.source_directory == directory)
        named = listed(list(dict.fromkeys(steps)))
        whose = f"{sharing} steps share source directory '{typed(directory)}': " if sharing > 1 else ""
        found.append(
            Defeat(
                f"{whose}{named} ran for Python files that {'they do' if len(steps) > 1 else 'it does'} not import",
                "hash_paths='imports' gives a step its script and what that imports, and would have reused "
                f"{'them' if len(steps) > 1 else 'it'}",
            )
        )
    return found


def _values_that_never_stay(step: str, documents: Sequence[Document]) -> list[Defeat]:
    changes = [
        {(d.kind, d.name): d for d in compare(Side(new), Side(old)) if d.kind in _KINDS}
        for new, old in itertools.pairwise(documents)
    ]
    found: list[Defeat] = []
    for key in changes[0]:
        row = [change[key] for change in changes if key in change]
        if len(row) == len(changes) and _is_made_up(row):
            kind, name = key
            what = f"{kind} {name}".strip()
            values = ", ".join(_values(row))
            text = f"{what} of step '{step}' was another in each of its last {len(documents)} runs ({values})"
            found.append(
                Defeat(
                    f"{text}: while it changes, no result of the step is used again",
                    "leave it out, or hand it on where it decides nothing: as a tag of the run",
                )
            )
    return found


def _values(row: Sequence[Difference]) -> list[str]:
    """Returns: the values that a thing had, the oldest first."""
    return [v or "" for v in (row[-1].before, *(d.after for d in reversed(row)))]


def _is_made_up(row: Sequence[Difference]) -> bool:
    """Whether values look as if a program made them up: people change values too, and know that they do."""
    values = _values(row)
    if len(set(values)) < len(values):
        return False
    if all(_MADE_UP.search(v) for v in values):
        return True
    if not all(_COUNTER.search(v) for v in values):
        return False
    numbers = [int(_COUNTER.findall(v)[0]) for v in values]
    return all(0 < b - a <= 1000 for a, b in itertools.pairwise(numbers))


def _output_that_never_stays(step: str, results: Sequence[ResultRow], store: ContentStore) -> Defeat | None:
    """Tells of an output that was another although nothing of the step had changed."""
    if len(results) < 2:
        return None
    new, old = results[0], results[1]
    if new.key != old.key:
        return None
    ports = [port for port in new.outputs if port in old.outputs and new.outputs[port] != old.outputs[port]]
    if not ports:
        return None
    names: list[str] = []
    for port in ports:
        try:
            changes = store.manifest(old.outputs[port]).diff(store.manifest(new.outputs[port]))
        except ContentError:
            continue
        names += [c.path.decode("utf-8", "surrogateescape") or port for c in changes]
    shown = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
    return Defeat(
        f"step '{step}' ran twice with nothing changed and wrote another output {', '.join(ports)}"
        f"{f' ({shown})' if shown else ''}: what reads it runs again each time",
        "give it fixed seeds, and leave times and paths out of what it writes",
    )
