"""Watches the attempts of a run for what they read from outside: asks for it before, and judges it after."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from scriptstep.console import notice
from scriptstep.data.materialize import Files, materialize
from scriptstep.engine.attempt import Attempt, Status
from scriptstep.engine.auditing.places import Places
from scriptstep.engine.auditing.report import NEVER_SEEN, AuditMode, AuditReport, judge, read_notes
from scriptstep.engine.executors.strace import read_trace, traced, why_not_traced
from scriptstep.engine.planner import Planner
from scriptstep.engine.step_folder import StepFolder
from scriptstep.engine.step_plan import StepPlan
from scriptstep.errors import AzureMLException, UserErrorException
from scriptstep.history import RunRow
from scriptstep.records import replace
from scriptstep.runtime.audit import VARIABLE
from scriptstep.workspace.local_catalog import LocalCatalog

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Auditor"]

_HELP = "declare files as inputs; put modules into the source directory, packages into the environment (docs/audit.md)"


class Auditor:
    """Audits the attempts of one run.

    Args:
        mode: "report", or "strict" where a finding is a failure.
        home: The state folder.
        catalog: What the workspace knows.
        planner: Knows what each step is.
    """

    def __init__(self, mode: AuditMode, home: Path, catalog: LocalCatalog, planner: Planner) -> None:
        self._mode, self._home, self._catalog, self._planner = mode, home, catalog, planner
        self._given: dict[str, Attempt] = {}

    def watch(self, plan: StepPlan, attempt: Attempt) -> Attempt:
        """Sees to it that an attempt is watched.

        Args:
            plan: The step.
            attempt: Its attempt.

        Returns:
            The attempt to run in its place.
        """
        why_not = why_not_traced()
        if why_not is not None:
            notice(f"audit: native code and the programs that a step starts, Python apart, are not seen: {why_not}")
        notice(f"audit: never seen: {NEVER_SEEN}")
        self._given[plan.node_id] = attempt
        notes = str(_notes(plan.folder))
        return traced(replace(attempt, env={**attempt.env, VARIABLE: notes}), _trace(plan.folder))

    def judge(self, plan: StepPlan, status: Status) -> AuditReport:
        """Finds what an attempt read from outside; its working copy is still there.

        Args:
            plan: The step.
            status: How its attempt ended.

        Returns:
            What was found; it stands in `audit.json` of the step's folder, too.

        Raises:
            UserErrorException: Something was found, and the mode is "strict".
        """
        attempt = self._given[plan.node_id]
        notes = read_notes(_notes(plan.folder))
        places = Places(
            folder=plan.folder.path,
            home=self._home,
            given=attempt.inputs.values(),
            locations=[i.location for i in plan.inputs if i.location is not None],
            files=[*(i.files for i in plan.inputs if i.files is not None), *self._read_by_name(plan)],
            interpreter=plan.interpreter,
            variables=attempt.env,
            editables=self._planner.editables(plan.interpreter),
            pythons=[note for note in notes if note["do"] == "python"],
        )
        traces = read_trace(_trace(plan.folder), attempt.cwd)
        program = (attempt.processes[0] if attempt.processes else attempt).argv[0]
        report = judge(notes, traces, places, program, status.started or 0.0, why_not_traced() is None)
        report.save(_whole(plan.folder.path))
        self.forget(plan)
        if report.findings and self._mode == "strict":
            raise UserErrorException(f"{report.told(plan.spec.name, _whole(plan.folder.path))}\nhelp: {_HELP}")
        self._tell(plan, report, plan.folder.path)
        return report

    def forget(self, plan: StepPlan) -> None:
        """Removes what was written down of an attempt."""
        folder = plan.folder
        for file in (_notes(folder), *folder.path.glob(_trace(folder).name + ".*")):
            file.unlink(missing_ok=True)

    def tell_again(self, plan: StepPlan, origin: RunRow) -> tuple[list[str], dict[str, Any]]:
        """Tells what the audit of an earlier attempt found, whose result is used now.

        Args:
            plan: The step.
            origin: The step run of that attempt.

        Returns:
            What to say of it in the step's line, and what stands in the details of the step run.
        """
        if (found := origin.details.get("audit")) is None:
            return [], {}
        report = AuditReport.from_json(found)
        self._tell(plan, report, self._home / origin.directory)
        return [f"{report.summary()}, as it was found then"], {"audit": found}

    @staticmethod
    def _tell(plan: StepPlan, report: AuditReport, folder: Path) -> None:
        if report.findings:
            notice(report.told(plan.spec.name, _whole(folder)), _HELP, level="warning", once=False)

    def _read_by_name(self, plan: StepPlan) -> Iterator[Files]:
        """Yields: the files of datasets that the script asked the SDK for; that it did so is kept with its result."""
        for read in plan.taker.reads if plan.taker is not None else ():
            if read["what"] != "dataset":
                continue
            row = self._catalog.dataset(str(read["args"].get("name")), read["args"].get("version"))
            if row is not None:
                try:
                    yield materialize(row.definition, self._planner.resolver.place_of)
                except AzureMLException:
                    continue


def _notes(folder: StepFolder) -> Path:
    return folder.path / "audit.notes"


def _trace(folder: StepFolder) -> Path:
    return folder.path / "audit.trace"


def _whole(folder: Path) -> Path:
    return folder / "audit.json"
