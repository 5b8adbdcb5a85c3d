"""Graphs: order, names of nodes, parameters, and what is seen of them under the SDK's names."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scriptstep.data.paths import DataPath
from scriptstep.errors import ArgumentError, UserErrorException
from scriptstep.graph import (
    DataLocation,
    DatasetSource,
    Graph,
    InputPortBinding,
    InputSpec,
    OutputPortBinding,
    OutputSpec,
    ParameterRef,
    ParameterSource,
    PipelineParameter,
    RunSpec,
    StepOutput,
    StepSpec,
    parse_parameter,
)
from scriptstep.graph.frozen import decode, encode
from scriptstep.records import replace

RUN = RunSpec({}, True, {}, None, "Python", None, 1, 1, 1, 0, None)


def spec(name: str, reads: tuple[Any, ...] = (), after: tuple[str, ...] = (), **changes: Any) -> StepSpec:
    made = StepSpec(
        name=name,
        step_type="PythonScriptStep",
        script_name="a.py",
        source_directory="/src",
        arguments=(),
        params={},
        inputs=tuple(InputSpec(f"in{n}", source, "mount") for n, source in enumerate(reads)),
        outputs=(OutputSpec("out", "data", "mount"),),
        run_after=after,
        run=RUN,
        runconfig_params={},
        compute=None,
        allow_reuse=True,
        version=None,
        hash_paths=None,
        declared_at="pipeline.py:7",
    )
    return replace(made, **changes)


def graph_of(edges: list[tuple[int, int]], count: int, by_data: bool = True) -> Graph:
    """A graph of steps 0..count-1, where (a, b) says that b needs a."""
    graph = Graph("g", None)
    keys = [object() for _ in range(count)]
    ids = [graph._id_of(key, f"s{n}") for n, key in enumerate(keys)]
    for n, key in enumerate(keys):
        above = [ids[a] for a, b in edges if b == n]
        reads = tuple(StepOutput(other, "out") for other in above) if by_data else ()
        graph._add(key, spec(f"s{n}", reads, () if by_data else tuple(above)), {})
    return graph


@st.composite
def shuffled_dags(draw: st.DrawFn) -> tuple[int, list[tuple[int, int]]]:
    count = draw(st.integers(1, 12))
    place = draw(st.permutations(range(count)))
    pairs = [(a, b) for a in range(count) for b in range(a + 1, count)]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    return count, [(place[a], place[b]) for a, b in chosen]


@given(shuffled_dags(), st.booleans())
@settings(deadline=timedelta(seconds=2))
def test_order_is_a_topological_order_of_all_steps(dag: tuple[int, list[tuple[int, int]]], by_data: bool) -> None:
    count, edges = dag
    graph = graph_of(edges, count, by_data)
    names = [graph.get_node(node_id).name for node_id in graph.order()]
    assert sorted(names) == sorted(f"s{n}" for n in range(count))
    for a, b in edges:
        assert names.index(f"s{a}") < names.index(f"s{b}")


def test_order_keeps_the_order_of_declaration_where_it_can() -> None:
    graph = graph_of([(4, 1)], 5)
    assert [graph.get_node(n).name for n in graph.order()] == ["s0", "s2", "s3", "s4", "s1"]


def test_a_cycle_is_told_with_its_steps_and_their_places() -> None:
    graph = graph_of([(0, 1), (1, 2), (2, 0), (2, 3)], 4)
    with pytest.raises(ArgumentError) as caught:
        graph.order()
    told = str(caught.value)
    assert "'s0' needs 's2' needs 's1' needs 's0'" in told
    assert "'s3'" not in told
    assert told.count("pipeline.py:7") == 3
    assert graph.validate() == [caught.value.message]


def test_a_missing_step_is_told() -> None:
    graph = Graph("g", None)
    graph._add("a", spec("a", (StepOutput("0badc0de", "out"),), ("0badc0df",)), {})
    with pytest.raises(ArgumentError, match="not in the pipeline"):
        graph.order()
    assert len(graph.validate()) == 2
    assert all("step 'a'" in told for told in graph.validate())


def test_an_unknown_parameter_is_told() -> None:
    graph = Graph("g", None)
    graph._add("a", spec("a", (ParameterSource("raw"),)), {})
    assert "'raw'" in graph.validate()[0]


@given(st.lists(st.text(max_size=5), min_size=1, max_size=20))
def test_ids_of_nodes_are_the_same_every_time_and_differ(names: list[str]) -> None:
    made = []
    for _ in range(2):
        graph = Graph("g", None)
        made.append([graph._id_of(object(), name) for name in names])
    assert made[0] == made[1]
    assert len(set(made[0])) == len(names)
    assert all(len(i) == 8 and int(i, 16) >= 0 for i in made[0])


def test_ids_differ_even_where_their_digests_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scriptstep.graph.graph._digest", lambda text: f"{text.count(chr(0)):08x}")
    graph = Graph("g", None)
    assert len({graph._id_of(object(), name) for name in "abc"}) == 3


def test_what_is_seen_of_a_graph() -> None:
    graph = Graph("g", None)
    raw = DataLocation("store", "raw/a.csv", "raw")
    first = graph._add("1", spec("first", (raw,)), {})
    second = graph._add(
        "2", spec("second", (StepOutput(first.node_id, "out"), raw), (first.node_id,), params={"a b": "1"}), {}
    )
    assert [node.name for node in graph.module_nodes] == ["first", "second"]
    assert [node.name for node in graph.datasource_nodes] == ["raw"]
    assert graph.get_node(second.node_id) is second
    assert graph.node_dict[first.node_id] is first
    assert graph.node_name_dict["second"] == [second]
    with pytest.raises(KeyError):
        graph.get_node("00000000")
    ends = [(e.source_port.node.name, e.source_port.name, e.dest_port.node.name, e.dest_port.name) for e in graph.edges]
    assert ends == [
        ("raw", "data", "first", "in0"),
        ("first", "out", "second", "in0"),
        ("raw", "data", "second", "in1"),
        ("first", "_run_after_output", "second", "_run_after_input_0"),
    ]
    assert [port.name for port in first.outputs] == ["out", "_run_after_output"]
    assert second.get_input("in0") is not None
    assert second.get_input("nothing") is None
    assert second.get_output("nothing") is None
    assert second.get_param("nothing") is None
    param = second.get_param("a b")
    assert param is not None
    assert (param.get_value(), param.param_def.env_var_override) == ("1", "AML_PARAMETER_a_b")
    assert first.module_def.step_type == "PythonScriptStep"
    assert [p.name for p in first.module_def.input_port_defs] == ["in0"]
    assert "second" in str(graph)
    with pytest.raises(NotImplementedError):
        graph.delete_node(first.node_id)
    with pytest.raises(NotImplementedError):
        graph.connect(None, None)


def test_nodes_can_be_ordered_and_connected_by_hand() -> None:
    graph = graph_of([], 3)
    a, b, c = graph.module_nodes
    graph.sequence([c, b, a])
    assert [graph.get_node(n).name for n in graph.order()] == ["s2", "s1", "s0"]
    reader = graph._add("r", spec("reader", (DataLocation("store", "x"),)), {})
    port, source = reader.get_input("in0"), a.get_output("out")
    assert port is not None
    assert source is not None
    source.connect(port)
    assert reader.spec.inputs[0].source == StepOutput(a.node_id, "out")
    assert graph.datasource_nodes == []


def test_one_parameter_with_two_defaults_is_an_error() -> None:
    graph = Graph("g", None)
    graph._add("1", spec("first"), {"depth": PipelineParameter("depth", 3)})
    graph._add("2", spec("second"), {"depth": PipelineParameter("depth", 3)})
    for other in (4, 3.0, "3"):
        with pytest.raises(ArgumentError, match="'first'"):
            graph._add("3", spec("third"), {"depth": PipelineParameter("depth", other)})
    assert graph.params["depth"].default_value == 3


# --- parameters


class Scalar:
    """What a numpy scalar looks like."""

    shape = ()
    dtype = "int64"

    def __init__(self, value: Any) -> None:
        self.value = value

    def item(self) -> Any:
        return self.value


@pytest.mark.parametrize("default", [3, 0.5, True, "x", "", Scalar(7)])
def test_a_parameter_keeps_plain_defaults(default: Any) -> None:
    parameter = PipelineParameter("p", default)
    assert parameter.spec_value() == getattr(default, "value", default)
    assert str(parameter) == f"PipelineParameter_Name:p_Default:{default}"


@pytest.mark.parametrize("default", [None, [1], {"a": 1}, (1, 2), object()])
def test_a_parameter_refuses_other_defaults(default: Any) -> None:
    with pytest.raises(ValueError, match="'p'"):
        PipelineParameter("p", default)


@pytest.mark.parametrize("name", ["", None, 3])
def test_a_parameter_needs_a_name(name: Any) -> None:
    with pytest.raises(ValueError, match="name"):
        PipelineParameter(name, 1)


def test_a_default_that_is_changed_is_seen() -> None:
    parameter = PipelineParameter("p", 1)
    parameter.default_value = 2
    assert parameter.spec_value() == 2


class Data:
    def __init__(self, value: Any) -> None:
        self.value = value

    def _spec_value(self) -> Any:
        return self.value


PATH = DataLocation("store", "a")
FILES = DatasetSource({}, "file", "1")
TABLE = DatasetSource({}, "tabular", "2")


@pytest.mark.parametrize(
    ("default", "value", "expected"),
    [
        (3, 4, 4),
        (0.5, 1, 1.0),
        (0.5, 0.25, 0.25),
        (True, False, False),
        ("a", "b", "b"),
        (3, Scalar(5), 5),
        (Data(PATH), Data(replace(PATH, path="b")), replace(PATH, path="b")),
        (Data(FILES), Data(FILES), FILES),
    ],
)
def test_a_value_of_the_defaults_type_is_taken(default: Any, value: Any, expected: Any) -> None:
    taken = parse_parameter(PipelineParameter("p", default), value)
    assert taken == expected
    assert type(taken) is type(expected)


@pytest.mark.parametrize(
    ("default", "value"),
    [
        (3, True),
        (True, 1),
        (3, 3.0),
        (3, "3"),
        ("a", 1),
        (0.5, "x"),
        (0.5, True),
        ("a", None),
        (Data(PATH), "a"),
        ("a", Data(PATH)),
        (Data(FILES), Data(TABLE)),
    ],
)
def test_a_value_of_another_type_is_refused(default: Any, value: Any) -> None:
    with pytest.raises(TypeError, match="'p'") as caught:
        parse_parameter(PipelineParameter("p", default), value)
    assert isinstance(caught.value, UserErrorException)
    assert isinstance(caught.value, ValueError)


def test_a_datapath_is_a_value(tmp_path: Any) -> None:
    parameter = PipelineParameter("p", DataPath("store", "/raw/a.csv"))
    assert parameter.spec_value() == DataLocation("store", "raw/a.csv", DataPath("store", "raw/a.csv")._name)


# --- bindings


@pytest.mark.parametrize("binding", [InputPortBinding, OutputPortBinding])
def test_a_port_needs_a_plain_name(binding: Any) -> None:
    given = {"bind_object": "x"} if binding is InputPortBinding else {}
    assert binding("данные_1", **given).name == "данные_1"
    for name in ("a b", "", "a-b", "a.b"):
        with pytest.raises(ValueError, match="name"):
            binding(name, **given)
    with pytest.raises(ValueError, match="mode"):
        binding("a", bind_mode="copy", **given)


def test_a_binding_needs_something_to_read() -> None:
    with pytest.raises(ValueError, match="bind_object"):
        InputPortBinding("a")
    with pytest.raises(TypeError, match="'mode'"):
        InputPortBinding("a", "x", mode="mount")


def test_a_reference_to_a_parameter_is_no_text() -> None:
    assert ParameterRef("a") != "a"
    assert ParameterRef("a") == ParameterRef("a")


def test_what_was_frozen_before_retries_were_known_is_read() -> None:
    frozen = encode(RUN)
    del frozen["retries"]
    assert decode(frozen) == RUN
    assert decode(encode(replace(RUN, retries=2))).retries == 2
