"""`Datastore`: finding datastores by name, and registering them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from scriptstep.errors import ArgumentError, UserErrorException
from scriptstep.workspace.abstract_datastore import AbstractDatastore, not_registered
from scriptstep.workspace.datastore_files import WHERE
from scriptstep.workspace.datastore_kinds import (
    AbstractADLSDatastore,
    AbstractAzureStorageDatastore,
    AzureBlobDatastore,
    AzureDataLakeDatastore,
    AzureDataLakeGen2Datastore,
    AzureFileDatastore,
    AzureMySqlDatastore,
    AzurePostgreSqlDatastore,
    AzureSqlDatabaseDatastore,
    DBFSDatastore,
    HDFSDatastore,
)
from scriptstep.workspace.names import is_text

if TYPE_CHECKING:
    from scriptstep.history import DatastoreRow
    from scriptstep.workspace.workspace import Workspace

__all__ = [
    "AbstractADLSDatastore",
    "AbstractAzureStorageDatastore",
    "AbstractDatastore",
    "AzureBlobDatastore",
    "AzureDataLakeDatastore",
    "AzureDataLakeGen2Datastore",
    "AzureFileDatastore",
    "AzureMySqlDatastore",
    "AzurePostgreSqlDatastore",
    "AzureSqlDatabaseDatastore",
    "DBFSDatastore",
    "Datastore",
    "HDFSDatastore",
]

_KINDS: dict[str, type[AbstractDatastore]] = {
    "AzureBlob": AzureBlobDatastore,
    "AzureFile": AzureFileDatastore,
    "AzureDataLake": AzureDataLakeDatastore,
    "AzureDataLakeGen2": AzureDataLakeGen2Datastore,
    "AzureSqlDatabase": AzureSqlDatabaseDatastore,
    "AzurePostgreSql": AzurePostgreSqlDatastore,
    "AzureMySql": AzureMySqlDatastore,
    "DBFS": DBFSDatastore,
    "Hdfs": HDFSDatastore,
}
_TABLES = ("AzureSqlDatabase", "AzurePostgreSql", "AzureMySql")
# What the class of a kind must be given, where nothing was registered.
_NEEDED = {
    "AzureBlob": ("container_name", "account_name"),
    "AzureFile": ("container_name", "account_name"),
    "AzureDataLake": ("store_name", "tenant_id", "client_id", "client_secret"),
    "AzureDataLakeGen2": ("container_name", "account_name"),
    "AzureSqlDatabase": ("server_name", "database_name"),
    "AzurePostgreSql": ("server_name", "database_name"),
    "AzureMySql": ("server_name", "database_name"),
}
_SECRET = (
    "account_key",
    "sas_token",
    "client_secret",
    "password",
    "user_password",
    "kerberos_keytab",
    "kerberos_password",
)


class Datastore:
    """A datastore of a workspace, by name: what it gives is of one of the classes of `AbstractDatastore`.

    Args:
        workspace: The workspace.
        name: The datastore's name; the default one where None.

    Raises:
        NotRegisteredError: There is none of that name.
    """

    def __new__(cls, workspace: Workspace, name: str | None = None) -> Any:
        """Returns: the datastore."""
        return Datastore.get_default(workspace) if name is None else Datastore.get(workspace, name)

    def __init__(self, workspace: Workspace, name: str | None = None) -> None:
        pass

    @staticmethod
    def get(workspace: Workspace, datastore_name: str) -> Any:
        """Finds a datastore.

        Args:
            workspace: The workspace.
            datastore_name: The datastore's name.

        Returns:
            The datastore, of the class of its kind.

        Raises:
            NotRegisteredError: There is none of that name.
        """
        row = workspace._catalog.datastore(datastore_name)
        if row is None:
            raise not_registered(workspace, datastore_name)
        return _from_row(workspace, row)

    @staticmethod
    def get_default(workspace: Workspace) -> Any:
        """Returns: the workspace's default datastore."""
        return next(_from_row(workspace, row) for row in workspace._catalog.datastores() if row.is_default)

    def set_as_default(self) -> None:
        """Makes this the workspace's default datastore."""

    def unregister(self) -> None:
        """Forgets the datastore; its files stay."""

    @staticmethod
    def register_azure_blob_container(
        workspace: Workspace,
        datastore_name: str,
        container_name: str,
        account_name: str,
        sas_token: str | None = None,
        account_key: str | None = None,
        protocol: str | None = None,
        endpoint: str | None = None,
        overwrite: bool = False,
        create_if_not_exists: bool = False,
        skip_validation: bool = False,
        blob_cache_timeout: int | None = None,
        grant_workspace_access: bool = False,
        subscription_id: str | None = None,
        resource_group: str | None = None,
    ) -> AzureBlobDatastore:
        """Registers a container of blobs: a local folder, which [datastores] in the settings may name.

        Returns:
            The datastore; keys and tokens are kept in memory alone.

        Raises:
            UserErrorException: Another datastore has that name, and `overwrite` is False.
        """
        return _register(workspace, datastore_name, "AzureBlob", overwrite, _given(locals()))  # type: ignore[return-value]

    @staticmethod
    def register_azure_file_share(
        workspace: Workspace,
        datastore_name: str,
        file_share_name: str,
        account_name: str,
        sas_token: str | None = None,
        account_key: str | None = None,
        protocol: str | None = None,
        endpoint: str | None = None,
        overwrite: bool = False,
        create_if_not_exists: bool = False,
        skip_validation: bool = False,
    ) -> AzureFileDatastore:
        """Registers a file share: a local folder, as `register_azure_blob_container`."""
        given = {**_given(locals()), "container_name": file_share_name}
        return _register(workspace, datastore_name, "AzureFile", overwrite, given)  # type: ignore[return-value]

    @staticmethod
    def register_azure_data_lake(
        workspace: Workspace,
        datastore_name: str,
        store_name: str,
        tenant_id: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        resource_url: str | None = None,
        authority_url: str | None = None,
        subscription_id: str | None = None,
        resource_group: str | None = None,
        overwrite: bool = False,
        grant_workspace_access: bool = False,
    ) -> AzureDataLakeDatastore:
        """Registers a data lake of the first generation: a local folder, as `register_azure_blob_container`."""
        return _register(workspace, datastore_name, "AzureDataLake", overwrite, _given(locals()))  # type: ignore[return-value]

    @staticmethod
    def register_azure_data_lake_gen2(
        workspace: Workspace,
        datastore_name: str,
        filesystem: str,
        account_name: str,
        tenant_id: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        resource_url: str | None = None,
        authority_url: str | None = None,
        protocol: str | None = None,
        endpoint: str | None = None,
        overwrite: bool = False,
        subscription_id: str | None = None,
        resource_group: str | None = None,
        grant_workspace_access: bool = False,
    ) -> AzureDataLakeGen2Datastore:
        """Registers a data lake of the second generation: a local folder, as `register_azure_blob_container`."""
        given = {**_given(locals()), "container_name": filesystem}
        return _register(workspace, datastore_name, "AzureDataLakeGen2", overwrite, given)  # type: ignore[return-value]

    @staticmethod
    def register_azure_sql_database(
        workspace: Workspace,
        datastore_name: str,
        server_name: str,
        database_name: str,
        tenant_id: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        resource_url: str | None = None,
        authority_url: str | None = None,
        endpoint: str | None = None,
        overwrite: bool = False,
        username: str | None = None,
        password: str | None = None,
        subscription_id: str | None = None,
        resource_group: str | None = None,
        grant_workspace_access: bool = False,
        **kwargs: Any,
    ) -> AzureSqlDatabaseDatastore:
        """Registers a database; using its tables is an error that says what to do instead."""
        return _register(workspace, datastore_name, "AzureSqlDatabase", overwrite, _given(locals()))  # type: ignore[return-value]

    @staticmethod
    def register_azure_postgre_sql(
        workspace: Workspace,
        datastore_name: str,
        server_name: str,
        database_name: str,
        user_id: str,
        user_password: str,
        port_number: str | None = None,
        endpoint: str | None = None,
        overwrite: bool = False,
        enforce_ssl: bool = True,
        **kwargs: Any,
    ) -> AzurePostgreSqlDatastore:
        """Registers a database; using its tables is an error that says what to do instead."""
        return _register(workspace, datastore_name, "AzurePostgreSql", overwrite, _given(locals()))  # type: ignore[return-value]

    @staticmethod
    def register_azure_my_sql(
        workspace: Workspace,
        datastore_name: str,
        server_name: str,
        database_name: str,
        user_id: str,
        user_password: str,
        port_number: str | None = None,
        endpoint: str | None = None,
        overwrite: bool = False,
        **kwargs: Any,
    ) -> AzureMySqlDatastore:
        """Registers a database; using its tables is an error that says what to do instead."""
        return _register(workspace, datastore_name, "AzureMySql", overwrite, _given(locals()))  # type: ignore[return-value]

    @staticmethod
    def register_dbfs(workspace: Workspace, datastore_name: str) -> DBFSDatastore:
        """Registers Databricks' file system: a local folder, as `register_azure_blob_container`."""
        return _register(workspace, datastore_name, "DBFS", True, {})  # type: ignore[return-value]

    @staticmethod
    def register_hdfs(
        workspace: Workspace,
        datastore_name: str,
        protocol: str,
        namenode_address: str,
        hdfs_server_certificate: str,
        kerberos_realm: str,
        kerberos_kdc_address: str,
        kerberos_principal: str,
        kerberos_keytab: str | None = None,
        kerberos_password: str | None = None,
        overwrite: bool = False,
    ) -> HDFSDatastore:
        """Registers Hadoop's file system: a local folder, as `register_azure_blob_container`."""
        return _register(workspace, datastore_name, "Hdfs", overwrite, _given(locals()))  # type: ignore[return-value]


def _given(arguments: dict[str, Any]) -> dict[str, Any]:
    """Returns: what a store was registered with: neither where, nor how to do it."""
    left_out = {"workspace", "datastore_name", "overwrite", "create_if_not_exists", "skip_validation", "kwargs"}
    return {name: value for name, value in arguments.items() if name not in left_out and value is not None}


def _register(workspace: Workspace, name: str, kind: str, overwrite: bool, given: dict[str, Any]) -> AbstractDatastore:
    from scriptstep.history import DatastoreRow

    if not is_text(name) or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*", name):
        raise ArgumentError(f"a datastore's name holds letters, digits, '_' and '-' only, and {name!r} does not")
    catalog = workspace._catalog
    config = {key: value for key, value in given.items() if key not in _SECRET}
    before = catalog.datastore(name)
    if before is not None and not overwrite:
        known = {k: v for k, v in before.config.items() if k not in WHERE}
        if known and (before.kind, known) != (kind, config):
            raise UserErrorException(
                f"another datastore is registered as '{name}' in workspace '{workspace.name}'",
                help="overwrite=True replaces it",
            )
    catalog.add_datastore(DatastoreRow(name, kind, config, before.is_default if before else False))
    row = catalog.datastore(name)
    assert row is not None
    if kind not in _TABLES and name not in workspace._settings.datastores:
        from scriptstep.console import notice

        notice(
            f"datastore '{name}' is the local folder {row.config['path']}",
            help="put its files there, or name the folder that holds them in scriptstep.toml:\n"
            f'  [datastores.{name}]\n  path = "..."',
        )
    store = _from_row(workspace, row)
    for key in _SECRET:
        if key in given:
            setattr(store, key, given[key])
    return store


def _from_row(workspace: Workspace, row: DatastoreRow) -> AbstractDatastore:
    kind = _KINDS.get(row.kind, AzureBlobDatastore)
    config = {key: value for key, value in row.config.items() if key not in WHERE}
    needed = [
        config.pop(key, row.name if key in ("container_name", "store_name") else "")
        for key in _NEEDED.get(row.kind, ())
    ]
    store = kind(workspace, row.name, *needed)
    for key, value in config.items():
        setattr(store, key, value)
    return store
