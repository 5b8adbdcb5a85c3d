"""Which packages an environment declares: `CondaDependencies`, read from and written as conda's YAML."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from scriptstep.errors import ArgumentError, ArgumentTypeError, UserErrorException

__all__ = ["CondaDependencies", "read_yaml", "requirement_lines", "write_yaml"]

PYTHON_DEFAULT_VERSION = "3.8.13"
_CREATED_VERSION = "3.10.18"
_SDK_PACKAGE = "azureml-defaults"
_CHANNELS = ("anaconda", "conda-forge")
_NAME = re.compile(r"\s*(?:[A-Za-z0-9_.-]+::)?([A-Za-z0-9][A-Za-z0-9._-]*)")


class CondaDependencies:
    """The packages of an environment, conda's and pip's, and the channels they come from.

    Nothing is installed from it: steps run with the packages that are installed. It is part of what is declared, and
    so of a step's key.

    Args:
        conda_dependencies_file_path: A conda environment file to read; else Python and the SDK's own package.

    Raises:
        UserErrorException: The file is not there, or is no conda environment.
    """

    DEFAULT_NUMBER_OF_CONDA_PACKAGES = 1

    def __init__(
        self,
        conda_dependencies_file_path: str | os.PathLike[str] | None = None,
        _underlying_structure: Mapping[str, Any] | None = None,
    ) -> None:
        if conda_dependencies_file_path is not None:
            file = Path(conda_dependencies_file_path)
            self._take(read_yaml(file, "conda environment"), str(file))
        elif _underlying_structure is not None:
            self._take(_underlying_structure, "what was given")
        else:
            self._other: dict[str, Any] = {"name": "project_environment"}
            self._channels: list[str] = list(_CHANNELS)
            self._conda: list[str] = [f"python={PYTHON_DEFAULT_VERSION}"]
            self._pip: list[str] = [_SDK_PACKAGE]

    def _take(self, data: Any, where: str) -> None:
        if not isinstance(data, Mapping):
            raise UserErrorException(f"{where} is no conda environment: it holds no 'dependencies'")
        self._other = {str(k): v for k, v in data.items() if k not in ("channels", "dependencies")}
        self._channels = [str(c) for c in data.get("channels") or []]
        self._conda, self._pip = [], []
        listed = data.get("dependencies") or []
        if not isinstance(listed, (list, tuple)):
            raise UserErrorException(f"{where}: 'dependencies' must be a list, not {listed!r}")
        for entry in listed:
            if isinstance(entry, str):
                self._conda.append(entry)
            elif isinstance(entry, Mapping) and set(entry) == {"pip"} and isinstance(entry["pip"] or [], (list, tuple)):
                self._pip += [str(line) for line in entry["pip"] or []]
            else:
                raise UserErrorException(f"{where}: a dependency must be a package or a list of pip's, not {entry!r}")

    @staticmethod
    def create(
        pip_indexurl: str | None = None,
        pip_packages: Iterable[str] | None = None,
        conda_packages: Iterable[str] | None = None,
        python_version: str | None = _CREATED_VERSION,
        pin_sdk_version: bool = True,
    ) -> CondaDependencies:
        """Declares packages.

        Args:
            pip_indexurl: Index that pip takes packages from.
            pip_packages: pip's packages; the SDK's own where None.
            conda_packages: conda's packages.
            python_version: Python's version.
            pin_sdk_version: Accepted; the SDK's package is provided here in any version.

        Returns:
            The dependencies.

        Raises:
            ArgumentError: Packages are given as one string.
        """
        made = CondaDependencies(
            _underlying_structure={"name": "project_environment", "channels": _CHANNELS, "dependencies": []}
        )
        if python_version is not None:
            made.set_python_version(python_version)
        if pip_indexurl:
            made.set_pip_index_url(pip_indexurl)
        for package in _listed("pip_packages", [_SDK_PACKAGE] if pip_packages is None else pip_packages):
            made.add_pip_package(package)
        for package in _listed("conda_packages", conda_packages or ()):
            made.add_conda_package(package)
        return made

    # what is declared

    @property
    def conda_channels(self) -> Iterator[str]:
        """Returns: the channels."""
        return iter(self._channels)

    @property
    def conda_packages(self) -> Iterator[str]:
        """Returns: conda's packages, Python among them."""
        return iter(self._conda)

    @property
    def pip_packages(self) -> Iterator[str]:
        """Returns: pip's packages."""
        return (line for line in self._pip if not line.startswith("-"))

    @property
    def pip_options(self) -> Iterator[str]:
        """Returns: the lines of pip's that are options."""
        return (line for line in self._pip if line.startswith("-"))

    def get_default_number_of_packages(self) -> int:
        """Returns: how many packages a new one declares."""
        return self.DEFAULT_NUMBER_OF_CONDA_PACKAGES

    def get_python_version(self) -> str | None:
        """Returns: the version of Python that is declared; None where none is."""
        for package in self._conda:
            if _name(package) == "python":
                return re.sub(r"^[^=<>!~ ]*[=<>!~ ]*", "", package) or None
        return None

    # changing it

    def add_channel(self, channel: str) -> None:
        """Adds a channel."""
        if channel not in self._channels:
            self._channels.append(channel)

    def remove_channel(self, channel: str) -> None:
        """Removes a channel."""
        self._channels = [c for c in self._channels if c != channel]

    def add_conda_package(self, conda_package: str) -> None:
        """Adds one of conda's packages, in place of another version of it."""
        self._conda = _with(self._conda, _package(conda_package))

    def remove_conda_package(self, conda_package: str) -> None:
        """Removes one of conda's packages, whatever its version."""
        self._conda = [p for p in self._conda if _name(p) != _name(conda_package)]

    def add_pip_package(self, pip_package: str) -> None:
        """Adds one of pip's packages, in place of another version of it."""
        self._pip = _with(self._pip, _package(pip_package))

    def remove_pip_package(self, pip_package: str) -> None:
        """Removes one of pip's packages, whatever its version."""
        self._pip = [p for p in self._pip if p.startswith("-") or _name(p) != _name(pip_package)]

    def set_pip_option(self, pip_option: str) -> None:
        """Adds a line of options for pip, in place of one with the same option."""
        word = pip_option.split(maxsplit=1)[0] if pip_option.strip() else ""
        if not word.startswith("-"):
            raise ArgumentError(f"an option of pip begins with '-', and {pip_option!r} does not")
        self._pip = [pip_option, *(line for line in self._pip if line.split(maxsplit=1)[0] != word)]

    def remove_pip_option(self, pip_option: str) -> None:
        """Removes a line of options for pip, by its option."""
        word = pip_option.split(maxsplit=1)[0]
        self._pip = [line for line in self._pip if line.split(maxsplit=1)[0] != word]

    def set_pip_index_url(self, index_url: str) -> None:
        """Names the index that pip takes packages from."""
        self.set_pip_option(index_url if index_url.startswith("-") else f"--index-url {index_url}")

    def set_pip_requirements(self, pip_requirements: Iterable[str]) -> None:
        """Declares these packages of pip's and no others; options stay."""
        self._pip = [*self.pip_options, *_listed("pip_requirements", pip_requirements)]

    def set_python_version(self, version: str) -> None:
        """Declares Python's version."""
        self._conda = [f"python={version}", *(p for p in self._conda if _name(p) != "python")]

    def add_tensorflow_conda_package(self, core_type: str = "cpu", version: str | None = None) -> None:
        """Adds TensorFlow from conda; `core_type` is "cpu" or "gpu"."""
        self.add_conda_package(_tensorflow(core_type, version, "="))

    def add_tensorflow_pip_package(self, core_type: str = "cpu", version: str | None = None) -> None:
        """Adds TensorFlow from pip; `core_type` is "cpu" or "gpu"."""
        self.add_pip_package(_tensorflow(core_type, version, "=="))

    def add_cntk_package(self, core_type: str = "cpu") -> None:
        """Adds CNTK from pip; `core_type` is "cpu" or "gpu"."""
        self.add_pip_package(_core("cntk", core_type))

    # writing it

    def as_dict(self) -> dict[str, Any]:
        """Returns: what a conda environment file would hold, as plain data of its own."""
        return {**self._other, **self._content()}

    def serialize_to_string(self) -> str:
        """Returns: a conda environment file."""
        return write_yaml(self.as_dict())

    def save(self, path: str | os.PathLike[str] | None = None) -> str:
        """Writes a conda environment file.

        Args:
            path: A file, or a folder, in which the file is `conda_dependencies.yml`; the working directory where None.

        Returns:
            The file's path.
        """
        target = Path(path) if path is not None else Path()
        if target.is_dir():
            target = target / "conda_dependencies.yml"
        target.write_text(self.serialize_to_string(), encoding="utf-8")
        return str(target)

    def save_to_file(self, base_directory: str | os.PathLike[str], conda_file_path: str | None = None) -> str:
        """Writes a conda environment file below a folder.

        Args:
            base_directory: The folder.
            conda_file_path: The file in it; `conda_dependencies.yml` where None.

        Returns:
            The file's path, relative to the folder.
        """
        name = conda_file_path or "conda_dependencies.yml"
        (Path(base_directory) / name).write_text(self.serialize_to_string(), encoding="utf-8")
        return name

    @staticmethod
    def merge_requirements(requirements: Iterable[str]) -> list[str]:
        """Returns: requirements of pip's, those of one package made one, its conditions joined by a comma."""
        merged: dict[str, list[str]] = {}
        for line in requirements:
            package = _package(line)
            name = package[: len(_NAME.match(package).group())]  # type: ignore[union-attr]
            merged.setdefault(name, []).append(package[len(name) :].strip())
        return [name + ",".join(dict.fromkeys(c for c in conditions if c)) for name, conditions in merged.items()]

    @staticmethod
    def sdk_origin_url() -> str:
        """Where the SDK's packages come from: there is no such place here.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("pip's own configuration says where packages come from (pip config list)")

    def _content(self) -> dict[str, Any]:
        """Returns: what counts: no name, no place."""
        dependencies: list[Any] = list(self._conda)
        if self._pip:
            dependencies.append({"pip": list(self._pip)})
        other = {k: v for k, v in self._other.items() if k not in ("name", "prefix")}
        return {**other, "channels": list(self._channels), "dependencies": dependencies}


def read_yaml(file: Path, what: str) -> Any:
    """Reads a YAML file as plain data.

    Args:
        file: The file.
        what: What it is, for the message.

    Returns:
        What it holds.

    Raises:
        UserErrorException: It is not there, cannot be read, or is no YAML.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UserErrorException(f"the {what} {file} cannot be read: {error.strerror}") from error
    except (YAMLError, ValueError) as error:
        raise UserErrorException(f"the {what} {file} is no YAML: {' '.join(str(error).split())}") from error


def write_yaml(data: Any) -> str:
    """Returns: plain data as YAML, in blocks."""
    import io

    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    text = io.StringIO()
    yaml.dump(data, text)
    return text.getvalue()


def requirement_lines(file: Path, seen: frozenset[Path] = frozenset()) -> list[str]:
    """Reads a requirements file of pip's; those that it names by `-r` are read too.

    Args:
        file: The file.
        seen: Files that are being read.

    Returns:
        Its lines, comments left out.

    Raises:
        UserErrorException: It, or one that it names, cannot be read.
    """
    try:
        text = file.read_text(encoding="utf-8-sig").replace("\\\n", " ")
    except (OSError, UnicodeDecodeError) as error:
        raise UserErrorException(f"the requirements {file} cannot be read: {error}") from error
    lines: list[str] = []
    for line in text.splitlines():
        line = re.sub(r"(^|\s)#.*$", "", line).strip()
        if named := re.match(r"(?:-r|--requirement)[\s=]+(.+)$", line):
            other = file.parent / named[1].strip()
            if other.resolve() not in seen:
                lines += requirement_lines(other, seen | {file.resolve()})
        elif line:
            lines.append(line)
    return lines


def _listed(what: str, packages: Iterable[str]) -> list[str]:
    if isinstance(packages, str):
        raise ArgumentError(
            f"{what} must be a list of packages, not the string {packages!r}", help=f"{what}=[{packages!r}]"
        )
    return [_package(package) for package in packages]


def _package(package: object) -> str:
    if not isinstance(package, str):
        raise ArgumentTypeError(f"a package is named by a string, not by {package!r}")
    if not package.strip():
        raise ArgumentError("a package needs a name, and this one is empty")
    return package.strip()


def _name(package: str) -> str:
    found = _NAME.match(package)
    return re.sub(r"[-_.]+", "-", found[1]).lower() if found else package


def _with(packages: list[str], package: str) -> list[str]:
    """Returns: the packages with one more, in the place of another version of it."""
    names = [p if p.startswith("-") else _name(p) for p in packages]
    if package.startswith("-") or _name(package) not in names:
        return [*packages, package]
    place = names.index(_name(package))
    return [*packages[:place], package, *packages[place + 1 :]]


def _core(name: str, core_type: str) -> str:
    if core_type not in ("cpu", "gpu"):
        raise ArgumentError(f"core_type must be 'cpu' or 'gpu', not {core_type!r}")
    return name if core_type == "cpu" else f"{name}-gpu"


def _tensorflow(core_type: str, version: str | None, equals: str) -> str:
    return _core("tensorflow", core_type) + (f"{equals}{version}" if version else "")
