"""May a step's earlier result be used again? A verdict says so, and why, against a named earlier run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from scriptstep.history import History, ResultRow
from scriptstep.records import dataclass

__all__ = ["Conditions", "Verdict", "broken_condition", "candidates", "source_of"]


@dataclass(frozen=True)
class Verdict:
    """Reuse or run, with its reasons.

    Attributes:
        reuse: The result to use again, or None to run.
        reasons: Why it runs; empty for reuse.
        notes: What the user's own word keeps out of the key and has changed all the same.
        against: Id of the step run that it was compared with, or None for a first run.
    """

    reuse: ResultRow | None
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    against: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns: the verdict as it is kept with the step run."""
        return {
            "verdict": "reuse" if self.reuse else "run",
            "reasons": list(self.reasons),
            "notes": list(self.notes),
            "against": self.against,
        }


@dataclass(frozen=True)
class Conditions:
    """What is as it is now; a result's conditions are held against it.

    Attributes:
        after: For each `run_after`, in order: name of that step, and the attempt whose result it has in this run.
        read: Reads again what a step read: (what, args) to a digest.
    """

    after: Sequence[tuple[str, str]]
    read: Callable[[str, Mapping[str, Any]], str]


def candidates(
    results: Sequence[ResultRow],
    history: History,
    *,
    step_name: str,
    experiment: str,
    used: Collection[int],
    this_run: Collection[int],
) -> list[ResultRow]:
    """Lists the earlier results that a step may use, the best first.

    Args:
        results: Those of its key, the newest first.
        history: The history.
        step_name: Its name.
        experiment: Name of the run's experiment.
        used: Results that serve another step of this run.
        this_run: Results that this run recorded itself: five steps alike are five samples.

    Returns:
        Those under the same step name before others, those of the same experiment before others, the newest first.
    """
    results = [r for r in results if r.reusable and r.id not in used and r.id not in this_run]
    if len(results) < 2:
        return results

    def far(result: ResultRow) -> tuple[bool, bool]:
        origin = history.run(result.run)
        return result.step_name != step_name, origin is None or origin.experiment != experiment

    return sorted(results, key=far)


def broken_condition(result: ResultRow, now: Conditions, is_there: Callable[[str], bool]) -> str | None:
    """Tells why a result of the right key may not be used all the same.

    Args:
        result: The result.
        now: What is as it is now.
        is_there: Tells of a tree, by its digest, whether it is in the store and may be believed.

    Returns:
        The first reason found, or None where it may be used.
    """
    if result.collected is not None:
        return f"its outputs were collected on {result.collected[:10]}"
    after = result.conditions.get("after", [])
    for (name, attempt), recorded in zip(now.after, after, strict=False):
        if attempt != recorded:
            return f"runs after {name}, which ran again"
    if len(after) != len(now.after):
        return "the steps that it runs after changed"
    for read in result.conditions.get("reads", []):
        if now.read(read["what"], read["args"]) not in (read["digest"], read.get("digest_after")):
            return f"{_told(read['what'], read['args'])} changed since"
    for port, digest in result.outputs.items():
        if not is_there(digest):
            return f"its stored output {port} is gone or damaged"
    if result.artifacts is not None and not is_there(result.artifacts):
        return "its stored files are gone or damaged"
    for effect in result.effects:
        if "tree" in effect and not is_there(effect["tree"]):
            return f"what it {'registered' if effect['do'] == 'register_model' else 'uploaded'} is gone or damaged"
    return None


def _told(what: str, args: Mapping[str, Any]) -> str:
    name = args.get("name") or args.get("id") or args.get("sibling")
    words = what.replace("_", " ")
    return f"{words} '{name}'" if name else f"{words} that it reads"


def source_of(result: ResultRow) -> str:
    """Returns: where a result that is used again comes from, in a few words."""
    return "from an earlier run" if result.pipeline_run is None else f"from run {result.pipeline_run[:4]}"
