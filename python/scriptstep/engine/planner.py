"""From a graph to verdicts: what each step would be, whether it was that before, and why not."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from scriptstep.console import Notice, console
from scriptstep.console.text import count
from scriptstep.content import ContentStore, Manifest, digest_bytes, scan, spell
from scriptstep.engine import environment_identity
from scriptstep.engine.comparing.package_lists import PackageLists
from scriptstep.engine.contents import Contents, decides, deciding_paths
from scriptstep.engine.environment_identity import Installed
from scriptstep.engine.key import StepFacts, describe, key_of, parameter_facts, used_parameters
from scriptstep.engine.known_distributions import KnownDistributions
from scriptstep.engine.masking import Mask
from scriptstep.engine.sources import ResolvedInput, SourceResolver, changed_files
from scriptstep.engine.step_plan import KeyedStep, StepPlan
from scriptstep.engine.unmet import unmet_packages
from scriptstep.engine.verdict import Conditions, Verdict, broken_condition, candidates
from scriptstep.errors import ArgumentError
from scriptstep.graph import InputRef, InputSpec, StepOutput, StepSpec
from scriptstep.history import History, ResultRow, RunRow
from scriptstep.records import replace
from scriptstep.runtime.reads import read_digest, read_value
from scriptstep.runtime.revision import RUNTIME_REVISION

if TYPE_CHECKING:
    from scriptstep.engine.comparing.differences import Side
    from scriptstep.engine.comparing.sides import Sides
    from scriptstep.engine.submission import Submission

__all__ = ["Planner"]

Step = TypeVar("Step", bound=KeyedStep)

_COUNTS = {
    "NodeCount": "node_count",
    "MpiProcessCountPerNode": "process_count_per_node",
    "TensorflowWorkerCount": "worker_count",
    "TensorflowParameterServerCount": "parameter_server_count",
}


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
        is_quiet: Whether no step of this run has begun.
        before_reads: Called before what an earlier attempt read is read again.
        packages: The lists of what was installed.
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
        self.is_quiet = True
        self.before_reads: Callable[[], None] = lambda: None
        self.inherited = {name: os.environ[name] for name in settings.environment.inherit if name in os.environ}
        self.resolver = SourceResolver(
            self._workspace,
            store,
            submission.parameters,
            submission.default_datastore,
            (submission.input_identity or settings.reuse.input_identity) == "content",
        )
        self.packages = PackageLists(self._workspace._place.home)
        self._mask = Mask(self._workspace._place.home, settings.environment.secret)
        self._contents = Contents(submission, history, store)
        self._there: set[str] = set()
        self._installed: dict[str, Installed] = {}
        self._listed: dict[tuple[str, tuple[str, ...] | None], tuple[str, str | None]] = {}
        self._unmet: set[tuple[str, str]] = set()

    @property
    def workspace_name(self) -> str:
        """Returns: name of the workspace."""
        return str(self._workspace.name)

    def read_contents(self) -> None:
        """Reads every source directory once, and keeps its content: what is edited later is for the next run.

        Raises:
            ContentError: One cannot be read or kept.
        """
        self._contents.read(self._specs.values())
        _warn_of_plain_paths(self._specs.values())

    def keep_again(self, spec: StepSpec) -> bool:
        """As of `Contents`."""
        return self._contents.keep_again(spec)

    @property
    def contents(self) -> dict[str, str]:
        """Returns: the tree of each source directory."""
        return self._contents.trees

    def left_out(self, spec: StepSpec) -> list[bytes]:
        """Returns: the files of its source directory that a step is not given."""
        return self._contents.left_out(spec)

    def plan(self, node_id: str, row: RunRow) -> StepPlan:
        """Thinks one step of the run through; the steps above it are done with.

        Args:
            node_id: Its node.
            row: Its step run.

        Returns:
            The step with its verdict.

        Raises:
            UserErrorException: An input is not there, or a parameter cannot be.
        """
        step = self._thought_through(node_id, partial(StepPlan, row=row, home=self._workspace._place.home))
        if step.verdict.reuse is None and not step.spec.run.environment_is_default:
            self._warn_of_unmet(step.spec, step.interpreter, self._installed_in(step.interpreter))
        return step

    def key(self, node_id: str) -> KeyedStep:
        """Finds a step's key and verdict; what the steps above it wrote stands in `outputs`.

        Args:
            node_id: Its node.

        Returns:
            The step with its verdict.

        Raises:
            UserErrorException: An input is not there, or a parameter cannot be.
        """
        return self._thought_through(node_id, KeyedStep)

    def _thought_through(self, node_id: str, make: Callable[..., Step]) -> Step:
        spec = self._with_counts(self._specs[node_id])
        content = self._contents.of(spec)
        inputs = tuple(self._resolve(i) for i in spec.inputs)
        interpreter = spec.run.interpreter or sys.executable
        installed = self._installed_in(interpreter)
        packages, note = self._packages(spec, interpreter)
        document = describe(spec, self._facts(spec, content, inputs, installed, packages))
        step = make(
            node_id=node_id,
            spec=spec,
            content=content,
            inputs=inputs,
            document=document,
            mask=self._mask,
            key=key_of(document),
            interpreter=interpreter,
            verdict=Verdict(None),
            reusable=self._forced(spec) is None,
        )
        step.verdict = self._verdict(step)
        if note:
            step.verdict = replace(step.verdict, notes=(*step.verdict.notes, note))
        self._run_all_the_same(step)
        return step

    def _run_all_the_same(self, step: KeyedStep) -> None:
        """Has a step run that would be reused: to be compared with what it gave, or on the terminal."""
        reused, is_debugged = step.verdict.reuse, self._s.debug == step.spec.name
        if self._s.again is not None and step.node_id in self._s.again and reused is not None:
            step.compared = reused
            self.used.add(reused.id)
            step.verdict = replace(step.verdict, reuse=None, reasons=("to compare",))
        elif is_debugged and reused is not None:
            step.verdict = replace(step.verdict, reuse=None, reasons=("it would be reused",))
        if step.verdict.reuse is not reused:
            step.previous = self._latest(step.spec)
        if step.compared is not None or is_debugged:
            step.reusable = False

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
        self.before_reads()
        return read_digest(read_value(self._workspace._catalog, what, args, self._run_id))

    def editables(self, interpreter: str) -> list[str]:
        """Returns: the folders and files that editable installations put on an interpreter's path."""
        return [path for found in self._installed_in(interpreter).distributions for path in found.paths]

    def conditions(self, spec: StepSpec) -> Conditions:
        """Returns: what a result's conditions are held against, now."""
        return Conditions([(self._specs[n].name, self.origins.get(n, "")) for n in spec.run_after], self.read_again)

    # --- parts

    def _verdict(self, step: KeyedStep) -> Verdict:
        spec, forced = step.spec, self._forced(step.spec)
        broken: tuple[str, str] | None = None
        if forced is None:
            conditions = self.conditions(spec)
            accepted: tuple[str, ...] = ()
            results = self._history.results(self._workspace.name, step.key)
            step.newest = results[0].id if results else 0
            if not (found := self._candidates(spec, results)):
                found, accepted = self._accepted(spec, step.key)
            for result in found:
                why = None if accepted else _other_files(step, result)
                why = why or broken_condition(result, conditions, self._is_there)
                if why is None and self._s.audit is not None:
                    from scriptstep.engine.auditing.report import unaudited

                    why = unaudited(result.conditions.get("audit"), self._s.audit)
                if why is None:
                    return Verdict(result, (), (*accepted, *self._notes(step, result)), result.run)
                broken = broken or (why, result.run)
        step.previous = self._latest(spec)
        against = step.previous.run if step.previous else None
        if forced is not None:
            return Verdict(None, (forced,), against=against)
        if broken is not None:
            return Verdict(None, (broken[0],), against=broken[1])
        return Verdict(None, self._reasons(step), against=against)

    def _is_there(self, tree: str) -> bool:
        """Returns: whether a tree may be used. The store keeps it from then on; but a step could write into it."""
        if self.is_quiet and tree in self._there:
            return True
        found = self._store.ensure(tree)
        if found:
            self._there.add(tree)
        return found

    def _forced(self, spec: StepSpec) -> str | None:
        """Returns: why a step runs whatever its earlier results are; None where it does not."""
        if self._s.alone:
            return "submitted by itself"
        if self._s.regenerate_outputs:
            return "regenerate_outputs=True"
        return None if spec.allow_reuse else "allow_reuse=False"

    def _latest(self, spec: StepSpec) -> ResultRow | None:
        return self._history.latest_result(self._workspace.name, spec.name)

    def _candidates(self, spec: StepSpec, results: Sequence[ResultRow]) -> list[ResultRow]:
        return candidates(
            results,
            self._history,
            step_name=spec.name,
            experiment=self._s.experiment,
            used=self.used,
            this_run=self.recorded,
        )

    def _accepted(self, spec: StepSpec, key: str) -> tuple[list[ResultRow], tuple[str, ...]]:
        """Follows what somebody accepted, one difference after the other. Returns results, and what to say of it."""
        said: list[str] = []
        seen = {key}
        while (row := self._history.acceptance(self._workspace.name, key)) is not None and row.stands_for not in seen:
            key = row.stands_for
            seen.add(key)
            said.append(f"accepted by {row.accepted_by} because {row.because}")
            if found := self._candidates(spec, self._history.results(self._workspace.name, key)):
                return found, tuple(said)
        return [], ()

    def _reasons(self, step: KeyedStep) -> tuple[str, ...]:
        old = step.previous
        if old is None:
            return ("first run",)
        from scriptstep.engine.comparing.differences import FileDifference, compare, reasons

        found = compare(self.side(step), self.side_of(step, old), lambda port: self.step_of(step.spec, port))
        changes = [one.change for one in found if isinstance(one, FileDifference)]
        if changes and len(changes) == len(found) and step.spec.hash_paths is None:
            step.is_spared = self._contents.would_spare(step.spec, changes)
        return tuple(reasons(found)) or ("its earlier result serves another step or cannot be used",)

    def _notes(self, step: KeyedStep, result: ResultRow) -> tuple[str, ...]:
        notes: list[str] = []
        for resolved in step.inputs:
            rows = result.conditions.get("files", {}).get(resolved.spec.name)
            if rows is None or resolved.files is None:
                continue
            changed = changed_files([tuple(r) for r in rows], resolved, self.resolver)
            if changed:
                notes.append(
                    f"{count(len(changed), 'file')} of dataset {resolved.spec.name} changed since: "
                    "input_identity='content' would run it"
                )
        if (
            isinstance(step.spec.hash_paths, tuple)
            and (tree := result.conditions.get("tree"))
            and tree != step.content.digest
        ):
            notes.append("files outside hash_paths changed since")
        return tuple(notes)

    def _resolve(self, spec: InputSpec) -> ResolvedInput:
        return self.resolver.resolve(spec, self.outputs)

    def _content_digest(self, spec: StepSpec, content: Manifest) -> str:
        return decides(spec, content).digest

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
            content=self._content_digest(spec, content),
            parameters={n: parameter_facts(n, self._s.parameters[n]) for n in used_parameters(spec)},
            inputs={i.spec.name: i.identity for i in inputs},
            labels={i.spec.name: i.seen_label for i in inputs},
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
                known = KnownDistributions(self._workspace._place.home / "packages" / "known")
                found = environment_identity.installed(read=known.read)
            else:
                from scriptstep.engine.executors.probe import probe_interpreter

                script = Path(environment_identity.__file__)
                found = Installed.from_json(probe_interpreter(interpreter, script))
            self._installed[interpreter] = _with_editables(found)
        return self._installed[interpreter]

    def _packages(self, spec: StepSpec, interpreter: str) -> tuple[str, str | None]:
        """Keeps the list of what is installed beside the history, under its digest. Returns the digest, and a note."""
        declared: tuple[str, ...] | None = None
        if self._settings.reuse.environment_identity == "declared":
            declared = tuple(environment_identity.declared_packages(spec.run.environment))
        if (interpreter, declared) not in self._listed:
            self._listed[interpreter, declared] = self._list(self._installed_in(interpreter), declared)
        return self._listed[interpreter, declared]

    def _list(self, installed: Installed, declared: tuple[str, ...] | None) -> tuple[str, str | None]:
        distributions, loose, note = installed.distributions, installed.loose, None
        if declared is not None:
            distributions, missing = environment_identity.closure(installed, declared)
            loose = ()
            note = f"only the {len(distributions)} packages that the environment declares count"
            if missing:
                note += f" (not installed: {', '.join(missing)})"
        return self.packages.keep(distributions, loose, installed), note

    @cached_property
    def sides(self) -> Sides:
        """Returns: what finds what is known of a key."""
        from scriptstep.engine.comparing.sides import Sides

        return Sides(self._store, self.packages, self._mask)

    def side(self, step: KeyedStep) -> Side:
        """Returns: a step as it is now, to be compared."""
        return self.sides.side(step.masked, step.content.digest, deciding_paths(step.spec))

    def side_of(self, step: KeyedStep, result: ResultRow) -> Side:
        """Returns: an earlier result, to be compared with a step: of its files those that count for the step."""
        return self.sides.side(result.document, result.conditions.get("tree"), deciding_paths(step.spec))

    def step_of(self, spec: StepSpec, port: str) -> str | None:
        """Returns: name of the step that writes an input, or None."""
        for declared in spec.inputs:
            if declared.name == port and isinstance(declared.source, StepOutput):
                return self._specs[declared.source.node_id].name
        return None


def _above(spec: StepSpec) -> set[str]:
    return {i.source.node_id for i in spec.inputs if isinstance(i.source, StepOutput)} | set(spec.run_after)


def _in_arguments(spec: StepSpec) -> list[StepOutput]:
    ports = {p.port for a in spec.arguments for p in a if isinstance(p, InputRef)}
    return [i.source for i in spec.inputs if i.name in ports and isinstance(i.source, StepOutput)]


def _other_files(step: KeyedStep, result: ResultRow) -> str | None:
    """Tells of a result of the right key that its working copy held more: it was made where a list alone decided."""
    if isinstance(step.spec.hash_paths, tuple) or result.conditions.get("tree") == step.content.digest:
        return None
    return "its earlier result was made beside files that are not there now"


def _with_editables(found: Installed) -> Installed:
    """Gives editable distributions the digest of the packages that they put on the path."""
    distributions = [
        d._replace(digest=digest_bytes("scriptstep 2026 editable", spell([scan(p).digest for p in d.paths])))
        if d.paths
        else d
        for d in found.distributions
    ]
    return found._replace(distributions=tuple(distributions))


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
