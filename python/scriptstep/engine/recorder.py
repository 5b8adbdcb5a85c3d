"""From an attempt to a recorded result: trees first, then the record that names them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import scriptstep.runtime
from scriptstep.engine.attempt import Attempt, Status
from scriptstep.engine.contents import deciding_paths
from scriptstep.engine.effects import EventTaker
from scriptstep.engine.ledger import Ledger
from scriptstep.engine.outputs import Collected, adopt_artifacts, adopt_outputs
from scriptstep.engine.planner import Planner
from scriptstep.engine.sources import ResolvedInput, file_rows
from scriptstep.engine.staging import RunFacts, stage
from scriptstep.engine.step_plan import StepPlan
from scriptstep.errors import AzureMLException, TreeDamaged, TreeMissing, UserErrorException
from scriptstep.graph import StepOutput, StepSpec
from scriptstep.history import now
from scriptstep.runtime.reads import is_of_own_making

if TYPE_CHECKING:
    from scriptstep.engine.comparing.defeats import Defeat
    from scriptstep.engine.submission import Submission

__all__ = ["Recorder"]


class Recorder:
    """Begins attempts, and records what came of them.

    Args:
        submission: What is run.
        specs: Its steps, by node.
        planner: Knows what each step is.
        ledger: Hands on what the steps gave.
    """

    def __init__(self, submission: Submission, specs: Mapping[str, StepSpec], planner: Planner, ledger: Ledger) -> None:
        self._s, self._specs, self._planner, self._ledger = submission, specs, planner, ledger
        self._workspace = submission.workspace
        self._history, self._store = submission.catalog.history, submission.catalog.store
        self._facts = RunFacts(
            home=self._workspace._place.home,
            bootstrap=Path(scriptstep.runtime.__file__).parent / "bootstrap",
            variables=_workspace_variables(self._workspace, submission.experiment),
            inherited=planner.inherited,
            settings_file=self._workspace._place.settings_file,
        )
        self._ran: dict[str, StepPlan] = {}

    # --- an attempt

    def begin(self, plan: StepPlan) -> Attempt:
        """Lays out what the step needs.

        Args:
            plan: The step.

        Returns:
            Its attempt.

        Raises:
            AzureMLException: Something cannot be kept or handed on.
        """
        digest = plan.content.digest
        self._ledger.trees.add(digest)
        if plan.attempt > 1:
            return self._begin_again(plan)
        for resolved in plan.inputs:
            if resolved.tree is not None:
                plan.guards[resolved.tree] = self._store.guard(resolved.tree)
            if resolved.dataset_id is not None and resolved.definition is not None:
                self._history.save_definition(
                    self._workspace.name,
                    resolved.dataset_id,
                    str(resolved.definition["kind"]),
                    dict(resolved.definition),
                )
        plan.folder.path.mkdir(parents=True, exist_ok=True)
        plan.taker = EventTaker(self._ledger.target(plan), plan.folder.events, plan.folder.path)
        columns = {"status": "Running", "verdict": plan.verdict.to_json(), "details": plan.known()}
        with self._history.transaction():
            self._history.update_run(plan.row.id, started=now(), **columns)
            self._history.set_properties(plan.row.id, {"ContentSnapshotId": digest})
        return self._staged(plan)

    def _begin_again(self, plan: StepPlan) -> Attempt:
        """Lays out another attempt: what the earlier one logged is forgotten, what it gave to others stays."""
        self.take_events(plan)
        if self._ledger.auditor is not None:
            self._ledger.auditor.forget(plan)
        plan.folder.set_aside(plan.attempt - 1)
        plan.taker = EventTaker(self._ledger.target(plan), plan.folder.events, plan.folder.path)
        with self._history.transaction():
            self._history.forget_metrics(plan.row.id)
            self._history.update_run(plan.row.id, details=plan.known())
        return self._staged(plan)

    def _staged(self, plan: StepPlan) -> Attempt:
        self._copy_code(plan)
        attempt = stage(
            plan.spec,
            plan.row.id,
            self._ledger.parent_id,
            plan.folder,
            self._facts,
            plan.inputs,
            self._s.parameters,
            self._store,
            plan.content.digest,
            plan.interpreter,
            plan.attempt,
        )
        return attempt if self._ledger.auditor is None else self._ledger.auditor.watch(plan, attempt)

    def _copy_code(self, plan: StepPlan) -> None:
        """Lays out the working copy; what is damaged in the store is written anew from the source."""
        try:
            self._store.restore(plan.content.digest, plan.folder.code)
        except (TreeDamaged, TreeMissing):
            if not self._planner.keep_again(plan.spec):
                raise
            self._store.restore(plan.content.digest, plan.folder.code)

    def take_events(self, plan: StepPlan) -> None:
        """Takes in what a step logged, tagged and registered so far."""
        if plan.taker is not None:
            plan.taker.take()

    def damage(self, plan: StepPlan) -> AzureMLException | None:
        """Looks for inputs that an attempt wrote into; they are set aside, and what made them will run again.

        Args:
            plan: The step; no process of its attempt is left.

        Returns:
            What is to be said, or None.
        """
        for digest, guard in plan.guards.items():
            try:
                written = self._store.written_since(digest, guard)
            except TreeMissing as gone:
                return gone
            if written:
                ports = ", ".join(f"'{i.spec.name}'" for i in plan.inputs if i.tree == digest)
                self._store.set_aside(digest)
                return TreeDamaged(
                    f"step '{plan.spec.name}' wrote into its input {ports}: {', '.join(written[:3])}",
                    help="write into an output, or take the input with as_download(); what made it will run again",
                )
        return None

    def finish(self, plan: StepPlan, status: Status) -> tuple[str, list[str]]:
        """Records the result of an attempt that succeeded.

        Args:
            plan: The step.
            status: How its attempt ended.

        Returns:
            Why it ran and what came of it, in a line; and warnings.

        Raises:
            TreeDamaged: An input was written to.
            ContentError: An output cannot be kept.
        """
        assert plan.taker is not None
        plan.taker.take()
        if (fault := self.damage(plan)) is not None:
            raise fault
        audit = None if self._ledger.auditor is None else self._ledger.auditor.judge(plan, status)
        collected = adopt_outputs(plan.spec, plan.folder, self._store)
        self._check_written(plan, collected)
        self._take_mlflow(plan)
        artifacts = adopt_artifacts(plan.folder, self._store)
        warnings, reusable = (
            list(collected.warnings),
            not (plan.taker.cancelled or self._s.alone or self._s.debug == plan.spec.name),
        )
        if changed := self._inputs_changed(plan):
            reusable = False
            warnings.append(
                f"input '{changed}' of step '{plan.spec.name}' changed while it ran: the result will not be reused"
            )
        details, more = self._ledger.place_outputs(plan.spec, collected.trees, plan.row.id)
        warnings += more
        conditions = self._conditions(plan)
        if audit is not None:
            details |= audit.kept()
            conditions |= audit.condition()
        with self._history.transaction():
            result = self._history.add_result(
                workspace=self._workspace.name,
                key=plan.key,
                step_name=plan.spec.name,
                run=plan.row.id,
                outputs=collected.trees,
                artifacts=artifacts,
                document=plan.masked,
                conditions=conditions,
                effects=plan.taker.effects,
                reusable=reusable,
                duration_s=plan.seconds(status),
            )
            self._history.update_run(
                plan.row.id,
                status=self._s.good_end,
                ended=now(),
                exit_code=0,
                artifacts=artifacts,
                details={**plan.given(), "attempts": plan.attempt, **details},
                verdict={**plan.verdict.to_json(), "outcome": self._outcome(plan, collected)},
            )
        # What comes after a step that is compared gets what it got.
        outputs = collected.trees if plan.compared is None else plan.compared.outputs
        self._ledger.done(plan, outputs, plan.row.id if plan.compared is None else plan.compared.run)
        self._planner.recorded.add(result)
        self._ran[plan.node_id] = plan
        self._ledger.trees.add(artifacts)
        shutil.rmtree(plan.folder.code, ignore_errors=True)
        told = [", ".join(plan.verdict.reasons), *self._outcome(plan, collected), *plan.verdict.notes]
        told += [audit.summary()] if audit is not None else []
        return "; ".join(told), warnings

    def stopped(self, plan: StepPlan, status_text: str, error: Mapping[str, Any], status: Status) -> None:
        """Records an attempt that is no result: it keeps what it logged, tagged and registered, and its files.

        Args:
            plan: The step.
            status_text: "Failed" or "Canceled".
            error: What to say of it.
            status: How its attempt ended.
        """
        if plan.taker is not None:
            plan.taker.take()
        self._take_mlflow(plan)
        if self._ledger.auditor is not None:
            self._ledger.auditor.forget(plan)
        artifacts = None if plan.folder.artifacts.is_symlink() else adopt_artifacts(plan.folder, self._store)
        code = status.exit_code if status.signal is None else -status.signal
        fields: dict[str, Any] = {"details": plan.known()}
        fields |= {"artifacts": artifacts} if artifacts else {}
        self._history.update_run(
            plan.row.id, status=status_text, ended=now(), exit_code=code, error=dict(error), **fields
        )
        shutil.rmtree(plan.folder.code, ignore_errors=True)

    def defeats(self) -> list[Defeat]:
        """Returns: what keeps the steps that ran from ever being reused."""
        if self._s.alone or not self._ran:
            return []
        from scriptstep.engine.comparing.defeats import defeats, shared_directories

        # In the order of the pipeline, whichever ended first.
        ran = [self._ran[node] for node in self._specs if node in self._ran]
        names = [plan.spec.name for plan in ran]
        spared = [plan.spec for plan in ran if plan.is_spared]
        return [
            *defeats(self._history, self._store, self._workspace.name, names),
            *shared_directories(spared, self._specs.values()),
        ]

    # --- parts

    def _take_mlflow(self, plan: StepPlan) -> None:
        from scriptstep.engine.mlflow_files import read_mlflow

        logged = read_mlflow(plan.folder.mlflow, plan.row.id)
        if not plan.folder.artifacts.is_symlink():
            logged.place_artifacts(plan.folder.artifacts)
        self._history.add_metrics(logged.metrics)
        self._history.set_tags(plan.row.id, logged.tags)
        shutil.rmtree(plan.folder.mlflow, ignore_errors=True)

    def _check_written(self, plan: StepPlan, collected: Collected) -> None:
        for port in collected.unwritten:
            taken = (plan.node_id, port) in self._planner.read_in_arguments
            more = ", which a later step takes: that one gets a path where nothing is" if taken else ""
            collected.warnings.append(f"step '{plan.spec.name}' never wrote its output '{port}'{more}")

    def _inputs_changed(self, plan: StepPlan) -> str | None:
        """Returns: name of an input of the user's own that is not what it was when the step was keyed."""
        self._planner.resolver.forget()
        self._ledger.forget()
        for resolved in plan.inputs:
            again = self._again(resolved)
            if again is not None and again.identity != resolved.identity:
                return resolved.spec.name
        return None

    def _again(self, resolved: ResolvedInput) -> ResolvedInput | None:
        if isinstance(resolved.spec.source, StepOutput) or resolved.tree is not None:
            return None
        try:
            return self._planner.resolver.resolve(resolved.spec, self._planner.outputs)
        except UserErrorException:
            return ResolvedInput(resolved.spec, None, resolved.label)

    def _conditions(self, plan: StepPlan) -> dict[str, Any]:
        assert plan.taker is not None
        resolver = self._planner.resolver
        return {
            "tree": plan.content.digest,
            "paths": deciding_paths(plan.spec),
            "after": [attempt for _, attempt in self._planner.conditions(plan.spec).after],
            "reads": [self._with_own_change(read, plan.taker.effects) for read in plan.taker.reads],
            "files": {
                i.spec.name: file_rows(i, resolver)
                for i in plan.inputs
                if i.files is not None and not resolver.by_content
            },
        }

    def _with_own_change(self, read: dict[str, Any], effects: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """What the attempt itself registered is no change of what it read; what others did meanwhile is."""
        if not is_of_own_making(read["what"], read["args"], effects):
            return read
        return {**read, "digest_after": self._planner.read_again(read["what"], read["args"])}

    def _outcome(self, plan: StepPlan, collected: Collected) -> list[str]:
        """Returns: what came of an attempt that is worth a word: an output as before, a model."""
        told = [f"attempt {plan.attempt}"] if plan.attempt > 1 else []
        if plan.previous is not None and collected.trees and plan.previous.outputs == collected.trees:
            told.append(f"its output{'s are' if len(collected.trees) > 1 else ' is'} as before")
        # A run on the side registers where nobody looks.
        effects = plan.taker.effects if plan.taker is not None and self._s.again is None else []
        for name in dict.fromkeys(e["name"] for e in effects if e["do"] == "register_model"):
            latest = self._history.model(self._workspace.name, name)
            told.append(f"model {name}" + (f" {latest.version}" if latest else ""))
        return told


def _workspace_variables(workspace: Any, experiment: str) -> dict[str, str]:
    return {
        "AZUREML_ARM_SUBSCRIPTION": str(workspace.subscription_id or ""),
        "AZUREML_ARM_RESOURCEGROUP": str(workspace.resource_group or ""),
        "AZUREML_ARM_WORKSPACE_NAME": str(workspace.name),
        "AZUREML_ARM_PROJECT_NAME": experiment,
        "AZUREML_EXPERIMENT_ID": experiment,
        "AZUREML_RUN_TOKEN": "local",
        "AZUREML_SERVICE_ENDPOINT": "local",
    }
