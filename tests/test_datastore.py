"""Datastores: folders under a name, used as public code uses containers and shares."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scriptstep import Dataset
from scriptstep.errors import ArgumentError, NotRegisteredError, UserErrorException
from scriptstep.workspace.catalog import close_catalogs
from scriptstep.workspace.datastore import (
    AzureBlobDatastore,
    AzureDataLakeGen2Datastore,
    AzureFileDatastore,
    AzureSqlDatabaseDatastore,
    Datastore,
)
from scriptstep.workspace.urls import place_of_url
from scriptstep.workspace.workspace import Workspace

Said = list[tuple[str, str | None]]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Said:
    told: Said = []
    monkeypatch.setattr("scriptstep.console.notice", lambda text, help=None, **_: told.append((text, help)))
    return told


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Said) -> Iterator[Path]:
    place = tmp_path / "project"
    (place / "data" / "deep").mkdir(parents=True)
    (place / "data" / "a.csv").write_text("a")
    (place / "data" / "deep" / "b.csv").write_text("b")
    monkeypatch.chdir(place)
    monkeypatch.delenv("SCRIPTSTEP_HOME", raising=False)
    yield place
    close_catalogs()


@pytest.fixture
def ws(folder: Path) -> Workspace:
    return Workspace.from_config()


def listed(root: Path) -> list[str]:
    return sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())


# --- finding


def test_the_default_datastores_are_what_code_tests_for(ws: Workspace) -> None:
    blob = ws.get_default_datastore()
    assert type(blob) is AzureBlobDatastore
    assert (blob.name, blob.datastore_type) == ("workspaceblobstore", "AzureBlob")
    share = Datastore.get(ws, "workspacefilestore")
    assert type(share) is AzureFileDatastore
    assert share.datastore_type == "AzureFile"
    for store in (blob, share):
        for name in ("account_name", "container_name", "protocol", "endpoint"):
            assert isinstance(getattr(store, name), str)
        assert store.workspace is ws


def test_a_datastore_is_found_by_each_way_of_asking(ws: Workspace) -> None:
    for found in (
        Datastore(ws, "workspaceblobstore"),
        Datastore(ws),
        Datastore(workspace=ws, name="workspaceblobstore"),
        Datastore.get(ws, datastore_name="workspaceblobstore"),
        Datastore.get_default(ws),
        ws.datastores["workspaceblobstore"],
    ):
        assert found.name == "workspaceblobstore"


def test_an_unknown_datastore_says_what_to_write(ws: Workspace) -> None:
    with pytest.raises(NotRegisteredError) as caught:
        Datastore.get(ws, "titanic_store")
    assert "there are: workspaceblobstore, workspacefilestore" in str(caught.value)
    assert "[datastores.titanic_store]" in str(caught.value)
    with pytest.raises(NotRegisteredError):
        Datastore(ws, "titanic_store")


def test_an_embedded_datastore_is_a_folder_of_the_state(ws: Workspace) -> None:
    root = ws.get_default_datastore()._files()[0]
    assert root == ws._place.home / "datastores" / "workspaceblobstore"
    assert root.is_dir()


def test_the_settings_map_a_datastore_to_a_folder(folder: Path) -> None:
    (folder / "scriptstep.toml").write_text(
        '[datastores.mine]\npath = "data"\ndefault = true\n[datastores.workspacefilestore]\npath = "/srv/share"\n'
    )
    ws = Workspace.from_config()
    assert ws.get_default_datastore().name == "mine"
    assert type(ws.get_default_datastore()) is AzureBlobDatastore
    assert ws.get_default_datastore()._files()[0] == folder / "data"
    assert Datastore.get(ws, "workspacefilestore")._files()[0] == Path("/srv/share")
    assert set(ws.datastores) == {"workspaceblobstore", "workspacefilestore", "mine"}


def test_what_code_makes_the_default_stays_so(folder: Path) -> None:
    (folder / "scriptstep.toml").write_text('[datastores.mine]\npath = "data"\ndefault = true\n')
    ws = Workspace.from_config()
    ws.set_default_datastore("workspacefilestore")
    assert Workspace.from_config().get_default_datastore().name == "workspacefilestore"
    Datastore.get(ws, "mine").set_as_default()
    assert ws.get_default_datastore().name == "mine"
    with pytest.raises(NotRegisteredError):
        ws.set_default_datastore("none")


# --- registering


def test_a_container_becomes_a_folder_and_is_said(ws: Workspace, said: Said) -> None:
    store = Datastore.register_azure_blob_container(
        workspace=ws,
        datastore_name="my_blob",
        container_name="container",
        account_name="account",
        account_key="canary-key",
        overwrite=True,
    )
    assert type(store) is AzureBlobDatastore
    assert (store.container_name, store.account_name, store.account_key) == ("container", "account", "canary-key")
    assert store._files()[0] == ws._place.home / "datastores" / "my_blob"
    text, help = said[-1]
    assert "my_blob" in text and str(store._files()[0]) in text
    assert help is not None and "[datastores.my_blob]" in help
    again = Datastore.get(ws, "my_blob")
    assert (again.container_name, again.account_name, again.account_key) == ("container", "account", None)


def test_keys_and_passwords_are_stored_nowhere(ws: Workspace) -> None:
    Datastore.register_azure_blob_container(ws, "a", "c", "a", account_key="canary-1", sas_token="canary-2")
    Datastore.register_azure_data_lake_gen2(ws, "b", "fs", "acc", "t", "i", "canary-3")
    Datastore.register_azure_sql_database(
        ws, "c", "s", "d", client_secret="canary-4", username="u", password="canary-5"
    )
    Datastore.register_azure_postgre_sql(ws, "d", "s", "d", "u", "canary-6")
    close_catalogs()
    kept = b"".join(f.read_bytes() for f in ws._place.home.rglob("*") if f.is_file())
    assert b"canary-" not in kept


def test_a_mapped_container_is_its_folder_and_nothing_is_said(folder: Path, said: Said) -> None:
    (folder / "scriptstep.toml").write_text('[datastores.my_blob]\npath = "data"\n')
    ws = Workspace.from_config()
    said.clear()
    store = Datastore.register_azure_blob_container(ws, "my_blob", "c", "acc")
    assert store._files()[0] == folder / "data"
    assert said == []


def test_registering_again_needs_overwrite_only_for_another(ws: Workspace) -> None:
    for _ in range(2):
        Datastore.register_azure_blob_container(ws, "b", "c", "a")
    with pytest.raises(UserErrorException, match=r"another datastore is registered as 'b'.*\n.*overwrite=True"):
        Datastore.register_azure_blob_container(ws, "b", "other", "a")
    assert Datastore.register_azure_blob_container(ws, "b", "other", "a", overwrite=True).container_name == "other"
    with pytest.raises(UserErrorException):
        Datastore.register_azure_file_share(ws, "b", "other", "a")


@pytest.mark.parametrize("name", ["", "a b", "../x", "a/b", "scriptstep.toml", None])
def test_a_datastore_has_a_plain_name(ws: Workspace, name: Any) -> None:
    with pytest.raises(ArgumentError, match="letters, digits"):
        Datastore.register_azure_blob_container(ws, name, "c", "a")


def test_every_kind_is_registered_as_its_class(ws: Workspace) -> None:
    made = {
        "AzureFile": Datastore.register_azure_file_share(ws, "f", "share", "acc"),
        "AzureDataLake": Datastore.register_azure_data_lake(ws, "l1", "store", "t", "i", "s"),
        "AzureDataLakeGen2": Datastore.register_azure_data_lake_gen2(ws, "l2", "fs", "acc"),
        "AzureSqlDatabase": Datastore.register_azure_sql_database(ws, "s", "server", "db"),
        "AzurePostgreSql": Datastore.register_azure_postgre_sql(ws, "p", "server", "db", "u", "pw"),
        "AzureMySql": Datastore.register_azure_my_sql(ws, "m", "server", "db", "u", "pw"),
        "DBFS": Datastore.register_dbfs(ws, "d"),
        "Hdfs": Datastore.register_hdfs(ws, "h", "http", "node", "c", "r", "k", "p"),
    }
    for kind, store in made.items():
        again = Datastore.get(ws, store.name)
        assert type(again) is type(store)
        assert again.datastore_type == kind
    assert made["AzureFile"].container_name == "share"  # type: ignore[attr-defined]
    assert isinstance(made["AzureDataLakeGen2"], AzureDataLakeGen2Datastore)
    assert made["AzureDataLakeGen2"].container_name == "fs"
    assert made["Hdfs"]._files()[0].is_dir()


def test_a_database_says_what_to_do_when_it_is_used(ws: Workspace) -> None:
    store = Datastore.register_azure_sql_database(ws, "sql", "server", "db")
    assert isinstance(store, AzureSqlDatabaseDatastore)
    with pytest.raises(UserErrorException, match="export what you need to files"):
        store._files()


def test_an_unregistered_datastore_is_gone_and_its_files_stay(ws: Workspace, folder: Path) -> None:
    store = Datastore.register_azure_blob_container(ws, "b", "c", "a")
    store.upload("data")
    root = store._files()[0]
    store.unregister()
    assert "b" not in ws.datastores
    assert listed(root) == ["a.csv", "deep/b.csv"]


# --- files


def test_a_folder_is_uploaded_whole(ws: Workspace) -> None:
    store = ws.get_default_datastore()
    place = store.upload(src_dir="data", target_path="train/x", overwrite=True, show_progress=True)
    assert listed(store._files()[0]) == ["train/x/a.csv", "train/x/deep/b.csv"]
    assert place.path_on_datastore == "train/x"
    assert place.datastore is store
    store.upload(src_dir=Path("data"))
    assert "a.csv" in listed(store._files()[0])


def test_files_are_uploaded_below_what_they_share(ws: Workspace, folder: Path) -> None:
    store = ws.get_default_datastore()
    store.upload_files(files=["./data/a.csv"], target_path="one/", overwrite=True)
    store.upload_files(["data/a.csv", str(folder / "data/deep/b.csv")], target_path="two")
    store.upload_files(["data/deep/b.csv"], relative_root=".", target_path="three")
    assert listed(store._files()[0]) == ["one/a.csv", "three/data/deep/b.csv", "two/a.csv", "two/deep/b.csv"]


def test_files_that_are_there_are_left_and_said(ws: Workspace, said: Said, folder: Path) -> None:
    store = ws.get_default_datastore()
    store.upload("data", "t", show_progress=False)
    (folder / "data" / "a.csv").write_text("changed")
    said.clear()
    store.upload("data", "t")
    assert (store._files()[0] / "t" / "a.csv").read_text() == "a"
    text, help = said[0]
    assert text.startswith("uploaded 0 files to datastore 'workspaceblobstore' at 't'; 2 were there already")
    assert text.endswith("and were left (a.csv, deep/b.csv)")
    assert help == "overwrite=True replaces them"
    store.upload("data", "t", overwrite=True, show_progress=False)
    assert (store._files()[0] / "t" / "a.csv").read_text() == "changed"
    assert len(said) == 1


def test_a_leading_slash_is_dropped_and_dots_are_an_error(ws: Workspace) -> None:
    store = ws.get_default_datastore()
    store.upload("data", "/abs")
    assert listed(store._files()[0]) == ["abs/a.csv", "abs/deep/b.csv"]
    for target in ("..", "a/../../b", "a\\..\\b"):
        with pytest.raises(ArgumentError, match=r"must not lead out by '\.\.'"):
            store.upload("data", target)


@pytest.mark.parametrize(
    ("files", "more", "told"),
    [
        ("data/a.csv", {}, "files must be a list, not 'data/a.csv'"),
        (["data/none.csv", "data/a.csv"], {}, "no file lies at .*none.csv$"),
        (["data"], {}, "no file lies at .*data$"),
        (["data/a.csv"], {"relative_root": "data/deep"}, "does not hold .*a.csv"),
    ],
)
def test_files_that_cannot_be_uploaded_are_named(ws: Workspace, files: Any, more: dict[str, Any], told: str) -> None:
    with pytest.raises(ArgumentError, match=told):
        ws.get_default_datastore().upload_files(files, **more)


def test_a_folder_that_cannot_be_uploaded_is_named(ws: Workspace) -> None:
    with pytest.raises(ArgumentError, match="the folder none is not there"):
        ws.get_default_datastore().upload("none")
    with pytest.raises(ArgumentError, match="is a file: use upload_files"):
        ws.get_default_datastore().upload("data/a.csv")


def test_links_in_an_uploaded_folder_become_files(ws: Workspace, folder: Path) -> None:
    os.symlink(folder / "data" / "a.csv", folder / "data" / "link.csv")
    os.symlink(folder / "data", folder / "data" / "loop")
    os.symlink("nowhere", folder / "data" / "dangling")
    store = ws.get_default_datastore()
    store.upload("data")
    assert listed(store._files()[0]) == ["a.csv", "deep/b.csv", "link.csv"]
    assert not (store._files()[0] / "link.csv").is_symlink()


def test_downloaded_files_keep_their_places(ws: Workspace, folder: Path) -> None:
    store = ws.get_default_datastore()
    store.upload("data", "train")
    store.upload_files(["data/a.csv"], target_path="training")
    assert store.download("all") == 3
    assert store.download("some", prefix="train") == 3, "a prefix is a prefix, as the SDK has it"
    assert store.download("fewer", prefix="/train/") == 2
    assert store.download(target_path="deep", prefix="train/deep", overwrite=True, show_progress=False) == 1
    assert listed(folder / "deep") == ["train/deep/b.csv"]
    assert store.download("none", prefix="nothing") == 0
    assert store.download("all") == 0, "what is there is left"


def test_code_that_registers_what_is_not_there_catches_it(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    class ClientException(Exception):
        def __init__(self, message: str, inner_exception: object = None) -> None:
            raise AssertionError("it needs a response to be made")

    class HttpOperationError(ClientException):
        """As msrest has it, which came with the SDK."""

    monkeypatch.setitem(sys.modules, "msrest.exceptions", SimpleNamespace(HttpOperationError=HttpOperationError))
    for get in (lambda: Datastore.get(ws, "mine"), lambda: Datastore(ws, "mine")):
        with pytest.raises(HttpOperationError) as caught:
            get()
        assert isinstance(caught.value, NotRegisteredError)
        assert "no datastore 'mine' is registered" in str(caught.value)
    Datastore.register_azure_blob_container(ws, "mine", "container", "account")
    assert Datastore.get(ws, "mine").name == "mine"


def test_what_a_step_wrote_is_downloaded_by_its_prefix(ws: Workspace, folder: Path) -> None:
    store = ws.get_default_datastore()
    (folder / "tree").mkdir()
    (folder / "tree" / "model").write_text("made")
    link = store._files()[0] / "azureml" / "run" / "out"
    link.parent.mkdir(parents=True)
    link.symlink_to(folder / "tree")
    assert store.download("got", prefix="azureml/run/out") == 1
    assert (folder / "got" / "azureml" / "run" / "out" / "model").read_text() == "made"


def test_a_datastore_below_a_folder_with_a_bracket_in_its_name(ws: Workspace, folder: Path) -> None:
    (folder / "scriptstep.toml").write_text('[datastores.odd]\npath = "a[1]*"\n')
    (folder / "a[1]*").mkdir()
    (folder / "a[1]*" / "x.csv").write_text("x")
    store = Datastore.get(Workspace.from_config(), "odd")
    assert Dataset.File.from_files((store, "*.csv")).to_path() == ["/x.csv"]


def test_a_place_is_a_data_reference(ws: Workspace) -> None:
    store = ws.get_default_datastore()
    place = store.path("titanic/Titanic.csv", data_reference_name="titanic")
    assert (place.path_on_datastore, place.data_reference_name, place.datastore) == (
        "titanic/Titanic.csv",
        "titanic",
        store,
    )
    assert store.path("x").as_mount().mode == "mount"
    assert store.path("x").as_download().mode == "download"
    assert (store.as_mount().mode, store.as_download().mode, store.as_upload().mode) == ("mount", "download", "upload")


# --- URLs


def test_a_url_is_read_from_the_folder_that_the_settings_give(folder: Path) -> None:
    (folder / "scriptstep.toml").write_text(
        '[datastores.web]\npath = "data"\nurl = "https://example.com/demo"\n'
        '[datastores.deeper]\npath = "data/deep"\nurl = "https://example.com/demo/deep/"\n'
    )
    ws = Workspace.from_config()
    found = {
        url: str(place_of_url(ws, url))
        for url in ("https://example.com/demo/a.csv", "https://example.com/demo", "https://example.com/demo/deep/b.csv")
    }
    assert list(found.values()) == [str(folder / "data" / name) for name in ("a.csv", "", "deep/b.csv")]
    assert str(place_of_url(ws, "https://example.com/demo/a.csv?key=1")) == str(folder / "data" / "a.csv")
    assert str(place_of_url(ws, (folder / "x y").as_uri())) == str(folder / "x y")
    assert place_of_url(ws, "https://example.com/demolition/a.csv").is_far
    with pytest.raises(ArgumentError):
        place_of_url(ws, "https://example.com/demo/../../etc/passwd")


def test_a_url_that_cannot_be_read_says_what_to_write(ws: Workspace) -> None:
    # No name ends in `.invalid`, by RFC 2606.
    place = place_of_url(ws, "https://data.invalid/demo/Titanic.csv?secret=1")
    with pytest.raises(UserErrorException) as caught:
        place.files()
    assert "put 'Titanic.csv' into a folder" in str(caught.value)
    assert 'url = "https://data.invalid/demo"' in str(caught.value)
    assert "secret" not in caught.value.message
