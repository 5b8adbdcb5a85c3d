"""What is known of installed distributions is what reading them would tell, and spares reading them."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scriptstep.content import stamps
from scriptstep.engine import known_distributions
from scriptstep.engine.environment_identity import read_dist_infos
from scriptstep.engine.known_distributions import KnownDistributions

NAMES = ("alpha-1.0", "beta-2.0", "gamma-3.0")


def at_once(folder: Path, names: Sequence[str]) -> list[str | None]:
    """Stamps as the core's, without its minute; these files are written apart, and never twice with one size."""
    found: list[str | None] = []
    for name in names:
        try:
            stat = os.lstat(folder / name)
        except FileNotFoundError:
            found.append("")
        else:
            found.append(f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_ino}")
    return found


@pytest.fixture(autouse=True)
def without_the_minute() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(known_distributions, "stamps", at_once)
        yield


def install(folder: Path, name: str, number: int = 0) -> None:
    place = folder / f"{name}.dist-info"
    place.mkdir(exist_ok=True)
    package, _, version = name.partition("-")
    (place / "METADATA").write_text(
        f"Name: {package.title()}\nVersion: {version}\nRequires-Dist: other{'x' * number}>=1\n\n"
    )
    (place / "RECORD").write_text(f"{package}/__init__.py,sha256={'h' * number},{number}\n{package}.pth,sha256=a,1\n")


def dist_infos(folder: Path) -> list[str]:
    return sorted(name for name in os.listdir(folder) if name.endswith(".dist-info"))


def both(cache: Path, folder: Path) -> tuple[Any, Any]:
    names = dist_infos(folder)
    return KnownDistributions(cache).read(folder, names), read_dist_infos(folder, names)


EDITS = (
    "install",
    "record",
    "metadata",
    "editable",
    "local",
    "ordinary",
    "pth",
    "drop",
    "drop_record",
    "drop_metadata",
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(EDITS), st.sampled_from(NAMES)), max_size=12))
def test_after_any_edits_what_is_known_is_what_would_be_read(edits: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as above:
        folder, cache = Path(above, "site-packages"), Path(above, "known")
        folder.mkdir()
        for name in NAMES[:2]:
            install(folder, name)
        for number, (edit, name) in enumerate(edits, 1):
            place = folder / f"{name}.dist-info"
            if edit == "install" or not place.exists():
                install(folder, name, number)
            elif edit == "record":
                with (place / "RECORD").open("a") as file:
                    file.write(f"more{number}.py,sha256=b,1\n")
            elif edit == "metadata":
                with (place / "METADATA").open("a") as file:
                    file.write("Summary: x\n")
            elif edit == "editable":
                (place / "direct_url.json").write_text(json.dumps({"dir_info": {"editable": True}, "n": "n" * number}))
            elif edit == "local":
                (place / "direct_url.json").write_text(json.dumps({"url": "file:///x.whl", "n": "n" * number}))
            elif edit == "ordinary":
                (place / "direct_url.json").unlink(missing_ok=True)
            elif edit == "pth":
                (folder / f"{name.partition('-')[0]}.pth").write_text(f"{above}\n{'#' * number}\n")
            elif edit == "drop":
                shutil.rmtree(place)
            else:
                (place / edit.removeprefix("drop_").upper()).unlink(missing_ok=True)
            known, read = both(cache, folder)
            assert known == read


def test_what_did_not_change_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, cache = tmp_path / "site-packages", tmp_path / "known"
    folder.mkdir()
    for name in NAMES:
        install(folder, name)
    told = both(cache, folder)[1]
    read: list[str] = []

    def noted(folder: Path, names: Sequence[str]) -> Any:
        read.extend(names)
        return read_dist_infos(folder, names)

    monkeypatch.setattr(known_distributions, "read_dist_infos", noted)
    assert KnownDistributions(cache).read(folder, dist_infos(folder)) == told and read == []
    install(folder, NAMES[1], 1)
    assert KnownDistributions(cache).read(folder, dist_infos(folder)) != told and read == [f"{NAMES[1]}.dist-info"]


def test_what_was_installed_from_a_file_is_not_read_again_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, cache = tmp_path / "site-packages", tmp_path / "known"
    folder.mkdir()
    install(folder, NAMES[0])
    (folder / f"{NAMES[0]}.dist-info" / "direct_url.json").write_text('{"url": "file:///x.whl"}')
    told = both(cache, folder)[1]
    monkeypatch.setattr(known_distributions, "read_dist_infos", lambda folder, names: [][: len(names)])
    assert KnownDistributions(cache).read(folder, dist_infos(folder)) == told


def test_a_damaged_cache_is_not_believed(tmp_path: Path) -> None:
    folder, cache = tmp_path / "site-packages", tmp_path / "known"
    folder.mkdir()
    install(folder, NAMES[0])
    both(cache, folder)
    sound = cache.read_bytes()
    damaged = [sound[:at] + bytes([sound[at] ^ 1]) + sound[at + 1 :] for at in range(len(sound))]
    for data in [*damaged, b"", sound[:70], sound + b"x", b"\xff" + sound, b"[]\n[]"]:
        cache.write_bytes(data)
        known, read = both(cache, folder)
        assert known == read
        assert cache.read_bytes() == sound, "it is made anew"


def test_a_cache_that_cannot_be_written_costs_time_only(tmp_path: Path) -> None:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    install(folder, NAMES[0])
    known, read = both(folder / f"{NAMES[0]}.dist-info" / "RECORD" / "known", folder)
    assert known == read
    cache = tmp_path / "known"
    both(cache, folder)
    assert cache.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["known", "site-packages"]


def test_the_cores_stamps_are_none_for_what_is_young(tmp_path: Path) -> None:
    (tmp_path / "young").touch()
    assert stamps(tmp_path, ["young"]) == [None]
    settled = Path(os.__file__)
    first, second = (stamps(settled.parent, [settled.name])[0] for _ in range(2))
    assert first == second and first != ""
