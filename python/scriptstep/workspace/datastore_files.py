"""The files of datastores that lie far away, and words about those that were copied."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from scriptstep.workspace.urls import remote_cache

if TYPE_CHECKING:
    from scriptstep.data.remote import RemoteStore
    from scriptstep.history import DatastoreRow

__all__ = ["WHERE", "remote_store", "say"]

# What the settings, not the registration, say of a datastore.
WHERE = ("path", "url", "options")
_AZURE = ("abfs://", "abfss://", "az://", "adl://")


def remote_store(home: Path, row: DatastoreRow, secrets: Mapping[str, str | None]) -> RemoteStore | None:
    """Finds the files of a datastore that lie far away.

    Args:
        home: The state folder.
        row: The datastore.
        secrets: What it was registered with, for a store of Azure's.

    Returns:
        The files; None where they lie in a folder.
    """
    if "options" not in row.config:
        return None
    url, options = str(row.config["url"]), dict(row.config["options"])
    if url.startswith(_AZURE):
        options = {**{key: value for key, value in secrets.items() if value}, **options}
    help = (
        f"{url}: is the address right, and are its credentials in the environment? "
        "Scripts that ask the store themselves need them too: [environment] inherit"
    )
    from scriptstep.data.remote import RemoteStore

    return RemoteStore(url, remote_cache(home, row.name, url), f"datastore '{row.name}'", help, options)


def say(text: str, left: list[str]) -> None:
    """Tells what was copied, and what was left."""
    from scriptstep.console import notice

    if left:
        named = ", ".join(left[:3]) + (" ..." if len(left) > 3 else "")
        text += f"; {len(left)} were there already and were left ({named})"
    notice(text, help="overwrite=True replaces them" if left else None, once=False)
