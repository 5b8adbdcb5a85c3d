"""From a graph to verdicts: what each step would be, whether it was that before, and why not."""

from __future__ import annotations

import json
import os
import sys
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scriptstep.console import Notice, console
from scriptstep.console.text import count
from scriptstep.console.text import size as size_text
from scriptstep.content import ContentStore, Manifest, Survey, digest_bytes, scan
from scriptstep.engine import environment_identity
from scriptstep.engine.canonical import encode
from scriptstep.engine.differences import FileSide, Packages, differences
from scriptstep.engine.effects import EventTaker
from scriptstep.engine.environment_identity import Installed
from scriptstep.engine.executors.local import probe_interpreter
from scriptstep.engine.key import Document, StepFacts, describe, key_of
from scriptstep.engine.masking import Mask
from scriptstep.engine.sources import ResolvedInput, SourceResolver, changed_files
from scriptstep.engine.staging import StepFolder, parameter_facts, used_parameters
from scriptstep.engine.unmet import unmet_packages
from scriptstep.engine.verdict import Conditions, Verdict, broken_condition, candidates
from scriptstep.errors import ArgumentError, SourceChanged, TreeMissing
from scriptstep.graph import InputRef, StepOutput, StepSpec
from scriptstep.history import History, ResultRow, RunRow
from scriptstep.runtime.reads import read_digest, read_value
from scriptstep.runtime.revision import RUNTIME_REVISION

if TYPE_CHECKING:
    from scriptstep.engine.attempt import Status
    from scriptstep.engine.submission import Submission

__all__ = ["Planner", "StepPlan"]

# Files and bytes from which on a source directory is worth a warning: it is hashed, and copied for each step.
_LARGE = (20_000, 1_000_000_000)
_COUNTS = {
    "NodeCount": "node_count",
    "MpiProcessCountPerNode": "process_count_per_node",
    "TensorflowWorkerCount": "worker_count",
    "TensorflowParameterServerCount": "parameter_server_count",
}


@dataclass
class StepPlan:
    """One step, thought through.

    Attributes:
        node_id: Its node.
        spec: The step, with the pipeline's parameters filled into its counts.
        row: Its step run.
        folder: Its folder.
        content: What its source directory holds.
        inputs: Its inputs, found.
        document: What its key is made of; `masked`, as it is kept.
        key: Its key.
        interpreter: The Python that runs it.
        verdict: Reuse or run.
        previous: The last result of a step of its name, or None.
        reusable: Whether an earlier result may stand for it.
        newest: Id of the newest result of its key when the verdict was given.
        attempt: Number of its present or next attempt, from 1.
        failed: How the attempt before that ended, or None.
        guards: Trees that it is handed on, with their rows before it starts.
        taker: Takes its events in.
        handle: The executor's handle, once it is submitted.
        logs: Log of each rank, where it runs in several processes.
    """

    node_id: str
    spec: StepSpec
    row: RunRow
    folder: StepFolder
    content: Manifest
    inputs: tuple[ResolvedInput, ...]
    document: Document
    masked: Document
    key: str
    interpreter: str
    verdict: Verdict
    previous: ResultRow | None
    reusable: bool = True
    newest: int = 0
    attempt: int = 1
    failed: Status | None = None
    guards: dict[str, Any] = field(default_factory=dict)
    taker: EventTaker | None = None
    handle: str = ""
    logs: tuple[Path, ...] = ()

    def log_of(self, rank: int | None) -> Path:
        """Returns: the log of a rank, of the first where nobody knows which; what started them, where none began."""
        if not self.logs:
            return self.folder.log
        log = self.logs[rank or 0]
        return log if log.exists() else self.folder.mpi_log

    @staticmethod
    def seconds(status: Status) -> float:
        """Returns: how long an attempt ran."""
        return max(0.0, (status.ended or 0.0) - (status.started or 0.0)) if status.started else 0.0


class Planner:
    """Thinks through the steps of one run.

    Args:
        submission: What is run.
        specs: Its steps, by node.
        history: The history.
        store: The content store.
        run_id: Id of the pipeline run.

    Attributes:
        above: For each node, the nodes that must be done with first.
        read_in_arguments: (node, port) of outputs that a later step has in its arguments.
        outputs: What each finished node wrote: port to tree digest.
        origins: For each finished node, the step run whose result it has.
        used: Results that serve a step of this run.
        recorded: Results that this run recorded.
        skipped: Nodes that are not run, for what they need failed.
    """

    def __init__(
        self, submission: Submission, specs: Mapping[str, StepSpec], history: History, store: ContentStore, run_id: str
    ) -> None:
        self._s, self._specs, self._history, self._store, self._run_id = submission, specs, history, store, run_id
        self._workspace = submission.workspace
        settings = submission.in_force
        self._settings = settings
        self.above = {n: _above(spec) for n, spec in specs.items()}
        self.read_in_arguments = {
            (source.node_id, source.output) for spec in specs.values() for source in _in_arguments(spec)
        }
        self.outputs: dict[str, dict[str, str]] = {}
        self.origins: dict[str, str] = {}
        self.used: set[int] = set()
        self.recorded: set[int] = set()
        self.skipped: set[str] = set()
        self.inherited = {name: os.environ[name] for name in settings.environment.inherit if name in os.environ}
        self.resolver = SourceResolver(
            self._workspace,
            store,
            submission.parameters,
            submission.default_datastore,
            (submission.input_identity or settings.reuse.input_identity) == "content",
        )
        self._mask = Mask(self._workspace._place.home)
        self._contents: dict[str, Manifest] = {}
        self._cache = self._workspace._place.home / "stat"
        self._installed: dict[str, Installed] = {}
        self._unmet: set[tuple[str, str]] = set()

    def read_contents(self) -> None:
        """Reads every source directory once, and keeps its content: what is edited later is for the next run.

        Raises:
            ContentError: One cannot be read or kept.
        """
        for spec in self._specs.values():
            if spec.source_directory not in self._contents:
                found = self._contents[spec.source_directory] = self._read_and_keep(spec)
                for warning in found.warnings:
                    console().send(Notice("warning", warning, None))
        _warn_of_plain_paths(self._specs.values())

    def _read_and_keep(self, spec: StepSpec) -> Manifest:
        source = spec.source_directory
        if (kept := self._s.contents.get(source)) is not None:
            if not self._store.ensure(kept):
                raise TreeMissing(
                    f"the code of step '{spec.name}' as it was published is not in the store any more",
                    help="publish the pipeline again",
                )
            return self._store.manifest(kept)
        found = scan(source, cache=self._cache, on_survey=lambda survey: _warn_large(spec, survey), survey_from=_LARGE)
        if self._store.ensure(found.digest):
            return found
        previous = self._history.latest_result(self._workspace.name, spec.name)
        try:
            self._store.save(source, found, base=previous.conditions.get("tree") if previous else None)
        except SourceChanged:
            # It was edited between reading and keeping: what stands there now is what counts.
            found = scan(source, cache=self._cache)
            self._store.save(source, found)
        return found

    @property
    def contents(self) -> dict[str, str]:
        """Returns: the tree of each source directory."""
        return {source: manifest.digest for source, manifest in self._contents.items()}

    def plan(self, node_id: str, row: RunRow) -> StepPlan:
        """Thinks one step through; the steps above it are done with.

        Args:
            node_id: Its node.
            row: Its step run.

        Returns:
            The step with its verdict.

        Raises:
            UserErrorException: An input is not there, or a parameter cannot be.
        """
        spec = self._with_counts(self._specs[node_id])
        content = self._contents[spec.source_directory]
        inputs = tuple(self.resolver.resolve(i, self.outputs) for i in spec.inputs)
        interpreter = spec.run.interpreter or sys.executable
        installed = self._installed_in(interpreter)
        packages, note = self._packages(spec, installed)
        document = describe(spec, self._facts(spec, content, inputs, installed, packages))
        plan = StepPlan(
            node_id=node_id,
            spec=spec,
            row=row,
            folder=StepFolder(self._workspace._place.home / row.directory),
            content=content,
            inputs=inputs,
            document=document,
            masked=self._mask.document(document),
            key=key_of(document),
            interpreter=interpreter,
            verdict=Verdict(None),
            previous=self._history.latest_result(self._workspace.name, spec.name),
            reusable=spec.allow_reuse and not (self._s.alone or self._s.regenerate_outputs),
        )
        if plan.reusable:
            plan.newest = self._history.newest_result(self._workspace.name, plan.key)
        plan.verdict = self._verdict(plan)
        if note:
            plan.verdict = replace(plan.verdict, notes=(*plan.verdict.notes, note))
        if plan.verdict.reuse is None and not spec.run.environment_is_default:
            self._warn_of_unmet(spec, interpreter, installed)
        return plan

    def _warn_of_unmet(self, spec: StepSpec, interpreter: str, installed: Installed) -> None:
        """Says once what an environment declares and the interpreter of its steps has not."""
        unmet = unmet_packages(spec.run.environment, installed)
        told = ", ".join(f"{wanted} ({f'{here} is there' if here else 'not installed'})" for wanted, here in unmet)
        if told and (interpreter, told) not in self._unmet:
            self._unmet.add((interpreter, told))
            console().send(
                Notice(
                    "warning",
                    f"step '{spec.name}' runs in {interpreter}, "
                    f"which does not have what its environment declares: {told}",
                    "install it there, or name the interpreter that has it: [environments.NAME] python = ... in "
                    "scriptstep.toml, or environment.python.interpreter_path",
                )
            )

    def is_outdated(self, plan: StepPlan) -> bool:
        """Returns: whether a result of its key came since the verdict."""
        return self._history.newest_result(self._workspace.name, plan.key) > plan.newest

    def read_again(self, what: str, args: Mapping[str, Any]) -> str:
        """Reads what a step read, now; `parent` stands for this run.

        Args:
            what: Kind of thing, as its event names it.
            args: Which one.

        Returns:
            The digest of what comes back.
        """
        return read_digest(read_value(self._workspace._catalog, what, args, self._run_id))

    def conditions(self, spec: StepSpec) -> Conditions:
        """Returns: what a result's conditions are held against, now."""
        return Conditions([(self._specs[n].name, self.origins.get(n, "")) for n in spec.run_after], self.read_again)

    # --- parts

    def _verdict(self, plan: StepPlan) -> Verdict:
        spec, against = plan.spec, plan.previous.run if plan.previous else None
        if self._s.alone:
            return Verdict(None, ("submitted by itself",), against=against)
        if self._s.regenerate_outputs:
            return Verdict(None, ("regenerate_outputs=True",), against=against)
        if not spec.allow_reuse:
            return Verdict(None, ("allow_reuse=False",), against=against)
        conditions = self.conditions(spec)
        reason: tuple[str, str] | None = None
        found = candidates(
            self._history,
            self._workspace.name,
            plan.key,
            step_name=spec.name,
            experiment=self._s.experiment,
            used=self.used,
            this_run=self.recorded,
        )
        for result in found:
            broken = broken_condition(result, conditions, self._store)
            if broken is None:
                return Verdict(result, (), self._notes(plan, result), result.run)
            reason = reason or (broken, result.run)
        if reason is not None:
            return Verdict(None, (reason[0],), against=reason[1])
        return Verdict(None, self._reasons(plan), against=against)

    def _reasons(self, plan: StepPlan) -> tuple[str, ...]:
        old = plan.previous
        if old is None:
            return ("first run",)
        found = differences(
            plan.masked,
            old.document,
            files=lambda: self._file_sides(plan, old),
            packages=lambda: self._package_sides(plan.document["packages"], old.document["packages"]),
            step_of=lambda port: self._step_of(plan.spec, port),
        )
        return tuple(found) or ("its earlier result serves another step or cannot be used",)

    def _notes(self, plan: StepPlan, result: ResultRow) -> tuple[str, ...]:
        notes: list[str] = []
        for resolved in plan.inputs:
            rows = result.conditions.get("files", {}).get(resolved.spec.name)
            if rows is None or resolved.files is None:
                continue
            changed = changed_files([tuple(r) for r in rows], resolved.files, self.resolver)
            if changed:
                notes.append(
                    f"{count(len(changed), 'file')} of dataset {resolved.spec.name} changed since: "
                    "input_identity='content' would run it"
                )
        if plan.spec.hash_paths and (tree := result.conditions.get("tree")) and tree != plan.content.digest:
            notes.append("files outside hash_paths changed since")
        return tuple(notes)

    def _with_counts(self, spec: StepSpec) -> StepSpec:
        run = spec.run
        for key, parameter in spec.runconfig_params.items():
            value = self._s.parameters[parameter]
            try:
                count = int(value)
            except (TypeError, ValueError):
                count = 0
            if count < 1 and key != "TensorflowParameterServerCount":
                raise ArgumentError(f"step '{spec.name}': parameter '{parameter}' sets {key}: {value!r} is no count")
            changed: Any = {_COUNTS[key]: count}
            run = replace(run, **changed)
        return replace(spec, run=run) if run is not spec.run else spec

    def _facts(
        self, spec: StepSpec, content: Manifest, inputs: tuple[ResolvedInput, ...], installed: Installed, packages: str
    ) -> StepFacts:
        return StepFacts(
            content=_content(spec, content),
            parameters={n: parameter_facts(n, self._s.parameters[n]) for n in used_parameters(spec)},
            inputs={i.spec.name: i.identity for i in inputs},
            node_count=spec.run.node_count,
            process_counts={
                "process_count_per_node": spec.run.process_count_per_node,
                "worker_count": spec.run.worker_count,
                "parameter_server_count": spec.run.parameter_server_count,
            },
            installed=installed,
            packages=packages,
            variables=spec.run.environment_variables,
            inherited=self.inherited,
            with_platform=self._settings.reuse.platform,
            runtime_revision=RUNTIME_REVISION,
        )

    def _installed_in(self, interpreter: str) -> Installed:
        if interpreter not in self._installed:
            if interpreter == sys.executable:
                found = environment_identity.installed()
            else:
                script = Path(environment_identity.__file__)
                found = Installed.from_json(probe_interpreter(interpreter, script))
            self._installed[interpreter] = _with_editables(found)
        return self._installed[interpreter]

    def _packages(self, spec: StepSpec, installed: Installed) -> tuple[str, str | None]:
        """Keeps the list of what is installed beside the history, under its digest. Returns the digest, and a note."""
        distributions, loose, note = installed.distributions, installed.loose, None
        if self._settings.reuse.environment_identity == "declared":
            declared = environment_identity.declared_packages(spec.run.environment)
            distributions, missing = environment_identity.closure(installed, declared)
            loose = ()
            note = f"only the {len(distributions)} packages that the environment declares count"
            if missing:
                note += f" (not installed: {', '.join(missing)})"
        listed = {
            "distributions": [[d.name, d.version, d.digest] for d in distributions],
            "loose": [list(row) for row in loose],
            "conda": [list(row) for row in installed.conda],
        }
        digest = digest_bytes("scriptstep 2026 packages", encode(listed))
        place = self._workspace._place.home / "packages" / f"{digest}.json"
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            aside = place.with_suffix(f".{uuid.uuid4().hex}")
            aside.write_text(json.dumps(listed), encoding="utf-8")
            os.replace(aside, place)
        return digest, note

    def _package_sides(self, new: str, old: str) -> tuple[Packages, Packages] | None:
        sides: list[Packages] = []
        for digest in (new, old):
            try:
                text = (self._workspace._place.home / "packages" / f"{digest}.json").read_text(encoding="utf-8")
                listed = json.loads(text)
                sides.append(
                    {name: (version, d) for name, version, d in listed["distributions"]}
                    | {name: ("", d) for name, d in listed["loose"]}
                    | {f"conda {name}": (version, build) for name, version, build in listed["conda"]}
                )
            except (OSError, ValueError, KeyError):
                return None
        return sides[0], sides[1]

    def _file_sides(self, plan: StepPlan, old: ResultRow) -> tuple[FileSide, FileSide] | None:
        tree = old.conditions.get("tree")
        if tree is None or not self._store.ensure(tree):
            return None
        new_manifest, old_manifest = plan.content, self._store.manifest(tree)
        if plan.spec.hash_paths:
            new_manifest = new_manifest.subset([plan.spec.script_name, *plan.spec.hash_paths])
            old_manifest = old_manifest.subset([plan.spec.script_name, *plan.spec.hash_paths])
        # As it was kept: the directory itself may be another by now, or gone.
        return (
            (new_manifest, self._store.content_path(plan.content.digest)),
            (old_manifest, self._store.content_path(tree)),
        )

    def _step_of(self, spec: StepSpec, port: str) -> str | None:
        for declared in spec.inputs:
            if declared.name == port and isinstance(declared.source, StepOutput):
                return self._specs[declared.source.node_id].name
        return None


def _above(spec: StepSpec) -> set[str]:
    return {i.source.node_id for i in spec.inputs if isinstance(i.source, StepOutput)} | set(spec.run_after)


def _in_arguments(spec: StepSpec) -> list[StepOutput]:
    ports = {p.port for a in spec.arguments for p in a if isinstance(p, InputRef)}
    return [i.source for i in spec.inputs if i.name in ports and isinstance(i.source, StepOutput)]


def _content(spec: StepSpec, manifest: Manifest) -> str:
    if not spec.hash_paths:
        return manifest.digest
    return manifest.subset([spec.script_name, *spec.hash_paths]).digest


def _with_editables(found: Installed) -> Installed:
    """Gives editable distributions the digest of the packages that they put on the path."""
    distributions = [
        replace(d, digest=digest_bytes("scriptstep 2026 editable", encode([scan(p).digest for p in d.paths])))
        if d.paths
        else d
        for d in found.distributions
    ]
    return replace(found, distributions=tuple(distributions))


def _warn_of_plain_paths(specs: Iterable[StepSpec]) -> None:
    """A path that is given as text is no input: what lies there is not watched. Said once a run."""
    found: dict[str, str] = {}
    for spec in specs:
        for argument in spec.arguments:
            text = "".join(part for part in argument if isinstance(part, str))
            path = text.partition("=")[2] if text.startswith("-") else text
            if len(argument) == 1 and os.path.isabs(path) and os.path.exists(path):
                if not Path(path).is_relative_to(spec.source_directory):
                    found.setdefault(path, spec.name)
    if found:
        first, step = next(iter(found.items()))
        more = f", and {count(len(found) - 1, 'more path')}" if len(found) > 1 else ""
        console().send(
            Notice(
                "warning",
                f"step '{step}' is given {first} as plain text{more}: no step runs again where that changes",
                "declare it as an input: Dataset.File.from_files(PATH).as_named_input('data').as_mount()",
            )
        )


def _warn_large(spec: StepSpec, survey: Survey) -> None:
    named = ", ".join(f"{name} {size_text(size)}" for name, size in survey.largest)
    lines = " ".join(f"/{name}" for name, _ in survey.largest)
    console().send(
        Notice(
            "warning",
            f"source directory '{spec.source_directory}' of step '{spec.name}' holds {size_text(survey.size)} in "
            f"{survey.files:,} files, all of it hashed and copied for each step\n  largest: {named}",
            f"leave out what no script needs with such lines in {spec.source_directory}/.amlignore: {lines}",
        )
    )
