"""Compute targets that the SDK attaches. What runs scripts is this machine; the rest can be named, not used."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any, ClassVar

from scriptstep.workspace.compute_target import ComputeTarget, Configuration, asked

if TYPE_CHECKING:
    from scriptstep.workspace.workspace import Workspace

__all__ = [
    "AdlaCompute",
    "AksCompute",
    "BatchCompute",
    "DatabricksCompute",
    "DataFactoryCompute",
    "DsvmCompute",
    "HDInsightCompute",
    "KubernetesCompute",
    "KustoCompute",
    "RemoteCompute",
    "SynapseCompute",
]


class _Attached(ComputeTarget):
    """A target that the SDK attaches: its credentials are accepted and not kept."""

    def get_credentials(self) -> dict[str, Any]:
        """Cannot be answered: credentials are not kept.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("credentials of compute targets are not kept: steps run on this machine")


class RemoteCompute(_Attached):
    """A machine that is reached by SSH."""

    _TYPE: ClassVar[str] = "VirtualMachine"

    @staticmethod
    def attach_configuration(
        username: str,
        subscription_id: str | None = None,
        resource_group: str | None = None,
        vm_name: str | None = None,
        resource_id: str | None = None,
        address: str | None = None,
        ssh_port: int = 22,
        password: str = "",
        private_key_file: str = "",
        private_key_passphrase: str = "",
    ) -> Configuration:
        """Says which machine it is; passwords and keys are not kept."""
        return asked("VirtualMachine", dict(locals()))

    @staticmethod
    def attach(  # type: ignore[override]  # the SDK's parameters
        workspace: Workspace,
        name: str,
        username: str,
        address: str,
        ssh_port: int = 22,
        password: str = "",
        private_key_file: str = "",
        private_key_passphrase: str = "",
    ) -> Any:
        """Attaches a machine; password and key are not kept."""
        given = RemoteCompute.attach_configuration(username, address=address, ssh_port=ssh_port)
        return ComputeTarget.attach(workspace, name, given)


class DsvmCompute(_Attached):
    """A data science machine of the SDK's."""

    _TYPE: ClassVar[str] = "VirtualMachine"

    @staticmethod
    def provisioning_configuration(
        vm_size: str | None = None, ssh_port: int | None = None, location: str | None = None
    ) -> Configuration:
        """Says what a machine is asked for."""
        return asked("VirtualMachine", {**locals(), "data_science": True})


class HDInsightCompute(_Attached):
    """A Spark cluster."""

    _TYPE: ClassVar[str] = "HDInsight"

    @staticmethod
    def attach_configuration(
        username: str,
        subscription_id: str | None = None,
        resource_group: str | None = None,
        cluster_name: str | None = None,
        resource_id: str | None = None,
        address: str | None = None,
        ssh_port: str = "22",
        password: str = "",
        private_key_file: str = "",
        private_key_passphrase: str = "",
    ) -> Configuration:
        """Says which cluster it is; passwords and keys are not kept."""
        return asked("HDInsight", dict(locals()))

    @staticmethod
    def attach(  # type: ignore[override]  # the SDK's parameters
        workspace: Workspace,
        name: str,
        username: str,
        address: str,
        ssh_port: str = "22",
        password: str = "",
        private_key_file: str = "",
        private_key_passphrase: str = "",
    ) -> Any:
        """Attaches a cluster; password and key are not kept."""
        given = HDInsightCompute.attach_configuration(username, address=address, ssh_port=ssh_port)
        return ComputeTarget.attach(workspace, name, given)


class _Resource(_Attached):
    """A target that is attached by its resource's id."""

    @classmethod
    def _attached(cls, workspace: Workspace, name: str, resource_id: str) -> Any:
        return ComputeTarget.attach(workspace, name, asked(cls._TYPE, {"resource_id": resource_id}))


class DatabricksCompute(_Resource):
    """A workspace of Databricks; steps for it are not run here."""

    _TYPE: ClassVar[str] = "Databricks"

    @staticmethod
    def attach_configuration(
        resource_group: str | None = None,
        workspace_name: str | None = None,
        resource_id: str | None = None,
        access_token: str = "",
    ) -> Configuration:
        """Says which workspace it is; the token is not kept."""
        return asked("Databricks", dict(locals()))

    @staticmethod
    def attach(  # type: ignore[override]  # the SDK's parameters
        workspace: Workspace, name: str, resource_id: str, access_token: str
    ) -> Any:
        """Attaches a workspace; the token is not kept."""
        return DatabricksCompute._attached(workspace, name, resource_id)


class AdlaCompute(_Resource):
    """An account of Data Lake Analytics; steps for it are not run here."""

    _TYPE: ClassVar[str] = "DataLakeAnalytics"

    @staticmethod
    def attach_configuration(
        resource_group: str | None = None, account_name: str | None = None, resource_id: str | None = None
    ) -> Configuration:
        """Says which account it is."""
        return asked("DataLakeAnalytics", dict(locals()))

    @staticmethod
    def attach(  # type: ignore[override]  # the SDK's parameters
        workspace: Workspace, name: str, resource_id: str
    ) -> Any:
        """Attaches an account, by its resource's id."""
        return AdlaCompute._attached(workspace, name, resource_id)


class BatchCompute(_Attached):
    """An account of Batch; steps for it are not run here."""

    _TYPE: ClassVar[str] = "Batch"

    @staticmethod
    def attach_configuration(
        resource_group: str | None = None, account_name: str | None = None, resource_id: str | None = None
    ) -> Configuration:
        """Says which account it is."""
        return asked("Batch", dict(locals()))


class DataFactoryCompute(_Resource):
    """A data factory; steps for it are not run here."""

    _TYPE: ClassVar[str] = "DataFactory"

    @staticmethod
    def provisioning_configuration(location: str | None = None) -> Configuration:
        """Says what a data factory is asked for."""
        return asked("DataFactory", dict(locals()))

    @staticmethod
    def attach_configuration(
        resource_group: str | None = None, factory_name: str | None = None, resource_id: str | None = None
    ) -> Configuration:
        """Says which data factory it is."""
        return asked("DataFactory", dict(locals()))

    @staticmethod
    def attach(  # type: ignore[override]  # the SDK's parameters
        workspace: Workspace, name: str, resource_id: str
    ) -> Any:
        """Attaches a data factory, by its resource's id."""
        return DataFactoryCompute._attached(workspace, name, resource_id)


class AksCompute(_Resource):
    """A Kubernetes cluster for web services, which there are none of here."""

    _TYPE: ClassVar[str] = "AKS"

    @staticmethod
    def provisioning_configuration(
        agent_count: int | None = None,
        vm_size: str | None = None,
        ssl_cname: str | None = None,
        ssl_cert_pem_file: str | None = None,
        ssl_key_pem_file: str | None = None,
        location: str | None = None,
        vnet_resourcegroup_name: str | None = None,
        vnet_name: str | None = None,
        subnet_name: str | None = None,
        service_cidr: str | None = None,
        dns_service_ip: str | None = None,
        docker_bridge_cidr: str | None = None,
        cluster_purpose: str | None = None,
        load_balancer_type: str | None = None,
        load_balancer_subnet: str | None = None,
    ) -> Configuration:
        """Says what a cluster is asked for."""
        return asked("AKS", dict(locals()))

    @staticmethod
    def attach_configuration(
        resource_group: str | None = None,
        cluster_name: str | None = None,
        resource_id: str | None = None,
        cluster_purpose: str | None = None,
        load_balancer_type: str | None = None,
        load_balancer_subnet: str | None = None,
    ) -> Configuration:
        """Says which cluster it is."""
        return asked("AKS", dict(locals()))

    @staticmethod
    def attach(  # type: ignore[override]  # the SDK's parameters
        workspace: Workspace, name: str, resource_id: str
    ) -> Any:
        """Attaches a cluster, by its resource's id."""
        return AksCompute._attached(workspace, name, resource_id)

    def update(self, update_configuration: Any) -> None:
        """Cannot be done.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("there are no web services here, and so nothing to change on their cluster")


class KubernetesCompute(_Attached):
    """A Kubernetes cluster."""

    _TYPE: ClassVar[str] = "Kubernetes"

    @staticmethod
    def attach_configuration(
        resource_id: str | None = None,
        namespace: str | None = None,
        identity_type: str | None = None,
        identity_ids: builtins.list[str] | None = None,
    ) -> Configuration:
        """Says which cluster it is."""
        return asked("Kubernetes", dict(locals()))

    def get(self) -> dict[str, Any]:
        """Returns: the cluster as plain data."""
        return self.serialize()


class SynapseCompute(_Attached):
    """A Spark pool."""

    _TYPE: ClassVar[str] = "SynapseSpark"

    @staticmethod
    def attach_configuration(linked_service: Any, type: str, pool_name: str) -> Configuration:
        """Says which pool it is."""
        return asked("SynapseSpark", {"pool_name": pool_name, "pool_type": type})


class KustoCompute(_Attached):
    """A cluster of Data Explorer; steps for it are not run here."""

    _TYPE: ClassVar[str] = "Kusto"

    @staticmethod
    def attach_configuration(
        resource_group: str | None = None,
        workspace_name: str | None = None,
        resource_id: str | None = None,
        tenant_id: str | None = None,
        kusto_connection_string: str | None = None,
        application_id: str | None = None,
        application_key: str | None = None,
    ) -> Configuration:
        """Says which cluster it is; keys are not kept."""
        return asked("Kusto", {"resource_group": resource_group, "resource_id": resource_id})
