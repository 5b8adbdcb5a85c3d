"""What the nodes of a pipeline are made in; what its steps share is found once."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["_GraphContext"]

_T = TypeVar("_T")


class _GraphContext:
    """What the nodes of a pipeline are made in.

    Args:
        experiment_name: Name of the experiment.
        workspace: The workspace.
        default_source_directory: The folder of steps that name none; None for the working directory.
        service_endpoint: As in the SDK, not used.
        workflow_provider: As in the SDK, not used.
    """

    def __init__(
        self,
        experiment_name: str,
        workspace: Any = None,
        default_source_directory: Any = None,
        service_endpoint: str | None = None,
        workflow_provider: Any = None,
    ) -> None:
        self.experiment_name = experiment_name
        self._workspace = workspace
        self.default_source_directory = os.getcwd() if default_source_directory is None else default_source_directory
        self.service_endpoint = service_endpoint
        self.workflow_provider = workflow_provider
        # Ids are keys: what they are the ids of is kept beside the result.
        self._found: dict[Any, tuple[Any, Any]] = {}

    def get_target(self, target_name: str) -> Any:
        """Finds a compute target.

        Args:
            target_name: Its name.

        Returns:
            The compute target of the workspace.
        """
        return self._workspace.compute_targets[target_name]

    def _once(self, key: Any, of: Any, find: Callable[[], _T]) -> _T:
        """Finds something once for all steps that ask the same.

        Args:
            key: What is asked.
            of: Objects that the key names by id, kept alive.
            find: Finds it.

        Returns:
            What was found.
        """
        known = self._found.get(key)
        if known is None:
            known = self._found[key] = (find(), of)
        found: _T = known[0]
        return found
