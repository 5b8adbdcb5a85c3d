"""A plan: what each step of a pipeline would do, and why, before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from scriptstep.console.text import columns, count, duration, escaped, html_of, listed, size
from scriptstep.records import dataclass
from scriptstep.run.picture import picture

if TYPE_CHECKING:
    from pathlib import Path

    from scriptstep.engine.comparing.forecast import Forecast, Forecaster, Outlook
    from scriptstep.engine.comparing.reproduction import Reproduction
    from scriptstep.engine.submission import Submission
    from scriptstep.run.explained import Explained

__all__ = ["Plan", "PlannedStep", "plan_of"]

_JSON_VERSION = 1


@dataclass(frozen=True)
class PlannedStep:
    """What one step would do.

    Attributes:
        name: Its name.
        outlook: "reused"; "run"; "run?" where that depends on what a step above it writes; "stuck" where it cannot.
        reasons: Why, one text each.
        seconds: How long it took the last time; None where it never ran.
        size: Bytes of the outputs that reuse need not make again; None where nothing is known of them.
    """

    name: str
    outlook: Outlook
    reasons: tuple[str, ...]
    seconds: float | None
    size: int | None


class Plan(Sequence[PlannedStep]):
    """What each step of a pipeline would do, in the order in which they would run. Shown as a table.

    Attributes:
        steps: The steps.
    """

    def __init__(self, submission: Submission, forecaster: Forecaster) -> None:
        self._submission, self._forecaster = submission, forecaster
        self._forecasts: list[Forecast] = forecaster.all()
        self.steps = tuple(PlannedStep(f.name, f.outlook, f.reasons, f.seconds, f.size) for f in self._forecasts)

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[PlannedStep]:
        return iter(self.steps)

    def __getitem__(self, which: Any) -> Any:
        """Returns: the step at a place, or the first of a name."""
        if isinstance(which, str):
            return self.steps[self._place(which)]
        return self.steps[which]

    @property
    def would_run(self) -> bool:
        """Whether a step would run, or may."""
        return any(step.outlook != "reused" for step in self.steps)

    @property
    def is_stuck(self) -> bool:
        """Whether a step could not run."""
        return any(step.outlook == "stuck" for step in self.steps)

    def explain(self, step: str, against: str | None = None) -> Explained:
        """Compares a step with an earlier result of it.

        Args:
            step: Its name.
            against: Id of a run, or its first characters; None for the last one in which the step succeeded.

        Returns:
            Every difference.

        Raises:
            NotRegisteredError: There is no such step or run.
            UserErrorException: What the step would be cannot be known yet.
        """
        from scriptstep.engine.comparing.explanation import explain_forecast
        from scriptstep.run.explained import Explained

        return Explained(explain_forecast(self._forecaster, self._forecasts[self._place(step)], against))

    def export_key(self, step: str) -> str:
        """Writes a step's key down, so that it can be compared on another machine; nothing secret is in it.

        Args:
            step: Its name.

        Returns:
            JSON, for a file that `explain` takes as `against`.

        Raises:
            NotRegisteredError: There is no such step.
            UserErrorException: Its key cannot be known before the steps above it have run.
        """
        from scriptstep.engine.comparing.explanation import export_forecast

        return export_forecast(self._forecaster, self._forecasts[self._place(step)])

    def accept(self, step: str, because: str) -> str:
        """Records that what differs in a step does not matter: its last result is used again from now on.

        Args:
            step: Its name.
            because: Why; shown with each verdict.

        Returns:
            What was recorded, in a line.

        Raises:
            NotRegisteredError: There is no such step.
            UserErrorException: It never succeeded, would be reused anyway, or would run whatever its key is.
        """
        from scriptstep.engine.comparing.acceptance import accept

        row = accept(self._forecaster, self._forecasts[self._place(step)], because)
        return f"{step}: its last result will be used again: accepted by {row.accepted_by} because {row.because}"

    def withdraw(self, step: str) -> str:
        """Takes back what was accepted of a step as it is now.

        Args:
            step: Its name.

        Returns:
            What was taken back, in a line.

        Raises:
            NotRegisteredError: There is no such step.
            UserErrorException: Nothing was accepted.
        """
        from scriptstep.engine.comparing.acceptance import withdraw

        row = withdraw(self._forecaster, self._forecasts[self._place(step)])
        return f"{step}: no longer accepted: {row.because}"

    def reproduce(self, steps: Sequence[str] = (), sample: float = 1.0, seed: int | None = None) -> list[Reproduction]:
        """Runs steps that would be reused again, on the side, and compares what they write with what they wrote.

        Args:
            steps: Their names; none for all that would be reused.
            sample: Which part of them, drawn at random: 0.05 is one in twenty, at least one.
            seed: What the draw begins with; None for another one each time.

        Returns:
            One for each step that ran.

        Raises:
            NotRegisteredError: There is no step of such a name.
            ArgumentError: The sample is not more than 0 and at most 1.
            UserErrorException: None of them would be reused, or they could not be run.
        """
        import math
        import random

        from scriptstep.engine.comparing.reproduction import reproduce
        from scriptstep.errors import ArgumentError, UserErrorException

        if not 0 < sample <= 1:
            raise ArgumentError(f"a sample is more than 0 and at most 1 (or 100%), not {sample}")
        places = {self._place(name) for name in steps}
        named = {self.steps[at].name for at in places}
        reused = [f for f in self._forecasts if f.outlook == "reused" and (not named or f.name in named)]
        if not reused:
            raise UserErrorException("none of these steps would be reused: there is nothing to compare with")
        drawn = set(random.Random(seed).sample(range(len(reused)), math.ceil(sample * len(reused))))
        chosen = [one for at, one in enumerate(reused) if at in drawn]
        return reproduce(self._submission, self._forecaster, chosen)

    def to_json(self) -> dict[str, Any]:
        """Returns: the plan as plain data; `scriptstep plan --help` describes it."""
        steps = [
            {
                "name": one.name,
                "verdict": one.outlook,
                "reasons": list(one.reasons),
                "seconds": one.seconds,
                "bytes": one.size,
            }
            for one in self.steps
        ]
        return {"version": _JSON_VERSION, "steps": steps}

    def __str__(self) -> str:
        rows = [(escaped(s.name), s.outlook, _time(s), escaped("; ".join(s.reasons))) for s in self.steps]
        return "\n".join([*(f"  {line}" for line in columns(rows)), self._summary()])

    def __repr__(self) -> str:
        return f"<Plan: {self._summary()}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            "<tr>"
            + "".join(f"<td>{html_of(c)}</td>" for c in (s.name, s.outlook, _time(s), "; ".join(s.reasons)))
            + "</tr>"
            for s in self.steps
        )
        head = "<tr><th>step</th><th></th><th>time</th><th>why</th></tr>"
        return f"<p>{html_of(self._summary())}</p><table>{head}{rows}</table>{self.picture()}"

    def picture(self) -> str:
        """Returns: the graph with each step's verdict, as SVG."""
        nodes = [(f.node_id, f.name, f.outlook) for f in self._forecasts]
        return picture(nodes, self._forecaster.planner.above)

    def _place(self, name: str) -> int:
        from scriptstep.errors import NotRegisteredError, nearest

        alike = [at for at, step in enumerate(self.steps) if step.name == name]
        if alike:
            # Of several, the one that there is something to say of.
            return next((at for at in alike if self.steps[at].outlook != "reused"), alike[0])
        # NAME#2 is the second of that name.
        first, mark, number = name.rpartition("#")
        alike = [at for at, step in enumerate(self.steps) if step.name == first]
        if mark and number.isdigit() and 0 < int(number) <= len(alike):
            return alike[int(number) - 1]
        names = sorted({step.name for step in self.steps})
        near = nearest(name, names)
        raise NotRegisteredError(
            f"the pipeline has no step '{name}'; it has {listed(names, 12)}",
            help=f"did you mean '{near}'?" if near else None,
        )

    def _summary(self) -> str:
        by = {o: [s for s in self.steps if s.outlook == o] for o in ("run", "run?", "reused", "stuck")}
        parts = [f"{len(by['run']):,} run"] if by["run"] else []
        parts += [f"{len(by['run?']):,} may run"] if by["run?"] else []
        parts += [f"{len(by['stuck']):,} stuck"] if by["stuck"] else []
        told = ", ".join(parts)
        if parts:
            told += _span(by["run"], by["run?"])
        if by["reused"]:
            saved = sum(s.seconds or 0.0 for s in by["reused"])
            amount = sum(s.size or 0 for s in by["reused"])
            worth = duration(saved) + (f" and {size(amount)}" if amount else "")
            reused = "all" if not parts and len(by["reused"]) > 1 else f"{len(by['reused']):,}"
            told += ("; " if told else "") + f"{reused} reused: {worth} saved"
        return told or "the pipeline has no steps"


def _time(step: PlannedStep) -> str:
    return "" if step.seconds is None else duration(step.seconds)


def _span(sure: list[PlannedStep], unsure: list[PlannedStep]) -> str:
    """Returns: how long it would take, one step after the other, going by the last time."""
    if not (known := [s.seconds for s in (*sure, *unsure) if s.seconds is not None]):
        return ""
    least = sum(s.seconds or 0.0 for s in sure)
    most = least + sum(s.seconds or 0.0 for s in unsure)
    never = len(sure) + len(unsure) - len(known)
    told = duration(most) if duration(least) == duration(most) else f"{duration(least)} to {duration(most)}"
    return f": {told}" + (f", and {count(never, 'step')} that never ran" if never else "")


def plan_of(
    submission: Submission, arguments: Sequence[tuple[str, str, str]] = (), touched: Sequence[Path] = ()
) -> Plan:
    """Plans what a submission would do.

    Args:
        submission: The submission.
        arguments: (step, flag or name of a param, value) of each argument that is taken to be another.
        touched: Files whose content is taken to be another; absolute.

    Returns:
        The plan.

    Raises:
        ArgumentError: There is no such step or argument.
        UserErrorException: The pipeline cannot be run.
    """
    from scriptstep.engine.comparing.forecast import Forecaster
    from scriptstep.engine.comparing.what_if import WhatIf

    return Plan(submission, Forecaster(submission, WhatIf(arguments, touched)))
