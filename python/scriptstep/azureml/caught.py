"""Exceptions of the SDK that code catches by name; nothing here raises them."""

from __future__ import annotations

from scriptstep.errors import AzureMLException

__all__ = [
    "AuthenticationError",
    "ClientException",
    "ClientRequestError",
    "DiscoveryUrlNotFoundException",
    "HttpOperationError",
    "ParallelRunException",
    "ServiceException",
    "WorkspacePrivateEndpointException",
]


class ServiceException(Exception):
    """The service answered with an error; there is no service here."""


class ClientException(Exception):
    """What msrest, which came with the SDK, raises; stands in where it is not installed."""


class AuthenticationError(ClientException):
    """msrest's: who the user is was not accepted."""


class ClientRequestError(ClientException):
    """msrest's: the service was not reached."""


class HttpOperationError(ClientException):
    """msrest's: the service answered with an error; here a datastore that is not there is one, too."""


class DiscoveryUrlNotFoundException(AzureMLException):
    """The service cannot be found; there is none here."""


class ParallelRunException(AzureMLException):
    """A parallel run failed."""


class WorkspacePrivateEndpointException(AzureMLException):
    """A private endpoint cannot be set up; there are none here."""
