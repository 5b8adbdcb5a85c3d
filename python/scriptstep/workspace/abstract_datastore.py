"""What all datastores have in common: a name in a workspace, and files in a folder or far away."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scriptstep.data.places import LocalPlace, Place, RemotePlace
from scriptstep.data.transfer import copy_jobs, transfer
from scriptstep.errors import NotRegisteredError, UserErrorException
from scriptstep.workspace.datastore_files import remote_store

if TYPE_CHECKING:
    from scriptstep.data.remote import RemoteStore
    from scriptstep.history import DatastoreRow
    from scriptstep.workspace.workspace import Workspace

__all__ = ["AbstractDatastore", "not_registered"]


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

    def _files(self) -> tuple[Path, RemoteStore | None]:
        """Looks up where its files are.

        Returns:
            The folder that this stands for, made where it is one of ours and not there yet; and the files where they
            lie far away. The folder then holds what the steps of this workspace wrote to no place of the user's choice.

        Raises:
            UserErrorException: It stands for tables, not for files.
        """
        row, home = self._row(), self._in_workspace()._place.home
        folder = Path(row.config["path"])
        if folder.parent == home / "datastores":
            folder.mkdir(parents=True, exist_ok=True)
        secrets = {key: getattr(self, key, None) for key in ("account_name", "account_key", "sas_token")}
        return folder, remote_store(home, row, secrets)

    def _place(self, path: str) -> Place:
        """Returns: a place on it.

        Args:
            path: A file, a folder or a pattern, below its root; empty for all of it.
        """
        root, remote = self._files()
        if remote is None or (path and os.path.lexists(root / path)):
            return LocalPlace(root / path, root)
        return RemotePlace(remote, path)

    def _there(self, place: str, names: Iterable[str]) -> set[str]:
        """Returns: which of some names below a place are taken."""
        root, remote = self._files()
        if remote is not None:
            return {name for name, _ in self._place(place).files()[1]} & set(names)
        return {name for name in names if (root / place / name).exists()}

    def _put(self, files: Sequence[tuple[Path, str]]) -> None:
        """Puts files on it, in place of what is there.

        Args:
            files: File and path below the root of each.
        """
        root, remote = self._files()
        if remote is not None:
            remote.put(files)
            return
        what = f"upload to datastore '{self.name}'"
        transfer(copy_jobs([(file, root / path) for file, path in files], what), what)


def _kind_of_error() -> type[NotRegisteredError]:
    """Returns: the error of a datastore that is not there: what the SDK raises too, where code has that to catch it."""
    http = getattr(sys.modules.get("msrest.exceptions"), "HttpOperationError", None)
    if not isinstance(http, type):
        return NotRegisteredError
    return type("NotRegisteredError", (NotRegisteredError, http), {"response": None, "error": None})


def not_registered(workspace: Workspace, name: str) -> NotRegisteredError:
    """Returns: the error for a datastore that is not there; it says which are, and what to write."""
    known = ", ".join(row.name for row in workspace._catalog.datastores())
    return _kind_of_error()(
        f"no datastore '{name}' is registered in workspace '{workspace.name}'; there are: {known}",
        help=f'name its folder in scriptstep.toml:\n  [datastores.{name}]\n  path = "..."',
    )
