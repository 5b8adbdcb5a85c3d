"""The SDK's first compute targets, from before `ComputeTarget`: what is left of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["AbstractComputeTarget", "LocalTarget"]


class AbstractComputeTarget:
    """A name for a place to run.

    Args:
        compute_target_type: Its type.
        name: Its name.
    """

    def __init__(self, compute_target_type: str, name: str) -> None:
        self._type, self._name = compute_target_type, name

    @property
    def name(self) -> str:
        """Returns: its name."""
        return self._name

    @property
    def type(self) -> str:
        """Returns: its type."""
        return self._type

    @staticmethod
    def deserialize_from_dict(
        compute_target_name: str, compute_target_dict: Mapping[str, Any]
    ) -> AbstractComputeTarget:
        """Returns: the target that a dict of the SDK's describes."""
        return AbstractComputeTarget(str(compute_target_dict.get("type", "local")), compute_target_name)


class LocalTarget(AbstractComputeTarget):
    """This machine."""

    def __init__(self) -> None:
        super().__init__("local", "local")
