"""What a pipeline would do if it were submitted now: each step's verdict, before anything runs."""

from __future__ import annotations

from typing import Literal

from scriptstep.engine.comparing.what_if import WhatIf, WhatIfPlanner, with_arguments
from scriptstep.engine.contents import decides
from scriptstep.engine.step_plan import KeyedStep
from scriptstep.engine.submission import Submission
from scriptstep.engine.verdict import source_of
from scriptstep.errors import ContentError, UserErrorException
from scriptstep.graph import StepOutput
from scriptstep.records import dataclass

__all__ = ["Forecast", "Forecaster", "Outlook"]

Outlook = Literal["reused", "run", "run?", "stuck"]


@dataclass(frozen=True)
class Forecast:
    """What would become of one step.

    Attributes:
        name: The step's name.
        node_id: Its node.
        outlook: "reused", "run", "run?" where that depends on what a step above it writes, or "stuck" where it cannot.
        reasons: Why.
        seconds: How long it took the last time; None where nobody knows.
        size: Bytes of the outputs that reuse need not make again; None where nobody knows.
        step: The step with its key; None where that cannot be known before the steps above it have run.
    """

    name: str
    node_id: str
    outlook: Outlook
    reasons: tuple[str, ...]
    seconds: float | None
    size: int | None
    step: KeyedStep | None


class Forecaster:
    """Finds what a pipeline would do; nothing is run, and no run is recorded.

    A step that runs may write what it wrote before: what comes after it is looked at as if it did, and may then be
    reused, or has reasons of its own to run.

    Args:
        submission: What would be submitted.
        what_if: Changes that are only thought of.

    Attributes:
        planner: Knows what each step is, and what it is compared with.
        history: The history.

    Raises:
        UserErrorException: The pipeline cannot be run, or a change is of something that it does not have.
    """

    def __init__(self, submission: Submission, what_if: WhatIf | None = None) -> None:
        what_if = what_if or WhatIf()
        self._order = submission.graph.order()
        specs = {node.node_id: node.spec for node in submission.graph.module_nodes}
        self._specs = with_arguments(specs, what_if.arguments)
        catalog = submission.catalog
        catalog.refresh()
        self.history, self._store = catalog.history, catalog.store
        self.planner = WhatIfPlanner(submission, self._specs, catalog.history, catalog.store, what_if.touched)
        self._made: dict[str, Forecast] = {}

    def all(self) -> list[Forecast]:
        """Returns: what would become of each step, in the order in which they would run.

        Raises:
            ContentError: A source directory cannot be read or kept.
        """
        if not self._made:
            self.planner.read_contents()
            self.planner.look_for_touched()
            for node_id in self._order:
                self._made[node_id] = self._one(node_id)
            self.planner.tell_untouched()
        return list(self._made.values())

    def _one(self, node_id: str) -> Forecast:
        above = [one for one in self._made.values() if one.node_id in self.planner.above[node_id]]
        if stuck := [one.name for one in above if one.outlook == "stuck"]:
            return self._told(node_id, "stuck", (f"needs {stuck[0]}",), None)
        if (never := self._never_ran(node_id)) is not None:
            return self._told(node_id, "run", (f"depends on {never}",), None)
        try:
            step = self.planner.key(node_id)
        except UserErrorException as mistake:
            return self._told(node_id, "stuck", (mistake.message,), None)
        unsure = [one.name for one in above if one.outlook != "reused" and one.node_id not in step.spec.run_after]
        return self._settle(step, unsure)

    def _never_ran(self, node_id: str) -> str | None:
        """Returns: name of a step above whose output nobody can guess at."""
        for declared in self._specs[node_id].inputs:
            source = declared.source
            if isinstance(source, StepOutput) and source.node_id not in self.planner.outputs:
                return self._specs[source.node_id].name
        return None

    def _settle(self, step: KeyedStep, unsure: list[str]) -> Forecast:
        """Takes a step's verdict for what comes after it."""
        planner, reused = self.planner, step.verdict.reuse
        if reused is None:
            if step.previous is not None:
                planner.outputs[step.node_id] = step.previous.outputs
            return self._told(step.node_id, "run", self._reasons(step), step)
        planner.used.add(reused.id)
        planner.outputs[step.node_id], planner.origins[step.node_id] = reused.outputs, reused.run
        if unsure:
            *first, last = dict.fromkeys(unsure)
            named = f"{', '.join(first)} or {last}" if first else last
            reasons = (f"only if the output of {named} changes", *step.verdict.notes)
            return self._told(step.node_id, "run?", reasons, step)
        source = source_of(reused)
        return self._told(step.node_id, "reused", (source, *step.verdict.notes), step)

    def _reasons(self, step: KeyedStep) -> tuple[str, ...]:
        touched = self.planner.touched_in(step.spec, decides(step.spec, step.content))
        if not touched or step.previous is None:
            return step.verdict.reasons
        found = [r for r in step.verdict.reasons if r != "files of the source directory changed"]
        return (*(f"{path} touched" for path in touched), *found)

    def _told(self, node_id: str, outlook: Outlook, reasons: tuple[str, ...], step: KeyedStep | None) -> Forecast:
        spec = self._specs[node_id]
        last = self.history.latest_result(self.planner.workspace_name, spec.name) if step is None else step.previous
        worth = (step.verdict.reuse if step is not None else None) or last
        size: int | None = None
        if worth is not None and outlook in ("reused", "run?"):
            try:
                size = sum(self._store.manifest(tree).total_size for tree in worth.outputs.values())
            except ContentError:
                size = None
        return Forecast(spec.name, node_id, outlook, reasons, worth.duration_s if worth else None, size, step)
