"""Workspaces as code opens them, and what they hold."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scriptstep.errors import ArgumentError, NotRegisteredError, UserErrorException, WorkspaceException
from scriptstep.history import DatasetRow, History, RunRow, definition_id
from scriptstep.workspace.catalog import Catalog, close_catalogs, open_catalog, set_catalog_provider
from scriptstep.workspace.catalog_reads import HistoryReads
from scriptstep.workspace.identity import (
    AzureCliAuthentication,
    InteractiveLoginAuthentication,
    ServicePrincipalAuthentication,
)
from scriptstep.workspace.place import Place
from scriptstep.workspace.workspace import Workspace

Said = list[tuple[str, str | None]]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Said:
    """What the user is told: (text, help), each once."""
    told: Said = []

    def notice(text: str, help: str | None = None, level: str = "note", once: bool = True) -> None:
        if not once or (text, help) not in told:
            told.append((text, help))

    monkeypatch.setattr("scriptstep.console.notice", notice)
    return told


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Said) -> Iterator[Path]:
    """A project folder to work in; its state lies in it."""
    place = tmp_path / "project"
    place.mkdir()
    monkeypatch.chdir(place)
    for name in ("SCRIPTSTEP_HOME", "SCRIPTSTEP_ATTEMPT", "AZUREML_ARM_WORKSPACE_NAME"):
        monkeypatch.delenv(name, raising=False)
    yield place
    close_catalogs()


CONFIG = {"subscription_id": "sub", "resource_group": "group", "workspace_name": "named"}


def configured(path: Path, **more: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**CONFIG, **more}))


# --- opening


def test_without_any_configuration_it_is_called_like_the_folder(folder: Path, said: Said) -> None:
    ws = Workspace.from_config()
    assert ws.name == "project"
    assert (folder / ".scriptstep" / "history.db").is_file()
    assert said == [("made workspace 'project' in .scriptstep", None)]
    Workspace.from_config()
    assert len(said) == 1


@pytest.mark.parametrize("where", ["config.json", ".azureml/config.json", "aml_config/config.json", "../config.json"])
def test_a_config_json_is_found_as_the_sdk_finds_it(folder: Path, where: str) -> None:
    configured(folder / where)
    ws = Workspace.from_config()
    assert (ws.name, ws.subscription_id, ws.resource_group) == ("named", "sub", "group")


def test_the_nearest_config_json_counts(folder: Path) -> None:
    configured(folder.parent / "config.json", workspace_name="far")
    configured(folder / ".azureml" / "config.json", workspace_name="near")
    assert Workspace.from_config().name == "near"


def test_a_config_file_can_be_named(folder: Path) -> None:
    configured(folder / "envs" / "prod.json", workspace_name="prod")
    configured(folder / "envs" / "config.json", workspace_name="plain")
    configured(folder / "envs" / "dev.json", workspace_name="dev")
    assert Workspace.from_config(path="envs/prod.json").name == "prod"
    assert Workspace.from_config(path="envs").name == "plain"
    assert Workspace.from_config(path=folder / "envs", _file_name="dev.json").name == "dev"
    assert Workspace.from_config("envs/prod.json", auth=AzureCliAuthentication()).name == "prod"


def test_a_named_config_that_is_not_there_is_an_error(folder: Path) -> None:
    with pytest.raises(UserErrorException, match=r"no workspace configuration at .*prod\.json"):
        Workspace.from_config(path="prod.json")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is no JSON"),
        ("[1]", "must hold an object, not"),
        ("{}", "must name a workspace in 'workspace_name', not None"),
        ('{"workspace_name": 3}', "must name a workspace in 'workspace_name', not 3"),
    ],
)
def test_a_config_that_is_none_says_why(folder: Path, text: str, told: str) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(UserErrorException, match=rf"config\.json {told}"):
        Workspace.from_config()


def test_a_config_may_name_the_workspace_by_its_scope(folder: Path) -> None:
    scope = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
    (folder / "config.json").write_text(json.dumps({"Id": None, "Scope": scope}))
    ws = Workspace.from_config()
    assert (ws.name, ws.subscription_id, ws.resource_group) == ("w", "s", "g")


def test_the_settings_name_the_workspace_before_a_config_that_was_only_found(folder: Path) -> None:
    configured(folder / "config.json")
    (folder / "scriptstep.toml").write_text('[workspace]\nname = "ours"\nlocation = "here"\n')
    ws = Workspace.from_config()
    assert (ws.name, ws.location, ws.subscription_id) == ("ours", "here", "sub")
    assert Workspace.from_config("config.json").name == "named", "what the code names itself counts first"


def test_what_write_config_writes_from_config_reads(folder: Path) -> None:
    made = Workspace.create("w", subscription_id="s", resource_group="g")
    made.write_config()
    assert json.loads((folder / ".azureml" / "config.json").read_text()) == {
        "subscription_id": "s",
        "resource_group": "g",
        "workspace_name": "w",
    }
    assert Workspace.from_config() == made
    made.write_config(path="conf", file_name="dev.json")
    assert Workspace.from_config("conf", _file_name="dev.json") == made


def test_a_workspace_that_is_not_there_is_made_and_said(folder: Path, said: Said) -> None:
    assert Workspace("s", "g", "a").name == "a"
    assert Workspace.get("b", subscription_id="s", resource_group="g").name == "b"
    assert Workspace(workspace_name="a", subscription_id="s", resource_group="g") == Workspace.get(name="a")
    assert [text for text, _ in said] == ["made workspace 'a' in .scriptstep", "made workspace 'b' in .scriptstep"]


def test_create_makes_one_that_is_not_there_yet(folder: Path) -> None:
    Workspace.create("w", tags={"a": 1}, friendly_name="W", location="westeurope")
    with pytest.raises(WorkspaceException, match=r"'w' is there already.*\n.*exist_ok=True"):
        Workspace.create("w")
    again = Workspace.create("w", exist_ok=True)
    assert again.tags == {"a": "1"}
    assert again.get_details()["friendlyName"] == "W"
    assert again.location == "westeurope"


def test_what_code_prints_is_always_text(folder: Path) -> None:
    ws = Workspace.from_config()
    for shown in (ws.name, ws.resource_group, ws.location, ws.subscription_id, ws.sku):
        assert isinstance(shown, str) and shown
    details = ws.get_details()
    assert details["name"] == "project"
    assert details["id"].endswith(
        "/resourceGroups/local/providers/Microsoft.MachineLearningServices/workspaces/project"
    )


@pytest.mark.parametrize("name", ["", "  ", None, 3])
def test_a_workspace_needs_a_name(folder: Path, name: Any) -> None:
    with pytest.raises(ArgumentError, match="needs a name"):
        Workspace("s", "g", name)
    with pytest.raises(ArgumentError, match="needs a name"):
        Workspace.create(name)


def test_workspaces_are_listed_by_name(folder: Path) -> None:
    Workspace.create("b", resource_group="g")
    Workspace.create("a")
    listed = Workspace.list("any subscription")
    assert {name: [w.name for w in found] for name, found in listed.items()} == {"a": ["a"], "b": ["b"]}
    assert list(Workspace.list("x", resource_group="g")) == ["b"]


def test_a_workspace_is_changed(folder: Path) -> None:
    ws = Workspace.create("w", tags={"a": "1"})
    details = ws.update(friendly_name="W", description="d", tags={"b": 2})
    assert (details["friendlyName"], details["description"], details["tags"]) == ("W", "d", {"b": "2"})
    assert ws.tags == {"b": "2"}


def test_every_identity_is_accepted(folder: Path) -> None:
    identities = [
        InteractiveLoginAuthentication(tenant_id="t", force=True),
        ServicePrincipalAuthentication(tenant_id="t", service_principal_id="i", service_principal_password="secret"),
        AzureCliAuthentication(),
    ]
    for auth in identities:
        assert Workspace.get("w", auth=auth).name == "w"
        assert auth.get_authentication_header()["Authorization"].startswith("Bearer ")
        assert "secret" not in str(vars(auth))
        assert auth.get_token("scope").token


def test_copies_of_a_workspace_are_that_workspace(folder: Path) -> None:
    ws = Workspace.from_config()
    assert copy.deepcopy(ws) is ws
    assert hash(Workspace.from_config()) == hash(ws)
    assert ws != Workspace.get("other")


# --- what it holds


def test_two_workspaces_share_a_state_folder_and_nothing_else(folder: Path) -> None:
    first, second = Workspace.create("dev"), Workspace.create("prod")
    first.get_default_datastore().upload(_with_file(folder / "src", "a.txt"), "x", show_progress=False)
    assert first.get_default_datastore()._files()[0] == folder / ".scriptstep" / "datastores" / "workspaceblobstore"
    assert not (second.get_default_datastore()._files()[0] / "x").exists()
    first._catalog.add_experiment("only here")
    assert list(second.experiments) == []


def test_datasets_of_the_settings_are_registered(folder: Path) -> None:
    settings = folder / "scriptstep.toml"
    settings.write_text('[datasets.titanic]\npath = "data/t.csv"\nkind = "tabular"\n')
    catalog = Workspace.from_config()._catalog
    first = catalog.dataset("titanic")
    assert first is not None and first.version == 1 and first.kind == "tabular"
    assert catalog.dataset_by_id(first.id) == first
    assert catalog.datastore("scriptstep.toml") is not None
    settings.write_text('[datasets.titanic]\npath = "data/u.csv"\nkind = "tabular"\n')
    catalog = Workspace.from_config()._catalog
    second = catalog.dataset("titanic")
    assert second is not None and second.version == 2, "what the file says now is the newest version"
    Workspace.from_config()
    assert len(catalog.datasets()) == 1


def test_what_code_registers_after_the_settings_is_newer(folder: Path) -> None:
    (folder / "scriptstep.toml").write_text('[datasets.d]\npath = "a.csv"\n')
    catalog = Workspace.from_config()._catalog
    definition = {"kind": "file", "format": "files", "sources": [], "options": {}, "transformations": []}
    catalog.add_dataset(DatasetRow(definition_id(definition), "d", None, "file", definition))
    close_catalogs()
    found = Workspace.from_config()._catalog.dataset("d")
    assert found is not None and (found.version, found.definition) == (2, definition)


def test_members_are_mappings_whose_gaps_are_key_errors(folder: Path) -> None:
    ws = Workspace.from_config()
    for members in (ws.datastores, ws.environments, ws.models, ws.experiments):
        assert "nothing of that name" not in members
        assert members.get("nothing of that name") is None
        with pytest.raises(KeyError) as caught:
            members["nothing of that name"]
        assert isinstance(caught.value, NotRegisteredError)
        assert "nothing of that name" in str(caught.value)
    assert list(ws.datastores) == ["workspaceblobstore", "workspacefilestore"]
    assert ws.webservices == {} and ws.images == {}


def test_what_only_a_service_has_says_what_to_do(folder: Path) -> None:
    ws = Workspace.from_config()
    asks: list[Callable[[], Any]] = [
        ws.list_keys,
        ws.sync_keys,
        ws.delete,
        lambda: ws.service_context,
        lambda: ws.diagnose_workspace({}),
        lambda: ws.set_connection("a", "b", "c", "d", "e"),
    ]
    for ask in asks:
        with pytest.raises(NotImplementedError, match=r"here|code"):
            ask()


def test_mlflow_gets_a_folder(folder: Path) -> None:
    assert Workspace.from_config().get_mlflow_tracking_uri() == (folder / ".scriptstep" / "mlflow").as_uri()


# --- secrets


def test_secrets_are_environment_variables(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vault = Workspace.from_config().get_default_keyvault()
    monkeypatch.setenv("DB_PASSWORD", "one")
    monkeypatch.setenv("exact-name", "two")
    assert vault.get_secret("db-password") == "one"
    assert vault.get_secret("exact-name") == "two"
    assert vault.get_secrets(["db-password", "missing"]) == {"db-password": "one", "missing": None}
    with pytest.raises(UserErrorException, match=r"no secret 'api-key'\n(.|\n)*API_KEY(.|\n)*inherit"):
        vault.get_secret("api-key")


def test_a_secret_that_is_set_lives_with_the_process_and_is_stored_nowhere(
    folder: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CANARY_NAME", raising=False)
    vault = Workspace.from_config().get_default_keyvault()
    vault.set_secret("canary-name", "canary-value")
    assert vault.get_secret("canary-name") == "canary-value"
    assert {"name": "canary-name"} in vault.list_secrets()
    assert any("in this process alone" in text for text, _ in said)
    close_catalogs()
    kept = b"".join(f.read_bytes() for f in (folder / ".scriptstep").rglob("*") if f.is_file())
    assert b"canary-value" not in kept
    vault.delete_secret("canary-name")
    assert "CANARY_NAME" not in os.environ


# --- the catalog


def test_a_damaged_history_is_said(folder: Path, said: Said) -> None:
    Workspace.from_config()
    close_catalogs()
    (folder / ".scriptstep" / "history.db").write_text("no database")
    said.clear()
    ws = Workspace.from_config()
    text, help = said[0]
    assert "set aside" in text and str(folder / ".scriptstep" / "history.db.damaged-1") in text
    assert help is not None and "nothing recorded in it is reused" in help
    assert ws._catalog.runs() == []


def test_a_catalog_is_one_object_and_notices_that_its_folder_went(folder: Path) -> None:
    import shutil

    ws = Workspace.from_config()
    assert open_catalog(ws._place, ws.name) is ws._catalog
    ws._catalog.add_experiment("e")
    shutil.rmtree(folder / ".scriptstep")
    assert Workspace.from_config()._catalog.experiments() == []


def test_a_catalog_of_a_step_is_asked_in_its_place(folder: Path) -> None:
    outside = Workspace.from_config()
    outside._catalog.add_experiment("seen in the step")
    history = History(outside._place.home / "history.db", read_only=True)

    def provide(place: Place, workspace: str) -> Catalog:
        return HistoryReads(place, workspace, history)  # type: ignore[return-value]  # the reading half is enough here

    set_catalog_provider(provide)
    try:
        inside = Workspace.from_config()
        assert inside._catalog.experiments() == ["seen in the step"]
        assert inside.get_default_datastore().name == "workspaceblobstore"
        unknown = Workspace.get("never made")
        assert unknown.name == "never made", "a step makes no workspace, and needs none to ask"
        with pytest.raises(WorkspaceException, match="a step cannot change"):
            inside.update(description="x")
    finally:
        set_catalog_provider(None)
        history.close()
    assert set(Workspace.list("s")) == {"project"}


def test_a_steps_environment_names_where_its_catalog_comes_from(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gives_catalogs.py").write_text("def give(place, workspace):\n    return (place, workspace)\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("SCRIPTSTEP_CATALOG", "gives_catalogs:give")
    place = Place(folder / "state")
    assert open_catalog(place, "w") == (place, "w")  # type: ignore[comparison-overlap]
    assert not place.home.exists()


def test_a_state_folder_on_a_network_file_system_is_said(
    folder: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scriptstep.workspace.local_catalog.is_remote", lambda path: True)
    Workspace.from_config()
    assert any("network file system" in text for text, _ in said)


def test_a_step_reads_the_settings_that_its_run_was_submitted_under(folder: Path) -> None:
    settings = folder / "scriptstep.toml"
    settings.write_text('[datastores.blob]\npath = "data"\n[reuse]\nplatform = false\n')
    ws = Workspace.from_config()
    history = History(ws._place.home / "history.db", read_only=True)
    settings.write_text("[reuse]\nplatform = true\n")
    for place in (Place(ws._place.home), Place(ws._place.home, settings)):
        reads = HistoryReads(place, "project", history)
        assert reads.settings().reuse.platform is False
        blob = reads.datastore("blob")
        assert blob is not None and blob.config["path"] == str(folder / "data")
        own = reads.datastore("scriptstep.toml")
        assert own is not None and own.config["path"] == str(folder)
    history.close()


def test_settings_that_were_removed_are_not_read_by_steps(folder: Path) -> None:
    settings = folder / "scriptstep.toml"
    settings.write_text("[reuse]\nplatform = false\n")
    home = Workspace.from_config()._place.home
    settings.unlink()
    Workspace.from_config()
    history = History(home / "history.db", read_only=True)
    assert HistoryReads(Place(home), "project", history).settings().reuse.platform is True
    history.close()


def test_files_of_a_run_are_uploaded_and_listed(folder: Path) -> None:
    catalog = Workspace.from_config()._catalog
    catalog.add_run(RunRow("r", "project", "e", "interactive", "r", directory="runs/r"))
    _with_file(folder / "src" / "deep", "b.txt")
    _with_file(folder / "src", "a.txt")
    catalog.upload("r", "outputs/one.txt", folder / "src" / "a.txt")
    catalog.upload("r", "/folder", folder / "src")
    assert list(catalog.files("r")) == ["folder/a.txt", "folder/deep/b.txt", "outputs/one.txt"]
    assert catalog.files("r")["outputs/one.txt"].read_text() == "a.txt"
    with pytest.raises(ArgumentError, match=r"'\.\.'"):
        catalog.upload("r", "../out.txt", folder / "src" / "a.txt")
    with pytest.raises(ArgumentError, match="nothing lies"):
        catalog.upload("r", "x", folder / "none")
    with pytest.raises(NotRegisteredError):
        catalog.upload("never", "x", folder / "src")
    assert catalog.files("never") == {}


def test_a_reused_run_shows_the_files_of_its_origin(folder: Path) -> None:
    catalog = Workspace.from_config()._catalog
    catalog.add_run(RunRow("origin", "project", "e", "step", "s", directory="runs/o"))
    catalog.add_run(RunRow("again", "project", "e", "step", "s", directory="runs/a", reused_from="origin"))
    log = folder / ".scriptstep" / "runs" / "o" / "logs" / "std_log.txt"
    log.parent.mkdir(parents=True)
    log.write_text("hello")
    catalog.upload("origin", "outputs/x", _with_file(folder / "src", "x") / "x")
    assert list(catalog.files("again")) == ["outputs/x", "user_logs/std_log.txt"]
    assert catalog.files("again")["user_logs/std_log.txt"].read_text() == "hello"


def test_a_run_that_ended_shows_its_stored_files(folder: Path) -> None:
    catalog: Any = Workspace.from_config()._catalog
    tree = catalog.store.add(_with_file(folder / "made" / "outputs", "model.pkl").parent)
    catalog.add_run(RunRow("r", "project", "e", "step", "s", directory="runs/r", artifacts=tree.digest))
    assert list(catalog.files("r")) == ["outputs/model.pkl"]
    target = folder / "out"
    catalog.restore(tree.digest, target)
    assert (target / "outputs" / "model.pkl").read_text() == "model.pkl"


def test_importing_and_declaring_load_nothing_heavy() -> None:
    code = """
import sys
from scriptstep.workspace.workspace import Workspace
from scriptstep.workspace.environment import Environment
from scriptstep.workspace.compute import AmlCompute
from scriptstep.workspace.datastore import Datastore
from scriptstep.workspace.model import Model
from scriptstep.authoring.runconfig import RunConfiguration
config = RunConfiguration()
config.environment.python.conda_dependencies.add_pip_package("pandas")
config._run_spec()
heavy = "pydantic rich sqlite3 asyncio importlib.metadata pandas numpy ruamel.yaml".split()
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def _with_file(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(name)
    return folder
