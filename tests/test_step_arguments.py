"""Arguments: what stands for what, and how values are spelled."""

from __future__ import annotations

import enum
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriptstep.authoring.literals import has_placeholder, split_literal
from scriptstep.authoring.pipeline_data import PipelineData
from scriptstep.authoring.python_script_step import PythonScriptStep
from scriptstep.authoring.site import Site
from scriptstep.data.consumption import DatasetConsumptionConfig
from scriptstep.data.dataset_factory import Dataset
from scriptstep.data.outputs import OutputFileDatasetConfig
from scriptstep.data.paths import DataPath, DataPathComputeBinding
from scriptstep.data.references import DataReference
from scriptstep.errors import UserErrorException
from scriptstep.graph import InputPortBinding, InputRef, OutputPortBinding, OutputRef, ParameterRef, PipelineParameter


def step(**given: Any) -> PythonScriptStep:
    return PythonScriptStep("train.py", name="train", **given)


def parts(*arguments: Any, **given: Any) -> list[Any]:
    return [a[0] if len(a) == 1 else a for a in step(arguments=list(arguments), **given)._wiring.arguments]


def refuses(*arguments: Any, **given: Any) -> str:
    with pytest.raises(ValueError, match="step 'train'") as caught:
        step(arguments=list(arguments), **given)
    assert isinstance(caught.value, UserErrorException)
    return str(caught.value)


class Colour(enum.Enum):
    RED = "red"


class Size(str, enum.Enum):
    BIG = "big"


class Level(enum.IntEnum):
    HIGH = 3


def test_values_are_spelled_plainly() -> None:
    numpy = pytest.importorskip("numpy")
    given = [
        ("", ""),
        ("two words", "two words"),
        (0.01, "0.01"),
        (3, "3"),
        (True, "True"),
        (None, "None"),
        (b"raw", "raw"),
        (Path("a") / "b", "a/b"),
        (PurePosixPath("c"), "c"),
        (Decimal("0.10"), "0.10"),
        (Colour.RED, "Colour.RED"),
        (Size.BIG, "big"),
        (Level.HIGH, "3"),
        (numpy.float32(0.1), "0.1"),
        (numpy.int64(7), "7"),
        (numpy.bool_(True), "True"),
        (numpy.str_("x"), "x"),
        (numpy.array(5), "5"),
    ]
    made = parts(*[value for value, _ in given])
    assert made == [text for _, text in given]
    assert all(type(text) is str for text in made)


class Loud:
    def __str__(self) -> str:
        raise RuntimeError("no")


def test_what_has_no_spelling_is_refused() -> None:
    numpy = pytest.importorskip("numpy")
    for value in ([1, 2], {"a": 1}, {1}, frozenset([1]), range(3), ("a", "b"), numpy.array([1, 2])):
        told = refuses("--x", value)
        assert "arguments[1]" in told
        assert "one value" in told
    assert "no text of its own" in refuses(object())
    assert "cannot be made text" in refuses(Loud())
    assert "NUL" in refuses("a\0b")
    assert "arguments is one text" in _refused(arguments="--depth 3")
    assert "must be a list" in _refused(arguments={"--depth": 3})


def _refused(**given: Any) -> str:
    with pytest.raises(TypeError, match="step 'train'") as caught:
        step(**given)
    assert isinstance(caught.value, ValueError)
    return str(caught.value)


def test_tuples_will_do_and_the_users_lists_stay_as_they_are() -> None:
    data, config = PipelineData("data"), OutputFileDatasetConfig("made")
    arguments, inputs, outputs, params = ["--in", data, config], [data], [], {"a": PipelineParameter("p", 1)}
    first = step(arguments=arguments, inputs=inputs, outputs=outputs, params=params)
    assert arguments == ["--in", data, config]
    assert (inputs, outputs, list(params)) == ([data], [], ["a"])
    second = step(arguments=tuple(arguments), inputs=(data,), outputs=(), params=params)
    assert first._wiring.arguments == second._wiring.arguments
    assert first._outputs == [config]
    assert first._arguments == arguments


def test_what_stands_for_what(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("a\n1\n")
    read, written, config = (
        PipelineData("read"),
        PipelineData("w", output_name="written"),
        OutputFileDatasetConfig("made"),
    )
    reference, binding = DataReference("store", "reference", "raw"), OutputPortBinding("bound")
    pair = (PipelineParameter("where", DataPath("store", "x")), DataPathComputeBinding())
    dataset = Dataset.File.from_files(file)
    made = parts(
        read,
        written,
        config,
        reference,
        binding,
        pair,
        dataset.as_named_input("named").as_mount(),
        PipelineParameter("depth", 3),
        read,
        inputs=[read, reference, pair],
        outputs=[written, binding],
    )
    assert made == [
        InputRef("read"),
        OutputRef("written"),
        OutputRef("made"),
        InputRef("reference"),
        OutputRef("bound"),
        InputRef("where"),
        InputRef("named"),
        ParameterRef("depth"),
        InputRef("read"),
    ]


def test_placeholders_stand_anywhere_in_a_text() -> None:
    read, written, config = PipelineData("read"), PipelineData("w", output_name="written"), OutputFileDatasetConfig()
    named = OutputFileDatasetConfig("other").as_input("data")
    made = parts(
        f"--in={read}/x",
        f"{written}",
        f"--made={config.arg_val}",
        f"a {named.arg_val}b {read}{written}",
        f"{read}_old",
        inputs=[read, named],
        outputs=[written, config],
    )
    assert made == [
        ("--in=", InputRef("read"), "/x"),
        OutputRef("written"),
        ("--made=", OutputRef("made")),
        ("a ", InputRef("data"), "b ", InputRef("read"), OutputRef("written")),
        (InputRef("read"), "_old"),
    ]


def test_an_undeclared_placeholder_is_refused() -> None:
    told = refuses("--x", f"{PipelineData('raw')}/a")
    assert "arguments[1]" in told
    assert "'raw'" in told
    assert "no input or output" in refuses(OutputFileDatasetConfig("made").arg_val)


def test_a_placeholder_that_could_be_two_things_is_refused() -> None:
    reference, written = DataReference("store", "data", "x"), PipelineData("data")
    assert "could be the input or the output" in refuses(f"--x={written}", inputs=[reference], outputs=[written])


def test_a_parameter_inside_a_text_is_refused_by_name() -> None:
    told = refuses(f"--depth={PipelineParameter('max_depth', 3)}")
    assert "'max_depth'" in told
    assert "argument of its own" in told


def test_parameter_colon_name_stands_for_params_and_parameters() -> None:
    depth = PipelineParameter("depth", 3)
    made = parts("parameter:a", "parameter:b", "parameter:depth", "parameter:zz", depth, params={"a": 1, "b": depth})
    assert made == ["1", ParameterRef("depth"), ParameterRef("depth"), "parameter:zz", ParameterRef("depth")]


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        (PipelineData("raw"), "'raw', which is in neither inputs nor outputs"),
        (DataReference("store", "raw", "x"), "'raw', which is in neither inputs nor outputs"),
        (InputPortBinding("raw", PipelineData("x")), "'raw', which is in neither"),
        (OutputPortBinding("raw"), "'raw', which is in neither"),
        ((DataPath("store", "x", name="raw"), DataPathComputeBinding()), "'raw', which is in neither"),
        (PipelineData("raw").as_dataset(), "'raw', which is in neither"),
        (PipelineParameter("raw", DataPath("store", "x")), "(parameter, DataPathComputeBinding())"),
        ((PipelineParameter("raw", 3), DataPathComputeBinding()), "must be a DataPath"),
        ((DataPath("store", "x"), "mount"), "holds a tuple"),
        ((PipelineParameter("raw", DataPath("store", "x")), "mount"), "DataPathComputeBinding"),
    ],
)
def test_what_is_not_declared_is_refused(argument: Any, words: str) -> None:
    told = refuses("--x", argument)
    assert words in told
    assert "arguments[1]" in told


def test_a_bare_dataset_or_step_is_refused_with_what_to_do(tmp_path: Path) -> None:
    dataset = Dataset.File.from_files(str(tmp_path / "*.csv"), validate=False)
    assert "as_named_input" in refuses(dataset)
    assert "run_after" in refuses(step())
    with pytest.raises(ValueError, match="as_named_input"):
        step(inputs=[dataset])
    with pytest.raises(ValueError, match="DatasetConsumptionConfig"):
        step(arguments=[PipelineParameter("p", dataset)])


def test_a_dataset_given_by_a_parameter_is_one_port(tmp_path: Path) -> None:
    parameter = PipelineParameter("p", Dataset.File.from_files(str(tmp_path / "*.csv"), validate=False))
    config = DatasetConsumptionConfig("data", parameter).as_mount()
    made = step(arguments=["--in", config, parameter], inputs=[config])
    assert made._wiring.arguments[1:] == ((InputRef("data"),), (InputRef("data"),))
    assert list(made._wiring.parameters) == ["p"]
    only_inputs = step(inputs=[config])
    assert list(only_inputs._wiring.parameters) == ["p"]


# --- the law: what is split joins to what it was

NAMES = ["a", "ab", "a_b", "данные", "x1"]
PREFIXES = ["$AZUREML_DATAREFERENCE_", "DatasetConsumptionConfig:", "DatasetOutputConfig:"]
TOKENS = {prefix + name: InputRef(f"{n}.{name}") for n, prefix in enumerate(PREFIXES) for name in NAMES}
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")).filter(
    lambda t: not has_placeholder(t)
)
PIECES = st.lists(st.one_of(TEXT, st.sampled_from(sorted(TOKENS))), max_size=8)


@given(PIECES)
def test_the_parts_of_a_text_join_to_what_it_was(pieces: list[str]) -> None:
    text = "".join(pieces)
    if text.startswith("parameter:"):
        return
    back = {reference: token for token, reference in TOKENS.items()}
    found = split_literal(text, TOKENS, {}, Site("s"), "arguments[0]")
    assert "".join(part if isinstance(part, str) else back[part] for part in found) == text  # type: ignore[index]
    assert not any(isinstance(part, str) and has_placeholder(part) for part in found if part)
    assert "" not in found or found == ("",)


@given(st.lists(st.one_of(TEXT, st.integers(), st.floats(), st.booleans(), st.none(), st.binary()), max_size=6))
def test_plain_values_reach_the_script_as_their_text(values: list[Any]) -> None:
    values = [v for v in values if not (isinstance(v, bytes) and b"\0" in v)]
    made = step(arguments=values)._wiring.arguments
    assert len(made) == len(values)
    for value, argument in zip(values, made, strict=True):
        if isinstance(value, bytes):
            assert argument[0].encode("utf-8", "surrogateescape") == value  # type: ignore[union-attr]
        else:
            assert argument == (str(value),)
