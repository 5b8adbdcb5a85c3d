"""Data that lies far away: on a real S3 server (moto's, a process of its own) and on web servers of ours."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from scriptstep import Dataset, Datastore, OutputFileDatasetConfig, Pipeline, PipelineData, Workspace
from scriptstep.data import remote as remote_room
from scriptstep.errors import ArgumentError, UserErrorException
from tests.logs import log_of

Make = Callable[..., Any]
Tell = Callable[[Any], dict[str, str]]

READ = """
    import os, sys
    for place in sys.argv[1:]:
        found = [place] if os.path.isfile(place) else [
            os.path.join(folder, name) for folder, _, names in os.walk(place, followlinks=True) for name in names
        ]
        for file in sorted(found):
            print("read", os.path.relpath(file, place), open(file).read())
"""


class Bucket(NamedTuple):
    """A bucket of the S3 server, and a client for it that is not ours."""

    name: str
    endpoint: str
    client: Any

    def put(self, key: str, text: str) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=text.encode())

    def keys(self) -> list[str]:
        return sorted(o["Key"] for o in self.client.list_objects_v2(Bucket=self.name).get("Contents", []))

    def text(self, key: str) -> str:
        return str(self.client.get_object(Bucket=self.name, Key=key)["Body"].read().decode())

    def written(self, key: str) -> Any:
        """When an object was written last."""
        return self.client.head_object(Bucket=self.name, Key=key)["LastModified"]

    def settings(self, name: str = "far", below: str = "", more: str = "") -> str:
        return (
            f'[datastores.{name}]\nurl = "s3://{self.name}{below}"\n{more}'
            f'options = {{ endpoint_url = "{self.endpoint}" }}\n'
        )


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(600):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            assert server.poll() is None, "the S3 server ended"
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


@pytest.fixture
def bucket(s3_server: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty bucket, which the settings call the datastore `far`."""
    import botocore.session

    for name, value in (("ACCESS_KEY_ID", "one"), ("SECRET_ACCESS_KEY", "two"), ("DEFAULT_REGION", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    client = botocore.session.get_session().create_client("s3", endpoint_url=s3_server)
    made = Bucket(f"b-{uuid.uuid4().hex}", s3_server, client)
    client.create_bucket(Bucket=made.name)
    (project / "scriptstep.toml").write_text(made.settings())
    return made


def fetched(home: Path) -> list[Path]:
    """The files of datastore `far` that were fetched."""
    found = (f for f in (home / "remote").glob("far-*/*/**/*") if f.is_file() and f.parent.name != "put")
    return sorted(found, key=lambda f: f.name)


# --- datastores


def test_files_are_put_on_a_bucket_and_got_from_it(bucket: Bucket, ws: Any, project: Path) -> None:
    (project / "data" / "deep").mkdir(parents=True)
    (project / "data" / "a.csv").write_text("a")
    (project / "data" / "deep" / "b.csv").write_text("b")
    store = Datastore.get(ws, "far")
    reference = store.upload("data", "raw")
    assert reference.path_on_datastore == "raw"
    assert bucket.keys() == ["raw/a.csv", "raw/deep/b.csv"]
    (project / "data" / "a.csv").write_text("changed")
    store.upload("data", "raw")
    assert bucket.text("raw/a.csv") == "a", "what is there is left"
    store.upload_files(["data/a.csv"], target_path="raw", overwrite=True)
    assert bucket.text("raw/a.csv") == "changed"
    assert store.download("got", prefix="raw/deep") == 1
    assert (project / "got" / "raw" / "deep" / "b.csv").read_text() == "b"
    assert store.download("got", prefix="raw") == 1, "what is there is left"
    assert (project / "got" / "raw" / "a.csv").read_text() == "changed"


def test_a_folder_below_a_bucket_is_a_datastore(bucket: Bucket, ws: Any, project: Path) -> None:
    bucket.put("team/one/a.txt", "mine")
    bucket.put("team/oneness/a.txt", "others'")
    (project / "scriptstep.toml").write_text(bucket.settings(below="/team/one"))
    assert Dataset.File.from_files((Datastore.get(ws, "far"), "**")).to_path() == ["/a.txt"]
    assert Dataset.File.from_files((Datastore.get(ws, "far"), None)).to_path() == ["/a.txt"]


def test_a_bucket_can_be_the_default_datastore(
    bucket: Bucket, ws: Any, project: Path, make_step: Make, run: Make
) -> None:
    (project / "scriptstep.toml").write_text(bucket.settings(more="default = true\n"))
    data = PipelineData("made")
    write = "import os, sys; os.makedirs(sys.argv[1]); open(sys.argv[1] + '/x', 'w').write('made')"
    first = make_step("write", write, arguments=[data], outputs=[data])
    finished = run(first, make_step("read", READ, arguments=[data], inputs=[data]))
    assert "read x made" in log_of(finished, "read")
    finished.find_step_run("write")[0].get_output_data("made").download("got")
    assert [f.read_text() for f in Path("got").rglob("x")] == ["made"]
    assert bucket.keys() == [], "what goes to no place of the user's choice stays in the workspace"


# --- inputs


def test_a_reference_is_fetched_once_and_its_step_reused_without_it(
    bucket: Bucket, ws: Any, make_step: Make, run: Make, verdicts: Tell, home: Path
) -> None:
    bucket.put("raw/a.txt", "one")
    bucket.put("raw/deep/b.txt", "two")
    source = Datastore.get(ws, "far").path("raw", "raw")
    steps = {"read": make_step("read", READ, arguments=[source], inputs=[source])}
    first = run(*steps.values())
    assert verdicts(first) == {"read": "ran"}
    assert log_of(first, "read").splitlines() == ["read a.txt one", "read deep/b.txt two"]
    for file in fetched(home):
        file.unlink()
    assert verdicts(run(*steps.values())) == {"read": "reused"}
    assert fetched(home) == [], "a verdict needs no bytes"
    bucket.put("raw/deep/b.txt", "TWO")
    third = run(*steps.values())
    assert verdicts(third) == {"read": "ran"}
    assert "read deep/b.txt TWO" in log_of(third, "read")


@pytest.mark.parametrize("how", ["mount", "download"])
def test_one_file_arrives_as_that_file(bucket: Bucket, ws: Any, make_step: Make, run: Make, how: str) -> None:
    bucket.put("raw/a.txt", "one")
    store = Datastore.get(ws, "far")
    reference = getattr(store.path("raw/a.txt", "whole"), f"as_{how}")()
    dataset = getattr(Dataset.File.from_files((store, "raw/a.txt")).as_named_input("set"), f"as_{how}")()
    names = "import os, sys; print([os.path.basename(p) for p in sys.argv[1:]], [open(p).read() for p in sys.argv[1:]])"
    step = make_step("read", names, arguments=[reference, dataset], inputs=[reference, dataset])
    assert "['a.txt', 'a.txt'] ['one', 'one']" in log_of(run(step), "read")


def test_nothing_at_the_place_is_one_clear_error(
    bucket: Bucket, ws: Any, make_step: Make, run: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    source = Datastore.get(ws, "far").path("nowhere", "raw")
    step = make_step("read", READ, arguments=[source], inputs=[source])
    assert run(step).get_status() == "Failed"
    told = capsys.readouterr().err
    assert "input 'raw': nothing lies at 'nowhere' on datastore 'far'" in told
    assert f"put it at s3://{bucket.name}/nowhere" in told
    assert "Traceback" not in told


def test_only_the_files_that_are_wanted_are_fetched(bucket: Bucket, ws: Any, home: Path, project: Path) -> None:
    for n in range(9):
        bucket.put(f"raw/{n}.csv", f"x\n{n}\n")
    store = Datastore.get(ws, "far")
    whole = Dataset.File.from_files((store, "raw/*.csv"))
    assert whole.to_path() == [f"/{n}.csv" for n in range(9)]
    assert fetched(home) == []
    with whole.skip(2).take(2).mount() as mounted:
        assert sorted(os.listdir(mounted.mount_point)) == ["2.csv", "3.csv"]
    assert [f.name for f in fetched(home)] == ["2.csv", "3.csv"]
    assert [Path(f).read_text() for f in Dataset.File.from_files((store, "raw/[7-8].csv")).download("got")] == [
        "x\n7\n",
        "x\n8\n",
    ]
    table = Dataset.Tabular.from_delimited_files([(store, "raw/0.csv"), (store, "raw/2.csv")], include_path=True)
    assert table.to_pandas_dataframe().values.tolist() == [["/0.csv", 0], ["/2.csv", 2]]


def test_a_name_may_hold_what_elsewhere_is_a_pattern(bucket: Bucket, ws: Any, make_step: Make, run: Make) -> None:
    bucket.put("raw[1]/a.txt", "one")
    source = Datastore.get(ws, "far").path("raw[1]", "raw")
    assert "read a.txt one" in log_of(run(make_step("read", READ, arguments=[source], inputs=[source])), "read")


def test_partitions_are_read_from_the_path_in_the_store(bucket: Bucket, ws: Any) -> None:
    bucket.put("t/year=2024/a.csv", "x\n1\n")
    bucket.put("t/year=2025/a.csv", "x\n2\n")
    table = Dataset.Tabular.from_delimited_files(
        (Datastore.get(ws, "far"), "t/**"), partition_format="/year={year}/{name}.csv"
    )
    assert table.to_pandas_dataframe()[["year", "x"]].values.tolist() == [[2024, 1], [2025, 2]]


def test_a_dataset_of_a_bucket_is_told_of_when_its_files_changed(
    bucket: Bucket, ws: Any, make_step: Make, run: Make, verdicts: Tell, home: Path
) -> None:
    bucket.put("raw/a.txt", "one")

    def step() -> Any:
        dataset = Dataset.File.from_files((Datastore.get(ws, "far"), "raw"))
        given = dataset.as_named_input("given").as_mount()
        return make_step("read", READ, arguments=[given], inputs=[given])

    assert "read a.txt one" in log_of(run(step()), "read")
    bucket.put("raw/a.txt", "ONE")
    again = run(step())
    assert verdicts(again) == {"read": "reused"}, "it is known by its definition"
    told = str(again.find_step_run("read")[0].get_details())
    assert "1 file" in told and "changed since" in told
    by_content = run(step(), input_identity="content")
    assert "read a.txt ONE" in log_of(by_content, "read")
    for file in fetched(home):
        file.unlink()
    assert verdicts(run(step(), input_identity="content")) == {"read": "reused"}
    assert fetched(home) == []


def test_a_script_that_writes_into_what_it_was_given_spoils_nothing(
    bucket: Bucket, ws: Any, make_step: Make, run: Make
) -> None:
    bucket.put("raw/a.txt", "one")
    source = Datastore.get(ws, "far").path("raw", "raw")
    run(
        make_step(
            "spoil", "import sys; open(sys.argv[1] + '/a.txt', 'w').write('bad')", arguments=[source], inputs=[source]
        )
    )
    assert bucket.text("raw/a.txt") == "one"
    assert "read a.txt one" in log_of(run(make_step("read", READ, arguments=[source], inputs=[source])), "read")


def test_what_a_step_copies_from_a_bucket_itself_is_a_condition_of_its_result(
    bucket: Bucket, ws: Any, make_step: Make, run: Make, verdicts: Tell, project: Path
) -> None:
    settings = bucket.settings() + '[environment]\ninherit = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]\n'
    (project / "scriptstep.toml").write_text(settings)
    bucket.put("raw/a.txt", "one")
    code = """
        from azureml.core import Datastore, Run
        store = Datastore.get(Run.get_context().experiment.workspace, "far")
        store.download("here", prefix="raw")
        print("got", open("here/raw/a.txt").read())
    """
    assert "got one" in log_of(run(make_step("copy", code)), "copy")
    assert verdicts(run(make_step("copy", code))) == {"copy": "reused"}
    bucket.put("raw/a.txt", "two")
    third = run(make_step("copy", code))
    assert verdicts(third) == {"copy": "ran"}
    assert "got two" in log_of(third, "copy")


# --- outputs


def test_a_destination_on_a_bucket_holds_the_output_again(
    bucket: Bucket, ws: Any, make_step: Make, run: Make, verdicts: Tell
) -> None:
    def step() -> Any:
        made = OutputFileDatasetConfig("made", destination=(Datastore.get(ws, "far"), "out"))
        write = "import os, sys\nfor n in 'xy': open(os.path.join(sys.argv[1], n), 'w').write(n * 3)"
        return make_step("write", write, arguments=[made.as_upload()])

    finished = run(step())
    assert (bucket.keys(), bucket.text("out/x")) == (["out/x", "out/y"], "xxx")
    finished.find_step_run("write")[0].get_output_data("made").download("got")
    assert sorted(f.read_text() for f in Path("got").rglob("*") if f.is_file()) == ["xxx", "yyy"]
    before = bucket.written("out/x")
    bucket.put("out/y", "YYY")
    time.sleep(1.1)
    assert verdicts(run(step())) == {"write": "reused"}
    assert bucket.text("out/y") == "yyy", "what was changed is made as it was"
    assert bucket.written("out/x") == before, "what is as it was is left"


def test_a_folder_is_uploaded_and_a_table_registered(bucket: Bucket, ws: Any, project: Path) -> None:
    import pandas

    store = Datastore.get(ws, "far")
    (project / "data").mkdir()
    (project / "data" / "a.txt").write_text("a")
    assert Dataset.File.upload_directory("data", (store, "up")).to_path() == ["/a.txt"]
    with pytest.raises(UserErrorException, match=r"up/a\.txt is there already"):
        Dataset.File.upload_directory("data", (store, "up"))
    frame = pandas.DataFrame({"x": [1, 2]})
    table = Dataset.Tabular.register_pandas_dataframe(frame, (store, "tables"), "mine")
    assert table.to_pandas_dataframe().equals(frame)
    assert Dataset.get_by_name(ws, "mine").data_changed_time.year >= 2020


# --- the web


class _Web(BaseHTTPRequestHandler):
    """Serves `pages`; with a strong ETag where `tagged` is set."""

    pages: dict[str, bytes]
    tagged: bool

    def do_HEAD(self) -> None:
        self._head()

    def do_GET(self) -> None:
        if (body := self._head()) is not None:
            self.wfile.write(body)

    def _head(self) -> bytes | None:
        body = self.pages.get(self.path)
        self.send_response(200 if body is not None else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        if self.tagged and body is not None:
            self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
        self.end_headers()
        return body

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(params=[True, False], ids=["with ETag", "without"])
def web(request: pytest.FixtureRequest) -> Iterator[tuple[str, dict[str, bytes]]]:
    handler = type("Handler", (_Web,), {"pages": {}, "tagged": request.param})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", handler.pages  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()


def test_a_file_on_the_web_is_a_dataset(
    web: tuple[str, dict[str, bytes]], ws: Any, make_step: Make, run: Make, verdicts: Tell
) -> None:
    address, pages = web
    pages["/demo/titanic.csv?key=secret"] = b"name,age\nAnn,30\n"
    url = f"{address}/demo/titanic.csv?key=secret"
    assert Dataset.Tabular.from_delimited_files(url).to_pandas_dataframe().values.tolist() == [["Ann", 30]]

    def step() -> Any:
        given = Dataset.File.from_files(url).as_named_input("given").as_mount()
        return make_step(
            "read", "import sys; print(sys.argv[1].split('/')[-1], open(sys.argv[1]).read())", arguments=[given]
        )

    assert "titanic.csv name,age" in log_of(run(step()), "read")
    assert verdicts(run(step())) == {"read": "reused"}
    assert verdicts(run(step(), input_identity="content")) == {"read": "ran"}
    pages["/demo/titanic.csv?key=secret"] = b"name,age\nBob,40\n"
    changed = run(step(), input_identity="content")
    assert "Bob" in log_of(changed, "read")


def test_a_page_that_is_not_there_is_no_file(web: tuple[str, dict[str, bytes]], ws: Any) -> None:
    with pytest.raises(UserErrorException, match="stands for no file"):
        Dataset.Tabular.from_delimited_files(f"{web[0]}/nothing.csv").to_pandas_dataframe()


# --- what goes wrong


def test_a_bucket_that_is_not_there_and_a_server_that_does_not_answer(bucket: Bucket, ws: Any, project: Path) -> None:
    (project / "scriptstep.toml").write_text(bucket.settings().replace(bucket.name, "no-such-bucket"))
    with pytest.raises(UserErrorException, match="there is none at 'x'"):
        Dataset.File.from_files((Datastore.get(ws, "far"), "x"))
    (project / "src.txt").write_text("x")
    with pytest.raises(UserErrorException, match="'src.txt' on datastore 'far' cannot be written"):
        Datastore.get(ws, "far").upload_files(["src.txt"])
    (project / "scriptstep.toml").write_text(bucket.settings().replace(bucket.endpoint, "http://127.0.0.1:9"))
    with pytest.raises(UserErrorException, match=r"datastore 'far' cannot be listed: .*127\.0\.0\.1:9"):
        Dataset.File.from_files((Datastore.get(ws, "far"), "x")).to_path()


def test_a_file_that_changes_while_it_is_fetched_is_named(
    bucket: Bucket, ws: Any, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    bucket.put("raw/a.txt", "one")
    got = remote_room.RemoteStore._got

    def overtaken(self: Any, path: str, *rest: Any) -> Path:
        made = got(self, path, *rest)
        bucket.put("raw/a.txt", "two")
        return made

    monkeypatch.setattr(remote_room.RemoteStore, "_got", overtaken)
    with pytest.raises(UserErrorException, match=r"'raw/a.txt' on datastore 'far' changed while it was read"):
        Dataset.File.from_files((Datastore.get(ws, "far"), "raw")).download("got")
    assert fetched(home) == []


def test_a_backend_that_is_not_installed_is_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "scriptstep.toml").write_text('[datastores.far]\nurl = "abfs://container/folder"\n')
    monkeypatch.setitem(sys.modules, "adlfs", None)
    with pytest.raises(UserErrorException, match="abfs:// cannot be read in this Python") as caught:
        Datastore.get(Workspace.from_config(), "far").download("got")
    assert 'pip install "scriptstep[azure]"' in str(caught.value)


def test_a_bucket_that_keeps_versions(bucket: Bucket, ws: Any, make_step: Make, run: Make, verdicts: Tell) -> None:
    bucket.client.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})
    for text in ("first", "second"):
        bucket.put("raw/a.txt", text)
    folder, file = (Datastore.get(ws, "far").path(path, name) for path, name in (("raw", "f"), ("raw/a.txt", "g")))
    step = make_step("read", READ, arguments=[folder, file], inputs=[folder, file])
    assert "read a.txt second" in log_of(run(step), "read")
    assert verdicts(run(step)) == {"read": "reused"}


@pytest.mark.parametrize("key", ["raw/../../../out.txt", "raw/./a.txt", "raw//a.txt"])
def test_a_name_that_leads_elsewhere_is_refused(bucket: Bucket, ws: Any, project: Path, key: str) -> None:
    bucket.put(key, "out")
    with pytest.raises(UserErrorException, match="which cannot be a file here"):
        Datastore.get(ws, "far").download(str(project / "got"))
    assert [f for f in project.parent.rglob("*") if f.name in ("out.txt", "a.txt")] == []


def test_what_cannot_be_kept_is_told(bucket: Bucket, ws: Any, home: Path) -> None:
    bucket.put("raw/a.txt", "one")
    dataset = Dataset.File.from_files((Datastore.get(ws, "far"), "raw"))
    dataset.download("got")
    (kept,) = fetched(home)
    kept.unlink()
    kept.parent.rmdir()
    kept.parent.write_text("in the way")
    with pytest.raises(UserErrorException, match=r"'raw/a.txt' on datastore 'far' cannot be kept here"):
        dataset.download("again")


def test_a_run_that_is_cancelled_does_not_wait_for_its_download(ws: Any, make_step: Make, run: Make) -> None:
    asked = threading.Event()

    class Slow(_Web):
        pages, tagged = {"/slow.bin": b"x" * 60_000}, True

        def do_GET(self) -> None:
            body = self._head() or b""
            asked.set()
            with contextlib.suppress(OSError):
                for start in range(0, len(body), 200):
                    self.wfile.write(body[start : start + 200])
                    time.sleep(0.1)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    given = Dataset.File.from_files(f"http://127.0.0.1:{server.server_port}/slow.bin").as_named_input("x").as_mount()
    pipeline = Pipeline(ws, [make_step("read", READ, arguments=[given]), make_step("other", "")])
    started = pipeline.submit("slow")
    try:
        assert asked.wait(20)
        began = time.monotonic()
        started.cancel()
        started.wait_for_completion(show_output=False, raise_on_error=False)
        # The download itself would take half a minute.
        assert time.monotonic() - began < 10
        assert started.get_status() == "Canceled"
        assert {s.name: s.get_status() for s in started.get_steps()}["read"] == "Canceled"
    finally:
        server.shutdown()
        server.server_close()


def test_a_place_must_be_told_in_the_settings_and_stay_in_it(bucket: Bucket, ws: Any) -> None:
    with pytest.raises(ArgumentError, match=r"\.\."):
        Dataset.File.from_files((Datastore.get(ws, "far"), "../other"))
