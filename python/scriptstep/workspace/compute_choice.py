"""Where a step runs: what it names, else what its runconfig does, else the workspace's default, else this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scriptstep.errors import ArgumentAttributeError, ArgumentError, ComputeTargetException, nearest

if TYPE_CHECKING:
    from scriptstep.workspace.workspace import Workspace

__all__ = ["resolve_compute"]

_LOCAL = "local"
# The types that the SDK runs scripts on.
_FOR_SCRIPTS = ("AmlCompute", "ComputeInstance", "VirtualMachine", "HDInsight", "SynapseSpark", "Kubernetes", _LOCAL)


def resolve_compute(workspace: Workspace, compute_target: Any, runconfig: Any, where: str) -> tuple[str, str] | None:
    """Decides where a step runs.

    Args:
        workspace: The workspace.
        compute_target: A compute target, its name, (name, type), or None.
        runconfig: The step's run configuration, or None.
        where: The step, for messages: "step 'train'".

    Returns:
        Name and type of the compute target; None for this machine.

    Raises:
        ArgumentError: It is none of these, an unknown name where the settings name some, or of a type that runs no
            scripts.
    """
    chosen = compute_target
    if chosen is None:
        # The runconfig's own default is 'local': that is no choice.
        target = getattr(runconfig, "target", None)
        chosen = None if target in (None, "", _LOCAL) else target
    if chosen is None:
        chosen = workspace._settings.default_compute
    if chosen is None or chosen == _LOCAL:
        return None
    if isinstance(chosen, str):
        name, kind = _named(workspace, chosen, where)
    elif isinstance(chosen, tuple):
        if len(chosen) != 2 or not all(isinstance(part, str) and part for part in chosen):
            raise ArgumentError(f"{where}: compute_target as a tuple is (name, type), and this is {chosen!r}")
        name, kind = chosen
    else:
        named, typed = getattr(chosen, "name", None), getattr(chosen, "type", None)
        if not isinstance(named, str) or not isinstance(typed, str):
            raise ArgumentAttributeError(
                f"{where}: compute_target must be a compute target, the name of one, or (name, type), not {chosen!r}"
            )
        name, kind = named, typed
    if kind not in _FOR_SCRIPTS:
        raise ArgumentError(
            f"{where}: no script runs on compute target '{name}' of type '{kind}'",
            help=f"the types are {', '.join(_FOR_SCRIPTS)}",
        )
    return None if kind == _LOCAL else (name, kind)


def _named(workspace: Workspace, name: str, where: str) -> tuple[str, str]:
    from scriptstep.workspace.compute_target import find_compute

    try:
        row = find_compute(workspace, name)
    except ComputeTargetException as error:
        known = [row.name for row in workspace._catalog.computes()]
        close = nearest(name, known)
        raise ArgumentError(
            f"{where}: there is no compute target '{name}'; there are {', '.join(known) or 'none'}",
            help=f"did you mean '{close}'?" if close else "name it in [compute] of scriptstep.toml",
        ) from error
    return row.name, row.type
