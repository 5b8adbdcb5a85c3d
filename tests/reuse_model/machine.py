"""The state machine: edits and runs in any order, each run held against the reference."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from scriptstep import Dataset
from scriptstep.engine.active_run import active
from scriptstep.errors import TreeMissing
from scriptstep.history import RunRow
from tests.reuse_model import script
from tests.reuse_model.bench import Bench, tree_at
from tests.reuse_model.edits import EDITS, HARMLESS
from tests.reuse_model.reference import Result, dataset_files, evaluate
from tests.reuse_model.world import Input, Step, Tree, World, content_of
from tests.reuse_model.worlds import new_world, one_of

__all__ = ["COUNTS", "NeedlessRun", "PipelineMachine", "RealPipelineMachine", "WrongResult"]

# What was done in this process: sequences, runs, and steps by what became of them.
COUNTS: Counter[str] = Counter()


class WrongResult(AssertionError):
    """A result is not that of a run without reuse."""


class NeedlessRun(AssertionError):
    """A step ran though nothing that can change its result had changed."""


class PipelineMachine(RuleBasedStateMachine):
    """Runs steps in this process; everything but the executor and the facts of the machine is the real thing."""

    real: ClassVar[bool] = False
    edits: ClassVar[tuple[str, ...]] = tuple(EDITS)
    prepare: ClassVar[Callable[[World], object] | None] = None  # what is done to each world before it first runs

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(real=self.real)
        self.prefix = Path(script.__file__).read_bytes() if self.real else b""
        self.world = World()
        # The world of the last run, where all of that succeeded and nothing was lost since; and how it knew data.
        self.good: tuple[World, dict[str, Result], str] | None = None
        # For each step run that came to a result: what its datasets held, None where nobody can say, and its source
        # directory.
        self.given: dict[str, tuple[dict[str, Tree | None], Tree]] = {}
        self.last: list[RunRow] = []

    def teardown(self) -> None:
        self.bench.close()

    @initialize(data=st.data())
    def begin(self, data: Any) -> None:
        COUNTS["sequences"] += 1
        self.world = new_world(data.draw, self.prefix)
        if self.prepare is not None:
            type(self).prepare(self.world)
        self._run()

    # --- rules

    @rule(data=st.data(), count=st.integers(1, 2))
    def edit_and_run(self, data: Any, count: int) -> None:
        for _ in range(count):
            self._edit(data)
        self._run()

    @rule(data=st.data())
    def undo_and_run(self, data: Any) -> None:
        before = copy.deepcopy(self.world)
        self._edit(data)
        self._run()
        before.notes = self.world.notes
        self.world = before
        self._run()

    @rule(data=st.data())
    def change_what_does_not_count(self, data: Any) -> None:
        self._harmless(data)
        self._run(backwards=data.draw(st.booleans()), jobs=data.draw(st.integers(1, 3)))

    @rule(data=st.data())
    def run_otherwise(self, data: Any) -> None:
        self._run(
            regenerate_outputs=data.draw(st.booleans()),
            continue_on_step_failure=data.draw(st.booleans()),
            jobs=data.draw(st.integers(1, 3)),
        )

    @rule(data=st.data(), edit=st.booleans())
    def run_by_definition(self, data: Any, edit: bool) -> None:
        self._run("definition")
        if edit:
            for _ in range(2):
                EDITS[one_of(data.draw, [e for e in self.edits if e.startswith("data_")] or self.edits)](
                    self.world, data.draw, self.prefix
                )
            self._run("definition")

    @precondition(lambda self: not self.real)
    @rule(data=st.data())
    def a_step_crashes(self, data: Any) -> None:
        self._edit(data)
        self.bench.around.crashing = {one_of(data.draw, self.world.steps).name}
        self._run(continue_on_step_failure=data.draw(st.booleans()))
        self.bench.around.crashing = set()
        self._run()

    @precondition(lambda self: not self.real)
    @rule(data=st.data())
    def a_run_is_cancelled(self, data: Any) -> None:
        self._edit(data)
        self.bench.around.hanging = {one_of(data.draw, self.world.steps).name}
        self._run(jobs=data.draw(st.integers(1, 2)))
        self.bench.around.hanging = set()
        self._run()

    @precondition(lambda self: not self.real)
    @rule(data=st.data(), back=st.booleans())
    def files_are_edited_while_a_run_goes_on(self, data: Any, back: bool) -> None:
        self._edit(data)
        now, later = self.world, copy.deepcopy(self.world)
        names = [e for e in self.edits if e.startswith(("data_", "file_", "script_", "link_"))]
        for name in names and [one_of(data.draw, names) for _ in range(data.draw(st.integers(1, 2)))]:
            note(f"meanwhile: {name}")
            EDITS[name](later, data.draw, self.prefix)
        self.bench.around.meanwhile = lambda: self.bench.lay(later)
        # Code is read when a run begins; data, when a step does: what it then comes to, nobody can say.
        self._run(checked=now.data == later.data)
        self.bench.around.meanwhile = None
        self.good, self.world = None, now if back else later
        self._run()

    @rule(data=st.data())
    def an_output_is_lost(self, data: Any) -> None:
        trees = sorted({o["tree"] for row in self.last for o in (row.details.get("outputs") or {}).values()})
        # Which steps wrote any hangs on time where one of them failed; what is drawn must not.
        which = data.draw(st.integers(0, 11))
        if trees:
            self.bench.lose(trees[which % len(trees)])
            self.good = None
        self._run()

    @precondition(lambda self: self.good is not None and self.good[2] == "content")
    @rule()
    def the_same_in_a_new_workspace(self) -> None:
        """The second opinion: the last run again, where nothing ever ran."""
        before = self._outputs()
        self.bench.begin_anew()
        self.given, self.good = {}, None
        self._run(regenerate_outputs=True)
        if self._outputs() != before:
            raise WrongResult(f"{self._outputs()} in a new workspace, {before} in the old one")

    # --- parts

    def _edit(self, data: Any) -> None:
        name = one_of(data.draw, self.edits)
        note(f"edit: {name}")
        EDITS[name](self.world, data.draw, self.prefix)

    def _harmless(self, data: Any) -> None:
        name = one_of(data.draw, [*HARMLESS, "move", "touch", "litter"])
        note(f"edit: {name}")
        if name in HARMLESS:
            HARMLESS[name](self.world, data.draw, self.prefix)
        elif name == "move":
            self.bench.move()
        elif name == "touch":
            self.bench.touch()
        else:
            self.bench.litter(str(data.draw(st.integers(0, 9))))

    def _outputs(self) -> dict[str, Any]:
        return {
            row.name: {name: o["tree"] for name, o in (row.details.get("outputs") or {}).items()} for row in self.last
        }

    def _run(self, identity: str = "content", *, checked: bool = True, **keywords: Any) -> None:
        bench, world = self.bench, self.world
        bench.lay(world)
        run = bench.start(world, input_identity=identity, **keywords)
        if bench.around.hanging:
            self._cancel(run)
        run.wait_for_completion(show_output=False, raise_on_error=False)
        history = bench.ws._catalog.history
        run_row = history.run(run.id)
        self.last = history.runs(parent=run.id)
        COUNTS["runs"] += 1
        for row in self.last:
            COUNTS["reused" if row.reused_from else row.status] += 1
        if "scriptstep itself" in str((run_row.error or {}).get("message")):
            raise AssertionError(run_row.error)
        rows = {row.name: row for row in self.last}
        results = evaluate(world, real=self.real)
        note(f"run: {run_row.status}; " + ", ".join(f"{r.name} {_became(r)}" for r in self.last))
        stale = self._check_notes(rows, identity)
        if checked:
            self._check_statuses(run_row, rows, results, stale)
            self._check_outputs(rows, results, stale)
            if not keywords.get("regenerate_outputs"):
                self._check_needless(rows, results, identity)
        self._remember(rows, data_is_known=checked)
        is_good = run_row.status == "Finished" and checked and not stale
        self.good = (copy.deepcopy(world), results, identity) if is_good else None

    def _cancel(self, run: Any) -> None:
        """Cancels a run once it hangs, or lets it end where it does not come so far."""
        (name,) = self.bench.around.hanging
        coordinated = active(run.id)
        assert coordinated is not None
        while not coordinated.wait(0.001):
            if name in self.bench.around.ran:
                run.cancel()
                return

    def _check_statuses(
        self, run: RunRow, rows: dict[str, RunRow], results: dict[str, Result], stale: set[str]
    ) -> None:
        around = self.bench.around
        bad = {s.name for s in self.world.steps if results[s.id].failed}
        # By definition a step may get what was made of data that changed since, and fail at that.
        bad |= {s.name for s in self.world.steps if s.id in stale and rows[s.name].status == "Failed"}
        spoilt = {name for name in around.crashing | around.hanging if name in around.ran}
        if not bad and not spoilt:
            wrong = {name: (row.status, row.error) for name, row in rows.items() if row.status != "Finished"}
            if wrong or run.status != "Finished":
                raise WrongResult(f"the run is {run.status}: {run.error}; {wrong}")
        for name, row in rows.items():
            if row.status == "Failed" and name not in bad | spoilt:
                raise WrongResult(f"{name} failed: {row.error}")
            if row.status == "Finished" and name in spoilt:
                raise WrongResult(f"{name} finished though it was ended")

    def _check_outputs(self, rows: dict[str, RunRow], results: dict[str, Result], stale: set[str]) -> None:
        for step in self.world.steps:
            row, result = rows[step.name], results[step.id]
            if row.status != "Finished" or step.id in stale:
                continue
            told = f"{step.name}, {'reused' if row.reused_from else 'ran: ' + str(row.verdict['reasons'])}"
            if result.failed or result.not_run:
                raise WrongResult(f"{told}: a run without reuse fails here; {_short(result)}")
            outputs = row.details.get("outputs") or {}
            if outputs.keys() != result.outputs.keys():
                raise WrongResult(f"{told}: outputs {sorted(outputs)}, not {sorted(result.outputs)}")
            for output in step.outputs:
                if output.name not in outputs:
                    continue
                wanted = result.outputs[output.name]
                try:
                    got = tree_at(self.bench.store.content_path(outputs[output.name]["tree"]))
                except TreeMissing as missing:
                    raise WrongResult(f"{told}: {missing}") from missing
                if got != wanted:
                    raise WrongResult(f"{told}: output {output.name} is {got}, not {wanted}; {_short(result)}")
                if output.destination is not None:
                    self._check_held(Path(self.bench.datastore._files()[0], output.destination), wanted)
                if output.registered is not None:
                    files = Dataset.get_by_name(self.bench.ws, output.registered)
                    self._check_registered(files, outputs[output.name]["tree"])

    def _check_held(self, place: Path, wanted: Tree) -> None:
        held = tree_at(place)
        missing = {path for path, node in wanted.items() if node.kind != "directory" and held.get(path) != node}
        if missing:
            raise WrongResult(f"{place} does not hold {missing}")

    def _check_registered(self, dataset: Any, tree: str) -> None:
        if [source.get("tree") for source in dataset._definition["sources"]] != [tree]:
            raise WrongResult(f"registered as {dataset.name} is not what the step wrote")

    def _check_needless(self, rows: dict[str, RunRow], results: dict[str, Result], identity: str) -> None:
        """Holds each step that ran against the last good run: a step that is as it was then has no reason to run."""
        if self.good is None or self.good[2] != identity:
            return
        world, before, _ = self.good
        last = {step.id: step for step in world.steps}
        marks = {s.id: self._mark(self.world, s, results) for s in self.world.steps}
        marks_then = Counter(self._mark(world, s, before) for s in world.steps)
        marks_now = Counter(marks.values())
        for step in self.world.steps:
            row, mark = rows[step.name], marks[step.id]
            if row.reused_from or row.status != "Finished" or not step.allow_reuse or step.id not in last:
                continue
            if mark != self._mark(world, last[step.id], before) or marks_now[mark] > marks_then[mark]:
                continue
            above = [s for s in self.world.steps if s.id in step.after]
            if last[step.id].after != step.after or any(
                not rows[s.name].reused_from
                or marks_now[marks[s.id]] > 1
                # Reused, but not what it came to in that run: this step never ran after that.
                or marks[s.id] != self._mark(world, last[s.id], before)
                for s in above
            ):
                continue
            raise NeedlessRun(f"{step.name} ran: {row.verdict['reasons']}")

    def _mark(self, world: World, step: Step, results: dict[str, Result]) -> str:
        """Returns: what may decide a step's result, as the world has it."""
        used = {v for a in step.arguments for k, v in a if k == "parameter"}
        used |= {v for k, v in step.params.values() if k == "parameter"}
        fields = [getattr(step, name) for name in _DECLARED]
        parameters = [(name, repr(world.parameters[name])) for name in sorted(used)]
        ports = [(i.name, i.mode, i.path, i.origin, _held(world, i)) for i in step.inputs]
        outputs = [(o.name, o.kind, o.destination) for o in step.outputs]
        machine = world.machine
        facts = (machine.python, machine.system, machine.packages, machine.runtime, machine.scheme)
        outside = sorted(world.inherited.items()), sorted(step.variables.items()), sorted(step.params.items())
        own = content_of(world.sources[step.source]) if step.hash_paths is None else {}
        return repr((fields, parameters, ports, outputs, facts, outside, sorted(own.items()), results[step.id].digest))

    def _check_notes(self, rows: dict[str, RunRow], identity: str) -> set[str]:
        """Holds the notes of each verdict against what changed by the user's own word. Returns the steps that may be stale."""
        stale: set[str] = set()
        for step in self.world.steps:
            row = rows[step.name]
            above = {i.origin[1] for i in step.inputs if i.origin[0] == "step"} | set(step.after)
            if above & stale:
                stale.add(step.id)
            if not row.reused_from:
                continue
            datasets, source = self.given[row.reused_from]
            notes = row.verdict["notes"]
            for port in step.inputs:
                if port.origin[0] != "dataset" or port.name not in datasets:
                    continue
                before = datasets[port.name]
                if before is None:
                    if identity == "definition":
                        stale.add(step.id)
                    continue
                changed = before != dataset_files(self.world, port)
                if identity == "content" and changed:
                    raise WrongResult(f"{step.name} is reused, and its dataset {port.name} changed")
                if changed:
                    stale.add(step.id)
                if changed != any(f"of dataset {port.name} changed since" in text for text in notes):
                    raise WrongResult(f"{step.name}: dataset {port.name} changed: {changed}; noted: {notes}")
            outside = step.hash_paths is not None and source != content_of(self.world.sources[step.source])
            if outside != ("files outside hash_paths changed since" in notes):
                raise WrongResult(f"{step.name}: files outside of hash_paths changed: {outside}; noted: {notes}")
        return stale

    def _remember(self, rows: dict[str, RunRow], *, data_is_known: bool) -> None:
        for step in self.world.steps:
            if rows[step.name].status == "Finished" and not rows[step.name].reused_from:
                datasets = {
                    i.name: dataset_files(self.world, i) if data_is_known else None
                    for i in step.inputs
                    if i.origin[0] == "dataset"
                }
                self.given[rows[step.name].id] = (datasets, content_of(self.world.sources[step.source]))


_DECLARED = (
    "script",
    "command",
    "arguments",
    "version",
    "image",
    "framework",
    "communicator",
    "nodes",
    "per_node",
    "workers",
    "servers",
)


class RealPipelineMachine(PipelineMachine):
    """Runs steps as processes of this machine; what a script cannot see there is not edited."""

    real = True
    edits = tuple(
        name
        for name in EDITS
        if name
        not in {
            "framework_changed",
            "communicator_changed",
            "nodes_changed",
            "processes_changed",
            "version_changed",
            "image_changed",
            "python_changed",
            "system_changed",
            "packages_changed",
            "runtime_changed",
            "scheme_changed",
        }
    )


def _held(world: World, port: Input) -> Tree:
    """Returns: what an input of the user's holds, to the last bit: more than a script that gets a copy can see."""
    kind, name = port.origin[:2]
    return {} if kind == "step" else dataset_files(world, port) if kind == "dataset" else world.data.get(name, {})


def _short(result: Result) -> dict[str, Any]:
    """Returns: what a script should have seen, its own lines left out."""
    return {**result.seen, "files": {path: node[0] for path, node in result.seen.get("files", {}).items()}}


def _became(row: RunRow) -> str:
    if row.reused_from:
        return "reused"
    return f"{row.status} {(row.verdict or {}).get('reasons')}" if row.status == "Finished" else row.status
