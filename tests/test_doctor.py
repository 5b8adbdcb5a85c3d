"""What `scriptstep doctor` finds in code that it does not run."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from scriptstep import Environment, Workspace
from scriptstep.cli import main
from scriptstep.cli.diagnosis import findings_of, registered_in
from scriptstep.cli.refused import METHODS, OF_CLASSES
from tests.sdk_surface import REASONS, SURFACE, members_of, refusal_of


def found(code: str, registered: frozenset[str] = frozenset(), **known: set[str]) -> list[tuple[int, str, str]]:
    told = findings_of(dedent(code), known, registered)  # type: ignore[arg-type]
    return [(one.line, one.kind, one.name) for one in told]


def test_what_is_here_is_no_finding() -> None:
    code = """\
    import azureml.core
    from azureml.core import Workspace, Experiment as E
    from azureml.pipeline.steps import PythonScriptStep
    import numpy, os
    print(azureml.core.VERSION, azureml.core.Run.get_context())
    ws = Workspace.from_config()
    os.environ["x"], ws.tags["y"] = "1", "2"
    """
    assert found(code) == []


def test_what_is_not_here_counts_where_it_is_used_and_not_where_it_is_imported() -> None:
    code = """\
    from azureml.train.hyperdrive import HyperDriveConfig, choice as pick
    from azureml.core.webservice import AciWebservice
    import azureml.train.automl as automl
    import azureml.core
    config = HyperDriveConfig(run_config=None)
    space = {"a": pick(1, 2)}
    automl.AutoMLConfig(task="x")
    azureml.core.webservice.Webservice.list(None)
    """
    assert found(code) == [
        (5, "absent", "HyperDriveConfig"),
        (6, "absent", "choice"),
        (7, "absent", "AutoMLConfig"),
        (8, "absent", "Webservice"),
    ]


def test_a_name_that_the_code_makes_its_own_is_none_of_the_sdks() -> None:
    code = """\
    from azureml.pipeline.core import Schedule
    Schedule = print
    Schedule("mine")
    """
    assert found(code) == []


def test_unknown_names_and_modules_are_told_with_what_was_meant() -> None:
    code = """\
    from azureml.core import Workspce
    from azureml.nothing import x
    import azureml.pipeline.cores
    import azureml.core as c
    c.Datset
    """
    told = findings_of(dedent(code), {})
    assert [(one.line, one.kind, one.name) for one in told] == [
        (1, "unknown", "Workspce"),
        (2, "unknown", "azureml.nothing"),
        (3, "unknown", "azureml.pipeline.cores"),
        (5, "unknown", "Datset"),
    ]
    assert "did you mean 'Workspace'?" in told[0].told
    assert "did you mean 'azureml.pipeline.core'?" in told[2].told


@pytest.mark.parametrize(
    ("line", "what", "told"),
    [
        ("Dataset.get_by_name(ws, 'titanic')", "titanic", "scriptstep data add titanic PATH"),
        ("Dataset.get_by_name(workspace=ws, name='titanic')", "titanic", "scriptstep data add titanic PATH"),
        ("ws.datasets['titanic']", "titanic", "scriptstep data add titanic PATH"),
        ("ws.datasets.get('titanic')", "titanic", "scriptstep data add titanic PATH"),
        ("Datastore.get(ws, 'blob')", "blob", "[datastores.blob]"),
        ("Datastore(ws, 'blob')", "blob", "[datastores.blob]"),
        ("ws.datastores['blob']", "blob", "[datastores.blob]"),
        ("Environment.get(ws, 'sklearn')", "sklearn", "[environments.sklearn]"),
        ("ws.get_default_keyvault().get_secret('key')", "key", "environment variable key"),
    ],
)
def test_what_a_portal_held_is_told_with_the_line_that_names_it(line: str, what: str, told: str) -> None:
    code = f"from azureml.core import Dataset, Datastore, Environment\n{line}\n"
    (finding,) = findings_of(code, {})
    assert (finding.line, finding.kind, finding.name) == (2, "setting", what)
    assert told in finding.told
    if what != "key":
        assert findings_of(code, {"dataset": {what}, "datastore": {what}, "environment": {what}}) == []
        assert findings_of(code, {}, frozenset([what])) == []


@pytest.mark.parametrize(
    ("line", "name", "told"),
    [
        ("table.to_csv_files(separator=';')", "to_csv_files", "use to_pandas_dataframe().to_csv(...)"),
        ("run.take_snapshot('x')", "take_snapshot", "use upload_folder(name, path)"),
        ("Model.deploy(ws, 'name', [])", "deploy", "there are no web services here"),
        ("Model.package(ws, [])", "package", "there are no web services here"),
        ("pipeline.submit('e', enable_email_notification=True)", "enable_email_notification", "then send it"),
    ],
)
def test_methods_and_keywords_that_refuse_are_told(line: str, name: str, told: str) -> None:
    (finding,) = findings_of(f"from azureml.core import Model\n{line}\n", {})
    assert (finding.line, finding.kind, finding.name) == (2, "absent", name)
    assert told in finding.told
    assert findings_of(f"{line}\n", {}) == [], "code that does not import the SDK may mean something else"


def test_other_methods_of_these_names_are_nobodys_business() -> None:
    code = "from azureml.core import Model\nchart.deploy()\nbox.package()\nModel.register(ws, 'path')\n"
    assert findings_of(code, {}) == []


def test_what_is_told_of_a_method_is_what_it_says_itself() -> None:
    refused = {entry for entry, reason in REASONS.items() if reason.startswith("raises NotImplementedError")}
    members = {entry.rpartition(".")[2]: entry for entry in refused}
    classes = {(entry.split(".")[-2], entry.split(".")[-1]): entry for entry in refused}
    for told, entry in (
        *((told, members.get(name)) for name, told in METHODS.items()),
        *((told, classes.get(place)) for place, told in OF_CLASSES.items()),
    ):
        if entry is None:
            continue
        assert told in refusal_of(entry)
    # What is known under one name in every class, and by itself, is listed.
    working = {m for n in SURFACE if n not in REASONS for m in members_of(n) if f"{n}.{m}" not in refused}
    generic = {
        "get_connection",
        "list_connections",
        "set_connection",
        "delete_connection",
        "list_keys",
        "get_credentials",
    }
    alone = {name for name in members if "_" in name and name not in working | generic}
    assert alone <= {*METHODS, *(member for _, member in OF_CLASSES)}


def test_what_code_registers_itself_needs_no_setting() -> None:
    code = """\
    dataset.register(workspace=ws, name="a", create_new_version=True)
    Datastore.register_azure_blob_container(ws, datastore_name="b")
    Environment.from_conda_specification("c", "conda.yml").register(ws)
    """
    assert {"a", "b", "c"} <= registered_in(dedent(code))


def test_curated_environments_are_answered_with_the_default_one() -> None:
    code = "from azureml.core import Environment\nEnvironment.get(ws, 'AzureML-sklearn-1.0')\n"
    assert findings_of(code, {}) == []


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(dedent(text), encoding="utf-8")
    return folder


def test_a_folder_is_read_and_nothing_is_run(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notebook = {
        "cells": [
            {"cell_type": "markdown", "source": ["text"]},
            {
                "cell_type": "code",
                "source": ["%matplotlib inline\n", "!pip install azureml-sdk\n", "x = ws.datasets['n']"],
            },
            {"cell_type": "code", "source": ["from azureml.pipeline.core import Schedule"]},
            {"cell_type": "code", "source": ["%%writefile step.py\n", "from azureml.core import Nothing\nSchedule()"]},
            {"cell_type": "code", "source": ["Schedule.create(ws)"]},
        ]
    }
    written(
        project,
        pipeline__py="from azureml.pipeline.steps import ParallelRunStep\nParallelRunStep()\nraise SystemExit('it ran')\n",
        broken__py="def f(:\n",
        notebook__ipynb=json.dumps(notebook),
        left_out__py="ParallelRunStep(",
        __gitignore="left_out.py\n",
    )
    assert main(["doctor", "."]) == 1
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert [line.partition(": ")[0] for line in lines] == [
        "broken.py:1",
        "notebook.ipynb, cell 2:3",
        "notebook.ipynb, cell 4:2",
        "notebook.ipynb, cell 5:1",
        "pipeline.py:2",
    ]
    assert "5 findings in 3 files read" in said.err


def test_what_the_settings_name_is_no_finding(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(project, a__py="ws.datasets['n'], ws.datastores['workspaceblobstore']\n")
    (project / "scriptstep.toml").write_text('[datasets.n]\npath = "n.csv"\n')
    assert main(["doctor", "a.py"]) == 0
    assert "nothing to do: 1 file read" in capsys.readouterr().err


def test_what_is_registered_already_is_no_finding(ws: Workspace, project: Path) -> None:
    written(project, a__py="ws.environments['e']\n", b__py="ws.environments['f']\n")
    Environment("e").register(ws)
    assert (main(["doctor", "a.py"]), main(["doctor", "b.py"])) == (0, 1)


def test_it_can_be_had_as_json(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(project, a__py="ws.datasets['n']\n")
    assert main(["doctor", "a.py", "--json"]) == 1
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    (finding,) = told["findings"]
    assert told["version"] == 1
    assert {k: finding[k] for k in ("file", "cell", "line", "kind", "name")} == {
        "file": "a.py",
        "cell": None,
        "line": 1,
        "kind": "setting",
        "name": "n",
    }


@pytest.mark.parametrize(("path", "told"), [("nowhere", "is not there"), ("data.csv", "is neither")])
def test_what_cannot_be_read_is_told(path: str, told: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "data.csv").write_text("a,b\n")
    assert main(["doctor", path]) == 1
    assert told in capsys.readouterr().err
