"""What a directory holds, exactly, and the store that keeps whole trees: the Python face of the Rust core.

Paths below a root are bytes, `/` between their parts; digests are 64 hex digits of BLAKE3.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from scriptstep import _core

__all__ = [
    "Change",
    "ContentStore",
    "Entry",
    "Guard",
    "Manifest",
    "Scan",
    "Survey",
    "digest_bytes",
    "scan_code",
    "scan_tree",
]

PathLike = str | os.PathLike[str]
Guard = _core.Guard


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


class Manifest:
    """The sorted list of what a directory, or one file, holds, with one digest; immutable, compared by its digest."""

    __slots__ = ("_core",)

    def __init__(self, core: _core.Manifest) -> None:
        self._core = core

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
        return (Entry(*entry) for entry in self._core.entries())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Manifest) and self._core == other._core

    def __hash__(self) -> int:
        return hash(self._core)

    def __repr__(self) -> str:
        return f"<Manifest {self.digest[:12]}: {len(self)} entries, {self.total_size} bytes>"

    def paths(self) -> list[bytes]:
        """Returns: the path of every entry, sorted."""
        return [entry[0] for entry in self._core.entries()]

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


class Scan(NamedTuple):
    """What a directory holds, and what its owner should know of it.

    Attributes:
        manifest: What it holds.
        warnings: Links that lead nowhere, sockets and the like, a line each.
    """

    manifest: Manifest
    warnings: tuple[str, ...]


class Survey(NamedTuple):
    """What a directory would cost to read.

    Attributes:
        files: How many files.
        size: Their bytes.
        largest: Its ten largest entries with their bytes, the largest first; folders end in `/`.
    """

    files: int
    size: int
    largest: tuple[tuple[str, int], ...]


def scan_code(root: PathLike, *, on_survey: Callable[[Survey], None] | None = None, threads: int = 0) -> Scan:
    """Reads a source directory: the regular files and links that its ignore rules leave in.

    Args:
        root: The directory.
        on_survey: Called once, between listing and reading.
        threads: How many; 0 for as many as there are cores.

    Returns:
        What it holds.

    Raises:
        UnreadableContent: Parts of it cannot be read; the message lists them all.
        RuleFileError: An ignore file cannot be used.
        SourceChanged: It went on changing while it was read.
        ContentError: It is no directory, or is not there.
    """

    def tell(files: int, size: int, largest: list[tuple[bytes, int]]) -> None:
        assert on_survey is not None
        on_survey(Survey(files, size, tuple((os.fsdecode(name), count) for name, count in largest)))

    manifest, warnings = _core.scan_code(root, None if on_survey is None else tell, threads)
    return Scan(Manifest(manifest), tuple(warnings))


def scan_tree(root: PathLike, *, threads: int = 0) -> Scan:
    """Reads an output or data: a directory whole, empty folders too, or one file; no ignore rule applies.

    Args:
        root: The directory or file.
        threads: How many; 0 for as many as there are cores.

    Returns:
        What it holds.

    Raises:
        UnreadableContent: Parts of it cannot be read; the message lists them all.
        SourceChanged: It went on changing while it was read.
        ContentError: It is not there, or neither file nor directory.
    """
    manifest, warnings = _core.scan_tree(root, threads)
    return Scan(Manifest(manifest), tuple(warnings))


def digest_bytes(domain: str, data: bytes) -> str:
    """Digests bytes under a domain: equal bytes of two domains have nothing in common.

    Args:
        domain: Context of BLAKE3's key derivation mode.
        data: The bytes.

    Returns:
        64 hex digits.
    """
    return _core.digest_bytes(domain, data)


class ContentStore:
    """A folder of whole trees, each under the digest of its manifest; each is there whole or not at all.

    Args:
        root: The folder; made when it is first written to.
    """

    def __init__(self, root: PathLike) -> None:
        self._core = _core.Store(root)

    def save(self, source: PathLike, scan: Scan | None = None, *, base: str | None = None) -> Manifest:
        """Keeps the content of a source directory, which stays as it is.

        Args:
            source: The directory.
            scan: What it holds, where that is known.
            base: Digest of its last content: files that did not change since are linked from there.

        Returns:
            Its manifest.

        Raises:
            SourceChanged: It does not hold what `scan` says any more.
            ContentError: It cannot be kept.
        """
        manifest = (scan or scan_code(source)).manifest
        self._core.save(source, manifest._core, base)
        return manifest

    def adopt(self, path: PathLike) -> Manifest:
        """Moves a directory or file in; nobody may write to it any more.

        Args:
            path: What to move; it is gone afterwards.

        Returns:
            Its manifest.

        Raises:
            ContentError: It cannot be read or moved; it is then still where it was.
        """
        return Manifest(self._core.adopt(path))

    def add(self, path: PathLike) -> Manifest:
        """Keeps a copy of a directory or file, which stays as it is.

        Args:
            path: What to copy.

        Returns:
            Its manifest.

        Raises:
            ContentError: It cannot be read or kept.
        """
        return Manifest(self._core.add(path))

    def ensure(self, digest: str) -> bool:
        """Tells whether a tree is there and may be believed whole.

        One that may have been torn by a power cut is read, and set aside where it is.

        Args:
            digest: The tree's digest.

        Returns:
            Whether it may be used.
        """
        return self._core.ensure(digest)

    def content_path(self, digest: str) -> Path:
        """Returns: the folder or file that a tree's content is.

        Raises:
            TreeMissing: There is no such tree.
        """
        return Path(self._core.content_path(digest))

    def manifest(self, digest: str) -> Manifest:
        """Returns: a tree's manifest.

        Raises:
            TreeMissing: There is no such tree.
            TreeDamaged: Its manifest is not the one of that digest.
        """
        return Manifest(self._core.manifest(digest))

    def restore(self, digest: str, dest: PathLike) -> None:
        """Copies a tree out; every byte is checked.

        Args:
            digest: The tree's digest.
            dest: Where to; not there yet, or an empty folder.

        Raises:
            TreeMissing: There is no such tree.
            TreeDamaged: It is not what it was, and was set aside; the message names the file.
            ContentError: It cannot be written there.
        """
        self._core.restore(digest, dest)

    def verify(self, digest: str) -> list[str]:
        """Reads a tree and tells what is not as its manifest lists it.

        Args:
            digest: The tree's digest.

        Returns:
            A line each; empty where it is whole.

        Raises:
            TreeMissing: There is no such tree.
        """
        return self._core.verify(digest)

    def guard(self, digest: str) -> Guard:
        """Remembers what a tree's files are, before it is handed on.

        Args:
            digest: The tree's digest.

        Returns:
            What `written_since` compares with.

        Raises:
            TreeMissing: There is no such tree.
        """
        return self._core.guard(digest)

    def written_since(self, digest: str, guard: Guard) -> list[str]:
        """Tells what was written in a tree since it was guarded; bytes are read only where times or sizes differ.

        Args:
            digest: The tree's digest.
            guard: What `guard` gave.

        Returns:
            A line each; empty where it holds what it held.

        Raises:
            TreeMissing: There is no such tree any more.
        """
        return self._core.written_since(digest, guard)

    def set_aside(self, digest: str) -> Path:
        """Moves a tree out of the way, so that it is never handed on.

        Args:
            digest: The tree's digest.

        Returns:
            Where it lies now.
        """
        return Path(self._core.set_aside(digest))

    def sync(self, digests: Iterable[str]) -> None:
        """Waits until some trees are on the disk, and marks them so.

        Args:
            digests: The trees' digests; those that are not there are passed over.
        """
        self._core.sync(list(digests))
