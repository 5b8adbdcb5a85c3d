"""The 13 parameters of PythonScriptStep: docs/python_script_step.md names a test of this file or its neighbours for each."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scriptstep.authoring.graph_context import _GraphContext
from scriptstep.authoring.pipeline import Pipeline
from scriptstep.authoring.pipeline_data import PipelineData
from scriptstep.authoring.python_script_step import PythonScriptStep, _PythonScriptStepBase
from scriptstep.authoring.runconfig import RunConfiguration
from scriptstep.data.references import DataReference
from scriptstep.errors import UserErrorException
from scriptstep.graph import Graph, InputRef, ModuleNode, OutputRef, ParameterRef, PipelineParameter, StepSpec

Spec = Callable[..., StepSpec]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "src"
    (folder / "sub").mkdir(parents=True)
    (folder / "train.py").write_text("")
    (folder / "sub" / "train.py").write_text("")
    return folder


class Target:
    """As much of a compute target as a step needs."""

    def __init__(self, name: str, type: str = "AmlCompute") -> None:
        self.name, self.type = name, type


@pytest.fixture
def spec(project: Path, ws: Any, source: Path) -> Spec:
    """The step as the engine reads it."""

    def make(**given: Any) -> StepSpec:
        given = {"script_name": "train.py", "source_directory": source, **given}
        (node,) = Pipeline(ws, PythonScriptStep(**given)).graph.module_nodes
        return node.spec

    return make


def refused(kind: type[Exception], **given: Any) -> str:
    with pytest.raises(kind, match="train") as caught:
        PythonScriptStep(**{"script_name": "train.py", **given})
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, UserErrorException)
    assert __file__.rpartition("/")[2] in str(caught.value)
    return str(caught.value)


def test_the_parameters_are_the_thirteen_of_the_reference() -> None:
    assert list(inspect.signature(PythonScriptStep).parameters) == [
        "script_name",
        "name",
        "arguments",
        "compute_target",
        "runconfig",
        "runconfig_pipeline_params",
        "inputs",
        "outputs",
        "params",
        "source_directory",
        "allow_reuse",
        "version",
        "hash_paths",
    ]
    assert issubclass(PythonScriptStep, _PythonScriptStepBase)


def test_script_name_is_a_path_in_the_source_directory(spec: Spec) -> None:
    assert spec().script_name == "train.py"
    assert spec(script_name="./sub//train.py").script_name == "sub/train.py"
    with pytest.raises(TypeError):
        PythonScriptStep()  # type: ignore[call-arg]
    for wrong in (None, "", 3, Path("train.py")):
        with pytest.raises(ValueError, match="script_name"):
            PythonScriptStep(wrong)  # type: ignore[arg-type]


def test_name_is_the_scripts_where_not_given(spec: Spec) -> None:
    assert spec().name == "train.py"
    assert spec(name="обучение 1/2").name == "обучение 1/2"
    assert "name must be text" in refused(TypeError, name=3)


def test_arguments_are_values_and_placeholders_in_order(spec: Spec) -> None:
    depth = PipelineParameter("depth", 3)
    made = spec(arguments=["--rate", 0.5, "--depth", depth, "a b"])
    assert made.arguments == (("--rate",), ("0.5",), ("--depth",), (ParameterRef("depth"),), ("a b",))


def test_compute_target_is_an_object_a_name_or_a_pair(spec: Spec) -> None:
    assert spec(compute_target=Target("cpu")).compute == ("cpu", "AmlCompute")
    assert spec(compute_target="cpu").compute == ("cpu", "AmlCompute")
    assert spec(compute_target=("vm", "VirtualMachine")).compute == ("vm", "VirtualMachine")
    assert spec().compute is None


def test_compute_target_falls_back_to_the_runconfigs(spec: Spec) -> None:
    config = RunConfiguration()
    assert spec(runconfig=config).compute is None
    config.target = "gpu"
    assert spec(runconfig=config).compute == ("gpu", "AmlCompute")
    assert spec(runconfig=config, compute_target="cpu").compute == ("cpu", "AmlCompute")


@pytest.mark.parametrize("wrong", [3, object(), ["cpu"], True])
def test_compute_target_of_another_type_is_refused(wrong: Any) -> None:
    assert "compute_target" in refused(AttributeError, compute_target=wrong)


@pytest.mark.parametrize("wrong", [("cpu",), ("cpu", 3), ("a", "b", "c"), ("", "AmlCompute")])
def test_compute_target_as_another_tuple_is_refused(wrong: Any) -> None:
    assert "(name, type)" in refused(ValueError, compute_target=wrong)


def test_a_compute_target_that_runs_no_script_is_refused_by_name_and_line(spec: Spec) -> None:
    with pytest.raises(ValueError, match="'pot'") as caught:
        spec(compute_target=("pot", "Teapot"))
    assert "step 'train.py'" in str(caught.value)
    assert "test_step_parameters.py:" in str(caught.value)


def test_runconfig_says_what_else_the_step_needs(spec: Spec) -> None:
    config = RunConfiguration()
    config.environment_variables = {"MODE": "fast"}
    config.node_count = 2
    run = spec(runconfig=config).run
    assert run.environment_variables["MODE"] == "fast"
    assert run.node_count == 2
    assert spec().run.environment_is_default


@pytest.mark.parametrize("wrong", ["config.yml", 3, {"a": 1}])
def test_runconfig_of_another_type_is_refused(wrong: Any) -> None:
    assert "RunConfiguration" in refused(AttributeError, runconfig=wrong)
    assert "RunConfiguration" in refused(AttributeError, runconfig=wrong, compute_target="cpu")


def test_runconfig_pipeline_params_has_four_keys(spec: Spec) -> None:
    keys = ["NodeCount", "MpiProcessCountPerNode", "TensorflowWorkerCount", "TensorflowParameterServerCount"]
    made = spec(runconfig_pipeline_params={key: PipelineParameter(key.lower(), 1) for key in keys})
    assert made.runconfig_params == {key: key.lower() for key in keys}


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ({"Nodes": PipelineParameter("n", 1)}, ValueError, "NodeCount, MpiProcessCountPerNode"),
        ({"NodeCount": 2}, TypeError, "PipelineParameter('nodecount', 2)"),
        ({"NodeCount": PipelineParameter("n", "2")}, ValueError, "whole number"),
        ({"NodeCount": PipelineParameter("n", True)}, ValueError, "whole number"),
        (["NodeCount"], AttributeError, "must be a dict"),
    ],
)
def test_runconfig_pipeline_params_that_cannot_be_are_refused(given: Any, kind: type[Exception], words: str) -> None:
    assert words in refused(kind, runconfig_pipeline_params=given)
    clash = refused(
        ValueError, params={"NodeCount": 1}, runconfig_pipeline_params={"NodeCount": PipelineParameter("n", 1)}
    )
    assert "stands in params and in runconfig_pipeline_params" in clash


def test_inputs_are_what_the_step_reads(spec: Spec) -> None:
    raw = DataReference("store", "raw", "a")
    (read,) = spec(inputs=[raw]).inputs
    assert read.name == "raw"
    assert spec().inputs == ()


def test_outputs_are_what_the_step_writes(spec: Spec) -> None:
    (written,) = spec(outputs=[PipelineData("model")]).outputs
    assert written.name == "model"
    assert spec().outputs == ()


def test_params_are_text_or_parameters(spec: Spec) -> None:
    rate = PipelineParameter("rate", 0.5)
    made = spec(params={"a b": 1, "flag": True, "rate": rate, "none": None, "list": [1, 2], "path": Path("x")})
    assert made.params == {
        "a b": "1",
        "flag": "True",
        "rate": ParameterRef("rate"),
        "none": "None",
        "list": "[1, 2]",
        "path": "x",
    }


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ([("a", 1)], AttributeError, "must be a dict"),
        ("a=1", AttributeError, "must be a dict"),
        ({3: 1}, TypeError, "name must be text"),
        ({"": 1}, TypeError, "name must be text"),
        ({"a=b": 1}, TypeError, "without '='"),
        ({"a b": 1, "a_b": 2}, ValueError, "both be AML_PARAMETER_a_b"),
        ({"a": object()}, TypeError, "no text of its own"),
    ],
)
def test_params_that_cannot_be_are_refused(given: Any, kind: type[Exception], words: str) -> None:
    assert words in refused(kind, params=given)


def test_one_name_for_two_parameters_is_refused() -> None:
    one, other = PipelineParameter("p", 1), PipelineParameter("p", 2)
    assert "two parameters are named 'p'" in refused(ValueError, arguments=[one, other])
    assert "two parameters are named 'p'" in refused(ValueError, arguments=[one], params={"q": other})
    told = refused(ValueError, arguments=[one], runconfig_pipeline_params={"NodeCount": other})
    assert "two parameters are named 'p'" in told
    assert "both be AML_PARAMETER_p" in refused(ValueError, arguments=[one], params={"p": 3})
    step = PythonScriptStep("train.py", arguments=[one, one], params={"p": one})
    assert list(step._wiring.parameters) == ["p"]


def test_source_directory_is_kept_absolute(spec: Spec, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert spec(source_directory=source).source_directory == str(source)
    assert spec(source_directory=f"{source}/sub/..").source_directory == str(source)
    monkeypatch.chdir(source.parent)
    assert spec(source_directory="src").source_directory == str(source)
    monkeypatch.chdir(source)
    assert spec(source_directory=None).source_directory == str(source)


@pytest.mark.parametrize("wrong", [3, b"src", ["src"], object()])
def test_source_directory_of_another_type_is_refused(wrong: Any) -> None:
    assert "source_directory" in refused(TypeError, source_directory=wrong)


def test_allow_reuse_is_on_by_default(spec: Spec) -> None:
    assert spec().allow_reuse is True
    assert spec(allow_reuse=False).allow_reuse is False
    for wrong in ("False", None, 0):
        assert "allow_reuse must be True or False" in refused(TypeError, allow_reuse=wrong)


def test_version_is_text(spec: Spec) -> None:
    assert spec().version is None
    assert spec(version="2").version == "2"
    for wrong in (2, 2.0, ("2",)):
        assert "version must be text" in refused(TypeError, version=wrong)


def test_hash_paths_are_relative_to_the_source_directory(spec: Spec) -> None:
    assert spec().hash_paths is None
    assert spec(hash_paths=[]).hash_paths is None
    assert spec(hash_paths=["sub/", Path("train.py"), "./sub"]).hash_paths == ("sub", "train.py")


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ("train.py", TypeError, "list of paths"),
        ([3], TypeError, "list of paths"),
        (["/etc/passwd"], ValueError, "relative to source_directory"),
        (["../x"], ValueError, "leads out"),
        ([""], ValueError, "relative to source_directory"),
    ],
)
def test_hash_paths_that_cannot_be_are_refused(given: Any, kind: type[Exception], words: str) -> None:
    assert words in refused(kind, hash_paths=given)


def test_a_hash_path_that_is_not_there_is_refused(spec: Spec) -> None:
    with pytest.raises(ValueError, match=r"hash_paths holds 'trian\.py'") as caught:
        spec(hash_paths=["trian.py"])
    assert "did you mean 'train.py'?" in str(caught.value)


def test_unknown_keywords_are_refused() -> None:
    for wrong in ("environment", "target"):
        with pytest.raises(TypeError, match=wrong):
            PythonScriptStep("train.py", **{wrong: 1})  # type: ignore[arg-type]


# --- remarks and examples of the reference page


def test_what_users_look_at_on_a_step() -> None:
    step = PythonScriptStep("train.py", params={"a": 1}, source_directory="src", allow_reuse=False)
    assert (step.name, step.run_after_steps, step.step_type) == ("train.py", [], "PythonScriptStep")
    assert (step._script_name, step._source_directory, step._params) == ("train.py", "src", {"a": 1})
    assert (step._allow_reuse, step._version, step._runconfig, step._compute_target) == (False, None, None, None)
    assert (step._inputs, step._outputs, step._arguments, step._resource_inputs) == ([], [], [], [])


def test_create_node_makes_the_node_once(ws: Any, source: Path) -> None:
    graph, context = Graph("g", None), _GraphContext("experiment", ws)
    step = PythonScriptStep("train.py", source_directory=source)
    node = step.create_node(graph, None, context)
    assert isinstance(node, ModuleNode)
    assert graph.module_nodes == [node]
    assert step.create_node(graph, None, context) is node
    assert node.spec.declared_at is not None
    assert node.spec.declared_at.partition(":")[0].endswith("test_step_parameters.py")


def test_a_class_derived_from_the_base_makes_its_node(ws: Any, source: Path) -> None:
    class _GreetStepBase(_PythonScriptStepBase):
        def create_node(self, graph: Graph, default_datastore: Any, context: Any) -> ModuleNode:
            seen.append(self.name)
            return super().create_node(graph, default_datastore, context)

    seen: list[str] = []
    step = _GreetStepBase("train.py", name="greet", source_directory=source)
    (node,) = Pipeline(ws, [step]).graph.module_nodes
    assert (seen, node.spec.step_type) == (["greet"], "GreetStep")
    (node,) = Pipeline(ws, [_GreetStepBase(command="echo", source_directory=source)]).graph.module_nodes
    assert (seen, node.spec.command, node.spec.arguments) == (["greet", "echo"], "line", (("echo",),))


def test_example_1_reads_a_reference_and_writes_data(spec: Spec) -> None:
    given, made = DataReference("store", "blob_input_data", "sample"), PipelineData("output_data1", datastore="store")
    found = spec(
        arguments=["--input", given, "--output", made],
        inputs=[given],
        outputs=[made],
        compute_target=Target("cpu"),
    )
    assert found.arguments == (
        ("--input",),
        (InputRef("blob_input_data"),),
        ("--output",),
        (OutputRef("output_data1"),),
    )
    assert found.compute == ("cpu", "AmlCompute")


def test_example_2_finds_its_data_without_arguments(spec: Spec, ws: Any, project: Path) -> None:
    from scriptstep.data.dataset_factory import Dataset

    (project / "weather.csv").write_text("a\n1\n")
    Dataset.Tabular.from_delimited_files("weather.csv").register(ws, "weather")
    made = PipelineData("training", datastore=ws.get_default_datastore()).as_dataset()
    made = made.register(name="training_data", create_new_version=True)
    found = spec(inputs=[Dataset.get_by_name(ws, "weather").as_named_input("weather")], outputs=[made])
    (read,), (written,) = found.inputs, found.outputs
    assert (read.name, read.mode, read.as_dataset) == ("weather", "direct", True)
    assert (written.name, written.as_dataset) == ("training", True)
    assert written.registration is not None
    assert (written.registration["name"], written.registration["create_new_version"]) == ("training_data", True)
