"""Datastores: folders under a name. Those that the SDK reaches over the network are local folders here."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scriptstep.data.paths import relative_path
from scriptstep.data.places import LocalPlace, Place, RemotePlace
from scriptstep.data.transfer import copy_jobs, files_in_words, transfer
from scriptstep.data.walk import files_below
from scriptstep.errors import ArgumentError, NotRegisteredError, UserErrorException
from scriptstep.workspace.datastore_files import remote_store, say

if TYPE_CHECKING:
    from scriptstep.data.references import DataReference
    from scriptstep.data.remote import RemoteStore
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
    "HDFSDatastore",
    "not_registered",
]


class AbstractDatastore:
    """A datastore.

    Args:
        workspace: The workspace that it belongs to.
        name: Its name.
        datastore_type: Its type, as the SDK spells it.
    """

    def __init__(self, workspace: Workspace | None, name: str, datastore_type: str) -> None:
        self.workspace = workspace
        self.name = name
        self.datastore_type = datastore_type

    def __repr__(self) -> str:
        return f'{{\n  "name": "{self.name}",\n  "datastore_type": "{self.datastore_type}"\n}}'

    def set_as_default(self) -> None:
        """Makes this the workspace's default datastore."""
        self._in_workspace().set_default_datastore(self.name)

    def unregister(self) -> None:
        """Forgets the datastore; its files stay."""
        self._in_workspace()._catalog.remove_datastore(self.name)

    def _in_workspace(self) -> Workspace:
        if self.workspace is None:
            raise UserErrorException(f"datastore '{self.name}' belongs to no workspace")
        return self.workspace

    def _row(self) -> DatastoreRow:
        row: DatastoreRow | None = self._in_workspace()._catalog.datastore(self.name)
        if row is None:
            raise not_registered(self._in_workspace(), self.name)
        return row

    def _root(self) -> Path:
        """Returns: the folder that this stands for; made where it is one of ours and not there yet.

        Where the files lie far away, it holds what the steps of this workspace wrote to no place of the user's choice.

        Raises:
            UserErrorException: It stands for tables, not for files.
        """
        folder = Path(self._row().config["path"])
        if folder.parent == self._in_workspace()._place.home / "datastores":
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _remote(self) -> RemoteStore | None:
        """Returns: its files, where they lie far away."""
        secrets = {key: getattr(self, key, None) for key in ("account_name", "account_key", "sas_token")}
        return remote_store(self._in_workspace()._place.home, self._row(), secrets)

    def _place(self, path: str) -> Place:
        """Returns: a place on it.

        Args:
            path: A file, a folder or a pattern, below its root; empty for all of it.
        """
        root = self._root()
        remote = self._remote()
        if remote is None or (path and os.path.lexists(root / path)):
            return LocalPlace(root / path, root)
        return RemotePlace(remote, path)

    def _there(self, place: str, names: Iterable[str]) -> set[str]:
        """Returns: which of some names below a place are taken."""
        if self._remote() is not None:
            return {name for name, _ in self._place(place).files()[1]} & set(names)
        root = self._root() / place
        return {name for name in names if (root / name).exists()}

    def _put(self, files: Sequence[tuple[Path, str]]) -> None:
        """Puts files on it, in place of what is there.

        Args:
            files: File and path below the root of each.
        """
        if (remote := self._remote()) is not None:
            remote.put(files)
            return
        what, root = f"upload to datastore '{self.name}'", self._root()
        transfer(copy_jobs([(file, root / path) for file, path in files], what), what)


class _TableDatastore(AbstractDatastore):
    def _root(self) -> Path:
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
        pairs = [(file, name) for file, name in files]
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
        new = [(file, Path(target_path, name)) for name, file in chosen if name not in set(left)]
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


def not_registered(workspace: Workspace, name: str) -> NotRegisteredError:
    """Returns: the error for a datastore that is not there; it says which are, and what to write."""
    known = ", ".join(row.name for row in workspace._catalog.datastores())
    return NotRegisteredError(
        f"no datastore '{name}' is registered in workspace '{workspace.name}'; there are: {known}",
        help=f'name its folder in scriptstep.toml:\n  [datastores.{name}]\n  path = "..."',
    )
