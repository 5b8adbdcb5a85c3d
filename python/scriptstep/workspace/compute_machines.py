"""Compute targets that the SDK makes: clusters and single machines. All of them are this machine."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any, ClassVar

from scriptstep.errors import ComputeTargetException
from scriptstep.workspace.compute_target import ComputeTarget, Configuration, asked

if TYPE_CHECKING:
    from scriptstep.workspace.workspace import Workspace

__all__ = ["AmlCompute", "ComputeInstance"]


class AmlCompute(ComputeTarget):
    """A cluster of the SDK's."""

    _TYPE: ClassVar[str] = "AmlCompute"

    @staticmethod
    def provisioning_configuration(
        vm_size: str = "",
        vm_priority: str = "dedicated",
        min_nodes: int = 0,
        max_nodes: int | None = None,
        idle_seconds_before_scaledown: int = 1800,
        admin_username: str | None = None,
        admin_user_password: str | None = None,
        admin_user_ssh_key: str | None = None,
        vnet_resourcegroup_name: str | None = None,
        vnet_name: str | None = None,
        subnet_name: str | None = None,
        tags: dict[str, str] | None = None,
        description: str | None = None,
        remote_login_port_public_access: str = "NotSpecified",
        identity_type: str | None = None,
        identity_id: builtins.list[str] | None = None,
        location: str | None = None,
        enable_node_public_ip: bool = True,
    ) -> Configuration:
        """Says what a cluster is asked for; of it `max_nodes` limits how many steps run side by side.

        Returns:
            The configuration, for `ComputeTarget.create`.

        Raises:
            ComputeTargetException: max_nodes is missing or no count, or min_nodes exceeds it.
        """
        given = dict(locals())
        for name, value, least in (("max_nodes", max_nodes, 1), ("min_nodes", min_nodes, 0)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ComputeTargetException(
                    f"{name} of a cluster must be a whole number, at least {least}, not {value!r}"
                )
        if max_nodes is not None and min_nodes > max_nodes:
            raise ComputeTargetException(f"min_nodes of a cluster must not exceed max_nodes: {min_nodes} > {max_nodes}")
        return asked("AmlCompute", given)

    def get(self) -> dict[str, Any]:
        """Returns: the cluster as plain data."""
        return self.serialize()

    def wait_for_completion(  # type: ignore[override]  # the SDK's order
        self,
        show_output: bool = False,
        min_node_count: int | None = None,
        timeout_in_minutes: int = 25,
        is_delete_operation: bool = False,
    ) -> None:
        """Returns at once: the cluster is this machine."""
        super().wait_for_completion(show_output)

    def update(
        self,
        min_nodes: int | None = None,
        max_nodes: int | None = None,
        idle_seconds_before_scaledown: int | None = None,
    ) -> None:
        """Changes what was asked for."""
        from scriptstep.history import ComputeRow

        given = {
            "min_nodes": min_nodes,
            "max_nodes": max_nodes,
            "idle_seconds_before_scaledown": idle_seconds_before_scaledown,
        }
        config = {**self._config, **{k: v for k, v in given.items() if v is not None}}
        self.workspace._catalog.add_compute(ComputeRow(self.name, self.type, config))
        self._config = config

    def list_nodes(self) -> builtins.list[dict[str, Any]]:
        """Returns: the one node that there is: this machine."""
        return [{"nodeId": self.name, "privateIpAddress": "127.0.0.1", "publicIpAddress": None, "port": None}]

    def get_active_runs(self, type: Any = None, tags: Any = None, properties: Any = None, status: Any = None) -> Any:
        """Returns: the runs of this target that have not ended."""
        return _active_runs(self)

    @staticmethod
    def supported_vmsizes(workspace: Workspace, location: str | None = None) -> builtins.list[dict[str, Any]]:
        """Returns: the one size that there is: this machine."""
        import os

        return [
            {"name": "local", "vCPUs": os.cpu_count() or 1, "gpus": 0, "memoryGB": None, "maxResourceVolumeMB": None}
        ]

    @staticmethod
    def list_quotas(workspace: Workspace, location: str | None = None) -> Any:
        """Cannot be answered.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("there are no quotas here: steps run on this machine")

    @staticmethod
    def list_usages(workspace: Workspace, show_all: bool = False, location: str | None = None) -> Any:
        """Cannot be answered, as `list_quotas`."""
        return AmlCompute.list_quotas(workspace)

    @staticmethod
    def update_quotas(
        workspace: Workspace, vm_family: Any, limit: int | None = None, location: str | None = None
    ) -> Any:
        """Cannot be done, as `list_quotas`."""
        return AmlCompute.list_quotas(workspace)

    def add_identity(self, identity_type: str, identity_id: Any = None) -> None:
        """Cannot be done.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("compute targets have no identity here: steps run as you")

    def remove_identity(self, identity_id: Any = None) -> None:
        """Cannot be done, as `add_identity`."""
        self.add_identity("")


class ComputeInstance(ComputeTarget):
    """A machine of the SDK's."""

    _TYPE: ClassVar[str] = "ComputeInstance"

    @staticmethod
    def provisioning_configuration(
        vm_size: str = "",
        ssh_public_access: bool = False,
        admin_user_ssh_public_key: str | None = None,
        vnet_resourcegroup_name: str | None = None,
        vnet_name: str | None = None,
        subnet_name: str | None = None,
        tags: dict[str, str] | None = None,
        description: str | None = None,
        assigned_user_object_id: str | None = None,
        assigned_user_tenant_id: str | None = None,
    ) -> Configuration:
        """Says what a machine is asked for.

        Returns:
            The configuration, for `ComputeTarget.create`.
        """
        return asked("ComputeInstance", dict(locals()))

    def get(self) -> dict[str, Any]:
        """Returns: the machine as plain data."""
        return self.serialize()

    def get_active_runs(self, type: Any = None, tags: Any = None, properties: Any = None, status: Any = None) -> Any:
        """Returns: the runs of this target that have not ended."""
        return _active_runs(self)

    def delete(self, wait_for_completion: bool = False, show_output: bool = False) -> None:
        """Forgets the target; one that the settings name stays."""
        super().delete()

    def start(self, wait_for_completion: bool = False, show_output: bool = False) -> None:
        """Returns at once: this machine runs."""

    def stop(self, wait_for_completion: bool = False, show_output: bool = False) -> None:
        """Returns at once: this machine is not stopped."""

    def restart(self, wait_for_completion: bool = False, show_output: bool = False) -> None:
        """Returns at once: this machine is not stopped."""

    def update_sso_settings(self, value: bool) -> None:
        """Returns at once: nobody signs in here."""

    @classmethod
    def get_docs_url(cls) -> str:
        """Returns: where the SDK's class is described."""
        return (
            "https://learn.microsoft.com/python/api/azureml-core/azureml.core.compute.computeinstance.computeinstance"
        )

    @staticmethod
    def supported_vmsizes(workspace: Workspace, location: str | None = None) -> builtins.list[dict[str, Any]]:
        """Returns: the one size that there is: this machine."""
        return AmlCompute.supported_vmsizes(workspace)


def _active_runs(target: ComputeTarget) -> Any:
    from scriptstep.run.run import Run

    ended = ("Finished", "Completed", "Failed", "Canceled")
    for row in target.workspace._catalog.runs():
        if row.compute == target.name and row.status not in ended:
            yield Run.get(target.workspace, row.id)
