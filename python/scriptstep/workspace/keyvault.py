"""Secrets: environment variables. None is ever stored."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from scriptstep.errors import UserErrorException

if TYPE_CHECKING:
    from scriptstep.workspace.workspace import Workspace

__all__ = ["Keyvault"]

_kept: dict[str, str] = {}


class Keyvault:
    """The secrets of a workspace: a secret `db-password` is the environment variable `db-password` or `DB_PASSWORD`.

    Args:
        workspace: The workspace.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def get_secret(self, name: str) -> str:
        """Reads a secret.

        Args:
            name: Its name.

        Returns:
            Its value.

        Raises:
            UserErrorException: No environment variable has it.
        """
        for variable in (name, _variable(name)):
            if variable in os.environ:
                return os.environ[variable]
        raise UserErrorException(
            f"there is no secret '{name}'",
            help=f"set the environment variable {_variable(name)}; for steps name it besides in scriptstep.toml:\n"
            f'  [environment]\n  inherit = ["{_variable(name)}"]',
        )

    def get_secrets(self, secrets: Iterable[str]) -> dict[str, str | None]:
        """Returns: the values of some secrets, by name; None for one that there is not."""
        found: dict[str, str | None] = {}
        for name in secrets:
            try:
                found[name] = self.get_secret(name)
            except UserErrorException:
                found[name] = None
        return found

    def set_secret(self, name: str, value: str, content_type: object = None) -> None:
        """Keeps a secret for as long as this process lives, as an environment variable; it is stored nowhere.

        Args:
            name: Its name.
            value: Its value.
            content_type: Accepted.
        """
        from scriptstep.console import notice

        variable = _variable(name)
        os.environ[variable] = _kept[name] = str(value)
        notice(
            f"secret '{name}' is kept in this process alone, as the environment variable {variable}",
            help=f'steps get it where scriptstep.toml says\n  [environment]\n  inherit = ["{variable}"]',
        )

    def set_secrets(self, secrets_batch: Mapping[str, str]) -> None:
        """Keeps some secrets, as `set_secret`."""
        for name, value in secrets_batch.items():
            self.set_secret(name, value)

    def delete_secret(self, name: str) -> None:
        """Forgets a secret, in this process."""
        _kept.pop(name, None)
        for variable in (name, _variable(name)):
            os.environ.pop(variable, None)

    def delete_secrets(self, secrets: Iterable[str]) -> None:
        """Forgets some secrets, in this process."""
        for name in secrets:
            self.delete_secret(name)

    def list_secrets(self) -> list[dict[str, Any]]:
        """Returns: the names of the secrets that this process has set."""
        return [{"name": name} for name in sorted(_kept)]

    def get_secret_content_type(self, name: str) -> dict[str, str]:
        """Returns: that a secret's content type is not known."""
        return {name: "application/NotProvided"}


def _variable(name: str) -> str:
    return re.sub(r"\W", "_", name, flags=re.ASCII).upper()
