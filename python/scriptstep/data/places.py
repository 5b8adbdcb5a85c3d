"""Where a source of data lies: a file, a folder or a pattern, on this machine or far away."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol

from scriptstep.data.walk import files_below, fixed_part, is_pattern, matching_files, matching_path
from scriptstep.records import dataclass

if TYPE_CHECKING:
    from scriptstep.data.remote import RemoteFile, RemoteStore

__all__ = ["FileFacts", "LocalPlace", "Place", "RemotePlace"]

# Paths are text: a hundred thousand Path objects take a second to make.
_Found = tuple[PurePosixPath, list[tuple[str, str]]]


@dataclass(frozen=True)
class FileFacts:
    """What is known of a file without reading it.

    Attributes:
        size: In bytes.
        changed_ns: When it was changed last, nanoseconds since 1970; 0 where nobody says.
        stamp: What stands for its content; None where only reading tells that.
    """

    size: int
    changed_ns: int
    stamp: str | None = None


class Place(Protocol):
    """A file, a folder or a pattern.

    Attributes:
        is_far: Whether its files must be fetched before they can be read.
        whole: A folder here that holds the files that were listed, and no others; None where there is none.
    """

    is_far: bool
    whole: Path | None

    def is_file(self) -> bool:
        """Returns: whether it is one file."""
        ...

    def files(self) -> _Found:
        """Lists its files; none where nothing is there.

        Returns:
            The folder that their names are relative to, and (name with `/`, file) of each, sorted by name.
        """
        ...

    def facts(self, file: str) -> FileFacts:
        """Returns: what is known of one of its files."""
        ...

    def fetch(self, files: Collection[str]) -> None:
        """Sees to it that some of its files can be read."""
        ...


class LocalPlace:
    """A place on this machine.

    Args:
        path: The file, folder or pattern.
        root: A folder above it whose own name is no pattern, whatever it holds.

    Attributes:
        path: The file, folder or pattern.
    """

    is_far = False

    def __init__(self, path: Path, root: Path | None = None) -> None:
        self.path = path
        self._root = root
        self.whole: Path | None = None

    def __str__(self) -> str:
        return str(self.path)

    def is_file(self) -> bool:
        """Returns: whether it is one file."""
        return self.path.is_file()

    def files(self) -> _Found:
        """Returns: the folder that its files' names are relative to, and the files."""
        base, found = self._listed()
        return PurePosixPath(base.as_posix()), found

    def _listed(self) -> tuple[Path, list[tuple[str, str]]]:
        if self.path.is_file():
            return self.path.parent, [(self.path.name, str(self.path))]
        if self.path.is_dir():
            self.whole = self.path
            return self.path, files_below(self.path)
        root = self._root or Path()
        pattern = (self.path.relative_to(root) if self._root else self.path).as_posix()
        if is_pattern(pattern):
            return root / fixed_part(pattern), matching_files(pattern, root)
        return self.path.parent, []

    def facts(self, file: str) -> FileFacts:
        """Returns: what is known of one of its files."""
        stat = os.stat(file)
        return FileFacts(stat.st_size, stat.st_mtime_ns)

    def fetch(self, files: Collection[str]) -> None:
        """Does nothing: they are here."""


class RemotePlace:
    """A place far away; it is asked once, when it is looked at first.

    Args:
        store: The files that it is among.
        path: The file, folder or pattern below the store's root, with `/`.
    """

    is_far = True
    whole: Path | None = None

    def __init__(self, store: RemoteStore, path: str) -> None:
        self._store = store
        self._path = path
        self._base = path
        self._known: dict[str, RemoteFile] | None = None

    def __str__(self) -> str:
        return f"{self._store.url}/{self._path}".rstrip("/")

    def is_file(self) -> bool:
        """Returns: whether it is one file."""
        return [file.path for file in self._listed().values()] == [self._path]

    def files(self) -> _Found:
        """Returns: the folder that its files' names are relative to, and where they will lie once fetched."""
        known = self._listed()
        below = PurePosixPath("/", self._base)
        if self.is_file():
            below = below.parent
        start = len(str(below).rstrip("/")) + 1
        return below, sorted((f"/{file.path}"[start:], local) for local, file in known.items())

    def facts(self, file: str) -> FileFacts:
        """Returns: what the store says of one of its files."""
        known = self._listed()[file]
        return FileFacts(known.size, int((known.changed or 0) * 1e9), known.stamp)

    def fetch(self, files: Collection[str]) -> None:
        """Fetches files that are not here yet.

        Args:
            files: Of those that `files` listed.

        Raises:
            UserErrorException: One cannot be fetched.
        """
        known = self._listed()
        self._store.fetch([known[file] for file in files])

    def _listed(self) -> dict[str, RemoteFile]:
        if self._known is None:
            found: list[RemoteFile] = []
            if is_pattern(self._path):
                self._base = fixed_part(self._path)
                listed = self._store.list("" if self._base == "." else self._base)
                found = [file for file in listed if matching_path(self._path, file.path)]
            if not found:
                # A name may hold what elsewhere is a pattern.
                self._base = self._path
                found = self._store.list(self._path)
            self._known = {str(self._store.local(file)): file for file in found}
        return self._known
