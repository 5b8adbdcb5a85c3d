"""Scanning with a cache, from Python: what it spares, and how long work is followed and ended."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from scriptstep.content import ContentStore, Cost, Manifest, scan
from scriptstep.errors import ContentError


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A directory that is old enough for a cache to be believed."""
    root = tmp_path / "code"
    for number in range(60):
        path = root / f"d{number % 4}" / f"f{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"file {number}")
    return root


def test_without_a_cache_every_file_is_read_each_time(code: Path, tmp_path: Path) -> None:
    for _ in range(3):
        assert scan(code).cost == Cost(60, sum(e.size for e in scan(code)), 0)
    assert sorted(os.listdir(tmp_path)) == ["code"]


def test_a_young_directory_is_read_and_nothing_is_written_in_it(code: Path, tmp_path: Path) -> None:
    before = {path: path.stat() for path in code.rglob("*")}
    for _ in range(3):
        found = scan(code, cache=tmp_path / "stat", cache_anywhere=True)
        assert found == scan(code) and found.cost.files_known == 0
    assert {path: path.stat() for path in code.rglob("*")} == before


def test_a_manifest_that_no_scan_made_cost_nothing_and_warns_of_nothing(code: Path) -> None:
    again = Manifest.from_bytes(scan(code).to_bytes())
    assert again == scan(code) and again.cost == Cost(0, 0, 0) and again.warnings == ()


def test_a_cache_that_cannot_be_written_costs_time_only(code: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    assert scan(code, cache=tmp_path / "file") == scan(code)
    assert scan(code, cache="/proc/nowhere") == scan(code)


def test_progress_is_told_and_what_it_raises_ends_the_work(code: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    found = scan(code, on_progress=lambda files, size: told.append((files, size)))
    assert told[-1] == (60, found.total_size)
    store = ContentStore(tmp_path / "trees")
    store.save(code, found, on_progress=lambda files, size: None)
    with (code / "large.bin").open("wb") as file:
        file.truncate(8 << 30)

    def refuse(files: int, size: int) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        scan(code, on_progress=refuse)
    with pytest.raises(RuntimeError, match="enough"):
        store.add(code, on_progress=refuse)
    assert not [name for name in os.listdir(tmp_path / "trees" / ".tmp") if name]


def test_many_threads_may_scan_at_once(code: Path, tmp_path: Path) -> None:
    wanted, found = scan(code), []

    def work() -> None:
        found.extend(scan(code, cache=tmp_path / "stat") for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 160 and set(found) == {wanted}


def test_what_is_no_directory_is_an_error_with_a_cache_too(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for name in ("file", "nowhere"):
        with pytest.raises(ContentError, match=name):
            scan(tmp_path / name, cache=tmp_path / "stat")
