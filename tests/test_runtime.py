"""What loads inside a step: found by place, light, and whole whatever happens to the process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import scriptstep
from hypothesis import given
from hypothesis import strategies as st
from scriptstep.history import MetricRow, ModelRow, now
from scriptstep.runtime.context import current
from scriptstep.runtime.events import EventWriter, read_events
from scriptstep.runtime.offline import _OfflineRun
from scriptstep.runtime.plain_rows import from_plain, to_plain
from scriptstep.runtime.reads import read_digest

BOOTSTRAP = Path(scriptstep.__file__).parent / "runtime" / "bootstrap"


def python(code: str, folder: Path, *, script: str | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    target = folder / (script or "code.py")
    target.write_text(dedent(code))
    given = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([str(BOOTSTRAP), str(folder)]), **env}
    return subprocess.run(
        [sys.executable, str(target)], env=given, cwd=folder, capture_output=True, text=True, timeout=60
    )


def test_ours_is_found_although_the_script_and_a_folder_have_our_names(tmp_path: Path) -> None:
    (tmp_path / "azureml").mkdir()
    (tmp_path / "azureml" / "__init__.py").write_text("raise ImportError('the wrong one')")
    code = "from azureml.core import Run\nimport scriptstep.runtime.events\nprint(type(Run.get_context()).__name__)"
    found = python(code, tmp_path, script="scriptstep.py")
    assert found.stdout.split() == ["_OfflineRun"], found.stderr


def test_interpreters_that_the_script_starts_find_it_too(tmp_path: Path) -> None:
    code = """
        import subprocess, sys
        sys.exit(subprocess.run([sys.executable, "-c", "from azureml.core import Run; print(Run.get_context().id)"]).returncode)
    """
    found = python(code, tmp_path)
    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith("OfflineRun_")


def test_the_path_starts_with_the_scripts_folder_and_ours_is_not_on_it(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    found = python("import json, sys; print(json.dumps(sys.path))", tmp_path, script="inner/code.py")
    path = json.loads(found.stdout)
    assert path[:2] == [str(tmp_path / "inner"), str(tmp_path)]
    assert str(BOOTSTRAP) not in path


def test_a_sitecustomize_of_the_users_still_runs(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import builtins\nbuiltins.MARK = 1")
    found = python("print(MARK)", tmp_path)
    assert found.stdout.strip() == "1", found.stderr


def test_nothing_of_ours_is_loaded_until_it_is_asked_for(tmp_path: Path) -> None:
    found = python("import sys; print([m for m in sys.modules if m.startswith(('scriptstep', 'azureml'))])", tmp_path)
    assert found.stdout.strip() == "[]"


def test_a_step_loads_no_heavy_library(tmp_path: Path) -> None:
    code = """
        import sys
        from azureml.core import Run
        Run.get_context().log("a", 1)
        print([m for m in ("pydantic", "rich", "pandas", "asyncio", "scriptstep.engine") if m in sys.modules])
    """
    assert python(code, tmp_path).stdout.splitlines()[-1] == "[]"


def test_outside_a_step_there_is_no_context(monkeypatch: object) -> None:
    assert current() is None


def test_events_come_back_in_order_and_a_torn_line_waits(tmp_path: Path) -> None:
    path = tmp_path / "events"
    writer = EventWriter(path, "attempt")
    ids = [writer.write("tags", "run", tags={"n": str(n)}) for n in range(5)]
    with path.open("ab") as file:
        file.write(b'{"id": "torn", "do": "tags", "r')
    events, offset = read_events(path)
    assert [e["id"] for e in events] == ids
    with path.open("ab") as file:
        file.write(b'un": "run"}\n')
    more, offset = read_events(path, offset)
    assert [e["id"] for e in more] == ["torn"]
    assert read_events(path, offset) == ([], offset)


def test_events_of_several_processes_are_whole_and_have_ids_of_their_own(tmp_path: Path) -> None:
    code = """
        import os, sys
        from scriptstep.runtime.events import EventWriter
        from pathlib import Path
        writer = EventWriter(Path(sys.argv[0]).with_name("events"), "a")
        writer.write("tags", "run", tags={"x": "y" * 3000})
        for _ in range(4):
            if os.fork() == 0:
                for n in range(200):
                    writer.write("tags", "run", tags={"x": "y" * 3000})
                os._exit(0)
        for _ in range(4):
            os.wait()
    """
    assert python(code, tmp_path).returncode == 0
    events, _ = read_events(tmp_path / "events")
    assert len(events) == len({e["id"] for e in events}) == 801


def test_a_file_that_is_not_there_yet_has_no_events(tmp_path: Path) -> None:
    assert read_events(tmp_path / "none") == ([], 0)


def test_rows_survive_being_written_down() -> None:
    rows = [
        MetricRow("run", "m", "scalar", 1.5, None, now()),
        ModelRow("m:1", "m", 1, "00", "model.pkl", {"a": "b"}, {}, None, "run", None, None, now()),
    ]
    assert from_plain(json.loads(json.dumps(to_plain(rows)))) == rows


@given(st.dictionaries(st.text(), st.integers() | st.text()), st.dictionaries(st.text(), st.integers() | st.text()))
def test_what_was_read_has_one_digest_for_each_value(a: dict[str, object], b: dict[str, object]) -> None:
    assert (read_digest(a) == read_digest(b)) == (a == b)


def test_an_offline_run_keeps_what_it_is_told_for_its_own_script(tmp_path: Path) -> None:
    run = _OfflineRun()
    run.log("a", 1)
    run.log("a", 2, step=3)
    run.log_row("table", x=1, y=2)
    run.log_row("table", x=3, y=4)
    run.tag("k", 5)
    (tmp_path / "file.txt").write_text("x")
    run.upload_file("outputs/f.txt", str(tmp_path / "file.txt"))
    assert run.get_metrics() == {"a": [1, 2], "table": {"x": [1, 3], "y": [2, 4]}}
    assert run.get_tags() == {"k": "5"}
    assert run.get_file_names() == ["outputs/f.txt"]
    assert run.parent is None and run.input_datasets == {}
    assert run.id.startswith("OfflineRun_")
    with run.child_run("c") as child:
        assert child.parent is run
    assert child.status == "Completed"
