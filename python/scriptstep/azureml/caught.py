"""Exceptions of the SDK that code catches by name; nothing here raises them."""

from __future__ import annotations

from scriptstep.errors import AzureMLException

__all__ = [
    "DiscoveryUrlNotFoundException",
    "ParallelRunException",
    "ServiceException",
    "WorkspacePrivateEndpointException",
]


class ServiceException(Exception):
    """The service answered with an error; there is no service here."""


class DiscoveryUrlNotFoundException(AzureMLException):
    """The service cannot be found; there is none here."""


class ParallelRunException(AzureMLException):
    """A parallel run failed."""


class WorkspacePrivateEndpointException(AzureMLException):
    """A private endpoint cannot be set up; there are none here."""
