"""Members of the SDK's classes that little code asks for: what they give here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scriptstep import (
    AmlCompute,
    ComputeTarget,
    CondaDependencies,
    DataPath,
    DataPathComputeBinding,
    Dataset,
    Environment,
    Experiment,
    InputPortBinding,
    Pipeline,
    PipelineData,
    PipelineParameter,
    Run,
    Workspace,
)
from scriptstep.authoring.pipeline_io import _PipelineIO
from scriptstep.authoring.steps import PipelineStep
from scriptstep.errors import ArgumentError, UserErrorException
from scriptstep.graph.definitions import DataType, Param, ParamDef
from scriptstep.published.endpoint import PipelineEndpoint
from scriptstep.workspace.compute import ComputeInstance
from scriptstep.workspace.identity import InteractiveLoginAuthentication
from scriptstep.workspace.legacy_targets import AbstractComputeTarget

Make = Callable[..., Any]


def test_conda_dependencies_of_other_kinds() -> None:
    declared = CondaDependencies()
    before = len(list(declared.pip_packages))
    declared.add_cntk_package()
    declared.set_pip_index_url("https://pypi.example.com/simple")
    assert len(list(declared.pip_packages)) == before + 1
    assert "--index-url https://pypi.example.com/simple" in declared.serialize_to_string()
    assert declared.get_default_number_of_packages() == CondaDependencies.DEFAULT_NUMBER_OF_CONDA_PACKAGES


def test_an_environment_is_declared_and_not_built(ws: Workspace) -> None:
    details = Environment("mine").build_local(ws)
    assert details.status == "Succeeded"


def test_data_for_spark_is_an_error_when_it_runs(ws: Any, make_step: Make, run: Make, project: Path) -> None:
    (project / "a.csv").write_text("a")
    given = Dataset.File.from_files("a.csv").as_hdfs()
    assert given.mode == "hdfs"
    finished = run(make_step("read", "", arguments=[given]))
    assert finished.get_status() == "Failed"
    named = Dataset.File.from_files("a.csv").as_named_input("x").as_hdfs()
    assert (named.name, named.mode) == ("x", "hdfs")


def test_a_data_path_pair_as_binding_and_as_parameter(ws: Any) -> None:
    path = DataPath(ws.get_default_datastore(), "raw", "raw")
    parameter = PipelineParameter("where", path)
    pair = _PipelineIO.create((parameter, DataPathComputeBinding("download", "here")))
    binding = pair.as_input_port_binding()
    assert (binding.name, binding.bind_mode, binding.path_on_compute) == ("where", "download", "here")
    assert pair.as_pipeline_parameter() is parameter
    assert _PipelineIO.create((path, DataPathComputeBinding())).as_pipeline_parameter() is None


def test_a_binding_tells_of_what_it_binds() -> None:
    data = PipelineData("made", data_type="AnyFile")
    binding = InputPortBinding("taken", bind_object=data)
    assert (binding.get_bind_object_name(), binding.get_bind_object_data_type()) == ("made", "AnyFile")


def test_the_parts_of_a_step(ws: Any, make_step: Make, project: Path) -> None:
    data, made = PipelineData("data"), PipelineData("made")
    step = make_step("own", arguments=["--to", made], inputs=[data], outputs=[made])
    read, written = step.create_input_output_bindings([data], [made], ws.get_default_datastore())
    assert ([b.name for b in read], [b.name for b in written]) == (["data"], ["made"])
    module = step.create_module_def("escloud", read, written, allow_reuse=False, version="2")
    assert (module.name, module.version, module.allow_reuse) == ("own", "2", False)
    assert [p.name for p in module.input_port_defs] == ["data"]
    context = Pipeline(ws, [make_step("other")])._context
    assert step.get_source_directory(context, "src/own", "main.py") == str(project / "src" / "own")
    with pytest.raises(ArgumentError, match=r"gone\.py"):
        step.get_source_directory(context, "src/own", "gone.py")
    assert len(PipelineStep.resolve_input_arguments(["--to", made], [data], [made], {})) == 2
    PipelineStep.validate_arguments(["--to", made], [], [made])
    with pytest.raises(ArgumentError, match="made"):
        PipelineStep.validate_arguments(["--to", made], [], [])


def test_a_graphs_definitions(ws: Any, make_step: Make) -> None:
    assert [kind.name for kind in DataType.list_data_types(ws)] == ["AnyFile", "AnyDirectory"]
    parameter = Param(ParamDef("rate", default_value=1))
    parameter.set_value(2)
    assert parameter.value == 2
    pipeline = Pipeline(ws, [make_step("a")])
    AmlCompute(ws, "cpu")
    assert pipeline._context.get_target("cpu").name == "cpu"
    assert ws.name in pipeline.service_endpoint()


def test_a_run_tells_more_of_itself(ws: Any, make_step: Make, run: Make, project: Path) -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr)"
    finished = run(make_step("talk", code))
    (step,) = finished.get_steps()
    assert "out" in step.get_stdout_log() and "err" in step.get_stderr_log()
    copies = step.get_all_logs(destination=str(project / "logs"))
    assert ["out" in Path(copy).read_text() for copy in copies] == [True]
    assert step.get_detailed_status() == {"status": "Finished", "details": {"detailedMessage": ""}}
    failed = run(make_step("fail", "raise SystemExit(3)"))
    assert "3" in failed.get_steps().__next__().get_detailed_status()["details"]["detailedMessage"]
    step.clean()
    assert step.get_all_logs(destination=str(project / "again")), "nothing was taken away"


def test_get_submitted_run_is_get_context(make_step: Make, run: Make) -> None:
    assert type(Run.get_submitted_run()).__name__ == "_OfflineRun"
    code = "from azureml.core import Run; print(Run.get_submitted_run().id == Run.get_context().id)"
    (step,) = run(make_step("ask", code)).get_steps()
    assert "True" in step.get_job_log()


def test_secrets_by_the_dozen(ws: Workspace) -> None:
    vault = ws.get_default_keyvault()
    vault.set_secrets({"one": "1", "two": "2"})
    assert vault.get_secrets(["one", "two"]) == {"one": "1", "two": "2"}
    assert vault.get_secret_content_type("one") == {"one": "application/NotProvided"}
    vault.delete_secrets(["one", "two"])
    with pytest.raises(UserErrorException):
        vault.get_secret("one")


def test_compute_that_has_nothing_to_be_done(ws: Workspace, make_step: Make, run: Make) -> None:
    target = ComputeTarget.create(ws, "cpu", AmlCompute.provisioning_configuration(max_nodes=2))
    assert [node["nodeId"] for node in target.list_nodes()] == ["cpu"]
    assert list(target.get_active_runs()) == []
    assert AmlCompute.supported_vmsizes(ws)[0]["vCPUs"] >= 1
    target.detach()
    assert "cpu" not in ws.compute_targets
    instance = ComputeTarget.create(ws, "box", ComputeInstance.provisioning_configuration())
    for call in (instance.stop, instance.restart, lambda: instance.update_sso_settings(True)):
        call()
    assert instance.get_status().state == "Running"
    assert ComputeInstance.get_docs_url().startswith("https://")
    old = AbstractComputeTarget.deserialize_from_dict("old", {"type": "local"})
    assert (old.name, old.type) == ("old", "local")


def test_an_endpoint_under_its_older_names(ws: Workspace, make_step: Make) -> None:
    published = [Pipeline(ws, [make_step(name)]).publish(name) for name in ("one", "two")]
    endpoint = PipelineEndpoint.publish(ws, "mine", "in words", published[0])
    endpoint.add(published[1])
    assert [v.version for v in endpoint.get_all_versions()] == [v.version for v in endpoint.list_versions()]
    assert {p.id for p in endpoint.get_all_pipelines()} == {p.id for p in published}
    endpoint.set_default_version("1")
    assert PipelineEndpoint.get(ws, name="mine").get_pipeline().id == published[1].id
    with pytest.raises(ArgumentError, match="version"):
        endpoint.set_default_version("7")
    endpoint.set_name("other")
    assert PipelineEndpoint.get(ws, name="other").id == endpoint.id
    PipelineEndpoint.publish(ws, "third", "in words", published[0])
    with pytest.raises(ArgumentError, match="'third'.* already"):
        endpoint.set_name("third")


def test_what_needs_no_service(ws: Workspace) -> None:
    Workspace.setup()
    experiment = Experiment(ws, "mine")
    experiment.refresh()
    assert experiment.name == "mine"

    class Session:
        headers: dict[str, str] = {}  # noqa: RUF012

    session = Session()
    assert InteractiveLoginAuthentication().signed_session(session) is session
    assert list(session.headers) == ["Authorization"]
