"""The workspace: what code finds everything through."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scriptstep.errors import ArgumentError, WorkspaceException
from scriptstep.records import replace
from scriptstep.workspace.names import is_text
from scriptstep.workspace.place import Place, find_place, inside_step
from scriptstep.workspace.workspace_config import WorkspaceConfig, find_config, read_config, write_config
from scriptstep.workspace.workspace_members import WorkspaceMembers
from scriptstep.workspace.workspace_service import ServiceOnly

if TYPE_CHECKING:
    from scriptstep.history import WorkspaceRow
    from scriptstep.workspace.catalog import Catalog
    from scriptstep.workspace.keyvault import Keyvault
    from scriptstep.workspace.settings import Settings

__all__ = ["Workspace"]

# What code prints and compares where nobody said anything.
_SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
_GROUP = "local"
_LOCATION = "local"


class Workspace(WorkspaceMembers, ServiceOnly):
    """A workspace: a name under which runs, data, models and the rest are kept in the state folder.

    One that is not there is made, and said.

    Args:
        subscription_id: As the user's code says; means nothing here.
        resource_group: As the user's code says; means nothing here.
        workspace_name: Its name.
        auth: Accepted.
        _location: As the user's code says.
        _disable_service_check: Accepted.
        _workspace_id: Accepted.
        sku: Accepted.
        tags: Names and values, for a new one.
        _cloud: Accepted.

    Raises:
        WorkspaceException: The state folder cannot be used.
        SettingsError: scriptstep.toml says something that cannot be.
    """

    def __init__(
        self,
        subscription_id: str,
        resource_group: str,
        workspace_name: str,
        auth: object | None = None,
        _location: str | None = None,
        _disable_service_check: bool = False,
        _workspace_id: str | None = None,
        sku: str = "basic",
        tags: Mapping[str, str] | None = None,
        _cloud: str = "AzureCloud",
    ) -> None:
        self._open(find_place(), WorkspaceConfig(workspace_name, subscription_id, resource_group, _location), tags)

    @classmethod
    def _opened(cls, place: Place, config: WorkspaceConfig, tags: Mapping[str, str] | None = None) -> Workspace:
        workspace = object.__new__(cls)
        workspace._open(place, config, tags)
        return workspace

    def _open(self, place: Place, config: WorkspaceConfig, tags: Mapping[str, str] | None) -> None:
        if not is_text(config.name):
            raise ArgumentError(f"a workspace needs a name, and this one has {config.name!r}")
        self._place, self._name, self._config = place, config.name, config
        if self._catalog.workspace() is None:
            self._make(tags)

    def _make(self, tags: Mapping[str, str] | None) -> None:
        """Makes the workspace, unless a step asks: there it is only answered."""
        from scriptstep.console import notice
        from scriptstep.console.text import typed
        from scriptstep.history import WorkspaceRow

        add = getattr(self._catalog, "add_workspace", None)
        if add is None:
            return
        said = self._config
        row = WorkspaceRow(
            self._name,
            said.subscription_id or _SUBSCRIPTION,
            said.resource_group or _GROUP,
            said.location or _LOCATION,
            {str(k): str(v) for k, v in (tags or {}).items()},
        )
        add(row)
        notice(f"made workspace '{self._name}' in {typed(self._place.home)}")

    @property
    def _catalog(self) -> Catalog:
        from scriptstep.workspace.catalog import open_catalog

        return open_catalog(self._place, self._name)

    @property
    def _settings(self) -> Settings:
        return self._catalog.settings()

    @property
    def _row(self) -> WorkspaceRow | None:
        return self._catalog.workspace()

    @classmethod
    def _current(cls) -> Workspace:
        """Returns: the workspace of the step that this is, else that of the working directory."""
        if inside_step() and (name := os.environ.get("AZUREML_ARM_WORKSPACE_NAME")):
            config = WorkspaceConfig(
                name, os.environ.get("AZUREML_ARM_SUBSCRIPTION"), os.environ.get("AZUREML_ARM_RESOURCEGROUP")
            )
            return cls._opened(find_place(), config)
        return cls.from_config()

    def __repr__(self) -> str:
        return (
            f"Workspace.create(name='{self.name}', subscription_id='{self.subscription_id}', "
            f"resource_group='{self.resource_group}')"
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Workspace) and (self._place.home, self._name) == (other._place.home, other._name)

    def __hash__(self) -> int:
        return hash((self._place.home, self._name))

    def __deepcopy__(self, memo: dict[int, Any]) -> Workspace:
        return self

    # finding and making

    @staticmethod
    def from_config(
        path: str | os.PathLike[str] | None = None,
        auth: object | None = None,
        _logger: object | None = None,
        _file_name: str | None = None,
    ) -> Workspace:
        """Opens the workspace that a config.json names, as the SDK finds it.

        Without one it is the workspace that scriptstep.toml names, else one that is called like the folder.

        Args:
            path: The file, or the folder to begin in; the working directory where None.
            auth: Accepted.
            _logger: Accepted.
            _file_name: Name of the file; config.json where None.

        Returns:
            The workspace; made where it is not there.

        Raises:
            UserErrorException: The path is not there, or the file is no configuration.
        """
        start = Path(os.path.abspath(path if path is not None else os.curdir))
        place = find_place(start.parent if start.is_file() else start)
        file = find_config(start, path is not None, _file_name or "config.json")
        said = read_config(file) if file is not None else None
        if file is None and path is None and inside_step() and "AZUREML_ARM_WORKSPACE_NAME" in os.environ:
            return Workspace._current()
        if said is None or path is None:
            from scriptstep.workspace.settings import load_settings

            named = load_settings(place).workspace if not inside_step() else None
            default = said or WorkspaceConfig(place.folder_name or "workspace")
            if named is not None:
                default = WorkspaceConfig(
                    named.name or default.name,
                    named.subscription_id or default.subscription_id,
                    named.resource_group or default.resource_group,
                    named.location or default.location,
                )
            said = default
        return Workspace._opened(place, said)

    @staticmethod
    def get(
        name: str,
        auth: object | None = None,
        subscription_id: str | None = None,
        resource_group: str | None = None,
        location: str | None = None,
        cloud: str = "AzureCloud",
        id: str | None = None,
    ) -> Workspace:
        """Opens a workspace by name; one that is not there is made, and said."""
        return Workspace._opened(find_place(), WorkspaceConfig(name, subscription_id, resource_group, location))

    @staticmethod
    def create(  # noqa: D417
        name: str,
        auth: object | None = None,
        subscription_id: str | None = None,
        resource_group: str | None = None,
        location: str | None = None,
        create_resource_group: bool = True,
        sku: str = "basic",
        tags: Mapping[str, str] | None = None,
        friendly_name: str | None = None,
        storage_account: str | None = None,
        key_vault: str | None = None,
        app_insights: str | None = None,
        container_registry: str | None = None,
        adb_workspace: str | None = None,
        primary_user_assigned_identity: str | None = None,
        cmk_keyvault: str | None = None,
        resource_cmk_uri: str | None = None,
        hbi_workspace: bool = False,
        default_cpu_compute_target: object | None = None,
        default_gpu_compute_target: object | None = None,
        private_endpoint_config: object | None = None,
        private_endpoint_auto_approval: bool = True,
        exist_ok: bool = False,
        show_output: bool = True,
        user_assigned_identity_for_cmk_encryption: str | None = None,
        system_datastores_auth_mode: str = "accessKey",
        v1_legacy_mode: bool | None = None,
    ) -> Workspace:
        """Makes a workspace. What is not told of below is accepted, and means nothing here.

        Args:
            name: Its name.
            auth: Accepted.
            subscription_id: As the user's code says.
            resource_group: As the user's code says.
            location: As the user's code says.
            tags: Names and values.
            friendly_name: What it is called besides.
            exist_ok: Whether it may be there already.

        Returns:
            The workspace.

        Raises:
            WorkspaceException: It is there already, and may not be.
        """
        from scriptstep.workspace.catalog import open_catalog

        place = find_place()
        if not exist_ok and is_text(name) and open_catalog(place, name).workspace() is not None:
            raise WorkspaceException(
                f"workspace '{name}' is there already", help="exist_ok=True opens it; Workspace.get(name) too"
            )
        config = WorkspaceConfig(name, subscription_id, resource_group, location)
        workspace = Workspace._opened(place, config, tags)
        if friendly_name is not None:
            workspace.update(friendly_name=friendly_name)
        return workspace

    @staticmethod
    def list(
        subscription_id: str | None = None, auth: object | None = None, resource_group: str | None = None
    ) -> dict[str, list[Workspace]]:
        """Lists the workspaces of the state folder.

        Args:
            subscription_id: Accepted.
            auth: Accepted.
            resource_group: Only those of this resource group.

        Returns:
            For each name a list of one workspace.
        """
        from scriptstep.workspace.local_catalog import open_history

        place = find_place()
        if inside_step():
            current = Workspace._current()
            return {current.name: [current]}
        rows = [row for row in open_history(place).workspaces() if resource_group in (None, row.resource_group)]
        return {row.name: [Workspace._opened(place, WorkspaceConfig(row.name))] for row in rows}

    def write_config(self, path: str | os.PathLike[str] | None = None, file_name: str | None = None) -> None:
        """Writes a configuration file that `from_config` reads: `.azureml/config.json` in a folder.

        Args:
            path: The folder; the working directory where None.
            file_name: Name of the file; config.json where None.
        """
        config = WorkspaceConfig(self.name, self.subscription_id, self.resource_group)
        write_config(Path(path) if path is not None else Path.cwd(), file_name or "config.json", config)

    # what it is

    @property
    def name(self) -> str:
        """Returns: its name."""
        return self._name

    @property
    def subscription_id(self) -> str:
        """Returns: what the user's code, or the configuration file, said."""
        return self._said("subscription_id", _SUBSCRIPTION)

    @property
    def resource_group(self) -> str:
        """Returns: what the user's code, or the configuration file, said."""
        return self._said("resource_group", _GROUP)

    @property
    def location(self) -> str:
        """Returns: what the user's code said, else "local"."""
        return self._said("location", _LOCATION)

    def _said(self, what: str, otherwise: str) -> str:
        row = self._row
        return str(getattr(self._config, what) or (getattr(row, what) if row else None) or otherwise)

    @property
    def sku(self) -> str:
        """Returns: "basic"."""
        return "basic"

    @property
    def tags(self) -> dict[str, str]:
        """Returns: its tags."""
        row = self._row
        return dict(row.tags) if row else {}

    @property
    def discovery_url(self) -> str:
        """Returns: where the service would be asked: nowhere."""
        return "local"

    @property
    def _workspace_id(self) -> str:
        from scriptstep.history import definition_id

        return definition_id({"workspace": self.name})

    def get_details(self) -> dict[str, Any]:
        """Returns: what there is to say of it, under the names that the SDK prints."""
        row = self._row
        details = row.details if row else {}
        kind = "Microsoft.MachineLearningServices/workspaces"
        group = f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
        return {
            "id": f"{group}/providers/{kind}/{self.name}",
            "name": self.name,
            "location": self.location,
            "type": kind,
            "tags": self.tags,
            "sku": self.sku,
            "workspaceid": self._workspace_id,
            "description": details.get("description", ""),
            "friendlyName": details.get("friendly_name", self.name),
            "creationTime": row.created if row else None,
            "provisioningState": "Succeeded",
            "storageAccount": str(self._place.home / "datastores"),
        }

    def update(  # noqa: D417
        self,
        friendly_name: str | None = None,
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
        image_build_compute: object | None = None,
        service_managed_resources_settings: object | None = None,
        primary_user_assigned_identity: object | None = None,
        allow_public_access_when_behind_vnet: bool | None = None,
        v1_legacy_mode: bool | None = None,
    ) -> dict[str, Any]:
        """Changes what is said of it. What is not told of below is accepted, and means nothing here.

        Args:
            friendly_name: What it is called besides.
            description: In the user's words.
            tags: Names and values, in place of all that there are.

        Returns:
            Its details.

        Raises:
            WorkspaceException: A step asks.
        """
        add, row = getattr(self._catalog, "add_workspace", None), self._row
        if add is None or row is None:
            raise WorkspaceException(
                "a step cannot change its workspace", help="change it where the pipeline is submitted"
            )
        said = {"friendly_name": friendly_name, "description": description}
        details = {**row.details, **{name: text for name, text in said.items() if text is not None}}
        add(replace(row, details=details, tags=row.tags if tags is None else {str(k): str(v) for k, v in tags.items()}))
        return self.get_details()

    # what it holds

    def get_default_datastore(self) -> Any:
        """Returns: the default datastore."""
        from scriptstep.workspace.datastore import Datastore

        return Datastore.get_default(self)

    def set_default_datastore(self, name: str) -> None:
        """Makes a datastore the default.

        Args:
            name: Its name.

        Raises:
            NotRegisteredError: There is none of that name.
        """
        from scriptstep.workspace.datastore import Datastore

        self._catalog.set_default_datastore(Datastore.get(self, name).name)

    def get_default_compute_target(self, type: str = "CPU") -> Any:
        """Returns: the compute target that the settings make the default; None where they do not."""
        name = self._settings.default_compute
        return None if name is None else self.compute_targets[name]

    def get_default_keyvault(self) -> Keyvault:
        """Returns: the secrets: environment variables."""
        from scriptstep.workspace.keyvault import Keyvault

        return Keyvault(self)

    def get_run(self, run_id: str) -> Any:
        """Returns: the run of that id.

        Raises:
            NotRegisteredError: There is none.
        """
        from scriptstep.run.run import Run

        return Run.get(self, run_id)

    def get_mlflow_tracking_uri(self, _with_auth: bool = False) -> str:
        """Returns: the folder in which MLflow keeps what is logged with it: in a step the run's own, read back as what
        the run logged; outside of steps one that stays MLflow's own.
        """
        run = os.environ.get("SCRIPTSTEP_RUN_DIR")
        return (Path(run) if run else self._place.home).joinpath("mlflow").as_uri()
