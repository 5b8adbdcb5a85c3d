"""Compute targets: the SDK's classes, and where a step runs."""

from __future__ import annotations

from scriptstep.workspace.compute_choice import resolve_compute
from scriptstep.workspace.compute_kinds import (
    AdlaCompute,
    AksCompute,
    AmlCompute,
    BatchCompute,
    ComputeInstance,
    DatabricksCompute,
    DataFactoryCompute,
    DsvmCompute,
    HDInsightCompute,
    KubernetesCompute,
    KustoCompute,
    RemoteCompute,
    SynapseCompute,
)
from scriptstep.workspace.compute_target import ComputeTarget, find_compute
from scriptstep.workspace.legacy_targets import AbstractComputeTarget, LocalTarget

__all__ = [
    "AbstractComputeTarget",
    "AdlaCompute",
    "AksCompute",
    "AmlCompute",
    "BatchCompute",
    "ComputeInstance",
    "ComputeTarget",
    "DataFactoryCompute",
    "DatabricksCompute",
    "DsvmCompute",
    "HDInsightCompute",
    "KubernetesCompute",
    "KustoCompute",
    "LocalTarget",
    "RemoteCompute",
    "SynapseCompute",
    "find_compute",
    "resolve_compute",
]
