"""The parts of a run configuration that decide nothing here: where a service would run it, and how. They are kept."""

from __future__ import annotations

from scriptstep.workspace.element import Element, made

__all__ = [
    "AmlComputeConfiguration",
    "ApplicationEndpointConfiguration",
    "HdiConfiguration",
    "HistoryConfiguration",
    "KubernetesComputeConfiguration",
    "SparkConfiguration",
]


class HistoryConfiguration(Element):
    """What a run keeps.

    Attributes:
        output_collection: Whether the files in `outputs` are kept; they always are.
        snapshot_project: Whether the source directory is kept; it always is.
        directories_to_watch: Folders whose files are shown while the run goes on.
    """

    output_collection: bool = True
    snapshot_project: bool = True
    directories_to_watch = made(lambda: ["logs"])


class SparkConfiguration(Element):
    """Spark's own settings."""

    configuration = made(dict[str, str])


class HdiConfiguration(Element):
    """HDInsight's deploy mode."""

    yarn_deploy_mode: str = "cluster"


class AmlComputeConfiguration(Element):
    """A cluster made for one run."""

    vm_size: str | None = None
    vm_priority: str | None = None
    retain_cluster: bool = False
    name: str | None = None
    cluster_max_node_count: int | None = None


class KubernetesComputeConfiguration(Element):
    """The size of an instance on Kubernetes."""

    instance_type: str | None = None


class ApplicationEndpointConfiguration(Element):
    """A port that a run opens.

    Args:
        type: Of the application.
        port: Its port.
        properties: Whatever else it needs.
    """

    type: str | None = None
    port: int | None = None
    properties: dict[str, str] | None = None

    def __init__(
        self, type: str | None = None, port: int | None = None, properties: dict[str, str] | None = None
    ) -> None:
        self.type, self.port, self.properties = type, port, properties
