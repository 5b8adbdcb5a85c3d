"""Why a step would run, ran, or was reused: every difference from an earlier result of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from scriptstep.content import ContentStore
from scriptstep.engine.comparing.differences import Difference, Side, compare
from scriptstep.engine.comparing.forecast import Forecast, Forecaster
from scriptstep.engine.comparing.package_lists import PackageLists
from scriptstep.engine.comparing.sides import Sides, read_export, write_export
from scriptstep.engine.key import Document
from scriptstep.engine.masking import Mask, secret_names, without_secrets
from scriptstep.errors import NotRegisteredError, UserErrorException
from scriptstep.history import History, ResultRow, RunRow
from scriptstep.records import dataclass

__all__ = ["Baseline", "Explanation", "explain_forecast", "explain_run", "export_forecast", "export_run"]

# Results that are looked at for one that is near, where a step never succeeded under its name.
_LOOKED_AT = 200
_BECAME = {"Running": "is running", "Failed": "failed", "Canceled": "was cancelled"}


@dataclass(frozen=True)
class Baseline:
    """What a step is compared with.

    Attributes:
        label: What it is, in a few words: "run 7f3a, step train".
        why: Why it was chosen: "its last success".
        created: When it was recorded, ISO 8601; None where nobody knows.
        key: Its key.
        side: What is known of its key.
        elsewhere: Whether it comes from another workspace.
    """

    label: str
    why: str
    created: str | None
    key: str
    side: Side
    elsewhere: bool = False


@dataclass(frozen=True)
class Explanation:
    """Why a step would run, ran, or was reused.

    Attributes:
        step: Its name.
        verdict: What became of it or would: "would run", "ran", "was reused", "would be reused", "may run", "failed",
            "is running".
        reasons: The reasons of the verdict, one text each.
        baseline: What it is compared with; None where nothing is there to compare with.
        differences: Every difference.
        same: What does not differ, in a few words each.
        secrets: Names of what was not compared, for it is secret and comes from another workspace.
        same_key: Whether the keys are equal.
    """

    step: str
    verdict: str
    reasons: tuple[str, ...]
    baseline: Baseline | None
    differences: tuple[Difference, ...]
    same: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    same_key: bool = False


def explain_forecast(forecaster: Forecaster, forecast: Forecast, against: str | None) -> Explanation:
    """Compares a step of a plan with an earlier result.

    Args:
        forecaster: Made the plan.
        forecast: The step.
        against: Id of a run or its first characters, or the file of an exported key; None for what is nearest.

    Returns:
        Every difference.

    Raises:
        NotRegisteredError: There is no such run, or the step is not in it.
        UserErrorException: The file cannot be read.
    """
    step, planner = forecast.step, forecaster.planner
    words = {"reused": "would be reused", "run": "would run", "run?": "may run", "stuck": "cannot run"}
    if step is None:
        return Explanation(forecast.name, words[forecast.outlook], forecast.reasons, None, ())
    compared = _Compared(forecaster.history, planner.sides, forecast.name, step.key, planner.workspace_name)
    chosen = step.verdict.reuse or step.previous
    baseline = compared.with_named(against) if against else compared.with_result(chosen, step.masked)
    return _explained(
        compared,
        words[forecast.outlook],
        forecast.reasons,
        planner.side(step),
        baseline,
        lambda port: planner.step_of(step.spec, port),
    )


def explain_run(
    history: History, store: ContentStore, home: Path, row: RunRow, against: str | None = None
) -> Explanation:
    """Compares a step run with the result that its verdict was against.

    Args:
        history: The history.
        store: The content store.
        home: The state folder.
        row: The step run.
        against: As of `explain_forecast`.

    Returns:
        Every difference.

    Raises:
        NotRegisteredError: There is no such run, or the step is not in it; or nothing is known of the step's key.
    """
    sides = Sides(store, PackageLists(home), Mask(home))
    key, side = _of_run(history, sides, row)
    compared = _Compared(history, sides, row.name, key, row.workspace)
    verdict = row.verdict or {}
    words = "was reused" if row.reused_from else _BECAME.get(row.status, "ran")
    baseline: Baseline | None
    if against:
        baseline = compared.with_named(against)
    else:
        earlier = verdict.get("against") or row.reused_from
        result = history.result_of(earlier) if earlier else None
        baseline = compared.with_result(result, None)
    failure = str((row.error or {}).get("message", "")).split("\n")[0]
    reasons = (*([failure] if failure else []), *verdict.get("reasons", []), *verdict.get("notes", []))
    return _explained(compared, words, tuple(reasons), side, baseline, lambda port: None)


def export_forecast(forecaster: Forecaster, forecast: Forecast) -> str:
    """Writes the key of a step of a plan down, so that it can be compared elsewhere.

    Args:
        forecaster: Made the plan.
        forecast: The step.

    Returns:
        JSON, without secrets.

    Raises:
        UserErrorException: Its key cannot be known before the steps above it have run.
    """
    step, planner = forecast.step, forecaster.planner
    if step is None:
        raise UserErrorException(
            f"the key of step '{forecast.name}' is not known yet: {'; '.join(forecast.reasons)}",
            help="run the pipeline, and export the step of that run",
        )
    side = planner.side(step)
    return write_export(forecast.name, step.key, side, planner.packages.read(step.document["packages"]))


def export_run(history: History, store: ContentStore, home: Path, row: RunRow) -> str:
    """Writes the key of a step run down, so that it can be compared elsewhere.

    Args:
        history: The history.
        store: The content store.
        home: The state folder.
        row: The step run.

    Returns:
        JSON, without secrets.

    Raises:
        NotRegisteredError: Nothing is known of its key.
    """
    lists = PackageLists(home)
    key, side = _of_run(history, Sides(store, lists, Mask(home)), row)
    return write_export(row.name, key, side, lists.read(side.document["packages"]))


class _Compared:
    """Finds what a step may be compared with."""

    def __init__(self, history: History, sides: Sides, step: str, key: str, workspace: str) -> None:
        self._history, self._sides, self.step, self.key, self._workspace = history, sides, step, key, workspace

    def with_result(self, result: ResultRow | None, document: Document | None) -> Baseline | None:
        """Returns: a result as a baseline; else that of the nearest key, where a document is given."""
        if result is not None:
            why = "its last success" if result.step_name == self.step else "the same work under another name"
            return self._of_result(result, why)
        near = None if document is None else self._nearest(document)
        return None if near is None else self._of_result(near, "the nearest key: the step itself never succeeded")

    def with_named(self, against: str) -> Baseline:
        """Returns: what the user named: a run, or the file of an exported key."""
        file = Path(against)
        if file.suffix == ".json" or file.is_file():
            found = read_export(file)
            return Baseline(f"{file.name}, step {found.step}", "", None, found.key, found.side, elsewhere=True)
        runs = [row for row in self._history.find_run(against.lower()) if row.parent is None or row.kind == "step"]
        tops = [row for row in runs if row.parent is None] or runs
        if len(tops) != 1:
            many = f"the ids of {len(tops)} runs begin with '{against}'" if tops else f"there is no run '{against}'"
            raise NotRegisteredError(many, help="`scriptstep runs` lists the runs that there are")
        steps = [tops[0]] if tops[0].kind != "pipeline" else self._history.runs(parent=tops[0].id, kind="step")
        for row in steps:
            if row.name == self.step or row.kind != "step":
                key, side = _of_run(self._history, self._sides, row)
                return Baseline(f"run {tops[0].id[:4]}, step {row.name}", "", row.created, key, side)
        raise NotRegisteredError(f"run {tops[0].id[:4]} has no step '{self.step}'")

    def _of_result(self, result: ResultRow, why: str) -> Baseline:
        origin = self._history.run(result.run)
        run = (origin.parent or origin.id) if origin else result.run
        side = self._sides.of_result(result)
        return Baseline(f"run {run[:4]}, step {result.step_name}", why, result.created, result.key, side)

    def _nearest(self, document: Document) -> ResultRow | None:
        found = self._history.recent_results(self._workspace, _LOOKED_AT)
        alike = [r for r in found if r.document.get("script") == document["script"]]
        return min(alike, key=lambda r: _distance(document, r.document), default=None)


def _distance(one: Document, other: Document) -> int:
    return sum(1 for name in one if one[name] != other.get(name))


def _of_run(history: History, sides: Sides, row: RunRow) -> tuple[str, Side]:
    """Returns: the key that a step run had, and what is known of it."""
    result = history.result_of(row.reused_from or row.id)
    if result is not None:
        return result.key, sides.of_result(result)
    if (keyed := row.details.get("keyed")) is not None:
        return keyed["key"], sides.side(keyed["document"], keyed["tree"], keyed["paths"])
    why = "it has not begun" if row.ended is None else "it never got as far as its key"
    raise NotRegisteredError(f"nothing is known yet of step '{row.name}' of run {(row.parent or row.id)[:4]}: {why}")


def _explained(
    compared: _Compared,
    verdict: str,
    reasons: tuple[str, ...],
    side: Side,
    baseline: Baseline | None,
    step_of: Callable[[str], str | None],
) -> Explanation:
    if baseline is None:
        return Explanation(compared.step, verdict, reasons, None, ())
    if baseline.elsewhere:
        side = Side(without_secrets(side.document), side.files, side.packages, side.root, side.tree)
    found = compare(side, baseline.side, step_of)
    secrets: tuple[str, ...] = ()
    if baseline.elsewhere:
        found.sort(key=lambda one: one.kind != "package")
        secrets = tuple(secret_names(side.document))
    return Explanation(
        compared.step,
        verdict,
        reasons,
        baseline,
        tuple(found),
        _same(side, baseline.side, step_of),
        secrets,
        compared.key == baseline.key,
    )


def _same(now: Side, then: Side, step_of: Callable[[str], str | None]) -> tuple[str, ...]:
    """Says what does not differ, so that nobody has to wonder whether it was looked at."""
    a, b = now.document, then.document
    told: list[str] = []
    files, earlier = now.files(), then.files()
    if files is not None and earlier is not None:
        kept = {e.path: e.digest for e in earlier}
        if same := sum(1 for e in files if kept.get(e.path) == e.digest):
            told.append(f"{same:,} file{'s' if same > 1 else ''}")
    elif a["content"] == b["content"]:
        told.append("the source directory")
    inputs = [n for n in a["inputs"] if a["inputs"][n] == b["inputs"].get(n)]
    if inputs:
        named = ", ".join(dict.fromkeys(step_of(n) or n for n in inputs))
        told.append(f"{len(inputs)} input{'s' if len(inputs) > 1 else ''} ({named})")
    if a["arguments"] == b["arguments"] and a["arguments"]:
        told.append("the arguments")
    packages, before = now.packages() or {}, then.packages() or {}
    if same := sum(1 for name in packages if before.get(name) == packages[name]):
        told.append(f"{same:,} package{'s' if same > 1 else ''}")
    if a["python"] == b["python"] and a["python"]:
        told.append("Python " + str(a["python"]).rpartition(" ")[2])
    if a["environment"] == b["environment"]:
        told.append("the declared environment")
    for part, word in (("variables", "variable"), ("parameters", "parameter"), ("outputs", "output")):
        if same := sum(1 for name in a[part] if name in b[part] and a[part][name] == b[part][name]):
            told.append(f"{same:,} {word}{'s' if same > 1 else ''}")
    return tuple(told)
