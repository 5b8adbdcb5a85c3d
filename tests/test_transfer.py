"""Many files copied at once: side by side, with a word of how far it is, given up when asked to."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from threading import Event

import pytest

from scriptstep.data import transfer as room
from scriptstep.data.transfer import Job, TransferCancelled, cancel_when, copy_jobs, lay_out, transfer
from scriptstep.errors import UserErrorException


def test_jobs_run_side_by_side() -> None:
    both = threading.Barrier(2, timeout=20)

    def meet(given_up: Event) -> None:
        both.wait()

    transfer([Job(meet), Job(meet)], "meet", threads=2)


def test_what_takes_long_tells_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(room, "_SILENT_S", 0.05)
    jobs = [Job(lambda given_up: time.sleep(0.2), 1_000_000) for _ in range(4)]
    transfer(jobs, "download from datastore 'store'", threads=1)
    told = capsys.readouterr().err
    assert "note: download from datastore 'store': 0 of 4 (0 B of 4.0 MB)" in told
    assert "3 of 4" in told and "4 of 4" not in told


def test_the_first_that_fails_ends_it() -> None:
    done: list[int] = []

    def job(number: int) -> Job:
        def run(given_up: Event) -> None:
            if number == 0:
                raise UserErrorException("the first")
            time.sleep(0.02)
            done.append(number)

        return Job(run)

    with pytest.raises(UserErrorException, match="the first"):
        transfer([job(n) for n in range(200)], "x", threads=2)
    assert len(done) < 100


def test_it_is_given_up_in_the_thread_that_asked_for_it() -> None:
    seen: list[bool] = []
    raised: list[BaseException] = []
    asked = Event()

    def long(given_up: Event) -> None:
        asked.set()
        seen.append(given_up.wait(20))

    def start() -> None:
        cancel_when(asked.is_set)
        try:
            transfer([Job(long), Job(long)], "the download")
        except TransferCancelled as error:
            raised.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join(20)
    assert [str(error) for error in raised] == ["the download was cancelled"]
    assert seen == [True, True], "what was under way was told"
    transfer([Job(lambda given_up: None)], "another thread's is none of its business")


def test_a_copy_that_cannot_be_made_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    pairs = [(tmp_path / "a", tmp_path / "to" / "a"), (tmp_path / "gone", tmp_path / "to" / "b")]
    with pytest.raises(UserErrorException, match=r"copy: .*gone cannot be copied to .*b: No such file"):
        transfer(copy_jobs(pairs, "copy"), "copy")
    assert [p.name for p in (tmp_path / "to").iterdir()] in (["a"], [])


def test_links_are_short_where_they_may_be(tmp_path: Path) -> None:
    deep = tmp_path / ("long" * 20) / "files"
    deep.mkdir(parents=True)
    for name in ("a.txt", "b.txt"):
        (deep / name).write_text(name)
    files = [("x/a.txt", str(deep / "a.txt")), ("b.txt", str(deep / "b.txt"))]
    lay_out(files, tmp_path / "plain")
    lay_out(files, tmp_path / "short", beside=tmp_path / ".short")
    for folder in ("plain", "short"):
        laid = {str(p.relative_to(tmp_path / folder)): p for p in (tmp_path / folder).rglob("*.txt")}
        assert {name: p.read_text() for name, p in laid.items()} == {"x/a.txt": "a.txt", "b.txt": "b.txt"}
        assert all(len(os.readlink(p)) < 60 for p in laid.values()) is (folder == "short")
    with pytest.raises(UserErrorException, match=r"b.txt is there already"):
        lay_out([("b.txt", str(deep / "a.txt"))], tmp_path / "plain")


def test_links_lead_to_the_files_whatever_leads_to_their_folders(tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(60):
        deep /= "a"
    (deep / "sub").mkdir(parents=True)
    for name in ("one.txt", "sub/two.txt"):
        (deep / name).write_text(name)
    (tmp_path / "link").symlink_to(deep)
    files = [("one.txt", f"{tmp_path}/link/one.txt"), ("s/two.txt", f"{tmp_path}/link/sub/../sub/two.txt")]
    lay_out(files, tmp_path / "mount", beside=tmp_path / "ways")
    (tmp_path / "link").unlink()
    assert (tmp_path / "mount" / "one.txt").read_text() == "one.txt"
    assert (tmp_path / "mount" / "s" / "two.txt").read_text() == "sub/two.txt"
