"""config.json, by which the SDK's code names its workspace."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

from scriptstep.errors import UserErrorException
from scriptstep.records import dataclass
from scriptstep.workspace.place import CONFIG_FOLDERS, config_files

__all__ = ["WorkspaceConfig", "find_config", "read_config", "write_config"]


@dataclass(frozen=True)
class WorkspaceConfig:
    """What a workspace is called.

    Attributes:
        name: Its name.
        subscription_id: Means nothing here.
        resource_group: Means nothing here.
        location: Means nothing here.
    """

    name: str
    subscription_id: str | None = None
    resource_group: str | None = None
    location: str | None = None


def find_config(start: Path, named: bool, file_name: str) -> Path | None:
    """Finds the configuration file.

    Args:
        start: The file, or the folder to begin in.
        named: Whether the user named it: then it must be there.
        file_name: Name of the file in a folder.

    Returns:
        The file; None where there is none.

    Raises:
        UserErrorException: The user named a path that is not there.
    """
    if start.is_file():
        return start
    if named and not start.exists():
        raise UserErrorException(f"there is no workspace configuration at {start}")
    return next(config_files(start, file_name), None)


def read_config(file: Path) -> WorkspaceConfig:
    """Reads a configuration file.

    Args:
        file: The file.

    Returns:
        What it says.

    Raises:
        UserErrorException: It cannot be read, is no JSON, or names no workspace.
    """
    try:
        data = json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UserErrorException(f"the workspace configuration {file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UserErrorException(f"the workspace configuration {file} is no JSON: {error}") from error
    if not isinstance(data, Mapping):
        raise UserErrorException(f"the workspace configuration {file} must hold an object, not {data!r}")
    scope = str(data.get("Scope") or "")
    if found := re.fullmatch(
        r"/subscriptions/([^/]*)/resourceGroups/([^/]*)/providers/[^/]*/workspaces/([^/]+)/?", scope, re.IGNORECASE
    ):
        return WorkspaceConfig(found[3], found[1], found[2])
    name = data.get("workspace_name")
    if not isinstance(name, str) or not name.strip():
        raise UserErrorException(
            f"the workspace configuration {file} must name a workspace in 'workspace_name', not {name!r}"
        )
    rest = {key: str(data[key]) for key in ("subscription_id", "resource_group", "location") if data.get(key)}
    return WorkspaceConfig(name, **rest)


def write_config(folder: Path, file_name: str, config: WorkspaceConfig) -> None:
    """Writes a configuration file into `.azureml` of a folder.

    Args:
        folder: The folder; one that is itself called `.azureml` or `aml_config` gets the file.
        file_name: Name of the file.
        config: What to write.
    """
    target = folder if folder.name in CONFIG_FOLDERS else folder / CONFIG_FOLDERS[0]
    target.mkdir(parents=True, exist_ok=True)
    text = {
        "subscription_id": config.subscription_id,
        "resource_group": config.resource_group,
        "workspace_name": config.name,
    }
    aside = target / f".{file_name}.new"
    aside.write_text(json.dumps(text, indent=4) + "\n", encoding="utf-8")
    os.replace(aside, target / file_name)
