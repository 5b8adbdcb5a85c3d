"""Pipelines: what is pulled in, what comes before what, what is refused, and how large they may be."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scriptstep.authoring.pipeline import Pipeline
from scriptstep.authoring.pipeline_data import PipelineData
from scriptstep.authoring.python_script_step import PythonScriptStep
from scriptstep.authoring.step_sequence import StepSequence
from scriptstep.data.consumption import DatasetConsumptionConfig
from scriptstep.data.dataset_factory import Dataset
from scriptstep.data.outputs import OutputFileDatasetConfig
from scriptstep.errors import UserErrorException
from scriptstep.graph import PipelineParameter

Make = Callable[..., PythonScriptStep]


class Settings:
    default_compute = None


class Space:
    """As much of a workspace as declaring needs."""

    name = "space"
    _settings = Settings()


@pytest.fixture
def make(tmp_path: Path) -> Make:
    (tmp_path / "main.py").write_text("")

    def step(name: str, **given: Any) -> PythonScriptStep:
        return PythonScriptStep("main.py", name=name, source_directory=tmp_path, **given)

    return step


def pipeline(steps: Any, **given: Any) -> Pipeline:
    return Pipeline(Space(), steps, **given)


def above(made: Pipeline) -> dict[str, set[str]]:
    """Names of the steps that each step waits for."""
    found: dict[str, set[str]] = {node.name: set() for node in made.graph.module_nodes}
    for edge in made.graph.edges:
        if edge.source_port.node.name in found:
            found[edge.dest_port.node.name].add(edge.source_port.node.name)
    return found


def names(made: Pipeline) -> list[str]:
    return [made.graph.get_node(node_id).name for node_id in made.graph.order()]


def refused(steps: Any, **given: Any) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        pipeline(steps, **given)
    assert isinstance(caught.value, UserErrorException)
    return str(caught.value)


def test_all_that_is_needed_is_pulled_in(make: Make) -> None:
    raw, clean, config = PipelineData("raw"), PipelineData("clean"), OutputFileDatasetConfig("made")
    load = make("load", outputs=[raw])
    make("clean", inputs=[raw], outputs=[clean])
    make("split", inputs=[clean.as_mount()], arguments=[config])
    train = make("train", inputs=[config.as_input("x")])
    train.run_after(check := make("check"))
    check.run_after(make("first"))
    for steps in (train, [train], (train,), StepSequence([train]), [[StepSequence([[train]])]], [train, load]):
        made = pipeline(steps)
        assert above(made) == {
            "train": {"split", "check"},
            "split": {"clean"},
            "check": {"first"},
            "clean": {"load"},
            "load": set(),
            "first": set(),
        }
        assert made.validate() == []


def test_what_a_step_writes_stands_for_the_step(make: Make) -> None:
    data, config = PipelineData("data"), OutputFileDatasetConfig("made")
    make("writer", outputs=[data], arguments=[config])
    for output in (data, data.as_dataset(), config, config.as_upload()):
        assert names(pipeline([output])) == ["writer"]
    assert "no step writes 'nothing'" in refused(PipelineData("nothing"))


def test_nothing_is_a_pipeline_too() -> None:
    assert pipeline([]).graph.module_nodes == []
    assert pipeline(StepSequence()).graph.order() == []


@pytest.mark.parametrize("wrong", [None, "step", 3, {"a": 1}, [None], [["x"]]])
def test_what_is_no_step_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="steps must be"):
        pipeline(wrong)


def test_a_set_has_no_order(make: Make) -> None:
    assert "use a list" in refused({make("a")})
    with pytest.raises(TypeError):
        StepSequence("ab")


def test_sequences_run_one_after_the_other(make: Make) -> None:
    a, b, c, d, e, f = (make(name) for name in "abcdef")
    made = pipeline(StepSequence([a, [b, StepSequence([c, d])], [], (e,), f]))
    assert above(made) == {"a": set(), "b": {"a"}, "c": {"a"}, "d": {"c"}, "e": {"b", "d"}, "f": {"e"}}
    assert a.run_after_steps == b.run_after_steps == []
    assert above(pipeline([a, b])) == {"a": set(), "b": set()}


def test_a_sequence_adds_to_run_after(make: Make) -> None:
    a, b, c = (make(name) for name in "abc")
    c.run_after(a)
    c.run_after(a)
    made = pipeline(StepSequence([a, b, c]))
    assert above(made)["c"] == {"a", "b"}
    (node,) = (n for n in made.graph.module_nodes if n.name == "c")
    assert len(node.spec.run_after) == 2


def test_run_after_takes_a_step(make: Make) -> None:
    with pytest.raises(TypeError, match="step 'a'"):
        make("a").run_after([make("b")])  # type: ignore[arg-type]


def test_steps_belong_to_several_pipelines(make: Make) -> None:
    data = PipelineData("data")
    writer, reader = make("writer", outputs=[data]), make("reader", inputs=[data])
    first, second = pipeline([reader]), pipeline([reader, writer])
    assert above(first) == above(second)
    assert names(pipeline([writer])) == ["writer"]


def test_equal_pipelines_have_equal_nodes(make: Make) -> None:
    def once() -> list[tuple[str, Any]]:
        data = PipelineData("data")
        steps = [make("same", outputs=[data]), make("same", inputs=[data]), make("other")]
        return [(n.node_id, n.spec.inputs) for n in pipeline(steps).graph.module_nodes]

    assert once() == once()
    assert len({node_id for node_id, _ in once()}) == 3


def test_a_cycle_is_refused_with_its_steps(make: Make) -> None:
    one, other = PipelineData("one"), PipelineData("other")
    a, b, c = (
        make("a", inputs=[other], outputs=[one]),
        make("b", inputs=[one], outputs=[other]),
        make("c", inputs=[one]),
    )
    told = refused([c])
    assert "'a' needs 'b' needs 'a'" in told
    assert told.count("test_authoring_pipeline.py:") == 2
    x, y = make("x"), make("y")
    x.run_after(y)
    y.run_after(x)
    assert "wait for each other" in refused([x])
    assert "wait for each other" in refused(StepSequence([a, b]))


def test_two_writers_of_one_output_in_one_pipeline_are_refused(make: Make) -> None:
    data, config = PipelineData("data"), OutputFileDatasetConfig("made")
    steps = [make("a", outputs=[data]), make("b", outputs=[data])]
    told = refused(steps)
    assert "written by two steps of the pipeline, 'a' and 'b'" in told
    assert told.count("test_authoring_pipeline.py:") == 2
    assert "'made'" in refused([make("a", arguments=[config]), make("b", arguments=[config.register_on_complete("x")])])


def test_declaring_a_second_writer_replaces_the_first(make: Make) -> None:
    data = PipelineData("data")
    first = make("writer", outputs=[data])
    reader = make("reader", inputs=[data])
    second = make("writer again", outputs=[data])
    assert names(pipeline([reader])) == ["writer again", "reader"]
    # A pipeline that names the first one has that one.
    assert names(pipeline([first, reader])) == ["writer", "reader"]
    assert names(pipeline([second, reader])) == ["writer again", "reader"]


def test_an_input_that_nothing_writes_is_refused(make: Make) -> None:
    told = refused([make("reader", inputs=[PipelineData("data")])])
    assert "'data' comes from no step" in told
    assert "step 'reader'" in told
    assert "'x' comes from no step" in refused([make("reader", inputs=[OutputFileDatasetConfig("made").as_input("x")])])


def test_nothing_is_pulled_in_where_that_is_not_wanted(make: Make) -> None:
    data = PipelineData("data")
    writer, reader = make("writer", outputs=[data]), make("reader", inputs=[data])
    assert "needs step 'writer'" in refused([reader], resolve_closure=False)
    assert names(pipeline([reader, writer], resolve_closure=False)) == ["writer", "reader"]


def test_default_datastore_and_source_directory(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, kept = PipelineData("data"), PipelineData("kept", datastore="own")
    step = PythonScriptStep("main.py", outputs=[data, kept])
    (tmp_path / "main.py").write_text("")
    made = pipeline(step, default_datastore="other", default_source_directory=tmp_path)
    (node,) = made.graph.module_nodes
    assert node.spec.source_directory == str(tmp_path)
    assert [o.datastore for o in node.spec.outputs] == ["other", "own"]
    assert made._default_datastore_name == "other"
    monkeypatch.chdir(tmp_path)
    bare = pipeline(step)
    assert bare._default_datastore_name is None
    assert [o.datastore for o in bare.graph.module_nodes[0].spec.outputs] == [None, "own"]


def test_outputs_of_the_pipeline_have_one_name_each(make: Make) -> None:
    def data(name: str) -> PipelineData:
        return PipelineData(name, output_name=f"{name}_out", pipeline_output_name="model")

    made = pipeline(make("a", outputs=[data("x")]))
    (node,) = made.graph.module_nodes
    assert made._pipeline_outputs == {"model": (node.node_id, "x_out")}
    told = refused([make("a", outputs=[data("x")]), make("b", outputs=[data("y")])])
    assert "steps 'a' and 'b' both write" in told


def test_parameters_are_those_of_all_steps(make: Make, tmp_path: Path) -> None:
    files = Dataset.File.from_files(str(tmp_path / "*"), validate=False)
    parameters = [PipelineParameter(name, value) for name, value in (("a", 1), ("b", 2), ("c", 3), ("d", files))]
    a, b, c, d = parameters
    made = pipeline(
        [
            make("one", arguments=[a], params={"x": b}),
            make("two", arguments=[a], runconfig_pipeline_params={"NodeCount": c}),
            make("three", inputs=[DatasetConsumptionConfig("data", d)]),
        ]
    )
    assert made.graph.params == {"a": a, "b": b, "c": c, "d": d}
    told = refused([make("one", arguments=[a]), make("two", arguments=[PipelineParameter("a", 2)])])
    assert "step 'one'" in told
    assert "step 'two'" in told


def test_validate_tells_of_what_changed_since(make: Make, tmp_path: Path) -> None:
    made = pipeline(make("a"))
    assert made.validate() == []
    (tmp_path / "main.py").unlink()
    (told,) = made.validate()
    assert "script 'main.py' is not in source directory" in told
    assert "step 'a'" in told


def test_what_a_pipeline_is_given_is_checked(make: Make) -> None:
    for wrong in (None, "ws"):
        with pytest.raises(TypeError, match="workspace"):
            Pipeline(wrong, [])
    with pytest.raises(TypeError, match="'step'"):
        pipeline([], step=make("a"))
    with pytest.raises(TypeError, match="default_datastore"):
        pipeline([], default_datastore=3)
    with pytest.raises(NotImplementedError, match="email"):
        pipeline([]).submit("x", enable_email_notification=True)
    with pytest.raises(TypeError, match="'nothing'"):
        pipeline([]).submit("x", nothing=1)


def test_the_experiments_name_can_be_set() -> None:
    # Public code reads it as a bare attribute.
    made = pipeline([])
    assert callable(made._set_experiment_name)


@given(
    st.recursive(st.integers(0, 7), lambda inner: st.tuples(st.booleans(), st.lists(inner, max_size=4)), max_leaves=10)
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_in_a_sequence_each_element_comes_before_the_next(tmp_path: Path, shape: Any) -> None:
    (tmp_path / "main.py").write_text("")
    counter = iter(range(100))
    pairs: list[tuple[int, int]] = []

    def build(part: Any) -> tuple[Any, list[int]]:
        """Returns: the steps of a part, and their numbers; pairs gets those that must come in order."""
        if isinstance(part, int):
            n = next(counter)
            return PythonScriptStep("main.py", name=str(n), source_directory=tmp_path), [n]
        in_order, inner = part
        built = [build(p) for p in inner]
        if in_order:
            for n, (_, before) in enumerate(built):
                pairs.extend((a, b) for _, after in built[n + 1 :] for a in before for b in after)
        steps = [s for s, _ in built]
        return (StepSequence(steps) if in_order else steps), [n for _, ns in built for n in ns]

    steps, numbers = build(shape)
    order = [int(name) for name in names(pipeline(steps))]
    assert sorted(order) == numbers
    for a, b in pairs:
        assert order.index(a) < order.index(b)


@pytest.mark.parametrize("by", ["data", "run_after", "sequence"])
def test_a_chain_of_20000_steps_is_built(make: Make, by: str) -> None:
    count = 20_000
    steps = []
    before: Any = None
    for n in range(count):
        data = PipelineData("data")
        if by == "data":
            step = make(f"s{n}", inputs=[before] if before else [], outputs=[data], arguments=["--out", data])
            before = data
        else:
            step = make(f"s{n}")
            if by == "run_after" and before is not None:
                step.run_after(before)
            before = step
        steps.append(step)
    made = pipeline(StepSequence(steps) if by == "sequence" else steps[-1])
    assert names(made) == [f"s{n}" for n in range(count)]
    assert made.validate() == []


def test_deeply_nested_lists_are_built(make: Make) -> None:
    steps: Any = [make("a")]
    for _ in range(5000):
        steps = [steps]
    assert names(pipeline(steps)) == ["a"]
    loop: list[Any] = []
    loop.append(loop)
    assert "in itself" in refused(loop)


def test_plain_declaring_loads_nothing_heavy(tmp_path: Path) -> None:
    code = """
import sys
from scriptstep.authoring.pipeline import Pipeline
from scriptstep.authoring.python_script_step import PythonScriptStep
from scriptstep.authoring.runconfig import RunConfiguration
PythonScriptStep("a.py", runconfig=RunConfiguration())
heavy = {"pandas", "numpy", "pydantic", "rich", "sqlite3", "asyncio", "importlib.metadata"}
print(sorted(heavy & set(sys.modules)))
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert found.stdout.strip() == "[]"
