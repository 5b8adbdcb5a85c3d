"""Compute targets: names for places to run, with what was asked for them. `ComputeTarget` finds and makes them."""

from __future__ import annotations

import time
from abc import ABC
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from scriptstep.errors import ComputeTargetException
from scriptstep.workspace.names import is_text

if TYPE_CHECKING:
    from scriptstep.history import ComputeRow
    from scriptstep.workspace.workspace import Workspace

__all__ = ["ComputeStatus", "ComputeTarget", "Configuration", "asked", "find_compute", "known_names"]

_SECRET = (
    "access_token",
    "admin_user_password",
    "admin_user_ssh_key",
    "admin_user_ssh_public_key",
    "password",
    "private_key_file",
    "private_key_passphrase",
    "ssl_cert_pem_file",
    "ssl_key_pem_file",
)


class Configuration:
    """What a compute target is made with or attached by.

    Attributes:
        compute_type: Of the target.
        settings: What was asked for, by the SDK's names; passwords and keys are left out.
    """

    def __init__(self, compute_type: str, settings: Mapping[str, Any]) -> None:
        self.compute_type = compute_type
        self.settings = dict(settings)

    def __getattr__(self, name: str) -> Any:
        # Code reads back what it asked for: `config.vm_size`.
        settings = self.__dict__.get("settings", {})
        if name in settings:
            return settings[name]
        raise AttributeError(f"this configuration has no '{name}'")

    def validate_configuration(self) -> None:
        """Has been checked when it was made."""


def asked(type: str, given: Mapping[str, Any]) -> Configuration:
    """Returns: the configuration that some arguments ask for, without passwords, keys, and what was not given."""
    return Configuration(type, {k: v for k, v in given.items() if v is not None and k not in _SECRET})


class ComputeStatus:
    """How a compute target is: ready, for it is this machine.

    Attributes:
        allocation_state: "Steady".
        provisioning_state: "Succeeded".
        state: "Running".
        errors: None.
        creation_time: When it was asked.
        vm_size: As asked for.
        vm_priority: As asked for.
        current_node_count: As asked for at least.
        target_node_count: The same.
        scale_settings: As asked for.
    """

    allocation_state = "Steady"
    provisioning_state = "Succeeded"
    state = "Running"
    errors: None = None

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.creation_time = time.time()
        self.vm_size = config.get("vm_size", "")
        self.vm_priority = config.get("vm_priority", "dedicated")
        self.current_node_count = self.target_node_count = config.get("min_nodes", 0)
        names = ("min_nodes", "max_nodes", "idle_seconds_before_scaledown")
        self.scale_settings = {name: config.get(name) for name in names}

    def serialize(self) -> dict[str, Any]:
        """Returns: the status as plain data, under the names that the SDK prints."""
        return {
            "currentNodeCount": self.current_node_count,
            "targetNodeCount": self.target_node_count,
            "allocationState": self.allocation_state,
            "provisioningState": self.provisioning_state,
            "errors": self.errors,
            "vmSize": self.vm_size,
            "vmPriority": self.vm_priority,
            "scaleSettings": self.scale_settings,
        }

    def __repr__(self) -> str:
        return str(self.serialize())


class ComputeTarget(ABC):
    """A compute target of a workspace, by name; what it gives is of the class of its type.

    Where the settings have no [compute] table, every name is a place on this machine, and is said to be, once.

    Args:
        workspace: The workspace.
        name: The target's name.

    Attributes:
        workspace: The workspace.
        name: The target's name.
        type: Its type, as the SDK spells it.
        location: Of the workspace.
        description: As given.
        tags: As given.
        provisioning_state: "Succeeded".
        provisioning_errors: None.

    Raises:
        ComputeTargetException: The settings name targets, and none is called so; or it is of another type.
    """

    _TYPE: ClassVar[str] = ""

    workspace: Workspace
    name: str
    type: str

    def __new__(cls, workspace: Workspace, name: str) -> Any:
        """Returns: the target."""
        row = find_compute(workspace, name, cls._TYPE or "AmlCompute")
        kind = _class_of(row)
        if cls is not ComputeTarget and not issubclass(kind, cls) and row.type != cls._TYPE:
            raise ComputeTargetException(f"compute target '{name}' is a {row.type}, not a {cls.__name__}")
        return (kind if cls is ComputeTarget else cls)._made(workspace, row)

    def __init__(self, workspace: Workspace, name: str) -> None:
        # All is done by then: __new__ may have given an object of another class.
        super().__init__()

    @classmethod
    def _made(cls, workspace: Workspace, row: ComputeRow) -> Any:
        target = object.__new__(cls)
        target._take(workspace, row)
        return target

    def _take(self, workspace: Workspace, row: ComputeRow) -> None:
        self.workspace, self.name, self.type = workspace, row.name, row.type
        self._config = dict(row.config)
        self.location = workspace.location
        self.description, self.tags = row.config.get("description"), row.config.get("tags") or {}
        self.provisioning_state, self.provisioning_errors = "Succeeded", None
        self.created_on = self.modified_on = None
        self.is_attached = bool(row.config.get("attached"))
        self.cluster_resource_id = row.config.get("resource_id")
        self.vm_size = row.config.get("vm_size", "")

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        # A name for a place: a copied step runs in the same one.
        return self

    def __repr__(self) -> str:
        return f"{type(self).__name__}(workspace={self.workspace!r}, name={self.name}, type={self.type})"

    # making

    @staticmethod
    def create(workspace: Workspace, name: str, provisioning_configuration: Configuration) -> Any:
        """Makes a compute target: a name for this machine, with what was asked for.

        Args:
            workspace: The workspace.
            name: The target's name.
            provisioning_configuration: What `provisioning_configuration` gave.

        Returns:
            The target.

        Raises:
            ComputeTargetException: That is no configuration, or the name is empty.
        """
        return _keep(workspace, name, provisioning_configuration, {})

    @staticmethod
    def attach(workspace: Workspace, name: str, attach_configuration: Configuration) -> Any:
        """Attaches a compute target: a name for this machine, with what was asked for.

        Args:
            workspace: The workspace.
            name: The target's name.
            attach_configuration: What `attach_configuration` gave.

        Returns:
            The target.

        Raises:
            ComputeTargetException: That is no configuration, or the name is empty.
        """
        return _keep(workspace, name, attach_configuration, {"attached": True})

    @staticmethod
    def list(workspace: Workspace) -> list[Any]:
        """Returns: the targets that the settings name, and those that were made."""
        return [_class_of(row)._made(workspace, row) for row in workspace._catalog.computes()]

    def delete(self) -> None:
        """Forgets the target; one that the settings name stays."""
        self.workspace._catalog.remove_compute(self.name)

    def detach(self) -> None:
        """Forgets the target, as `delete`."""
        self.workspace._catalog.remove_compute(self.name)

    # asking

    def wait_for_completion(self, show_output: bool = False, is_delete_operation: bool = False) -> None:
        """Returns at once: the target is this machine.

        Args:
            show_output: Whether to say so.
            is_delete_operation: Accepted.
        """
        if show_output:
            from scriptstep.console import notice

            notice(f"compute target '{self.name}' is ready")

    def get_status(self) -> Any:
        """Returns: how the target is."""
        return ComputeStatus(self._config)

    @property
    def status(self) -> Any:
        """Returns: how the target is."""
        return self.get_status()

    def refresh_state(self) -> None:
        """Reads what was asked for again."""
        row = self.workspace._catalog.compute(self.name)
        if row is not None:
            self._take(self.workspace, row)

    def serialize(self) -> dict[str, Any]:
        """Returns: the target as plain data."""
        return {
            "name": self.name,
            "computeType": self.type,
            "location": self.location,
            "tags": self.tags,
            "provisioningState": self.provisioning_state,
            "properties": {k: v for k, v in self._config.items() if k not in ("tags", "description")},
        }

    @staticmethod
    def deserialize(workspace: Workspace, object_dict: Mapping[str, Any]) -> Any:
        """Returns: the target that `serialize` wrote."""
        from scriptstep.history import ComputeRow

        row = ComputeRow(object_dict["name"], object_dict["computeType"], dict(object_dict.get("properties") or {}))
        return _class_of(row)._made(workspace, row)


def find_compute(workspace: Workspace, name: str, otherwise: str = "AmlCompute") -> ComputeRow:
    """Finds a compute target.

    Args:
        workspace: The workspace.
        name: The target's name.
        otherwise: The type that a name which nobody made stands for, where the settings have no [compute] table.

    Returns:
        The target.

    Raises:
        ComputeTargetException: The settings name targets, and none is called so.
    """
    from scriptstep.console import notice
    from scriptstep.history import ComputeRow

    if not is_text(name):
        raise ComputeTargetException(f"a compute target is named by a string, not by {name!r}")
    row = workspace._catalog.compute(name)
    if row is not None:
        return row
    if workspace._settings.compute is not None:
        # The SDK's own words: code looks for them.
        raise ComputeTargetException(
            f"ComputeTargetNotFound: Compute Target with name {name} not found in provided workspace; "
            f"scriptstep.toml names {known_names(workspace) or 'none'}"
        )
    notice(
        f"compute target '{name}' is this machine",
        help="name the targets that there are in [compute] of scriptstep.toml, and an unknown one is an error",
    )
    return ComputeRow(name, otherwise)


def known_names(workspace: Workspace) -> str:
    """Returns: the names of a workspace's compute targets, for messages."""
    return ", ".join(row.name for row in workspace._catalog.computes())


def _keep(workspace: Workspace, name: str, configuration: Any, more: Mapping[str, Any]) -> Any:
    from scriptstep.history import ComputeRow

    if not isinstance(configuration, Configuration):
        raise ComputeTargetException(
            f"compute target '{name}' is made with what AmlCompute.provisioning_configuration() or the like gives, "
            f"not with {configuration!r}"
        )
    if not is_text(name):
        raise ComputeTargetException(f"a compute target is named by a string, not by {name!r}")
    row = ComputeRow(name, configuration.compute_type, {**configuration.settings, **more})
    workspace._catalog.add_compute(row)
    return _class_of(row)._made(workspace, workspace._catalog.compute(name) or row)


def _class_of(row: ComputeRow) -> type[ComputeTarget]:
    from scriptstep.workspace.compute_kinds import CLASSES, DsvmCompute

    return DsvmCompute if row.config.get("data_science") else CLASSES.get(row.type, ComputeTarget)
