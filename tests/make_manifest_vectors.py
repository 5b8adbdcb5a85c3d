"""Writes tests/data/manifest_vectors.json by the reference alone: `python -m tests.make_manifest_vectors`.

A vector that changes means that every manifest kept so far has another digest: that takes a new domain.
"""

from __future__ import annotations

import json
from pathlib import Path

from blake3 import blake3

from tests.oracle.manifest_reference import Row, digest, encode

PLACE = Path(__file__).parent / "data" / "manifest_vectors.json"


def file(path: bytes, data: bytes, kind: str = "file") -> Row:
    return (kind, path, len(data), blake3(data).digest(), b"")


def link(path: bytes, target: bytes) -> Row:
    return ("link", path, 0, b"", target)


def folder(path: bytes) -> Row:
    return ("directory", path, 0, b"", b"")


TREES: dict[str, list[Row]] = {
    "nothing": [],
    "one file that is the root": [file(b"", b"hello\n")],
    "one executable that is the root": [file(b"", b"hello\n", "executable")],
    "one file": [file(b"main.py", b"print(1)\n")],
    "one executable": [file(b"main.py", b"print(1)\n", "executable")],
    "an empty file": [file(b"a", b"")],
    "an empty folder": [folder(b"a")],
    "a link": [link(b"a", b"b")],
    "sorted by bytes, not by parts": [
        file(b"a/b", b"1"),
        folder(b"a"),
        file(b"a-b", b"2"),
        file(b"a.b", b"3"),
        file(b"a0", b"4"),
    ],
    "names that are no text": [
        file(b"\xff\xfe", b"1"),
        file(b"new\nline", b"2"),
        file("日本/é".encode(), b"3"),
        file(b" ", b"4"),
    ],
    "links to bytes, up, and nowhere": [
        link(b"a/up", b"../b"),
        link(b"dots", b".."),
        link(b"raw", b"\xff/\xfe"),
        file(b"b", b"x"),
    ],
    "deep": [file(b"/".join([b"d"] * 200) + b"/f", b"deep")],
    "a large file": [file(b"large", b"scriptstep" * 300_000)],
    "many": [file(b"%03d.txt" % number, b"%d" % number) for number in range(70)],
}


def vectors() -> list[dict[str, object]]:
    made: list[dict[str, object]] = []
    for name, rows in TREES.items():
        entries = [
            {"path": path.hex(), "kind": kind, "size": size, "digest": sum_.hex(), "target": target.hex()}
            for kind, path, size, sum_, target in rows
        ]
        made.append({"name": name, "entries": entries, "encoded": encode(rows).hex(), "digest": digest(rows)})
    return made


if __name__ == "__main__":
    PLACE.write_text(json.dumps(vectors(), indent=1) + "\n", encoding="utf-8", newline="\n")
