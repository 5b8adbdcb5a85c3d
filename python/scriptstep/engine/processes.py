"""A step in several processes: how many, what each finds in its environment, and where it prints.

Nodes are simulated: all processes run on one machine, and each is told of the node that it would be on.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

from scriptstep.engine.attempt import Process
from scriptstep.errors import UserErrorException
from scriptstep.graph import RunSpec, StepSpec
from scriptstep.records import dataclass

__all__ = ["Launch", "failed_rank", "launch"]

_HOST = "127.0.0.1"
_MPI = frozenset({"mpi", "openmpi", "intelmpi"})
_RANK_VARIABLE = re.compile(r"\$(\{)?(MASTER_ADDR|MASTER_PORT|WORLD_SIZE|NODE_RANK|LOCAL_RANK|RANK)(?(1)\}|(?!\w))")

# Open MPI refuses root, and more processes than cores, and binds each to a core: here are no nodes to share out.
_OPEN_MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "OMPI_MCA_hwloc_base_binding_policy": "none",
    "OMPI_MCA_btl_vader_single_copy_mechanism": "none",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    "PRTE_MCA_hwloc_default_binding_policy": "none",
}
# What mpirun starts for each rank; its arguments: where logs begin, digits of a rank, processes a node, the command.
_MPI_RANK = """
begin=$1 digits=$2 per_node=$3
shift 3
rank=${OMPI_COMM_WORLD_RANK:-${PMI_RANK:-0}}
export OMPI_COMM_WORLD_LOCAL_RANK=$((rank % per_node)) OMPI_COMM_WORLD_LOCAL_SIZE=$per_node
"$@" >>"$(printf "%s_%0${digits}d.txt" "$begin" "$rank")" 2>&1 && exit 0
code=$?
(set -C; echo "$rank" >"$begin.failed") 2>/dev/null
exit $code
"""


@dataclass(frozen=True)
class Launch:
    """What starts a step.

    Attributes:
        argv: The command, where one process is started.
        env: Variables that all processes have besides the step's own.
        log: What that one process prints into.
        processes: What is started in its place, one for each rank.
        logs: Log of each rank; empty where there is one.
        node_count: Nodes that the processes are spread over.
        process_count: Processes on each.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    log: Path
    processes: tuple[Process, ...] = ()
    logs: tuple[Path, ...] = ()
    node_count: int = 1
    process_count: int = 1


def _count(run: RunSpec) -> int:
    """Returns: how many processes a step runs in."""
    if _kind(run) == "tensorflow":
        return run.worker_count + run.parameter_server_count
    return run.node_count * run.process_count_per_node


def launch(spec: StepSpec, argv: Sequence[str], path: str, log: Path) -> Launch:
    """Says what to start for a step.

    Args:
        spec: The step.
        argv: The command.
        path: Its PATH.
        log: What it prints into, where it is one process.

    Returns:
        What to start.

    Raises:
        UserErrorException: It needs mpirun, which is not there.
    """
    run = spec.run
    count, kind = _count(run), _kind(run)
    digits = max(2, len(str(count - 1)))
    logs = tuple(log.with_name(f"std_log_process_{rank:0{digits}}.txt") for rank in range(count)) if count > 1 else ()
    if kind == "mpi":
        return _mpi(spec, argv, path, log, logs, digits)
    per_node = run.process_count_per_node
    if kind == "tensorflow":
        processes, nodes, per_node = _tensorflow(run, argv), count, 1
    elif kind == "pytorch":
        processes, nodes = _pytorch(spec, argv), run.node_count
    else:
        return Launch(argv, {}, log)
    if count == 1:
        return Launch(processes[0].argv, processes[0].env, log)
    return Launch(argv, {}, log, processes, logs, nodes, per_node)


def failed_rank(log: Path) -> int | None:
    """Finds the first rank that failed of those that mpirun started.

    Args:
        log: What the step would print into, were it one process.

    Returns:
        The rank; None where none failed, or mpirun started none.
    """
    try:
        return int(_mpi_begin(log).with_suffix(".failed").read_text())
    except (OSError, ValueError):
        return None


def _kind(run: RunSpec) -> Literal["mpi", "tensorflow", "pytorch", "plain"]:
    framework, communicator = run.framework.lower(), (run.communicator or "").lower()
    if communicator in _MPI:
        return "mpi"
    if framework == "tensorflow" and communicator == "parameterserver":
        return "tensorflow"
    if communicator in ("nccl", "gloo"):
        return "pytorch"
    # A count alone asks for several processes, whatever the communicator was left at.
    if run.process_count_per_node > 1:
        return "pytorch" if framework == "pytorch" else "mpi"
    return "pytorch" if run.node_count > 1 else "plain"


def _mpi_begin(log: Path) -> Path:
    return log.with_name("std_log_process")


def _mpi(spec: StepSpec, argv: Sequence[str], path: str, log: Path, logs: tuple[Path, ...], digits: int) -> Launch:
    count, per_node = _count(spec.run), spec.run.process_count_per_node
    (port,) = _free_ports(1)
    env = {"AZ_BATCH_MASTER_NODE": f"{_HOST}:{port}", "AZ_BATCHAI_MPI_MASTER_NODE": _HOST}
    if count == 1:
        alone = {"RANK": 0, "SIZE": 1, "LOCAL_RANK": 0, "LOCAL_SIZE": 1}
        return Launch(argv, env | {f"OMPI_COMM_WORLD_{name}": str(value) for name, value in alone.items()}, log)
    mpirun = shutil.which("mpirun", path=path)
    if mpirun is None:
        raise UserErrorException(
            f"step '{spec.name}' runs in {count} processes of MPI, and there is no mpirun to start them",
            help="install it: the package openmpi-bin of Debian and Ubuntu, or openmpi in the step's conda environment",
        )
    begin = str(_mpi_begin(log))
    started = [mpirun, "-n", str(count), "/bin/sh", "-c", _MPI_RANK, "rank", begin, str(digits), str(per_node), *argv]
    return Launch(started, env | _OPEN_MPI, log.with_name("mpi_log.txt"), (), logs, spec.run.node_count, per_node)


def _pytorch(spec: StepSpec, argv: Sequence[str]) -> tuple[Process, ...]:
    per_node, count = spec.run.process_count_per_node, _count(spec.run)
    (port,) = _free_ports(1)
    made: list[Process] = []
    for rank in range(count):
        env = {
            "MASTER_ADDR": _HOST,
            "MASTER_PORT": str(port),
            "WORLD_SIZE": str(count),
            "NODE_RANK": str(rank // per_node),
            "LOCAL_RANK": str(rank % per_node),
            "RANK": str(rank),
        }
        told = argv
        if spec.command is None:
            # Scripts are told of their rank by arguments, too: ["--local_rank", "$LOCAL_RANK"].
            told = [_RANK_VARIABLE.sub(_value_in(env), argument) for argument in argv]
        made.append(Process(tuple(told), env))
    return tuple(made)


def _value_in(env: Mapping[str, str]) -> Callable[[re.Match[str]], str]:
    return lambda found: env[found.group(2)]


def _tensorflow(run: RunSpec, argv: Sequence[str]) -> tuple[Process, ...]:
    counts = {"worker": run.worker_count, "ps": run.parameter_server_count}
    ports = iter(_free_ports(sum(counts.values())))
    cluster = {kind: [f"{_HOST}:{next(ports)}" for _ in range(count)] for kind, count in counts.items() if count}

    def tasks() -> Iterator[Process]:
        for kind, places in cluster.items():
            for index in range(len(places)):
                task = {"type": kind, "index": index}
                config = json.dumps({"cluster": cluster, "task": task, "environment": "cloud"})
                yield Process(tuple(argv), {"TF_CONFIG": config}, server=kind == "ps")

    return tuple(tasks())


def _free_ports(count: int) -> list[int]:
    """Returns: ports that nobody listens on; each another one."""
    import socket

    with ExitStack() as stack:
        found: list[int] = []
        for _ in range(count):
            one = stack.enter_context(socket.socket())
            one.bind((_HOST, 0))
            found.append(one.getsockname()[1])
        return found
