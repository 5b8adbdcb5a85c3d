"""The parts of an environment besides its containers."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from scriptstep.workspace.conda import CondaDependencies
from scriptstep.workspace.element import Element, made, taken, taken_list

__all__ = [
    "DatabricksCluster",
    "DatabricksSection",
    "EggLibrary",
    "JarLibrary",
    "MavenLibrary",
    "PyPiLibrary",
    "PythonEnvironment",
    "PythonSection",
    "RCranLibrary",
    "RCranPackage",
    "RGitHubPackage",
    "RSection",
    "SparkEnvironment",
    "SparkPackage",
    "SparkSection",
]


class PythonSection(Element):
    """Python and its packages.

    Attributes:
        interpreter_path: The interpreter to run steps with; used where `user_managed_dependencies` is True.
        user_managed_dependencies: Whether the packages are the user's own affair.
        conda_dependencies: What is declared.
        base_conda_environment: The conda environment to start from.
    """

    _TAKES: ClassVar = {"conda_dependencies": lambda data: CondaDependencies(_underlying_structure=data)}

    interpreter_path: str | None = "python"
    user_managed_dependencies: bool = False
    conda_dependencies = made(CondaDependencies)
    base_conda_environment: str | None = None

    def __init__(self, **kwargs: Any) -> None:
        for name, value in kwargs.items():
            setattr(self, name, value)

    @property
    def conda_dependencies_file(self) -> str | None:
        """Returns: the file that the conda dependencies were read from, if they were."""
        return self.__dict__.get("_file")

    @conda_dependencies_file.setter
    def conda_dependencies_file(self, value: str | os.PathLike[str] | None) -> None:
        self.conda_dependencies = CondaDependencies(value)
        self.__dict__["_file"] = None if value is None else os.fspath(value)


class PythonEnvironment(PythonSection):
    """The SDK's older name for `PythonSection`."""


class SparkPackage(Element):
    """A package of Spark's, by its Maven coordinates."""

    group: str | None = None
    artifact: str | None = None
    version: str | None = None

    def __init__(self, group: str | None = None, artifact: str | None = None, version: str | None = None) -> None:
        self.group, self.artifact, self.version = group, artifact, version


class SparkSection(Element):
    """Spark's packages; here only kept."""

    _TAKES: ClassVar = {"packages": taken_list(SparkPackage)}

    repositories = made(list[str])
    packages = made(list[SparkPackage])
    precache_packages: bool = True

    def __init__(self, **kwargs: Any) -> None:
        for name, value in kwargs.items():
            setattr(self, name, value)


class SparkEnvironment(SparkSection):
    """The SDK's older name for `SparkSection`."""


class RCranPackage(Element):
    """An R package from CRAN."""

    name: str | None = None
    version: str | None = None
    repository: str | None = None


class RGitHubPackage(Element):
    """An R package from GitHub."""

    repository: str | None = None
    auth_token: str | None = None

    def _to_json(self) -> dict[str, Any]:
        return {"repository": self.repository}


class RSection(Element):
    """R and its packages; here only kept."""

    _TAKES: ClassVar = {"cran_packages": taken_list(RCranPackage), "github_packages": taken_list(RGitHubPackage)}

    r_version: str | None = None
    user_managed: bool = False
    rscript_path: str | None = None
    snapshot_date: str | None = None
    cran_packages: list[RCranPackage] | None = None
    github_packages: list[RGitHubPackage] | None = None
    custom_url_packages: list[str] | None = None
    bioconductor_packages: list[str] | None = None


class MavenLibrary(Element):
    """A library for Databricks, from Maven."""

    coordinates: str | None = None
    repo: str | None = None
    exclusions: list[str] | None = None

    def __init__(
        self, coordinates: str | None = None, repo: str | None = None, exclusions: list[str] | None = None
    ) -> None:
        self.coordinates, self.repo, self.exclusions = coordinates, repo, exclusions


class PyPiLibrary(Element):
    """A library for Databricks, from PyPI."""

    package: str | None = None
    repo: str | None = None

    def __init__(self, package: str | None = None, repo: str | None = None) -> None:
        self.package, self.repo = package, repo


class RCranLibrary(PyPiLibrary):
    """A library for Databricks, from CRAN."""


class JarLibrary(Element):
    """A library for Databricks, as a jar."""

    library: str | None = None

    def __init__(self, library: str | None = None) -> None:
        self.library = library


class EggLibrary(JarLibrary):
    """A library for Databricks, as an egg."""


class DatabricksCluster(Element):
    """A cluster of Databricks; here only kept."""

    existing_cluster_id: str | None = None
    spark_version: str | None = None
    node_type: str | None = None
    instance_pool_id: str | None = None
    num_workers: int | None = None
    min_workers: int | None = None
    max_workers: int | None = None
    spark_env_variables: dict[str, str] | None = None
    spark_conf: dict[str, str] | None = None
    init_scripts: list[str] | None = None


class DatabricksSection(Element):
    """Libraries for Databricks; here only kept."""

    _TAKES: ClassVar = {
        "maven_libraries": taken_list(MavenLibrary),
        "pypi_libraries": taken_list(PyPiLibrary),
        "rcran_libraries": taken_list(RCranLibrary),
        "jar_libraries": taken_list(JarLibrary),
        "egg_libraries": taken_list(EggLibrary),
        "cluster": taken(DatabricksCluster),
    }

    maven_libraries = made(list[MavenLibrary])
    pypi_libraries = made(list[PyPiLibrary])
    rcran_libraries = made(list[RCranLibrary])
    jar_libraries = made(list[JarLibrary])
    egg_libraries = made(list[EggLibrary])
    cluster: DatabricksCluster | None = None
