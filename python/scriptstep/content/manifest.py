"""The list of what a directory holds: immutable, with one digest."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from scriptstep import _core

__all__ = ["Change", "Cost", "Entry", "Manifest", "digest_bytes", "digest_file"]

_AT_ONCE = 4096


class Entry(NamedTuple):
    """One file, link or folder of a manifest.

    Attributes:
        path: Below the root; empty where the root is one file.
        kind: What it is; "executable" is a file that its owner may execute.
        size: Bytes, of a file; else 0.
        digest: BLAKE3 of the file's bytes, as `b3sum` prints it; of a link's text.
        target: A link's text; else empty.
    """

    path: bytes
    kind: Literal["file", "executable", "link", "directory"]
    size: int
    digest: str
    target: bytes


class Change(NamedTuple):
    """How a later manifest differs at one path.

    Attributes:
        kind: What happened; "mode" is the executable bit alone.
        path: Where it is, or was.
        old_path: Where a renamed file was; else None.
    """

    kind: Literal["added", "removed", "changed", "renamed", "mode"]
    path: bytes
    old_path: bytes | None


class Cost(NamedTuple):
    """What a scan had to do.

    Attributes:
        files_read: Files that were read.
        bytes_read: Their bytes.
        files_known: Files that were known to be what they were, without being read.
    """

    files_read: int
    bytes_read: int
    files_known: int


class Manifest:
    """The sorted list of what a directory, or one file, holds, with one digest; immutable, compared by its digest.

    Iterating it gives its entries, sorted by path.
    """

    __slots__ = ("_core", "_scan")

    def __init__(self, core: _core.Manifest, scan: _core.Scan | None = None) -> None:
        self._core = core
        self._scan = scan

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was found and left out, or kept as a link, a line each; where a scan made it."""
        return () if self._scan is None else tuple(self._scan.warnings)

    @property
    def cost(self) -> Cost:
        """What it took to find out; where a scan made it."""
        return Cost(0, 0, 0) if self._scan is None else Cost(*self._scan.cost)

    @staticmethod
    def from_bytes(data: bytes) -> Manifest:
        """Reads a manifest's canonical bytes.

        Args:
            data: What `to_bytes` gave.

        Returns:
            The manifest.

        Raises:
            TreeDamaged: They are not the canonical bytes of a manifest, or describe no tree that can be.
        """
        return Manifest(_core.Manifest.from_bytes(data))

    def to_bytes(self) -> bytes:
        """Returns: its canonical bytes, the same on every machine."""
        return self._core.to_bytes()

    @property
    def digest(self) -> str:
        """Its digest: equal digests, equal trees."""
        return self._core.digest

    @property
    def total_size(self) -> int:
        """Bytes of all its files."""
        return self._core.total_size

    def __len__(self) -> int:
        return len(self._core)

    def __iter__(self) -> Iterator[Entry]:
        for start in range(0, len(self), _AT_ONCE):
            yield from (Entry(*entry) for entry in self._core.entries_from(start, _AT_ONCE))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Manifest) and self._core == other._core

    def __hash__(self) -> int:
        return hash(self._core)

    def __repr__(self) -> str:
        return f"<Manifest {self.digest[:12]}: {len(self)} entries, {self.total_size} bytes>"

    def paths(self) -> list[bytes]:
        """Returns: the path of every entry, sorted."""
        return self._core.paths()

    def get(self, path: bytes) -> Entry | None:
        """Returns: the entry at a path, or None."""
        found = self._core.get(path)
        return None if found is None else Entry(*found)

    def subset(self, paths: Sequence[str | bytes]) -> Manifest:
        """Keeps what lies at or below some paths.

        Args:
            paths: Files or folders, relative to the root; `.` and a trailing `/` mean nothing.

        Returns:
            The manifest of those entries alone.
        """
        wanted = [os.path.normpath(os.fsencode(path)) for path in paths]
        if b"." in wanted:
            return self
        return Manifest(self._core.subset(wanted))

    def diff(self, later: Manifest) -> list[Change]:
        """Tells what changed from this manifest to a later one, in linear time.

        Args:
            later: The later one.

        Returns:
            The changes, sorted by path.
        """
        return [Change(*change) for change in self._core.diff(later._core)]


def digest_bytes(domain: str, data: bytes) -> str:
    """Digests bytes under a domain: equal bytes of two domains have nothing in common.

    Args:
        domain: Context of BLAKE3's key derivation mode.
        data: The bytes.

    Returns:
        64 hex digits.
    """
    return _core.digest_bytes(domain, data)


def digest_file(data: bytes) -> str:
    """Digests the bytes of a file as a manifest does.

    Args:
        data: The bytes.

    Returns:
        64 hex digits, as `b3sum` prints them.
    """
    return _core.digest_file(data)
