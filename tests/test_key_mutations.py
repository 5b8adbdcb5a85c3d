"""Each part of what decides reuse is needed: without it, the model-based test finds a wrong reuse."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from scriptstep import OutputFileDatasetConfig, PipelineData
from scriptstep.content import Manifest, digest_bytes, spell
from scriptstep.engine import planner, recorder, sources, verdict
from scriptstep.engine.key import Document, describe
from scriptstep.records import replace
from tests.logs import log_of
from tests.reuse_model.machine import COUNTS, PipelineMachine, WrongResult
from tests.reuse_model.world import Input, Node, Output, Step, World

_MOST_SEQUENCES = 60

Mutation = Callable[[pytest.MonkeyPatch], None]
Prepare = Callable[[World], None]

# Field of the key's document to the edits that change it.
FIELDS: dict[str, tuple[str, ...]] = {
    "scheme": ("scheme_changed",),
    "script": ("other_script",),
    "content": ("script_changed", "file_changed"),
    "version": ("version_changed",),
    "arguments": ("argument_changed",),
    "params": ("param_changed",),
    "parameters": ("parameter_changed",),
    "inputs": ("data_changed", "input_path_changed"),
    "outputs": ("output_kind_changed", "output_renamed"),
    "environment": ("image_changed",),
    "variables": ("variable_changed",),
    "inherited": ("inherited_changed",),
    "framework": ("framework_changed",),
    "communicator": ("communicator_changed",),
    "node_count": ("nodes_changed",),
    "process_counts": ("processes_changed",),
    "python": ("python_changed",),
    "system": ("system_changed",),
    "packages": ("packages_changed",),
    "runtime": ("runtime_changed",),
}
# The same of each input, and of each output.
INPUT_FIELDS: dict[str, tuple[str, ...]] = {
    "mode": ("input_mode_changed",),
    "path": ("input_path_changed",),
    "label": ("data_renamed", "output_renamed"),
    "dataset": ("output_kind_changed",),
    "identity": ("data_changed", "script_changed"),
}
OUTPUT_FIELDS: dict[str, tuple[str, ...]] = {
    "kind": ("output_kind_changed",),
    "directory": ("output_kind_changed",),
    "dataset": ("output_kind_changed",),
}
# Of an output, keyed as it is declared: a script is not told of them, and what is put at a destination is put there
# again when the step is reused.
NOBODY_CAN_TELL = {"mode", "path", "datastore", "destination"}


def _only(*steps: tuple[Step, str]) -> Prepare:
    """Makes a world of a few steps alone, each with the behaviour of its script."""

    def prepare(world: World) -> None:
        world.steps = [copy.deepcopy(step) for step, _ in steps]
        for step, behaviour in steps:
            script = Node("file", f"# behaviour: {behaviour} 0\n".encode())
            world.sources[step.source] = {"main.py": script, "lib/b.py": Node("file", b"b"), "a.py": Node("file")}
        world.data = {name: {"a.csv": Node("file", b"a")} for name in ("i0", "links")} | {"one.csv": {"": Node("file")}}

    return prepare


_OUT = [Output("out")]
_ONE_FILE = [Input("i0", ("reference", "one.csv"))]
# Whichever changes, the step that reads them does.
_ALL_DATA = [Input(f"i{n}", ("reference", name)) for n, name in enumerate(("i0", "links", "one.csv"))]
_LOOKS_AT_LIB = {"MODEL_LOOKS_AT": "lib"}
_PLAIN = _only(
    (Step("a", "a", "a", inputs=[Input("i0", ("reference", "i0"))], outputs=[Output("made")]), "tells"),
    (Step("b", "b", "b", inputs=[Input("i0", ("step", "a", "made"))], outputs=_OUT), "tells"),
)
# What some mutations need, and a plain world has not.
PREPARED: dict[str, Prepare] = {
    "field parameters": _only(
        (Step("a", "a", "a", arguments=[[("parameter", p)] for p in ("p0", "p1", "p2")], outputs=_OUT), "tells")
    ),
    "inputs: path": _only((Step("a", "a", "a", inputs=_ONE_FILE, outputs=_OUT), "tells")),
    "field framework": _only((Step("a", "a", "a", outputs=_OUT, per_node=2), "tells")),
    "inputs: label": _only((Step("a", "a", "a", inputs=_ONE_FILE, outputs=_OUT), "tells")),
    "inputs: dataset": _only(
        (Step("a", "a", "a", outputs=[Output("made", "folder")]), "constant"),
        (Step("b", "b", "b", inputs=[Input("i0", ("step", "a", "made"))], outputs=_OUT), "tells"),
    ),
    "outputs: kind": _only((Step("a", "a", "a", outputs=[Output("made", "named")]), "tells")),
    "condition: run_after": _only(
        (Step("a", "a", "a"), "tells"), (Step("b", "b", "b", outputs=_OUT, after=["a"]), "tells")
    ),
    "condition: reads": _only((Step("a", "a", "a", outputs=_OUT), "tells reads")),
    "code: hash_paths": _only(
        (Step("a", "a", "a", outputs=_OUT, hash_paths=["lib"], variables=_LOOKS_AT_LIB), "tells")
    ),
    "data: text of links": _only(
        (Step("a", "a", "a", inputs=[Input("i0", ("reference", "links"))], outputs=_OUT), "tells")
    ),
    "data: changed while it was read": _only(
        (Step("a", "a", "a", inputs=[Input("i0", ("reference", "i0"))]), "tells"),
        (Step("b", "b", "b", inputs=_ALL_DATA, outputs=_OUT), "tells"),
    ),
}

# Rules that only take turns from the one that can find a mutation, where that is one alone.
LEFT_OUT: dict[str, tuple[str, ...]] = {
    "data: changed while it was read": (
        "edit_and_run",
        "undo_and_run",
        "change_what_does_not_count",
        "run_otherwise",
        "run_by_definition",
        "a_step_crashes",
        "a_run_is_cancelled",
        "an_output_is_lost",
        "the_same_in_a_new_workspace",
    ),
}


def _without(*path: str) -> Mutation:
    """Makes one field of the document always the same; of `inputs` and `outputs`, one of each port."""

    def mutated(spec: Any, facts: Any) -> Document:
        document = copy.deepcopy(describe(spec, facts))
        if len(path) == 1:
            value = document[path[0]]
            document[path[0]] = type(value)() if isinstance(value, (dict, list)) else None
        for port in document[path[0]].values() if len(path) > 1 else ():
            port[path[1]] = None
        return document

    def mutate(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(planner, "describe", mutated)
        if path == ("content",):
            _forget_the_tree(patch)

    return mutate


def _condition(**fields: Any) -> Mutation:
    """Leaves one kind of condition out when an earlier result is judged."""

    def mutated(result: Any, now: Any, is_there: Any) -> str | None:
        if "after" in fields:
            now = replace(now, after=())
        changed = {k: v for k, v in fields.items() if k in ("outputs", "artifacts")}
        conditions = {**result.conditions, **{k: v for k, v in fields.items() if k in ("after", "reads")}}
        return verdict.broken_condition(replace(result, conditions=conditions, **changed), now, is_there)

    return lambda patch: patch.setattr(planner, "broken_condition", mutated)


def _reduced(manifest: Manifest, what: str) -> str:
    """Returns: a digest of a manifest that tells nothing of one thing."""
    rows = []
    for number, entry in enumerate(manifest):
        kind = "file" if what == "mode" and entry.kind == "executable" else entry.kind
        path = b"%d" % number if what == "name" else entry.path
        digest = "" if what == ("link" if entry.kind == "link" else "bytes") else entry.digest
        rows.append([kind, path, digest])
    return digest_bytes("mutation", spell(rows))


def _code_without(what: str) -> Mutation:
    def mutated(spec: Any, manifest: Manifest) -> str:
        return _reduced(manifest.subset([spec.script_name, *spec.hash_paths]) if spec.hash_paths else manifest, what)

    def mutate(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(planner.Planner, "_content_digest", lambda self, spec, manifest: mutated(spec, manifest))
        _forget_the_tree(patch)

    return mutate


def _forget_the_tree(patch: pytest.MonkeyPatch) -> None:
    """A result names the tree that it was made of, which is held against the step's beside the key."""
    patch.setattr(planner, "_other_files", lambda step, result: None)


def _data_without(what: str) -> Mutation:
    located = sources.SourceResolver._location

    def mutated(self: Any, spec: Any, source: Any) -> Any:
        found = located(self, spec, source)
        return replace(found, identity={"from": "data", "content": _reduced(found.held, what)})

    return lambda patch: patch.setattr(sources.SourceResolver, "_location", mutated)


def _of_hash_paths(patch: pytest.MonkeyPatch) -> None:
    content = planner.Planner._content_digest
    mutated = lambda self, spec, m: "" if spec.hash_paths else content(self, spec, m)  # noqa: E731
    patch.setattr(planner.Planner, "_content_digest", mutated)


def _changes_while_it_runs(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(recorder.Recorder, "_inputs_changed", lambda self, plan: None)


MUTATIONS: dict[str, tuple[Mutation, tuple[str, ...]]] = {
    **{f"field {name}": (_without(name), edits) for name, edits in FIELDS.items()},
    **{f"inputs: {name}": (_without("inputs", name), edits) for name, edits in INPUT_FIELDS.items()},
    **{f"outputs: {name}": (_without("outputs", name), edits) for name, edits in OUTPUT_FIELDS.items()},
    "condition: run_after": (_condition(after=[]), ("variable_changed",)),
    "condition: reads": (_condition(reads=[]), ("notes_registered",)),
    "condition: outputs are there": (_condition(outputs={}), ("variable_changed",)),
    "code: bytes": (_code_without("bytes"), ("file_changed",)),
    "code: executable bit": (_code_without("mode"), ("file_mode_changed",)),
    "code: names": (_code_without("name"), ("file_renamed",)),
    "code: text of links": (_code_without("link"), ("link_turned",)),
    "code: hash_paths": (_of_hash_paths, ("file_changed",)),
    "data: bytes": (_data_without("bytes"), ("data_changed",)),
    "data: executable bit": (_data_without("mode"), ("data_mode_changed",)),
    "data: names": (_data_without("name"), ("data_file_renamed",)),
    "data: text of links": (_data_without("link"), ("data_link_turned",)),
    "data: changed while it was read": (_changes_while_it_runs, ("data_changed",)),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_without_it_a_wrong_reuse_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mutate, edits = MUTATIONS[name]
    mutate(monkeypatch)
    directed = {"edits": edits, "prepare": PREPARED.get(name, _PLAIN), **dict.fromkeys(LEFT_OUT.get(name, ()))}
    machine = type("Directed", (PipelineMachine,), directed)
    COUNTS.clear()
    with pytest.raises(WrongResult):
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=_MOST_SEQUENCES,
                stateful_step_count=6,
                derandomize=True,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
            ),
        )
    print(f"{name}: found in sequence {COUNTS['sequences']}, run {COUNTS['runs']}")


def test_every_field_of_a_key_has_its_mutation(
    run: Callable[..., Any], make_step: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    documents: list[Document] = []
    monkeypatch.setattr(planner, "describe", lambda *of: documents.append(describe(*of)) or documents[-1])
    out = PipelineData("out")
    first = make_step("first", "import sys; open(sys.argv[1], 'w')", arguments=[out], outputs=[out])
    run(first, make_step("second", inputs=[out]))
    assert documents[0].keys() == FIELDS.keys()
    assert documents[1]["inputs"]["out"].keys() == INPUT_FIELDS.keys() | {"transformations"}
    assert documents[0]["outputs"]["out"].keys() == OUTPUT_FIELDS.keys() | NOBODY_CAN_TELL


def test_without_the_transformations_of_an_input_a_wrong_reuse_is_found(
    run: Callable[..., Any], make_step: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table is read through the SDK: this takes processes, and is no work for the machine."""
    write = "import sys; open(sys.argv[1] + '/t.csv', 'w').write('a;b\\n1;2\\n')"
    read = "from azureml.core import Run; print(Run.get_context().input_datasets['t'].to_pandas_dataframe().shape)"

    def seen(separator: str) -> str:
        made = OutputFileDatasetConfig("made")
        table = made.read_delimited_files(separator=separator).as_input("t")
        steps = [make_step("write", write, arguments=[made]), make_step("read", read, inputs=[table])]
        return log_of(run(*steps), "read").strip()

    assert (seen(","), seen(";")) == ("(1, 1)", "(1, 2)")
    _without("inputs", "transformations")(monkeypatch)
    assert (seen(","), seen(";")) == ("(1, 1)", "(1, 1)")
