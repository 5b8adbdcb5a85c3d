"""Files that lie far away: listed, fetched and put through fsspec.

A file is known by its path, size and stamp: what the store says of its version (an ETag, a version id, a generation).
Where a store says nothing that can be trusted, the file is fetched whenever it is listed, and its digest is the stamp.
What was fetched is kept below a folder of its own for each stamp, so that a new version never changes a file that
something still reads; losing it costs time only.
"""

from __future__ import annotations

import hashlib
import importlib
import os
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from threading import Event
from typing import Any

from scriptstep.data.held import hold
from scriptstep.data.transfer import Job, TransferCancelled, aside, transfer
from scriptstep.errors import AzureMLException, UserErrorException
from scriptstep.records import dataclass

__all__ = ["RemoteFile", "RemoteStore"]

# What stores call the version of a file; the first that is there counts. The ETag stands before the version: S3 tells
# the version of a single file, and none in a listing.
_STAMPS = ("ETag", "etag", "e_tag", "generation", "VersionId", "version_id", "md5Hash")
# Set on what was fetched: a script that writes through a mount is noticed by the time being another.
_FETCHED_NS = 1_000_000_000_000_000_000
_THREADS = 16
_FLAT = ("s3://", "s3a://", "gs://", "gcs://", "abfs://", "abfss://", "az://")
_EXTRAS = {
    **dict.fromkeys(("s3", "s3a"), "s3"),
    **dict.fromkeys(("abfs", "abfss", "az", "adl"), "azure"),
    **dict.fromkeys(("http", "https"), "http"),
}


@dataclass(frozen=True)
class RemoteFile:
    """One file of a store.

    Attributes:
        path: Below the store's root, with `/`.
        size: In bytes.
        stamp: Its version, or the digest of its content.
        changed: When it was changed last, seconds since 1970; None where the store does not say.
    """

    path: str
    size: int
    stamp: str
    changed: float | None = None


class RemoteStore:
    """The files below a URL.

    Args:
        url: The URL.
        cache: The folder that fetched files are kept in.
        what: The store in messages, e.g. "datastore 'store'".
        help: What to do where it cannot be read.
        options: What fsspec is given for it: addresses and the like; credentials come from the environment.
        query: What follows the path in the address of each file.
    """

    def __init__(
        self,
        url: str,
        cache: Path,
        what: str,
        help: str,
        options: Mapping[str, Any] | None = None,
        query: str = "",
    ) -> None:
        self.url = url.rstrip("/")
        self.what = what
        self._help = help
        self._query = query
        self._cache = cache
        self._options = dict(options or {})
        self._opened: tuple[Any, str] | None = None

    def list(self, path: str) -> list[RemoteFile]:
        """Lists what lies at a path.

        Args:
            path: Of a file or folder, below the root.

        Returns:
            The file, or all files below the folder, sorted by path; none where nothing is there.

        Raises:
            UserErrorException: The store cannot be asked.
        """
        system, _ = self._system()

        def ask() -> dict[str, Any]:
            system.invalidate_cache()
            try:
                info = system.info(self._address(path))
            except FileNotFoundError as error:
                if _was_not_reached(error.__cause__):
                    raise
                return {}
            if info["type"] != "directory":
                return {path: info}
            found = system.find(self._address(path), detail=True)
            # Some stores keep a folder as an empty object whose name ends so.
            return {self._below(name): info for name, info in found.items() if not name.endswith("/")}

        found = self._asked("listed", path, ask)
        for name in found:
            if not _can_be_kept(name, name == path):
                raise UserErrorException(
                    f"{self.what} has a file {name!r}, which cannot be a file here", help="give it another name there"
                )
        return [self._file(name, found[name]) for name in sorted(found) if found[name]["type"] != "directory"]

    def local(self, file: RemoteFile) -> Path:
        """Returns: where a file lies once it is fetched; its path ends as that in the store does."""
        known = hashlib.blake2b(f"{file.size}\0{file.stamp}".encode(), digest_size=12).hexdigest()
        return self._cache / known / file.path

    def fetch(self, files: Collection[RemoteFile]) -> None:
        """Fetches files, several at a time; those that are here already are not.

        Args:
            files: What `list` told of.

        Raises:
            UserErrorException: One cannot be fetched, or is no longer what was listed.
        """
        hold(self._cache)
        missing = [file for file in files if not _is_whole(self.local(file), file.size)]
        jobs = [Job(partial(self._fetch, file), file.size) for file in missing]
        transfer(jobs, f"download from {self.what}", _THREADS)

    def put(self, files: Iterable[tuple[Path, str]]) -> None:
        """Puts files there, in place of what is there, several at a time.

        Args:
            files: File and path below the root of each.

        Raises:
            UserErrorException: One cannot be put.
        """
        system, root = self._system()
        pairs = list(files)
        # Where there are no folders, making one would make a bucket that is not there.
        if not self.url.startswith(_FLAT):
            for folder in {f"{root}/{path}".rpartition("/")[0] for _, path in pairs}:
                self._asked("written", folder, lambda folder=folder: system.makedirs(folder, exist_ok=True))

        def job(file: Path, path: str) -> Job:
            def run(given_up: Event) -> None:
                until = _until()(given_up)
                self._asked("written", path, lambda: system.put_file(str(file), f"{root}/{path}", callback=until))

            return Job(run, file.stat().st_size)

        transfer([job(file, path) for file, path in pairs], f"upload to {self.what}", _THREADS)

    # --- digests of what was put

    def held(self, path: str) -> dict[str, str]:
        """Returns: digest by path of the files at a path that were put there from here, and have not changed since."""
        known = ((file.path, _text(self._record(file))) for file in self.list(path))
        return {place: digest for place, digest in known if digest is not None}

    def note(self, path: str, digests: Mapping[str, str]) -> None:
        """Takes down the content of files that were just put, for `held`.

        Args:
            path: Of the file, or of the folder that all are below.
            digests: Digest by path.
        """
        for file in self.list(path) if digests else ():
            if file.path in digests:
                record = self._record(file)
                made = aside(record)
                made.write_text(digests[file.path], encoding="utf-8")
                os.replace(made, record)

    def _record(self, file: RemoteFile) -> Path:
        known = hashlib.blake2b(f"{file.path}\0{file.size}\0{file.stamp}".encode(), digest_size=16).hexdigest()
        return self._cache / "put" / known

    # --- asking

    def _system(self) -> tuple[Any, str]:
        """Returns: the file system, and the root in it."""
        if self._opened is None:
            protocol = self.url.partition("://")[0]
            try:
                fsspec = importlib.import_module("fsspec.core")
                system, root = fsspec.url_to_fs(self.url, **self._options)
            except (ImportError, ValueError) as error:
                extra = _EXTRAS.get(protocol)
                install = f'pip install "scriptstep[{extra}]"' if extra else "install the fsspec backend for it"
                raise UserErrorException(
                    f"{self.what}: {protocol}:// cannot be read in this Python: {error}",
                    help=f"{install}\n{self._help}",
                ) from error
            except Exception as error:
                raise self._failed("opened", "", error) from error
            self._opened = system, root.rstrip("/")
        return self._opened

    def _asked(self, done: str, path: str, ask: Any) -> Any:
        try:
            return ask()
        except AzureMLException:
            raise
        # Each backend has errors of its own, and no base class in common.
        except Exception as error:
            raise self._failed(done, path, error) from error

    def _failed(self, done: str, path: str, error: Exception) -> UserErrorException:
        where = f"'{path}' on {self.what}" if path else self.what
        cause = error.__cause__ if isinstance(error, FileNotFoundError) and error.__cause__ else error
        told = str(cause) or type(cause).__name__
        # What follows the path may be a key, and some errors quote the whole address.
        told = told.replace(self._query, "") if self._query else told
        return UserErrorException(f"{where} cannot be {done}: {told}", help=self._help)

    def _address(self, path: str) -> str:
        _, root = self._system()
        return (f"{root}/{path}" if path else root) + self._query

    def _below(self, name: str) -> str:
        _, root = self._system()
        return name[len(root) :].lstrip("/") if name.startswith(root) else name

    def _file(self, path: str, info: Mapping[str, Any]) -> RemoteFile:
        stamp = next((str(info[key]) for key in _STAMPS if info.get(key) not in (None, "", "null")), None)
        size, changed = info.get("size"), _time(info)
        if stamp is not None and not stamp.startswith("W/") and size is not None:
            return RemoteFile(path, int(size), stamp.strip('"'), changed)
        return self._read(path, changed)

    def _read(self, path: str, changed: float | None) -> RemoteFile:
        """Fetches a file whose version the store does not tell: its digest is its stamp."""
        hold(self._cache)
        made = self._got(path, self._cache / "new" / path.rpartition("/")[2], Event())
        try:
            with made.open("rb") as content:
                digest = _sha256(content)
            file = RemoteFile(path, made.stat().st_size, f"sha256:{digest}", changed)
            self._asked("kept here", path, lambda: self._keep(made, self.local(file)))
        finally:
            made.unlink(missing_ok=True)
        return file

    def _fetch(self, file: RemoteFile, given_up: Event) -> None:
        made = self._got(file.path, self.local(file), given_up)
        try:
            # What is hashed is what runs: it may have changed between the listing and now.
            if [file.stamp] != [now.stamp for now in self.list(file.path)] or made.stat().st_size != file.size:
                raise UserErrorException(
                    f"'{file.path}' on {self.what} changed while it was read", help="run again once it is written"
                )
            self._asked("kept here", file.path, lambda: self._keep(made, self.local(file)))
        finally:
            made.unlink(missing_ok=True)

    def _got(self, path: str, target: Path, given_up: Event) -> Path:
        system, _ = self._system()
        until = _until()(given_up)
        made: Path = self._asked("kept here", path, lambda: aside(target))
        try:
            self._asked("read", path, lambda: system.get_file(self._address(path), str(made), callback=until))
        except BaseException:
            made.unlink(missing_ok=True)
            raise
        return made

    @staticmethod
    def _keep(made: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.utime(made, ns=(_FETCHED_NS, _FETCHED_NS))
        os.replace(made, target)


def _can_be_kept(path: str, is_root: bool) -> bool:
    """Returns: whether a path leads to a place of its own below a folder: a store may have names that do not."""
    parts = path.split("/")
    return (is_root and not path) or not ({"", ".", ".."} & set(parts) or "\0" in path)


@cache
def _until() -> Any:
    """Returns: the class of what fsspec tells of each piece of a file: it ends the transfer once it is given up."""
    callbacks = importlib.import_module("fsspec.callbacks")

    class Until(callbacks.Callback):  # type: ignore[misc, name-defined]
        def __init__(self, given_up: Event) -> None:
            super().__init__()
            self._given_up = given_up

        def relative_update(self, inc: int = 1) -> None:
            if self._given_up.is_set():
                raise TransferCancelled("the transfer was given up")

        def absolute_update(self, value: int) -> None:
            self.relative_update()

    return Until


def _was_not_reached(cause: BaseException | None) -> bool:
    """Tells why fsspec found no file: it says so of an address on the web, too, whose server it cannot reach."""
    if isinstance(cause, OSError) and not isinstance(cause, FileNotFoundError):
        return True
    return getattr(cause, "status", 404) not in (404, 410)


def _sha256(content: Any) -> str:
    digest = hashlib.sha256()
    while chunk := content.read(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()


def _is_whole(file: Path, size: int) -> bool:
    try:
        there = file.stat()
    except OSError:
        return False
    return (there.st_size, there.st_mtime_ns) == (size, _FETCHED_NS)


def _text(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        return None


def _time(info: Mapping[str, Any]) -> float | None:
    for key in ("LastModified", "last_modified", "mtime", "updated", "created"):
        when = info.get(key)
        if isinstance(when, datetime):
            return when.timestamp()
        if isinstance(when, (int, float)):
            return float(when)
    return None
