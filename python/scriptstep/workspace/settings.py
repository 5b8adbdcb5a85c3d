"""The settings of a project, as `scriptstep.toml` gives them: committed with the code, paths relative to the file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scriptstep.records import asdict, dataclass, field
from scriptstep.workspace.place import Place, config_files, find_place, prepare_home

__all__ = [
    "SETTINGS_STORE",
    "ComputeSettings",
    "DatasetSettings",
    "DatastoreSettings",
    "EnvironmentSettings",
    "InheritSettings",
    "Place",
    "ReuseSettings",
    "Settings",
    "WorkspaceSettings",
    "config_files",
    "find_place",
    "load_settings",
    "prepare_home",
]

# Stands in definitions for the folder of the settings file, so that they are the same on every machine.
SETTINGS_STORE = "scriptstep.toml"

_loaded: dict[tuple[str, int, int, int], Settings] = {}


@dataclass(frozen=True)
class WorkspaceSettings:
    """[workspace]: what the workspace is called, where no config.json is named."""

    name: str | None = None
    subscription_id: str | None = None
    resource_group: str | None = None
    location: str | None = None


@dataclass(frozen=True)
class DatastoreSettings:
    """[datastores.NAME]: the local folder, or the place far away, that a datastore stands for.

    Attributes:
        path: The folder, absolute; None where the files lie at the URL.
        url: URLs that begin so are read from the folder, or through fsspec where there is none.
        default: Whether it is the workspace's default.
        options: What fsspec is given for the URL.
    """

    path: str | None = None
    url: str | None = None
    default: bool = False
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class DatasetSettings:
    """[datasets.NAME]: data that is known by name.

    Attributes:
        kind: "file" or "tabular".
        definition: Which files it stands for, and how they are read.
        description: In the user's words.
        tags: Names and values.
    """

    kind: str
    definition: dict[str, Any]
    description: str | None = None
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ComputeSettings:
    """[compute.NAME]: a compute target.

    Attributes:
        type: As the SDK spells it.
        max_nodes: Most steps side by side; None for the number of cores.
        default: Whether steps that name no target run there.
    """

    type: str = "AmlCompute"
    max_nodes: int | None = None
    default: bool = False


@dataclass(frozen=True)
class InheritSettings:
    """[environment]: which of the caller's environment variables steps get, and what of a step's values is secret.

    Attributes:
        inherit: Names of variables that steps get, besides the usual ones.
        secret: Names of variables, parameters and flags whose values are never shown, besides those that say so.
    """

    inherit: tuple[str, ...] = ()
    secret: tuple[str, ...] = ()


@dataclass(frozen=True)
class EnvironmentSettings:
    """[environments.NAME]: an environment that code asks for by name. Paths are absolute.

    Attributes:
        conda: A conda environment file; it or one of the next two says what is declared, or none does.
        pip: A requirements file.
        folder: A folder that `Environment.save_to_directory` wrote.
        python: The interpreter that runs its steps; None for the one that runs scriptstep.
    """

    conda: str | None = None
    pip: str | None = None
    folder: str | None = None
    python: str | None = None


@dataclass(frozen=True)
class ReuseSettings:
    """[reuse]: what counts as unchanged.

    Attributes:
        input_identity: Datasets by "definition" or by "content".
        environment_identity: All packages that are "installed", or only those that the environment has "declared".
        platform: Whether Python's version, the system and the processor family count.
    """

    input_identity: str = "definition"
    environment_identity: str = "installed"
    platform: bool = True


@dataclass(frozen=True)
class Settings:
    """All settings.

    Attributes:
        workspace: [workspace].
        datastores: [datastores], by name.
        datasets: [datasets], by name.
        compute: [compute], by name; None where the file has no such table.
        environment: [environment].
        environments: [environments], by name.
        reuse: [reuse].
    """

    workspace: WorkspaceSettings = WorkspaceSettings()
    datastores: dict[str, DatastoreSettings] = field(default_factory=dict)
    datasets: dict[str, DatasetSettings] = field(default_factory=dict)
    compute: dict[str, ComputeSettings] | None = None
    environment: InheritSettings = InheritSettings()
    environments: dict[str, EnvironmentSettings] = field(default_factory=dict)
    reuse: ReuseSettings = ReuseSettings()

    def to_json(self) -> dict[str, Any]:
        """Returns: the settings as plain data."""
        names = {"inherit": list(self.environment.inherit), "secret": list(self.environment.secret)}
        return {**asdict(self), "environment": names}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Settings:
        """Returns: the settings that `to_json` wrote."""
        compute = data["compute"]
        return cls(
            WorkspaceSettings(**data["workspace"]),
            {name: DatastoreSettings(**table) for name, table in data["datastores"].items()},
            {name: DatasetSettings(**table) for name, table in data["datasets"].items()},
            None if compute is None else {name: ComputeSettings(**table) for name, table in compute.items()},
            InheritSettings(tuple(data["environment"]["inherit"]), tuple(data["environment"].get("secret", ()))),
            {name: EnvironmentSettings(**table) for name, table in data.get("environments", {}).items()},
            ReuseSettings(**data["reuse"]),
        )

    @property
    def default_compute(self) -> str | None:
        """Returns: name of the compute target that steps run on by default."""
        return next((name for name, table in (self.compute or {}).items() if table.default), None)


_NONE = Settings()


def load_settings(place: Place) -> Settings:
    """Reads the settings of a place.

    Args:
        place: The place; without a settings file, all is as by default, and nothing is loaded.

    Returns:
        The settings.

    Raises:
        SettingsError: The file cannot be read, or says something that cannot be; file, table and key are named.
    """
    if place.settings_file is None:
        return _NONE
    from scriptstep.workspace.settings_file import read_settings

    try:
        stat = place.settings_file.stat()
    except OSError:
        return read_settings(place.settings_file)
    key = (str(place.settings_file), stat.st_mtime_ns, stat.st_size, stat.st_ino)
    if key not in _loaded:
        _loaded[key] = read_settings(place.settings_file)
    return _loaded[key]
