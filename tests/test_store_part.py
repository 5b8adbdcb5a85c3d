"""A part of a stored tree is a tree of its own: whole or not at all, and made of the same files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scriptstep.content import ContentStore, Manifest
from scriptstep.errors import TreeDamaged, TreeMissing


@pytest.fixture
def store(tmp_path: Path) -> ContentStore:
    return ContentStore(tmp_path / "trees")


@pytest.fixture
def whole(store: ContentStore, tmp_path: Path) -> Manifest:
    root = tmp_path / "code"
    (root / "lib").mkdir(parents=True)
    for name in ("main.py", "lib/a.py", "lib/b.py", "run.sh"):
        (root / name).write_text(f"this is {name}")
    (root / "run.sh").chmod(0o755)
    (root / "link.py").symlink_to("main.py")
    return store.save(root)


def test_a_part_is_exactly_its_entries_and_shares_their_files(
    store: ContentStore, whole: Manifest, tmp_path: Path
) -> None:
    part = whole.subset(["lib/a.py", "link.py", "run.sh"])
    assert not store.ensure(part.digest)
    store.save_part(whole.digest, part)
    store.save_part(whole.digest, part)
    assert store.ensure(part.digest) and store.verify(part.digest) == []
    assert store.manifest(part.digest) == part
    content = store.content_path(part.digest)
    assert sorted(os.listdir(content)) == ["lib", "link.py", "run.sh"] and os.listdir(content / "lib") == ["a.py"]
    assert (content / "lib" / "a.py").samefile(store.content_path(whole.digest) / "lib" / "a.py")
    store.restore(part.digest, tmp_path / "copy")
    assert os.readlink(tmp_path / "copy" / "link.py") == "main.py" and os.access(tmp_path / "copy" / "run.sh", os.X_OK)
    assert store.verify(whole.digest) == []


def test_a_part_of_what_was_damaged_is_not_made_and_the_file_is_named(store: ContentStore, whole: Manifest) -> None:
    (store.content_path(whole.digest) / "lib" / "a.py").write_text("less")
    untouched = whole.subset(["run.sh"])
    store.save_part(whole.digest, untouched)
    part = whole.subset(["lib"])
    with pytest.raises(TreeDamaged, match=r"lib/a\.py is not what it was"):
        store.save_part(whole.digest, part)
    assert not store.ensure(part.digest) and not store.ensure(whole.digest)
    assert store.verify(untouched.digest) == []


def test_a_part_of_what_is_not_there_is_missing(store: ContentStore, whole: Manifest) -> None:
    with pytest.raises(TreeMissing):
        store.save_part("0" * 64, whole.subset(["lib"]))
