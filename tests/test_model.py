"""Registered models, as public code registers, finds and takes them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scriptstep.errors import (
    ArgumentError,
    ModelNotFoundException,
    ModelPathNotFoundException,
    TreeDamaged,
    UserErrorException,
    WebserviceException,
)
from scriptstep.history import RunRow
from scriptstep.workspace.catalog import close_catalogs
from scriptstep.workspace.model import Model
from scriptstep.workspace.resources import ResourceConfiguration
from scriptstep.workspace.workspace import Workspace


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    place = tmp_path / "project"
    (place / "outputs" / "net" / "deep").mkdir(parents=True)
    (place / "outputs" / "model.pkl").write_text("pickled")
    (place / "outputs" / "net" / "weights.bin").write_text("w")
    (place / "outputs" / "net" / "deep" / "config.json").write_text("{}")
    monkeypatch.chdir(place)
    monkeypatch.delenv("SCRIPTSTEP_HOME", raising=False)
    monkeypatch.setattr("scriptstep.console.notice", lambda *_, **__: None)
    yield place
    close_catalogs()


@pytest.fixture
def ws(folder: Path) -> Workspace:
    return Workspace.from_config()


def register(ws: Workspace, name: str = "diabetes", path: str = "outputs/model.pkl", **more: Any) -> Model:
    return Model.register(workspace=ws, model_path=path, model_name=name, **more)


# --- registering


def test_a_registered_model_has_all_that_it_was_given(ws: Workspace) -> None:
    model = register(
        ws,
        tags={"area": "diabetes", "auc": 0.91},
        properties={"type": "regression"},
        description="Ridge",
        model_framework=Model.Framework.SCIKITLEARN,
        model_framework_version="1.0",
        datasets=[("training data", SimpleNamespace(id="dataset-1"))],
        resource_configuration=ResourceConfiguration(cpu=1, memory_in_gb=0.5),
    )
    for found in (model, Model(ws, "diabetes"), ws.models["diabetes"], Model.list(ws)[0]):
        assert (found.name, found.version, found.id) == ("diabetes", 1, "diabetes:1")
        assert found.tags == {"area": "diabetes", "auc": "0.91"}
        assert (found.properties, found.description) == ({"type": "regression"}, "Ridge")
        assert (found.model_framework, found.model_framework_version) == ("ScikitLearn", "1.0")
        assert isinstance(found.created_time, datetime) and found.created_time.tzinfo is not None
        assert found.resource_configuration is not None and found.resource_configuration.cpu == 1
        assert found.run_id is None and found.run is None and found.experiment_name is None
        assert found.workspace == ws


def test_each_registration_is_a_new_version_even_of_the_same(ws: Workspace) -> None:
    assert [register(ws).version for _ in range(3)] == [1, 2, 3]
    assert Model(ws, "diabetes").version == 3


def test_what_is_registered_stays_as_it_was(ws: Workspace, folder: Path) -> None:
    model = register(ws)
    (folder / "outputs" / "model.pkl").write_text("changed")
    assert Path(model.download("taken")).read_text() == "pickled"
    assert (folder / "outputs" / "model.pkl").read_text() == "changed"


def test_only_named_parts_of_a_folder_are_registered(ws: Workspace, folder: Path) -> None:
    model = register(ws, path="outputs/net", child_paths=["deep"])
    taken = Path(model.download("taken"))
    assert sorted(p.relative_to(taken).as_posix() for p in taken.rglob("*")) == ["deep", "deep/config.json"]
    for child in ("none", "../model.pkl"):
        with pytest.raises(ModelPathNotFoundException, match="holds no"):
            register(ws, path="outputs/net", child_paths=[child])
    assert len(Model.list(ws)) == 1


def test_nothing_to_register_is_one_clear_error(ws: Workspace, folder: Path) -> None:
    with pytest.raises(ModelPathNotFoundException, match=rf"nothing lies at 'outputs/none\.pkl'\n.*{folder}"):
        register(ws, path="outputs/none.pkl")
    assert Model.list(ws) == []


@pytest.mark.parametrize("name", ["", "a b", "a/b", "-a", "ä", "a" * 256, None, 3])
def test_a_models_name_is_plain(ws: Workspace, name: Any) -> None:
    with pytest.raises(ArgumentError, match="model's name"):
        register(ws, name)


def test_tags_are_a_mapping(ws: Workspace) -> None:
    with pytest.raises(ArgumentError, match="tags and properties are a dict"):
        register(ws, tags=["a"])


# --- finding


def test_a_model_is_found_by_name_version_or_id(ws: Workspace) -> None:
    for text in ("one", "two"):
        Path("outputs/model.pkl").write_text(text)
        register(ws, tags={"n": text})
    assert Model(ws, name="diabetes").version == 2
    assert Model(workspace=ws, name="diabetes", version=1).tags == {"n": "one"}
    assert Model(ws, "diabetes", version="1").version == 1
    assert Model(ws, id="diabetes:1").version == 1
    assert Model(ws, "diabetes", tags=[["n", "one"]]).version == 1
    assert Model(ws, "diabetes", tags=["n"]).version == 2
    assert Model.deserialize(ws, Model(ws, id="diabetes:1").serialize()).id == "diabetes:1"


def test_a_model_that_is_not_there_is_either_of_the_sdks_errors(ws: Workspace) -> None:
    register(ws)
    for ask, told in (
        (lambda: Model(ws, "none"), "no model 'none' is registered.*there are: diabetes"),
        (lambda: Model(ws, "diabetes", version=9), "'diabetes' has no version 9; there are 1"),
        (lambda: Model(ws, id="diabetes:9"), "no version 9"),
        (lambda: Model(ws, "diabetes", tags=["never"]), "has what was asked for"),
        (lambda: Model.get_model_path("none", _workspace=ws), "no model 'none'"),
    ):
        with pytest.raises(ModelNotFoundException, match=told):
            ask()
        with pytest.raises(WebserviceException, match="ModelNotFound"):
            ask()
    with pytest.raises(ArgumentError, match="name or its id"):
        Model(ws)
    with pytest.raises(ArgumentError, match="whole number, not 'x'"):
        Model(ws, "diabetes", version="x")


def test_models_are_listed_newest_first_by_what_is_asked(ws: Workspace) -> None:
    register(ws, "a", tags={"k": "1", "old": ""})
    register(ws, "a", tags={"k": "1"}, properties={"p": "q"})
    register(ws, "b", tags={"k": "2"}, model_framework="Onnx", datasets=[("x", SimpleNamespace(id="d-1"))])

    def ids(**asked: Any) -> list[str]:
        return [model.id for model in Model.list(ws, **asked)]

    assert ids() == ["b:1", "a:2", "a:1"]
    assert ids(name="a") == ["a:2", "a:1"]
    assert ids(latest=True) == ["b:1", "a:2"]
    assert ids(tags=[["k", "1"]]) == ["a:2", "a:1"]
    assert ids(tags=[["k", 1]], latest=True) == ["a:2"]
    assert ids(tags=["old"], latest=True) == [], "the latest version of a name, and then what it has"
    assert ids(tags={"k": "2"}) == ["b:1"]
    assert ids(properties=[["p", "q"]]) == ["a:2"]
    assert ids(model_framework="Onnx") == ["b:1"]
    assert ids(dataset_id="d-1") == ["b:1"]
    assert ids(run_id="none") == []
    assert Model.list(ws, "none") == []


def test_a_model_knows_the_run_that_registered_it(ws: Workspace) -> None:
    ws._catalog.add_run(RunRow("r1", ws.name, "exp", "step", "train"))
    ws._catalog.register_model("m", Path("outputs/model.pkl"), base_name="model.pkl", run="r1")
    model = Model(ws, "m")
    assert (model.run_id, model.experiment_name) == ("r1", "exp")
    assert [m.id for m in Model.list(ws, run_id="r1")] == ["m:1"]
    assert Model(ws, "m", run_id="r1").id == "m:1"


# --- taking


def test_a_file_keeps_its_base_name(ws: Workspace, folder: Path) -> None:
    path = register(ws).download(target_dir="taken")
    assert path == "taken/model.pkl"
    assert Path(path).read_text() == "pickled"


def test_a_folder_keeps_its_base_name(ws: Workspace) -> None:
    path = register(ws, path="outputs/net/").download("taken")
    assert path == "taken/net"
    assert (Path(path) / "deep" / "config.json").read_text() == "{}"


def test_a_download_replaces_only_where_it_may(ws: Workspace, folder: Path) -> None:
    model = register(ws)
    model.download("taken")
    (folder / "taken" / "model.pkl").write_text("mine")
    with pytest.raises(UserErrorException, match=r"taken/model\.pkl is there already"):
        model.download("taken")
    for allowed in ({"exist_ok": True}, {"exists_ok": True}):
        assert Path(model.download("taken", **allowed)).read_text() == "pickled"
    assert [p.name for p in (folder / "taken").iterdir()] == ["model.pkl"]
    (folder / "taken" / "model.pkl").unlink()
    (folder / "taken" / "model.pkl").mkdir()
    assert Path(model.download("taken", exist_ok=True)).read_text() == "pickled"


def test_a_model_path_ends_in_the_base_name_and_litters_nothing(ws: Workspace, folder: Path) -> None:
    register(ws)
    register(ws, path="outputs/net")
    before = sorted(p.name for p in folder.iterdir())
    first, latest = Model.get_model_path("diabetes", 1, ws), Model.get_model_path(model_name="diabetes", _workspace=ws)
    assert Path(first).name == "model.pkl" and Path(first).read_text() == "pickled"
    assert Path(latest).name == "net" and (Path(latest) / "weights.bin").read_text() == "w"
    assert Model.get_model_path("diabetes", version=1) == first, "the workspace of the working directory"
    assert sorted(p.name for p in folder.iterdir()) == before


def test_inside_a_step_the_copy_lies_in_its_working_copy(
    ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(ws)
    (tmp_path / "code").mkdir()
    monkeypatch.chdir(tmp_path / "code")
    monkeypatch.setenv("SCRIPTSTEP_ATTEMPT", "a-1")
    path = Model.get_model_path("diabetes", _workspace=ws)
    assert path == "azureml-models/diabetes/1/model.pkl"
    assert Path(path).read_text() == "pickled"


def test_a_file_of_the_models_name_is_the_last_resort(ws: Workspace, folder: Path) -> None:
    (folder / "local_model").write_text("here")
    assert Model.get_model_path("local_model", _workspace=ws) == "local_model"


def test_a_model_that_was_damaged_in_the_store_is_not_handed_out(ws: Workspace, folder: Path) -> None:
    model = register(ws)
    stored = ws._catalog.content(model._row.digest)
    stored.chmod(0o644)
    stored.write_text("PICKLED")
    with pytest.raises(TreeDamaged):
        model.download("taken")
    assert not list((folder / "taken").iterdir()), "nothing half there"


# --- changing


def test_tags_and_description_change_and_properties_stay(ws: Workspace) -> None:
    model = register(ws, tags={"a": "1", "b": "2"}, properties={"p": "1"})
    model.add_tags({"c": 3})
    model.remove_tags(["a"])
    model.remove_tags("b")
    model.add_properties({"q": "2"})
    model.update(description="better")
    for found in (model, Model(ws, "diabetes")):
        assert (found.tags, found.properties, found.description) == ({"c": "3"}, {"p": "1", "q": "2"}, "better")
    model.update(tags={"only": "this"})
    assert Model(ws, "diabetes").tags == {"only": "this"}
    with pytest.raises(ArgumentError, match="properties stay as they are, and p would change"):
        model.add_properties({"p": "other"})
    model.update_tags_properties(add_tags={"x": "y"}, remove_tags=["only"], add_properties={"p": "1"})
    assert Model(ws, "diabetes").tags == {"x": "y"}


def test_datasets_are_added(ws: Workspace) -> None:
    model = register(ws, datasets=[("train", SimpleNamespace(id="d-1"))])
    model.add_dataset_references([("train", SimpleNamespace(id="d-1")), ("test", SimpleNamespace(id="d-2"))])
    assert Model(ws, "diabetes")._row.details["datasets"] == [["train", "d-1"], ["test", "d-2"]]


def test_a_deleted_model_is_gone_and_its_number_with_it(ws: Workspace) -> None:
    register(ws)
    register(ws).delete()
    assert Model(ws, "diabetes").version == 1
    assert register(ws).version == 3


def test_serving_says_what_to_do_instead(ws: Workspace) -> None:
    for ask in (
        lambda: Model.deploy(ws, "x", []),
        lambda: Model.package(ws, []),
        lambda: Model.profile(ws, "x", [], None, None),
        lambda: register(ws).get_sas_urls(),
    ):
        with pytest.raises(NotImplementedError, match="here"):
            ask()
