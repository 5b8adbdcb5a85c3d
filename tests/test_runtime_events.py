"""Events of a step are whole, in order, and one each, whatever happens to the processes that write them."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriptstep.history import MetricRow, ModelRow, RunRow, now
from scriptstep.runtime.events import EventWriter, read_events
from scriptstep.runtime.plain_rows import from_plain, to_plain


def write_from_elsewhere(folder: Path, code: str) -> subprocess.Popen[bytes]:
    start = "import os, sys\nfrom pathlib import Path\nfrom scriptstep.runtime.events import EventWriter\nPATH = Path('events').absolute()\n"
    return subprocess.Popen([sys.executable, "-c", start + dedent(code)], cwd=folder)


def test_events_come_back_in_order(tmp_path: Path) -> None:
    writer = EventWriter(tmp_path / "events", "attempt")
    ids = [writer.write("tags", "run", tags={"n": str(n)}) for n in range(5)]
    events, offset = read_events(tmp_path / "events")
    assert [(e["id"], e["do"], e["run"], e["tags"]) for e in events] == [
        (id, "tags", "run", {"n": str(n)}) for n, id in enumerate(ids)
    ]
    assert all(e["t"].endswith("+00:00") for e in events)
    assert [e["t"] for e in events] == sorted(e["t"] for e in events)
    assert read_events(tmp_path / "events", offset) == ([], offset)
    assert offset == (tmp_path / "events").stat().st_size


def test_where_an_event_ends_is_told(tmp_path: Path) -> None:
    writer = EventWriter(tmp_path / "events", "attempt")
    ends = [writer.append("tags", "run", tags={}).end for _ in range(3)]
    assert [len(read_events(tmp_path / "events", end)[0]) for end in [0, *ends]] == [3, 2, 1, 0]


def test_a_line_that_is_not_whole_waits(tmp_path: Path) -> None:
    path = tmp_path / "events"
    id = EventWriter(path, "attempt").write("tags", "run", tags={})
    with path.open("ab") as file:
        file.write(b'\n{"id": "late", "do": "tags", "r')
    events, offset = read_events(path)
    assert [e["id"] for e in events] == [id]
    assert read_events(path, offset) == ([], offset)
    with path.open("ab") as file:
        file.write(b'un": "run"}\n')
    assert [e["id"] for e in read_events(path, offset)[0]] == ["late"]


def test_what_a_killed_process_left_half_written_spoils_no_other_event(tmp_path: Path) -> None:
    path = tmp_path / "events"
    writer = EventWriter(path, "attempt")
    first = writer.write("tags", "run", tags={})
    with path.open("ab") as file:
        file.write(b'\n{"id": "torn", "do": "tags", "run": "run", "tags": {"a')
    second = writer.write("tags", "run", tags={})
    assert [e["id"] for e in read_events(path)[0]] == [first, second]


def test_events_before_a_kill_are_there_and_whole(tmp_path: Path) -> None:
    process = write_from_elsewhere(
        tmp_path,
        """
        writer = EventWriter(PATH, "a")
        n = 0
        while True:
            writer.write("tags", "run", tags={"n": str(n), "x": "y" * 20000})
            n += 1
        """,
    )
    path = tmp_path / "events"
    limit = time.monotonic() + 20
    while (not path.exists() or path.stat().st_size < 2_000_000) and time.monotonic() < limit:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    after = EventWriter(path, "b").write("tags", "run", tags={"n": "end"})
    events, _ = read_events(path)
    assert [e["tags"]["n"] for e in events] == [*(str(n) for n in range(len(events) - 1)), "end"]
    assert len(events) > 50
    assert events[-1]["id"] == after


def test_events_of_several_processes_are_whole_and_have_ids_of_their_own(tmp_path: Path) -> None:
    process = write_from_elsewhere(
        tmp_path,
        """
        writer = EventWriter(PATH, "a")
        writer.write("tags", "run", tags={"x": "y" * 30000})
        for _ in range(4):
            if os.fork() == 0:
                for n in range(200):
                    writer.write("tags", "run", tags={"x": "y" * (n * 37 % 9000)})
                os._exit(0)
        for _ in range(4):
            os.wait()
        """,
    )
    assert process.wait() == 0
    events, _ = read_events(tmp_path / "events")
    assert len(events) == len({e["id"] for e in events}) == 801


def test_events_of_several_threads_have_ids_of_their_own(tmp_path: Path) -> None:
    writer = EventWriter(tmp_path / "events", "a")
    threads = [
        threading.Thread(target=lambda: [writer.write("tags", "run", tags={}) for _ in range(100)]) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events, _ = read_events(tmp_path / "events")
    assert len(events) == len({e["id"] for e in events}) == 600


def test_a_process_that_gets_the_id_of_one_before_it_has_ids_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getpid", lambda: 7)  # as the first process of each container of a step
    ids = [EventWriter(tmp_path / "events", "a").write("tags", "run", tags={}) for _ in range(20)]
    assert len(set(ids)) == 20
    assert all(id.startswith("a-7-") for id in ids)


def test_a_script_that_closes_every_descriptor_or_leaves_its_folder_loses_nothing(tmp_path: Path) -> None:
    process = write_from_elsewhere(
        tmp_path,
        """
        writer = EventWriter(PATH, "a")
        writer.write("tags", "run", tags={})
        os.closerange(3, 256)
        held = [open(f"mine-{n}", "w+") for n in range(9)]  # of the same numbers
        os.chdir("/")
        writer.write("tags", "run", tags={})
        assert all(file.read() == "" for file in held)
        """,
    )
    assert process.wait() == 0
    assert len(read_events(tmp_path / "events")[0]) == 2


def test_a_full_disk_is_an_error_that_names_the_file_and_costs_no_other_event(tmp_path: Path) -> None:
    path = tmp_path / "events"
    writer = EventWriter(path, "a")
    first = writer.write("tags", "run", tags={})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 100, before[1]))
    try:
        with pytest.raises(OSError, match="no space") as caught:
            writer.write("tags", "run", tags={"x": "y" * 5000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.filename == str(path)
    second = writer.write("tags", "run", tags={})
    assert [e["id"] for e in read_events(path)[0]] == [first, second]


def test_what_is_no_plain_data_is_an_error_and_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        EventWriter(tmp_path / "events", "a").write("tags", "run", tags={"a": object()})
    assert not (tmp_path / "events").exists()


def test_a_file_that_is_not_there_yet_has_no_events(tmp_path: Path) -> None:
    assert read_events(tmp_path / "none") == ([], 0)


def test_lines_that_are_no_events_are_passed_over(tmp_path: Path) -> None:
    lines = [b"", b"null", b"[1]", b'{"id": 1}', b"\xff\xfe", b'{"id": "x", "do": "tags", "run": "r"}']
    (tmp_path / "events").write_bytes(b"\n".join(lines) + b"\n")
    assert [e["id"] for e in read_events(tmp_path / "events")[0]] == ["x"]


@given(st.dictionaries(st.text(st.characters()), st.text(st.characters()) | st.integers() | st.floats(allow_nan=False)))
def test_any_text_and_number_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, given: dict[str, object]
) -> None:
    path = tmp_path_factory.mktemp("events") / "events"
    EventWriter(path, "a").write("tags", "run", tags=given)
    assert read_events(path)[0][0]["tags"] == given


def test_an_event_costs_little_more_than_its_json_and_one_write(tmp_path: Path) -> None:
    writer = EventWriter(tmp_path / "events", "a")
    row = to_plain(MetricRow("run", "loss", "scalar", 0.25, 3, ""))
    event = {"id": "a-1-1", "t": now(), "do": "metric", "run": "run", "row": row}

    def plainly() -> None:
        data = json.dumps(event).encode()
        descriptor = os.open(tmp_path / "plain", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.write(descriptor, data)
        os.close(descriptor)

    def cost(call: Callable[[], object]) -> float:
        begin = time.process_time()
        for _ in range(1000):
            call()
        return time.process_time() - begin

    # In turns, and the least of each: what else the machine does falls on both.
    ours, plain = zip(
        *[(cost(lambda: writer.write("metric", "run", row=row)), cost(plainly)) for _ in range(10)], strict=True
    )
    assert min(ours) < 3 * min(plain), (ours, plain)


def test_rows_survive_being_written_down() -> None:
    rows = [
        MetricRow("run", "m", "scalar", 1.5, None, now()),
        ModelRow("m:1", "m", 1, "00", "model.pkl", {"a": "b"}, {}, None, "run", None, None, now()),
        RunRow("r", "ws", "e", "child", "c", details={"a": [1, {"b": None}]}),
    ]
    assert from_plain(json.loads(json.dumps(to_plain(rows)))) == rows


def test_only_rows_are_made_of_an_event() -> None:
    with pytest.raises(ValueError, match="no row is called"):
        from_plain({"row": "History", "fields": {"path": "/"}})
