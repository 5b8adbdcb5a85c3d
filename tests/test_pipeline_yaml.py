"""Pipelines as YAML: read in the SDK's form, and written so that they read back to the same graph."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from scriptstep import (
    CommandStep,
    DataPath,
    DataPathComputeBinding,
    Dataset,
    Experiment,
    OutputFileDatasetConfig,
    Pipeline,
    PipelineData,
    PipelineParameter,
    RunConfiguration,
)
from scriptstep.errors import ArgumentError, NotRegisteredError, UserErrorException
from scriptstep.graph.frozen import freeze_graph
from tests.logs import log_of

Make = Callable[..., Any]
Tell = Callable[[Any], dict[str, str]]

SHOW = """
    import os, sys
    print("got", [open(a).read() if os.path.isfile(a) else (os.listdir(a) or [''])[0] if os.path.isdir(a) else a for a in sys.argv[1:]])
    print("parameters", sorted((k, v) for k, v in os.environ.items() if k.startswith("AML_PARAMETER_")))
    for a in sys.argv[1:]:
        if "/outputs/" in a:
            os.makedirs(a, exist_ok=True); open(a + "/x", "w").write("made")
"""

PAGE = Path(__file__).parent.parent / "docs" / "pipeline_yaml.md"


@pytest.fixture
def written(project: Path) -> Callable[[str], Path]:
    """Writes a pipeline file; `show.py` lies beside it, in `src`."""

    def write(text: str) -> Path:
        folder = project / "pipelines"
        (folder / "src").mkdir(parents=True, exist_ok=True)
        (folder / "src" / "show.py").write_text(dedent(SHOW))
        (folder / "pipeline.yml").write_text(dedent(text))
        return folder / "pipeline.yml"

    return write


def put(ws: Any, path: str, text: str) -> None:
    file = Path("upload", Path(path).name)
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    ws.get_default_datastore().upload_files([str(file)], target_path=str(Path(path).parent), show_progress=False)


def submitted(ws: Any, pipeline: Any, **given: Any) -> Any:
    run = Experiment(ws, "yaml").submit(pipeline, **given)
    run.wait_for_completion(show_output=False, raise_on_error=False)
    return run


def test_a_file_in_the_sdks_form_runs(ws: Any, written: Callable[[str], Path], verdicts: Tell) -> None:
    put(ws, "raw/one.txt", "one")
    put(ws, "other/two.txt", "two")
    Dataset.File.from_files((ws.get_default_datastore(), "raw")).register(ws, "known")
    file = written(
        """
        pipeline:
          name: whole
          parameters:
            rate: {type: float, default: 0.0}
            loud: {type: bool, default: "false"}
            raw: {type: datapath, default: {datastore: workspaceblobstore, path_on_datastore: raw/one.txt}}
          data_references:
            words: {datastore: workspaceblobstore, path_on_datastore: raw/one.txt}
            set: {dataset_name: known}
          steps:
            last:
              type: PythonScriptStep
              name: last
              script_name: show.py
              source_directory: src
              inputs:
                taken: {source: handed, type: download}
                again: {source: tabled}
              arguments: ["input:taken", "input:again", 1, 0.5, true]
            first:
              python_script_step:
                name: first
                script_name: show.py
                source_directory: src
                allow_reuse: false
                inputs:
                  raw: {source: raw}
                  words: {source: words, bind_mode: download}
                  set: {source: set}
                outputs:
                  made: {destination: handed, datastore: workspaceblobstore, type: upload}
                  table: {destination: tabled, as_dataset: true}
                parameters: {speed: {source: rate}, fixed: 3}
                arguments: ["input:raw", "input:words", "input:set", "parameter:speed", "parameter:fixed", "parameter:loud",
                            "output:made", "output:table", "a:b"]
        """
    )
    pipeline = Pipeline.load_yaml(ws, file)
    assert (pipeline.description, pipeline.validate()) == ("whole", [])
    run = submitted(ws, pipeline, pipeline_parameters={"rate": 2})
    assert verdicts(run) == {"first": "ran", "last": "ran"}
    told = log_of(run, "first")
    assert "got ['one', 'one', 'one.txt', '2.0', '3', 'False', " in told
    assert "'a:b']" in told
    for name, value in (("fixed", "3"), ("loud", "False"), ("speed", "2.0")):
        assert f"('AML_PARAMETER_{name}', '{value}')" in told
    assert "got ['x', 'x', '1', '0.5', 'True']" in log_of(run, "last")
    other = DataPath(ws.get_default_datastore(), "other/two.txt")
    again = submitted(ws, Pipeline.load_yaml(ws, str(file)), pipeline_parameters={"raw": other})
    assert "got ['two', 'one'" in log_of(again, "first")


def test_the_page_says_what_is_so(ws: Any, written: Callable[[str], Path]) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    file = written(text)
    for name in ("prepare.py", "train.py"):
        (file.parent / "src" / name).write_text("")
    runconfig = RunConfiguration()
    runconfig.save(str(file.parent), "train.runconfig")
    (file.parent / ".azureml" / "train.runconfig").rename(file.parent / "train.runconfig")
    (file.parent / ".azureml" / "conda_dependencies.yml").rename(file.parent / "conda_dependencies.yml")
    graph = Pipeline.load_yaml(ws, file).graph
    prepare, train = sorted(graph.module_nodes, key=lambda node: node.name)
    assert prepare.name == "prepare" and train.name == "train.py"
    assert train.spec.run_after and prepare.spec.hash_paths == ("prepare.py",)
    assert sorted(graph.params) == ["rate"], "a parameter that no step uses is none"


def test_a_command_in_a_file(ws: Any, written: Callable[[str], Path]) -> None:
    file = written(
        """
        pipeline:
          parameters: {who: {type: string, default: ""}}
          steps:
            hello: {type: CommandStep, name: hello, source_directory: src, command: [echo, "to:", "parameter:who"]}
        """
    )
    run = submitted(ws, Pipeline.load_yaml(ws, file), pipeline_parameters={"who": "all of you"})
    assert "to: all of you" in log_of(run, "hello")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("steps: []", "holds no pipeline"),
        ("pipeline: {}", "pipeline.steps is missing"),
        ("pipeline: {steps: {}}", r"pipeline\.steps: .*at least 1 item"),
        ("pipeline: {steps: {a: {type: PythonScriptStep}}}", "step 'a' is a PythonScriptStep: it needs script_name"),
        ("pipeline: {steps: {a: {typ: x}}}", r"2 mistakes:\n  pipeline\.steps\.a\.type is missing"),
        (
            "pipeline: {parameters: {p: {type: int, default: x}}, steps: {a: {type: PythonScriptStep, script_name: s}}}",
            "parameter 'p' needs a default of type int, and has 'x'",
        ),
        (
            "pipeline: {parameters: {p: {type: string}}, steps: {a: {type: PythonScriptStep, script_name: s}}}",
            "parameter 'p' needs a default of type string, and has None",
        ),
        (
            "pipeline: {steps: {a: {type: PythonScriptStep, script_name: s, inputs: {i: {source: gone}}}}}",
            "step 'a', input 'i' reads 'gone', which nothing writes",
        ),
        (
            "pipeline: {steps: {a: {type: PythonScriptStep, script_name: s, arguments: ['input:i']}}}",
            "step 'a' has 'input:i' among its arguments, and no input 'i'",
        ),
        (
            "pipeline: {steps: {a: {type: PythonScriptStep, script_name: s, parameters: {x: {source: gone}}}}}",
            "step 'a' uses parameter 'gone', which the pipeline has not",
        ),
        (
            "pipeline: {steps: {a: {type: PythonScriptStep, script_name: s, run_after: [b]}}}",
            "step 'a' runs after 'b', which is no step of it",
        ),
        (
            "pipeline: {steps: {a: &s {type: PythonScriptStep, script_name: s, outputs: {o: {destination: d}}}, b: *s}}",
            "step 'b', output 'o' writes 'd', which has another source",
        ),
        (
            "pipeline: {data_references: {r: {}}, steps: {a: {type: PythonScriptStep, script_name: s}}}",
            "data reference 'r' needs one of datastore, dataset_name and dataset_id",
        ),
        ("pipeline: {steps: {a: {type: CommandStep, script_name: s}}}", "step 'a' is a CommandStep"),
    ],
)
def test_a_mistake_in_a_file_is_named(ws: Any, written: Callable[[str], Path], text: str, told: str) -> None:
    file = written(text)
    (file.parent / "s").write_text("")
    with pytest.raises(ArgumentError, match=told) as caught:
        Pipeline.load_yaml(ws, file)
    assert "pipeline.yml" in str(caught.value)


def test_what_a_file_names_and_is_not_here(ws: Any, written: Callable[[str], Path], project: Path) -> None:
    step = "steps: {a: {type: PythonScriptStep, script_name: show.py, source_directory: src}}"
    for text, kind, told in (
        (
            f"pipeline: {{data_references: {{r: {{datastore: gone}}}}, {step}}}",
            NotRegisteredError,
            "no datastore 'gone'",
        ),
        (
            f"pipeline: {{data_references: {{r: {{dataset_name: gone}}}}, {step}}}",
            NotRegisteredError,
            "no dataset 'gone'",
        ),
        (
            f"pipeline: {{data_references: {{r: {{datastore: d, sql_query: q}}}}, {step}}}",
            NotImplementedError,
            "a database",
        ),
        ("pipeline: {steps: {a: {type: AdlaStep}}}", NotImplementedError, "step 'a' is a AdlaStep, which is not here"),
        ("pipeline: {steps: [", UserErrorException, "is no YAML"),
    ):
        with pytest.raises(kind, match=told):
            Pipeline.load_yaml(ws, written(text))
    with pytest.raises(UserErrorException, match="cannot be read"):
        Pipeline.load_yaml(ws, project / "gone.yml")


# --- written and read again


def rich(ws: Any, make_step: Make) -> Any:
    """A pipeline with a bit of everything."""
    store = ws.get_default_datastore()
    put(ws, "raw/one.txt", "one")
    place = (
        PipelineParameter("place", DataPath(store, "raw", "raw_data")),
        DataPathComputeBinding("download", overwrite=True),
    )
    dataset = Dataset.File.from_files((store, "raw/*.txt")).take(1).as_named_input("set").as_mount()
    data, table = (
        PipelineData("data", pipeline_output_name="final"),
        OutputFileDatasetConfig("table", (store, "t/{run-id}")),
    )
    runconfig = RunConfiguration()
    runconfig.environment.environment_variables = {"A": "1", "B": "x y"}
    runconfig.environment.python.conda_dependencies.add_pip_package("pandas>=1")
    make_step(
        "first",
        SHOW,
        arguments=[place, dataset, data, table, PipelineParameter("n", 1), f"--to={data}", 1.5],
        inputs=[place, dataset],
        outputs=[data],
        params={"k": PipelineParameter("text", "é: \n'")},
        runconfig=runconfig,
        version="2",
    )
    second = CommandStep(name="second", command=["echo", data, table.as_input("t")], inputs=[data])
    third = make_step("third", SHOW)
    third.run_after(second)
    return Pipeline(ws, [second, third], description="a bit: of everything", default_datastore=store)


@pytest.mark.parametrize("way", ["published", "draft", "run", "graph"])
def test_what_is_written_reads_back_to_the_same_graph(
    ws: Any, make_step: Make, verdicts: Tell, tmp_path: Path, way: str
) -> None:
    from scriptstep.published.draft import PipelineDraft
    from scriptstep.workspace.conda import write_yaml

    pipeline = rich(ws, make_step)
    first = submitted(ws, pipeline)
    assert first.get_status() == "Finished"
    file = tmp_path / "kept" / "pipeline.yml"
    file.parent.mkdir()
    if way == "published":
        pipeline.publish("mine").save(file)
    elif way == "draft":
        PipelineDraft.create(ws, pipeline, "mine").save(file)
    elif way == "run":
        first.save(file)
    else:
        document = pipeline.graph.generate_yaml()
        kept = {"description": pipeline.description, "default_datastore": None, "pipeline_outputs": {}}
        file.write_text(write_yaml({**document, "pipeline": {**document["pipeline"], **kept}}), encoding="utf-8")
    again = Pipeline.load_yaml(ws, file)
    assert freeze_graph(again.graph) == freeze_graph(pipeline.graph)
    assert (again.description, again.validate()) == (pipeline.description, [])
    assert verdicts(submitted(ws, again)) == {"first": "reused", "second": "reused", "third": "reused"}
    if way != "graph":
        assert again._pipeline_outputs == pipeline._pipeline_outputs


def test_a_pipeline_is_saved_under_its_name(ws: Any, make_step: Make, project: Path) -> None:
    published = Pipeline(ws, [make_step("a")]).publish("my pipeline/1")
    published.save()
    assert (project / "my_pipeline_1.yml").is_file()
    published.save(str(project / "src"))
    assert (project / "src" / "my_pipeline_1.yml").is_file()
    with pytest.raises(UserErrorException, match="cannot be written"):
        published.save(project / "nowhere" / "x.yml")


def test_a_saved_pipeline_whose_code_is_gone_says_so(ws: Any, make_step: Make, project: Path, tmp_path: Path) -> None:
    step = make_step("a")
    Pipeline(ws, [step]).publish("mine").save(tmp_path / "mine.yml")
    (project / "src" / "a").rename(project / "elsewhere")
    assert "step 'a': its source_directory" in Pipeline.load_yaml(ws, tmp_path / "mine.yml").validate()[0]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("scriptstep: 1", "scriptstep: 2", "written by a newer scriptstep"),
        ("pipeline_outputs", "outputs", "is not as scriptstep wrote it: KeyError"),
        ("is: StepSpec", "is: Gone", "newer scriptstep, and says what this one does not know"),
    ],
)
def test_a_saved_pipeline_that_was_changed_is_named(
    ws: Any, make_step: Make, tmp_path: Path, old: str, new: str, told: str
) -> None:
    file = tmp_path / "mine.yml"
    Pipeline(ws, [make_step("a")]).publish("mine").save(file)
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    with pytest.raises(ArgumentError, match=told):
        Pipeline.load_yaml(ws, file)
