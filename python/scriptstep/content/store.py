"""The store that keeps whole trees."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from scriptstep import _core
from scriptstep.content.manifest import Manifest
from scriptstep.content.scanning import OnProgress, PathLike, scan
from scriptstep.errors import SourceChanged

__all__ = ["ContentStore", "Guard"]

Guard = _core.Guard


class ContentStore:
    """A folder of whole trees, each under the digest of its manifest; each is there whole or not at all.

    A tree that this object kept, found or gave the path of is not collected while the object and its process live.

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

    def save_part(self, digest: str, part: Manifest) -> None:
        """Keeps some entries of a tree as a tree of their own, whose files are linked from there.

        Args:
            digest: The tree's digest.
            part: A subset of its manifest.

        Raises:
            TreeMissing: There is no such tree.
            TreeDamaged: It does not hold what the part lists, and was set aside; the message names the file.
            ContentError: The part cannot be kept.
        """
        self._core.save_part(digest, part._core)

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

        One that somebody touched, or that a power cut may have torn, is read, and set aside where it is damaged.

        Args:
            digest: The tree's digest.

        Returns:
            Whether it may be used.
        """
        return self._core.ensure(digest)

    def digests(self) -> list[str]:
        """Returns: the digests of all trees, sorted."""
        return self._core.digests()

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

    def verify_all(self, *, on_progress: OnProgress | None = None) -> dict[str, list[str]]:
        """Reads every tree, several at a time.

        Args:
            on_progress: As of `scan`.

        Returns:
            Digest to what is not as its manifest lists it, of those where something is not.
        """
        return dict(self._core.verify_all(on_progress))

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
