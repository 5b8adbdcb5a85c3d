"""Run configurations as files: YAML, in the form that the SDK writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from scriptstep.errors import RunConfigurationException, UserErrorException
from scriptstep.workspace.conda import CondaDependencies, read_yaml, write_yaml
from scriptstep.workspace.element import to_camel_case
from scriptstep.workspace.environment import Environment

if TYPE_CHECKING:
    from scriptstep.authoring.runconfig import RunConfiguration

__all__ = ["find_runconfig", "load_runconfig", "save_runconfig"]

_FOLDERS = (".azureml", "aml_config")
_CONDA_FILE = "conda_dependencies.yml"
_ENVIRONMENT_FILE = "environment.yml"

_Text = str | int | float | bool | None


class _Part(BaseModel):
    # Files of other versions of the SDK have keys that mean nothing here.
    model_config = ConfigDict(alias_generator=to_camel_case, extra="allow", strict=True)


class _Mpi(_Part):
    process_count_per_node: int | None = Field(None, ge=1)
    node_count: int | None = Field(None, ge=1)


class _Tensorflow(_Part):
    worker_count: int | None = Field(None, ge=1)
    parameter_server_count: int | None = Field(None, ge=0)


class _PyTorch(_Part):
    communication_backend: str | None = None
    process_count: int | None = Field(None, ge=1)
    node_count: int | None = Field(None, ge=1)


class _Python(_Part):
    interpreter_path: str | None = None
    user_managed_dependencies: bool | None = None
    conda_dependencies_file: str | None = None
    conda_dependencies: dict[str, Any] | None = None


class _Docker(_Part):
    enabled: bool | None = None
    base_image: str | None = None
    arguments: list[str] | None = None


class _Environment(_Part):
    name: str | None = None
    environment_variables: dict[str, _Text] | None = None
    python: _Python | None = None
    docker: _Docker | None = None
    spark: dict[str, Any] | None = None


class _File(_Part):
    script: str | None = None
    arguments: list[_Text] | None = None
    target: str | None = None
    framework: str | None = None
    communicator: str | None = None
    max_run_duration_seconds: float | None = Field(None, gt=0)
    retries: int | None = Field(None, ge=0)
    node_count: int | None = Field(None, ge=1)
    environment: _Environment | str | None = None
    environment_variables: dict[str, _Text] | None = None
    mpi: _Mpi | None = None
    tensorflow: _Tensorflow | None = None
    pytorch: _PyTorch | None = None
    command: str | list[str] | None = None
    history: dict[str, Any] | None = None
    docker: dict[str, Any] | None = None
    data_references: dict[str, dict[str, Any]] | None = None
    data: dict[str, dict[str, Any]] | None = None
    output_data: dict[str, dict[str, Any]] | None = None


def find_runconfig(path: Path, name: str | None) -> Path:
    """Finds the file of a run configuration.

    Args:
        path: A project folder, or the file itself.
        name: The file's name, with or without `.runconfig`.

    Returns:
        The file.

    Raises:
        UserErrorException: There is no such file.
    """
    if path.is_file():
        return path
    if not name:
        raise UserErrorException(
            f"name the run configuration: {path} is a folder" if path.is_dir() else f"there is no {path}"
        )
    folders = [path / folder for folder in _FOLDERS] + [path]
    for folder in folders:
        for candidate in (folder / name, folder / f"{name}.runconfig"):
            if candidate.is_file():
                return candidate
    known = sorted({f.stem for folder in folders for f in folder.glob("*.runconfig")})
    raise UserErrorException(
        f"there is no run configuration '{name}' in {path}",
        help=f"there are {', '.join(known)}" if known else None,
    )


def load_runconfig(path: Path, name: str | None) -> RunConfiguration:
    """Reads a run configuration.

    Args:
        path: A project folder, or the file itself.
        name: The file's name, with or without `.runconfig`.

    Returns:
        The configuration.

    Raises:
        UserErrorException: There is no such file.
        RunConfigurationException: It says something that cannot be; file and key are named.
    """
    from scriptstep.authoring.runconfig import RunConfiguration

    file = find_runconfig(path, name)
    data = _checked(file, read_yaml(file, "run configuration"))
    if isinstance(data.get("environment"), str):
        data["environment"] = _checked(file, {"environment": _beside(file, data["environment"], "environment")})[
            "environment"
        ]
    python = (data.get("environment") or {}).get("python") or {}
    conda = python.pop("condaDependenciesFile", None)
    configuration = RunConfiguration()
    configuration._take(data)
    if not configuration.environment.name:
        configuration.environment.name = "default-environment"
    if conda and not python.get("condaDependencies"):
        configuration.environment.python.conda_dependencies = CondaDependencies(
            _underlying_structure=_beside(file, conda, "environment.python.condaDependenciesFile")
        )
    return configuration


def save_runconfig(configuration: RunConfiguration, path: Path, name: str | None, separate_environment: bool) -> None:
    """Writes a run configuration.

    Args:
        configuration: The configuration.
        path: A project folder that is there, or a file that is there.
        name: The file's name; needed for a folder.
        separate_environment: Whether the environment gets a file of its own.

    Raises:
        FileNotFoundError: The path is not there.
        UserErrorException: It is a folder, and no name is given.
    """
    if not path.exists():
        raise FileNotFoundError(f"there is no {path} to save a run configuration in")
    if path.is_dir():
        if not name:
            raise UserErrorException(f"give the run configuration a name to be saved under in {path}")
        folder = path / (_FOLDERS[1] if (path / _FOLDERS[1]).is_dir() else _FOLDERS[0])
        folder.mkdir(exist_ok=True)
        file = folder / name
    else:
        file, folder = path, path.parent
    data = configuration._to_json()
    environment = data["environment"]
    if isinstance(configuration.environment, Environment):
        configuration.environment.python.conda_dependencies.save(folder / _CONDA_FILE)
        environment["python"] = {k: v for k, v in environment["python"].items() if k != "condaDependencies"}
        environment["python"]["condaDependenciesFile"] = _CONDA_FILE
        if separate_environment:
            (folder / _ENVIRONMENT_FILE).write_text(write_yaml(environment), encoding="utf-8")
            data["environment"] = _ENVIRONMENT_FILE
    file.write_text(write_yaml(data), encoding="utf-8")


def _beside(file: Path, named: str, key: str) -> Any:
    """Reads a file that a configuration names: relative to its own folder, or to the project's."""
    folders = [file.parent, *([file.parent.parent] if file.parent.name in _FOLDERS else [])]
    for folder in folders:
        if (folder / named).is_file():
            return read_yaml(folder / named, "file that a run configuration names")
    raise RunConfigurationException(f"{file}: {key} names {named!r}, which is not in {folders[-1]}")


def _checked(file: Path, data: Any) -> dict[str, Any]:
    if not isinstance(data, Mapping):
        raise RunConfigurationException(f"{file} is no run configuration: it must be a table, not {data!r}")
    try:
        _File.model_validate(data)
    except ValidationError as error:
        mistakes = []
        for found in error.errors():
            key = ".".join(str(part) for part in found["loc"] if not str(part).startswith(("_", "function-", "str")))
            mistakes.append(f"{key} {found['msg'].replace('Input should', 'must')}, and is {found['input']!r}")
        raise RunConfigurationException(f"{file}: " + "; ".join(dict.fromkeys(mistakes))) from error
    return dict(data)
