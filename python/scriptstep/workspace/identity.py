"""Who the user is, for a service that is not asked: every identity is accepted, and none is used."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = [
    "AbstractAuthentication",
    "AccessToken",
    "ArcTokenAuthentication",
    "AzureCliAuthentication",
    "AzureMLTokenAuthentication",
    "InteractiveLoginAuthentication",
    "MsiAuthentication",
    "ServicePrincipalAuthentication",
    "TokenAuthentication",
]

_TOKEN = "local"
_NEVER = 253402300799


class AccessToken(NamedTuple):
    """A token, and when it lapses (seconds since 1970)."""

    token: str
    expires_on: int


class AbstractAuthentication:
    """An identity.

    Args:
        cloud: Accepted.
    """

    def __init__(self, cloud: str | None = None) -> None:
        self._cloud_type = cloud

    def get_authentication_header(self) -> dict[str, str]:
        """Returns: a header for requests, such as code puts into its calls of published pipelines."""
        return {"Authorization": f"Bearer {_TOKEN}"}

    def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        """Returns: a token that nobody asks for."""
        return AccessToken(_TOKEN, _NEVER)

    def signed_session(self, session: Any = None) -> Any:
        """Adds the header to a session of `requests`.

        Args:
            session: The session; a new one where None.

        Returns:
            The session.
        """
        if session is None:
            session = importlib.import_module("requests").Session()
        session.headers.update(self.get_authentication_header())
        return session


class InteractiveLoginAuthentication(AbstractAuthentication):
    """Somebody at a browser; nobody is asked."""

    def __init__(self, force: bool = False, tenant_id: str | None = None, cloud: str | None = None) -> None:
        super().__init__(cloud)
        self._tenant_id = tenant_id


class AzureCliAuthentication(AbstractAuthentication):
    """Whoever signed in to the Azure command line; it is not asked."""


class ServicePrincipalAuthentication(AbstractAuthentication):
    """A service principal; the password is not kept."""

    def __init__(
        self,
        tenant_id: str,
        service_principal_id: str,
        service_principal_password: str,
        cloud: str = "AzureCloud",
        _enable_caching: bool = True,
    ) -> None:
        super().__init__(cloud)
        self._tenant_id, self._service_principal_id = tenant_id, service_principal_id


class MsiAuthentication(AbstractAuthentication):
    """The machine's own identity; it is not asked."""

    def __init__(self, cloud: str | None = None, **kwargs: Any) -> None:
        super().__init__(cloud)


class TokenAuthentication(AbstractAuthentication):
    """Whatever gives tokens; it is not asked.

    Args:
        get_token_for_audience: Accepted.
        cloud: Accepted.
    """

    def __init__(self, get_token_for_audience: Callable[[Any], str], cloud: str | None = None) -> None:
        super().__init__(cloud)

    def get_token(self, audience: Any = "ARM") -> Any:  # type: ignore[override]
        """Returns: a token that nobody asks for."""
        return _TOKEN


class ArcTokenAuthentication(AbstractAuthentication):
    """A token of Azure Arc's; it is not asked for."""


class AzureMLTokenAuthentication(AbstractAuthentication):
    """A token of the SDK's; it is not asked for."""
