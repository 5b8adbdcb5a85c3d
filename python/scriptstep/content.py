"""What a directory holds, exactly, and the store that keeps whole trees: the Python face of the Rust core.

Paths below a root are bytes, `/` between their parts; digests are 64 hex digits of BLAKE3.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from scriptstep import _core
from scriptstep.errors import SourceChanged

__all__ = [
    "Change",
    "ContentStore",
    "Cost",
    "Entry",
    "Explanation",
    "Guard",
    "Manifest",
    "OnProgress",
    "Survey",
    "digest_bytes",
    "explain",
    "left_out",
    "scan",
]

PathLike = str | os.PathLike[str]
Guard = _core.Guard
# Called a few times a second with how many files were done, and how many bytes read; what it raises ends the work.
OnProgress = Callable[[int, int], object]

_AT_ONCE = 4096
# From so many files or bytes on a directory is large.
_LARGE = (20_000, 1 << 30)


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


class Explanation(NamedTuple):
    """Why a path is content of a source directory, or is not.

    Attributes:
        kept: Whether the rules leave it in.
        decided: The path that was decided about: the one that was asked for, or a folder above it that is left out.
        kind: What decided: a rule; its name, which is never content; the virtual environment that it is; or none.
        file: The file of the rule, relative to the directory; `(built-in)` for the rules that hold everywhere.
        line: The rule's line in it, from 1.
        rule: The rule as it is written there.
    """

    kept: bool
    decided: bytes
    kind: Literal["none", "rule", "never", "environment"]
    file: bytes | None
    line: int | None
    rule: bytes | None


def scan(
    directory: PathLike,
    *,
    rules: Literal["git", "azureml"] | None = "git",
    cache: PathLike | None = None,
    cache_anywhere: bool = False,
    threads: int = 0,
    on_survey: Callable[[Survey], object] | None = None,
    survey_from: tuple[int, int] = _LARGE,
    on_progress: OnProgress | None = None,
) -> Manifest:
    """Reads a directory.

    The interpreter goes on meanwhile, and Ctrl-C ends it. Nothing is ever written to the directory.

    Args:
        directory: The directory; without rules it may be one file.
        rules: "git" for code: the regular files and links that its ignore files leave in, as git reads them.
            "azureml" for the files that the Azure ML SDK takes. None for outputs and data: all, empty folders too.
        cache: A folder to keep what was found in, so that unchanged files need not be read the next time; without it
            none is kept. It must lie on the same device.
        cache_anywhere: Use the cache on any file system. Unsafe: only ext4, XFS, Btrfs, APFS and NTFS are known to show
            each change of a file in its times.
        threads: How many; 0 for as many as there are cores.
        on_survey: Called once, before large files are read, where the directory holds more than `survey_from`.
        survey_from: Files, and bytes.
        on_progress: Called a few times a second with the files that are done and the bytes that were read.

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

    how: _core._How = {
        "rules": rules or "none",
        "threads": threads,
        "cache": cache,
        "cache_anywhere": cache_anywhere,
        "survey_from": survey_from,
        "names_left_out": False,
    }
    found = _core.scan(directory, how, None if on_survey is None else tell, on_progress)
    return Manifest(found.manifest, found)


def left_out(directory: PathLike) -> list[Explanation]:
    """Names what the ignore files of a source directory leave out, and why.

    Args:
        directory: The directory.

    Returns:
        What was decided about each, sorted by path; folders, which were not entered, end in `/`.

    Raises:
        ContentError: As of `scan`.
    """
    how: _core._How = {
        "rules": "git",
        "threads": 0,
        "cache": None,
        "cache_anywhere": False,
        "survey_from": _LARGE,
        "names_left_out": True,
    }
    found = _core.scan(directory, how, None, None)
    return [explain(directory, path)._replace(decided=path) for path in found.left_out]


def explain(directory: PathLike, path: str | bytes | os.PathLike[str]) -> Explanation:
    """Tells why a path is content of a source directory, or is not, as `git check-ignore -v` does.

    Args:
        directory: The directory.
        path: The path, relative to it; it need not be there. With a `/` at its end it is taken for a folder.

    Returns:
        What decided.

    Raises:
        RuleFileError: An ignore file cannot be used.
        ContentError: The directory cannot be read.
    """
    kept, decided, kind, rule = _core.explain(directory, os.fsencode(path))
    file, line, text = rule if rule is not None else (None, None, None)
    return Explanation(kept, decided, kind, file, line, text)


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

    def save(
        self,
        source: PathLike,
        manifest: Manifest | None = None,
        *,
        base: str | None = None,
        on_progress: OnProgress | None = None,
    ) -> Manifest:
        """Keeps the content of a source directory, which stays as it is.

        Args:
            source: The directory.
            manifest: What `scan` found there, where that is known.
            base: Digest of its last content: files that did not change since are linked from there.
            on_progress: As of `scan`.

        Returns:
            Its manifest.

        Raises:
            SourceChanged: A file is not what the manifest says; what was added since is not looked at.
            ContentError: It cannot be kept.
        """
        if manifest is None or manifest._scan is None:
            found = scan(source, on_progress=on_progress)
            if manifest is not None and manifest != found:
                raise SourceChanged(f"{os.fspath(source)} does not hold what the manifest says")
            manifest = found
        assert manifest._scan is not None
        self._core.save(manifest._scan, base, on_progress)
        return manifest

    def adopt(self, path: PathLike, *, on_progress: OnProgress | None = None) -> Manifest:
        """Moves a directory or file in; nobody may write to it any more.

        Args:
            path: What to move; it is gone afterwards.
            on_progress: As of `scan`.

        Returns:
            Its manifest.

        Raises:
            ContentError: It cannot be read or moved; it is then still where it was.
        """
        return Manifest(self._core.adopt(path, on_progress))

    def add(self, path: PathLike, *, on_progress: OnProgress | None = None) -> Manifest:
        """Keeps a copy of a directory or file, which stays as it is.

        Args:
            path: What to copy.
            on_progress: As of `scan`.

        Returns:
            Its manifest.

        Raises:
            ContentError: It cannot be read or kept.
        """
        return Manifest(self._core.add(path, on_progress))

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

    def restore(self, digest: str, dest: PathLike, *, on_progress: OnProgress | None = None) -> None:
        """Copies a tree out; every byte is checked, and the copy is there whole or not at all.

        Args:
            digest: The tree's digest.
            dest: Where to; not there yet, or an empty folder.
            on_progress: As of `scan`.

        Raises:
            TreeMissing: There is no such tree.
            TreeDamaged: It is not what it was, and was set aside; the message names the file.
            ContentError: It cannot be written there.
        """
        self._core.restore(digest, dest, on_progress)

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
