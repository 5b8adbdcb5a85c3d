"""What a step reads from outside is found, and nothing else is; with the audit hook alone, and with strace."""

from __future__ import annotations

import json
import os
import re
import shutil
import site
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scriptstep import (
    CommandStep,
    DataReference,
    Dataset,
    Experiment,
    Pipeline,
    PipelineData,
    RunConfiguration,
    ScriptRunConfig,
)
from scriptstep.console import Event, Notice, set_console
from scriptstep.engine.auditing import places as audit_places
from scriptstep.engine.executors import strace

Make = Callable[..., Any]
Found = list[tuple[str, str, str | None]]
Audited = Callable[..., Found]


def needs_strace() -> None:
    if (why := strace.why_not_traced()) is not None:
        pytest.skip(why)


def without_strace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strace, "_command", lambda: "strace is not installed")


@pytest.fixture(params=["hook", "strace"])
def watcher(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What watches: the audit hook alone, or strace besides."""
    if request.param == "strace":
        needs_strace()
    else:
        without_strace(monkeypatch)
    return str(request.param)


def report_of(run: Any, step: str = "one") -> dict[str, Any]:
    (found,) = run.find_step_run(step)
    report: dict[str, Any] = found._row().details["audit"]
    return report


def found_in(report: dict[str, Any]) -> Found:
    return [(f["how"], f["what"], f["where"]) for f in report["findings"]]


@pytest.fixture
def audited(make_step: Make, run: Make) -> Audited:
    """Runs a step of this code under audit: what it read from outside."""

    def audit(code: str, **keywords: Any) -> Found:
        finished = run(make_step("one", code, **keywords), audit="report")
        assert finished.get_status() == "Finished", finished.find_step_run("one")[0]._row().error
        return found_in(report_of(finished))

    return audit


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder that is none of the step's, with a file in it."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "data.csv").write_text("a,b\n")
    (folder / "module.py").write_text("X = 1\n")
    return folder


@pytest.fixture
def told() -> Iterator[list[Notice]]:
    """What the console is told besides the steps' lines."""
    notices: list[Notice] = []

    class Kept:
        def send(self, event: Event) -> None:
            if isinstance(event, Notice):
                notices.append(event)

        def close(self) -> None:
            pass

    set_console(Kept())  # type: ignore[arg-type]
    yield notices
    set_console(None)


# --- what is found


READS = {
    "open": "open({file!r}).read()",
    "bytes": "open({file!r}.encode(), 'rb').read()",
    "pathlib": "import pathlib; pathlib.Path({file!r}).read_text()",
    "os.open": "import os; os.read(os.open({file!r}, os.O_RDONLY), 9)",
    "for update": "open({file!r}, 'r+').read()",
    "shutil": "import shutil; shutil.copy({file!r}, 'copy')",
    "after chdir": "import os; os.chdir({folder!r}); open('data.csv')",
    "by a way back": "import os; open(os.path.join(os.path.relpath({folder!r}), 'data.csv'))",
    "in a thread": "import threading; t = threading.Thread(target=lambda: open({file!r})); t.start(); t.join()",
    "in a fork": "import os; pid = os.fork(); pid or (open({file!r}), os._exit(0)); os.waitpid(pid, 0)",
    "in a process of multiprocessing": "import multiprocessing as m; p = m.get_context('fork').Process(target=open, args=({file!r},)); p.start(); p.join()",
    "audited no more": "import os; del os.environ['SCRIPTSTEP_AUDIT']; os.environ.pop('PYTHONPATH'); open({file!r})",
    "all descriptors closed": "import os; os.closerange(3, 64); open({file!r})",
    "after a temporary file": "import tempfile; tempfile.TemporaryFile().write(b'1'); open({file!r})",
    "failing later": "try: open({file!r}).read(); 1 / 0\nexcept ZeroDivisionError: pass",
}


@pytest.mark.parametrize("how", READS)
def test_a_file_outside_is_found_with_the_line_that_reads_it(
    how: str, audited: Audited, outside: Path, watcher: str
) -> None:
    file = outside / "data.csv"
    code = READS[how].format(file=str(file), folder=str(outside))
    assert audited("# first\n" + code) == [("opened", str(file), "main.py:2")]


def test_a_file_is_found_that_a_folders_descriptor_leads_to(audited: Audited, outside: Path, watcher: str) -> None:
    code = (
        f"import os\nfolder = os.open({str(outside)!r}, os.O_RDONLY)\nos.open('data.csv', os.O_RDONLY, dir_fd=folder)"
    )
    assert audited(code) == [
        ("listed", str(outside), "main.py:2"),
        ("opened", str(outside / "data.csv"), "main.py:3"),
    ]


def test_the_line_is_that_of_the_steps_own_code_nearest_to_the_reading(
    audited: Audited, project: Path, outside: Path, watcher: str
) -> None:
    package = project / "src" / "one" / "package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "reader.py").write_text("import fileinput\n\ndef read(path):\n    return list(fileinput.input(path))\n")
    found = audited(f"from package.reader import read\nread({str(outside / 'data.csv')!r})")
    assert found == [("opened", str(outside / "data.csv"), "package/reader.py:4")]


@pytest.mark.parametrize("listing", ["os.listdir(p)", "list(os.scandir(p))", "list(pathlib.Path(p).glob('*'))"])
def test_a_folder_that_is_listed_is_found(listing: str, audited: Audited, outside: Path, watcher: str) -> None:
    found = audited(f"import os, pathlib\np = {str(outside)!r}\n{listing}")
    assert found == [("listed", str(outside), "main.py:3")]


def test_a_module_from_a_place_that_the_script_puts_on_its_path_is_found(
    audited: Audited, outside: Path, watcher: str
) -> None:
    code = f"import sys\nsys.path.insert(0, {str(outside)!r})\nimport json, decimal\nimport module"
    # The second time it is the compiled file that is read.
    assert audited(code) == [("imported", str(outside / "module.py"), "main.py:4")]
    assert (outside / "__pycache__").is_dir()
    assert audited(code + "\n") == [("imported", str(outside / "module.py"), "main.py:4")]


def test_a_module_from_pythonpath_is_found(audited: Audited, outside: Path, watcher: str) -> None:
    runconfig = RunConfiguration()
    runconfig.environment_variables = {"PYTHONPATH": str(outside)}
    found = audited("import module", runconfig=runconfig)
    assert found == [("imported", str(outside / "module.py"), "main.py:1")]


def test_a_sitecustomize_from_pythonpath_is_found_and_what_it_reads(
    audited: Audited, outside: Path, watcher: str
) -> None:
    runconfig = RunConfiguration()
    runconfig.environment_variables = {"PYTHONPATH": str(outside)}
    (outside / "sitecustomize.py").write_text(f"open({str(outside / 'data.csv')!r})")
    found = audited("import module", runconfig=runconfig)
    assert found == [
        ("imported", str(outside / "sitecustomize.py"), None),
        ("opened", str(outside / "data.csv"), None),
        ("imported", str(outside / "module.py"), "main.py:1"),
    ]


def test_a_file_that_a_python_reads_which_the_script_starts_is_found(
    audited: Audited, project: Path, outside: Path, watcher: str
) -> None:
    folder = project / "src" / "one"
    folder.mkdir(parents=True)
    (folder / "child.py").write_text("import sys\nopen(sys.argv[1])\n")
    code = f"import subprocess, sys\nsubprocess.run([sys.executable, 'child.py', {str(outside / 'data.csv')!r}], check=True)"
    assert audited(code) == [("opened", str(outside / "data.csv"), "child.py:2")]


def test_a_database_outside_is_found(audited: Audited, outside: Path, watcher: str) -> None:
    with sqlite3.connect(outside / "a.db") as made:
        made.execute("CREATE TABLE t (x)")
    made.close()
    code = f"import sqlite3\nsqlite3.connect({str(outside / 'a.db')!r}).execute('SELECT * FROM t').fetchall()"
    assert audited(code) == [("opened", str(outside / "a.db"), "main.py:2")]


def test_a_connection_is_found_and_one_to_itself_is_not(audited: Audited, watcher: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = audited(f"import socket\nsocket.create_connection(('localhost', {port}))")
    assert found == [("connected to", f"localhost:{port} (127.0.0.1)", "main.py:2")]
    own = """
        import socket, threading
        server = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=server.accept, daemon=True).start()
        socket.create_connection(server.getsockname())
        """
    assert audited(own) == []


def test_a_name_that_is_no_utf_8_is_found_and_can_be_told(
    audited: Audited, outside: Path, watcher: str, told: list[Notice]
) -> None:
    name = os.path.join(os.fsencode(outside), b"\xff \n'\"<>.csv")
    with open(name, "wb") as file:
        file.write(b"1")
    assert audited(f"open({name!r})") == [("opened", os.fsdecode(name), "main.py:1")]
    assert [n for n in told if n.level == "warning" and "\\udcff \\n" in n.text]


def test_a_step_may_have_an_interpreter_of_its_own(audited: Audited, tmp_path: Path, watcher: str) -> None:
    other = tmp_path / "other"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", other], check=True)
    (package,) = other.glob("lib/python*/site-packages")
    (package / "there.py").write_text("")
    runconfig = RunConfiguration()
    runconfig.environment.python.user_managed_dependencies = True
    runconfig.environment.python.interpreter_path = str(other / "bin" / "python")
    code = "import json, there\nfrom azureml.core import Run\nRun.get_context().log('a', 1)"
    assert audited(code, runconfig=runconfig) == []


def test_an_interpreter_that_is_not_the_steps_own_is_one_finding(
    audited: Audited, tmp_path: Path, watcher: str
) -> None:
    other = tmp_path / "other"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--copies", other], check=True)
    (other / "lib" / f"python3.{sys.version_info.minor}" / "site-packages" / "there.py").write_text("")
    python = str(other / "bin" / "python")
    found = audited(f"import subprocess\nsubprocess.run([{python!r}, '-c', 'import there'], check=True)")
    assert found == [("started", python, "main.py:2")]


# --- what is not


INSIDE = {
    "its content": "open('main.py').read()",
    "what it writes": "open('new', 'w').write('1'); open('new').read()",
    "its folder": "import os; os.listdir(); os.listdir('..'); list(os.walk('.'))",
    "what is not there": "import os\ntry: open('/no/such/file')\nexcept OSError: os.path.exists('/etc')",
    "its environment": "import json, csv, email.mime.text, sqlite3, ctypes, unittest.mock, multiprocessing",
    "the system": "import time, pwd, os; pwd.getpwuid(0); open('/dev/urandom', 'rb').read(1); open('/proc/self/status').read(); time.tzset()",
    "scriptstep": "from azureml.core import Run; run = Run.get_context(); run.log('a', 1); run.experiment.workspace",
    "a temporary file": "import tempfile\nwith tempfile.NamedTemporaryFile() as f: f.write(b'1'); f.flush(); open(f.name).read()",
    "an unnamed one": "import tempfile\nwith tempfile.TemporaryFile() as f: f.write(b'1'); f.seek(0); f.read()",
    "a temporary folder": "import tempfile, os\nwith tempfile.TemporaryDirectory() as d: open(d + '/x', 'w'); open(d + '/x'); os.listdir(d)",
    "one that a program made": "import tempfile, os\nwith tempfile.TemporaryDirectory() as d: os.system(f'echo 1 > {d}/x'); open(d + '/x').read()",
    "one of no folder of its own": "import os, tempfile; p = f'{tempfile.gettempdir()}/{os.getpid()}.scriptstep'; os.system(f'echo 1 > {p}'); open(p).read(); os.remove(p)",
    "one that was moved": "import tempfile, os\nwith tempfile.TemporaryDirectory() as d: open(d + '/x', 'w'); os.replace(d + '/x', d + '/y'); open(d + '/y')",
    "workers": "import concurrent.futures as c\nwith c.ProcessPoolExecutor(2) as pool: list(pool.map(abs, range(4)))",
    "a program of the system": "import subprocess; subprocess.run(['sh', '-c', 'ls > /dev/null; cat main.py'], check=True)",
}


@pytest.mark.parametrize("what", INSIDE)
def test_what_is_inside_is_no_finding(what: str, audited: Audited, watcher: str) -> None:
    assert audited(INSIDE[what]) == []


def test_a_file_that_the_step_wrote_before_is_its_own_wherever_it_lies(
    audited: Audited, outside: Path, project: Path, watcher: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_places, "_TEMPORARY", ())  # where tests work, too
    monkeypatch.setenv("TMPDIR", str(project))
    new = str(outside / "new" / "file")
    code = f"import os\nos.mkdir(os.path.dirname({new!r}))\nopen({new!r}, 'w').write('1')\nopen({new!r}).read()"
    assert audited(code) == []
    assert audited(code.replace("os.mkdir", "str").replace("'w'", "'a'")) == [("opened", new, "main.py:4")]
    moved = f"import os\nopen({new + '.1'!r}, 'w').write('1')\nos.replace({new + '.1'!r}, {new + '.2'!r})\nopen({new + '.2'!r})"
    assert audited(moved) == []


@pytest.mark.parametrize("mode", ["as_mount", "as_download"])
def test_an_input_is_no_finding(mode: str, ws: Any, make_step: Make, run: Make, outside: Path, watcher: str) -> None:
    (outside / "link.csv").symlink_to(outside / "data.csv")
    store = ws.get_default_datastore()
    store.upload(str(outside), "raw")
    dataset = Dataset.File.from_files((store, "raw/**"))
    itself = Dataset.File.from_files((store, "raw/data.csv")).as_named_input("itself")
    out = PipelineData("out")
    first = make_step("first", "import sys; open(sys.argv[1], 'w').write('1')", arguments=[out], outputs=[out])
    read = """
        import os, sys
        from azureml.core import Run
        assert open(sys.argv[1]).read() == "1"
        assert [open(os.path.join(sys.argv[2], name)).read() for name in sorted(os.listdir(sys.argv[2]))]
        with Run.get_context().input_datasets["itself"].mount() as mounted:
            open(os.path.join(mounted.mount_point, "data.csv")).read()
        """
    files = getattr(dataset.as_named_input("files"), mode)()
    second = make_step("second", read, arguments=[out, files], inputs=[out, itself])
    finished = run(first, second, audit="report")
    assert finished.get_status() == "Finished", finished.find_step_run("second")[0]._row().error
    assert found_in(report_of(finished, "second")) == []


def test_what_a_link_in_the_data_leads_to_is_no_finding_and_a_link_that_the_script_makes_is(
    ws: Any, audited: Audited, outside: Path, watcher: str
) -> None:
    store = ws.get_default_datastore()
    root = Path(store._files()[0]) / "raw"
    root.mkdir(parents=True)
    (root / "link.csv").symlink_to(outside / "data.csv")
    raw = DataReference(store, "raw", path_on_datastore="raw")
    read = "import os, sys\nopen(sys.argv[1] + '/link.csv').read()"
    assert audited(read, arguments=[raw], inputs=[raw]) == []
    (outside / "below").mkdir()
    (root / "below").symlink_to(outside / "below")
    around = read.replace("/link.csv", "/below/../data.csv")  # of the folder that the link leads to
    assert [where for _, _, where in audited(around, arguments=[raw], inputs=[raw])] == ["main.py:2"]
    code = f"import os\nos.symlink({str(outside / 'data.csv')!r}, 'link.csv')\nopen('link.csv').read()"
    ((how, what, where),) = audited(code)
    assert (how, os.path.basename(what), where) == ("opened", "link.csv", "main.py:3")


def test_packages_are_inside_where_the_interpreter_finds_them_by_itself(tmp_path: Path) -> None:
    venv, base = tmp_path / "venv", tmp_path / "base"
    library, site_packages = base / "lib" / "python3.11", venv / "lib" / "python3.11" / "site-packages"
    python = {
        "executable": str(venv / "bin" / "python"),
        "prefixes": [str(venv), str(venv), str(base), str(base)],
        "library": str(library),
        "site": [str(site_packages)],
    }
    places = audit_places.Places(
        folder=tmp_path / "step",
        home=tmp_path / "home",
        given=[],
        locations=[],
        files=[],
        interpreter=str(venv / "bin" / "python"),
        variables={"TMPDIR": "", "SSL_CERT_FILE": str(tmp_path / "bundle.pem")},
        editables=[str(tmp_path / "editable")],
        pythons=[python],
    )
    for inside in (
        site_packages / "a.py",
        library / "json" / "a.py",
        tmp_path / "editable" / "a.py",
        venv / "share" / "a",
        tmp_path / "bundle.pem",
    ):
        assert places.holds(str(inside), str(inside)), inside
    for outside in (library / "site-packages" / "a.py", tmp_path / "a.py", Path("/usr/local/lib/a.so")):
        assert not places.holds(str(outside), str(outside)), outside


@pytest.mark.parametrize("package", ["numpy", "pandas", "sklearn.linear_model", "pyarrow.parquet"])
def test_packages_of_the_environment_are_no_finding(package: str, audited: Audited, watcher: str) -> None:
    folders = site.getsitepackages()
    if not any((Path(folder) / package.split(".")[0]).is_dir() for folder in folders):
        pytest.skip(f"{package} is not installed in {folders[0]}")
    assert audited(f"import {package}") == []


def test_a_dataset_that_the_script_asks_for_by_name_is_no_finding_and_its_neighbour_is(
    ws: Any, audited: Audited, outside: Path, watcher: str
) -> None:
    (outside / "other.csv").write_text("2")
    ws.get_default_datastore().upload(str(outside), "raw")
    root = Path(ws.get_default_datastore()._files()[0]) / "raw"
    Dataset.File.from_files((ws.get_default_datastore(), "raw/data.csv")).register(ws, "known")
    code = """
        from azureml.core import Dataset, Run
        dataset = Dataset.get_by_name(Run.get_context().experiment.workspace, "known")
        with dataset.mount() as mounted:
            open(mounted.mount_point + "/data.csv").read()
        """
    assert audited(code) == []
    found = audited(code.rstrip() + f"\n            open({str(root / 'other.csv')!r})")
    assert found == [("opened", str(root / "other.csv"), "main.py:6")]


def test_the_output_of_an_earlier_run_is_outside(audited: Audited, make_step: Make, run: Make, watcher: str) -> None:
    out = PipelineData("out")
    earlier = run(make_step("first", "import sys; open(sys.argv[1], 'w')", arguments=[out], outputs=[out]))
    log = Path(os.environ["SCRIPTSTEP_HOME"]) / "runs" / earlier.id[:8] / "first" / "logs" / "std_log.txt"
    assert audited(f"open({str(log)!r})") == [("opened", str(log), "main.py:1")]


# --- native code and other programs


def test_a_file_that_a_program_reads_is_found_with_the_programs_name(make_step: Make, run: Make, outside: Path) -> None:
    needs_strace()
    file = str(outside / "data.csv")
    code = f"import subprocess; subprocess.run(['sh', '-c', 'cd {outside}; cat data.csv'], check=True)"
    report = report_of(run(make_step("one", code), audit="report"))
    assert report["findings"] == [{"how": "opened", "what": file, "where": None, "program": "cat"}]
    assert (report["unseen"], report["natively"]) == ([], True)


def test_a_file_that_native_code_reads_is_found(make_step: Make, run: Make, outside: Path) -> None:
    needs_strace()
    file = str(outside / "data.csv")
    code = f"import ctypes; assert ctypes.CDLL(None).open({file.encode()!r}, 0) > 0"
    (finding,) = report_of(run(make_step("one", code), audit="report"))["findings"]
    assert (finding["what"], finding["where"]) == (file, None)


@pytest.mark.parametrize(
    ("start", "unseen"),
    [
        ("['cat', file]", ["cat"]),
        ("[sys.executable, '-I', '-c', 'open(' + repr(file) + ')']", [Path(sys.executable).name]),
        ("[sys.executable, '-c', 'open(' + repr(file) + ')'], env={}", [Path(sys.executable).name]),
    ],
    ids=["no Python", "isolated", "without the environment"],
)
def test_without_strace_what_could_not_be_seen_is_said(
    start: str, unseen: list[str], make_step: Make, run: Make, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_strace(monkeypatch)
    code = f"import subprocess, sys\nfile = {str(outside / 'data.csv')!r}\nsubprocess.run({start}, check=True)"
    report = report_of(run(make_step("one", code), audit="report"))
    assert (report["findings"], report["unseen"], report["natively"]) == ([], unseen, False)


def test_a_step_that_begins_with_no_python_was_not_watched_whole(
    ws: Any, run: Make, project: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_strace(monkeypatch)
    (project / "src").mkdir()
    (project / "src" / "main.py").write_text(f"open({str(outside / 'data.csv')!r})")
    step = CommandStep(command="python main.py", source_directory="src", name="one")
    report = report_of(run(step, audit="report"))
    assert found_in(report) == [("opened", str(outside / "data.csv"), "main.py:1")]
    assert report["unseen"] in (["bash"], ["sh"])


def test_an_interpreter_that_did_not_come_by_was_not_watched(
    make_step: Make, run: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_strace(monkeypatch)
    # The notes are gone, and other things stand in their place.
    code = """
        import os
        for line in (b"{'do': 'read'}", b"{'do': 'bound', 'port': 'x'}", b"[" * 9999, b"\\xff", b"7"):
            with open(os.environ["SCRIPTSTEP_AUDIT"], "wb") as file:
                file.write(line + b"\\n")
        """
    report = report_of(run(make_step("one", code), audit="report"))
    assert (report["findings"], report["unseen"]) == ([], [Path(sys.executable).name])


# --- what comes of it


def test_the_findings_are_told_once_and_kept_whole(
    make_step: Make, run: Make, outside: Path, told: list[Notice], home: Path, watcher: str
) -> None:
    for number in range(12):
        (outside / f"{number:02}").write_text("1")
    code = f"for i in range(12): open(f'{outside}/{{i:02}}').read(), open(f'{outside}/{{i:02}}').read()"
    finished = run(make_step("one", code), audit="report")
    (warning,) = [n for n in told if n.level == "warning"]
    first, *lines = warning.text.splitlines()
    assert first == "step 'one' read 12 things from outside its copy, inputs and environment"
    assert lines[0].split() == ["main.py:1", "opened", os.path.relpath(outside / "00")]
    (kept,) = (home / "runs" / finished.id[:8] / "one").glob("audit*")
    assert lines[8:] == [f"  and 4 more: {os.path.relpath(kept)}"]
    assert json.loads(kept.read_text()) == report_of(finished)
    assert len(report_of(finished)["findings"]) == 12


def test_a_clean_audit_says_so(make_step: Make, run: Make, told: list[Notice], watcher: str) -> None:
    run(make_step("one"), audit="report")
    assert [n.text for n in told if n.level == "warning"] == []
    notes = " ".join(n.text for n in told)
    assert "the clock" in notes
    assert ("strace is not installed" in notes) == (watcher == "hook")


def test_strict_makes_a_finding_a_failure_that_leaves_no_result(
    make_step: Make, run: Make, verdicts: Make, outside: Path, watcher: str
) -> None:
    step = make_step("one", f"open({str(outside / 'data.csv')!r})")
    failed = run(step, audit="strict")
    assert verdicts(failed) == {"one": "Failed"}
    error = failed.find_step_run("one")[0]._row().error["message"]
    assert "main.py:1" in error
    assert os.path.relpath(outside / "data.csv") in error
    assert "declare files as inputs" in error
    assert verdicts(run(step)) == {"one": "ran"}


def test_strict_lets_a_clean_step_be(make_step: Make, run: Make, verdicts: Make, watcher: str) -> None:
    assert verdicts(run(make_step("one", "open('main.py')"), audit="strict")) == {"one": "ran"}


def test_a_result_that_was_not_audited_is_not_used_and_one_that_was_is_told_of_again(
    make_step: Make, run: Make, verdicts: Make, outside: Path, told: list[Notice], watcher: str
) -> None:
    step = make_step("one", f"open({str(outside / 'data.csv')!r})")
    run(step)
    assert verdicts(run(step, audit="report")) == {"one": "ran"}
    again = run(step, audit="report")
    assert verdicts(again) == {"one": "reused"}
    assert found_in(report_of(again)) == [("opened", str(outside / "data.csv"), "main.py:1")]
    assert len([n for n in told if n.level == "warning"]) == 2
    assert verdicts(run(step, audit="strict")) == {"one": "Failed"}
    assert verdicts(run(step)) == {"one": "reused"}


def test_the_key_is_the_same_with_an_audit_and_without(make_step: Make, run: Make, verdicts: Make) -> None:
    step = make_step("one")
    assert verdicts(run(step, audit="report")) == {"one": "ran"}
    assert verdicts(run(step)) == {"one": "reused"}


def test_strace_being_there_now_is_a_reason_to_audit_again(
    make_step: Make, run: Make, verdicts: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_strace()
    step = make_step("one")
    with monkeypatch.context() as without:
        without_strace(without)
        run(step, audit="report")
        assert verdicts(run(step, audit="report")) == {"one": "reused"}
    assert verdicts(run(step, audit="report")) == {"one": "ran"}


def test_without_an_audit_nothing_is_watched(make_step: Make, run: Make, home: Path, outside: Path) -> None:
    code = f"""
        import os, sys
        assert "SCRIPTSTEP_AUDIT" not in os.environ
        open({str(outside / "data.csv")!r})
        """
    finished = run(make_step("one", code))
    assert "audit" not in finished.find_step_run("one")[0]._row().details
    assert list(home.glob("runs/*/one/audit*")) == []


def test_a_script_by_itself_is_audited_too(ws: Any, project: Path, outside: Path, watcher: str) -> None:
    (project / "src").mkdir()
    (project / "src" / "alone.py").write_text(f"open({str(outside / 'data.csv')!r})")
    run = Experiment(ws, "e").submit(ScriptRunConfig(source_directory="src", script="alone.py"), audit="report")
    run.wait_for_completion()
    assert found_in(run._row().details["audit"]) == [("opened", str(outside / "data.csv"), "alone.py:1")]


def test_a_pipeline_that_is_submitted_or_published_is_audited_where_its_submit_says_so(
    ws: Any, make_step: Make, outside: Path, watcher: str
) -> None:
    pipeline = Pipeline(ws, steps=[make_step("one", f"open({str(outside / 'data.csv')!r})")])
    run = pipeline.submit("e", audit="report")
    run.wait_for_completion()
    assert len(report_of(run)["findings"]) == 1
    published = Experiment(ws, "e").submit(pipeline.publish("kept"), audit="strict")
    published.wait_for_completion(raise_on_error=False)
    assert published.get_status() == "Failed"


def test_every_process_of_a_step_is_audited(make_step: Make, run: Make, outside: Path, watcher: str) -> None:
    runconfig = RunConfiguration(communicator="Nccl", framework="PyTorch")
    runconfig.node_count = 2
    for rank in range(2):
        (outside / f"part{rank}").write_text("1")
    code = f"import os\nopen('{outside}/part' + os.environ['RANK'])"
    report = report_of(run(make_step("one", code, runconfig=runconfig), audit="report"))
    assert sorted(found_in(report)) == [("opened", str(outside / f"part{r}"), "main.py:2") for r in range(2)]


def test_the_command_line_asks_for_it(project: Path, outside: Path) -> None:
    (project / "src").mkdir()
    (project / "src" / "main.py").write_text(f"open({str(outside / 'data.csv')!r})")
    (project / "pipeline.py").write_text(
        "from azureml.core import Experiment, Workspace\n"
        "from azureml.pipeline.core import Pipeline\n"
        "from azureml.pipeline.steps import PythonScriptStep\n"
        "ws = Workspace.from_config()\n"
        "step = PythonScriptStep('main.py', source_directory='src', name='one')\n"
        "Experiment(ws, 'e').submit(Pipeline(ws, steps=[step]))\n"
    )
    command = [sys.executable, "-m", "scriptstep", "run"]
    finding = f"main.py:1  opened  {os.path.relpath(outside / 'data.csv')}"
    for options, code, word in ((["--strict"], 1, "failed"), (["--audit"], 0, "ran"), ([], 0, "reused")):
        done = subprocess.run([*command, *options, "pipeline.py"], capture_output=True, text=True, cwd=project)
        assert done.returncode == code, done.stderr
        assert re.search(rf"^  one +{word} ", done.stderr, re.MULTILINE)
        assert (finding in done.stderr) == bool(options)


def test_the_example_reads_nothing_from_outside(project: Path) -> None:
    if not any((Path(folder) / "sklearn").is_dir() for folder in site.getsitepackages()):
        pytest.skip("sklearn is not installed beside scriptstep")
    example = Path(__file__).resolve().parent.parent / "examples" / "diabetes"
    shutil.copytree(example, project / "example", ignore=shutil.ignore_patterns(".scriptstep", "__pycache__"))
    command = [sys.executable, "-m", "scriptstep", "run", "--strict", "pipeline.py"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=project / "example")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("audit: clean") == 5


@pytest.mark.parametrize("audit", ["yes", True, 1])
def test_an_audit_of_another_kind_is_refused(audit: Any, make_step: Make, run: Make) -> None:
    with pytest.raises(ValueError, match="'report' or 'strict'"):
        run(make_step("one"), audit=audit)
