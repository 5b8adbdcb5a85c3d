"""A manifest's digest, written a second time, slowly and plainly: what the Rust core must agree with.

It reads a directory whole, as `scan_tree` does, and knows no links that lead out, no sockets, nothing that changes.
"""

from __future__ import annotations

import os
import stat
import struct

from blake3 import blake3

CONTEXT = "scriptstep 2026 manifest 1"
KINDS = {"file": 1, "executable": 2, "link": 3, "directory": 4}

# kind, path, size, BLAKE3 of the bytes, text of a link
Row = tuple[str, bytes, int, bytes, bytes]


def rows_of(root: bytes, below: bytes = b"", *, folders: bool = True) -> list[Row]:
    """Lists what a directory holds, unsorted."""
    rows: list[Row] = []
    for name in os.listdir(os.path.join(root, below)):
        path = os.path.join(below, name)
        full = os.path.join(root, path)
        mode = os.lstat(full).st_mode
        if stat.S_ISLNK(mode):
            rows.append(("link", path, 0, b"", os.readlink(full)))
        elif stat.S_ISDIR(mode):
            rows += [("directory", path, 0, b"", b"")] if folders else []
            rows += rows_of(root, path, folders=folders)
        else:
            with open(full, "rb") as file:
                data = file.read()
            kind = "executable" if mode & stat.S_IXUSR else "file"
            rows.append((kind, path, len(data), blake3(data).digest(), b""))
    return rows


def encode(rows: list[Row]) -> bytes:
    """Writes rows as canonical bytes."""
    parts = [struct.pack("<Q", len(rows))]
    for kind, path, size, digest, target in sorted(rows, key=lambda row: row[1]):
        parts.append(struct.pack("<BQ", KINDS[kind], len(path)) + path)
        if kind in ("file", "executable"):
            parts.append(struct.pack("<Q", size) + digest)
        elif kind == "link":
            parts.append(struct.pack("<Q", len(target)) + target)
    return b"".join(parts)


def digest(rows: list[Row]) -> str:
    """Digests rows."""
    return blake3(encode(rows), derive_key_context=CONTEXT).hexdigest()
