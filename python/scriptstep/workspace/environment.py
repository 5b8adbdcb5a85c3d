"""What a step's environment is declared to be. It is declared, kept and keyed; steps run with what is installed."""

from __future__ import annotations

import builtins
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from scriptstep.errors import ArgumentError, ArgumentTypeError, NotRegisteredError, UserErrorException
from scriptstep.workspace.conda import CondaDependencies, requirement_lines
from scriptstep.workspace.docker import ContainerRegistry, DockerBuildContext, DockerSection
from scriptstep.workspace.element import Element, made, taken
from scriptstep.workspace.environment_images import EnvironmentImages, ImageBuildDetails
from scriptstep.workspace.sections import DatabricksSection, PythonSection, RSection, SparkSection

if TYPE_CHECKING:
    from scriptstep.history import EnvironmentRow
    from scriptstep.workspace.settings import EnvironmentSettings
    from scriptstep.workspace.workspace import Workspace

__all__ = ["Environment", "EnvironmentDefinition", "EnvironmentReference", "ImageBuildDetails"]

_CONDA_FILE = "conda_dependencies.yml"
_FILE = "azureml_environment.json"
_CURATED = ("azureml-", "acpt-", "acft-")
# Options of `docker run`, and switches that do nothing: steps run without containers.
_IDLE_DOCKER = ("enabled", "gpu_support", "arguments", "shared_volumes", "shm_size")


class Environment(EnvironmentImages, Element):
    """A named declaration of Python packages, image and environment variables.

    Args:
        name: Its name.
        **kwargs: Any of the attributes.

    Attributes:
        name: Its name.
        version: The version that it is registered as, if it is.
        environment_variables: What a step finds in its environment.
        python: Interpreter and packages.
        docker: Image.
        spark: Spark's packages.
        databricks: Libraries for Databricks.
        r: R and its packages, or None.
        inferencing_stack_version: Kept, unused.
        asset_id: Kept, unused.
    """

    _TAKES: ClassVar = {"r": taken(RSection)}

    name: str | None = None
    version: str | None = None
    asset_id: str | None = None
    environment_variables = made(dict[str, str])
    python = made(PythonSection)
    docker = made(DockerSection)
    spark = made(SparkSection)
    databricks = made(DatabricksSection)
    r: RSection | None = None
    inferencing_stack_version: str | None = None

    def __init__(self, name: str, **kwargs: Any) -> None:
        self.__dict__["name"] = name
        for key, value in kwargs.items():
            setattr(self, key, value)

    # making one

    @staticmethod
    def from_conda_specification(name: str, file_path: str | os.PathLike[str]) -> Environment:
        """Declares the packages of a conda environment file.

        Args:
            name: The environment's name.
            file_path: The file.

        Returns:
            The environment.

        Raises:
            UserErrorException: The file cannot be read, or is no conda environment.
        """
        environment = Environment(name)
        environment.python.conda_dependencies = CondaDependencies(file_path)
        return environment

    @staticmethod
    def from_pip_requirements(
        name: str, file_path: str | os.PathLike[str], pip_version: str | None = None
    ) -> Environment:
        """Declares the packages of a requirements file.

        Args:
            name: The environment's name.
            file_path: The file; those that it names by `-r` are read too.
            pip_version: Version of pip to declare.

        Returns:
            The environment.

        Raises:
            UserErrorException: The file cannot be read.
        """
        environment = Environment(name)
        environment.python.conda_dependencies = _pip_dependencies(file_path)
        if pip_version:
            environment.python.conda_dependencies.add_conda_package(f"pip={pip_version}")
        return environment

    @staticmethod
    def from_docker_image(
        name: str,
        image: str,
        container_registry: ContainerRegistry | None = None,
        conda_specification: str | os.PathLike[str] | None = None,
        pip_requirements: str | os.PathLike[str] | None = None,
    ) -> Environment:
        """Declares an image.

        Args:
            name: The environment's name.
            image: The image's name.
            container_registry: Where it comes from.
            conda_specification: A conda environment file with packages besides.
            pip_requirements: A requirements file with packages besides.

        Returns:
            The environment; without packages besides, they are the user's own affair.

        Raises:
            ArgumentError: Both files are given.
            UserErrorException: A file cannot be read.
        """
        environment = _from_container(name, conda_specification, pip_requirements)
        environment.docker.base_image = image
        if container_registry is not None:
            environment.docker.base_image_registry = container_registry
        return environment

    @staticmethod
    def from_dockerfile(
        name: str,
        dockerfile: str | os.PathLike[str],
        conda_specification: str | os.PathLike[str] | None = None,
        pip_requirements: str | os.PathLike[str] | None = None,
    ) -> Environment:
        """Declares the image that a Dockerfile makes.

        Args:
            name: The environment's name.
            dockerfile: Its path, or its text.
            conda_specification: A conda environment file with packages besides.
            pip_requirements: A requirements file with packages besides.

        Returns:
            The environment.

        Raises:
            ArgumentError: Both files are given.
            UserErrorException: A file cannot be read.
        """
        environment = _from_container(name, conda_specification, pip_requirements)
        text = os.fspath(dockerfile)
        if "\n" not in text and os.path.isfile(text):
            text = Path(text).read_text(encoding="utf-8")
        environment.docker.base_image = None
        environment.docker.base_dockerfile = text
        return environment

    @staticmethod
    def from_docker_build_context(name: str, docker_build_context: DockerBuildContext) -> Environment:
        """Declares the image that a folder makes.

        Args:
            name: The environment's name.
            docker_build_context: The folder.

        Returns:
            The environment.
        """
        environment = _from_container(name, None, None)
        environment.docker.base_image = None
        environment.docker.build_context = docker_build_context
        return environment

    @staticmethod
    def from_existing_conda_environment(name: str, conda_environment_name: str) -> Environment:
        """Declares a conda environment that is on this machine; steps run with its interpreter.

        Args:
            name: The environment's name.
            conda_environment_name: Name of the conda environment, or its folder.

        Returns:
            The environment, with the packages that conda and pip installed there.

        Raises:
            UserErrorException: There is no such conda environment.
        """
        from scriptstep.workspace.conda_environments import find_conda_environment, packages_of

        folder, python = find_conda_environment(conda_environment_name)
        environment = Environment(name)
        environment.python.conda_dependencies = CondaDependencies(_underlying_structure=packages_of(folder))
        environment.python.interpreter_path = str(python)
        environment.python.user_managed_dependencies = True
        return environment

    @staticmethod
    def load_from_directory(path: str | os.PathLike[str]) -> Environment:
        """Reads what `save_to_directory` wrote.

        Args:
            path: The folder.

        Returns:
            The environment.

        Raises:
            UserErrorException: The folder does not hold an environment.
        """
        folder = Path(path)
        try:
            data = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        except OSError as error:
            raise UserErrorException(f"{folder} holds no environment: {_FILE}: {error.strerror}") from error
        except ValueError as error:
            raise UserErrorException(f"the environment {folder / _FILE} is no JSON: {error}") from error
        if not isinstance(data, dict):
            raise UserErrorException(f"the environment {folder / _FILE} must hold an object, not {data!r}")
        environment = Environment(str(data.get("name") or ""))
        environment._take(data)
        if (folder / _CONDA_FILE).is_file():
            environment.python.conda_dependencies = CondaDependencies(folder / _CONDA_FILE)
        return environment

    def save_to_directory(self, path: str | os.PathLike[str], overwrite: bool = False) -> None:
        """Writes the environment into a folder: conda_dependencies.yml and azureml_environment.json.

        Args:
            path: The folder.
            overwrite: Whether it may be there already.

        Raises:
            FileExistsError: It is there, and may not be.
        """
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=overwrite)
        self.python.conda_dependencies.save(folder / _CONDA_FILE)
        (folder / _FILE).write_text(
            json.dumps(self._to_json(), indent=4, sort_keys=True, default=str), encoding="utf-8"
        )

    def clone(self, new_name: str) -> Environment:
        """Returns: an environment of another name that declares the same, and is not registered.

        Raises:
            ArgumentTypeError: The name is no string.
        """
        import copy

        if not isinstance(new_name, str):
            raise ArgumentTypeError(f"an environment's name must be a string, not {new_name!r}")
        twin = copy.deepcopy(self)
        twin.name, twin.version, twin.asset_id = new_name, None, None
        return twin

    # registering

    def register(self, workspace: Workspace) -> Environment:
        """Registers the environment; what is registered already under the name makes no new version.

        Args:
            workspace: Where.

        Returns:
            The environment as registered, with its version.

        Raises:
            ArgumentError: It has no name.
        """
        if not self.name or not isinstance(self.name, str):
            raise ArgumentError(f"an environment needs a name to be registered, and this one has {self.name!r}")
        row = workspace._catalog.add_environment(self.name, self._definition(), self.version)
        return _from_row(row)

    @staticmethod
    def get(workspace: Workspace, name: str, version: str | None = None, label: str | None = None) -> Environment:
        """Reads a registered environment.

        Args:
            workspace: Where.
            name: Its name; one that is not registered may be named in scriptstep.toml. One of the SDK's curated
                environments that is neither is answered with the default one, and said: steps run with what is
                installed.
            version: Its version; the latest where None.
            label: "latest", or None.

        Returns:
            The environment.

        Raises:
            NotRegisteredError: There is none.
            ArgumentError: Version and label are given, or another label.
        """
        if label is not None and (version is not None or str(label).lower() != "latest"):
            raise ArgumentError(
                f"environment '{name}': the only label here is 'latest', without a version, not {label!r}"
            )
        row = workspace._catalog.environment(name, None if version is None else str(version))
        if row is not None:
            return _from_row(row)
        if (table := workspace._settings.environments.get(name)) is not None:
            return _from_settings(name, table)
        if name.lower().startswith(_CURATED):
            from scriptstep.console import notice

            notice(
                f"the curated environment '{name}' is not here: steps run with the packages that are installed",
                help="install what the scripts need beside scriptstep",
            )
            return Environment(name, version=None if version is None else str(version))
        known = ", ".join(Environment._names(workspace)) or "none"
        if version is not None and workspace._catalog.environment(name) is not None:
            raise NotRegisteredError(f"environment '{name}' has no version {version}")
        raise NotRegisteredError(
            f"no environment '{name}' is registered in workspace '{workspace.name}'; there are: {known}",
            help=f'name a conda file in scriptstep.toml: [environments.{name}] conda = "conda.yml"; or register it: '
            "Environment(name).register(workspace)",
        )

    @staticmethod
    def list(workspace: Workspace) -> dict[str, Environment]:
        """Returns: the latest version of each environment that is registered, or named in the settings, by name."""
        named = {name: _from_settings(name, table) for name, table in workspace._settings.environments.items()}
        return named | {row.name: _from_row(row) for row in workspace._catalog.environments()}

    @staticmethod
    def _names(workspace: Workspace) -> builtins.list[str]:
        """Returns: the names that `get` knows, sorted."""
        return sorted({row.name for row in workspace._catalog.environments()} | set(workspace._settings.environments))

    # what the engine asks

    def _definition(self) -> dict[str, Any]:
        """Returns: what is declared, as plain data: neither name nor version, and no secrets."""
        changed = self._changed()
        for name in ("name", "version", "asset_id"):
            changed.pop(name, None)
        python = changed.pop("python", {})
        return {"python": {**python, "conda_dependencies": self.python.conda_dependencies._content()}, **changed}

    def _declared(self) -> dict[str, Any]:
        """Returns: the part of `_definition` that stands in a step's key as its environment.

        Variables stand there for themselves; the interpreter is known by what is installed in it, not by its path.
        """
        declared = self._definition()
        declared.pop("environment_variables", None)
        declared["python"].pop("interpreter_path", None)
        docker = {k: v for k, v in declared.pop("docker", {}).items() if k not in _IDLE_DOCKER}
        return {**declared, "docker": docker} if docker else declared

    def _is_default(self) -> bool:
        """Returns: whether it declares what a new environment does."""
        untouched = not set(self.__dict__) - {"name", "version", "asset_id"}
        return untouched or self._definition() == _default_definition()

    @property
    def _interpreter(self) -> str | None:
        """The interpreter to run steps with, or None for the one that runs scriptstep."""
        if "python" not in self.__dict__ or not self.python.user_managed_dependencies:
            return None
        path = self.python.interpreter_path
        return None if path in (None, "", "python") else os.path.expanduser(str(path))


class EnvironmentDefinition(Environment):
    """The SDK's older name for `Environment`."""

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name or "")


class EnvironmentReference(Element):
    """A registered environment, by name.

    Args:
        name: Its name.
        version: Its version; the latest where None.
    """

    name: str | None = None
    version: str | None = None

    def __init__(self, name: str, version: str | None = None) -> None:
        self.name, self.version = name, version

    def get_environment(self, workspace: Workspace) -> Environment:
        """Returns: the environment.

        Raises:
            NotRegisteredError: There is none.
        """
        return Environment.get(workspace, str(self.name), self.version)


_default: dict[str, Any] = {}


def _default_definition() -> dict[str, Any]:
    if not _default:
        _default.update(Environment("")._definition())
    return _default


def _from_row(row: EnvironmentRow) -> Environment:
    environment = Environment(row.name, version=row.version)
    environment._take(row.definition)
    return environment


def _from_settings(name: str, table: EnvironmentSettings) -> Environment:
    if table.folder is not None:
        environment = Environment.load_from_directory(table.folder)
        environment.name = name
    elif table.conda is not None:
        environment = Environment.from_conda_specification(name, table.conda)
    elif table.pip is not None:
        environment = Environment.from_pip_requirements(name, table.pip)
    else:
        environment = Environment(name)
    if table.python is not None:
        environment.python.interpreter_path = table.python
        environment.python.user_managed_dependencies = True
    return environment


def _pip_dependencies(file_path: str | os.PathLike[str]) -> CondaDependencies:
    dependencies = CondaDependencies.create(pip_packages=[])
    for line in requirement_lines(Path(file_path)):
        dependencies.add_pip_package(line)
    return dependencies


def _from_container(
    name: str,
    conda_specification: str | os.PathLike[str] | None,
    pip_requirements: str | os.PathLike[str] | None,
) -> Environment:
    if conda_specification is not None and pip_requirements is not None:
        raise ArgumentError(f"environment '{name}': give conda_specification or pip_requirements, not both")
    environment = Environment(name)
    if conda_specification is not None:
        environment.python.conda_dependencies = CondaDependencies(conda_specification)
    elif pip_requirements is not None:
        environment.python.conda_dependencies = _pip_dependencies(pip_requirements)
    else:
        environment.python.user_managed_dependencies = True
    return environment
