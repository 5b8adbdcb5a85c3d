"""The kinds of datastores that the SDK has: here all of files, save the databases."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scriptstep.data.paths import relative_path
from scriptstep.data.transfer import copy_jobs, files_in_words, transfer
from scriptstep.data.walk import files_below
from scriptstep.errors import ArgumentError, UserErrorException
from scriptstep.workspace.abstract_datastore import AbstractDatastore
from scriptstep.workspace.datastore_files import say

if TYPE_CHECKING:
    from scriptstep.data.references import DataReference
    from scriptstep.data.remote import RemoteStore
    from scriptstep.workspace.workspace import Workspace

__all__ = [
    "AbstractADLSDatastore",
    "AbstractAzureStorageDatastore",
    "AzureBlobDatastore",
    "AzureDataLakeDatastore",
    "AzureDataLakeGen2Datastore",
    "AzureFileDatastore",
    "AzureMySqlDatastore",
    "AzurePostgreSqlDatastore",
    "AzureSqlDatabaseDatastore",
    "DBFSDatastore",
    "HDFSDatastore",
]


class _TableDatastore(AbstractDatastore):
    def _files(self) -> tuple[Path, RemoteStore | None]:
        raise UserErrorException(
            f"datastore '{self.name}' is a database, whose tables are not read here",
            help="export what you need to files, and register those: scriptstep data add NAME PATH --tabular",
        )


class AbstractAzureStorageDatastore(AbstractDatastore):
    """A datastore of files.

    Args:
        workspace: The workspace that it belongs to.
        name: Its name.
        datastore_type: Its type, as the SDK spells it.
        container_name: Of the storage account.
        account_name: The storage account.
        sas_token: Kept in memory alone.
        account_key: Kept in memory alone.
        protocol: As given.
        endpoint: As given.
    """

    def __init__(
        self,
        workspace: Workspace | None,
        name: str,
        datastore_type: str,
        container_name: str,
        account_name: str,
        sas_token: str | None = None,
        account_key: str | None = None,
        protocol: str | None = None,
        endpoint: str | None = None,
    ) -> None:
        super().__init__(workspace, name, datastore_type)
        self.container_name, self.account_name = container_name, account_name
        self.sas_token, self.account_key = sas_token, account_key
        self.protocol, self.endpoint = protocol or "https", endpoint or "core.windows.net"
        self.credential_type = "Sas" if sas_token else "AccountKey" if account_key else "None"

    @property
    def is_sas(self) -> bool:
        """Returns: whether a token was given."""
        return self.sas_token is not None

    # places

    def path(self, path: str | None = None, data_reference_name: str | None = None) -> DataReference:
        """Names a place on the datastore.

        Args:
            path: The place; all of it where None.
            data_reference_name: The name of the port.

        Returns:
            The place, as it stands in `inputs`.
        """
        from scriptstep.data.references import DataReference

        return DataReference(self, data_reference_name=data_reference_name, path_on_datastore=path)

    def as_mount(self) -> DataReference:
        """Returns: all of it, to be read in place."""
        return self.path().as_mount()

    def as_download(self, path_on_compute: str | None = None) -> DataReference:
        """Returns: all of it, to be copied for the step."""
        return self.path().as_download(path_on_compute=path_on_compute)

    def as_upload(self, path_on_compute: str | None = None) -> DataReference:
        """Returns: all of it, to be written to."""
        return self.path().as_upload(path_on_compute=path_on_compute)

    # files

    def upload(
        self,
        src_dir: str | os.PathLike[str],
        target_path: str | None = None,
        overwrite: bool = False,
        show_progress: bool = True,
    ) -> DataReference:
        """Copies the files of a folder onto the datastore.

        Args:
            src_dir: The folder.
            target_path: Where to put them; the datastore's root where None.
            overwrite: Whether files that are there are replaced; else they are left, and said.
            show_progress: Whether to say what was copied.

        Returns:
            The place that they were put.

        Raises:
            ArgumentError: There is no such folder, or the target leads out.
        """
        source = Path(src_dir)
        if not source.is_dir():
            what = "is a file: use upload_files" if source.exists() else "is not there"
            raise ArgumentError(f"upload to datastore '{self.name}': the folder {source} {what}")
        files = [(Path(file), name) for name, file in files_below(source)]
        return self._upload(files, target_path, overwrite, show_progress)

    def upload_files(
        self,
        files: Iterable[str | os.PathLike[str]],
        relative_root: str | os.PathLike[str] | None = None,
        target_path: str | None = None,
        overwrite: bool = False,
        show_progress: bool = True,
    ) -> DataReference:
        """Copies files onto the datastore.

        Args:
            files: The files.
            relative_root: The folder that their places on the datastore are relative to; the one that they share where
                None.
            target_path: Where to put them; the datastore's root where None.
            overwrite: Whether files that are there are replaced; else they are left, and said.
            show_progress: Whether to say what was copied.

        Returns:
            The place that they were put.

        Raises:
            ArgumentError: Files are missing, are given as one string, lie outside `relative_root`, or the target leads
                out.
        """
        where = f"upload to datastore '{self.name}'"
        if isinstance(files, (str, os.PathLike)):
            raise ArgumentError(f"{where}: files must be a list, not {files!r}", help=f"files=[{os.fspath(files)!r}]")
        paths = [Path(os.path.abspath(file)) for file in files]
        if missing := [str(path) for path in paths if not path.is_file()]:
            raise ArgumentError(f"{where}: no file lies at {', '.join(missing)}")
        if relative_root is not None:
            root = Path(os.path.abspath(relative_root))
        else:
            root = Path(os.path.commonpath([path.parent for path in paths])) if paths else Path.cwd()
        if outside := [str(path) for path in paths if root not in path.parents]:
            raise ArgumentError(f"{where}: relative_root {root} does not hold {', '.join(outside)}")
        pairs = [(path, path.relative_to(root).as_posix()) for path in paths]
        return self._upload(pairs, target_path, overwrite, show_progress)

    def _upload(
        self, files: Iterable[tuple[Path, str]], target_path: str | None, overwrite: bool, show_progress: bool
    ) -> DataReference:
        place = relative_path(target_path or "", f"target_path on datastore '{self.name}'")
        pairs = list(files)
        there = set() if overwrite else self._there(place, (name for _, name in pairs))
        left = [name for _, name in pairs if name in there]
        new = [(file, f"{place}/{name}".lstrip("/")) for file, name in pairs if name not in there]
        self._put(new)
        if show_progress:
            where = f" at '{place}'" if place else ""
            say(f"uploaded {files_in_words(len(new))} to datastore '{self.name}'{where}", left)
        return self.path(place or None)

    def download(
        self,
        target_path: str | os.PathLike[str],
        prefix: str | None = None,
        overwrite: bool = False,
        show_progress: bool = True,
    ) -> int:
        """Copies files from the datastore; they keep their places below its root.

        Args:
            target_path: The folder to put them in.
            prefix: Only files whose path on the datastore begins so.
            overwrite: Whether files that are there are replaced; else they are left, and said.
            show_progress: Whether to say what was copied.

        Returns:
            How many files were copied.
        """
        start = relative_path(prefix or "", "prefix")
        if start and str(prefix).endswith("/"):
            start += "/"
        # Inside a step the catalog takes down what is read past the step's inputs.
        note = getattr(self._in_workspace()._catalog, "note_datastore_files", None)
        if note is not None:
            note(self.name, start)
        folder = start.rpartition("/")[0]
        place = self._place(folder)
        found = [(f"{folder}/{name}".lstrip("/"), file) for name, file in place.files()[1]]
        chosen = [(name, file) for name, file in found if name.startswith(start)]
        left = [] if overwrite else [name for name, _ in chosen if Path(target_path, name).exists()]
        there = set(left)
        new = [(file, Path(target_path, name)) for name, file in chosen if name not in there]
        place.fetch([file for file, _ in new])
        what = f"download from datastore '{self.name}'"
        transfer(copy_jobs(new, what), what)
        if show_progress:
            say(f"downloaded {files_in_words(len(new))} from datastore '{self.name}' to {target_path}", left)
        return len(new)


class AzureBlobDatastore(AbstractAzureStorageDatastore):
    """A container of blobs; here a folder."""

    def __init__(
        self,
        workspace: Workspace | None,
        name: str,
        container_name: str,
        account_name: str,
        sas_token: str | None = None,
        account_key: str | None = None,
        protocol: str | None = None,
        endpoint: str | None = None,
        request_session: object | None = None,
        workspace_msi_has_access: bool = False,
        subscription_id: str | None = None,
        resource_group: str | None = None,
        service_data_access_auth_identity: object | None = None,
    ) -> None:
        super().__init__(
            workspace, name, "AzureBlob", container_name, account_name, sas_token, account_key, protocol, endpoint
        )
        self.workspace_msi_has_access = workspace_msi_has_access
        self.subscription_id, self.resource_group = subscription_id, resource_group


class AzureFileDatastore(AbstractAzureStorageDatastore):
    """A file share; here a folder."""

    def __init__(
        self,
        workspace: Workspace | None,
        name: str,
        container_name: str,
        account_name: str,
        sas_token: str | None = None,
        account_key: str | None = None,
        protocol: str | None = None,
        endpoint: str | None = "core.windows.net",
        request_session: object | None = None,
    ) -> None:
        super().__init__(
            workspace, name, "AzureFile", container_name, account_name, sas_token, account_key, protocol, endpoint
        )


class AbstractADLSDatastore(AbstractAzureStorageDatastore):
    """A data lake; here a folder, with what the other datastores of files can do."""

    def __init__(
        self, workspace: Workspace | None, name: str, datastore_type: str, container: str, **given: Any
    ) -> None:
        super().__init__(workspace, name, datastore_type, container, str(given.get("account_name") or ""))
        for key, value in given.items():
            setattr(self, key, value)


class AzureDataLakeDatastore(AbstractADLSDatastore):
    """A data lake of the first generation; here a folder."""

    def __init__(
        self,
        workspace: Workspace | None,
        name: str,
        store_name: str,
        tenant_id: str | None,
        client_id: str | None,
        client_secret: str | None,
        resource_url: str | None = None,
        authority_url: str | None = None,
        subscription_id: str | None = None,
        resource_group: str | None = None,
        service_data_access_auth_identity: object | None = None,
    ) -> None:
        super().__init__(
            workspace,
            name,
            "AzureDataLake",
            store_name,
            store_name=store_name,
            tenant_id=tenant_id,
            client_id=client_id,
            client_secret=client_secret,
            resource_url=resource_url,
            authority_url=authority_url,
        )
        self.subscription_id = subscription_id
        self.resource_group = resource_group


class AzureDataLakeGen2Datastore(AbstractADLSDatastore):
    """A data lake of the second generation; here a folder."""

    def __init__(
        self,
        workspace: Workspace | None,
        name: str,
        container_name: str,
        account_name: str,
        tenant_id: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        resource_url: str | None = None,
        authority_url: str | None = None,
        protocol: str | None = None,
        endpoint: str | None = None,
        service_data_access_auth_identity: object | None = None,
    ) -> None:
        super().__init__(
            workspace,
            name,
            "AzureDataLakeGen2",
            container_name,
            account_name=account_name,
            tenant_id=tenant_id,
            client_id=client_id,
            client_secret=client_secret,
            resource_url=resource_url,
            authority_url=authority_url,
        )


class _Database(_TableDatastore):
    _TYPE = ""

    def __init__(
        self, workspace: Workspace | None, name: str, server_name: str, database_name: str, **given: Any
    ) -> None:
        super().__init__(workspace, name, self._TYPE)
        self.server_name, self.database_name = server_name, database_name
        for key, value in given.items():
            setattr(self, key, value)


class AzureSqlDatabaseDatastore(_Database):
    """A database; it can be registered, and its tables are not read."""

    _TYPE = "AzureSqlDatabase"

    def __init__(
        self,
        workspace: Workspace | None,
        name: str,
        server_name: str,
        database_name: str,
        tenant_id: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        resource_url: str | None = None,
        authority_url: str | None = None,
        username: str | None = None,
        password: str | None = None,
        auth_type: object | None = None,
        service_data_access_auth_identity: object | None = None,
    ) -> None:
        super().__init__(
            workspace, name, server_name, database_name, tenant_id=tenant_id, client_id=client_id, username=username
        )


class AzurePostgreSqlDatastore(_Database):
    """A database; it can be registered, and its tables are not read."""

    _TYPE = "AzurePostgreSql"


class AzureMySqlDatastore(_Database):
    """A database; it can be registered, and its tables are not read."""

    _TYPE = "AzureMySql"


class DBFSDatastore(AbstractDatastore):
    """Databricks' file system; here a folder."""

    def __init__(self, workspace: Workspace | None, name: str) -> None:
        super().__init__(workspace, name, "DBFS")


class HDFSDatastore(AbstractDatastore):
    """Hadoop's file system; here a folder."""

    def __init__(
        self, workspace: Workspace | None, name: str, protocol: str = "http", namenode_address: str = ""
    ) -> None:
        super().__init__(workspace, name, "Hdfs")
        self.protocol, self.namenode_address = protocol, namenode_address
