"""How many processes a step runs in, and how they find each other."""

from __future__ import annotations

from typing import Any, ClassVar

from scriptstep.errors import RunConfigurationException
from scriptstep.workspace.element import Element

__all__ = [
    "SUPPORTED_PYTORCH_BACKENDS",
    "MpiConfiguration",
    "ParallelTaskConfiguration",
    "PyTorchConfiguration",
    "TensorflowConfiguration",
]

SUPPORTED_PYTORCH_BACKENDS = ("nccl", "gloo")


class MpiConfiguration(Element):
    """Processes that MPI starts.

    Args:
        process_count_per_node: On each node.
        node_count: Nodes.
    """

    process_count_per_node: int = 1
    node_count: int = 1

    def __init__(self, process_count_per_node: int = 1, node_count: int = 1) -> None:
        self.process_count_per_node, self.node_count = process_count_per_node, node_count


class TensorflowConfiguration(Element):
    """Processes of a distributed TensorFlow job.

    Args:
        worker_count: Workers.
        parameter_server_count: Parameter servers.
    """

    worker_count: int = 1
    parameter_server_count: int = 1

    def __init__(self, worker_count: int = 1, parameter_server_count: int = 1) -> None:
        self.worker_count, self.parameter_server_count = worker_count, parameter_server_count


def _backend(value: Any) -> str:
    if not isinstance(value, str) or value.lower() not in SUPPORTED_PYTORCH_BACKENDS:
        raise RunConfigurationException(f"communication_backend must be 'Nccl' or 'Gloo', not {value!r}")
    return value.lower()


class PyTorchConfiguration(Element):
    """Processes of a distributed PyTorch job.

    Args:
        communication_backend: "Nccl" or "Gloo"; kept in lower case.
        process_count: All of them; one a node where None.
        node_count: Nodes.

    Raises:
        RunConfigurationException: There is no such backend.
    """

    _CHECKS: ClassVar = {"communication_backend": _backend}

    communication_backend: str = "nccl"
    process_count: int | None = None
    node_count: int = 1

    def __init__(
        self, communication_backend: str = "Nccl", process_count: int | None = None, node_count: int = 1
    ) -> None:
        self.communication_backend = communication_backend
        self.process_count, self.node_count = process_count, node_count


class ParallelTaskConfiguration(Element):
    """Processes of a batch of tasks; kept, unused."""

    max_retries_per_worker: int = 0
    worker_count_per_node: int = 1
    terminal_exit_codes: list[int] | None = None
