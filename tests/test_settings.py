"""scriptstep.toml: what it may say, and what it is told when it says something else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scriptstep.errors import SettingsError
from scriptstep.workspace.settings import (
    ComputeSettings,
    DatastoreSettings,
    EnvironmentSettings,
    InheritSettings,
    Place,
    ReuseSettings,
    Settings,
    WorkspaceSettings,
    load_settings,
)

FULL = """
[workspace]
name = "diabetes"
subscription_id = "sub"
resource_group = "group"
location = "here"

[datastores.blob]
path = "data/blob"
default = true

[datastores.web]
path = "/srv/web"
url = "https://example.com/data/"

[datasets.titanic]
path = "data/titanic.csv"
kind = "tabular"
description = "who lived"
tags = { source = "kaggle" }
options = { separator = ";" }

[datasets.images]
path = ["images/**/*.png", "../more"]

[datasets.stored]
path = "/titanic/all.parquet"
datastore = "blob"
kind = "tabular"

[datasets.remote]
path = "https://example.com/data/x.csv"

[compute.gpu]
max_nodes = 4

[compute.vm]
type = "VirtualMachine"
default = true

[environment]
inherit = ["AWS_PROFILE", "MY_TOKEN"]

[environments.sklearn]
conda = "conda.yml"
python = "venv/bin/python"

[environments.saved]
folder = "/srv/saved"

[reuse]
input_identity = "content"
environment_identity = "declared"
platform = false
"""


def written(folder: Path, text: str | bytes) -> Place:
    file = folder / "scriptstep.toml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return Place(folder / ".scriptstep", file)


def test_without_a_file_all_is_as_by_default() -> None:
    settings = load_settings(Place(Path("/x/.scriptstep")))
    assert settings == Settings()
    assert settings.compute is None
    assert settings.reuse == ReuseSettings("definition", "installed", True)


def test_an_empty_file_is_as_none(tmp_path: Path) -> None:
    assert load_settings(written(tmp_path, "# nothing yet\n")) == Settings()


def test_everything_that_can_be_said_is_read(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, FULL))
    assert settings.workspace == WorkspaceSettings("diabetes", "sub", "group", "here")
    assert settings.datastores == {
        "blob": DatastoreSettings(str(tmp_path / "data/blob"), None, True),
        "web": DatastoreSettings("/srv/web", "https://example.com/data/"),
    }
    assert settings.compute == {
        "gpu": ComputeSettings("AmlCompute", 4),
        "vm": ComputeSettings("VirtualMachine", None, True),
    }
    assert settings.default_compute == "vm"
    assert settings.environment == InheritSettings(("AWS_PROFILE", "MY_TOKEN"))
    assert settings.environments == {
        "sklearn": EnvironmentSettings(conda=str(tmp_path / "conda.yml"), python=str(tmp_path / "venv/bin/python")),
        "saved": EnvironmentSettings(folder="/srv/saved"),
    }
    assert settings.reuse == ReuseSettings("content", "declared", False)


def test_settings_survive_as_plain_data(tmp_path: Path) -> None:
    import json

    settings = load_settings(written(tmp_path, FULL))
    assert Settings.from_json(json.loads(json.dumps(settings.to_json()))) == settings
    assert Settings.from_json(json.loads(json.dumps(Settings().to_json()))) == Settings()


def test_a_dataset_below_the_file_is_known_without_where_that_lies(tmp_path: Path) -> None:
    definitions = []
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        definitions.append(load_settings(written(tmp_path / name, FULL)).datasets["titanic"].definition)
    assert definitions[0] == definitions[1], "the same on every machine"
    assert definitions[0] == {
        "kind": "tabular",
        "format": "delimited",
        "sources": [{"datastore": "scriptstep.toml", "path": "data/titanic.csv"}],
        "options": {"separator": ";"},
        "transformations": [],
    }


def test_datasets_lie_where_the_file_says(tmp_path: Path) -> None:
    datasets = load_settings(written(tmp_path, FULL)).datasets
    assert datasets["images"].definition["sources"] == [
        {"datastore": "scriptstep.toml", "path": "images/**/*.png"},
        {"path": str(tmp_path.parent / "more")},
    ]
    assert datasets["images"].definition["format"] == "files"
    assert datasets["stored"].definition["sources"] == [{"datastore": "blob", "path": "titanic/all.parquet"}]
    assert datasets["stored"].definition["format"] == "parquet"
    assert datasets["remote"].definition["sources"] == [{"url": "https://example.com/data/x.csv"}]
    assert (datasets["titanic"].description, datasets["titanic"].tags) == ("who lived", {"source": "kaggle"})


def test_a_compute_table_without_targets_is_a_table(tmp_path: Path) -> None:
    assert load_settings(written(tmp_path, "[compute]\n")).compute == {}


def test_an_edited_file_is_read_again(tmp_path: Path) -> None:
    assert load_settings(written(tmp_path, '[workspace]\nname = "a"\n')).workspace.name == "a"
    assert load_settings(written(tmp_path, '[workspace]\nname = "bb"\n')).workspace.name == "bb"


def test_windows_line_ends_and_a_byte_order_mark_are_no_mistake(tmp_path: Path) -> None:
    text = b'\xef\xbb\xbf[workspace]\r\nname = "a"\r\n'
    assert load_settings(written(tmp_path, text)).workspace.name == "a"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[compue.gpu]\n", r"there is no table or key 'compue': did you mean 'compute'\?"),
        (
            "zzz = 1\n",
            "there is no table or key 'zzz'; there are workspace, datastores, datasets, compute, environment, environments, reuse",
        ),
        ("[reuse]\nplatfrm = true\n", r"\[reuse\] there is no key 'platfrm': did you mean 'platform'\?"),
        ("[reuse]\nplatform = 1\n", r"\[reuse\] platform must be true or false, not 1"),
        ('[reuse]\ninput_identity = "x"\n', r"\[reuse\] input_identity must be 'definition' or 'content', not 'x'"),
        (
            '[reuse]\nenvironment_identity = "none"\n',
            r"\[reuse\] environment_identity must be 'installed' or 'declared', not 'none'",
        ),
        ("[compute.gpu]\nmax_nodes = 0\n", r"\[compute\.gpu\] max_nodes must be at least 1, not 0"),
        ('[compute.gpu]\nmax_nodes = "2"\n', r"\[compute\.gpu\] max_nodes must be a whole number, not '2'"),
        ("[compute.gpu]\nmax_nodes = 1.5\n", r"\[compute\.gpu\] max_nodes must be a whole number, not 1\.5"),
        ('[compute.gpu]\ntype = "Foo"\n', r"\[compute\.gpu\] type must be 'AmlCompute', 'ComputeInstance'.*not 'Foo'"),
        ("[compute]\ngpu = 3\n", r"\[compute\.gpu\] must be a table, not 3"),
        ("compute = 1\n", r"\[compute\] must be a table, not 1"),
        (
            '[compute."a b"]\nmax_node = 1\n',
            r"\[compute\.\"a b\"\] there is no key 'max_node': did you mean 'max_nodes'\?",
        ),
        ("[datastores.far]\n", r"\[datastores\.far\] path is missing: .* or url where they lie far away"),
        (
            '[datastores.far]\npath = "x"\nurl = "s3://b"\noptions = { anon = true }\n',
            r"\[datastores\.far\] options are for a url without a path",
        ),
        (
            "[compute.a]\ndefault = true\n[compute.b]\ndefault = true\n",
            r"\[compute\] only one can be the default, and a, b say they are",
        ),
        (
            '[datastores.a]\npath = "a"\ndefault = true\n[datastores.b]\npath = "b"\ndefault = true\n',
            r"\[datastores\] only one can be the default, and a, b say they are",
        ),
        (
            '[environments.e]\nconda = "a.yml"\npip = "b.txt"\n',
            r"\[environments\.e\] only one of conda, pip can be given",
        ),
        ('[environments.e]\ncnda = "a.yml"\n', r"\[environments\.e\] there is no key 'cnda': did you mean 'conda'\?"),
        ("[datastores.a]\n", r"\[datastores\.a\] path is missing"),
        ('[datastores.a]\npath = ""\n', r"\[datastores\.a\] path must be given, not ''"),
        ('[datastores.a]\npath = "d"\nurl = "nope"\n', r"\[datastores\.a\] url must be a URL, not 'nope'"),
        ('[datastores."a b"]\npath = "d"\n', r"\[datastores\.\"a b\"\] a datastore's name holds letters, digits"),
        ('[datasets.t]\nkind = "tabular"\n', r"\[datasets\.t\] path is missing"),
        ("[datasets.t]\npath = 3\n", r"\[datasets\.t\] path must be a path, or a list of paths, not 3"),
        ("[datasets.t]\npath = []\n", r"\[datasets\.t\] path must be a path, or a list of paths, not \[\]"),
        (
            '[datasets.t]\npath = ["a", ""]\n',
            r"\[datasets\.t\] path must be a path, or a list of paths, not \['a', ''\]",
        ),
        (
            '[datasets.t]\npath = "a"\nkind = "table"\n',
            r"\[datasets\.t\] kind must be 'file' or 'tabular', not 'table'",
        ),
        ('[datasets.t]\npath = "a"\noptions = { x = 1 }\n', r'\[datasets\.t\] options needs kind = "tabular"'),
        (
            '[datasets.t]\npath = "../a"\ndatastore = "b"\n',
            r"\[datasets\.t\] path must stay on the datastore: '\.\./a'",
        ),
        ("[datasets.t]\npath = 'a'\ntags = { n = 1 }\n", r"\[datasets\.t\] tags must be text, not 1"),
        ('[environment]\ninherit = "A"\n', r"\[environment\] inherit must be a list, not 'A'"),
        ("[environment]\ninherit = [1]\n", r"\[environment\] inherit must be text, not 1"),
        (
            '[environment]\ninherit = ["A B"]\n',
            r"\[environment\] inherit must list names of environment variables, and 'A B'",
        ),
        ('[workspace]\nname = ""\n', r"\[workspace\] name must be given, not ''"),
        ("[workspace]\nname = 3\n", r"\[workspace\] name must be text, not 3"),
        ("[reuse\n", r"are no TOML: .*line 1"),
        (b"[workspace]\nname = '\xff'\n", r"are not UTF-8: byte 20 is 0xff"),
    ],
)
def test_a_mistake_is_told_with_file_table_and_key(tmp_path: Path, text: str | bytes, told: str) -> None:
    place = written(tmp_path, text)
    with pytest.raises(SettingsError, match=told) as caught:
        load_settings(place)
    assert str(place.settings_file) in str(caught.value)
    assert "pydantic" not in str(caught.value)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(written(tmp_path, "[reuse]\nplatform = 1\n[compute.a]\nmax_nodes = 0\n"))
    assert "has 2 mistakes:\n  " in str(caught.value)
    assert "[reuse] platform" in str(caught.value) and "[compute.a] max_nodes" in str(caught.value)


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    (tmp_path / "scriptstep.toml").mkdir()
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(Place(tmp_path, tmp_path / "scriptstep.toml"))


def test_reading_no_settings_loads_no_pydantic() -> None:
    code = """
import sys
from pathlib import Path
from scriptstep.workspace.settings import Place, load_settings
load_settings(Place(Path("/x")))
print("pydantic" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
