"""What a model asks for to be served; kept with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scriptstep.errors import ArgumentError

__all__ = ["ResourceConfiguration"]


class ResourceConfiguration:
    """Cores, memory and graphics processors.

    Args:
        cpu: Cores.
        memory_in_gb: Memory, GB.
        gpu: Graphics processors.
    """

    def __init__(self, cpu: float | None = None, memory_in_gb: float | None = None, gpu: int | None = None) -> None:
        self.cpu, self.memory_in_gb, self.gpu = cpu, memory_in_gb, gpu

    def serialize(self) -> dict[str, Any]:
        """Returns: the configuration as plain data."""
        return {"cpu": self.cpu, "memoryInGB": self.memory_in_gb, "gpu": self.gpu}

    @staticmethod
    def deserialize(payload_obj: Mapping[str, Any] | None) -> ResourceConfiguration | None:
        """Returns: the configuration that `serialize` wrote; None for None.

        Raises:
            ArgumentError: It is none.
        """
        if payload_obj is None:
            return None
        if not set(payload_obj) <= {"cpu", "memoryInGB", "gpu"}:
            raise ArgumentError(f"this is no resource configuration: {dict(payload_obj)!r}")
        return ResourceConfiguration(payload_obj.get("cpu"), payload_obj.get("memoryInGB"), payload_obj.get("gpu"))
