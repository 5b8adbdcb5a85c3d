"""Environments and their packages, declared as public code declares them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from scriptstep.errors import ArgumentError, NotRegisteredError, UserErrorException
from scriptstep.workspace.catalog import close_catalogs
from scriptstep.workspace.conda import CondaDependencies
from scriptstep.workspace.docker import (
    ContainerRegistry,
    DockerBuildContext,
    DockerConfiguration,
    DockerEnvironment,
    DockerSection,
)
from scriptstep.workspace.environment import Environment, EnvironmentReference
from scriptstep.workspace.images import DEFAULT_CPU_IMAGE, DEFAULT_GPU_IMAGE
from scriptstep.workspace.sections import RSection, SparkPackage, SparkSection
from scriptstep.workspace.workspace import Workspace

Said = list[str]
CONDA = """
name: project
channels: [conda-forge]
dependencies:
  - python=3.10
  - numpy  # a comment
  - pip:
    - --extra-index-url https://example.com/simple
    - pandas==2.0
variables: {A: b}
"""


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Said:
    told: Said = []
    monkeypatch.setattr("scriptstep.console.notice", lambda text, **_: told.append(text))
    return told


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Said) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SCRIPTSTEP_HOME", raising=False)
    (tmp_path / "conda.yml").write_text(CONDA)
    yield tmp_path
    close_catalogs()


@pytest.fixture
def ws(folder: Path) -> Workspace:
    return Workspace.from_config()


def parsed(text: str) -> Any:
    return YAML(typ="safe").load(text)


# --- packages


def test_new_dependencies_are_pythons_and_the_sdks() -> None:
    conda = CondaDependencies()
    assert list(conda.conda_packages) == ["python=3.8.13"]
    assert list(conda.pip_packages) == ["azureml-defaults"]
    assert list(conda.conda_channels) == ["anaconda", "conda-forge"]
    assert conda.get_python_version() == "3.8.13"


def test_created_dependencies_are_what_was_asked_for() -> None:
    conda = CondaDependencies.create(
        conda_packages=["scikit-learn", "pip"], pip_packages=["azureml-defaults", "pandas==1.5"], python_version="3.9"
    )
    assert parsed(conda.serialize_to_string()) == {
        "name": "project_environment",
        "channels": ["anaconda", "conda-forge"],
        "dependencies": ["python=3.9", "scikit-learn", "pip", {"pip": ["azureml-defaults", "pandas==1.5"]}],
    }
    assert list(CondaDependencies.create().pip_packages) == ["azureml-defaults"]
    assert list(CondaDependencies.create(pip_packages=[]).pip_packages) == []
    assert CondaDependencies.create().get_python_version() == "3.10.18"


def test_a_package_takes_the_place_of_another_version_of_it() -> None:
    conda = CondaDependencies()
    conda.add_pip_package("Pandas==1.0")
    conda.add_pip_package("scikit_learn")
    conda.add_pip_package("pandas==2.0")
    conda.add_pip_package("scikit-learn>=1")
    conda.add_conda_package("numpy=1")
    conda.add_conda_package("numpy=2")
    assert list(conda.pip_packages) == ["azureml-defaults", "pandas==2.0", "scikit-learn>=1"]
    assert list(conda.conda_packages) == ["python=3.8.13", "numpy=2"]
    conda.remove_pip_package("PANDAS")
    conda.remove_conda_package("numpy")
    assert list(conda.pip_packages) == ["azureml-defaults", "scikit-learn>=1"]
    assert list(conda.conda_packages) == ["python=3.8.13"]


def test_channels_python_and_options_are_set() -> None:
    conda = CondaDependencies.create(pip_indexurl="https://example.com/simple", pip_packages=["a"])
    conda.add_channel("pytorch")
    conda.add_channel("pytorch")
    conda.remove_channel("anaconda")
    conda.set_python_version("3.11")
    conda.set_pip_option("--pre")
    assert list(conda.conda_channels) == ["conda-forge", "pytorch"]
    assert conda.get_python_version() == "3.11"
    assert set(conda.pip_options) == {"--index-url https://example.com/simple", "--pre"}
    conda.remove_pip_option("--pre")
    conda.set_pip_requirements(["b", "c"])
    assert list(conda.pip_packages) == ["b", "c"]
    assert list(conda.pip_options) == ["--index-url https://example.com/simple"]
    conda.add_tensorflow_conda_package("gpu", version="2.4")
    assert "tensorflow-gpu=2.4" in conda.conda_packages


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (
            lambda: CondaDependencies.create(pip_packages="pandas"),
            r"pip_packages must be a list.*not the string 'pandas'",
        ),
        (lambda: CondaDependencies.create(conda_packages="numpy"), "conda_packages must be a list"),
        (lambda: CondaDependencies().add_pip_package(""), "empty"),
        (lambda: CondaDependencies().add_pip_package(3), "named by a string"),  # type: ignore[arg-type]
        (lambda: CondaDependencies().set_pip_option("pre"), "begins with '-'"),
        (lambda: CondaDependencies().add_tensorflow_pip_package("tpu"), "'cpu' or 'gpu'"),
    ],
)
def test_what_is_no_package_is_an_error(act: Callable[[], Any], told: str) -> None:
    with pytest.raises(ArgumentError, match=told):
        act()


def test_a_conda_file_is_read_and_written_whole(folder: Path) -> None:
    conda = CondaDependencies("conda.yml")
    assert conda.as_dict() == parsed(CONDA)
    assert list(conda.pip_options) == ["--extra-index-url https://example.com/simple"]
    assert conda.save_to_file(folder) == "conda_dependencies.yml"
    assert conda.save_to_file(str(folder), "other.yml") == "other.yml"
    assert conda.save() == "conda_dependencies.yml"
    for name in ("conda_dependencies.yml", "other.yml"):
        assert CondaDependencies(conda_dependencies_file_path=name).as_dict() == parsed(CONDA)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[1, 2]", "no conda environment"),
        ("dependencies: numpy", "must be a list, not 'numpy'"),
        ("dependencies: [3]", "must be a package or a list of pip's, not 3"),
        ("dependencies: [{npm: [x]}]", "not {'npm': "),
        ("a: [", "is no YAML"),
    ],
)
def test_a_file_that_is_no_conda_environment_says_why(folder: Path, text: str, told: str) -> None:
    (folder / "bad.yml").write_text(text)
    with pytest.raises(UserErrorException, match=rf"bad\.yml.*{told}"):
        Environment.from_conda_specification("e", "bad.yml")
    with pytest.raises(UserErrorException, match=r"none\.yml cannot be read"):
        Environment.from_conda_specification("e", "none.yml")


def test_requirements_of_one_package_are_merged() -> None:
    assert CondaDependencies.merge_requirements(["a>1", "b", "a<3", "b"]) == ["a>1,<3", "b"]


# --- environments


def test_environments_are_declared_in_every_way(folder: Path) -> None:
    assert list(Environment.from_conda_specification("e", "conda.yml").python.conda_dependencies.pip_packages) == [
        "pandas==2.0"
    ]
    (folder / "more.txt").write_text("numpy\n")
    (folder / "requirements.txt").write_text("# comment\npandas==2.0  # why\n\n-r more.txt\n--pre\nscipy \\\n >=1\n")
    env = Environment.from_pip_requirements("e", "requirements.txt", pip_version="23.0")
    conda = env.python.conda_dependencies
    assert list(conda.pip_packages) == ["pandas==2.0", "numpy", "scipy   >=1"]
    assert list(conda.pip_options) == ["--pre"]
    assert "pip=23.0" in conda.conda_packages
    registry = ContainerRegistry()
    registry.address = "me.azurecr.io"
    env = Environment.from_docker_image("e", "image:1", container_registry=registry)
    assert (env.docker.base_image, env.docker.base_image_registry.address) == ("image:1", "me.azurecr.io")
    assert env.python.user_managed_dependencies is True
    env = Environment.from_docker_image("e", "image:1", conda_specification="conda.yml")
    assert env.python.user_managed_dependencies is False
    (folder / "Dockerfile").write_text("FROM x\n")
    assert Environment.from_dockerfile("e", "Dockerfile").docker.base_dockerfile == "FROM x\n"
    assert Environment.from_dockerfile("e", "FROM y").docker.base_dockerfile == "FROM y"
    context = DockerBuildContext.from_local_directory(None, folder)
    assert Environment.from_docker_build_context("e", context).docker.base_image is None
    with pytest.raises(ArgumentError, match="not both"):
        Environment.from_docker_image("e", "i", conda_specification="conda.yml", pip_requirements="requirements.txt")
    with pytest.raises(ArgumentError, match="no Dockerfile"):
        DockerBuildContext.from_local_directory(None, folder, "none")
    with pytest.raises(UserErrorException, match="cannot be read"):
        Environment.from_pip_requirements("e", "none.txt")


def test_requirements_that_name_each_other_end(folder: Path) -> None:
    (folder / "a.txt").write_text("-r b.txt\na\n")
    (folder / "b.txt").write_text("-r a.txt\nb\n")
    env = Environment.from_pip_requirements("e", "a.txt")
    assert list(env.python.conda_dependencies.pip_packages) == ["b", "a"]


def test_sections_are_set_by_attribute_as_public_code_does() -> None:
    env = Environment(name="train")
    env.docker.enabled = True
    env.docker.base_image = DEFAULT_GPU_IMAGE
    env.docker.gpu_support = True
    env.docker.base_image_registry.username = "me"
    env.python.user_managed_dependencies = True
    env.python.interpreter_path = "/usr/bin/python3"
    env.python.conda_dependencies = CondaDependencies.create(pip_packages=["a"])
    env.spark.precache_packages = False
    env.spark.packages = [SparkPackage("g", "a", "1")]
    env.environment_variables = {"A": "1"}
    env.inferencing_stack_version = "latest"
    env.r = RSection()
    assert env.docker.base_image == DEFAULT_GPU_IMAGE
    assert Environment("other").docker.base_image == DEFAULT_CPU_IMAGE, "each has its own sections"
    assert isinstance(Environment("e").spark, SparkSection)
    assert isinstance(DockerEnvironment(), DockerSection)
    assert DockerConfiguration(use_docker=True).use_docker is True


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (
            lambda: setattr(Environment("e"), "dokcer", 1),
            "Environment has no attribute 'dokcer'\nhelp: did you mean 'docker'",
        ),
        (lambda: setattr(Environment("e").docker, "base_imgae", 1), "did you mean 'base_image'"),
        (
            lambda: setattr(Environment("e").python, "zzz", 1),
            "PythonSection has no attribute 'zzz'\nhelp: it has base_conda",
        ),
        (lambda: Environment("e", colour="red"), "no attribute 'colour'"),
    ],
)
def test_a_misspelt_attribute_is_an_attribute_error(act: Callable[[], Any], told: str) -> None:
    with pytest.raises(AttributeError, match=told) as caught:
        act()
    assert isinstance(caught.value, UserErrorException)


# --- what is declared, for keys


def test_the_definition_is_the_content_and_nothing_else() -> None:
    one, other = Environment("a"), Environment("b", version="7")
    assert one._definition() == other._definition()
    other.python.conda_dependencies.add_pip_package("pandas")
    assert one._definition() != other._definition()
    json.dumps(other._definition())


def test_looking_at_an_environment_does_not_change_it() -> None:
    env = Environment("e")
    before = env._definition()
    assert env.docker.base_image and env.python.conda_dependencies and env.spark.packages == [] and env.databricks
    assert str(env)
    assert env._definition() == before
    assert env._is_default()


def test_the_default_is_recognised_however_it_came_about() -> None:
    env = Environment("mine")
    assert env._is_default()
    env.docker.base_image = "x"
    assert not env._is_default()
    env.docker.base_image = DEFAULT_CPU_IMAGE
    assert env._is_default()
    env.python.conda_dependencies.add_pip_package("pandas")
    assert not env._is_default()
    assert not Environment("e", environment_variables={"A": "b"})._is_default()


@pytest.mark.parametrize(
    "change",
    [
        lambda e: setattr(e.docker, "base_image", "x"),
        lambda e: setattr(e.docker, "base_dockerfile", "FROM x"),
        lambda e: setattr(e.docker.base_image_registry, "address", "x"),
        lambda e: setattr(e.docker.platform, "architecture", "arm64"),
        lambda e: setattr(e.docker, "build_context", DockerBuildContext()),
        lambda e: setattr(e.python, "user_managed_dependencies", True),
        lambda e: setattr(e.python, "base_conda_environment", "base"),
        lambda e: e.python.conda_dependencies.add_channel("x"),
        lambda e: e.python.conda_dependencies.set_python_version("3.11"),
        lambda e: e.spark.repositories.append("x"),
        lambda e: setattr(e.spark, "packages", [SparkPackage("g", "a", "1")]),
        lambda e: setattr(e, "r", RSection()),
        lambda e: setattr(e, "inferencing_stack_version", "latest"),
    ],
)
def test_whatever_is_declared_is_in_the_key(change: Callable[[Environment], Any]) -> None:
    env = Environment("e")
    change(env)
    assert env._declared() != Environment("e")._declared()


@pytest.mark.parametrize(
    "change",
    [
        lambda e: setattr(e, "name", "x"),
        lambda e: setattr(e, "version", "x"),
        lambda e: setattr(e.docker, "enabled", True),
        lambda e: setattr(e.docker, "arguments", ["--x"]),
        lambda e: setattr(e.docker.base_image_registry, "password", "canary"),
        lambda e: setattr(e, "environment_variables", {"A": "b"}),
        lambda e: setattr(e.python, "interpreter_path", "/somewhere/python"),
    ],
)
def test_what_cannot_change_a_result_or_stands_elsewhere_is_not(change: Callable[[Environment], Any]) -> None:
    env = Environment("e")
    change(env)
    assert env._declared() == Environment("e")._declared()
    assert "canary" not in str(env) + str(env._definition())


# --- registering


def declared_fully(folder: Path) -> Environment:
    env = Environment.from_conda_specification("full", folder / "conda.yml")
    env.docker.base_image = None
    env.docker.base_dockerfile = "FROM x"
    env.docker.arguments = ["--gpus", "all"]
    env.docker.enabled = True
    env.docker.build_context = DockerBuildContext("git", "https://example.com")
    env.docker.base_image_registry.address = "me.azurecr.io"
    env.docker.base_image_registry.password = "canary"
    env.environment_variables = {"A": "1", "B": "2"}
    env.python.interpreter_path = "/usr/bin/python3"
    env.python.user_managed_dependencies = True
    env.spark.packages = [SparkPackage("g", "a", "1")]
    env.spark.precache_packages = False
    env.r = RSection()
    env.r.r_version = "4.0"
    env.inferencing_stack_version = "latest"
    return env


def test_a_registered_environment_declares_what_it_did(ws: Workspace, folder: Path) -> None:
    env = declared_fully(folder)
    registered = env.register(workspace=ws)
    assert (registered.name, registered.version) == ("full", "1")
    for found in (registered, Environment.get(ws, "full"), Environment.get(ws, name="full", version="1")):
        assert found._definition() == env._definition()
        assert found._declared() == env._declared()
        assert found.docker.arguments == ["--gpus", "all"]
        assert found.spark.packages[0].artifact == "a"
        assert found.r is not None and found.r.r_version == "4.0"
        assert found.docker.build_context is not None and found.docker.build_context.location == "https://example.com"
    assert ws.environments["full"]._definition() == env._definition()
    assert list(Environment.list(ws)) == ["full"]
    close_catalogs()
    assert b"canary" not in (ws._place.home / "history.db").read_bytes()


def test_registering_the_same_makes_no_version(ws: Workspace) -> None:
    env = Environment("e")
    assert [env.register(ws).version for _ in range(3)] == ["1", "1", "1"]
    env.python.conda_dependencies.add_pip_package("pandas")
    assert env.register(ws).version == "2"
    assert Environment.get(ws, "e", version="1")._is_default()
    assert Environment.get(ws, "e", label="latest").version == "2"
    assert EnvironmentReference("e").get_environment(ws).version == "2"


def test_an_environment_that_is_not_registered_is_told_of(ws: Workspace) -> None:
    Environment("there").register(ws)
    with pytest.raises(NotRegisteredError, match=r"no environment 'x' is registered.*there are: there\n.*register"):
        Environment.get(ws, "x")
    with pytest.raises(NotRegisteredError, match="'there' has no version 9"):
        Environment.get(ws, "there", version=9)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="'latest'"):
        Environment.get(ws, "there", label="prod")
    with pytest.raises(ArgumentError, match="needs a name"):
        Environment("").register(ws)


def test_a_curated_environment_is_answered_and_said(ws: Workspace, said: Said) -> None:
    env = Environment.get(workspace=ws, name="AzureML-sklearn-1.0-ubuntu20.04-py38-cpu")
    assert env.name == "AzureML-sklearn-1.0-ubuntu20.04-py38-cpu"
    assert "curated environment" in said[-1]
    curated = env.clone("customised")
    curated.python.conda_dependencies.add_pip_package("x")
    assert env._is_default() and not curated._is_default()


def test_a_directory_keeps_an_environment(folder: Path) -> None:
    env = declared_fully(folder)
    env.save_to_directory("saved")
    assert sorted(p.name for p in (folder / "saved").iterdir()) == [
        "azureml_environment.json",
        "conda_dependencies.yml",
    ]
    assert "canary" not in (folder / "saved" / "azureml_environment.json").read_text()
    again = Environment.load_from_directory("saved")
    assert again.name == "full"
    assert again._definition() == env._definition()
    with pytest.raises(FileExistsError):
        env.save_to_directory("saved")
    env.save_to_directory("saved", overwrite=True)


def test_a_directory_of_the_sdks_is_read(folder: Path) -> None:
    """As the SDK writes it: keys of its own among ours, the packages in a file beside it."""
    (folder / "azureml_environment.json").write_text(
        json.dumps(
            {
                "assetId": None,
                "databricks": {"eggLibraries": [], "jarLibraries": []},
                "docker": {
                    "arguments": [],
                    "baseImage": "img",
                    "baseImageRegistry": {"address": None},
                    "shmSize": None,
                },
                "environmentVariables": {"EXAMPLE_ENV_VAR": "EXAMPLE_VALUE"},
                "inferencingStackVersion": None,
                "name": "prod",
                "python": {"condaDependencies": {"dependencies": ["old"]}, "userManagedDependencies": False, "new": 1},
                "r": None,
                "spark": {"packages": [], "precachePackages": True, "repositories": []},
                "version": "3",
            }
        )
    )
    (folder / "conda_dependencies.yml").write_text(CONDA)
    env = Environment.load_from_directory(folder)
    assert (env.name, env.version, env.docker.base_image) == ("prod", "3", "img")
    assert list(env.python.conda_dependencies.pip_packages) == ["pandas==2.0"]


@pytest.mark.parametrize(("text", "told"), [(None, "holds no environment"), ("{", "is no JSON"), ("[]", "an object")])
def test_a_directory_without_an_environment_says_so(folder: Path, text: str | None, told: str) -> None:
    if text is not None:
        (folder / "azureml_environment.json").write_text(text)
    with pytest.raises(UserErrorException, match=told):
        Environment.load_from_directory(folder)


def test_copies_are_apart() -> None:
    env = Environment("e")
    env.docker.arguments.append("x")
    twin, deep = env.clone("twin"), copy.deepcopy(env)
    twin.docker.arguments.append("y")
    deep.python.conda_dependencies.add_pip_package("z")
    assert env.docker.arguments == ["x"]
    assert (twin.name, deep.name, env.name) == ("twin", "e", "e")
    assert "z" not in env.python.conda_dependencies.pip_packages
    with pytest.raises(TypeError):
        env.clone(3)  # type: ignore[arg-type]


def test_nothing_is_built_and_that_is_said(ws: Workspace, said: Said) -> None:
    build = Environment("e").build(workspace=ws)
    build.wait_for_completion(show_output=True)
    assert build.status == "Succeeded"
    assert "not built here" in said[-1]
    with pytest.raises(NotImplementedError):
        Environment("e").get_image_details(ws)
    with pytest.raises(NotImplementedError, match="pip install"):
        Environment.add_private_pip_wheel(ws, "x.whl")


# --- conda environments of this machine


@pytest.fixture
def conda(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A conda installation with one environment, as conda records it."""
    env = folder / "miniconda3" / "envs" / "ml"
    (env / "bin").mkdir(parents=True)
    (env / "bin" / "python").write_text("")
    (env / "conda-meta").mkdir()
    for name, version in (("python", "3.10.4"), ("numpy", "1.26.0"), ("setuptools", "68.0")):
        record = {
            "name": name,
            "version": version,
            "build": "0",
            "channel": "https://conda.anaconda.org/conda-forge/linux-64",
        }
        (env / "conda-meta" / f"{name}.json").write_text(json.dumps(record))
    (env / "conda-meta" / "broken.json").write_text("{")
    site = env / "lib" / "python3.10" / "site-packages"
    for name, installer in (("pandas-2.0", "pip"), ("numpy-1.26.0", "conda"), ("setuptools-68.0", "conda")):
        (site / f"{name}.dist-info").mkdir(parents=True)
        (site / f"{name}.dist-info" / "INSTALLER").write_text(installer)
    for name in ("CONDA_EXE", "CONDA_PREFIX", "CONDA_ENVS_DIRS", "CONDA_ENVS_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(folder))
    return env


def test_an_existing_conda_environment_is_declared_and_run_with(conda: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for setting in ({}, {"CONDA_EXE": conda.parent.parent / "bin" / "conda"}, {"CONDA_PREFIX": conda}):
        for name, value in setting.items():
            monkeypatch.setenv(name, str(value))
        env = Environment.from_existing_conda_environment("e", "ml")
        assert env._interpreter == str(conda / "bin" / "python")
        packages = env.python.conda_dependencies
        assert list(packages.conda_packages) == ["numpy=1.26.0", "python=3.10.4", "setuptools=68.0"]
        assert list(packages.pip_packages) == ["pandas==2.0"]
        assert list(packages.conda_channels) == ["conda-forge"]
    assert Environment.from_existing_conda_environment("e", str(conda))._interpreter == str(conda / "bin" / "python")


def test_a_conda_environment_that_is_not_there_says_where_it_was_looked_for(conda: Path) -> None:
    with pytest.raises(
        UserErrorException, match=r"no conda environment 'none' on this machine \(looked at: .*envs/none"
    ):
        Environment.from_existing_conda_environment("e", "none")
    (conda / "bin" / "python").unlink()
    with pytest.raises(UserErrorException, match="holds no Python"):
        Environment.from_existing_conda_environment("e", "ml")
