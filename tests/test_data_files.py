"""Datasets of files: which files a definition stands for, and under which names."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scriptstep.data.dataset_factory import Dataset
from scriptstep.data.datasets import FileDataset, TabularDataset
from scriptstep.data.definition import dataset_id, make_definition, sources_of, tabular_definition
from scriptstep.data.materialize import materialize, single_file
from scriptstep.data.outputs import OutputFileDatasetConfig
from scriptstep.data.partition_format import partition_keys, partition_values
from scriptstep.data.paths import DataPath, DataPathComputeBinding
from scriptstep.data.places import LocalPlace
from scriptstep.data.references import DataReference, PortDataReference
from scriptstep.data.transfer import copy_whole
from scriptstep.errors import UserErrorException
from scriptstep.graph import DataLocation


class Store:
    """As much of a datastore as data needs."""

    def __init__(self, root: Path, name: str = "store") -> None:
        self.name, self.root = name, root

    def _place(self, path: str) -> LocalPlace:
        return LocalPlace(self.root / path, self.root)

    def _there(self, place: str, names: Sequence[str]) -> set[str]:
        return {name for name in names if (self.root / place / name).exists()}

    def _put(self, files: Sequence[tuple[Path, str]]) -> None:
        for file, path in files:
            copy_whole(file, self.root / path)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    for name in ("a.csv", "b.txt", "sub/c.csv", "sub/deep/d.csv", "sub/deep/e[1].csv", "другой/ф.csv", ".hidden"):
        file = tmp_path / "store" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return Store(tmp_path / "store")


def files(path: Any) -> list[str]:
    """The names of a dataset's files; each file is the one of that name."""
    dataset = Dataset.File.from_files(path)
    found = materialize(dataset._definition, dataset._resolve)
    for name, file in found:
        assert Path(file).read_text().endswith(name.rpartition("/")[2].partition("-2")[0])
    return [name for name, _ in found]


def test_a_file_a_folder_and_patterns(store: Store) -> None:
    everything = [".hidden", "a.csv", "b.txt", "sub/c.csv", "sub/deep/d.csv", "sub/deep/e[1].csv", "другой/ф.csv"]
    assert files((store, "a.csv")) == ["a.csv"]
    assert files((store, "/sub/c.csv")) == ["c.csv"]
    assert files((store, "sub")) == ["c.csv", "deep/d.csv", "deep/e[1].csv"]
    assert files((store, "")) == files((store, None)) == files((store, "/")) == everything
    assert files((store, "**")) == everything
    assert files((store, "*.csv")) == ["a.csv"]
    assert files((store, "**/*.csv")) == [n for n in everything if n.endswith(".csv")]
    assert files((store, "sub/**/d.csv")) == ["deep/d.csv"]
    assert files((store, "*/c.csv")) == ["sub/c.csv"]
    assert files((store, "sub/deep/[!e]*.csv")) == ["d.csv"]
    assert files((store, "sub/deep/e[1].csv")) == ["e[1].csv"]
    assert files((store, "?.csv")) == ["a.csv"]
    assert files((store, "другой/*")) == ["ф.csv"]


def test_several_places_are_named_below_what_they_have_in_common(store: Store, tmp_path: Path) -> None:
    assert files([(store, "sub/c.csv"), (store, "sub/deep")]) == ["c.csv", "deep/d.csv", "deep/e[1].csv"]
    assert files([(store, "a.csv"), (store, "a.csv"), (store, "*.csv")]) == ["a.csv"]
    other = Store(tmp_path / "other", "other")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.csv").write_text("a.csv")
    assert files([(store, "a.csv"), (other, "a.csv")]) == ["store/a.csv", "other/a.csv"]


def test_no_two_files_have_one_name(tmp_path: Path) -> None:
    places = [Store(tmp_path / n, "same") for n in ("one", "two")]
    for place in places:
        place.root.mkdir()
        (place.root / "a.csv").write_text("a.csv")
    definition = make_definition("file", "files", [{"tree": "1", "name": "x"}, {"tree": "2", "name": "x"}])
    found = materialize(definition, lambda s: LocalPlace(places[int(s["tree"]) - 1].root))
    assert len({name for name, _ in found}) == 2


def test_local_paths(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(store.root)
    for path in ("sub/*.csv", Path("sub") / "*.csv", "./sub/*.csv", f"file://{store.root}/sub/*.csv"):
        dataset = Dataset.File.from_files(path)
        assert dataset.to_path() == ["/c.csv"]
        assert dataset._definition["sources"] == [{"path": f"{store.root}/sub/*.csv"}]
    assert files(["a.csv", "b.txt"]) == ["a.csv", "b.txt"]
    assert files(("a.csv", "b.txt")) == ["a.csv", "b.txt"]


def test_links_are_followed_and_never_round_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "data" / "in").mkdir(parents=True)
    (tmp_path / "data" / "in" / "a.csv").write_text("a.csv")
    (tmp_path / "data" / "in" / "up").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "gone").symlink_to(tmp_path / "nowhere")
    (tmp_path / "data" / "again").symlink_to(tmp_path / "data" / "in")
    (tmp_path / "link").symlink_to(tmp_path / "data")
    assert files(str(tmp_path / "link")) == ["again/a.csv", "in/a.csv"]


NAME = st.text("ab.", min_size=1, max_size=3).filter(lambda n: not n.startswith("."))
PATTERN = st.lists(
    st.one_of(NAME, st.sampled_from(["*", "**", "a*", "?", "*b", "[ab]", "[!a]", "*.*"])), min_size=1, max_size=4
)


@given(st.sets(st.lists(NAME, min_size=1, max_size=3).map("/".join), max_size=8), PATTERN)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_patterns_mean_what_they_mean_to_glob(tmp_path_factory: Any, names: set[str], pattern: list[str]) -> None:
    root = tmp_path_factory.mktemp("glob")
    for name in sorted(names):
        if not any(other.startswith(f"{name}/") or name.startswith(f"{other}/") for other in names):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text("")
    text = "/".join(pattern)
    expected = {p for p in glob.glob(f"{glob.escape(str(root))}/{text}", recursive=True) if os.path.isfile(p)}
    definition = make_definition("file", "files", [{"datastore": "s", "path": text}])
    found = [str(file) for _, file in materialize(definition, lambda s: LocalPlace(root / s["path"], root))]
    if (root / text).is_dir():
        expected = {str(p) for p in (root / text).rglob("*") if p.is_file()}
    assert sorted(found) == sorted(expected)


# --- the rule of the single file


@pytest.mark.parametrize(
    ("path", "single"),
    [
        ("a.csv", True),
        ("sub/deep/e[1].csv", False),
        ("другой", False),
        ("другой/*", False),
        ("**/c.csv", False),
        ("", False),
    ],
)
def test_only_the_path_of_one_file_is_a_single_file(store: Store, path: str, single: bool) -> None:
    dataset = Dataset.File.from_files((store, path))
    assert single_file(dataset._definition, dataset._resolve) is single
    assert not single_file(dataset.take(1)._definition, dataset._resolve)


def test_two_files_are_no_single_file(store: Store) -> None:
    dataset = Dataset.File.from_files([(store, "a.csv"), (store, "b.txt")])
    assert not single_file(dataset._definition, dataset._resolve)
    table = Dataset.Tabular.from_delimited_files((store, "a.csv"))
    assert not single_file(table._definition, table._resolve)


def test_what_a_step_wrote_is_a_folder_unless_it_wrote_a_file(store: Store) -> None:
    definition = make_definition("file", "files", [{"tree": "1", "name": "made"}])
    folder, file = LocalPlace(store.root / "другой"), LocalPlace(store.root / "a.csv")
    assert not single_file(definition, lambda s: folder)
    assert list(materialize(definition, lambda s: file)) == [("made", str(store.root / "a.csv"))]
    assert single_file(definition, lambda s: file)


# --- definitions


def test_definitions_hold_what_matters_and_no_more(store: Store, tmp_path: Path) -> None:
    dataset = Dataset.File.from_files((store, "/sub//./deep/"))
    assert dataset._definition == {
        "kind": "file",
        "format": "files",
        "sources": [{"datastore": "store", "path": "sub/deep"}],
        "options": {},
        "transformations": [],
    }
    same = Dataset.File.from_files(DataPath(Store(tmp_path, "store"), "sub/deep"), validate=False)
    assert dataset.id == same.id == dataset_id(dict(reversed(dataset._definition.items())))
    assert dataset.id != Dataset.File.from_files((store, "sub")).id
    assert dataset.id != dataset.take(1).id != dataset.take(2).id


def test_options_at_their_default_are_left_out(store: Store) -> None:
    plain = Dataset.Tabular.from_delimited_files((store, "a.csv"))
    spelled = Dataset.Tabular.from_delimited_files(
        (store, "a.csv"), separator=",", header=True, include_path=False, infer_column_types=True, encoding="utf8"
    )
    assert plain._definition == spelled._definition
    assert plain._definition["options"] == {}
    assert Dataset.Tabular.from_delimited_files((store, "a.csv"), separator=";").id != plain.id


def test_a_table_of_what_a_step_wrote() -> None:
    reading = OutputFileDatasetConfig("made").read_parquet_files(include_path=True).keep_columns("a")._reading
    made = tabular_definition([{"tree": "1", "name": "made"}], reading)
    assert (made["kind"], made["format"], made["options"]) == ("tabular", "parquet", {"include_path": True})
    assert made["transformations"] == [{"op": "keep_columns", "columns": ["a"]}]
    assert tabular_definition([{"tree": "1"}], ())["format"] == "delimited"


def test_urls_stay_what_they_are() -> None:
    url = "https://example.org/data/titanic.csv"
    dataset = Dataset.File.from_files(url)
    assert dataset._definition["sources"] == [{"url": url}]
    assert sources_of([url, url], "x")[0] == [{"url": url}]


@pytest.mark.parametrize("wrong", [None, 3, [], "", {"a": 1}, [None], (3, "a"), (None, "a")])
def test_what_is_no_path_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"from_files|datastore"):
        Dataset.File.from_files(wrong)


def test_a_path_does_not_lead_out_of_its_datastore(store: Store) -> None:
    with pytest.raises(ValueError, match="lead out"):
        Dataset.File.from_files((store, "../x"))
    with pytest.raises(ValueError, match="lead out"):
        DataPath(store, "a/../../x")


def test_a_dataset_of_nothing_is_refused_at_once(store: Store, tmp_path: Path) -> None:
    for path in ((store, "nothing.csv"), (store, "*.parquet"), str(tmp_path / "nothing"), [(store, "x"), (store, "y")]):
        with pytest.raises(UserErrorException, match="there is none at"):
            Dataset.File.from_files(path)
        assert Dataset.File.from_files(path, validate=False).to_path() == []
    with pytest.raises(UserErrorException, match="there is none at"):
        Dataset.Tabular.from_delimited_files((store, "nothing.csv"))


def test_datasets_are_made_by_factories() -> None:
    for kind in (FileDataset, TabularDataset, Dataset):
        with pytest.raises(ValueError, match="from_files"):
            kind()


# --- what is made of them


def test_take_skip_sample_and_split(store: Store) -> None:
    dataset = Dataset.File.from_files((store, "**"))
    everything = dataset.to_path()
    assert dataset.take(2).to_path() == everything[:2]
    assert dataset.skip(2).to_path() == everything[2:]
    assert dataset.skip(1).take(2).to_path() == everything[1:3]
    assert dataset.take(99).to_path() == everything
    one, other = dataset.random_split(0.5, seed=3)
    assert sorted(one.to_path() + other.to_path()) == sorted(everything)
    assert one.to_path() == dataset.random_split(0.5, seed=3)[0].to_path()
    assert one.id != other.id != dataset.random_split(0.5, seed=4)[1].id
    assert dataset.take_sample(0.5, 1).to_path() == dataset.take_sample(0.5, 1).to_path()
    for wrong in (-1, 1.5, "1", True):
        with pytest.raises(ValueError, match="count"):
            dataset.take(wrong)  # type: ignore[arg-type]
    for share in (0, 1, -1, "x"):
        with pytest.raises(ValueError, match="share"):
            dataset.random_split(share)  # type: ignore[arg-type]


def test_download_copies(store: Store, tmp_path: Path) -> None:
    dataset = Dataset.File.from_files((store, "sub"))
    target = tmp_path / "copy"
    copies = dataset.download(str(target))
    assert [os.path.relpath(c, target) for c in copies] == ["c.csv", "deep/d.csv", "deep/e[1].csv"]
    assert all(Path(c).read_text().endswith(Path(c).name) for c in copies)
    Path(copies[0]).write_text("mine")
    assert (store.root / "sub" / "c.csv").read_text() == "sub/c.csv"
    with pytest.raises(UserErrorException, match="overwrite"):
        dataset.download(str(target))
    assert dataset.download(str(target), overwrite=True) == copies
    assert Path(copies[0]).read_text() == "sub/c.csv"
    nothing = Dataset.File.from_files((store, "nothing"), validate=False)
    with pytest.raises(UserErrorException, match="no file"):
        nothing.download()
    assert nothing.download(str(tmp_path / "empty"), ignore_not_found=True) == []


def test_mount_lays_out_links_and_takes_them_away(store: Store) -> None:
    with Dataset.File.from_files((store, "sub")).mount() as mounted:
        assert Path(mounted.mount_point, "deep", "d.csv").read_text() == "sub/deep/d.csv"
    assert not Path(mounted.mount_point).exists()
    assert (store.root / "sub" / "deep" / "d.csv").exists()


def test_what_is_not_there_says_what_to_use(store: Store) -> None:
    dataset = Dataset.File.from_files((store, "sub"))
    with pytest.raises(NotImplementedError, match="as_mount"):
        dataset.as_cache(None)
    with pytest.raises(NotImplementedError, match="register files"):
        Dataset.Tabular.from_sql_query("select 1")


def test_upload_directory(store: Store, tmp_path: Path) -> None:
    (tmp_path / "local" / "in").mkdir(parents=True)
    (tmp_path / "local" / "in" / "a.csv").write_text("a.csv")
    (tmp_path / "local" / "b.txt").write_text("b.txt")
    dataset = Dataset.File.upload_directory(str(tmp_path / "local"), (store, "up"), pattern="*.csv")
    assert dataset.to_path() == ["/in/a.csv"]
    assert (store.root / "up" / "in" / "a.csv").read_text() == "a.csv"
    with pytest.raises(UserErrorException, match="overwrite"):
        Dataset.File.upload_directory(str(tmp_path / "local"), (store, "up"))
    everything = Dataset.File.upload_directory(str(tmp_path / "local"), DataPath(store, "up"), overwrite=True)
    assert everything.to_path() == ["/b.txt", "/in/a.csv"]
    with pytest.raises(ValueError, match="no folder"):
        Dataset.File.upload_directory(str(tmp_path / "nowhere"), (store, "up"))


# --- paths that hold columns


def test_partition_formats() -> None:
    spelled = "/{country}/{day:yyyy/MM/dd}/{n}.csv"
    assert partition_keys(spelled) == ["country", "day", "n"]
    found = partition_values(spelled, "/store/any/de/2020/03/04/7.csv")
    assert (found["country"], str(found["day"]), found["n"]) == ("de", "2020-03-04 00:00:00", "7")
    assert partition_values("{x}/*.csv", "a/b/c.csv") == {"x": "b"}
    with pytest.raises(UserErrorException, match="not of the partition_format"):
        partition_values(spelled, "/store/de/2020/03/7.csv")
    for wrong in ("data.csv", "{a}/{a}.csv"):
        with pytest.raises(ValueError, match="partition_format"):
            partition_keys(wrong)


# --- paths and references


def test_paths_and_references_turn_into_each_other(store: Store) -> None:
    path = DataPath(store, "/raw/a.csv", name="raw")
    assert path._spec_value() == DataLocation("store", "raw/a.csv", "raw")
    assert (path.datastore_name, path.path_on_datastore) == ("store", "/raw/a.csv")
    reference = path.create_data_reference("ref", DataPathComputeBinding("download", "here", True))
    assert (reference.data_reference_name, reference.mode, reference.path_on_compute) == ("ref", "download", "here")
    assert DataPath.create_from_data_reference(reference)._spec_value() == DataLocation("store", "raw/a.csv", "ref")
    binding = DataPathComputeBinding.create_from_data_reference(reference)
    assert (binding._mode, binding._path_on_compute, binding._overwrite) == ("download", "here", True)
    assert binding.create_data_reference("x", path).path_on_datastore == "/raw/a.csv"
    with pytest.raises(ValueError, match="datapath_compute_binding"):
        path.create_data_reference()
    for mode in ("direct", "copy", None):
        with pytest.raises(ValueError, match="mode"):
            DataReference(store, "a", "b", mode=mode)  # type: ignore[arg-type]


def test_names_that_nobody_gave_are_the_same_everywhere(store: Store) -> None:
    assert DataPath(store, "raw/a.csv")._name == DataPath("store", "/raw/a.csv")._name
    assert DataReference(store, path_on_datastore="a").data_reference_name.startswith("store_")
    assert DataReference(store).data_reference_name == "store"


def test_what_a_step_wrote_is_downloaded_below_its_path(store: Store, tmp_path: Path) -> None:
    port = PortDataReference(None, "run", DataReference(store, "made", "sub/deep"))
    target = tmp_path / "here"
    assert port.download(str(target)) == 2
    assert (target / "sub" / "deep" / "d.csv").read_text() == "sub/deep/d.csv"
    assert port.download(str(target)) == 0
    assert port.download(str(target), overwrite=True) == 2
    one = PortDataReference(None, "run", DataReference(store, "made", "a.csv"))
    assert one.download(str(target)) == 1
    assert (target / "a.csv").read_text() == "a.csv"
    with pytest.raises(UserErrorException, match="nothing lies at 'x'"):
        PortDataReference(None, "run", DataReference(store, "made", "x")).download(str(target))


def test_a_resolver_is_asked_for_each_source() -> None:
    asked: list[Mapping[str, Any]] = []
    sources = [{"datastore": "s", "path": "a"}, {"url": "https://example.org/b"}]

    def resolve(source: Mapping[str, Any]) -> LocalPlace:
        asked.append(source)
        return LocalPlace(Path("/nowhere/at/all"))

    assert list(materialize(make_definition("file", "files", sources), resolve)) == []
    assert asked == sources
