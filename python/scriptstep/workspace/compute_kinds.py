"""Which class a type of compute target has."""

from __future__ import annotations

from scriptstep.workspace.compute_attached import (
    AdlaCompute,
    AksCompute,
    BatchCompute,
    DatabricksCompute,
    DataFactoryCompute,
    DsvmCompute,
    HDInsightCompute,
    KubernetesCompute,
    KustoCompute,
    RemoteCompute,
    SynapseCompute,
)
from scriptstep.workspace.compute_machines import AmlCompute, ComputeInstance
from scriptstep.workspace.compute_target import ComputeTarget

__all__ = [
    "CLASSES",
    "AmlCompute",
    "ComputeInstance",
    "RemoteCompute",
    "DsvmCompute",
    "HDInsightCompute",
    "DatabricksCompute",
    "AdlaCompute",
    "BatchCompute",
    "DataFactoryCompute",
    "AksCompute",
    "KubernetesCompute",
    "SynapseCompute",
    "KustoCompute",
]

CLASSES: dict[str, type[ComputeTarget]] = {
    kind._TYPE: kind
    for kind in (
        AmlCompute,
        ComputeInstance,
        DsvmCompute,
        RemoteCompute,
        HDInsightCompute,
        DatabricksCompute,
        AdlaCompute,
        BatchCompute,
        DataFactoryCompute,
        AksCompute,
        KubernetesCompute,
        SynapseCompute,
        KustoCompute,
    )
}
