"""What is installed in an interpreter, told so that two machines with the same packages tell the same.

The file is also a script: another interpreter runs it by its path and prints what it found, so it imports nothing
but the standard library.
"""

from __future__ import annotations

import json
import os
import re
import site
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

__all__ = [
    "Distribution",
    "Installed",
    "Reader",
    "closure",
    "declared_packages",
    "installed",
    "is_editable",
    "normalise",
    "read_dist_infos",
]

# What an installer writes about itself, and what holds the path of the virtual environment.
_INSTALLER_FILES = frozenset(
    {
        "RECORD",
        "INSTALLER",
        "REQUESTED",
        "direct_url.json",
        "uv_cache.json",
        "uv_build.json",
        "RECORD.jws",
        "RECORD.p7s",
    }
)
# These install packages; no script's result hangs on them. scriptstep is known by its runtime revision.
_LEFT_OUT = frozenset({"pip", "wheel", "scriptstep"})
# Put there by virtualenv itself, not by any package.
_VIRTUALENV_FILES = frozenset({"_virtualenv.py", "_virtualenv.pth"})


class Distribution(NamedTuple):
    """One installed distribution.

    Attributes:
        name: Its name, normalised (lower case, `-`).
        version: Its version as its metadata gives it.
        digest: SHA-256 of its sorted RECORD rows, 64 hex digits; empty for an editable one.
        requires: Names that it requires, normalised, extras left out.
        paths: For an editable one, the folders and files that it puts on the path; else empty.
    """

    name: str
    version: str
    digest: str
    requires: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


# Gives, for `.dist-info` folders of a folder, the distribution and the top-level names there that are its own.
Reader = Callable[[Path, Sequence[str]], "list[tuple[Distribution, set[str]]]"]


class Installed(NamedTuple):
    """What an interpreter has.

    Attributes:
        python: Implementation and version, as `cpython 3.11`.
        system: Operating system and processor family, as `linux x86_64`.
        distributions: Sorted by name.
        loose: Modules and `.pth` files that belong to no distribution: (name, SHA-256), sorted.
        conda: Packages of conda-meta: (name, version, build), sorted.
    """

    python: str
    system: str
    distributions: tuple[Distribution, ...]
    loose: tuple[tuple[str, str], ...]
    conda: tuple[tuple[str, str, str], ...]

    def to_json(self) -> str:
        """Returns: the whole as one line of JSON."""
        told = {**self._asdict(), "distributions": [found._asdict() for found in self.distributions]}
        return json.dumps(told, sort_keys=True)

    @staticmethod
    def from_json(text: str) -> Installed:
        """Reads what `to_json` wrote.

        Args:
            text: One JSON object.

        Returns:
            The same value.

        Raises:
            ValueError: It is not such an object.
        """
        found = json.loads(text)
        return Installed(
            found["python"],
            found["system"],
            tuple(
                Distribution(d["name"], d["version"], d["digest"], tuple(d["requires"]), tuple(d["paths"]))
                for d in found["distributions"]
            ),
            tuple((name, digest) for name, digest in found["loose"]),
            tuple((name, version, build) for name, version, build in found["conda"]),
        )


def normalise(name: str) -> str:
    """Returns: a distribution's name in the one spelling that PEP 503 gives it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed(folders: Iterable[str] | None = None, prefix: str | None = None, read: Reader | None = None) -> Installed:
    """Tells what this interpreter has.

    Args:
        folders: The site-packages folders to look at; by default this interpreter's own, without the user's.
        prefix: Where `conda-meta` would lie; by default `sys.prefix`.
        read: Reads `.dist-info` folders, or knows what they say; by default `read_dist_infos`.

    Returns:
        What was found.
    """
    distributions: dict[str, Distribution] = {}
    loose: list[tuple[str, str]] = []
    for folder in [Path(f) for f in (site.getsitepackages() if folders is None else folders)]:
        if folder.is_dir():
            found, rest = _read_folder(folder, read or read_dist_infos)
            for distribution in found:
                distributions.setdefault(distribution.name, distribution)
            loose += rest
    return Installed(
        python=f"{sys.implementation.name} {sys.version_info.major}.{sys.version_info.minor}",
        system=f"{sys.platform} {_machine().lower()}",
        distributions=tuple(sorted(distributions.values(), key=lambda d: d.name)),
        loose=tuple(sorted(set(loose))),
        conda=tuple(sorted(_conda_packages(Path(prefix or sys.prefix) / "conda-meta"))),
    )


def _machine() -> str:
    if hasattr(os, "uname"):
        return os.uname().machine
    import platform

    return platform.machine()


def closure(found: Installed, declared: Iterable[str]) -> tuple[tuple[Distribution, ...], tuple[str, ...]]:
    """The installed distributions that some declared packages need.

    Args:
        found: What is installed.
        declared: Names of packages, as declared.

    Returns:
        The distributions reached from them, sorted by name, and the declared names that are not installed.
    """
    by_name = {d.name: d for d in found.distributions}
    waiting = [normalise(name) for name in declared]
    missing = tuple(sorted({name for name in waiting if name not in by_name}))
    reached: dict[str, Distribution] = {}
    while waiting:
        name = waiting.pop()
        if name in by_name and name not in reached:
            reached[name] = by_name[name]
            waiting.extend(by_name[name].requires)
    return tuple(reached[name] for name in sorted(reached)), missing


def declared_packages(environment: Mapping[str, Any]) -> list[str]:
    """Names of the packages that a declared environment asks for, pip's and conda's.

    Args:
        environment: The environment's definition, as it stands in a key.

    Returns:
        The names, without versions, as written.
    """
    names: list[str] = []
    waiting: list[Any] = [environment.get("conda_dependencies") or environment.get("python", {})]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            if match := re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", value.strip()):
                names.append(match.group())
        elif isinstance(value, Mapping):
            waiting += [v for k, v in value.items() if k in ("dependencies", "pip", "conda_dependencies")]
        elif isinstance(value, (list, tuple)):
            waiting += value
    # The SDK's own packages are what scriptstep stands in for.
    return [n for n in names if n not in ("python", "pip") and not n.startswith("azureml-")]


def read_dist_infos(folder: Path, names: Sequence[str]) -> list[tuple[Distribution, set[str]]]:
    """Reads `.dist-info` folders.

    Args:
        folder: The folder that holds them.
        names: Their names.

    Returns:
        For each the distribution, and the top-level names in `folder` that are its own.
    """
    return [_read_dist_info(folder, name) for name in names]


def is_editable(place: Path) -> bool:
    """Returns: whether a `.dist-info` folder says that its distribution puts the user's own files on the path."""
    try:
        direct = json.loads((place / "direct_url.json").read_text(encoding="utf-8"))
        return bool(direct.get("dir_info", {}).get("editable"))
    except (OSError, ValueError):
        return False


def _read_folder(folder: Path, read: Reader) -> tuple[list[Distribution], list[tuple[str, str]]]:
    names = sorted(os.listdir(folder))
    distributions: list[Distribution] = []
    owned: set[str] = set(_VIRTUALENV_FILES)
    for distribution, tops in read(folder, [name for name in names if name.endswith(".dist-info")]):
        owned |= tops
        if distribution.name not in _LEFT_OUT:
            distributions.append(distribution)
    loose = [(name, _content_digest(folder / name)) for name in names if _is_loose(folder, name, owned)]
    return distributions, loose


def _is_loose(folder: Path, name: str, owned: set[str]) -> bool:
    if name in owned or name.endswith(".dist-info") or name == "__pycache__":
        return False
    return name.endswith((".py", ".pth", ".so", ".pyd", ".egg-info", ".egg-link", ".egg")) or (folder / name).is_dir()


def _read_dist_info(folder: Path, dist_info: str) -> tuple[Distribution, set[str]]:
    place = folder / dist_info
    name, version, requires = _metadata(place, dist_info)
    rows: list[str] = []
    tops: set[str] = {dist_info}
    for row in _record(place / "RECORD"):
        path = row[0].replace("\\", "/")
        if path.startswith(("/", "../")):
            continue
        top = path.split("/", 1)[0]
        tops.add(top)
        if path.endswith(".pyc") or (top == dist_info and path.rsplit("/", 1)[-1] in _INSTALLER_FILES):
            continue
        rows.append("\0".join(row[:3]))
    if paths := _editable_paths(folder, place, tops):
        return Distribution(name, version, "", requires, paths), tops
    import hashlib

    digest = hashlib.sha256("\n".join(sorted(rows)).encode("utf-8", "surrogateescape")).hexdigest()
    return Distribution(name, version, digest, requires), tops


def _record(path: Path) -> Iterator[list[str]]:
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return
    import csv

    for row in csv.reader(text.splitlines()):
        if row:
            yield row


def _metadata(place: Path, dist_info: str) -> tuple[str, str, tuple[str, ...]]:
    name, _, version = dist_info.removesuffix(".dist-info").partition("-")
    requires: set[str] = set()
    try:
        text = (place / "METADATA").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    for line in text.splitlines():
        if not line:
            break
        field, _, value = line.partition(":")
        value = value.strip()
        if field == "Name":
            name = value
        elif field == "Version":
            version = value
        elif field == "Requires-Dist" and "extra ==" not in value.replace("extra==", "extra =="):
            if match := re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", value):
                requires.add(normalise(match.group()))
    return normalise(name), version, tuple(sorted(requires))


def _editable_paths(folder: Path, place: Path, tops: set[str]) -> tuple[str, ...]:
    """The folders and files that an editable installation puts on the path; none for an ordinary one."""
    if not is_editable(place):
        return ()
    paths: set[str] = set()
    for name in tops:
        is_finder = name.startswith("__editable__") and name.endswith(".py")
        if not (is_finder or name.endswith(".pth")):
            continue
        try:
            text = (folder / name).read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            # Somebody took it away: it puts nothing on the path.
            continue
        paths |= (
            set(_finder_mapping(text)) if is_finder else {line for line in text.splitlines() if os.path.isdir(line)}
        )
    return tuple(sorted(paths))


def _finder_mapping(source: str) -> list[str]:
    import ast

    for node in ast.parse(source).body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(t, ast.Name) and t.id == "MAPPING" for t in targets) and isinstance(
            node, (ast.Assign, ast.AnnAssign)
        ):
            if isinstance(node.value, ast.Dict):
                return [str(path) for path in ast.literal_eval(node.value).values()]
    return []


def _content_digest(path: Path) -> str:
    """SHA-256 over a file, or over names and files below a folder, compiled files left out."""
    import hashlib

    digest = hashlib.sha256()
    for name, file in _files(path):
        data = file.read_bytes()
        digest.update(f"{len(name)}:{name}{len(data)}:".encode("utf-8", "surrogateescape"))
        digest.update(data)
    return digest.hexdigest()


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    if path.is_file():
        yield "", path
        return
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(f for f in folders if f != "__pycache__")
        for name in sorted(names):
            file = Path(folder) / name
            if not name.endswith(".pyc") and file.is_file():
                yield file.relative_to(path).as_posix(), file


def _conda_packages(place: Path) -> Iterator[tuple[str, str, str]]:
    if not place.is_dir():
        return
    for file in sorted(place.glob("*.json")):
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
            yield str(found["name"]), str(found["version"]), str(found["build"])
        except (OSError, ValueError, KeyError):
            # Fail closed: a record that cannot be read is told apart by its name.
            yield file.name, "unreadable", ""


if __name__ == "__main__":
    sys.stdout.write(installed().to_json())
