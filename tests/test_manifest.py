"""Manifests: equal to the slow reference's, refused where they describe no tree, and what their differences say."""

from __future__ import annotations

import json
import os
import random
import struct
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from scriptstep.content import Change, Manifest, digest_bytes
from scriptstep.errors import TreeDamaged
from tests.make_manifest_vectors import vectors
from tests.oracle import manifest_reference as reference
from tests.scans import scan_code, scan_tree

VECTORS = json.loads((Path(__file__).parent / "data" / "manifest_vectors.json").read_text(encoding="utf-8"))


def file(path: bytes, data: bytes = b"", kind: str = "file") -> reference.Row:
    return (kind, path, len(data), blake3(data).digest(), b"")


def manifest_of(*rows: reference.Row) -> Manifest:
    return Manifest.from_bytes(reference.encode(list(rows)))


def of_files(files: dict[bytes, bytes]) -> Manifest:
    return manifest_of(*(file(path, data) for path, data in files.items()))


# The digest.


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_a_golden_vector_is_what_it_was(vector: dict[str, Any]) -> None:
    encoded = bytes.fromhex(vector["encoded"])
    manifest = Manifest.from_bytes(encoded)
    assert manifest.digest == vector["digest"]
    assert manifest.to_bytes() == encoded
    listed = [
        {**entry, "digest": entry["digest"] if entry["kind"] in ("file", "executable") else ""}
        for entry in vector["entries"]
    ]
    found = [
        {
            "path": entry.path.hex(),
            "kind": entry.kind,
            "size": entry.size,
            "digest": entry.digest if entry.kind in ("file", "executable") else "",
            "target": entry.target.hex(),
        }
        for entry in manifest
    ]
    assert found == sorted(listed, key=lambda entry: bytes.fromhex(entry["path"]))


def test_the_golden_vectors_are_those_of_the_reference() -> None:
    assert vectors() == VECTORS


def plant(chance: random.Random, folder: bytes, depth: int = 0) -> None:
    """Fills a folder with files of all sizes, links that stay in it, folders, and names of any bytes."""
    for number in range(chance.randint(0, 7)):
        name = bytes(chance.choice(b"abc-._ \xc3\xa9\xff\n~") for _ in range(chance.randint(1, 4))) + b"%d" % number
        path = os.path.join(folder, name)
        what = chance.random()
        if what < 0.3 and depth < 4:
            os.mkdir(path)
            plant(chance, path, depth + 1)
        elif what < 0.4:
            os.symlink(chance.choice([b".", name, b"nowhere"]), path)
        else:
            with open(path, "wb") as data:
                data.write(chance.randbytes(chance.choice([0, 1, 10, 1000, 131_072, 131_073, 400_000])))
            os.chmod(path, chance.choice([0o644, 0o755, 0o600, 0o655, 0o744, 0o444]))


@pytest.mark.parametrize("seed", range(40))
def test_a_scan_agrees_with_the_slow_reference(seed: int, tmp_path: Path) -> None:
    plant(random.Random(seed), os.fsencode(tmp_path))
    found = scan_tree(tmp_path)
    rows = reference.rows_of(os.fsencode(tmp_path))
    assert found.digest == reference.digest(rows)
    assert found.to_bytes() == reference.encode(rows)
    assert len(found) == len(rows) and found.total_size == sum(row[2] for row in rows)
    assert scan_code(tmp_path).digest == reference.digest(reference.rows_of(os.fsencode(tmp_path), folders=False))


@pytest.mark.parametrize("threads", [1, 2, 3, 8, 33])
def test_a_manifest_is_the_same_whatever_the_count_of_threads(threads: int, tmp_path: Path) -> None:
    chance = random.Random(7)
    for number in range(40):
        (tmp_path / f"d{number}").mkdir()
        for part in range(10):
            (tmp_path / f"d{number}" / f"{part}.bin").write_bytes(chance.randbytes(chance.randint(0, 3000)))
    wanted = reference.digest(reference.rows_of(os.fsencode(tmp_path), folders=False))
    assert scan_code(tmp_path, threads=threads).digest == wanted


def test_only_what_belongs_to_a_tree_is_in_its_digest(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir(mode=0o700 if name == "one" else 0o755)
        (tmp_path / name / "b").write_text("b")
        (tmp_path / name / "a").write_text("a")
    os.utime(tmp_path / "two" / "a", (1, 1))
    os.chmod(tmp_path / "two" / "b", 0o606)
    assert scan_tree(tmp_path / "one") == scan_tree(tmp_path / "two")


def test_a_digest_of_bytes_is_blake3_under_its_domain() -> None:
    assert digest_bytes("scriptstep test", b"x") == blake3(b"x", derive_key_context="scriptstep test").hexdigest()


# What is no manifest.

FILE = struct.pack("<Q", 0) + blake3(b"").digest()


def encoded(*entries: tuple[int, bytes, bytes], count: int | None = None) -> bytes:
    """Writes entries as they are: in their order, whatever they say."""
    parts = [struct.pack("<Q", len(entries) if count is None else count)]
    return b"".join(parts + [struct.pack("<BQ", kind, len(path)) + path + rest for kind, path, rest in entries])


def text(target: bytes) -> bytes:
    return struct.pack("<Q", len(target)) + target


REFUSED = {
    "nothing at all": b"",
    "half a count": b"\0\0\0",
    "no entries where one is said": encoded(count=1),
    "a count that asks for all memory": encoded(count=2**63),
    "fewer than said": encoded((1, b"a", FILE), count=2),
    "more than said": encoded((1, b"a", FILE), (1, b"b", FILE), count=1),
    "something behind": encoded((1, b"a", FILE)) + b"\0",
    "a path longer than all": struct.pack("<QBQ", 1, 1, 2**64 - 1) + b"a" * 50,
    "kind 0": encoded((0, b"a", FILE)),
    "kind 5": encoded((5, b"a", b"")),
    "not sorted": encoded((1, b"b", FILE), (1, b"a", FILE)),
    "twice the same": encoded((1, b"a", FILE), (1, b"a", FILE)),
    "twice as two kinds": encoded((1, b"a", FILE), (4, b"a", b"")),
    "up": encoded((1, b"..", FILE)),
    "up inside": encoded((1, b"a/../b", FILE)),
    "up at the end": encoded((4, b"a/..", b"")),
    "here": encoded((1, b"./a", FILE)),
    "absolute": encoded((1, b"/etc/passwd", FILE)),
    "a slash at the end": encoded((4, b"a/", b"")),
    "two slashes": encoded((1, b"a//b", FILE)),
    "a slash alone": encoded((4, b"/", b"")),
    "a NUL": encoded((1, b"a\0b", FILE)),
    "a file below a file": encoded((1, b"a", FILE), (1, b"a/b", FILE)),
    "a file far below a file": encoded((1, b"a", FILE), (1, b"a-b", FILE), (1, b"a.b", FILE), (1, b"a/b/c", FILE)),
    "a file below a link": encoded((3, b"a", text(b"/etc")), (1, b"a/passwd", FILE)),
    "a folder below a link": encoded((3, b"a", text(b"..")), (4, b"a/b", b"")),
    "the root beside others": encoded((1, b"", FILE), (1, b"a", FILE)),
    "a root that is a folder": encoded((4, b"", b"")),
    "a root that is a link": encoded((3, b"", text(b"a"))),
    "a link without a text": encoded((3, b"a", text(b""))),
    "a link with a NUL": encoded((3, b"a", text(b"b\0c"))),
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_bytes_that_describe_no_tree_are_refused(data: bytes) -> None:
    with pytest.raises(TreeDamaged):
        Manifest.from_bytes(data)


def test_a_name_that_begins_like_a_file_is_not_below_it() -> None:
    assert manifest_of(file(b"a"), file(b"a-b"), file(b"ab/c")).paths() == [b"a", b"a-b", b"ab/c"]


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_or_are_the_canonical_ones(data: bytes) -> None:
    try:
        manifest = Manifest.from_bytes(data)
    except TreeDamaged:
        return
    assert manifest.to_bytes() == data


@given(st.data())
@settings(max_examples=200)
def test_a_flipped_bit_is_refused_or_changes_the_digest(data: st.DataObject) -> None:
    whole = encoded((2, b"a/b", FILE), (3, b"a/c", text(b"b")), (4, b"d", b""), (1, b"e", FILE))
    at = data.draw(st.integers(0, len(whole) * 8 - 1))
    bent = bytearray(whole)
    bent[at // 8] ^= 1 << at % 8
    try:
        manifest = Manifest.from_bytes(bytes(bent))
    except TreeDamaged:
        return
    assert manifest.digest != Manifest.from_bytes(whole).digest


# What a manifest answers.


def test_it_is_compared_by_its_digest() -> None:
    one, same, other = of_files({b"a": b"1"}), of_files({b"a": b"1"}), of_files({b"a": b"2"})
    assert one == same and hash(one) == hash(same) and one != other and one != "a"
    assert {one, same, other} == {one, other}
    assert one.digest[:12] in repr(one)


def test_get_finds_what_is_there_and_nothing_else() -> None:
    manifest = of_files({b"a/b": b"12", b"a-b": b""})
    found = manifest.get(b"a/b")
    assert found is not None
    assert (found.kind, found.size, found.digest, found.target) == ("file", 2, blake3(b"12").hexdigest(), b"")
    assert [manifest.get(path) for path in (b"a", b"a/", b"", b"a/b/c")] == [None] * 4


@pytest.mark.parametrize(
    ("wanted", "left"),
    [
        (["a"], [b"a/b", b"a/c/d"]),
        (["a/"], [b"a/b", b"a/c/d"]),
        (["./a/../a/c"], [b"a/c/d"]),
        ([b"a-b"], [b"a-b"]),
        (["a/c/d", "e", "a/c"], [b"a/c/d", b"e"]),
        (["."], [b"a-b", b"a/b", b"a/c/d", b"e"]),
        (["nothing"], []),
        ([], []),
    ],
)
def test_a_subset_is_what_lies_at_or_below(wanted: list[str | bytes], left: list[bytes]) -> None:
    manifest = of_files({b"a-b": b"", b"a/b": b"", b"a/c/d": b"", b"e": b""})
    part = manifest.subset(wanted)
    assert part.paths() == left
    assert part == of_files(dict.fromkeys(left, b""))


# Differences.


def test_a_diff_names_each_kind_of_change() -> None:
    before = manifest_of(
        file(b"gone", b"1"), file(b"old", b"moved"), file(b"x", b"x"), file(b"same"), file(b"c", b"1"), file(b"k")
    )
    after = manifest_of(
        file(b"new", b"2"),
        file(b"to", b"moved"),
        file(b"x", b"x", "executable"),
        file(b"same"),
        file(b"c", b"2"),
        ("directory", b"k", 0, b"", b""),
    )
    assert before.diff(after) == [
        Change("changed", b"c", None),
        Change("removed", b"gone", None),
        Change("changed", b"k", None),
        Change("added", b"new", None),
        Change("renamed", b"to", b"old"),
        Change("mode", b"x", None),
    ]


def test_an_executable_that_changed_its_bytes_too_is_changed() -> None:
    assert [c.kind for c in manifest_of(file(b"a", b"1")).diff(manifest_of(file(b"a", b"2", "executable")))] == [
        "changed"
    ]


def test_a_renamed_file_is_paired_once() -> None:
    before, after = of_files({b"a": b"same", b"b": b"same"}), of_files({b"c": b"same"})
    assert before.diff(after) == [Change("removed", b"b", None), Change("renamed", b"c", b"a")]
    assert after.diff(before) == [Change("renamed", b"a", b"c"), Change("added", b"b", None)]


def test_empty_files_are_not_called_renamed() -> None:
    assert [c.kind for c in of_files({b"a": b""}).diff(of_files({b"b": b""}))] == ["removed", "added"]


trees = st.dictionaries(st.sampled_from([b"a", b"b", b"c/d", b"c/e", b"f"]), st.sampled_from([b"", b"1", b"2", b"33"]))


@given(trees, trees)
@settings(max_examples=300)
def test_a_diff_carries_one_tree_into_the_other(before: dict[bytes, bytes], after: dict[bytes, bytes]) -> None:
    changes = of_files(before).diff(of_files(after))
    assert (changes == []) == (before == after)
    paths = [change.path for change in changes]
    assert paths == sorted(paths)
    carried = dict(before)
    moved = {change.old_path: carried.pop(change.old_path) for change in changes if change.old_path is not None}
    for change in changes:
        if change.kind == "removed":
            del carried[change.path]
        elif change.kind == "renamed":
            assert change.old_path is not None and change.path not in before
            carried[change.path] = moved[change.old_path]
        elif change.kind == "added":
            assert change.path not in before
            carried[change.path] = after[change.path]
        else:
            assert before[change.path] != after[change.path]
            carried[change.path] = after[change.path]
    assert carried == after
