"""Datasets that are registered: by name, by version, by id."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scriptstep.data.dataset_factory import Dataset
from scriptstep.data.datasets import FileDataset, TabularDataset
from scriptstep.errors import NotRegisteredError, UserErrorException


@pytest.fixture
def files(ws: Any, project: Path) -> FileDataset:
    store = ws.get_default_datastore()
    for name in ("a.csv", "b.csv"):
        file = Path(store._files()[0]) / "raw" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x\n2\n")
    return Dataset.File.from_files((store, "raw/a.csv"))


def test_what_is_registered_is_found_by_name_version_and_id(ws: Any, files: FileDataset) -> None:
    registered = files.register(ws, "raw", "told", {"n": 1})
    assert (registered.name, registered.version, registered.description, registered.tags) == (
        "raw",
        1,
        "told",
        {"n": "1"},
    )
    assert files.name is None
    for found in (
        Dataset.get_by_name(ws, "raw"),
        Dataset.get_by_name(ws, "raw", version=1),
        Dataset.get_by_name(ws, "raw", version="latest"),
        Dataset.get_by_id(ws, registered.id),
        Dataset.get_all(ws)["raw"],
        FileDataset.get_by_name(ws, name="raw"),
        Dataset.get(ws, "raw"),
        Dataset.list(ws)[0],
    ):
        assert type(found) is FileDataset
        assert (found.id, found.name, found.version) == (files.id, "raw", 1)
        assert found.to_path() == ["/a.csv"]


def test_the_same_definition_makes_no_new_version(ws: Any, files: FileDataset) -> None:
    files.register(ws, "raw")
    assert files.register(ws, "raw").version == 1
    assert files.register(ws, "raw", create_new_version=True).version == 1
    other = Dataset.File.from_files((ws.get_default_datastore(), "raw"))
    with pytest.raises(ValueError, match="create_new_version=True"):
        other.register(ws, "raw")
    assert other.register(ws, "raw", create_new_version=True).version == 2
    assert Dataset.get_by_name(ws, "raw").version == 2
    assert Dataset.get_by_name(ws, "raw", 1).to_path() == ["/a.csv"]


def test_what_is_not_registered_says_how_to_register_it(ws: Any, files: FileDataset) -> None:
    with pytest.raises(NotRegisteredError, match="scriptstep data add nothing PATH") as caught:
        Dataset.get_by_name(ws, "nothing")
    assert isinstance(caught.value, KeyError)
    assert isinstance(caught.value, UserErrorException)
    files.register(ws, "raw")
    with pytest.raises(NotRegisteredError, match="no version 7; the latest is 1"):
        Dataset.get_by_name(ws, "raw", version=7)
    with pytest.raises(TypeError, match="version"):
        Dataset.get_by_name(ws, "raw", version="newest")
    with pytest.raises(NotRegisteredError, match="no dataset with the id"):
        Dataset.get_by_id(ws, "00000000-0000-0000-0000-000000000000")
    with pytest.raises(ValueError, match="name or id"):
        Dataset.get(ws)


def test_tags_and_description_can_be_changed(ws: Any, files: FileDataset) -> None:
    with pytest.raises(UserErrorException, match="not registered"):
        files.update(description="x")
    registered = files.register(ws, "raw", tags={"a": 1})
    registered.update(description="new").add_tags({"b": 2}).remove_tags(["a"])
    found = Dataset.get_by_name(ws, "raw")
    assert (found.description, found.tags) == ("new", {"b": "2"})
    found.unregister_all_versions()
    assert found.name is None
    with pytest.raises(NotRegisteredError):
        Dataset.get_by_name(ws, "raw")


def test_tables_are_tables_again(ws: Any, files: FileDataset) -> None:
    pytest.importorskip("pandas")
    table = Dataset.Tabular.from_delimited_files((ws.get_default_datastore(), "raw/*.csv")).keep_columns("x")
    table.register(ws, "table")
    found = Dataset.get_by_name(ws, "table")
    assert type(found) is TabularDataset
    assert found.to_pandas_dataframe()["x"].tolist() == [2, 2]
    assert found.as_named_input("x").mode == "direct"
    for make in (found.as_named_input("x").as_mount, found.as_named_input("x").as_download):
        with pytest.raises(UserErrorException, match="has no files"):
            make()


def test_data_changed_time_is_that_of_the_newest_file(ws: Any, files: FileDataset) -> None:
    import os

    root = Path(ws.get_default_datastore()._files()[0]) / "raw"
    os.utime(root / "a.csv", (1_000_000_000, 1_000_000_000))
    assert files.data_changed_time is not None
    assert files.data_changed_time.timestamp() == 1_000_000_000


def test_a_pandas_table_is_registered(ws: Any) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    store = ws.get_default_datastore()
    frame = pandas.DataFrame({"a": [1, 2]})
    registered = Dataset.Tabular.register_pandas_dataframe(frame, (store, "frames"), "frame", "told")
    assert (registered.name, registered.version) == ("frame", 1)
    assert Dataset.get_by_name(ws, "frame").to_pandas_dataframe()["a"].tolist() == [1, 2]
    # The same rows are the same version, other rows another one.
    assert Dataset.Tabular.register_pandas_dataframe(frame, (store, "frames"), "frame").version == 1
    assert Dataset.Tabular.register_pandas_dataframe(frame + 1, (store, "frames"), "frame").version == 2
    assert Dataset.get_by_name(ws, "frame", 1).to_pandas_dataframe()["a"].tolist() == [1, 2]


def test_a_url_is_read_where_the_settings_map_it(ws: Any, project: Path) -> None:
    dataset = Dataset.File.from_files("https://example.org/data/titanic.csv")
    dataset._workspace = ws
    with pytest.raises(UserErrorException, match=r"example\.org"):
        dataset.to_path()
