"""The files of a run: what it uploaded and left in outputs/ and logs/, by name."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from scriptstep.errors import ArgumentError, ModelPathNotFoundException

__all__ = [
    "LOG",
    "as_local",
    "download",
    "download_all",
    "earlier_attempts",
    "image",
    "local_file",
    "local_folder",
    "log_of_rank",
    "logs_of",
    "model_source",
    "plain_name",
]

LOG = "user_logs/std_log.txt"
_MPI_LOG = "user_logs/mpi_log.txt"
_RANK_LOG = re.compile(r"user_logs/std_log_process_([0-9]+)\.txt")
_EARLIER = re.compile(r"user_logs/attempt_([0-9]+)/(.+)")
_SHOWN = 10


def logs_of(files: Mapping[str, Path]) -> dict[int, Path]:
    """Returns: what each process of a run printed, by rank; one process is rank 0, as is an mpirun that started none.

    Args:
        files: All the run's files.
    """
    if LOG in files:
        return {0: files[LOG]}
    found = {int(match.group(1)): path for name, path in files.items() if (match := _RANK_LOG.fullmatch(name))}
    if not found and _MPI_LOG in files:
        return {0: files[_MPI_LOG]}
    return dict(sorted(found.items()))


def earlier_attempts(files: Mapping[str, Path]) -> dict[int, dict[str, Path]]:
    """Returns: the logs of the attempts that came before the last, by number, under the names that they had.

    Args:
        files: All the run's files.
    """
    found: dict[int, dict[str, Path]] = {}
    for name, path in files.items():
        if match := _EARLIER.fullmatch(name):
            found.setdefault(int(match.group(1)), {})[f"user_logs/{match.group(2)}"] = path
    return dict(sorted(found.items()))


def log_of_rank(files: Mapping[str, Path], rank: int = 0) -> Path | None:
    """Returns: what one process of a run printed; None where it has printed nothing yet.

    Args:
        files: All the run's files.
        rank: Of the process.
    """
    return logs_of(files).get(rank)


def plain_name(name: object, what: str) -> str:
    """Returns: a file's name in a run, with plain slashes, none at its ends.

    Args:
        name: As given.
        what: The method it was given to.

    Raises:
        ArgumentError: It is no text, or empty, or leads out of the run.
    """
    if not isinstance(name, (str, os.PathLike)):
        raise ArgumentError(f"{what}: the name of a file is text, not {type(name).__name__}")
    parts = [part for part in os.fspath(name).replace("\\", "/").split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ArgumentError(f"{what}: the name {str(name)!r} leads out of the run's files")
    return "/".join(parts)


def local_file(path: object, what: str) -> Path:
    """Returns: a file that is to be uploaded.

    Raises:
        ArgumentError: There is none.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise ArgumentError(f"{what}: a path or an open file is needed, not {type(path).__name__}")
    found = Path(path)
    if found.is_dir():
        raise ArgumentError(f"{what}: '{found}' is a folder", help="use upload_folder(name, path)")
    if not found.is_file():
        raise ArgumentError(f"{what}: there is no file '{found}' in {Path.cwd()}")
    return found


def local_folder(path: object, what: str) -> Path:
    """Returns: a folder that is to be uploaded.

    Raises:
        ArgumentError: There is none.
    """
    if not isinstance(path, (str, os.PathLike)) or not Path(path).is_dir():
        raise ArgumentError(f"{what}: there is no folder {str(path)!r} in {Path.cwd()}")
    return Path(path)


@contextmanager
def as_local(source: object, what: str) -> Iterator[Path]:
    """Gives what is to be uploaded as a file.

    Args:
        source: A path, or an open file.
        what: The method it was given to.

    Yields:
        The path.

    Raises:
        ArgumentError: There is no such file.
    """
    read = getattr(source, "read", None)
    if read is None:
        yield local_file(source, what)
        return
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        path = Path(folder) / "stream"
        with path.open("wb") as file:
            _copy_stream(source, file)
        yield path


def _copy_stream(source: Any, target: IO[bytes]) -> None:
    while chunk := source.read(1 << 20):
        target.write(chunk.encode("utf-8") if isinstance(chunk, str) else chunk)


@contextmanager
def image(name: str, path: object, plot: Any) -> Iterator[tuple[str, Path]]:
    """Gives an image that is to be logged as a file.

    Args:
        name: Of the metric.
        path: An image file; or None.
        plot: What can save itself as one, such as a matplotlib figure or pyplot; or None.

    Yields:
        Name for the run's files, and the file.

    Raises:
        ArgumentError: Neither or both were given, or the plot cannot save itself.
    """
    what = f"log_image('{name}', ...)"
    if (path is None) == (plot is None):
        raise ArgumentError(f"{what}: give an image file as path, or a plot: one of the two")
    if path is not None:
        found = local_file(path, what)
        yield found.name, found
        return
    save = getattr(plot, "savefig", None) or getattr(getattr(plot, "figure", None), "savefig", None)
    if save is None:
        raise ArgumentError(
            f"{what}: a {type(plot).__name__} has no savefig",
            help="give a matplotlib figure, or the path of an image file",
        )
    shown = plain_name(name, what).replace("/", "_") or "image"
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        file = Path(folder) / "image.png"
        save(file, format="png")
        yield f"{shown}.png", file


def download(files: Mapping[str, Path], name: object, target: object, run: str) -> Path:
    """Copies one file of a run.

    Args:
        files: All its files.
        name: Of the file.
        target: Where to: a file, or a folder that is there; None for the working directory.
        run: The run's name, for messages.

    Returns:
        The copy.

    Raises:
        ArgumentError: The run has no such file.
    """
    wanted = plain_name(name, "download_file")
    if wanted not in files:
        raise ArgumentError(f"run {run} has no file '{wanted}'", help=_known(files))
    place = Path(os.fspath(target)) if isinstance(target, (str, os.PathLike)) else Path(wanted.rsplit("/", 1)[-1])
    if place.is_dir() or (isinstance(target, str) and target.endswith("/")):
        place = place / wanted.rsplit("/", 1)[-1]
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(files[wanted], place)
    return place


def download_all(
    files: Mapping[str, Path],
    prefix: str | None,
    directory: object,
    paths: Sequence[str] | None,
    append_prefix: bool,
) -> None:
    """Copies files of a run.

    Args:
        files: All its files.
        prefix: Those whose name begins so; all where None.
        directory: Where to; the working directory where None.
        paths: A path for each of them, in place of their names.
        append_prefix: Whether the prefix stays in the names of the copies.

    Raises:
        ArgumentError: There are not as many paths as files.
    """
    start = plain_name(prefix, "download_files") if prefix else ""
    folder_only = bool(prefix) and str(prefix).endswith("/")
    named = [n for n in files if n.startswith(start + "/" if folder_only else start)]
    if paths is not None and len(paths) != len(named):
        raise ArgumentError(
            f"download_files: {len(paths)} output_paths for {len(named)} files: {', '.join(named[:_SHOWN])}"
        )
    root = Path(os.fspath(directory)) if isinstance(directory, (str, os.PathLike)) else Path()
    for index, name in enumerate(named):
        short = name if append_prefix or not start else name[len(start) :].lstrip("/") or name.rsplit("/", 1)[-1]
        place = root / (paths[index] if paths is not None else short)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(files[name], place)


@contextmanager
def model_source(files: Mapping[str, Path], path: str, run: str) -> Iterator[tuple[Path, str]]:
    """Gives files of a run, to be registered as a model.

    Args:
        files: All its files.
        path: Name of a file, or of a folder of files.
        run: The run's name, for messages.

    Yields:
        The file or folder, and the name that it has in the run.

    Raises:
        ModelPathNotFoundException: The run has no such file or folder.
    """
    wanted = plain_name(path, "register_model")
    base = wanted.rsplit("/", 1)[-1]
    if wanted in files:
        yield files[wanted], base
        return
    below = {
        n[len(wanted) + 1 :] if wanted else n: f for n, f in files.items() if not wanted or n.startswith(wanted + "/")
    }
    if not below:
        raise ModelPathNotFoundException(
            f"run {run} has no file or folder '{path}' to register",
            help=f"write it into outputs/, or bring it with upload_file or upload_folder; {_known(files)}",
        )
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        root = Path(folder) / (base or "model")
        for name, file in below.items():
            copy = root / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        yield root, base or "model"


def _known(files: Mapping[str, Path]) -> str:
    if not files:
        return "it has no files"
    names = ", ".join(list(files)[:_SHOWN])
    return f"it has {names}" + (f" and {len(files) - _SHOWN} more" if len(files) > _SHOWN else "")
