"""What a workspace has only where there is a service."""

from __future__ import annotations

from typing import Any

__all__ = ["ServiceOnly"]


class ServiceOnly:
    """Members of the SDK's workspace that cannot exist here: they are empty, or say what to use instead."""

    @property
    def webservices(self) -> dict[str, Any]:
        """Returns: nothing: there are no web services here."""
        return {}

    @property
    def images(self) -> dict[str, Any]:
        """Returns: nothing: there are no images here."""
        return {}

    @property
    def linked_services(self) -> dict[str, Any]:
        """Returns: nothing: there are no linked services here."""
        return {}

    @property
    def private_endpoints(self) -> dict[str, Any]:
        """Returns: nothing: there are no endpoints here."""
        return {}

    @property
    def service_context(self) -> Any:
        """Cannot be answered.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(
            "there is no service here: runs, models and data are found through the workspace itself"
        )

    # what only a service has

    @staticmethod
    def setup() -> None:
        """Has nothing to do: a workspace is made when it is first used."""

    def delete(self, delete_dependent_resources: bool = False, no_wait: bool = False) -> None:
        """Cannot be done.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("a workspace is not deleted by code: remove its state folder, .scriptstep")

    def list_keys(self) -> Any:
        """Cannot be answered.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("a workspace has no keys here: its datastores are local folders")

    def sync_keys(self, no_wait: bool = False) -> None:
        """Cannot be done, as `list_keys`."""
        self.list_keys()

    def update_dependencies(self, container_registry: object | None = None, force: bool = False) -> Any:
        """Cannot be done, as `list_keys`."""
        self.list_keys()

    def diagnose_workspace(self, diagnose_parameters: object) -> Any:
        """Cannot be done.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("a workspace has no network to be diagnosed here")

    def add_private_endpoint(
        self,
        private_endpoint_config: object,
        private_endpoint_auto_approval: bool = True,
        location: str | None = None,
        show_output: bool = True,
        tags: object | None = None,
    ) -> Any:
        """Cannot be done, as `diagnose_workspace`."""
        return self.diagnose_workspace(private_endpoint_config)

    def delete_private_endpoint_connection(self, private_endpoint_connection_name: str) -> Any:
        """Cannot be done, as `diagnose_workspace`."""
        return self.diagnose_workspace(private_endpoint_connection_name)

    def set_connection(self, name: str, category: str, target: str, authType: str, value: str) -> Any:  # noqa: N803
        """Cannot be done.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("a workspace keeps no connections here: give secrets as environment variables")

    def get_connection(self, name: str) -> Any:
        """Cannot be done, as `set_connection`."""
        return self.set_connection(name, "", "", "", "")

    def delete_connection(self, name: str) -> Any:
        """Cannot be done, as `set_connection`."""
        return self.set_connection(name, "", "", "", "")

    def list_connections(self, category: str | None = None, target: str | None = None) -> Any:
        """Cannot be done, as `set_connection`."""
        return self.set_connection("", "", "", "", "")
